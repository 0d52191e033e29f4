//! The action `folder`: a personal message arrives in the folder, not in the inbox.

use crate::mailbox;
use crate::milter::Settings;
use crate::relay::{FRIEND, Relay, STRANGER, letter};

fn bob(actions: &[&str]) -> Relay {
    Relay::with(Settings::new().set("personal.actions", actions.to_vec()))
        .user("bob")
        .personal("bob", &[FRIEND])
        .start()
}

#[test]
fn a_personal_message_arrives_in_the_folder_alone() {
    let relay = bob(&["folder"]);
    let message = letter(FRIEND, "Dossier");
    let sent = relay.send(FRIEND, &["bob"], &message);
    relay.assert_in("Perso", &sent, "bob", &message);
}

#[test]
fn another_message_arrives_in_the_inbox() {
    let relay = bob(&["folder"]);
    let message = letter(STRANGER, "Offres");
    let sent = relay.send(STRANGER, &["bob"], &message);
    relay.assert_inbox(&sent, "bob", &message);
}

#[test]
fn the_folder_is_the_configured_one() {
    let settings = Settings::new().set("personal.actions", vec!["folder"]).set("personal.folder", "Prive");
    let relay = Relay::with(settings).user("bob").personal("bob", &[FRIEND]).start();
    let message = letter(FRIEND, "Dossier");
    let sent = relay.send(FRIEND, &["bob"], &message);
    relay.assert_in("Prive", &sent, "bob", &message);
}

/// RCPT with NOTIFY and ORCPT: the report that the sender asked for names the recipient that they wrote to.
#[test]
fn the_senders_delivery_report_is_kept() {
    let relay = bob(&["folder"]);
    // A sender of this test alone, in whose mailbox nothing else arrives; From is the friend.
    let sender = format!("marie@{}.famille.example", relay.lane.domain);
    let message = letter(FRIEND, "Avec avis");
    let original = relay.address("bob");
    let sent = relay.send(&sender, &[&format!("bob NOTIFY=SUCCESS ORCPT=rfc822;{original}")], &message);
    relay.assert_in("Perso", &sent, "bob", &message);
    let report = mailbox::wait_for(relay.lane.site.dovecot.imap(), &sender, "INBOX", 1).remove(0);
    let text = String::from_utf8_lossy(report.message.bytes()).into_owned();
    assert!(text.contains(&format!("Original-Recipient: rfc822;{original}\r\n")), "{text}");
    assert!(text.contains("Action: relayed"), "{text}");
}

#[test]
fn tag_and_folder_go_together() {
    let relay = bob(&["tag", "folder"]);
    let message = letter(FRIEND, "Dossier");
    let sent = relay.send(FRIEND, &["bob"], &message);
    relay.assert_in("Perso", &sent, "bob", &message.with_subject(" [PERSO] Dossier"));
}

#[test]
fn a_recipient_that_names_the_folder_already_is_not_delivered_twice() {
    let relay = bob(&["folder"]);
    let message = letter(FRIEND, "Dossier");
    let sent = relay.send(FRIEND, &["bob+Perso"], &message);
    relay.assert_in("Perso", &sent, "bob", &message);
}

/// A stranger who writes `bob+Perso@` does not choose where bob files personal mail.
#[test]
fn a_folder_typed_by_a_stranger_is_taken_off() {
    for actions in [&["folder"][..], &["tag"]] {
        let relay = bob(actions);
        let message = letter(STRANGER, "Offres");
        let sent = relay.send(STRANGER, &["bob+Perso"], &message);
        relay.assert_inbox(&sent, "bob", &message);
    }
}

#[test]
fn another_detail_is_the_users_own_affair() {
    let relay = bob(&["folder"]);
    let message = letter(STRANGER, "Facture");
    let sent = relay.send(STRANGER, &["bob+Factures"], &message);
    relay.assert_in("Factures", &sent, "bob", &message);
}

/// The same recipient twice in one transaction is one recipient.
#[test]
fn a_recipient_named_twice_gets_one_copy() {
    let relay = bob(&["tag", "folder"]);
    let message = letter(FRIEND, "Deux fois");
    let sent = relay.send(FRIEND, &["bob", "bob"], &message);
    relay.assert_in("Perso", &sent, "bob", &message.with_subject(" [PERSO] Deux fois"));
}
