//! `bench`: loads a milter as an MTA does, compares several, and fills a store for that.

use std::fs;
use std::io::{IsTerminal, stderr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use super::{ConfigOption, administrator, print_json, printable};
use crate::bench::blocks::{MAX_BODY_BYTES, MAX_HEADER_BYTES, Sizes, WritePattern};
use crate::bench::compare::{Runs, order};
use crate::bench::connection::Check;
use crate::bench::html;
use crate::bench::process::Process;
use crate::bench::report;
use crate::bench::run::{Options, Outcome, Recipients, Run};
use crate::bench::seed::{Step, seed};
use crate::bench::workload::{AUTHSERV_ID, GROUP, Mixture, People, Shares};
use crate::milter::listen::ListenAddress;
use crate::milter::settings::Role;
use crate::policy::authres::AuthenticationMode;
use crate::store::Actor;

/// `bench …`
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(flatten)]
    config: ConfigOption,
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    load: Load,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Fill the store that the configuration names with users and lists to be measured on
    #[command(after_help = SEED_STEPS)]
    Seed(PeopleOptions),
}

const SEED_STEPS: &str = "\
With bench.toml:

  [store]
  url = \"sqlite:bench.db\"
  [authentication]
  authserv_ids = [\"mx.bench.example\"]
  [[milter.listener]]
  address = \"unix:/tmp/bench.sock\"

  perso-milter bench seed -c bench.toml --users 10000 --entries 20
  perso-milter run -c bench.toml &
  perso-milter bench unix:/tmp/bench.sock --users 10000 --entries 20";

/// What is sent, and how.
#[derive(Debug, clap::Args)]
struct Load {
    /// The milter: inet:PORT@HOST, inet6:PORT@HOST or unix:/PATH; with --compare several, the first being the reference
    #[arg(required = true, value_name = "ADDRESS[=NAME]")]
    addresses: Vec<Target>,
    /// Compare several milters: rounds in which each is loaded once, in another order every time
    #[arg(long, help_heading = "Load")]
    compare: bool,
    /// Rounds of a comparison
    #[arg(long, value_name = "N", default_value_t = 15, requires = "compare", value_parser = clap::value_parser!(u32).range(1..=10_000), help_heading = "Load")]
    rounds: u32,
    /// Connections that send
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100_000), help_heading = "Load")]
    connections: u32,
    /// Further connections that are opened and never used
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100_000), help_heading = "Load")]
    idle: u32,
    /// Messages that count; 100,000 unless --duration is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Load")]
    messages: Option<u64>,
    /// Seconds after which no message begins
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = "Load")]
    duration: Option<Duration>,
    /// Messages that go before and do not count; a tenth of the messages unless given
    #[arg(long, value_name = "N", help_heading = "Load")]
    warmup: Option<u64>,
    /// Messages a second, sent when they are due whether or not the milter keeps up; times then count from when a message
    /// was due. Left out: as many as it takes
    #[arg(long, value_name = "R", value_parser = rate, help_heading = "Load")]
    rate: Option<f64>,
    /// Messages a connection: 1 opens a new one for each. Left out: connections are kept
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Load")]
    messages_per_connection: Option<u64>,
    /// Writes of a message
    #[arg(long, value_enum, default_value_t = WritePattern::Postfix, help_heading = "Load")]
    write: WritePattern,
    /// Threads of the generator
    #[arg(long, value_name = "N", default_value = "1", help_heading = "Load")]
    threads: NonZeroUsize,
    /// Seconds that a reply may take
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds, help_heading = "Load")]
    timeout: Duration,

    /// Recipients of each message, at most 100
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(GROUP)), help_heading = "Messages")]
    recipients: u32,
    /// Bytes of the header's names and values
    #[arg(long, value_name = "N", default_value_t = 2600, value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_HEADER_BYTES)), help_heading = "Messages")]
    header_bytes: u32,
    /// Bytes of the body, sent where the milter asks for it
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_BODY_BYTES)), help_heading = "Messages")]
    body_bytes: u32,
    /// Messages from a sender whom all recipients call personal, in percent; all others are from strangers
    #[arg(long, value_name = "PERCENT", default_value_t = 50.0, value_parser = percent, help_heading = "Messages")]
    personal: f64,
    /// Messages from a sender whom all recipients block, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent, help_heading = "Messages")]
    blocked: f64,
    /// Messages from a sender whom one of several recipients calls personal, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent, help_heading = "Messages")]
    mixed: f64,
    /// Take the recipients from a file, one address a line, instead of the seeded users
    #[arg(long, value_name = "FILE", conflicts_with = "users", help_heading = "Messages")]
    recipients_from: Option<PathBuf>,
    #[command(flatten)]
    people: PeopleOptions,
    /// How unevenly recipients are drawn: the exponent of Zipf's law; 0 draws all alike
    #[arg(long, value_name = "EXPONENT", default_value_t = 1.0, value_parser = exponent, help_heading = "Messages")]
    zipf: f64,

    /// What is looked at in an answer; outcome, unless the recipients are from a file
    #[arg(long, value_enum, help_heading = "Answers")]
    check: Option<Check>,
    /// What the milter puts before a personal message's Subject
    #[arg(long, default_value = "[PERSO] ", help_heading = "Answers")]
    tag: String,
    /// The milter's process, whose processor time and memory are read; left out, the one that listens there
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..), help_heading = "Answers")]
    pid: Option<i32>,
    /// For programs: one JSON object
    #[arg(long, help_heading = "Answers")]
    json: bool,
    /// Write a page with charts, which needs nothing else
    #[arg(long, value_name = "FILE", help_heading = "Answers")]
    html: Option<PathBuf>,
}

/// The seeded users. `bench seed` and a run must be given the same.
#[derive(Debug, Clone, Copy, clap::Args)]
struct PeopleOptions {
    /// Seeded users
    #[arg(long, value_name = "N", default_value_t = 10_000, help_heading = "Messages")]
    users: u32,
    /// Entries of each user
    #[arg(long, value_name = "N", default_value_t = 20, help_heading = "Messages")]
    entries: u32,
    /// Another seed makes other lists and draws other messages
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Messages")]
    seed: u64,
}

impl PeopleOptions {
    fn people(&self) -> anyhow::Result<People> {
        Ok(People::new(self.seed, self.users, self.entries)?)
    }
}

/// A milter, and what it is called.
#[derive(Debug, Clone)]
struct Target {
    address: ListenAddress,
    name: String,
}

impl std::str::FromStr for Target {
    type Err = crate::milter::listen::AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, name) = match text.rsplit_once('=') {
            Some((address, name)) if !name.is_empty() && !name.contains('/') => (address, name),
            _ => (text, text),
        };
        Ok(Self { address: address.parse()?, name: name.to_owned() })
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number of seconds above 0, such as 10 or 0.5".to_owned();
    let number: f64 = text.parse().map_err(|_| wrong())?;
    let duration = Duration::try_from_secs_f64(number).map_err(|_| wrong())?;
    if duration.is_zero() { Err(wrong()) } else { Ok(duration) }
}

fn rate(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "write a number of messages a second".to_owned())?;
    if (0.001..=1e7).contains(&number) { Ok(number) } else { Err("it must be 0.001 to 10000000".to_owned()) }
}

fn percent(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "write a number of percent".to_owned())?;
    if (0.0..=100.0).contains(&number) { Ok(number) } else { Err("it must be 0 to 100".to_owned()) }
}

fn exponent(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "write a number".to_owned())?;
    if (0.0..=10.0).contains(&number) { Ok(number) } else { Err("it must be 0 to 10".to_owned()) }
}

impl Load {
    fn options(&self) -> anyhow::Result<Options> {
        let shares = Shares { personal: self.personal, blocked: self.blocked, mixed: self.mixed };
        ensure!(
            shares.personal + shares.blocked + shares.mixed <= 100.0,
            "--personal, --blocked and --mixed are more than 100 together"
        );
        let recipients = self.recipients()?;
        let known = match &recipients {
            Recipients::Seeded(people) => people.users() as usize,
            Recipients::Listed(all) => all.len(),
        };
        ensure!(self.recipients as usize <= known, "a message cannot have {} recipients of {known}", self.recipients);
        ensure!(self.mixed == 0.0 || self.recipients > 1, "--mixed needs several --recipients");
        let usual = match recipients {
            Recipients::Seeded(_) => Check::Outcome,
            Recipients::Listed(_) => Check::Protocol,
        };
        let messages = self.messages.unwrap_or(if self.duration.is_some() { u64::MAX } else { 100_000 });
        Ok(Options {
            connections: self.connections as usize,
            idle_connections: self.idle as usize,
            threads: self.threads,
            messages,
            time: self.duration,
            warmup: self.warmup.unwrap_or_else(|| (messages / 10).min(10_000)),
            per_connection: self.messages_per_connection,
            rate: self.rate,
            pattern: self.write,
            sizes: Sizes { header_bytes: self.header_bytes, body_bytes: self.body_bytes },
            recipients,
            mixture: Mixture { shares, recipients: self.recipients, zipf: self.zipf, seed: self.people.seed },
            tag: self.tag.clone(),
            check: self.check.unwrap_or(usual),
            timeout: self.timeout,
            milter: self.pid.map(Process::new),
        })
    }

    fn write_page(&self, page: impl FnOnce() -> String) -> anyhow::Result<()> {
        let Some(path) = &self.html else { return Ok(()) };
        fs::write(path, page()).with_context(|| path.display().to_string())
    }

    fn recipients(&self) -> anyhow::Result<Recipients> {
        let Some(path) = &self.recipients_from else {
            return Ok(Recipients::Seeded(self.people.people()?));
        };
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let all: Vec<String> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        ensure!(!all.is_empty(), "{}: there is no address in it", path.display());
        let odd = all.iter().position(|line| line.len() > 1000 || line.contains(|c: char| c.is_control() || c == ' '));
        if let Some(line) = odd {
            bail!("{}: not one address a line (the {}. that is not empty)", path.display(), line + 1);
        }
        Ok(Recipients::Listed(all))
    }
}

/// Runs `bench`.
///
/// # Errors
/// A milter that cannot be reached, a store that is filled already, options that do not go together.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        Some(Command::Seed(people)) => fill(&args.config, people),
        None => measure(&args.load),
    }
}

fn fill(config: &ConfigOption, options: &PeopleOptions) -> anyhow::Result<ExitCode> {
    let people = options.people()?;
    let (config, store) = config.open_store()?;
    let (users, entries) = (u64::from(people.users()), u64::from(people.users()) * u64::from(people.entries_each()));
    let progress = progress(Some(users + entries), "users and entries");
    let done = |step, count| progress.set_position(if step == Step::Users { count } else { users + count });
    seed(&*store, &Actor::Import { name: administrator() }, &people, &done)?;
    progress.finish_and_clear();
    say!("{users} users with {entries} entries")?;
    let authentication = config.authentication.policy();
    let is_believed = authentication.authserv_ids.iter().any(|id| id.eq_ignore_ascii_case(AUTHSERV_ID));
    if authentication.mode != AuthenticationMode::Off && !is_believed {
        say!("set authentication.authserv_ids to [\"{AUTHSERV_ID}\"], or no message will be personal")?;
    }
    let listener = config.milter.listeners.iter().find(|listener| listener.role == Role::Edge);
    let address = listener.map_or("ADDRESS".to_owned(), |listener| listener.address.to_string());
    let PeopleOptions { users, entries, seed } = options;
    say!("start the daemon, then: perso-milter bench {address} --users {users} --entries {entries} --seed {seed}")?;
    Ok(ExitCode::SUCCESS)
}

fn measure(load: &Load) -> anyhow::Result<ExitCode> {
    let options = load.options()?;
    if load.compare {
        return compare(load, &options);
    }
    let [target] = &load.addresses[..] else {
        bail!("there are several milters; say --compare to measure them in turn");
    };
    let run = Run::new(&target.address, &options)?;
    let length = options.time.is_none().then_some(options.messages.saturating_add(options.warmup));
    let progress = progress(length, "messages");
    let outcome = run.run(&progress)?;
    progress.finish_and_clear();
    tell_errors(&target.name, &outcome);
    load.write_page(|| html::run_page(&target.name, &options, &outcome))?;
    if load.json {
        print_json(&report::json(&target.name, &options, &outcome))?;
    } else {
        say!("{}", report::table(&target.name, &options, &outcome))?;
    }
    Ok(exit_code(outcome.tally.errors))
}

fn compare(load: &Load, options: &Options) -> anyhow::Result<ExitCode> {
    let prepared = load.addresses.iter().map(|target| Run::new(&target.address, options));
    let prepared = prepared.collect::<Result<Vec<_>, _>>()?;
    let mut runs: Vec<Runs> = load.addresses.iter().map(|target| Runs::new(&target.name)).collect();
    let rounds = load.rounds as usize;
    let progress = progress(Some((rounds * runs.len()) as u64), "runs");
    for round in 0..rounds {
        for index in order(runs.len(), round) {
            let outcome = prepared[index].run(&ProgressBar::hidden())?;
            progress.suspend(|| tell_errors(&runs[index].name, &outcome));
            runs[index].outcomes.push(outcome);
            progress.inc(1);
        }
    }
    progress.finish_and_clear();
    load.write_page(|| html::comparison_page(options, &runs))?;
    if load.json {
        print_json(&report::comparison_json(options, &runs))?;
    } else {
        say!("{}", report::comparison_table(options, &runs))?;
    }
    Ok(exit_code(runs.iter().map(Runs::errors).sum()))
}

fn tell_errors(name: &str, outcome: &Outcome) {
    for error in &outcome.tally.named {
        eprintln!("{}", printable(&format!("{name}: {error}")));
    }
    let unnamed = outcome.tally.errors - outcome.tally.named.len() as u64;
    if unnamed > 0 {
        eprintln!("{}: {unnamed} more errors", printable(name));
    }
}

fn exit_code(errors: u64) -> ExitCode {
    if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn progress(length: Option<u64>, what: &'static str) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = match length {
        Some(_) => "{spinner} {pos}/{len} {msg} {bar:40} {per_sec} (eta {eta})",
        None => "{spinner} {pos} {msg} {per_sec} {elapsed}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    length.map_or_else(ProgressBar::no_length, ProgressBar::new).with_style(style).with_message(what)
}
