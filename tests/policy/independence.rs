//! One recipient, one decision: what a recipient gets does not depend on what stands on another's lists. The exceptions
//! of `split = "off"` are stated where they are allowed, and nowhere else.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use perso_milter::milter::client::message::{Message, bare_address};
use perso_milter::milter::client::{Envelope, Recipient};
use perso_milter::milter::negotiate::Offer;
use perso_milter::milter::reply::Reply;
use perso_milter::milter::settings::Role;
use perso_milter::policy::action::{BlackAction, LateAction, PersonalActions};
use perso_milter::policy::authres::{AuthenticationMode, AuthenticationPolicy};
use perso_milter::policy::decide::{Outcome, Verdict};
use perso_milter::policy::list::{ListKind, UserOptions};
use perso_milter::policy::organisation::{OrgPolicy, Proof};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::world::{Entry, Sent, World, envelope, message, own_lists, policy, send};

/// One user's choices and lists.
#[derive(Debug, Clone)]
pub struct Person {
    pub options: UserOptions,
    pub entries: Vec<Entry>,
}

/// The organisation and the message, all that is the same for everyone.
#[derive(Debug, Clone)]
pub struct Common {
    enforced: Vec<Entry>,
    defaults: Vec<Entry>,
    black: BlackAction,
    late: LateAction,
    actions: PersonalActions,
    proofs: (Proof, Proof),
    required: bool,
    pub sender: &'static str,
    headers: Vec<(&'static str, &'static str)>,
}

fn any_entry(lists: &'static [ListKind]) -> impl Strategy<Value = Entry> {
    let text = select(vec!["a@d.example", "d.example", "*.d.example", "b@o.example", "o.example", "*.example.net"]);
    (select(lists), text.prop_map(str::to_owned))
}

pub fn any_person() -> impl Strategy<Value = Person> {
    let options = (
        option::of((0u8..8).prop_map(PersonalActions::from_bits)),
        option::of((0u8..4).prop_map(BlackAction::from_code)),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
    );
    (options, vec(any_entry(&ListKind::ALL), 0..4)).prop_map(|((personal, black, functional, paused), entries)| {
        let options =
            UserOptions { personal_actions: personal, black_action: black, functional, paused, activity: false };
        Person { options, entries }
    })
}

fn any_proof() -> impl Strategy<Value = Proof> {
    select(vec![Proof::Proven, Proof::Unproven])
}

prop_compose! {
    pub fn any_common()(
        enforced in vec(any_entry(&[ListKind::White, ListKind::Black]), 0..2),
        defaults in vec(any_entry(&[ListKind::White, ListKind::Black]), 0..2),
        black in (0u8..4).prop_map(BlackAction::from_code),
        late in select(vec![LateAction::Discard, LateAction::Junk]),
        actions in (0u8..8).prop_map(PersonalActions::from_bits),
        proofs in (any_proof(), any_proof()),
        required in any::<bool>(),
        sender in select(vec!["<a@d.example>", "<b@o.example>", "<>", "<x@mail.d.example>", "<c@example.net>"]),
        from in option::of(select(vec![" a@d.example", " B <b@o.example>", " c@sub.example.net", " nonsense"])),
        subject in option::of(select(vec![" Hello", " [PERSO] Hello", " ***SPAM*** Hello", " Re:\n\t[perso] x", ""])),
        spam in any::<bool>(),
        forged in any::<bool>(),
        proof in select(vec!["none", "spf=pass smtp.mailfrom=a@d.example", "dmarc=pass header.from=o.example"]),
    ) -> Common {
        let mut headers = vec![("Received", " from mx"), ("To", " everybody")];
        let verdict: &'static str = match proof {
            "none" => " mx.org.example; none",
            "spf=pass smtp.mailfrom=a@d.example" => " mx.org.example; spf=pass smtp.mailfrom=a@d.example",
            _ => " mx.org.example; dmarc=pass header.from=o.example",
        };
        headers.insert(0, ("Authentication-Results", verdict));
        headers.extend(from.map(|value| ("From", value)));
        headers.extend(subject.map(|value| ("Subject", value)));
        headers.extend(spam.then_some(("X-Spam-Flag", " YES")));
        headers.extend(forged.then_some(("X-Perso", " v=1")));
        Common { enforced, defaults, black, late, actions, proofs, required, sender, headers }
    }
}

fn organisation(common: &Common) -> OrgPolicy {
    let mut organisation = policy(1);
    organisation.black.action = common.black;
    organisation.black.late_action = common.late;
    organisation.personal.actions = common.actions;
    (organisation.personal.folder_proof, organisation.black.junk_proof) = common.proofs;
    organisation.enforced = own_lists(&common.enforced);
    organisation.defaults = own_lists(&common.defaults);
    organisation
}

pub fn world(common: &Common, people: &BTreeMap<&str, &Person>) -> World {
    let authentication = AuthenticationPolicy {
        mode: if common.required { AuthenticationMode::Required } else { AuthenticationMode::Off },
        authserv_ids: vec!["mx.org.example".to_owned()],
        hops: 1,
        results: 1,
        forwarders: Vec::new(),
    };
    let mut world = World::of(organisation(common));
    Arc::get_mut(&mut world.settings).expect("not shared yet").authentication = authentication;
    people.iter().fold(world, |world, (address, person)| world.with(address, person.options, &person.entries))
}

pub fn raw(common: &Common) -> Message {
    message(&common.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect::<Vec<_>>())
}

const ALICE: &str = "<alice@org.example>";

/// What Alice's side of a message shows.
struct Seen {
    verdict: Option<Verdict>,
    reply: Option<Reply<'static>>,
    /// The whole message was refused or put on hold.
    whole: Option<&'static str>,
    copies: Vec<String>,
    message: Option<Message>,
}

fn seen(path: &str, sent: &Sent, world: &World, at: usize) -> Seen {
    let copies: Vec<String> = sent.addresses().into_iter().filter(|address| address.starts_with("alice")).collect();
    let held = sent.delivery.as_ref().is_some_and(|delivery| delivery.held.is_some());
    let refused = matches!(sent.last, Some(Reply::Code(_)));
    Seen {
        verdict: world.verdict_of(path.as_bytes()),
        reply: sent.recipients[at].clone(),
        whole: if held { Some("held") } else { refused.then_some("refused") },
        message: sent.delivery.as_ref().filter(|_| !copies.is_empty()).map(|delivery| delivery.message.clone()),
        copies,
    }
}

/// A message to Alice and, before or after her, to others.
fn to_alice(common: &Common, role: Role, path: &str, alice: &Person, before: &[&Person], after: &[&Person]) -> Seen {
    let names = ["bob@org.example", "carol@org.example", "dan@org.example", "eve@org.example"];
    let mut people: BTreeMap<&str, &Person> = BTreeMap::from([("alice@org.example", alice)]);
    people.extend(names.into_iter().zip(before.iter().chain(after).copied()));
    let others: Vec<String> = names.iter().take(before.len() + after.len()).map(|name| format!("<{name}>")).collect();
    let mut paths: Vec<&str> = others.iter().map(String::as_str).collect();
    paths.insert(before.len(), path);
    let (sent, world) =
        send(world(common, &people), role, Offer::POSTFIX, &envelope(common.sender, &paths), &raw(common));
    seen(path, &sent, &world, before.len())
}

/// The message without what nobody but us may write: the copy that nobody's list touched.
fn unedited(common: &Common) -> Message {
    let mut message = raw(common);
    message.headers.retain(|header| header.name != b"X-Perso");
    message
}

/// A header of the mark holds a signature: equal for equal users and messages, so it is compared like any other.
fn is_alone_or_unedited(seen: &Seen, alone: &Seen, common: &Common) -> bool {
    let unedited = unedited(common);
    let Some(message) = &seen.message else { return true };
    *message == unedited || alone.message.as_ref().is_some_and(|alone| alone == message)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the others' lists: Alice's verdict with its reason, and what is said to her RCPT.
    #[test]
    fn the_verdict_and_the_reply_at_rcpt_are_ones_own(
        common in any_common(), alice in any_person(), bobs in vec(any_person(), 2..4), first in any::<bool>(),
        role in select(vec![Role::Edge, Role::Local]), path in select(vec![ALICE, "<alice+Perso@org.example>"]),
    ) {
        let alone = to_alice(&common, role, path, &alice, &[], &[]);
        for bob in &bobs {
            let (before, after): (&[&Person], &[&Person]) = if first { (&[bob], &[]) } else { (&[], &[bob]) };
            let with = to_alice(&common, role, path, &alice, before, after);
            prop_assert_eq!(&with.reply, &alone.reply);
            // A message that is refused at RCPT for all, or never reaches its end, is not decided a second time.
            if alone.verdict.is_some() {
                prop_assert_eq!(with.verdict, alone.verdict);
            }
        }
    }

    /// Where refusing is impossible: her copies go to the same addresses whatever the others' lists say, and each copy is
    /// edited as when she is alone, or not edited at all (the exception of `split = "off"`).
    ///
    /// One more exception, by the nature of a queue: a message is held only if all who are addressed hold it. So who holds,
    /// gets the message held, or else what the organisation set for that case; nobody else is ever held.
    #[test]
    fn a_copy_is_ones_own_where_nothing_is_refused(
        common in any_common(), alice in any_person(), bobs in vec(vec(any_person(), 1..4), 2..4), first in any::<bool>(),
        path in select(vec![ALICE, "<alice+Perso@org.example>", "<alice+news@org.example>", "alice+junk@org.example"]),
    ) {
        let alone = to_alice(&common, Role::Local, path, &alice, &[], &[]);
        let holds = alone.verdict.is_some_and(|verdict| verdict.outcome == Outcome::Blocked(BlackAction::Hold));
        prop_assert_eq!(alone.whole, holds.then_some("held"));
        let mut not_held = None;
        for others in &bobs {
            let others: Vec<&Person> = others.iter().collect();
            let (before, after) = if first { (&others[..], &[][..]) } else { (&[][..], &others[..]) };
            let with = to_alice(&common, Role::Local, path, &alice, before, after);
            if with.whole == Some("held") {
                prop_assert!(holds, "held by others");
                continue;
            }
            prop_assert_eq!(with.whole, None);
            let expected = if holds { not_held.get_or_insert_with(|| with.copies.clone()) } else { &alone.copies };
            prop_assert_eq!(&with.copies, expected);
            prop_assert!(is_alone_or_unedited(&with, &alone, &common), "{:?}", with.message);
        }
    }

    /// Where refusing is possible, one exception more: the whole message is refused where all who are left refuse it. So who
    /// refuses gets the message refused, or else what the organisation set for that case; nobody else is ever refused.
    #[test]
    fn a_copy_is_ones_own_where_all_may_refuse(
        common in any_common(), alice in any_person(), bobs in vec(vec(any_person(), 1..4), 2..4), first in any::<bool>(),
    ) {
        let alone = to_alice(&common, Role::Edge, ALICE, &alice, &[], &[]);
        let action = alone.verdict.and_then(|verdict| match verdict.outcome {
            Outcome::Blocked(action) => Some(action),
            Outcome::Deliver { .. } => None,
        });
        let is_refused_at_rcpt = matches!(alone.reply, Some(Reply::Code(_)));
        let mut late = None;
        for others in &bobs {
            let others: Vec<&Person> = others.iter().collect();
            let (before, after) = if first { (&others[..], &[][..]) } else { (&[][..], &others[..]) };
            let with = to_alice(&common, Role::Edge, ALICE, &alice, before, after);
            match (with.whole, action) {
                _ if is_refused_at_rcpt => prop_assert_eq!(&with.copies, &[] as &[String]),
                (Some("held"), Some(BlackAction::Hold)) | (Some("refused"), Some(BlackAction::Reject)) => continue,
                (Some(whole), _) => prop_assert!(false, "{whole} by others, {action:?}"),
                (None, Some(BlackAction::Hold | BlackAction::Reject)) => {
                    prop_assert_eq!(&with.copies, late.get_or_insert_with(|| with.copies.clone()));
                }
                (None, _) => prop_assert_eq!(&with.copies, &alone.copies),
            }
            prop_assert!(is_alone_or_unedited(&with, &alone, &common), "{:?}", with.message);
        }
    }

    /// The planner's law, over whole sessions: what is added is never deleted, only what RCPT named is deleted, additions
    /// come first and deletions last, and each recipient gets as many copies as without us, or none where their own verdict
    /// says so.
    #[test]
    fn nobody_is_lost_and_nobody_is_invented(
        common in any_common(), people in vec(any_person(), 3), role in select(vec![Role::Edge, Role::Local]),
        paths in vec("(alice|Alice|bob|carol|dan)(\\+(Perso|perso|Junk|x|))?@(org|elsewhere)\\.example", 1..7),
        bracketed in any::<bool>(),
    ) {
        let users: BTreeMap<&str, &Person> =
            ["alice@org.example", "bob@org.example", "carol@org.example"].into_iter().zip(&people).collect();
        let bracketed = |path: &String| if bracketed { format!("<{path}>") } else { path.clone() };
        let paths: Vec<String> = paths.iter().map(bracketed).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let mut letter = envelope(common.sender, &paths);
        for recipient in &mut letter.recipients {
            recipient.arguments = vec![b"NOTIFY=NEVER".to_vec()];
        }
        let (sent, world) = send(world(&common, &users), role, Offer::POSTFIX, &letter, &raw(&common));
        check_law(&letter, &sent)?;
        if let Some(delivery) = sent.delivery.as_ref().filter(|delivery| delivery.held.is_none()) {
            let dropped = |path: &&str| {
                let outcome = world.verdict_of(path.as_bytes()).map(|verdict| verdict.outcome);
                matches!(outcome, Some(Outcome::Blocked(_)))
            };
            let without_us = copies(&accepted(&letter, &sent).into_iter().filter(|p| !dropped(p)).collect::<Vec<_>>(), 0);
            let left: Vec<&str> =
                delivery.recipients.iter().map(|r| std::str::from_utf8(&r.address).unwrap()).collect();
            let is_addition = |edit: &&Reply<'_>| matches!(edit, Reply::AddRecipient(_) | Reply::AddRecipientWith { .. });
            let with_us = copies(&left, sent.edits.iter().filter(is_addition).count());
            for (mailbox, number) in &without_us {
                prop_assert_eq!(with_us.get(mailbox), Some(number), "{}", mailbox);
            }
            let blocked: HashSet<String> = accepted(&letter, &sent).into_iter().filter(dropped).map(mailbox).collect();
            for mailbox in with_us.keys() {
                prop_assert!(without_us.contains_key(mailbox) || blocked.contains(mailbox), "{} is invented", mailbox);
            }
            let keeps_dsn = |recipient: &Recipient| recipient.arguments == [b"NOTIFY=NEVER".to_vec()];
            prop_assert!(delivery.recipients.iter().all(keeps_dsn));
        }
    }
}

fn accepted<'a>(letter: &'a Envelope, sent: &Sent) -> Vec<&'a str> {
    let accepted = letter.recipients.iter().zip(&sent.recipients);
    let accepted = accepted.filter(|(_, reply)| matches!(reply, None | Some(Reply::Continue)));
    accepted.map(|(recipient, _)| std::str::from_utf8(&recipient.address).unwrap()).collect()
}

/// The mailbox of an address, its folder taken off.
fn mailbox(path: &str) -> String {
    let bare = path.trim_matches(['<', '>']).to_lowercase();
    let (local, domain) = bare.split_once('@').unwrap();
    format!("{}@{domain}", local.split('+').next().unwrap())
}

/// Copies for each mailbox: the MTA delivers one for each address, compared without regard to case, but one more for each
/// recipient that a milter added, though it is there already. The last of the paths are those.
fn copies(paths: &[&str], additions: usize) -> BTreeMap<String, usize> {
    let mut seen = HashSet::new();
    let mut copies = BTreeMap::new();
    for (at, path) in paths.iter().enumerate() {
        let counts = copies.entry(mailbox(path)).or_default();
        if at >= paths.len() - additions || seen.insert(path.trim_matches(['<', '>']).to_lowercase()) {
            *counts += 1;
        }
    }
    copies
}

fn check_law(letter: &Envelope, sent: &Sent) -> Result<(), TestCaseError> {
    let bare = |address: &[u8]| bare_address(address).to_ascii_lowercase();
    let mut added = HashSet::new();
    let mut last_kind = 0;
    for edit in &sent.edits {
        let kind = match edit {
            Reply::AddRecipient(address) | Reply::AddRecipientWith { address, .. } => {
                added.insert(bare(address.as_bytes()));
                0
            }
            Reply::DeleteRecipient(address) => {
                prop_assert!(!added.contains(&bare(address.as_bytes())), "added and deleted");
                let named = |recipient: &Recipient| recipient.address == address.as_bytes();
                prop_assert!(letter.recipients.iter().any(named), "{address:?} was never named");
                2
            }
            _ => 1,
        };
        prop_assert!(kind >= last_kind, "out of order: {:?}", sent.edits);
        last_kind = kind;
    }
    Ok(())
}
