//! CSV files of users and entries: the good lines are taken, each bad one is named with its number and reason.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use csv::{ReaderBuilder, StringRecord, Trim};
use indicatif::{ProgressBar, ProgressStyle};

use crate::store::{ImportReport, Ticket};

/// Lines handed to the store at once.
const CHUNK: usize = 100_000;
/// Bad lines named; more are only counted.
const MAX_NAMED: u64 = 1000;

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
    /// The field of a column; empty where the line or the file has none.
    pub fn get(&self, name: &str) -> &'a str {
        let column = self.columns.iter().find(|(known, _)| known == name).map(|(_, at)| *at);
        column.and_then(|at| self.record.get(at)).unwrap_or_default()
    }
}

/// Imports a file, or standard input for `-`. Exit code 1 where a line was refused.
///
/// # Errors
/// A file that cannot be read, a header that lacks a column, a store that is away.
pub fn import<I: Importer>(path: &Path, importer: &I) -> anyhow::Result<ExitCode> {
    let (input, size): (Box<dyn Read>, Option<u64>) = if path == Path::new("-") {
        (Box::new(io::stdin().lock()), None)
    } else {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        let size = file.metadata()?.len();
        (Box::new(file), Some(size))
    };
    let progress = progress(size);
    let input = progress.wrap_read(input);
    let mut import = Import { importer, refused: 0, accepted: 0, pending: None };
    import.run(input)?;
    progress.finish_and_clear();
    if import.refused > MAX_NAMED {
        eprintln!("{} more lines were refused", import.refused - MAX_NAMED);
    }
    say!("{} lines accepted, {} refused", import.accepted, import.refused)?;
    Ok(if import.refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn progress(size: Option<u64>) -> ProgressBar {
    let template = "{spinner} {bytes}/{total_bytes} {bar:40} {elapsed} (eta {eta})";
    match size {
        Some(size) if io::stderr().is_terminal() => {
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(size).with_style(style)
        }
        _ => ProgressBar::hidden(),
    }
}

struct Import<'a, I> {
    importer: &'a I,
    accepted: u64,
    refused: u64,
    /// The chunk that the store works on while the next is read.
    pending: Option<Ticket<ImportReport>>,
}

impl<I: Importer> Import<'_, I> {
    fn run(&mut self, input: impl Read) -> anyhow::Result<()> {
        let mut reader = ReaderBuilder::new().flexible(true).trim(Trim::All).from_reader(input);
        let columns = self.columns(reader.byte_headers()?)?;
        let mut lines = Vec::new();
        let mut record = csv::ByteRecord::new();
        loop {
            match reader.read_byte_record(&mut record) {
                Ok(false) => break,
                Ok(true) => {}
                Err(error) if error.is_io_error() => return Err(error.into()),
                Err(error) => {
                    let number = error.position().map_or(0, csv::Position::line);
                    self.refuse(number, &error);
                    continue;
                }
            }
            let number = record.position().map_or(0, csv::Position::line);
            let text = StringRecord::from_byte_record(record.clone());
            let read = text.context("the line is not UTF-8; save the file as UTF-8");
            match read.and_then(|record| self.importer.read(number, &Fields { columns: &columns, record: &record })) {
                Ok(line) => lines.push(line),
                Err(error) => self.refuse(number, &format!("{error:#}")),
            }
            if lines.len() == CHUNK {
                self.hand_over(std::mem::take(&mut lines))?;
            }
        }
        self.hand_over(lines)?;
        self.wait()
    }

    fn columns(&self, header: &csv::ByteRecord) -> anyhow::Result<Vec<(String, usize)>> {
        let (needed, optional) = self.importer.columns();
        let text = |field: &[u8]| String::from_utf8_lossy(field).trim_start_matches('\u{feff}').to_ascii_lowercase();
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
            eprintln!("line {line}: {reason}");
        }
    }

    /// The store works on one chunk while the next is read: one behind the other, so that the order of the file holds.
    fn hand_over(&mut self, lines: Vec<I::Line>) -> anyhow::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        self.wait()?;
        self.pending = Some(self.importer.hand_over(lines)?);
        Ok(())
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let Some(ticket) = self.pending.take() else { return Ok(()) };
        let report = ticket.wait().with_context(|| format!("{} lines were accepted before", self.accepted))?;
        self.accepted += report.accepted;
        for (line, reason) in &report.refused {
            self.refuse(*line, reason);
        }
        Ok(())
    }
}
