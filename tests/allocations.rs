//! How often a message asks for memory, counted: what the README says of it holds, and whoever changes it notices.

#[path = "../benches/support/mod.rs"]
mod support;

use allocation_counter::measure;
use perso_milter::milter::session::RecipientReplies;
use support::{Conversation, Relay, listed, user};

/// How often one message of a personal sender asks for memory, and one of a stranger.
const PERSONAL: u64 = 18;
const STRANGER: u64 = 11;
/// What nine further recipients add.
const NINE_MORE: u64 = 22;
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
