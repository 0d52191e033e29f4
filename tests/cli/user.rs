//! `user`: users and their addresses.

use serde_json::json;

use crate::harness::Place;

#[test]
fn a_user_is_added_listed_shown_and_removed() {
    let place = Place::new();
    place.run(&["org", "add", "acme", "--domain", "acme.example"]).done();
    place.run(&["org", "add", "zoo", "--domain", "zoo.example"]).done();
    assert_eq!(place.run(&["user", "list"]).done(), "");
    assert_eq!(place.run(&["user", "list", "--json"]).json(), json!([]));
    let add = ["user", "add", "Anne@ACME.example", "--alias", "anne.b@acme.example", "--alias", "ab@acme.example"];
    assert_eq!(place.run(&add).done(), "user anne@acme.example added\n");
    assert_eq!(place.run(&["user", "add", "leo@zoo.example"]).done(), "user leo@zoo.example added\n");
    assert_eq!(
        place.run(&["user", "add", "contact@acme.example", "--functional"]).done(),
        "user contact@acme.example added\n"
    );
    assert_eq!(
        place.run(&["user", "list"]).done(),
        "anne@acme.example  enabled  ab@acme.example anne.b@acme.example\n\
         contact@acme.example  enabled\nleo@zoo.example  enabled\n"
    );
    assert_eq!(place.run(&["user", "list", "--org", "zoo"]).done(), "leo@zoo.example  enabled\n");
    let listed = place.run(&["user", "list", "--json"]).json();
    // By any of the addresses, in any case.
    for name in ["anne@acme.example", "AB@acme.example", "anne.b@acme.example"] {
        let shown = place.run(&["user", "show", name, "--json"]).json();
        assert_eq!(shown, listed[0]);
        assert_eq!(shown["address"], "anne@acme.example");
        assert_eq!(shown["aliases"], json!(["ab@acme.example", "anne.b@acme.example"]));
        assert_eq!((&shown["status"], &shown["kind"]), (&json!("enabled"), &json!("person")));
        assert_eq!((&shown["personal_actions"], &shown["black_action"]), (&json!(null), &json!(null)));
    }
    assert_eq!(listed[1]["kind"], "functional");
    let shown = place.run(&["user", "show", "anne@acme.example"]).done();
    let id = listed[0]["id"].as_str().expect("an id");
    for line in ["address   anne@acme.example", "alias     ab@acme.example", "status    enabled", "kind      person"] {
        assert!(shown.lines().any(|shown| shown == line), "{shown}");
    }
    assert!(id.len() == 16 && shown.contains(&format!("id        {id}\n")), "{shown}");
    assert_eq!(place.run(&["user", "remove", "ab@acme.example"]).done(), "user anne@acme.example removed\n");
    assert_eq!(place.run(&["user", "list", "--org", "acme"]).done(), "contact@acme.example  enabled\n");
}

#[test]
fn what_cannot_be_is_said() {
    let place = Place::acme();
    place.run(&["org", "add", "zoo", "--domain", "zoo.example"]).done();
    let unknown = "perso-milter: there is no user nobody@acme.example\n";
    let taken = "perso-milter: the address bob@acme.example belongs to a user already\n";
    let foreign = "perso-milter: the domain zoo.example belongs to another organisation than the user's\n";
    let not_served = "perso-milter: no organisation serves the domain other.example; add it with `perso-milter org add \
                      NAME --domain other.example`\n";
    let cases: [(&[&str], &str); 19] = [
        (&["user", "show", "nobody@acme.example"], unknown),
        (&["user", "show", "nobody@acme.example", "--json"], unknown),
        (&["user", "disable", "nobody@acme.example"], unknown),
        (&["user", "enable", "nobody@acme.example"], unknown),
        (&["user", "remove", "nobody@acme.example"], unknown),
        (&["user", "set", "nobody@acme.example", "black_action=junk"], unknown),
        (&["user", "alias", "add", "nobody@acme.example", "x@acme.example"], unknown),
        (&["user", "add", "bob@acme.example"], taken),
        (&["user", "add", "new@acme.example", "--alias", "Bob@acme.example"], taken),
        (&["user", "alias", "add", "anne@acme.example", "bob@acme.example"], taken),
        (&["user", "add", "x@other.example"], not_served),
        (&["user", "alias", "add", "anne@acme.example", "x@other.example"], not_served),
        (&["user", "add", "new@acme.example", "--alias", "new@zoo.example"], foreign),
        (&["user", "alias", "add", "anne@acme.example", "x@zoo.example"], foreign),
        (
            &["user", "alias", "remove", "anne@acme.example", "x@acme.example"],
            "perso-milter: the user has no alias x@acme.example\n",
        ),
        (&["user", "add", "anne"], "perso-milter: anne: this is no address: it is not of the form local@domain\n"),
        (
            &["user", "show", "a b@acme.example"],
            "perso-milter: a b@acme.example: this is no address: the part before the @ is malformed\n",
        ),
        (&["user", "add", "x@a..b"], "perso-milter: x@a..b: this is no address: the domain is malformed\n"),
        (
            &["user", "set", "anne@acme.example", "tag=[X]"],
            "perso-milter: tag: a user has the settings personal_actions and black_action\n",
        ),
    ];
    let before = place.run(&["user", "list", "--json"]).done();
    for (arguments, expected) in cases {
        assert_eq!(place.run(arguments).failed(), expected, "{arguments:?}");
    }
    assert_eq!(place.run(&["user", "list", "--json"]).done(), before, "nothing was changed");
}

#[test]
fn an_address_that_could_break_a_header_is_refused() {
    let place = Place::acme();
    let long = format!("{}@acme.example", "x".repeat(300));
    for address in ["x@acme.example\r\nBcc: y@z.example", "x\r\n@acme.example", "\u{1b}[31m@acme.example", &long] {
        for arguments in [["user", "add", address].as_slice(), &["user", "alias", "add", "anne@acme.example", address]]
        {
            let stderr = place.run(arguments).failed();
            assert!(stderr.contains("this is no address"), "{address:?}: {stderr}");
            assert!(!stderr.contains(['\u{1b}', '\r']), "it does not command the terminal: {stderr:?}");
        }
    }
}

#[test]
fn aliases_come_and_go() {
    let place = Place::acme();
    let aliases = || place.run(&["user", "show", "anne@acme.example", "--json"]).json()["aliases"].clone();
    let add = ["user", "alias", "add", "anne@acme.example", "a@acme.example", "b@acme.example"];
    assert_eq!(place.run(&add).done(), "user anne@acme.example changed\n");
    assert_eq!(aliases(), json!(["a@acme.example", "b@acme.example"]));
    let remove = ["user", "alias", "remove", "b@acme.example", "a@acme.example"];
    assert_eq!(place.run(&remove).done(), "user anne@acme.example changed\n");
    assert_eq!(aliases(), json!(["b@acme.example"]));
    let wrong = place.run(&["user", "alias", "add", "anne@acme.example", "c@acme.example", "nonsense"]).failed();
    assert!(wrong.contains("nonsense: this is no address"), "{wrong}");
    assert_eq!(aliases(), json!(["b@acme.example"]), "a wrong one among several adds none");
    let primary = place.run(&["user", "alias", "remove", "anne@acme.example", "anne@acme.example"]).failed();
    assert!(primary.contains("the user has no alias anne@acme.example"), "{primary}");
}

#[test]
fn an_account_is_disabled_and_enabled() {
    let place = Place::acme();
    let status = || place.run(&["user", "show", "anne@acme.example", "--json"]).json()["status"].clone();
    assert_eq!(place.run(&["user", "disable", "anne@acme.example"]).done(), "user anne@acme.example disabled\n");
    assert_eq!(status(), "disabled");
    assert!(place.run(&["user", "list"]).done().contains("anne@acme.example  disabled"));
    assert_eq!(place.run(&["user", "disable", "anne@acme.example"]).done(), "user anne@acme.example disabled\n");
    assert_eq!(place.run(&["user", "enable", "anne@acme.example"]).done(), "user anne@acme.example enabled\n");
    assert_eq!(status(), "enabled");
}

#[test]
fn choices_are_set_shown_and_go_back_to_the_organisations() {
    let place = Place::acme();
    place.prove(&["Junk"]);
    let set = |settings: &[&str]| place.run(&[&["user", "set", "anne@acme.example"], settings].concat());
    let shown = || place.run(&["user", "show", "anne@acme.example"]).done();
    let as_json = |key: &str| place.run(&["user", "show", "anne@acme.example", "--json"]).json()[key].clone();
    assert_eq!(set(&["personal_actions=mark,tag", "black_action=hold"]).done(), "user anne@acme.example changed\n");
    assert!(shown().contains("\nset       personal_actions=tag,mark\nset       black_action=hold\n"), "{}", shown());
    assert_eq!((as_json("personal_actions"), as_json("black_action")), (json!(["tag", "mark"]), json!("hold")));
    set(&["personal_actions=none"]).done();
    assert!(shown().contains("\nset       personal_actions=none\nset       black_action=hold\n"), "{}", shown());
    assert_eq!(as_json("personal_actions"), json!([]));
    set(&["personal_actions=", "black_action="]).done();
    assert!(shown().contains("\nset       personal_actions=(organisation)\nset       black_action=(organisation)\n"));
    assert_eq!((as_json("personal_actions"), as_json("black_action")), (json!(null), json!(null)));
    for (setting, expected) in [
        ("personal_actions=burn", "personal_actions: it must be none, or some of tag, folder, mark"),
        ("black_action=explode", "black_action: it must be one of reject, discard, hold, junk"),
        ("black_action", "black_action: write KEY=VALUE"),
    ] {
        let stderr = set(&["personal_actions=mark", setting]).failed();
        assert!(stderr.contains(expected), "{stderr}");
    }
    assert_eq!(as_json("personal_actions"), json!(null), "a wrong one among several sets none");
}

/// A user is a random id: who gets the address of a colleague that left gets nothing else of theirs.
#[test]
fn a_reassigned_address_is_a_new_user() {
    let place = Place::acme();
    let id = || place.run(&["user", "show", "anne@acme.example", "--json"]).json()["id"].clone();
    let first = id();
    place.run(&["user", "set", "anne@acme.example", "black_action=discard"]).done();
    place.run(&["user", "remove", "anne@acme.example"]).done();
    place.run(&["user", "add", "anne@acme.example"]).done();
    assert_ne!(id(), first);
    let shown = place.run(&["user", "show", "anne@acme.example"]).done();
    assert!(shown.contains("black_action=(organisation)"), "{shown}");
}
