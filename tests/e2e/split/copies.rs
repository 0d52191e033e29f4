//! What each copy is: the recipient's own, byte for byte, and for whoever has no entry the same as without us.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use super::road::{Plan, Road, without_ids};
use crate::mailbox;
use crate::message::{Message, contains};
use crate::milter::Settings;
use crate::relay::{FRIEND, STRANGER, letter};
use crate::scratch::{Port, wait_until};
use crate::site::Site;
use crate::smtp::Smtp;

/// Bob has the friend as personal, Carl blocks them, Anne has no entry.
fn people(settings: Settings) -> Plan {
    Plan::new(settings)
        .user("bob", &[])
        .user("anne", &[])
        .user("carl", &[])
        .entries("bob", "personal", &[FRIEND])
        .entries("carl", "black", &[FRIEND])
}

fn tag_and_folder() -> Settings {
    Settings::new().set("personal.actions", vec!["tag", "folder"]).set("black.action", "junk")
}

#[test]
fn tag_and_folder_and_junk_and_nothing_in_one_message() {
    let road = people(tag_and_folder()).start();
    let message = letter(FRIEND, "Tous");
    let sent = road.send(FRIEND, &["bob", "carl", "anne", "someone@elsewhere.example"], &message);
    assert!(road.was_split(sent.id()));
    road.assert_copy(&sent, "bob", "Perso", &message.with_subject(" [PERSO] Tous"));
    road.assert_copy(&sent, "carl", "Junk", &message);
    road.assert_copy(&sent, "anne", "INBOX", &message);
    road.assert_copy(&sent, "someone@elsewhere.example", "INBOX", &message);
}

#[test]
fn one_recipient_alone_is_split_too_and_a_message_without_an_edit_is_not() {
    let road = people(Settings::new()).start();
    let message = letter(FRIEND, "Seul");
    let sent = road.send(FRIEND, &["bob"], &message);
    assert!(road.was_split(sent.id()));
    road.assert_copy(&sent, "bob", "INBOX", &message.with_subject(" [PERSO] Seul"));
    let message = letter(STRANGER, "Offre");
    let sent = road.send(STRANGER, &["bob", "anne"], &message);
    assert!(!road.was_split(sent.id()));
    road.assert_copy(&sent, "anne", "INBOX", &message);
}

#[test]
fn the_second_smtpd_may_be_at_an_ipv6_address() {
    let copies = Port::reserve_at(Ipv6Addr::LOCALHOST.into());
    let plan = Plan::with_copies_to(Settings::new(), copies).user("bob", &[]).user("anne", &[]);
    let plan = plan.entries("bob", "personal", &[FRIEND]);
    let road = plan.main_cf("inet_protocols = all").start();
    let message = letter(FRIEND, "Six");
    let sent = road.send(FRIEND, &["bob", "anne"], &message);
    assert!(road.was_split(sent.id()));
    road.assert_copy(&sent, "bob", "INBOX", &message.with_subject(" [PERSO] Six"));
    road.assert_copy(&sent, "anne", "INBOX", &message);
    assert_eq!(road.errors(), Vec::<String>::new());
}

#[test]
fn in_mode_mixed_what_all_share_is_edited_at_the_edge() {
    let road = people(Settings::new().set("split.mode", "mixed")).start();
    let message = letter(FRIEND, "Seul");
    let sent = road.send(FRIEND, &["bob"], &message);
    assert!(!road.was_split(sent.id()));
    road.assert_copy(&sent, "bob", "INBOX", &message.with_subject(" [PERSO] Seul"));
    let sent = road.send(FRIEND, &["bob", "anne"], &message);
    assert!(road.was_split(sent.id()));
    road.assert_copy(&sent, "bob", "INBOX", &message.with_subject(" [PERSO] Seul"));
    road.assert_copy(&sent, "anne", "INBOX", &message);
}

/// Anne's copy of the same message to the same people is the same, header for header, whether or not Bob's list has had
/// it split; queue ids and times apart. And sent to her alone it differs by the edge's own "for <anne>" only.
#[test]
fn the_copy_of_who_has_no_entry_is_the_same_as_without_the_lists_of_others() {
    let road = people(tag_and_folder()).start();
    let (anne, bob) = (road.plan.address("anne"), road.plan.address("bob"));
    let copy_of_anne = |to: &[&str], split: bool| {
        let sent = road.send(FRIEND, to, &letter(FRIEND, "Tous"));
        assert_eq!(road.was_split(sent.id()), split);
        let mails = road.mails(sent.id(), "anne");
        let [mail] = &mails[..] else { panic!("{mails:#?}") };
        without_ids(&mail.message)
    };
    let with = copy_of_anne(&["bob", "anne"], true);
    assert!(!contains(&with.bytes().to_ascii_lowercase(), b"perso"), "{with:?}");
    let alone = copy_of_anne(&["anne"], false);
    road.plan.daemon.command(&["entry", "remove", &bob, "personal", FRIEND]);
    wait_until("the change to govern", || {
        let sent = road.send(FRIEND, &["bob"], &letter(FRIEND, "Encore"));
        (!road.was_split(sent.id())).then_some(())
    });
    let without = copy_of_anne(&["bob", "anne"], false);
    assert_eq!(with, without);
    let text = String::from_utf8_lossy(alone.bytes()).into_owned();
    let (head, tail) = text.split_at(text.find("with ESMTP id ID").expect("Postfix's Received"));
    let own = format!(" for <{anne}>");
    assert_eq!(Message::new(head.to_owned() + &tail.replacen(&own, "", 1)), without);
}

#[test]
fn the_local_program_and_a_refusal_beside_it() {
    // A refusal of mail from sendmail(1) would leave it stuck: the one who blocks gets the late action.
    let road = people(Settings::new().set("black.late_action", "junk")).start();
    let message = letter(FRIEND, "Local");
    let sender = format!("root@{}", road.plan.domain);
    let addresses: Vec<String> = ["bob", "carl", "anne"].iter().map(|name| road.plan.address(name)).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    road.postfix.sendmail(&sender, &addresses, message.bytes());
    let id = road.postfix.id_from(&sender);
    assert!(road.was_split(&id));
    let subjects: BTreeMap<&str, (String, Vec<u8>)> = ["bob", "carl", "anne"]
        .into_iter()
        .map(|name| {
            let mails = road.mails(&id, name);
            let [mail] = &mails[..] else { panic!("{mails:#?}") };
            (name, (mail.folder.clone(), mail.message.subject().expect("a Subject").to_vec()))
        })
        .collect();
    assert_eq!(subjects["bob"], ("INBOX".to_owned(), b" [PERSO] Local".to_vec()));
    assert_eq!(subjects["carl"], ("Junk".to_owned(), b" Local".to_vec()));
    assert_eq!(subjects["anne"], ("INBOX".to_owned(), b" Local".to_vec()));
}

#[test]
fn a_refusal_at_rcpt_stays_where_it_is() {
    let road = people(Settings::new()).start();
    let message = letter(FRIEND, "Refus");
    let sent = road.send(FRIEND, &["carl", "bob", "anne"], &message);
    assert_eq!(sent.rcpts[0].code, 550, "{sent:?}");
    road.assert_copy(&sent, "bob", "INBOX", &message.with_subject(" [PERSO] Refus"));
    road.assert_copy(&sent, "anne", "INBOX", &message);
    assert!(road.mails(sent.id(), "carl").is_empty());
}

/// What only the second pass can do: a hold that holds one copy, which is edited no more once it is let go.
#[test]
fn only_the_copy_of_who_holds_is_held() {
    let road = people(Settings::new().set("black.action", "hold")).start();
    let message = letter(FRIEND, "Attente");
    let sent = road.send(FRIEND, &["carl", "anne"], &message);
    road.assert_copy(&sent, "anne", "INBOX", &message);
    assert!(road.mails(sent.id(), "carl").is_empty());
    let held: Vec<String> =
        road.postfix.copies_of(sent.id()).into_iter().filter(|id| road.postfix.queued(id).is_some()).collect();
    let [held] = &held[..] else { panic!("{held:?}") };
    road.postfix.release(held);
    road.postfix.wait_removed(held);
    road.assert_copy(&sent, "carl", "INBOX", &message);
}

#[test]
fn a_typed_folder_is_taken_off_in_a_split_message_too() {
    let road = people(tag_and_folder()).start();
    let message = letter(FRIEND, "Dossier");
    let sent = road.send(FRIEND, &["bob+Perso", "anne+Perso", "anne+Factures"], &message);
    road.assert_copy(&sent, "bob", "Perso", &message.with_subject(" [PERSO] Dossier"));
    let mut folders: Vec<String> = road.mails(sent.id(), "anne").into_iter().map(|mail| mail.folder).collect();
    folders.sort();
    assert_eq!(folders, ["Factures", "INBOX"]);
}

/// A stranger's marker is removed at the edge, and splits nothing.
#[test]
fn a_forged_marker_splits_nothing() {
    let road = people(Settings::new()).start();
    let message = letter(STRANGER, "Faux");
    let forged = Message::new([b"X-Perso-Split: 00000000000000000000000000000000;out\r\n", message.bytes()].concat());
    let sent = road.send(STRANGER, &["bob", "anne"], &forged);
    assert!(!road.was_split(sent.id()));
    road.assert_copy(&sent, "bob", "INBOX", &message);
}

/// Notification settings and the envelope id of the sender survive both passes: the report names them.
#[test]
fn notification_settings_survive() {
    let road = people(Settings::new()).start();
    let sender = road.plan.address("expediteur");
    let message = letter(FRIEND, "Avis");
    let mut smtp = road.smtp();
    assert!(smtp.command(&format!("MAIL FROM:<{sender}> RET=HDRS ENVID=dossier+2B42")).is_ok());
    let bob = road.plan.address("bob");
    for (name, arguments) in
        [("bob", "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Premier@origine.example"), ("anne", "NOTIFY=NEVER")]
    {
        assert!(smtp.rcpt(&format!("{} {arguments}", road.plan.address(name))).is_ok());
    }
    assert!(smtp.command("DATA").is_ok());
    let reply = smtp.message(message.bytes());
    let id = reply.queue_id().unwrap_or_else(|| panic!("{reply:?}")).to_owned();
    assert!(road.was_split(&id));
    let reports = mailbox::wait_for(Site::shared().dovecot.imap(), &sender, "INBOX", 1);
    let [report] = &reports[..] else { panic!("{reports:#?}") };
    for text in [
        "Original-Envelope-Id: dossier+42",
        "Original-Recipient: rfc822;Premier@origine.example",
        "Subject: [PERSO] Avis",
    ] {
        assert!(contains(report.message.bytes(), text.as_bytes()), "{text} is not in {report:#?}");
    }
    assert!(contains(report.message.bytes(), bob.as_bytes()));
    assert!(!contains(report.message.bytes(), road.plan.address("anne").as_bytes()));
}

#[test]
fn the_second_smtpd_takes_one_recipient_a_message() {
    let road: Road = people(Settings::new()).start();
    let mut second = Smtp::connect(road.second());
    assert!(second.mail(FRIEND).is_ok());
    assert!(second.rcpt(&road.plan.address("bob")).is_ok());
    assert_eq!(second.rcpt(&road.plan.address("anne")).code, 451);
    drop(second);
    road.plan.daemon.wait_logged(1, "perso-split_destination_recipient_limit");
}

/// What Bob sends: each recipient's copy by Bob's own list.
#[test]
fn what_a_user_sends_is_tagged_for_their_own_people_alone() {
    let settings = Settings::new().set("personal.outbound", "tag").set("networks.ours", vec!["127.0.0.0/8"]);
    let road = people(settings).start();
    let bob = road.plan.address("bob");
    let message = letter(&bob, "Sortant");
    // The mailboxes of this test are everybody's: what one finds there is what leaves.
    let (friend, other) = (FRIEND, "collegue@ailleurs.example");
    let sent = road.send(&bob, &[friend, other], &message);
    assert!(road.was_split(sent.id()));
    road.assert_copy(&sent, friend, "INBOX", &message.with_subject(" [PERSO] Sortant"));
    road.assert_copy(&sent, other, "INBOX", &message);
    let sent = road.send(&bob, &[other], &message);
    assert!(!road.was_split(sent.id()));
}

/// Whoever has logged in is asked for their own list alone: Carl, who writes in Bob's name, learns nothing of Bob's.
#[test]
fn a_login_in_anothers_name_tags_nothing() {
    let settings = Settings::new().set("personal.outbound", "tag");
    let road = people(settings).main_cf(&Site::shared().dovecot.sasl()).start();
    let (bob, carl) = (road.plan.address("bob"), road.plan.address("carl"));
    let message = letter(&bob, "Sortant");
    let subject_by = |login: &str| {
        let mut session = road.smtp();
        assert!(session.login(login).is_ok());
        let sent = session.send(&bob, &[FRIEND.to_owned()], message.bytes());
        let (_, copy) = road.copy(&sent, FRIEND);
        String::from_utf8_lossy(copy.subject().expect("a Subject")).trim().to_owned()
    };
    assert_eq!([subject_by(&bob), subject_by("bob")], ["[PERSO] Sortant"; 2]);
    assert_eq!([subject_by(&carl), subject_by("carl"), subject_by("dora")], ["Sortant"; 3]);
}
