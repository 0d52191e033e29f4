//! The split: the first pass edits nothing and marks, the MTA makes a copy for each recipient, the second pass edits each
//! copy alone. Here the MTA's part is played in memory; tests/e2e has Postfix's queue do it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use perso_milter::milter::client::message::{Header, Message, bare_address};
use perso_milter::milter::client::{Envelope, Recipient};
use perso_milter::milter::command::{Command, CommandStrings, EnvelopeAddress};
use perso_milter::milter::negotiate::Offer;
use perso_milter::milter::reply::Reply;
use perso_milter::milter::session::Notice;
use perso_milter::milter::settings::Role;
use perso_milter::policy::action::{BlackAction, OutboundAction, PersonalActions, SplitMode};
use perso_milter::policy::authres::{AuthenticationMode, AuthenticationPolicy};
use perso_milter::policy::list::{ListKind, UserOptions};
use perso_milter::policy::plan::Direction;
use perso_milter::split;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::independence::{Common, Person, any_common, any_person, raw, world};
use super::outbound;
use super::world::{Entry, Mta, World, envelope, message, perso, policy};

/// One copy, as it leaves the MTA.
#[derive(Debug, Clone, PartialEq)]
pub struct Copy {
    pub to: String,
    pub message: Message,
    pub held: bool,
}

/// How a message fared on its whole way.
pub struct Journey {
    /// The reply to the end of the message.
    pub last: Option<Reply<'static>>,
    pub was_split: bool,
    pub copies: Vec<Copy>,
}

impl Journey {
    fn copy(&self, to: &str) -> &Copy {
        self.copies.iter().find(|copy| copy.to == to).unwrap_or_else(|| panic!("no copy to {to}"))
    }

    fn subject(&self, to: &str) -> String {
        let subject = self.copy(to).message.values("Subject").next().expect("a Subject");
        String::from_utf8_lossy(subject).trim().to_owned()
    }

    fn addresses(&self) -> Vec<&str> {
        self.copies.iter().map(|copy| copy.to.as_str()).collect()
    }
}

/// Aliases that the MTA expands after the first pass.
pub type Aliases<'a> = &'a [(&'a str, &'a [&'a str])];

fn bare(recipient: &Recipient) -> String {
    String::from_utf8_lossy(bare_address(&recipient.address)).into_owned()
}

/// Sends a message as Postfix with the lines of `postfix-config` does.
pub fn through(world: &Arc<World>, role: Role, letter: &Envelope, message: &Message, aliases: Aliases<'_>) -> Journey {
    through_from(Mta::new(world.clone(), role, Offer::POSTFIX), world, letter, message, aliases)
}

/// The same on a connection that is there.
fn through_from(
    mut edge: Mta<World>,
    world: &Arc<World>,
    letter: &Envelope,
    message: &Message,
    aliases: Aliases<'_>,
) -> Journey {
    let sent = edge.send(letter, message);
    let mut journey = Journey { last: sent.last, was_split: false, copies: Vec::new() };
    let Some(delivery) = sent.delivery else { return journey };
    let marker = format!("{};", world.settings.split_key.token());
    journey.was_split = delivery.message.values(split::HEADER).any(|value| value.starts_with(marker.as_bytes()));
    let mut seen = HashSet::new();
    for recipient in expanded(&delivery.recipients, aliases) {
        let to = bare(&recipient);
        if !seen.insert(to.to_ascii_lowercase()) {
            continue;
        }
        let held = delivery.held.is_some();
        if journey.was_split {
            journey.copies.extend(second_pass(world, &letter.sender, recipient, &delivery.message));
        } else {
            journey.copies.push(Copy { to, message: delivery.message.clone(), held });
        }
    }
    journey
}

/// Each final recipient with the address that its alias was, as Postfix names it to the next server.
pub fn expanded(recipients: &[Recipient], aliases: Aliases<'_>) -> Vec<Recipient> {
    let expand = |recipient: &Recipient| {
        let name = bare(recipient);
        let original = format!("ORCPT=rfc822;{}", name.replace('+', "+2B"));
        let targets =
            aliases.iter().find(|(alias, _)| *alias == name).map_or(vec![name.as_str()], |(_, to)| to.to_vec());
        let copy = |target: &&str| {
            let mut copy = Recipient { address: format!("<{target}>").into_bytes(), ..recipient.clone() };
            if !copy.arguments.iter().any(|argument| argument.starts_with(b"ORCPT=")) {
                copy.arguments.push(original.clone().into_bytes());
            }
            copy
        };
        targets.iter().map(copy).collect::<Vec<_>>()
    };
    recipients.iter().flat_map(expand).collect()
}

/// What the MTA writes above every message it takes; the cleanup of the second pass removes its own again.
pub fn received(by: &str) -> Header {
    Header { name: b"Received".to_vec(), value: format!(" by {by}").into_bytes() }
}

fn second_pass(world: &Arc<World>, sender: &[u8], recipient: Recipient, message: &Message) -> Option<Copy> {
    let mut message = message.clone();
    message.headers.insert(0, received("the edge"));
    let letter = Envelope { sender: sender.to_vec(), recipients: vec![recipient], ..Envelope::default() };
    let mut mta = Mta::new(world.clone(), Role::Split, Offer::POSTFIX);
    let sent = mta.send(&letter, &message);
    assert_eq!(sent.last, Some(Reply::Continue), "the second pass never refuses");
    assert_eq!(mta.notices, [Notice::Copy]);
    let delivery = sent.delivery.expect("taken");
    let to = bare(delivery.recipients.first()?);
    assert_eq!(delivery.recipients.len(), 1);
    let mut message = delivery.message;
    assert_eq!(message.headers.remove(0), received("the edge"));
    Some(Copy { to, message, held: delivery.held.is_some() })
}

fn splitting(mut world: World, mode: SplitMode) -> Arc<World> {
    Arc::get_mut(&mut world.settings).expect("not shared yet").split = mode;
    Arc::new(world)
}

/// Alice has the friend as personal, Bob blocks them, Carol has no entry.
fn three(mode: SplitMode, actions: PersonalActions, black: BlackAction) -> Arc<World> {
    let mut policy = policy(1);
    policy.personal.actions = actions;
    policy.black.action = black;
    let options = UserOptions::default();
    let world = World::of(policy)
        .with("alice@org.example", options, &perso(&["friend@d.example"]))
        .with("bob@org.example", options, &[(ListKind::Black, "friend@d.example".to_owned())])
        .with("carol@org.example", options, &[] as &[Entry]);
    splitting(world, mode)
}

fn letter() -> Message {
    message(&[("From", b" friend@d.example"), ("Subject", b" Hello")])
}

const FRIEND: &str = "<friend@d.example>";
const ALL: [&str; 3] = ["<alice@org.example>", "<bob@org.example>", "<carol@org.example>"];

#[test]
fn each_copy_has_its_own_edits() {
    let world = three(SplitMode::Edits, PersonalActions::TAG | PersonalActions::FOLDER, BlackAction::Junk);
    let journey = through(&world, Role::Edge, &envelope(FRIEND, &ALL), &letter(), &[]);
    assert!(journey.was_split);
    assert_eq!(journey.addresses(), ["alice+Perso@org.example", "bob+Junk@org.example", "carol@org.example"]);
    assert_eq!(journey.subject("alice+Perso@org.example"), "[PERSO] Hello");
    assert_eq!(journey.copy("bob+Junk@org.example").message, letter());
    assert_eq!(journey.copy("carol@org.example").message, letter());
}

#[test]
fn a_message_that_needs_no_edit_is_not_split() {
    let world = three(SplitMode::Edits, PersonalActions::TAG, BlackAction::Junk);
    let journey = through(&world, Role::Edge, &envelope(FRIEND, &ALL[2..]), &letter(), &[]);
    assert!(!journey.was_split);
    assert_eq!(journey.copies[0].message, letter());
    let tagged = message(&[("From", b" friend@d.example"), ("Subject", b" Re: [PERSO] Hello")]);
    assert!(!through(&world, Role::Edge, &envelope(FRIEND, &ALL[..1]), &tagged, &[]).was_split);
}

#[test]
fn mixed_splits_only_what_cannot_be_edited_for_all() {
    let world = three(SplitMode::Mixed, PersonalActions::TAG, BlackAction::Discard);
    let alone = through(&world, Role::Edge, &envelope(FRIEND, &ALL[..1]), &letter(), &[]);
    assert!(!alone.was_split);
    assert_eq!(alone.subject("alice@org.example"), "[PERSO] Hello");
    let with_one_who_gets_none = through(&world, Role::Edge, &envelope(FRIEND, &ALL[..2]), &letter(), &[]);
    assert!(!with_one_who_gets_none.was_split);
    assert_eq!(with_one_who_gets_none.addresses(), ["alice@org.example"]);
    let mixed = through(&world, Role::Edge, &envelope(FRIEND, &[ALL[0], ALL[2]]), &letter(), &[]);
    assert!(mixed.was_split);
    assert_eq!(mixed.subject("alice@org.example"), "[PERSO] Hello");
    assert_eq!(mixed.subject("carol@org.example"), "Hello");
}

#[test]
fn only_the_copy_of_who_holds_is_held() {
    for mode in [SplitMode::Edits, SplitMode::Mixed] {
        let world = three(mode, PersonalActions::TAG, BlackAction::Hold);
        let journey = through(&world, Role::Edge, &envelope(FRIEND, &ALL[1..]), &letter(), &[]);
        let held: Vec<bool> = journey.copies.iter().map(|copy| copy.held).collect();
        assert_eq!((journey.addresses(), held), (vec!["bob@org.example", "carol@org.example"], vec![true, false]));
    }
}

/// Aliases are expanded between the passes: what comes by a group's address, or by another person's, is nobody's own.
#[test]
fn a_copy_by_an_address_that_is_not_ones_own_stays_untouched() {
    let world = three(SplitMode::Edits, PersonalActions::TAG, BlackAction::Junk);
    let aliases: Aliases<'_> = &[
        ("team@org.example", &["alice@org.example", "carol@org.example"]),
        ("carol@org.example", &["carol@org.example", "alice@org.example"]),
        ("alice@org.example", &["alice@org.example", "archive@org.example"]),
    ];
    let to =
        |path: &str| through(&world, Role::Edge, &envelope(FRIEND, &[path, "<bob@org.example>"]), &letter(), aliases);
    for path in ["<team@org.example>", "<carol@org.example>"] {
        let journey = to(path);
        assert!(journey.was_split, "bob's copy is filed");
        assert_eq!(journey.subject("alice@org.example"), "Hello", "{path}");
    }
    let journey = to("<alice@org.example>");
    assert_eq!(journey.subject("alice@org.example"), "[PERSO] Hello");
    assert_eq!(journey.copy("archive@org.example").message, letter());
    assert_eq!(to("<alice+news@org.example>").subject("alice+news@org.example"), "[PERSO] Hello");
}

/// Whom only an alias of the MTA or another milter puts in is decided by nobody's list: beside Bob, for whom the message is
/// split, as alone, when the edge sees no user in it.
#[test]
fn whoever_the_sender_did_not_address_is_decided_by_nobodys_list() {
    let world = three(SplitMode::Edits, PersonalActions::TAG, BlackAction::Junk);
    let aliases: Aliases<'_> = &[
        ("a@old.example", &["alice@org.example"]),
        ("x@elsewhere.example", &["alice@org.example", "y@elsewhere.example"]),
    ];
    for path in ["<a@old.example>", "<x@elsewhere.example>"] {
        let alone = through(&world, Role::Edge, &envelope(FRIEND, &[path]), &letter(), aliases);
        assert!(!alone.was_split);
        let beside = through(&world, Role::Edge, &envelope(FRIEND, &[path, ALL[1]]), &letter(), aliases);
        assert!(beside.was_split);
        assert_eq!(beside.copy("alice@org.example"), alone.copy("alice@org.example"), "{path}");
    }
}

/// A person's own address that leads to a deputy too: neither refused nor edited where it would reach both, and each copy is
/// the recipient's own behind the split, in every mode that has one.
#[test]
fn what_comes_to_a_shared_address_is_decided_behind_the_split() {
    for (mode, action) in [
        (SplitMode::Edits, BlackAction::Reject),
        (SplitMode::Mixed, BlackAction::Reject),
        (SplitMode::Edits, BlackAction::Junk),
        (SplitMode::Mixed, BlackAction::Discard),
    ] {
        let mut policy = policy(1);
        policy.black.action = action;
        let world = World::of(policy)
            .with("boss@org.example", UserOptions::default(), &[(ListKind::Black, "friend@d.example".to_owned())])
            .with_shared("boss@org.example");
        let aliases: Aliases<'_> = &[("boss@org.example", &["boss@org.example", "deputy@org.example"])];
        let world = splitting(world, mode);
        let journey = through(&world, Role::Edge, &envelope(FRIEND, &["<boss@org.example>"]), &letter(), aliases);
        assert_eq!(journey.last, Some(Reply::Continue), "{mode} {action}");
        assert!(journey.was_split);
        assert_eq!(journey.copy("deputy@org.example").message, letter());
        let of_boss: Vec<&str> = journey.addresses().into_iter().filter(|to| to.starts_with("boss")).collect();
        assert_eq!(of_boss, if action == BlackAction::Junk { vec!["boss+Junk@org.example"] } else { vec![] });
    }
}

/// What a sender writes into ORCPT changes nobody's copy, whoever passes it on.
#[test]
fn an_original_recipient_that_a_sender_names_changes_no_copy() {
    let claims: &[&str] = &["team@org.example", "carol@org.example", "bob@org.example", "else@d.example", "broken+"];
    for claim in claims {
        let with = |trusted: &[&str]| {
            let mut world = three(SplitMode::Edits, PersonalActions::TAG, BlackAction::Junk);
            let settings = Arc::get_mut(&mut Arc::get_mut(&mut world).unwrap().settings).unwrap();
            settings.trusted_relays = trusted.iter().map(|text| text.parse().unwrap()).collect();
            let mut letter_to = envelope(FRIEND, &["<alice@org.example>", "<bob@org.example>"]);
            letter_to.recipients[0].arguments = vec![format!("ORCPT=rfc822;{claim}").into_bytes()];
            through(&world, Role::Edge, &letter_to, &letter(), &[]).subject("alice@org.example")
        };
        for trusted in [&[][..], &["192.0.2.0/24"]] {
            assert_eq!(with(trusted), "[PERSO] Hello", "{claim}");
        }
    }
}

#[test]
fn a_folder_that_was_typed_is_taken_off_in_mail_from_outside_alone() {
    for (networks, kept) in [(&[][..], false), (&["192.0.2.0/24"][..], true)] {
        let mut world = three(SplitMode::Edits, PersonalActions::TAG, BlackAction::Junk);
        let settings = Arc::get_mut(&mut Arc::get_mut(&mut world).unwrap().settings).unwrap();
        settings.ours = networks.iter().map(|text| text.parse().unwrap()).collect();
        let to = ["<carol+Perso@org.example>", "<alice@org.example>"];
        let journey = through(&world, Role::Edge, &envelope(FRIEND, &to), &letter(), &[]);
        assert!(journey.was_split);
        let expected = if kept { "carol+Perso@org.example" } else { "carol@org.example" };
        assert_eq!(journey.addresses(), [expected, "alice@org.example"]);
    }
}

/// The Received of the first pass stands above what the verifier wrote below it, and counts for no hop.
#[test]
fn the_verifier_beside_the_edge_is_believed_in_the_second_pass_too() {
    for (results, believed) in [(vec![" mx; spf=pass smtp.mailfrom=friend@d.example"], true), (vec![], false)] {
        let mut world = three(SplitMode::Edits, PersonalActions::TAG, BlackAction::Junk);
        let settings = Arc::get_mut(&mut Arc::get_mut(&mut world).unwrap().settings).unwrap();
        settings.authentication = AuthenticationPolicy {
            mode: AuthenticationMode::Required,
            authserv_ids: vec!["mx".to_owned()],
            hops: 0,
            results: 1,
            forwarders: Vec::new(),
        };
        let mut letter = letter();
        letter.headers.insert(0, Header { name: b"Received".to_vec(), value: b" from outside".to_vec() });
        letter.headers.insert(
            1,
            Header {
                name: b"Authentication-Results".to_vec(),
                value: b" mx; spf=pass smtp.mailfrom=friend@d.example (forged)".to_vec(),
            },
        );
        for value in &results {
            let name = b"Authentication-Results".to_vec();
            letter.headers.insert(0, Header { name, value: value.as_bytes().to_vec() });
        }
        let to = ["<alice@org.example>", "<bob@org.example>"];
        let journey = through(&world, Role::Edge, &envelope(FRIEND, &to), &letter, &[]);
        assert_eq!(journey.subject("alice@org.example"), if believed { "[PERSO] Hello" } else { "Hello" });
    }
}

/// The second pass does not see who has logged in: it asks the list of whom the edge was sure of, and nobody's else.
#[test]
fn whose_list_is_asked_about_what_is_sent_is_decided_at_the_edge() {
    for (login, expected) in [(None, "[PERSO] Hello"), (Some("alice"), "[PERSO] Hello"), (Some("bob"), "Hello")] {
        let world = outbound::world(OutboundAction::Tag, UserOptions::default());
        let world = world.with("carol@org.example", UserOptions::default(), &perso(&["alice@org.example"]));
        let world = splitting(world, SplitMode::Edits);
        let mut edge = Mta::new(world.clone(), Role::Edge, Offer::POSTFIX);
        edge.login = login;
        let to = ["<mother@family.example>", "<carol@org.example>"];
        let letter = outbound::letter(" alice@org.example");
        let journey = through_from(edge, &world, &envelope("<alice@org.example>", &to), &letter, &[]);
        assert!(journey.was_split, "carol's copy is tagged");
        assert_eq!(journey.subject("mother@family.example"), expected, "{login:?}");
    }
}

/// Even a marker with the right token, which a sender has from somewhere, is removed at the edge.
#[test]
fn a_forged_marker_is_removed_and_splits_nothing() {
    let world = three(SplitMode::Edits, PersonalActions::TAG, BlackAction::Junk);
    let key = &world.settings.split_key;
    let users = (1..4).map(|user| key.addressed(user)).collect();
    let marker = split::Marker { direction: Direction::Inbound, sender: None, users, claims: Vec::new() };
    let marker = format!(" {}", key.write(&marker));
    let forged = message(&[("X-Perso-Split", marker.as_bytes()), ("Subject", b" Hello")]);
    let journey = through(&world, Role::Edge, &envelope(FRIEND, &ALL[2..]), &forged, &[]);
    assert!(!journey.was_split);
    assert_eq!(journey.copies[0].message, message(&[("Subject", b" Hello")]));
}

/// Whoever can reach the port of the second pass must not try out there what stands on a list.
#[test]
fn mail_that_the_edge_has_not_split_is_decided_by_nobodys_list() {
    let world = three(SplitMode::Edits, PersonalActions::TAG, BlackAction::Junk);
    let mut mta = Mta::new(world, Role::Split, Offer::POSTFIX);
    let sent = mta.send(&envelope(FRIEND, &ALL[..1]), &letter());
    assert!(matches!(mta.notices[..], [Notice::Unmarked { .. }, Notice::Copy]));
    assert_eq!(*sent.message(), letter());
}

/// A copy over a limit would be delivered with our marker in it: it is sent back instead.
#[test]
fn a_copy_over_a_limit_is_answered_451() {
    let world = three(SplitMode::Edits, PersonalActions::TAG, BlackAction::Junk);
    let limit = world.settings.limits.headers;
    for (headers, taken) in [(limit + 100, true), (limit + 1100, false)] {
        let many = message(&vec![("X-Other", &b" x"[..]); headers]);
        let sent = Mta::new(world.clone(), Role::Split, Offer::POSTFIX).send(&envelope(FRIEND, &ALL[..1]), &many);
        let code = match sent.last {
            Some(Reply::Code(code)) => Some(code.code()),
            _ => None,
        };
        assert_eq!(code, (!taken).then_some(451), "{headers} headers");
    }
}

#[test]
fn a_second_recipient_is_sent_back_alone() {
    let world = three(SplitMode::Edits, PersonalActions::TAG, BlackAction::Junk);
    let mut mta = Mta::new(world, Role::Split, Offer::POSTFIX);
    mta.mail(FRIEND);
    let arguments = CommandStrings::default();
    let rcpt = |address: &'static str| {
        Command::Recipient(EnvelopeAddress { address: address.as_bytes(), arguments: arguments.strings() })
    };
    assert_eq!(mta.tell(&rcpt(ALL[0])), Some(Reply::Continue));
    let Some(Reply::Code(code)) = mta.tell(&rcpt(ALL[1])) else { panic!("not refused") };
    assert_eq!((code.code(), &mta.notices[..]), (451, &[Notice::SecondRecipient][..]));
}

/// A message to Alice with others, on its whole way under `split = "edits"`.
fn to_alice(common: &Common, role: Role, path: &str, alice: &Person, others: &[&Person]) -> Journey {
    let names = ["bob@org.example", "carol@org.example", "dan@org.example"];
    let mut people: BTreeMap<&str, &Person> = BTreeMap::from([("alice@org.example", alice)]);
    people.extend(names.into_iter().zip(others.iter().copied()));
    let world = splitting(world(common, &people), SplitMode::Edits);
    let paths: Vec<String> = names.iter().take(others.len()).map(|name| format!("<{name}>")).collect();
    let paths: Vec<&str> = [path].into_iter().chain(paths.iter().map(String::as_str)).collect();
    through(&world, role, &envelope(common.sender, &paths), &raw(common), &[])
}

fn of_alice(journey: &Journey) -> Vec<&Copy> {
    journey.copies.iter().filter(|copy| copy.to.starts_with("alice")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// The first invariant, without any exception where nothing is refused: Alice's copy, header for header, is the one she
    /// gets alone, whoever else is addressed and whatever stands on their lists.
    #[test]
    fn a_copy_is_the_one_that_comes_alone(
        common in any_common(), alice in any_person(), others in vec(any_person(), 1..4),
        path in select(vec!["<alice@org.example>", "<alice+Perso@org.example>", "alice+junk@org.example"]),
    ) {
        let alone = to_alice(&common, Role::Local, path, &alice, &[]);
        let others: Vec<&Person> = others.iter().collect();
        let with = to_alice(&common, Role::Local, path, &alice, &others);
        prop_assert_eq!(of_alice(&with), of_alice(&alone));
    }

    /// At the edge a message is refused only where all who are left refuse it; otherwise a copy is the same whatever stands
    /// on the lists of the others.
    #[test]
    fn a_copy_depends_on_nobody_elses_lists(
        common in any_common(), alice in any_person(), bobs in vec(vec(any_person(), 2), 2),
    ) {
        let mut copies: Option<Vec<Copy>> = None;
        for others in &bobs {
            let others: Vec<&Person> = others.iter().collect();
            let journey = to_alice(&common, Role::Edge, "<alice@org.example>", &alice, &others);
            if matches!(journey.last, Some(Reply::Code(_))) || journey.last.is_none() {
                continue;
            }
            let mine: Vec<Copy> = of_alice(&journey).into_iter().cloned().collect();
            prop_assert_eq!(&mine, copies.get_or_insert_with(|| mine.clone()));
        }
        let alone = to_alice(&common, Role::Edge, "<alice@org.example>", &alice, &[]);
        if let (Some(copies), Some(Reply::Continue)) = (copies, alone.last.as_ref()) {
            prop_assert_eq!(copies.iter().collect::<Vec<_>>(), of_alice(&alone));
        }
    }
}
