//! The configuration beside the Sendmail that is to call us: what would leave mail unfiltered, unmarked or undeliverable, and
//! what no Sendmail can do.

mod cf;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::listener::is_reached;
use super::{STANDS_AFTER, nobody_verifies};
use crate::cli::postfix_config::sendmail::{KEEP_CAPITALS, KEEP_DETAIL, filter_line, recipients_line};
use crate::cli::postfix_config::uses_folders;
use crate::config::{Config, KeyLines, ListenAddress, Listener, Parsed, Place, Problem, Role, Severity, SplitMode};
use crate::policy::action::PersonalActions;
pub(super) use cf::Cf;
use cf::Filter;

/// Where Debian has it.
const DEFAULT_CF: &str = "/etc/mail/sendmail.cf";

/// Timeouts below these cut messages off on a busy machine: the field of `T=`, what it is for, seconds.
const LEAST_TIMEOUTS: [(char, &str, u64); 4] =
    [('C', "connecting", 5), ('S', "sending", 10), ('R', "one answer", 10), ('E', "the end of a message", 30)];

/// What DontBlameSendmail must hold for Sendmail to accept directories that their group may write to.
const GROUP_MAY_WRITE: &str = "GroupWritableDirPathSafe";

/// Reads a sendmail.cf: the one that is named, else Debian's where it is there and calls one of our listeners.
///
/// # Errors
/// A problem to print: the file that is named cannot be read.
pub(super) fn read(named: Option<&Path>, listeners: &[Listener]) -> Result<Option<Cf>, Problem> {
    match (Cf::read(named.unwrap_or(Path::new(DEFAULT_CF))), named) {
        (Ok(cf), Some(_)) => Ok(Some(cf)),
        (Ok(cf), None) => {
            let is_ours = cf.filters().any(|filter| listeners.iter().any(|l| reaches(filter.socket, &l.address)));
            Ok(is_ours.then_some(cf))
        }
        (Err(_), None) => Ok(None),
        (Err(error), Some(named)) => Err(Problem {
            severity: Severity::Error,
            place: Place { file: named.display().to_string(), line: None },
            key: String::new(),
            what: match error.kind() {
                ErrorKind::NotFound => "no such file".to_owned(),
                _ => format!("it cannot be read: {error}"),
            },
            remedy: "name the sendmail.cf of the Sendmail that calls perso-milter".to_owned(),
        }),
    }
}

/// Every finding, in the order in which a postmaster meets them.
pub(super) fn findings(parsed: &Parsed, cf: &Cf) -> Vec<Problem> {
    let mut check = Check { config: &parsed.config, lines: &parsed.lines, cf, problems: Vec::new() };
    check.split();
    check.filters();
    check.daemons();
    check.limits();
    if uses_folders(&parsed.config) {
        check.folders();
    }
    check.problems
}

struct Check<'a> {
    config: &'a Config,
    lines: &'a KeyLines,
    cf: &'a Cf,
    problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    fn find(
        &mut self,
        severity: Severity,
        line: Option<usize>,
        key: &str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let place = self.cf.place(line);
        self.problems.push(Problem { severity, place, key: key.to_owned(), what: what.into(), remedy: remedy.into() });
    }

    fn warning(&mut self, line: Option<usize>, key: &str, what: impl Into<String>, remedy: impl Into<String>) {
        self.find(Severity::Warning, line, key, what, remedy);
    }

    /// Sendmail has nothing like the FILTER by which Postfix makes one copy for each recipient.
    fn split(&mut self) {
        const CANNOT: &str = "Sendmail cannot make one copy for each recipient";
        if self.config.split_mode() != SplitMode::Off {
            let what = format!("{CANNOT}: mail would be delivered unedited, with the marker of the split");
            let remedy = "write mode = \"off\" and remove the listener of the role split";
            self.problems.push(self.lines.problem(Severity::Error, "split.mode", what, remedy));
        }
        let what = format!("{CANNOT}: a message whose recipients need different header edits gets none of them");
        self.find(
            Severity::Note,
            None,
            "",
            what,
            "what concerns one recipient alone, such as a folder, is done all the same",
        );
    }

    /// The milter of this Sendmail that is one of our listeners for mail from the network.
    fn ours(&self) -> Option<Filter<'a>> {
        let listeners = &self.config.milter.listeners;
        let is_edge =
            |filter: &Filter<'_>| listeners.iter().any(|l| l.role == Role::Edge && reaches(filter.socket, &l.address));
        self.cf.filters().find(is_edge)
    }

    fn filters(&mut self) {
        let Some(ours) = self.ours() else {
            let edge = self.config.milter.listeners.iter().find(|listener| listener.role == Role::Edge);
            let remedy = edge.map_or_else(String::new, |edge| in_mc(&filter_line(&edge.address)));
            return self.warning(None, "InputMailFilters", "none of our listeners is in it: no mail is seen", remedy);
        };
        let key = format!("X{}", ours.name);
        self.address(&ours, &key);
        self.flags(&ours, &key);
        for (field, purpose, least) in LEAST_TIMEOUTS {
            let given = ours.timeouts.iter().find(|(given, _)| *given == field);
            if let Some((_, seconds)) = given.filter(|(_, seconds)| *seconds < least) {
                let what = format!("{purpose} may take {seconds} s: a busy moment loses the milter");
                self.warning(Some(ours.line), &key, what, format!("write {field}:{least}s or more in its T="));
            }
        }
        let called = self.cf.called();
        if called.first() == Some(&ours.name)
            && let Some((what, remedy)) = nobody_verifies(self.config)
        {
            self.warning(None, "InputMailFilters", what, remedy);
        }
        if uses_folders(self.config) && called.contains(&ours.name) && called.last() != Some(&ours.name) {
            let (what, remedy) = STANDS_AFTER;
            self.warning(None, "InputMailFilters", what, remedy);
        }
    }

    fn address(&mut self, ours: &Filter<'_>, key: &str) {
        let Some(path) = unix_path(ours.socket) else {
            if ours.socket.contains('[') {
                let what = "Sendmail 8.17 makes an invalid address of one in brackets, and connects to nothing";
                let address = ours.socket.replace(['[', ']'], "");
                self.find(Severity::Error, Some(ours.line), key, what, format!("write S={address}"));
            }
            return;
        };
        let group_may = self.cf.option("DontBlameSendmail").is_some_and(|(_, value)| value.contains(GROUP_MAY_WRITE));
        let unsafe_bits = if group_may { 0o002 } else { 0o022 };
        for folder in path.ancestors().skip(1) {
            if fs::metadata(folder).is_ok_and(|found| found.mode() & unsafe_bits != 0) {
                let folder = folder.display();
                let what = format!("Sendmail takes no socket below {folder}, which others than its owner may write to");
                let remedy =
                    format!("chmod go-w {folder}, or name a socket elsewhere, as unix:/run/perso-milter/milter.sock");
                self.find(Severity::Error, Some(ours.line), key, what, remedy);
            }
        }
    }

    fn flags(&mut self, ours: &Filter<'_>, key: &str) {
        let effect = match ours.flags {
            flags if flags.contains(['T', '4']) => return,
            flags if flags.contains('R') => "with F=R mail is refused for good while the milter is down",
            _ => "without F=T mail passes unfiltered and unmarked while the milter is down",
        };
        self.warning(Some(ours.line), key, effect, "write F=T there: the sender tries again later");
    }

    /// Who calls us: InputMailFilters, or a list of the daemon's own in its place.
    fn daemons(&mut self) {
        let called = self.cf.called();
        let daemons: Vec<_> = self.cf.daemons().collect();
        for name in &self.config.networks.submission_daemons {
            if !daemons.iter().any(|daemon| daemon.name == name.as_str()) {
                let what = format!("no DaemonPortOptions of Sendmail have the Name {}", name.as_str());
                let remedy = "name the daemons through which your users submit, as DAEMON_OPTIONS names them";
                let key = "networks.submission_daemons";
                self.problems.push(self.lines.problem(Severity::Warning, key, what, remedy));
            }
        }
        let Some(ours) = self.ours() else { return };
        let misses = |filters: &Option<Vec<&str>>| !filters.as_ref().unwrap_or(&called).contains(&ours.name);
        if !called.contains(&ours.name) && daemons.iter().all(|daemon| misses(&daemon.filters)) {
            let what = "it is defined and not called: no mail is seen";
            let remedy = "write INPUT_MAIL_FILTER in place of MAIL_FILTER, or add it to confINPUT_MAIL_FILTERS";
            return self.warning(Some(ours.line), &format!("X{}", ours.name), what, remedy);
        }
        for daemon in daemons.iter().filter(|daemon| misses(&daemon.filters)) {
            let what = format!("the daemon {} has milters of its own, without ours: its mail is not seen", daemon.name);
            let remedy = format!("add {} to its InputMailFilters, or leave it so if that is meant", ours.name);
            self.warning(Some(daemon.line), "DaemonPortOptions", what, remedy);
        }
    }

    fn limits(&mut self) {
        let limits = &self.config.milter.limits;
        let option = self.cf.option("MaxRecipientsPerMessage");
        let most = option.and_then(|(_, value)| value.parse().ok()).filter(|most| *most > 0);
        if most.is_none_or(|most: usize| most > limits.recipients) {
            let theirs = most.map_or_else(|| "any number of".to_owned(), |most| most.to_string());
            let ours = limits.recipients;
            let what = format!("Sendmail takes {theirs} recipients a message, milter.limits.recipients is {ours}");
            let remedy = in_mc(&recipients_line(self.config));
            self.warning(option.map(|(line, _)| line), "MaxRecipientsPerMessage", what, remedy);
        }
        let option = self.cf.option("Timeout.command");
        let idle = limits.idle_time.as_secs();
        if let Some(timeout) = option.and_then(|(_, value)| cf::seconds(value)).filter(|&timeout| timeout >= idle) {
            let what =
                format!("an SMTP client may idle {timeout} s, and milter.limits.idle_time closes after {idle} s");
            let remedy = format!("write idle_time = {}", 2 * timeout);
            self.warning(option.map(|(line, _)| line), "Timeout.command", what, remedy);
        }
    }

    /// What becomes of `user+Folder` on its way to the local mailer.
    fn folders(&mut self) {
        if let Some(delimiter) = self.config.recipients.delimiter.filter(|delimiter| delimiter.as_char() != '+') {
            let what = format!("Sendmail knows no delimiter but \"+\": mail for user{delimiter}folder would bounce");
            let problem = self.lines.problem(Severity::Error, "recipients.delimiter", what, "write delimiter = \"+\"");
            self.problems.push(problem);
        }
        let Some(local) = self.cf.mailer("local") else { return };
        let line = Some(local.line);
        // A mailer that is given $h is told what followed the +, though not as a part of the recipient.
        if self.cf.drops_detail() && !local.arguments.contains("$h") {
            let what = "local recipients lose what follows the +: mail for a folder arrives in the inbox";
            self.warning(line, "Mlocal", what, in_mc(KEEP_DETAIL));
        } else if !local.flags.contains('u')
            && let Some(folder) = self.folder_with_capitals()
        {
            let small = folder.to_lowercase();
            let what = format!("it writes recipients in small letters: mail for {folder} arrives in {small}");
            self.warning(line, "Mlocal", what, in_mc(KEEP_CAPITALS));
        }
    }

    fn folder_with_capitals(&self) -> Option<&'a str> {
        let config = self.config;
        let personal = config.personal.actions.contains(PersonalActions::FOLDER);
        let folders = [personal.then(|| config.personal.folder.as_str()), Some(config.black.junk_folder.as_str())];
        folders.into_iter().flatten().find(|folder| folder.chars().any(char::is_uppercase))
    }
}

fn in_mc(line: &str) -> String {
    format!("in sendmail.mc, above the MAILER lines, write {line}")
}

/// The path of a unix socket as Sendmail writes it, which may leave out what kind it is.
fn unix_path(socket: &str) -> Option<&Path> {
    match socket.split_once(':') {
        None => Some(Path::new(socket)),
        Some((kind, path)) if ["", "unix", "local"].iter().any(|known| kind.eq_ignore_ascii_case(known)) => {
            Some(Path::new(path))
        }
        Some(_) => None,
    }
}

/// Whether a connection to `socket`, as Sendmail writes it, arrives at `listener`.
fn reaches(socket: &str, listener: &ListenAddress) -> bool {
    if let (Some(theirs), ListenAddress::Unix { path }) = (unix_path(socket), listener) {
        return theirs == path;
    }
    let Some((port, host)) = socket.split_once(':').and_then(|(_, rest)| rest.split_once('@')) else { return false };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    port.parse().is_ok_and(|port: u16| is_reached(listener, (host, port)))
}

#[cfg(test)]
mod tests;
