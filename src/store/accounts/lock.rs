//! The lock key: who carries it, and how it is wrapped.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::super::error::Result;
use super::super::keys::{SealKey, derive, random};
use super::super::seal::{Field, KEY, Place, PrivateKeySealer, Wrap, open_key};
use super::super::types::{OrganisationId, UserId};
use super::secret::SecretKind;

/// Whether a user's lists open with the user's own secrets alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockState {
    /// They open for the user's session, however it was opened.
    Off,
    /// They open for a session that was opened with a secret.
    On,
}

/// That a user who lost every secret waits to start anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreshStart {
    /// When it was asked for.
    pub asked: Timestamp,
    /// When it is made.
    pub due: Timestamp,
}

/// What a secret gives: the user's lock key. A session that was opened with a secret carries it.
#[derive(Clone)]
pub struct UserKey(Zeroizing<[u8; KEY]>);

impl UserKey {
    /// The key that [`Self::to_bytes`] gave.
    pub fn from_bytes(bytes: [u8; KEY]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// To be kept under a key that is kept nowhere, as [`super::SessionKey`] does.
    pub fn to_bytes(&self) -> Zeroizing<[u8; KEY]> {
        self.0.clone()
    }

    /// A fresh one.
    pub(crate) fn random() -> Result<Self> {
        Ok(Self(Zeroizing::new(random()?)))
    }

    /// Wraps the user's private key.
    pub(crate) fn lock(&self, organisation: OrganisationId, user: UserId, private: &[u8; KEY]) -> Result<Vec<u8>> {
        self.wrap()?.wrap(&Place { organisation, user, field: Field::PrivateKey }, private)
    }

    /// The private key that [`Self::lock`] wrapped; `None` where this is not the key, or the row was altered.
    pub(crate) fn unlock(
        &self,
        organisation: OrganisationId,
        user: UserId,
        wrapped: &[u8],
    ) -> Option<Zeroizing<[u8; KEY]>> {
        let opened = self.wrap().ok()?.unwrap(&Place { organisation, user, field: Field::PrivateKey }, wrapped)?;
        key_of(&opened)
    }

    fn wrap(&self) -> Result<Wrap> {
        Wrap::of_key(&derive(self.0.as_slice(), b"perso-milter lock 1", &[b"private key"]))
    }

    /// Seals the lock key to the store, for as long as the lock is off.
    pub(crate) fn seal(&self, seal_public: &[u8; KEY], organisation: OrganisationId, user: UserId) -> Result<Vec<u8>> {
        let place = Place { organisation, user, field: Field::LockKey };
        PrivateKeySealer::new(seal_public)?.seal_at(&place, &self.0)
    }

    /// What [`Self::seal`] sealed; `None` where it was altered.
    pub(crate) fn open(key: &SealKey, organisation: OrganisationId, user: UserId, sealed: &[u8]) -> Option<Self> {
        open_key(key, &Place { organisation, user, field: Field::LockKey }, sealed).map(Self)
    }
}

/// For the data of a session, which is sealed.
impl Serialize for UserKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.0.as_slice()))
    }
}

impl<'de> Deserialize<'de> for UserKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let bytes = STANDARD.decode(text.as_bytes()).map(Zeroizing::new).map_err(|_| D::Error::custom("no key"))?;
        key_of(&bytes).map(Self).ok_or_else(|| D::Error::custom("no key"))
    }
}

impl PartialEq for UserKey {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(self.0.as_slice(), other.0.as_slice()).is_ok()
    }
}

impl Eq for UserKey {}

impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserKey(hidden)")
    }
}

/// What one secret wraps the lock key under.
pub(crate) struct WrappingKey(Zeroizing<[u8; KEY]>);

impl WrappingKey {
    /// The key of a secret: HKDF of what the secret gives, `salt` naming the kind.
    pub fn new(secret: &[u8], salt: &[u8]) -> Self {
        Self(derive(secret, salt, &[b"wrap"]))
    }

    /// Wraps the lock key for its user.
    pub fn wrap(&self, organisation: OrganisationId, user: UserId, kind: SecretKind, key: &UserKey) -> Result<Vec<u8>> {
        let place = Place { organisation, user, field: Field::WrappedLockKey(kind) };
        Wrap::of_key(&self.0)?.wrap(&place, key.0.as_slice())
    }

    /// What [`Self::wrap`] wrapped; `None` where it was altered or is another user's.
    pub fn unwrap(
        &self,
        organisation: OrganisationId,
        user: UserId,
        kind: SecretKind,
        wrapped: &[u8],
    ) -> Option<UserKey> {
        let place = Place { organisation, user, field: Field::WrappedLockKey(kind) };
        let opened = Wrap::of_key(&self.0).ok()?.unwrap(&place, wrapped)?;
        key_of(&opened).map(UserKey)
    }
}

fn key_of(opened: &[u8]) -> Option<Zeroizing<[u8; KEY]>> {
    let mut key = Zeroizing::new([0; KEY]);
    key.copy_from_slice(Some(opened).filter(|opened| opened.len() == KEY)?);
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: u64) -> UserId {
        UserId::new(id).expect("63 bits")
    }

    #[test]
    fn a_wrap_opens_for_its_user_and_kind_with_its_secret() {
        let organisation = OrganisationId::new(1);
        let key = UserKey::random().expect("random bytes");
        let secret = WrappingKey::new(b"a secret", b"a kind");
        let wrapped = secret.wrap(organisation, user(2), SecretKind::Password, &key).expect("wrapped");
        let open = |secret: &WrappingKey, organisation: u32, id: u64, kind| {
            secret.unwrap(OrganisationId::new(organisation), user(id), kind, &wrapped)
        };
        assert_eq!(open(&secret, 1, 2, SecretKind::Password), Some(key));
        assert_eq!(open(&secret, 2, 2, SecretKind::Password), None);
        assert_eq!(open(&secret, 1, 3, SecretKind::Password), None);
        assert_eq!(open(&secret, 1, 2, SecretKind::Recovery), None);
        assert_eq!(open(&WrappingKey::new(b"another", b"a kind"), 1, 2, SecretKind::Password), None);
        assert_eq!(open(&WrappingKey::new(b"a secret", b"another"), 1, 2, SecretKind::Password), None);
    }

    #[test]
    fn a_locked_private_key_opens_with_the_lock_key_alone() {
        let organisation = OrganisationId::new(1);
        let (key, other) = (UserKey::from_bytes([1; KEY]), UserKey::from_bytes([2; KEY]));
        let locked = key.lock(organisation, user(2), &[7; KEY]).expect("locked");
        assert_eq!(*key.unlock(organisation, user(2), &locked).expect("opens"), [7; KEY]);
        assert!(key.unlock(organisation, user(3), &locked).is_none());
        assert!(other.unlock(organisation, user(2), &locked).is_none());
        assert!(key.unlock(organisation, user(2), &[]).is_none());
        assert_eq!(format!("{key:?}"), "UserKey(hidden)");
    }
}
