//! Counts per organisation and day.

use std::ops::RangeInclusive;

use jiff::civil::Date;
use rusqlite::Connection;

use super::change::Change;
use super::link::Db;
use super::{organisations, sql};
use crate::store::{OrganisationId, StoreError, Total};

pub fn add(change: &mut Change<'_>, totals: &[Total]) -> Db<()> {
    for total in totals {
        organisations::require(change.conn, total.organisation)?;
        let count = i64::try_from(total.count).map_err(StoreError::internal)?;
        change.run(sql::ADD_TOTAL, (total.organisation.get(), total.day.to_string(), &total.kind, count))?;
    }
    Ok(())
}

pub fn of(conn: &Connection, organisation: OrganisationId, days: &RangeInclusive<Date>, today: Date) -> Db<Vec<Total>> {
    let mut statement = conn.prepare_cached(sql::TOTALS)?;
    let (first, last) = (days.start().to_string(), days.end().to_string());
    let mut rows = statement.query((organisation.get(), first, last, today.to_string()))?;
    let mut totals = Vec::new();
    while let Some(row) = rows.next()? {
        let day: String = row.get(0)?;
        let day = day.parse().map_err(StoreError::internal)?;
        totals.push(Total { organisation, day, kind: row.get(1)?, count: row.get(2)? });
    }
    Ok(totals)
}
