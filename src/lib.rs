//! perso-milter: each recipient's own lists, applied to the mail that crosses a relay.
//!
//! Postfix (or Sendmail) calls the daemon over a milter socket for every message. For each recipient the daemon looks up
//! that person's three lists, decides, and answers with edits. The lists live in a store that the web console and the command
//! line change; a change governs the next message.
//!
//! # The way of a message
//!
//! ```text
//! Postfix ──socket──> milter::server        one current-thread runtime a core, one task a connection
//!                         │ bytes
//!                     milter::frame         cuts frames in place        milter::wire: every constant, once
//!                     milter::command       what a frame says           milter::negotiate: what both sides go by
//!                     milter::session       may it come now? (Phase)    pure: no socket, no clock, no lock
//!                         │
//!                     milter::transaction   one message: settings held from MAIL, lists from each RCPT
//!                     milter::facts         its headers, reduced to what decides
//!                         │
//!                     policy::decide        (organisation, lists, senders) -> Verdict with its Reason, per recipient
//!                     policy::plan          verdicts -> edits of the message and of each recipient
//!                         │
//!                     milter::reply         edits and the final answer, one write
//! ```
//!
//! Where Postfix splits (`[split]`), the first plan of a message that needs edits is one header, [`split`]'s marker. Postfix
//! makes a copy for each recipient and calls us again for each, at a listener with the role `split`: the same way once
//! more, with one recipient, and edits that nobody else sees.
//!
//! # Where a thing lives
//!
//! | module | subject | may use |
//! |---|---|---|
//! | [`policy`] | addresses, lists, authentication results, verdicts, plans, the Subject | nothing of ours |
//! | [`mark`] | the signed header `X-Perso` | – |
//! | [`network`] | networks in CIDR notation | – |
//! | [`split`] | the marker `X-Perso-Split`, from the first pass to the second | `policy` |
//! | [`milter`] | the protocol, both sides of it, and the session | `policy`, `mark`, `network`, `split` |
//! | [`spreadsheet`] | texts that are no formulas | – |
//! | [`store`] | organisations, users, entries, journal; SQLite behind one trait | `policy`, `network` |
//! | [`cache`] | everybody's lists in memory, and the thread that keeps them as the store has them | `store`, `policy` |
//! | [`config`] | one struct, one default, one load, every problem with its line | `policy`, `language`, `network`, plain types of `milter` |
//! | [`activity`] | what became of messages, on its way to the users who want to see it; questions to it | `milter`, `policy`, `store` |
//! | [`directory`] | what sessions look up: the cache, and the settings in force | all above but `config` |
//! | [`metrics`] | totals per organisation and day | `milter`, `policy`, `store` |
//! | [`pulse`] | what a relay tells of itself into the store | `directory`, `cache`, `metrics`, `store` |
//! | [`language`] | French and English | – |
//! | [`explain`] | a verdict in words | `milter`, `split`, `policy`, `language` |
//! | [`why`] | what decided about one user's message, and what would have become of it otherwise | `explain`, `activity`, `directory`, `store`, `policy` |
//! | [`bench`](mod@bench) | the MTA's side as a load generator, and the store it is measured on | the MTA's side of `milter`, `store`, `policy` |
//! | [`conflict`] | settings of an organisation that do not go together | `directory`, `policy`, `store` |
//! | [`console`] | the pages in which people run their own lists | `store`, `activity`, `why`, `directory`, `conflict`, `explain`, `metrics`, `policy`, `language`, `network` |
//! | [`app`] | the daemon, wired in start-up order | all above |
//! | [`cli`] | one file a subcommand | all above |
//!
//! The arrows go down only; `tests/layout.rs` reads the `use` lines and fails on one that goes up.
//!
//! # What must stay true
//!
//! 1. **One recipient, one decision.** A verdict is computed from the message and that recipient's lists alone. Recipient
//!    edits follow it; a header edit, which all recipients see, is made where there is one recipient left, or where all who
//!    stay need the same one, and is left out otherwise.
//! 2. **Nothing lost.** Over a limit or after a fault of ours the answer is a temporary failure. Added recipients are sent
//!    before deleted ones, in one write; an address that is to be added is never deleted (the planner's law,
//!    [`policy::plan`]).
//! 3. **Nobody else sees a user's lists.** Entries are matched by fingerprints under a key of that user and sealed to the
//!    user's public key; no log line, answer, counter or command depends on them, but for the refusal a user chose. Types
//!    that hold an address or a key have a `Debug` that hides it.
//! 4. **The mail path waits for nothing.** Sessions read immutable values without a lock; a store that is away leaves the
//!    last good lists serving.
//! 5. **Bounded.** Every buffer and count has a named limit with a defined answer ([`config`], `[milter.limits]`).
//!
//! # Decisions worth knowing before a change
//!
//! - **The body is never asked for**, nor HELO, DATA or the end of headers: connect, MAIL, RCPT, headers and the end of
//!   message are all that decides. RCPT waits for an answer only where some organisation refuses there.
//! - **Header values keep their leading blank** (`SMFIP_HDR_LEADSPC`) where the MTA offers it, so that a Subject keeps its
//!   bytes behind the tag.
//! - **Shared addresses are asked for before the lists.** At RCPT an alias is not expanded yet, so what reaches several
//!   mailboxes is known only where an operator said so ([`cli::import`]); then nobody's list is looked at. The most specific
//!   form of an address that is known decides, as the MTA looks it up.
//! - **RCPT refuses only what no header could save**: a blocked envelope sender whose recipient has no white entry that is
//!   specific enough to win by the header sender. Everything else waits for the headers ([`policy::decide`]).
//! - **All discarded is not "discard"**: recipients are deleted one by one, since copies that Postfix adds itself
//!   (`always_bcc`) are somebody else's.
//! - **The From header is read by a strict scanner of ours** ([`policy::identity`]): general parsers repair what must be
//!   refused, and a repaired From would match somebody's list.
//! - **A folder is proven before it is used**: a probe message is found in it and confirmed ([`cli::probe`]), for one
//!   organisation, delimiter and name. Without that proof a copy stays where it is addressed to, whatever asks for the
//!   folder ([`policy::organisation::Proof`]): a detail that the mail store does not know bounces, or hides the message.
//! - **The role `split` never refuses and never lets a marker through**: over a limit it answers 451, since a copy that passed
//!   unedited would show the marker. Whose copy it is says RCPT, unless ORCPT names somebody else of ours; what a sender wrote
//!   there is noted by the first pass and set aside by the second.
//! - **Who sends is settled by the first pass**, which sees the login (SASL): the marker names the user whose list is asked.
//! - **No log line of the second pass** tells of a copy: it would say which messages were split, and so whose list has the sender.
//! - **Sockets are watched for reading alone**: a unix socket that is watched for room to write wakes its thread once more for
//!   every answer that the MTA takes. An answer that finds no room has a second descriptor watched until it is out.
//! - **The milter's runtimes keep no time**: alarms are the kernel's timers (`milter::server`), since a runtime with timers looks
//!   at the clock around each wait. Nothing of `tokio::time` works there. What is noted of a message goes by a clock of some
//!   milliseconds ([`store::coarse_clock`]).
//! - **What a verifier wrote is understood late**: only a message that matches an entry asks for proof
//!   ([`policy::decide::Proof`]).
//! - **Who wants to see what became of their messages is told by the pass that decides about the copy**, and by nobody else: a
//!   refusal at RCPT at once, a copy that is yet to be split by its second pass. The row goes to a bounded queue ([`activity`]);
//!   it is sealed with a key that is stepped on, so that a relay never reads back what it wrote.
//! - **A few connections stay on few threads** ([`milter::server`]): waking a second thread costs more than a few can win by it.
//! - **Threads write to nothing in common for each message**: settings, and the counts of references to them, are kept in one
//!   copy for each thread ([`milter::settings::LANES`]), and so are [`metrics`].
//! - **The log has a thread and a bounded queue** of its own: a line that finds no room is lost and counted.
//! - **The console has a runtime of its own**, and its handlers call the store on threads that may block: nothing of it runs on
//!   the threads that serve mail ([`console::server`]).
//! - **A session's data opens with the cookie alone**: the store keeps a hash of the id, and the data sealed under a key derived
//!   from it. So a user's key can lie there while nothing at rest opens it ([`store::SessionKey`]).
//! - **A form must say from where it comes** (`Sec-Fetch-Site` or `Origin`); one that says nothing is refused.
//! - **Settings are built whole and swapped** ([`directory`]); a message keeps those of its MAIL to its end.
//!
//! Comments that name MILTER.md cite the project's notes on how Postfix (3.7.11) and Sendmail (8.17.1, both seen live)
//! behave on the wire, by heading; what matters of them stands in the comment.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod activity;
pub mod app;
pub mod bench;
pub mod cache;
pub mod cli;
pub mod config;
pub mod conflict;
pub mod console;
pub mod directory;
pub mod explain;
pub mod language;
pub mod mark;
pub mod metrics;
pub mod milter;
pub mod network;
pub mod policy;
pub mod pulse;
pub mod split;
pub mod spreadsheet;
pub mod store;
pub mod why;
