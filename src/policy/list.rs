//! A user's lists: what an entry may say, how it becomes a fingerprint, and the compact form that is searched.
//!
//! An entry is never compared as text. `FingerprintKey` turns `(scope, value)` into a SipHash-2-4 of 128 bits under a
//! key of that user, so that equal contacts of two users cannot be told apart without both keys. In memory 64 of these
//! bits are kept: with 10,000 entries a stranger matches by accident once in 10^15 messages.
//!
//! # Layout of [`UserLists`], in 64-bit words
//! | word | holds |
//! |---|---|
//! | 0 | user id |
//! | 1, 2 | fingerprint key |
//! | 3 | organisation (high 32 bits), options (low 32 bits) |
//! | 4 | entries of white, black, personal: 20 bits each, from the low end |
//! | 5… | the fingerprints of white, then black, then personal; each run sorted |

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use regex::{RegexSet, RegexSetBuilder};
use siphasher::sip128::{Hasher128, SipHasher24};

use super::action::{BlackAction, PersonalActions};
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
        // One contiguous block is hashed faster than two writes; every text in normal form fits.
        let mut block = [0u8; 1 + MAX_LOCAL + 1 + MAX_DOMAIN];
        let hash = match block.get_mut(1..=text.len()) {
            Some(room) => {
                room.copy_from_slice(text.as_bytes());
                block[0] = scope.code();
                SipHasher24::new_with_keys(self.0, self.1).hash(&block[..=text.len()])
            }
            None => {
                let mut hasher = SipHasher24::new_with_keys(self.0, self.1);
                std::hash::Hasher::write(&mut hasher, &[scope.code()]);
                std::hash::Hasher::write(&mut hasher, text.as_bytes());
                hasher.finish128()
            }
        };
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

/// What a user chose for themselves, and what their mailbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UserOptions {
    /// Personal actions instead of the organisation's.
    pub personal_actions: Option<PersonalActions>,
    /// Blacklist action instead of the organisation's.
    pub black_action: Option<BlackAction>,
    /// A mailbox of a function (contact@): it has no personal list.
    pub functional: bool,
    /// The user, or the operator by disabling the account, has paused their lists: mail passes as if they had none.
    pub paused: bool,
}

const PERSONAL_PRESENT: u32 = 1 << 0;
const PERSONAL_SHIFT: u32 = 1;
const BLACK_PRESENT: u32 = 1 << 4;
const BLACK_SHIFT: u32 = 5;
const FUNCTIONAL: u32 = 1 << 7;
const PAUSED: u32 = 1 << 8;
const GLOBS: u32 = 1 << 9;
const WHITE_SCOPES_SHIFT: u32 = 10;

impl UserOptions {
    /// The options as 32 bits, for the compact form and the store.
    pub fn to_bits(self) -> u32 {
        let personal =
            self.personal_actions.map_or(0, |actions| PERSONAL_PRESENT | u32::from(actions.bits()) << PERSONAL_SHIFT);
        let black = self.black_action.map_or(0, |action| BLACK_PRESENT | u32::from(action.code()) << BLACK_SHIFT);
        let functional = if self.functional { FUNCTIONAL } else { 0 };
        let paused = if self.paused { PAUSED } else { 0 };
        personal | black | functional | paused
    }

    /// Reads [`Self::to_bits`] back; bits that mean nothing here are ignored.
    pub fn from_bits(bits: u32) -> Self {
        Self {
            personal_actions: (bits & PERSONAL_PRESENT != 0)
                .then(|| PersonalActions::from_bits((bits >> PERSONAL_SHIFT) as u8)),
            black_action: (bits & BLACK_PRESENT != 0).then(|| BlackAction::from_code((bits >> BLACK_SHIFT) as u8)),
            functional: bits & FUNCTIONAL != 0,
            paused: bits & PAUSED != 0,
        }
    }
}

const HEADER_WORDS: usize = 5;
const COUNT_BITS: u32 = 20;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

/// One user's lists in the compact form that is searched; cloning shares them.
#[derive(Clone, PartialEq, Eq)]
pub struct UserLists(Arc<[u64]>);

impl UserLists {
    /// Compiles the lists of a user.
    ///
    /// Entries of one list beyond 2^20 - 1 are left out; the store refuses them far earlier ([`MAX_ENTRIES`]).
    pub fn build(
        user: u64,
        organisation: u32,
        key: &FingerprintKey,
        options: UserOptions,
        entries: impl IntoIterator<Item = (ListKind, Scope, Fingerprint)>,
    ) -> Self {
        let mut runs: [Vec<u64>; 3] = Default::default();
        let mut bits = options.to_bits();
        for (list, scope, fingerprint) in entries {
            match scope {
                Scope::Glob => bits |= GLOBS,
                _ if runs[list as usize].len() < COUNT_MASK as usize => runs[list as usize].push(fingerprint.short()),
                _ => continue,
            }
            if list == ListKind::White {
                bits |= 1 << (WHITE_SCOPES_SHIFT + u32::from(scope.code()));
            }
        }
        let mut counts = 0;
        for (index, run) in runs.iter_mut().enumerate() {
            run.sort_unstable();
            run.dedup();
            counts |= (run.len() as u64) << (COUNT_BITS * index as u32);
        }
        let header = [user, key.0, key.1, u64::from(organisation) << 32 | u64::from(bits), counts];
        let words: Vec<u64> = header.into_iter().chain(runs.into_iter().flatten()).collect();
        Self(words.into())
    }

    /// The user whose lists these are.
    pub fn user(&self) -> u64 {
        self.0[0]
    }

    /// The organisation of that user.
    pub fn organisation(&self) -> u32 {
        (self.0[3] >> 32) as u32
    }

    /// What the user chose.
    pub fn options(&self) -> UserOptions {
        UserOptions::from_bits(self.0[3] as u32)
    }

    /// The key of that user.
    pub fn key(&self) -> FingerprintKey {
        FingerprintKey(self.0[1], self.0[2])
    }

    /// Whether no entry stands on any list: nothing needs to be hashed then.
    pub fn is_empty(&self) -> bool {
        self.0[4] == 0 && !self.has_globs()
    }

    /// Whether the user has glob patterns, which stand in a side table.
    pub fn has_globs(&self) -> bool {
        self.0[3] as u32 & GLOBS != 0
    }

    /// Whether an entry of this scope stands on the white list.
    pub fn has_white(&self, scope: Scope) -> bool {
        self.0[3] as u32 >> (WHITE_SCOPES_SHIFT + u32::from(scope.code())) & 1 == 1
    }

    /// How many fingerprints a list holds, glob patterns not counted.
    pub fn len(&self, list: ListKind) -> usize {
        (self.0[4] >> (COUNT_BITS * list as u32) & COUNT_MASK) as usize
    }

    /// Whether a fingerprint, shortened, stands on a list.
    pub fn contains(&self, list: ListKind, short: u64) -> bool {
        let before: usize = ListKind::ALL.into_iter().take(list as usize).map(|earlier| self.len(earlier)).sum();
        let start = HEADER_WORDS + before;
        self.0[start..start + self.len(list)].binary_search(&short).is_ok()
    }
}

impl fmt::Debug for UserLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserLists(hidden)")
    }
}

/// A user's glob patterns, compiled. They cannot be fingerprinted, so the relay can read them: off by default.
pub struct Globs([Option<RegexSet>; 3]);

/// Most memory one list's compiled patterns take, in bytes; a set over it is refused as a whole.
const MAX_GLOB_SIZE: usize = 1 << 20;

impl Globs {
    /// Compiles patterns as [`EntryValue::Glob`] holds them. `*` stands for any text, `?` for one character.
    ///
    /// # Errors
    /// Where the patterns of a list together are too large.
    pub fn build<'a>(patterns: impl IntoIterator<Item = (ListKind, &'a str)>) -> Result<Self, GlobError> {
        let mut texts: [Vec<String>; 3] = Default::default();
        for (list, pattern) in patterns {
            let body = regex::escape(pattern).replace("\\*", ".*").replace("\\?", ".");
            texts[list as usize].push(format!("^(?s:{body})$"));
        }
        let compile = |patterns: &Vec<String>| {
            let set = RegexSetBuilder::new(patterns).size_limit(MAX_GLOB_SIZE).dfa_size_limit(MAX_GLOB_SIZE).build();
            set.map(Some).map_err(|_| GlobError)
        };
        let mut compiled = [const { None }; 3];
        for (place, patterns) in compiled.iter_mut().zip(&texts).filter(|(_, patterns)| !patterns.is_empty()) {
            *place = compile(patterns)?;
        }
        Ok(Self(compiled))
    }

    /// Whether a pattern of the list matches the whole address.
    pub fn matches(&self, list: ListKind, address: &str) -> bool {
        self.0[list as usize].as_ref().is_some_and(|set| set.is_match(address))
    }
}

impl fmt::Debug for Globs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Globs(hidden)")
    }
}

/// A list's patterns take too much memory together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the patterns of this list are too large together; use domains instead")]
pub struct GlobError;

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
    fn each_list_finds_its_own_entries_only() {
        let key = FingerprintKey::from_bytes([1; 16]);
        let options = UserOptions {
            personal_actions: Some(PersonalActions::TAG | PersonalActions::MARK),
            black_action: Some(BlackAction::Junk),
            functional: false,
            paused: true,
        };
        let entry = |list, n: u32| (list, Scope::Address, key.fingerprint(Scope::Address, &format!("a{n}@d.example")));
        let entries = (0..300).map(|n| entry(ListKind::ALL[n as usize % 3], n));
        let lists = UserLists::build(42, 9, &key, options, entries);
        for n in 0..300 {
            for list in ListKind::ALL {
                let (_, _, fingerprint) = entry(list, n);
                assert_eq!(lists.contains(list, fingerprint.short()), ListKind::ALL[n as usize % 3] == list);
            }
        }
        assert_eq!((lists.user(), lists.organisation(), lists.options()), (42, 9, options));
        assert!(lists.has_white(Scope::Address) && !lists.has_white(Scope::Domain) && !lists.is_empty());
    }

    #[test]
    fn nothing_secret_is_shown_by_debug() {
        let value: EntryValue = "maman@famille.example".parse().expect("valid");
        let key = FingerprintKey::from_bytes(*b"0123456789abcdef");
        let shown = format!("{value:?} {key:?} {:?}", key.of(&value));
        assert!(!shown.contains("maman") && !shown.contains("famille"), "{shown}");
    }
}
