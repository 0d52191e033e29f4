//! What the relay does without: its sealing key, a healthy database, a log.

use std::fs;
use std::os::unix::fs::FileExt;

use rusqlite::Connection;

use crate::message::Message;
use crate::milter::Settings;
use crate::relay::{FRIEND, Relay, letter};

fn bob() -> Relay {
    Relay::with(Settings::new()).user("bob").personal("bob", &[FRIEND])
}

#[track_caller]
fn assert_serves(relay: &Relay) {
    let message: Message = letter(FRIEND, "Un");
    let sent = relay.send(FRIEND, &["bob"], &message);
    relay.assert_inbox(&sent, "bob", &message.with_subject(" [PERSO] Un"));
}

#[test]
fn the_relay_works_with_the_sealing_key_taken_away() {
    let mut relay = bob();
    let key = relay.daemon.beside_store("seal.key");
    fs::rename(&key, key.with_extension("elsewhere")).expect("the first command made a sealing key");
    relay.daemon.start_with(&relay.lane.site.scratch, &["--only", "relay"]);
    assert_serves(&relay);
    assert!(!key.exists(), "a relay makes no sealing key");
}

#[test]
fn the_keys_are_readable_by_their_owner_alone() {
    let relay = bob();
    for key in ["match.key", "seal.key"] {
        let (mode, _) = crate::milter::mode_and_group(&relay.daemon.beside_store(key));
        assert_eq!(mode, 0o600, "{key}");
    }
}

#[test]
fn a_locked_database_stops_no_mail() {
    let relay = bob().start();
    let connection = Connection::open(relay.daemon.database()).expect("the store is SQLite");
    connection.execute_batch("BEGIN EXCLUSIVE").expect("nobody else writes now");
    assert_serves(&relay);
    assert_serves(&relay);
    connection.execute_batch("ROLLBACK").expect("our own transaction");
}

#[test]
fn a_corrupted_database_stops_no_mail() {
    let mut relay = bob().start();
    assert_serves(&relay);
    // In place, as a failing disk does: the same file, the -wal included.
    for suffix in ["", "-wal", "-shm"] {
        let mut path = relay.daemon.database().into_os_string();
        path.push(suffix);
        if let Ok(file) = fs::File::options().write(true).open(&path) {
            let length = file.metadata().expect("an open file").len();
            let noise = vec![0xa5; usize::try_from(length).expect("a small file")];
            file.write_all_at(&noise, 0).expect("our own directory");
        }
    }
    for _ in 0..3 {
        assert_serves(&relay);
    }
    assert!(relay.daemon.is_running());
}

#[test]
fn a_deleted_database_stops_no_mail() {
    let mut relay = bob().start();
    for suffix in ["", "-wal", "-shm"] {
        let mut path = relay.daemon.database().into_os_string();
        path.push(suffix);
        // The two companions are not always there.
        let _ = fs::remove_file(path);
    }
    for _ in 0..3 {
        assert_serves(&relay);
    }
    assert!(relay.daemon.is_running());
}

#[test]
fn a_log_that_takes_no_line_stops_no_mail() {
    let mut relay = bob();
    relay.daemon.start_without_log(&relay.lane.site.scratch);
    for _ in 0..3 {
        assert_serves(&relay);
    }
    assert!(relay.daemon.is_running());
}
