//! A Sendmail of our own: Debian's, which `tests/run` unpacks beside Postfix, in the foreground with a configuration that m4
//! makes from a sendmail.mc in the scratch directory.
//!
//! All mail goes to Dovecot by LMTP: that of local domains, of which there are none unless a test adds one, without its
//! domain; the rest as it is addressed. Nothing looks anything up in the DNS. As with Postfix, Sendmail is kept from
//! altering messages of its own accord.
//!
//! There is no syslog here. What Sendmail says to its milter stands in the trace that `-d64.10` writes.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::postfix::HOSTNAME;
use crate::scratch::{self, Port, Scratch, Server, poll, wait_until};

/// How long Sendmail may take to start: on a machine whose own name has no domain it first sleeps for a minute.
const START: Duration = Duration::from_secs(90);

pub struct Sendmail {
    server: Server,
    smtp: Port,
    configuration: PathBuf,
    queue: PathBuf,
    trace: PathBuf,
    scratch: Scratch,
}

impl Sendmail {
    /// A scratch directory for a Sendmail and its milter: it takes no unix socket and no file below a directory that
    /// others may write to, as /tmp is.
    pub fn scratch() -> Scratch {
        Scratch::under("/run")
    }

    /// Starts Sendmail and waits until it serves. `lines` go into its sendmail.mc, above the mailers.
    pub fn start(scratch: Scratch, lmtp: &Port, lines: &str) -> Self {
        let unpacked = unpacked();
        let smtp = Port::reserve();
        let directory = scratch.directory("sendmail");
        let queue = scratch.directory("queue");
        fs::write(directory.join("switch"), "hosts files\naliases files\n").expect("our own directory");
        let configuration = directory.join("sendmail.cf");
        fs::write(directory.join("sendmail.mc"), mc(&directory, &queue, smtp.number(), lmtp.number(), lines))
            .expect("our own directory");
        let cf = unpacked.join("usr/share/sendmail/cf");
        let text = scratch::run(
            Command::new("m4")
                .arg(format!("-D_CF_DIR_={}/", cf.display()))
                .arg(cf.join("m4/cf.m4"))
                .arg(directory.join("sendmail.mc")),
        );
        fs::write(&configuration, text).expect("our own directory");

        let trace = directory.join("trace");
        let mut command = with_a_full_name(&unpacked.join("usr/libexec/sendmail/sendmail"));
        command.arg("-D").arg(&trace).args(["-d64.10", "-bD", "-C"]).arg(&configuration);
        let server = scratch.spawn(&mut command, &directory.join("out"));
        let mut sendmail = Self { server, smtp, configuration, queue, trace, scratch };
        let started = poll(START, || {
            assert!(sendmail.server.is_running(), "Sendmail ended at its start\n{}", sendmail.tail());
            sendmail.smtp.accepts().then_some(())
        });
        assert!(started.is_some(), "Sendmail does not start\n{}", sendmail.tail());
        sendmail
    }

    pub fn smtp(&self) -> u16 {
        self.smtp.number()
    }

    /// The sendmail.cf that m4 made.
    pub fn configuration(&self) -> &str {
        self.configuration.to_str().expect("a path in UTF-8")
    }

    /// Everything said between Sendmail and its milter so far, and what was wrong with it.
    pub fn trace(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.trace).unwrap_or_default()).into_owned()
    }

    /// Waits until nothing more happens to a message: it has left the queue, or is quarantined.
    pub fn settle(&self, id: &str) {
        wait_until(&format!("message {id} to leave the queue\n{}", self.tail()), || {
            (self.is_quarantined(id) || self.files(id).is_empty()).then_some(())
        });
    }

    /// Whether the queue holds a message back until somebody lets it go.
    pub fn is_quarantined(&self, id: &str) -> bool {
        self.files(id).contains(&format!("hf{id}"))
    }

    pub fn tail(&self) -> String {
        let out = scratch::tail(&self.scratch.path().join("sendmail/out"));
        format!("{out}{}", scratch::tail(&self.trace))
    }

    /// The files of a message in the queue: `df` its body, `qf` its envelope and headers, `hf` those of a quarantined one.
    fn files(&self, id: &str) -> Vec<String> {
        let files = fs::read_dir(&self.queue).expect("our own directory").flatten();
        files.map(|file| file.file_name().to_string_lossy().into_owned()).filter(|name| name.ends_with(id)).collect()
    }
}

impl Drop for Sendmail {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.tail());
        }
    }
}

/// Debian's sendmail-bin and sendmail-cf, unpacked.
fn unpacked() -> PathBuf {
    let cache = || env::var_os("XDG_CACHE_HOME").map_or_else(|| home().join(".cache"), PathBuf::from);
    let directory = env::var_os("PERSO_E2E_SENDMAIL");
    let directory = directory.map_or_else(|| cache().join("perso-milter/sendmail"), PathBuf::from);
    let version = fs::read_to_string(directory.join("usr/share/sendmail/cf/m4/version.m4")).unwrap_or_default();
    assert!(
        version.contains("DZ8.17."),
        "Sendmail 8.17 is missing from {}: tests/run --install puts it there",
        directory.display()
    );
    directory
}

fn home() -> PathBuf {
    env::var_os("HOME").map(PathBuf::from).expect("HOME, where tests/run has unpacked Sendmail")
}

/// A command that runs `program` on a machine with a full name, where the kernel lets us have one of our own. It is an
/// address, which is looked up nowhere.
fn with_a_full_name(program: &Path) -> Command {
    let named = |command: &str| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--uts", "sh", "-c", &format!("hostname 127.0.0.1 && {command}"), "sh"]);
        unshare
    };
    let may = named("true").output().is_ok_and(|output| output.status.success());
    let mut command = if may { named("exec \"$@\"") } else { Command::new("env") };
    command.arg(program);
    command
}

fn mc(directory: &Path, queue: &Path, smtp: u16, lmtp: u16, lines: &str) -> String {
    let (directory, queue) = (directory.display(), queue.display());
    format!(
        "OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `{HOSTNAME}')dnl
define(`QUEUE_DIR', `{queue}')dnl
define(`confPID_FILE', `{directory}/pid')dnl
define(`STATUS_FILE', `{directory}/status')dnl
define(`confDEAD_LETTER_DROP', `{directory}/dead.letter')dnl
define(`confSERVICE_SWITCH_FILE', `{directory}/switch')dnl
undefine(`ALIAS_FILE')dnl
define(`confDEF_USER_ID', `nobody:nogroup')dnl
define(`confDELIVERY_MODE', `interactive')dnl
define(`confTO_IDENT', `0')dnl
define(`confQUEUE_LA', `1000')dnl
define(`confREFUSE_LA', `1000')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`no_default_msa')dnl
DAEMON_OPTIONS(`Name=MTA, Family=inet, Addr=127.0.0.1, Port={smtp}')dnl
define(`SMART_HOST', `dovecot:[127.0.0.1]')dnl
FEATURE(`local_lmtp', `[IPC]', `TCP [127.0.0.1] {lmtp}')dnl
MODIFY_MAILER_FLAGS(`LOCAL', `-w')dnl
{lines}MAILER(`local')dnl
MAILER(`smtp')dnl
LOCAL_CONFIG
O MustQuoteChars=.
MAILER_DEFINITIONS
Mdovecot, P=[IPC], F=muXz8, S=EnvFromSMTP/HdrFromSMTP, R=EnvToSMTP, E=\\r\\n, L=0, T=DNS/RFC822/SMTP, A=TCP $h {lmtp}
"
    )
}
