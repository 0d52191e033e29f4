//! What is wrong with a configuration, where, and what to do about it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The daemon does not start, or cannot do what the configuration asks.
    Error,
    /// It runs, and something is likely not as intended.
    Warning,
    /// Something worth knowing; nothing is wrong.
    Note,
}

impl Severity {
    /// The name, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Where a problem stands: a file, and a line of it, counted from 1, where one is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file as it was named, or the program that was asked (`postconf`).
    pub file: String,
    /// The line.
    pub line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// One problem, displayed as `file:line: key: what; remedy`, with `warning: ` or `note: ` before the key where it is no
/// error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How much it matters.
    pub severity: Severity,
    /// Where it stands.
    pub place: Place,
    /// The key, with its sections (`milter.listener[2].address`); empty where no key is concerned.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    /// The problem as one line of the lists that `check --json` prints.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "severity": self.severity.as_str(),
            "file": self.place.file,
            "line": self.place.line,
            "key": self.key,
            "what": self.what,
            "remedy": self.remedy,
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if self.severity != Severity::Error {
            write!(f, "{}: ", self.severity.as_str())?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        // A file may hold anything, and one line is one problem.
        let what = self.what.replace(char::is_control, "\u{fffd}");
        write!(f, "{what}; {}", self.remedy)
    }
}

/// Every key the configuration knows and, of those that the file sets, the line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyLines {
    pub(super) file: String,
    pub(super) lines: BTreeMap<String, Option<usize>>,
}

impl KeyLines {
    /// The place of `key`, or of the nearest section above it that the file has, or the file alone.
    pub fn place(&self, key: &str) -> Place {
        let mut name = key;
        let line = loop {
            if let Some(line) = self.lines.get(name).copied().flatten() {
                break Some(line);
            }
            match name.rfind(['.', '[']) {
                Some(end) => name = &name[..end],
                None => break None,
            }
        };
        Place { file: self.file.clone(), line }
    }

    /// Whether the file sets `key`.
    pub fn is_set(&self, key: &str) -> bool {
        self.lines.get(key).copied().flatten().is_some()
    }

    /// Every known key and section, with its line where the file sets it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<usize>)> {
        self.lines.iter().map(|(key, line)| (key.as_str(), *line))
    }

    /// A problem at `key`.
    pub fn problem(
        &self,
        severity: Severity,
        key: &str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Problem {
        Problem { severity, place: self.place(key), key: key.to_owned(), what: what.into(), remedy: remedy.into() }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file that was named does not exist.
    #[error("{}: no such file; create it, correct {named_by}, or leave it out for the built-in defaults", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What named it: an option or a variable.
        named_by: &'static str,
    },
    /// The file exists and cannot be read.
    #[error("{}: it cannot be read: {source}; give the user that runs perso-milter the right to read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is larger than [`super::MAX_FILE`].
    #[error("{}: it is larger than 1 MiB; this is no configuration of perso-milter", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file has errors: all of them, and the warnings, by line.
    #[error("{}", lines(.0))]
    Invalid(Vec<Problem>),
}

impl LoadError {
    /// The same as problems: what `check` prints.
    pub fn into_problems(self) -> Vec<Problem> {
        let path = match &self {
            Self::Invalid(_) => None,
            Self::Missing { path, .. } | Self::Unreadable { path, .. } | Self::TooLarge { path } => Some(path),
        };
        let file = path.map(|path| path.display().to_string()).unwrap_or_default();
        let text = self.to_string();
        match self {
            Self::Invalid(problems) => problems,
            _ => {
                let text = text.strip_prefix(&format!("{file}: ")).unwrap_or(&text);
                let (what, remedy) = text.rsplit_once("; ").unwrap_or((text, ""));
                vec![Problem {
                    severity: Severity::Error,
                    place: Place { file, line: None },
                    key: String::new(),
                    what: what.to_owned(),
                    remedy: remedy.to_owned(),
                }]
            }
        }
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
