//! What keys say about each other.

use std::time::Duration;

use super::problem::{KeyLines, Problem, Severity};
use super::{Config, Console, Delimiter, FolderName, ListenAddress, Listener, Network, Role, SplitMode};
use crate::policy::action::{BlackAction, LateAction, PersonalActions};
use crate::policy::authres::AuthenticationMode;

/// What systemd waits between SIGTERM and SIGKILL where the unit says nothing (DefaultTimeoutStopSec).
const SYSTEMD_STOP: Duration = Duration::from_secs(90);

/// Every condition that the configuration breaks.
/// A condition that rests on a key among the `known` problems is left out: it is not the file that says so, but the
/// default in its place.
pub(super) fn problems(config: &Config, lines: &KeyLines, known: &[Problem]) -> Vec<Problem> {
    let mut found = Findings { lines, known, problems: Vec::new() };
    found.listeners(&config.milter.listeners);
    found.roles(config);
    found.folders(config);
    found.marks(config);
    found.authentication(config);
    found.networks(config);
    found.console(&config.console);
    if config.milter.limits.drain_time >= SYSTEMD_STOP {
        found.warning(
            "milter.limits.drain_time",
            "systemd kills a service that takes 90 seconds to stop",
            "set TimeoutStopSec= of the unit above it",
        );
    }
    found.problems
}

struct Findings<'a> {
    lines: &'a KeyLines,
    known: &'a [Problem],
    problems: Vec<Problem>,
}

impl Findings<'_> {
    fn error(&mut self, key: &str, what: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(self.lines.problem(Severity::Error, key, what, remedy));
    }

    fn warning(&mut self, key: &str, what: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(self.lines.problem(Severity::Warning, key, what, remedy));
    }

    /// Of two keys that do not go together, one that the file sets, and the other.
    fn one_set<'k>(&self, first: &'k str, second: &'k str) -> (&'k str, &'k str) {
        if self.lines.is_set(first) { (first, second) } else { (second, first) }
    }

    fn is_broken(&self, key: &str) -> bool {
        self.known.iter().any(|problem| problem.key == key)
    }

    fn listeners(&mut self, listeners: &[Listener]) {
        for (index, listener) in listeners.iter().enumerate() {
            let key = format!("milter.listener[{}]", index + 1);
            if self.is_broken(&format!("{key}.address")) {
                continue;
            }
            let earlier = (0..index).find(|&earlier| {
                listeners[earlier].address == listener.address
                    && !self.is_broken(&format!("milter.listener[{}].address", earlier + 1))
            });
            if let Some(earlier) = earlier {
                let what = format!("it is the address of listener {} as well", earlier + 1);
                self.error(&format!("{key}.address"), what, "give each listener an address of its own");
            }
            if matches!(listener.address, ListenAddress::Unix { .. }) {
                if listener.mode.bits() & 0o002 != 0 {
                    let what = "every user of this machine may connect, and so try which senders are on a list";
                    self.warning(&format!("{key}.mode"), what, "write \"0660\" and set group to the one of Postfix");
                }
                continue;
            }
            for name in ["mode", "group"] {
                let key = format!("{key}.{name}");
                if self.lines.is_set(&key) && !self.is_broken(&key) && (name == "mode" || listener.group.is_some()) {
                    self.warning(&key, "it applies to unix sockets alone", "leave it out");
                }
            }
        }
    }

    fn roles(&mut self, config: &Config) {
        let listeners = &config.milter.listeners;
        if !listeners.iter().any(|listener| listener.role == Role::Edge) {
            let what = "no listener has the role edge: mail from the network is not seen";
            self.warning("milter.listener", what, "add one with role = \"edge\"");
        }
        let mode = config.split_mode();
        if mode != SplitMode::Off && !listeners.iter().any(|listener| listener.role == Role::Split) {
            let what =
                format!("{mode} splits messages, and no listener has the role split: nothing would take the copies");
            self.error("split.mode", what, "add a [[milter.listener]] with role = \"split\", or write \"off\"");
        }
        for (index, listener) in listeners.iter().enumerate() {
            if listener.role == Role::Split && mode == SplitMode::Off {
                let what = "nothing comes here while split.mode is off";
                let remedy = "leave this listener out, once no copy is left in Postfix's queue";
                self.warning(&format!("milter.listener[{}].role", index + 1), what, remedy);
            }
        }
    }

    fn folders(&mut self, config: &Config) {
        let personal = &config.personal;
        let black = &config.black;
        let Some(delimiter) = config.recipients.delimiter else {
            let mut needs =
                |key, what| self.error(key, what, "set recipients.delimiter = \"+\", or choose another action");
            if personal.actions.contains(PersonalActions::FOLDER) {
                needs("personal.actions", "folder needs a delimiter, and recipients.delimiter is empty");
            }
            if black.action == BlackAction::Junk {
                needs("black.action", "junk needs a delimiter, and recipients.delimiter is empty");
            }
            if black.late_action == LateAction::Junk {
                needs("black.late_action", "junk needs a delimiter, and recipients.delimiter is empty");
            }
            return;
        };
        self.folder_name("personal.folder", &personal.folder, delimiter);
        self.folder_name("black.junk_folder", &black.junk_folder, delimiter);
        if personal.folder.as_str().eq_ignore_ascii_case(black.junk_folder.as_str()) {
            let what = "blocked messages would lie among the personal ones";
            let (key, other) = self.one_set("black.junk_folder", "personal.folder");
            self.error(key, what, format!("name another folder than {other}"));
        }
    }

    fn folder_name(&mut self, key: &str, folder: &FolderName, delimiter: Delimiter) {
        if folder.as_str().contains(delimiter.as_char()) {
            let what = format!("the folder {folder} holds the delimiter {delimiter}");
            self.error(key, what, "name a folder without it");
        }
    }

    fn marks(&mut self, config: &Config) {
        if config.white.spam_prefixes.iter().any(|prefix| config.personal.tag.begins_with(prefix.as_str())) {
            let what = "personal.tag would be taken off as a spam mark";
            let (key, _) = self.one_set("white.spam_prefixes", "personal.tag");
            self.error(key, what, "leave the mark out of white.spam_prefixes, or choose another tag");
        }
    }

    fn authentication(&mut self, config: &Config) {
        let authentication = &config.authentication;
        if !authentication.authserv_ids.is_empty() || self.is_broken("authentication.authserv_ids") {
            return;
        }
        let ids = "set authentication.authserv_ids to the name of your verifier, such as [\"mx.example.org\"]";
        match authentication.configured_mode {
            Some(AuthenticationMode::Off) => {}
            Some(AuthenticationMode::Required) => {
                let what = "no white or personal entry would ever match: no verifier is named";
                self.error("authentication.mode", what, ids);
            }
            Some(AuthenticationMode::WhenAvailable) => {
                let what = "it acts as off: no verifier is named";
                self.warning("authentication.mode", what, ids);
            }
            None if self.is_broken("authentication.mode") => {}
            None => {
                let what = "senders are not verified: a forged address is taken for the real one";
                self.warning("authentication.authserv_ids", what, format!("{ids}, or authentication.mode = \"off\""));
            }
        }
    }

    fn console(&mut self, console: &Console) {
        if console.listen.is_some() && console.sender.is_none() && !self.is_broken("console.sender") {
            let remedy = "add sender = \"cim@example.org\", an address of yours";
            self.error("console.sender", "the console sends mails, and nobody is named as their sender", remedy);
        }
        match (&console.tls_certificate, &console.tls_key) {
            (Some(_), None) => self.error("console.tls_key", "it is missing beside tls_certificate", "name its file"),
            (None, Some(_)) => self.error("console.tls_certificate", "it is missing beside tls_key", "name its file"),
            _ => {}
        }
        let Some(listen) = console.listen else { return };
        let is_clear = console.tls_certificate.is_none();
        if is_clear && !listen.ip().is_loopback() && console.trusted_proxies.is_empty() {
            let remedy = "set tls_certificate and tls_key, or listen on 127.0.0.1 behind a proxy that has them";
            self.error("console.listen", "passwords would cross the network in the clear", remedy);
        }
        if console.public_url.is_none() && (!listen.ip().is_loopback() || !is_clear) {
            let remedy = "add public_url = \"https://cim.example.org\", as browsers call it";
            self.error("console.public_url", "links in mails need it", remedy);
        }
    }

    fn networks(&mut self, config: &Config) {
        if config.networks.ours.iter().any(Network::is_everything) {
            let what = "it holds every address: all mail is taken for outbound";
            self.warning("networks.ours", what, "name the networks of your own machines");
        }
        if config.networks.trusted_relays.iter().any(Network::is_everything) {
            let what = "it holds every address: no blocked sender is ever rejected";
            self.warning("networks.trusted_relays", what, "name your own mail servers");
        }
    }
}
