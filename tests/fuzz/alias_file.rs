//! Files of aliases: each line is taken, refused or passed over, and what is taken is what Postfix would read.

use std::collections::HashSet;

use perso_milter::cli::import::alias_file::{Alias, AliasFile, Problem, Syntax, Target};
use perso_milter::policy::address::{Address, Domain};

/// `data` is a file, read as both formats, with and without a domain for names.
pub fn holds(data: &[u8]) {
    let domain = Domain::parse("acme.example").expect("a domain");
    for syntax in [Syntax::Virtual, Syntax::Aliases] {
        for domain in [None, Some(&domain)] {
            let file = AliasFile::parse(data, syntax, domain);
            check_lines(&file, data.iter().filter(|byte| **byte == b'\n').count() as u64 + 1);
            check_aliases(&file);
            let commented = AliasFile::parse(&[data, b"\n# end\n \n"].concat(), syntax, domain);
            assert_eq!(commented.aliases, file.aliases, "with a comment at the end");
            assert_eq!((commented.refused, commented.skipped), (file.refused, file.skipped));
            if syntax == Syntax::Virtual {
                file.aliases.iter().for_each(check_rewritten);
            }
        }
    }
}

/// Each line comes to one thing, by a number that the file has.
fn check_lines(file: &AliasFile, lines: u64) {
    let taken = file.aliases.iter().map(|alias| alias.line);
    let others = file.refused.iter().map(|(line, _)| *line).chain(file.skipped.iter().map(|(line, _)| *line));
    let mut seen = HashSet::new();
    for line in taken.chain(others) {
        assert!((1..=lines).contains(&line), "line {line} of {lines}");
        assert!(seen.insert(line), "line {line} twice");
    }
    for (line, problem) in &file.refused {
        if let Problem::Twice(first) = problem {
            assert!(first < line && file.aliases.iter().any(|alias| alias.line == *first), "{first} before {line}");
        }
    }
}

/// No address stands on the left twice, and each leads somewhere.
fn check_aliases(file: &AliasFile) {
    let mut seen = HashSet::new();
    for Alias { line, address, targets } in &file.aliases {
        assert!(seen.insert(address), "line {line}: {} twice", address.as_str());
        assert!(!targets.is_empty(), "line {line}");
        let addresses = targets.iter().filter_map(|target| match target {
            Target::Address(address) | Target::Mailbox(address) => Some(address),
            _ => None,
        });
        for address in std::iter::once(address).chain(addresses) {
            assert_eq!(Address::parse(address.as_str()).as_ref(), Ok(address), "not its own normal form");
        }
    }
}

/// Addresses that are written as they were read are read the same.
fn check_rewritten(alias: &Alias) {
    let plain = |address: &Address| !address.as_str().starts_with(['#', '|', '/', '@']);
    let targets: Option<Vec<&str>> = alias
        .targets
        .iter()
        .map(|target| match target {
            Target::Address(address) if plain(address) => Some(address.as_str()),
            _ => None,
        })
        .collect();
    let Some(targets) = targets.filter(|_| plain(&alias.address)) else { return };
    let line = format!("{} {}\n", alias.address.as_str(), targets.join(",\n "));
    let read = AliasFile::parse(line.as_bytes(), Syntax::Virtual, None);
    assert_eq!(read.aliases, [Alias { line: 1, ..alias.clone() }], "{line}");
}
