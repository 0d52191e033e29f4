//! The minimal milter: how fast a milter can be on this machine, as a reference for the performance table (benches/peers/run).
//!
//! It does what every tagging milter must and nothing else: an epoll of its own for each thread, frames parsed in place in
//! the read buffer, one look-up a message, one write an answer. There are no lists of recipients, no authentication, no
//! limits, no timeouts and no log. A message from a listed sender gets `[PERSO] ` before its Subject; with
//! `--rcpt-replies`, one from a blocked sender is refused at RCPT.
//!
//! It asks for no more than it reads: connect, MAIL, RCPT, headers and the end of message, without macros, and answers the
//! last one only (RCPT too, with `--rcpt-replies`). An MTA that does not offer all of this is not served.

pub mod conversation;
pub mod server;
pub mod socket;

use std::fs;
use std::io;
use std::num::NonZero;
use std::path::PathBuf;

use clap::Parser;
use perso_milter::milter::listen::ListenAddress;

use conversation::{Milter, RecipientReplies};
use socket::Listener;

/// How many senders `perso-milter bench` draws from, of either kind.
const POOL: u32 = 10_000;

/// The minimal milter: marks the limit that other milters are compared with.
#[derive(Parser)]
struct Options {
    /// Where to listen: inet:PORT@HOST, inet6:PORT@HOST or unix:/PATH
    address: ListenAddress,
    /// How many threads serve, each with an epoll of its own
    #[arg(long, default_value = "1")]
    threads: NonZero<usize>,
    /// Answers RCPT as well, and refuses blocked senders there
    #[arg(long)]
    rcpt_replies: bool,
    /// The personal senders, one address a line, instead of those of `perso-milter bench`
    #[arg(long, value_name = "FILE")]
    senders: Option<PathBuf>,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let personal = match options.senders {
        Some(file) => fs::read_to_string(file)?.lines().map(str::to_lowercase).collect(),
        None => pool("contact", "friends.example"),
    };
    let recipients = if options.rcpt_replies { RecipientReplies::Sent } else { RecipientReplies::Spared };
    let milter = Milter::new(personal, pool("spam", "junk.example"), recipients);
    let listener = Listener::bind(&options.address)?;
    println!("ready");
    server::serve(listener, milter, options.threads)
}

/// The senders of `perso-milter bench`.
pub fn pool(name: &str, domain: &str) -> Vec<String> {
    (0..POOL).map(|number| format!("{name}{number}@{domain}")).collect()
}
