//! Who sent a message: the envelope sender and the header sender, and what a list compares of each.
//!
//! - BATV (`prvs=TAG=local@d`, draft-levine-smtp-batv) is unwrapped: the tag changes with each message.
//! - SRS0 and SRS1 (`SRS0=HASH=TT=domain=local@forwarder`) are unwrapped for the black list; for the others only where
//!   the rewriting domain is a configured forwarder, since anybody can write such an address.
//! - The header sender exists only where there is exactly one From header with exactly one clean `local@domain`.

use std::borrow::Cow;

use super::address::{Address, Domain};
use super::list::Scope;
use super::text::{ByteSet, lossy};

/// The delimiter between a sender's address and its detail: what `a+b@d` and `a@d` have in common.
pub const SENDER_DELIMITER: char = '+';
/// Most levels of a domain that are looked up for entries with subdomains; deeper ones are skipped from the left.
const MAX_PARENTS: usize = 8;
/// Longest From header read, in bytes. A longer one names no header sender.
const MAX_FROM: usize = 4096;

/// One sender identity of a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Sender {
    address: Address,
    base: Option<Address>,
    rewritten: Option<Rewritten>,
}

/// The sender that a forwarder rewrote (SRS).
#[derive(Clone, PartialEq, Eq)]
struct Rewritten {
    original: Address,
    base: Option<Address>,
    trusted: bool,
}

/// One text that an entry could hold, with the lists that may hold it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// What such an entry would apply to.
    pub scope: Scope,
    /// The text in normal form.
    pub text: &'a str,
    /// The mailbox that such an entry would mean: the sender's own, or the one before a forwarder rewrote it.
    pub address: &'a Address,
    /// The smaller, the more specific.
    pub rank: u8,
    /// Only the black list is searched: the text comes from a rewriting that nobody vouches for.
    pub black_only: bool,
}

/// The rank of a match by glob pattern: less specific than any other.
pub const GLOB_RANK: u8 = u8::MAX;

impl Sender {
    /// The identity of an envelope sender. `forwarders` are the domains whose rewriting is believed.
    pub fn envelope(address: Address, forwarders: &[Domain]) -> Self {
        let rewritten = unwrap_srs(&address).map(|original| Rewritten {
            base: original.without_detail(SENDER_DELIMITER),
            original,
            trusted: forwarders.iter().any(|forwarder| forwarder.as_str() == address.domain()),
        });
        let address = unwrap_batv(&address).unwrap_or(address);
        // The part of an SRS address before its '+' is no mailbox of anybody.
        let base = if rewritten.is_some() { None } else { address.without_detail(SENDER_DELIMITER) };
        Self { address, base, rewritten }
    }

    /// The identity of a header sender: nothing in it is rewritten.
    pub fn header(address: Address) -> Self {
        Self { base: address.without_detail(SENDER_DELIMITER), address, rewritten: None }
    }

    /// The header sender, from the raw value of the only From header, as [`header_sender`] reads it. In most mail it is the
    /// envelope sender too, which is then not read once more.
    pub fn in_header<'a>(value: &[u8], envelope: Option<&'a Sender>) -> Option<Cow<'a, Sender>> {
        let known = envelope.filter(|sender| sender.rewritten.is_none() && value.len() <= MAX_FROM);
        match known.filter(|sender| plain_mailbox(value) == Some(sender.address.as_str().as_bytes())) {
            Some(sender) => Some(Cow::Borrowed(sender)),
            None => header_sender(value).map(|address| Cow::Owned(Self::header(address))),
        }
    }

    /// The address, BATV taken off.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Every text an entry for this sender could hold, most specific first among those of one address.
    pub fn candidates(&self) -> impl Iterator<Item = Candidate<'_>> {
        let own = of_address(&self.address, self.base.as_ref(), false);
        let original = self.rewritten.iter().flat_map(|r| of_address(&r.original, r.base.as_ref(), !r.trusted));
        own.chain(original)
    }

    /// The addresses a glob pattern is compared with, and whether only the black list may.
    pub fn whole_addresses(&self) -> impl Iterator<Item = (&Address, bool)> {
        let original = self.rewritten.iter().map(|r| (&r.original, !r.trusted));
        std::iter::once((&self.address, false)).chain(original)
    }
}

/// A sender may stand on somebody's personal list.
impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sender(hidden)")
    }
}

fn of_address<'a>(
    address: &'a Address,
    base: Option<&'a Address>,
    black_only: bool,
) -> impl Iterator<Item = Candidate<'a>> {
    let candidate = move |scope, text, rank| Candidate { scope, text, address, rank, black_only };
    let domain = address.domain();
    let parents = domain_and_parents(domain);
    [
        Some(candidate(Scope::Address, address.as_str(), 0)),
        base.map(|base| candidate(Scope::Address, base.as_str(), 1)),
        Some(candidate(Scope::Domain, domain, 2)),
    ]
    .into_iter()
    .flatten()
    .chain((3..).zip(parents).map(move |(rank, parent)| candidate(Scope::Subdomains, parent, rank)))
}

/// The domain and what stands above it, down to two labels: an entry for a top-level domain cannot be made.
fn domain_and_parents(domain: &str) -> impl Iterator<Item = &str> {
    let is_dot = |&(_, byte): &(usize, u8)| byte == b'.';
    let depth = domain.bytes().enumerate().filter(is_dot).count();
    let parents = domain.bytes().enumerate().filter(is_dot).map(|(dot, _)| &domain[dot + 1..]);
    std::iter::once(domain).chain(parents).take(depth).skip(depth.saturating_sub(MAX_PARENTS))
}

/// `prvs=KDDDSSSSSS=local@d` becomes `local@d`.
fn unwrap_batv(address: &Address) -> Option<Address> {
    let (tag, local) = address.local().strip_prefix("prvs=")?.split_once('=')?;
    let tag_fits = tag.len() == 10 && tag.bytes().all(|b| b.is_ascii_hexdigit());
    if !tag_fits {
        return None;
    }
    Address::from_parts(local, address.domain())
}

/// `SRS0=HHH=TT=domain=local@forwarder` and `SRS1=HHH=forwarder==HHH=TT=domain=local@other` become `local@domain`.
fn unwrap_srs(address: &Address) -> Option<Address> {
    let separator = |c| matches!(c, '=' | '+' | '-');
    let local = address.local();
    let inner = if let Some(rest) = local.strip_prefix("srs1").and_then(|r| r.strip_prefix(separator)) {
        let (_hash, rest) = rest.split_once('=')?;
        let (_forwarder, rest) = rest.split_once('=')?;
        rest.strip_prefix(separator)?
    } else {
        local.strip_prefix("srs0").and_then(|r| r.strip_prefix(separator))?
    };
    let mut parts = inner.splitn(4, '=');
    let (_hash, _time, domain, local) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Address::from_parts(local, domain)
}

/// The header sender, from the raw value of the only From header (folds as LF and white space).
///
/// Strict on purpose, and written here since general parsers repair what must be refused: two mailboxes, a group, a
/// route, anything after the `>`, an unquoted `@` in the display name.
pub fn header_sender(value: &[u8]) -> Option<Address> {
    if value.len() > MAX_FROM {
        return None;
    }
    plain_mailbox(value).and_then(Address::from_normal).or_else(|| any_mailbox(value))
}

/// What a display name may hold without meaning anything to any reader; whoever reads encoded words finds them whole.
const PLAIN: ByteSet =
    ByteSet::of(b" \t\nabcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-./=?^_`{|}~");

/// What a quoted display name may hold likewise.
const PLAIN_IN_QUOTES: ByteSet =
    ByteSet::of(b" \tabcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-./=?^_`{|}~,:;()@");
/// What may stand around a display name.
const BLANKS: ByteSet = ByteSet::of(b" \t\n");

/// What stands in the brackets of `Display name <local@domain>` where nothing before or behind them needs a second look, as
/// in most messages. Where it is an address in normal form, [`any_mailbox`] finds the same.
fn plain_mailbox(value: &[u8]) -> Option<&[u8]> {
    let front = &value[BLANKS.run(value)..];
    let rest = match front.strip_prefix(b"\"") {
        Some(name) => {
            let after = name[PLAIN_IN_QUOTES.run(name)..].strip_prefix(b"\"")?;
            &after[BLANKS.run(after)..]
        }
        None => &front[PLAIN.run(front)..],
    };
    rest.strip_prefix(b"<")?.strip_suffix(b">")
}

fn any_mailbox(value: &[u8]) -> Option<Address> {
    // A display name may hold bytes of any old charset; what replaces them is allowed in no address.
    let text = &*lossy(value);
    if has_control(text) {
        return None;
    }
    let mut scanner = Scanner { rest: text };
    let mut before = String::with_capacity(text.len());
    loop {
        scanner.skip_blanks_and_comments()?;
        match scanner.peek() {
            None => return Address::parse(&before).ok(),
            Some('<') => break,
            Some('"') => before.push_str(scanner.quoted_string()?),
            Some(',' | ';' | ':' | '>' | ')' | '[' | ']') => return None,
            Some('\\') => return None,
            Some(_) => {
                // Words of a display name; kept apart, so that they can never join into an address.
                if !before.is_empty() && !before.ends_with('@') && !before.ends_with('"') {
                    before.push(' ');
                }
                before.push_str(scanner.word());
            }
        }
    }
    let has_at = |text: &str| text.as_bytes().contains(&b'@');
    if has_at(&before) && before.split('"').step_by(2).any(has_at) {
        return None;
    }
    let (inside, after) = scanner.rest[1..].split_once('>')?;
    let mut rest = Scanner { rest: after };
    rest.skip_blanks_and_comments()?;
    if rest.peek().is_some() { None } else { Address::parse(inside.trim_matches([' ', '\t', '\n'])).ok() }
}

/// Walks a structured header value (RFC 5322, 3.2).
struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// `None` where a comment is not closed.
    fn skip_blanks_and_comments(&mut self) -> Option<()> {
        loop {
            let blanks = self.rest.as_bytes().iter().take_while(|&&byte| is_blank(byte)).count();
            self.rest = &self.rest[blanks..];
            if !self.rest.starts_with('(') {
                return Some(());
            }
            self.rest = &self.rest[comment_length(self.rest)?..];
        }
    }

    /// The quoted string at the front, quotes included; `None` where it is not closed.
    fn quoted_string(&mut self) -> Option<&'a str> {
        let mut escaped = false;
        for (index, c) in self.rest.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    let (string, rest) = self.rest.split_at(index + 1);
                    self.rest = rest;
                    return Some(string);
                }
                _ => {}
            }
        }
        None
    }

    /// What stands up to the next blank or special. An encoded word (RFC 2047) is one word, commas and colons included.
    fn word(&mut self) -> &'a str {
        let end = encoded_word_length(self.rest)
            .or_else(|| self.rest.as_bytes().iter().position(|&byte| is_blank(byte) || is_special(byte)));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n')
}

/// What ends a word: the specials of RFC 5322, 3.2.3, but for `@` and the dot.
fn is_special(byte: u8) -> bool {
    matches!(byte, b'(' | b')' | b'<' | b'>' | b',' | b';' | b':' | b'"' | b'\\' | b'[' | b']')
}

fn comment_length(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut escaped = false;
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => depth += 1,
            ')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(index + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether a control character stands there that is no part of a fold.
fn has_control(text: &str) -> bool {
    if text.is_ascii() {
        return text.as_bytes().iter().any(|byte| byte.is_ascii_control() && !matches!(byte, b'\n' | b'\t'));
    }
    text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t'))
}

/// `=?charset?Q?text?=` at the front of `text`, with no blank inside, nor anything that opens or ends a comment, a quoted
/// string or an address for a reader who does not know encoded words.
fn encoded_word_length(text: &str) -> Option<usize> {
    let inner = text.as_bytes().strip_prefix(b"=?")?;
    let charset = inner.iter().position(|&byte| byte == b'?')?;
    let [encoding, b'?', encoded @ ..] = &inner[charset + 1..] else { return None };
    let length = encoded.windows(2).position(|two| two == b"?=")?;
    let is_plain = |part: &[u8]| {
        !part.iter().any(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'(' | b')' | b'<' | b'>' | b'"' | b'\\'))
    };
    (is_plain(&inner[..charset]) && *encoding != b'?' && is_plain(&encoded[..length]))
        .then_some(2 + charset + 3 + length + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(value: &str) -> Option<String> {
        header_sender(value.as_bytes()).map(|a| a.as_str().to_owned())
    }

    #[test]
    fn a_clean_mailbox_is_the_header_sender() {
        for value in [
            "maman@famille.example",
            " Maman <maman@famille.example>",
            "\"Martin, Maman\" <Maman@Famille.Example>",
            "=?utf-8?Q?Ma,man_:?= <maman@famille.example>",
            "=?utf-8?Q?Maman_(Lyon)?= <maman@famille.example>",
            "maman@famille.example (Maman (chez elle))",
            "(x) Maman\n <maman@famille.example>\n (y)",
            "\"evil@bad.example\" <maman@famille.example>",
            "<maman@famille.example>",
            "M. Maman <maman@famille.example>",
            "Ma man\n\t< maman@famille.example >",
            "\"maman\"@famille.example",
        ] {
            assert_eq!(from(value).as_deref(), Some("maman@famille.example"), "{value:?}");
        }
        assert!(header_sender(b"M\xe8re No\xebl <maman@famille.example>").is_some());
    }

    #[test]
    fn anything_else_is_no_header_sender() {
        for value in [
            // To another reader the parenthesis opens a comment, and the bracket an address.
            "=?utf-8?Q?Maman_(?= <maman@famille.example>",
            "=?utf-8?Q?Maman_(?= <maman@famille.example> ()",
            "=?utf-8?Q?<papa@d.example>?= <maman@famille.example>",
            "=?utf-8?Q?\"?= <maman@famille.example>",
            "",
            "Maman",
            "maman@famille.example, papa@famille.example",
            "Maman <maman@famille.example>, papa@famille.example",
            "<maman@famille.example> <evil@bad.example>",
            "maman@famille.example <evil@bad.example>",
            "<@route.example:maman@famille.example>",
            "undisclosed-recipients:;",
            "Famille: maman@famille.example;",
            "Maman <maman@famille.example> x",
            "Maman <maman@famille.example",
            "maman @famille.example papa",
            "maman@famille.example\0",
            "\"Maman <maman@famille.example>",
            "(Maman <maman@famille.example>",
            "maman@famille.example papa",
            "Maman <maman(x)@famille.example>",
            "Maman <\"a b\"@famille.example>",
            "Maman <maman@famille.example>>",
            "maman@famille.example;",
        ] {
            assert_eq!(from(value), None, "{value:?}");
        }
        assert_eq!(header_sender(b"Maman <mam\xe9n@famille.example>"), None);
        assert_eq!(header_sender(b"Maman <maman@famill\xe9.example>"), None);
    }

    #[test]
    fn who_sends_by_both_identities_is_read_once() {
        let sender = |path: &str| Sender::envelope(Address::parse(path).expect(path), &[]);
        let long = format!(" {} <maman@famille.example>", "x".repeat(MAX_FROM));
        let rewritten = "SRS0=abc=XY=famille.example=maman@fwd.example";
        for (path, value, is_read_once) in [
            ("maman@famille.example", " Maman <maman@famille.example>", true),
            ("prvs=2123456abc=maman@famille.example", "\"Maman, chez elle\" <maman@famille.example>", true),
            ("papa@famille.example", " Maman <maman@famille.example>", false),
            ("maman@famille.example", " Maman <Maman@famille.example>", false),
            ("maman@famille.example", &long, false),
            (rewritten, &format!("<{}>", rewritten.to_lowercase()), false),
            ("Éva@famille.example", "\"Eva\" <éva@famille.example>", true),
            ("eva@müller.example", "Eva <eva@müller.example>", false),
            ("eva@müller.example", "Eva <eva@xn--mller-kva.example>", true),
        ] {
            let envelope = sender(path);
            let found = Sender::in_header(value.as_bytes(), Some(&envelope));
            assert_eq!(matches!(found, Some(Cow::Borrowed(_))), is_read_once, "{value}");
            let alone = header_sender(value.as_bytes()).map(Sender::header);
            assert!(found.as_deref() == alone.as_ref(), "{value}");
        }
    }

    fn envelope(path: &str, forwarders: &[&str]) -> Vec<(String, bool)> {
        let forwarders: Vec<Domain> = forwarders.iter().map(|d| Domain::parse(d).expect("domain")).collect();
        let sender = Sender::envelope(Address::parse(path).expect(path), &forwarders);
        let addresses = sender.candidates().filter(|c| c.scope == Scope::Address);
        addresses.map(|c| (c.text.to_owned(), c.black_only)).collect()
    }

    #[test]
    fn a_rewritten_sender_is_unwrapped_as_far_as_it_may_be() {
        let own = |text: &str| (text.to_owned(), false);
        let black = |text: &str| (text.to_owned(), true);
        assert_eq!(envelope("prvs=2123456abc=maman@d.example", &[]), [own("maman@d.example")]);
        assert_eq!(envelope("prvs=nothex=maman@d.example", &[]), [own("prvs=nothex=maman@d.example")]);
        assert_eq!(
            envelope("SRS0=ab+c=XY=famille.example=maman@fwd.example", &[]),
            [own("srs0=ab+c=xy=famille.example=maman@fwd.example"), black("maman@famille.example")]
        );
        assert_eq!(
            envelope("SRS0=abc=XY=famille.example=maman+x@fwd.example", &["fwd.example"]).split_first(),
            Some((
                &own("srs0=abc=xy=famille.example=maman+x@fwd.example"),
                &[own("maman+x@famille.example"), own("maman@famille.example")][..]
            ))
        );
        assert_eq!(
            envelope("SRS1=hhh=fwd.example==abc=XY=famille.example=maman@second.example", &[]).last(),
            Some(&black("maman@famille.example"))
        );
        assert_eq!(envelope("srs0=x@d.example", &[]), [own("srs0=x@d.example")]);
    }

    #[test]
    fn candidates_go_from_the_address_up_to_the_domain_that_can_be_listed() {
        let sender = Sender::header(Address::parse("a+b@mail.famille.example").expect("valid"));
        let all: Vec<_> = sender.candidates().map(|c| (c.rank, c.scope, c.text)).collect();
        assert_eq!(
            all,
            [
                (0, Scope::Address, "a+b@mail.famille.example"),
                (1, Scope::Address, "a@mail.famille.example"),
                (2, Scope::Domain, "mail.famille.example"),
                (3, Scope::Subdomains, "mail.famille.example"),
                (4, Scope::Subdomains, "famille.example"),
            ]
        );
        let deep = Sender::header(Address::parse("a@1.2.3.4.5.6.7.8.9.10.d.example").expect("valid"));
        let texts: Vec<_> = deep.candidates().filter(|c| c.scope == Scope::Subdomains).map(|c| c.text).collect();
        assert_eq!((texts.len(), texts.last()), (MAX_PARENTS, Some(&"d.example")));
    }

    proptest::proptest! {
        #[test]
        fn any_from_is_read_without_panic(value in proptest::collection::vec(0u8.., 0..300)) {
            let _ = header_sender(&value);
        }

        #[test]
        fn what_is_read_at_a_glance_is_what_a_second_look_finds(value in "[ \t]?(\"?[A-Za-z ,.=?@()\t]{0,9}\"?){0,3} ?<?[a-z.]{1,4}@[a-z.]{1,4}>? ?") {
            let glance = plain_mailbox(value.as_bytes()).and_then(Address::from_normal);
            proptest::prop_assert!(glance.is_none() || glance == any_mailbox(value.as_bytes()), "{value:?}");
        }

        #[test]
        fn structured_noise_never_yields_an_address_that_is_not_there(value in "[ab@<>\",:;()\\\\ .=?Q]{0,40}") {
            if let Some(address) = header_sender(value.as_bytes()) {
                let squeezed = value.to_lowercase().replace('"', "");
                proptest::prop_assert!(squeezed.contains(address.as_str()), "{value:?}");
            }
        }
    }
}
