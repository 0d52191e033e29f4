//! One whole message through the session, in memory: frames in, decision, answer out. No socket.

mod support;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use perso_milter::milter::session::RecipientReplies;
use support::{Conversation, Relay, listed, user};

/// As in the daemon.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn session(criterion: &mut Criterion) {
    let relay = Relay::new(100).expect("a store");
    let recipients = |n: u64| -> Vec<String> { (0..n).map(|n| user(n).as_str().to_owned()).collect() };
    let elsewhere = vec!["nobody@elsewhere.example".to_owned()];
    let stranger = "stranger@unknown.example".to_owned();
    let cases = [
        ("personal", listed(0, 3), recipients(1)),
        ("stranger", stranger.clone(), recipients(1)),
        ("nobody_of_ours", stranger.clone(), elsewhere),
        ("stranger_to_10", stranger, recipients(10)),
    ];
    let mut group = criterion.benchmark_group("session");
    for (name, sender, recipients) in cases {
        let mut conversation = Conversation::open(&relay, RecipientReplies::NotNeeded);
        let message = conversation.message(&sender, &recipients);
        group.throughput(Throughput::Elements(1));
        let mut output = Vec::new();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                output.clear();
                for block in &message {
                    let next = conversation.session.receive(black_box(block), &mut output);
                    assert!(next.is_ok());
                    conversation.session.notices();
                }
                black_box(output.len())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, session);
criterion_main!(benches);
