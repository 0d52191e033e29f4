//! The journal's chain: every change is a row, every transaction closes a block for each organisation it touched.
//!
//! A block's hash is SHA-256 over the hash of the block before it, its own number and the digests of its rows; a row's digest
//! covers the digest of the payload, not the payload, which can therefore be erased. Each block carries an HMAC under
//! a key derived from `match.key`: it is a checkpoint from which the chain verifies after retention cut off the older
//! blocks. An HMAC and no public-key signature: whoever can write the store holds `match.key` anyway; an auditor who trusts
//! neither notes a block's number and hash, and compares them later.
//!
//! # Payload of a change of entries
//! One line an edit: a sign, the list and the value. `+` added, `=` stood there already, `!` left out since the list is full, `-` removed,
//! `~` was not there.

use aws_lc_rs::{digest, hmac};

use super::entry::{Edit, Effect, JournalEdit};
use super::keys::MatchKey;
use super::types::OrganisationId;
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

/// The line of one edit in a payload.
pub fn write_edit(edit: &Edit, effect: Effect, payload: &mut String) {
    let sign = match (edit, effect) {
        (Edit::Add(..), Effect::Done) => '+',
        (Edit::Add(..), Effect::Nothing) => '=',
        (_, Effect::LeftOut) => '!',
        (Edit::Remove(..), Effect::Done) => '-',
        (Edit::Remove(..), Effect::Nothing) => '~',
    };
    payload.push(sign);
    payload.push_str(edit.list().as_str());
    payload.push(' ');
    payload.push_str(&edit.value().written());
    payload.push('\n');
}

/// Reads a payload; lines that are none are left out.
pub fn read_edits(payload: &str) -> Vec<JournalEdit> {
    payload.lines().filter_map(read_edit).collect()
}

fn read_edit(line: &str) -> Option<JournalEdit> {
    let mut chars = line.chars();
    let sign = chars.next()?;
    let (list, value) = chars.as_str().split_once(' ')?;
    let list: ListKind = list.parse().ok()?;
    let value = value.parse().ok()?;
    let (edit, effect) = match sign {
        '+' => (Edit::Add(list, value), Effect::Done),
        '=' => (Edit::Add(list, value), Effect::Nothing),
        '!' => (Edit::Add(list, value), Effect::LeftOut),
        '-' => (Edit::Remove(list, value), Effect::Done),
        '~' => (Edit::Remove(list, value), Effect::Nothing),
        _ => return None,
    };
    Some(JournalEdit { edit, effect })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_read_as_it_was_written() {
        let value = |text: &str| text.parse().expect("valid");
        let edits = [
            (Edit::Add(ListKind::White, value("a@d.example")), Effect::Done),
            (Edit::Add(ListKind::Black, value("*.d.example")), Effect::Nothing),
            (Edit::Add(ListKind::Personal, value("news-*@d.example")), Effect::LeftOut),
            (Edit::Remove(ListKind::Personal, value("d.example")), Effect::Done),
            (Edit::Remove(ListKind::White, value("b@d.example")), Effect::Nothing),
        ];
        let mut payload = String::new();
        for (edit, effect) in &edits {
            write_edit(edit, *effect, &mut payload);
        }
        let read: Vec<_> = read_edits(&payload).into_iter().map(|read| (read.edit, read.effect)).collect();
        assert_eq!(read, edits);
        assert!(read_edits("?white a@d.example\n\n+white\n+blue a@d.example").is_empty());
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
