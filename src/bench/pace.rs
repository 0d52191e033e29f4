//! When a message is due: at once (flat out), or at its place in a fixed rate, whether or not the milter keeps up.

use std::time::Duration;

/// A stretch of a run.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    /// The number of this thread's first message, and by how much the next one's is greater.
    pub first: u64,
    /// As many as there are threads.
    pub step: u64,
    /// Most messages of this thread.
    pub messages: u64,
    /// No message begins after so long.
    pub time: Option<Duration>,
    /// From when one message of this thread is due to when the next is; `None` for flat out.
    pub interval: Option<Duration>,
}

/// How far a stretch is. Times are nanoseconds of the caller's clock.
#[derive(Debug, Default)]
pub struct Pace {
    /// The number of the next message.
    next: u64,
    step: u64,
    left: u64,
    begun: u64,
    start: u64,
    /// No message begins from here on.
    end: u64,
    interval: Option<u64>,
}

/// A message that is to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Its number.
    pub number: u64,
    /// From when its time counts. At a rate that is when it was due: one that waits for a connection is late, whoever is slow.
    pub since: u64,
}

impl Pace {
    /// A stretch that begins now.
    pub fn new(stretch: &Stretch, now: u64) -> Self {
        let nanoseconds = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self {
            next: stretch.first,
            step: stretch.step,
            left: stretch.messages,
            begun: 0,
            start: now,
            end: stretch.time.map_or(u64::MAX, |time| now.saturating_add(nanoseconds(time))),
            interval: stretch.interval.map(nanoseconds),
        }
    }

    /// Since the beginning.
    pub fn elapsed(&self, now: u64) -> u64 {
        now.saturating_sub(self.start)
    }

    /// Whether no further message begins.
    pub fn is_exhausted(&self, now: u64) -> bool {
        self.left == 0 || self.due().max(now) >= self.end
    }

    /// The next message, if it is due.
    pub fn take(&mut self, now: u64) -> Option<Due> {
        let due = self.due();
        if self.is_exhausted(now) || due > now {
            return None;
        }
        let since = if self.interval.is_some() { due } else { now };
        let taken = Due { number: self.next, since };
        self.next += self.step;
        self.left -= 1;
        self.begun += 1;
        Some(taken)
    }

    /// Begins no further message; false if none was left.
    pub fn stop(&mut self) -> bool {
        std::mem::take(&mut self.left) > 0
    }

    /// When the next message is due.
    fn due(&self) -> u64 {
        self.interval.map_or(0, |interval| self.start.saturating_add(self.begun.saturating_mul(interval)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRETCH: Stretch = Stretch { first: 5, step: 2, messages: 3, time: None, interval: None };

    fn at(number: u64, since: u64) -> Option<Due> {
        Some(Due { number, since })
    }

    #[test]
    fn flat_out_each_is_due_at_once() {
        let mut pace = Pace::new(&STRETCH, 100);
        assert_eq!(
            [pace.take(100), pace.take(130), pace.take(170), pace.take(180)],
            [at(5, 100), at(7, 130), at(9, 170), None]
        );
        assert!(pace.is_exhausted(180) && pace.elapsed(180) == 80);
    }

    #[test]
    fn at_a_rate_each_has_its_time_and_what_is_late_keeps_it() {
        let mut pace = Pace::new(&Stretch { interval: Some(Duration::from_nanos(50)), ..STRETCH }, 100);
        assert_eq!([pace.take(100), pace.take(149)], [at(5, 100), None]);
        // Nobody was there to take it: two are due at once, each from its own time.
        assert_eq!([pace.take(230), pace.take(230), pace.take(900)], [at(7, 150), at(9, 200), None]);
    }

    #[test]
    fn nothing_begins_after_the_end() {
        let timed = Stretch { time: Some(Duration::from_nanos(60)), ..STRETCH };
        let mut pace = Pace::new(&timed, 100);
        assert_eq!([pace.take(159), pace.take(160)], [at(5, 159), None]);
        let mut pace = Pace::new(&Stretch { interval: Some(Duration::from_nanos(40)), ..timed }, 100);
        assert_eq!([pace.take(100), pace.take(140)], [at(5, 100), at(7, 140)]);
        // The third would be due at 180.
        assert!(pace.is_exhausted(141));
        let mut pace = Pace::new(&STRETCH, 0);
        assert!(pace.stop() && !pace.stop() && pace.take(1).is_none());
    }
}
