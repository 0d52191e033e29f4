//! `check` on a Sendmail: each file of fixtures/sendmail with the findings beside it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::Place;

/// A listener where the files expect one, folders, and this much more.
fn place(more: &str) -> Place {
    let place = Place::new();
    let text = format!(
        "[authentication]\nmode = 'off'\n[store]\nurl = 'sqlite:{}'\n[personal]\nactions = ['folder']\n\
         [[milter.listener]]\naddress = 'inet:8891@127.0.0.1'\n{more}",
        place.database().display()
    );
    place.write("perso-milter.toml", text.as_bytes());
    place
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sendmail").join(name)
}

/// What `check` says of a file of the folder, one line each, and its exit code.
fn findings(place: &Place, name: &str) -> (String, Option<i32>) {
    let path = fixture(name);
    let answer = place.run(&["check", "--sendmail-cf", path.to_str().expect("a path in UTF-8")]);
    assert_eq!(answer.stderr, "");
    let folder = format!("{}/", fixture("").display().to_string().trim_end_matches('/'));
    let lines = answer.stdout.lines().filter_map(|line| line.strip_prefix(&folder));
    (lines.map(|line| format!("{line}\n")).collect(), answer.code)
}

#[test]
fn each_file_has_the_findings_beside_it() {
    let place = place("");
    let mut names: Vec<_> =
        fs::read_dir(fixture("")).expect("our own folder").flatten().map(|file| file.path()).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "cf"));
    assert!(names.len() >= 4, "{names:?}");
    for path in names {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8");
        let expected = fs::read_to_string(path.with_extension("expected")).expect("a file beside");
        let (found, code) = findings(&place, name);
        assert_eq!(found, expected, "{name}");
        let has_errors = expected.lines().any(|line| !line.contains(" note: ") && !line.contains(" warning: "));
        assert_eq!(code, Some(if has_errors { 2 } else { 0 }), "{name}");
    }
}

#[test]
fn a_split_behind_sendmail_is_an_error() {
    let place =
        place("[[milter.listener]]\naddress = 'inet:8892@127.0.0.1'\nrole = 'split'\n[split]\nmode = 'edits'\n");
    let path = fixture("as-printed.cf");
    let answer = place.run(&["check", "--sendmail-cf", path.to_str().expect("a path in UTF-8")]);
    assert_eq!(answer.code, Some(2), "{answer:?}");
    let line = format!("{}:13: split.mode: Sendmail cannot make one copy for each recipient", place.config().display());
    assert!(answer.stdout.lines().any(|found| found.starts_with(&line)), "{answer:?}");
}

/// The machine has one MTA: where it is Sendmail, nothing is said of a Postfix that is there beside it.
#[test]
fn postfix_is_not_compared_with_unless_it_is_named() {
    let place = place("");
    let path = fixture("as-printed.cf");
    let answer = place.run(&["check", "--sendmail-cf", path.to_str().expect("a path in UTF-8")]).done();
    assert!(!answer.contains("smtpd_milters"), "{answer}");
}

#[test]
fn a_file_that_is_named_and_missing_is_an_error() {
    let place = place("");
    let answer = place.run(&["check", "--sendmail-cf", "/nonexistent/sendmail.cf"]);
    assert_eq!(answer.code, Some(2), "{answer:?}");
    assert!(answer.stdout.contains("/nonexistent/sendmail.cf: no such file; name the sendmail.cf of"), "{answer:?}");
}

#[test]
fn postfix_config_prints_what_sendmail_needs() {
    let place = place("");
    let text = place.run(&["postfix-config", "--sendmail"]).done();
    assert!(text.contains("\nINPUT_MAIL_FILTER(`perso', `S=inet:8891@127.0.0.1, F=T, "), "{text}");
    assert!(!text.contains("smtpd_milters"), "{text}");
    let misuse = place.run(&["postfix-config", "--sendmail", "--queue-directory", "/var/spool/postfix"]).misused();
    assert!(misuse.contains("cannot be used with"), "{misuse}");
}
