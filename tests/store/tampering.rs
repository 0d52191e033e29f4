//! What is changed in the database behind our back is noticed.

use std::sync::Mutex;

use perso_milter::policy::list::ListKind;
use perso_milter::store::*;

use crate::common::*;

/// A store with anne and bob, each with an entry.
fn two_users(place: &Place) -> (SqliteStore, UserId, UserId) {
    let store = place.open();
    let anne = anne(&store);
    let bob = store.add_user(&administrator(), &person("bob@acme.example")).expect("added");
    add(&store, anne, ListKind::Personal, &["maman@famille.example"]);
    add(&store, bob, ListKind::Personal, &["papa@famille.example"]);
    (store, anne, bob)
}

fn load(store: &dyn Store) -> (LoadReport, Vec<u64>) {
    let users = Mutex::new(Vec::new());
    let sink = |user: LoadedUser| users.lock().expect("lock").push(user.lists.user());
    let report = store.feed().expect("a feed").load(&sink).expect("loaded");
    (report, users.into_inner().expect("lock"))
}

fn sql_id(user: UserId) -> i64 {
    user.get() as i64
}

#[test]
fn an_edited_or_moved_row_is_not_served_and_its_neighbours_are() {
    for edit in [
        "UPDATE packed SET lists = x'' WHERE user = ?1",
        "UPDATE packed SET options = 256 WHERE user = ?1",
        "UPDATE packed SET lists = (SELECT lists FROM packed WHERE user <> ?1) WHERE user = ?1",
        "UPDATE packed SET (lists, mac, fingerprint_key, revision) =
            (SELECT lists, mac, fingerprint_key, revision FROM packed WHERE user <> ?1) WHERE user = ?1",
        "UPDATE packed SET lists = x'00' WHERE user = ?1",
    ] {
        let place = Place::new();
        let (store, anne, bob) = two_users(&place);
        place.raw().execute(edit, [sql_id(anne)]).expect("edited");
        let (report, served) = load(&store);
        assert_eq!((report.rejected, served), (1, vec![bob.get()]), "{edit}");
        let refused = store.add_entries(&Actor::User, anne, &[(ListKind::White, value("a@b.example"))]);
        assert!(matches!(refused, Err(StoreError::Altered(user)) if user == anne), "a change does not make it good");
        store.remove_user(&administrator(), anne).expect("removing the user is the way out");
        assert_eq!(load(&store).0.rejected, 0);
    }
}

#[test]
fn an_older_row_put_back_is_noticed() {
    let place = Place::new();
    let (store, anne, bob) = two_users(&place);
    assert!(!load(&store).0.rolled_back);
    let raw = place.raw();
    raw.execute("CREATE TABLE kept AS SELECT * FROM packed WHERE user = ?1", [sql_id(anne)]).expect("kept");
    add(&store, anne, ListKind::Personal, &["ami@famille.example"]);
    assert!(!load(&store).0.rolled_back);
    raw.execute_batch("REPLACE INTO packed SELECT * FROM kept; DROP TABLE kept").expect("put back");
    let (report, _) = load(&store);
    assert!(report.rolled_back && report.rejected == 0);
    let refused = store.add_entries(&Actor::User, anne, &[(ListKind::White, value("a@b.example"))]);
    assert!(matches!(refused, Err(StoreError::Altered(user)) if user == anne));
    add(&store, bob, ListKind::White, &["a@b.example"]);
    assert!(load(&store).0.rolled_back, "a later change does not hide it");
}

#[test]
fn a_deleted_row_and_a_forged_state_are_noticed() {
    for edit in ["DELETE FROM packed WHERE user = ?1", "UPDATE state SET revision = revision + (?1 > 0)"] {
        let place = Place::new();
        let (store, anne, bob) = two_users(&place);
        place.raw().execute(edit, [sql_id(anne)]).expect("edited");
        assert!(load(&store).0.rolled_back, "{edit}");
        store.remove_entries(&Actor::User, bob, &[(ListKind::White, value("a@b.example"))]).expect("changed");
        assert!(load(&store).0.rolled_back, "a later change does not hide it: {edit}");
    }
}

#[test]
fn an_altered_value_is_shown_as_altered() {
    for edit in [
        "UPDATE entries SET sealed = zeroblob(48) WHERE user = ?1",
        "UPDATE entries SET position = 7 WHERE user = ?1",
        "UPDATE entries SET fingerprint = randomblob(16) WHERE user = ?1",
        "UPDATE entries SET (sealed, position) = (SELECT sealed, position FROM entries WHERE user <> ?1) WHERE user = ?1",
        "UPDATE batches SET ephemeral = randomblob(32) WHERE user = ?1",
        "DELETE FROM batches WHERE user = ?1",
    ] {
        let place = Place::new();
        let (store, anne, _) = two_users(&place);
        place.raw().execute(edit, [sql_id(anne)]).expect("edited");
        assert_eq!(texts(&store, anne, ListKind::Personal), ["ALTERED"], "{edit}");
    }
}

#[test]
fn an_entry_copied_to_another_list_is_altered() {
    let place = Place::new();
    let (store, anne, _) = two_users(&place);
    place.raw().execute("UPDATE entries SET list = 1 WHERE user = ?1", [sql_id(anne)]).expect("edited");
    assert_eq!(texts(&store, anne, ListKind::Black), ["ALTERED"]);
}

#[test]
fn the_journal_shows_where_it_was_changed() {
    for edit in [
        "UPDATE journal SET actor = 'user' WHERE id = 2",
        "UPDATE journal SET payload = x'00' WHERE id = (SELECT max(id) FROM journal)",
        "DELETE FROM journal WHERE id = 2",
        "DELETE FROM journal_blocks WHERE block = 2",
        "UPDATE journal_blocks SET at = at + 1 WHERE block = 2",
        "UPDATE journal_blocks SET mac = zeroblob(32) WHERE block = 2",
        "DELETE FROM journal_blocks WHERE block = (SELECT max(block) FROM journal_blocks)",
        "INSERT INTO journal SELECT 1000, organisation, at, actor, kind, user, batch, position, payload, digest
            FROM journal WHERE id = 1",
    ] {
        let place = Place::new();
        let (store, ..) = two_users(&place);
        let organisation = store.organisation("acme").expect("there").id;
        assert_eq!(store.verify_journal(organisation).expect("verified").broken, None);
        place.raw().execute_batch(edit).expect("edited");
        assert!(store.verify_journal(organisation).expect("verified").broken.is_some(), "{edit}");
    }
}

#[test]
fn a_cut_off_head_of_the_journal_is_noticed_by_the_load() {
    let place = Place::new();
    let (store, ..) = two_users(&place);
    let edit = "DELETE FROM journal WHERE id >= (SELECT first FROM journal_blocks ORDER BY block DESC LIMIT 1);
        DELETE FROM journal_blocks WHERE block = (SELECT max(block) FROM journal_blocks)";
    place.raw().execute_batch(edit).expect("edited");
    assert!(load(&store).0.rolled_back);
}

#[test]
fn erasing_a_user_keeps_the_chain_whole() {
    let place = Place::new();
    let (store, anne, _) = two_users(&place);
    store.remove_user(&administrator(), anne).expect("removed");
    let organisation = store.organisation("acme").expect("there").id;
    assert_eq!(store.verify_journal(organisation).expect("verified").broken, None);
    let left: i64 = place
        .raw()
        .query_row("SELECT count(*) FROM journal WHERE user = ?1 AND payload IS NOT NULL", [sql_id(anne)], |r| r.get(0))
        .expect("counted");
    assert_eq!(left, 0);
    assert!(!load(&store).0.rolled_back);
}
