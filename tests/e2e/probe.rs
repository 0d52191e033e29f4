//! The probe of a folder, from the command to the mailbox and back: what is filed before, and what after it.

use mail_parser::MessageParser;

use crate::mailbox::{self, Mail};
use crate::milter::{Daemon, Settings, Socket};
use crate::postfix::{Entrance, Postfix};
use crate::relay::{FRIEND, Relay, STRANGER, letter};
use crate::scratch::{Port, Scratch, wait_until};
use crate::site::Site;

/// As a postmaster has it who leaves `networks.ours` alone: what this host sends is outbound.
fn settings() -> Settings {
    Settings::new().set("networks.ours", vec!["127.0.0.0/8"])
}

/// Sends a probe to bob through the Postfix of the test and our milter, and finds it in a folder of his.
fn probe(relay: &Relay, options: &[&str], folder: &str) -> Mail {
    let server = format!("127.0.0.1:{}", relay.lane.smtp());
    let bob = relay.address("bob");
    relay.daemon.command(&[&["probe", "send", &bob, "--smtp", &server], options].concat());
    mailbox::wait_for(relay.lane.site.dovecot.imap(), &bob, folder, 1).remove(0)
}

/// The code that a reader of the message finds.
fn code_in(mail: &Mail) -> String {
    let message = MessageParser::default().parse(mail.message.bytes()).expect("a message");
    let text = message.body_text(0).expect("a text").into_owned();
    let code = text.split("perso-milter probe confirm ").nth(1).and_then(|rest| rest.get(..14));
    code.unwrap_or_else(|| panic!("no code in {text}")).to_owned()
}

/// Sends a letter to bob; the folder in which it lies, and its Subject.
fn filed(relay: &Relay, from: &str) -> (String, String) {
    let sent = relay.send(from, &["bob"], &letter(from, "Un"));
    let (folder, message) = relay.copy(&sent, "bob");
    (folder, String::from_utf8_lossy(message.subject().unwrap_or_default()).trim().to_owned())
}

fn wait_filed(relay: &Relay, from: &str, folder: &str) {
    wait_until(&format!("mail in {folder}"), || (filed(relay, from).0 == folder).then_some(()));
}

#[test]
fn personal_mail_is_filed_once_a_probe_was_found_in_the_folder_and_confirmed() {
    let relay = Relay::unproven(settings().set("personal.actions", vec!["tag", "folder"]))
        .user("bob")
        .personal("bob", &[FRIEND])
        .start();
    let in_the_inbox = ("INBOX".to_owned(), "[PERSO] Un".to_owned());
    assert_eq!(filed(&relay, FRIEND), in_the_inbox, "the tag needs no folder");
    let log = relay.daemon.wait_logged(1, "not proven");
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("not proven")).collect();
    let command = format!("perso-milter probe send you@{} --folder Perso", relay.lane.domain);
    assert!(warnings.len() == 1 && warnings[0].contains("WARN") && warnings[0].contains(&command), "{log}");

    let mail = probe(&relay, &[], "Perso");
    relay.daemon.wait_logged(1, id_of(&mail).expect("it passed us"));
    assert_eq!(filed(&relay, FRIEND), in_the_inbox, "nobody has confirmed it yet");
    let told = relay.daemon.command(&["probe", "confirm", &code_in(&mail)]);
    assert_eq!(told, "acme: +Perso is proven\npersonal messages are filed there from now on\n");
    wait_filed(&relay, FRIEND, "Perso");
    assert_eq!(filed(&relay, STRANGER), ("INBOX".to_owned(), "Un".to_owned()));

    relay.daemon.command(&["probe", "forget", "acme", "Perso"]);
    wait_filed(&relay, FRIEND, "INBOX");
}

/// The queue id under which Postfix, and so the daemon's log, knows a message.
fn id_of(mail: &Mail) -> Option<&str> {
    let received = *mail.message.values("Received").last()?;
    std::str::from_utf8(received).ok()?.split("id ").nth(1)?.split_whitespace().next()
}

#[test]
fn blocked_mail_is_filed_once_a_probe_was_found_in_the_junk_folder() {
    let relay = Relay::unproven(settings().set("black.action", "junk")).user("bob").black("bob", &[STRANGER]).start();
    assert_eq!(filed(&relay, STRANGER), ("INBOX".to_owned(), "Un".to_owned()), "nothing is lost meanwhile");
    let mail = probe(&relay, &["--junk"], "Junk");
    relay.daemon.command(&["probe", "confirm", &code_in(&mail)]);
    wait_filed(&relay, STRANGER, "Junk");
}

/// SIGHUP brings another folder, which nobody has seen.
#[test]
fn a_folder_of_another_name_is_another_folder() {
    let filing = || settings().set("personal.actions", vec!["folder"]);
    let relay = Relay::with(filing()).user("bob").personal("bob", &[FRIEND]).start();
    assert_eq!(filed(&relay, FRIEND).0, "Perso");
    relay.daemon.configure(filing().set("personal.folder", "Prive"));
    relay.daemon.signal(crate::scratch::Signal::Hangup);
    wait_filed(&relay, FRIEND, "INBOX");
    relay.daemon.wait_logged(1, "--folder Prive");
    let mail = probe(&relay, &[], "Prive");
    relay.daemon.command(&["probe", "confirm", &code_in(&mail)]);
    wait_filed(&relay, FRIEND, "Prive");
}

/// A Postfix that knows its users and no delimiter refuses the probe, as it would refuse the mail; once it knows the
/// delimiter, the probe arrives.
#[test]
fn a_postfix_without_the_delimiter_refuses_the_probe() {
    let scratch = Scratch::new();
    let dovecot = &Site::shared().dovecot;
    let (smtp, milter) = (Port::reserve(), Port::reserve());
    let entrances = [Entrance { port: &smtp, milters: format!("inet:127.0.0.1:{}", milter.number()) }];
    let bob = "bob@probe.example.org";
    let lines = format!("recipient_delimiter =\nvirtual_mailbox_maps = inline:{{{bob}=OK}}\n");
    let postfix = Postfix::start(&scratch, &entrances, dovecot.lmtp(), &lines);
    let socket = Socket::Inet { port: milter.number(), role: "edge" };
    let mut daemon = Daemon::new(scratch.directory("milter"), settings(), socket);
    daemon.command(&["org", "add", "acme", "--domain", "probe.example.org"]);
    daemon.start(&scratch);

    let server = format!("127.0.0.1:{}", smtp.number());
    let send = ["probe", "send", bob, "--smtp", &server];
    let said = daemon.refused(&send);
    assert!(said.contains("refuses mail for bob+Perso@probe.example.org: 550 5.1.1 "), "{said}");
    assert!(said.contains("User unknown") && said.contains("it does not know the delimiter +"), "{said}");
    assert!(said.contains("perso-milter postfix-config --folders"), "{said}");

    postfix.set(&["recipient_delimiter=+"]);
    wait_until("Postfix to know the delimiter", || {
        let mut session = crate::smtp::Smtp::connect(smtp.number());
        session.mail(FRIEND);
        session.rcpt("bob+Perso@probe.example.org").is_ok().then_some(())
    });
    daemon.command(&send);
    let mail = mailbox::wait_for(dovecot.imap(), bob, "Perso", 1).remove(0);
    daemon.command(&["probe", "confirm", &code_in(&mail)]);
    daemon.command(&["org", "set", "acme", "personal_actions=tag,folder"]);
}
