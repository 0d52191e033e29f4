//! End to end: a real Postfix, or a real Sendmail, hands messages to the built `perso-milter`, a real Dovecot receives
//! them, and the tests read what a person would see, the SMTP replies and the bytes in the mailbox.
//!
//! Needs root, since Debian's Postfix does, the packages postfix, dovecot-imapd, dovecot-lmtpd, dovecot-sieve and m4, and Sendmail, unpacked;
//! `tests/run` sees to them. Nothing of the machine's own mail system is touched: configuration, queue, mailboxes and logs
//! live in scratch directories under /tmp and /run, ports are on loopback and reserved first, and every process is stopped
//! by its own id.
//!
//! ```text
//! smtp.rs ──> Postfix (postfix.rs)   ──milter──> perso-milter (milter.rs)
//!             Sendmail (sendmail.rs)
//!                 │ LMTP
//!                 ▼
//!             Dovecot (dovecot.rs) ──IMAP──> mailbox.rs
//! ```
//!
//! scratch.rs holds directories, ports and processes; site.rs the one Postfix and Dovecot that the tests share;
//! relay.rs what a test starts from: a daemon with its own configuration, store and mail domain. The scenarios come
//! after them in the list below. split/road.rs is a relay with a split, and faults/course.rs what runs through it while
//! something breaks.
//!
//! `PERSO_E2E_KEEP=1` leaves the scratch directories in place.

mod dovecot;
mod mailbox;
mod message;
mod milter;
mod postfix;
mod relay;
mod scratch;
mod sendmail;
mod site;
mod smtp;

mod activity;
mod authentication;
mod behind_sendmail;
mod black;
mod changes;
mod console;
mod faults;
mod fixtures;
mod folder;
mod forged;
mod local;
mod mark;
mod mixed;
mod plain;
mod probe;
mod shared;
mod sieve;
mod split;
mod tag;
mod white;
