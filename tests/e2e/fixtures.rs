//! The fixture mail through real servers: every message of fixtures/mail goes in by SMTP, and what arrives is what
//! messages.toml beside it says, folder, Subject and headers. The rest of each copy equals, byte for byte, the copy that
//! the same Postfix delivers without a milter.
//!
//! Left out are senders outside ASCII: they need SMTPUTF8, which the LMTP of Dovecot 2.3 does not offer.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use perso_milter::policy::subject::decoded;
use toml::{Table, Value};

use crate::mailbox::{self, Mail};
use crate::message::{Message, is_named};
use crate::milter::{Daemon, Settings, Socket};
use crate::site::Site;
use crate::smtp::{Reply, Sent, Smtp};

/// A message of messages.toml, and the replies that it got with and without a milter.
struct Case {
    file: String,
    removed: Vec<String>,
    expect: Vec<Expectation>,
    with: Sent,
    without: Sent,
}

/// What one recipient gets.
struct Expectation {
    rcpt: String,
    result: String,
    subject: Option<String>,
    delivered_to: Option<String>,
}

#[test]
fn every_fixture_arrives_as_its_table_says() {
    let lists = table("lists.toml");
    let lane = Site::shared().lane();
    let directory = lane.site.scratch.directory("fixtures");
    let socket = Socket::Inet { port: lane.milter(), role: "edge" };
    let settings = settings(&lists);
    let folders = settings.folders();
    let mut daemon = Daemon::new(directory, settings, socket);
    fill(&daemon, &lists, &folders);
    daemon.start(&lane.site.scratch);

    let cases = send_all(&table("messages.toml"), lane.smtp(), lane.site.plain());
    let mut mailboxes = Mailboxes { site: lane.site, read: BTreeMap::new() };
    for case in &cases {
        for sent in [&case.with, &case.without] {
            if let Some(id) = accepted(sent) {
                lane.site.postfix.settle(id);
            }
        }
    }
    let mut failures = Vec::new();
    let mut compared = 0;
    for case in &cases {
        for index in 0..case.expect.len() {
            match check(case, index, &mut mailboxes) {
                Ok(()) => compared += 1,
                Err(why) => failures.push(format!("{} for {}: {why}", case.file, case.expect[index].rcpt)),
            }
        }
    }
    println!("{} messages, {compared} copies as expected", cases.len());
    assert!(failures.is_empty(), "{} copies differ:\n{}", failures.len(), failures.join("\n"));
}

/// Checks the copy of one recipient.
fn check(case: &Case, index: usize, mailboxes: &mut Mailboxes) -> Result<(), String> {
    let expected = &case.expect[index];
    let (user, typed) = mailbox_of(&expected.rcpt);
    if case.without.rcpts.get(index).is_none_or(|reply| !reply.is_ok()) {
        return Err(format!("Postfix takes it from nobody: {:?}", case.without));
    }
    let refused = case.with.rcpts.get(index).is_none_or(|reply| !reply.is_ok()) || accepted(&case.with).is_none();
    let (found, total) = mailboxes.copies(&case.with, &user);
    match expected.result.as_str() {
        "rejected" if refused => return none(&found),
        "rejected" => return Err(format!("was not refused: {:?}", case.with)),
        _ if refused => return Err(format!("was refused: {:?}", case.with.refusal())),
        "discarded" => return none(&found),
        _ => {}
    }
    let folder = folder_of(expected, typed);
    let wanted = case.expect.iter().filter(|other| arrives(other) && mailbox_of(&other.rcpt).0 == user).count();
    if total != wanted {
        let folders: Vec<_> = found.iter().map(|mail| mail.folder.as_str()).collect();
        return Err(format!("{wanted} copies wanted, found in {folders:?}"));
    }
    let Some(copy) = found.iter().find(|mail| mail.folder == folder) else {
        return Err(format!("not in {folder} but in {}", found[0].folder));
    };
    let (plain, _) = mailboxes.copies(&case.without, &user);
    let plain = plain.first().ok_or("no copy without a milter to compare with")?.message.without_trace();
    compare(case, expected, &copy.message.without_trace(), &plain)
}

fn compare(case: &Case, expected: &Expectation, copy: &Message, plain: &Message) -> Result<(), String> {
    let results: Vec<&str> = expected.result.split('+').collect();
    let edited = results.iter().any(|result| matches!(*result, "tagged" | "cleared"));
    let ours = |field: &[u8]| {
        (edited && is_named(field, "Subject"))
            || (results.contains(&"marked") && is_named(field, "X-Perso"))
            || case.removed.iter().any(|name| is_named(field, name))
    };
    let (rest, plain_rest) = (copy.filtered(|field| !ours(field)), plain.filtered(|field| !ours(field)));
    if rest != plain_rest {
        return Err(format!("differs beside the Subject: {rest:?}\nfrom {plain_rest:?}"));
    }
    if let Some(name) = case.removed.iter().find(|name| !name.eq_ignore_ascii_case("subject") && has(copy, name)) {
        return Err(format!("{name} is still there"));
    }
    if results.contains(&"marked") != has(copy, "X-Perso") {
        return Err(format!("X-Perso: {:?}", copy.values("X-Perso")));
    }
    if let Some(wanted) = &expected.subject {
        let subject = words(&decoded(copy.subject().unwrap_or_default()));
        if &subject != wanted {
            return Err(format!("Subject {subject:?} instead of {wanted:?}"));
        }
    }
    let tagged = copy.subject().is_some_and(|subject| subject.trim_ascii_start().starts_with(b"[PERSO]"));
    let was_tagged = plain.subject().is_some_and(|subject| subject.trim_ascii_start().starts_with(b"[PERSO]"));
    if results.contains(&"tagged") && !tagged && expected.subject.is_none() {
        return Err("has no tag".to_owned());
    }
    if !results.contains(&"tagged") && tagged && !was_tagged {
        return Err("has a tag".to_owned());
    }
    Ok(())
}

/// What users have, read once each.
struct Mailboxes {
    site: &'static Site,
    read: BTreeMap<String, Vec<Mail>>,
}

impl Mailboxes {
    /// The copies of a message that a user has, and their number.
    fn copies(&mut self, sent: &Sent, user: &str) -> (Vec<Mail>, usize) {
        let imap = self.site.dovecot.imap();
        let mails = self.read.entry(user.to_owned()).or_insert_with(|| mailbox::read(imap, user));
        let Some(id) = accepted(sent) else { return (Vec::new(), 0) };
        let copies: Vec<_> = mails.iter().filter(|mail| mail.is_of(id)).cloned().collect();
        let total = copies.len();
        (copies, total)
    }
}

/// Sends every message twice, once past the milter and once to the milter.
fn send_all(messages: &Table, with: u16, without: u16) -> Vec<Case> {
    let (mut with, mut without) = (Smtp::connect(with), Smtp::connect(without));
    let entries = messages["message"].as_array().expect("[[message]]");
    let send = |entry: &Value| {
        let file = text(&entry["file"]);
        let bytes = fs::read(fixture(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let (from, recipients) = (text(&entry["from"]), texts(entry.get("rcpt")));
        let expect = entry["expect"].as_array().expect("a list").iter().map(expectation).collect();
        let removed = texts(entry.get("removed"));
        let without = without.send(&from, &recipients, &bytes);
        let with = with.send(&from, &recipients, &bytes);
        Case { file, removed, expect, with, without }
    };
    entries.iter().filter(|entry| text(&entry["from"]).is_ascii()).map(send).collect()
}

fn expectation(value: &Value) -> Expectation {
    let optional = |key: &str| value.get(key).map(text);
    Expectation {
        rcpt: text(&value["rcpt"]),
        result: text(&value["result"]),
        subject: optional("subject"),
        delivered_to: optional("delivered_to"),
    }
}

/// The configuration file that lists.toml describes.
fn settings(lists: &Table) -> Settings {
    let mut settings = Settings::new();
    for (section, source) in [
        ("authentication", &lists["authentication"]),
        ("personal", &lists["organisation"]["personal"]),
        ("black", &lists["organisation"]["black"]),
        ("white", &lists["organisation"]["white"]),
    ] {
        for (key, value) in source.as_table().expect("a table") {
            settings = settings.set(&format!("{section}.{key}"), value.clone());
        }
    }
    settings
}

/// Makes the organisation, its folders proven, and the users of lists.toml.
fn fill(daemon: &Daemon, lists: &Table, folders: &[String]) {
    let organisation = lists["organisation"].as_table().expect("a table");
    let name = text(&organisation["name"]);
    let domains = texts(organisation.get("domains"));
    let domains = domains.iter().flat_map(|domain| ["--domain", domain.as_str()]);
    daemon.command(&["org", "add", &name].into_iter().chain(domains).collect::<Vec<_>>());
    daemon.prove(&name, folders);
    let protected = texts(organisation.get("protected_domains"));
    let protect: Vec<_> =
        ["org", "protect", "add", &name].into_iter().chain(protected.iter().map(String::as_str)).collect();
    daemon.command(&protect);
    for (key, level, list) in [
        ("enforced_white", "enforced", "white"),
        ("enforced_black", "enforced", "black"),
        ("default_white", "default", "white"),
        ("default_black", "default", "black"),
    ] {
        let values = texts(organisation.get(key));
        if !values.is_empty() {
            let arguments = ["org", "entry", "add", &name, level, list].into_iter();
            daemon.command(&arguments.chain(values.iter().map(String::as_str)).collect::<Vec<_>>());
        }
    }
    let own_domains = texts(organisation.get("domains"));
    for user in lists["user"].as_array().expect("[[user]]") {
        let address = text(&user["address"]);
        let aliases = texts(user.get("aliases"));
        let aliases = aliases.iter().flat_map(|alias| ["--alias", alias.as_str()]);
        let functional = user.get("functional").is_some().then_some("--functional");
        daemon.command(&["user", "add", &address].into_iter().chain(aliases).chain(functional).collect::<Vec<_>>());
        for list in ["personal", "white", "black"] {
            let values = texts(user.get(list));
            // An own sender on a black list is refused on the way in; that it would be in vain, tests/policy shows.
            let is_protected = |value: &str| {
                list == "black" && own_domains.iter().any(|domain| value.ends_with(&format!("@{domain}")))
            };
            let values = values.iter().map(String::as_str).filter(|value| !is_protected(value));
            let arguments: Vec<_> = ["entry", "add", &address, list].into_iter().chain(values).collect();
            if arguments.len() > 4 {
                daemon.command(&arguments);
            }
        }
        for key in ["personal_actions", "black_action"] {
            let value = match user.get(key) {
                Some(Value::Array(_)) => texts(user.get(key)).join(","),
                Some(value) => text(value),
                None => continue,
            };
            daemon.command(&["user", "set", &address, &format!("{key}={value}")]);
        }
    }
}

/// The user and the typed folder of a recipient as the sending side wrote it.
fn mailbox_of(recipient: &str) -> (String, Option<String>) {
    let address = recipient.rsplit_once(':').map_or(recipient, |(_route, address)| address);
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let local = local.trim_matches('"');
    let (user, detail) = match local.split_once('+') {
        Some((user, detail)) => (user, Some(detail.to_owned())),
        None => (local, None),
    };
    (format!("{user}@{domain}").to_lowercase(), detail)
}

fn folder_of(expected: &Expectation, typed: Option<String>) -> String {
    let filed = expected.result.split('+').find_map(|result| result.strip_prefix("filed:"));
    let typed = match &expected.delivered_to {
        Some(address) => mailbox_of(address).1,
        None => typed,
    };
    filed.map(str::to_owned).or(typed).unwrap_or_else(|| "INBOX".to_owned())
}

fn arrives(expected: &Expectation) -> bool {
    !matches!(expected.result.as_str(), "rejected" | "discarded")
}

fn none(found: &[Mail]) -> Result<(), String> {
    if found.is_empty() { Ok(()) } else { Err(format!("arrived in {}", found[0].folder)) }
}

fn accepted(sent: &Sent) -> Option<&str> {
    sent.end.as_ref().filter(|end| end.is_ok()).and_then(Reply::queue_id)
}

fn has(message: &Message, name: &str) -> bool {
    !message.values(name).is_empty()
}

/// Runs of white space as one space, ends trimmed.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

fn texts(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).map(|values| values.iter().map(text).collect()).unwrap_or_default()
}

fn table(name: &str) -> Table {
    let path = fixture(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mail").join(name)
}
