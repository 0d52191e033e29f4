//! What a sendmail.cf says of milters, daemons and the local mailer.
//!
//! Format: one command a line, its first letter the kind; a line that begins with a blank continues the one above; `#` begins
//! a comment line. `O Name=value` sets an option; `Xname, S=socket, F=flags, T=timeouts` defines a milter; `Mname, P=path,
//! F=flags, A=arguments` a mailer; `R` is a line of a ruleset, its parts separated by tabs.

use std::fs;
use std::io;
use std::path::Path;

use crate::config::Place;

/// One sendmail.cf.
#[derive(Debug, Clone, Default)]
pub(in crate::cli::check) struct Cf {
    file: String,
    /// Commands with the numbers of their first lines.
    commands: Vec<(usize, String)>,
}

/// A milter that is defined; it is called where InputMailFilters names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter<'a> {
    pub(super) line: usize,
    pub(super) name: &'a str,
    pub(super) socket: &'a str,
    pub(super) flags: &'a str,
    /// `C` to connect, `S` to send, `R` to read one answer, `E` from the end of the message to its answer; in seconds.
    pub(super) timeouts: Vec<(char, u64)>,
}

/// A mailer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mailer<'a> {
    pub(super) line: usize,
    pub(super) flags: &'a str,
    pub(super) arguments: &'a str,
}

/// One socket that Sendmail listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DaemonOptions<'a> {
    pub(super) line: usize,
    pub(super) name: &'a str,
    /// Milters of its own, in place of InputMailFilters.
    pub(super) filters: Option<Vec<&'a str>>,
}

impl Cf {
    /// # Errors
    /// The system's.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let text = fs::read(path)?;
        Ok(Self::parse(&path.display().to_string(), &String::from_utf8_lossy(&text)))
    }

    /// Reads a text; what it does not know it passes over.
    pub(super) fn parse(file: &str, text: &str) -> Self {
        let mut commands: Vec<(usize, String)> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            match (line.chars().next(), commands.last_mut()) {
                (None | Some('#'), _) => {}
                (Some(' ' | '\t'), Some((_, command))) => command.push_str(line),
                _ => commands.push((index + 1, line.to_owned())),
            }
        }
        Self { file: file.to_owned(), commands }
    }

    /// A line of the file, or the file.
    pub(super) fn place(&self, line: Option<usize>) -> Place {
        Place { file: self.file.clone(), line }
    }

    /// Commands of a kind, without their first letter.
    fn of_kind(&self, kind: char) -> impl Iterator<Item = (usize, &str)> {
        self.commands.iter().filter_map(move |(line, text)| Some((*line, text.strip_prefix(kind)?)))
    }

    /// Every value of an option, with its line.
    fn values(&self, name: &str) -> impl Iterator<Item = (usize, &str)> {
        self.of_kind('O').filter_map(move |(line, text)| {
            let (option, value) = text.strip_prefix(' ')?.split_once('=')?;
            option.trim().eq_ignore_ascii_case(name).then(|| (line, value.trim()))
        })
    }

    /// The value of an option that has one, with its line; the last counts.
    pub(super) fn option(&self, name: &str) -> Option<(usize, &str)> {
        self.values(name).last()
    }

    pub(super) fn filters(&self) -> impl Iterator<Item = Filter<'_>> {
        self.of_kind('X').map(|(line, text)| {
            let (name, rest) = text.split_at(text.find([',', ' ', '\t']).unwrap_or(text.len()));
            let field = |letter| field(rest, letter).unwrap_or_default();
            let timeouts = field('T').split(';').filter_map(|part| {
                let (kind, time) = part.split_once(':')?;
                Some((kind.trim().chars().next()?, seconds(time)?))
            });
            let timeouts = timeouts.collect();
            Filter { line, name, socket: field('S'), flags: field('F'), timeouts }
        })
    }

    /// The milters that are called, in their order.
    pub(super) fn called(&self) -> Vec<&str> {
        self.option("InputMailFilters").map(|(_, value)| names(value)).unwrap_or_default()
    }

    pub(super) fn mailer(&self, name: &str) -> Option<Mailer<'_>> {
        self.of_kind('M').find_map(|(line, text)| {
            let rest = text.strip_prefix(name).filter(|rest| rest.starts_with([',', ' ', '\t']))?;
            let field = |letter| field(rest, letter).unwrap_or_default();
            Some(Mailer { line, flags: field('F'), arguments: field('A') })
        })
    }

    pub(super) fn daemons(&self) -> impl Iterator<Item = DaemonOptions<'_>> {
        self.values("DaemonPortOptions").map(|(line, value)| DaemonOptions {
            line,
            name: field(value, 'N').unwrap_or_default(),
            filters: field(value, 'I').map(names),
        })
    }

    /// Whether local recipients lose what follows a `+`: ruleset 5 takes it off, unless the source has
    /// FEATURE(`preserve_local_plus_detail').
    pub(super) fn drops_detail(&self) -> bool {
        self.of_kind('R').any(|(_, rule)| {
            let words: Vec<&str> = rule.split_whitespace().collect();
            matches!(words[..], ["$+", "+", "$*", mailer, "$@", "+", "$2", ..] if mailer.starts_with("$#"))
        })
    }
}

/// The value of a field among those that commas separate. Sendmail, too, goes by the first letter of its name.
fn field(fields: &str, letter: char) -> Option<&str> {
    let mut pairs = fields.split(',').filter_map(|part| part.trim().split_once('='));
    pairs.find(|(name, _)| name.starts_with(letter)).map(|(_, value)| value.trim())
}

fn names(list: &str) -> Vec<&str> {
    list.split([',', ';']).map(str::trim).filter(|name| !name.is_empty()).collect()
}

/// A time as Sendmail writes it: `90`, `4m`, `1h30m`; seconds where it has no unit.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let mut total = 0u64;
    let mut number: Option<u64> = None;
    for c in text.trim().chars() {
        if let Some(digit) = c.to_digit(10) {
            number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(u64::from(digit))?);
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    total.checked_add(number.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CF: &str = "# O InputMailFilters=none\n\
        O InputMailFilters=opendkim, perso\n\
        O DaemonPortOptions=Family=inet, Name=MTA, Port=smtp\n\
        O DaemonPortOptions=Name=MSA, Port=587, M=Ea, InputMailFilters=opendkim;perso\n\
        Xopendkim, S=local:/run/opendkim/opendkim.sock\n\
        Xperso, S=inet:8891@127.0.0.1, F=T,\n\tT=C:10s;S:1m30s;R:30;E:5m\n\
        Mlocal,\t\tP=[IPC], F=lsDFMA5:/|@qPSXmnz9, S=EnvFromSMTP/HdrFromL,\n\t\tT=DNS/RFC822/SMTP,\n\t\tA=TCP $h\n";

    #[test]
    fn milters_and_their_callers_are_read() {
        let cf = Cf::parse("sendmail.cf", CF);
        assert_eq!(cf.called(), ["opendkim", "perso"]);
        let filters: Vec<_> = cf.filters().collect();
        let timeouts = vec![('C', 10), ('S', 90), ('R', 30), ('E', 300)];
        let perso = Filter { line: 6, name: "perso", socket: "inet:8891@127.0.0.1", flags: "T", timeouts };
        assert_eq!(filters[1..], [perso]);
        assert_eq!((filters[0].flags, filters[0].timeouts.len()), ("", 0));
        let daemons: Vec<_> = cf.daemons().collect();
        assert_eq!((daemons[0].name, &daemons[0].filters), ("MTA", &None));
        assert_eq!((daemons[1].name, daemons[1].filters.as_deref()), ("MSA", Some(&["opendkim", "perso"][..])));
    }

    #[test]
    fn a_mailer_is_read_with_the_lines_that_continue_it() {
        let cf = Cf::parse("sendmail.cf", CF);
        let local = cf.mailer("local").expect("a mailer");
        assert_eq!((local.line, local.flags, local.arguments), (8, "lsDFMA5:/|@qPSXmnz9", "TCP $h"));
        assert_eq!(cf.mailer("loca"), None);
    }

    #[test]
    fn the_rule_that_drops_a_detail_is_known() {
        let drops = |rules: &str| Cf::parse("sendmail.cf", rules).drops_detail();
        assert!(drops("R$+ + *\t\t\t$#local $@ $&h $: $1\nR$+ + $*\t\t$#local $@ + $2 $: $1 + *\n"));
        assert!(drops("R$+ + $*\t\t$#cyrusv2 $@ + $2 $: $1 + *\n"));
        assert!(!drops("R$+ + $* < @ $* >\t$: $1\n#R$+ + $*\t\t$#local $@ + $2 $: $1 + *\n"));
    }

    #[test]
    fn times_have_units() {
        for (text, expected) in [
            ("30", Some(30)),
            ("30s", Some(30)),
            ("1h30m", Some(5400)),
            ("2d", Some(172_800)),
            ("x", None),
            ("s", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
