//! A Dovecot of our own: LMTP in, IMAP out, logins for smtpd, maildirs in the scratch directory. Any user exists, and has one password.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::scratch::{self, Port, Scratch, Server, wait_until};

pub const PASSWORD: &str = "secret";

pub struct Dovecot {
    _server: Server,
    imap: Port,
    lmtp: Port,
    logins: Port,
    log: PathBuf,
}

impl Dovecot {
    /// Starts Dovecot and waits until it accepts LMTP and IMAP.
    pub fn start(scratch: &Scratch) -> Self {
        needs_dovecot();
        let (imap, lmtp, logins) = (Port::reserve(), Port::reserve(), Port::reserve());
        let directory = scratch.directory("dovecot");
        scratch::run(Command::new("chown").arg("nobody:nogroup").arg(scratch.directory("mail")));
        let file = directory.join("dovecot.conf");
        let ports = [&imap, &lmtp, &logins].map(Port::number);
        fs::write(&file, configuration(scratch.path(), ports)).expect("our own directory");
        let server = scratch.spawn(Command::new("dovecot").arg("-F").arg("-c").arg(&file), &directory.join("out"));
        let dovecot = Self { _server: server, imap, lmtp, logins, log: directory.join("log") };
        wait_until(&format!("Dovecot to start\n{}", dovecot.tail()), || {
            (dovecot.imap.accepts() && dovecot.lmtp.accepts()).then_some(())
        });
        dovecot
    }

    pub fn imap(&self) -> u16 {
        self.imap.number()
    }

    pub fn lmtp(&self) -> &Port {
        &self.lmtp
    }

    /// Lines of main.cf by which whoever knows the password may log in under any name.
    pub fn sasl(&self) -> String {
        let port = self.logins.number();
        format!("smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = inet:127.0.0.1:{port}")
    }

    pub fn tail(&self) -> String {
        scratch::tail(&self.log)
    }
}

fn configuration(scratch: &Path, [imap, lmtp, logins]: [u16; 3]) -> String {
    let scratch = scratch.display();
    format!(
        "base_dir = {scratch}/dovecot/run
state_dir = {scratch}/dovecot/state
log_path = {scratch}/dovecot/log
protocols = imap lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
auth_username_chars =
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={scratch}/mail/%u allow_all_users=yes
}}
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:{scratch}/mail/%u
mail_fsync = never
mail_max_userip_connections = 1000
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service auth {{
  inet_listener {{
    port = {logins}
  }}
}}
recipient_delimiter = +
lmtp_save_to_detail_mailbox = yes
lda_mailbox_autocreate = yes
lda_mailbox_autosubscribe = yes
"
    )
}

fn needs_dovecot() {
    let version = Command::new("dovecot").arg("--version").output();
    let version = version.expect("Dovecot is missing: install the Debian packages dovecot-imapd and dovecot-lmtpd");
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    assert!(version.starts_with("2.3"), "these tests write the configuration of Dovecot 2.3, and this is {version}");
    let library = scratch::run(Command::new("doveconf").args(["-d", "-h", "libexec_dir"]));
    for (program, package) in [("imap", "dovecot-imapd"), ("lmtp", "dovecot-lmtpd")] {
        let there = Path::new(library.trim()).join(program).exists();
        assert!(there, "Dovecot's {program} is missing: install the Debian package \"{package}\"");
    }
}
