//! Prints what the embedded store does on this machine:
//! `cargo bench --bench store_figures -- [USERS] [ENTRIES A USER] [DIRECTORY]`.
//! A store that stands in the directory from an earlier run is used as it is, which measures the start alone.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use perso_milter::cache::{Cache, Follower, OrganisationWatch};
use perso_milter::policy::address::{Address, Domain};
use perso_milter::policy::list::{EntryValue, ListKind};
use perso_milter::store::{
    Actor, Edit, ImportEntry, ImportReport, ImportUser, LoadedOrganisation, NewUser, OrganisationId, SqliteOptions,
    SqliteStore, Store, Ticket, UserKind,
};

const CHUNK: usize = 100_000;

struct Nobody;

impl OrganisationWatch for Nobody {
    fn all(&self, _: Vec<LoadedOrganisation>) {}
    fn changed(&self, _: OrganisationId, _: Option<LoadedOrganisation>) {}
}

fn main() -> anyhow::Result<()> {
    // cargo adds an option of its own.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let mut number = |default| arguments.next().map_or(Ok(default), |text| text.parse::<u64>());
    let (users, each) = (number(50_000)?, number(20)?);
    let directory = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let path = directory.join("store-figures.db");
    let store = SqliteStore::open(&path, SqliteOptions::default())?;
    if store.organisations()?.is_empty() {
        fill(&store, users, each)?;
    }
    let before = resident();
    let started = Instant::now();
    let cache = Arc::new(Cache::new(store.address_hasher()));
    let follower = Follower::start(&store, Arc::clone(&cache), Arc::new(Nobody))?;
    rate("users loaded", users, started);
    println!("memory of the cache: {} MiB for {} addresses", (resident() - before) >> 10, cache.len());

    changes(&store, &cache, users)?;
    println!("{:?}", follower.status());
    drop((follower, store));
    println!("file: {} MiB, {}", std::fs::metadata(&path)?.len() >> 20, path.display());
    Ok(())
}

fn fill(store: &SqliteStore, users: u64, each: u64) -> anyhow::Result<()> {
    store.add_organisation(&Actor::System, "acme", &[Domain::parse("acme.example")?])?;
    let started = Instant::now();
    import(
        0..users,
        1,
        |lines| store.import_users(&Actor::Import { name: "bench".to_owned() }, lines),
        |n, _| user_line(n),
    )?;
    rate("users imported (an alias each)", users, started);
    let started = Instant::now();
    import(
        0..users,
        each,
        |lines| store.import_entries(&Actor::Import { name: "bench".to_owned() }, lines),
        entry_line,
    )?;
    rate("entries imported", users * each, started);
    Ok(())
}

fn user(n: u64) -> Address {
    Address::parse(&format!("user.number{n}@acme.example")).expect("an address")
}

fn user_line(n: u64) -> ImportUser {
    let alias = Address::parse(&format!("u{n}@acme.example")).expect("an address");
    ImportUser {
        line: n,
        user: NewUser { address: user(n), aliases: vec![alias], kind: UserKind::Person },
        organisation: None,
    }
}

fn entry_line(n: u64, entry: u64) -> ImportEntry {
    let text = format!("contact{entry}.of{n}@some.domain{}.example", n * entry % 1000);
    let value = EntryValue::Address(Address::parse(&text).expect("an address"));
    ImportEntry { line: n, user: user(n), list: ListKind::ALL[(entry % 3) as usize], value }
}

/// Chunks are made and prepared while the one before is written.
fn import<T>(
    users: std::ops::Range<u64>,
    each: u64,
    send: impl Fn(Vec<T>) -> perso_milter::store::Result<Ticket<ImportReport>>,
    line: impl Fn(u64, u64) -> T,
) -> anyhow::Result<()> {
    let mut lines = users.flat_map(|n| (0..each).map(move |entry| (n, entry))).map(|(n, entry)| line(n, entry));
    let mut tickets: VecDeque<Ticket<ImportReport>> = VecDeque::new();
    loop {
        let chunk: Vec<_> = lines.by_ref().take(CHUNK).collect();
        let last = chunk.is_empty();
        if !last {
            tickets.push_back(send(chunk)?);
        }
        while tickets.len() > usize::from(!last) {
            let report = tickets.pop_front().map(Ticket::wait).transpose()?;
            anyhow::ensure!(report.is_some_and(|report| report.refused.is_empty()), "lines were refused");
        }
        if last {
            return Ok(());
        }
    }
}

/// Single changes by their thousands, and how long each takes until a look-up sees it.
fn changes(store: &SqliteStore, cache: &Cache, users: u64) -> anyhow::Result<()> {
    let ids = (0..users.min(20_000)).map(|n| store.user_id(&user(n))).collect::<Result<Vec<_>, _>>()?;
    let value: EntryValue = "somebody@new.example".parse()?;
    let started = Instant::now();
    let edit = [Edit::Add(ListKind::Personal, value.clone())];
    let tickets: Vec<_> =
        ids.iter().map(|id| store.change_entries(&Actor::User, *id, &edit)).collect::<Result<_, _>>()?;
    tickets.into_iter().try_for_each(|ticket| ticket.wait().map(drop))?;
    rate("single changes committed", ids.len() as u64, started);
    let mut waits: Vec<_> = (0..200)
        .map(|n| {
            let lists = || cache.lookup(&user(n)).expect("known");
            let short = lists().key().of(&value).short();
            store.remove_entries(&Actor::User, ids[n as usize], &[(ListKind::Personal, value.clone())])?;
            let committed = Instant::now();
            while lists().contains(ListKind::Personal, short) {
                std::thread::yield_now();
            }
            Ok(committed.elapsed())
        })
        .collect::<anyhow::Result<_>>()?;
    waits.sort();
    println!("from commit to look-up: median {:?}, worst {:?}", waits[waits.len() / 2], waits[waits.len() - 1]);
    Ok(())
}

fn rate(what: &str, count: u64, started: Instant) {
    let took = started.elapsed();
    println!("{what}: {count} in {took:.2?}, {:.0} a second", count as f64 / took.as_secs_f64());
}

/// Resident memory, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}
