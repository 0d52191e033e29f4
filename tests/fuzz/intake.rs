//! Files of entries: whatever they hold, what is taken is an entry, each once, and comes back from an export as it was.

use std::collections::HashSet;

use perso_milter::console::intake::{MAX_LINES, MAX_SHOWN, read_file, read_text};
use perso_milter::policy::list::{EntryValue, MAX_ENTRIES};

/// `data` is a file, and a text where it is UTF-8.
pub fn holds(data: &[u8]) {
    let typed = std::str::from_utf8(data).ok().map(read_text);
    for intake in read_file(data).into_iter().chain(typed) {
        assert!(intake.good.len() <= MAX_LINES.max(MAX_ENTRIES) && intake.bad.len() <= MAX_LINES + 1);
        let mut seen = HashSet::new();
        for candidate in &intake.good {
            assert!(seen.insert((candidate.list, &candidate.value)), "twice");
            let written = candidate.value.written();
            assert_eq!(written.parse::<EntryValue>().as_ref(), Ok(&candidate.value), "{written}");
        }
        assert!(intake.bad.iter().all(|bad| bad.text.chars().count() <= MAX_SHOWN + 1));
        assert!(intake.bad.is_sorted_by_key(|bad| bad.line));
        // Entries that are written one a line are read the same.
        let lines: Vec<String> = intake.good.iter().map(|candidate| candidate.value.written()).collect();
        let plain =
            |line: &String| !line.contains(|c: char| !c.is_ascii() || "#'{}`".contains(c)) && !line.ends_with('?');
        if lines.len() <= MAX_ENTRIES && lines.iter().all(plain) {
            let again = read_text(&lines.join("\n"));
            assert!(again.bad.is_empty(), "{lines:?}");
            let values: HashSet<_> = intake.good.iter().map(|candidate| &candidate.value).collect();
            assert_eq!(again.good.iter().map(|candidate| &candidate.value).collect::<HashSet<_>>(), values);
        }
    }
}
