//! Taking a change of a user's lists back. What it did stands in its row of the journal; whether later changes allow it,
//! the rows that are there tell: each entry and note names the change that put it there.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension};

use super::accounts::Unlocked;
use super::change::Change;
use super::entries::{Prepared, UserKeys, apply};
use super::link::Db;
use super::reading::Openers;
use super::{Shared, notes, sql, users};
use crate::policy::list::EntryValue;
use crate::store::journal::read_payload;
use crate::store::seal::Field;
use crate::store::{Actor, Edit, Effect, JournalEdit, Note, Standing, StoreError, UNDO_DAYS, Undone, UserId};

/// The edits that take a change back.
pub fn plan(
    conn: &Connection,
    shared: &Shared,
    unlocked: &Unlocked,
    keys: &UserKeys,
    user: UserId,
    change: i64,
    now: Timestamp,
) -> Db<Prepared> {
    let mut openers = Openers::new(conn, user, unlocked);
    let found: Option<(i64, i64, u32, Vec<u8>)> = conn
        .prepare_cached(sql::JOURNAL_ROW)?
        .query_row((change, user.to_sql()), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let (at, batch, position, payload) = found.ok_or(StoreError::UnknownChange)?;
    if users::time(at) + SignedDuration::from_hours(24 * i64::from(UNDO_DAYS)) < now {
        return Err(StoreError::UndoExpired.into());
    }
    let plain = openers.open(Field::Journal, batch, position, &payload)?.ok_or(StoreError::UnknownChange)?;
    let (_, edits) = std::str::from_utf8(&plain).map(read_payload).unwrap_or_default();
    let done: Vec<JournalEdit> = edits.into_iter().filter(|edit| edit.effect == Effect::Done).collect();
    if done.is_empty() {
        return Err(StoreError::UnknownChange.into());
    }
    let mut earlier: HashMap<_, Note> = HashMap::new();
    for (fingerprint, note) in notes::ended_by(conn, &mut openers, change)? {
        earlier.entry(fingerprint).or_insert(note);
    }
    let earlier = |value: &EntryValue| earlier.get(&unlocked.fingerprint.of(value)).cloned();
    Ok(Prepared::undoing(shared, user, keys, change, inverse(&done, earlier))?)
}

/// The last edit first; then the notes that stood there before.
fn inverse(done: &[JournalEdit], earlier: impl Fn(&EntryValue) -> Option<Note>) -> Vec<(Edit, Option<Standing>)> {
    let back = |JournalEdit { edit, before, .. }: &JournalEdit| match edit.clone() {
        Edit::Add(list, value) => Some((Edit::Remove(list, value), None)),
        Edit::Remove(list, value) => Some((Edit::Add(list, value), *before)),
        Edit::Confirm(list, value) => Some((Edit::Reopen(list, value), None)),
        Edit::Reopen(list, value) => Some((Edit::Confirm(list, value), None)),
        Edit::Note(..) => None,
    };
    let mut edits: Vec<_> = done.iter().rev().filter_map(back).collect();
    let added: HashSet<_> = done.iter().filter(|other| matches!(other.edit, Edit::Add(..))).map(value_of).collect();
    let mut restored = HashSet::new();
    for JournalEdit { edit, .. } in done {
        let value = edit.value();
        let note = match edit {
            Edit::Note(..) if !added.contains(value) => earlier(value),
            Edit::Remove(..) => match earlier(value) {
                Some(note) => Some(note),
                None => continue,
            },
            _ => continue,
        };
        if restored.insert(value) {
            edits.push((Edit::Note(edit.list(), value.clone(), note), None));
        }
    }
    edits
}

fn value_of(edit: &JournalEdit) -> &EntryValue {
    edit.edit.value()
}

/// Carries it out, as far as later changes left the entries alone.
pub fn carry_out(change: &mut Change<'_>, prepared: Prepared) -> Db<Undone> {
    let undone = apply(change, &Actor::User, prepared)?;
    if undone.done == 0 {
        return Err(StoreError::UndoContradicted.into());
    }
    Ok(undone)
}
