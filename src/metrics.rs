//! Totals per organisation and day. Nothing finer is counted of them: a live counter would tell, message by message, what
//! stands on a list. How many messages the relay takes is counted by the minute: that depends on nobody's list, since the
//! copies of a split message are not counted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arrayvec::ArrayVec;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::milter::settings::{Decided, LANES};
use crate::policy::action::PersonalActions;
use crate::policy::decide::{Addressed, Outcome};
use crate::store::{LATENCY_BOUNDS, OrganisationId, TOTALS_USERS, Total, Trouble, shortened};

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
type Counts = BTreeMap<(u32, Date), Day>;

/// What one thread writes, in memory that no other writes to: processors fetch it in lines of 64 bytes, and two at a time.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane<T>(T);

/// The counts of one organisation and day.
#[derive(Debug, Default)]
struct Day {
    counts: [u64; Kind::ALL.len()],
    users: Users,
}

impl Day {
    fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(sum, count)| *sum += count);
        self.users.merge(&other.users);
    }
}

/// How many users a day's counts are about, as far as it matters: a day of too few is shown to nobody.
#[derive(Debug, Default)]
struct Users {
    /// Who they are, each once, until they are enough.
    seen: ArrayVec<u64, { TOTALS_USERS as usize }>,
    /// At least so many, as was told before.
    told: u64,
}

impl Users {
    fn add(&mut self, user: u64) {
        if !self.seen.is_full() && !self.seen.contains(&user) {
            self.seen.push(user);
        }
    }

    fn merge(&mut self, other: &Self) {
        other.seen.iter().for_each(|user| self.add(*user));
        self.told = self.told.max(other.told);
    }

    fn count(&self) -> u64 {
        self.told.max(self.seen.len() as u64)
    }
}

impl Totals {
    fn lane(&self, lane: usize) -> MutexGuard<'_, Counts> {
        self.0[lane % LANES].0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one decided message on a day.
    pub fn count(&self, day: Date, message: &Decided<'_>) {
        let mut lane = self.lane(message.lane);
        for recipient in message.recipients {
            let is_copied = message.plan.split && recipient.effect.is_some();
            if let Some(organisation) =
                message.sender.filter(|_| !is_copied && recipient.verdict.reason.outbound.is_some())
            {
                lane.entry((organisation, day)).or_default().counts[Kind::Outbound as usize] += 1;
            }
            let Some(organisation) = recipient.organisation else { continue };
            let Day { counts, users } = lane.entry((organisation, day)).or_default();
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
            users.add(recipient.user);
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
            for (key, of_day) in self.lane(lane).extract_if(.., |(_, day), _| has_ended(*day)) {
                taken.entry(key).or_default().merge(&of_day);
            }
        }
        taken
            .into_iter()
            .flat_map(|((organisation, day), Day { counts, users })| {
                let counts = Kind::ALL.map(|kind| (kind.as_str(), counts[kind as usize]));
                counts.into_iter().chain([(Total::USERS, users.count())]).map(move |(kind, count)| Total {
                    organisation: OrganisationId::new(organisation),
                    day,
                    kind: kind.to_owned(),
                    count,
                })
            })
            .filter(|total| total.count > 0)
            .collect()
    }

    /// Puts totals back that the store did not take.
    pub fn put_back(&self, totals: &[Total]) {
        for total in totals {
            let mut lane = self.lane(0);
            let of_day = lane.entry((total.organisation.get(), total.day)).or_default();
            match Kind::ALL.into_iter().find(|kind| kind.as_str() == total.kind) {
                Some(kind) => of_day.counts[kind as usize] += total.count,
                None => of_day.users.told = of_day.users.told.max(total.count),
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

/// Parts of an hour in which latency is counted.
const PARTS: usize = 6;
/// Seconds of one of them.
const PART: u64 = 600;
/// A slot holds the part above, and below the messages.
const LATENCY_BITS: u32 = 32;

/// How long the decisions of the last hour took, as far as they were timed.
#[derive(Debug)]
pub struct Latency([Lane<Parts>; LANES]);

type Parts = [[AtomicU64; LATENCY_BOUNDS.len() + 1]; PARTS];

impl Default for Latency {
    fn default() -> Self {
        let part = |_| std::array::from_fn(|_| AtomicU64::new(0));
        Self(std::array::from_fn(|_| Lane(std::array::from_fn(part))))
    }
}

impl Latency {
    /// Counts a message of one lane. Takes no lock, and no memory.
    pub fn count(&self, at: Timestamp, lane: usize, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bound = LATENCY_BOUNDS.iter().position(|bound| micros <= *bound).unwrap_or(LATENCY_BOUNDS.len());
        let part = part(at);
        let more = |held: u64| {
            Some(if held >> LATENCY_BITS == part { held.saturating_add(1) } else { (part << LATENCY_BITS) + 1 })
        };
        let slot = &self.0[lane % LANES].0[(part % PARTS as u64) as usize][bound];
        // It is told how often, and never refused.
        let _ = slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// Timed messages of about the last hour, one number for each of [`LATENCY_BOUNDS`] and one beyond.
    pub fn last_hour(&self, now: Timestamp) -> Vec<u64> {
        let this = part(now);
        let is_recent = |held: u64| (this.saturating_sub(PARTS as u64 - 1)..=this).contains(&(held >> LATENCY_BITS));
        let of_bound = |bound: usize| {
            let parts = self.0.iter().flat_map(|lane| &lane.0);
            let held = parts.map(|part| part[bound].load(Ordering::Relaxed));
            held.filter(|held| is_recent(*held)).map(|held| held & u64::from(u32::MAX)).sum()
        };
        (0..=LATENCY_BOUNDS.len()).map(of_bound).collect()
    }
}

fn part(at: Timestamp) -> u64 {
    u64::try_from(at.as_second()).unwrap_or(0) / PART
}

/// Warnings and errors that are remembered.
const TROUBLES: usize = 32;

/// The last warnings and errors of this process's log, for operators. What looks like somebody's address is left out.
#[derive(Debug, Default)]
pub struct Troubles(Mutex<VecDeque<Trouble>>);

impl Troubles {
    /// Remembers a line; the oldest gives way.
    pub fn note(&self, at: Timestamp, text: &str) {
        let hidden = |word: &str| if word.contains('@') { "(address)".to_owned() } else { word.to_owned() };
        let words: Vec<String> = text.split_whitespace().map(hidden).collect();
        let trouble = Trouble { at, text: shortened(words.join(" ")) };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.truncate(TROUBLES - 1);
        kept.push_front(trouble);
    }

    /// The lines, newest first.
    pub fn last(&self) -> Vec<Trouble> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
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
    fn latency_is_counted_by_its_bound_for_an_hour() {
        let latency = Latency::default();
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).expect("a time");
        for (second, micros) in [(0, 100), (0, 101), (700, 1), (700, 9_000_000)] {
            latency.count(at(second), micros as usize, Duration::from_micros(micros));
        }
        assert_eq!(latency.last_hour(at(700)), [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(latency.last_hour(at(3601)), [1, 0, 0, 0, 0, 0, 0, 0, 0, 1], "the first ten minutes are over");
        latency.count(at(3601), 0, Duration::from_micros(1));
        assert_eq!(latency.last_hour(at(3601)), [2, 0, 0, 0, 0, 0, 0, 0, 0, 1], "the slot is the new part's");
    }

    #[test]
    fn the_last_troubles_are_kept_without_addresses() {
        let troubles = Troubles::default();
        let at = Timestamp::from_second(1_800_000_000).expect("a time");
        (0..100).for_each(|n| troubles.note(at, &format!("trouble {n} of <anne@acme.example>, again")));
        let last = troubles.last();
        assert_eq!((last.len(), last[0].text.as_str()), (TROUBLES, "trouble 99 of (address) again"));
        troubles.note(at, &"é".repeat(10_000));
        assert!(troubles.last()[0].text.len() < 400);
    }

    #[test]
    fn what_several_threads_counted_is_one_total() {
        let (totals, plan) = (Totals::default(), Plan::default());
        for lane in [0, 1, LANES - 1] {
            let recipient = DecidedRecipient {
                path: b"",
                organisation: Some(3),
                user: lane as u64,
                verdict: Verdict::UNTOUCHED,
                effect: None,
            };
            let recipients = &[recipient];
            let direction = Direction::Inbound;
            let message = Decided { lane, direction, pass: Pass::First, sender: None, recipients, plan: &plan };
            totals.count(Date::constant(2026, 11, 23), &message);
        }
        let taken = totals.take(None);
        assert_eq!(
            taken.iter().map(|total| (total.kind.as_str(), total.count)).collect::<Vec<_>>(),
            [("decided", 3), ("users", 3)]
        );
        assert!(totals.take(None).is_empty());
    }

    #[test]
    fn a_day_is_handed_out_once_it_has_ended() {
        let totals = Totals::default();
        let plan = Plan::default();
        let recipient = |outcome| DecidedRecipient {
            path: b"",
            organisation: Some(3),
            user: 7,
            verdict: Verdict { outcome, ..Verdict::UNTOUCHED },
            effect: None,
        };
        let personal = Outcome::Deliver { personal: PersonalActions::TAG, clear_spam: true };
        let shared = DecidedRecipient { verdict: Verdict::SHARED, ..recipient(Outcome::UNTOUCHED) };
        let recipients = &[recipient(personal), recipient(Outcome::Blocked(BlackAction::Reject)), shared];
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
                (monday, "shared-address", 1),
                (monday, "users", 1)
            ]
        );
        totals.put_back(&ended);
        assert_eq!(totals.take(None).len(), 12);
    }

    #[test]
    fn users_are_counted_once_each_and_no_further_than_it_matters() {
        let totals = Totals::default();
        let plan = Plan::default();
        let (today, organisation) = (Date::constant(2026, 11, 23), Some(3));
        let deliver = |users: &[u64]| {
            let recipient = |user: &u64| DecidedRecipient {
                path: b"",
                organisation,
                user: *user,
                verdict: Verdict::UNTOUCHED,
                effect: None,
            };
            let recipients: Vec<_> = users.iter().map(recipient).collect();
            let message = Decided {
                lane: users.len(),
                direction: Direction::Inbound,
                pass: Pass::First,
                sender: None,
                recipients: &recipients,
                plan: &plan,
            };
            totals.count(today, &message);
        };
        let users = |totals: &[Total]| totals.iter().find(|total| total.kind == Total::USERS).map(|total| total.count);
        deliver(&[1, 2, 1]);
        deliver(&[2, 3]);
        let taken = totals.take(None);
        assert_eq!(users(&taken), Some(3));
        totals.put_back(&taken);
        deliver(&[1]);
        assert_eq!(users(&totals.take(None)), Some(3), "whether they are others is not known");
        deliver(&(1..=40).collect::<Vec<_>>());
        assert_eq!(users(&totals.take(None)), Some(TOTALS_USERS));
    }
}
