//! A store that another process uses, that another version wrote, or that is damaged.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::{Answer, Place, STORE_COMMANDS, start};

#[test]
fn changes_of_several_processes_at_once_are_all_carried_out() {
    let place = Place::acme();
    let values: Vec<String> = (0..8).map(|n| format!("friend{n}@famille.example")).collect();
    let add = |value: &String| start(&mut place.command(&["entry", "add", "anne@acme.example", "white", value]));
    let children: Vec<_> = values.iter().map(add).collect();
    for child in children {
        let answer = Answer::of(&child.wait_with_output().expect("our own child"));
        assert_eq!(answer.done(), "done\n");
    }
    place.grant("anne@acme.example", perso_milter::policy::list::ListKind::White);
    let listed = place.run(&["entry", "list", "anne@acme.example", "white", "--json"]).json();
    let listed: Vec<&str> = listed.as_array().expect("a list").iter().filter_map(|row| row["value"].as_str()).collect();
    assert_eq!(listed, values);
}

/// Each may be the one that makes the store and its keys.
#[test]
fn the_first_commands_may_come_at_once() {
    let place = Place::new();
    let names: Vec<String> = (0..6).map(|n| format!("org{n}")).collect();
    let add = |name: &String| start(&mut place.command(&["org", "add", name, "--domain", &format!("{name}.example")]));
    let children: Vec<_> = names.iter().map(add).collect();
    for child in children {
        let answer = Answer::of(&child.wait_with_output().expect("our own child"));
        assert_eq!(answer.code, Some(0), "{answer:#?}");
    }
    let listed = place.run(&["org", "list", "--json"]).json();
    let listed: Vec<&str> = listed.as_array().expect("a list").iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(listed, names);
}

#[test]
fn two_that_want_the_same_address_are_told_apart() {
    let place = Place::acme();
    let add = || start(&mut place.command(&["user", "add", "new@acme.example"]));
    let children = [add(), add(), add()];
    let answers = children.map(|child| Answer::of(&child.wait_with_output().expect("our own child")));
    let (done, failed): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.code == Some(0));
    assert_eq!((done.len(), failed.len()), (1, 2));
    for answer in failed {
        assert_eq!(answer.failed(), "perso-milter: the address new@acme.example belongs to a user already\n");
    }
}

/// The commands wait for the lock at the same time, so that the test waits once.
#[test]
fn a_lock_that_another_process_keeps_is_named_with_the_remedy() {
    let place = Place::acme();
    let holder = place.raw();
    holder.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let commands: [&[&str]; 3] =
        [&["entry", "add", "anne@acme.example", "white", "a@b.example"], &["user", "list"], &["check"]];
    let children = commands.map(|arguments| start(&mut place.command(arguments)));
    let answers = children.map(|child| Answer::of(&child.wait_with_output().expect("our own child")));
    for (arguments, answer) in commands.iter().zip(answers) {
        let path = place.database();
        let path = path.display();
        let what = format!("the store {path} is locked by another process");
        let remedy = format!("; stop what holds it (`fuser {path}` names it), then try again\n");
        let said = if arguments[0] == "check" { answer.stdout.clone() } else { answer.clone().failed() };
        assert!(said.contains(&what) && said.contains(&remedy), "{answer:#?}");
    }
    holder.execute_batch("ROLLBACK").expect("given back");
    assert_eq!(place.run(commands[0]).done(), "done\n");
}

/// Every command refuses the store, says why and what to do, and leaves the file as it is.
fn is_refused_by_all(place: &Place, what: &str, remedy: &str) {
    let before = fs::read(place.database()).expect("the database");
    for arguments in STORE_COMMANDS {
        let stderr = place.run(arguments).failed();
        assert!(stderr.contains(what) && stderr.contains(remedy), "{arguments:?}: {stderr}");
        assert!(arguments[0] == "run" || stderr.lines().count() == 1, "{arguments:?}: {stderr}");
    }
    let answer = place.run(&["check"]);
    assert_eq!(answer.code, Some(2), "{answer:#?}");
    let line = answer.stdout.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{answer:#?}"));
    assert!(line.starts_with(&format!("{}:2: store.url: ", place.config().display())), "{line}");
    assert!(line.ends_with(remedy), "{line}");
    assert_eq!(fs::read(place.database()).expect("the database"), before);
}

#[test]
fn a_newer_schema_is_refused_by_every_command() {
    let place = Place::acme().with_files();
    let raw = place.raw();
    let history = "refinery_schema_history";
    let known: i32 =
        raw.query_row(&format!("SELECT max(version) FROM {history}"), [], |row| row.get(0)).expect("a schema");
    let newer = known + 1;
    raw.execute(&format!("INSERT INTO {history} VALUES (?1, 'newer', '', '')"), [newer]).expect("a newer schema");
    drop(raw);
    let what = &format!("the store has schema {newer}, this perso-milter knows {known}");
    is_refused_by_all(&place, what, "install the version that wrote it, or put a backup of its own in place");
}

#[test]
fn what_is_no_store_is_refused_by_every_command() {
    let remedy = "put the last backup in its place";
    let place = Place::new().with_files();
    fs::write(place.database(), "this is a letter, and long enough to be one.\n".repeat(100)).expect("our own file");
    fs::set_permissions(place.database(), fs::Permissions::from_mode(0o600)).expect("our own file");
    is_refused_by_all(&place, "is damaged or no store", remedy);

    let place = Place::new().with_files();
    place.raw().execute_batch("CREATE TABLE letters (text TEXT)").expect("another application's");
    fs::set_permissions(place.database(), fs::Permissions::from_mode(0o600)).expect("our own file");
    is_refused_by_all(&place, "is damaged or no store (an empty or another application's database)", remedy);
}

/// The first page is that of a store, and most of the rest is gone.
#[test]
fn a_damaged_store_is_refused() {
    let place = Place::acme();
    let mut bytes = fs::read(place.database()).expect("the database");
    let page = 4096;
    assert!(bytes.len() > 8 * page, "{}", bytes.len());
    bytes[page..].fill(0xA5);
    fs::write(place.database(), &bytes).expect("our own file");
    for arguments in [["org", "list"], ["user", "list"]] {
        let stderr = place.run(&arguments).failed();
        assert!(stderr.contains("is damaged or no store"), "{stderr}");
        assert!(stderr.contains("put the last backup in its place"), "{stderr}");
    }
    assert_eq!(place.run(&["check"]).code, Some(2));
}

#[test]
fn a_store_that_cannot_be_made_is_named() {
    let place = Place::new();
    fs::remove_dir(place.store_dir()).expect("our own directory");
    let stderr = place.run(&["org", "list"]).failed();
    assert!(stderr.contains("perso-milter.db") && stderr.contains("No such file or directory"), "{stderr}");
    fs::create_dir(place.store_dir()).expect("our own directory");
    fs::create_dir(place.database()).expect("our own directory");
    let stderr = place.run(&["org", "list"]).failed();
    assert!(stderr.contains("perso-milter.db"), "{stderr}");
}
