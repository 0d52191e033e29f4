//! The split marker: the header `X-Perso-Split`, by which Postfix knows a message that it must split, and by which the
//! second pass knows that it is ours.
//!
//! Format: `TOKEN;DIRECTION;SENDER;USERS;CLAIMS`. TOKEN is 32 hexadecimal digits that only this store's relay knows.
//! DIRECTION is `in` or `out`, as the edge decided it. SENDER, USERS and CLAIMS are words of 16 hexadecimal digits, separated
//! by commas, and may be empty: keyed hashes of the user whose list is asked about what they send ([`SplitKey::sender`]), of
//! the users whom the sender addressed ([`SplitKey::addressed`]), and of the original recipients that the sender named for
//! them ([`SplitKey::claim`]). Long lists are folded between two words.
//!
//! The second pass decides for the users in the list alone: whom only an alias of the MTA or another milter has put in is
//! decided by nobody's list, as they would be alone. It believes no marker without the token. Postfix's header check sees
//! only headers that a milter added, so that a stranger's splits nothing; the edge removes those anyway, and the second pass
//! removes ours from every copy.

use std::fmt;
use std::fmt::Write as _;

use aws_lc_rs::hmac;

use crate::policy::address::Address;
use crate::policy::plan::Direction;

/// What the names of both ends of the second pass end in: no host of the Internet has such a name (RFC 2606).
pub const HOST_SUFFIX: &str = ".perso-milter.invalid";

/// The name of the header.
pub const HEADER: &str = "X-Perso-Split";

/// Most words in one marker, besides the sender's: more, and the header would no longer fit a packet of the milter protocol.
pub const MAX_WORDS: usize = 3000;

/// Words in one line of the header.
const WORDS_A_LINE: usize = 40;

/// What the first pass saw of one recipient, hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word(u64);

/// What the first pass tells the second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Which way the message goes.
    pub direction: Direction,
    /// The user of ours who sends it, where the first pass is sure of them.
    pub sender: Option<Word>,
    /// The users whom the sender addressed.
    pub users: Vec<Word>,
    /// Original recipients that the sender named for them.
    pub claims: Vec<Word>,
}

/// The secret behind markers.
pub struct SplitKey {
    key: hmac::Key,
    token: String,
    label: String,
}

impl SplitKey {
    /// A key of 32 random bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let token = hexadecimal(&key, "perso-milter split token", 16);
        let label = hexadecimal(&key, "perso-milter split host", 8);
        Self { key, token, label }
    }

    /// What Postfix's header check matches. To be shown to nobody but the postmaster.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The names by which the two ends of the second pass greet each other, sender first. Their Received header is removed
    /// by these names: a sender who could guess them would see, by one of their own, which copies were split.
    pub fn host_names(&self) -> [String; 2] {
        ["edge", "split"].map(|end| format!("{end}.{}{HOST_SUFFIX}", self.label))
    }

    /// That `user` sends the message.
    pub fn sender(&self, user: u64) -> Word {
        self.word(b"perso-milter split sender", user, b"")
    }

    /// That the sender addressed `user`.
    pub fn addressed(&self, user: u64) -> Word {
        self.word(b"perso-milter split user", user, b"")
    }

    /// The claim that mail to `user` was first addressed to `original`.
    pub fn claim(&self, original: &Address, user: u64) -> Word {
        self.word(b"perso-milter split claim", user, original.as_str().as_bytes())
    }

    fn word(&self, purpose: &[u8], user: u64, text: &[u8]) -> Word {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(purpose);
        context.update(&user.to_be_bytes());
        context.update(text);
        let tag = context.sign();
        let mut first = [0; 8];
        first.copy_from_slice(&tag.as_ref()[..8]);
        Word(u64::from_be_bytes(first))
    }

    /// The value of the header, without a leading blank.
    pub fn write(&self, marker: &Marker) -> String {
        let direction = match marker.direction {
            Direction::Inbound => "in",
            Direction::Outbound => "out",
        };
        let mut value = format!("{};{direction}", self.token);
        let mut count = 0;
        for words in [marker.sender.as_slice(), &marker.users, &marker.claims] {
            for (index, Word(word)) in words.iter().enumerate() {
                value.push(if index == 0 { ';' } else { ',' });
                if count > 0 && count % WORDS_A_LINE == 0 {
                    value.push_str("\n ");
                }
                let _ = write!(value, "{word:016x}");
                count += 1;
            }
            if words.is_empty() {
                value.push(';');
            }
        }
        value
    }

    /// Reads what [`Self::write`] wrote; `None` for the header of anybody else.
    pub fn read(&self, value: &[u8]) -> Option<Marker> {
        let text: String = std::str::from_utf8(value).ok()?.split_ascii_whitespace().collect();
        let mut fields = text.split(';');
        if fields.next()? != self.token {
            return None;
        }
        let direction = match fields.next()? {
            "in" => Direction::Inbound,
            "out" => Direction::Outbound,
            _ => return None,
        };
        let words = |field: &str| -> Option<Vec<Word>> {
            let words = field.split(',').filter(|word| !word.is_empty());
            words.map(|word| u64::from_str_radix(word, 16).map(Word)).collect::<Result<_, _>>().ok()
        };
        let sender = words(fields.next()?)?.first().copied();
        Some(Marker { direction, sender, users: words(fields.next()?)?, claims: words(fields.next()?)? })
    }
}

fn hexadecimal(key: &hmac::Key, purpose: &str, bytes: usize) -> String {
    hmac::sign(key, purpose.as_bytes()).as_ref().iter().take(bytes).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl fmt::Debug for SplitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SplitKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(text: &str) -> Address {
        Address::parse(text).expect(text)
    }

    #[test]
    fn what_is_written_is_read_by_the_same_key_alone() {
        let key = SplitKey::new(&[1; 32]);
        let claims: Vec<Word> = (0..100).map(|user| key.claim(&address("team@org.example"), user)).collect();
        let users: Vec<Word> = (0..50).map(|user| key.addressed(user)).collect();
        for (direction, sender, users, claims) in [
            (Direction::Inbound, None, vec![], vec![]),
            (Direction::Outbound, Some(key.sender(7)), users.clone(), claims.clone()),
            (Direction::Outbound, Some(key.sender(7)), vec![], vec![]),
            (Direction::Outbound, None, users.clone(), claims.clone()),
            (Direction::Inbound, None, users, vec![]),
            (Direction::Inbound, None, vec![], claims),
        ] {
            let marker = Marker { direction, sender, users, claims };
            let value = key.write(&marker);
            assert_eq!(key.read(format!(" {value}").as_bytes()).as_ref(), Some(&marker));
            assert_eq!(SplitKey::new(&[2; 32]).read(value.as_bytes()), None);
            assert!(value.lines().all(|line| line.len() < 998));
        }
    }

    #[test]
    fn a_claim_is_of_one_address_and_one_user() {
        let key = SplitKey::new(&[1; 32]);
        let claim = key.claim(&address("team@org.example"), 7);
        assert_eq!(claim, key.claim(&address("Team@ORG.example"), 7));
        assert_ne!(claim, key.claim(&address("team@org.example"), 8));
        assert_ne!(claim, key.claim(&address("teams@org.example"), 7));
        assert_ne!(key.addressed(7), key.addressed(8));
        assert_ne!(key.addressed(7), key.sender(7));
    }

    #[test]
    fn the_longest_marker_fits_a_packet() {
        let key = SplitKey::new(&[1; 32]);
        let users = vec![key.addressed(1); MAX_WORDS];
        let marker = Marker { direction: Direction::Outbound, sender: Some(key.sender(1)), users, claims: Vec::new() };
        assert!(key.write(&marker).len() < 60_000);
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_is_none_of_ours(tail in "[;,a-z0-9 \\n]{0,40}") {
            let key = SplitKey::new(&[1; 32]);
            key.read(tail.as_bytes());
            key.read(format!("{}{tail}", key.token()).as_bytes());
        }
    }
}
