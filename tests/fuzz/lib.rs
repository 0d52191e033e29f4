//! What must hold for any bytes. Each module is one fuzz target: its `holds` panics on an input that breaks a promise.
//!
//! `tests/run --fuzz` searches for such inputs; tests/fuzz.rs plays the seeds, and every input that was ever found, with
//! each `cargo test`.

pub mod alias_file;
pub mod authentication_results;
pub mod command;
pub mod configuration;
pub mod frame;
pub mod from;
mod heard;
pub mod intake;
mod script;
pub mod session;
pub mod subject;
#[path = "../policy/world.rs"]
#[allow(dead_code)]
mod world;

/// A target: its name and what it asserts of an input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 9] = [
    ("frame", frame::holds),
    ("command", command::holds),
    ("session", session::holds),
    ("subject", subject::holds),
    ("from", from::holds),
    ("authentication_results", authentication_results::holds),
    ("configuration", configuration::holds),
    ("alias_file", alias_file::holds),
    ("intake", intake::holds),
];
