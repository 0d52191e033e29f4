//! The Subject header: the tag that goes before it, the spam prefix that comes off.
//!
//! The value keeps its bytes, folding and encoded words; only its front changes. Values are as the milter protocol
//! carries them: folds are LF and the original white space. RFC 5322 (folding, 998-byte lines), RFC 2047.

use std::borrow::Cow;

use mail_builder::headers::Header;
use mail_builder::headers::text::Text;
use mail_parser::HeaderValue;
use mail_parser::parsers::MessageStream;
use smallvec::SmallVec;

/// Longest tag, in bytes of UTF-8.
pub const MAX_TAG: usize = 64;
/// Longest line of a header (RFC 5322, 2.1.1), in bytes, `Subject:` included.
const MAX_LINE: usize = 998;
/// How much of a Subject is read to see whether it is tagged already, in bytes. What counts stands at its front.
const MAX_READ: usize = 4096;

/// The prefixes that mail programs put before a Subject when they answer or forward, in lower case: English, French,
/// German, Spanish, Italian, Scandinavian, Dutch, Portuguese, Polish.
const REPLY_PREFIXES: [&str; 22] = [
    "re", "fw", "fwd", "tr", "rép", "réf", "aw", "wg", "rv", "res", "enc", "rif", "i", "r", "sv", "vs", "vb", "antw",
    "doorst", "odp", "pd", "ref",
];

/// Characters of the longest of them.
const LONGEST_PREFIX: usize = 6;
/// Bytes at the front of a Subject that mostly tell whether it is tagged: one character more than the longest prefix.
const FRONT: usize = 4 * (LONGEST_PREFIX + 1);
/// How an encoded word in UTF-8 begins, in any case, that has the encoding for mostly readable text.
const UTF8_WORD: &[u8] = b"=?utf-8?Q?";

/// Whether the values of headers carry the blank after the colon, as agreed with the MTA (SMFIP_HDR_LEADSPC).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeadingSpace {
    /// It is part of the value, and the milter supplies it.
    Kept,
    /// The MTA took one off and puts one before what it is given.
    Eaten,
}

/// The text that goes before the Subject of a personal message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    text: String,
    /// In ASCII: an encoded word where the text is not.
    plain: Vec<u8>,
    /// The same before an encoded word: blanks between two encoded words are not shown, so it holds its own.
    before_encoded: Vec<u8>,
}

/// A text that cannot be a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the tag must be 1 to 64 bytes of text, without control characters, =? or blanks at its ends")]
pub struct TagError;

impl Tag {
    /// A tag as a person reads it.
    ///
    /// # Errors
    /// Where it is empty, over [`MAX_TAG`] bytes, holds control characters or `=?`, which begins an encoded word (RFC 2047), or
    /// begins or ends with a blank.
    pub fn new(text: &str) -> Result<Self, TagError> {
        let is_broken = text.chars().any(char::is_control) || text.contains("=?");
        if text.is_empty() || text.len() > MAX_TAG || text.trim() != text || is_broken {
            return Err(TagError);
        }
        let ascii = text.is_ascii();
        let plain = if ascii { text.into() } else { encoded_words(text) };
        let before_encoded = if ascii { text.into() } else { encoded_words(&format!("{text} ")) };
        Ok(Self { text: text.to_owned(), plain, before_encoded })
    }

    /// As a person reads it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the tag begins with a spam mark, in any case, and so would be taken off with it.
    pub fn begins_with(&self, mark: &str) -> bool {
        strip_mark(self.text.as_bytes(), mark).is_some()
    }
}

fn encoded_words(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    Text::new(text).write_header(&mut out, "Subject: ".len());
    // The writer ends lines with CRLF; the milter protocol carries LF, and none at the end.
    out.retain(|&b| b != b'\r');
    out.trim_ascii().to_vec()
}

/// What is to be done with the front of a Subject.
#[derive(Debug, Clone, Copy, Default)]
pub struct SubjectEdit<'a> {
    /// The tag to put there.
    pub tag: Option<&'a Tag>,
    /// Prefixes of earlier filters to take off, all that are there, in any case.
    pub clear: &'a [String],
}

/// The new value of the Subject header, or `None` where it stays as it is. `value` is `None` where there is none.
///
/// ```
/// use perso_milter::policy::subject::{LeadingSpace, SubjectEdit, Tag, edited};
/// let tag = Tag::new("[PERSO]")?;
/// let edit = SubjectEdit { tag: Some(&tag), clear: &[] };
/// let value = edited(Some(b" Dimanche ?"), edit, LeadingSpace::Kept);
/// assert_eq!(value.as_deref(), Some(&b" [PERSO] Dimanche ?"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn edited(value: Option<&[u8]>, edit: SubjectEdit<'_>, leading: LeadingSpace) -> Option<Vec<u8>> {
    let original = value.unwrap_or_default();
    let cleared = without_prefixes(original, edit.clear);
    let rest = cleared.unwrap_or(original);
    let tag = edit.tag.filter(|tag| !is_tagged(rest, tag));
    match tag {
        Some(tag) => Some(with_tag(rest, tag, leading)),
        None => cleared.map(|rest| with_space(rest, leading)),
    }
}

/// Whether the tag is there already: after decoding, in any case, and after prefixes of answers and forwards.
pub fn is_tagged(value: &[u8], tag: &Tag) -> bool {
    let value = &value[..value.len().min(MAX_READ)];
    !is_plainly_untagged(&front(value), tag) && is_tagged_as_read(value, tag)
}

fn is_tagged_as_read(value: &[u8], tag: &Tag) -> bool {
    let readable = readable(value);
    let mut text = readable.trim_start();
    loop {
        if starts_with_ignoring_case(text, &tag.text) {
            return true;
        }
        match strip_reply_prefix(text) {
            Some(rest) => text = rest,
            None => return false,
        }
    }
}

/// How a Subject begins, as a person reads it and as far as that needs no more than a look: mostly it is told from a tagged
/// one by this.
fn front(value: &[u8]) -> SmallVec<[u8; FRONT]> {
    let value = value.trim_ascii_start();
    let word = value.split_at_checked(UTF8_WORD.len());
    match word.filter(|(start, _)| start.eq_ignore_ascii_case(UTF8_WORD)) {
        Some((_, text)) => encoded_bytes(text).map_while(Result::ok).take(FRONT).collect(),
        None => {
            // Of several blanks before an encoded word one is shown.
            let is_plain = |at: usize| match value[at] {
                b' ' => at == 0 || value[at - 1] != b' ',
                byte => byte.is_ascii_graphic() && byte != b'=',
            };
            (0..value.len().min(FRONT)).take_while(|&at| is_plain(at)).map(|at| value[at]).collect()
        }
    }
}

/// Whether neither the tag nor a prefix stands at the front of a Subject, whatever follows that front.
fn is_plainly_untagged(front: &[u8], tag: &Tag) -> bool {
    // The last character may be cut.
    let whole = std::str::from_utf8(front).or_else(|error| std::str::from_utf8(&front[..error.valid_up_to()]));
    let front = whole.unwrap_or_default().trim_start();
    let word = front.chars().take(LONGEST_PREFIX + 1).position(is_prefix_end);
    let holds_no_prefix = match word {
        Some(characters) => !is_reply_word(first(front, characters)),
        None => front.chars().nth(LONGEST_PREFIX).is_some(),
    };
    holds_no_prefix && in_lower_case(front).zip(in_lower_case(&tag.text)).any(|(one, other)| one != other)
}

/// The Subject as a person reads it, blanks at its ends aside. Where nothing in it is encoded or folded, it is that already.
fn readable(value: &[u8]) -> Cow<'_, str> {
    let is_encoded = value.windows(2).any(|two| two == b"=?");
    let is_folded = || value.iter().any(|b| matches!(b, b'\n' | b'\r' | 0));
    match std::str::from_utf8(value) {
        Ok(text) if !is_encoded && !is_folded() => Cow::Borrowed(text),
        _ => Cow::Owned(single_word(value).unwrap_or_else(|| decoded(value))),
    }
}

/// What a Subject says that is one encoded word (RFC 2047, 4.2) in UTF-8 and nothing else, as most are that hold an accent;
/// `None` for any other, and for what not every reader takes for such a word.
fn single_word(value: &[u8]) -> Option<String> {
    let (charset, text) = value.trim_ascii().strip_suffix(b"?=")?.split_at_checked(UTF8_WORD.len())?;
    if !charset.eq_ignore_ascii_case(UTF8_WORD) {
        return None;
    }
    let decoded: Vec<u8> = encoded_bytes(text).collect::<Result<_, _>>().ok()?;
    // Control characters are one byte of ASCII, or two of which the first is this.
    let may_control = decoded.iter().any(|byte| byte.is_ascii_control() || *byte == 0xc2);
    String::from_utf8(decoded).ok().filter(|text| !(may_control && text.contains(char::is_control)))
}

/// What is no byte of an encoded word.
struct Unreadable;

/// The bytes that the text of an encoded word stands for, by the encoding Q (RFC 2047, 4.2).
fn encoded_bytes(text: &[u8]) -> impl Iterator<Item = Result<u8, Unreadable>> {
    let mut bytes = text.iter();
    std::iter::from_fn(move || {
        let byte = match *bytes.next()? {
            b'=' => {
                let digits =
                    bytes.next().and_then(|&high| hex_digit(high)).zip(bytes.next().and_then(|&low| hex_digit(low)));
                digits.map(|(high, low)| high << 4 | low)
            }
            b'_' => Some(b' '),
            b'?' => None,
            byte @ b'!'..=b'~' => Some(byte),
            _ => None,
        };
        Some(byte.ok_or(Unreadable))
    })
}

/// As RFC 2047 writes it: in upper case.
fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// The Subject as a person reads it.
pub fn decoded(value: &[u8]) -> String {
    let mut line = Vec::with_capacity(value.len() + 1);
    line.extend(unfolded(value));
    line.push(b'\n');
    match MessageStream::new(&line).parse_unstructured() {
        HeaderValue::Text(text) => text.into_owned(),
        _ => String::new(),
    }
}

/// Folds taken out: an LF before a blank (RFC 5322, 2.2.3). Any other line end would end the header for a parser.
fn unfolded(value: &[u8]) -> impl Iterator<Item = u8> {
    value.iter().map(|&b| if matches!(b, b'\n' | b'\r' | 0) { b' ' } else { b })
}

fn strip_reply_prefix(text: &str) -> Option<&str> {
    // What ends the longest of them stands within the front; lower case has as many characters, or more.
    if !text.chars().take(LONGEST_PREFIX + 1).any(is_prefix_end) {
        return None;
    }
    let (prefix, rest) = text.split_once([':', '：'])?;
    let prefix = prefix.trim_end();
    // Re[2]: and Re(2):
    let word = prefix.split(['[', '(']).next().unwrap_or(prefix);
    let counted = &prefix[word.len()..];
    let count_fits = counted.is_empty()
        || counted[1..]
            .strip_suffix([']', ')'])
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    let word = word.trim_end();
    (count_fits && is_reply_word(word)).then(|| rest.trim_start())
}

/// Whether a character may end the word of a prefix.
fn is_prefix_end(c: char) -> bool {
    c.is_whitespace() || matches!(c, ':' | '：' | '[' | '(')
}

/// Whether a word is that of a prefix, in any case.
fn is_reply_word(word: &str) -> bool {
    if word.is_ascii() {
        return REPLY_PREFIXES.iter().any(|known| word.eq_ignore_ascii_case(known));
    }
    REPLY_PREFIXES.iter().any(|known| in_lower_case(word).eq(known.chars()))
}

/// So many characters at the front.
fn first(text: &str, characters: usize) -> &str {
    text.char_indices().nth(characters).map_or(text, |(end, _)| &text[..end])
}

fn starts_with_ignoring_case(text: &str, start: &str) -> bool {
    let mut text = in_lower_case(text);
    in_lower_case(start).all(|c| text.next() == Some(c))
}

fn in_lower_case(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

/// What stands behind the prefixes; `None` where there is none.
fn without_prefixes<'a>(value: &'a [u8], prefixes: &[String]) -> Option<&'a [u8]> {
    let after = |front: &'a [u8]| {
        let rest = prefixes.iter().filter(|prefix| !prefix.is_empty()).find_map(|prefix| strip_mark(front, prefix));
        rest.map(skip_blanks_and_folds)
    };
    std::iter::successors(after(skip_blanks_and_folds(value)), |rest| after(rest)).last()
}

fn strip_mark<'a>(text: &'a [u8], mark: &str) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(mark.len())?;
    start.eq_ignore_ascii_case(mark.as_bytes()).then_some(rest)
}

fn skip_blanks_and_folds(value: &[u8]) -> &[u8] {
    let blanks = value.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')).count();
    &value[blanks..]
}

fn skip_blanks(value: &[u8]) -> &[u8] {
    let blanks = value.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    &value[blanks..]
}

/// Never empty: a header that is changed to the empty value is deleted (MILTER.md, "Headers").
fn with_space(rest: &[u8], leading: LeadingSpace) -> Vec<u8> {
    [space_before(rest, leading), rest].concat()
}

fn space_before(rest: &[u8], leading: LeadingSpace) -> &'static [u8] {
    if leading == LeadingSpace::Kept || rest.is_empty() { b" " } else { b"" }
}

fn with_tag(value: &[u8], tag: &Tag, leading: LeadingSpace) -> Vec<u8> {
    let rest = skip_blanks(value);
    let is_encoded = rest.trim_ascii_start().starts_with(b"=?");
    let words = if is_encoded { &tag.before_encoded } else { &tag.plain };
    let first_line = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
    let longest = "Subject: ".len() + words.len() + 1 + first_line;
    let between: &[u8] = if first_line == 0 {
        // Nothing on the first line, or a fold: its white space stands between the tag and the text.
        b""
    } else if longest > MAX_LINE {
        b"\n "
    } else {
        b" "
    };
    [space_before(words, leading), words, between, rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn perso() -> Tag {
        Tag::new("[PERSO]").expect("valid")
    }

    fn tagged(value: Option<&[u8]>) -> Option<Vec<u8>> {
        let tag = perso();
        edited(value, SubjectEdit { tag: Some(&tag), clear: &[] }, LeadingSpace::Kept)
    }

    #[test]
    fn the_tag_goes_before_the_raw_value() {
        for (value, expected) in [
            (Some(&b" Dimanche ?"[..]), &b" [PERSO] Dimanche ?"[..]),
            (Some(b"Dimanche"), b" [PERSO] Dimanche"),
            (Some(b"\tDimanche  "), b" [PERSO] Dimanche  "),
            (Some(b"\n Dimanche\n\tmidi"), b" [PERSO]\n Dimanche\n\tmidi"),
            (Some(b" =?utf-8?Q?=C3=A9t=C3=A9?="), b" [PERSO] =?utf-8?Q?=C3=A9t=C3=A9?="),
            (Some(b" caf\xe9 \xff"), b" [PERSO] caf\xe9 \xff"),
            (Some(b""), b" [PERSO]"),
            (None, b" [PERSO]"),
            (Some(b" About [PERSO] things"), b" [PERSO] About [PERSO] things"),
            (Some(b" PERSO"), b" [PERSO] PERSO"),
            (Some(b" note: [PERSO]"), b" [PERSO] note: [PERSO]"),
        ] {
            assert_eq!(tagged(value).as_deref(), Some(expected), "{:?}", value.map(String::from_utf8_lossy));
        }
    }

    #[test]
    fn a_tagged_subject_is_left_alone() {
        for value in [
            " [PERSO] Dimanche",
            "[perso] Dimanche",
            " Re: [PERSO] Dimanche",
            " RE : [PERSO] Dimanche",
            " TR: Re: [PERSO] Dimanche",
            " Re[2]: [PERSO] Dimanche",
            " AW: Fwd: [PERSO]",
            " =?utf-8?Q?[PERSO]_Dimanche?=",
            " =?utf-8?B?UmU6IFtQRVJTT10gw6l0w6k=?=",
            " Re:\n [PERSO] Dimanche",
            "\n [PERSO] Dimanche",
            " =?utf-8?Q?Re:_?= =?utf-8?Q?[PERSO]_x?=",
            "=?utf-8?Q?_[PERSO]_Dimanche?=",
            "=?utf-8?Q?=C2=A0[PERSO]_Dimanche?=",
            "\u{a0}[PERSO] Dimanche",
        ] {
            assert_eq!(tagged(Some(value.as_bytes())), None, "{value:?}");
        }
    }

    #[test]
    fn a_tag_that_is_not_ascii_is_an_encoded_word() {
        let tag = Tag::new("[PRIVÉ]").expect("valid");
        for value in ["Dimanche", "=?utf-8?Q?=C3=A9t=C3=A9?=", "\n =?utf-8?Q?=C3=A9t=C3=A9?="] {
            let edit = SubjectEdit { tag: Some(&tag), clear: &[] };
            let new = edited(Some(value.as_bytes()), edit, LeadingSpace::Eaten).expect("edited");
            assert!(new.is_ascii() && new.starts_with(b"=?"), "{}", String::from_utf8_lossy(&new));
            assert_eq!(decoded(&new), format!("[PRIVÉ] {}", decoded(value.as_bytes()).trim()));
            assert_eq!(edited(Some(&new), edit, LeadingSpace::Eaten), None);
        }
    }

    #[test]
    fn a_line_that_would_grow_too_long_is_folded_after_the_tag() {
        let long = "x".repeat(985);
        let new = tagged(Some(long.as_bytes())).expect("edited");
        assert_eq!(new, format!(" [PERSO]\n {long}").into_bytes());
    }

    #[test]
    fn a_spam_prefix_comes_off_with_or_without_the_tag() {
        let tag = perso();
        let clear = ["***SPAM***".to_owned()];
        let both = SubjectEdit { tag: Some(&tag), clear: &clear };
        let only = SubjectEdit { tag: None, clear: &clear };
        let edit = |value: &[u8], edit| edited(Some(value), edit, LeadingSpace::Kept);
        assert_eq!(edit(b" ***SPAM*** Hello", only).as_deref(), Some(&b" Hello"[..]));
        assert_eq!(edit(b" ***Spam***Hello", both).as_deref(), Some(&b" [PERSO] Hello"[..]));
        assert_eq!(edit(b" ***SPAM*** [PERSO] Hello", both).as_deref(), Some(&b" [PERSO] Hello"[..]));
        // Of two filters, or of one that the message passed twice.
        assert_eq!(edit(b" ***SPAM*** ***spam***\tHello", only).as_deref(), Some(&b" Hello"[..]));
        // A relay may fold before the text, and a CR of its own may stand in it.
        assert_eq!(edit(b"\n ***SPAM***\n\tHello\n world", only).as_deref(), Some(&b" Hello\n world"[..]));
        assert_eq!(edit(b" ***SPAM***\r***SPAM*** Hello", only).as_deref(), Some(&b" Hello"[..]));
        assert_eq!(edit(b" Hello", only), None);
        assert_eq!(edit(b" Hello ***SPAM***", only), None);
    }

    #[test]
    fn a_subject_of_a_spam_prefix_alone_becomes_empty_and_is_not_deleted() {
        let clear = ["***SPAM***".to_owned()];
        for leading in [LeadingSpace::Kept, LeadingSpace::Eaten] {
            let edit = SubjectEdit { tag: None, clear: &clear };
            assert_eq!(edited(Some(b"***SPAM*** "), edit, leading).as_deref(), Some(&b" "[..]));
        }
    }

    #[test]
    fn a_text_that_breaks_a_header_is_no_tag() {
        for text in ["", " x", "x ", "a\nb", "a\0b", &"x".repeat(65), "=?utf-8?Q?x?=", "[a=?utf-8?Q?x?=]"] {
            assert_eq!(Tag::new(text), Err(TagError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_single_word_is_read_as_the_library_reads_it(text in "( ?[a-zA-Z\\[\\]:éàç€=?_]{1,8}){1,4}", raw in "[ -~é]{0,20}") {
            let mut word = String::new();
            for byte in text.trim().bytes() {
                match byte {
                    b' ' => word.push('_'),
                    b'!'..=b'~' if !b"=?_".contains(&byte) => word.push(char::from(byte)),
                    _ => word.push_str(&format!("={byte:02X}")),
                }
            }
            let value = format!(" =?UTF-8?Q?{word}?=");
            prop_assert_eq!(single_word(value.as_bytes()), Some(text.trim().to_owned()));
            for value in [value, format!("=?utf-8?q?{raw}?= ")] {
                if let Some(read) = single_word(value.as_bytes()) {
                    let expected = decoded(value.as_bytes());
                    prop_assert_eq!(read.trim(), expected.trim(), "{}", value);
                }
            }
        }

        #[test]
        fn what_the_front_tells_is_what_the_whole_says(
            start in "[ \\t\u{a0}]{0,2}(=\\?[uU][tT][fF]-8\\?[qQ]\\?)?",
            parts in proptest::collection::vec(
                proptest::sample::select(vec![
                    "Re", "doorst", "Compte", "RÉP", "r=C3=A9p", ":", " :", "_", " ", "=20", "[", "[2]:", "[PERSO]", "[perso",
                    "=5BPERSO=5D", "=?utf-8?Q?", "?=", "é", "=C2=A0", "\n ", "=", "x",
                ]),
                0..8,
            ),
        ) {
            let value = start + &parts.concat();
            let is_plain = is_plainly_untagged(&front(value.as_bytes()), &perso());
            prop_assert!(!(is_plain && is_tagged_as_read(value.as_bytes(), &perso())), "{value:?}");
        }

        #[test]
        fn twice_is_once_for_any_bytes(value in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(new) = tagged(Some(&value)) {
                prop_assert_eq!(tagged(Some(&new)), None);
            }
        }

        #[test]
        fn all_that_was_there_stands_behind_the_tag(value in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(new) = tagged(Some(&value)) {
                prop_assert!(new.ends_with(skip_blanks(&value)));
                prop_assert!(new.starts_with(b" [PERSO]"));
            }
        }

        #[test]
        fn tagging_is_found_again_in_header_like_text(value in "(Re|TR|\\[PERSO\\]|=\\?utf-8\\?Q\\?|\\?=|[ :a-zé\n]){0,20}") {
            if let Some(new) = tagged(Some(value.as_bytes())) {
                prop_assert_eq!(tagged(Some(&new)), None);
            }
        }
    }
}
