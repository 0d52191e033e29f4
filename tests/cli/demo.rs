//! `demo`: what it prints is what came over the socket, and it leaves nothing behind.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{answer, program};

const ONCE: [&str; 4] = ["demo", "--once", "--listen", "inet:0@127.0.0.1"];

#[test]
fn every_message_fares_over_the_socket_as_the_policy_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let printed = answer(program(folder.path()).args(ONCE).env("TMPDIR", folder.path())).done();
    let row = |file: &str| printed.lines().find(|line| line.starts_with(file)).unwrap_or_else(|| panic!("{file}"));
    for (file, parts) in [
        ("plain-personal ", ["alice@example.org", "personal", "tagged", "[PERSO] Dimanche midi"]),
        ("plain-professional ", ["alice@example.org", "none", "delivered", "Devis 2026-118"]),
        ("plain-personal-mark ", ["claire@example.org", "personal", "marked", "Concert de samedi"]),
    ] {
        for part in parts {
            assert!(row(file).contains(part), "{}", row(file));
        }
    }
    assert!(printed.contains("bruno+Perso@example.org: [PERSO] "), "a folder is shown");
    assert!(printed.trim_end().ends_with(" 0 disagreements"), "{printed}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("our own").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn it_speaks_french_where_the_locale_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let printed = answer(program(folder.path()).args(ONCE).env("LC_ALL", "fr_FR.UTF-8")).done();
    assert!(printed.contains("liste PERSONNELLE (adresse, expéditeur d'enveloppe, SPF)"), "{printed}");
    assert!(printed.trim_end().ends_with(" 0 désaccords"), "{printed}");
}

#[test]
fn it_stays_up_until_it_is_interrupted_and_removes_its_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = program(folder.path());
    command.args(["demo", "--listen", "inet:0@127.0.0.1"]).env("TMPDIR", folder.path()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the program");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    // Kept to the end: nobody reading is an end of its own.
    let mut lines = output.lines().map_while(Result::ok);
    let invitation = lines.by_ref().find(|line| line.contains("postconf -e 'smtpd_milters = "));
    assert!(invitation.is_some_and(|line| line.contains("default_action=tempfail")));
    assert_eq!(std::fs::read_dir(folder.path()).expect("our own").count(), 1, "the store is there");
    kill(Pid::from_raw(i32::try_from(child.id()).expect("a pid")), Signal::SIGINT).expect("our own child");
    assert_eq!(lines.last().as_deref(), Some("Ctrl-C ends the demo and removes its store."));
    assert!(child.wait().expect("our own child").success());
    assert_eq!(std::fs::read_dir(folder.path()).expect("our own").count(), 0, "the store is gone");
}

#[test]
fn its_links_sign_the_people_of_the_example_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = program(folder.path());
    command.args(["demo", "--listen", "inet:0@127.0.0.1", "--console", "127.0.0.1:0"]).env("TMPDIR", folder.path());
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the program");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("alice@example.org") && line.contains("/demo/")).expect("a link");
    let link = line.split_whitespace().last().expect("a link").to_owned();
    let (origin, path) = link.split_at(link.find("/demo/").expect("a link"));

    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
    let agent: ureq::Agent = config.max_redirects_will_error(false).build().into();
    let get = |path: &str| agent.get(format!("{origin}{path}")).call().expect("an answer");
    assert_eq!(get(&format!("{path}x")).status(), 404, "a link that was made up");
    assert_eq!(get("/").status(), 303, "nobody is signed in");
    assert_eq!(get(path).status(), 200, "a link that is looked at signs nobody in");
    assert_eq!(get("/").status(), 303, "nobody is signed in");
    let confirm = agent.post(&link).header("origin", origin).send_empty().expect("an answer");
    assert_eq!(confirm.status(), 303);
    let page = get("/").body_mut().read_to_string().expect("UTF-8");
    assert!(page.contains("alice@example.org"), "{page}");

    kill(Pid::from_raw(i32::try_from(child.id()).expect("a pid")), Signal::SIGINT).expect("our own child");
    assert!(lines.last().is_some());
    assert!(child.wait().expect("our own child").success());
}
