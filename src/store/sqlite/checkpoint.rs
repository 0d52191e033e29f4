//! Brings the write-ahead log into the store's file, beside the writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Shared;
use super::link::{DbError, Link, Role};
use super::writer::offer;
use crate::store::{Result, StoreError};

/// From this many pages on, the writer waits for a moment so that the log can start over.
const RESTART_PAGES: i64 = 16_384;
/// How long a checkpoint that needs the log for itself waits for readers and the writer.
const WAIT: Duration = Duration::from_secs(1);
/// How long after a wipe that was incomplete the next one is tried.
const RETRY: Duration = Duration::from_secs(1);

/// The way to the thread, which ends when this is dropped.
pub struct Checkpointer {
    wishes: Option<SyncSender<()>>,
    wipe: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread.
    pub fn start(shared: Arc<Shared>) -> Result<Self> {
        let (wishes, asked) = sync_channel(1);
        let wipe = Arc::new(AtomicBool::new(false));
        let to_wipe = Arc::clone(&wipe);
        let thread = thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || run(&shared, &asked, &to_wipe))
            .map_err(StoreError::internal)?;
        Ok(Self { wishes: Some(wishes), wipe, thread: Some(thread) })
    }

    /// The log has grown.
    pub fn wanted(&self) {
        if let Some(wishes) = &self.wishes {
            offer(wishes, ());
        }
    }

    /// The log holds what was erased: it shall be cut to nothing.
    pub fn wipe(&self) {
        self.wipe.store(true, Ordering::Release);
        self.wanted();
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.wishes = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared, asked: &Receiver<()>, wipe: &AtomicBool) {
    let mut link = None;
    let mut unwiped = false;
    let mut failing = false;
    loop {
        // What was erased shall not wait for the next change.
        let wish = if unwiped { asked.recv_timeout(RETRY) } else { asked.recv().map_err(Into::into) };
        if wish == Err(RecvTimeoutError::Disconnected) {
            return;
        }
        unwiped |= wipe.swap(false, Ordering::AcqRel);
        match checkpoint(shared, &mut link, unwiped) {
            Ok(complete) => {
                unwiped &= !complete;
                failing = false;
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "the write-ahead log cannot be brought into the store; it grows until it can");
                }
                failing = true;
            }
        }
    }
}

/// Whether the log is wiped, if it was to be.
fn checkpoint(shared: &Shared, kept: &mut Option<Link>, wipe: bool) -> Result<bool> {
    let link = match kept {
        Some(link) => {
            link.refresh(&shared.path, WAIT, &shared.keys.match_key)?;
            link
        }
        None => kept.insert(Link::open(&shared.path, Role::Write, WAIT, &shared.keys.match_key)?),
    };
    let pass = |sql| {
        let outcome = link.conn.query_row(sql, [], |row| Ok((row.get::<_, i64>(0)? == 0, row.get::<_, i64>(1)?)));
        outcome.map_err(|error| DbError::from(error).at(&shared.path))
    };
    let (_, pages) = pass("PRAGMA wal_checkpoint(PASSIVE)")?;
    if wipe {
        // Incomplete while a reader still needs the log.
        return Ok(pass("PRAGMA wal_checkpoint(TRUNCATE)")?.0);
    }
    if pages > RESTART_PAGES {
        pass("PRAGMA wal_checkpoint(RESTART)")?;
    }
    Ok(true)
}
