//! Types of single settings: a value that exists is valid. Each error text ends the sentence `"…" is not accepted;`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::policy::action::PersonalActions;
use crate::policy::address::{AddressError, Domain};
use crate::policy::subject::{Tag, TagError};

/// Why a text is no value of its kind: what would be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(pub(super) &'static str);

/// A folder that a recipient address can name (`user+Folder@domain`): 1 to 64 ASCII letters, digits, `-` and `_`, a
/// letter or digit first, and not INBOX.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FolderName(Box<str>);

impl FolderName {
    /// Longest name, in bytes.
    pub const MAX: usize = 64;

    pub(super) fn perso() -> Self {
        Self("Perso".into())
    }

    pub(super) fn junk() -> Self {
        Self("Junk".into())
    }
}

impl FromStr for FolderName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.is_empty() || text.len() > Self::MAX {
            return Err(ValueError("it must have 1 to 64 characters"));
        }
        let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if !text.bytes().all(safe) || !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(ValueError(
                "it becomes a part of a mail address: use letters without accents, digits, - and _, a letter or digit first",
            ));
        }
        if text.eq_ignore_ascii_case("inbox") {
            return Err(ValueError("INBOX is where all mail goes: name another folder"));
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

    pub(super) fn spam_marks() -> Vec<Self> {
        vec![Self("X-Spam-Flag".into()), Self("X-Spam".into())]
    }
}

impl FromStr for HeaderName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.is_empty() || text.len() > Self::MAX || !text.bytes().all(|b| b.is_ascii_graphic() && b != b':') {
            return Err(ValueError(
                "it must be a header's name of 1 to 64 visible ASCII characters, without the colon",
            ));
        }
        let starts = |prefix: &str| text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
        if NEEDED_HEADERS.iter().any(|needed| needed.eq_ignore_ascii_case(text)) || starts("Content-") {
            return Err(ValueError("a message needs this header: name only those that a spam filter adds"));
        }
        if starts("X-Perso") {
            return Err(ValueError("X-Perso headers of others are always removed: leave it out"));
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
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.is_empty() || text.len() > Self::MAX || !text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
            return Err(ValueError(
                "it must be one line of 1 to 200 printable ASCII characters (SMTP knows no accents)",
            ));
        }
        if text.trim() != text {
            return Err(ValueError("leave out the blanks at its ends"));
        }
        if text.split(' ').next().is_some_and(|word| word.bytes().all(|b| b.is_ascii_digit() || b == b'.')) {
            return Err(ValueError("leave out the code: 550 5.7.1 is put before it"));
        }
        Ok(Self(text.into()))
    }
}

/// The character between a user and a folder in a recipient address: one that a local part holds without quotes
/// (RFC 5322, 3.2.3), and neither letter nor digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Delimiter(u8);

impl Delimiter {
    /// The character.
    pub fn as_char(self) -> char {
        char::from(self.0)
    }
}

/// `+`, as nearly everywhere.
impl Default for Delimiter {
    fn default() -> Self {
        Self(b'+')
    }
}

impl FromStr for Delimiter {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.as_bytes() {
            [byte] if b"+-_=.#!$%&'*/?^`{|}~".contains(byte) => Ok(Self(*byte)),
            _ => Err(ValueError(
                "it must be one ASCII character such as + or -, or empty where the mail store knows none",
            )),
        }
    }
}

/// The name under which a verifier signs its Authentication-Results (RFC 8601, 2.2), in lower case: names are compared
/// without regard to case. 1 to 255 visible ASCII characters without quotes, `;`, `(`, `)` and `\`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AuthservId(Box<str>);

impl FromStr for AuthservId {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let plain = |b: u8| b.is_ascii_graphic() && !b"\"();\\".contains(&b);
        if text.is_empty() || text.len() > 255 || !text.bytes().all(plain) {
            return Err(ValueError(
                "it must be the first word of your verifier's Authentication-Results header, such as mx.example.org",
            ));
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }
}

/// A value of the macro `{daemon_name}`: 1 to 64 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DaemonName(Box<str>);

impl FromStr for DaemonName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.is_empty() || text.len() > 64 || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ValueError("it must be a milter_macro_daemon_name of 1 to 64 visible ASCII characters"));
        }
        Ok(Self(text.into()))
    }
}

/// A system group by name: 1 to 32 letters, digits, `.`, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupName(Box<str>);

impl FromStr for GroupName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if text.is_empty() || text.len() > 32 || !text.bytes().all(plain) {
            return Err(ValueError("it must be the name of a system group, such as postfix"));
        }
        Ok(Self(text.into()))
    }
}

macro_rules! text_value {
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

text_value!(FolderName, HeaderName, ReplyText, AuthservId, DaemonName, GroupName);

impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_char())
    }
}

/// Permissions of a unix socket: the nine bits of `rwxrwxrwx`, written in octal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SocketMode(u32);

impl SocketMode {
    /// The bits, as `chmod` takes them.
    pub fn bits(self) -> u32 {
        self.0
    }
}

/// `0660`
impl Default for SocketMode {
    fn default() -> Self {
        Self(0o660)
    }
}

impl fmt::Display for SocketMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl FromStr for SocketMode {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let octal = (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
        match u32::from_str_radix(text, 8) {
            Ok(bits) if octal && bits <= 0o777 => Ok(Self(bits)),
            _ => Err(ValueError("it must be three octal digits after a 0, such as \"0660\"")),
        }
    }
}

/// Where the lists are kept: `sqlite:PATH` is the only kind this version has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreUrl(PathBuf);

impl StoreUrl {
    /// The database file; a relative path is from the working directory.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// `sqlite:perso-milter.db`
impl Default for StoreUrl {
    fn default() -> Self {
        Self(PathBuf::from("perso-milter.db"))
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sqlite:{}", self.0.display())
    }
}

impl FromStr for StoreUrl {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let scheme = text.split(':').next().unwrap_or_default();
        if scheme.eq_ignore_ascii_case("postgres") || scheme.eq_ignore_ascii_case("postgresql") {
            return Err(ValueError("this version has no PostgreSQL store: use sqlite:PATH"));
        }
        // `sqlite:///PATH` is how most other programs write an absolute path.
        let path = text.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path));
        match path {
            Some("" | ":memory:") => Err(ValueError("the lists must survive a restart: give a file, sqlite:PATH")),
            Some(path) if path.contains(['?', '\0']) => Err(ValueError("it takes no options: write sqlite:PATH alone")),
            Some(path) if path.ends_with('/') => Err(ValueError("a file must be named, not a directory")),
            Some(path) => Ok(Self(PathBuf::from(path))),
            None => Err(ValueError("it must be sqlite:PATH, such as sqlite:/var/lib/perso-milter/perso-milter.db")),
        }
    }
}

/// A text before a Subject.
pub(super) fn tag(text: &str) -> Result<Tag, ValueError> {
    Tag::new(text).map_err(|_: TagError| {
        ValueError("it must be 1 to 64 bytes of text, without control characters or blanks at its ends")
    })
}

/// One of the personal actions, by name.
pub(super) fn action(text: &str) -> Result<PersonalActions, ValueError> {
    const NAMES: ValueError = ValueError("it must be one of tag, folder, mark");
    let action = text.parse::<PersonalActions>().map_err(|_| NAMES)?;
    if action.bits().count_ones() == 1 { Ok(action) } else { Err(NAMES) }
}

/// A domain that forwards to us.
pub(super) fn forwarder(text: &str) -> Result<Domain, ValueError> {
    Domain::parse(text).map_err(|_: AddressError| ValueError("it must be a domain name, such as example.org"))
}
