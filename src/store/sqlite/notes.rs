//! Notes beside entries. What is sealed begins with the entry's fingerprint, so that a note does not open beside another.

use rusqlite::{Connection, OptionalExtension};

use super::link::Db;
use super::reading::Openers;
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

/// The notes of a user as they are, by fingerprint; those that do not open are left out.
pub fn current(conn: &Connection, openers: &mut Openers<'_>) -> Db<Vec<(Fingerprint, Note)>> {
    read(conn, sql::NOTES, [openers.user.to_sql()], openers)
}

/// The notes that a change ended, oldest first.
pub fn ended_by(conn: &Connection, openers: &mut Openers<'_>, change: i64) -> Db<Vec<(Fingerprint, Note)>> {
    read(conn, sql::NOTES_ENDED_BY, [openers.user.to_sql(), change], openers)
}

fn read(
    conn: &Connection,
    sql: &'static str,
    values: impl rusqlite::Params,
    openers: &mut Openers<'_>,
) -> Db<Vec<(Fingerprint, Note)>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut notes = Vec::new();
    while let Some(row) = rows.next()? {
        let fingerprint: [u8; 16] = row.get(0)?;
        let sealed: Vec<u8> = row.get(3)?;
        let Some(plain) = openers.open(Field::Note, row.get(1)?, row.get(2)?, &sealed)? else { continue };
        let text = plain.strip_prefix(&fingerprint[..]).and_then(|text| std::str::from_utf8(text).ok());
        let note = text.and_then(|text| Note::parse(text).ok().flatten());
        notes.extend(note.map(|note| (Fingerprint::from_bytes(fingerprint), note)));
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
