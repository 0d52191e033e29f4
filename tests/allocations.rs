//! How often a message asks for memory, counted: what the README says of it holds, and whoever changes it notices. And how much
//! a wrong password asks for, which tells how often it is hashed.

#[path = "../benches/support/mod.rs"]
mod support;

use allocation_counter::measure;
use jiff::Timestamp;
use perso_milter::milter::session::RecipientReplies;
use perso_milter::policy::address::{Address, Domain};
use perso_milter::store::{
    ARGON2_MEMORY, AccountStore, Actor, NewUser, Password, Permission, Role, SqliteOptions, SqliteStore, StaffStore,
    Store, UserKind,
};
use support::{Conversation, Relay, listed, user};
use totp_rs::{Builder, Secret};

/// How often one message of a personal sender asks for memory, and one of a stranger.
const PERSONAL: u64 = 8;
const STRANGER: u64 = 6;
/// What nine further recipients add.
const NINE_MORE: u64 = 26;
/// What it adds that a personal message is told of in its recipient's history, and how much of it waits for the store then:
/// the row and the two addresses in it.
const HISTORY: u64 = 3;
const ROW: i64 = 3;

#[test]
fn a_message_asks_for_memory_as_often_as_is_said() {
    let relay = Relay::new(20).expect("a store");
    let with_histories = Relay::with_histories(20).expect("a store");
    let recipients = |n: u64| -> Vec<String> { (0..n).map(|n| user(n).as_str().to_owned()).collect() };
    let stranger = "stranger@unknown.example".to_owned();
    let mut found = Vec::new();
    let cases = [
        ("personal", &relay, listed(0, 3), recipients(1), (PERSONAL, 0)),
        ("personal, with history", &with_histories, listed(0, 3), recipients(1), (PERSONAL + HISTORY, ROW)),
        ("stranger", &relay, stranger.clone(), recipients(1), (STRANGER, 0)),
        ("stranger to ten", &relay, stranger, recipients(10), (STRANGER + NINE_MORE, 0)),
    ];
    for (name, relay, sender, recipients, expected) in cases {
        let mut conversation = Conversation::open(relay, RecipientReplies::NotNeeded);
        let message = conversation.message(&sender, &recipients);
        let mut output = Vec::with_capacity(4096);
        let mut send = || {
            output.clear();
            for block in &message {
                conversation.session.receive(block, &mut output).expect("in order");
                conversation.session.notices();
            }
        };
        // The first message of a day and of a connection may ask for more.
        send();
        let asked = measure(&mut send);
        println!("{name}: {} times, {} bytes", asked.count_total, asked.bytes_total);
        found.push((name, (asked.count_total, asked.count_current), expected));
        assert!(!output.is_empty());
    }
    for (name, asked, expected) in found {
        assert_eq!(asked, expected, "{name}: how often, and how much of it is kept");
    }
}

/// The time of an answer tells nobody who has an account: the memory that argon2id fills is asked for once in any case.
#[test]
fn a_wrong_password_costs_one_hash_whoevers_it_would_be() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(&dir.path().join("perso-milter.db"), SqliteOptions::default()).expect("a store");
    let domain = Domain::parse("acme.example").expect("a domain");
    store.add_organisation(&Actor::System, "acme", &[domain]).expect("added");
    let [anne, bob] = ["anne@acme.example", "bob@acme.example"].map(|user| {
        let new = NewUser { address: address(user), aliases: Vec::new(), kind: UserKind::Person };
        store.add_user(&Actor::System, &new).expect("added")
    });
    let password = Password::new("cheval agrafe pile", &address("anne@acme.example")).expect("none to guess");
    store.set_password(anne, &Permission::Own(anne), &password).expect("set");
    let root = address("root@relay.example");
    let (_, code) = store.add_staff(&Actor::System, &root, Role::Operator).expect("added");
    let factor = &*store.enrolment(&code).expect("waiting").factor.written();
    let secret = Secret::try_from_base32(factor.replace(' ', "")).expect("base 32");
    let factor = Builder::new().with_secret(secret).with_account_name("x").build().expect("a factor");
    let now = || u64::try_from(Timestamp::now().as_second()).expect("after 1970");
    store.enrol(&code, &password, &factor.generate(now()).to_string()).expect("enrolled");

    let one = u64::from(ARGON2_MEMORY) * 1024..2 * u64::from(ARGON2_MEMORY) * 1024;
    let costs = |what: &str, work: &dyn Fn()| {
        let asked = measure(work).bytes_total;
        assert!(one.contains(&asked), "{what}: {asked} bytes");
    };
    for (what, user) in [("anne, who has one", Some(anne)), ("bob, who has none", Some(bob)), ("nobody", None)] {
        costs(what, &|| assert!(store.open_with_password(user, "un autre mot de passe").expect("tried").is_none()));
    }
    for (what, name) in [("an operator", &root), ("a stranger", &address("nobody@relay.example"))] {
        costs(what, &|| drop(store.staff_sign_in(name, "un autre mot de passe", "123456").expect_err("refused")));
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}
