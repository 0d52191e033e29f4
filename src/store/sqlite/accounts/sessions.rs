//! Sessions, and the sign-ins that opened them.

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row};

use crate::store::sqlite::change::{Change, Payload};
use crate::store::sqlite::link::{Db, DbError};
use crate::store::sqlite::{sql, users};
use crate::store::{
    Actor, Holder, KEPT_SIGN_INS, MAX_ANONYMOUS, MAX_BROWSERS, MAX_LABEL, MAX_SESSION_DATA, MAX_SESSIONS, OpenedBy,
    Result, SecretHash, SessionId, SessionRow, SessionSummary, SignIn, StoreError, UserId,
};

/// Whether a session can be kept.
pub fn check(session: &SessionRow) -> Result<()> {
    if session.data.len() > MAX_SESSION_DATA {
        return Err(StoreError::Invalid(format!("a session holds at most {MAX_SESSION_DATA} bytes")));
    }
    Ok(())
}

pub fn add(change: &mut Change<'_>, session: &SessionRow) -> Db<bool> {
    if write(change, sql::ADD_SESSION, session)? == 0 {
        return Ok(false);
    }
    let id = change.conn.last_insert_rowid();
    match session.holder {
        Some(holder) => {
            let (user, staff) = holder.to_sql();
            change.run(sql::END_OLD_SESSIONS_OF, (user, staff, MAX_SESSIONS))?;
        }
        None => {
            change.run(sql::END_OLD_SESSIONS, [id - i64::from(MAX_ANONYMOUS)])?;
        }
    }
    Ok(true)
}

pub fn save(change: &mut Change<'_>, session: &SessionRow) -> Db<bool> {
    Ok(write(change, sql::SAVE_SESSION, session)? > 0)
}

fn write(change: &mut Change<'_>, sql: &'static str, session: &SessionRow) -> Db<usize> {
    let (user, staff) = session.holder.map_or((None, None), Holder::to_sql);
    let values = (
        session.hash.bytes(),
        user,
        staff,
        session.opened_by.code(),
        session.created.as_second(),
        session.seen.as_second(),
        session.expires.as_second(),
        shortened(&session.network),
        shortened(&session.browser),
        &session.data,
    );
    change.run(sql, values).map_err(|error| for_user(error, session.holder))
}

/// A reference that does not hold is a user who is not there.
fn for_user(error: DbError, holder: Option<Holder>) -> DbError {
    match (error, holder) {
        (DbError::Sql(error), Some(Holder::User(user)))
            if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) =>
        {
            StoreError::UnknownUser(user.to_string()).into()
        }
        (error, _) => error,
    }
}

fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_LABEL)]
}

pub fn find(conn: &Connection, hash: &SecretHash, now: Timestamp) -> Db<Option<SessionRow>> {
    let read = |row: &Row<'_>| {
        Ok(SessionRow {
            hash: *hash,
            holder: Holder::from_sql(row.get(0)?, row.get(1)?),
            opened_by: OpenedBy::from_code(row.get(2)?),
            created: users::time(row.get(3)?),
            seen: users::time(row.get(4)?),
            expires: users::time(row.get(5)?),
            network: row.get(6)?,
            browser: row.get(7)?,
            data: row.get(8)?,
        })
    };
    Ok(conn.prepare_cached(sql::SESSION)?.query_row((hash.bytes(), now.as_second()), read).optional()?)
}

pub fn touch(change: &mut Change<'_>, hash: &SecretHash, seen: Timestamp, expires: Timestamp) -> Db<()> {
    change.run(sql::TOUCH_SESSION, (hash.bytes(), seen.as_second(), expires.as_second())).map(drop)
}

pub fn end(change: &mut Change<'_>, hash: &SecretHash) -> Db<()> {
    change.run(sql::END_SESSION, [hash.bytes()]).map(drop)
}

pub fn of(conn: &Connection, holder: Holder, now: Timestamp) -> Db<Vec<SessionSummary>> {
    let (user, staff) = holder.to_sql();
    let read = |row: &Row<'_>| {
        Ok(SessionSummary {
            id: SessionId(row.get(0)?),
            hash: SecretHash::from_bytes(row.get(1)?),
            opened_by: OpenedBy::from_code(row.get(2)?),
            created: users::time(row.get(3)?),
            seen: users::time(row.get(4)?),
            network: row.get(5)?,
            browser: row.get(6)?,
        })
    };
    let mut statement = conn.prepare_cached(sql::SESSIONS_OF)?;
    let sessions = statement.query_map((user, staff, now.as_second()), read)?;
    Ok(sessions.collect::<rusqlite::Result<_>>()?)
}

pub fn end_of(change: &mut Change<'_>, holder: Holder, session: SessionId) -> Db<()> {
    let (user, staff) = holder.to_sql();
    change.run(sql::END_SESSION_OF, (user, staff, session.0)).map(drop)
}

pub fn end_all_of(change: &mut Change<'_>, actor: &Actor, holder: Holder, except: Option<SecretHash>) -> Db<u64> {
    let (user, staff) = holder.to_sql();
    let ended = change.run(sql::END_SESSIONS_OF, (user, staff, except.as_ref().map(SecretHash::bytes)))?;
    if let Holder::User(user) = holder {
        log(change, actor, user, "sessions-ended")?;
    }
    u64::try_from(ended).map_err(|error| StoreError::internal(error).into())
}

/// Notes in the journal what became of a user's account.
pub fn log(change: &mut Change<'_>, actor: &Actor, user: UserId, kind: &str) -> Db<()> {
    let organisation = users::show(change.conn, user)?.organisation;
    change.log(actor, organisation, kind, Some(user), Payload::None)
}

pub fn prune(change: &mut Change<'_>) -> Db<u64> {
    let pruned = change.run(sql::PRUNE_SESSIONS, [change.at()])?;
    u64::try_from(pruned).map_err(|error| StoreError::internal(error).into())
}

pub fn record(change: &mut Change<'_>, holder: Holder, sign_in: &SignIn) -> Db<()> {
    let (user, staff) = holder.to_sql();
    let SignIn { at, opened_by, network, browser } = sign_in;
    let values = (user, staff, at.as_second(), opened_by.code(), shortened(network), shortened(browser));
    change.run(sql::RECORD_SIGN_IN, values).map_err(|error| for_user(error, Some(holder)))?;
    change.run(sql::FORGET_OLD_SIGN_INS, (user, staff, KEPT_SIGN_INS)).map(drop)
}

pub fn meet_browser(change: &mut Change<'_>, user: UserId, browser: &SecretHash) -> Db<bool> {
    let id = user.to_sql();
    let is_known = change.run(sql::FORGET_BROWSER, (id, browser.bytes()))? > 0;
    change.run(sql::ADD_BROWSER, (id, browser.bytes())).map_err(|error| for_user(error, Some(Holder::User(user))))?;
    change.run(sql::FORGET_OLD_BROWSERS, (id, MAX_BROWSERS))?;
    Ok(is_known)
}

pub fn last_sign_in(conn: &Connection, holder: Holder) -> Db<Option<SignIn>> {
    let read = |row: &Row<'_>| {
        Ok(SignIn {
            at: users::time(row.get(0)?),
            opened_by: OpenedBy::from_code(row.get(1)?),
            network: row.get(2)?,
            browser: row.get(3)?,
        })
    };
    Ok(conn.prepare_cached(sql::LAST_SIGN_IN)?.query_row(holder.to_sql(), read).optional()?)
}
