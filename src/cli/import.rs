//! Files of users and entries: the good lines are taken, each bad one is named with its number and reason.
//!
//! | file | subject |
//! |---|---|
//! | this one | CSV, and what all imports share |
//! | `format` | which format a file has |
//! | `alias_file` | virtual(5) and aliases(5), read |
//! | `expansion` | what an alias leads to, by way of others |
//! | `alias_plan` | what such a file changes in the store |
//! | `aliases` | the import of such a file, and its report |
//! | `users` | `user import` |

pub mod alias_file;
pub mod alias_plan;
pub mod aliases;
pub mod expansion;
pub mod format;
pub mod users;

use std::fs::File;
use std::io::{self, Cursor, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use csv::{ByteRecord, ReaderBuilder, StringRecord, Terminator};
use indicatif::{ProgressBar, ProgressStyle};

use super::printable;
use crate::store::{ImportReport, Ticket};

/// Lines handed to the store at once.
const CHUNK: usize = 100_000;
/// Bad lines named; more are only counted.
const MAX_NAMED: usize = 1000;
/// What is read of a file to tell its format, in bytes.
const HEAD: u64 = 8 << 10;

/// A file to be imported, opened.
pub struct Source {
    path: PathBuf,
    /// Its first [`HEAD`] bytes, to be read once more.
    head: Vec<u8>,
    input: Box<dyn Read>,
    /// In bytes, where that is known.
    size: Option<u64>,
}

impl Source {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let (input, size): (Box<dyn Read>, Option<u64>) = if path == Path::new("-") {
            (Box::new(io::stdin().lock()), None)
        } else {
            let file = File::open(path).with_context(|| path.display().to_string())?;
            let size = file.metadata()?.len();
            (Box::new(file), Some(size))
        };
        let mut source = Self { path: path.to_owned(), head: Vec::new(), input, size };
        let head = source.input.by_ref().take(HEAD).read_to_end(&mut source.head);
        head.with_context(|| path.display().to_string())?;
        Ok(source)
    }

    /// As it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The beginning of what it holds.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    fn into_input(self) -> impl Read {
        Cursor::new(self.head).chain(self.input)
    }
}

/// What is imported.
pub trait Importer {
    /// A good line.
    type Line;

    /// The columns that the header must have, and those it may have.
    fn columns(&self) -> (&'static [&'static str], &'static [&'static str]);

    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it, and the remedy.
    fn read(&self, line: u64, fields: &Fields<'_>) -> anyhow::Result<Self::Line>;

    /// Hands a chunk to the store.
    ///
    /// # Errors
    /// The store's state.
    fn hand_over(&self, lines: Vec<Self::Line>) -> crate::store::Result<Ticket<ImportReport>>;
}

/// The fields of a line by the names of the header.
#[derive(Debug)]
pub struct Fields<'a> {
    columns: &'a [(String, usize)],
    record: &'a StringRecord,
}

impl<'a> Fields<'a> {
    /// The field of a column, without blanks around it; empty where the line or the file has none.
    pub fn get(&self, name: &str) -> &'a str {
        let column = self.columns.iter().find(|(known, _)| known == name).map(|(_, at)| *at);
        column.and_then(|at| self.record.get(at)).unwrap_or_default().trim()
    }

    /// The field of a column that says something.
    ///
    /// # Errors
    /// It is empty.
    pub fn need(&self, name: &str) -> anyhow::Result<&'a str> {
        Some(self.get(name)).filter(|field| !field.is_empty()).with_context(|| format!("the column {name} is empty"))
    }
}

/// Imports a CSV file. Exit code 1 where a line was refused.
///
/// # Errors
/// A file that cannot be read, a header that lacks a column, a store that is away.
pub fn import<I: Importer>(source: Source, importer: &I) -> anyhow::Result<ExitCode> {
    let path = source.path.display().to_string();
    let progress = progress(Unit::Bytes, source.size);
    let input = progress.wrap_read(source.into_input());
    let mut import = Import { importer, progress: &progress, refused: 0, accepted: 0, pending: None };
    import.run(input).context(path)?;
    progress.finish_and_clear();
    if import.refused > MAX_NAMED {
        eprintln!("{} more lines were refused", import.refused - MAX_NAMED);
    }
    say!("{} lines accepted, {} refused", import.accepted, import.refused)?;
    Ok(if import.refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the progress of an import is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Bytes,
    Lines,
}

fn progress(unit: Unit, size: Option<u64>) -> ProgressBar {
    let template = match unit {
        Unit::Bytes => "{spinner} {bytes}/{total_bytes} {bar:40} {elapsed} (eta {eta})",
        Unit::Lines => "{spinner} {pos}/{len} lines {bar:40} {elapsed} (eta {eta})",
    };
    match size {
        Some(size) if io::stderr().is_terminal() => {
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(size).with_style(style)
        }
        _ => ProgressBar::hidden(),
    }
}

/// Says something of a line, on one line of its own whatever the file says.
fn say_of_line(line: u64, text: &str) {
    eprintln!("line {line}: {}", printable(text).replace('\n', " "));
}

struct Import<'a, I> {
    importer: &'a I,
    progress: &'a ProgressBar,
    accepted: u64,
    refused: usize,
    /// The chunk that the store works on while the next is read.
    pending: Option<Ticket<ImportReport>>,
}

impl<I: Importer> Import<'_, I> {
    fn run(&mut self, input: impl Read) -> anyhow::Result<()> {
        // Lines are counted by their LF, and the last one has one: csv's own numbers are those of blank lines before a
        // record, and of the CR before it.
        let input = input.chain(&b"\n"[..]);
        let mut reader = ReaderBuilder::new().flexible(true).terminator(Terminator::Any(b'\n')).from_reader(input);
        let columns = self.columns(reader.byte_headers()?)?;
        let mut lines = Vec::new();
        let mut record = ByteRecord::new();
        while reader.read_byte_record(&mut record)? {
            if record.iter().all(|field| field.trim_ascii().is_empty()) {
                continue;
            }
            let breaks = record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
            // Only within quotes is a line break part of a record. The last one is, where they are never closed.
            let is_open = record.as_slice().ends_with(b"\n");
            let last = reader.position().line() - u64::from(!is_open);
            let number = last - breaks;
            let text = StringRecord::from_byte_record(record.clone());
            let read = text.context("the line is not UTF-8; save the file as UTF-8");
            match read.and_then(|record| self.importer.read(number, &Fields { columns: &columns, record: &record })) {
                Ok(line) => lines.push(line),
                Err(_) if is_open => self.refuse(number, &"a quote is not closed; nothing behind it was taken"),
                Err(error) if breaks > 0 => {
                    self.refuse(number, &format!("{error:#} (quotes make one line of this and those up to {last})"));
                }
                Err(error) => self.refuse(number, &format!("{error:#}")),
            }
            if lines.len() == CHUNK {
                self.hand_over(std::mem::take(&mut lines))?;
            }
        }
        self.hand_over(lines)?;
        self.wait()
    }

    fn columns(&self, header: &ByteRecord) -> anyhow::Result<Vec<(String, usize)>> {
        let (needed, optional) = self.importer.columns();
        let text = |field: &[u8]| String::from_utf8_lossy(field).trim().to_ascii_lowercase();
        let columns: Vec<(String, usize)> = header.iter().map(text).zip(0..).collect();
        for name in needed {
            if !columns.iter().any(|(known, _)| known == name) {
                let all: Vec<&str> = needed.iter().chain(optional).copied().collect();
                bail!(
                    "line 1: the header has no column {name}; the first line must name the columns: {}",
                    all.join(",")
                );
            }
        }
        Ok(columns)
    }

    fn refuse(&mut self, line: u64, reason: &dyn std::fmt::Display) {
        self.refused += 1;
        if self.refused <= MAX_NAMED {
            self.progress.suspend(|| say_of_line(line, &reason.to_string()));
        }
    }

    /// The store works on one chunk while the next is read. A chunk is handed over, and sealed, only once the last is
    /// written: one that waited for it would take the store's lock again at once, and other processes would time out.
    fn hand_over(&mut self, lines: Vec<I::Line>) -> anyhow::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        self.wait()?;
        self.pending = Some(self.importer.hand_over(lines).with_context(|| self.so_far())?);
        Ok(())
    }

    fn so_far(&self) -> String {
        format!("{} lines were accepted before", self.accepted)
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let Some(ticket) = self.pending.take() else { return Ok(()) };
        let report = ticket.wait().with_context(|| self.so_far())?;
        self.accepted += report.accepted;
        for (line, reason) in &report.refused {
            self.refuse(*line, reason);
        }
        Ok(())
    }
}
