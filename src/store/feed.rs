//! How a store tells what changed: a position, changes after it, and a full load.

use std::fmt;
use std::hash::Hasher;
use std::time::Duration;

use siphasher::sip128::{Hasher128, SipHasher24};
use zeroize::Zeroizing;

use super::error::Result;
use super::types::{Organisation, OrganisationId, OwnEntry, UserId};
use crate::policy::address::Address;
use crate::policy::list::{ListKind, UserLists};

/// Where a follower stands. Positions of different epochs cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Random, chosen when the store was created.
    pub epoch: u128,
    /// Grows by one with each change.
    pub revision: u64,
}

/// 128 bits that stand for a user's address in the cache and in the change feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressHash(pub(crate) u128);

/// Hashes users' addresses under a key that is derived from `match.key`.
///
/// The change feed tells the hash of a removed address, never the address: erasure leaves nothing to read there.
#[derive(Clone)]
pub struct AddressHasher(u64, u64);

impl AddressHasher {
    /// A hasher under a key of 16 bytes.
    pub fn new(key: [u8; 16]) -> Self {
        let whole = u128::from_le_bytes(key);
        Self(whole as u64, (whole >> 64) as u64)
    }

    /// The hash of an address.
    pub fn of(&self, address: &Address) -> AddressHash {
        self.of_text(address.as_str())
    }

    /// The hash of an address that is known to be in normal form.
    pub(crate) fn of_text(&self, normal: &str) -> AddressHash {
        let mut hasher = SipHasher24::new_with_keys(self.0, self.1);
        hasher.write(normal.as_bytes());
        AddressHash(hasher.finish128().as_u128())
    }
}

impl fmt::Debug for AddressHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressHasher(hidden)")
    }
}

/// A glob pattern of a user, which cannot be fingerprinted. It is wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Glob {
    /// The list it stands on.
    pub list: ListKind,
    /// The pattern, in lower case.
    pub pattern: Zeroizing<String>,
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Glob({}, hidden)", self.list)
    }
}

/// What the cache holds of one user.
#[derive(Debug, Clone)]
pub struct LoadedUser {
    /// The compiled lists; those of a disabled user are paused.
    pub lists: UserLists,
    /// The primary address and the aliases.
    pub addresses: Vec<AddressHash>,
    /// Glob patterns; most users have none.
    pub globs: Vec<Glob>,
}

/// What the relay goes by of one organisation.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedOrganisation {
    /// What is set for it.
    pub organisation: Organisation,
    /// Its own lists, sorted.
    pub own_lists: Vec<OwnEntry>,
}

/// What a full load found.
#[derive(Debug, Clone)]
pub struct LoadReport {
    /// Changes after this one are still to be applied.
    pub position: Position,
    /// Users handed out.
    pub users: u64,
    /// Users whose rows do not carry our seal; they are not served.
    pub rejected: u64,
    /// Rows that once were ours were put back in place of newer ones.
    pub rolled_back: bool,
    /// All organisations.
    pub organisations: Vec<LoadedOrganisation>,
    /// All shared addresses, each with its organisation.
    pub shared: Vec<(AddressHash, OrganisationId)>,
}

/// What happened after a position.
#[derive(Debug)]
pub enum Changes {
    /// The position is of another epoch, ahead of the store, or behind what the feed still keeps.
    Reload,
    /// These changes; nothing else changed.
    Batch(ChangeBatch),
}

/// Changes, with the present state of whatever they name.
#[derive(Debug)]
pub struct ChangeBatch {
    /// Users named; `None` where they are gone, or their row does not carry our seal.
    pub users: Vec<(UserId, Option<LoadedUser>)>,
    /// Addresses that a user lost, perhaps to another one.
    pub removed: Vec<(AddressHash, UserId)>,
    /// Addresses that became shared in an organisation or (`None`) no longer are, in the order in which it happened.
    pub shared: Vec<(AddressHash, Option<OrganisationId>)>,
    /// Organisations named; `None` where they are gone.
    pub organisations: Vec<(OrganisationId, Option<LoadedOrganisation>)>,
    /// Users among `users` whose row does not carry our seal.
    pub rejected: u64,
    /// Where the follower stands after this batch.
    pub position: Position,
    /// Whether more may follow at once.
    pub more: bool,
}

/// A follower's own connection to the store.
pub trait Feed: Send {
    /// Waits until something may have changed, at most `limit`. It is only a hint to ask for [`Self::changes`]:
    /// it may come without a change.
    fn wait(&mut self, limit: Duration);

    /// How many addresses users have; what a load hands out may differ by what changes meanwhile.
    ///
    /// # Errors
    /// The store's state.
    fn addresses(&mut self) -> Result<usize>;

    /// Reads everything, handing each user to `sink`, from several threads at once.
    ///
    /// # Errors
    /// The store's state; `sink` may have been called.
    fn load(&mut self, sink: &(dyn Fn(LoadedUser) + Sync)) -> Result<LoadReport>;

    /// At most `limit` changes after `after`.
    ///
    /// # Errors
    /// The store's state.
    fn changes(&mut self, after: Position, limit: usize) -> Result<Changes>;
}
