//! What `postconf` says of a Postfix.
//!
//! Formats: `postconf -x` prints `name = value` with `$name` expanded; `postconf -M` the lines of master.cf (service, type,
//! private, unprivileged, chroot, wakeup, maxproc, command and arguments); `postconf -P` the parameters that
//! master.cf overrides, `service/type/name = value`.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::config::{Place, Problem, Severity};

/// The settings of one Postfix.
#[derive(Debug, Clone, Default)]
pub(super) struct Postconf {
    /// The directory given to `postconf -c`.
    directory: Option<PathBuf>,
    parameters: BTreeMap<String, String>,
    pub(super) services: Vec<Service>,
    pub(super) overrides: Vec<Override>,
    /// What tables say, in place of postmap: for tests.
    pub(super) answers: Option<BTreeMap<String, String>>,
}

/// What a table says to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lookup {
    /// This.
    Found(String),
    /// Nothing.
    Missing,
    /// It cannot be asked.
    Failed,
}

/// One line of master.cf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) is_chrooted: bool,
    pub(super) command: String,
}

/// A parameter that master.cf sets for one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Override {
    /// `smtp/inet`
    pub(super) service: String,
    pub(super) name: String,
    pub(super) value: String,
}

impl Postconf {
    /// Asks `postconf`, of the configuration in `directory` where one is given; `None` where no Postfix is installed and
    /// no directory was given.
    ///
    /// # Errors
    /// A problem to print: `postconf` does not run, or does not accept the directory.
    pub(super) fn read(directory: Option<&Path>) -> Result<Option<Self>, Problem> {
        let Some(parameters) = ask(directory, "-x")? else { return Ok(None) };
        let services = ask(directory, "-M")?.unwrap_or_default();
        let overrides = ask(directory, "-P")?.unwrap_or_default();
        let directory = directory.map(Path::to_owned);
        Ok(Some(Self { directory, ..Self::parse(&parameters, &services, &overrides) }))
    }

    /// Reads what the three calls print; lines of another form are passed over.
    pub(super) fn parse(parameters: &str, services: &str, overrides: &str) -> Self {
        let pair = |line: &str| {
            let (name, value) = line.split_once('=')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        };
        let overrides = overrides.lines().filter_map(pair).filter_map(|(name, value)| {
            let (service, name) = name.rsplit_once('/')?;
            Some(Override { service: service.to_owned(), name: name.to_owned(), value })
        });
        Self {
            directory: None,
            parameters: parameters.lines().filter_map(pair).collect(),
            services: services.lines().filter_map(service).collect(),
            overrides: overrides.collect(),
            answers: None,
        }
    }

    /// The value in main.cf, or Postfix's default; empty for one that this Postfix does not know.
    pub(super) fn get(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// The [`words`] of the value.
    pub(super) fn words(&self, name: &str) -> impl Iterator<Item = &str> {
        words(self.get(name))
    }

    /// The value in seconds, of a time as Postfix writes it (`300s`, `5m`); seconds where it has no unit.
    pub(super) fn seconds(&self, name: &str) -> Option<u64> {
        seconds(self.get(name))
    }

    /// Where `postconf` says that main.cf is.
    pub(super) fn place(&self) -> Place {
        Place { file: self.directory().join("main.cf").display().to_string(), line: None }
    }

    /// Where main.cf lies.
    pub(super) fn directory(&self) -> PathBuf {
        self.directory.clone().unwrap_or_else(|| PathBuf::from(self.get("config_directory")))
    }

    /// What the first of several tables that has an answer says to a key, as Postfix asks them.
    pub(super) fn first(&self, tables: &str, key: &str) -> Lookup {
        let mut failed = false;
        for table in words(tables) {
            match self.postmap(table, &["-q", key]) {
                Lookup::Missing => {}
                Lookup::Failed => failed = true,
                found => return found,
            }
        }
        if failed { Lookup::Failed } else { Lookup::Missing }
    }

    /// The first address of a table that leads to more than one.
    pub(super) fn several(&self, table: &str) -> Lookup {
        let listed = match self.postmap(table, &["-s"]) {
            Lookup::Found(text) => text,
            other => return other,
        };
        let several = listed.lines().find_map(|line| {
            let (address, to) = line.split_once(char::is_whitespace)?;
            (words(to).count() > 1).then(|| address.to_owned())
        });
        several.map_or(Lookup::Missing, Lookup::Found)
    }

    fn postmap(&self, table: &str, arguments: &[&str]) -> Lookup {
        if let Some(answers) = &self.answers {
            let key = format!("{table} {}", arguments.join(" "));
            return answers.get(&key).map_or(Lookup::Missing, |answer| Lookup::Found(answer.clone()));
        }
        let mut command = program("postmap");
        command.arg("-c").arg(self.directory()).args(arguments).arg(table);
        match command.output() {
            Ok(output) if output.status.success() => {
                Lookup::Found(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
            }
            Ok(output) if output.stderr.is_empty() => Lookup::Missing,
            _ => Lookup::Failed,
        }
    }

    /// The command that sets a parameter, to be pasted.
    pub(super) fn command(&self, setting: &str) -> String {
        match &self.directory {
            Some(directory) => format!("postconf -c {} -e '{setting}'", directory.display()),
            None => format!("postconf -e '{setting}'"),
        }
    }
}

/// The words of a list, split at commas and blanks. Braces keep together what stands within them, as Postfix reads tables
/// that are written out: `inline:{ {a = b, c} }`, `regexp:{ {/x/ OK} }`.
pub(super) fn words(list: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let is_end = move |c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && matches!(c, ',' | ' ' | '\t')
    };
    list.split(is_end).filter(|word| !word.is_empty())
}

fn seconds(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn service(line: &str) -> Option<Service> {
    let mut words = line.split_whitespace();
    let (name, kind) = (words.next()?, words.next()?);
    let chroot = words.nth(2)?;
    let command = words.nth(2)?;
    Some(Service {
        name: name.to_owned(),
        kind: kind.to_owned(),
        is_chrooted: chroot == "y",
        command: command.to_owned(),
    })
}

/// A program of Postfix. A user's PATH often lacks its directory.
fn program(name: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(name);
    command.env("PATH", format!("{path}:/usr/sbin:/usr/local/sbin"));
    command
}

fn ask(directory: Option<&Path>, option: &str) -> Result<Option<String>, Problem> {
    let problem = |what: String| Problem {
        severity: Severity::Warning,
        place: Place { file: "postconf".to_owned(), line: None },
        key: String::new(),
        what,
        remedy: "run it by hand, or give the directory of main.cf with --postconf-dir".to_owned(),
    };
    let mut command = program("postconf");
    if let Some(directory) = directory {
        command.arg("-c").arg(directory);
    }
    let output = match command.arg(option).output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound && directory.is_none() => return Ok(None),
        Err(error) => return Err(problem(format!("postconf {option} does not run: {error}"))),
    };
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let complaint = complaint.lines().last().unwrap_or("it says nothing");
        return Err(problem(format!("postconf {option} fails: {complaint}")));
    }
    Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_postconf_prints_is_read() {
        let postconf = Postconf::parse(
            "smtpd_milters = inet:127.0.0.1:8891, { unix:a, default_action=accept }\nalways_bcc =\nsmtpd_timeout = 5m\n",
            "smtp       inet  n       -       y       -       -       smtpd\n    -o syslog_name=x\n",
            "submission/inet/milter_macro_daemon_name = ORIGINATING\n",
        );
        assert_eq!(postconf.get("smtpd_milters"), "inet:127.0.0.1:8891, { unix:a, default_action=accept }");
        assert_eq!(postconf.get("always_bcc"), "");
        assert_eq!(postconf.seconds("smtpd_timeout"), Some(300));
        let [smtp] = &postconf.services[..] else { panic!("{:?}", postconf.services) };
        assert_eq!((smtp.name.as_str(), smtp.command.as_str(), smtp.is_chrooted), ("smtp", "smtpd", true));
        let [daemon] = &postconf.overrides[..] else { panic!("{:?}", postconf.overrides) };
        assert_eq!((daemon.service.as_str(), daemon.value.as_str()), ("submission/inet", "ORIGINATING"));
    }

    #[test]
    fn words_are_split_outside_braces() {
        for (list, expected) in [
            ("", &[][..]),
            ("hash:/a, hash:/b\thash:/c,,", &["hash:/a", "hash:/b", "hash:/c"]),
            (
                "inline:{ {a@d.example = b@d.example, c@d.example} {k = v} }, hash:/a",
                &["inline:{ {a@d.example = b@d.example, c@d.example} {k = v} }", "hash:/a"],
            ),
            ("regexp:{ {/^X-{2,3}:/ WARN a b} } pcre:/x", &["regexp:{ {/^X-{2,3}:/ WARN a b} }", "pcre:/x"]),
            ("pipemap:{hash:/a,hash:/b} x", &["pipemap:{hash:/a,hash:/b}", "x"]),
            ("a} b", &["a}", "b"]),
            ("a {b c", &["a", "{b c"]),
        ] {
            assert_eq!(words(list).collect::<Vec<_>>(), expected, "{list}");
        }
    }

    /// A table that is written out in main.cf is one table.
    #[test]
    fn an_inline_table_is_asked_whole() {
        let inline = "inline:{ {a = b, c} }";
        let answers = [(format!("{inline} -q a"), "b, c".to_owned())].into();
        let postconf = Postconf { answers: Some(answers), ..Postconf::default() };
        assert_eq!(postconf.first(&format!("hash:/x, {inline}"), "a"), Lookup::Found("b, c".to_owned()));
    }

    #[test]
    fn times_have_units() {
        for (text, expected) in
            [("30", Some(30)), ("30s", Some(30)), ("2h", Some(7200)), ("1w", Some(604_800)), ("x", None)]
        {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
