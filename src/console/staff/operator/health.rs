//! `/exploitation`: whether everything is well: the store, the relays on it, and what went wrong last.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;

use super::chart::{self, Chart};
use crate::console::failure::Failure;
use crate::console::page::{Page, render};
use crate::console::staff::{Member, Operator};
use crate::console::state::Console;
use crate::console::upkeep::JournalState;
use crate::console::visitor::Visitor;
use crate::store::{KnownRelay, LATENCY_BOUNDS, RELAY_GONE, RelayReport, Trouble};

/// A relay that is so far behind, in seconds, is said to be.
const BEHIND: u64 = 5;

#[derive(Template)]
#[template(path = "staff/health.html", config = ".askama.toml")]
struct Health<'a> {
    page: &'a Page,
    member: &'a Member,
    organisations: u64,
    /// Whether this process opens sealed values.
    opens: bool,
    /// `None` until the journal was verified for the first time.
    journal: Option<Arc<JournalState>>,
    relays: Vec<Relay>,
    /// Of the console, where it is a process of its own.
    troubles: Vec<Trouble>,
}

/// How a relay is, in words.
struct Relay {
    name: String,
    version: String,
    started: Timestamp,
    seen: Timestamp,
    is_gone: bool,
    addresses: u64,
    /// Where it is, for how many seconds.
    behind: Option<u64>,
    trouble: Option<String>,
    rejected: u64,
    rolled_back: bool,
    loads: u64,
    throughput: Chart,
    minutes: Vec<Minute>,
    latency: Chart,
    bounds: Vec<Bound>,
    /// Half of the messages took no longer, and 99 of 100.
    half: Option<String>,
    most: Option<String>,
    troubles: Vec<Trouble>,
}

/// The messages of one minute.
struct Minute {
    at: Timestamp,
    count: u64,
}

/// The messages whose decision took up to a time.
struct Bound {
    label: String,
    count: u64,
}

impl Relay {
    fn new(page: &Page, known: KnownRelay, now: Timestamp) -> Self {
        let KnownRelay { report: RelayReport { run, status }, seen } = known;
        let labels: Vec<String> = (0..=LATENCY_BOUNDS.len()).map(|at| label(page, at)).collect();
        let within = |share: u64| quantile(&status.latency, share).and_then(|at| labels.get(at).cloned());
        let is_gone = now.duration_since(seen).as_secs() >= RELAY_GONE.as_secs().cast_signed();
        Self {
            name: run.name,
            version: run.version,
            started: run.started,
            seen,
            is_gone,
            addresses: status.addresses,
            behind: (status.behind >= BEHIND).then_some(status.behind),
            trouble: status.trouble,
            rejected: status.rejected,
            rolled_back: status.rolled_back,
            loads: status.loads,
            throughput: Chart::new(&status.minutes),
            minutes: minutes(&status.minutes, seen),
            latency: Chart::new(&status.latency),
            half: within(50),
            most: within(99),
            bounds: labels.into_iter().zip(status.latency).map(|(label, count)| Bound { label, count }).collect(),
            troubles: status.troubles,
        }
    }
}

/// The minutes before the one in which they were told, newest first.
fn minutes(counts: &[u64], told: Timestamp) -> Vec<Minute> {
    let this = told.as_second().div_euclid(60);
    let minute =
        |(ago, count): (i64, &u64)| Some(Minute { at: Timestamp::from_second((this - ago) * 60).ok()?, count: *count });
    (1..).zip(counts.iter().rev()).filter_map(minute).collect()
}

/// What a bound is called; the last one is what took longer.
fn label(page: &Page, at: usize) -> String {
    let key = |micros: u64, micro_key, milli_key| match micros {
        0..1000 => page.text(micro_key, &[("time", micros.into())]),
        _ => page.text(milli_key, &[("time", (micros / 1000).into())]),
    };
    match LATENCY_BOUNDS.get(at) {
        Some(micros) => key(*micros, "staff-health-up-to-micros", "staff-health-up-to-millis"),
        None => key(LATENCY_BOUNDS[LATENCY_BOUNDS.len() - 1], "staff-health-over-micros", "staff-health-over-millis"),
    }
}

/// The first bound within which that many of a hundred messages are.
fn quantile(counts: &[u64], share: u64) -> Option<usize> {
    let all: u64 = counts.iter().sum();
    let needed = (all * share).div_ceil(100);
    let mut sum = 0;
    let reaches = |count: &u64| {
        sum += count;
        sum >= needed
    };
    (all > 0).then(|| counts.iter().position(reaches)).flatten()
}

/// `GET /exploitation`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Operator(member): Operator,
) -> Result<Response, Failure> {
    let page = member.page(&visitor, "staff-health-title");
    let read = |console: &Console| {
        let store = &*console.store;
        Ok((store.organisations()?.len() as u64, store.keys().seal_key.is_some(), store.relays()?))
    };
    let (organisations, opens, relays) = console.blocking(read).await?;
    let now = (console.clock)();
    let relays = relays.into_iter().map(|known| Relay::new(&page, known, now)).collect();
    let (journal, troubles) = (console.journal.load_full(), console.troubles.last());
    let health = Health { page: &page, member: &member, organisations, opens, journal, relays, troubles };
    Ok(render(&page, &health))
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn a_share_of_the_messages_lies_within_a_bound() {
        assert_eq!(quantile(&[], 50), None);
        assert_eq!(quantile(&[0, 0], 50), None);
        assert_eq!([50, 99, 100].map(|share| quantile(&[50, 49, 0, 1], share)), [Some(0), Some(1), Some(3)]);
        assert_eq!(quantile(&[0, 1], 1), Some(1));
    }
}
