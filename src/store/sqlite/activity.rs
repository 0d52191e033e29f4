//! Activity: written by the relay, opened for its user.

use std::collections::HashMap;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use rusqlite::{Connection, OptionalExtension};

use super::accounts::{Unlocked, unlock};
use super::change::{Change, Payload, packed};
use super::link::Db;
use super::{Shared, SqliteStore, follow, organisations, sql, users};
use crate::policy::list::UserOptions;
use crate::store::activity::{
    ACTIVITY_DAYS, ACTIVITY_ROWS, Activity, ActivityStore, ActivityWriter, Digest, History, HistoryRow, Keeping,
    PublicKey, SealedRow, day,
};
use crate::store::seal::ratchet::ChainOpener;
use crate::store::seal::{Field, KEY, Place};
use crate::store::{Actor, LoadedUser, Organisation, OrganisationId, Permission, Result, StoreError, UserId};

impl ActivityStore for SqliteStore {
    fn append_activity(&self, writer: &mut ActivityWriter, rows: &[(UserId, Activity)]) -> Result<()> {
        let now = self.shared.now();
        let users = rows.iter().map(|(user, _)| *user);
        let keys = self.read(|conn| public_keys(conn, users))?;
        let seal = |(user, activity): &(UserId, Activity)| Some(writer.seal(now, *user, keys.get(user)?, activity));
        let sealed = rows.iter().filter_map(seal).collect::<Result<Vec<_>>>()?;
        self.write(move |change| append(change, &sealed))
    }

    fn add_activity_gaps(&self, gaps: &[(UserId, Date)]) -> Result<()> {
        let gaps = gaps.to_vec();
        self.write(move |change| add_gaps(change, &gaps))
    }

    fn keep_activity(&self, user: UserId, keeping: Keeping) -> Result<()> {
        self.write(move |change| keep(change, user, keeping))
    }

    fn activity(&self, user: UserId, permission: &Permission) -> Result<History> {
        if matches!(permission, Permission::Grant { .. }) {
            return Err(StoreError::NotPermitted);
        }
        self.read(|conn| {
            let unlocked = unlock(conn, &self.shared, user, permission)?;
            open(conn, &self.shared, user, &unlocked)
        })
    }

    fn purge_activity(&self, user: UserId) -> Result<()> {
        self.write(move |change| purge(change, user))
    }

    fn prune_activity(&self) -> Result<u64> {
        self.write(prune)
    }

    fn set_digest(&self, user: UserId, digest: Digest) -> Result<()> {
        self.write(move |change| set_digest(change, user, digest))
    }

    fn digest(&self, user: UserId) -> Result<Digest> {
        self.read(|conn| digest(conn, user))
    }

    fn take_digests(&self, before: Timestamp, limit: usize) -> Result<Vec<UserId>> {
        self.write(move |change| take_digests(change, before.as_second(), limit))
    }

    fn compiled(&self, user: UserId) -> Result<LoadedUser> {
        self.read(|conn| compiled(conn, &self.shared, user))
    }
}

/// What sealing for these users needs; those who are gone are left out.
fn public_keys(conn: &Connection, users: impl Iterator<Item = UserId>) -> Db<HashMap<UserId, PublicKey>> {
    let mut statement = conn.prepare_cached(sql::PUBLIC_KEY)?;
    let mut keys = HashMap::new();
    for user in users {
        if keys.contains_key(&user) {
            continue;
        }
        let read = |row: &rusqlite::Row<'_>| Ok((OrganisationId::new(row.get(0)?), row.get(1)?));
        if let Some(key) = statement.query_row([user.to_sql()], read).optional()? {
            keys.insert(user, key);
        }
    }
    Ok(keys)
}

/// Writes sealed rows of users who still want them; older ones give way.
fn append(change: &mut Change<'_>, rows: &[SealedRow]) -> Db<()> {
    let mut written: Vec<UserId> = Vec::new();
    for row in rows {
        if !keeps(change.conn, row.user)? {
            continue;
        }
        let user = row.user.to_sql();
        change.run(sql::ADD_CHAIN, (user, row.chain, row.ephemeral))?;
        let values = (user, row.day.to_string(), row.chain, row.position, &row.sealed);
        change.run(sql::ADD_ACTIVITY, values)?;
        written.push(row.user);
    }
    written.sort_unstable();
    written.dedup();
    for user in written {
        if change.run(sql::CUT_ACTIVITY, (user.to_sql(), ACTIVITY_ROWS))? > 0 {
            change.run(sql::REMOVE_EMPTY_CHAINS, [user.to_sql()])?;
        }
    }
    Ok(())
}

/// Notes that rows are missing, for users who want them.
fn add_gaps(change: &mut Change<'_>, gaps: &[(UserId, Date)]) -> Db<()> {
    for (user, day) in gaps {
        if keeps(change.conn, *user)? {
            change.run(sql::ADD_GAP, (user.to_sql(), day.to_string()))?;
        }
    }
    Ok(())
}

/// Whether a user is there and wants to see later what happened.
fn keeps(conn: &Connection, user: UserId) -> Db<bool> {
    let options: Option<u32> =
        conn.prepare_cached(sql::OPTIONS)?.query_row([user.to_sql()], |row| row.get(0)).optional()?;
    Ok(options.is_some_and(|bits| UserOptions::from_bits(bits).activity))
}

fn keep(change: &mut Change<'_>, user: UserId, keeping: Keeping) -> Db<()> {
    let options = users::show(change.conn, user)?.options;
    let activity = keeping == Keeping::On;
    users::set_options(change, &Actor::User, user, UserOptions { activity, ..options })?;
    match keeping {
        Keeping::On => Ok(()),
        Keeping::Off => erase(change, user),
    }
}

fn purge(change: &mut Change<'_>, user: UserId) -> Db<()> {
    let organisation = users::show(change.conn, user)?.organisation;
    erase(change, user)?;
    change.log(&Actor::User, organisation, "activity-erased", Some(user), Payload::None)
}

/// Erases what a user's messages became.
pub fn erase(change: &mut Change<'_>, user: UserId) -> Db<()> {
    for statement in [sql::REMOVE_ACTIVITY, sql::REMOVE_CHAINS, sql::REMOVE_GAPS] {
        change.run(statement, [user.to_sql()])?;
    }
    change.erased();
    Ok(())
}

/// For how many days an organisation keeps rows.
fn days(organisation: &Organisation) -> u8 {
    organisation.settings.activity_days.unwrap_or(ACTIVITY_DAYS)
}

/// The oldest day that is kept.
fn oldest(today: Date, days: u8) -> Db<String> {
    Ok(today.checked_sub(i32::from(days).days()).map_err(StoreError::internal)?.to_string())
}

fn prune(change: &mut Change<'_>) -> Db<u64> {
    let today = day(change.now);
    let mut removed = 0;
    for organisation in organisations::all(change.conn)? {
        let (id, oldest) = (organisation.id.get(), oldest(today, days(&organisation))?);
        removed += change.run(sql::PRUNE_ACTIVITY, (id, &oldest))? as u64;
        change.run(sql::PRUNE_GAPS, (id, &oldest))?;
    }
    if removed > 0 {
        change.run(sql::REMOVE_ALL_EMPTY_CHAINS, [])?;
        change.erased();
    }
    Ok(removed)
}

/// Opens a user's rows with the private key that the caller was permitted to use.
fn open(conn: &Connection, shared: &Shared, user: UserId, unlocked: &Unlocked) -> Db<History> {
    let days = organisations::show(conn, unlocked.organisation)?.map_or(ACTIVITY_DAYS, |one| days(&one));
    let oldest = oldest(day(shared.now()), days)?;
    let place = Place { organisation: unlocked.organisation, user, field: Field::Activity };
    let mut openers: HashMap<i64, Option<ChainOpener>> = HashMap::new();
    let mut statement = conn.prepare_cached(sql::ACTIVITY)?;
    let mut found = statement.query((user.to_sql(), &oldest))?;
    let mut rows = Vec::new();
    // Oldest first, the way of the chains.
    while let Some(row) = found.next()? {
        let ephemeral: Option<[u8; KEY]> = row.get(4)?;
        let opener = openers
            .entry(row.get(1)?)
            .or_insert_with(|| ephemeral.and_then(|ephemeral| ChainOpener::new(&unlocked.private, &ephemeral).ok()));
        let sealed = row.get_ref(3)?.as_blob().map_err(StoreError::internal)?;
        let position = row.get(2)?;
        let plain = opener.as_mut().and_then(|opener| opener.open(&place, position, sealed));
        let activity = plain.and_then(|plain| Activity::from_row(&plain));
        rows.push(HistoryRow { id: row.get(0)?, activity });
    }
    rows.reverse();
    let mut statement = conn.prepare_cached(sql::GAPS)?;
    let gaps = statement.query_map((user.to_sql(), &oldest), |row| row.get::<_, String>(0))?;
    let gaps: Vec<String> = gaps.collect::<rusqlite::Result<_>>()?;
    Ok(History { rows, incomplete: gaps.iter().filter_map(|day| day.parse().ok()).collect(), days })
}

fn set_digest(change: &mut Change<'_>, user: UserId, digest: Digest) -> Db<()> {
    let organisation = users::show(change.conn, user)?.organisation;
    match digest {
        Digest::Wanted => change.run(sql::ADD_DIGEST, (user.to_sql(), change.at()))?,
        Digest::Unwanted => change.run(sql::REMOVE_DIGEST, [user.to_sql()])?,
    };
    change.log(&Actor::User, organisation, "digest", Some(user), Payload::None)
}

fn digest(conn: &Connection, user: UserId) -> Db<Digest> {
    let wanted = conn.prepare_cached(sql::DIGEST)?.query_row([user.to_sql()], |row| row.get(0))?;
    Ok(if wanted { Digest::Wanted } else { Digest::Unwanted })
}

fn take_digests(change: &mut Change<'_>, before: i64, limit: usize) -> Db<Vec<UserId>> {
    let read = |row: &rusqlite::Row<'_>| row.get(0).map(UserId::from_sql);
    let mut statement = change.conn.prepare_cached(sql::DIGESTS_DUE)?;
    let due: Vec<UserId> = statement.query_map((before, limit), read)?.collect::<rusqlite::Result<_>>()?;
    drop(statement);
    for user in &due {
        change.run(sql::ADD_DIGEST, (user.to_sql(), change.at()))?;
    }
    Ok(due)
}

/// What the relay holds of one user.
fn compiled(conn: &Connection, shared: &Shared, user: UserId) -> Db<LoadedUser> {
    let (row, mac) = packed(conn, user)?.ok_or_else(|| StoreError::UnknownUser(user.to_string()))?;
    Ok(follow::load_user(conn, shared, user, row, &mac)?.ok_or(StoreError::Altered(user))?)
}
