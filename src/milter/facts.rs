//! The headers of one message, reduced to the facts that decisions and edits need, in bounded memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::command::Uncut;
use super::settings::{Lengths, MessageLimits, Pass, Settings};
use crate::mark;
use crate::policy::authres::Evidence;
use crate::policy::identity::Sender;
use crate::policy::plan::EditableHeaders;
use crate::split;

/// How much of the headers is kept: most recipients have no list, and then nothing needs to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Depth {
    /// Only what came with the message under a name of ours.
    #[default]
    Forged,
    /// What a verdict and its edits need.
    Decide,
    /// Also what a mark signs.
    Mark,
}

/// A limit that a message's headers are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderLimit {
    /// `milter.limits.headers`
    Count,
    /// `milter.limits.header_bytes`
    Bytes,
}

/// Headers that a message may have in the second pass beyond the limit of the first, which it kept: what other milters
/// have added meanwhile. A copy over a limit cannot be delivered, since it bears our marker.
const ADDED_HEADERS: usize = 1000;
/// Bytes, likewise.
const ADDED_BYTES: usize = 1 << 20;

/// Room for what is kept of a usual message, in bytes.
const USUAL_TEXT: usize = 512;

/// Facts of the headers seen so far. By default of a message that may hold none.
#[derive(Default)]
pub struct HeaderFacts {
    pass: Pass,
    /// The most headers, and the most bytes of them.
    most: (usize, usize),
    /// The values that are kept, one behind the other.
    text: Vec<u8>,
    subject: Option<Range<usize>>,
    from: Option<Range<usize>>,
    from_count: usize,
    to: Option<Range<usize>>,
    date: Option<Range<usize>>,
    message_id: Option<Range<usize>>,
    has_sensitivity: bool,
    received: usize,
    evidence: Evidence,
    spam: Noted,
    forged: Noted,
    markers: Vec<Range<usize>>,
    count: usize,
    bytes: usize,
    over: Option<HeaderLimit>,
}

impl HeaderFacts {
    /// Of a message without headers so far.
    pub fn new(pass: Pass, limits: MessageLimits) -> Self {
        let (more_headers, more_bytes) = match pass {
            Pass::First => (0, 0),
            Pass::Second => (ADDED_HEADERS, ADDED_BYTES),
        };
        let most = (limits.headers.saturating_add(more_headers), limits.header_bytes.saturating_add(more_bytes));
        Self { pass, most, ..Self::default() }
    }

    /// Takes one header, in the order of the message.
    #[inline]
    pub fn add(&mut self, settings: &Settings, depth: Depth, name: &[u8], value: Uncut<'_>) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(name.len() + value.length());
        if self.count > self.most.0 || self.bytes > self.most.1 {
            return self.go_over();
        }
        // Most names tell by their length alone that they mean nothing here.
        if may_matter(settings, name) {
            self.take(settings, depth, name, value);
        }
    }

    fn take(&mut self, settings: &Settings, depth: Depth, name: &[u8], value: Uncut<'_>) {
        if mark::is_reserved(name) {
            self.forged.add(name);
            if self.pass == Pass::Second && name.eq_ignore_ascii_case(split::HEADER.as_bytes()) {
                let start = self.text.len();
                self.text.extend_from_slice(value.text());
                self.markers.push(start..self.text.len());
            }
        } else if depth >= Depth::Decide {
            self.add_for_decision(settings, depth, name, value);
        }
    }

    /// Neither count nor bytes ever fall: nothing is taken from then on.
    #[cold]
    fn go_over(&mut self) {
        let limit = if self.count > self.most.0 { HeaderLimit::Count } else { HeaderLimit::Bytes };
        self.over.get_or_insert(limit);
    }

    fn add_for_decision(&mut self, settings: &Settings, depth: Depth, name: &[u8], value: Uncut<'_>) {
        match Meaning::of(name) {
            Meaning::Subject => keep(&mut self.text, &mut self.subject, value),
            Meaning::From => {
                self.from_count += 1;
                keep(&mut self.text, &mut self.from, value);
            }
            Meaning::Received => self.received += 1,
            Meaning::Results => {
                let above = self.received_above();
                self.evidence.add(&settings.authentication, value.text(), above);
            }
            Meaning::To if depth == Depth::Mark => keep(&mut self.text, &mut self.to, value),
            Meaning::Date if depth == Depth::Mark => keep(&mut self.text, &mut self.date, value),
            Meaning::MessageId if depth == Depth::Mark => keep(&mut self.text, &mut self.message_id, value),
            Meaning::Sensitivity => self.has_sensitivity = true,
            Meaning::To | Meaning::Date | Meaning::MessageId | Meaning::Other => {}
        }
        // A header of any other meaning may be a spam mark too: the configuration names them.
        if settings.is_spam_header(name) {
            self.spam.add(name);
        }
    }

    /// Received headers so far that stood there when the verifier looked: the second pass sees the one of the first too.
    fn received_above(&self) -> usize {
        match self.pass {
            Pass::First => self.received,
            Pass::Second => self.received.saturating_sub(1),
        }
    }

    /// What may be the marker of the first pass, as the second finds it.
    pub fn markers(&self) -> impl Iterator<Item = &[u8]> {
        self.markers.iter().filter_map(|range| self.text.get(range.clone()))
    }

    /// The limit that the headers are over, if they are.
    pub fn over_limit(&self) -> Option<HeaderLimit> {
        self.over
    }

    /// The header sender: of exactly one From with exactly one clean address. `envelope` is the envelope sender, who is
    /// mostly the same.
    pub fn header_sender<'a>(&self, envelope: Option<&'a Sender>) -> Option<Cow<'a, Sender>> {
        let value = self.value(&self.from).filter(|_| self.from_count == 1)?;
        Sender::in_header(value, envelope)
    }

    /// What our own verifiers wrote.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Whether the message has a Sensitivity of its own.
    pub fn has_sensitivity(&self) -> bool {
        self.has_sensitivity
    }

    /// What the planner may edit.
    pub fn editable(&self) -> EditableHeaders<'_> {
        EditableHeaders { subject: self.value(&self.subject), spam: &self.spam.headers, forged: &self.forged.headers }
    }

    /// What a mark for `user` signs, with the Subject as it is before our tag.
    pub fn marked<'a>(&'a self, user: u64, subject: &'a [u8]) -> mark::Marked<'a> {
        let value = |range| self.value(range).unwrap_or_default();
        mark::Marked {
            user,
            from: value(&self.from),
            to: value(&self.to),
            date: value(&self.date),
            message_id: value(&self.message_id),
            subject,
        }
    }

    fn value(&self, range: &Option<Range<usize>>) -> Option<&[u8]> {
        self.text.get(range.clone()?)
    }
}

/// What a header is for us, by its name.
#[derive(Clone, Copy)]
enum Meaning {
    Subject,
    From,
    Received,
    Results,
    To,
    Date,
    MessageId,
    Sensitivity,
    Other,
}

/// The names that mean something, as they should be written.
const KNOWN: [(&str, Meaning); 8] = [
    ("Received", Meaning::Received),
    ("From", Meaning::From),
    ("To", Meaning::To),
    ("Date", Meaning::Date),
    ("Subject", Meaning::Subject),
    ("Message-ID", Meaning::MessageId),
    ("Authentication-Results", Meaning::Results),
    (mark::SENSITIVITY.0, Meaning::Sensitivity),
];

/// The lengths of these.
const LENGTHS: Lengths = {
    let (mut lengths, mut at) = (Lengths::NONE, 0);
    while at < KNOWN.len() {
        lengths = lengths.with(KNOWN[at].0.len());
        at += 1;
    }
    lengths
};

/// Whether a header of this name may mean something: `false` is certain.
#[inline]
fn may_matter(settings: &Settings, name: &[u8]) -> bool {
    matches!(name, [b'X' | b'x', ..]) || LENGTHS.contains(name.len()) || settings.spam_lengths().contains(name.len())
}

impl Meaning {
    fn of(name: &[u8]) -> Self {
        // Nearly always it is written as it should be, which is compared at once.
        let is = |known: &str| name == known.as_bytes() || name.eq_ignore_ascii_case(known.as_bytes());
        KNOWN.iter().find(|(known, _)| is(known)).map_or(Self::Other, |(_, meaning)| *meaning)
    }
}

/// Keeps the first value of a header.
fn keep(text: &mut Vec<u8>, place: &mut Option<Range<usize>>, value: Uncut<'_>) {
    if place.is_none() {
        if text.is_empty() {
            text.reserve(USUAL_TEXT);
        }
        let start = text.len();
        text.extend_from_slice(value.text());
        *place = Some(start..text.len());
    }
}

/// Headers that may be edited, each by its name and its 1-based index among those of that name, compared without regard to
/// case. Both limits on headers bound what is kept.
#[derive(Default)]
struct Noted {
    headers: Vec<(String, u32)>,
    /// How often each name was seen, in lower case: a sender may choose a thousand long names that differ in one letter.
    counts: BTreeMap<String, u32>,
}

impl Noted {
    /// A name with a colon or anything but visible ASCII is in no message (RFC 5322, 2.2) and cannot be named in an edit.
    fn add(&mut self, name: &[u8]) {
        let is_name = |name: &&str| name.bytes().all(|b| b.is_ascii_graphic() && b != b':');
        let Some(name) = std::str::from_utf8(name).ok().filter(is_name) else { return };
        let count = self.counts.entry(name.to_ascii_lowercase()).or_default();
        *count += 1;
        self.headers.push((name.to_owned(), *count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mark::MarkKey;
    use crate::policy::authres::{Authentication, Method};
    use crate::policy::fixture::organisation;
    use crate::split::SplitKey;
    use std::sync::Arc;

    /// Of an organisation that knows two spam marks of its own: one that no X begins, and one as long as a name may be.
    fn settings() -> Settings {
        let mut organisation = organisation();
        organisation.white.spam_headers.extend(["Spam-Status".to_owned(), long_name(64)]);
        Settings::new(MarkKey::new(&[0; 32]), SplitKey::new(&[0; 32])).with_organisations([Arc::new(organisation)])
    }

    fn long_name(length: usize) -> String {
        "l".repeat(length)
    }

    fn facts_in(pass: Pass, depth: Depth, headers: &[(&str, &str)]) -> HeaderFacts {
        let settings = settings();
        let mut facts = HeaderFacts::new(pass, settings.limits);
        for (name, value) in headers {
            facts.add(&settings, depth, name.as_bytes(), value.as_bytes().into());
        }
        facts
    }

    fn facts(depth: Depth, headers: &[(&str, &str)]) -> HeaderFacts {
        facts_in(Pass::First, depth, headers)
    }

    #[test]
    fn headers_are_counted_by_name_without_regard_to_case() {
        let facts = facts(
            Depth::Decide,
            &[
                ("X-Perso", "a"),
                ("x-spam-flag", "YES"),
                ("x-perso", "b"),
                ("X-Perso-Split", "c"),
                ("X-Spam-Flag", "NO"),
            ],
        );
        let editable = facts.editable();
        let pairs =
            |all: &[(String, u32)]| all.iter().map(|(name, index)| format!("{name}/{index}")).collect::<Vec<_>>();
        assert_eq!(pairs(editable.forged), ["X-Perso/1", "x-perso/2", "X-Perso-Split/1"]);
        assert_eq!(pairs(editable.spam), ["x-spam-flag/1", "X-Spam-Flag/2"]);
    }

    #[test]
    fn the_first_subject_counts_and_two_from_headers_are_none() {
        let one = facts(Depth::Decide, &[("Subject", "a"), ("subject", "b"), ("FROM", "x@d.example")]);
        assert_eq!(one.editable().subject, Some(&b"a"[..]));
        assert!(one.header_sender(None).is_some());
        let two = facts(Depth::Decide, &[("From", "x@d.example"), ("From", "x@d.example")]);
        assert_eq!(two.header_sender(None), None);
    }

    #[test]
    fn a_spam_mark_is_known_whatever_its_name_looks_like() {
        let (mark, other) = (long_name(64).to_uppercase(), long_name(63));
        let facts = facts(Depth::Decide, &[("SPAM-status", "YES"), ("Spam-Statue", ""), (&mark, ""), (&other, "")]);
        let names: Vec<&str> = facts.editable().spam.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["SPAM-status", &*mark]);
    }

    #[test]
    fn a_value_ends_with_its_first_nul() {
        let result = "mx.example.org; dmarc=pass header.from=d.example\0; dmarc=fail header.from=d.example";
        let headers = [("Subject", " a\0b"), ("From", " x@d.example\0"), ("Authentication-Results", result)];
        let mut settings = settings();
        settings.authentication.authserv_ids = vec!["mx.example.org".to_owned()];
        settings.authentication.results = 1;
        let mut facts = HeaderFacts::new(Pass::Second, settings.limits);
        for (name, value) in headers.into_iter().chain([(split::HEADER, "v=1\0x")]) {
            facts.add(&settings, Depth::Mark, name.as_bytes(), value.as_bytes().into());
        }
        assert_eq!(facts.editable().subject, Some(&b" a"[..]));
        let sender = facts.header_sender(None).expect("one");
        let (_, header) = facts.evidence().judge(&settings.authentication, None, Some(sender.address()));
        assert_eq!(header, Authentication::Passed(Method::Dmarc));
        assert_eq!(facts.markers().collect::<Vec<_>>(), [b"v=1"]);
    }

    #[test]
    fn without_a_list_only_forged_headers_are_kept() {
        let facts = facts(Depth::Forged, &[("Subject", "a"), ("From", "x@d.example"), ("X-Perso", "v=1")]);
        assert_eq!((facts.editable().subject, facts.text.capacity()), (None, 0));
        assert_eq!(facts.editable().forged.len(), 1);
    }

    #[test]
    fn memory_stays_below_the_limits() {
        let settings = settings();
        let limits = MessageLimits { headers: 3, header_bytes: 200, ..settings.limits };
        for (pass, headers, bytes) in [(Pass::First, 3, 200), (Pass::Second, 1003, 200 + (1 << 20))] {
            let mut many = HeaderFacts::new(pass, limits);
            (0..headers).for_each(|_| many.add(&settings, Depth::Mark, b"X-Perso", b"x"[..].into()));
            assert_eq!(many.over_limit(), None);
            (0..2000).for_each(|_| many.add(&settings, Depth::Mark, b"X-Perso", b"x"[..].into()));
            assert_eq!((many.over_limit(), many.forged.headers.len()), (Some(HeaderLimit::Count), headers));
            let mut large = HeaderFacts::new(pass, limits);
            let value = vec![b'x'; bytes - b"Subject".len()];
            large.add(&settings, Depth::Mark, b"Subject", value[..].into());
            assert_eq!((large.over_limit(), large.text.len()), (None, value.len()));
            large.add(&settings, Depth::Mark, b"", b"x"[..].into());
            assert_eq!(large.over_limit(), Some(HeaderLimit::Bytes));
        }
    }
}
