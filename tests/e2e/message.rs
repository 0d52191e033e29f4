//! A message as header fields and body, bytes kept.

use std::fmt;

/// The bytes of a message, CRLF line ends.
#[derive(Clone, PartialEq, Eq)]
pub struct Message(Vec<u8>);

impl Message {
    /// Any line ends; they become CRLF.
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        let mut text = Vec::new();
        for line in bytes.as_ref().split_inclusive(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            text.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
            text.extend_from_slice(b"\r\n");
        }
        Self(text)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Every header field, folds and line end included, and what follows, the empty line included.
    pub fn parts(&self) -> (Vec<&[u8]>, &[u8]) {
        let mut fields: Vec<&[u8]> = Vec::new();
        let (mut start, mut at) = (0, 0);
        for line in self.0.split_inclusive(|&byte| byte == b'\n') {
            let folded = line.starts_with(b" ") || line.starts_with(b"\t");
            if at > start && !folded {
                fields.push(&self.0[start..at]);
                start = at;
            }
            if line == b"\r\n" {
                break;
            }
            at += line.len();
        }
        if at > start {
            fields.push(&self.0[start..at]);
        }
        (fields, &self.0[at..])
    }

    /// The raw values of the fields of a name, from after the colon to before the final line end.
    pub fn values(&self, name: &str) -> Vec<&[u8]> {
        self.parts().0.into_iter().filter(|field| is_named(field, name)).map(value).collect()
    }

    /// The raw value of the first Subject.
    pub fn subject(&self) -> Option<&[u8]> {
        self.values("Subject").first().copied()
    }

    /// Keeps the fields for which `keep` is true.
    pub fn filtered(&self, mut keep: impl FnMut(&[u8]) -> bool) -> Self {
        let (fields, body) = self.parts();
        let kept = fields.into_iter().filter(|field| keep(field)).flatten();
        Self(kept.chain(body).copied().collect())
    }

    /// Without the fields of a name.
    pub fn without(&self, name: &str) -> Self {
        self.filtered(|field| !is_named(field, name))
    }

    /// With another raw value, from after the colon on, in the first Subject.
    pub fn with_subject(&self, subject: impl AsRef<[u8]>) -> Self {
        let (fields, body) = self.parts();
        let mut done = false;
        let mut text = Vec::new();
        for field in fields {
            if !done && is_named(field, "Subject") {
                done = true;
                text.extend_from_slice(&field[..=colon(field)]);
                text.extend_from_slice(subject.as_ref());
                text.extend_from_slice(b"\r\n");
            } else {
                text.extend_from_slice(field);
            }
        }
        text.extend_from_slice(body);
        Self(text)
    }

    /// Without what the MTA and Dovecot write above every message they deliver: Return-Path, Delivered-To, one
    /// Received each.
    pub fn without_trace(&self) -> Self {
        const MTAS: [&[u8]; 2] = [b"by mx.example.org (Postfix", b"by mx.example.org (8.17"];
        let mut dovecot = false;
        let mut mta = false;
        let mut path = false;
        self.filtered(|field| {
            let own = if is_named(field, "Return-Path") {
                !std::mem::replace(&mut path, true)
            } else if is_named(field, "Delivered-To") {
                !dovecot
            } else if is_named(field, "Received") && contains(field, b"with LMTP") {
                !std::mem::replace(&mut dovecot, true)
            } else if is_named(field, "Received") && MTAS.iter().any(|by| contains(field, by)) {
                !std::mem::replace(&mut mta, true)
            } else {
                false
            };
            !own
        })
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", self.0.escape_ascii().to_string().replace("\\r\\n", "\n"))
    }
}

/// Whether a header field bears a name.
pub fn is_named(field: &[u8], name: &str) -> bool {
    field[..colon(field)].trim_ascii_end().eq_ignore_ascii_case(name.as_bytes())
}

pub fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn colon(field: &[u8]) -> usize {
    field.iter().position(|&byte| byte == b':').unwrap_or(field.len() - 1)
}

fn value(field: &[u8]) -> &[u8] {
    let text = field.get(colon(field) + 1..).unwrap_or_default();
    text.strip_suffix(b"\r\n").unwrap_or(text)
}
