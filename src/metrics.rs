//! Totals per organisation and day. Nothing finer is counted of them: a live counter would tell, message by message, what
//! stands on a list. How many messages the relay takes is counted by the minute: that depends on nobody's list, since the
//! copies of a split message are not counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;

use crate::milter::settings::{Decided, LANES};
use crate::policy::action::PersonalActions;
use crate::policy::decide::{Addressed, Outcome};
use crate::store::{OrganisationId, Total};

/// What is counted of each recipient who is a user, and of each shared address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A message for this recipient was decided.
    Decided,
    /// It was personal.
    Personal,
    /// It was blocked.
    Blocked,
    /// The sender was on a white list.
    Wanted,
    /// Its header edits were left out, since another recipient of the message needed different ones.
    HeadersLeftOut,
    /// Its copy was made by a split, and is decided once more: it counts as decided then.
    Split,
    /// Of the sender's organisation: the message went to somebody on the sender's personal list.
    Outbound,
    /// It came to a shared address, so that nobody's list decided; counted as nothing else.
    SharedAddress,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Decided,
        Self::Personal,
        Self::Blocked,
        Self::Wanted,
        Self::HeadersLeftOut,
        Self::Split,
        Self::Outbound,
        Self::SharedAddress,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Personal => "personal",
            Self::Blocked => "blocked",
            Self::Wanted => "wanted",
            Self::HeadersLeftOut => "headers-left-out",
            Self::Split => "split",
            Self::Outbound => "outbound-personal",
            Self::SharedAddress => "shared-address",
        }
    }
}

/// Totals not yet handed to the store. Each thread counts for itself; who reads adds up.
#[derive(Debug, Default)]
pub struct Totals([Lane<Mutex<Counts>>; LANES]);

/// By organisation and day.
type Counts = BTreeMap<(u32, Date), [u64; Kind::ALL.len()]>;

/// What one thread writes, in memory that no other writes to: processors fetch it in lines of 64 bytes, and two at a time.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane<T>(T);

impl Totals {
    fn lane(&self, lane: usize) -> MutexGuard<'_, Counts> {
        self.0[lane % LANES].0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one decided message on a day.
    pub fn count(&self, day: Date, message: &Decided<'_>) {
        let mut lane = self.lane(message.lane);
        for recipient in &message.recipients {
            let is_copied = message.plan.split && recipient.effect.is_some();
            if let Some(organisation) =
                message.sender.filter(|_| !is_copied && recipient.verdict.reason.outbound.is_some())
            {
                lane.entry((organisation, day)).or_default()[Kind::Outbound as usize] += 1;
            }
            let Some(organisation) = recipient.organisation else { continue };
            let counts = lane.entry((organisation, day)).or_default();
            let mut add = |kind: Kind| counts[kind as usize] += 1;
            if is_copied {
                add(Kind::Split);
                continue;
            }
            if recipient.verdict.reason.addressed != Addressed::Personally {
                add(Kind::SharedAddress);
                continue;
            }
            add(Kind::Decided);
            match recipient.verdict.outcome {
                Outcome::Blocked(_) => add(Kind::Blocked),
                Outcome::Deliver { personal, clear_spam } => {
                    if personal != PersonalActions::NONE {
                        add(Kind::Personal);
                    }
                    if clear_spam {
                        add(Kind::Wanted);
                    }
                }
            }
            let effect = recipient.effect.and_then(|index| message.plan.effects.get(index));
            if effect.is_some_and(|effect| effect.headers_left_out) {
                add(Kind::HeadersLeftOut);
            }
        }
    }

    /// Takes out the totals of the days before `today`, or all of them where there is none: at the end.
    pub fn take(&self, today: Option<Date>) -> Vec<Total> {
        let has_ended = |day: Date| today.is_none_or(|today| day < today);
        let mut taken = Counts::new();
        for lane in 0..LANES {
            for (key, counts) in self.lane(lane).extract_if(.., |(_, day), _| has_ended(*day)) {
                let sums = taken.entry(key).or_default();
                sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
        }
        taken
            .into_iter()
            .flat_map(|((organisation, day), counts)| {
                Kind::ALL.into_iter().map(move |kind| Total {
                    organisation: OrganisationId::new(organisation),
                    day,
                    kind: kind.as_str().to_owned(),
                    count: counts[kind as usize],
                })
            })
            .filter(|total| total.count > 0)
            .collect()
    }

    /// Puts totals back that the store did not take.
    pub fn put_back(&self, totals: &[Total]) {
        for total in totals {
            if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.as_str() == total.kind) {
                self.lane(0).entry((total.organisation.get(), total.day)).or_default()[kind as usize] += total.count;
            }
        }
    }
}

/// Minutes that are remembered.
pub const MINUTES: usize = 60;
/// A slot holds the minute above, and below the messages of that minute.
const COUNT_BITS: u32 = 24;

/// Messages decided in each of the last minutes. Each thread counts for itself; who reads adds up.
#[derive(Debug)]
pub struct Throughput([Lane<[AtomicU64; MINUTES]>; LANES]);

impl Default for Throughput {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Lane(std::array::from_fn(|_| AtomicU64::new(0)))))
    }
}

impl Throughput {
    /// Counts a message of one lane. Takes no lock, and no memory.
    pub fn count(&self, at: Timestamp, lane: usize) {
        let minute = minute(at);
        let more = |held: u64| {
            Some(if held >> COUNT_BITS == minute { held.saturating_add(1) } else { (minute << COUNT_BITS) + 1 })
        };
        // It is told how often, and never refused.
        let _ = self.0[lane % LANES].0[slot(minute)].fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// The messages of each minute that is over, the last one last.
    pub fn minutes(&self, now: Timestamp) -> Vec<u64> {
        let this = minute(now);
        let first = this.saturating_sub(MINUTES as u64 - 1);
        let count = |lane: &Lane<[AtomicU64; MINUTES]>, minute: u64| {
            let held = lane.0[slot(minute)].load(Ordering::Relaxed);
            if held >> COUNT_BITS == minute { held & ((1 << COUNT_BITS) - 1) } else { 0 }
        };
        (first..this).map(|minute| self.0.iter().map(|lane| count(lane, minute)).sum()).collect()
    }
}

/// Where a minute is counted.
fn slot(minute: u64) -> usize {
    (minute % MINUTES as u64) as usize
}

fn minute(at: Timestamp) -> u64 {
    u64::try_from(at.as_second()).unwrap_or(0) / 60
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::milter::settings::{DecidedRecipient, Pass};
    use crate::policy::action::BlackAction;
    use crate::policy::decide::Verdict;
    use crate::policy::plan::{Direction, Plan};

    #[test]
    fn a_minute_is_told_once_it_is_over_and_forgotten_after_an_hour() {
        let throughput = Throughput::default();
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).expect("a time");
        for second in [0, 1, 59, 60] {
            throughput.count(at(second), second as usize);
        }
        assert_eq!(throughput.minutes(at(59)).last(), Some(&0), "this minute is not over");
        let minutes = throughput.minutes(at(120));
        assert_eq!((minutes.len(), &minutes[57..]), (MINUTES - 1, &[3, 1][..]));
        throughput.count(at(3600), 0);
        assert_eq!(throughput.minutes(at(3660)).last(), Some(&1), "the slot is the new minute's");
        assert_eq!(throughput.minutes(at(90_000)).iter().sum::<u64>(), 0);
    }

    #[test]
    fn what_several_threads_counted_is_one_total() {
        let (totals, plan) = (Totals::default(), Plan::default());
        for lane in [0, 1, LANES - 1] {
            let recipient =
                DecidedRecipient { path: b"", organisation: Some(3), verdict: Verdict::UNTOUCHED, effect: None };
            let recipients = vec![recipient];
            let direction = Direction::Inbound;
            let message = Decided { lane, direction, pass: Pass::First, sender: None, recipients, plan: &plan };
            totals.count(Date::constant(2026, 11, 23), &message);
        }
        let taken = totals.take(None);
        assert_eq!(taken.iter().map(|total| (total.kind.as_str(), total.count)).collect::<Vec<_>>(), [("decided", 3)]);
        assert!(totals.take(None).is_empty());
    }

    #[test]
    fn a_day_is_handed_out_once_it_has_ended() {
        let totals = Totals::default();
        let plan = Plan::default();
        let recipient = |outcome| DecidedRecipient {
            path: b"",
            organisation: Some(3),
            verdict: Verdict { outcome, ..Verdict::UNTOUCHED },
            effect: None,
        };
        let personal = Outcome::Deliver { personal: PersonalActions::TAG, clear_spam: true };
        let shared = DecidedRecipient { verdict: Verdict::SHARED, ..recipient(Outcome::UNTOUCHED) };
        let recipients = vec![recipient(personal), recipient(Outcome::Blocked(BlackAction::Reject)), shared];
        let message = Decided {
            lane: 0,
            direction: Direction::Inbound,
            pass: Pass::First,
            sender: None,
            recipients,
            plan: &plan,
        };
        let (monday, tuesday) = (Date::constant(2026, 11, 23), Date::constant(2026, 11, 24));
        totals.count(monday, &message);
        totals.count(tuesday, &message);
        assert!(totals.take(Some(monday)).is_empty());
        let ended = totals.take(Some(tuesday));
        let lines: Vec<_> = ended.iter().map(|t| (t.day, t.kind.as_str(), t.count)).collect();
        assert_eq!(
            lines,
            [
                (monday, "decided", 2),
                (monday, "personal", 1),
                (monday, "blocked", 1),
                (monday, "wanted", 1),
                (monday, "shared-address", 1)
            ]
        );
        totals.put_back(&ended);
        assert_eq!(totals.take(None).len(), 10);
    }
}
