//! Readers of users' lists while other threads change them: papaya, which the cache is built on, beside shards behind
//! `ArcSwap` and dashmap, so that the choice stays founded.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use criterion::{Criterion, criterion_group, criterion_main};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USERS: u64 = 1_000_000;
/// Changes a second, as an import beside a busy console makes them.
const CHANGES: u64 = 10_000;
const SHARDS: usize = 4096;

type Lists = Arc<[u64]>;

/// A map of users' lists.
trait Map: Send + Sync {
    fn get(&self, user: u64) -> Option<Lists>;
    fn set(&self, user: u64, lists: Lists);
}

impl Map for papaya::HashMap<u64, Lists> {
    fn get(&self, user: u64) -> Option<Lists> {
        self.pin().get(&user).cloned()
    }

    fn set(&self, user: u64, lists: Lists) {
        self.pin().insert(user, lists);
    }
}

impl Map for dashmap::DashMap<u64, Lists> {
    fn get(&self, user: u64) -> Option<Lists> {
        self.get(&user).map(|lists| lists.clone())
    }

    fn set(&self, user: u64, lists: Lists) {
        self.insert(user, lists);
    }
}

/// Maps that are copied whole for each change.
struct Shards(Vec<ArcSwap<HashMap<u64, Lists>>>);

impl Shards {
    fn of(&self, user: u64) -> &ArcSwap<HashMap<u64, Lists>> {
        &self.0[user as usize % SHARDS]
    }
}

impl Map for Shards {
    fn get(&self, user: u64) -> Option<Lists> {
        self.of(user).load().get(&user).cloned()
    }

    fn set(&self, user: u64, lists: Lists) {
        self.of(user).rcu(|shard| {
            let mut shard = HashMap::clone(shard);
            shard.insert(user, lists.clone());
            shard
        });
    }
}

fn lists(user: u64) -> Lists {
    (0..25).map(|word| user ^ word).collect()
}

/// Spreads numbers over the users.
fn spread(n: u64) -> u64 {
    n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20 & (USERS.next_power_of_two() - 1)
}

fn readers(criterion: &mut Criterion) {
    let shards = Shards((0..SHARDS).map(|_| ArcSwap::default()).collect());
    for (index, shard) in shards.0.iter().enumerate() {
        let users = (index as u64..USERS).step_by(SHARDS);
        shard.store(Arc::new(users.map(|user| (user, lists(user))).collect()));
    }
    let papaya = papaya::HashMap::new();
    let dashmap = dashmap::DashMap::new();
    for user in 0..USERS {
        Map::set(&papaya, user, lists(user));
        Map::set(&dashmap, user, lists(user));
    }
    let maps: [(&str, Arc<dyn Map>); 3] =
        [("papaya", Arc::new(papaya)), ("arc_swap_shards", Arc::new(shards)), ("dashmap", Arc::new(dashmap))];
    for (changes, name) in [(0, "calm"), (CHANGES, "changing")] {
        let mut group = criterion.benchmark_group(format!("cache/{name}"));
        for (map_name, map) in &maps {
            let writer = Writer::start(map.clone(), changes);
            let mut next = 0;
            group.bench_function(*map_name, |bencher| {
                bencher.iter(|| {
                    next += 1;
                    black_box(map.get(spread(black_box(next))))
                });
            });
            drop(writer);
        }
        group.finish();
    }
}

/// A thread that changes users' lists at a steady rate, until it is dropped.
struct Writer(Arc<AtomicBool>, Option<std::thread::JoinHandle<()>>);

impl Writer {
    fn start(map: Arc<dyn Map>, a_second: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(a_second == 0));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let (started, mut done) = (Instant::now(), 0);
            while !stopped.load(Ordering::Relaxed) {
                let due = started.elapsed().as_micros() as u64 * a_second / 1_000_000;
                (done..due).for_each(|n| map.set(spread(n), lists(n)));
                done = due;
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Self(stop, Some(thread))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        if let Some(thread) = self.1.take() {
            thread.join().expect("the writer");
        }
    }
}

criterion_group!(benches, readers);
criterion_main!(benches);
