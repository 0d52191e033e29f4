//! Texts in tables that a spreadsheet will open: where it would find a formula, an apostrophe stands before that. It may part
//! cells at another sign than we wrote, inside our quotes too: what follows such a sign counts as the beginning of a cell.

use std::borrow::Cow;

/// What a spreadsheet takes for the beginning of a formula, and the apostrophe that keeps it from that.
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\''];
/// What parts cells and rows in some spreadsheet.
const PARTS: [char; 5] = [';', ',', '\t', '\r', '\n'];
/// What may stand before a formula and is no part of it.
const BEFORE: [char; 2] = [' ', '"'];

/// A text in which a spreadsheet would find a formula is kept from holding one.
pub fn without_formula(text: &str) -> Cow<'_, str> {
    let mut starts = starts(text).filter(|at| text[*at..].starts_with(FORMULA)).peekable();
    if starts.peek().is_none() {
        return Cow::Borrowed(text);
    }
    let (mut written, mut done) = (String::with_capacity(text.len() + 8), 0);
    for at in starts {
        written.push_str(&text[done..at]);
        written.push('\'');
        done = at;
    }
    Cow::Owned(written + &text[done..])
}

/// What [`without_formula`] was given. Any other apostrophe is part of the text.
pub fn with_formula(text: &str) -> Cow<'_, str> {
    let is_ours = |at: &usize| text[*at..].strip_prefix('\'').is_some_and(|rest| rest.starts_with(FORMULA));
    let mut starts = starts(text).filter(is_ours).peekable();
    if starts.peek().is_none() {
        return Cow::Borrowed(text);
    }
    let (mut read, mut done) = (String::with_capacity(text.len()), 0);
    for at in starts {
        read.push_str(&text[done..at]);
        done = at + 1;
    }
    Cow::Owned(read + &text[done..])
}

/// Where cells may begin.
fn starts(text: &str) -> impl Iterator<Item = usize> {
    let behind = |(at, part): (usize, &str)| at + part.len();
    let parts = std::iter::once(0).chain(text.match_indices(PARTS).map(behind));
    parts.map(|at| text.len() - text[at..].trim_start_matches(BEFORE).len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_is_none_and_comes_back() {
        for text in ["=1+1", "+33", "-a", "@d", "\tx", "'quoted", "a@b.example", "o'neil@b.example", ""] {
            let written = without_formula(text);
            assert!(!written.starts_with(['=', '+', '-', '@', '\t']), "{written}");
            assert_eq!(with_formula(&written), text);
        }
        for text in ["a;=1", "a,  -1;b", "x;\"=1\"", "x;'=1", "x;''", "a\t=1;\t\t-1", " =1", ";;=;", "é;=é;", "\r\n=1"]
        {
            let written = without_formula(text);
            for cell in written.split([';', ',']) {
                let cell = cell.trim_start_matches([' ', '"']);
                assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell} of {written}");
            }
            assert_eq!(with_formula(&written), text, "{written}");
        }
    }
}
