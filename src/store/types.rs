//! The nouns of the store: organisations, users, entries, grants, and who acts.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;

use super::accounts::UserKey;
use super::entry::JournalEdit;
use super::error::{Result, StoreError};
use super::probe::ProvenFolder;
use super::settings::OrganisationSettings;
use crate::policy::address::{Address, Domain};
use crate::policy::list::{EntryValue, ListKind, UserOptions};

/// A user: 63 random bits, never an address. Written as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(u64);

impl UserId {
    /// The id that the store and [`crate::policy::list::UserLists::user`] hold; `None` over 63 bits.
    pub fn new(id: u64) -> Option<Self> {
        (id >> 63 == 0).then_some(Self(id))
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }

    pub(crate) fn to_sql(self) -> i64 {
        self.0 as i64 // 63 bits fit
    }

    pub(crate) fn from_sql(id: i64) -> Self {
        Self(id as u64 & (u64::MAX >> 1))
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// An organisation, by number; the number is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrganisationId(u32);

impl OrganisationId {
    /// No organisation, but the installation itself: its journal tells of operators.
    pub const INSTALLATION: Self = Self(0);

    /// The organisation of this number.
    pub fn new(id: u32) -> Self {
        Self(id)
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for OrganisationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Who makes a change. It stands in the journal, which the user reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// An operator or manager, by the name they signed in with.
    Administrator {
        /// At most 64 bytes are kept.
        name: String,
    },
    /// The user whose lists are changed.
    User,
    /// That user, with a file of theirs.
    UserFile,
    /// A file, imported by an administrator.
    Import {
        /// As for an administrator.
        name: String,
    },
    /// perso-milter itself: retention, the demo.
    System,
}

impl Actor {
    /// Whether it is the user whose lists are changed.
    pub fn is_user(&self) -> bool {
        matches!(self, Self::User | Self::UserFile)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Administrator { name } => write!(f, "administrator {}", shortened(name)),
            Self::User => f.write_str("user"),
            Self::UserFile => f.write_str("user file"),
            Self::Import { name } => write!(f, "import {}", shortened(name)),
            Self::System => f.write_str("system"),
        }
    }
}

/// The first 64 bytes of a name, cut between characters.
fn shortened(name: &str) -> &str {
    let end = name.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= 64).last();
    &name[..end.unwrap_or(0)]
}

/// How an entry came onto a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The user entered it.
    User,
    /// An administrator, or perso-milter itself, entered it.
    Administrator,
    /// It came from a file.
    Import,
}

impl Origin {
    /// All of them, by their codes.
    pub const ALL: [Self; 3] = [Self::User, Self::Administrator, Self::Import];

    pub(crate) fn of(actor: &Actor) -> Self {
        match actor {
            Actor::User => Self::User,
            Actor::Administrator { .. } | Actor::System => Self::Administrator,
            Actor::Import { .. } | Actor::UserFile => Self::Import,
        }
    }

    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_code(code: u8) -> Self {
        match code {
            0 => Self::User,
            1 => Self::Administrator,
            _ => Self::Import,
        }
    }

    /// The name used in exports and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Administrator => "administrator",
            Self::Import => "import",
        }
    }
}

/// Where an organisation's own entry stands in the order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Before every user's lists.
    Enforced,
    /// After every user's lists.
    Default,
}

impl Level {
    /// The name used on the command line and in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforced => "enforced",
            Self::Default => "default",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Level {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Enforced, Self::Default]
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or_else(|| StoreError::Invalid("the level must be enforced or default".to_owned()))
    }
}

/// An entry of an organisation's own white or black list. It is nobody's private contact and readable.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OwnEntry {
    /// Before or after the users' lists.
    pub level: Level,
    /// White or black; an organisation has no personal list.
    pub list: ListKind,
    /// What it says.
    pub value: EntryValue,
}

/// An organisation with what is set for it. Its own lists may be long: [`super::Store::own_lists`] reads them where they are
/// needed.
#[derive(Debug, Clone, PartialEq)]
pub struct Organisation {
    /// Its number.
    pub id: OrganisationId,
    /// Its unique name.
    pub name: String,
    /// What it sets apart from the configuration.
    pub settings: OrganisationSettings,
    /// The domains it serves, sorted.
    pub domains: Vec<Domain>,
    /// Its business domains, which no user may declare personal, sorted.
    pub protected: Vec<Domain>,
    /// The folders that are proven for its users, sorted by name.
    pub proven: Vec<ProvenFolder>,
    /// Since when.
    pub created: Timestamp,
}

/// What becomes of users when their organisation is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemainingUsers {
    /// The organisation stays, and the call fails.
    Refuse,
    /// They are erased as well.
    Erase,
}

/// What a mailbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UserKind {
    /// A person's.
    #[default]
    Person,
    /// That of a function (contact@): it has no personal list.
    Functional,
}

/// Whether an account is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserStatus {
    /// Lists apply.
    Active,
    /// Mail passes as if the user had no lists.
    Disabled,
}

/// A user to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// The primary address; its domain tells the organisation.
    pub address: Address,
    /// Further addresses, in no domain of another organisation.
    pub aliases: Vec<Address>,
    /// A person's mailbox or that of a function.
    pub kind: UserKind,
}

/// What anyone who administers may know of a user: nothing of the lists, not even their size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The organisation.
    pub organisation: OrganisationId,
    /// The primary address.
    pub address: Address,
    /// The aliases, sorted.
    pub aliases: Vec<Address>,
    /// Those of all these addresses that others get the mail of as well, sorted.
    pub shared: Vec<Address>,
    /// Whether lists apply.
    pub status: UserStatus,
    /// A person's mailbox or that of a function.
    pub kind: UserKind,
    /// What the user chose.
    pub options: UserOptions,
    /// Since when.
    pub created: Timestamp,
}

/// By what right a list is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    /// The session of that user itself; the console proves it by having signed the user in.
    Own(UserId),
    /// Such a session that was opened with a secret of the user's own, whose key it carries: it reads under the personal lock
    /// as well.
    Unlocked(UserId, UserKey),
    /// A grant that the user gave to this person; each use is journalled, and the user sees it.
    Grant {
        /// As named in the grant.
        grantee: String,
    },
}

/// A line of a file of users.
#[derive(Debug, Clone)]
pub struct ImportUser {
    /// Its number in the file.
    pub line: u64,
    /// Whom it names.
    pub user: NewUser,
    /// The organisation it names, if it does; it must be that of the domain.
    pub organisation: Option<String>,
}

/// A line of a file of aliases, resolved.
#[derive(Debug, Clone)]
pub struct ImportAlias {
    /// Its number in the file.
    pub line: u64,
    /// The address.
    pub address: Address,
    /// Whom it reaches.
    pub reaches: Reaches,
}

/// Whom an address reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaches {
    /// One user, by any of their addresses: it becomes an alias of theirs.
    User(Address),
    /// More than one mailbox: it is shared in this organisation.
    Several(OrganisationId),
}

/// A line of a file of entries.
#[derive(Debug, Clone)]
pub struct ImportEntry {
    /// Its number in the file.
    pub line: u64,
    /// The user, by any of their addresses.
    pub user: Address,
    /// The list.
    pub list: ListKind,
    /// What the entry says.
    pub value: EntryValue,
}

/// What became of a chunk of a file. It says nothing of what stood on the lists before.
#[derive(Debug, Default)]
pub struct ImportReport {
    /// Lines carried out.
    pub accepted: u64,
    /// Lines that were not, and why, by number.
    pub refused: Vec<(u64, StoreError)>,
}

/// A grant, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GrantId(pub(crate) i64);

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Leave that a user gives to one person to read one list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The number.
    pub id: GrantId,
    /// To whom.
    pub grantee: String,
    /// What may be read; nothing may be changed.
    pub list: ListKind,
    /// Since when.
    pub issued: Timestamp,
    /// Until when.
    pub expires: Timestamp,
    /// When the user took it back.
    pub revoked: Option<Timestamp>,
    /// When it was last used.
    pub last_used: Option<Timestamp>,
}

/// The counts of a day are shown where at least so many users got mail on it: those of fewer would tell of single persons.
/// It does not help to add users who get none.
pub const TOTALS_USERS: u64 = 10;

/// A count of one organisation and day (UTC).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// Whose.
    pub organisation: OrganisationId,
    /// The day.
    pub day: Date,
    /// What was counted: `decided`, `personal` …, or [`Total::USERS`].
    pub kind: String,
    /// How often.
    pub count: u64,
}

impl Total {
    /// The kind that says how many users the others are about: [`TOTALS_USERS`] where they are as many or more. Of what
    /// several processes count on one day, the largest holds.
    pub const USERS: &str = "users";
}

/// What an organisation is told of a day (UTC) that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayTotals {
    /// The day.
    pub day: Date,
    /// How often each kind was counted, sorted by kind; `None` where fewer than [`TOTALS_USERS`] users got mail.
    pub counts: Option<Vec<(String, u64)>>,
}

impl DayTotals {
    /// The days of counts that are sorted by day and kind, each as it may be shown.
    pub(crate) fn of(totals: &[Total]) -> Vec<Self> {
        let day = |totals: &[Total]| {
            let users = totals.iter().find(|total| total.kind == Total::USERS).map_or(0, |total| total.count);
            let counts = || {
                let others = totals.iter().filter(|total| total.kind != Total::USERS);
                others.map(|total| (total.kind.clone(), total.count)).collect()
            };
            Self { day: totals[0].day, counts: (users >= TOTALS_USERS).then(counts) }
        };
        totals.chunk_by(|a, b| a.day == b.day).map(day).collect()
    }
}

/// A row of the journal as its user reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRecord {
    /// Its number; it grows with time.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who, as [`Actor`] is written.
    pub actor: String,
    /// What kind of change: `entries`, `undo`, `options`, `grant` …
    pub kind: String,
    /// The change that it took back.
    pub undoes: Option<i64>,
    /// Whether a later change took this one back.
    pub is_undone: bool,
    /// The first edits of a change of entries, where they are still kept and open: of those that did something, or were
    /// left out since the list was full, at most [`super::SHOWN_EDITS`], and as many of those that did nothing.
    pub edits: Vec<JournalEdit>,
    /// How many edits did something.
    pub done: usize,
    /// How many were left out.
    pub left_out: usize,
}

/// What [`super::Store::verify_journal`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalCheck {
    /// Rows looked at.
    pub rows: u64,
    /// The oldest block that is kept; above 1 once retention cut off older ones.
    pub first: u64,
    /// Blocks looked at.
    pub blocks: u64,
    /// The first block at which the chain breaks, and why.
    pub broken: Option<(u64, String)>,
}
