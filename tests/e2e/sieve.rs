//! The Sieve script that a person takes along, compiled and run by Dovecot's own interpreter: it decides as the relay does.

use std::fs;
use std::path::Path;
use std::process::Command;

use jiff::Timestamp;
use perso_milter::console::export::{Folders, sieve};
use perso_milter::policy::action::BlackAction;
use perso_milter::policy::list::ListKind::{self, Black, Personal, White};
use perso_milter::store::{Entry, EntryId, Origin, Readable};

use crate::scratch::{self, Scratch};

fn entry(list: ListKind, text: &str) -> Entry {
    let id: EntryId = format!("{list}-{:032x}", 7).parse().expect("an id");
    let value = Readable::Value(text.parse().expect("an entry"));
    Entry { id, list, value, origin: Origin::User, created: Timestamp::UNIX_EPOCH, confirmed: true, note: None }
}

/// Runs a program of Pigeonhole on a configuration of ours.
fn pigeonhole(program: &str, folder: &Path, files: &[&Path]) -> String {
    let configuration = folder.join("dovecot.conf");
    let mail = folder.join("mail");
    let text = format!(
        "protocols =\nlog_path = /dev/stderr\nmail_location = maildir:{}\nssl = no\nmail_uid = nobody\nmail_gid = nogroup\n",
        mail.display()
    );
    fs::write(&configuration, text).expect("our own directory");
    scratch::run(Command::new(program).arg("-c").arg(&configuration).args(files))
}

#[test]
fn the_script_files_as_the_relay_decides() {
    let entries = [
        entry(Black, "*.shop.example"),
        entry(White, "*.mail.shop.example"),
        entry(Black, "*.promo.mail.shop.example"),
        entry(White, "*.equal.example"),
        entry(Black, "*.equal.example"),
        entry(Black, "firm.example"),
        entry(White, "chef@firm.example"),
        entry(Black, "chef+news@firm.example"),
        entry(Black, "news-*@letters.example"),
        entry(Personal, "maman@famille.example"),
        entry(Personal, "papa@firm.example"),
    ];
    let scratch = Scratch::new();
    let folder = scratch.directory("sieve");
    let (script, message) = (folder.join("script.sieve"), folder.join("message.eml"));
    let text = sieve(&entries, Folders { personal: "Perso", junk: "Junk" }, BlackAction::Reject);
    fs::write(&script, text).expect("our own directory");
    pigeonhole("sievec", &folder, &[&script]);
    for (from, expected) in [
        ("a@shop.example", "Junk"),
        ("a@deep.shop.example", "Junk"),
        ("a@mail.shop.example", "INBOX"),
        ("a@x.mail.shop.example", "INBOX"),
        ("a@promo.mail.shop.example", "Junk"),
        ("a@b.equal.example", "INBOX"),
        ("client@firm.example", "Junk"),
        ("chef@firm.example", "INBOX"),
        ("chef+perso@firm.example", "INBOX"),
        ("chef+news@firm.example", "Junk"),
        ("papa@firm.example", "Junk"),
        ("news-monday@letters.example", "Junk"),
        ("editor@letters.example", "INBOX"),
        ("maman@famille.example", "Perso"),
        ("Maman+vacances@Famille.example", "Perso"),
        ("mamans@famille.example", "INBOX"),
        ("stranger@elsewhere.example", "INBOX"),
    ] {
        let text = format!("From: Somebody <{from}>\r\nTo: anne@acme.example\r\nSubject: x\r\n\r\nHello\r\n");
        fs::write(&message, text).expect("our own directory");
        let told = pigeonhole("sieve-test", &folder, &[&script, &message]);
        let stored = told.lines().find_map(|line| line.trim().strip_prefix("* store message in folder: "));
        assert_eq!(stored.unwrap_or("INBOX"), expected, "{from}\n{told}");
        assert_eq!(told.contains("$Personal"), expected == "Perso", "{from}\n{told}");
    }
}
