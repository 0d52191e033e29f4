//! One user's compiled lists in one authenticated row: what a relay loads, and nothing more.
//!
//! # Layout of the lists
//! Records of 18 bytes: list (1), fingerprint (16), scope (1), sorted by their bytes.
//!
//! # What finds a row that is not ours
//! - *edited, moved or swapped*: an HMAC-SHA256 (128 bits kept) over user, organisation, options, revision, wrapped key
//!   and lists.
//! - *older than it should be*: the store keeps the sum, modulo 2^128, of a keyed hash of all rows (their user and MAC)
//!   and all journal heads, itself authenticated with the revision. A change takes the old row's share off and puts the
//!   new one's on; a full load adds all up and compares. That the whole file is an older one, followers
//!   notice by its revision.

use aws_lc_rs::hmac;
use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;

use super::keys::MatchKey;
use super::seal::Wrap;
use super::types::{OrganisationId, UserId};
use crate::policy::list::{Fingerprint, ListKind, Scope, UserLists, UserOptions};

const RECORD: usize = 18;
/// Bytes of a row's MAC.
pub const MAC: usize = 16;

/// A user's lists as they are stored.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PackedLists(Vec<u8>);

impl PackedLists {
    /// Lists as stored; `None` for bytes that are none.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        bytes.len().is_multiple_of(RECORD).then_some(Self(bytes))
    }

    /// As stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many entries a list holds.
    pub fn len(&self, list: ListKind) -> usize {
        self.records().filter(|record| record[0] == list as u8).count()
    }

    /// Whether an entry stands on a list.
    pub fn contains(&self, list: ListKind, fingerprint: Fingerprint) -> bool {
        self.find(list, fingerprint).is_ok()
    }

    /// Adds an entry; `false` where it stood there.
    pub fn insert(&mut self, list: ListKind, scope: Scope, fingerprint: Fingerprint) -> bool {
        let Err(index) = self.find(list, fingerprint) else { return false };
        let mut record = [scope.code(); RECORD];
        record[0] = list as u8;
        record[1..17].copy_from_slice(&fingerprint.to_bytes());
        self.0.splice(index * RECORD..index * RECORD, record);
        true
    }

    /// Removes an entry; `false` where it did not stand there.
    pub fn remove(&mut self, list: ListKind, fingerprint: Fingerprint) -> bool {
        let Ok(index) = self.find(list, fingerprint) else { return false };
        self.0.drain(index * RECORD..(index + 1) * RECORD);
        true
    }

    /// The entries. Records that no version of ours writes are left out.
    pub fn entries(&self) -> impl Iterator<Item = (ListKind, Scope, Fingerprint)> {
        self.records().filter_map(|record| {
            let list = *ListKind::ALL.get(usize::from(record[0]))?;
            let fingerprint = record[1..17].try_into().ok()?;
            Some((list, Scope::from_code(record[17])?, Fingerprint::from_bytes(fingerprint)))
        })
    }

    fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.0.chunks_exact(RECORD)
    }

    fn find(&self, list: ListKind, fingerprint: Fingerprint) -> Result<usize, usize> {
        let mut wanted = [list as u8; 17];
        wanted[1..].copy_from_slice(&fingerprint.to_bytes());
        let (mut low, mut high) = (0, self.0.len() / RECORD);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.0[middle * RECORD..][..17].cmp(&wanted) {
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }
}

/// A packed row.
#[derive(Clone)]
pub struct PackedRow {
    /// Whose it is.
    pub user: UserId,
    /// The user's organisation.
    pub organisation: OrganisationId,
    /// What the user chose; paused while the account is disabled.
    pub options: UserOptions,
    /// Grows with each change of this user.
    pub revision: u64,
    /// The wrapped fingerprint key.
    pub fingerprint_key: Vec<u8>,
    /// The lists.
    pub lists: PackedLists,
}

impl PackedRow {
    /// Compiles the row for look-ups; `None` where its fingerprint key was altered.
    pub fn compile(&self, wrap: &Wrap) -> Option<UserLists> {
        let key = wrap.fingerprint_key(self.organisation, self.user, &self.fingerprint_key)?;
        let (user, organisation) = (self.user.get(), self.organisation.get());
        Some(UserLists::build(user, organisation, &key, self.options, self.lists.entries()))
    }
}

/// Authenticates packed rows and their sum.
pub struct RowKeys {
    mac: hmac::Key,
    state: hmac::Key,
    share: (u64, u64),
}

impl RowKeys {
    /// The keys of one store.
    pub fn new(key: &MatchKey) -> Self {
        let hmac_key = |purpose| hmac::Key::new(hmac::HMAC_SHA256, key.derive(purpose).as_slice());
        let share = key.derive("row share");
        let (high, rest) = share.split_at(8);
        let word = |bytes: &[u8]| bytes.iter().take(8).fold(0, |word, &byte| word << 8 | u64::from(byte));
        Self { mac: hmac_key("packed row"), state: hmac_key("state"), share: (word(high), word(rest)) }
    }

    /// The MAC of a row.
    pub fn mac(&self, row: &PackedRow) -> [u8; MAC] {
        let mut context = hmac::Context::with_key(&self.mac);
        let mut header = [0; 8 + 4 + 4 + 8 + 4];
        header[..8].copy_from_slice(&row.user.get().to_be_bytes());
        header[8..12].copy_from_slice(&row.organisation.get().to_be_bytes());
        header[12..16].copy_from_slice(&row.options.to_bits().to_be_bytes());
        header[16..24].copy_from_slice(&row.revision.to_be_bytes());
        header[24..].copy_from_slice(&(row.fingerprint_key.len() as u32).to_be_bytes());
        context.update(&header);
        context.update(&row.fingerprint_key);
        context.update(row.lists.as_bytes());
        let mut mac = [0; MAC];
        mac.copy_from_slice(&context.sign().as_ref()[..MAC]);
        mac
    }

    /// Whether the row carries this MAC.
    pub fn is_ours(&self, row: &PackedRow, mac: &[u8]) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.mac(row), mac).is_ok()
    }

    /// What a packed row adds to the sum.
    pub fn share_of_row(&self, user: UserId, mac: &[u8]) -> u128 {
        self.share(b'r', user.get(), mac)
    }

    /// What the last block of an organisation's journal adds to the sum.
    pub fn share_of_head(&self, organisation: OrganisationId, hash: &[u8; 32]) -> u128 {
        self.share(b'h', u64::from(organisation.get()), hash)
    }

    fn share(&self, kind: u8, owner: u64, bytes: &[u8]) -> u128 {
        let mut hasher = SipHasher24::new_with_keys(self.share.0, self.share.1);
        hasher.write(&[kind]);
        hasher.write(&owner.to_be_bytes());
        hasher.write(bytes);
        hasher.finish128().as_u128()
    }

    /// The MAC over the store's state.
    pub fn state_mac(&self, state: &State) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.state);
        context.update(&state.epoch.to_be_bytes());
        context.update(&state.revision.to_be_bytes());
        context.update(&state.journal.to_be_bytes());
        context.update(&state.sum.to_be_bytes());
        context.sign().as_ref().to_vec()
    }
}

/// What each transaction moves on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Of the store.
    pub epoch: u128,
    /// Of the last change.
    pub revision: u64,
    /// Id of the last row of the journal.
    pub journal: u64,
    /// Of all packed rows and journal heads.
    pub sum: u128,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> PackedRow {
        let mut lists = PackedLists::default();
        for n in (0..50u8).rev() {
            let list = ListKind::ALL[usize::from(n) % 3];
            assert!(lists.insert(list, Scope::Address, Fingerprint::from_bytes([n; 16])));
        }
        PackedRow {
            user: UserId::new(1).expect("63 bits"),
            organisation: OrganisationId::new(2),
            options: UserOptions::default(),
            revision: 3,
            fingerprint_key: vec![4; 44],
            lists,
        }
    }

    #[test]
    fn entries_are_found_on_their_own_list() {
        let mut lists = row().lists;
        let of = |n| Fingerprint::from_bytes([n; 16]);
        assert!(lists.contains(ListKind::White, of(3)) && !lists.contains(ListKind::Black, of(3)));
        assert!(!lists.insert(ListKind::White, Scope::Address, of(3)));
        assert!(lists.remove(ListKind::White, of(3)) && !lists.remove(ListKind::White, of(3)));
        assert_eq!(ListKind::ALL.map(|list| lists.len(list)), [16, 17, 16]);
        let again = PackedLists::from_bytes(lists.as_bytes().to_vec()).expect("whole records");
        assert_eq!(again.entries().count(), 49);
        assert!(PackedLists::from_bytes(vec![0; 19]).is_none());
    }

    #[test]
    fn any_edit_breaks_the_mac() {
        let keys = RowKeys::new(&MatchKey::from_bytes([9; 32]));
        let mac = keys.mac(&row());
        assert!(keys.is_ours(&row(), &mac));
        let edits: [fn(&mut PackedRow); 6] = [
            |row| row.user = UserId::new(5).expect("63 bits"),
            |row| row.organisation = OrganisationId::new(5),
            |row| row.options.paused = true,
            |row| row.revision += 1,
            |row| row.fingerprint_key[0] ^= 1,
            |row| assert!(row.lists.remove(ListKind::White, Fingerprint::from_bytes([0; 16]))),
        ];
        for edit in edits {
            let mut row = row();
            edit(&mut row);
            assert!(!keys.is_ours(&row, &mac));
        }
        assert!(!keys.is_ours(&row(), &mac[..15]));
        assert!(!RowKeys::new(&MatchKey::from_bytes([8; 32])).is_ours(&row(), &mac));
    }

    proptest::proptest! {
        #[test]
        fn packed_lists_behave_as_a_set(edits in proptest::collection::vec((0u8..20, 0usize..3, proptest::bool::ANY), 0..80)) {
            let mut lists = PackedLists::default();
            let mut set = std::collections::BTreeSet::new();
            for (n, list, add) in edits {
                let fingerprint = Fingerprint::from_bytes([n; 16]);
                let kind = ListKind::ALL[list];
                if add {
                    proptest::prop_assert_eq!(lists.insert(kind, Scope::Domain, fingerprint), set.insert((list, n)));
                } else {
                    proptest::prop_assert_eq!(lists.remove(kind, fingerprint), set.remove(&(list, n)));
                }
            }
            let found: Vec<_> = lists.entries().map(|(l, _, f)| (l as usize, f.to_bytes()[0])).collect();
            proptest::prop_assert_eq!(found, set.into_iter().collect::<Vec<_>>());
        }
    }
}
