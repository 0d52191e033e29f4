//! Stands in for the listener address of `milter` until that exists.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::value::ValueError;

/// A listener's address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    Inet { host: String, port: u16 },
    Inet6 { host: String, port: u16 },
    Unix(PathBuf),
}

impl ListenAddress {
    pub fn unix_path(&self) -> Option<&Path> {
        match self {
            Self::Unix(path) => Some(path),
            _ => None,
        }
    }
}

impl Default for ListenAddress {
    fn default() -> Self {
        Self::Inet { host: "127.0.0.1".to_owned(), port: 8891 }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet { host, port } => write!(f, "inet:{port}@{host}"),
            Self::Inet6 { host, port } => write!(f, "inet6:{port}@{host}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = ValueError("it must be inet:PORT@HOST, inet6:PORT@HOST or unix:/PATH");
        let (kind, rest) = text.split_once(':').ok_or(wrong)?;
        if kind == "unix" || kind == "local" {
            return Ok(Self::Unix(rest.into()));
        }
        let (port, host) = rest.split_once('@').ok_or(wrong)?;
        let (port, host) = (port.parse().map_err(|_| wrong)?, host.to_owned());
        match kind {
            "inet" => Ok(Self::Inet { host, port }),
            "inet6" => Ok(Self::Inet6 { host, port }),
            _ => Err(wrong),
        }
    }
}
