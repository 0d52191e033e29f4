//! `perso-milter check`: every problem of the configuration, and of what stands around it.
//!
//! The file comes first ([`crate::config`]). Where it is sound, `listener` looks at the sockets, `store` at the
//! database and its keys, `folders` at what is asked for there and not proven, `postfix` compares with the Postfix that
//! `postconf` describes, or `sendmail` with a sendmail.cf that names one of our listeners. Each finding says what to do.

mod folders;
mod listener;
mod postconf;
mod postfix;
mod sendmail;
mod store;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config::{self, Config, DEFAULT_FILE, Loaded, Problem, Severity};
use crate::policy::authres::AuthenticationMode;
use postconf::Postconf;

/// What `check` answers when the configuration has errors.
const ERRORS: u8 = 2;

/// Checks the configuration and compares it with the running Postfix or Sendmail
///
/// Prints every problem as file:line: key: what is wrong; what to do. Exits with 2 where one is an error.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration [default: $PERSO_MILTER_CONFIG, then /etc/perso-milter/perso-milter.toml]
    #[arg(id = super::CONFIG, short, long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Compare with the Postfix configured in this directory [default: Postfix's own]
    #[arg(long, value_name = "DIR")]
    pub postconf_dir: Option<PathBuf>,
    /// Compare with the Sendmail that this file configures [default: /etc/mail/sendmail.cf, where it calls us]
    #[arg(long, value_name = "FILE")]
    pub sendmail_cf: Option<PathBuf>,
    /// Look at the configuration file alone
    #[arg(long, conflicts_with_all = ["postconf_dir", "sendmail_cf"])]
    pub file_only: bool,
    /// Print every key with its default, explained, and check nothing
    #[arg(long, conflicts_with_all = ["config", "json", "postconf_dir", "sendmail_cf", "file_only"])]
    pub print_default: bool,
}

/// Checks and prints.
///
/// # Errors
/// Where the answer cannot be printed. Whatever is wrong with the configuration is part of the answer.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let answer = answer(args);
    io::stdout().lock().write_all(answer.text.as_bytes())?;
    Ok(if answer.has_errors { ExitCode::from(ERRORS) } else { ExitCode::SUCCESS })
}

/// What `check` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What it prints, with a line break at the end.
    pub text: String,
    /// Whether one of the problems is an error.
    pub has_errors: bool,
}

/// Checks.
pub fn answer(args: &Args) -> Answer {
    if args.print_default {
        return Answer { text: DEFAULT_FILE.to_owned(), has_errors: false };
    }
    let (source, problems) = match config::load(args.config.as_deref()) {
        Ok(loaded) => (Some(loaded.source.to_string()), findings(args, &loaded)),
        Err(error) => (None, error.into_problems()),
    };
    let count = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let errors = count(Severity::Error);
    let text = if args.json {
        let problems: Vec<_> = problems.iter().map(Problem::to_json).collect();
        let answer = serde_json::json!({ "source": source, "ok": errors == 0, "problems": problems });
        format!("{answer:#}\n")
    } else {
        let lines: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
        let source = source.map(|source| format!("{source}: ")).unwrap_or_default();
        format!("{lines}{source}{}\n", summary(errors, count(Severity::Warning)))
    };
    Answer { text, has_errors: errors > 0 }
}

fn summary(errors: usize, warnings: usize) -> String {
    let counted = |number: usize, name| format!("{number} {name}{}", if number == 1 { "" } else { "s" });
    match (errors, warnings) {
        (0, 0) => "no problem found".to_owned(),
        (0, _) => format!("no error found, {}", counted(warnings, "warning")),
        _ => format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")),
    }
}

/// Everything there is to say about a configuration without errors: the file's warnings first.
fn findings(args: &Args, loaded: &Loaded) -> Vec<Problem> {
    let mut problems = loaded.parsed.warnings.clone();
    if args.file_only {
        return problems;
    }
    problems.extend(listener::findings(&loaded.parsed, &listener::System::read(Path::new("/etc"))));
    problems.extend(listener::second_smtpd(&loaded.parsed));
    problems.extend(store::findings(&loaded.parsed));
    let sendmail = sendmail::read(args.sendmail_cf.as_deref(), &loaded.parsed.config.milter.listeners);
    // A machine has one of the two, unless both are named.
    let asks_postfix = args.postconf_dir.is_some() || matches!(sendmail, Ok(None));
    match sendmail {
        Ok(Some(cf)) => problems.extend(sendmail::findings(&loaded.parsed, &cf)),
        Ok(None) => {}
        Err(problem) => problems.push(problem),
    }
    if asks_postfix {
        match Postconf::read(args.postconf_dir.as_deref()) {
            Ok(Some(postconf)) => {
                let key = store::split_key(&loaded.parsed);
                problems.extend(postfix::findings(&loaded.parsed, &postconf, key.as_ref()));
            }
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    problems
}

/// What to say where a milter is called after ours and folders are used, and what to do.
const STANDS_AFTER: (&str, &str) = (
    "a milter stands after ours: a recipient that it refuses is delivered to their folder all the same",
    "put ours last; only what signs outgoing mail may follow",
);

/// The same where ours is called first. Whose results are believed must be the one who writes them last, or removes those
/// of others.
fn nobody_verifies(config: &Config) -> Option<(String, &'static str)> {
    let authentication = &config.authentication;
    let name = authentication.authserv_ids.first()?;
    let is_believed = authentication.mode() != AuthenticationMode::Off && config.networks.trusted_relays.is_empty();
    let what = format!(
        "no milter stands before ours: whoever writes {name} into an Authentication-Results header is believed"
    );
    let remedy =
        "put the milter that verifies senders before ours, or name the relay that does in networks.trusted_relays";
    is_believed.then_some((what, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts() {
        assert_eq!(summary(0, 0), "no problem found");
        assert_eq!(summary(0, 1), "no error found, 1 warning");
        assert_eq!(summary(2, 0), "2 errors, 0 warnings");
    }
}
