//! The personal lock, and the one function that gives a user's private key.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row};
use zeroize::Zeroizing;

use super::sessions;
use crate::policy::list::{Fingerprint, FingerprintKey, ListKind};
use crate::store::seal::{KEY, PrivateKeySealer, open_private_key};
use crate::store::sqlite::change::{Change, Payload, Told};
use crate::store::sqlite::link::Db;
use crate::store::sqlite::{Shared, activity, sql, users};
use crate::store::{
    Actor, FRESH_START_DELAY, FreshStart, Holder, LockState, OrganisationId, Permission, StoreError, UserId, UserKey,
};

/// A user's private key, organisation and fingerprint key.
pub struct Unlocked {
    pub organisation: OrganisationId,
    pub private: Zeroizing<[u8; KEY]>,
    pub fingerprint: FingerprintKey,
}

/// Opens a user's private key: whatever reads for somebody asks here. That a grant is live was seen before.
pub fn unlock(conn: &Connection, shared: &Shared, user: UserId, permission: &Permission) -> Db<Unlocked> {
    let key = match permission {
        Permission::Own(own) if *own == user => None,
        Permission::Unlocked(own, key) if *own == user => Some(key),
        Permission::Grant { .. } => None,
        Permission::Own(_) | Permission::Unlocked(..) => return Err(StoreError::NotPermitted.into()),
    };
    let found: Option<Vec<u8>> =
        conn.prepare_cached(sql::USER_FINGERPRINT)?.query_row([user.to_sql()], |row| row.get(0)).optional()?;
    let wrapped = found.ok_or(StoreError::NotPermitted)?;
    let kept = Kept::of(conn, user)?;
    let private = kept.private(shared, user, key)?;
    let organisation = kept.organisation;
    let fingerprint = shared.wrap.fingerprint_key(organisation, user, &wrapped).ok_or(StoreError::Altered(user))?;
    Ok(Unlocked { organisation, private, fingerprint })
}

/// A user's keys as they are kept.
struct Kept {
    organisation: OrganisationId,
    state: LockState,
    private: Vec<u8>,
    /// The lock key, sealed to the store.
    lock: Option<Vec<u8>>,
}

impl Kept {
    fn of(conn: &Connection, user: UserId) -> Db<Self> {
        let mut statement = conn.prepare_cached(sql::USER_LOCK)?;
        let mut rows = statement.query([user.to_sql()])?;
        let row = rows.next()?.ok_or_else(|| StoreError::UnknownUser(user.to_string()))?;
        let wrap = row.get_ref(1)?.as_str().map_err(StoreError::internal)?;
        let state = if wrap == "seal" { LockState::Off } else { LockState::On };
        Ok(Self { organisation: OrganisationId::new(row.get(0)?), state, private: row.get(2)?, lock: row.get(3)? })
    }

    fn private(&self, shared: &Shared, user: UserId, key: Option<&UserKey>) -> Db<Zeroizing<[u8; KEY]>> {
        let opened = match self.state {
            LockState::Off => {
                let seal_key = shared.keys.seal_key.as_ref().ok_or(StoreError::NoSealKey)?;
                open_private_key(seal_key, self.organisation, user, &self.private)
            }
            LockState::On => key.ok_or(StoreError::UserLocked)?.unlock(self.organisation, user, &self.private),
        };
        Ok(opened.ok_or(StoreError::Altered(user))?)
    }
}

/// The lock of a user, opened by somebody who may change it.
pub struct Lock {
    pub organisation: OrganisationId,
    pub key: UserKey,
    kept: Kept,
    private: Zeroizing<[u8; KEY]>,
}

impl Lock {
    /// That the lock may be changed; the user's organisation. A grant is not enough.
    pub fn check(change: &Change<'_>, user: UserId, permission: &Permission) -> Db<OrganisationId> {
        if matches!(permission, Permission::Grant { .. }) {
            return Err(StoreError::NotPermitted.into());
        }
        Ok(unlock(change.conn, change.shared, user, permission)?.organisation)
    }

    /// Opens the lock; a user's first secret makes its key.
    pub fn open(change: &mut Change<'_>, user: UserId, permission: &Permission) -> Db<Self> {
        let organisation = Self::check(change, user, permission)?;
        let private = unlock(change.conn, change.shared, user, permission)?.private;
        let kept = Kept::of(change.conn, user)?;
        let key = match (permission, &kept.lock) {
            (Permission::Unlocked(_, key), _) if kept.state == LockState::On => key.clone(),
            (_, Some(sealed)) => {
                let seal_key = change.shared.keys.seal_key.as_ref().ok_or(StoreError::NoSealKey)?;
                UserKey::open(seal_key, organisation, user, sealed).ok_or(StoreError::Altered(user))?
            }
            (_, None) => {
                let key = UserKey::random()?;
                let sealed = key.seal(&change.seal_public, organisation, user)?;
                change.run(sql::SET_LOCK_KEY, (user.to_sql(), Some(sealed)))?;
                key
            }
        };
        Ok(Self { organisation, key, kept, private })
    }
}

pub fn state(conn: &Connection, user: UserId) -> Db<LockState> {
    Ok(Kept::of(conn, user)?.state)
}

/// Secrets of a user that open the lock.
pub fn opening(conn: &Connection, user: UserId) -> Db<usize> {
    Ok(conn.prepare_cached(sql::COUNT_OPENING)?.query_row([user.to_sql()], |row| row.get(0))?)
}

pub fn set(change: &mut Change<'_>, user: UserId, permission: &Permission, wanted: LockState) -> Db<()> {
    let Lock { organisation, key, kept, private } = Lock::open(change, user, permission)?;
    if kept.state == wanted {
        return Ok(());
    }
    let id = user.to_sql();
    let kind = match wanted {
        LockState::On => {
            if opening(change.conn, user)? == 0 {
                return Err(StoreError::LastSecret.into());
            }
            change.run(sql::SET_PRIVATE_KEY, (id, "lock", key.lock(organisation, user, &private)?))?;
            change.run(sql::SET_LOCK_KEY, (id, None::<Vec<u8>>))?;
            change.run(sql::REVOKE_GRANTS, (id, change.at()))?;
            // What the seal key opened a moment ago shall not stay in the log.
            change.erased();
            "lock-on"
        }
        LockState::Off => {
            let sealed = PrivateKeySealer::new(&change.seal_public)?.seal(organisation, user, &private)?;
            change.run(sql::SET_PRIVATE_KEY, (id, "seal", sealed))?;
            change.run(sql::CANCEL_FRESH_START, [id])?;
            change.run(sql::SET_LOCK_KEY, (id, Some(key.seal(&change.seal_public, organisation, user)?)))?;
            "lock-off"
        }
    };
    change.log(&Actor::User, organisation, kind, Some(user), Payload::None)
}

/// That a user under a lock wants a fresh start.
pub fn ask_fresh_start(change: &mut Change<'_>, user: UserId) -> Db<FreshStart> {
    if state(change.conn, user)? == LockState::Off {
        return Err(StoreError::Invalid("the personal lock is off: nothing is lost".to_owned()).into());
    }
    let delay = SignedDuration::try_from(FRESH_START_DELAY).map_err(StoreError::internal)?;
    let due = change.now.checked_add(delay).map_err(StoreError::internal)?;
    if change.run(sql::ASK_FRESH_START, (user.to_sql(), change.at(), due.as_second()))? > 0 {
        sessions::log(change, &Actor::User, user, "fresh-start-asked")?;
    }
    fresh_start(change.conn, user)?.ok_or_else(|| StoreError::UnknownUser(user.to_string()).into())
}

pub fn fresh_start(conn: &Connection, user: UserId) -> Db<Option<FreshStart>> {
    let read = |row: &Row<'_>| Ok(FreshStart { asked: users::time(row.get(0)?), due: users::time(row.get(1)?) });
    Ok(conn.prepare_cached(sql::FRESH_START)?.query_row([user.to_sql()], read).optional()?)
}

pub fn cancel_fresh_start(change: &mut Change<'_>, user: UserId) -> Db<()> {
    match change.run(sql::CANCEL_FRESH_START, [user.to_sql()])? {
        0 => Ok(()),
        _ => sessions::log(change, &Actor::User, user, "fresh-start-cancelled"),
    }
}

pub fn fresh_starts_due(conn: &Connection, now: Timestamp) -> Db<Vec<UserId>> {
    let mut statement = conn.prepare_cached(sql::FRESH_STARTS_DUE)?;
    let due = statement.query_map([now.as_second()], |row| row.get(0).map(UserId::from_sql))?;
    Ok(due.collect::<rusqlite::Result<_>>()?)
}

/// Has a user start anew with a fresh key pair; `false` where it was cancelled or the lock was taken off meanwhile.
pub fn make_fresh_start(change: &mut Change<'_>, user: UserId, private: &[u8; KEY], public: &[u8; KEY]) -> Db<bool> {
    let id = user.to_sql();
    if change.run(sql::CANCEL_FRESH_START, [id])? == 0 {
        return Ok(false);
    }
    let kept = Kept::of(change.conn, user)?;
    if kept.state == LockState::Off {
        return Ok(false);
    }
    let sealed = PrivateKeySealer::new(&change.seal_public)?.seal(kept.organisation, user, private)?;
    change.run(sql::SET_KEY_PAIR, (id, sealed, public))?;
    change.run(sql::REMOVE_SECRETS, [id])?;
    change.run(sql::REMOVE_LOCK_KEY, [id])?;
    change.run(sql::FORGET_VALUES, [id])?;
    change.run(sql::FORGET_NOTES, [id])?;
    change.run(sql::FORGET_PAYLOADS, [id])?;
    activity::erase(change, user)?;
    sessions::log(change, &Actor::User, user, "secrets-reset")?;
    change.tell(Told::User(user))?;
    sessions::end_all_of(change, &Actor::User, Holder::User(user), None)?;
    Ok(true)
}

pub fn remove_lost_entries(change: &mut Change<'_>, user: UserId, permission: &Permission) -> Db<()> {
    Lock::check(change, user, permission)?;
    let (mut row, mac) = change.packed(user)?;
    {
        let mut statement = change.conn.prepare_cached(sql::LOST_ENTRIES)?;
        let mut lost = statement.query([user.to_sql()])?;
        while let Some(entry) = lost.next()? {
            let Some(&list) = ListKind::ALL.get(entry.get::<_, usize>(0)?) else { continue };
            row.lists.remove(list, Fingerprint::from_bytes(entry.get(1)?));
        }
    }
    change.run(sql::REMOVE_LOST_ENTRIES, [user.to_sql()])?;
    row.revision += 1;
    change.set_packed(&row, &mac)?;
    sessions::log(change, &Actor::User, user, "lost-entries-removed")?;
    change.tell(Told::User(user))
}
