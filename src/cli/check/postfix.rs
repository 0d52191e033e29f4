//! The configuration beside the Postfix that is to call us: what would leave mail unfiltered, unmarked or undeliverable.
//! Only what bounces mail, or delivers a marker of ours, is an error: a Postfix may be set up after the milter.

mod milters;
mod split;

use std::collections::BTreeSet;

use super::postconf::{Postconf, words};
use crate::cli::postfix_config::uses_folders;
use crate::config::{Config, KeyLines, Parsed, Place, Problem, Role, Severity, SplitMode};
use crate::policy::action::OutboundAction;
use crate::split::SplitKey;

/// Every finding, in the order in which a postmaster meets them.
///
/// `key` is that of the store's split markers, where it can be had.
pub(super) fn findings(parsed: &Parsed, postconf: &Postconf, key: Option<&SplitKey>) -> Vec<Problem> {
    let mut check = Check { config: &parsed.config, lines: &parsed.lines, postconf, problems: Vec::new() };
    check.version();
    check.delimiter();
    check.milters("smtpd_milters", &[Role::Edge]);
    let local =
        if parsed.config.milter.listeners.iter().any(|l| l.role == Role::Local) { Role::Local } else { Role::Edge };
    check.milters("non_smtpd_milters", &[local]);
    check.global_milter_settings();
    check.overridden_milters();
    check.limits();
    check.copies();
    check.split(key);
    check.daemon_names();
    check.senders();
    check.problems
}

/// Where Postfix may be told to compare an envelope sender with the login, and the words that do.
const RESTRICTIONS: [&str; 6] = ["client", "helo", "sender", "relay", "recipient", "data"];
const COMPARING: [&str; 3] = [
    "reject_sender_login_mismatch",
    "reject_authenticated_sender_login_mismatch",
    "reject_known_sender_login_mismatch",
];

struct Check<'a> {
    config: &'a Config,
    lines: &'a KeyLines,
    postconf: &'a Postconf,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn find(&mut self, severity: Severity, key: &str, what: impl Into<String>, remedy: impl Into<String>) {
        let place = self.postconf.place();
        self.problems.push(Problem { severity, place, key: key.to_owned(), what: what.into(), remedy: remedy.into() });
    }

    fn warning(&mut self, key: &str, what: impl Into<String>, remedy: impl Into<String>) {
        self.find(Severity::Warning, key, what, remedy);
    }

    /// MILTER.md, "Headers": before these versions a header could be changed one off its place.
    fn version(&mut self) {
        let version = self.postconf.get("mail_version");
        if counts_headers_wrong(version) {
            let what =
                format!("Postfix {version} can change the header beside the one meant, after an access(5) PREPEND");
            self.warning("mail_version", what, "update to 3.5.25, 3.6.15, 3.7.11, 3.8.6 or later");
        }
    }

    fn delimiter(&mut self) {
        let theirs = self.postconf.get("recipient_delimiter").to_owned();
        let Some(ours) = self.config.recipients.delimiter else { return };
        if theirs.contains(ours.as_char()) {
            return;
        }
        let what = format!("it is \"{theirs}\" and recipients.delimiter is \"{ours}\"");
        if uses_folders(self.config) {
            let mut remedy = self.postconf.command(&format!("recipient_delimiter = {ours}"));
            if let Some(first) = theirs.chars().next() {
                remedy = format!("{remedy}, or write recipients.delimiter = \"{first}\"");
            }
            let what = format!("{what}: mail for a folder would bounce as sent to an unknown user");
            self.find(Severity::Error, "recipient_delimiter", what, remedy);
        } else if !theirs.is_empty() {
            let what = format!("{what}: the lists of user{theirs}detail would not be found");
            let remedy = format!("write recipients.delimiter = \"{}\"", theirs.chars().next().unwrap_or('+'));
            self.warning("recipient_delimiter", what, remedy);
        }
    }

    fn limits(&mut self) {
        let limits = &self.config.milter.limits;
        let theirs = self.postconf.get("smtpd_recipient_limit").parse().unwrap_or(0);
        if theirs > limits.recipients {
            let what = format!(
                "Postfix takes {theirs} recipients a message, milter.limits.recipients is {}",
                limits.recipients
            );
            let remedy = self.postconf.command(&format!("smtpd_recipient_limit = {}", limits.recipients));
            self.warning("smtpd_recipient_limit", what, remedy);
        }
        let idle = limits.idle_time.as_secs();
        if let Some(timeout) = self.postconf.seconds("smtpd_timeout").filter(|&timeout| timeout >= idle) {
            let what =
                format!("an SMTP client may idle {timeout} s, and milter.limits.idle_time closes after {idle} s");
            self.warning("smtpd_timeout", what, format!("write idle_time = {}", 2 * timeout));
        }
    }

    /// Recipients that Postfix adds after we have seen the message get it as we edited it.
    fn copies(&mut self) {
        if self.config.split_mode() != SplitMode::Off {
            return;
        }
        for key in ["always_bcc", "sender_bcc_maps", "recipient_bcc_maps"] {
            if !self.postconf.get(key).is_empty() {
                let what = "the copies that it makes carry the mark of a personal message too, since split.mode is off";
                let remedy = "tell the users, or remove it; whoever reads the copies sees which messages are personal";
                self.warning(key, what, remedy);
            }
        }
    }

    /// `{daemon_name}` is milter_macro_daemon_name, by default the host's name at every service.
    fn daemon_names(&mut self) {
        let everywhere = self.postconf.get("milter_macro_daemon_name");
        let set = self.postconf.overrides.iter().filter(|set| set.name == "milter_macro_daemon_name");
        let services: BTreeSet<&str> = set.map(|set| set.value.as_str()).collect();
        let mut problems = Vec::new();
        for name in &self.config.networks.submission_daemons {
            let key = "networks.submission_daemons";
            if name.as_str() == everywhere {
                let what =
                    format!("{name} is the milter_macro_daemon_name of port 25 too: all mail is taken for your users'");
                let remedy = "name one that only the submission services set in master.cf";
                problems.push(self.lines.problem(Severity::Warning, key, what, remedy));
            } else if !services.contains(name.as_str()) {
                let what = format!("no service of Postfix has {name} as its milter_macro_daemon_name");
                let remedy =
                    format!("add -o milter_macro_daemon_name={name} to submission and submissions in master.cf");
                problems.push(self.lines.problem(Severity::Warning, key, what, remedy));
            }
        }
        self.problems.append(&mut problems);
    }

    /// A login without its domain is compared with the sender's domain added to it: that of a namesake fits as well.
    fn senders(&mut self) {
        if self.config.personal.outbound == OutboundAction::Off {
            return;
        }
        let lets_any = |service: &String| {
            let compares = |kind: &str| {
                let (value, _) = self.effective(service, &format!("smtpd_{kind}_restrictions"));
                self.expanded(value).iter().any(|word| COMPARING.contains(&word.as_str()))
            };
            self.effective(service, "smtpd_sasl_auth_enable").0 == "yes"
                && !RESTRICTIONS.iter().any(|kind| compares(kind))
        };
        if let Some(service) = self.edges().into_iter().find(lets_any) {
            let what = format!(
                "{service} lets a login write any sender: with personal.outbound, users of one login name in two domains could try out each other's list"
            );
            let remedy = "name the owners in smtpd_sender_login_maps, and begin it with reject_sender_login_mismatch";
            self.warning("smtpd_sender_restrictions", what, remedy);
        }
    }

    /// The words of a value; `postconf -P` leaves the names of parameters in it (`$mua_sender_restrictions`).
    fn expanded(&self, value: &str) -> Vec<String> {
        let expand = |word: &str| match word.strip_prefix('$') {
            Some(name) => self.postconf.words(name.trim_matches(['{', '}', '(', ')'])).map(str::to_owned).collect(),
            None => vec![word.to_owned()],
        };
        words(value).flat_map(expand).collect()
    }
}

/// `version` is as in mail_version: `3.7.11`, or `3.9-20240101` for a snapshot.
fn counts_headers_wrong(version: &str) -> bool {
    let number = |part: &str| part.split('-').next().and_then(|digits| digits.parse::<u32>().ok());
    let mut parts = version.splitn(3, '.').map(number);
    let (Some(Some(major)), Some(Some(minor))) = (parts.next(), parts.next()) else { return false };
    let patch = parts.next().flatten().unwrap_or(0);
    match (major, minor) {
        (3, 5) => patch < 25,
        (3, 6) => patch < 15,
        (3, 7) => patch < 11,
        (3, 8) => patch < 6,
        _ => (major, minor) < (3, 5),
    }
}

/// The place of a service of master.cf.
fn master(place: &Place) -> Place {
    Place { file: place.file.replace("main.cf", "master.cf"), line: None }
}

#[cfg(test)]
mod tests;
