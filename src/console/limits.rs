//! How often anybody may try to get in: counted by way in, network and browser, never by account, so that nobody is locked
//! out by somebody else's tries. An account that is not there is counted like any other.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::failure::Failure;
use super::visitor::Visitor;
use crate::store::SecretHash;

/// Tries of one browser at once; then one in each [`BROWSER_PAUSE`].
const BROWSER_TRIES: NonZeroU32 = NonZeroU32::new(5).expect("not zero");
const BROWSER_PAUSE: Duration = Duration::from_secs(60);
/// Tries of one network at once; then one in each [`NETWORK_PAUSE`]. A company shares one network.
const NETWORK_TRIES: NonZeroU32 = NonZeroU32::new(120).expect("not zero");
const NETWORK_PAUSE: Duration = Duration::from_secs(5);
/// Password hashes that are computed at once, of 19 MiB each.
const HASHES: usize = 2;

/// A way to get in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// Asking for a message.
    Message,
    /// The code of a message.
    Code,
    /// A password.
    Password,
    /// A passkey.
    Passkey,
    /// The recovery code.
    Recovery,
    /// The two factors of managers and operators.
    Staff,
}

/// The counters.
pub struct Limits {
    browsers: DefaultKeyedRateLimiter<(Way, SecretHash)>,
    networks: DefaultKeyedRateLimiter<(Way, String)>,
    hashes: Arc<Semaphore>,
    clock: DefaultClock,
}

impl Limits {
    /// With nothing counted.
    pub fn new() -> Self {
        let quota = |tries, pause| Quota::with_period(pause).unwrap_or(Quota::per_minute(tries)).allow_burst(tries);
        Self {
            browsers: DefaultKeyedRateLimiter::keyed(quota(BROWSER_TRIES, BROWSER_PAUSE)),
            networks: DefaultKeyedRateLimiter::keyed(quota(NETWORK_TRIES, NETWORK_PAUSE)),
            hashes: Arc::new(Semaphore::new(HASHES)),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a try.
    ///
    /// # Errors
    /// [`Failure::TooMany`], with the time to wait.
    pub fn count(&self, way: Way, visitor: &Visitor) -> Result<(), Failure> {
        let now = self.clock.now();
        let wait = |not: governor::NotUntil<_>| Failure::TooMany(not.wait_time_from(now).as_secs() + 1);
        // The network first: who keeps no cookie is a new browser each time.
        self.networks.check_key(&(way, visitor.network())).map_err(wait)?;
        self.browsers.check_key(&(way, visitor.browser)).map_err(wait)
    }

    /// Waits until a password may be hashed.
    ///
    /// # Errors
    /// None that is known; the semaphore's type says so.
    pub async fn may_hash(&self) -> Result<SemaphorePermit<'_>, Failure> {
        self.hashes.acquire().await.map_err(|_| Failure::Internal)
    }

    /// Forgets who may try as often as anybody.
    pub fn prune(&self) {
        self.browsers.retain_recent();
        self.networks.retain_recent();
    }
}
