//! The relays of a store, as they tell of themselves: so that operators see them all, and so that what one of them may have
//! lost by a crash is said to the users whom it concerns.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::Result;
use super::keys;

/// A relay that told nothing for so long is taken for gone: the days from its last word on are marked as incomplete for
/// everybody who keeps activity.
pub const RELAY_GONE: Duration = Duration::from_secs(300);
/// For how long a relay that is gone is still shown.
pub const RELAY_SHOWN: Duration = Duration::from_secs(24 * 3600);
/// Most relays that are remembered; of more the one that told last longest ago gives way.
pub const MAX_RELAYS: usize = 64;
/// Longest of any text that a relay tells, in bytes.
const MAX_TEXT: usize = 300;

/// One run of a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayRun {
    /// Random.
    pub(crate) id: i64,
    /// Host and listener.
    pub name: String,
    /// Of the program.
    pub version: String,
    /// Since when.
    pub started: Timestamp,
}

impl RelayRun {
    /// A run that begins.
    ///
    /// # Errors
    /// No randomness.
    pub fn new(name: String, version: String, started: Timestamp) -> Result<Self> {
        let id = i64::from_be_bytes(keys::random()?);
        Ok(Self { id, name: shortened(name), version: shortened(version), started })
    }
}

/// How a relay is. No field tells of a person.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RelayStatus {
    /// Addresses in memory.
    pub addresses: u64,
    /// For how many seconds it has not been able to ask the store what changed.
    pub behind: u64,
    /// Why, where it is unable to.
    pub trouble: Option<String>,
    /// Rows that did not carry our seal.
    pub rejected: u64,
    /// Whether older rows were put back in place of newer ones.
    pub rolled_back: bool,
    /// Full loads so far.
    pub loads: u64,
    /// Messages of each minute of the last hour that is over.
    pub minutes: Vec<u64>,
    /// Messages of the last hour that were timed, by the time that their decision took, one for each of [`LATENCY_BOUNDS`] and
    /// one beyond.
    pub latency: Vec<u64>,
    /// The last warnings and errors of its log, newest first.
    pub troubles: Vec<Trouble>,
}

/// Up to which time the decision about a message took, in microseconds.
pub const LATENCY_BOUNDS: [u64; 9] = [100, 250, 500, 1_000, 2_000, 5_000, 10_000, 50_000, 250_000];

/// A warning or an error of the log, without addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// When.
    pub at: Timestamp,
    /// What it says.
    pub text: String,
}

/// What a relay tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayReport {
    /// Which one.
    pub run: RelayRun,
    /// How it is.
    pub status: RelayStatus,
}

/// A relay as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRelay {
    /// What it told last.
    pub report: RelayReport,
    /// When that was.
    pub seen: Timestamp,
}

/// The part of the store that knows the relays.
pub trait RelayStore: Send + Sync {
    /// Takes what a relay tells of itself, and looks after those that tell nothing any more ([`RELAY_GONE`]).
    ///
    /// # Errors
    /// The store's state.
    fn tell_relay(&self, report: &RelayReport) -> Result<()>;

    /// A relay ended, and nothing of it is missing.
    ///
    /// # Errors
    /// The store's state.
    fn end_relay(&self, run: &RelayRun) -> Result<()>;

    /// The relays that run, and those that are gone since [`RELAY_SHOWN`], sorted by name and start.
    ///
    /// # Errors
    /// The store's state.
    fn relays(&self) -> Result<Vec<KnownRelay>>;
}

/// A text that is not too long.
pub fn shortened(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        let end = (0..=MAX_TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}
