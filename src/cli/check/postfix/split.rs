//! The split beside the Postfix that is to make the copies: each line that `postfix-config` prints, held against what is in
//! force, whether master.cf states it or it is inherited from main.cf.
//!
//! With the split on, what is wrong here is an error: a marked message that is not split is delivered unedited.

use std::net::IpAddr;
use std::path::Path;

use super::milters::{Caller, entries};
use super::{Check, master};
use crate::cli::check::postconf::{self, Lookup, words};
use crate::cli::postfix_config::Directories;
use crate::cli::postfix_config::split::{
    RECIPIENT_LIMIT, Service, Setting, TRANSPORT, filter, inet, received_line, services,
};
use crate::config::{Problem, Role, Severity, SplitMode};
use crate::split::{self, SplitKey};

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
        self.speaks_to_the_second_smtpd();
        self.splits_one_by_one();
        self.delivers_one_by_one();
        self.keeps_the_trace();
        self.queue_cost();
        self.expands_aliases();
        self.keeps_the_sender();
        self.filters_content();
        if mode == SplitMode::Mixed {
            self.nobody_copies();
        }
        if key.is_none() {
            let what = "the store is not there, or cannot be read: whether the trace of the second pass is removed is not checked";
            self.problems.push(self.lines.problem(Severity::Warning, "split.mode", what, "run this check as root"));
        }
        self.marker_table();
        let directories = Directories {
            queue: self.postconf.get("queue_directory").into(),
            configuration: self.postconf.directory(),
        };
        // Without the key the names that are printed are nobody's, and are not compared.
        let nobodys = SplitKey::new(&[0; 32]);
        for service in services(self.config, key.unwrap_or(&nobodys), &directories) {
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

    /// Postfix opens no socket of a family that it does not use.
    fn speaks_to_the_second_smtpd(&mut self) {
        let address = self.config.split.address.socket_address();
        let (family, other) = if address.is_ipv4() { ("ipv4", "[::1]") } else { ("ipv6", "127.0.0.1") };
        let families = self.postconf.get("inet_protocols").to_owned();
        if !families.is_empty() && !words(&families).any(|word| [family, "all"].contains(&word)) {
            let what = format!("it is {families} and split.address is {address}: copies stay in the queue");
            let remedy = self.postconf.command(&format!("inet_protocols = {families}, {family}"));
            let remedy = format!("{remedy}, or write split.address = \"{other}:{}\"", address.port());
            self.error("inet_protocols", what, remedy);
        }
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
        if !self.postconf.get("transport_maps").is_empty()
            && self.postconf.get("smtp_destination_recipient_limit") != "1"
        {
            let what = "what transport_maps sends by smtp to several recipients at once was not split: the next server's trace tells them";
            let remedy = "set NAME_destination_recipient_limit = 1 for the transports that lead to your mailboxes";
            self.warning("transport_maps", what, remedy);
        }
    }

    /// local(8), virtual(8) and pipe(8) write the address before its aliases were expanded, which a copy has lost.
    fn keeps_the_trace(&mut self) {
        let writes = |transport: &str, domains: &str| {
            let name = self.postconf.get(transport).split(':').next().unwrap_or_default();
            !self.postconf.get(domains).is_empty() && matches!(name, "local" | "virtual")
        };
        let is_written =
            writes("local_transport", "mydestination") || writes("virtual_transport", "virtual_mailbox_domains");
        if is_written && self.postconf.get("enable_original_recipient") != "no" {
            let what = "X-Original-To names the alias in mail that was not split and the mailbox in a copy, which tells them apart";
            let remedy = self.postconf.command("enable_original_recipient = no");
            self.warning("enable_original_recipient", what, remedy);
        }
    }

    /// A copy finds its aliases expanded; nothing expands them later.
    fn expands_aliases(&mut self) {
        for service in self.edges() {
            let (value, _) = self.effective(&service, "receive_override_options");
            if words(value).any(|word| word == "no_address_mappings") {
                let what = format!(
                    "{service} leaves aliases and always_bcc to a content filter, round which copies go: they are never expanded"
                );
                self.error(
                    "receive_override_options",
                    what,
                    "take no_address_mappings out, and filter with the second smtpd",
                );
                return;
            }
        }
    }

    /// The second pass compares the envelope sender as the queue has it.
    fn keeps_the_sender(&mut self) {
        for key in ["sender_canonical_maps", "canonical_maps"] {
            if !self.postconf.get(key).is_empty() {
                let what = "a sender that it rewrites is matched as rewritten in the second pass: entries for the envelope sender do not count";
                let remedy =
                    "name the rewriting domain in authentication.forwarders, or have the entries name the From address";
                self.warning(key, what, remedy);
            }
        }
    }

    /// FILTER, by which a message is split, goes round the filter that its first smtpd sets.
    fn filters_content(&mut self) {
        let second = format!("{}/inet", inet(self.config));
        let (theirs, _) = self.effective(&second, "content_filter");
        let theirs = theirs.to_owned();
        for service in self.edges() {
            let (ours, _) = self.effective(&service, "content_filter");
            if !ours.is_empty() && *ours != theirs {
                let what = format!("copies go round the content_filter of {service}, {ours}");
                let remedy = format!("write -o content_filter={ours} below {} in master.cf", inet(self.config));
                return self.error_in_master(format!("{second}/content_filter"), what, remedy);
            }
        }
    }

    /// The services by which mail comes from the network.
    pub(super) fn edges(&self) -> Vec<String> {
        let second = inet(self.config);
        let is_edge = |service: &&postconf::Service| service.command == "smtpd" && service.name != second;
        self.postconf.services.iter().filter(is_edge).map(|s| format!("{}/{}", s.name, s.kind)).collect()
    }

    fn queue_cost(&mut self) {
        let number = |text: &str| text.parse::<u64>().unwrap_or(0);
        let recipients = number(self.effective("smtp/inet", "smtpd_recipient_limit").0);
        let size = number(self.postconf.get("message_size_limit"));
        if recipients > MANY_RECIPIENTS {
            let megabytes = size.saturating_mul(recipients) / 1_000_000;
            let worst = if size == 0 { "without bound".to_owned() } else { format!("{megabytes} MB") };
            let what = format!(
                "a split message stands in the queue once for each recipient: the largest to {recipients} takes {worst}"
            );
            let remedy = format!("write -o smtpd_recipient_limit={RECIPIENT_LIMIT} below smtp inet in master.cf");
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

    fn marker_table(&mut self) {
        let checks = self.effective("cleanup/unix", "milter_header_checks").0.to_owned();
        let expected = filter(self.config);
        match self.postconf.first(&checks, &format!("{}: 0;in;;", split::HEADER)) {
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

    fn service(&mut self, service: &Service, key: Option<&SplitKey>) {
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

    fn setting(&mut self, service: &Service, setting: &Setting, key: Option<&SplitKey>) {
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
    fn is_sound(&self, setting: &Setting, value: &str, key: Option<&SplitKey>) -> bool {
        let words = |text: &str| words(text).map(str::to_owned).collect::<Vec<_>>();
        let holds_all = || words(&setting.value).iter().all(|word| words(value).contains(word));
        match setting.name {
            // What it is called in the log is the postmaster's to say.
            "syslog_name" => true,
            // The names hold a secret of the store.
            "smtp_helo_name" | "myhostname" if key.is_none() => true,
            "mynetworks" | "smtpd_client_event_limit_exceptions" | "smtpd_authorized_xforward_hosts" => {
                let network = match self.config.split.address.socket_address().ip() {
                    IpAddr::V4(_) => "127.0.0.0/8",
                    IpAddr::V6(_) => "[::1]/128",
                };
                words(value).iter().any(|word| word == network)
            }
            // More words would keep the milter, or the table that removes the trace, from being called.
            "receive_override_options" => holds_all() && words(value).len() == words(&setting.value).len(),
            "hopcount_limit" => {
                let number = |text: &str| text.parse::<u64>().unwrap_or(0);
                number(value) > number(self.postconf.get("hopcount_limit"))
            }
            "smtpd_milters" => self.calls_the_second_listener(value),
            "header_checks" => key.is_none_or(|key| {
                matches!(self.postconf.first(value, &received_line(key)), Lookup::Found(action) if action == "IGNORE")
            }),
            _ => words(value) == words(&setting.value),
        }
    }

    fn calls_the_second_listener(&self, value: &str) -> bool {
        let caller = self.caller("smtpd");
        let listeners = self.config.milter.listeners.iter().filter(|listener| listener.role == Role::Split);
        let addresses: Vec<_> = listeners.map(|listener| &listener.address).collect();
        let is_ours = |address: &str| addresses.iter().any(|listener| caller.reaches(address, listener));
        let found = entries(value);
        // One that signs may follow.
        let Some(entry) = found.first() else { return false };
        let action = entry.option("default_action").unwrap_or(self.postconf.get("milter_default_action"));
        is_ours(entry.address) && matches!(action, "tempfail" | "shutdown")
    }

    /// The value in force for a service, and whether it is main.cf's.
    pub(super) fn effective(&self, service: &str, name: &str) -> (&str, bool) {
        let set = self.postconf.overrides.iter().rfind(|set| set.service == service && set.name == name);
        set.map_or_else(|| (self.postconf.get(name), true), |set| (set.value.as_str(), false))
    }

    fn caller(&self, command: &str) -> Caller<'_> {
        let is_chrooted = self.postconf.services.iter().any(|s| s.command == command && s.is_chrooted);
        Caller { queue: Path::new(self.postconf.get("queue_directory")), is_chrooted }
    }
}
