//! The journal's chain: every change is a row, every transaction closes a block for each organisation it touched.
//!
//! A block's hash is SHA-256 over the hash of the block before it, its own number and the digests of its rows; a row's digest
//! covers the digest of the payload, not the payload, which can therefore be erased. Each block carries an HMAC under
//! a key derived from `match.key`: it is a checkpoint from which the chain verifies after retention cut off the older
//! blocks. An HMAC and no public-key signature: whoever can write the store holds `match.key` anyway; an auditor who trusts
//! neither notes a block's number and hash, and compares them later.
//!
//! # Payload of a change of entries
//! One line an edit: a sign, the list, a space and the value.
//!
//! | sign | meaning | after a tab |
//! |---|---|---|
//! | `+` `=` `!` | added; stood there already; left out since the list is full | |
//! | `-` `~` | removed; was not there | origin, creation (seconds since 1970), whether it was confirmed (0, 1) |
//! | `"` `,` | a note set or taken away; no entry for it | the note |
//! | `*` `:` | confirmed; was so already | |
//! | `?` `;` | to be confirmed again; was so already | |
//!
//! A line `#` and a number before them names the change that this one took back.

use aws_lc_rs::{digest, hmac};

use jiff::Timestamp;

use super::entry::{Edit, Effect, JournalEdit, Note, Standing};
use super::keys::MatchKey;
use super::types::{OrganisationId, Origin};
use crate::policy::list::ListKind;

/// Bytes of a hash.
pub const HASH: usize = 32;
/// What the first block of an organisation follows.
pub const GENESIS: [u8; HASH] = [0; HASH];

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; HASH] {
    finish(&digest::digest(&digest::SHA256, bytes))
}

fn finish(digest: &digest::Digest) -> [u8; HASH] {
    let mut hash = [0; HASH];
    hash.copy_from_slice(digest.as_ref()); // SHA-256 is 32 bytes
    hash
}

/// A row, as far as the chain covers it.
#[derive(Debug, Clone, Copy)]
pub struct ChainedRow<'a> {
    /// Whose.
    pub organisation: OrganisationId,
    /// The row's number.
    pub id: u64,
    /// Seconds since 1970.
    pub at: i64,
    /// Who.
    pub actor: &'a str,
    /// What kind.
    pub kind: &'a str,
    /// The user, if one is concerned.
    pub user: Option<i64>,
    /// SHA-256 of the payload.
    pub payload: &'a [u8; HASH],
}

impl ChainedRow<'_> {
    /// The digest that the block covers.
    pub fn digest(&self) -> [u8; HASH] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.organisation.get().to_be_bytes());
        context.update(&self.id.to_be_bytes());
        context.update(&self.at.to_be_bytes());
        for text in [self.actor, self.kind] {
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text.as_bytes());
        }
        context.update(&[u8::from(self.user.is_some())]);
        context.update(&self.user.unwrap_or(0).to_be_bytes());
        context.update(self.payload);
        finish(&context.finish())
    }
}

/// A block of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Whose.
    pub organisation: OrganisationId,
    /// Its number, from 1, without gaps.
    pub number: u64,
    /// Ids of its first and last row.
    pub ids: (u64, u64),
    /// How many rows.
    pub rows: u64,
    /// When, in seconds since 1970.
    pub at: i64,
    /// The hash of the block before it.
    pub previous: [u8; HASH],
}

impl Block {
    /// The hash, over the digests of its rows in their order.
    pub fn hash<'a>(&self, rows: impl IntoIterator<Item = &'a [u8; HASH]>) -> [u8; HASH] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.previous);
        context.update(&self.organisation.get().to_be_bytes());
        for number in [self.number, self.ids.0, self.ids.1, self.rows, self.at as u64] {
            context.update(&number.to_be_bytes());
        }
        for row in rows {
            context.update(row);
        }
        finish(&context.finish())
    }
}

/// Signs blocks.
pub struct JournalKey(hmac::Key);

impl JournalKey {
    /// The key of one store.
    pub fn new(key: &MatchKey) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.derive("journal").as_slice()))
    }

    /// The signature of a block's hash, which covers all else.
    pub fn sign(&self, hash: &[u8; HASH]) -> Vec<u8> {
        hmac::sign(&self.0, hash).as_ref().to_vec()
    }

    /// Whether a signature is ours.
    pub fn is_ours(&self, hash: &[u8; HASH], mac: &[u8]) -> bool {
        hmac::verify(&self.0, hash, mac).is_ok()
    }
}

/// The line that says which change was taken back.
pub fn write_undoes(change: i64, payload: &mut String) {
    payload.push_str(&format!("#{change}\n"));
}

/// The line of one edit in a payload.
pub fn write_edit(edit: &Edit, effect: Effect, before: Option<&Standing>, payload: &mut String) {
    payload.push(sign(edit, effect));
    payload.push_str(edit.list().as_str());
    payload.push(' ');
    payload.push_str(&edit.value().written());
    if let Some(Standing { origin, created, confirmed }) = before {
        payload.push_str(&format!("\t{} {} {}", origin.as_str(), created.as_second(), u8::from(*confirmed)));
    }
    if let Edit::Note(_, _, Some(note)) | Edit::Name(_, _, note) = edit {
        payload.push('\t');
        payload.push_str(note.as_str());
    }
    payload.push('\n');
}

fn sign(edit: &Edit, effect: Effect) -> char {
    let done = effect == Effect::Done;
    match edit {
        Edit::Add(..) if effect == Effect::LeftOut => '!',
        Edit::Add(..) => {
            if done {
                '+'
            } else {
                '='
            }
        }
        Edit::Remove(..) => {
            if done {
                '-'
            } else {
                '~'
            }
        }
        Edit::Note(..) | Edit::Name(..) => {
            if done {
                '"'
            } else {
                ','
            }
        }
        Edit::Confirm(..) => {
            if done {
                '*'
            } else {
                ':'
            }
        }
        Edit::Reopen(..) => {
            if done {
                '?'
            } else {
                ';'
            }
        }
    }
}

/// Most edits of a change that are read for who looks at the journal, of those that did something and of the others each.
pub const SHOWN_EDITS: usize = 10;

/// A payload, as much of it as is shown.
#[derive(Default)]
pub struct Summary {
    /// The change that was taken back.
    pub undoes: Option<i64>,
    /// The first edits, at most [`SHOWN_EDITS`] that did something or were left out, and as many that did nothing.
    pub edits: Vec<JournalEdit>,
    /// How many did something.
    pub done: usize,
    /// How many were left out.
    pub left_out: usize,
}

/// Reads what is shown of a payload. The other lines are told apart by their sign alone: a change may hold many.
pub fn summarise(payload: &str) -> Summary {
    let mut summary = Summary { undoes: undone_by(payload), ..Summary::default() };
    let mut nothing = 0;
    for line in payload.lines() {
        let Some(effect) = line.chars().next().and_then(effect_of) else { continue };
        match effect {
            Effect::Done => summary.done += 1,
            Effect::LeftOut => summary.left_out += 1,
            Effect::Nothing => nothing += 1,
        }
        let before = if effect == Effect::Nothing { nothing } else { summary.done + summary.left_out };
        if before <= SHOWN_EDITS {
            summary.edits.extend(read_edit(line));
        }
    }
    summary
}

/// The change that a payload says was taken back.
pub fn undone_by(payload: &str) -> Option<i64> {
    payload.lines().next()?.strip_prefix('#')?.parse().ok()
}

/// What a sign says was done; `None` for one that begins no edit.
fn effect_of(sign: char) -> Option<Effect> {
    match sign {
        '+' | '-' | '"' | '*' | '?' => Some(Effect::Done),
        '!' => Some(Effect::LeftOut),
        '=' | '~' | ',' | ':' | ';' => Some(Effect::Nothing),
        _ => None,
    }
}

/// Reads a payload: the change that was taken back, and the edits. Lines that are none are left out.
pub fn read_payload(payload: &str) -> (Option<i64>, Vec<JournalEdit>) {
    (undone_by(payload), payload.lines().filter_map(read_edit).collect())
}

fn read_edit(line: &str) -> Option<JournalEdit> {
    let mut chars = line.chars();
    let sign = chars.next()?;
    let (list, rest) = chars.as_str().split_once(' ')?;
    let (value, more) = rest.split_once('\t').map_or((rest, None), |(value, more)| (value, Some(more)));
    let list: ListKind = list.parse().ok()?;
    let value = value.parse().ok()?;
    let edit = match sign {
        '+' | '=' | '!' => Edit::Add(list, value),
        '-' | '~' => Edit::Remove(list, value),
        '"' | ',' => Edit::Note(list, value, more.and_then(|note| Note::parse(note).ok().flatten())),
        '*' | ':' => Edit::Confirm(list, value),
        '?' | ';' => Edit::Reopen(list, value),
        _ => return None,
    };
    let effect = effect_of(sign)?;
    let before = more.filter(|_| sign == '-').and_then(read_standing);
    Some(JournalEdit { edit, effect, before })
}

fn read_standing(text: &str) -> Option<Standing> {
    let mut words = text.split(' ');
    let (origin, created, confirmed) = (words.next()?, words.next()?, words.next()?);
    let origin = Origin::ALL.into_iter().find(|known| known.as_str() == origin)?;
    let created = Timestamp::from_second(created.parse().ok()?).ok()?;
    Some(Standing { origin, created, confirmed: confirmed == "1" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_read_as_it_was_written() {
        let value = |text: &str| text.parse().expect("valid");
        let note = Note::parse("de l'école # \" ").expect("short");
        let created = Timestamp::from_second(1_800_000_000).expect("a time");
        let standing = Standing { origin: Origin::Import, created, confirmed: false };
        let edits = [
            (Edit::Add(ListKind::White, value("a@d.example")), Effect::Done, None),
            (Edit::Add(ListKind::Black, value("*.d.example")), Effect::Nothing, None),
            (Edit::Add(ListKind::Personal, value("news-*@d.example")), Effect::LeftOut, None),
            (Edit::Remove(ListKind::Personal, value("d.example")), Effect::Done, Some(standing)),
            (Edit::Remove(ListKind::White, value("b@d.example")), Effect::Nothing, None),
            (Edit::Note(ListKind::White, value("a@d.example"), note), Effect::Done, None),
            (Edit::Note(ListKind::White, value("b@d.example"), None), Effect::Nothing, None),
            (Edit::Confirm(ListKind::White, value("a@d.example")), Effect::Done, None),
            (Edit::Reopen(ListKind::White, value("a@d.example")), Effect::Nothing, None),
        ];
        let mut payload = String::new();
        write_undoes(7, &mut payload);
        for (edit, effect, before) in &edits {
            write_edit(edit, *effect, before.as_ref(), &mut payload);
        }
        let (undoes, read) = read_payload(&payload);
        let read: Vec<_> = read.into_iter().map(|read| (read.edit, read.effect, read.before)).collect();
        assert_eq!((undoes, &read[..]), (Some(7), &edits[..]));
        assert_eq!(read_payload("@white a@d.example\n\n+white\n+blue a@d.example"), (None, Vec::new()));
    }

    #[test]
    fn a_row_and_a_block_cover_all_they_say() {
        let row = |id, kind, user| ChainedRow {
            organisation: OrganisationId::new(1),
            id,
            at: 5,
            actor: "user",
            kind,
            user,
            payload: &GENESIS,
        };
        let digests =
            [row(1, "a", None), row(2, "a", None), row(1, "b", None), row(1, "a", Some(0))].map(|row| row.digest());
        for (index, digest) in digests.iter().enumerate() {
            assert!(!digests[..index].contains(digest));
        }
        let block =
            Block { organisation: OrganisationId::new(1), number: 1, ids: (1, 2), rows: 2, at: 5, previous: GENESIS };
        let hash = block.hash(&digests[..2]);
        assert_ne!(hash, block.hash(&digests[1..3]));
        assert_ne!(hash, Block { number: 2, ..block.clone() }.hash(&digests[..2]));
        let key = JournalKey::new(&MatchKey::from_bytes([1; 32]));
        assert!(key.is_ours(&hash, &key.sign(&hash)) && !key.is_ours(&GENESIS, &key.sign(&hash)));
    }
}
