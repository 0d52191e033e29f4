//! The promises that `tests/run --fuzz` tries to break, kept by every seed of the search: the fixtures, and each input that
//! broke one before. A new finding is copied from target/fuzz/found to tests/fuzz/found/TARGET, under a name that says
//! what it is, without an extension; from then on it is a seed.

#[path = "fuzz/lib.rs"]
mod properties;
#[path = "fuzz/seeds.rs"]
mod seeds;

use std::fs;
use std::path::Path;

/// With `PERSO_MILTER_WRITE_SEEDS` set to a folder, writes the seeds there, a folder for each target.
#[test]
fn every_seed_keeps_the_promises() {
    let seeds = seeds::seeds();
    for (target, holds) in properties::TARGETS {
        let own: Vec<_> = seeds.iter().filter(|seed| seed.target == target).collect();
        assert!(own.len() >= 20, "{target} has {} seeds", own.len());
        for seed in own {
            println!("{target}: {}", seed.name);
            holds(&seed.bytes);
        }
    }
    if let Some(folder) = std::env::var_os("PERSO_MILTER_WRITE_SEEDS") {
        for seed in &seeds {
            let folder = Path::new(&folder).join(seed.target);
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(folder.join(&seed.name), &seed.bytes).expect("written");
        }
    }
}

#[test]
fn recorded_streams_are_taken_or_refused_as_their_folder_says() {
    for (folder, is_good) in [("good", true), ("bad", false)] {
        let streams = seeds::files(&format!("fixtures/frames/{folder}"), "bin");
        assert!(!streams.is_empty(), "{folder}");
        for (name, stream) in streams {
            assert_eq!(properties::session::takes(&stream), is_good, "{folder}/{name}");
        }
    }
}
