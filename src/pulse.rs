//! What a relay tells of itself into the store, so that operators see every relay of a store, also where the console is
//! another process. Nothing of it is about a person: counts of all messages, times, and lines of the log.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use tracing::warn;

use crate::cache::{Cache, FollowerWatch};
use crate::directory::RelayDirectory;
use crate::metrics::Troubles;
use crate::store::{Clock, RelayReport, RelayRun, RelayStatus, RelayStore, Result};

/// How often a relay tells.
pub const EVERY: Duration = Duration::from_secs(10);
/// How long the end of the daemon waits for the last word.
const LAST: Duration = Duration::from_secs(5);

/// What there is to tell, and whence.
pub struct Pulse {
    store: Arc<dyn RelayStore>,
    directory: Arc<RelayDirectory>,
    cache: Arc<Cache>,
    follower: Arc<Mutex<FollowerWatch>>,
    troubles: Arc<Troubles>,
    clock: Clock,
    run: RelayRun,
}

impl Pulse {
    /// Of a relay of this name, which starts now.
    ///
    /// # Errors
    /// No randomness.
    pub fn new(
        store: Arc<dyn RelayStore>,
        directory: Arc<RelayDirectory>,
        cache: Arc<Cache>,
        follower: FollowerWatch,
        troubles: Arc<Troubles>,
        (name, clock): (String, Clock),
    ) -> Result<Self> {
        let run = RelayRun::new(name, env!("CARGO_PKG_VERSION").to_owned(), clock())?;
        Ok(Self { store, directory, cache, follower: Arc::new(Mutex::new(follower)), troubles, clock, run })
    }

    /// Another follower took the place of the one that is watched; to be called where one is started anew.
    pub fn follower(&self) -> FollowerSeat {
        FollowerSeat(self.follower.clone())
    }

    /// Tells the store.
    ///
    /// # Errors
    /// The store's state.
    pub fn tell(&self) -> Result<()> {
        let follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner).status();
        let now = (self.clock)();
        let status = RelayStatus {
            addresses: self.cache.len() as u64,
            behind: follower.answered.map_or(0, |at| at.elapsed().as_secs()),
            trouble: follower.trouble,
            rejected: follower.rejected,
            rolled_back: follower.rolled_back,
            loads: follower.loads,
            minutes: self.directory.throughput().minutes(now),
            latency: self.directory.latency().last_hour(now),
            troubles: self.troubles.last(),
        };
        self.store.tell_relay(&RelayReport { run: self.run.clone(), status })
    }

    /// Tells every now and then, on a thread that may wait for the store.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub fn start(self) -> io::Result<Beating> {
        let (end, asked) = channel();
        let (done, ended) = channel();
        let run = move || {
            let mut is_failing = false;
            let clean = loop {
                match self.tell() {
                    Ok(()) => is_failing = false,
                    Err(error) if !is_failing => {
                        is_failing = true;
                        warn!(%error, "the store does not take how this relay is");
                    }
                    Err(_) => {}
                }
                match asked.recv_timeout(EVERY) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(clean) => break clean,
                    Err(RecvTimeoutError::Disconnected) => break Clean::No,
                }
            };
            if clean == Clean::Yes {
                // What the store does not take now shows as a relay that is gone, as it is.
                let _ = self.store.end_relay(&self.run);
            }
            let _ = done.send(());
        };
        thread::Builder::new().name("pulse".to_owned()).spawn(run)?;
        Ok(Beating { end, ended })
    }
}

/// Whose status is told.
pub struct FollowerSeat(Arc<Mutex<FollowerWatch>>);

impl FollowerSeat {
    /// That of this one from now on.
    pub fn take(&self, follower: FollowerWatch) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = follower;
    }
}

/// Whether a relay ended with all that it had to write in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clean {
    /// It did: nobody need hear of it any more.
    Yes,
    /// It did not: the days are marked whose rows it may have lost.
    No,
}

/// A pulse that beats on its thread.
pub struct Beating {
    end: Sender<Clean>,
    ended: mpsc::Receiver<()>,
}

impl Beating {
    /// The relay ends.
    pub fn end(self, clean: Clean) {
        let _ = self.end.send(clean);
        let _ = self.ended.recv_timeout(LAST);
    }
}
