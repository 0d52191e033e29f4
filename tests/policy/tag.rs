//! The tag, through the whole session: it changes nothing but the Subject, and putting it twice is putting it once.

use perso_milter::milter::client::message::{Header, Message};
use perso_milter::milter::negotiate::Offer;
use perso_milter::milter::reply::HeaderValue;
use perso_milter::milter::settings::Role;
use perso_milter::policy::action::PersonalActions;
use perso_milter::policy::list::{ListKind, UserOptions};
use perso_milter::policy::subject::{Tag, is_tagged};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::world::{Entry, OLD_MTA, Sent, World, envelope, message, perso, policy, send};

/// Bytes that a header's value may hold once an MTA has read it: anything, with white space behind each line's end.
fn any_value() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => vec(any::<u8>().prop_filter("no line end", |byte| *byte != b'\n'), 0..20),
        2 => select(vec!["\n ", "\n\t", " ", "\t"]).prop_map(|text| text.as_bytes().to_vec()),
        2 => select(vec![
            "[PERSO]", "[perso] ", "Re: ", "TR : ", "=?utf-8?Q?", "?=", "=?utf-8?B?W1BFUlNPXSA=?=", "***SPAM*** ",
            "=?iso-2022-jp?B?GyRCQ0I=?=", "\u{e9}", "\0", "\r",
        ]).prop_map(|text| text.as_bytes().to_vec()),
    ];
    vec(part, 0..8).prop_map(|parts| parts.concat())
}

fn any_header() -> impl Strategy<Value = Header> {
    let name = prop_oneof![
        4 => select(vec!["Subject", "SUBJECT", "From", "To", "Received", "X-Spam-Flag", "Authentication-Results"]),
        1 => select(vec!["X-Perso", "x-perso-split", "X-Personal", "Sensitivity", "Subject-2", "Date"]),
    ];
    (name, any_value()).prop_map(|(name, value)| Header { name: name.as_bytes().to_vec(), value })
}

fn any_message() -> impl Strategy<Value = Message> {
    let body = vec(any::<u8>(), 0..60);
    (vec(any_header(), 0..8), body).prop_map(|(headers, body)| {
        let written = Message { headers, body }.render();
        // As an MTA reads it: line ends at the end of the body, CR LF as LF.
        Message::parse(&written)
    })
}

fn is(header: &Header, name: &str) -> bool {
    header.name.eq_ignore_ascii_case(name.as_bytes())
}

fn is_ours(header: &Header) -> bool {
    is(header, "X-Perso") || header.name.to_ascii_lowercase().starts_with(b"x-perso-")
}

/// The headers without the first Subject and without what nobody but us may write.
fn rest(message: &Message) -> Vec<Header> {
    let first = message.headers.iter().position(|header| is(header, "Subject"));
    let rest = message.headers.iter().enumerate().filter(|(at, header)| Some(*at) != first && !is_ours(header));
    rest.map(|(_, header)| header.clone()).collect()
}

fn first_subject(message: &Message) -> Option<&[u8]> {
    message.headers.iter().find(|header| is(header, "Subject")).map(|header| &*header.value)
}

/// Sends a message to the one user, whose lists are these.
fn sent(entries: &[Entry], actions: PersonalActions, offer: Offer, message: &Message) -> Sent {
    let options = UserOptions { personal_actions: Some(actions), ..UserOptions::default() };
    let world = World::of(policy(1)).with("alice@org.example", options, entries);
    let envelope = envelope("<a@d.example>", &["<alice@org.example>"]);
    send(world, Role::Edge, offer, &envelope, message).0
}

/// What the milter is shown of a value, and with which the tag goes on.
fn shown(value: &[u8]) -> Vec<u8> {
    let cut = value.split(|byte| *byte == 0).next().unwrap_or_default();
    let blanks = cut.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    HeaderValue::cleaned(&cut[blanks..]).as_bytes().to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_tag_changes_nothing_but_the_subject(message in any_message(), old in any::<bool>()) {
        let offer = if old { OLD_MTA } else { Offer::POSTFIX };
        let once = sent(&perso(&["a@d.example"]), PersonalActions::TAG, offer, &message);
        let once = once.message();
        prop_assert_eq!(rest(once), rest(&message), "every other header, byte for byte");
        prop_assert_eq!(&once.body, &message.body);
        prop_assert!(!once.headers.iter().any(is_ours));

        let tag = Tag::new("[PERSO]").unwrap();
        let before = first_subject(&message).unwrap_or_default();
        let after = first_subject(once).expect("a Subject");
        let visible = before.split(|byte| *byte == 0).next().unwrap_or_default();
        if first_subject(&message).is_some() && is_tagged(visible, &tag) {
            prop_assert_eq!(after, before);
        } else {
            prop_assert!(after.starts_with(b" [PERSO]"), "{}", after.escape_ascii());
            prop_assert!(after.ends_with(&shown(before)), "{}", after.escape_ascii());
            // A blank, a fold, or nothing stands between them.
            let between = after.len() - b" [PERSO]".len() - shown(before).len();
            prop_assert!(between <= 2, "{}", after.escape_ascii());
        }
        let twice = sent(&perso(&["a@d.example"]), PersonalActions::TAG, offer, once);
        prop_assert_eq!(&twice.edits, &[]);
        prop_assert_eq!(twice.message(), once);
    }

    /// Whatever is asked for: what is neither the first Subject nor a header that was asked for stays, and a second pass
    /// changes nothing but the mark, which is always written anew.
    #[test]
    fn no_action_touches_anything_else(
        message in any_message(), bits in 0u8..8, white in any::<bool>(), old in any::<bool>(),
    ) {
        let offer = if old { OLD_MTA } else { Offer::POSTFIX };
        let mut entries = perso(&["a@d.example"]);
        if white {
            entries.push((ListKind::White, "a@d.example".to_owned()));
        }
        let actions = PersonalActions::from_bits(bits);
        let once = sent(&entries, actions, offer, &message);
        let kept = |message: &Message| -> Vec<Header> {
            rest(message).into_iter().filter(|header| !(white && is(header, "X-Spam-Flag"))).collect()
        };
        prop_assert_eq!(kept(once.message()), kept(&message));
        prop_assert_eq!(&once.message().body, &message.body);
        prop_assert!(!white || !once.message().headers.iter().any(|header| is(header, "X-Spam-Flag")));
        let marks = once.message().headers.iter().filter(|header| is_ours(header)).count();
        prop_assert_eq!(marks, usize::from(actions.contains(PersonalActions::MARK)));
        let subjects = |message: &Message| message.headers.iter().filter(|header| is(header, "Subject")).count();
        prop_assert!(subjects(once.message()) >= subjects(&message), "a Subject is never taken away");

        let twice = sent(&entries, actions, offer, once.message());
        prop_assert_eq!(rest(twice.message()), rest(once.message()));
        // Spam prefixes come off one a pass, and a Subject may have had several.
        if !white {
            prop_assert_eq!(first_subject(twice.message()), first_subject(once.message()));
        }
    }

    #[test]
    fn who_has_no_entry_gets_what_was_sent(message in any_message(), old in any::<bool>()) {
        let offer = if old { OLD_MTA } else { Offer::POSTFIX };
        let nothing = sent(&[], PersonalActions::TAG, offer, &message);
        let without_ours: Vec<_> = message.headers.iter().filter(|header| !is_ours(header)).cloned().collect();
        prop_assert_eq!(&nothing.message().headers, &without_ours);
        prop_assert_eq!(&nothing.message().body, &message.body);
    }
}

/// A Subject that was nothing but a spam prefix is empty then, and still there.
#[test]
fn a_subject_that_becomes_empty_stays() {
    let white = vec![(ListKind::White, "a@d.example".to_owned())];
    for offer in [Offer::POSTFIX, OLD_MTA] {
        for subject in ["***SPAM***", " ***SPAM***", " ***SPAM*** ", "\t***SPAM***"] {
            let message = message(&[("From", b" a@d.example"), ("Subject", subject.as_bytes())]);
            let sent = sent(&white, PersonalActions::TAG, offer, &message);
            let after = first_subject(sent.message()).map(<[u8]>::trim_ascii);
            assert_eq!(after, Some(&b""[..]), "{subject:?}, version {}", offer.version);
        }
    }
}

/// The mark and the tag know each other: what is signed is the Subject before the tag.
#[test]
fn a_tagged_and_marked_message_verifies() {
    use perso_milter::mark::{MarkKey, Marked};
    let original = message(&[("From", b" a@d.example"), ("To", b" alice"), ("Subject", b" Hello\n world")]);
    let actions = PersonalActions::TAG | PersonalActions::MARK;
    let sent = sent(&perso(&["a@d.example"]), actions, Offer::POSTFIX, &original);
    let mark = sent.message().values("X-Perso").next().expect("a mark");
    let marked = Marked { user: 1, from: b"a@d.example", to: b"alice", subject: b"Hello world", ..Marked::default() };
    assert!(MarkKey::new(&[0; 32]).verify(std::str::from_utf8(mark).unwrap(), &marked));
}

/// What a user chose before the organisation allowed the mark alone gives way to it, and then all that is signed is read.
#[test]
fn a_mark_in_place_of_a_choice_that_is_no_longer_allowed_verifies() {
    use perso_milter::mark::{MarkKey, Marked};
    let mut policy = policy(1);
    policy.personal.actions = PersonalActions::MARK;
    policy.personal.choices = PersonalActions::MARK;
    let chosen = UserOptions { personal_actions: Some(PersonalActions::FOLDER), ..UserOptions::default() };
    let world = World::of(policy).with("alice@org.example", chosen, &perso(&["a@d.example"]));
    let original = message(&[
        ("From", b" a@d.example"),
        ("To", b" alice"),
        ("Date", b" today"),
        ("Message-ID", b" <1@d.example>"),
        ("Subject", b" Hello"),
    ]);
    let to_alice = envelope("<a@d.example>", &["<alice@org.example>"]);
    let (sent, _) = send(world, Role::Edge, Offer::POSTFIX, &to_alice, &original);
    let mark = sent.message().values("X-Perso").next().expect("a mark");
    let marked = Marked {
        user: 1,
        from: b"a@d.example",
        to: b"alice",
        date: b"today",
        message_id: b"<1@d.example>",
        subject: b"Hello",
    };
    assert!(MarkKey::new(&[0; 32]).verify(std::str::from_utf8(mark).unwrap(), &marked));
}
