//! The secrets of a user as they are shown and handed over.

use std::fmt;

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::super::types::UserId;
use super::lock::WrappingKey;

/// A secret, by number; the number is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretId(pub(crate) i64);

impl fmt::Display for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::str::FromStr for SecretId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretKind {
    /// A password.
    Password,
    /// A passkey.
    Passkey,
    /// A printed recovery code.
    Recovery,
}

impl SecretKind {
    pub(crate) const ALL: [Self; 3] = [Self::Password, Self::Passkey, Self::Recovery];

    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    /// The name used in keys of texts and in the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Passkey => "passkey",
            Self::Recovery => "recovery-code",
        }
    }
}

/// Whether a secret opens the lists under the personal lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opens {
    /// It signs its user in, and opens.
    Lists,
    /// It signs its user in alone: a passkey without PRF.
    Nothing,
}

/// A secret as its user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// The number.
    pub id: SecretId,
    /// What it is.
    pub kind: SecretKind,
    /// As the user named it; passkeys alone have a name.
    pub label: String,
    /// Whether it opens the lists under the personal lock.
    pub opens: Opens,
    /// Since when.
    pub created: Timestamp,
    /// When it was last used.
    pub last_used: Option<Timestamp>,
}

/// A passkey to be.
#[derive(Debug, Clone)]
pub struct NewPasskey {
    /// Its credential id.
    pub credential: Vec<u8>,
    /// As WebAuthn's ceremonies need it, as JSON.
    pub state: String,
    /// As the user named it.
    pub label: String,
    /// The output of its PRF extension, where it has one.
    pub prf: Option<PrfOutput>,
}

/// A passkey, for WebAuthn's ceremonies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passkey {
    /// The number.
    pub id: SecretId,
    /// Whose.
    pub user: UserId,
    /// As [`NewPasskey::state`].
    pub state: String,
    /// Whether it opens the lists under the personal lock.
    pub opens: Opens,
}

/// The output of a passkey's PRF extension (WebAuthn level 3, `prf`): 32 bytes that only the authenticator makes.
#[derive(Clone)]
pub struct PrfOutput(Zeroizing<[u8; 32]>);

impl PrfOutput {
    /// As the browser handed it over; `None` for another length.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    pub(crate) fn wrapping_key(&self) -> WrappingKey {
        WrappingKey::new(self.0.as_slice(), b"perso-milter passkey 1")
    }
}

impl fmt::Debug for PrfOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrfOutput(hidden)")
    }
}
