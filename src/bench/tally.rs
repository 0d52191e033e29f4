//! What a run counts: messages, how long each stage took, and what was wrong.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::workload::Kind;

/// The longest time told apart from longer ones.
const LONGEST: Duration = Duration::from_secs(600);
/// How long one point of the throughput's course is.
pub const SLICE: Duration = Duration::from_millis(100);
/// Errors told with what was expected and what came; more are only counted.
pub const MAX_NAMED: usize = 5;

/// A part of a message's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// From the connect to the milter's answer to the negotiation.
    Connect,
    /// From a RCPT to its reply.
    Recipient,
    /// From the write that no reply interrupts any more to the reply at end of message.
    EndOfMessage,
    /// The message: from when it was due, or from its first byte where nothing is due, to its last reply.
    Message,
}

impl Stage {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Connect, Self::Recipient, Self::EndOfMessage, Self::Message];

    /// As it is called in tables.
    pub fn title(self) -> &'static str {
        match self {
            Self::Connect => "connect and negotiate",
            Self::Recipient => "reply at RCPT",
            Self::EndOfMessage => "end of message",
            Self::Message => "whole message",
        }
    }

    /// As it is called in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Recipient => "recipient",
            Self::EndOfMessage => "end_of_message",
            Self::Message => "message",
        }
    }
}

/// What one thread counted, or all.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Messages that came to their end, rightly or not.
    pub messages: u64,
    /// Of these, by [`Kind`].
    pub kinds: [u64; 4],
    /// Messages that fared otherwise than they should, and connections that failed.
    pub errors: u64,
    /// The first of them.
    pub named: Vec<String>,
    /// Bytes written.
    pub bytes: u64,
    /// Messages that ended in each [`SLICE`].
    pub slices: Vec<u64>,
    times: [Histogram<u64>; 4],
}

impl Default for Tally {
    fn default() -> Self {
        // Three digits: a bucket is a thousandth of its value wide.
        let histogram = || {
            Histogram::new_with_max(LONGEST.as_nanos() as u64, 3)
                .unwrap_or_else(|_| unreachable!("bounds that are fixed"))
        };
        Self {
            messages: 0,
            kinds: [0; 4],
            errors: 0,
            named: Vec::new(),
            bytes: 0,
            slices: Vec::new(),
            times: std::array::from_fn(|_| histogram()),
        }
    }
}

impl Tally {
    /// Notes how long something took.
    #[inline]
    pub fn time(&mut self, stage: Stage, nanoseconds: u64) {
        self.times[stage as usize].saturating_record(nanoseconds);
    }

    /// How long it took, in nanoseconds.
    pub fn times(&self, stage: Stage) -> &Histogram<u64> {
        &self.times[stage as usize]
    }

    /// A message came to its end, so long after the beginning.
    #[inline]
    pub fn message(&mut self, kind: Kind, nanoseconds: u64) {
        self.messages += 1;
        self.kinds[kind as usize] += 1;
        let slice = (nanoseconds / SLICE.as_nanos() as u64) as usize;
        if slice >= self.slices.len() {
            self.slices.resize(slice + 1, 0);
        }
        self.slices[slice] += 1;
    }

    /// Something was wrong.
    pub fn error(&mut self, what: impl FnOnce() -> String) {
        self.errors += 1;
        if self.named.len() < MAX_NAMED {
            self.named.push(what());
        }
    }

    /// Adds what another thread counted at the same time.
    pub fn add(&mut self, other: &Self) {
        self.messages += other.messages;
        self.errors += other.errors;
        self.bytes += other.bytes;
        for (own, more) in self.kinds.iter_mut().zip(other.kinds) {
            *own += more;
        }
        self.slices.resize(self.slices.len().max(other.slices.len()), 0);
        for (own, more) in self.slices.iter_mut().zip(&other.slices) {
            *own += more;
        }
        let room = MAX_NAMED.saturating_sub(self.named.len());
        self.named.extend(other.named.iter().take(room).cloned());
        for (own, more) in self.times.iter_mut().zip(&other.times) {
            // Both have the same bounds, so that nothing is out of range.
            let _ = own.add(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_added_up_and_quantiles_are_those_of_all() {
        let mut all = Tally::default();
        for thread in 0..2_u64 {
            let mut own = Tally::default();
            for number in 0..500 {
                own.time(Stage::Message, (1 + number * 2 + thread) * 1000);
                own.message(Kind::Personal, number * 1_000_000);
            }
            (0..4).for_each(|number| own.error(|| format!("{thread}.{number}")));
            all.add(&own);
        }
        // 1 to 1,000 microseconds.
        for (quantile, microseconds) in [(0.5, 500), (0.9, 900), (0.99, 990), (0.999, 999), (1.0, 1000)] {
            let found = all.times(Stage::Message).value_at_quantile(quantile);
            assert!(found.abs_diff(microseconds * 1000) <= microseconds, "{quantile}: {found}");
        }
        assert_eq!((all.messages, all.kinds[Kind::Personal as usize], all.errors), (1000, 1000, 8));
        assert_eq!(all.slices, [200; 5]);
        assert_eq!(all.named, ["0.0", "0.1", "0.2", "0.3", "1.0"]);
    }
}
