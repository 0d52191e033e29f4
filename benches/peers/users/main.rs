//! The users of the console, for the performance table (benches/peers/run): signed in, each doing something every few seconds.
//!
//! They are users of a store that `perso-milter bench seed` filled. Each gets a password and signs in with it; one more, whom
//! the table's own changes are made for, is signed in and left alone: the first line says by which cookie. Then, for each line
//! `go` on the standard input, all act until a line `stop`, and a line of JSON tells how long each request took, from when it
//! was due to the last byte of its answer.

#[path = "../../support/browser.rs"]
mod browser;
mod person;

use std::io::BufRead;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use browser::Browser;
use clap::Parser;
use perso_milter::policy::address::Address;
use perso_milter::store::{Password, Permission, SqliteOptions, SqliteStore, Store};
use person::{Action, Person};

/// The one who is signed in and left alone: the recipient that the table's own messages go to.
const LEFT_ALONE: usize = 1;
/// Everybody's password. Hashing it costs what it costs anybody.
const PASSWORD: &str = "cheval batterie agrafe";

/// The users of the console.
#[derive(Parser)]
struct Options {
    /// What browsers call the console: http://HOST:PORT
    origin: String,
    /// The file of its store
    store: PathBuf,
    /// How many users act
    #[arg(long, default_value = "500")]
    users: usize,
    /// Seconds between the actions of each
    #[arg(long, default_value = "4")]
    pace: f64,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let store = SqliteStore::open(&options.store, SqliteOptions::default())?;
    let mut people = Vec::with_capacity(options.users + 1);
    for number in 0..=options.users {
        people.push(Person::new(number, signed_in(&store, &options.origin, number)?));
    }
    drop(store);
    let alone = people.remove(LEFT_ALONE);
    println!("{}", serde_json::json!({ "cookie": alone.browser.cookie() }));
    let pace = Duration::try_from_secs_f64(options.pace).context("--pace")?;
    let mut lines = std::io::stdin().lock().lines();
    while let Some(line) = lines.next().transpose()? {
        anyhow::ensure!(line == "go", "go or nothing");
        println!("{}", told(act(&mut people, pace, &mut || lines.next())?));
    }
    Ok(())
}

/// A browser in which a seeded user has signed in.
fn signed_in(store: &dyn Store, origin: &str, number: usize) -> anyhow::Result<Browser> {
    let address = Address::parse(&format!("user{number}@bench.example"))?;
    let user = store.user_id(&address)?;
    store.set_password(user, &Permission::Own(user), &Password::new(PASSWORD, &address)?)?;
    // Tries are counted by network: everybody has one of their own.
    let mut browser = Browser::new(origin).at(format!("10.{}.{}.1", number / 256, number % 256));
    let form = [("adresse", address.as_str()), ("mot_de_passe", PASSWORD), ("retour", "/")];
    browser.post("/connexion/mot-de-passe", &form)?;
    anyhow::ensure!(browser.get("/")?.1.contains(address.as_str()), "user{number} is not signed in");
    Ok(browser)
}

/// How long each request took.
type Times = Vec<(Action, Duration)>;

/// Everybody acts at their pace, evenly spread over it, until `wait` returns.
fn act(
    people: &mut [Person],
    pace: Duration,
    wait: &mut dyn FnMut() -> Option<std::io::Result<String>>,
) -> anyhow::Result<Times> {
    let (is_over, over) = (Mutex::new(false), Condvar::new());
    let (begun, share) = (Instant::now(), pace / u32::try_from(people.len()).context("fewer users")?.max(1));
    thread::scope(|scope| {
        let (is_over, over) = (&is_over, &over);
        let turns = |at: usize, person: &mut Person| {
            let mut times = Times::new();
            let mut due = begun + share * at as u32;
            while !is_over_by(is_over, over, due) {
                let action = person.act()?;
                times.push((action, due.elapsed()));
                due += pace;
            }
            Ok(times)
        };
        let threads: Vec<_> =
            people.iter_mut().enumerate().map(|(at, person)| scope.spawn(move || turns(at, person))).collect();
        let stopped = wait();
        *is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        over.notify_all();
        let mut all = Times::new();
        for thread in threads {
            let times: anyhow::Result<Times> = thread.join().map_err(|_| anyhow::anyhow!("a user panicked"))?;
            all.extend(times?);
        }
        stopped.transpose()?;
        Ok(all)
    })
}

/// Waits until then, or until all is over.
fn is_over_by(is_over: &Mutex<bool>, over: &Condvar, then: Instant) -> bool {
    let guard = is_over.lock().unwrap_or_else(PoisonError::into_inner);
    let rest = then.saturating_duration_since(Instant::now());
    let (guard, _) = over.wait_timeout_while(guard, rest, |is_over| !*is_over).unwrap_or_else(PoisonError::into_inner);
    *guard
}

/// Milliseconds by kind of action, as the table reads them.
fn told(times: Times) -> serde_json::Value {
    let of = |wanted: Action| -> Vec<f64> {
        times.iter().filter(|(action, _)| *action == wanted).map(|(_, time)| time.as_secs_f64() * 1e3).collect()
    };
    serde_json::json!({ "page": of(Action::Page), "search": of(Action::Search), "change": of(Action::Change) })
}
