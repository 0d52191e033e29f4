//! Sockets of either kind.

use std::fs;
use std::io::{self, Read, Write};

use mio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use mio::{Interest, Registry, Token};
use perso_milter::milter::listen::ListenAddress;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;

/// A listening socket.
pub enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    /// Binds it; a file that stands in the place of a unix socket is removed.
    pub fn bind(address: &ListenAddress) -> io::Result<Self> {
        let listening = |wanted: SockAddr| {
            let socket = Socket::new(wanted.domain(), Type::STREAM, None)?;
            socket.set_nonblocking(true)?;
            if wanted.domain() != Domain::UNIX {
                socket.set_reuse_address(true)?;
            }
            socket.bind(&wanted)?;
            socket.listen(BACKLOG)?;
            Ok::<_, io::Error>(socket)
        };
        if let ListenAddress::Unix { path } = address {
            let _none_there = fs::remove_file(path);
            return Ok(Self::Unix(UnixListener::from_std(listening(SockAddr::unix(path)?)?.into())));
        }
        let wanted = address.socket_address()?.ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self::Tcp(TcpListener::from_std(listening(wanted.into())?.into())))
    }

    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Self::Unix(listener) => registry.register(listener, token, Interest::READABLE),
            Self::Tcp(listener) => registry.register(listener, token, Interest::READABLE),
        }
    }

    /// The next connection, or `WouldBlock`.
    pub fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(listener) => Ok(Stream::Unix(listener.accept()?.0)),
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
        }
    }
}

pub enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Self::Unix(stream) => registry.register(stream, token, Interest::READABLE),
            Self::Tcp(stream) => registry.register(stream, token, Interest::READABLE),
        }
    }

    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }

    /// Answers in one write. An MTA awaits it, so that there is room; one that does not read is parted from. Where nothing is
    /// to be said, TCP has the bytes acknowledged now: Postfix sets no TCP_NODELAY and would wait for that with its next.
    pub fn answer(&mut self, output: &mut Vec<u8>) -> io::Result<()> {
        let written = match self {
            Self::Unix(_) if output.is_empty() => return Ok(()),
            Self::Tcp(stream) if output.is_empty() => return SockRef::from(&*stream).set_tcp_quickack(true),
            Self::Unix(stream) => stream.write(output)?,
            Self::Tcp(stream) => stream.write(output)?,
        };
        let whole = written == output.len();
        output.clear();
        if whole { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }
}
