//! Words, dates and numbers, in French and in English. The words are Fluent files, one a subject and language.

use std::borrow::Cow;
use std::collections::HashMap;

use fluent_templates::fluent_bundle::FluentValue;
use fluent_templates::{LanguageIdentifier, Loader, static_loader};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::language::Language;

static_loader! {
    static WORDS = {
        locales: "./src/console/i18n",
        fallback_language: "en",
        customise: |bundle| {
            // The isolating characters are for text of both directions, which ours is not.
            bundle.set_use_isolating(false);
            bundle.set_formatter(Some(match bundle.locales.first() {
                Some(french) if *french == identifier(Language::French) => |value, _| count(Language::French, value),
                _ => |value, _| count(Language::English, value),
            }));
        },
    };
}

fn identifier(language: Language) -> LanguageIdentifier {
    match language {
        Language::French => fluent_templates::langid!("fr"),
        Language::English => fluent_templates::langid!("en"),
    }
}

/// The words of a key.
pub fn t(language: Language, key: &str) -> String {
    WORDS.lookup(&identifier(language), key)
}

/// The words of a key, with values in them.
pub fn text(language: Language, key: &str, values: &[(&'static str, FluentValue<'_>)]) -> String {
    owned(language, key, values.iter().map(|(name, value)| (Cow::Borrowed(*name), value.clone())).collect())
}

/// As [`text()`], with values whose names are not known beforehand.
pub fn owned(language: Language, key: &str, values: HashMap<Cow<'static, str>, FluentValue<'_>>) -> String {
    WORDS.lookup_with_args(&identifier(language), key, &values)
}

/// A count as it stands among words; what is none is left to Fluent.
fn count(language: Language, value: &FluentValue<'_>) -> Option<String> {
    let FluentValue::Number(count) = value else { return None };
    // Whole numbers, which a float holds to the letter up to 2^53.
    (count.value >= 0.0 && count.value.fract() == 0.0).then(|| number(language, count.value as u64))
}

/// A number with its thousands apart: `12 345` with a narrow no-break space, `12,345`.
pub fn number(language: Language, number: u64) -> String {
    let separator = match language {
        Language::French => '\u{202f}',
        Language::English => ',',
    };
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(separator);
        }
        text.push(digit);
    }
    text
}

const FRENCH_MONTHS: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];

/// A day: `1er décembre 2026`, `1 December 2026`.
pub fn day(language: Language, at: Timestamp) -> String {
    let date = at.to_zoned(TimeZone::system()).date();
    match language {
        Language::French => {
            let month = FRENCH_MONTHS[usize::from(date.month().unsigned_abs()) - 1];
            let first = if date.day() == 1 { "er" } else { "" };
            format!("{}{first} {month} {}", date.day(), date.year())
        }
        Language::English => date.strftime("%-d %B %Y").to_string(),
    }
}

/// A day and a time of day: `1er décembre 2026, 09:12`.
pub fn moment(language: Language, at: Timestamp) -> String {
    format!("{}, {}", day(language, at), at.to_zoned(TimeZone::system()).strftime("%H:%M"))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::path::{Path, PathBuf};

    use regex::Regex;

    use super::*;
    use crate::conflict::ConflictKind;
    use crate::console::failure::Failure;
    use crate::console::lists::{self, SHOWN};
    use crate::console::staff;
    use crate::store::{KEYS, OpenedBy};

    fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                found.extend(files(&path, extensions));
            } else if path.extension().is_some_and(|kind| extensions.iter().any(|known| kind == *known)) {
                found.push(path);
            }
        }
        found
    }

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/console")
    }

    /// Key and the values that its words name.
    fn messages(language: Language) -> BTreeMap<String, BTreeSet<String>> {
        let key = Regex::new(r"(?m)^([a-z][a-z0-9-]*) *=").expect("valid");
        let value = Regex::new(r"\$([a-z_]+)").expect("valid");
        let mut found = BTreeMap::new();
        for file in files(&root().join("i18n").join(language.code()), &["ftl"]) {
            let text = fs::read_to_string(&file).expect("readable");
            let starts: Vec<_> =
                key.captures_iter(&text).map(|c| (c.get(0).expect("whole").start(), c[1].to_owned())).collect();
            for (index, (start, name)) in starts.iter().enumerate() {
                let end = starts.get(index + 1).map_or(text.len(), |(next, _)| *next);
                let values = value.captures_iter(&text[*start..end]).map(|c| c[1].to_owned()).collect();
                assert!(found.insert(name.clone(), values).is_none(), "{name} stands twice");
            }
        }
        found
    }

    /// What is quoted and has the shape of a key that is there, and is none.
    const NO_KEYS: &[&str] = &[
        // Drafts
        "lists-paste",
        "staff-domains",
        "staff-import",
        "staff-lists",
        "staff-marking",
        "staff-organisations",
        "staff-rules",
        "staff-team",
        "staff-users",
        // The id of a heading
        "secrets-title",
        // A kind of change in the journal
        "secrets-reset",
        // The name of a failure
        "sign-in",
    ];

    /// Keys that the code builds from parts.
    fn built() -> BTreeSet<String> {
        let lists = SHOWN
            .into_iter()
            .map(lists::name)
            .flat_map(|name| ["button", "empty", "lead", "title", "what"].map(|part| format!("lists-{name}-{part}")));
        let failures = FAILURES
            .iter()
            .flat_map(|failure| ["title", "text"].map(|part| format!("failure-{}-{part}", failure.name())));
        let settings = KEYS.into_iter().map(staff::setting_words).flat_map(|key| [format!("{key}-hint"), key]);
        let wrong = staff::WORDED.into_iter().map(staff::wrong_words);
        let conflicts = ConflictKind::ALL.into_iter().map(|kind| format!("staff-conflict-{}", kind.as_str()));
        let ways = OpenedBy::ALL.into_iter().map(|way| format!("opened-by-{}", way.as_str()));
        lists.chain(failures).chain(settings).chain(wrong).chain(conflicts).chain(ways).collect()
    }

    /// Failures that are answered with a page.
    const FAILURES: [Failure; 9] = [
        Failure::NotFound,
        Failure::Foreign,
        Failure::Malformed,
        Failure::TooLarge,
        Failure::TooMany(1),
        Failure::StoreAway,
        Failure::Network,
        Failure::Locked,
        Failure::Internal,
    ];

    /// What is quoted in the sources, tests apart, and has the shape of a key; with the files where it stands.
    fn quoted() -> BTreeMap<String, BTreeSet<PathBuf>> {
        let shape = Regex::new(r#""([a-z][a-z0-9]*(?:-[a-z0-9]+)+)""#).expect("valid");
        let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for file in files(&root(), &["rs", "html", "txt"]) {
            if file.ends_with("tests.rs") {
                continue;
            }
            let text = fs::read_to_string(&file).expect("readable");
            let (sources, _) = text.split_once("#[cfg(test)]\nmod ").unwrap_or((&text, ""));
            for quote in shape.captures_iter(sources) {
                found.entry(quote[1].to_owned()).or_default().insert(file.clone());
            }
        }
        found
    }

    #[test]
    fn every_key_is_in_both_languages_with_the_same_values() {
        let [french, english] = Language::ALL.map(messages);
        assert_eq!(french.keys().collect::<Vec<_>>(), english.keys().collect::<Vec<_>>());
        for (key, values) in &french {
            assert_eq!(values, &english[key], "{key}");
        }
    }

    #[test]
    fn whatever_looks_like_a_key_is_one_and_every_key_is_used() {
        fn subject(key: &str) -> Option<&str> {
            key.split('-').next()
        }
        let (known, quoted, built) = (messages(Language::French), quoted(), built());
        let subjects: BTreeSet<_> = known.keys().map(|key| subject(key)).collect();
        let is_meant = |key: &str| subjects.contains(&subject(key)) && !NO_KEYS.contains(&key);
        let missing: Vec<_> = quoted.iter().filter(|(key, _)| is_meant(key) && !known.contains_key(*key)).collect();
        assert!(missing.is_empty(), "no words for {missing:#?}");
        let missing: Vec<_> = built.iter().filter(|key| !known.contains_key(*key)).collect();
        assert!(missing.is_empty(), "no words for {missing:?}, which the code builds from parts");
        let unused: Vec<_> = known.keys().filter(|key| !quoted.contains_key(*key) && !built.contains(*key)).collect();
        assert!(unused.is_empty(), "nobody says {unused:?}");
        let idle: Vec<_> = NO_KEYS.iter().filter(|name| !quoted.contains_key(**name)).collect();
        assert!(idle.is_empty(), "no exception is needed for {idle:?}");
    }

    #[test]
    fn no_french_line_breaks_before_a_mark_or_within_quotes() {
        // They take a blank in French, and one that does not break.
        let plain = Regex::new(r"^[^#].*( [:;?!»]|« )").expect("valid");
        for file in files(&root().join("i18n").join(Language::French.code()), &["ftl"]) {
            let text = fs::read_to_string(&file).expect("readable");
            let breaking: Vec<_> = text.lines().filter(|line| plain.is_match(line)).collect();
            assert!(breaking.is_empty(), "{file:?}: {breaking:#?}");
        }
    }

    #[test]
    fn numbers_and_dates_are_written_as_their_readers_do() {
        assert_eq!(number(Language::French, 1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(number(Language::English, 1_234_567), "1,234,567");
        assert_eq!(number(Language::English, 999), "999");
        let counted = |language| text(language, "lists-preview-good", &[("count", 30_000.into())]);
        assert_eq!(counted(Language::French), "30\u{202f}000 entrées à ajouter.");
        assert_eq!(counted(Language::English), "30,000 entries to add.");
        let at: Timestamp = "2026-12-01T12:00:00Z".parse().expect("a time");
        assert_eq!(day(Language::French, at), "1er décembre 2026");
        assert_eq!(day(Language::English, at), "1 December 2026");
    }
}
