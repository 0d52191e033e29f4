//! `org`: organisations, their domains, settings and own lists.

use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use clap::Subcommand;
use serde_json::json;

use super::user::parse;
use super::{ConfigOption, actor, confirmed, print_json};
use crate::conflict;
use crate::directory::{Defaults, parse_domains};
use crate::policy::address::Address;
use crate::policy::list::{EntryValue, ListKind};
use crate::policy::refusal::{EntryRules, check};
use crate::store::{DayTotals, KEYS, Level, Organisation, OwnEntry, RemainingUsers, Store, StoreError, TOTALS_USERS};

/// `org …`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigOption,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add an organisation and the domains whose mail it receives
    Add {
        /// Its name
        name: String,
        /// A domain; several times for several
        #[arg(long = "domain", required = true, num_args = 1.., value_name = "DOMAIN")]
        domains: Vec<String>,
    },
    /// List all organisations
    List {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Show an organisation: domains, shared addresses, settings, its own lists, totals of the last days
    Show {
        /// Its name
        name: String,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Change settings: KEY=VALUE, an empty VALUE for the configuration's default; `org show` lists the keys
    Set {
        /// Its name
        name: String,
        /// For example tag=[PRIVÉ] or personal_actions=tag,folder
        #[arg(required = true, value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// Remove an organisation, its domains and its lists
    Remove {
        /// Its name
        name: String,
        /// Erase its users as well
        #[arg(long)]
        with_users: bool,
    },
    /// Add or remove domains whose mail it receives
    Domain {
        /// add or remove
        #[arg(value_enum)]
        change: Change,
        /// The organisation's name
        name: String,
        /// Domains
        #[arg(required = true)]
        domains: Vec<String>,
    },
    /// Add or remove business domains, which no user may declare personal
    Protect {
        /// add or remove
        #[arg(value_enum)]
        change: Change,
        /// The organisation's name
        name: String,
        /// Domains
        #[arg(required = true)]
        domains: Vec<String>,
    },
    /// Add or remove shared addresses: groups, and addresses whose mail others get too. Nobody's list applies to their mail
    Group {
        /// add or remove
        #[arg(value_enum)]
        change: Change,
        /// The organisation's name
        name: String,
        /// Addresses; a user's own stays theirs
        #[arg(required = true, value_name = "ADDR")]
        addresses: Vec<String>,
    },
    /// Add or remove entries of the organisation's own white and black lists
    Entry {
        /// add or remove
        #[arg(value_enum)]
        change: Change,
        /// The organisation's name
        name: String,
        /// enforced (above the users' lists) or default (below them)
        level: Level,
        /// white or black
        list: ListKind,
        /// Addresses (a@d), domains (d) or domains with their subdomains (*.d)
        #[arg(required = true)]
        values: Vec<String>,
    },
}

/// What is done with what is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Change {
    /// It shall be there.
    Add,
    /// It shall not.
    Remove,
}

/// Runs the command.
///
/// # Errors
/// What the store or the policy refuses.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (config, store) = args.config.open_store()?;
    let store = &*store;
    match args.command {
        Command::Add { name, domains } => {
            let domains = parse_domains(domains.iter().map(String::as_str)).map_err(anyhow::Error::msg)?;
            store.add_organisation(&actor(), &name, &domains)?;
            say!("organisation {name} added")?;
        }
        Command::List { json } => list(store, json)?,
        Command::Show { name, json } => show(store, &name, json)?,
        Command::Set { name, settings } => {
            let pair = |text: &String| {
                let (key, value) = text.split_once('=').with_context(|| format!("{text}: write KEY=VALUE"))?;
                Ok((key.trim().to_owned(), value.to_owned()))
            };
            let settings = settings.iter().map(pair).collect::<anyhow::Result<Vec<_>>>()?;
            let organisation = store.organisation(&name)?;
            conflict::set(&Defaults::from(&config), store, &actor(), &organisation, &settings)?;
            say!("organisation {name} changed")?;
        }
        Command::Remove { name, with_users } => return remove(store, &name, with_users),
        Command::Domain { change, name, domains } => {
            let id = store.organisation(&name)?.id;
            for domain in parse_domains(domains.iter().map(String::as_str)).map_err(anyhow::Error::msg)? {
                match change {
                    Change::Add => store.add_domain(&actor(), id, &domain)?,
                    Change::Remove => store.remove_domain(&actor(), id, &domain)?,
                }
            }
            say!("organisation {name} changed")?;
        }
        Command::Protect { change, name, domains } => {
            let id = store.organisation(&name)?.id;
            for domain in parse_domains(domains.iter().map(String::as_str)).map_err(anyhow::Error::msg)? {
                match change {
                    Change::Add => store.protect_domain(&actor(), id, &domain)?,
                    Change::Remove => store.unprotect_domain(&actor(), id, &domain)?,
                }
            }
            say!("organisation {name} changed")?;
        }
        Command::Group { change, name, addresses } => {
            let id = store.organisation(&name)?.id;
            for address in addresses.iter().map(|address| parse(address)).collect::<anyhow::Result<Vec<_>>>()? {
                match change {
                    Change::Add => store.share_address(&actor(), id, &address)?,
                    Change::Remove => store.unshare_address(&actor(), id, &address)?,
                }
            }
            say!("organisation {name} changed")?;
        }
        Command::Entry { change, name, level, list, values } => {
            own_entries(store, change, &name, level, list, &values)?
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn own_entries(
    store: &dyn Store,
    change: Change,
    name: &str,
    level: Level,
    list: ListKind,
    values: &[String],
) -> anyhow::Result<()> {
    if list == ListKind::Personal {
        bail!("an organisation has no personal list; use white or black");
    }
    let organisation = store.organisation(name)?;
    // Its own lists are the organisation's to decide; only what would cover everybody or nobody is refused.
    let rules = EntryRules { own_domains: &[], protected_domains: &[], protected_senders: &[], globs: true };
    let checked = |text: &String| {
        let value: EntryValue = text.parse().with_context(|| text.clone())?;
        if change == Change::Add {
            check(list, &value, &rules).with_context(|| text.clone())?;
        }
        Ok(OwnEntry { level, list, value })
    };
    for entry in values.iter().map(checked).collect::<anyhow::Result<Vec<_>>>()? {
        match change {
            Change::Add => store.add_own_entry(&actor(), organisation.id, &entry)?,
            Change::Remove => store.remove_own_entry(&actor(), organisation.id, &entry)?,
        }
    }
    say!("organisation {name} changed")?;
    Ok(())
}

fn list(store: &dyn Store, json: bool) -> anyhow::Result<()> {
    let all = store.organisations()?;
    if json {
        let row = |organisation: &Organisation| -> anyhow::Result<_> {
            Ok(to_json(
                organisation,
                &store.own_lists(organisation.id)?,
                store.user_count(organisation.id)?,
                &store.shared_addresses(organisation.id)?,
                &[],
            ))
        };
        return Ok(print_json(&all.iter().map(row).collect::<anyhow::Result<_>>()?)?);
    }
    if all.is_empty() {
        say!("no organisation yet; add one with: perso-milter org add NAME --domain DOMAIN")?;
    }
    for organisation in all {
        let domains: Vec<&str> = organisation.domains.iter().map(|domain| domain.as_str()).collect();
        say!("{}  {} users  {}", organisation.name, store.user_count(organisation.id)?, domains.join(" "))?;
    }
    Ok(())
}

/// How many days of totals are shown.
const DAYS: i64 = 7;

fn show(store: &dyn Store, name: &str, json: bool) -> anyhow::Result<()> {
    let organisation = store.organisation(name)?;
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let first = today.saturating_sub(jiff::Span::new().days(DAYS));
    let totals = store.totals(organisation.id, first..=today)?;
    let (users, shared) = (store.user_count(organisation.id)?, store.shared_addresses(organisation.id)?);
    let own_lists = store.own_lists(organisation.id)?;
    if json {
        return Ok(print_json(&to_json(&organisation, &own_lists, users, &shared, &totals))?);
    }
    say!("name      {}", organisation.name)?;
    say!("users     {users}")?;
    for (title, domains) in [("domain   ", &organisation.domains), ("protected", &organisation.protected)] {
        for domain in domains {
            say!("{title} {}", domain.as_str())?;
        }
    }
    for address in &shared {
        say!("shared    {}", address.as_str())?;
    }
    for (key, value) in organisation.settings.texts() {
        say!("set       {key}={}", value.as_deref().unwrap_or("(configuration)"))?;
    }
    for entry in &own_lists {
        say!("list      {} {} {}", entry.level, entry.list, entry.value.written())?;
    }
    for DayTotals { day, counts } in &totals {
        match counts {
            Some(counts) => {
                for (kind, count) in counts {
                    say!("total     {day} {kind} {count}")?;
                }
            }
            None => say!("total     {day} hidden: fewer than {TOTALS_USERS} users got mail")?,
        }
    }
    Ok(())
}

fn to_json(
    organisation: &Organisation,
    own_lists: &[OwnEntry],
    users: u64,
    shared: &[Address],
    totals: &[DayTotals],
) -> serde_json::Value {
    let names = |domains: &[crate::policy::address::Domain]| -> Vec<String> {
        domains.iter().map(|domain| domain.as_str().to_owned()).collect()
    };
    let settings: serde_json::Map<String, serde_json::Value> =
        organisation.settings.texts().into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
    debug_assert_eq!(settings.len(), KEYS.len());
    json!({
        "name": organisation.name,
        "users": users,
        "domains": names(&organisation.domains),
        "protected_domains": names(&organisation.protected),
        "shared_addresses": shared.iter().map(Address::as_str).collect::<Vec<_>>(),
        "settings": settings,
        "lists": own_lists.iter().map(|entry| json!({
            "level": entry.level.as_str(), "list": entry.list.as_str(), "value": entry.value.written(),
        })).collect::<Vec<_>>(),
        "totals": totals.iter().flat_map(|day| day.counts.iter().flatten().map(|(kind, count)| json!({
            "day": day.day.to_string(), "kind": kind, "count": count,
        }))).collect::<Vec<_>>(),
        "hidden_days": totals.iter().filter(|day| day.counts.is_none()).map(|day| day.day.to_string()).collect::<Vec<_>>(),
    })
}

fn remove(store: &dyn Store, name: &str, with_users: bool) -> anyhow::Result<ExitCode> {
    let organisation = store.organisation(name)?;
    let count = store.user_count(organisation.id)?;
    let users = if with_users { RemainingUsers::Erase } else { RemainingUsers::Refuse };
    if with_users && count > 0 && !confirmed(&format!("{count} users of {name} and their lists are erased for good."))?
    {
        say!("nothing changed")?;
        return Ok(ExitCode::FAILURE);
    }
    store.remove_organisation(&actor(), organisation.id, users).map_err(|error| match error {
        StoreError::UsersRemain { .. } => anyhow!("{error} (--with-users)"),
        error => error.into(),
    })?;
    say!("organisation {name} removed")?;
    Ok(ExitCode::SUCCESS)
}
