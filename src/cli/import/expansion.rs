//! What an alias comes to, once those of its targets are expanded that are aliases themselves.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::alias_file::{Alias, Problem, Target};
use crate::policy::address::Address;
use crate::policy::plan::mailbox_candidates;

/// Most aliases that lead from one to the next.
pub const MAX_DEPTH: usize = 50;
/// Most targets that are looked at for one alias; it is one-to-many then, whatever the rest is. Postfix gives up at as
/// many (`virtual_alias_expansion_limit`).
pub const MAX_TARGETS: usize = 1000;

/// The aliases of a file, by left side.
pub struct Aliases<'a> {
    by_address: HashMap<&'a Address, &'a Alias>,
    delimiter: Option<char>,
}

/// Where an alias leads in the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    /// Addresses that are expanded no further.
    pub mailboxes: BTreeSet<Address>,
    /// Programs.
    pub programs: usize,
    /// Files to which mail is appended.
    pub files: usize,
    /// Files of further addresses.
    pub includes: usize,
    /// Targets of which no mailbox can be told.
    pub unreadable: Vec<Problem>,
    /// There are more than [`MAX_TARGETS`].
    pub cut: bool,
}

/// Why an alias leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpansionError {
    /// It leads back to where it came by.
    #[error("{0} is a circle, and Postfix would send such mail back; mend the file")]
    Circle(String),
    /// Over [`MAX_DEPTH`].
    #[error("more than {MAX_DEPTH} aliases lead from one to the next; mend the file")]
    TooDeep,
}

impl<'a> Aliases<'a> {
    /// The aliases of a file. An address that is none is looked up without its detail as well, as Postfix does.
    pub fn new(aliases: &'a [Alias], delimiter: Option<char>) -> Self {
        Self { by_address: aliases.iter().map(|alias| (&alias.address, alias)).collect(), delimiter }
    }

    /// Expands an alias.
    ///
    /// # Errors
    /// It leads in a circle, or too deep. That it names itself is none: Postfix delivers there.
    pub fn expand(&self, alias: &'a Alias) -> Result<Expansion, ExpansionError> {
        let mut walk =
            Walk { aliases: self, way: Vec::new(), seen: HashSet::new(), targets: 0, found: Expansion::default() };
        walk.alias(alias)?;
        Ok(walk.found)
    }

    fn get(&self, address: &Address) -> Option<&'a Alias> {
        let mut candidates = mailbox_candidates(address.clone(), self.delimiter);
        candidates.find_map(|address| self.by_address.get(&address).copied())
    }
}

/// The expansion of one alias, under way.
struct Walk<'w, 'a> {
    aliases: &'w Aliases<'a>,
    /// The aliases from the first to the present one.
    way: Vec<&'a Address>,
    /// Those that need not be expanded once more.
    seen: HashSet<&'a Address>,
    targets: usize,
    found: Expansion,
}

impl<'a> Walk<'_, 'a> {
    fn alias(&mut self, alias: &'a Alias) -> Result<(), ExpansionError> {
        if self.way.len() == MAX_DEPTH {
            return Err(ExpansionError::TooDeep);
        }
        self.way.push(&alias.address);
        for target in &alias.targets {
            if self.targets == MAX_TARGETS {
                self.found.cut = true;
                break;
            }
            self.targets += 1;
            self.target(alias, target)?;
        }
        self.way.pop();
        Ok(())
    }

    fn target(&mut self, alias: &'a Alias, target: &'a Target) -> Result<(), ExpansionError> {
        let found = &mut self.found;
        match target {
            Target::Address(address) => return self.address(alias, address),
            Target::Mailbox(address) => drop(found.mailboxes.insert(address.clone())),
            Target::Include => found.includes += 1,
            Target::Program => found.programs += 1,
            Target::File => found.files += 1,
            Target::Unreadable(problem) => found.unreadable.push(problem.clone()),
        }
        Ok(())
    }

    fn address(&mut self, alias: &'a Alias, address: &'a Address) -> Result<(), ExpansionError> {
        let Some(next) = self.aliases.get(address).filter(|next| next.address != alias.address) else {
            self.found.mailboxes.insert(address.clone());
            return Ok(());
        };
        if let Some(at) = self.way.iter().position(|passed| **passed == next.address) {
            let circle = self.way[at..].iter().copied().chain([&next.address]);
            return Err(ExpansionError::Circle(circle.map(Address::as_str).collect::<Vec<_>>().join(" -> ")));
        }
        if self.seen.insert(&next.address) { self.alias(next) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::alias_file::{AliasFile, Syntax};
    use super::*;
    use crate::policy::address::Domain;

    fn file(text: &str) -> AliasFile {
        let domain = Domain::parse("d.example").expect("a domain");
        let file = AliasFile::parse(text.as_bytes(), Syntax::Aliases, Some(&domain));
        assert_eq!(file.refused, []);
        file
    }

    /// Where the first alias of a file leads.
    fn expand(text: &str) -> Result<Expansion, ExpansionError> {
        let file = file(text);
        Aliases::new(&file.aliases, Some('+')).expand(&file.aliases[0])
    }

    fn mailboxes(text: &str) -> String {
        let expansion = expand(text).expect(text);
        let names = expansion.mailboxes.iter().map(|address| address.as_str().trim_end_matches("@d.example"));
        names.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn aliases_lead_to_mailboxes_by_way_of_others() {
        for (text, expected) in [
            ("a: b", "b"),
            ("a: b, c, b", "b c"),
            ("team: boss, dan\nboss: ben, sec\nsec: sue, boss2\nboss2: ben", "ben dan sue"),
            ("a: b, c\nb: d\nc: d\nd: e", "e"),
            ("a: b@d.example, x@other.example\nb: c", "c x@other.example"),
            // What names itself is a mailbox too.
            ("boss: boss, sec", "boss sec"),
            ("a: boss\nboss: boss, sec", "boss sec"),
            ("boss: \\boss, sec\nsec: sue", "boss sue"),
            ("a: \\b\nb: c", "b"),
            // A detail is looked up without it as well.
            ("a: b+x\nb: c", "c"),
            ("a: b+x", "b+x"),
            ("a: a+x", "a+x"),
        ] {
            assert_eq!(mailboxes(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_mailbox_is_counted() {
        let found = expand("a: b, \"|p q\", |p, /f, :include:/i, x!y!, :fail:\nb: |p").expect("it leads somewhere");
        assert_eq!((found.programs, found.files, found.includes, found.unreadable.len()), (3, 1, 1, 1));
        assert_eq!(found.mailboxes.len(), 1);
    }

    #[test]
    fn a_circle_is_told_with_its_way() {
        let circle = |names: &str| Err(ExpansionError::Circle(names.to_owned()));
        assert_eq!(expand("a: b\nb: a"), circle("a@d.example -> b@d.example -> a@d.example"));
        let inner = expand("a: x, b\nb: c, y\nc: c, d\nd: b");
        assert_eq!(inner, circle("b@d.example -> c@d.example -> d@d.example -> b@d.example"));
    }

    fn chain(length: usize) -> String {
        (0..length).map(|n| format!("a{n}: a{}\n", n + 1)).collect()
    }

    #[test]
    fn depth_and_number_are_bounded() {
        assert_eq!(mailboxes(&chain(MAX_DEPTH)), format!("a{MAX_DEPTH}"));
        assert_eq!(expand(&chain(MAX_DEPTH + 1)), Err(ExpansionError::TooDeep));
        let group = |size: usize| format!("a: {}\n", (0..size).map(|n| format!("u{n}")).collect::<Vec<_>>().join(", "));
        let (whole, cut) = (expand(&group(MAX_TARGETS)), expand(&group(MAX_TARGETS + 1)));
        assert!(whole.is_ok_and(|whole| whole.mailboxes.len() == MAX_TARGETS && !whole.cut));
        assert!(cut.is_ok_and(|cut| cut.cut));
        let same = expand(&format!("a: {}\n", "b, ".repeat(MAX_TARGETS + 1)));
        assert!(same.is_ok_and(|same| same.mailboxes.len() == 1 && same.cut));
    }

    proptest! {
        /// Whatever leads to what: an end in bounded time, and no end is an alias that leads on to others.
        #[test]
        fn any_file_is_expanded(lines in prop::collection::vec(prop::collection::vec(0usize..12, 1..5), 1..12)) {
            let name = |n: usize| format!("n{n}");
            let line = |(n, targets): (usize, &Vec<usize>)| {
                format!("n{n}: {}\n", targets.iter().map(|n| name(*n)).collect::<Vec<_>>().join(", "))
            };
            let file = file(&lines.iter().enumerate().map(line).collect::<String>());
            let aliases = Aliases::new(&file.aliases, None);
            for alias in &file.aliases {
                let Ok(expansion) = aliases.expand(alias) else { continue };
                prop_assert!(!expansion.mailboxes.is_empty() && !expansion.cut);
                for end in &expansion.mailboxes {
                    let names_itself = |alias: &&Alias| alias.targets.contains(&Target::Address(end.clone()));
                    let own = file.aliases.iter().find(|alias| alias.address == *end);
                    prop_assert!(own.is_none_or(|own| names_itself(&own)));
                }
            }
        }
    }
}
