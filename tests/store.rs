//! The store and the cache that follows it.

#[macro_use]
#[path = "store/common.rs"]
mod common;

#[path = "store/accounts.rs"]
mod accounts;
#[path = "store/activity.rs"]
mod activity;
#[path = "store/conformance.rs"]
mod conformance;
#[path = "store/file.rs"]
mod file;
#[path = "store/follower.rs"]
mod follower;
#[path = "store/lists.rs"]
mod lists;
#[path = "store/staff.rs"]
mod staff;
#[path = "store/tampering.rs"]
mod tampering;
