//! The thread that takes rows to the store, a batch at a time. A store that is away leaves the rows in the queue, and
//! what finds no room there is noted as missing.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{error, warn};

use super::queue::{ActivityQueue, Row};
use crate::store::{ActivityStore, ActivityWriter, StoreError};

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
    ended: Receiver<Told>,
}

/// Whether all rows are in the store at the end, or it is noted there which are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// They are.
    All,
    /// Rows are lost, and nobody is told of which days.
    NotAll,
}

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub fn start(store: Arc<dyn ActivityStore>, queue: Arc<ActivityQueue>) -> io::Result<Self> {
        let (end, asked) = channel();
        let (done, ended) = channel();
        let run = move || {
            let _ = done.send(keep(&*store, &queue, &asked));
        };
        thread::Builder::new().name("activity".to_owned()).spawn(run)?;
        Ok(Self { end, ended })
    }

    /// Writes what is left; a store that is locked does not keep the daemon from ending. To be called once no message can
    /// come any more.
    pub fn end(self) -> Told {
        let _ = self.end.send(());
        let told = self.ended.recv_timeout(LAST).unwrap_or(Told::NotAll);
        if told == Told::NotAll {
            warn!("the store did not take the last rows of activity in time; they are lost");
        }
        told
    }
}

/// Keeps, whatever happens: a panic costs the rows in hand, of which their users are told.
fn keep(store: &dyn ActivityStore, queue: &ActivityQueue, asked: &Receiver<()>) -> Told {
    let mut keeping = Keeping {
        store,
        queue,
        writer: ActivityWriter::default(),
        in_hand: Vec::new(),
        failing: false,
        is_over: false,
    };
    while catch_unwind(AssertUnwindSafe(|| keeping.run(asked))).is_err() {
        error!("the thread that keeps activity panicked, a fault of perso-milter; it goes on");
        keeping.lose_in_hand();
        keeping.writer = ActivityWriter::default();
        keeping.rest(asked);
    }
    let last = catch_unwind(AssertUnwindSafe(|| keeping.write_rest()));
    last.unwrap_or(Told::NotAll)
}

struct Keeping<'a> {
    store: &'a dyn ActivityStore,
    queue: &'a ActivityQueue,
    writer: ActivityWriter,
    /// Taken from the queue, and not yet in the store.
    in_hand: Vec<Row>,
    failing: bool,
    /// The daemon ends.
    is_over: bool,
}

impl Keeping<'_> {
    fn run(&mut self, asked: &Receiver<()>) {
        let mut pruned: Option<Instant> = None;
        // A full batch: there is more, and nothing to gather for.
        let mut is_behind = false;
        while !self.is_over {
            if pruned.is_none_or(|at| at.elapsed() >= PRUNE) {
                pruned = Some(Instant::now());
                self.prune();
            }
            let first = self.queue.wait(WAIT);
            self.wait(asked, if first.is_none() || is_behind { Duration::ZERO } else { GATHER });
            self.in_hand.extend(first);
            self.in_hand.extend(self.queue.take(BATCH - self.in_hand.len()));
            is_behind = self.in_hand.len() == BATCH;
            while !self.write() && !self.is_over {
                self.rest(asked);
            }
            self.write_gaps();
        }
    }

    /// Waits for the daemon's end.
    fn wait(&mut self, asked: &Receiver<()>, limit: Duration) {
        self.is_over |= asked.recv_timeout(limit) != Err(RecvTimeoutError::Timeout);
    }

    fn rest(&mut self, asked: &Receiver<()>) {
        self.wait(asked, REST);
    }

    /// Writes the rows in hand; `false` where the store does not take them.
    fn write(&mut self) -> bool {
        if self.in_hand.is_empty() {
            return true;
        }
        match self.store.append_activity(&mut self.writer, &self.in_hand) {
            Ok(()) => {
                self.failing = false;
                self.in_hand.clear();
                true
            }
            Err(error) => {
                self.failed(&error);
                false
            }
        }
    }

    /// What is left at the end, tried once; what the store does not take then is lost, all of it.
    fn write_rest(&mut self) -> Told {
        loop {
            if !self.write() {
                self.lose_in_hand();
                while let Some(row) = self.queue.take(1).first() {
                    self.queue.lose(row);
                }
                break;
            }
            self.in_hand = self.queue.take(BATCH);
            if self.in_hand.is_empty() {
                break;
            }
        }
        self.write_gaps()
    }

    fn lose_in_hand(&mut self) {
        self.in_hand.drain(..).for_each(|row| self.queue.lose(&row));
    }

    fn write_gaps(&mut self) -> Told {
        let gaps = self.queue.take_gaps();
        if gaps.is_empty() {
            return Told::All;
        }
        match self.store.add_activity_gaps(&gaps) {
            Ok(()) => Told::All,
            Err(error) => {
                self.failed(&error);
                self.queue.put_back(&gaps);
                Told::NotAll
            }
        }
    }

    fn prune(&mut self) {
        if let Err(error) = self.store.prune_activity() {
            self.failed(&error);
        }
    }

    /// Says so once, until rows are written again.
    fn failed(&mut self, error: &StoreError) {
        if !std::mem::replace(&mut self.failing, true) {
            warn!(%error, "activity is kept until the store takes it");
        }
    }
}
