//! The weekly digest: who gets it, what it says, and how it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use perso_milter::policy::authres::Authentication;
use perso_milter::policy::decide::{Known, Verdict};
use perso_milter::policy::plan::{Delivery, Direction, Effect};
use perso_milter::store::{Activity, Digest, Keeping, LockState, Permission, UserId};

use crate::harness::{Site, address, eventually};
use crate::mailbox::Mailbox;

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

/// A console whose users anne and bob want the digest and had a message, and which hands its mails to this mail server.
fn both_want_it(mailbox: &Mailbox) -> Site {
    let site = Site::with(|options| options.mail.port = mailbox.port());
    for user in [site.anne, site.bob] {
        site.store.keep_activity(user, Keeping::On).expect("on");
        site.store.set_digest(user, Digest::Wanted).expect("wanted");
        note(&site, user, 1);
    }
    site
}

fn came_to(mailbox: &Mailbox, user: &str) -> usize {
    mailbox.all().iter().filter(|letter| letter.recipient() == user).count()
}

const USERS: [&str; 2] = ["anne@acme.example", "bob@acme.example"];

#[test]
fn a_refused_address_keeps_nobody_elses_back() {
    for (refused, other) in [(USERS[0], USERS[1]), (USERS[1], USERS[0])] {
        let tries = Arc::new(AtomicUsize::new(0));
        let counted = tries.clone();
        let mailbox = Mailbox::refusing(move |command| {
            let is_refused = command == format!("RCPT TO:<{refused}>");
            is_refused.then(|| counted.fetch_add(1, Ordering::SeqCst)).map(|_| "550 5.1.1 nobody\r\n")
        });
        let site = both_want_it(&mailbox);
        for week in 1..=2 {
            site.clock.advance(7 * DAY);
            let both = || (came_to(&mailbox, other), tries.load(Ordering::SeqCst)) == (week, week);
            eventually("the other's digest, and one try", || both().then_some(()));
            [site.anne, site.bob].into_iter().for_each(|user| note(&site, user, 1));
        }
        drop(site);
        assert_eq!(tries.load(Ordering::SeqCst), 2, "once a week");
    }
}

#[test]
fn what_is_put_off_comes_later_and_keeps_nobody_elses_back() {
    for (put_off, other) in [(USERS[0], USERS[1]), (USERS[1], USERS[0])] {
        let is_full = Arc::new(AtomicBool::new(true));
        let full = is_full.clone();
        let mailbox = Mailbox::refusing(move |command| {
            let is_put_off = command == format!("RCPT TO:<{put_off}>") && full.load(Ordering::SeqCst);
            is_put_off.then_some("452 4.2.2 full\r\n")
        });
        let site = both_want_it(&mailbox);
        site.clock.advance(4 * DAY);
        eventually("the other's digest", || (came_to(&mailbox, other) == 1).then_some(()));
        is_full.store(false, Ordering::SeqCst);
        eventually("the digest that was put off", || (came_to(&mailbox, put_off) == 1).then_some(()));
        assert_eq!(mailbox.count(), 2, "each once");
    }
}

#[test]
fn a_history_that_cannot_be_read_keeps_nobody_elses_back() {
    let mailbox = Mailbox::open();
    let site = both_want_it(&mailbox);
    let database = rusqlite::Connection::open(site.dir.path().join("perso-milter.db")).expect("opened");
    let altered = "UPDATE users SET private_key = zeroblob(length(private_key)) WHERE id = ?1";
    assert_eq!(database.execute(altered, [site.anne.get()]).expect("altered"), 1);
    site.clock.advance(4 * DAY);
    eventually("bob's digest", || (came_to(&mailbox, "bob@acme.example") == 1).then_some(()));
}
