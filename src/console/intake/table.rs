//! Tables with one entry a row: what spreadsheets and mail programs export. Which sign parts the columns and which of them
//! holds the address is guessed: by the names on top, else by what stands in them.

use super::words::{plain, read_field};
use super::{MAX_LINE, MAX_LINES, Reading, Reason, name, note};
use crate::policy::list::ListKind;
use crate::spreadsheet::with_formula;

/// Rows that are looked at before the columns are guessed.
const LOOKED_AT: usize = 100;

/// Rows with a quote that nobody closes, after which reading goes on: each costs reading to the end of the text.
const MAX_UNCLOSED: usize = 20;

/// Names of columns, as programs write them in French and English, in lower case.
const VALUES: &[&str] = &[
    "value",
    "valeur",
    "address",
    "adresse",
    "email",
    "e-mail",
    "mail",
    "courriel",
    "adresse e-mail",
    "adresse email",
    "adresse électronique",
    "adresse de messagerie",
    "email address",
    "e-mail address",
    "primary email",
    "first email",
    "e-mail 1 - value",
    "adresse électronique principale",
    "expéditeur",
    "sender",
    "domaine",
    "domain",
];
const LISTS: &[&str] = &["list", "liste"];
const NOTES: &[&str] = &["note", "notes"];
/// The whole name before its parts.
const NAMES: &[&str] =
    &["display name", "nom à afficher", "nom complet", "full name", "name", "nom", "first name", "prénom"];

/// How a table is read.
pub struct Table {
    delimiter: u8,
    value: usize,
    list: Option<usize>,
    note: Option<usize>,
    name: Option<usize>,
    has_header: bool,
}

impl Table {
    /// The table that a text is; `None` where it is none.
    pub fn guess(text: &str) -> Option<Self> {
        let delimiters = [b';', b'\t', b','];
        let named = delimiters.into_iter().find_map(|delimiter| Self::named(delimiter, text));
        named.or_else(|| delimiters.into_iter().find_map(|delimiter| Self::unnamed(delimiter, text)))
    }

    /// One whose first row names the column of the addresses.
    fn named(delimiter: u8, text: &str) -> Option<Self> {
        let rows = first_rows(delimiter, text, 1);
        let names: Vec<String> = rows.first()?.iter().map(|cell| cell.to_lowercase()).collect();
        let named = |known: &[&str]| known.iter().find_map(|name| names.iter().position(|cell| cell == name));
        let value = named(VALUES)?;
        let (list, note, name) = (named(LISTS), named(NOTES), named(NAMES));
        Some(Self { delimiter, value, list, note, name, has_header: true })
    }

    fn unnamed(delimiter: u8, text: &str) -> Option<Self> {
        let value = Self::fullest(&first_rows(delimiter, text, LOOKED_AT))?;
        Some(Self { delimiter, value, list: None, note: None, name: None, has_header: false })
    }

    /// The one column that holds addresses, in a table of at least two columns; none where several do.
    fn fullest(rows: &[Vec<String>]) -> Option<usize> {
        let columns = rows.iter().map(Vec::len).max().filter(|columns| *columns >= 2)?;
        let with =
            |column: usize| rows.iter().filter(|row| row.get(column).is_some_and(|cell| cell.contains('@'))).count();
        let mut holding = (0..columns).filter(|column| with(*column) > 0);
        let column = holding.next().filter(|_| holding.next().is_none())?;
        (with(column) * 2 >= rows.len()).then_some(column)
    }

    /// Reads the rows. A quote that nobody closes would swallow all that follows: its row is named, and reading goes on with
    /// the line after it.
    pub fn read(&self, text: &str, reading: &mut Reading) {
        let (mut text, mut before, mut count, mut unclosed) = (text, 0, 0, 0);
        let mut header = self.has_header;
        loop {
            let mut records = reader(self.delimiter, text).into_records();
            if std::mem::take(&mut header) {
                records.next();
            }
            let open = loop {
                let start = records.reader().position().byte() as usize; // a text in memory
                // Anything that is text is a row to this reader: it takes rows of any length and counts no bytes.
                let Some(record) = records.next() else { return };
                let Ok(record) = record else { continue };
                let line = before + record.position().map_or(0, csv::Position::line);
                count += 1;
                if count > MAX_LINES {
                    return reading.over(line);
                }
                let end = records.reader().position().byte() as usize;
                let whole = text.get(start..end).unwrap_or_default().trim_matches('\n');
                if whole.contains('\n') && !is_closed(whole, self.delimiter) {
                    break (start, line);
                }
                self.read_row(line, &record, reading);
            };
            let (start, line) = open;
            let rest = text[start..].trim_start_matches('\n');
            let (first, after) = rest.split_once('\n').unwrap_or((rest, ""));
            reading.bad(line, first, Reason::Unclosed);
            unclosed += 1;
            if unclosed > MAX_UNCLOSED {
                return reading.over(line + 1);
            }
            (text, before) = (after, line);
        }
    }

    fn read_row(&self, line: u64, record: &csv::StringRecord, reading: &mut Reading) {
        let whole = || record.iter().collect::<Vec<_>>().join(" ");
        if record.as_slice().len() > MAX_LINE {
            return reading.bad(line, record.as_slice().get(..MAX_LINE).unwrap_or_default(), Reason::TooLong);
        }
        if record.iter().all(|cell| cell.trim().is_empty()) {
            return;
        }
        let cell = |at: usize| record.get(at).map(|cell| plain(&with_formula(cell.trim())).trim().to_owned());
        let list = match self.list.and_then(cell).filter(|list| !list.is_empty()).map(|list| list_named(&list)) {
            Some(None) => return reading.bad(line, &whole(), Reason::UnknownList),
            list => list.flatten(),
        };
        let value = cell(self.value).unwrap_or_default();
        if value.is_empty() {
            return reading.bad(line, &whole(), Reason::NoAddress);
        }
        // Some programs write `Name <a@d>` into the one cell.
        let (before, value) = match value.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
            Some((before, inside)) => (before.to_owned(), inside.to_owned()),
            None => (String::new(), value),
        };
        let called = || self.name.and_then(cell).and_then(|called| name(&called));
        let note = self.note.and_then(cell).and_then(|words| note(&words));
        let note = note.or_else(called).or_else(|| name(&before));
        match read_field(&value) {
            Ok(entry) => reading.good(line, list, entry, note),
            Err(reason) => reading.bad(line, &value, reason),
        }
    }
}

/// Whether each quote that opens a cell of a row is closed at the end of that cell; one within is written twice.
fn is_closed(row: &str, delimiter: u8) -> bool {
    let mut rest = row.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first != b'"' {
            let Some(end) = rest.iter().position(|byte| *byte == delimiter) else { return true };
            rest = &rest[end + 1..];
            continue;
        }
        rest = tail;
        loop {
            let Some(quote) = rest.iter().position(|byte| *byte == b'"') else { return false };
            rest = &rest[quote + 1..];
            match rest {
                [b'"', tail @ ..] => rest = tail,
                [] => return true,
                [next, tail @ ..] if *next == delimiter => {
                    rest = tail;
                    break;
                }
                _ => return false,
            }
        }
    }
    true
}

fn first_rows(delimiter: u8, text: &str, count: usize) -> Vec<Vec<String>> {
    let rows = reader(delimiter, text).into_records().take(count).flatten();
    rows.map(|row| row.iter().map(|cell| plain(cell).trim().to_owned()).collect()).collect()
}

fn reader(delimiter: u8, text: &str) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes())
}

/// A list by the name that files and pages give it.
pub fn list_named(text: &str) -> Option<ListKind> {
    match text.to_lowercase().as_str() {
        "white" | "blanche" | "liste blanche" | "accepté" | "acceptés" | "accepted" => Some(ListKind::White),
        "black" | "noire" | "liste noire" | "bloqué" | "bloqués" | "blocked" => Some(ListKind::Black),
        "personal" | "personnelle" | "liste personnelle" | "personnel" | "personnels" => Some(ListKind::Personal),
        _ => None,
    }
}
