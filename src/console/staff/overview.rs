//! `/gestion`: what a manager sees first. Totals are per day, for days that are over, and hidden where few people would be
//! told apart by them.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::{Manager, Member};
use crate::console::failure::Failure;
use crate::console::page::{Page, render};
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::store::Total;

/// Totals of fewer users are hidden: they would tell of single persons.
pub const HIDDEN_BELOW: u64 = 10;
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
    /// `None` where they are hidden.
    days: Option<Vec<Day>>,
}

/// The totals of a day.
struct Day {
    at: Timestamp,
    counts: [u64; SHOWN.len()],
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
    let read = move |console: &Console| {
        let users = console.store.user_count(id)?;
        let totals = if users < HIDDEN_BELOW { Vec::new() } else { console.store.totals(id, first..=today)? };
        Ok((users, totals))
    };
    let (users, totals) = console.blocking(read).await?;
    let page = manager.member.page(&visitor, "staff-overview-title");
    let days = (users >= HIDDEN_BELOW).then(|| by_day(&totals));
    let columns = SHOWN.map(|(_, key)| key);
    Ok(render(&page, &Overview { page: &page, member: &manager.member, users, columns, days }))
}

fn by_day(totals: &[Total]) -> Vec<Day> {
    let mut days: BTreeMap<Date, [u64; SHOWN.len()]> = BTreeMap::new();
    for total in totals {
        if let Some(column) = SHOWN.iter().position(|(kind, _)| *kind == total.kind) {
            days.entry(total.day).or_default()[column] += total.count;
        }
    }
    let noon = |day: Date| day.at(12, 0, 0, 0).to_zoned(TimeZone::system()).ok().map(|at| at.timestamp());
    days.into_iter().rev().filter_map(|(day, counts)| Some(Day { at: noon(day)?, counts })).collect()
}
