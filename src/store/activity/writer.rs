//! The sealing of rows: whichever store they go to.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::super::error::Result;
use super::super::keys;
use super::super::seal::ratchet::Chain;
use super::super::seal::{Field, KEY, Place};
use super::super::types::{OrganisationId, UserId};
use super::Activity;

/// How long a chain is used, in seconds.
const CHAIN_TIME: i64 = 3600;
/// Chains that a writer holds at once; with more users than that it begins anew.
const CHAINS: usize = 16_384;

/// What a relay writes activity with: the keys of the rows to come, and of none that is written already.
#[derive(Default)]
pub struct ActivityWriter {
    chains: HashMap<UserId, UserChain>,
    /// Some row could not be sealed.
    has_failed: bool,
}

/// The chain under way of one user.
struct UserChain {
    id: i64,
    public: [u8; KEY],
    begun: i64,
    chain: Chain,
}

impl UserChain {
    fn new(begun: i64, public: &[u8; KEY]) -> Result<Self> {
        let id = i64::from_be_bytes(keys::random()?);
        Ok(Self { id, public: *public, begun, chain: Chain::new(public)? })
    }
}

/// A row on its way into the store.
pub(crate) struct SealedRow {
    pub(crate) user: UserId,
    pub(crate) day: Date,
    pub(crate) chain: i64,
    pub(crate) ephemeral: [u8; KEY],
    pub(crate) position: u32,
    pub(crate) sealed: Vec<u8>,
}

/// A user's organisation and public key.
pub(crate) type PublicKey = (OrganisationId, [u8; KEY]);

/// The day of a time, in UTC.
pub(crate) fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

impl ActivityWriter {
    /// Seals a row to the user's public key as it is now; `None` where that is no key any more, which is said once.
    pub(crate) fn seal(
        &mut self,
        now: Timestamp,
        user: UserId,
        key: &PublicKey,
        activity: &Activity,
    ) -> Option<SealedRow> {
        match self.try_seal(now, user, key, activity) {
            Ok(row) => Some(row),
            Err(error) => {
                if !std::mem::replace(&mut self.has_failed, true) {
                    tracing::warn!(%user, %error, "what becomes of a user's messages cannot be sealed to their key");
                }
                None
            }
        }
    }

    fn try_seal(
        &mut self,
        now: Timestamp,
        user: UserId,
        (organisation, public): &PublicKey,
        activity: &Activity,
    ) -> Result<SealedRow> {
        let now = now.as_second();
        let is_usable =
            |known: &UserChain| known.public == *public && !known.chain.is_full() && now - known.begun < CHAIN_TIME;
        if !self.chains.get(&user).is_some_and(is_usable) {
            self.chains.remove(&user);
            self.make_room(now);
        }
        let known = match self.chains.entry(user) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(UserChain::new(now, public)?),
        };
        let place = Place { organisation: *organisation, user, field: Field::Activity };
        let (position, sealed) = known.chain.seal(&place, &activity.to_row())?;
        let (chain, ephemeral) = (known.id, known.chain.ephemeral());
        Ok(SealedRow { user, day: day(activity.at), chain, ephemeral, position, sealed })
    }

    fn make_room(&mut self, now: i64) {
        if self.chains.len() >= CHAINS {
            self.chains.retain(|_, known| now - known.begun < CHAIN_TIME);
        }
        if self.chains.len() >= CHAINS {
            self.chains.clear();
        }
    }
}

impl fmt::Debug for ActivityWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ActivityWriter(hidden)")
    }
}
