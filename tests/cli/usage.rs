//! What holds for every command: help, where the configuration comes from, a reader that goes away.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::harness::{Answer, Place, STORE_COMMANDS, answer, program};

/// Every command. The test below finds those that are missing here.
const COMMANDS: [&str; 47] = [
    "",
    "run",
    "check",
    "demo",
    "postfix-config",
    "explain",
    "org",
    "org add",
    "org list",
    "org show",
    "org set",
    "org remove",
    "org domain",
    "org protect",
    "org group",
    "org entry",
    "user",
    "user add",
    "user list",
    "user show",
    "user disable",
    "user enable",
    "user remove",
    "user alias",
    "user set",
    "user import",
    "entry",
    "entry add",
    "entry remove",
    "entry list",
    "entry import",
    "entry export",
    "staff",
    "staff add",
    "staff list",
    "staff disable",
    "staff enable",
    "staff reset",
    "staff remove",
    "probe",
    "probe send",
    "probe confirm",
    "probe list",
    "probe forget",
    "bench",
    "bench seed",
    "help",
];

fn words(command: &str) -> Vec<&str> {
    command.split_whitespace().collect()
}

/// The names under "Commands:" of a help text.
fn subcommands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let name = |line: &str| line.strip_prefix("  ")?.split_whitespace().next().map(str::to_owned);
    lines.filter(|line| !line.starts_with("   ")).filter_map(name).collect()
}

#[test]
fn every_command_has_help_that_says_what_it_takes() {
    let place = Place::new();
    let mut listed = BTreeSet::from([String::new()]);
    for command in COMMANDS.iter().filter(|command| **command != "help") {
        let mut arguments = words(command);
        arguments.push("--help");
        let help = place.run(&arguments).done();
        let usage = format!("Usage: perso-milter {command}");
        assert!(help.contains(usage.trim_end()), "{help}");
        assert!(help.lines().next().is_some_and(|line| line.len() > 8), "{command} says nothing of itself: {help}");
        // A description stands behind the option, or, where there is more to say, on the next line.
        let lines = help.lines().zip(help.lines().skip(1).chain([""]));
        let mut options = lines.filter(|(line, _)| line.trim_start().starts_with("-") && line.trim().len() < 10);
        let undescribed = options.find(|(_, next)| !next.starts_with("          ")).map(|(line, _)| line);
        assert!(undescribed.is_none_or(|line| line.contains("--json")), "{command}: {undescribed:?}");
        listed.extend(subcommands(&help).iter().map(|name| format!("{command} {name}").trim().to_owned()));
    }
    listed.retain(|command| !command.ends_with(" help"));
    assert_eq!(listed, COMMANDS.map(str::to_owned).into());
    assert!(!place.database().exists(), "help touches no store");
}

#[test]
fn the_version_is_told() {
    let place = Place::new();
    assert_eq!(place.run(&["--version"]).done(), format!("perso-milter {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_is_no_command_is_refused_with_the_usage() {
    let place = Place::new();
    for arguments in [
        vec![],
        vec!["frobnicate"],
        vec!["org"],
        vec!["org", "add", "acme"],
        vec!["org", "entry", "add", "acme", "sometimes", "white", "a@b.example"],
        vec!["user", "add"],
        vec!["user", "alias", "rename", "a@b.example", "c@b.example"],
        vec!["entry", "add", "a@b.example", "grey", "c@d.example"],
        vec!["entry", "add", "a@b.example", "white"],
        vec!["entry", "import"],
        vec!["staff"],
        vec!["staff", "add", "root@relay.example"],
        vec!["staff", "add", "root@relay.example", "--manager"],
        vec!["probe"],
        vec!["probe", "send"],
        vec!["probe", "send", "anne@acme.example", "--junk", "--folder", "Perso"],
        vec!["probe", "send", "anne@acme.example", "--folder", "a b"],
        vec!["probe", "send", "anne@acme.example", "--smtp", "mx.example.org"],
        vec!["probe", "confirm"],
        vec!["probe", "forget", "acme", "INBOX"],
        vec!["explain", "message.eml"],
        vec!["run", "--only", "everything"],
        vec!["check", "--file-only", "--postconf-dir", "/"],
        vec!["check", "--file-only", "--sendmail-cf", "/"],
        vec!["postfix-config", "--sendmail", "--config-directory", "/"],
        vec!["org", "list", "--frobnicate"],
        vec!["bench"],
        vec!["bench", "8891"],
        vec!["bench", "inet:8891@127.0.0.1", "--recipients", "101"],
        vec!["bench", "inet:8891@127.0.0.1", "--rounds", "5"],
        vec!["bench", "inet:8891@127.0.0.1", "--duration", "0"],
        vec!["bench", "seed", "--messages", "5"],
    ] {
        let stderr = place.run(&arguments).misused();
        assert!(stderr.contains("Usage: perso-milter") || stderr.contains("try '--help'"), "{arguments:?}: {stderr}");
    }
    let stderr = place.run(&["entry", "add", "a@b.example", "grey", "c@d.example"]).misused();
    assert!(stderr.contains("the list must be white, black or personal"), "{stderr}");
    let stderr = place.run(&["org", "entry", "add", "acme", "sometimes", "white", "a@b.example"]).misused();
    assert!(stderr.contains("the level must be enforced or default"), "{stderr}");
}

#[test]
fn the_configuration_is_named_before_the_command_within_it_or_after_it_or_by_the_variable() {
    let named = |arguments: &[&str], variable: Option<&Path>| {
        let place = Place::new();
        let config = place.config();
        let arguments =
            arguments.iter().map(|text| if *text == "FILE" { config.to_str().expect("UTF-8") } else { text });
        let mut command = program(place.dir());
        command.args(arguments);
        if let Some(variable) = variable {
            command.env("PERSO_MILTER_CONFIG", if variable == Path::new("FILE") { &config } else { variable });
        }
        answer(&mut command).done();
        assert!(place.database().exists(), "the store that the configuration names is used");
    };
    let wrong = Path::new("/nonexistent/perso-milter.toml");
    named(&["org", "list", "-c", "FILE"], None);
    named(&["org", "-c", "FILE", "list"], None);
    named(&["-c", "FILE", "org", "list"], None);
    named(&["org", "list", "--config", "FILE"], None);
    named(&["--config", "FILE", "org", "list", "--json"], None);
    named(&["org", "list"], Some(Path::new("FILE")));
    named(&["org", "list", "-c", "FILE"], Some(wrong));
    named(&["-c", "FILE", "org", "list"], Some(wrong));
}

#[test]
fn check_and_postfix_config_take_the_configuration_in_both_places_too() {
    let place = Place::new();
    let file = place.config();
    let file = file.to_str().expect("UTF-8");
    for arguments in [["-c", file, "check", "--file-only"], ["check", "-c", file, "--file-only"]] {
        let stdout = answer(program(place.dir()).args(arguments)).done();
        assert_eq!(stdout, format!("{file}: no problem found\n"));
    }
    for arguments in [["-c", file, "postfix-config"], ["postfix-config", "-c", file]] {
        let stdout = answer(program(place.dir()).args(arguments)).done();
        assert!(stdout.contains("milter.sock"), "{stdout}");
    }
}

/// Without any configuration the store lies in the working directory.
#[test]
fn the_built_in_defaults_just_work() {
    let usual = Path::new("/etc/perso-milter/perso-milter.toml");
    assert!(!usual.exists(), "this machine has a configuration of its own, which this test would use");
    for variable in [None, Some("")] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut command = program(dir.path());
        command.args(["org", "add", "acme", "--domain", "acme.example"]);
        if let Some(variable) = variable {
            command.env("PERSO_MILTER_CONFIG", variable);
        }
        assert_eq!(answer(&mut command).done(), "organisation acme added\n");
        for name in ["perso-milter.db", "match.key", "seal.key"] {
            let facts = fs::metadata(dir.path().join(name)).expect("a file");
            assert_eq!(facts.permissions().mode() & 0o7777, 0o600, "{name}");
        }
        let answer = answer(program(dir.path()).args(["check", "--file-only"]));
        assert!(answer.stdout.ends_with("built-in defaults: no error found, 1 warning\n"), "{answer:#?}");
    }
}

#[test]
fn every_command_refuses_a_configuration_that_is_missing_or_wrong() {
    let place = Place::new().with_files();
    let missing = place.dir().join("none.toml");
    let wrong = place.write("wrong.toml", b"[personal]\ntags = \"x\"\n\n[authentication]\nmode = \"of\"\n");
    let expect_missing = format!("{}: no such file; create it, correct -c, or leave it out", missing.display());
    let expect_wrong = [
        format!("{}:2: personal.tags: there is no such key; did you mean tag?\n", wrong.display()),
        format!("{}:5: authentication.mode: ", wrong.display()),
    ];
    let run = |arguments: &[&str], file: &PathBuf| answer(program(place.dir()).args(arguments).arg("-c").arg(file));
    let others: [&[&str]; 3] = [&["check"], &["check", "--file-only"], &["postfix-config"]];
    for arguments in STORE_COMMANDS.iter().chain(&others) {
        for (file, expected) in [(&missing, std::slice::from_ref(&expect_missing)), (&wrong, &expect_wrong)] {
            let Answer { code, stdout, stderr } = run(arguments, file);
            // `check` answers with the problems; elsewhere they are why nothing was done.
            let (said, other) = if arguments[0] == "check" { (stdout, stderr) } else { (stderr, stdout) };
            assert_eq!((code, other.as_str()), (Some(2), ""), "{arguments:?}: {said}");
            for expected in expected {
                assert!(said.contains(expected), "{arguments:?}: {said}");
            }
            assert!(said.lines().all(|line| line.contains("; ") || arguments[0] == "check"), "no remedy: {said}");
        }
    }
    assert!(!place.database().exists() && !place.dir().join("perso-milter.db").exists(), "and touches no store");
}

/// `perso-milter user list | head -1`
#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    let place = Place::acme().with_files();
    for list in perso_milter::policy::list::ListKind::ALL {
        place.grant("anne@acme.example", list);
    }
    place.run(&["entry", "add", "anne@acme.example", "white", "friend@famille.example"]).done();
    let others: [&[&str]; 3] = [&["check", "--file-only"], &["check", "--print-default"], &["postfix-config"]];
    for arguments in STORE_COMMANDS.iter().chain(&others).filter(|arguments| arguments[0] != "run") {
        // Those that read come before what they read is removed.
        if arguments.contains(&"remove") {
            continue;
        }
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = place.command(arguments).stdout(writer).output().expect("the program");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*stderr), (Some(1), ""), "{arguments:?}");
    }
}
