//! From a message and one recipient's lists to that recipient's verdict.
//!
//! Levels, first to last: the organisation's enforced white list, its enforced black list, the user's lists, the
//! organisation's default lists. The first level with a match decides whether the sender is blocked. Inside the user's
//! level, as inside the defaults, the more specific entry wins and white beats black at equal specificity. What is not
//! blocked and stands on the user's personal list is personal.

use super::action::{BlackAction, OutboundAction, PersonalActions};
use super::address::Address;
use super::authres::Authentication;
use super::identity::{Candidate, GLOB_RANK, Sender};
use super::list::{Globs, ListKind, Scope, UserLists};
use super::organisation::OrgPolicy;

/// Which of a message's addresses an entry matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Identity {
    /// The address of MAIL FROM.
    Envelope,
    /// The address of the From header.
    Header,
    /// The recipient's address, on the list of the sender.
    Recipient,
}

/// Whose list an entry stands on, in order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// The organisation's, above its users'.
    Enforced,
    /// The recipient's own.
    User,
    /// The organisation's, for recipients who say nothing else.
    Default,
}

/// An entry that matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// Whose list.
    pub level: Level,
    /// Which list.
    pub list: ListKind,
    /// What the entry applies to.
    pub scope: Scope,
    /// The smaller, the more specific.
    pub rank: u8,
    /// Which address it matched.
    pub identity: Identity,
    /// What vouches for it.
    pub authentication: Authentication,
}

/// Why an entry that matched did not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Because {
    /// Nothing proves that the message is from that sender.
    Unauthenticated,
    /// A more specific entry, or white at equal specificity.
    MoreSpecific,
    /// A list of a higher level.
    HigherLevel,
    /// Blocked beats personal.
    Blocked,
    /// A sender whom no user may block.
    ProtectedSender,
}

/// An entry that matched and did not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overridden {
    /// The entry.
    pub rule: Match,
    /// Why it did not count.
    pub because: Because,
}

/// How a recipient was addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Addressed {
    /// By an address that reaches one mailbox, or that nothing is known of.
    #[default]
    Personally,
    /// By an address that reaches others too: a group's, or a person's own whose mail somebody else gets as well.
    Shared,
    /// By somebody else's address, from which the MTA led the copy here.
    ByAnother,
}

/// Why a recipient receives what they receive. `explain`, the console and the tests read this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reason {
    /// The white or black entry that decided.
    pub sender: Option<Match>,
    /// The personal entry that made the message personal.
    pub personal: Option<Match>,
    /// The white or black entry that would have decided otherwise.
    pub overridden_sender: Option<Overridden>,
    /// The personal entry that would have made the message personal.
    pub overridden_personal: Option<Overridden>,
    /// The entry of the sender, one of our users, that holds this recipient as personal.
    pub outbound: Option<Match>,
    /// The recipient's lists are paused.
    pub paused: bool,
    /// Whether the address is the recipient's alone; nobody's list decides what comes by another.
    pub addressed: Addressed,
}

/// What the recipient's lists ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Delivered.
    Deliver {
        /// What marks it as personal; [`PersonalActions::NONE`] where it is not.
        personal: PersonalActions,
        /// An earlier filter's spam marks are taken off.
        clear_spam: bool,
    },
    /// The sender is unwanted.
    Blocked(BlackAction),
}

impl Outcome {
    /// Delivered as it is.
    pub const UNTOUCHED: Self = Self::Deliver { personal: PersonalActions::NONE, clear_spam: false };
}

/// One recipient's verdict with its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// What is asked for.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
}

impl Verdict {
    /// Of a recipient without lists.
    pub const UNTOUCHED: Self = Self {
        outcome: Outcome::UNTOUCHED,
        reason: Reason {
            sender: None,
            personal: None,
            overridden_sender: None,
            overridden_personal: None,
            outbound: None,
            paused: false,
            addressed: Addressed::Personally,
        },
    };

    /// Of whatever comes to a shared address.
    pub const SHARED: Self =
        Self { reason: Reason { addressed: Addressed::Shared, ..Self::UNTOUCHED.reason }, ..Self::UNTOUCHED };

    /// Of a copy that was first addressed to somebody else.
    pub const BY_ANOTHER: Self =
        Self { reason: Reason { addressed: Addressed::ByAnother, ..Self::UNTOUCHED.reason }, ..Self::UNTOUCHED };
}

/// What vouches for the senders of a message. Asked where an entry matches, which is seldom.
pub trait Proof {
    /// What vouches for the sender of this identity.
    fn of(&self, identity: Identity) -> Authentication;
}

/// Proof that is known beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// What vouches for the envelope sender.
    pub envelope: Authentication,
    /// What vouches for the header sender.
    pub header: Authentication,
}

impl Proof for Known {
    fn of(&self, identity: Identity) -> Authentication {
        match identity {
            Identity::Envelope => self.envelope,
            Identity::Header | Identity::Recipient => self.header,
        }
    }
}

/// The senders of a message and what vouches for each.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// The envelope sender; `None` for the null sender and for what is no clean address.
    pub envelope: Option<&'a Sender>,
    /// The header sender, where there is exactly one.
    pub header: Option<&'a Sender>,
    /// What vouches for them.
    pub proof: &'a dyn Proof,
}

/// The lists of one user beside their glob patterns.
#[derive(Debug, Clone, Copy)]
pub struct Lists<'a> {
    /// Addresses and domains.
    pub compiled: &'a UserLists,
    /// Patterns, where the organisation allows them and the user has some.
    pub globs: Option<&'a Globs>,
}

/// The verdict for one recipient once the headers are known.
pub fn decide(organisation: &OrgPolicy, lists: Lists<'_>, message: &Message<'_>) -> Verdict {
    let options = lists.compiled.options();
    if options.paused {
        return Verdict { reason: Reason { paused: true, ..Reason::default() }, ..Verdict::UNTOUCHED };
    }
    let enforced = search(organisation, organisation.enforced.lists(), Level::Enforced, message);
    let user = search(organisation, lists, Level::User, message);
    let defaults = search(organisation, organisation.defaults.lists(), Level::Default, message);
    let protected = user.protected.or(defaults.protected);
    let mut reason = Reason {
        overridden_sender: protected.map(|rule| Overridden { rule, because: Because::ProtectedSender }),
        ..Reason::default()
    };
    settle_sender(&enforced, &user, &defaults, &mut reason);
    if !options.functional {
        settle_personal(&user, &mut reason);
    }
    let black = reason.sender.is_some_and(|m| m.list == ListKind::Black);
    let outcome = if black {
        Outcome::Blocked(options.black_action.unwrap_or(organisation.black.action))
    } else {
        let actions = organisation.personal.actions_for(options.personal_actions);
        Outcome::Deliver {
            personal: reason.personal.map_or(PersonalActions::NONE, |_| actions),
            clear_spam: reason.sender.is_some(),
        }
    };
    Verdict { outcome, reason }
}

/// The verdict that is certain at RCPT already: the envelope sender is black, to be rejected, and no white entry could
/// still win by the header sender. `None` where the decision waits for the headers.
pub fn decide_at_rcpt(organisation: &OrgPolicy, lists: Lists<'_>, envelope: &Sender) -> Option<Verdict> {
    let options = lists.compiled.options();
    let action = options.black_action.unwrap_or(organisation.black.action);
    if options.paused || action != BlackAction::Reject {
        return None;
    }
    let message = Message {
        envelope: Some(envelope),
        // Only the black list is read here, and it asks for no proof.
        header: None,
        proof: &Known { envelope: Authentication::Missing, header: Authentication::Missing },
    };
    let levels = [
        (organisation.enforced.lists(), Level::Enforced),
        (lists, Level::User),
        (organisation.defaults.lists(), Level::Default),
    ];
    for (lists, level) in levels {
        if let Some(rule) = search(organisation, lists, level, &message).get(ListKind::Black) {
            if white_could_win(lists.compiled, &rule) {
                return None;
            }
            let reason = Reason { sender: Some(rule), ..Reason::default() };
            return Some(Verdict { outcome: Outcome::Blocked(action), reason });
        }
        if has_any_white(lists.compiled) {
            return None;
        }
    }
    None
}

/// The entry by which a sender of our own holds a recipient as personal, where their organisation marks what they send.
pub fn decide_outbound(organisation: &OrgPolicy, lists: Lists<'_>, recipient: &Address) -> Option<Match> {
    let options = lists.compiled.options();
    if organisation.personal.outbound == OutboundAction::Off || options.paused || options.functional {
        return None;
    }
    let correspondent = Sender::header(recipient.clone());
    let message = Message {
        envelope: None,
        header: Some(&correspondent),
        proof: &Known { envelope: Authentication::Missing, header: Authentication::NotRequired },
    };
    let rule = search(organisation, lists, Level::User, &message).get(ListKind::Personal)?;
    Some(Match { identity: Identity::Recipient, ..rule })
}

/// The entry of one list of a user that counts for a message, whatever any other list says of it.
pub fn matching(organisation: &OrgPolicy, lists: Lists<'_>, list: ListKind, message: &Message<'_>) -> Option<Match> {
    search(organisation, lists, Level::User, message).get(list)
}

fn has_any_white(lists: &UserLists) -> bool {
    [Scope::Address, Scope::Domain, Scope::Subdomains, Scope::Glob].into_iter().any(|scope| lists.has_white(scope))
}

/// Whether this level's white list holds an entry at least as specific as the black one; an enforced white entry wins
/// over any enforced black one.
fn white_could_win(lists: &UserLists, black: &Match) -> bool {
    let specific_enough = |scope: &Scope| black.level == Level::Enforced || *scope <= black.scope;
    [Scope::Address, Scope::Domain, Scope::Subdomains, Scope::Glob]
        .into_iter()
        .filter(specific_enough)
        .any(|scope| lists.has_white(scope))
}

/// The best match of each list of one level. What does not count stands apart, so that it hides nothing that does: white
/// and personal entries for a sender whom nothing vouches for, black ones for a protected sender.
#[derive(Default)]
struct Found {
    counting: [Option<Match>; 3],
    unproven: [Option<Match>; 3],
    protected: Option<Match>,
}

impl Found {
    fn note(&mut self, organisation: &OrgPolicy, found: Match, sender: &Address) {
        let may_block = || found.level == Level::Enforced || !organisation.is_protected(sender);
        let best = match found.list {
            ListKind::Black if may_block() => &mut self.counting[ListKind::Black as usize],
            ListKind::Black => &mut self.protected,
            list if found.authentication.counts() => &mut self.counting[list as usize],
            list => &mut self.unproven[list as usize],
        };
        if best.is_none_or(|known| found.rank < known.rank) {
            *best = Some(found);
        }
    }

    fn get(&self, list: ListKind) -> Option<Match> {
        self.counting[list as usize]
    }
}

fn search(organisation: &OrgPolicy, lists: Lists<'_>, level: Level, message: &Message<'_>) -> Found {
    let mut found = Found::default();
    if lists.compiled.is_empty() {
        return found;
    }
    // In most mail both are one address, which is then looked up once.
    let same = message.envelope.is_some() && message.envelope == message.header;
    let senders: [(&[Identity], Option<&Sender>); 2] = if same {
        [(&[Identity::Envelope, Identity::Header], message.envelope), (&[], None)]
    } else {
        [(&[Identity::Envelope], message.envelope), (&[Identity::Header], message.header)]
    };
    let (key, runs) = (lists.compiled.key(), lists.compiled.runs());
    for (identities, sender) in senders {
        let Some(sender) = sender else { continue };
        let mut note = |list, scope, rank, address: &Address| {
            for &identity in identities {
                let authentication = message.proof.of(identity);
                found.note(organisation, Match { level, list, scope, rank, identity, authentication }, address);
            }
        };
        // For each, since a loop would ask the parts that they come from one after the other for the next one.
        sender.candidates().for_each(|Candidate { scope, text, address, rank, black_only }| {
            let short = key.fingerprint(scope, text).short();
            for list in ListKind::ALL {
                let is_there = || runs[list as usize].binary_search(&short).is_ok();
                if (list == ListKind::Black || !black_only) && is_there() {
                    note(list, scope, rank, address);
                }
            }
        });
        if let Some(globs) = lists.globs {
            for (address, black_only) in sender.whole_addresses() {
                for list in ListKind::ALL {
                    if (list == ListKind::Black || !black_only) && globs.matches(list, address.as_str()) {
                        note(list, Scope::Glob, GLOB_RANK, address);
                    }
                }
            }
        }
    }
    found
}

/// Which of white and black decides, level by level; what stood against it is kept as overridden.
fn settle_sender(enforced: &Found, user: &Found, defaults: &Found, reason: &mut Reason) {
    let order =
        [enforced.get(ListKind::White).or(enforced.get(ListKind::Black)), more_specific(user), more_specific(defaults)];
    let mut decided = order.into_iter().flatten();
    reason.sender = decided.next();
    let Some(winner) = reason.sender else {
        let unproven =
            [enforced, user, defaults].into_iter().find_map(|found| found.unproven[ListKind::White as usize]);
        let unproven = unproven.map(|rule| Overridden { rule, because: Because::Unauthenticated });
        reason.overridden_sender = unproven.or(reason.overridden_sender);
        return;
    };
    let opposite = if winner.list == ListKind::White { ListKind::Black } else { ListKind::White };
    let levels = [(enforced, Level::Enforced), (user, Level::User), (defaults, Level::Default)];
    for (found, level) in levels {
        let because = if level == winner.level { Because::MoreSpecific } else { Because::HigherLevel };
        if let Some(rule) = found.get(opposite) {
            reason.overridden_sender = Some(Overridden { rule, because });
            return;
        }
        if opposite == ListKind::White
            && let Some(rule) = found.unproven[ListKind::White as usize]
        {
            reason.overridden_sender = Some(Overridden { rule, because: Because::Unauthenticated });
            return;
        }
    }
}

/// White at equal specificity beats black.
fn more_specific(found: &Found) -> Option<Match> {
    match (found.get(ListKind::White), found.get(ListKind::Black)) {
        (Some(white), Some(black)) if black.rank < white.rank => Some(black),
        (white, black) => white.or(black),
    }
}

fn settle_personal(user: &Found, reason: &mut Reason) {
    let blocked = reason.sender.is_some_and(|m| m.list == ListKind::Black);
    match user.get(ListKind::Personal) {
        Some(rule) if blocked => {
            reason.overridden_personal = Some(Overridden { rule, because: Because::Blocked });
        }
        Some(rule) => reason.personal = Some(rule),
        None => {
            reason.overridden_personal = user.unproven[ListKind::Personal as usize]
                .map(|rule| Overridden { rule, because: Because::Unauthenticated });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::address::Domain;
    use super::super::authres::Method;
    use super::super::fixture::{organisation, user};
    use super::super::list::EntryValue;
    use super::super::organisation::OrgLists;
    use super::*;
    use crate::policy::list::{FingerprintKey, UserOptions};

    const PASSED: Authentication = Authentication::Passed(Method::Dmarc);

    fn sender(path: &str) -> Sender {
        Sender::envelope(Address::parse(path).expect(path), &[Domain::parse("fwd.example").expect("valid")])
    }

    /// The verdict on a message from `from`, by header and envelope alike.
    fn verdict_on(organisation: &OrgPolicy, lists: &UserLists, from: &str, authentication: Authentication) -> Verdict {
        let sender = sender(from);
        let message = Message {
            envelope: Some(&sender),
            header: Some(&sender),
            proof: &Known { envelope: authentication, header: authentication },
        };
        decide(organisation, Lists { compiled: lists, globs: None }, &message)
    }

    fn summary(verdict: &Verdict) -> String {
        let outcome = match verdict.outcome {
            Outcome::Blocked(action) => format!("blocked:{action}"),
            Outcome::Deliver { personal, clear_spam } => {
                format!("{}{}", personal, if clear_spam { "+wanted" } else { "" })
            }
        };
        let because = |o: Option<Overridden>| o.map_or(String::new(), |o| format!(" {}:{:?}", o.rule.list, o.because));
        outcome + &because(verdict.reason.overridden_sender) + &because(verdict.reason.overridden_personal)
    }

    #[test]
    fn precedence_inside_a_users_lists() {
        use ListKind::{Black, Personal, White};
        let a = "a@x.d.example";
        for (entries, expected) in [
            (&[(Personal, a)][..], "tag"),
            (&[(Personal, "d.example")], ""),
            (&[(Personal, "x.d.example")], "tag"),
            (&[(Personal, "*.d.example")], "tag"),
            (&[(White, a)], "+wanted"),
            (&[(White, a), (Personal, "*.d.example")], "tag+wanted"),
            (&[(Black, a)], "blocked:reject"),
            (&[(Black, "*.d.example"), (White, a)], "+wanted black:MoreSpecific"),
            (&[(Black, a), (White, "*.d.example")], "blocked:reject white:MoreSpecific"),
            (&[(Black, a), (White, a)], "+wanted black:MoreSpecific"),
            (&[(Black, "*.x.d.example"), (White, "*.d.example")], "blocked:reject white:MoreSpecific"),
            (&[(Black, "*.d.example"), (Personal, a)], "blocked:reject personal:Blocked"),
            (&[(Black, "b@x.d.example"), (Personal, "b@x.d.example")], ""),
        ] {
            let verdict = verdict_on(&organisation(), &user(1, entries), a, PASSED);
            assert_eq!(summary(&verdict), expected, "{:?}", entries.iter().map(|(l, t)| format!("{l} {t}")));
        }
    }

    #[test]
    fn levels_come_before_specificity() {
        use ListKind::{Black, White};
        let lists = |list, text: &str| {
            let entry: EntryValue = text.parse().expect(text);
            OrgLists::build(1, &FingerprintKey::from_bytes([5; 16]), &[(list, entry)])
        };
        let from = "a@d.example";
        let enforced_black = OrgPolicy { enforced: lists(Black, "d.example"), ..organisation() };
        assert_eq!(
            summary(&verdict_on(&enforced_black, &user(1, &[(White, from)]), from, PASSED)),
            "blocked:reject white:HigherLevel"
        );
        let enforced_white = OrgPolicy { enforced: lists(White, "d.example"), ..organisation() };
        assert_eq!(
            summary(&verdict_on(&enforced_white, &user(1, &[(Black, from)]), from, PASSED)),
            "+wanted black:HigherLevel"
        );
        let default_black = OrgPolicy { defaults: lists(Black, from), ..organisation() };
        assert_eq!(
            summary(&verdict_on(&default_black, &user(1, &[(White, "d.example")]), from, PASSED)),
            "+wanted black:HigherLevel"
        );
        assert_eq!(summary(&verdict_on(&default_black, &user(1, &[]), from, PASSED)), "blocked:reject");
    }

    #[test]
    fn white_and_personal_need_proof_and_black_does_not() {
        use ListKind::{Black, Personal, White};
        let from = "a@d.example";
        for (list, missing, passed) in [
            (Personal, " personal:Unauthenticated", "tag"),
            (White, " white:Unauthenticated", "+wanted"),
            (Black, "blocked:reject", "blocked:reject"),
        ] {
            let lists = user(1, &[(list, from)]);
            assert_eq!(summary(&verdict_on(&organisation(), &lists, from, Authentication::Missing)), missing);
            assert_eq!(summary(&verdict_on(&organisation(), &lists, from, Authentication::NotRequired)), passed);
            assert_eq!(summary(&verdict_on(&organisation(), &lists, from, PASSED)), passed);
        }
        let forged = user(1, &[(Black, "d.example"), (White, from)]);
        let verdict = verdict_on(&organisation(), &forged, from, Authentication::Missing);
        assert_eq!(summary(&verdict), "blocked:reject white:Unauthenticated");
    }

    #[test]
    fn an_entry_for_a_protected_sender_hides_no_other() {
        use ListKind::Black;
        let (own, spam) = (sender("rh@org.example"), sender("x@spam.example"));
        let decided = |entries: &[(ListKind, &str)], envelope, header| {
            let message = Message {
                envelope: Some(envelope),
                header: Some(header),
                proof: &Known { envelope: PASSED, header: PASSED },
            };
            summary(&decide(&organisation(), Lists { compiled: &user(1, entries), globs: None }, &message))
        };
        let entries = [(Black, "rh@org.example"), (Black, "spam.example")];
        for (envelope, header) in [(&own, &spam), (&spam, &own)] {
            assert_eq!(decided(&entries, envelope, header), "blocked:reject black:ProtectedSender");
        }
        // A forwarder's rewriting is seen through both ways.
        let own_rewritten = sender("SRS0=h=t=org.example=rh@relay.example");
        let spam_rewritten = sender("SRS0=h=t=spam.example=x@org.example");
        assert_eq!(decided(&entries, &own_rewritten, &own), " black:ProtectedSender");
        assert_eq!(decided(&entries, &spam_rewritten, &spam), "blocked:reject");
    }

    #[test]
    fn protected_senders_and_options() {
        use ListKind::{Black, Personal};
        let own = "colleague@mail.org.example";
        let verdict = verdict_on(&organisation(), &user(1, &[(Black, own)]), own, PASSED);
        assert_eq!(summary(&verdict), " black:ProtectedSender");
        // Another sender of the same message is judged on its own, and so is what stands behind a rewriting.
        let lists = user(1, &[(Black, own), (Black, "bad.example"), (Black, "spam@evil.example")]);
        let (envelope, header) = (sender(own), sender("x@bad.example"));
        let message = Message {
            envelope: Some(&envelope),
            header: Some(&header),
            proof: &Known { envelope: PASSED, header: PASSED },
        };
        let verdict = decide(&organisation(), Lists { compiled: &lists, globs: None }, &message);
        assert_eq!(summary(&verdict), "blocked:reject black:ProtectedSender");
        let rewritten = "srs0=hhhh=tt=evil.example=spam@org.example";
        assert_eq!(summary(&verdict_on(&organisation(), &lists, rewritten, PASSED)), "blocked:reject");

        let from = "a@d.example";
        let with = |options| {
            let key = FingerprintKey::from_bytes([1; 16]);
            let entries = [Personal, Black].map(|list| {
                let text = if list == Black { "b@d.example" } else { from };
                (list, Scope::Address, key.fingerprint(Scope::Address, text))
            });
            UserLists::build(1, 1, &key, options, entries)
        };
        let functional = with(UserOptions { functional: true, ..UserOptions::default() });
        assert_eq!(verdict_on(&organisation(), &functional, from, PASSED), Verdict::UNTOUCHED);
        let paused = with(UserOptions { paused: true, ..UserOptions::default() });
        let verdict = verdict_on(&organisation(), &paused, "b@d.example", PASSED);
        assert!(verdict.outcome == Outcome::UNTOUCHED && verdict.reason.paused);
        let own_actions = with(UserOptions {
            personal_actions: Some(PersonalActions::FOLDER | PersonalActions::MARK),
            black_action: Some(BlackAction::Junk),
            ..UserOptions::default()
        });
        assert_eq!(summary(&verdict_on(&organisation(), &own_actions, from, PASSED)), "folder,mark");
        assert_eq!(summary(&verdict_on(&organisation(), &own_actions, "b@d.example", PASSED)), "blocked:junk");
        // What is no longer allowed is left out; where nothing is left of a choice, the organisation's holds.
        let mut strict = organisation();
        for (choices, expected) in [("mark", "mark"), ("tag,mark", "mark"), ("tag", "tag"), ("", "tag")] {
            strict.personal.choices = choices.parse().expect("actions");
            assert_eq!(summary(&verdict_on(&strict, &own_actions, from, PASSED)), expected, "{choices}");
        }
        let nothing = with(UserOptions { personal_actions: Some(PersonalActions::NONE), ..UserOptions::default() });
        assert_eq!(summary(&verdict_on(&strict, &nothing, from, PASSED)), "");
    }

    #[test]
    fn a_rewritten_sender_counts_as_far_as_its_rewriter_is_known() {
        use ListKind::{Black, Personal};
        let known = "srs0=hhhh=tt=d.example=a@fwd.example";
        let stranger = "srs0=hhhh=tt=d.example=a@stranger.example";
        let personal = user(1, &[(Personal, "a@d.example")]);
        let black = user(1, &[(Black, "a@d.example")]);
        assert_eq!(summary(&verdict_on(&organisation(), &personal, known, PASSED)), "tag");
        assert_eq!(summary(&verdict_on(&organisation(), &personal, stranger, PASSED)), "");
        assert_eq!(summary(&verdict_on(&organisation(), &black, known, PASSED)), "blocked:reject");
        assert_eq!(summary(&verdict_on(&organisation(), &black, stranger, PASSED)), "blocked:reject");
    }

    #[test]
    fn rcpt_refuses_only_what_no_white_entry_could_still_save() {
        use ListKind::{Black, White};
        let from = sender("a@x.d.example");
        for (entries, refused) in [
            (&[(Black, "a@x.d.example")][..], true),
            (&[], false),
            (&[(Black, "a@x.d.example"), (White, "other.example")], true),
            (&[(Black, "a@x.d.example"), (White, "friend@other.example")], false),
            (&[(Black, "*.d.example"), (White, "other.example")], false),
            (&[(Black, "*.d.example"), (White, "*.other.example")], false),
            (&[(Black, "x.d.example"), (White, "*.other.example")], true),
        ] {
            let lists = user(1, entries);
            let verdict = decide_at_rcpt(&organisation(), Lists { compiled: &lists, globs: None }, &from);
            assert_eq!(verdict.is_some(), refused, "{:?}", entries.iter().map(|(l, t)| format!("{l} {t}")));
            // What is refused at RCPT would have been blocked at the end as well, whatever the header says.
            if verdict.is_some() {
                let header = Sender::header(Address::parse("friend@other.example").expect("valid"));
                let message = Message {
                    envelope: Some(&from),
                    header: Some(&header),
                    proof: &Known { envelope: PASSED, header: PASSED },
                };
                let late = decide(&organisation(), Lists { compiled: &lists, globs: None }, &message);
                assert_eq!(late.outcome, Outcome::Blocked(BlackAction::Reject));
            }
        }
    }

    #[test]
    fn a_pattern_is_the_least_specific_entry() {
        let globs = Globs::build([(ListKind::Black, "a*@x.*"), (ListKind::Personal, "*@x.d.example")]).expect("small");
        let key = FingerprintKey::from_bytes([1; 16]);
        let fingerprint = key.fingerprint(Scope::Glob, "a*@x.*");
        let lists = UserLists::build(1, 1, &key, UserOptions::default(), [(ListKind::Black, Scope::Glob, fingerprint)]);
        let sender = sender("abc@x.d.example");
        let message = Message {
            envelope: Some(&sender),
            header: None,
            proof: &Known { envelope: PASSED, header: Authentication::Missing },
        };
        let verdict = decide(&organisation(), Lists { compiled: &lists, globs: Some(&globs) }, &message);
        assert_eq!(summary(&verdict), "blocked:reject personal:Blocked");
        assert_eq!(verdict.reason.sender.map(|m| m.rank), Some(GLOB_RANK));
    }
}
