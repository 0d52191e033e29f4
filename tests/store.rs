//! The store and the cache that follows it.

#[path = "store/common.rs"]
mod common;
#[path = "store/conformance.rs"]
mod conformance;
#[path = "store/file.rs"]
mod file;
#[path = "store/follower.rs"]
mod follower;
#[path = "store/lists.rs"]
mod lists;
#[path = "store/tampering.rs"]
mod tampering;
