//! How often anybody may try to get in: counted by way in, network and browser, never by account, so that nobody is locked
//! out by somebody else's tries. An account that is not there is counted like any other.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::failure::Failure;
use super::visitor::Visitor;
use crate::store::{Clock, SecretHash};

/// Tries of one browser at once; then one in each [`BROWSER_PAUSE`].
const BROWSER_TRIES: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
const BROWSER_PAUSE: Duration = Duration::from_secs(60);
/// Tries of one network at once; then one in each [`NETWORK_PAUSE`]. A company shares one network.
const NETWORK_TRIES: NonZeroU32 = NonZeroU32::new(120).expect("not zero");
const NETWORK_PAUSE: Duration = Duration::from_secs(5);
/// Password hashes that are computed at once, of 19 MiB each.
const HASHES: usize = 2;
/// Files of entries that are taken in at once: the largest needs some 100 MiB until it is answered.
const FILES: usize = 4;

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
    /// Asking what a passkey is to prove.
    Ceremony,
    /// The recovery code.
    Recovery,
    /// The two factors of managers and operators.
    Staff,
}

/// The console's clock, as the counters read it: the time since 1970.
struct Time(Clock);

impl governor::clock::Clock for Time {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::try_from((self.0)().as_duration()).unwrap_or_default()
    }
}

type Counters<K> = RateLimiter<K, DashMapStateStore<K>, Time, NoOpMiddleware<Duration>>;

/// The counters.
pub struct Limits {
    browsers: Counters<(Way, SecretHash)>,
    networks: Counters<(Way, String)>,
    hashes: Arc<Semaphore>,
    files: Semaphore,
}

impl Limits {
    /// With nothing counted.
    pub fn new(clock: &Clock) -> Self {
        let quota = |tries, pause| Quota::with_period(pause).unwrap_or(Quota::per_minute(tries)).allow_burst(tries);
        let (browsers, networks) = (DashMapStateStore::default(), DashMapStateStore::default());
        Self {
            browsers: RateLimiter::new(quota(BROWSER_TRIES, BROWSER_PAUSE), browsers, Time(clock.clone())),
            networks: RateLimiter::new(quota(NETWORK_TRIES, NETWORK_PAUSE), networks, Time(clock.clone())),
            hashes: Arc::new(Semaphore::new(HASHES)),
            files: Semaphore::new(FILES),
        }
    }

    /// Counts a try.
    ///
    /// # Errors
    /// [`Failure::TooMany`], with the time to wait.
    pub fn count(&self, way: Way, visitor: &Visitor) -> Result<(), Failure> {
        let now = governor::clock::Clock::now(self.browsers.clock());
        let wait = |not: governor::NotUntil<_>| {
            Failure::TooMany(not.wait_time_from(now).as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX))
        };
        // The network first: who keeps no cookie is a new browser each time.
        self.networks.check_key(&(way, visitor.network())).map_err(wait)?;
        self.browsers.check_key(&(way, visitor.browser)).map_err(wait)
    }

    /// Waits until a password may be hashed. The permit goes with the work: a client that leaves does not end it.
    ///
    /// # Errors
    /// None that is known; the semaphore's type says so.
    pub async fn may_hash(&self) -> Result<OwnedSemaphorePermit, Failure> {
        Arc::clone(&self.hashes).acquire_owned().await.map_err(|_| Failure::Internal)
    }

    /// Waits until a file of entries may be taken in.
    ///
    /// # Errors
    /// None that is known; the semaphore's type says so.
    pub async fn may_take_file(&self) -> Result<SemaphorePermit<'_>, Failure> {
        self.files.acquire().await.map_err(|_| Failure::Internal)
    }

    /// Forgets who may try as often as anybody.
    pub fn prune(&self) {
        self.browsers.retain_recent();
        self.networks.retain_recent();
    }
}
