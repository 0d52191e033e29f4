//! Taking a change of a user's lists back. What it did stands in its row of the journal; whether later changes allow it,
//! the rows that are there tell: each entry and note names the change that put it there.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension};

use super::accounts::{Unlocked, unlock};
use super::change::Change;
use super::entries::{Prepared, UserKeys, apply, user_keys};
use super::link::Db;
use super::reading::{Batches, Openers, Sealed};
use super::{Shared, notes, sql, users};
use crate::policy::list::{EntryValue, Fingerprint, ListKind};
use crate::store::journal::read_payload;
use crate::store::seal::Field;
use crate::store::{
    Actor, Edit, Effect, JournalEdit, Note, Permission, Result, Standing, StoreError, UNDO_DAYS, Undone, UserId,
};

/// A change as it lies in the journal, with the notes that it ended.
pub struct Fetched {
    user: UserId,
    change: i64,
    unlocked: Unlocked,
    keys: UserKeys,
    payload: Sealed,
    notes: Vec<(Fingerprint, Sealed)>,
    batches: Batches,
}

pub fn fetch(
    conn: &Connection,
    shared: &Shared,
    user: UserId,
    permission: &Permission,
    change: i64,
    now: Timestamp,
) -> Db<Fetched> {
    let unlocked = unlock(conn, shared, user, permission)?;
    let keys = user_keys(conn, shared, user)?;
    let mut statement = conn.prepare_cached(sql::JOURNAL_ROW)?;
    let found =
        statement.query_row((change, user.to_sql()), |row| Ok((row.get(0)?, Sealed::read(row, 1)?))).optional()?;
    let (at, payload) = found.and_then(|(at, payload)| Some((at, payload?))).ok_or(StoreError::UnknownChange)?;
    if users::time(at) + SignedDuration::from_hours(24 * i64::from(UNDO_DAYS)) < now {
        return Err(StoreError::UndoExpired.into());
    }
    let mut batches = Batches::default();
    batches.learn(conn, user, payload.batch)?;
    let notes = notes::ended_by(conn, user, change, &mut batches)?;
    Ok(Fetched { user, change, unlocked, keys, payload, notes, batches })
}

/// The edits that take a change back, and how many entries do not come back since they would be refused.
pub struct Plan {
    prepared: Prepared,
    refused: usize,
}

impl Fetched {
    /// Opens the change and plans its undoing; `allowed` says what may be put on a list today.
    pub fn plan(self, shared: &Shared, allowed: &dyn Fn(ListKind, &EntryValue) -> bool) -> Result<Plan> {
        let mut openers = Openers::new(self.user, &self.unlocked, &self.batches);
        let plain = openers.open(Field::Journal, self.payload).ok_or(StoreError::UnknownChange)?;
        let (_, edits) = std::str::from_utf8(&plain).map(read_payload).unwrap_or_default();
        let done: Vec<JournalEdit> = edits.into_iter().filter(|edit| edit.effect == Effect::Done).collect();
        if done.is_empty() {
            return Err(StoreError::UnknownChange);
        }
        let mut earlier: HashMap<Fingerprint, Note> = HashMap::new();
        for (fingerprint, sealed) in self.notes {
            if let Some(note) = notes::open(&mut openers, fingerprint, sealed) {
                earlier.entry(fingerprint).or_insert(note);
            }
        }
        let earlier = |value: &EntryValue| earlier.get(&self.unlocked.fingerprint.of(value)).cloned();
        let mut edits = inverse(&done, earlier);
        let is_refused = |edit: &Edit| matches!(edit, Edit::Add(list, value) if !allowed(*list, value));
        let refused: HashSet<EntryValue> =
            edits.iter().filter(|(edit, _)| is_refused(edit)).map(|(edit, _)| edit.value().clone()).collect();
        // A note goes with its entry.
        edits.retain(|(edit, _)| !(is_refused(edit) || edit.is_note() && refused.contains(edit.value())));
        if edits.is_empty() {
            return Err(StoreError::UndoRefused);
        }
        let prepared = Prepared::undoing(shared, self.user, &self.keys, self.change, edits)?;
        Ok(Plan { prepared, refused: refused.len() })
    }
}

/// The last edit first. Notes of what goes are put back before it goes, since the value may stand on another list as well;
/// notes of what comes back after it is there.
fn inverse(done: &[JournalEdit], earlier: impl Fn(&EntryValue) -> Option<Note>) -> Vec<(Edit, Option<Standing>)> {
    let back = |JournalEdit { edit, before, .. }: &JournalEdit| match edit.clone() {
        Edit::Add(list, value) => Some((Edit::Remove(list, value), None)),
        Edit::Remove(list, value) => Some((Edit::Add(list, value), *before)),
        Edit::Confirm(list, value) => Some((Edit::Reopen(list, value), None)),
        Edit::Reopen(list, value) => Some((Edit::Confirm(list, value), None)),
        Edit::Note(..) | Edit::Name(..) => None,
    };
    let is_added = |edit: &&JournalEdit| matches!(edit.edit, Edit::Add(..));
    let added: HashSet<_> = done.iter().filter(is_added).map(|edit| edit.edit.value()).collect();
    let (mut first, mut last) = (Vec::new(), Vec::new());
    let mut restored = HashSet::new();
    for JournalEdit { edit, .. } in done {
        let value = edit.value();
        let note = match edit {
            Edit::Note(..) | Edit::Name(..) => earlier(value),
            Edit::Remove(..) => match earlier(value) {
                Some(note) => Some(note),
                None => continue,
            },
            _ => continue,
        };
        if restored.insert(value) {
            let goes = edit.is_note() && added.contains(value);
            let notes = if goes { &mut first } else { &mut last };
            notes.push((Edit::Note(edit.list(), value.clone(), note), None));
        }
    }
    first.extend(done.iter().rev().filter_map(back));
    first.extend(last);
    first
}

/// Carries it out, as far as later changes left the entries alone.
pub fn carry_out(change: &mut Change<'_>, plan: Plan) -> Db<Undone> {
    let effects = apply(change, &Actor::User, plan.prepared)?;
    let done = effects.iter().filter(|effect| **effect == Effect::Done).count();
    if done == 0 {
        return Err(StoreError::UndoContradicted.into());
    }
    Ok(Undone { done, left: effects.len() - done, refused: plan.refused })
}
