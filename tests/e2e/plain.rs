//! The ground under the other tests: without a milter, Postfix and Dovecot deliver what was sent, byte for byte.

use crate::mailbox;
use crate::message::Message;
use crate::postfix::NOBODY_HOME;
use crate::relay::{FRIEND, letter};
use crate::site::Site;
use crate::smtp::Smtp;

fn only_copy(site: &Site, id: &str, user: &str) -> (String, Message) {
    site.postfix.settle(id);
    let mut mails = mailbox::read(site.dovecot.imap(), user);
    mails.retain(|mail| mail.is_of(id));
    assert_eq!(mails.len(), 1, "{mails:#?}");
    let mail = mails.remove(0);
    (mail.folder, mail.message.without_trace())
}

#[test]
fn a_message_arrives_byte_for_byte() {
    let lane = Site::shared().lane();
    let user = format!("bob@{}", lane.domain);
    let message = Message::new([letter(FRIEND, "=?utf-8?q?caf=C3=A9?=\n\tsuite").bytes(), b"\xe9\xff raw\n"].concat());
    let sent = Smtp::connect(lane.site.plain()).send(FRIEND, &[&user], message.bytes());
    assert_eq!(only_copy(lane.site, sent.id(), &user), ("INBOX".to_owned(), message));
}

#[test]
fn a_raw_eight_bit_subject_and_a_missing_date_stay_as_they_are() {
    let lane = Site::shared().lane();
    let user = format!("bob@{}", lane.domain);
    let message = Message::new(b"From: x\nsubject:\xe9t\xe9  \nBcc: someone\nReturn-Path: <a@b>\n\n\xe9\n");
    let sent = Smtp::connect(lane.site.plain()).send(FRIEND, &[&user], message.bytes());
    assert_eq!(only_copy(lane.site, sent.id(), &user).1, message);
}

#[test]
fn a_detail_names_a_folder() {
    let lane = Site::shared().lane();
    let user = format!("bob@{}", lane.domain);
    let to = format!("bob+Perso@{}", lane.domain);
    let message = letter(FRIEND, "Dossier");
    let sent = Smtp::connect(lane.site.plain()).send(FRIEND, &[to], message.bytes());
    assert_eq!(only_copy(lane.site, sent.id(), &user), ("Perso".to_owned(), message));
}

#[test]
fn one_session_carries_several_messages_and_refuses_whom_it_does_not_know() {
    let lane = Site::shared().lane();
    let bob = format!("bob@{}", lane.domain);
    let nobody = format!("{NOBODY_HOME}@{}", lane.domain);
    let mut session = Smtp::connect(lane.site.plain());
    let message = letter(FRIEND, "Un");
    let first = session.send(FRIEND, &[&nobody, &bob], message.bytes());
    let second = session.send("", &[&bob], message.bytes());
    assert_eq!(first.rcpts[0].code, 550, "{first:?}");
    only_copy(lane.site, first.id(), &bob);
    only_copy(lane.site, second.id(), &bob);
}

/// Without a daemon at the lane's address Postfix answers as `milter_default_action` says: what the tests of restarts
/// stand on.
#[test]
fn no_milter_means_try_again_later() {
    let lane = Site::shared().lane();
    let user = format!("bob@{}", lane.domain);
    let sent = Smtp::connect(lane.smtp()).send(FRIEND, &[user], letter(FRIEND, "Un").bytes());
    assert_eq!(sent.refusal().map(|reply| reply.code), Some(451), "{sent:?}");
}
