//! The messages of fixtures/mail: every column of messages.toml against what `explain` makes of lists.toml. The same table
//! through real servers, for the bytes, is tests/e2e/fixtures.rs.

use std::fs;
use std::path::{Path, PathBuf};

use perso_milter::cli::lists::ListsFile;
use perso_milter::config::Config;
use perso_milter::directory::Defaults;
use perso_milter::explain::{Explained, explain};
use perso_milter::policy::action::PersonalActions;
use perso_milter::policy::decide::{Because, Identity, Level, Match, Outcome};
use perso_milter::policy::list::ListKind;
use perso_milter::policy::plan::Direction;
use toml::{Table, Value};

#[test]
fn every_message_is_decided_as_its_table_says() {
    let lists = fs::read_to_string(fixture("lists.toml")).expect("lists.toml");
    let lists = ListsFile::parse(&lists, Defaults::from(&Config::default())).expect("lists.toml");
    let directory = lists.directory();
    let messages = fs::read_to_string(fixture("messages.toml")).expect("messages.toml");
    let messages: Table = messages.parse().expect("messages.toml");
    let messages = messages["message"].as_array().expect("[[message]]");

    let mut differences = Vec::new();
    let mut recipients = 0;
    for message in messages {
        let file = text(message, "file").expect("file");
        let raw = fs::read(fixture(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let expected = message["expect"].as_array().expect("expect");
        let paths: Vec<String> = expected.iter().map(|e| text(e, "rcpt").expect("rcpt").to_owned()).collect();
        let explained = explain(&directory, Direction::Inbound, text(message, "from").expect("from"), &paths, &raw);
        assert_eq!(explained.len(), expected.len(), "{file}");
        for (expected, explained) in expected.iter().zip(&explained) {
            recipients += 1;
            for (what, wanted, found) in compare(expected, explained) {
                let rcpt = &explained.recipient;
                differences.push(format!("{file} for {rcpt}: {what} is {found}, the table says {wanted}"));
            }
        }
        let left_out = explained.iter().any(|one| one.headers_left_out);
        if left_out != message.get("left_out").is_some() {
            differences.push(format!("{file}: left_out is {left_out}"));
        }
    }
    println!("{} messages, {recipients} recipients", messages.len());
    assert!(messages.len() >= 60, "the issue asks for 60");
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_message_of_the_folder_stands_in_the_table() {
    let messages = fs::read_to_string(fixture("messages.toml")).expect("messages.toml");
    let folder = fs::read_dir(fixture("")).expect("the folder");
    let names = folder.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    for name in names.filter(|name| name.ends_with(".eml")) {
        assert_eq!(messages.matches(&format!("file = \"{name}\"")).count(), 1, "{name}");
    }
}

/// What differs: the column, what the table says, what was found.
fn compare(expected: &Value, found: &Explained) -> Vec<(&'static str, String, String)> {
    let reason = &found.verdict.reason;
    let decided = reason.personal.or(reason.sender);
    let of = |name: fn(&Match) -> &'static str| decided.as_ref().map(name);
    let columns = [
        ("verdict", Some(found.verdict_name())),
        ("list", of(|rule| rule.list.as_str())),
        ("level", of(level).filter(|level| *level != "user")),
        ("scope", of(|rule| rule.scope.as_str())),
        ("identity", of(|rule| if rule.identity == Identity::Envelope { "envelope" } else { "header" })),
        ("result", Some(&*found.result)),
    ];
    let mut differences: Vec<_> = columns
        .into_iter()
        .filter(|(column, value)| text(expected, column) != *value)
        .map(|(column, value)| (column, format!("{:?}", text(expected, column)), format!("{value:?}")))
        .collect();
    // Where the table names no Subject, it has none to name, or is too long.
    if let Some(subject) = text(expected, "subject")
        && found.subject.as_deref() != Some(subject)
    {
        differences.push(("subject", subject.to_owned(), format!("{:?}", found.subject)));
    }
    if let Some(overridden) = text(expected, "overridden")
        && !is_overridden(overridden, found)
    {
        differences.push(("overridden", overridden.to_owned(), format!("{reason:?}")));
    }
    if text(expected, "delivered_to").is_some() != found.detail_removed {
        differences.push(("detail removed", format!("{:?}", text(expected, "delivered_to")), format!("{found:?}")));
    }
    // A verdict's actions and its reason say the same.
    let is_blocked = matches!(found.verdict.outcome, Outcome::Blocked(_));
    let has_actions =
        matches!(found.verdict.outcome, Outcome::Deliver { personal, .. } if personal != PersonalActions::NONE);
    if is_blocked != (reason.sender.is_some_and(|rule| rule.list == ListKind::Black))
        || has_actions != reason.personal.is_some()
    {
        differences.push(("outcome", format!("{reason:?}"), format!("{:?}", found.verdict.outcome)));
    }
    differences
}

fn level(rule: &Match) -> &'static str {
    match rule.level {
        Level::Enforced => "enforced",
        Level::User => "user",
        Level::Default => "default",
    }
}

fn is_overridden(name: &str, found: &Explained) -> bool {
    let reason = &found.verdict.reason;
    let sender = |because, list| {
        reason.overridden_sender.is_some_and(|overridden| overridden.because == because && overridden.rule.list == list)
    };
    let personal = |because| reason.overridden_personal.is_some_and(|overridden| overridden.because == because);
    match name {
        "unauthenticated" => sender(Because::Unauthenticated, ListKind::White) || personal(Because::Unauthenticated),
        "blocked-beats-personal" => personal(Because::Blocked),
        "more-specific-white" => sender(Because::MoreSpecific, ListKind::Black),
        "protected-sender" => sender(Because::ProtectedSender, ListKind::Black),
        "default-black" => {
            let is_default = reason.overridden_sender.is_some_and(|o| o.rule.level == Level::Default);
            sender(Because::HigherLevel, ListKind::Black) && is_default
        }
        _ => panic!("messages.toml has no rule {name}"),
    }
}

fn text<'a>(table: &'a Value, key: &str) -> Option<&'a str> {
    table.get(key).map(|value| value.as_str().unwrap_or_else(|| panic!("{key}: not a text")))
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mail").join(name)
}
