//! What a scenario starts from: one daemon on a lane of the shared Postfix or behind a Sendmail of its own, with users and
//! lists, and the questions a test asks of it.
//!
//! Names without `@` are users of the test's own mail domain: `bob` is `bob@t3.example.org`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use serde_json::Value;

use crate::mailbox::{self, Mail};
use crate::message::Message;
use crate::milter::{Daemon, Settings, Socket, account};
use crate::scratch::Signal;
use crate::sendmail::Sendmail;
use crate::site::{Lane, Site};
use crate::smtp::{Sent, Smtp};

/// A sender of the scenarios, and another.
pub const FRIEND: &str = "marie@famille.example";
pub const STRANGER: &str = "ventes@boutique.example";

/// A message as a friend writes it, whose From is its envelope sender.
pub fn letter(from: &str, subject: &str) -> Message {
    Message::new(format!(
        "Received: from a.outside.example by b.outside.example; Mon, 2 Nov 2026 09:00:00 +0100\n\
         From: Quelqu'un <{from}>\n\
         To: Bob <bob@example.org>\n\
         Subject: {subject}\n\
         Date: Mon, 2 Nov 2026 09:00:00 +0100\n\
         Message-ID: <1@outside.example>\n\
         X-Folded: one\n\
         \ttwo\n\
         MIME-Version: 1.0\n\
         Content-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: 8bit\n\
         \n\
         Bonjour, \u{e7}a va ?\n\
         .une ligne qui commence par un point\n\
         \n\
         . \n"
    ))
}

/// What hands messages to the daemon.
enum Mta {
    /// The lane of the shared Postfix.
    Postfix,
    /// A Sendmail for this test alone.
    Sendmail(Sendmail),
}

pub struct Relay {
    pub daemon: Daemon,
    mta: Mta,
    pub lane: Lane,
}

impl Relay {
    /// A daemon with one organisation for the lane's domain, whose folders are proven; nothing runs yet.
    pub fn with(settings: Settings) -> Self {
        let folders = settings.folders();
        Self::unproven(settings).proven(&folders)
    }

    /// The same before any folder is proven.
    pub fn unproven(settings: Settings) -> Self {
        let lane = Site::shared().lane();
        let daemon = Daemon::new(directory(&lane), settings, tcp(&lane));
        Self::new(lane, daemon, Mta::Postfix)
    }

    /// The same behind a Sendmail that has the lines which `postfix-config --sendmail` prints.
    pub fn behind_sendmail(settings: Settings) -> Self {
        Self::behind_sendmail_with(settings, |_, lines| lines)
    }

    /// The same; `change` is given the lane's domain and those lines of sendmail.mc.
    pub fn behind_sendmail_with(settings: Settings, change: impl FnOnce(&str, String) -> String) -> Self {
        let lane = Site::shared().lane();
        let folders = settings.folders();
        let daemon = Daemon::new(directory(&lane), settings, tcp(&lane));
        let lines = change(&lane.domain, sendmail_mc(&daemon));
        let sendmail = Sendmail::start(Sendmail::scratch(), lane.site.dovecot.lmtp(), &lines);
        Self::new(lane, daemon, Mta::Sendmail(sendmail)).proven(&folders)
    }

    /// Behind a Sendmail by a unix socket of an account without rights, in the directory that `postfix-config` says to make;
    /// no folder is proven.
    pub fn behind_sendmail_by_unix_socket(settings: Settings) -> Self {
        let lane = Site::shared().lane();
        let scratch = Sendmail::scratch();
        let account = account("nobody", "postfix");
        let folder = scratch.directory("milter");
        chown(&folder, Some(account.uid), Some(account.gid)).expect("root may");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o750)).expect("root may");
        let socket = Socket::Unix(folder.join("milter.sock"));
        let daemon = Daemon::new(directory(&lane), settings, socket).run_as(account);
        let sendmail = Sendmail::start(scratch, lane.site.dovecot.lmtp(), &sendmail_mc(&daemon));
        Self::new(lane, daemon, Mta::Sendmail(sendmail))
    }

    fn new(lane: Lane, daemon: Daemon, mta: Mta) -> Self {
        let relay = Self { daemon, mta, lane };
        let domain = relay.lane.domain.clone();
        relay.daemon.command(&["org", "add", "acme", "--domain", &domain]);
        relay
    }

    fn proven(self, folders: &[String]) -> Self {
        self.daemon.prove("acme", folders);
        self
    }

    /// Adds a user.
    pub fn user(self, name: &str) -> Self {
        self.daemon.command(&["user", "add", &self.address(name)]);
        self
    }

    pub fn personal(self, name: &str, values: &[&str]) -> Self {
        self.entries(name, "personal", values);
        self
    }

    pub fn black(self, name: &str, values: &[&str]) -> Self {
        self.entries(name, "black", values);
        self
    }

    pub fn white(self, name: &str, values: &[&str]) -> Self {
        self.entries(name, "white", values);
        self
    }

    /// Adds entries to a list of a user, by a process of its own, as a postmaster does beside the running daemon.
    pub fn entries(&self, name: &str, list: &str, values: &[&str]) {
        let address = self.address(name);
        self.daemon.command(&[&["entry", "add", &address, list], values].concat());
    }

    /// Starts the daemon.
    pub fn start(mut self) -> Self {
        self.run();
        self
    }

    /// Starts the daemon, once more after its end.
    pub fn run(&mut self) {
        self.daemon.start(&self.lane.site.scratch);
    }

    /// Ends the daemon at once, as a crash does.
    pub fn crash(&mut self) {
        self.daemon.signal(Signal::Kill);
        self.daemon.wait();
    }

    /// The address of a user of this test's domain; what has an `@` is one already.
    pub fn address(&self, name: &str) -> String {
        if name.contains('@') { name.to_owned() } else { format!("{name}@{}", self.lane.domain) }
    }

    /// A recipient as [`Smtp::rcpt`] wants it: a name, perhaps with ESMTP arguments after a blank.
    pub fn recipient(&self, text: &str) -> String {
        match text.split_once(' ') {
            Some((name, arguments)) => format!("{} {arguments}", self.address(name)),
            None => self.address(text),
        }
    }

    /// Opens an SMTP session to this test's MTA.
    pub fn smtp(&self) -> Smtp {
        Smtp::connect(match &self.mta {
            Mta::Postfix => self.lane.smtp(),
            Mta::Sendmail(sendmail) => sendmail.smtp(),
        })
    }

    /// The Sendmail of a relay behind one.
    pub fn sendmail(&self) -> &Sendmail {
        match &self.mta {
            Mta::Sendmail(sendmail) => sendmail,
            Mta::Postfix => panic!("this relay is behind Postfix"),
        }
    }

    /// Sends a message in a session of its own.
    pub fn send(&self, from: &str, recipients: &[&str], message: &Message) -> Sent {
        self.send_in(&mut self.smtp(), from, recipients, message)
    }

    /// Sends a message in an open session.
    pub fn send_in(&self, session: &mut Smtp, from: &str, recipients: &[&str], message: &Message) -> Sent {
        let recipients: Vec<_> = recipients.iter().map(|text| self.recipient(text)).collect();
        session.send(from, &recipients, message.bytes())
    }

    /// Every copy of an accepted message that a user has, once nothing more is under way.
    pub fn copies(&self, sent: &Sent, name: &str) -> Vec<Mail> {
        self.copies_of(sent.id(), name)
    }

    /// The same by the MTA's queue id.
    pub fn copies_of(&self, id: &str, name: &str) -> Vec<Mail> {
        match &self.mta {
            Mta::Postfix => self.lane.site.postfix.settle(id),
            Mta::Sendmail(sendmail) => sendmail.settle(id),
        }
        let mut mails = self.mailbox(name);
        mails.retain(|mail| mail.is_of(id));
        mails
    }

    /// The one copy of a message that a user has: in which folder, and the message without the trace of this delivery.
    ///
    /// # Panics
    /// When there is none or more than one.
    pub fn copy(&self, sent: &Sent, name: &str) -> (String, Message) {
        let mut copies = self.copies(sent, name);
        let log = || match &self.mta {
            Mta::Postfix => self.lane.site.postfix.log_of(sent.id()).join("\n"),
            Mta::Sendmail(sendmail) => sendmail.tail(),
        };
        assert_eq!(copies.len(), 1, "copies for {name}: {copies:#?}\n{}", log());
        let Mail { folder, message } = copies.remove(0);
        (folder, message.without_trace())
    }

    /// Everything a user has.
    pub fn mailbox(&self, name: &str) -> Vec<Mail> {
        mailbox::read(self.lane.site.dovecot.imap(), &self.address(name))
    }

    /// Asserts that a message reached the inbox of a user as exactly these bytes.
    pub fn assert_inbox(&self, sent: &Sent, name: &str, expected: &Message) {
        self.assert_in("INBOX", sent, name, expected);
    }

    /// Asserts that a message reached a folder of a user as exactly these bytes.
    pub fn assert_in(&self, folder: &str, sent: &Sent, name: &str, expected: &Message) {
        let (found, message) = self.copy(sent, name);
        assert_eq!(found, folder, "the folder of {name}");
        assert_eq!(&message, expected, "the copy of {name}");
    }
}

/// Where the daemon of a lane has its files.
fn directory(lane: &Lane) -> PathBuf {
    lane.site.scratch.directory(&lane.domain)
}

/// Where the daemon of a lane listens.
fn tcp(lane: &Lane) -> Socket {
    Socket::Inet { port: lane.milter(), role: "edge" }
}

/// The lines of sendmail.mc that fit the daemon.
fn sendmail_mc(daemon: &Daemon) -> String {
    let printed = daemon.command(&["postfix-config", "--sendmail", "--json"]);
    let printed: Value = serde_json::from_str(&printed).expect("JSON");
    let sections = printed["sections"].as_array().expect("a list").iter();
    let lines = sections.filter(|section| section["key"] == "sendmail.mc").map(|section| section["lines"].clone());
    let lines: Vec<Vec<String>> = lines.map(|lines| serde_json::from_value(lines).expect("lines")).collect();
    lines.concat().join("\n") + "\n"
}
