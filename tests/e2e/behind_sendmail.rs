//! Sendmail in place of Postfix: the same copies, and what it does in its own way.

use crate::mailbox;
use crate::message::Message;
use crate::milter::Settings;
use crate::relay::{FRIEND, Relay, STRANGER, letter};
use crate::tag::SUBJECTS;

fn bob(actions: &[&str]) -> Relay {
    bob_and(actions, |relay| relay)
}

/// Bob and whatever else is prepared before the daemon starts.
fn bob_and(actions: &[&str], prepare: impl FnOnce(Relay) -> Relay) -> Relay {
    let relay = Relay::behind_sendmail(Settings::new().set("personal.actions", actions.to_vec()));
    prepare(relay.user("bob").personal("bob", &[FRIEND])).start()
}

/// Sends a letter of the friend to bob and asserts that it arrives tagged.
#[track_caller]
fn assert_tagged(relay: &Relay, session: &mut crate::smtp::Smtp) {
    let message = letter(FRIEND, "Dimanche midi");
    let sent = relay.send_in(session, FRIEND, &["bob"], &message);
    relay.assert_inbox(&sent, "bob", &message.with_subject(" [PERSO] Dimanche midi"));
}

/// What Sendmail 8.17.1 offers is all that Postfix does, and it takes what we ask for.
#[track_caller]
fn assert_negotiated(relay: &Relay) {
    assert_tagged(relay, &mut relay.smtp());
    let trace = relay.sendmail().trace();
    assert!(trace.contains("send: version 6, fflags 0x1ff, pflags 0x1fffff\n"), "{trace}");
    assert!(trace.contains("received: version 6, fflags 0x1bd, pflags 0x1453d2\n"), "{trace}");
    assert!(!relay.daemon.log().contains("WARN"), "{}", relay.daemon.log());
}

#[test]
fn the_negotiation_is_accepted_on_a_port() {
    assert_negotiated(&bob(&["tag"]));
}

#[test]
fn the_negotiation_is_accepted_on_a_unix_socket() {
    let relay = Relay::behind_sendmail_by_unix_socket(Settings::new());
    assert_negotiated(&relay.user("bob").personal("bob", &[FRIEND]).start());
}

#[test]
fn another_message_arrives_byte_for_byte() {
    let relay = bob(&["tag"]);
    let message =
        Message::new([letter(STRANGER, "=?utf-8?q?caf=C3=A9?=\n\tsuite").bytes(), b"\xe9\xff raw\n"].concat());
    let sent = relay.send(STRANGER, &["bob"], &message);
    relay.assert_inbox(&sent, "bob", &message);
}

#[test]
fn the_subject_keeps_its_bytes_behind_the_tag() {
    let relay = bob(&["tag"]);
    let mut session = relay.smtp();
    for (raw, expected) in SUBJECTS {
        let message = letter(FRIEND, "?").with_subject(raw);
        let sent = relay.send_in(&mut session, FRIEND, &["bob"], &message);
        relay.assert_inbox(&sent, "bob", &message.with_subject(expected));
    }
}

#[test]
fn a_message_without_subject_gets_one() {
    let relay = bob(&["tag"]);
    let message = letter(FRIEND, "?").without("Subject");
    let sent = relay.send(FRIEND, &["bob"], &message);
    let (_, delivered) = relay.copy(&sent, "bob");
    assert_eq!(delivered.values("Subject"), [b" [PERSO]"]);
    assert_eq!(delivered.without("Subject"), message);
}

#[test]
fn the_header_sender_of_a_report_counts() {
    let relay = bob(&["tag"]);
    let message = letter(FRIEND, "Absente");
    let sent = relay.send("", &["bob"], &message);
    relay.assert_inbox(&sent, "bob", &message.with_subject(" [PERSO] Absente"));
}

#[test]
fn a_blocked_sender_is_refused_at_rcpt_and_only_there() {
    let settings = Settings::new().set("black.reject_text", "Non merci, 100% non");
    let relay = Relay::behind_sendmail(settings).user("bob").black("bob", &[STRANGER]).user("anne").start();
    let message = letter(STRANGER, "Offres");
    let sent = relay.send(STRANGER, &["bob", "anne"], &message);
    assert_eq!((sent.rcpts[0].code, sent.rcpts[1].code), (550, 250), "{sent:?}");
    assert!(sent.rcpts[0].text.contains("5.7.1") && sent.rcpts[0].text.contains("Non merci, 100% non"), "{sent:?}");
    relay.assert_inbox(&sent, "anne", &message);
    assert!(relay.copies(&sent, "bob").is_empty());
}

#[test]
fn a_blocked_header_sender_is_refused_at_the_end_or_discarded_for_one() {
    let relay = Relay::behind_sendmail(Settings::new()).user("bob").black("bob", &[STRANGER]).user("anne").start();
    let message = letter(STRANGER, "Offres");
    let bounces = "bounces@listes.example";
    let alone = relay.send(bounces, &["bob"], &message);
    assert_eq!(alone.end.as_ref().map(|reply| reply.code), Some(550), "{alone:?}");
    let sent = relay.send(bounces, &["bob", "anne"], &message);
    relay.assert_inbox(&sent, "anne", &message);
    assert!(relay.mailbox("bob").is_empty());
}

/// Sendmail accepts a message that is left without recipients, delivers it to nobody and reports nothing.
#[test]
fn discard_tells_the_sender_nothing() {
    let relay = Relay::behind_sendmail(Settings::new().set("black.action", "discard"));
    let relay = relay.user("bob").black("bob", &[STRANGER]).start();
    let sent = relay.send(STRANGER, &["bob"], &letter(STRANGER, "Offres"));
    assert!(relay.copies(&sent, "bob").is_empty());
    assert!(relay.mailbox(STRANGER).is_empty(), "nothing bounces");
}

#[test]
fn hold_puts_the_message_into_quarantine() {
    let relay = Relay::behind_sendmail(Settings::new().set("black.action", "hold"));
    let relay = relay.user("bob").black("bob", &[STRANGER]).start();
    let sent = relay.send(STRANGER, &["bob"], &letter(STRANGER, "Offres"));
    assert!(relay.copies(&sent, "bob").is_empty());
    assert!(relay.sendmail().is_quarantined(sent.id()));
}

#[test]
fn a_personal_message_arrives_in_the_folder_alone() {
    let relay = bob(&["tag", "folder"]);
    let message = letter(FRIEND, "Dossier");
    for recipients in [&["bob"][..], &["bob", "bob"], &["bob+Perso"]] {
        let sent = relay.send(FRIEND, recipients, &message);
        relay.assert_in("Perso", &sent, "bob", &message.with_subject(" [PERSO] Dossier"));
    }
}

#[test]
fn a_folder_typed_by_a_stranger_is_taken_off() {
    let relay = bob(&["folder"]);
    let message = letter(STRANGER, "Offres");
    let sent = relay.send(STRANGER, &["bob+Perso"], &message);
    relay.assert_inbox(&sent, "bob", &message);
}

/// ADDRCPT with arguments: the report that the sender asked for names the recipient that they wrote to.
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

/// A user of a domain that is delivered here, whose name no other test has: Sendmail hands it over without the domain.
fn local(change: impl FnOnce(String) -> String) -> (Relay, String) {
    let relay =
        Relay::behind_sendmail_with(Settings::new().set("personal.actions", vec!["folder"]), |domain, lines| {
            format!("LOCAL_DOMAIN(`{domain}')dnl\n{}", change(lines))
        });
    let name = relay.lane.domain.replace('.', "-");
    (relay.user(&name).personal(&name, &[FRIEND]).start(), name)
}

/// The folders in which a user has a copy of a message.
fn local_folders(relay: &Relay, id: &str, name: &str) -> Vec<String> {
    relay.sendmail().settle(id);
    let mails = mailbox::read(relay.lane.site.dovecot.imap(), name).into_iter();
    mails.filter(|mail| mail.is_of(id)).map(|mail| mail.folder).collect()
}

/// What `check` says of the sendmail.cf, but for the note of what no Sendmail can do.
fn check(relay: &Relay) -> Vec<String> {
    let file = relay.sendmail().configuration();
    let answer = relay.daemon.command(&["check", "--sendmail-cf", file]);
    let lines = answer.lines().filter_map(|line| line.strip_prefix(file)).map(str::to_owned);
    let (notes, others): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with(": note: "));
    assert!(notes.len() == 1 && notes[0].contains("Sendmail cannot make one copy for each recipient"), "{answer}");
    others
}

#[test]
fn a_local_recipient_keeps_the_folder_and_its_capitals() {
    let (relay, name) = local(|lines| lines);
    let sent = relay.send(FRIEND, &[&name], &letter(FRIEND, "Dossier"));
    assert_eq!(local_folders(&relay, sent.id(), &name), ["Perso"]);
    assert_eq!(check(&relay), Vec::<String>::new());
}

/// Without the FEATURE Sendmail drops the folder, not the message; without the mailer's flag it writes it in small letters.
#[test]
fn without_the_lines_for_folders_local_mail_is_filed_elsewhere_and_check_says_so() {
    for (missing, expected, finding) in [
        ("FEATURE(`preserve_local_plus_detail')dnl", "INBOX", "mail for a folder arrives in the inbox"),
        ("MODIFY_MAILER_FLAGS(`LOCAL', `+u')dnl", "perso", "mail for Perso arrives in perso"),
    ] {
        let (relay, name) = local(|lines| {
            assert!(lines.contains(missing), "{lines}");
            lines.replace(missing, "")
        });
        let sent = relay.send(FRIEND, &[&name], &letter(FRIEND, "Dossier"));
        assert_eq!(local_folders(&relay, sent.id(), &name), [expected], "without {missing}");
        let found = check(&relay);
        assert!(found.len() == 1 && found[0].contains(finding) && found[0].ends_with(missing), "{found:?}");
    }
}

#[test]
fn forged_headers_of_ours_are_removed_and_our_own_is_added_once() {
    let relay = bob(&["mark"]);
    let forged = "Marque\nX-Perso: v1; forged\nX-Perso-Split: token;in\nx-PERSO-anything: 1\nX-Perso: again";
    let sent = relay.send(STRANGER, &["bob"], &letter(STRANGER, forged));
    relay.assert_inbox(&sent, "bob", &letter(STRANGER, "Marque"));
    let sent = relay.send(FRIEND, &["bob"], &letter(FRIEND, forged));
    let (_, delivered) = relay.copy(&sent, "bob");
    let [mark] = delivered.values("X-Perso")[..] else { panic!("{delivered:?}") };
    assert!(mark.starts_with(b" v=") && !mark.ends_with(b"forged"), "{}", mark.escape_ascii());
    assert_eq!(delivered.without("X-Perso"), letter(FRIEND, "Marque"));
}

#[test]
fn spam_marks_of_a_wanted_sender_are_removed() {
    let relay = Relay::behind_sendmail(Settings::new()).user("bob").white("bob", &[STRANGER]).start();
    let spam = "***SPAM*** Offres\nX-Spam-Flag: YES\nX-Spam: high\nX-Virus-Status: Clean";
    let sent = relay.send(STRANGER, &["bob"], &letter(STRANGER, spam));
    relay.assert_inbox(&sent, "bob", &letter(STRANGER, "Offres\nX-Virus-Status: Clean"));
}

/// Sendmail cannot split: where recipients need different header edits all are left out, and folders are each one's own.
#[test]
fn a_mixed_message_gets_no_header_edits() {
    let relay = bob_and(&["tag", "folder"], |relay| relay.user("anne"));
    let message = letter(FRIEND, "Tous");
    let sent = relay.send(FRIEND, &["bob", "anne"], &message);
    relay.assert_in("Perso", &sent, "bob", &message);
    relay.assert_inbox(&sent, "anne", &message);
}

/// Sendmail says nothing between the end of a message and the next MAIL.
#[test]
fn one_session_carries_several_messages() {
    let relay = bob(&["tag"]);
    let mut session = relay.smtp();
    assert_tagged(&relay, &mut session);
    let other = letter(STRANGER, "Offres");
    let sent = relay.send_in(&mut session, STRANGER, &["bob"], &other);
    relay.assert_inbox(&sent, "bob", &other);
    assert_tagged(&relay, &mut session);
}

/// Nor where a message ends before its headers, since it waits for no answer to MAIL.
#[test]
fn a_message_given_up_before_its_data_leaves_the_next_alone() {
    let relay = bob_and(&["tag"], |relay| relay.black("bob", &[STRANGER]));
    let mut session = relay.smtp();
    for given_up in ["RSET", "EHLO again.outside.example"] {
        assert_eq!(session.mail(STRANGER).code, 250);
        assert_eq!(session.rcpt(&relay.address("bob")).code, 550);
        assert_eq!(session.rcpt(&relay.address("anne")).code, 250);
        assert_eq!(session.command(given_up).code, 250);
        assert_tagged(&relay, &mut session);
    }
    assert!(relay.mailbox("anne").is_empty());
}

#[test]
fn while_the_milter_is_down_senders_try_again() {
    let mut relay = bob(&["tag"]);
    let mut session = relay.smtp();
    assert_tagged(&relay, &mut session);
    relay.crash();
    for session in [&mut session, &mut relay.smtp()] {
        let sent = relay.send_in(session, FRIEND, &["bob"], &letter(FRIEND, "Un"));
        assert_eq!(sent.refusal().map(|reply| reply.code), Some(451), "{sent:?}");
    }
    relay.run();
    assert_tagged(&relay, &mut relay.smtp());
    assert_eq!(relay.mailbox("bob").len(), 2);
}
