//! What every backend of [`Store`] must do.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::date;
use perso_milter::policy::action::{BlackAction, PersonalActions};
use perso_milter::policy::address::Address;
use perso_milter::policy::list::{ListKind, MAX_ENTRIES, UserOptions};
use perso_milter::store::*;

use crate::common::*;
use crate::lists::*;

conformance! { sqlite:
    an_organisation_is_shown_as_it_was_made
    names_and_domains_belong_to_one_organisation
    settings_are_taken_all_or_none
    own_lists_hold_white_and_black
    an_organisation_with_users_stays_unless_asked
    a_confirmed_probe_proves_its_folder
    a_probe_is_confirmed_once_and_in_time
    probes_of_one_organisation_give_way_to_later_ones
    a_proof_is_taken_back
    the_choices_of_users_are_told_once_each
    a_user_is_found_by_each_address
    an_address_belongs_to_one_user
    a_final_address_may_stand_where_nobody_serves
    a_reassigned_address_is_a_new_user
    users_are_paged_by_address
    options_and_status_are_kept
    a_shared_address_is_kept_and_forgotten
    a_shared_address_belongs_to_one_organisation
    a_shared_address_goes_with_its_domain_and_stays_without_its_user
    aliases_are_imported_by_line
    shared_addresses_are_loaded_and_their_changes_told
    entries_are_read_by_their_user
    adding_and_removing_answer_alike
    a_value_may_stand_on_several_lists
    edits_are_carried_out_in_order_all_or_none
    a_functional_mailbox_has_no_personal_list
    a_full_list_is_told_to_its_user_alone
    nobody_else_reads_a_list
    a_grant_opens_one_list_for_a_while
    a_revoked_grant_opens_nothing
    the_user_sees_who_did_what
    the_journal_verifies_and_can_be_cut
    users_are_imported_by_line
    entries_are_imported_by_line
    a_note_stands_beside_its_entry_for_its_user_alone
    what_others_added_waits_for_its_user
    only_the_user_notes_and_confirms
    a_change_is_undone_and_the_undoing_too
    a_removed_entry_comes_back_as_it_was
    a_moved_entry_goes_back_with_its_note
    undoing_a_second_list_gives_the_note_of_the_first_back
    a_name_is_the_note_where_there_is_none
    only_the_user_is_told_what_a_change_did
    what_would_be_refused_today_does_not_come_back
    parts_of_lists_are_read_alone
    long_lists_are_read_in_order_each_entry_with_its_own_note
    the_journal_shows_the_beginning_of_a_long_change_and_what_was_undone
    later_changes_are_not_undone_by_an_earlier_one
    a_note_is_undone
    what_is_too_old_or_not_there_is_not_undone
    a_large_change_is_undone_whole
    totals_show_days_that_are_over
    totals_of_few_users_are_shown_to_nobody
    changes_come_once_and_in_order
    a_follower_that_is_behind_or_ahead_reloads
    glob_patterns_are_loaded_beside_the_lists
    errors_tell_who_is_at_fault
}

fn id(store: &dyn Store, name: &str) -> OrganisationId {
    store.organisation(name).expect("an organisation").id
}

fn an_organisation_is_shown_as_it_was_made(store: &dyn Store, clock: &TestClock) {
    let admin = administrator();
    let id = store.add_organisation(&admin, "acme", &[domain("b.example"), domain("a.example")]).expect("added");
    store.protect_domain(&admin, id, &domain("client.example")).expect("protected");
    store.protect_domain(&admin, id, &domain("other.example")).expect("protected");
    store.unprotect_domain(&admin, id, &domain("other.example")).expect("unprotected");
    let shown = store.organisation("acme").expect("shown");
    let expected = Organisation {
        id,
        name: "acme".to_owned(),
        settings: OrganisationSettings::default(),
        domains: vec![domain("a.example"), domain("b.example")],
        protected: vec![domain("client.example")],
        proven: Vec::new(),
        created: clock.now(),
    };
    assert_eq!(shown, expected);
    assert_eq!(store.organisations().expect("listed"), [expected]);
}

fn names_and_domains_belong_to_one_organisation(store: &dyn Store, _: &TestClock) {
    let admin = administrator();
    let acme = acme(store);
    let again = store.add_organisation(&admin, "acme", &[]);
    assert!(matches!(again, Err(StoreError::OrganisationTaken(name)) if name == "acme"));
    let taken = store.add_organisation(&admin, "other", &[domain("free.example"), domain("acme.example")]);
    assert!(matches!(taken, Err(StoreError::DomainTaken { organisation, .. }) if organisation == "acme"));
    assert!(matches!(store.organisation("other"), Err(StoreError::UnknownOrganisation(_))), "nothing is left of it");
    store.add_domain(&admin, acme, &domain("acme.example")).expect("it is its own already");
    for name in ["", " a", "a\nb", &"x".repeat(MAX_NAME + 1)] {
        assert!(matches!(store.add_organisation(&admin, name, &[]), Err(StoreError::Invalid(_))), "{name:?}");
    }
    store.add_user(&admin, &person("anne@acme.example")).expect("added");
    assert!(matches!(store.remove_domain(&admin, acme, &domain("acme.example")), Err(StoreError::DomainInUse(_))));
    store.add_domain(&admin, acme, &domain("free.example")).expect("added");
    store.remove_domain(&admin, acme, &domain("free.example")).expect("removed");
}

fn settings_are_taken_all_or_none(store: &dyn Store, _: &TestClock) {
    let id = acme(store);
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    store
        .set_organisation(&administrator(), id, &[pair("tag", "[PRIVÉ]"), pair("personal_actions", "tag,mark")])
        .expect("set");
    let failed = store.set_organisation(&administrator(), id, &[pair("tag", "[X]"), pair("folder", "a b")]);
    assert!(matches!(failed, Err(StoreError::Setting(SettingError::Value { key: "folder", .. }))));
    let settings = store.organisation("acme").expect("shown").settings;
    assert_eq!(settings.tag.as_deref(), Some("[PRIVÉ]"));
    assert_eq!(settings.personal_actions, Some(PersonalActions::TAG | PersonalActions::MARK));
    store.set_organisation(&administrator(), id, &[pair("tag", "")]).expect("unset");
    assert_eq!(store.organisation("acme").expect("shown").settings.tag, None);
}

fn own_lists_hold_white_and_black(store: &dyn Store, _: &TestClock) {
    let (admin, id) = (administrator(), acme(store));
    let entry = |level, list, text| OwnEntry { level, list, value: value(text) };
    let kept = [
        entry(Level::Enforced, ListKind::White, "client.example"),
        entry(Level::Default, ListKind::Black, "*.spam.example"),
    ];
    let gone = entry(Level::Enforced, ListKind::Black, "a@spam.example");
    for entry in kept.iter().chain([&gone, &gone]) {
        store.add_own_entry(&admin, id, entry).expect("added");
    }
    store.remove_own_entry(&admin, id, &gone).expect("removed");
    store.remove_own_entry(&admin, id, &gone).expect("removed before");
    assert_eq!(store.own_lists(id).expect("read"), kept);
    let personal = entry(Level::Default, ListKind::Personal, "a@b.example");
    assert!(matches!(store.add_own_entry(&admin, id, &personal), Err(StoreError::Invalid(_))));
}

fn an_organisation_with_users_stays_unless_asked(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let id = id(store, "acme");
    let refused = store.remove_organisation(&administrator(), id, RemainingUsers::Refuse);
    assert!(matches!(refused, Err(StoreError::UsersRemain { users: 1, .. })));
    store.remove_organisation(&administrator(), id, RemainingUsers::Erase).expect("removed");
    assert!(matches!(store.user(user), Err(StoreError::UnknownUser(_))));
    assert_ne!(acme(store), id, "the number of an organisation is never used again");
}

fn plus(name: &str) -> AddressedFolder {
    AddressedFolder { delimiter: '+', name: name.parse().expect("a folder") }
}

/// Proves a folder at once, as somebody who reads the mailbox does.
fn prove(store: &dyn Store, id: OrganisationId, folder: &AddressedFolder) {
    let (code, _) = store.begin_probe(&administrator(), id, folder).expect("begun");
    store.confirm_probe(&administrator(), &code).expect("confirmed");
}

fn a_confirmed_probe_proves_its_folder(store: &dyn Store, clock: &TestClock) {
    let acme = acme(store);
    let other = store.add_organisation(&administrator(), "other", &[domain("other.example")]).expect("added");
    let mut feed = store.feed().expect("a feed");
    let start = feed.load(&|_| {}).expect("loaded").position;
    let (code, probe) = store.begin_probe(&administrator(), acme, &plus("Perso")).expect("begun");
    let sent = clock.now();
    let expires = sent + SignedDuration::try_from(PROBE_LIFE).expect("a week");
    assert_eq!(probe, Probe { organisation: acme, folder: plus("Perso"), sent, expires });
    assert_eq!(store.probes().expect("read"), std::slice::from_ref(&probe));
    assert!(!store.organisation("acme").expect("shown").is_proven('+', "Perso"), "nobody has found it yet");
    assert!(batch(feed.changes(start, 9).expect("read")).organisations.is_empty(), "nothing changed yet");

    clock.advance(Duration::from_secs(60));
    assert_eq!(store.confirm_probe(&administrator(), &code).expect("confirmed"), probe);
    assert!(store.probes().expect("read").is_empty());
    let shown = store.organisation("acme").expect("shown");
    assert_eq!(shown.proven, [ProvenFolder { folder: plus("Perso"), proven: clock.now() }]);
    assert!(shown.is_proven('+', "Perso"));
    assert!(!shown.is_proven('-', "Perso") && !shown.is_proven('+', "perso") && !shown.is_proven('+', "Junk"));
    let told = batch(feed.changes(start, 9).expect("read")).organisations;
    let loaded = LoadedOrganisation { organisation: shown, own_lists: Vec::new() };
    assert_eq!(told, [(acme, Some(loaded))], "followers hear of it");
    assert!(store.organisation("other").expect("shown").proven.is_empty(), "{other} has a mail store of its own");
    let check = store.verify_journal(acme).expect("verified");
    assert_eq!((check.broken, check.rows), (None, 4), "the organisation, its domain, the probe, the proof");
}

fn a_probe_is_confirmed_once_and_in_time(store: &dyn Store, clock: &TestClock) {
    let id = acme(store);
    let begin = || store.begin_probe(&administrator(), id, &plus("Perso")).expect("begun").0;
    let confirm = |code: &ProbeCode| store.confirm_probe(&administrator(), code);
    let stranger: ProbeCode = "ABCD-EFGH-JKMN".parse().expect("a code");
    let (code, withdrawn) = (begin(), begin());
    store.withdraw_probe(&administrator(), &withdrawn).expect("withdrawn");
    for unknown in [&stranger, &withdrawn] {
        assert!(matches!(confirm(unknown), Err(StoreError::UnknownProbe)));
        assert!(matches!(store.withdraw_probe(&administrator(), unknown), Err(StoreError::UnknownProbe)));
    }
    confirm(&code).expect("confirmed");
    assert!(matches!(confirm(&code), Err(StoreError::UnknownProbe)), "once");
    store.forget_proven(&administrator(), id, None).expect("forgotten");

    let late = begin();
    clock.advance(PROBE_LIFE);
    assert!(store.probes().expect("read").is_empty());
    let (again, error) = (confirm(&late), confirm(&late).expect_err("too late"));
    assert!(matches!(again, Err(StoreError::ProbeExpired)) && matches!(error, StoreError::ProbeExpired));
    assert!(store.organisation("acme").expect("shown").proven.is_empty());
    let in_time = begin();
    clock.advance(PROBE_LIFE - Duration::from_secs(1));
    confirm(&in_time).expect("a second before");
}

fn probes_of_one_organisation_give_way_to_later_ones(store: &dyn Store, _: &TestClock) {
    let id = acme(store);
    let other = store.add_organisation(&administrator(), "other", &[domain("other.example")]).expect("added");
    let begin = |id| store.begin_probe(&administrator(), id, &plus("Perso")).expect("begun").0;
    let others = begin(other);
    let codes: Vec<_> = (0..=MAX_PROBES).map(|_| begin(id)).collect();
    assert_eq!(store.probes().expect("read").len(), MAX_PROBES + 1);
    assert!(matches!(store.confirm_probe(&administrator(), &codes[0]), Err(StoreError::UnknownProbe)));
    for code in [&codes[1], &codes[MAX_PROBES], &others] {
        store.confirm_probe(&administrator(), code).expect("it waited");
    }
    let nowhere = store.begin_probe(&administrator(), OrganisationId::new(77), &plus("Perso"));
    assert!(matches!(nowhere, Err(StoreError::UnknownOrganisation(_))));
}

fn a_proof_is_taken_back(store: &dyn Store, _: &TestClock) {
    let id = acme(store);
    let minus = AddressedFolder { delimiter: '-', ..plus("Perso") };
    for folder in [plus("Perso"), plus("Junk"), minus.clone(), plus("Junk")] {
        prove(store, id, &folder);
    }
    let forget = |name: Option<&str>| {
        let name = name.map(|name| name.parse().expect("a folder"));
        store.forget_proven(&administrator(), id, name.as_ref()).expect("forgotten")
    };
    assert_eq!(forget(Some("Prive")), []);
    assert_eq!(forget(Some("Perso")), [plus("Perso"), minus]);
    let left = store.organisation("acme").expect("shown").proven;
    assert_eq!(left.iter().map(|proven| &proven.folder).collect::<Vec<_>>(), [&plus("Junk")]);
    assert_eq!(forget(None), [plus("Junk")]);
    assert_eq!(forget(None), []);
    assert!(store.organisation("acme").expect("shown").proven.is_empty());
    assert_eq!(store.verify_journal(id).expect("verified").broken, None);
    let nowhere = store.forget_proven(&administrator(), OrganisationId::new(77), None);
    assert!(matches!(nowhere, Err(StoreError::UnknownOrganisation(_))));
    // A proof that is left, and a probe that waits, go with their organisation.
    prove(store, id, &plus("Perso"));
    store.begin_probe(&administrator(), id, &plus("Perso")).expect("begun");
    store.remove_organisation(&administrator(), id, RemainingUsers::Refuse).expect("removed");
    assert!(store.probes().expect("read").is_empty());
}

fn the_choices_of_users_are_told_once_each(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let id = id(store, "acme");
    let bob = store.add_user(&administrator(), &person("bob@acme.example")).expect("added");
    store.add_user(&administrator(), &person("carl@acme.example")).expect("added");
    assert_eq!(store.user_choices(id).expect("read"), []);
    let chosen = UserOptions { black_action: Some(BlackAction::Junk), ..UserOptions::default() };
    store.set_user_options(&Actor::User, user, chosen).expect("set");
    store.set_user_options(&Actor::User, bob, chosen).expect("set");
    assert_eq!(store.user_choices(id).expect("read"), [chosen]);
    assert_eq!(store.user_choices(OrganisationId::new(77)).expect("read"), []);
}

fn a_user_is_found_by_each_address(store: &dyn Store, clock: &TestClock) {
    let organisation = acme(store);
    let new = NewUser { aliases: vec![address("a.n@acme.example")], ..person("anne@acme.example") };
    let user = store.add_user(&administrator(), &new).expect("added");
    store.add_alias(&administrator(), user, &address("annie@acme.example")).expect("added");
    for text in ["anne@acme.example", "a.n@acme.example", "annie@acme.example"] {
        assert_eq!(store.user_id(&address(text)).expect("found"), user);
    }
    let expected = User {
        id: user,
        organisation,
        address: address("anne@acme.example"),
        aliases: vec![address("a.n@acme.example"), address("annie@acme.example")],
        shared: Vec::new(),
        status: UserStatus::Active,
        kind: UserKind::Person,
        options: UserOptions::default(),
        created: clock.now(),
    };
    assert_eq!(store.user(user).expect("shown"), expected);
    store.remove_alias(&administrator(), user, &address("annie@acme.example")).expect("removed");
    assert!(matches!(store.user_id(&address("annie@acme.example")), Err(StoreError::UnknownUser(_))));
    for text in ["annie@acme.example", "anne@acme.example"] {
        let removed = store.remove_alias(&administrator(), user, &address(text));
        assert!(matches!(removed, Err(StoreError::UnknownAlias(_))), "{text}");
    }
}

fn an_address_belongs_to_one_user(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let admin = administrator();
    store.add_organisation(&admin, "other", &[domain("other.example")]).expect("added");
    let with_alias = |alias: &str| NewUser { aliases: vec![address(alias)], ..person("bob@acme.example") };
    let add = |new: &NewUser| store.add_user(&admin, new);
    assert!(matches!(add(&person("anne@acme.example")), Err(StoreError::AddressTaken(_))));
    assert!(matches!(add(&person("x@nowhere.example")), Err(StoreError::DomainNotServed(_))));
    assert!(matches!(add(&with_alias("anne@acme.example")), Err(StoreError::AddressTaken(_))));
    assert!(matches!(add(&with_alias("bob@acme.example")), Err(StoreError::AddressTaken(_))));
    assert!(matches!(add(&with_alias("b@other.example")), Err(StoreError::ForeignDomain(_))));
    let alias = store.add_alias(&admin, user, &address("b@other.example"));
    assert!(matches!(alias, Err(StoreError::ForeignDomain(_))));
    assert!(matches!(store.user_id(&address("bob@acme.example")), Err(StoreError::UnknownUser(_))));
}

fn a_final_address_may_stand_where_nobody_serves(store: &dyn Store, _: &TestClock) {
    let admin = administrator();
    acme(store);
    let backend = address("anne@backend.internal");
    let anne = NewUser { aliases: vec![backend.clone()], ..person("anne@acme.example") };
    let anne = store.add_user(&admin, &anne).expect("added");
    store.add_alias(&admin, anne, &address("anne@archive.internal")).expect("added");
    assert_eq!(store.user_id(&backend).expect("found"), anne);
    let bob = store.add_user(&admin, &person("bob@acme.example")).expect("added");
    assert!(matches!(store.add_alias(&admin, bob, &backend), Err(StoreError::AddressTaken(_))));
    let other = store.add_organisation(&admin, "other", &[domain("other.example")]).expect("added");
    store.share_address(&admin, other, &address("hall@backend.internal")).expect("shared");
    let foreign = store.add_alias(&admin, bob, &address("hall@backend.internal"));
    assert!(matches!(foreign, Err(StoreError::ForeignAddress(_))));
}

fn names(addresses: &[Address]) -> Vec<&str> {
    addresses.iter().map(Address::as_str).collect()
}

fn a_shared_address_is_kept_and_forgotten(store: &dyn Store, _: &TestClock) {
    let (admin, anne) = (administrator(), anne(store));
    let acme = id(store, "acme");
    store.add_alias(&admin, anne, &address("a@acme.example")).expect("added");
    for text in ["team@acme.example", "anne@acme.example", "all@backend.internal", "a@acme.example"] {
        store.share_address(&admin, acme, &address(text)).expect("shared");
    }
    let revision = |store: &dyn Store| store.feed().expect("a feed").load(&|_| {}).expect("loaded").position.revision;
    let before = revision(store);
    store.share_address(&admin, acme, &address("team@acme.example")).expect("it is already");
    assert_eq!(revision(store), before, "nothing changed");
    store.unshare_address(&admin, acme, &address("a@acme.example")).expect("no longer shared");
    let all = store.shared_addresses(acme).expect("listed");
    assert_eq!(names(&all), ["all@backend.internal", "anne@acme.example", "team@acme.example"]);
    assert_eq!(names(&store.user(anne).expect("shown").shared), ["anne@acme.example"]);
    assert_eq!(store.user_id(&address("anne@acme.example")).expect("found"), anne, "it stays theirs");
    assert_eq!(store.shared_in(&address("team@acme.example")).expect("asked"), Some(acme));
    assert_eq!(store.shared_in(&address("a@acme.example")).expect("asked"), None);
    let again = store.unshare_address(&admin, acme, &address("a@acme.example"));
    assert!(matches!(again, Err(StoreError::NotShared(text)) if text == "a@acme.example"));
    let journal = store.journal(anne, &Permission::Own(anne), None, 3).expect("read");
    let kinds: Vec<_> = journal.iter().map(|row| row.kind.as_str()).collect();
    assert_eq!(kinds, ["address-no-longer-shared", "address-shared", "address-shared"], "the user sees it");
    assert_eq!(store.verify_journal(acme).expect("verified").broken, None);
}

fn a_shared_address_belongs_to_one_organisation(store: &dyn Store, _: &TestClock) {
    let (admin, acme) = (administrator(), acme(store));
    let other = store.add_organisation(&admin, "other", &[domain("other.example")]).expect("added");
    let foreign = store.share_address(&admin, acme, &address("team@other.example"));
    assert!(matches!(foreign, Err(StoreError::DomainTaken { organisation, .. }) if organisation == "other"));
    let zoe = NewUser { aliases: vec![address("zoe@backend.internal")], ..person("zoe@other.example") };
    store.add_user(&admin, &zoe).expect("added");
    store.share_address(&admin, other, &address("hall@backend.internal")).expect("shared");
    for text in ["zoe@backend.internal", "hall@backend.internal"] {
        let foreign = store.share_address(&admin, acme, &address(text));
        assert!(matches!(foreign, Err(StoreError::ForeignAddress(_))), "{text}");
    }
    let foreign = store.unshare_address(&admin, acme, &address("hall@backend.internal"));
    assert!(matches!(foreign, Err(StoreError::NotShared(_))));
    let unknown = OrganisationId::new(99);
    let nowhere = store.share_address(&admin, unknown, &address("team@acme.example"));
    assert!(matches!(nowhere, Err(StoreError::UnknownOrganisation(_))));
    assert!(matches!(store.shared_addresses(unknown), Err(StoreError::UnknownOrganisation(_))));
}

fn a_shared_address_goes_with_its_domain_and_stays_without_its_user(store: &dyn Store, _: &TestClock) {
    let (admin, user) = (administrator(), anne(store));
    let acme = id(store, "acme");
    store.add_domain(&admin, acme, &domain("more.example")).expect("added");
    for text in ["anne@acme.example", "team@more.example", "all@backend.internal"] {
        store.share_address(&admin, acme, &address(text)).expect("shared");
    }
    let shared = || names(&store.shared_addresses(acme).expect("listed")).join(" ");
    store.remove_user(&admin, user).expect("removed");
    store.remove_domain(&admin, acme, &domain("more.example")).expect("removed");
    assert_eq!(shared(), "all@backend.internal anne@acme.example");
    let again = store.add_user(&admin, &person("anne@acme.example")).expect("added");
    assert_eq!(names(&store.user(again).expect("shown").shared), ["anne@acme.example"]);
    let mut feed = store.feed().expect("a feed");
    let start = feed.load(&|_| {}).expect("loaded").position;
    store.remove_organisation(&admin, acme, RemainingUsers::Erase).expect("removed");
    let told = batch(feed.changes(start, 99).expect("read")).shared;
    let hash = |text: &str| (store.address_hasher().of(&address(text)), None);
    assert_eq!(told, [hash("all@backend.internal"), hash("anne@acme.example")]);
    assert!(feed.load(&|_| {}).expect("loaded").shared.is_empty());
}

fn aliases_are_imported_by_line(store: &dyn Store, _: &TestClock) {
    let (admin, anne) = (administrator(), anne(store));
    let acme = id(store, "acme");
    store.add_user(&admin, &person("bob@acme.example")).expect("added");
    let user = |line, alias: &str, user: &str| ImportAlias {
        line,
        address: address(alias),
        reaches: Reaches::User(address(user)),
    };
    let several = |line, text: &str, id| ImportAlias { line, address: address(text), reaches: Reaches::Several(id) };
    let lines = || {
        vec![
            user(1, "a@acme.example", "anne@acme.example"),
            user(2, "anne@backend.internal", "a@acme.example"),
            several(3, "team@acme.example", acme),
            user(4, "bob@acme.example", "anne@acme.example"),
            user(5, "x@acme.example", "nobody@acme.example"),
            several(6, "team@acme.example", OrganisationId::new(99)),
            several(7, "anne@acme.example", acme),
        ]
    };
    for time in ["first", "again"] {
        let actor = Actor::Import { name: "ops".to_owned() };
        let report = store.import_aliases(&actor, lines()).expect("on its way").wait().expect("imported");
        assert_eq!(report.accepted, 4, "{time}");
        let [(4, taken), (5, unknown), (6, nowhere)] = &report.refused[..] else { panic!("{report:?}") };
        assert!(matches!(taken, StoreError::AddressTaken(_)));
        assert!(matches!(unknown, StoreError::UnknownUser(_)));
        assert!(matches!(nowhere, StoreError::UnknownOrganisation(_)));
    }
    let shown = store.user(anne).expect("shown");
    assert_eq!(names(&shown.aliases), ["a@acme.example", "anne@backend.internal"]);
    assert_eq!(names(&shown.shared), ["anne@acme.example"]);
    let journal = store.journal(anne, &Permission::Own(anne), None, 9).expect("read");
    let rows: Vec<_> = journal.iter().map(|row| (row.actor.as_str(), row.kind.as_str())).collect();
    let imported = "import ops";
    assert_eq!(
        rows,
        [
            (imported, "address-shared"),
            (imported, "alias-added"),
            (imported, "alias-added"),
            ("administrator root", "user-added")
        ],
        "the second time changed nothing"
    );
}

fn shared_addresses_are_loaded_and_their_changes_told(store: &dyn Store, _: &TestClock) {
    let (admin, acme) = (administrator(), acme(store));
    let [team, hall] = ["team@acme.example", "hall@acme.example"].map(address);
    let hash = |address: &Address| store.address_hasher().of(address);
    store.share_address(&admin, acme, &team).expect("shared");
    let mut feed = store.feed().expect("a feed");
    let report = feed.load(&|_| {}).expect("loaded");
    assert_eq!(report.shared, [(hash(&team), acme)]);
    store.share_address(&admin, acme, &hall).expect("shared");
    store.unshare_address(&admin, acme, &team).expect("no longer shared");
    store.share_address(&admin, acme, &team).expect("shared");
    let changes = batch(feed.changes(report.position, 9).expect("read"));
    let (hall, team) = (hash(&hall), hash(&team));
    assert_eq!(changes.shared, [(hall, Some(acme)), (team, None), (team, Some(acme))]);
    assert!(changes.users.is_empty() && changes.organisations.is_empty() && changes.removed.is_empty());
}

fn a_reassigned_address_is_a_new_user(store: &dyn Store, _: &TestClock) {
    let first = anne(store);
    add(store, first, ListKind::Personal, &["maman@famille.example"]);
    store.remove_user(&administrator(), first).expect("removed");
    let second = store.add_user(&administrator(), &person("anne@acme.example")).expect("added");
    assert_ne!(first, second);
    assert!(texts(store, second, ListKind::Personal).is_empty());
    assert!(matches!(store.user(first), Err(StoreError::UnknownUser(_))));
}

fn users_are_paged_by_address(store: &dyn Store, _: &TestClock) {
    let admin = administrator();
    acme(store);
    let other = store.add_organisation(&admin, "other", &[domain("other.example")]).expect("added");
    let all: Vec<String> = (0..7).map(|n| format!("u{n}@{}.example", ["acme", "other"][n % 2])).collect();
    for text in all.iter().rev() {
        store.add_user(&admin, &person(text)).expect("added");
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.users(None, after.as_ref(), 3).expect("a page");
        seen.extend(page.iter().map(|user| user.address.as_str().to_owned()));
        if page.len() < 3 {
            break;
        }
        after = page.last().map(|user| user.address.clone());
    }
    assert_eq!(seen, all);
    assert_eq!(store.users(Some(other), None, 10).expect("a page").len(), 3);
}

fn options_and_status_are_kept(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let options = UserOptions {
        personal_actions: Some(PersonalActions::FOLDER),
        black_action: Some(BlackAction::Junk),
        ..UserOptions::default()
    };
    store.set_user_options(&Actor::User, user, options).expect("set");
    store.set_user_status(&administrator(), user, UserStatus::Disabled).expect("disabled");
    let shown = store.user(user).expect("shown");
    assert_eq!((shown.options, shown.status), (options, UserStatus::Disabled));
    let loaded = load(store);
    assert_eq!(loaded[0].lists.options(), UserOptions { paused: true, ..options });
    store.set_user_status(&administrator(), user, UserStatus::Active).expect("enabled");
    assert_eq!(load(store)[0].lists.options(), options);
    let functional = UserOptions { functional: true, ..options };
    let refused = store.set_user_options(&Actor::User, user, functional);
    assert!(matches!(refused, Err(StoreError::Invalid(_))));
}

/// A full load, sorted by user.
fn load(store: &dyn Store) -> Vec<LoadedUser> {
    let loaded = std::sync::Mutex::new(Vec::new());
    let report = store.feed().expect("a feed").load(&|user| loaded.lock().expect("lock").push(user)).expect("loaded");
    assert!(!report.rolled_back && report.rejected == 0, "{report:?}");
    let mut loaded = loaded.into_inner().expect("lock");
    loaded.sort_by_key(|user| user.lists.user());
    loaded
}

fn entries_are_read_by_their_user(store: &dyn Store, clock: &TestClock) {
    let user = anne(store);
    add(store, user, ListKind::Personal, &["maman@famille.example", "*.ecole.example", "banque.example"]);
    store.add_entries(&administrator(), user, &[(ListKind::Black, value("spam.example"))]).expect("added");
    let entries = store.read_entries(user, None, &Permission::Own(user)).expect("read");
    let shown = |entry: &Entry| {
        assert_eq!((entry.created, entry.id.list), (clock.now(), entry.list));
        assert_eq!(entry.id.to_string().parse::<EntryId>().ok(), Some(entry.id));
        (entry.list, entry.value.clone(), entry.origin)
    };
    let entry = |list, text, origin| (list, Readable::Value(value(text)), origin);
    let expected = [
        entry(ListKind::Black, "spam.example", Origin::Administrator),
        entry(ListKind::Personal, "*.ecole.example", Origin::User),
        entry(ListKind::Personal, "banque.example", Origin::User),
        entry(ListKind::Personal, "maman@famille.example", Origin::User),
    ];
    assert_eq!(entries.iter().map(shown).collect::<Vec<_>>(), expected);
    let [loaded] = &load(store)[..] else { panic!("one user") };
    for entry in &entries {
        let Readable::Value(value) = &entry.value else { unreachable!("expected above") };
        for list in ListKind::ALL {
            let short = loaded.lists.key().of(value).short();
            assert_eq!(loaded.lists.contains(list, short), list == entry.list);
        }
    }
}

fn adding_and_removing_answer_alike(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let entries = [(ListKind::White, value("a@b.example"))];
    let admin = administrator();
    let mut positions = vec![store.feed().expect("a feed").load(&|_| {}).expect("loaded").position.revision];
    for adds in [true, true, false, false] {
        let change = if adds { Store::add_entries } else { Store::remove_entries };
        change(store, &admin, user, &entries).expect("the same answer");
        assert_eq!(texts(store, user, ListKind::White).len(), usize::from(adds));
        positions.push(store.feed().expect("a feed").load(&|_| {}).expect("loaded").position.revision);
    }
    let steps: Vec<_> = positions.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(steps, [1; 4], "the revision tells nothing either");
}

fn a_value_may_stand_on_several_lists(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    for list in ListKind::ALL {
        add(store, user, list, &["a@b.example"]);
    }
    store.remove_entries(&Actor::User, user, &[(ListKind::Black, value("a@b.example"))]).expect("removed");
    assert_eq!(ListKind::ALL.map(|list| texts(store, user, list).len()), [1, 0, 1]);
}

fn edits_are_carried_out_in_order_all_or_none(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let moved = value("a@b.example");
    add(store, user, ListKind::Black, &["a@b.example"]);
    let edits = [Edit::Remove(ListKind::Black, moved.clone()), Edit::Add(ListKind::Personal, moved)];
    store.change_entries(&Actor::User, user, &edits).expect("on its way").wait().expect("moved");
    assert_eq!(ListKind::ALL.map(|list| texts(store, user, list).len()), [0, 0, 1]);
    let full: Vec<_> =
        (0..MAX_ENTRIES).map(|n| Edit::Add(ListKind::White, value(&format!("u{n}@b.example")))).collect();
    store.change_entries(&Actor::User, user, &full).expect("on its way").wait().expect("full");
    let edits = [
        Edit::Remove(ListKind::Personal, value("a@b.example")),
        Edit::Add(ListKind::White, value("one.more@b.example")),
    ];
    let refused = store.change_entries(&Actor::User, user, &edits).expect("on its way").wait();
    assert!(matches!(refused, Err(StoreError::ListFull(ListKind::White))));
    assert_eq!(texts(store, user, ListKind::Personal), ["a@b.example"]);
}

fn a_functional_mailbox_has_no_personal_list(store: &dyn Store, _: &TestClock) {
    acme(store);
    let new = NewUser { kind: UserKind::Functional, ..person("contact@acme.example") };
    let user = store.add_user(&administrator(), &new).expect("added");
    let entry = |list| [(list, value("a@b.example"))];
    let refused = store.add_entries(&administrator(), user, &entry(ListKind::Personal));
    assert!(matches!(refused, Err(StoreError::Functional)));
    store.add_entries(&administrator(), user, &entry(ListKind::Black)).expect("added");
    assert!(load(store)[0].lists.options().functional);
}

fn a_full_list_is_told_to_its_user_alone(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let full: Vec<_> = (0..MAX_ENTRIES).map(|n| (ListKind::Black, value(&format!("u{n}@b.example")))).collect();
    store.add_entries(&Actor::User, user, &full).expect("added");
    let more = [(ListKind::Black, value("more@b.example"))];
    let there = [(ListKind::Black, value("u0@b.example"))];
    for entries in [&more, &there] {
        store.add_entries(&administrator(), user, entries).expect("an error would tell what the list holds");
    }
    assert!(matches!(store.add_entries(&Actor::User, user, &more), Err(StoreError::ListFull(ListKind::Black))));
    let journal = store.journal(user, &Permission::Own(user), None, 2).expect("read");
    let effects: Vec<_> = journal.iter().flat_map(|row| &row.edits).map(|edit| edit.effect).collect();
    assert_eq!(effects, [Effect::Nothing, Effect::LeftOut], "the user reads it");
}

fn nobody_else_reads_a_list(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let other = store.add_user(&administrator(), &person("bob@acme.example")).expect("added");
    let stranger = UserId::new(1).expect("63 bits");
    let grantee = Permission::Grant { grantee: "root".to_owned() };
    for (user, permission) in [
        (user, Permission::Own(other)),
        (user, grantee.clone()),
        (stranger, grantee),
        (stranger, Permission::Own(stranger)),
    ] {
        let read = store.read_entries(user, Some(ListKind::Personal), &permission);
        assert!(matches!(read, Err(StoreError::NotPermitted)));
        assert!(matches!(store.journal(user, &permission, None, 9), Err(StoreError::NotPermitted)));
    }
}

fn a_grant_opens_one_list_for_a_while(store: &dyn Store, clock: &TestClock) {
    let user = anne(store);
    add(store, user, ListKind::Personal, &["maman@famille.example"]);
    let hour = Duration::from_secs(3600);
    let grant = store.issue_grant(user, "support", ListKind::Personal, hour).expect("issued");
    let read = |grantee: &str, list| {
        store.read_entries(user, list, &Permission::Grant { grantee: grantee.to_owned() }).map(|entries| entries.len())
    };
    assert!(store.is_granted(user, "support", ListKind::Personal).expect("asked"));
    assert_eq!(read("support", Some(ListKind::Personal)).ok(), Some(1));
    for (grantee, list) in [("support", Some(ListKind::Black)), ("support", None), ("root", Some(ListKind::Personal))] {
        assert!(matches!(read(grantee, list), Err(StoreError::NotPermitted)));
    }
    let shown = store.grants(user).expect("shown");
    assert_eq!((shown[0].id, shown[0].last_used, shown.len()), (grant, Some(clock.now()), 1));
    clock.advance(hour);
    assert!(!store.is_granted(user, "support", ListKind::Personal).expect("asked"));
    assert!(matches!(read("support", Some(ListKind::Personal)), Err(StoreError::NotPermitted)));
    for time in [Duration::ZERO, MAX_GRANT + Duration::from_secs(1)] {
        assert!(matches!(store.issue_grant(user, "support", ListKind::White, time), Err(StoreError::Invalid(_))));
    }
}

fn a_revoked_grant_opens_nothing(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let grant = store.issue_grant(user, "support", ListKind::White, MAX_GRANT).expect("issued");
    let other = store.add_user(&administrator(), &person("bob@acme.example")).expect("added");
    assert!(store.revoke_grant(other, grant).is_err(), "it is not theirs");
    store.revoke_grant(user, grant).expect("revoked");
    let permission = Permission::Grant { grantee: "support".to_owned() };
    let read = store.read_entries(user, Some(ListKind::White), &permission);
    assert!(matches!(read, Err(StoreError::NotPermitted)));
}

fn the_user_sees_who_did_what(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    add(store, user, ListKind::Personal, &["maman@famille.example"]);
    store.remove_entries(&administrator(), user, &[(ListKind::White, value("never@there.example"))]).expect("removed");
    store.issue_grant(user, "support", ListKind::White, MAX_GRANT).expect("issued");
    let permission = Permission::Grant { grantee: "support".to_owned() };
    store.read_entries(user, Some(ListKind::White), &permission).expect("read");
    let journal = store.journal(user, &Permission::Own(user), None, 100).expect("read");
    let rows: Vec<_> = journal.iter().map(|row| (row.actor.as_str(), row.kind.as_str())).collect();
    let expected = [
        ("administrator support", "grant-used"),
        ("user", "grant-issued"),
        ("administrator root", "entries"),
        ("user", "entries"),
        ("administrator root", "user-added"),
    ];
    assert_eq!(rows, expected);
    let edit = |edit, effect| vec![JournalEdit { edit, effect, before: None }];
    let removed = Edit::Remove(ListKind::White, value("never@there.example"));
    assert_eq!(journal[2].edits, edit(removed, Effect::Nothing));
    let added = Edit::Add(ListKind::Personal, value("maman@famille.example"));
    assert_eq!(journal[3].edits, edit(added, Effect::Done));
    let page = store.journal(user, &Permission::Own(user), Some(journal[2].id), 1).expect("read");
    assert_eq!(page, journal[3..4]);
}

fn the_journal_verifies_and_can_be_cut(store: &dyn Store, clock: &TestClock) {
    let user = anne(store);
    let id = id(store, "acme");
    add(store, user, ListKind::White, &["a@b.example"]);
    clock.advance(Duration::from_secs(1000));
    let cut = clock.now();
    add(store, user, ListKind::White, &["c@b.example"]);
    let before = store.verify_journal(id).expect("verified");
    assert_eq!((before.broken.clone(), before.first), (None, 1));
    let dropped = store.cut_journal(id, cut).expect("cut");
    assert_eq!(dropped, before.rows - 1);
    let after = store.verify_journal(id).expect("verified");
    assert_eq!((after.broken, after.rows), (None, 2), "the last change, and the cut itself");
    assert!(after.first > 1);
    assert_eq!(texts(store, user, ListKind::White), ["a@b.example", "c@b.example"]);
    load(store);
}

fn users_are_imported_by_line(store: &dyn Store, _: &TestClock) {
    acme(store);
    let line = |line, text: &str, organisation: Option<&str>| ImportUser {
        line,
        user: person(text),
        organisation: organisation.map(str::to_owned),
    };
    let lines = vec![
        line(2, "anne@acme.example", None),
        line(3, "anne@acme.example", None),
        line(4, "x@nowhere.example", None),
        line(5, "bob@acme.example", Some("acme")),
        line(6, "carl@acme.example", Some("other")),
    ];
    let report = store
        .import_users(&Actor::Import { name: "ops".to_owned() }, lines)
        .expect("on its way")
        .wait()
        .expect("imported");
    assert_eq!((report.accepted, report.refused.len()), (2, 3));
    assert!(matches!(&report.refused[0], (3, StoreError::AddressTaken(_))));
    assert!(matches!(&report.refused[1], (4, StoreError::DomainNotServed(_))));
    assert!(matches!(&report.refused[2], (6, StoreError::DomainTaken { .. })));
    assert_eq!(load(store).len(), 2);
}

fn entries_are_imported_by_line(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let functional = NewUser { kind: UserKind::Functional, ..person("contact@acme.example") };
    let contact = store.add_user(&administrator(), &functional).expect("added");
    let line = |line, user: &str, list, text: &str| ImportEntry { line, user: address(user), list, value: value(text) };
    let lines = vec![
        line(2, "anne@acme.example", ListKind::Personal, "maman@famille.example"),
        line(3, "nobody@acme.example", ListKind::White, "a@b.example"),
        line(4, "contact@acme.example", ListKind::Personal, "a@b.example"),
        line(5, "contact@acme.example", ListKind::Black, "spam.example"),
        line(6, "anne@acme.example", ListKind::Personal, "maman@famille.example"),
    ];
    let report = store
        .import_entries(&Actor::Import { name: "ops".to_owned() }, lines)
        .expect("on its way")
        .wait()
        .expect("imported");
    assert_eq!(report.accepted, 3, "a line that stood there before counts as well");
    assert!(matches!(&report.refused[..], [(3, StoreError::UnknownUser(_)), (4, StoreError::Functional)]));
    assert_eq!(texts(store, user, ListKind::Personal), ["maman@famille.example"]);
    assert_eq!(texts(store, contact, ListKind::Black), ["spam.example"]);
    let journal = store.journal(user, &Permission::Own(user), None, 1).expect("read");
    assert_eq!((journal[0].actor.as_str(), journal[0].edits.len()), ("import ops", 2));
}

fn totals_show_days_that_are_over(store: &dyn Store, clock: &TestClock) {
    let id = acme(store);
    let today = date(2027, 1, 15); // of the test's clock
    let total = |kind: &str, count| Total { organisation: id, day: today, kind: kind.to_owned(), count };
    store.add_totals(&[total("tagged", 2), total("tagged", 3), total(Total::USERS, TOTALS_USERS)]).expect("added");
    let days = date(2027, 1, 1)..=date(2027, 1, 31);
    assert_eq!(store.totals(id, days.clone()).expect("read"), []);
    clock.advance(Duration::from_secs(24 * 3600));
    let counts = Some(vec![("tagged".to_owned(), 5)]);
    assert_eq!(store.totals(id, days).expect("read"), [DayTotals { day: today, counts }]);
}

/// What two relays count may be the same users: the larger number holds, and nothing is shown that it does not allow.
fn totals_of_few_users_are_shown_to_nobody(store: &dyn Store, clock: &TestClock) {
    let id = acme(store);
    let today = date(2027, 1, 15);
    let total = |kind: &str, count| Total { organisation: id, day: today, kind: kind.to_owned(), count };
    let shown = || {
        let days = store.totals(id, today..=today).expect("read");
        days.into_iter().map(|day| day.counts).collect::<Vec<_>>()
    };
    clock.advance(Duration::from_secs(24 * 3600));
    store.add_totals(&[total("tagged", 100)]).expect("added");
    assert_eq!(shown(), [None], "nobody said of how many");
    for _ in 0..2 {
        store.add_totals(&[total(Total::USERS, TOTALS_USERS - 1)]).expect("added");
        assert_eq!(shown(), [None]);
    }
    store.add_totals(&[total(Total::USERS, TOTALS_USERS)]).expect("added");
    assert_eq!(shown(), [Some(vec![("tagged".to_owned(), 100)])]);
}

fn batch(changes: Changes) -> ChangeBatch {
    match changes {
        Changes::Batch(batch) => batch,
        Changes::Reload => panic!("no reload expected"),
    }
}

fn changes_come_once_and_in_order(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let organisation = id(store, "acme");
    let mut feed = store.feed().expect("a feed");
    let start = feed.load(&|_| {}).expect("loaded").position;
    assert!(batch(feed.changes(start, 9).expect("read")).users.is_empty());
    store.add_alias(&administrator(), user, &address("a@acme.example")).expect("added");
    store.protect_domain(&administrator(), organisation, &domain("client.example")).expect("protected");
    store.remove_alias(&administrator(), user, &address("a@acme.example")).expect("removed");
    let first = batch(feed.changes(start, 2).expect("read"));
    assert!(first.more);
    assert_eq!(first.users.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [user]);
    assert_eq!(first.organisations[0].1.as_ref().expect("there").organisation.protected.len(), 1);
    let second = batch(feed.changes(first.position, 2).expect("read"));
    assert_eq!(second.removed, [(store.address_hasher().of(&address("a@acme.example")), user)]);
    assert!(!second.more && second.position.revision == start.revision + 3);
}

fn a_follower_that_is_behind_or_ahead_reloads(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let mut feed = store.feed().expect("a feed");
    let start = feed.load(&|_| {}).expect("loaded").position;
    add(store, user, ListKind::White, &["a@b.example"]);
    add(store, user, ListKind::White, &["c@b.example"]);
    store.prune_changes(1).expect("pruned");
    let ahead = Position { revision: start.revision + 100, ..start };
    let elsewhere = Position { epoch: start.epoch ^ 1, ..start };
    for position in [start, ahead, elsewhere] {
        assert!(matches!(feed.changes(position, 9).expect("read"), Changes::Reload));
    }
    let near = Position { revision: start.revision + 1, ..start };
    assert_eq!(batch(feed.changes(near, 9).expect("read")).users.len(), 1);
}

fn glob_patterns_are_loaded_beside_the_lists(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    add(store, user, ListKind::Black, &["news-*@shop.example", "a@b.example"]);
    let [loaded] = &load(store)[..] else { panic!("one user") };
    assert!(loaded.lists.has_globs());
    let globs: Vec<_> = loaded.globs.iter().map(|glob| (glob.list, glob.pattern.as_str())).collect();
    assert_eq!(globs, [(ListKind::Black, "news-*@shop.example")]);
    store.remove_entries(&Actor::User, user, &[(ListKind::Black, value("news-*@shop.example"))]).expect("removed");
    assert!(load(store)[0].globs.is_empty());
}

fn errors_tell_who_is_at_fault(store: &dyn Store, _: &TestClock) {
    let unknown = store.user(UserId::new(7).expect("63 bits")).expect_err("unknown");
    assert_eq!(unknown.fault(), Fault::Caller);
    assert_eq!(StoreError::NoSealKey.fault(), Fault::State);
    assert_eq!(StoreError::Internal(String::new()).fault(), Fault::Ours);
}
