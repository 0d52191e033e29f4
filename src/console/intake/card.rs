//! vCard: each card's addresses, with its name as the note.

use calcard::vcard::{VCard, VCardProperty, VCardValue};

use super::words::{plain, read_field};
use super::{MAX_LINES, Reading, Reason, name};

const BEGIN: &str = "BEGIN:VCARD";
const END: &str = "END:VCARD";

/// Whether a text is cards.
pub fn is_card(text: &str) -> bool {
    text.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| is(line, BEGIN))
}

fn is(line: &str, mark: &str) -> bool {
    line.trim().eq_ignore_ascii_case(mark)
}

/// Reads the cards. The library knows no lines: a card's entries stand at the line where it begins. One that does not end
/// before the next begins is named.
pub fn read(text: &str, reading: &mut Reading) {
    let mut card: Option<(u64, String)> = None;
    let mut count = 0;
    for (number, line) in (1..).zip(text.split('\n')) {
        if is(line, BEGIN) {
            if let Some((start, lines)) = card.take() {
                reading.bad(start, &lines, Reason::Unclosed);
            }
            count += 1;
            if count > MAX_LINES {
                return reading.over(number);
            }
            card = Some((number, String::new()));
        }
        let Some((start, lines)) = &mut card else { continue };
        lines.push_str(line);
        lines.push('\n');
        if is(line, END) {
            read_card(*start, lines, reading);
            card = None;
        }
    }
    if let Some((start, lines)) = card {
        reading.bad(start, &lines, Reason::Unclosed);
    }
}

fn read_card(line: u64, text: &str, reading: &mut Reading) {
    let Ok(card) = VCard::parse(text) else { return reading.bad(line, text, Reason::Malformed) };
    let texts = |property: VCardProperty| {
        let fitting = card.entries.iter().filter(move |entry| entry.name == property);
        fitting.flat_map(|entry| &entry.values).filter_map(|value| match value {
            VCardValue::Text(text) => Some(plain(text)),
            _ => None,
        })
    };
    let called = texts(VCardProperty::Fn).next().unwrap_or_default();
    let note = name(&called);
    let mut any = false;
    for address in texts(VCardProperty::Email).filter(|address| !address.trim().is_empty()) {
        any = true;
        match read_field(&address) {
            Ok(value) => reading.good(line, None, value, note.clone()),
            Err(reason) => reading.bad(line, &address, reason),
        }
    }
    if !any {
        reading.bad(line, &called, Reason::NoAddress);
    }
}
