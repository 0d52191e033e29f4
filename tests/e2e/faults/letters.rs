//! Messages without end, each the same at every run: who sends, to whom, and whose list says what.

use crate::message::Message;
use crate::relay::letter;

/// How many users there are. Each third one has a personal list.
const USERS: usize = 30;
const SENDERS: usize = 24;
const MOST_RECIPIENTS: usize = 5;

/// What [`draw`] is asked for.
#[derive(Clone, Copy)]
enum Question {
    Listed = 1,
    Sender,
    Recipients,
    FirstRecipient,
    Stride,
}

/// The number of a message is in this field of it.
const NUMBER: &str = "X-Test-Id";

/// One message: who sends it, and to which users.
pub struct Letter {
    pub number: usize,
    pub sender: usize,
    pub recipients: Vec<usize>,
}

impl Letter {
    /// The message of a number.
    pub fn new(number: usize) -> Self {
        let sender = draw(Question::Sender, number, 0) % SENDERS;
        let count = 1 + draw(Question::Recipients, number, 0) % MOST_RECIPIENTS;
        let first = draw(Question::FirstRecipient, number, 0);
        // Strides that have no divisor in common with USERS: nobody is met twice.
        let stride = [1, 7, 11, 13][draw(Question::Stride, number, 0) % 4];
        let recipients = (0..count).map(|nth| (first + nth * stride) % USERS).collect();
        Self { number, sender, recipients }
    }

    pub fn from(&self) -> String {
        sender(self.sender)
    }

    pub fn message(&self) -> Message {
        let letter = letter(&self.from(), &format!("Lettre {}", self.number));
        Message::new([format!("{NUMBER}: {}\r\n", self.number).as_bytes(), letter.bytes()].concat())
    }

    /// The message as the user is to have it.
    pub fn tagged_for(&self, user: usize) -> Message {
        match lists(user, self.sender) {
            true => self.message().with_subject(format!(" [PERSO] Lettre {}", self.number)),
            false => self.message(),
        }
    }

    /// Whether somebody among the recipients lists the sender.
    pub fn is_personal(&self) -> bool {
        self.recipients.iter().any(|&user| lists(user, self.sender))
    }
}

/// The number of a delivered message.
pub fn number(message: &Message) -> usize {
    let values = message.values(NUMBER);
    let number = values.first().and_then(|value| str::from_utf8(value).ok()?.trim().parse().ok());
    number.unwrap_or_else(|| panic!("no {NUMBER} in {message:?}"))
}

pub fn users() -> impl Iterator<Item = usize> {
    0..USERS
}

pub fn name(user: usize) -> String {
    format!("u{user}")
}

/// The user of a name.
pub fn user(name: &str) -> Option<usize> {
    name.strip_prefix('u')?.parse().ok().filter(|&user| user < USERS)
}

/// The senders on a user's personal list.
pub fn listed(user: usize) -> impl Iterator<Item = String> {
    (0..SENDERS).filter(move |&sender| lists(user, sender)).map(sender)
}

/// Whether a user lists a sender.
pub fn lists(user: usize, sender: usize) -> bool {
    user.is_multiple_of(3) && draw(Question::Listed, user, sender).is_multiple_of(3)
}

fn sender(sender: usize) -> String {
    format!("s{sender}@ailleurs.example")
}

/// A number that looks like chance and is always the same (the mixing of SplitMix64).
fn draw(question: Question, first: usize, second: usize) -> usize {
    let mut mixed = 0x9e37_79b9_7f4a_7c15_u64;
    for part in [question as usize, first, second] {
        mixed = (mixed ^ part as u64).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
    }
    (mixed >> 8) as usize
}
