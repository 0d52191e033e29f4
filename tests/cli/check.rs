//! `check` on the store: keys, files, schema.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::harness::Place;

/// What `check` says about the store, as (severity, what, remedy), and whether it calls the whole sound.
fn findings(place: &Place) -> (Vec<(String, String, String)>, bool) {
    let answer = place.run(&["check", "--json"]);
    let json: Value = serde_json::from_str(&answer.stdout).unwrap_or_else(|error| panic!("{error}: {answer:#?}"));
    let ok = json["ok"] == true;
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(if ok { 0 } else { 2 }), ""), "{answer:#?}");
    let text = |problem: &Value, key: &str| problem[key].as_str().expect("text").to_owned();
    let problems = json["problems"].as_array().expect("a list").iter().filter(|problem| problem["key"] == "store.url");
    let config = place.config();
    let rows = problems.map(|problem| {
        assert_eq!((&problem["file"], &problem["line"]), (&config.to_str().into(), &2.into()));
        (text(problem, "severity"), text(problem, "what"), text(problem, "remedy"))
    });
    (rows.collect(), ok)
}

/// The errors alone.
fn errors(place: &Place) -> Vec<(String, String)> {
    let (found, ok) = findings(place);
    let errors = found.into_iter().filter(|(severity, ..)| severity == "error");
    let errors: Vec<_> = errors.map(|(_, what, remedy)| (what, remedy)).collect();
    assert_eq!(ok, errors.is_empty());
    errors
}

#[test]
fn a_store_to_be_has_no_finding_and_is_not_created() {
    let place = Place::new();
    assert_eq!(findings(&place), (vec![], true));
    assert!(!place.database().exists());
}

#[test]
fn a_sound_store_is_told_with_the_keys_that_this_process_can_read() {
    let place = Place::acme();
    let (found, ok) = findings(&place);
    assert!(ok);
    let notes: Vec<&str> =
        found.iter().map(|(severity, what, _)| (assert_eq!(severity, "note"), what.as_str()).1).collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("can read") && notes[0].contains("match.key, which matches senders"), "{notes:?}");
    assert!(notes[1].contains("can read") && notes[1].contains("seal.key, which opens what users wrote"), "{notes:?}");
}

#[test]
fn keys_that_others_can_use_are_errors_with_the_remedy() {
    for name in ["match.key", "seal.key"] {
        let place = Place::acme();
        let path = place.store_dir().join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("our own file");
        let path = path.display();
        let expected = (format!("others may use {path}: its mode is 0640"), format!("chmod 0600 {path}"));
        assert_eq!(errors(&place), [expected]);
        // Every other command refuses, with the same remedy.
        let stderr = place.run(&["org", "list"]).failed();
        assert!(stderr.contains(&format!("run `chmod 600 {path}`")), "{stderr}");
    }
}

#[test]
fn a_database_that_others_can_read_is_a_warning() {
    let place = Place::acme();
    fs::set_permissions(place.database(), fs::Permissions::from_mode(0o644)).expect("our own file");
    let (found, ok) = findings(&place);
    assert!(ok);
    let expected = format!("chmod 0600 {}", place.database().display());
    assert!(found.iter().any(|(severity, _, remedy)| severity == "warning" && *remedy == expected), "{found:?}");
}

#[test]
fn a_match_key_that_is_lost_or_anothers_is_an_error() {
    let place = Place::acme();
    let key = place.store_dir().join("match.key");
    let other = Place::acme();
    fs::copy(other.store_dir().join("match.key"), &key).expect("our own file");
    let backup = "put that one back from a backup".to_owned();
    assert_eq!(errors(&place), [(format!("{} is not the key this store was created with", key.display()), backup)]);
    fs::remove_file(&key).expect("our own file");
    let expected = format!("{} is missing, and nothing in the store can be matched without it", key.display());
    assert_eq!(errors(&place), [(expected.clone(), "put it back from a backup".to_owned())]);
    let stderr = place.run(&["org", "list"]).failed();
    assert!(stderr.contains(&expected), "{stderr}");
    assert!(!key.exists(), "a lost key is not replaced by another");
}

#[test]
fn the_relay_needs_no_seal_key() {
    let place = Place::acme();
    fs::remove_file(place.store_dir().join("seal.key")).expect("our own file");
    assert_eq!(errors(&place), []);
    place.run(&["org", "list"]).done();
    assert!(!place.store_dir().join("seal.key").exists(), "a lost key is not replaced by another");
}

#[test]
fn a_seal_key_of_another_store_is_an_error() {
    let place = Place::acme();
    let other = Place::acme();
    fs::copy(other.store_dir().join("seal.key"), place.store_dir().join("seal.key")).expect("our own file");
    let found = errors(&place);
    assert!(
        found.len() == 1 && found[0].0.ends_with("seal.key is not the key this store was created with"),
        "{found:?}"
    );
}

#[test]
fn a_missing_directory_comes_with_the_command_that_makes_it() {
    let place = Place::new();
    fs::remove_dir(place.store_dir()).expect("our own directory");
    let found = errors(&place);
    assert!(found.len() == 1 && found[0].1.starts_with("create it: install -d -o perso-milter"), "{found:?}");
}

#[test]
fn the_text_has_the_findings_of_the_json_and_counts_them() {
    let place = Place::acme();
    fs::set_permissions(place.store_dir().join("match.key"), fs::Permissions::from_mode(0o644)).expect("our own file");
    let answer = place.run(&["check"]);
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(2), ""));
    let (found, _) = findings(&place);
    for (severity, what, remedy) in found {
        let marked = if severity == "error" { String::new() } else { format!("{severity}: ") };
        let line = format!("{}:2: {marked}store.url: {what}; {remedy}\n", place.config().display());
        assert!(answer.stdout.contains(&line), "{line}{}", answer.stdout);
    }
    assert!(answer.stdout.lines().last().is_some_and(|line| line.contains(": 1 error, ")), "{}", answer.stdout);
    assert!(place.run(&["check", "--file-only"]).done().ends_with(": no problem found\n"), "the file is sound");
}
