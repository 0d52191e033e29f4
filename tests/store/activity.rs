//! What became of messages, in the store: whose it is, who opens it, how much there is and how long.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use perso_milter::activity::{
    ACTIVITY_QUEUE, ActivityQueue, Candidate, Keeper, Looked, Told, Week, last_matches, look, week,
};
use perso_milter::milter::settings::Happened;
use perso_milter::policy::action::{BlackAction, PersonalActions};
use perso_milter::policy::authres::{Authentication, Method};
use perso_milter::policy::decide::{Identity, Known, Level, Match, Outcome, Reason, Verdict};
use perso_milter::policy::list::{ListKind, Scope, UserOptions};
use perso_milter::policy::organisation::OrgPolicy;
use perso_milter::policy::plan::{Delivery, Direction, Effect};
use perso_milter::store::*;

use crate::common::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A message of this sender, by envelope and header, proven by DMARC.
fn message(at: Timestamp, sender: &str) -> Activity {
    Activity {
        at,
        direction: Direction::Inbound,
        envelope: Some(address(sender)),
        header: Some(address(sender)),
        senders_cut: false,
        proof: Known { envelope: Authentication::Missing, header: Authentication::Passed(Method::Dmarc) },
        verdict: Verdict {
            outcome: Outcome::Deliver { personal: PersonalActions::TAG, clear_spam: false },
            ..Verdict::UNTOUCHED
        },
        effect: Effect { tagged: true, ..Effect::of(Delivery::AsAddressed) },
    }
}

/// Anne, who wants to see what becomes of her messages.
fn anne_who_looks(store: &dyn Store) -> UserId {
    let anne = anne(store);
    store.keep_activity(anne, Keeping::On).expect("on");
    anne
}

fn append(store: &dyn Store, user: UserId, messages: &[Activity]) {
    let rows: Vec<_> = messages.iter().map(|message| (user, message.clone())).collect();
    store.append_activity(&mut ActivityWriter::default(), &rows).expect("written");
}

fn read(store: &dyn Store, user: UserId) -> History {
    store.activity(user, &Permission::Own(user)).expect("read")
}

fn senders(history: &History) -> Vec<String> {
    let sender = |row: &HistoryRow| match &row.activity {
        Some(activity) => activity.sender().expect("a sender").as_str().to_owned(),
        None => "ALTERED".to_owned(),
    };
    history.rows.iter().map(sender).collect()
}

#[test]
fn a_user_reads_what_was_written_newest_first() {
    let place = Place::new();
    let store = place.open();
    let anne = anne_who_looks(&store);
    let mut writer = ActivityWriter::default();
    let written: Vec<_> = (0..3).map(|n| message(place.clock.now(), &format!("m{n}@d.example"))).collect();
    for one in &written {
        store.append_activity(&mut writer, &[(anne, one.clone())]).expect("written");
    }
    let history = read(&store, anne);
    assert_eq!(senders(&history), ["m2@d.example", "m1@d.example", "m0@d.example"]);
    assert!(history.rows[2].activity.as_ref() == Some(&written[0]), "all of it");
    assert_eq!((history.days, history.incomplete.len()), (ACTIVITY_DAYS, 0));
}

/// A relay that has no seal key writes; whoever has its key, or the file, reads nothing.
#[test]
fn a_relay_writes_what_it_cannot_read() {
    let place = Place::new();
    let anne = anne_who_looks(&place.open());
    let options = SqliteOptions { seal: SealAccess::Never, ..place.options() };
    let relay = SqliteStore::open(&place.path(), options).expect("a store");
    append(&relay, anne, &[message(place.clock.now(), "maman@famille.example")]);
    assert!(matches!(relay.activity(anne, &Permission::Own(anne)), Err(StoreError::NoSealKey)));
    drop(relay);
    for file in std::fs::read_dir(place.dir.path()).expect("the directory") {
        let bytes = std::fs::read(file.expect("a file").path()).expect("readable");
        assert!(!bytes.windows(7).any(|window| window == b"famille"), "in clear");
    }
    assert_eq!(senders(&read(&place.open(), anne)), ["maman@famille.example"]);
}

#[test]
fn nobody_else_reads_it_and_a_grant_is_not_enough() {
    let place = Place::new();
    let store = place.open();
    let anne = anne_who_looks(&store);
    let bob = store.add_user(&administrator(), &person("bob@acme.example")).expect("added");
    append(&store, anne, &[message(place.clock.now(), "m@d.example")]);
    store.issue_grant(anne, "support", ListKind::Personal, Duration::from_secs(60)).expect("granted");
    let grant = Permission::Grant { grantee: "support".to_owned() };
    for permission in [Permission::Own(bob), grant] {
        assert!(matches!(store.activity(anne, &permission), Err(StoreError::NotPermitted)));
    }
}

/// Under the personal lock the rows that were there and those that come open with the user's secret alone.
#[test]
fn the_personal_lock_closes_it_too() {
    let place = Place::new();
    let store = place.open();
    let anne = anne_who_looks(&store);
    append(&store, anne, &[message(place.clock.now(), "before@d.example")]);
    let own = Permission::Own(anne);
    let code = store.make_recovery_code(anne, &own).expect("a code");
    store.set_lock(anne, &own, LockState::On).expect("closed");
    append(&store, anne, &[message(place.clock.now(), "after@d.example")]);
    assert!(matches!(store.activity(anne, &own), Err(StoreError::UserLocked)));
    let key = store.open_with_recovery_code(Some(anne), &code).expect("tried").expect("opens");
    let history = store.activity(anne, &Permission::Unlocked(anne, key)).expect("read");
    assert_eq!(senders(&history), ["after@d.example", "before@d.example"]);
}

#[test]
fn who_did_not_ask_has_no_rows() {
    let place = Place::new();
    let store = place.open();
    let anne = anne(&store);
    append(&store, anne, &[message(place.clock.now(), "m@d.example")]);
    store.add_activity_gaps(&[(anne, jiff::civil::date(2027, 1, 15))]).expect("noted");
    let history = read(&store, anne);
    assert!(history.rows.is_empty() && history.incomplete.is_empty());
}

#[test]
fn the_choice_is_the_users_alone() {
    let place = Place::new();
    let store = place.open();
    let anne = anne(&store);
    let on = UserOptions { activity: true, ..UserOptions::default() };
    assert!(matches!(store.set_user_options(&administrator(), anne, on), Err(StoreError::NotPermitted)));
    store.set_user_options(&Actor::User, anne, on).expect("the user");
    assert!(matches!(
        store.set_user_options(&administrator(), anne, UserOptions::default()),
        Err(StoreError::NotPermitted)
    ));
}

#[test]
fn switching_it_off_and_erasing_leave_nothing() {
    let place = Place::new();
    let store = place.open();
    let anne = anne_who_looks(&store);
    let mut writer = ActivityWriter::default();
    let mut write = || {
        let row = (anne, message(place.clock.now(), "m@d.example"));
        store.append_activity(&mut writer, &[row]).expect("written");
        store.add_activity_gaps(&[(anne, jiff::civil::date(2027, 1, 15))]).expect("noted");
    };
    write();
    store.purge_activity(anne).expect("erased");
    let after = read(&store, anne);
    assert!(after.rows.is_empty() && after.incomplete.is_empty());
    write();
    assert_eq!(read(&store, anne).rows.len(), 1, "it goes on");
    store.keep_activity(anne, Keeping::Off).expect("off");
    write();
    assert!(read(&store, anne).rows.is_empty(), "what was on its way is left out");
    let raw = place.raw();
    for table in ["activity", "activity_chains", "activity_gaps"] {
        let rows: i64 = raw.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("read");
        assert_eq!(rows, 0, "{table}");
    }
}

#[test]
fn the_oldest_rows_give_way() {
    let place = Place::new();
    let store = place.open();
    let anne = anne_who_looks(&store);
    let mut writer = ActivityWriter::default();
    let row = |n| (anne, message(place.clock.now(), &format!("m{n}@d.example")));
    for batch in 0..7 {
        let rows: Vec<_> = (batch * 100..(batch + 1) * 100).map(row).collect();
        store.append_activity(&mut writer, &rows).expect("written");
        // Each batch is of a chain of its own; those of which no row is left go too.
        place.clock.advance(Duration::from_secs(3600));
    }
    let history = read(&store, anne);
    assert_eq!(history.rows.len(), ACTIVITY_ROWS);
    let senders = senders(&history);
    assert_eq!((senders[0].as_str(), senders[499].as_str()), ("m699@d.example", "m200@d.example"));
    let chains: i64 =
        place.raw().query_row("SELECT count(*) FROM activity_chains", [], |row| row.get(0)).expect("read");
    assert_eq!(chains, 5);
}

#[test]
fn what_is_too_old_is_neither_shown_nor_kept() {
    let place = Place::new();
    let store = place.open();
    let anne = anne_who_looks(&store);
    let acme = store.organisation("acme").expect("there").id;
    append(&store, anne, &[message(place.clock.now(), "old@d.example")]);
    place.clock.advance(8 * DAY);
    append(&store, anne, &[message(place.clock.now(), "new@d.example")]);
    assert_eq!(read(&store, anne).rows.len(), 2);
    assert_eq!(store.prune_activity().expect("pruned"), 0);
    let days = [("activity_days".to_owned(), "7".to_owned())];
    store.set_organisation(&administrator(), acme, &days).expect("set");
    let history = read(&store, anne);
    assert_eq!((senders(&history), history.days), (vec!["new@d.example".to_owned()], 7));
    assert_eq!(store.prune_activity().expect("pruned"), 1);
    let rows: i64 = place.raw().query_row("SELECT count(*) FROM activity", [], |row| row.get(0)).expect("read");
    assert_eq!(rows, 1);
}

#[test]
fn missing_rows_are_told_by_day() {
    let place = Place::new();
    let store = place.open();
    let anne = anne_who_looks(&store);
    let today = place.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date();
    store.add_activity_gaps(&[(anne, today), (anne, today)]).expect("noted");
    assert_eq!(read(&store, anne).incomplete, [today]);
}

/// Each chain costs a key agreement: a day's are brought into one by the first who reads them.
#[test]
fn many_chains_become_one_when_they_are_read() {
    let place = Place::new();
    let store = place.open();
    let anne = anne_who_looks(&store);
    let mut writer = ActivityWriter::default();
    let chains = || -> i64 {
        place.raw().query_row("SELECT count(*) FROM activity_chains", [], |row| row.get(0)).expect("read")
    };
    for n in 0..30 {
        place.clock.advance(Duration::from_secs(3600));
        let row = (anne, message(place.clock.now(), &format!("m{n}@d.example")));
        store.append_activity(&mut writer, &[row]).expect("written");
    }
    place.raw().execute("UPDATE activity SET sealed = zeroblob(length(sealed)) WHERE number = 7", []).expect("altered");
    let before = (chains(), read(&store, anne));
    eventually("the chains", || chains() == 2);
    assert_eq!(before, (30, read(&store, anne)), "the same, with what was altered as such");
    // A relay goes on with the chain that it began.
    store.append_activity(&mut writer, &[(anne, message(place.clock.now(), "last@d.example"))]).expect("written");
    assert_eq!(senders(&read(&store, anne))[..2], ["last@d.example", "m29@d.example"]);
}

/// A number that all users share would tell each how much mail the others get.
#[test]
fn rows_are_numbered_for_each_user_alone() {
    let place = Place::new();
    let store = place.open();
    let anne = anne_who_looks(&store);
    let bob = store.add_user(&administrator(), &person("bob@acme.example")).expect("added");
    store.keep_activity(bob, Keeping::On).expect("on");
    for user in [anne, bob, bob, bob, anne] {
        append(&store, user, &[message(place.clock.now(), "m@d.example")]);
    }
    let numbers = |user| -> Vec<i64> { read(&store, user).rows.iter().map(|row| row.number).collect() };
    assert_eq!((numbers(anne), numbers(bob)), (vec![2, 1], vec![3, 2, 1]));
}

/// Rows that were there before they had numbers of their own get them in their order.
#[test]
fn rows_of_an_older_schema_are_numbered() {
    let place = Place::new();
    let store = place.open();
    let anne = anne_who_looks(&store);
    let messages = ["a", "b"].map(|name| message(place.clock.now(), &format!("{name}@d.example")));
    append(&store, anne, &messages);
    drop(store);
    crate::file::back_to(&place, 7);
    let store = place.open();
    append(&store, anne, &[message(place.clock.now(), "c@d.example")]);
    let history = read(&store, anne);
    let numbers: Vec<i64> = history.rows.iter().map(|row| row.number).collect();
    assert_eq!(
        (numbers, senders(&history)),
        (vec![3, 2, 1], ["c", "b", "a"].map(|n| format!("{n}@d.example")).to_vec())
    );
}

/// One key that somebody changed in the database stops nobody else's history.
#[test]
fn an_altered_key_costs_its_own_user_alone() {
    let place = Place::new();
    let store = place.open();
    let anne = anne_who_looks(&store);
    let bob = store.add_user(&administrator(), &person("bob@acme.example")).expect("added");
    store.keep_activity(bob, Keeping::On).expect("on");
    // No point of this order agrees with anybody.
    let key = "UPDATE users SET public_key = zeroblob(32) WHERE id = ?1";
    place.raw().execute(key, [anne.get() as i64]).expect("altered");
    let rows = [anne, bob].map(|user| (user, message(place.clock.now(), "m@d.example")));
    store.append_activity(&mut ActivityWriter::default(), &rows).expect("written");
    assert_eq!(read(&store, bob).rows.len(), 1);
    let gaps = "SELECT count(*) FROM activity_gaps WHERE user = ?1";
    let of =
        |user: UserId| -> i64 { place.raw().query_row(gaps, [user.get() as i64], |row| row.get(0)).expect("read") };
    assert_eq!((of(anne), of(bob)), (1, 0));
}

/// A row that was moved to another user, or changed, is shown as altered and takes no other with it.
#[test]
fn an_altered_row_is_shown_as_such() {
    let place = Place::new();
    let store = place.open();
    let anne = anne_who_looks(&store);
    let messages = ["a", "b", "c"].map(|name| message(place.clock.now(), &format!("{name}@d.example")));
    append(&store, anne, &messages);
    place
        .raw()
        .execute("UPDATE activity SET sealed = zeroblob(length(sealed)) WHERE position = 1", [])
        .expect("altered");
    assert_eq!(senders(&read(&store, anne)), ["c@d.example", "ALTERED", "a@d.example"]);
    place.raw().execute("UPDATE activity SET position = 0 WHERE position = 2", []).expect("altered");
    assert_eq!(senders(&read(&store, anne)), ["ALTERED", "ALTERED", "a@d.example"]);
}

#[test]
fn all_rows_have_one_length() {
    let place = Place::new();
    let store = place.open();
    let anne = anne_who_looks(&store);
    let long = format!("{}@d.example", "x".repeat(200));
    append(&store, anne, &[message(place.clock.now(), "a@d.example"), message(place.clock.now(), &long)]);
    let lengths: i64 = place
        .raw()
        .query_row("SELECT count(DISTINCT length(sealed)) FROM activity", [], |row| row.get(0))
        .expect("read");
    assert_eq!(lengths, 1);
}

#[test]
fn a_user_who_is_gone_takes_their_rows_along() {
    let place = Place::new();
    let store = place.open();
    let anne = anne_who_looks(&store);
    let bob = store.add_user(&administrator(), &person("bob@acme.example")).expect("added");
    store.keep_activity(bob, Keeping::On).expect("on");
    let mut writer = ActivityWriter::default();
    let rows = [anne, bob].map(|user| (user, message(place.clock.now(), "m@d.example")));
    store.append_activity(&mut writer, &rows).expect("written");
    store.remove_user(&administrator(), anne).expect("removed");
    store.append_activity(&mut writer, &rows).expect("what is Anne's is left out");
    assert_eq!(read(&store, bob).rows.len(), 2);
    let rows: i64 = place.raw().query_row("SELECT count(*) FROM activity", [], |row| row.get(0)).expect("read");
    assert_eq!(rows, 2);
}

#[test]
fn how_many_an_entry_would_have_matched_is_counted_as_policy_compares() {
    let place = Place::new();
    let store = place.open();
    let anne = anne_who_looks(&store);
    let now = || place.clock.now();
    let policy = OrgPolicy::new(1, vec![domain("acme.example")]);
    let ask = |list, text: &str| {
        let value = value(text);
        look(&policy, &[], &read(&store, anne), Candidate { list, value: &value }, now())
    };
    assert_eq!(ask(ListKind::Personal, "d.example"), None, "no data is not zero");
    append(&store, anne, &[message(now(), "older@d.example")]);
    place.clock.advance(29 * DAY);
    let since = now();
    let unproven = Activity {
        proof: Known { envelope: Authentication::Missing, header: Authentication::Missing },
        ..message(now(), "eve@d.example")
    };
    let bounce = Activity { envelope: Some(address("bounce@news.example")), ..message(now(), "shop@m.d.example") };
    append(&store, anne, &[message(now(), "maman+x@d.example"), unproven, bounce, message(now(), "boss@acme.example")]);
    place.clock.advance(2 * DAY);
    let count = |list, text| ask(list, text).map(|looked| looked.matched);
    for (list, text, expected) in [
        (ListKind::Personal, "maman@d.example", 1),
        (ListKind::Personal, "maman+x@d.example", 1),
        (ListKind::Personal, "maman+y@d.example", 0),
        (ListKind::Personal, "d.example", 1),
        (ListKind::Black, "d.example", 2),
        (ListKind::Personal, "*.d.example", 2),
        (ListKind::Black, "*.d.example", 3),
        (ListKind::Black, "news.example", 1),
        (ListKind::Personal, "news.example", 0),
        (ListKind::Black, "acme.example", 0),
        (ListKind::Black, "*@?.d.example", 1),
    ] {
        assert_eq!(count(list, text), Some(expected), "{list} {text}");
    }
    let looked = |days: i64| {
        let at = now() - jiff::SignedDuration::from_hours(24 * days);
        store.add_activity_gaps(&[(anne, at.to_zoned(jiff::tz::TimeZone::UTC).date())]).expect("noted");
        ask(ListKind::Personal, "d.example").expect("data")
    };
    let acme = store.organisation("acme").expect("there").id;
    store.set_organisation(&administrator(), acme, &[("activity_days".to_owned(), "90".to_owned())]).expect("set");
    let complete = Looked { matched: 1, messages: 4, since, is_incomplete: false };
    assert_eq!(looked(31), complete, "what was missing before does not count");
    assert_eq!(looked(30), Looked { is_incomplete: true, ..complete });
}

#[test]
fn the_last_match_of_each_entry_is_told() {
    let place = Place::new();
    let store = place.open();
    let anne = anne_who_looks(&store);
    let first = place.clock.now();
    append(&store, anne, &[message(first, "maman@d.example"), message(first, "x@shop.example")]);
    place.clock.advance(DAY);
    let second = place.clock.now();
    append(&store, anne, &[message(second, "maman@d.example")]);
    let values = ["maman@d.example", "*.shop.example", "*@sh?p.example", "nobody@d.example"].map(value);
    let entries: Vec<_> = values.iter().map(|value| (ListKind::Personal, value)).collect();
    let matches = last_matches(&[], &read(&store, anne), &entries);
    assert_eq!(matches, [Some(second), Some(first), Some(first), None]);
}

#[test]
fn digests_are_taken_once_a_period_by_those_who_want_them() {
    let place = Place::new();
    let store = place.open();
    let anne = anne(&store);
    let bob = store.add_user(&administrator(), &person("bob@acme.example")).expect("added");
    store.set_digest(anne, Digest::Wanted).expect("wanted");
    assert_eq!([anne, bob].map(|user| store.digest(user).expect("read")), [Digest::Wanted, Digest::Unwanted]);
    let due = || store.take_digests(place.clock.now() - jiff::SignedDuration::from_hours(7 * 24), 10).expect("taken");
    assert!(due().is_empty(), "the first comes after a week");
    place.clock.advance(8 * DAY);
    assert!(due().is_empty(), "there is nothing to count");
    store.keep_activity(anne, Keeping::On).expect("on");
    assert_eq!((due(), due()), (vec![anne], vec![]));
    store.put_digests_back(&[anne, bob], place.clock.now() - jiff::SignedDuration::from_hours(7 * 24)).expect("back");
    assert_eq!((due(), due()), (vec![anne], vec![]), "what could not be sent is due again, to who wants it");
    place.clock.advance(8 * DAY);
    store.make_recovery_code(anne, &Permission::Own(anne)).expect("a code");
    store.set_lock(anne, &Permission::Own(anne), LockState::On).expect("closed");
    assert!(due().is_empty(), "nobody else can read it");
    store.set_digest(anne, Digest::Unwanted).expect("unwanted");
    assert_eq!(store.digest(anne).expect("read"), Digest::Unwanted);
}

/// What a broken store does to whoever keeps activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It takes nothing.
    Away,
    /// It panics once, then takes everything.
    Panics,
}

/// A store of activity alone, with a fault.
struct Faulty {
    fault: Mutex<Option<Fault>>,
    gaps: Mutex<Vec<(UserId, jiff::civil::Date)>>,
    rows: Mutex<usize>,
}

impl Faulty {
    fn new(fault: Fault) -> Arc<Self> {
        Arc::new(Self { fault: Mutex::new(Some(fault)), gaps: Mutex::default(), rows: Mutex::default() })
    }

    fn fails(&self) -> Result<()> {
        // The panic is not to happen under the lock.
        let fault = { *self.fault.lock().expect("no panic") };
        match fault {
            Some(Fault::Away) => Err(StoreError::Closed),
            Some(Fault::Panics) => {
                *self.fault.lock().expect("no panic") = None;
                panic!("as the test has it")
            }
            None => Ok(()),
        }
    }
}

impl ActivityStore for Faulty {
    fn append_activity(&self, _: &mut ActivityWriter, rows: &[(UserId, Activity)]) -> Result<()> {
        self.fails()?;
        *self.rows.lock().expect("no panic") += rows.len();
        Ok(())
    }

    fn add_activity_gaps(&self, gaps: &[(UserId, jiff::civil::Date)]) -> Result<()> {
        self.fails()?;
        self.gaps.lock().expect("no panic").extend(gaps);
        Ok(())
    }

    fn prune_activity(&self) -> Result<u64> {
        Ok(0)
    }

    fn keep_activity(&self, _: UserId, _: Keeping) -> Result<()> {
        unreachable!("not of a keeper")
    }

    fn activity(&self, _: UserId, _: &Permission) -> Result<History> {
        unreachable!("not of a keeper")
    }

    fn purge_activity(&self, _: UserId) -> Result<()> {
        unreachable!("not of a keeper")
    }

    fn set_digest(&self, _: UserId, _: Digest) -> Result<()> {
        unreachable!("not of a keeper")
    }

    fn digest(&self, _: UserId) -> Result<Digest> {
        unreachable!("not of a keeper")
    }

    fn take_digests(&self, _: Timestamp, _: usize) -> Result<Vec<UserId>> {
        unreachable!("not of a keeper")
    }

    fn put_digests_back(&self, _: &[UserId], _: Timestamp) -> Result<()> {
        unreachable!("not of a keeper")
    }

    fn compiled(&self, _: UserId) -> Result<LoadedUser> {
        unreachable!("not of a keeper")
    }
}

fn user(number: u64) -> UserId {
    UserId::new(number).expect("63 bits")
}

/// Those of the queue are lost as well as those in hand, and whoever ends the daemon hears that nobody was told.
#[test]
fn a_store_that_is_away_at_the_end_leaves_nothing_unsaid() {
    let queue = Arc::new(ActivityQueue::new());
    let now = Timestamp::from_second(1_800_000_000).expect("a time");
    (1..=1500).for_each(|n| offer(&queue, now, user(n), "m@d.example"));
    let away = Faulty::new(Fault::Away);
    let keeper = Keeper::start(away.clone(), queue.clone()).expect("started");
    assert_eq!(keeper.end(), Told::NotAll);
    *away.fault.lock().expect("no panic") = None;
    assert_eq!(Keeper::start(away.clone(), queue).expect("started").end(), Told::All);
    assert_eq!((away.gaps.lock().expect("no panic").len(), *away.rows.lock().expect("no panic")), (1500, 0));
}

#[test]
fn a_panic_costs_the_rows_in_hand_and_their_users_are_told() {
    let queue = Arc::new(ActivityQueue::new());
    let now = Timestamp::from_second(1_800_000_000).expect("a time");
    offer(&queue, now, user(1), "m@d.example");
    let store = Faulty::new(Fault::Panics);
    let keeper = Keeper::start(store.clone(), queue.clone()).expect("started");
    eventually("the gap", || store.gaps.lock().expect("no panic").len() == 1);
    offer(&queue, now, user(2), "m@d.example");
    eventually("the row", || *store.rows.lock().expect("no panic") == 1);
    assert_eq!(keeper.end(), Told::All);
}

fn report(place: &Place, name: &str) -> RelayReport {
    let run = RelayRun::new(name.to_owned(), "1.0".to_owned(), place.clock.now()).expect("a run");
    RelayReport { run, status: RelayStatus { addresses: 2, minutes: vec![1, 2], ..RelayStatus::default() } }
}

#[test]
fn every_relay_of_a_store_is_seen_until_it_ends() {
    let place = Place::new();
    let store = place.open();
    let [one, two] = ["one", "two"].map(|name| report(&place, name));
    store.tell_relay(&one).expect("told");
    place.clock.advance(Duration::from_secs(10));
    store.tell_relay(&two).expect("told");
    store
        .tell_relay(&RelayReport { status: RelayStatus { loads: 7, ..one.status.clone() }, ..one.clone() })
        .expect("told");
    let seen: Vec<_> = store.relays().expect("read").into_iter().map(|known| (known.report.run, known.seen)).collect();
    assert_eq!(seen, [(one.run.clone(), place.clock.now()), (two.run.clone(), place.clock.now())]);
    assert_eq!(store.relays().expect("read")[0].report.status.loads, 7);
    store.end_relay(&one.run).expect("ended");
    let names: Vec<_> = store.relays().expect("read").into_iter().map(|known| known.report.run.name).collect();
    assert_eq!(names, ["two"]);
}

/// Of a relay that crashed nobody knows whose rows it took along: everybody who looks is told of the days.
#[test]
fn a_relay_that_is_gone_leaves_days_that_may_be_incomplete() {
    let place = Place::new();
    let store = place.open();
    let (anne, bob) = (anne_who_looks(&store), store.add_user(&administrator(), &person("bob@acme.example")));
    let today = || place.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let crashed_on = today();
    store.tell_relay(&report(&place, "crashed")).expect("told");
    let ended = report(&place, "ended");
    store.tell_relay(&ended).expect("told");
    store.end_relay(&ended.run).expect("ended");
    place.clock.advance(Duration::from_secs(60));
    store.tell_relay(&report(&place, "next")).expect("told");
    assert!(read(&store, anne).incomplete.is_empty(), "it may be slow");
    place.clock.advance(DAY);
    let next = report(&place, "next");
    store.tell_relay(&next).expect("told");
    assert_eq!(read(&store, anne).incomplete, [today(), crashed_on]);
    let of_bob = read(&store, bob.expect("added"));
    assert!(of_bob.incomplete.is_empty(), "he does not look");
    store.purge_activity(anne).expect("erased");
    place.clock.advance(Duration::from_secs(60));
    store.tell_relay(&next).expect("told");
    assert!(read(&store, anne).incomplete.is_empty(), "said once");
    place.clock.advance(2 * DAY);
    store.tell_relay(&next).expect("told");
    let names: Vec<_> = store.relays().expect("read").into_iter().map(|known| known.report.run.name).collect();
    assert_eq!(names, ["next"], "it is forgotten after a day");
}

/// Offers what happened to a message for a user.
fn offer(queue: &ActivityQueue, at: Timestamp, user: UserId, sender: &str) {
    let sender = address(sender);
    let missing = Authentication::Missing;
    queue.offer(
        at,
        &Happened {
            user: user.get(),
            direction: Direction::Inbound,
            envelope: Some(&sender),
            header: Some(&sender),
            proof: Known { envelope: missing, header: missing },
            verdict: Verdict::UNTOUCHED,
            effect: &Effect::of(Delivery::AsAddressed),
        },
    );
}

#[test]
fn what_the_mail_path_offers_comes_to_the_store_in_its_order() {
    let place = Place::new();
    let store = Arc::new(place.open());
    let anne = anne_who_looks(&*store);
    let queue = Arc::new(ActivityQueue::new());
    let keeper = Keeper::start(store.clone(), queue.clone()).expect("started");
    (0..3).for_each(|n| offer(&queue, place.clock.now(), anne, &format!("m{n}@d.example")));
    eventually("the rows", || read(&*store, anne).rows.len() == 3);
    offer(&queue, place.clock.now(), anne, "last@d.example");
    keeper.end();
    assert_eq!(senders(&read(&*store, anne)), ["last@d.example", "m2@d.example", "m1@d.example", "m0@d.example"]);
}

/// Mail never waits: what finds no room is lost, and who misses it is told of the day.
#[test]
fn a_full_queue_loses_rows_and_says_so() {
    let place = Place::new();
    let store = Arc::new(place.open());
    let anne = anne_who_looks(&*store);
    let bob = store.add_user(&administrator(), &person("bob@acme.example")).expect("added");
    store.keep_activity(bob, Keeping::On).expect("on");
    let queue = Arc::new(ActivityQueue::new());
    (0..ACTIVITY_QUEUE).for_each(|_| offer(&queue, place.clock.now(), bob, "m@d.example"));
    (0..10).for_each(|_| offer(&queue, place.clock.now(), anne, "m@d.example"));
    Keeper::start(store.clone(), queue).expect("started").end();
    let (of_anne, of_bob) = (read(&*store, anne), read(&*store, bob));
    let today = place.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date();
    assert_eq!((of_anne.rows.len(), of_anne.incomplete), (0, vec![today]));
    assert_eq!((of_bob.rows.len(), of_bob.incomplete.len()), (ACTIVITY_ROWS, 0));
}

#[test]
fn a_week_is_counted_by_what_was_decided() {
    let place = Place::new();
    let store = place.open();
    let anne = anne_who_looks(&store);
    let now = || place.clock.now();
    let rule = Match {
        level: Level::User,
        list: ListKind::Personal,
        scope: Scope::Address,
        rank: 0,
        identity: Identity::Header,
        authentication: Authentication::NotRequired,
    };
    let with = |outcome, reason| Activity { verdict: Verdict { outcome, reason }, ..message(now(), "m@d.example") };
    let personal = Reason { personal: Some(rule), ..Reason::default() };
    append(&store, anne, &[with(Outcome::UNTOUCHED, personal)]);
    place.clock.advance(8 * DAY);
    let cleared = Outcome::Deliver { personal: PersonalActions::NONE, clear_spam: true };
    let rows = [
        with(Outcome::UNTOUCHED, personal),
        with(Outcome::Blocked(BlackAction::Junk), Reason::default()),
        with(cleared, Reason::default()),
        with(Outcome::UNTOUCHED, Reason::default()),
    ];
    append(&store, anne, &rows.map(|row| Activity { at: now(), ..row }));
    let counted = week(&read(&store, anne), now());
    assert_eq!(counted, Week { messages: 4, personal: 1, blocked: 1, accepted: 1, is_incomplete: false });
}
