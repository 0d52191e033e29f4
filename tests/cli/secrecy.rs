//! What stands on a user's lists, or how much, shows nowhere: not in what any command says, not in the store's files.

use std::fs;

use crate::harness::{Place, STORE_COMMANDS, id};
use perso_milter::policy::list::ListKind;
use perso_milter::store::{Permission, Store};

const ANNE: &str = "anne@acme.example";
/// Entries of every scope, and a part of each that stands nowhere else.
const ENTRIES: [(&str, &str, &str); 5] = [
    ("white", "zebra.quagga@okapi.example", "quagga"),
    ("black", "*.axolotl-numbat.example", "axolotl"),
    ("personal", "pangolin-dugong.example", "pangolin"),
    ("personal", "Maman.Tapir@gmail.com", "tapir"),
    ("black", "wombat-*@kiwi-emu.example", "wombat"),
];

fn fill(place: &Place) {
    place.run(&["org", "set", "acme", "globs=true"]).done();
    for (list, value, _) in ENTRIES {
        place.run(&["entry", "add", ANNE, list, value]).done();
    }
}

/// Whether any part of an entry stands in these bytes, in any case, as it is or in UTF-16.
fn betrayed(bytes: &[u8]) -> Option<&'static str> {
    let bytes = bytes.to_ascii_lowercase();
    let has = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    let is_there = |part: &&str| {
        let wide: Vec<u8> = part.encode_utf16().flat_map(u16::to_le_bytes).collect();
        has(part.as_bytes()) || has(&wide)
    };
    ENTRIES.map(|(_, _, part)| part).into_iter().find(is_there)
}

fn files(place: &Place) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(place.store_dir()).expect("our own directory").map(|entry| entry.expect("a file"));
    entries
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("read")))
        .collect()
}

fn assert_files_are_silent(place: &Place) {
    for (name, bytes) in files(place) {
        assert_eq!(betrayed(&bytes), None, "{name}");
    }
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let place = Place::acme();
    fill(&place);
    let store = place.store();
    let anne = id(&store, ANNE);
    let read = store.read_entries(anne, None, &Permission::Own(anne)).expect("her own");
    assert_eq!(read.len(), ENTRIES.len(), "the entries are there");
    let leak = |value: &str| betrayed(format!("\0{value}\u{1}").as_bytes()).is_some();
    assert!(ENTRIES.iter().all(|(_, value, _)| leak(value)));
}

#[test]
fn no_file_of_the_store_holds_an_entry() {
    let place = Place::acme();
    fill(&place);
    // A connection that stays open keeps the write-ahead log from being taken up and removed.
    let store = place.store();
    for (list, value, _) in ENTRIES {
        place.run(&["entry", "remove", ANNE, list, value]).done();
        place.run(&["entry", "add", ANNE, list, value]).done();
    }
    let names: Vec<String> = files(&place).into_iter().map(|(name, _)| name).collect();
    for name in ["perso-milter.db", "perso-milter.db-wal", "match.key", "seal.key"] {
        assert!(names.iter().any(|found| found == name), "{names:?}");
    }
    assert_files_are_silent(&place);
    drop(store);
    place.run(&["user", "remove", ANNE]).done();
    assert_files_are_silent(&place);
}

/// An import is written another way.
#[test]
fn nor_after_an_import_whatever_the_program_said_of_it() {
    let place = Place::acme();
    place.run(&["org", "set", "acme", "globs=true"]).done();
    let lines: String = ENTRIES.iter().map(|(list, value, _)| format!("{ANNE},{list},{value}\n")).collect();
    // Whatever line is wrong, its entry is not repeated: standard error ends in the logs of whoever runs the import.
    let wrong =
        format!("{ANNE},grey,quagga.example\n{ANNE},white,two pangolins\nnobody@acme.example,white,tapir.example\n");
    let answer = place.run_on(&["entry", "import", "-"], format!("user,list,value\n{lines}{wrong}").as_bytes());
    assert_eq!(answer.stdout, "5 lines accepted, 3 refused\n");
    assert_eq!(betrayed(answer.all().as_bytes()), None, "{answer:#?}");
    assert_files_are_silent(&place);
}

/// Commands that change nothing, and so can be compared.
fn reading() -> Vec<&'static [&'static str]> {
    let others: [&[&str]; 4] =
        [&["check", "--json"], &["check", "--file-only"], &["postfix-config"], &["user", "show", ANNE, "--json"]];
    let reads = |arguments: &&[&str]| {
        arguments[0] == "explain" || ["list", "show", "export"].iter().any(|verb| arguments.get(1) == Some(verb))
    };
    STORE_COMMANDS.into_iter().filter(reads).chain(others).collect()
}

#[test]
fn nothing_that_is_read_depends_on_what_the_lists_hold() {
    let place = Place::acme().with_files();
    place.run(&["org", "set", "acme", "globs=true"]).done();
    let told = || reading().into_iter().map(|arguments| (arguments, place.run(arguments))).collect::<Vec<_>>();
    let empty = told();
    assert!(empty.len() > 10);
    fill(&place);
    assert_eq!(told(), empty);
    let many: String = (0..500).map(|n| format!("{ANNE},white,quagga{n}@okapi.example\n")).collect();
    place.run_on(&["entry", "import", "-"], format!("user,list,value\n{many}").as_bytes()).done();
    assert_eq!(told(), empty);
    place.run(&["entry", "remove", ANNE, "personal", "pangolin-dugong.example", "maman.tapir@gmail.com"]).done();
    assert_eq!(told(), empty);
}

#[test]
fn no_command_says_what_a_list_holds() {
    let place = Place::acme().with_files();
    fill(&place);
    let mut commands = reading();
    commands.extend(STORE_COMMANDS.iter().filter(|arguments| arguments[0] != "run"));
    for arguments in commands {
        let answer = place.run(arguments);
        assert_eq!(betrayed(answer.all().as_bytes()), None, "{arguments:?}: {answer:#?}");
    }
    assert_files_are_silent(&place);
}

/// A grant that ended leaves nothing in the files.
#[test]
fn an_entry_that_was_read_under_a_grant_is_in_no_file_afterwards() {
    let place = Place::acme();
    fill(&place);
    for list in ListKind::ALL {
        place.grant(ANNE, list);
    }
    let shown = place.run(&["entry", "export", ANNE]);
    assert!(betrayed(shown.all().as_bytes()).is_some(), "{shown:#?}");
    assert_files_are_silent(&place);
}
