//! `entry list` and `entry export`: a list is shown to its user, and to whom that user gave a grant, for as long as it lasts.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use perso_milter::policy::list::ListKind;
use perso_milter::store::Store;
use serde_json::json;

use crate::harness::{Answer, Place, SUDO_UID, answer, id, typist};

const ANNE: &str = "anne@acme.example";
const READING: [&[&str]; 7] = [
    &["entry", "list", ANNE],
    &["entry", "list", ANNE, "--json"],
    &["entry", "list", ANNE, "white"],
    &["entry", "list", ANNE, "black"],
    &["entry", "list", ANNE, "personal"],
    &["entry", "list", ANNE, "personal", "--json"],
    &["entry", "export", ANNE],
];

fn is_refused(answer: Answer) {
    assert_eq!(answer.failed(), refusal());
}

/// What whoever types reads without a grant of anne's.
fn refusal() -> String {
    format!(
        "perso-milter: anne@acme.example: the user has not granted {} to read this; a user's lists are shown to that user \
         alone, who may give a grant for at most 24 hours in the console\n",
        typist()
    )
}

fn grant_all(place: &Place, user: &str) {
    for list in ListKind::ALL {
        place.grant(user, list);
    }
}

#[test]
fn without_a_grant_the_refusal_is_the_same_whatever_is_on_the_list() {
    let place = Place::acme();
    let all_refused = || READING.into_iter().for_each(|arguments| is_refused(place.run(arguments)));
    all_refused();
    place.run(&["entry", "add", ANNE, "personal", "maman@famille.example"]).done();
    all_refused();
    place.run(&["entry", "add", ANNE, "white", "a@b.example", "c.example", "*.d.example"]).done();
    all_refused();
    place.run(&["user", "disable", ANNE]).done();
    all_refused();
}

#[test]
fn under_a_grant_the_list_is_shown() {
    let place = Place::acme();
    place.run(&["entry", "add", ANNE, "personal", "maman@famille.example", "*.club.example"]).done();
    place.run(&["entry", "add", ANNE, "black", "pub.example"]).done();
    place.grant(ANNE, ListKind::Personal);
    let personal = place.run(&["entry", "list", ANNE, "personal"]).done();
    assert_eq!(personal, "personal  *.club.example  administrator\npersonal  maman@famille.example  administrator\n");
    let as_json = place.run(&["entry", "list", ANNE, "personal", "--json"]).json();
    let of = |key: &str| as_json.as_array().expect("a list").iter().map(|row| row[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("value"), ["*.club.example", "maman@famille.example"]);
    assert_eq!((of("list"), of("origin")), (vec![json!("personal"); 2], vec![json!("administrator"); 2]));
    // A grant is for one list.
    is_refused(place.run(&["entry", "list", ANNE, "black"]));
    is_refused(place.run(&["entry", "list", ANNE]));
    is_refused(place.run(&["entry", "export", ANNE]));
    grant_all(&place, ANNE);
    let all = place.run(&["entry", "list", ANNE]).done();
    assert_eq!(all, format!("black     pub.example  administrator\n{personal}"));
    // Nor is it for another user's.
    let bob = place.run(&["entry", "list", "bob@acme.example"]).failed();
    assert_eq!(bob, refusal().replace("anne@", "bob@"));
}

#[test]
fn a_grant_is_for_the_person_it_names() {
    let place = Place::acme();
    grant_all(&place, ANNE);
    let run = |set: &[(&str, &str)]| {
        let mut command = place.command(&["entry", "list", ANNE]);
        command.env_remove("SUDO_UID").envs(set.iter().copied());
        answer(&mut command)
    };
    run(&[("SUDO_UID", SUDO_UID)]).done();
    // No variable makes one account another: what root does not say of sudo is root's own.
    let account = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten().expect("an account").name;
    if nix::unistd::getuid().is_root() {
        for set in [&[][..], &[("SUDO_UID", "x")], &[("SUDO_USER", "anne"), ("USER", "anne"), ("LOGNAME", "anne")]] {
            assert_eq!(run(set).failed(), refusal().replace(&typist(), &account), "{set:?}");
        }
        assert_eq!(run(&[("SUDO_UID", "60124")]).failed(), refusal().replace(&typist(), "uid 60124"));
    }
}

#[test]
fn a_grant_that_is_over_or_taken_back_grants_nothing() {
    let place = Place::acme();
    let hour = Duration::from_secs(3600);
    let two_hours_ago = Timestamp::now().checked_sub(SignedDuration::from_hours(2)).expect("a time");
    for list in ListKind::ALL {
        place.grant_at(two_hours_ago, ANNE, list, hour);
    }
    READING.into_iter().for_each(|arguments| is_refused(place.run(arguments)));
    let grants = ListKind::ALL.map(|list| place.grant(ANNE, list));
    READING.into_iter().for_each(|arguments| assert_eq!(place.run(arguments).code, Some(0), "{arguments:?}"));
    let store = place.store();
    for grant in grants {
        store.revoke_grant(id(&store, ANNE), grant).expect("revoked");
    }
    READING.into_iter().for_each(|arguments| is_refused(place.run(arguments)));
}

/// The user sees that a grant was used.
#[test]
fn the_use_of_a_grant_is_journalled() {
    let place = Place::acme();
    place.grant(ANNE, ListKind::White);
    let used = || {
        let store = place.store();
        store.grants(id(&store, ANNE)).expect("grants")[0].last_used
    };
    assert_eq!(used(), None);
    place.run(&["entry", "list", ANNE, "white"]).done();
    assert!(used().is_some());
}

#[test]
fn without_the_seal_key_no_list_is_shown() {
    let place = Place::acme();
    grant_all(&place, ANNE);
    std::fs::remove_file(place.store_dir().join("seal.key")).expect("our own file");
    for arguments in READING {
        let stderr = place.run(arguments).failed();
        assert!(stderr.contains("this process cannot read seal.key"), "{stderr}");
    }
    place.run(&["entry", "add", ANNE, "white", "a@b.example"]).done();
}

/// What a spreadsheet would run as a formula, and what only looks like our way of keeping it from that.
#[test]
fn an_export_is_safe_in_a_spreadsheet_and_imports_as_it_was() {
    let place = Place::acme();
    let user = "=cmd|1+1@acme.example";
    place.run(&["user", "add", user]).done();
    let values = [
        "'quoted@famille.example",
        "+33@famille.example",
        "=1+1@famille.example",
        "=cmd|'x'!a1@famille.example",
        "maman@famille.example",
        "-2@famille.example",
        "o'brien@famille.example",
        "''twice@famille.example",
        "'=evil@famille.example",
    ];
    let add: Vec<&str> = ["entry", "add", user, "personal", "--"].into_iter().chain(values).collect();
    place.run(&add).done();
    place.run(&["entry", "add", user, "black", "*.pub.example", "pub.example"]).done();
    grant_all(&place, user);
    let exported = place.run(&["entry", "export", user]).done();
    let mut lines = exported.lines();
    assert_eq!(lines.next(), Some("user,list,value"));
    let mut count = 0;
    for line in lines {
        count += 1;
        for field in line.split(',') {
            assert!(!field.trim_start_matches('"').starts_with(['=', '+', '-', '@', '\t', '\r']), "{line}");
        }
    }
    assert_eq!(count, values.len() + 2);
    let listed = place.run(&["entry", "list", user, "--json"]).json();
    let plain = |listed: &serde_json::Value| -> Vec<(String, String)> {
        let rows = listed.as_array().expect("a list").iter();
        rows.map(|row| (row["list"].to_string(), row["value"].to_string())).collect()
    };
    place.run(&["user", "remove", user]).done();
    place.run(&["user", "add", user]).done();
    let imported = place.run_on(&["entry", "import", "-"], exported.as_bytes()).done();
    assert_eq!(imported, format!("{} lines accepted, 0 refused\n", values.len() + 2));
    grant_all(&place, user);
    let again = place.run(&["entry", "list", user, "--json"]).json();
    assert_eq!(plain(&again), plain(&listed));
    assert_eq!(place.run(&["entry", "export", user]).done(), exported);
}
