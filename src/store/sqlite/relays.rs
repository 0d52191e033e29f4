//! The relays of a store.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::change::Change;
use super::link::Db;
use super::users::time;
use super::{SqliteStore, sql};
use crate::policy::list::UserOptions;
use crate::store::activity::day;
use crate::store::{
    KnownRelay, MAX_ACTIVITY_DAYS, MAX_RELAYS, RELAY_GONE, RELAY_SHOWN, RelayReport, RelayRun, RelayStatus, RelayStore,
    Result, StoreError,
};

impl RelayStore for SqliteStore {
    fn tell_relay(&self, report: &RelayReport) -> Result<()> {
        let report = report.clone();
        self.write(move |change| tell(change, &report))
    }

    fn end_relay(&self, run: &RelayRun) -> Result<()> {
        let id = run.id;
        self.write(move |change| change.run(sql::REMOVE_RELAY, [id]).map(drop))
    }

    fn relays(&self) -> Result<Vec<KnownRelay>> {
        let since = before(self.shared.now(), RELAY_SHOWN);
        self.read(|conn| all(conn, since))
    }
}

fn before(now: Timestamp, time: std::time::Duration) -> i64 {
    now.as_second().saturating_sub_unsigned(time.as_secs())
}

fn tell(change: &mut Change<'_>, report: &RelayReport) -> Db<()> {
    let RelayReport { run, status } = report;
    let status = serde_json::to_string(status).map_err(StoreError::internal)?;
    let (started, now) = (run.started.as_second(), change.now);
    change.run(sql::TELL_RELAY, (run.id, &run.name, &run.version, started, now.as_second(), status))?;
    while let Some((id, seen)) = gone(change.conn, before(now, RELAY_GONE))? {
        mark_days(change, time(seen))?;
        change.run(sql::MISS_RELAY, [id])?;
    }
    change.run(sql::PRUNE_RELAYS, (before(now, RELAY_SHOWN), MAX_RELAYS))?;
    Ok(())
}

/// A relay that told nothing since then, and when it did.
fn gone(conn: &Connection, since: i64) -> Db<Option<(i64, i64)>> {
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    Ok(conn.prepare_cached(sql::GONE_RELAY)?.query_row([since], read).optional()?)
}

/// Marks the days from this time to now for everybody who keeps activity: nobody knows of whom rows were lost.
fn mark_days(change: &mut Change<'_>, from: Timestamp) -> Db<()> {
    let activity = UserOptions { activity: true, ..UserOptions::default() }.to_bits();
    let today = day(change.now);
    for day in
        day(from).series(jiff::Span::new().days(1)).take_while(|day| *day <= today).take(MAX_ACTIVITY_DAYS.into())
    {
        change.run(sql::ADD_GAP_FOR_ALL, (day.to_string(), activity))?;
    }
    Ok(())
}

fn all(conn: &Connection, since: i64) -> Db<Vec<KnownRelay>> {
    let mut statement = conn.prepare_cached(sql::RELAYS)?;
    let mut rows = statement.query([since])?;
    let mut relays = Vec::new();
    while let Some(row) = rows.next()? {
        let run = RelayRun { id: row.get(0)?, name: row.get(1)?, version: row.get(2)?, started: time(row.get(3)?) };
        let status: String = row.get(5)?;
        // What another version wrote may lack a field: what is known of it is shown.
        let status: RelayStatus = serde_json::from_str(&status).unwrap_or_default();
        relays.push(KnownRelay { report: RelayReport { run, status }, seen: time(row.get(4)?) });
    }
    Ok(relays)
}
