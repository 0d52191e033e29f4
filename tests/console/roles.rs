//! Every page and action, as everybody: who is let in, and that nobody else is. A route without a row here fails.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use perso_milter::policy::address::Domain;
use perso_milter::policy::list::ListKind;
use perso_milter::store::*;
use regex::Regex;

use crate::harness::{Answer, Browser, Relay, Site, address, eventually};
use crate::security::choose_password;
use crate::staff::{BOSS, Person, ROOT};

/// Whom a route is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    /// Whoever asks, signed in or not.
    Everybody,
    /// Whoever has a session of any kind.
    Session,
    /// Users, for themselves.
    User,
    /// The manager of an organisation, for that organisation.
    Manager,
    /// Operators.
    Operator,
    /// Any member of staff.
    Staff,
    /// A member of staff to whom a user gave access.
    Grantee,
}

use For::*;

/// Every route. Where one is for a user, an organisation or a member, the path names that of the test.
const ROUTES: &[(&str, For)] = &[
    ("/", User),
    ("/connexion", Everybody),
    ("/connexion/code", Everybody),
    ("/connexion/lien/{token}", Everybody),
    ("/demo/{token}", Everybody),
    ("/connexion/mot-de-passe", Everybody),
    ("/connexion/cle", Everybody),
    ("/connexion/cle/options", Everybody),
    ("/connexion/secours", Everybody),
    ("/deconnexion", Session),
    ("/session/prolonger", Session),
    ("/confirmer", User),
    ("/confirmer/mot-de-passe", User),
    ("/confirmer/cle", User),
    ("/confirmer/secours", User),
    ("/confirmer/message", User),
    ("/confirmer/code", User),
    ("/securite", User),
    ("/securite/secret/{id}/retirer", User),
    ("/securite/mot-de-passe", User),
    ("/securite/mot-de-passe/generer", User),
    ("/securite/cle", User),
    ("/securite/cle/options", User),
    ("/securite/code-de-secours", User),
    ("/securite/verrou", User),
    ("/securite/verrou/perdu", User),
    ("/securite/verrou/perdu/annuler", User),
    ("/securite/illisibles/retirer", User),
    ("/securite/sessions/{id}/terminer", User),
    ("/securite/sessions/terminer", User),
    ("/securite/sessions/toutes", User),
    ("/listes/ajouter", User),
    ("/listes/ajouter-plusieurs", User),
    ("/listes/apercu", User),
    ("/listes/coller", User),
    ("/listes/combien", User),
    ("/listes/confirmer", User),
    ("/listes/entree/{id}", User),
    ("/listes/entree/{id}/confirmer", User),
    ("/listes/entree/{id}/deplacer", User),
    ("/listes/entree/{id}/note", User),
    ("/listes/entree/{id}/retirer", User),
    ("/listes/exporter", User),
    ("/listes/exporter/{fichier}", User),
    ("/listes/importer", User),
    ("/listes/journal", User),
    ("/listes/journal/{id}/annuler", User),
    ("/listes/{liste}", User),
    ("/reglages", User),
    ("/reglages/resume", User),
    ("/resume/arreter/{token}", Everybody),
    ("/historique", User),
    ("/historique/noter", User),
    ("/historique/effacer", User),
    ("/historique/arreter", User),
    ("/historique/retirer", User),
    ("/pourquoi", User),
    ("/acces", User),
    ("/acces/{grant}/retirer", User),
    ("/annonces/lues", User),
    ("/langue", Everybody),
    ("/aide", Everybody),
    ("/confidentialite", Everybody),
    ("/accessibilite", Everybody),
    ("/static/{file}", Everybody),
    ("/gestion/connexion", Everybody),
    ("/gestion/inscription", Everybody),
    ("/gestion/inscription/confirmer", Everybody),
    ("/exploitation/acces", Operator),
    ("/exploitation/acces/{user}/{list}", Grantee),
    ("/gestion/compte", Staff),
    ("/gestion/compte/renouveler", Staff),
    ("/gestion/compte/sessions/{id}/terminer", Staff),
    ("/gestion/compte/sessions/terminer", Staff),
    ("/gestion", Manager),
    ("/gestion/listes", Manager),
    ("/gestion/listes/retirer", Manager),
    ("/gestion/domaines", Manager),
    ("/gestion/domaines/retirer", Manager),
    ("/gestion/marquage", Manager),
    ("/gestion/regles", Manager),
    ("/gestion/utilisateurs", Manager),
    ("/gestion/utilisateurs/importer", Manager),
    ("/gestion/utilisateurs/importer/confirmer", Manager),
    ("/gestion/utilisateurs/{user}", Manager),
    ("/gestion/utilisateurs/{user}/desactiver", Manager),
    ("/gestion/utilisateurs/{user}/activer", Manager),
    ("/gestion/utilisateurs/{user}/sessions/terminer", Manager),
    ("/exploitation", Operator),
    ("/exploitation/organisations", Operator),
    ("/exploitation/organisations/{id}", Operator),
    ("/exploitation/organisations/{id}/domaines", Operator),
    ("/exploitation/organisations/{id}/domaines/retirer", Operator),
    ("/exploitation/equipe", Operator),
    ("/exploitation/equipe/{id}/desactiver", Operator),
    ("/exploitation/equipe/{id}/activer", Operator),
    ("/exploitation/equipe/{id}/reinitialiser", Operator),
    ("/exploitation/equipe/{id}/retirer", Operator),
];

/// The routes as the sources name them, with their methods.
pub fn routes() -> Vec<(String, Vec<&'static str>)> {
    fn files(folder: &Path, found: &mut Vec<PathBuf>) {
        for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                files(&path, found);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                found.push(path);
            }
        }
    }
    let mut sources = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/console"), &mut sources);
    let path = Regex::new(r#"^\s*"(/[^"]*)""#).expect("valid");
    let mut found = Vec::new();
    for source in sources {
        let text = fs::read_to_string(source).expect("readable");
        // What follows a route up to the next one, or to the end of the function, names its methods.
        for part in text.split(".route(").skip(1) {
            let part = part.split("\n}").next().unwrap_or_default();
            let Some(captures) = path.captures(part) else { continue };
            let methods = ["get", "post"].into_iter().filter(|method| part.contains(&format!("{method}(")));
            found.push((captures[1].to_owned(), methods.collect()));
        }
    }
    found
}

#[test]
fn every_route_has_a_row() {
    let found: BTreeSet<String> = routes().into_iter().map(|(path, _)| path).collect();
    let known: BTreeSet<String> = ROUTES.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(found.len(), routes().len(), "each once");
    assert!(found.contains("/gestion") && found.len() > 40, "the sources are read: {found:?}");
    let missing: Vec<_> = found.difference(&known).collect();
    assert!(missing.is_empty(), "say in ROUTES for whom these are: {missing:?}");
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(gone.is_empty(), "there are no such routes: {gone:?}");
}

/// The console with everybody in it, and the paths filled in.
struct World {
    site: Site,
    other: OrganisationId,
    /// What is anne's, as paths name it: an entry, a change that she could undo, a secret, a session.
    entry: String,
    change: String,
    secret: String,
    session: String,
}

impl World {
    fn new() -> Self {
        let site = Site::new();
        let domain = Domain::parse("zoo.example").expect("a domain");
        let other = site.store.add_organisation(&Actor::System, "zoo", &[domain]).expect("added");
        // Of number 1: anne's, to somebody who is not here.
        let hour = std::time::Duration::from_secs(3600);
        site.store.issue_grant(site.anne, "nobody@relay.example", ListKind::White, hour).expect("given");
        let value = "ami@club.example".parse().expect("an entry");
        site.store.add_entries(&Actor::User, site.anne, &[(ListKind::Personal, value)]).expect("added");
        let mut anne = site.signed_in("anne@acme.example");
        choose_password(&mut anne, "four quiet grey herons");
        let change = Regex::new("/listes/journal/([^/]+)/annuler").expect("valid");
        let change = change.captures(&anne.get("/listes/journal").body).expect("a change to undo")[1].to_owned();
        let entry = site.store.read_entries(site.anne, None, &Permission::Own(site.anne)).expect("read")[0].id;
        let secret = site.store.secrets(site.anne).expect("listed")[0].id;
        let session = site.store.sessions_of(Holder::User(site.anne)).expect("listed")[0].id;
        let [entry, secret, session] = [entry.to_string(), secret.to_string(), session.to_string()];
        Self { site, other, entry, change, secret, session }
    }

    /// A path of anne, of her organisation, and of a member of staff who is there for that.
    fn path(&self, route: &str) -> String {
        let keeper = address("keeper@relay.example");
        let keeper = match self.site.store.staff_named(&keeper) {
            Ok(staff) => staff.id,
            Err(_) => self.site.store.add_staff(&Actor::System, &keeper, Role::Operator).expect("added").0,
        };
        let id = match route {
            _ if route.contains("/entree/") => self.entry.clone(),
            _ if route.contains("/journal/") => self.change.clone(),
            _ if route.contains("/secret/") => self.secret.clone(),
            _ if route.contains("/sessions/") => self.session.clone(),
            _ if route.contains("/equipe/") => keeper.to_string(),
            _ => self.site.acme.to_string(),
        };
        let filled = route.replace("{user}", &self.site.anne.to_string()).replace("{id}", &id);
        filled
            .replace("{list}", "personal")
            .replace("{grant}", "1")
            .replace("{token}", "x")
            .replace("{file}", "icon.svg")
            .replace("{liste}", "personnels")
            .replace("{fichier}", "x")
    }

    fn asks(&self, browser: &mut Browser, route: &str, method: &str) -> Answer {
        let path = self.path(route);
        // What the forms of an entry need, so that it is the entry that is refused and not the form.
        let form: &[(&str, &str)] =
            if route.contains("/entree/") { &[("note", "x"), ("liste", "bloques")] } else { &[] };
        if method == "get" { browser.get(&path) } else { browser.post(&path, form) }
    }
}

/// How an answer treats whoever asked.
#[derive(Debug, PartialEq, Eq)]
enum Treated {
    LetIn,
    /// Let in, or told that there is no such thing: of theirs, or here at all (passkeys need a name, which this host has not).
    Own,
    SentToTheDoor,
    SentToTheDoorOfStaff,
    NoSuchPage,
}

fn treated(answer: &Answer) -> Treated {
    match (answer.status, answer.location()) {
        (303, to) if to.starts_with("/connexion?retour") => Treated::SentToTheDoor,
        (303, to) if to.starts_with("/gestion/connexion?retour") => Treated::SentToTheDoorOfStaff,
        (404, _) => Treated::NoSuchPage,
        (500.., _) => panic!("{answer:?}"),
        _ => Treated::LetIn,
    }
}

/// What is left out: it ends the session of whoever tries it, or is there for a link that somebody was sent.
fn is_passed_over(route: &str) -> bool {
    matches!(route, "/deconnexion" | "/demo/{token}" | "/connexion/lien/{token}")
}

/// Asks for each route with a browser made anew, and compares with what is expected of it.
fn check(world: &World, mut browser: impl FnMut(&World) -> Browser, expected: impl Fn(&str, For) -> Treated) {
    for (route, methods) in routes().into_iter().filter(|(route, _)| !is_passed_over(route)) {
        let (_, whose) = *ROUTES.iter().find(|(known, _)| *known == route).expect("see every_route_has_a_row");
        for method in methods {
            let answer = world.asks(&mut browser(world), &route, method);
            let (treated, expected) = (treated(&answer), expected(&route, whose));
            let is_own = expected == Treated::Own && matches!(treated, Treated::LetIn | Treated::NoSuchPage);
            assert!(treated == expected || is_own, "{method} {route}: {treated:?}, not {expected:?}: {answer:?}");
        }
    }
}

/// What those get who have no right to a route: users' own pages and staff's have doors of their own.
fn at_the_door(route: &str) -> Treated {
    let is_staffs = route.starts_with("/gestion") || route.starts_with("/exploitation");
    if is_staffs { Treated::SentToTheDoorOfStaff } else { Treated::SentToTheDoor }
}

/// A browser with the same cookies.
fn copy(world: &World, browser: &Browser) -> Browser {
    let mut copied = world.site.browser();
    copied.cookies = browser.cookies.clone();
    copied
}

#[test]
fn nobody_is_sent_to_the_doors() {
    let world = World::new();
    check(
        &world,
        |world| world.site.browser(),
        |route, whose| if whose == Everybody { Treated::Own } else { at_the_door(route) },
    );
}

#[test]
fn a_user_has_the_own_pages_and_none_of_staffs() {
    let world = World::new();
    let bob = world.site.bob;
    let mut signed_in = world.site.signed_in("bob@acme.example");
    let browser = |world: &World| {
        // Some of these end the session.
        if world.site.store.sessions_of(Holder::User(bob)).expect("read").is_empty() {
            signed_in = world.site.signed_in("bob@acme.example");
        }
        copy(world, &signed_in)
    };
    check(&world, browser, |route, whose| match whose {
        // Whatever is another user's is as if it were not there; ending their session does nothing, and of their change it
        // is said that there is nothing to undo, as of one that never was.
        User if route.contains("/sessions/") || route.contains("/journal/") => Treated::LetIn,
        User if route.contains("{id}") || route.contains("{grant}") => Treated::NoSuchPage,
        Everybody | User => Treated::Own,
        Session => Treated::LetIn,
        _ => Treated::SentToTheDoorOfStaff,
    });
    let sessions = world.site.store.sessions_of(Holder::User(world.site.anne)).expect("listed");
    assert!(sessions.iter().any(|session| session.id.to_string() == world.session), "anne is still signed in");
}

/// The manager of the organisation, that of another, and the operator. None of them has a user's page.
#[test]
fn each_member_of_staff_has_the_pages_of_the_role_alone() {
    let world = World::new();
    let roles = [
        (BOSS, Role::Manager(world.site.acme)),
        ("keeper@zoo.example", Role::Manager(world.other)),
        (ROOT, Role::Operator),
    ];
    for (name, role) in roles {
        let person = Person::enrol(&world.site, name, role);
        let mut signed_in = person.signs_in(&world.site);
        let holder = Holder::Staff(world.site.store.staff_named(&address(name)).expect("enrolled").id);
        let browser = |world: &World| {
            // Some of these end the session.
            if world.site.store.sessions_of(holder).expect("read").is_empty() {
                signed_in = person.signs_in(&world.site);
            }
            copy(world, &signed_in)
        };
        check(&world, browser, |route, whose| match (whose, role) {
            (Everybody, _) => Treated::Own,
            (Session | Staff, _) | (Operator, Role::Operator) => Treated::LetIn,
            (Manager, Role::Manager(own)) if own == world.site.acme || !route.contains("{user}") => Treated::LetIn,
            (User, _) => Treated::SentToTheDoor,
            // Another organisation's user, a list without a grant, another role's page: there is no such page.
            _ => Treated::NoSuchPage,
        });
    }
}

#[test]
fn a_grantee_has_that_one_list() {
    let world = World::new();
    let mut root = Person::enrol(&world.site, ROOT, Role::Operator).signs_in(&world.site);
    let hour = std::time::Duration::from_secs(3600);
    world.site.store.issue_grant(world.site.anne, ROOT, ListKind::Personal, hour).expect("given");
    let path = world.path("/exploitation/acces/{user}/{list}");
    assert_eq!(root.get(&path).status, 200);
    for other in
        [path.replace("personal", "white"), path.replace(&world.site.anne.to_string(), &world.site.bob.to_string())]
    {
        assert_eq!(root.get(&other).status, 404, "{other}");
    }
}

/// Whatever stands on anne's lists, every page of staff is the same, to the byte.
#[test]
fn no_page_of_staff_depends_on_a_list() {
    let world = World::new();
    let mut boss = Person::enrol(&world.site, BOSS, Role::Manager(world.site.acme)).signs_in(&world.site);
    let mut root = Person::enrol(&world.site, ROOT, Role::Operator).signs_in(&world.site);
    let pages = |browser: &mut Browser| -> Vec<(String, u16, String)> {
        let all = routes().into_iter().filter(|(route, methods)| {
            methods.contains(&"get") && (route.starts_with("/gestion") || route.starts_with("/exploitation"))
        });
        all.map(|(route, _)| {
            let answer = world.asks(browser, &route, "get");
            (route, answer.status, answer.body)
        })
        .collect()
    };
    let relay = world.site.relay();
    let told = |relay: &Relay| relay.pulse.tell().expect("told");
    told(&relay);
    // What is said once after signing in is said, and the journal verified.
    boss.get("/gestion");
    eventually("the journal", || root.get("/exploitation").words().contains("vérifié le").then_some(()));
    let before = (pages(&mut boss), pages(&mut root));
    assert!(before.0.iter().filter(|(_, status, _)| *status == 200).count() > 7);
    let value = |text: &str| text.parse().expect("an entry");
    let entries = [
        (ListKind::Personal, value("maman@famille.example")),
        (ListKind::Black, value("*.pub.example")),
        (ListKind::White, value("ami@club.example")),
    ];
    let revision = relay.follower.status().position.revision;
    world.site.store.add_entries(&Actor::User, world.site.anne, &entries).expect("added");
    eventually("the change", || (relay.follower.status().position.revision > revision).then_some(()));
    told(&relay);
    assert_eq!((pages(&mut boss), pages(&mut root)), before);
}
