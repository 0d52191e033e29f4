//! Secrets of one's own, the personal lock, sessions, and proving once more who one is.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use perso_milter::policy::list::ListKind;
use perso_milter::store::{Actor, LockState, Password, Permission, Readable, StoreError, UserId};
use regex::Regex;

use crate::harness::{Answer, Browser, Site, address, eventually};
use crate::mailbox::{Letter, Mailbox};

const MINUTE: Duration = Duration::from_secs(60);
const PASSWORD: &str = "cheval agrafe pile";

/// Gives whoever is signed in a password.
pub fn choose_password(browser: &mut Browser, password: &str) {
    let answer = browser.post("/securite/mot-de-passe", &[("mot_de_passe", password)]);
    assert_eq!((answer.status, answer.location()), (303, "/securite"), "{answer:?}");
}

fn sign_in(browser: &mut Browser, address: &str, password: &str) -> Answer {
    browser.post("/connexion/mot-de-passe", &[("adresse", address), ("mot_de_passe", password)])
}

/// A fresh browser in which anne has signed in by her password.
fn with_password(site: &Site, password: &str) -> Browser {
    let mut browser = site.browser();
    let answer = sign_in(&mut browser, "anne@acme.example", password);
    assert_eq!((answer.status, answer.location()), (303, "/"), "{answer:?}");
    browser
}

fn is_signed_in(browser: &mut Browser) -> bool {
    browser.get("/securite").status == 200
}

/// Puts maman@famille.example on anne's list, gives her a password and the lock.
fn locked(site: &Site) -> Browser {
    let entry = (ListKind::Personal, "maman@famille.example".parse().expect("an entry"));
    site.store.add_entries(&Actor::User, site.anne, &[entry]).expect("added");
    let mut browser = site.signed_in("anne@acme.example");
    choose_password(&mut browser, PASSWORD);
    let answer = browser.post("/securite/verrou", &[("verrou", "mis")]);
    assert!(browser.follow(answer).words().contains("Votre verrou personnel est mis."));
    browser
}

fn recovery_code(page: &Answer) -> String {
    let code = Regex::new(r"([0-9A-Z]{4}(-[0-9A-Z]{4}){6})").expect("valid");
    code.captures(&page.body).unwrap_or_else(|| panic!("no code: {page:?}"))[1].to_owned()
}

#[test]
fn a_password_signs_in() {
    let site = Site::new();
    choose_password(&mut site.signed_in("anne@acme.example"), PASSWORD);
    let mut browser = with_password(&site, PASSWORD);
    let page = browser.get("/securite");
    assert!(page.words().contains("anne@acme.example") && page.words().contains("par mot de passe"), "{page:?}");
    let other = sign_in(&mut site.browser(), "bob@acme.example", PASSWORD);
    assert_eq!(other.status, 422, "it is anne's: {other:?}");
}

#[test]
fn a_wrong_password_and_an_unknown_account_read_alike() {
    let site = Site::new();
    choose_password(&mut site.signed_in("anne@acme.example"), PASSWORD);
    let refused = ["anne@acme.example", "bob@acme.example", "nobody@acme.example", "x@elsewhere.example", "no address"]
        .map(|address| {
            let answer = sign_in(&mut site.browser(), address, "un autre mot de passe");
            assert_eq!(answer.status, 422, "{answer:?}");
            answer.body.replace(address, "ADDRESS")
        });
    assert!(refused.iter().all(|body| *body == refused[0]), "{refused:#?}");
}

#[test]
fn tries_are_counted_by_browser_and_the_account_stays_open() {
    let site = Site::new();
    choose_password(&mut site.signed_in("anne@acme.example"), PASSWORD);
    for address in ["anne@acme.example", "nobody@acme.example"] {
        let mut guesser = site.browser();
        let statuses: Vec<_> = (0..11).map(|_| sign_in(&mut guesser, address, "un mauvais essai").status).collect();
        assert_eq!(statuses, [vec![422; 10], vec![429]].concat(), "{address}");
        let refused = sign_in(&mut guesser, address, PASSWORD);
        assert_eq!((refused.status, refused.header("retry-after")), (429, "60"), "{refused:?}");
        assert!(refused.words().contains("Réessayez dans une minute"), "{refused:?}");
        assert_eq!(guesser.get("/connexion").status, 200, "other ways are open");
    }
    with_password(&site, PASSWORD);
    site.clock.advance(MINUTE);
    with_password(&site, PASSWORD);
}

#[test]
fn who_keeps_no_cookie_is_counted_by_network() {
    let site = Site::new();
    let statuses: Vec<_> = (0..122)
        .map(|_| site.browser().post("/connexion/secours", &[("adresse", "anne@acme.example"), ("code", "X")]).status)
        .collect();
    assert!(statuses[..120].iter().all(|status| *status == 422), "{statuses:?}");
    assert_eq!(statuses[120..], [429, 429]);
}

#[test]
fn passwords_that_are_easily_guessed_are_refused_with_the_reason() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    for (password, reason) in [
        ("bref", "Il faut au moins 12 caractères"),
        ("azertyuiopqs", "se devine trop facilement"),
        ("anne-acme-2026", "ressemble à votre adresse"),
    ] {
        let answer = browser.post("/securite/mot-de-passe", &[("mot_de_passe", password)]);
        assert_eq!(answer.status, 422);
        assert!(answer.words().contains(reason) && !answer.body.contains(password), "{answer:?}");
    }
    let generated = browser.post("/securite/mot-de-passe/generer", &[]).page();
    let code = Regex::new(r#"id="genere">([0-9a-z-]+)<"#).expect("valid");
    let password = code.captures(&generated).expect("one is proposed")[1].to_owned();
    choose_password(&mut browser, &password);
    with_password(&site, &password);
}

#[test]
fn another_password_ends_the_other_sessions() {
    let site = Site::new();
    let (mut here, mut there) = (site.signed_in("anne@acme.example"), site.signed_in("anne@acme.example"));
    let mut bob = site.signed_in("bob@acme.example");
    choose_password(&mut here, PASSWORD);
    assert!(is_signed_in(&mut here) && is_signed_in(&mut bob));
    assert!(!is_signed_in(&mut there));
}

#[test]
fn what_cannot_be_taken_back_asks_who_one_is_again() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    choose_password(&mut browser, PASSWORD);
    site.clock.advance(6 * MINUTE);
    let secret = site.store.secrets(site.anne).expect("listed")[0].id;
    for (path, form) in [
        ("/securite/mot-de-passe", &[("mot_de_passe", "un autre mot de passe")][..]),
        ("/securite/verrou", &[("verrou", "mis")]),
        ("/securite/code-de-secours", &[]),
        (&format!("/securite/secret/{secret}/retirer"), &[]),
    ] {
        let answer = browser.post(path, form);
        assert!(answer.status == 303 && answer.location().starts_with("/confirmer?retour=%2Fsecurite"), "{answer:?}");
    }
    assert_eq!(site.store.secrets(site.anne).expect("listed").len(), 1, "nothing happened");

    let wrong = browser.post("/confirmer/mot-de-passe", &[("mot_de_passe", "faux"), ("retour", "/securite/verrou")]);
    assert!(wrong.status == 422 && wrong.words().contains("Ce n’est pas votre mot de passe"), "{wrong:?}");
    let before = browser.cookies["__Host-cim-session"].clone();
    let good = browser.post("/confirmer/mot-de-passe", &[("mot_de_passe", PASSWORD), ("retour", "/securite/verrou")]);
    assert_eq!((good.status, good.location()), (303, "/securite/verrou"), "{good:?}");
    assert_ne!(browser.cookies["__Host-cim-session"], before, "the session has another id");
    choose_password(&mut browser, "un autre mot de passe");
}

#[test]
fn one_confirms_by_a_mailed_code_of_ones_own() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    site.clock.advance(6 * MINUTE);
    let sent = site.mailbox.count();
    let answer = browser.post("/confirmer/message", &[("retour", "/securite/mot-de-passe")]);
    let page = browser.follow(answer);
    assert!(page.body.contains("action=\"/confirmer/code\""), "{page:?}");
    let letter = site.mailbox.letter(sent);
    assert!(letter.envelope.iter().any(|line| line == "RCPT TO:<anne@acme.example>"), "{letter:?}");
    let wrong = browser.post("/confirmer/code", &[("code", "12"), ("retour", "/securite/mot-de-passe")]);
    assert_eq!(wrong.status, 422, "{wrong:?}");
    let good = browser.post("/confirmer/code", &[("code", &letter.code()), ("retour", "/securite/mot-de-passe")]);
    assert_eq!((good.status, good.location()), (303, "/securite/mot-de-passe"), "{good:?}");
    choose_password(&mut browser, PASSWORD);
}

#[test]
fn nobody_confirms_with_anothers_code_or_goes_elsewhere_afterwards() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let bobs = {
        // The same browser asks for bob's code as well.
        let mut asking = site.browser();
        asking.cookies = browser.cookies.clone();
        asking.cookies.remove("__Host-cim-session");
        site.asks_for_code(&mut asking, "bob@acme.example")
    };
    site.clock.advance(6 * MINUTE);
    let answer = browser.post("/confirmer/code", &[("code", &bobs), ("retour", "/securite/mot-de-passe")]);
    assert!(answer.location().starts_with("/confirmer?"), "{answer:?}");
    let refused = browser.post("/securite/mot-de-passe", &[("mot_de_passe", PASSWORD)]);
    assert!(refused.location().starts_with("/confirmer?"), "{refused:?}");

    choose_password(&mut site.signed_in("bob@acme.example"), PASSWORD);
    let mut bob = site.browser();
    let form = [("adresse", "bob@acme.example"), ("mot_de_passe", PASSWORD), ("retour", "https://evil.example/")];
    assert_eq!(bob.post("/connexion/mot-de-passe", &form).location(), "/");
    let form = [("mot_de_passe", PASSWORD), ("retour", "//evil.example/")];
    assert_eq!(bob.post("/confirmer/mot-de-passe", &form).location(), "/");
}

fn readable(site: &Site, user: UserId, permission: &Permission) -> Result<usize, StoreError> {
    let entries = site.store.read_entries(user, None, permission)?;
    Ok(entries.iter().filter(|entry| matches!(entry.value, Readable::Value(_))).count())
}

#[test]
fn under_the_lock_a_mailed_session_changes_nothing_until_a_secret_opens_it() {
    let site = Site::new();
    locked(&site);
    assert!(matches!(readable(&site, site.anne, &Permission::Own(site.anne)), Err(StoreError::UserLocked)));
    let mut mailed = site.signed_in("anne@acme.example");
    let page = mailed.get("/securite");
    assert!(page.words().contains("elle peut ajouter à vos listes, pas les lire"), "{page:?}");
    let refused = mailed.post("/securite/verrou", &[("verrou", "retire")]);
    assert_eq!(refused.location(), "/confirmer?retour=%2Fsecurite%2Fverrou", "{refused:?}");
    for (path, form) in [
        ("/securite/mot-de-passe", &[("mot_de_passe", "un autre mot de passe")][..]),
        ("/securite/code-de-secours", &[]),
    ] {
        let refused = mailed.post(path, form);
        assert!(refused.status == 403 && refused.words().contains("Verrou personnel fermé"), "{refused:?}");
        assert!(refused.body.contains("href=\"/confirmer?retour=%2F\""), "the way on is shown: {refused:?}");
    }
    assert_eq!(site.store.lock_state(site.anne).expect("asked"), LockState::On);
    mailed.post("/confirmer/mot-de-passe", &[("mot_de_passe", PASSWORD), ("retour", "/securite")]);
    let off = mailed.post("/securite/verrou", &[("verrou", "retire")]);
    assert!(mailed.follow(off).words().contains("Votre verrou personnel est retiré."));
    assert_eq!(readable(&site, site.anne, &Permission::Own(site.anne)).expect("read"), 1);
}

#[test]
fn under_the_lock_a_mailed_session_does_not_take_off_what_nobody_can_read() {
    let site = Site::new();
    locked(&site);
    let mut mailed = site.signed_in("anne@acme.example");
    mailed.post("/securite/verrou/perdu", &[("compris", "oui")]);
    site.clock.advance(WEEK);
    let mut owner = site.signed_in("anne@acme.example");
    choose_password(&mut owner, PASSWORD);
    let locked_again = owner.post("/securite/verrou", &[("verrou", "mis")]);
    assert!(owner.follow(locked_again).words().contains("Votre verrou personnel est mis."));

    let mut mailed = site.signed_in("anne@acme.example");
    let refused = mailed.post("/securite/illisibles/retirer", &[]);
    assert!(refused.status == 403 && refused.words().contains("Verrou personnel fermé"), "{refused:?}");
    let offers = |browser: &mut Browser| browser.get("/securite/verrou").body.contains("/securite/illisibles/retirer");
    assert!(offers(&mut owner), "they are still there");
    assert_eq!(owner.post("/securite/illisibles/retirer", &[]).status, 303);
    assert!(!offers(&mut owner));
}

#[test]
fn the_lock_asks_for_a_secret_first_and_keeps_the_last_one() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let page = browser.get("/securite/verrou");
    assert!(page.words().contains("Il faut d’abord un mot de passe"), "{page:?}");
    let answer = browser.post("/securite/verrou", &[("verrou", "mis")]);
    assert!(answer.location().starts_with("/confirmer?"), "{answer:?}");
    assert_eq!(site.store.lock_state(site.anne).expect("asked"), LockState::Off);

    let mut browser = locked(&site);
    let secret = site.store.secrets(site.anne).expect("listed")[0].id;
    let answer = browser.post(&format!("/securite/secret/{secret}/retirer"), &[]);
    assert!(browser.follow(answer).words().contains("serait fermé pour toujours"));
    assert_eq!(site.store.secrets(site.anne).expect("listed").len(), 1);
    let page = browser.get("/securite");
    assert!(page.words().contains("ne tient qu’à un seul moyen"), "{page:?}");
}

#[test]
fn nobody_removes_anothers_secret_or_ends_anothers_session() {
    let site = Site::new();
    let mut anne = site.signed_in("anne@acme.example");
    choose_password(&mut anne, PASSWORD);
    let mut bob = site.signed_in("bob@acme.example");
    let secret = site.store.secrets(site.anne).expect("listed")[0].id;
    assert_eq!(bob.post(&format!("/securite/secret/{secret}/retirer"), &[]).status, 404);
    let session = site.store.sessions_of(perso_milter::store::Holder::User(site.anne)).expect("listed")[0].id;
    bob.post(&format!("/securite/sessions/{session}/terminer"), &[]);
    assert!(is_signed_in(&mut anne));
    assert_eq!(site.store.secrets(site.anne).expect("listed").len(), 1);
}

#[test]
fn a_recovery_code_is_printed_once_used_once_and_replaced() {
    let site = Site::new();
    let mut browser = locked(&site);
    let made = browser.post("/securite/code-de-secours", &[]);
    let code = recovery_code(&made);
    assert!(!browser.get("/securite/code-de-secours").body.contains(&code), "shown once");
    assert!(made.words().contains("anne@acme.example"));

    let mut other = site.browser();
    let typed = code.to_lowercase().replace('-', " ");
    let form = [("adresse", "anne@acme.example"), ("code", typed.as_str())];
    let answer = other.post("/connexion/secours", &form);
    assert_eq!(answer.location(), "/", "{answer:?}");
    for path in ["/", "/securite", "/securite/mot-de-passe"] {
        assert_eq!(other.get(path).location(), "/securite/code-de-secours", "another one first: {path}");
    }
    assert!(other.get("/securite/code-de-secours").words().contains("Vous venez d’utiliser votre code"));
    let next = recovery_code(&other.post("/securite/code-de-secours", &[]));
    assert_ne!(next, code);
    assert!(is_signed_in(&mut other));
    let off = other.post("/securite/verrou", &[("verrou", "retire")]);
    assert!(other.follow(off).words().contains("Votre verrou personnel est retiré."), "the code opens the lock");

    let again = site.browser().post("/connexion/secours", &form);
    assert!(again.status == 422 && again.words().contains("un code déjà utilisé ne sert plus"), "{again:?}");
    let unknown = site.browser().post("/connexion/secours", &[("adresse", "nobody@acme.example"), form[1]]);
    let without = |answer: &Answer, address: &str| answer.body.replace(address, "ADDRESS");
    assert_eq!(without(&again, "anne@acme.example"), without(&unknown, "nobody@acme.example"));
}

#[test]
fn who_used_the_printed_code_has_time_to_print_another() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let code = recovery_code(&browser.post("/securite/code-de-secours", &[]));
    site.store.set_lock(site.anne, &Permission::Own(site.anne), LockState::On).expect("locked");
    let form = [("adresse", "anne@acme.example"), ("code", code.as_str())];
    let mut left = site.browser();
    assert_eq!(left.post("/connexion/secours", &form).location(), "/");
    // The page was closed, and nothing else opens the lists: the paper is still good.
    let mut again = site.browser();
    assert_eq!(again.post("/connexion/secours", &form).location(), "/");
    assert_eq!(again.get("/").location(), "/securite/code-de-secours");
    site.clock.advance(6 * MINUTE);
    let next = recovery_code(&again.post("/securite/code-de-secours", &[]));
    assert!(is_signed_in(&mut again));
    assert_eq!(site.browser().post("/connexion/secours", &form).status, 422, "it is replaced");
    let form = [("adresse", "anne@acme.example"), ("code", next.as_str())];
    assert_eq!(site.browser().post("/connexion/secours", &form).location(), "/");
}

/// The letter that tells anne's of something that happened to her account.
fn alert(site: &Site, before: usize, words: &str) -> Letter {
    let letter = site.mailbox.letter_where(before, words, |letter| letter.text.contains(words));
    assert_eq!(letter.recipient(), "anne@acme.example");
    assert!(letter.html.contains(words) && letter.text.contains(&format!("{}/securite", site.origin())), "{letter:?}");
    letter
}

const WEEK: Duration = Duration::from_secs(7 * 86_400);

#[test]
fn who_lost_every_secret_starts_anew_after_saying_so_and_a_week() {
    let site = Site::new();
    locked(&site);
    let mut mailed = site.signed_in("anne@acme.example");
    let refused = mailed.post("/securite/verrou/perdu", &[]);
    assert!(refused.status == 422 && refused.words().contains("Cochez la case"), "{refused:?}");
    let before = site.mailbox.count();
    let asked = mailed.post("/securite/verrou/perdu", &[("compris", "oui")]);
    assert!(mailed.follow(asked).words().contains("Votre demande est notée"));
    alert(&site, before, "demandé à repartir");
    site.clock.advance(WEEK - MINUTE);
    site.signed_in("anne@acme.example");
    assert_eq!(site.store.lock_state(site.anne).expect("asked"), LockState::On, "not yet");

    site.clock.advance(MINUTE);
    let mut mailed = site.signed_in("anne@acme.example");
    assert_eq!(site.store.lock_state(site.anne).expect("asked"), LockState::Off);
    alert(&site, before, "est repartie sans vos anciens moyens");
    assert_eq!(readable(&site, site.anne, &Permission::Own(site.anne)).expect("read"), 0);
    assert_eq!(sign_in(&mut site.browser(), "anne@acme.example", PASSWORD).status, 422);
    choose_password(&mut mailed, PASSWORD);
    assert_eq!(mailed.get("/securite/verrou/perdu").status, 404, "nothing is lost now");

    for path in ["/securite/verrou", "/listes/personnels"] {
        let page = mailed.get(path);
        assert!(page.body.contains("action=\"/securite/illisibles/retirer\""), "{path}: {page:?}");
    }
    let removed = mailed.post("/securite/illisibles/retirer", &[]);
    assert!(!mailed.follow(removed).body.contains("/securite/illisibles/retirer"));
    assert!(site.store.read_entries(site.anne, None, &Permission::Own(site.anne)).expect("read").is_empty());
}

#[test]
fn whoever_reads_the_mail_erases_nothing_that_its_owner_can_still_save() {
    let site = Site::new();
    let mut owner = locked(&site);
    let mut thief = site.signed_in("anne@acme.example");
    thief.post("/securite/verrou/perdu", &[("compris", "oui")]);
    let read = readable(&site, site.anne, &Permission::Own(site.anne));
    assert!(matches!(read, Err(StoreError::UserLocked)), "{read:?}");
    for path in ["/", "/aide", "/reglages", "/securite"] {
        let page = owner.get(path);
        assert!(page.body.contains("action=\"/securite/verrou/perdu/annuler\""), "{path}: {page:?}");
    }
    let before = site.mailbox.count();
    let cancelled = owner.post("/securite/verrou/perdu/annuler", &[]);
    let page = owner.follow(cancelled);
    assert!(page.words().contains("La demande est annulée") && !page.body.contains("perdu/annuler"), "{page:?}");
    alert(&site, before, "est annulée");
    site.clock.advance(WEEK + MINUTE);
    let mut owner = with_password(&site, PASSWORD);
    assert!(owner.get("/listes/personnels").words().contains("maman@famille.example"));
}

#[test]
fn what_happens_to_an_account_is_told_by_mail_in_its_users_language() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let mut before = site.mailbox.count();
    let mut told = |words: &str| {
        let letter = alert(&site, before, words);
        before += 1;
        letter
    };
    choose_password(&mut browser, PASSWORD);
    told("Un mot de passe a été choisi");
    recovery_code(&browser.post("/securite/code-de-secours", &[]));
    told("Un code de secours a été créé");
    browser.post("/securite/verrou", &[("verrou", "mis")]);
    told("Votre verrou personnel a été mis");
    browser.post("/langue", &[("langue", "en"), ("retour", "/")]);
    let password = site.store.secrets(site.anne).expect("listed")[0].id;
    browser.post(&format!("/securite/secret/{password}/retirer"), &[]);
    let letter = told("The password of your console was removed.");
    assert!(!letter.text.contains("famille"), "{letter:?}");
    browser.post("/securite/verrou", &[("verrou", "retire")]);
    told("Your personal lock was taken off");
}

/// A mail server that puts mails off for as long as it is told to, and counts how often it did.
fn putting_off() -> (Mailbox, Arc<AtomicBool>, Arc<AtomicUsize>) {
    let (is_busy, times) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let (busy, counted) = (is_busy.clone(), times.clone());
    let mailbox = Mailbox::refusing(move |command| {
        let is_put_off = command.starts_with("RCPT TO:") && busy.load(Ordering::SeqCst);
        is_put_off.then(|| counted.fetch_add(1, Ordering::SeqCst)).map(|_| "451 4.3.0 busy\r\n")
    });
    (mailbox, is_busy, times)
}

/// In a browser of anne that has signed in without a mail.
fn signed_in_by_password(site: &Site) -> Browser {
    let password = Password::new(PASSWORD, &address("anne@acme.example")).expect("none to guess");
    site.store.set_password(site.anne, &Permission::Own(site.anne), &password).expect("set");
    with_password(site, PASSWORD)
}

#[test]
fn what_the_mail_server_puts_off_is_told_by_mail_all_the_same() {
    let (mailbox, is_busy, times) = putting_off();
    let site = Site::with(|options| options.mail.port = mailbox.port());
    let mut browser = signed_in_by_password(&site);
    choose_password(&mut browser, "un autre mot de passe");
    eventually("a first and a second try", || (times.load(Ordering::SeqCst) > 1).then_some(()));
    site.clock.advance(59 * MINUTE);
    is_busy.store(false, Ordering::SeqCst);
    let letter = mailbox.letter(0);
    assert!(letter.text.contains("Un mot de passe a été choisi"), "{letter:?}");
}

#[test]
fn a_code_that_is_worth_nothing_any_more_is_not_sent() {
    let (mailbox, is_busy, times) = putting_off();
    let site = Site::with(|options| options.mail.port = mailbox.port());
    assert_eq!(site.browser().post("/connexion", &[("adresse", "anne@acme.example")]).status, 303);
    eventually("a first and a second try", || (times.load(Ordering::SeqCst) > 1).then_some(()));
    site.clock.advance(10 * MINUTE);
    let mut browser = signed_in_by_password(&site);
    choose_password(&mut browser, "un autre mot de passe");
    is_busy.store(false, Ordering::SeqCst);
    let letter = mailbox.letter(0);
    assert!(!letter.has_code() && letter.text.contains("Un mot de passe a été choisi"), "{letter:?}");
}

#[test]
fn a_mail_server_that_was_away_gets_what_waited() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let site = Site::with(|options| options.mail.port = free.port());
    let mut browser = signed_in_by_password(&site);
    choose_password(&mut browser, "un autre mot de passe");
    recovery_code(&browser.post("/securite/code-de-secours", &[]));
    let mailbox = Mailbox::on(TcpListener::bind(free).expect("still free"));
    for words in ["Un mot de passe a été choisi", "Un code de secours a été créé"] {
        mailbox.letter_where(0, words, |letter| letter.text.contains(words));
    }
    assert_eq!(mailbox.count(), 2, "each once");
}

#[test]
fn under_the_lock_a_browser_that_never_signed_in_is_told_of() {
    let site = Site::new();
    let mut known = locked(&site);
    let before = site.mailbox.count();
    known.post("/deconnexion", &[]);
    assert_eq!(sign_in(&mut known, "anne@acme.example", PASSWORD).location(), "/");
    with_password(&site, PASSWORD);
    alert(&site, before, "Un navigateur qui ne l’avait jamais fait");
    // What would have been told of the known browser was sent before bob's code.
    site.signed_in("bob@acme.example");
    let told = site.mailbox.all().iter().filter(|letter| letter.text.contains("Un navigateur")).count();
    assert_eq!(told, 1);
}

#[test]
fn the_lock_shows_what_opens_it_and_ends_what_was_open() {
    let site = Site::new();
    let mut other = site.signed_in("anne@acme.example");
    let mut browser = site.signed_in("anne@acme.example");
    choose_password(&mut browser, PASSWORD);
    assert!(!is_signed_in(&mut other));
    recovery_code(&browser.post("/securite/code-de-secours", &[]));
    let mut other = with_password(&site, PASSWORD);
    let page = browser.get("/securite/verrou");
    assert!(page.words().contains("Ce qui ouvrira le verrou Vérifiez"), "{page:?}");
    assert_eq!(page.words().matches("15 janvier 2027").count(), 3, "made on, made on, used on: {page:?}");
    browser.post("/securite/verrou", &[("verrou", "mis")]);
    assert!(is_signed_in(&mut browser) && !is_signed_in(&mut other));

    let mut other = with_password(&site, PASSWORD);
    let code = site.store.secrets(site.anne).expect("listed")[1].id;
    browser.post(&format!("/securite/secret/{code}/retirer"), &[]);
    assert!(is_signed_in(&mut browser) && !is_signed_in(&mut other), "it may have opened that one");
}

#[test]
fn the_journal_names_what_happened_to_the_account() {
    let site = Site::new();
    let mut browser = locked(&site);
    recovery_code(&browser.post("/securite/code-de-secours", &[]));
    browser.post("/securite/verrou/perdu", &[("compris", "oui")]);
    browser.post("/securite/verrou/perdu/annuler", &[]);
    let page = browser.get("/securite");
    assert!(page.body.contains("href=\"/listes/journal\""), "{page:?}");
    let journal = browser.get("/listes/journal").words();
    for kind in [
        "Mot de passe choisi",
        "Verrou personnel mis",
        "Sessions terminées",
        "Code de secours créé",
        "Nouveau départ sans les anciens secrets demandé",
        "Nouveau départ annulé",
    ] {
        assert!(journal.contains(kind), "{kind}: {journal}");
    }
    assert!(!journal.contains("Compte modifié"), "{journal}");
}

#[test]
fn sessions_are_listed_and_ended() {
    let site = Site::new();
    let (mut here, mut there) = (site.signed_in("anne@acme.example"), site.signed_in("anne@acme.example"));
    let page = here.get("/securite");
    let buttons = Regex::new(r#"action="(/securite/sessions/\d+/terminer)""#).expect("valid");
    let actions: Vec<_> = buttons.captures_iter(&page.body).map(|found| found[1].to_owned()).collect();
    assert_eq!(actions.len(), 1, "the session at hand has none: {page:?}");
    assert!(page.words().contains("127.0.0.0/24"), "{page:?}");
    here.post(&actions[0], &[]);
    assert!(is_signed_in(&mut here) && !is_signed_in(&mut there));

    let (mut second, mut third) = (site.signed_in("anne@acme.example"), site.signed_in("anne@acme.example"));
    here.post("/securite/sessions/terminer", &[]);
    assert!(is_signed_in(&mut here) && !is_signed_in(&mut second) && !is_signed_in(&mut third));
    let mut fourth = site.signed_in("anne@acme.example");
    let out = here.post("/securite/sessions/toutes", &[]);
    assert_eq!(out.location(), "/connexion", "{out:?}");
    assert!(!is_signed_in(&mut here) && !is_signed_in(&mut fourth));
}

#[test]
fn the_previous_sign_in_is_shown() {
    let site = Site::new();
    let mut first = site.signed_in("anne@acme.example");
    let page = first.get("/");
    assert!(page.words().contains("posez votre verrou personnel"), "the first time the lock is offered: {page:?}");
    assert!(!first.get("/securite").words().contains("Connexion précédente"));
    choose_password(&mut first, PASSWORD);
    site.clock.advance(MINUTE);
    let mut second = with_password(&site, PASSWORD);
    assert!(second.get("/").words().contains("Connexion précédente"));
    let page = second.get("/securite");
    assert!(page.words().contains("par message, depuis 127.0.0.0/24"), "{page:?}");
}

#[test]
fn a_disabled_account_opens_with_no_secret() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    choose_password(&mut browser, PASSWORD);
    site.store.set_user_status(&Actor::System, site.anne, perso_milter::store::UserStatus::Disabled).expect("disabled");
    assert_eq!(sign_in(&mut site.browser(), "anne@acme.example", PASSWORD).status, 422);
    assert!(!is_signed_in(&mut browser));
}

#[test]
fn no_page_shows_a_secret() {
    let site = Site::new();
    let mut browser = locked(&site);
    let code = recovery_code(&browser.post("/securite/code-de-secours", &[]));
    for path in ["/securite", "/securite/verrou", "/securite/mot-de-passe", "/securite/code-de-secours", "/confirmer"] {
        let page = browser.get(path).page();
        assert!(!page.contains(PASSWORD) && !page.contains(&code), "{path}");
    }
}

/// A console that browsers know by a name: it has passkeys.
fn named() -> Site {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    Site::with(|options| {
        options.listen = free;
        options.authority = Some(format!("localhost:{}", free.port()));
    })
}

fn json(answer: &Answer) -> serde_json::Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).expect("JSON")
}

/// What passkeys do when they are asked is seen in Chromium; here, what they are asked, and what is refused.
#[test]
fn passkeys_are_asked_without_naming_an_account() {
    let site = named();
    let mut nobody = site.browser();
    assert!(nobody.get("/connexion").body.contains("data-passkey"));
    let first = json(&nobody.post("/connexion/cle/options", &[]))["publicKey"].clone();
    assert_eq!(first["allowCredentials"], serde_json::json!([]), "{first}");
    assert_eq!(first["userVerification"], "required", "{first}");
    assert!(first["extensions"]["prf"]["eval"]["first"].is_string(), "{first}");
    let second = json(&nobody.post("/connexion/cle/options", &[]))["publicKey"].clone();
    assert_ne!(first["challenge"], second["challenge"]);
    for answer in ["", "{}", "x", r#"{"id":"AA","rawId":"AA","type":"public-key","response":{}}"#] {
        let refused = nobody.post("/connexion/cle", &[("reponse", answer)]);
        assert_eq!((refused.status, refused.location()), (303, "/connexion?retour=%2F"), "{refused:?}");
    }
    assert!(!is_signed_in(&mut nobody));
}

#[test]
fn asking_what_a_passkey_proves_is_counted() {
    let site = named();
    let mut guesser = site.browser();
    let statuses: Vec<_> = (0..11).map(|_| guesser.post("/connexion/cle/options", &[]).status).collect();
    assert_eq!(statuses, [vec![200; 10], vec![429]].concat());
    assert_eq!(site.browser().post("/connexion/cle/options", &[]).status, 200, "another browser is not refused");
}

#[test]
fn a_passkey_is_made_for_who_is_signed_in_and_confirmed() {
    let site = named();
    assert_eq!(site.browser().post("/securite/cle/options", &[]).location(), "/connexion?retour=%2F");
    let mut anne = site.signed_in("anne@acme.example");
    let options = json(&anne.post("/securite/cle/options", &[]))["publicKey"].clone();
    assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(options["rp"]["id"], "localhost");
    assert_eq!(options["user"]["name"], "anne@acme.example");
    let refused = anne.post("/securite/cle", &[("nom", "téléphone"), ("reponse", "{}")]);
    assert!(anne.follow(refused).words().contains("La clé n’a pas été créée"));
    let unnamed = anne.post("/securite/cle", &[("nom", " "), ("reponse", "{}")]);
    assert!(unnamed.status == 422 && unnamed.words().contains("un nom d’une ligne"), "{unnamed:?}");
    assert!(site.store.secrets(site.anne).expect("listed").is_empty());
    site.clock.advance(6 * MINUTE);
    assert!(anne.post("/securite/cle/options", &[]).location().starts_with("/confirmer?"));
}

#[test]
fn without_a_name_of_its_own_a_console_has_no_passkeys() {
    let site = Site::new();
    let mut anne = site.signed_in("anne@acme.example");
    assert!(!site.browser().get("/connexion").body.contains("data-passkey"));
    assert_eq!(anne.post("/connexion/cle/options", &[]).status, 404);
    assert_eq!(anne.get("/securite/cle").status, 404);
    for path in ["/securite", "/securite/verrou"] {
        let page = anne.get(path).page();
        assert!(!page.contains("href=\"/securite/cle\""), "no way leads there: {page}");
    }
}
