//! The action `mark`: one signed `X-Perso` header.

use crate::message::Message;
use crate::milter::Settings;
use crate::relay::{FRIEND, Relay, STRANGER, letter};

fn bob(settings: Settings) -> Relay {
    Relay::with(settings).user("bob").personal("bob", &[FRIEND]).start()
}

fn assert_marked_once(delivered: &Message) {
    let marks = delivered.values("X-Perso");
    assert_eq!(marks.len(), 1, "{delivered:?}");
    assert!(!marks[0].trim_ascii().is_empty());
}

#[test]
fn a_personal_message_bears_one_mark_and_is_otherwise_unchanged() {
    let relay = bob(Settings::new().set("personal.actions", vec!["mark"]));
    let message = letter(FRIEND, "Marque");
    let sent = relay.send(FRIEND, &["bob"], &message);
    let (folder, delivered) = relay.copy(&sent, "bob");
    assert_eq!(folder, "INBOX");
    assert_marked_once(&delivered);
    assert_eq!(delivered.without("X-Perso"), message);
}

#[test]
fn a_strangers_message_bears_none() {
    let relay = bob(Settings::new().set("personal.actions", vec!["mark"]));
    let message = letter(STRANGER, "Offres");
    let sent = relay.send(STRANGER, &["bob"], &message);
    relay.assert_inbox(&sent, "bob", &message);
}

#[test]
fn a_forged_mark_is_replaced_by_our_own() {
    let relay = bob(Settings::new().set("personal.actions", vec!["mark"]));
    let honest = letter(FRIEND, "Marque");
    let forged = letter(FRIEND, "Marque\nX-Perso: forged\nx-perso: forged again");
    let sent = relay.send(FRIEND, &["bob"], &forged);
    let (_, delivered) = relay.copy(&sent, "bob");
    assert_marked_once(&delivered);
    assert!(!delivered.values("X-Perso")[0].trim_ascii().starts_with(b"forged"));
    assert_eq!(delivered.without("X-Perso"), honest);
}

#[test]
fn sensitivity_stands_beside_the_mark_when_asked_for() {
    let settings = Settings::new().set("personal.actions", vec!["mark"]).set("personal.sensitivity", true);
    let relay = bob(settings);
    let message = letter(FRIEND, "Marque");
    let sent = relay.send(FRIEND, &["bob"], &message);
    let (_, delivered) = relay.copy(&sent, "bob");
    assert_marked_once(&delivered);
    assert_eq!(delivered.values("Sensitivity"), [b" Personal"]);
}

#[test]
fn tag_folder_and_mark_go_together() {
    let relay = bob(Settings::new().set("personal.actions", vec!["tag", "folder", "mark"]));
    let message = letter(FRIEND, "Tout");
    let sent = relay.send(FRIEND, &["bob"], &message);
    let (folder, delivered) = relay.copy(&sent, "bob");
    assert_eq!(folder, "Perso");
    assert_marked_once(&delivered);
    assert_eq!(delivered.without("X-Perso"), message.with_subject(" [PERSO] Tout"));
}

/// The mark is over the user: two recipients need two, so neither gets one while the message is not split.
#[test]
fn two_recipients_do_not_share_a_mark() {
    let relay = bob(Settings::new().set("personal.actions", vec!["mark"])).user("anne").personal("anne", &[FRIEND]);
    let message = letter(FRIEND, "Marques");
    let sent = relay.send(FRIEND, &["bob", "anne"], &message);
    for name in ["bob", "anne"] {
        relay.assert_inbox(&sent, name, &message);
    }
}
