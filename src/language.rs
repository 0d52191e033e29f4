//! The two languages of the product.

use std::fmt;
use std::str::FromStr;

/// The language of words for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// Français, the default of pages and mails.
    #[default]
    French,
    /// English.
    English,
}

impl Language {
    /// Both.
    pub const ALL: [Self; 2] = [Self::French, Self::English];

    /// Its code (BCP 47), `fr` or `en`.
    pub fn code(self) -> &'static str {
        match self {
            Self::French => "fr",
            Self::English => "en",
        }
    }

    /// The language that a locale's name asks for (`fr_FR.UTF-8`); English where it is another.
    pub fn of_locale(locale: &str) -> Self {
        if locale.to_ascii_lowercase().starts_with("fr") { Self::French } else { Self::English }
    }

    /// The language of the environment: `LC_ALL`, else `LC_MESSAGES`, else `LANG`.
    pub fn of_environment() -> Self {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self::of_locale(&["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set).unwrap_or_default())
    }

    /// The first of a browser's languages (`Accept-Language`) that is one of ours; their order counts, not their
    /// weights, since browsers write them by weight.
    pub fn of_accepted(header: &str) -> Option<Self> {
        header.split(',').find_map(|range| range.split([';', '-']).next()?.trim().parse().ok())
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Why a text is no language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be fr or en")]
pub struct LanguageError;

impl FromStr for Language {
    type Err = LanguageError;

    fn from_str(text: &str) -> Result<Self, LanguageError> {
        Self::ALL.into_iter().find(|language| text.eq_ignore_ascii_case(language.code())).ok_or(LanguageError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_language_we_have_is_taken() {
        for (header, expected) in [
            ("fr-FR,fr;q=0.9,en;q=0.8", Some(Language::French)),
            ("de-DE, en-GB;q=0.8, fr", Some(Language::English)),
            ("de", None),
            ("", None),
        ] {
            assert_eq!(Language::of_accepted(header), expected, "{header}");
        }
    }
}
