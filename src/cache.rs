//! The lists of all users in memory, and the thread that keeps them as the store has them.
//!
//! Readers take no lock: a papaya map from a keyed hash of the address to the user's lists. A change replaces the lists of
//! one user; a full reload is built aside and swapped in whole. While the store is away the last good lists serve on.

use std::sync::Arc;

use crate::policy::address::Address;
use crate::policy::list::UserLists;
use crate::store::{AddressHasher, Glob, Organisation, OrganisationId, Position, Result, Store};

/// Every user's lists, for look-up without a lock.
#[derive(Debug)]
pub struct Cache {}

impl Cache {
    /// An empty cache for the addresses of one store ([`Store::address_hasher`]).
    pub fn new(hasher: AddressHasher) -> Self {
        todo!()
    }

    /// The lists of the user who has this address. Takes no lock and holds nothing but the lists themselves.
    pub fn lookup(&self, address: &Address) -> Option<UserLists> {
        todo!()
    }

    /// The glob patterns of a user whose lists say that there are some.
    pub fn globs(&self, lists: &UserLists) -> Option<Arc<[Glob]>> {
        todo!()
    }

    /// How many addresses are known.
    pub fn len(&self) -> usize {
        todo!()
    }

    /// Whether no address is known.
    pub fn is_empty(&self) -> bool {
        todo!()
    }
}

/// Who is told when an organisation changed. Called on the follower's thread, before the users of the same change.
pub trait OrganisationWatch: Send + Sync {
    /// All organisations, at the start and after a full reload.
    fn all(&self, organisations: Vec<Organisation>);

    /// One organisation changed; `None` where it is gone.
    fn changed(&self, id: OrganisationId, organisation: Option<Organisation>);
}

/// How the cache stands to the store.
#[derive(Debug, Clone)]
pub struct FollowerStatus {
    /// What the cache holds.
    pub position: Position,
    /// Why the store cannot be read at present, if it cannot; the cache serves what it has.
    pub trouble: Option<String>,
    /// Users left out of the cache because their row does not carry our seal (since the last full load).
    pub rejected: u64,
    /// Whether the last full load found older rows put back in place of newer ones.
    pub rolled_back: bool,
    /// Full loads so far, the first one included.
    pub loads: u64,
}

/// The thread that keeps a cache as its store is; it ends when this is dropped.
#[derive(Debug)]
pub struct Follower {}

impl Follower {
    /// Loads everything, then follows on a thread. On return the cache is complete.
    ///
    /// # Errors
    /// The store's state: a daemon that starts refuses with it.
    pub fn start(store: &dyn Store, cache: Arc<Cache>, watch: Arc<dyn OrganisationWatch>) -> Result<Self> {
        todo!()
    }

    /// How the cache stands to the store.
    pub fn status(&self) -> FollowerStatus {
        todo!()
    }
}
