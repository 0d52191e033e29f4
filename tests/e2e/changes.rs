//! What changes while mail runs: the lists, the configuration, the daemon itself.

use std::time::{Duration, Instant};

use crate::message::Message;
use crate::milter::Settings;
use crate::relay::{FRIEND, Relay, STRANGER, letter};
use crate::scratch::{Signal, poll, wait_until};
use crate::smtp::Smtp;

/// How long a change may take to govern the next message. The product promises 200 ms; a busy machine gets more, and
/// the test tells what it saw.
const PROMISE: Duration = Duration::from_secs(2);

fn bob() -> Relay {
    Relay::with(Settings::new()).user("bob").personal("bob", &[FRIEND]).start()
}

/// Sends a letter in an open session and returns the Subject that bob reads.
fn subject_seen(relay: &Relay, session: &mut Smtp, from: &str) -> String {
    let sent = relay.send_in(session, from, &["bob"], &letter(from, "Un"));
    let (_, delivered) = relay.copy(&sent, "bob");
    String::from_utf8_lossy(delivered.subject().unwrap_or_default()).trim().to_owned()
}

#[test]
fn an_entry_added_by_another_process_governs_the_next_message_of_the_session() {
    let relay = bob();
    let mut session = relay.smtp();
    let other = "oncle@village.example";
    assert_eq!(subject_seen(&relay, &mut session, other), "Un");

    relay.entries("bob", "personal", &[other]);
    let changed = Instant::now();
    let mut sent = 0;
    let delay = poll(PROMISE, || {
        // The clock stops when the message that shows the change is handed over, not when it has been read.
        let delay = changed.elapsed();
        sent += 1;
        (subject_seen(&relay, &mut session, other) == "[PERSO] Un").then_some(delay)
    });
    let delay = delay.unwrap_or_else(|| panic!("not in {PROMISE:?} and {sent} messages"));
    println!("a list change was seen by message {sent}, {delay:?} after the command had ended");
}

#[test]
fn an_entry_removed_and_a_user_removed_govern_the_next_message_too() {
    let relay = bob();
    let mut session = relay.smtp();
    let address = relay.address("bob");
    assert_eq!(subject_seen(&relay, &mut session, FRIEND), "[PERSO] Un");
    relay.daemon.command(&["entry", "remove", &address, "personal", FRIEND]);
    let untagged = |session: &mut Smtp| (subject_seen(&relay, session, FRIEND) == "Un").then_some(());
    assert!(poll(PROMISE, || untagged(&mut session)).is_some(), "the removed entry still governs");

    relay.entries("bob", "personal", &[FRIEND]);
    let tagged = || (subject_seen(&relay, &mut session, FRIEND) == "[PERSO] Un").then_some(());
    assert!(poll(PROMISE, tagged).is_some(), "the entry added again does not govern");
    relay.daemon.command(&["user", "remove", &address]);
    assert!(poll(PROMISE, || untagged(&mut session)).is_some(), "the removed user's list still governs");
}

#[test]
fn a_user_added_to_the_running_daemon_is_served() {
    let relay = bob().user("anne").personal("anne", &[STRANGER]);
    let tagged = poll(PROMISE, || {
        let message = letter(STRANGER, "Un");
        let sent = relay.send(STRANGER, &["anne"], &message);
        (relay.copy(&sent, "anne").1 == message.with_subject(" [PERSO] Un")).then_some(())
    });
    assert!(tagged.is_some());
}

#[test]
fn sighup_takes_a_changed_configuration() {
    let relay = bob();
    let mut session = relay.smtp();
    assert_eq!(subject_seen(&relay, &mut session, FRIEND), "[PERSO] Un");
    relay.daemon.configure(Settings::new().set("personal.tag", "[PRIVE]"));
    relay.daemon.signal(Signal::Hangup);
    wait_until("the changed tag", || (subject_seen(&relay, &mut session, FRIEND) == "[PRIVE] Un").then_some(()));
}

#[test]
fn sighup_with_a_bad_configuration_is_refused_and_the_old_one_serves_on() {
    let mut relay = bob();
    let mut session = relay.smtp();
    relay.daemon.configure_raw("[personal]\ntag = \"[PRIVE]\"\nactions = [\"fold\"]\n");
    let before = relay.daemon.log().len();
    relay.daemon.signal(Signal::Hangup);
    wait_until("a line in the log that names the mistake", || {
        relay.daemon.log().get(before..).is_some_and(|log| log.contains("fold")).then_some(())
    });
    assert!(relay.daemon.is_running());
    assert_eq!(subject_seen(&relay, &mut session, FRIEND), "[PERSO] Un");
    assert_eq!(subject_seen(&relay, &mut relay.smtp(), FRIEND), "[PERSO] Un");
}

/// The milter goes away between two messages of one SMTP session: Postfix tells the sender to come back, and in the
/// next session all is well.
#[test]
fn a_restart_in_mid_session_costs_a_retry_and_no_message() {
    let mut relay = bob();
    let mut session = relay.smtp();
    assert_eq!(subject_seen(&relay, &mut session, FRIEND), "[PERSO] Un");
    relay.crash();
    relay.run();
    let refused = relay.send_in(&mut session, FRIEND, &["bob"], &letter(FRIEND, "Un"));
    assert_eq!(refused.refusal().map(|reply| reply.code), Some(451), "{refused:?}");
    assert_eq!(subject_seen(&relay, &mut relay.smtp(), FRIEND), "[PERSO] Un");
}

/// SIGTERM comes between RCPT and DATA: the message under way is finished as it was begun, and the exit status is 0.
#[test]
fn sigterm_drains_the_message_under_way() {
    let mut relay = bob();
    let mut session = relay.smtp();
    let message = letter(FRIEND, "Un");
    assert!(session.mail(FRIEND).is_ok());
    assert!(session.rcpt(&relay.address("bob")).is_ok());
    relay.daemon.signal(Signal::Terminate);
    relay.daemon.wait_closed();
    assert!(relay.daemon.is_running(), "it waits for the message");

    assert!(session.command("DATA").is_ok());
    let end = session.message(message.bytes());
    assert_eq!(end.code, 250, "{end:?}");
    let status = relay.daemon.wait();
    assert_eq!(status.code(), Some(0), "{status}");
    let id = end.queue_id().expect("it was queued");
    let copies = relay.copies_of(id, "bob");
    let delivered: Vec<Message> = copies.iter().map(|mail| mail.message.without_trace()).collect();
    assert_eq!(delivered, [message.with_subject(" [PERSO] Un")]);
}

#[test]
fn sigterm_ends_an_idle_daemon_at_once_even_with_a_session_open() {
    let mut relay = bob();
    let mut session = relay.smtp();
    assert_eq!(subject_seen(&relay, &mut session, FRIEND), "[PERSO] Un");
    relay.daemon.signal(Signal::Terminate);
    let asked = Instant::now();
    let status = relay.daemon.wait();
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(asked.elapsed() < Duration::from_secs(10), "an idle session held it for {:?}", asked.elapsed());
}
