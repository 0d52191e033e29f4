//! Stands in for the listener address of `milter` until that exists.

use std::fmt;
use std::str::FromStr;

use super::value::ValueError;

/// A listener's address, as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListenAddress(String);

impl Default for ListenAddress {
    fn default() -> Self {
        Self("inet:8891@127.0.0.1".to_owned())
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ListenAddress {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Ok(Self(text.to_owned()))
    }
}
