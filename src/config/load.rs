//! From a path, a variable or nothing to a configuration.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::problem::{KeyLines, LoadError, Problem, Severity};
use super::reader::Reader;
use super::{Config, condition};

/// Largest file taken, in bytes.
pub const MAX_FILE: u64 = 1 << 20;
/// The variable that names the file where no option does.
const VARIABLE: &str = "PERSO_MILTER_CONFIG";
/// Where the file is looked for when nothing names one.
const USUAL_FILE: &str = "/etc/perso-milter/perso-milter.toml";

/// Where a configuration came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// No file: the built-in defaults.
    Defaults,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Defaults => f.write_str("built-in defaults"),
        }
    }
}

/// A configuration, and what is to be said about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// Where it came from.
    pub source: Source,
    /// What the file says.
    pub parsed: Parsed,
}

/// What a file without errors says.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The configuration.
    pub config: Config,
    /// Where each key stands.
    pub lines: KeyLines,
    /// What is likely not as intended, by line. To be logged at start and reload.
    pub warnings: Vec<Problem>,
}

/// Reads the configuration: the file that `named` (the option `-c`) or the variable `PERSO_MILTER_CONFIG` names, else
/// `/etc/perso-milter/perso-milter.toml` where it exists, else the built-in defaults. An empty variable names nothing.
///
/// # Errors
/// See [`LoadError`]. A file that is named and missing is an error, not a reason to go on with another.
pub fn load(named: Option<&Path>) -> Result<Loaded, LoadError> {
    load_from(named, std::env::var_os(VARIABLE).as_deref(), Path::new(USUAL_FILE))
}

fn load_from(named: Option<&Path>, variable: Option<&OsStr>, usual: &Path) -> Result<Loaded, LoadError> {
    let variable = variable.filter(|value| !value.is_empty()).map(Path::new);
    let named = named.map(|path| (path, "-c")).or(variable.map(|path| (path, VARIABLE)));
    let (path, named_by) = named.unwrap_or((usual, ""));
    let text = match read(path) {
        Ok(text) => text,
        Err(LoadError::Unreadable { source, .. }) if source.kind() == ErrorKind::NotFound => {
            if named.is_some() {
                return Err(LoadError::Missing { path: path.to_owned(), named_by });
            }
            let source = Source::Defaults;
            return Ok(Loaded { parsed: parse(&source.to_string(), "")?, source });
        }
        Err(error) => return Err(error),
    };
    Ok(Loaded { parsed: parse(&path.display().to_string(), &text)?, source: Source::File(path.to_owned()) })
}

fn read(path: &Path) -> Result<String, LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(LoadError::TooLarge { path: path.to_owned() });
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let mut reader = Reader::new(&path.display().to_string(), "");
        reader.error(line, "", "the line is not UTF-8", "save the file as UTF-8");
        LoadError::Invalid(reader.problems)
    })
}

/// Reads the text of a configuration; `file` is its name in problems.
///
/// # Errors
/// [`LoadError::Invalid`] with every problem of the text.
pub fn parse(file: &str, text: &str) -> Result<Parsed, LoadError> {
    let mut reader = Reader::new(file, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let byte = error.span().map_or(0, |span| span.start);
        let (line, column) = (reader.line(byte), reader.column(byte));
        let what = format!("column {column}: this is no TOML: {}", error.message().trim_end());
        reader.error(line, "", what.replace('\n', ", "), "see https://toml.io for how it is written");
    }
    let mut config = Config::default();
    // What is left of a broken file would give problems that it does not have.
    if errors.is_empty() {
        reader.read(table.get_ref(), |root| config.read(root));
        let conditions = condition::problems(&config, &reader.lines, &reader.problems);
        reader.problems.extend(conditions);
    }
    let Reader { lines, mut problems, .. } = reader;
    problems.sort_by(|a, b| a.place.cmp(&b.place));
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Err(LoadError::Invalid(problems));
    }
    Ok(Parsed { config, lines, warnings: problems })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    #[test]
    fn the_option_goes_before_the_variable_and_that_before_the_usual_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let [a, b, c] = ["a", "b", "c"].map(|name| file(folder.path(), name, "[authentication]\nmode = \"off\"\n"));
        let none = folder.path().join("none");
        let source = |named: Option<&Path>, variable: Option<&Path>, usual: &Path| {
            load_from(named, variable.map(Path::as_os_str), usual).expect("loads").source
        };
        assert_eq!(source(Some(&a), Some(&b), &c), Source::File(a.clone()));
        assert_eq!(source(None, Some(&b), &c), Source::File(b.clone()));
        assert_eq!(source(None, None, &c), Source::File(c.clone()));
        assert_eq!(source(None, Some(Path::new("")), &c), Source::File(c.clone()));
        assert_eq!(source(None, None, &none), Source::Defaults);
    }

    #[test]
    fn a_named_file_that_is_missing_is_an_error() {
        let none = Path::new("/nonexistent/perso-milter.toml");
        let error = load_from(None, Some(none.as_os_str()), none).expect_err("no file").to_string();
        assert_eq!(
            error,
            "/nonexistent/perso-milter.toml: no such file; create it, correct PERSO_MILTER_CONFIG, or leave it out for \
             the built-in defaults"
        );
    }

    #[test]
    fn a_file_without_end_is_refused() {
        let error = load_from(Some(Path::new("/dev/zero")), None, Path::new("")).expect_err("too large");
        assert!(matches!(error, LoadError::TooLarge { .. }), "{error}");
    }

    #[test]
    fn a_folder_is_no_file() {
        let problems = load_from(Some(Path::new("/")), None, Path::new("")).expect_err("a folder").into_problems();
        assert!(problems[0].to_string().starts_with("/: it cannot be read: "), "{}", problems[0]);
    }
}
