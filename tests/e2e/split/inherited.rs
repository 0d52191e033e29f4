//! Settings of main.cf that the services of the second pass must not inherit, each set to what breaks them.

use super::road::{Plan, Road};
use crate::message::{Message, contains};
use crate::milter::Settings;
use crate::relay::{FRIEND, letter};

fn people() -> Plan {
    Plan::new(Settings::new()).user("bob", &[]).user("anne", &[]).entries("bob", "personal", &[FRIEND])
}

/// Sends a message to both and asserts both copies.
fn both_are_right(road: &Road, message: &Message, subject: &str) {
    let sent = road.send(FRIEND, &["bob", "anne"], message);
    assert!(road.was_split(sent.id()));
    road.assert_copy(&sent, "bob", "INBOX", &message.with_subject(format!(" [PERSO] {subject}")));
    road.assert_copy(&sent, "anne", "INBOX", message);
}

#[test]
fn what_a_postmaster_may_have_set_for_all_services_breaks_no_copy() {
    for lines in [
        "smtp_tls_security_level = encrypt\nsmtpd_tls_security_level = may",
        "smtpd_milter_maps = inline:{ { 127.0.0.1 = DISABLE } }",
        "smtpd_sender_restrictions = reject",
        "smtp_generic_maps = inline:{ { FRIEND = generic@example.org } }",
        "smtp_header_checks = regexp:{ {/^Subject:/ REPLACE Subject: changed} }",
        "mynetworks = 192.0.2.0/24",
        "receive_override_options = no_header_body_checks",
        "hopcount_limit = 3",
    ] {
        // The edge states its own where a line would keep it from taking the message.
        let lines = lines.replace("FRIEND", FRIEND);
        let lines = lines.as_str();
        let edge_would_refuse = lines.starts_with("smtpd_") || lines.starts_with("mynetworks");
        let road = if edge_would_refuse { people().edge_open() } else { people() }.main_cf(lines).start();
        both_are_right(&road, &letter(FRIEND, "Tous"), "Tous");
    }
}

/// The edge takes a message just under its limit; with what the passes add it is over it.
#[test]
fn a_message_at_the_size_limit_reaches_everybody() {
    const STEP: usize = 100;
    let road = people().main_cf("message_size_limit = 20000").start();
    let mut text = letter(FRIEND, "Grand").bytes().to_vec();
    let line = [b"x".repeat(STEP - 2), b"\r\n".to_vec()].concat();
    while text.len() < 20_000 {
        text.extend_from_slice(&line);
    }
    let (sent, message) = loop {
        let message = Message::new(&text);
        let sent = road.send(FRIEND, &["bob", "anne"], &message);
        if sent.end.as_ref().is_some_and(|end| end.is_ok()) {
            break (sent, message);
        }
        text.truncate(text.len() - STEP);
    };
    road.assert_copy(&sent, "bob", "INBOX", &message.with_subject(" [PERSO] Grand"));
    road.assert_copy(&sent, "anne", "INBOX", &message);
}

/// Postfix refuses a message with 50 Received headers; one with fewer has one more in the second pass.
#[test]
fn a_message_at_the_hop_limit_reaches_everybody() {
    let road = people().start();
    let text: Vec<u8> = (0..47)
        .flat_map(|n| {
            format!("Received: from h{n}.outside.example by h{n}.outside.example; Mon, 2 Nov 2026 09:00:00 +0100\r\n")
                .into_bytes()
        })
        .chain(letter(FRIEND, "Loin").bytes().iter().copied())
        .collect();
    both_are_right(&road, &Message::new(text), "Loin");
}

/// Without the table that removes it, the Received of the second pass would tell Anne that a copy was split: the test of
/// the tests beside it.
#[test]
fn a_forgotten_line_shows() {
    let road = people().without("-o header_checks=").start();
    let message = letter(FRIEND, "Oubli");
    let sent = road.send(FRIEND, &["bob", "anne"], &message);
    assert!(road.was_split(sent.id()));
    let mails = road.mails(sent.id(), "anne");
    assert!(contains(mails[0].message.bytes(), b"perso-milter.invalid"), "{mails:#?}");
}

/// `check` holds the running Postfix against every line, and says of one that is missing what it costs.
#[test]
fn check_finds_a_forgotten_line_and_nothing_else() {
    assert_eq!(people().start().errors(), Vec::<String>::new());
    for (line, expected) in [
        ("-o header_checks=", "cleanup-split/unix/header_checks: it is empty, inherited from main.cf"),
        ("-o message_size_limit=", "message_size_limit: it is \"10240000\", inherited from main.cf"),
        (
            "perso-split_destination_recipient_limit",
            "perso-split_destination_recipient_limit: a copy would have several",
        ),
        ("milter_header_checks", "milter_header_checks: the marker leads nowhere"),
    ] {
        let found = people().without(line).start().errors();
        assert!(!found.is_empty() && found.iter().all(|error| error.contains(expected)), "{line}: {found:#?}");
    }
}
