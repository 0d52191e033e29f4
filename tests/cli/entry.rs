//! `entry add` and `entry remove`: what is answered never tells what stood there before.

use perso_milter::policy::list::ListKind;
use perso_milter::store::{Permission, Readable, Store};

use crate::harness::{Answer, Place, id};

const ANNE: &str = "anne@acme.example";
const LISTS: [&str; 3] = ["white", "black", "personal"];

/// What the user herself reads on her list.
fn of_anne(place: &Place, list: ListKind) -> Vec<String> {
    let store = place.store();
    let anne = id(&store, ANNE);
    let entries = store.read_entries(anne, Some(list), &Permission::Own(anne)).expect("her own");
    let text = |value: Readable| match value {
        Readable::Value(value) => value.written(),
        Readable::Lost => "LOST".to_owned(),
        Readable::Altered => "ALTERED".to_owned(),
    };
    entries.into_iter().map(|entry| text(entry.value)).collect()
}

#[test]
fn entries_are_put_on_and_taken_off_the_list_that_was_named() {
    let place = Place::acme();
    for (list, kind) in LISTS.into_iter().zip(ListKind::ALL) {
        let add = ["entry", "add", "Anne@Acme.example", list, "Maman@Famille.example", "*.Club.example", "ami.example"];
        assert_eq!(place.run(&add).done(), "done\n");
        assert_eq!(of_anne(&place, kind), ["*.club.example", "ami.example", "maman@famille.example"]);
        let remove = ["entry", "remove", ANNE, list, "MAMAN@famille.example", "*.club.example"];
        assert_eq!(place.run(&remove).done(), "done\n");
        assert_eq!(of_anne(&place, kind), ["ami.example"]);
    }
}

#[test]
fn the_answer_is_the_same_whether_the_entry_was_there_or_not() {
    let place = Place::acme();
    let expected = Answer { code: Some(0), stdout: "done\n".to_owned(), stderr: String::new() };
    place.run(&["org", "set", "acme", "globs=true"]).done();
    for list in LISTS {
        for value in ["maman@famille.example", "famille.example", "*.famille.example", "news-*@shop.example"] {
            for (change, times) in [("remove", 1), ("add", 3), ("remove", 2), ("add", 1)] {
                for _ in 0..times {
                    assert_eq!(place.run(&["entry", change, ANNE, list, value]), expected, "{change} {list} {value}");
                }
            }
        }
    }
}

/// A list that is full would tell how many entries it holds.
#[test]
fn the_answer_is_the_same_when_the_list_is_full() {
    let place = Place::acme();
    let lines = (0..10_000).map(|n| format!("{ANNE},white,friend{n}@famille.example\n"));
    let file: String = std::iter::once("user,list,value\n".to_owned()).chain(lines).collect();
    assert_eq!(place.run_on(&["entry", "import", "-"], file.as_bytes()).done(), "10000 lines accepted, 0 refused\n");
    assert_eq!(place.run(&["entry", "add", ANNE, "white", "one@more.example"]).done(), "done\n");
    let one = b"user,list,value\nanne@acme.example,white,another@more.example\n";
    assert_eq!(place.run_on(&["entry", "import", "-"], one).done(), "1 lines accepted, 0 refused\n");
    assert_eq!(of_anne(&place, ListKind::White).len(), 10_000);
}

#[test]
fn what_may_not_be_entered_is_refused_with_reason_and_remedy() {
    let place = Place::acme();
    place.run(&["org", "protect", "add", "acme", "customer.example"]).done();
    let everybody = "an entry must not cover everybody; give an address (a@d) or a domain";
    let suffix = "this is a public suffix, below which strangers have their domains; give an address or a whole domain";
    let own = "mail from the organisation's own domains is professional and cannot be declared personal";
    let protected = "the organisation declared this domain professional; it cannot be declared personal";
    let freemail = "anybody may have an address at this domain; give the address of the person (a@d)";
    let sender = "the organisation's own senders cannot be blocked";
    let globs =
        "patterns are switched off in this organisation; give an address (a@d), a domain (d) or its subdomains (*.d)";
    let malformed = "the entry is neither an address (a@d), nor a domain (d), nor a domain with its subdomains (*.d)";
    let long = format!("{}@famille.example", "x".repeat(3000));
    let cases: [(&[&str], &str, &str); 20] = [
        (&LISTS, "*", everybody),
        (&LISTS, "*@*", everybody),
        (&LISTS, "com", suffix),
        (&LISTS, "*.co.uk", suffix),
        (&["personal"], "acme.example", own),
        (&["personal"], "boss@acme.example", own),
        (&["personal"], "*.mail.acme.example", own),
        (&["personal"], "customer.example", protected),
        (&["personal"], "friend@customer.example", protected),
        (&["white", "personal"], "gmail.com", freemail),
        (&["white", "personal"], "*.free.fr", freemail),
        (&["black"], "boss@acme.example", sender),
        (&["black"], "acme.example", sender),
        (&LISTS, "news-*@shop.example", globs),
        (&LISTS, "", "the entry is empty; give an address (a@d), a domain (d) or a domain with its subdomains (*.d)"),
        (&LISTS, "a b@famille.example", malformed),
        (&LISTS, "x@famille.example\r\nX-Evil: 1", malformed),
        (&LISTS, "a@b@famille.example", malformed),
        (&LISTS, "[192.0.2.1]", malformed),
        (&LISTS, &long, "the entry is longer than an address can be"),
    ];
    for (lists, value, expected) in cases {
        for list in lists {
            let stderr = place.run(&["entry", "add", ANNE, list, "fine@famille.example", value]).failed();
            assert!(stderr.trim_end().ends_with(expected), "{list} {value:?}: {stderr}");
            assert!(!stderr.contains('\r'), "{stderr:?}");
        }
    }
    for list in ListKind::ALL {
        assert_eq!(of_anne(&place, list), Vec::<String>::new(), "one wrong entry of several leaves all out");
    }
}

#[test]
fn what_is_not_there_is_said_before_any_list_is_looked_at() {
    let place = Place::acme();
    place.run(&["user", "add", "contact@acme.example", "--functional"]).done();
    for change in ["add", "remove"] {
        let nobody = place.run(&["entry", change, "nobody@acme.example", "white", "a@b.example"]).failed();
        assert_eq!(nobody, "perso-milter: there is no user nobody@acme.example\n");
        let functional = place.run(&["entry", change, "contact@acme.example", "personal", "a@b.example"]).failed();
        assert_eq!(functional, "perso-milter: a functional mailbox has no personal list\n");
    }
    place.run(&["entry", "add", "contact@acme.example", "white", "a@b.example"]).done();
}

#[test]
fn an_alias_names_the_same_user() {
    let place = Place::acme();
    place.run(&["user", "alias", "add", ANNE, "ab@acme.example"]).done();
    place.run(&["entry", "add", "ab@acme.example", "personal", "maman@famille.example"]).done();
    assert_eq!(of_anne(&place, ListKind::Personal), ["maman@famille.example"]);
}

/// The user sees who did what.
#[test]
fn changes_are_journalled_in_the_name_of_who_typed() {
    let place = Place::acme();
    place.run(&["entry", "add", ANNE, "white", "a@b.example"]).done();
    let mut command = place.command(&["entry", "remove", ANNE, "white", "a@b.example"]);
    crate::harness::answer(command.env("SUDO_USER", "pierre").env("USER", "pierre")).done();
    place.run_on(&["entry", "import", "-"], b"user,list,value\nanne@acme.example,white,c@d.example\n").done();
    let store = place.store();
    let anne = id(&store, ANNE);
    let journal = store.journal(anne, &Permission::Own(anne), None, 10).expect("her own");
    let actors: Vec<&str> = journal.iter().map(|record| record.actor.as_str()).collect();
    let typed = format!("administrator {}", crate::harness::typist());
    assert_eq!(actors, [&*format!("import {}", crate::harness::typist()), &*typed, &*typed, &*typed]);
    assert_eq!(journal[1].edits.len(), 1);
}

/// Mail from the console holds the links to sign in.
#[test]
fn the_consoles_sender_is_blocked_by_nobody() {
    let place = Place::acme();
    place.configure("[console]\nsender = \"cim@service.example\"\n");
    for value in ["cim@service.example", "service.example", "*.service.example"] {
        let refused = place.run(&["entry", "add", ANNE, "black", value]).failed();
        assert!(refused.contains("the organisation's own senders cannot be blocked"), "{refused}");
        let line = format!("user,list,value\n{ANNE},black,{value}\n");
        let imported = place.run_on(&["entry", "import", "-"], line.as_bytes());
        assert!(imported.stdout.contains("0 lines accepted, 1 refused"), "{imported:?}");
    }
    // An entry of before the address was the console's has no effect any more.
    let lists = format!(
        "[organisation]\nname = \"acme\"\ndomains = [\"acme.example\"]\n\n[[user]]\naddress = \"{ANNE}\"\nblack = [\"service.example\"]\n"
    );
    place.write("lists.toml", lists.as_bytes());
    place.write("message.eml", b"Subject: x\r\n\r\n");
    let explained = |from: &str| {
        let explained = place.run(&["explain", "--lists", "lists.toml", "--from", from, "--rcpt", ANNE, "message.eml"]);
        assert_eq!(explained.code, Some(0), "{explained:?}");
        explained.stdout
    };
    let (console, other) = (explained("cim@service.example"), explained("other@service.example"));
    assert!(console.contains("delivered") && other.contains("rejected"), "{console}{other}");
}
