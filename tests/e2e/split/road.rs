//! The way of a split message: an edge, a queue, a second pass, set up as `postfix-config` says.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::mailbox::{self, Mail};
use crate::message::{Message, contains, is_named};
use crate::milter::{Account, Daemon, Settings, Socket};
use crate::postfix::{Entrance, Postfix};
use crate::scratch::{Port, Scratch, Signal, wait_until};
use crate::site::Site;
use crate::smtp::{Sent, Smtp};

/// How many domains have been given out.
static DOMAINS: AtomicUsize = AtomicUsize::new(0);

/// What a scenario changes of the set-up. Names without `@` are users of its own domain.
pub struct Plan {
    /// The ports of the edge, of the second listener, and of the second smtpd.
    smtp: Port,
    edge: Port,
    split: Port,
    copies: Port,
    pub daemon: Daemon,
    scratch: Scratch,
    pub domain: String,
    main: String,
    before: Vec<String>,
    after: Vec<String>,
    /// Lines of `postfix-config` that the scenario leaves out, by what they begin with.
    left_out: Vec<&'static str>,
    edge_options: &'static str,
    /// What stands before the second listener, as Postfix sees it.
    before_split: Option<u16>,
}

impl Plan {
    /// An organisation without users, whose folders are proven; nothing runs yet.
    pub fn new(settings: Settings) -> Self {
        Self::with_copies_to(settings, Port::reserve())
    }

    /// The same with the second smtpd at this port.
    pub fn with_copies_to(settings: Settings, copies: Port) -> Self {
        let domain = format!("s{}.example.org", DOMAINS.fetch_add(1, Ordering::Relaxed));
        let (smtp, edge, split) = (Port::reserve(), Port::reserve(), Port::reserve());
        let settings = settings
            .listener(&format!("inet:{}@127.0.0.1", split.number()), &[("role", "split")])
            .set("split.address", copies.address().to_string());
        let scratch = Scratch::new();
        let folders = settings.folders();
        let socket = Socket::Inet { port: edge.number(), role: "edge" };
        let daemon = Daemon::new(scratch.directory("milter"), settings, socket);
        daemon.command(&["org", "add", "acme", "--domain", &domain]);
        daemon.prove("acme", &folders);
        let (main, before, after, left_out, before_split) = Default::default();
        let edge_options = "";
        Self {
            smtp,
            edge,
            split,
            copies,
            scratch,
            daemon,
            domain,
            main,
            before,
            after,
            left_out,
            edge_options,
            before_split,
        }
    }

    /// Serves a domain more.
    pub fn domain(self, name: &str) -> Self {
        self.daemon.command(&["org", "domain", "add", "acme", name]);
        self
    }

    /// Adds a user, with further addresses.
    pub fn user(self, name: &str, aliases: &[&str]) -> Self {
        let address = self.address(name);
        let mut arguments = vec!["user", "add", &address];
        aliases.iter().for_each(|alias| arguments.extend(["--alias", alias]));
        self.daemon.command(&arguments);
        self
    }

    /// Adds entries to a list of a user.
    pub fn entries(self, name: &str, list: &str, values: &[&str]) -> Self {
        let address = self.address(name);
        self.daemon.command(&[&["entry", "add", &address, list], values].concat());
        self
    }

    /// Lines of main.cf that stand above those of `postfix-config`.
    pub fn main_cf(mut self, lines: &str) -> Self {
        self.main.push_str(&lines.replace("DOMAIN", &self.domain));
        self.main.push('\n');
        self
    }

    /// virtual(5) lines, expanded between the passes.
    pub fn aliases(self, lines: &str) -> Self {
        let table = self.scratch.directory("postfix").join("virtual");
        fs::write(&table, lines.replace("DOMAIN", &self.domain)).expect("our own directory");
        self.main_cf(&format!("virtual_alias_maps = texthash:{}", table.display()))
    }

    /// A milter before ours at the edge.
    pub fn milter_before(mut self, port: u16) -> Self {
        self.before.push(format!("inet:127.0.0.1:{port}"));
        self
    }

    /// A milter after ours at the edge.
    pub fn milter_after(mut self, port: u16) -> Self {
        self.after.push(format!("inet:127.0.0.1:{port}"));
        self
    }

    /// Lets the edge take mail whatever main.cf says of restrictions.
    pub fn edge_open(mut self) -> Self {
        self.edge_options = "  -o smtpd_sender_restrictions=\n  -o smtpd_milter_maps=\n  -o mynetworks=127.0.0.0/8\n";
        self
    }

    /// Runs the daemon under an account without rights.
    pub fn run_as(self, account: Account) -> Self {
        Self { daemon: self.daemon.run_as(account), ..self }
    }

    /// Makes Postfix look for the second listener at another port.
    pub fn split_seen_at(mut self, port: u16) -> Self {
        self.before_split = Some(port);
        self
    }

    /// The port of the second listener.
    pub fn split_listener(&self) -> u16 {
        self.split.number()
    }

    /// Leaves out the lines of `postfix-config` that begin so: what a postmaster may forget.
    pub fn without(mut self, line: &'static str) -> Self {
        self.left_out.push(line);
        self
    }

    /// Postfix's config_directory.
    pub fn postfix_directory(&self) -> String {
        self.scratch.path().join("postfix").display().to_string()
    }

    pub fn address(&self, name: &str) -> String {
        if name.contains('@') { name.to_owned() } else { format!("{name}@{}", self.domain) }
    }

    /// Starts the daemon and Postfix.
    pub fn start(mut self) -> Road {
        self.daemon.start(&self.scratch);
        let directory = self.scratch.directory("postfix");
        let queue = self.scratch.path().join("queue");
        let (directory_text, queue_text) = (directory.display().to_string(), queue.display().to_string());
        let arguments =
            ["postfix-config", "--json", "--config-directory", &directory_text, "--queue-directory", &queue_text];
        let printed: Value = serde_json::from_str(&self.daemon.command(&arguments)).expect("JSON");
        let lines = |key: &str| self.lines(&printed, key);
        for (key, file) in [("split marker", "perso-milter-split"), ("split received", "perso-milter-received")] {
            fs::write(directory.join(file), lines(key)).expect("our own directory");
            fs::set_permissions(directory.join(file), fs::Permissions::from_mode(0o600)).expect("our own file");
        }
        // Options of the edge come first: they belong to the service above them.
        let mut master = format!("{}{}", self.edge_options, lines("split master.cf"));
        if let Some(port) = self.before_split {
            let listener = |port: u16| format!("inet:127.0.0.1:{port}");
            assert!(master.contains(&listener(self.split.number())), "{master}");
            master = master.replace(&listener(self.split.number()), &listener(port));
        }
        let main = format!("{}{}\n{}", lines("main.cf"), self.main, lines("split main.cf"));
        let ours = format!("inet:127.0.0.1:{}", self.edge.number());
        let milters: Vec<&str> = self
            .before
            .iter()
            .map(String::as_str)
            .chain([ours.as_str()])
            .chain(self.after.iter().map(String::as_str))
            .collect();
        let entrances = [Entrance { port: &self.smtp, milters: milters.join(", ") }];
        let lmtp = Site::shared().dovecot.lmtp();
        let postfix = Postfix::start_with(&self.scratch, &entrances, lmtp, &main, &master);
        let splits = master.contains("perso-split");
        wait_until("the second smtpd", || (!splits || self.copies.accepts()).then_some(()));
        Road { postfix, plan: self }
    }

    fn lines(&self, printed: &Value, key: &str) -> String {
        let sections = printed["sections"].as_array().expect("sections");
        // With split.mode = "off" nothing of the second pass is printed.
        let Some(section) = sections.iter().find(|section| section["key"] == key) else { return String::new() };
        let lines = section["lines"].as_array().expect("lines").iter().filter_map(Value::as_str);
        let kept = lines.filter(|line| !self.left_out.iter().any(|start| line.trim_start().starts_with(start)));
        kept.map(|line| format!("{line}\n")).collect()
    }
}

/// A running set-up.
pub struct Road {
    pub postfix: Postfix,
    pub plan: Plan,
}

impl Road {
    pub fn smtp(&self) -> Smtp {
        Smtp::connect(self.plan.smtp.number())
    }

    /// The port of the edge.
    pub fn first(&self) -> u16 {
        self.plan.smtp.number()
    }

    /// The port of the second smtpd.
    pub fn second(&self) -> u16 {
        self.plan.copies.number()
    }

    /// Sends a message to names, or addresses with ESMTP arguments behind a blank.
    pub fn send(&self, from: &str, recipients: &[&str], message: &Message) -> Sent {
        let recipient = |text: &&str| match text.split_once(' ') {
            Some((name, arguments)) => {
                format!("{} {}", self.plan.address(name), arguments.replace("DOMAIN", &self.plan.domain))
            }
            None => self.plan.address(text),
        };
        let recipients: Vec<String> = recipients.iter().map(recipient).collect();
        self.smtp().send(from, &recipients, message.bytes())
    }

    /// Whether a message was split; it and its copies have left the queue.
    pub fn was_split(&self, id: &str) -> bool {
        let copies = self.postfix.copies_of(id);
        copies.iter().for_each(|copy| self.postfix.settle(copy));
        !copies.is_empty()
    }

    /// Every copy of a message that a user has, as it lies in the mailbox.
    pub fn mails(&self, id: &str, name: &str) -> Vec<Mail> {
        self.was_split(id);
        let mut mails = mailbox::read(Site::shared().dovecot.imap(), &self.plan.address(name));
        mails.retain(|mail| mail.is_of(id));
        mails
    }

    /// The one copy of a user: its folder, and the message without the trace of this delivery.
    pub fn copy(&self, sent: &Sent, name: &str) -> (String, Message) {
        let mut mails = self.mails(sent.id(), name);
        let log = || {
            let copies = self.postfix.copies_of(sent.id());
            copies
                .iter()
                .flat_map(|id| self.postfix.log_of(id))
                .chain(self.postfix.log_of(sent.id()))
                .collect::<Vec<_>>()
                .join("\n")
        };
        assert_eq!(mails.len(), 1, "copies for {name}: {mails:#?}\n{}", log());
        let Mail { folder, message } = mails.remove(0);
        (folder, message.without_trace())
    }

    /// Asserts where a copy lies, and its bytes.
    pub fn assert_copy(&self, sent: &Sent, name: &str, folder: &str, expected: &Message) {
        let (found, message) = self.copy(sent, name);
        assert_eq!(found, folder, "the folder of {name}");
        assert_eq!(&message, expected, "the copy of {name}");
    }

    /// The errors that `check` finds in Postfix's files.
    pub fn errors(&self) -> Vec<String> {
        let (_, text) = self.plan.daemon.try_command(&["check", "--postconf-dir", &self.plan.postfix_directory()]);
        let lines = text.lines().filter(|line| line.contains("main.cf: ") || line.contains("master.cf: "));
        lines.filter(|line| !line.contains("warning: ")).map(str::to_owned).collect()
    }

    /// Starts the daemon, once more after its end.
    pub fn start_daemon(&mut self) {
        let Plan { daemon, scratch, .. } = &mut self.plan;
        daemon.start(scratch);
    }

    /// Ends the daemon at once and starts it again.
    pub fn crash_daemon(&mut self) {
        self.plan.daemon.signal(Signal::Kill);
        self.plan.daemon.wait();
        self.start_daemon();
    }

    /// Ends Postfix at once and starts it again.
    pub fn crash_postfix(&mut self) {
        self.postfix.crash(&self.plan.scratch);
        wait_until("both smtpd", || (self.plan.smtp.accepts() && self.plan.copies.accepts()).then_some(()));
    }
}

/// A message with what differs between any two deliveries of the same message made equal: queue ids and times.
pub fn without_ids(message: &Message) -> Message {
    let (fields, body) = message.parts();
    let mut text = Vec::new();
    for field in fields {
        if is_named(field, "Received") && (contains(field, b"by mx.example.org") || contains(field, b"with LMTP")) {
            let line = String::from_utf8_lossy(field);
            let head = line.split(';').next().unwrap_or_default();
            let mut after_id = false;
            let words = head.split_whitespace().map(|word| {
                let is_id = std::mem::replace(&mut after_id, word == "id");
                if is_id { "ID" } else { word }
            });
            text.extend_from_slice(words.collect::<Vec<_>>().join(" ").as_bytes());
            text.extend_from_slice(b"\r\n");
        } else {
            text.extend_from_slice(field);
        }
    }
    text.extend_from_slice(body);
    Message::new(text)
}
