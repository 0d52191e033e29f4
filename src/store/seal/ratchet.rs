//! Rows that are written one by one over hours, by a process that must not be able to read back what it wrote.
//!
//! A *chain* begins with one ephemeral X25519 key and its agreement with the user's public key (HKDF-SHA256, salt: both
//! public keys); the private half is forgotten at once. From each chain key two are derived: the key of one row
//! (ChaCha20-Poly1305, nonce 0, used once) and the next chain key, which takes the place of the one before. So whoever
//! seizes the process opens nothing that was written earlier, and the private key opens all of it.

use std::fmt;

use aws_lc_rs::aead::CHACHA20_POLY1305;
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use zeroize::Zeroizing;

use super::{KEY, Place, StoreError, aead, counter, defect, public_of};
use crate::store::error::Result;
use crate::store::keys::{KeyError, derive};

/// Rows of one chain. Opening the last derives as many keys, about a microsecond each.
pub const CHAIN: u32 = 1024;

const ROW_KEY: &[u8] = b"row";
const NEXT_KEY: &[u8] = b"next";

/// The key of a chain at one position. The one before cannot be found from it.
struct ChainKey(Zeroizing<[u8; KEY]>);

impl ChainKey {
    /// The first one.
    fn agreed(private: &PrivateKey, peer: &[u8; KEY], ephemeral: &[u8; KEY], public: &[u8; KEY]) -> Result<Self> {
        let salt = [*ephemeral, *public].concat();
        let derived = |secret: &[u8]| Ok(derive(secret, &salt, &[b"perso-milter chain 1"]));
        let failed = StoreError::internal("key agreement");
        agree(private, UnparsedPublicKey::new(&X25519, peer), failed, derived).map(Self)
    }

    fn derive(&self, purpose: &[u8]) -> Zeroizing<[u8; KEY]> {
        derive(self.0.as_slice(), b"perso-milter chain step 1", &[purpose])
    }

    /// The key of this position's row; the chain's key becomes the next, and this one is wiped.
    fn step(&mut self) -> Zeroizing<[u8; KEY]> {
        let row = self.derive(ROW_KEY);
        self.0 = self.derive(NEXT_KEY);
        row
    }
}

/// Seals rows for one user, in their order.
pub struct Chain {
    key: ChainKey,
    ephemeral: [u8; KEY],
    next: u32,
}

impl Chain {
    /// A chain for the holder of `public`, under a fresh ephemeral key.
    ///
    /// # Errors
    /// No randomness, or `public` is no key.
    pub fn new(public: &[u8; KEY]) -> Result<Self> {
        let private = PrivateKey::generate(&X25519).map_err(|_| KeyError::Randomness)?;
        let ephemeral = public_of(&private)?;
        Ok(Self { key: ChainKey::agreed(&private, public, &ephemeral, public)?, ephemeral, next: 0 })
    }

    /// The chain's public key, which opening needs.
    pub fn ephemeral(&self) -> [u8; KEY] {
        self.ephemeral
    }

    /// Whether another chain has to be begun.
    pub fn is_full(&self) -> bool {
        self.next >= CHAIN
    }

    /// Seals a row and forgets its key; answers with its position as well.
    ///
    /// # Errors
    /// The chain is full.
    pub fn seal(&mut self, place: &Place, plain: &[u8]) -> Result<(u32, Vec<u8>)> {
        if self.is_full() {
            return Err(StoreError::internal("a chain is full"));
        }
        let position = self.next;
        self.next += 1;
        let key = aead(&self.key.step())?;
        let mut bytes = Vec::with_capacity(plain.len() + CHACHA20_POLY1305.tag_len());
        bytes.extend_from_slice(plain);
        key.seal_in_place_append_tag(counter(0), place.associated(), &mut bytes).map_err(defect)?;
        Ok((position, bytes))
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chain(hidden, at {})", self.next)
    }
}

/// The private key whose holder reads, with its public half, which is costly to find.
pub struct Reader {
    private: PrivateKey,
    public: [u8; KEY],
}

impl Reader {
    /// Reads with a private key.
    ///
    /// # Errors
    /// It is none.
    pub fn new(private: &[u8; KEY]) -> Result<Self> {
        let private = PrivateKey::from_private_key(&X25519, private).map_err(defect)?;
        let public = public_of(&private)?;
        Ok(Self { private, public })
    }

    /// The public half.
    pub fn public(&self) -> &[u8; KEY] {
        &self.public
    }
}

/// Opens the rows of one chain, in any order. Going back begins anew.
pub struct ChainOpener {
    first: Zeroizing<[u8; KEY]>,
    at: ChainKey,
    next: u32,
}

impl ChainOpener {
    /// The chain of this ephemeral key.
    ///
    /// # Errors
    /// `ephemeral` is no key: the row was altered.
    pub fn new(reader: &Reader, ephemeral: &[u8; KEY]) -> Result<Self> {
        let key = ChainKey::agreed(&reader.private, ephemeral, ephemeral, &reader.public)?;
        Ok(Self { first: key.0.clone(), at: key, next: 0 })
    }

    /// The row at a position; `None` where it is not what was sealed there.
    pub fn open(&mut self, place: &Place, position: u32, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        if position >= CHAIN {
            return None;
        }
        if position < self.next {
            (self.at, self.next) = (ChainKey(self.first.clone()), 0);
        }
        while self.next < position {
            self.at.step();
            self.next += 1;
        }
        let key = self.at.step();
        self.next += 1;
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let length = aead(&key).ok()?.open_in_place(counter(0), place.associated(), &mut bytes).ok()?.len();
        bytes.truncate(length);
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Field, key_pair};
    use super::*;
    use crate::store::types::{OrganisationId, UserId};

    fn place(user: u64) -> Place {
        let user = UserId::new(user).expect("63 bits");
        Place { organisation: OrganisationId::new(1), user, field: Field::Activity }
    }

    fn opener_of(private: &[u8; KEY], chain: &Chain) -> ChainOpener {
        let reader = Reader::new(private).expect("a key");
        ChainOpener::new(&reader, &chain.ephemeral()).expect("an opener")
    }

    fn sealed(chain: &mut Chain, rows: u32) -> Vec<(u32, Vec<u8>)> {
        (0..rows).map(|n| chain.seal(&place(2), format!("row {n}").as_bytes()).expect("sealed")).collect()
    }

    #[test]
    fn the_private_key_opens_every_row_in_any_order() {
        let (private, public) = key_pair().expect("keys");
        let mut chain = Chain::new(&public).expect("a chain");
        let rows = sealed(&mut chain, 20);
        let mut opener = opener_of(&private, &chain);
        for n in [19, 0, 7, 8, 3, 19] {
            let (position, bytes) = &rows[n];
            let opened = opener.open(&place(2), *position, bytes).expect("opens");
            assert_eq!(opened.as_slice(), format!("row {n}").as_bytes());
            assert!(opener.open(&place(3), *position, bytes).is_none(), "another user's row");
            assert!(opener.open(&place(2), position + 1, bytes).is_none(), "another row's place");
        }
        let (stranger, _) = key_pair().expect("keys");
        let mut stranger = opener_of(&stranger, &chain);
        assert!(stranger.open(&place(2), 0, &rows[0].1).is_none());
    }

    /// What a process holds after a row opens the rows to come, and none that is written.
    #[test]
    fn what_the_writer_holds_opens_nothing_earlier() {
        let (_, public) = key_pair().expect("keys");
        let mut chain = Chain::new(&public).expect("a chain");
        let rows = sealed(&mut chain, 5);
        let seized = chain.key.0.clone();
        let later = chain.seal(&place(2), b"later").expect("sealed");
        let open_from_seized = |sealed: &[u8]| {
            let mut opener = ChainOpener { first: seized.clone(), at: ChainKey(seized.clone()), next: 0 };
            // Every key that can be derived from what was seized.
            (0..CHAIN).any(|position| opener.open(&place(2), position, sealed).is_some())
        };
        assert!(open_from_seized(&later.1));
        for (position, bytes) in &rows {
            assert!(!open_from_seized(bytes), "row {position}");
        }
    }

    #[test]
    fn a_full_chain_takes_no_more() {
        let (private, public) = key_pair().expect("keys");
        let mut chain = Chain::new(&public).expect("a chain");
        let rows = sealed(&mut chain, CHAIN);
        assert!(chain.is_full() && chain.seal(&place(2), b"x").is_err());
        let mut opener = opener_of(&private, &chain);
        let (position, bytes) = rows.last().expect("rows");
        assert!(opener.open(&place(2), *position, bytes).is_some());
        assert!(opener.open(&place(2), CHAIN, bytes).is_none());
    }
}
