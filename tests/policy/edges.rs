//! The limits of a message, each at its value and one beyond, and input at the edge of what mail can be.

use std::sync::Arc;

use perso_milter::mark::MarkKey;
use perso_milter::milter::client::Recipient;
use perso_milter::milter::client::message::Message;
use perso_milter::milter::command::{Command, CommandStrings};
use perso_milter::milter::facts::HeaderLimit;
use perso_milter::milter::negotiate::Offer;
use perso_milter::milter::reply::Reply;
use perso_milter::milter::session::{Notice, RecipientReplies, Session, Terms};
use perso_milter::milter::settings::{MessageLimits, Role, Settings};
use perso_milter::milter::transaction::{MAX_RECIPIENT, OverLimit};
use perso_milter::milter::wire::{FRAME_MAX, Protocol};
use perso_milter::policy::action::PersonalActions;
use perso_milter::policy::list::{ListKind, UserOptions};
use perso_milter::split::SplitKey;
use proptest::collection::vec;
use proptest::prelude::*;

use super::world::{Mta, World, envelope, message, perso, policy, send, user};

fn world() -> World {
    World::of(policy(1)).with("alice@org.example", UserOptions::default(), &perso(&["a@d.example"]))
}

fn code(reply: Option<&Reply<'_>>) -> u16 {
    match reply {
        Some(Reply::Code(code)) => code.code(),
        Some(Reply::Continue) => 250,
        other => panic!("{other:?}"),
    }
}

fn subject(message: &Message) -> Vec<u8> {
    message.values("Subject").next().expect("a Subject").to_vec()
}

fn limited(notices: &[Notice]) -> Vec<OverLimit> {
    let limit = |notice: &Notice| match notice {
        Notice::OverLimit { limit, .. } => Some(*limit),
        _ => None,
    };
    notices.iter().filter_map(limit).collect()
}

#[test]
fn a_message_at_its_limits_passes_and_one_beyond_is_answered_451() {
    let limits = MessageLimits::default();
    let many = |headers: usize| -> Message {
        let mut all: Vec<(&str, &[u8])> = vec![("Subject", b" Hi"), ("From", b" a@d.example")];
        all.resize(headers, ("X", b" y"));
        message(&all)
    };
    let large = |bytes: usize| -> Message {
        let mut message = many(2);
        let mut left = bytes - "Subject HiFrom a@d.example".len();
        while left > 0 {
            // Postfix cuts a header at 60,000 bytes.
            let size = left.min(60_000);
            let value = vec![b'x'; size - 1];
            message.headers.push(super::world::message(&[("X", &value)]).headers.remove(0));
            left -= size;
        }
        message
    };
    let count = Some(OverLimit::Headers(HeaderLimit::Count));
    let bytes = Some(OverLimit::Headers(HeaderLimit::Bytes));
    for (message, over) in [
        (many(limits.headers), None),
        (many(limits.headers + 1), count),
        (large(limits.header_bytes), None),
        (large(limits.header_bytes + 1), bytes),
    ] {
        let mut mta = Mta::new(Arc::new(world()), Role::Edge, Offer::POSTFIX);
        let sent = mta.send(&envelope("<a@d.example>", &["<alice@org.example>"]), &message);
        assert_eq!(code(sent.last.as_ref()), if over.is_some() { 451 } else { 250 }, "{over:?}");
        assert_eq!(limited(&mta.notices), Vec::from_iter(over), "one line says which limit");
        assert!(over.is_some() || subject(sent.message()) == b"[PERSO] Hi");
        // The connection goes on.
        let next = mta.send(&envelope("<a@d.example>", &["<alice@org.example>"]), &many(2));
        assert_eq!(subject(next.message()), b"[PERSO] Hi");
    }
}

#[test]
fn a_recipient_beyond_the_limit_is_told_452_and_the_log_once() {
    let limit = MessageLimits::default().recipients;
    let others: Vec<String> = (1..limit + 20).map(|n| format!("<r{n}@elsewhere.example>")).collect();
    let paths: Vec<&str> = std::iter::once("<alice@org.example>").chain(others.iter().map(String::as_str)).collect();
    let letter = message(&[("Subject", b" Hi")]);
    let mut mta = Mta::new(Arc::new(world()), Role::Edge, Offer::POSTFIX);
    let sent = mta.send(&envelope("<a@d.example>", &paths[..limit]), &letter);
    assert_eq!((code(sent.last.as_ref()), sent.addresses().len()), (250, limit));
    assert_eq!(limited(&mta.notices), []);

    let sent = mta.send(&envelope("<a@d.example>", &paths), &letter);
    let codes: Vec<u16> = sent.recipients.iter().map(|reply| code(reply.as_ref())).collect();
    assert!(codes[..limit].iter().all(|code| *code == 250) && codes[limit..].iter().all(|code| *code == 452));
    assert_eq!((code(sent.last.as_ref()), sent.addresses().len()), (250, limit));
    assert_eq!(limited(&mta.notices), [OverLimit::Recipients], "an MTA asks for each, the log says it once");

    // Local mail would stay stuck: it passes as it is, to everybody, and the log says so.
    let mut local = Mta::new(Arc::new(world()), Role::Local, Offer::POSTFIX);
    let sent = local.send(&envelope("<a@d.example>", &paths), &letter);
    assert_eq!((code(sent.last.as_ref()), sent.addresses().len()), (250, paths.len()));
    assert_eq!(subject(sent.message()), b"Hi");
    assert_eq!(limited(&local.notices), [OverLimit::Recipients]);
    assert_eq!(local.notices.iter().filter(|n| matches!(n, Notice::Message { .. })).count(), 1);
}

#[test]
fn a_recipient_too_long_for_any_smtp_command_is_told_452() {
    let letter = message(&[("Subject", b" Hi")]);
    let with = |bytes: usize| Recipient {
        address: b"<alice@org.example>".to_vec(),
        arguments: vec![vec![b'x'; bytes - b"<alice@org.example>".len() - size_of::<Vec<u8>>()]],
    };
    for (bytes, expected) in [(MAX_RECIPIENT, 250), (MAX_RECIPIENT + 1, 452)] {
        let mut mta = Mta::new(Arc::new(world()), Role::Edge, Offer::POSTFIX);
        let mut envelope = envelope("<a@d.example>", &["<x@elsewhere.example>"]);
        envelope.recipients.extend([with(bytes), with(bytes)]);
        let sent = mta.send(&envelope, &letter);
        let codes: Vec<u16> = sent.recipients.iter().map(|reply| code(reply.as_ref())).collect();
        assert_eq!(codes, [250, expected, expected]);
        let over = (expected == 452).then_some(OverLimit::RecipientLength);
        assert_eq!(limited(&mta.notices), Vec::from_iter(over));
    }
    let mut local = Mta::new(Arc::new(world()), Role::Local, Offer::POSTFIX);
    let mut envelope = envelope("<a@d.example>", &["<x@elsewhere.example>"]);
    envelope.recipients.push(with(MAX_RECIPIENT + 1));
    let sent = local.send(&envelope, &letter);
    assert_eq!((code(sent.last.as_ref()), sent.addresses().len()), (250, 2), "nobody is left out");
    assert_eq!((limited(&local.notices), subject(sent.message())), (vec![OverLimit::RecipientLength], b"Hi".to_vec()));
}

/// What no MTA sends, but a peer may: it is nobody's mailbox, and hinders nobody else's message.
#[test]
fn what_no_edit_can_name_is_left_as_it_is() {
    let folder = UserOptions { personal_actions: Some(PersonalActions::FOLDER), ..UserOptions::default() };
    let world = || {
        let people = world().with("bob@org.example", folder, &perso(&["a@d.example"]));
        people.with("carol@org.example", folder, &perso(&["a@d.example"]))
    };
    let mut letter = envelope("<a@d.example>", &["<@relay.example\n:bob@org.example>", "<carol@org.example>"]);
    letter.recipients[1].arguments = vec![b"NOTIFY=NEVER\r".to_vec(), b"ORCPT=rfc822;c@org.example".to_vec()];
    let headers: [(&str, &[u8]); 2] = [("X-Perso-:", b" v=1"), ("Subject", b" Hi")];
    let (sent, _) = send(world(), Role::Edge, Offer::POSTFIX, &letter, &message(&headers));
    assert_eq!(code(sent.last.as_ref()), 250);
    assert_eq!(sent.addresses(), ["@relay.example\n:bob@org.example", "carol+Perso@org.example"]);
    let added = &sent.delivery.expect("delivered").recipients[1];
    assert_eq!(added.arguments, [b"ORCPT=rfc822;c@org.example".to_vec()]);
}

/// A Subject that fills a whole frame leaves no room for the tag in the frame that changes it.
#[test]
fn an_edit_that_no_frame_can_hold_is_answered_451_or_left_out() {
    let value = [b" ", &vec![b'x'; 65_520][..]].concat();
    for (role, last) in [(Role::Edge, Reply::TempFail), (Role::Local, Reply::Continue)] {
        let mut mta = Mta::new(Arc::new(world()), role, Offer::POSTFIX);
        let sent = mta.send(&envelope("<a@d.example>", &["<alice@org.example>"]), &message(&[("Subject", &value)]));
        assert_eq!((sent.last, sent.edits.len()), (Some(last), 0), "{role}");
        assert!(mta.notices.iter().any(|notice| matches!(notice, Notice::Unwritable(_))), "{role}");
    }
}

#[test]
fn a_header_of_60_000_bytes_keeps_them_behind_the_tag() {
    for (value, visible) in [
        (vec![b'x'; 59_999], 59_999),
        ([&[b' '][..], &[0xe9; 59_999]].concat(), 59_999),
        // Postfix cuts here; what is beyond is lost without us too.
        (vec![b'y'; 70_000], 60_000),
    ] {
        let mut letter = message(&[("From", b" a@d.example"), ("Subject", &value)]);
        letter = Message::parse(&letter.render());
        let (sent, _) =
            send(world(), Role::Edge, Offer::POSTFIX, &envelope("<a@d.example>", &["<alice@org.example>"]), &letter);
        let subject = subject(sent.message());
        assert!(subject.starts_with(b"[PERSO]\n "), "a line may hold 998 bytes");
        assert_eq!(subject.len(), b"[PERSO]\n ".len() + visible);
    }
}

#[test]
fn a_nul_and_bytes_beyond_ascii_are_no_address_and_break_nothing() {
    for (sender, from, personal) in [
        ("<a@d.example>", &b" a@d.example\0evil"[..], true),
        ("<a@d.example\u{fffd}>", b" a@d.example", true),
        ("<\u{e9}\u{e9}@d.example>", b" \xe9@d.example", false),
        ("<>", b" \0", false),
        ("", b"", false),
        ("<a@d.example", b" a@d.example, a@d.example", false),
    ] {
        let letter = message(&[("From", from), ("Subject", b" Hi"), ("\u{e9}", b" x")]);
        let (sent, _) = send(world(), Role::Edge, Offer::POSTFIX, &envelope(sender, &["<alice@org.example>"]), &letter);
        assert_eq!(sent.edits.len(), usize::from(personal), "{sender:?}");
        assert_eq!(sent.message().headers.len(), 3);
    }
}

#[test]
fn a_forged_header_is_removed_however_long_its_name() {
    let long = format!("X-Perso-{}", "y".repeat(900));
    for name in ["X-Perso", "x-PERSO-x", &long] {
        let letter = message(&[("Subject", b" Hi"), (name, b" v=1"), ("X-Personal", b" yes"), (name, b" v=1")]);
        let (sent, _) =
            send(world(), Role::Edge, Offer::POSTFIX, &envelope("<x@o.example>", &["<alice@org.example>"]), &letter);
        let names: Vec<_> = sent.message().headers.iter().map(|h| String::from_utf8_lossy(&h.name)).collect();
        assert_eq!(names, ["Subject", "X-Personal"], "{name}");
    }
}

/// The most headers that a message may have, all of them forged and under names as alike as can be.
#[test]
fn a_thousand_forged_headers_are_removed() {
    let names: Vec<String> = (0..1000).map(|n| format!("X-Perso-{}{n:04}", "y".repeat(200))).collect();
    let headers: Vec<(&str, &[u8])> = names.iter().map(|name| (&**name, &b" v=1"[..])).collect();
    let letter = message(&headers);
    let (sent, _) =
        send(world(), Role::Edge, Offer::POSTFIX, &envelope("<x@o.example>", &["<alice@org.example>"]), &letter);
    assert!(sent.message().headers.is_empty());
}

/// Two organisations behind one relay: each clears the spam marks that it named, and none of the other's.
#[test]
fn a_white_entry_clears_the_marks_of_its_own_organisation() {
    let (mut one, mut two) = (policy(1), policy(2));
    one.white.spam_headers = vec!["X-Spam-Flag".to_owned()];
    two.white.spam_headers = vec!["X-Bulk".to_owned(), "x-spam-flag".to_owned()];
    let mut settings = Settings::new(MarkKey::new(&[0; 32]), SplitKey::new(&[0; 32]))
        .with_organisations([Arc::new(one), Arc::new(two)]);
    settings.ours = Vec::new();
    let settings = Arc::new(settings);
    let white = vec![(ListKind::White, "a@d.example".to_owned())];
    let headers: [(&str, &[u8]); 4] =
        [("X-Bulk", b" 1"), ("X-SPAM-FLAG", b" YES"), ("X-Bulk", b" 2"), ("X-Other", b" 3")];
    for (recipients, left) in [
        (&["<one@org.example>"][..], &["X-Bulk", "X-Bulk", "X-Other"][..]),
        (&["<two@org.example>"], &["X-Other"]),
        // They need different edits.
        (&["<one@org.example>", "<two@org.example>"], &["X-Bulk", "X-SPAM-FLAG", "X-Bulk", "X-Other"]),
    ] {
        let mut world = World::new(Settings::new(MarkKey::new(&[0; 32]), SplitKey::new(&[0; 32])));
        world.settings = settings.clone();
        let world = world
            .with_user("one@org.example", user(1, 1, UserOptions::default(), &white).0)
            .with_user("two@org.example", user(2, 2, UserOptions::default(), &white).0);
        let (sent, _) =
            send(world, Role::Edge, Offer::POSTFIX, &envelope("<a@d.example>", recipients), &message(&headers));
        let names: Vec<_> = sent.message().headers.iter().map(|h| String::from_utf8_lossy(&h.name)).collect();
        assert_eq!(names, left, "{recipients:?}");
    }
}

#[test]
fn an_mta_without_dsn_parameters_or_hold_is_served_with_what_it_has() {
    let options = UserOptions { personal_actions: Some(PersonalActions::FOLDER), ..UserOptions::default() };
    let world = World::of(policy(1)).with("alice@org.example", options, &perso(&["a@d.example"]));
    let mut letter = envelope("<a@d.example>", &[]);
    letter.recipients =
        vec![Recipient { address: b"<alice@org.example>".to_vec(), arguments: vec![b"NOTIFY=NEVER".to_vec()] }];
    let (sent, _) = send(world, Role::Edge, super::world::OLD_MTA, &letter, &message(&[("Subject", b" Hi")]));
    assert_eq!(sent.addresses(), ["alice+Perso@org.example"]);
}

/// Any command byte with a payload that looks like something.
fn any_frames() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![9 => prop::sample::select(b"ABCDEHKLMNOQRTU".to_vec()), 1 => any::<u8>()];
    let texts = prop::sample::select(vec![
        &b"<a@d.example>\0"[..],
        b"<alice@org.example>\0",
        b"<alice+Perso@org.example>\0NOTIFY=NEVER\0",
        b"Subject\0 x\0",
        b"From\0 a@d.example\0",
        b"X-Perso\0v=1\0",
        b"mx\x004\0\x19192.0.2.1\0",
        b"Mi\x004A\0{auth_authen}\0",
        b"R",
        b"\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff",
        b"mx\0L\0\0/run/x\0",
        b"",
        b"\0",
        b"<\xff>\0",
    ]);
    let payload = prop_oneof![8 => texts.prop_map(<[u8]>::to_vec), 1 => vec(any::<u8>(), 0..40)];
    let one = (byte, payload).prop_map(|(byte, payload)| {
        let mut out = Vec::new();
        perso_milter::milter::frame::encode(&mut out, byte, |out| out.extend_from_slice(&payload));
        out
    });
    let noise = vec(any::<u8>(), 0..9);
    vec(prop_oneof![12 => one, 1 => noise], 0..40).prop_map(|frames| frames.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any frames: no panic, no answer out of proportion, and the same however they are cut into reads.
    #[test]
    fn any_frames_are_taken_alike_however_they_come(input in any_frames(), greeted in any::<bool>(), size in 1usize..40) {
        let session = || {
            let terms = Arc::new(Terms::new(Role::Edge, RecipientReplies::Needed));
            Session::new(Arc::new(world()), terms, FRAME_MAX as u32)
        };
        let mut all = Vec::new();
        if greeted {
            Command::Negotiate(Offer { protocol: Protocol::NONE, ..Offer::POSTFIX }).encode(&mut all);
        }
        all.extend(&input);
        let (mut whole, mut cut) = (Vec::new(), Vec::new());
        let expected = session().receive(&all, &mut whole);
        let mut pieces = session();
        let mut result = Ok(perso_milter::milter::session::Next::Continue);
        for piece in all.chunks(size) {
            result = pieces.receive(piece, &mut cut);
            if result != Ok(perso_milter::milter::session::Next::Continue) {
                break;
            }
        }
        prop_assert_eq!(result, expected);
        prop_assert_eq!(&cut, &whole);
        prop_assert!(whole.len() <= 200 + 100 * all.len(), "{} bytes for {}", whole.len(), all.len());
    }

    /// Macros with odd counts, empty names and values of any length: what they say last counts, the rest is ignored.
    #[test]
    fn any_macros_are_taken(pairs in vec(vec(1u8.., 0..300), 0..7), event in any::<u8>()) {
        let strings = CommandStrings::new(&pairs);
        let mut mta = Mta::new(Arc::new(world()), Role::Edge, Offer::POSTFIX);
        let macros = perso_milter::milter::command::Macros::new(event, strings.strings());
        mta.tell(&Command::Macros(macros));
        let sent = mta.send(&envelope("<a@d.example>", &["<alice@org.example>"]), &message(&[("Subject", b" Hi")]));
        prop_assert_eq!(subject(sent.message()), b"[PERSO] Hi");
    }
}
