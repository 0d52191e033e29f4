//! A sender is believed only as far as our own verifier vouches for it.

use crate::message::Message;
use crate::milter::Settings;
use crate::relay::{FRIEND, Relay, STRANGER, letter};

fn bob(mode: &str) -> Relay {
    let settings =
        Settings::new().set("authentication.authserv_ids", vec!["mx.example.org"]).set("authentication.mode", mode);
    Relay::with(settings).user("bob").personal("bob", &[FRIEND]).start()
}

/// The letter with an Authentication-Results header on top, as a verifier before us in smtpd_milters adds it.
fn verified(results: &str) -> Message {
    let header = format!("Authentication-Results: {results}\r\n");
    Message::new([header.as_bytes(), letter(FRIEND, "Un").bytes()].concat())
}

#[track_caller]
fn assert_tagged(relay: &Relay, from: &str, message: &Message, tagged: bool) {
    let sent = relay.send(from, &["bob"], message);
    let expected = if tagged { message.with_subject(" [PERSO] Un") } else { message.clone() };
    relay.assert_inbox(&sent, "bob", &expected);
}

#[test]
fn required_wants_proof_for_the_senders_domain() {
    let relay = bob("required");
    let cases = [
        ("mx.example.org; spf=pass smtp.mailfrom=famille.example", true),
        ("mx.example.org; dmarc=pass header.from=famille.example", true),
        ("mx.example.org; dkim=pass header.d=famille.example header.from=famille.example", true),
        ("mx.example.org; spf=fail smtp.mailfrom=famille.example; dmarc=fail header.from=famille.example", false),
        ("mx.example.org; spf=pass smtp.mailfrom=other.example", false),
        ("mx.example.org; none", false),
        ("mx.attacker.example; dmarc=pass header.from=famille.example", false),
    ];
    for (results, tagged) in cases {
        assert_tagged(&relay, FRIEND, &verified(results), tagged);
    }
    assert_tagged(&relay, FRIEND, &letter(FRIEND, "Un"), false);
}

#[test]
fn a_result_below_a_received_line_of_another_hop_is_forged() {
    let relay = bob("required");
    let hop = "Received: from x.outside.example by y.outside.example; Mon, 2 Nov 2026 09:00:00 +0100\r\n";
    let inner = verified("mx.example.org; dmarc=pass header.from=famille.example");
    let message = Message::new([hop.as_bytes(), hop.as_bytes(), inner.bytes()].concat());
    assert_tagged(&relay, FRIEND, &message, false);
}

#[test]
fn a_forged_from_does_not_pass_for_a_friend() {
    let relay = bob("required");
    let message = verified("mx.example.org; spf=pass smtp.mailfrom=boutique.example");
    assert_tagged(&relay, STRANGER, &message, false);
}

#[test]
fn when_available_takes_a_missing_result_for_good_and_a_bad_one_for_bad() {
    let relay = bob("when-available");
    assert_tagged(&relay, FRIEND, &letter(FRIEND, "Un"), true);
    let failed = "mx.example.org; spf=fail smtp.mailfrom=famille.example; dmarc=fail header.from=famille.example";
    assert_tagged(&relay, FRIEND, &verified(failed), false);
}
