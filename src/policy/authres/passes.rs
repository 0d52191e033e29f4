//! The passes that one Authentication-Results header names (RFC 8601, 2.2): methods, and the domains that they passed for.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::Method;
use crate::policy::address::{Address, normal_domain};
use crate::policy::text::ByteSet;

/// Passes of a usual header: of SPF, DKIM, DMARC and one more signature.
const USUAL_PASSES: usize = 4;
/// Words of a usual property's name, comments set aside.
const USUAL_WORDS: usize = 2;

/// A method that passed, and the value that names the domain that it passed for, as written.
pub(super) struct Pass<'a> {
    pub(super) method: Method,
    value: &'a str,
}

impl Pass<'_> {
    pub(super) fn proves_envelope(&self, address: &Address) -> bool {
        self.method == Method::Spf && self.is_for(address.domain(), |one, other| one == other)
    }

    pub(super) fn proves_header(&self, address: &Address) -> bool {
        match self.method {
            Method::Dmarc => self.is_for(address.domain(), |one, other| one == other),
            Method::Dkim | Method::Spf => self.is_for(address.domain(), is_aligned),
        }
    }

    /// Whether the domain that it passed for is another, in normal form, or comes up to it.
    fn is_for(&self, domain: &str, comes_up: impl Fn(&str, &str) -> bool) -> bool {
        // Mostly it is that one to the letter, which needs no second look: no domain holds an @ or a quote.
        if self.value.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('@')) {
            return true;
        }
        normal_domain(domain_of(&unquoted(self.value))).is_ok_and(|own| comes_up(&own, domain))
    }
}

/// Relaxed alignment (RFC 7489, 3.1): one organisational domain by the public suffix list.
fn is_aligned(one: &str, other: &str) -> bool {
    one == other || psl::domain_str(one).is_some_and(|registered| psl::domain_str(other) == Some(registered))
}

/// The passes of one header; `None` where it cannot be understood.
pub(super) fn passes_of(text: &str) -> Option<SmallVec<[Pass<'_>; USUAL_PASSES]>> {
    let bytes = text.as_bytes();
    let mut passes = SmallVec::new();
    // What stands before the first semicolon names the verifier.
    let mut part = Part { state: State::Void, ..Part::default() };
    let mut at = 0;
    let mut is_value = false;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => at += 1,
            b'(' => at = text.len() - after_comment(&text[at..])?.len(),
            b';' => {
                passes.extend(part.pass());
                part = Part::default();
                at += 1;
                is_value = false;
            }
            b'=' => {
                part.equals();
                at += 1;
                is_value = true;
            }
            _ => {
                let end = at + word_length(&text[at..], is_value)?;
                part.word(&text[at..end]);
                at = end;
                is_value = false;
            }
        }
    }
    passes.extend(part.pass());
    Some(passes)
}

/// One `; method=result property=value…` of the header, word by word; comments and white space are left out (RFC 8601, 2.2).
/// Words are as written, quotes included.
#[derive(Default)]
struct Part<'a> {
    method: Option<Method>,
    properties: [Said<'a>; 5],
    /// The words since the last value: of the method, then of a property.
    name: SmallVec<[&'a str; USUAL_WORDS]>,
    state: State,
}

/// What comes next in a [`Part`].
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// The name of the method.
    #[default]
    Method,
    /// The value of a property, if that is one that decides.
    Value(Option<Property>),
    /// The name of a property.
    Name,
    /// Nothing that could make it a pass.
    Void,
}

impl<'a> Part<'a> {
    fn equals(&mut self) {
        self.state = match self.state {
            State::Method => {
                self.method = Method::named(&self.name);
                if self.method.is_some() { State::Value(Some(Property::Result)) } else { State::Void }
            }
            State::Name => State::Value(Property::named(&self.name)),
            // Nothing stands between two of them.
            State::Value(_) | State::Void => State::Void,
        };
        self.name.clear();
    }

    fn word(&mut self, word: &'a str) {
        match self.state {
            State::Method => self.name.push(word),
            State::Value(property) => {
                if let Some(property) = property {
                    self.properties[property as usize].note(word);
                }
                self.state = State::Name;
            }
            // No name of a property holds an @: a part of an address has come apart from its value.
            State::Name if word.as_bytes().contains(&b'@') => self.state = State::Void,
            State::Name => self.name.push(word),
            State::Void => {}
        }
    }

    /// Where it is a pass that names its domain.
    fn pass(&self) -> Option<Pass<'a>> {
        let method = self.method.filter(|_| self.state == State::Name)?;
        let said = |property: Property| self.properties[property as usize].value();
        let result = said(Property::Result)?;
        if result != "pass" && !unquoted(result).eq_ignore_ascii_case("pass") {
            return None;
        }
        let value = match method {
            Method::Dmarc => said(Property::HeaderFrom),
            Method::Dkim => said(Property::HeaderD).or_else(|| said(Property::HeaderI)),
            Method::Spf => said(Property::MailFrom),
        }?;
        Some(Pass { method, value })
    }
}

/// The domain of a value that is an address, or one.
fn domain_of(value: &str) -> &str {
    let start = value.as_bytes().iter().rposition(|&byte| byte == b'@').map_or(0, |at| at + 1);
    value[start..].trim_end_matches('>')
}

impl Method {
    /// The method that these words name; `dkim / 1` and `dkim/1` are one word.
    fn named(words: &[&str]) -> Option<Self> {
        if let [word] = words
            && let Some(method) = Self::written(word)
        {
            return Some(method);
        }
        let name = joined(words);
        let (method, version) = name.split_once('/').unwrap_or((&name, "1"));
        Self::written(method).filter(|_| version == "1")
    }

    /// The method of a name in lower case.
    fn written(name: &str) -> Option<Self> {
        match name {
            "dmarc" => Some(Self::Dmarc),
            "dkim" => Some(Self::Dkim),
            "spf" => Some(Self::Spf),
            _ => None,
        }
    }
}

/// A property that decides, or the result of the method itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Property {
    Result,
    HeaderFrom,
    HeaderD,
    HeaderI,
    MailFrom,
}

impl Property {
    /// The property whose name these words end with.
    fn named(words: &[&str]) -> Option<Self> {
        // Mostly it is one word, as it should be written.
        if let [word] = words
            && !word.bytes().any(|byte| byte.is_ascii_uppercase() || byte == b'"')
        {
            return Self::written(word);
        }
        let name = joined(words);
        Self::written(name.rsplit(' ').next().unwrap_or_default())
    }

    /// The property of a name in lower case.
    fn written(name: &str) -> Option<Self> {
        match name {
            "result" => Some(Self::Result),
            "header.from" => Some(Self::HeaderFrom),
            "header.d" => Some(Self::HeaderD),
            "header.i" => Some(Self::HeaderI),
            "smtp.mailfrom" => Some(Self::MailFrom),
            _ => None,
        }
    }
}

/// What one method says of a [`Property`].
#[derive(Clone, Copy, Default)]
enum Said<'a> {
    #[default]
    Nothing,
    Value(&'a str),
    /// A property given twice with two values says nothing.
    Contradiction,
}

impl<'a> Said<'a> {
    fn note(&mut self, value: &'a str) {
        *self = match *self {
            Self::Nothing => Self::Value(value),
            Self::Value(known) if unquoted(known) == unquoted(value) => return,
            Self::Value(_) | Self::Contradiction => Self::Contradiction,
        };
    }

    fn value(self) -> Option<&'a str> {
        match self {
            Self::Value(value) => Some(value),
            Self::Nothing | Self::Contradiction => None,
        }
    }
}

/// Words without their quotes and in lower case, a blank between them, none around `.` and `/`, where white space and
/// comments may stand.
fn joined(words: &[&str]) -> String {
    let mut text = String::new();
    for word in words {
        let word = unquoted(word);
        if !(text.is_empty() || text.ends_with(['.', '/']) || word.starts_with(['.', '/'])) {
            text.push(' ');
        }
        text.push_str(&word.to_ascii_lowercase());
    }
    text
}

/// What may end a word.
const WORD_ENDS: ByteSet = ByteSet::of(b" \t\n\r(;=\"");

/// The length of the word at the front, quoted strings within it included: `"a b"@d` is one word. A value goes on over
/// `=` to the next blank, since verifiers write that of a BATV or SRS address, or of base64, without the quotes that RFC
/// 8601 asks for. `None` where a quoted string does not end.
fn word_length(text: &str, is_value: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = WORD_ENDS.distance(bytes);
    loop {
        at = match bytes.get(at) {
            Some(b'"') => text.len() - quoted_string(&text[at..])?.1.len(),
            Some(b'=') if is_value => at + 1,
            _ => return Some(at),
        };
        at += WORD_ENDS.distance(&bytes[at..]);
    }
}

/// A word that is a quoted string and nothing else, without its quotes; any other word as it is, so that what stands in
/// the quotes of a local part is never taken for a domain.
fn unquoted(word: &str) -> Cow<'_, str> {
    let content = word.starts_with('"').then(|| quoted_string(word)).flatten();
    match content {
        Some((content, "")) => content.into(),
        _ => word.into(),
    }
}

/// What matters within a comment.
const COMMENT_MARKS: ByteSet = ByteSet::of(b"()\\");

/// What follows the comment at the front; `None` where it does not end.
pub(super) fn after_comment(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0usize, 0);
    loop {
        at += COMMENT_MARKS.distance(bytes.get(at..)?);
        match bytes.get(at)? {
            b'(' => depth += 1,
            b')' if depth == 1 => return Some(&text[at + 1..]),
            b')' => depth -= 1,
            // A backslash takes what follows it along.
            _ => at += 1,
        }
        at += 1;
    }
}

/// The content of the quoted string at the front and what follows it.
pub(super) fn quoted_string(text: &str) -> Option<(String, &str)> {
    let mut content = String::new();
    let mut escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => {
                content.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Some((content, &text[index + 1..])),
            _ => content.push(c),
        }
    }
    None
}
