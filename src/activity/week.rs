//! What the weekly digest tells a user of their own messages: counts, and nothing else.

use jiff::{SignedDuration, Timestamp};

use crate::policy::decide::Outcome;
use crate::store::History;

/// Counts of a user's messages of seven days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Week {
    /// All of them.
    pub messages: u64,
    /// Those that were personal.
    pub personal: u64,
    /// Those from blocked senders.
    pub blocked: u64,
    /// Those that lost a spam mark, since their sender is accepted.
    pub accepted: u64,
    /// Some are missing, so that there may have been more.
    pub is_incomplete: bool,
}

/// The counts of the seven days before `now`.
pub fn week(history: &History, now: Timestamp) -> Week {
    let begin = now - SignedDuration::from_hours(7 * 24);
    let mut week = Week { is_incomplete: history.is_incomplete_since(begin), ..Week::default() };
    for activity in history.rows.iter().filter_map(|row| row.activity.as_ref()).filter(|activity| activity.at >= begin)
    {
        week.messages += 1;
        match activity.verdict.outcome {
            Outcome::Blocked(_) => week.blocked += 1,
            Outcome::Deliver { .. } if activity.verdict.reason.personal.is_some() => week.personal += 1,
            Outcome::Deliver { clear_spam: true, .. } => week.accepted += 1,
            Outcome::Deliver { .. } => {}
        }
    }
    week
}
