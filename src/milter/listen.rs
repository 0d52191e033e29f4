//! Where the milter listens: the address as Postfix and Sendmail write it, and the socket bound to it.
//!
//! Format: `inet:PORT@HOST`, `inet6:PORT@HOST`, `unix:/PATH`; `local:` is another word for `unix:`. Without `@HOST` it is
//! every address of that family. HOST is a name or an address, for inet6 with or without brackets. Port 0 lets the
//! system choose; [`Listener::local_address`] tells what it chose.

use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use socket2::{Domain, SockAddr, Socket, Type};

/// The listen queue: a burst of SMTP sessions must not be refused while the lists load.
const BACKLOG: i32 = 4096;
/// The mode of a unix socket where none is given: the MTA reaches it through the group.
const DEFAULT_MODE: u32 = 0o660;
/// The longest path of a unix socket (`sun_path` of Linux, less its NUL).
const PATH_MAX: usize = 107;

/// An address to listen on, or to connect to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// `inet:PORT@HOST`, IPv4.
    Inet {
        /// 0: the system chooses.
        port: u16,
        /// Name or address; none: every address.
        host: Option<String>,
    },
    /// `inet6:PORT@HOST`, IPv6 only.
    Inet6 {
        /// 0: the system chooses.
        port: u16,
        /// Name or address, without brackets; none: every address.
        host: Option<String>,
    },
    /// `unix:/PATH`.
    Unix {
        /// An absolute path.
        path: PathBuf,
    },
}

/// A text that is no address: the configuration's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No known prefix.
    #[error("`{0}` is no listener: write inet:PORT@HOST, inet6:PORT@HOST or unix:/PATH")]
    Kind(String),
    /// The port is not a number up to 65535.
    #[error("`{0}` is no port: write a number from 0 to 65535 before the @, as in inet:8891@127.0.0.1")]
    Port(String),
    /// Nothing behind the @, or something that is no host.
    #[error("`{0}` is no host: write a name or an address behind the @, or leave the @ out to listen on every address")]
    Host(String),
    /// An address of the other family.
    #[error("`{host}` is no {wrong} address: write {right}:{port}@{host}")]
    Family {
        /// The host as written.
        host: String,
        /// The port as written.
        port: u16,
        /// The prefix as written.
        wrong: &'static str,
        /// The prefix that fits.
        right: &'static str,
    },
    /// A path that is not absolute.
    #[error("`{0}` is no absolute path: write unix:/PATH, as in unix:/run/perso-milter/milter.sock")]
    RelativePath(String),
    /// A path that the system cannot bind.
    #[error("the path `{0}` is longer than the {PATH_MAX} bytes that a unix socket may have: choose a shorter one")]
    LongPath(String),
}

impl FromStr for ListenAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (kind, rest) = text.split_once(':').ok_or_else(|| AddressError::Kind(text.to_owned()))?;
        match kind {
            "inet" => {
                let (port, host) = port_and_host(rest)?;
                let address = host.as_deref().and_then(|host| host.parse().ok());
                if let Some(IpAddr::V6(host)) = address {
                    return Err(wrong_family(host.to_string(), port, "inet", "inet6"));
                }
                Ok(Self::Inet { port, host })
            }
            "inet6" => {
                let (port, host) = port_and_host(rest)?;
                let address = host.as_deref().and_then(|host| host.parse().ok());
                if let Some(IpAddr::V4(host)) = address {
                    return Err(wrong_family(host.to_string(), port, "inet6", "inet"));
                }
                Ok(Self::Inet6 { port, host })
            }
            "unix" | "local" if !rest.starts_with('/') => Err(AddressError::RelativePath(rest.to_owned())),
            "unix" | "local" if rest.len() > PATH_MAX => Err(AddressError::LongPath(rest.to_owned())),
            "unix" | "local" => Ok(Self::Unix { path: rest.into() }),
            _ => Err(AddressError::Kind(text.to_owned())),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, port, host) = match self {
            Self::Unix { path } => return write!(f, "unix:{}", path.display()),
            Self::Inet { port, host } => ("inet", port, host),
            Self::Inet6 { port, host } => ("inet6", port, host),
        };
        write!(f, "{kind}:{port}")?;
        host.as_ref().map_or(Ok(()), |host| write!(f, "@{host}"))
    }
}

impl ListenAddress {
    /// The address and port to bind, or to connect to; `None` for a unix socket. A name is resolved, and may take as long as
    /// the resolver does; of several addresses the first of the right family counts.
    ///
    /// # Errors
    /// The resolver's, and [`io::ErrorKind::NotFound`] for a name without an address of this family.
    pub fn socket_address(&self) -> io::Result<Option<SocketAddr>> {
        let (port, host, every, is_right): (_, _, IpAddr, fn(&SocketAddr) -> bool) = match self {
            Self::Unix { .. } => return Ok(None),
            Self::Inet { port, host } => (*port, host, Ipv4Addr::UNSPECIFIED.into(), SocketAddr::is_ipv4),
            Self::Inet6 { port, host } => (*port, host, Ipv6Addr::UNSPECIFIED.into(), SocketAddr::is_ipv6),
        };
        let Some(host) = host else {
            return Ok(Some(SocketAddr::new(every, port)));
        };
        let found = (host.as_str(), port).to_socket_addrs()?.find(is_right);
        found.map(Some).ok_or_else(|| {
            let text = format!("{host} has no address of the family that {self} names");
            io::Error::new(io::ErrorKind::NotFound, text)
        })
    }

    fn of_socket(address: SocketAddr) -> Self {
        let (port, host) = (address.port(), Some(address.ip().to_string()));
        match address {
            SocketAddr::V4(_) => Self::Inet { port, host },
            SocketAddr::V6(_) => Self::Inet6 { port, host },
        }
    }
}

fn port_and_host(rest: &str) -> Result<(u16, Option<String>), AddressError> {
    let (port, host) = match rest.split_once('@') {
        Some((port, host)) => (port, Some(host)),
        None => (rest, None),
    };
    let number = port.parse().map_err(|_| AddressError::Port(port.to_owned()))?;
    let Some(host) = host else {
        return Ok((number, None));
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let odd = |c: char| c.is_whitespace() || matches!(c, '[' | ']' | '@' | '/');
    if bare.is_empty() || bare.contains(odd) {
        return Err(AddressError::Host(host.to_owned()));
    }
    Ok((number, Some(bare.to_owned())))
}

fn wrong_family(host: String, port: u16, wrong: &'static str, right: &'static str) -> AddressError {
    AddressError::Family { host, port, wrong, right }
}

/// A group of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Group {
    /// By its number.
    Id(u32),
    /// By its name, looked up when the socket is bound.
    Name(String),
}

/// How to bind one listener.
#[derive(Debug, Clone)]
pub struct ListenerOptions {
    /// Where.
    pub address: ListenAddress,
    /// The mode of a unix socket; 0660 where none is given. No meaning for TCP.
    pub mode: Option<u32>,
    /// The group of a unix socket; the process's own where none is given. No meaning for TCP.
    pub group: Option<Group>,
}

/// Why a listener cannot be bound. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process, maybe an older one of ours, accepts there.
    #[error("{0} is in use: something else accepts connections there; stop it, or choose another address")]
    InUse(ListenAddress),
    /// The path holds something that is not ours to replace.
    #[error("{0} exists and is not a socket: remove it, or choose another path")]
    NotASocket(ListenAddress),
    /// The group is not known to the system.
    #[error("{address}: there is no group `{group}`: create it, or correct the name")]
    UnknownGroup {
        /// Where.
        address: ListenAddress,
        /// The name as given.
        group: String,
    },
    /// The system refuses.
    #[error("{address}: cannot {action}: {source}")]
    System {
        /// Where.
        address: ListenAddress,
        /// What was tried.
        action: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

/// A bound socket that queues connections until the server accepts them. Dropping it closes it and removes its file.
#[derive(Debug)]
pub struct Listener {
    socket: ListenerSocket,
    address: ListenAddress,
    file: Option<SocketFile>,
}

/// Binds a listener. Connections queue from here on.
///
/// # Errors
/// [`BindError`].
pub fn bind(options: &ListenerOptions) -> Result<Listener, BindError> {
    match &options.address {
        ListenAddress::Unix { path } => bind_unix(options, path),
        ListenAddress::Inet { .. } | ListenAddress::Inet6 { .. } => bind_tcp(&options.address),
    }
}

impl Listener {
    /// What was bound, with the port that the system chose.
    pub fn local_address(&self) -> &ListenAddress {
        &self.address
    }

    /// The socket, not blocking, and the guard of its file.
    pub(super) fn into_parts(self) -> (ListenerSocket, Option<SocketFile>) {
        (self.socket, self.file)
    }
}

#[derive(Debug)]
pub(super) enum ListenerSocket {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// The file of a unix socket, removed when this is dropped; known by its inode, since another process may have
/// replaced it.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours =
            fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode));
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "the socket's file stays behind");
        }
    }
}

fn bind_tcp(address: &ListenAddress) -> Result<Listener, BindError> {
    let failed = |action| system(address, action);
    let wanted = address
        .socket_address()
        .map_err(failed("look up the host"))?
        .unwrap_or(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
    let socket = Socket::new(Domain::for_address(wanted), Type::STREAM, None).map_err(failed("open a socket"))?;
    let prepared = socket.set_reuse_address(true).and_then(|()| {
        if wanted.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)
    });
    prepared.map_err(failed("prepare the socket"))?;
    socket.bind(&wanted.into()).and_then(|()| socket.listen(BACKLOG)).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse(address.clone()),
        _ => failed("bind")(error),
    })?;
    let listener = TcpListener::from(socket);
    let bound = listener.local_addr().map_err(failed("read the address"))?;
    Ok(Listener { socket: ListenerSocket::Tcp(listener), address: ListenAddress::of_socket(bound), file: None })
}

fn bind_unix(options: &ListenerOptions, path: &Path) -> Result<Listener, BindError> {
    let address = &options.address;
    let failed = |action| system(address, action);
    let group = options.group.as_ref().map(|group| group_id(group, address)).transpose()?;
    remove_stale(address, path)?;
    let wanted = SockAddr::unix(path).map_err(failed("use the path"))?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed("open a socket"))?;
    socket.set_nonblocking(true).map_err(failed("prepare the socket"))?;
    socket
        .bind(&wanted)
        .map_err(failed("create the socket (does its directory exist, and may this user write there?)"))?;
    let found = fs::symlink_metadata(path).map_err(failed("read the socket's file"))?;
    // From here on the file is removed again if a step fails.
    let file = SocketFile { path: path.to_owned(), device: found.dev(), inode: found.ino() };
    // The group before the mode, and both before anyone can connect.
    if let Some(group) = group {
        chown(path, None, Some(group)).map_err(failed("give the socket to the group"))?;
    }
    let mode = Permissions::from_mode(options.mode.unwrap_or(DEFAULT_MODE));
    fs::set_permissions(path, mode).map_err(failed("set the socket's mode"))?;
    socket.listen(BACKLOG).map_err(failed("listen"))?;
    Ok(Listener {
        socket: ListenerSocket::Unix(UnixListener::from(socket)),
        address: address.clone(),
        file: Some(file),
    })
}

/// Removes a socket that nobody accepts on, and nothing else.
fn remove_stale(address: &ListenAddress, path: &Path) -> Result<(), BindError> {
    let failed = |action| system(address, action);
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("read the path")(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(BindError::NotASocket(address.clone()));
        }
        Ok(_) => {}
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed("open a socket"))?;
    // Not blocking: a live listener whose queue is full would let us wait.
    probe.set_nonblocking(true).map_err(failed("prepare the socket"))?;
    let wanted = SockAddr::unix(path).map_err(failed("use the path"))?;
    match probe.connect(&wanted) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            tracing::info!(address = %address, "a stale socket is replaced");
            fs::remove_file(path).map_err(failed("remove the stale socket"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(failed("tell whether the socket there is live")(error))
        }
        _ => Err(BindError::InUse(address.clone())),
    }
}

fn group_id(group: &Group, address: &ListenAddress) -> Result<u32, BindError> {
    let name = match group {
        Group::Id(id) => return Ok(*id),
        Group::Name(name) => name,
    };
    match nix::unistd::Group::from_name(name) {
        Ok(Some(found)) => Ok(found.gid.as_raw()),
        Ok(None) => Err(BindError::UnknownGroup { address: address.clone(), group: name.clone() }),
        Err(error) => Err(system(address, "look up the group")(error.into())),
    }
}

fn system(address: &ListenAddress, action: &'static str) -> impl Fn(io::Error) -> BindError {
    let address = address.clone();
    move |source| BindError::System { address: address.clone(), action, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_postfix_and_sendmail_write_them() {
        let cases = [
            ("inet:8891@127.0.0.1", "inet:8891@127.0.0.1"),
            ("inet:8891", "inet:8891"),
            ("inet:0@localhost", "inet:0@localhost"),
            ("inet6:8891@::1", "inet6:8891@::1"),
            ("inet6:8891@[::1]", "inet6:8891@::1"),
            ("inet6:8891", "inet6:8891"),
            ("unix:/run/m.sock", "unix:/run/m.sock"),
            ("local:/run/m.sock", "unix:/run/m.sock"),
        ];
        for (text, canonical) in cases {
            let address: ListenAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), canonical);
            assert_eq!(canonical.parse(), Ok(address));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_remedy() {
        let long = format!("unix:/{}", "x".repeat(107));
        let cases = [
            ("8891", "write inet:PORT@HOST"),
            ("/run/m.sock", "write inet:PORT@HOST"),
            ("tcp:8891", "write inet:PORT@HOST"),
            ("inet:", "write a number"),
            ("inet:65536@127.0.0.1", "write a number"),
            ("inet:127.0.0.1:8891", "write a number"),
            ("inet:8891@", "write a name or an address"),
            ("inet:8891@a b", "write a name or an address"),
            ("inet:8891@::1", "write inet6:8891@::1"),
            ("inet6:8891@127.0.0.1", "write inet:8891@127.0.0.1"),
            ("unix:m.sock", "write unix:/PATH"),
            ("local:", "write unix:/PATH"),
            (&long, "choose a shorter one"),
        ];
        for (text, remedy) in cases {
            let error = text.parse::<ListenAddress>().unwrap_err().to_string();
            assert!(error.contains(remedy), "{text}: {error}");
        }
    }

    #[test]
    fn no_host_is_every_address() {
        let every = |text: &str| text.parse::<ListenAddress>().unwrap().socket_address();
        assert_eq!(every("inet:25").unwrap(), Some("0.0.0.0:25".parse().unwrap()));
        assert_eq!(every("inet6:25").unwrap(), Some("[::]:25".parse().unwrap()));
        assert_eq!(every("unix:/x").unwrap(), None);
    }
}
