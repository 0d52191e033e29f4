//! The user's lists over HTTP: one field, refusals, offers, one entry, many, files, changes and undo, the personal lock.

use std::time::Duration;

use perso_milter::policy::address::Domain;
use perso_milter::policy::list::ListKind::{self, Black, Personal, White};
use perso_milter::store::{
    Actor, Entry, LockState, NewUser, Origin, Password, Permission, Readable, StoreError, UserId, UserKind,
};
use regex::Regex;

use crate::harness::{Answer, Browser, Site, address};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn entries(site: &Site, user: UserId) -> Vec<Entry> {
    site.store.read_entries(user, None, &Permission::Own(user)).expect("read")
}

/// The entries as `list value (note)`.
fn shown(site: &Site) -> Vec<String> {
    let line = |entry: Entry| {
        let Readable::Value(value) = &entry.value else { panic!("unreadable") };
        let note = entry.note.map(|note| format!(" ({})", note.as_str())).unwrap_or_default();
        format!("{} {}{note}", entry.list, value.written())
    };
    entries(site, site.anne).into_iter().map(line).collect()
}

fn add(browser: &mut Browser, list: &str, text: &str) -> Answer {
    browser.post("/listes/ajouter", &[("liste", list), ("adresse", text)])
}

fn put(site: &Site, list: ListKind, texts: &[&str]) {
    let entries: Vec<_> = texts.iter().map(|text| (list, text.parse().expect("an entry"))).collect();
    site.store.add_entries(&Actor::User, site.anne, &entries).expect("added");
}

/// The action of the first form or link of a page that begins so.
fn path(page: &str, begin: &str) -> String {
    let found = Regex::new(&format!(r#"(?:action|href)="({}[^"]*)""#, regex::escape(begin))).expect("valid");
    found.captures(page).unwrap_or_else(|| panic!("no {begin} in {page}"))[1].to_owned()
}

#[test]
fn an_address_is_declared_with_one_field_and_taken_back_with_one_click() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let home = browser.get("/").page();
    assert_eq!(home.matches("<input id=").count(), 1, "one field: {home}");
    let answer = add(&mut browser, "personnels", " Maman <Maman@Famille.example> ");
    assert_eq!((answer.status, answer.location()), (303, "/listes/personnels"), "{answer:?}");
    let page = browser.follow(answer);
    assert!(page.words().contains("maman@famille.example est maintenant un expéditeur personnel"), "{page:?}");
    assert!(page.words().contains("Les messages déjà reçus ne changent pas"));
    assert_eq!(shown(&site), ["personal maman@famille.example (Maman)"]);
    let undo = path(&page.body, "/listes/journal/");
    let answer = browser.post(&undo, &[]);
    assert!(browser.follow(answer).words().contains("Le changement est annulé"));
    assert!(shown(&site).is_empty());
}

#[test]
fn a_refused_entry_says_why_and_what_to_do_instead() {
    let site = Site::new();
    site.store
        .protect_domain(&Actor::System, site.acme, &Domain::parse("client.example").expect("valid"))
        .expect("protected");
    let mut browser = site.signed_in("anne@acme.example");
    for (list, text, words) in [
        ("personnels", "", "Le champ est vide"),
        ("personnels", "ma mère", "ni adresse ni domaine"),
        ("personnels", "maman@famille", "n’est pas correcte"),
        ("personnels", "*", "couvrirait tout le monde"),
        ("personnels", "co.uk", "des inconnus ont leurs domaines"),
        ("personnels", "chef@acme.example", "déclarez l’adresse privée"),
        ("personnels", "contact@client.example", "déclaré ce domaine professionnel"),
        ("acceptes", "gmail.com", "l’adresse complète de la personne"),
        ("bloques", "chef@acme.example", "ne peut pas être bloqué"),
        ("bloques", "cim@acme.example", "ne peut pas être bloqué"),
        ("bloques", "promo-*@boutique.example", "n’admet pas les motifs"),
    ] {
        let answer = add(&mut browser, list, text);
        assert_eq!(answer.status, 422, "{text}: {answer:?}");
        assert_eq!(answer.words().matches(words).count(), 2, "beside the field and on top: {text}: {answer:?}");
        assert!(answer.body.contains("aria-invalid=\"true\"") && answer.body.contains("<title>Erreur"), "{text}");
    }
    assert!(shown(&site).is_empty());
    browser.language = "en";
    assert!(add(&mut browser, "personnels", "gmail.com").words().contains("Enter the person’s full address"));
    assert_eq!(add(&mut browser, "autres", "a@b.example").status, 404);
}

/// The console's address may stand in any domain: who blocked it would get no link to sign in any more.
#[test]
fn the_consoles_own_sender_cannot_be_blocked_whatever_its_domain() {
    let site = Site::with_defaults(|defaults| defaults.protected_senders = vec![address("cim@service.example")]);
    site.store.set_organisation(&Actor::System, site.acme, &[("globs".to_owned(), "true".to_owned())]).expect("set");
    let mut browser = site.signed_in("anne@acme.example");
    for text in ["cim@service.example", "service.example", "*.service.example", "ci*@service.example"] {
        let answer = add(&mut browser, "bloques", text);
        assert!(answer.status == 422 && answer.words().contains("ne peut pas être bloqué"), "{text}: {answer:?}");
    }
    assert_eq!(add(&mut browser, "bloques", "promo@service.example").status, 303);
    assert_eq!(add(&mut browser, "acceptes", "service.example").status, 303);
}

#[test]
fn how_many_is_asked_before_adding_and_adds_nothing() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let answer = browser.post("/listes/combien", &[("adresse", "Maman <maman@famille.example>")]);
    assert!(answer.status == 200 && answer.words().contains("activez d’abord votre historique"), "{answer:?}");
    assert!(answer.body.contains("value=\"Maman &#60;maman@famille.example&#62;\""), "the field is kept: {answer:?}");
    assert!(shown(&site).is_empty());
    let refused = browser.post("/listes/combien", &[("adresse", "ma mère")]);
    assert!(refused.status == 422 && refused.words().contains("ni adresse ni domaine"), "{refused:?}");
}

#[test]
fn a_better_entry_is_offered_and_the_user_decides() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    put(&site, Black, &["ami@famille.example"]);
    let offer = add(&mut browser, "personnels", "ami@famille.example");
    assert!(offer.words().contains("Déplacer vers Expéditeurs personnels"), "{offer:?}");
    assert_eq!(shown(&site), ["black ami@famille.example"], "an offer changes nothing");
    let form = [("liste", "personnels"), ("adresse", "ami@famille.example"), ("choix", "deplacer")];
    assert_eq!(browser.post("/listes/ajouter", &form).status, 303);
    assert_eq!(shown(&site), ["personal ami@famille.example"]);

    let changing = "bounce+4711@mail.boutique.example";
    let offer = add(&mut browser, "bloques", changing);
    assert!(offer.words().contains("Ajouter mail.boutique.example"), "{offer:?}");
    let form = [("liste", "bloques"), ("adresse", changing), ("choix", "seul")];
    assert_eq!(browser.post("/listes/ajouter", &form).status, 303);
    put(&site, White, &["a@club.example", "b@club.example", "c@club.example", "d@club.example"]);
    let offer = add(&mut browser, "acceptes", "e@club.example");
    assert!(offer.words().contains("Ajouter club.example"), "{offer:?}");
    assert_eq!(add(&mut browser, "acceptes", "club.example").status, 303);
    assert_eq!(add(&mut browser, "acceptes", "e@club.example").status, 303, "the domain is there: nothing is offered");
    assert!(shown(&site).contains(&format!("black {changing}")));
}

#[test]
fn an_entry_is_noted_moved_and_removed() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    put(&site, Personal, &["ami@famille.example"]);
    let list = browser.get("/listes/personnels").page();
    let entry = path(&list, "/listes/entree/");
    let page = browser.get(&entry);
    assert!(page.words().contains("Cette adresse seulement"), "{page:?}");
    let answer = browser.post(&format!("{entry}/note"), &[("note", "  de l’école ")]);
    assert!(browser.follow(answer).words().contains("est enregistrée"));
    assert_eq!(shown(&site), ["personal ami@famille.example (de l’école)"]);
    let long = browser.post(&format!("{entry}/note"), &[("note", &"x".repeat(201))]);
    assert!(long.status == 422 && long.words().contains("200 caractères"), "{long:?}");
    let answer = browser.post(&format!("{entry}/deplacer"), &[("liste", "bloques")]);
    assert_eq!(answer.location(), "/listes/bloques");
    assert_eq!(shown(&site), ["black ami@famille.example (de l’école)"]);
    assert_eq!(browser.get(&entry).status, 404, "it is elsewhere now");
    let moved = path(&browser.get("/listes/bloques").page(), "/listes/entree/");
    let answer = browser.post(&format!("{moved}/retirer"), &[]);
    assert!(browser.follow(answer).words().contains("est retiré de la liste"));
    assert!(shown(&site).is_empty());

    put(&site, White, &["gmail.com.example", "free.example"]);
    put(&site, Black, &["free.fr"]);
    let blocked = path(&browser.get("/listes/bloques").page(), "/listes/entree/");
    let refused = browser.post(&format!("{blocked}/deplacer"), &[("liste", "acceptes")]);
    assert!(refused.status == 422 && refused.words().contains("N’importe qui"), "{refused:?}");
}

#[test]
fn an_entry_says_why_it_has_no_effect() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    put(&site, Personal, &["ami@famille.example"]);
    put(&site, Black, &["ami@famille.example"]);
    let entry = path(&browser.get("/listes/personnels").page(), "/listes/entree/");
    assert!(browser.get(&entry).words().contains("le blocage l’emporte"));
    let mut options = site.store.user(site.anne).expect("there").options;
    options.paused = true;
    site.store.set_user_options(&Actor::User, site.anne, options).expect("paused");
    assert!(browser.get(&entry).words().contains("Le traitement est suspendu"));
    assert!(browser.get("/").words().contains("Le traitement est suspendu"));
}

#[test]
fn what_others_added_is_shown_at_sign_in_to_keep_or_remove() {
    let site = Site::new();
    let administrator = Actor::Administrator { name: "root".to_owned() };
    let added = [(White, "banque.example".parse().expect("valid")), (Black, "spam.example".parse().expect("valid"))];
    site.store.add_entries(&administrator, site.anne, &added).expect("added");
    let mut browser = site.signed_in("anne@acme.example");
    let home = browser.get("/");
    assert!(home.words().contains("À confirmer") && home.words().contains("par un administrateur"), "{home:?}");
    let keep = Regex::new(r#"action="(/listes/entree/white-[^"]*/confirmer)""#).expect("valid");
    let keep = keep.captures(&home.body).expect("a button")[1].to_owned();
    let answer = browser.post(&keep, &[]);
    assert!(browser.follow(answer).words().contains("Vous gardez banque.example"));
    let answer = browser.post("/listes/confirmer", &[]);
    let home = browser.follow(answer);
    assert!(!home.words().contains("À confirmer"), "{home:?}");
    assert!(entries(&site, site.anne).iter().all(|entry| entry.confirmed && entry.origin == Origin::Administrator));
}

#[test]
fn a_long_list_is_searched_sorted_and_paged() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    assert!(browser.get("/listes/acceptes").words().contains("Cette liste est vide"));
    put(&site, White, &["premier@d.example"]);
    site.clock.advance(Duration::from_secs(60));
    let many: Vec<String> = (0..250).map(|n| format!("u{n:03}@d.example")).collect();
    put(&site, White, &many.iter().map(String::as_str).collect::<Vec<_>>());
    let rows = |page: &Answer| page.body.matches("<tr role=\"row\">").count() - 1;
    let first = browser.get("/listes/acceptes");
    assert_eq!(rows(&first), 100, "{first:?}");
    assert!(first.words().contains("1 à 100 sur 251"), "{first:?}");
    assert_eq!(rows(&browser.get("/listes/acceptes?page=3")), 51);
    assert_eq!(rows(&browser.get("/listes/acceptes?page=99")), 51, "the last there is");
    let found = browser.get("/listes/acceptes?q=U24");
    assert_eq!(rows(&found), 10);
    assert!(
        browser.get("/listes/acceptes?q=%3Cb%3E").words().contains("« <b> »")
            || browser.get("/listes/acceptes?q=%3Cb%3E").body.contains("&#60;b&#62;")
    );
    for (sort, expected) in [("", "premier"), ("?tri=-adresse", "u249"), ("?tri=date", "premier"), ("?tri=-date", "u")]
    {
        let page = browser.get(&format!("/listes/acceptes{sort}")).body;
        let start = page.find("class=\"address\">").expect("a row") + "class=\"address\">".len();
        assert!(page[start..].starts_with(expected), "{sort}: {}", &page[start..start + 20]);
    }
}

#[test]
fn many_are_pasted_after_a_look_at_what_was_understood() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let text = "Maman <maman@famille.example>, papa@famille.example\nJean\ngmail.com\nmaman@famille.example";
    let preview = browser.post("/listes/coller", &[("liste", "personnels"), ("texte", text)]);
    let words = preview.words();
    for expected in
        ["2 entrées à ajouter", "2 lignes écartées", "Une répétition", "N’importe qui", "ni adresse ni domaine"]
    {
        assert!(words.contains(expected), "{expected}: {words}");
    }
    assert!(shown(&site).is_empty(), "a preview changes nothing");
    let lines = Regex::new(r#"(?s)name="lignes" value="([^"]*)""#).expect("valid");
    let lines = lines.captures(&preview.body).expect("what is taken")[1].to_owned();
    // Who sends something else is checked again.
    let forged = format!("{lines}personal\tchef@acme.example\t\nnonsense\n");
    let form = [("liste", "personnels"), ("source", "texte"), ("lignes", forged.as_str())];
    let answer = browser.post("/listes/ajouter-plusieurs", &form);
    assert!(browser.follow(answer).words().contains("2 expéditeurs sont dans vos listes"));
    assert_eq!(shown(&site), ["personal maman@famille.example (Maman)", "personal papa@famille.example"]);
    let from_field = add(&mut browser, "bloques", "a@spam.example, b@spam.example");
    assert!(from_field.words().contains("2 entrées à ajouter"), "one field takes several: {from_field:?}");
    let empty = browser.post("/listes/coller", &[("liste", "personnels"), ("texte", " \n ")]);
    assert!(empty.status == 422 && empty.words().contains("Le champ est vide"), "{empty:?}");
}

/// Sends a file as the form does.
fn send_file(browser: &mut Browser, site: &Site, list: &str, bytes: &[u8]) -> Answer {
    let part = |head: &str, body: &[u8]| {
        [b"--x\r\ncontent-disposition: form-data; ", head.as_bytes(), b"\r\n\r\n", body, b"\r\n"].concat()
    };
    let body = [
        part("name=\"liste\"", list.as_bytes()),
        part("name=\"fichier\"; filename=\"f.csv\"", bytes),
        b"--x--\r\n".to_vec(),
    ]
    .concat();
    let headers = [
        ("content-type", "multipart/form-data; boundary=x"),
        ("origin", site.origin()),
        ("sec-fetch-site", "same-origin"),
    ];
    browser.send("/listes/importer", &body, &headers)
}

#[test]
fn a_file_is_imported_after_a_look_and_what_is_no_file_says_so() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let (latin, file) = (b"Nom;Courriel\r\nH\xe9l\xe8ne;helene@famille.example\r\n;pas d'adresse\r\n", "fichier");
    let preview = send_file(&mut browser, &site, "personnels", latin);
    assert!(preview.words().contains("Hélène") && preview.words().contains("Une ligne écartée"), "{preview:?}");
    let form = [("liste", "personnels"), ("source", file), ("lignes", "personal\thelene@famille.example\tHélène\n")];
    assert_eq!(browser.post("/listes/ajouter-plusieurs", &form).status, 303);
    let all = entries(&site, site.anne);
    assert_eq!((all[0].origin, all[0].confirmed), (Origin::Import, true), "imported by the user: nothing to confirm");
    for (bytes, words) in [
        (&b""[..], "un fichier vide"),
        (&[0u8, 1, 2, 3, 4, 5, 6, 7, 200, 201, 0, 3][..], "n’est pas un texte"),
        (&vec![b'a'; (2 << 20) + 1][..], "trop volumineux"),
    ] {
        let answer = send_file(&mut browser, &site, "personnels", bytes);
        assert!(answer.status == 422 && answer.words().contains(words), "{words}: {answer:?}");
    }
}

#[test]
fn lists_are_exported_to_whoever_has_just_proven_who_they_are() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    put(&site, Personal, &["maman@famille.example"]);
    put(&site, White, &["+promo@boutique.example"]);
    for (file, kind, words) in [
        ("listes.csv", "text/csv; charset=utf-8", "white,'+promo@boutique.example"),
        ("listes.json", "application/json", "\"value\": \"maman@famille.example\""),
        ("listes.sieve", "application/sieve; charset=utf-8", "fileinto :create \"Perso\""),
    ] {
        let answer = browser.get(&format!("/listes/exporter/{file}"));
        assert_eq!((answer.status, answer.header("content-type")), (200, kind), "{answer:?}");
        assert!(answer.header("content-disposition").starts_with("attachment"), "{answer:?}");
        assert!(answer.body.contains(words), "{answer:?}");
    }
    assert_eq!(browser.get("/listes/exporter/listes.exe").status, 404);
    site.clock.advance(Duration::from_secs(6 * 60));
    for path in ["/listes/exporter", "/listes/exporter/listes.csv"] {
        let answer = browser.get(path);
        assert!(answer.status == 303 && answer.location().starts_with("/confirmer"), "{answer:?}");
    }
}

#[test]
fn changes_are_shown_with_who_made_them_and_can_be_undone() {
    let site = Site::new();
    put(&site, Personal, &["maman@famille.example"]);
    let remove = [(Personal, "maman@famille.example".parse().expect("valid"))];
    site.store.remove_entries(&Actor::Administrator { name: "root".to_owned() }, site.anne, &remove).expect("removed");
    let mut browser = site.signed_in("anne@acme.example");
    let page = browser.get("/listes/journal");
    let words = page.words();
    assert!(
        words.contains("par root") && words.contains("maman@famille.example retiré (Expéditeurs personnels)"),
        "{words}"
    );
    let undo = path(&page.body, "/listes/journal/");
    let answer = browser.post(&undo, &[]);
    let page = browser.follow(answer);
    assert!(page.words().contains("Le changement est annulé") && page.words().contains("annulé"), "{page:?}");
    assert_eq!(shown(&site), ["personal maman@famille.example"]);
    let answer = browser.post(&undo, &[]);
    assert!(browser.follow(answer).words().contains("Des changements plus récents"), "not twice");
    site.clock.advance(DAY * 31);
    let mut browser = site.signed_in("anne@acme.example");
    assert!(!browser.get("/listes/journal").body.contains("/annuler\""), "nothing is offered that is refused");
    let answer = browser.post(&undo, &[]);
    assert!(browser.follow(answer).words().contains("plus de 30 jours"));
    let mut bob = site.signed_in("bob@acme.example");
    assert_eq!(bob.post(&undo, &[]).status, 404, "another user's change");
}

#[test]
fn nobody_sees_or_changes_anothers_entry() {
    let site = Site::new();
    put(&site, Personal, &["maman@famille.example"]);
    let id = entries(&site, site.anne)[0].id;
    let mut bob = site.signed_in("bob@acme.example");
    assert_eq!(bob.get(&format!("/listes/entree/{id}")).status, 404);
    for action in ["retirer", "confirmer"] {
        assert_eq!(bob.post(&format!("/listes/entree/{id}/{action}"), &[]).status, 404);
    }
    assert_eq!(bob.post(&format!("/listes/entree/{id}/note"), &[("note", "x")]).status, 404);
    assert_eq!(bob.post(&format!("/listes/entree/{id}/deplacer"), &[("liste", "bloques")]).status, 404);
    let mut nobody = site.browser();
    for path in ["/listes/personnels", "/listes/journal", "/listes/exporter", "/listes/coller", "/listes/importer"] {
        let answer = nobody.get(path);
        assert!(answer.status == 303 && answer.location().starts_with("/connexion"), "{path}: {answer:?}");
    }
    assert_eq!(shown(&site), ["personal maman@famille.example"]);
}

#[test]
fn a_functional_mailbox_has_no_personal_list() {
    let site = Site::new();
    let contact = NewUser { address: address("contact@acme.example"), aliases: Vec::new(), kind: UserKind::Functional };
    site.store.add_user(&Actor::System, &contact).expect("added");
    let mut browser = site.signed_in("contact@acme.example");
    let home = browser.get("/");
    assert!(!home.words().contains("personnels") && home.words().contains("Bloquer"), "{home:?}");
    assert_eq!(browser.get("/listes/personnels").status, 404);
    let answer = add(&mut browser, "personnels", "a@b.example");
    assert!(answer.status == 422 && answer.words().contains("boîte fonctionnelle"), "{answer:?}");
}

#[test]
fn under_the_lock_a_mailed_session_adds_and_reads_nothing() {
    let site = Site::new();
    put(&site, Personal, &["maman@famille.example"]);
    let own = Permission::Own(site.anne);
    let password = Password::new("cheval agrafe pile", &address("anne@acme.example")).expect("long enough");
    site.store.set_password(site.anne, &own, &password).expect("set");
    site.store.set_lock(site.anne, &own, LockState::On).expect("locked");
    let mut browser = site.signed_in("anne@acme.example");
    for path in ["/", "/listes/personnels", "/listes/journal"] {
        let page = browser.get(path);
        assert!(page.status == 200 && page.words().contains("Verrou personnel fermé"), "{path}: {page:?}");
        assert!(!page.body.contains("famille.example"), "{path}");
        assert!(page.body.contains("/confirmer?retour="), "the way to open it: {page:?}");
    }
    let answer = add(&mut browser, "personnels", "papa@famille.example");
    assert_eq!(answer.location(), "/listes/personnels");
    assert!(browser.follow(answer).words().contains("papa@famille.example est maintenant"));
    for path in ["/listes/exporter/listes.csv", "/listes/exporter/listes.json"] {
        let answer = browser.get(path);
        assert!(answer.status != 200 && !answer.body.contains("famille.example"), "{answer:?}");
    }
    assert!(matches!(site.store.read_entries(site.anne, None, &own), Err(StoreError::UserLocked)));
}
