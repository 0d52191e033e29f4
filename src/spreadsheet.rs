//! Texts in tables that a spreadsheet will open: one that it would take for a formula gets an apostrophe before it.

use std::borrow::Cow;

/// What a spreadsheet takes for the beginning of a formula, and the apostrophe that keeps it from that.
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\''];

/// A text that a spreadsheet would take for a formula is kept from being one.
pub fn without_formula(text: &str) -> Cow<'_, str> {
    if text.starts_with(FORMULA) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// What [`without_formula`] was given. Any other apostrophe is part of the text.
pub fn with_formula(text: &str) -> &str {
    text.strip_prefix('\'').filter(|rest| rest.starts_with(FORMULA)).unwrap_or(text)
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
    }
}
