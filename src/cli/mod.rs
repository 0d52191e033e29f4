//! The command line: one file per subcommand. Exit codes: 0 done, 1 failed or done in part, 2 wrong configuration or usage.

/// Prints a line on standard output. Unlike `println!` it answers with an error where nobody reads any more.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        writeln!(std::io::stdout().lock(), $($text)*)
    }};
}

pub mod bench;
pub mod check;
pub mod demo;
pub mod entry;
pub mod explain;
pub mod import;
pub mod lists;
mod log;
pub mod org;
pub mod postfix_config;
pub mod probe;
pub mod staff;
pub mod user;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use log::{DaemonLog, log_to_stderr};

use crate::app::{self, Part};
use crate::config::{Config, LoadError, Loaded, load};
use crate::conflict::{policy_of, proof_remedy};
use crate::store::{Actor, SealAccess, Store, system_clock};

/// A milter that marks or files each recipient's personal mail, by the lists that recipient keeps.
///
/// Postfix calls it for every message. The configuration is the file that -c names, else that of PERSO_MILTER_CONFIG, else
/// /etc/perso-milter/perso-milter.toml, else the built-in defaults.
#[derive(Debug, Parser)]
#[command(name = "perso-milter", version)]
pub struct Cli {
    // Global: clap hands what stands before the command on to the option of the same id within it.
    #[command(flatten)]
    _config: ConfigOption,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon until SIGTERM; SIGHUP reloads the configuration
    Run {
        #[command(flatten)]
        config: ConfigOption,
        /// Run one part of the product as a service of its own
        #[arg(long, value_enum)]
        only: Option<Part>,
    },
    /// Say every problem of the configuration, the store, and the Postfix or Sendmail beside it
    Check(check::Args),
    /// Play example messages through the real daemon on a temporary store, then stay up
    Demo(demo::Args),
    /// Print the Postfix and Dovecot lines that fit this configuration
    PostfixConfig(postfix_config::Args),
    /// Say what a message becomes for each recipient, and why
    Explain(explain::Args),
    /// Organisations: domains, settings, their own lists
    Org(org::Args),
    /// Users and their addresses
    User(user::Args),
    /// Managers and operators of the console
    Staff(staff::Args),
    /// Entries of users' lists
    Entry(entry::Args),
    /// Prove that the mail store files into a folder, before folder or junk may be switched on
    Probe(probe::Args),
    /// Load a milter as an MTA does, and measure it
    Bench(Box<bench::Args>),
}

/// The id of the option `-c`, the same in every command.
const CONFIG: &str = "config";

/// The option that names the configuration.
#[derive(Debug, Clone, clap::Args)]
pub struct ConfigOption {
    /// The configuration file
    // A name of its own: a positional FILE of a command would otherwise be taken for this global option.
    #[arg(id = CONFIG, short = 'c', long = "config", value_name = "FILE", global = true)]
    file: Option<PathBuf>,
}

impl ConfigOption {
    /// Loads the configuration.
    ///
    /// # Errors
    /// Every problem of the file.
    pub fn load(&self) -> Result<Loaded, LoadError> {
        load(self.file.as_deref())
    }

    /// The configuration and its store, opened.
    fn open_store(&self) -> anyhow::Result<(Config, Arc<dyn Store>)> {
        let config = self.load()?.parsed.config;
        let store = open_store(&config)?;
        Ok((config, store))
    }
}

/// Opens the store for a command.
fn open_store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    log_to_stderr(config, tracing::Level::WARN);
    app::open_store(config, &system_clock(), SealAccess::IfReadable)
}

/// Runs a command.
pub fn run(cli: Cli) -> ExitCode {
    let result = match cli.command {
        Command::Run { config, only } => run_daemon(&config, only),
        Command::Check(args) => check::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::PostfixConfig(args) => postfix_config::run(&args),
        Command::Explain(args) => explain::run(args),
        Command::Org(args) => org::run(args),
        Command::User(args) => user::run(args),
        Command::Staff(args) => staff::run(args),
        Command::Entry(args) => entry::run(args),
        Command::Probe(args) => probe::run(args),
        Command::Bench(args) => bench::run(&args),
    };
    result.unwrap_or_else(|error| failed(&error))
}

fn run_daemon(config: &ConfigOption, only: Option<Part>) -> anyhow::Result<ExitCode> {
    let loaded = config.load()?;
    let log = DaemonLog::start(&loaded.parsed.config);
    app::run(loaded, only, &log.state)?;
    Ok(ExitCode::SUCCESS)
}

/// Says why a command failed. A wrong configuration is told apart: it is the operator's to mend. That nobody reads the
/// output any more (`user list | head`) needs no words.
fn failed(error: &anyhow::Error) -> ExitCode {
    let is_broken_pipe = |cause: &std::io::Error| cause.kind() == std::io::ErrorKind::BrokenPipe;
    if error.chain().any(|cause| cause.downcast_ref().is_some_and(is_broken_pipe)) {
        return ExitCode::FAILURE;
    }
    match error.downcast_ref::<LoadError>() {
        Some(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
        None => {
            eprintln!("perso-milter: {}", printable(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

/// Who types: the name under which a change is journalled and a grant is looked for. It is the account of the process;
/// root may have come by way of sudo, and is believed in that. No variable speaks for anybody else.
fn administrator() -> String {
    use nix::unistd::{Uid, User, getuid};
    let sudo = || std::env::var("SUDO_UID").ok()?.parse().ok().map(Uid::from_raw);
    let uid = if getuid().is_root() { sudo().unwrap_or(getuid()) } else { getuid() };
    let name = User::from_uid(uid).ok().flatten().map(|user| user.name);
    name.unwrap_or_else(|| format!("uid {uid}"))
}

fn actor() -> Actor {
    Actor::Administrator { name: administrator() }
}

/// Folders are reached by way of the recipient delimiter.
fn needs_delimiter(config: &Config) -> anyhow::Result<()> {
    anyhow::ensure!(
        config.recipients.delimiter.is_some(),
        "folder and junk need a delimiter, and recipients.delimiter is empty; set it in the configuration as in the mail store"
    );
    Ok(())
}

/// Prints a value for programs.
fn print_json(value: &serde_json::Value) -> std::io::Result<()> {
    say!("{value:#}")
}

/// Text of a message or a file for a terminal, which control characters would command.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Asks before something that cannot be undone, where somebody is there to answer.
fn confirmed(question: &str) -> anyhow::Result<bool> {
    use std::io::{IsTerminal, Write};
    if !std::io::stdin().is_terminal() {
        return Ok(true);
    }
    eprint!("{question} Type yes to go on: ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
