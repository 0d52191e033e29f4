//! `perso-milter postfix-config`: the lines for Postfix and Dovecot that fit the configuration; with `--sendmail` those for
//! Sendmail.
//!
//! Postfix writes a listener as `inet:HOST:PORT` or `unix:PATH`, where Sendmail, and we, write `inet:PORT@HOST`; the path
//! of a unix socket is given relative to the queue directory, which holds for chrooted services and for others.

pub mod sendmail;
pub mod split;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::open_store;
use crate::config::{self, Config, ListenAddress, Role, SplitMode};
use crate::directory::split_key;
use crate::policy::action::{BlackAction, LateAction, PersonalActions};
use crate::split::SplitKey;

/// Prints the main.cf, master.cf and Dovecot lines that fit the configuration
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration [default: $PERSO_MILTER_CONFIG, then /etc/perso-milter/perso-milter.toml]
    #[arg(id = super::CONFIG, short, long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// What folders need as well, before an action uses one: the mail store must file before that can be proven
    #[arg(long)]
    pub folders: bool,
    /// Print what Sendmail needs, in place of Postfix
    #[arg(long, conflicts_with_all = ["queue", "configuration"])]
    pub sendmail: bool,
    /// Where Postfix has its files
    #[command(flatten)]
    pub directories: Directories,
}

/// Where Postfix has its files.
#[derive(Debug, Clone, clap::Args)]
pub struct Directories {
    /// Postfix's queue_directory
    #[arg(long = "queue-directory", value_name = "DIR", default_value = "/var/spool/postfix")]
    pub queue: PathBuf,
    /// Postfix's config_directory
    #[arg(long = "config-directory", value_name = "DIR", default_value = "/etc/postfix")]
    pub configuration: PathBuf,
}

/// Where Debian has them.
impl Default for Directories {
    fn default() -> Self {
        Self { queue: "/var/spool/postfix".into(), configuration: "/etc/postfix".into() }
    }
}

/// Prints the lines.
///
/// # Errors
/// Where the configuration has errors, or the lines cannot be printed.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut config = config::load(args.config.as_deref())?.parsed.config;
    if args.folders {
        config.personal.actions = config.personal.actions | PersonalActions::FOLDER;
    }
    let sections = if args.sendmail { sendmail::sections(&config) } else { postfix_sections(&config, args)? };
    let mut out = io::stdout().lock();
    if args.json {
        let lines = |section: &Section| {
            let lines: Vec<&str> = section.lines.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
            serde_json::json!({ "where": section.place, "key": section.key, "lines": lines })
        };
        let sections: Vec<_> = sections.iter().map(lines).collect();
        writeln!(out, "{:#}", serde_json::json!({ "sections": sections }))?;
    } else {
        let texts: Vec<String> = sections.iter().map(Section::to_text).collect();
        write!(out, "{}", texts.join("\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What Postfix needs. The tables of the split name secrets of the store, which is created where there is none yet.
fn postfix_sections(config: &Config, args: &Args) -> anyhow::Result<Vec<Section>> {
    let key = match config.split_mode() {
        SplitMode::Off => None,
        SplitMode::Mixed | SplitMode::Edits => Some(split_key(&open_store(config)?.keys().match_key)),
    };
    Ok(sections(config, key.as_ref(), &args.directories))
}

/// Lines that go to one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The name for programs: `commands`, `main.cf`, `master.cf`, `split main.cf`, `split marker`, `split received`,
    /// `split master.cf`, `sendmail.mc`, `dovecot`, `sieve`.
    pub key: &'static str,
    /// Where the lines go, for people.
    pub place: String,
    /// The lines, comments among them.
    pub lines: Vec<String>,
}

impl Section {
    /// The section as it is printed, its place in a comment above it.
    pub fn to_text(&self) -> String {
        let lines: String = self.lines.iter().map(|line| format!("{line}\n")).collect();
        format!("### {}\n{lines}", self.place)
    }
}

/// Every section that this configuration calls for; those of the split where there is a key for it.
pub fn sections(config: &Config, split: Option<&SplitKey>, directories: &Directories) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut add = |key, place: String, lines: Vec<String>| {
        if !lines.is_empty() {
            sections.push(Section { key, place, lines });
        }
    };
    let file = |name: &str| directories.configuration.join(name).display().to_string();
    let commands = socket_directories(config).into_iter().flat_map(make_directory).collect();
    add("commands", "as root, once".to_owned(), commands);
    add("main.cf", file("main.cf"), main_cf(config, &directories.queue));
    add("master.cf", format!("{}: under submission and submissions", file("master.cf")), master_cf(config));
    if let Some(key) = split {
        add(
            "split main.cf",
            format!("{}: one copy for each recipient", file("main.cf")),
            split::main_cf(config, directories),
        );
        add("split marker", format!("{}, mode 0600", file(split::MARKER_TABLE)), split::marker_table(config));
        add("split received", format!("{}, mode 0600", file(split::RECEIVED_TABLE)), split::received_table(key));
        add(
            "split master.cf",
            format!("{}: at its end", file("master.cf")),
            split::master_cf(config, key, directories),
        );
    }
    if uses_folders(config) {
        add("dovecot", "/etc/dovecot/conf.d/90-perso.conf".to_owned(), dovecot(config));
    }
    if config.personal.actions.contains(PersonalActions::FOLDER)
        || config.personal.actions.contains(PersonalActions::MARK)
    {
        let place = "or a Sieve rule for all users, which leaves no trace in the log of Postfix".to_owned();
        add("sieve", place, sieve(config));
    }
    sections
}

/// Whether any action delivers to a folder by way of the recipient delimiter.
pub fn uses_folders(config: &Config) -> bool {
    config.personal.actions.contains(PersonalActions::FOLDER)
        // What is held for one of several recipients is filed.
        || matches!(config.black.action, BlackAction::Junk | BlackAction::Hold)
        || config.black.late_action == LateAction::Junk
}

/// One member of smtpd_milters, in braces, with the timeouts and the default action that suit us.
pub fn milter_entry(address: &ListenAddress, queue_directory: &Path) -> String {
    let address = postfix_address(address, queue_directory);
    format!("{{ {address}, connect_timeout=10s, command_timeout=30s, content_timeout=60s, default_action=tempfail }}")
}

/// A listener as Postfix writes it. A listener on every address is named by its loopback address: Postfix on another
/// machine needs another.
fn postfix_address(address: &ListenAddress, queue_directory: &Path) -> String {
    match address {
        ListenAddress::Unix { path } => {
            let path = path.strip_prefix(queue_directory).unwrap_or(path);
            format!("unix:{}", path.display())
        }
        ListenAddress::Inet { port, host } => {
            format!("inet:{}:{port}", reachable(host.as_deref(), "0.0.0.0", "127.0.0.1"))
        }
        ListenAddress::Inet6 { port, host } => {
            format!("inet:[{}]:{port}", reachable(host.as_deref(), "::", "::1"))
        }
    }
}

fn reachable<'a>(host: Option<&'a str>, every: &str, loopback: &'a str) -> &'a str {
    host.filter(|host| *host != every).unwrap_or(loopback)
}

/// The directories of the unix sockets.
fn socket_directories(config: &Config) -> Vec<&Path> {
    let mut folders: Vec<&Path> = Vec::new();
    for listener in &config.milter.listeners {
        if let ListenAddress::Unix { path } = &listener.address
            && let Some(folder) = path.parent()
            && !folders.contains(&folder)
        {
            folders.push(folder);
        }
    }
    folders
}

/// The commands that make a socket's directory: Postfix's group may enter it, and the sockets in it belong to that group.
pub(super) fn make_directory(folder: &Path) -> [String; 3] {
    let folder = folder.display();
    [format!("mkdir -p {folder}"), format!("chown perso-milter:postfix {folder}"), format!("chmod 2750 {folder}")]
}

fn main_cf(config: &Config, queue_directory: &Path) -> Vec<String> {
    let with_role = |role| config.milter.listeners.iter().filter(move |listener| listener.role == role);
    let entries = |role| -> Vec<String> {
        with_role(role).map(|listener| milter_entry(&listener.address, queue_directory)).collect()
    };
    let edge = entries(Role::Edge);
    let local = entries(Role::Local);
    let mut lines = Vec::new();
    lines.push(
        "# Mail from the network. Another milter that verifies senders or marks spam goes before this one.".to_owned(),
    );
    // One is enough: two listeners of one daemon would each mark the message.
    lines.extend(setting("smtpd_milters", edge.first()));
    lines.extend(edge.iter().skip(1).map(|entry| format!("# or: smtpd_milters = {entry}")));
    lines.push("# Mail from sendmail(1) and the queue.".to_owned());
    lines.extend(setting("non_smtpd_milters", local.first().or(edge.first())));
    lines.push("milter_protocol = 6".to_owned());
    lines.push(
        "# While a milter is down senders try again later. \"accept\" would pass mail unfiltered and unmarked."
            .to_owned(),
    );
    lines.push("milter_default_action = tempfail".to_owned());
    if let Some(delimiter) = config.recipients.delimiter.filter(|_| uses_folders(config)) {
        let folder = if config.personal.actions.contains(PersonalActions::FOLDER) {
            &config.personal.folder
        } else {
            &config.black.junk_folder
        };
        lines.push(format!("# user{delimiter}{folder}@domain reaches the folder {folder} of user."));
        lines.push("# Nothing is filed until a message has proven that: perso-milter probe send ADDRESS".to_owned());
        lines.push(format!("recipient_delimiter = {delimiter}"));
    }
    lines
}

fn setting(name: &str, entry: Option<&String>) -> Option<String> {
    entry.map(|entry| format!("{name} = {entry}"))
}

fn master_cf(config: &Config) -> Vec<String> {
    let names = config.networks.submission_daemons.iter();
    names.map(|name| format!("  -o milter_macro_daemon_name={name}")).collect()
}

fn dovecot(config: &Config) -> Vec<String> {
    let Some(delimiter) = config.recipients.delimiter else { return Vec::new() };
    let text = format!(
        "recipient_delimiter = {delimiter}\n\
         # user{delimiter}Folder@domain is delivered to Folder, by LMTP.\n\
         lmtp_save_to_detail_mailbox = yes\n\
         # A folder that is not there yet is created, and shown.\n\
         lda_mailbox_autocreate = yes\n\
         lda_mailbox_autosubscribe = yes"
    );
    text.lines().map(str::to_owned).collect()
}

fn sieve(config: &Config) -> Vec<String> {
    let text = format!(
        "# In place of the action \"folder\", for mail that has the action \"mark\". The milter removes the X-Perso headers\n\
         # of others: what still has one was marked by it.\n\
         require [\"fileinto\", \"mailbox\"];\n\
         if exists \"X-Perso\" {{\n    fileinto :create \"{}\";\n}}",
        config.personal.folder
    );
    text.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
