//! The command line, one module per subject. `config` calls the library; the others run the program as an operator does,
//! and look at what it prints, its exit code and the files it leaves.

#[path = "cli/harness.rs"]
mod harness;

#[path = "cli/aliases.rs"]
mod aliases;
#[path = "cli/bench.rs"]
mod bench;
#[path = "cli/check.rs"]
mod check;
#[path = "cli/config.rs"]
mod config;
#[path = "cli/demo.rs"]
mod demo;
#[path = "cli/ending.rs"]
mod ending;
#[path = "cli/entry.rs"]
mod entry;
#[path = "cli/explain.rs"]
mod explain;
#[path = "cli/grants.rs"]
mod grants;
#[path = "cli/import.rs"]
mod import;
#[path = "cli/org.rs"]
mod org;
#[path = "cli/probe.rs"]
mod probe;
#[path = "cli/secrecy.rs"]
mod secrecy;
#[path = "cli/sendmail.rs"]
mod sendmail;
#[path = "cli/staff.rs"]
mod staff;
#[path = "cli/store.rs"]
mod store;
#[path = "cli/usage.rs"]
mod usage;
#[path = "cli/user.rs"]
mod user;
