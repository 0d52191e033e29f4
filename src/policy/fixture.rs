//! An organisation and users for the tests of the policy.

use super::action::{BlackAction, LateAction, PersonalActions};
use super::address::Domain;
use super::list::{EntryValue, FingerprintKey, ListKind, UserLists, UserOptions};
use super::organisation::{BlackPolicy, OrgLists, OrgPolicy, PersonalPolicy, WhitePolicy};
use super::subject::Tag;

/// An organisation with the defaults of the product and the domain `org.example`.
pub fn organisation() -> OrgPolicy {
    OrgPolicy {
        id: 1,
        domains: vec![Domain::parse("org.example").expect("valid")],
        protected_senders: Vec::new(),
        personal: PersonalPolicy {
            actions: PersonalActions::TAG,
            tag: Tag::new("[PERSO]").expect("valid"),
            folder: "Perso".to_owned(),
            sensitivity: false,
        },
        black: BlackPolicy {
            action: BlackAction::Reject,
            late_action: LateAction::Discard,
            junk_folder: "Junk".to_owned(),
            reject_text: "Message refused by its recipient".to_owned(),
        },
        white: WhitePolicy {
            spam_headers: vec!["X-Spam-Flag".to_owned()],
            spam_prefixes: vec!["***SPAM***".to_owned()],
        },
        enforced: OrgLists::empty(),
        defaults: OrgLists::empty(),
    }
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
