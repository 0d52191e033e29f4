//! A follower's connection: the hints, the changes, and the full load.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::change::{packed, read_packed};
use super::entries::has_globs;
use super::link::{Db, DbError, Link, Role, identity, read_state};
use super::{Shared, organisations, sql};
use crate::policy::list::ListKind;
use crate::store::packed::{MAC, PackedRow, State};
use crate::store::seal::{Field, Place};
use crate::store::{
    AddressHash, ChangeBatch, Changes, Feed, Glob, LoadReport, LoadedUser, OrganisationId, Position, Result,
    StoreError, UserId,
};

/// How often another process's commits are looked for.
const POLL: Duration = Duration::from_millis(25);
/// The load reads both halves of the ids at once; ids are random.
const HALF: i64 = 1 << 62;
/// How often two connections are tried to be opened on the same revision.
const TRIES: usize = 50;

/// The feed of the embedded store.
pub struct SqliteFeed {
    shared: Arc<Shared>,
    link: Link,
    commits: u64,
    data_version: i64,
    /// The file was replaced: whatever its revision, it has to be loaded.
    replaced: bool,
}

impl SqliteFeed {
    pub fn open(shared: Arc<Shared>) -> Result<Self> {
        let link = connect(&shared)?;
        let commits = *shared.signal.lock();
        Ok(Self { shared, link, commits, data_version: 0, replaced: false })
    }

    fn refresh(&mut self) -> Result<()> {
        let shared = &self.shared;
        if self.link.refresh(&shared.path, shared.options.open_wait, &shared.keys.match_key)? {
            self.replaced = true;
        }
        Ok(())
    }

    fn poll(&mut self) -> bool {
        let version = self.link.conn.query_row("PRAGMA data_version", [], |row| row.get(0));
        // A failure is a hint as well: asking for changes tells what it is.
        let moved = version.as_ref().map_or(true, |version| *version != self.data_version);
        self.data_version = version.unwrap_or(0);
        moved || self.link.refresh_needed(&self.shared.path)
    }
}

fn connect(shared: &Shared) -> Result<Link> {
    Link::open(&shared.path, Role::ReadOnce, shared.options.open_wait, &shared.keys.match_key)
}

impl Feed for SqliteFeed {
    fn wait(&mut self, limit: Duration) {
        let end = Instant::now() + limit;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let commits = self.shared.signal.wait(self.commits, left.min(POLL));
            let pushed = commits != self.commits;
            self.commits = commits;
            if pushed || self.poll() || left.is_zero() {
                return;
            }
        }
    }

    fn addresses(&mut self) -> Result<usize> {
        self.refresh()?;
        let count = self.link.conn.query_row(sql::COUNT_ADDRESSES, [], |row| row.get(0));
        count.map_err(|error| DbError::from(error).at(&self.shared.path))
    }

    fn load(&mut self, sink: &(dyn Fn(LoadedUser) + Sync)) -> Result<LoadReport> {
        self.refresh()?;
        let report = self.load_all(sink).map_err(|error| error.at(&self.shared.path));
        // A transaction that an error left open must not hold the old snapshot.
        if !self.link.conn.is_autocommit() {
            let _ = self.link.conn.execute_batch("ROLLBACK");
        }
        if report.is_ok() {
            self.replaced = false;
        }
        // The pages of every user were read once and are not needed again; keeping them is no more than a loss of memory.
        let _ = self.link.conn.execute_batch("PRAGMA shrink_memory");
        report
    }

    fn changes(&mut self, after: Position, limit: usize) -> Result<Changes> {
        self.refresh()?;
        if self.replaced {
            return Ok(Changes::Reload);
        }
        let run = || -> Db<Changes> {
            let tx = self.link.conn.unchecked_transaction()?;
            changes(&tx, &self.shared, after, limit)
        };
        run().map_err(|error| error.at(&self.shared.path))
    }
}

impl Link {
    fn refresh_needed(&self, path: &std::path::Path) -> bool {
        identity(path).map_or(true, |now| now != self.identity())
    }
}

fn changes(conn: &Connection, shared: &Shared, after: Position, limit: usize) -> Db<Changes> {
    let (state, _, pruned) = read_state(conn, &shared.rows)?;
    if state.epoch != after.epoch || after.revision > state.revision || after.revision < pruned {
        return Ok(Changes::Reload);
    }
    let mut users = BTreeSet::new();
    let mut named = BTreeSet::new();
    let (mut removed, mut sharing) = (Vec::new(), Vec::new());
    let mut revision = after.revision;
    let mut statement = conn.prepare_cached(sql::CHANGES)?;
    let mut rows = statement.query((after.revision, limit))?;
    while let Some(row) = rows.next()? {
        revision = row.get(0)?;
        let hash = row.get::<_, Option<[u8; 16]>>(3)?.map(|hash| AddressHash(u128::from_be_bytes(hash)));
        let organisation = row.get::<_, Option<u32>>(4)?.map(OrganisationId::new);
        match (row.get::<_, Option<i64>>(2)?.map(UserId::from_sql), hash) {
            (Some(user), hash) => {
                users.insert(user);
                removed.extend(hash.map(|hash| (hash, user)));
            }
            (None, Some(hash)) => sharing.push((hash, organisation)),
            (None, None) => named.extend(organisation),
        }
    }
    let mut batch = ChangeBatch {
        users: Vec::with_capacity(users.len()),
        removed,
        shared: sharing,
        organisations: Vec::with_capacity(named.len()),
        rejected: 0,
        position: Position { epoch: state.epoch, revision },
        more: revision < state.revision,
    };
    for user in users {
        let loaded = match packed(conn, user)? {
            None => None,
            Some((row, mac)) => {
                let loaded = load_user(conn, shared, user, row, &mac)?;
                batch.rejected += u64::from(loaded.is_none());
                loaded
            }
        };
        batch.users.push((user, loaded));
    }
    for id in named {
        batch.organisations.push((id, organisations::load(conn, id)?));
    }
    Ok(Changes::Batch(batch))
}

/// One user with their addresses; `None`, with a log line, where the row is not ours.
pub fn load_user(
    conn: &Connection,
    shared: &Shared,
    user: UserId,
    row: Option<PackedRow>,
    mac: &[u8; MAC],
) -> Db<Option<LoadedUser>> {
    let Some(mut loaded) = checked(conn, shared, user, row, mac)? else { return Ok(None) };
    let mut statement = conn.prepare_cached(sql::ADDRESSES)?;
    let mut rows = statement.query([user.to_sql()])?;
    while let Some(row) = rows.next()? {
        loaded.addresses.push(shared.hasher.of_text(text(row, 1)?));
    }
    Ok(Some(loaded))
}

/// The user of a packed row, without addresses.
fn checked(
    conn: &Connection,
    shared: &Shared,
    user: UserId,
    row: Option<PackedRow>,
    mac: &[u8; MAC],
) -> Db<Option<LoadedUser>> {
    let genuine = row.filter(|row| shared.rows.is_ours(row, mac));
    let compiled = genuine.and_then(|row| row.compile(&shared.wrap).map(|lists| (row, lists)));
    let Some((row, lists)) = compiled else {
        tracing::error!(%user, "the lists of a user were altered in the database; they are not served");
        return Ok(None);
    };
    let globs = if has_globs(&row.lists) { globs(conn, shared, &row)? } else { Vec::new() };
    Ok(Some(LoadedUser { lists, addresses: Vec::with_capacity(2), globs }))
}

fn globs(conn: &Connection, shared: &Shared, row: &PackedRow) -> Db<Vec<Glob>> {
    let mut statement = conn.prepare_cached(sql::PATTERNS)?;
    let mut rows = statement.query([row.user.to_sql()])?;
    let mut globs = Vec::new();
    while let Some(found) = rows.next()? {
        let Some(&list) = ListKind::ALL.get(found.get::<_, usize>(0)?) else { continue };
        let place = Place { organisation: row.organisation, user: row.user, field: Field::Pattern(list) };
        let wrapped = found.get_ref(1)?.as_blob().map_err(StoreError::internal)?;
        let plain = shared.wrap.unwrap(&place, wrapped);
        let Some(Ok(pattern)) = plain.map(|mut plain| String::from_utf8(std::mem::take(&mut *plain))) else { continue };
        globs.push(Glob { list, pattern: pattern.into() });
    }
    Ok(globs)
}

fn text<'a>(row: &'a rusqlite::Row<'_>, column: usize) -> Db<&'a str> {
    Ok(row.get_ref(column)?.as_str().map_err(StoreError::internal)?)
}

/// What one half of the users adds up to.
#[derive(Default, Clone, Copy)]
struct Half {
    users: u64,
    rejected: u64,
    sum: u128,
}

impl SqliteFeed {
    fn load_all(&mut self, sink: &(dyn Fn(LoadedUser) + Sync)) -> Db<LoadReport> {
        let shared = &*self.shared;
        let (mine, other) = (&self.link, connect(shared)?);
        let ((state, trusted), same) = snapshots(shared, mine, &other)?;
        let other = other.conn;
        let (first, second) = thread::scope(|scope| {
            let second = scope.spawn(move || load_half(&other, shared, HALF, i64::MAX, sink));
            let first = load_half(&mine.conn, shared, 0, HALF, sink);
            let second = second.join().unwrap_or_else(|_| Err(StoreError::internal("a loading thread failed").into()));
            (first, second)
        });
        let (first, second) = (first?, second?);
        let heads = heads(&mine.conn, shared)?;
        let organisations = organisations::load_all(&mine.conn)?;
        let shared_addresses = load_shared(&mine.conn, shared)?;
        mine.conn.execute_batch("COMMIT")?;
        let sum = first.sum.wrapping_add(second.sum).wrapping_add(heads);
        let rolled_back = !trusted || (same && sum != state.sum);
        if rolled_back {
            tracing::error!("rows of the store were put back to an older state in the database; restore a backup");
        }
        Ok(LoadReport {
            position: Position { epoch: state.epoch, revision: state.revision },
            users: first.users + second.users,
            rejected: first.rejected + second.rejected,
            rolled_back,
            organisations,
            shared: shared_addresses,
        })
    }
}

/// Begins a read on both connections, of the same revision if that can be had; tells the older state (whose revision
/// the follower goes on from) and whether both are the same.
fn snapshots(shared: &Shared, mine: &Link, other: &Link) -> Db<((State, bool), bool)> {
    for tries in 1.. {
        mine.conn.execute_batch("BEGIN")?;
        let (state, trusted, _) = read_state(&mine.conn, &shared.rows)?;
        other.conn.execute_batch("BEGIN")?;
        let (second, ..) = read_state(&other.conn, &shared.rows)?;
        if second == state || tries == TRIES {
            return Ok(((state, trusted), second == state));
        }
        mine.conn.execute_batch("ROLLBACK")?;
        other.conn.execute_batch("ROLLBACK")?;
    }
    Err(DbError::Store(StoreError::internal("no snapshot")))
}

fn load_shared(conn: &Connection, shared: &Shared) -> Db<Vec<(AddressHash, OrganisationId)>> {
    let mut statement = conn.prepare_cached(sql::LOAD_SHARED)?;
    let mut rows = statement.query([])?;
    let mut addresses = Vec::new();
    while let Some(row) = rows.next()? {
        addresses.push((shared.hasher.of_text(text(row, 0)?), OrganisationId::new(row.get(1)?)));
    }
    Ok(addresses)
}

fn heads(conn: &Connection, shared: &Shared) -> Db<u128> {
    let mut statement = conn.prepare_cached(sql::JOURNAL_HEADS)?;
    let mut rows = statement.query([])?;
    let mut sum = 0u128;
    while let Some(row) = rows.next()? {
        let organisation = OrganisationId::new(row.get(0)?);
        sum = sum.wrapping_add(shared.rows.share_of_head(organisation, &row.get(1)?));
    }
    Ok(sum)
}

/// Reads packed rows and addresses side by side, both in the order of user ids.
fn load_half(conn: &Connection, shared: &Shared, from: i64, to: i64, sink: &(dyn Fn(LoadedUser) + Sync)) -> Db<Half> {
    let mut statement = conn.prepare_cached(sql::LOAD_PACKED)?;
    let mut rows = statement.query((from, to))?;
    let mut statement = conn.prepare_cached(sql::LOAD_ADDRESSES)?;
    let mut addresses = statement.query((from, to))?;
    let mut address = next_address(shared, &mut addresses)?;
    let mut half = Half::default();
    while let Some(row) = rows.next()? {
        let user = UserId::from_sql(row.get(0)?);
        let (row, mac) = read_packed(user, row, 1)?;
        half.sum = half.sum.wrapping_add(shared.rows.share_of_row(user, &mac));
        let mut loaded = checked(conn, shared, user, row, &mac)?;
        while let Some((owner, hash)) = address
            && owner <= user
        {
            if let Some(loaded) = loaded.as_mut().filter(|_| owner == user) {
                loaded.addresses.push(hash);
            }
            address = next_address(shared, &mut addresses)?;
        }
        match loaded {
            Some(loaded) => {
                half.users += 1;
                sink(loaded);
            }
            None => half.rejected += 1,
        }
    }
    Ok(half)
}

fn next_address(shared: &Shared, rows: &mut rusqlite::Rows<'_>) -> Db<Option<(UserId, AddressHash)>> {
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some((UserId::from_sql(row.get(0)?), shared.hasher.of_text(text(row, 1)?))))
}
