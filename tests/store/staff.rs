//! Managers and operators in the store: enrolment, two factors, what ends with them, announcements.

use std::time::Duration;

use jiff::Timestamp;
use perso_milter::policy::list::ListKind;
use perso_milter::store::*;
use totp_rs::{Builder, Secret, Totp};

use crate::common::*;

const ROOT: &str = "root@relay.example";
const PASSWORD: &str = "cheval agrafe pile";

/// What somebody's authenticator shows.
struct Authenticator(Totp);

impl Authenticator {
    fn new(factor: &SecondFactor) -> Self {
        let secret = Secret::try_from_base32(factor.written().replace(' ', "")).expect("base 32");
        Self(Builder::new().with_secret(secret).with_account_name("x").build().expect("a factor"))
    }

    fn shows(&self, now: Timestamp) -> String {
        self.0.generate(now.as_second() as u64).to_string()
    }
}

fn password(text: &str) -> Password {
    Password::new(text, &address(ROOT)).expect("a good one")
}

/// An operator who has enrolled, with the step of that code gone by.
fn operator(place: &Place, store: &dyn Store) -> (StaffId, Authenticator) {
    let (id, code) = store.add_staff(&administrator(), &address(ROOT), Role::Operator).expect("added");
    let authenticator = enrol(place, store, &code);
    (id, authenticator)
}

fn enrol(place: &Place, store: &dyn Store, code: &EnrolmentCode) -> Authenticator {
    let authenticator = Authenticator::new(&store.enrolment(code).expect("waiting").factor);
    store.enrol(code, &password(PASSWORD), &authenticator.shows(place.clock.now())).expect("enrolled");
    place.clock.advance(Duration::from_secs(30));
    authenticator
}

fn is_refused<T: std::fmt::Debug>(result: Result<T>) {
    assert!(matches!(result, Err(StoreError::SignInRefused)), "{result:?}");
}

#[test]
fn staff_enrol_once_and_sign_in_with_both_factors() {
    let place = Place::new();
    let store = place.open();
    let (id, code) = store.add_staff(&administrator(), &address(ROOT), Role::Operator).expect("added");
    let invited = store.staff(id).expect("shown");
    assert_eq!(invited.status, StaffStatus::Invited(place.clock.now() + jiff::SignedDuration::from_hours(24)));
    is_refused(store.staff_sign_in(&address(ROOT), PASSWORD, "000000"));

    let authenticator = Authenticator::new(&store.enrolment(&code).expect("waiting").factor);
    is_refused(store.enrol(&code, &password(PASSWORD), "12345"));
    let shown = authenticator.shows(place.clock.now());
    assert_eq!(store.enrol(&code, &password(PASSWORD), &shown).expect("enrolled"), id);
    assert!(matches!(store.enrolment(&code), Err(StoreError::UnknownEnrolment)), "once");
    is_refused(store.staff_sign_in(&address(ROOT), PASSWORD, &shown));

    place.clock.advance(Duration::from_secs(30));
    let shown = authenticator.shows(place.clock.now());
    let wrong = if shown == "123456" { "654321" } else { "123456" };
    is_refused(store.staff_sign_in(&address(ROOT), "cheval agrafe pil", &shown));
    is_refused(store.staff_sign_in(&address(ROOT), PASSWORD, wrong));
    is_refused(store.staff_sign_in(&address("nobody@relay.example"), PASSWORD, &shown));
    assert_eq!(store.staff_sign_in(&address(ROOT), PASSWORD, &shown).expect("signed in"), id);
    is_refused(store.staff_sign_in(&address(ROOT), PASSWORD, &shown));
    let staff = store.staff_named(&address(ROOT)).expect("shown");
    assert_eq!((staff.status, staff.last_sign_in), (StaffStatus::Active, Some(place.clock.now())));

    place.clock.advance(Duration::from_secs(30));
    let shown = authenticator.shows(place.clock.now());
    is_refused(store.confirm_staff(id, wrong));
    store.confirm_staff(id, &shown).expect("confirmed");
    is_refused(store.confirm_staff(id, &shown));
}

#[test]
fn an_enrolment_ends_after_a_day_and_with_a_later_one() {
    let place = Place::new();
    let store = place.open();
    let (id, first) = store.add_staff(&administrator(), &address(ROOT), Role::Operator).expect("added");
    let second = store.reset_staff(&administrator(), id).expect("another");
    assert!(matches!(store.enrolment(&first), Err(StoreError::UnknownEnrolment)));
    store.enrolment(&second).expect("waiting");
    place.clock.advance(ENROLMENT_LIFE);
    assert!(matches!(store.enrolment(&second), Err(StoreError::UnknownEnrolment)));
}

#[test]
fn who_is_disabled_reset_or_removed_does_not_come_in() {
    let place = Place::new();
    let store = place.open();
    let (id, authenticator) = operator(&place, &store);
    let sign_in = || {
        place.clock.advance(Duration::from_secs(30));
        store.staff_sign_in(&address(ROOT), PASSWORD, &authenticator.shows(place.clock.now()))
    };
    let open_session = || {
        let row = SessionRow {
            hash: SecretHash::of(&place.clock.now().as_second().to_be_bytes()),
            holder: Some(Holder::Staff(id)),
            opened_by: OpenedBy::Staff,
            created: place.clock.now(),
            seen: place.clock.now(),
            expires: place.clock.now() + jiff::SignedDuration::from_hours(1),
            network: "192.0.2.0/24".to_owned(),
            browser: "Firefox".to_owned(),
            data: Vec::new(),
        };
        assert!(store.add_session(&row).expect("kept"));
    };
    let sessions = || store.sessions_of(Holder::Staff(id)).expect("read").len();
    sign_in().expect("signed in");
    open_session();
    store.set_staff_access(&administrator(), id, StaffAccess::Disabled).expect("disabled");
    assert_eq!((store.staff(id).expect("shown").status, sessions()), (StaffStatus::Disabled, 0));
    is_refused(sign_in());
    is_refused(store.confirm_staff(id, &authenticator.shows(place.clock.now())));
    store.set_staff_access(&administrator(), id, StaffAccess::Enabled).expect("enabled");
    sign_in().expect("signed in");

    place.clock.advance(Duration::from_secs(1));
    open_session();
    let code = store.reset_staff(&administrator(), id).expect("reset");
    assert_eq!(sessions(), 0);
    is_refused(sign_in());
    let anew = enrol(&place, &store, &code);
    is_refused(sign_in());
    store.staff_sign_in(&address(ROOT), PASSWORD, &anew.shows(place.clock.now())).expect("with the new factor");

    store.remove_staff(&administrator(), id).expect("removed");
    assert!(matches!(store.staff(id), Err(StoreError::UnknownStaff(_))));
    assert!(store.all_staff().expect("listed").is_empty());
}

#[test]
fn an_address_is_one_member_and_a_manager_goes_with_the_organisation() {
    let place = Place::new();
    let store = place.open();
    let acme = acme(&store);
    let add = |name: &str, role| store.add_staff(&administrator(), &address(name), role);
    let (manager, _) = add("boss@acme.example", Role::Manager(acme)).expect("added");
    assert!(matches!(add("boss@acme.example", Role::Operator), Err(StoreError::StaffTaken(_))));
    let nowhere = Role::Manager(OrganisationId::new(99));
    assert!(matches!(add("x@acme.example", nowhere), Err(StoreError::UnknownOrganisation(_))));
    let long = format!("{}@acme.example", "x".repeat(60));
    assert!(matches!(add(&long, Role::Operator), Err(StoreError::Invalid(_))));
    add(ROOT, Role::Operator).expect("added");
    let names: Vec<_> = store.all_staff().expect("listed").iter().map(|s| s.address.as_str().to_owned()).collect();
    assert_eq!(names, ["boss@acme.example", ROOT]);
    store.remove_organisation(&administrator(), acme, RemainingUsers::Refuse).expect("removed");
    assert!(matches!(store.staff(manager), Err(StoreError::UnknownStaff(_))));
}

#[test]
fn what_happens_to_staff_is_journalled() {
    let place = Place::new();
    let store = place.open();
    let acme = acme(&store);
    let rows = |id| store.verify_journal(id).map(|check| (check.broken, check.rows)).expect("verified");
    let before = rows(acme).1;
    let (id, authenticator) = operator(&place, &store);
    store.staff_sign_in(&address(ROOT), PASSWORD, &authenticator.shows(place.clock.now())).expect("signed in");
    store.remove_staff(&administrator(), id).expect("removed");
    assert_eq!(rows(OrganisationId::INSTALLATION), (None, 4), "added, enrolled, signed in, removed");
    store.add_staff(&administrator(), &address("boss@acme.example"), Role::Manager(acme)).expect("added");
    assert_eq!(rows(acme), (None, before + 1));
    let raw = place.raw();
    let kinds: String = raw.query_row("SELECT group_concat(kind) FROM journal", [], |row| row.get(0)).expect("kinds");
    assert!(kinds.ends_with("staff-added,staff-enrolled,staff-signed-in,staff-removed,staff-added"), "{kinds}");
}

/// Whoever has the database alone signs in nowhere.
#[test]
fn no_file_holds_a_code_a_password_or_a_second_factor() {
    let place = Place::new();
    let store = place.open();
    let (_, waiting) = store.add_staff(&administrator(), &address("new@relay.example"), Role::Operator).expect("added");
    let (_, code) = store.add_staff(&administrator(), &address(ROOT), Role::Operator).expect("added");
    let factor = store.enrolment(&code).expect("waiting").factor;
    enrol(&place, &store, &code);
    let text = factor.written().replace(' ', "");
    let raw = Secret::try_from_base32(&text).expect("base 32");
    let plain = |code: &EnrolmentCode| code.to_string().replace('-', "");
    let secrets = [text.as_bytes(), raw.as_bytes(), PASSWORD.as_bytes()].map(<[u8]>::to_vec);
    let codes = [&waiting, &code].map(|code| plain(code).into_bytes());
    for file in std::fs::read_dir(place.dir.path()).expect("our own directory").map(|file| file.expect("a file")) {
        let bytes = std::fs::read(file.path()).expect("read");
        for secret in secrets.iter().chain(&codes) {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{:?}", file.file_name());
        }
    }
    let options = SqliteOptions { seal: SealAccess::Never, ..place.options() };
    let relay = SqliteStore::open(&place.path(), options).expect("the relay's own");
    assert!(matches!(relay.enrolment(&waiting), Err(StoreError::NoSealKey)));
    assert!(matches!(relay.staff_sign_in(&address(ROOT), PASSWORD, "000000"), Err(StoreError::NoSealKey)));
}

#[test]
fn a_grant_is_seen_by_the_one_it_names_and_ends_with_them() {
    let place = Place::new();
    let store = place.open();
    let anne = anne(&store);
    let (id, _) = store.add_staff(&administrator(), &address(ROOT), Role::Operator).expect("added");
    let hour = Duration::from_secs(3600);
    let issued = store.issue_grant(anne, ROOT, ListKind::White, hour).expect("given");
    store.issue_grant(anne, "other@relay.example", ListKind::White, hour).expect("given");
    let seen = store.grants_to(ROOT).expect("read");
    assert_eq!(seen.iter().map(|(user, grant)| (user.id, grant.id)).collect::<Vec<_>>(), [(anne, issued)]);
    store.reset_staff(&administrator(), id).expect("reset");
    assert!(store.grants_to(ROOT).expect("read").is_empty(), "whoever enrols next may be somebody else");
    store.issue_grant(anne, ROOT, ListKind::White, hour).expect("given");
    store.remove_staff(&administrator(), id).expect("removed");
    store.add_staff(&administrator(), &address(ROOT), Role::Operator).expect("somebody else of that name");
    assert!(store.grants_to(ROOT).expect("read").is_empty());
    assert!(!store.is_granted(anne, ROOT, ListKind::White).expect("read"));
    place.clock.advance(hour);
    assert!(store.grants_to("other@relay.example").expect("read").is_empty(), "over");
}

#[test]
fn users_are_found_by_how_their_addresses_begin() {
    let place = Place::new();
    let store = place.open();
    let acme = acme(&store);
    store.add_organisation(&administrator(), "zoo", &[domain("zoo.example")]).expect("added");
    for name in ["anne@acme.example", "bob@acme.example", "annick@zoo.example"] {
        store.add_user(&administrator(), &person(name)).expect("added");
    }
    let bob = store.user_id(&address("bob@acme.example")).expect("there");
    for alias in ["ann.b@acme.example", "an_b@acme.example"] {
        store.add_alias(&administrator(), bob, &address(alias)).expect("added");
    }
    let find = |begins: &str, after: Option<&str>| -> Vec<String> {
        let after = after.map(address);
        let found = store.find_users(acme, begins, after.as_ref(), 10).expect("found");
        found.iter().map(|user| user.address.as_str().to_owned()).collect()
    };
    assert_eq!(find("", None), ["anne@acme.example", "bob@acme.example"]);
    assert_eq!(find(" ANN", None), ["anne@acme.example", "bob@acme.example"], "by an alias too, and once");
    assert_eq!(find("ann", Some("anne@acme.example")), ["bob@acme.example"]);
    assert_eq!(find("bob@", None), ["bob@acme.example"]);
    for nobody in ["annick", "%", "_", "a%", "nne@"] {
        assert!(find(nobody, None).is_empty(), "{nobody}");
    }
}

#[test]
fn users_hear_of_what_changed_until_they_put_it_away() {
    let place = Place::new();
    let store = place.open();
    let anne = anne(&store);
    let acme = store.user(anne).expect("shown").organisation;
    let set = |key: &str, value: &str| {
        place.clock.advance(Duration::from_secs(1));
        store.set_organisation(&administrator(), acme, &[(key.to_owned(), value.to_owned())]).expect("set");
    };
    let heard = |user| -> Vec<_> {
        store.profile(user).expect("read").announcements.into_iter().map(|told| told.kind).collect()
    };
    assert!(heard(anne).is_empty());
    set("session_idle", "60");
    assert!(heard(anne).is_empty(), "this is none of theirs");
    set("tag", "[PRIVÉ]");
    set("markings", "tag");
    set("tag", "[PRIVÉ]");
    assert_eq!(heard(anne), [AnnouncementKind::Markings, AnnouncementKind::Tag], "what stays is no change");
    set("tag", "[PERSONNEL]");
    let waiting = store.profile(anne).expect("read").announcements;
    assert_eq!(heard(anne), [AnnouncementKind::Tag, AnnouncementKind::Markings]);
    assert_eq!(waiting[0].at, place.clock.now());

    store.dismiss_announcements(anne, waiting[1].number).expect("put away");
    assert_eq!(heard(anne), [AnnouncementKind::Tag]);
    store.dismiss_announcements(anne, waiting[0].number).expect("put away");
    store.dismiss_announcements(anne, 0).expect("nothing more");
    assert!(heard(anne).is_empty());
    place.clock.advance(Duration::from_secs(1));
    for _ in 0..2 {
        store.protect_domain(&administrator(), acme, &domain("client.example")).expect("protected");
    }
    assert_eq!(heard(anne), [AnnouncementKind::Protected]);

    let bob = store.add_user(&administrator(), &person("bob@acme.example")).expect("added");
    assert!(heard(bob).is_empty(), "what was so before they came is no news");
    place.clock.advance(Duration::from_secs(1));
    store.unprotect_domain(&administrator(), acme, &domain("client.example")).expect("unprotected");
    assert_eq!((heard(anne), heard(bob)), (vec![AnnouncementKind::Protected], vec![AnnouncementKind::Protected]));
}
