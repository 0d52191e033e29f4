//! The program in a directory of its own: a configuration, a store, and who types.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use perso_milter::policy::address::Address;
use perso_milter::policy::list::ListKind;
use perso_milter::store::{Actor, AddressedFolder, GrantId, SqliteOptions, SqliteStore, Store, UserId};
use tempfile::TempDir;

/// An account that no machine has: who called sudo, in the eyes of root.
pub const SUDO_UID: &str = "60123";

/// The name of whoever types in these tests: the account of the tests, or, where that is root, the one that called sudo.
pub fn typist() -> String {
    let uid = nix::unistd::getuid();
    if uid.is_root() {
        return format!("uid {SUDO_UID}");
    }
    nix::unistd::User::from_uid(uid).ok().flatten().expect("an account").name
}

/// What a command answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout.clone()).expect("UTF-8 on standard output"),
            stderr: String::from_utf8(output.stderr.clone()).expect("UTF-8 on standard error"),
        }
    }

    /// What a command that succeeded printed; it must have had nothing to complain about.
    pub fn done(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:#?}");
        self.stdout
    }

    /// The same as JSON.
    pub fn json(self) -> serde_json::Value {
        let text = self.done();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Why a command failed; it must have printed nothing else.
    pub fn failed(self) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{self:#?}");
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        self.stderr
    }

    /// How the command line was refused.
    pub fn misused(self) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (Some(2), ""), "{self:#?}");
        self.stderr
    }

    /// Everything it said.
    pub fn all(&self) -> String {
        format!("{:?}\n{}\n{}", self.code, self.stdout, self.stderr)
    }
}

/// A directory with a configuration and a store to be.
pub struct Place {
    dir: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().expect("a directory") };
        fs::create_dir(place.store_dir()).expect("our own directory");
        place.configure("");
        place
    }

    /// With the organisation `acme` and its users `anne` and `bob`.
    pub fn acme() -> Self {
        let place = Self::new();
        place.run(&["org", "add", "acme", "--domain", "acme.example"]).done();
        for user in ["anne@acme.example", "bob@acme.example"] {
            place.run(&["user", "add", user]).done();
        }
        place
    }

    /// Writes the configuration: what a test needs, then further lines.
    pub fn configure(&self, more: &str) {
        let text = format!(
            "[store]\nurl = \"sqlite:{}\"\n[authentication]\nmode = \"off\"\n[[milter.listener]]\n\
             address = \"unix:{}\"\nrole = \"edge\"\n{more}",
            self.database().display(),
            self.dir().join("milter.sock").display(),
        );
        self.write("perso-milter.toml", text.as_bytes());
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn config(&self) -> PathBuf {
        self.dir().join("perso-milter.toml")
    }

    /// Where the store's files are, and nothing else.
    pub fn store_dir(&self) -> PathBuf {
        self.dir().join("store")
    }

    pub fn database(&self) -> PathBuf {
        self.store_dir().join("perso-milter.db")
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir().join(name);
        fs::write(&path, bytes).expect("our own directory");
        path
    }

    /// The command with these arguments, on this configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(self.dir());
        command.args(arguments).env("PERSO_MILTER_CONFIG", self.config());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Answer {
        answer(&mut self.command(arguments))
    }

    /// Runs a command that reads standard input.
    pub fn run_on(&self, arguments: &[&str], input: &[u8]) -> Answer {
        answer_on(&mut self.command(arguments), input)
    }

    /// The store as the console opens it.
    pub fn store(&self) -> SqliteStore {
        SqliteStore::open(&self.database(), SqliteOptions::default()).expect("a store")
    }

    /// Proves folders of `acme`, as somebody does who reads the mailbox.
    pub fn prove(&self, folders: &[&str]) {
        let store = self.store();
        let acme = store.organisation("acme").expect("an organisation").id;
        for name in folders {
            let folder = AddressedFolder { delimiter: '+', name: name.parse().expect("a folder") };
            let (code, _) = store.begin_probe(&Actor::System, acme, &folder).expect("begun");
            store.confirm_probe(&Actor::System, &code).expect("confirmed");
        }
    }

    /// The user gives a grant, as if the clock stood at `now`.
    pub fn grant_at(&self, now: Timestamp, user: &str, list: ListKind, time: Duration) -> GrantId {
        let options = SqliteOptions { clock: std::sync::Arc::new(move || now), ..SqliteOptions::default() };
        let store = SqliteStore::open(&self.database(), options).expect("a store");
        store.issue_grant(id(&store, user), &typist(), list, time).expect("a grant")
    }

    /// The user gives a grant for an hour.
    pub fn grant(&self, user: &str, list: ListKind) -> GrantId {
        self.grant_at(Timestamp::now(), user, list, Duration::from_secs(3600))
    }

    /// The database itself, as somebody with the file in hands.
    pub fn raw(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.database()).expect("the database")
    }
}

pub fn id(store: &dyn Store, user: &str) -> UserId {
    store.user_id(&Address::parse(user).expect("an address")).expect("a user")
}

/// How long anything may take before a test says that it did not happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks until it holds.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The program in a directory, with nothing of our own environment but who types.
pub fn program(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perso-milter"));
    command.current_dir(dir).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("SUDO_UID", SUDO_UID);
    command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

pub fn answer(command: &mut Command) -> Answer {
    Answer::of(&command.output().expect("the program"))
}

pub fn answer_on(command: &mut Command, input: &[u8]) -> Answer {
    let mut child = start(command.stdin(Stdio::piped()));
    let mut pipe = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // A thread: the answer may fill its pipe before the input is read.
    let writer = std::thread::spawn(move || drop(pipe.write_all(&input)));
    let output = child.wait_with_output().expect("our own child");
    writer.join().expect("the writer");
    Answer::of(&output)
}

/// Starts a command and leaves it running.
pub fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program")
}

/// Every command that opens the store, with arguments that are sound.
pub const STORE_COMMANDS: [&[&str]; 39] = [
    &["run"],
    &["explain", "--rcpt", "anne@acme.example", "message.eml"],
    &["org", "add", "other", "--domain", "other.example"],
    &["org", "list"],
    &["org", "list", "--json"],
    &["org", "show", "acme"],
    &["org", "show", "acme", "--json"],
    &["org", "set", "acme", "tag=[PERSO]"],
    &["org", "domain", "add", "acme", "more.example"],
    &["org", "protect", "add", "acme", "customer.example"],
    &["org", "group", "add", "acme", "team@acme.example"],
    &["org", "entry", "add", "acme", "enforced", "black", "spam.example"],
    &["org", "remove", "acme"],
    &["user", "add", "carl@acme.example"],
    &["user", "list"],
    &["user", "list", "--json"],
    &["user", "show", "anne@acme.example"],
    &["user", "set", "anne@acme.example", "black_action=discard"],
    &["user", "alias", "add", "anne@acme.example", "a@acme.example"],
    &["user", "disable", "anne@acme.example"],
    &["user", "enable", "anne@acme.example"],
    &["user", "remove", "anne@acme.example"],
    &["user", "import", "users.csv"],
    &["entry", "add", "anne@acme.example", "white", "friend@famille.example"],
    &["entry", "remove", "anne@acme.example", "white", "friend@famille.example"],
    &["entry", "list", "anne@acme.example"],
    &["entry", "list", "anne@acme.example", "personal", "--json"],
    &["entry", "import", "entries.csv"],
    &["entry", "export", "anne@acme.example"],
    &["staff", "list"],
    &["staff", "list", "--json"],
    &["staff", "add", "boss@acme.example", "--manager", "acme"],
    &["staff", "reset", "boss@acme.example"],
    &["staff", "disable", "boss@acme.example"],
    &["staff", "enable", "boss@acme.example"],
    &["staff", "remove", "boss@acme.example"],
    &["probe", "list"],
    &["probe", "list", "--json"],
    &["probe", "forget", "acme"],
];

impl Place {
    /// Writes the files that [`STORE_COMMANDS`] name.
    pub fn with_files(self) -> Self {
        self.write("message.eml", b"From: friend@famille.example\r\nSubject: Dimanche\r\n\r\nBonjour\r\n");
        self.write("users.csv", b"address\ndora@acme.example\n");
        self.write("entries.csv", b"user,list,value\nanne@acme.example,white,friend@famille.example\n");
        self
    }
}
