//! The split marker: the header `X-Perso-Split`, by which Postfix knows a message that it must split, and by which the
//! second pass knows that it is ours.
//!
//! Format: `TOKEN;DIRECTION`, or `TOKEN;DIRECTION;WORD,WORD…`. TOKEN is 32 hexadecimal digits that only this store's
//! relay knows. DIRECTION is `in` or `out`, as the edge decided it. Each WORD is 16 hexadecimal digits, a keyed hash of an
//! original recipient that the sender named and the user who was really addressed: see [`SplitKey::claim`]. Long lists
//! are folded between two words.
//!
//! Postfix's header check matches the token, so that the header of a stranger splits nothing; the edge removes those
//! anyway, and the second pass removes ours from every copy.

use std::fmt;
use std::fmt::Write as _;

use aws_lc_rs::hmac;

use crate::policy::address::Address;
use crate::policy::plan::Direction;

/// The name of the header.
pub const HEADER: &str = "X-Perso-Split";

/// Most claims in one marker: more, and the header would no longer fit a packet of the milter protocol.
pub const MAX_CLAIMS: usize = 1000;

/// Words in one line of the header.
const WORDS_A_LINE: usize = 40;

/// A sender's claim about the original recipient, hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim(u64);

/// What the first pass tells the second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Which way the message goes.
    pub direction: Direction,
    /// Original recipients that the sender named and nobody vouches for.
    pub claims: Vec<Claim>,
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
        ["edge", "split"].map(|end| format!("{end}.{}.perso-milter.invalid", self.label))
    }

    /// The claim that mail to `user` was first addressed to `original`.
    pub fn claim(&self, original: &Address, user: u64) -> Claim {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(b"perso-milter split claim");
        context.update(&user.to_be_bytes());
        context.update(original.as_str().as_bytes());
        let tag = context.sign();
        let mut first = [0; 8];
        first.copy_from_slice(&tag.as_ref()[..8]);
        Claim(u64::from_be_bytes(first))
    }

    /// The value of the header, without a leading blank.
    pub fn write(&self, marker: &Marker) -> String {
        let direction = match marker.direction {
            Direction::Inbound => "in",
            Direction::Outbound => "out",
        };
        let mut value = format!("{};{direction}", self.token);
        for (index, Claim(word)) in marker.claims.iter().enumerate() {
            value.push_str(match index {
                0 => ";",
                _ if index % WORDS_A_LINE == 0 => ",\n ",
                _ => ",",
            });
            let _ = write!(value, "{word:016x}");
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
        let words = fields.next().unwrap_or_default().split(',').filter(|word| !word.is_empty());
        let claims = words.map(|word| u64::from_str_radix(word, 16).map(Claim)).collect::<Result<_, _>>().ok()?;
        Some(Marker { direction, claims })
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
        let claims: Vec<Claim> = (0..100).map(|user| key.claim(&address("team@org.example"), user)).collect();
        for (direction, claims) in [(Direction::Inbound, vec![]), (Direction::Outbound, claims)] {
            let marker = Marker { direction, claims };
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
    }

    #[test]
    fn the_longest_marker_fits_a_packet() {
        let key = SplitKey::new(&[1; 32]);
        let claims = vec![key.claim(&address("a@org.example"), 1); MAX_CLAIMS];
        assert!(key.write(&Marker { direction: Direction::Inbound, claims }).len() < 60_000);
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
