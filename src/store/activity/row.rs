//! A row of activity as bytes: always as many, so that its length tells nothing.
//!
//! # Layout
//! version (1), time (8, seconds), direction (1), flags (1), what vouches for envelope and header sender (1 each),
//! outcome (2), addressed (1), four rules (7 each; the last byte is why one did not count), delivery (1), then the
//! folder, the header sender and the envelope sender, each its length (2) and its bytes; zeros to the end.

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::Activity;
use crate::policy::action::{BlackAction, PersonalActions};
use crate::policy::address::Address;
use crate::policy::authres::{Authentication, Method};
use crate::policy::decide::{Addressed, Because, Identity, Known, Level, Match, Outcome, Overridden, Reason, Verdict};
use crate::policy::list::{ListKind, Scope};
use crate::policy::plan::{Delivery, Direction, Effect};

/// Bytes of every row before it is sealed. Two usual senders and a folder fit three times.
pub(crate) const ROW: usize = 512;
const VERSION: u8 = 1;

const DIRECTIONS: [Direction; 2] = [Direction::Inbound, Direction::Outbound];
const AUTHENTICATIONS: [Authentication; 5] = [
    Authentication::NotRequired,
    Authentication::Missing,
    Authentication::Passed(Method::Dmarc),
    Authentication::Passed(Method::Dkim),
    Authentication::Passed(Method::Spf),
];
const ADDRESSED: [Addressed; 3] = [Addressed::Personally, Addressed::Shared, Addressed::ByAnother];
const LEVELS: [Level; 3] = [Level::Enforced, Level::User, Level::Default];
const SCOPES: [Scope; 4] = [Scope::Address, Scope::Domain, Scope::Subdomains, Scope::Glob];
const IDENTITIES: [Identity; 3] = [Identity::Envelope, Identity::Header, Identity::Recipient];
const REASONS: [Because; 5] =
    [Because::Unauthenticated, Because::MoreSpecific, Because::HigherLevel, Because::Blocked, Because::ProtectedSender];
/// No rule, or nothing that kept one from counting.
const NONE: u8 = u8::MAX;
const DELIVER: u8 = 0;
const CLEAR: u8 = 1;
const BLOCKED: u8 = 2;

const PAUSED: u8 = 1;
const CUT: u8 = 2;
const TAGGED: u8 = 4;
const MARKED: u8 = 8;
const CLEARED: u8 = 16;
const LEFT_OUT: u8 = 32;

/// The place of a value in its table; every value stands there.
fn code<T: PartialEq>(table: &[T], value: &T) -> u8 {
    table.iter().position(|known| known == value).map_or(NONE, |at| at as u8)
}

impl Activity {
    /// The row. A sender that finds no room is left out, that of the envelope first.
    pub(crate) fn to_row(&self) -> Zeroizing<Vec<u8>> {
        let mut row = Zeroizing::new(Vec::with_capacity(ROW));
        let Verdict { outcome, reason } = &self.verdict;
        row.push(VERSION);
        row.extend_from_slice(&self.at.as_second().to_be_bytes());
        row.push(code(&DIRECTIONS, &self.direction));
        let flags = row.len();
        row.push(self.flags());
        row.push(code(&AUTHENTICATIONS, &self.proof.envelope));
        row.push(code(&AUTHENTICATIONS, &self.proof.header));
        row.extend_from_slice(&match outcome {
            Outcome::Deliver { personal, clear_spam: false } => [DELIVER, personal.bits()],
            Outcome::Deliver { personal, clear_spam: true } => [CLEAR, personal.bits()],
            Outcome::Blocked(action) => [BLOCKED, action.code()],
        });
        row.push(code(&ADDRESSED, &reason.addressed));
        for rule in [reason.sender, reason.personal] {
            put_rule(&mut row, rule, None);
        }
        for overridden in [reason.overridden_sender, reason.overridden_personal] {
            put_rule(&mut row, overridden.map(|o| o.rule), overridden.map(|o| o.because));
        }
        let (delivery, folder) = match &self.effect.delivery {
            Delivery::AsAddressed | Delivery::Split => (0, ""),
            Delivery::DetailRemoved => (1, ""),
            Delivery::Folder(folder) => (2, folder.as_str()),
            Delivery::Discarded => (3, ""),
            Delivery::Held => (4, ""),
            Delivery::Rejected => (5, ""),
        };
        row.push(delivery);
        let mut fits = put_text(&mut row, folder, 4);
        let text = |address: &Option<Address>| address.as_ref().map_or(String::new(), |a| a.as_str().to_owned());
        fits &= put_text(&mut row, &text(&self.header), 2);
        fits &= put_text(&mut row, &text(&self.envelope), 0);
        if !fits {
            row[flags] |= CUT;
        }
        row.resize(ROW, 0);
        row
    }

    fn flags(&self) -> u8 {
        let Effect { tagged, marked, cleared, headers_left_out, .. } = self.effect;
        let flags = [
            (self.verdict.reason.paused, PAUSED),
            (self.senders_cut, CUT),
            (tagged, TAGGED),
            (marked, MARKED),
            (cleared, CLEARED),
            (headers_left_out, LEFT_OUT),
        ];
        flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).sum()
    }

    /// What a row says; `None` for what no version of ours wrote.
    pub(crate) fn from_row(row: &[u8]) -> Option<Self> {
        let mut row = Reading(row);
        if row.byte()? != VERSION {
            return None;
        }
        let at = Timestamp::from_second(i64::from_be_bytes(row.take()?)).ok()?;
        let direction = row.one_of(&DIRECTIONS)?;
        let flags = row.byte()?;
        let proof = Known { envelope: row.one_of(&AUTHENTICATIONS)?, header: row.one_of(&AUTHENTICATIONS)? };
        let outcome = match row.take::<2>()? {
            [BLOCKED, action] => Outcome::Blocked(BlackAction::from_code(action)),
            [kind, actions] => {
                Outcome::Deliver { personal: PersonalActions::from_bits(actions), clear_spam: kind == CLEAR }
            }
        };
        let addressed = row.one_of(&ADDRESSED)?;
        let (sender, personal) = (row.rule()?.0, row.rule()?.0);
        let overridden = |(rule, because): (Option<Match>, Option<Because>)| {
            rule.zip(because).map(|(rule, because)| Overridden { rule, because })
        };
        let reason = Reason {
            sender,
            personal,
            overridden_sender: overridden(row.rule()?),
            overridden_personal: overridden(row.rule()?),
            outbound: None,
            paused: flags & PAUSED != 0,
            addressed,
        };
        let delivery = row.byte()?;
        let folder = row.text()?.to_owned();
        let delivery = match delivery {
            0 => Delivery::AsAddressed,
            1 => Delivery::DetailRemoved,
            2 => Delivery::Folder(folder),
            3 => Delivery::Discarded,
            4 => Delivery::Held,
            5 => Delivery::Rejected,
            _ => return None,
        };
        let (header, envelope) = (row.address()?, row.address()?);
        let is = |flag| flags & flag != 0;
        let (tagged, marked, cleared, headers_left_out) = (is(TAGGED), is(MARKED), is(CLEARED), is(LEFT_OUT));
        let effect = Effect { delivery, tagged, marked, cleared, headers_left_out };
        let verdict = Verdict { outcome, reason };
        Some(Self { at, direction, envelope, header, senders_cut: is(CUT), proof, verdict, effect })
    }
}

fn put_rule(row: &mut Vec<u8>, rule: Option<Match>, because: Option<Because>) {
    row.extend_from_slice(&rule.map_or([NONE; 7], |rule| {
        [
            code(&LEVELS, &rule.level),
            code(&ListKind::ALL, &rule.list),
            code(&SCOPES, &rule.scope),
            rule.rank,
            code(&IDENTITIES, &rule.identity),
            code(&AUTHENTICATIONS, &rule.authentication),
            because.map_or(NONE, |because| code(&REASONS, &because)),
        ]
    }));
}

/// Puts a text where it fits and leaves room for `after` bytes, else an empty one; whether it did.
fn put_text(row: &mut Vec<u8>, text: &str, after: usize) -> bool {
    let fits = row.len() + 2 + text.len() + after <= ROW;
    let text = if fits { text } else { "" };
    // Shorter than a row.
    row.extend_from_slice(&(text.len() as u16).to_be_bytes());
    row.extend_from_slice(text.as_bytes());
    fits
}

/// What is left of a row.
struct Reading<'a>(&'a [u8]);

impl<'a> Reading<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn one_of<T: Copy>(&mut self, table: &[T]) -> Option<T> {
        table.get(usize::from(self.byte()?)).copied()
    }

    fn rule(&mut self) -> Option<(Option<Match>, Option<Because>)> {
        let bytes: [u8; 7] = self.take()?;
        if bytes[0] == NONE {
            return Some((None, None));
        }
        let mut rule = Reading(&bytes);
        let found = Match {
            level: rule.one_of(&LEVELS)?,
            list: rule.one_of(&ListKind::ALL)?,
            scope: rule.one_of(&SCOPES)?,
            rank: rule.byte()?,
            identity: rule.one_of(&IDENTITIES)?,
            authentication: rule.one_of(&AUTHENTICATIONS)?,
        };
        Some((Some(found), rule.one_of(&REASONS)))
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::from(u16::from_be_bytes(self.take()?));
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn address(&mut self) -> Option<Option<Address>> {
        match self.text()? {
            "" => Some(None),
            text => Address::parse(text).ok().map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).expect(text)
    }

    fn rule(list: ListKind, rank: u8) -> Match {
        Match {
            level: Level::User,
            list,
            scope: Scope::Subdomains,
            rank,
            identity: Identity::Header,
            authentication: Authentication::Passed(Method::Dkim),
        }
    }

    fn activity(outcome: Outcome, delivery: Delivery, senders: (&str, &str)) -> Activity {
        let sender = |text: &str| (!text.is_empty()).then(|| address(text));
        let because = Because::MoreSpecific;
        Activity {
            at: Timestamp::from_second(1_800_000_000).expect("a time"),
            direction: Direction::Outbound,
            envelope: sender(senders.0),
            header: sender(senders.1),
            senders_cut: false,
            proof: Known { envelope: Authentication::Missing, header: Authentication::Passed(Method::Spf) },
            verdict: Verdict {
                outcome,
                reason: Reason {
                    sender: Some(rule(ListKind::Black, 3)),
                    overridden_personal: Some(Overridden { rule: rule(ListKind::Personal, 0), because }),
                    paused: true,
                    addressed: Addressed::ByAnother,
                    ..Reason::default()
                },
            },
            effect: Effect { tagged: true, cleared: true, ..Effect::of(delivery) },
        }
    }

    #[test]
    fn every_row_has_one_length_and_says_what_it_was_made_of() {
        let personal = Outcome::Deliver { personal: PersonalActions::TAG | PersonalActions::MARK, clear_spam: true };
        let cases = [
            (personal, Delivery::Folder("Perso".to_owned()), ("bounce+1@d.example", "maman@famille.example")),
            (Outcome::UNTOUCHED, Delivery::AsAddressed, ("", "")),
            (Outcome::UNTOUCHED, Delivery::DetailRemoved, ("a@d.example", "")),
            (Outcome::Blocked(BlackAction::Junk), Delivery::Folder("Junk".to_owned()), ("", "a@d.example")),
            (Outcome::Blocked(BlackAction::Discard), Delivery::Discarded, ("a@d.example", "a@d.example")),
            (Outcome::Blocked(BlackAction::Hold), Delivery::Held, ("a@d.example", "a@d.example")),
            (Outcome::Blocked(BlackAction::Reject), Delivery::Rejected, ("a@d.example", "")),
        ];
        for (outcome, delivery, senders) in cases {
            let activity = activity(outcome, delivery, senders);
            let row = activity.to_row();
            assert_eq!(row.len(), ROW);
            assert!(Activity::from_row(&row).as_ref() == Some(&activity), "{outcome:?}");
        }
    }

    #[test]
    fn a_sender_without_room_is_left_out_and_that_is_said() {
        let long = format!("{}@d.example", "x".repeat(250));
        let read = |senders| {
            let row = activity(Outcome::UNTOUCHED, Delivery::AsAddressed, senders).to_row();
            assert_eq!(row.len(), ROW);
            Activity::from_row(&row).expect("a row")
        };
        let both = read((&long, &long));
        assert!(both.header.is_some() && both.envelope.is_none() && both.senders_cut);
        let longest = format!("{}@{}example", "x".repeat(256), "abcdefg.".repeat(30));
        let none = read(("a@d.example", &longest));
        assert!(none.header.is_none() && none.envelope.is_some() && none.senders_cut);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(0u8.., 0..600)) {
            let _ = Activity::from_row(&bytes);
        }
    }
}
