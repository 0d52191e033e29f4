//! The store taken away, held up or exchanged while mail flows: the lists that were read last go on deciding, and once
//! the store is well again changes govern again.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::course::{Course, Progress};
use crate::milter::{Daemon, Settings, account};
use crate::relay::letter;
use crate::scratch::{self, wait_until};
use crate::split::road::{Plan, Road};

const MESSAGES: usize = 500;
/// Messages that pass while the store is in one state.
const EACH: usize = 100;

fn course() -> (Course, Plan) {
    Course::split(Settings::new(), MESSAGES)
}

/// Runs a course while something is done to the store, and undone. The last good lists decide meanwhile; afterwards the
/// daemon follows the store again.
fn held(what: &str, (course, plan): (Course, Plan), fault: impl FnOnce(&Road, &Progress)) -> Road {
    let mut road = plan.start();
    let figures = course.run_split(&mut road, |road, progress| {
        progress.reach(EACH);
        fault(road, progress);
        progress.pass(EACH);
    });
    assert!(road.plan.daemon.is_running());
    assert_eq!(figures.retries, 0, "a sender noticed: {what}");
    figures.show(what);
    assert_follows(&course, &road);
    road
}

/// A change governs, by and by.
fn assert_follows(course: &Course, road: &Road) {
    let (address, sender) = (road.plan.address("u1"), "nouveau@ailleurs.example");
    wait_until("the store to take a change", || {
        road.plan.daemon.try_command(&["entry", "add", &address, "personal", sender]).0.then_some(())
    });
    wait_until("a change to govern", || {
        let sent = road.send(sender, &["u1"], &letter(sender, "Nouveau"));
        road.was_split(sent.id());
        let copies = course.sink.take();
        copies.iter().any(|copy| copy.message.subject() == Some(b" [PERSO] Nouveau")).then_some(())
    });
}

/// The database and the files that SQLite keeps beside it.
fn files(database: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| {
        let mut path = database.as_os_str().to_owned();
        path.push(suffix);
        PathBuf::from(path)
    })
}

#[test]
fn a_store_locked_for_half_a_minute() {
    const LOCKED: Duration = Duration::from_secs(30);
    held("the store locked for 30 s", course(), |road, progress| {
        let connection = Connection::open(road.plan.daemon.database()).expect("the store is SQLite");
        wait_until("the lock", || connection.execute_batch("BEGIN EXCLUSIVE").ok());
        let start = Instant::now();
        progress.pass(EACH);
        while start.elapsed() < LOCKED {
            progress.pass(1);
        }
        connection.execute_batch("ROLLBACK").expect("our own transaction");
    });
}

/// Another installation's file, with other keys; what SQLite kept beside the old file stays or is exchanged as well.
#[test]
fn another_stores_file_in_its_place() {
    for (what, exchanged) in [("its -wal left", 1), ("its -wal exchanged", 3)] {
        let other = Plan::new(Settings::new()).user("u0", &[]).user("u1", &[]);
        held(&format!("the store's file replaced by another's, {what}"), course(), |road, progress| {
            let (_other, foreign) = with_wal(&other.daemon, &other.address("u2"));
            let (_own, own) = with_wal(&road.plan.daemon, &road.plan.address("autre"));
            let kept = own.each_ref().map(|path| fs::read(path).ok());
            for (to, from) in own.iter().zip(&foreign).take(exchanged) {
                exchange(to, fs::read(from).ok());
            }
            serves_on(road, progress);
            for (path, bytes) in own.iter().zip(kept) {
                exchange(path, bytes);
            }
        });
    }
}

/// Makes a change that is not in the main file yet: its -wal is not empty, and stays for as long as the connection.
fn with_wal(daemon: &Daemon, newcomer: &str) -> (Connection, [PathBuf; 3]) {
    let connection = Connection::open(daemon.database()).expect("the store is SQLite");
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).expect("a database");
    daemon.command(&["user", "add", newcomer]);
    let files = files(&daemon.database());
    assert!(fs::metadata(&files[1]).is_ok_and(|wal| wal.len() > 0), "the change is in the main file already");
    (connection, files)
}

/// The daemon says that it cannot read the store, and mail flows before and after that.
fn serves_on(road: &Road, progress: &Progress) {
    progress.pass(EACH);
    wait_until("the daemon to notice", || {
        road.plan.daemon.log().contains("the last good lists serve on").then_some(())
    });
    progress.pass(EACH);
}

/// Puts a new file in the place of one, or none.
fn exchange(path: &Path, bytes: Option<Vec<u8>>) {
    let Some(bytes) = bytes else { return drop(fs::remove_file(path)) };
    let aside = path.with_extension("aside");
    fs::write(&aside, bytes).expect("our own directory");
    fs::rename(aside, path).expect("our own directory");
}

/// A small file system in memory; unmounted when it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Puts a directory and what is in it on a disk of its own. None where this root may not mount.
    fn under(directory: &Path) -> Option<Self> {
        let aside = directory.with_extension("aside");
        let copy = |from: &Path, to: &Path| scratch::run(Command::new("cp").arg("-aT").args([from, to]));
        copy(directory, &aside);
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "perso-e2e"]).arg(directory).status();
        let disk = mounted.is_ok_and(|status| status.success()).then(|| Self(directory.to_owned()))?;
        copy(&aside, directory);
        Some(disk)
    }

    /// Fills it to its last byte.
    fn fill(&self) {
        let mut ballast = fs::File::create(self.ballast()).expect("a new file");
        for size in [1 << 16, 1] {
            while ballast.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.ballast()).expect("the disk was filled");
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the daemon may still have its files open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// The log of the daemon is on the same disk.
#[test]
fn a_full_disk() {
    let (course, plan) = course();
    let directory = plan.daemon.database().parent().expect("a file in a directory").to_owned();
    let Some(disk) = SmallDisk::under(&directory) else {
        return scratch::show("a full disk: not tried, since root may not mount here");
    };
    let road = held("the disk of store and log full", (course, plan), |road, progress| {
        disk.fill();
        progress.pass(EACH);
        let address = road.plan.address("u1");
        let (taken, _) = road.plan.daemon.try_command(&["entry", "add", &address, "personal", "x@ailleurs.example"]);
        assert!(!taken, "a change was taken that no disk has room for");
        progress.pass(EACH);
        disk.make_room();
    });
    // Before the scratch directory is removed.
    drop(disk);
    drop(road);
}

#[test]
fn a_store_made_unreadable() {
    let (course, plan) = course();
    let plan = plan.run_as(account("nobody", "nogroup"));
    held("the store made unreadable", (course, plan), |road, progress| {
        let own = files(&road.plan.daemon.database());
        let change = |program: &str, to: &str| {
            let there = own.iter().filter(|path| path.exists());
            scratch::run(Command::new(program).arg(to).args(there));
        };
        change("chmod", "000");
        progress.pass(EACH);
        // What is open stays readable; a new file in the same place is not.
        exchange(&own[0], fs::read(&own[0]).ok());
        change("chmod", "000");
        serves_on(road, progress);
        change("chown", "nobody:nogroup");
        change("chmod", "600");
    });
}
