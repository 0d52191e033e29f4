//! Settings of an organisation that do not go together, found before they are set: on the command line and in the console.

use std::fmt;

use crate::directory::{Defaults, policy};
use crate::policy::action::{BlackAction, LateAction, PersonalActions};
use crate::policy::decide::Outcome;
use crate::policy::list::{FingerprintKey, UserOptions};
use crate::policy::organisation::{FolderChoice, OrgPolicy, Proof};
use crate::store::{Actor, Organisation, Store, StoreError};

/// Why settings were not set.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SetError {
    /// They do not go together.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// A key or value that is not possible, or the store's state.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Settings that do not go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The keys that can mend it.
    pub keys: &'static [&'static str],
    /// What is wrong.
    pub kind: ConflictKind,
    /// The key that is wrong, why, and what to do.
    what: String,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Conflict {}

/// What is wrong between settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictKind {
    /// A folder is asked for, and no delimiter is configured.
    Delimiter,
    /// A folder's name holds the delimiter.
    HoldsDelimiter,
    /// The folders of personal and of blocked messages are one.
    SameFolder,
    /// The tag begins as a spam mark that is taken off.
    TagIsSpam,
    /// A folder is asked for, and nobody has seen that the mail store files there.
    Unproven,
}

impl ConflictKind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Delimiter, Self::HoldsDelimiter, Self::SameFolder, Self::TagIsSpam, Self::Unproven];

    /// The name used in keys of texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delimiter => "delimiter",
            Self::HoldsDelimiter => "holds-delimiter",
            Self::SameFolder => "same-folder",
            Self::TagIsSpam => "tag-is-spam",
            Self::Unproven => "unproven",
        }
    }
}

/// Sets settings that fit together. A conflict that was there before is told to whoever sets one of its keys, and to
/// nobody who sets another.
///
/// # Errors
/// A conflict; a key or value that is not possible.
pub fn set(
    defaults: &Defaults,
    store: &dyn Store,
    actor: &Actor,
    organisation: &Organisation,
    settings: &[(String, String)],
) -> Result<(), SetError> {
    let mut wanted = organisation.clone();
    settings.iter().try_for_each(|(key, value)| wanted.settings.set(key, value)).map_err(StoreError::from)?;
    let choices = store.user_choices(organisation.id)?;
    let found = |organisation: &Organisation| {
        let policy = policy_of(defaults, organisation);
        [conflicts(defaults.delimiter, &policy), unproven(organisation, &policy, &choices)].concat()
    };
    let known = found(organisation);
    let is_set = |conflict: &Conflict| settings.iter().any(|(key, _)| conflict.keys.contains(&key.as_str()));
    if let Some(conflict) = found(&wanted).into_iter().find(|found| !known.contains(found) || is_set(found)) {
        return Err(conflict.into());
    }
    store.set_organisation(actor, organisation.id, settings)?;
    Ok(())
}

/// That what a user chooses apart from the organisation can be had: whoever asks for a folder needs one that the mail store
/// is known to file into, since mail for any other stays where it is addressed to.
///
/// # Errors
/// What stands in its way.
pub fn check_choice(defaults: &Defaults, organisation: &Organisation, chosen: Outcome) -> Result<(), Conflict> {
    let keys: &[&str] = match chosen {
        Outcome::Deliver { .. } => &["personal_actions"],
        // Where reject can no longer be had, the organisation's late_action speaks.
        Outcome::Blocked(BlackAction::Reject) => return Ok(()),
        Outcome::Blocked(_) => &["black_action"],
    };
    let policy = policy_of(defaults, organisation);
    let Some((folder, proof)) = policy.folder_for(chosen) else { return Ok(()) };
    let (kind, what) = match (defaults.delimiter, proof) {
        // Holding needs no folder until it cannot be had for one recipient alone.
        (None, _) if chosen == Outcome::Blocked(BlackAction::Hold) => return Ok(()),
        (None, _) => (
            ConflictKind::Delimiter,
            "folder and junk need a delimiter, and recipients.delimiter is empty; set it in the configuration as in the \
             mail store"
                .to_owned(),
        ),
        (_, Proof::Unproven) => (ConflictKind::Unproven, format!("{}: {}", keys[0], not_proven(organisation, folder))),
        (_, Proof::Proven) => return Ok(()),
    };
    Err(Conflict { keys, kind, what })
}

/// An organisation's policy as the daemon goes by it, to look at: without its own lists.
pub fn policy_of(defaults: &Defaults, organisation: &Organisation) -> OrgPolicy {
    policy(defaults, organisation, &[], &FingerprintKey::from_bytes([0; 16]))
}

/// What to do about a folder that is asked for and not proven.
pub fn proof_remedy(organisation: &Organisation, folder: &str) -> String {
    format!("prove it: {}, then perso-milter probe confirm CODE", organisation.probe_command(folder))
}

/// That a folder is not proven, and what to do about it.
pub fn not_proven(organisation: &Organisation, folder: &str) -> String {
    format!("the folder {folder} is not proven; {}", proof_remedy(organisation, folder))
}

/// What the configuration refuses between its own keys, found between an organisation's settings and those that it leaves
/// to the configuration.
fn conflicts(delimiter: Option<char>, policy: &OrgPolicy) -> Vec<Conflict> {
    let (personal, black) = (&policy.personal, &policy.black);
    let holds_delimiter = |folder: &str| delimiter.is_some_and(|delimiter| folder.contains(delimiter));
    let all = [
        (
            ConflictKind::Delimiter,
            delimiter.is_none() && personal.actions.contains(PersonalActions::FOLDER),
            &["personal_actions"][..],
            "personal_actions: folder needs a delimiter, and recipients.delimiter is empty; choose another action",
        ),
        (
            ConflictKind::Delimiter,
            delimiter.is_none() && black.action == BlackAction::Junk,
            &["black_action"],
            "black_action: junk needs a delimiter, and recipients.delimiter is empty; choose another action",
        ),
        (
            ConflictKind::Delimiter,
            delimiter.is_none() && black.late_action == LateAction::Junk,
            &["late_action"],
            "late_action: junk needs a delimiter, and recipients.delimiter is empty; choose another action",
        ),
        (
            ConflictKind::HoldsDelimiter,
            holds_delimiter(&personal.folder),
            &["folder"],
            "folder: it holds the recipients.delimiter; name a folder without it",
        ),
        (
            ConflictKind::HoldsDelimiter,
            holds_delimiter(&black.junk_folder),
            &["junk_folder"],
            "junk_folder: it holds the recipients.delimiter; name a folder without it",
        ),
        (
            ConflictKind::SameFolder,
            personal.folder.eq_ignore_ascii_case(&black.junk_folder),
            &["folder", "junk_folder"],
            "junk_folder: blocked messages would lie among the personal ones; name another folder than folder",
        ),
        (
            ConflictKind::TagIsSpam,
            policy.white.spam_prefixes.iter().any(|prefix| policy.personal.tag.begins_with(prefix)),
            &["tag", "spam_prefixes"],
            "spam_prefixes: the tag would be taken off as a spam mark; choose another tag",
        ),
    ];
    let found = all.into_iter().filter(|(_, is_so, ..)| *is_so);
    found.map(|(kind, _, keys, what)| Conflict { keys, kind, what: what.to_owned() }).collect()
}

/// Folders that are asked for and not proven.
fn unproven(organisation: &Organisation, policy: &OrgPolicy, choices: &[UserOptions]) -> Vec<Conflict> {
    let conflict = |(choice, folder): (FolderChoice, &str)| {
        let (keys, asking): (&[&str], _) = match choice {
            FolderChoice::PersonalActions => (&["personal_actions", "folder"], "personal_actions: "),
            FolderChoice::UsersPersonalActions => (&["folder"], "folder: users chose to file there, and "),
            FolderChoice::BlackAction => (&["black_action", "junk_folder"], "black_action: "),
            FolderChoice::UsersBlackAction => (&["junk_folder"], "junk_folder: users chose to file there, and "),
            FolderChoice::LateAction => (&["late_action", "junk_folder"], "late_action: "),
        };
        Conflict { keys, kind: ConflictKind::Unproven, what: format!("{asking}{}", not_proven(organisation, folder)) }
    };
    policy.unproven(choices).into_iter().map(conflict).collect()
}
