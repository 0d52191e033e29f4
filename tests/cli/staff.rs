//! `staff`: managers and operators.

use perso_milter::store::{EnrolmentCode, StaffStore};
use serde_json::json;

use crate::harness::Place;

const ROOT: &str = "root@relay.example";

/// The code in what `add` and `reset` print.
fn code(said: &str) -> EnrolmentCode {
    let line = said.lines().find_map(|line| line.strip_prefix("enrolment code (once, 24 hours): "));
    line.expect("a code").parse().expect("one")
}

#[test]
fn staff_are_added_listed_disabled_and_removed() {
    let place = Place::acme();
    assert_eq!(
        place.run(&["staff", "list"]).done(),
        "no staff yet; add the first operator with: perso-milter staff add ADDRESS --operator\n"
    );
    let said = place.run(&["staff", "add", "Root@Relay.example", "--operator"]).done();
    assert!(said.starts_with("operator root@relay.example added\n"), "{said}");
    let manager = ["staff", "add", "boss@acme.example", "--manager", "acme"];
    assert!(place.run(&manager).done().starts_with("manager boss@acme.example added\n"));
    assert_eq!(
        place.run(&["staff", "list"]).done(),
        "boss@acme.example  manager of acme  invited\nroot@relay.example  operator  invited\n"
    );
    let listed = place.run(&["staff", "list", "--json"]).json();
    assert_eq!((&listed[0]["organisation"], &listed[1]["organisation"]), (&json!("acme"), &json!(null)));
    assert_eq!((&listed[1]["role"], &listed[1]["status"]), (&json!("operator"), &json!("invited")));

    assert_eq!(place.run(&["staff", "disable", ROOT]).done(), "operator root@relay.example disabled\n");
    assert!(place.run(&["staff", "list"]).done().ends_with("operator  disabled\n"));
    assert_eq!(place.run(&["staff", "enable", ROOT]).done(), "operator root@relay.example enabled\n");
    assert_eq!(place.run(&["staff", "remove", ROOT]).done(), "operator root@relay.example removed\n");
    assert_eq!(place.run(&["staff", "list"]).done(), "boss@acme.example  manager of acme  invited\n");
}

#[test]
fn the_code_that_is_printed_enrols_until_it_is_replaced() {
    let place = Place::acme();
    let first = code(&place.run(&["staff", "add", ROOT, "--operator"]).done());
    assert_eq!(place.store().enrolment(&first).expect("waiting").staff.address.as_str(), ROOT);
    let second = code(&place.run(&["staff", "reset", ROOT]).done());
    assert!(place.store().enrolment(&first).is_err());
    place.store().enrolment(&second).expect("waiting");
}

#[test]
fn who_is_not_there_or_there_already_is_said() {
    let place = Place::acme();
    place.run(&["staff", "add", ROOT, "--operator"]).done();
    let unknown =
        "perso-milter: there is no member of staff nobody@relay.example; `perso-milter staff list` shows them\n";
    let cases: [(&[&str], &str); 6] = [
        (&["staff", "disable", "nobody@relay.example"], unknown),
        (&["staff", "reset", "nobody@relay.example"], unknown),
        (&["staff", "remove", "nobody@relay.example"], unknown),
        (
            &["staff", "add", ROOT, "--manager", "acme"],
            "perso-milter: root@relay.example is a member of staff already\n",
        ),
        (
            &["staff", "add", "x@relay.example", "--manager", "none"],
            "perso-milter: there is no organisation none; `perso-milter org list` shows them\n",
        ),
        (
            &["staff", "add", "x", "--operator"],
            "perso-milter: x: this is no address: it is not of the form local@domain\n",
        ),
    ];
    for (arguments, expected) in cases {
        assert_eq!(place.run(arguments).failed(), expected, "{arguments:?}");
    }
    for arguments in [
        &["staff", "add", "x@relay.example"][..],
        &["staff", "add", "x@relay.example", "--operator", "--manager", "acme"],
    ] {
        place.run(arguments).misused();
    }
}
