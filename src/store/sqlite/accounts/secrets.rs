//! Users' own secrets.

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row};

use super::lock;
use crate::store::sqlite::change::{Change, Payload};
use crate::store::sqlite::link::{Db, DbError};
use crate::store::sqlite::{sql, users};
use crate::store::{
    Actor, LockState, MAX_LABEL, MAX_PASSKEYS, NewPasskey, Opens, OrganisationId, Passkey, Permission, RecoveryCode,
    Result, Secret, SecretId, SecretKind, StoreError, UserId, UserKey, WrappingKey,
};

/// A secret to be.
pub struct New {
    kind: SecretKind,
    label: String,
    credential: Option<Vec<u8>>,
    verifier: Vec<u8>,
}

impl New {
    /// Of a kind of which a user has one.
    pub fn alone(kind: SecretKind, verifier: Vec<u8>) -> Self {
        Self { kind, label: String::new(), credential: None, verifier }
    }

    pub fn passkey(passkey: &NewPasskey) -> Result<Self> {
        let label = passkey.label.trim();
        if label.is_empty() || label.len() > MAX_LABEL || label.chars().any(char::is_control) {
            let why = format!("a passkey has a name of 1 to {MAX_LABEL} bytes on one line");
            return Err(StoreError::Invalid(why));
        }
        Ok(Self {
            kind: SecretKind::Passkey,
            label: label.to_owned(),
            credential: Some(passkey.credential.clone()),
            verifier: passkey.state.clone().into_bytes(),
        })
    }
}

/// A secret of which a user has one, as it is kept.
pub struct Kept {
    id: SecretId,
    pub verifier: Vec<u8>,
    wrapped: Option<Vec<u8>>,
}

pub fn alone(conn: &Connection, user: UserId, kind: SecretKind) -> Db<Option<Kept>> {
    let read = |row: &Row<'_>| Ok(Kept { id: SecretId(row.get(0)?), verifier: row.get(1)?, wrapped: row.get(2)? });
    Ok(conn.prepare_cached(sql::SECRET_ALONE)?.query_row((user.to_sql(), kind.code()), read).optional()?)
}

pub fn all(conn: &Connection, user: UserId) -> Db<Vec<Secret>> {
    let mut statement = conn.prepare_cached(sql::SECRETS)?;
    let mut rows = statement.query([user.to_sql()])?;
    let mut secrets = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(&kind) = SecretKind::ALL.get(row.get::<_, usize>(1)?) else { continue };
        secrets.push(Secret {
            id: SecretId(row.get(0)?),
            kind,
            label: row.get(2)?,
            opens: opens(row.get(3)?),
            created: users::time(row.get(4)?),
            last_used: row.get::<_, Option<i64>>(5)?.map(users::time),
        });
    }
    Ok(secrets)
}

fn opens(wraps: bool) -> Opens {
    if wraps { Opens::Lists } else { Opens::Nothing }
}

/// Adds a secret, in place of the one there was where a user has one of its kind.
pub fn add(
    change: &mut Change<'_>,
    user: UserId,
    permission: &Permission,
    new: &New,
    wrapping: Option<&WrappingKey>,
) -> Db<SecretId> {
    let lock = lock::Lock::open(change, user, permission)?;
    let (organisation, id, kind) = (lock.organisation, user.to_sql(), new.kind.code());
    if new.credential.is_some() {
        let count: usize =
            change.conn.prepare_cached(sql::COUNT_SECRETS)?.query_row((id, Some(kind)), |row| row.get(0))?;
        if count >= MAX_PASSKEYS {
            return Err(StoreError::Invalid(format!("a user has at most {MAX_PASSKEYS} passkeys")).into());
        }
    } else {
        change.run(sql::REMOVE_SECRET_ALONE, (id, kind))?;
    }
    let wrapped = wrapping.map(|wrapping| wrapping.wrap(organisation, user, new.kind, &lock.key)).transpose()?;
    let values = (id, kind, &new.label, &new.credential, &new.verifier, wrapped, change.at());
    change.run(sql::ADD_SECRET, values).map_err(|error| match error {
        DbError::Sql(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            StoreError::Invalid("this passkey is registered already".to_owned()).into()
        }
        error => error,
    })?;
    let secret = SecretId(change.conn.last_insert_rowid());
    log(change, organisation, user, new.kind, "added")?;
    Ok(secret)
}

fn log(change: &mut Change<'_>, organisation: OrganisationId, user: UserId, kind: SecretKind, what: &str) -> Db<()> {
    let kind = format!("{}-{what}", kind.as_str());
    change.log(&Actor::User, organisation, &kind, Some(user), Payload::None)
}

/// A secret that fitted was used: the user's key.
pub fn used(
    change: &mut Change<'_>,
    user: UserId,
    kind: SecretKind,
    kept: &Kept,
    wrapping: &WrappingKey,
) -> Db<Option<UserKey>> {
    let organisation = users::show(change.conn, user)?.organisation;
    // It may have been replaced while it was tried.
    if alone(change.conn, user, kind)?.is_none_or(|now| now.id != kept.id) {
        return Ok(None);
    }
    change.run(sql::USE_SECRET, (kept.id.0, change.at()))?;
    unwrap(organisation, user, kind, kept.wrapped.as_deref(), wrapping).map(Some)
}

fn unwrap(
    organisation: OrganisationId,
    user: UserId,
    kind: SecretKind,
    wrapped: Option<&[u8]>,
    wrapping: &WrappingKey,
) -> Db<UserKey> {
    let key = wrapped.and_then(|wrapped| wrapping.unwrap(organisation, user, kind, wrapped));
    key.ok_or_else(|| StoreError::Altered(user).into())
}

pub fn passkeys(conn: &Connection, user: UserId) -> Db<Vec<Passkey>> {
    let mut statement = conn.prepare_cached(sql::PASSKEYS)?;
    let passkeys = statement.query_map([user.to_sql()], read_passkey)?;
    Ok(passkeys.collect::<rusqlite::Result<_>>()?)
}

pub fn passkey(conn: &Connection, credential: &[u8]) -> Db<Option<Passkey>> {
    Ok(conn.prepare_cached(sql::PASSKEY)?.query_row([credential], read_passkey).optional()?)
}

fn read_passkey(row: &Row<'_>) -> rusqlite::Result<Passkey> {
    Ok(Passkey {
        id: SecretId(row.get(0)?),
        user: UserId::from_sql(row.get(1)?),
        state: String::from_utf8_lossy(row.get_ref(2)?.as_blob()?).into_owned(),
        opens: opens(row.get(3)?),
    })
}

pub fn use_passkey(
    change: &mut Change<'_>,
    id: SecretId,
    state: &str,
    wrapping: Option<&WrappingKey>,
) -> Db<Option<UserKey>> {
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, u32>(1)?, row.get::<_, Option<Vec<u8>>>(2)?));
    let found = change.conn.prepare_cached(sql::PASSKEY_WRAP)?.query_row([id.0], read).optional()?;
    let (user, organisation, wrapped) = found.ok_or_else(unknown)?;
    change.run(sql::USE_PASSKEY, (id.0, change.at(), state.as_bytes()))?;
    let (Some(wrapping), Some(wrapped)) = (wrapping, wrapped) else { return Ok(None) };
    let (organisation, user) = (OrganisationId::new(organisation), UserId::from_sql(user));
    unwrap(organisation, user, SecretKind::Passkey, Some(&wrapped), wrapping).map(Some)
}

fn unknown() -> StoreError {
    StoreError::Invalid("the user has no such secret".to_owned())
}

/// Uses the recovery code up, if it is this one; the last that opens the lock stays until another is made.
pub fn use_recovery_code(change: &mut Change<'_>, user: UserId, code: &RecoveryCode) -> Db<Option<UserKey>> {
    let Some(kept) = alone(change.conn, user, SecretKind::Recovery)? else { return Ok(None) };
    // It may have been replaced while it was tried.
    if !code.is(Some(&kept.verifier)) {
        return Ok(None);
    }
    let organisation = users::show(change.conn, user)?.organisation;
    let wrapped = kept.wrapped.as_deref();
    let key = unwrap(organisation, user, SecretKind::Recovery, wrapped, &code.wrapping_key())?;
    if lock::state(change.conn, user)? == LockState::On && lock::opening(change.conn, user)? == 1 {
        change.run(sql::USE_SECRET, (kept.id.0, change.at()))?;
    } else {
        change.run(sql::REMOVE_SECRET, (kept.id.0, user.to_sql()))?;
        change.erased();
    }
    log(change, organisation, user, SecretKind::Recovery, "used")?;
    Ok(Some(key))
}

pub fn remove(change: &mut Change<'_>, user: UserId, permission: &Permission, secret: SecretId) -> Db<()> {
    let organisation = lock::Lock::check(change, user, permission)?;
    let id = user.to_sql();
    let kind: Option<usize> =
        change.conn.prepare_cached(sql::SECRET_KIND)?.query_row((secret.0, id), |row| row.get(0)).optional()?;
    let kind = kind.and_then(|kind| SecretKind::ALL.get(kind).copied()).ok_or_else(unknown)?;
    change.run(sql::REMOVE_SECRET, (secret.0, id))?;
    change.erased();
    if lock::state(change.conn, user)? == LockState::On && lock::opening(change.conn, user)? == 0 {
        return Err(StoreError::LastSecret.into());
    }
    let left: usize = change.conn.prepare_cached(sql::COUNT_SECRETS)?.query_row((id, None::<u8>), |row| row.get(0))?;
    if left == 0 {
        // The next secret makes a fresh one: whoever kept this one has nothing.
        change.run(sql::REMOVE_LOCK_KEY, [id])?;
    }
    log(change, organisation, user, kind, "removed")
}
