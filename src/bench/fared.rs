//! How a message fared, and how it had to.

use std::fmt;

use super::workload::Kind;

/// What is looked at in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// That it is well-formed and in its place, and that the message fares as the workload has it
    Outcome,
    /// That it is well-formed and in its place: for milters that decide otherwise
    Protocol,
}

/// How a message fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fared {
    /// What was said last.
    pub verdict: Verdict,
    /// Its Subject.
    pub subject: Subject,
    /// Recipients that were refused or put off, and deleted ones less those that were added.
    pub lost: i32,
}

/// What is done with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on its way.
    Accepted,
    /// Nobody gets it, and the sender is told nothing.
    Discarded,
    /// 5xx for the message, or for all its recipients.
    Refused,
    /// 4xx.
    PutOff,
    /// It waits in the hold queue.
    Held,
}

/// What became of a Subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// It was left alone.
    Untouched,
    /// The tag stands before it, and nothing else changed.
    Tagged,
    /// Any other change.
    Changed,
}

impl Fared {
    /// Before anything was heard.
    pub const UNKNOWN: Self = Self { verdict: Verdict::Accepted, subject: Subject::Untouched, lost: 0 };

    /// Whether this is how a message of a kind has to fare.
    fn is_right(&self, kind: Kind) -> bool {
        let delivered = self.verdict == Verdict::Accepted && self.lost <= 0;
        match kind {
            Kind::Plain | Kind::Mixed => delivered && self.subject == Subject::Untouched,
            Kind::Personal => delivered && self.subject == Subject::Tagged,
            Kind::Blocked => self.verdict == Verdict::Refused,
        }
    }

    /// What was expected and what came, unless that is the same.
    pub fn mismatch(&self, kind: Kind, check: Check) -> Option<String> {
        if check == Check::Protocol || self.is_right(kind) {
            return None;
        }
        let expected = match kind {
            Kind::Plain => "a stranger's message: accepted, the Subject untouched",
            Kind::Mixed => "a message that is personal to one of its recipients: accepted, the Subject untouched",
            Kind::Personal => "a personal message: accepted, the tag before the Subject",
            Kind::Blocked => "a blocked sender's message: refused",
        };
        Some(format!("expected {expected}; got {self}"))
    }
}

impl fmt::Display for Fared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.verdict {
            Verdict::Accepted => "accepted",
            Verdict::Discarded => "discarded",
            Verdict::Refused => "refused",
            Verdict::PutOff => "put off (4xx)",
            Verdict::Held => "held",
        })?;
        f.write_str(match self.subject {
            Subject::Untouched => ", the Subject untouched",
            Subject::Tagged => ", the tag before the Subject",
            Subject::Changed => ", the Subject changed in another way",
        })?;
        if self.lost > 0 { write!(f, ", {} recipients lost", self.lost) } else { Ok(()) }
    }
}
