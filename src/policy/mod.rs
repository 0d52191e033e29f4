//! Who wants what: pure decisions, no I/O, no clock, no lock.

pub mod action;
pub mod address;
pub mod authres;
pub mod decide;
#[cfg(test)]
pub(crate) mod fixture;
pub mod identity;
pub mod list;
pub mod organisation;
pub mod original;
pub mod plan;
pub mod refusal;
pub mod subject;
pub mod text;
