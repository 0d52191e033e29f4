//! perso-milter: each recipient's own lists, applied to the mail that crosses a relay.
#![forbid(unsafe_code)]

pub mod app;
pub mod cache;
pub mod cli;
pub mod config;
pub mod directory;
pub mod explain;
pub mod mark;
pub mod metrics;
pub mod milter;
pub mod policy;
pub mod store;
