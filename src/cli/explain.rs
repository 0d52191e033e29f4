//! `explain`: what a message becomes for each recipient, and why.
//!
//! On users of the store the answer is masked, since it would tell what stands on their lists; on lists given in a file it
//! is whole, and that is how one debugs.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde_json::json;

use super::lists::{self, ListsFile};
use super::{ConfigOption, policy_of, print_json, printable};
use crate::app::open_store;
use crate::directory::Defaults;
use crate::explain::{Explained, by_another, envelope_sender, explain, explain_copies, shared_address, unproven_text};
use crate::language::Language;
use crate::policy::action::SplitMode;
use crate::policy::address::Address;
use crate::policy::decide::Outcome;
use crate::policy::list::UserOptions;
use crate::policy::organisation::Proof;
use crate::policy::plan::{Direction, mailbox_candidates};
use crate::store::{Organisation, SealAccess, Store, StoreError, User, system_clock};

/// Largest message read, in bytes.
const MAX_MESSAGE: u64 = 256 << 20;

/// `explain …`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigOption,
    /// The envelope sender, empty for the null sender; left out, that of Return-Path or From
    #[arg(long, value_name = "ADDR")]
    from: Option<String>,
    /// A recipient, or several
    #[arg(long = "rcpt", required = true, num_args = 1.., value_name = "ADDR")]
    recipients: Vec<String>,
    /// Take organisation and lists from this file instead of the store
    #[arg(long, value_name = "FILE.toml")]
    lists: Option<PathBuf>,
    /// The address that the message was sent to, where Postfix led it to each --rcpt by an alias (ORCPT)
    #[arg(long, value_name = "ADDR")]
    orcpt: Option<String>,
    /// The message is one that a user of ours sends
    #[arg(long)]
    outbound: bool,
    /// For programs
    #[arg(long)]
    json: bool,
    /// The message; - for standard input
    #[arg(value_name = "FILE.eml")]
    message: Option<PathBuf>,
}

impl Args {
    /// The message. Behind `--rcpt A B FILE` it was read as one more recipient.
    fn take_message(&mut self) -> anyhow::Result<PathBuf> {
        let last = || if self.recipients.len() > 1 { self.recipients.pop().map(PathBuf::from) } else { None };
        self.message.take().or_else(last).context("which message? give its file, or - for standard input")
    }
}

/// Runs the command.
///
/// # Errors
/// A file that cannot be read, lists that make no sense.
pub fn run(mut args: Args) -> anyhow::Result<ExitCode> {
    let raw = read(&args.take_message()?)?;
    let args = &args;
    let config = args.config.load()?.parsed.config;
    let sender = args.from.clone().unwrap_or_else(|| envelope_sender(&raw));
    let defaults = Defaults::from(&config);
    if args.orcpt.is_some() && defaults.split == SplitMode::Off {
        bail!(
            "--orcpt is told of copies alone, and split.mode is off; give the address that the message was sent to with --rcpt"
        );
    }
    let Some(file) = &args.lists else {
        let store = open_store(&config, &system_clock(), SealAccess::Never)?;
        return masked(&*store, &defaults, args);
    };
    let text = read_text(file)?;
    let file = ListsFile::parse(&text, defaults).with_context(|| file.display().to_string())?;
    let direction = if args.outbound { Direction::Outbound } else { Direction::Inbound };
    for refusal in file.refusals() {
        eprintln!("note: the console would refuse {refusal}");
    }
    let explained = match &args.orcpt {
        Some(original) => explain_copies(&file.directory(), direction, &sender, &args.recipients, original, &raw),
        None => explain(&file.directory(), direction, &sender, &args.recipients, &raw),
    };
    if args.json {
        print_json(&explained.iter().map(to_json).collect())?;
    } else {
        let language = Language::of_environment();
        explained.iter().try_for_each(|one| print(one, language))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(File::open(path).with_context(|| path.display().to_string())?)
    };
    input.take(MAX_MESSAGE + 1).read_to_end(&mut bytes).with_context(|| path.display().to_string())?;
    if bytes.len() as u64 > MAX_MESSAGE {
        bail!("{}: larger than {} MiB; the headers are enough", path.display(), MAX_MESSAGE >> 20);
    }
    Ok(bytes)
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let file = File::open(path).with_context(|| path.display().to_string())?;
    file.take(lists::MAX_FILE + 1).read_to_string(&mut text).with_context(|| path.display().to_string())?;
    if text.len() as u64 > lists::MAX_FILE {
        bail!("{}: larger than {} MiB", path.display(), lists::MAX_FILE >> 20);
    }
    Ok(text)
}

fn to_json(one: &Explained) -> serde_json::Value {
    json!({
        "rcpt": one.recipient,
        "user": one.is_user,
        "verdict": one.verdict_name(),
        "reason": { "en": one.reason(Language::English), "fr": one.reason(Language::French) },
        "result": one.result,
        "headers_left_out": one.headers_left_out,
        "subject": one.subject,
    })
}

fn print(one: &Explained, language: Language) -> std::io::Result<()> {
    say!("{}", one.recipient)?;
    say!("  verdict  {}", one.verdict_name())?;
    say!("  reason   {}", one.reason(language))?;
    say!("  result   {}", one.result)?;
    if let Some(subject) = &one.subject {
        say!("  subject  {}", printable(subject))?;
    }
    Ok(())
}

/// Whom an address reaches, as far as it is no secret.
enum Reached {
    User(User),
    /// A user, by somebody else's address.
    ByAnother,
    Several,
    Nobody,
}

/// One recipient, and which folders they would use if these were proven.
struct Row<'a> {
    recipient: &'a str,
    reached: Reached,
    unproven: Vec<String>,
}

/// Says of each recipient what is no secret: whether they are a user, whether the address is shared, and which folders they
/// would use if these were proven. It reads no list, so it cannot tell of one.
fn masked(store: &dyn Store, defaults: &Defaults, args: &Args) -> anyhow::Result<ExitCode> {
    let organisations = store.organisations()?;
    let mut rows = Vec::new();
    for recipient in &args.recipients {
        let reached = match (reached(store, defaults, recipient)?, &args.orcpt) {
            (Reached::User(user), Some(original)) if !is_own(store, defaults, &user, original)? => Reached::ByAnother,
            (reached, _) => reached,
        };
        let unproven = match &reached {
            Reached::User(user) => {
                let organisation = organisations.iter().find(|one| one.id == user.organisation);
                organisation.map(|one| unproven(defaults, one, user.options)).unwrap_or_default()
            }
            Reached::ByAnother | Reached::Several | Reached::Nobody => Vec::new(),
        };
        rows.push(Row { recipient, reached, unproven });
    }
    if args.json {
        print_json(&rows.iter().map(masked_json).collect())?;
        return Ok(ExitCode::SUCCESS);
    }
    let language = Language::of_environment();
    for Row { recipient, reached, unproven } in rows {
        say!("{recipient}")?;
        match reached {
            Reached::User(_) => {
                say!("  verdict  masked: what becomes of the message depends on lists that only this user may see")?;
                say!("  remedy   the user asks in the console; to try rules out, give lists with --lists FILE.toml")?;
            }
            Reached::Several => untouched(shared_address(language))?,
            Reached::ByAnother => untouched(by_another(language))?,
            Reached::Nobody => {
                say!("  verdict  none: not a user")?;
                say!("  result   delivered")?;
            }
        }
        unproven.iter().try_for_each(|folder| say!("  note     {}", unproven_text(folder, language)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn untouched(reason: &str) -> std::io::Result<()> {
    say!("  verdict  none")?;
    say!("  reason   {reason}")?;
    say!("  result   delivered")
}

/// Whether an address, as the sender wrote it, is one of a user's own.
fn is_own(store: &dyn Store, defaults: &Defaults, user: &User, path: &str) -> Result<bool, StoreError> {
    Ok(matches!(reached(store, defaults, path)?, Reached::User(found) if found.id == user.id))
}

/// Whom a path reaches, by the first form of it that is known. A user's own address that others have too is decided once
/// Postfix has split the message, if it does.
fn reached(store: &dyn Store, defaults: &Defaults, path: &str) -> Result<Reached, StoreError> {
    let Some(address) = Address::from_path(path.as_bytes()) else { return Ok(Reached::Nobody) };
    for address in mailbox_candidates(address, defaults.delimiter) {
        let is_shared = store.shared_in(&address)?.is_some();
        match store.user_id(&address) {
            Ok(id) if !is_shared || defaults.split != SplitMode::Off => return store.user(id).map(Reached::User),
            Ok(_) => return Ok(Reached::Several),
            Err(StoreError::UnknownUser(_)) if is_shared => return Ok(Reached::Several),
            Err(StoreError::UnknownUser(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Reached::Nobody)
}

fn masked_json(row: &Row<'_>) -> serde_json::Value {
    let Row { recipient, reached, unproven } = row;
    let is_user = matches!(reached, Reached::User(_) | Reached::ByAnother);
    let is_masked = matches!(reached, Reached::User(_));
    let (verdict, result) = if is_masked { ("masked", "masked") } else { ("none", "delivered") };
    let mut told = json!({
        "rcpt": recipient, "user": is_user, "verdict": verdict, "result": result, "unproven_folders": unproven,
    });
    let reason: Option<fn(Language) -> &'static str> = match reached {
        Reached::Several => Some(shared_address),
        Reached::ByAnother => Some(by_another),
        Reached::User(_) | Reached::Nobody => None,
    };
    if let Some(reason) = reason {
        told["reason"] = json!({ "en": reason(Language::English), "fr": reason(Language::French) });
    }
    told
}

/// The folders that a user's choices, or those of the organisation in their place, ask for in vain.
fn unproven(defaults: &Defaults, organisation: &Organisation, options: UserOptions) -> Vec<String> {
    let policy = policy_of(defaults, organisation);
    let personal = policy.personal.actions_for(options.personal_actions);
    let outcomes = [
        Outcome::Deliver { personal, clear_spam: false },
        Outcome::Blocked(options.black_action.unwrap_or(policy.black.action)),
    ];
    let asked_for = outcomes.into_iter().filter_map(|outcome| policy.folder_for(outcome));
    asked_for.filter(|(_, proof)| *proof == Proof::Unproven).map(|(folder, _)| folder.to_owned()).collect()
}
