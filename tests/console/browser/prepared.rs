//! What was before the journeys begin: people whose time with the console began some days ago, and an organisation with days
//! that are over. A journey signs in as `JOURNEY.VARIANT`; lib/person.mjs gives the same names.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use perso_milter::policy::address::Domain;
use perso_milter::policy::authres::Authentication;
use perso_milter::policy::decide::{Known, Verdict};
use perso_milter::policy::list::ListKind;
use perso_milter::policy::plan::{Delivery, Direction, Effect};
use perso_milter::store::{
    Activity, Actor, Clock, Digest, FRESH_START_DELAY, Keeping, LockState, Permission, Store, TOTALS_USERS, Total,
    UserId,
};

use super::DOMAIN;
use crate::harness::{add_user, address};

const VARIANTS: [&str; 4] = ["fr", "fr.plain", "en", "en.plain"];
/// How long ago it was: a fresh start that was asked for is due, and so is a weekly digest.
const AGO: Duration = FRESH_START_DELAY.saturating_add(Duration::from_secs(24 * 3600));
/// The organisation with days that are over.
const COUNTED: &str = "counted.example";

/// The clock of the store that is prepared.
pub fn clock() -> Clock {
    Arc::new(|| Timestamp::now() - AGO)
}

/// Prepares a store whose clock is [`clock`].
pub fn prepare(store: &dyn Store) {
    for variant in VARIANTS {
        looks_at_the_history(store, &format!("week.{variant}@{DOMAIN}"));
        lost_every_secret(store, &format!("anew.{variant}@{DOMAIN}"));
        has_an_employer(store, variant);
    }
    counts(store);
}

/// Somebody who has a history, of which messages are missing, and wants the weekly digest.
fn looks_at_the_history(store: &dyn Store, name: &str) {
    let user = add_user(store, name);
    let now = Timestamp::now();
    store.keep_activity(user, Keeping::On).expect("on");
    let rows: Vec<(UserId, Activity)> =
        (1..=3).map(|minutes| (user, message(now - Duration::from_secs(60 * minutes)))).collect();
    store.append_activity(&mut Default::default(), &rows).expect("noted");
    store.add_activity_gaps(&[(user, now.to_zoned(TimeZone::UTC).date())]).expect("noted");
    store.set_digest(user, Digest::Wanted).expect("wanted");
}

fn message(at: Timestamp) -> Activity {
    Activity {
        at,
        direction: Direction::Inbound,
        envelope: Some(address("mother@family.example")),
        header: None,
        senders_cut: false,
        proof: Known { envelope: Authentication::Missing, header: Authentication::Missing },
        verdict: Verdict::UNTOUCHED,
        effect: Effect::of(Delivery::AsAddressed),
    }
}

/// Somebody whose entries nobody can read any more once the fresh start is made that they asked for.
fn lost_every_secret(store: &dyn Store, name: &str) {
    let user = add_user(store, name);
    let entry = (ListKind::Personal, "mother@family.example".parse().expect("an entry"));
    store.add_entries(&Actor::User, user, &[entry]).expect("added");
    store.make_recovery_code(user, &Permission::Own(user)).expect("a code");
    store.set_lock(user, &Permission::Own(user), LockState::On).expect("closed");
    store.ask_fresh_start(user).expect("asked");
}

/// Somebody in an organisation of their own, who was there before anything changes in it.
fn has_an_employer(store: &dyn Store, variant: &str) {
    let name = format!("{variant}.employer.example");
    let domain = Domain::parse(&name).expect("a domain");
    store.add_organisation(&Actor::System, &name, &[domain]).expect("added");
    add_user(store, &format!("employer.{variant}@{name}"));
}

/// Two days, one of which is about too few people to be shown.
fn counts(store: &dyn Store) {
    let domain = Domain::parse(COUNTED).expect("a domain");
    let organisation = store.add_organisation(&Actor::System, "counted", &[domain]).expect("added");
    let yesterday = Timestamp::now().to_zoned(TimeZone::UTC).date().yesterday().expect("a day");
    let before = yesterday.yesterday().expect("a day");
    for (day, users) in [(yesterday, TOTALS_USERS), (before, TOTALS_USERS - 1)] {
        let total = |kind: &str, count| Total { organisation, day, kind: kind.to_owned(), count };
        let totals = [total("decided", 4242), total("personal", 1717), total(Total::USERS, users)];
        store.add_totals(&totals).expect("added");
    }
}
