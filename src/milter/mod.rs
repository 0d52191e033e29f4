//! The milter protocol, from bytes to replies: `wire` (constants), `frame`, `command`, `reply` and `negotiate` are pure
//! and encode and decode both directions; `session` is one connection's conversation, `transaction` one of its messages,
//! `facts` that message's headers, `settings` what they go by; `server` (with `listen`) and `client` are the only files
//! that hold a socket.

mod addressee;
pub mod client;
pub mod command;
pub mod connection;
pub mod facts;
pub mod frame;
pub mod listen;
pub mod negotiate;
pub mod reply;
pub mod server;
pub mod session;
pub mod settings;
pub mod transaction;
pub mod wire;
