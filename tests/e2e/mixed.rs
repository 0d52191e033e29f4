//! One message, recipients whose lists say different things, `split = "off"`: header edits are left out, each
//! recipient's own folder and refusal work all the same.

use crate::milter::Settings;
use crate::relay::{FRIEND, Relay, letter};

fn relay(actions: &[&str]) -> Relay {
    Relay::with(Settings::new().set("personal.actions", actions.to_vec()).set("black.action", "junk"))
        .user("bob")
        .personal("bob", &[FRIEND])
        .user("anne")
        .user("carl")
        .black("carl", &[FRIEND])
        .start()
}

#[test]
fn a_tag_for_one_of_two_is_left_out() {
    let relay = relay(&["tag"]);
    let message = letter(FRIEND, "Tous");
    let sent = relay.send(FRIEND, &["bob", "anne"], &message);
    for name in ["bob", "anne"] {
        relay.assert_inbox(&sent, name, &message);
    }
}

#[test]
fn a_recipient_who_is_no_user_keeps_the_message_unedited_too() {
    let relay = relay(&["tag"]);
    let message = letter(FRIEND, "Tous");
    let sent = relay.send(FRIEND, &["bob", "someone@elsewhere.example"], &message);
    relay.assert_inbox(&sent, "bob", &message);
    relay.assert_inbox(&sent, "someone@elsewhere.example", &message);
}

#[test]
fn folders_are_each_recipients_own() {
    let relay = relay(&["tag", "folder"]);
    let message = letter(FRIEND, "Tous");
    let sent = relay.send(FRIEND, &["bob", "anne", "carl"], &message);
    relay.assert_in("Perso", &sent, "bob", &message);
    relay.assert_inbox(&sent, "anne", &message);
    relay.assert_in("Junk", &sent, "carl", &message);
}

#[test]
fn once_the_other_is_refused_the_message_is_uniform_again() {
    let relay = Relay::with(Settings::new())
        .user("bob")
        .personal("bob", &[FRIEND])
        .user("carl")
        .black("carl", &[FRIEND])
        .start();
    let message = letter(FRIEND, "Tous");
    let sent = relay.send(FRIEND, &["carl", "bob"], &message);
    assert_eq!(sent.rcpts[0].code, 550, "{sent:?}");
    relay.assert_inbox(&sent, "bob", &message.with_subject(" [PERSO] Tous"));
}
