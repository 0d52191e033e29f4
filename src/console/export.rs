//! Lists to take along: CSV and JSON, which [`super::intake`] reads back, and a Sieve script for a mail server's own rules.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use jiff::Timestamp;
use serde::Serialize;

use crate::policy::action::BlackAction;
use crate::policy::identity::SENDER_DELIMITER;
use crate::policy::list::{EntryValue, ListKind};
use crate::spreadsheet::without_formula;
use crate::store::{Entry, Readable};

/// Has spreadsheets read UTF-8 as such.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Folders that a Sieve script files into.
#[derive(Debug, Clone, Copy)]
pub struct Folders<'a> {
    /// For personal messages.
    pub personal: &'a str,
    /// For messages from blocked senders.
    pub junk: &'a str,
}

/// As CSV: list, value, note, origin, created, with the semicolons that French spreadsheets expect. What a spreadsheet would
/// take for a formula has an apostrophe before it. Entries that cannot be read are left out, here and in the other forms.
pub fn csv(entries: &[Entry]) -> String {
    let mut writer = csv::WriterBuilder::new().delimiter(b';').from_writer(BYTE_ORDER_MARK.to_string().into_bytes());
    // Writing into memory does not fail; a row that did would only be missing.
    let _ = writer.write_record(["list", "value", "note", "origin", "created"]);
    for (entry, value) in readable(entries) {
        let note = entry.note.as_ref().map(|note| note.as_str()).unwrap_or_default();
        let _ = writer.write_record([
            entry.list.as_str(),
            &without_formula(&value.written()),
            &without_formula(note),
            entry.origin.as_str(),
            &entry.created.to_string(),
        ]);
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// As JSON: an object with `entries`.
pub fn json(entries: &[Entry]) -> String {
    let rows = readable(entries).map(|(entry, value)| JsonEntry {
        list: entry.list.as_str(),
        value: value.written(),
        note: entry.note.as_ref().map(|note| note.as_str()),
        origin: entry.origin.as_str(),
        created: entry.created,
    });
    let file = JsonFile { format: "perso-milter lists", version: 1, entries: rows.collect() };
    serde_json::to_string(&file).unwrap_or_default()
}

#[derive(Serialize)]
struct JsonFile<'a> {
    format: &'a str,
    version: u32,
    entries: Vec<JsonEntry<'a>>,
}

#[derive(Serialize)]
struct JsonEntry<'a> {
    list: &'a str,
    value: String,
    note: Option<&'a str>,
    origin: &'a str,
    created: Timestamp,
}

/// As a Sieve script (RFC 5228, with `fileinto`, `mailbox`, `imap4flags`): blocked senders into the junk folder, personal
/// messages flagged and into theirs. It goes by the From header alone and asks for no proof of it; the comment on top says
/// so, and what the relay does in place of filing as junk.
pub fn sieve(entries: &[Entry], folders: Folders<'_>, action: BlackAction) -> String {
    let mut script = String::from(
        "# Written by perso-milter from one person's lists.\n\
         # It goes by the From header alone: a forged sender is taken for the real one.\n",
    );
    let differs = match action {
        BlackAction::Reject => Some("refuses"),
        BlackAction::Discard => Some("drops"),
        BlackAction::Hold => Some("holds"),
        BlackAction::Junk => None,
    };
    if let Some(does) = differs {
        // Writing into memory does not fail, here and below.
        let _ = writeln!(script, "# The relay {does} messages from blocked senders; this script files them as junk.");
    }
    script.push_str("require [\"fileinto\", \"mailbox\", \"imap4flags\"];\n");
    // The more specific entry decides; where both are as specific, the accepted one.
    let (mut white, mut black) = (tests(entries, ListKind::White), tests(entries, ListKind::Black));
    let ranks: BTreeSet<Rank> = white.keys().chain(black.keys()).copied().collect();
    let mut word = "if";
    for rank in ranks {
        if let Some(values) = white.remove(&rank) {
            let _ = write!(script, "{word} {} {{\n}}\n", rank.test(&values));
            word = "elsif";
        }
        if let Some(values) = black.remove(&rank) {
            let (test, junk) = (rank.test(&values), quoted(folders.junk));
            let _ = write!(script, "{word} {test} {{\n  fileinto :create {junk};\n  stop;\n}}\n");
            word = "elsif";
        }
    }
    let personal = tests(entries, ListKind::Personal);
    if !personal.is_empty() {
        let any: Vec<String> = personal.iter().map(|(rank, values)| rank.test(values)).collect();
        let (any, folder) = (any.join(",\n  "), quoted(folders.personal));
        let _ = write!(script, "if anyof ({any}) {{\n  addflag \"$Personal\";\n  fileinto :create {folder};\n}}\n");
    }
    script.replace('\n', "\r\n")
}

/// How specific a test is, as [`crate::policy::identity::Sender::candidates`] has it: the most specific first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The address as it stands.
    Address,
    /// An address with a detail (`a+x@d`), by the one without (`a@d`).
    Base,
    /// Its domain.
    Domain,
    /// A domain with what is below it; the one of more labels first.
    Subdomains(Reverse<usize>),
    /// A pattern.
    Pattern,
}

impl Rank {
    /// The test for any of these quoted values.
    fn test(self, values: &[String]) -> String {
        let how = match self {
            Self::Address => ":is :all",
            Self::Base | Self::Pattern => ":matches :all",
            Self::Domain => ":is :domain",
            Self::Subdomains(_) => ":matches :domain",
        };
        format!("address {how} \"from\" [\n  {}]", values.join(",\n  "))
    }
}

fn readable(entries: &[Entry]) -> impl Iterator<Item = (&Entry, &EntryValue)> {
    entries.iter().filter_map(|entry| match &entry.value {
        Readable::Value(value) => Some((entry, value)),
        Readable::Lost | Readable::Altered => None,
    })
}

/// The values of a list, quoted, by how specific they are.
fn tests(entries: &[Entry], list: ListKind) -> BTreeMap<Rank, Vec<String>> {
    let mut found: BTreeMap<Rank, Vec<String>> = BTreeMap::new();
    for (_, value) in readable(entries).filter(|(entry, _)| entry.list == list) {
        let mut note = |rank, text: &str| found.entry(rank).or_default().push(quoted(text));
        match value {
            EntryValue::Address(address) => {
                note(Rank::Address, address.as_str());
                if !address.local().contains(SENDER_DELIMITER) {
                    let local = literal(address.local());
                    note(Rank::Base, &format!("{local}{SENDER_DELIMITER}*@{}", address.domain()));
                }
            }
            EntryValue::Domain(domain) => note(Rank::Domain, domain.as_str()),
            EntryValue::Subdomains(domain) => {
                let rank = Rank::Subdomains(Reverse(domain.as_str().matches('.').count()));
                note(rank, domain.as_str());
                note(rank, &format!("*.{}", domain.as_str()));
            }
            EntryValue::Glob(pattern) => note(Rank::Pattern, &pattern.replace('\\', "\\\\")),
        }
    }
    found
}

/// A text that `:matches` takes for itself (RFC 5228, 2.7.1).
fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '\\') {
            literal.push('\\');
        }
        literal.push(c);
    }
    literal
}

/// A string of Sieve (RFC 5228, 2.4.2).
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        if matches!(c, '\\' | '"') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests;
