//! How often a message asks for memory, counted: what the README says of it holds, and whoever adds to it notices.

#[path = "../benches/support/mod.rs"]
mod support;

use allocation_counter::measure;
use perso_milter::milter::session::RecipientReplies;
use support::{Conversation, Relay, listed, user};

/// What one message of a personal sender and one of a stranger may ask for, and what each further recipient adds.
const PERSONAL: u64 = 22;
const STRANGER: u64 = 13;
const RECIPIENT: u64 = 3;

#[test]
fn a_message_asks_for_memory_as_often_as_is_said() {
    let relay = Relay::new(20).expect("a store");
    let recipients = |n: u64| -> Vec<String> { (0..n).map(|n| user(n).as_str().to_owned()).collect() };
    let stranger = "stranger@unknown.example".to_owned();
    let cases = [
        ("personal", listed(0, 3), recipients(1), PERSONAL),
        ("stranger", stranger.clone(), recipients(1), STRANGER),
        ("stranger to ten", stranger, recipients(10), STRANGER + 9 * RECIPIENT),
    ];
    for (name, sender, recipients, most) in cases {
        let mut conversation = Conversation::open(&relay, RecipientReplies::NotNeeded);
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
        assert!(asked.count_total <= most, "{name}: {} times", asked.count_total);
        assert_eq!(asked.count_current, 0, "{name}: all of it is given back");
        assert!(!output.is_empty());
    }
}
