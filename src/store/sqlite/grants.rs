//! Leave that users give to read one list.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Row};

use super::change::{Change, Payload};
use super::link::Db;
use super::{accounts, sql, users};
use crate::policy::list::ListKind;
use crate::store::{Actor, Grant, GrantId, LockState, MAX_GRANT, MAX_NAME, Result, StoreError, User, UserId};

/// Whether a grant can be given.
pub fn check(grantee: &str, time: Duration) -> Result<()> {
    if time < Duration::from_secs(1) || time > MAX_GRANT {
        return Err(StoreError::Invalid("a grant is given for 1 second to 24 hours".to_owned()));
    }
    if grantee.is_empty() || grantee.len() > MAX_NAME || grantee.chars().any(char::is_control) {
        return Err(StoreError::Invalid(format!("a grant names a person in 1 to {MAX_NAME} bytes on one line")));
    }
    Ok(())
}

pub fn issue(change: &mut Change<'_>, user: UserId, grantee: &str, list: ListKind, time: Duration) -> Db<GrantId> {
    let organisation = users::show(change.conn, user)?.organisation;
    if accounts::lock_state(change.conn, user)? == LockState::On {
        return Err(StoreError::GrantUnderLock.into());
    }
    let time = SignedDuration::try_from(time).map_err(StoreError::internal)?;
    let expires = change.now.checked_add(time).map_err(StoreError::internal)?;
    change.run(sql::ADD_GRANT, (user.to_sql(), grantee, list as u8, change.at(), expires.as_second()))?;
    let id = GrantId(change.conn.last_insert_rowid());
    change.log(&Actor::User, organisation, "grant-issued", Some(user), Payload::None)?;
    Ok(id)
}

pub fn revoke(change: &mut Change<'_>, user: UserId, grant: GrantId) -> Db<()> {
    let organisation = users::show(change.conn, user)?.organisation;
    let exists: bool =
        change.conn.prepare_cached(sql::GRANT_EXISTS)?.query_row((grant.0, user.to_sql()), |row| row.get(0))?;
    if !exists {
        return Err(StoreError::Invalid(format!("the user gave no grant {grant}")).into());
    }
    change.run(sql::REVOKE_GRANT, (grant.0, user.to_sql(), change.at()))?;
    change.log(&Actor::User, organisation, "grant-revoked", Some(user), Payload::None)
}

/// Uses live grants for a list, or for all three; the user will see it.
pub fn use_for(change: &mut Change<'_>, user: UserId, grantee: &str, list: Option<ListKind>) -> Db<()> {
    let lists = list.map_or(ListKind::ALL.to_vec(), |list| vec![list]);
    for list in lists {
        if change.run(sql::USE_GRANT, (user.to_sql(), grantee, list as u8, change.at()))? == 0 {
            return Err(StoreError::NotPermitted.into());
        }
    }
    if accounts::lock_state(change.conn, user)? == LockState::On {
        return Err(StoreError::UserLocked.into());
    }
    let organisation = users::show(change.conn, user)?.organisation;
    let actor = Actor::Administrator { name: grantee.to_owned() };
    change.log(&actor, organisation, "grant-used", Some(user), Payload::None)
}

pub fn is_live(conn: &Connection, user: UserId, grantee: &str, list: ListKind, now: Timestamp) -> Db<bool> {
    let values = (user.to_sql(), grantee, list as u8, now.as_second());
    Ok(conn.prepare_cached(sql::LIVE_GRANT)?.query_row(values, |row| row.get(0))?)
}

/// Most live grants of one grantee that are shown.
const MOST: usize = 200;

/// The live grants to somebody, with who gave them.
pub fn to(conn: &Connection, grantee: &str, now: Timestamp) -> Db<Vec<(User, Grant)>> {
    let mut statement = conn.prepare_cached(sql::GRANTS_TO)?;
    let mut rows = statement.query((grantee, now.as_second(), MOST))?;
    let mut grants = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(grant) = read(row)? else { continue };
        grants.push((users::show(conn, UserId::from_sql(row.get(7)?))?, grant));
    }
    Ok(grants)
}

pub fn all(conn: &Connection, user: UserId) -> Db<Vec<Grant>> {
    let mut statement = conn.prepare_cached(sql::GRANTS)?;
    let mut rows = statement.query([user.to_sql()])?;
    let mut grants = Vec::new();
    while let Some(row) = rows.next()? {
        grants.extend(read(row)?);
    }
    Ok(grants)
}

/// The grant of a row; `None` for one that was not written by us.
fn read(row: &Row<'_>) -> Db<Option<Grant>> {
    let Some(&list) = ListKind::ALL.get(row.get::<_, usize>(2)?) else { return Ok(None) };
    let optional = |at| row.get::<_, Option<i64>>(at).map(|seconds| seconds.map(users::time));
    Ok(Some(Grant {
        id: GrantId(row.get(0)?),
        grantee: row.get(1)?,
        list,
        issued: users::time(row.get(3)?),
        expires: users::time(row.get(4)?),
        revoked: optional(5)?,
        last_used: optional(6)?,
    }))
}
