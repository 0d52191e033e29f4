//! The command line, one module per subject.

#[path = "cli/config.rs"]
mod config;
