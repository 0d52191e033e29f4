//! Mail addresses and domains in normal form.
//!
//! The normal form is what two spellings of one address share: the domain in lower-case A-labels (IDNA, RFC 5891)
//! without its trailing dot, the local part in lower case and without needless quotes. RFC 5321 lets a local part be
//! case-sensitive; no mail system a user would write down does so, and a list that misses `Maman@` helps nobody.
//!
//! A value of these types is valid and normal. What does not parse is *no address*: it matches no entry.

use std::borrow::Cow;
use std::fmt;

use idna::AsciiDenyList;

use super::text::ByteSet;

/// Longest domain taken, in bytes of its A-label form (RFC 1035, 3.1).
pub const MAX_DOMAIN: usize = 253;
/// Longest label of a domain, in bytes (RFC 1035, 3.1).
const MAX_LABEL: usize = 63;
/// Longest local part taken, in bytes. RFC 5321 says 64; VERP and SRS go beyond it in practice.
pub const MAX_LOCAL: usize = 256;

/// Why a text is not an address or a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No `@`, or nothing on one side of it.
    #[error("it is not of the form local@domain")]
    Shape,
    /// A local part with characters that only quoting allows, or too long.
    #[error("the part before the @ is malformed")]
    Local,
    /// A domain that is empty, too long, or no domain name.
    #[error("the domain is malformed")]
    Domain,
}

/// Characters a domain name cannot hold. The underscore is none of them: sending hosts use it.
const DENIED: AsciiDenyList = AsciiDenyList::new(true, " !\"#$%&'()*+,/:;<=>?@[\\]^`{|}~");

/// What a label of a domain in normal form holds.
const NORMAL_LABEL: ByteSet = ByteSet::of(b"abcdefghijklmnopqrstuvwxyz0123456789-_");
/// What a local part in normal form holds of ASCII: `atext` (RFC 5322, 3.2.3) in lower case, and the dot.
const NORMAL_LOCAL: ByteSet = ByteSet::of(b"abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-./=?^_`{|}~");

/// A domain name in normal form.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(Box<str>);

impl Domain {
    /// Reads a domain as people and mail write it: any case, U-labels or A-labels, with or without the trailing dot.
    ///
    /// # Errors
    /// [`AddressError::Domain`] for an address literal, an empty label, a character no domain holds, or over
    /// [`MAX_DOMAIN`] bytes.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        normal_domain(text).map(|domain| Self(domain.into()))
    }

    /// The normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `self` is `other` or stands below it.
    pub fn is_within(&self, other: &Domain) -> bool {
        is_within(&self.0, &other.0)
    }
}

/// Whether the normal-form domain `inner` is `outer` or one of its subdomains.
pub fn is_within(inner: &str, outer: &str) -> bool {
    match inner.strip_suffix(outer) {
        Some("") => true,
        Some(rest) => rest.ends_with('.'),
        None => false,
    }
}

/// An address in normal form: `local@domain`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    text: Box<str>,
    at: u16,
}

impl Address {
    /// Reads exactly one bare `local@domain`.
    ///
    /// # Errors
    /// See [`AddressError`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if let Some(at) = normal_address(text.as_bytes()) {
            return Ok(Self { text: text.into(), at });
        }
        let at = text.as_bytes().iter().rposition(|&byte| byte == b'@').ok_or(AddressError::Shape)?;
        let (local, domain) = (&text[..at], &text[at + 1..]);
        if local.is_empty() || domain.is_empty() {
            return Err(AddressError::Shape);
        }
        Ok(Self::join(&normal_local(local)?, &normal_domain(domain)?))
    }

    /// Reads the path of a MAIL or RCPT as the milter receives it: brackets and a source route (RFC 5321, 4.1.2,
    /// appendix C) are taken off. `None` for the null sender and for whatever is no clean address.
    pub fn from_path(path: &[u8]) -> Option<Self> {
        let inside = path.strip_prefix(b"<").and_then(|path| path.strip_suffix(b">")).unwrap_or(path);
        if let Some(address) = Self::from_normal(inside) {
            return Some(address);
        }
        // Nor does any SMTP command hold control characters (RFC 5321, 4.1.2), and no edit could name such a path.
        if path.iter().any(u8::is_ascii_control) {
            return None;
        }
        Self::parse(std::str::from_utf8(bare_path(path)).ok()?).ok()
    }

    /// Reads an address that is written in normal form, as most are; `None` for any other, which may be one all the same.
    pub(super) fn from_normal(bytes: &[u8]) -> Option<Self> {
        let at = normal_address(bytes)?;
        std::str::from_utf8(bytes).ok().map(|text| Self { text: text.into(), at })
    }

    fn join(local: &str, domain: &str) -> Self {
        // Both lengths are bounded by MAX_LOCAL and MAX_DOMAIN, so `at` fits.
        let mut text = String::with_capacity(local.len() + 1 + domain.len());
        text.push_str(local);
        text.push('@');
        text.push_str(domain);
        Self { at: local.len() as u16, text: text.into() }
    }

    /// The normal form, `local@domain`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the `@`.
    pub fn local(&self) -> &str {
        &self.text[..usize::from(self.at)]
    }

    /// The part after the `@`.
    pub fn domain(&self) -> &str {
        &self.text[usize::from(self.at) + 1..]
    }

    /// The domain as a value of its own.
    pub fn domain_owned(&self) -> Domain {
        Domain(self.domain().into())
    }

    /// The address without what follows the first `delimiter`, a character of ASCII, in its local part (`a+b@d` becomes
    /// `a@d`); `None` where there is no such detail, or nothing would be left.
    pub fn without_detail(&self, delimiter: char) -> Option<Self> {
        let end = self.detail_at(delimiter)?;
        (end > 0).then(|| Self::join(&self.local()[..end], self.domain()))
    }

    /// Whether a `delimiter`, a character of ASCII, stands in the local part.
    pub fn has_detail(&self, delimiter: char) -> bool {
        self.detail_at(delimiter).is_some()
    }

    /// Where the first `delimiter` is.
    fn detail_at(&self, delimiter: char) -> Option<usize> {
        let delimiter = u8::try_from(delimiter).ok().filter(u8::is_ascii)?;
        self.local().bytes().position(|byte| byte == delimiter)
    }

    /// The same local part at another place: used to unwrap rewritten senders.
    pub(crate) fn from_parts(local: &str, domain: &str) -> Option<Self> {
        Some(Self::join(&normal_local(local).ok()?, &normal_domain(domain).ok()?))
    }
}

/// The path without its brackets and source route: `<@relay:a@d>` becomes `a@d`. Bytes are kept as they are.
pub fn bare_path(path: &[u8]) -> &[u8] {
    let mut path = path.trim_ascii();
    if let Some(inner) = path.strip_prefix(b"<").and_then(|p| p.strip_suffix(b">")) {
        path = inner;
    }
    if path.starts_with(b"@")
        && let Some(colon) = path.iter().position(|&b| b == b':')
    {
        path = &path[colon + 1..];
    }
    path
}

/// An address may stand on somebody's personal list: its text never reaches a log by way of `{:?}`.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(hidden)")
    }
}

/// See [`Address`]'s `Debug`.
impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Domain(hidden)")
    }
}

/// The normal form of a domain, borrowed where it is written so: see [`Domain::parse`].
pub(super) fn normal_domain(text: &str) -> Result<Cow<'_, str>, AddressError> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if is_normal_domain(text.as_bytes()) {
        return Ok(Cow::Borrowed(text));
    }
    // One trailing dot is off already.
    if text.ends_with('.') {
        return Err(AddressError::Domain);
    }
    let ascii = idna::domain_to_ascii_cow(text.as_bytes(), DENIED).map_err(|_| AddressError::Domain)?;
    // Other full stops than the ASCII one become it.
    let domain = ascii.strip_suffix('.').unwrap_or(&ascii).to_owned();
    let labels_fit = domain.split('.').all(|label| (1..=MAX_LABEL).contains(&label.len()));
    if domain.len() > MAX_DOMAIN || !labels_fit { Err(AddressError::Domain) } else { Ok(Cow::Owned(domain)) }
}

/// Whether a domain is in normal form for certain: in ASCII, lower case, within the limits, and without an A-label, which
/// would have to be looked into.
fn is_normal_domain(text: &[u8]) -> bool {
    let fits = |label: &[u8]| (1..=MAX_LABEL).contains(&label.len()) && !label.starts_with(b"xn--");
    let mut rest = text;
    while rest.len() <= MAX_DOMAIN {
        let end = NORMAL_LABEL.run(rest);
        match rest.get(end) {
            _ if !fits(&rest[..end]) => return false,
            None => return true,
            Some(b'.') => rest = &rest[end + 1..],
            Some(_) => return false,
        }
    }
    false
}

/// Where the `@` is in an address that is in normal form for certain, and in ASCII: see [`is_normal_domain`].
fn normal_address(bytes: &[u8]) -> Option<u16> {
    let at = NORMAL_LOCAL.run(bytes);
    let domain = bytes.get(at..)?.strip_prefix(b"@")?;
    ((1..=MAX_LOCAL).contains(&at) && is_normal_domain(domain)).then_some(at as u16)
}

fn normal_local(text: &str) -> Result<Cow<'_, str>, AddressError> {
    // RFC 5321, 4.1.2: a quoted local part and the same text unquoted are one mailbox.
    let text = match text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
        Some(inner) if !inner.contains('\\') => inner,
        Some(_) => return Err(AddressError::Local),
        None => text,
    };
    if text.is_empty() || text.len() > MAX_LOCAL {
        return Err(AddressError::Local);
    }
    if NORMAL_LOCAL.run(text.as_bytes()) == text.len() {
        return Ok(Cow::Borrowed(text));
    }
    if !text.chars().all(is_atom_or_dot) {
        return Err(AddressError::Local);
    }
    let lower = text.to_lowercase();
    // Lower case can be longer than the original ('İ'); the bound holds for what is kept.
    if lower.len() > MAX_LOCAL { Err(AddressError::Local) } else { Ok(Cow::Owned(lower)) }
}

/// `atext` of RFC 5322, 3.2.3, the dot, and (RFC 6531) any non-ASCII letter or sign that is neither control nor blank.
fn is_atom_or_dot(c: char) -> bool {
    match u8::try_from(c) {
        Ok(byte) if byte.is_ascii() => NORMAL_LOCAL.contains(byte.to_ascii_lowercase()),
        _ => !c.is_control() && !c.is_whitespace() && !is_invisible(c),
    }
}

/// Characters that are drawn as nothing, turn the reading direction, or stand for what was not readable: they make two
/// addresses look like one.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> Option<String> {
        Address::parse(text).ok().map(|a| a.as_str().to_owned())
    }

    #[test]
    fn spellings_of_one_address_share_a_normal_form() {
        for spelling in [
            "maman@xn--mller-kva.example",
            "Maman@Müller.EXAMPLE",
            "MAMAN@XN--MLLER-KVA.example.",
            "\"maman\"@müller.example",
            "maman@mu\u{308}ller.example",
        ] {
            assert_eq!(normal(spelling).as_deref(), Some("maman@xn--mller-kva.example"), "{spelling}");
        }
    }

    #[test]
    fn what_is_not_one_clean_address_is_none() {
        for text in [
            "",
            "@",
            "a@",
            "@d",
            "a",
            "a b@d.example",
            "a@b@d.example",
            "<a@d.example>",
            "a@[192.0.2.1]",
            "a@d..example",
            "a@d.example..",
            "a@D.example..",
            "\"a b\"@d.example",
            "\"a\\\"b\"@d.example",
            "a@d.example\0",
            "a\0@d.example",
            "a@d,e",
            "a,b@d.example",
            "a@-\u{202e}d.example",
            "a\u{200b}@d.example",
            "a@d.example ",
            "a(x)@d.example",
        ] {
            assert_eq!(normal(text), None, "{text:?}");
        }
        assert_eq!(normal(&format!("{}@d.example", "a".repeat(MAX_LOCAL + 1))), None);
        assert_eq!(normal(&format!("a@{}example", "abc.".repeat(63))), None);
    }

    #[test]
    fn a_path_loses_brackets_and_source_route() {
        for path in ["<a@d.example>", "a@d.example", "<@r.example,@s.example:a@d.example>", "@r.example:A@D.example"] {
            let address = Address::from_path(path.as_bytes());
            assert_eq!(address.as_ref().map(Address::as_str), Some("a@d.example"), "{path}");
        }
        for path in [
            &b"<>"[..],
            b"",
            b"<a@d.example",
            b"\xff@d.example",
            b"<@r.example>",
            b"<a@d.example>\n",
            b"<@r.example\r\n:a@d.example>",
        ] {
            assert_eq!(Address::from_path(path), None);
        }
    }

    #[test]
    fn detail_is_cut_at_the_first_delimiter() {
        let base = |text: &str| Address::parse(text).ok()?.without_detail('+').map(|a| a.as_str().to_owned());
        assert_eq!(base("a+b+c@d.example").as_deref(), Some("a@d.example"));
        assert_eq!(base("a@d.example"), None);
        assert_eq!(base("+b@d.example"), None);
    }

    #[test]
    fn a_subdomain_is_within_and_a_look_alike_is_not() {
        assert!(is_within("mail.d.example", "d.example"));
        assert!(is_within("d.example", "d.example"));
        assert!(!is_within("bad.example", "d.example"));
        assert!(!is_within("example", "d.example"));
    }

    proptest::proptest! {
        #[test]
        fn normalising_is_idempotent_for_any_text(text in "\\PC{0,40}@\\PC{0,40}") {
            if let Ok(address) = Address::parse(&text) {
                proptest::prop_assert_eq!(Address::parse(address.as_str()), Ok(address));
            }
        }

        #[test]
        fn any_path_is_read_without_panic(path in proptest::collection::vec(0u8.., 0..200)) {
            let _ = Address::from_path(&path);
        }
    }
}
