//! The files of `fixtures/config`, and the default file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config").join(folder);
    let entries = fs::read_dir(&folder).expect("the folder of fixtures exists");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

/// The problems as they are printed, with the file's name in place of its path.
fn printed(path: &Path, problems: &[Problem]) -> String {
    let folder = format!("{}/", path.parent().expect("a folder").display());
    problems.iter().map(|problem| format!("{problem}\n")).collect::<String>().replace(&folder, "")
}

#[test]
fn every_good_file_loads_with_the_warnings_written_beside_it() {
    for path in fixtures("good") {
        let loaded = load(Some(&path)).unwrap_or_else(|error| panic!("{error}"));
        let warnings = printed(&path, &loaded.parsed.warnings);
        let expected = fs::read_to_string(path.with_extension("expected")).unwrap_or_default();
        assert_eq!(warnings, expected, "{}", path.display());
    }
}

/// With `PERSO_MILTER_WRITE_EXPECTED` set, writes what is expected instead: read the difference before you keep it.
#[test]
fn every_bad_file_has_the_problems_written_beside_it() {
    let files = fixtures("bad");
    assert!(files.len() >= 15);
    for path in files {
        let problems = match load(Some(&path)) {
            Ok(_) => panic!("{} is accepted", path.display()),
            Err(error) => printed(&path, &error.into_problems()),
        };
        let beside = path.with_extension("expected");
        if std::env::var_os("PERSO_MILTER_WRITE_EXPECTED").is_some() {
            fs::write(&beside, &problems).expect("written");
        }
        assert_eq!(problems, fs::read_to_string(&beside).unwrap_or_default(), "{}", path.display());
    }
}

#[test]
fn the_default_file_is_the_default() {
    let parsed = parse("perso-milter.toml", DEFAULT_FILE).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(parsed.config, Config::default());
}

#[test]
fn the_default_file_shows_every_key() {
    // What has no default stands there as an example.
    let example = regex::Regex::new(r"(?m)^#([a-z_]+ = )").expect("valid");
    let shown = example.replace_all(DEFAULT_FILE, "$1").replace("authserv_ids = []", "authserv_ids = [\"a\"]");
    let parsed = parse("perso-milter.toml", &shown).unwrap_or_else(|error| panic!("{error}"));
    let missing: Vec<_> = parsed.lines.iter().filter(|(_, line)| line.is_none()).collect();
    assert_eq!(missing, []);
    assert!(parsed.lines.iter().count() > 40);
}

/// A paragraph of comments stands above every key.
#[test]
fn the_default_file_explains_every_key() {
    let lines: Vec<&str> = DEFAULT_FILE.lines().collect();
    for pair in lines.windows(2) {
        let is_key = pair[1].contains(" = ") && !pair[1].starts_with("# ");
        assert!(!is_key || pair[0].starts_with('#') || pair[0].starts_with("mode = "), "{}", pair[1]);
    }
}

#[test]
fn no_two_problems_of_one_file_are_the_same() {
    for path in fixtures("bad") {
        let problems = load(Some(&path)).map_or_else(LoadError::into_problems, |_| Vec::new());
        let different: BTreeSet<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(different.len(), problems.len(), "{}", path.display());
    }
}

#[test]
fn the_mode_follows_the_verifier() {
    let mode = |text: &str| parse("f", text).unwrap_or_else(|error| panic!("{error}")).config.authentication.mode();
    assert_eq!(mode(""), AuthenticationMode::Off);
    assert_eq!(mode("authentication.authserv_ids = ['a']"), AuthenticationMode::Required);
    assert_eq!(mode("authentication = { mode = 'off', authserv_ids = ['a'] }"), AuthenticationMode::Off);
}

#[test]
fn messages_are_split_where_there_is_a_listener_for_it() {
    let mode = |text: &str| parse("f", text).unwrap_or_else(|error| panic!("{error}")).config.split_mode();
    let path = "[[milter.listener]]\naddress = 'inet:1@127.0.0.1'\nrole = 'split'\n";
    assert_eq!(mode(""), SplitMode::Off);
    assert_eq!(mode(path), SplitMode::Edits);
    assert_eq!(mode(&format!("{path}[split]\nmode = 'mixed'")), SplitMode::Mixed);
    assert_eq!(mode(&format!("{path}[split]\nmode = 'off'")), SplitMode::Off);
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in "\\PC{0,200}") {
        let _ = parse("f", &text);
    }

    #[test]
    fn anything_near_a_configuration_is_read_without_panic(
        text in "((\\[+)?(milter|personal|listener|tag|limits|a)(\\]+)?( = )?(\"a\"|5|\\[\\]|\\{|\\})?\n?){0,12}"
    ) {
        let _ = parse("f", &text);
    }
}

#[test]
fn the_defaults_are_those_of_the_policy() {
    let config = Config::default();
    assert_eq!(config.personal.policy(), PersonalPolicy::default());
    assert_eq!(config.black.policy(), BlackPolicy::default());
    assert_eq!(config.white.policy(), WhitePolicy::default());
}
