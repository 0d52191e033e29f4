//! Connections for reading, handed out for one call each. The lock around them is held for the handing out alone.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::Shared;
use super::link::{Db, Link, Role};
use crate::store::Result;

/// Connections that read at once; further callers wait.
const READERS: usize = 2;

/// The readers of a store.
pub struct Readers {
    free: Mutex<Vec<Link>>,
    returned: Condvar,
}

impl Readers {
    /// Opens the connections.
    pub fn open(shared: &Shared) -> Result<Self> {
        let links = (0..READERS).map(|_| open(shared, Role::Read)).collect::<Result<_>>()?;
        Ok(Self { free: Mutex::new(links), returned: Condvar::new() })
    }

    /// Reads with a connection to the file as it now is, in one transaction: what is read belongs together.
    pub fn read<T>(&self, shared: &Shared, work: impl FnOnce(&Connection) -> Db<T>) -> Result<T> {
        let mut borrowed = Borrowed { readers: self, link: Some(self.take()) };
        let Some(link) = borrowed.link.as_mut() else { return Err(crate::store::StoreError::Closed) };
        link.refresh(&shared.path, shared.options.write_wait, &shared.keys.match_key)?;
        let run = || -> Db<T> {
            let tx = link.conn.unchecked_transaction()?;
            let found = work(&tx)?;
            tx.commit()?;
            Ok(found)
        };
        run().map_err(|error| error.at(&shared.path))
    }

    fn take(&self) -> Link {
        let mut free = self.lock();
        loop {
            match free.pop() {
                Some(link) => return link,
                None => free = self.returned.wait(free).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Link>> {
        // Nothing is done under the lock that could leave the list half changed.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads for long, with a connection of its own.
pub fn read_aside<T>(shared: &Shared, work: impl FnOnce(&Connection) -> Db<T>) -> Result<T> {
    let link = open(shared, Role::ReadOnce)?;
    let run = || -> Db<T> {
        let tx = link.conn.unchecked_transaction()?;
        work(&tx)
    };
    run().map_err(|error| error.at(&shared.path))
}

fn open(shared: &Shared, role: Role) -> Result<Link> {
    Link::open(&shared.path, role, shared.options.write_wait, &shared.keys.match_key)
}

/// Gives the connection back however the call ends.
struct Borrowed<'a> {
    readers: &'a Readers,
    link: Option<Link>,
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        self.readers.lock().extend(self.link.take());
        self.readers.returned.notify_one();
    }
}
