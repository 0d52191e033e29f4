//! A clock that jumps years back and forth while messages are decided and lists change: no decision goes by it, and each
//! message is counted on the day that the clock says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use perso_milter::cache::{Cache, Follower};
use perso_milter::config::Config;
use perso_milter::directory::{Defaults, RelayDirectory};
use perso_milter::milter::client::Client;
use perso_milter::milter::connection::Sessions;
use perso_milter::milter::settings::Role;
use perso_milter::milter::wire::FRAME_MAX;
use perso_milter::policy::address::{Address, Domain};
use perso_milter::policy::authres::AuthenticationMode;
use perso_milter::policy::list::{EntryValue, ListKind};
use perso_milter::store::{Actor, Clock, NewUser, SqliteOptions, SqliteStore, Store, UserId, UserKind};
use tempfile::TempDir;

use super::harness::*;
use super::people::{ALICE, BOB, MUM, from_mum, serves, subject};

const DAY: i64 = 24 * 60 * 60;
const YEAR: i64 = 365 * DAY;
/// Messages between two jumps.
const MESSAGES: u64 = 50;

/// The daemon's own sessions over a store, both with the same clock. Alice calls Mum personal.
struct Relay {
    store: SqliteStore,
    bob: UserId,
    directory: Arc<RelayDirectory>,
    server: Running,
    _follower: Follower,
    _place: TempDir,
}

impl Relay {
    fn start(clock: &Clock) -> Self {
        let place = tempfile::tempdir().unwrap();
        let options = SqliteOptions { clock: clock.clone(), ..SqliteOptions::default() };
        let store = SqliteStore::open(&place.path().join("perso-milter.db"), options).unwrap();
        store.add_organisation(&root(), "acme", &[Domain::parse("example.org").unwrap()]).unwrap();
        let [alice, bob] = [ALICE, BOB].map(|path| {
            let address = Address::parse(path.trim_matches(['<', '>'])).unwrap();
            store.add_user(&root(), &NewUser { address, aliases: Vec::new(), kind: UserKind::Person }).unwrap()
        });
        store.add_entries(&root(), alice, &[mum()]).unwrap();
        let cache = Arc::new(Cache::new(store.address_hasher()));
        let mut defaults = Defaults::from(&Config::default());
        defaults.authentication.mode = AuthenticationMode::Off;
        let key = &store.keys().match_key;
        let directory = Arc::new(RelayDirectory::new(cache.clone(), key, defaults, clock.clone()));
        let follower = Follower::start(&store, cache, directory.clone()).unwrap();
        let sessions = Sessions::new(directory.clone(), &[Role::Edge], FRAME_MAX as u32);
        let server = start_with(Kind::Unix, limits(), sessions);
        Self { store, bob, directory, server, _follower: follower, _place: place }
    }

    /// Puts Mum on Bob's list, or takes her off, and sends to him until that governs. Returns how many messages it took.
    fn change(&self, client: &mut Client, listed: Listed) -> u64 {
        let expected = match listed {
            Listed::Yes => {
                self.store.add_entries(&root(), self.bob, &[mum()]).unwrap();
                "[PERSO] Dimanche"
            }
            Listed::No => {
                self.store.remove_entries(&root(), self.bob, &[mum()]).unwrap();
                "Dimanche"
            }
        };
        let mut sent = 0;
        eventually("the change governs", || {
            sent += 1;
            let outcome = from_mum(client, &[BOB]);
            subject(&outcome, client, &envelope(MUM, &[BOB])).as_deref() == Some(expected)
        });
        sent
    }
}

enum Listed {
    Yes,
    No,
}

fn root() -> Actor {
    Actor::Administrator { name: "root".to_owned() }
}

fn mum() -> (ListKind, EntryValue) {
    (ListKind::Personal, MUM.trim_matches(['<', '>']).parse().unwrap())
}

#[test]
fn no_decision_goes_by_the_clock() {
    let now = Arc::new(AtomicI64::new(1_800_000_000));
    let seconds = now.clone();
    let clock: Clock = Arc::new(move || Timestamp::from_second(seconds.load(Ordering::SeqCst)).unwrap());
    let relay = Relay::start(&clock);
    let mut client = relay.server.client();
    let mut decided = BTreeMap::new();
    for jump in [0, 10 * YEAR, -30 * YEAR, 25 * YEAR, -DAY, 40 * YEAR, -45 * YEAR] {
        now.fetch_add(jump, Ordering::SeqCst);
        (0..MESSAGES).for_each(|_| serves(&mut client));
        let changes = relay.change(&mut client, Listed::Yes) + relay.change(&mut client, Listed::No);
        *decided.entry(clock().to_zoned(TimeZone::UTC).date()).or_default() += MESSAGES + changes;
    }
    let totals = relay.directory.totals().take(None);
    let counted = totals.iter().filter(|total| total.kind == "decided").map(|total| (total.day, total.count));
    assert_eq!(counted.collect::<BTreeMap<_, u64>>(), decided);
}

#[test]
fn the_first_of_sixteen_messages_of_a_connection_is_timed() {
    let clock: Clock = Arc::new(|| Timestamp::from_second(1_800_000_000).unwrap());
    let relay = Relay::start(&clock);
    let timed = || relay.directory.latency().last_hour(clock()).iter().sum::<u64>();
    let mut client = relay.server.client();
    serves(&mut client);
    assert_eq!(timed(), 1);
    (1..16).for_each(|_| serves(&mut client));
    assert_eq!(timed(), 1);
    serves(&mut client);
    assert_eq!(timed(), 2);
    serves(&mut relay.server.client());
    assert_eq!(timed(), 3);
}
