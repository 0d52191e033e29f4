//! Signing in by mail, and sessions.

use std::time::{Duration, Instant};

use perso_milter::policy::list::ListKind;
use perso_milter::store::{Actor, Permission, UserStatus};
use regex::Regex;

use crate::harness::{Answer, Site, add_user};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn the_mailed_code_signs_in_once() {
    let site = Site::new();
    let mut browser = site.browser();
    let letter = site.asks_for_letter(&mut browser, "anne@acme.example");
    assert!(letter.envelope.iter().any(|line| line == "RCPT TO:<anne@acme.example>"), "{letter:?}");
    assert!(letter.subject.contains(&letter.code()) && letter.html.contains(&letter.code()), "{letter:?}");

    let code = letter.code();
    let answer = browser.post("/connexion/code", &[("code", &code), ("retour", "/aide")]);
    assert_eq!((answer.status, answer.location()), (303, "/aide"), "{answer:?}");
    let page = browser.get("/");
    assert!(page.words().contains("anne@acme.example"), "{page:?}");

    let mut again = site.browser();
    again.cookies = browser.cookies.clone();
    again.cookies.remove("__Host-cim-session");
    let answer = again.post("/connexion/code", &[("code", &code)]);
    assert_eq!(answer.location(), "/connexion", "{answer:?}");
    assert!(again.follow(answer).words().contains("n’est plus valable"));
    assert_eq!(again.get("/").status, 303);
}

#[test]
fn a_wrong_code_is_counted_and_then_void() {
    let site = Site::new();
    let mut browser = site.browser();
    let code = site.asks_for_code(&mut browser, "anne@acme.example");
    let wrong = if code == "000 000" { "000001" } else { "000000" };
    for left in [4, 3, 2] {
        let answer = browser.post("/connexion/code", &[("code", wrong)]);
        assert_eq!(answer.status, 422, "{answer:?}");
        assert!(answer.words().contains(&format!("Il reste {left} essais")), "{answer:?}");
    }
    assert!(browser.post("/connexion/code", &[("code", wrong)]).words().contains("Il reste un essai"));
    assert_eq!(browser.post("/connexion/code", &[("code", wrong)]).location(), "/connexion");
    assert_eq!(browser.post("/connexion/code", &[("code", &code)]).location(), "/connexion");
    assert_eq!(browser.get("/").status, 303);
}

#[test]
fn the_link_needs_a_click_in_the_browser_that_asked_and_says_elsewhere_what_to_do() {
    let site = Site::new();
    let mut browser = site.browser();
    let letter = site.asks_for_letter(&mut browser, "anne@acme.example");
    let link = letter.link("/connexion/lien/");

    let mut other = site.browser();
    let page = other.get(&link);
    assert!(page.words().contains("demandé dans un autre navigateur"), "{page:?}");
    let answer = other.post(&link, &[]);
    assert!(answer.words().contains("demandé dans un autre navigateur"), "{answer:?}");
    assert_eq!(other.get("/").status, 303);

    let page = browser.get(&link);
    assert!(page.words().contains("anne@acme.example"), "{page:?}");
    assert_eq!(browser.get("/").status, 303, "opening the link alone signs nobody in");
    assert_eq!(browser.post(&link, &[]).location(), "/");
    assert_eq!(browser.get("/").status, 200);
    let mut replayed = site.browser();
    replayed.cookies.extend(
        browser.cookies.iter().filter(|(name, _)| !name.contains("session")).map(|(n, v)| (n.clone(), v.clone())),
    );
    assert_eq!(replayed.post(&link, &[]).location(), "/connexion");
}

#[test]
fn nobody_learns_who_has_an_account() {
    let site = Site::new();
    let before = site.mailbox.count();
    let mut pages = Vec::new();
    for user in ["anne@acme.example", "nobody@elsewhere.example"] {
        let mut browser = site.browser();
        browser.get("/connexion");
        let answer = browser.post("/connexion", &[("adresse", user)]);
        let location = answer.location().to_owned();
        let asked = browser.follow(answer).body;
        // All tries that there are, up to the one that voids what was mailed.
        let guesses = [(); 6].map(|()| {
            let answer = browser.post("/connexion/code", &[("code", "000000")]);
            let location = answer.location().to_owned();
            (answer.status, location, browser.follow(answer).body)
        });
        pages.push((location, asked, guesses));
    }
    assert_eq!(pages[0], pages[1]);
    site.mailbox.letter(before);
    // A letter to somebody who may not sign in would have been sent before this one.
    site.signed_in("bob@acme.example");
    assert_eq!(site.mailbox.count(), before + 2);
}

#[test]
fn the_first_sign_in_in_a_served_domain_makes_the_account() {
    let site = Site::new();
    let mut browser = site.signed_in("carla@acme.example");
    assert!(browser.get("/").words().contains("carla@acme.example"));
    assert!(site.store.user_id(&crate::harness::address("carla@acme.example")).is_ok());
}

#[test]
fn a_session_ends_after_half_an_hour_without_activity_and_twelve_hours_in_any_case() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    for _ in 0..3 {
        site.clock.advance(29 * MINUTE);
        assert_eq!(browser.get("/").status, 200);
    }
    site.clock.advance(31 * MINUTE);
    let answer = browser.get("/aide?x=1");
    assert_eq!(answer.status, 200, "help is for everybody");
    let answer = browser.get("/");
    assert_eq!(answer.location(), "/connexion?retour=%2F", "{answer:?}");
    assert!(browser.follow(answer).words().contains("se termine d’elle-même"));

    let mut browser = site.signed_in("anne@acme.example");
    for _ in 0..(12 * 60 / 29) {
        site.clock.advance(29 * MINUTE);
        assert_eq!(browser.get("/").status, 200);
    }
    site.clock.advance(29 * MINUTE);
    assert_eq!(browser.get("/").status, 303);
}

#[test]
fn signing_out_ends_the_session_in_the_store() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let stolen = browser.cookies.clone();
    assert_eq!(browser.post("/deconnexion", &[]).location(), "/connexion");
    assert_eq!(browser.get("/").status, 303);
    browser.cookies = stolen;
    assert_eq!(browser.get("/").status, 303);
}

#[test]
fn a_session_that_was_planted_before_is_not_the_one_after() {
    let site = Site::new();
    let mut browser = site.browser();
    let planted = "AAAAAAAAAAAAAAAAAAAAAA";
    browser.cookies.insert("__Host-cim-session".to_owned(), planted.to_owned());
    let code = site.asks_for_code(&mut browser, "anne@acme.example");
    browser.post("/connexion/code", &[("code", &code)]);
    assert_eq!(browser.get("/").status, 200);
    assert_ne!(browser.cookies["__Host-cim-session"], planted);
    let mut attacker = site.browser();
    attacker.cookies.insert("__Host-cim-session".to_owned(), planted.to_owned());
    assert_eq!(attacker.get("/").status, 303);
}

#[test]
fn a_disabled_account_is_out_at_once() {
    let site = Site::new();
    let dora = add_user(&*site.store, "dora@acme.example");
    let mut browser = site.signed_in("dora@acme.example");
    site.store.set_user_status(&Actor::System, dora, UserStatus::Disabled).expect("disabled");
    assert_eq!(browser.get("/").status, 303);
}

#[test]
fn the_language_is_the_browsers_until_it_is_chosen() {
    let site = Site::new();
    let mut browser = site.browser();
    assert!(browser.get("/connexion").words().contains("Se connecter"));
    browser.language = "en";
    let page = browser.get("/connexion").page();
    assert!(page.contains("<html lang=\"en\">") && page.contains("Sign in"), "{page}");
    let answer = browser.post("/langue", &[("langue", "fr"), ("retour", "//evil.example")]);
    assert_eq!(answer.location(), "/");
    assert!(browser.get("/connexion").words().contains("Se connecter"));
}

#[test]
fn an_organisation_says_how_long_sessions_last_from_where_and_who_comes_by_themselves() {
    let site = Site::new();
    let set = |key: &str, value: &str| {
        let settings = [(key.to_owned(), value.to_owned())];
        site.store.set_organisation(&Actor::System, site.acme, &settings).expect("set");
    };
    set("session_idle", "90");
    let mut browser = site.signed_in("anne@acme.example");
    assert!(browser.get("/").words().contains("après 90 minutes sans activité"));
    site.clock.advance(89 * MINUTE);
    assert_eq!(browser.get("/").status, 200);
    site.clock.advance(91 * MINUTE);
    assert_eq!(browser.get("/").status, 303);

    let mut browser = site.signed_in("anne@acme.example");
    set("console_networks", "192.0.2.0/24");
    let answer = browser.get("/");
    assert_eq!(answer.status, 403);
    assert!(answer.words().contains("Hors du réseau autorisé"), "{answer:?}");
    set("console_networks", "127.0.0.0/8");
    assert_eq!(browser.get("/").status, 200);

    set("create_users", "off");
    let before = site.mailbox.count();
    let mut stranger = site.browser();
    stranger.get("/connexion");
    assert_eq!(stranger.post("/connexion", &[("adresse", "new@acme.example")]).status, 303);
    site.signed_in("bob@acme.example");
    assert_eq!(site.mailbox.count(), before + 1, "nobody writes to who may not come");
}

#[test]
fn outside_its_networks_everybody_keeps_the_rights_to_their_own_data() {
    let site = Site::new();
    let mother = (ListKind::Personal, "maman@famille.example".parse().expect("an entry"));
    site.store.add_entries(&Actor::User, site.anne, &[mother]).expect("added");
    let mut browser = site.signed_in("anne@acme.example");
    let hour = 60 * MINUTE;
    let grant = site.store.issue_grant(site.anne, "root@relay.example", ListKind::Personal, hour).expect("given");
    let rule = [("console_networks".to_owned(), "192.0.2.0/24".to_owned())];
    site.store.set_organisation(&Actor::System, site.acme, &rule).expect("set");
    assert_eq!(browser.get("/").status, 403);
    site.clock.advance(6 * MINUTE);

    let asked = browser.get("/listes/exporter/listes.csv");
    let confirm = browser.follow(asked);
    assert!(confirm.status == 200 && confirm.body.contains("action=\"/confirmer/message\""), "{confirm:?}");
    let before = site.mailbox.count();
    let sent = browser.post("/confirmer/message", &[("retour", "/listes/exporter/listes.csv")]);
    assert_eq!(browser.follow(sent).status, 200);
    let code = site.mailbox.letter(before).code();
    let confirmed = browser.post("/confirmer/code", &[("code", &code), ("retour", "/listes/exporter/listes.csv")]);
    let export = browser.follow(confirmed);
    assert!(export.status == 200 && export.body.contains("maman@famille.example"), "{export:?}");

    for (page, action) in [
        ("/historique/effacer", "/historique/effacer".to_owned()),
        ("/acces", format!("/acces/{grant}/retirer")),
        ("/securite", "/securite/sessions/terminer".to_owned()),
    ] {
        assert_eq!(browser.get(page).status, 200, "{page}");
        assert_eq!(browser.post(&action, &[]).status, 303, "{action}");
    }
    assert!(!site.store.is_granted(site.anne, "root@relay.example", ListKind::Personal).expect("asked"));
    let journal = site.store.journal(site.anne, &Permission::Own(site.anne), None, 9).expect("read");
    for kind in ["activity-erased", "grant-revoked", "sessions-ended"] {
        assert!(journal.iter().any(|row| row.kind == kind), "{kind}: {journal:?}");
    }
    assert_eq!(browser.post("/listes/ajouter", &[("adresse", "x@y.example")]).status, 403, "nothing else");
}

/// The first link or form of a page that leads to a path with this beginning.
fn way(answer: &Answer, start: &str) -> String {
    let way = Regex::new(&format!("(?:href|action)=\"({}[^\"?#]*)", regex::escape(start))).expect("valid");
    way.captures(&answer.body).unwrap_or_else(|| panic!("no way to {start}: {answer:?}"))[1].to_owned()
}

#[test]
fn outside_its_networks_everybody_reads_and_corrects_their_lists() {
    let site = Site::new();
    let mother = (ListKind::Personal, "maman@famille.example".parse().expect("an entry"));
    site.store.add_entries(&Actor::User, site.anne, &[mother]).expect("added");
    let mut browser = site.signed_in("anne@acme.example");
    let rule = [("console_networks".to_owned(), "192.0.2.0/24".to_owned())];
    site.store.set_organisation(&Actor::System, site.acme, &rule).expect("set");

    let refused = browser.get("/");
    assert_eq!(refused.status, 403, "{refused:?}");
    for right in ["/listes/exporter", "/listes/journal", "/historique", "/acces", "/securite"] {
        let page = browser.get(&way(&refused, right));
        assert_eq!(page.status, 200, "{right}: {page:?}");
    }
    let list = browser.get(&way(&refused, "/listes/personnels"));
    assert!(list.status == 200 && list.words().contains("maman@famille.example"), "{list:?}");
    let entry = browser.get(&way(&list, "/listes/entree/"));
    assert_eq!(entry.status, 200, "{entry:?}");
    let noted = browser.post(&format!("{}/note", way(&list, "/listes/entree/")), &[("note", "maman")]);
    assert_eq!(browser.follow(noted).status, 200);
    let removed = browser.post(&format!("{}/retirer", way(&list, "/listes/entree/")), &[]);
    let list = browser.follow(removed);
    assert!(list.status == 200 && list.words().contains("Cette liste est vide"), "{list:?}");
    let journal = browser.get(&way(&refused, "/listes/journal"));
    let undone = browser.post(&way(&journal, "/listes/journal/"), &[]);
    assert_eq!(browser.follow(undone).status, 200);
    assert!(browser.get("/listes/personnels").words().contains("maman@famille.example"));
}

#[test]
fn an_open_session_follows_the_time_that_the_organisation_sets() {
    let site = Site::new();
    let set = |minutes: &str| {
        let settings = [("session_idle".to_owned(), minutes.to_owned())];
        site.store.set_organisation(&Actor::System, site.acme, &settings).expect("set");
    };
    let mut browser = site.signed_in("anne@acme.example");
    set("90");
    assert!(browser.get("/").words().contains("après 90 minutes sans activité"));
    site.clock.advance(80 * MINUTE);
    assert_eq!(browser.get("/").status, 200);
    set("30");
    site.clock.advance(31 * MINUTE);
    assert_eq!(browser.get("/").status, 303, "the shorter time holds for what is open");
    let mut browser = site.signed_in("anne@acme.example");
    set("60");
    site.clock.advance(29 * MINUTE);
    assert_eq!(browser.get("/").status, 200);
    site.clock.advance(59 * MINUTE);
    assert_eq!(browser.get("/").status, 200);
}

#[test]
fn a_session_lasts_as_long_as_its_page_says() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    site.clock.advance(59 * SECOND);
    let page = browser.get("/").page();
    let seconds = page.split("data-session-seconds=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a time");
    let seconds: u64 = seconds.parse().expect("a number");
    assert_eq!(seconds, 30 * 60);
    site.clock.advance(Duration::from_secs(seconds - 1));
    assert_eq!(browser.post("/session/prolonger", &[]).status, 204);
    site.clock.advance(29 * MINUTE);
    assert_eq!(browser.get("/").status, 200);
}

#[test]
fn a_mail_server_that_hangs_keeps_no_page_waiting() {
    let silent = crate::mailbox::silent();
    let site = Site::with(|options| options.mail.port = silent);
    let begun = Instant::now();
    for visitor in 0..40 {
        let address = if visitor % 2 == 0 { "anne@acme.example" } else { "nobody@elsewhere.example" };
        assert_eq!(site.browser().post("/connexion", &[("adresse", address)]).status, 303);
    }
    assert_eq!(site.browser().get("/connexion").status, 200);
    drop(site);
    assert!(begun.elapsed() < Duration::from_secs(15), "it waited for the mail server: {:?}", begun.elapsed());
}

#[test]
fn a_stranger_voids_nobodys_code() {
    let site = Site::new();
    let mut browser = site.browser();
    let code = site.asks_for_code(&mut browser, "anne@acme.example");
    for _ in 0..9 {
        site.asks_for_code(&mut site.browser(), "anne@acme.example");
    }
    assert_eq!(browser.post("/connexion/code", &[("code", &code)]).location(), "/");
}

#[test]
fn after_many_wrong_codes_the_link_still_signs_in() {
    let site = Site::new();
    let wrong = |code: &str| if code == "000 000" { "000001" } else { "000000" };
    for _ in 0..13 {
        let mut guesser = site.browser();
        let code = site.asks_for_code(&mut guesser, "anne@acme.example");
        for _ in 0..4 {
            guesser.post("/connexion/code", &[("code", wrong(&code))]);
        }
    }
    let mut browser = site.browser();
    let letter = site.asks_for_letter(&mut browser, "anne@acme.example");
    let refused = browser.post("/connexion/code", &[("code", &letter.code())]);
    let left = 86_400 - site.clock.now().as_second() % 86_400;
    assert_eq!((refused.status, refused.header("retry-after")), (429, left.to_string().as_str()), "{refused:?}");
    let words = refused.words();
    for said in ["le lien du message", "mot de passe", "code de secours", " janvier 2027, "] {
        assert!(words.contains(said), "{said}: {words}");
    }
    assert_eq!(browser.post(&letter.link("/connexion/lien/"), &[]).location(), "/");

    site.clock.advance(6 * MINUTE);
    let before = site.mailbox.count();
    browser.post("/confirmer/message", &[("retour", "/securite")]);
    let code = site.mailbox.letter(before).code();
    let refused = browser.post("/confirmer/code", &[("code", &code), ("retour", "/securite")]);
    let left = (left - 6 * 60).to_string();
    assert_eq!((refused.status, refused.header("retry-after")), (429, left.as_str()), "{refused:?}");
    assert!(refused.words().contains(" janvier 2027, "), "{refused:?}");
    site.clock.advance(Duration::from_secs(left.parse().expect("a number")));
    site.signed_in("anne@acme.example");
}

#[test]
fn what_was_searched_for_does_not_follow_into_other_addresses() {
    let site = Site::new();
    let mut browser = site.browser();
    let answer = browser.get("/listes/personnels?q=maman%40famille.example");
    assert_eq!(answer.location(), "/connexion?retour=%2Flistes%2Fpersonnels", "{answer:?}");
    let mut browser = site.signed_in("anne@acme.example");
    let page = browser.get("/listes/personnels?q=maman%40famille.example");
    assert!(page.body.contains("name=\"retour\" value=\"/listes/personnels\""), "{page:?}");
}

#[test]
fn the_organisations_language_is_that_of_who_chose_none() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let english = [("language".to_owned(), "en".to_owned())];
    site.store.set_organisation(&Actor::System, site.acme, &english).expect("set");
    assert!(browser.get("/").page().contains("<html lang=\"en\">"), "whatever the browser would like");
    let letter = site.asks_for_letter(&mut site.browser(), "anne@acme.example");
    assert!(letter.subject.contains("sign-in code"), "{letter:?}");
    browser.post("/langue", &[("langue", "fr"), ("retour", "/")]);
    assert!(browser.get("/").page().contains("<html lang=\"fr\">"));
    let mut elsewhere = site.signed_in("anne@acme.example");
    assert!(elsewhere.get("/").page().contains("<html lang=\"fr\">"), "what a user chose is kept");
    let letter = site.asks_for_letter(&mut site.browser(), "anne@acme.example");
    assert!(letter.subject.contains("code de connexion"), "{letter:?}");
}
