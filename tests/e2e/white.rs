//! The white list: marks of an earlier spam filter go, and a broader blacklist entry yields.

use crate::milter::Settings;
use crate::relay::{FRIEND, Relay, STRANGER, letter};

const SPAM: &str = "***SPAM*** Offres\nX-Spam-Flag: YES\nX-Spam: high\nX-Virus-Status: Clean";

#[test]
fn spam_marks_of_a_wanted_sender_are_removed() {
    let relay = Relay::with(Settings::new()).user("bob").white("bob", &[STRANGER]).start();
    let sent = relay.send(STRANGER, &["bob"], &letter(STRANGER, SPAM));
    relay.assert_inbox(&sent, "bob", &letter(STRANGER, "Offres\nX-Virus-Status: Clean"));
}

#[test]
fn spam_marks_of_another_sender_stay() {
    let relay = Relay::with(Settings::new()).user("bob").white("bob", &[FRIEND]).start();
    let message = letter(STRANGER, SPAM);
    let sent = relay.send(STRANGER, &["bob"], &message);
    relay.assert_inbox(&sent, "bob", &message);
}

#[test]
fn a_virus_mark_is_never_cleared() {
    let relay = Relay::with(Settings::new()).user("bob").white("bob", &[STRANGER]).start();
    let message = letter(STRANGER, "***VIRUS*** Offres\nX-Virus-Status: Infected");
    let sent = relay.send(STRANGER, &["bob"], &message);
    relay.assert_inbox(&sent, "bob", &message);
}

#[test]
fn wanted_and_personal_is_cleared_and_tagged() {
    let relay = Relay::with(Settings::new()).user("bob").white("bob", &[FRIEND]).personal("bob", &[FRIEND]).start();
    let sent = relay.send(FRIEND, &["bob"], &letter(FRIEND, SPAM));
    relay.assert_inbox(&sent, "bob", &letter(FRIEND, "[PERSO] Offres\nX-Virus-Status: Clean"));
}

#[test]
fn a_wanted_address_of_a_blocked_domain_is_delivered() {
    let relay =
        Relay::with(Settings::new()).user("bob").black("bob", &["boutique.example"]).white("bob", &[STRANGER]).start();
    let message = letter(STRANGER, "Facture");
    let sent = relay.send(STRANGER, &["bob"], &message);
    relay.assert_inbox(&sent, "bob", &message);

    let other = "spam@boutique.example";
    let refused = relay.send(other, &["bob"], &letter(other, "Offres"));
    assert_eq!(refused.refusal().map(|reply| reply.code), Some(550), "{refused:?}");
}

/// The envelope sender is blocked, the person in From is wanted: the decision waits for the headers.
#[test]
fn a_wanted_header_sender_saves_a_blocked_envelope_sender() {
    let relay =
        Relay::with(Settings::new()).user("bob").black("bob", &["listes.example"]).white("bob", &[FRIEND]).start();
    let message = letter(FRIEND, "Par la liste");
    let sent = relay.send("bounces@listes.example", &["bob"], &message);
    relay.assert_inbox(&sent, "bob", &message);
}
