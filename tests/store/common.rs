//! What the tests of the store share: a clock of their own, names, and waiting without sleeping for a fixed time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use perso_milter::policy::address::{Address, Domain};
use perso_milter::policy::list::{EntryValue, ListKind};
use perso_milter::store::{
    Actor, Clock, Entry, NewUser, OrganisationId, Permission, Readable, SealAccess, SqliteOptions, SqliteStore, Store,
    UserId, UserKind,
};

/// A clock that stands until a test moves it.
#[derive(Clone)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_800_000_000)))
    }

    pub fn advance(&self, time: Duration) {
        self.0.fetch_add(time.as_secs() as i64, Ordering::SeqCst);
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).expect("a time")
    }

    pub fn clock(&self) -> Clock {
        let this = self.clone();
        Arc::new(move || this.now())
    }
}

/// A directory with a SQLite store to be, and its clock.
pub struct Place {
    pub dir: tempfile::TempDir,
    pub clock: TestClock,
}

impl Place {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a directory"), clock: TestClock::new() }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("perso-milter.db")
    }

    pub fn options(&self) -> SqliteOptions {
        let wait = Duration::from_millis(50);
        SqliteOptions {
            clock: self.clock.clock(),
            open_wait: wait,
            write_wait: Duration::from_secs(5),
            seal: SealAccess::IfReadable,
        }
    }

    pub fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.path(), self.options()).expect("a store")
    }

    /// The database itself, as somebody with the file in hands.
    pub fn raw(&self) -> rusqlite::Connection {
        raw(&self.path())
    }
}

pub fn raw(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).expect("the database")
}

pub fn administrator() -> Actor {
    Actor::Administrator { name: "root".to_owned() }
}

pub fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

pub fn domain(text: &str) -> Domain {
    Domain::parse(text).expect("a domain")
}

pub fn value(text: &str) -> EntryValue {
    text.parse().expect("an entry")
}

pub fn person(text: &str) -> NewUser {
    NewUser { address: address(text), aliases: Vec::new(), kind: UserKind::Person }
}

/// An organisation `acme` with `acme.example`.
pub fn acme(store: &dyn Store) -> OrganisationId {
    store.add_organisation(&administrator(), "acme", &[domain("acme.example")]).expect("an organisation")
}

/// The user `anne@acme.example` of `acme`.
pub fn anne(store: &dyn Store) -> UserId {
    acme(store);
    store.add_user(&administrator(), &person("anne@acme.example")).expect("a user")
}

pub fn add(store: &dyn Store, user: UserId, list: ListKind, texts: &[&str]) {
    let entries: Vec<_> = texts.iter().map(|text| (list, value(text))).collect();
    store.add_entries(&Actor::User, user, &entries).expect("added");
}

/// The user's own reading of a list; an altered entry reads `ALTERED`.
pub fn texts(store: &dyn Store, user: UserId, list: ListKind) -> Vec<String> {
    let entries = store.read_entries(user, Some(list), &Permission::Own(user)).expect("read");
    entries.iter().map(text).collect()
}

fn text(entry: &Entry) -> String {
    match &entry.value {
        Readable::Value(value) => value.written(),
        Readable::Lost => "LOST".to_owned(),
        Readable::Altered => "ALTERED".to_owned(),
    }
}

/// A fresh store, with whatever must live as long.
pub struct Fixture {
    pub store: Box<dyn Store>,
    pub clock: TestClock,
    _keep: Place,
}

/// The embedded store.
pub fn sqlite() -> Fixture {
    let place = Place::new();
    Fixture { store: Box::new(place.open()), clock: place.clock.clone(), _keep: place }
}

/// Runs cases against a backend, named by how a fresh store is made.
macro_rules! conformance {
    ($backend:ident: $($case:ident)*) => {
        mod $backend {
            $(#[test]
            fn $case() {
                let fixture = crate::common::$backend();
                super::$case(fixture.store.as_ref(), &fixture.clock);
            })*
        }
    };
}

/// All bytes of the store's files, the keys' left out.
pub fn bytes(place: &Place) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(place.dir.path()).expect("listed") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "key") {
            all.extend(std::fs::read(path).expect("read"));
        }
    }
    all
}

/// Whether bytes stand among others.
pub fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// Polls until something holds.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < end, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(1));
    }
}
