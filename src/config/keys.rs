//! Every key by name, with its range.

use super::reader::Section;
use super::{Authentication, Black, Config, Console, Limits, Listener, Milter, Networks, Personal, value};
use crate::policy::action::PersonalActions;

/// Most names in one list of names.
const MAX_NAMES: usize = 50;
/// Most networks or domains in one list of them.
const MAX_NETWORKS: usize = 1000;
/// Most listeners.
const MAX_LISTENERS: usize = 64;

impl Config {
    pub(super) fn read(&mut self, root: &mut Section<'_, '_>) {
        root.section("milter", |s| self.milter.read(s));
        root.section("store", |s| s.unquoted_value("url", &mut self.store.url));
        root.section("personal", |s| self.personal.read(s));
        root.section("black", |s| self.black.read(s));
        root.section("white", |s| {
            s.list("spam_headers", MAX_NAMES, &mut self.white.spam_headers);
            if let Some(prefixes) = s.list_of("spam_prefixes", MAX_NAMES, value::tag) {
                self.white.spam_prefixes = prefixes;
            }
        });
        root.section("authentication", |s| self.authentication.read(s));
        root.section("recipients", |s| s.optional("delimiter", &mut self.recipients.delimiter));
        root.section("networks", |s| self.networks.read(s));
        root.section("split", |s| {
            s.optional("mode", &mut self.split.configured_mode);
            s.value("address", &mut self.split.address);
        });
        root.section("console", |s| self.console.read(s));
        root.section("log", |s| {
            s.value("level", &mut self.log.level);
            s.value("format", &mut self.log.format);
        });
    }
}

impl Milter {
    fn read(&mut self, section: &mut Section<'_, '_>) {
        section.count("threads", 0..=1024, &mut self.threads);
        section.each("listener", MAX_LISTENERS, &mut self.listeners, Listener::read);
        section.section("limits", |s| self.limits.read(s));
    }
}

impl Listener {
    fn read(section: &mut Section<'_, '_>) -> Self {
        let mut listener = Self::default();
        section.required("address");
        section.unquoted_value("address", &mut listener.address);
        section.value("role", &mut listener.role);
        section.value("mode", &mut listener.mode);
        section.optional("group", &mut listener.group);
        listener
    }
}

impl Limits {
    fn read(&mut self, section: &mut Section<'_, '_>) {
        section.count("frame", 64 << 10..=16 << 20, &mut self.frame);
        section.count("header_bytes", 64 << 10..=64 << 20, &mut self.header_bytes);
        section.count("headers", 10..=100_000, &mut self.headers);
        section.count("recipients", 1..=100_000, &mut self.recipients);
        section.count("connections", 1..=1_000_000, &mut self.connections);
        section.seconds("message_time", 10..=86_400, &mut self.message_time);
        section.seconds("handshake_time", 1..=600, &mut self.handshake_time);
        section.seconds("idle_time", 300..=604_800, &mut self.idle_time);
        section.seconds("drain_time", 0..=3600, &mut self.drain_time);
        section.count("output", 64 << 10..=64 << 20, &mut self.output);
    }
}

impl Personal {
    fn read(&mut self, section: &mut Section<'_, '_>) {
        if let Some(actions) = section.list_of("actions", 3, value::action) {
            self.actions = actions.into_iter().fold(PersonalActions::NONE, |all, action| all | action);
        }
        section.value_of("tag", value::tag, &mut self.tag);
        section.value("folder", &mut self.folder);
        section.flag("sensitivity", &mut self.sensitivity);
        section.value("outbound", &mut self.outbound);
    }
}

impl Black {
    fn read(&mut self, section: &mut Section<'_, '_>) {
        section.value("action", &mut self.action);
        section.value("late_action", &mut self.late_action);
        section.value("junk_folder", &mut self.junk_folder);
        section.value("reject_text", &mut self.reject_text);
    }
}

impl Authentication {
    fn read(&mut self, section: &mut Section<'_, '_>) {
        section.optional("mode", &mut self.configured_mode);
        section.list("authserv_ids", MAX_NAMES, &mut self.authserv_ids);
        section.count("hops", 0..=100, &mut self.hops);
        section.count("results", 1..=20, &mut self.results);
        self.forwarders = section.list_of("forwarders", MAX_NETWORKS, value::forwarder).unwrap_or_default();
    }
}

impl Networks {
    fn read(&mut self, section: &mut Section<'_, '_>) {
        section.list("ours", MAX_NETWORKS, &mut self.ours);
        section.list("trusted_relays", MAX_NETWORKS, &mut self.trusted_relays);
        section.list("submission_daemons", MAX_NAMES, &mut self.submission_daemons);
    }
}

impl Console {
    fn read(&mut self, section: &mut Section<'_, '_>) {
        section.optional("listen", &mut self.listen);
        section.optional("public_url", &mut self.public_url);
        section.optional("tls_certificate", &mut self.tls_certificate);
        section.optional("tls_key", &mut self.tls_key);
        section.list("trusted_proxies", MAX_NETWORKS, &mut self.trusted_proxies);
        section.value("language", &mut self.language);
        section.value("smtp", &mut self.smtp);
        section.optional("sender", &mut self.sender);
    }
}
