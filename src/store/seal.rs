//! Values that only their user can read: X25519 sealed boxes, and the wraps around keys.
//!
//! A *batch* is what one change seals for one user: one ephemeral X25519 key, from whose agreement with the user's
//! public key HKDF-SHA256 (salt: both public keys) makes a ChaCha20-Poly1305 key. Within a batch the nonce is a counter,
//! the *position*. Associated data is the key version, organisation, user and field, so that a sealed value that is moved to
//! another row does not open. Plain text is padded to steps of 32 bytes: its length tells little.
//!
//! The user's private key is sealed the same way to the store's seal key. A *wrap* is ChaCha20-Poly1305 under a key
//! derived from `match.key`, with a random nonce before it: for fingerprint keys and glob patterns. Rows of activity have
//! their own way (`ratchet`).

pub mod ratchet;

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::encoding::{AsBigEndian, Curve25519SeedBin};
use zeroize::Zeroizing;

use super::accounts::SecretKind;
use super::error::{Result, StoreError};
use super::keys::{KeyError, MatchKey, SealKey, derive, random};
use super::types::{OrganisationId, UserId};
use crate::policy::list::{FingerprintKey, ListKind};

/// Bytes of an X25519 key.
pub const KEY: usize = 32;
const VERSION: u8 = 1;
const PAD: usize = 32;

/// What a sealed or wrapped value is: a value does not open as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The value of an entry.
    Entry,
    /// The payload of a row of the journal.
    Journal,
    /// A user's private key.
    PrivateKey,
    /// A user's fingerprint key.
    FingerprintKey,
    /// A glob pattern on this list.
    Pattern(ListKind),
    /// A user's lock key, sealed to the store.
    LockKey,
    /// A user's lock key, wrapped under a secret of this kind.
    WrappedLockKey(SecretKind),
    /// A row of activity.
    Activity,
    /// A user's note.
    Note,
}

/// Where a sealed or wrapped value belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The user's organisation.
    pub organisation: OrganisationId,
    /// The user.
    pub user: UserId,
    /// What it is.
    pub field: Field,
}

impl Place {
    fn associated(&self) -> Aad<[u8; 14]> {
        let field = match self.field {
            Field::Entry => 1,
            Field::Journal => 2,
            Field::PrivateKey => 3,
            Field::FingerprintKey => 4,
            Field::Pattern(list) => 16 + list as u8,
            Field::LockKey => 32,
            Field::Activity => 64,
            Field::WrappedLockKey(kind) => 33 + kind.code(),
            Field::Note => 20,
        };
        let mut data = [VERSION; 14];
        data[1..5].copy_from_slice(&self.organisation.get().to_be_bytes());
        data[5..13].copy_from_slice(&self.user.get().to_be_bytes());
        data[13] = field;
        Aad::from(data)
    }
}

/// A fresh X25519 key pair: private, public.
pub fn key_pair() -> Result<(Zeroizing<[u8; KEY]>, [u8; KEY])> {
    let private = PrivateKey::generate(&X25519).map_err(|_| KeyError::Randomness)?;
    let seed: Curve25519SeedBin<'_> = private.as_be_bytes().map_err(defect)?;
    let mut bytes = Zeroizing::new([0; KEY]);
    bytes.copy_from_slice(seed.as_ref());
    Ok((bytes, public_of(&private)?))
}

/// The public half of a private key.
pub fn public_key(private: &[u8; KEY]) -> Result<[u8; KEY]> {
    public_of(&PrivateKey::from_private_key(&X25519, private).map_err(defect)?)
}

fn public_of(private: &PrivateKey) -> Result<[u8; KEY]> {
    private.compute_public_key().map_err(defect)?.as_ref().try_into().map_err(defect)
}

fn agreed(private: &PrivateKey, peer: &[u8; KEY], ephemeral: &[u8; KEY], public: &[u8; KEY]) -> Result<LessSafeKey> {
    let salt = [*ephemeral, *public].concat();
    let derived = |secret: &[u8]| Ok(derive(secret, &salt, &[b"perso-milter sealed box 1"]));
    let key = agree(private, UnparsedPublicKey::new(&X25519, peer), StoreError::internal("key agreement"), derived)?;
    aead(&key)
}

fn aead(key: &[u8; KEY]) -> Result<LessSafeKey> {
    UnboundKey::new(&CHACHA20_POLY1305, key).map(LessSafeKey::new).map_err(defect)
}

fn defect(_: impl Sized) -> StoreError {
    StoreError::internal("a cryptographic operation that cannot fail failed")
}

fn counter(position: u32) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[..4].copy_from_slice(&position.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

/// Seals the values of one batch.
pub struct Sealer {
    key: LessSafeKey,
    ephemeral: [u8; KEY],
    next: u32,
}

impl Sealer {
    /// A batch for the holder of `public`, under a fresh ephemeral key.
    ///
    /// # Errors
    /// No randomness, or `public` is no key.
    pub fn new(public: &[u8; KEY]) -> Result<Self> {
        let private = PrivateKey::generate(&X25519).map_err(|_| KeyError::Randomness)?;
        let ephemeral = public_of(&private)?;
        Ok(Self { key: agreed(&private, public, &ephemeral, public)?, ephemeral, next: 0 })
    }

    /// The batch's public key, which opening needs.
    pub fn ephemeral(&self) -> [u8; KEY] {
        self.ephemeral
    }

    /// Seals a value; answers with its position in the batch as well.
    ///
    /// # Errors
    /// The batch is full (2^32 values).
    pub fn seal(&mut self, place: &Place, plain: &[u8]) -> Result<(u32, Vec<u8>)> {
        let position = self.next;
        self.next = position.checked_add(1).ok_or_else(|| StoreError::internal("a batch is full"))?;
        let mut bytes = Vec::with_capacity(plain.len() + PAD + CHACHA20_POLY1305.tag_len());
        bytes.extend_from_slice(plain);
        bytes.resize((plain.len() + 1).next_multiple_of(PAD), 0);
        bytes[plain.len()] = 0x80; // ISO/IEC 7816-4 padding
        self.key.seal_in_place_append_tag(counter(position), place.associated(), &mut bytes).map_err(defect)?;
        Ok((position, bytes))
    }
}

/// A private key that opens batches, with its public half.
pub struct KeyPair {
    private: PrivateKey,
    public: [u8; KEY],
}

impl KeyPair {
    /// That of a private key.
    ///
    /// # Errors
    /// None that is known; the cryptographic library's type says so.
    pub fn of(private: &[u8; KEY]) -> Result<Self> {
        let private = PrivateKey::from_private_key(&X25519, private).map_err(defect)?;
        Ok(Self { public: public_of(&private)?, private })
    }

    /// Opens the batch of this ephemeral key.
    ///
    /// # Errors
    /// `ephemeral` is no key: the row was altered.
    pub fn opener(&self, ephemeral: &[u8; KEY]) -> Result<Opener> {
        agreed(&self.private, ephemeral, ephemeral, &self.public).map(Opener)
    }
}

/// Opens the values of one batch.
pub struct Opener(LessSafeKey);

impl Opener {
    /// The value at a position, opened where it lies; `None` where it is not what was sealed there.
    pub fn open(&self, place: &Place, position: u32, sealed: Vec<u8>) -> Option<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(sealed);
        let padded = self.0.open_in_place(counter(position), place.associated(), &mut bytes).ok()?;
        let end = padded.iter().rposition(|&byte| byte != 0)?;
        if padded[end] != 0x80 {
            return None;
        }
        bytes.truncate(end);
        Some(bytes)
    }
}

/// Seals users' private keys to the store's seal key: the ephemeral key and the position stand before the box.
pub struct PrivateKeySealer(Sealer);

impl PrivateKeySealer {
    /// For one user, or a chunk of them.
    ///
    /// # Errors
    /// See [`Sealer::new`].
    pub fn new(seal_public: &[u8; KEY]) -> Result<Self> {
        Sealer::new(seal_public).map(Self)
    }

    /// Seals a user's private key.
    ///
    /// # Errors
    /// See [`Sealer::seal`].
    pub fn seal(&mut self, organisation: OrganisationId, user: UserId, private: &[u8; KEY]) -> Result<Vec<u8>> {
        self.seal_at(&Place { organisation, user, field: Field::PrivateKey }, private)
    }

    /// Seals another key of a user's.
    ///
    /// # Errors
    /// See [`Sealer::seal`].
    pub fn seal_at(&mut self, place: &Place, key: &[u8; KEY]) -> Result<Vec<u8>> {
        let (position, sealed) = self.0.seal(place, key)?;
        Ok([&self.0.ephemeral()[..], &position.to_be_bytes(), &sealed].concat())
    }
}

/// Opens what [`PrivateKeySealer::seal`] sealed; `None` where it was altered.
pub fn open_private_key(
    key: &SealKey,
    organisation: OrganisationId,
    user: UserId,
    sealed: &[u8],
) -> Option<Zeroizing<[u8; KEY]>> {
    open_key(key, &Place { organisation, user, field: Field::PrivateKey }, sealed)
}

/// Opens what [`PrivateKeySealer::seal_at`] sealed; `None` where it was altered.
pub fn open_key(key: &SealKey, place: &Place, sealed: &[u8]) -> Option<Zeroizing<[u8; KEY]>> {
    let (ephemeral, rest) = sealed.split_first_chunk::<KEY>()?;
    let (position, sealed) = rest.split_first_chunk::<4>()?;
    let opener = KeyPair::of(key.bytes()).ok()?.opener(ephemeral).ok()?;
    let opened = opener.open(place, u32::from_be_bytes(*position), sealed.to_vec())?;
    let mut private = Zeroizing::new([0; KEY]);
    private.copy_from_slice(opened.get(..KEY)?);
    Some(private)
}

/// Wraps small secrets: those that matching needs under a key derived from `match.key`, those of the personal lock under
/// keys of the user's own.
pub struct Wrap(LessSafeKey);

impl Wrap {
    /// The wrap of one store.
    ///
    /// # Errors
    /// None that is known; the cryptographic library's type says so.
    pub fn new(key: &MatchKey) -> Result<Self> {
        Self::of_key(&key.derive("wrap"))
    }

    /// The wrap under another key.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_key(key: &[u8; KEY]) -> Result<Self> {
        aead(key).map(Self)
    }

    /// Wraps bytes for their place.
    ///
    /// # Errors
    /// No randomness.
    pub fn wrap(&self, place: &Place, plain: &[u8]) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut bytes = Vec::with_capacity(NONCE_LEN + plain.len() + CHACHA20_POLY1305.tag_len());
        bytes.extend_from_slice(&nonce);
        let mut sealed = plain.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0.seal_in_place_append_tag(nonce, place.associated(), &mut sealed).map_err(defect)?;
        bytes.append(&mut sealed);
        Ok(bytes)
    }

    /// What was wrapped; `None` where it was altered or belongs elsewhere.
    pub fn unwrap(&self, place: &Place, wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = wrapped.split_first_chunk::<NONCE_LEN>()?;
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.0.open_in_place(nonce, place.associated(), &mut bytes).ok()?.len();
        bytes.truncate(length);
        Some(bytes)
    }

    /// A fresh fingerprint key for a user, wrapped.
    ///
    /// # Errors
    /// No randomness.
    pub fn new_fingerprint_key(&self, organisation: OrganisationId, user: UserId) -> Result<Vec<u8>> {
        let key = Zeroizing::new(random::<16>()?);
        self.wrap(&Place { organisation, user, field: Field::FingerprintKey }, key.as_slice())
    }

    /// The fingerprint key of a user; `None` where it was altered.
    pub fn fingerprint_key(
        &self,
        organisation: OrganisationId,
        user: UserId,
        wrapped: &[u8],
    ) -> Option<FingerprintKey> {
        let (nonce, sealed) = wrapped.split_first_chunk::<NONCE_LEN>()?;
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.copy_from_slice(sealed.get(..32).filter(|_| sealed.len() == 32)?);
        let place = Place { organisation, user, field: Field::FingerprintKey };
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let key = self.0.open_in_place(nonce, place.associated(), bytes.as_mut_slice()).ok()?;
        Some(FingerprintKey::from_bytes((&*key).try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(organisation: u32, user: u64, field: Field) -> Place {
        let user = UserId::new(user).expect("63 bits");
        Place { organisation: OrganisationId::new(organisation), user, field }
    }

    #[test]
    fn a_batch_opens_with_the_private_key_at_its_own_place_alone() {
        let (private, public) = key_pair().expect("keys");
        assert_eq!(public_key(&private).expect("public"), public);
        let mut sealer = Sealer::new(&public).expect("sealer");
        let here = place(1, 2, Field::Entry);
        let values = ["maman@famille.example", "", "ends in zero\0", &"x".repeat(500)];
        let sealed: Vec<_> = values.iter().map(|v| sealer.seal(&here, v.as_bytes()).expect("sealed")).collect();
        let opener = KeyPair::of(&private).expect("keys").opener(&sealer.ephemeral()).expect("opener");
        for (value, (position, bytes)) in values.iter().zip(&sealed) {
            let open = |place: &Place, position| opener.open(place, position, bytes.clone());
            assert_eq!(open(&here, *position).expect("opens").as_slice(), value.as_bytes());
            for other in [place(2, 2, Field::Entry), place(1, 3, Field::Entry), place(1, 2, Field::Journal)] {
                assert!(open(&other, *position).is_none());
            }
            assert!(open(&here, position + 1).is_none());
        }
        let (stranger, _) = key_pair().expect("keys");
        let stranger = KeyPair::of(&stranger).expect("keys").opener(&sealer.ephemeral()).expect("opener");
        assert!(stranger.open(&here, 0, sealed[0].1.clone()).is_none());
        assert!(opener.open(&here, 0, Vec::new()).is_none());
    }

    #[test]
    fn length_tells_little() {
        let (_, public) = key_pair().expect("keys");
        let mut sealer = Sealer::new(&public).expect("sealer");
        let mut length = |text: &str| sealer.seal(&place(1, 2, Field::Entry), text.as_bytes()).expect("sealed").1.len();
        assert_eq!(length("a@b.c"), length("somebody.longer@d.example"));
    }

    #[test]
    fn a_private_key_opens_with_the_seal_key_alone() {
        let (private, public) = key_pair().expect("keys");
        let (organisation, user) = (OrganisationId::new(1), UserId::new(2).expect("63 bits"));
        let mut sealer = PrivateKeySealer::new(&public).expect("sealer");
        let first = sealer.seal(organisation, user, &[7; KEY]).expect("sealed");
        let second = sealer.seal(organisation, user, &[8; KEY]).expect("sealed");
        let key = SealKey::from_bytes(*private);
        let open = |sealed: &[u8]| open_private_key(&key, organisation, user, sealed).map(|key| *key);
        assert_eq!((open(&first), open(&second)), (Some([7; KEY]), Some([8; KEY])));
        assert_eq!(open(&first[..first.len() - 1]), None);
        assert_eq!(open(&[]), None);
    }

    #[test]
    fn a_wrapped_fingerprint_key_stays_with_its_user() {
        let wrap = Wrap::new(&MatchKey::from_bytes([1; 32])).expect("wrap");
        let (organisation, user) = (OrganisationId::new(1), UserId::new(2).expect("63 bits"));
        let wrapped = wrap.new_fingerprint_key(organisation, user).expect("wrapped");
        assert!(wrap.fingerprint_key(organisation, user, &wrapped).is_some());
        assert!(wrap.fingerprint_key(OrganisationId::new(2), user, &wrapped).is_none());
        assert!(wrap.fingerprint_key(organisation, user, &wrapped[1..]).is_none());
        let other = Wrap::new(&MatchKey::from_bytes([2; 32])).expect("wrap");
        assert!(other.fingerprint_key(organisation, user, &wrapped).is_none());
    }
}
