//! What a run comes to, as a table and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::compare::{Measure, Ratio, Runs, median, ratio};
use super::run::{Options, Outcome, Recipients};
use super::tally::Stage;
use super::workload::Kind;

/// What is told of a stage's times: the quantile, and its names in a table and in JSON.
pub const QUANTILES: [(f64, &str, &str); 5] =
    [(0.5, "p50", "p50"), (0.9, "p90", "p90"), (0.99, "p99", "p99"), (0.999, "p99.9", "p999"), (1.0, "max", "max")];

/// A stage's time at a quantile, in microseconds; `None` for a stage that did not come.
pub fn quantile(outcome: &Outcome, stage: Stage, quantile: f64) -> Option<f64> {
    let times = outcome.tally.times(stage);
    (!times.is_empty()).then(|| times.value_at_quantile(quantile) as f64 / 1000.0)
}

/// The whole outcome, for people.
pub fn table(address: &str, options: &Options, outcome: &Outcome) -> String {
    let mut text = String::new();
    for (what, value) in facts(address, options, outcome) {
        // A String takes all there is.
        let _ = writeln!(text, "{what:<24} {value}");
    }
    let _ = write!(text, "\n{:<24}{:>10}", "time, microseconds", "count");
    for (_, title, _) in QUANTILES {
        let _ = write!(text, "{title:>11}");
    }
    for stage in Stage::ALL.into_iter().filter(|stage| !outcome.tally.times(*stage).is_empty()) {
        let _ = write!(text, "\n{:<24}{:>10}", stage.title(), outcome.tally.times(stage).len());
        for (at, ..) in QUANTILES {
            let _ = write!(text, "{:>11.1}", quantile(outcome, stage, at).unwrap_or_default());
        }
    }
    text
}

/// The lines of the table above the times: what, and its value.
pub fn facts(address: &str, options: &Options, outcome: &Outcome) -> Vec<(&'static str, String)> {
    let tally = &outcome.tally;
    let mut facts = vec![
        ("milter", address.to_owned()),
        ("load", load(options)),
        ("messages", format!("{} in {:.2} s", tally.messages, outcome.time.as_secs_f64())),
        ("messages a second", format!("{:.0}", outcome.throughput())),
        ("errors", tally.errors.to_string()),
        ("generator, CPU s/1,000", format!("{:.4}", outcome.own_cost())),
    ];
    match &outcome.milter {
        Some(milter) => facts.extend([
            ("milter, CPU s/1,000", format!("{:.4}", outcome.milter_cost().unwrap_or_default())),
            ("milter, memory", format!("{:.1} MiB (process {})", mebibytes(milter.memory), milter.process.pid())),
        ]),
        None => {
            facts.push(("milter, CPU s/1,000", "not known: it is not on this machine, or --pid is needed".to_owned()))
        }
    }
    let bytes = format!("{:.1} MiB, {} a message", mebibytes(tally.bytes), tally.bytes / tally.messages.max(1));
    facts.push(("written", bytes));
    facts
}

/// How it was loaded, in a few words.
fn load(options: &Options) -> String {
    let rate = options.rate.map_or("flat out".to_owned(), |rate| format!("{rate} messages/s"));
    let mut text =
        format!("{} connections, {rate}, {} recipients a message", options.connections, options.mixture.recipients);
    if let Some(most) = options.per_connection {
        let _ = write!(text, ", {most} messages a connection");
    }
    let shares = &options.mixture.shares;
    let _ = write!(text, ", {} % personal, {} % blocked, {} % mixed", shares.personal, shares.blocked, shares.mixed);
    text
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The whole outcome, for programs. Times are in microseconds, processor times in seconds for 1,000 messages.
pub fn json(address: &str, options: &Options, outcome: &Outcome) -> Value {
    let tally = &outcome.tally;
    let stages = Stage::ALL.into_iter().map(|stage| {
        let mut times: serde_json::Map<String, Value> =
            QUANTILES.iter().map(|(at, _, key)| ((*key).to_owned(), json!(quantile(outcome, stage, *at)))).collect();
        times.insert("count".to_owned(), json!(tally.times(stage).len()));
        (stage.key().to_owned(), Value::Object(times))
    });
    let of = |kind: Kind| tally.kinds[kind as usize];
    json!({
        "milter": address,
        "options": options_json(options),
        "messages": tally.messages,
        "kinds": {
            "plain": of(Kind::Plain),
            "personal": of(Kind::Personal),
            "blocked": of(Kind::Blocked),
            "mixed": of(Kind::Mixed),
        },
        "seconds": outcome.time.as_secs_f64(),
        "messages_per_second": outcome.throughput(),
        "errors": tally.errors,
        "first_errors": tally.named,
        "generator_cpu_per_1000": outcome.own_cost(),
        "milter_cpu_per_1000": outcome.milter_cost(),
        "milter_memory_bytes": outcome.milter.map(|milter| milter.memory),
        "milter_pid": outcome.milter.map(|milter| milter.process.pid()),
        "bytes_written": tally.bytes,
        "stages": stages.collect::<serde_json::Map<_, _>>(),
        "messages_by_100ms": tally.slices,
    })
}

fn options_json(options: &Options) -> Value {
    let (users, entries, listed) = match &options.recipients {
        Recipients::Seeded(people) => (Some(people.users()), Some(people.entries_each()), None),
        Recipients::Listed(all) => (None, None, Some(all.len())),
    };
    json!({
        "connections": options.connections,
        "idle_connections": options.idle_connections,
        "threads": options.threads,
        "messages": options.messages,
        "duration_seconds": options.time.map(|time| time.as_secs_f64()),
        "warmup": options.warmup,
        "messages_per_connection": options.per_connection,
        "rate": options.rate,
        "write": options.pattern,
        "header_bytes": options.sizes.header_bytes,
        "body_bytes": options.sizes.body_bytes,
        "users": users,
        "entries": entries,
        "listed_recipients": listed,
        "recipients": options.mixture.recipients,
        "shares": options.mixture.shares,
        "zipf": options.mixture.zipf,
        "seed": options.mixture.seed,
        "tag": options.tag,
        "check": options.check,
        "timeout_seconds": options.timeout.as_secs_f64(),
    })
}

/// One cell of a comparison: the median of a milter's runs, and the ratio to the first milter.
pub struct Cell {
    /// The median of all rounds.
    pub median: f64,
    /// `None` for the first milter.
    pub ratio: Option<Ratio>,
}

/// What a comparison says of one milter about one measure; `None` where it is not known.
pub fn cell(runs: &[Runs], index: usize, measure: Measure) -> Option<Cell> {
    let values = runs.get(index)?.values(measure);
    let reference = runs.first()?.values(measure);
    let ratio = if index == 0 { None } else { ratio(&values, &reference) };
    Some(Cell { median: median(&values)?, ratio })
}

/// A comparison, for people.
pub fn comparison_table(options: &Options, runs: &[Runs]) -> String {
    let width = runs.iter().map(|runs| runs.name.chars().count()).max().unwrap_or(0).max(6);
    let rounds = runs.first().map_or(0, |runs| runs.outcomes.len());
    let mut text = format!("{rounds} rounds, each {} messages a milter: {}\n", options.messages, load(options));
    text += "ratios are to the first milter, round by round: median [95 % bootstrap interval]\n";
    for measure in Measure::ALL {
        let _ = write!(text, "\n{}\n", measure.title());
        for (index, milter) in runs.iter().enumerate() {
            let _ = writeln!(text, "  {:width$}  {}", milter.name, written(cell(runs, index, measure), measure));
        }
    }
    let errors: Vec<String> = runs.iter().map(|runs| format!("{} {}", runs.name, runs.errors())).collect();
    let _ = write!(text, "\nerrors: {}", errors.join(", "));
    text
}

fn written(cell: Option<Cell>, measure: Measure) -> String {
    let Some(Cell { median, ratio }) = cell else { return "not known".to_owned() };
    let value = format!("{median:>12.*}", measure.decimals());
    ratio.map_or(value.clone(), |ratio| format!("{value}   {:.3} [{:.3}, {:.3}]", ratio.median, ratio.low, ratio.high))
}

/// A comparison, for programs.
pub fn comparison_json(options: &Options, runs: &[Runs]) -> Value {
    let milters = runs.iter().enumerate().map(|(index, milter)| {
        let measures = Measure::ALL.into_iter().map(|measure| {
            let cell = cell(runs, index, measure);
            let ratio = cell.as_ref().and_then(|cell| cell.ratio);
            let value = json!({
                "median": cell.map(|cell| cell.median),
                "rounds": milter.values(measure),
                "ratio": ratio.map(|ratio| json!({"median": ratio.median, "low": ratio.low, "high": ratio.high})),
            });
            (measure.key().to_owned(), value)
        });
        let named: Vec<&String> = milter.outcomes.iter().flat_map(|outcome| &outcome.tally.named).collect();
        json!({
            "milter": milter.name,
            "errors": milter.errors(),
            "first_errors": named,
            "memory_bytes": milter.outcomes.last().and_then(|outcome| outcome.milter).map(|milter| milter.memory),
            "measures": measures.collect::<serde_json::Map<_, _>>(),
        })
    });
    json!({
        "options": options_json(options),
        "rounds": runs.first().map_or(0, |runs| runs.outcomes.len()),
        "milters": milters.collect::<Vec<_>>(),
    })
}
