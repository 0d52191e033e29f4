//! Time, kept by the kernel (timerfd_create(2)). A runtime with timers of its own looks at the clock before and after each
//! wait, so for nearly each message; an alarm costs nothing until it rings.

use std::future::pending;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::watched::{OwnsDescriptor, watched};

/// Rings on the thread whose runtime it was made on. Made before it is needed: then descriptors may have run out.
pub(super) struct Alarm(AsyncFd<Timer>);

struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl OwnsDescriptor for Timer {}

impl Alarm {
    /// Does not ring until it is set.
    pub(super) fn new() -> io::Result<Self> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        Ok(Self(watched(Timer(timer), Interest::READABLE)?))
    }

    /// Has it ring each time that so much time has passed.
    pub(super) fn set_every(&self, period: Duration) {
        self.set(Expiration::Interval(within_bounds(period)));
    }

    /// Has it ring once, after so much time.
    pub(super) fn set_after(&self, time: Duration) {
        self.set(Expiration::OneShot(within_bounds(time)));
    }

    fn set(&self, expiration: Expiration) {
        if let Err(error) = self.0.get_ref().0.set(expiration, TimerSetTimeFlags::empty()) {
            // Only a time out of bounds is refused.
            tracing::error!(%error, "a timer cannot be set");
        }
    }

    /// Waits for it to ring; what rang several times meanwhile has rung once.
    pub(super) async fn ring(&self) {
        loop {
            // Neither fails for a timer while its runtime lives.
            let Ok(mut ready) = self.0.readable().await else { return pending().await };
            if ready.try_io(|timer| timer.get_ref().0.wait().map_err(io::Error::from)).is_ok() {
                return;
            }
        }
    }
}

/// No time at all would mean that the alarm is not set, and the kernel refuses what its clock does not reach.
fn within_bounds(time: Duration) -> TimeSpec {
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    time.clamp(Duration::from_nanos(1), LONGEST).into()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn it_rings_after_its_time_and_at_once_where_there_is_none() {
        let runtime = Builder::new_current_thread().enable_io().build().expect("a runtime");
        runtime.block_on(async {
            let (never, alarm) = (Alarm::new().expect("a timer"), Alarm::new().expect("a timer"));
            never.set_after(Duration::MAX);
            for time in [Duration::ZERO, Duration::from_millis(20)] {
                let begun = Instant::now();
                alarm.set_after(time);
                tokio::select! {
                    () = alarm.ring() => assert!(begun.elapsed() >= time),
                    () = never.ring() => panic!("it rang"),
                }
            }
            alarm.set_every(Duration::from_millis(1));
            alarm.ring().await;
            alarm.ring().await;
        });
    }
}
