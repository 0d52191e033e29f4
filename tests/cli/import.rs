//! `user import` and `entry import`: the good lines are taken, each bad one is named with its number and reason.

use serde_json::json;

use crate::harness::{Answer, Place};

/// What an import answered: accepted, refused, and the bad lines.
fn outcome(answer: &Answer) -> (u64, u64, Vec<&str>) {
    let numbers: Vec<u64> = answer.stdout.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [accepted, refused] = numbers[..] else { panic!("{answer:#?}") };
    assert_eq!(answer.stdout, format!("{accepted} lines accepted, {refused} refused\n"));
    assert_eq!(answer.code, Some(i32::from(refused > 0)), "{answer:#?}");
    (accepted, refused, answer.stderr.lines().collect())
}

fn import(place: &Place, what: &str, file: impl AsRef<[u8]>) -> Answer {
    let path = place.write("import.csv", file.as_ref());
    let named = place.run(&[what, "import", path.to_str().expect("UTF-8")]);
    // From a pipe it is the same; the second time users are there already.
    if what == "entry" {
        assert_eq!(place.run_on(&[what, "import", "-"], file.as_ref()), named);
    }
    named
}

fn addresses(place: &Place) -> Vec<String> {
    let users = place.run(&["user", "list", "--json"]).json();
    users.as_array().expect("a list").iter().map(|user| user["address"].as_str().expect("text").to_owned()).collect()
}

#[test]
fn users_are_imported_with_their_aliases() {
    let place = Place::acme();
    let file = "address,aliases,organisation\n\
                carl@acme.example,c@acme.example   karl@acme.example,acme\n\
                Dora@Acme.example,,\n\
                emil@acme.example\n";
    assert_eq!(outcome(&import(&place, "user", file)), (3, 0, vec![]));
    let carl = place.run(&["user", "show", "karl@acme.example", "--json"]).json();
    assert_eq!(carl["aliases"], json!(["c@acme.example", "karl@acme.example"]));
    assert_eq!(addresses(&place), ["anne", "bob", "carl", "dora", "emil"].map(|name| format!("{name}@acme.example")));
}

#[test]
fn bad_lines_of_users_are_named_and_good_ones_taken() {
    let place = Place::acme();
    place.run(&["org", "add", "zoo", "--domain", "zoo.example"]).done();
    let file = "address,aliases,organisation\n\
                carl@acme.example,,acme\n\
                bob@acme.example,,\n\
                dora,,\n\
                emil@other.example,,\n\
                fred@acme.example,x@zoo.example,\n\
                gil@acme.example,bob@acme.example,\n\
                hugo@acme.example,h h@acme.example,\n\
                ines@acme.example,,zoo\n\
                ,j@acme.example,\n\
                carl@acme.example,,\n\
                leo@zoo.example,,zoo\n";
    let answer = import(&place, "user", file);
    let (accepted, refused, mut bad) = outcome(&answer);
    assert_eq!((accepted, refused), (2, 9), "{answer:#?}");
    bad.sort_by_key(|line| line[5..].split_once(':').and_then(|(number, _)| number.parse::<u64>().ok()));
    assert_eq!(
        bad,
        [
            "line 3: the address bob@acme.example belongs to a user already",
            "line 4: dora: this is no address: it is not of the form local@domain",
            "line 5: no organisation serves the domain other.example; add it with `perso-milter org add NAME --domain \
             other.example`",
            "line 6: the domain zoo.example belongs to another organisation than the user's",
            "line 7: the address bob@acme.example belongs to a user already",
            "line 8: h: this is no address: it is not of the form local@domain",
            "line 9: the domain acme.example belongs to the organisation acme already",
            "line 10: the column address is empty",
            "line 11: the address carl@acme.example belongs to a user already",
        ]
    );
    assert_eq!(addresses(&place), ["anne@acme.example", "bob@acme.example", "carl@acme.example", "leo@zoo.example"]);
}

#[test]
fn bad_lines_of_entries_are_named_and_good_ones_taken() {
    let place = Place::acme();
    place.run(&["org", "protect", "add", "acme", "customer.example"]).done();
    place.run(&["user", "add", "contact@acme.example", "--functional"]).done();
    let file = "user,list,value\n\
                anne@acme.example,white,friend@famille.example\n\
                nobody@acme.example,white,a@b.example\n\
                nobody@other.example,white,a@b.example\n\
                anne@acme.example,grey,a@b.example\n\
                anne@acme.example,personal,acme.example\n\
                anne@acme.example,personal,x@customer.example\n\
                anne@acme.example,white,co.uk\n\
                anne@acme.example,white,gmail.com\n\
                anne@acme.example,black,news-*@shop.example\n\
                anne@acme.example,black,not an entry\n\
                anne@acme.example,black\n\
                anne,black,a@b.example\n\
                contact@acme.example,personal,a@b.example\n\
                bob@acme.example,black,*.pub.example\n";
    let answer = import(&place, "entry", file);
    let (accepted, refused, mut bad) = outcome(&answer);
    assert_eq!((accepted, refused), (2, 12), "{answer:#?}");
    bad.sort_by_key(|line| line[5..].split_once(':').and_then(|(number, _)| number.parse::<u64>().ok()));
    let reasons = [
        "line 3: there is no user nobody@acme.example",
        "line 4: there is no user nobody@other.example",
        "line 5: the list must be white, black or personal",
        "line 6: mail from the organisation's own domains is professional",
        "line 7: the organisation declared this domain professional",
        "line 8: this is a public suffix",
        "line 9: anybody may have an address at this domain",
        "line 10: patterns are switched off in this organisation",
        "line 11: the entry is neither an address (a@d)",
        "line 12: the column value is empty",
        "line 13: anne: this is no address",
        "line 14: a functional mailbox has no personal list",
    ];
    assert_eq!(bad.len(), reasons.len());
    for (line, reason) in bad.iter().zip(reasons) {
        assert!(line.starts_with(reason), "{line}");
    }
}

#[test]
fn a_header_names_the_columns_in_any_order_and_form() {
    let row = "famille.example,white,anne@acme.example\n";
    for (name, file) in [
        ("in another order", format!("value,list,user\n{row}")),
        ("in capitals, with blanks", format!(" Value , LIST,User\n{row}")),
        ("with a byte order mark", format!("\u{feff}value,list,user\n{row}")),
        ("quoted behind a byte order mark", format!("\u{feff}\"value\",\"list\",\"user\"\n{row}")),
        ("with CRLF", format!("value,list,user\n{row}").replace('\n', "\r\n")),
        ("with further columns", format!("value,list,user,note\n{}", row.replace(".example\n", ".example,x\n"))),
        ("after blank lines", format!("\n\nvalue,list,user\n{row}")),
        ("without a line break at its end", format!("value,list,user\n{}", row.trim_end())),
        ("quoted", "value,list,user\n\"famille.example\", \"white\" ,\"anne@acme.example\"\n".replace(" \"", "\"")),
        ("with blanks around", "value,list,user\n famille.example ,\twhite, anne@acme.example \n".to_owned()),
        ("quoted, with CRLF", "value,list,user\r\n\"famille.example\",\"white\",\"anne@acme.example\"\r\n".to_owned()),
    ] {
        let place = Place::acme();
        let answer = import(&place, "entry", &file);
        assert_eq!(outcome(&answer), (1, 0, vec![]), "{name}: {answer:#?}");
    }
}

#[test]
fn a_header_without_a_column_is_refused_by_name() {
    let place = Place::acme();
    for (what, file, expected) in [
        (
            "entry",
            "user,value\n",
            "line 1: the header has no column list; the first line must name the columns: user,list,value",
        ),
        ("entry", "anne@acme.example,white,famille.example\n", "line 1: the header has no column user"),
        ("entry", "user;list;value\n", "line 1: the header has no column user"),
        ("entry", "", "line 1: the header has no column user"),
        (
            "user",
            "aliases,organisation\n",
            "line 1: the header has no column address; the first line must name the columns: address,aliases,organisation",
        ),
        ("user", "\n", "line 1: the header has no column address"),
    ] {
        let stderr = place.run_on(&[what, "import", "-"], file.as_bytes()).failed();
        assert!(stderr.contains(expected), "{file:?}: {stderr}");
    }
}

#[test]
fn lines_are_numbered_as_an_editor_numbers_them() {
    for end in ["\n", "\r\n"] {
        let place = Place::acme();
        let lines = [
            "user,list,value,note",
            "",
            "anne@acme.example,grey,line3.example,",
            "",
            "  ",
            ",,,",
            "anne@acme.example,white,good.example,\"a note",
            "of three",
            "lines\"",
            "anne@acme.example,grey,line10.example,",
            "anne@acme.example,white,good.example,",
            "",
            "anne@acme.example,grey,line13.example,",
        ];
        let answer = import(&place, "entry", lines.join(end));
        let (accepted, refused, bad) = outcome(&answer);
        assert_eq!((accepted, refused), (2, 3), "{answer:#?}");
        let numbers: Vec<&str> = bad.iter().filter_map(|line| line.split(':').next()).collect();
        assert_eq!(numbers, ["line 3", "line 10", "line 13"], "{end:?}");
    }
}

#[test]
fn a_quote_that_is_not_closed_is_named_with_what_it_swallowed() {
    let place = Place::acme();
    let file = "user,list,value\n\
                anne@acme.example,white,a.example\n\
                anne@acme.example,white,\"b.example\n\
                anne@acme.example,white,c.example\n\
                anne@acme.example,white,d.example";
    for end in ["", "\n", "\r\n\r\n"] {
        let answer = import(&place, "entry", format!("{file}{end}"));
        let expected = "line 3: a quote is not closed; nothing behind it was taken";
        assert_eq!(outcome(&answer), (1, 1, vec![expected]), "{end:?}");
    }
    let answer = import(&place, "entry", format!("{file}\"\nanne@acme.example,white,e.example\n"));
    let (accepted, refused, bad) = outcome(&answer);
    assert_eq!((accepted, refused), (2, 1), "{answer:#?}");
    assert!(bad[0].starts_with("line 3: the entry is "), "{bad:?}");
    assert!(bad[0].ends_with(" (quotes make one line of this and those up to 5)"), "{bad:?}");
}

#[test]
fn a_line_that_is_not_utf8_is_refused_alone() {
    let place = Place::acme();
    let mut file = b"user,list,value\nanne@acme.example,white,soci\xe9t\xe9.example\n".to_vec();
    file.extend("anne@acme.example,white,société.example\n".as_bytes());
    let answer = import(&place, "entry", file);
    let (accepted, refused, bad) = outcome(&answer);
    assert_eq!((accepted, refused), (1, 1));
    assert!(bad[0].starts_with("line 2: the line is not UTF-8; save the file as UTF-8"), "{bad:?}");
}

#[test]
fn what_a_line_holds_does_not_command_the_terminal() {
    let place = Place::acme();
    let answer = import(&place, "entry", "user,list,value\n\x1b[31m\x07x,white,a.example\n");
    let (_, refused, bad) = outcome(&answer);
    assert_eq!((refused, bad.len()), (1, 1));
    assert!(!answer.stderr.contains(['\x1b', '\x07']), "{:?}", answer.stderr);
}

/// A second import of the same lines, or the same line twice, is answered like the first.
#[test]
fn lines_that_are_there_already_are_accepted_alike() {
    let place = Place::acme();
    let line = "anne@acme.example,personal,maman@famille.example\n";
    let file = format!("user,list,value\n{line}{line}{line}");
    let first = import(&place, "entry", &file);
    assert_eq!(outcome(&first), (3, 0, vec![]));
    assert_eq!(import(&place, "entry", &file), first);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let place = Place::acme();
    let stderr = place.run(&["entry", "import", "none.csv"]).failed();
    assert!(stderr.starts_with("perso-milter: none.csv: No such file"), "{stderr}");
    let stderr = place.run(&["user", "import", "store"]).failed();
    assert!(stderr.starts_with("perso-milter: store: ") && stderr.contains("directory"), "{stderr}");
}

#[test]
fn many_bad_lines_are_counted_and_the_first_thousand_named() {
    let place = Place::acme();
    let lines: String = (0..1500).map(|n| format!("anne@acme.example,grey,d{n}.example\n")).collect();
    let answer = place.run_on(&["entry", "import", "-"], format!("user,list,value\n{lines}").as_bytes());
    assert_eq!(answer.stdout, "0 lines accepted, 1500 refused\n");
    let named: Vec<&str> = answer.stderr.lines().collect();
    assert_eq!(named.len(), 1001);
    assert!(named[999].starts_with("line 1001: ") && named[1000] == "500 more lines were refused", "{:?}", named[1000]);
}
