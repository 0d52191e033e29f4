use std::fs;
use std::process::Command;

use super::*;
use crate::config::parse;

const QUEUE: &str = "/var/spool/postfix";

fn config(text: &str) -> Config {
    parse("f", text).unwrap_or_else(|error| panic!("{error}")).config
}

fn lines(text: &str, key: &str) -> Vec<String> {
    let sections = sections(&config(text), None, &Directories::default());
    sections.into_iter().find(|section| section.key == key).map(|section| section.lines).unwrap_or_default()
}

/// The settings among the lines, without comments.
fn settings(text: &str) -> Vec<String> {
    lines(text, "main.cf").into_iter().filter(|line| !line.starts_with('#')).collect()
}

const UNIX: &str = "personal.actions = ['tag', 'folder', 'mark']
    networks.submission_daemons = ['ORIGINATING']
    [[milter.listener]]
    address = 'unix:/var/spool/postfix/perso-milter/milter.sock'
    [[milter.listener]]
    address = 'inet6:8892@::1'
    role = 'local'";

#[test]
fn a_listener_is_written_as_postfix_writes_it() {
    for (listener, expected) in [
        ("inet:8891@127.0.0.1", "inet:127.0.0.1:8891"),
        ("inet:8891@mx.example.org", "inet:mx.example.org:8891"),
        ("inet:8891", "inet:127.0.0.1:8891"),
        ("inet:8891@0.0.0.0", "inet:127.0.0.1:8891"),
        ("inet6:8891@2001:db8::1", "inet:[2001:db8::1]:8891"),
        ("inet6:8891", "inet:[::1]:8891"),
        ("unix:/var/spool/postfix/perso-milter/milter.sock", "unix:perso-milter/milter.sock"),
        ("unix:/run/perso-milter/milter.sock", "unix:/run/perso-milter/milter.sock"),
    ] {
        let address = listener.parse().expect("an address");
        assert_eq!(postfix_address(&address, Path::new(QUEUE)), expected, "{listener}");
    }
}

#[test]
fn the_edge_listener_serves_local_mail_where_no_other_does() {
    let [smtpd, non_smtpd, ..] = &settings("")[..] else { panic!("two settings") };
    assert_eq!(smtpd.replacen("smtpd_milters", "non_smtpd_milters", 1), *non_smtpd);
    let [smtpd, non_smtpd, ..] = &settings(UNIX)[..] else { panic!("two settings") };
    assert!(smtpd.contains("unix:perso-milter/milter.sock"), "{smtpd}");
    assert!(non_smtpd.contains("inet:[::1]:8892"), "{non_smtpd}");
}

#[test]
fn the_delimiter_is_set_where_a_folder_needs_it() {
    let needed = |text: &str| settings(text).contains(&"recipient_delimiter = +".to_owned());
    assert!(!needed(""));
    assert!(needed("personal.actions = ['folder']"));
    assert!(needed("black.action = 'junk'"));
    assert!(needed("black.late_action = 'junk'"));
}

#[test]
fn each_section_is_there_where_it_is_needed() {
    let keys = |text: &str| {
        sections(&config(text), None, &Directories::default()).iter().map(|section| section.key).collect::<Vec<_>>()
    };
    assert_eq!(keys(""), ["main.cf"]);
    assert_eq!(keys("personal.actions = ['mark']"), ["main.cf", "sieve"]);
    assert_eq!(keys(UNIX), ["commands", "main.cf", "master.cf", "dovecot", "sieve"]);
    assert_eq!(lines(UNIX, "master.cf"), ["  -o milter_macro_daemon_name=ORIGINATING"]);
    assert_eq!(lines(UNIX, "commands")[0], "mkdir -p /var/spool/postfix/perso-milter");
}

/// Runs a program that may not be installed; `None` where it is not.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program).args(arguments).env("PATH", path).output().ok()?;
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !complaint.contains("unused parameter"), "{program}: {complaint}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn postfix_accepts_the_lines() {
    for text in ["", UNIX] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("main.cf"), lines(text, "main.cf").join("\n") + "\n").expect("written");
        fs::write(folder.path().join("master.cf"), "").expect("written");
        let folder = folder.path().display().to_string();
        let Some(read) = output("postconf", &["-c", &folder, "-n"]) else { return };
        for setting in settings(text) {
            assert!(read.lines().any(|line| line == setting), "{setting} is not in\n{read}");
        }
    }
}

#[test]
fn dovecot_accepts_the_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("dovecot.conf");
    fs::write(&file, lines(UNIX, "dovecot").join("\n") + "\n").expect("written");
    let Some(read) = output("doveconf", &["-n", "-c", &file.display().to_string()]) else { return };
    assert!(read.lines().any(|line| line == "lmtp_save_to_detail_mailbox = yes"), "{read}");
}

/// The examples in `config/` are what the command prints.
#[test]
fn the_example_files_are_what_is_printed() {
    for (file, key) in [
        (include_str!("../../../config/postfix/main.cf"), "main.cf"),
        (include_str!("../../../config/postfix/master.cf"), "master.cf"),
        (include_str!("../../../config/dovecot/90-perso.conf"), "dovecot"),
        (include_str!("../../../config/dovecot/perso.sieve"), "sieve"),
    ] {
        let head: String = file.lines().take_while(|line| !line.is_empty()).collect();
        assert!(head.starts_with("# "), "{key}: the file says what it is");
        let body = file.split_once("\n\n").map_or("", |(_, body)| body);
        assert_eq!(body, lines(UNIX, key).join("\n") + "\n", "{key}");
    }
}

/// The unit kills the daemon only after it had its time to drain, and lets it reach what the configuration names.
#[test]
fn the_systemd_unit_fits_the_defaults() {
    let unit = include_str!("../../../config/systemd/perso-milter.service");
    let value = |key: &str| {
        let line = unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("{key} is missing"))
    };
    let stop: u64 = value("TimeoutStopSec").parse().expect("seconds");
    let limits = Config::default().milter.limits;
    assert!(stop > limits.drain_time.as_secs());
    let files: usize = value("LimitNOFILE").parse().expect("a number");
    assert!(files > limits.connections + 100);
    assert_eq!(value("WorkingDirectory"), format!("/var/lib/{}", value("StateDirectory")));
    assert_eq!(value("ExecReload"), "/bin/sh -c 'kill -HUP $MAINPID'");
}
