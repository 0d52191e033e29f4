//! The daemon's end: what it decides while it drains is kept like all else.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use perso_milter::milter::client::{Client, ClientOptions};
use perso_milter::milter::command::Peer;
use perso_milter::milter::listen::ListenAddress;
use perso_milter::store::{ActivityStore, Keeping, Permission, RelayStore};

use crate::harness::{Place, eventually, id};

/// Whether a process has a thread of this name.
fn has_thread(process: u32, name: &str) -> bool {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("our own child");
    let names = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.into_iter().any(|running| running.trim_end() == name)
}

#[test]
fn a_message_that_ends_in_the_drain_leaves_its_row() {
    let place = Place::acme();
    let store = place.store();
    let anne = id(&store, "anne@acme.example");
    store.keep_activity(anne, Keeping::On).expect("on");
    let mut daemon = place.command(&["run"]).stderr(Stdio::piped()).spawn().expect("the program");
    let mut log = BufReader::new(daemon.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    let mut says = |words: &str| assert!(log.any(|line| line.contains(words)), "it never said: {words}");
    says("listening");

    let socket = ListenAddress::Unix { path: place.dir().join("milter.sock") };
    let mut mta = Client::connect(&socket, &ClientOptions::default()).expect("connected");
    mta.connection(b"mx.d.example", Peer::Unknown).expect("taken");
    mta.mail(b"<m@d.example>", &[]).expect("taken");
    mta.recipient(b"<anne@acme.example>", &[]).expect("taken");
    kill(Pid::from_raw(daemon.id() as i32), Signal::SIGTERM).expect("our own child");
    says("stopping");
    // Whatever ends at once has ended by then.
    eventually("the end of upkeep", || !has_thread(daemon.id(), "upkeep"));
    mta.header(b"From", b" m@d.example").expect("taken");
    mta.end_of_message().expect("decided");
    // The daemon has parted by then.
    drop(mta);
    says("stopped");
    assert!(daemon.wait().expect("our own child").success());

    let history = store.activity(anne, &Permission::Own(anne)).expect("read");
    assert_eq!((history.rows.len(), history.incomplete.len()), (1, 0));
    assert!(store.relays().expect("read").is_empty(), "it ended as it should");
}
