//! Authentication-Results (RFC 8601): which sender identities our own verifier vouches for.

use std::fmt;
use std::str::FromStr;

/// When a match counts without proof of who sent the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthenticationMode {
    /// White and personal matches count only with a pass.
    Required,
    /// As `Required` where our verifier has left a result, as `Off` where it has left none.
    WhenAvailable,
    /// Matches count without proof: whoever forges a sender is taken for them.
    #[default]
    Off,
}

impl fmt::Display for AuthenticationMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Required => "required",
            Self::WhenAvailable => "when-available",
            Self::Off => "off",
        })
    }
}

/// A name that is no mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be one of required, when-available, off")]
pub struct UnknownMode;

impl FromStr for AuthenticationMode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        match text {
            "required" => Ok(Self::Required),
            "when-available" => Ok(Self::WhenAvailable),
            "off" => Ok(Self::Off),
            _ => Err(UnknownMode),
        }
    }
}
