//! smtpd_milters, non_smtpd_milters and what goes with them.
//!
//! Format: a list of `inet:HOST:PORT`, `unix:PATH` or `{ADDRESS, name=value, …}`, separated by commas and blanks. A unix
//! path is taken from the queue directory: a relative one always, an absolute one where the service is chrooted.

use std::path::Path;

use super::{Check, master};
use crate::cli::check::listener::is_reached;
use crate::cli::check::{STANDS_AFTER, nobody_verifies};
use crate::cli::postfix_config::{milter_entry, uses_folders};
use crate::config::{ListenAddress, Problem, Role, Severity};

/// Timeouts below these cut messages off on a busy machine; in seconds.
const LEAST_TIMEOUTS: [(&str, u64); 3] =
    [("milter_connect_timeout", 5), ("milter_command_timeout", 10), ("milter_content_timeout", 30)];

/// One milter as Postfix has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) address: &'a str,
    options: Vec<(&'a str, &'a str)>,
}

impl Entry<'_> {
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }
}

impl Check<'_> {
    /// Whether `parameter` names one of our listeners with one of `roles`, and how.
    pub(super) fn milters(&mut self, parameter: &str, roles: &[Role]) {
        let value = self.postconf.get(parameter);
        let queue = self.postconf.get("queue_directory");
        let listeners = self.config.milter.listeners.iter().filter(|listener| roles.contains(&listener.role));
        let addresses: Vec<_> = listeners.map(|listener| &listener.address).collect();
        let command = if parameter == "smtpd_milters" { "smtpd" } else { "cleanup" };
        let is_chrooted = self.postconf.services.iter().any(|s| s.command == command && s.is_chrooted);
        let place = Caller { queue: Path::new(queue), is_chrooted };
        let entries = entries(value);
        let ours = entries.iter().find(|entry| addresses.iter().any(|address| place.reaches(entry.address, address)));
        for address in &addresses {
            self.reachable(parameter, address, &place);
        }
        match ours {
            None => self.not_called(parameter, &addresses, queue, value),
            Some(entry) => {
                self.options(parameter, entry);
                if parameter == "smtpd_milters"
                    && entries.first() == Some(entry)
                    && let Some((what, remedy)) = nobody_verifies(self.config)
                {
                    self.warning(parameter, what, remedy);
                }
                if uses_folders(self.config) && entries.last() != Some(entry) {
                    let (what, remedy) = STANDS_AFTER;
                    self.warning(parameter, what, remedy);
                }
            }
        }
    }

    fn not_called(&mut self, parameter: &str, addresses: &[&ListenAddress], queue: &str, value: &str) {
        let Some(address) = addresses.first() else { return };
        let entry = milter_entry(address, Path::new(queue));
        let list = if value.is_empty() { entry } else { format!("{value}, {entry}") };
        let mail = if parameter == "smtpd_milters" { "mail from the network" } else { "mail from sendmail(1)" };
        let what = format!("none of our listeners is in it: {mail} is not seen");
        let remedy = self.postconf.command(&format!("{parameter} = {list}"));
        self.warning(parameter, what, remedy);
    }

    fn reachable(&mut self, parameter: &str, address: &ListenAddress, caller: &Caller<'_>) {
        let ListenAddress::Unix { path } = address else { return };
        if caller.is_chrooted && !path.starts_with(caller.queue) {
            let queue = caller.queue.display();
            let what = format!("the service that reads it is chrooted to {queue}, and {} lies outside", path.display());
            let remedy = format!("write address = \"unix:{queue}/perso-milter/milter.sock\"");
            self.warning(parameter, what, remedy);
        }
    }

    fn options(&mut self, parameter: &str, entry: &Entry<'_>) {
        self.default_action(parameter, entry);
        let protocol = entry.option("protocol").unwrap_or(self.postconf.get("milter_protocol"));
        let version = protocol.split(|c: char| !c.is_ascii_digit()).find(|word| !word.is_empty());
        if version.and_then(|version| version.parse::<u32>().ok()).is_some_and(|version| version < 6) {
            let what = format!("version {protocol} knows no notification settings for a recipient filed to a folder");
            let remedy = self.postconf.command("milter_protocol = 6");
            self.warning("milter_protocol", what, remedy);
        }
        let options = entry.options.iter().filter_map(|(name, _)| name.split_once('_').map(|(kind, _)| kind));
        let overridden: Vec<String> = options.map(|kind| format!("milter_{kind}_timeout")).collect();
        for (name, least) in LEAST_TIMEOUTS {
            if !overridden.iter().any(|other| other == name)
                && self.postconf.seconds(name).is_some_and(|seconds| seconds < least)
            {
                let what = format!("it is {}: a busy moment loses the milter", self.postconf.get(name));
                let remedy = self.postconf.command(&format!("{name} = {least}s"));
                self.warning(name, what, remedy);
            }
        }
    }

    fn default_action(&mut self, parameter: &str, entry: &Entry<'_>) {
        let own = entry.option("default_action");
        let action = own.unwrap_or(self.postconf.get("milter_default_action"));
        let effect = match action {
            "accept" => "mail passes unfiltered and unmarked",
            "reject" => "mail is refused for good",
            _ => return,
        };
        let what = format!("the default action is {action}: while the milter is down {effect}");
        let (key, remedy) = match own {
            Some(_) => (parameter, "write default_action=tempfail there: the sender tries again later".to_owned()),
            None => ("milter_default_action", self.postconf.command("milter_default_action = tempfail")),
        };
        self.warning(key, what, remedy);
    }

    /// Settings that keep every milter from being called.
    pub(super) fn global_milter_settings(&mut self) {
        if self.postconf.words("receive_override_options").any(|word| word == "no_milters") {
            let what = "no_milters keeps every milter from being called";
            self.warning("receive_override_options", what, "remove it from main.cf");
        }
        if !self.postconf.get("smtpd_milter_maps").is_empty() {
            let what = "for the clients it names other milters are called, or none";
            self.warning("smtpd_milter_maps", what, "see that it names ours for all whose mail is to be seen");
        }
    }

    /// Services of master.cf with milters of their own, without ours.
    pub(super) fn overridden_milters(&mut self) {
        let queue = self.postconf.get("queue_directory");
        let mut problems = Vec::new();
        for set in self.postconf.overrides.iter().filter(|set| set.name == "smtpd_milters") {
            let name = set.service.split('/').next().unwrap_or_default();
            let is_chrooted = self.postconf.services.iter().any(|s| s.name == name && s.is_chrooted);
            let caller = Caller { queue: Path::new(queue), is_chrooted };
            let listeners = &self.config.milter.listeners;
            // The second smtpd is looked at by itself.
            let calls_us = entries(&set.value)
                .iter()
                .any(|entry| listeners.iter().any(|listener| caller.reaches(entry.address, &listener.address)));
            if !calls_us {
                problems.push(Problem {
                    severity: Severity::Warning,
                    place: master(&self.postconf.place()),
                    key: format!("{}/smtpd_milters", set.service),
                    what: "this service has milters of its own, without ours: its mail is not seen".to_owned(),
                    remedy: "add our listener there, or leave it so if that is meant".to_owned(),
                });
            }
        }
        self.problems.append(&mut problems);
    }
}

/// How the Postfix service that connects sees paths.
pub(super) struct Caller<'a> {
    pub(super) queue: &'a Path,
    pub(super) is_chrooted: bool,
}

impl Caller<'_> {
    /// Whether a connection to `entry`, as Postfix writes it, arrives at `listener`.
    pub(super) fn reaches(&self, entry: &str, listener: &ListenAddress) -> bool {
        let Some((kind, rest)) = entry.split_once(':') else { return false };
        match (kind, listener) {
            ("unix" | "local", ListenAddress::Unix { path }) => {
                let given = Path::new(rest);
                let absolute = match given.strip_prefix("/") {
                    Ok(inside) if self.is_chrooted => self.queue.join(inside),
                    _ => self.queue.join(given),
                };
                absolute == *path
            }
            ("inet", ListenAddress::Inet { .. } | ListenAddress::Inet6 { .. }) => is_reached(listener, rest),
            _ => false,
        }
    }
}

pub(super) fn entries(value: &str) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    let separator = |c: char| c == ',' || c.is_whitespace();
    let mut rest = value.trim_start_matches(separator);
    while !rest.is_empty() {
        let (text, after) = match rest.strip_prefix('{') {
            Some(inside) => inside.split_once('}').unwrap_or((inside, "")),
            None => rest.split_at(rest.find(separator).unwrap_or(rest.len())),
        };
        let mut words = text.split(separator).filter(|word| !word.is_empty());
        if let Some(address) = words.next() {
            entries.push(Entry { address, options: words.filter_map(|word| word.split_once('=')).collect() });
        }
        rest = after.trim_start_matches(separator);
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_addresses_and_options() {
        let found = entries("inet:[::1]:8891 unix:a/b, { inet:127.0.0.1:8891, default_action=accept protocol=6 },");
        let addresses: Vec<_> = found.iter().map(|entry| entry.address).collect();
        assert_eq!(addresses, ["inet:[::1]:8891", "unix:a/b", "inet:127.0.0.1:8891"]);
        assert_eq!(found[2].option("default_action"), Some("accept"));
        assert_eq!(found[2].option("protocol"), Some("6"));
        assert_eq!(entries(" , {} "), []);
    }

    #[test]
    fn a_unix_path_is_seen_from_inside_the_queue_directory() {
        let listener = "unix:/var/spool/postfix/perso-milter/milter.sock".parse().expect("an address");
        for (entry, is_chrooted, expected) in [
            ("unix:perso-milter/milter.sock", true, true),
            ("unix:perso-milter/milter.sock", false, true),
            ("local:/perso-milter/milter.sock", true, true),
            ("unix:/perso-milter/milter.sock", false, false),
            ("unix:/var/spool/postfix/perso-milter/milter.sock", false, true),
            ("unix:/var/spool/postfix/perso-milter/milter.sock", true, false),
            ("inet:127.0.0.1:8891", false, false),
        ] {
            let caller = Caller { queue: Path::new("/var/spool/postfix"), is_chrooted };
            assert_eq!(caller.reaches(entry, &listener), expected, "{entry}, chrooted: {is_chrooted}");
        }
    }

    #[test]
    fn an_inet_entry_reaches_the_listener_of_its_port_and_address() {
        let caller = Caller { queue: Path::new("/"), is_chrooted: true };
        for (entry, listener, expected) in [
            ("inet:127.0.0.1:8891", "inet:8891@127.0.0.1", true),
            ("inet:127.0.0.1:8892", "inet:8891@127.0.0.1", false),
            ("inet:127.0.0.2:8891", "inet:8891@127.0.0.1", false),
            ("inet:127.0.0.2:8891", "inet:8891", true),
            ("unix:8891", "inet:8891@127.0.0.1", false),
        ] {
            let listener = listener.parse().expect("an address");
            assert_eq!(caller.reaches(entry, &listener), expected, "{entry} {listener}");
        }
    }
}
