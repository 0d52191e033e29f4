//! `bench`: against the real daemon on a store that it filled, and against milters that answer wrongly.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::ops::ControlFlow;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use perso_milter::milter::command::Command;
use perso_milter::milter::frame::FrameDecoder;
use perso_milter::milter::negotiate::{Wanted, negotiate};
use perso_milter::milter::reply::Reply;
use perso_milter::milter::wire::{Actions, Protocol};
use serde_json::Value;

use crate::harness::{Answer, Place};

/// The daemon on a store with 100 users, until this is dropped.
struct Daemon {
    place: Place,
    child: Child,
    /// A unix socket, and TCP.
    addresses: Vec<String>,
    /// Its log, where nobody has read on.
    log: Option<Lines<BufReader<ChildStderr>>>,
}

impl Daemon {
    fn start() -> Self {
        let mut daemon = Self::with_unread_log();
        let log = daemon.log.take().expect("its log");
        std::thread::spawn(move || log.for_each(drop));
        daemon
    }

    fn with_unread_log() -> Self {
        let place = Place::new();
        place.configure("[[milter.listener]]\naddress = \"inet:0@127.0.0.1\"\n");
        let text = std::fs::read_to_string(place.config()).expect("our own file");
        let text = text.replace("mode = \"off\"", "authserv_ids = [\"mx.bench.example\"]");
        place.write("perso-milter.toml", text.as_bytes());
        place.run(&["bench", "seed", "--users", "100"]).done();
        let mut child = place.command(&["run"]).stderr(Stdio::piped()).spawn().expect("the program");
        let mut log = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let listening = log.by_ref().map_while(Result::ok).filter_map(|line| {
            let (_, address) = line.split_once("listening address=")?;
            Some(address.to_owned())
        });
        let addresses: Vec<String> = listening.take(2).collect();
        Self { place, child, addresses, log: Some(log) }
    }

    /// `bench` with so many messages, few enough for the debug build, and these options.
    fn bench(&self, messages: u32, options: &[&str]) -> Answer {
        self.bench_at(&self.addresses[0], messages, options)
    }

    fn bench_at(&self, address: &str, messages: u32, options: &[&str]) -> Answer {
        let messages = messages.to_string();
        let all = ["bench", address, "--users", "100", "--warmup", "100", "--messages", &messages];
        self.place.run(&[&all, options].concat())
    }

    fn json(&self, messages: u32, options: &[&str]) -> Value {
        self.bench(messages, &[options, &["--json"]].concat()).json()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a number: {value}"))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("a number: {value}"))
}

#[test]
fn every_message_fares_as_the_seeded_lists_have_it() {
    let daemon = Daemon::start();
    for options in [
        &["--personal", "50"][..],
        &["--personal", "30", "--blocked", "30", "--mixed", "30", "--recipients", "3"],
        &["--write", "command", "--blocked", "20"],
        &["--messages-per-connection", "1"],
        &["--connections", "20", "--idle", "20", "--threads", "3"],
        &["--header-bytes", "20000", "--zipf", "0"],
    ] {
        let outcome = daemon.json(2000, options);
        assert_eq!((count(&outcome["messages"]), count(&outcome["errors"])), (2000, 0), "{options:?}: {outcome}");
        let kinds = outcome["kinds"].as_object().expect("kinds");
        assert_eq!(kinds.values().map(count).sum::<u64>(), 2000, "{outcome}");
        assert!(count(&outcome["kinds"]["personal"]) > 400, "{outcome}");
        assert_eq!(count(&outcome["stages"]["message"]["count"]), 2000, "{outcome}");
    }
}

#[test]
fn mail_does_not_wait_for_who_reads_the_log() {
    let mut daemon = Daemon::with_unread_log();
    // A line each, far more than a pipe holds.
    let outcome = daemon.json(3000, &[]);
    assert_eq!((count(&outcome["messages"]), count(&outcome["errors"])), (3000, 0), "{outcome}");
    let log = daemon.log.take().expect("its log").map_while(Result::ok);
    let warmed_up = 100;
    assert_eq!(log.filter(|line| line.contains(" message ")).take(3000 + warmed_up).count(), 3000 + warmed_up);
}

#[test]
fn over_tcp_it_is_the_same() {
    let daemon = Daemon::start();
    for options in [&["--connections", "30"][..], &["--messages-per-connection", "1"]] {
        let outcome = daemon.bench_at(&daemon.addresses[1], 500, &[options, &["--json"]].concat()).json();
        assert_eq!((count(&outcome["messages"]), count(&outcome["errors"])), (500, 0), "{options:?}: {outcome}");
        assert!(outcome["milter"].as_str().is_some_and(|address| address.starts_with("inet:")), "{outcome}");
        // Who listens behind TCP is seen by root alone.
        let pid = &outcome["milter_pid"];
        assert!(*pid == daemon.child.id() || (pid.is_null() && !nix::unistd::geteuid().is_root()), "{outcome}");
    }
}

#[test]
fn what_was_measured_is_told_to_people_and_to_programs() {
    let daemon = Daemon::start();
    let page = daemon.place.dir().join("page.html");
    let page = page.to_str().expect("UTF-8");
    let outcome = daemon.json(2000, &["--blocked", "10", "--messages-per-connection", "10", "--html", page]);
    assert_eq!(outcome["milter_pid"], daemon.child.id());
    assert!(number(&outcome["milter_cpu_per_1000"]) > 0.0 && number(&outcome["generator_cpu_per_1000"]) > 0.0);
    assert!(count(&outcome["milter_memory_bytes"]) > 1 << 20 && count(&outcome["bytes_written"]) > 2000 * 2000);
    assert_eq!(outcome["options"]["connections"], 4);
    assert_eq!(outcome["options"]["shares"]["blocked"], 10.0);
    let stages = &outcome["stages"];
    // A blocked sender's message has its end as well: the user has white entries, which the headers could name.
    assert_eq!(count(&stages["end_of_message"]["count"]), 2000);
    assert_eq!(count(&stages["recipient"]["count"]), 2000);
    assert!(count(&stages["connect"]["count"]) >= 196, "{stages}");
    for stage in ["connect", "recipient", "end_of_message", "message"] {
        let times = ["p50", "p90", "p99", "p999", "max"].map(|quantile| number(&stages[stage][quantile]));
        assert!(times[0] > 0.0 && times.is_sorted(), "{stage}: {times:?}");
    }
    let by_time = outcome["messages_by_100ms"].as_array().expect("slices");
    assert_eq!(by_time.iter().map(count).sum::<u64>(), 2000);
    is_a_page_of_its_own(Path::new(page), &["reply at RCPT", "p99.9", "<svg", "prefers-color-scheme"]);

    let table = daemon.bench(500, &[]).done();
    for part in ["messages a second", "errors                   0", "end of message", "p99.9", "MiB (process "] {
        assert!(table.contains(part), "{table}");
    }
}

/// Well-formed, and without a word that would fetch something.
fn is_a_page_of_its_own(path: &Path, parts: &[&str]) {
    let page = std::fs::read_to_string(path).expect("it was written");
    for part in parts {
        assert!(page.contains(part), "{part}: {page}");
    }
    for foreign in ["<script", "http", "url(", "src=", "href=", "@import"] {
        assert!(!page.contains(foreign), "{foreign}: {page}");
    }
    let mut open = Vec::new();
    for tag in page.split('<').skip(1).map(|rest| rest.split('>').next().expect("something")) {
        let name = tag.trim_start_matches('/').split_whitespace().next().expect("a name");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name.to_owned()), "{tag}");
        } else if !tag.ends_with('/') && !["!DOCTYPE", "meta"].contains(&name) {
            open.push(name.to_owned());
        }
    }
    assert_eq!(open, [""; 0], "each element ends");
    assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
}

#[test]
fn at_a_rate_messages_are_sent_when_they_are_due() {
    let daemon = Daemon::start();
    let outcome = daemon.json(500, &["--rate", "1000"]);
    assert_eq!((count(&outcome["messages"]), count(&outcome["errors"])), (500, 0));
    // The 500th is due after 499 ms: no machine is quicker.
    assert!(number(&outcome["seconds"]) >= 0.499, "{outcome}");
    // What waits for its turn is counted from when it was due.
    let stages = &outcome["stages"];
    assert!(number(&stages["message"]["max"]) >= number(&stages["end_of_message"]["max"]), "{stages}");
    let outcome = daemon.json(1_000_000, &["--duration", "0.3", "--rate", "100"]);
    assert!((1..=31).contains(&count(&outcome["messages"])), "{outcome}");
}

#[test]
fn milters_are_compared_in_turn() {
    let daemon = Daemon::start();
    let page = daemon.place.dir().join("page.html");
    let (reference, again) = (format!("{}=first", daemon.addresses[0]), format!("{}=again", daemon.addresses[0]));
    let rest = ["--users", "100", "--messages", "200", "--rounds", "4", "--html", page.to_str().expect("UTF-8")];
    let arguments = [&["bench", "--compare", &reference, &again][..], &rest].concat();
    let table = daemon.place.run(&arguments).done();
    assert!(table.starts_with("4 rounds, each 200 messages a milter: 4 connections"), "{table}");
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("  again")).collect();
    assert_eq!(rows.len(), 5, "{table}");
    assert!(rows.iter().all(|row| row.contains('[') && row.ends_with(']')), "{table}");
    assert!(table.ends_with("errors: first 0, again 0\n"), "{table}");
    is_a_page_of_its_own(&page, &["Milters compared", "again", "generator CPU", "<circle"]);

    let outcome = daemon.place.run(&[&arguments[..], &["--json"]].concat()).json();
    assert_eq!(outcome["rounds"], 4);
    let measure = &outcome["milters"][1]["measures"]["messages_per_second"];
    let ratio = ["low", "median", "high"].map(|end| number(&measure["ratio"][end]));
    assert!(ratio[0] > 0.0 && ratio.is_sorted(), "{measure}");
    assert_eq!(measure["rounds"].as_array().map(Vec::len), Some(4));
    assert_eq!(outcome["milters"][0]["measures"]["messages_per_second"]["ratio"], Value::Null);
}

#[test]
fn a_store_is_filled_once() {
    let place = Place::new();
    let printed = place.run(&["bench", "seed", "--users", "30", "--entries", "10"]).done();
    assert!(printed.starts_with("30 users with 300 entries\n"), "{printed}");
    assert!(printed.ends_with(" --users 30 --entries 10 --seed 1\n"), "{printed}");
    let user = place.run(&["user", "show", "user29@bench.example"]).done();
    assert!(user.contains("u29@alias.bench.example"), "{user}");
    let refused = place.run(&["bench", "seed"]).failed();
    assert!(refused.contains("has an organisation bench already; remove it"), "{refused}");
    place.run(&["org", "remove", "bench", "--with-users"]).done();
    place.run(&["bench", "seed", "--users", "1"]).done();
}

/// A milter that says yes to everything, or what else a test has it say at the end of a message.
fn milter(path: &Path, at_end: &'static [u8]) {
    let listener = UnixListener::bind(path).expect("our own directory");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream, at_end));
        }
    });
}

fn answer(mut stream: UnixStream, at_end: &[u8]) {
    let wanted = Wanted {
        required: Actions::CHGHDRS,
        optional: Actions::NONE,
        protocol: Protocol::from_bits(0x4F390),
        macros: Vec::new(),
    };
    let mut decoder = FrameDecoder::new(1 << 20);
    let mut buffer = [0; 65_536];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        let mut output = Vec::new();
        let fed = decoder.feed(&buffer[..length], |frame| {
            match Command::parse(frame) {
                Ok(Command::Negotiate(offer)) => {
                    negotiate(&offer, &wanted).expect("what Postfix offers").encode(&wanted, &mut output);
                }
                Ok(Command::EndOfMessage(_)) if at_end.is_empty() => Reply::Continue.encode(&mut output),
                Ok(Command::EndOfMessage(_)) => output.extend_from_slice(at_end),
                Ok(Command::Quit) | Err(_) => return ControlFlow::Break(()),
                Ok(_) => {}
            }
            ControlFlow::Continue(())
        });
        if stream.write_all(&output).is_err() || fed != Ok(ControlFlow::Continue(())) {
            return;
        }
    }
}

#[test]
fn a_milter_that_answers_wrongly_is_found_out() {
    let place = Place::new();
    let (accepts, surplus, mute) = ("accepts.sock", "surplus.sock", "mute.sock");
    milter(&place.dir().join(accepts), b"");
    milter(&place.dir().join(surplus), b"\0\0\0\x01c\0\0\0\x01c");
    // A mere progress is no reply.
    milter(&place.dir().join(mute), b"\0\0\0\x01p");
    let bench = |name: &str, options: &[&str]| {
        let address = format!("unix:{}", place.dir().join(name).display());
        place.run(&[&["bench", &address, "--messages", "100", "--warmup", "0", "--timeout", "0.2"], options].concat())
    };
    let wrong = bench(accepts, &["--personal", "100"]);
    assert_eq!(wrong.code, Some(1), "{wrong:#?}");
    let expected = ": expected a personal message: accepted, the tag before the Subject; got accepted, the \
                    Subject untouched";
    assert!(wrong.stderr.contains(expected) && wrong.stderr.contains("95 more errors"), "{wrong:#?}");
    assert!(wrong.stdout.contains("errors                   100"), "{wrong:#?}");
    bench(accepts, &["--personal", "100", "--check", "protocol"]).done();
    bench(accepts, &["--personal", "0"]).done();

    let wrong = bench(surplus, &["--personal", "0"]);
    assert_eq!(wrong.code, Some(1), "{wrong:#?}");
    assert!(wrong.stderr.contains("the milter sent reply `c` that nothing asked for"), "{wrong:#?}");
    let wrong = bench(mute, &["--messages-per-connection", "1"]);
    assert_eq!(wrong.code, Some(1), "{wrong:#?}");
    assert!(wrong.stderr.contains("the milter did not reply within 200ms"), "{wrong:#?}");
    let absent = bench("absent.sock", &[]).failed();
    assert!(absent.contains("absent.sock: the milter's socket: No such file or directory"), "{absent}");
}

#[test]
fn recipients_may_be_named() {
    let place = Place::new();
    milter(&place.dir().join("m.sock"), b"");
    let address = format!("unix:{}", place.dir().join("m.sock").display());
    let bench = |file: &[u8], options: &[&str]| {
        let file = place.write("recipients", file);
        let named = ["bench", &address, "--messages", "50", "--recipients-from", file.to_str().expect("UTF-8")];
        place.run(&[&named[..], options].concat())
    };
    // Nothing is known of their lists, so that only the protocol is checked.
    let outcome = bench(b"anne@acme.example\n\nbob@acme.example\n", &["--recipients", "2", "--json"]).json();
    assert_eq!(
        (&outcome["options"]["listed_recipients"], &outcome["options"]["check"]),
        (&2.into(), &"protocol".into())
    );
    assert!(bench(b"\n", &[]).failed().contains("there is no address in it"));
    assert!(bench(b"a@b.example c@d.example\n", &[]).failed().contains("not one address a line"));
    assert!(bench(b"a@b.example\n", &["--recipients", "2"]).failed().contains("cannot have 2 recipients of 1"));
}
