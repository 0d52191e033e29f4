//! `explain`: masked on users of the store, whole on lists given in a file.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::{Place, answer, answer_on};

const MESSAGE: &str = "Return-Path: <maman@famille.example>\r\nFrom: Maman <maman@famille.example>\r\n\
                       To: anne@acme.example\r\nSubject: =?utf-8?q?D=C3=A9jeuner?=\r\n dimanche\r\n\r\nBonjour\r\n";
const LISTS: &str = r#"
[organisation]
name = "acme"
domains = ["acme.example"]
shared = ["team@acme.example", "anne.b@acme.example"]
[[user]]
address = "anne@acme.example"
aliases = ["ab@acme.example", "anne.b@acme.example"]
personal = ["maman@famille.example"]
[[user]]
address = "bob@acme.example"
black = ["famille.example"]
[[user]]
address = "carl@acme.example"
white = ["*.famille.example", "famille.example"]
personal = ["famille.example"]
[[user]]
address = "dora@acme.example"
black = ["pub.example"]
"#;

const SHARED: &str = "shared address: others get this mail too, so nobody's list applies";

fn lists(place: &Place, text: &str) -> PathBuf {
    place.write("lists.toml", text.as_bytes())
}

fn with_lists(place: &Place, arguments: &[&str]) -> Value {
    lists(place, LISTS);
    let all = [&["explain", "--json", "--lists", "lists.toml"], arguments].concat();
    answer_on(&mut place.command(&all), MESSAGE.as_bytes()).json()
}

#[test]
fn with_lists_each_recipient_reads_verdict_reason_result_and_subject() {
    let place = Place::new();
    let subject = "[PERSO] Déjeuner dimanche";
    for (recipient, verdict, result, subject, reason) in [
        ("anne@acme.example", "personal", "tagged", Some(subject), "personal list (address, envelope sender)"),
        ("ab@acme.example", "personal", "tagged", Some(subject), "personal list (address, envelope sender)"),
        ("<Anne+x@ACME.example>", "personal", "tagged", Some(subject), "personal list (address, envelope sender)"),
        ("bob@acme.example", "blocked", "rejected", None, "black list (domain, envelope sender)"),
        (
            "carl@acme.example",
            "wanted+personal",
            "tagged",
            Some(subject),
            "white list (domain, envelope sender); personal list (domain, envelope sender)",
        ),
        ("dora@acme.example", "none", "delivered", Some("Déjeuner dimanche"), "no entry decides"),
        ("team@acme.example", "none", "delivered", Some("Déjeuner dimanche"), SHARED),
        ("anne.b+x@acme.example", "none", "delivered", Some("Déjeuner dimanche"), SHARED),
        ("nobody@acme.example", "none", "delivered", Some("Déjeuner dimanche"), "not a user"),
        ("someone@other.example", "none", "delivered", Some("Déjeuner dimanche"), "not a user"),
    ] {
        let explained = with_lists(&place, &["--rcpt", recipient, "--", "-"]);
        let one = &explained[0];
        assert_eq!(explained.as_array().map(Vec::len), Some(1));
        assert_eq!(one["rcpt"], recipient);
        assert_eq!((&one["verdict"], &one["result"]), (&json!(verdict), &json!(result)), "{recipient}: {one:#}");
        assert_eq!((&one["subject"], &one["reason"]["en"]), (&json!(subject), &json!(reason)), "{recipient}: {one:#}");
        assert_eq!(one["user"], json!(!["not a user", SHARED].contains(&reason)));
    }
}

#[test]
fn for_people_it_is_told_in_their_language() {
    let place = Place::new().with_files();
    lists(&place, LISTS);
    place.write("message.eml", MESSAGE.as_bytes());
    let arguments = ["explain", "--lists", "lists.toml", "--rcpt", "anne@acme.example", "message.eml"];
    let told =
        |set: &[(&str, &str)]| answer(place.command(&arguments).env_remove("LC_ALL").envs(set.iter().copied())).done();
    let english = "anne@acme.example\n  verdict  personal\n  reason   personal list (address, envelope sender)\n  \
                   result   tagged\n  subject  [PERSO] Déjeuner dimanche\n";
    let french = english
        .replace("personal list (address, envelope sender)", "liste PERSONNELLE (adresse, expéditeur d'enveloppe)");
    for set in [&[][..], &[("LC_ALL", "C")], &[("LANG", "en_GB.UTF-8")], &[("LC_ALL", "de_DE"), ("LANG", "fr_FR")]] {
        assert_eq!(told(set), english, "{set:?}");
    }
    for set in [
        &[("LC_ALL", "fr_FR.UTF-8")][..],
        &[("LANG", "fr")],
        &[("LC_ALL", ""), ("LC_MESSAGES", "fr_CA"), ("LANG", "en")],
    ] {
        assert_eq!(told(set), french, "{set:?}");
    }
}

#[test]
fn several_recipients_are_answered_in_their_order() {
    let place = Place::new();
    place.write("message.eml", MESSAGE.as_bytes());
    lists(&place, LISTS);
    let expected = json!(["carl@acme.example", "anne@acme.example", "bob@acme.example"]);
    for arguments in [
        &["--rcpt", "carl@acme.example", "anne@acme.example", "bob@acme.example", "message.eml"][..],
        &[
            "--rcpt",
            "carl@acme.example",
            "--rcpt",
            "anne@acme.example",
            "--rcpt",
            "bob@acme.example",
            "--",
            "message.eml",
        ],
        &["message.eml", "--rcpt", "carl@acme.example", "--rcpt", "anne@acme.example", "--rcpt", "bob@acme.example"],
    ] {
        let explained = place.run(&[&["explain", "--json", "--lists", "lists.toml"], arguments].concat()).json();
        let recipients: Value = explained.as_array().expect("a list").iter().map(|one| one["rcpt"].clone()).collect();
        assert_eq!(recipients, expected, "{arguments:?}");
    }
}

/// Invariant: what one recipient receives never depends on who else is addressed, save for header edits that a uniform
/// message allows.
#[test]
fn a_mixed_message_keeps_its_headers_and_says_so() {
    let place = Place::new();
    let mixed = with_lists(&place, &["--rcpt", "anne@acme.example", "--rcpt", "dora@acme.example", "--", "-"]);
    assert_eq!((&mixed[0]["verdict"], &mixed[0]["result"]), (&json!("personal"), &json!("delivered")));
    assert_eq!(mixed[0]["headers_left_out"], true);
    assert_eq!(mixed[0]["subject"], "Déjeuner dimanche");
    assert!(mixed[0]["reason"]["en"].as_str().expect("text").ends_with("another recipient needs different ones"));
    assert_eq!((&mixed[1]["verdict"], &mixed[1]["headers_left_out"]), (&json!("none"), &json!(false)));
}

#[test]
fn the_envelope_sender_is_the_one_given_or_that_of_the_message() {
    let place = Place::new();
    let no_return_path = MESSAGE.split_once("\r\n").expect("lines").1;
    let null_return_path = MESSAGE.replacen("<maman@famille.example>", "<>", 1);
    lists(&place, LISTS);
    for (message, from, verdict, reason) in [
        (MESSAGE, None, "personal", "personal list (address, envelope sender)"),
        (MESSAGE, Some("maman@famille.example"), "personal", "personal list (address, envelope sender)"),
        (MESSAGE, Some("<Maman@Famille.example>"), "personal", "personal list (address, envelope sender)"),
        (MESSAGE, Some(""), "personal", "personal list (address, header sender)"),
        (MESSAGE, Some("<>"), "personal", "personal list (address, header sender)"),
        (MESSAGE, Some("news@pub.example"), "personal", "personal list (address, header sender)"),
        (no_return_path, None, "personal", "personal list (address, envelope sender)"),
        (&null_return_path, None, "personal", "personal list (address, header sender)"),
        ("Subject: x\r\n\r\n", None, "none", "no entry decides"),
    ] {
        let mut arguments = vec!["explain", "--json", "--lists", "lists.toml", "--rcpt", "anne@acme.example"];
        arguments.extend(from.map(|from| ["--from", from]).into_iter().flatten());
        arguments.extend(["--", "-"]);
        let explained = place.run_on(&arguments, message.as_bytes()).json();
        assert_eq!(
            (&explained[0]["verdict"], &explained[0]["reason"]["en"]),
            (&json!(verdict), &json!(reason)),
            "{from:?}"
        );
    }
}

#[test]
fn the_organisation_of_the_file_decides_with_its_own_settings() {
    let place = Place::new();
    let text = LISTS.replace(
        "domains = [\"acme.example\"]\n",
        "domains = [\"acme.example\"]\nenforced_white = [\"famille.example\"]\n\
         personal = { actions = [\"folder\"], folder = \"Prive\" }\n",
    );
    lists(&place, &text);
    let run = |recipient: &str| {
        let arguments = ["explain", "--json", "--lists", "lists.toml", "--rcpt", recipient, "--", "-"];
        place.run_on(&arguments, MESSAGE.as_bytes()).json()[0].clone()
    };
    assert_eq!(run("anne@acme.example")["result"], "filed:Prive");
    let bob = run("bob@acme.example");
    assert_eq!((&bob["verdict"], &bob["result"]), (&json!("wanted"), &json!("delivered")));
    let reason = bob["reason"]["fr"].as_str().expect("text");
    assert_eq!(
        reason,
        "liste blanche imposée par l'organisation (domaine, expéditeur d'enveloppe); sans effet : liste noire (domaine, \
         expéditeur d'enveloppe), une liste de rang supérieur l'emporte"
    );
}

#[test]
fn a_file_of_lists_with_an_error_names_what_and_where() {
    let place = Place::new();
    place.write("message.eml", MESSAGE.as_bytes());
    let user = |line: &str| {
        format!(
            "[organisation]\nname = \"a\"\ndomains = [\"acme.example\"]\n[[user]]\naddress = \"anne@acme.example\"\n{line}\n"
        )
    };
    let organisation = |line: &str| format!("[organisation]\nname = \"a\"\ndomains = [\"acme.example\"]\n{line}\n");
    for (text, expected) in [
        ("[organisation\n".to_owned(), &["lists.toml: ", "line 1, column"][..]),
        ("[organisation]\nname = \"a\"\n".to_owned(), &["missing field `domains`"]),
        (user("persnal = []"), &["line 6", "unknown field `persnal`", "`personal`"]),
        (user("white = [\"a b\"]"), &["user anne@acme.example: white list, entry \"a b\": ", "neither an address"]),
        (user("personal_actions = [\"burn\"]"), &["user anne@acme.example: personal_actions: ", "tag, folder, mark"]),
        (user("black_action = \"burn\""), &["user anne@acme.example: black_action: ", "reject, discard, hold, junk"]),
        (user("aliases = [\"nonsense\"]"), &["user anne@acme.example: nonsense: it is not of the form local@domain"]),
        (organisation("enforced_black = [\"a b\"]"), &["black list, entry \"a b\": "]),
        (
            organisation("black = { action = \"burn\" }"),
            &["organisation.black.action: ", "reject, discard, hold, junk"],
        ),
        (organisation("black = { late_action = \"burn\" }"), &["organisation.black.late_action: ", "discard, junk"]),
        (organisation("personal = { tag = \"\" }"), &["organisation.personal.tag: "]),
        (organisation("personal = { actions = [\"x\"] }"), &["organisation.personal.actions: "]),
        (organisation("protected_domains = [\"a..b\"]"), &["organisation.protected_domains: a..b: "]),
        (organisation("[authentication]\nmode = \"maybe\""), &["authentication.mode: "]),
        (organisation("[authentication]\nforwarders = [\"..\"]"), &["authentication.forwarders: "]),
    ] {
        lists(&place, &text);
        let arguments = ["explain", "--lists", "lists.toml", "--rcpt", "anne@acme.example", "message.eml"];
        let stderr = place.run(&arguments).failed();
        assert!(stderr.starts_with("perso-milter: lists.toml: "), "{stderr}");
        for expected in expected {
            assert!(stderr.contains(expected), "{text}: {stderr}");
        }
    }
}

#[test]
fn what_the_console_would_refuse_is_noted_and_taken_as_it_is() {
    let place = Place::new();
    lists(&place, &LISTS.replace("black = [\"pub.example\"]", "personal = [\"com\"]"));
    let arguments = ["explain", "--lists", "lists.toml", "--rcpt", "anne@acme.example", "--", "-"];
    let answer = place.run_on(&arguments, MESSAGE.as_bytes());
    assert_eq!(answer.code, Some(0));
    assert!(answer.stdout.contains("verdict  personal"), "{answer:#?}");
    let note = "note: the console would refuse dora@acme.example: personal com: this is a public suffix";
    assert!(answer.stderr.starts_with(note), "{answer:#?}");
}

#[test]
fn what_cannot_be_read_is_named() {
    let place = Place::acme().with_files();
    for (arguments, expected) in [
        (&["--rcpt", "anne@acme.example"][..], "which message? give its file, or - for standard input"),
        (&["--rcpt", "anne@acme.example", "none.eml"], "none.eml: No such file"),
        (&["--rcpt", "anne@acme.example", "store"], "store: Is a directory"),
        (&["--rcpt", "anne@acme.example", "--lists", "none.toml", "--", "message.eml"], "none.toml: No such file"),
        (&["--rcpt", "anne@acme.example", "--lists", "store", "--", "message.eml"], "store: Is a directory"),
    ] {
        let stderr = place.run(&[&["explain"], arguments].concat()).failed();
        assert!(stderr.starts_with(&format!("perso-milter: {expected}")), "{arguments:?}: {stderr}");
    }
}

/// A message comes from anybody.
#[test]
fn a_message_does_not_command_the_terminal() {
    let place = Place::new();
    lists(&place, LISTS);
    let message = "From: maman@famille.example\r\nSubject: =?utf-8?q?=1B[31mred=07?= \x1b]0;title\x07\r\n\r\n";
    let arguments = ["explain", "--lists", "lists.toml", "--rcpt", "anne@acme.example", "--", "-"];
    let told = place.run_on(&arguments, message.as_bytes()).done();
    assert!(told.contains("subject  [PERSO] ") && !told.contains(['\x1b', '\x07']), "{told:?}");
}

#[test]
fn on_users_of_the_store_the_answer_is_masked_whatever_their_lists_hold() {
    let place = Place::acme();
    place.write("message.eml", MESSAGE.as_bytes());
    let recipients =
        ["anne@acme.example", "bob@acme.example", "<anne+x@acme.example>", "nobody@acme.example", "nonsense"];
    let told = || {
        let mut all = Vec::new();
        for from in ["maman@famille.example", "", "news@pub.example"] {
            for form in [&[][..], &["--json"]] {
                for recipient in recipients {
                    let rcpt = ["--from", from, "--rcpt", recipient, "--", "message.eml"];
                    all.push(place.run(&[&["explain"], form, &rcpt].concat()).done());
                }
            }
        }
        all
    };
    let before = told();
    for (change, user, list, value) in [
        ("add", "anne@acme.example", "personal", "maman@famille.example"),
        ("add", "bob@acme.example", "black", "famille.example"),
        ("add", "anne@acme.example", "white", "*.famille.example"),
        ("remove", "anne@acme.example", "personal", "maman@famille.example"),
    ] {
        place.run(&["entry", change, user, list, value]).done();
        assert_eq!(told(), before, "{change} {user} {list} {value}");
    }
    place.run(&["org", "entry", "add", "acme", "enforced", "black", "famille.example"]).done();
    assert_eq!(told(), before, "nor does it tell of what wins over a list");
    assert_eq!(
        before[0],
        "anne@acme.example\n  verdict  masked: what becomes of the message depends on lists that only this user may see\n  \
         remedy   the user asks in the console; to try rules out, give lists with --lists FILE.toml\n"
    );
    assert_eq!(before[3], "nobody@acme.example\n  verdict  none: not a user\n  result   delivered\n");
    let as_json: Value = serde_json::from_str(&before[5]).expect("JSON");
    assert_eq!(
        as_json,
        json!([{
            "rcpt": "anne@acme.example", "user": true, "verdict": "masked", "result": "masked", "unproven_folders": [],
        }])
    );
    assert_eq!(before[2], before[0].replacen("anne@", "<anne+x@", 1).replacen(".example\n", ".example>\n", 1));
}

/// What a user or the organisation chose is no secret; what it asks for in vain is told.
#[test]
fn on_users_of_the_store_it_says_which_folders_are_not_proven() {
    let place = Place::acme();
    place.write("message.eml", MESSAGE.as_bytes());
    let explain = |recipient: &str| {
        let mut command = place.command(&["explain", "--rcpt", recipient, "--", "message.eml"]);
        answer(command.env("LC_ALL", "fr_FR.UTF-8")).done()
    };
    let unproven = |recipient: &str| {
        let json = place.run(&["explain", "--json", "--rcpt", recipient, "--", "message.eml"]).json();
        json[0]["unproven_folders"].clone()
    };
    place.configure("[personal]\nactions = [\"tag\", \"folder\"]\n");
    let told = place.run(&["explain", "--rcpt", "anne@acme.example", "--", "message.eml"]).done();
    assert!(told.ends_with("\n  note     the folder Perso is not proven: nothing is filed there\n"), "{told}");
    let told = explain("anne@acme.example");
    assert!(told.ends_with("\n  note     le dossier Perso n'est pas vérifié : rien n'y est classé\n"), "{told}");
    place.run(&["user", "set", "bob@acme.example", "personal_actions=tag"]).done();
    assert_eq!(unproven("anne@acme.example"), json!(["Perso"]));
    for quiet in ["bob@acme.example", "nobody@acme.example"] {
        assert_eq!(unproven(quiet), json!([]), "{quiet}");
    }
    place.prove(&["Perso"]);
    assert_eq!(unproven("anne@acme.example"), json!([]));
    assert!(!explain("anne@acme.example").contains("Perso"));
}

#[test]
fn of_a_shared_address_the_store_tells_why_since_it_is_no_secret() {
    let place = Place::acme();
    place.write("message.eml", MESSAGE.as_bytes());
    place.run(&["org", "group", "add", "acme", "team@acme.example", "anne@acme.example"]).done();
    let french = "adresse partagée : d'autres reçoivent aussi ce courrier, aucune liste ne s'applique";
    for recipient in ["team@acme.example", "<Anne@acme.example>", "team+x@acme.example"] {
        let arguments = ["explain", "--rcpt", recipient, "--", "message.eml"];
        let told = |reason: &str| format!("{recipient}\n  verdict  none\n  reason   {reason}\n  result   delivered\n");
        assert_eq!(place.run(&arguments).done(), told(SHARED));
        assert_eq!(answer(place.command(&arguments).env("LC_ALL", "fr_FR.UTF-8")).done(), told(french));
        let reason = json!({ "en": SHARED, "fr": french });
        assert_eq!(
            place.run(&["explain", "--json", "--rcpt", recipient, "--", "message.eml"]).json(),
            json!([{ "rcpt": recipient, "user": false, "verdict": "none", "result": "delivered", "reason": reason, "unproven_folders": [] }])
        );
    }
}

const SPLIT: &str = "[split]\nmode = \"edits\"\naddress = \"127.0.0.1:10026\"\n\
                     [[milter.listener]]\naddress = \"inet:1@127.0.0.1\"\nrole = \"split\"\n";
const BY_ANOTHER: &str = "first addressed to somebody else (ORCPT), so nobody's list applies";

/// A copy that Postfix led to a user by an alias: by one of their own their lists decide, by another's nobody's.
#[test]
fn by_whose_address_a_copy_came_is_told_with_orcpt() {
    let place = Place::new();
    place.configure(SPLIT);
    for (orcpt, result, reason) in [
        ("anne@acme.example", "tagged", "personal list (address, envelope sender)"),
        ("<AB+x@acme.example>", "tagged", "personal list (address, envelope sender)"),
        ("bob@acme.example", "delivered", BY_ANOTHER),
        ("team@acme.example", "delivered", BY_ANOTHER),
        ("nobody@acme.example", "delivered", BY_ANOTHER),
        ("a@elsewhere.example", "delivered", BY_ANOTHER),
        ("nonsense", "delivered", BY_ANOTHER),
    ] {
        let explained = with_lists(&place, &["--rcpt", "anne@acme.example", "--orcpt", orcpt, "--", "-"]);
        let one = &explained[0];
        assert_eq!((&one["result"], &one["reason"]["en"]), (&json!(result), &json!(reason)), "{orcpt}: {one:#}");
        assert_eq!((&one["user"], &one["rcpt"]), (&json!(true), &json!("anne@acme.example")));
    }
    let several = ["--rcpt", "bob@acme.example", "x@elsewhere.example", "--orcpt", "bob@acme.example", "--", "-"];
    let explained = with_lists(&place, &several);
    assert_eq!((&explained[0]["verdict"], &explained[1]["reason"]["en"]), (&json!("blocked"), &json!("not a user")));
}

/// Whose an address is, is no secret; what stands on their lists stays one.
#[test]
fn on_users_of_the_store_orcpt_tells_whose_copy_it_is() {
    let place = Place::acme();
    place.write("message.eml", MESSAGE.as_bytes());
    place.run(&["user", "alias", "add", "anne@acme.example", "ab@acme.example"]).done();
    let explain = |orcpt: &str| {
        let arguments = ["--rcpt", "anne@acme.example", "--orcpt", orcpt, "--", "message.eml"];
        place.run(&[&["explain", "--json"], &arguments[..]].concat())
    };
    assert!(explain("ab@acme.example").failed().contains("split.mode is off"));
    place.configure(SPLIT);
    for (orcpt, verdict) in [("ab@acme.example", "masked"), ("bob@acme.example", "none"), ("x@d.example", "none")] {
        let explained = explain(orcpt).json();
        assert_eq!((&explained[0]["verdict"], &explained[0]["user"]), (&json!(verdict), &json!(true)), "{orcpt}");
        let reason = if verdict == "none" { json!(BY_ANOTHER) } else { Value::Null };
        assert_eq!(explained[0]["reason"]["en"], reason, "{orcpt}");
    }
    let arguments = ["explain", "--rcpt", "anne@acme.example", "--orcpt", "bob@acme.example", "--", "message.eml"];
    let told = place.run(&arguments).done();
    assert_eq!(told, format!("anne@acme.example\n  verdict  none\n  reason   {BY_ANOTHER}\n  result   delivered\n"));
}
