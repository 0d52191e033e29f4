//! Stands in for the listener address of `milter` until that exists.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use super::value::ValueError;

/// A listener's address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    Inet { port: u16, host: Option<String> },
    Inet6 { port: u16, host: Option<String> },
    Unix { path: PathBuf },
}

impl ListenAddress {
    pub fn socket_address(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Self::Unix { .. } => Ok(None),
            Self::Inet { port, .. } | Self::Inet6 { port, .. } => Ok(Some((Ipv4Addr::LOCALHOST, *port).into())),
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

impl FromStr for ListenAddress {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = ValueError("it must be inet:PORT@HOST, inet6:PORT@HOST or unix:/PATH");
        let (kind, rest) = text.split_once(':').ok_or(wrong)?;
        if kind == "unix" || kind == "local" {
            return Ok(Self::Unix { path: rest.into() });
        }
        let (port, host) = rest.split_once('@').map_or((rest, None), |(port, host)| (port, Some(host.to_owned())));
        let port = port.parse().map_err(|_| wrong)?;
        match kind {
            "inet" => Ok(Self::Inet { port, host }),
            "inet6" => Ok(Self::Inet6 { port, host }),
            _ => Err(wrong),
        }
    }
}
