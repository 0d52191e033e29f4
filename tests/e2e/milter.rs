//! The daemon under test, run as a postmaster runs it: a configuration file, `org`, `user` and `entry` commands, `run`.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::Duration;

use perso_milter::milter::client::{Client, ClientOptions};
use perso_milter::store::{Actor, AddressedFolder, SqliteOptions, SqliteStore, Store};
use toml::{Table, Value};

use crate::scratch::{self, Scratch, Server, Signal, wait_until};

/// A configuration file. Starts from what a test on one machine needs: mail from 127.0.0.1 counts as inbound, and
/// senders are believed without proof.
#[derive(Clone)]
pub struct Settings(Table);

impl Settings {
    pub fn new() -> Self {
        Self(Table::new()).set("networks.ours", Vec::<String>::new()).set("authentication.mode", "off")
    }

    /// Sets a `section.key`.
    pub fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        let (section, key) = name.split_once('.').expect("section.key");
        let section = self.0.entry(section).or_insert_with(|| Value::Table(Table::new()));
        section.as_table_mut().expect("sections are tables").insert(key.to_owned(), value.into());
        self
    }

    /// The folders for personal and for blocked messages.
    pub fn folders(&self) -> [String; 2] {
        let set = |section: &str, key: &str| self.0.get(section)?.get(key)?.as_str().map(str::to_owned);
        let folder = set("personal", "folder").unwrap_or_else(|| "Perso".to_owned());
        [folder, set("black", "junk_folder").unwrap_or_else(|| "Junk".to_owned())]
    }

    /// Adds a listener, with further keys of its own.
    pub fn listener(mut self, address: &str, keys: &[(&str, &str)]) -> Self {
        let mut listener = Table::from_iter([("address".to_owned(), Value::from(address))]);
        listener.extend(keys.iter().map(|&(key, value)| (key.to_owned(), Value::from(value))));
        let milter = self.0.entry("milter").or_insert_with(|| Value::Table(Table::new()));
        let milter = milter.as_table_mut().expect("sections are tables");
        let listeners = milter.entry("listener").or_insert_with(|| Value::Array(Vec::new()));
        listeners.as_array_mut().expect("listeners are a list").push(Value::Table(listener));
        self
    }
}

/// Where the daemon listens.
pub enum Socket {
    /// A loopback port, in a role.
    Inet { port: u16, role: &'static str },
    /// A unix socket, mode 0660, in the group postfix, in the role `edge`.
    Unix(PathBuf),
}

impl Socket {
    fn add_to(&self, settings: Settings) -> Settings {
        match self {
            Self::Inet { port, role } => settings.listener(&format!("inet:{port}@127.0.0.1"), &[("role", role)]),
            Self::Unix(path) => settings.listener(
                &format!("unix:{}", path.display()),
                &[("role", "edge"), ("mode", "0660"), ("group", "postfix")],
            ),
        }
    }

    /// Whether the daemon serves there: it accepts once its lists are loaded, and negotiates.
    fn serves(&self) -> bool {
        let address = match self {
            Self::Inet { port, .. } => format!("inet:{port}@127.0.0.1"),
            Self::Unix(path) => format!("unix:{}", path.display()),
        };
        let address = address.parse().expect("an address");
        Client::connect(&address, &ClientOptions::default()).is_ok_and(|client| client.quit().is_ok())
    }

    /// Whether connections can be made there: they queue from before the lists are loaded.
    fn accepts(&self) -> bool {
        match self {
            Self::Inet { port, .. } => TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok(),
            Self::Unix(path) => UnixStream::connect(path).is_ok(),
        }
    }
}

/// The account the daemon runs as.
#[derive(Clone, Copy)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
}

/// Another process beside a daemon. It ends when this is dropped.
pub struct Beside {
    _server: Server,
    log: PathBuf,
}

impl Beside {
    /// What it has logged so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

pub struct Daemon {
    program: PathBuf,
    directory: PathBuf,
    socket: Socket,
    account: Option<Account>,
    trusted: Option<PathBuf>,
    server: Option<Server>,
}

impl Daemon {
    /// Writes the configuration into a directory of the daemon's own; nothing runs yet.
    pub fn new(directory: PathBuf, settings: Settings, socket: Socket) -> Self {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_perso-milter"));
        let daemon = Self { program, directory, socket, account: None, trusted: None, server: None };
        daemon.configure(settings);
        daemon
    }

    /// Runs everything under an account without rights, from a copy of the program that it can reach.
    pub fn run_as(mut self, account: Account) -> Self {
        let copy = self.directory.join("perso-milter");
        fs::copy(&self.program, &copy).expect("the built program");
        self.program = copy;
        self.account = Some(account);
        scratch::run(
            Command::new("chown").arg("-R").arg(format!("{}:{}", account.uid, account.gid)).arg(&self.directory),
        );
        self
    }

    /// Trusts these certificates in place of the machine's, from its next start on.
    pub fn trust(&mut self, certificates: &Path) {
        self.trusted = Some(certificates.to_owned());
    }

    /// Replaces the configuration file; the listener and the store stay. A running daemon reads it at [`Self::reload`].
    pub fn configure(&self, settings: Settings) {
        let url = format!("sqlite:{}", self.database().display());
        let settings = self.socket.add_to(settings.set("store.url", url));
        self.configure_raw(&toml::to_string(&settings.0).expect("a table is TOML"));
    }

    /// Replaces the configuration file by any text.
    pub fn configure_raw(&self, text: &str) {
        fs::write(self.file(), text).expect("our own directory");
    }

    pub fn database(&self) -> PathBuf {
        self.directory.join("perso-milter.db")
    }

    /// A file beside the store.
    pub fn beside_store(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Runs a command of the command line to its end, `-c FILE` added, and returns its output.
    pub fn command(&self, arguments: &[&str]) -> String {
        scratch::run(self.program().args(arguments).arg("-c").arg(self.file()))
    }

    /// The same for a command that may fail: whether it did not, and its output.
    pub fn try_command(&self, arguments: &[&str]) -> (bool, String) {
        let output = self.program().args(arguments).arg("-c").arg(self.file()).output().expect("the built program");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs a command that must fail, and returns what it says.
    pub fn refused(&self, arguments: &[&str]) -> String {
        let mut command = self.program();
        let output = command.args(arguments).arg("-c").arg(self.file()).output().expect("the program");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        stderr
    }

    /// Proves folders of an organisation without asking the mail store; tests/e2e/probe.rs asks it.
    pub fn prove(&self, organisation: &str, folders: &[String]) {
        let store = SqliteStore::open(&self.database(), SqliteOptions::default()).expect("the store");
        let id = store.organisation(organisation).expect("it was added").id;
        for name in folders {
            let folder = AddressedFolder { delimiter: '+', name: name.parse().expect("a folder") };
            let (code, _) = store.begin_probe(&Actor::System, id, &folder).expect("begun");
            store.confirm_probe(&Actor::System, &code).expect("confirmed");
        }
    }

    /// Starts the daemon and waits until it serves.
    pub fn start(&mut self, scratch: &Scratch) {
        self.start_with(scratch, &[]);
    }

    /// Starts the daemon with further arguments to `run`.
    pub fn start_with(&mut self, scratch: &Scratch, arguments: &[&str]) {
        self.start_logging(scratch, arguments, &self.log_file());
    }

    /// Starts the daemon where no line of its log can be written.
    pub fn start_without_log(&mut self, scratch: &Scratch) {
        self.start_logging(scratch, &[], Path::new("/dev/full"));
    }

    fn start_logging(&mut self, scratch: &Scratch, arguments: &[&str], log: &Path) {
        let mut server = scratch.spawn(self.run_command().args(arguments), log);
        wait_until("perso-milter to serve", || {
            assert!(server.is_running(), "perso-milter ended at its start\n{}", self.tail());
            self.socket.serves().then_some(())
        });
        self.server = Some(server);
    }

    /// Starts another process beside the daemon, on the same configuration and store.
    pub fn beside(&self, scratch: &Scratch, arguments: &[&str]) -> Beside {
        let log = self.directory.join("beside.log");
        let server = scratch.spawn(self.run_command().args(arguments), &log);
        Beside { _server: server, log }
    }

    /// The command that starts the daemon.
    pub fn run_command(&self) -> Command {
        let mut command = self.program();
        command.arg("run").arg("-c").arg(self.file());
        command
    }

    pub fn signal(&self, signal: Signal) {
        self.server.as_ref().expect("the daemon was started").signal(signal);
    }

    /// Waits until the daemon takes no new connections.
    pub fn wait_closed(&self) {
        wait_until("perso-milter to stop listening", || (!self.socket.accepts()).then_some(()));
    }

    /// Waits for the daemon's end.
    pub fn wait(&mut self) -> ExitStatus {
        let server = self.server.as_mut().expect("the daemon was started");
        let status = server.wait(Duration::from_secs(40));
        self.server = None;
        status.unwrap_or_else(|| panic!("perso-milter does not end\n{}", self.tail()))
    }

    pub fn is_running(&mut self) -> bool {
        self.server.as_mut().is_some_and(Server::is_running)
    }

    /// Bytes of the running daemon in memory.
    pub fn resident(&self) -> usize {
        self.server.as_ref().expect("the daemon was started").resident()
    }

    /// What the daemon has logged so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_file()).unwrap_or_default()).into_owned()
    }

    /// What the daemon has logged, once `count` lines of it hold `text`: a thread of its own writes them, a moment later.
    ///
    /// # Panics
    /// When they never come.
    pub fn wait_logged(&self, count: usize, text: &str) -> String {
        let holds = |log: &String| log.lines().filter(|line| line.contains(text)).count() >= count;
        let found = scratch::poll(scratch::PATIENCE, || Some(self.log()).filter(holds));
        found.unwrap_or_else(|| panic!("no {count} lines with {text:?}\n{}", self.tail()))
    }

    fn tail(&self) -> String {
        scratch::tail(&self.log_file())
    }

    fn file(&self) -> PathBuf {
        self.directory.join("perso-milter.toml")
    }

    fn log_file(&self) -> PathBuf {
        self.directory.join("log")
    }

    fn program(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.directory).env_remove("PERSO_MILTER_CONFIG");
        if let Some(trusted) = &self.trusted {
            command.env("SSL_CERT_FILE", trusted).env_remove("SSL_CERT_DIR");
        }
        if let Some(Account { uid, gid }) = self.account {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.tail());
        }
    }
}

/// The numbers of a user and a group of this machine.
pub fn account(user: &str, group: &str) -> Account {
    let uid = scratch::run(Command::new("id").args(["-u", user]));
    let groups = scratch::run(Command::new("getent").args(["group", group]));
    let gid = groups.split(':').nth(2).and_then(|gid| gid.trim().parse().ok());
    Account { uid: uid.trim().parse().expect("a number"), gid: gid.expect("a number") }
}

/// The permission bits of a file, and its group.
pub fn mode_and_group(path: &Path) -> (u32, u32) {
    let facts = fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (facts.mode() & 0o7777, facts.gid())
}
