//! Free text: what stands in a letter, a contact, an address field.

use super::{Reading, Reason, name};
use crate::policy::list::EntryValue;
use crate::store::Note;

/// Marks around and behind an address that are none of it.
const BEFORE: &[char] = &['<', '(', '[', '{', '"', '\'', '«', '‹', '“', '‘', '•', '–', '—'];
const BEHIND: &[char] = &['>', ')', ']', '}', '"', '\'', '»', '›', '”', '’', ',', ';', ':', '.', '!', '?', '…'];

/// Reads lines with any number of addresses and domains. Lines that begin with `#` are passed over.
pub fn read(text: &str, reading: &mut Reading) {
    for (number, line) in reading.lines(text) {
        let line = plain(line);
        if !line.trim_start().starts_with('#') {
            for piece in pieces(&line) {
                read_piece(number, piece, reading);
            }
        }
    }
}

/// Reads one address or domain with what may stand around it.
pub fn read_word(word: &str) -> Result<EntryValue, Reason> {
    let word = bare(word);
    let value: EntryValue = word.parse().map_err(|_| reason(&word))?;
    match &value {
        // One word is nobody's domain; as a public suffix it would be refused with a word that misleads.
        EntryValue::Domain(domain) if !domain.as_str().contains('.') => Err(Reason::NoAddress),
        EntryValue::Address(address) if !address.domain().contains('.') => Err(Reason::Malformed),
        _ => Ok(value),
    }
}

/// Reads a field that holds one entry and nothing else; where it holds more, as [`read_word`].
pub fn read_field(field: &str) -> Result<EntryValue, Reason> {
    match field.parse() {
        Ok(EntryValue::Address(address)) if address.domain().contains('.') => Ok(EntryValue::Address(address)),
        _ => read_word(field),
    }
}

/// Wide and odd characters as their usual ones: full-width forms, blanks; what is drawn as nothing is left out.
pub fn plain(text: &str) -> String {
    let unseen =
        |c: &char| !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{202a}'..='\u{202e}');
    let usual = |c| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '、' => ',',
        c if c.is_whitespace() || c.is_control() => ' ',
        c => c,
    };
    text.chars().filter(unseen).map(usual).collect()
}

/// The parts of a line between commas and semicolons outside quotes, each ending with an address in brackets at most.
fn pieces(line: &str) -> Vec<&str> {
    let (mut pieces, mut start) = (Vec::new(), 0);
    let (mut quoted, mut bracketed) = (false, false);
    // A quote that nobody closes is none.
    let closed = line.matches('"').count().is_multiple_of(2);
    for (at, c) in line.char_indices() {
        match c {
            '"' if closed && !bracketed => quoted = !quoted,
            '<' if !quoted => bracketed = true,
            '>' if !quoted && bracketed => {
                bracketed = false;
                pieces.push(&line[start..at + 1]);
                start = at + 1;
            }
            ',' | ';' if !quoted => {
                bracketed = false;
                pieces.push(&line[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(&line[start..]);
    pieces.retain(|piece| !piece.trim_matches([' ', '.']).is_empty());
    pieces
}

fn read_piece(line: u64, piece: &str, reading: &mut Reading) {
    let piece = piece.trim();
    if let Some((before, inside)) = piece.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        return read_one(line, inside, name(before), reading);
    }
    let all: Vec<&str> = piece.split_whitespace().collect();
    if let [word] = all[..] {
        return read_one(line, word, None, reading);
    }
    // Words beside an address are a name; words that are all domains are so many entries.
    let with_at: Vec<&str> = all.iter().copied().filter(|word| word.contains('@')).collect();
    let looks = |word: &&str| bare(word).trim_matches(['*', '.']).contains('.');
    if !with_at.is_empty() {
        let rest: Vec<&str> = all.iter().copied().filter(|word| !word.contains('@')).collect();
        let note =
            if with_at.len() == 1 { name(rest.join(" ").trim_matches(BEHIND).trim_matches(BEFORE)) } else { None };
        with_at.into_iter().for_each(|word| read_one(line, word, note.clone(), reading));
    } else if all.iter().all(looks) {
        all.into_iter().for_each(|word| read_one(line, word, None, reading));
    } else {
        reading.bad(line, piece, Reason::NoAddress);
    }
}

fn read_one(line: u64, word: &str, note: Option<Note>, reading: &mut Reading) {
    match read_word(word) {
        Ok(value) => reading.good(line, None, value, note),
        Err(reason) => reading.bad(line, word, reason),
    }
}

fn reason(word: &str) -> Reason {
    if word.contains('@') || word.contains('.') { Reason::Malformed } else { Reason::NoAddress }
}

/// The word without marks around it, `mailto:` and what follows its address, or the rest of a web address.
fn bare(word: &str) -> String {
    let mut word = word.trim();
    word = word.trim_start_matches(BEFORE).trim_end_matches(BEHIND);
    for scheme in ["mailto:", "smtp:", "https://", "http://"] {
        let Some(head) = word.get(..scheme.len()).filter(|head| head.eq_ignore_ascii_case(scheme)) else { continue };
        let rest = &word[head.len()..];
        if scheme.ends_with('/') {
            let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
            return host.strip_prefix("www.").unwrap_or(host).to_owned();
        }
        return unescaped(rest.split('?').next().unwrap_or_default());
    }
    word.to_owned()
}

/// `%40` and the like (RFC 6068) as what they stand for; what is no UTF-8 stays.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}
