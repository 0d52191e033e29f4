//! What became of users' messages, for those who want to see it: one sealed row for each message to them.
//!
//! The relay writes with an [`ActivityWriter`]; what it wrote, only the user's private key opens. In clear stand the user,
//! the day, and the order of the rows. A user has at most [`ACTIVITY_ROWS`]; older ones give way, and those of days beyond
//! the organisation's `activity_days` are removed. The Subject is in none.

mod row;
mod writer;

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;

pub use writer::ActivityWriter;
pub(crate) use writer::{PublicKey, SealedRow, day};

use super::error::Result;
use super::feed::LoadedUser;
use super::types::{Permission, UserId};
use crate::policy::address::Address;
use crate::policy::decide::{Known, Verdict};
use crate::policy::plan::{Direction, Effect};

/// Most rows kept of one user.
pub const ACTIVITY_ROWS: usize = 500;
/// For how many days rows are kept, where the organisation says nothing else.
pub const ACTIVITY_DAYS: u8 = 30;
/// The longest that an organisation may keep them, in days.
pub const MAX_ACTIVITY_DAYS: u8 = 90;

/// What became of one message for one user.
#[derive(Clone, PartialEq, Eq)]
pub struct Activity {
    /// When it was decided.
    pub at: Timestamp,
    /// Which way it went.
    pub direction: Direction,
    /// The envelope sender, where there is a clean one.
    pub envelope: Option<Address>,
    /// The header sender, where there is exactly one; unknown where the message was refused at RCPT.
    pub header: Option<Address>,
    /// A sender that does not fit the row is left out.
    pub senders_cut: bool,
    /// What vouches for them.
    pub proof: Known,
    /// What the user's lists asked for, and why.
    pub verdict: Verdict,
    /// What came of it.
    pub effect: Effect,
}

/// Senders are somebody's private contacts.
impl fmt::Debug for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Activity(hidden)")
    }
}

impl Activity {
    /// The sender as people know it: that of the header, else that of the envelope.
    pub fn sender(&self) -> Option<&Address> {
        self.header.as_ref().or(self.envelope.as_ref())
    }
}

/// A user's rows, opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Newest first.
    pub rows: Vec<HistoryRow>,
    /// Days (UTC) of which rows are missing or may be: they came faster than the store took them, or a relay ended without
    /// having written all of them.
    pub incomplete: Vec<Date>,
    /// For how many days rows are kept.
    pub days: u8,
}

impl History {
    /// Whether rows are missing of a day that is not over before this time.
    pub fn is_incomplete_since(&self, time: Timestamp) -> bool {
        self.incomplete.iter().any(|missing| *missing >= day(time))
    }
}

/// A row, by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRow {
    /// Of this user alone: grows with each message, as long as rows are kept.
    pub number: i64,
    /// What it says; `None` where it was altered in the database.
    pub activity: Option<Activity>,
}

/// Whether what becomes of a user's messages is noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// From now on.
    On,
    /// No longer, and what there is is erased.
    Off,
}

/// Whether a user gets the weekly digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// They asked for it.
    Wanted,
    /// They did not.
    Unwanted,
}

/// The part of the store that keeps activity.
pub trait ActivityStore: Send + Sync {
    /// Writes rows, in their order, all or none. Those of users who do not want them (any more) are left out; where a user's
    /// key was altered in the database, the day is noted as incomplete instead.
    ///
    /// # Errors
    /// The store's state.
    fn append_activity(&self, writer: &mut ActivityWriter, rows: &[(UserId, Activity)]) -> Result<()>;

    /// Notes that rows of these users and days are missing.
    ///
    /// # Errors
    /// The store's state.
    fn add_activity_gaps(&self, gaps: &[(UserId, Date)]) -> Result<()>;

    /// Has a user's messages noted, or no longer. To be called for the user's own session alone.
    ///
    /// # Errors
    /// There is no such user.
    fn keep_activity(&self, user: UserId, keeping: Keeping) -> Result<()>;

    /// Opens a user's rows. One's own reading is not journalled; a grant is not enough.
    ///
    /// # Errors
    /// As for [`super::Store::journal`].
    fn activity(&self, user: UserId, permission: &Permission) -> Result<History>;

    /// Erases a user's rows; it goes on being noted what happens. To be called for the user's own session alone.
    ///
    /// # Errors
    /// There is no such user.
    fn purge_activity(&self, user: UserId) -> Result<()>;

    /// Removes what is older than each organisation keeps it. How many rows that were.
    ///
    /// # Errors
    /// The store's state.
    fn prune_activity(&self) -> Result<u64>;

    /// Notes whether a user wants the weekly digest. To be called for the user's own session alone.
    ///
    /// # Errors
    /// There is no such user.
    fn set_digest(&self, user: UserId, digest: Digest) -> Result<()>;

    /// Whether a user wants the weekly digest.
    ///
    /// # Errors
    /// The store's state.
    fn digest(&self, user: UserId) -> Result<Digest>;

    /// Takes the users out whose last digest is older than this time, at most `limit`; theirs counts as sent now. Those are
    /// left out who are disabled, keep no activity, or set the personal lock.
    ///
    /// # Errors
    /// The store's state.
    fn take_digests(&self, before: Timestamp, limit: usize) -> Result<Vec<UserId>>;

    /// Takes back that the digests of these users were sent: they are due before this time again, if still wanted.
    ///
    /// # Errors
    /// The store's state.
    fn put_digests_back(&self, users: &[UserId], before: Timestamp) -> Result<()>;

    /// What the relay holds of one user: to tell them what becomes of a message, without loading everybody.
    ///
    /// # Errors
    /// There is no such user, or their lists were altered in the database.
    fn compiled(&self, user: UserId) -> Result<LoadedUser>;
}
