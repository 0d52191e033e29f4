//! The split beside the Postfix that is to make the copies: each line that `postfix-config` prints, held against what is in
//! force, whether master.cf states it or it is inherited from main.cf.
//!
//! With the split on, what is wrong here is an error: a marked message that is not split is delivered unedited.

use super::milters::{Caller, entries};
use super::{Check, master};
use crate::cli::check::postconf::Lookup;
use crate::cli::postfix_config::Directories;
use crate::cli::postfix_config::split::{
    RECIPIENT_LIMIT, Service, Setting, TRANSPORT, filter, received_line, services,
};
use crate::config::{Problem, Role, Severity, SplitMode};
use crate::policy::plan::Direction;
use crate::split::{self, Marker, SplitKey};

/// Above so many recipients a message, the queue can grow beyond what a postmaster may expect.
const MANY_RECIPIENTS: u64 = 200;

/// Transports of Postfix that deliver to one recipient at a time whatever is set.
const ONE_BY_ONE: [&str; 3] = ["local", "virtual", "discard"];

impl Check<'_> {
    pub(super) fn split(&mut self, key: Option<&SplitKey>) {
        let mode = self.config.split_mode();
        if mode == SplitMode::Off {
            return;
        }
        self.splits_one_by_one();
        self.delivers_one_by_one();
        self.queue_cost();
        if mode == SplitMode::Mixed {
            self.nobody_copies();
        }
        let Some(key) = key else {
            let what = "the store is not there, or cannot be read: whether Postfix knows the marker is not checked";
            let problem = self.lines.problem(Severity::Warning, "split.mode", what, "run this check as root");
            self.problems.push(problem);
            return;
        };
        self.marker_table(key);
        let directories = Directories {
            queue: self.postconf.get("queue_directory").into(),
            configuration: self.postconf.directory(),
        };
        for service in services(self.config, key, &directories) {
            self.service(&service, key);
        }
    }

    fn error(&mut self, key: &str, what: impl Into<String>, remedy: impl Into<String>) {
        self.find(Severity::Error, key, what, remedy);
    }

    fn error_in_master(&mut self, key: String, what: String, remedy: String) {
        let place = master(&self.postconf.place());
        self.problems.push(Problem { severity: Severity::Error, place, key, what, remedy });
    }

    fn splits_one_by_one(&mut self) {
        let name = format!("{TRANSPORT}_destination_recipient_limit");
        if self.postconf.get(&name) != "1" {
            let what = "a copy would have several recipients: the milter answers 451, and it stays in the queue";
            let remedy = self.postconf.command(&format!("{name} = 1"));
            self.error(&name, what, remedy);
        }
    }

    /// Copies are delivered one by one, so whatever is delivered together is known not to have been split.
    fn delivers_one_by_one(&mut self) {
        let uses = [
            ("virtual_transport", "virtual_mailbox_domains"),
            ("relay_transport", "relay_domains"),
            ("local_transport", "mydestination"),
            ("mailbox_transport", "mydestination"),
        ];
        let mut seen = Vec::new();
        for (transport, domains) in uses {
            let name = self.postconf.get(transport).split(':').next().unwrap_or_default().to_owned();
            if name.is_empty() || self.postconf.get(domains).is_empty() || seen.contains(&name) {
                continue;
            }
            let parameter = format!("{name}_destination_recipient_limit");
            if !ONE_BY_ONE.contains(&name.as_str()) && self.postconf.get(&parameter) != "1" {
                let what = "what is delivered to several recipients at once was not split: the mailbox server's own trace tells them";
                let remedy = self.postconf.command(&format!("{parameter} = 1"));
                self.warning(&parameter, what, remedy);
            }
            seen.push(name);
        }
    }

    fn queue_cost(&mut self) {
        let number = |name: &str| self.postconf.get(name).parse::<u64>().unwrap_or(0);
        let (recipients, size) = (number("smtpd_recipient_limit"), number("message_size_limit"));
        if recipients > MANY_RECIPIENTS {
            let megabytes = size.saturating_mul(recipients) / 1_000_000;
            let worst = if size == 0 { "without bound".to_owned() } else { format!("{megabytes} MB") };
            let what = format!(
                "a split message stands in the queue once for each recipient: the largest to {recipients} takes {worst}"
            );
            let remedy = self.postconf.command(&format!("smtpd_recipient_limit = {RECIPIENT_LIMIT}"));
            self.warning("smtpd_recipient_limit", what, remedy);
        }
    }

    /// In mode mixed the edge edits what all recipients share, and so what is copied after it.
    fn nobody_copies(&mut self) {
        let remedy = "write split.mode = \"edits\"";
        for key in ["always_bcc", "sender_bcc_maps", "recipient_bcc_maps"] {
            if !self.postconf.get(key).is_empty() {
                self.error(
                    key,
                    "with split.mode = \"mixed\" its copies carry the mark of a personal message too",
                    remedy,
                );
            }
        }
        for key in ["virtual_alias_maps", "alias_maps"] {
            if key == "alias_maps" && self.postconf.get("mydestination").is_empty() {
                continue;
            }
            for table in self.postconf.words(key).map(str::to_owned).collect::<Vec<_>>() {
                let what = match self.postconf.several(&table) {
                    Lookup::Found(address) => format!(
                        "{table} leads {address} to several people: with split.mode = \"mixed\" all get the edits of one"
                    ),
                    Lookup::Missing => continue,
                    Lookup::Failed => format!(
                        "{table} cannot be looked through for addresses of several people, which split.mode = \"mixed\" does not bear"
                    ),
                };
                self.error(key, what, remedy);
            }
        }
        let value = self.postconf.get("smtpd_milters");
        let caller = self.caller("smtpd");
        let ours = |address: &str| {
            let edges = self.config.milter.listeners.iter().filter(|listener| listener.role == Role::Edge);
            edges.into_iter().any(|listener| caller.reaches(address, &listener.address))
        };
        if entries(value).last().is_some_and(|last| !ours(last.address)) {
            let what = "a milter stands after ours: with split.mode = \"mixed\" a recipient that it refuses may have decided what the others get";
            self.error("smtpd_milters", what, remedy);
        }
    }

    fn marker_table(&mut self, key: &SplitKey) {
        let checks = self.effective("cleanup/unix", "milter_header_checks").0.to_owned();
        let marker = key.write(&Marker { direction: Direction::Inbound, claims: Vec::new() });
        let expected = filter(self.config);
        match self.postconf.first(&checks, &format!("{}: {marker}", split::HEADER)) {
            Lookup::Found(action) if action == expected => {}
            Lookup::Failed => {
                let what = format!("its tables cannot be read: {checks}");
                self.error("milter_header_checks", what, "see that they exist, and run this check as root");
            }
            Lookup::Found(_) | Lookup::Missing => {
                let what = "the marker leads nowhere: messages that must be split are delivered unedited, with the marker in them";
                let remedy = "take the table and the line of perso-milter postfix-config";
                self.error("milter_header_checks", what, remedy);
            }
        }
    }

    fn service(&mut self, service: &Service, key: &SplitKey) {
        let found =
            self.postconf.services.iter().find(|found| found.name == service.name && found.kind == service.kind);
        if found.is_none_or(|found| found.command != service.command) {
            let what = format!("there is no such {}: copies stay in the queue", service.command);
            let remedy = "take the lines of perso-milter postfix-config".to_owned();
            return self.error_in_master(service.path(), what, remedy);
        }
        for setting in &service.settings {
            self.setting(service, setting, key);
        }
    }

    fn setting(&mut self, service: &Service, setting: &Setting, key: &SplitKey) {
        let (value, is_inherited) = self.effective(&service.path(), setting.name);
        let value = value.to_owned();
        if self.is_sound(setting, &value, key) {
            return;
        }
        let place = if is_inherited { "inherited from main.cf" } else { "in master.cf" };
        let shown = if value.is_empty() { "empty".to_owned() } else { format!("\"{value}\"") };
        let what = format!("it is {shown}, {place}: {}", setting.danger);
        let remedy = format!("write -o {} below {} in master.cf", setting.text(), service.name);
        self.error_in_master(format!("{}/{}", service.path(), setting.name), what, remedy);
    }

    /// Whether a value does what the one printed does.
    fn is_sound(&self, setting: &Setting, value: &str, key: &SplitKey) -> bool {
        let words = |text: &str| -> Vec<String> {
            let words = text.split([',', ' ', '\t']).filter(|word| !word.is_empty());
            words.map(str::to_owned).collect()
        };
        let holds_all = || words(&setting.value).iter().all(|word| words(value).contains(word));
        match setting.name {
            // What it is called in the log is the postmaster's to say.
            "syslog_name" => true,
            "mynetworks" | "smtpd_client_event_limit_exceptions" | "smtpd_authorized_xforward_hosts" => {
                words(value).iter().any(|word| word == "127.0.0.0/8") || holds_all()
            }
            "receive_override_options" => holds_all(),
            "hopcount_limit" => {
                let number = |text: &str| text.parse::<u64>().unwrap_or(0);
                number(value) > number(self.postconf.get("hopcount_limit"))
            }
            "smtpd_milters" => self.calls_the_second_listener(value),
            "content_filter" => value == self.effective("smtp/inet", "content_filter").0 || !value.is_empty(),
            "header_checks" => {
                matches!(self.postconf.first(value, &received_line(key)), Lookup::Found(action) if action == "IGNORE")
            }
            _ => words(value) == words(&setting.value),
        }
    }

    fn calls_the_second_listener(&self, value: &str) -> bool {
        let caller = self.caller("smtpd");
        let listeners = self.config.milter.listeners.iter().filter(|listener| listener.role == Role::Split);
        let addresses: Vec<_> = listeners.map(|listener| &listener.address).collect();
        let is_ours = |address: &str| addresses.iter().any(|listener| caller.reaches(address, listener));
        let found = entries(value);
        let [entry] = &found[..] else { return false };
        let action = entry.option("default_action").unwrap_or(self.postconf.get("milter_default_action"));
        is_ours(entry.address) && !matches!(action, "accept" | "reject")
    }

    /// The value in force for a service, and whether it is main.cf's.
    fn effective(&self, service: &str, name: &str) -> (&str, bool) {
        let set = self.postconf.overrides.iter().rfind(|set| set.service == service && set.name == name);
        set.map_or_else(|| (self.postconf.get(name), true), |set| (set.value.as_str(), false))
    }

    fn caller(&self, command: &str) -> Caller<'_> {
        let is_chrooted = self.postconf.services.iter().any(|s| s.command == command && s.is_chrooted);
        Caller { queue: std::path::Path::new(self.postconf.get("queue_directory")), is_chrooted }
    }
}
