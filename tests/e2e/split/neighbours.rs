//! Copies that Postfix makes by itself, and addresses that lead to several people.

use super::road::Plan;
use crate::milter::Settings;
use crate::relay::{FRIEND, letter};

/// The boss has the friend as personal, and so has Bob.
fn people() -> Plan {
    Plan::new(Settings::new())
        .user("boss", &[])
        .user("bob", &[])
        .user("zoe", &[])
        .entries("boss", "personal", &[FRIEND])
        .entries("bob", "personal", &[FRIEND])
}

#[test]
fn copies_for_the_archive_bear_nobodys_mark() {
    let road = people().main_cf("always_bcc = archive@DOMAIN").start();
    let message = letter(FRIEND, "Archive");
    for recipients in [&["bob"][..], &["bob", "zoe"]] {
        let sent = road.send(FRIEND, recipients, &message);
        assert!(road.was_split(sent.id()));
        road.assert_copy(&sent, "bob", "INBOX", &message.with_subject(" [PERSO] Archive"));
        road.assert_copy(&sent, "archive", "INBOX", &message);
    }
}

#[test]
fn copies_for_a_deputy_bear_nobodys_mark() {
    let road = people().main_cf("recipient_bcc_maps = inline:{ { boss@DOMAIN = deputy@DOMAIN } }").start();
    let message = letter(FRIEND, "Adjoint");
    let sent = road.send(FRIEND, &["boss"], &message);
    road.assert_copy(&sent, "boss", "INBOX", &message.with_subject(" [PERSO] Adjoint"));
    road.assert_copy(&sent, "deputy", "INBOX", &message);
}

#[test]
fn an_alias_to_several_people_gives_each_their_own() {
    let road = people().aliases("boss@DOMAIN boss@DOMAIN, zoe@DOMAIN\nteam@DOMAIN bob@DOMAIN, zoe@DOMAIN\n").start();
    let message = letter(FRIEND, "Groupe");
    let sent = road.send(FRIEND, &["boss"], &message);
    road.assert_copy(&sent, "boss", "INBOX", &message.with_subject(" [PERSO] Groupe"));
    road.assert_copy(&sent, "zoe", "INBOX", &message);
    // Alone the group's mail is not even split; beside the boss it is, and stays untouched all the same.
    let sent = road.send(FRIEND, &["team"], &message);
    assert!(!road.was_split(sent.id()));
    road.assert_copy(&sent, "bob", "INBOX", &message);
    let sent = road.send(FRIEND, &["team", "boss"], &message);
    assert!(road.was_split(sent.id()));
    road.assert_copy(&sent, "bob", "INBOX", &message);
    road.assert_copy(&sent, "boss", "INBOX", &message.with_subject(" [PERSO] Groupe"));
    assert!(road.mails(sent.id(), "zoe").iter().all(|mail| mail.message.without_trace() == message));
}

/// The mailbox has another address behind the alias; it is in the user's alias table.
#[test]
fn a_mailbox_behind_an_alias_is_known_by_its_final_address() {
    let road = Plan::new(Settings::new())
        .domain("backend.example.org")
        .user("bob", &["b1234@backend.example.org"])
        .user("zoe", &[])
        .entries("bob", "personal", &[FRIEND])
        .aliases("bob@DOMAIN b1234@backend.example.org\n")
        .start();
    let message = letter(FRIEND, "Arriere");
    let sent = road.send(FRIEND, &["bob", "zoe"], &message);
    road.assert_copy(&sent, "b1234@backend.example.org", "INBOX", &message.with_subject(" [PERSO] Arriere"));
    road.assert_copy(&sent, "zoe", "INBOX", &message);
}

/// A sender who names a group as the original recipient does not get round Bob's list, and the report they ask for still
/// bears what they wrote.
#[test]
fn what_a_sender_claims_of_the_original_recipient_changes_no_copy() {
    let road = people().start();
    let message = letter(FRIEND, "Origine");
    let sent = road.send(
        FRIEND,
        &["bob ORCPT=rfc822;team@DOMAIN", "zoe ORCPT=rfc822;bob@DOMAIN", "boss ORCPT=rfc822;x@elsewhere.example"],
        &message,
    );
    road.assert_copy(&sent, "bob", "INBOX", &message.with_subject(" [PERSO] Origine"));
    road.assert_copy(&sent, "zoe", "INBOX", &message);
    road.assert_copy(&sent, "boss", "INBOX", &message.with_subject(" [PERSO] Origine"));
}
