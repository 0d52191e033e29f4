//! `check` and `postfix-config`, from a file to what is printed.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use perso_milter::cli::check;
use perso_milter::cli::postfix_config;
use perso_milter::config::{DEFAULT_FILE, load};
use tempfile::TempDir;

#[derive(Parser)]
struct Check {
    #[command(flatten)]
    args: check::Args,
}

fn answer(arguments: &[&str]) -> check::Answer {
    check::answer(&Check::parse_from(["check"].iter().chain(arguments)).args)
}

fn file(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).expect("written");
    path
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn shown(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn a_sound_file_has_no_problem() {
    let folder = folder();
    let path = file(&folder, "sound.toml", "[authentication]\nmode = \"off\"\n");
    let answer = answer(&["--file-only", "-c", shown(&path)]);
    assert_eq!(answer.text, format!("{}: no problem found\n", path.display()));
    assert!(!answer.has_errors);
}

#[test]
fn every_problem_is_one_line_and_the_last_line_counts_them() {
    let folder = folder();
    let path = file(&folder, "bad.toml", "[personal]\ntags = \"x\"\ntag = 5\n\n[authentication]\nmode = \"off\"\n");
    let answer = answer(&["-c", shown(&path)]);
    let expected = format!(
        "{0}:2: personal.tags: there is no such key; did you mean tag?\n\
         {0}:3: personal.tag: it is of the type integer; write it in quotes: \"…\"\n\
         2 errors, 0 warnings\n",
        path.display()
    );
    assert_eq!(answer.text, expected);
    assert!(answer.has_errors);
}

#[test]
fn json_has_the_same_problems() {
    let folder = folder();
    let path = file(&folder, "bad.toml", "[store]\nurl = \"postgres://a:secret@b/c\"\n");
    let answer = answer(&["--json", "-c", shown(&path)]);
    let json: serde_json::Value = serde_json::from_str(&answer.text).expect("JSON");
    assert_eq!(json["ok"], false);
    let error = json["problems"].as_array().expect("a list").iter().find(|problem| problem["severity"] == "error");
    assert_eq!(error.expect("an error")["line"], 2);
    assert!(!answer.text.contains("secret"), "a password is not repeated");
}

#[test]
fn a_missing_file_is_a_problem_like_another() {
    let answer = answer(&["-c", "/nonexistent/perso-milter.toml"]);
    assert!(answer.text.starts_with("/nonexistent/perso-milter.toml: no such file; create it"), "{}", answer.text);
    assert!(answer.has_errors);
}

#[test]
fn the_default_file_that_is_printed_is_sound() {
    let folder = folder();
    let text = answer(&["--print-default"]).text;
    assert_eq!(text, DEFAULT_FILE);
    let loaded = load(Some(&file(&folder, "printed.toml", &text))).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(loaded.parsed.config, Default::default());
}

/// What `postfix-config` prints, put into a Postfix, satisfies `check`.
#[test]
fn check_is_content_with_the_lines_of_postfix_config() {
    let folder = folder();
    let store = folder.path().join("perso-milter.db");
    let text = format!(
        "[authentication]\nmode = \"off\"\n[personal]\nactions = [\"folder\"]\n[store]\nurl = \"sqlite:{}\"\n",
        store.display()
    );
    let path = file(&folder, "perso-milter.toml", &text);
    let config = load(Some(&path)).unwrap_or_else(|error| panic!("{error}")).parsed.config;
    let sections = postfix_config::sections(&config, None, &postfix_config::Directories::default());
    let main_cf = sections.iter().find(|section| section.key == "main.cf").expect("main.cf").to_text();
    file(&folder, "main.cf", &main_cf);
    file(&folder, "master.cf", "smtp inet n - y - - smtpd\n");
    let answer = answer(&["-c", shown(&path), "--postconf-dir", shown(folder.path())]);
    // Which Postfix is installed, or whether one is, is not what this test is about.
    let findings = answer.text.lines().filter(|line| line.contains("main.cf") && !line.contains(": mail_version: "));
    assert_eq!(findings.collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(!answer.has_errors, "{}", answer.text);
}
