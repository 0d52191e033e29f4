//! "Why?": what decided about one user's message, and what would have become of it otherwise.
//!
//! It is asked of a message of the past ([`Activity`]) or of pasted headers, which are decided as the milter would
//! ([`crate::explain`]) and so become one. Everything else is computed from the user's own lists as they are now.

use std::cell::RefCell;
use std::sync::Arc;

use jiff::Timestamp;

use crate::activity::{activity_of, senders};
use crate::directory::{Defaults, policy};
use crate::explain::{envelope_sender, explain};
use crate::mark::MarkKey;
use crate::milter::settings::{Decided, Directory, Happened, Settings};
use crate::policy::action::SplitMode;
use crate::policy::address::{Address, Domain};
use crate::policy::authres::{Authentication, Method};
use crate::policy::decide::{Identity, Known, Level, Lists, Match, Message, Reason, Verdict, decide};
use crate::policy::identity::Sender;
use crate::policy::list::{EntryValue, FingerprintKey, Globs, ListKind, Scope, UserLists, UserOptions};
use crate::policy::organisation::OrgPolicy;
use crate::policy::plan::{Direction, mailbox_candidates};
use crate::split::SplitKey;
use crate::store::{Activity, LoadedOrganisation, LoadedUser, User};

/// Most bytes of pasted headers that are read.
pub const MAX_HEADERS: usize = 128 * 1024;

/// What one user's messages are decided by: their own lists and their organisation's policy, and nobody else's.
pub struct OwnView {
    settings: Arc<Settings>,
    organisation: Arc<OrgPolicy>,
    forwarders: Vec<Domain>,
    lists: UserLists,
    globs: Option<Arc<Globs>>,
    addresses: Vec<Address>,
    now: Timestamp,
    happened: RefCell<Option<Activity>>,
}

/// Why a message was treated as it was.
#[derive(Debug, Clone)]
pub struct Why {
    /// The entry of the user's own that decided, if one did.
    pub entry: Option<OwnEntry>,
    /// What the same message would become with the lists as they are now.
    pub now: Verdict,
    /// What it would become without [`Self::entry`]; `None` where there is none, or it is a pattern.
    pub without: Option<Verdict>,
    /// What it would become if its senders were proven; `None` where that would change nothing.
    pub proven: Option<Verdict>,
}

/// An entry of a user's own list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnEntry {
    /// Which list.
    pub list: ListKind,
    /// What it says; `None` for a pattern.
    pub value: Option<EntryValue>,
}

impl OwnView {
    /// The view of a user.
    pub fn new(
        defaults: &Defaults,
        organisation: &LoadedOrganisation,
        user: &User,
        loaded: &LoadedUser,
        now: Timestamp,
    ) -> Self {
        // Nothing is signed here, and the organisation's own lists are nobody's secret.
        let key = FingerprintKey::from_bytes([0; 16]);
        let organisation = Arc::new(policy(defaults, &organisation.organisation, &organisation.own_lists, &key));
        let settings = defaults.settings(MarkKey::new(&[0; 32]), SplitKey::new(&[0; 32]));
        let mut settings = settings.with_organisations([Arc::clone(&organisation)]);
        settings.split = SplitMode::Off;
        // A message that was delivered has passed by relays of ours since it was verified.
        settings.authentication.hops = usize::MAX;
        let forwarders = settings.authentication.forwarders.clone();
        let options = UserOptions { activity: true, ..loaded.lists.options() };
        let patterns = loaded.globs.iter().map(|glob| (glob.list, glob.pattern.as_str()));
        let globs = if loaded.globs.is_empty() { None } else { Globs::build(patterns).ok().map(Arc::new) };
        Self {
            settings: Arc::new(settings),
            organisation,
            forwarders,
            lists: loaded.lists.with_options(options),
            globs,
            addresses: std::iter::once(&user.address).chain(&user.aliases).cloned().collect(),
            now,
            happened: RefCell::default(),
        }
    }

    /// The organisation's policy.
    pub fn organisation(&self) -> &OrgPolicy {
        &self.organisation
    }

    /// The domains whose rewriting of senders is believed.
    pub fn forwarders(&self) -> &[Domain] {
        &self.forwarders
    }

    /// What becomes of a message with these headers for the user; `None` where nothing in them names a sender. What a
    /// verifier wrote is believed wherever it stands.
    pub fn headers(&self, raw: &[u8]) -> Option<Activity> {
        let raw = &raw[..raw.len().min(MAX_HEADERS)];
        let recipient = self.addresses.first()?.as_str().to_owned();
        explain(self, Direction::Inbound, &envelope_sender(raw), &[recipient], raw);
        self.happened.take().filter(|activity| activity.sender().is_some())
    }

    /// Why a message was treated as it was.
    pub fn why(&self, activity: &Activity) -> Why {
        let (envelope, header) = senders(activity, &self.forwarders);
        let message = |proof| Message { envelope: envelope.as_ref(), header: header.as_ref(), proof };
        let decided = |lists: &UserLists, globs, proof| {
            decide(&self.organisation, Lists { compiled: lists, globs }, &message(proof))
        };
        let globs = self.globs.as_deref();
        let now = decided(&self.lists, globs, &activity.proof);
        let decisive = decisive(&activity.verdict.reason);
        let of_rule = |rule: &Match| sender_of(rule, envelope.as_ref(), header.as_ref());
        let value = |rule: &Match| of_rule(rule).and_then(|sender| entry(rule, sender));
        let without = decisive.as_ref().and_then(|rule| {
            let value = value(rule)?;
            let less = self.lists.without(rule.list, &[self.lists.key().of(&value).short()]);
            Some(decided(&less, globs, &activity.proof))
        });
        const PROVEN: Known =
            Known { envelope: Authentication::Passed(Method::Spf), header: Authentication::Passed(Method::Dmarc) };
        let proven = decided(&self.lists, globs, &PROVEN);
        Why {
            entry: decisive.map(|rule| OwnEntry { list: rule.list, value: value(&rule) }),
            now,
            without,
            proven: (proven.outcome != now.outcome).then_some(proven),
        }
    }

    /// The entry that a rule was, as far as it can be told from the message.
    pub fn entry(&self, rule: &Match, activity: &Activity) -> Option<EntryValue> {
        let (envelope, header) = senders(activity, &self.forwarders);
        entry(rule, sender_of(rule, envelope.as_ref(), header.as_ref())?)
    }
}

/// The entry of the user's own that decided, if one did.
fn decisive(reason: &Reason) -> Option<Match> {
    let own = |rule: &Match| rule.level == Level::User;
    let blocks = reason.sender.filter(|rule| rule.list == ListKind::Black);
    blocks.or(reason.personal).or(reason.sender).filter(own)
}

fn sender_of<'a>(rule: &Match, envelope: Option<&'a Sender>, header: Option<&'a Sender>) -> Option<&'a Sender> {
    match rule.identity {
        Identity::Envelope => envelope,
        Identity::Header => header,
        Identity::Recipient => None,
    }
}

/// What an entry says that matched this sender by this rule.
fn entry(rule: &Match, sender: &Sender) -> Option<EntryValue> {
    let is_it = |rank, scope| rank == rule.rank && scope == rule.scope;
    let candidate = sender.candidates().find(|one| is_it(one.rank, one.scope))?;
    let domain = || Domain::parse(candidate.text).ok();
    match candidate.scope {
        Scope::Address => Address::parse(candidate.text).ok().map(EntryValue::Address),
        Scope::Domain => domain().map(EntryValue::Domain),
        Scope::Subdomains => domain().map(EntryValue::Subdomains),
        Scope::Glob => None,
    }
}

impl Directory for OwnView {
    fn settings(&self) -> Arc<Settings> {
        self.settings.clone()
    }

    fn lists(&self, address: &Address) -> Option<UserLists> {
        let mut forms = mailbox_candidates(address.clone(), self.settings.delimiter);
        forms.any(|form| self.addresses.contains(&form)).then(|| self.lists.clone())
    }

    fn globs(&self, _: &UserLists) -> Option<Arc<Globs>> {
        self.globs.clone()
    }

    fn decided(&self, _: &Decided<'_>) {}

    fn happened(&self, to_each: &[Happened<'_>]) {
        *self.happened.borrow_mut() = to_each.last().map(|message| activity_of(self.now, message));
    }
}
