//! Mail from local programs through non_smtpd_milters, and the unix socket of a chrooted Postfix. Each needs a Postfix
//! configured for it alone.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use crate::dovecot::Dovecot;
use crate::mailbox::{self, Mail};
use crate::message::Message;
use crate::milter::{Account, Daemon, Settings, Socket, account, mode_and_group};
use crate::postfix::{Entrance, Postfix};
use crate::relay::{FRIEND, STRANGER, letter};
use crate::scratch::{PATIENCE, Port, Scratch, Signal};
use crate::site::Site;
use crate::smtp::Smtp;

const BOB: &str = "bob@local.example.org";
const ANNE: &str = "anne@local.example.org";

/// Adds bob, to whom the friend is personal and who blocks the stranger, and anne, and starts the daemon.
fn start(daemon: &mut Daemon, scratch: &Scratch) {
    daemon.command(&["org", "add", "acme", "--domain", "local.example.org"]);
    daemon.command(&["user", "add", BOB]);
    daemon.command(&["user", "add", ANNE]);
    daemon.command(&["entry", "add", BOB, "personal", FRIEND]);
    daemon.command(&["entry", "add", BOB, "black", STRANGER]);
    daemon.start(scratch);
}

/// The copies of a message that a user has.
fn copies(dovecot: &Dovecot, postfix: &Postfix, id: &str, user: &str) -> Vec<Mail> {
    postfix.settle(id);
    let mut mails = mailbox::read(dovecot.imap(), user);
    mails.retain(|mail| mail.is_of(id));
    mails
}

/// A Postfix whose non_smtpd_milters is a daemon that listens in `role`.
struct Local {
    daemon: Daemon,
    postfix: Postfix,
    dovecot: &'static Dovecot,
    _milter: Port,
    _scratch: Scratch,
}

impl Local {
    fn start(role: &'static str, settings: Settings) -> Self {
        let scratch = Scratch::new();
        let dovecot = &Site::shared().dovecot;
        let (smtp, milter) = (Port::reserve(), Port::reserve());
        let entrances = [Entrance { port: &smtp, milters: String::new() }];
        let lines = format!("non_smtpd_milters = inet:127.0.0.1:{}\n", milter.number());
        let postfix = Postfix::start(&scratch, &entrances, dovecot.lmtp(), &lines);
        let socket = Socket::Inet { port: milter.number(), role };
        let mut daemon = Daemon::new(scratch.directory("milter"), settings, socket);
        start(&mut daemon, &scratch);
        Self { daemon, postfix, dovecot, _milter: milter, _scratch: scratch }
    }

    /// Submits by sendmail(1) and returns the queue id. The envelope sender must be used only once.
    fn submit(&self, from: &str, recipients: &[&str], message: &Message) -> String {
        self.postfix.sendmail(from, recipients, message.bytes());
        self.postfix.id_from(from)
    }
}

#[test]
fn sendmail_is_tagged_through_a_local_listener() {
    let local = Local::start("local", Settings::new());
    let message = letter(FRIEND, "Un");
    let id = local.submit(FRIEND, &[BOB], &message);
    let copies = copies(local.dovecot, &local.postfix, &id, BOB);
    let delivered: Vec<_> = copies.iter().map(|mail| mail.message.without_trace()).collect();
    assert_eq!(delivered, [message.with_subject(" [PERSO] Un")]);
}

/// A refusal at RCPT would leave such a message in the queue for ever, one at its end would bounce it to a colleague.
/// A listener in the role `edge` knows local mail by itself.
#[test]
fn sendmail_is_never_refused_whatever_the_lists_say() {
    for role in ["local", "edge"] {
        let mut local = Local::start(role, Settings::new());
        let message = letter(STRANGER, "Offres");
        let id = local.submit(STRANGER, &[BOB, ANNE], &message);
        let delivered = copies(local.dovecot, &local.postfix, &id, ANNE);
        assert_eq!(delivered.len(), 1, "anne's copy, role {role}: {:?}", local.postfix.log_of(&id));
        assert_eq!(delivered[0].message.without_trace(), message);
        assert!(local.postfix.queued(&id).is_none(), "nothing stays in the queue, role {role}");
        assert!(mailbox::read(local.dovecot.imap(), STRANGER).is_empty(), "nothing bounces, role {role}");
        assert!(local.daemon.is_running());
    }
}

/// The same where bob alone is addressed: accepted, gone from the queue, no bounce.
#[test]
fn sendmail_to_one_who_blocks_the_sender_leaves_nothing_stuck() {
    let local = Local::start("local", Settings::new());
    let sender = "offres@boutique-locale.example";
    local.daemon.command(&["entry", "add", ANNE, "black", "boutique-locale.example"]);
    let id = local.submit(sender, &[ANNE], &letter(sender, "Offres"));
    local.postfix.settle(&id);
    assert!(local.postfix.queued(&id).is_none());
    assert!(mailbox::read(local.dovecot.imap(), sender).is_empty(), "nothing bounces");
}

/// As on Debian: smtpd runs chrooted in the queue directory, the socket lies in it, and daemon and Postfix share the
/// group postfix. The daemon has no rights beside.
#[test]
fn a_chrooted_smtpd_reaches_the_unix_socket() {
    let scratch = Scratch::new();
    let dovecot = &Site::shared().dovecot;
    let smtp = Port::reserve();
    let entrances = [Entrance { port: &smtp, milters: String::new() }];
    let milters = "smtpd_milters = unix:perso-milter/milter.sock\n";
    let postfix = Postfix::start(&scratch, &entrances, dovecot.lmtp(), milters);

    let account = account("nobody", "postfix");
    let directory = postfix.queue().join("perso-milter");
    fs::create_dir(&directory).expect("root may write there");
    give_to(account, &directory);
    let path = directory.join("milter.sock");
    let mut daemon = Daemon::new(scratch.directory("milter"), Settings::new(), Socket::Unix(path.clone()));
    daemon = daemon.run_as(account);
    start(&mut daemon, &scratch);
    assert_eq!(mode_and_group(&path), (0o660, account.gid));

    let message = letter(FRIEND, "Un");
    let sent = Smtp::connect(smtp.number()).send(FRIEND, &[BOB], message.bytes());
    let copies = copies(dovecot, &postfix, sent.id(), BOB);
    let delivered: Vec<_> = copies.iter().map(|mail| mail.message.without_trace()).collect();
    assert_eq!(delivered, [message.with_subject(" [PERSO] Un")]);

    // A second daemon does not take the socket of one that lives.
    let out = scratch.path().join("second");
    let mut second = scratch.spawn(&mut daemon.run_command(), &out);
    let status = second.wait(PATIENCE).expect("the second daemon gives up");
    assert!(!status.success(), "{status}");
    let sent = Smtp::connect(smtp.number()).send(FRIEND, &[BOB], message.bytes());
    assert!(sent.refusal().is_none(), "{sent:?}");

    // The stale socket of one that was killed is no obstacle.
    daemon.signal(Signal::Kill);
    daemon.wait();
    assert!(path.exists(), "a killed daemon leaves its socket");
    daemon.start(&scratch);
    let sent = Smtp::connect(smtp.number()).send(FRIEND, &[BOB], message.bytes());
    assert!(sent.refusal().is_none(), "{sent:?}");
}

fn give_to(account: Account, directory: &Path) {
    chown(directory, Some(account.uid), Some(account.gid)).expect("root may");
    fs::set_permissions(directory, fs::Permissions::from_mode(0o2750)).expect("root may");
}
