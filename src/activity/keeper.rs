//! The thread that takes rows to the store, a batch at a time. A store that is away leaves the rows in the queue, and
//! what finds no room there is noted as missing.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tracing::warn;

use super::queue::{ActivityQueue, Row};
use crate::store::{ActivityWriter, Store};

/// Most rows of one batch.
const BATCH: usize = 512;
/// How long rows gather before they are written; within it nobody is woken for a message.
const GATHER: Duration = Duration::from_millis(200);
/// How long the thread waits for a row before it looks at the rest.
const WAIT: Duration = Duration::from_millis(200);
/// How long it rests before it asks a store again that failed.
const REST: Duration = Duration::from_secs(1);
/// How often what is too old is removed.
const PRUNE: Duration = Duration::from_secs(3600);
/// How long the end of the daemon waits for the last rows.
const LAST: Duration = Duration::from_secs(5);

/// Takes activity to the store, on a thread that may wait for it.
pub struct Keeper {
    end: Sender<()>,
    ended: Receiver<()>,
}

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub fn start(store: Arc<dyn Store>, queue: Arc<ActivityQueue>) -> io::Result<Self> {
        let (end, asked) = channel();
        let (done, ended) = channel();
        let run = move || {
            Keeping { store: &*store, queue: &queue, writer: ActivityWriter::default(), failing: false }.run(&asked);
            let _ = done.send(());
        };
        thread::Builder::new().name("activity".to_owned()).spawn(run)?;
        Ok(Self { end, ended })
    }

    /// Writes what is left; a store that is locked does not keep the daemon from ending.
    pub fn end(self) {
        let _ = self.end.send(());
        if self.ended.recv_timeout(LAST).is_err() {
            warn!("the store did not take the last rows of activity in time; they are lost");
        }
    }
}

struct Keeping<'a> {
    store: &'a dyn Store,
    queue: &'a ActivityQueue,
    writer: ActivityWriter,
    failing: bool,
}

impl Keeping<'_> {
    fn run(&mut self, asked: &Receiver<()>) {
        let mut pruned: Option<Instant> = None;
        let is_over = |limit| asked.recv_timeout(limit) != Err(RecvTimeoutError::Timeout);
        loop {
            if pruned.is_none_or(|at| at.elapsed() >= PRUNE) {
                pruned = Some(Instant::now());
                self.prune();
            }
            let first = self.queue.wait(WAIT);
            let over = is_over(if first.is_some() { GATHER } else { Duration::ZERO });
            let mut rows: Vec<Row> = first.into_iter().collect();
            rows.extend(self.queue.take(BATCH - rows.len()));
            let written = self.write(&rows, &is_over);
            self.write_gaps();
            if over || !written {
                return self.write_rest();
            }
        }
    }

    /// Writes rows, however often the store fails meanwhile; `false` once the daemon ends.
    fn write(&mut self, rows: &[Row], is_over: impl Fn(Duration) -> bool) -> bool {
        while !rows.is_empty() {
            match self.store.append_activity(&mut self.writer, rows) {
                Ok(()) => {
                    self.failing = false;
                    break;
                }
                Err(error) => self.failed(&error),
            }
            if is_over(REST) {
                rows.iter().for_each(|row| self.queue.lose(row));
                return false;
            }
        }
        true
    }

    /// What is left at the end, tried once.
    fn write_rest(&mut self) {
        loop {
            let rows = self.queue.take(BATCH);
            if rows.is_empty() || self.store.append_activity(&mut self.writer, &rows).is_err() {
                rows.iter().for_each(|row| self.queue.lose(row));
                return self.write_gaps();
            }
        }
    }

    fn write_gaps(&mut self) {
        let gaps = self.queue.take_gaps();
        if gaps.is_empty() {
            return;
        }
        if let Err(error) = self.store.add_activity_gaps(&gaps) {
            self.failed(&error);
            self.queue.put_back(&gaps);
        }
    }

    fn prune(&mut self) {
        if let Err(error) = self.store.prune_activity() {
            self.failed(&error);
        }
    }

    /// Says so once, until rows are written again.
    fn failed(&mut self, error: &crate::store::StoreError) {
        if !std::mem::replace(&mut self.failing, true) {
            warn!(%error, "activity is kept until the store takes it");
        }
    }
}
