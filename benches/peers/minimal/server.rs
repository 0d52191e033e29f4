//! The threads of the minimal milter: an epoll each, and a read buffer that its connections share.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use mio::{Events, Poll, Token, Waker};
use perso_milter::milter::wire::{FRAME_MAX, LENGTH_BYTES};
use slab::Slab;

use super::conversation::{Close, Conversation, Milter};
use super::socket::{Listener, Stream};

/// Room for the largest frame that was cut, and for what follows it.
const READ_BUFFER: usize = 2 * (LENGTH_BYTES + FRAME_MAX);
/// The event of a thread's new connections; those of connections are numbered from 0.
const ARRIVALS: Token = Token(usize::MAX);

struct Connection {
    stream: Stream,
    conversation: Conversation,
    /// The beginning of a frame that was cut.
    partial: Vec<u8>,
}

/// Serves until the system refuses; the calling thread accepts, and serves its share.
pub fn serve(mut listener: Listener, milter: Milter, threads: NonZero<usize>) -> io::Result<()> {
    let milter = Arc::new(milter);
    let mut others = Vec::new();
    for _ in 1..threads.get() {
        let (sender, inbox) = channel();
        let worker = Worker::new(Arc::clone(&milter))?;
        others.push((sender, Waker::new(worker.poll.registry(), ARRIVALS)?));
        thread::spawn(move || worker.run(Arrivals::Handed(inbox)));
    }
    let worker = Worker::new(milter)?;
    listener.register(worker.poll.registry(), ARRIVALS)?;
    worker.run(Arrivals::Accepted { listener, others, turn: 0 })
}

/// Where a thread's connections come from.
enum Arrivals {
    /// The first thread accepts, and hands them to the others and itself in turn.
    Accepted {
        listener: Listener,
        others: Vec<(Sender<Stream>, Waker)>,
        turn: usize,
    },
    Handed(Receiver<Stream>),
}

impl Arrivals {
    /// The next connection for this thread, if there is one.
    fn next(&mut self) -> io::Result<Option<Stream>> {
        let (listener, others, turn) = match self {
            Self::Handed(inbox) => return Ok(inbox.try_recv().ok()),
            Self::Accepted { listener, others, turn } => (listener, others, turn),
        };
        loop {
            let stream = match listener.accept() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                accepted => accepted?,
            };
            *turn = (*turn + 1) % (others.len() + 1);
            let Some((sender, waker)) = others.get(*turn) else { return Ok(Some(stream)) };
            sender.send(stream).map_err(|_| io::ErrorKind::BrokenPipe)?;
            waker.wake()?;
        }
    }
}

/// One thread: its epoll, its connections, and the buffers that they share.
struct Worker {
    milter: Arc<Milter>,
    poll: Poll,
    connections: Slab<Connection>,
    buffer: Vec<u8>,
    output: Vec<u8>,
}

impl Worker {
    fn new(milter: Arc<Milter>) -> io::Result<Self> {
        let (poll, connections) = (Poll::new()?, Slab::new());
        Ok(Self { milter, poll, connections, buffer: vec![0; READ_BUFFER], output: Vec::new() })
    }

    fn run(mut self, mut arrivals: Arrivals) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                if event.token() == ARRIVALS {
                    while let Some(stream) = arrivals.next()? {
                        self.open(stream)?;
                    }
                } else {
                    self.serve(event.token().0, event.is_read_closed());
                }
            }
        }
    }

    fn open(&mut self, mut stream: Stream) -> io::Result<()> {
        let entry = self.connections.vacant_entry();
        stream.register(self.poll.registry(), Token(entry.key()))?;
        entry.insert(Connection { stream, conversation: Conversation::default(), partial: Vec::new() });
        Ok(())
    }

    /// Serves what a connection has sent. It may be closed by now, or another may have its number: then nothing is read.
    fn serve(&mut self, key: usize, is_last: bool) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.serve(&self.milter, &mut self.buffer, &mut self.output, is_last).is_err() {
            self.output.clear();
            self.connections.remove(key);
        }
    }
}

impl Connection {
    /// Reads until nothing is left, which a read that does not fill the buffer says: what comes later is another event.
    fn serve(&mut self, milter: &Milter, buffer: &mut [u8], output: &mut Vec<u8>, is_last: bool) -> Result<(), Close> {
        loop {
            let kept = self.partial.len();
            buffer[..kept].copy_from_slice(&self.partial);
            let filled = match self.stream.read(&mut buffer[kept..]) {
                Ok(read @ 1..) => kept + read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                _ => return Err(Close),
            };
            let taken = self.conversation.receive(milter, &buffer[..filled], output)?;
            self.partial.clear();
            self.partial.extend_from_slice(&buffer[taken..filled]);
            self.stream.answer(output).map_err(|_| Close)?;
            if filled < buffer.len() && !is_last {
                return Ok(());
            }
        }
    }
}
