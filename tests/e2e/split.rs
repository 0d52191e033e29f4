//! The split: Postfix's own queue makes one copy for each recipient, and the second pass edits each alone. Each scenario
//! has a Postfix of its own, set up with the very lines that `postfix-config` prints for it.

#[path = "split/copies.rs"]
mod copies;
#[path = "split/inherited.rs"]
mod inherited;
#[path = "split/neighbours.rs"]
mod neighbours;
#[path = "split/other_milter.rs"]
mod other_milter;
#[path = "split/road.rs"]
pub mod road;
#[path = "split/waiting.rs"]
mod waiting;
