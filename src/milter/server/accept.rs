//! Accepting, on the first thread, and choosing the thread that serves.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc::UnboundedSender;

use super::super::listen::{ListenerSocket, SocketFile};
use super::alarm::Alarm;
use super::stream::Socket;
use super::thread::Thread;
use super::{ConnectionInfo, Conversations, Handed, Listener, PeerAddress};

/// How long accepting pauses when the system has no more descriptors or memory.
const PAUSE: Duration = Duration::from_millis(200);
/// How many connections there are for each thread before one more thread takes any. A thread that serves few sleeps after
/// each message, and to be woken costs more than to serve; one that serves some finds the next message waiting.
const CONNECTIONS_A_THREAD: usize = 256;
/// The least time between two log lines of one kind.
const QUIET: Duration = Duration::from_secs(10);

/// What the listeners of a server share.
pub(super) struct Acceptor<C: Conversations> {
    thread: Rc<Thread<C>>,
    /// One a thread; the first one's is never used, but keeps its channel open as the others are.
    senders: Vec<UnboundedSender<Handed>>,
    last_number: Cell<u64>,
    refused: Seldom,
    exhausted: Seldom,
}

impl<C: Conversations> Acceptor<C> {
    pub(super) fn new(thread: Rc<Thread<C>>, senders: Vec<UnboundedSender<Handed>>) -> Rc<Self> {
        Rc::new(Self {
            thread,
            senders,
            last_number: Cell::new(0),
            refused: Seldom::default(),
            exhausted: Seldom::default(),
        })
    }

    /// Accepts from one listener until shutdown is asked for.
    pub(super) async fn run(self: Rc<Self>, index: usize, listener: Watched) {
        let shutdown = self.thread.shared.shutdown.clone();
        tokio::select! {
            biased;
            () = shutdown.triggered() => {}
            () = self.accept(index, &listener) => {}
        }
    }

    async fn accept(&self, index: usize, listener: &Watched) {
        loop {
            match listener.accept().await {
                Ok((socket, peer)) => self.place(index, socket, peer),
                Err(error) if is_exhausted(&error) => {
                    self.exhausted.log(|times| {
                        tracing::error!(%error, times, "cannot accept: raise the limit of open files (LimitNOFILE)");
                    });
                    listener.pause().await;
                }
                // The one that waited is gone; the next may be well.
                Err(error) => tracing::debug!(%error, "a connection went before it was accepted"),
            }
        }
    }

    /// Gives a connection to a thread, or closes it if there are too many.
    fn place(&self, listener: usize, socket: Socket, peer: PeerAddress) {
        let shared = &self.thread.shared;
        let loads: Vec<usize> = shared.loads.iter().map(|load| load.load(Ordering::Relaxed)).collect();
        let limit = shared.limits.connections;
        if loads.iter().sum::<usize>() >= limit {
            self.refused.log(|times| {
                tracing::warn!(limit, times, "connection closed at once: over the limit connections");
            });
            return;
        }
        let number = self.last_number.get() + 1;
        self.last_number.set(number);
        let chosen = thread_for(&loads);
        let info = ConnectionInfo { listener, number, thread: chosen, peer };
        shared.loads[chosen].fetch_add(1, Ordering::Relaxed);
        if chosen == self.thread.index {
            self.thread.take(Handed { socket, info });
        } else if self.senders[chosen].send(Handed { socket, info }).is_err() {
            // A thread that ended, which only a shutdown or its panic does, closes the connection by dropping it.
            shared.loads[chosen].fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// The thread for one more connection, by the connections of each: of as many threads as the connections are enough for,
/// the one with the fewest.
fn thread_for(loads: &[usize]) -> usize {
    let enough_for = loads.iter().sum::<usize>() / CONNECTIONS_A_THREAD + 1;
    let used = 0..enough_for.min(loads.len());
    used.min_by_key(|&thread| loads[thread]).unwrap_or(0)
}

/// A listener that the first thread's runtime watches.
pub(super) struct Watched {
    socket: WatchedSocket,
    pause: Alarm,
    /// Held for its drop, which removes the file.
    _file: Option<SocketFile>,
}

enum WatchedSocket {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Watched {
    pub(super) fn new(listener: Listener) -> io::Result<Self> {
        let (socket, file) = listener.into_parts();
        Ok(Self {
            socket: match socket {
                ListenerSocket::Unix(socket) => WatchedSocket::Unix(UnixListener::from_std(socket)?),
                ListenerSocket::Tcp(socket) => WatchedSocket::Tcp(TcpListener::from_std(socket)?),
            },
            pause: Alarm::new()?,
            _file: file,
        })
    }

    /// Lets a while pass.
    async fn pause(&self) {
        self.pause.set_after(PAUSE);
        self.pause.ring().await;
    }

    /// The next connection, without Nagle's delay.
    async fn accept(&self) -> io::Result<(Socket, PeerAddress)> {
        match &self.socket {
            WatchedSocket::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Socket::Unix(stream.into_std()?), PeerAddress::Unix))
            }
            WatchedSocket::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok((Socket::Tcp(stream.into_std()?), PeerAddress::Tcp(address)))
            }
        }
    }
}

/// A log line that may be due very often, and is written seldom.
#[derive(Default)]
struct Seldom {
    last: RefCell<Option<Instant>>,
    times: Cell<u64>,
}

impl Seldom {
    /// Calls `write` with how often it happened since it was last called, at most once in [`QUIET`].
    fn log(&self, write: impl FnOnce(u64)) {
        self.times.set(self.times.get() + 1);
        let mut last = self.last.borrow_mut();
        if last.is_none_or(|last| last.elapsed() >= QUIET) {
            *last = Some(Instant::now());
            write(self.times.replace(0));
        }
    }
}

fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_connections_stay_on_few_threads_and_many_use_all() {
        let mut loads = [0; 4];
        let open = |loads: &mut [usize; 4], connections: usize| {
            (0..connections).for_each(|_| loads[thread_for(&loads[..])] += 1);
        };
        open(&mut loads, CONNECTIONS_A_THREAD);
        assert_eq!(loads, [256, 0, 0, 0]);
        open(&mut loads, CONNECTIONS_A_THREAD);
        assert_eq!(loads, [256, 256, 0, 0]);
        open(&mut loads, 2000 - 512);
        assert_eq!(loads, [500; 4]);
        // Those of the first thread were closed: it is the one that is filled up again.
        loads[0] = 0;
        open(&mut loads, 500);
        assert_eq!(loads, [500; 4]);
    }

    #[test]
    fn one_thread_takes_them_all() {
        assert_eq!(thread_for(&[5000]), 0);
    }
}
