//! The weekly digest: who gets it, what it says, and how it ends.

use std::time::Duration;

use perso_milter::policy::authres::Authentication;
use perso_milter::policy::decide::{Known, Verdict};
use perso_milter::policy::plan::{Delivery, Direction, Effect};
use perso_milter::store::{Activity, Digest, Keeping, LockState, Permission, UserId};

use crate::harness::{Site, address, eventually};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn note(site: &Site, user: UserId, count: usize) {
    let message = Activity {
        at: site.clock.now(),
        direction: Direction::Inbound,
        envelope: Some(address("m@d.example")),
        header: None,
        senders_cut: false,
        proof: Known { envelope: Authentication::Missing, header: Authentication::Missing },
        verdict: Verdict::UNTOUCHED,
        effect: Effect::of(Delivery::AsAddressed),
    };
    let rows = vec![(user, message); count];
    site.store.append_activity(&mut Default::default(), &rows).expect("noted");
}

#[test]
fn it_is_switched_in_the_settings_and_needs_the_history() {
    let site = Site::new();
    let mut anne = site.signed_in("anne@acme.example");
    assert!(anne.get("/reglages").page().contains("/reglages/resume"));
    let off = anne.get("/reglages/resume").words();
    assert!(off.contains("qui n’est pas activé") && !off.contains("Recevoir le résumé"), "{off}");
    anne.post("/reglages/resume", &[("resume", "oui")]);
    assert_eq!(site.store.digest(site.anne).expect("read"), Digest::Unwanted);
    anne.post("/historique/noter", &[]);
    let answer = anne.post("/reglages/resume", &[("resume", "oui")]);
    let on = anne.follow(answer).words();
    assert!(on.contains("lundi prochain") && on.contains("Ne plus recevoir"), "{on}");
    let answer = anne.post("/reglages/resume", &[("resume", "non")]);
    let off = anne.follow(answer).words();
    assert!(off.contains("Vous ne recevez pas le résumé"), "{off}");
}

#[test]
fn it_counts_a_week_once_and_ends_by_its_link_after_a_click() {
    let site = Site::new();
    for user in [site.anne, site.bob] {
        site.store.keep_activity(user, Keeping::On).expect("on");
        site.store.set_digest(user, Digest::Wanted).expect("wanted");
    }
    note(&site, site.anne, 3);
    // From a Friday past Monday morning.
    site.clock.advance(4 * DAY);
    // Bob had no message: there is nothing to say to him. Anne's comes once.
    let letter = site.mailbox.letter(0);
    assert_eq!((letter.recipient(), letter.subject.as_str()), ("anne@acme.example", "Vos messages de la semaine"));
    assert!(letter.text.contains("- 3 messages en tout") && letter.text.contains("aucun bloqué"), "{}", letter.text);
    assert!(letter.html.contains("<li>3 messages en tout</li>"), "{}", letter.html);
    assert!(!letter.text.contains("d.example") && letter.text.contains("/historique"), "{}", letter.text);

    let link = letter.link("/resume/arreter/");
    let mut browser = site.browser();
    let asks = browser.get(&link);
    assert!(asks.status == 200 && asks.words().contains("Ne plus recevoir"), "{asks:?}");
    assert_eq!(site.store.digest(site.anne).expect("read"), Digest::Wanted, "a link that is opened does nothing");
    let done = browser.post(&link, &[]);
    assert!(done.status == 200 && done.words().contains("C’est fait"), "{done:?}");
    assert_eq!(site.store.digest(site.anne).expect("read"), Digest::Unwanted);
    assert_eq!(site.store.digest(site.bob).expect("read"), Digest::Wanted);
    let forged = format!("/resume/arreter/{}", "A".repeat(32));
    assert_eq!((browser.get(&forged).status, browser.post(&forged, &[]).status), (404, 404));
}

#[test]
fn each_week_has_one_in_the_language_of_the_organisation() {
    let site = Site::new();
    let english = [("language".to_owned(), "en".to_owned())];
    site.store.set_organisation(&perso_milter::store::Actor::System, site.acme, &english).expect("set");
    site.store.keep_activity(site.anne, Keeping::On).expect("on");
    site.store.set_digest(site.anne, Digest::Wanted).expect("wanted");
    for week in 0..3 {
        note(&site, site.anne, week + 1);
        site.clock.advance(7 * DAY);
        let letter = site.mailbox.letter(week);
        assert_eq!(letter.subject, "Your messages of the week");
    }
    assert_eq!(site.mailbox.count(), 3);
}

#[test]
fn under_the_lock_there_is_none_and_the_page_says_so() {
    let site = Site::new();
    for user in [site.anne, site.bob] {
        site.store.keep_activity(user, Keeping::On).expect("on");
        site.store.set_digest(user, Digest::Wanted).expect("wanted");
    }
    let mut anne = site.signed_in("anne@acme.example");
    site.store.make_recovery_code(site.anne, &Permission::Own(site.anne)).expect("a code");
    site.store.set_lock(site.anne, &Permission::Own(site.anne), LockState::On).expect("closed");
    let page = anne.get("/reglages/resume").words();
    assert!(page.contains("aucun résumé n’est envoyé tant qu’il est mis"), "{page}");
    [site.anne, site.bob].into_iter().for_each(|user| note(&site, user, 1));
    let before = site.mailbox.count();
    site.clock.advance(4 * DAY);
    assert_eq!(site.mailbox.letter(before).recipient(), "bob@acme.example");
    eventually("bob's digest", || (site.mailbox.count() == before + 1).then_some(()));
}
