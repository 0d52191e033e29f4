//! Addresses that reach more than one mailbox, as a real Postfix expands them: the very file that Postfix reads is imported,
//! and what comes to a group, or to a boss whose secretary reads along, reaches everybody byte for byte as it was sent.

use std::fs;
use std::path::PathBuf;
use std::slice;

use crate::dovecot::Dovecot;
use crate::mailbox;
use crate::message::Message;
use crate::milter::{Daemon, Settings, Socket};
use crate::postfix::{Entrance, Postfix};
use crate::relay::{FRIEND, STRANGER, letter};
use crate::scratch::{Port, Scratch, Signal, wait_until};
use crate::site::Site;
use crate::smtp::{Sent, Smtp};

const DOMAIN: &str = "shared.example.org";

/// What Postfix reads as `virtual_alias_maps`. The mailboxes of two people stand on a host behind.
const VIRTUAL: &str = "\
# People
alice@shared.example.org      alice@mbox.shared.internal
a.martin@shared.example.org   alice@shared.example.org
bob@shared.example.org        bob@mbox.shared.internal
# The secretary reads along.
boss@shared.example.org       boss@mbox.shared.internal,
                              secretary@shared.example.org
# Groups
team@shared.example.org       alice@shared.example.org bob@shared.example.org
all@shared.example.org        team@shared.example.org, boss@shared.example.org
";

const ALICE: &str = "alice@mbox.shared.internal";
const BOB: &str = "bob@mbox.shared.internal";
const BOSS: &str = "boss@mbox.shared.internal";
const SECRETARY: &str = "secretary@shared.example.org";

/// A Postfix that expands by [`VIRTUAL`], with the daemon as its milter.
struct Expanding {
    daemon: Daemon,
    postfix: Postfix,
    dovecot: &'static Dovecot,
    smtp: Port,
    file: PathBuf,
    _milter: Port,
    scratch: Scratch,
}

impl Expanding {
    /// To everybody the friend is personal; the stranger is refused by everybody.
    fn new() -> Self {
        let scratch = Scratch::new();
        let dovecot = &Site::shared().dovecot;
        let (smtp, milter) = (Port::reserve(), Port::reserve());
        let entrances = [Entrance { port: &smtp, milters: format!("inet:127.0.0.1:{}", milter.number()) }];
        let file = scratch.directory("maps").join("virtual");
        fs::write(&file, VIRTUAL).expect("our own directory");
        let lines = format!("virtual_alias_maps = texthash:{}\n", file.display());
        let postfix = Postfix::start(&scratch, &entrances, dovecot.lmtp(), &lines);
        let socket = Socket::Inet { port: milter.number(), role: "edge" };
        let daemon = Daemon::new(scratch.directory("milter"), Settings::new(), socket);
        daemon.command(&["org", "add", "acme", "--domain", DOMAIN]);
        for name in ["alice", "bob", "boss", "secretary"] {
            let user = format!("{name}@{DOMAIN}");
            daemon.command(&["user", "add", &user]);
            daemon.command(&["entry", "add", &user, "personal", FRIEND]);
            daemon.command(&["entry", "add", &user, "black", STRANGER]);
        }
        Self { daemon, postfix, dovecot, smtp, file, _milter: milter, scratch }
    }

    fn import(&self) -> String {
        self.daemon.command(&["user", "import", self.file.to_str().expect("UTF-8")])
    }

    fn send(&self, from: &str, name: &str, message: &Message) -> Sent {
        Smtp::connect(self.smtp.number()).send(from, &[format!("{name}@{DOMAIN}")], message.bytes())
    }

    /// Every copy of a message that a mailbox has, without the trace of this delivery.
    fn copies(&self, sent: &Sent, mailbox: &str) -> Vec<Message> {
        self.postfix.settle(sent.id());
        let mails = mailbox::read(self.dovecot.imap(), mailbox).into_iter();
        mails.filter(|mail| mail.is_of(sent.id())).map(|mail| mail.message.without_trace()).collect()
    }

    /// Each of these mailboxes has the message once, as it was sent, and the others do not have it.
    fn assert_untouched(&self, sent: &Sent, mailboxes: &[&str], message: &Message) {
        for mailbox in [ALICE, BOB, BOSS, SECRETARY] {
            let wanted = usize::from(mailboxes.contains(&mailbox));
            assert_eq!(self.copies(sent, mailbox), vec![message.clone(); wanted], "{mailbox}");
        }
    }
}

#[test]
fn what_comes_to_a_shared_address_reaches_everybody_as_it_was_sent() {
    let mut site = Expanding::new();
    let told = site.import();
    for group in ["boss@shared.example.org expands to 2", "team@shared.example.org expands to 2"] {
        assert!(told.contains(&format!("{group}: shared\n")), "{told}");
    }
    site.daemon.start(&site.scratch);
    let message = letter(FRIEND, "Dimanche");
    let groups: [(&str, &[&str]); 3] =
        [("team", &[ALICE, BOB]), ("boss", &[BOSS, SECRETARY]), ("all", &[ALICE, BOB, BOSS, SECRETARY])];
    for (name, mailboxes) in groups {
        let sent = site.send(FRIEND, name, &message);
        site.assert_untouched(&sent, mailboxes, &message);
        // Whom all of them block is refused at none of these addresses.
        let blocked = letter(STRANGER, "Soldes");
        let sent = site.send(STRANGER, name, &blocked);
        site.assert_untouched(&sent, mailboxes, &blocked);
    }
    for name in ["alice", "a.martin", "Alice"] {
        let sent = site.send(FRIEND, name, &message);
        assert_eq!(site.copies(&sent, ALICE), [message.with_subject(" [PERSO] Dimanche")], "{name}");
        let refused = site.send(STRANGER, name, &letter(STRANGER, "Soldes"));
        assert_eq!(refused.refusal().map(|reply| reply.code), Some(550), "{name}");
    }

    site.daemon.signal(Signal::Terminate);
    assert!(site.daemon.wait().success());
    // Totals are shown once their day is over, and where enough users got mail: here it ends at once, and these are enough.
    let database = rusqlite::Connection::open(site.daemon.database()).expect("the database");
    database.execute("UPDATE totals SET day = date(day, '-1 day')", []).expect("the totals");
    assert_eq!(database.execute("UPDATE totals SET count = 10 WHERE kind = 'users'", []).expect("the totals"), 1);
    let shown = site.daemon.command(&["org", "show", "acme"]);
    let counted = |kind: &str| {
        shown.lines().find_map(|line| line.strip_prefix("total ")?.split_once(kind)?.1.trim().parse().ok())
    };
    assert_eq!((counted(" shared-address "), counted(" personal ")), (Some(6), Some(3)), "{shown}");
}

/// A group that is named while mail runs governs the next message.
#[test]
fn an_address_that_becomes_shared_is_left_alone_from_then_on() {
    let mut site = Expanding::new();
    site.daemon.start(&site.scratch);
    let message = letter(FRIEND, "Dimanche");
    let before = site.send(FRIEND, "boss", &message);
    let tagged = message.with_subject(" [PERSO] Dimanche");
    assert_eq!(site.copies(&before, SECRETARY), slice::from_ref(&tagged), "what goes wrong as long as nobody says so");
    let before = site.send(FRIEND, "a.martin", &message);
    assert_eq!(site.copies(&before, ALICE), slice::from_ref(&message), "not known as hers yet");
    site.import();
    wait_until("the import to govern", || {
        let sent = site.send(FRIEND, "a.martin", &message);
        (site.copies(&sent, ALICE) == slice::from_ref(&tagged)).then_some(())
    });
    let after = site.send(FRIEND, "boss", &message);
    site.assert_untouched(&after, &[BOSS, SECRETARY], &message);
    assert!(site.import().contains("\nnothing changed; "));
}
