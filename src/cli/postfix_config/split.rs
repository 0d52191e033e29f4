//! What Postfix needs to split messages: two tables, two settings of main.cf, and three services of master.cf.
//!
//! Each service states for itself whatever it would otherwise inherit from main.cf and could not bear; `check` holds the
//! running Postfix against the same list. The reasons are what was seen without the line.

use std::net::IpAddr;

use super::{Directories, milter_entry};
use crate::config::{Config, Role};
use crate::split::{self, SplitKey};

/// The transport that takes the copies to the second smtpd.
pub const TRANSPORT: &str = "perso-split";
/// The cleanup of the second pass.
pub const CLEANUP: &str = "cleanup-split";
/// The table that has a marked message split, in Postfix's config_directory.
pub const MARKER_TABLE: &str = "perso-milter-split";
/// The table that removes the trace of the second pass, likewise.
pub const RECEIVED_TABLE: &str = "perso-milter-received";
/// Most recipients of one message that are advisable: each gets a copy in the queue.
pub const RECIPIENT_LIMIT: usize = 100;
/// More Received headers than any Postfix takes at its first smtpd.
const HOPS: usize = 1000;

/// One service of master.cf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// `perso-split`, `127.0.0.1:10026`, `cleanup-split`.
    pub name: String,
    /// `unix` or `inet`.
    pub kind: &'static str,
    /// How many processes, as master.cf has it.
    pub processes: &'static str,
    /// The program.
    pub command: &'static str,
    /// What it states for itself.
    pub settings: Vec<Setting>,
}

/// A parameter that a service states for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// What happens where another value is in force.
    pub danger: &'static str,
}

impl Setting {
    /// As master.cf has it behind `-o`: braces around a value that holds blanks or commas.
    pub fn text(&self) -> String {
        let Self { name, value, .. } = self;
        if value.contains([' ', ',', '{']) { format!("{{ {name}={value} }}") } else { format!("{name}={value}") }
    }
}

impl Service {
    /// The name as `postconf -P` writes it: `perso-split/unix`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.name, self.kind)
    }

    fn lines(&self) -> Vec<String> {
        let head = format!("{} {} {} - y - {} {}", self.name, self.kind, self.privacy(), self.processes, self.command);
        let option = |setting: &Setting| format!("  -o {}", setting.text());
        std::iter::once(head).chain(self.settings.iter().map(option)).collect()
    }

    /// Only cleanup is reached by processes of other users' making (sendmail by way of postdrop): as in Debian's file.
    fn privacy(&self) -> &'static str {
        if self.name == TRANSPORT { "-" } else { "n" }
    }
}

/// Lines of main.cf.
pub(super) fn main_cf(config: &Config, directories: &Directories) -> Vec<String> {
    vec![
        "# What the milter marks is split. Tables that are here already stay, before this one.".to_owned(),
        format!("milter_header_checks = {}", table(directories, MARKER_TABLE)),
        format!("{TRANSPORT}_destination_recipient_limit = 1"),
        format!(
            "# A split message stands in the queue once for each recipient; copies go to {}.",
            config.split.address
        ),
        format!("smtpd_recipient_limit = {RECIPIENT_LIMIT}"),
        "# One recipient a delivery, split or not: the trace of the mailbox server would tell them apart.".to_owned(),
        "lmtp_destination_recipient_limit = 1".to_owned(),
        "relay_destination_recipient_limit = 1".to_owned(),
    ]
}

fn table(directories: &Directories, name: &str) -> String {
    format!("regexp:{}", directories.configuration.join(name).display())
}

/// The table that has a marked message split.
pub(super) fn marker_table(config: &Config, key: &SplitKey) -> Vec<String> {
    let pattern = format!("/^{}:[[:space:]]*{}(;.*)?$/", split::HEADER, key.token());
    vec![format!("{pattern} {}", filter(config))]
}

/// What the table answers to the marker.
pub fn filter(config: &Config) -> String {
    let address = config.split.address.socket_address();
    format!("FILTER {TRANSPORT}:[{}]:{}", bracketed(address.ip()), address.port())
}

fn bracketed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("ipv6:{ip}"),
    }
}

/// The table that removes the trace of the second pass.
pub(super) fn received_table(key: &SplitKey) -> Vec<String> {
    let [client, server] = key.host_names().map(|name| name.replace('.', "\\."));
    vec![format!("/^Received: from {client} \\(.*\\)[[:space:]]+by {server} \\(/ IGNORE")]
}

/// A line as the second smtpd writes it, for `check` to try the table with.
pub fn received_line(key: &SplitKey) -> String {
    let [client, server] = key.host_names();
    format!("Received: from {client} (localhost [127.0.0.1]) by {server} (Postfix) with ESMTP id 1")
}

/// Lines of master.cf.
pub(super) fn master_cf(config: &Config, key: &SplitKey, directories: &Directories) -> Vec<String> {
    services(config, key, directories).iter().flat_map(Service::lines).collect()
}

/// The services of the second pass, in the order of a message's way through them.
pub fn services(config: &Config, key: &SplitKey, directories: &Directories) -> Vec<Service> {
    let [client, server] = key.host_names();
    let address = config.split.address.socket_address();
    let inet = match address.ip() {
        IpAddr::V4(_) => address.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]:{}", address.port()),
    };
    let milter = config.milter.listeners.iter().find(|listener| listener.role == Role::Split);
    let milter = milter.map(|listener| milter_entry(&listener.address, &directories.queue)).unwrap_or_default();
    vec![
        Service {
            name: TRANSPORT.to_owned(),
            kind: "unix",
            processes: "20",
            command: "smtp",
            settings: transport(client),
        },
        Service { name: inet, kind: "inet", processes: "-", command: "smtpd", settings: smtpd(server, milter) },
        Service {
            name: CLEANUP.to_owned(),
            kind: "unix",
            processes: "0",
            command: "cleanup",
            settings: cleanup(directories),
        },
    ]
}

fn settings(rows: Vec<(&'static str, String, &'static str)>) -> Vec<Setting> {
    rows.into_iter().map(|(name, value, danger)| Setting { name, value, danger }).collect()
}

fn transport(helo: String) -> Vec<Setting> {
    let empty = String::new;
    let text = str::to_owned;
    settings(vec![
        ("smtp_helo_name", helo, "the trace of the second pass is not removed: recipients see which copies were split"),
        ("smtp_send_xforward_command", text("yes"), "the log of the second pass does not know the sender's host"),
        ("disable_mime_output_conversion", text("yes"), "8-bit bodies are recoded in the copies alone"),
        ("smtp_line_length_limit", text("0"), "long lines are broken in the copies alone"),
        ("smtp_tls_security_level", text("none"), "with encrypt every copy stays in the queue"),
        ("smtp_tls_policy_maps", empty(), "a policy for this host keeps every copy in the queue"),
        ("smtp_tls_wrappermode", text("no"), "every copy stays in the queue"),
        ("smtp_sasl_auth_enable", text("no"), "every copy stays in the queue"),
        ("smtp_fallback_relay", empty(), "while the second smtpd is down copies leave with the marker in them"),
        ("smtp_discard_ehlo_keywords", empty(), "notification settings of the sender are lost"),
        ("smtp_discard_ehlo_keyword_address_maps", empty(), "notification settings of the sender are lost"),
        ("smtp_generic_maps", empty(), "addresses are rewritten before the copies are decided"),
        ("smtp_header_checks", empty(), "headers are changed in the copies alone"),
        ("smtp_mime_header_checks", empty(), "headers are changed in the copies alone"),
        ("smtp_nested_header_checks", empty(), "headers are changed in the copies alone"),
        ("smtp_body_checks", empty(), "bodies are changed in the copies alone"),
        ("smtp_bind_address", empty(), "the second smtpd refuses the copies as a stranger's"),
        ("smtp_bind_address6", empty(), "the second smtpd refuses the copies as a stranger's"),
        ("smtp_delivery_status_filter", empty(), "an answer of the second smtpd may become a bounce"),
        ("smtp_reply_filter", empty(), "an answer of the second smtpd may become a bounce"),
    ])
}

fn smtpd(name: String, milter: String) -> Vec<Setting> {
    let empty = String::new;
    let text = str::to_owned;
    settings(vec![
        ("myhostname", name, "Postfix takes its second pass for a loop, and recipients see which copies were split"),
        ("syslog_name", text("postfix/perso-split"), "its lines in the log look like those of port 25"),
        ("smtpd_milters", milter, "copies are delivered unedited, with the marker in them"),
        ("smtpd_milter_maps", empty(), "an entry for this host keeps the milter from being called"),
        ("cleanup_service_name", text(CLEANUP), "recipients see which copies were split"),
        ("mynetworks", text("127.0.0.0/8,[::1]/128"), "copies are refused, or strangers let in"),
        ("smtpd_client_restrictions", empty(), "copies may be refused"),
        ("smtpd_helo_restrictions", empty(), "copies may be refused"),
        ("smtpd_helo_required", text("no"), "copies may be refused"),
        ("smtpd_sender_restrictions", empty(), "copies may be refused, and bounce"),
        ("smtpd_relay_restrictions", text("permit_mynetworks,reject"), "copies may be refused, and bounce"),
        ("smtpd_recipient_restrictions", text("permit_mynetworks,reject"), "copies may be refused, and bounce"),
        ("smtpd_data_restrictions", empty(), "copies may be refused, and bounce"),
        ("smtpd_end_of_data_restrictions", empty(), "copies may be refused, and bounce"),
        ("smtpd_reject_unlisted_sender", text("no"), "copies may be refused, and bounce"),
        ("strict_rfc821_envelopes", text("no"), "copies may be refused, and bounce"),
        ("smtpd_client_event_limit_exceptions", text("127.0.0.0/8,[::1]/128"), "copies are throttled"),
        ("smtpd_authorized_xforward_hosts", text("127.0.0.0/8,[::1]/128"), "the log does not know the sender's host"),
        ("smtpd_discard_ehlo_keywords", empty(), "notification settings of the sender are lost"),
        ("smtpd_discard_ehlo_keyword_address_maps", empty(), "notification settings of the sender are lost"),
        ("smtpd_tls_security_level", text("none"), "with encrypt every copy stays in the queue"),
        ("smtpd_tls_wrappermode", text("no"), "every copy stays in the queue"),
        ("smtpd_sasl_auth_enable", text("no"), "copies may be refused"),
        ("smtpd_upstream_proxy_protocol", empty(), "every copy stays in the queue"),
        ("smtpd_proxy_filter", empty(), "copies go round the milter"),
        ("smtpd_command_filter", empty(), "recipients may be rewritten"),
        ("message_size_limit", text("0"), "a large message is taken at the edge and bounced for all"),
        ("local_header_rewrite_clients", empty(), "Date, Message-Id and addresses are rewritten in the copies alone"),
        (
            "receive_override_options",
            text("no_unknown_recipient_checks,no_address_mappings"),
            "aliases are expanded twice, and always_bcc copies twice",
        ),
        // The filter that port 25 sets for itself goes here too: FILTER would go round it.
        ("content_filter", empty(), "a filter of main.cf sees copies a second time"),
    ])
}

fn cleanup(directories: &Directories) -> Vec<Setting> {
    let empty = String::new;
    let twice = "it is applied twice, to the copies alone";
    settings(vec![
        ("header_checks", table(directories, RECEIVED_TABLE), "recipients see which copies were split"),
        ("mime_header_checks", empty(), twice),
        ("nested_header_checks", empty(), twice),
        ("body_checks", empty(), twice),
        ("milter_header_checks", empty(), "what the milter adds may be filtered again"),
        ("always_bcc", empty(), "it is copied twice"),
        ("sender_bcc_maps", empty(), "it is copied twice"),
        ("recipient_bcc_maps", empty(), "it is copied twice"),
        ("message_size_limit", "0".to_owned(), "a large message is taken at the edge and bounced for all"),
        ("hopcount_limit", HOPS.to_string(), "a message with many Received headers is taken at the edge and bounced"),
    ])
}
