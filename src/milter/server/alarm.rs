//! Time, kept by the kernel (timerfd_create(2)). A runtime with timers of its own looks at the clock before and after each
//! wait, so for nearly each message; an alarm costs nothing until it rings.

use std::future::pending;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::stream::watched;

/// Rings on the thread whose runtime it was made on. Made before it is needed: then descriptors may have run out.
pub(super) struct Alarm(AsyncFd<Timer>);

struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Alarm {
    /// Does not ring until it is set.
    pub(super) fn new() -> io::Result<Self> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        Ok(Self(watched(Timer(timer), Interest::READABLE)?))
    }

    /// Has it ring each time that so much time has passed.
    pub(super) fn set_every(&self, period: Duration) -> io::Result<()> {
        self.set(Expiration::Interval(period.into()))
    }

    /// Has it ring once, after so much time.
    pub(super) fn set_after(&self, time: Duration) -> io::Result<()> {
        // No time at all would mean that it is not set.
        self.set(Expiration::OneShot(time.max(Duration::from_nanos(1)).into()))
    }

    fn set(&self, expiration: Expiration) -> io::Result<()> {
        Ok(self.0.get_ref().0.set(expiration, TimerSetTimeFlags::empty())?)
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
