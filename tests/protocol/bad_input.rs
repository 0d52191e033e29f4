//! Peers that keep to no protocol: each is parted from, and the others notice nothing.

use perso_milter::milter::client::Verdict;
use perso_milter::milter::server::Closed;

use super::harness::*;

/// What a peer may write that cannot be read on.
fn bad_streams() -> Vec<(&'static str, Vec<u8>)> {
    let after_offer = |bytes: &[u8]| [&offer(), bytes].concat();
    vec![
        ("zero length", vec![0; 4]),
        ("zero length later", after_offer(&[0; 4])),
        ("oversize", after_offer(&[0, 1, 0, 1, b'B'])),
        ("largest length", vec![0xff; 64]),
        ("another protocol", b"EHLO example.org\r\n".to_vec()),
        ("unknown command", after_offer(&frame(b'Z', b""))),
        ("unknown byte", after_offer(&frame(0, b"x"))),
        ("cut offer", frame(b'O', b"\0\0\0\x06")),
        ("old version", frame(b'O', &[0, 0, 0, 1, 0, 0, 1, 0xff, 0, 0, 0, 0])),
        ("no actions", frame(b'O', &[0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0])),
        ("no negotiation", frame(b'M', b"<>\0")),
        ("no NUL", after_offer(&frame(b'M', b"<>"))),
        ("empty header", after_offer(&frame(b'L', b""))),
        ("half a header", after_offer(&frame(b'L', b"Subject\0x"))),
        ("cut connect", after_offer(&frame(b'C', b"mx\x004\0"))),
        ("macros without event", after_offer(&frame(b'D', b""))),
        ("no NUL in arguments", after_offer(&frame(b'R', b"<a@b>\0NOTIFY"))),
    ]
}

#[test]
fn a_bad_stream_ends_its_connection_and_no_other() {
    for kind in [Kind::Unix, Kind::Inet] {
        let server = start(kind, fast(), limits());
        let mut other = server.client();
        for (what, bytes) in bad_streams() {
            let mut peer = server.raw();
            peer.write(&bytes);
            let answer = peer.read_to_end();
            let expected = bytes.starts_with(&offer());
            // On TCP a reset may overtake the answer to the offer.
            assert!(answer.is_empty() || expected, "{what}");
            let outcome = other.send_message(&envelope("<>", &["<b@example.org>"]), b"A: b\n\n");
            assert_eq!(outcome.unwrap().verdict, Verdict::Accept, "beside {what}");
        }
        eventually("all closed", || server.closed().len() == bad_streams().len());
        assert!(server.closed().iter().all(|why| *why == Closed::ByConversation));
    }
}

#[test]
fn a_connection_cut_anywhere_leaves_the_server_well() {
    let server = start(Kind::Unix, fast(), limits());
    let mut bytes = offer();
    bytes.extend(frame(b'M', b"<a@example.net>\0"));
    bytes.extend(frame(b'R', b"<b@example.org>\0"));
    bytes.extend(frame(b'L', b"Subject\0x\0"));
    bytes.extend(frame(b'E', b""));
    for end in 0..=bytes.len() {
        server.raw().write(&bytes[..end]);
    }
    eventually("all closed", || server.closed().len() == bytes.len() + 1);
    let mut client = server.client();
    let outcome = client.send_message(&envelope("<>", &["<b@example.org>"]), b"A: b\n\n");
    assert_eq!(outcome.unwrap().verdict, Verdict::Accept);
}

#[test]
fn a_panic_ends_its_connection_and_no_other() {
    let server = start(Kind::Unix, fast(), limits());
    let mut other = server.client();
    for _ in 0..10 {
        let sent = server.client().send_message(&envelope(PANIC, &["<b@example.org>"]), b"\n");
        assert!(sent.is_err());
        let outcome = other.send_message(&envelope("<>", &["<b@example.org>"]), b"\n").unwrap();
        assert_eq!(outcome.verdict, Verdict::Accept);
    }
    eventually("all closed", || server.closed().len() == 10);
    assert!(server.closed().iter().all(|why| *why == Closed::Panicked));
}
