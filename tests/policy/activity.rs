//! Who wants to see what became of their messages is told of each exactly once, and of what truly became of it; nobody else
//! is told anything.

use std::sync::Arc;

use perso_milter::milter::client::Recipient;
use perso_milter::milter::client::message::Message;
use perso_milter::milter::settings::{Directory, Role};
use perso_milter::policy::action::{BlackAction, OutboundAction, PersonalActions, SplitMode};
use perso_milter::policy::address::Address;
use perso_milter::policy::authres::{AuthenticationMode, AuthenticationPolicy};
use perso_milter::policy::decide::{Addressed, Outcome, Verdict};
use perso_milter::policy::list::{ListKind, UserOptions};
use perso_milter::policy::plan::Delivery;

use super::split::{Journey, through};
use super::world::{Told, World, envelope, message, perso, policy};

const ALL: [&str; 4] = ["<alice@org.example>", "<bob@org.example>", "<carol@org.example>", "<dora@org.example>"];
const KEEPS: UserOptions =
    UserOptions { personal_actions: None, black_action: None, functional: false, paused: false, activity: true };

/// Alice has the friend as personal, Bob blocks them, Carol has no entry; all want to see it. Dora, who has the friend as
/// personal too, does not.
fn four(mode: SplitMode, actions: PersonalActions, black: BlackAction) -> Arc<World> {
    let mut policy = policy(1);
    policy.personal.actions = actions;
    policy.black.action = black;
    let mut world = World::of(policy)
        .with("alice@org.example", KEEPS, &perso(&["friend@d.example"]))
        .with("bob@org.example", KEEPS, &[(ListKind::Black, "friend@d.example".to_owned())])
        .with("carol@org.example", KEEPS, &[])
        .with("dora@org.example", UserOptions::default(), &perso(&["friend@d.example"]));
    Arc::get_mut(&mut world.settings).expect("not shared yet").split = mode;
    Arc::new(world)
}

fn letter(from: &str) -> Message {
    message(&[("From", format!(" {from}").as_bytes()), ("Subject", b" Hello")])
}

/// The only thing a user was told.
fn told_once(told: &[Told], user: u64) -> &Told {
    let own: Vec<&Told> = told.iter().filter(|told| told.user == user).collect();
    assert_eq!(own.len(), 1, "user {user}: {own:?}");
    own[0]
}

/// That a user was told what the copies show.
fn assert_true(told: &Told, name: &str, journey: &Journey) {
    let copy = journey.copies.iter().find(|copy| copy.to.split(['@', '+']).next() == Some(name));
    let folder = copy.and_then(|copy| copy.to.strip_prefix(&format!("{name}+"))?.strip_suffix("@org.example"));
    match &told.effect.delivery {
        Delivery::Discarded | Delivery::Rejected => assert!(copy.is_none(), "{name}"),
        Delivery::Folder(named) => assert_eq!(folder, Some(named.as_str()), "{name}"),
        Delivery::Held => assert!(copy.is_some_and(|copy| copy.held), "{name}"),
        Delivery::AsAddressed | Delivery::DetailRemoved => assert!(copy.is_some() && folder.is_none(), "{name}"),
        Delivery::Split => panic!("{name} was told of a copy that was not decided"),
    }
    let subject = copy.and_then(|copy| copy.message.values("Subject").next());
    let is_tagged = subject.is_some_and(|subject| subject.trim_ascii_start().starts_with(b"[PERSO]"));
    assert_eq!(told.effect.tagged, is_tagged, "{name}");
}

#[test]
fn each_who_wants_it_is_told_once_of_what_happened() {
    let names = ["alice", "bob", "carol"];
    let actions = [PersonalActions::TAG, PersonalActions::FOLDER, PersonalActions::TAG | PersonalActions::MARK];
    let blacks = [BlackAction::Reject, BlackAction::Discard, BlackAction::Hold, BlackAction::Junk];
    for mode in [SplitMode::Off, SplitMode::Mixed, SplitMode::Edits] {
        for (actions, black) in actions.into_iter().flat_map(|actions| blacks.map(|black| (actions, black))) {
            let world = four(mode, actions, black);
            for sender in ["friend@d.example", "stranger@d.example"] {
                for recipients in [&ALL[..], &ALL[..1], &ALL[1..2], &ALL[2..3], &ALL[1..]] {
                    let letter = letter(sender);
                    let journey =
                        through(&world, Role::Edge, &envelope(&format!("<{sender}>"), recipients), &letter, &[]);
                    let told = world.told();
                    let addressed = names.iter().zip(1..).filter(|(name, _)| recipients.concat().contains(*name));
                    let addressed: Vec<_> = addressed.collect();
                    assert_eq!(told.len(), addressed.len(), "{mode} {actions} {black} {recipients:?}: {told:?}");
                    for (name, user) in addressed {
                        assert_true(told_once(&told, user), name, &journey);
                    }
                }
            }
        }
    }
}

#[test]
fn both_senders_are_told_and_a_refusal_at_rcpt_knows_of_one() {
    let world = four(SplitMode::Off, PersonalActions::TAG, BlackAction::Reject);
    through(&world, Role::Edge, &envelope("<bounce@news.example>", &ALL[..1]), &letter("friend@d.example"), &[]);
    let told = world.told();
    let senders = ["bounce@news.example", "friend@d.example"].map(|sender| Some(sender.to_owned()));
    assert_eq!(told_once(&told, 1).senders, senders);
    through(&world, Role::Edge, &envelope("<friend@d.example>", &ALL[1..2]), &letter("friend@d.example"), &[]);
    let told = world.told();
    let bob = told_once(&told, 2);
    assert_eq!(bob.senders, [Some("friend@d.example".to_owned()), None]);
    assert_eq!(
        (bob.verdict.outcome, &bob.effect.delivery),
        (Outcome::Blocked(BlackAction::Reject), &Delivery::Rejected)
    );
}

/// Whoever repeats an address, or writes to all addresses of one person, takes one row of their history.
#[test]
fn a_user_is_told_once_of_a_message_however_often_it_names_them() {
    let world = World::of(policy(1)).with("alice@org.example", KEEPS, &[(ListKind::Black, "a@d.example".to_owned())]);
    let alice = world.lists(&Address::parse("alice@org.example").expect("an address")).expect("a user");
    let world = Arc::new(world.with_user("a.martin@org.example", alice));
    let aliases = ["<alice@org.example>", "<a.martin@org.example>", "<alice@org.example>"];
    for (sender, delivery) in [("a@d.example", Delivery::Rejected), ("b@d.example", Delivery::AsAddressed)] {
        through(&world, Role::Edge, &envelope(&format!("<{sender}>"), &aliases), &letter(sender), &[]);
        assert_eq!(told_once(&world.told(), 1).effect.delivery, delivery, "{sender}");
    }
}

#[test]
fn a_copy_by_a_groups_address_is_told_as_such() {
    let world = four(SplitMode::Edits, PersonalActions::TAG, BlackAction::Junk);
    // Dora's copy is split off, and so is the group's.
    let recipients = ["<dora@org.example>", "<team@org.example>"];
    let aliases: &[(&str, &[&str])] = &[("team@org.example", &["alice@org.example", "carol@org.example"])];
    let letter = letter("friend@d.example");
    let journey = through(&world, Role::Edge, &envelope("<friend@d.example>", &recipients), &letter, aliases);
    assert!(journey.was_split);
    let told = world.told();
    assert_eq!(told.len(), 2);
    for user in [1, 3] {
        let told = told_once(&told, user);
        assert_eq!((told.verdict.reason.addressed, told.verdict.outcome), (Addressed::ByAnother, Outcome::UNTOUCHED));
    }
}

/// What stands on the sender's own list is no part of what a recipient is told.
#[test]
fn the_senders_own_list_is_not_told() {
    let mut policy = policy(1);
    policy.personal.outbound = OutboundAction::Tag;
    let world = World::of(policy).with("alice@org.example", UserOptions::default(), &perso(&["bob@org.example"])).with(
        "bob@org.example",
        KEEPS,
        &[],
    );
    let mut world = world;
    let settings = Arc::get_mut(&mut world.settings).expect("not shared yet");
    settings.ours = vec!["192.0.2.0/24".parse().expect("a network")];
    let world = Arc::new(world);
    let letter = letter("alice@org.example");
    let journey = through(&world, Role::Edge, &envelope("<alice@org.example>", &["<bob@org.example>"]), &letter, &[]);
    let subject = journey.copies[0].message.values("Subject").next().expect("a Subject");
    assert!(subject.trim_ascii_start().starts_with(b"[PERSO]"));
    assert_eq!(told_once(&world.told(), 2).verdict, Verdict::UNTOUCHED);
}

/// A message over a limit that is sent back comes again; one that passes as it is does not.
#[test]
fn a_message_over_a_limit_is_told_once_it_passes() {
    let options = KEEPS;
    let mut world = World::of(policy(1)).with("alice@org.example", options, &perso(&["friend@d.example"]));
    let settings = Arc::get_mut(&mut world.settings).expect("not shared yet");
    settings.limits.headers = 1;
    settings.authentication = AuthenticationPolicy { mode: AuthenticationMode::Off, ..Default::default() };
    let world = Arc::new(world);
    let letter = letter("friend@d.example");
    let to_alice = envelope("<friend@d.example>", &ALL[..1]);
    through(&world, Role::Edge, &to_alice, &letter, &[]);
    assert!(world.told().is_empty(), "it was answered 451");
    through(&world, Role::Local, &to_alice, &letter, &[]);
    let told = world.told();
    assert_eq!((told_once(&told, 1).verdict, &told[0].effect.delivery), (Verdict::UNTOUCHED, &Delivery::AsAddressed));
}

/// The lists are paused, and still the user is told of what comes.
#[test]
fn who_has_paused_their_lists_is_told_too() {
    let options = UserOptions { paused: true, ..KEEPS };
    let world = Arc::new(World::of(policy(1)).with("alice@org.example", options, &perso(&["friend@d.example"])));
    let mut letter_to = envelope("<friend@d.example>", &[]);
    letter_to.recipients = vec![Recipient::new("<alice@org.example>")];
    through(&world, Role::Edge, &letter_to, &letter("friend@d.example"), &[]);
    assert!(told_once(&world.told(), 1).verdict.reason.paused);
}
