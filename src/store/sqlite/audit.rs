//! Reading, verifying and cutting the journal.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension};

use super::accounts::{Unlocked, unlock};
use super::change::{Change, Payload};
use super::link::Db;
use super::reading::{Batches, Openers, Sealed};
use super::{Shared, sql, users};
use crate::store::journal::{Block, ChainedRow, HASH, Summary, sha256, summarise, undone_by};
use crate::store::seal::Field;
use crate::store::{Actor, JournalCheck, JournalRecord, OrganisationId, Permission, StoreError, UserId};

/// Rows of the journal as they lie there, newest first.
pub struct Fetched {
    user: UserId,
    unlocked: Unlocked,
    records: Vec<(JournalRecord, Option<Sealed>)>,
    /// What was taken back after the oldest of them.
    undoes: Vec<Sealed>,
    batches: Batches,
}

pub fn fetch(
    conn: &Connection,
    shared: &Shared,
    user: UserId,
    permission: &Permission,
    before: Option<i64>,
    limit: usize,
) -> Db<Fetched> {
    let unlocked = unlock(conn, shared, user, permission)?;
    let mut batches = Batches::default();
    let mut statement = conn.prepare_cached(sql::USER_JOURNAL)?;
    let mut rows = statement.query((user.to_sql(), before.unwrap_or(i64::MAX), limit))?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let plain: bool = row.get::<_, Option<i64>>(4)?.is_none() || row.get_ref(6)? == ValueRef::Null;
        let sealed = if plain { None } else { Sealed::read(row, 4)? };
        let record = JournalRecord {
            id: row.get(0)?,
            at: users::time(row.get(1)?),
            actor: row.get(2)?,
            kind: row.get(3)?,
            undoes: None,
            is_undone: false,
            edits: Vec::new(),
            done: 0,
            left_out: 0,
        };
        records.push((record, sealed));
    }
    let oldest = records.last().map_or(i64::MAX, |(record, _)| record.id);
    let mut statement = conn.prepare_cached(sql::LATER_UNDOES)?;
    let mut rows = statement.query((user.to_sql(), oldest))?;
    let mut undoes = Vec::new();
    while let Some(row) = rows.next()? {
        undoes.extend(Sealed::read(row, 0)?);
    }
    for sealed in records.iter().filter_map(|(_, sealed)| sealed.as_ref()).chain(&undoes) {
        batches.learn(conn, user, sealed.batch)?;
    }
    Ok(Fetched { user, unlocked, records, undoes, batches })
}

impl Fetched {
    /// Opens them.
    pub fn open(self) -> Vec<JournalRecord> {
        let mut openers = Openers::new(self.user, &self.unlocked, &self.batches);
        let mut open = |sealed: Sealed| openers.open(Field::Journal, sealed);
        let undone = self.undoes.into_iter().filter_map(|sealed| undone_by(std::str::from_utf8(&open(sealed)?).ok()?));
        let undone: HashSet<i64> = undone.collect();
        let opened = self.records.into_iter().map(|(record, sealed)| {
            let plain = sealed.and_then(&mut open);
            let text = plain.as_ref().and_then(|plain| std::str::from_utf8(plain).ok());
            let Summary { undoes, edits, done, left_out } = text.map(summarise).unwrap_or_default();
            JournalRecord { undoes, edits, done, left_out, is_undone: undone.contains(&record.id), ..record }
        });
        opened.collect()
    }
}

pub fn verify(conn: &Connection, shared: &Shared, organisation: OrganisationId) -> Db<JournalCheck> {
    let mut check = JournalCheck { rows: 0, first: 0, blocks: 0, broken: None };
    let mut statement = conn.prepare_cached(sql::BLOCKS)?;
    let mut rows = statement.query([organisation.get()])?;
    let mut before: Option<(u64, [u8; HASH])> = None;
    while let Some(row) = rows.next()? {
        let block = Block {
            organisation,
            number: row.get(0)?,
            ids: (row.get(1)?, row.get(2)?),
            rows: row.get(3)?,
            at: row.get(4)?,
            previous: row.get(5)?,
        };
        let (hash, mac): ([u8; HASH], Vec<u8>) = (row.get(6)?, row.get(7)?);
        if check.blocks == 0 {
            check.first = block.number;
        }
        if let Some(why) = fault(conn, shared, &block, &hash, &mac, before)? {
            check.broken = Some((block.number, why.to_owned()));
            return Ok(check);
        }
        check.blocks += 1;
        check.rows += block.rows;
        before = Some((block.number, hash));
    }
    let all: u64 = conn.prepare_cached(sql::ROWS_OUTSIDE)?.query_row([organisation.get()], |row| row.get(0))?;
    if all != check.rows {
        let last = before.map_or(0, |(number, _)| number);
        check.broken = Some((last, "rows stand outside of the chain".to_owned()));
    }
    Ok(check)
}

fn fault(
    conn: &Connection,
    shared: &Shared,
    block: &Block,
    hash: &[u8; HASH],
    mac: &[u8],
    before: Option<(u64, [u8; HASH])>,
) -> Db<Option<&'static str>> {
    if !shared.journal.is_ours(hash, mac) {
        return Ok(Some("the signature is not ours"));
    }
    if before.is_some_and(|(number, hash)| number + 1 != block.number || hash != block.previous) {
        return Ok(Some("it does not follow the block before it"));
    }
    let mut digests = Vec::new();
    let mut statement = conn.prepare_cached(sql::BLOCK_ROWS)?;
    let mut rows = statement.query((block.organisation.get(), block.ids.0, block.ids.1))?;
    while let Some(row) = rows.next()? {
        let payload: Option<Vec<u8>> = row.get(5)?;
        let digest: [u8; HASH] = row.get(6)?;
        if payload.is_some_and(|payload| sha256(&payload) != digest) {
            return Ok(Some("a payload was altered"));
        }
        let (actor, kind): (String, String) = (row.get(2)?, row.get(3)?);
        let chained = ChainedRow {
            organisation: block.organisation,
            id: row.get(0)?,
            at: row.get(1)?,
            actor: &actor,
            kind: &kind,
            user: row.get(4)?,
            payload: &digest,
        };
        digests.push(chained.digest());
    }
    if digests.len() as u64 != block.rows || block.hash(&digests) != *hash {
        return Ok(Some("its rows were altered"));
    }
    Ok(None)
}

/// Retention: the oldest blocks go, the newest one stays whatever its age.
pub fn cut(change: &mut Change<'_>, organisation: OrganisationId, before: Timestamp) -> Db<u64> {
    let values = (organisation.get(), before.as_second());
    let found: Option<(u64, u64)> =
        change.conn.prepare_cached(sql::CUT_AT)?.query_row(values, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((block, last)) = found else { return Ok(0) };
    change.run(sql::CUT_BLOCKS, (organisation.get(), block))?;
    let rows = change.run(sql::CUT_ROWS, (organisation.get(), last))?;
    change.erased();
    let payload = format!("through block {block}");
    change.log(&Actor::System, organisation, "journal-cut", None, Payload::Plain(&payload))?;
    u64::try_from(rows).map_err(|error| StoreError::internal(error).into())
}
