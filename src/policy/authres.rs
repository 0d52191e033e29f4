//! Authentication-Results (RFC 8601): which sender identities our own verifier vouches for.

//!
//! Believed is only what our own verifier wrote: its authserv-id, no more than `hops` Received lines above it, and
//! of those headers the topmost `results`. A verifier inserts its header above all that came with the message, so a
//! forged one stands below; RFC 8601, 5 asks the verifier to remove forged ones besides.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::address::{Address, Domain};

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

/// What our own verifiers wrote on one message.
#[derive(Debug, Default)]
pub struct Evidence {
    passes: Vec<Pass>,
    headers: usize,
}

/// Most passes kept of one message; a message with more signatures is proved by these or not at all.
const MAX_PASSES: usize = 32;

/// A method that passed and the domain it passed for.
#[derive(Debug)]
struct Pass {
    method: Method,
    domain: Domain,
}

impl Evidence {
    /// Reads one Authentication-Results header, from the top of the message down. `received_above` counts the Received
    /// lines shown to the milter before it. A header that is not ours, too deep or malformed is passed over.
    pub fn add(&mut self, policy: &AuthenticationPolicy, value: &[u8], received_above: usize) {
        if received_above > policy.hops || self.headers >= policy.results {
            return;
        }
        let Some(tokens) = std::str::from_utf8(value).ok().and_then(tokenize) else { return };
        let mut parts = tokens.split(|token| *token == Token::Semicolon);
        let Some(Token::Word(id)) = parts.next().and_then(<[Token<'_>]>::first) else { return };
        if !policy.authserv_ids.iter().any(|own| own.eq_ignore_ascii_case(id)) {
            return;
        }
        self.headers += 1;
        let room = MAX_PASSES.saturating_sub(self.passes.len());
        self.passes.extend(parts.filter_map(pass_of).take(room));
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
            AuthenticationMode::WhenAvailable if self.headers == 0 => Authentication::NotRequired,
            _ => Authentication::Missing,
        };
        let passed = |method: Option<Method>| method.map_or(without, Authentication::Passed);
        (
            passed(envelope.and_then(|address| self.envelope_method(address))),
            passed(header.and_then(|address| self.header_method(address))),
        )
    }

    fn envelope_method(&self, address: &Address) -> Option<Method> {
        let own = |pass: &&Pass| pass.method == Method::Spf && pass.domain.as_str() == address.domain();
        self.passes.iter().find(own).map(|pass| pass.method)
    }

    fn header_method(&self, address: &Address) -> Option<Method> {
        let vouches = |pass: &&Pass| match pass.method {
            Method::Dmarc => pass.domain.as_str() == address.domain(),
            Method::Dkim | Method::Spf => is_aligned(pass.domain.as_str(), address.domain()),
        };
        self.passes.iter().filter(vouches).map(|pass| pass.method).min_by_key(|method| *method as u8)
    }
}

/// Relaxed alignment (RFC 7489, 3.1): one organisational domain by the public suffix list.
fn is_aligned(one: &str, other: &str) -> bool {
    one == other || psl::domain_str(one).is_some_and(|registered| psl::domain_str(other) == Some(registered))
}

/// One `; method=result property=value…` of the header, where it is a pass that names its domain.
fn pass_of(part: &[Token<'_>]) -> Option<Pass> {
    let mut pairs = part.split(|token| *token == Token::Equals);
    let method_word = single_word(pairs.next()?)?;
    let (method, version) = method_word.split_once('/').unwrap_or((&method_word, "1"));
    if version != "1" {
        return None;
    }
    let names: &[&str] = match method.to_ascii_lowercase().as_str() {
        "dmarc" => &["header.from"],
        "dkim" => &["header.d", "header.i"],
        "spf" => &["smtp.mailfrom"],
        _ => return None,
    };
    // Between two '=' stand a value and the name of the next property: `pass header.d`.
    let mut values: Vec<(String, Cow<'_, str>)> = Vec::new();
    let mut name = String::from("result");
    for piece in pairs {
        let words: Vec<&Cow<'_, str>> = piece.iter().filter_map(Token::word).collect();
        let (value, rest) = words.split_first()?;
        values.push((std::mem::take(&mut name), (*value).clone()));
        name = joined(rest);
    }
    let value_of = |wanted: &str| {
        let is_wanted = |name: &str| name.split(' ').next_back() == Some(wanted);
        let mut all = values.iter().filter(|(name, _)| is_wanted(name)).map(|(_, value)| value);
        let first = all.next()?;
        // A property given twice with two values says nothing.
        all.all(|other| other == first).then_some(first)
    };
    if !value_of("result")?.eq_ignore_ascii_case("pass") {
        return None;
    }
    let value = names.iter().find_map(|name| value_of(name))?;
    let domain = value.rsplit_once('@').map_or(&**value, |(_, domain)| domain).trim_end_matches('>');
    let method = match names[0] {
        "header.from" => Method::Dmarc,
        "header.d" => Method::Dkim,
        _ => Method::Spf,
    };
    Some(Pass { method, domain: Domain::parse(domain).ok()? })
}

/// `dkim / 1` and `dkim/1` are one word; `None` where other words stand beside it.
fn single_word(tokens: &[Token<'_>]) -> Option<String> {
    let words: Vec<&Cow<'_, str>> = tokens.iter().filter_map(Token::word).collect();
    let text = joined(&words);
    (!text.is_empty() && !text.contains(' ')).then_some(text)
}

/// Words in lower case, a blank between them, none around `.` and `/`, where white space and comments may stand.
fn joined(words: &[&Cow<'_, str>]) -> String {
    let mut text = String::new();
    for word in words {
        let glued = text.is_empty() || text.ends_with(['.', '/']) || word.starts_with(['.', '/']);
        if !glued {
            text.push(' ');
        }
        text.push_str(&word.to_ascii_lowercase());
    }
    text
}

#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(Cow<'a, str>),
    Semicolon,
    Equals,
}

impl<'a> Token<'a> {
    fn word(&self) -> Option<&Cow<'a, str>> {
        match self {
            Self::Word(word) => Some(word),
            _ => None,
        }
    }
}

/// Words, semicolons and equals signs; comments and white space are left out (RFC 8601, 2.2). `None` where a comment or
/// a quoted string does not end.
fn tokenize(text: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => rest = &rest[1..],
            '(' => rest = after_comment(rest)?,
            ';' | '=' => {
                tokens.push(if c == ';' { Token::Semicolon } else { Token::Equals });
                rest = &rest[1..];
            }
            '"' => {
                let (string, after) = quoted_string(rest)?;
                tokens.push(Token::Word(string.into()));
                rest = after;
            }
            _ => {
                // Verifiers write the '=' of a BATV or SRS address, or of base64, without the quotes that RFC 8601 asks
                // for: a value goes on to the next blank.
                let is_value = tokens.last() == Some(&Token::Equals);
                let ends = |c| matches!(c, ' ' | '\t' | '\n' | '\r' | '(' | ';' | '"') || (c == '=' && !is_value);
                let end = rest.find(ends).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].into()));
                rest = &rest[end..];
            }
        }
    }
    Some(tokens)
}

fn after_comment(text: &str) -> Option<&str> {
    let mut depth = 0usize;
    let mut escaped = false;
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => depth += 1,
            ')' if depth == 1 => return Some(&text[index + 1..]),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
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
        assert_eq!(judge(&["other.example; dmarc=fail", pass]).1, Authentication::Passed(Method::Dmarc));
        let policy = policy(AuthenticationMode::Required);
        let mut evidence = Evidence::default();
        evidence.add(&policy, pass.as_bytes(), 2);
        assert_eq!(evidence.headers, 0);
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
