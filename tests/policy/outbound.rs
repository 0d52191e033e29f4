//! What our own users send to people on their personal lists: decided for each recipient by the sender's list.

use std::sync::Arc;

use perso_milter::milter::client::message::Message;
use perso_milter::milter::negotiate::Offer;
use perso_milter::milter::reply::Reply;
use perso_milter::milter::settings::{Directory, Role};
use perso_milter::policy::action::{OutboundAction, PersonalActions};
use perso_milter::policy::address::Address;
use perso_milter::policy::list::UserOptions;

use super::world::{Mta, World, envelope, message, perso, policy};

const ALICE: &str = "<alice@org.example>";
const MOTHER: &str = "<mother@family.example>";

/// Alice has her mother as personal; Bob a partner. Mail from 192.0.2.0/24 is our own.
pub fn world(action: OutboundAction, options: UserOptions) -> World {
    let mut policy = policy(1);
    policy.personal.outbound = action;
    policy.personal.actions = PersonalActions::TAG;
    let mut world = World::of(policy)
        .with("alice@org.example", options, &perso(&["mother@family.example", "*.friends.example"]))
        .with("bob@org.example", UserOptions::default(), &perso(&["partner@firm.example"]));
    Arc::get_mut(&mut world.settings).expect("not shared yet").ours = vec!["192.0.2.0/24".parse().expect("a network")];
    world
}

pub fn letter(from: &str) -> Message {
    message(&[("From", from.as_bytes()), ("Subject", b" Hello")])
}

fn subject_of(world: World, from: &str, to: &[&str], letter: &Message) -> String {
    let sent = Mta::new(Arc::new(world), Role::Edge, Offer::POSTFIX).send(&envelope(from, to), letter);
    assert_eq!(sent.last, Some(Reply::Continue));
    String::from_utf8_lossy(sent.message().values("Subject").next().expect("a Subject")).into_owned()
}

#[test]
fn the_senders_list_decides_for_each_recipient() {
    let none = UserOptions::default();
    let paused = UserOptions { paused: true, ..none };
    let functional = UserOptions { functional: true, ..none };
    for (action, options, from, header, to, expected) in [
        (OutboundAction::Tag, none, ALICE, " alice@org.example", MOTHER, "[PERSO] Hello"),
        (OutboundAction::Tag, none, ALICE, " Alice <Alice@ORG.example>", "<Mother@Family.example>", "[PERSO] Hello"),
        (OutboundAction::Tag, none, "<alice+x@org.example>", " alice@org.example", MOTHER, "[PERSO] Hello"),
        (OutboundAction::Tag, none, ALICE, " alice@org.example", "<mother+x@family.example>", "[PERSO] Hello"),
        (OutboundAction::Tag, none, ALICE, " alice@org.example", "<a@b.friends.example>", "[PERSO] Hello"),
        (OutboundAction::Tag, none, ALICE, " alice@org.example", "<father@family.example>", "Hello"),
        (OutboundAction::Tag, none, ALICE, " alice@org.example", "<partner@firm.example>", "Hello"),
        (OutboundAction::Off, none, ALICE, " alice@org.example", MOTHER, "Hello"),
        (OutboundAction::Tag, paused, ALICE, " alice@org.example", MOTHER, "Hello"),
        (OutboundAction::Tag, functional, ALICE, " alice@org.example", MOTHER, "Hello"),
        // Whoever only poses as Alice learns nothing of her list.
        (OutboundAction::Tag, none, ALICE, " bob@org.example", MOTHER, "Hello"),
        (OutboundAction::Tag, none, "<bob@org.example>", " alice@org.example", MOTHER, "Hello"),
        (OutboundAction::Tag, none, "<>", " alice@org.example", MOTHER, "Hello"),
    ] {
        let subject = subject_of(world(action, options), from, &[to], &letter(header));
        assert_eq!(subject, expected, "{action} {from} {header} {to}");
    }
}

/// Whoever has logged in is asked for their own list alone, whatever they write into MAIL and From.
#[test]
fn a_login_that_is_not_the_senders_learns_nothing_of_a_list() {
    for (login, expected) in [
        ("alice@org.example", "[PERSO] Hello"),
        ("Alice@ORG.example", "[PERSO] Hello"),
        ("alice+laptop@org.example", "[PERSO] Hello"),
        ("a.martin@other.example", "[PERSO] Hello"),
        ("alice", "[PERSO] Hello"),
        ("bob@org.example", "Hello"),
        ("bob", "Hello"),
        // Names that are nobody's address.
        ("u12345", "Hello"),
        ("alice@mx.org.example", "Hello"),
        ("alice@", "Hello"),
        ("@org.example", "Hello"),
        ("bob alice@org.example", "Hello"),
    ] {
        let mut mta = Mta::new(Arc::new(named(OutboundAction::Tag)), Role::Edge, Offer::POSTFIX);
        mta.login = Some(login);
        let sent = mta.send(&envelope(ALICE, &[MOTHER]), &letter(" alice@org.example"));
        assert_eq!(sent.message().values("Subject").next(), Some(expected.as_bytes()), "{login}");
    }
}

/// The same with one more address of Alice's.
fn named(action: OutboundAction) -> World {
    let world = world(action, UserOptions::default());
    let alice = world.lists(&Address::parse("alice@org.example").expect("an address")).expect("a user");
    world.with_user("a.martin@other.example", alice)
}

#[test]
fn mail_from_outside_is_none_of_ours_whatever_it_says() {
    let mut world = world(OutboundAction::Tag, UserOptions::default());
    Arc::get_mut(&mut world.settings).expect("not shared yet").ours = Vec::new();
    assert_eq!(subject_of(world, ALICE, &[MOTHER], &letter(" alice@org.example")), "Hello");
}

#[test]
fn a_mark_is_signed_for_the_sender() {
    let world = world(OutboundAction::Mark, UserOptions::default());
    let sent = Mta::new(Arc::new(world), Role::Edge, Offer::POSTFIX)
        .send(&envelope(ALICE, &[MOTHER]), &letter(" alice@org.example"));
    assert_eq!(sent.message().values("X-Perso").count(), 1);
    assert_eq!(sent.message().values("Subject").next(), Some(&b"Hello"[..]));
}

/// Without the split, what not all recipients share is left out, as it is for mail that comes in.
#[test]
fn one_recipients_tag_is_not_anothers() {
    let world = world(OutboundAction::Tag, UserOptions::default());
    let subject = subject_of(world, ALICE, &[MOTHER, "<father@family.example>"], &letter(" alice@org.example"));
    assert_eq!(subject, "Hello");
}
