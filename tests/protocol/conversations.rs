//! Conversations that go well.

use perso_milter::milter::client::{Client, Outcome, Verdict};
use perso_milter::milter::negotiate::Offer;
use perso_milter::milter::wire::{Actions, Protocol};

use super::harness::*;

const MAIL: &[u8] = b"From: a@example.net\r\nSubject: hello\r\n\tworld\r\n\r\nbody\r\n";

fn count(outcome: &Outcome, client: &Client, recipients: &[&str]) -> Vec<u8> {
    let envelope = envelope("<a@example.net>", recipients);
    let delivery = outcome.deliver(&envelope, MAIL, client.agreement()).unwrap();
    delivery.message.values(COUNT_HEADER).next().unwrap().to_vec()
}

#[test]
fn several_messages_on_every_kind_of_socket() {
    for kind in KINDS {
        for wanted in [fast(), chatty()] {
            let server = start(kind, wanted, limits());
            let mut client = server.client();
            for number in 1..=5 {
                let outcome = client.send_message(&envelope("<a@example.net>", &["<b@example.org>"]), MAIL).unwrap();
                let seen = count(&outcome, &client, &["<b@example.org>"]);
                assert_eq!(seen, number.to_string().as_bytes(), "{kind:?}");
            }
            client.quit().unwrap();
            server.stop();
        }
    }
}

#[test]
fn a_refused_recipient_is_told_so_and_no_other() {
    let server = start(Kind::Unix, fast(), limits());
    let mut client = server.client();
    let mixed = ["<b@example.org>", BLOCKED, "<c@example.org>"];
    let outcome = client.send_message(&envelope("<>", &mixed), MAIL).unwrap();
    let refusal = b"550-5.7.1 100% not wanted\r\n550 5.7.1 here".to_vec();
    let expected = [Verdict::Accept, Verdict::Reject(refusal.clone()), Verdict::Accept];
    assert_eq!(outcome.recipients, expected);
    assert_eq!(outcome.verdict, Verdict::Accept);

    let outcome = client.send_message(&envelope("<>", &[BLOCKED]), MAIL).unwrap();
    assert_eq!(outcome.verdict, Verdict::Reject(refusal));
    assert!(outcome.modifications.is_empty());
}

#[test]
fn events_that_were_declined_are_not_sent() {
    let server = start(Kind::Unix, fast(), limits());
    let mut client = server.client();
    client.send_message(&envelope("<>", &["<b@example.org>"]), MAIL).unwrap();
    client.quit().unwrap();
    let commands = server.log.lock().unwrap().commands.clone();
    assert_eq!(String::from_utf8(commands).unwrap(), "ODCDHDMDRDLDLDNDEAQ");
}

#[test]
fn an_old_mta_is_served_as_it_can_be() {
    let server = start(Kind::Unix, fast(), limits());
    for version in 2..=6 {
        let offer = Offer { version, actions: Actions::VERSION_2, protocol: Protocol::VERSION_2 };
        let mut client = server.client_offering(offer);
        assert_eq!(client.agreement().version(), version);
        let outcome = client.send_message(&envelope("<>", &["<b@example.org>"]), MAIL).unwrap();
        assert_eq!(outcome.verdict, Verdict::Accept);
        client.quit().unwrap();
    }
}

/// A connection as Postfix writes it, two messages, and the reply bytes that it gets.
fn two_messages() -> (Vec<u8>, &'static str) {
    let mut bytes = offer();
    bytes.extend(frame(b'C', b"mx\x004\0\x19192.0.2.1\0"));
    bytes.extend(frame(b'H', b"mx\0"));
    for _ in 0..2 {
        bytes.extend(frame(b'D', b"Mi\x004A\0"));
        bytes.extend(frame(b'M', b"<a@example.net>\0"));
        bytes.extend(frame(b'R', b"<b@example.org>\0NOTIFY=NEVER\0"));
        bytes.extend(frame(b'L', b"Subject\0hello\0"));
        bytes.extend(frame(b'N', b""));
        bytes.extend(frame(b'E', b""));
        bytes.extend(frame(b'A', b""));
    }
    bytes.extend(frame(b'A', b""));
    bytes.extend(frame(b'Q', b""));
    (bytes, "Ochcchc")
}

fn reply_bytes(stream: &[u8]) -> String {
    frames(stream).iter().map(|(byte, _)| char::from(*byte)).collect()
}

#[test]
fn everything_in_one_write() {
    for kind in KINDS {
        let server = start(kind, fast(), limits());
        let (bytes, replies) = two_messages();
        let mut peer = server.raw();
        peer.write(&bytes);
        assert_eq!(reply_bytes(&peer.read_to_end()), replies, "{kind:?}");
    }
}

#[test]
fn one_byte_a_write() {
    for kind in KINDS {
        let server = start(kind, fast(), limits());
        let (bytes, replies) = two_messages();
        let mut peer = server.raw();
        for byte in bytes {
            peer.write(&[byte]);
        }
        assert_eq!(reply_bytes(&peer.read_to_end()), replies, "{kind:?}");
    }
}

#[test]
fn many_connections_share_the_threads() {
    let server = start(Kind::Inet, fast(), limits());
    let mut clients: Vec<_> = (0..40).map(|_| server.client()).collect();
    for round in 1..=3 {
        for client in &mut clients {
            let outcome = client.send_message(&envelope("<a@example.net>", &["<b@example.org>"]), MAIL).unwrap();
            let seen = count(&outcome, client, &["<b@example.org>"]);
            assert_eq!(seen, round.to_string().as_bytes());
        }
    }
    let numbers: Vec<_> = server.log.lock().unwrap().opened.iter().map(|info| info.number).collect();
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (1..=40).collect::<Vec<_>>());
}

#[test]
fn a_large_answer_waits_for_a_slow_reader() {
    let limits = perso_milter::milter::server::Limits { answer_bytes: 16 << 20, ..limits() };
    for kind in KINDS {
        let server = start(kind, fast(), limits.clone());
        let mut peer = server.raw();
        let mut bytes = offer();
        bytes.extend(frame(b'M', &[FLOOD.as_bytes(), b"\0"].concat()));
        bytes.extend(frame(b'E', b""));
        // Read only after the answer cannot have fitted the socket's buffer; what follows is read after it.
        bytes.extend(frame(b'A', b""));
        peer.write(&bytes);
        let first = peer.read_exactly(10);
        peer.write(&frame(b'Q', b""));
        let all = [first, peer.read_to_end()].concat();
        assert_eq!(reply_bytes(&all), format!("O{}hc", "b".repeat(100)), "{kind:?}");
    }
}
