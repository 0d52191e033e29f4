//! The server: accepts connections, spreads them over threads, moves bytes, keeps the limits, drains.
//!
//! It knows nothing of the protocol: a [`Conversation`] takes the bytes of a read and appends its answer, and the server
//! writes that in one call. Each thread runs a single-threaded runtime with one task a connection, and shares one buffer
//! to read into and one to answer from among all its connections, so that an idle connection holds neither. Time is
//! kept by one sweep per thread and second: no connection has a timer, and no message costs the server a look at the
//! clock.
//!
//! The first thread accepts, and spreads the connections over as many threads as they are enough for: to wake a second
//! thread costs more than a few connections can win by it.

mod accept;
mod alarm;
mod connection;
mod stream;
mod thread;
mod watched;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

pub use super::listen::Listener;
use stream::Socket;

/// One connection of an MTA, as the protocol sees it: bytes in, bytes out. It lives on one thread.
pub trait Conversation {
    /// Takes what one read brought and appends the answer, if there is one, to `output`, which comes empty. The server
    /// writes the answer whole before it reads on, and before it closes.
    fn receive(&mut self, input: &[u8], output: &mut Vec<u8>) -> Flow;

    /// Where the conversation stands; it decides which time limit runs, and whether a drain waits.
    fn phase(&self) -> Phase;

    /// Called once, when the connection is over: the place for its log line. Nothing can be answered any more.
    fn closed(&mut self, why: Closed);
}

/// Makes the conversations. Shared by the threads.
pub trait Conversations: Send + Sync + 'static {
    /// What is made.
    type Conversation: Conversation + 'static;

    /// A conversation for a connection that was just accepted, on the thread that it will live on.
    fn open(&self, connection: ConnectionInfo) -> Self::Conversation;
}

/// Whether a connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Read on.
    Continue,
    /// Write what was answered, then close.
    Close,
}

/// Where a conversation stands between two reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not negotiated yet: `handshake_time` runs.
    Negotiating,
    /// Between messages, nothing half read: `idle_time` runs.
    Idle,
    /// Between messages, with a frame half read: `handshake_time` runs.
    PartialFrame,
    /// A message is under way, from its MAIL to its end: `message_time` runs and a drain waits. The number tells the messages of
    /// a connection apart.
    Message(u32),
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The MTA closed it.
    ByPeer,
    /// The conversation answered [`Flow::Close`].
    ByConversation,
    /// Reading or writing failed.
    Failed(io::ErrorKind),
    /// A message took longer than `message_time`.
    MessageTime,
    /// No negotiation, or half a frame, for longer than `handshake_time`.
    HandshakeTime,
    /// Nothing at all for longer than `idle_time`.
    IdleTime,
    /// The MTA did not read its answer for longer than `handshake_time`.
    AnswerTime,
    /// One answer was longer than `answer_bytes`.
    AnswerBytes,
    /// The server drains, and no message was under way.
    Drained,
    /// The server drains, and the message took longer than `drain_time`.
    Cut,
    /// The conversation panicked: a fault of this program.
    Panicked,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByPeer => "closed by the MTA",
            Self::ByConversation => "closed by us",
            Self::Failed(kind) => return write!(f, "connection lost: {kind}"),
            Self::MessageTime => "over the limit message_time",
            Self::HandshakeTime => "over the limit handshake_time",
            Self::IdleTime => "over the limit idle_time",
            Self::AnswerTime => "the MTA did not read its answer within the limit handshake_time",
            Self::AnswerBytes => "over the limit answer_bytes",
            Self::Drained => "the server stops",
            Self::Cut => "the server stops, and the message took longer than drain_time",
            Self::Panicked => "a fault of this program",
        })
    }
}

/// What a conversation may know of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// Which of the listeners given to [`serve`] it came from.
    pub listener: usize,
    /// Counts the connections of this server from 1; for the log.
    pub number: u64,
    /// The thread that serves it, counted from 0.
    pub thread: usize,
    /// Who connected.
    pub peer: PeerAddress,
}

/// Who connected: the MTA, not the MTA's client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerAddress {
    /// Some process of this machine.
    Unix,
    /// A TCP address.
    Tcp(SocketAddr),
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix => f.write_str("unix"),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

/// The limits of the server. Times are kept by a sweep each second: they never run out early, and up to two seconds late.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The most threads that serve connections, the first of them where there are few; default: one a core.
    pub threads: NonZeroUsize,
    /// Connections open at once; a further one is accepted and closed. Default 4096.
    pub connections: usize,
    /// The bytes of one answer. Default 1 MiB.
    pub answer_bytes: usize,
    /// From accept to negotiation, for the rest of a frame, and for an answer to be read. Default 30 s, as Postfix's
    /// `milter_command_timeout`.
    pub handshake_time: Duration,
    /// For one message, from MAIL to its end. Default 1 h: the MTA's own client may be slow to send a large one.
    pub message_time: Duration,
    /// Between messages. Default 2 h: Postfix keeps its connection while its own client idles, and takes it amiss if we do not.
    pub idle_time: Duration,
    /// For running messages to end once shutdown was asked for. Default 30 s.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            connections: 4096,
            answer_bytes: 1 << 20,
            handshake_time: Duration::from_secs(30),
            message_time: Duration::from_secs(60 * 60),
            idle_time: Duration::from_secs(2 * 60 * 60),
            drain_time: Duration::from_secs(30),
        }
    }
}

/// Asks a server to stop. Clones are one and the same.
#[derive(Debug, Clone)]
pub struct Shutdown(Arc<watch::Sender<bool>>);

impl Shutdown {
    /// Not asked for yet.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Asks, from any thread. Asking again changes nothing.
    pub fn trigger(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was asked for.
    pub fn is_triggered(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is asked for, on any runtime.
    pub async fn triggered(&self) {
        // An error would mean that the sender is gone, but `self` holds it.
        let _ = self.0.subscribe().wait_for(|asked| *asked).await;
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

/// How a drain went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Connections with a message under way that ended by themselves.
    pub finished: usize,
    /// Those that took longer than `drain_time`.
    pub cut: usize,
}

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A thread or its runtime cannot be started.
    #[error("cannot start a thread of the milter: {0}")]
    Start(#[source] io::Error),
    /// A thread is gone: a fault of this program.
    #[error("a thread of the milter panicked")]
    Panicked,
}

/// Serves the listeners until `shutdown` is asked for, then drains: the listeners close, connections without a message
/// close at once, the others when their message has ended, or after `drain_time`.
///
/// Blocks the calling thread; the work is done on threads of its own. Panics of a conversation end that connection alone.
///
/// # Errors
/// [`ServeError`]; what was started is stopped first.
pub fn serve<C: Conversations>(
    listeners: Vec<Listener>,
    limits: Limits,
    conversations: Arc<C>,
    shutdown: Shutdown,
) -> Result<Report, ServeError> {
    let threads = limits.threads.get();
    let shared = Arc::new(Shared {
        conversations,
        limits,
        shutdown,
        loads: (0..threads).map(|_| AtomicUsize::new(0)).collect(),
    });
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..threads).map(|_| mpsc::unbounded_channel()).unzip();
    // Only the first thread has something to accept from, and the means to hand over.
    let mut front = Some((listeners, senders));
    let mut running = Vec::with_capacity(threads);
    let mut first_error = None;
    for (index, receiver) in receivers.into_iter().enumerate() {
        let shared_here = Arc::clone(&shared);
        let front = front.take();
        let spawned = std::thread::Builder::new()
            .name(format!("milter-{index}"))
            .spawn(move || thread::run(index, shared_here, receiver, front));
        match spawned {
            Ok(handle) => running.push(handle),
            Err(error) => {
                shared.shutdown.trigger();
                first_error = Some(ServeError::Start(error));
                break;
            }
        }
    }
    let mut report = Report::default();
    for handle in running {
        match handle.join() {
            Ok(Ok(part)) => {
                report.finished += part.finished;
                report.cut += part.cut;
            }
            Ok(Err(error)) => first_error = first_error.or(Some(ServeError::Start(error))),
            Err(_) => first_error = first_error.or(Some(ServeError::Panicked)),
        }
    }
    first_error.map_or(Ok(report), Err)
}

/// What the threads have in common.
struct Shared<C> {
    conversations: Arc<C>,
    limits: Limits,
    shutdown: Shutdown,
    /// Open connections of each thread, those on their way to it included.
    loads: Vec<AtomicUsize>,
}

/// A connection on its way to its thread. It counts in that thread's load.
struct Handed {
    socket: Socket,
    info: ConnectionInfo,
}
