//! The Subject: the tag goes before what was there, once, and nothing but the front changes.

use perso_milter::milter::reply::HeaderValue;
use perso_milter::policy::subject::{LeadingSpace, SubjectEdit, Tag, decoded, edited, is_tagged};

/// The longest line of a header (RFC 5322, 2.1.1), without `Subject:`.
const MAX_LINE: usize = 998 - "Subject:".len();

/// `data` is the value of a Subject, behind a NUL perhaps the text of a tag.
pub fn holds(data: &[u8]) {
    // A NUL never reaches a milter: MTAs cut a header there.
    let (value, own) = match data.iter().position(|byte| *byte == 0) {
        Some(end) => (&data[..end], std::str::from_utf8(&data[end + 1..]).ok()),
        None => (data, None),
    };
    let tags = own.map_or(vec!["[PERSO]", "[PRIVÉ]"], |own| vec![own]);
    let marks = ["***SPAM***".to_owned(), "[SPAM]".to_owned()];
    for tag in tags.into_iter().filter_map(|text| Tag::new(text).ok()) {
        for clear in [&[][..], &marks] {
            for leading in [LeadingSpace::Kept, LeadingSpace::Eaten] {
                check(value, SubjectEdit { tag: Some(&tag), clear }, leading);
                check(value, SubjectEdit { tag: None, clear }, leading);
            }
        }
    }
}

fn check(value: &[u8], edit: SubjectEdit<'_>, leading: LeadingSpace) {
    // A tag that begins as a spam mark does is refused by the configuration.
    let begins = |tag: &Tag, mark: &String| tag.as_str().to_lowercase().starts_with(&mark.to_lowercase());
    if edit.tag.is_some_and(|tag| edit.clear.iter().any(|mark| begins(tag, mark))) {
        return;
    }
    let Some(new) = edited(Some(value), edit, leading) else {
        assert!(edit.tag.is_none_or(|tag| is_tagged(value, tag)), "left without its tag");
        return;
    };
    assert!(!new.is_empty(), "an empty value deletes the header");
    assert_eq!(edited(Some(&new), edit, leading), None, "twice is once");
    let sent = HeaderValue::cleaned(&new);
    assert_eq!(edited(Some(sent.as_bytes()), edit, leading), None, "as it is sent");
    check_rest(value, &new, edit);
    if let Some(tag) = edit.tag {
        assert!(is_tagged(&new, tag), "shown as {:?}", decoded(&new));
        let longest = |value: &[u8]| value.split(|byte| *byte == b'\n').map(<[u8]>::len).max().unwrap_or(0);
        assert!(longest(&new) <= MAX_LINE.max(longest(value) + 1), "a line has grown too long");
    }
}

/// All that stood behind blanks and spam marks stands at the end of the new value as it was.
fn check_rest(value: &[u8], new: &[u8], edit: SubjectEdit<'_>) {
    let common = value.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let mut front = &value[..value.len() - common];
    while let Some((first, rest)) = front.split_first() {
        let mark = edit.clear.iter().find(|mark| {
            value[value.len() - common - front.len()..]
                .get(..mark.len())
                .is_some_and(|b| b.eq_ignore_ascii_case(mark.as_bytes()))
        });
        front = match mark {
            Some(mark) => front.get(mark.len()..).unwrap_or_default(),
            None => {
                assert!(matches!(first, b' ' | b'\t' | b'\r' | b'\n'), "lost {:?}", front.escape_ascii().to_string());
                rest
            }
        };
    }
}
