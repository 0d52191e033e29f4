//! Postfix's files of aliases, virtual(5) and aliases(5): each line a left side, and the targets that it expands to.
//!
//! ```text
//! # virtual(5)                                   # aliases(5)
//! a.martin@example.org  alice@host.internal      team: alice, bob,
//! boss@example.org      boss@host.internal          carol
//!     secretary@host.internal                    post: "|/usr/bin/post -q"
//! @example.net          alice@example.org        staff: :include:/etc/staff
//! ```
//!
//! In both, lines that are empty or begin with `#` are none, also within a longer one; a line that begins with a blank
//! continues the one before; targets are separated by commas or blanks. Where an address stands twice on the left, Postfix
//! takes the first.

use std::collections::HashMap;

use crate::policy::address::{Address, AddressError, Domain};

/// Which of the two formats a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// Left sides are addresses, followed by a blank.
    Virtual,
    /// Left sides are names of one domain, followed by a colon.
    Aliases,
}

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The number of its first line in the file.
    pub line: u64,
    /// The left side.
    pub address: Address,
    /// The right side; at least one.
    pub targets: Vec<Target>,
}

/// What an alias expands to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An address, which may be a left side itself.
    Address(Address),
    /// A mailbox (`\name`), which is not expanded further.
    Mailbox(Address),
    /// The addresses in another file (`:include:/file`).
    Include,
    /// A program (`|command`).
    Program,
    /// A file to which mail is appended (`/file`).
    File,
    /// Something that we cannot tell the mailbox of.
    Unreadable(Problem),
}

/// Why a line is not taken, and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Other bytes than text.
    #[error("the line is not UTF-8; save the file as UTF-8")]
    NotUtf8,
    /// A continuation at the file's beginning.
    #[error("the line begins with a blank, but there is none before it that it could continue")]
    NothingToContinue,
    /// An odd number of quotes.
    #[error("a quote is not closed")]
    OpenQuote,
    /// No line of aliases(5).
    #[error("no colon ends the name; write NAME: TARGET, or say --format virtual")]
    NoColon,
    /// A left side alone.
    #[error("nothing stands behind the address; Postfix needs a target there")]
    NoTarget,
    /// What is neither an address nor anything else.
    #[error("{0}: this is no address: {1}")]
    NoAddress(String, AddressError),
    /// A name, and no domain to complete it.
    #[error("{0}: a name without its domain; say which with --domain DOMAIN")]
    NoDomain(String),
    /// An address on the left of aliases(5).
    #[error("{0}: aliases(5) has names without a domain there; say --format virtual if this is a file of virtual(5)")]
    HasDomain(String),
    /// A comment behind a line, which Postfix takes for targets.
    #[error("Postfix takes what stands behind # for targets; put the comment on a line of its own")]
    Comment,
    /// The left side stood in the file before.
    #[error("line {0} says already what this address expands to, and Postfix takes the first")]
    Twice(u64),
}

/// Why a line is passed over: it is right, but tells of nobody's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Skipped {
    /// `@domain`
    #[error("a catch-all is nobody's address; what comes by it stays as it is")]
    CatchAll,
    /// `domain anything`
    #[error("it declares a domain and no address; `perso-milter org domain add` takes domains")]
    Domain,
    /// `|command` alone
    #[error("it goes to a program and to no mailbox")]
    Program,
    /// `/file` alone
    #[error("it goes to a file and to no mailbox")]
    File,
}

/// What a file says.
#[derive(Debug, Default)]
pub struct AliasFile {
    /// The good lines.
    pub aliases: Vec<Alias>,
    /// The bad ones, by number.
    pub refused: Vec<(u64, Problem)>,
    /// Those passed over, by number.
    pub skipped: Vec<(u64, Skipped)>,
}

impl AliasFile {
    /// Reads a file. `domain` is that of names that stand without one.
    pub fn parse(bytes: &[u8], syntax: Syntax, domain: Option<&Domain>) -> Self {
        let mut file = Self::default();
        let mut lines = HashMap::new();
        for (line, text) in file.logical_lines(bytes) {
            let text = std::str::from_utf8(&text).map_err(|_| Problem::NotUtf8);
            match text.and_then(|text| read(text, syntax, domain)) {
                Ok(Read::Alias(address, targets)) => match lines.get(&address) {
                    Some(first) => file.refused.push((line, Problem::Twice(*first))),
                    None => {
                        lines.insert(address.clone(), line);
                        file.aliases.push(Alias { line, address, targets });
                    }
                },
                Ok(Read::Skipped(why)) => file.skipped.push((line, why)),
                Err(problem) => file.refused.push((line, problem)),
            }
        }
        file
    }

    /// The lines with what continues them, each by the number of its first.
    fn logical_lines(&mut self, bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut lines: Vec<(u64, Vec<u8>)> = Vec::new();
        for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
            if matches!(line.trim_ascii_start().first(), None | Some(b'#')) {
                continue;
            }
            let continues = line.first().is_some_and(u8::is_ascii_whitespace);
            match lines.last_mut().filter(|_| continues) {
                Some((_, before)) => before.extend_from_slice(line),
                None if continues => self.refused.push((number, Problem::NothingToContinue)),
                None => lines.push((number, line.to_vec())),
            }
        }
        lines
    }
}

/// What one line says.
enum Read {
    Alias(Address, Vec<Target>),
    Skipped(Skipped),
}

fn read(text: &str, syntax: Syntax, domain: Option<&Domain>) -> Result<Read, Problem> {
    let (left, right) = match syntax {
        Syntax::Virtual => split(text, char::is_whitespace)?.unwrap_or((text, "")),
        Syntax::Aliases => split(text, |c| c == ':')?.ok_or(Problem::NoColon)?,
    };
    let left = left.trim();
    let is_domain = || left.contains('.') && !right.contains('@') && Domain::parse(left).is_ok();
    let address = match (syntax, left.contains('@')) {
        (Syntax::Aliases, true) => return Err(Problem::HasDomain(left.to_owned())),
        (Syntax::Virtual, true) if left.starts_with('@') => return Ok(Read::Skipped(Skipped::CatchAll)),
        (Syntax::Virtual, true) => address(left)?,
        (Syntax::Virtual, false) if is_domain() => return Ok(Read::Skipped(Skipped::Domain)),
        (_, false) => named(left, domain)?,
    };
    let targets: Vec<Target> = words(right)?.iter().map(|word| target(word, domain)).collect::<Result<_, Problem>>()?;
    if targets.is_empty() { Err(Problem::NoTarget) } else { Ok(Read::Alias(address, targets)) }
}

/// The text before and after the first such character outside quotes.
fn split(text: &str, is_end: impl Fn(char) -> bool) -> Result<Option<(&str, &str)>, Problem> {
    let mut quotes = Quotes::default();
    for (at, c) in text.char_indices() {
        if quotes.outside(c) && is_end(c) {
            return Ok(Some((&text[..at], &text[at + c.len_utf8()..])));
        }
    }
    if quotes.open { Err(Problem::OpenQuote) } else { Ok(None) }
}

/// Whether a character stands within quotes.
#[derive(Default)]
struct Quotes {
    open: bool,
    escaped: bool,
}

impl Quotes {
    /// Takes the next character: whether it stands outside quotes and is none itself.
    fn outside(&mut self, c: char) -> bool {
        let escaped = std::mem::take(&mut self.escaped);
        match c {
            '"' if !escaped => self.open = !self.open,
            '\\' if self.open && !escaped => self.escaped = true,
            _ => return !self.open,
        }
        false
    }
}

/// The targets as written. Of `Name <address>` the address counts.
fn words(text: &str) -> Result<Vec<&str>, Problem> {
    let mut all = Vec::new();
    let mut rest = Some(text);
    while let Some(text) = rest {
        let (group, behind) = split(text, |c| c == ',')?.map_or((text, None), |(group, behind)| (group, Some(behind)));
        rest = behind;
        let first = all.len();
        let mut left = Some(group);
        while let Some(text) = left {
            let (word, behind) =
                split(text, char::is_whitespace)?.map_or((text, None), |(word, behind)| (word, Some(behind)));
            left = behind;
            all.extend(Some(word).filter(|word| !word.is_empty()));
        }
        if all[first..].last().is_some_and(|word| word.starts_with('<')) {
            all.drain(first..all.len() - 1);
        }
    }
    Ok(all)
}

fn target(word: &str, domain: Option<&Domain>) -> Result<Target, Problem> {
    if word.starts_with('#') {
        return Err(Problem::Comment);
    }
    let word = word.strip_prefix('<').and_then(|word| word.strip_suffix('>')).unwrap_or(word);
    // Quotes around a whole target hold what has blanks: "|program with arguments".
    let inner = word.strip_prefix('"').and_then(|word| word.strip_suffix('"')).unwrap_or(word);
    if inner.starts_with('|') {
        return Ok(Target::Program);
    }
    if inner.starts_with('/') {
        return Ok(Target::File);
    }
    if inner.get(..INCLUDE.len()).is_some_and(|start| start.eq_ignore_ascii_case(INCLUDE)) {
        return Ok(Target::Include);
    }
    let read = |word: &str| if word.contains('@') { address(word) } else { named(word, domain) };
    let target = match word.strip_prefix('\\') {
        Some(name) => read(name).map(Target::Mailbox),
        None => read(word).map(Target::Address),
    };
    Ok(target.unwrap_or_else(Target::Unreadable))
}

const INCLUDE: &str = ":include:";

fn address(text: &str) -> Result<Address, Problem> {
    Address::parse(text).map_err(|error| Problem::NoAddress(text.to_owned(), error))
}

fn named(name: &str, domain: Option<&Domain>) -> Result<Address, Problem> {
    // Without a domain yet, what is no name is told from one that lacks it.
    let complete = |domain: &str| Address::parse(&format!("{name}@{domain}"));
    complete("example.org").map_err(|error| Problem::NoAddress(name.to_owned(), error))?;
    let domain = domain.ok_or_else(|| Problem::NoDomain(name.to_owned()))?;
    complete(domain.as_str()).map_err(|error| Problem::NoAddress(name.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str, syntax: Syntax) -> AliasFile {
        let domain = Domain::parse("acme.example").expect("a domain");
        AliasFile::parse(text.as_bytes(), syntax, Some(&domain))
    }

    /// The good lines as `NUMBER: LEFT -> TARGETS`.
    fn shown(file: &AliasFile) -> Vec<String> {
        let target = |target: &Target| match target {
            Target::Address(address) => address.as_str().to_owned(),
            Target::Mailbox(address) => format!("\\{}", address.as_str()),
            Target::Include => "include".to_owned(),
            Target::Program => "program".to_owned(),
            Target::File => "file".to_owned(),
            Target::Unreadable(problem) => format!("({problem})"),
        };
        let line = |alias: &Alias| {
            let targets: Vec<String> = alias.targets.iter().map(target).collect();
            format!("{}: {} -> {}", alias.line, alias.address.as_str(), targets.join(", "))
        };
        file.aliases.iter().map(line).collect()
    }

    #[test]
    fn lines_of_virtual_are_read_as_postfix_reads_them() {
        let file = parse(
            "# a comment\n\
             a.martin@acme.example  alice@host.internal\n\
             \t \n\
             Boss@ACME.example.\tboss@host.internal\n\
             # within a line\n\
             \n   , secretary@host.internal , \r\n\
             bare other\n\
             j.doe@acme.example \"john.doe\"@acme.example Jane <jane@acme.example>, \"A, B\" <ab@acme.example>\n\
             alice+lists@acme.example <bob@acme.example>\n",
            Syntax::Virtual,
        );
        assert_eq!(
            shown(&file),
            [
                "2: a.martin@acme.example -> alice@host.internal",
                "4: boss@acme.example -> boss@host.internal, secretary@host.internal",
                "8: bare@acme.example -> other@acme.example",
                "9: j.doe@acme.example -> jane@acme.example, ab@acme.example",
                "10: alice+lists@acme.example -> bob@acme.example",
            ]
        );
        assert_eq!((file.refused, file.skipped), (vec![], vec![]));
    }

    #[test]
    fn lines_of_aliases_are_read_as_postfix_reads_them() {
        let file = parse(
            "postmaster:    root\n\
             Root: Alice, bob@other.example\n\
             team: alice,\n\
             \tbob,carol\n\
             owner-team : alice\n\
             vacation: \\boss, \"|/usr/bin/vacation boss, please\"\n\
             \"john.doe\": \"john\"\n\
             post: |/usr/bin/post\n\
             archive: /var/mail/archive, \"/var/mail/more of it\"\n\
             staff: :include:/etc/mail/staff, \":Include:/etc/mail/more staff\"\n",
            Syntax::Aliases,
        );
        assert_eq!(
            shown(&file),
            [
                "1: postmaster@acme.example -> root@acme.example",
                "2: root@acme.example -> alice@acme.example, bob@other.example",
                "3: team@acme.example -> alice@acme.example, bob@acme.example, carol@acme.example",
                "5: owner-team@acme.example -> alice@acme.example",
                "6: vacation@acme.example -> \\boss@acme.example, program",
                "7: john.doe@acme.example -> john@acme.example",
                "8: post@acme.example -> program",
                "9: archive@acme.example -> file, file",
                "10: staff@acme.example -> include, include",
            ]
        );
        assert_eq!((file.refused, file.skipped), (vec![], vec![]));
    }

    #[test]
    fn what_is_nobodys_address_is_passed_over() {
        let file = parse(
            "@acme.example alice@acme.example\nacme.example anything\nacme.example.\tacme.example\nj.doe j@acme.example\n",
            Syntax::Virtual,
        );
        assert_eq!(file.skipped, [(1, Skipped::CatchAll), (2, Skipped::Domain), (3, Skipped::Domain)]);
        assert_eq!(shown(&file), ["4: j.doe@acme.example -> j@acme.example"]);
    }

    #[test]
    fn a_bad_line_says_what_is_wrong_and_its_neighbours_are_read() {
        use Problem::{Comment, HasDomain, NoColon, NoTarget, NothingToContinue, OpenQuote, Twice};
        let no_address = |text: &str, error| Problem::NoAddress(text.to_owned(), error);
        for (syntax, text, problem) in [
            (Syntax::Virtual, "  a@acme.example b@acme.example", NothingToContinue),
            (Syntax::Virtual, "a@acme.example", NoTarget),
            (Syntax::Virtual, "a@acme.example  , ,", NoTarget),
            (Syntax::Virtual, "a@acme.example \"b@acme.example", OpenQuote),
            (Syntax::Virtual, "\"a b@acme.example c@acme.example", OpenQuote),
            (Syntax::Virtual, "a@acme.example b@acme.example # his own", Comment),
            (Syntax::Virtual, "a@b@c x@acme.example", no_address("a@b@c", AddressError::Local)),
            (Syntax::Virtual, "/^team@acme\\.example$/ x@acme.example", {
                no_address("/^team@acme\\.example$/", AddressError::Domain)
            }),
            (Syntax::Virtual, "\"a b\"@acme.example x@acme.example", {
                no_address("\"a b\"@acme.example", AddressError::Local)
            }),
            (Syntax::Aliases, "team alice", NoColon),
            (Syntax::Aliases, "team:", NoTarget),
            (Syntax::Aliases, ": alice", no_address("", AddressError::Shape)),
            (Syntax::Aliases, "\"team: alice", OpenQuote),
            (Syntax::Aliases, "a@acme.example: alice", HasDomain("a@acme.example".to_owned())),
            (Syntax::Aliases, "good: someone", Twice(1)),
        ] {
            let good = match syntax {
                Syntax::Virtual => "good@acme.example x@acme.example",
                Syntax::Aliases => "good: x",
            };
            let bad_first = problem == NothingToContinue;
            let text = if bad_first { format!("{text}\n{good}\n") } else { format!("{good}\n{text}\n") };
            let file = parse(&text, syntax);
            assert_eq!(file.refused, [(if bad_first { 1 } else { 2 }, problem)], "{text}");
            assert_eq!(file.aliases.len(), 1, "{text}");
        }
        let file = AliasFile::parse(b"a: \xff\nb: c\n", Syntax::Aliases, None);
        assert_eq!(file.refused, [(1, Problem::NotUtf8), (2, Problem::NoDomain("b".to_owned()))]);
    }

    #[test]
    fn a_target_that_cannot_be_read_is_told_and_stays_a_target() {
        let file = parse("a: host!user, b c@[192.0.2.1], :fail: \"x y\"\n", Syntax::Aliases);
        let [Alias { targets, .. }] = &file.aliases[..] else { panic!("{file:?}") };
        let is_unreadable = |target: &Target| matches!(target, Target::Unreadable(Problem::NoAddress(..)));
        assert_eq!(targets.iter().map(is_unreadable).collect::<Vec<_>>(), [false, false, true, true, true]);
        let file = AliasFile::parse(b"a@acme.example bare\n", Syntax::Virtual, None);
        assert_eq!(file.aliases[0].targets, [Target::Unreadable(Problem::NoDomain("bare".to_owned()))]);
    }

    /// Files made of what such files are made of.
    fn any_file() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            8 => prop::sample::select(vec![
                "alice", "@acme.example", "alice@acme.example", " ", "\t", "\n", "\n ", "\r\n", ",", ":", "#", "\"", "\\",
                "<", ">", "|/bin/x", "/file", ":include:/f", "owner-", "é", "xn--", "+", "\0", "\u{feff}",
            ]).prop_map(|text| text.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..6),
        ];
        prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_and_each_line_comes_to_one_thing(bytes in any_file(), aliases in any::<bool>()) {
            let syntax = if aliases { Syntax::Aliases } else { Syntax::Virtual };
            let domain = Domain::parse("acme.example").expect("a domain");
            for domain in [None, Some(&domain)] {
                let file = AliasFile::parse(&bytes, syntax, domain);
                let mut lines: Vec<u64> = file.aliases.iter().map(|alias| alias.line).collect();
                prop_assert!(file.aliases.iter().all(|alias| !alias.targets.is_empty()));
                lines.extend(file.refused.iter().map(|(line, _)| line).chain(file.skipped.iter().map(|(line, _)| line)));
                let number = lines.len();
                lines.sort_unstable();
                lines.dedup();
                prop_assert_eq!(lines.len(), number, "a line is told of once");
                prop_assert!(lines.last().is_none_or(|last| *last <= bytes.split(|b| *b == b'\n').count() as u64));
            }
        }
    }
}
