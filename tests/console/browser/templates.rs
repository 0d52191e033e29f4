//! The templates of whole pages: those that the journeys have to look at.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// The templates by their paths, without the ending.
pub fn pages() -> BTreeSet<String> {
    whole().into_iter().map(|(name, _)| name).collect()
}

/// Name and text of what extends another template and is extended by none: the rest are layouts, parts of pages, and mails.
fn whole() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/console/templates");
    let extends = Regex::new(r#"\{%-? *extends "([^"]+)\.html""#).expect("valid");
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&root).expect("it is below").with_extension("");
        (name.to_str().expect("UTF-8").to_owned(), fs::read_to_string(&path).expect("readable"))
    };
    let all: Vec<_> = files(&root).into_iter().map(read).collect();
    let layout = |text: &str| extends.captures(text).map(|found| found[1].to_owned());
    let layouts: BTreeSet<String> = all.iter().filter_map(|(_, text)| layout(text)).collect();
    all.into_iter().filter(|(name, text)| layout(text).is_some() && !layouts.contains(name)).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    found.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn every_page_says_which_template_it_is() {
    let whole = whole();
    assert!(whole.len() > 40, "the templates are elsewhere: {whole:?}");
    for (name, text) in whole {
        assert!(text.contains(&format!("{{% block page %}}{name}{{% endblock %}}")), "{name} does not");
    }
}
