//! What became of messages, on its way from the mail path to the users who want to see it, and questions to it.
//!
//! | file | subject |
//! |---|---|
//! | `queue` | from the mail path, which never waits, to the thread that writes |
//! | `keeper` | that thread: batches, gaps, retention |
//! | `look` | "how many would this entry have matched", and when an entry last matched |
//! | `week` | the counts of a weekly digest |

mod keeper;
mod look;
mod queue;
mod week;

pub use keeper::{Keeper, Told};
pub use look::{Candidate, Looked, last_matches, look, senders};
pub use queue::{ACTIVITY_QUEUE, ActivityQueue, activity_of};
pub use week::{Week, week};
