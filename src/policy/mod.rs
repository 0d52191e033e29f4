//! Who wants what: pure decisions, no I/O, no clock, no lock.

pub mod address;
pub mod authres;
pub mod decide;
pub mod list;
