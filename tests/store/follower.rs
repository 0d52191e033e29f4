//! The cache follows its store: this process's changes, another's, a replaced file, and a store that is away.

use std::fs;
use std::sync::{Arc, Mutex};

use perso_milter::cache::{Cache, Follower, OrganisationWatch};
use perso_milter::policy::address::Address;
use perso_milter::policy::list::ListKind;
use perso_milter::store::*;

use crate::common::*;

/// What the watch was told.
#[derive(Default)]
struct Watched(Mutex<Vec<(OrganisationId, Option<LoadedOrganisation>)>>);

impl OrganisationWatch for Watched {
    fn all(&self, organisations: Vec<LoadedOrganisation>) {
        let named = organisations.into_iter().map(|found| (found.organisation.id, Some(found)));
        self.0.lock().expect("lock").extend(named);
    }

    fn changed(&self, id: OrganisationId, organisation: Option<LoadedOrganisation>) {
        self.0.lock().expect("lock").push((id, organisation));
    }
}

struct Followed {
    cache: Arc<Cache>,
    follower: Follower,
    watched: Arc<Watched>,
}

fn follow(store: &dyn Store) -> Followed {
    let cache = Arc::new(Cache::new(store.address_hasher()));
    let watched = Arc::new(Watched::default());
    let follower = Follower::start(store, Arc::clone(&cache), Arc::clone(&watched) as _).expect("a follower");
    Followed { cache, follower, watched }
}

fn is_listed(cache: &Cache, user: &str, list: ListKind, text: &str) -> bool {
    let Some(lists) = cache.lookup(&address(user)) else { return false };
    lists.contains(list, lists.key().of(&value(text)).short())
}

#[test]
fn the_start_is_complete_and_this_processs_changes_follow() {
    let place = Place::new();
    let store = place.open();
    let user = anne(&store);
    add(&store, user, ListKind::Personal, &["maman@famille.example"]);
    let Followed { cache, follower, watched } = follow(&store);
    assert!(is_listed(&cache, "anne@acme.example", ListKind::Personal, "maman@famille.example"));
    assert_eq!(watched.0.lock().expect("lock").len(), 1);
    add(&store, user, ListKind::Black, &["spam.example"]);
    eventually("the added entry", || is_listed(&cache, "anne@acme.example", ListKind::Black, "spam.example"));
    store.remove_entries(&Actor::User, user, &[(ListKind::Black, value("spam.example"))]).expect("removed");
    eventually("the removed entry", || !is_listed(&cache, "anne@acme.example", ListKind::Black, "spam.example"));
    assert_eq!(follower.status().loads, 1);
}

#[test]
fn another_handles_changes_are_noticed() {
    let place = Place::new();
    let (daemon, console) = (place.open(), place.open());
    let user = anne(&console);
    let Followed { cache, follower: _follower, .. } = follow(&daemon);
    add(&console, user, ListKind::Personal, &["maman@famille.example"]);
    eventually("the entry", || is_listed(&cache, "anne@acme.example", ListKind::Personal, "maman@famille.example"));
}

#[test]
fn addresses_come_and_go_with_their_user() {
    let place = Place::new();
    let store = place.open();
    let anne = anne(&store);
    let bob = store.add_user(&administrator(), &person("bob@acme.example")).expect("added");
    let Followed { cache, watched, follower: _follower } = follow(&store);
    let owner = |text: &str| cache.lookup(&address(text)).map(|lists| lists.user());
    store.add_alias(&administrator(), anne, &address("a@acme.example")).expect("added");
    eventually("the alias", || owner("a@acme.example") == Some(anne.get()));
    store.remove_alias(&administrator(), anne, &address("a@acme.example")).expect("removed");
    store.add_alias(&administrator(), bob, &address("a@acme.example")).expect("added");
    eventually("the alias's new owner", || owner("a@acme.example") == Some(bob.get()));
    store.remove_user(&administrator(), bob).expect("removed");
    eventually("bob's leaving", || owner("a@acme.example").is_none() && owner("bob@acme.example").is_none());
    assert_eq!(owner("anne@acme.example"), Some(anne.get()));
    let acme = store.organisation("acme").expect("there").id;
    store.remove_organisation(&administrator(), acme, RemainingUsers::Erase).expect("removed");
    eventually("the end of all", || cache.is_empty());
    eventually("the organisation's end", || watched.0.lock().expect("lock").last() == Some(&(acme, None)));
}

#[test]
fn a_shared_address_governs_from_its_change_on() {
    let place = Place::new();
    let (daemon, console) = (place.open(), place.open());
    let admin = administrator();
    anne(&console);
    let acme = console.organisation("acme").expect("there").id;
    let [team, own] = ["team@acme.example", "anne@acme.example"].map(address);
    console.share_address(&admin, acme, &team).expect("shared");
    let Followed { cache, follower, .. } = follow(&daemon);
    assert_eq!((cache.shared_in(&team), cache.shared_in(&own)), (Some(acme), None), "the start is complete");
    console.share_address(&admin, acme, &own).expect("shared");
    eventually("the change of another process", || cache.shared_in(&own) == Some(acme));
    assert!(cache.lookup(&own).is_some(), "it stays its user's");
    console.unshare_address(&admin, acme, &team).expect("no longer shared");
    eventually("its end", || cache.shared_in(&team).is_none());
    assert_eq!(follower.status().loads, 1);
    console.prune_changes(0).expect("pruned");
    place.raw().execute("UPDATE store SET epoch = randomblob(16)", []).expect("another store");
    eventually("a full load", || follower.status().loads == 2);
    assert_eq!((cache.shared_in(&team), cache.shared_in(&own)), (None, Some(acme)));
    console.remove_organisation(&admin, acme, RemainingUsers::Erase).expect("removed");
    eventually("the organisation's end", || cache.shared_in(&own).is_none());
}

/// An import makes an address a user's and shared in one transaction: no message may see the one without the other.
#[test]
fn an_address_that_becomes_a_users_and_shared_is_never_theirs_alone() {
    let place = Place::new();
    let store = place.open();
    anne(&store);
    let acme = store.organisation("acme").expect("there").id;
    let Followed { cache, follower: _follower, .. } = follow(&store);
    let actor = Actor::Import { name: "ops".to_owned() };
    for n in 0..20 {
        let boss = address(&format!("boss{n}@acme.example"));
        let line = |reaches| ImportAlias { line: 1, address: boss.clone(), reaches };
        let lines = vec![line(Reaches::User(address("anne@acme.example"))), line(Reaches::Several(acme))];
        let ticket = store.import_aliases(&actor, lines).expect("on its way");
        eventually("the address", || {
            let is_known = cache.lookup(&boss).is_some();
            assert!(!is_known || cache.shared_in(&boss).is_some());
            is_known
        });
        ticket.wait().expect("imported");
    }
}

#[test]
fn one_users_change_touches_one_users_lists() {
    let place = Place::new();
    let store = place.open();
    let anne = anne(&store);
    store.add_user(&administrator(), &person("bob@acme.example")).expect("added");
    let Followed { cache, follower, .. } = follow(&store);
    let bobs = cache.lookup(&address("bob@acme.example")).expect("there");
    add(&store, anne, ListKind::White, &["a@b.example"]);
    eventually("the entry", || is_listed(&cache, "anne@acme.example", ListKind::White, "a@b.example"));
    let after = cache.lookup(&address("bob@acme.example")).expect("there");
    assert_eq!(after, bobs);
    assert_eq!(follower.status().loads, 1);
}

#[test]
fn patterns_stand_beside_the_lists_and_leave_with_them() {
    let place = Place::new();
    let store = place.open();
    let user = anne(&store);
    let Followed { cache, follower: _follower, .. } = follow(&store);
    let matches = |address_: &str| {
        let globs = cache.lookup(&address("anne@acme.example")).and_then(|lists| cache.globs(&lists));
        globs.is_some_and(|globs| globs.matches(ListKind::Black, address_))
    };
    add(&store, user, ListKind::Black, &["news-*@shop.example"]);
    eventually("the pattern", || matches("news-1@shop.example"));
    assert!(!matches("other@shop.example"));
    store.remove_user(&administrator(), user).expect("removed");
    eventually("its end", || cache.is_empty());
}

#[test]
fn a_replaced_file_is_loaded_anew_and_then_followed() {
    let place = Place::new();
    let store = place.open();
    let user = anne(&store);
    add(&store, user, ListKind::Personal, &["maman@famille.example"]);
    let backup = place.dir.path().join("backup.db");
    place.raw().execute("VACUUM INTO ?1", [backup.to_str().expect("a path")]).expect("a backup");
    add(&store, user, ListKind::Personal, &["later@famille.example"]);
    let Followed { cache, follower, .. } = follow(&store);
    // As a careful operator restores: log and index go with the file they belong to.
    for extension in ["db-wal", "db-shm"] {
        fs::remove_file(place.path().with_extension(extension)).expect("removed");
    }
    fs::rename(&backup, place.path()).expect("replaced");
    let listed = |text: &str| is_listed(&cache, "anne@acme.example", ListKind::Personal, text);
    eventually("the older state", || !listed("later@famille.example"));
    assert!(listed("maman@famille.example"));
    assert_eq!(follower.status().loads, 2);
    add(&store, user, ListKind::Personal, &["new@famille.example"]);
    eventually("a change of the new file", || listed("new@famille.example"));
    assert_eq!(texts(&store, user, ListKind::Personal), ["maman@famille.example", "new@famille.example"]);
}

#[test]
fn a_store_that_is_away_leaves_the_last_lists_serving() {
    let place = Place::new();
    let store = place.open();
    let user = anne(&store);
    add(&store, user, ListKind::Personal, &["maman@famille.example"]);
    let Followed { cache, follower, .. } = follow(&store);
    let away = tempfile::tempdir_in(place.dir.path()).expect("a directory");
    let files = ["perso-milter.db-wal", "perso-milter.db-shm", "perso-milter.db"];
    for name in files.iter().rev() {
        fs::rename(place.dir.path().join(name), away.path().join(name)).expect("taken away");
    }
    eventually("the trouble", || follower.status().trouble.is_some());
    assert!(is_listed(&cache, "anne@acme.example", ListKind::Personal, "maman@famille.example"));
    let refused = store.add_entries(&Actor::User, user, &[(ListKind::White, value("a@b.example"))]);
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })));
    fs::write(place.path(), b"no database at all, whatever its name says. ".repeat(200)).expect("written");
    eventually("another trouble", || follower.status().trouble.is_some_and(|trouble| trouble.contains("damaged")));
    assert!(is_listed(&cache, "anne@acme.example", ListKind::Personal, "maman@famille.example"));
    fs::remove_file(place.path()).expect("removed");
    for name in files {
        fs::rename(away.path().join(name), place.dir.path().join(name)).expect("put back");
    }
    eventually("its end", || follower.status().trouble.is_none());
    add(&store, user, ListKind::Black, &["spam.example"]);
    eventually("a change after it", || is_listed(&cache, "anne@acme.example", ListKind::Black, "spam.example"));
}

#[test]
fn a_follower_behind_the_pruned_tail_loads_anew() {
    let place = Place::new();
    let store = place.open();
    let user = anne(&store);
    let Followed { cache, follower, .. } = follow(&store);
    // A second process changes and prunes in one go; whichever of them the follower sees first, it must arrive.
    let other = place.open();
    for n in 0..50 {
        add(&other, user, ListKind::White, &[&format!("u{n}@b.example")]);
        other.prune_changes(0).expect("pruned");
    }
    eventually("the last entry", || is_listed(&cache, "anne@acme.example", ListKind::White, "u49@b.example"));
    assert!(follower.status().trouble.is_none());
}

#[test]
fn readers_see_whole_lists_while_they_change() {
    let place = Place::new();
    let store = place.open();
    let user = anne(&store);
    let both = [(ListKind::White, value("a@b.example")), (ListKind::Black, value("c@d.example"))];
    let Followed { cache, follower: _follower, .. } = follow(&store);
    std::thread::scope(|scope| {
        let changes = scope.spawn(|| {
            for _ in 0..40 {
                store.add_entries(&Actor::User, user, &both).expect("added");
                store.remove_entries(&Actor::User, user, &both).expect("removed");
            }
        });
        let anne: Address = address("anne@acme.example");
        while !changes.is_finished() {
            let lists = cache.lookup(&anne).expect("never away");
            let on = |list| lists.len(list);
            assert_eq!(on(ListKind::White), on(ListKind::Black), "both or none");
        }
    });
}
