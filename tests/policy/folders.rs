//! Folders that nobody has proven: nothing is filed into them, nothing is dropped for that, and all else goes on.

use perso_milter::milter::negotiate::Offer;
use perso_milter::milter::settings::Role;
use perso_milter::policy::action::{BlackAction, LateAction, PersonalActions};
use perso_milter::policy::list::{ListKind, UserOptions};
use perso_milter::policy::organisation::{FolderChoice, OrgPolicy, Proof};

use super::world::{Entry, Sent, World, envelope, message, policy, send};

const FRIEND: &str = "<a@d.example>";

/// An organisation that files personal and blocked messages, as far as their folders are proven.
fn filing(personal: Proof, junk: Proof) -> OrgPolicy {
    let mut policy = policy(1);
    policy.personal.actions = PersonalActions::TAG | PersonalActions::FOLDER;
    policy.personal.folder_proof = personal;
    policy.black.late_action = LateAction::Junk;
    policy.black.junk_proof = junk;
    policy
}

fn to_alice(policy: OrgPolicy, action: Option<BlackAction>, list: ListKind, paths: &[&str]) -> Sent {
    let options = UserOptions { black_action: action, ..UserOptions::default() };
    let entries: [Entry; 1] = [(list, "a@d.example".to_owned())];
    let world = World::of(policy).with("alice@org.example", options, &entries);
    // Blocked by the header sender alone: nobody is refused at RCPT.
    let sender = if list == ListKind::Black { "<bounces@d.example>" } else { FRIEND };
    let letter = message(&[("From", b" a@d.example"), ("Subject", b" Hello")]);
    send(world, Role::Edge, Offer::POSTFIX, &envelope(sender, paths), &letter).0
}

#[test]
fn a_personal_message_is_tagged_and_stays_where_it_is_addressed_to() {
    let filed = |personal, junk, path| to_alice(filing(personal, junk), None, ListKind::Personal, &[path]);
    for (path, proven, unproven) in [
        ("<alice@org.example>", "alice+Perso@org.example", "alice@org.example"),
        ("<alice+Perso@org.example>", "alice+Perso@org.example", "alice+Perso@org.example"),
        ("<alice+news@org.example>", "alice+Perso@org.example", "alice+news@org.example"),
    ] {
        assert_eq!(filed(Proof::Proven, Proof::Unproven, path).addresses(), [proven]);
        let sent = filed(Proof::Unproven, Proof::Proven, path);
        assert_eq!(sent.addresses(), [unproven]);
        assert_eq!(sent.message().values("Subject").next(), Some(&b"[PERSO] Hello"[..]), "the tag needs no folder");
    }
}

#[test]
fn a_blocked_message_is_delivered_where_it_would_be_filed_and_dropped_where_that_is_asked_for() {
    let others = ["<alice@org.example>", "<x@elsewhere.example>"];
    for (action, proven, unproven) in [
        (BlackAction::Junk, "alice+Junk@org.example", Some("alice@org.example")),
        (BlackAction::Hold, "alice+Junk@org.example", Some("alice@org.example")),
        (BlackAction::Reject, "alice+Junk@org.example", Some("alice@org.example")),
    ] {
        let to = |junk| to_alice(filing(Proof::Proven, junk), Some(action), ListKind::Black, &others);
        let alice = |sent: &Sent| sent.addresses().into_iter().find(|address| address.starts_with("alice"));
        assert_eq!(alice(&to(Proof::Proven)).as_deref(), Some(proven), "{action}");
        assert_eq!(alice(&to(Proof::Unproven)).as_deref(), unproven, "{action}");
    }
    for (action, late) in [(BlackAction::Discard, LateAction::Junk), (BlackAction::Reject, LateAction::Discard)] {
        let mut policy = filing(Proof::Proven, Proof::Unproven);
        policy.black.late_action = late;
        let sent = to_alice(policy, Some(action), ListKind::Black, &others);
        assert_eq!(sent.addresses(), ["x@elsewhere.example"], "{action}: no folder is needed to drop it");
    }
    // What can be refused or held whole needs no folder either.
    let alone = |action| to_alice(filing(Proof::Proven, Proof::Unproven), Some(action), ListKind::Black, &others[..1]);
    assert!(alone(BlackAction::Reject).delivery.is_none());
    assert!(alone(BlackAction::Hold).delivery.is_some_and(|delivery| delivery.held.is_some()));
}

/// A stranger does not choose where personal mail lies, least of all one who is blocked.
#[test]
fn a_typed_personal_folder_is_taken_off_all_the_same() {
    for (list, action) in [(ListKind::White, None), (ListKind::Black, Some(BlackAction::Junk))] {
        let policy = filing(Proof::Unproven, Proof::Unproven);
        let sent = to_alice(policy, action, list, &["<alice+Perso@org.example>"]);
        assert_eq!(sent.addresses(), ["alice@org.example"], "{list}");
    }
}

#[test]
fn what_asks_for_an_unproven_folder_is_told() {
    let personal = |actions| UserOptions { personal_actions: Some(actions), ..UserOptions::default() };
    let black = |action| UserOptions { black_action: Some(action), ..UserOptions::default() };
    let quiet = [personal(PersonalActions::TAG), black(BlackAction::Discard), black(BlackAction::Reject)];
    let unproven = |organisation: &OrgPolicy, users: &[UserOptions]| -> Vec<(FolderChoice, String)> {
        organisation.unproven(users).into_iter().map(|(choice, folder)| (choice, folder.to_owned())).collect()
    };
    let told = |choice, folder: &str| (choice, folder.to_owned());

    let mut organisation = policy(1);
    (organisation.personal.folder_proof, organisation.black.junk_proof) = (Proof::Unproven, Proof::Unproven);
    assert_eq!(unproven(&organisation, &quiet), [], "the defaults need no folder");
    let users = [personal(PersonalActions::FOLDER | PersonalActions::TAG), black(BlackAction::Hold)];
    let of_users = [told(FolderChoice::UsersPersonalActions, "Perso"), told(FolderChoice::UsersBlackAction, "Junk")];
    assert_eq!(unproven(&organisation, &users), of_users);
    assert_eq!(unproven(&organisation, &[black(BlackAction::Junk)]), of_users[1..]);

    organisation.personal.actions = PersonalActions::FOLDER;
    organisation.black.late_action = LateAction::Junk;
    for action in [BlackAction::Junk, BlackAction::Hold] {
        organisation.black.action = action;
        let choices = [FolderChoice::PersonalActions, FolderChoice::BlackAction, FolderChoice::LateAction];
        let folders = ["Perso", "Junk", "Junk"];
        let expected: Vec<_> = choices.into_iter().zip(folders).map(|(choice, folder)| told(choice, folder)).collect();
        assert_eq!(unproven(&organisation, &quiet), expected);
    }
    (organisation.personal.folder_proof, organisation.black.junk_proof) = (Proof::Proven, Proof::Proven);
    assert_eq!(unproven(&organisation, &users), []);
}
