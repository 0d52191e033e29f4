//! What can go wrong with the store, sorted by who is at fault.

use std::io;
use std::path::{Path, PathBuf};

use super::settings::SettingError;

/// What the store answers with.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Who has to act when a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// What was asked for cannot be: ask for something else.
    Caller,
    /// The store is in no state to answer: the operator follows the remedy that the error names.
    State,
    /// A defect of ours.
    Ours,
}

/// Why the store did not do what it was asked. No text repeats a list entry.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// An organisation's name, a number or a combination that is not possible; the text says which and why.
    #[error("{0}")]
    Invalid(String),
    /// A setting of an organisation.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// There is no such organisation.
    #[error("there is no organisation {0}; `perso-milter org list` shows them")]
    UnknownOrganisation(String),
    /// The name is in use.
    #[error("there is an organisation {0} already")]
    OrganisationTaken(String),
    /// The organisation still has users.
    #[error("the organisation {name} still has {users} users; remove them first, or ask for their removal as well")]
    UsersRemain {
        /// The organisation.
        name: String,
        /// How many users it has.
        users: u64,
    },
    /// Another organisation has this domain.
    #[error("the domain {domain} belongs to the organisation {organisation} already")]
    DomainTaken {
        /// The domain.
        domain: String,
        /// Whose it is.
        organisation: String,
    },
    /// No organisation (or not this one) has this domain.
    #[error("no organisation serves the domain {0}; add it with `perso-milter org add NAME --domain {0}`")]
    DomainNotServed(String),
    /// An alias must not stand in a domain of another organisation than the user's.
    #[error("the domain {0} belongs to another organisation than the user's")]
    ForeignDomain(String),
    /// Nobody sent a probe with this code, or it was confirmed already, or gave way to later ones.
    #[error(
        "no probe waits for this code; type it as it stands in the message, or send another: perso-milter probe send"
    )]
    UnknownProbe,
    /// The probe waited for longer than [`super::PROBE_LIFE`].
    #[error("this code has expired; send another probe: perso-milter probe send")]
    ProbeExpired,
    /// An address in a domain that no organisation serves is another organisation's.
    #[error("the address {0} belongs to another organisation")]
    ForeignAddress(String),
    /// The organisation has no such shared address.
    #[error("the address {0} is none of the organisation's shared addresses; `perso-milter org show NAME` lists them")]
    NotShared(String),
    /// Users have addresses in this domain.
    #[error("users still have addresses in the domain {0}; remove these first")]
    DomainInUse(String),
    /// There is no such user.
    #[error("there is no user {0}")]
    UnknownUser(String),
    /// The address belongs to a user.
    #[error("the address {0} belongs to a user already")]
    AddressTaken(String),
    /// The user has no such alias.
    #[error("the user has no alias {0}")]
    UnknownAlias(String),
    /// A mailbox of a function has no personal list.
    #[error("a functional mailbox has no personal list")]
    Functional,
    /// The user's own list is full. Only a user is ever told; see [`super::Store::change_entries`].
    #[error("the {0} list is full: it holds 10,000 entries")]
    ListFull(crate::policy::list::ListKind),
    /// The user's journal holds no change of lists under this number, or it did nothing.
    #[error("there is no such change of your lists")]
    UnknownChange,
    /// The change is older than [`super::UNDO_DAYS`].
    #[error("a change can be undone for {} days; this one is older", super::UNDO_DAYS)]
    UndoExpired,
    /// Later changes touched all entries that this one changed.
    #[error("later changes touched the same entries; undo those first, or change the list itself")]
    UndoContradicted,
    /// All that would come back is refused today.
    #[error("what this change took away would be refused today")]
    UndoRefused,
    /// No live grant, or not the user's own session.
    #[error("only the user, or somebody to whom the user gave a grant that is still live, may read this list")]
    NotPermitted,
    /// The personal lock is on, and the session was not opened with a secret of the user's own.
    #[error("the personal lock is on: sign in with your password, your passkey or your recovery code")]
    UserLocked,
    /// Under the personal lock nobody but the user can be let in.
    #[error("under the personal lock nobody else can be let in: take it off for as long as somebody is to look")]
    GrantUnderLock,
    /// Nothing would be left that opens the personal lock.
    #[error("the personal lock needs a secret that opens it: add another one first, or take the lock off")]
    LastSecret,
    /// There is no such member of staff.
    #[error("there is no member of staff {0}; `perso-milter staff list` shows them")]
    UnknownStaff(String),
    /// The address is a member's already.
    #[error("{0} is a member of staff already")]
    StaffTaken(String),
    /// Nobody was given this code, or it was used, or has expired.
    #[error("no enrolment waits for this code; ask for another: perso-milter staff reset ADDRESS")]
    UnknownEnrolment,
    /// An address, a password or a code of the second factor that does not fit; it is not said which.
    #[error("address, password and code do not fit together")]
    SignInRefused,

    /// Another process holds the store's lock.
    #[error("the store {path} is locked by another process; stop what holds it (`fuser {path}` names it), then try again",
        path = .0.display())]
    Locked(PathBuf),
    /// The file is damaged, or no store at all.
    #[error("the store {path} is damaged or no store ({detail}); put the last backup in its place", path = .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What the database said.
        detail: String,
    },
    /// The rows of one user do not carry our seal any more: somebody changed them in the database.
    #[error(
        "the lists of user {0} were altered in the database by something else than perso-milter; restore a backup, or remove and add the user"
    )]
    Altered(super::UserId),
    /// No space is left.
    #[error("there is no space left for the store {path}; free some on that disk", path = .0.display())]
    Full(PathBuf),
    /// A newer perso-milter wrote this store.
    #[error(
        "the store has schema {found}, this perso-milter knows {known}; install the version that wrote it, or put a backup of its own in place"
    )]
    Newer {
        /// Of the store.
        found: i32,
        /// Of this binary.
        known: i32,
    },
    /// The store's file cannot be opened or created.
    #[error("the store {path} cannot be opened: {detail}", path = .path.display())]
    Unavailable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// A key file.
    #[error(transparent)]
    Key(#[from] super::keys::KeyError),
    /// The sealed values cannot be opened by this process.
    #[error("this process cannot read seal.key, so it cannot open sealed values; only the console can")]
    NoSealKey,
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,

    /// A defect of ours.
    #[error("internal error of the store: {0}")]
    Internal(String),
}

impl StoreError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Invalid(_)
            | Self::Setting(_)
            | Self::UnknownOrganisation(_)
            | Self::OrganisationTaken(_)
            | Self::UsersRemain { .. }
            | Self::DomainTaken { .. }
            | Self::DomainNotServed(_)
            | Self::ForeignDomain(_)
            | Self::UnknownProbe
            | Self::ProbeExpired
            | Self::ForeignAddress(_)
            | Self::NotShared(_)
            | Self::DomainInUse(_)
            | Self::UnknownUser(_)
            | Self::AddressTaken(_)
            | Self::UnknownAlias(_)
            | Self::Functional
            | Self::ListFull(_)
            | Self::UnknownChange
            | Self::UndoExpired
            | Self::UndoContradicted
            | Self::UndoRefused
            | Self::NotPermitted
            | Self::UserLocked
            | Self::GrantUnderLock
            | Self::LastSecret
            | Self::UnknownStaff(_)
            | Self::StaffTaken(_)
            | Self::UnknownEnrolment
            | Self::SignInRefused => Fault::Caller,
            Self::Locked(_)
            | Self::Corrupt { .. }
            | Self::Altered(_)
            | Self::Full(_)
            | Self::Newer { .. }
            | Self::Unavailable { .. }
            | Self::Key(_)
            | Self::NoSealKey
            | Self::Closed => Fault::State,
            Self::Internal(_) => Fault::Ours,
        }
    }

    pub(crate) fn unavailable(path: &Path, error: &io::Error) -> Self {
        Self::Unavailable { path: path.to_owned(), detail: error.to_string() }
    }

    pub(crate) fn internal(error: impl std::fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }
}
