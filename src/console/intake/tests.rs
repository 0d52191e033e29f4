//! What people type, paste and bring.

use super::*;
use crate::policy::address::Domain;

/// What came of a text: values with their notes, then `line: reason`.
fn came(intake: &Intake) -> (Vec<String>, Vec<(u64, Reason)>) {
    let good = intake.good.iter().map(|candidate| {
        let list = candidate.list.map(|list| format!("{list} ")).unwrap_or_default();
        let note = candidate.note.as_ref().map(|note| format!(" ({})", note.as_str())).unwrap_or_default();
        format!("{list}{}{note}", candidate.value.written())
    });
    (good.collect(), intake.bad.iter().map(|bad| (bad.line, bad.reason)).collect())
}

fn typed(text: &str) -> Vec<String> {
    let (good, bad) = came(&read_text(text));
    assert!(bad.is_empty(), "{text}: {bad:?}");
    good
}

fn file(bytes: &[u8]) -> (Vec<String>, Vec<(u64, Reason)>) {
    came(&read_file(bytes).expect("a file"))
}

#[test]
fn addresses_are_understood_as_people_write_them() {
    for (text, expected) in [
        ("maman@famille.example", "maman@famille.example"),
        ("  Maman@Famille.EXAMPLE.  ", "maman@famille.example"),
        ("mailto:maman@famille.example?subject=coucou", "maman@famille.example"),
        ("mailto:o%27neil@famille.example", "o'neil@famille.example"),
        ("<maman@famille.example>", "maman@famille.example"),
        ("(maman@famille.example).", "maman@famille.example"),
        ("« maman@famille.example »", "maman@famille.example"),
        ("maman＠famille．example", "maman@famille.example"),
        ("\u{200b}maman@famille.example\u{a0}", "maman@famille.example"),
        ("Maman <maman@famille.example>", "maman@famille.example (Maman)"),
        ("\"Martin, Anne\" <anne@famille.example>;", "anne@famille.example (Martin, Anne)"),
        ("Anne Martin anne@famille.example", "anne@famille.example (Anne Martin)"),
        ("anne@famille.example <anne@famille.example>", "anne@famille.example"),
        ("famille.example", "famille.example"),
        ("@famille.example", "famille.example"),
        ("*@famille.example", "famille.example"),
        ("*.famille.example", "*.famille.example"),
        (".famille.example", "*.famille.example"),
        ("https://www.famille.example/photos?x=1", "famille.example"),
        ("école.example", "xn--cole-9oa.example"),
    ] {
        assert_eq!(typed(text), [expected], "{text}");
    }
}

#[test]
fn several_stand_on_one_line() {
    let expected = ["a@b.example", "c@b.example", "d.example"];
    for text in [
        "a@b.example, c@b.example, d.example",
        "a@b.example;c@b.example；d.example",
        "a@b.example\nc@b.example\r\nd.example\n",
        "<a@b.example><c@b.example> d.example",
        "a@b.example a@b.example c@b.example, d.example,",
    ] {
        assert_eq!(typed(text), expected, "{text}");
    }
    assert_eq!(typed("A <a@b.example> C <c@b.example>"), ["a@b.example (A)", "c@b.example (C)"]);
    assert_eq!(typed("fnac.example laposte.example"), ["fnac.example", "laposte.example"]);
    assert_eq!(read_text("a@b.example, A@B.example").repeated, 1);
}

#[test]
fn what_is_no_entry_is_named_with_its_line_and_reason() {
    let text = "# mes contacts\n\nmaman\na@b@c.example\nJean Dupont\na@b.example\na@ex ample\n";
    let (good, bad) = came(&read_text(text));
    assert_eq!(good, ["a@b.example"]);
    let expected = [(3, Reason::NoAddress), (4, Reason::Malformed), (5, Reason::NoAddress), (7, Reason::Malformed)];
    assert_eq!(bad, expected);
    assert_eq!(read_text(&"é".repeat(500)).bad[0].text.chars().count(), MAX_SHOWN + 1);
    assert_eq!(read_text(&"x".repeat(MAX_LINE + 1)).bad[0].reason, Reason::TooLong);
}

#[test]
fn the_policy_refuses_on_the_list_that_each_is_for() {
    let own = [Domain::parse("acme.example").expect("valid")];
    let rules = EntryRules { own_domains: &own, ..EntryRules::default() };
    let text = "gmail.com\nchef@acme.example\n*\nco.uk\na@b.example\n*x@b.example";
    let checked = |list| came(&check(read_text(text), list, &ListKind::ALL, &rules));
    let refused = |refusal| Reason::Refused(refusal);
    let common =
        [(3, refused(Refusal::Everybody)), (4, refused(Refusal::PublicSuffix)), (6, refused(Refusal::GlobsOff))];
    let [everybody, suffix, globs] = common;
    let (good, bad) = checked(ListKind::Personal);
    assert_eq!(good, ["a@b.example"]);
    assert_eq!(bad, [(1, refused(Refusal::Freemail)), (2, refused(Refusal::OwnDomain)), everybody, suffix, globs]);
    let (good, bad) = checked(ListKind::Black);
    assert_eq!(good, ["gmail.com", "a@b.example"]);
    assert_eq!(bad, [(2, refused(Refusal::ProtectedSender)), everybody, suffix, globs]);
}

#[test]
fn tables_are_read_by_their_names_or_by_what_they_hold() {
    let table = "Nom;Adresse e-mail;Téléphone\r\nMaman;maman@famille.example;06\r\n;;\r\nPapa;pas d'adresse;07\r\n";
    assert_eq!(
        file(table.as_bytes()),
        (vec!["maman@famille.example (Maman)".to_owned()], vec![(4, Reason::NoAddress)])
    );
    let unnamed = "Dupont\tJean\tjean@d.example\nDurand\tAnne\tanne@d.example\n";
    assert_eq!(file(unnamed.as_bytes()).0, ["jean@d.example", "anne@d.example"]);
    let quoted = "\"name\",\"email\"\n\"Martin, Anne\",\"anne@d.example\"\n\"two\nlines\",\"b@d.example\"\n";
    assert_eq!(file(quoted.as_bytes()).0, ["anne@d.example (Martin, Anne)", "b@d.example (two lines)"]);
    let lists = "list,value\nwhite,a@d.example\nnoire,b@d.example\nverte,c@d.example\n";
    assert_eq!(
        file(lists.as_bytes()),
        (vec!["white a@d.example".to_owned(), "black b@d.example".to_owned()], vec![(4, Reason::UnknownList)])
    );
    let free = "a@d.example, b@d.example\nc@d.example, d@d.example\n";
    assert_eq!(file(free.as_bytes()).0.len(), 4, "lines of addresses are no table");
}

#[test]
fn files_are_read_in_the_writing_that_programs_use() {
    let text = "Hélène;helene@d.example\r\nLoïc;loic@d.example\r\n";
    let table = format!("Nom;Courriel\r\n{text}");
    let utf_16 = |bytes: fn(u16) -> [u8; 2], mark: &[u8]| {
        [mark, &table.encode_utf16().flat_map(bytes).collect::<Vec<_>>()].concat()
    };
    let (latin, _, _) = encoding_rs::WINDOWS_1252.encode(&table);
    for bytes in [
        table.as_bytes().to_vec(),
        [b"\xef\xbb\xbf", table.as_bytes()].concat(),
        latin.into_owned(),
        utf_16(u16::to_le_bytes, b"\xff\xfe"),
        utf_16(u16::to_be_bytes, b"\xfe\xff"),
        utf_16(u16::to_le_bytes, b""),
    ] {
        assert_eq!(
            file(&bytes),
            (vec!["helene@d.example (Hélène)".to_owned(), "loic@d.example (Loïc)".to_owned()], vec![])
        );
    }
    assert_eq!(read_file(b" \n\n "), Err(FileError::Empty));
    assert_eq!(read_file(&vec![b'a'; MAX_FILE + 1]), Err(FileError::TooLarge));
    let picture: Vec<u8> = (0..4000u32).map(|n| ((n * 7919) >> 3) as u8).collect();
    assert_eq!(read_file(&picture), Err(FileError::Binary));
}

#[test]
fn cards_are_read_with_their_names() {
    let cards = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Maman chérie\r\nEMAIL;TYPE=home:maman@famille.example\r\n\
        item1.EMAIL:m@travail.example\r\nEND:VCARD\r\n\
        begin:vcard\r\nVERSION:2.1\r\nFN;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:L=C3=A9a\r\nEMAIL;INTERNET:lea@d.example\r\nend:vcard\r\n\
        BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Sans adresse\r\nEND:VCARD\r\nBEGIN:VCARD\r\nFN:coupée\r\n";
    let (good, bad) = file(cards.as_bytes());
    assert_eq!(
        good,
        ["maman@famille.example (Maman chérie)", "m@travail.example (Maman chérie)", "lea@d.example (Léa)"]
    );
    assert_eq!(bad, [(12, Reason::NoAddress), (16, Reason::Unclosed)]);
}

#[test]
fn files_of_programs_are_read() {
    let fixture = |name: &str| {
        let path = format!("{}/fixtures/intake/{name}", env!("CARGO_MANIFEST_DIR"));
        file(&std::fs::read(path).expect("a fixture")).0
    };
    assert_eq!(
        fixture("google.csv"),
        ["helene.martin@famille.example (ma sœur)", "bureau@club.example (Club, le petit)"]
    );
    assert_eq!(
        fixture("outlook.csv"),
        ["loic.durand@famille.example (Loïc Durand)", "zoe@famille.example (Zoé Petit)"]
    );
    assert_eq!(fixture("spreadsheet.txt"), ["banque@banque.example (ma banque)", "*.ecole.example (l’école)"]);
    assert_eq!(
        fixture("thunderbird.csv"),
        ["anne@famille.example (Anne Martin)", "bounce+4711@mail.boutique.example (Boutique)"]
    );
    assert_eq!(fixture("contacts.vcf"), ["helene.martin@famille.example (Hélène Martin)", "zoe@famille.example (Zoé)"]);
    assert_eq!(fixture("export.json"), ["personal maman@famille.example (ma mère)", "black *.pub.example"]);
    assert_eq!(
        fixture("pasted.txt"),
        [
            "maman@famille.example (Maman)",
            "anne@famille.example (Martin, Anne)",
            "papa@famille.example",
            "zoe@famille.example",
            "famille.example",
            "*.ecole.example",
            "boutique.example",
            "tata@famille.example",
            "*",
            "gmail.com",
            "jean@famille.example (Jean Dupont)",
        ]
    );
}

#[test]
fn more_than_a_list_holds_is_said_once() {
    let lines: String = (0..MAX_ENTRIES + 5).map(|n| format!("u{n}@d.example\n")).collect();
    let read = read_text(&lines);
    assert_eq!((read.good.len(), read.bad.len()), (MAX_ENTRIES, 1));
    assert_eq!((read.bad[0].line, read.bad[0].reason), (MAX_ENTRIES as u64 + 1, Reason::TooMany));
    let lines = "a\n".repeat(MAX_LINES + 5);
    assert_eq!(read_text(&lines).bad.last().map(|bad| bad.reason), Some(Reason::TooMany));
}

#[test]
fn a_domain_is_offered_for_many_or_changing_addresses() {
    let offered = |text: &str, list| -> Vec<(String, Why)> {
        let intake = read_text(text);
        let values = intake.good.iter().map(|one| &one.value);
        suggest(values, list, &EntryRules::default()).into_iter().map(|s| (s.value.written(), s.why)).collect()
    };
    let many: String = (0..5).map(|n| format!("u{n}@club.example\nu{n}@gmail.com\nv{n}@co.uk\n")).collect();
    assert_eq!(offered(&many, ListKind::Black), [("club.example".to_owned(), Why::Many(5))]);
    assert_eq!(offered(&format!("{many}club.example"), ListKind::Personal), []);
    for changing in [
        "bounce+12ab@mail.boutique.example",
        "bounces-4711-anne=acme.example@mail.boutique.example",
        "prvs=1234567890=info@mail.boutique.example",
        "0100018f2a3b4c5d6e7f@mail.boutique.example",
    ] {
        assert_eq!(
            offered(changing, ListKind::White),
            [("mail.boutique.example".to_owned(), Why::Changing)],
            "{changing}"
        );
    }
    for lasting in ["anne.martin@d.example", "jean1964@d.example", "contact+achats@d.example", "bouncer@d.example"] {
        assert_eq!(offered(lasting, ListKind::White), [], "{lasting}");
    }
}

#[test]
fn nothing_that_was_read_is_shown_by_debug() {
    let shown = format!("{:?}", read_text("maman@famille.example, maman"));
    assert!(!shown.contains("maman"), "{shown}");
}

proptest::proptest! {
    #[test]
    fn any_text_is_read(text in "\\PC{0,60}[@<>,;\"\\n ]{0,5}\\PC{0,60}") {
        let read = read_text(&text);
        for candidate in &read.good {
            proptest::prop_assert_eq!(candidate.value.written().parse().ok(), Some(candidate.value.clone()));
        }
    }

    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600)) {
        let _ = read_file(&bytes);
    }
}

#[test]
fn an_unclosed_quote_is_named_and_swallows_nothing() {
    let text =
        "valeur;note\na@b.example;un\nc@b.example;\"deux\nd@b.example;trois\ne@b.example;\"qua\ntre\"\nf@b.example;\n";
    let (good, bad) = file(text.as_bytes());
    assert_eq!(good, ["a@b.example (un)", "d@b.example (trois)", "e@b.example (qua tre)", "f@b.example"]);
    assert_eq!(bad, [(3, Reason::Unclosed)]);
    let all: String = (0..200).map(|n| format!("u{n}@b.example;\"x\n\n\"y\";\"\n")).collect();
    let (_, bad) = file(format!("valeur;note\n{all}").as_bytes());
    assert!(!bad.is_empty(), "something of it is named, in good time");
}

#[test]
fn a_card_without_its_end_is_named_and_the_next_is_read() {
    let text = "BEGIN:VCARD\nVERSION:4.0\nFN:Jeanne\nEMAIL:j@b.example\nBEGIN:VCARD\nVERSION:4.0\nFN:Paul\n\
                EMAIL:p@b.example\nEND:VCARD\n";
    assert_eq!(file(text.as_bytes()), (vec!["p@b.example (Paul)".to_owned()], vec![(1, Reason::Unclosed)]));
}

#[test]
fn cards_are_counted_and_not_their_lines() {
    let card =
        |n| format!("BEGIN:VCARD\nVERSION:4.0\nFN:Ami {n}\nNOTE:a\nNOTE:b\nNOTE:c\nEMAIL:u{n}@b.example\nEND:VCARD\n");
    let text: String = (0..5_000).map(card).collect();
    let (good, bad) = file(text.as_bytes());
    assert_eq!((good.len(), bad), (5_000, Vec::new()));
}

#[test]
fn each_list_of_a_file_may_hold_as_much_as_a_list_holds() {
    let lists = ["white", "black", "personal"];
    let rows: String = (0..MAX_LINES).map(|n| format!("{};u{n}@b.example\n", lists[n % 3])).collect();
    let (good, bad) = file(format!("list;value\n{rows}").as_bytes());
    assert_eq!((good.len(), bad), (MAX_LINES, Vec::new()));
    let rows: String = (0..=MAX_ENTRIES).map(|n| format!("white;u{n}@b.example\n")).collect();
    let (good, bad) = file(format!("list;value\n{rows}").as_bytes());
    assert_eq!((good.len(), bad), (MAX_ENTRIES, vec![(MAX_ENTRIES as u64 + 2, Reason::TooMany)]));
}
