//! The MTA's side as a load generator: `perso-milter bench`.
//!
//! It is lean, so that what it measures on the same machine is the milter: messages are drawn and encoded before a run,
//! sockets do not block, a thread serves all its connections, and nothing is allocated for a message. Yet every answer
//! is read and checked.
//!
//! | file | subject |
//! |---|---|
//! | `workload` | who writes to whom: the users that `bench seed` makes, and the messages drawn from them |
//! | `blocks` | what is written for a message, encoded before the run |
//! | `connection` | one connection's conversation; no socket |
//! | `fared` | how a message fared, and how it had to |
//! | `pace` | when a message is due |
//! | `socket` | the socket, not blocking |
//! | `load` | one thread: an event loop over its connections |
//! | `run` | a run: warm-up, threads, processor time on both sides |
//! | `report` | the outcome as a table and as JSON |
//! | `compare` | several milters in turn: ratios and their intervals |
//! | `html` | the same as a page |
//! | `process` | the milter's process, its processor time and memory |
//! | `seed` | fills a store with those users |
//! | `tally` | what is counted, how long each stage took |

pub mod blocks;
pub mod compare;
pub mod connection;
pub mod fared;
pub mod html;
pub mod load;
pub mod pace;
pub mod process;
pub mod report;
pub mod run;
pub mod seed;
pub mod socket;
pub mod tally;
pub mod workload;
