//! The parts of a message's way, each alone: frames, headers, the Subject, a fingerprint.

mod support;

use std::hint::black_box;
use std::ops::ControlFlow;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use perso_milter::milter::command::Command;
use perso_milter::milter::facts::{Depth, HeaderFacts};
use perso_milter::milter::frame::FrameDecoder;
use perso_milter::milter::session::RecipientReplies;
use perso_milter::milter::settings::{Directory, Pass};
use perso_milter::milter::wire;
use perso_milter::policy::list::{FingerprintKey, Scope};
use perso_milter::policy::subject::{LeadingSpace, SubjectEdit, Tag, edited};
use support::{Conversation, Relay, headers, listed, user};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn frames(criterion: &mut Criterion) {
    let relay = Relay::new(1).expect("a store");
    let conversation = Conversation::open(&relay, RecipientReplies::NotNeeded);
    let [_, content] = conversation.message(&listed(0, 3), &[user(0).as_str().to_owned()]);
    let mut group = criterion.benchmark_group("frame");
    group.throughput(Throughput::Bytes(content.len() as u64));
    for (name, chunk) in [("whole", content.len()), ("cut_every_100_bytes", 100)] {
        let mut decoder = FrameDecoder::new(wire::FRAME_MAX as u32);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for part in content.chunks(chunk) {
                    let fed = decoder.feed(black_box(part), |frame| {
                        let _ = black_box(Command::parse(frame));
                        ControlFlow::<()>::Continue(())
                    });
                    assert!(fed.is_ok());
                }
            });
        });
    }
    group.finish();
}

fn header_collector(criterion: &mut Criterion) {
    let relay = Relay::new(1).expect("a store");
    let settings = relay.directory.settings();
    let headers = headers(&listed(0, 3), user(0).as_str());
    let mut group = criterion.benchmark_group("headers");
    for (name, depth) in [("forged_only", Depth::Forged), ("to_decide", Depth::Decide), ("to_mark", Depth::Mark)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut facts = HeaderFacts::new(Pass::First, settings.limits);
                for (name, value) in &headers {
                    facts.add(&settings, depth, black_box(name.as_bytes()), value.as_bytes().into());
                }
                black_box(facts.header_sender(None))
            });
        });
    }
    group.finish();
}

fn subject(criterion: &mut Criterion) {
    let tag = Tag::new("[PERSO]").expect("a tag");
    let mut group = criterion.benchmark_group("subject");
    let cases = [
        ("plain", &b" Dimanche, qui apporte le dessert ?"[..]),
        ("answer", b" Re: TR: Dimanche, qui apporte le dessert ?"),
        ("encoded", b" =?UTF-8?Q?R=C3=A9union_de_famille_dimanche_=3A_qui_apporte_le_dessert=3F?="),
    ];
    for (name, value) in cases {
        let edit = SubjectEdit { tag: Some(&tag), clear: &[] };
        group.bench_function(name, |bencher| {
            bencher.iter(|| edited(Some(black_box(value)), edit, LeadingSpace::Kept));
        });
    }
    group.finish();
}

fn fingerprint(criterion: &mut Criterion) {
    let key = FingerprintKey::from_bytes([7; 16]);
    criterion.bench_function("fingerprint", |bencher| {
        bencher.iter(|| key.fingerprint(Scope::Address, black_box("contact3.of5@some.domain8.example")));
    });
}

criterion_group!(benches, frames, header_collector, subject, fingerprint);
criterion_main!(benches);
