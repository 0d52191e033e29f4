//! The one thread that writes, in groups: what gathers while a transaction runs is committed with one flush.
//!
//! Each change runs in a savepoint, so that one that fails takes nothing of its neighbours with it; a chunk of an import
//! has a transaction of its own, which spares the savepoint's copies. Callers are answered after the commit. The write-ahead log is brought into the file by another thread and connection.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::change::{Change, Pending};
use super::link::{Db, DbError, Link, PAGE_CACHE, Role};
use super::{Shared, checkpoint};
use crate::store::{Result, StoreError, Ticket};

/// Page cache while large changes run, in KiB: a chunk of an import touches the pages of thousands of users, and what
/// does not fit is written twice. Memory is taken as it is needed, and given back with the next small change.
const LARGE_CACHE: i32 = 256 * 1024;
/// Changes that may wait for the writer; callers beyond wait for room.
const QUEUE: usize = 4096;
/// Most changes of one transaction.
const GROUP: usize = 256;
/// After this time a transaction takes no further change.
const GROUP_TIME: Duration = Duration::from_millis(5);
/// After so many changed rows the write-ahead log is brought into the file.
const CHECKPOINT_ROWS: u64 = 4000;

/// The way to the writer's thread, which ends when this is dropped.
pub struct Writer {
    queue: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// Whether a change shares its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Company {
    Shared,
    Alone,
}

trait Job: Send {
    fn company(&self) -> Company;
    /// Carries the change out; `Err` takes it back.
    fn run(&mut self, change: &mut Change<'_>) -> std::result::Result<(), Failed>;
    /// Answers the caller, after the transaction; `failure` if that did not commit.
    fn answer(self: Box<Self>, failure: Option<&StoreError>);
}

/// A change failed; its own error waits for its caller.
struct Failed(StoreError);

struct Task<T, F> {
    work: Option<F>,
    company: Company,
    outcome: Option<Result<T>>,
    reply: SyncSender<Result<T>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnOnce(&mut Change<'_>) -> Db<T> + Send,
{
    fn company(&self) -> Company {
        self.company
    }

    fn run(&mut self, change: &mut Change<'_>) -> std::result::Result<(), Failed> {
        let Some(work) = self.work.take() else { return Ok(()) };
        let outcome = work(change).map_err(|error| error.at(&change.shared.path));
        let failed = outcome.as_ref().err().map(|error| Failed(error.clone()));
        self.outcome = Some(outcome);
        failed.map_or(Ok(()), Err)
    }

    fn answer(self: Box<Self>, failure: Option<&StoreError>) {
        let answer = match failure {
            Some(error) => Err(error.clone()),
            None => self.outcome.unwrap_or(Err(StoreError::Closed)),
        };
        // A caller that no longer waits does not need the answer.
        let _ = self.reply.send(answer);
    }
}

impl Writer {
    /// Starts the thread.
    pub fn start(shared: Arc<Shared>, link: Link) -> Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        let checkpoints = checkpoint::Checkpointer::start(Arc::clone(&shared))?;
        let mut writing = Writing { shared, link, checkpoints, next: None, rows: 0, prepared_for: Company::Shared };
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writing.run(&jobs))
            .map_err(StoreError::internal)?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Puts a change on its way.
    pub fn submit<T, F>(&self, work: F) -> Result<Ticket<T>>
    where
        T: Send + 'static,
        F: FnOnce(&mut Change<'_>) -> Db<T> + Send + 'static,
    {
        self.send(Company::Shared, work)
    }

    /// Puts a large change on its way, which has a transaction of its own.
    pub fn submit_alone<T, F>(&self, work: F) -> Result<Ticket<T>>
    where
        T: Send + 'static,
        F: FnOnce(&mut Change<'_>) -> Db<T> + Send + 'static,
    {
        self.send(Company::Alone, work)
    }

    fn send<T, F>(&self, company: Company, work: F) -> Result<Ticket<T>>
    where
        T: Send + 'static,
        F: FnOnce(&mut Change<'_>) -> Db<T> + Send + 'static,
    {
        let (reply, answer) = sync_channel(1);
        let task = Task { work: Some(work), company, outcome: None, reply };
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(Box::new(task)).map_err(|_| StoreError::Closed)?;
        Ok(Ticket::new(move || answer.recv().unwrap_or(Err(StoreError::Closed))))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the panic hook.
            let _ = thread.join();
        }
    }
}

struct Writing {
    shared: Arc<Shared>,
    link: Link,
    checkpoints: checkpoint::Checkpointer,
    /// A change that waits for a transaction of its own.
    next: Option<Box<dyn Job>>,
    /// Rows changed when the log was last brought into the file.
    rows: u64,
    /// The size of the changes that the page cache is made for.
    prepared_for: Company,
}

impl Writing {
    fn run(&mut self, jobs: &Receiver<Box<dyn Job>>) {
        while let Some(first) = self.next.take().or_else(|| jobs.recv().ok()) {
            let mut group = Vec::with_capacity(GROUP);
            match self.transaction(first, jobs, &mut group) {
                Ok(erased) => {
                    self.shared.signal.raise();
                    group.into_iter().for_each(|job| job.answer(None));
                    self.checkpoint(erased);
                }
                Err(error) => {
                    // Only what SQLite holds can be undone, and it undoes that on the next use at the latest.
                    let _ = self.link.conn.execute_batch("ROLLBACK");
                    let error = error.at(&self.shared.path);
                    tracing::error!(%error, "the store cannot write");
                    // Whoever waits behind would wait as long in vain.
                    group.extend(self.next.take().into_iter().chain(jobs.try_iter()));
                    group.into_iter().for_each(|job| job.answer(Some(&error)));
                }
            }
        }
    }

    fn transaction(
        &mut self,
        first: Box<dyn Job>,
        jobs: &Receiver<Box<dyn Job>>,
        group: &mut Vec<Box<dyn Job>>,
    ) -> Db<bool> {
        let company = first.company();
        group.push(first);
        self.refresh()?;
        self.prepare_for(company)?;
        let (shared, conn) = (&self.shared, &self.link.conn);
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let started = Instant::now();
        let now = (shared.options.clock)();
        let mut pending = Pending::begin(conn, shared)?;
        let mut change = Change { conn, shared, now, seal_public: self.link.seal_public, pending: &mut pending };
        let mut done = 0;
        while let Some(job) = group.get_mut(done) {
            if job.company() == Company::Alone {
                job.run(&mut change).map_err(|Failed(error)| error)?;
                break;
            }
            savepoint(job.as_mut(), &mut change)?;
            done += 1;
            if done < GROUP
                && started.elapsed() < GROUP_TIME
                && let Ok(next) = jobs.try_recv()
            {
                match next.company() {
                    Company::Shared => group.push(next),
                    Company::Alone => self.next = Some(next),
                }
            }
        }
        let erased = pending.finish(conn, shared, now)?;
        conn.prepare_cached("COMMIT")?.execute([])?;
        Ok(erased)
    }

    fn refresh(&mut self) -> Db<()> {
        let shared = &self.shared;
        if self.link.refresh(&shared.path, shared.options.write_wait, &shared.keys.match_key)? {
            tracing::warn!(path = %shared.path.display(), "the store's file was replaced; writing to the new one");
            self.rows = 0;
            self.prepared_for = Company::Shared;
        }
        Ok(())
    }

    fn prepare_for(&mut self, company: Company) -> Db<()> {
        if company != self.prepared_for {
            let kibibytes = match company {
                Company::Alone => LARGE_CACHE,
                Company::Shared => PAGE_CACHE,
            };
            self.link.conn.pragma_update(None, "cache_size", -kibibytes)?;
            self.prepared_for = company;
        }
        Ok(())
    }

    fn checkpoint(&mut self, erased: bool) {
        let rows = self.link.conn.total_changes();
        if erased {
            self.checkpoints.wipe();
        } else if rows - self.rows > CHECKPOINT_ROWS {
            self.checkpoints.wanted();
            self.rows = rows;
        }
    }
}

fn savepoint(job: &mut dyn Job, change: &mut Change<'_>) -> Db<()> {
    let mark = change.pending.mark();
    change.run("SAVEPOINT change", [])?;
    if let Err(Failed(error)) = job.run(change) {
        // A full disk or a damaged page takes the whole transaction back.
        if change.conn.is_autocommit() {
            return Err(DbError::Store(error));
        }
        change.run("ROLLBACK TO change", [])?;
        change.pending.back_to(&mark);
    }
    change.run("RELEASE change", [])?;
    Ok(())
}

/// Hands a wish to a thread that may be busy with the same.
pub(super) fn offer<T>(to: &SyncSender<T>, wish: T) {
    match to.try_send(wish) {
        Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
    }
}

/// A connection for the writer.
pub fn link(shared: &Shared) -> Result<Link> {
    Link::open(&shared.path, Role::Write, shared.options.write_wait, &shared.keys.match_key)
}

#[cfg(test)]
mod tests {
    use crate::store::{Actor, SqliteOptions, SqliteStore, Store, StoreError};

    #[test]
    fn a_full_disk_fails_the_change_and_the_store_lives_on() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = SqliteStore::open(&dir.path().join("s.db"), SqliteOptions::default()).expect("a store");
        let limit = |pages: i64| {
            store.write(move |change| {
                Ok(change
                    .conn
                    .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get::<_, i64>(0))?)
            })
        };
        limit(1).expect("no more pages than there are");
        let add = |n: usize| store.add_organisation(&Actor::System, &format!("{n:064}"), &[]);
        let failed = (0..10_000).map(add).find_map(Result::err);
        assert!(matches!(failed, Some(StoreError::Full(_))), "{failed:?}");
        assert!(store.organisations().is_ok());
        limit(1 << 30).expect("room again");
        add(10_000).expect("it lives on");
    }
}
