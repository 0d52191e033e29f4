//! The options of `bench`.

use std::fs;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use crate::bench::blocks::{MAX_BODY_BYTES, MAX_HEADER_BYTES, Sizes, WritePattern};
use crate::bench::fared::Check;
use crate::bench::process::Process;
use crate::bench::run::{Options, Recipients};
use crate::bench::workload::{GROUP, Mixture, People, Shares};
use crate::milter::listen::{AddressError, ListenAddress};

/// Messages that count, where nothing else ends the run.
const MESSAGES: u64 = 100_000;
/// Most messages that go before and do not count, unless they are asked for.
const MAX_WARMUP: u64 = 10_000;

/// What is sent, and how.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Load")]
pub struct LoadOptions {
    /// The milter: inet:PORT@HOST, inet6:PORT@HOST or unix:/PATH; with --compare several, the first being the reference
    #[arg(required = true, value_name = "ADDRESS[=NAME]", help_heading = "Arguments")]
    addresses: Vec<Target>,
    /// Compare several milters: rounds in which each is loaded once, in another order every time
    #[arg(long)]
    compare: bool,
    /// Rounds of a comparison
    #[arg(long, value_name = "N", default_value_t = 15, requires = "compare", value_parser = number(1..=10_000))]
    rounds: u32,
    /// Connections that send
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = number(1..=100_000))]
    connections: u32,
    /// Further connections that are opened and never used
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = number(0..=100_000))]
    idle: u32,
    /// Messages that count; 100,000 unless --duration is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    messages: Option<u64>,
    /// Seconds after which no message begins
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    duration: Option<Duration>,
    /// Messages that go before and do not count; a tenth of the messages, at most 10,000, unless given
    #[arg(long, value_name = "N")]
    warmup: Option<u64>,
    /// Messages a second, sent when they are due whether or not the milter keeps up; times then count from when a message
    /// was due. Left out: as many as it takes
    #[arg(long, value_name = "R", value_parser = within(0.001..=1e7))]
    rate: Option<f64>,
    /// Messages a connection: 1 opens a new one for each. Left out: connections are kept
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    messages_per_connection: Option<u64>,
    /// Writes of a message
    #[arg(long, value_enum, default_value_t = WritePattern::Postfix)]
    write: WritePattern,
    /// Threads of the generator
    #[arg(long, value_name = "N", default_value = "1")]
    threads: NonZeroUsize,
    /// Seconds that a reply may take
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    timeout: Duration,
    #[command(flatten)]
    messages_options: MessageOptions,
    #[command(flatten)]
    pub output: OutputOptions,
}

/// What the messages are.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Messages")]
struct MessageOptions {
    /// Recipients of each message, at most 100
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = number(1..=GROUP))]
    recipients: u32,
    /// Bytes of the header's names and values
    #[arg(long, value_name = "N", default_value_t = 2600, value_parser = number(0..=MAX_HEADER_BYTES))]
    header_bytes: u32,
    /// Bytes of the body, sent where the milter asks for it
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = number(0..=MAX_BODY_BYTES))]
    body_bytes: u32,
    /// Messages from a sender whom all recipients call personal, in percent; all others are from strangers
    #[arg(long, value_name = "PERCENT", default_value_t = 50.0, value_parser = within(0.0..=100.0))]
    personal: f64,
    /// Messages from a sender whom all recipients block, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = within(0.0..=100.0))]
    blocked: f64,
    /// Messages from a sender whom one of several recipients calls personal, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = within(0.0..=100.0))]
    mixed: f64,
    /// Take the recipients from a file, one address a line, instead of the seeded users
    #[arg(long, value_name = "FILE", conflicts_with = "users")]
    recipients_from: Option<PathBuf>,
    #[command(flatten)]
    seeded: SeededOptions,
    /// How unevenly recipients are drawn: the exponent of Zipf's law; 0 draws all alike
    #[arg(long, value_name = "EXPONENT", default_value_t = 1.0, value_parser = within(0.0..=10.0))]
    zipf: f64,
}

/// The seeded users. `bench seed` and a run must be given the same.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct SeededOptions {
    /// Seeded users
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub users: u32,
    /// Entries of each user
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub entries: u32,
    /// Another seed makes other lists and draws other messages
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// What is looked at, and what is said of it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Answers")]
pub struct OutputOptions {
    /// What is looked at in an answer; outcome, unless the recipients are from a file
    #[arg(long, value_enum)]
    check: Option<Check>,
    /// What the milter puts before a personal message's Subject
    #[arg(long, default_value = "[PERSO] ")]
    tag: String,
    /// The milter's process, whose processor time and memory are read; left out, the one that listens there
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pid: Option<i32>,
    /// For programs: one JSON object
    #[arg(long)]
    pub json: bool,
    /// Write a page with charts, which needs nothing else
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// A milter, and what it is called.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where it listens.
    pub address: ListenAddress,
    /// As the operator named it; its address where they did not.
    pub name: String,
}

impl FromStr for Target {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (address, name) = match text.rsplit_once('=') {
            Some((address, name)) if !name.is_empty() && !name.contains('/') => (address, name),
            _ => (text, text),
        };
        Ok(Self { address: address.parse()?, name: name.to_owned() })
    }
}

fn number(range: RangeInclusive<u32>) -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(i64::from(*range.start())..=i64::from(*range.end()))
}

fn within(range: RangeInclusive<f64>) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
    move |text| {
        let found = text.parse().ok().filter(|number| range.contains(number));
        found.ok_or_else(|| format!("write a number from {} to {}", range.start(), range.end()))
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse().ok();
    let duration = number.and_then(|number| Duration::try_from_secs_f64(number).ok());
    duration
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "write a number of seconds above 0, such as 10 or 0.5".to_owned())
}

impl SeededOptions {
    /// The users.
    ///
    /// # Errors
    /// Numbers that cannot be.
    pub fn people(&self) -> anyhow::Result<People> {
        Ok(People::new(self.seed, self.users, self.entries)?)
    }
}

impl LoadOptions {
    /// The milters; at least one, since clap asks for it.
    pub fn targets(&self) -> &[Target] {
        &self.addresses
    }

    /// Whether they are loaded in turn.
    pub fn is_comparison(&self) -> bool {
        self.compare
    }

    /// How often.
    pub fn rounds(&self) -> usize {
        self.rounds as usize
    }

    /// The same as the generator takes it.
    ///
    /// # Errors
    /// Options that do not go together, a file that cannot be read.
    pub fn options(&self) -> anyhow::Result<Options> {
        let recipients = self.messages_options.known_recipients()?;
        let usual = match recipients {
            Recipients::Seeded(_) => Check::Outcome,
            Recipients::Listed(_) => Check::Protocol,
        };
        let messages = self.messages.unwrap_or(if self.duration.is_some() { u64::MAX } else { MESSAGES });
        let MessageOptions { header_bytes, body_bytes, .. } = self.messages_options;
        Ok(Options {
            connections: self.connections as usize,
            idle_connections: self.idle as usize,
            threads: self.threads,
            messages,
            time: self.duration,
            warmup: self.warmup.unwrap_or_else(|| (messages / 10).min(MAX_WARMUP)),
            per_connection: self.messages_per_connection,
            rate: self.rate,
            pattern: self.write,
            sizes: Sizes { header_bytes, body_bytes },
            mixture: self.messages_options.mixture(&recipients)?,
            recipients,
            tag: self.output.tag.clone(),
            check: self.output.check.unwrap_or(usual),
            timeout: self.timeout,
            milter: self.output.pid.map(Process::new),
        })
    }
}

impl MessageOptions {
    fn mixture(&self, known: &Recipients) -> anyhow::Result<Mixture> {
        let shares = Shares { personal: self.personal, blocked: self.blocked, mixed: self.mixed };
        ensure!(
            shares.personal + shares.blocked + shares.mixed <= 100.0,
            "--personal, --blocked and --mixed are more than 100 together"
        );
        ensure!(self.mixed == 0.0 || self.recipients > 1, "--mixed needs several --recipients");
        let known = match known {
            Recipients::Seeded(people) => people.users() as usize,
            Recipients::Listed(all) => all.len(),
        };
        ensure!(self.recipients as usize <= known, "a message cannot have {} recipients of {known}", self.recipients);
        Ok(Mixture { shares, recipients: self.recipients, zipf: self.zipf, seed: self.seeded.seed })
    }

    fn known_recipients(&self) -> anyhow::Result<Recipients> {
        let Some(path) = &self.recipients_from else {
            return Ok(Recipients::Seeded(self.seeded.people()?));
        };
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let all: Vec<String> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        ensure!(!all.is_empty(), "{}: there is no address in it", path.display());
        let is_odd = |line: &String| line.len() > 1000 || line.contains(|c: char| c.is_control() || c == ' ');
        if let Some(line) = all.iter().position(is_odd) {
            bail!("{}: not one address a line (the {}. that is not empty)", path.display(), line + 1);
        }
        Ok(Recipients::Listed(all))
    }
}

impl OutputOptions {
    /// Writes the page, where one is wanted.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_page(&self, page: impl FnOnce() -> String) -> anyhow::Result<()> {
        let Some(path) = &self.html else { return Ok(()) };
        fs::write(path, page()).with_context(|| path.display().to_string())
    }
}
