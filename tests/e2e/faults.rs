//! What breaks, and that no mail is lost by it: while messages flow, something is killed, taken away or held up, and in
//! the end every copy is there and is its recipient's own.
//!
//! course.rs sends the messages that letters.rs makes up, through Postfix into sink.rs, and holds every copy against what
//! was to be; a test brings the fault. Each test writes its figures to standard error, where a passing test is seen.

mod course;
pub mod gate;
mod letters;
mod sink;

mod accept;
mod changes;
mod restarts;
mod slow_peers;
mod store;
mod ten_thousand;
mod without;
