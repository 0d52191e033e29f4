//! One thread of the server: its connections, its buffers, its sweep, its part of the drain.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::accept::{Acceptor, Watched};
use super::alarm::Alarm;
use super::connection::{Connection, Handle};
use super::stream::Stream;
use super::{Closed, ConnectionInfo, Conversations, Handed, Listener, Report, Shared};

/// What one read takes at most: a burst of several messages from Postfix.
const READ_BYTES: usize = 64 * 1024;
/// How often time limits are looked at.
const SWEEP: Duration = Duration::from_secs(1);

/// What the first thread has beyond the others.
pub(super) type Front = (Vec<Listener>, Vec<UnboundedSender<Handed>>);

/// The state that the connections of one thread share.
pub(super) struct Thread<C: Conversations> {
    pub(super) index: usize,
    pub(super) shared: Arc<Shared<C>>,
    /// What every connection reads into, borrowed only within one poll.
    pub(super) input: RefCell<Box<[u8]>>,
    /// What every conversation answers into; empty between two polls.
    pub(super) output: RefCell<Vec<u8>>,
    started: Instant,
    /// The time since `started` at the last sweep.
    now: Cell<Duration>,
    draining: Cell<bool>,
    handles: RefCell<HashMap<u64, Rc<Handle>>>,
    emptied: Notify,
    report: Cell<Report>,
}

/// Runs a thread until shutdown was asked for and its connections are gone.
pub(super) fn run<C: Conversations>(
    index: usize,
    shared: Arc<Shared<C>>,
    handed: UnboundedReceiver<Handed>,
    front: Option<Front>,
) -> io::Result<Report> {
    let _stop_others = StopOthers(Arc::clone(&shared));
    // No timers of its own: see [`Alarm`].
    let runtime = Builder::new_current_thread().enable_io().build_local(LocalOptions::default())?;
    let thread = Rc::new(Thread {
        index,
        shared,
        input: RefCell::new(vec![0; READ_BYTES].into_boxed_slice()),
        output: RefCell::new(Vec::new()),
        started: Instant::now(),
        now: Cell::new(Duration::ZERO),
        draining: Cell::new(false),
        handles: RefCell::new(HashMap::new()),
        emptied: Notify::new(),
        report: Cell::new(Report::default()),
    });
    runtime.block_on(async {
        if let Some(front) = front {
            start_accepting(&thread, front)?;
        }
        thread.serve(handed).await?;
        Ok(thread.report.get())
    })
}

/// When one thread ends, whatever the reason, the others shall too: half a server would be worse than none.
struct StopOthers<C>(Arc<Shared<C>>);

impl<C> Drop for StopOthers<C> {
    fn drop(&mut self) {
        self.0.shutdown.trigger();
    }
}

fn start_accepting<C: Conversations>(thread: &Rc<Thread<C>>, front: Front) -> io::Result<()> {
    let (listeners, senders) = front;
    let acceptor = Acceptor::new(Rc::clone(thread), senders);
    // All of them, before the first accepts: an error leaves nobody half served.
    let listeners: Vec<_> = listeners.into_iter().map(Watched::new).collect::<io::Result<_>>()?;
    for (index, listener) in listeners.into_iter().enumerate() {
        tokio::task::spawn_local(Rc::clone(&acceptor).run(index, listener));
    }
    Ok(())
}

impl<C: Conversations> Thread<C> {
    /// Starts to serve a connection.
    fn open(self: &Rc<Self>, stream: Stream, info: ConnectionInfo) {
        let handle = Rc::new(Handle::new(self.now.get()));
        let mut handles = self.handles.borrow_mut();
        handles.insert(info.number, Rc::clone(&handle));
        let place = Place { thread: Rc::clone(self), number: info.number };
        tokio::task::spawn_local(Connection::serve(stream, info, handle, place));
    }

    /// Takes a connection that the first thread accepted; it counts in this thread's load already.
    pub(super) fn take(self: &Rc<Self>, handed: Handed) {
        match Stream::new(handed.socket) {
            Ok(stream) => self.open(stream, handed.info),
            Err(error) => {
                tracing::error!(connection = handed.info.number, %error, "cannot watch a connection");
                self.shared.loads[self.index].fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// The time since the thread started, as of the last sweep.
    pub(super) fn now(&self) -> Duration {
        self.now.get()
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    async fn serve(self: &Rc<Self>, mut handed: UnboundedReceiver<Handed>) -> io::Result<()> {
        let (sweep, deadline) = (Alarm::new()?, Alarm::new()?);
        sweep.set_every(SWEEP);
        let mut accepting = true;
        loop {
            if !accepting && self.draining.get() && self.handles.borrow().is_empty() {
                return Ok(());
            }
            tokio::select! {
                biased;
                () = self.shared.shutdown.triggered(), if !self.draining.get() => {
                    self.drain();
                    deadline.set_after(self.shared.limits.drain_time);
                }
                () = deadline.ring() => self.cut(),
                () = sweep.ring() => self.sweep(),
                connection = handed.recv(), if accepting => match connection {
                    Some(connection) => self.take(connection),
                    None => accepting = false,
                },
                () = self.emptied.notified() => {}
            }
        }
    }

    /// Looks after every connection's time, and sets the clock that all of them go by.
    fn sweep(&self) {
        self.now.set(self.started.elapsed());
        let limits = &self.shared.limits;
        for handle in self.handles.borrow().values() {
            if let Some(closed) = handle.overdue(self.now.get(), SWEEP, limits) {
                handle.cut(closed);
            }
        }
    }

    /// Closes what has no message under way; the rest closes itself when its message has ended.
    fn drain(&self) {
        self.draining.set(true);
        for handle in self.handles.borrow().values() {
            handle.drain();
        }
    }

    /// The end of the drain: closes what is left.
    fn cut(&self) {
        for handle in self.handles.borrow().values() {
            handle.cut(Closed::Cut);
        }
    }
}

/// A connection's place in its thread, given back however the connection ends.
pub(super) struct Place<C: Conversations> {
    pub(super) thread: Rc<Thread<C>>,
    pub(super) number: u64,
}

impl<C: Conversations> Drop for Place<C> {
    fn drop(&mut self) {
        let thread = &self.thread;
        let handle = thread.handles.borrow_mut().remove(&self.number);
        thread.shared.loads[thread.index].fetch_sub(1, Ordering::Relaxed);
        if thread.draining.get() {
            let mut report = thread.report.get();
            match handle.and_then(|handle| handle.drained()) {
                Some(Closed::Cut) => report.cut += 1,
                Some(_) => report.finished += 1,
                None => {}
            }
            thread.report.set(report);
            thread.emptied.notify_one();
        }
    }
}
