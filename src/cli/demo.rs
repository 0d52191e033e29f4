//! `demo`: the real daemon on a temporary store, fed with example messages through its real socket.
//!
//! What is printed as result, folder and Subject comes back over the socket, as an MTA applies it; verdict and reason, which
//! no milter tells its MTA, come from the same policy on the same lists. Where the two disagree the demo says so and fails.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use include_dir::{Dir, include_dir};
use serde::Deserialize;

use super::lists::ListsFile;
use super::log::log_to_stderr;
use super::postfix_config::milter_entry;
use crate::app::{Daemon, open_store};
use crate::config::{Config, Loaded, Source, parse};
use crate::directory::Defaults;
use crate::explain::{Explained, explain};
use crate::language::Language;
use crate::milter::client::message::{Delivery, Message};
use crate::milter::client::{Client, ClientOptions, Envelope, Outcome, Recipient, Verdict};
use crate::milter::listen::ListenAddress;
use crate::policy::action::PersonalActions;
use crate::policy::address::bare_path;
use crate::policy::list::ListKind;
use crate::policy::plan::Direction;
use crate::policy::subject::decoded;
use crate::store::{Actor, AddressedFolder, Level, NewUser, OwnEntry, SealAccess, Store, UserKind, system_clock};

/// The messages, with the lists of the example organisation, are part of the program.
static MESSAGES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/fixtures/mail");
/// Where the demo listens, unless it is told otherwise or something else does.
const USUAL: &str = "inet:8891@127.0.0.1";
/// Where its console listens, likewise.
const USUAL_CONSOLE: &str = "127.0.0.1:8890";

/// `demo …`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the daemon listens; left out: inet:8891@127.0.0.1, or a free port where that is taken
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<ListenAddress>,
    /// Where the console listens; left out: 127.0.0.1:8890, or a free port where that is taken
    #[arg(long, value_name = "ADDRESS:PORT")]
    console: Option<SocketAddr>,
    /// End after the messages instead of staying up
    #[arg(long)]
    once: bool,
}

#[derive(Deserialize)]
struct Manifest {
    message: Vec<Example>,
}

/// An example message of the manifest; what it expects is for the tests.
#[derive(Deserialize)]
struct Example {
    file: String,
    from: String,
    rcpt: Vec<String>,
    about: About,
}

#[derive(Deserialize)]
struct About {
    en: String,
    fr: String,
}

/// Runs the demo.
///
/// # Errors
/// A socket that cannot be bound, a directory that cannot be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let directory = tempfile::Builder::new().prefix("perso-milter-demo-").tempdir()?;
    let language = Language::of_environment();
    let (config, lists) = example(directory.path(), args)?;
    log_to_stderr(&config, tracing::Level::WARN);
    fill(&*open_store(&config, &system_clock(), SealAccess::IfReadable)?, &lists)?;

    let daemon = start(&config, args)?;
    let address = daemon.listeners()[0].local_address().clone();
    let shutdown = daemon.shutdown();
    let links = sign_in_links(&daemon, &lists)?;
    let serving = std::thread::Builder::new().name("demo-daemon".to_owned()).spawn(move || daemon.serve())?;
    let played = play(&address, &lists, language).and_then(|disagreements| {
        if !args.once {
            print_invitation(&address, &links, language)?;
        }
        Ok(disagreements)
    });
    if args.once || played.is_err() {
        shutdown.trigger();
    }
    serving.join().map_err(|_| anyhow!("the daemon panicked, a fault of perso-milter"))??;
    let disagreements = played?;
    Ok(if disagreements == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(name: &str) -> anyhow::Result<&'static str> {
    MESSAGES.get_file(name).and_then(|file| file.contents_utf8()).with_context(|| format!("{name} is not built in"))
}

/// The configuration of the demo, and the example organisation with what it says of authentication.
fn example(directory: &Path, args: &Args) -> anyhow::Result<(Config, ListsFile)> {
    let lists = ListsFile::parse(text("lists.toml")?, Defaults::from(&Config::default()))?;
    let quoted =
        |names: &mut dyn Iterator<Item = &str>| names.map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    let policy = &lists.defaults.authentication;
    let listen = args.listen.as_ref().map_or(USUAL.to_owned(), ToString::to_string);
    // The mails of the console go nowhere: who signs in uses a link that is printed.
    let sender = lists.domains.first().map_or("localhost", |domain| domain.as_str());
    let console = if args.once {
        String::new()
    } else {
        let address = args.console.map_or_else(free_console, |address| address.to_string());
        format!("[console]\nlisten = {address:?}\nsender = \"cim@{sender}\"\n")
    };
    let toml = format!(
        "[[milter.listener]]\naddress = {listen:?}\n\
         {console}\
         [store]\nurl = {:?}\n\
         [authentication]\nmode = \"{}\"\nhops = {}\nresults = {}\nauthserv_ids = [{}]\nforwarders = [{}]\n",
        format!("sqlite:{}", directory.join("perso-milter.db").display()),
        policy.mode,
        policy.hops,
        policy.results,
        quoted(&mut policy.authserv_ids.iter().map(String::as_str)),
        quoted(&mut policy.forwarders.iter().map(|domain| domain.as_str())),
    );
    Ok((parse("demo", &toml)?.config, lists))
}

/// The usual address of the console, or one with a free port where something listens there.
fn free_console() -> String {
    match std::net::TcpListener::bind(USUAL_CONSOLE) {
        Ok(_) => USUAL_CONSOLE.to_owned(),
        Err(_) => "127.0.0.1:0".to_owned(),
    }
}

/// Starts the daemon; where nothing was said and the usual port is taken, on a free one.
fn start(config: &Config, args: &Args) -> anyhow::Result<Daemon> {
    let loaded = |config: Config| Loaded {
        source: Source::Defaults,
        parsed: crate::config::Parsed { config, lines: Default::default(), warnings: Vec::new() },
    };
    match Daemon::start(loaded(config.clone()), SealAccess::IfReadable) {
        Err(error) if args.listen.is_none() && error.downcast_ref::<crate::milter::listen::BindError>().is_some() => {
            eprintln!("{USUAL} is taken; the demo listens on a free port");
            let mut config = config.clone();
            config.milter.listeners[0].address = "inet:0@127.0.0.1".parse()?;
            Daemon::start(loaded(config), SealAccess::IfReadable)
        }
        result => result,
    }
}

fn fill(store: &dyn Store, lists: &ListsFile) -> anyhow::Result<()> {
    let actor = Actor::System;
    let organisation = store.add_organisation(&actor, &lists.name, &lists.domains)?;
    for domain in &lists.protected {
        store.protect_domain(&actor, organisation, domain)?;
    }
    // No mail store stands behind the demo, and so none that could disprove it.
    for folder in [&lists.defaults.personal.folder, &lists.defaults.black.junk_folder] {
        let delimiter = lists.defaults.delimiter.context("the demo has a delimiter")?;
        let folder = AddressedFolder { delimiter, name: folder.parse()? };
        let (code, _) = store.begin_probe(&actor, organisation, &folder)?;
        store.confirm_probe(&actor, &code)?;
    }
    for (level, entries) in [(Level::Enforced, &lists.enforced), (Level::Default, &lists.default)] {
        for (list, value) in entries {
            store.add_own_entry(&actor, organisation, &OwnEntry { level, list: *list, value: value.clone() })?;
        }
    }
    for user in &lists.users {
        let kind = if user.options.functional { UserKind::Functional } else { UserKind::Person };
        let new = NewUser { address: user.address.clone(), aliases: user.aliases.clone(), kind };
        let id = store.add_user(&actor, &new)?;
        store.set_user_options(&actor, id, user.options)?;
        store.add_entries(&Actor::User, id, &user.entries)?;
    }
    for address in &lists.shared {
        store.share_address(&actor, organisation, address)?;
    }
    Ok(())
}

/// Plays every message and prints what becomes of it; tells in how many cases socket and policy disagree.
fn play(address: &ListenAddress, lists: &ListsFile, language: Language) -> anyhow::Result<usize> {
    let manifest: Manifest = toml::from_str(text("messages.toml")?)?;
    let directory = lists.directory();
    print_lists(lists, language)?;
    print_heading(language)?;
    let mut client = Client::connect(address, &ClientOptions::default())?;
    let (mut recipients, mut disagreements) = (0, 0);
    for example in &manifest.message {
        let raw =
            MESSAGES.get_file(&example.file).with_context(|| format!("{} is not built in", example.file))?.contents();
        let envelope = Envelope {
            sender: format!("<{}>", example.from).into_bytes(),
            recipients: example.rcpt.iter().map(|path| Recipient::new(&format!("<{path}>"))).collect(),
            ..Envelope::default()
        };
        let outcome = client.send_message(&envelope, raw)?;
        let delivery = outcome.deliver(&envelope, raw, client.agreement());
        let paths: Vec<String> = example.rcpt.iter().map(|path| format!("<{path}>")).collect();
        let explained = explain(&directory, Direction::Inbound, &example.from, &paths, raw);
        for (index, why) in explained.iter().enumerate() {
            let seen = Seen::of(&outcome, delivery.as_ref(), index, &paths[index], raw);
            recipients += 1;
            print_row(example, &example.rcpt[index], &seen, why, language)?;
            if !seen.agrees_with(why) {
                disagreements += 1;
                say!("  ! the policy says {}, the socket {}", why.result, seen.result())?;
            }
        }
    }
    client.quit()?;
    let messages = manifest.message.len();
    match language {
        Language::English => say!("\n{messages} messages, {recipients} recipients, {disagreements} disagreements")?,
        Language::French => say!("\n{messages} messages, {recipients} destinataires, {disagreements} désaccords")?,
    }
    Ok(disagreements)
}

/// What the MTA made of the milter's answer, for one recipient.
struct Seen {
    refused: bool,
    held: bool,
    /// Where the copy went; `None` for nowhere.
    address: Option<String>,
    subject: String,
    tagged: bool,
    marked: bool,
}

impl Seen {
    fn of(outcome: &Outcome, delivery: Option<&Delivery>, index: usize, path: &str, raw: &[u8]) -> Self {
        let is_refusal = |verdict: &Verdict| matches!(verdict, Verdict::Reject(_) | Verdict::TempFail(_));
        let refused = is_refusal(&outcome.verdict) || outcome.recipients.get(index).is_some_and(is_refusal);
        let subject = |message: &Message| message.values("Subject").next().map(<[u8]>::to_vec).unwrap_or_default();
        let delivered = delivery.map(|delivery| subject(&delivery.message)).unwrap_or_default();
        let address = delivery.filter(|_| !refused).and_then(|delivery| {
            let all: Vec<&[u8]> = delivery.recipients.iter().map(|r| bare_path(&r.address)).collect();
            let own = bare_path(path.as_bytes());
            let same_mailbox = |other: &&&[u8]| mailbox(other) == mailbox(own);
            let found = all.iter().find(|other| **other == own).or_else(|| all.iter().find(same_mailbox));
            found.map(|address| String::from_utf8_lossy(address).into_owned())
        });
        Self {
            refused,
            held: delivery.is_some_and(|delivery| delivery.held.is_some()),
            address,
            tagged: delivered != subject(&Message::parse(raw)),
            marked: delivery.is_some_and(|delivery| delivery.message.values("X-Perso").next().is_some()),
            subject: decoded(&delivered).split_whitespace().collect::<Vec<_>>().join(" "),
        }
    }

    fn result(&self) -> &'static str {
        match (self.refused, self.held, &self.address) {
            (true, ..) => "rejected",
            (_, true, _) => "held",
            (_, _, None) => "discarded",
            _ => "delivered",
        }
    }

    /// Whether the socket did what the policy says.
    fn agrees_with(&self, why: &Explained) -> bool {
        let parts: Vec<&str> = why.result.split('+').collect();
        let folder = parts.iter().find_map(|part| part.strip_prefix("filed:"));
        let is_delivered = self.result() == "delivered";
        let in_folder = |folder: &str| {
            self.address.as_ref().is_some_and(|a| a.to_lowercase().contains(&format!("+{}@", folder.to_lowercase())))
        };
        match why.result.as_str() {
            "rejected" | "discarded" | "held" => self.result() == why.result,
            _ => {
                is_delivered
                    && folder.is_none_or(in_folder)
                    && why.subject.as_deref() == Some(&self.subject)
                    && (!parts.contains(&"tagged") || self.tagged)
                    && parts.contains(&"marked") == self.marked
            }
        }
    }
}

/// The mailbox of an address, in any case and without its detail.
fn mailbox(address: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(address).to_lowercase();
    let (local, domain) = text.rsplit_once('@').unwrap_or((&text, ""));
    let base = local.split('+').next().unwrap_or(local).trim_matches('"');
    format!("{base}@{domain}").into_bytes()
}

fn print_heading(language: Language) -> io::Result<()> {
    let [message, recipient, verdict, result, subject] = match language {
        Language::English => ["MESSAGE", "RECIPIENT", "VERDICT", "RESULT", "SUBJECT OR FOLDER"],
        Language::French => ["MESSAGE", "DESTINATAIRE", "VERDICT", "RÉSULTAT", "OBJET OU DOSSIER"],
    };
    say!("\n{message:<38} {recipient:<30} {verdict:<16} {result:<18} {subject}")
}

fn print_row(example: &Example, recipient: &str, seen: &Seen, why: &Explained, language: Language) -> io::Result<()> {
    let arrived = match &seen.address {
        None => "-".to_owned(),
        Some(address) if address == bare(recipient) => shown(&seen.subject),
        Some(address) => format!("{address}: {}", shown(&seen.subject)),
    };
    let file = example.file.trim_end_matches(".eml");
    say!("{file:<38} {recipient:<30} {:<16} {:<18} {arrived}", why.verdict_name(), why.result)?;
    let (about, because) = match language {
        Language::English => (&example.about.en, "because"),
        Language::French => (&example.about.fr, "parce que"),
    };
    say!("    {about}\n    {because}: {}", why.reason(language))
}

fn bare(recipient: &str) -> &str {
    recipient.rsplit_once(':').map_or(recipient, |(_, address)| address)
}

/// A Subject fit for a terminal: control characters out, not over one line.
fn shown(subject: &str) -> String {
    const WIDTH: usize = 80;
    let clean = subject.chars().map(|c| if c.is_control() { '·' } else { c });
    let line: String = clean.clone().take(WIDTH).collect();
    if clean.count() > WIDTH { line + "…" } else { line }
}

fn print_lists(lists: &ListsFile, language: Language) -> io::Result<()> {
    let domains: Vec<&str> = lists.domains.iter().map(|domain| domain.as_str()).collect();
    say!("{} ({})", lists.name, domains.join(", "))?;
    for user in &lists.users {
        let count = |list| user.entries.iter().filter(|(known, _)| *known == list).count();
        let actions = lists.defaults.personal.actions_for(user.options.personal_actions);
        let actions = if actions == PersonalActions::NONE { "-".to_owned() } else { actions.to_string() };
        let counts = [ListKind::White, ListKind::Black, ListKind::Personal].map(count);
        let [white, black, personal] = counts;
        match language {
            Language::English => say!(
                "  {:<28} {white} white, {black} black, {personal} personal entries; personal mail: {actions}",
                user.address.as_str()
            )?,
            Language::French => say!(
                "  {:<28} {white} en liste blanche, {black} en noire, {personal} en PERSONNELLE ; courrier personnel : {actions}",
                user.address.as_str()
            )?,
        }
    }
    Ok(())
}

/// A link to the console for each person of the example.
fn sign_in_links(daemon: &Daemon, lists: &ListsFile) -> anyhow::Result<Vec<(String, String)>> {
    let Some(console) = daemon.console() else { return Ok(Vec::new()) };
    let mut links = Vec::new();
    for user in lists.users.iter().filter(|user| !user.options.functional) {
        let id = daemon.store().user_id(&user.address)?;
        links.extend(console.demo_link(id).map(|link| (user.address.as_str().to_owned(), link)));
    }
    Ok(links)
}

fn print_invitation(address: &ListenAddress, links: &[(String, String)], language: Language) -> io::Result<()> {
    let entry = milter_entry(address, Path::new("/var/spool/postfix"));
    let (open, try_it, stop) = match language {
        Language::English => (
            "The console, where people run their own lists; each link signs one of them in:",
            "The daemon stays up on this temporary store. To let Postfix call it:",
            "Ctrl-C ends the demo and removes its store.",
        ),
        Language::French => (
            "La console, où chacun gère ses listes ; chaque lien ouvre celle d'une personne :",
            "Le démon reste actif sur cette base temporaire. Pour que Postfix l'appelle :",
            "Ctrl-C termine la démonstration et efface sa base.",
        ),
    };
    say!("\n{open}\n")?;
    for (user, link) in links {
        say!("    {user:<28} {link}")?;
    }
    say!("\n{try_it}\n\n    postconf -e 'smtpd_milters = {entry}'\n\n{stop}")
}
