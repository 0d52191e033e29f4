//! A Postfix of our own: configuration, queue, data and log in the scratch directory, every port on loopback.
//!
//! master.cf has Debian's services with Debian's chroot column. Each of the [`Entrance`]s is an smtpd; what they share
//! is in main.cf. Mail for `example.org` and the domains below it goes to Dovecot by LMTP, and so does everything
//! else, so that reports to outside senders can be read as well. Nothing looks anything up in the DNS.
//!
//! Postfix is kept from altering messages of its own accord (missing headers, dropped headers, long lines), so that
//! what differs in the mailbox is the milter's doing.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

use crate::scratch::{self, Port, Scratch, Server, wait_until};

pub const HOSTNAME: &str = "mx.example.org";

/// The mail domains delivered here: `example.org` and all below it.
const DOMAINS: &str = "/^(.+\\.)?example\\.org$/ OK\n";

/// A user name within a domain that no mailbox answers to.
pub const NOBODY_HOME: &str = "nobody-home";

/// One smtpd: its port, and its `smtpd_milters`, none when empty.
pub struct Entrance<'a> {
    pub port: &'a Port,
    pub milters: String,
}

pub struct Postfix {
    server: Server,
    configuration: PathBuf,
    queue: PathBuf,
    log: PathBuf,
}

impl Postfix {
    /// Starts Postfix and waits until it serves its entrances. `lines` are added to main.cf.
    pub fn start(scratch: &Scratch, entrances: &[Entrance], lmtp: &Port, lines: &str) -> Self {
        Self::start_with(scratch, entrances, lmtp, lines, "")
    }

    /// The same with services of one's own: `master` is added to master.cf.
    pub fn start_with(scratch: &Scratch, entrances: &[Entrance], lmtp: &Port, lines: &str, master: &str) -> Self {
        needs_postfix();
        let configuration = scratch.directory("postfix");
        let queue = scratch.directory_in_memory("queue");
        let data = scratch.directory("data");
        scratch::run(Command::new("chown").arg("postfix:").arg(&data));
        fs::write(configuration.join("domains"), DOMAINS).expect("our own directory");
        fs::write(configuration.join("recipients"), format!("!/^{NOBODY_HOME}@/ OK\n")).expect("our own directory");
        let own = main_cf(scratch.path(), lmtp.number());
        fs::write(configuration.join("main.cf"), with_lines(&own, lines)).expect("our own directory");
        fs::write(configuration.join("master.cf"), master_cf(entrances) + master).expect("our own directory");
        // It creates what the queue directory must hold, with the owners that Postfix wants.
        scratch::run(Command::new("postfix").arg("-c").arg(&configuration).arg("check"));

        let log = scratch.path().join("mail.log");
        let server = spawn(scratch, &configuration);
        let postfix = Self { server, configuration, queue, log };
        wait_until(&format!("Postfix to start\n{}", postfix.tail()), || {
            // It opens all its sockets before it serves any.
            entrances.last().is_none_or(|entrance| entrance.port.accepts()).then_some(())
        });
        postfix
    }

    /// Ends every process of it at once, as a crash of the machine does, and starts it again.
    pub fn crash(&mut self, scratch: &Scratch) {
        self.server.crash();
        self.server = spawn(scratch, &self.configuration);
    }

    /// Whether no message is in the queue, held ones apart. A file that was not finished when its writer ended is none:
    /// its sender was never told that it was taken.
    pub fn is_idle(&self) -> bool {
        self.queue_files().is_empty()
    }

    /// What Postfix has said of each message that is in the queue, for a person to read.
    pub fn queued_text(&self) -> String {
        let lines = self.queue_files().into_iter().map(|file| {
            let id = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let facts = fs::metadata(&file).map(|facts| (facts.mode(), facts.size(), facts.modified()));
            format!("{}: {facts:?}\n{}", file.display(), self.log_of(&id).join("\n"))
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The files of the messages in the queue. Deferred ones are looked for twice, since they go back to the active ones.
    fn queue_files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for queue in ["deferred", "maildrop", "incoming", "active", "deferred"] {
            finished(&self.queue.join(queue), &mut files);
        }
        files
    }

    /// Replaces main.cf lines by their name and has Postfix read its configuration again.
    pub fn set(&self, lines: &[&str]) {
        scratch::run(Command::new("postconf").arg("-c").arg(&self.configuration).arg("-e").args(lines));
        scratch::run(Command::new("postfix").arg("-c").arg(&self.configuration).arg("reload"));
    }

    /// The queue directory, which is the root directory of the chrooted services.
    pub fn queue(&self) -> &Path {
        &self.queue
    }

    /// Hands over a message as a local program does, through sendmail(1). Postfix tells no queue id; see
    /// [`Self::id_from`].
    pub fn sendmail(&self, from: &str, recipients: &[&str], message: &[u8]) {
        let mut child = Command::new("sendmail")
            .arg("-C")
            .arg(&self.configuration)
            .args(["-oi", "-f", from, "--"])
            .args(recipients)
            .stdin(Stdio::piped())
            .spawn()
            .expect("Postfix's sendmail");
        child.stdin.take().expect("it is piped").write_all(message).expect("sendmail reads its input");
        assert!(child.wait().expect("our own child").success(), "sendmail refused the message\n{}", self.tail());
    }

    /// The lines of the log that bear a queue id.
    pub fn log_of(&self, id: &str) -> Vec<String> {
        let mark = format!(" {id}: ");
        self.log_text().lines().filter(|line| line.contains(&mark)).map(str::to_owned).collect()
    }

    /// Waits for the queue id of the message that an envelope sender used only once has sent.
    pub fn id_from(&self, sender: &str) -> String {
        let mark = format!(": from=<{sender}>");
        wait_until(&format!("a message from {sender} in Postfix's log"), || {
            let text = self.log_text();
            let line = text.lines().find(|line| line.contains(&mark) && line.contains("/qmgr["))?;
            let id = line.split("]: ").nth(1)?.split(':').next()?;
            Some(id.to_owned())
        })
    }

    /// Waits until nothing more happens to a message: delivered or bounced for all its recipients, discarded or held.
    pub fn settle(&self, id: &str) {
        let settled = [format!(" {id}: removed"), format!(" {id}: milter-discard:"), format!(" {id}: milter-hold:")];
        let done = scratch::poll(scratch::PATIENCE, || {
            let text = self.log_text();
            settled.iter().any(|mark| text.contains(mark.as_str())).then_some(())
        });
        assert!(done.is_some(), "message {id} is still under way:\n{}", self.log_of(id).join("\n"));
    }

    /// Waits until a message has left the queue.
    pub fn wait_removed(&self, id: &str) {
        let mark = format!(" {id}: removed");
        wait_until(&format!("message {id} to leave the queue"), || self.log_text().contains(&mark).then_some(()));
    }

    /// The queue ids of the copies into which a message was split, once it has left the queue itself.
    pub fn copies_of(&self, id: &str) -> Vec<String> {
        self.settle(id);
        let relays = ["relay=127.0.0.1[127.0.0.1]:", "relay=::1[::1]:"];
        let to_second_pass =
            |line: &&String| line.contains(": to=<") && relays.iter().any(|relay| line.contains(relay));
        let log = self.log_of(id);
        let copies = log.iter().filter(to_second_pass).filter_map(|line| line.split("queued as ").nth(1));
        copies.map(|id| id.trim_end_matches(')').to_owned()).collect()
    }

    /// What `postqueue -p` shows of a message, none when it is not in the queue. A `!` after the id means held.
    pub fn queued(&self, id: &str) -> Option<String> {
        let text = scratch::run(Command::new("postqueue").arg("-c").arg(&self.configuration).arg("-p"));
        text.split("\n\n").find(|entry| entry.contains(id)).map(str::to_owned)
    }

    /// The recipients whom a message in the queue has been tried for, and for whom it waits until it is tried again.
    pub fn waiting(&self, id: &str) -> Vec<String> {
        let text = scratch::run(Command::new("postqueue").arg("-c").arg(&self.configuration).arg("-j"));
        let messages = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let recipients =
            messages.filter(|message| message["queue_id"] == id).map(|message| message["recipients"].clone());
        let recipients: Vec<Value> = recipients.filter_map(|list| list.as_array().cloned()).flatten().collect();
        let waiting = recipients.iter().filter(|recipient| !recipient["delay_reason"].is_null());
        waiting.filter_map(|recipient| recipient["address"].as_str().map(str::to_owned)).collect()
    }

    /// Lets a held message go.
    pub fn release(&self, id: &str) {
        scratch::run(Command::new("postsuper").arg("-c").arg(&self.configuration).args(["-H", id]));
        scratch::run(Command::new("postqueue").arg("-c").arg(&self.configuration).args(["-i", id]));
    }

    pub fn tail(&self) -> String {
        scratch::tail(&self.log)
    }

    fn log_text(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.tail());
        }
    }
}

fn spawn(scratch: &Scratch, configuration: &Path) -> Server {
    let master = PathBuf::from(postconf("daemon_directory")).join("master");
    scratch.spawn(Command::new(master).arg("-d").arg("-c").arg(configuration), &scratch.path().join("postfix.out"))
}

/// Adds the files of messages in a directory of the queue, at whatever depth. Files come and go meanwhile; a finished
/// one is executable.
fn finished(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(facts) if facts.is_dir() => finished(&entry.path(), files),
            Ok(facts) if facts.mode() & 0o100 == 0 => {}
            Ok(_) | Err(_) => files.push(entry.path()),
        }
    }
}

fn main_cf(scratch: &Path, lmtp: u16) -> String {
    let scratch = scratch.display();
    format!(
        "compatibility_level = 3.6
queue_directory = {scratch}/queue
data_directory = {scratch}/data
maillog_file = {scratch}/mail.log
maillog_file_prefixes = {scratch}

myhostname = {HOSTNAME}
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
recipient_delimiter = +
virtual_mailbox_domains = regexp:{scratch}/postfix/domains
virtual_mailbox_maps = regexp:{scratch}/postfix/recipients
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
default_transport = lmtp:inet:127.0.0.1:{lmtp}
local_transport = lmtp:inet:127.0.0.1:{lmtp}

smtp_host_lookup = native
disable_dns_lookups = yes
smtpd_peername_lookup = no
enable_long_queue_ids = yes

local_header_rewrite_clients =
message_drop_headers =
lmtp_line_length_limit = 0

smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s

milter_protocol = 6
milter_default_action = tempfail
smtpd_milters =
non_smtpd_milters =
"
    )
}

/// The file with `lines` in place of those that set the same. A parameter that stands twice has each process of Postfix
/// warn at its start, postlogd too, which then waits for itself to take the warning.
fn with_lines(file: &str, lines: &str) -> String {
    let name = |line: &str| line.split_once('=').map(|(name, _)| name.trim().to_owned());
    let mut kept: Vec<&str> = Vec::new();
    for line in file.lines().chain(lines.lines()) {
        let set = name(line).filter(|_| !line.starts_with('#'));
        kept.retain(|earlier| set.is_none() || earlier.starts_with('#') || name(earlier) != set);
        kept.push(line);
    }
    kept.join("\n") + "\n"
}

/// Debian's services, but for the pipes to programs that are seldom there. The queue manager is woken every 5 seconds and not
/// every 300: a message that it set aside in the incoming queue ([`PATIENCE`](crate::scratch::PATIENCE)) is looked for then,
/// or when another comes.
const SERVICES: &str = "
pickup     unix  n  -  y  60     1  pickup
cleanup    unix  n  -  y  -      0  cleanup
qmgr       unix  n  -  n  5      1  qmgr
tlsmgr     unix  -  -  y  1000? 1  tlsmgr
rewrite    unix  -  -  y  -      -  trivial-rewrite
bounce     unix  -  -  y  -      0  bounce
defer      unix  -  -  y  -      0  bounce
trace      unix  -  -  y  -      0  bounce
verify     unix  -  -  y  -      1  verify
flush      unix  n  -  y  1000?  0  flush
proxymap   unix  -  -  n  -      -  proxymap
proxywrite unix  -  -  n  -      1  proxymap
smtp       unix  -  -  y  -      -  smtp
relay      unix  -  -  y  -      -  smtp
showq      unix  n  -  y  -      -  showq
error      unix  -  -  y  -      -  error
retry      unix  -  -  y  -      -  error
discard    unix  -  -  y  -      -  discard
local      unix  -  n  n  -      -  local
virtual    unix  -  n  n  -      -  virtual
lmtp       unix  -  -  y  -      -  lmtp
anvil      unix  -  -  y  -      1  anvil
scache     unix  -  -  y  -      1  scache
postlog    unix-dgram n - n -    1  postlogd
";

fn master_cf(entrances: &[Entrance]) -> String {
    let mut text = SERVICES.to_owned();
    for Entrance { port, milters } in entrances {
        let port = port.number();
        let _ = writeln!(text, "127.0.0.1:{port} inet n - y - - smtpd");
        if !milters.is_empty() {
            let _ = writeln!(text, "  -o {{ smtpd_milters = {milters} }}");
        }
    }
    text
}

fn postconf(name: &str) -> String {
    scratch::run(Command::new("postconf").args(["-d", "-h", name])).trim().to_owned()
}

fn needs_postfix() {
    let version = Command::new("postconf").args(["-d", "mail_version"]).output();
    assert!(
        version.is_ok_and(|output| output.status.success()),
        "Postfix is missing: install the Debian package \"postfix\", or run tests/run, which does"
    );
    let id = scratch::run(Command::new("id").arg("-u"));
    assert!(id.trim() == "0", "Postfix needs root: run the end-to-end tests as root (sudo tests/run e2e)");
}
