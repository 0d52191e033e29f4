//! The file of the embedded store: first start, keys, modes, schema, locks, damage, and what its bytes show.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use perso_milter::policy::list::{ListKind, MAX_ENTRIES};
use perso_milter::store::*;

use crate::common::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("exists").permissions().mode() & 0o777
}

fn reopen(place: &Place) -> Result<SqliteStore> {
    SqliteStore::open(&place.path(), place.options())
}

fn refused(place: &Place) -> StoreError {
    reopen(place).map(drop).expect_err("refused")
}

#[test]
fn the_first_start_makes_store_and_keys_for_the_owner_alone() {
    let place = Place::new();
    let store = place.open();
    anne(&store);
    for name in ["perso-milter.db", "perso-milter.db-wal", "perso-milter.db-shm", "match.key", "seal.key"] {
        assert_eq!(mode(&place.dir.path().join(name)), 0o600, "{name}");
    }
}

#[test]
fn a_second_start_finds_what_the_first_one_left() {
    let place = Place::new();
    let user = anne(&place.open());
    let store = place.open();
    add(&store, user, ListKind::White, &["a@b.example"]);
    drop(store);
    assert_eq!(texts(&place.open(), user, ListKind::White), ["a@b.example"]);
}

#[test]
fn several_first_starts_at_once_make_one_store() {
    let place = Arc::new(Place::new());
    let mut options = place.options();
    options.open_wait = Duration::from_secs(20);
    let starts: Vec<_> = (0..4)
        .map(|_| {
            let (path, options) = (place.path(), options.clone());
            std::thread::spawn(move || SqliteStore::open(&path, options).expect("a store"))
        })
        .collect();
    let stores: Vec<_> = starts.into_iter().map(|start| start.join().expect("started")).collect();
    let user = anne(&stores[0]);
    add(&stores[1], user, ListKind::White, &["a@b.example"]);
    assert_eq!(texts(&stores[3], user, ListKind::White), ["a@b.example"]);
}

#[test]
fn without_the_seal_key_all_works_but_reading() {
    let place = Place::new();
    let user = anne(&place.open());
    let seal_key = place.dir.path().join("seal.key");
    fs::rename(&seal_key, place.dir.path().join("away")).expect("taken away");
    let relay = place.open();
    assert!(relay.keys().seal_key.is_none());
    add(&relay, user, ListKind::Personal, &["maman@famille.example"]);
    let bob = relay.add_user(&administrator(), &person("bob@acme.example")).expect("added");
    add(&relay, bob, ListKind::Black, &["spam.example"]);
    let read = relay.read_entries(user, None, &Permission::Own(user));
    assert!(matches!(read, Err(StoreError::NoSealKey)));
    drop(relay);
    assert!(!seal_key.exists(), "it is never made anew");
    fs::rename(place.dir.path().join("away"), &seal_key).expect("put back");
    let console = place.open();
    assert_eq!(texts(&console, user, ListKind::Personal), ["maman@famille.example"]);
    assert_eq!(texts(&console, bob, ListKind::Black), ["spam.example"]);
}

#[test]
fn keys_that_are_open_lost_or_foreign_are_refused_with_the_remedy() {
    let place = Place::new();
    drop(place.open());
    for name in ["match.key", "seal.key"] {
        let path = place.dir.path().join(name);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("changed");
        let error = refused(&place);
        assert!(matches!(error, StoreError::Key(KeyError::Open { .. })) && error.to_string().contains("chmod 600"));
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("changed");
        let other = Place::new();
        drop(other.open());
        let kept = fs::read(&path).expect("read");
        fs::copy(other.dir.path().join(name), &path).expect("copied");
        assert!(matches!(refused(&place), StoreError::Key(KeyError::Foreign(_))), "{name}");
        fs::write(&path, kept).expect("put back");
    }
    fs::remove_file(place.dir.path().join("match.key")).expect("removed");
    let error = refused(&place);
    assert!(matches!(error, StoreError::Key(KeyError::Lost(_))), "{error}");
    assert!(!place.dir.path().join("match.key").exists(), "it is never made anew");
}

/// Takes back what the migrations after `version` brought: indexes, tables, columns.
pub fn back_to(place: &Place, version: u32) {
    let (raw, old) = (place.raw(), rusqlite::Connection::open_in_memory().expect("a database"));
    let mut migrations: Vec<_> = fs::read_dir("src/store/migrations").expect("there").flatten().collect();
    let number = |name: &str| name[1..].split('_').next().and_then(|digits| digits.parse::<u32>().ok()).expect("V1__…");
    migrations.retain(|file| number(&file.file_name().to_string_lossy()) <= version);
    migrations.sort_by_key(|file| number(&file.file_name().to_string_lossy()));
    for file in migrations {
        old.execute_batch(&fs::read_to_string(file.path()).expect("read")).expect("migrated");
    }
    let names = |conn: &rusqlite::Connection, sql: &str| -> Vec<String> {
        conn.prepare(sql).and_then(|mut found| found.query_map([], |row| row.get(0))?.collect()).expect("listed")
    };
    let newer = |sql: &str| {
        let known = names(&old, sql);
        names(&raw, sql).into_iter().filter(move |name| !known.contains(name)).collect::<Vec<_>>()
    };
    raw.pragma_update(None, "foreign_keys", "OFF").expect("set");
    let schema = |kind| {
        format!("SELECT name FROM sqlite_schema WHERE type = '{kind}' AND sql NOT NULL AND name NOT LIKE 'refinery%'")
    };
    for kind in ["index", "table"] {
        for name in newer(&schema(kind)) {
            raw.execute_batch(&format!("DROP {kind} {name}")).expect("dropped");
        }
    }
    for table in names(&raw, &schema("table")) {
        for column in newer(&format!("SELECT name FROM pragma_table_info('{table}')")) {
            raw.execute_batch(&format!("ALTER TABLE {table} DROP COLUMN {column}")).expect("dropped");
        }
    }
    raw.execute("DELETE FROM refinery_schema_history WHERE version > ?1", [version]).expect("forgotten");
}

#[test]
fn a_store_of_the_first_schema_is_brought_up_to_date() {
    let place = Place::new();
    let store = place.open();
    let user = anne(&store);
    add(&store, user, ListKind::White, &["a@b.example"]);
    drop(store);
    back_to(&place, 1);
    let store = place.open();
    assert_eq!(texts(&store, user, ListKind::White), ["a@b.example"]);
    let acme = store.organisation("acme").expect("there").id;
    store.share_address(&administrator(), acme, &address("team@acme.example")).expect("shared");
    assert_eq!(store.shared_addresses(acme).expect("listed"), [address("team@acme.example")]);
}

#[test]
fn a_newer_schema_is_refused() {
    let place = Place::new();
    drop(place.open());
    let raw = place.raw();
    raw.execute("UPDATE refinery_schema_history SET version = 99 WHERE version = (SELECT max(version) FROM refinery_schema_history)", []).expect("edited");
    drop(raw);
    let error = refused(&place);
    assert!(matches!(error, StoreError::Newer { found: 99, .. }) && error.to_string().contains("install"), "{error}");
}

/// As a store was before folders had to be proven.
#[test]
fn a_store_of_an_older_schema_is_migrated() {
    let place = Place::new();
    let user = anne(&place.open());
    back_to(&place, 2);
    let store = place.open();
    assert_eq!(store.user_id(&address("anne@acme.example")).expect("she is there"), user);
    let acme = store.organisation("acme").expect("it is there");
    assert!(acme.proven.is_empty() && !acme.is_proven('+', "Perso"));
    let folder = AddressedFolder { delimiter: '+', name: "Perso".parse().expect("a folder") };
    let (code, _) = store.begin_probe(&administrator(), acme.id, &folder).expect("begun");
    store.confirm_probe(&administrator(), &code).expect("confirmed");
    assert!(store.organisation("acme").expect("it is there").is_proven('+', "Perso"));
}

#[test]
fn damage_and_other_files_are_refused() {
    let place = Place::new();
    drop(place.open());
    fs::write(place.path(), b"This is no database, and it is long enough to be asked. ".repeat(100)).expect("written");
    let error = refused(&place);
    assert!(matches!(error, StoreError::Corrupt { .. }) && error.to_string().contains("backup"), "{error}");
    let other = Place::new();
    other.raw().execute_batch("CREATE TABLE a (b)").expect("another application's");
    assert!(matches!(refused(&other), StoreError::Corrupt { .. }));
    let nowhere = SqliteStore::open(Path::new("/nonexistent/perso-milter.db"), place.options()).map(drop);
    assert!(matches!(nowhere, Err(StoreError::Unavailable { .. })));
}

#[test]
fn a_held_lock_is_told_at_the_start_and_while_running() {
    let place = Place::new();
    let mut options = place.options();
    options.write_wait = Duration::from_millis(50);
    let store = SqliteStore::open(&place.path(), options).expect("a store");
    let user = anne(&store);
    let holder = place.raw();
    holder.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    assert!(matches!(refused(&place), StoreError::Locked(_)));
    let entry = [(ListKind::White, value("a@b.example"))];
    let failed = store.add_entries(&Actor::User, user, &entry).expect_err("locked");
    assert!(matches!(&failed, StoreError::Locked(path) if *path == place.path()), "{failed}");
    assert!(store.user(user).is_ok(), "reading goes on");
    holder.execute_batch("ROLLBACK").expect("released");
    store.add_entries(&Actor::User, user, &entry).expect("it lives on");
    assert_eq!(texts(&store, user, ListKind::White), ["a@b.example"]);
}

#[test]
fn a_change_that_fails_takes_no_neighbour_with_it() {
    let place = Place::new();
    let store = place.open();
    let user = anne(&store);
    let doomed = store.add_user(&administrator(), &person("bob@acme.example")).expect("added");
    let change = |user, text: &str| {
        let edits = [Edit::Add(ListKind::White, value(text))];
        store.change_entries(&Actor::User, user, &edits).expect("on its way")
    };
    let full: Vec<_> = (0..MAX_ENTRIES).map(|n| (ListKind::White, value(&format!("u{n}@b.example")))).collect();
    store.add_entries(&Actor::User, doomed, &full).expect("added");
    // All are on their way before the first is waited for, so that they share transactions.
    let tickets: Vec<_> = (0..100)
        .map(|n| (change(user, &format!("u{n}@b.example")), change(doomed, &format!("v{n}@b.example"))))
        .collect();
    for (good, bad) in tickets {
        good.wait().expect("committed");
        assert!(matches!(bad.wait(), Err(StoreError::ListFull(ListKind::White))));
    }
    assert_eq!(texts(&store, user, ListKind::White).len(), 100);
    let organisation = store.organisation("acme").expect("there").id;
    assert_eq!(store.verify_journal(organisation).expect("verified").broken, None);
    let report = store.feed().expect("a feed").load(&|_| {}).expect("loaded");
    assert!(!report.rolled_back);
}

#[test]
fn concurrent_writers_and_readers_get_along() {
    let place = Place::new();
    let store = Arc::new(place.open());
    let user = anne(store.as_ref());
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || {
                for n in 0..25 {
                    add(store.as_ref(), user, ListKind::White, &[&format!("u{writer}.{n}@b.example")]);
                    let failed = store.add_alias(&administrator(), user, &address("anne@acme.example"));
                    assert!(matches!(failed, Err(StoreError::AddressTaken(_))), "its neighbours succeed");
                }
            })
        })
        .collect();
    while writers.iter().any(|writer| !writer.is_finished()) {
        assert!(store.user(user).is_ok());
        assert!(!texts(store.as_ref(), user, ListKind::White).iter().any(|text| text == "ALTERED"));
    }
    writers.into_iter().for_each(|writer| writer.join().expect("done"));
    assert_eq!(texts(store.as_ref(), user, ListKind::White).len(), 100);
    let organisation = store.organisation("acme").expect("there").id;
    assert_eq!(store.verify_journal(organisation).expect("verified").broken, None);
}

#[test]
fn no_value_of_a_user_is_ever_in_the_files_and_an_erased_user_leaves_nothing() {
    let place = Place::new();
    let store = place.open();
    let user = anne(&store);
    let entries = ["maman@famille.example", "*.ecole.example", "news-*@magasin.example"];
    add(&store, user, ListKind::Personal, &entries);
    store.remove_entries(&Actor::User, user, &[(ListKind::Personal, value("*.ecole.example"))]).expect("removed");
    let raw = place.raw();
    let sealed: Vec<Vec<u8>> = raw
        .prepare(
            "SELECT sealed FROM entries UNION ALL SELECT payload FROM journal WHERE payload IS NOT NULL AND user > 0",
        )
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .expect("read");
    drop(raw);
    assert!(sealed.len() >= 4);
    let now = bytes(&place);
    assert!(holds(&now, b"anne@acme.example"), "the search finds what is there");
    for secret in ["famille", "ecole", "magasin"] {
        assert!(!holds(&now, secret.as_bytes()), "{secret}");
    }
    assert!(sealed.iter().all(|sealed| holds(&now, sealed)));
    store.remove_user(&administrator(), user).expect("removed");
    eventually("the erasure of all bytes", || {
        let now = bytes(&place);
        !sealed.iter().any(|sealed| holds(&now, sealed)) && !holds(&now, b"anne@acme.example")
    });
}
