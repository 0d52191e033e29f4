//! What people type, paste or bring in files, made entries of: nothing here knows the store or the web.
//!
//! | file | subject |
//! |---|---|
//! | `decode` | bytes of a file to text: UTF-8, UTF-16, Windows-1252 |
//! | `words` | free text: `Name <a@d>`, `mailto:`, several on a line |
//! | `table` | CSV: delimiter and columns guessed |
//! | `card` | vCard |
//! | `json` | our own export |
//! | `suggest` | domains that say shorter what many addresses say |
//!
//! Good lines are taken, bad ones named with their number and the reason.

mod card;
mod decode;
mod json;
mod suggest;
mod table;
mod words;

use std::collections::HashMap;
use std::fmt;

use crate::policy::list::{EntryValue, ListKind, MAX_ENTRIES};
use crate::policy::refusal::{EntryRules, Refusal};
use crate::store::{MAX_NOTE, Note};

pub use decode::FileError;
pub use suggest::{Suggestion, Why, is_changing, suggest};

/// Most lines of a file or text, rows of a table, cards: three full lists, as [`super::export`] writes them.
pub const MAX_LINES: usize = 3 * MAX_ENTRIES;
/// Largest file taken, in bytes: so many rows of our own export in JSON, which takes 100 bytes beside an address of up to 100
/// and a note of [`MAX_NOTE`] letters, of two bytes each where they have accents.
pub const MAX_FILE: usize = MAX_LINES * (100 + 100 + 2 * MAX_NOTE);
/// Longest line, in bytes.
pub const MAX_LINE: usize = 64 << 10;
/// What is shown of a bad line, in characters.
pub const MAX_SHOWN: usize = 80;

/// What a text or file came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Intake {
    /// What can be entered, in the order of the text, each once.
    pub good: Vec<Candidate>,
    /// What cannot, in the order of the text.
    pub bad: Vec<Bad>,
    /// How often something stood there that had come before.
    pub repeated: usize,
}

/// An entry to be.
#[derive(Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The line it stands on, from 1.
    pub line: u64,
    /// The list that the file names for it.
    pub list: Option<ListKind>,
    /// What it says.
    pub value: EntryValue,
    /// The name or note that stood beside it.
    pub note: Option<Note>,
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Candidate(line {}, hidden)", self.line)
    }
}

/// A line, or part of one, that is no entry.
#[derive(Clone, PartialEq, Eq)]
pub struct Bad {
    /// The line, from 1.
    pub line: u64,
    /// The text, at most [`MAX_SHOWN`] characters of it.
    pub text: String,
    /// Why.
    pub reason: Reason,
}

impl fmt::Debug for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bad(line {}, hidden, {:?})", self.line, self.reason)
    }
}

/// Why something is no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Neither an address nor a domain is in it.
    NoAddress,
    /// It looks like an address and is none.
    Malformed,
    /// The line is longer than [`MAX_LINE`].
    TooLong,
    /// It names a list that there is not.
    UnknownList,
    /// A quote is opened and not closed, or a card not ended: what follows would be taken for part of it.
    Unclosed,
    /// It is for a list that the user has not: the mailbox is that of a function.
    NoSuchList,
    /// More lines than [`MAX_LINES`], or more entries than a list holds: this one and all after it were left out.
    TooMany,
    /// The policy refuses it on this list.
    Refused(Refusal),
}

/// Reads what was typed or pasted.
pub fn read_text(text: &str) -> Intake {
    let mut reading = Reading::default();
    words::read(&with_plain_ends(text), &mut reading);
    reading.done()
}

/// Reads a file.
///
/// # Errors
/// It is larger than [`MAX_FILE`], empty, or no text.
pub fn read_file(bytes: &[u8]) -> Result<Intake, FileError> {
    let text = with_plain_ends(&decode::decode(bytes)?);
    let mut reading = Reading::default();
    if card::is_card(&text) {
        card::read(&text, &mut reading);
    } else if json::is_json(&text) {
        json::read(&text, &mut reading);
    } else if let Some(table) = table::Table::guess(&text) {
        table.read(&text, &mut reading);
    } else {
        words::read(&text, &mut reading);
    }
    Ok(reading.done())
}

/// The text with the same end for every line.
fn with_plain_ends(text: &str) -> String {
    text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{85}'], "\n")
}

/// Takes out what cannot stand on the list that each is for, its own, else `list`: the user has not that list (they have
/// `lists`), or the policy refuses it.
pub fn check(intake: Intake, list: ListKind, lists: &[ListKind], rules: &EntryRules<'_>) -> Intake {
    let Intake { good, mut bad, repeated } = intake;
    let (mut kept, before) = (Vec::with_capacity(good.len()), bad.len());
    let wrong = |list: ListKind, value: &EntryValue| match lists.contains(&list) {
        true => crate::policy::refusal::check(list, value, rules).err().map(Reason::Refused),
        false => Some(Reason::NoSuchList),
    };
    for candidate in good {
        match wrong(candidate.list.unwrap_or(list), &candidate.value) {
            None => kept.push(candidate),
            Some(reason) => {
                let text = shown(&candidate.value.written());
                bad.push(Bad { line: candidate.line, text, reason });
            }
        }
    }
    if bad.len() > before {
        bad.sort_by_key(|bad| bad.line);
    }
    Intake { good: kept, bad, repeated }
}

fn shown(text: &str) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut shown: String = chars.by_ref().take(MAX_SHOWN).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

/// What gathers while a text is read.
#[derive(Default)]
struct Reading {
    intake: Intake,
    seen: HashMap<(Option<ListKind>, EntryValue), usize>,
    /// How many entries there are for each list.
    counts: HashMap<Option<ListKind>, usize>,
    full: bool,
}

impl Reading {
    fn good(&mut self, line: u64, list: Option<ListKind>, value: EntryValue, note: Option<Note>) {
        let key = (list, value);
        if let Some(at) = self.seen.get(&key) {
            self.intake.repeated += 1;
            let first = &mut self.intake.good[*at];
            first.note = first.note.take().or(note);
            return;
        }
        let count = self.counts.entry(list).or_default();
        if *count >= MAX_ENTRIES {
            return self.over(line);
        }
        *count += 1;
        let (list, value) = key.clone();
        self.seen.insert(key, self.intake.good.len());
        self.intake.good.push(Candidate { line, list, value, note });
    }

    fn bad(&mut self, line: u64, text: &str, reason: Reason) {
        if self.intake.bad.len() < MAX_LINES {
            self.intake.bad.push(Bad { line, text: shown(text.trim()), reason });
        }
    }

    /// What begins here is too much; said once.
    fn over(&mut self, line: u64) {
        if !self.full {
            self.full = true;
            self.intake.bad.push(Bad { line, text: String::new(), reason: Reason::TooMany });
        }
    }

    fn done(mut self) -> Intake {
        self.intake.bad.sort_by_key(|bad| bad.line);
        self.intake
    }

    /// The lines of a text, numbered, as far as they are taken.
    fn lines<'t>(&mut self, text: &'t str) -> Vec<(u64, &'t str)> {
        let mut taken = Vec::new();
        for (number, line) in (1..).zip(text.split('\n')) {
            if line.trim().is_empty() {
                continue;
            }
            if taken.len() >= MAX_LINES {
                self.over(number);
                break;
            }
            if line.len() > MAX_LINE {
                self.bad(number, line, Reason::TooLong);
                continue;
            }
            taken.push((number, line));
        }
        taken
    }
}

/// A name beside an address, as a note.
fn name(text: &str) -> Option<Note> {
    let text = text.trim().trim_matches(['"', '\'', '\u{201c}', '\u{201d}', '«', '»']);
    // A name that is the address once more says nothing.
    note(text).filter(|note| !note.as_str().contains('@'))
}

/// A note, as much of it as one may hold.
fn note(text: &str) -> Option<Note> {
    let short: String = text.chars().take(MAX_NOTE).collect();
    Note::parse(&short).ok().flatten()
}

#[cfg(test)]
mod tests;
