//! The configuration: a text either loads, or every problem of it names its line.

use perso_milter::cli::postfix_config::{Directories, sections};
use perso_milter::config::{LoadError, Problem, Severity, parse};
use perso_milter::directory::Defaults;
use perso_milter::mark::MarkKey;
use perso_milter::split::SplitKey;

/// `data` is the text of a file; a file that is not UTF-8 is refused before it is parsed.
pub fn holds(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lines = text.matches('\n').count() + 1;
    match parse("f", text) {
        Ok(parsed) => {
            check(&parsed.warnings, lines);
            assert!(parsed.warnings.iter().all(|problem| problem.severity != Severity::Error));
            assert_eq!(parse("f", text).ok().as_ref(), Some(&parsed), "read twice");
            // Whatever loads can be gone by.
            let split_key = || SplitKey::new(&[0; 32]);
            let _ = Defaults::from(&parsed.config).settings(MarkKey::new(&[0; 32]), split_key());
            assert!(!sections(&parsed.config, Some(&split_key()), &Directories::default()).is_empty());
        }
        Err(LoadError::Invalid(problems)) => {
            check(&problems, lines);
            let errors: Vec<_> = problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
            assert!(!errors.is_empty(), "refused without an error");
            for error in errors {
                assert!(error.place.line.is_some(), "no line: {error}");
            }
        }
        Err(other) => panic!("no file was read: {other}"),
    }
}

fn check(problems: &[Problem], lines: usize) {
    for problem in problems {
        let shown = problem.to_string();
        assert!(!shown.contains(['\n', '\r', '\0', '\x1b']), "not one line: {shown:?}");
        assert!(!problem.what.is_empty() && !problem.remedy.is_empty(), "{shown}");
        assert!(problem.place.line.is_none_or(|line| (1..=lines).contains(&line)), "of {lines} lines: {shown}");
    }
}
