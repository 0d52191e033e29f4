//! Journeys through the console in Debian's Chromium (tests/console/browser), on the program as it is run: a configuration
//! file, the command line, `run`, and a mail server that takes what the console sends.
//!
//! `PERSO_JOURNEYS="NAME…"` takes only these. Screenshots are left in tests/output/console.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use perso_milter::console::server::{Bound, Serving};
use perso_milter::store::{Clock, SealAccess, SqliteOptions, SqliteStore};
use serde_json::json;
use tempfile::TempDir;

use crate::harness::{console_options, eventually};
use crate::mailbox::{Letter, Mailbox};

#[path = "browser/prepared.rs"]
mod prepared;
#[path = "browser/templates.rs"]
mod templates;

/// Whose addresses may sign in.
const DOMAIN: &str = "acme.example";
/// How far ahead the console is for which it is later: further than what a sign-in proves holds.
const AHEAD: Duration = Duration::from_secs(6 * 60);
/// Who says from which network a visitor comes.
const PROXIES: &str = "127.0.0.0/8";

#[test]
fn journeys_in_chromium_find_no_fault() {
    let site = Running::start();
    let passed = site.journeys();
    let log = fs::read_to_string(site.log()).expect("our own file");
    assert!(!log.contains("panicked") && !log.contains(" ERROR "), "{log}");
    assert!(passed, "the journeys found faults; they are printed above");
}

/// The program with a console; on the same store, a console for which it is later; and one whose store is away.
struct Running {
    dir: TempDir,
    mailbox: Mailbox,
    port: u16,
    daemon: Option<Child>,
    later_port: u16,
    away_port: u16,
    others: Vec<Serving>,
}

impl Running {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mail = dir.path().join("mail");
        fs::create_dir(&mail).expect("our own directory");
        let mailbox = Mailbox::open_with(move |number, letter| hand_on(&mail, number, letter));
        let (port, later_port, away_port) = (free_port(), free_port(), free_port());
        let mut site = Self { dir, mailbox, port, daemon: None, later_port, away_port, others: Vec::new() };
        fs::create_dir(site.path("store")).expect("our own directory");
        fs::write(site.path("perso-milter.toml"), site.configuration()).expect("our own directory");
        for command in [
            ["org", "add", "acme", "--domain", DOMAIN].as_slice(),
            &["org", "set", "acme", "create_users=on", "dpo=dpo@acme.example"],
        ] {
            let output = site.command(command).output().expect("the program");
            assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        prepared::prepare(&site.store("store", prepared::clock()));
        let log = File::create(site.log()).expect("our own directory");
        let daemon = site.command(&["run"]).stderr(log).stdin(Stdio::null()).spawn().expect("the program");
        site.daemon = Some(daemon);
        eventually("the console", || TcpStream::connect((Ipv4Addr::LOCALHOST, site.port)).ok());
        site.others = vec![site.serve_later(), site.serve_without_store()];
        site
    }

    fn serve_later(&self) -> Serving {
        let clock: Clock = Arc::new(|| Timestamp::now() + AHEAD);
        self.serve(self.later_port, self.store("store", clock.clone()), clock)
    }

    fn serve_without_store(&self) -> Serving {
        fs::create_dir(self.path("away")).expect("our own directory");
        let clock: Clock = Arc::new(Timestamp::now);
        let serving = self.serve(self.away_port, self.store("away", clock.clone()), clock);
        fs::rename(self.path("away/perso-milter.db"), self.path("away/gone.db")).expect("taken away");
        serving
    }

    /// The store of a folder, by a clock.
    fn store(&self, folder: &str, clock: Clock) -> SqliteStore {
        let opened = SqliteOptions { clock, seal: SealAccess::IfReadable, ..SqliteOptions::default() };
        SqliteStore::open(&self.path(folder).join("perso-milter.db"), opened).expect("a store")
    }

    fn serve(&self, port: u16, store: SqliteStore, clock: Clock) -> Serving {
        let mut options = console_options(&self.mailbox);
        options.listen = (Ipv4Addr::LOCALHOST, port).into();
        options.authority = Some(format!("localhost:{port}"));
        options.trusted_proxies = vec![PROXIES.parse().expect("a network")];
        Bound::bind(options, Arc::new(store), clock).expect("bound").serve().expect("serving")
    }

    /// Every visitor counts as one from the network that they say: throttles must not see them as one.
    fn configuration(&self) -> String {
        format!(
            "[store]\nurl = \"sqlite:{}\"\n[authentication]\nmode = \"off\"\n[networks]\nours = []\n[[milter.listener]]\naddress = \"unix:{}\"\n\
             [console]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://localhost:{port}\"\n\
             trusted_proxies = [\"{PROXIES}\"]\nsmtp = \"127.0.0.1:{}\"\nsender = \"cim@{DOMAIN}\"\n",
            self.path("store/perso-milter.db").display(),
            self.path("milter.sock").display(),
            self.mailbox.port(),
            port = self.port,
        )
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn log(&self) -> PathBuf {
        self.path("log")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_perso-milter"));
        command.args(arguments).env("PERSO_MILTER_CONFIG", self.path("perso-milter.toml")).env("LC_ALL", "C.UTF-8");
        command.current_dir(self.dir.path());
        command
    }

    /// Runs the journeys, which print what they find.
    fn journeys(&self) -> bool {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let browser = root.join("tests/console/browser");
        assert!(browser.join("node_modules").is_dir(), "what drives Chromium is not there: tests/run --install");
        let prepared = json!({
            "url": format!("http://localhost:{}", self.port),
            "later": format!("http://localhost:{}", self.later_port),
            "away": format!("http://localhost:{}", self.away_port),
            "ahead": AHEAD.as_secs(),
            "domain": DOMAIN,
            "mail": self.path("mail"),
            "milter": self.path("milter.sock"),
            "program": env!("CARGO_BIN_EXE_perso-milter"),
            "config": self.path("perso-milter.toml"),
            "i18n": root.join("src/console/i18n"),
            "output": root.join("tests/output/console"),
            "pages": templates::pages(),
        });
        fs::write(self.path("site.json"), prepared.to_string()).expect("our own directory");
        let wanted = std::env::var("PERSO_JOURNEYS").unwrap_or_default();
        let mut node = Command::new("node");
        node.arg(browser.join("run.mjs")).arg(self.path("site.json")).args(wanted.split_whitespace());
        node.stdin(Stdio::null()).status().expect("node is not there: tests/run --install").success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.others.drain(..).for_each(Serving::stop);
        if let Some(daemon) = &mut self.daemon {
            let pid = Pid::from_raw(i32::try_from(daemon.id()).expect("a process id"));
            // It may have ended by itself.
            let _ = kill(pid, Signal::SIGTERM);
            let _ = daemon.wait();
        }
    }
}

/// Writes a letter where the journeys look for it: whole, or not there yet.
fn hand_on(mail: &Path, number: usize, letter: &Letter) {
    let text = json!({ "subject": letter.subject, "text": letter.text, "html": letter.html }).to_string();
    let file = mail.join(format!("{}-{number}.json", letter.recipient()));
    let part = mail.join("part");
    fs::write(&part, text).expect("our own directory");
    fs::rename(part, file).expect("our own file");
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it was bound").port()
}
