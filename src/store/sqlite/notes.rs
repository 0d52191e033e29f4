//! Notes beside entries. What is sealed begins with the entry's fingerprint, so that a note does not open beside another.

use rusqlite::{Connection, OptionalExtension, Rows};

use super::link::Db;
use super::reading::{Batches, Openers, Sealed};
use super::sql;
use crate::policy::list::Fingerprint;
use crate::store::seal::{Field, Place, Sealer};
use crate::store::{Effect, Note, OrganisationId, Result, UNDO_DAYS, UserId};

/// Seals a note; answers with its position in the batch as well.
pub fn seal(
    sealer: &mut Sealer,
    organisation: OrganisationId,
    user: UserId,
    fingerprint: Fingerprint,
    note: &Note,
) -> Result<(u32, Vec<u8>)> {
    let plain = zeroize::Zeroizing::new([&fingerprint.to_bytes()[..], note.as_str().as_bytes()].concat());
    sealer.seal(&Place { organisation, user, field: Field::Note }, &plain)
}

/// The note of an entry; `None` where it does not open, or is another's.
pub fn open(openers: &mut Openers<'_>, fingerprint: Fingerprint, sealed: Sealed) -> Option<Note> {
    let plain = openers.open(Field::Note, sealed)?;
    let text = std::str::from_utf8(plain.strip_prefix(&fingerprint.to_bytes()[..])?).ok()?;
    Note::parse(text).ok().flatten()
}

/// All notes that stand beside values now, in the order in which they lie.
pub fn fetch_all(conn: &Connection, user: UserId, batches: &mut Batches) -> Db<Vec<(Fingerprint, Sealed)>> {
    let mut statement = conn.prepare_cached(sql::NOTES)?;
    read(statement.query([user.to_sql()])?, conn, user, batches)
}

/// The note that stands beside a value now.
pub fn fetch(conn: &Connection, user: UserId, fingerprint: Fingerprint, batches: &mut Batches) -> Db<Option<Sealed>> {
    let mut statement = conn.prepare_cached(sql::NOTE)?;
    let found = statement.query_row((user.to_sql(), fingerprint.to_bytes()), |row| Sealed::read(row, 0)).optional()?;
    let found = found.flatten();
    if let Some(sealed) = &found {
        batches.learn(conn, user, sealed.batch)?;
    }
    Ok(found)
}

/// The notes that a change ended, oldest first.
pub fn ended_by(conn: &Connection, user: UserId, change: i64, batches: &mut Batches) -> Db<Vec<(Fingerprint, Sealed)>> {
    let mut statement = conn.prepare_cached(sql::NOTES_ENDED_BY)?;
    read(statement.query([user.to_sql(), change])?, conn, user, batches)
}

fn read(mut rows: Rows<'_>, conn: &Connection, user: UserId, batches: &mut Batches) -> Db<Vec<(Fingerprint, Sealed)>> {
    let mut notes = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(sealed) = Sealed::read(row, 1)? else { continue };
        batches.learn(conn, user, sealed.batch)?;
        notes.push((Fingerprint::from_bytes(row.get(0)?), sealed));
    }
    Ok(notes)
}

/// The notes of one user while a change is carried out.
pub struct Writing<'a> {
    pub conn: &'a Connection,
    pub user: UserId,
    pub batch: u64,
    pub at: i64,
    /// The row of the journal that the change will be.
    pub change: i64,
    /// The change that is taken back.
    pub undoing: Option<i64>,
}

impl Writing<'_> {
    /// Puts a note where none is.
    pub fn add(&self, fingerprint: Fingerprint, sealed: Option<&(u32, Vec<u8>)>) -> Db<Effect> {
        let values = (self.user.to_sql(), fingerprint.to_bytes());
        let is_there = self.conn.prepare_cached(sql::NOTE_CHANGE)?.exists(values)?;
        if is_there { Ok(Effect::Nothing) } else { self.replace(fingerprint, sealed) }
    }

    /// Puts a note, or none, in the place of what stands there.
    pub fn replace(&self, fingerprint: Fingerprint, sealed: Option<&(u32, Vec<u8>)>) -> Db<Effect> {
        if self.is_written_later(fingerprint)? {
            return Ok(Effect::Nothing);
        }
        let ended = self.end(fingerprint)?;
        let Some((position, sealed)) = sealed else {
            return Ok(if ended == 0 { Effect::Nothing } else { Effect::Done });
        };
        let (user, fingerprint) = (self.user.to_sql(), fingerprint.to_bytes());
        let values = (user, fingerprint, self.batch, position, sealed, self.change);
        self.conn.prepare_cached(sql::ADD_NOTE)?.execute(values)?;
        Ok(Effect::Done)
    }

    /// Takes a note away, as far as there is one.
    pub fn end(&self, fingerprint: Fingerprint) -> Db<usize> {
        let values = (self.user.to_sql(), fingerprint.to_bytes(), self.at, self.change);
        Ok(self.conn.prepare_cached(sql::END_NOTE)?.execute(values)?)
    }

    /// Whether the note is of a change after the one that is taken back.
    fn is_written_later(&self, fingerprint: Fingerprint) -> Db<bool> {
        let Some(undoing) = self.undoing else { return Ok(false) };
        let values = (self.user.to_sql(), fingerprint.to_bytes());
        let written: Option<i64> =
            self.conn.prepare_cached(sql::NOTE_CHANGE)?.query_row(values, |row| row.get(0)).optional()?;
        Ok(written.is_some_and(|change| change > undoing && change != self.change))
    }
}

/// Drops what ended too long ago to be undone.
pub fn prune(conn: &Connection, now: i64) -> Db<()> {
    conn.prepare_cached(sql::PRUNE_NOTES)?.execute([now - i64::from(UNDO_DAYS) * 24 * 60 * 60])?;
    Ok(())
}
