//! `user`: users and their addresses. What stands on a user's lists, or how much, is shown by none of these.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use clap::Subcommand;
use serde_json::json;

use super::import::users;
use super::org::Change;
use super::{ConfigOption, actor, confirmed, print_json};
use crate::config::Config;
use crate::conflict::check_choice;
use crate::directory::Defaults;
use crate::policy::action::PersonalActions;
use crate::policy::address::Address;
use crate::policy::decide::Outcome;
use crate::store::{NewUser, Store, User, UserId, UserKind, UserStatus};

/// `user …`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigOption,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a user with empty lists
    Add {
        /// The primary address, in a domain of an organisation
        address: String,
        /// A further address of the same mailbox; several times for several
        #[arg(long = "alias", num_args = 1.., value_name = "ADDR")]
        aliases: Vec<String>,
        /// The mailbox of a function (contact@…): it has no personal list
        #[arg(long)]
        functional: bool,
    },
    /// List users
    List {
        /// Those of one organisation
        #[arg(long, value_name = "NAME")]
        org: Option<String>,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Show a user: addresses, which of them are shared, status, choices
    Show {
        /// Any address of the user
        address: String,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Let mail pass as if the user had no lists; nothing is erased
    Disable {
        /// Any address of the user
        address: String,
    },
    /// Let the lists apply again
    Enable {
        /// Any address of the user
        address: String,
    },
    /// Erase a user with all lists, for good
    Remove {
        /// Any address of the user
        address: String,
    },
    /// Add or remove further addresses of a user
    Alias {
        /// add or remove
        #[arg(value_enum)]
        change: Change,
        /// Any address of the user
        address: String,
        /// Further addresses
        #[arg(required = true)]
        aliases: Vec<String>,
    },
    /// Change what a user chose: personal_actions=tag,folder,mark or black_action=reject|discard|hold|junk; empty for the
    /// organisation's
    Set {
        /// Any address of the user
        address: String,
        /// Settings
        #[arg(required = true, value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// Add users from a CSV file with the header address,aliases,organisation (aliases separated by blanks), or their aliases
    /// from a file of Postfix
    #[command(after_help = users::OF_POSTFIX)]
    Import(users::Args),
}

/// Runs the command.
///
/// # Errors
/// What the store refuses.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (config, store) = args.config.open_store()?;
    let store = &*store;
    match args.command {
        Command::Add { address, aliases, functional } => {
            let kind = if functional { UserKind::Functional } else { UserKind::Person };
            let aliases = aliases.iter().map(|alias| parse(alias)).collect::<anyhow::Result<_>>()?;
            let user = NewUser { address: parse(&address)?, aliases, kind };
            store.add_user(&actor(), &user)?;
            note_unserved(store, &user.aliases)?;
            say!("user {} added", user.address.as_str())?;
        }
        Command::List { org, json } => list(store, org.as_deref(), json)?,
        Command::Show { address, json } => show(&find(store, &address)?, json)?,
        Command::Disable { address } => set_status(store, &address, UserStatus::Disabled)?,
        Command::Enable { address } => set_status(store, &address, UserStatus::Active)?,
        Command::Remove { address } => return remove(store, &address),
        Command::Alias { change, address, aliases } => {
            let user = find(store, &address)?;
            let aliases = aliases.iter().map(|alias| parse(alias)).collect::<anyhow::Result<Vec<_>>>()?;
            for alias in &aliases {
                match change {
                    Change::Add => store.add_alias(&actor(), user.id, alias)?,
                    Change::Remove => store.remove_alias(&actor(), user.id, alias)?,
                }
            }
            if change == Change::Add {
                note_unserved(store, &aliases)?;
            }
            say!("user {} changed", user.address.as_str())?;
        }
        Command::Set { address, settings } => set(&config, store, &address, &settings)?,
        Command::Import(args) => return users::run(&config, store, &args),
    }
    Ok(ExitCode::SUCCESS)
}

/// An address of the command line.
///
/// # Errors
/// Where it is none.
pub fn parse(text: &str) -> anyhow::Result<Address> {
    Address::parse(text.trim()).map_err(|error| anyhow!("{text}: this is no address: {error}"))
}

/// The user with an address.
///
/// # Errors
/// Where there is none.
pub fn find(store: &dyn Store, address: &str) -> anyhow::Result<User> {
    let id: UserId = store.user_id(&parse(address)?)?;
    Ok(store.user(id)?)
}

/// A final address on a host behind the relay is fine; a domain mistyped would look the same.
fn note_unserved(store: &dyn Store, aliases: &[Address]) -> anyhow::Result<()> {
    if aliases.is_empty() {
        return Ok(());
    }
    let organisations = store.organisations()?;
    let is_served = |alias: &&Address| {
        organisations.iter().flat_map(|organisation| &organisation.domains).any(|d| d.as_str() == alias.domain())
    };
    for alias in aliases.iter().filter(|alias| !is_served(alias)) {
        let (alias, domain) = (alias.as_str(), alias.domain());
        eprintln!("note: no organisation serves the domain {domain}; {alias} is taken as an address behind the relay");
    }
    Ok(())
}

fn set_status(store: &dyn Store, address: &str, status: UserStatus) -> anyhow::Result<()> {
    let user = find(store, address)?;
    store.set_user_status(&actor(), user.id, status)?;
    say!("user {} {}", user.address.as_str(), status_name(status))?;
    Ok(())
}

fn remove(store: &dyn Store, address: &str) -> anyhow::Result<ExitCode> {
    let user = find(store, address)?;
    let name = user.address.as_str();
    if !confirmed(&format!("The user {name} and all lists are erased for good.")).context("asking")? {
        say!("nothing changed")?;
        return Ok(ExitCode::FAILURE);
    }
    store.remove_user(&actor(), user.id)?;
    say!("user {name} removed")?;
    Ok(ExitCode::SUCCESS)
}

fn set(config: &Config, store: &dyn Store, address: &str, settings: &[String]) -> anyhow::Result<()> {
    let user = find(store, address)?;
    let mut options = user.options;
    let mut asked_for = Vec::new();
    for setting in settings {
        let (key, value) = setting.split_once('=').with_context(|| format!("{setting}: write KEY=VALUE"))?;
        let chosen = !value.is_empty();
        match key {
            "personal_actions" => {
                options.personal_actions = chosen.then(|| actions(value)).transpose()?;
                let personal = options.personal_actions.unwrap_or(PersonalActions::NONE);
                asked_for.push(Outcome::Deliver { personal, clear_spam: false });
            }
            "black_action" => {
                options.black_action = chosen.then(|| value.parse()).transpose().context("black_action")?;
                asked_for.extend(options.black_action.map(Outcome::Blocked));
            }
            _ => bail!("{key}: a user has the settings personal_actions and black_action"),
        }
    }
    let organisation = store.organisation_numbered(user.organisation)?;
    for outcome in asked_for {
        check_choice(&Defaults::from(config), &organisation, outcome)?;
    }
    store.set_user_options(&actor(), user.id, options)?;
    say!("user {} changed", user.address.as_str())?;
    Ok(())
}

/// As an organisation sets them: `none` is a choice, the empty text is not.
fn actions(value: &str) -> anyhow::Result<PersonalActions> {
    match value.trim() {
        "none" => Ok(PersonalActions::NONE),
        some => some
            .parse()
            .ok()
            .context("personal_actions: it must be none, or some of tag, folder, mark, with commas between"),
    }
}

fn actions_text(actions: PersonalActions) -> String {
    if actions == PersonalActions::NONE { "none".to_owned() } else { actions.to_string() }
}

/// How many users are read at once.
const PAGE: usize = 1000;

fn list(store: &dyn Store, organisation: Option<&str>, json: bool) -> anyhow::Result<()> {
    let organisation = organisation.map(|name| store.organisation(name)).transpose()?.map(|o| o.id);
    let mut after: Option<Address> = None;
    let mut rows = Vec::new();
    let mut out = BufWriter::new(io::stdout().lock());
    loop {
        let page = store.users(organisation, after.as_ref(), PAGE)?;
        let more = page.len() == PAGE;
        after = page.last().map(|user| user.address.clone());
        for user in &page {
            if json {
                rows.push(to_json(user));
            } else {
                let line =
                    [&[user.address.as_str(), "", status_name(user.status), ""], &*aliases(user)].concat().join(" ");
                writeln!(out, "{}", line.trim_end())?;
            }
        }
        if !more {
            break;
        }
    }
    if json {
        writeln!(out, "{:#}", serde_json::Value::from(rows))?;
    }
    out.flush()?;
    Ok(())
}

fn show(user: &User, json: bool) -> io::Result<()> {
    if json {
        return print_json(&to_json(user));
    }
    say!("address   {}", user.address.as_str())?;
    for alias in aliases(user) {
        say!("alias     {alias}")?;
    }
    for address in &user.shared {
        say!("shared    {}", address.as_str())?;
    }
    say!("id        {}", user.id)?;
    say!("status    {}", status_name(user.status))?;
    say!("kind      {}", kind_name(user.kind))?;
    let personal = user.options.personal_actions.map_or("(organisation)".to_owned(), actions_text);
    let black = user.options.black_action.map_or("(organisation)".to_owned(), |action| action.to_string());
    say!("set       personal_actions={personal}")?;
    say!("set       black_action={black}")?;
    say!("created   {}", user.created)
}

fn aliases(user: &User) -> Vec<&str> {
    user.aliases.iter().map(Address::as_str).collect()
}

fn status_name(status: UserStatus) -> &'static str {
    match status {
        UserStatus::Active => "enabled",
        UserStatus::Disabled => "disabled",
    }
}

fn kind_name(kind: UserKind) -> &'static str {
    match kind {
        UserKind::Person => "person",
        UserKind::Functional => "functional",
    }
}

fn to_json(user: &User) -> serde_json::Value {
    json!({
        "address": user.address.as_str(),
        "aliases": aliases(user),
        "shared": user.shared.iter().map(Address::as_str).collect::<Vec<_>>(),
        "id": user.id.to_string(),
        "status": status_name(user.status),
        "kind": kind_name(user.kind),
        "personal_actions": user.options.personal_actions.map(|actions| actions.names().collect::<Vec<_>>()),
        "black_action": user.options.black_action.map(|action| action.to_string()),
        "created": user.created.to_string(),
    })
}
