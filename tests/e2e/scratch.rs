//! Scratch directories, loopback ports and child processes, each gone when its owner is, even if the tests are
//! interrupted.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

/// How long anything may take to become ready before the test says that it did not. Longer than the minute for which the
/// queue manager sets a message aside that a delivery agent had not let go of yet when it was to be tried again ("skipped,
/// still being delivered").
pub const PATIENCE: Duration = Duration::from_secs(100);

const POLL: Duration = Duration::from_millis(10);

/// A file system in memory, on every Linux.
const MEMORY: &str = "/dev/shm";

/// Asks `ready` until it answers, for at most [`PATIENCE`].
///
/// # Panics
/// With `what` when it never did.
pub fn wait_until<T>(what: &str, ready: impl FnMut() -> Option<T>) -> T {
    poll(PATIENCE, ready).unwrap_or_else(|| panic!("waited {PATIENCE:?} in vain for {what}"))
}

/// Asks `ready` until it answers or `patience` is over; asked at least once.
pub fn poll<T>(patience: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + patience;
    loop {
        if let Some(answer) = ready() {
            return Some(answer);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(POLL);
    }
}

/// Writes a line to standard error past the harness, which keeps the output of a passing test back: for figures.
pub fn show(line: &str) {
    // Nobody may be there to read it.
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Locks a mutex that a failed test may have poisoned: one failure must not spread to the others.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a command to its end and returns what it printed on standard output.
///
/// # Panics
/// With the command and everything it printed when it could not start or did not succeed.
pub fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{stdout}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}

/// A directory of our own, directly under /tmp (socket paths must stay short) where nothing else is asked for, which the
/// accounts of Postfix and Dovecot can enter.
///
/// Dropping it removes it. A test process that ends without dropping (a static, Ctrl-C, a crash) is covered by the
/// guard, a shell that reads the ids of the running servers from a pipe and, once the pipe closes, stops those that
/// still run and removes the directory.
pub struct Scratch {
    path: PathBuf,
    guard: Child,
    register: Register,
}

/// Where the guard learns of servers, `+ PID` and `- PID` lines, and of directories elsewhere, `= PATH`.
type Register = Arc<Mutex<Option<ChildStdin>>>;

const GUARD: &str = r#"
servers=' '
elsewhere=
while read -r sign pid; do
    case $sign in
        +) servers="$servers$pid " ;;
        -) servers="${servers%% $pid *} ${servers#* $pid }" ;;
        =) elsewhere="$elsewhere $pid" ;;
    esac
done
running() { for pid in $servers; do kill -0 "$pid" && return; done; return 1; }
for pid in $servers; do kill -TERM "$pid"; done
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    running || break
    sleep 0.1
done
for pid in $servers; do kill -KILL -- "-$pid"; done
[ -n "$PERSO_E2E_KEEP" ] || rm -rf "$1" $elsewhere
"#;

impl Scratch {
    pub fn new() -> Self {
        Self::under("/tmp")
    }

    /// In another directory.
    pub fn under(parent: &str) -> Self {
        let path =
            tempfile::Builder::new().prefix("perso-e2e-").tempdir_in(parent).expect("root may write there").keep();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our own directory");
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh");
        let register = Arc::new(Mutex::new(guard.stdin.take()));
        Self { path, guard, register }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a directory in the scratch directory, readable by all.
    pub fn directory(&self, name: &str) -> PathBuf {
        let path = self.path.join(name);
        fs::create_dir_all(&path).expect("our own directory");
        path
    }

    /// The same in memory, where this machine has [`MEMORY`]: for what is written through to the disk all the time.
    pub fn directory_in_memory(&self, name: &str) -> PathBuf {
        let place = tempfile::Builder::new().prefix("perso-e2e-").tempdir_in(MEMORY);
        let Ok(place) = place.map(tempfile::TempDir::keep) else { return self.directory(name) };
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("our own directory");
        tell(&self.register, &format!("= {}", place.display()));
        let path = self.path.join(name);
        symlink(place, &path).expect("our own directory");
        path
    }

    /// Starts a server in a process group of its own, its output appended to `log`.
    pub fn spawn(&self, command: &mut Command, log: &Path) -> Server {
        let output = fs::File::options().create(true).append(true).open(log).expect("a log file in our directory");
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle of an open file"))
            .stderr(output)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        tell(&self.register, &format!("+ {}", child.id()));
        Server { register: Arc::clone(&self.register), child }
    }
}

fn tell(register: &Register, line: &str) {
    if let Some(pipe) = lock(register).as_mut() {
        // A guard that is gone takes nothing from the tests.
        let _ = writeln!(pipe, "{line}");
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        lock(&self.register).take();
        let _ = self.guard.wait();
    }
}

/// A signal of those that the tests send.
#[derive(Clone, Copy, Debug)]
pub enum Signal {
    Hangup,
    Terminate,
    Kill,
}

impl Signal {
    fn number(self) -> libc::c_int {
        match self {
            Self::Hangup => libc::SIGHUP,
            Self::Terminate => libc::SIGTERM,
            Self::Kill => libc::SIGKILL,
        }
    }
}

/// A running server. Dropping it stops it: SIGTERM, and SIGKILL for its whole group if that does not do.
pub struct Server {
    register: Register,
    child: Child,
}

impl Server {
    pub fn signal(&self, signal: Signal) {
        self.kill(signal, 1);
    }

    /// Ends the process and all that it started, at once. On return none of them holds a socket or a lock any more.
    pub fn crash(&mut self) {
        self.kill(Signal::Kill, -1);
        let _ = self.child.wait();
        let group = self.child.id().to_string();
        wait_until("all processes of a server to end", || (!has_live_process(&group)).then_some(()));
    }

    /// Bytes of the process in memory (`/proc/PID/status`, `VmRSS`, in KiB).
    pub fn resident(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a running process");
        line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
    }

    /// The exit status once the process has ended, within `patience`.
    pub fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        poll(patience, || self.child.try_wait().expect("our own child"))
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.wait(Duration::ZERO).is_none()
    }

    /// `sign` 1 reaches the process, -1 its group.
    fn kill(&self, signal: Signal, sign: libc::pid_t) {
        let pid = libc::pid_t::try_from(self.child.id()).expect("a process id fits its type");
        // SAFETY: kill takes two integers and touches no memory. The id is that of a child not yet waited for, or of
        // its group, which bears the same id.
        unsafe { libc::kill(sign * pid, signal.number()) };
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.is_running() {
            self.signal(Signal::Terminate);
        }
        if self.wait(Duration::from_secs(5)).is_none() {
            self.kill(Signal::Kill, -1);
            let _ = self.child.wait();
        }
        tell(&self.register, &format!("- {}", self.child.id()));
    }
}

/// Whether a process group has a process that is more than a zombie (proc(5), `/proc/PID/stat`).
fn has_live_process(group: &str) -> bool {
    let processes = fs::read_dir("/proc").expect("Linux").flatten();
    // Processes come and go meanwhile.
    let stats = processes.filter_map(|process| fs::read_to_string(process.path().join("stat")).ok());
    stats.into_iter().any(|stat| {
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let (state, _parent, own) = (fields.next(), fields.next(), fields.next());
        state != Some("Z") && own == Some(group)
    })
}

/// A loopback port that nobody else gets.
///
/// It is bound but does not listen. The kernel gives such a port to no one who asks for any port, yet a server that
/// sets SO_REUSEADDR, as all of ours do, can bind and listen on it meanwhile.
pub struct Port(Socket);

impl Port {
    pub fn reserve() -> Self {
        Self::reserve_at(Ipv4Addr::LOCALHOST.into())
    }

    /// At one of the loopback addresses.
    pub fn reserve_at(address: IpAddr) -> Self {
        let address = SocketAddr::new(address, 0);
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a TCP socket");
        socket.set_reuse_address(true).expect("an option of TCP");
        socket.bind(&address.into()).unwrap_or_else(|error| panic!("no free port at {}: {error}", address.ip()));
        Self(socket)
    }

    pub fn address(&self) -> SocketAddr {
        let address = self.0.local_addr().expect("the address it is bound to");
        address.as_socket().expect("it is bound to an IP address")
    }

    pub fn number(&self) -> u16 {
        self.address().port()
    }

    /// Whether a server listens there.
    pub fn accepts(&self) -> bool {
        TcpStream::connect(self.address()).is_ok()
    }
}

/// The last lines of a log, to print when a test fails.
pub fn tail(log: &Path) -> String {
    const LINES: usize = 60;
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    format!("--- {} ---\n{}\n", log.display(), lines[lines.len().saturating_sub(LINES)..].join("\n"))
}
