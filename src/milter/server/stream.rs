//! The sockets of connections: reading with the runtime's help, writing at once wherever the peer takes it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll, ready};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::watched::{OwnsDescriptor, watched};

/// A connected socket that no runtime watches, not blocking.
pub(super) enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Socket {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Unix(stream) => Self::Unix(stream.try_clone()?),
            Self::Tcp(stream) => Self::Tcp(stream.try_clone()?),
        })
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => (&*stream).read(buffer),
            Self::Tcp(stream) => (&*stream).read(buffer),
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => (&*stream).write(bytes),
            Self::Tcp(stream) => (&*stream).write(bytes),
        }
    }
}

impl OwnsDescriptor for Socket {}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Unix(stream) => stream.as_raw_fd(),
            Self::Tcp(stream) => stream.as_raw_fd(),
        }
    }
}

/// A socket that a thread's runtime watches.
///
/// Only for what there is to read: a unix socket that is watched for room to write too wakes its thread once more for
/// every answer that the peer takes. Where an answer has no room, a second descriptor of the same socket is watched for it.
pub(super) struct Stream {
    socket: AsyncFd<Socket>,
    /// While an answer waits for room.
    room: Option<AsyncFd<Socket>>,
}

impl Stream {
    /// Binds a socket to this thread's runtime.
    pub(super) fn new(socket: Socket) -> io::Result<Self> {
        Ok(Self { socket: watched(socket, Interest::READABLE)?, room: None })
    }

    /// Reads what there is, up to the buffer's length; 0 where the peer has closed.
    pub(super) fn poll_read(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.socket.poll_read_ready(context))?;
            let Ok(result) = ready.try_io(|socket| retried(|| socket.get_ref().read(buffer))) else { continue };
            // Less than there was room for: nothing is left, and the next read need not find that out.
            if result.as_ref().is_ok_and(|&read| 0 < read && read < buffer.len()) {
                ready.clear_ready();
            }
            return Poll::Ready(result);
        }
    }

    /// Has the peer know at once that what it sent is here, where no answer tells it.
    ///
    /// Postfix writes a message in two parts and sets no TCP_NODELAY: its second waits for the acknowledgement of the first,
    /// which the kernel would delay by 44 ms (MILTER.md, "Round trips"). The kernel forgets the option, hence after each read.
    pub(super) fn acknowledge(&self) {
        if let Socket::Tcp(stream) = self.socket.get_ref() {
            // Without it mail is slower and no less right.
            let _ = socket2::SockRef::from(stream).set_tcp_quickack(true);
        }
    }

    /// Writes as much as goes at once, possibly nothing.
    pub(super) fn write_now(&self, bytes: &[u8]) -> io::Result<usize> {
        match retried(|| self.socket.get_ref().write(bytes)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            result => result,
        }
    }

    /// Writes what is left of an answer, once there is room.
    pub(super) fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let room = match &mut self.room {
            Some(room) => room,
            none => none.insert(watched(self.socket.get_ref().try_clone()?, Interest::WRITABLE)?),
        };
        loop {
            let mut ready = ready!(room.poll_write_ready(context))?;
            if let Ok(result) = ready.try_io(|socket| retried(|| socket.get_ref().write(bytes))) {
                return Poll::Ready(result);
            }
        }
    }

    /// Nothing is left to be written.
    pub(super) fn written(&mut self) {
        self.room = None;
    }
}

/// Again, where a signal came between.
fn retried(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
