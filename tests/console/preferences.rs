//! How a person's own mail is treated.

use perso_milter::policy::action::{BlackAction, PersonalActions};
use perso_milter::store::Actor;

use crate::harness::Site;

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
    let form = [("marquage", "moi"), ("folder", "on"), ("bloques", "")];
    let answer = browser.post("/reglages", &form);
    assert_eq!(answer.status, 422);
    assert!(answer.words().contains("au moins un marquage"), "{answer:?}");

    let form = [("marquage", "moi"), ("mark", "on"), ("folder", "on"), ("bloques", "discard")];
    let answer = browser.post("/reglages", &form);
    assert!(browser.follow(answer).words().contains("Vos réglages sont enregistrés"));
    let options = site.store.user(site.anne).expect("there").options;
    assert_eq!(options.personal_actions, Some(PersonalActions::MARK));
    assert_eq!(options.black_action, Some(BlackAction::Discard));

    browser.post("/reglages", &[("marquage", "organisation"), ("bloques", "")]);
    let options = site.store.user(site.anne).expect("there").options;
    assert_eq!((options.personal_actions, options.black_action), (None, None));
    assert_eq!(browser.post("/reglages", &[("marquage", "moi"), ("tag", "on"), ("bloques", "burn")]).status, 400);
}
