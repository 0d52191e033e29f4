//! The action `tag`: the Subject of a personal message, and nothing else of it.

use crate::message::Message;
use crate::milter::Settings;
use crate::relay::{FRIEND, Relay, STRANGER, letter};

fn bob() -> Relay {
    bob_and(|relay| relay)
}

/// Bob and whatever else is prepared before the daemon starts.
fn bob_and(prepare: impl FnOnce(Relay) -> Relay) -> Relay {
    let relay = Relay::with(Settings::new().set("personal.actions", vec!["tag"]));
    prepare(relay.user("bob").personal("bob", &[FRIEND])).start()
}

/// A letter from the friend whose Subject field has this raw value.
fn with_raw_subject(value: &[u8]) -> Message {
    letter(FRIEND, "?").with_subject(value)
}

#[test]
fn only_the_subject_of_a_personal_message_changes() {
    let relay = bob();
    let message = letter(FRIEND, "Dimanche midi");
    let sent = relay.send(FRIEND, &["bob"], &message);
    relay.assert_inbox(&sent, "bob", &message.with_subject(" [PERSO] Dimanche midi"));
}

#[test]
fn a_strangers_message_is_left_alone() {
    let relay = bob();
    let message = letter(STRANGER, "Nos offres");
    let sent = relay.send(STRANGER, &["bob"], &message);
    relay.assert_inbox(&sent, "bob", &message);
}

/// Raw values of the Subject field, from after the colon, and what is delivered.
pub const SUBJECTS: &[(&[u8], &[u8])] = &[
    (b" Un", b" [PERSO] Un"),
    (b" =?utf-8?q?caf=C3=A9?=", b" [PERSO] =?utf-8?q?caf=C3=A9?="),
    (b" =?UTF-8?B?w6l0w6k=?=\r\n =?UTF-8?B?IDIwMjY=?=", b" [PERSO] =?UTF-8?B?w6l0w6k=?=\r\n =?UTF-8?B?IDIwMjY=?="),
    (b" One\r\n\ttwo\r\n   three", b" [PERSO] One\r\n\ttwo\r\n   three"),
    (b" \xe9t\xe9 en Latin-1", b" [PERSO] \xe9t\xe9 en Latin-1"),
    (b" \xc3\xa9t\xc3\xa9 en UTF-8", b" [PERSO] \xc3\xa9t\xc3\xa9 en UTF-8"),
    (b" =?iso-2022-jp?b?GyRCJDMkcxsoQg==?=", b" [PERSO] =?iso-2022-jp?b?GyRCJDMkcxsoQg==?="),
    (b" =?broken", b" [PERSO] =?broken"),
    (b" trailing blanks  ", b" [PERSO] trailing blanks  "),
    (b" [PERSO] Un", b" [PERSO] Un"),
    (b" [perso] Un", b" [perso] Un"),
    (b" Re: [PERSO] Un", b" Re: [PERSO] Un"),
    (b" RE : TR: [PERSO] Un", b" RE : TR: [PERSO] Un"),
    (b" =?utf-8?q?=5BPERSO=5D_=C3=A9t=C3=A9?=", b" =?utf-8?q?=5BPERSO=5D_=C3=A9t=C3=A9?="),
    (b" Compte-rendu [PERSO]", b" [PERSO] Compte-rendu [PERSO]"),
];

#[test]
fn the_subject_keeps_its_bytes_behind_the_tag() {
    let relay = bob();
    let mut session = relay.smtp();
    for (raw, expected) in SUBJECTS {
        let message = with_raw_subject(raw);
        let sent = relay.send_in(&mut session, FRIEND, &["bob"], &message);
        relay.assert_inbox(&sent, "bob", &message.with_subject(expected));
    }
}

#[test]
fn a_message_without_subject_gets_one() {
    let relay = bob();
    let message = letter(FRIEND, "?").without("Subject");
    let sent = relay.send(FRIEND, &["bob"], &message);
    let (folder, delivered) = relay.copy(&sent, "bob");
    assert_eq!(folder, "INBOX");
    assert_eq!(delivered.values("Subject").iter().map(|value| value.trim_ascii()).collect::<Vec<_>>(), [b"[PERSO]"]);
    assert_eq!(delivered.without("Subject"), message);
}

#[test]
fn of_several_subjects_the_first_is_tagged() {
    let relay = bob();
    let message = letter(FRIEND, "Un\nSubject: Deux");
    let sent = relay.send(FRIEND, &["bob"], &message);
    relay.assert_inbox(&sent, "bob", &message.with_subject(" [PERSO] Un"));
}

#[test]
fn a_tag_with_accents_is_an_encoded_word() {
    let relay =
        Relay::with(Settings::new().set("personal.tag", "[PRIV\u{c9}]")).user("bob").personal("bob", &[FRIEND]).start();
    let message = letter(FRIEND, "Un");
    let sent = relay.send(FRIEND, &["bob"], &message);
    let (_, delivered) = relay.copy(&sent, "bob");
    let subject = delivered.subject().expect("a Subject");
    assert!(subject.is_ascii(), "{}", subject.escape_ascii());
    assert!(subject.ends_with(b" Un"), "{}", subject.escape_ascii());
    let parser = mail_parser::MessageParser::default();
    let parsed = parser.parse(delivered.bytes()).expect("a message");
    assert_eq!(parsed.subject(), Some("[PRIV\u{c9}] Un"));
    assert_eq!(delivered.without("Subject"), message.without("Subject"));
}

#[test]
fn the_whole_domain_of_a_friend_and_an_alias_of_the_user_count_too() {
    let relay = bob_and(|relay| {
        let (alias, address) = (relay.address("b.leroy"), relay.address("anne"));
        relay.daemon.command(&["user", "add", &address, "--alias", &alias]);
        relay.personal("anne", &["ecole.example"])
    });
    let message = letter("direction@ecole.example", "Kermesse");
    let sent = relay.send("direction@ecole.example", &["b.leroy"], &message);
    relay.assert_inbox(&sent, "b.leroy", &message.with_subject(" [PERSO] Kermesse"));
}

#[test]
fn the_header_sender_counts_when_the_envelope_sender_is_another() {
    let relay = bob();
    let message = letter(FRIEND, "Liste");
    for envelope in ["", "bounces+bob=example.org@listes.example"] {
        let sent = relay.send(envelope, &["bob"], &message);
        relay.assert_inbox(&sent, "bob", &message.with_subject(" [PERSO] Liste"));
    }
}

#[test]
fn two_recipients_to_whom_it_is_personal_both_get_the_tag() {
    let relay = bob_and(|relay| relay.user("anne").personal("anne", &[FRIEND]));
    let message = letter(FRIEND, "Tous deux");
    let sent = relay.send(FRIEND, &["bob", "anne"], &message);
    for name in ["bob", "anne"] {
        relay.assert_inbox(&sent, name, &message.with_subject(" [PERSO] Tous deux"));
    }
}
