//! Entries and notes, opened for those who may read them: fetched with a connection, and opened when that is given back,
//! so that a long list keeps nobody else from reading.

use std::cmp::Ordering;
use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::panic::resume_unwind;
use std::thread;

use rusqlite::{Connection, OptionalExtension, Row};
use zeroize::Zeroizing;

use super::accounts::{Unlocked, unlock};
use super::link::Db;
use super::{Shared, notes, sql, users};
use crate::policy::list::{EntryValue, Fingerprint, ListKind};
use crate::store::packed::PackedLists;
use crate::store::seal::{Field, KEY, KeyPair, Opener, Place};
use crate::store::{Entry, EntryId, Note, Origin, Permission, Readable, StoreError, UserId};

/// Fewer notes than these are not worth a thread that opens them beside their entries.
const WORTH_A_THREAD: usize = 500;

/// The public keys of the batches that fetched values lie in.
#[derive(Default)]
pub struct Batches(BTreeMap<i64, Option<[u8; KEY]>>);

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
    keys: Option<KeyPair>,
    batches: &'a Batches,
    known: BTreeMap<i64, Option<Opener>>,
}

impl<'a> Openers<'a> {
    pub fn new(user: UserId, unlocked: &'a Unlocked, batches: &'a Batches) -> Self {
        Self { user, unlocked, keys: KeyPair::of(&unlocked.private).ok(), batches, known: BTreeMap::new() }
    }

    /// The value at a position of a batch; `None` where it is not what was sealed there.
    pub fn open(&mut self, field: Field, sealed: Sealed) -> Option<Zeroizing<Vec<u8>>> {
        let place = Place { organisation: self.unlocked.organisation, user: self.user, field };
        let (batches, keys) = (&self.batches.0, &self.keys);
        let opener = self.known.entry(sealed.batch).or_insert_with(|| {
            let ephemeral = batches.get(&sealed.batch).copied().flatten()?;
            keys.as_ref()?.opener(&ephemeral).ok()
        });
        opener.as_ref()?.open(&place, sealed.position, sealed.bytes)
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
    /// Those that are wanted.
    notes: Vec<(Fingerprint, Sealed)>,
    batches: Batches,
}

struct EntryRow {
    id: EntryId,
    sealed: Sealed,
    origin: Origin,
    created: i64,
    confirmed: bool,
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
    let (mut rows, mut notes, mut batches) = (Vec::new(), Vec::new(), Batches::default());
    let mut statement = conn.prepare_cached(match wanted {
        Wanted::List(..) => sql::ENTRIES,
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
        batches.learn(conn, user, sealed.batch)?;
        let (origin, created, confirmed) = (Origin::from_code(row.get(5)?), row.get(6)?, row.get(7)?);
        rows.push(EntryRow { id, sealed, origin, created, confirmed });
    }
    match wanted {
        // In the order in which they lie they are read faster than each beside its entry.
        Wanted::List(list, Notes::Shown) => {
            notes = notes::fetch_all(conn, user, &mut batches)?;
            if list.is_some() {
                let shown: HashSet<Fingerprint> = rows.iter().map(|row| row.id.fingerprint).collect();
                notes.retain(|(fingerprint, _)| shown.contains(fingerprint));
            }
        }
        Wanted::One(EntryId { fingerprint, .. }) if !rows.is_empty() => {
            let note = notes::fetch(conn, user, fingerprint, &mut batches)?;
            notes.extend(note.map(|sealed| (fingerprint, sealed)));
        }
        Wanted::List(_, Notes::Hidden) | Wanted::One(_) | Wanted::Waiting(_) => {}
    }
    Ok(Fetched { user, unlocked, packed, rows, notes, batches })
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
    /// Opens them; many notes on a thread of their own.
    pub fn open(self) -> Opened {
        let Self { user, unlocked, packed, rows, notes, batches } = self;
        let (revision, packed) = packed.unzip();
        let openers = || Openers::new(user, &unlocked, &batches);
        let is_aside = notes.len() >= WORTH_A_THREAD;
        let (mut opened, notes) = thread::scope(|scope| {
            let open_notes = || open_notes(openers(), notes);
            let (aside, here) =
                if is_aside { (Some(scope.spawn(open_notes)), None) } else { (None, Some(open_notes())) };
            let opened = open_entries(openers(), rows, packed.as_ref());
            let aside = aside.map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            (opened, aside.or(here).unwrap_or_default())
        });
        let mut used = BTreeSet::new();
        for (entry, batch) in &mut opened {
            let note = notes.get(&entry.id.fingerprint);
            if matches!(entry.value, Readable::Value(_)) {
                used.insert(*batch);
                used.extend(note.map(|(_, batch)| *batch));
            }
            entry.note = note.map(|(note, _)| note.clone());
        }
        let entries = sorted(opened.into_iter().map(|(entry, _)| entry).collect());
        Opened { entries, batches: used.len(), revision, unlocked }
    }
}

/// The notes that open, each with its batch.
fn open_notes(mut openers: Openers<'_>, notes: Vec<(Fingerprint, Sealed)>) -> HashMap<Fingerprint, (Note, i64)> {
    let opened = notes.into_iter().filter_map(|(fingerprint, sealed)| {
        let batch = sealed.batch;
        Some((fingerprint, (notes::open(&mut openers, fingerprint, sealed)?, batch)))
    });
    opened.collect()
}

/// The entries without their notes, each with its batch.
fn open_entries(mut openers: Openers<'_>, rows: Vec<EntryRow>, packed: Option<&PackedLists>) -> Vec<(Entry, i64)> {
    let opened = rows.into_iter().map(|EntryRow { id, sealed, origin, created, confirmed }| {
        let batch = sealed.batch;
        let is_packed = packed.is_some_and(|lists| lists.contains(id.list, id.fingerprint));
        let value = match is_packed {
            true if sealed.bytes.is_empty() => Readable::Lost,
            true => {
                let plain = openers.open(Field::Entry, sealed);
                let value = plain.and_then(|plain| genuine(&plain, id, openers.unlocked));
                value.map_or(Readable::Altered, Readable::Value)
            }
            false => Readable::Altered,
        };
        let created = users::time(created);
        (Entry { id, list: id.list, value, origin, created, confirmed, note: None }, batch)
    });
    opened.collect()
}

/// The value of an entry, if it is what the row's fingerprint says.
fn genuine(plain: &[u8], id: EntryId, unlocked: &Unlocked) -> Option<EntryValue> {
    let value: EntryValue = std::str::from_utf8(plain).ok()?.parse().ok()?;
    (unlocked.fingerprint.of(&value) == id.fingerprint).then_some(value)
}

/// By list, then by what they say as their user writes it; what cannot be read comes first. Most are told apart by the
/// beginning of their text, which is compared at once.
fn sorted(entries: Vec<Entry>) -> Vec<Entry> {
    let written = |entry: &Entry| match &entry.value {
        Readable::Value(value) => value.written(),
        Readable::Lost | Readable::Altered => String::new(),
    };
    let mut order: Vec<(ListKind, [u8; 16], usize)> = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        let (text, mut beginning) = (written(entry), [0; 16]);
        let length = text.len().min(beginning.len());
        beginning[..length].copy_from_slice(&text.as_bytes()[..length]);
        order.push((entry.list, beginning, at));
    }
    order.sort_unstable_by(|(list, beginning, at), (other_list, other_beginning, other)| {
        let first = list.cmp(other_list).then_with(|| beginning.cmp(other_beginning));
        if first == Ordering::Equal { written(&entries[*at]).cmp(&written(&entries[*other])) } else { first }
    });
    let mut unsorted: Vec<Option<Entry>> = entries.into_iter().map(Some).collect();
    order.into_iter().filter_map(|(.., at)| unsorted[at].take()).collect()
}
