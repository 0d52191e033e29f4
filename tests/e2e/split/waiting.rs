//! Copies that wait in the queue for a second pass that is away.

use std::fs;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::road::{Plan, Road};
use crate::faults::gate::Gate;
use crate::message::Message;
use crate::milter::Settings;
use crate::relay::{FRIEND, letter};
use crate::scratch::{Signal, wait_until};
use crate::smtp::Sent;

/// Bob has the friend as personal, Anne has no entry; the gate before the second listener is closed.
fn behind_a_closed_gate(change: impl FnOnce(Plan) -> Plan) -> (Road, Gate) {
    let plan = Plan::new(Settings::new()).user("bob", &[]).user("anne", &[]).entries("bob", "personal", &[FRIEND]);
    let plan = change(plan);
    let mut gate = Gate::before(plan.split_listener());
    gate.close();
    let road = plan.split_seen_at(gate.port()).start();
    (road, gate)
}

/// Sends a message to both, and sees both copies wait.
fn send_and_see_wait(road: &Road, message: &Message) -> Sent {
    let sent = road.send(FRIEND, &["bob", "anne"], message);
    let both = ["anne", "bob"].map(|name| road.plan.address(name));
    wait_until("both copies to be put off", || {
        let mut waiting = road.postfix.waiting(sent.id());
        waiting.sort_unstable();
        (waiting == both).then_some(())
    });
    sent
}

fn both_are_right(road: &Road, sent: &Sent, message: &Message, of_bob: &Message) {
    road.postfix.wait_removed(sent.id());
    road.assert_copy(sent, "bob", "INBOX", of_bob);
    road.assert_copy(sent, "anne", "INBOX", message);
}

/// A relay that Postfix may fall back to: it counts who calls, and says nothing.
struct Fallback {
    port: u16,
    calls: Arc<AtomicUsize>,
}

impl Fallback {
    /// Listens until the tests end.
    fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        thread::spawn(move || {
            listener.incoming().for_each(|_| {
                counted.fetch_add(1, Ordering::SeqCst);
            });
        });
        Self { port, calls }
    }

    fn main_cf(&self) -> String {
        format!("smtp_fallback_relay = [127.0.0.1]:{}", self.port)
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

/// While the milter is down both copies wait, bearing the marker for nobody to see; then each arrives once.
#[test]
fn while_the_milter_is_down_copies_wait() {
    let (mut road, mut gate) = behind_a_closed_gate(|plan| plan);
    let message = letter(FRIEND, "Patience");
    let sent = send_and_see_wait(&road, &message);
    road.plan.daemon.signal(Signal::Kill);
    road.plan.daemon.wait();
    gate.open();
    road.start_daemon();
    both_are_right(&road, &sent, &message, &message.with_subject(" [PERSO] Patience"));
}

/// A relay that main.cf has Postfix fall back to would deliver the copies with the marker in them: it is not even called.
#[test]
fn a_fallback_relay_gets_no_copy() {
    let fallback = Fallback::listen();
    let (road, mut gate) = behind_a_closed_gate(|plan| plan.main_cf(&fallback.main_cf()));
    let message = letter(FRIEND, "Patience");
    let sent = send_and_see_wait(&road, &message);
    gate.open();
    both_are_right(&road, &sent, &message, &message.with_subject(" [PERSO] Patience"));
    assert_eq!(fallback.calls(), 0);
}

/// The test of the test above: the line that it is about, left out.
#[test]
fn without_its_line_the_fallback_relay_is_called() {
    let fallback = Fallback::listen();
    let forgotten = "-o smtp_fallback_relay=";
    let (road, _gate) = behind_a_closed_gate(|plan| plan.main_cf(&fallback.main_cf()).without(forgotten));
    road.send(FRIEND, &["bob"], &letter(FRIEND, "Oubli"));
    wait_until("the fallback relay to be called", || (fallback.calls() > 0).then_some(()));
}

/// Ends the daemon while copies wait, lets something change, starts it again, and lets the copies through. What Bob gets is
/// the message, changed by `edit`; what Anne gets is the message.
fn both_arrive_after(change: impl FnOnce(&Road), edit: impl FnOnce(&Message) -> Message) -> Road {
    let (mut road, mut gate) = behind_a_closed_gate(|plan| plan);
    let message = letter(FRIEND, "Entre-temps");
    let sent = send_and_see_wait(&road, &message);
    road.plan.daemon.signal(Signal::Kill);
    road.plan.daemon.wait();
    change(&road);
    gate.open();
    road.start_daemon();
    both_are_right(&road, &sent, &message, &edit(&message));
    road
}

/// Whoever is no user any more has no lists; their copy arrives as that of anybody else.
#[test]
fn a_copy_for_a_user_who_was_removed_arrives_unedited() {
    let remove = |road: &Road| {
        road.plan.daemon.command(&["user", "remove", &road.plan.address("bob")]);
    };
    both_arrive_after(remove, Message::clone);
}

/// What was marked before the split was turned off is still each recipient's own.
#[test]
fn copies_that_wait_are_edited_when_the_split_is_turned_off() {
    let turn_off = |road: &Road| {
        let file = road.plan.daemon.beside_store("perso-milter.toml");
        let text = fs::read_to_string(&file).expect("the configuration");
        fs::write(&file, text.replace("[split]\n", "[split]\nmode = \"off\"\n")).expect("our own file");
    };
    let road = both_arrive_after(turn_off, |message| message.with_subject(" [PERSO] Entre-temps"));
    let sent = road.send(FRIEND, &["bob", "anne"], &letter(FRIEND, "Depuis"));
    assert!(!road.was_split(sent.id()), "it is off");
}

/// Another store cannot read the markers of the one before: its copies arrive unedited, without them, and the log has an
/// alarm. Nothing waits for a key that may never come back.
#[test]
fn copies_of_a_store_that_was_replaced_arrive_unedited_with_an_alarm() {
    let replace = |road: &Road| {
        let daemon = &road.plan.daemon;
        for name in ["perso-milter.db", "perso-milter.db-wal", "perso-milter.db-shm", "match.key", "seal.key"] {
            // The files beside the database are there only while it is open.
            let _ = fs::remove_file(daemon.beside_store(name));
        }
        let bob = road.plan.address("bob");
        daemon.command(&["org", "add", "acme", "--domain", &road.plan.domain]);
        daemon.command(&["user", "add", &bob]);
        daemon.command(&["entry", "add", &bob, "personal", FRIEND]);
    };
    let road = both_arrive_after(replace, Message::clone);
    road.plan.daemon.wait_logged(2, "that the edge of this store has not split");
}
