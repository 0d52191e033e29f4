//! What one change does besides its own rows: packed row, journal, feed, and the sum over them.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::link::{Db, read_state};
use super::{Shared, sql};
use crate::store::journal::{Block, ChainedRow, GENESIS, HASH, sha256};
use crate::store::packed::{MAC, PackedLists, PackedRow, State};
use crate::store::{Actor, AddressHash, OrganisationId, StoreError, UserId};

/// Changes that the feed keeps at least; twice as many at most.
const KEPT_CHANGES: u64 = 65_536;

/// What a follower is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// A user's lists, options or addresses are not what they were.
    User(UserId),
    /// A user lost an address.
    Address(AddressHash, UserId),
    /// An organisation is not what it was.
    Organisation(OrganisationId),
    /// An address became shared in an organisation.
    Shared(AddressHash, OrganisationId),
    /// An address is no longer shared.
    NoLongerShared(AddressHash),
}

/// The payload of a row of the journal.
#[derive(Debug, Clone, Copy)]
pub enum Payload<'a> {
    /// None.
    None,
    /// For anyone who reads the journal of the organisation.
    Plain(&'a str),
    /// Sealed to the user, at this position of a batch.
    Sealed(u64, u32, &'a [u8]),
}

/// What a transaction gathers until it commits.
pub struct Pending {
    state: State,
    /// Whether the state's MAC was ours when the transaction began. Where it was not, it is not made so again.
    trusted: bool,
    pruned: u64,
    rows: Vec<(OrganisationId, u64, [u8; HASH])>,
    erased: bool,
}

/// Where a change began, to go back to if it fails.
pub struct Mark(State, usize, bool);

impl Pending {
    /// At the beginning of a transaction.
    pub fn begin(conn: &Connection, shared: &Shared) -> Db<Self> {
        let (state, trusted, pruned) = read_state(conn, &shared.rows)?;
        Ok(Self { state, trusted, pruned, rows: Vec::new(), erased: false })
    }

    /// Before a change.
    pub fn mark(&self) -> Mark {
        Mark(self.state, self.rows.len(), self.erased)
    }

    /// After a change that failed.
    pub fn back_to(&mut self, mark: &Mark) {
        self.state = mark.0;
        self.rows.truncate(mark.1);
        self.erased = mark.2;
    }

    /// Closes the journal's blocks and writes the state; whether something was erased.
    pub fn finish(mut self, conn: &Connection, shared: &Shared, now: Timestamp) -> Db<bool> {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_by_key(|(organisation, id, _)| (*organisation, *id));
        for block in rows.chunk_by(|a, b| a.0 == b.0) {
            self.close_block(conn, shared, now, block)?;
        }
        if self.state.revision - self.pruned > 2 * KEPT_CHANGES {
            prune(conn, self.state.revision - KEPT_CHANGES)?;
        }
        let mac = if self.trusted { shared.rows.state_mac(&self.state) } else { Vec::new() };
        let State { revision, journal, sum, .. } = self.state;
        conn.prepare_cached(sql::SET_STATE)?.execute((revision, journal, sum.to_be_bytes(), mac))?;
        Ok(self.erased)
    }

    fn close_block(
        &mut self,
        conn: &Connection,
        shared: &Shared,
        now: Timestamp,
        rows: &[(OrganisationId, u64, [u8; HASH])],
    ) -> Db<()> {
        let [(organisation, first, _), ..] = *rows else { return Ok(()) };
        let last = rows.last().map_or(first, |row| row.1);
        let head: Option<(u64, [u8; HASH])> = conn
            .prepare_cached(sql::JOURNAL_HEAD)?
            .query_row([organisation.get()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((_, hash)) = &head {
            self.state.sum = self.state.sum.wrapping_sub(shared.rows.share_of_head(organisation, hash));
        }
        let (number, previous) = head.map_or((1, GENESIS), |(number, hash)| (number + 1, hash));
        let at = now.as_second();
        let block = Block { organisation, number, ids: (first, last), rows: rows.len() as u64, at, previous };
        let hash = block.hash(rows.iter().map(|(_, _, digest)| digest));
        self.state.sum = self.state.sum.wrapping_add(shared.rows.share_of_head(organisation, &hash));
        let mac = shared.journal.sign(&hash);
        let values = (organisation.get(), number, first, last, block.rows, at, previous, hash, mac);
        conn.prepare_cached(sql::ADD_BLOCK)?.execute(values)?;
        Ok(())
    }
}

/// Forgets changes up to a revision.
pub fn prune(conn: &Connection, through: u64) -> Db<()> {
    conn.prepare_cached(sql::PRUNE_CHANGES)?.execute([through])?;
    conn.prepare_cached(sql::SET_PRUNED)?.execute([through])?;
    Ok(())
}

/// One change within a transaction.
pub struct Change<'a> {
    /// The writer's connection, inside a savepoint.
    pub conn: &'a Connection,
    /// Keys and clock.
    pub shared: &'a Shared,
    /// The time of this transaction.
    pub now: Timestamp,
    /// The public half of the seal key.
    pub seal_public: [u8; 32],
    /// What the transaction gathers.
    pub pending: &'a mut Pending,
}

impl Change<'_> {
    /// The time of this transaction as the store keeps it.
    pub fn at(&self) -> i64 {
        self.now.as_second()
    }

    /// Runs a statement of many uses.
    pub fn run(&self, sql: &'static str, values: impl rusqlite::Params) -> Db<usize> {
        Ok(self.conn.prepare_cached(sql)?.execute(values)?)
    }

    /// Forgets changes but the last ones.
    pub fn prune(&mut self, keep: u64) -> Db<()> {
        let through = self.pending.state.revision.saturating_sub(keep).max(self.pending.pruned);
        self.pending.pruned = through;
        prune(self.conn, through)
    }

    /// The packed row of a user, which must be ours: a change never makes an altered row good.
    pub fn packed(&self, user: UserId) -> Db<(PackedRow, [u8; MAC])> {
        let (row, mac) = packed(self.conn, user)?.ok_or_else(|| StoreError::UnknownUser(user.to_string()))?;
        let row = row.filter(|row| self.shared.rows.is_ours(row, &mac)).ok_or(StoreError::Altered(user))?;
        Ok((row, mac))
    }

    /// Writes the packed row of a new user.
    pub fn add_packed(&mut self, row: &PackedRow) -> Db<()> {
        let mac = self.shared.rows.mac(row);
        let share = self.shared.rows.share_of_row(row.user, &mac);
        self.pending.state.sum = self.pending.state.sum.wrapping_add(share);
        let (organisation, options) = (row.organisation.get(), row.options.to_bits());
        let lists = row.lists.as_bytes();
        let values = (row.user.to_sql(), organisation, options, row.revision, &row.fingerprint_key, lists, mac);
        self.run(sql::ADD_PACKED, values)?;
        Ok(())
    }

    /// Replaces the packed row whose MAC was `old`.
    pub fn set_packed(&mut self, row: &PackedRow, old: &[u8; MAC]) -> Db<()> {
        let mac = self.shared.rows.mac(row);
        self.forget_share(row.user, old);
        let share = self.shared.rows.share_of_row(row.user, &mac);
        self.pending.state.sum = self.pending.state.sum.wrapping_add(share);
        let values = (row.user.to_sql(), row.options.to_bits(), row.revision, row.lists.as_bytes(), mac);
        self.run(sql::SET_PACKED, values)?;
        Ok(())
    }

    /// Takes a row that goes away off the sum.
    pub fn forget_share(&mut self, user: UserId, mac: &[u8]) {
        self.pending.state.sum = self.pending.state.sum.wrapping_sub(self.shared.rows.share_of_row(user, mac));
    }

    /// The number that the next row of the journal gets.
    pub fn next_row(&self) -> i64 {
        self.pending.state.journal as i64 + 1 // SQLite's own numbers are 63 bits
    }

    /// Something was erased: its bytes shall leave the write-ahead log soon.
    pub fn erased(&mut self) {
        self.pending.erased = true;
    }

    /// Adds a row to the journal.
    pub fn log(
        &mut self,
        actor: &Actor,
        organisation: OrganisationId,
        kind: &str,
        user: Option<UserId>,
        payload: Payload<'_>,
    ) -> Db<()> {
        let (batch, position, bytes) = match payload {
            Payload::None => (None, None, None),
            Payload::Plain(text) => (None, None, Some(text.as_bytes())),
            Payload::Sealed(batch, position, bytes) => (Some(batch), Some(position), Some(bytes)),
        };
        let actor = actor.to_string();
        let digest = sha256(bytes.unwrap_or_default());
        let id = self.pending.state.journal + 1;
        let user = user.map(UserId::to_sql);
        let row = ChainedRow { organisation, id, at: self.at(), actor: &actor, kind, user, payload: &digest };
        let chained = row.digest();
        let values = (organisation.get(), id, self.at(), &actor, kind, user, batch, position, bytes, digest);
        self.run(sql::ADD_JOURNAL, values)?;
        self.pending.state.journal = id;
        self.pending.rows.push((organisation, id, chained));
        Ok(())
    }

    /// Tells followers.
    pub fn tell(&mut self, told: Told) -> Db<()> {
        let revision = self.pending.state.revision + 1;
        let (kind, user, hash, organisation) = match told {
            Told::User(user) => (0, Some(user), None, None),
            Told::Address(hash, user) => (1, Some(user), Some(hash.0.to_be_bytes()), None),
            Told::Organisation(id) => (2, None, None, Some(id.get())),
            Told::Shared(hash, id) => (3, None, Some(hash.0.to_be_bytes()), Some(id.get())),
            Told::NoLongerShared(hash) => (4, None, Some(hash.0.to_be_bytes()), None),
        };
        self.run(sql::ADD_CHANGE, (revision, kind, user.map(UserId::to_sql), hash, organisation))?;
        self.pending.state.revision = revision;
        Ok(())
    }
}

/// A packed row, without its values checked, and its MAC; the row is `None` where it cannot be one of ours.
pub fn packed(conn: &Connection, user: UserId) -> Db<Option<(Option<PackedRow>, [u8; MAC])>> {
    let mut statement = conn.prepare_cached(sql::PACKED)?;
    let mut rows = statement.query([user.to_sql()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(read_packed(user, row, 0)?))
}

/// Reads a packed row whose organisation stands in column `at`.
pub fn read_packed(user: UserId, row: &rusqlite::Row<'_>, at: usize) -> Db<(Option<PackedRow>, [u8; MAC])> {
    let mac = row.get(at + 5)?;
    let lists = PackedLists::from_bytes(row.get(at + 4)?);
    let Some(lists) = lists else { return Ok((None, mac)) };
    let packed = PackedRow {
        user,
        organisation: OrganisationId::new(row.get(at)?),
        options: crate::policy::list::UserOptions::from_bits(row.get(at + 1)?),
        revision: row.get(at + 2)?,
        fingerprint_key: row.get(at + 3)?,
        lists,
    };
    Ok((Some(packed), mac))
}
