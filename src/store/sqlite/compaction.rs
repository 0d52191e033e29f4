//! Entries that were typed one by one lie in a batch each, and each batch costs a key agreement to read. They are sealed
//! anew into one. It is no change of the lists: the packed row stays, followers and the journal hear nothing.
//!
//! Batches of changes are numbered by the user's revision, upwards from 1; those of compactions from -1 downwards.

use super::change::Change;
use super::link::Db;
use super::reading::Opened;
use super::{notes, sql};
use crate::policy::list::{Fingerprint, ListKind};
use crate::store::seal::{Field, Place, Sealer, public_key};
use crate::store::{Readable, Result, UserId};

/// Entries that lie in more batches than this are sealed anew.
pub const COMPACT_ABOVE: usize = 64;

/// What was sealed anew, to be written where nothing changed meanwhile.
pub struct Compaction {
    user: UserId,
    revision: u64,
    ephemeral: [u8; 32],
    entries: Vec<(ListKind, Fingerprint, (u32, Vec<u8>))>,
    notes: Vec<(Fingerprint, (u32, Vec<u8>))>,
}

impl Compaction {
    /// Seals the entries and notes anew, where they lie in so many batches that it pays.
    pub fn prepare(opened: &Opened, user: UserId) -> Result<Option<Self>> {
        let Some(revision) = opened.revision.filter(|_| opened.batches > COMPACT_ABOVE) else { return Ok(None) };
        let unlocked = &opened.unlocked;
        let organisation = unlocked.organisation;
        let mut sealer = Sealer::new(&public_key(&unlocked.private)?)?;
        let (mut entries, mut sealed_notes) = (Vec::new(), Vec::new());
        for entry in &opened.entries {
            let Readable::Value(value) = &entry.value else { continue };
            let place = Place { organisation, user, field: Field::Entry };
            entries.push((entry.list, entry.id.fingerprint, sealer.seal(&place, value.written().as_bytes())?));
            if let Some(note) = &entry.note {
                let fingerprint = entry.id.fingerprint;
                sealed_notes.push((fingerprint, notes::seal(&mut sealer, organisation, user, fingerprint, note)?));
            }
        }
        Ok(Some(Self { user, revision, ephemeral: sealer.ephemeral(), entries, notes: sealed_notes }))
    }

    /// Writes it, unless the lists changed since they were read. Batches that nothing is sealed in any more go.
    pub fn apply(self, change: &mut Change<'_>) -> Db<()> {
        let (row, _) = change.packed(self.user)?;
        if row.revision != self.revision {
            return Ok(());
        }
        let user = self.user.to_sql();
        let batch: i64 = change.conn.prepare_cached(sql::NEXT_COMPACTION)?.query_row([user], |row| row.get(0))?;
        change.run(sql::ADD_COMPACTION, (user, batch, self.ephemeral))?;
        for (list, fingerprint, (position, sealed)) in &self.entries {
            change.run(sql::RESEAL_ENTRY, (user, *list as u8, fingerprint.to_bytes(), batch, position, sealed))?;
        }
        for (fingerprint, (position, sealed)) in &self.notes {
            change.run(sql::RESEAL_NOTE, (user, fingerprint.to_bytes(), batch, position, sealed))?;
        }
        change.run(sql::PRUNE_BATCHES, [user])?;
        Ok(())
    }
}
