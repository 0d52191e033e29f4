//! A user's glob patterns: what cannot be fingerprinted.

use std::fmt;

use regex::{RegexSet, RegexSetBuilder};

use super::ListKind;

/// A user's glob patterns, compiled. They cannot be fingerprinted, so the relay can read them: off by default.
pub struct Globs([Option<RegexSet>; 3]);

/// Most memory one list's compiled patterns take, in bytes; a set over it is refused as a whole.
const MAX_GLOB_SIZE: usize = 1 << 20;

impl Globs {
    /// Compiles patterns as [`EntryValue::Glob`](super::EntryValue::Glob) holds them. `*` stands for any text, `?` for one
    /// character.
    ///
    /// # Errors
    /// Where the patterns of a list together are too large.
    pub fn build<'a>(patterns: impl IntoIterator<Item = (ListKind, &'a str)>) -> Result<Self, GlobError> {
        let mut texts: [Vec<String>; 3] = Default::default();
        for (list, pattern) in patterns {
            let body = regex::escape(pattern).replace("\\*", ".*").replace("\\?", ".");
            texts[list as usize].push(format!("^(?s:{body})$"));
        }
        let compile = |patterns: &Vec<String>| {
            let set = RegexSetBuilder::new(patterns).size_limit(MAX_GLOB_SIZE).dfa_size_limit(MAX_GLOB_SIZE).build();
            set.map(Some).map_err(|_| GlobError)
        };
        let mut compiled = [const { None }; 3];
        for (place, patterns) in compiled.iter_mut().zip(&texts).filter(|(_, patterns)| !patterns.is_empty()) {
            *place = compile(patterns)?;
        }
        Ok(Self(compiled))
    }

    /// Whether a pattern of the list matches the whole address.
    pub fn matches(&self, list: ListKind, address: &str) -> bool {
        self.0[list as usize].as_ref().is_some_and(|set| set.is_match(address))
    }
}

impl fmt::Debug for Globs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Globs(hidden)")
    }
}

/// A list's patterns take too much memory together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the patterns of this list are too large together; use domains instead")]
pub struct GlobError;
