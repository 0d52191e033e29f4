//! What operators see of the store and of the relays on it, whichever process these are in.

use std::path::Path;
use std::time::Duration;

use perso_milter::milter::settings::{Decided, Directory, Pass};
use perso_milter::policy::plan::{Direction, Plan};
use perso_milter::store::{RELAY_GONE, Role, Store};

use crate::harness::{Browser, Relay, Site, eventually};
use crate::staff::{Person, ROOT};

fn operator(site: &Site) -> Browser {
    Person::enrol(site, ROOT, Role::Operator).signs_in(site)
}

/// A message came to its end, and its decision took so long.
fn message(relay: &Relay, took: Duration) {
    let plan = Plan::default();
    let pass = Pass::First;
    let decided = Decided { lane: 0, direction: Direction::Inbound, pass, sender: None, recipients: &[], plan: &plan };
    relay.directory.decided(&decided);
    relay.directory.took(0, took);
}

#[test]
fn a_relay_of_another_process_is_shown_with_its_throughput_and_latency() {
    let site = Site::new();
    let mut root = operator(&site);
    let none = root.get("/exploitation").words();
    assert!(none.contains("Aucun relais"), "{none}");
    let relay = site.relay();
    (0..98).for_each(|_| message(&relay, Duration::from_micros(80)));
    (0..2).for_each(|_| message(&relay, Duration::from_millis(3)));
    site.clock.advance(Duration::from_secs(60));
    relay.pulse.tell().expect("told");
    let answer = root.get("/exploitation");
    let words = answer.words();
    for expected in [
        "Relais relay.example",
        "En service",
        "À jour",
        "Dernière minute 100",
        "La moitié des messages 100 µs au plus",
        "99 messages sur 100 5 ms au plus",
        "100 µs au plus 98",
        "5 ms au plus 2",
    ] {
        assert!(words.contains(expected), "{expected}: {words}");
    }
    assert_eq!(answer.body.matches("<svg viewBox").count(), 2, "{answer:?}");
    root.post("/langue", &[("langue", "en"), ("retour", "/exploitation")]);
    let english = root.get("/exploitation").words();
    assert!(english.contains("Up to date") && english.contains("at most 100 µs 98"), "{english}");
}

#[test]
fn the_last_troubles_are_shown_without_addresses() {
    let site = Site::new();
    let mut root = operator(&site);
    let relay = site.relay();
    relay.troubles.note(site.clock.now(), "the store cannot write anne@acme.example");
    relay.pulse.tell().expect("told");
    let words = root.get("/exploitation").words();
    assert!(words.contains("Derniers avertissements") && words.contains("the store cannot write (address)"), "{words}");
}

#[test]
fn a_relay_that_tells_nothing_any_more_is_said_to_be_gone() {
    let site = Site::new();
    let relay = site.relay();
    relay.pulse.tell().expect("told");
    site.clock.advance(RELAY_GONE);
    let words = operator(&site).get("/exploitation").words();
    assert!(words.contains("Disparu") && !words.contains("En service"), "{words}");
}

/// It is verified beside, not for each view.
#[test]
fn the_journal_is_said_to_be_verified_with_the_time() {
    let site = Site::new();
    let mut root = operator(&site);
    let verified = || root.get("/exploitation").words().contains("La chaîne se vérifie vérifié le").then_some(());
    eventually("the journal", verified);
}

#[test]
fn a_broken_journal_is_shown() {
    // The console verifies at its start: the chain is broken by then.
    let altered = |_: &dyn Store, path: &Path| {
        let raw = rusqlite::Connection::open(path).expect("the database");
        assert!(raw.execute("UPDATE journal SET kind = 'other'", []).expect("altered") > 0);
    };
    let site = Site::prepared(altered, |_| {});
    let mut root = operator(&site);
    let broken = || root.get("/exploitation").words().contains("La chaîne est rompue").then_some(());
    eventually("the journal", broken);
}
