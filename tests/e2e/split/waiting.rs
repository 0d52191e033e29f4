//! Copies that wait in the queue for a second pass that is away.

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
