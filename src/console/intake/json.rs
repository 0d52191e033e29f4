//! What [`crate::console::export`] wrote, or an array of the same rows.

use serde::Deserialize;

use super::table::list_named;
use super::words::{plain, read_field};
use super::{MAX_LINES, Reading, Reason, note};

#[derive(Deserialize)]
#[serde(untagged)]
enum File {
    Whole { entries: Vec<Row> },
    Rows(Vec<Row>),
    Values(Vec<String>),
}

#[derive(Deserialize)]
struct Row {
    list: Option<String>,
    value: String,
    note: Option<String>,
}

/// Whether a text would be JSON.
pub fn is_json(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with('{')
        || text.starts_with("[\"")
        || text.strip_prefix('[').is_some_and(|rest| rest.trim_start().starts_with(['{', '"']))
}

/// Reads the rows, numbered from 1.
pub fn read(text: &str, reading: &mut Reading) {
    let rows = match serde_json::from_str(text) {
        Ok(File::Whole { entries } | File::Rows(entries)) => entries,
        Ok(File::Values(values)) => values.into_iter().map(|value| Row { list: None, value, note: None }).collect(),
        Err(_) => return reading.bad(1, text, Reason::Malformed),
    };
    for (number, row) in (1..).zip(rows) {
        if number > MAX_LINES as u64 {
            return reading.over(number);
        }
        let list = match row.list.as_deref().map(list_named) {
            Some(None) => {
                reading.bad(number, &row.value, Reason::UnknownList);
                continue;
            }
            list => list.flatten(),
        };
        match read_field(&plain(&row.value)) {
            Ok(value) => reading.good(number, list, value, row.note.as_deref().and_then(note)),
            Err(reason) => reading.bad(number, &row.value, reason),
        }
    }
}
