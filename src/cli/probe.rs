//! `probe`: a message that proves that the mail store files into a folder, and what it proved. Until then the actions
//! `folder`, `junk` and `hold` cannot be switched on, and where the configuration has them nothing is filed.

mod message;
mod send;

use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use serde_json::json;

use super::{ConfigOption, actor, policy_of, print_json};
use crate::directory::Defaults;
use crate::policy::action::{BlackAction, LateAction, PersonalActions};
use crate::policy::text::FolderName;
use crate::store::{AddressedFolder, Organisation, OrganisationId, Store};

/// `probe …`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigOption,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send a message into a folder of ADDRESS; whoever finds it there confirms the code in it
    Send(send::Args),
    /// Confirm the code of a message that lies in its folder; the folder is proven from then on
    Confirm {
        /// The code that stands in the message
        code: String,
    },
    /// List the folders that are proven, and the probes that wait
    List {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Take back that folders of an organisation are proven; nothing is filed there any more
    Forget {
        /// The organisation's name
        name: String,
        /// One folder; left out, all of them
        folder: Option<FolderName>,
    },
}

/// Runs the command.
///
/// # Errors
/// What the store or the mail server refuses.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (config, store) = args.config.open_store()?;
    let store = &*store;
    match args.command {
        Command::Send(args) => send::run(&config, store, &args)?,
        Command::Confirm { code } => confirm(&Defaults::from(&config), store, &code)?,
        Command::List { json } => list(store, json)?,
        Command::Forget { name, folder } => forget(store, &name, folder.as_ref())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn confirm(defaults: &Defaults, store: &dyn Store, code: &str) -> anyhow::Result<()> {
    let probe = store.confirm_probe(&actor(), &code.parse()?)?;
    let all = store.organisations()?;
    let organisation = all.iter().find(|one| one.id == probe.organisation).context("the organisation is gone")?;
    say!("{}: {} is proven", organisation.name, probe.folder)?;
    for line in now_possible(defaults, organisation, &probe.folder) {
        say!("{line}")?;
    }
    Ok(())
}

/// What a proof makes possible, or puts in force.
fn now_possible(defaults: &Defaults, organisation: &Organisation, folder: &AddressedFolder) -> Vec<String> {
    let name = &organisation.name;
    if defaults.delimiter != Some(folder.delimiter) {
        return vec![format!("it is of use once recipients.delimiter is \"{}\" again", folder.delimiter)];
    }
    let policy = policy_of(defaults, organisation);
    let (personal, black) = (&policy.personal, &policy.black);
    let folder = folder.name.as_str();
    let mut lines = Vec::new();
    if folder == personal.folder && personal.actions.contains(PersonalActions::FOLDER) {
        lines.push("personal messages are filed there from now on".to_owned());
    } else if folder == personal.folder {
        let actions = personal.actions | PersonalActions::FOLDER;
        lines.push(format!("you may switch folder on: perso-milter org set {name} personal_actions={actions}"));
    }
    let files = matches!(black.action, BlackAction::Junk | BlackAction::Hold) || black.late_action == LateAction::Junk;
    if folder == black.junk_folder && files {
        lines.push("blocked messages are filed there from now on".to_owned());
    } else if folder == black.junk_folder {
        lines.push(format!(
            "you may switch junk on: perso-milter org set {name} black_action=junk (or hold, or late_action=junk)"
        ));
    }
    if lines.is_empty() {
        lines.push(format!("you may use it: perso-milter org set {name} folder={folder} (or junk_folder={folder})"));
    }
    lines
}

fn list(store: &dyn Store, json: bool) -> anyhow::Result<()> {
    let (organisations, probes) = (store.organisations()?, store.probes()?);
    let name_of = |id: OrganisationId| organisations.iter().find(|one| one.id == id).map_or("", |one| &*one.name);
    let proven = || organisations.iter().flat_map(|one| one.proven.iter().map(|proven| (&*one.name, proven)));
    if json {
        let proven = proven().map(|(name, proven)| {
            let mut row = folder_json(name, &proven.folder);
            row["proven"] = json!(proven.proven.to_string());
            row
        });
        let waiting = probes.iter().map(|probe| {
            let mut row = folder_json(name_of(probe.organisation), &probe.folder);
            row["sent"] = json!(probe.sent.to_string());
            row["expires"] = json!(probe.expires.to_string());
            row
        });
        let (proven, waiting): (Vec<_>, Vec<_>) = (proven.collect(), waiting.collect());
        return Ok(print_json(&json!({ "proven": proven, "waiting": waiting }))?);
    }
    for (name, proven) in proven() {
        say!("{name}  {}  proven {}", proven.folder, proven.proven)?;
    }
    for probe in &probes {
        say!("{}  {}  waits until {}", name_of(probe.organisation), probe.folder, probe.expires)?;
    }
    if probes.is_empty() && proven().next().is_none() {
        say!("no folder is proven yet; begin with: perso-milter probe send ADDRESS")?;
    }
    Ok(())
}

fn folder_json(organisation: &str, folder: &AddressedFolder) -> serde_json::Value {
    json!({
        "organisation": organisation,
        "delimiter": folder.delimiter.to_string(),
        "folder": folder.name.as_str(),
    })
}

fn forget(store: &dyn Store, name: &str, folder: Option<&FolderName>) -> anyhow::Result<()> {
    let organisation = store.organisation(name)?;
    let forgotten = store.forget_proven(&actor(), organisation.id, folder)?;
    for folder in &forgotten {
        say!("{name}: {folder} is proven no longer; nothing is filed there")?;
    }
    if forgotten.is_empty() {
        say!("{name}: nothing was proven")?;
    }
    Ok(())
}
