//! What keys say about each other.

use super::Config;
use super::problem::{KeyLines, Problem};

/// Every condition that the configuration breaks.
pub(super) fn problems(_config: &Config, _lines: &KeyLines) -> Vec<Problem> {
    Vec::new()
}
