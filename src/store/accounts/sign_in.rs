//! The link and the six-digit code of a mailed sign-in.
//!
//! The link's token is 128 random bits, of which the store keeps the hash. Six digits would fall to whoever holds a plain hash
//! of them, so the store keeps an HMAC of token hash and code, under a key derived from `match.key`.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::super::error::Result;
use super::super::journal::{HASH, sha256};
use super::super::keys::{MatchKey, random};
use super::super::types::UserId;
use crate::policy::address::Address;

/// Digits of a code.
const DIGITS: usize = 6;
/// Codes that there are.
const CODES: u32 = 1_000_000;

/// What the link of a mailed sign-in carries. Written in URL-safe base64.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkToken(Zeroizing<[u8; 16]>);

impl LinkToken {
    pub(crate) fn random() -> Result<Self> {
        Ok(Self(Zeroizing::new(random()?)))
    }

    /// 128 random bits need no salt.
    pub(crate) fn hash(&self) -> [u8; HASH] {
        sha256(self.0.as_slice())
    }
}

impl fmt::Display for LinkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0.as_slice()))
    }
}

impl fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkToken(hidden)")
    }
}

/// Not in the form of a token or a code: nobody sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody sent this")]
pub struct NeverSent;

impl FromStr for LinkToken {
    type Err = NeverSent;

    fn from_str(text: &str) -> std::result::Result<Self, NeverSent> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NeverSent)?;
        bytes.try_into().map(|bytes| Self(Zeroizing::new(bytes))).map_err(|_| NeverSent)
    }
}

/// The code of a mailed sign-in. Written as `123 456`.
#[derive(Clone, PartialEq, Eq)]
pub struct MailCode(u32);

impl MailCode {
    pub(crate) fn random() -> Result<Self> {
        loop {
            // The remainder of a number below a multiple of CODES favours no code.
            let number = u32::from_be_bytes(random()?);
            if number < u32::MAX - u32::MAX % CODES {
                return Ok(Self(number % CODES));
            }
        }
    }
}

impl fmt::Display for MailCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03} {:03}", self.0 / 1000, self.0 % 1000)
    }
}

impl fmt::Debug for MailCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailCode(hidden)")
    }
}

/// As people type and paste it: with blanks, dots or hyphens anywhere.
impl FromStr for MailCode {
    type Err = NeverSent;

    fn from_str(text: &str) -> std::result::Result<Self, NeverSent> {
        let typed = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '.' | '\u{2011}'));
        let digits: Option<Vec<u32>> = typed.take(DIGITS + 1).map(|c| c.to_digit(10)).collect();
        let digits = digits.filter(|digits| digits.len() == DIGITS).ok_or(NeverSent)?;
        Ok(Self(digits.into_iter().fold(0, |code, digit| code * 10 + digit)))
    }
}

/// Proves codes.
pub(crate) struct CodeKey(hmac::Key);

impl CodeKey {
    /// The key of one store.
    pub fn new(key: &MatchKey) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.derive("sign-in code").as_slice()))
    }

    /// What is kept of a code.
    pub fn of(&self, token: &[u8; HASH], code: &MailCode) -> Vec<u8> {
        hmac::sign(&self.0, &message(token, code)).as_ref().to_vec()
    }

    /// Whether this is the code; takes the same time for every other.
    pub fn is(&self, token: &[u8; HASH], code: &MailCode, kept: &[u8]) -> bool {
        hmac::verify(&self.0, &message(token, code), kept).is_ok()
    }
}

fn message(token: &[u8; HASH], code: &MailCode) -> Vec<u8> {
    [&token[..], &code.0.to_be_bytes()].concat()
}

/// A sign-in that was begun: what the message is to carry.
#[derive(Debug, Clone)]
pub struct MailedSignIn {
    /// For the link.
    pub token: LinkToken,
    /// To be typed.
    pub code: MailCode,
    /// From when on neither is worth anything.
    pub expires: Timestamp,
}

/// Whoever asked has the mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmedSignIn {
    /// As it was typed.
    pub address: Address,
    /// Who has the address now, if anybody does.
    pub user: Option<UserId>,
}

/// What a link is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkAnswer {
    /// It is good, in this browser.
    Good(ConfirmedSignIn),
    /// It was asked for in another browser: the code is to be typed there.
    OtherBrowser,
    /// It has expired, was used, gave way to later ones, or never was.
    Unknown,
}

/// What a code is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeAnswer {
    /// It is the one.
    Good(ConfirmedSignIn),
    /// It is not; so many more tries are left.
    Wrong {
        /// At least 1.
        left: u8,
    },
    /// It was not looked at, or was wrong once too often: for this address the link alone is good for the rest of the day (UTC).
    LinkAlone {
        /// When the day ends.
        until: Timestamp,
    },
    /// It is not, and was the last try; or nothing waits in this browser (any more).
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        assert_eq!(MailCode(42).to_string(), "000 042");
        for typed in ["000042", " 000 042 ", "000-042", "0 0 0 0 4 2", "000.042"] {
            assert_eq!(typed.parse(), Ok(MailCode(42)), "{typed}");
        }
        for typed in ["", "00042", "0000042", "00004a", "٠٠٠٠٤٢", "-", "1e5555"] {
            assert_eq!(typed.parse::<MailCode>(), Err(NeverSent), "{typed}");
        }
    }

    #[test]
    fn a_token_is_read_as_it_was_written() {
        let token = LinkToken::random().expect("random bytes");
        assert_eq!(token.to_string().parse(), Ok(token.clone()));
        for written in ["", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "!"] {
            assert_eq!(written.parse::<LinkToken>(), Err(NeverSent), "{written}");
        }
        assert_eq!(format!("{token:?} {:?}", MailCode(1)), "LinkToken(hidden) MailCode(hidden)");
    }

    #[test]
    fn what_is_kept_of_a_code_needs_the_key_and_the_token() {
        let (ours, other) = ([1, 2]).map(|n| CodeKey::new(&MatchKey::from_bytes([n; 32]))).into();
        let kept = ours.of(&[3; HASH], &MailCode(42));
        assert!(ours.is(&[3; HASH], &MailCode(42), &kept));
        assert!(!ours.is(&[3; HASH], &MailCode(43), &kept) && !ours.is(&[4; HASH], &MailCode(42), &kept));
        assert!(!other.is(&[3; HASH], &MailCode(42), &kept));
    }
}
