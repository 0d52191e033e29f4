//! What goes out comes back.

use jiff::Timestamp;

use super::*;
use crate::console::intake::read_file;
use crate::policy::list::MAX_ENTRIES;
use crate::store::{EntryId, MAX_NOTE, Note, Origin};

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
        entry(ListKind::Black, "c@b.example", Some("un;=1+1, -2\u{201d},\"=3\";'d', '=4 ; @x")),
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
fn three_full_lists_with_the_longest_notes_are_no_file_too_large() {
    let (domain, note) = (format!("{}.example", "d".repeat(60)), "é".repeat(MAX_NOTE));
    let one = |list, n| entry(list, &format!("{}{n:05}@{domain}", "u".repeat(20)), Some(&note));
    let full = |list| (0..MAX_ENTRIES).map(move |n| (list, n));
    let entries: Vec<Entry> = ListKind::ALL.into_iter().flat_map(full).map(|(list, n)| one(list, n)).collect();
    for written in [csv(&entries), json(&entries)] {
        let read = read_file(written.as_bytes()).expect("a file that is not too large");
        assert_eq!((read.good.len(), read.bad.len()), (3 * MAX_ENTRIES, 0));
    }
}

#[test]
fn no_cell_is_a_formula_by_whichever_sign_a_spreadsheet_parts_them() {
    let written = csv(&all());
    assert!(written.starts_with("\u{feff}list;value;note;"), "{written}");
    for line in written.trim_start_matches(BYTE_ORDER_MARK).lines() {
        for cell in line.split([';', ',', '\t']) {
            let cell = cell.trim_start_matches([' ', '"']);
            assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell} in {line}");
        }
    }
}

#[test]
fn an_entry_that_cannot_be_read_is_left_out() {
    let mut entries = all();
    entries[0].value = Readable::Altered;
    assert_eq!(csv(&entries).lines().count(), entries.len());
    let folders = Folders { personal: "Perso", junk: "Junk" };
    assert!(!sieve(&entries, folders, BlackAction::Junk).contains("promo"));
}

#[test]
fn a_script_asks_the_more_specific_first_and_quotes_what_it_names() {
    let script = sieve(&all(), Folders { personal: "Per\"so\\", junk: "Junk" }, BlackAction::Junk);
    let at = |text: &str| script.find(text).unwrap_or_else(|| panic!("{text} in {script}"));
    assert!(at("+promo@boutique.example") < at("-spam-@b.example"));
    assert!(at("-spam-@b.example") < at("\"-spam-+*@b.example\""));
    assert!(at("\"-spam-+*@b.example\"") < at("\"pub.example\""));
    assert!(at("\"pub.example\"") < at("\"*.ecole.example\""));
    assert!(script.contains(r#"fileinto :create "Per\"so\\";"#));
    let personal = &script[at("if anyof")..];
    assert!(personal.contains("address :matches :all \"from\" [\r\n  \"news-*@loisirs.example\"]"), "{script}");
    assert!(personal.contains("$Personal"), "{script}");
    assert!(!sieve(&[], Folders { personal: "a", junk: "b" }, BlackAction::Junk).contains("if"));
}

#[test]
fn a_script_says_where_it_does_not_do_what_the_relay_does() {
    let of = |action| sieve(&all(), Folders { personal: "Perso", junk: "Junk" }, action);
    assert!(of(BlackAction::Reject).contains("# The relay refuses messages from blocked senders"));
    assert!(of(BlackAction::Discard).contains("# The relay drops"));
    assert!(!of(BlackAction::Junk).contains("# The relay"));
    assert!(of(BlackAction::Junk).split_inclusive('\n').all(|line| line.ends_with("\r\n")));
}
