//! `default_action = accept`: while the daemon is away mail passes unmarked, and whatever it was about to say of a
//! message, no recipient is lost by half of it. A recipient that is filed is added first and deleted after.

use std::collections::BTreeMap;

use super::course::Course;
use super::gate::Gate;
use super::letters;
use super::sink::Sink;
use crate::milter::{Daemon, Settings, Socket};
use crate::postfix::{Entrance, Postfix};
use crate::relay::{FRIEND, letter};
use crate::scratch::{Port, Scratch, Signal, show};
use crate::smtp::Smtp;

const DOMAIN: &str = "accept.example.org";
const MESSAGES: usize = 1000;
const KILLS: usize = 20;

/// A relay without a split that files personal mail, and passes everything while its milter is away.
struct Edge {
    postfix: Postfix,
    daemon: Daemon,
    smtp: Port,
    scratch: Scratch,
}

/// The daemon of such a relay, and where it listens.
fn daemon(scratch: &Scratch) -> (Daemon, u16) {
    let milter = Port::reserve().number();
    let settings = Settings::new().set("personal.actions", vec!["folder"]);
    let daemon = Daemon::new(scratch.directory("milter"), settings, Socket::Inet { port: milter, role: "edge" });
    daemon.command(&["org", "add", "acme", "--domain", DOMAIN]);
    daemon.prove("acme", &["Perso".to_owned()]);
    (daemon, milter)
}

impl Edge {
    /// Starts both; Postfix looks for the milter at a port and hands over to the sink.
    fn start(scratch: Scratch, mut daemon: Daemon, milter: u16, lines: &str) -> Self {
        daemon.start(&scratch);
        let (smtp, elsewhere) = (Port::reserve(), Port::reserve());
        let milters = format!("{{ inet:127.0.0.1:{milter}, default_action=accept }}");
        let postfix = Postfix::start(&scratch, &[Entrance { port: &smtp, milters }], &elsewhere, lines);
        Self { postfix, daemon, smtp, scratch }
    }
}

#[test]
fn a_daemon_that_is_killed_again_and_again_loses_no_recipient() {
    let scratch = Scratch::new();
    let (daemon, milter) = daemon(&scratch);
    let course = Course::new(DOMAIN, &daemon, MESSAGES);
    let mut edge = Edge::start(scratch, daemon, milter, &course.sink.main_cf());
    let sending = course.run(edge.smtp.number(), |progress| {
        for kill in 1..=KILLS {
            progress.reach(kill * MESSAGES / (KILLS + 1));
            edge.daemon.signal(Signal::Kill);
            edge.daemon.wait();
            progress.pass(5);
            edge.daemon.start(&edge.scratch);
        }
    });
    course.settle(&edge.postfix);
    let figures = course.figures(&sending, |letter, user, copy| {
        assert_eq!(copy.message.without_trace(), letter.message());
        let is_filed = copy.recipient.contains("+Perso@");
        assert!(!is_filed || letters::lists(user, letter.sender), "{} lists no such sender", copy.recipient);
    });
    assert_eq!(figures.retries, 0, "Postfix was told to accept");
    figures.show(&format!("accept at the edge, folder, the daemon killed {KILLS} times"));
}

/// The answer at the end of a message cut off at each of its bytes.
#[test]
fn an_answer_cut_off_anywhere_loses_no_recipient() {
    let scratch = Scratch::new();
    let (daemon, milter) = daemon(&scratch);
    for name in ["bob", "carl", "anne"] {
        daemon.command(&["user", "add", &address(name)]);
    }
    for name in ["bob", "carl"] {
        daemon.command(&["entry", "add", &address(name), "personal", FRIEND]);
    }
    let (gate, sink) = (Gate::before(milter), Sink::start());
    let edge = Edge::start(scratch, daemon, gate.port(), &sink.main_cf());
    let whole = copies(&edge, &sink);
    assert_eq!(whole, BTreeMap::from(["anne", "bob+Perso", "carl+Perso"].map(|name| (address(name), 1))));
    let length = gate.passed();
    let (mut unfiled, mut twice) = (0, 0);
    for bytes in 0..length {
        gate.cut_after(bytes);
        let copies = copies(&edge, &sink);
        for name in ["bob", "carl"] {
            let of = |name: &str| copies.get(&address(name)).copied().unwrap_or_default();
            let (inbox, folder) = (of(name), of(&format!("{name}+Perso")));
            assert!(inbox + folder >= 1, "{name} is lost when {bytes} of {length} bytes arrive: {copies:?}");
            unfiled += usize::from(folder == 0);
            twice += usize::from(inbox + folder > 1);
        }
        assert_eq!(copies.get(&address("anne")), Some(&1), "{bytes} of {length} bytes: {copies:?}");
    }
    let said = format!("accept at the edge, an answer cut at each of its {length} bytes: of {} recipients", 2 * length);
    show(&format!("{said} {unfiled} were not filed, {twice} got the message in both places, none lost"));
}

fn address(name: &str) -> String {
    format!("{name}@{DOMAIN}")
}

/// Sends a message to all three: who gets how many.
fn copies(edge: &Edge, sink: &Sink) -> BTreeMap<String, usize> {
    let recipients = ["bob", "anne", "carl"].map(address);
    let sent = Smtp::connect(edge.smtp.number()).send(FRIEND, &recipients, letter(FRIEND, "Coupe").bytes());
    edge.postfix.wait_removed(sent.id());
    let mut copies = BTreeMap::new();
    for copy in sink.take() {
        *copies.entry(copy.recipient).or_default() += 1;
    }
    copies
}
