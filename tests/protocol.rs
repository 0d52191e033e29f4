//! The server, with a plain conversation behind it or with the daemon's own, met over real sockets by the project's own
//! MTA side and by peers that keep to no protocol at all.

#[path = "protocol/alone.rs"]
mod alone;
#[path = "protocol/bad_input.rs"]
mod bad_input;
#[path = "protocol/clock.rs"]
mod clock;
#[path = "protocol/conversations.rs"]
mod conversations;
#[path = "protocol/harness.rs"]
mod harness;
#[path = "protocol/limits.rs"]
mod limits;
#[path = "protocol/listening.rs"]
mod listening;
#[path = "protocol/memory.rs"]
mod memory;
#[path = "protocol/peers.rs"]
mod peers;
#[path = "protocol/people.rs"]
mod people;
#[path = "protocol/properties.rs"]
mod properties;
#[path = "protocol/sessions.rs"]
mod sessions;
#[path = "protocol/stopping.rs"]
mod stopping;
