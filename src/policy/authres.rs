//! Authentication-Results (RFC 8601): which sender identities our own verifier vouches for.
//!
//! Believed is only what our own verifier wrote: its authserv-id, no more than `hops` Received lines above it, and
//! of those headers the topmost `results`. A verifier inserts its header above all that came with the message, so a
//! forged one stands below; RFC 8601, 5 asks the verifier to remove forged ones besides.

mod passes;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use smallvec::SmallVec;

use super::address::{Address, Domain};
use super::text::{ByteSet, lossy};
use passes::{after_comment, passes_of, quoted_string};

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
    ends: SmallVec<[usize; USUAL_RESULTS]>,
}

/// Headers of a usual verifier.
const USUAL_RESULTS: usize = 2;
/// Most passes read of one message; a message with more signatures is proved by these or not at all.
const MAX_PASSES: usize = 32;

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
    fn for_each_pass(&self, mut on_pass: impl FnMut(&passes::Pass<'_>)) {
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

/// What a verifier wrote names senders.
impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Evidence({} headers)", self.ends.len())
    }
}

/// What may end an authserv-id, white space that is not ASCII aside.
const ID_ENDS: ByteSet = ByteSet::of(b" \t\n\x0b\x0c\r(;");

/// The authserv-id at the front of a header's value.
fn authserv_id(text: &str) -> Option<Cow<'_, str>> {
    let mut rest = text.trim_start();
    while rest.starts_with('(') {
        rest = after_comment(rest)?.trim_start();
    }
    if rest.starts_with('"') {
        return quoted_string(rest).map(|(id, _)| id.into());
    }
    let id = &rest[..ID_ENDS.distance(rest.as_bytes())];
    let end = if id.is_ascii() { None } else { id.find(char::is_whitespace) };
    Some(end.map_or(id, |end| &id[..end]).into())
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
        for blank in ["\t", "\n ", "\u{b}", "\u{c}", "\u{85}", "\u{a0}", "(x)"] {
            let above = format!("mx.example.org{blank}1; dmarc=fail header.from=famille.example");
            assert_eq!(judge(&[&above, pass]).1, Authentication::Missing, "{blank:?}");
        }
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
        fn any_header_is_read_without_panic(value in "(dmarc=pass|header\\.from=|[ a-z.;=/\"()\\\\@>é]){0,30}") {
            judge(&[&format!("mx.example.org; {value}")]);
        }
    }
}
