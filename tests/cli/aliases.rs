//! `user import` of Postfix's own files: whose an address is, which are shared, and what cannot be told.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Answer, Place};

const VIRTUAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/aliases/virtual");
const ALIASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/aliases/aliases");

/// The organisation `acme` with anne, bob, boss and secretary.
fn acme() -> Place {
    let place = Place::acme();
    for user in ["boss@acme.example", "secretary@acme.example"] {
        place.run(&["user", "add", user]).done();
    }
    place
}

fn import(place: &Place, file: impl AsRef<Path>, options: &[&str]) -> Answer {
    let file = file.as_ref().to_str().expect("UTF-8");
    place.run(&[&["user", "import", file], options].concat())
}

/// Imports a text as a file of virtual(5).
fn import_virtual(place: &Place, text: &str, options: &[&str]) -> Answer {
    import(place, place.write("virtual", text.as_bytes()), options)
}

fn aliases(place: &Place, user: &str) -> Value {
    place.run(&["user", "show", user, "--json"]).json()["aliases"].clone()
}

fn shared(place: &Place) -> Value {
    place.run(&["org", "show", "acme", "--json"]).json()["shared_addresses"].clone()
}

/// Everything that an import may change.
fn state(place: &Place) -> (String, String) {
    (place.run(&["user", "list", "--json"]).done(), place.run(&["org", "list", "--json"]).done())
}

#[test]
fn a_file_of_virtual_tells_of_aliases_and_groups() {
    let place = acme();
    let groups = "boss@acme.example expands to 2: shared\n\
                  team@acme.example expands to 4: shared\n\
                  all@acme.example expands to 6: shared\n\
                  direction@acme.example expands to 2: shared\n";
    let groups: std::collections::BTreeSet<&str> = groups.lines().collect();
    let said = "line 5: skipped: it declares a domain and no address; `perso-milter org domain add` takes domains\n\
                line 28: no user has info@agency.example; add one with `perso-milter user add info@acme.example`, or import \
                with --create-users\n\
                line 29: skipped: a catch-all is nobody's address; what comes by it stays as it is\n\
                line 32: one@acme.example -> other@acme.example -> one@acme.example is a circle, and Postfix would send such \
                mail back; mend the file\n\
                line 33: other@acme.example -> one@acme.example -> other@acme.example is a circle, and Postfix would send \
                such mail back; mend the file\n\
                line 34: line 11 says already what this address expands to, and Postfix takes the first\n\
                line 35: nothing stands behind the address; Postfix needs a target there\n";
    for (time, summary) in [
        (
            "first",
            "0 users added, 6 aliases added, 4 addresses noted as shared; 0 lines unchanged, 2 skipped, 5 refused",
        ),
        ("again", "nothing changed; 10 lines unchanged, 2 skipped, 5 refused"),
    ] {
        let answer = import(&place, VIRTUAL, &[]);
        assert_eq!((answer.code, answer.stderr.as_str()), (Some(1), said), "{time}");
        let lines: Vec<&str> = answer.stdout.lines().collect();
        let (last, told) = lines.split_last().expect("a summary");
        assert_eq!((*last, told.iter().copied().collect()), (summary, groups.clone()), "{time}");
        let annes = ["a.martin@acme.example", "anne.martin@acme.example", "anne@mbox.internal"];
        assert_eq!(aliases(&place, "anne@acme.example"), json!(annes), "final addresses included");
        assert_eq!(aliases(&place, "bob@acme.example"), json!(["anne+orders@acme.example", "bob@mbox.internal"]));
        assert_eq!(aliases(&place, "secretary@acme.example"), json!(["sue@mbox.internal"]));
        assert_eq!(aliases(&place, "boss@acme.example"), json!([]));
        let all = ["all@acme.example", "boss@acme.example", "direction@acme.example", "team@acme.example"];
        assert_eq!(shared(&place), json!(all));
    }
    let boss = place.run(&["user", "show", "boss@acme.example", "--json"]).json();
    assert_eq!(boss["shared"], json!(["boss@acme.example"]), "it stays the boss's");
    place.write("message.eml", b"Subject: Hi\r\n\r\n");
    let told = place.run(&["explain", "--rcpt", "direction@acme.example", "--", "message.eml"]).done();
    assert!(told.contains("reason   shared address"), "{told}");
}

#[test]
fn a_file_of_aliases_tells_of_aliases_and_groups() {
    let place = acme();
    let said = "line 8: skipped: it goes to a file and to no mailbox\n\
                line 9: skipped: it goes to a file and to no mailbox\n\
                line 24: skipped: it goes to a program and to no mailbox\n\
                line 25: skipped: it goes to a file and to no mailbox\n";
    let groups = [
        "away@acme.example expands to 2: shared",
        "bin@acme.example expands to 2: shared",
        "boss@acme.example expands to 2: shared",
        "mailer-daemon@acme.example expands to 2: shared",
        "postmaster@acme.example expands to 2: shared",
        "root@acme.example expands to 2: shared",
        "staff@acme.example expands to 1 or more: shared",
    ];
    for (time, summary) in [
        (
            "first",
            "0 users added, 4 aliases added, 7 addresses noted as shared; 0 lines unchanged, 4 skipped, 0 refused",
        ),
        ("again", "nothing changed; 11 lines unchanged, 4 skipped, 0 refused"),
    ] {
        let answer = import(&place, ALIASES, &[]);
        assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), said), "{time}");
        let mut lines: Vec<&str> = answer.stdout.lines().collect();
        assert_eq!(lines.pop(), Some(summary), "{time}");
        lines.sort_unstable();
        assert_eq!(lines, groups, "{time}");
        let annes = ["abuse", "anne.martin", "owner-staff", "webmaster"].map(|name| format!("{name}@acme.example"));
        assert_eq!(aliases(&place, "anne@acme.example"), json!(annes));
    }
    assert_eq!(shared(&place).as_array().map(Vec::len), Some(groups.len()));
}

#[test]
fn a_dry_run_says_what_would_be_and_changes_nothing() {
    let place = acme();
    let before = state(&place);
    let text = "anne@acme.example anne@mbox.internal\nteam@acme.example anne@acme.example, bob@acme.example\n\
                zoe@acme.example zoe@mbox.internal\n";
    let expected = "team@acme.example expands to 2: shared\n\
                    zoe@acme.example: a user to be added\n\
                    zoe@mbox.internal: an alias of zoe@acme.example to be added\n\
                    anne@mbox.internal: an alias of anne@acme.example to be added\n\
                    dry run, nothing is changed; otherwise: 1 users added, 1 aliases added, 1 addresses noted as shared; 0 \
                    lines unchanged, 0 skipped, 0 refused\n";
    assert_eq!(import_virtual(&place, text, &["--dry-run", "--create-users"]).done(), expected);
    assert_eq!(state(&place), before);
    let answer = import_virtual(&place, text, &["--create-users"]);
    assert!(answer.done().ends_with(
        "1 users added, 1 aliases added, 1 addresses noted as shared; 0 lines unchanged, 0 skipped, 0 refused\n"
    ));
}

#[test]
fn users_are_added_only_when_asked_for() {
    let place = Place::acme();
    let text = "zoe.k@acme.example zoe@mbox.internal\nzoe@acme.example zoe@mbox.internal\nliz@acme.example liz\n\
                l.b@acme.example liz@acme.example\nx@other.example x@mbox.internal\nmax@acme.example max@acme.example\n";
    let before = state(&place);
    let refused = import_virtual(&place, text, &[]);
    assert!(refused.stdout.ends_with("nothing changed; 0 lines unchanged, 0 skipped, 6 refused\n"), "{refused:#?}");
    assert!(refused.stderr.contains("line 4: no user has liz@acme.example; add one with"), "{refused:#?}");
    assert_eq!(state(&place), before);
    let created = import_virtual(&place, text, &["--create-users"]);
    let not_served = "line 5: no organisation serves the domain other.example; add it with `perso-milter org add NAME --domain \
                      other.example`\n";
    assert_eq!((created.code, created.stderr.as_str()), (Some(1), not_served));
    let summary =
        "3 users added, 2 aliases added, 0 addresses noted as shared; 0 lines unchanged, 0 skipped, 1 refused\n";
    assert_eq!(created.stdout, summary);
    // The primary address is one that the organisation serves.
    assert_eq!(aliases(&place, "zoe.k@acme.example"), json!(["zoe@acme.example", "zoe@mbox.internal"]));
    assert_eq!(aliases(&place, "liz@acme.example"), json!(["l.b@acme.example"]));
    assert_eq!(aliases(&place, "max@acme.example"), json!([]));
}

#[test]
fn nothing_is_taken_from_a_user() {
    let place = acme();
    place.run(&["user", "alias", "add", "anne@acme.example", "sales@acme.example"]).done();
    let text = "sales@acme.example bob@acme.example\n\
                anne@acme.example bob@acme.example\n\
                boss@acme.example office@mbox.internal\n\
                secretary@acme.example office@mbox.internal\n\
                good@acme.example bob@acme.example\n";
    let answer = import_virtual(&place, text, &[]);
    let moved = |line, address| {
        format!(
            "line {line}: {address}@acme.example belongs to the user anne@acme.example, but leads to bob@acme.example of the \
             user bob@acme.example; nothing was moved: mend the file, or take the address from anne@acme.example first\n"
        )
    };
    let claimed = |line, address| {
        format!(
            "line {line}: addresses of several users (boss@acme.example, secretary@acme.example) lead to \
             office@mbox.internal, which is therefore given to none; if they read one mailbox, `perso-milter org group add \
             NAME {address}@acme.example office@mbox.internal`\n"
        )
    };
    let said = moved(1, "sales") + &moved(2, "anne") + &claimed(3, "boss") + &claimed(4, "secretary");
    assert_eq!((answer.code, answer.stderr), (Some(1), said));
    assert_eq!(aliases(&place, "anne@acme.example"), json!(["sales@acme.example"]));
    assert_eq!(aliases(&place, "bob@acme.example"), json!(["good@acme.example"]));
    // The remedy is one: what they share is then known.
    let group = ["org", "group", "add", "acme", "office@mbox.internal"];
    place.run(&group).done();
    let answer = import_virtual(&place, text, &[]);
    let told = "boss@acme.example leads to office@mbox.internal: shared\n\
                secretary@acme.example leads to office@mbox.internal: shared\n";
    assert!(answer.stdout.starts_with(told), "{answer:#?}");
    assert_eq!(shared(&place), json!(["boss@acme.example", "office@mbox.internal", "secretary@acme.example"]));
}

/// The file that the mail system reads last goes first: then what another leads to is known.
#[test]
fn one_file_leads_into_another() {
    let place = acme();
    let aliases_file = place.write("aliases", b"boss: boss, secretary\nanne.m: anne\n");
    let answer = import(&place, aliases_file, &["--domain", "mbox.internal"]);
    assert!(answer.stdout.starts_with("boss@mbox.internal expands to 2: shared\n"), "{answer:#?}");
    assert!(answer.stderr.starts_with("line 2: no organisation serves the domain mbox.internal"), "{answer:#?}");
    let text = "boss@acme.example boss@mbox.internal\nanne@acme.example anne@mbox.internal\n";
    let told = "boss@acme.example leads to boss@mbox.internal: shared\n\
                0 users added, 1 aliases added, 1 addresses noted as shared; 0 lines unchanged, 0 skipped, 0 refused\n";
    assert_eq!(import_virtual(&place, text, &[]).done(), told);
    assert_eq!(shared(&place), json!(["boss@acme.example", "boss@mbox.internal"]));
}

#[test]
fn a_file_does_not_undo_what_another_one_or_a_person_noted() {
    let place = acme();
    place.run(&["org", "group", "add", "acme", "anne@acme.example"]).done();
    let text = "anne@acme.example anne@mbox.internal\n";
    let note = "line 1: note: anne@acme.example is noted as shared and stays so; if it reaches one user alone, `perso-milter \
                org group remove acme anne@acme.example`\n";
    let answer = import_virtual(&place, text, &[]);
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), note));
    assert_eq!(shared(&place), json!(["anne@acme.example"]));
    assert_eq!(aliases(&place, "anne@acme.example"), json!(["anne@mbox.internal"]));
}

#[test]
fn two_mailboxes_of_one_user_are_not_shared() {
    let place = acme();
    for alias in ["anne@mbox.internal", "anne@archive.internal"] {
        place.run(&["user", "alias", "add", "anne@acme.example", alias]);
    }
    let text = "anne.m@acme.example anne@mbox.internal, anne@archive.internal, anne+x@mbox.internal\n\
                copy@acme.example anne@mbox.internal, bob@acme.example\n";
    let answer = import_virtual(&place, text, &[]).done();
    assert!(
        answer.starts_with("copy@acme.example expands to 2: shared\n0 users added, 1 aliases added, 1 "),
        "{answer}"
    );
    assert_eq!(shared(&place), json!(["copy@acme.example"]));
}

#[test]
fn what_belongs_to_another_organisation_stays_there() {
    let place = acme();
    place.run(&["org", "add", "zoo", "--domain", "zoo.example", "--domain", "park.example"]).done();
    place.run(&["user", "add", "leo@zoo.example", "--alias", "leo@mbox.internal"]);
    let text = "anne@acme.example anne@zoo.example\n\
                keeper@acme.example leo@mbox.internal\n\
                all@zoo.example leo@mbox.internal, anne@acme.example\n\
                l@zoo.example leo@mbox.internal\n\
                team@nowhere.example anne@acme.example, bob@acme.example\n";
    let foreign = "the domain zoo.example belongs to another organisation than the user's";
    let answer = import_virtual(&place, text, &[]);
    let said = format!(
        "line 1: {foreign}\nline 2: {}\nline 5: no organisation serves the domain nowhere.example; add it with `perso-milter \
         org add NAME --domain nowhere.example`\n",
        foreign.replace("zoo.", "acme.")
    );
    assert_eq!((answer.code, answer.stderr), (Some(1), said));
    assert_eq!(aliases(&place, "leo@zoo.example"), json!(["l@zoo.example", "leo@mbox.internal"]));
    let of_zoo = || place.run(&["org", "show", "zoo", "--json"]).json()["shared_addresses"].clone();
    assert_eq!((of_zoo(), shared(&place)), (json!(["all@zoo.example"]), json!([])));
    // For one organisation: lines of the other's are refused, and what nobody serves is its own.
    let answer = import_virtual(&place, text, &["--org", "acme"]);
    let taken = "the domain zoo.example belongs to the organisation zoo already";
    assert!(answer.stderr.contains(&format!("line 3: {taken}\nline 4: {taken}\n")), "{answer:#?}");
    assert_eq!(shared(&place), json!(["team@nowhere.example"]));
}

#[test]
fn the_domain_of_bare_names_is_guessed_only_where_there_is_one() {
    let place = Place::acme();
    let file = place.write("aliases", b"abuse: anne\n");
    place.run(&["org", "domain", "add", "acme", "more.example"]).done();
    let several = "perso-milter: the names of aliases(5) have no domain; say whose they are with --domain, one of \
                   acme.example, more.example\n";
    assert_eq!(import(&place, &file, &[]).failed(), several);
    place.run(&["org", "add", "zoo", "--domain", "zoo.example"]).done();
    let whose =
        "perso-milter: the names of aliases(5) have no domain; say whose they are with --org NAME or --domain DOMAIN\n";
    assert_eq!(import(&place, &file, &[]).failed(), whose);
    let answer = import(&place, &file, &["--org", "zoo"]);
    assert!(answer.stderr.starts_with("line 1: no user has anne@zoo.example"), "{answer:#?}");
    import(&place, &file, &["--domain", "ACME.example"]).done();
    assert_eq!(aliases(&place, "anne@acme.example"), json!(["abuse@acme.example"]));
    assert!(import(&place, &file, &["--domain", "a..b"]).failed().contains("a..b: the domain is malformed"));
    assert!(import(&place, &file, &["--org", "none"]).failed().contains("there is no organisation none"));
    // In virtual(5) an address is whole as a rule; a name alone is said to lack its domain.
    let answer = import_virtual(&place, "abuse anne@acme.example\nx@acme.example anne\n", &[]);
    let lacks =
        |line, name| format!("line {line}: {name}: a name without its domain; say which with --domain DOMAIN\n");
    assert_eq!(answer.stderr, lacks(1, "abuse") + &lacks(2, "anne"));
}

#[test]
fn the_format_is_that_of_the_content_or_as_it_is_said() {
    let place = Place::acme();
    let virtual_file = place.write("people", b"# ours\na@acme.example anne@acme.example\n");
    let aliases_file = place.write("more", b"b: anne\n");
    assert!(import(&place, &virtual_file, &[]).done().contains("1 aliases added"));
    assert!(import(&place, &aliases_file, &[]).done().contains("1 aliases added"));
    let piped = place.run_on(&["user", "import", "-"], b"c: anne\n").done();
    assert!(piped.contains("1 aliases added"), "{piped}");
    assert_eq!(aliases(&place, "anne@acme.example"), json!(["a@acme.example", "b@acme.example", "c@acme.example"]));
    let as_virtual = import(&place, &aliases_file, &["--format", "virtual"]);
    assert!(as_virtual.stderr.starts_with("line 1: b:: this is no address"), "{as_virtual:#?}");
    let csv = place.write("users.csv", b"address\ncarl@acme.example\n");
    assert_eq!(import(&place, &csv, &[]).done(), "1 lines accepted, 0 refused\n");
    for option in [&["--dry-run"][..], &["--create-users"], &["--org", "acme"], &["--domain", "acme.example"]] {
        let refused = import(&place, &csv, option).failed();
        assert!(refused.contains("for the files of Postfix") && refused.contains("--format"), "{refused}");
    }
    assert!(import(&place, "nowhere", &[]).failed().contains("nowhere"));
    assert!(import(&place, &csv, &["--format", "passwd"]).misused().contains("csv, virtual, aliases"));
}

#[test]
fn a_large_file_is_taken_and_what_is_wrong_with_it_bounded() {
    let place = Place::acme();
    let people: String = (0..3000).map(|n| format!("p{n}: anne+p{n}, bob\n")).collect();
    let circle: String = (0..1500).map(|n| format!("c{n}: c{}\n", n ^ 1)).collect();
    let file = place.write("aliases", (people + &circle).as_bytes());
    let answer = import(&place, &file, &[]);
    assert_eq!((answer.code, answer.stdout.lines().count()), (Some(1), 3001));
    assert_eq!(answer.stderr.lines().count(), 1001);
    assert!(answer.stderr.ends_with("there is something to say of 500 more lines\n"));
    assert_eq!(shared(&place).as_array().map(Vec::len), Some(3000));
    assert!(
        import(&place, &file, &[])
            .stdout
            .ends_with("\nnothing changed; 3000 lines unchanged, 0 skipped, 1500 refused\n")
    );
}

#[test]
fn a_file_does_not_command_the_terminal() {
    let place = Place::acme();
    let answer =
        import_virtual(&place, "a@acme.example \u{1b}[31mred\u{7}@acme.example\n\u{1b}]0;t\u{7} x@acme.example\n", &[]);
    assert_eq!(answer.code, Some(1), "{answer:#?}");
    assert!(!answer.all().contains(['\u{1b}', '\u{7}']), "{answer:?}");
}
