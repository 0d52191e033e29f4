//! The database file and its keys, as files: who may read them, and which the process at hand can; then what the store says.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::folders;
use crate::config::{Parsed, Problem, Severity, SplitMode};
use crate::directory;
use crate::split::SplitKey;
use crate::store::{SealAccess, SqliteOptions, SqliteStore, Store, StoreError};

/// The keys beside the database, and what each opens.
const KEYS: [(&str, &str); 2] = [("match.key", "matches senders"), ("seal.key", "opens what users wrote")];
const KEY: &str = "store.url";

/// Every finding about the store's files, then what the store itself says.
pub(super) fn findings(parsed: &Parsed) -> Vec<Problem> {
    let path = parsed.config.store.url.path();
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut problems = Vec::new();
    let mut is_readable = false;
    let mut find = |severity, what: String, remedy: &str| {
        problems.push(parsed.lines.problem(severity, KEY, what, remedy));
    };
    match fs::metadata(&folder) {
        Ok(found) if !found.is_dir() => {
            find(Severity::Error, format!("{} is not a directory", folder.display()), "name a file in a directory");
        }
        Ok(_) => {
            is_readable = private(path, Severity::Warning, &mut find) == Some(true);
            for (name, duty) in KEYS {
                key(&folder.join(name), duty, &mut find);
            }
        }
        Err(error) => {
            let what = format!("the directory {} cannot be used: {error}", folder.display());
            let remedy = format!("create it: install -d -o perso-milter -g perso-milter -m 0700 {}", folder.display());
            find(Severity::Error, what, &remedy);
        }
    }
    if is_readable && problems.iter().all(|problem| problem.severity != Severity::Error) {
        problems.extend(store_findings(parsed));
    }
    problems
}

/// The key of the store's split markers; `None` where there is no store yet, or it cannot be opened.
pub(super) fn split_key(parsed: &Parsed) -> Option<SplitKey> {
    if parsed.config.split_mode() == SplitMode::Off || is_absent(parsed) {
        return None;
    }
    let options = SqliteOptions { seal: SealAccess::Never, ..SqliteOptions::default() };
    let store = SqliteStore::open(parsed.config.store.url.path(), options).ok()?;
    Some(directory::split_key(&store.keys().match_key))
}

fn is_absent(parsed: &Parsed) -> bool {
    fs::metadata(parsed.config.store.url.path()).map_or(0, |found| found.len()) == 0
}

/// What the store says of itself: its schema, whether its keys fit, whether its rows are as they were written. A store that
/// is not there yet says nothing, and is not created; one of an older schema is migrated, as the daemon would.
fn store_findings(parsed: &Parsed) -> Vec<Problem> {
    let path = parsed.config.store.url.path();
    if is_absent(parsed) {
        return Vec::new();
    }
    let problem = |severity, what: String, remedy: &str| parsed.lines.problem(severity, KEY, what, remedy);
    let options = SqliteOptions { seal: SealAccess::Never, ..SqliteOptions::default() };
    let load = || {
        let store = SqliteStore::open(path, options)?;
        let report = store.feed()?.load(&|_| ())?;
        let folders = folders::findings(parsed, &store, &store.organisations()?)?;
        Ok((report, folders))
    };
    match load() {
        Err::<_, StoreError>(error) => {
            let text = error.to_string();
            let (what, remedy) = text.rsplit_once("; ").unwrap_or((&text, "see the daemon's log"));
            vec![problem(Severity::Error, what.to_owned(), remedy)]
        }
        Ok((report, mut problems)) => {
            if report.rejected > 0 {
                let what =
                    format!("the lists of {} users were altered in the database; they are not served", report.rejected);
                problems.push(problem(
                    Severity::Error,
                    what,
                    "restore a backup; the log names the users by their numbers",
                ));
            }
            if report.rolled_back {
                let what = "rows were put back to an older state in the database".to_owned();
                problems.push(problem(Severity::Error, what, "restore a whole backup"));
            }
            problems
        }
    }
}

/// A file that others must not read; whether it exists and this process can read it.
fn private(path: &Path, severity: Severity, find: &mut impl FnMut(Severity, String, &str)) -> Option<bool> {
    let shown = path.display();
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => {
            find(
                Severity::Warning,
                format!("{shown} cannot be examined: {error}"),
                "run check as the user of the daemon",
            );
            return None;
        }
    };
    if !found.is_file() {
        find(Severity::Error, format!("{shown} is no file"), "name another");
        return None;
    }
    let mode = found.mode() & 0o777;
    if mode & 0o077 != 0 {
        let what = format!("others may use {shown}: its mode is {mode:04o}");
        find(severity, what, &format!("chmod 0600 {shown}"));
    }
    Some(File::open(path).is_ok())
}

fn key(path: &Path, duty: &str, find: &mut impl FnMut(Severity, String, &str)) {
    if let Some(is_readable) = private(path, Severity::Error, find) {
        let can = if is_readable { "can" } else { "cannot" };
        let what = format!("this process {can} read {}, which {duty}", path.display());
        find(Severity::Note, what, "the relay needs match.key alone");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::parse;

    fn found(path: &Path) -> Vec<String> {
        let text = format!("store.url = 'sqlite:{}'\nauthentication.mode = 'off'", path.display());
        let parsed = parse("f", &text).unwrap_or_else(|error| panic!("{error}"));
        findings(&parsed).iter().map(ToString::to_string).collect()
    }

    fn file(folder: &Path, name: &str, mode: u32) {
        let path = folder.join(name);
        fs::write(&path, "").expect("written");
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("a mode");
    }

    #[test]
    fn a_store_that_is_not_there_yet_gives_no_finding() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(found(&folder.path().join("perso-milter.db")), Vec::<String>::new());
    }

    #[test]
    fn a_missing_directory_is_an_error() {
        let found = found(Path::new("/nonexistent/perso-milter.db"));
        assert!(found[0].starts_with("f:1: store.url: the directory /nonexistent cannot be used"), "{found:?}");
    }

    #[test]
    fn files_that_others_can_read_are_errors_and_keys_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        file(folder.path(), "perso-milter.db", 0o644);
        file(folder.path(), "match.key", 0o600);
        file(folder.path(), "seal.key", 0o640);
        let found = found(&folder.path().join("perso-milter.db"));
        let claims = [
            "perso-milter.db: its mode is 0644",
            "match.key, which matches",
            "seal.key: its mode is 0640",
            "seal.key, which opens",
        ];
        assert_eq!(found.len(), claims.len(), "{found:#?}");
        for (line, claim) in found.iter().zip(claims) {
            assert!(line.contains(claim), "{line}");
        }
    }
}
