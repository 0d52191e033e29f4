//! Historique and "Pourquoi ?": what a user sees of their own messages, and that nobody else does.

use std::time::Duration;

use perso_milter::policy::action::{BlackAction, PersonalActions};
use perso_milter::policy::authres::{Authentication, AuthenticationMode, Method};
use perso_milter::policy::decide::{Identity, Known, Level, Match, Outcome, Reason, Verdict};
use perso_milter::policy::list::{ListKind, Scope};
use perso_milter::policy::plan::{Delivery, Direction, Effect};
use perso_milter::store::{Activity, Actor, Keeping, LockState, Permission, Readable, UserId};

use crate::harness::{Browser, Site, address};

/// A message that passed as it was.
fn plain(site: &Site, sender: &str) -> Activity {
    Activity {
        at: site.clock.now(),
        direction: Direction::Inbound,
        envelope: Some(address(sender)),
        header: Some(address(sender)),
        senders_cut: false,
        proof: Known { envelope: Authentication::Passed(Method::Spf), header: Authentication::Passed(Method::Dmarc) },
        verdict: Verdict::UNTOUCHED,
        effect: Effect::of(Delivery::AsAddressed),
    }
}

/// A message that an entry of the user's own for this very sender decided about.
fn by_entry(site: &Site, sender: &str, list: ListKind) -> Activity {
    let rule = Match {
        level: Level::User,
        list,
        scope: Scope::Address,
        rank: 0,
        identity: Identity::Header,
        authentication: Authentication::Passed(Method::Dmarc),
    };
    let (outcome, reason, effect) = match list {
        ListKind::Personal => (
            Outcome::Deliver { personal: PersonalActions::TAG, clear_spam: false },
            Reason { personal: Some(rule), ..Reason::default() },
            Effect { tagged: true, ..Effect::of(Delivery::AsAddressed) },
        ),
        _ => (
            Outcome::Blocked(BlackAction::Reject),
            Reason { sender: Some(rule), ..Reason::default() },
            Effect::of(Delivery::Rejected),
        ),
    };
    Activity { verdict: Verdict { outcome, reason }, effect, ..plain(site, sender) }
}

fn note(site: &Site, user: UserId, messages: Vec<Activity>) {
    let rows: Vec<_> = messages.into_iter().map(|message| (user, message)).collect();
    site.store.append_activity(&mut Default::default(), &rows).expect("noted");
}

/// Anne, whose messages are noted, in her browser.
fn anne_who_looks(site: &Site) -> Browser {
    site.store.keep_activity(site.anne, Keeping::On).expect("on");
    site.signed_in("anne@acme.example")
}

fn add(site: &Site, list: ListKind, entry: &str) {
    let value = entry.parse().expect("an entry");
    site.store.add_entries(&Actor::User, site.anne, &[(list, value)]).expect("added");
}

/// What stands on a list of Anne's.
fn entries(site: &Site, list: ListKind) -> Vec<String> {
    let entries = site.store.read_entries(site.anne, Some(list), &Permission::Own(site.anne)).expect("read");
    let written = entries.into_iter().map(|entry| match entry.value {
        Readable::Value(value) => value.written(),
        unreadable => panic!("{unreadable:?}"),
    });
    written.collect()
}

/// The number of the newest row, from the page.
fn newest(page: &str) -> String {
    let (_, after) = page.split_once("/pourquoi?message=").expect("a row");
    after.split(['"', '&']).next().expect("a number").to_owned()
}

#[test]
fn at_first_it_is_explained_and_one_button_switches_it_on() {
    let site = Site::new();
    let mut anne = site.signed_in("anne@acme.example");
    let off = anne.get("/historique");
    assert!(off.words().contains("scellée pour vous seul"), "{off:?}");
    let answer = anne.post("/historique/noter", &[]);
    let on = anne.follow(answer);
    assert!(on.words().contains("Votre historique est activé"), "{on:?}");
    assert!(on.words().contains("Aucun message pour l’instant"), "{on:?}");
    assert!(site.store.user(site.anne).expect("there").options.activity);
}

#[test]
fn messages_are_shown_newest_first_with_what_became_of_them() {
    let site = Site::new();
    let mut anne = anne_who_looks(&site);
    let messages = vec![
        by_entry(&site, "maman@famille.example", ListKind::Personal),
        by_entry(&site, "spam@shop.example", ListKind::Black),
        plain(&site, "client@firm.example"),
    ];
    note(&site, site.anne, messages);
    let words = anne.get("/historique").words();
    let expected = ["client@firm.example", "Remis tel quel", "spam@shop.example", "Refusé", "maman@famille.example"];
    let places = expected.map(|word| words.find(word).unwrap_or_else(|| panic!("{word} in {words}")));
    assert!(places.is_sorted(), "{words}");
    assert!(words.contains("Personnel, marqué vos expéditeurs personnels"), "{words}");
    assert!(words.contains("Refusé vos expéditeurs bloqués"), "{words}");
    anne.post("/langue", &[("langue", "en"), ("retour", "/historique")]);
    let english = anne.get("/historique").words();
    assert!(english.contains("Messages 1 to 3 of 3") && english.contains("Personal, marked"), "{english}");
}

#[test]
fn many_messages_are_paged() {
    let site = Site::new();
    let mut anne = anne_who_looks(&site);
    note(&site, site.anne, (0..120).map(|n| plain(&site, &format!("m{n}@firm.example"))).collect());
    let first = anne.get("/historique").page();
    assert!(first.contains("m119@firm.example") && !first.contains("m69@firm.example"));
    let last = anne.get("/historique?page=2").page();
    assert!(last.contains("m0@firm.example") && !last.contains("m20@firm.example"));
    let beyond = anne.get("/historique?page=9999").page();
    assert!(beyond.contains("m0@firm.example"));
    assert_eq!(anne.get("/historique?page=-1").status, 400);
}

#[test]
fn one_click_puts_a_sender_on_a_list() {
    let site = Site::new();
    let mut anne = anne_who_looks(&site);
    let lists = [("personnels", ListKind::Personal), ("bloques", ListKind::Black), ("acceptes", ListKind::White)];
    for (name, list) in lists {
        let sender = format!("{name}@firm.example");
        let form = [("liste", name), ("adresse", sender.as_str()), ("retour", "/historique")];
        let answer = anne.post("/listes/ajouter", &form);
        assert_eq!(answer.location(), "/historique");
        let page = anne.follow(answer);
        assert!(page.words().contains(&format!("{sender} est maintenant")), "{page:?}");
        assert!(page.body.contains("/annuler\""), "and can be taken back: {page:?}");
        assert_eq!(entries(&site, list), [sender]);
    }
}

#[test]
fn a_protected_sender_goes_on_no_list_and_that_is_said() {
    let site = Site::new();
    let mut anne = anne_who_looks(&site);
    for (list, words) in [("personnels", "déclarez l’adresse privée"), ("bloques", "protège cet expéditeur")] {
        let form = [("liste", list), ("adresse", "boss@acme.example"), ("retour", "/historique")];
        let answer = anne.post("/listes/ajouter", &form);
        assert_eq!(answer.location(), "/historique");
        let page = anne.follow(answer);
        assert!(page.words().contains(words), "{page:?}");
    }
    assert!(entries(&site, ListKind::Personal).is_empty() && entries(&site, ListKind::Black).is_empty());
}

#[test]
fn days_with_missing_rows_are_named() {
    let site = Site::new();
    let mut anne = anne_who_looks(&site);
    let today = site.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date();
    site.store.add_activity_gaps(&[(site.anne, today)]).expect("noted");
    let words = anne.get("/historique").words();
    assert!(words.contains("Historique incomplet.") && words.contains("15 janvier 2027"), "{words}");
}

#[test]
fn erasing_asks_first_and_leaves_nothing() {
    let site = Site::new();
    let mut anne = anne_who_looks(&site);
    note(&site, site.anne, vec![plain(&site, "client@firm.example")]);
    assert!(anne.get("/historique/effacer").words().contains("Effacer tout l’historique"));
    assert!(anne.get("/historique").words().contains("client@firm.example"), "asking erases nothing");
    site.clock.advance(Duration::from_secs(6 * 60));
    for path in ["/historique/effacer", "/historique/arreter"] {
        for answer in [anne.get(path), anne.post(path, &[])] {
            assert!(answer.location().starts_with("/confirmer?"), "who they are is asked for again: {answer:?}");
        }
    }
    let mut anne = site.signed_in("anne@acme.example");
    let answer = anne.post("/historique/effacer", &[]);
    let page = anne.follow(answer);
    assert!(page.words().contains("Votre historique est effacé."), "{page:?}");
    assert!(!page.words().contains("client@firm.example"));
    note(&site, site.anne, vec![plain(&site, "client@firm.example")]);
    assert!(anne.get("/historique/arreter").words().contains("Arrêter et effacer"));
    let answer = anne.post("/historique/arreter", &[]);
    let page = anne.follow(answer);
    assert!(page.words().contains("L’historique est désactivé"), "{page:?}");
    site.store.keep_activity(site.anne, Keeping::On).expect("on");
    assert!(anne.get("/historique").words().contains("Aucun message pour l’instant"));
}

#[test]
fn nobody_else_sees_it() {
    let site = Site::new();
    let mut anne = anne_who_looks(&site);
    note(&site, site.anne, vec![by_entry(&site, "maman@famille.example", ListKind::Personal)]);
    let row = newest(&anne.get("/historique").page());
    site.store.keep_activity(site.bob, Keeping::On).expect("on");
    let mut bob = site.signed_in("bob@acme.example");
    assert!(!bob.get("/historique").page().contains("maman"));
    assert_eq!(bob.get(&format!("/pourquoi?message={row}")).status, 404);
    let mut stranger = site.browser();
    for path in ["/historique", "/historique/effacer", "/pourquoi", &format!("/pourquoi?message={row}")] {
        let answer = stranger.get(path);
        assert!(answer.status == 303 && answer.location().starts_with("/connexion?"), "{answer:?}");
    }
    for path in ["noter", "effacer", "arreter", "retirer"] {
        assert_eq!(stranger.post(&format!("/historique/{path}"), &[]).status, 303, "{path}");
    }
}

/// A session that a mailed code opened may neither read nor erase under the personal lock.
#[test]
fn under_the_personal_lock_it_takes_the_users_own_secret() {
    let site = Site::new();
    let mut anne = anne_who_looks(&site);
    note(&site, site.anne, vec![plain(&site, "client@firm.example")]);
    let own = Permission::Own(site.anne);
    site.store.make_recovery_code(site.anne, &own).expect("a code");
    site.store.set_lock(site.anne, &own, LockState::On).expect("closed");
    let headers = "From: maman@famille.example\n";
    assert_eq!(anne.get("/historique").status, 403);
    assert_eq!(anne.post("/pourquoi", &[("entetes", headers)]).status, 403);
    assert_eq!(anne.post("/historique/effacer", &[]).status, 403);
    assert_eq!(anne.post("/historique/arreter", &[]).status, 403);
    let form = [("liste", "personal"), ("valeur", "maman@famille.example")];
    assert_eq!(anne.post("/historique/retirer", &form).status, 403);
    let form = [("liste", "personnels"), ("adresse", "maman@famille.example")];
    assert_eq!(anne.post("/listes/ajouter", &form).status, 303, "adding stays possible");
}

#[test]
fn a_row_tells_why_and_what_would_have_happened_otherwise() {
    let site = Site::new();
    let mut anne = anne_who_looks(&site);
    add(&site, ListKind::Personal, "maman@famille.example");
    note(&site, site.anne, vec![by_entry(&site, "maman@famille.example", ListKind::Personal)]);
    let row = newest(&anne.get("/historique").page());
    let words = anne.get(&format!("/pourquoi?message={row}")).words();
    for expected in [
        "Personnel, marqué",
        "maman@famille.example figure dans vos expéditeurs personnels.",
        "DMARC réussi",
        "Sans cette entrée Le message serait remis tel quel.",
        "Retirer maman@famille.example",
    ] {
        assert!(words.contains(expected), "{expected} in {words}");
    }
    let form = [("liste", "personal"), ("valeur", "maman@famille.example"), ("retour", "/pourquoi")];
    let answer = anne.post("/historique/retirer", &form);
    assert_eq!(answer.location(), "/pourquoi");
    assert!(anne.follow(answer).words().contains("est retiré de la liste"));
    assert!(entries(&site, ListKind::Personal).is_empty());
    let later = anne.get(&format!("/pourquoi?message={row}")).words();
    assert!(later.contains("Avec vos listes d’aujourd’hui Le message serait remis tel quel."), "{later}");
}

fn with_proof_required() -> Site {
    Site::with_defaults(|defaults| {
        defaults.authentication.mode = AuthenticationMode::Required;
        defaults.authentication.authserv_ids = vec!["mx.acme.example".to_owned()];
    })
}

const PROOF: &str = "Authentication-Results: mx.acme.example; dmarc=pass header.from=famille.example\n";

#[test]
fn pasted_headers_are_decided_as_the_milter_would() {
    let site = with_proof_required();
    let mut anne = site.signed_in("anne@acme.example");
    add(&site, ListKind::Personal, "famille.example");
    let from = "From: Maman <maman@famille.example>\nSubject: Dimanche\n";
    let proven = format!("Received: by mx.acme.example\n{PROOF}{from}");
    let words = anne.post("/pourquoi", &[("entetes", &proven)]).words();
    assert!(words.contains("famille.example figure dans vos expéditeurs personnels."), "{words}");
    assert!(words.contains("DMARC réussi") && words.contains("Retirer famille.example"), "{words}");
    let words = anne.post("/pourquoi", &[("entetes", from)]).words();
    for expected in [
        "Remis tel quel",
        "L’entrée famille.example est restée sans effet",
        "Rien ne prouve que le message vient de cet expéditeur",
        "Si l’expéditeur était prouvé Le message serait personnel.",
    ] {
        assert!(words.contains(expected), "{expected} in {words}");
    }
    let words = anne.post("/pourquoi", &[("entetes", "From: inconnu@ailleurs.example\n")]).words();
    assert!(words.contains("Aucune entrée n’a décidé") && words.contains("Déclarer personnel"), "{words}");
    site.enforce(ListKind::Black, "famille.example");
    let words = anne.post("/pourquoi", &[("entetes", &proven)]).words();
    assert!(words.contains("Votre organisation bloque famille.example."), "{words}");
}

#[test]
fn what_is_no_header_is_refused_beside_the_field() {
    let site = Site::new();
    let mut anne = site.signed_in("anne@acme.example");
    let long = "x".repeat(200_000);
    for (pasted, expected) in [
        ("", "Collez les en-têtes d’un message."),
        ("  \n ", "Collez les en-têtes d’un message."),
        ("Bonjour, comment vas-tu ?", "Aucun expéditeur lisible"),
        ("\u{0}\u{1}From: <<>>\r\n\r\n", "Aucun expéditeur lisible"),
        (&long, "C’est trop long."),
    ] {
        let answer = anne.post("/pourquoi", &[("entetes", pasted)]);
        assert_eq!(answer.status, 422, "{answer:?}");
        assert!(answer.words().contains(expected), "{expected}");
    }
}

/// Rows older than the organisation keeps them are not shown.
#[test]
fn what_is_too_old_is_not_shown() {
    let site = Site::new();
    let mut anne = anne_who_looks(&site);
    note(&site, site.anne, vec![plain(&site, "client@firm.example")]);
    site.clock.advance(Duration::from_secs(32 * 24 * 3600));
    let mut later = site.signed_in("anne@acme.example");
    assert!(later.get("/historique").words().contains("Aucun message pour l’instant"));
    assert_eq!(anne.get("/historique").status, 303, "the session is over");
}

/// How many: the answer before an entry is added, and never a 0 where nothing is known.
#[test]
fn how_many_messages_an_entry_would_have_matched_is_told_before_it_is_added() {
    let site = Site::new();
    let mut anne = site.signed_in("anne@acme.example");
    let mut ask = |list: &str, value: &str| anne.post("/listes/combien", &[("liste", list), ("adresse", value)]);
    assert!(ask("personnels", "famille.example").words().contains("activez d’abord votre historique"));
    site.store.keep_activity(site.anne, Keeping::On).expect("on");
    let none = ask("personnels", "famille.example").words();
    assert!(none.contains("impossible de dire combien") && !none.contains("Cette entrée n’aurait"), "{none}");
    let senders = ["maman@famille.example", "papa@famille.example", "client@firm.example"];
    note(&site, site.anne, senders.iter().map(|sender| plain(&site, sender)).collect());
    for (value, expected) in [
        ("famille.example", "concerné 2 messages, sur 3 notés depuis le 15 janvier 2027."),
        ("maman@famille.example", "concerné un message, sur 3"),
        ("shop.example", "aucun de vos 3 messages"),
    ] {
        let answer = ask("personnels", value);
        assert!(answer.words().contains(expected), "{answer:?}");
    }
    let wrong = ask("personnels", "ma mère");
    assert!(wrong.status == 422 && wrong.words().contains("ni adresse ni domaine"), "{wrong:?}");
    assert_eq!(ask("grey", "a@b.example").status, 404);
    assert!(entries(&site, ListKind::Personal).is_empty(), "asking adds nothing");
}

/// On the list itself: when each entry last matched, and how many an entry to be added would have.
#[test]
fn the_list_page_tells_what_its_entries_matched() {
    let site = Site::new();
    site.store.keep_activity(site.anne, Keeping::On).expect("on");
    for entry in ["maman@famille.example", "nobody@famille.example"] {
        add(&site, ListKind::Personal, entry);
    }
    for day in [1, 3] {
        site.clock.advance(Duration::from_secs(day * 24 * 3600));
        note(&site, site.anne, vec![plain(&site, "maman@famille.example"), plain(&site, "client@firm.example")]);
    }
    let mut anne = site.signed_in("anne@acme.example");
    let page = anne.get("/listes/personnels").page();
    let cells: Vec<&str> = page.split("data-label=\"Dernier message\">").skip(1).collect();
    let [maman, nobody] = cells[..] else { panic!("{page}") };
    assert!(maman.starts_with("19 janvier 2027<") && nobody.starts_with("–<"), "{page}");
    let form = [("liste", "personnels"), ("adresse", "Le client <client@firm.example>")];
    let counted = anne.post("/listes/combien", &form).words();
    assert!(counted.contains("concerné 2 messages, sur 4 notés depuis le 16 janvier 2027"), "{counted}");
    let before = anne.post("/listes/combien", &[("liste", "personnels"), ("adresse", "shop.example")]).words();
    assert!(before.contains("aucun de vos 4 messages"), "{before}");
}
