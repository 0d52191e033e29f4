//! The blacklist: refused at RCPT, refused at the end of the message, discarded, held, filed to Junk; for the recipient
//! whose list it is, and for nobody else.

use crate::milter::Settings;
use crate::relay::{FRIEND, Relay, STRANGER, letter};

fn bob(action: &str) -> Relay {
    Relay::with(Settings::new().set("black.action", action)).user("bob").black("bob", &[STRANGER]).user("anne").start()
}

#[test]
fn a_blocked_sender_is_refused_at_rcpt_and_only_there() {
    let relay = bob("reject");
    let message = letter(STRANGER, "Offres");
    let sent = relay.send(STRANGER, &["bob", "anne"], &message);
    let codes: Vec<_> = sent.rcpts.iter().map(|reply| reply.code).collect();
    assert_eq!(codes, [550, 250], "{sent:?}");
    relay.assert_inbox(&sent, "anne", &message);
    assert!(relay.copies(&sent, "bob").is_empty());
}

#[test]
fn the_sender_reads_the_configured_text() {
    let settings = Settings::new().set("black.reject_text", "Non merci, 100% non");
    let relay = Relay::with(settings).user("bob").black("bob", &[STRANGER]).start();
    let sent = relay.send(STRANGER, &["bob"], &letter(STRANGER, "Offres"));
    let reply = sent.refusal().expect("a refusal");
    assert_eq!(reply.code, 550);
    assert!(reply.text.contains("5.7.1") && reply.text.contains("Non merci, 100% non"), "{reply:?}");
}

#[test]
fn a_whole_domain_can_be_blocked() {
    let relay = Relay::with(Settings::new()).user("bob").black("bob", &["boutique.example"]).start();
    let sent = relay.send(STRANGER, &["bob"], &letter(STRANGER, "Offres"));
    assert_eq!(sent.rcpts[0].code, 550, "{sent:?}");
}

/// Only the headers name the blocked sender, and nobody else is addressed.
#[test]
fn a_blocked_header_sender_is_refused_at_the_end_of_the_message() {
    let relay = bob("reject");
    let sent = relay.send("bounces@listes.example", &["bob"], &letter(STRANGER, "Offres"));
    assert_eq!(sent.rcpts[0].code, 250, "{sent:?}");
    assert_eq!(sent.end.as_ref().map(|reply| reply.code), Some(550), "{sent:?}");
    assert!(relay.mailbox("bob").is_empty());
}

/// By the end of the message it can no longer be refused for one alone.
#[test]
fn a_blocked_header_sender_is_discarded_for_one_of_two() {
    let relay = bob("reject");
    let message = letter(STRANGER, "Offres");
    let sent = relay.send("bounces@listes.example", &["bob", "anne"], &message);
    relay.assert_inbox(&sent, "anne", &message);
    assert!(relay.copies(&sent, "bob").is_empty());
}

#[test]
fn late_action_junk_files_it_instead() {
    let settings = Settings::new().set("black.late_action", "junk");
    let relay = Relay::with(settings).user("bob").black("bob", &[STRANGER]).user("anne").start();
    let message = letter(STRANGER, "Offres");
    let sent = relay.send("bounces@listes.example", &["bob", "anne"], &message);
    relay.assert_inbox(&sent, "anne", &message);
    relay.assert_in("Junk", &sent, "bob", &message);
}

#[test]
fn junk_files_for_the_one_and_delivers_to_the_other() {
    let relay = bob("junk");
    let message = letter(STRANGER, "Offres");
    let sent = relay.send(STRANGER, &["bob", "anne"], &message);
    relay.assert_in("Junk", &sent, "bob", &message);
    relay.assert_inbox(&sent, "anne", &message);
}

#[test]
fn discard_tells_the_sender_nothing() {
    let relay = bob("discard");
    let message = letter(STRANGER, "Offres");
    for recipients in [&["bob"][..], &["bob", "anne"]] {
        let sent = relay.send(STRANGER, recipients, &message);
        assert!(sent.refusal().is_none(), "{sent:?}");
        assert!(relay.copies(&sent, "bob").is_empty());
        if recipients.contains(&"anne") {
            relay.assert_inbox(&sent, "anne", &message);
        }
    }
    assert!(relay.mailbox(STRANGER).is_empty(), "nothing bounces");
}

#[test]
fn hold_puts_the_message_into_the_hold_queue() {
    let relay = bob("hold");
    let message = letter(STRANGER, "Offres");
    let sent = relay.send(STRANGER, &["bob"], &message);
    let postfix = &relay.lane.site.postfix;
    assert!(relay.copies(&sent, "bob").is_empty());
    let queued = postfix.queued(sent.id()).expect("it is in the queue");
    assert!(queued.contains(&format!("{}!", sent.id())), "{queued}");

    postfix.release(sent.id());
    postfix.wait_removed(sent.id());
    relay.assert_inbox(&sent, "bob", &message);
}

#[test]
fn blocked_beats_personal() {
    let relay = Relay::with(Settings::new().set("black.action", "junk"))
        .user("bob")
        .personal("bob", &[FRIEND])
        .black("bob", &[FRIEND])
        .start();
    let message = letter(FRIEND, "Un");
    let sent = relay.send(FRIEND, &["bob"], &message);
    relay.assert_in("Junk", &sent, "bob", &message);
}

#[test]
fn a_peer_of_our_own_is_never_refused() {
    let settings = Settings::new().set("networks.trusted_relays", vec!["127.0.0.0/8"]);
    let relay = Relay::with(settings).user("bob").black("bob", &[STRANGER]).start();
    let sent = relay.send(STRANGER, &["bob"], &letter(STRANGER, "Offres"));
    assert!(sent.refusal().is_none(), "{sent:?}");
}
