//! What a recipient costs: the look-up of their lists, and the decision over 20 entries. One user over and over, users by
//! Zipf's law out of a million, and a user who was never seen before.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use perso_milter::cache::Cache;
use perso_milter::policy::address::{Address, Domain};
use perso_milter::policy::authres::{Authentication, Method};
use perso_milter::policy::decide::{Known, Lists, Message, decide};
use perso_milter::policy::identity::Sender;
use perso_milter::policy::list::{EntryValue, FingerprintKey, ListKind, UserLists, UserOptions};
use perso_milter::policy::organisation::OrgPolicy;
use perso_milter::store::{AddressHasher, LoadedUser};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Which user the n-th message is for.
type Draw = fn(u64) -> u64;

const USERS: u64 = 1_000_000;
const ENTRIES: u64 = 20;
/// Addresses that are looked up, drawn beforehand.
const DRAWN: usize = 1 << 20;

fn address(n: u64) -> Address {
    Address::parse(&format!("user{n}@bench.example")).expect("an address")
}

/// Two in three personal, the rest black and white.
fn lists(n: u64) -> UserLists {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&mixed(n).to_le_bytes());
    let key = FingerprintKey::from_bytes(key);
    let entries = (0..ENTRIES).map(|entry| {
        let list = ListKind::ALL[[2, 2, 2, 2, 0, 1][entry as usize % 6]];
        let value = Address::parse(&format!("contact{entry}.of{n}@friends.example")).map(EntryValue::Address);
        let value = value.expect("an address");
        (list, value.scope(), key.of(&value))
    });
    UserLists::build(n, 1, &key, UserOptions::default(), entries)
}

/// A fixed number for each number, as good as random (SplitMix64).
fn mixed(n: u64) -> u64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Zipf's law with exponent 1, by its inverse: rank r comes with a probability of about 1/r.
fn zipf(n: u64) -> u64 {
    let uniform = (mixed(n) >> 11) as f64 / (1u64 << 53) as f64;
    let rank = (uniform * (USERS as f64).ln()).exp();
    // Ranks are spread over the users, so that neighbours in memory are not neighbours in rank.
    mixed(rank as u64 ^ 0x5DEE_CE66) % USERS
}

fn recipient(criterion: &mut Criterion) {
    let hasher = AddressHasher::new([7; 16]);
    let users =
        (0..USERS).map(|n| LoadedUser { lists: lists(n), addresses: vec![hasher.of(&address(n))], globs: Vec::new() });
    let cache = Cache::of_users(hasher.clone(), users);
    let organisation = OrgPolicy::new(1, vec![Domain::parse("bench.example").expect("a domain")]);
    let passed = Authentication::Passed(Method::Dmarc);
    let proof = Known { envelope: passed, header: passed };
    // Four candidates: the address, the domain, and two levels of subdomains.
    let sender = Sender::header(Address::parse("contact3.of5@news.friends.example").expect("an address"));
    let message = Message { envelope: Some(&sender), header: Some(&sender), proof: &proof };

    let mut group = criterion.benchmark_group("recipient");
    let cases: [(&str, Draw); 3] = [("hot", |_| 5), ("zipf", zipf), ("cold", |n| mixed(n ^ 0xC01D) % USERS)];
    for (name, draw) in cases {
        let drawn: Vec<Address> = (0..DRAWN as u64).map(|n| address(draw(n))).collect();
        let mut next = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                next = (next + 1) % DRAWN;
                let lists = cache.lookup(black_box(&drawn[next])).expect("a user");
                decide(&organisation, Lists { compiled: &lists, globs: None }, black_box(&message))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, recipient);
criterion_main!(benches);
