//! Managers, operators and grants: who gets which page, and what each page does.

use std::time::Duration;

use perso_milter::policy::list::ListKind;
use perso_milter::store::*;
use totp_rs::{Builder, Secret, Totp};

use crate::harness::{Answer, Browser, Site, add_user, address};
use crate::roles;

pub const ROOT: &str = "root@relay.example";
pub const BOSS: &str = "boss@acme.example";
const MINUTE: Duration = Duration::from_secs(60);
const PASSWORD: &str = "cheval agrafe pile";

/// A member of staff with an authenticator.
pub struct Person {
    address: &'static str,
    totp: Totp,
}

/// The second factor that a page shows.
fn factor_of(page: &str) -> Totp {
    let written = page.split("class=\"code-block\">").nth(1).and_then(|rest| rest.split('<').next()).expect("a key");
    let secret = Secret::try_from_base32(written.replace(' ', "")).expect("base 32");
    Builder::new().with_secret(secret).with_account_name("x").build().expect("a factor")
}

impl Person {
    /// Enrols by the pages, as somebody who was handed a code does.
    pub fn enrol(site: &Site, name: &'static str, role: Role) -> Self {
        let (_, code) = site.store.add_staff(&Actor::System, &address(name), role).expect("added");
        let (mut browser, code) = (site.browser(), code.to_string());
        let page = browser.post("/gestion/inscription", &[("inscription", &code)]).page();
        let person = Self { address: name, totp: factor_of(&page) };
        let shown = person.shows(site);
        let chosen = [("inscription", &*code), ("mot_de_passe", PASSWORD), ("code", &shown)];
        let answer = browser.post("/gestion/inscription/confirmer", &chosen);
        assert_eq!((answer.status, answer.location()), (303, "/gestion/connexion"), "{answer:?}");
        person
    }

    fn shows(&self, site: &Site) -> String {
        self.totp.generate(site.clock.now().as_second() as u64).to_string()
    }

    fn tries(&self, site: &Site, browser: &mut Browser, password: &str) -> Answer {
        let shown = self.shows(site);
        browser.post("/gestion/connexion", &[("adresse", self.address), ("mot_de_passe", password), ("code", &shown)])
    }

    /// Signs in with the next code.
    pub fn signs_in(&self, site: &Site) -> Browser {
        site.clock.advance(Duration::from_secs(30));
        let mut browser = site.browser();
        let answer = self.tries(site, &mut browser, PASSWORD);
        assert_eq!(answer.status, 303, "{answer:?}");
        browser
    }
}

fn operator(site: &Site) -> Browser {
    Person::enrol(site, ROOT, Role::Operator).signs_in(site)
}

fn manager(site: &Site) -> Browser {
    Person::enrol(site, BOSS, Role::Manager(site.acme)).signs_in(site)
}

fn is_done(answer: &Answer) {
    assert_eq!(answer.status, 303, "{answer:?}");
}

fn is_refused(answer: &Answer, field: &str) {
    assert_eq!(answer.status, 422, "{answer:?}");
    assert!(answer.body.contains(&format!("href=\"#{field}\"")), "{answer:?}");
}

#[test]
fn both_factors_are_asked_for_and_no_answer_tells_which_was_wrong() {
    let site = Site::new();
    let person = Person::enrol(&site, ROOT, Role::Operator);
    site.clock.advance(Duration::from_secs(30));
    let mut browser = site.browser();
    let shown = person.shows(&site);
    let mut refused = |name: &str, password: &str, code: &str| {
        let form = [("adresse", name), ("mot_de_passe", password), ("code", code)];
        let answer = browser.post("/gestion/connexion", &form);
        assert_eq!(answer.status, 422, "{answer:?}");
        answer.body.replace(name, "NAME")
    };
    let wrong = if shown == "123456" { "654321" } else { "123456" };
    let first = refused(ROOT, "cheval agrafe pil", &shown);
    assert_eq!(refused(ROOT, PASSWORD, wrong), first);
    assert_eq!(refused("nobody@relay.example", PASSWORD, &shown), first);
    let answer = person.tries(&site, &mut browser, PASSWORD);
    assert_eq!((answer.status, answer.location()), (303, "/exploitation"));
    // A code is good once, in any browser.
    assert_eq!(person.tries(&site, &mut site.browser(), PASSWORD).status, 422);
    assert_eq!(browser.get("/exploitation").status, 200);
    is_done(&browser.post("/deconnexion", &[]));
    assert_eq!(browser.get("/exploitation").location(), "/gestion/connexion?retour=%2Fexploitation");
}

#[test]
fn an_enrolment_code_is_good_once_and_asks_for_a_password_that_is_none_to_guess() {
    let site = Site::new();
    let (_, code) = site.store.add_staff(&Actor::System, &address(ROOT), Role::Operator).expect("added");
    let mut browser = site.browser();
    is_refused(&browser.post("/gestion/inscription", &[("inscription", "ABCD-EFGH")]), "inscription");
    let code = code.to_string();
    let form = [("inscription", &*code), ("mot_de_passe", "azertyuiopqs"), ("code", "000000")];
    is_refused(&browser.post("/gestion/inscription/confirmer", &form), "mot_de_passe");
    let form = [("inscription", &*code), ("mot_de_passe", PASSWORD), ("code", "12")];
    is_refused(&browser.post("/gestion/inscription/confirmer", &form), "code");
    let page = browser.post("/gestion/inscription", &[("inscription", &code)]);
    assert!(page.body.contains("<svg") && page.words().contains(ROOT), "{page:?}");
}

/// Tries are counted by browser, whatever the address.
#[test]
fn too_many_tries_are_told_to_wait() {
    let site = Site::new();
    let mut browser = site.browser();
    browser.get("/gestion/connexion");
    let form = [("adresse", "nobody@relay.example"), ("mot_de_passe", "x"), ("code", "1")];
    let answers: Vec<u16> = (0..12).map(|_| browser.post("/gestion/connexion", &form).status).collect();
    assert!(answers.starts_with(&[422, 422]) && answers.ends_with(&[429]), "{answers:?}");
}

#[test]
fn a_manager_runs_the_organisations_lists_and_domains() {
    let site = Site::new();
    let mut boss = manager(&site);
    let add = |boss: &mut Browser, value: &str| {
        boss.post("/gestion/listes", &[("valeur", value), ("liste", "black"), ("niveau", "enforced")])
    };
    is_done(&add(&mut boss, "*.spam.example"));
    for wrong in ["*", "com", "a b"] {
        is_refused(&add(&mut boss, wrong), "valeur");
    }
    assert!(boss.get("/gestion/listes").words().contains("*.spam.example"));
    assert!(!boss.get("/gestion/listes?q=other").words().contains("*.spam.example"));
    let organisation = || site.store.organisation("acme").expect("shown");
    let own_lists = || site.store.own_lists(organisation().id).expect("read");
    assert_eq!(own_lists().len(), 1);
    let entry = [("valeur", "*.spam.example"), ("liste", "black"), ("niveau", "enforced")];
    is_done(&boss.post("/gestion/listes/retirer", &entry));
    assert!(own_lists().is_empty());

    is_done(&boss.post("/gestion/domaines", &[("domaine", "Client.example")]));
    is_refused(&boss.post("/gestion/domaines", &[("domaine", "a..b")]), "domaine");
    assert_eq!(organisation().protected[0].as_str(), "client.example");
    is_done(&boss.post("/gestion/domaines/retirer", &[("domaine", "client.example")]));
    assert!(organisation().protected.is_empty());
}

#[test]
fn a_manager_sets_the_marking_and_its_users_hear_of_it() {
    let site = Site::new();
    let mut boss = manager(&site);
    let set = |boss: &mut Browser, tag: &str, folder: &str| {
        let form =
            [("tag", tag), ("folder", folder), ("personal_actions", "tag"), ("markings", "tag"), ("markings", "mark")];
        boss.post("/gestion/marquage", &form)
    };
    is_refused(&set(&mut boss, "[PRIVÉ]", "a b"), "folder");
    is_done(&set(&mut boss, "[PRIVÉ]", "Perso"));
    let settings = site.store.organisation("acme").expect("shown").settings;
    assert_eq!((settings.tag.as_deref(), settings.folder), (Some("[PRIVÉ]"), None), "what is as it was stays so");
    assert_eq!(settings.markings.map(|choices| choices.to_string()).as_deref(), Some("tag,mark"));

    let mut anne = site.signed_in("anne@acme.example");
    assert!(anne.get("/aide").words().contains("[PRIVÉ]"));
    let through = site.store.profile(site.anne).expect("read").announcements[0].number.to_string();
    is_done(&anne.post("/annonces/lues", &[("jusqua", &through), ("retour", "/aide")]));
    assert!(!anne.get("/aide").words().contains("[PRIVÉ]"));
}

#[test]
fn each_box_of_the_marking_sends_the_marking_that_it_names() {
    let site = Site::new();
    let page = manager(&site).get("/gestion/marquage").page();
    for name in ["personal_actions", "markings"] {
        for marking in ["tag", "folder", "mark"] {
            let sent = format!(r#"name="{name}" type="checkbox" value="{marking}""#);
            assert!(page.contains(&sent), "no box sends {name}={marking}: {page}");
        }
    }
}

#[test]
fn a_rule_that_would_lock_the_manager_out_is_refused() {
    let site = Site::new();
    let mut boss = manager(&site);
    let set = |boss: &mut Browser, networks: &str| {
        let form =
            [("session_idle", "60"), ("console_networks", networks), ("language", "fr"), ("dpo", "dpo@acme.example")];
        boss.post("/gestion/regles", &form)
    };
    for wrong in ["192.0.2.0/24", "10.0.0.1/8", "nonsense"] {
        is_refused(&set(&mut boss, wrong), "console_networks");
    }
    is_done(&set(&mut boss, "192.0.2.0/24\r\n127.0.0.0/8"));
    let settings = site.store.organisation("acme").expect("shown").settings;
    assert_eq!(settings.console_networks, Some(vec!["192.0.2.0/24".to_owned(), "127.0.0.0/8".to_owned()]));
    assert_eq!((settings.session_idle, settings.create_users), (Some(60), Some(false)));
    assert_eq!(settings.dpo.as_deref(), Some("dpo@acme.example"));
}

#[test]
fn a_manager_adds_finds_disables_and_imports_users() {
    let site = Site::new();
    let mut boss = manager(&site);
    let add = |boss: &mut Browser, name: &str| boss.post("/gestion/utilisateurs", &[("adresse", name)]);
    is_done(&add(&mut boss, "carl@acme.example"));
    for wrong in ["carl@acme.example", "x@other.example", "x"] {
        is_refused(&add(&mut boss, wrong), "adresse");
    }
    let found = boss.get("/gestion/utilisateurs?q=CAR").words();
    assert!(found.contains("carl@acme.example") && !found.contains("bob@acme.example"), "{found}");

    let mut anne = site.signed_in("anne@acme.example");
    let path = format!("/gestion/utilisateurs/{}", site.anne);
    is_done(&boss.post(&format!("{path}/sessions/terminer"), &[]));
    assert_eq!(anne.get("/").status, 303, "her session has ended");
    is_done(&boss.post(&format!("{path}/desactiver"), &[]));
    assert_eq!(site.store.user(site.anne).expect("shown").status, UserStatus::Disabled);
    is_done(&boss.post(&format!("{path}/activer"), &[]));
    assert_eq!(site.store.user(site.anne).expect("shown").status, UserStatus::Active);

    let body = "--b\r\nContent-Disposition: form-data; name=\"fichier\"; filename=\"u.csv\"\r\n\r\naddress\nnew@acme.example\n\
                anne@acme.example\nx@other.example\n\r\n--b--\r\n";
    let origin = site.origin().to_owned();
    let headers = [("origin", &*origin), ("content-type", "multipart/form-data; boundary=b")];
    let preview = boss.send("/gestion/utilisateurs/importer", body.as_bytes(), &headers);
    assert!(preview.status == 200 && preview.words().contains("x@other.example"), "{preview:?}");
    assert!(site.store.user_id(&address("new@acme.example")).is_err(), "nothing is done yet");
    let lines = [("lignes", "new@acme.example\nanne@acme.example\nx@other.example")];
    let done = boss.post("/gestion/utilisateurs/importer/confirmer", &lines);
    let said = boss.follow(done).words();
    assert!(said.contains("Un compte ajouté, un refusé"), "{said}");
    site.store.user_id(&address("new@acme.example")).expect("added");
}

/// It does not help to add users who get no mail, nor to disable all but one.
#[test]
fn days_on_which_few_users_got_mail_are_hidden() {
    let site = Site::new();
    let mut boss = manager(&site);
    let yesterday = site.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date().yesterday().expect("a day");
    let total = |kind: &str, count| Total { organisation: site.acme, day: yesterday, kind: kind.to_owned(), count };
    site.store.add_totals(&[total("decided", 4242), total("personal", 1717), total(Total::USERS, 2)]).expect("added");
    for n in 0..12 {
        add_user(&*site.store, &format!("user{n}@acme.example"));
    }
    let page = boss.get("/gestion").page();
    assert!(!page.contains("4\u{202f}242") && page.contains("dix utilisateurs"), "{page}");
    site.store.add_totals(&[total(Total::USERS, TOTALS_USERS)]).expect("added");
    let page = boss.get("/gestion").page();
    assert!(page.contains("4\u{202f}242") && page.contains("1\u{202f}717"), "{page}");
}

#[test]
fn an_operator_runs_organisations_and_staff() {
    let site = Site::new();
    let mut root = operator(&site);
    let add = |root: &mut Browser, name: &str, domain: &str| {
        root.post("/exploitation/organisations", &[("nom", name), ("domaine", domain)])
    };
    is_done(&add(&mut root, "zoo", "zoo.example"));
    is_refused(&add(&mut root, "zoo", "park.example"), "nom");
    is_refused(&add(&mut root, "park", "zoo.example"), "domaine");
    let zoo = site.store.organisation("zoo").expect("added");
    let path = format!("/exploitation/organisations/{}", zoo.id);
    is_done(&root.post(&format!("{path}/domaines"), &[("domaine", "park.example")]));
    is_done(&root.post(&format!("{path}/domaines/retirer"), &[("domaine", "zoo.example")]));
    is_done(&root.post(&path, &[("tag", "[PRIV]"), ("session_idle", "90")]));
    is_refused(&root.post(&path, &[("tag", "[PRIV]"), ("session_idle", "91")]), "session_idle");
    let zoo = site.store.organisation("zoo").expect("shown");
    assert_eq!((zoo.settings.tag.as_deref(), zoo.settings.session_idle), (Some("[PRIV]"), Some(90)));
    assert_eq!(zoo.domains.iter().map(|domain| domain.as_str()).collect::<Vec<_>>(), ["park.example"]);

    let role = zoo.id.to_string();
    let added = root.post("/exploitation/equipe", &[("adresse", "keeper@zoo.example"), ("role", &role)]);
    assert!(added.status == 200 && added.body.contains("code-block"), "{added:?}");
    is_refused(&root.post("/exploitation/equipe", &[("adresse", "keeper@zoo.example"), ("role", "")]), "adresse");
    let keeper = site.store.staff_named(&address("keeper@zoo.example")).expect("added");
    assert_eq!(keeper.role, Role::Manager(zoo.id));
    let path = format!("/exploitation/equipe/{}", keeper.id);
    is_done(&root.post(&format!("{path}/desactiver"), &[]));
    is_done(&root.post(&format!("{path}/activer"), &[]));
    assert!(root.post(&format!("{path}/reinitialiser"), &[]).page().contains("code-block"));
    is_done(&root.post(&format!("{path}/retirer"), &[]));
    assert!(site.store.staff(keeper.id).is_err());
    let own = site.store.staff_named(&address(ROOT)).expect("shown").id;
    assert_eq!(root.post(&format!("/exploitation/equipe/{own}/retirer"), &[]).status, 404, "nobody removes themselves");
}

#[test]
fn what_is_grave_asks_for_the_second_factor_again_and_keeps_what_was_typed() {
    let site = Site::new();
    let person = Person::enrol(&site, BOSS, Role::Manager(site.acme));
    let mut boss = person.signs_in(&site);
    site.clock.advance(6 * MINUTE);
    for page in ["/gestion/regles", "/gestion/domaines", "/gestion/utilisateurs"] {
        assert_eq!(boss.get(page).status, 200, "looking asks for nothing: {page}");
    }
    let domain = ("domaine", "<Client>.example&");
    let asked = boss.post("/gestion/domaines", &[domain]);
    assert!(asked.status == 200 && asked.body.contains("name=\"second_facteur\""), "{asked:?}");
    let kept = "name=\"domaine\" value=\"&#60;Client&#62;.example&#38;\"";
    assert!(asked.body.contains(kept) && asked.body.contains("action=\"/gestion/domaines\""), "{asked:?}");
    let domain = ("domaine", "client.example");
    is_refused(&boss.post("/gestion/domaines", &[domain, ("second_facteur", "000000")]), "second_facteur");
    assert!(site.store.organisation("acme").expect("shown").protected.is_empty());

    let code = person.shows(&site);
    is_done(&boss.post("/gestion/domaines", &[domain, ("second_facteur", &code)]));
    assert_eq!(site.store.organisation("acme").expect("shown").protected.len(), 1);
    is_done(&boss.post("/gestion/domaines/retirer", &[domain]));
    site.clock.advance(6 * MINUTE);
    let replayed = boss.post("/gestion/domaines", &[domain, ("second_facteur", &code)]);
    is_refused(&replayed, "second_facteur");
}

/// What staff do without another code: signing in, ending their own sessions, and the preview of an import, which changes nothing.
const UNASKED: [&str; 6] = [
    "/gestion/connexion",
    "/gestion/inscription",
    "/gestion/inscription/confirmer",
    "/gestion/compte/sessions/{id}/terminer",
    "/gestion/compte/sessions/terminer",
    "/gestion/utilisateurs/importer",
];

#[test]
fn every_grave_action_of_staff_asks() {
    let site = Site::new();
    let (anne, acme) = (site.anne, site.acme);
    let keeper =
        site.store.add_staff(&Actor::System, &address("keeper@acme.example"), Role::Operator).expect("added").0;
    let (mut boss, mut root) = (manager(&site), operator(&site));
    site.clock.advance(6 * MINUTE);
    let mut asked_for = 0;
    for (route, _) in roles::routes().into_iter().filter(|(_, methods)| methods.contains(&"post")) {
        let (browser, other) = match route.as_str() {
            route if UNASKED.contains(&route) => continue,
            route if route.starts_with("/exploitation") => (&mut root, "/gestion/regles"),
            route if route.starts_with("/gestion") => (&mut boss, "/exploitation/equipe"),
            _ => continue,
        };
        let id = if route.contains("/equipe/") { keeper.to_string() } else { acme.to_string() };
        let action = route.replace("{user}", &anne.to_string()).replace("{id}", &id);
        let asked = browser.post(&action, &[]);
        assert!(asked.status == 200 && asked.body.contains("name=\"second_facteur\""), "{action}: {asked:?}");
        assert_eq!(browser.post(other, &[]).status, 404, "of another role: there is no such page");
        asked_for += 1;
    }
    assert!(asked_for > 15, "the routes are read: {asked_for}");
    assert_eq!(site.store.user(anne).expect("shown").status, UserStatus::Active);
    assert!(matches!(site.store.staff(keeper).expect("there").status, StaffStatus::Invited(_)));
}

#[test]
fn staff_see_and_end_their_own_sessions() {
    let site = Site::new();
    let person = Person::enrol(&site, BOSS, Role::Manager(site.acme));
    let (mut here, mut there, mut third) = (person.signs_in(&site), person.signs_in(&site), person.signs_in(&site));
    let page = here.get("/gestion/compte").page();
    let actions: Vec<_> = page.split("action=\"/gestion/compte/sessions/").skip(1).collect();
    let numbered = actions.iter().find_map(|rest| rest.split_once("/terminer")).expect("a button").0;
    assert_eq!(actions.len(), 3, "two others, and all others: {page}");
    let mut root = operator(&site);
    root.post(&format!("/gestion/compte/sessions/{numbered}/terminer"), &[]);
    let are_open = |browsers: [&mut Browser; 3]| browsers.map(|browser| browser.get("/gestion").status == 200);
    assert_eq!(are_open([&mut here, &mut there, &mut third]), [true; 3], "nobody ends another's");
    here.post(&format!("/gestion/compte/sessions/{numbered}/terminer"), &[]);
    assert_eq!(are_open([&mut here, &mut there, &mut third]), [true, true, false]);
    is_done(&here.post("/gestion/compte/sessions/terminer", &[]));
    assert_eq!(are_open([&mut here, &mut there, &mut third]), [true, false, false]);
}

#[test]
fn staff_choose_both_factors_anew_and_the_old_ones_work_until_then() {
    let site = Site::new();
    let old = Person::enrol(&site, BOSS, Role::Manager(site.acme));
    let mut boss = old.signs_in(&site);
    let page = boss.post("/gestion/compte/renouveler", &[]).page();
    let code =
        page.split("name=\"inscription\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a code");
    let mut other = old.signs_in(&site);
    let anew = Person { address: BOSS, totp: factor_of(&page) };
    let shown = anew.shows(&site);
    let chosen = [("inscription", code), ("mot_de_passe", "un autre mot de passe"), ("code", shown.as_str())];
    is_done(&boss.post("/gestion/inscription/confirmer", &chosen));
    for browser in [&mut boss, &mut other] {
        assert_eq!(browser.get("/gestion").status, 303, "what the old ones opened is over");
    }
    site.clock.advance(MINUTE);
    is_refused(&old.tries(&site, &mut site.browser(), PASSWORD), "adresse");
    is_done(&anew.tries(&site, &mut site.browser(), "un autre mot de passe"));
}

#[test]
fn who_is_sent_to_sign_in_again_is_sent_to_the_door_of_staff() {
    let site = Site::new();
    let staffs = "href=\"/gestion/connexion?retour=/gestion\" data-session-again";
    assert!(manager(&site).get("/gestion").body.contains(staffs));
    let users = "href=\"/connexion?retour=/\" data-session-again";
    assert!(site.signed_in("anne@acme.example").get("/").body.contains(users));
}

#[test]
fn who_is_disabled_is_out_at_the_next_page() {
    let site = Site::new();
    let mut root = operator(&site);
    let id = site.store.staff_named(&address(ROOT)).expect("shown").id;
    site.store.set_staff_access(&Actor::System, id, StaffAccess::Disabled).expect("disabled");
    assert_eq!(root.get("/exploitation").status, 303);
}

#[test]
fn a_user_lets_somebody_in_sees_the_look_and_takes_it_back() {
    let site = Site::new();
    let mut root = operator(&site);
    let mut anne = site.signed_in("anne@acme.example");
    let value = "maman@famille.example".parse().expect("an entry");
    site.store.add_entries(&Actor::User, site.anne, &[(ListKind::Personal, value)]).expect("added");
    let list = format!("/exploitation/acces/{}/personal", site.anne);
    let nobody = "/exploitation/acces/0123456789abcdef/personal";
    root.get("/exploitation/acces");
    let (without, unknown) = (root.get(&list), root.get(nobody));
    assert_eq!((without.status, without.body.replace(&list, nobody)), (404, unknown.body), "as if there were no user");

    let given = anne.post("/acces", &[("personne", ROOT), ("liste", "personal"), ("heures", "1")]);
    assert_eq!((given.status, given.location()), (303, "/acces"), "{given:?}");
    assert!(root.get("/exploitation/acces").words().contains("anne@acme.example"));
    assert!(root.get(&list).page().contains("maman@famille.example"));
    assert_eq!(root.get(&list.replace("personal", "black")).status, 404, "one list");
    let grant = site.store.grants(site.anne).expect("read").remove(0);
    assert_eq!(grant.last_used, Some(site.clock.now()));
    assert!(!anne.get("/acces").words().contains("jamais"), "the use is seen");

    is_done(&anne.post(&format!("/acces/{}/retirer", grant.id), &[]));
    assert_eq!(root.get(&list).status, 404);
    let again = [("personne", ROOT), ("liste", "personal"), ("heures", "1")];
    is_done(&anne.post("/acces", &again));
    site.clock.advance(Duration::from_secs(3600));
    assert_eq!(root.get(&list).status, 303, "the session rested too long");
}

#[test]
fn giving_access_asks_first_who_one_is_and_knows_nobody_else() {
    let site = Site::new();
    operator(&site);
    let mut anne = site.signed_in("anne@acme.example");
    // The manager is the employer: nobody can be led to let them in.
    Person::enrol(&site, BOSS, Role::Manager(site.acme));
    assert!(!anne.get("/acces").words().contains(BOSS));
    for (person, hours) in [("stranger@relay.example", "1"), (BOSS, "1"), (ROOT, "48")] {
        let form = [("personne", person), ("liste", "personal"), ("heures", hours)];
        assert_eq!(anne.post("/acces", &form).status, 400);
    }
    let mut bob = site.signed_in("bob@acme.example");
    site.clock.advance(Duration::from_secs(6 * 60));
    let form = [("personne", ROOT), ("liste", "personal"), ("heures", "1")];
    assert_eq!(bob.post("/acces", &form).location(), "/confirmer?retour=%2Facces");
    assert!(site.store.grants(site.bob).expect("read").is_empty());
}

#[test]
fn the_data_protection_officer_is_named_to_those_who_are_signed_in() {
    let site = Site::new();
    let settings = [("dpo".to_owned(), "Zoé Dupont, dpo@acme.example".to_owned())];
    let mut anne = site.signed_in("anne@acme.example");
    for path in ["/confidentialite", "/accessibilite"] {
        assert!(anne.get(path).words().contains("n’a pas écrit ici"));
        assert!(site.browser().get(path).words().contains("Connectez-vous pour lire"));
    }
    site.store.set_organisation(&Actor::System, site.acme, &settings).expect("set");
    for path in ["/confidentialite", "/accessibilite"] {
        assert!(anne.get(path).words().contains("Zoé Dupont, dpo@acme.example"));
        assert!(!site.browser().get(path).words().contains("Zoé"), "to nobody else");
    }
}

#[test]
fn a_setting_has_a_name_in_words_and_a_refusal_says_what_may_be_written() {
    let site = Site::new();
    let mut root = operator(&site);
    let path = format!("/exploitation/organisations/{}", site.acme);
    let page = root.get(&path).words();
    assert!(page.contains("Messages des expéditeurs bloqués") && page.contains("(black_action)"), "{page}");
    let refused = root.post(&path, &[("black_action", "burn"), ("session_idle", "45")]);
    is_refused(&refused, "black_action");
    assert!(refused.words().contains("Cette valeur n’est pas possible. reject, discard, junk ou hold."), "{refused:?}");
}
