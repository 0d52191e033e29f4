//! What users do with their own lists beyond adding and removing: notes, confirmation, undo; and that lists typed entry by
//! entry stay quick to read. The functions that take a store and a clock are part of the conformance suite.

use std::time::Duration;

use perso_milter::policy::list::ListKind::{self, Black, Personal, White};
use perso_milter::store::*;

use crate::common::*;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn note(text: &str) -> Note {
    Note::parse(text).expect("short").expect("not empty")
}

fn change(store: &dyn Store, user: UserId, edits: &[Edit]) {
    store.change_entries(&Actor::User, user, edits).expect("on its way").wait().expect("changed");
}

fn read(store: &dyn Store, user: UserId) -> Vec<Entry> {
    store.read_entries(user, None, &Permission::Own(user)).expect("read")
}

/// The entries as `list value (note)`.
fn shown(store: &dyn Store, user: UserId) -> Vec<String> {
    let line = |entry: &Entry| {
        let Readable::Value(value) = &entry.value else { panic!("altered") };
        let note = entry.note.as_ref().map(|note| format!(" ({})", note.as_str())).unwrap_or_default();
        format!("{} {}{note}", entry.list, value.written())
    };
    read(store, user).iter().map(line).collect()
}

/// The number of the newest row of the user's journal.
fn newest(store: &dyn Store, user: UserId) -> i64 {
    store.journal(user, &Permission::Own(user), None, 1).expect("read")[0].id
}

fn undo(store: &dyn Store, user: UserId, change: i64) -> Result<Undone> {
    store.undo(user, &Permission::Own(user), change, &|_, _| true)
}

pub fn a_note_stands_beside_its_entry_for_its_user_alone(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let maman = value("maman@famille.example");
    let edits = [
        Edit::Add(Personal, maman.clone()),
        Edit::Note(Personal, maman.clone(), Some(note("  ma \t mère\n"))),
        Edit::Note(White, maman.clone(), Some(note("not on that list"))),
    ];
    change(store, user, &edits);
    assert_eq!(shown(store, user), ["personal maman@famille.example (ma mère)"]);
    store.issue_grant(user, "support", Personal, MAX_GRANT).expect("issued");
    let granted = Permission::Grant { grantee: "support".to_owned() };
    let seen = store.read_entries(user, Some(Personal), &granted).expect("read");
    assert_eq!(seen[0].note, None);
    change(store, user, &[Edit::Note(Personal, maman.clone(), None)]);
    assert_eq!(shown(store, user), ["personal maman@famille.example"]);
    change(store, user, &[Edit::Note(Personal, maman.clone(), Some(note("elle"))), Edit::Remove(Personal, maman)]);
    add(store, user, Black, &["maman@famille.example"]);
    assert_eq!(shown(store, user), ["black maman@famille.example"], "a note goes with its entry");
    assert_eq!(Note::parse(" \u{7} ").expect("nothing left"), None);
    assert!(Note::parse(&"é".repeat(MAX_NOTE)).is_ok() && Note::parse(&"é".repeat(MAX_NOTE + 1)).is_err());
}

pub fn what_others_added_waits_for_its_user(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let bank = value("banque.example");
    store.add_entries(&administrator(), user, &[(White, bank.clone()), (Black, value("spam.example"))]).expect("added");
    store.add_entries(&Actor::UserFile, user, &[(White, value("ami@famille.example"))]).expect("added");
    add(store, user, White, &["soeur@famille.example"]);
    let facts = || read(store, user).iter().map(|entry| (entry.origin, entry.confirmed)).collect::<Vec<_>>();
    let (administrator, own) = ((Origin::Administrator, false), (Origin::User, true));
    assert_eq!(facts(), [(Origin::Import, true), administrator, own, administrator]);
    change(store, user, &[Edit::Confirm(White, bank)]);
    add(store, user, Black, &["spam.example"]);
    assert!(facts().iter().all(|(_, confirmed)| *confirmed), "one confirmed, one added by the user as well");
    assert_eq!(undo(store, user, newest(store, user)).err().map(|e| e.fault()), Some(Fault::Caller), "it did nothing");
}

pub fn only_the_user_notes_and_confirms(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let bank = value("banque.example");
    store.add_entries(&administrator(), user, &[(White, bank.clone())]).expect("added");
    for edit in [Edit::Note(White, bank.clone(), None), Edit::Confirm(White, bank.clone()), Edit::Reopen(White, bank)] {
        let refused = store.change_entries(&administrator(), user, &[edit]).map(drop);
        assert!(matches!(refused, Err(StoreError::NotPermitted)));
    }
    let stranger = store.add_user(&administrator(), &person("bob@acme.example")).expect("added");
    let row = newest(store, user);
    for permission in [Permission::Own(stranger), Permission::Grant { grantee: "support".to_owned() }] {
        assert!(matches!(store.undo(user, &permission, row, &|_, _| true), Err(StoreError::NotPermitted)));
    }
    assert!(matches!(undo(store, stranger, row), Err(StoreError::UnknownChange)), "another user's change");
}

pub fn a_change_is_undone_and_the_undoing_too(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    store.add_entries(&administrator(), user, &[(Black, value("maman@famille.example"))]).expect("added");
    let added = newest(store, user);
    assert_eq!(undo(store, user, added).expect("undone"), Undone { done: 1, left: 0, refused: 0 });
    assert!(shown(store, user).is_empty());
    let journal = store.journal(user, &Permission::Own(user), None, 1).expect("read");
    assert_eq!((journal[0].kind.as_str(), journal[0].undoes), ("undo", Some(added)));
    undo(store, user, journal[0].id).expect("undone");
    let [entry] = &read(store, user)[..] else { panic!("it is back") };
    assert_eq!((entry.origin, entry.confirmed), (Origin::Administrator, false), "as it was");
    change(store, user, &[Edit::Confirm(Black, value("maman@famille.example"))]);
    undo(store, user, newest(store, user)).expect("undone");
    assert!(!read(store, user)[0].confirmed);
    undo(store, user, newest(store, user)).expect("undone");
    assert!(read(store, user)[0].confirmed);
}

pub fn a_removed_entry_comes_back_as_it_was(store: &dyn Store, clock: &TestClock) {
    let user = anne(store);
    let maman = value("maman@famille.example");
    store.add_entries(&Actor::UserFile, user, &[(Personal, maman.clone())]).expect("added");
    change(store, user, &[Edit::Note(Personal, maman.clone(), Some(note("ma mère")))]);
    let before = read(store, user);
    clock.advance(DAY);
    // Whoever removes it cannot read the note.
    store.remove_entries(&administrator(), user, &[(Personal, maman)]).expect("removed");
    clock.advance(DAY * (UNDO_DAYS - 1));
    add(store, user, White, &["somebody@else.example"]);
    undo(store, user, newest(store, user)).expect("undone");
    let removal = store.journal(user, &Permission::Own(user), None, 3).expect("read")[2].id;
    assert_eq!(undo(store, user, removal).expect("undone").left, 0);
    assert_eq!(read(store, user), before);
}

pub fn a_moved_entry_goes_back_with_its_note(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let ami = value("ami@famille.example");
    add(store, user, Black, &["ami@famille.example"]);
    change(store, user, &[Edit::Note(Black, ami.clone(), Some(note("brouillés")))]);
    change(store, user, &[Edit::Remove(Black, ami.clone()), Edit::Add(Personal, ami)]);
    assert_eq!(shown(store, user), ["personal ami@famille.example (brouillés)"], "a note goes along");
    undo(store, user, newest(store, user)).expect("undone");
    assert_eq!(shown(store, user), ["black ami@famille.example (brouillés)"]);
}

/// The value stood on another list with a note of its own: undoing what put it on a second one puts that back.
pub fn undoing_a_second_list_gives_the_note_of_the_first_back(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let ami = value("ami@famille.example");
    add(store, user, Black, &["ami@famille.example"]);
    change(store, user, &[Edit::Note(Black, ami.clone(), Some(note("brouillés")))]);
    change(store, user, &[Edit::Add(Personal, ami.clone()), Edit::Note(Personal, ami.clone(), Some(note("amis")))]);
    undo(store, user, newest(store, user)).expect("undone");
    assert_eq!(shown(store, user), ["black ami@famille.example (brouillés)"]);
    undo(store, user, newest(store, user)).expect("undone");
    assert_eq!(shown(store, user), ["black ami@famille.example (amis)", "personal ami@famille.example (amis)"]);

    let soeur = value("soeur@famille.example");
    add(store, user, White, &["soeur@famille.example"]);
    change(store, user, &[Edit::Add(Personal, soeur.clone()), Edit::Note(Personal, soeur, Some(note("ma sœur")))]);
    undo(store, user, newest(store, user)).expect("undone");
    assert!(shown(store, user).contains(&"white soeur@famille.example".to_owned()), "{:?}", shown(store, user));
}

pub fn a_name_is_the_note_where_there_is_none(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let maman = value("maman@famille.example");
    let name = |text| Edit::Name(Personal, maman.clone(), note(text));
    change(store, user, &[Edit::Add(Personal, maman.clone()), name("Jeanne Martin")]);
    assert_eq!(shown(store, user), ["personal maman@famille.example (Jeanne Martin)"]);
    change(store, user, &[Edit::Note(Personal, maman.clone(), Some(note("ma mère")))]);
    let ticket = store.change_entries(&Actor::User, user, &[Edit::Add(Personal, maman.clone()), name("J. Martin")]);
    let changed = ticket.expect("on its way").wait().expect("changed");
    assert_eq!(changed.effects, Some(vec![Effect::Nothing, Effect::Nothing]));
    assert_eq!(shown(store, user), ["personal maman@famille.example (ma mère)"], "the user's own words stay");
    assert!(matches!(undo(store, user, changed.number), Err(StoreError::UnknownChange)));
}

/// What a change did tells what stood there before.
pub fn only_the_user_is_told_what_a_change_did(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    for (actor, told) in
        [(Actor::User, true), (Actor::UserFile, true), (administrator(), false), (Actor::System, false)]
    {
        let edits = [Edit::Add(White, value("a@b.example"))];
        let changed = store.change_entries(&actor, user, &edits).expect("on its way").wait().expect("changed");
        assert_eq!(changed.effects.is_some(), told, "{actor}");
        assert_eq!(changed.number, newest(store, user));
    }
}

/// A domain that was protected since stays off the list that does not take it any more.
pub fn what_would_be_refused_today_does_not_come_back(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let (client, ami) = (value("contact@client.example"), value("ami@famille.example"));
    change(store, user, &[Edit::Add(Personal, client.clone()), Edit::Add(Personal, ami.clone())]);
    change(store, user, &[Edit::Note(Personal, client.clone(), Some(note("un client")))]);
    change(store, user, &[Edit::Remove(Personal, client.clone()), Edit::Remove(Personal, ami)]);
    let (removal, own) = (newest(store, user), Permission::Own(user));
    let undone = store.undo(user, &own, removal, &|_, value| *value != client).expect("undone");
    assert_eq!(undone, Undone { done: 1, left: 0, refused: 1 });
    assert_eq!(shown(store, user), ["personal ami@famille.example"]);
    change(store, user, &[Edit::Add(Personal, client.clone())]);
    change(store, user, &[Edit::Remove(Personal, client)]);
    let removal = newest(store, user);
    assert!(matches!(store.undo(user, &own, removal, &|_, _| false), Err(StoreError::UndoRefused)));
}

/// What pages need of a long list without opening all of it.
pub fn parts_of_lists_are_read_alone(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let own = &Permission::Own(user);
    let stranger = store.add_user(&administrator(), &person("bob@acme.example")).expect("added");
    add(store, user, White, &["a@b.example", "c@b.example"]);
    add(store, user, Black, &["a@b.example"]);
    store.add_entries(&administrator(), user, &[(Black, value("spam.example"))]).expect("added");
    change(store, user, &[Edit::Note(White, value("a@b.example"), Some(note("un")))]);
    assert_eq!(store.entry_counts(user, own).expect("counted"), [2, 2, 0]);
    assert_eq!(store.lists_with(user, &value("a@b.example"), own).expect("found"), [White, Black]);
    assert_eq!(store.lists_with(user, &value("b.example"), own).expect("found"), []);
    let asked = [value("b.example"), value("spam.example"), value("c@b.example")];
    let found = store.standing(user, &asked, own).expect("found");
    assert_eq!(found, [(Black, value("spam.example")), (White, value("c@b.example"))]);
    let [waiting] = &store.read_waiting(user, 9, own).expect("read")[..] else { panic!("one waits") };
    assert_eq!(waiting.value, Readable::Value(value("spam.example")));
    let all = read(store, user);
    for entry in &all {
        assert_eq!(store.read_entry(user, entry.id, own).expect("read").as_ref(), Some(entry));
        assert_eq!(store.read_entry(stranger, entry.id, &Permission::Own(stranger)).expect("read"), None);
    }
    let ids: Vec<_> = all.iter().map(|entry| entry.id).collect();
    let notes: Vec<_> = all.iter().map(|entry| entry.note.clone()).collect();
    assert_eq!(store.read_notes(user, &ids, own).expect("read"), notes);
    let values: Vec<_> =
        store.read_values(user, White, own).expect("read").into_iter().map(|entry| entry.value).collect();
    assert_eq!(values, [Readable::Value(value("a@b.example")), Readable::Value(value("c@b.example"))]);
    for permission in [&Permission::Own(stranger), &Permission::Grant { grantee: "support".to_owned() }] {
        assert!(matches!(store.entry_counts(user, permission), Err(StoreError::NotPermitted)));
        assert!(matches!(store.lists_with(user, &value("a@b.example"), permission), Err(StoreError::NotPermitted)));
        assert!(matches!(store.read_entry(user, ids[0], permission), Err(StoreError::NotPermitted)));
        assert!(matches!(store.read_waiting(user, 9, permission), Err(StoreError::NotPermitted)));
        assert!(matches!(store.read_notes(user, &ids, permission), Err(StoreError::NotPermitted)));
        assert!(matches!(store.read_values(user, White, permission), Err(StoreError::NotPermitted)));
    }
}

pub fn the_journal_shows_the_beginning_of_a_long_change_and_what_was_undone(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let edits: Vec<_> = (0..40).map(|n| Edit::Add(White, value(&format!("u{n}@b.example")))).collect();
    change(store, user, &edits);
    let long = newest(store, user);
    for n in 0..5 {
        add(store, user, Black, &[&format!("spam{n}@b.example")]);
    }
    undo(store, user, long).expect("undone");
    let own = Permission::Own(user);
    // The change stands on another page than its undoing.
    let row = store.journal(user, &own, Some(long + 1), 1).expect("read").remove(0);
    assert_eq!((row.id, row.edits.len(), row.done, row.left_out, row.is_undone), (long, SHOWN_EDITS, 40, 0, true));
    let newer = store.journal(user, &own, None, 3).expect("read");
    assert!(newer.iter().all(|row| !row.is_undone));
    assert_eq!(newer[0].undoes, Some(long));
}

pub fn later_changes_are_not_undone_by_an_earlier_one(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let both = [Edit::Add(White, value("a@b.example")), Edit::Add(White, value("c@b.example"))];
    change(store, user, &both);
    let first = newest(store, user);
    change(store, user, &[Edit::Remove(White, value("a@b.example"))]);
    let removal = newest(store, user);
    change(store, user, &[Edit::Add(White, value("a@b.example"))]);
    assert_eq!(undo(store, user, first).expect("undone"), Undone { done: 1, left: 1, refused: 0 });
    assert_eq!(shown(store, user), ["white a@b.example"], "added again since");
    assert!(matches!(undo(store, user, first), Err(StoreError::UndoContradicted)));
    change(store, user, &[Edit::Remove(White, value("a@b.example")), Edit::Add(Black, value("a@b.example"))]);
    let position = store.feed().expect("a feed").load(&|_| {}).expect("loaded").position;
    assert!(matches!(undo(store, user, removal), Err(StoreError::UndoContradicted)), "it was put elsewhere since");
    assert_eq!(shown(store, user), ["black a@b.example"]);
    assert_eq!(store.feed().expect("a feed").load(&|_| {}).expect("loaded").position, position, "nothing was changed");
}

pub fn a_note_is_undone(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let ami = value("ami@famille.example");
    add(store, user, Personal, &["ami@famille.example"]);
    let set = |text| {
        change(store, user, &[Edit::Note(Personal, ami.clone(), Some(note(text)))]);
        newest(store, user)
    };
    let (one, two) = (set("un"), set("deux"));
    assert!(matches!(undo(store, user, one), Err(StoreError::UndoContradicted)), "there is a later one");
    undo(store, user, two).expect("undone");
    assert_eq!(shown(store, user), ["personal ami@famille.example (un)"]);
    change(store, user, &[Edit::Note(Personal, ami.clone(), None)]);
    undo(store, user, newest(store, user)).expect("undone");
    assert_eq!(shown(store, user), ["personal ami@famille.example (un)"]);
    let added = [Edit::Add(Black, value("x@y.example")), Edit::Note(Black, value("x@y.example"), Some(note("spam")))];
    change(store, user, &added);
    undo(store, user, newest(store, user)).expect("undone");
    undo(store, user, newest(store, user)).expect("undone");
    assert_eq!(shown(store, user), ["black x@y.example (spam)", "personal ami@famille.example (un)"]);
}

pub fn what_is_too_old_or_not_there_is_not_undone(store: &dyn Store, clock: &TestClock) {
    let user = anne(store);
    add(store, user, Personal, &["maman@famille.example"]);
    let added = newest(store, user);
    add(store, user, Personal, &["maman@famille.example"]);
    assert!(matches!(undo(store, user, newest(store, user)), Err(StoreError::UnknownChange)), "it did nothing");
    store.issue_grant(user, "support", White, MAX_GRANT).expect("issued");
    for row in [newest(store, user), newest(store, user) + 1, 0, i64::MIN] {
        assert!(matches!(undo(store, user, row), Err(StoreError::UnknownChange)), "no change of lists");
    }
    clock.advance(DAY * UNDO_DAYS + Duration::from_secs(1));
    assert!(matches!(undo(store, user, added), Err(StoreError::UndoExpired)));
    assert_eq!(shown(store, user), ["personal maman@famille.example"]);
}

pub fn a_large_change_is_undone_whole(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let values: Vec<_> = (0..10_000).map(|n| value(&format!("u{n}@b.example"))).collect();
    let edits = |value: &_| [Edit::Add(White, Clone::clone(value)), Edit::Note(White, value.clone(), Some(note("x")))];
    change(store, user, &values.iter().flat_map(edits).collect::<Vec<_>>());
    let undone = undo(store, user, newest(store, user)).expect("undone");
    assert_eq!((undone.left, read(store, user).len()), (0, 0));
    let undone = undo(store, user, newest(store, user)).expect("undone");
    assert_eq!((undone.left, read(store, user).len()), (0, values.len()));
    assert!(read(store, user).iter().all(|entry| entry.note.is_some()));
}

pub fn long_lists_are_read_in_order_each_entry_with_its_own_note(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let texts = (0..600).map(|n| format!("the.same.beginning.{n}@b.example")).chain(["*.z.example".to_owned()]);
    let texts: Vec<String> = texts.collect();
    let edits = |list| {
        texts.iter().flat_map(move |text| {
            let noted = Edit::Note(list, value(text), Some(note(&format!("of {text}"))));
            [Edit::Add(list, value(text)), noted]
        })
    };
    change(store, user, &edits(White).collect::<Vec<_>>());
    add(store, user, Black, &["the.same.beginning.7@b.example", "nobody.notes@b.example"]);
    let mut sorted = texts.clone();
    sorted.sort();
    let mut expected: Vec<String> = sorted.iter().map(|text| format!("white {text} (of {text})")).collect();
    expected.push("black nobody.notes@b.example".to_owned());
    expected.push("black the.same.beginning.7@b.example (of the.same.beginning.7@b.example)".to_owned());
    assert_eq!(shown(store, user), expected);
    let black = store.read_entries(user, Some(Black), &Permission::Own(user)).expect("read");
    let notes: Vec<_> = black.iter().map(|entry| entry.note.as_ref().map(Note::as_str)).collect();
    assert_eq!(notes, [None, Some("of the.same.beginning.7@b.example")]);
}

/// Batches in which entries and notes lie.
fn batches(place: &Place) -> (i64, i64) {
    let count = |sql| place.raw().query_row(sql, [], |row| row.get(0)).expect("counted");
    let used = "SELECT count(DISTINCT batch) FROM (SELECT batch FROM entries UNION SELECT batch FROM notes)";
    (count(used), count("SELECT count(*) FROM batches"))
}

#[test]
fn entries_typed_one_by_one_are_sealed_anew_into_one_batch() {
    let place = Place::new();
    let store = place.open();
    let user = anne(&store);
    for n in 0..70 {
        let entry = value(&format!("ami{n}@famille.example"));
        let list = ListKind::ALL[n % 3];
        let edits = [Edit::Add(list, entry.clone()), Edit::Note(list, entry, Some(note(&format!("note {n}"))))];
        change(&store, user, &edits);
    }
    let position = store.feed().expect("a feed").load(&|_| {}).expect("loaded").position;
    assert_eq!(batches(&place), (70, 70));
    let before = read(&store, user);
    eventually("the compaction", || batches(&place).0 == 1);
    assert_eq!(read(&store, user), before);
    let loaded = store.feed().expect("a feed").load(&|_| {}).expect("loaded");
    assert_eq!((loaded.position, loaded.rolled_back, loaded.rejected), (position, false, 0), "the relay hears nothing");
    let journal = store.journal(user, &Permission::Own(user), None, 100).expect("read");
    assert_eq!(journal.iter().filter(|row| row.edits.len() == 2).count(), 70, "the journal still opens");
    assert_eq!(store.verify_journal(store.organisation("acme").expect("there").id).expect("verified").broken, None);
    undo(&store, user, newest(&store, user)).expect("a change from before is undone");
    assert_eq!(read(&store, user).len(), 69);
}

/// What cannot be opened is not sealed anew, and is no reason to seal the rest anew at each reading.
#[test]
fn what_does_not_open_calls_for_no_compaction() {
    let place = Place::new();
    let store = place.open();
    let user = anne(&store);
    for n in 0..70 {
        add(&store, user, White, &[&format!("ami{n}@famille.example")]);
    }
    place.raw().execute("UPDATE entries SET sealed = x'00'", []).expect("altered");
    assert!(read(&store, user).iter().all(|entry| entry.value == Readable::Altered));
    add(&store, user, Black, &["spam@b.example"]);
    assert_eq!(batches(&place), (71, 71));
}

/// A value that its user lost between the reading and the writing stays lost: it was sealed to a key that is gone.
#[test]
fn a_value_that_was_lost_meanwhile_is_not_sealed_anew() {
    let place = Place::new();
    let store = place.open();
    let user = anne(&store);
    for n in 0..70 {
        add(&store, user, White, &[&format!("ami{n}@famille.example")]);
    }
    let other = place.raw();
    other.execute_batch("BEGIN IMMEDIATE").expect("the writer waits");
    assert_eq!(read(&store, user).len(), 70);
    other.execute("UPDATE entries SET sealed = x''", []).expect("lost");
    other.execute_batch("COMMIT").expect("the writer goes on");
    // A change behind the compaction in the writer's queue.
    add(&store, user, Black, &["spam@b.example"]);
    let lost = read(&store, user).iter().filter(|entry| entry.value == Readable::Lost).count();
    assert_eq!(lost, 70);
}

#[test]
fn batches_that_nothing_needs_any_more_go() {
    let place = Place::new();
    let store = place.open();
    let user = anne(&store);
    for n in 0..70 {
        add(&store, user, White, &[&format!("ami{n}@famille.example")]);
    }
    place.clock.advance(DAY * 400);
    add(&store, user, White, &["dernier@famille.example"]);
    let organisation = store.organisation("acme").expect("there").id;
    store.cut_journal(organisation, place.clock.now()).expect("cut");
    let before = shown(&store, user);
    eventually("the compaction", || batches(&place) == (1, 2));
    assert_eq!(shown(&store, user), before);
    add(&store, user, White, &["encore@famille.example"]);
    assert_eq!(shown(&store, user).len(), 72);
}

#[test]
fn notes_that_ended_are_kept_for_undoing_and_no_longer() {
    let place = Place::new();
    let store = place.open();
    let user = anne(&store);
    let ami = value("ami@famille.example");
    change(&store, user, &[Edit::Add(White, ami.clone()), Edit::Note(White, ami.clone(), Some(note("un")))]);
    change(&store, user, &[Edit::Remove(White, ami)]);
    let count =
        || place.raw().query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0)).expect("counted");
    place.clock.advance(DAY * UNDO_DAYS);
    add(&store, user, White, &["b@famille.example"]);
    assert_eq!(count(), 1);
    place.clock.advance(DAY);
    add(&store, user, White, &["c@famille.example"]);
    assert_eq!(count(), 0);
}

#[test]
fn a_note_does_not_open_beside_another_entry() {
    let place = Place::new();
    let store = place.open();
    let user = anne(&store);
    for name in ["a@b.example", "c@b.example"] {
        let edits = [Edit::Add(White, value(name)), Edit::Note(White, value(name), Some(note(name)))];
        change(&store, user, &edits);
    }
    let swap = "DROP INDEX notes_current; CREATE TABLE kept AS SELECT * FROM notes;
        UPDATE notes SET fingerprint = (SELECT kept.fingerprint FROM kept WHERE kept.id <> notes.id)";
    place.raw().execute_batch(swap).expect("swapped");
    assert_eq!(shown(&store, user), ["white a@b.example", "white c@b.example"]);
}

#[test]
fn nothing_of_a_note_or_a_removed_entry_is_readable_in_the_file() {
    let place = Place::new();
    let store = place.open();
    let user = anne(&store);
    let edits = [
        Edit::Add(White, value("secret@b.example")),
        Edit::Note(White, value("secret@b.example"), Some(note("tresor"))),
    ];
    change(&store, user, &edits);
    change(&store, user, &[Edit::Remove(White, value("secret@b.example"))]);
    drop(store);
    for name in ["perso-milter.db", "perso-milter.db-wal"] {
        let bytes = std::fs::read(place.dir.path().join(name)).unwrap_or_default();
        for word in ["tresor", "secret@"] {
            assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word} in {name}");
        }
    }
    assert_eq!(format!("{:?}", note("tresor")), "Note(hidden)");
}
