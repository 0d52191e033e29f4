//! What goes out comes back.

use jiff::Timestamp;

use super::*;
use crate::console::intake::read_file;
use crate::store::{EntryId, Note, Origin};

/// An entry; its id is of no matter here.
fn entry(list: ListKind, text: &str, note: Option<&str>) -> Entry {
    let id: EntryId = format!("{list}-{:032x}", 7).parse().expect("an id");
    let note = note.and_then(|note| Note::parse(note).expect("short"));
    let value = Readable::Value(text.parse().expect("an entry"));
    let created = Timestamp::from_second(1_800_000_000).expect("a time");
    Entry { id, list, value, origin: Origin::User, created, confirmed: true, note }
}

fn all() -> Vec<Entry> {
    vec![
        entry(ListKind::White, "+promo@boutique.example", Some("=HYPERLINK(\"x\"; \"y\")")),
        entry(ListKind::White, "*.ecole.example", None),
        entry(ListKind::Black, "-spam-@b.example", Some("« trop », vraiment; trop")),
        entry(ListKind::Black, "pub.example", None),
        entry(ListKind::Black, "'o@b.example", Some("'guillemet")),
        entry(ListKind::Personal, "maman@famille.example", Some("ma mère \"chérie\"")),
        entry(ListKind::Personal, "news-*@loisirs.example", None),
    ]
}

#[test]
fn csv_and_json_come_back_as_they_went() {
    let entries = all();
    for written in [csv(&entries), json(&entries)] {
        let read = read_file(written.as_bytes()).expect("a file");
        assert!(read.bad.is_empty() && read.repeated == 0, "{read:?}");
        let read: Vec<_> = read.good.into_iter().map(|one| (one.list, Readable::Value(one.value), one.note)).collect();
        let sent: Vec<_> = entries.iter().map(|e| (Some(e.list), e.value.clone(), e.note.clone())).collect();
        for (read, sent) in read.iter().zip(&sent) {
            assert!(read == sent, "{read:?} {sent:?}\n{written}");
        }
        assert_eq!(read.len(), sent.len());
    }
}

#[test]
fn no_cell_is_a_formula() {
    let written = csv(&all());
    let mut rows = csv::Reader::from_reader(written.trim_start_matches(BYTE_ORDER_MARK).as_bytes());
    for row in rows.records() {
        for cell in &row.expect("a row") {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
        }
    }
}

#[test]
fn an_entry_that_cannot_be_read_is_left_out() {
    let mut entries = all();
    entries[0].value = Readable::Altered;
    assert_eq!(csv(&entries).lines().count(), entries.len());
    let folders = Folders { personal: "Perso", junk: "Junk" };
    assert!(!sieve(&entries, folders).contains("promo"));
}

#[test]
fn a_script_asks_the_more_specific_first_and_quotes_what_it_names() {
    let script = sieve(&all(), Folders { personal: "Per\"so\\", junk: "Junk" });
    let at = |text: &str| script.find(text).unwrap_or_else(|| panic!("{text} in {script}"));
    assert!(at("+promo@boutique.example") < at("-spam-@b.example"));
    assert!(at("-spam-@b.example") < at("\"pub.example\""));
    assert!(at("\"pub.example\"") < at("\"*.ecole.example\""));
    assert!(script.contains(r#"fileinto :create "Per\"so\\";"#));
    assert!(at("address :matches :all \"from\" [\n  \"news-*@loisirs.example\"]") > at("$Personal") - 200);
    assert!(!sieve(&[], Folders { personal: "a", junk: "b" }).contains("if"));
}
