//! The console behind a real Postfix and Dovecot: its mails are read where people read them.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::Timestamp;
use mail_parser::MessageParser;
use perso_milter::policy::address::Address;
use perso_milter::store::{ActivityStore, Digest, Keeping, Permission, SqliteOptions, SqliteStore, Store};
use regex::Regex;

use crate::mailbox::Mail;
use crate::milter::Settings;
use crate::relay::{Relay, letter};
use crate::scratch::{Port, Signal, poll, wait_until};
use crate::site::TLS_HOST;

/// How long a change may take to govern the next message. The product promises 100 ms; a busy machine gets more, and the
/// test tells what it saw.
const PROMISE: std::time::Duration = std::time::Duration::from_secs(2);

/// Who is added to a list.
const MOTHER: &str = "maman@famille.example";

/// As much of a browser as one person needs: cookies, and forms sent from the console's own pages.
struct Browser {
    agent: ureq::Agent,
    origin: String,
    language: &'static str,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    fn new(origin: String) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
        Self {
            agent: config.max_redirects_will_error(false).build().into(),
            origin,
            language: "fr",
            cookies: BTreeMap::new(),
        }
    }

    fn cookie(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn get(&mut self, path: &str) -> (u16, String) {
        let request = self.agent.get(format!("{}{path}", self.origin)).header("accept-language", self.language);
        let answer = request.header("cookie", self.cookie()).call().expect("an answer");
        self.taken(answer)
    }

    fn post(&mut self, path: &str, form: &[(&str, &str)]) -> (u16, String) {
        let request = self.agent.post(format!("{}{path}", self.origin)).header("accept-language", self.language);
        let request = request.header("cookie", self.cookie()).header("origin", &self.origin);
        let answer = request.send_form(form.iter().copied()).expect("an answer");
        self.taken(answer)
    }

    fn taken(&mut self, mut answer: ureq::http::Response<ureq::Body>) -> (u16, String) {
        for cookie in answer.headers().get_all("set-cookie") {
            let pair = cookie.to_str().expect("ASCII").split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a cookie");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        (answer.status().as_u16(), answer.body_mut().read_to_string().expect("UTF-8"))
    }
}

/// A relay with a console whose mails go through the relay itself, and where the console is found.
fn relay_with_console() -> (Relay, String) {
    let port = Port::reserve();
    let relay = Relay::with(Settings::new()).user("bob");
    relay.daemon.configure(with_console(&relay, port.number()));
    let relay = relay.start();
    (relay, format!("http://{}", port.address()))
}

fn with_console(relay: &Relay, port: u16) -> Settings {
    Settings::new()
        .set("console.listen", format!("127.0.0.1:{port}"))
        .set("console.smtp", format!("127.0.0.1:{}", relay.lane.smtp()))
        .set("console.sender", relay.address("bob").replace("bob@", "cim@"))
}

/// What is written in a mail of the console that says this.
fn mailed(mails: &[Mail], words: &str) -> Option<String> {
    let ours = mails.iter().filter(|mail| mail.message.values("Auto-Submitted").len() == 1);
    let texts = ours.filter_map(|mail| {
        let parsed = MessageParser::default().parse(mail.message.bytes())?;
        let [text, page] = [parsed.body_text(0)?, parsed.body_html(0)?];
        page.contains(words).then(|| text.into_owned())
    });
    texts.into_iter().find(|text| text.contains(words))
}

/// The code of the newest message that the console sent.
fn mailed_code(mails: &[Mail]) -> Option<String> {
    let mail = mails.iter().rev().find(|mail| mail.message.values("Auto-Submitted").len() == 1)?;
    let parsed = MessageParser::default().parse(mail.message.bytes())?;
    let digits = Regex::new(r"\b(\d{3} \d{3})\b").expect("valid");
    let [text, page] = [parsed.body_text(0)?, parsed.body_html(0)?]
        .map(|body| digits.find(&body).map(|code| code.as_str().to_owned()));
    assert_eq!(text, page, "the same code in both forms");
    assert!(parsed.subject().is_some_and(|subject| subject.contains(text.as_deref().unwrap_or("?"))));
    text
}

fn signed_in(relay: &Relay, origin: &str) -> Browser {
    let mut browser = Browser::new(origin.to_owned());
    wait_until("the console", || (browser.get("/connexion").0 == 200).then_some(()));
    assert_eq!(browser.post("/connexion", &[("adresse", &relay.address("bob"))]).0, 303);
    let code = wait_until("the code in the mailbox", || mailed_code(&relay.mailbox("bob")));
    assert_eq!(browser.post("/connexion/code", &[("code", &code)]).0, 303);
    browser
}

#[test]
fn the_code_is_read_in_the_mailbox_and_what_is_added_governs_the_next_message() {
    let (relay, origin) = relay_with_console();
    what_is_added_governs(&relay, &origin);
}

#[test]
fn a_console_of_its_own_beside_the_relay_governs_the_next_message_too() {
    let port = Port::reserve();
    let mut relay = Relay::with(Settings::new()).user("bob");
    relay.daemon.configure(with_console(&relay, port.number()));
    relay.daemon.start_with(&relay.lane.site.scratch, &["--only", "relay"]);
    let console = relay.daemon.beside(&relay.lane.site.scratch, &["--only", "console"]);
    wait_until("the console's port", || port.accepts().then_some(()));
    what_is_added_governs(&relay, &format!("http://{}", port.address()));
    let (of_relay, of_console) = (relay.daemon.log(), console.log());
    assert!(of_relay.contains("listening") && !of_relay.contains("the console listens"), "{of_relay}");
    assert!(!of_console.contains("listening") && of_console.contains("the console listens"), "{of_console}");
    assert!(!of_console.contains(MOTHER), "{of_console}");
}

fn what_is_added_governs(relay: &Relay, origin: &str) {
    let mut browser = signed_in(relay, origin);
    let (status, page) = browser.get("/");
    assert!(status == 200 && page.contains(&relay.address("bob")), "{status} {page}");

    let mut session = relay.smtp();
    let subject = |session: &mut crate::smtp::Smtp| {
        let sent = relay.send_in(session, MOTHER, &["bob"], &letter(MOTHER, "Dimanche"));
        let (_, delivered) = relay.copy(&sent, "bob");
        String::from_utf8_lossy(delivered.subject().unwrap_or_default()).trim().to_owned()
    };
    assert_eq!(subject(&mut session), "Dimanche");
    let (status, page) = browser.post("/listes/ajouter", &[("liste", "personnels"), ("adresse", MOTHER)]);
    assert_eq!(status, 303, "{page}");
    let changed = Instant::now();
    let delay = poll(PROMISE, || {
        let delay = changed.elapsed();
        (subject(&mut session) == "[PERSO] Dimanche").then_some(delay)
    });
    println!("a change in the console governed a message {:?} after its page", delay.expect("in time"));

    // What lies in the file is for nobody else to read.
    let store = SqliteStore::open(&relay.daemon.database(), SqliteOptions::default()).expect("opened");
    drop(store.organisations().expect("read"));
    for file in ["", "-wal"] {
        let path = format!("{}{file}", relay.daemon.database().display());
        let bytes = std::fs::read(path).unwrap_or_default();
        assert!(!crate::message::contains(&bytes, MOTHER.as_bytes()), "{file}");
    }
    assert!(!relay.daemon.log().contains(MOTHER));
}

#[test]
fn sighup_takes_what_the_console_says_of_the_configuration_too() {
    let (relay, origin) = relay_with_console();
    let mut browser = signed_in(&relay, &origin);
    assert!(browser.get("/reglages").1.contains("[PERSO]"));
    let port = origin.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    relay.daemon.configure(with_console(&relay, port).set("personal.tag", "[PRIVE]"));
    relay.daemon.signal(Signal::Hangup);
    wait_until("the page to say the changed tag", || browser.get("/reglages").1.contains("[PRIVE]").then_some(()));
}

#[test]
fn what_happens_to_an_account_is_read_in_the_mailbox() {
    let (relay, origin) = relay_with_console();
    let mut browser = signed_in(&relay, &origin);
    assert_eq!(browser.post("/securite/mot-de-passe", &[("mot_de_passe", "cheval agrafe pile")]).0, 303);
    let told = wait_until("the mail", || mailed(&relay.mailbox("bob"), "Un mot de passe a été choisi"));
    assert!(told.contains(&format!("{origin}/securite")) && !told.contains("cheval"), "{told}");
}

#[test]
fn mails_to_a_mail_server_elsewhere_go_by_starttls_to_one_that_is_trusted() {
    let port = Port::reserve();
    let mut relay = Relay::with(Settings::new()).user("bob");
    let elsewhere = format!("[{TLS_HOST}]:{}", relay.lane.smtp());
    relay.daemon.configure(with_console(&relay, port.number()).set("console.smtp", elsewhere));
    relay.run();
    let mut browser = Browser::new(format!("http://{}", port.address()));
    wait_until("the console", || (browser.get("/connexion").0 == 200).then_some(()));
    assert_eq!(browser.post("/connexion", &[("adresse", &relay.address("bob"))]).0, 303);
    relay.daemon.wait_logged(1, "is its certificate trusted by this machine?");

    relay.crash();
    let certificate = relay.lane.site.certificate.clone();
    relay.daemon.trust(&certificate);
    relay.run();
    signed_in(&relay, &format!("http://{}", port.address()));
    let mails = relay.mailbox("bob");
    let received = mails.iter().flat_map(|mail| mail.message.values("Received")).map(String::from_utf8_lossy);
    assert!(received.into_iter().any(|line| line.contains("with ESMTPS")), "no TLS");
}

#[test]
fn who_chose_english_reads_their_mails_in_english() {
    let (relay, origin) = relay_with_console();
    let mut browser = Browser { language: "en", ..Browser::new(origin) };
    wait_until("the console", || (browser.get("/connexion").0 == 200).then_some(()));
    assert_eq!(browser.post("/connexion", &[("adresse", &relay.address("bob"))]).0, 303);
    let told = wait_until("the code", || mailed(&relay.mailbox("bob"), "Enter this code on the page"));
    assert!(!told.contains("Entrez ce code"), "{told}");
    let code = mailed_code(&relay.mailbox("bob")).expect("it came");
    assert_eq!(browser.post("/connexion/code", &[("code", &code)]).0, 303);
    assert_eq!(browser.post("/langue", &[("langue", "en"), ("retour", "/")]).0, 303);
    assert_eq!(browser.post("/securite/mot-de-passe", &[("mot_de_passe", "cheval agrafe pile")]).0, 303);
    wait_until("the alert", || mailed(&relay.mailbox("bob"), "A password was"));
}

/// The digest of somebody who has been asking for it for long: it is due when the daemon starts.
#[test]
fn the_weekly_digest_is_read_in_the_mailbox() {
    let (mut relay, origin) = relay_with_console();
    let store = SqliteStore::open(&relay.daemon.database(), SqliteOptions::default()).expect("opened");
    let address = Address::parse(&relay.address("bob")).expect("an address");
    let bob = store.user_id(&address).expect("added");
    store.keep_activity(bob, Keeping::On).expect("on");
    // The message comes when the history is surely kept.
    relay.crash();
    relay.run();
    let sent = relay.send("maman@famille.example", &["bob"], &letter("maman@famille.example", "Dimanche"));
    relay.copy(&sent, "bob");
    wait_until("the row", || {
        let history = store.activity(bob, &Permission::Own(bob)).expect("read");
        (history.rows.len() == 1).then_some(())
    });
    store.set_digest(bob, Digest::Wanted).expect("wanted");
    let long_ago = Timestamp::from_second(1_700_000_000).expect("a time");
    store.put_digests_back(&[bob], long_ago).expect("due");
    relay.crash();
    relay.run();

    let digest = wait_until("the digest", || {
        let mails = relay.mailbox("bob");
        let digest = mails.iter().find(|mail| mail.message.values("Auto-Submitted").len() == 1)?;
        Some(digest.message.bytes().to_vec())
    });
    let parsed = MessageParser::default().parse(&*digest).expect("a message");
    assert_eq!(parsed.subject(), Some("Vos messages de la semaine"));
    let text = parsed.body_text(0).expect("a text");
    assert!(text.contains("un message en tout") && !text.contains("maman"), "{text}");
    let link = Regex::new(r"https?://[^/\s]+(/resume/arreter/\S+)").expect("valid");
    let path = link.captures(&text).expect("a link")[1].to_owned();
    let mut browser = Browser::new(origin);
    assert_eq!(browser.get(&path).0, 200);
    assert_eq!(store.digest(bob).expect("read"), Digest::Wanted, "a link that is opened does nothing");
    assert_eq!(browser.post(&path, &[]).0, 200);
    assert_eq!(store.digest(bob).expect("read"), Digest::Unwanted);
}
