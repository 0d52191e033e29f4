//! Memory of the daemon's own sessions: what an idle connection takes, that bad peers leave nothing behind, and that no
//! message takes more than its limits.

use perso_milter::milter::settings::Role;

use super::alone::{SHOWN, alone};
use super::harness::*;
use super::people::*;

/// What the project allows an idle connection: 6 KiB.
const IDLE_BYTES: usize = 6 * 1024;
const IDLE_CONNECTIONS: usize = 2000;
const BAD_CONNECTIONS: usize = 100_000;
/// Frames of up to 60,000 bytes in one message.
const LETTERS: usize = 1500;
/// What one message may take: 1 MiB of headers, 1000 recipients of 4 KiB each, and as much again that growing leaves behind.
const MESSAGE_BYTES: usize = 10 << 20;
/// What a process may grow by while nothing that lasts is added: pages that the allocator has not given back.
const SLACK: usize = 1 << 20;

#[test]
fn an_idle_connection_takes_little() {
    alone("memory::an_idle_connection_takes_little", || {
        let server = daemon(Kind::Unix, Role::Edge, limits());
        // A connection that has served a message and waits for the next.
        let serve = |connections: usize| {
            let bytes = [
                offer(),
                frame(b'D', b"C{daemon_name}\0smtpd\0"),
                frame(b'C', b"mx.example.net\x004\0\x19192.0.2.1\0"),
                frame(b'D', b"Mi\x004ABCDEF\0"),
                frame(b'M', &[MUM.as_bytes(), b"\0"].concat()),
                frame(b'R', &[ALICE.as_bytes(), b"\0"].concat()),
                frame(b'L', b"From\0 maman@famille.example\0"),
                frame(b'L', b"Subject\0 Dimanche\0"),
                frame(b'E', b""),
                frame(b'A', b""),
            ]
            .concat();
            let one = || {
                let mut peer = server.raw();
                peer.write(&bytes);
                // The answer to the offer, to RCPT, the edit, the end.
                assert_eq!([b'O', b'c', b'm', b'c'].map(|_| peer.read_frame().0), *b"Ocmc");
                peer
            };
            (0..connections).map(|_| one()).collect::<Vec<_>>()
        };
        drop(serve(10));
        let mut held = Vec::with_capacity(IDLE_CONNECTIONS);
        let before = resident();
        held.extend(serve(IDLE_CONNECTIONS));
        let each = resident().saturating_sub(before) / IDLE_CONNECTIONS;
        println!("{SHOWN} {each} bytes an idle connection, over {IDLE_CONNECTIONS}");
        assert!(each <= IDLE_BYTES, "{each} bytes an idle connection");
    });
}

#[test]
fn a_hundred_thousand_bad_connections_leave_nothing_behind() {
    alone("memory::a_hundred_thousand_bad_connections_leave_nothing_behind", || {
        let server = daemon(Kind::Unix, Role::Edge, limits());
        let mail = [offer(), frame(b'M', &[MUM.as_bytes(), b"\0"].concat())].concat();
        let recipient = frame(b'R', &[ALICE.as_bytes(), b"\0"].concat());
        // What is closed by us, and what the peer cuts off: in a frame, in a message, in its headers.
        let closed = [
            vec![0; 4],
            [&offer()[..], &[0, 1, 0, 1, b'B']].concat(),
            [&offer()[..], &frame(b'Z', b"")].concat(),
            [&mail[..], &recipient, &frame(b'L', b"Subject\0x")].concat(),
            [&mail[..], &mail].concat(),
        ];
        let cut = [
            [&offer()[..], &[0, 0, 0xff, 0xff, b'L'], &[b'x'; 2000]].concat(),
            [&mail[..], &recipient].concat(),
            [&mail[..], &recipient, &frame(b'L', &[b"Subject\0 ", &[b'x'; 1000][..], b"\0"].concat())].concat(),
        ];
        let bad = |connections: usize| {
            std::thread::scope(|scope| {
                for part in 0..4 {
                    let (server, closed, cut) = (&server, &closed, &cut);
                    scope.spawn(move || {
                        for number in 0..connections / 4 {
                            let mut peer = server.raw();
                            match (number + part) % (closed.len() + cut.len()) {
                                at if at < closed.len() => {
                                    peer.write(&closed[at]);
                                    peer.read_to_end();
                                }
                                at => peer.write(&cut[at - closed.len()]),
                            }
                        }
                    });
                }
            });
        };
        let mut other = server.client();
        bad(BAD_CONNECTIONS / 10);
        serves(&mut other);
        let before = resident();
        bad(BAD_CONNECTIONS);
        serves(&mut other);
        let after = resident();
        println!("{SHOWN} {before} bytes before {BAD_CONNECTIONS} bad connections, {after} after");
        assert!(after < before + SLACK, "{before} bytes grew to {after}");
    });
}

#[test]
fn no_message_takes_more_than_its_limits() {
    alone("memory::no_message_takes_more_than_its_limits", || {
        let server = daemon(Kind::Unix, Role::Edge, limits());
        let large = [b'x'; 60_000];
        let header = |name: &[u8]| frame(b'L', &[name, b"\0 ", &large, b"\0"].concat());
        let middling = frame(b'R', &[ALICE.as_bytes(), b"\0ORCPT=rfc822;", &large[..4000], b"\0"].concat());
        let long = frame(b'R', &[ALICE.as_bytes(), b"\0ORCPT=rfc822;", &large, b"\0"].concat());
        let stranger = frame(b'R', &[b"<", &large[..], b"@elsewhere.example>\0"].concat());
        let mail = [offer(), frame(b'M', &[MUM.as_bytes(), b"\0"].concat())].concat();
        let recipient = frame(b'R', &[ALICE.as_bytes(), b"\0"].concat());
        let known = [&mail[..], &recipient].concat();
        for (what, start, repeated) in [
            ("headers", &known, header(b"X-Other")),
            ("Subjects", &known, header(b"Subject")),
            ("forged headers", &known, header(b"X-Perso")),
            ("proofs", &known, header(b"Authentication-Results")),
            ("recipients with arguments", &mail, middling),
            ("recipients with long arguments", &mail, long),
            ("recipients with long names", &mail, stranger),
        ] {
            let mut peer = server.raw();
            peer.write(start);
            let before = resident();
            assert_eq!(peer.read_frame().0, b'O');
            let is_answered = repeated[4] == b'R';
            if !is_answered {
                assert_eq!(peer.read_frame().0, b'c', "the recipient");
            }
            for _ in 0..LETTERS {
                peer.write(&repeated);
                if is_answered {
                    peer.read_frame();
                }
            }
            // HELO is answered, so that all before it was taken.
            peer.write(&frame(b'H', b"there\0"));
            peer.read_frame();
            let grown = resident().saturating_sub(before);
            println!("{SHOWN} {} MiB of {what}: {grown} bytes kept", (LETTERS * repeated.len()) >> 20);
            assert!(grown < MESSAGE_BYTES, "{what}: {grown} bytes");
        }
    });
}

/// Bytes of this process in memory (`/proc/self/status`, `VmRSS`, in KiB).
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
