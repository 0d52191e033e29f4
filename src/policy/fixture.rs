//! An organisation and users for the tests of the policy.

use super::address::Domain;
use super::list::{EntryValue, FingerprintKey, ListKind, UserLists, UserOptions};
use super::organisation::OrgPolicy;

/// An organisation with the defaults of the product and the domain `org.example`.
pub fn organisation() -> OrgPolicy {
    OrgPolicy::new(1, vec![Domain::parse("org.example").expect("valid")])
}

/// A user of that organisation with these entries and no options.
pub fn user(id: u64, entries: &[(ListKind, &str)]) -> UserLists {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&id.to_le_bytes());
    let key = FingerprintKey::from_bytes(bytes);
    let compiled = entries.iter().map(|(list, text)| {
        let value: EntryValue = text.parse().expect("valid");
        (*list, value.scope(), key.of(&value))
    });
    UserLists::build(id, 1, &key, UserOptions::default(), compiled)
}
