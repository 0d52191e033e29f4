//! Domains that say shorter, or more lastingly, what addresses say.

use std::collections::{BTreeMap, HashSet};

use crate::policy::list::{EntryValue, ListKind};
use crate::policy::refusal::{EntryRules, Refusal, check};

/// So many addresses of one domain ask for the domain.
pub const MANY: usize = 5;

/// A domain that is offered.
#[derive(Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The domain as an entry.
    pub value: EntryValue,
    /// Why it is offered.
    pub why: Why,
}

impl std::fmt::Debug for Suggestion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Suggestion(hidden, {:?})", self.why)
    }
}

/// Why a domain is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// So many of its addresses were given.
    Many(usize),
    /// An address of it is made anew for each message, so that it will not come again.
    Changing,
}

/// The domains to offer for these entries, where the policy would take them on this list.
pub fn suggest<'a>(
    values: impl IntoIterator<Item = &'a EntryValue>,
    list: ListKind,
    rules: &EntryRules<'_>,
) -> Vec<Suggestion> {
    let (mut domains, mut whole) = (BTreeMap::new(), HashSet::new());
    for value in values {
        match value {
            EntryValue::Address(address) => {
                let (count, changing) = domains.entry(address.domain()).or_insert((0, false));
                *count += 1;
                *changing |= is_changing(address.local());
            }
            other => {
                whole.insert(other);
            }
        }
    }
    let offered = domains.into_iter().filter_map(|(domain, (count, changing))| {
        let why = match changing {
            true => Why::Changing,
            false if count >= MANY => Why::Many(count),
            false => return None,
        };
        let value: EntryValue = domain.parse().ok()?;
        // Anybody's domain is no shorter word for some of its people, also where it may be blocked.
        let is_anybodys = check(ListKind::White, &value, &EntryRules::default()) == Err(Refusal::Freemail);
        let is_taken = whole.contains(&value) || is_anybodys || check(list, &value, rules).is_err();
        (!is_taken).then_some(Suggestion { value, why })
    });
    offered.collect()
}

/// Whether a local part looks made for one message: bounce addresses, VERP (the recipient within), long numbers or hashes.
pub fn is_changing(local: &str) -> bool {
    let begins = ["bounce", "bounces", "return", "retour", "msprvs1", "prvs"];
    let mut parts = local.split(['+', '-', '=', '_', '.']);
    let first = parts.next().unwrap_or_default();
    let has_more = parts.next().is_some();
    if has_more && begins.contains(&first) || local.contains('=') {
        return true;
    }
    local.split(['+', '-', '=', '_', '.']).any(|part| {
        let digits = part.bytes().filter(u8::is_ascii_digit).count();
        let is_hash = part.len() >= 16 && part.bytes().all(|byte| byte.is_ascii_hexdigit()) && digits >= 4;
        is_hash || (part.len() >= 20 && digits >= 6)
    })
}
