//! What Sendmail needs in place of Postfix: lines of sendmail.mc, from which m4 makes sendmail.cf.
//!
//! Sendmail writes a listener as we do, but always with a host, and of an address in brackets it makes an invalid one
//! (8.17.1).

use std::path::Path;

use super::{Section, dovecot, reachable, sieve, socket_directories, uses_folders};
use crate::config::{Config, ListenAddress, Role};
use crate::policy::action::PersonalActions;

/// Local recipients keep what follows a `+`.
pub const KEEP_DETAIL: &str = "FEATURE(`preserve_local_plus_detail')dnl";
/// And the capitals in it.
pub const KEEP_CAPITALS: &str = "MODIFY_MAILER_FLAGS(`LOCAL', `+u')dnl";

/// The lines above the MAILER lines of sendmail.mc, and what goes with them.
pub fn sections(config: &Config) -> Vec<Section> {
    let section = |key, place: &str, lines| Section { key, place: place.to_owned(), lines };
    let mut sections = vec![
        section("commands", "as root, once", socket_directories(config).into_iter().flat_map(make_directory).collect()),
        section("sendmail.mc", "/etc/mail/sendmail.mc, above the MAILER lines; then make -C /etc/mail", mc(config)),
    ];
    if uses_folders(config) {
        sections.push(section("dovecot", "/etc/dovecot/conf.d/90-perso.conf", dovecot(config)));
    }
    if config.personal.actions.contains(PersonalActions::FOLDER)
        || config.personal.actions.contains(PersonalActions::MARK)
    {
        let place = "or a Sieve rule for all users, which leaves no trace in the log of Sendmail";
        sections.push(section("sieve", place, sieve(config)));
    }
    sections.retain(|section| !section.lines.is_empty());
    sections
}

/// The line that has Sendmail call a listener, with the timeouts that suit us; `F=T` is a temporary failure while it is down.
pub fn filter_line(address: &ListenAddress) -> String {
    format!("INPUT_MAIL_FILTER(`perso', `S={}, F=T, T=C:10s;S:30s;R:30s;E:60s')dnl", sendmail_address(address))
}

/// The line that has Sendmail take no more recipients a message than we do.
pub fn recipients_line(config: &Config) -> String {
    format!("define(`confMAX_RCPTS_PER_MESSAGE', `{}')dnl", config.milter.limits.recipients)
}

/// A listener as Sendmail writes it; one on every address is named by its loopback address.
fn sendmail_address(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Unix { path } => format!("unix:{}", path.display()),
        ListenAddress::Inet { port, host } => {
            format!("inet:{port}@{}", reachable(host.as_deref(), "0.0.0.0", "127.0.0.1"))
        }
        ListenAddress::Inet6 { port, host } => format!("inet6:{port}@{}", reachable(host.as_deref(), "::", "::1")),
    }
}

/// Sendmail, which opens the socket as root, needs no group. It takes none below a directory that others may write to.
fn make_directory(folder: &Path) -> [String; 3] {
    let folder = folder.display();
    [format!("mkdir -p {folder}"), format!("chown perso-milter: {folder}"), format!("chmod 0750 {folder}")]
}

fn mc(config: &Config) -> Vec<String> {
    let mut lines = vec![
        "dnl Mail by SMTP, that of sendmail(1) too. A filter that verifies senders or marks spam goes above this one."
            .to_owned(),
        "dnl F=T: while it is down senders try again later. Without F mail would pass unfiltered and unmarked."
            .to_owned(),
    ];
    let edge = config.milter.listeners.iter().filter(|listener| listener.role == Role::Edge);
    let mut filters = edge.map(|listener| filter_line(&listener.address));
    // One is enough: two listeners of one daemon would each mark the message.
    lines.extend(filters.next());
    lines.extend(filters.map(|line| format!("dnl or: {line}")));
    lines.push(recipients_line(config));
    if let Some(delimiter) = config.recipients.delimiter.filter(|_| uses_folders(config)) {
        lines.push(format!(
            "dnl user{delimiter}Folder@domain: local recipients keep what follows the {delimiter}, and its capitals."
        ));
        lines.extend([KEEP_DETAIL, KEEP_CAPITALS].map(str::to_owned));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn lines(text: &str, key: &str) -> Vec<String> {
        let config = parse("f", text).unwrap_or_else(|error| panic!("{error}")).config;
        let section = sections(&config).into_iter().find(|section| section.key == key);
        section.map(|section| section.lines).unwrap_or_default()
    }

    /// The macros among the lines, without comments.
    fn macros(text: &str) -> Vec<String> {
        lines(text, "sendmail.mc").into_iter().filter(|line| !line.starts_with("dnl ")).collect()
    }

    #[test]
    fn a_listener_is_written_as_sendmail_takes_it() {
        for (listener, expected) in [
            ("inet:8891@127.0.0.1", "inet:8891@127.0.0.1"),
            ("inet:8891", "inet:8891@127.0.0.1"),
            ("inet:8891@0.0.0.0", "inet:8891@127.0.0.1"),
            ("inet6:8891@[::1]", "inet6:8891@::1"),
            ("inet6:8891", "inet6:8891@::1"),
            ("unix:/run/perso-milter/milter.sock", "unix:/run/perso-milter/milter.sock"),
        ] {
            let address = listener.parse().expect("an address");
            assert_eq!(sendmail_address(&address), expected, "{listener}");
        }
    }

    #[test]
    fn one_edge_listener_is_called() {
        let text = "milter.listener = [{ address = 'inet:1@127.0.0.1', role = 'local' },
            { address = 'inet:2@127.0.0.1' }, { address = 'inet:3@127.0.0.1' }]";
        let filters: Vec<_> = macros(text).into_iter().filter(|line| line.contains("INPUT_MAIL_FILTER")).collect();
        assert_eq!(filters, ["INPUT_MAIL_FILTER(`perso', `S=inet:2@127.0.0.1, F=T, T=C:10s;S:30s;R:30s;E:60s')dnl"]);
    }

    #[test]
    fn each_line_is_there_where_it_is_needed() {
        let keeps = |text: &str| macros(text).contains(&KEEP_DETAIL.to_owned());
        assert!(!keeps(""));
        assert!(keeps("personal.actions = ['folder']"));
        assert!(keeps("black.action = 'junk'"));
        assert!(
            macros("milter.limits.recipients = 50")
                .contains(&"define(`confMAX_RCPTS_PER_MESSAGE', `50')dnl".to_owned())
        );
        assert!(lines("", "commands").is_empty());
        let unix = "milter.listener = [{ address = 'unix:/run/perso-milter/milter.sock' }]";
        assert_eq!(lines(unix, "commands")[2], "chmod 0750 /run/perso-milter");
    }
}
