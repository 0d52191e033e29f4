//! A plain model of a verdict, written from the rules in the README, with texts where the product has fingerprints and with a
//! search through everything where it has candidates. Both must come to the same on any lists and senders.

use perso_milter::policy::action::{BlackAction, PersonalActions};
use perso_milter::policy::address::{Address, Domain};
use perso_milter::policy::authres::{Authentication, Method};
use perso_milter::policy::decide::{
    Because, Identity, Known, Level, Lists, Message, Outcome, Verdict, decide, decide_at_rcpt,
};
use perso_milter::policy::identity::Sender;
use perso_milter::policy::list::{ListKind, Scope, UserOptions};
use perso_milter::policy::organisation::OrgPolicy;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::world::{Entry, own_lists, policy, user, value};

pub const OWN_DOMAIN: &str = "org.example";
pub const FORWARDER: &str = "fwd.example";

/// A sender as a test writes it, and what it means.
#[derive(Debug, Clone)]
pub struct Written {
    /// As in MAIL or From.
    pub path: String,
    /// The mailboxes it stands for: the text, whether a detail may be taken off, whether only the black list may know it.
    mailboxes: Vec<(String, bool, bool)>,
}

fn any_mailbox() -> impl Strategy<Value = String> {
    let local = select(vec!["a", "b", "a+x", "A", "a+x+y"]);
    let domain = select(vec![
        "d.example",
        "x.d.example",
        "y.x.d.example",
        "X.D.example.",
        "o.example",
        "ad.example",
        OWN_DOMAIN,
        "mail.org.example",
    ]);
    (local, domain).prop_map(|(local, domain)| format!("{local}@{domain}"))
}

pub fn normal(mailbox: &str) -> String {
    mailbox.trim_end_matches('.').to_lowercase()
}

pub fn any_header() -> impl Strategy<Value = Written> {
    any_mailbox().prop_map(|mailbox| Written { mailboxes: vec![(normal(&mailbox), true, false)], path: mailbox })
}

pub fn any_envelope() -> impl Strategy<Value = Written> {
    let batv = any_mailbox().prop_map(|mailbox| Written {
        path: format!("prvs=0123abcdef={mailbox}"),
        mailboxes: vec![(normal(&mailbox), true, false)],
    });
    let srs = (any_mailbox(), select(vec![FORWARDER, "o.example"]), any::<bool>()).prop_map(|(mailbox, by, twice)| {
        let (local, domain) = mailbox.split_once('@').unwrap();
        let inner = format!("Hash=TT={}={local}", domain.trim_end_matches('.'));
        let path = if twice { format!("SRS1=HHH=first.example=={inner}@{by}") } else { format!("SRS0={inner}@{by}") };
        let own = (normal(&path), false, false);
        Written { path, mailboxes: vec![own, (normal(&mailbox), true, by != FORWARDER)] }
    });
    prop_oneof![4 => any_header(), 1 => batv, 2 => srs]
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let text = select(vec![
        "a@d.example",
        "a+x@d.example",
        "b@x.d.example",
        "a@o.example",
        "a@org.example",
        "a+x@x.d.example",
        "d.example",
        "x.d.example",
        "o.example",
        "org.example",
        "fwd.example",
        "*.d.example",
        "*.x.d.example",
        "*.o.example",
        "*.org.example",
        "a*@*d.example",
        "?@*x.d.example",
        "*+x@*",
    ]);
    let list = select(vec![ListKind::White, ListKind::Black, ListKind::Personal]);
    (list, text.prop_map(str::to_owned))
}

pub fn any_lists() -> impl Strategy<Value = Vec<Entry>> {
    vec(any_entry(), 0..5)
}

/// An organisation's lists, of fewer entries than `most`: personal entries stand on users' lists alone.
pub fn any_own_lists(most: usize) -> impl Strategy<Value = Vec<Entry>> {
    vec(any_entry().prop_filter("white or black", |(list, _)| *list != ListKind::Personal), 0..most)
}

fn any_authentication() -> impl Strategy<Value = Authentication> {
    select(vec![Authentication::Missing, Authentication::NotRequired, Authentication::Passed(Method::Spf)])
}

pub fn any_options() -> impl Strategy<Value = UserOptions> {
    let personal = option::of((0u8..8).prop_map(PersonalActions::from_bits));
    let black = option::of((0u8..4).prop_map(BlackAction::from_code));
    (personal, black, prop::bool::weighted(0.1), prop::bool::weighted(0.1)).prop_map(
        |(personal_actions, black_action, functional, paused)| UserOptions {
            personal_actions,
            black_action,
            functional,
            paused,
            activity: false,
        },
    )
}

/// Everything a verdict depends on.
#[derive(Debug, Clone)]
pub struct Case {
    pub enforced: Vec<Entry>,
    pub user: Vec<Entry>,
    pub defaults: Vec<Entry>,
    pub options: UserOptions,
    pub action: BlackAction,
    pub envelope: Option<(Written, Authentication)>,
    pub header: Option<(Written, Authentication)>,
}

prop_compose! {
    fn any_case()(
        enforced in any_own_lists(2),
        defaults in any_own_lists(3),
        user in any_lists(),
        options in any_options(),
        action in (0u8..4).prop_map(BlackAction::from_code),
        envelope in option::weighted(0.9, (any_envelope(), any_authentication())),
        header in option::weighted(0.8, (any_header(), any_authentication())),
    ) -> Case {
        Case { enforced, user, defaults, options, action, envelope, header }
    }
}

/// An entry that fits, as the model sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    level: Level,
    list: ListKind,
    scope: Scope,
    identity: Identity,
    /// Scope, whether a detail was taken off, labels that the entry leaves open: less is more specific.
    openness: (Scope, bool, usize),
    proven: bool,
    protected: bool,
}

/// How an entry fits a mailbox, if it does.
fn openness(entry: &str, mailbox: &str, has_detail: bool) -> Option<(Scope, bool, usize)> {
    let (local, domain) = mailbox.split_once('@').unwrap();
    if let Some(parent) = entry.strip_prefix("*.") {
        let labels = |domain: &str| domain.split('.').count();
        let below = domain == parent || domain.ends_with(&format!(".{parent}"));
        return below.then(|| (Scope::Subdomains, false, labels(domain) - labels(parent)));
    }
    if entry.contains(['*', '?']) {
        return wildcard(entry.as_bytes(), mailbox.as_bytes()).then_some((Scope::Glob, false, 0));
    }
    if !entry.contains('@') {
        return (domain == entry).then_some((Scope::Domain, false, 0));
    }
    if entry == mailbox {
        return Some((Scope::Address, false, 0));
    }
    let base = local.split('+').next().unwrap();
    (has_detail && local.contains('+') && entry == format!("{base}@{domain}")).then_some((Scope::Address, true, 0))
}

fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) if wildcard(rest, text) => true,
        (Some((b'*', _)), Some((_, after))) => wildcard(pattern, after),
        (Some((b'?', rest)), Some((_, after))) => wildcard(rest, after),
        (Some((wanted, rest)), Some((found, after))) => wanted == found && wildcard(rest, after),
        _ => false,
    }
}

fn fits(case: &Case) -> Vec<Fit> {
    let levels = [(Level::Enforced, &case.enforced), (Level::User, &case.user), (Level::Default, &case.defaults)];
    let senders = [(Identity::Envelope, &case.envelope), (Identity::Header, &case.header)];
    let mut all = Vec::new();
    for (level, entries) in levels {
        for (identity, sender) in &senders {
            let Some((written, authentication)) = sender else { continue };
            for (mailbox, has_detail, black_only) in &written.mailboxes {
                for (list, entry) in entries {
                    let Some(openness) = openness(entry, mailbox, *has_detail) else { continue };
                    if *black_only && *list != ListKind::Black {
                        continue;
                    }
                    let domain = mailbox.split_once('@').unwrap().1;
                    let own = domain == OWN_DOMAIN || domain.ends_with(&format!(".{OWN_DOMAIN}"));
                    all.push(Fit {
                        level,
                        list: *list,
                        scope: openness.0,
                        identity: *identity,
                        openness,
                        proven: *list == ListKind::Black || *authentication != Authentication::Missing,
                        protected: own && *list == ListKind::Black && level != Level::Enforced,
                    });
                }
            }
        }
    }
    all
}

/// Whether the envelope sender is refused before the headers are known: blocked, and no white entry of the lists that could
/// decide is specific enough to win by the header sender.
pub fn is_refused_at_rcpt(case: &Case) -> bool {
    let action = case.options.black_action.unwrap_or(case.action);
    if case.options.paused || action != BlackAction::Reject {
        return false;
    }
    let fits = fits(&Case { header: None, ..case.clone() });
    let levels = [(Level::Enforced, &case.enforced), (Level::User, &case.user), (Level::Default, &case.defaults)];
    for (level, entries) in levels {
        let whites = entries.iter().filter(|(list, _)| *list == ListKind::White).map(|(_, text)| value(text).scope());
        let blocking = fits.iter().filter(|f| f.level == level && f.list == ListKind::Black && !f.protected);
        match blocking.min_by_key(|fit| fit.openness) {
            Some(black) => return !whites.into_iter().any(|scope| level == Level::Enforced || scope <= black.scope),
            None if whites.count() > 0 => return false,
            None => {}
        }
    }
    false
}

/// The verdict: its outcome, the white or black entry that decided, the personal entry that decided.
pub fn model(case: &Case) -> (Outcome, Option<Fit>, Option<Fit>) {
    if case.options.paused {
        return (Outcome::UNTOUCHED, None, None);
    }
    let fits = fits(case);
    let best = |level, list| {
        let counting = fits.iter().filter(|f| f.level == level && f.list == list && f.proven && !f.protected);
        // The first of equals: the envelope's.
        counting.min_by_key(|fit| fit.openness).copied()
    };
    let of_level = |level| match (best(level, ListKind::White), best(level, ListKind::Black)) {
        (Some(white), Some(black)) if level == Level::Enforced || white.openness <= black.openness => Some(white),
        (white, black) => black.or(white),
    };
    let sender = [Level::Enforced, Level::User, Level::Default].into_iter().find_map(of_level);
    if sender.is_some_and(|fit| fit.list == ListKind::Black) {
        return (Outcome::Blocked(case.options.black_action.unwrap_or(case.action)), sender, None);
    }
    let personal = best(Level::User, ListKind::Personal).filter(|_| !case.options.functional);
    let actions = case.options.personal_actions.unwrap_or(PersonalActions::TAG);
    let outcome = Outcome::Deliver {
        personal: if personal.is_some() { actions } else { PersonalActions::NONE },
        clear_spam: sender.is_some(),
    };
    (outcome, sender, personal)
}

fn organisation(case: &Case) -> OrgPolicy {
    let mut organisation = policy(1);
    organisation.black.action = case.action;
    organisation.enforced = own_lists(&case.enforced);
    organisation.defaults = own_lists(&case.defaults);
    organisation
}

fn envelope_sender(written: &Written) -> Sender {
    Sender::envelope(Address::parse(&written.path).expect("an address"), &[Domain::parse(FORWARDER).unwrap()])
}

fn decided(case: &Case) -> Verdict {
    let organisation = organisation(case);
    let (compiled, globs) = user(7, 1, case.options, &case.user);
    let envelope = case.envelope.as_ref().map(|(written, _)| envelope_sender(written));
    let header = case.header.as_ref();
    let header = header.map(|(written, _)| Sender::header(Address::parse(&written.path).expect("an address")));
    let authentication = |sender: &Option<(Written, Authentication)>| {
        sender.as_ref().map_or(Authentication::Missing, |(_, authentication)| *authentication)
    };
    let message = Message {
        envelope: envelope.as_ref(),
        header: header.as_ref(),
        proof: &Known { envelope: authentication(&case.envelope), header: authentication(&case.header) },
    };
    decide(&organisation, Lists { compiled: &compiled, globs: globs.as_deref() }, &message)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_product_decides_as_the_model_does(case in any_case()) {
        let (outcome, sender, personal) = model(&case);
        let verdict = decided(&case);
        prop_assert_eq!(verdict.outcome, outcome, "{:?}", verdict.reason);
        prop_assert_eq!(verdict.reason.paused, case.options.paused);
        for (found, wanted) in [(verdict.reason.sender, sender), (verdict.reason.personal, personal)] {
            let found = found.map(|m| (m.level, m.list, m.scope, m.identity));
            prop_assert_eq!(found, wanted.map(|f| (f.level, f.list, f.scope, f.identity)));
        }
    }

    /// Whatever a reason says did not count does fit, and for the cause that it names.
    #[test]
    fn what_was_overridden_fits(case in any_case()) {
        let reason = decided(&case).reason;
        for overridden in reason.overridden_sender.into_iter().chain(reason.overridden_personal) {
            let rule = overridden.rule;
            let fits = fits(&case);
            let known = fits.iter().any(|fit| {
                (fit.level, fit.list, fit.scope, fit.identity) == (rule.level, rule.list, rule.scope, rule.identity)
                    && fit.proven == (overridden.because != Because::Unauthenticated)
                    && fit.protected == (overridden.because == Because::ProtectedSender)
            });
            prop_assert!(known, "{overridden:?}");
        }
    }

    /// What is refused at RCPT would be blocked whatever the headers turned out to be.
    #[test]
    fn a_refusal_at_rcpt_is_never_taken_back(case in any_case()) {
        let Some((written, _)) = &case.envelope else { return Ok(()) };
        let organisation = organisation(&case);
        let (compiled, globs) = user(7, 1, case.options, &case.user);
        let lists = Lists { compiled: &compiled, globs: globs.as_deref() };
        if let Some(verdict) = decide_at_rcpt(&organisation, lists, &envelope_sender(written)) {
            prop_assert_eq!(verdict.outcome, Outcome::Blocked(BlackAction::Reject));
            prop_assert_eq!(model(&case).0, verdict.outcome);
        }
    }
}

/// The first entry that can decide alone is refused at RCPT: waiting would let the message in for nothing.
#[test]
fn a_user_who_has_no_white_entry_refuses_at_rcpt() {
    let black = |text: &str| vec![(ListKind::Black, text.to_owned())];
    for entries in [black("a@d.example"), black("d.example"), black("*.d.example"), black("a*@d.example")] {
        let (compiled, globs) = user(7, 1, UserOptions::default(), &entries);
        let lists = Lists { compiled: &compiled, globs: globs.as_deref() };
        let sender = Sender::header(Address::parse("a@d.example").unwrap());
        assert!(decide_at_rcpt(&policy(1), lists, &sender).is_some(), "{entries:?}");
    }
}

/// Domains deeper than what is searched lose their leftmost parents alone.
#[test]
fn a_very_deep_domain_still_matches_its_upper_part() {
    let deep = format!("a@{}d.example", "x.".repeat(60));
    let personal = vec![(ListKind::Personal, "*.d.example".to_owned())];
    let (compiled, _) = user(7, 1, UserOptions::default(), &personal);
    let sender = Sender::header(Address::parse(&deep).unwrap());
    let message = Message {
        envelope: None,
        header: Some(&sender),
        proof: &Known { envelope: Authentication::Missing, header: Authentication::NotRequired },
    };
    let verdict = decide(&policy(1), Lists { compiled: &compiled, globs: None }, &message);
    assert_eq!(verdict.outcome, Outcome::Deliver { personal: PersonalActions::TAG, clear_spam: false });
}
