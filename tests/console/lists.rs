//! The user's lists over HTTP: one field, refusals, offers, one entry, many, files, changes and undo, the personal lock.

use std::collections::BTreeSet;
use std::time::Duration;

use perso_milter::console::intake::MAX_FILE;
use perso_milter::policy::address::Domain;
use perso_milter::policy::list::ListKind::{self, Black, Personal, White};
use perso_milter::policy::list::{EntryValue, MAX_ENTRIES};
use perso_milter::store::{
    Actor, Edit, Entry, LockState, NewUser, Note, Origin, Password, Permission, Readable, StoreError, UserId, UserKind,
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
    // It is asked of what would be added, and of one thing at a time.
    for (typed, words) in [
        ("ma mère", "ni adresse ni domaine"),
        ("", "Le champ est vide"),
        ("gmail.com", "Entrez l’adresse complète"),
        ("a@famille.example, b@famille.example", "une seule adresse ou un seul domaine"),
        ("a@famille.example, gmail.com", "une seule adresse ou un seul domaine"),
    ] {
        let refused = browser.post("/listes/combien", &[("adresse", typed)]);
        assert!(refused.status == 422 && refused.words().contains(words), "{typed}: {refused:?}");
    }
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
    let enforced = "Une règle de votre organisation passe avant cette entrée.";
    assert!(!browser.get(&entry).words().contains(enforced));
    site.enforce(Black, "famille.example");
    assert!(browser.get(&entry).words().contains(enforced));
    site.enforce(White, "famille.example");
    let words = browser.get(&entry).words();
    assert!(!words.contains(enforced) && !words.contains("le blocage l’emporte"), "accepted above all blocks: {words}");
    let blocked = path(&browser.get("/listes/bloques").page(), "/listes/entree/");
    assert!(browser.get(&blocked).words().contains(enforced));
    let mut options = site.store.user(site.anne).expect("there").options;
    options.paused = true;
    site.store.set_user_options(&Actor::User, site.anne, options).expect("paused");
    assert!(browser.get(&entry).words().contains("Le traitement est suspendu"));
    assert!(browser.get("/").words().contains("Le traitement est suspendu"));
}

/// Blocking beats personal however specific either is; so an address below a domain that one blocks oneself is told of it.
#[test]
fn an_entry_below_what_one_blocks_says_so_when_it_is_added_and_on_its_page() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    put(&site, Black, &["famille.example", "*.ecole.example"]);
    for (address, by) in [
        ("maman@famille.example", "famille.example"),
        ("maitre@cm2.ecole.example", "*.ecole.example"),
        ("*.cm1.ecole.example", "*.ecole.example"),
    ] {
        let expected = format!("Vous bloquez {by}");
        let answer = add(&mut browser, "personnels", address);
        let page = browser.follow(answer);
        let words = page.words();
        assert!(
            words.contains(&format!("{address} est maintenant")) && words.contains(&expected),
            "{address}: {words}"
        );
        for entry in entries(&site, site.anne).iter().filter(|entry| entry.list == Personal) {
            assert!(browser.get(&format!("/listes/entree/{}", entry.id)).words().contains("Vous bloquez"), "{address}");
        }
        let undo = path(&page.body, "/listes/journal/");
        browser.post(&undo, &[]);
    }
    // What is accepted more closely is not refused any more, and so is personal.
    put(&site, White, &["maman@famille.example"]);
    let form = [("liste", "personnels"), ("adresse", "maman@famille.example"), ("choix", "seul")];
    let answer = browser.post("/listes/ajouter", &form);
    assert!(!browser.follow(answer).words().contains("Vous bloquez"));
    // Moving an entry there says it too.
    put(&site, White, &["papa@famille.example"]);
    let papa =
        Regex::new(r#"href="(/listes/entree/[^"]*)">Modifier<span class="visually-hidden"> papa@"#).expect("valid");
    let papa = papa.captures(&browser.get("/listes/acceptes").page()).expect("a row")[1].to_owned();
    let answer = browser.post(&format!("{papa}/deplacer"), &[("liste", "personnels")]);
    assert!(browser.follow(answer).words().contains("Vous bloquez famille.example"));
}

#[test]
fn a_personal_entry_says_that_nothing_is_marked() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let unmarked = "Vos messages personnels ne sont pas marqués";
    let answer = add(&mut browser, "personnels", "maman@famille.example");
    assert!(!browser.follow(answer).words().contains(unmarked));
    site.store
        .set_organisation(&Actor::System, site.acme, &[("personal_actions".to_owned(), "none".to_owned())])
        .expect("set");
    let entry = path(&browser.get("/listes/personnels").page(), "/listes/entree/");
    assert!(browser.get(&entry).words().contains(unmarked));
    let answer = add(&mut browser, "personnels", "papa@famille.example");
    assert!(browser.follow(answer).words().contains(unmarked));
    let answer = add(&mut browser, "bloques", "spam@b.example");
    assert!(!browser.follow(answer).words().contains(unmarked));
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
    let found = browser.post("/listes/acceptes", &[("q", "U24")]);
    assert_eq!(rows(&found), 10);
    let nothing = browser.post("/listes/acceptes", &[("q", "<b>")]);
    assert!(nothing.body.contains("«\u{a0}&#60;b&#62;\u{a0}»") && !nothing.body.contains("<b>"), "{nothing:?}");
    // What is searched for stands in no address of a page, where a proxy would log it.
    let second = browser.post("/listes/acceptes", &[("q", "d.example"), ("vue", "-adresse.3")]);
    assert_eq!(rows(&second), 51);
    assert!(second.body.contains("name=\"vue\" value=\"-adresse.2\""), "{second:?}");
    assert!(!second.body.contains("href=\"?"), "{second:?}");
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
    // Who sends something else is checked again.
    let forged = format!("{}personal\tchef@acme.example\t\nnonsense\n", lines_of(&preview));
    let answer = add_lines(&mut browser, "personnels", "texte", &forged);
    assert!(browser.follow(answer).words().contains("2 expéditeurs sont maintenant dans vos listes"));
    assert_eq!(shown(&site), ["personal maman@famille.example (Maman)", "personal papa@famille.example"]);
    let from_field = add(&mut browser, "bloques", "a@spam.example, b@spam.example");
    assert!(from_field.words().contains("2 entrées à ajouter"), "one field takes several: {from_field:?}");
    let empty = browser.post("/listes/coller", &[("liste", "personnels"), ("texte", " \n ")]);
    assert!(empty.status == 422 && empty.words().contains("Le champ est vide"), "{empty:?}");
}

/// What stands on another list is named before it is added, and moved where that is wanted.
#[test]
fn of_many_those_on_another_list_are_named_and_moved() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    put(&site, Black, &["ami@famille.example", "tante@famille.example"]);
    put(&site, White, &["oncle@famille.example"]);
    put(&site, Personal, &["maman@famille.example"]);
    let file =
        "list;value\npersonal;ami@famille.example\nwhite;oncle@famille.example\npersonal;maman@famille.example\n";
    let form = [("liste", "personnels"), ("texte", "ami@famille.example, tante@famille.example, papa@famille.example")];
    for (preview, words) in [
        (browser.post("/listes/coller", &form), "Déplacer les 2 expéditeurs"),
        (send_file(&mut browser, "personnels", file.as_bytes()), "Déplacer l’expéditeur"),
        (add(&mut browser, "personnels", "ami@famille.example, papa@famille.example"), "Déplacer l’expéditeur"),
    ] {
        assert!(preview.words().contains(words), "{preview:?}");
        assert!(preview.words().contains("ami@famille.example Expéditeurs bloqués"), "{preview:?}");
    }
    let lines = lines_of(&browser.post("/listes/coller", &form));
    let parts = [("name=\"liste\"", "personnels"), ("name=\"choix\"", "deplacer"), ("name=\"lignes\"", &lines)];
    let answer = browser.post_parts("/listes/ajouter-plusieurs", &parts.map(|(name, text)| (name, text.as_bytes())));
    let page = browser.follow(answer);
    assert!(page.words().contains("3 expéditeurs sont maintenant dans vos listes"), "{page:?}");
    let now = ["maman", "ami", "tante", "papa"].map(|who| format!("personal {who}@famille.example"));
    let mut expected: Vec<_> = now.into_iter().chain(["white oncle@famille.example".to_owned()]).collect();
    let mut all = shown(&site);
    expected.sort();
    all.sort();
    assert_eq!(all, expected);
    // Without the choice they stand on both.
    add_lines(&mut browser, "bloques", "texte", "black\tpapa@famille.example\t\n");
    assert!(shown(&site).contains(&"personal papa@famille.example".to_owned()));
}

/// A domain that is offered takes the place of its addresses in the preview, and all other lines stay.
#[test]
fn a_domain_taken_from_a_preview_leaves_the_other_lines_there() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let club: String = (1..=6).map(|n| format!("membre{n}@club.example\n")).collect();
    let text = format!("Maman <maman@famille.example>\n{club}papa@famille.example\n");
    let preview = browser.post("/listes/coller", &[("liste", "personnels"), ("texte", &text)]);
    assert!(preview.words().contains("Prendre club.example à la place"), "{preview:?}");
    assert!(preview.body.contains("form=\"apercu\" formaction=\"/listes/apercu\""), "{preview:?}");
    let lines = lines_of(&preview);
    let parts = [("name=\"liste\"", "personnels"), ("name=\"lignes\"", &lines), ("name=\"domaine\"", "club.example")];
    let preview = browser.post_parts("/listes/apercu", &parts.map(|(name, text)| (name, text.as_bytes())));
    assert!(preview.words().contains("3 entrées à ajouter") && !preview.words().contains("à la place"), "{preview:?}");
    assert!(shown(&site).is_empty(), "a preview changes nothing");
    let answer = add_lines(&mut browser, "personnels", "texte", &lines_of(&preview));
    assert_eq!(answer.status, 303);
    let mut all = shown(&site);
    all.sort();
    let expected = ["maman@famille.example (Maman)", "club.example", "papa@famille.example"];
    let mut expected = expected.map(|entry| format!("personal {entry}"));
    expected.sort();
    assert_eq!(all, expected);
}

/// Sends a file as the form does.
fn send_file(browser: &mut Browser, list: &str, bytes: &[u8]) -> Answer {
    let parts = [("name=\"liste\"", list.as_bytes()), ("name=\"fichier\"; filename=\"f.csv\"", bytes)];
    browser.post_parts("/listes/importer", &parts)
}

/// Sends what a preview took.
fn add_lines(browser: &mut Browser, list: &str, source: &str, lines: &str) -> Answer {
    let parts = [("name=\"liste\"", list), ("name=\"source\"", source), ("name=\"lignes\"", lines)];
    browser.post_parts("/listes/ajouter-plusieurs", &parts.map(|(name, text)| (name, text.as_bytes())))
}

/// The lines that a preview would add.
fn lines_of(preview: &Answer) -> String {
    let lines = Regex::new(r#"(?s)name="lignes" value="([^"]*)""#).expect("valid");
    lines.captures(&preview.body).unwrap_or_else(|| panic!("lines in {preview:?}"))[1].to_owned()
}

#[test]
fn a_file_is_imported_after_a_look_and_what_is_no_file_says_so() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let latin = b"Nom;Courriel\r\nH\xe9l\xe8ne;helene@famille.example\r\n;pas d'adresse\r\n";
    let preview = send_file(&mut browser, "personnels", latin);
    assert!(preview.words().contains("Hélène") && preview.words().contains("Une ligne écartée"), "{preview:?}");
    let line = "personal\thelene@famille.example\tHélène\n";
    assert_eq!(add_lines(&mut browser, "personnels", "fichier", line).status, 303);
    let all = entries(&site, site.anne);
    assert_eq!((all[0].origin, all[0].confirmed), (Origin::Import, true), "imported by the user: nothing to confirm");
    for (bytes, words) in [
        (&b""[..], "un fichier vide"),
        (&[0u8, 1, 2, 3, 4, 5, 6, 7, 200, 201, 0, 3][..], "n’est pas un texte"),
        (&vec![b'a'; MAX_FILE + 1][..], "trop volumineux"),
    ] {
        let answer = send_file(&mut browser, "personnels", bytes);
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
        ("listes.csv", "text/csv; charset=utf-8", "white;'+promo@boutique.example"),
        ("listes.json", "application/json", "\"value\":\"maman@famille.example\""),
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
    let answer = bob.post(&undo, &[]);
    assert!(bob.follow(answer).words().contains("Il n’y a rien à annuler"), "another user's change");
}

#[test]
fn nothing_is_said_to_be_done_that_was_so_already() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    put(&site, Personal, &["ami@famille.example"]);
    let answer = add(&mut browser, "personnels", "ami@famille.example");
    let page = browser.follow(answer);
    assert!(page.words().contains("était déjà un expéditeur personnel"), "{page:?}");
    assert!(!page.body.contains("/annuler\""), "there is nothing to take back: {page:?}");
    let entry = path(&page.body, "/listes/entree/");
    let answer = browser.post(&format!("{entry}/note"), &[("note", "")]);
    let page = browser.follow(answer);
    assert!(page.words().contains("est restée la même") && !page.body.contains("/annuler\""), "{page:?}");
    for path in [format!("{entry}/confirmer"), "/listes/confirmer".to_owned()] {
        let answer = browser.post(&path, &[]);
        let page = browser.follow(answer);
        assert!(page.words().contains("confirmation") && !page.body.contains("/annuler\""), "{page:?}");
    }
    let answer = browser.post("/listes/journal/999/annuler", &[]);
    assert!(browser.follow(answer).words().contains("Il n’y a rien à annuler"));
}

/// A session that was opened without a secret learns nothing of what stood there, and puts nothing in the place of a note.
#[test]
fn under_the_lock_it_is_not_told_what_was_there_and_no_note_is_replaced() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let noted = [("liste", "personnels"), ("adresse", "ami@famille.example"), ("note", "de l’école")];
    assert_eq!(browser.post("/listes/ajouter", &noted).status, 303);
    let own = Permission::Own(site.anne);
    let password = Password::new("cheval agrafe pile", &address("anne@acme.example")).expect("long enough");
    site.store.set_password(site.anne, &own, &password).expect("set");
    site.store.set_lock(site.anne, &own, LockState::On).expect("locked");
    let mut browser = site.signed_in("anne@acme.example");
    let mut said = |address: &str| {
        let form = [("liste", "personnels"), ("adresse", address), ("note", "un autre")];
        let answer = browser.post("/listes/ajouter", &form);
        let page = browser.follow(answer);
        assert!(!page.body.contains("/annuler\""), "it could not be taken back: {page:?}");
        page.words().replace(address, "X")
    };
    assert_eq!(said("ami@famille.example"), said("nouveau@famille.example"));
    let records = site.store.journal(site.anne, &own, None, 9);
    assert!(matches!(records, Err(StoreError::UserLocked)));
    let opened = site.store.open_with_password(Some(site.anne), "cheval agrafe pile");
    let key = opened.expect("read").expect("the password");
    let entries = site.store.read_entries(site.anne, None, &Permission::Unlocked(site.anne, key)).expect("read");
    let notes: Vec<_> = entries.iter().map(|entry| entry.note.as_ref().map_or("", |note| note.as_str())).collect();
    assert_eq!(notes, ["de l’école", "un autre"]);
}

#[test]
fn a_refusal_is_said_on_the_page_of_the_list_with_what_was_typed() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let on_list = ("retour", "/listes/personnels");
    let form = [("liste", "personnels"), on_list, ("adresse", "gmail.com"), ("note", "mes amis")];
    let refused = browser.post("/listes/ajouter", &form);
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("<h1>Expéditeurs personnels</h1>"), "{refused:?}");
    assert!(refused.body.contains("value=\"gmail.com\"") && refused.body.contains("value=\"mes amis\""), "{refused:?}");
    let long = "x".repeat(201);
    let form = [("liste", "personnels"), on_list, ("adresse", "a@b.example"), ("note", &long)];
    let refused = browser.post("/listes/ajouter", &form);
    assert!(refused.status == 422 && refused.body.contains("id=\"note-error\""), "{refused:?}");
    assert!(refused.body.contains(&format!("value=\"{long}\"")), "{refused:?}");
    let counted = browser.post("/listes/combien", &[("liste", "personnels"), on_list, ("adresse", "a@b.example")]);
    assert!(counted.body.contains("<h1>Expéditeurs personnels</h1>"), "{counted:?}");
    assert!(counted.words().contains("activez d’abord votre historique"), "{counted:?}");
    // Several addresses with a note keep it.
    let form = [("liste", "personnels"), on_list, ("adresse", "a@b.example, c@b.example"), ("note", "de l’école")];
    let preview = browser.post("/listes/ajouter", &form);
    add_lines(&mut browser, "personnels", "texte", &lines_of(&preview));
    assert_eq!(shown(&site), ["personal a@b.example (de l’école)", "personal c@b.example (de l’école)"]);
}

#[test]
fn a_list_that_would_be_too_full_takes_none_of_the_lines_and_keeps_them() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let many: Vec<String> = (0..9_999).map(|n| format!("u{n}@d.example")).collect();
    put(&site, White, &many.iter().map(String::as_str).collect::<Vec<_>>());
    let lines = "white\ta@b.example\tun\nwhite\tc@b.example\t\n";
    let refused = add_lines(&mut browser, "acceptes", "texte", lines);
    assert_eq!(refused.status, 422);
    assert!(refused.words().contains("dépasserait 10 000 entrées : rien n’a été ajouté"), "{}", refused.words());
    assert_eq!(lines_of(&refused), lines);
    assert_eq!(entries(&site, site.anne).len(), 9_999);
}

/// A whole list with a note beside each entry comes in as one change, which one click takes back.
#[test]
fn a_file_as_large_as_a_list_is_added_in_one_change() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let words = "é".repeat(60);
    let file: String = (0..10_000).map(|n| format!("u{n}@d.example;{words} {n}\n")).collect();
    let file = format!("valeur;note\n{file}");
    let preview = send_file(&mut browser, "personnels", file.as_bytes());
    let said: String = preview.words().chars().take(1_000).collect();
    assert!(said.contains("10 000 entrées à ajouter"), "{said}");
    let answer = add_lines(&mut browser, "personnels", "fichier", &lines_of(&preview));
    let page = browser.follow(answer);
    let undo = path(&page.body, "/listes/journal/");
    assert_eq!(entries(&site, site.anne).len(), 10_000);
    let answer = browser.post(&undo, &[]);
    assert!(browser.follow(answer).words().contains("Le changement est annulé"));
    assert!(entries(&site, site.anne).is_empty());
}

#[test]
fn three_full_lists_go_out_as_one_file_that_comes_in_again() {
    let site = Site::new();
    let words = "voisine à la campagne ".repeat(5);
    let value = |list: ListKind, n| -> EntryValue { format!("u{n}@{list}.example").parse().expect("an entry") };
    for list in ListKind::ALL {
        let note = |n| Note::parse(&format!("{words}{n}")).expect("short").expect("not empty");
        let edits =
            (0..MAX_ENTRIES).flat_map(|n| [Edit::Add(list, value(list, n)), Edit::Name(list, value(list, n), note(n))]);
        let edits: Vec<_> = edits.collect();
        site.store.change_entries(&Actor::User, site.anne, &edits).and_then(|ticket| ticket.wait()).expect("added");
    }
    let file = site.signed_in("anne@acme.example").get("/listes/exporter/listes.json").page();

    let mut bob = site.signed_in("bob@acme.example");
    let preview = send_file(&mut bob, "personnels", file.as_bytes());
    let said: String = preview.words().chars().take(1_000).collect();
    assert!(said.contains("30 000 entrées à ajouter"), "{said}");
    let added = add_lines(&mut bob, "personnels", "fichier", &lines_of(&preview));
    let after = bob.follow(added);
    let kept = |user| -> BTreeSet<(ListKind, String, String)> {
        let one = |entry: Entry| {
            let Readable::Value(value) = entry.value else { panic!("unreadable") };
            (entry.list, value.written(), entry.note.expect("a note").as_str().to_owned())
        };
        entries(&site, user).into_iter().map(one).collect()
    };
    let (annes, bobs) = (kept(site.anne), kept(site.bob));
    assert!(annes.len() == 3 * MAX_ENTRIES && annes == bobs, "{} of {}", bobs.len(), annes.len());
    let undone = bob.post(&path(&after.body, "/listes/journal/"), &[]);
    assert!(bob.follow(undone).words().contains("Le changement est annulé"));
    assert!(entries(&site, site.bob).is_empty());
}

#[test]
fn a_functional_mailbox_takes_no_personal_row_of_a_file() {
    let site = Site::new();
    let contact = NewUser { address: address("contact@acme.example"), aliases: Vec::new(), kind: UserKind::Functional };
    let contact = site.store.add_user(&Actor::System, &contact).expect("added");
    let mut browser = site.signed_in("contact@acme.example");
    let file = b"list;value\npersonal;maman@famille.example\nblack;spam@b.example\n";
    let preview = send_file(&mut browser, "bloques", file);
    assert!(
        preview.words().contains("boîte fonctionnelle") && preview.words().contains("Une ligne écartée"),
        "{preview:?}"
    );
    assert_eq!(add_lines(&mut browser, "bloques", "fichier", &lines_of(&preview)).status, 303);
    assert_eq!(entries(&site, contact).len(), 1);
}

#[test]
fn every_bad_line_of_a_long_file_is_named() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let text: String = (0..250).map(|n| format!("rien{n}\n")).collect();
    let preview = browser.post("/listes/coller", &[("liste", "personnels"), ("texte", &text)]);
    assert!(preview.words().contains("250 lignes écartées"), "{preview:?}");
    assert!(preview.body.contains("250\trien249\t"), "{preview:?}");
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
