//! The headers of one message, reduced to the facts that decisions and edits need, in bounded memory.

use std::collections::BTreeMap;
use std::ops::Range;

use super::settings::{Pass, Settings};
use crate::mark;
use crate::policy::address::Address;
use crate::policy::authres::Evidence;
use crate::policy::identity::header_sender;
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

/// Facts of the headers seen so far.
#[derive(Default)]
pub struct HeaderFacts {
    pass: Pass,
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
    pub fn new(pass: Pass) -> Self {
        Self { pass, ..Self::default() }
    }

    /// Takes one header, in the order of the message.
    pub fn add(&mut self, settings: &Settings, depth: Depth, name: &[u8], value: &[u8]) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(name.len() + value.len());
        let (more_headers, more_bytes) = match self.pass {
            Pass::First => (0, 0),
            Pass::Second => (ADDED_HEADERS, ADDED_BYTES),
        };
        if self.count > settings.limits.headers.saturating_add(more_headers) {
            self.over.get_or_insert(HeaderLimit::Count);
        } else if self.bytes > settings.limits.header_bytes.saturating_add(more_bytes) {
            self.over.get_or_insert(HeaderLimit::Bytes);
        }
        if self.over.is_some() {
            return;
        }
        if mark::is_reserved(name) {
            self.forged.add(name);
            if self.pass == Pass::Second && name.eq_ignore_ascii_case(split::HEADER.as_bytes()) {
                let start = self.text.len();
                self.text.extend_from_slice(value);
                self.markers.push(start..self.text.len());
            }
        } else if depth >= Depth::Decide {
            self.add_for_decision(settings, depth, name, value);
        }
    }

    fn add_for_decision(&mut self, settings: &Settings, depth: Depth, name: &[u8], value: &[u8]) {
        match Meaning::of(name) {
            Meaning::Subject => keep(&mut self.text, &mut self.subject, value),
            Meaning::From => {
                self.from_count += 1;
                keep(&mut self.text, &mut self.from, value);
            }
            Meaning::Received => self.received += 1,
            Meaning::Results => self.evidence.add(&settings.authentication, value, self.received_above()),
            Meaning::To if depth == Depth::Mark => keep(&mut self.text, &mut self.to, value),
            Meaning::Date if depth == Depth::Mark => keep(&mut self.text, &mut self.date, value),
            Meaning::MessageId if depth == Depth::Mark => keep(&mut self.text, &mut self.message_id, value),
            Meaning::Sensitivity => self.has_sensitivity = true,
            Meaning::To | Meaning::Date | Meaning::MessageId | Meaning::Other => {}
        }
        // A header of any other meaning may be a spam mark too: the configuration names them.
        if settings.spam_headers().iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())) {
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

    /// The header sender: of exactly one From with exactly one clean address.
    pub fn header_sender(&self) -> Option<Address> {
        let value = self.value(&self.from).filter(|_| self.from_count == 1)?;
        header_sender(value)
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

impl Meaning {
    fn of(name: &[u8]) -> Self {
        // The length tells all but two of them apart before any letter is compared.
        let (known, meaning) = match name.len() {
            2 => ("To", Self::To),
            4 if matches!(name[0], b'F' | b'f') => ("From", Self::From),
            4 => ("Date", Self::Date),
            7 => ("Subject", Self::Subject),
            8 => ("Received", Self::Received),
            10 => ("Message-ID", Self::MessageId),
            11 => (mark::SENSITIVITY.0, Self::Sensitivity),
            22 => ("Authentication-Results", Self::Results),
            _ => return Self::Other,
        };
        // Nearly always it is written as it should be, which is compared at once.
        if name == known.as_bytes() || name.eq_ignore_ascii_case(known.as_bytes()) { meaning } else { Self::Other }
    }
}

/// Keeps the first value of a header.
fn keep(text: &mut Vec<u8>, place: &mut Option<Range<usize>>, value: &[u8]) {
    if place.is_none() {
        if text.is_empty() {
            text.reserve(USUAL_TEXT);
        }
        let start = text.len();
        text.extend_from_slice(value);
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
    use crate::policy::fixture::organisation;
    use crate::split::SplitKey;
    use std::sync::Arc;

    fn settings() -> Settings {
        Settings::new(MarkKey::new(&[0; 32]), SplitKey::new(&[0; 32])).with_organisations([Arc::new(organisation())])
    }

    fn facts(depth: Depth, headers: &[(&str, &str)]) -> HeaderFacts {
        let mut facts = HeaderFacts::default();
        let settings = settings();
        for (name, value) in headers {
            facts.add(&settings, depth, name.as_bytes(), value.as_bytes());
        }
        facts
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
        assert!(one.header_sender().is_some());
        let two = facts(Depth::Decide, &[("From", "x@d.example"), ("From", "x@d.example")]);
        assert_eq!(two.header_sender(), None);
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
        let mut many = HeaderFacts::default();
        (0..2000).for_each(|_| many.add(&settings, Depth::Mark, b"X-Perso", b"x"));
        assert_eq!((many.over_limit(), many.forged.headers.len()), (Some(HeaderLimit::Count), settings.limits.headers));
        let mut large = HeaderFacts::default();
        let value = vec![b'x'; 60_000];
        (0..40).for_each(|_| large.add(&settings, Depth::Mark, b"Subject", &value));
        assert_eq!(large.over_limit(), Some(HeaderLimit::Bytes));
    }
}
