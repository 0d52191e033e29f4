//! Addresses that reach more than one mailbox: whatever anybody's lists say, what comes to one stays as it is.

use std::sync::Arc;

use perso_milter::mark::MarkKey;
use perso_milter::milter::client::{Envelope, Recipient};
use perso_milter::milter::negotiate::Offer;
use perso_milter::milter::reply::Reply;
use perso_milter::milter::settings::{Role, Settings};
use perso_milter::policy::action::{BlackAction, PersonalActions};
use perso_milter::policy::decide::{Addressed, Verdict};
use perso_milter::policy::list::{ListKind, UserOptions};
use perso_milter::split::SplitKey;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::world::{Entry, Sent, World, envelope, message, own_lists, perso, policy, send};

const BOSS: &str = "boss@org.example";
const TEAM: &str = "team@org.example";
const HEADERS: [(&str, &[u8]); 3] =
    [("From", b" a@d.example"), ("Subject", b" ***SPAM*** Hi"), ("X-Spam-Flag", b" YES")];

/// Boss, whose address the secretary gets the mail of as well, with a second address of their own; and a group.
fn world(options: UserOptions, entries: &[Entry]) -> World {
    let world = World::of(policy(1)).with(BOSS, options, entries).with_shared(BOSS).with_shared(TEAM);
    world.with("b@org.example", options, entries)
}

fn to(world: World, recipients: &[&str]) -> (Sent, Arc<World>) {
    send(world, Role::Edge, Offer::POSTFIX, &envelope("<a@d.example>", recipients), &message(&HEADERS))
}

fn is_untouched(sent: &Sent, recipients: &[&str]) -> bool {
    sent.edits.is_empty() && sent.last == Some(Reply::Continue) && sent.addresses() == recipients
}

#[test]
fn the_same_sender_is_personal_at_ones_own_address_alone() {
    let world = || world(UserOptions::default(), &perso(&["a@d.example"]));
    for (recipient, tagged) in [
        ("b@org.example", true),
        (BOSS, false),
        ("Boss@ORG.example", false),
        ("boss+x@org.example", false),
        (TEAM, false),
    ] {
        let (sent, _) = to(world(), &[recipient]);
        assert_eq!(is_untouched(&sent, &[recipient]), !tagged, "{recipient}: {:?}", sent.edits);
    }
}

/// The most specific form of an address that is known decides: as the mail system looks it up.
#[test]
fn a_detail_that_is_an_address_of_its_own_is_not_shared() {
    let world = world(UserOptions::default(), &[]);
    let world = world.with("boss+private@org.example", UserOptions::default(), &perso(&["a@d.example"]));
    let (sent, _) = to(world, &["boss+private@org.example"]);
    assert_eq!(sent.edits.len(), 1, "tagged");
}

#[test]
fn a_folder_that_an_outside_sender_types_is_taken_off() {
    for (recipient, delivered) in [
        ("<boss+Perso@org.example>", BOSS),
        ("<team+perso@org.example>", TEAM),
        ("<team+news@org.example>", "team+news@org.example"),
    ] {
        let mut letter: Envelope = envelope("<a@d.example>", &[]);
        letter.recipients = vec![Recipient { address: recipient.into(), arguments: vec![b"NOTIFY=NEVER".to_vec()] }];
        let world = world(UserOptions::default(), &perso(&["a@d.example"]));
        let (sent, _) = send(world, Role::Edge, Offer::POSTFIX, &letter, &message(&HEADERS));
        assert_eq!(sent.addresses(), [delivered]);
        assert_eq!(sent.delivery.expect("delivered").recipients[0].arguments, [b"NOTIFY=NEVER".to_vec()]);
    }
}

#[test]
fn an_organisation_that_is_not_known_yet_changes_nothing() {
    let mut settings = Settings::new(MarkKey::new(&[0; 32]), SplitKey::new(&[0; 32]));
    settings.ours = Vec::new();
    let world = World::new(settings).with_shared(TEAM);
    let (sent, _) = to(world, &["team+Perso@org.example"]);
    assert!(is_untouched(&sent, &["team+Perso@org.example"]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands on the lists of those behind it and of the organisation: accepted, not a byte changed, and the
    /// reason says why.
    #[test]
    fn no_list_touches_what_comes_to_a_shared_address(
        entries in vec((select(ListKind::ALL.to_vec()), select(vec!["a@d.example", "d.example", "*.d.example"])), 0..5),
        enforced in vec((select(vec![ListKind::White, ListKind::Black]), select(vec!["d.example"])), 0..2),
        personal in option::of((0u8..8).prop_map(PersonalActions::from_bits)),
        black in option::of((0u8..4).prop_map(BlackAction::from_code)),
        recipients in select(vec![&[BOSS][..], &[TEAM], &[TEAM, BOSS]]),
    ) {
        let owned = |entries: Vec<(ListKind, &str)>| -> Vec<Entry> {
            entries.into_iter().map(|(list, text)| (list, text.to_owned())).collect()
        };
        let options = UserOptions { personal_actions: personal, black_action: black, ..UserOptions::default() };
        let mut world = world(options, &owned(entries));
        let mut organisation = policy(1);
        organisation.enforced = own_lists(&owned(enforced));
        let mut settings = Settings::new(MarkKey::new(&[0; 32]), SplitKey::new(&[0; 32])).with_organisations([Arc::new(organisation)]);
        settings.ours = Vec::new();
        world.settings = Arc::new(settings);
        let (sent, world) = to(world, recipients);
        prop_assert!(is_untouched(&sent, recipients), "{:?}", sent.edits);
        for recipient in recipients {
            let verdict = world.verdict_of(recipient.as_bytes()).expect("decided");
            prop_assert_eq!(verdict, Verdict::SHARED);
            prop_assert_eq!(verdict.reason.addressed, Addressed::Shared);
        }
    }
}
