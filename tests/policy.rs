//! What each recipient gets, and why: the policy through the milter's own session, without a socket.

#[path = "policy/activity.rs"]
mod activity;
#[path = "policy/conversations.rs"]
mod conversations;
#[path = "policy/edges.rs"]
mod edges;
#[path = "policy/fixtures.rs"]
mod fixtures;
#[path = "policy/folders.rs"]
mod folders;
#[path = "policy/independence.rs"]
mod independence;
#[path = "policy/letters.rs"]
mod letters;
#[path = "policy/model.rs"]
mod model;
#[path = "policy/outbound.rs"]
mod outbound;
#[path = "policy/reference.rs"]
mod reference;
#[path = "policy/shared.rs"]
mod shared;
#[path = "policy/split.rs"]
mod split;
#[path = "policy/tag.rs"]
mod tag;
#[path = "policy/world.rs"]
mod world;
