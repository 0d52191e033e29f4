//! Lists to take along: CSV and JSON, which [`super::intake`] reads back, and a Sieve script for a mail server's own rules.

use std::fmt::Write;

use serde_json::json;

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

/// As CSV: list, value, note, origin, created. What a spreadsheet would take for a formula has an apostrophe before it.
/// Entries that cannot be read are left out, here and in the other forms.
pub fn csv(entries: &[Entry]) -> String {
    let mut writer = csv::Writer::from_writer(BYTE_ORDER_MARK.to_string().into_bytes());
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
    let rows: Vec<_> = readable(entries)
        .map(|(entry, value)| {
            json!({
                "list": entry.list.as_str(),
                "value": value.written(),
                "note": entry.note.as_ref().map(|note| note.as_str()),
                "origin": entry.origin.as_str(),
                "created": entry.created.to_string(),
            })
        })
        .collect();
    let file = json!({ "format": "perso-milter lists", "version": 1, "entries": rows });
    serde_json::to_string_pretty(&file).unwrap_or_default()
}

/// As a Sieve script (RFC 5228, with `fileinto`, `mailbox`, `imap4flags`): blocked senders into the junk folder, personal
/// messages flagged and into theirs. It goes by the From header alone and asks for no proof of it; the comment on top says so.
pub fn sieve(entries: &[Entry], folders: Folders<'_>) -> String {
    let mut script = String::from(
        "# Written by perso-milter from one person's lists.\n\
         # It goes by the From header alone: a forged sender is taken for the real one.\n\
         require [\"fileinto\", \"mailbox\", \"imap4flags\"];\n",
    );
    let tests = |list| tests(entries, list);
    // The more specific entry decides; where both are as specific, the accepted one.
    let mut word = "if";
    for (white, black) in tests(ListKind::White).into_iter().zip(tests(ListKind::Black)) {
        if let Some(test) = white {
            let _ = write!(script, "{word} {test} {{\n}}\n");
            word = "elsif";
        }
        if let Some(test) = black {
            let _ = write!(script, "{word} {test} {{\n  fileinto :create {};\n  stop;\n}}\n", quoted(folders.junk));
            word = "elsif";
        }
    }
    let personal: Vec<String> = tests(ListKind::Personal).into_iter().flatten().collect();
    if !personal.is_empty() {
        let any = personal.join(",\n  ");
        let folder = quoted(folders.personal);
        let _ = write!(script, "if anyof ({any}) {{\n  addflag \"$Personal\";\n  fileinto :create {folder};\n}}\n");
    }
    script
}

fn readable(entries: &[Entry]) -> impl Iterator<Item = (&Entry, &EntryValue)> {
    entries.iter().filter_map(|entry| match &entry.value {
        Readable::Value(value) => Some((entry, value)),
        Readable::Lost | Readable::Altered => None,
    })
}

/// The tests of a list, most specific first: addresses, domains, domains with their subdomains, patterns.
fn tests(entries: &[Entry], list: ListKind) -> [Option<String>; 4] {
    let mut found: [Vec<String>; 4] = Default::default();
    for (_, value) in readable(entries).filter(|(entry, _)| entry.list == list) {
        match value {
            EntryValue::Address(address) => found[0].push(quoted(address.as_str())),
            EntryValue::Domain(domain) => found[1].push(quoted(domain.as_str())),
            EntryValue::Subdomains(domain) => {
                found[2].extend([quoted(domain.as_str()), quoted(&format!("*.{}", domain.as_str()))]);
            }
            EntryValue::Glob(pattern) => found[3].push(quoted(pattern)),
        }
    }
    let how = ["address :is :all", "address :is :domain", "address :matches :domain", "address :matches :all"];
    let mut how = how.into_iter();
    found.map(|values| {
        let how = how.next()?;
        (!values.is_empty()).then(|| format!("{how} \"from\" [\n  {}]", values.join(",\n  ")))
    })
}

/// A string of Sieve (RFC 5228, 2.4.2).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests;
