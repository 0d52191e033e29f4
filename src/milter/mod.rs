//! The milter protocol, from bytes to replies.
//!
//! [`wire`] names the constants, [`frame`] cuts the stream, [`command`] and [`reply`] read and write the two directions,
//! [`negotiate`] agrees with the MTA on what is sent. All of these are pure. [`server`] is the milter's end of the
//! socket, [`client`] the MTA's.

pub mod client;
pub mod command;
pub mod frame;
pub mod listen;
pub mod negotiate;
pub mod reply;
pub mod server;
pub mod wire;
