//! `user import`: users from CSV, and their aliases from the files of Postfix.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;

use super::super::administrator;
use super::super::user::parse;
use super::alias_plan::UnknownUsers;
use super::aliases::{self, Mode, Wanted};
use super::format::Format;
use super::{Fields, Importer, Source, import};
use crate::config::Config;
use crate::store::{Actor, ImportUser, NewUser, Store, Ticket, UserKind};

/// What is said of the files of Postfix below the options.
pub const OF_POSTFIX: &str = "\
Of a file of virtual(5) or aliases(5), an address that leads to one mailbox becomes an alias of its user, and so does the \
mailbox's own address. An address that leads to several is noted as shared: nobody's list applies to its mail. Nothing is \
taken from a user, and the same file once more changes nothing. Where one file leads into another, import the one first \
that the mail system reads last.";

/// `user import …`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file; - for standard input
    file: PathBuf,
    /// csv, virtual or aliases; left out, what the file's name or first line says, else csv
    #[arg(long, value_enum, hide_possible_values = true)]
    format: Option<Format>,
    /// Of a file of Postfix: the organisation that it is for; left out, that of each address's domain
    #[arg(long, value_name = "NAME")]
    org: Option<String>,
    /// Of a file of Postfix: the domain of names without one; left out, that of the organisation, if it has one alone
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Of a file of Postfix: add a user where an address leads to nobody known
    #[arg(long)]
    create_users: bool,
    /// Of a file of Postfix: say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `user import`.
///
/// # Errors
/// A file that cannot be read, a header that lacks a column, options that do not fit the format; the store's state.
pub fn run(config: &Config, store: &dyn Store, args: &Args) -> anyhow::Result<ExitCode> {
    let Args { file, format, org, domain, create_users, dry_run } = args;
    let source = Source::open(file)?;
    let format = format.unwrap_or_else(|| Format::guess(source.path(), source.head()));
    let Some(syntax) = format.syntax() else {
        if org.is_some() || domain.is_some() || *create_users || *dry_run {
            bail!(
                "--org, --domain, --create-users and --dry-run are for the files of Postfix, and this seems to be CSV; say \
                 --format virtual or --format aliases if it is not"
            );
        }
        return import(source, &UserImport { store });
    };
    let wanted = Wanted {
        syntax,
        organisation: org.as_deref(),
        domain: domain.as_deref(),
        delimiter: config.recipients.delimiter.map(|delimiter| delimiter.as_char()),
        unknown_users: if *create_users { UnknownUsers::Create } else { UnknownUsers::Refuse },
        mode: if *dry_run { Mode::DryRun } else { Mode::Apply },
    };
    aliases::import(store, source, &wanted)
}

/// `user import` of CSV
struct UserImport<'a> {
    store: &'a dyn Store,
}

impl Importer for UserImport<'_> {
    type Line = ImportUser;

    fn columns(&self) -> (&'static [&'static str], &'static [&'static str]) {
        (&["address"], &["aliases", "organisation"])
    }

    fn read(&self, line: u64, fields: &Fields<'_>) -> anyhow::Result<ImportUser> {
        let aliases = fields.get("aliases").split_whitespace().map(parse).collect::<anyhow::Result<_>>()?;
        let user = NewUser { address: parse(fields.need("address")?)?, aliases, kind: UserKind::Person };
        let organisation = Some(fields.get("organisation").to_owned()).filter(|name| !name.is_empty());
        Ok(ImportUser { line, user, organisation })
    }

    fn hand_over(&self, lines: Vec<ImportUser>) -> crate::store::Result<Ticket<crate::store::ImportReport>> {
        self.store.import_users(&Actor::Import { name: administrator() }, lines)
    }
}
