//! The lists of all users in memory, and the thread that keeps them as the store has them.
//!
//! Readers take no lock: a papaya map from a keyed hash of the address to the user's lists. A change replaces the lists of
//! one user; a full reload is built aside and swapped in whole. While the store is away the last good lists serve on.

use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use crate::policy::action::BlackAction;
use crate::policy::address::Address;
use crate::policy::list::{Globs, UserLists};
use crate::store::{
    AddressHash, AddressHasher, ChangeBatch, Changes, Feed, LoadedOrganisation, LoadedUser, OrganisationId, Position,
    Result, Store, StoreError,
};

/// Changes read at once.
const BATCH: usize = 1024;
/// How long one wait for a change lasts; ending the follower takes as long at most.
const WAIT: Duration = Duration::from_millis(100);
/// How long the follower rests before it asks a store again that failed.
const REST: Duration = Duration::from_millis(200);

/// Every user's lists, for look-up without a lock.
pub struct Cache {
    hasher: AddressHasher,
    snapshot: ArcSwap<Snapshot>,
}

impl Cache {
    /// An empty cache for the addresses of one store ([`Store::address_hasher`]).
    pub fn new(hasher: AddressHasher) -> Self {
        Self { hasher, snapshot: ArcSwap::default() }
    }

    /// A cache of these users, which follows no store: for measurements.
    pub fn of_users(hasher: AddressHasher, users: impl IntoIterator<Item = LoadedUser>) -> Self {
        let snapshot = Snapshot::default();
        users.into_iter().for_each(|user| snapshot.insert(user));
        Self { hasher, snapshot: ArcSwap::from_pointee(snapshot) }
    }

    /// The lists of the user who has this address. Takes no lock and holds nothing but the lists themselves.
    pub fn lookup(&self, address: &Address) -> Option<UserLists> {
        self.snapshot.load().users.pin().get(&self.hasher.of(address)).cloned()
    }

    /// The glob patterns of a user whose lists say that there are some ([`UserLists::has_globs`]).
    pub fn globs(&self, lists: &UserLists) -> Option<Arc<Globs>> {
        self.snapshot.load().globs.pin().get(&lists.user()).cloned()
    }

    /// The organisation in which this address is shared, if it is.
    pub fn shared_in(&self, address: &Address) -> Option<OrganisationId> {
        let snapshot = self.snapshot.load();
        // Where there are no shared addresses, nothing is hashed for them.
        if !snapshot.shares.load(Ordering::Acquire) {
            return None;
        }
        snapshot.shared.pin().get(&self.hasher.of(address)).copied()
    }

    /// Whether some user chose to have blocked senders refused, since the last full load.
    pub fn some_user_rejects(&self) -> bool {
        self.snapshot.load().rejects.load(Ordering::Relaxed)
    }

    /// How many addresses are known.
    pub fn len(&self) -> usize {
        self.snapshot.load().users.len()
    }

    /// Whether no address is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn replace(&self, snapshot: Snapshot) {
        self.snapshot.store(Arc::new(snapshot));
    }

    /// Replaces what is held of the users that a batch names, and of nobody else.
    fn apply(&self, batch: &mut ChangeBatch) {
        let snapshot = self.snapshot.load();
        // First: an address that becomes a user's and shared at once must not be the user's alone meanwhile.
        for (address, organisation) in batch.shared.drain(..) {
            match organisation {
                Some(organisation) => snapshot.share(address, organisation),
                None => drop(snapshot.shared.pin().remove(&address)),
            }
        }
        let mut present = Vec::new();
        for (id, user) in batch.users.drain(..) {
            match user {
                Some(user) => {
                    present.extend_from_slice(&user.addresses);
                    snapshot.insert(user);
                }
                None => drop(snapshot.globs.pin().remove(&id.get())),
            }
        }
        for (address, user) in &batch.removed {
            // The address may have come back, or be another user's by now.
            if !present.contains(address) {
                let _ = snapshot.users.pin().remove_if(address, |_, lists| lists.user() == user.get());
            }
        }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cache({} addresses)", self.len())
    }
}

/// One generation of the cache.
#[derive(Default)]
struct Snapshot {
    users: papaya::HashMap<AddressHash, UserLists, BuildHasherDefault<HashedAlready>>,
    globs: papaya::HashMap<u64, Arc<Globs>>,
    shared: papaya::HashMap<AddressHash, OrganisationId, BuildHasherDefault<HashedAlready>>,
    rejects: AtomicBool,
    /// Whether some address is shared, or was since the last full load.
    shares: AtomicBool,
}

impl Snapshot {
    /// With room for so many addresses: a table that grows leaves the smaller ones behind for a while.
    fn for_addresses(addresses: usize) -> Self {
        Self {
            users: papaya::HashMap::with_capacity_and_hasher(addresses, BuildHasherDefault::new()),
            ..Self::default()
        }
    }

    fn share(&self, address: AddressHash, organisation: OrganisationId) {
        self.shared.pin().insert(address, organisation);
        self.shares.store(true, Ordering::Release);
    }

    fn insert(&self, user: LoadedUser) {
        if user.lists.options().black_action == Some(BlackAction::Reject) {
            self.rejects.store(true, Ordering::Relaxed);
        }
        // Most users have none, and then there is nothing to compile.
        let patterns = user.globs.iter().map(|glob| (glob.list, glob.pattern.as_str()));
        match Globs::build(patterns) {
            Ok(globs) if !user.globs.is_empty() => drop(self.globs.pin().insert(user.lists.user(), Arc::new(globs))),
            Ok(_) => drop(self.globs.pin().remove(&user.lists.user())),
            Err(error) => tracing::warn!(%error, "patterns of a user do not apply"),
        }
        let users = self.users.pin();
        for address in user.addresses {
            users.insert(address, user.lists.clone());
        }
    }
}

/// An [`AddressHash`] is a keyed hash: half of it serves as it is.
#[derive(Default)]
struct HashedAlready(u64);

impl Hasher for HashedAlready {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Who is told when an organisation changed. Called on the follower's thread, before the users of the same change.
pub trait OrganisationWatch: Send + Sync {
    /// All organisations, at the start and after a full reload.
    fn all(&self, organisations: Vec<LoadedOrganisation>);

    /// One organisation changed; `None` where it is gone.
    fn changed(&self, id: OrganisationId, organisation: Option<LoadedOrganisation>);
}

/// How the cache stands to the store.
#[derive(Debug, Clone)]
pub struct FollowerStatus {
    /// What the cache holds.
    pub position: Position,
    /// Why the store cannot be read at present, if it cannot; the cache serves what it has.
    pub trouble: Option<String>,
    /// Rows that did not carry our seal, since the last full load; such lists are not served.
    pub rejected: u64,
    /// Whether the last full load found older rows put back in place of newer ones.
    pub rolled_back: bool,
    /// Full loads so far, the first one included.
    pub loads: u64,
    /// When the store last answered what changed.
    pub answered: Option<Instant>,
}

/// The thread that keeps a cache as its store is; it ends when this is dropped.
pub struct Follower {
    status: Arc<Mutex<FollowerStatus>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Loads everything, then follows on a thread. On return the cache is complete.
    ///
    /// # Errors
    /// The store's state: a daemon that starts refuses with it.
    pub fn start(store: &dyn Store, cache: Arc<Cache>, watch: Arc<dyn OrganisationWatch>) -> Result<Self> {
        let mut following = Following { feed: store.feed()?, cache, watch, status: Arc::default() };
        following.load()?;
        let status = Arc::clone(&following.status);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("cache-follower".to_owned())
            .spawn(move || following.run(&stopped))
            .map_err(StoreError::internal)?;
        Ok(Self { status, stop, thread: Some(thread) })
    }

    /// Whether the thread lives. It ends by a fault of ours alone, and the cache then stays as it is.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// How the cache stands to the store.
    pub fn status(&self) -> FollowerStatus {
        lock(&self.status).clone()
    }

    /// Tells the same to somebody else.
    pub fn watch(&self) -> FollowerWatch {
        FollowerWatch(Arc::clone(&self.status))
    }
}

/// Sees how a follower's cache stands to the store.
#[derive(Debug, Clone)]
pub struct FollowerWatch(Arc<Mutex<FollowerStatus>>);

impl FollowerWatch {
    /// How it stands now.
    pub fn status(&self) -> FollowerStatus {
        lock(&self.0).clone()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic there was reported by the panic hook.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl Default for FollowerStatus {
    fn default() -> Self {
        let position = Position { epoch: 0, revision: 0 };
        Self { position, trouble: None, rejected: 0, rolled_back: false, loads: 0, answered: None }
    }
}

fn lock(status: &Mutex<FollowerStatus>) -> MutexGuard<'_, FollowerStatus> {
    status.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Following {
    feed: Box<dyn Feed>,
    cache: Arc<Cache>,
    watch: Arc<dyn OrganisationWatch>,
    status: Arc<Mutex<FollowerStatus>>,
}

impl Following {
    fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Acquire) {
            self.feed.wait(WAIT);
            let caught_up = self.catch_up();
            self.tell_trouble(caught_up.as_ref().err());
            if caught_up.is_err() {
                thread::park_timeout(REST);
            }
        }
    }

    fn catch_up(&mut self) -> Result<()> {
        loop {
            let after = lock(&self.status).position;
            match self.feed.changes(after, BATCH)? {
                Changes::Reload => self.load()?,
                Changes::Batch(batch) => {
                    let more = batch.more;
                    self.apply(batch);
                    if !more {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn apply(&mut self, mut batch: ChangeBatch) {
        for (id, organisation) in batch.organisations.drain(..) {
            self.watch.changed(id, organisation);
        }
        self.cache.apply(&mut batch);
        let mut status = lock(&self.status);
        status.position = batch.position;
        status.rejected += batch.rejected;
    }

    /// Builds a new generation aside and swaps it in.
    fn load(&mut self) -> Result<()> {
        let snapshot = Snapshot::for_addresses(self.feed.addresses()?);
        let report = self.feed.load(&|user| snapshot.insert(user))?;
        report.shared.iter().for_each(|(address, organisation)| snapshot.share(*address, *organisation));
        self.watch.all(report.organisations);
        self.cache.replace(snapshot);
        let mut status = lock(&self.status);
        tracing::info!(
            users = report.users,
            rejected = report.rejected,
            revision = report.position.revision,
            "lists loaded"
        );
        *status = FollowerStatus {
            position: report.position,
            trouble: status.trouble.take(),
            rejected: report.rejected,
            rolled_back: report.rolled_back,
            loads: status.loads + 1,
            answered: Some(Instant::now()),
        };
        Ok(())
    }

    /// One log line when trouble begins, one when it ends.
    fn tell_trouble(&self, error: Option<&StoreError>) {
        let mut status = lock(&self.status);
        match (&status.trouble, error) {
            (None, Some(error)) => {
                tracing::error!(%error, "the store cannot be read; the last good lists serve on");
            }
            (Some(_), None) => tracing::info!("the store can be read again"),
            _ => {}
        }
        status.trouble = error.map(ToString::to_string);
        if error.is_none() {
            status.answered = Some(Instant::now());
        }
    }
}
