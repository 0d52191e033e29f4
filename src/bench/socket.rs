//! The MTA's socket to the milter, not blocking, whatever its kind.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use crate::milter::listen::ListenAddress;

/// Where the milter listens, looked up once.
#[derive(Debug, Clone)]
pub enum Target {
    /// A unix socket.
    Unix(PathBuf),
    /// TCP.
    Tcp(SocketAddr),
}

impl Target {
    /// Looks a milter's address up.
    ///
    /// # Errors
    /// The resolver's.
    pub fn new(address: &ListenAddress) -> io::Result<Self> {
        Ok(match (address, address.socket_address()?) {
            (ListenAddress::Unix { path }, _) => Self::Unix(path.clone()),
            (_, Some(address)) => Self::Tcp(address),
            (_, None) => return Err(io::ErrorKind::AddrNotAvailable.into()),
        })
    }
}

/// A connection. Postfix sets no TCP_NODELAY, and neither does this.
#[derive(Debug)]
pub enum Socket {
    /// A unix socket.
    Unix(UnixStream),
    /// TCP.
    Tcp(TcpStream),
}

impl Socket {
    /// Begins to connect, and asks to be told of what arrives.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::WouldBlock`] where the milter's queue is full for now.
    pub fn connect(target: &Target, registry: &Registry, token: Token) -> io::Result<Self> {
        let mut socket = match target {
            Target::Unix(path) => Self::Unix(UnixStream::connect(path)?),
            Target::Tcp(address) => Self::Tcp(TcpStream::connect(*address)?),
        };
        match &mut socket {
            Self::Unix(stream) => registry.register(stream, token, Interest::READABLE)?,
            Self::Tcp(stream) => registry.register(stream, token, Interest::READABLE)?,
        }
        Ok(socket)
    }

    /// Asks to be told when there is room to write, or no more of that. It is not asked for otherwise: the kernel would
    /// tell of every byte that the milter reads.
    ///
    /// # Errors
    /// The system's.
    pub fn watch(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        match self {
            Self::Unix(stream) => registry.reregister(stream, token, interest),
            Self::Tcp(stream) => registry.reregister(stream, token, interest),
        }
    }

    /// Writes as much as goes at once, possibly nothing.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = match self {
            Self::Unix(stream) => stream.write(bytes),
            Self::Tcp(stream) => stream.write(bytes),
        };
        match result {
            // A TCP connection that is not there yet.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected) => Ok(0),
            result => result,
        }
    }

    /// Reads what is there; `None` if nothing is.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::UnexpectedEof`] where the milter closed.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let result = match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        };
        match result {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => Ok(Some(length)),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
