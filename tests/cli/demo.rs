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
