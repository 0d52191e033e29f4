//! `entry`: entries of users' lists. An administrator can add and remove, and reads a list only under a grant that the
//! user gave; what is answered never tells what stood there before.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::json;

use super::import::{Fields, Importer, Source, import};
use super::user::{find, parse};
use super::{ConfigOption, actor, administrator, print_json};
use crate::directory::{Defaults, entry_rules};
use crate::policy::list::{EntryValue, ListKind};
use crate::policy::refusal::check;
use crate::spreadsheet::{with_formula, without_formula};
use crate::store::{
    Actor, Entry, ImportEntry, ImportReport, Organisation, Permission, Readable, Store, StoreError, Ticket, User,
};

/// `entry …`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigOption,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Put entries on a user's list; the user is shown who did it
    Add {
        /// Any address of the user
        user: String,
        /// white, black or personal
        list: ListKind,
        /// Addresses (a@d), domains (d) or domains with their subdomains (*.d)
        #[arg(required = true)]
        values: Vec<String>,
    },
    /// Take entries off a user's list; the user is shown who did it
    Remove {
        /// Any address of the user
        user: String,
        /// white, black or personal
        list: ListKind,
        /// As they were entered
        #[arg(required = true)]
        values: Vec<String>,
    },
    /// Show a user's list, under a grant that the user gave
    List {
        /// Any address of the user
        user: String,
        /// white, black or personal; all three where it is left out
        list: Option<ListKind>,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Put entries from a CSV file with the header user,list,value on users' lists
    Import {
        /// The file; - for standard input
        file: PathBuf,
    },
    /// Write a user's lists as CSV (user,list,value), under a grant that the user gave
    Export {
        /// Any address of the user
        user: String,
    },
}

/// Runs the command.
///
/// # Errors
/// What the store or the policy refuses.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (config, store) = args.config.open_store()?;
    let (defaults, store) = (Defaults::from(&config), &*store);
    match args.command {
        Command::Add { user, list, values } => {
            let user = find(store, &user)?;
            let organisation = store.organisation_numbered(user.organisation)?;
            let rules = entry_rules(&defaults, &organisation);
            let checked = |text: &String| {
                let value: EntryValue = text.parse().with_context(|| text.clone())?;
                check(list, &value, &rules).with_context(|| text.clone())?;
                Ok((list, value))
            };
            let entries = values.iter().map(checked).collect::<anyhow::Result<Vec<_>>>()?;
            store.add_entries(&actor(), user.id, &entries)?;
            say!("done")?;
        }
        Command::Remove { user, list, values } => {
            let user = find(store, &user)?;
            let parsed = |text: &String| Ok((list, text.parse().with_context(|| text.clone())?));
            let entries = values.iter().map(parsed).collect::<anyhow::Result<Vec<_>>>()?;
            store.remove_entries(&actor(), user.id, &entries)?;
            say!("done")?;
        }
        Command::List { user, list, json } => {
            let user = find(store, &user)?;
            show(&read(store, &user, list)?, json)?;
        }
        Command::Import { file } => {
            let organisations = store.organisations()?;
            return import(Source::open(&file)?, &EntryImport::new(store, &defaults, &organisations));
        }
        Command::Export { user } => {
            let user = find(store, &user)?;
            export(&user, &read(store, &user, None)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads under a grant to whoever types. Without one the answer is the same for every list.
fn read(store: &dyn Store, user: &User, list: Option<ListKind>) -> anyhow::Result<Vec<Entry>> {
    let permission = Permission::Grant { grantee: administrator() };
    match store.read_entries(user.id, list, &permission) {
        Err(StoreError::NotPermitted) => bail!(
            "{}: the user has not granted {} to read this; a user's lists are shown to that user alone, who may give a \
             grant for at most 24 hours in the console",
            user.address.as_str(),
            administrator(),
        ),
        result => Ok(result?),
    }
}

fn written(entry: &Entry) -> String {
    match &entry.value {
        Readable::Value(value) => value.written(),
        Readable::Lost => "(lost with the user's key)".to_owned(),
        Readable::Altered => "(altered in the database)".to_owned(),
    }
}

fn show(entries: &[Entry], json: bool) -> io::Result<()> {
    if json {
        let rows = entries.iter().map(|entry| {
            json!({
                "list": entry.list.as_str(),
                "value": match &entry.value {
                    Readable::Value(value) => json!(value.written()),
                    Readable::Lost | Readable::Altered => json!(null),
                },
                "origin": entry.origin.as_str(),
                "created": entry.created.to_string(),
            })
        });
        return print_json(&rows.collect());
    }
    let mut out = BufWriter::new(io::stdout().lock());
    for entry in entries {
        writeln!(out, "{:8}  {}  {}", entry.list.as_str(), written(entry), entry.origin.as_str())?;
    }
    out.flush()
}

fn export(user: &User, entries: &[Entry]) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(io::stdout().lock());
    writer.write_record(["user", "list", "value"])?;
    let name = without_formula(user.address.as_str());
    for entry in entries.iter().filter(|entry| matches!(entry.value, Readable::Value(_))) {
        writer.write_record([&*name, entry.list.as_str(), &without_formula(&written(entry))])?;
    }
    writer.flush()?;
    Ok(())
}

/// `entry import`
struct EntryImport<'a> {
    store: &'a dyn Store,
    defaults: &'a Defaults,
    /// Whose rules hold for the users of a domain.
    organisations: HashMap<String, &'a Organisation>,
}

impl<'a> EntryImport<'a> {
    fn new(store: &'a dyn Store, defaults: &'a Defaults, organisations: &'a [Organisation]) -> Self {
        let domains = organisations.iter().flat_map(|organisation| {
            organisation.domains.iter().map(move |domain| (domain.as_str().to_owned(), organisation))
        });
        Self { store, defaults, organisations: domains.collect() }
    }
}

impl Importer for EntryImport<'_> {
    type Line = ImportEntry;

    fn columns(&self) -> (&'static [&'static str], &'static [&'static str]) {
        (&["user", "list", "value"], &[])
    }

    fn read(&self, line: u64, fields: &Fields<'_>) -> anyhow::Result<ImportEntry> {
        let user = parse(&with_formula(fields.need("user")?))?;
        let list: ListKind = fields.need("list")?.parse()?;
        let value: EntryValue = with_formula(fields.need("value")?).parse()?;
        if let Some(organisation) = self.organisations.get(user.domain()) {
            check(list, &value, &entry_rules(self.defaults, organisation))?;
        }
        Ok(ImportEntry { line, user, list, value })
    }

    fn hand_over(&self, lines: Vec<ImportEntry>) -> crate::store::Result<Ticket<ImportReport>> {
        self.store.import_entries(&Actor::Import { name: administrator() }, lines)
    }
}
