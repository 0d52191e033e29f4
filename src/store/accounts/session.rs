//! Sessions of the console as the store keeps them: by the hash of their id, their data sealed under a key that only the id
//! gives.

use std::fmt;

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::super::error::{Result, StoreError};
use super::super::journal::{HASH, sha256};
use super::super::keys::{derive, random};
use super::super::types::UserId;

/// The SHA-256 of something random and secret: of a session's id, of a browser's cookie.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash([u8; HASH]);

impl SecretHash {
    /// The hash of at least 128 random bits: fewer would need a salt.
    pub fn of(secret: &[u8]) -> Self {
        Self(sha256(secret))
    }

    pub(crate) fn from_bytes(bytes: [u8; HASH]) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8; HASH] {
        &self.0
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(hidden)")
    }
}

/// What the id in the cookie gives: the name under which the store knows the session, and the key of its data.
pub struct SessionKey {
    hash: SecretHash,
    key: Zeroizing<[u8; 32]>,
}

impl SessionKey {
    /// Of an id of at least 128 random bits.
    pub fn new(id: &[u8]) -> Self {
        let key = derive(id, b"perso-milter session 1", &[b"data"]);
        Self { hash: SecretHash::of(id), key }
    }

    /// Under which the store knows the session.
    pub fn hash(&self) -> SecretHash {
        self.hash
    }

    /// Seals the session's data; nobody but the holder of the cookie opens it.
    ///
    /// # Errors
    /// No randomness.
    pub fn seal(&self, data: &[u8]) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut sealed = data.to_vec();
        let aad = Aad::from(*self.hash.bytes());
        self.aead()?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .map_err(|_| StoreError::internal("a session's data cannot be sealed"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// What [`Self::seal`] sealed; `None` where it was altered.
    pub fn open(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut data = Zeroizing::new(sealed.to_vec());
        let aad = Aad::from(*self.hash.bytes());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.aead().ok()?.open_in_place(nonce, aad, &mut data).ok()?.len();
        data.truncate(length);
        Some(data)
    }

    fn aead(&self) -> Result<LessSafeKey> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, self.key.as_slice());
        key.map(LessSafeKey::new).map_err(|_| StoreError::internal("a key of 32 bytes"))
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(hidden)")
    }
}

/// A manager or an operator, by number; the number is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StaffId(pub(crate) i64);

impl fmt::Display for StaffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Who signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holder {
    /// A person with lists of their own.
    User(UserId),
    /// A manager or an operator.
    Staff(StaffId),
}

impl Holder {
    /// User and staff, as two columns.
    pub(crate) fn to_sql(self) -> (Option<i64>, Option<i64>) {
        match self {
            Self::User(user) => (Some(user.to_sql()), None),
            Self::Staff(StaffId(id)) => (None, Some(id)),
        }
    }

    pub(crate) fn from_sql(user: Option<i64>, staff: Option<i64>) -> Option<Self> {
        let staff = staff.map(|id| Self::Staff(StaffId(id)));
        user.map(|user| Self::User(UserId::from_sql(user))).or(staff)
    }
}

/// By what somebody signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpenedBy {
    /// The link or the code of a message.
    Mail,
    /// A password.
    Password,
    /// A passkey.
    Passkey,
    /// The printed recovery code.
    Recovery,
    /// The two factors of managers and operators.
    Staff,
    /// The company's directory.
    Directory,
}

impl OpenedBy {
    /// All ways.
    pub const ALL: [Self; 6] =
        [Self::Mail, Self::Password, Self::Passkey, Self::Recovery, Self::Staff, Self::Directory];

    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_code(code: u8) -> Self {
        Self::ALL.get(usize::from(code)).copied().unwrap_or(Self::Mail)
    }

    /// The way of this name; by mail, which is trusted least, where it is none.
    pub fn of_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|way| way.as_str() == name).unwrap_or(Self::Mail)
    }

    /// The name used in keys of texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Password => "password",
            Self::Passkey => "passkey",
            Self::Recovery => "recovery",
            Self::Staff => "staff",
            Self::Directory => "directory",
        }
    }
}

/// A session as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Of its id, which is kept nowhere but in the browser.
    pub hash: SecretHash,
    /// Who signed in; nobody yet at first.
    pub holder: Option<Holder>,
    /// By what.
    pub opened_by: OpenedBy,
    /// Since when.
    pub created: Timestamp,
    /// When it was last used, to the minute.
    pub seen: Timestamp,
    /// From when on it is worth nothing.
    pub expires: Timestamp,
    /// Where from: a /24 or /48, at most [`super::MAX_LABEL`] bytes are kept.
    pub network: String,
    /// A short name of the browser, likewise.
    pub browser: String,
    /// For the console alone, sealed with [`SessionKey`]; at most [`super::MAX_SESSION_DATA`].
    pub data: Vec<u8>,
}

/// A session, by number, in the list that its holder sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(pub(crate) i64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::str::FromStr for SessionId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A session as its holder sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSummary {
    /// The number.
    pub id: SessionId,
    /// To tell the session at hand.
    pub hash: SecretHash,
    /// By what it was opened.
    pub opened_by: OpenedBy,
    /// Since when.
    pub created: Timestamp,
    /// When it was last used, to the minute.
    pub seen: Timestamp,
    /// Where from.
    pub network: String,
    /// A short name of the browser.
    pub browser: String,
}

/// A sign-in that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// When.
    pub at: Timestamp,
    /// By what.
    pub opened_by: OpenedBy,
    /// Where from; at most [`super::MAX_LABEL`] bytes are kept.
    pub network: String,
    /// A short name of the browser, likewise.
    pub browser: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_opens_with_the_id_alone() {
        let key = SessionKey::new(&[7; 16]);
        let sealed = key.seal(b"a draft").expect("sealed");
        assert_eq!(key.open(&sealed).expect("opens").as_slice(), b"a draft");
        assert!(SessionKey::new(&[8; 16]).open(&sealed).is_none());
        assert!(key.open(&sealed[1..]).is_none() && key.open(&[]).is_none());
        assert_eq!(format!("{key:?} {:?}", key.hash()), "SessionKey(hidden) SecretHash(hidden)");
    }

    #[test]
    fn every_way_of_signing_in_is_kept_as_it_was() {
        for way in OpenedBy::ALL {
            assert_eq!(OpenedBy::from_code(way.code()), way);
        }
    }
}
