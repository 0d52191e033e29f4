//! `org`: organisations, their domains, settings and own lists.

use perso_milter::store::{KEYS, Store, TOTALS_USERS, Total};
use serde_json::json;

use crate::harness::Place;

#[test]
fn an_organisation_is_added_listed_shown_and_removed() {
    let place = Place::new();
    assert_eq!(
        place.run(&["org", "list"]).done(),
        "no organisation yet; add one with: perso-milter org add NAME --domain DOMAIN\n"
    );
    assert_eq!(place.run(&["org", "list", "--json"]).json(), json!([]));
    let added = place.run(&["org", "add", "acme", "--domain", "Acme.EXAMPLE.", "--domain", "société.example"]);
    assert_eq!(added.done(), "organisation acme added\n");
    let more = ["org", "add", "zoo", "--domain", "zoo.example", "park.example"];
    assert_eq!(place.run(&more).done(), "organisation zoo added\n");
    assert_eq!(
        place.run(&["org", "list"]).done(),
        "acme  0 users  acme.example xn--socit-esab.example\nzoo  0 users  park.example zoo.example\n"
    );
    let shown = place.run(&["org", "show", "acme"]).done();
    assert!(shown.starts_with("name      acme\nusers     0\ndomain    acme.example\n"), "{shown}");
    for key in KEYS {
        assert!(shown.contains(&format!("set       {key}=(configuration)\n")), "{shown}");
    }
    let shown = place.run(&["org", "show", "zoo", "--json"]).json();
    assert_eq!(shown["name"], "zoo");
    assert_eq!(shown["domains"], json!(["park.example", "zoo.example"]));
    assert_eq!(shown["settings"]["tag"], json!(null));
    assert_eq!(place.run(&["org", "list", "--json"]).json()[1], shown);
    assert_eq!(place.run(&["org", "remove", "acme"]).done(), "organisation acme removed\n");
    assert_eq!(place.run(&["org", "list"]).done(), "zoo  0 users  park.example zoo.example\n");
}

#[test]
fn what_is_not_there_or_taken_is_said() {
    let place = Place::acme();
    place.run(&["org", "add", "zoo", "--domain", "zoo.example"]).done();
    let unknown = "perso-milter: there is no organisation none; `perso-milter org list` shows them\n";
    let taken = "perso-milter: the domain acme.example belongs to the organisation acme already\n";
    let cases: [(&[&str], &str); 20] = [
        (&["org", "show", "none"], unknown),
        (&["org", "show", "none", "--json"], unknown),
        (&["org", "set", "none", "tag=x"], unknown),
        (&["org", "remove", "none"], unknown),
        (&["org", "domain", "add", "none", "x.example"], unknown),
        (&["org", "protect", "add", "none", "x.example"], unknown),
        (&["org", "group", "add", "none", "x@acme.example"], unknown),
        (&["org", "group", "add", "zoo", "team@acme.example"], taken),
        (
            &["org", "group", "remove", "acme", "team@acme.example"],
            "perso-milter: the address team@acme.example is none of the organisation's shared addresses; `perso-milter org \
             show NAME` lists them\n",
        ),
        (
            &["org", "group", "add", "acme", "team@acme.example", "team"],
            "perso-milter: team: this is no address: it is not of the form local@domain\n",
        ),
        (&["org", "entry", "add", "none", "enforced", "white", "x.example"], unknown),
        (&["user", "list", "--org", "none"], unknown),
        (&["org", "add", "acme", "--domain", "x.example"], "perso-milter: there is an organisation acme already\n"),
        (&["org", "add", "new", "--domain", "acme.example"], taken),
        (&["org", "domain", "add", "zoo", "ACME.example"], taken),
        (&["org", "add", "new", "--domain", "a..b"], "perso-milter: a..b: the domain is malformed\n"),
        (&["org", "domain", "add", "acme", "[192.0.2.1]"], "perso-milter: [192.0.2.1]: the domain is malformed\n"),
        (
            &["org", "domain", "remove", "acme", "acme.example"],
            "perso-milter: users still have addresses in the domain acme.example; remove these first\n",
        ),
        (
            &["org", "remove", "acme"],
            "perso-milter: the organisation acme still has 2 users; remove them first, or ask for their removal as \
             well (--with-users)\n",
        ),
        (
            &["org", "entry", "add", "acme", "default", "personal", "x.example"],
            "perso-milter: an organisation has no personal list; use white or black\n",
        ),
    ];
    let before = place.run(&["org", "list", "--json"]).done();
    for (arguments, expected) in cases {
        assert_eq!(place.run(arguments).failed(), expected, "{arguments:?}");
    }
    assert_eq!(place.run(&["org", "list", "--json"]).done(), before, "nothing was changed");
}

#[test]
fn a_name_that_is_none_is_refused() {
    let place = Place::new();
    for name in ["", " ", "a\nb", "a\x1b[31m", &"x".repeat(65)] {
        let stderr = place.run(&["org", "add", name, "--domain", "acme.example"]).failed();
        assert!(stderr.starts_with("perso-milter: ") && stderr.contains("64"), "{name:?}: {stderr}");
    }
    assert_eq!(place.run(&["org", "list", "--json"]).json(), json!([]));
}

#[test]
fn removal_with_users_erases_them() {
    let place = Place::acme();
    assert_eq!(place.run(&["org", "remove", "acme", "--with-users"]).done(), "organisation acme removed\n");
    assert_eq!(place.run(&["user", "list"]).done(), "");
    assert_eq!(place.run(&["org", "list", "--json"]).json(), json!([]));
}

#[test]
fn shared_addresses_come_and_go() {
    let place = Place::acme();
    let shared = || place.run(&["org", "show", "acme", "--json"]).json()["shared_addresses"].clone();
    assert_eq!(shared(), json!([]));
    let add = ["org", "group", "add", "acme", "Team@acme.example", "anne@acme.example", "all@backend.internal"];
    assert_eq!(place.run(&add).done(), "organisation acme changed\n");
    assert_eq!(place.run(&add).done(), "organisation acme changed\n", "what is shared already is no error");
    assert_eq!(shared(), json!(["all@backend.internal", "anne@acme.example", "team@acme.example"]));
    let shown = place.run(&["org", "show", "acme"]).done();
    assert!(shown.contains("\nshared    anne@acme.example\nshared    team@acme.example\n"), "{shown}");
    assert_eq!(place.run(&["org", "list", "--json"]).json()[0]["shared_addresses"], shared());
    let user = |name: &str| place.run(&["user", "show", name, "--json"]).json()["shared"].clone();
    assert_eq!((user("anne@acme.example"), user("bob@acme.example")), (json!(["anne@acme.example"]), json!([])));
    let shown = place.run(&["user", "show", "anne@acme.example"]).done();
    assert!(shown.contains("\nshared    anne@acme.example\n"), "{shown}");
    let remove = ["org", "group", "remove", "acme", "anne@acme.example", "all@backend.internal"];
    assert_eq!(place.run(&remove).done(), "organisation acme changed\n");
    assert_eq!((shared(), user("anne@acme.example")), (json!(["team@acme.example"]), json!([])));
}

#[test]
fn domains_come_and_go() {
    let place = Place::acme();
    let domains = || place.run(&["org", "show", "acme", "--json"]).json()["domains"].clone();
    let add = ["org", "domain", "add", "acme", "b.example", "a.example"];
    assert_eq!(place.run(&add).done(), "organisation acme changed\n");
    assert_eq!(place.run(&add).done(), "organisation acme changed\n", "what it has already is no error");
    assert_eq!(domains(), json!(["a.example", "acme.example", "b.example"]));
    assert_eq!(place.run(&["org", "domain", "remove", "acme", "b.example"]).done(), "organisation acme changed\n");
    assert_eq!(domains(), json!(["a.example", "acme.example"]));
    let stderr = place.run(&["org", "domain", "remove", "acme", "c.example"]).failed();
    assert!(stderr.contains("c.example"), "{stderr}");
}

#[test]
fn business_domains_come_and_go() {
    let place = Place::acme();
    let protected = || place.run(&["org", "show", "acme", "--json"]).json()["protected_domains"].clone();
    assert_eq!(protected(), json!([]));
    let add = ["org", "protect", "add", "acme", "Customer.example"];
    assert_eq!(place.run(&add).done(), "organisation acme changed\n");
    assert_eq!(protected(), json!(["customer.example"]));
    assert!(place.run(&["org", "show", "acme"]).done().contains("\nprotected customer.example\n"));
    place.run(&["org", "protect", "remove", "acme", "customer.example"]).done();
    assert_eq!(protected(), json!([]));
}

#[test]
fn an_organisations_own_lists_are_shown() {
    let place = Place::acme();
    let entry = |change: &str, level: &str, list: &str, values: &[&str]| {
        let arguments = ["org", "entry", change, "acme", level, list];
        place.run(&[&arguments[..], values].concat())
    };
    entry("add", "enforced", "black", &["spam.example", "*.Ads.example"]).done();
    entry("add", "default", "white", &["Boss@acme.example"]).done();
    let lists = || place.run(&["org", "show", "acme", "--json"]).json()["lists"].clone();
    assert_eq!(
        lists(),
        json!([
            { "level": "enforced", "list": "black", "value": "spam.example" },
            { "level": "enforced", "list": "black", "value": "*.ads.example" },
            { "level": "default", "list": "white", "value": "boss@acme.example" },
        ])
    );
    let shown = place.run(&["org", "show", "acme"]).done();
    assert!(shown.contains("\nlist      enforced black *.ads.example\n"), "{shown}");
    entry("remove", "enforced", "black", &["spam.example", "*.ads.example"]).done();
    assert_eq!(lists(), json!([{ "level": "default", "list": "white", "value": "boss@acme.example" }]));
}

#[test]
fn one_wrong_entry_of_several_leaves_the_lists_as_they_were() {
    let place = Place::acme();
    for (wrong, reason) in [
        ("*", "an entry must not cover everybody"),
        ("com", "this is a public suffix"),
        ("a b", "neither an address"),
        ("a@b@c", "neither an address"),
        ("\r\nX-Evil: 1", "neither an address"),
    ] {
        let stderr = place.run(&["org", "entry", "add", "acme", "enforced", "black", "ok.example", wrong]).failed();
        assert!(stderr.contains(reason), "{stderr}");
    }
    assert_eq!(place.run(&["org", "show", "acme", "--json"]).json()["lists"], json!([]));
}

#[test]
fn settings_are_set_shown_and_go_back_to_the_default() {
    let place = Place::acme();
    place.prove(&["Junk"]);
    let values = [
        ("personal_actions", "tag,mark"),
        ("tag", "[PRIVÉ]"),
        ("folder", "Prive"),
        ("sensitivity", "true"),
        ("outbound", "tag"),
        ("black_action", "junk"),
        ("late_action", "junk"),
        ("junk_folder", "Junk"),
        ("reject_text", "The recipient does not wish to receive this."),
        ("spam_headers", "X-Spam-Flag,X-Spam"),
        ("spam_prefixes", "***SPAM***"),
        ("globs", "true"),
        ("markings", "tag,mark"),
        ("session_idle", "60"),
        ("console_networks", "192.0.2.0/24,2001:db8::/32"),
        ("create_users", "off"),
        ("language", "en"),
        ("dpo", "dpo@acme.example"),
        ("activity_days", "60"),
    ];
    assert_eq!(values.map(|(key, _)| key), KEYS);
    let all: Vec<String> = values.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let arguments: Vec<&str> = ["org", "set", "acme"].into_iter().chain(all.iter().map(String::as_str)).collect();
    assert_eq!(place.run(&arguments).done(), "organisation acme changed\n");
    let shown = place.run(&["org", "show", "acme"]).done();
    let as_json = place.run(&["org", "show", "acme", "--json"]).json();
    for (key, value) in values {
        assert!(shown.contains(&format!("set       {key}={value}\n")), "{shown}");
        assert_eq!(as_json["settings"][key], value);
    }
    for key in KEYS {
        place.run(&["org", "set", "acme", &format!("{key}=")]).done();
        assert_eq!(place.run(&["org", "show", "acme", "--json"]).json()["settings"][key], json!(null), "{key}");
    }
    place.run(&["org", "set", "acme", "personal_actions=none"]).done();
    assert_eq!(place.run(&["org", "show", "acme", "--json"]).json()["settings"]["personal_actions"], "none");
}

#[test]
fn a_setting_that_cannot_be_is_refused_by_name_and_nothing_is_set() {
    let place = Place::acme();
    let long = |key: &str, length: usize| format!("{key}={}", "x".repeat(length));
    let cases = [
        ("colour=red".to_owned(), "there is no setting colour; the settings are personal_actions, tag, "),
        ("Tag=x".to_owned(), "there is no setting Tag; "),
        ("tag".to_owned(), "tag: write KEY=VALUE"),
        ("=x".to_owned(), "there is no setting "),
        ("tag=a\r\nX-Evil: 1".to_owned(), "tag: the tag must be 1 to 64 bytes of text"),
        ("tag=a\nb".to_owned(), "tag: "),
        ("tag=\u{1b}[31m".to_owned(), "tag: "),
        (long("tag", 65), "tag: "),
        ("folder=a/b".to_owned(), "folder: it becomes a part of a mail address"),
        ("folder=a+b".to_owned(), "folder: "),
        ("folder=a b".to_owned(), "folder: "),
        ("folder=a@b".to_owned(), "folder: "),
        ("folder=a\r\nb".to_owned(), "folder: "),
        ("folder=../x".to_owned(), "folder: "),
        (long("folder", 65), "folder: "),
        ("junk_folder=é".to_owned(), "junk_folder: "),
        (
            "reject_text=a\r\n250 ok".to_owned(),
            "reject_text: it must be one line of 1 to 200 printable ASCII characters",
        ),
        ("reject_text=é".to_owned(), "reject_text: "),
        (long("reject_text", 201), "reject_text: "),
        ("spam_headers=X Spam".to_owned(), "spam_headers: it must be a header's name"),
        ("spam_headers=X-Spam:".to_owned(), "spam_headers: "),
        ("spam_headers=X-Spam\r\nX-Evil".to_owned(), "spam_headers: "),
        ("spam_headers=,".to_owned(), "spam_headers: it must be one to 16 names"),
        ("spam_prefixes=a\rb".to_owned(), "spam_prefixes: "),
        ("personal_actions=tag,burn".to_owned(), "none, or some of tag, folder, mark"),
        ("black_action=explode".to_owned(), "black_action: it must be one of reject, discard, hold, junk"),
        ("late_action=reject".to_owned(), "late_action: it must be one of discard, junk"),
        ("sensitivity=yes".to_owned(), "sensitivity: it must be true or false"),
        ("globs=1".to_owned(), "globs: it must be true or false"),
    ];
    let before = place.run(&["org", "show", "acme"]).done();
    for (setting, expected) in cases {
        let stderr = place.run(&["org", "set", "acme", "folder=Fine", &setting]).failed();
        assert!(stderr.starts_with("perso-milter: ") && stderr.contains(expected), "{setting:?}: {stderr}");
    }
    assert_eq!(place.run(&["org", "show", "acme"]).done(), before);
}

/// What the configuration refuses between its own keys is refused between an organisation's and those it leaves alone.
#[test]
fn settings_that_make_no_sense_together_are_refused() {
    let place = Place::acme();
    for (settings, expected) in [
        (&["folder=Junk"][..], "junk_folder: blocked messages would lie among the personal ones; name another folder"),
        (&["folder=Own", "junk_folder=own"], "junk_folder: blocked messages would lie among the personal ones"),
        (&["tag=***SPAM***"], "spam_prefixes: the tag would be taken off as a spam mark; choose another tag"),
    ] {
        let stderr = place.run(&[&["org", "set", "acme"], settings].concat()).failed();
        assert!(stderr.contains(expected), "{settings:?}: {stderr}");
    }
    place.configure("[recipients]\ndelimiter = \"\"\n");
    for (setting, expected) in [
        (
            "personal_actions=tag,folder",
            "personal_actions: folder needs a delimiter, and recipients.delimiter is empty",
        ),
        ("black_action=junk", "black_action: junk needs a delimiter"),
        ("late_action=junk", "late_action: junk needs a delimiter"),
    ] {
        let stderr = place.run(&["org", "set", "acme", setting]).failed();
        assert!(stderr.contains(expected), "{setting}: {stderr}");
    }
    place.run(&["org", "set", "acme", "personal_actions=tag"]).done();
}

/// Whoever asks: a day of few users would tell of single persons.
#[test]
fn days_on_which_few_users_got_mail_are_hidden_here_too() {
    let place = Place::acme();
    let store = place.store();
    let organisation = store.organisation("acme").expect("there").id;
    let day = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().yesterday().expect("a day");
    let total = |kind: &str, count| Total { organisation, day, kind: kind.to_owned(), count };
    store.add_totals(&[total("decided", 4242), total(Total::USERS, TOTALS_USERS - 1)]).expect("added");
    let text = place.run(&["org", "show", "acme"]).done();
    assert!(text.contains("hidden: fewer than 10 users") && !text.contains("4242"), "{text}");
    let json = place.run(&["org", "show", "acme", "--json"]).json();
    assert_eq!((&json["totals"], &json["hidden_days"]), (&json!([]), &json!([day.to_string()])));
    store.add_totals(&[total(Total::USERS, TOTALS_USERS)]).expect("added");
    let text = place.run(&["org", "show", "acme"]).done();
    assert!(text.contains(&format!("total     {day} decided 4242")) && !text.contains("hidden"), "{text}");
    let json = place.run(&["org", "show", "acme", "--json"]).json();
    assert_eq!(json["totals"], json!([{ "day": day.to_string(), "kind": "decided", "count": 4242 }]));
}
