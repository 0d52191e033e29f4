//! What became of messages through Postfix and back: one row for each copy, for who wants to see it, and none for others.

use perso_milter::policy::address::Address;
use perso_milter::policy::plan::Delivery;
use perso_milter::store::{
    Activity, ActivityStore as _, Keeping, Permission, SqliteOptions, SqliteStore, Store, UserId,
};

use crate::milter::Settings;
use crate::relay::{FRIEND, STRANGER, letter};
use crate::scratch::wait_until;
use crate::split::road::Plan;

struct Reader {
    store: SqliteStore,
    user: UserId,
}

impl Reader {
    /// A user of a scenario.
    fn of(plan: &Plan, name: &str) -> Self {
        let store = SqliteStore::open(&plan.daemon.database(), SqliteOptions::default()).expect("the store");
        let address = Address::parse(&plan.address(name)).expect("an address");
        let user = store.user_id(&address).expect("added");
        Self { store, user }
    }

    /// The user wants to see what becomes of their messages.
    fn who_looks(self) -> Self {
        self.store.keep_activity(self.user, Keeping::On).expect("on");
        self
    }

    /// The user's rows once there are so many, newest first.
    fn rows(&self, count: usize) -> Vec<Activity> {
        wait_until("the rows", || {
            let history = self.store.activity(self.user, &Permission::Own(self.user)).expect("read");
            assert!(history.rows.len() <= count, "{} rows", history.rows.len());
            (history.rows.len() == count)
                .then(|| history.rows.into_iter().map(|row| row.activity.expect("unaltered")).collect())
        })
    }
}

#[test]
fn each_copy_of_a_split_message_is_one_row_for_who_wants_it() {
    let settings = Settings::new().set("personal.actions", vec!["tag", "folder"]).set("black.action", "junk");
    let plan = Plan::new(settings).user("bob", &[]).user("carl", &[]).user("anne", &[]);
    let plan = plan.entries("bob", "personal", &[FRIEND]).entries("carl", "black", &[FRIEND]);
    let [bob, carl] = ["bob", "carl"].map(|name| Reader::of(&plan, name).who_looks());
    let road = plan.start();

    let message = letter(FRIEND, "Tous");
    let sent = road.send(FRIEND, &["bob", "carl", "anne"], &message);
    assert!(road.was_split(sent.id()));
    let (of_bob, of_carl) = (bob.rows(1), carl.rows(1));
    assert_eq!((&of_bob[0].effect.delivery, of_bob[0].effect.tagged), (&Delivery::Folder("Perso".to_owned()), true));
    assert_eq!((&of_carl[0].effect.delivery, of_carl[0].effect.tagged), (&Delivery::Folder("Junk".to_owned()), false));
    assert_eq!(of_bob[0].sender().map(|sender| sender.as_str()), Some(FRIEND));

    let sent = road.send(STRANGER, &["bob", "carl", "anne"], &letter(STRANGER, "Offre"));
    assert!(!road.was_split(sent.id()));
    for rows in [bob.rows(2), carl.rows(2)] {
        assert_eq!(rows[0].effect.delivery, Delivery::AsAddressed);
        assert_eq!(rows[0].sender().map(|sender| sender.as_str()), Some(STRANGER));
    }
    assert!(Reader::of(&road.plan, "anne").rows(0).is_empty(), "she did not ask");
}
