//! Other milters beside ours at the edge, which see the whole message: one that replaces a recipient, one that holds the
//! message, one that refuses a recipient, one that verifies senders.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::ops::ControlFlow;
use std::thread;

use perso_milter::milter::frame::FrameDecoder;
use perso_milter::milter::reply::{HeaderName, HeaderValue, Reply, ReplyCode, Text};
use perso_milter::milter::wire::{Actions, Protocol, command};

use super::road::Plan;
use crate::message::Message;
use crate::milter::Settings;
use crate::relay::{FRIEND, STRANGER, letter};

/// What another milter does with every message that has a recipient of this name.
#[derive(Clone, Copy)]
enum Does {
    /// Its copy goes to another user instead.
    Replaces(&'static str, &'static str),
    /// The message goes to the hold queue.
    Quarantines,
    /// The recipient is refused.
    Refuses(&'static str),
    /// Writes what it found out about the sender, at this place: 0 above Postfix's own Received, 1 below it.
    Verifies(u32, &'static str),
}

/// A milter as plain as can be: a thread a connection, one answer an event. Returns its port.
fn milter(domain: &str, does: Does) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let domain = domain.to_owned();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let (Ok(mut connection), domain) = (connection, domain.clone()) else { continue };
            thread::spawn(move || {
                let (mut decoder, mut buffer) = (FrameDecoder::new(1 << 20), [0; 65_536]);
                while let Ok(length @ 1..) = connection.read(&mut buffer) {
                    let mut output = Vec::new();
                    let flow = decoder.feed(&buffer[..length], |frame| {
                        answer(&domain, does, frame.command, frame.payload, &mut output);
                        if frame.command == command::QUIT { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                    });
                    if connection.write_all(&output).is_err() || !matches!(flow, Ok(ControlFlow::Continue(()))) {
                        return;
                    }
                }
            });
        }
    });
    port
}

fn answer(domain: &str, does: Does, byte: u8, payload: &[u8], output: &mut Vec<u8>) {
    let path = |name: &str| format!("<{name}@{domain}>").into_bytes();
    match (byte, does) {
        (command::OPTNEG, _) => {
            output.extend_from_slice(&13u32.to_be_bytes());
            output.push(command::OPTNEG);
            let actions = Actions::ADDHDRS | Actions::ADDRCPT | Actions::DELRCPT | Actions::QUARANTINE;
            for word in [6, actions.bits(), Protocol::NOBODY.bits()] {
                output.extend_from_slice(&word.to_be_bytes());
            }
            return;
        }
        (command::MACRO | command::ABORT | command::QUIT, _) => return,
        (command::RCPT, Does::Refuses(name)) if payload.starts_with(&path(name)) => {
            return Reply::Code(ReplyCode::new(550, "5.1.1", &["Not here"]).expect("a reply")).encode(output);
        }
        (command::BODYEOB, Does::Replaces(old, new)) => {
            Reply::AddRecipient(Text::new(path(new)).expect("a path")).encode(output);
            Reply::DeleteRecipient(Text::new(path(old)).expect("a path")).encode(output);
        }
        (command::BODYEOB, Does::Quarantines) => {
            Reply::Quarantine(Text::new(&b"looked at by hand"[..]).expect("a text")).encode(output);
        }
        (command::BODYEOB, Does::Verifies(index, results)) => {
            let name = HeaderName::new(&b"Authentication-Results"[..]).expect("a name");
            Reply::InsertHeader { index, name, value: HeaderValue::cleaned(results.as_bytes()) }.encode(output);
        }
        _ => {}
    }
    Reply::Continue.encode(output);
}

fn people() -> Plan {
    Plan::new(Settings::new()).user("bob", &[]).user("anne", &[]).entries("bob", "personal", &[FRIEND]).entries(
        "anne",
        "personal",
        &[STRANGER],
    )
}

/// The edge knows only whom the sender named; the second pass knows who it is. Where nothing that the edge knows asks for
/// an edit, the copy stays as it is.
#[test]
fn a_recipient_that_an_earlier_milter_puts_in_is_decided_by_their_own_list() {
    let plan = people();
    let port = milter(&plan.domain, Does::Replaces("bob", "anne"));
    let road = plan.milter_before(port).start();
    for (from, split) in [(FRIEND, true), (STRANGER, false)] {
        let message = letter(from, "Remplace");
        let sent = road.send(from, &["bob"], &message);
        assert_eq!(road.was_split(sent.id()), split);
        road.assert_copy(&sent, "anne", "INBOX", &message);
        assert!(road.mails(sent.id(), "bob").is_empty());
    }
}

/// A milter that stands before ours and holds the message keeps Postfix from asking us: once let go it is delivered as it
/// is, and no marker is in it.
#[test]
fn a_message_that_an_earlier_milter_holds_is_delivered_as_it_is() {
    let plan = people();
    let port = milter(&plan.domain, Does::Quarantines);
    let road = plan.milter_before(port).start();
    let message = letter(FRIEND, "Quarantaine");
    let sent = road.send(FRIEND, &["bob", "anne"], &message);
    road.postfix.settle(sent.id());
    assert!(road.postfix.queued(sent.id()).is_some());
    road.postfix.release(sent.id());
    road.postfix.wait_removed(sent.id());
    road.assert_copy(&sent, "bob", "INBOX", &message);
    road.assert_copy(&sent, "anne", "INBOX", &message);
}

#[test]
fn a_recipient_that_a_later_milter_refuses_gets_nothing() {
    let plan = people();
    let port = milter(&plan.domain, Does::Refuses("bob"));
    let road = plan.milter_after(port).start();
    let message = letter(FRIEND, "Refuse");
    let sent = road.send(FRIEND, &["bob", "anne"], &message);
    assert_eq!((sent.rcpts[0].code, sent.rcpts[1].code), (550, 250), "{sent:?}");
    road.assert_copy(&sent, "anne", "INBOX", &message);
    assert!(road.mails(sent.id(), "bob").is_empty());
}

/// The proof that a postmaster can repeat: what somebody outside writes under our verifier's name is not believed, since
/// our verifier's own result stands above it. In both passes, wherever the verifier puts its header.
#[test]
fn a_forged_result_is_not_believed_below_the_verifiers_own() {
    const FORGED: &str =
        "mx.example.org; dmarc=pass header.from=famille.example; spf=pass smtp.mailfrom=famille.example";
    const FAILED: &str =
        "mx.example.org; spf=fail smtp.mailfrom=famille.example; dmarc=fail header.from=famille.example";
    for (place, results, tagged) in [(0, FAILED, false), (1, FAILED, false), (0, FORGED, true), (1, FORGED, true)] {
        for mode in ["edits", "off"] {
            let settings = Settings::new()
                .set("authentication.mode", "required")
                .set("authentication.authserv_ids", vec!["mx.example.org"])
                .set("split.mode", mode);
            let plan = Plan::new(settings).user("bob", &[]).entries("bob", "personal", &[FRIEND]);
            let port = milter(&plan.domain, Does::Verifies(place, results));
            let road = plan.milter_before(port).start();
            let letter = letter(FRIEND, "Preuve");
            let message =
                Message::new([format!("Authentication-Results: {FORGED}\r\n").as_bytes(), letter.bytes()].concat());
            let sent = road.send(FRIEND, &["bob"], &message);
            let (_, copy) = road.copy(&sent, "bob");
            let expected: &[u8] = if tagged { b" [PERSO] Preuve" } else { b" Preuve" };
            assert_eq!(copy.subject(), Some(expected), "at {place}, {mode}: {results}");
            assert_eq!(copy.values("Authentication-Results").len(), 2);
        }
    }
}
