//! Entries and notes, opened for those who may read them.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};
use zeroize::Zeroizing;

use super::accounts::Unlocked;
use super::link::Db;
use super::{Shared, notes, sql, users};
use crate::policy::list::{EntryValue, Fingerprint, ListKind};
use crate::store::seal::{Field, KEY, Opener, Place};
use crate::store::{Entry, EntryId, Note, Origin, Readable, StoreError, UserId};

/// The batches of one user, each opened once.
pub struct Openers<'a> {
    pub user: UserId,
    conn: &'a Connection,
    unlocked: &'a Unlocked,
    known: HashMap<i64, Option<Opener>>,
}

impl<'a> Openers<'a> {
    pub fn new(conn: &'a Connection, user: UserId, unlocked: &'a Unlocked) -> Self {
        Self { user, conn, unlocked, known: HashMap::new() }
    }

    /// The value at a position of a batch; `None` where it is not what was sealed there.
    pub fn open(&mut self, field: Field, batch: i64, position: u32, sealed: &[u8]) -> Db<Option<Zeroizing<Vec<u8>>>> {
        let place = Place { organisation: self.unlocked.organisation, user: self.user, field };
        if let Some(opener) = self.known.get(&batch) {
            return Ok(opener.as_ref().and_then(|opener| opener.open(&place, position, sealed)));
        }
        let ephemeral: Option<[u8; KEY]> = self
            .conn
            .prepare_cached(sql::BATCH)?
            .query_row((self.user.to_sql(), batch), |row| row.get(0))
            .optional()?;
        let opener = ephemeral.and_then(|ephemeral| Opener::new(&self.unlocked.private, &ephemeral).ok());
        let opened = opener.as_ref().and_then(|opener| opener.open(&place, position, sealed));
        self.known.insert(batch, opener);
        Ok(opened)
    }

    /// How many batches were opened.
    pub fn len(&self) -> usize {
        self.known.values().flatten().count()
    }
}

/// Whether notes are read as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notes {
    /// For the user.
    Shown,
    /// For anyone else.
    Hidden,
}

/// Opened entries, and what they came from.
pub struct Opened {
    /// Sorted by list and value.
    pub entries: Vec<Entry>,
    /// How many batches they and their notes were sealed in.
    pub batches: usize,
    /// The user's revision when they were read; `None` for a row that is not ours.
    pub revision: Option<u64>,
}

pub fn open(
    conn: &Connection,
    shared: &Shared,
    unlocked: &Unlocked,
    user: UserId,
    wanted: Option<ListKind>,
    notes: Notes,
) -> Db<Opened> {
    let packed =
        super::change::packed(conn, user)?.and_then(|(row, mac)| row.filter(|row| shared.rows.is_ours(row, &mac)));
    let (revision, packed) = packed.map(|row| (row.revision, row.lists)).unzip();
    let mut openers = Openers::new(conn, user, unlocked);
    let mut notes: HashMap<Fingerprint, Note> = match notes {
        Notes::Shown => notes::current(conn, &mut openers)?.into_iter().collect(),
        Notes::Hidden => HashMap::new(),
    };
    let mut statement = conn.prepare_cached(sql::ENTRIES)?;
    let mut rows = statement.query((user.to_sql(), wanted.map(|list| list as u8)))?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(&list) = ListKind::ALL.get(row.get::<_, usize>(0)?) else { continue };
        let id = EntryId { list, fingerprint: Fingerprint::from_bytes(row.get(1)?) };
        let sealed = row.get_ref(4)?.as_blob().map_err(StoreError::internal)?;
        let is_packed = packed.as_ref().is_some_and(|packed| packed.contains(id.list, id.fingerprint));
        let value = match sealed {
            [] if is_packed => Readable::Lost,
            sealed => {
                let plain = openers.open(Field::Entry, row.get(2)?, row.get(3)?, sealed)?.filter(|_| is_packed);
                let value = plain.and_then(|plain| genuine(&plain, id, unlocked));
                value.map_or(Readable::Altered, Readable::Value)
            }
        };
        entries.push(Entry {
            id,
            list,
            value,
            origin: Origin::from_code(row.get(5)?),
            created: users::time(row.get(6)?),
            confirmed: row.get(7)?,
            note: notes.remove(&id.fingerprint),
        });
    }
    entries.sort_by_cached_key(|entry| {
        let value = match &entry.value {
            Readable::Value(value) => value.written(),
            Readable::Lost | Readable::Altered => String::new(),
        };
        (entry.list, value)
    });
    Ok(Opened { entries, batches: openers.len(), revision })
}

/// The value of an entry, if it is what the row's fingerprint says.
fn genuine(plain: &[u8], id: EntryId, unlocked: &Unlocked) -> Option<EntryValue> {
    let value: EntryValue = std::str::from_utf8(plain).ok()?.parse().ok()?;
    (unlocked.fingerprint.of(&value) == id.fingerprint).then_some(value)
}
