//! Entries and notes, opened for those who may read them: fetched with a connection, and opened when that is given back,
//! so that a long list keeps nobody else from reading.

use std::collections::hash_map::Entry as Slot;
use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, Row};
use zeroize::Zeroizing;

use super::accounts::{Unlocked, unlock};
use super::link::Db;
use super::{Shared, notes, sql, users};
use crate::policy::list::{EntryValue, Fingerprint, ListKind};
use crate::store::packed::PackedLists;
use crate::store::seal::{Field, KEY, Opener, Place};
use crate::store::{Entry, EntryId, Origin, Permission, Readable, StoreError, UserId};

/// The public keys of the batches that fetched values lie in.
#[derive(Default)]
pub struct Batches(HashMap<i64, Option<[u8; KEY]>>);

impl Batches {
    /// Fetches the key of a batch, once.
    pub fn learn(&mut self, conn: &Connection, user: UserId, batch: i64) -> Db<()> {
        if let Slot::Vacant(slot) = self.0.entry(batch) {
            let mut statement = conn.prepare_cached(sql::BATCH)?;
            slot.insert(statement.query_row((user.to_sql(), batch), |row| row.get(0)).optional()?);
        }
        Ok(())
    }
}

/// Opens fetched values, each batch once.
pub struct Openers<'a> {
    user: UserId,
    unlocked: &'a Unlocked,
    batches: Batches,
    known: HashMap<i64, Option<Opener>>,
}

impl<'a> Openers<'a> {
    pub fn new(user: UserId, unlocked: &'a Unlocked, batches: Batches) -> Self {
        Self { user, unlocked, batches, known: HashMap::new() }
    }

    /// The value at a position of a batch; `None` where it is not what was sealed there.
    pub fn open(&mut self, field: Field, sealed: &Sealed) -> Option<Zeroizing<Vec<u8>>> {
        let place = Place { organisation: self.unlocked.organisation, user: self.user, field };
        let (batches, private) = (&self.batches.0, &self.unlocked.private);
        let opener = self.known.entry(sealed.batch).or_insert_with(|| {
            let ephemeral = batches.get(&sealed.batch).copied().flatten()?;
            Opener::new(private, &ephemeral).ok()
        });
        opener.as_ref()?.open(&place, sealed.position, &sealed.bytes)
    }
}

/// A sealed value as it lies in its row.
pub struct Sealed {
    pub batch: i64,
    pub position: u32,
    pub bytes: Vec<u8>,
}

impl Sealed {
    /// The one that begins in this column; `None` where there is none.
    pub fn read(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Self>> {
        let Some(batch) = row.get(at)? else { return Ok(None) };
        Ok(Some(Self { batch, position: row.get(at + 1)?, bytes: row.get(at + 2)? }))
    }
}

/// Whether notes are read as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notes {
    /// For the user.
    Shown,
    /// For anyone else, and where the user looks at values alone.
    Hidden,
}

/// Which entries are read.
#[derive(Debug, Clone, Copy)]
pub enum Wanted {
    /// Of one list, or all.
    List(Option<ListKind>, Notes),
    /// One entry, with its note.
    One(EntryId),
    /// Those that wait for their user, at most so many, without their notes.
    Waiting(usize),
}

/// Entries as they lie in their rows, with all that opening them takes.
pub struct Fetched {
    user: UserId,
    unlocked: Unlocked,
    /// The user's revision and lists; `None` for a row that is not ours.
    packed: Option<(u64, PackedLists)>,
    rows: Vec<EntryRow>,
    batches: Batches,
}

struct EntryRow {
    id: EntryId,
    sealed: Sealed,
    origin: Origin,
    created: i64,
    confirmed: bool,
    note: Option<Sealed>,
}

/// The user's packed lists, if the row is ours.
pub fn packed(conn: &Connection, shared: &Shared, user: UserId) -> Db<Option<(u64, PackedLists)>> {
    let found = super::change::packed(conn, user)?;
    let ours = found.and_then(|(row, mac)| row.filter(|row| shared.rows.is_ours(row, &mac)));
    Ok(ours.map(|row| (row.revision, row.lists)))
}

pub fn fetch(conn: &Connection, shared: &Shared, user: UserId, permission: &Permission, wanted: Wanted) -> Db<Fetched> {
    let unlocked = unlock(conn, shared, user, permission)?;
    let packed = packed(conn, shared, user)?;
    let (mut rows, mut batches) = (Vec::new(), Batches::default());
    let mut statement = conn.prepare_cached(match wanted {
        Wanted::List(_, Notes::Shown) => sql::ENTRIES,
        Wanted::List(_, Notes::Hidden) => sql::ENTRIES_ALONE,
        Wanted::One(_) => sql::ENTRY,
        Wanted::Waiting(_) => sql::WAITING_ENTRIES,
    })?;
    let user_id = user.to_sql();
    let mut found = match wanted {
        Wanted::List(list, _) => {
            let (first, last) = list.map_or((0, ListKind::ALL.len() as u8 - 1), |list| (list as u8, list as u8));
            statement.query((user_id, first, last))?
        }
        Wanted::One(id) => statement.query((user_id, id.list as u8, id.fingerprint.to_bytes()))?,
        Wanted::Waiting(limit) => statement.query((user_id, limit))?,
    };
    while let Some(row) = found.next()? {
        let Some(&list) = ListKind::ALL.get(row.get::<_, usize>(0)?) else { continue };
        let id = EntryId { list, fingerprint: Fingerprint::from_bytes(row.get(1)?) };
        let sealed = Sealed::read(row, 2)?.ok_or_else(|| StoreError::internal("an entry without its batch"))?;
        let note = Sealed::read(row, 8)?;
        for sealed in std::iter::once(&sealed).chain(&note) {
            batches.learn(conn, user, sealed.batch)?;
        }
        let (origin, created, confirmed) = (Origin::from_code(row.get(5)?), row.get(6)?, row.get(7)?);
        rows.push(EntryRow { id, sealed, origin, created, confirmed, note });
    }
    Ok(Fetched { user, unlocked, packed, rows, batches })
}

/// Opened entries, and what they came from.
pub struct Opened {
    /// Sorted by list and value.
    pub entries: Vec<Entry>,
    /// How many batches those that could be opened, and their notes, were sealed in.
    pub batches: usize,
    /// The user's revision when they were read; `None` for a row that is not ours.
    pub revision: Option<u64>,
    /// What opened them.
    pub unlocked: Unlocked,
}

impl Fetched {
    /// Opens them.
    pub fn open(self) -> Opened {
        let Self { user, unlocked, packed, rows, batches } = self;
        let (revision, packed) = packed.unzip();
        let mut openers = Openers::new(user, &unlocked, batches);
        let mut used = HashSet::new();
        let mut entries = Vec::with_capacity(rows.len());
        for EntryRow { id, sealed, origin, created, confirmed, note } in rows {
            let is_packed = packed.as_ref().is_some_and(|lists| lists.contains(id.list, id.fingerprint));
            let value = if sealed.bytes.is_empty() && is_packed {
                Readable::Lost
            } else {
                let plain = openers.open(Field::Entry, &sealed).filter(|_| is_packed);
                let value = plain.and_then(|plain| genuine(&plain, id, &unlocked));
                value.map_or(Readable::Altered, Readable::Value)
            };
            let opened = note.as_ref().and_then(|sealed| notes::open(&mut openers, id.fingerprint, sealed));
            if matches!(value, Readable::Value(_)) {
                used.insert(sealed.batch);
                used.extend(note.filter(|_| opened.is_some()).map(|sealed| sealed.batch));
            }
            let created = users::time(created);
            entries.push(Entry { id, list: id.list, value, origin, created, confirmed, note: opened });
        }
        entries.sort_by_cached_key(|entry| {
            let value = match &entry.value {
                Readable::Value(value) => value.written(),
                Readable::Lost | Readable::Altered => String::new(),
            };
            (entry.list, value)
        });
        Opened { entries, batches: used.len(), revision, unlocked }
    }
}

/// The value of an entry, if it is what the row's fingerprint says.
fn genuine(plain: &[u8], id: EntryId, unlocked: &Unlocked) -> Option<EntryValue> {
    let value: EntryValue = std::str::from_utf8(plain).ok()?.parse().ok()?;
    (unlocked.fingerprint.of(&value) == id.fingerprint).then_some(value)
}
