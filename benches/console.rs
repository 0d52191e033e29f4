//! Prints how long the console takes over a user's long lists:
//! `cargo bench --bench console -- [ENTRIES A LIST] [TIMES] [LISTS]`.
//!
//! A real server over loopback, one browser, a user with one to three long lists and a note beside each entry; there is room for
//! what is added. The time is from the request to the last byte of its answer, which is a little more than the server's own.

#[path = "support/browser.rs"]
mod browser;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use browser::{Browser, entry_of, first};
use perso_milter::config::Config;
use perso_milter::console::mail::Hop;
use perso_milter::console::server::{Bound, Serving};
use perso_milter::console::{MailOptions, Options};
use perso_milter::directory::{Defaults, SharedDefaults};
use perso_milter::language::Language;
use perso_milter::policy::address::{Address, Domain};
use perso_milter::policy::list::ListKind;
use perso_milter::store::{Actor, Edit, NewUser, Note, SqliteOptions, SqliteStore, Store, UserKind, system_clock};

// As the daemon has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    // cargo adds an option of its own.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let mut number = |default| arguments.next().map_or(Ok(default), |text| text.parse::<usize>());
    let (entries, times, lists) = (number(9_900)?, number(30)?, number(3)?);
    let place = tempfile::tempdir()?;
    let path = place.path().join("console.db");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path, SqliteOptions::default())?);
    let (serving, mut browser) = serve(&store, entries, lists)?;
    println!("{lists} lists of {entries} entries, each with a note; {times} times each, in milliseconds");
    println!("{:<28}{:>10}{:>10}{:>10}", "", "median", "90 in 100", "worst");
    measure(&mut browser, times)?;
    serving.stop();
    Ok(())
}

/// A console over a store with one user, and a browser in which they are signed in.
fn serve(store: &Arc<dyn Store>, entries: usize, lists: usize) -> anyhow::Result<(Serving, Browser)> {
    store.add_organisation(&Actor::System, "acme", &[Domain::parse("acme.example")?])?;
    let address = Address::parse("anne@acme.example")?;
    let user = store.add_user(&Actor::System, &NewUser { address, aliases: Vec::new(), kind: UserKind::Person })?;
    for list in ListKind::ALL.into_iter().take(lists) {
        let mut edits = Vec::with_capacity(2 * entries);
        for n in 0..entries {
            let value: perso_milter::policy::list::EntryValue = format!("{list}{n}@d{}.example", n % 997).parse()?;
            edits.push(Edit::Add(list, value.clone()));
            edits.push(Edit::Note(list, value, Note::parse(&format!("number {n} of the benchmark"))?));
        }
        store.change_entries(&Actor::User, user, &edits)?.wait()?;
    }
    let sender = Address::parse("cim@acme.example")?;
    let options = Options {
        listen: "127.0.0.1:0".parse()?,
        scheme: "http",
        authority: None,
        tls: None,
        trusted_proxies: Vec::new(),
        language: Language::English,
        mail: MailOptions { host: "127.0.0.1".to_owned(), port: 25, hop: Hop::Local, sender },
        defaults: SharedDefaults::new(Defaults::from(&Config::default())),
        upkeep: Duration::from_secs(60),
    };
    let bound = Bound::bind(options, Arc::clone(store), system_clock())?;
    let link = bound.demo_link(user).context("no randomness")?;
    let mut browser = Browser::new(bound.origin());
    let path = link.strip_prefix(bound.origin()).context("a link of ours")?.to_owned();
    let serving = bound.serve()?;
    browser.post(&path, &[])?;
    Ok((serving, browser))
}

fn measure(browser: &mut Browser, times: usize) -> anyhow::Result<()> {
    let list = "/listes/acceptes";
    row("home", times, |_| browser.get("/"))?;
    row("list, first page", times, |_| browser.get(list))?;
    row("list, page 50 by date", times, |_| browser.get("/listes/acceptes?tri=-date&page=50"))?;
    row("search", times, |n| browser.post(list, &[("q", &format!("white{n}1"))]))?;
    row("one entry", times, |_| {
        let page = browser.get(list)?.1;
        browser.get(&entry_of(&page)?)
    })?;
    row("add", times, |n| {
        let address = format!("new{n}@somewhere.example");
        browser.post("/listes/ajouter", &[("liste", "personnels"), ("adresse", &address), ("choix", "seul")])
    })?;
    row("add, a domain offered", times, |n| {
        let address = format!("new{n}@d{n}.example");
        browser.post("/listes/ajouter", &[("liste", "acceptes"), ("adresse", &address)])
    })?;
    row("note", times, |n| {
        let page = browser.get(list)?.1;
        let note = format!("changed {n}");
        browser.post(&format!("{}/note", entry_of(&page)?), &[("note", &note)])
    })?;
    row("remove", times, |_| {
        let page = browser.get(list)?.1;
        browser.post(&format!("{}/retirer", entry_of(&page)?), &[])
    })?;
    row("undo", times, |_| {
        let page = browser.get(list)?.1;
        browser.post(&format!("{}/retirer", entry_of(&page)?), &[])?;
        let journal = browser.get("/listes/journal")?.1;
        browser.post(&first(&journal, "action=\"", "/listes/journal/")?, &[])
    })?;
    row("changes", times, |_| browser.get("/listes/journal"))?;
    for file in ["listes.csv", "listes.json", "listes.sieve"] {
        row(&format!("export, {file}"), times, |_| browser.get(&format!("/listes/exporter/{file}")))?;
    }
    Ok(())
}

/// Repeats and prints; what is measured is the last request of each round.
fn row(
    name: &str,
    times: usize,
    mut ask: impl FnMut(usize) -> anyhow::Result<(Duration, String)>,
) -> anyhow::Result<()> {
    let mut took = (0..times).map(|n| ask(n).map(|(time, _)| time)).collect::<anyhow::Result<Vec<_>>>()?;
    took.sort();
    let at = |part: usize| took.get((took.len() * part / 100).min(took.len() - 1)).map_or(0.0, Duration::as_secs_f64);
    println!("{name:<28}{:>10.1}{:>10.1}{:>10.1}", at(50) * 1e3, at(90) * 1e3, at(100) * 1e3);
    Ok(())
}
