//! The embedded store.

use std::path::Path;
use std::time::Duration;

use super::{Clock, Result, system_clock};

/// How a store is opened.
#[derive(Clone)]
pub struct SqliteOptions {
    /// Where the time comes from.
    pub clock: Clock,
    /// How long opening waits for another process's lock.
    pub open_wait: Duration,
    /// How long a change waits for another process's lock.
    pub write_wait: Duration,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { clock: system_clock(), open_wait: Duration::from_secs(5), write_wait: Duration::from_secs(30) }
    }
}

/// A store in one SQLite file.
pub struct SqliteStore {}

impl SqliteStore {
    /// Opens the store, creating file and keys on the first start and migrating an older schema.
    ///
    /// # Errors
    /// The file cannot be opened, is no store, locked, of a newer schema; a key is missing, foreign or open to others.
    pub fn open(_path: &Path, _options: SqliteOptions) -> Result<Self> {
        todo!()
    }
}
