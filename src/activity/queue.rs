//! The bounded queue between the mail path and the thread that writes. A row that finds no room is lost, and its user is
//! told that the day is incomplete.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dashmap::DashSet;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::milter::settings::Happened;
use crate::store::{Activity, UserId};

/// Most rows that wait for the store.
pub const ACTIVITY_QUEUE: usize = 8192;

/// A row that waits.
pub(super) type Row = (UserId, Activity);

/// The rows that wait for the store, and the days of users of whom some found no room.
pub struct ActivityQueue {
    rows: SyncSender<Box<Row>>,
    waiting: Mutex<Receiver<Box<Row>>>,
    /// At most one of each user who wants to see activity, and day.
    gaps: DashSet<(UserId, Date)>,
}

impl ActivityQueue {
    /// With room for [`ACTIVITY_QUEUE`] rows.
    pub fn new() -> Self {
        let (rows, waiting) = sync_channel(ACTIVITY_QUEUE);
        Self { rows, waiting: Mutex::new(waiting), gaps: DashSet::new() }
    }

    /// Takes what happened, if there is room. Never waits.
    pub fn offer(&self, at: Timestamp, message: &Happened<'_>) {
        let Some(user) = UserId::new(message.user) else { return };
        let activity = activity_of(at, message);
        if let Err(TrySendError::Full(row) | TrySendError::Disconnected(row)) =
            self.rows.try_send(Box::new((user, activity)))
        {
            self.lose(&row);
        }
    }

    /// Notes that a row is missing.
    pub(super) fn lose(&self, (user, activity): &Row) {
        self.gaps.insert((*user, activity.at.to_zoned(TimeZone::UTC).date()));
    }

    /// Waits for a row, at most so long; `None` where none came.
    pub(super) fn wait(&self, limit: Duration) -> Option<Row> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.recv_timeout(limit) {
            Ok(row) => Some(*row),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    /// The rows that wait by now, at most so many.
    pub(super) fn take(&self, limit: usize) -> Vec<Row> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.try_iter().take(limit).map(|row| *row).collect()
    }

    /// The gaps so far, which are forgotten.
    pub(super) fn take_gaps(&self) -> Vec<(UserId, Date)> {
        let gaps: HashSet<(UserId, Date)> = self.gaps.iter().map(|gap| *gap).collect();
        gaps.into_iter().filter(|gap| self.gaps.remove(gap).is_some()).collect()
    }

    /// Puts gaps back that the store did not take.
    pub(super) fn put_back(&self, gaps: &[(UserId, Date)]) {
        for gap in gaps {
            self.gaps.insert(*gap);
        }
    }
}

/// What happened, to be kept.
pub fn activity_of(at: Timestamp, message: &Happened<'_>) -> Activity {
    Activity {
        at,
        direction: message.direction,
        envelope: message.envelope.cloned(),
        header: message.header.cloned(),
        senders_cut: false,
        proof: message.proof,
        verdict: message.verdict,
        effect: message.effect.clone(),
    }
}

impl Default for ActivityQueue {
    fn default() -> Self {
        Self::new()
    }
}
