//! Entries of users' lists as their users see them, and the edits that change them.

use jiff::Timestamp;

use super::types::Origin;
use crate::policy::list::{EntryValue, ListKind};

/// One change of a user's lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// The entry shall stand on this list.
    Add(ListKind, EntryValue),
    /// The entry shall not stand on this list.
    Remove(ListKind, EntryValue),
}

impl Edit {
    /// The list that is changed.
    pub fn list(&self) -> ListKind {
        match self {
            Self::Add(list, _) | Self::Remove(list, _) => *list,
        }
    }

    /// What the entry says.
    pub fn value(&self) -> &EntryValue {
        match self {
            Self::Add(_, value) | Self::Remove(_, value) => value,
        }
    }
}

/// An opened entry, for the user or the holder of a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The list it stands on.
    pub list: ListKind,
    /// What it says, or that this cannot be told.
    pub value: Readable,
    /// How it came there.
    pub origin: Origin,
    /// Since when.
    pub created: Timestamp,
}

/// A sealed value after opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readable {
    /// The value.
    Value(EntryValue),
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
