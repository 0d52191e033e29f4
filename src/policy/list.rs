//! A user's lists: what an entry may say, and how it becomes a fingerprint.
//!
//! | file | subject |
//! |---|---|
//! | `compiled` | one user's fingerprints and choices, in the form that is searched |
//! | `globs` | patterns, which cannot be fingerprinted |
//!
//! An entry is never compared as text. `FingerprintKey` turns `(scope, value)` into a SipHash-2-4 of 128 bits under a
//! key of that user, so that equal contacts of two users cannot be told apart without both keys. In memory 64 of these
//! bits are kept: with 10,000 entries a stranger matches by accident once in 10^15 messages.

mod compiled;
mod globs;

use std::fmt;
use std::str::FromStr;

use siphasher::sip128::SipHasher24;
use smallvec::SmallVec;

pub use compiled::{UserLists, UserOptions};
pub use globs::{GlobError, Globs};

use super::address::{Address, Domain, MAX_DOMAIN, MAX_LOCAL};

/// Most entries one list of one user holds.
pub const MAX_ENTRIES: usize = 10_000;

/// One of a user's three lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ListKind {
    /// *Liste blanche*: the sender is wanted.
    White,
    /// *Liste noire*: the sender is unwanted.
    Black,
    /// *Liste PERSONNELLE*: the message is personal.
    Personal,
}

impl ListKind {
    /// The three lists, in the order in which they are packed.
    pub const ALL: [Self; 3] = [Self::White, Self::Black, Self::Personal];

    /// The name used on the command line, in files and in pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::White => "white",
            Self::Black => "black",
            Self::Personal => "personal",
        }
    }
}

impl fmt::Display for ListKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ListKind {
    type Err = UnknownList;

    fn from_str(text: &str) -> Result<Self, UnknownList> {
        Self::ALL.into_iter().find(|list| list.as_str() == text).ok_or(UnknownList)
    }
}

/// A name that is none of the three lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the list must be white, black or personal")]
pub struct UnknownList;

/// What an entry applies to, most specific first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// One address.
    Address,
    /// One domain, without its subdomains.
    Domain,
    /// A domain and all that stands below it.
    Subdomains,
    /// A pattern with `*` and `?` over the whole address.
    Glob,
}

impl Scope {
    /// The name used in files and reasons.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Domain => "domain",
            Self::Subdomains => "subdomains",
            Self::Glob => "glob",
        }
    }

    /// The byte that stands for the scope in fingerprints and in the store. Never renumber: fingerprints depend on it.
    pub fn code(self) -> u8 {
        match self {
            Self::Address => 1,
            Self::Domain => 2,
            Self::Subdomains => 3,
            Self::Glob => 4,
        }
    }

    /// The scope of a code, if it is one.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Address, Self::Domain, Self::Subdomains, Self::Glob].into_iter().find(|scope| scope.code() == code)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an entry says, in normal form. Written `a@d`, `d` (or `@d`), `*.d` (or `.d`), or a glob pattern.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntryValue {
    /// `a@d`
    Address(Address),
    /// `d`
    Domain(Domain),
    /// `*.d`
    Subdomains(Domain),
    /// Any other text with `*` or `?`, in lower case.
    Glob(Box<str>),
}

impl EntryValue {
    /// What the entry applies to.
    pub fn scope(&self) -> Scope {
        match self {
            Self::Address(_) => Scope::Address,
            Self::Domain(_) => Scope::Domain,
            Self::Subdomains(_) => Scope::Subdomains,
            Self::Glob(_) => Scope::Glob,
        }
    }

    /// The text that is fingerprinted, without the marks of its scope.
    pub fn text(&self) -> &str {
        match self {
            Self::Address(address) => address.as_str(),
            Self::Domain(domain) | Self::Subdomains(domain) => domain.as_str(),
            Self::Glob(pattern) => pattern,
        }
    }

    /// The entry as its user writes it; [`FromStr`] reads it back.
    pub fn written(&self) -> String {
        match self {
            Self::Subdomains(domain) => format!("*.{}", domain.as_str()),
            other => other.text().to_owned(),
        }
    }
}

/// A user's entry is never shown by way of `{:?}`.
impl fmt::Debug for EntryValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryValue({}, hidden)", self.scope())
    }
}

/// Why a text is no entry. It never repeats the text: that may be somebody's private contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Nothing but blanks.
    #[error("the entry is empty; give an address (a@d), a domain (d) or a domain with its subdomains (*.d)")]
    Empty,
    /// Neither an address nor a domain nor a pattern.
    #[error("the entry is neither an address (a@d), nor a domain (d), nor a domain with its subdomains (*.d)")]
    Malformed,
    /// Longer than any address.
    #[error("the entry is longer than an address can be")]
    TooLong,
}

impl FromStr for EntryValue {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, EntryError> {
        let text = text.trim();
        // As most are written, and kept; a `*` makes something else of it.
        if let Some(address) = Address::from_normal(text.as_bytes()).filter(|_| !text.contains('*')) {
            return Ok(Self::Address(address));
        }
        if text.is_empty() {
            return Err(EntryError::Empty);
        }
        if text.len() > 4 * (MAX_LOCAL + MAX_DOMAIN) {
            return Err(EntryError::TooLong);
        }
        let domain = |text: &str| Domain::parse(text).map_err(|_| EntryError::Malformed);
        if let Some(rest) =
            text.strip_prefix("*.").or_else(|| text.strip_prefix("*@*.")).or_else(|| text.strip_prefix('.'))
            && !rest.contains(['*', '?', '@'])
        {
            return domain(rest).map(Self::Subdomains);
        }
        if let Some(rest) = text.strip_prefix("*@").or_else(|| text.strip_prefix('@'))
            && !rest.contains(['*', '?', '@'])
        {
            return domain(rest).map(Self::Domain);
        }
        if text.contains('*') || (text.contains('?') && Address::parse(text).is_err()) {
            return parse_glob(text);
        }
        if text.contains('@') {
            return Address::parse(text).map(Self::Address).map_err(|_| EntryError::Malformed);
        }
        domain(text).map(Self::Domain)
    }
}

fn parse_glob(text: &str) -> Result<EntryValue, EntryError> {
    if text.len() > MAX_LOCAL + 1 + MAX_DOMAIN {
        return Err(EntryError::TooLong);
    }
    let allowed = |c: char| !c.is_control() && !c.is_whitespace() && !"<>()[]\\,;:\"".contains(c);
    if !text.chars().all(allowed) || text.matches('@').count() > 1 {
        return Err(EntryError::Malformed);
    }
    Ok(EntryValue::Glob(text.to_lowercase().into()))
}

/// 128 bits that stand for one entry of one user.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// As stored.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// As stored.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The half that is kept in memory and searched.
    pub fn short(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(hidden)")
    }
}

/// The key under which one user's entries are fingerprinted.
#[derive(Clone, PartialEq, Eq)]
pub struct FingerprintKey(u64, u64);

impl FingerprintKey {
    /// A key of 16 random bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let whole = u128::from_le_bytes(bytes);
        Self(whole as u64, (whole >> 64) as u64)
    }

    /// The bytes that [`Self::from_bytes`] takes.
    pub fn to_bytes(&self) -> [u8; 16] {
        (u128::from(self.0) | u128::from(self.1) << 64).to_le_bytes()
    }

    /// The fingerprint of a text in normal form under a scope.
    pub fn fingerprint(&self, scope: Scope, text: &str) -> Fingerprint {
        // One contiguous block is hashed faster than two writes; every text in normal form fits, any other goes to the heap.
        const ROOM: usize = 512;
        const { assert!(ROOM > MAX_LOCAL + 1 + MAX_DOMAIN) };
        let mut block = SmallVec::<[u8; ROOM]>::new();
        block.push(scope.code());
        block.extend_from_slice(text.as_bytes());
        let hash = SipHasher24::new_with_keys(self.0, self.1).hash(&block);
        Fingerprint(hash.as_u128().to_le_bytes())
    }

    /// The fingerprint of an entry.
    pub fn of(&self, value: &EntryValue) -> Fingerprint {
        self.fingerprint(value.scope(), value.text())
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_as_people_write_it() {
        for (text, scope, normal) in [
            ("Maman@Famille.example", Scope::Address, "maman@famille.example"),
            (" famille.example ", Scope::Domain, "famille.example"),
            ("@famille.example", Scope::Domain, "famille.example"),
            ("*@famille.example", Scope::Domain, "famille.example"),
            ("*.ecole.example", Scope::Subdomains, "*.ecole.example"),
            (".ecole.example", Scope::Subdomains, "*.ecole.example"),
            ("*@*.ecole.example", Scope::Subdomains, "*.ecole.example"),
            ("news-*@shop.example", Scope::Glob, "news-*@shop.example"),
            ("*", Scope::Glob, "*"),
        ] {
            let value: EntryValue = text.parse().expect(text);
            assert_eq!((value.scope(), value.written().as_str()), (scope, normal), "{text}");
            assert_eq!(value.written().parse(), Ok(value));
        }
    }

    #[test]
    fn what_is_no_entry_says_so() {
        for (text, error) in [
            ("  ", EntryError::Empty),
            ("a b@d.example", EntryError::Malformed),
            ("a@b@c", EntryError::Malformed),
            ("*@a@b", EntryError::Malformed),
            ("<a@d.example>", EntryError::Malformed),
        ] {
            assert_eq!(text.parse::<EntryValue>(), Err(error), "{text}");
        }
        assert_eq!("a".repeat(5000).parse::<EntryValue>(), Err(EntryError::TooLong));
    }

    #[test]
    fn fingerprints_differ_by_key_scope_and_text() {
        let key = FingerprintKey::from_bytes([7; 16]);
        let of = |scope, text| key.fingerprint(scope, text);
        assert_eq!(of(Scope::Domain, "d.example"), of(Scope::Domain, "d.example"));
        assert_ne!(of(Scope::Domain, "d.example"), of(Scope::Subdomains, "d.example"));
        assert_ne!(of(Scope::Domain, "d.example"), of(Scope::Domain, "e.example"));
        assert_ne!(
            of(Scope::Domain, "d.example"),
            FingerprintKey::from_bytes([8; 16]).fingerprint(Scope::Domain, "d.example")
        );
        assert_eq!(FingerprintKey::from_bytes(key.to_bytes()), key);
    }

    #[test]
    fn a_long_text_is_fingerprinted_as_the_short_way_would() {
        let key = FingerprintKey::from_bytes([3; 16]);
        let text = "x".repeat(2000);
        let mut whole = vec![Scope::Glob.code()];
        whole.extend_from_slice(text.as_bytes());
        let expected = SipHasher24::new_with_keys(key.0, key.1).hash(&whole).as_u128().to_le_bytes();
        assert_eq!(key.fingerprint(Scope::Glob, &text).to_bytes(), expected);
    }

    #[test]
    fn nothing_secret_is_shown_by_debug() {
        let value: EntryValue = "maman@famille.example".parse().expect("valid");
        let key = FingerprintKey::from_bytes(*b"0123456789abcdef");
        let shown = format!("{value:?} {key:?} {:?}", key.of(&value));
        assert!(!shown.contains("maman") && !shown.contains("famille"), "{shown}");
    }
}
