//! What every page of the console shows of the user who is signed in.

use super::FreshStart;
use crate::language::Language;
use crate::store::{Announcement, Organisation, User};

/// A user and what concerns them besides their lists.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Who.
    pub user: User,
    /// Of which organisation.
    pub organisation: Organisation,
    /// The language they chose.
    pub language: Option<Language>,
    /// What changed in the organisation since they were added and they have not put away, the last change first.
    pub announcements: Vec<Announcement>,
    /// That they wait to start anew.
    pub fresh_start: Option<FreshStart>,
}
