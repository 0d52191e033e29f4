//! Texts that end up in mail: a value that exists is safe where it goes. Each error says what would be one.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// Why a text is no value of its kind: what would be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TextError(&'static str);

/// Bytes as text, what is no UTF-8 replaced: [`String::from_utf8_lossy`], fast where there is nothing to replace.
pub(super) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// A set of ASCII characters, in which a byte is found without a comparison with each of them.
pub(super) struct ByteSet([bool; 256]);

impl ByteSet {
    /// The set of these characters.
    pub(super) const fn of(members: &[u8]) -> Self {
        let mut set = [false; 256];
        let mut at = 0;
        while at < members.len() {
            set[members[at] as usize] = true;
            at += 1;
        }
        Self(set)
    }

    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }

    /// How many bytes at the front are in the set.
    pub(super) fn run(&self, bytes: &[u8]) -> usize {
        front(bytes, |byte| self.contains(byte))
    }

    /// How many bytes at the front are not.
    pub(super) fn distance(&self, bytes: &[u8]) -> usize {
        front(bytes, |byte| !self.contains(byte))
    }
}

/// How many bytes at the front are of a kind. They are looked at four at a time, with one question for all four.
fn front(bytes: &[u8], is: impl Fn(u8) -> bool) -> usize {
    let (fours, _) = bytes.as_chunks();
    let whole = 4 * fours.iter().take_while(|&&[a, b, c, d]| is(a) & is(b) & is(c) & is(d)).count();
    whole + bytes[whole..].iter().take_while(|&&byte| is(byte)).count()
}

/// A folder that a recipient address can name (`user+Folder@domain`): 1 to 64 ASCII letters, digits, `-` and `_`, a
/// letter or digit first, and not INBOX.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FolderName(Box<str>);

impl FolderName {
    /// Longest name, in bytes.
    pub const MAX: usize = 64;

    /// The personal folder where nothing else is said.
    pub fn perso() -> Self {
        Self("Perso".into())
    }

    /// The junk folder where nothing else is said.
    pub fn junk() -> Self {
        Self("Junk".into())
    }
}

impl FromStr for FolderName {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if text.is_empty() || text.len() > Self::MAX {
            return Err(TextError("it must have 1 to 64 characters"));
        }
        let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if !text.bytes().all(safe) || !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(TextError(
                "it becomes a part of a mail address: use letters without accents, digits, - and _, a letter or digit first",
            ));
        }
        if text.eq_ignore_ascii_case("inbox") {
            return Err(TextError("INBOX is where all mail goes: name another folder"));
        }
        Ok(Self(text.into()))
    }
}

/// A header name (RFC 5322, 3.6.8, ftext) of 1 to 64 bytes that a wanted message can lose without harm.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HeaderName(Box<str>);

/// Headers without which a message is not delivered, read or trusted as it was sent.
const NEEDED_HEADERS: [&str; 16] = [
    "Received",
    "Return-Path",
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "References",
    "In-Reply-To",
    "MIME-Version",
    "Authentication-Results",
    "DKIM-Signature",
    "List-Id",
];

impl HeaderName {
    /// Longest name, in bytes.
    pub const MAX: usize = 64;

    /// The spam marks that are known where nothing else is said.
    pub fn spam_marks() -> Vec<Self> {
        vec![Self("X-Spam-Flag".into()), Self("X-Spam".into())]
    }
}

impl FromStr for HeaderName {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if text.is_empty() || text.len() > Self::MAX || !text.bytes().all(|b| b.is_ascii_graphic() && b != b':') {
            return Err(TextError("it must be a header's name of 1 to 64 visible ASCII characters, without the colon"));
        }
        let starts = |prefix: &str| text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
        if NEEDED_HEADERS.iter().any(|needed| needed.eq_ignore_ascii_case(text)) || starts("Content-") {
            return Err(TextError("a message needs this header: name only those that a spam filter adds"));
        }
        // The mark of a virus filter is never taken off, whatever a list says.
        if ["virus", "malware", "infected", "clamav"].iter().any(|word| text.to_ascii_lowercase().contains(word)) {
            return Err(TextError("a virus mark is never removed: name only those that a spam filter adds"));
        }
        if starts("X-Perso") {
            return Err(TextError("X-Perso headers of others are always removed: leave it out"));
        }
        Ok(Self(text.into()))
    }
}

/// What a refused sender reads after `550 5.7.1`: 1 to 200 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReplyText(Box<str>);

impl ReplyText {
    /// Longest text, in bytes; the line with its code stays below the 512 of RFC 5321, 4.5.3.1.5, with every `%` doubled.
    pub const MAX: usize = 200;
}

impl Default for ReplyText {
    fn default() -> Self {
        Self("Message refused by its recipient".into())
    }
}

impl FromStr for ReplyText {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if text.is_empty() || text.len() > Self::MAX || !text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
            return Err(TextError(
                "it must be one line of 1 to 200 printable ASCII characters (SMTP knows no accents)",
            ));
        }
        if text.trim() != text {
            return Err(TextError("leave out the blanks at its ends"));
        }
        if text.split(' ').next().is_some_and(|word| word.bytes().all(|b| b.is_ascii_digit() || b == b'.')) {
            return Err(TextError("leave out the code: 550 5.7.1 is put before it"));
        }
        Ok(Self(text.into()))
    }
}

macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

as_text!(FolderName, HeaderName, ReplyText);
