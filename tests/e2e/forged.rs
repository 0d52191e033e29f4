//! Headers that only we may write, coming from outside.

use crate::milter::Settings;
use crate::relay::{FRIEND, Relay, STRANGER, letter};

/// Whatever the lists say, and also for a recipient who is no user of ours.
#[test]
fn our_own_headers_are_removed_from_every_incoming_message() {
    let relay = Relay::with(Settings::new()).user("bob").personal("bob", &[FRIEND]).start();
    let clean = letter(STRANGER, "Offres");
    let forged =
        letter(STRANGER, "Offres\nX-Perso: v1; forged\nX-Perso-Split: token;in\nx-PERSO-anything: 1\nX-Perso: again");
    for recipients in [&["bob"][..], &["nobody-we-know"], &["bob", "nobody-we-know"]] {
        let sent = relay.send(STRANGER, recipients, &forged);
        for name in recipients {
            relay.assert_inbox(&sent, name, &clean);
        }
    }
}

#[test]
fn a_header_that_only_begins_alike_stays() {
    let relay = Relay::with(Settings::new()).user("bob").personal("bob", &[FRIEND]).start();
    let message = letter(STRANGER, "Offres\nX-Personality: INTJ");
    let sent = relay.send(STRANGER, &["bob"], &message);
    relay.assert_inbox(&sent, "bob", &message);
}
