//! `/gestion`: what a manager sees first. Totals are per day, for days that are over, and hidden where few people would be
//! told apart by them ([`crate::store::TOTALS_USERS`]).

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::{Manager, Member};
use crate::console::failure::Failure;
use crate::console::page::{Page, render};
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::store::DayTotals;

/// How many days are shown.
const DAYS: i64 = 14;
/// What is shown of a day, with the key of its name.
const SHOWN: [(&str, &str); 4] = [
    ("decided", "staff-total-decided"),
    ("personal", "staff-total-personal"),
    ("blocked", "staff-total-blocked"),
    ("wanted", "staff-total-wanted"),
];

#[derive(Template)]
#[template(path = "staff/overview.html", config = ".askama.toml")]
struct Overview<'a> {
    page: &'a Page,
    member: &'a Member,
    users: u64,
    columns: [&'static str; SHOWN.len()],
    days: Vec<Day>,
}

/// The totals of a day.
struct Day {
    at: Timestamp,
    /// `None` where they are hidden.
    counts: Option<[u64; SHOWN.len()]>,
}

/// `GET /gestion`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    manager: Manager,
) -> Result<Response, Failure> {
    let id = manager.organisation.id;
    let today = (console.clock)().to_zoned(TimeZone::UTC).date();
    let first = today.saturating_sub(Span::new().days(DAYS));
    let read = move |console: &Console| Ok((console.store.user_count(id)?, console.store.totals(id, first..=today)?));
    let (users, totals) = console.blocking(read).await?;
    let page = manager.member.page(&visitor, "staff-overview-title");
    let days = totals.iter().rev().filter_map(shown).collect();
    let columns = SHOWN.map(|(_, key)| key);
    Ok(render(&page, &Overview { page: &page, member: &manager.member, users, columns, days }))
}

fn shown(totals: &DayTotals) -> Option<Day> {
    let noon = totals.day.at(12, 0, 0, 0).to_zoned(TimeZone::system()).ok()?;
    let count = |kinds: &Vec<(String, u64)>, shown: &str| {
        kinds.iter().find(|(kind, _)| kind == shown).map_or(0, |(_, count)| *count)
    };
    let counts = totals.counts.as_ref().map(|kinds| SHOWN.map(|(shown, _)| count(kinds, shown)));
    Some(Day { at: noon.timestamp(), counts })
}
