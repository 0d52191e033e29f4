//! Sessions, mailed sign-ins, users' secrets and the personal lock.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use perso_milter::language::Language;
use perso_milter::policy::list::{ListKind, MAX_ENTRIES};
use perso_milter::store::*;

use crate::common::*;

conformance! { sqlite:
    a_session_is_kept_until_it_expires
    a_session_that_ended_is_not_brought_back
    a_holder_sees_and_ends_their_own_sessions
    sessions_of_one_holder_are_bounded
    sessions_move_no_revision_and_leave_no_trace_in_the_journal
    a_session_is_not_too_large_and_goes_with_its_user
    the_previous_sign_in_is_told
    a_browser_is_known_once_it_signed_in
    a_language_is_kept
    a_link_works_once_in_the_browser_that_asked
    a_link_tells_another_browser_what_to_do
    a_code_works_once_in_the_browser_that_asked
    five_wrong_codes_void_a_sign_in
    links_and_codes_expire
    sign_ins_of_one_browser_give_way_to_later_ones_and_to_no_strangers
    wrong_codes_void_every_sign_in_of_their_browser
    after_many_wrong_codes_the_link_alone_signs_in_that_day
    an_unknown_address_is_treated_like_any_other
    a_password_opens_and_is_replaced
    a_passkey_opens_with_its_prf_alone
    passkeys_are_bounded_and_belong_to_one_user
    a_recovery_code_is_used_once
    a_wrong_recovery_code_writes_nothing
    the_last_way_through_the_lock_stays_until_it_is_replaced
    under_the_lock_a_list_opens_with_each_secret_and_with_nothing_else
    under_the_lock_entries_are_added_without_the_key
    the_lock_needs_a_secret_that_opens_it
    a_lock_that_is_taken_off_opens_for_every_session
    nobody_changes_another_users_secrets
    the_lock_lets_nobody_else_in
    who_lost_every_secret_starts_anew
    a_fresh_start_waits_and_can_be_cancelled
    a_fresh_start_is_for_a_lock_that_is_on
    a_full_list_under_the_lock_tells_nothing_of_what_stands_on_it
    lost_entries_are_found_again_or_taken_off
    the_journal_names_what_happened_to_an_account
}

fn hash(name: &str) -> SecretHash {
    SecretHash::of(name.as_bytes())
}

fn bob(store: &dyn Store) -> UserId {
    store.add_user(&administrator(), &person("bob@acme.example")).expect("added")
}

fn after(clock: &TestClock, seconds: i64) -> Timestamp {
    clock.now() + SignedDuration::from_secs(seconds)
}

/// A session that lasts an hour.
fn session(clock: &TestClock, name: &str, holder: Option<Holder>) -> SessionRow {
    SessionRow {
        hash: hash(name),
        holder,
        opened_by: OpenedBy::Mail,
        created: clock.now(),
        seen: clock.now(),
        expires: after(clock, 3600),
        network: "192.0.2.0/24".to_owned(),
        browser: "Firefox".to_owned(),
        data: name.as_bytes().to_vec(),
    }
}

fn a_session_is_kept_until_it_expires(store: &dyn Store, clock: &TestClock) {
    let anne = Holder::User(anne(store));
    let row = session(clock, "one", None);
    assert!(store.add_session(&row).expect("added"));
    assert!(!store.add_session(&SessionRow { data: Vec::new(), ..row.clone() }).expect("not added twice"));
    assert_eq!(store.session(&row.hash).expect("read"), Some(row.clone()));
    let signed_in = SessionRow { holder: Some(anne), opened_by: OpenedBy::Password, data: vec![1], ..row.clone() };
    assert!(store.save_session(&signed_in).expect("saved"));
    let (seen, expires) = (after(clock, 60), after(clock, 3660));
    store.touch_session(&row.hash, seen, expires).expect("on its way").wait().expect("touched");
    let touched = SessionRow { seen, expires, ..signed_in };
    clock.advance(Duration::from_secs(3659));
    assert_eq!(store.session(&row.hash).expect("read"), Some(touched));
    clock.advance(Duration::from_secs(1));
    assert_eq!(store.session(&row.hash).expect("read"), None);
    assert!(store.sessions_of(anne).expect("listed").is_empty());
    assert_eq!(store.prune_sessions().expect("pruned"), 1);
    assert_eq!(store.prune_sessions().expect("pruned"), 0);
}

fn a_session_that_ended_is_not_brought_back(store: &dyn Store, clock: &TestClock) {
    let row = session(clock, "one", None);
    store.add_session(&row).expect("added");
    store.end_session(&row.hash).expect("ended");
    store.end_session(&row.hash).expect("ended before");
    assert!(!store.save_session(&row).expect("a request that was on its way"));
    store.touch_session(&row.hash, clock.now(), after(clock, 99)).expect("on its way").wait().expect("nothing happens");
    assert_eq!(store.session(&row.hash).expect("read"), None);
}

fn a_holder_sees_and_ends_their_own_sessions(store: &dyn Store, clock: &TestClock) {
    let (anne, bob) = (Holder::User(anne(store)), Holder::User(bob(store)));
    for (name, holder) in [("a1", anne), ("a2", anne), ("b1", bob)] {
        store.add_session(&session(clock, name, Some(holder))).expect("added");
    }
    store.touch_session(&hash("a1"), after(clock, 5), after(clock, 99)).expect("on its way").wait().expect("touched");
    let listed = |holder| -> Vec<SecretHash> {
        store.sessions_of(holder).expect("listed").iter().map(|session| session.hash).collect()
    };
    assert_eq!(listed(anne), [hash("a1"), hash("a2")], "the last used one first");
    let theirs = store.sessions_of(anne).expect("listed")[1].id;
    store.end_session_of(bob, theirs).expect("nothing happens");
    assert_eq!(listed(anne).len(), 2, "bob ends no session of anne's");
    store.end_session_of(anne, theirs).expect("ended");
    assert_eq!(listed(anne), [hash("a1")]);
    store.add_session(&session(clock, "a3", Some(anne))).expect("added");
    assert_eq!(store.end_sessions_of(&Actor::User, anne, Some(&hash("a3"))).expect("ended"), 1);
    assert_eq!((listed(anne), listed(bob)), (vec![hash("a3")], vec![hash("b1")]));
    assert_eq!(store.end_sessions_of(&administrator(), anne, None).expect("ended"), 1);
}

fn sessions_of_one_holder_are_bounded(store: &dyn Store, clock: &TestClock) {
    let anne = Holder::User(anne(store));
    for n in 0..MAX_SESSIONS + 2 {
        store.add_session(&session(clock, &n.to_string(), Some(anne))).expect("added");
    }
    assert_eq!(store.sessions_of(anne).expect("listed").len(), MAX_SESSIONS);
    assert_eq!(store.session(&hash("1")).expect("read"), None, "the oldest gave way");
    assert!(store.session(&hash("2")).expect("read").is_some());
}

fn sessions_move_no_revision_and_leave_no_trace_in_the_journal(store: &dyn Store, clock: &TestClock) {
    let user = anne(store);
    let acme = store.organisation("acme").expect("there").id;
    let state = || {
        let position = store.feed().expect("a feed").load(&|_| {}).expect("loaded").position.revision;
        (position, store.verify_journal(acme).expect("verified").rows)
    };
    let before = state();
    let row = session(clock, "one", Some(Holder::User(user)));
    store.add_session(&row).expect("added");
    store.save_session(&row).expect("saved");
    store.touch_session(&row.hash, clock.now(), after(clock, 99)).expect("on its way").wait().expect("touched");
    let begun = store.begin_sign_in(&address("anne@acme.example"), &hash("browser")).expect("begun");
    store.confirm_code(&hash("browser"), &begun.code).expect("confirmed");
    store.end_session(&row.hash).expect("ended");
    assert_eq!(state(), before);
}

fn a_session_is_not_too_large_and_goes_with_its_user(store: &dyn Store, clock: &TestClock) {
    let user = anne(store);
    let row = session(clock, "one", Some(Holder::User(user)));
    let large = SessionRow { data: vec![0; MAX_SESSION_DATA + 1], ..row.clone() };
    assert!(matches!(store.add_session(&large), Err(StoreError::Invalid(_))));
    let wordy = SessionRow { browser: "é".repeat(MAX_LABEL), ..row.clone() };
    store.add_session(&wordy).expect("added");
    assert_eq!(store.session(&row.hash).expect("read").expect("there").browser, "é".repeat(MAX_LABEL / 2));
    store.remove_user(&administrator(), user).expect("removed");
    assert_eq!(store.session(&row.hash).expect("read"), None);
    assert!(matches!(store.add_session(&row), Err(StoreError::UnknownUser(_))));
}

fn the_previous_sign_in_is_told(store: &dyn Store, clock: &TestClock) {
    let (anne, bob) = (Holder::User(anne(store)), Holder::User(bob(store)));
    assert_eq!(store.last_sign_in(anne).expect("asked"), None);
    let mut last = None;
    for n in 0..KEPT_SIGN_INS + 2 {
        clock.advance(Duration::from_secs(60));
        let browser = format!("browser {n}");
        let network = "2001:db8::/48".to_owned();
        let sign_in = SignIn { at: clock.now(), opened_by: OpenedBy::Passkey, network, browser };
        store.record_sign_in(anne, &sign_in).expect("recorded");
        last = Some(sign_in);
    }
    assert_eq!(store.last_sign_in(anne).expect("asked"), last);
    assert_eq!(store.last_sign_in(bob).expect("asked"), None);
}

fn begin(store: &dyn Store, browser: &str) -> MailedSignIn {
    store.begin_sign_in(&address("anne@acme.example"), &hash(browser)).expect("begun")
}

fn annes(user: UserId) -> ConfirmedSignIn {
    ConfirmedSignIn { address: address("anne@acme.example"), user: Some(user) }
}

fn a_link_works_once_in_the_browser_that_asked(store: &dyn Store, clock: &TestClock) {
    let user = anne(store);
    let begun = begin(store, "laptop");
    assert_eq!(begun.expires, clock.now() + SignedDuration::try_from(SIGN_IN_LIFE).expect("minutes"));
    let good = LinkAnswer::Good(annes(user));
    for _ in 0..2 {
        let opened = store.sign_in_link(&begun.token, &hash("laptop")).expect("opened");
        assert_eq!(opened, good, "opening it uses nothing up");
    }
    assert_eq!(store.confirm_link(&begun.token, &hash("laptop")).expect("confirmed"), good);
    assert_eq!(store.confirm_link(&begun.token, &hash("laptop")).expect("answered"), LinkAnswer::Unknown);
    assert_eq!(store.sign_in_link(&begun.token, &hash("laptop")).expect("answered"), LinkAnswer::Unknown);
    let code = store.confirm_code(&hash("laptop"), &begun.code).expect("answered");
    assert_eq!(code, CodeAnswer::Unknown, "its code is used up as well");
}

fn a_link_tells_another_browser_what_to_do(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let begun = begin(store, "laptop");
    for answer in [store.sign_in_link(&begun.token, &hash("phone")), store.confirm_link(&begun.token, &hash("phone"))] {
        assert_eq!(answer.expect("answered"), LinkAnswer::OtherBrowser);
    }
    let at_home = store.confirm_link(&begun.token, &hash("laptop")).expect("confirmed");
    assert_eq!(at_home, LinkAnswer::Good(annes(user)), "it is as good as before");
}

fn a_code_works_once_in_the_browser_that_asked(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let (first, second) = (begin(store, "laptop"), begin(store, "laptop"));
    assert_eq!(store.confirm_code(&hash("phone"), &second.code).expect("answered"), CodeAnswer::Unknown);
    let older = store.confirm_code(&hash("laptop"), &first.code).expect("answered");
    assert_eq!(older, CodeAnswer::Wrong { left: 4 }, "of two messages the newer has the code");
    let good = store.confirm_code(&hash("laptop"), &second.code).expect("confirmed");
    assert_eq!(good, CodeAnswer::Good(annes(user)));
    let again = begin(store, "laptop");
    store.confirm_code(&hash("laptop"), &again.code).expect("confirmed");
    assert_eq!(store.confirm_code(&hash("laptop"), &again.code).expect("answered"), CodeAnswer::Unknown);
}

fn wrong(code: &MailCode) -> MailCode {
    let digits: u32 = code.to_string().replace(' ', "").parse().expect("digits");
    format!("{:06}", (digits + 1) % 1_000_000).parse().expect("a code")
}

fn five_wrong_codes_void_a_sign_in(store: &dyn Store, _: &TestClock) {
    anne(store);
    let begun = begin(store, "laptop");
    let answers: Vec<_> =
        (0..5).map(|_| store.confirm_code(&hash("laptop"), &wrong(&begun.code)).expect("answered")).collect();
    let left = |left| CodeAnswer::Wrong { left };
    assert_eq!(answers, [left(4), left(3), left(2), left(1), CodeAnswer::Unknown]);
    assert_eq!(store.confirm_code(&hash("laptop"), &begun.code).expect("answered"), CodeAnswer::Unknown);
    assert_eq!(store.confirm_link(&begun.token, &hash("laptop")).expect("answered"), LinkAnswer::Unknown);
}

fn links_and_codes_expire(store: &dyn Store, clock: &TestClock) {
    anne(store);
    let begun = begin(store, "laptop");
    clock.advance(SIGN_IN_LIFE);
    assert_eq!(store.confirm_link(&begun.token, &hash("laptop")).expect("answered"), LinkAnswer::Unknown);
    assert_eq!(store.confirm_link(&begun.token, &hash("phone")).expect("answered"), LinkAnswer::Unknown);
    assert_eq!(store.confirm_code(&hash("laptop"), &begun.code).expect("answered"), CodeAnswer::Unknown);
    assert_eq!(store.prune_sessions().expect("pruned"), 1);
}

fn sign_ins_of_one_browser_give_way_to_later_ones_and_to_no_strangers(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let begun: Vec<_> = (0..=MAX_PENDING).map(|_| begin(store, "laptop")).collect();
    for stranger in 0..2 * MAX_PENDING {
        begin(store, &format!("stranger {stranger}"));
    }
    let answer = |n: usize| store.sign_in_link(&begun[n].token, &hash("laptop")).expect("opened");
    assert_eq!(answer(0), LinkAnswer::Unknown);
    assert_eq!(answer(1), LinkAnswer::Good(annes(user)));
    let newest = store.confirm_code(&hash("laptop"), &begun[MAX_PENDING].code).expect("confirmed");
    assert_eq!(newest, CodeAnswer::Good(annes(user)), "what strangers ask for voids nothing here");
}

fn wrong_codes_void_every_sign_in_of_their_browser(store: &dyn Store, _: &TestClock) {
    anne(store);
    let (older, newest) = (begin(store, "laptop"), begin(store, "laptop"));
    for _ in 0..MAX_WRONG_CODES {
        store.confirm_code(&hash("laptop"), &wrong(&newest.code)).expect("answered");
    }
    assert_eq!(store.confirm_code(&hash("laptop"), &older.code).expect("answered"), CodeAnswer::Unknown);
}

fn after_many_wrong_codes_the_link_alone_signs_in_that_day(store: &dyn Store, clock: &TestClock) {
    let user = anne(store);
    let today = clock.now().to_zoned(jiff::tz::TimeZone::UTC);
    let until = today.tomorrow().and_then(|tomorrow| tomorrow.start_of_day()).expect("a day").timestamp();
    for (name, known) in [("anne@acme.example", Some(user)), ("nobody@acme.example", None)] {
        let begin = |browser: &str| store.begin_sign_in(&address(name), &hash(browser)).expect("begun");
        for guess in 0..MAX_WRONG_CODES_A_DAY {
            // Another browser each time: none of them has tries enough to be refused for itself.
            let browser = format!("{name} {}", guess / 4);
            let begun = begin(&browser);
            let answer = store.confirm_code(&hash(&browser), &wrong(&begun.code)).expect("answered");
            let last = guess + 1 == MAX_WRONG_CODES_A_DAY;
            assert_eq!(answer == CodeAnswer::LinkAlone { until }, last, "{name} {guess}: {answer:?}");
        }
        let begun = begin("laptop");
        assert_eq!(
            store.confirm_code(&hash("laptop"), &begun.code).expect("answered"),
            CodeAnswer::LinkAlone { until }
        );
        let link = store.confirm_link(&begun.token, &hash("laptop")).expect("answered");
        assert_eq!(
            link,
            LinkAnswer::Good(ConfirmedSignIn { address: address(name), user: known }),
            "nobody is locked out"
        );
    }
    clock.advance(Duration::from_secs(86_400));
    let begun = begin(store, "laptop");
    assert_eq!(store.confirm_code(&hash("laptop"), &begun.code).expect("confirmed"), CodeAnswer::Good(annes(user)));
}

fn an_unknown_address_is_treated_like_any_other(store: &dyn Store, _: &TestClock) {
    acme(store);
    let nobody = address("nobody@acme.example");
    let begun = store.begin_sign_in(&nobody, &hash("laptop")).expect("begun");
    let wrong = store.confirm_code(&hash("laptop"), &wrong(&begun.code)).expect("answered");
    assert_eq!(wrong, CodeAnswer::Wrong { left: 4 });
    let confirmed = ConfirmedSignIn { address: nobody, user: None };
    assert_eq!(store.confirm_link(&begun.token, &hash("laptop")).expect("opened"), LinkAnswer::Good(confirmed));
    assert_eq!(store.open_with_password(None, "cheval agrafe pile").expect("tried"), None);
}

fn password(text: &str) -> Password {
    Password::new(text, &address("anne@acme.example")).expect("a password")
}

fn set_password(store: &dyn Store, user: UserId) -> UserKey {
    store.set_password(user, &Permission::Own(user), &password("cheval agrafe pile")).expect("set");
    store.open_with_password(Some(user), "cheval agrafe pile").expect("tried").expect("it opens")
}

fn passkey(credential: &[u8], prf: Option<[u8; 32]>) -> NewPasskey {
    NewPasskey {
        credential: credential.to_vec(),
        state: "{\"counter\":0}".to_owned(),
        label: "Téléphone".to_owned(),
        prf: prf.map(|bytes| PrfOutput::new(&bytes).expect("32 bytes")),
    }
}

fn a_password_opens_and_is_replaced(store: &dyn Store, clock: &TestClock) {
    let user = anne(store);
    let key = set_password(store, user);
    assert_eq!(store.open_with_password(Some(user), "cheval agrafe pilE").expect("tried"), None);
    let created = clock.now();
    clock.advance(Duration::from_secs(60));
    store.open_with_password(Some(user), "cheval agrafe pile").expect("tried");
    let [secret] = &store.secrets(user).expect("listed")[..] else { panic!("one secret") };
    assert_eq!((secret.kind, secret.opens), (SecretKind::Password, Opens::Lists));
    assert_eq!((secret.created, secret.last_used), (created, Some(clock.now())));
    store.set_password(user, &Permission::Own(user), &password("un autre mot de passe")).expect("replaced");
    assert_eq!(store.open_with_password(Some(user), "cheval agrafe pile").expect("tried"), None);
    let again = store.open_with_password(Some(user), "un autre mot de passe").expect("tried");
    assert_eq!(again, Some(key), "the key is the user's, not the password's");
    assert_eq!(store.secrets(user).expect("listed").len(), 1);
}

fn a_passkey_opens_with_its_prf_alone(store: &dyn Store, clock: &TestClock) {
    let user = anne(store);
    let key = set_password(store, user);
    let own = Permission::Own(user);
    let with = store.add_passkey(user, &own, &passkey(b"with", Some([1; 32]))).expect("added");
    let without = store.add_passkey(user, &own, &passkey(b"without", None)).expect("added");
    let found = store.passkey(b"with").expect("read").expect("there");
    let state = "{\"counter\":0}".to_owned();
    assert_eq!(found, Passkey { id: with, user, state, opens: Opens::Lists });
    assert_eq!(store.passkeys(user).expect("read").len(), 2);
    assert_eq!(store.passkey(b"other").expect("read"), None);
    let prf = |byte| PrfOutput::new(&[byte; 32]);
    assert_eq!(store.use_passkey(with, "{\"counter\":1}", prf(1).as_ref()).expect("used"), Some(key));
    assert_eq!(store.use_passkey(with, "{\"counter\":2}", None).expect("used"), None);
    assert_eq!(store.use_passkey(without, "{}", prf(1).as_ref()).expect("used"), None);
    assert!(store.use_passkey(with, "{\"counter\":3}", prf(2).as_ref()).is_err(), "another authenticator's");
    let found = store.passkey(b"with").expect("read").expect("there");
    assert_eq!(found.state, "{\"counter\":2}");
    let listed = store.secrets(user).expect("listed");
    assert_eq!(listed[1].last_used, Some(clock.now()));
    assert_eq!(
        listed.iter().map(|secret| secret.opens).collect::<Vec<_>>(),
        [Opens::Lists, Opens::Lists, Opens::Nothing]
    );
}

fn passkeys_are_bounded_and_belong_to_one_user(store: &dyn Store, _: &TestClock) {
    let (anne, bob) = (anne(store), bob(store));
    let add = |user, name: &[u8]| store.add_passkey(user, &Permission::Own(user), &passkey(name, None));
    add(anne, b"first").expect("added");
    assert!(matches!(add(bob, b"first"), Err(StoreError::Invalid(_))), "it is anne's");
    for n in 1..MAX_PASSKEYS {
        add(anne, &[n as u8]).expect("added");
    }
    assert!(matches!(add(anne, b"one more"), Err(StoreError::Invalid(_))));
    for label in ["", " ", "a\nb", &"x".repeat(MAX_LABEL + 1)] {
        let unnamed = NewPasskey { label: label.to_owned(), ..passkey(b"unnamed", None) };
        let refused = store.add_passkey(bob, &Permission::Own(bob), &unnamed);
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{label:?}");
    }
}

fn a_recovery_code_is_used_once(store: &dyn Store, _: &TestClock) {
    let (anne, bob) = (anne(store), bob(store));
    let own = Permission::Own(anne);
    let old = store.make_recovery_code(anne, &own).expect("made");
    let code = store.make_recovery_code(anne, &own).expect("made");
    let open = |user, code: &RecoveryCode| store.open_with_recovery_code(Some(user), code).expect("tried");
    assert_eq!(open(anne, &old), None, "one is valid at a time");
    assert_eq!(open(bob, &code), None);
    let key = open(anne, &code).expect("it opens");
    assert_eq!(open(anne, &code), None, "once");
    assert!(store.secrets(anne).expect("listed").is_empty(), "another one must be made");
    let next = store.make_recovery_code(anne, &Permission::Unlocked(anne, key.clone())).expect("made");
    assert_eq!(open(anne, &next), Some(key));
}

fn a_wrong_recovery_code_writes_nothing(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let own = Permission::Own(user);
    let old = store.make_recovery_code(user, &own).expect("made");
    store.make_recovery_code(user, &own).expect("made");
    let rows = |store: &dyn Store| store.journal(user, &own, None, 99).expect("read").len();
    let before = rows(store);
    for holder in [Some(user), Some(bob(store)), None] {
        assert_eq!(store.open_with_recovery_code(holder, &old).expect("tried"), None, "{holder:?}");
    }
    assert_eq!(rows(store), before);
    assert!(store.secrets(user).expect("listed")[0].last_used.is_none());
}

fn the_last_way_through_the_lock_stays_until_it_is_replaced(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let own = Permission::Own(user);
    let code = store.make_recovery_code(user, &own).expect("made");
    store.set_lock(user, &own, LockState::On).expect("locked");
    let open = |code: &RecoveryCode| store.open_with_recovery_code(Some(user), code).expect("tried");
    let key = open(&code).expect("it opens");
    assert_eq!(open(&code), Some(key.clone()), "nothing else would");
    let next = store.make_recovery_code(user, &Permission::Unlocked(user, key.clone())).expect("made");
    assert_eq!(open(&code), None);
    assert_eq!(open(&next), Some(key));
}

fn a_browser_is_known_once_it_signed_in(store: &dyn Store, _: &TestClock) {
    let (anne, bob) = (anne(store), bob(store));
    let meet = |user, browser: &str| store.meet_browser(user, &hash(browser)).expect("met");
    assert!(!meet(anne, "laptop") && meet(anne, "laptop"));
    assert!(!meet(bob, "laptop"), "of each user alone");
    for n in 0..MAX_BROWSERS {
        assert!(!meet(anne, &n.to_string()));
    }
    assert!(meet(anne, "1") && !meet(anne, "laptop"), "the one that signed in the longest ago is forgotten");
}

fn a_language_is_kept(store: &dyn Store, _: &TestClock) {
    let (anne, bob) = (anne(store), bob(store));
    assert_eq!(store.user_language(anne).expect("asked"), None);
    for language in Language::ALL {
        store.set_user_language(anne, language).expect("set");
        assert_eq!(store.user_language(anne).expect("asked"), Some(language));
    }
    assert_eq!(store.user_language(bob).expect("asked"), None);
}

fn a_fresh_start_waits_and_can_be_cancelled(store: &dyn Store, clock: &TestClock) {
    let (user, key) = locked(store);
    store.add_session(&session(clock, "mailed", Some(Holder::User(user)))).expect("added");
    let unlocked = Permission::Unlocked(user, key);
    let asked = store.ask_fresh_start(user).expect("asked");
    assert_eq!(asked.due, clock.now() + SignedDuration::try_from(FRESH_START_DELAY).expect("days"));
    clock.advance(FRESH_START_DELAY / 2);
    assert_eq!(store.ask_fresh_start(user).expect("asked"), asked, "asking again is no reason to wait longer");
    store.cancel_fresh_start(user).expect("cancelled");
    clock.advance(FRESH_START_DELAY);
    assert_eq!(store.make_fresh_starts().expect("made"), []);
    assert_eq!(read(store, user, &unlocked).expect("read").len(), 1);

    store.ask_fresh_start(user).expect("asked");
    clock.advance(FRESH_START_DELAY - Duration::from_secs(1));
    assert_eq!(store.make_fresh_starts().expect("made"), [], "not yet");
    store.add_session(&session(clock, "later", Some(Holder::User(user)))).expect("added");
    clock.advance(Duration::from_secs(1));
    assert_eq!(store.make_fresh_starts().expect("made"), [user]);
    assert_eq!(store.make_fresh_starts().expect("made"), [], "once");
    assert_eq!(store.profile(user).expect("read").fresh_start, None);
    assert_eq!(store.lock_state(user).expect("asked"), LockState::Off);
    assert_eq!(read(store, user, &Permission::Own(user)).expect("read"), [Readable::Lost]);
    assert!(store.sessions_of(Holder::User(user)).expect("listed").is_empty());
    let journal = store.journal(user, &Permission::Own(user), None, 99).expect("read");
    let kinds: Vec<_> = journal.iter().rev().map(|row| row.kind.as_str()).collect();
    let told = ["fresh-start-asked", "fresh-start-cancelled", "fresh-start-asked", "secrets-reset", "sessions-ended"];
    assert!(kinds.ends_with(&told), "{kinds:?}");
}

fn a_fresh_start_is_for_a_lock_that_is_on(store: &dyn Store, clock: &TestClock) {
    let (user, key) = locked(store);
    store.ask_fresh_start(user).expect("asked");
    store.set_lock(user, &Permission::Unlocked(user, key), LockState::Off).expect("off");
    assert_eq!(store.profile(user).expect("read").fresh_start, None, "who can take it off lost nothing");
    assert!(matches!(store.ask_fresh_start(user), Err(StoreError::Invalid(_))));
    clock.advance(FRESH_START_DELAY);
    assert_eq!(store.make_fresh_starts().expect("made"), []);
}

fn a_full_list_under_the_lock_tells_nothing_of_what_stands_on_it(store: &dyn Store, _: &TestClock) {
    let (user, _) = locked(store);
    let fill: Vec<_> = (1..MAX_ENTRIES).map(|n| (ListKind::Personal, value(&format!("{n}@famille.example")))).collect();
    store.add_entries(&Actor::User, user, &fill).expect("filled");
    for text in ["maman@famille.example", "papa@famille.example"] {
        let refused = store.add_entries(&Actor::User, user, &[(ListKind::Personal, value(text))]);
        assert!(matches!(refused, Err(StoreError::ListFull(_))), "{text}: {refused:?}");
    }
}

fn read(store: &dyn Store, user: UserId, permission: &Permission) -> Result<Vec<Readable>> {
    let entries = store.read_entries(user, Some(ListKind::Personal), permission)?;
    Ok(entries.into_iter().map(|entry| entry.value).collect())
}

/// Anne with `maman@famille.example`, her password's key, and the lock on.
fn locked(store: &dyn Store) -> (UserId, UserKey) {
    let user = anne(store);
    add(store, user, ListKind::Personal, &["maman@famille.example"]);
    let key = set_password(store, user);
    store.set_lock(user, &Permission::Own(user), LockState::On).expect("locked");
    (user, key)
}

fn under_the_lock_a_list_opens_with_each_secret_and_with_nothing_else(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    add(store, user, ListKind::Personal, &["maman@famille.example"]);
    set_password(store, user);
    let own = Permission::Own(user);
    let code = store.make_recovery_code(user, &own).expect("made");
    let passkey = store.add_passkey(user, &own, &passkey(b"key", Some([1; 32]))).expect("added");
    assert_eq!(store.lock_state(user).expect("asked"), LockState::Off);
    store.set_lock(user, &own, LockState::On).expect("locked");
    store.set_lock(user, &own, LockState::On).expect_err("a session without the secret does not change it");
    assert_eq!(store.lock_state(user).expect("asked"), LockState::On);

    for refused in [
        read(store, user, &own).map(drop),
        store.journal(user, &own, None, 9).map(drop),
        store.check_permission(user, &own),
        store.set_lock(user, &own, LockState::Off),
        store.make_recovery_code(user, &own).map(drop),
        store.set_password(user, &own, &password("un autre mot de passe")).map(drop),
        store.remove_secret(user, &own, passkey),
    ] {
        assert!(matches!(refused, Err(StoreError::UserLocked)), "{refused:?}");
    }
    let wrong = Permission::Unlocked(user, UserKey::from_bytes([1; 32]));
    assert!(read(store, user, &wrong).is_err());

    let by_password = store.open_with_password(Some(user), "cheval agrafe pile").expect("tried");
    let by_passkey = store.use_passkey(passkey, "{}", PrfOutput::new(&[1; 32]).as_ref()).expect("used");
    let by_code = store.open_with_recovery_code(Some(user), &code).expect("tried");
    for key in [by_password, by_passkey, by_code] {
        let unlocked = Permission::Unlocked(user, key.expect("it opens"));
        let values = read(store, user, &unlocked).expect("read");
        assert_eq!(values, [Readable::Value(value("maman@famille.example"))]);
        store.check_permission(user, &unlocked).expect("it opens");
        assert!(store.journal(user, &unlocked, None, 99).expect("read").iter().any(|row| !row.edits.is_empty()));
    }
}

fn under_the_lock_entries_are_added_without_the_key(store: &dyn Store, _: &TestClock) {
    let (user, key) = locked(store);
    add(store, user, ListKind::Personal, &["papa@famille.example"]);
    let values = read(store, user, &Permission::Unlocked(user, key)).expect("read");
    assert_eq!(values, ["maman@famille.example", "papa@famille.example"].map(|text| Readable::Value(value(text))));
}

fn the_lock_needs_a_secret_that_opens_it(store: &dyn Store, _: &TestClock) {
    let user = anne(store);
    let own = Permission::Own(user);
    let none = store.set_lock(user, &own, LockState::On);
    assert!(matches!(none, Err(StoreError::LastSecret)));
    let passkey = store.add_passkey(user, &own, &passkey(b"key", None)).expect("added");
    let no_prf = store.set_lock(user, &own, LockState::On);
    assert!(matches!(no_prf, Err(StoreError::LastSecret)), "a passkey without PRF opens nothing");
    let key = set_password(store, user);
    store.set_lock(user, &own, LockState::On).expect("locked");
    let unlocked = Permission::Unlocked(user, key);
    let id = store.secrets(user).expect("listed")[1].id;
    assert!(matches!(store.remove_secret(user, &unlocked, id), Err(StoreError::LastSecret)));
    assert_eq!(store.secrets(user).expect("listed").len(), 2, "nothing was removed");
    store.remove_secret(user, &unlocked, passkey).expect("removed");
    store.make_recovery_code(user, &unlocked).expect("made");
    store.remove_secret(user, &unlocked, id).expect("another one is left");
}

fn a_lock_that_is_taken_off_opens_for_every_session(store: &dyn Store, _: &TestClock) {
    let (user, key) = locked(store);
    store.set_lock(user, &Permission::Unlocked(user, key.clone()), LockState::Off).expect("unlocked");
    let own = Permission::Own(user);
    assert_eq!(read(store, user, &own).expect("read").len(), 1);
    let code = store.make_recovery_code(user, &own).expect("a mailed session adds secrets again");
    assert_eq!(store.open_with_recovery_code(Some(user), &code).expect("tried"), Some(key.clone()));
    let password = store.secrets(user).expect("listed")[0].id;
    store.remove_secret(user, &own, password).expect("removed");
    assert_ne!(set_password(store, user), key, "after the last secret the next one makes a fresh key");
}

fn nobody_changes_another_users_secrets(store: &dyn Store, _: &TestClock) {
    let (anne, bob) = (anne(store), bob(store));
    let key = set_password(store, anne);
    let secret = store.secrets(anne).expect("listed")[0].id;
    let grantee = Permission::Grant { grantee: "root".to_owned() };
    for permission in [Permission::Own(bob), Permission::Unlocked(bob, key), grantee] {
        for refused in [
            store.remove_secret(anne, &permission, secret),
            store.set_lock(anne, &permission, LockState::On),
            store.make_recovery_code(anne, &permission).map(drop),
            store.add_passkey(anne, &permission, &passkey(b"key", None)).map(drop),
        ] {
            assert!(matches!(refused, Err(StoreError::NotPermitted)), "{refused:?}");
        }
    }
    assert!(store.remove_secret(bob, &Permission::Own(bob), secret).is_err(), "it is not bob's");
    assert_eq!(store.secrets(anne).expect("listed").len(), 1);
}

fn the_lock_lets_nobody_else_in(store: &dyn Store, clock: &TestClock) {
    let user = anne(store);
    add(store, user, ListKind::Personal, &["maman@famille.example"]);
    let grant = || store.issue_grant(user, "support", ListKind::Personal, MAX_GRANT);
    let support = Permission::Grant { grantee: "support".to_owned() };
    grant().expect("issued");
    assert_eq!(read(store, user, &support).expect("read").len(), 1);
    let key = set_password(store, user);
    store.set_lock(user, &Permission::Own(user), LockState::On).expect("locked");
    assert!(matches!(read(store, user, &support), Err(StoreError::NotPermitted)));
    assert_eq!(store.grants(user).expect("listed")[0].revoked, Some(clock.now()), "the user sees it");
    assert!(matches!(grant(), Err(StoreError::GrantUnderLock)));
    store.set_lock(user, &Permission::Unlocked(user, key), LockState::Off).expect("off");
    assert!(matches!(read(store, user, &support), Err(StoreError::NotPermitted)), "what was revoked stays so");
    grant().expect("issued");
    assert_eq!(read(store, user, &support).expect("read").len(), 1);
}

/// A user under a lock who asks for a fresh start gets it.
fn start_anew(store: &dyn Store, clock: &TestClock, user: UserId) {
    store.ask_fresh_start(user).expect("asked");
    clock.advance(FRESH_START_DELAY);
    assert_eq!(store.make_fresh_starts().expect("made"), [user]);
}

fn who_lost_every_secret_starts_anew(store: &dyn Store, clock: &TestClock) {
    let (user, key) = locked(store);
    let before = load(store);
    start_anew(store, clock, user);
    assert_eq!(store.lock_state(user).expect("asked"), LockState::Off);
    assert!(store.secrets(user).expect("listed").is_empty());
    let own = Permission::Own(user);
    assert_eq!(read(store, user, &own).expect("read"), [Readable::Lost]);
    assert_eq!(read(store, user, &Permission::Unlocked(user, key)).expect("read"), [Readable::Lost]);
    assert!(store.journal(user, &own, None, 99).expect("read").iter().all(|row| row.edits.is_empty()));
    assert_eq!(load(store), before, "the relay matches what it matched");
    add(store, user, ListKind::Personal, &["papa@famille.example"]);
    let values = read(store, user, &own).expect("read");
    assert_eq!(values, [Readable::Lost, Readable::Value(value("papa@famille.example"))]);
    let again = store.ask_fresh_start(user);
    assert!(matches!(again, Err(StoreError::Invalid(_))), "nothing is lost while the lock is off");
}

/// What the relay matches of each user.
fn load(store: &dyn Store) -> Vec<usize> {
    let counts = std::sync::Mutex::new(Vec::new());
    let sink = |user: LoadedUser| counts.lock().expect("lock").push(user.lists.len(ListKind::Personal));
    store.feed().expect("a feed").load(&sink).expect("loaded");
    counts.into_inner().expect("lock")
}

fn lost_entries_are_found_again_or_taken_off(store: &dyn Store, clock: &TestClock) {
    let user = anne(store);
    add(store, user, ListKind::Personal, &["maman@famille.example", "oubli@famille.example"]);
    set_password(store, user);
    store.set_lock(user, &Permission::Own(user), LockState::On).expect("locked");
    start_anew(store, clock, user);
    add(store, user, ListKind::Personal, &["maman@famille.example"]);
    assert_eq!(texts(store, user, ListKind::Personal), ["LOST", "maman@famille.example"]);
    let own = Permission::Own(user);
    let key = set_password(store, user);
    store.set_lock(user, &own, LockState::On).expect("locked");
    assert!(matches!(store.remove_lost_entries(user, &own), Err(StoreError::UserLocked)), "who reads the mail alone");
    store.set_lock(user, &Permission::Unlocked(user, key), LockState::Off).expect("off");
    store.remove_lost_entries(user, &own).expect("removed");
    assert_eq!(texts(store, user, ListKind::Personal), ["maman@famille.example"]);
    assert_eq!(load(store), [1]);
}

fn the_journal_names_what_happened_to_an_account(store: &dyn Store, clock: &TestClock) {
    let (user, key) = locked(store);
    let unlocked = Permission::Unlocked(user, key);
    let code = store.make_recovery_code(user, &unlocked).expect("made");
    store.open_with_recovery_code(Some(user), &code).expect("used");
    let passkey = store.add_passkey(user, &unlocked, &passkey(b"key", None)).expect("added");
    store.remove_secret(user, &unlocked, passkey).expect("removed");
    store.end_sessions_of(&administrator(), Holder::User(user), None).expect("ended");
    store.set_lock(user, &unlocked, LockState::Off).expect("off");
    store.set_lock(user, &unlocked, LockState::On).expect("on");
    start_anew(store, clock, user);
    let journal = store.journal(user, &Permission::Own(user), None, 99).expect("read");
    let rows: Vec<_> = journal.iter().rev().map(|row| (row.actor.as_str(), row.kind.as_str())).collect();
    let expected = [
        ("administrator root", "user-added"),
        ("user", "entries"),
        ("user", "password-added"),
        ("user", "lock-on"),
        ("user", "recovery-code-added"),
        ("user", "recovery-code-used"),
        ("user", "passkey-added"),
        ("user", "passkey-removed"),
        ("administrator root", "sessions-ended"),
        ("user", "lock-off"),
        ("user", "lock-on"),
        ("user", "fresh-start-asked"),
        ("user", "secrets-reset"),
        ("user", "sessions-ended"),
    ];
    assert_eq!(rows, expected);
    let acme = store.organisation("acme").expect("there").id;
    assert_eq!(store.verify_journal(acme).expect("verified").broken, None);
}

/// The file in somebody's hands who has both keys as well.
#[test]
fn under_the_lock_the_file_and_both_keys_open_nothing() {
    let place = Place::new();
    let store = place.open();
    let (user, key) = locked(&store);
    let raw = place.raw();
    let kept = |column: &str| -> Option<Vec<u8>> {
        let sql = format!("SELECT {column} FROM users u JOIN lock_keys l ON l.user = u.id");
        raw.query_row(&sql, [], |row| row.get(0)).expect("read")
    };
    assert_eq!(kept("l.sealed"), None, "no copy of the lock key is left for the store");
    // The private key put back as if the lock were off does not open either.
    raw.execute("UPDATE users SET private_wrap = 'seal'", []).expect("edited");
    assert!(matches!(read(&store, user, &Permission::Own(user)), Err(StoreError::Altered(_))));
    raw.execute("UPDATE users SET private_wrap = 'lock'", []).expect("put back");
    assert_eq!(read(&store, user, &Permission::Unlocked(user, key)).expect("read").len(), 1);
}

#[test]
fn what_the_store_could_open_before_the_lock_leaves_the_files() {
    let place = Place::new();
    let store = place.open();
    let user = anne(&store);
    set_password(&store, user);
    let sealed: Vec<Vec<u8>> = place
        .raw()
        .prepare("SELECT private_key FROM users UNION ALL SELECT sealed FROM lock_keys")
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .expect("read");
    assert!(sealed.len() == 2 && sealed.iter().all(|sealed| holds(&bytes(&place), sealed)));
    store.set_lock(user, &Permission::Own(user), LockState::On).expect("locked");
    eventually("the erasure of both", || {
        let now = bytes(&place);
        !sealed.iter().any(|sealed| holds(&now, sealed))
    });
}

#[test]
fn nothing_that_was_mailed_typed_or_printed_stands_in_the_files() {
    let place = Place::new();
    let store = place.open();
    let user = anne(&store);
    let begun = store.begin_sign_in(&address("anne@acme.example"), &SecretHash::of(b"the cookie")).expect("begun");
    let key = set_password(&store, user);
    let code = store.make_recovery_code(user, &Permission::Own(user)).expect("made");
    store.add_passkey(user, &Permission::Own(user), &passkey(b"credential", Some([0x55; 32]))).expect("added");
    let id = [0x77; 16];
    let session_key = SessionKey::new(&id);
    let data = session_key.seal(b"a draft: maman@famille.example").expect("sealed");
    let clock = place.clock.clone();
    let row = SessionRow { hash: session_key.hash(), data, ..session(&clock, "one", Some(Holder::User(user))) };
    store.add_session(&row).expect("added");
    let now = bytes(&place);
    assert!(holds(&now, b"credential") && holds(&now, b"argon2id-hkdf"), "the search finds what is there");
    let secrets = [
        begun.token.to_string().into_bytes(),
        begun.code.to_string().replace(' ', "").into_bytes(),
        b"the cookie".to_vec(),
        b"cheval agrafe".to_vec(),
        code.to_string().replace('-', "").into_bytes(),
        vec![0x55; 32],
        id.to_vec(),
        b"famille.example".to_vec(),
        key.to_bytes().to_vec(),
    ];
    for (index, secret) in secrets.iter().enumerate() {
        assert!(!holds(&now, secret), "secret {index}");
    }
}

#[test]
fn a_wrap_that_is_moved_does_not_open() {
    for edit in [
        // Bob's password in anne's place, with bob's wrap or her own.
        "UPDATE secrets SET (verifier, wrapped) = (SELECT verifier, wrapped FROM secrets WHERE user <> ?1) WHERE user = ?1",
        "UPDATE secrets SET verifier = (SELECT verifier FROM secrets WHERE user <> ?1) WHERE user = ?1",
        "UPDATE secrets SET wrapped = NULL, verifier = (SELECT verifier FROM secrets WHERE user <> ?1) WHERE user = ?1",
    ] {
        let place = Place::new();
        let store = place.open();
        let (anne, _) = locked(&store);
        let bob = bob(&store);
        store.set_password(bob, &Permission::Own(bob), &password("le mot de bob")).expect("set");
        place.raw().execute(edit, [anne.get() as i64]).expect("edited");
        let opened = store.open_with_password(Some(anne), "le mot de bob");
        assert!(matches!(opened, Err(StoreError::Altered(user)) if user == anne), "{edit}");
    }
}
