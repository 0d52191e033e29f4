//! The server with a plain conversation behind it, met over real sockets by the project's own MTA side and by peers that
//! keep to no protocol at all.

#[path = "protocol/bad_input.rs"]
mod bad_input;
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
#[path = "protocol/properties.rs"]
mod properties;
#[path = "protocol/stopping.rs"]
mod stopping;
