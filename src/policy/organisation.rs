//! What one organisation decided for all its users.

use std::sync::Arc;

use super::action::{BlackAction, LateAction, OutboundAction, PersonalActions};
use super::address::{Address, Domain, is_within};
use super::decide::{Lists, Outcome};
use super::list::{EntryValue, FingerprintKey, Globs, ListKind, UserLists, UserOptions};
use super::subject::Tag;
use super::text::{FolderName, HeaderName, ReplyText};

/// Whether the mail store is known to file into a folder that a recipient's address names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A probe message was found there; or no mail store stands behind the lists, as for those of a file.
    Proven,
    /// Nobody has seen it: mail for the folder might be refused, or lie elsewhere. It stays where it is addressed to.
    Unproven,
}

/// How personal messages are marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalPolicy {
    /// What is done, where the user chose nothing else.
    pub actions: PersonalActions,
    /// What users may choose instead.
    pub choices: PersonalActions,
    /// The text before the Subject.
    pub tag: Tag,
    /// The folder, as it stands after the recipient delimiter.
    pub folder: String,
    /// Whether anything is filed there.
    pub folder_proof: Proof,
    /// `Sensitivity: Personal` (RFC 2156, 5.3.4) is added beside the mark.
    pub sensitivity: bool,
    /// What is done with what its users send to people on their personal lists.
    pub outbound: OutboundAction,
}

/// What is done with messages from blocked senders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlackPolicy {
    /// What is done, where the user chose nothing else.
    pub action: BlackAction,
    /// What is done where `action` would reach other recipients too.
    pub late_action: LateAction,
    /// The junk folder, as it stands after the recipient delimiter.
    pub junk_folder: String,
    /// Whether anything is filed there.
    pub junk_proof: Proof,
    /// What a rejected sender is told, after the code.
    pub reject_text: String,
}

/// Which marks of an earlier filter a white entry takes off. A virus mark is none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhitePolicy {
    /// Header names, in any case.
    pub spam_headers: Vec<String>,
    /// Texts at the front of the Subject.
    pub spam_prefixes: Vec<String>,
}

/// One organisation's policy, complete and immutable.
#[derive(Debug, Clone)]
pub struct OrgPolicy {
    /// Its number in the store.
    pub id: u32,
    /// Its own domains: their senders cannot be blocked by a user.
    pub domains: Vec<Domain>,
    /// Further senders that cannot be blocked by a user: the console's address.
    pub protected_senders: Vec<Address>,
    /// How personal messages are marked.
    pub personal: PersonalPolicy,
    /// What is done with messages from blocked senders.
    pub black: BlackPolicy,
    /// Which spam marks are taken off.
    pub white: WhitePolicy,
    /// White and black entries above its users' lists.
    pub enforced: OrgLists,
    /// White and black entries below its users' lists.
    pub defaults: OrgLists,
}

/// What the product does where nothing else is said.
impl Default for PersonalPolicy {
    fn default() -> Self {
        Self {
            actions: PersonalActions::TAG,
            choices: PersonalActions::ALL,
            // A text of seven visible characters is a tag.
            tag: Tag::new("[PERSO]").expect("a valid literal"),
            folder: FolderName::perso().to_string(),
            folder_proof: Proof::Proven,
            sensitivity: false,
            outbound: OutboundAction::Off,
        }
    }
}

/// See [`PersonalPolicy`]'s `Default`.
impl Default for BlackPolicy {
    fn default() -> Self {
        Self {
            action: BlackAction::default(),
            late_action: LateAction::default(),
            junk_folder: FolderName::junk().to_string(),
            junk_proof: Proof::Proven,
            reject_text: ReplyText::default().to_string(),
        }
    }
}

/// See [`PersonalPolicy`]'s `Default`.
impl Default for WhitePolicy {
    fn default() -> Self {
        Self {
            spam_headers: HeaderName::spam_marks().iter().map(ToString::to_string).collect(),
            spam_prefixes: vec!["***SPAM***".to_owned()],
        }
    }
}

impl OrgPolicy {
    /// An organisation that sets nothing and has no lists of its own.
    pub fn new(id: u32, domains: Vec<Domain>) -> Self {
        Self {
            id,
            domains,
            protected_senders: Vec::new(),
            personal: PersonalPolicy::default(),
            black: BlackPolicy::default(),
            white: WhitePolicy::default(),
            enforced: OrgLists::empty(),
            defaults: OrgLists::empty(),
        }
    }

    /// Whether a user may not block this sender.
    pub fn is_protected(&self, sender: &Address) -> bool {
        let own = |own: &Domain| is_within(sender.domain(), own.as_str());
        self.domains.iter().any(own) || self.protected_senders.contains(sender)
    }
}

/// What asks for a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FolderChoice {
    /// The organisation's actions for personal messages.
    PersonalActions,
    /// Those that a user chose.
    UsersPersonalActions,
    /// The organisation's action for blocked messages.
    BlackAction,
    /// That of a user.
    UsersBlackAction,
    /// The organisation's action for blocked messages that can no longer be refused.
    LateAction,
}

impl PersonalPolicy {
    /// What is done for a user who chose this. A choice of which nothing is allowed any more is none; that nothing be done
    /// is a choice of its own, which is allowed.
    pub fn actions_for(&self, chosen: Option<PersonalActions>) -> PersonalActions {
        match chosen {
            Some(PersonalActions::NONE) => PersonalActions::NONE,
            Some(chosen) if chosen & self.choices != PersonalActions::NONE => chosen & self.choices,
            Some(_) | None => self.actions,
        }
    }
}

impl OrgPolicy {
    /// The folder that an outcome asks for, if it does. What is to be held is filed as junk where it cannot be held for one
    /// recipient alone: who asks to hold wants to look at it later.
    pub fn folder_for(&self, outcome: Outcome) -> Option<(&str, Proof)> {
        let is_junk = |action| match action {
            BlackAction::Junk | BlackAction::Hold => true,
            BlackAction::Reject => self.black.late_action == LateAction::Junk,
            BlackAction::Discard => false,
        };
        match outcome {
            Outcome::Deliver { personal, .. } if personal.contains(PersonalActions::FOLDER) => {
                Some((&self.personal.folder, self.personal.folder_proof))
            }
            Outcome::Blocked(action) if is_junk(action) => Some((&self.black.junk_folder, self.black.junk_proof)),
            Outcome::Deliver { .. } | Outcome::Blocked(_) => None,
        }
    }

    /// Every folder that is asked for and not proven, with what asks for it. `users` are what users chose.
    pub fn unproven(&self, users: &[UserOptions]) -> Vec<(FolderChoice, &str)> {
        let files = |actions: PersonalActions| actions.contains(PersonalActions::FOLDER);
        let is_junk = |action| matches!(action, BlackAction::Junk | BlackAction::Hold);
        let chosen = users.iter().map(|user| user.personal_actions).filter(Option::is_some);
        let users_file = chosen.map(|chosen| self.personal.actions_for(chosen)).any(files);
        let users_junk = users.iter().filter_map(|user| user.black_action).any(is_junk);
        let (folder, junk) = (self.personal.folder.as_str(), self.black.junk_folder.as_str());
        let (folder_proof, junk_proof) = (self.personal.folder_proof, self.black.junk_proof);
        let choices = [
            (files(self.personal.actions), FolderChoice::PersonalActions, folder, folder_proof),
            (users_file, FolderChoice::UsersPersonalActions, folder, folder_proof),
            (is_junk(self.black.action), FolderChoice::BlackAction, junk, junk_proof),
            (users_junk, FolderChoice::UsersBlackAction, junk, junk_proof),
            (self.black.late_action == LateAction::Junk, FolderChoice::LateAction, junk, junk_proof),
        ];
        let unproven = choices.into_iter().filter(|(asks, _, _, proof)| *asks && *proof == Proof::Unproven);
        unproven.map(|(_, choice, folder, _)| (choice, folder)).collect()
    }
}

/// The organisation's own lists of one level, in the same form as a user's.
#[derive(Debug, Clone)]
pub struct OrgLists {
    compiled: UserLists,
    globs: Option<Arc<Globs>>,
}

impl OrgLists {
    /// Compiles white and black entries. These lists are no secret of a user; the key only gives them the same form.
    pub fn build(organisation: u32, key: &FingerprintKey, entries: &[(ListKind, EntryValue)]) -> Self {
        let fingerprints = entries.iter().map(|(list, value)| (*list, value.scope(), key.of(value)));
        let patterns = entries.iter().filter_map(|(list, value)| match value {
            EntryValue::Glob(pattern) => Some((*list, &**pattern)),
            _ => None,
        });
        Self {
            compiled: UserLists::build(0, organisation, key, UserOptions::default(), fingerprints),
            globs: Globs::build(patterns).ok().map(Arc::new),
        }
    }

    /// Lists without an entry.
    pub fn empty() -> Self {
        Self::build(0, &FingerprintKey::from_bytes([0; 16]), &[])
    }

    /// As [`super::decide::decide`] reads them.
    pub fn lists(&self) -> Lists<'_> {
        Lists { compiled: &self.compiled, globs: self.globs.as_deref() }
    }
}
