//! Entries of users' lists as their users see them, and the edits that change them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::error::StoreError;
use super::types::Origin;
use crate::policy::list::{EntryValue, Fingerprint, ListKind};

/// Longest note, in characters.
pub const MAX_NOTE: usize = 200;
/// For so many days a change can be undone.
pub const UNDO_DAYS: u32 = 30;

/// Names an entry without showing what it says: its list and its fingerprint, which is under a key of that user.
/// Written `personal-` and 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId {
    /// The list it stands on.
    pub list: ListKind,
    pub(crate) fingerprint: Fingerprint,
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:032x}", self.list, u128::from_be_bytes(self.fingerprint.to_bytes()))
    }
}

impl FromStr for EntryId {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let read = || {
            let (list, digits) = text.split_once('-')?;
            let plain = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let number = u128::from_str_radix(digits, 16).ok().filter(|_| plain)?;
            Some(Self { list: list.parse().ok()?, fingerprint: Fingerprint::from_bytes(number.to_be_bytes()) })
        };
        read().ok_or_else(|| StoreError::Invalid("this names no entry".to_owned()))
    }
}

impl fmt::Debug for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryId({}, hidden)", self.list)
    }
}

/// A user's own words about an entry: one line of at most [`MAX_NOTE`] characters, never empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Note(Box<str>);

impl Note {
    /// Reads a note: runs of blanks and control characters become one space. `None` where nothing is left.
    ///
    /// # Errors
    /// It is longer than [`MAX_NOTE`] characters.
    pub fn parse(text: &str) -> Result<Option<Self>, StoreError> {
        let is_gap = |c: char| c.is_whitespace() || c.is_control();
        // As notes that were kept are, but for those with an accent.
        let is_normal =
            text.split(' ').all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic()));
        let line = match is_normal {
            true => Cow::Borrowed(text),
            false => text.split(is_gap).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ").into(),
        };
        if line.len() > MAX_NOTE && line.chars().count() > MAX_NOTE {
            return Err(StoreError::Invalid(format!("a note has at most {MAX_NOTE} characters")));
        }
        Ok((!line.is_empty()).then(|| Self(line.into())))
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Note(hidden)")
    }
}

/// One change of a user's lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// The entry shall stand on this list.
    Add(ListKind, EntryValue),
    /// The entry shall not stand on this list.
    Remove(ListKind, EntryValue),
    /// This note, or none, shall stand beside the entry, on whichever lists it is. For its user alone.
    Note(ListKind, EntryValue, Option<Note>),
    /// This note shall stand beside the entry where there is none: a name that came with it. For its user alone.
    Name(ListKind, EntryValue, Note),
    /// The user keeps an entry that somebody else added. For its user alone.
    Confirm(ListKind, EntryValue),
    /// That is taken back: the entry is to be confirmed. For its user alone.
    Reopen(ListKind, EntryValue),
}

impl Edit {
    /// The list that is changed.
    pub fn list(&self) -> ListKind {
        match self {
            Self::Add(list, _)
            | Self::Remove(list, _)
            | Self::Note(list, ..)
            | Self::Name(list, ..)
            | Self::Confirm(list, _)
            | Self::Reopen(list, _) => *list,
        }
    }

    /// What the entry says.
    pub fn value(&self) -> &EntryValue {
        match self {
            Self::Add(_, value)
            | Self::Remove(_, value)
            | Self::Note(_, value, _)
            | Self::Name(_, value, _)
            | Self::Confirm(_, value)
            | Self::Reopen(_, value) => value,
        }
    }

    /// Whether nobody but the user may ask for it.
    pub(crate) fn is_for_user_alone(&self) -> bool {
        self.is_note() || matches!(self, Self::Confirm(..) | Self::Reopen(..))
    }

    /// Whether it changes a note, and no list.
    pub fn is_note(&self) -> bool {
        matches!(self, Self::Note(..) | Self::Name(..))
    }
}

/// An opened entry, for the user or the holder of a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Names it.
    pub id: EntryId,
    /// The list it stands on.
    pub list: ListKind,
    /// What it says, or that this cannot be told.
    pub value: Readable,
    /// How it came there.
    pub origin: Origin,
    /// Since when.
    pub created: Timestamp,
    /// False where somebody else added it and the user has not yet said to keep it. It has its effect meanwhile.
    pub confirmed: bool,
    /// The user's note; nobody else is shown one.
    pub note: Option<Note>,
}

/// A sealed value after opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readable {
    /// The value.
    Value(EntryValue),
    /// The value was sealed to a key that the user lost ([`super::AccountStore::make_fresh_starts`]); the entry goes on
    /// matching. Adding the same value again makes it readable.
    Lost,
    /// The value does not open, or is not what the relay matches: the row was changed in the database.
    Altered,
}

/// An edit of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEdit {
    /// What was asked for.
    pub edit: Edit,
    /// What it did.
    pub effect: Effect,
    /// What the entry was, where it was removed.
    pub before: Option<Standing>,
}

/// How an entry came onto its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// By whom.
    pub origin: Origin,
    /// Since when.
    pub created: Timestamp,
    /// See [`Entry::confirmed`].
    pub confirmed: bool,
}

/// What a call of edits came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The number of the change, which undoing takes.
    pub number: i64,
    /// What each edit did, in their order; for the user alone. For anyone else it is `None`: it would tell what stood there.
    pub effects: Option<Vec<Effect>>,
}

impl Changed {
    /// The same for a session of the user that may not read: without what tells of before.
    pub fn for_reader(self, may_read: bool) -> Self {
        Self { effects: self.effects.filter(|_| may_read), ..self }
    }

    /// Whether anything is not as it was; `None` for whoever may not know.
    pub fn did_something(&self) -> Option<bool> {
        self.effects.as_ref().map(|effects| effects.contains(&Effect::Done))
    }
}

/// What undoing a change came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undone {
    /// Edits taken back, at least one.
    pub done: usize,
    /// Edits left as they are, since later changes touched the same entries.
    pub left: usize,
    /// Entries that did not come back, since they would be refused today.
    pub refused: usize,
}

/// What an edit did; for its user's eyes alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The list changed.
    Done,
    /// The list was so already.
    Nothing,
    /// The list was full.
    LeftOut,
}
