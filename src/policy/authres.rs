//! Authentication-Results (RFC 8601): which sender identities our own verifier vouches for.
//!
//! Believed is only what our own verifier wrote: its authserv-id, no more than `hops` Received lines above it, and
//! of those headers the topmost `results`. A verifier inserts its header above all that came with the message, so a
//! forged one stands below; RFC 8601, 5 asks the verifier to remove forged ones besides.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use smallvec::SmallVec;

use super::address::{Address, Domain, normal_domain};
use super::text::{ByteSet, lossy};

/// When a match counts without proof of who sent the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthenticationMode {
    /// White and personal matches count only with a pass.
    Required,
    /// As `Required` where our verifier has left a result, as `Off` where it has left none.
    WhenAvailable,
    /// Matches count without proof: whoever forges a sender is taken for them.
    #[default]
    Off,
}

impl fmt::Display for AuthenticationMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Required => "required",
            Self::WhenAvailable => "when-available",
            Self::Off => "off",
        })
    }
}

/// A name that is no mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be one of required, when-available, off")]
pub struct UnknownMode;

impl FromStr for AuthenticationMode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        match text {
            "required" => Ok(Self::Required),
            "when-available" => Ok(Self::WhenAvailable),
            "off" => Ok(Self::Off),
            _ => Err(UnknownMode),
        }
    }
}

/// How senders are proved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthenticationPolicy {
    /// When proof is asked for.
    pub mode: AuthenticationMode,
    /// The names under which our own verifiers write, compared without regard to case.
    pub authserv_ids: Vec<String>,
    /// How many Received lines may stand above such a header. A verifier on this relay leaves none (our own Received
    /// line is not shown to milters), the relay before us one; each further relay of ours adds one.
    pub hops: usize,
    /// How many headers our verifiers write on one message.
    pub results: usize,
    /// Domains whose SRS rewriting is unwrapped for white and personal entries too.
    pub forwarders: Vec<Domain>,
}

/// The method that proved a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// DMARC pass for the domain of the From header.
    Dmarc,
    /// DKIM pass of an aligned domain.
    Dkim,
    /// SPF pass of an aligned domain, or of the envelope sender's own.
    Spf,
}

/// What vouches for a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Authentication {
    /// Our verifier says so.
    Passed(Method),
    /// Nothing needs to: the mode does not ask.
    NotRequired,
    /// Nothing does.
    Missing,
}

impl Authentication {
    /// Whether a white or personal entry for this sender counts.
    pub fn counts(self) -> bool {
        self != Self::Missing
    }
}

/// What our own verifiers wrote on one message. It is understood once somebody asks: most messages match no entry that
/// needs proof.
#[derive(Default)]
pub struct Evidence {
    /// The values of the headers that are believed, one behind the other, and where each ends.
    text: String,
    ends: Vec<usize>,
}

/// Most passes read of one message; a message with more signatures is proved by these or not at all.
const MAX_PASSES: usize = 32;
/// Passes of a usual header: of SPF, DKIM, DMARC and one more signature.
const USUAL_PASSES: usize = 4;
/// Words of a usual property's name, comments set aside.
const USUAL_WORDS: usize = 2;

/// A method that passed and the domain that it passed for, as written.
struct Pass<'a> {
    method: Method,
    domain: Cow<'a, str>,
}

impl Evidence {
    /// Reads one Authentication-Results header, from the top of the message down. `received_above` counts the Received
    /// lines shown to the milter before it. A header that is not ours, or too deep, is passed over.
    pub fn add(&mut self, policy: &AuthenticationPolicy, value: &[u8], received_above: usize) {
        if received_above > policy.hops || self.ends.len() >= policy.results {
            return;
        }
        let is_ours = |id: &str| policy.authserv_ids.iter().any(|own| own.eq_ignore_ascii_case(id));
        let value = lossy(value);
        if authserv_id(&value).is_some_and(|id| is_ours(&id)) {
            // Counted before it is understood: a sender who gets something unreadable into our verifier's header (a HELO
            // with a parenthesis in a comment) must not have the next header, a forged one, believed in its place.
            self.text.push_str(&value);
            self.ends.push(self.text.len());
        }
    }

    /// What vouches for the envelope sender and for the header sender.
    pub fn judge(
        &self,
        policy: &AuthenticationPolicy,
        envelope: Option<&Address>,
        header: Option<&Address>,
    ) -> (Authentication, Authentication) {
        let without = match policy.mode {
            AuthenticationMode::Off => Authentication::NotRequired,
            AuthenticationMode::WhenAvailable if self.ends.is_empty() => Authentication::NotRequired,
            _ => Authentication::Missing,
        };
        let (mut of_envelope, mut of_header) = (None, None);
        self.for_each_pass(|pass| {
            if envelope.is_some_and(|address| pass.proves_envelope(address)) {
                of_envelope = Some(pass.method);
            }
            if header.is_some_and(|address| pass.proves_header(address)) {
                of_header = of_header.into_iter().chain([pass.method]).min_by_key(|method| *method as u8);
            }
        });
        let passed = |method: Option<Method>| method.map_or(without, Authentication::Passed);
        (passed(of_envelope), passed(of_header))
    }

    /// Every pass of every believed header; one that cannot be understood has none.
    fn for_each_pass(&self, mut on_pass: impl FnMut(&Pass<'_>)) {
        let mut start = 0;
        let mut room = MAX_PASSES;
        for &end in &self.ends {
            let text = &self.text[start..end];
            start = end;
            for pass in passes_of(text).iter().flatten().take(room) {
                on_pass(pass);
                room -= 1;
            }
        }
    }
}

impl Pass<'_> {
    fn proves_envelope(&self, address: &Address) -> bool {
        self.method == Method::Spf && self.is_for(address.domain(), |one, other| one == other)
    }

    fn proves_header(&self, address: &Address) -> bool {
        match self.method {
            Method::Dmarc => self.is_for(address.domain(), |one, other| one == other),
            Method::Dkim | Method::Spf => self.is_for(address.domain(), is_aligned),
        }
    }

    /// Whether the domain is another, in normal form, or comes up to it. Mostly it is that one to the letter.
    fn is_for(&self, domain: &str, comes_up: impl Fn(&str, &str) -> bool) -> bool {
        self.domain == domain || normal_domain(&self.domain).is_ok_and(|own| comes_up(&own, domain))
    }
}

/// What a verifier wrote names senders.
impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Evidence({} headers)", self.ends.len())
    }
}

/// The authserv-id at the front of a header's value.
fn authserv_id(text: &str) -> Option<Cow<'_, str>> {
    let mut rest = text.trim_start();
    while rest.starts_with('(') {
        rest = after_comment(rest)?.trim_start();
    }
    if rest.starts_with('"') {
        return quoted_string(rest).map(|(id, _)| id.into());
    }
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | ';')).unwrap_or(rest.len());
    Some(rest[..end].into())
}

/// Relaxed alignment (RFC 7489, 3.1): one organisational domain by the public suffix list.
fn is_aligned(one: &str, other: &str) -> bool {
    one == other || psl::domain_str(one).is_some_and(|registered| psl::domain_str(other) == Some(registered))
}

/// The passes of one header; `None` where it cannot be understood.
fn passes_of(text: &str) -> Option<SmallVec<[Pass<'_>; USUAL_PASSES]>> {
    let mut passes = SmallVec::new();
    // What stands before the first semicolon names the verifier.
    let mut part = None;
    let mut rest = text;
    let mut is_value = false;
    while let Some(&byte) = rest.as_bytes().first() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => rest = &rest[1..],
            b'(' => rest = after_comment(rest)?,
            b';' => {
                passes.extend(part.replace(Part::default()).and_then(Part::pass));
                rest = &rest[1..];
                is_value = false;
            }
            b'=' => {
                part.iter_mut().for_each(Part::equals);
                rest = &rest[1..];
                is_value = true;
            }
            _ => {
                let (word, after) = rest.split_at(word_length(rest, is_value)?);
                part.iter_mut().for_each(|part| part.word(unquoted(word)));
                rest = after;
                is_value = false;
            }
        }
    }
    passes.extend(part.and_then(Part::pass));
    Some(passes)
}

/// One `; method=result property=value…` of the header, word by word; comments and white space are left out (RFC 8601, 2.2).
#[derive(Default)]
struct Part<'a> {
    method: Option<Method>,
    properties: Properties<'a>,
    /// The words since the last value: of the method, then of a property.
    name: SmallVec<[Cow<'a, str>; USUAL_WORDS]>,
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
        let words = self.name.iter().map(|word| &**word);
        self.state = match self.state {
            State::Method => {
                self.method = method_named(words);
                if self.method.is_some() { State::Value(Some(Property::Result)) } else { State::Void }
            }
            State::Name => State::Value(Property::named(words)),
            // Nothing stands between two of them.
            State::Value(_) | State::Void => State::Void,
        };
        self.name.clear();
    }

    fn word(&mut self, word: Cow<'a, str>) {
        match self.state {
            State::Method => self.name.push(word),
            State::Value(property) => {
                if let Some(property) = property {
                    self.properties.note(property, word);
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
    fn pass(self) -> Option<Pass<'a>> {
        let method = self.method.filter(|_| self.state == State::Name)?;
        let mut properties = self.properties;
        if !properties.take(Property::Result)?.eq_ignore_ascii_case("pass") {
            return None;
        }
        let value = match method {
            Method::Dmarc => properties.take(Property::HeaderFrom),
            Method::Dkim => properties.take(Property::HeaderD).or_else(|| properties.take(Property::HeaderI)),
            Method::Spf => properties.take(Property::MailFrom),
        }?;
        let domain = match value {
            Cow::Borrowed(value) => domain_of(value).into(),
            Cow::Owned(value) => domain_of(&value).to_owned().into(),
        };
        Some(Pass { method, domain })
    }
}

/// The domain of a value that is an address, or one.
fn domain_of(value: &str) -> &str {
    let start = value.as_bytes().iter().rposition(|&byte| byte == b'@').map_or(0, |at| at + 1);
    value[start..].trim_end_matches('>')
}

/// The method that these words name; `dkim / 1` and `dkim/1` are one word.
fn method_named<'a>(words: impl Iterator<Item = &'a str>) -> Option<Method> {
    let name = joined(words);
    let (method, version) = name.split_once('/').unwrap_or((&name, "1"));
    // It is in lower case.
    match method {
        "dmarc" if version == "1" => Some(Method::Dmarc),
        "dkim" if version == "1" => Some(Method::Dkim),
        "spf" if version == "1" => Some(Method::Spf),
        _ => None,
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
    fn named<'a>(words: impl Iterator<Item = &'a str>) -> Option<Self> {
        let name = joined(words);
        // Names are short: this is faster than a search for the blank by the library.
        let start = name.as_bytes().iter().rposition(|&byte| byte == b' ').map_or(0, |blank| blank + 1);
        match &name[start..] {
            "result" => Some(Self::Result),
            "header.from" => Some(Self::HeaderFrom),
            "header.d" => Some(Self::HeaderD),
            "header.i" => Some(Self::HeaderI),
            "smtp.mailfrom" => Some(Self::MailFrom),
            _ => None,
        }
    }
}

/// What one method says of each [`Property`].
#[derive(Default)]
struct Properties<'a>([Said<'a>; 5]);

#[derive(Default)]
enum Said<'a> {
    #[default]
    Nothing,
    Value(Cow<'a, str>),
    /// A property given twice with two values says nothing.
    Contradiction,
}

impl<'a> Properties<'a> {
    fn note(&mut self, property: Property, value: Cow<'a, str>) {
        let said = &mut self.0[property as usize];
        *said = match said {
            Said::Nothing => Said::Value(value),
            Said::Value(known) if *known == value => return,
            Said::Value(_) | Said::Contradiction => Said::Contradiction,
        };
    }

    fn take(&mut self, property: Property) -> Option<Cow<'a, str>> {
        match std::mem::take(&mut self.0[property as usize]) {
            Said::Value(value) => Some(value),
            Said::Nothing | Said::Contradiction => None,
        }
    }
}

/// Words in lower case, a blank between them, none around `.` and `/`, where white space and comments may stand.
fn joined<'a>(mut words: impl Iterator<Item = &'a str>) -> Cow<'a, str> {
    let mut text = match words.next() {
        Some(word) if word.as_bytes().iter().any(u8::is_ascii_uppercase) => Cow::Owned(word.to_ascii_lowercase()),
        word => Cow::Borrowed(word.unwrap_or_default()),
    };
    for word in words {
        let glued = text.is_empty() || text.ends_with(['.', '/']) || word.starts_with(['.', '/']);
        let text = text.to_mut();
        if !glued {
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
fn after_comment(text: &str) -> Option<&str> {
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
fn quoted_string(text: &str) -> Option<(String, &str)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(mode: AuthenticationMode) -> AuthenticationPolicy {
        let authserv_ids = vec!["mx.example.org".to_owned()];
        AuthenticationPolicy { mode, authserv_ids, hops: 1, results: 1, forwarders: Vec::new() }
    }

    fn judge(headers: &[&str]) -> (Authentication, Authentication) {
        let policy = policy(AuthenticationMode::Required);
        let mut evidence = Evidence::default();
        headers.iter().for_each(|header| evidence.add(&policy, header.as_bytes(), 0));
        let address = Address::parse("maman@famille.example").expect("valid");
        evidence.judge(&policy, Some(&address), Some(&address))
    }

    #[test]
    fn a_pass_for_the_domain_is_believed() {
        use Authentication::{Missing, Passed};
        use Method::{Dkim, Dmarc, Spf};
        for (header, expected) in [
            (" mx.example.org; dmarc=pass header.from=famille.example", (Missing, Passed(Dmarc))),
            ("MX.example.org 1; dmarc=pass (p=none\n (x)) header.from=Famille.Example", (Missing, Passed(Dmarc))),
            ("mx.example.org; spf=pass smtp.mailfrom=maman@famille.example", (Passed(Spf), Passed(Spf))),
            ("mx.example.org; spf=pass smtp.mailfrom=famille.example", (Passed(Spf), Passed(Spf))),
            ("mx.example.org; spf=pass smtp.mailfrom=bounce.famille.example", (Missing, Passed(Spf))),
            ("mx.example.org; dkim=pass header.d=mail.famille.example header.s=k1", (Missing, Passed(Dkim))),
            ("mx.example.org; dkim=pass header.i=@famille.example header.b=\"ab/c=\"", (Missing, Passed(Dkim))),
            ("mx.example.org; dkim=pass header.b=ab/c== header.d=famille.example", (Missing, Passed(Dkim))),
            (
                "mx.example.org; spf=pass smtp.mailfrom=prvs=1234abcdef=maman@famille.example",
                (Passed(Spf), Passed(Spf)),
            ),
            ("mx.example.org; dkim / 1 = pass header . d = famille.example", (Missing, Passed(Dkim))),
            (
                "mx.example.org; none; dkim=fail header.d=famille.example; dkim=pass header.d=famille.example; spf=none",
                (Missing, Passed(Dkim)),
            ),
            ("\"mx.example.org\"; dkim=pass reason=\"good; really\" header.d=famille.example", (Missing, Passed(Dkim))),
            ("mx.example.org (a \\) b); dkim=pass (k=(1)) header.d=famille.example", (Missing, Passed(Dkim))),
        ] {
            assert_eq!(judge(&[header]), expected, "{header}");
        }
    }

    #[test]
    fn anything_else_is_not_believed() {
        for header in [
            "",
            ";",
            "mx.example.org",
            "mx.example.org; none",
            "evil.example; dmarc=pass header.from=famille.example",
            "mx.example.org.evil.example; dmarc=pass header.from=famille.example",
            "mx.example.org; dmarc=pass=x header.from=famille.example",
            "mx.example.org; dmarc=fail header.from=famille.example",
            "mx.example.org; dmarc=pass header.from=evil.example",
            "mx.example.org; dmarc=pass header.from=sub.famille.example",
            "mx.example.org; dmarc=pass",
            "mx.example.org; dkim=pass header.d=evil.example",
            "mx.example.org; dkim=pass header.d=example",
            "mx.example.org; spf=softfail smtp.mailfrom=famille.example",
            "mx.example.org; spf=pass smtp.helo=famille.example",
            "mx.example.org; dmarc=pass x-header.from=famille.example",
            "mx.example.org; x-spf=pass smtp.mailfrom=famille.example",
            "mx.example.org; dkim/2=pass header.d=famille.example",
            "mx.example.org; (dmarc=pass header.from=famille.example)",
            "mx.example.org; dkim=fail reason=\"; dmarc=pass header.from=famille.example\"",
            "mx.example.org; dmarc=pass header.from=famille.example header.from=evil.example",
            "mx.example.org; spf=pass smtp.mailfrom=\"x@famille.example\"@evil.example",
            "mx.example.org; spf=pass smtp.mailfrom=\"x@famille.example\" @evil.example",
            "mx.example.org; dkim=pass header.i=\"x@famille.example\"@evil.example",
            "mx.example.org; dmarc=pass (unclosed header.from=famille.example",
            "mx.example.org; dmarc=pass reason=\"unclosed header.from=famille.example",
        ] {
            assert_eq!(judge(&[header]), (Authentication::Missing, Authentication::Missing), "{header}");
        }
    }

    #[test]
    fn only_the_topmost_results_within_the_hops_are_believed() {
        let pass = "mx.example.org; dmarc=pass header.from=famille.example";
        let fail = "mx.example.org; dmarc=fail header.from=famille.example";
        assert_eq!(judge(&[fail, pass]).1, Authentication::Missing);
        // What the sender makes unreadable in our verifier's header still takes its place.
        assert_eq!(
            judge(&["mx.example.org; spf=pass (helo=x() smtp.mailfrom=evil.example", pass]).1,
            Authentication::Missing
        );
        assert_eq!(judge(&["mx.example.org; spf=pass smtp.helo=\"x", pass]).1, Authentication::Missing);
        assert_eq!(judge(&["other.example; dmarc=fail", pass]).1, Authentication::Passed(Method::Dmarc));
        let policy = policy(AuthenticationMode::Required);
        let mut evidence = Evidence::default();
        evidence.add(&policy, pass.as_bytes(), 2);
        assert!(evidence.ends.is_empty());
    }

    #[test]
    fn the_mode_says_what_a_missing_result_means() {
        let address = Address::parse("maman@famille.example").expect("valid");
        let judge = |mode, header: Option<&str>| {
            let policy = policy(mode);
            let mut evidence = Evidence::default();
            header.into_iter().for_each(|header| evidence.add(&policy, header.as_bytes(), 0));
            evidence.judge(&policy, None, Some(&address)).1
        };
        let fail = Some("mx.example.org; dmarc=fail header.from=famille.example");
        assert_eq!(judge(AuthenticationMode::Off, fail), Authentication::NotRequired);
        assert_eq!(judge(AuthenticationMode::WhenAvailable, None), Authentication::NotRequired);
        assert_eq!(judge(AuthenticationMode::WhenAvailable, fail), Authentication::Missing);
        assert_eq!(judge(AuthenticationMode::Required, None), Authentication::Missing);
    }

    proptest::proptest! {
        #[test]
        fn any_header_is_read_without_panic(value in "(mx.example.org;|dmarc=pass|header\\.from=|[ a-z.;=/\"()\\\\é]){0,30}") {
            Evidence::default().add(&policy(AuthenticationMode::Required), value.as_bytes(), 0);
        }
    }
}
