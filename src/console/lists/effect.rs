//! What passes before an entry of a user's own lists, so that it has no effect: asked of the comparison that decides about
//! messages. The user's patterns are not looked at.

use std::sync::Arc;

use crate::console::failure::Failure;
use crate::console::page::Notice;
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::directory::policy;
use crate::policy::action::PersonalActions;
use crate::policy::address::{Address, Domain};
use crate::policy::authres::{Authentication, Method};
use crate::policy::decide::{Known, Level, Lists, Match, Message, Reason, decide};
use crate::policy::identity::{Candidate, Sender};
use crate::policy::list::{EntryValue, FingerprintKey, ListKind, Scope, UserLists, UserOptions};
use crate::policy::organisation::OrgPolicy;
use crate::store::{OwnEntry, StoreError};

/// Why an entry has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ineffective {
    /// The user blocks this, and blocking wins.
    Blocked(EntryValue),
    /// The user accepts this, and accepting wins.
    Accepted(EntryValue),
    /// The organisation's own lists pass before it.
    Organisation,
    /// Personal messages are not marked at all.
    Unmarked,
}

impl Ineffective {
    /// The key of what is said of it, and what the words name.
    pub fn words(&self) -> (&'static str, Option<String>) {
        match self {
            Self::Blocked(by) => ("lists-hindrance-blocked", Some(by.written())),
            Self::Accepted(by) => ("lists-hindrance-accepted", Some(by.written())),
            Self::Organisation => ("lists-hindrance-enforced", None),
            Self::Unmarked => ("lists-hindrance-unmarked", None),
        }
    }
}

/// Why an entry that stands on a list of the user has no effect, if it has none; nothing is known of a pattern. Blocks.
///
/// # Errors
/// As of the store, for whoever may read the lists.
pub fn ineffective(
    console: &Console,
    signed_in: &SignedIn,
    list: ListKind,
    value: &EntryValue,
) -> Result<Option<Ineffective>, StoreError> {
    let Some(sender) = someone(value) else { return Ok(None) };
    let is_meant = |scope| scope != Scope::Address || matches!(value, EntryValue::Address(_));
    let covering: Vec<EntryValue> =
        sender.candidates().filter(|candidate| is_meant(candidate.scope)).filter_map(|one| entry_of(&one)).collect();
    let standing = console.store.standing(signed_in.id(), &covering, &signed_in.permission())?;
    let mut own = console.store.own_lists(signed_in.organisation.id)?;
    own.retain(|entry| is_meant(entry.value.scope()));
    Ok(judge(signed_in, &policy_with(console, signed_in, &own), list, &sender, &standing))
}

/// What is said of an entry that was just put on a list, and why it has no effect if it has none. A session that may not
/// read the lists is not told.
///
/// # Errors
/// As of the store.
pub async fn with_effect(
    console: &Arc<Console>,
    signed_in: &SignedIn,
    list: ListKind,
    value: EntryValue,
    notice: Notice,
) -> Result<Notice, Failure> {
    let asker = signed_in.clone();
    let found = console.blocking(move |console| match ineffective(console, &asker, list, &value) {
        Err(StoreError::UserLocked) => Ok(None),
        found => found,
    });
    let Some(ineffective) = found.await? else { return Ok(notice) };
    let (key, by) = ineffective.words();
    Ok(notice.and(key).with("by", by.unwrap_or_default()))
}

/// The organisation's policy with its own lists.
fn policy_with(console: &Console, signed_in: &SignedIn, own: &[OwnEntry]) -> OrgPolicy {
    policy(&console.defaults(), &signed_in.organisation, own, &nobodys())
}

/// Nobody sees the fingerprints that are compared here, so the key is of no matter.
fn nobodys() -> FingerprintKey {
    FingerprintKey::from_bytes([0; 16])
}

/// A sender to whom an entry applies, and of whom no address stands anywhere if the entry is a domain.
fn someone(value: &EntryValue) -> Option<Sender> {
    let address = match value {
        EntryValue::Address(address) => Some(address.clone()),
        EntryValue::Domain(domain) => Address::parse(&format!("x@{}", domain.as_str())).ok(),
        EntryValue::Subdomains(domain) => Address::parse(&format!("x@x.{}", domain.as_str())).ok(),
        EntryValue::Glob(_) => None,
    };
    address.map(Sender::header)
}

fn entry_of(candidate: &Candidate<'_>) -> Option<EntryValue> {
    match candidate.scope {
        Scope::Address => Address::parse(candidate.text).ok().map(EntryValue::Address),
        Scope::Domain => Domain::parse(candidate.text).ok().map(EntryValue::Domain),
        Scope::Subdomains => Domain::parse(candidate.text).ok().map(EntryValue::Subdomains),
        Scope::Glob => None,
    }
}

fn judge(
    signed_in: &SignedIn,
    organisation: &OrgPolicy,
    list: ListKind,
    sender: &Sender,
    standing: &[(ListKind, EntryValue)],
) -> Option<Ineffective> {
    // That the lists are paused is said apart.
    let options = UserOptions { paused: false, ..signed_in.user.options };
    let key = nobodys();
    let entries = standing.iter().map(|(list, value)| (*list, value.scope(), key.of(value)));
    let compiled = UserLists::build(0, organisation.id, &key, options, entries);
    let proven = Authentication::Passed(Method::Dmarc);
    let message = Message { envelope: None, header: Some(sender), proof: &Known { envelope: proven, header: proven } };
    let Reason { sender: decided, personal, .. } =
        decide(organisation, Lists { compiled: &compiled, globs: None }, &message).reason;
    let winner = match list {
        ListKind::Personal if personal.is_some() => {
            let actions = organisation.personal.actions_for(options.personal_actions);
            return (actions == PersonalActions::NONE).then_some(Ineffective::Unmarked);
        }
        ListKind::Personal => decided,
        ListKind::Black | ListKind::White => decided.filter(|winner| winner.list != list),
    }?;
    if winner.level != Level::User {
        return Some(Ineffective::Organisation);
    }
    let by = written_as(&winner, sender)?;
    Some(if winner.list == ListKind::Black { Ineffective::Blocked(by) } else { Ineffective::Accepted(by) })
}

/// The entry that decided.
fn written_as(winner: &Match, sender: &Sender) -> Option<EntryValue> {
    let is_it = |one: &Candidate<'_>| one.scope == winner.scope && one.rank == winner.rank;
    sender.candidates().find(is_it).and_then(|one| entry_of(&one))
}
