//! `bench`: loads a milter as an MTA does, compares several, and fills a store for that.

mod options;

use std::io::{IsTerminal, stderr};
use std::process::ExitCode;

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};

use options::{LoadOptions, SeededOptions};

use super::{ConfigOption, administrator, print_json, printable};
use crate::bench::compare::{Runs, order};
use crate::bench::html;
use crate::bench::report;
use crate::bench::run::{Options, Outcome, Run};
use crate::bench::seed::{Step, seed};
use crate::bench::workload::AUTHSERV_ID;
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
    load: LoadOptions,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Fill the store that the configuration names with users and lists to be measured on
    #[command(after_help = SEED_STEPS)]
    Seed(SeededOptions),
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

fn fill(config: &ConfigOption, options: &SeededOptions) -> anyhow::Result<ExitCode> {
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
    let SeededOptions { users, entries, seed } = options;
    say!("start the daemon, then: perso-milter bench {address} --users {users} --entries {entries} --seed {seed}")?;
    Ok(ExitCode::SUCCESS)
}

fn measure(load: &LoadOptions) -> anyhow::Result<ExitCode> {
    let options = load.options()?;
    if load.is_comparison() {
        return compare(load, &options);
    }
    let [target] = load.targets() else {
        bail!("there are several milters; say --compare to measure them in turn");
    };
    let run = Run::new(&target.address, &options)?;
    let length = options.time.is_none().then_some(options.messages.saturating_add(options.warmup));
    let progress = progress(length, "messages");
    let outcome = run.run(&progress)?;
    progress.finish_and_clear();
    tell_errors(&target.name, &outcome);
    load.output.write_page(|| html::run_page(&target.name, &options, &outcome))?;
    if load.output.json {
        print_json(&report::json(&target.name, &options, &outcome))?;
    } else {
        say!("{}", report::table(&target.name, &options, &outcome))?;
    }
    Ok(exit_code(outcome.tally.errors))
}

fn compare(load: &LoadOptions, options: &Options) -> anyhow::Result<ExitCode> {
    let prepared = load.targets().iter().map(|target| Run::new(&target.address, options));
    let prepared = prepared.collect::<Result<Vec<_>, _>>()?;
    let mut runs: Vec<Runs> = load.targets().iter().map(|target| Runs::new(&target.name)).collect();
    let rounds = load.rounds();
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
    load.output.write_page(|| html::comparison_page(options, &runs))?;
    if load.output.json {
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
