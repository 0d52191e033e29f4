//! A console, and browsers that use it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use perso_milter::cache::{Cache, Follower};
use perso_milter::config::Config;
use perso_milter::console::mail::Hop;
use perso_milter::console::server::{Bound, Serving};
use perso_milter::console::{MailOptions, Options};
use perso_milter::directory::{Defaults, RelayDirectory, SharedDefaults};
use perso_milter::language::Language;
use perso_milter::metrics::Troubles;
use perso_milter::policy::address::{Address, Domain};
use perso_milter::policy::list::ListKind;
use perso_milter::pulse::Pulse;
use perso_milter::store::{
    Actor, Clock, Level, NewUser, OrganisationId, OwnEntry, SealAccess, SqliteOptions, SqliteStore, Store, UserId,
    UserKind,
};
use regex::Regex;

use crate::mailbox::{Letter, Mailbox};

/// How long anything may take before a test says that it did not come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks until there is an answer.
pub fn eventually<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ready() {
            return answer;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A clock that stands until a test moves it.
#[derive(Clone)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_800_000_000)))
    }

    pub fn advance(&self, time: Duration) {
        self.0.fetch_add(time.as_secs() as i64, Ordering::SeqCst);
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).expect("a time")
    }

    fn clock(&self) -> Clock {
        let this = self.clone();
        Arc::new(move || this.now())
    }
}

/// How a console is run on a free port, without a proxy.
pub fn console_options(mailbox: &Mailbox) -> Options {
    let sender = "cim@acme.example";
    let mut config = Config::default();
    config.console.sender = Some(sender.parse().expect("an address"));
    Options {
        listen: "127.0.0.1:0".parse().expect("an address"),
        scheme: "http",
        authority: None,
        tls: None,
        trusted_proxies: Vec::new(),
        language: Language::French,
        mail: MailOptions {
            host: "127.0.0.1".to_owned(),
            port: mailbox.port(),
            hop: Hop::Local,
            sender: address(sender),
        },
        defaults: SharedDefaults::new(Defaults::from(&config)),
        upkeep: Duration::from_millis(20),
    }
}

/// A console with the organisation `acme` (acme.example) and its users `anne` and `bob`.
pub struct Site {
    pub clock: TestClock,
    pub mailbox: Mailbox,
    pub store: Arc<dyn Store>,
    pub acme: OrganisationId,
    pub anne: UserId,
    pub bob: UserId,
    pub dir: tempfile::TempDir,
    origin: String,
    serving: Option<Serving>,
}

impl Site {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// With what organisations go by changed.
    pub fn with_defaults(change: impl FnOnce(&mut Defaults)) -> Self {
        Self::with(|options| {
            let mut defaults = Defaults::clone(&options.defaults.now());
            change(&mut defaults);
            options.defaults.set(defaults);
        })
    }

    /// With options changed.
    pub fn with(change: impl FnOnce(&mut Options)) -> Self {
        Self::prepared(|_, _| {}, change)
    }

    /// With a store that somebody had in hands before the console starts, and options changed.
    pub fn prepared(prepare: impl FnOnce(&dyn Store, &Path), change: impl FnOnce(&mut Options)) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = TestClock::new();
        let options = SqliteOptions { clock: clock.clock(), seal: SealAccess::IfReadable, ..SqliteOptions::default() };
        let path = dir.path().join("perso-milter.db");
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path, options).expect("a store"));
        let domain = Domain::parse("acme.example").expect("a domain");
        let acme = store.add_organisation(&Actor::System, "acme", &[domain]).expect("added");
        prepare(&*store, &path);
        let mailbox = Mailbox::open();
        let mut options = console_options(&mailbox);
        change(&mut options);
        let bound = Bound::bind(options, store.clone(), clock.clock()).expect("bound");
        let origin = bound.origin().to_owned();
        let serving = Some(bound.serve().expect("serving"));
        let [anne, bob] = ["anne@acme.example", "bob@acme.example"].map(|user| add_user(&*store, user));
        Self { clock, mailbox, store, acme, anne, bob, dir, origin, serving }
    }

    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// An entry of the organisation's own, before all users' lists.
    pub fn enforce(&self, list: ListKind, entry: &str) {
        let entry = OwnEntry { level: Level::Enforced, list, value: entry.parse().expect("an entry") };
        let acme = self.store.organisation("acme").expect("there").id;
        self.store.add_own_entry(&Actor::System, acme, &entry).expect("added");
    }

    /// A relay on the same store, which tells of itself when it is asked to.
    pub fn relay(&self) -> Relay {
        let cache = Arc::new(Cache::new(self.store.address_hasher()));
        let defaults = Defaults::from(&Config::default());
        let clock = self.clock.clock();
        let key = &self.store.keys().match_key;
        let directory = Arc::new(RelayDirectory::new(cache.clone(), key, defaults, clock.clone()));
        let follower = Follower::start(&*self.store, cache.clone(), directory.clone()).expect("loaded");
        let troubles = Arc::new(Troubles::default());
        let (watch, identity) = (follower.watch(), ("relay.example".to_owned(), clock));
        let store = self.store.clone();
        let pulse = Pulse::new(store, directory.clone(), cache, watch, troubles.clone(), identity).expect("a relay");
        Relay { directory, follower, troubles, pulse }
    }

    /// A browser that has never been here.
    pub fn browser(&self) -> Browser {
        Browser::new(&self.origin)
    }

    /// A browser in which this address has signed in by the mailed code.
    pub fn signed_in(&self, user: &str) -> Browser {
        let mut browser = self.browser();
        let code = self.asks_for_code(&mut browser, user);
        let answer = browser.post("/connexion/code", &[("code", &code), ("retour", "/")]);
        assert_eq!((answer.status, answer.location()), (303, "/"), "{answer:?}");
        browser
    }

    /// The code that a browser was mailed.
    pub fn asks_for_code(&self, browser: &mut Browser, user: &str) -> String {
        let letter = self.asks_for_letter(browser, user);
        letter.code()
    }

    /// The letter that a browser was mailed.
    pub fn asks_for_letter(&self, browser: &mut Browser, user: &str) -> Letter {
        let before = self.mailbox.count();
        browser.get("/connexion");
        let answer = browser.post("/connexion", &[("adresse", user)]);
        assert_eq!(answer.status, 303, "{answer:?}");
        self.mailbox.letter_where(before, "with a code", |letter| letter.has_code() && letter.recipient() == user)
    }
}

/// A relay without listeners.
pub struct Relay {
    pub directory: Arc<RelayDirectory>,
    pub follower: Follower,
    pub troubles: Arc<Troubles>,
    pub pulse: Pulse,
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.stop();
        }
    }
}

pub fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

/// Adds a user.
pub fn add_user(store: &dyn Store, user: &str) -> UserId {
    let new = NewUser { address: address(user), aliases: Vec::new(), kind: UserKind::Person };
    store.add_user(&Actor::System, &new).expect("added")
}

/// A browser: cookies, and the headers that browsers send. It follows no redirect by itself.
pub struct Browser {
    agent: ureq::Agent,
    origin: String,
    pub cookies: BTreeMap<String, String>,
    pub language: &'static str,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:#?}\n{}", self.status, self.headers, self.body)
    }
}

impl Answer {
    /// The value of a header; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Where it leads.
    pub fn location(&self) -> &str {
        self.header("location")
    }

    /// The page, which must be one.
    #[track_caller]
    pub fn page(self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        self.body
    }

    /// The words of the page without its markup, blanks run together.
    pub fn words(&self) -> String {
        let tags = Regex::new(r"(?s)<[^>]*>").expect("valid");
        let blanks = Regex::new(r"\s+").expect("valid");
        let text =
            tags.replace_all(&self.body, " ").replace("&#39;", "'").replace("&amp;", "&").replace("&quot;", "\"");
        blanks.replace_all(&text, " ").trim().to_owned()
    }
}

impl Browser {
    pub fn new(origin: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(PATIENCE));
        Self {
            agent: config.build().into(),
            origin: origin.to_owned(),
            cookies: BTreeMap::new(),
            language: "fr-FR,fr;q=0.9",
        }
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    /// With further headers.
    pub fn get_with(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.agent.get(format!("{}{path}", self.origin)).header("accept-language", self.language);
        if !self.cookies.is_empty() {
            request = request.header("cookie", self.cookie_header());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.call().expect("an answer");
        self.taken(answer)
    }

    /// A form of the console's own pages.
    pub fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let origin = self.origin.clone();
        self.post_with(path, form, &[("origin", &origin), ("sec-fetch-site", "same-origin")])
    }

    /// A form of the console's own pages that holds files, or more than others do.
    pub fn post_parts(&mut self, path: &str, parts: &[(&str, &[u8])]) -> Answer {
        let part = |(head, body): &(&str, &[u8])| {
            [b"--x\r\ncontent-disposition: form-data; ", head.as_bytes(), b"\r\n\r\n", body, b"\r\n"].concat()
        };
        let body = [parts.iter().map(part).collect::<Vec<_>>().concat(), b"--x--\r\n".to_vec()].concat();
        let origin = self.origin.clone();
        let headers = [
            ("content-type", "multipart/form-data; boundary=x"),
            ("origin", origin.as_str()),
            ("sec-fetch-site", "same-origin"),
        ];
        self.send(path, &body, &headers)
    }

    /// With these headers and no others that say where it comes from.
    pub fn post_with(&mut self, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let headers: Vec<_> =
            headers.iter().copied().chain([("content-type", "application/x-www-form-urlencoded")]).collect();
        self.send(path, body.as_bytes(), &headers)
    }

    /// Any body.
    pub fn send(&mut self, path: &str, body: &[u8], headers: &[(&str, &str)]) -> Answer {
        let mut request = self.agent.post(format!("{}{path}", self.origin)).header("accept-language", self.language);
        if !self.cookies.is_empty() {
            request = request.header("cookie", self.cookie_header());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send(body).expect("an answer");
        self.taken(answer)
    }

    /// Follows a redirect, and those after it.
    pub fn follow(&mut self, answer: Answer) -> Answer {
        let mut answer = answer;
        for _ in 0..5 {
            if !(300..400).contains(&answer.status) {
                return answer;
            }
            let path = answer.location().to_owned();
            assert!(path.starts_with('/'), "a path of the console: {path}");
            answer = self.get(&path);
        }
        panic!("redirected without end: {answer:?}");
    }

    fn cookie_header(&self) -> String {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    fn taken(&mut self, mut answer: ureq::http::Response<ureq::Body>) -> Answer {
        for value in answer.headers().get_all("set-cookie") {
            let cookie = value.to_str().expect("ASCII");
            for needed in ["Secure", "HttpOnly", "SameSite", "Path=/"] {
                assert!(cookie.contains(needed), "{needed}: {cookie}");
            }
            let (name, value) = cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            assert!(name.starts_with("__Host-"), "{cookie}");
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let headers = answer.headers();
        let headers = headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        Answer {
            status: answer.status().as_u16(),
            headers: headers.collect(),
            body: answer.body_mut().with_config().limit(64 << 20).read_to_string().expect("UTF-8"),
        }
    }
}
