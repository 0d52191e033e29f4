//! A connection to the store's file: how it is opened, checked, and opened anew when the file was replaced.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::sql;
use crate::store::keys::{self, KeyError, Keys, Kind, MatchKey, SealKey};
use crate::store::packed::{RowKeys, State};
use crate::store::{Clock, Result, StoreError, owner, seal};

mod embedded {
    refinery::embed_migrations!("src/store/migrations");
}

/// The schema this binary writes.
pub const SCHEMA: i32 = 9;
/// Page cache of a connection, in KiB.
pub const PAGE_CACHE: i32 = 16 * 1024;

/// A failure inside a transaction, before it is known which file it was.
#[derive(Debug)]
pub enum DbError {
    /// Ours, with its meaning.
    Store(StoreError),
    /// SQLite's.
    Sql(rusqlite::Error),
}

/// What functions that run statements answer with.
pub type Db<T> = std::result::Result<T, DbError>;

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for DbError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<KeyError> for DbError {
    fn from(error: KeyError) -> Self {
        Self::Store(error.into())
    }
}

impl DbError {
    /// The error as callers see it. SQLite's messages name tables and codes, never values.
    pub fn at(self, path: &Path) -> StoreError {
        let error = match self {
            Self::Store(error) => return error,
            Self::Sql(error) => error,
        };
        let path = path.to_owned();
        let detail = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked(path),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt { path, detail },
            Some(ErrorCode::DiskFull) => StoreError::Full(path),
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::SystemIoFailure
                | ErrorCode::FileLockingProtocolFailed,
            ) => StoreError::Unavailable { path, detail },
            _ => StoreError::Internal(detail),
        }
    }
}

/// Which file a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity(u64, u64);

/// The identity of the file at a path.
pub fn identity(path: &Path) -> Result<Identity> {
    let meta = fs::metadata(path).map_err(|error| StoreError::unavailable(path, &error))?;
    Ok(Identity(meta.dev(), meta.ino()))
}

/// How long a first start rests before it tries again.
const RETRY: Duration = Duration::from_millis(10);

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The one writer.
    Write,
    /// Reading alone.
    Read,
    /// Reading alone, most pages once: few are kept. What the C library gave out for more it does not take back, and a thread
    /// that reads the whole store would cost the size of its page cache for good.
    ReadOnce,
}

impl Role {
    /// Page cache, in KiB.
    fn page_cache(self) -> i32 {
        match self {
            Self::Write | Self::Read => PAGE_CACHE,
            Self::ReadOnce => 1024,
        }
    }
}

/// A checked connection to the file that stood at the path when it was opened.
pub struct Link {
    /// The connection.
    pub conn: Connection,
    /// The public half of the store's seal key.
    pub seal_public: [u8; seal::KEY],
    identity: Identity,
    role: Role,
}

impl Link {
    /// Connects to a store that exists, of our schema and keys.
    pub fn open(path: &Path, role: Role, wait: Duration, key: &MatchKey) -> Result<Self> {
        let identity = identity(path)?;
        let open = || -> Db<_> {
            let conn = connect(path, role, wait)?;
            check_schema(&conn, path)?.ok_or_else(|| no_store(path))?;
            let facts = facts(&conn)?.ok_or_else(|| no_store(path))?;
            // Not before the file is known to be ours; a restored one may have lost it.
            conn.pragma_update(None, "journal_mode", "WAL")?;
            if role != Role::Write {
                conn.pragma_update(None, "query_only", "ON")?;
            }
            Ok((conn, facts))
        };
        let (conn, facts) = open().map_err(|error| error.at(path))?;
        if facts.match_check != *key.derive("check") {
            return Err(KeyError::Foreign(keys::path_beside(path, Kind::Match)).into());
        }
        Ok(Self { conn, seal_public: facts.seal_public, identity, role })
    }

    /// Which file this is a connection to.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Opens anew where the path names another file by now; tells whether it did.
    pub fn refresh(&mut self, path: &Path, wait: Duration, key: &MatchKey) -> Result<bool> {
        if identity(path)? == self.identity {
            return Ok(false);
        }
        *self = Self::open(path, self.role, wait, key)?;
        Ok(true)
    }
}

/// Opens the file, creating store and keys on the first start. Answers with the keys.
pub fn prepare(path: &Path, wait: Duration, clock: &Clock) -> Result<Keys> {
    create_file(path)?;
    let run = || -> Db<Keys> {
        let mut conn = connect(path, Role::Write, wait)?;
        migrate(&mut conn, path)?;
        conn.pragma_update(None, "journal_mode", "WAL")?;
        let tx = conn.transaction()?; // IMMEDIATE: finds a lock that is held, and lets one process alone create keys
        let keys = match facts(&tx)? {
            Some(facts) => existing_keys(path, &facts)?,
            None => first_keys(&tx, path, clock)?,
        };
        tx.commit()?;
        Ok(keys)
    };
    // SQLite does not wait for a lock while it changes the journal's mode: several processes at a first start would meet.
    let end = Instant::now() + wait;
    loop {
        match run().map_err(|error| error.at(path)) {
            Err(StoreError::Locked(_)) if Instant::now() < end => thread::sleep(RETRY),
            result => return result,
        }
    }
}

fn create_file(path: &Path) -> Result<()> {
    let mode = owner::Sharing::of(path).database_mode();
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        // SQLite gives its other files the permissions of this one; what the process masks off must not be missing.
        Ok(file) => file
            .set_permissions(Permissions::from_mode(mode))
            .and_then(|()| owner::inherit(path))
            .map_err(|error| StoreError::unavailable(path, &error)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let meta = fs::metadata(path).map_err(|error| StoreError::unavailable(path, &error))?;
            if owner::Sharing::is_too_open(meta.mode(), mode) {
                tracing::warn!(path = %path.display(), "others may read the store; run chmod {mode:o} on it");
            }
            Ok(())
        }
        Err(error) => Err(StoreError::unavailable(path, &error)),
    }
}

fn connect(path: &Path, role: Role, wait: Duration) -> Db<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(wait)?;
    conn.set_prepared_statement_cache_capacity(128);
    conn.set_transaction_behavior(match role {
        Role::Write => TransactionBehavior::Immediate,
        Role::Read | Role::ReadOnce => TransactionBehavior::Deferred,
    });
    conn.pragma_update(None, "trusted_schema", "OFF")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "cache_size", -role.page_cache())?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "foreign_keys", "ON")?;
    conn.pragma_update(None, "secure_delete", "ON")?;
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(conn)
}

fn migrate(conn: &mut Connection, path: &Path) -> Db<()> {
    if check_schema(conn, path)? == Some(SCHEMA) {
        return Ok(());
    }
    let migrated = migrations().run(conn);
    // Another process may have been quicker, which shows as a conflict here.
    match (migrated, check_schema(conn, path)?) {
        (_, Some(SCHEMA)) => Ok(()),
        (Err(error), _) => Err(StoreError::internal(format!("migration of the schema: {error}")).into()),
        (Ok(_), found) => Err(StoreError::internal(format!("the schema is {found:?} after its migration")).into()),
    }
}

/// The migrations from an empty file to [`SCHEMA`], in one transaction.
pub fn migrations() -> refinery::Runner {
    embedded::migrations::runner().set_grouped(true)
}

/// The schema of the file; `None` for an empty one.
fn check_schema(conn: &Connection, path: &Path) -> Db<Option<i32>> {
    let count = |sql| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    // In this order: another process may make the store between the two questions.
    if count(sql::ANY_TABLE)? == 0 {
        return Ok(None);
    }
    if count(sql::SCHEMA_TABLE)? == 0 {
        return Err(no_store(path).into());
    }
    let found: Option<i32> = conn.query_row(sql::SCHEMA_VERSION, [], |row| row.get(0))?;
    match found {
        Some(found) if found > SCHEMA => Err(StoreError::Newer { found, known: SCHEMA }.into()),
        found => Ok(found),
    }
}

fn no_store(path: &Path) -> StoreError {
    StoreError::Corrupt { path: path.to_owned(), detail: "an empty or another application's database".to_owned() }
}

struct Facts {
    match_check: [u8; 32],
    seal_public: [u8; 32],
}

fn facts(conn: &Connection) -> Db<Option<Facts>> {
    let mut statement = conn.prepare(sql::STORE)?;
    let mut rows = statement.query([])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Facts { match_check: row.get(1)?, seal_public: row.get(2)? }))
}

fn existing_keys(path: &Path, facts: &Facts) -> Result<Keys> {
    let match_path = keys::path_beside(path, Kind::Match);
    let match_key = keys::read_match(&match_path)?;
    if *match_key.derive("check") != facts.match_check {
        return Err(KeyError::Foreign(match_path).into());
    }
    let seal_path = keys::path_beside(path, Kind::Seal);
    let seal_key = keys::read_seal(&seal_path)?;
    if let Some(key) = &seal_key
        && seal::public_key(key.bytes())? != facts.seal_public
    {
        return Err(KeyError::Foreign(seal_path).into());
    }
    Ok(Keys { match_key, seal_key })
}

fn first_keys(conn: &Connection, path: &Path, clock: &Clock) -> Db<Keys> {
    let match_key = MatchKey::from_bytes(*keys::read_or_create(&keys::path_beside(path, Kind::Match), Kind::Match)?);
    let seal_key = SealKey::from_bytes(*keys::read_or_create(&keys::path_beside(path, Kind::Seal), Kind::Seal)?);
    let epoch = u128::from_be_bytes(keys::random()?);
    let check = match_key.derive("check");
    let public = seal::public_key(seal_key.bytes())?;
    let now = clock().as_second();
    conn.execute(sql::ADD_STORE, (epoch.to_be_bytes(), check.as_slice(), public, now))?;
    let state = State { epoch, revision: 0, journal: 0, sum: 0 };
    let mac = RowKeys::new(&match_key).state_mac(&state);
    conn.execute(sql::ADD_STATE, (state.sum.to_be_bytes(), mac))?;
    Ok(Keys { match_key, seal_key: Some(seal_key) })
}

/// The store's state, whether its MAC is ours, and up to which revision changes are forgotten.
pub fn read_state(conn: &Connection, keys: &RowKeys) -> Db<(State, bool, u64)> {
    let mut statement = conn.prepare_cached(sql::STATE)?;
    let found = statement.query_row([], |row| {
        let state = State {
            epoch: u128::from_be_bytes(row.get(0)?),
            revision: row.get(1)?,
            journal: row.get(2)?,
            sum: u128::from_be_bytes(row.get(3)?),
        };
        Ok((state, row.get::<_, Vec<u8>>(4)?, row.get(5)?))
    })?;
    let (state, mac, pruned) = found;
    Ok((state, keys.state_mac(&state) == mac, pruned))
}
