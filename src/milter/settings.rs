//! What a session goes by: the configuration in force, complete and immutable, and where it looks recipients up.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::mark::MarkKey;
use crate::network::Network;
use crate::policy::action::{OutboundAction, SplitMode};
use crate::policy::address::{Address, Domain};
use crate::policy::authres::AuthenticationPolicy;
use crate::policy::decide::{Known, Verdict};
use crate::policy::list::{Globs, UserLists};
use crate::policy::organisation::OrgPolicy;
use crate::policy::plan::{Direction, Effect, Plan};
use crate::split::SplitKey;

/// The part a listener plays on the mail's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Role {
    /// Faces the senders: may refuse.
    #[default]
    Edge,
    /// The second pass of a split message: one recipient, never a refusal.
    Split,
    /// Mail that programs on this host submit: never a refusal, which would leave it stuck.
    Local,
}

impl Role {
    const NAMES: [(Self, &'static str); 3] = [(Self::Edge, "edge"), (Self::Split, "split"), (Self::Local, "local")];
}

impl Role {
    /// Which pass the messages of such a listener are in.
    pub fn pass(self) -> Pass {
        match self {
            Self::Edge | Self::Local => Pass::First,
            Self::Split => Pass::Second,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize].1)
    }
}

/// Which time a message comes by. A split one comes twice: whole, then each copy alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Pass {
    /// From its sender.
    #[default]
    First,
    /// From our own MTA, a copy for one recipient.
    Second,
}

/// A name that is no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be one of edge, split, local")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let known = Self::NAMES.into_iter().find(|(_, name)| *name == text);
        known.map(|(role, _)| role).ok_or(UnknownRole)
    }
}

/// What one message may hold. Over a limit it is answered 451 (452 for a recipient), so that nothing is lost and an
/// operator who raises the limit lets it pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageLimits {
    /// Bytes of all header names and values.
    pub header_bytes: usize,
    /// Headers.
    pub headers: usize,
    /// Recipients.
    pub recipients: usize,
}

impl Default for MessageLimits {
    fn default() -> Self {
        Self { header_bytes: 1 << 20, headers: 1000, recipients: 1000 }
    }
}

/// The most copies of the settings, and of what is counted of messages, that there are: each thread of the server uses one, so
/// that those of a machine with so many cores never write to the same memory. Further threads share them.
pub const LANES: usize = 8;

/// The configuration of the milter and of every organisation.
#[derive(Debug)]
pub struct Settings {
    /// Which of the copies this is, below [`LANES`].
    pub lane: usize,
    /// By the organisation's number.
    pub organisations: BTreeMap<u32, Arc<OrgPolicy>>,
    /// How senders are proved.
    pub authentication: AuthenticationPolicy,
    /// What stands between a mailbox and its folder in a recipient's address.
    pub delimiter: Option<char>,
    /// Mail from here is outbound.
    pub ours: Vec<Network>,
    /// Never refused anything.
    pub trusted_relays: Vec<Network>,
    /// Values of `{daemon_name}` that carry our own users' mail.
    pub submission_daemons: Vec<String>,
    /// What one message may hold.
    pub limits: MessageLimits,
    /// Which messages the MTA splits.
    pub split: SplitMode,
    /// Signs marks.
    pub mark_key: MarkKey,
    /// Writes and reads the marker of a message that is split.
    pub split_key: SplitKey,
    spam_headers: Vec<String>,
    spam_lengths: Lengths,
    domains: HashSet<Domain>,
    marks_outbound: bool,
}

impl Settings {
    /// Settings without an organisation, which leave every message as it is.
    pub fn new(mark_key: MarkKey, split_key: SplitKey) -> Self {
        Self {
            lane: 0,
            organisations: BTreeMap::new(),
            authentication: AuthenticationPolicy::default(),
            delimiter: Some('+'),
            ours: Network::loopback(),
            trusted_relays: Vec::new(),
            submission_daemons: Vec::new(),
            limits: MessageLimits::default(),
            split: SplitMode::Off,
            mark_key,
            split_key,
            spam_headers: Vec::new(),
            spam_lengths: Lengths::NONE,
            domains: HashSet::new(),
            marks_outbound: false,
        }
    }

    /// Takes the organisations over, and notes whose domains are ours and which headers a white entry may have to take off.
    #[must_use]
    pub fn with_organisations(mut self, organisations: impl IntoIterator<Item = Arc<OrgPolicy>>) -> Self {
        self.organisations = organisations.into_iter().map(|policy| (policy.id, policy)).collect();
        let names = self.organisations.values().flat_map(|policy| &policy.white.spam_headers);
        self.spam_headers = names.map(|name| name.to_ascii_lowercase()).collect();
        self.spam_headers.sort_unstable();
        self.spam_headers.dedup();
        self.spam_lengths = self.spam_headers.iter().fold(Lengths::NONE, |lengths, name| lengths.with(name.len()));
        self.domains = self.organisations.values().flat_map(|policy| policy.domains.iter().cloned()).collect();
        self.marks_outbound = self.organisations.values().any(|policy| policy.personal.outbound != OutboundAction::Off);
        self
    }

    /// Whether a header of this name, in any case, is a spam mark to some organisation.
    pub fn is_spam_header(&self, name: &[u8]) -> bool {
        self.spam_lengths.contains(name.len())
            && self.spam_headers.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
    }

    /// The lengths of the names of spam marks.
    pub fn spam_lengths(&self) -> Lengths {
        self.spam_lengths
    }

    /// Whether some organisation marks what its users send.
    pub fn marks_outbound(&self) -> bool {
        self.marks_outbound
    }

    /// Whether mail to this domain is an organisation's.
    pub fn is_served(&self, domain: &Domain) -> bool {
        self.domains.contains(domain)
    }

    /// Whether an address is one of ours.
    pub fn is_ours(&self, address: IpAddr) -> bool {
        self.ours.iter().any(|network| network.contains(address))
    }

    /// Whether an address is a relay that is never refused anything.
    pub fn is_trusted_relay(&self, address: IpAddr) -> bool {
        self.trusted_relays.iter().any(|network| network.contains(address))
    }
}

/// Lengths that names have, in bytes; all from 63 on are taken for one. Every header of every message is asked about, and
/// this answers before any letter is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths(u64);

impl Lengths {
    /// No length.
    pub const NONE: Self = Self(0);

    /// One more.
    #[must_use]
    pub const fn with(self, length: usize) -> Self {
        Self(self.0 | Self::bit(length))
    }

    /// Whether it is among them.
    #[inline]
    pub const fn contains(self, length: usize) -> bool {
        self.0 & Self::bit(length) != 0
    }

    const fn bit(length: usize) -> u64 {
        1 << if length < 63 { length } else { 63 }
    }
}

/// Where a session takes its settings and lists from. None of it may wait or lock.
pub trait Directory {
    /// The settings in force now. Taken once a message, at MAIL.
    fn settings(&self) -> Arc<Settings>;

    /// The same, in the copy of one of the server's threads: who counts references to it counts them on that thread alone.
    fn settings_for(&self, _thread: usize) -> Arc<Settings> {
        self.settings()
    }

    /// The lists of the user with this address. Taken once a recipient, at RCPT.
    fn lists(&self, address: &Address) -> Option<UserLists>;

    /// The organisation in which this address is known to reach more than one mailbox; `None` for every other address.
    /// Asked before [`Self::lists`]: a shared address may be a user's own.
    fn shared_in(&self, _address: &Address) -> Option<u32> {
        None
    }

    /// Whether this address is known to reach more than one mailbox.
    fn is_shared(&self, address: &Address) -> bool {
        self.shared_in(address).is_some()
    }

    /// The glob patterns of a user whose lists say there are some.
    fn globs(&self, lists: &UserLists) -> Option<Arc<Globs>>;

    /// Whether some user chose to have blocked senders refused, whatever their organisation does.
    fn some_user_rejects(&self) -> bool {
        false
    }

    /// A message was decided and answered. For totals and explanations; what is told here must reach no log.
    fn decided(&self, message: &Decided<'_>);

    /// How long the answer to a message's end took, from its last bytes on, and on which lane. Told of some messages, never of
    /// the copies of a split one.
    fn took(&self, _lane: usize, _time: Duration) {}

    /// A message for users who want to see that later ([`UserLists::keeps_activity`]) came to its end: what became of it for
    /// each of them, in the pass that decides about the copy. It is for that user alone.
    fn happened(&self, _: &[Happened<'_>]) {}
}

/// What became of one message for a user who wants to see it later.
#[derive(Clone, Copy)]
pub struct Happened<'a> {
    /// The user.
    pub user: u64,
    /// Which way the message went.
    pub direction: Direction,
    /// The envelope sender, where there is a clean one.
    pub envelope: Option<&'a Address>,
    /// The header sender, where there is exactly one; unknown where the recipient was refused at RCPT.
    pub header: Option<&'a Address>,
    /// What vouches for them.
    pub proof: Known,
    /// What the user's lists asked for, and why; nothing of the sender's own list.
    pub verdict: Verdict,
    /// What came of it.
    pub effect: &'a Effect,
}

/// What became of one message.
pub struct Decided<'a> {
    /// The copy of the settings that it was decided by ([`Settings::lane`]).
    pub lane: usize,
    /// Which way it went.
    pub direction: Direction,
    /// Whether it is the message itself, or a copy of one that was split.
    pub pass: Pass,
    /// The organisation of the sender, where they are a user whose personal list was asked.
    pub sender: Option<u32>,
    /// Every recipient who is one of our users or was refused, and all others.
    pub recipients: &'a [DecidedRecipient<'a>],
    /// The edits; empty where all recipients were refused.
    pub plan: &'a Plan,
}

/// What became of one recipient.
pub struct DecidedRecipient<'a> {
    /// The path of RCPT as received.
    pub path: &'a [u8],
    /// The organisation of the user or of the shared address, where it is one.
    pub organisation: Option<u32>,
    /// The number of the user; 0 where it is none.
    pub user: u64,
    /// What their lists asked for, and why.
    pub verdict: Verdict,
    /// Index into the plan's effects; `None` for a recipient refused at RCPT.
    pub effect: Option<usize>,
}
