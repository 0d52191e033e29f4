//! perso-milter: each recipient's own lists, applied to the mail that crosses a relay.
#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod milter;
pub mod policy;
