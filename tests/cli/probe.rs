//! `probe`: the message, the code, and what may be switched on before and after.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use jiff::{SignedDuration, Timestamp};
use mail_parser::MessageParser;
use perso_milter::store::{Actor, AddressedFolder, PROBE_LIFE, SqliteOptions, SqliteStore, Store};
use serde_json::json;

use crate::harness::Place;

/// A mail server for one connection. It answers RCPT as it is told, and keeps what it was sent.
struct MailServer {
    address: String,
    thread: JoinHandle<String>,
}

impl MailServer {
    fn start(rcpt: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let thread = thread::spawn(move || serve(&listener.accept().expect("the program connects").0, rcpt));
        Self { address, thread }
    }

    /// The lines that it was sent.
    fn lines(self) -> String {
        self.thread.join().expect("the server")
    }
}

fn serve(stream: &TcpStream, rcpt: &str) -> String {
    let mut writer = stream;
    let mut say = |line: &str| writer.write_all(format!("{line}\r\n").as_bytes()).expect("the program reads");
    say("220 mx.acme.example ESMTP");
    let (mut all, mut is_message) = (String::new(), false);
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        all += &format!("{line}\r\n");
        match line.get(..4).unwrap_or(&line) {
            "." => {
                is_message = false;
                say("250 2.0.0 queued");
            }
            _ if is_message => {}
            "RCPT" => say(rcpt),
            "DATA" => {
                is_message = true;
                say("354 go on");
            }
            "QUIT" => break,
            _ => say("250 2.1.0 Ok"),
        }
    }
    all
}

/// Sends a probe through a server that takes it; what the program printed, and what the server was sent.
fn send(place: &Place, arguments: &[&str]) -> (String, String) {
    let server = MailServer::start("250 2.1.5 Ok");
    let address = server.address.clone();
    let printed = place.run(&[&["probe", "send", "--smtp", &address], arguments].concat()).done();
    (printed.replace(&address, "SERVER"), server.lines())
}

/// The code in a message, as its reader finds it.
fn code_in(lines: &str) -> String {
    let (_, message) = lines.split_once("DATA\r\n").expect("a message");
    let message = MessageParser::default().parse(message.as_bytes()).expect("a message");
    let text = message.body_text(0).expect("a text").into_owned();
    let codes: Vec<_> = text.split("perso-milter probe confirm ").skip(1).filter_map(|rest| rest.get(..14)).collect();
    assert_eq!(codes.len(), 2, "once in each language: {text}");
    assert_eq!(codes[0], codes[1]);
    codes[0].to_owned()
}

const REMEDY: &str = "prove it: perso-milter probe send you@acme.example --folder";

#[test]
fn a_folder_is_probed_confirmed_and_then_used() {
    let place = Place::acme();
    let list = || place.run(&["probe", "list", "--json"]).json();
    let set = ["org", "set", "acme", "personal_actions=tag,folder"];
    assert_eq!(
        place.run(&set).failed(),
        format!(
            "perso-milter: personal_actions: the folder Perso is not proven; {REMEDY} Perso, then perso-milter probe \
             confirm CODE\n"
        )
    );
    assert_eq!(
        place.run(&["probe", "list"]).done(),
        "no folder is proven yet; begin with: perso-milter probe send ADDRESS\n"
    );

    let (printed, lines) = send(&place, &["Anne@acme.example"]);
    assert!(printed.starts_with("SERVER took the probe for anne+Perso@acme.example; its code is good until "));
    assert!(lines.contains("MAIL FROM:<anne@acme.example>") && lines.contains("RCPT TO:<anne+Perso@acme.example>"));
    let code = code_in(&lines);
    assert!(!printed.contains(&code), "whoever sends it must look for it: {printed}");
    assert!(list()["proven"] == json!([]) && list()["waiting"][0]["folder"] == "Perso", "{}", list());
    place.run(&set).failed();

    let confirmed = place.run(&["probe", "confirm", &code.to_lowercase()]).done();
    let expected =
        "acme: +Perso is proven\nyou may switch folder on: perso-milter org set acme personal_actions=tag,folder\n";
    assert_eq!(confirmed, expected);
    let row = list()["proven"][0].clone();
    assert_eq!(
        (&row["organisation"], &row["delimiter"], &row["folder"]),
        (&json!("acme"), &json!("+"), &json!("Perso"))
    );
    assert_eq!(list()["waiting"], json!([]));
    place.run(&set).done();
    assert!(place.run(&["probe", "list"]).done().starts_with("acme  +Perso  proven 20"));

    let again = place.run(&["probe", "confirm", &code]).failed();
    assert!(again.starts_with("perso-milter: no probe waits for this code; "), "{again}");
}

#[test]
fn other_folders_senders_and_mailboxes_are_probed_too() {
    let place = Place::acme();
    for (arguments, sender, recipient, possible) in [
        (
            &["--junk"][..],
            "desk@acme.example",
            "desk+Junk@acme.example",
            "you may switch junk on: perso-milter org set acme black_action=junk ",
        ),
        (
            &["--folder", "Prive"],
            "desk@acme.example",
            "desk+Prive@acme.example",
            "you may use it: perso-milter org set acme folder=Prive ",
        ),
        (
            &["--from", "root@Other.example"],
            "root@other.example",
            "desk+Perso@acme.example",
            "you may switch folder on: ",
        ),
    ] {
        // Nobody's mailbox in the store: that of whoever runs the mail server will do.
        let (_, lines) = send(&place, &[arguments, &["desk@acme.example"]].concat());
        assert!(lines.contains(&format!("MAIL FROM:<{sender}>")) && lines.contains(&format!("RCPT TO:<{recipient}>")));
        let confirmed = place.run(&["probe", "confirm", &code_in(&lines)]).done();
        assert!(confirmed.lines().nth(1).is_some_and(|line| line.starts_with(possible)), "{confirmed}");
    }
    for settings in [["black_action=hold", "late_action=junk"], ["folder=Prive", "personal_actions=folder"]] {
        place.run(&[&["org", "set", "acme"][..], &settings].concat()).done();
    }
    // What the configuration has already is in force at once.
    place.run(&["probe", "forget", "acme", "Prive"]).done();
    let (_, lines) = send(&place, &["desk@acme.example"]);
    let confirmed = place.run(&["probe", "confirm", &code_in(&lines)]).done();
    assert_eq!(confirmed, "acme: +Prive is proven\npersonal messages are filed there from now on\n");

    let (printed, _) = send(&place, &["desk@acme.example", "--json"]);
    let printed: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
    let members = ["organisation", "delimiter", "folder", "recipient", "smtp"].map(|key| printed[key].as_str());
    assert_eq!(members, ["acme", "+", "Prive", "desk+Prive@acme.example", "SERVER"].map(Some));
    assert!(printed["expires"].is_string());
}

#[test]
fn what_the_mail_server_answers_is_said_with_the_remedy() {
    let place = Place::acme();
    for (reply, what, remedy) in [
        (
            "550 5.1.1 <anne+Perso@acme.example>: Recipient address rejected: User unknown in virtual mailbox table",
            " refuses mail for anne+Perso@acme.example: 550 5.1.1 <anne+Perso@acme.example>: Recipient address \
             rejected: User unknown in virtual mailbox table; ",
            "it does not know the delimiter +: perso-milter postfix-config --folders prints the lines",
        ),
        (
            "451 4.7.1 Service unavailable - \x1b[31mtry later",
            " does not take mail for anne+Perso@acme.example now: 451 4.7.1 Service unavailable",
            "see its log, then try again",
        ),
    ] {
        let server = MailServer::start(reply);
        let address = server.address.clone();
        let stderr = place.run(&["probe", "send", "anne@acme.example", "--smtp", &address]).failed();
        assert!(stderr.starts_with(&format!("perso-milter: {address}{what}")) && stderr.contains(remedy), "{stderr}");
        assert!(!stderr.contains('\x1b'), "it does not command the terminal: {stderr:?}");
        assert!(!server.lines().contains("DATA"));
    }
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it was bound").to_string();
    let stderr = place.run(&["probe", "send", "anne@acme.example", "--smtp", &nobody]).failed();
    assert!(stderr.starts_with(&format!("perso-milter: the mail server {nobody} cannot be reached: ")), "{stderr}");
    assert!(stderr.ends_with("; name another with --smtp HOST:PORT\n"), "{stderr}");
    assert_eq!(
        place.run(&["probe", "list", "--json"]).json()["waiting"],
        json!([]),
        "nobody waits for what was not sent"
    );
}

#[test]
fn a_probe_that_could_not_arrive_is_not_sent() {
    let place = Place::acme();
    let refused = |arguments: &[&str], expected: &str| {
        let server = ["probe", "send", "--smtp", "127.0.0.1:9"];
        let stderr = place.run(&[&server, arguments].concat()).failed();
        assert!(stderr.starts_with(&format!("perso-milter: {expected}")), "{arguments:?}: {stderr}");
    };
    refused(&["anne"], "anne: this is no address: ");
    refused(&["x@other.example"], "no organisation serves the domain other.example; add it with ");
    refused(&["anne+x@acme.example"], "anne+x@acme.example: it holds the delimiter +; name the mailbox itself");
    refused(&["anne@acme.example", "--from", "nobody"], "nobody: this is no address: ");
    place.configure("[recipients]\ndelimiter = \"-\"\n");
    refused(&["anne@acme.example", "--folder", "a-b"], "the folder a-b holds the recipients.delimiter -; name ");
    place.configure("[recipients]\ndelimiter = \"\"\n");
    refused(&["anne@acme.example"], "folder and junk need a delimiter, and recipients.delimiter is empty; ");
    // Our own milter takes the personal folder off again, and no other.
    place.configure("[networks]\nours = [\"192.0.2.0/24\"]\n");
    let inbound = "mail from 127.0.0.1 counts as inbound, and the milter takes +Perso off inbound mail that is not \
                   personal; add 127.0.0.1 to networks.ours and reload, or send the probe from ";
    refused(&["anne@acme.example"], inbound);
    refused(&["anne@acme.example", "--folder", "perso"], &inbound.replace("Perso", "perso"));
    let (_, lines) = send(&place, &["anne@acme.example", "--junk"]);
    assert!(lines.contains("RCPT TO:<anne+Junk@acme.example>"), "{lines}");
}

#[test]
fn a_wrong_or_expired_code_proves_nothing() {
    let place = Place::acme();
    let old = Timestamp::now() - SignedDuration::try_from(PROBE_LIFE).expect("a week");
    let options = SqliteOptions { clock: Arc::new(move || old), ..SqliteOptions::default() };
    let store = SqliteStore::open(&place.database(), options).expect("a store");
    let acme = store.organisation("acme").expect("an organisation").id;
    let folder = AddressedFolder { delimiter: '+', name: "Perso".parse().expect("a folder") };
    let (expired, _) = store.begin_probe(&Actor::System, acme, &folder).expect("begun");
    for (code, expected) in [
        (expired.to_string().as_str(), "this code has expired; send another probe: perso-milter probe send\n"),
        ("ABCD-EFGH-JKMN", "no probe waits for this code; type it as it stands in the message, or send another: "),
        ("nonsense", "no probe waits for this code; "),
        ("", "no probe waits for this code; "),
    ] {
        let stderr = place.run(&["probe", "confirm", code]).failed();
        assert!(stderr.starts_with(&format!("perso-milter: {expected}")), "{code:?}: {stderr}");
    }
    assert_eq!(place.run(&["probe", "list", "--json"]).json(), json!({ "proven": [], "waiting": [] }));
}

#[test]
fn nothing_that_files_is_switched_on_before_its_folder_is_proven() {
    let place = Place::acme();
    place.run(&["org", "add", "zoo", "--domain", "zoo.example"]).done();
    let cases: [(&[&str], &str); 9] = [
        (&["org", "set", "acme", "personal_actions=folder"], "personal_actions: the folder Perso is not proven"),
        (&["org", "set", "acme", "black_action=junk"], "black_action: the folder Junk is not proven"),
        (&["org", "set", "acme", "black_action=hold"], "black_action: the folder Junk is not proven"),
        (&["org", "set", "acme", "late_action=junk"], "late_action: the folder Junk is not proven"),
        (
            &["org", "set", "acme", "personal_actions=tag,folder", "folder=Prive"],
            "personal_actions: the folder Prive is ",
        ),
        (
            &["org", "set", "acme", "junk_folder=Spam", "black_action=hold"],
            "black_action: the folder Spam is not proven",
        ),
        (
            &["user", "set", "anne@acme.example", "personal_actions=mark,folder"],
            "personal_actions: the folder Perso is ",
        ),
        (&["user", "set", "anne@acme.example", "black_action=junk"], "black_action: the folder Junk is not proven"),
        (&["user", "set", "anne@acme.example", "black_action=hold"], "black_action: the folder Junk is not proven"),
    ];
    let shown =
        || (place.run(&["org", "show", "acme"]).done(), place.run(&["user", "show", "anne@acme.example"]).done());
    let before = shown();
    for (arguments, expected) in cases {
        let stderr = place.run(arguments).failed();
        assert!(stderr.starts_with(&format!("perso-milter: {expected}")), "{arguments:?}: {stderr}");
        assert!(stderr.contains(REMEDY) && stderr.ends_with("then perso-milter probe confirm CODE\n"), "{stderr}");
    }
    assert_eq!(shown(), before, "nothing was changed");
    place.prove(&["Perso", "Junk", "Prive", "Spam"]);
    for (arguments, _) in cases {
        place.run(arguments).done();
    }
    // A proof is one organisation's, and one delimiter's.
    let other = place.run(&["org", "set", "zoo", "personal_actions=folder"]).failed();
    assert!(other.contains("probe send you@zoo.example --folder Perso"), "{other}");
    place.configure("[recipients]\ndelimiter = \"-\"\n");
    place.run(&["user", "set", "anne@acme.example", "black_action=junk"]).failed();
}

/// A folder in use is not exchanged for one that nobody has seen, whoever uses it.
#[test]
fn a_folder_in_use_is_not_renamed_before_the_new_one_is_proven() {
    for (setting, used_by) in [
        ("folder=Prive", &["org", "set", "acme", "personal_actions=folder"][..]),
        ("folder=Prive", &["user", "set", "anne@acme.example", "personal_actions=folder"]),
        ("junk_folder=Spam", &["org", "set", "acme", "late_action=junk"]),
        ("junk_folder=Spam", &["user", "set", "anne@acme.example", "black_action=hold"]),
    ] {
        let place = Place::acme();
        place.prove(&["Perso", "Junk"]);
        let (key, folder) = setting.split_once('=').expect("KEY=VALUE");
        let rename = |value: &str| place.run(&["org", "set", "acme", &format!("{key}={value}")]);
        rename(folder).done();
        rename("").done();
        place.run(used_by).done();
        let stderr = rename(folder).failed();
        assert!(stderr.contains(&format!("the folder {folder} is not proven; {REMEDY} {folder}, ")), "{stderr}");
        place.prove(&[folder]);
        rename(folder).done();
    }
}

/// The configuration may ask for folders before they are proven; then other settings can still be changed, and `check`
/// says what is missing, at its line.
#[test]
fn what_the_configuration_asks_for_in_vain_is_an_error_of_check_and_stops_no_other_change() {
    let place = Place::acme();
    let errors = || -> Vec<(String, Option<u64>, String)> {
        let answer = place.run(&["check", "--json"]);
        let json: serde_json::Value = serde_json::from_str(&answer.stdout).expect("JSON");
        let problems = json["problems"].as_array().expect("a list").iter().filter(|p| p["severity"] == "error");
        let text = |problem: &serde_json::Value, key: &str| problem[key].as_str().expect("a text").to_owned();
        problems.map(|p| (text(p, "key"), p["line"].as_u64(), text(p, "what") + "; " + &text(p, "remedy"))).collect()
    };
    assert_eq!(errors(), [], "the defaults need no folder");
    place.configure("[personal]\nactions = [\"tag\", \"folder\"]\n[black]\naction = \"junk\"\n");
    let config = std::fs::read_to_string(place.config()).expect("our own file");
    let line_of =
        |text: &str| (1..).zip(config.lines()).find(|(_, line)| line.starts_with(text)).map(|(number, _)| number);
    let remedy = |folder: &str| {
        format!(
            " of acme is not proven: nothing is filed there; {REMEDY} {folder}, then perso-milter probe confirm CODE"
        )
    };
    let personal = "it holds folder, and the folder Perso".to_owned() + &remedy("Perso");
    let black = "it files into the junk folder, and the folder Junk".to_owned() + &remedy("Junk");
    let expected = [
        ("personal.actions".to_owned(), line_of("actions ="), personal),
        ("black.action".to_owned(), line_of("action ="), black),
    ];
    assert_eq!(errors(), expected);
    place.run(&["org", "set", "acme", "tag=[PRIV\u{c9}]", "reject_text=No"]).done();
    for setting in ["personal_actions=folder", "folder=Perso", "folder=Prive", "junk_folder=Spam"] {
        place.run(&["org", "set", "acme", setting]).failed();
    }
    place.run(&["user", "set", "anne@acme.example", "black_action=discard"]).done();

    // What the organisation and its users chose stands in the store.
    place.prove(&["Perso", "Junk"]);
    assert_eq!(errors(), []);
    place.run(&["org", "set", "acme", "personal_actions=folder", "late_action=junk", "black_action=reject"]).done();
    place.run(&["user", "set", "anne@acme.example", "personal_actions=folder", "black_action=hold"]).done();
    let forgotten = "acme: +Junk is proven no longer; nothing is filed there\nacme: +Perso is proven no longer; nothing \
                     is filed there\n";
    assert_eq!(place.run(&["probe", "forget", "acme"]).done(), forgotten);
    let found: Vec<_> =
        errors().into_iter().map(|(key, line, what)| (key, line, what.split(',').next().map(str::to_owned))).collect();
    let at_store = |what: &str| ("store.url".to_owned(), Some(2), Some(what.to_owned()));
    let expected = [
        "personal_actions holds folder",
        "users chose folder",
        "users chose junk or hold",
        "late_action files into the junk folder",
    ];
    assert_eq!(found, expected.map(at_store));
}

#[test]
fn a_proof_is_taken_back_for_one_folder_or_all() {
    let place = Place::acme();
    place.prove(&["Perso", "Junk"]);
    let forget = |arguments: &[&str]| place.run(&[&["probe", "forget"], arguments].concat());
    assert_eq!(forget(&["acme", "Prive"]).done(), "acme: nothing was proven\n");
    assert_eq!(forget(&["acme", "Perso"]).done(), "acme: +Perso is proven no longer; nothing is filed there\n");
    place.run(&["org", "set", "acme", "personal_actions=folder"]).failed();
    place.run(&["org", "set", "acme", "black_action=junk"]).done();
    assert_eq!(forget(&["acme"]).done(), "acme: +Junk is proven no longer; nothing is filed there\n");
    assert_eq!(forget(&["acme"]).done(), "acme: nothing was proven\n");
    assert!(forget(&["none"]).failed().contains("there is no organisation none"));
}

/// The mail store must file before that can be proven.
#[test]
fn what_folders_need_is_printed_before_they_are_used() {
    let place = Place::new();
    let (usual, with_folders) =
        (place.run(&["postfix-config"]).done(), place.run(&["postfix-config", "--folders"]).done());
    for line in ["recipient_delimiter = +", "lmtp_save_to_detail_mailbox = yes", "perso-milter probe send ADDRESS"] {
        assert!(!usual.contains(line) && with_folders.contains(line), "{with_folders}");
    }
}
