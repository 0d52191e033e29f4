//! The daemon's own sessions over real sockets: bad input gets a defined answer or a closed connection and one line in the
//! log, while others are served.

use std::time::Duration;

use perso_milter::milter::client::Verdict;
use perso_milter::milter::negotiate::Offer;
use perso_milter::milter::server::Limits;
use perso_milter::milter::settings::Role;
use perso_milter::milter::wire::{Actions, Protocol, Stage};
use tracing::Level;

use super::alone::{Line, Lines, alone};
use super::harness::*;
use super::people::*;

/// The answer to the offer of Postfix, in bytes.
fn answer_length() -> usize {
    // Three numbers; then for each stage its number and the names of its macros. See `Terms::new`.
    let macros: usize = [
        (Stage::Connect, "{daemon_name}"),
        (Stage::Helo, ""),
        (Stage::Mail, "i {auth_authen}"),
        (Stage::Recipient, ""),
        (Stage::Data, ""),
        (Stage::EndOfMessage, "i"),
        (Stage::EndOfHeaders, ""),
    ]
    .iter()
    .map(|(_, names)| 4 + names.len() + 1)
    .sum();
    4 + 1 + 12 + macros
}

fn mail() -> Vec<u8> {
    frame(b'M', &[MUM.as_bytes(), b"\0"].concat())
}

fn recipient(path: &str) -> Vec<u8> {
    frame(b'R', &[path.as_bytes(), b"\0"].concat())
}

/// What nobody can read on from, and what the log says of it.
fn bad_streams() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let after = |frames: &[Vec<u8>]| [offer(), frames.concat()].concat();
    vec![
        ("zero length", vec![0; 4], "length 0"),
        ("zero length later", after(&[vec![0; 4]]), "length 0"),
        ("zero length in a message", after(&[mail(), vec![0; 4]]), "length 0"),
        ("oversize", after(&[vec![0, 1, 0, 1, b'B']]), "over the limit of 65536"),
        ("largest length", vec![0xff; 64], "over the limit of 65536"),
        ("another protocol", b"EHLO example.org\r\n".to_vec(), "over the limit of 65536"),
        ("unknown command", after(&[frame(b'Z', b"")]), "unknown command byte 0x5a"),
        ("a reply as a command", after(&[frame(b'c', b"")]), "unknown command byte 0x63"),
        ("unknown byte", after(&[frame(0, b"x")]), "unknown command byte 0x00"),
        ("cut offer", frame(b'O', b"\0\0\0\x06"), "ends before the actions"),
        ("old version", frame(b'O', &[0, 0, 0, 1, 0, 0, 1, 0xff, 0, 0, 0, 0]), "at least 2 is needed"),
        ("no actions", frame(b'O', &[0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0]), "does not offer"),
        ("no negotiation", mail(), "`M` may not come now"),
        ("two negotiations", after(&[offer()]), "`O` may not come now"),
        ("RCPT before MAIL", after(&[recipient(ALICE)]), "`R` may not come now"),
        ("header before MAIL", after(&[frame(b'L', b"Subject\0x\0")]), "`L` may not come now"),
        ("end before MAIL", after(&[frame(b'E', b"")]), "`E` may not come now"),
        ("body before MAIL", after(&[frame(b'B', b"x")]), "`B` may not come now"),
        ("MAIL after headers", after(&[mail(), frame(b'N', b""), mail()]), "`M` may not come now"),
        ("CONNECT in a message", after(&[mail(), frame(b'C', b"mx\0U")]), "`C` may not come now"),
        ("RCPT after headers", after(&[mail(), frame(b'N', b""), recipient(ALICE)]), "`R` may not come now"),
        ("no NUL", after(&[frame(b'M', b"<>")]), "without its NUL"),
        ("empty MAIL", after(&[frame(b'M', b"")]), "without its NUL"),
        ("empty header", after(&[mail(), frame(b'L', b"")]), "without its NUL"),
        ("half a header", after(&[mail(), frame(b'L', b"Subject\0x")]), "without its NUL"),
        ("no NUL in arguments", after(&[mail(), frame(b'R', b"<a@b>\0NOTIFY")]), "without its NUL"),
        ("cut connect", after(&[frame(b'C', b"mx\x004\0")]), "ends before the port"),
        ("no family", after(&[frame(b'C', b"mx\0")]), "ends before the address family"),
        ("macros without event", after(&[frame(b'D', b"")]), "ends before the event"),
        ("macros without NUL", after(&[frame(b'D', b"Mi\x004ABC")]), "without its NUL"),
    ]
}

/// The lines of one connection. They are written before or while it closes, so they are waited for.
fn lines_of(lines: &Lines, number: usize) -> Vec<Line> {
    eventually("a line", || lines.len() >= number);
    lines.take()
}

#[test]
fn bad_input_is_one_line_each_and_nobody_else_notices() {
    alone("sessions::bad_input_is_one_line_each_and_nobody_else_notices", || {
        let lines = Lines::capture();
        for kind in [Kind::Unix, Kind::Inet] {
            let server = daemon(kind, Role::Edge, limits());
            let mut other = server.client();
            let mut number = 1;
            for (what, bytes, why) in bad_streams() {
                let mut peer = server.raw();
                peer.write(&bytes);
                let answer = peer.read_to_end();
                let greeted = bytes.starts_with(&offer());
                // On TCP a reset may overtake the answer to the offer.
                let expected = answer.is_empty() || (greeted && answer.len() >= answer_length());
                assert!(expected, "{what}: {answer:?}");
                number += 1;
                let found = lines_of(&lines, 1);
                assert_eq!(found.len(), 1, "{what}: {found:?}");
                assert_eq!((found[0].level, found[0].connection), (Level::WARN, Some(number)), "{what}");
                assert!(found[0].text.contains(why), "{what}: {}", found[0].text);
                serves(&mut other);
                assert_eq!(lines_of(&lines, 1)[0].connection, Some(1), "the line of the message beside {what}");
            }
            other.quit().unwrap();
            server.stop();
            assert_eq!(lines.take().len(), 0, "nothing is logged later");
        }
    });
}

#[test]
fn a_connection_cut_anywhere_is_one_line_and_nobody_else_notices() {
    alone("sessions::a_connection_cut_anywhere_is_one_line_and_nobody_else_notices", || {
        let lines = Lines::capture();
        let server = daemon(Kind::Unix, Role::Edge, limits());
        let mut other = server.client();
        let macros = frame(b'D', b"Mi\x004A\0");
        let message = [mail(), recipient(ALICE), frame(b'L', b"Subject\0 x\0"), frame(b'E', b"")].concat();
        let bytes = [offer(), macros.clone(), message].concat();
        // Between two messages an MTA may go as it likes.
        let rests = [0, offer().len(), offer().len() + macros.len()];
        for end in 0..=bytes.len() {
            let mut peer = server.raw();
            peer.write(&bytes[..end]);
            peer.cut();
            // The line is written before the connection closes.
            let found = lines.take();
            if rests.contains(&end) {
                assert_eq!(found.len(), 0, "cut at {end}: {found:?}");
            } else {
                let is_whole = end == bytes.len();
                let text = if is_whole { "message=message" } else { "connection cut within a message or a frame" };
                assert_eq!(found.len(), 1, "cut at {end}: {found:?}");
                assert_eq!(found[0].connection, Some(end as u64 + 2), "cut at {end}");
                assert!(found[0].text.contains(text), "cut at {end}: {}", found[0].text);
            }
            serves(&mut other);
            let found = lines_of(&lines, 1);
            assert_eq!(found.iter().map(|line| line.connection).collect::<Vec<_>>(), [Some(1)], "beside {end}");
        }
        server.stop();
    });
}

#[test]
fn whatever_ends_a_connection_is_one_line() {
    alone("sessions::whatever_ends_a_connection_is_one_line", || {
        let lines = Lines::capture();
        let short = Duration::from_millis(1);
        let half_a_frame = [&offer()[..], &[0, 0]].concat();
        let message = [offer(), mail()].concat();
        let panics = [offer(), mail(), recipient(FAULT)].concat();
        let slow = Limits { handshake_time: short, ..limits() };
        for (limits, bytes, why) in [
            (slow.clone(), vec![], "handshake_time"),
            (slow, half_a_frame, "handshake_time"),
            (Limits { message_time: short, ..limits() }, message.clone(), "message_time"),
            (Limits { idle_time: short, ..limits() }, offer(), "idle_time"),
            (Limits { answer_bytes: 8, ..limits() }, offer(), "answer_bytes"),
            (limits(), panics, "a fault of this program"),
        ] {
            let server = daemon(Kind::Unix, Role::Edge, limits);
            let mut peer = server.raw();
            peer.write(&bytes);
            peer.read_to_end();
            let found = lines_of(&lines, 1);
            server.stop();
            let all = [found, lines.take()].concat();
            assert_eq!(all.len(), 1, "{why}: {all:?}");
            assert!(all[0].text.contains(why), "{why}: {}", all[0].text);
        }
        // Cut by a shutdown that would not wait.
        let server = daemon(Kind::Unix, Role::Edge, Limits { drain_time: short, ..limits() });
        let mut busy = server.client();
        busy.mail(MUM.as_bytes(), &[]).unwrap();
        busy.recipient(ALICE.as_bytes(), &[]).unwrap();
        assert_eq!(server.stop().cut, 1);
        let found = lines.take();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].text.contains("drain_time"), "{}", found[0].text);
    });
}

#[test]
fn a_panic_in_the_directory_ends_its_connection_and_no_other() {
    let server = daemon(Kind::Unix, Role::Edge, limits());
    let mut other = server.client();
    for _ in 0..5 {
        assert!(server.client().send_message(&envelope(MUM, &[FAULT]), MAIL).is_err());
        serves(&mut other);
    }
}

#[test]
fn each_kind_of_socket_carries_what_the_lists_say() {
    for kind in KINDS {
        let server = daemon(kind, Role::Edge, limits());
        let mut client = server.client();
        for _ in 0..3 {
            serves(&mut client);
            let outcome = from_mum(&mut client, &[BOB]);
            assert!(
                matches!(&outcome.verdict, Verdict::Reject(text) if text.starts_with(b"550 5.7.1 Message refused"))
            );
            let outcome = from_mum(&mut client, &[BOB, ALICE]);
            assert!(matches!(outcome.recipients[..], [Verdict::Reject(_), Verdict::Accept]));
            let letter = envelope(MUM, &[BOB, ALICE]);
            assert_eq!(subject(&outcome, &client, &letter).as_deref(), Some("[PERSO] Dimanche"));
        }
        client.quit().unwrap();
    }
}

#[test]
fn an_mta_of_any_version_is_served() {
    for kind in [Kind::Unix, Kind::Inet] {
        let server = daemon(kind, Role::Edge, limits());
        for version in 2..=7 {
            for protocol in [Protocol::NONE, Protocol::VERSION_2, Protocol::ALL] {
                let mut client = server.client_offering(Offer { version, actions: Actions::VERSION_2, protocol });
                assert_eq!(client.agreement().version(), version.min(6));
                serves(&mut client);
                serves(&mut client);
                let refused = from_mum(&mut client, &[BOB]);
                assert!(matches!(refused.verdict, Verdict::Reject(_)), "version {version}");
                client.quit().unwrap();
            }
        }
    }
}

/// XCLIENT, local mail, an unknown family, an address that is none: each is somebody from outside, and is served.
#[test]
fn where_the_mtas_client_comes_from_need_not_parse() {
    let server = daemon(Kind::Unix, Role::Edge, limits());
    for connect in [
        &b"unknown\x004\0\0unknown\0"[..],
        b"[unknown]\x006\0\x19unknown\0",
        b"mx\x006\0\x192001:db8::5\0",
        b"mx\x006\0\x19IPv6:2001:db8::5\0",
        b"localhost\0L\0\0/run/socket\0",
        b"mx\0U",
        b"mx\0?whatever",
        b"\x004\xff\xff\0",
        b"\xff\xfe\x004\0\x19\xff\xfe\0",
        b"mx\x004\0\x19192.0.2.1\0surplus",
    ] {
        let mut bytes = offer();
        bytes.extend(frame(b'D', b"C{daemon_name}\0smtpd\0"));
        bytes.extend(frame(b'C', connect));
        bytes.extend(mail());
        bytes.extend(recipient(ALICE));
        bytes.extend(frame(b'L', b"Subject\0 x\0"));
        bytes.extend(frame(b'E', b""));
        bytes.extend(frame(b'Q', b""));
        let mut peer = server.raw();
        peer.write(&bytes);
        let replies: String = frames(&peer.read_to_end()).iter().map(|(byte, _)| char::from(*byte)).collect();
        assert_eq!(replies, "Ocmc", "{}", connect.escape_ascii());
    }
}

#[test]
fn macros_with_odd_counts_are_taken() {
    let server = daemon(Kind::Unix, Role::Edge, limits());
    for macros in [
        &b"M"[..],
        b"Mi\0",
        b"M\0",
        b"M\0\0\0",
        b"Mi\x004ABC\0{auth_authen}\0",
        b"Mi\0\0{auth_authen}\0\0j",
        b"\xff{\0}\0",
        b"M{}\0x\0",
        b"Mi\x004ABC\0i\x004DEF\0i\0",
    ] {
        let mut bytes = offer();
        // One that lacks its last NUL was not written by an MTA.
        let whole = macros.len() == 1 || macros.ends_with(b"\0");
        bytes.extend(frame(b'D', macros));
        bytes.extend(mail());
        bytes.extend(frame(b'D', b"R"));
        bytes.extend(recipient(ALICE));
        bytes.extend(frame(b'L', b"Subject\0 x\0"));
        bytes.extend(frame(b'D', b"Ei\0"));
        bytes.extend(frame(b'E', b""));
        bytes.extend(frame(b'Q', b""));
        let mut peer = server.raw();
        peer.write(&bytes);
        let replies: String = frames(&peer.read_to_end()).iter().map(|(byte, _)| char::from(*byte)).collect();
        assert_eq!(replies, if whole { "Ocmc" } else { "O" }, "{}", macros.escape_ascii());
    }
}

#[test]
fn messages_are_served_beside_two_thousand_idle_connections() {
    alone("sessions::messages_are_served_beside_two_thousand_idle_connections", || {
        let server = daemon(Kind::Unix, Role::Edge, limits());
        let mut idle: Vec<_> = (0..2000).map(|_| server.client()).collect();
        let mut busy: Vec<_> = (0..10).map(|_| server.client()).collect();
        for _ in 0..10 {
            busy.iter_mut().for_each(serves);
        }
        // And each of them is served when its time comes.
        idle.iter_mut().for_each(serves);
        idle.into_iter().chain(busy).for_each(|client| client.quit().unwrap());
        server.stop();
    });
}
