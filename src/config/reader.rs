//! Walks a TOML tree section by section, converts what it is asked for, and collects every problem on the way. What was
//! never asked for is unknown.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{KeyLines, Place, Problem, Severity};

/// What is known of the file so far.
#[derive(Default)]
pub(super) struct Reader {
    newlines: Vec<usize>,
    /// Every key asked for, and its line.
    pub(super) lines: KeyLines,
    pub(super) problems: Vec<Problem>,
    unknown: Vec<Unknown>,
}

struct Unknown {
    section: String,
    name: String,
    line: usize,
    is_section: bool,
}

impl Reader {
    pub(super) fn new(file: &str, text: &str) -> Self {
        let lines = KeyLines { file: file.to_owned(), ..KeyLines::default() };
        Self { newlines: text.match_indices('\n').map(|(at, _)| at).collect(), lines, ..Self::default() }
    }

    /// The line of a byte of the file, from 1.
    pub(super) fn line(&self, byte: usize) -> usize {
        self.newlines.partition_point(|&newline| newline < byte) + 1
    }

    /// The column of a byte of the file, from 1, in bytes.
    pub(super) fn column(&self, byte: usize) -> usize {
        let line = self.line(byte);
        byte + 1 - if line > 1 { self.newlines[line - 2] + 1 } else { 0 }
    }

    pub(super) fn error(&mut self, line: usize, key: &str, what: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(Problem {
            severity: Severity::Error,
            place: Place { file: self.lines.file.clone(), line: Some(line) },
            key: key.to_owned(),
            what: what.into(),
            remedy: remedy.into(),
        });
    }

    /// Reads the whole tree with `read`, then reports what it did not ask for.
    pub(super) fn read<'t>(&mut self, table: &'t DeTable<'t>, read: impl FnOnce(&mut Section<'_, 't>)) {
        let mut root = Section { reader: self, path: String::new(), table: Some(table), asked: Vec::new() };
        read(&mut root);
        root.finish();
        for unknown in std::mem::take(&mut self.unknown) {
            self.report_unknown(&unknown);
        }
    }

    fn report_unknown(&mut self, unknown: &Unknown) {
        let path = join(&unknown.section, &unknown.name);
        let what = if unknown.is_section { "there is no such section" } else { "there is no such key" };
        let known: Vec<&str> = self.lines.lines.keys().map(String::as_str).collect();
        let (siblings, elsewhere): (Vec<&str>, Vec<&str>) =
            known.into_iter().partition(|key| split(key).0 == unknown.section);
        let siblings: Vec<&str> =
            siblings.into_iter().map(|key| split(key).1).filter(|key| !key.contains('[')).collect();
        let near = siblings.iter().map(|key| (distance(&unknown.name, key), *key)).min();
        let remedy = if let Some((edits, key)) = near
            && edits <= 1 + unknown.name.len() / 4
        {
            format!("did you mean {key}?")
        } else if let Some(home) = elsewhere.into_iter().find(|key| split(key).1 == unknown.name && !key.contains('['))
        {
            format!("{} belongs in [{}]", unknown.name, split(home).0)
        } else {
            format!("known here: {}", siblings.join(", "))
        };
        self.error(unknown.line, &path, what, remedy);
    }
}

/// One section of the file; its table is absent where the file has none, and each of its keys is then absent.
pub(super) struct Section<'r, 't> {
    reader: &'r mut Reader,
    path: String,
    table: Option<&'t DeTable<'t>>,
    asked: Vec<&'static str>,
}

/// A value of the file with its key and line.
struct Found<'t> {
    value: &'t DeValue<'t>,
    key: String,
    line: usize,
}

impl<'t> Section<'_, 't> {
    /// A text, converted; absent: left as it is.
    pub(super) fn value<T: FromStr<Err: Display>>(&mut self, key: &'static str, into: &mut T) {
        self.value_of(key, T::from_str, into);
    }

    /// A text, converted by `parse`; absent: left as it is.
    pub(super) fn value_of<T, E: Display>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
        into: &mut T,
    ) {
        if let Some(found) = self.find(key)
            && let Some(value) = self.convert(&found, parse)
        {
            *into = value;
        }
    }

    /// As [`Self::value`], for a text that a problem does not repeat: it may hold a password, or the error repeats it.
    pub(super) fn unquoted_value<T: FromStr<Err: Display>>(&mut self, key: &'static str, into: &mut T) {
        let Some(found) = self.find(key) else { return };
        let Some(text) = self.text(&found) else { return };
        match text.parse() {
            Ok(value) => *into = value,
            Err(error) => self.reader.error(found.line, &found.key, "it is not accepted", error.to_string()),
        }
    }

    /// Reports the absence of a key.
    pub(super) fn required(&mut self, key: &'static str) {
        if self.find(key).is_none() {
            let line = self.reader.lines.place(&self.path).line.unwrap_or(1);
            self.reader.error(line, &join(&self.path, key), "it is missing", format!("add {key} = \"…\""));
        }
    }

    /// A text, converted; the empty text is `None`; absent: left as it is.
    pub(super) fn optional<T: FromStr<Err: Display>>(&mut self, key: &'static str, into: &mut Option<T>) {
        let Some(found) = self.find(key) else { return };
        if found.value.as_str() == Some("") {
            *into = None;
        } else if let Some(value) = self.convert(&found, T::from_str) {
            *into = Some(value);
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str, into: &mut bool) {
        let Some(found) = self.find(key) else { return };
        match found.value.as_bool() {
            Some(value) => *into = value,
            None => self.wrong_type(&found, "write true or false, without quotes"),
        }
    }

    /// A whole number within a range.
    pub(super) fn count(&mut self, key: &'static str, range: RangeInclusive<usize>, into: &mut usize) {
        if let Some(number) = self.number(key, &range, "") {
            *into = number;
        }
    }

    /// A whole number of seconds within a range.
    pub(super) fn seconds(&mut self, key: &'static str, range: RangeInclusive<usize>, into: &mut Duration) {
        if let Some(number) = self.number(key, &range, " seconds") {
            *into = Duration::from_secs(number as u64);
        }
    }

    /// A list of texts, each converted; absent: left as it is.
    pub(super) fn list<T: FromStr<Err: Display>>(&mut self, key: &'static str, most: usize, into: &mut Vec<T>) {
        if let Some(values) = self.list_of(key, most, T::from_str) {
            *into = values;
        }
    }

    /// A list of texts, each converted by `parse`; `None` where it is absent.
    pub(super) fn list_of<T, E: Display>(
        &mut self,
        key: &'static str,
        most: usize,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let found = self.find(key)?;
        let Some(items) = found.value.as_array() else {
            self.wrong_type(&found, "write a list: [\"…\", \"…\"]");
            return None;
        };
        self.at_most(&found, items.len(), most);
        let convert = |item: &'t Spanned<DeValue<'t>>| {
            let line = self.reader.line(item.span().start);
            self.convert(&Found { value: item.get_ref(), key: found.key.clone(), line }, &parse)
        };
        Some(items.iter().filter_map(convert).collect())
    }

    /// A section below this one.
    pub(super) fn section(&mut self, key: &'static str, read: impl FnOnce(&mut Section<'_, 't>)) {
        let table = self.find(key).and_then(|found| {
            let table = found.value.as_table();
            if table.is_none() {
                self.wrong_type(&found, &format!("write a section: [{}]", found.key));
            }
            table
        });
        let path = join(&self.path, key);
        let mut section = Section { reader: self.reader, path, table, asked: Vec::new() };
        read(&mut section);
        section.finish();
    }

    /// The sections of an array of them; absent or empty: left as it is.
    pub(super) fn each<T>(
        &mut self,
        key: &'static str,
        most: usize,
        into: &mut Vec<T>,
        read: impl Fn(&mut Section<'_, 't>) -> T,
    ) {
        let Some(found) = self.find(key) else { return };
        let remedy = format!("write a section of its own for each: [[{}]]", found.key);
        let Some(items) = found.value.as_array() else { return self.wrong_type(&found, &remedy) };
        self.at_most(&found, items.len(), most);
        let mut values = Vec::new();
        for (number, item) in (1..).zip(items.iter()) {
            let path = format!("{}[{number}]", found.key);
            let line = self.reader.line(item.span().start);
            self.reader.lines.lines.insert(path.clone(), Some(line));
            let Some(table) = item.get_ref().as_table() else {
                self.wrong_type(&Found { value: item.get_ref(), key: path, line }, &remedy);
                continue;
            };
            let mut section = Section { reader: self.reader, path, table: Some(table), asked: Vec::new() };
            values.push(read(&mut section));
            section.finish();
        }
        if !values.is_empty() {
            *into = values;
        }
    }

    fn find(&mut self, key: &'static str) -> Option<Found<'t>> {
        self.asked.push(key);
        let path = join(&self.path, key);
        let entry = self.table.and_then(|table| table.get_key_value(key));
        let line = entry.map(|(key, _)| self.reader.line(key.span().start));
        self.reader.lines.lines.insert(path.clone(), line);
        entry.zip(line).map(|((_, value), line)| Found { value: value.get_ref(), key: path, line })
    }

    fn text(&mut self, found: &Found<'t>) -> Option<&'t str> {
        let text = found.value.as_str();
        if text.is_none() {
            self.wrong_type(found, "write it in quotes: \"…\"");
        }
        text
    }

    fn convert<T, E: Display>(&mut self, found: &Found<'t>, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        let text = self.text(found)?;
        let problem = match parse(text) {
            Ok(value) => return Some(value),
            Err(error) => error.to_string(),
        };
        self.reader.error(found.line, &found.key, format!("{} is not accepted", shown(text)), problem);
        None
    }

    fn number(&mut self, key: &'static str, range: &RangeInclusive<usize>, unit: &str) -> Option<usize> {
        let found = self.find(key)?;
        let (low, high) = (range.start(), range.end());
        let Some(digits) = found.value.as_integer() else {
            self.wrong_type(&found, &format!("write a whole number from {low} to {high}{unit}, without quotes"));
            return None;
        };
        let number = i128::from_str_radix(digits.as_str(), digits.radix()).ok().and_then(|n| usize::try_from(n).ok());
        if let Some(number) = number.filter(|number| range.contains(number)) {
            return Some(number);
        }
        let prefix = match digits.radix() {
            16 => "0x",
            8 => "0o",
            2 => "0b",
            _ => "",
        };
        let what = format!("{prefix}{} is out of range", digits.as_str());
        self.reader.error(found.line, &found.key, what, format!("give {low} to {high}{unit}"));
        None
    }

    fn at_most(&mut self, found: &Found<'t>, count: usize, most: usize) {
        if count > most {
            self.reader.error(
                found.line,
                &found.key,
                format!("it has {count} members"),
                format!("give at most {most}"),
            );
        }
    }

    fn wrong_type(&mut self, found: &Found<'t>, remedy: &str) {
        let what = format!("it is of the type {}", found.value.type_str());
        self.reader.error(found.line, &found.key, what, remedy);
    }

    fn finish(self) {
        for (key, value) in self.table.into_iter().flatten() {
            if !self.asked.contains(&key.get_ref().as_ref()) {
                let line = self.reader.line(key.span().start);
                let value = value.get_ref();
                let is_section = value.is_table()
                    || value.as_array().is_some_and(|items| items.iter().any(|item| item.get_ref().is_table()));
                let (section, name) = (self.path.clone(), key.get_ref().clone().into_owned());
                self.reader.unknown.push(Unknown { section, name, line, is_section });
            }
        }
    }
}

/// A value as an error repeats it: control characters escaped, long ones cut.
fn shown(text: &str) -> String {
    const MOST: usize = 60;
    if text.chars().count() <= MOST {
        return format!("{text:?}");
    }
    format!("{:?}…", text.chars().take(MOST).collect::<String>())
}

fn join(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// The section of a key and its own name.
fn split(key: &str) -> (&str, &str) {
    key.rsplit_once('.').unwrap_or(("", key))
}

/// Levenshtein's distance: insertions, deletions and substitutions from one to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &b) in to.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        for (from, to, edits) in [("", "tag", 3), ("tags", "tag", 1), ("delimeter", "delimiter", 1), ("ab", "ba", 2)] {
            assert_eq!(distance(from, to), edits, "{from} {to}");
        }
    }

    #[test]
    fn bytes_have_lines_and_columns() {
        let reader = Reader::new("f", "a\nbc\n\nd");
        let places: Vec<_> = [0, 1, 2, 3, 5, 6].map(|byte| (reader.line(byte), reader.column(byte))).into();
        assert_eq!(places, [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (4, 1)]);
    }
}
