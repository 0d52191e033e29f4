//! Postfix's files of aliases, brought into the store: what they say is planned whole, shown, and carried out.

use std::fmt;
use std::io::{self, Read};
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::super::administrator;
use super::alias_file::{AliasFile, Syntax};
use super::alias_plan::{Plan, Planner, Remark, RemarkKind, UnknownUsers};
use super::{CHUNK, MAX_NAMED, Source, Unit, progress, say_of_line};
use crate::directory::parse_domains;
use crate::policy::address::Domain;
use crate::store::{Actor, ImportAlias, ImportReport, ImportUser, Organisation, Reaches, Store, StoreError, Ticket};

/// Largest file of aliases, in bytes: it is read whole, since a line may name any other.
const MAX_FILE: u64 = 256 << 20;

/// What is wanted of an import.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// How the file is written.
    pub syntax: Syntax,
    /// The organisation that the file is for, by name.
    pub organisation: Option<&'a str>,
    /// The domain of names that stand without one.
    pub domain: Option<&'a str>,
    /// What separates a detail in an address.
    pub delimiter: Option<char>,
    /// What becomes of addresses that lead to nobody known.
    pub unknown_users: UnknownUsers,
    /// Whether anything is changed.
    pub mode: Mode,
}

/// Whether an import changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It does.
    Apply,
    /// It says what it would do.
    DryRun,
}

/// Imports a file of aliases. Exit code 1 where a line was refused.
///
/// # Errors
/// A file that cannot be read, an organisation that is not there, a domain that has to be named; the store's state.
pub fn import(store: &dyn Store, source: Source, wanted: &Wanted<'_>) -> anyhow::Result<ExitCode> {
    let path = source.path.display().to_string();
    let organisations = store.organisations()?;
    let only = wanted.organisation.map(|name| store.organisation(name)).transpose()?;
    let domain = domain(wanted, &organisations, only.as_ref())?;
    let bytes = read(source).with_context(|| path.clone())?;
    let file = AliasFile::parse(&bytes, wanted.syntax, domain.as_ref());
    let progress = progress(Unit::Lines, Some(file.aliases.len() as u64));
    let only = only.map(|organisation| organisation.id);
    let planner = Planner::new(store, wanted.delimiter, &organisations, only, wanted.unknown_users)?;
    let mut plan = planner.plan(&file, &progress)?;
    let done = match wanted.mode {
        Mode::Apply => apply(store, &mut plan).with_context(|| path)?,
        Mode::DryRun => Done::would(&plan),
    };
    progress.finish_and_clear();
    report(plan, &done, wanted.mode)
}

/// The domain of names without one. It is not guessed where an organisation has several.
fn domain(
    wanted: &Wanted<'_>,
    organisations: &[Organisation],
    only: Option<&Organisation>,
) -> anyhow::Result<Option<Domain>> {
    if let Some(text) = wanted.domain {
        return Ok(parse_domains([text]).map_err(anyhow::Error::msg)?.pop());
    }
    let organisation = match (only, organisations) {
        (Some(only), _) => Some(only),
        (None, [alone]) => Some(alone),
        (None, _) => None,
    };
    if let Some(Organisation { domains, .. }) = organisation
        && let [domain] = &domains[..]
    {
        return Ok(Some(domain.clone()));
    }
    if wanted.syntax == Syntax::Aliases {
        let which = organisation.map_or("--org NAME or --domain DOMAIN".to_owned(), |organisation| {
            let domains: Vec<&str> = organisation.domains.iter().map(|domain| domain.as_str()).collect();
            format!("--domain, one of {}", domains.join(", "))
        });
        bail!("the names of aliases(5) have no domain; say whose they are with {which}");
    }
    Ok(None)
}

fn read(source: Source) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.into_input().take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        bail!("larger than {} MiB; import it in parts, with what leads to one another in one part", MAX_FILE >> 20);
    }
    Ok(bytes)
}

/// What was carried out, or would be.
#[derive(Debug, PartialEq, Eq)]
struct Done {
    users: u64,
    aliases: u64,
    shared: u64,
}

impl Done {
    const NOTHING: Self = Self { users: 0, aliases: 0, shared: 0 };

    fn would(plan: &Plan) -> Self {
        let [users, aliases, shared] = [plan.users.len(), plan.aliases.len(), plan.shared.len()].map(|n| n as u64);
        Self { users, aliases, shared }
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { users, aliases, shared } = self;
        write!(f, "{users} users added, {aliases} aliases added, {shared} addresses noted as shared")
    }
}

/// Carries a plan out. Shared addresses come first: none is to be its user's alone meanwhile.
fn apply(store: &dyn Store, plan: &mut Plan) -> anyhow::Result<Done> {
    let actor = Actor::Import { name: administrator() };
    let mut refused = Vec::new();
    let done = Done {
        shared: in_chunks(&plan.shared, &mut refused, |chunk| store.import_aliases(&actor, chunk))?,
        users: in_chunks(&plan.users, &mut refused, |chunk| store.import_users(&actor, chunk))?,
        aliases: in_chunks(&plan.aliases, &mut refused, |chunk| store.import_aliases(&actor, chunk))?,
    };
    refused.into_iter().for_each(|(line, reason)| plan.remark(line, RemarkKind::Refused, reason));
    Ok(done)
}

/// How many lines the store took.
fn in_chunks<L: Clone>(
    lines: &[L],
    refused: &mut Vec<(u64, StoreError)>,
    hand_over: impl Fn(Vec<L>) -> Result<Ticket<ImportReport>, StoreError>,
) -> anyhow::Result<u64> {
    let mut accepted = 0;
    for chunk in lines.chunks(CHUNK) {
        let report = hand_over(chunk.to_vec())?.wait().context("import the file again: what is done already stays")?;
        accepted += report.accepted;
        refused.extend(report.refused);
    }
    Ok(accepted)
}

fn report(mut plan: Plan, done: &Done, mode: Mode) -> anyhow::Result<ExitCode> {
    plan.remarks.sort_by_key(|remark| remark.line);
    let count = |kind| plan.remarks.iter().filter(|remark| remark.kind == kind).count();
    let (skipped, refused) = (count(RemarkKind::Skipped), count(RemarkKind::Refused));
    for Remark { line, kind, text } in plan.remarks.iter().take(MAX_NAMED) {
        let prefix = match kind {
            RemarkKind::Refused => "",
            RemarkKind::Skipped => "skipped: ",
            RemarkKind::Note => "note: ",
        };
        say_of_line(*line, &format!("{prefix}{text}"));
    }
    if plan.remarks.len() > MAX_NAMED {
        eprintln!("there is something to say of {} more lines", plan.remarks.len() - MAX_NAMED);
    }
    plan.groups.iter().try_for_each(|group| say!("{group}"))?;
    let what = match mode {
        Mode::Apply if *done == Done::NOTHING => "nothing changed".to_owned(),
        Mode::Apply => done.to_string(),
        Mode::DryRun => {
            say_changes(&plan)?;
            format!("dry run, nothing is changed; otherwise: {done}")
        }
    };
    say!("{what}; {} lines unchanged, {skipped} skipped, {refused} refused", plan.unchanged)?;
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a dry run would change, besides the shared addresses.
fn say_changes(plan: &Plan) -> io::Result<()> {
    for ImportUser { user, .. } in &plan.users {
        say!("{}: a user to be added", user.address.as_str())?;
        for alias in &user.aliases {
            say!("{}: an alias of {} to be added", alias.as_str(), user.address.as_str())?;
        }
    }
    for ImportAlias { address, reaches, .. } in &plan.aliases {
        if let Reaches::User(user) = reaches {
            say!("{}: an alias of {} to be added", address.as_str(), user.as_str())?;
        }
    }
    Ok(())
}
