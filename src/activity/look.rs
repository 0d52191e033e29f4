//! Questions to a user's own past: how many messages an entry would have matched, and when an entry last matched. The answers
//! come from the same comparison as verdicts do.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::policy::address::Domain;
use crate::policy::decide::{Lists, Message, matching};
use crate::policy::identity::Sender;
use crate::policy::list::{EntryValue, FingerprintKey, Globs, ListKind, Scope, UserLists, UserOptions};
use crate::policy::organisation::OrgPolicy;
use crate::store::{Activity, History};

/// How far back "how many" looks.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(30 * 24);

/// An entry that might be added.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// To which list.
    pub list: ListKind,
    /// What it says.
    pub value: &'a EntryValue,
}

/// How many messages a candidate would have matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looked {
    /// That many of them it would have matched.
    pub matched: usize,
    /// Messages since then.
    pub messages: usize,
    /// The oldest message that was looked at.
    pub since: Timestamp,
    /// Rows are missing, so that there may have been more.
    pub is_incomplete: bool,
}

/// How many of a user's messages of the last 30 days an entry would have matched, under the policy of their organisation and
/// with `forwarders` as the configuration names them. `None` where there is no message to ask: that is not zero.
pub fn look(
    organisation: &OrgPolicy,
    forwarders: &[Domain],
    history: &History,
    candidate: Candidate<'_>,
    now: Timestamp,
) -> Option<Looked> {
    let oldest = now - LOOK_BACK;
    let recent = history.rows.iter().filter_map(|row| row.activity.as_ref()).filter(|activity| activity.at >= oldest);
    let recent: Vec<&Activity> = recent.collect();
    let since = recent.last()?.at;
    let alone = Alone::new(organisation.id, candidate);
    let matched = recent.iter().filter(|activity| alone.matches(organisation, forwarders, activity)).count();
    let is_unreadable = history.rows.iter().any(|row| row.activity.is_none());
    let is_cut = recent.iter().any(|activity| activity.senders_cut);
    let is_incomplete = is_unreadable || is_cut || history.is_incomplete_since(oldest);
    Some(Looked { matched, messages: recent.len(), since, is_incomplete })
}

/// Lists that hold one entry.
struct Alone {
    list: ListKind,
    lists: UserLists,
    globs: Option<Globs>,
}

impl Alone {
    fn new(organisation: u32, Candidate { list, value }: Candidate<'_>) -> Self {
        // Nobody sees these fingerprints, so the key is of no matter.
        let key = FingerprintKey::from_bytes([0; 16]);
        let globs = match value {
            EntryValue::Glob(pattern) => Globs::build([(list, &**pattern)]).ok(),
            _ => None,
        };
        let entry = [(list, value.scope(), key.of(value))];
        Self { list, lists: UserLists::build(0, organisation, &key, UserOptions::default(), entry), globs }
    }

    fn matches(&self, organisation: &OrgPolicy, forwarders: &[Domain], activity: &Activity) -> bool {
        let (envelope, header) = senders(activity, forwarders);
        let message = Message { envelope: envelope.as_ref(), header: header.as_ref(), proof: &activity.proof };
        let lists = Lists { compiled: &self.lists, globs: self.globs.as_ref() };
        matching(organisation, lists, self.list, &message).is_some()
    }
}

/// The senders of a message of the past, as a verdict compares them.
pub fn senders(activity: &Activity, forwarders: &[Domain]) -> (Option<Sender>, Option<Sender>) {
    let envelope = activity.envelope.clone().map(|address| Sender::envelope(address, forwarders));
    (envelope, activity.header.clone().map(Sender::header))
}

/// When each of these entries last matched a message, in their order; `None` for one that matched none of those kept.
pub fn last_matches(
    forwarders: &[Domain],
    history: &History,
    entries: &[(ListKind, &EntryValue)],
) -> Vec<Option<Timestamp>> {
    let mut exact: HashMap<(ListKind, Scope, String), Timestamp> = HashMap::new();
    let mut whole: Vec<(String, Timestamp, [bool; 3])> = Vec::new();
    // Newest first: the first match found is the last that was.
    for activity in history.rows.iter().filter_map(|row| row.activity.as_ref()) {
        let (envelope, header) = senders(activity, forwarders);
        let proven = [activity.proof.envelope.counts(), activity.proof.header.counts()];
        for (sender, is_proven) in [envelope, header].iter().zip(proven) {
            let Some(sender) = sender else { continue };
            let counts = |list, black_only: bool| list == ListKind::Black || (is_proven && !black_only);
            for candidate in sender.candidates() {
                for list in ListKind::ALL.into_iter().filter(|list| counts(*list, candidate.black_only)) {
                    exact.entry((list, candidate.scope, candidate.text.to_owned())).or_insert(activity.at);
                }
            }
            let addresses = sender.whole_addresses().map(|(address, black_only)| {
                (address.as_str().to_owned(), activity.at, ListKind::ALL.map(|list| counts(list, black_only)))
            });
            whole.extend(addresses);
        }
    }
    let last = |&(list, value): &(ListKind, &EntryValue)| match value {
        EntryValue::Glob(pattern) => {
            let globs = Globs::build([(list, &**pattern)]).ok()?;
            let found = whole.iter().find(|(text, _, counts)| counts[list as usize] && globs.matches(list, text));
            found.map(|(_, at, _)| *at)
        }
        _ => exact.get(&(list, value.scope(), value.text().to_owned())).copied(),
    };
    entries.iter().map(last).collect()
}
