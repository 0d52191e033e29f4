//! How a person's own mail is treated.

use perso_milter::policy::action::{BlackAction, PersonalActions};
use perso_milter::policy::list::ListKind;
use perso_milter::store::{Actor, AddressedFolder, Permission};

use regex::Regex;

use crate::harness::Site;

/// Has it seen that the mail store files into a folder.
fn prove(site: &Site, folder: &str) {
    let folder = AddressedFolder { delimiter: '+', name: folder.parse().expect("a name") };
    let (code, _) = site.store.begin_probe(&Actor::System, site.acme, &folder).expect("begun");
    site.store.confirm_probe(&Actor::System, &code).expect("confirmed");
}

#[test]
fn a_folder_is_offered_and_taken_only_where_mail_is_known_to_be_filed_there() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let words = browser.get("/reglages").words();
    assert!(!words.contains("rangés dans les indésirables") && !words.contains("dossier à part"), "{words}");
    let form = [("marquage", "moi"), ("mark", "on"), ("bloques", "junk")];
    let refused = browser.post("/reglages", &form);
    assert_eq!(refused.status, 422);
    assert!(refused.words().contains("ne range pas encore dans ce dossier"), "{refused:?}");
    let options = || site.store.user(site.anne).expect("there").options;
    assert_eq!((options().personal_actions, options().black_action), (None, None), "nothing was saved");

    prove(&site, "Junk");
    prove(&site, "Perso");
    let words = browser.get("/reglages").words();
    assert!(words.contains("rangés dans les indésirables") && words.contains("dossier à part"), "{words}");
    let form = [("marquage", "moi"), ("folder", "on"), ("bloques", "junk")];
    assert_eq!(browser.post("/reglages", &form).status, 303);
    assert_eq!(options().personal_actions, Some(PersonalActions::FOLDER));
    assert_eq!(options().black_action, Some(BlackAction::Junk));
}

#[test]
fn what_was_chosen_stays_chosen_beside_an_error() {
    let site = Site::new();
    let mut browser = site.signed_in("anne@acme.example");
    let refused = browser.post("/reglages", &[("marquage", "moi"), ("bloques", "discard")]);
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("value=\"discard\" checked"), "{refused:?}");
    assert!(!browser.get("/reglages").words().contains("retenus par le serveur"), "holding is not for them to choose");
    let mut options = site.store.user(site.anne).expect("there").options;
    options.black_action = Some(BlackAction::Hold);
    site.store.set_user_options(&Actor::System, site.anne, options).expect("set");
    prove(&site, "Junk");
    let page = browser.get("/reglages");
    assert!(page.body.contains("value=\"hold\" checked"), "{page:?}");
    assert_eq!(browser.post("/reglages", &[("marquage", "organisation"), ("bloques", "hold")]).status, 303);
}

#[test]
fn a_person_chooses_within_what_the_organisation_allows() {
    let site = Site::new();
    let settings = [("markings".to_owned(), "tag,mark".to_owned())];
    site.store.set_organisation(&Actor::System, site.acme, &settings).expect("set");
    let mut browser = site.signed_in("anne@acme.example");
    let words = browser.get("/reglages").words();
    assert!(words.contains("Comme mon organisation : étiquette dans l’objet"), "{words}");
    assert!(words.contains("marque signée") && !words.contains("dossier à part"), "{words}");

    // A folder is not for them to choose, whatever the form says.
    let form = [("marquage", "moi"), ("folder", "on"), ("bloques", "organisation")];
    let answer = browser.post("/reglages", &form);
    assert_eq!(answer.status, 422);
    assert!(answer.words().contains("au moins un marquage"), "{answer:?}");

    let form = [("marquage", "moi"), ("mark", "on"), ("folder", "on"), ("bloques", "discard")];
    let answer = browser.post("/reglages", &form);
    assert!(browser.follow(answer).words().contains("Vos réglages sont enregistrés"));
    let options = site.store.user(site.anne).expect("there").options;
    assert_eq!(options.personal_actions, Some(PersonalActions::MARK));
    assert_eq!(options.black_action, Some(BlackAction::Discard));

    browser.post("/reglages", &[("marquage", "organisation"), ("bloques", "organisation")]);
    let options = site.store.user(site.anne).expect("there").options;
    assert_eq!((options.personal_actions, options.black_action), (None, None));
    assert_eq!(browser.post("/reglages", &[("marquage", "moi"), ("tag", "on"), ("bloques", "burn")]).status, 400);
}

/// A page that answers a form stands where nobody goes by a link; the switch leads to the page that the form stands on.
#[test]
fn the_language_is_switched_on_a_page_that_answers_a_form_too() {
    let site = Site::new();
    let entry = (ListKind::Personal, "maman@famille.example".parse().expect("an entry"));
    site.store.add_entries(&Actor::User, site.anne, &[entry]).expect("added");
    let id = site.store.read_entries(site.anne, None, &Permission::Own(site.anne)).expect("read")[0].id;
    let entry = format!("/listes/entree/{id}");
    let note = format!("{entry}/note");
    let long = "x".repeat(201);
    let on_list = ("retour", "/listes/bloques");
    let switch = Regex::new(r#"action="/langue">\s*<input[^>]*><input type="hidden" name="retour" value="([^"]*)""#);
    let switch = switch.expect("valid");
    let mut browser = site.signed_in("anne@acme.example");
    for (path, form, stands_on) in [
        ("/listes/ajouter", &[("liste", "personnels"), ("adresse", "gmail.com")][..], "/"),
        ("/listes/ajouter", &[("liste", "bloques"), on_list, ("adresse", "")], "/listes/bloques"),
        ("/listes/ajouter", &[("liste", "bloques"), ("adresse", "maman@famille.example")], "/"),
        ("/listes/ajouter", &[("liste", "bloques"), ("adresse", "a@b.example, c@b.example")], "/listes/coller"),
        ("/listes/combien", &[("liste", "bloques"), on_list, ("adresse", "rien")], "/listes/bloques"),
        ("/listes/coller", &[("liste", "personnels"), ("texte", " ")], "/listes/coller"),
        (&note, &[("note", &long)], &entry),
        ("/securite/mot-de-passe", &[("mot_de_passe", "court")], "/securite/mot-de-passe"),
        ("/securite/mot-de-passe/generer", &[], "/securite/mot-de-passe"),
    ] {
        let answer = browser.post(path, form);
        assert!(matches!(answer.status, 200 | 422), "{path}: {answer:?}");
        let back = switch.captures(&answer.body).unwrap_or_else(|| panic!("a switch in {answer:?}"))[1].to_owned();
        let answer = browser.post("/langue", &[("langue", "en"), ("retour", &back)]);
        assert_eq!((answer.status, answer.location()), (303, stands_on), "{path}");
        assert!(browser.follow(answer).page().contains("<html lang=\"en\">"), "{path}");
        browser.cookies.remove("__Host-cim-language");
    }
    // A failure's page knows of no form: the first page is as near as it gets.
    let answer = browser.get("/listes/entree/nichts/note");
    assert_eq!((answer.status, answer.location()), (303, "/"), "{answer:?}");
}
