//! The signed mark: the header `X-Perso`, by which the departure tool knows our own marking from anybody's.
//!
//! Format: `v=1; k=KEY; s=SIGNATURE`. KEY is 8 hexadecimal digits that name the key; SIGNATURE is the HMAC-SHA256, in
//! base64, over the version, the user's number, and From, To, Date, Message-ID and Subject. Each field is preceded by
//! its length, and read without folds and with runs of blanks as one blank, since mail systems refold headers. The
//! Subject is the one before our tag. The body is not bound: a mark proves who marked a header, not what was written.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;

/// The name of the header.
pub const HEADER: &str = "X-Perso";
/// The name of the header that may stand beside it, and its value (RFC 2156, 5.3.4).
pub const SENSITIVITY: (&str, &str) = ("Sensitivity", "Personal");

/// Whether a header is one that only we may write: `X-Perso` and all whose name begins with `X-Perso-`.
pub fn is_reserved(name: &[u8]) -> bool {
    let Some((start, rest)) = name.split_at_checked(HEADER.len()) else { return false };
    // Few names begin with an X, and all that come are asked.
    matches!(start[0], b'X' | b'x')
        && start.eq_ignore_ascii_case(HEADER.as_bytes())
        && (rest.is_empty() || rest[0] == b'-')
}

/// What a mark vouches for. Values as they stand in the message, folds included; what is not there is empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Marked<'a> {
    /// The user's number.
    pub user: u64,
    /// From.
    pub from: &'a [u8],
    /// To.
    pub to: &'a [u8],
    /// Date.
    pub date: &'a [u8],
    /// Message-ID.
    pub message_id: &'a [u8],
    /// Subject, without our tag.
    pub subject: &'a [u8],
}

/// The key that signs marks.
pub struct MarkKey {
    key: hmac::Key,
    id: String,
}

impl MarkKey {
    /// A key of 32 random bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let id = hmac::sign(&key, b"perso-milter mark key id");
        let id = id.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Self { key, id }
    }

    /// The value of the header for a message.
    pub fn sign(&self, marked: &Marked<'_>) -> String {
        let signature = hmac::sign(&self.key, &canonical(marked));
        format!("v=1; k={}; s={}", self.id, BASE64.encode(signature.as_ref()))
    }

    /// Whether a header's value is our signature of this message.
    pub fn verify(&self, value: &str, marked: &Marked<'_>) -> bool {
        let field = |name: &str| value.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
        let ours = field("v") == Some("1") && field("k") == Some(&self.id);
        let signature = field("s").and_then(|text| BASE64.decode(text).ok());
        ours && signature.is_some_and(|bytes| hmac::verify(&self.key, &canonical(marked), &bytes).is_ok())
    }
}

impl fmt::Debug for MarkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MarkKey({}, hidden)", self.id)
    }
}

fn canonical(marked: &Marked<'_>) -> Vec<u8> {
    let mut out = b"perso-milter mark 1".to_vec();
    out.extend_from_slice(&marked.user.to_be_bytes());
    for field in [marked.from, marked.to, marked.date, marked.message_id, marked.subject] {
        let words: Vec<&[u8]> = field.split(|b| b" \t\r\n".contains(b)).filter(|word| !word.is_empty()).collect();
        let text = words.join(&b' ');
        out.extend_from_slice(&(text.len() as u64).to_be_bytes());
        out.extend_from_slice(&text);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKED: Marked<'_> =
        Marked { user: 7, from: b" a@d", to: b"b@e", date: b"now", message_id: b"<1@d>", subject: b" Hello\n world" };

    #[test]
    fn a_mark_is_ours_for_this_message_and_user_only() {
        let key = MarkKey::new(&[1; 32]);
        let value = key.sign(&MARKED);
        assert!(key.verify(&value, &MARKED));
        assert!(key.verify(&value, &Marked { subject: b"Hello world ", ..MARKED }), "refolded");
        for other in [
            Marked { user: 8, ..MARKED },
            Marked { from: b"c@d", ..MARKED },
            Marked { to: b"", ..MARKED },
            Marked { date: b"later", ..MARKED },
            Marked { message_id: b"<2@d>", ..MARKED },
            Marked { subject: b"Hello", ..MARKED },
            Marked { from: b"a@d b@e", to: b"", ..MARKED },
        ] {
            assert!(!key.verify(&value, &other), "{other:?}");
        }
        assert!(!MarkKey::new(&[2; 32]).verify(&value, &MARKED));
        for forged in ["", "v=1", "v=1; k=00000000; s=AAAA", "v=1; k=; s=!"] {
            assert!(!key.verify(forged, &MARKED), "{forged}");
        }
    }

    #[test]
    fn reserved_names_are_ours_in_any_case_and_others_are_not() {
        for (name, reserved) in [
            ("X-Perso", true),
            ("x-perso-split", true),
            ("X-PERSO-", true),
            ("X-Personality", false),
            ("X-Pers", false),
            ("Subject", false),
        ] {
            assert_eq!(is_reserved(name.as_bytes()), reserved, "{name}");
        }
    }
}
