//! The limits of the server: what is over them is closed, and the log says by which.

use std::time::Duration;

use perso_milter::milter::server::{Closed, Limits};

use super::harness::*;

#[test]
fn one_connection_too_many_is_closed_at_once() {
    for kind in [Kind::Unix, Kind::Inet] {
        let server = start(kind, fast(), Limits { connections: 2, ..limits() });
        let first = server.client();
        let mut second = server.client();
        assert_eq!(server.raw().read_to_end(), b"", "{kind:?}");
        second.send_message(&envelope("<>", &["<b@example.org>"]), b"\n").unwrap();
        first.quit().unwrap();
        eventually("a place is free again", || {
            let mut peer = server.raw();
            peer.write(&[offer(), frame(b'Q', b"")].concat());
            !peer.read_to_end().is_empty()
        });
    }
}

#[test]
fn a_peer_that_takes_its_time_is_closed() {
    let short = Duration::from_millis(1);
    let half_a_frame = [&offer()[..], &[0, 0]].concat();
    let message = [offer(), frame(b'M', b"<>\0")].concat();
    let slow = Limits { handshake_time: short, ..limits() };
    let cases = [
        (slow.clone(), vec![], Closed::HandshakeTime),
        (slow, half_a_frame, Closed::HandshakeTime),
        (Limits { message_time: short, ..limits() }, message, Closed::MessageTime),
        (Limits { idle_time: short, ..limits() }, offer(), Closed::IdleTime),
    ];
    for (limits, bytes, why) in cases {
        let server = start(Kind::Unix, fast(), limits);
        let mut peer = server.raw();
        peer.write(&bytes);
        peer.read_to_end();
        eventually("closed", || server.closed() == [why]);
    }
}

#[test]
fn a_peer_that_does_not_read_its_answer_is_closed() {
    let server = start(
        Kind::Unix,
        fast(),
        Limits { handshake_time: Duration::from_millis(1), answer_bytes: 16 << 20, ..limits() },
    );
    let mut peer = server.raw();
    peer.write(&offer());
    peer.write(&frame(b'M', &[FLOOD.as_bytes(), b"\0"].concat()));
    peer.write(&frame(b'E', b""));
    eventually("closed", || server.closed() == [Closed::AnswerTime]);
}

#[test]
fn an_answer_without_measure_is_not_sent() {
    let server = start(Kind::Unix, fast(), limits());
    let sent = server.client().send_message(&envelope(FLOOD, &["<b@example.org>"]), b"\n");
    assert!(sent.is_err());
    eventually("closed", || server.closed() == [Closed::AnswerBytes]);
}
