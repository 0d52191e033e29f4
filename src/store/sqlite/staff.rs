//! Managers and operators.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row};

use super::change::{Change, Payload};
use super::link::Db;
use super::{SqliteStore, announcements, grants, organisations, sql, users};
use crate::policy::address::Address;
use crate::store::accounts::{Password, PasswordRecord, StaffId};
use crate::store::journal::HASH;
use crate::store::staff::{EnrolmentCode, SecondFactor, TOTP_SALT};
use crate::store::{
    Actor, ENROLMENT_LIFE, Enrolment, Grant, MAX_NAME, MAX_STAFF, OrganisationId, Result, Role, SealKey, Staff,
    StaffAccess, StaffStatus, StaffStore, StoreError, User, UserId,
};

impl StaffStore for SqliteStore {
    fn add_staff(&self, actor: &Actor, address: &Address, role: Role) -> Result<(StaffId, EnrolmentCode)> {
        if address.as_str().len() > MAX_NAME {
            return Err(StoreError::Invalid(format!("the address of staff has at most {MAX_NAME} bytes")));
        }
        let (actor, address, code, salt) =
            (actor.clone(), address.clone(), EnrolmentCode::fresh()?, SecondFactor::salt()?);
        let hash = code.hash();
        self.write(move |change| add(change, &actor, &address, role, &hash, &salt)).map(|id| (id, code))
    }

    fn staff(&self, id: StaffId) -> Result<Staff> {
        self.read(|conn| show(conn, id))
    }

    fn staff_named(&self, address: &Address) -> Result<Staff> {
        self.read(|conn| {
            let id = find(conn, address)?.ok_or_else(|| StoreError::UnknownStaff(address.as_str().to_owned()))?;
            show(conn, id)
        })
    }

    fn all_staff(&self) -> Result<Vec<Staff>> {
        self.read(|conn| {
            let mut statement = conn.prepare_cached(sql::STAFF_IDS)?;
            let ids: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            ids.into_iter().map(|id| show(conn, StaffId(id))).collect()
        })
    }

    fn set_staff_access(&self, actor: &Actor, id: StaffId, access: StaffAccess) -> Result<()> {
        let actor = actor.clone();
        self.write(move |change| set_access(change, &actor, id, access))
    }

    fn reset_staff(&self, actor: &Actor, id: StaffId) -> Result<EnrolmentCode> {
        let (actor, code, salt) = (actor.clone(), EnrolmentCode::fresh()?, SecondFactor::salt()?);
        let hash = code.hash();
        self.write(move |change| reset(change, &actor, id, &hash, &salt)).map(|()| code)
    }

    fn renew_staff(&self, actor: &Actor, id: StaffId) -> Result<EnrolmentCode> {
        let (actor, code, salt) = (actor.clone(), EnrolmentCode::fresh()?, SecondFactor::salt()?);
        let hash = code.hash();
        self.write(move |change| renew(change, &actor, id, &hash, &salt)).map(|()| code)
    }

    fn remove_staff(&self, actor: &Actor, id: StaffId) -> Result<()> {
        let actor = actor.clone();
        self.write(move |change| remove(change, &actor, id))
    }

    fn enrolment(&self, code: &EnrolmentCode) -> Result<Enrolment> {
        let seal_key = self.seal_key()?;
        let (hash, now) = (code.hash(), self.shared.now());
        let (staff, salt) = self.read(|conn| enrolling(conn, &hash, now))?;
        let factor = SecondFactor::new(seal_key, &salt, staff.address.as_str())?;
        Ok(Enrolment { staff, factor })
    }

    fn enrol(&self, code: &EnrolmentCode, password: &Password, totp: &str) -> Result<StaffId> {
        let Enrolment { staff, factor } = self.enrolment(code)?;
        let step = factor.step(totp, self.shared.now()).ok_or(StoreError::SignInRefused)?;
        let (record, _) = PasswordRecord::new(password)?;
        let (written, hash) = (record.write()?, code.hash());
        self.write(move |change| enrol(change, &staff, &hash, &written, step))
    }

    fn staff_sign_in(&self, address: &Address, password: &str, totp: &str) -> Result<StaffId> {
        let seal_key = self.seal_key()?;
        let known = self.read(|conn| factors(conn, address))?;
        let (id, record, salt) = match known {
            Some((id, record, salt)) => (Some(id), record, salt),
            None => (None, PasswordRecord::nobodys()?, [0; TOTP_SALT]),
        };
        // Both factors are tried whatever the other gives: the time tells nothing.
        let opened = record.open(password)?.is_some();
        let step = SecondFactor::new(seal_key, &salt, address.as_str())?.step(totp, self.shared.now());
        match (id, opened, step) {
            (Some(id), true, Some(step)) => self.write(move |change| sign_in(change, id, &salt, step)),
            _ => Err(StoreError::SignInRefused),
        }
    }

    fn confirm_staff(&self, id: StaffId, totp: &str) -> Result<()> {
        let seal_key = self.seal_key()?;
        let salt = self.read(|conn| {
            let salt = conn.prepare_cached(sql::STAFF_SALT)?.query_row([id.0], |row| row.get(0)).optional()?;
            Ok(salt.flatten().ok_or(StoreError::SignInRefused)?)
        })?;
        let step = SecondFactor::new(seal_key, &salt, "-")?.step(totp, self.shared.now());
        let step = step.ok_or(StoreError::SignInRefused)?;
        self.write(move |change| use_step(change, id, &salt, step))
    }

    fn find_users(
        &self,
        organisation: OrganisationId,
        begins: &str,
        after: Option<&Address>,
        limit: usize,
    ) -> Result<Vec<User>> {
        self.read(|conn| users::beginning(conn, organisation, begins, after, limit))
    }

    fn grants_to(&self, grantee: &str) -> Result<Vec<(User, Grant)>> {
        let now = self.shared.now();
        self.read(|conn| grants::to(conn, grantee, now))
    }

    fn dismiss_announcements(&self, user: UserId, through: u64) -> Result<()> {
        self.write(move |change| announcements::dismiss(change, user, through))
    }
}

impl SqliteStore {
    fn seal_key(&self) -> Result<&SealKey> {
        self.shared.keys.seal_key.as_ref().ok_or(StoreError::NoSealKey)
    }
}

fn add(
    change: &mut Change<'_>,
    actor: &Actor,
    address: &Address,
    role: Role,
    hash: &[u8; HASH],
    salt: &[u8; TOTP_SALT],
) -> Db<StaffId> {
    let organisation = role.organisation();
    if let Some(id) = organisation {
        organisations::require(change.conn, id)?;
    }
    if find(change.conn, address)?.is_some() {
        return Err(StoreError::StaffTaken(address.as_str().to_owned()).into());
    }
    let organisation = organisation.map(OrganisationId::get);
    let count: usize = change.conn.prepare_cached(sql::STAFF_COUNT)?.query_row([organisation], |row| row.get(0))?;
    if count >= MAX_STAFF {
        return Err(StoreError::Invalid(format!("there are at most {MAX_STAFF} of one role already")).into());
    }
    change.run(sql::ADD_STAFF, (address.as_str(), organisation, change.at()))?;
    let id = StaffId(change.conn.last_insert_rowid());
    invite(change, id, hash, salt)?;
    log(change, actor, "staff-added", &show(change.conn, id)?)?;
    Ok(id)
}

/// Gives somebody a code to enrol with, in place of the one there was.
fn invite(change: &mut Change<'_>, id: StaffId, hash: &[u8; HASH], salt: &[u8; TOTP_SALT]) -> Db<()> {
    let life = SignedDuration::try_from(ENROLMENT_LIFE).map_err(StoreError::internal)?;
    let expires = change.now.checked_add(life).map_err(StoreError::internal)?;
    change.run(sql::SET_ENROLMENT, (id.0, hash, salt, expires.as_second()))?;
    Ok(())
}

fn log(change: &mut Change<'_>, actor: &Actor, kind: &str, staff: &Staff) -> Db<()> {
    let role = match staff.role {
        Role::Operator => "operator",
        Role::Manager(_) => "manager",
    };
    let payload = format!("{role} {}", staff.address.as_str());
    change.log(actor, staff.role.journal(), kind, None, Payload::Plain(&payload))
}

fn find(conn: &Connection, address: &Address) -> Db<Option<StaffId>> {
    let found = conn.prepare_cached(sql::STAFF_ID)?.query_row([address.as_str()], |row| row.get(0)).optional()?;
    Ok(found.map(StaffId))
}

fn show(conn: &Connection, id: StaffId) -> Db<Staff> {
    let mut statement = conn.prepare_cached(sql::STAFF)?;
    let mut rows = statement.query([id.0])?;
    let row = rows.next()?.ok_or_else(|| StoreError::UnknownStaff(format!("number {id}")))?;
    read(id, row)
}

fn read(id: StaffId, row: &Row<'_>) -> Db<Staff> {
    let address: String = row.get(0)?;
    let organisation: Option<u32> = row.get(1)?;
    let (is_disabled, is_enrolled): (bool, bool) = (row.get::<_, i64>(2)? != 0, row.get(3)?);
    let created = users::time(row.get(4)?);
    let invited = row.get::<_, Option<i64>>(6)?.map_or(created, users::time);
    Ok(Staff {
        id,
        address: Address::parse(&address).map_err(StoreError::internal)?,
        role: organisation.map_or(Role::Operator, |id| Role::Manager(OrganisationId::new(id))),
        status: match (is_disabled, is_enrolled) {
            (true, _) => StaffStatus::Disabled,
            (false, true) => StaffStatus::Active,
            (false, false) => StaffStatus::Invited(invited),
        },
        created,
        last_sign_in: row.get::<_, Option<i64>>(5)?.map(users::time),
    })
}

fn set_access(change: &mut Change<'_>, actor: &Actor, id: StaffId, access: StaffAccess) -> Db<()> {
    let staff = show(change.conn, id)?;
    let (code, kind) = match access {
        StaffAccess::Enabled => (0, "staff-enabled"),
        StaffAccess::Disabled => (1, "staff-disabled"),
    };
    change.run(sql::SET_STAFF_STATUS, (id.0, code))?;
    if access == StaffAccess::Disabled {
        change.run(sql::END_STAFF_SESSIONS, [id.0])?;
    }
    log(change, actor, kind, &staff)
}

fn reset(change: &mut Change<'_>, actor: &Actor, id: StaffId, hash: &[u8; HASH], salt: &[u8; TOTP_SALT]) -> Db<()> {
    let staff = show(change.conn, id)?;
    // Whoever enrols next may be somebody else: users gave them nothing.
    change.run(sql::REVOKE_GRANTS_TO, (staff.address.as_str(), change.at()))?;
    change.run(sql::FORGET_FACTORS, [id.0])?;
    change.run(sql::END_STAFF_SESSIONS, [id.0])?;
    change.erased();
    invite(change, id, hash, salt)?;
    log(change, actor, "staff-reset", &staff)
}

fn renew(change: &mut Change<'_>, actor: &Actor, id: StaffId, hash: &[u8; HASH], salt: &[u8; TOTP_SALT]) -> Db<()> {
    let staff = show(change.conn, id)?;
    invite(change, id, hash, salt)?;
    log(change, actor, "staff-renewed", &staff)
}

fn remove(change: &mut Change<'_>, actor: &Actor, id: StaffId) -> Db<()> {
    let staff = show(change.conn, id)?;
    // Whoever gets this address later was given nothing.
    change.run(sql::REVOKE_GRANTS_TO, (staff.address.as_str(), change.at()))?;
    change.run(sql::END_STAFF_SESSIONS, [id.0])?;
    change.run(sql::FORGET_STAFF_SIGN_INS, [id.0])?;
    change.run(sql::REMOVE_STAFF, [id.0])?;
    change.erased();
    log(change, actor, "staff-removed", &staff)
}

fn enrolling(conn: &Connection, hash: &[u8; HASH], now: Timestamp) -> Db<(Staff, [u8; TOTP_SALT])> {
    let found: Option<(i64, [u8; TOTP_SALT])> = conn
        .prepare_cached(sql::ENROLMENT)?
        .query_row((hash, now.as_second()), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (id, salt) = found.ok_or(StoreError::UnknownEnrolment)?;
    let staff = show(conn, StaffId(id))?;
    if staff.status == StaffStatus::Disabled {
        return Err(StoreError::UnknownEnrolment.into());
    }
    Ok((staff, salt))
}

fn enrol(change: &mut Change<'_>, staff: &Staff, hash: &[u8; HASH], password: &str, step: i64) -> Db<StaffId> {
    // Once more: another request may have been quicker.
    let (_, salt) = enrolling(change.conn, hash, change.now)?;
    change.run(sql::REMOVE_ENROLMENT, [staff.id.0])?;
    change.run(sql::SET_FACTORS, (staff.id.0, password, salt, step))?;
    change.run(sql::END_STAFF_SESSIONS, [staff.id.0])?;
    log(change, &staff.actor(), "staff-enrolled", staff)?;
    Ok(staff.id)
}

/// Number, password and salt of an active member.
fn factors(conn: &Connection, address: &Address) -> Db<Option<(StaffId, PasswordRecord, [u8; TOTP_SALT])>> {
    let found: Option<(i64, String, [u8; TOTP_SALT])> = conn
        .prepare_cached(sql::STAFF_FACTORS)?
        .query_row([address.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    Ok(found.and_then(|(id, password, salt)| Some((StaffId(id), PasswordRecord::read(&password)?, salt))))
}

fn sign_in(change: &mut Change<'_>, id: StaffId, salt: &[u8; TOTP_SALT], step: i64) -> Db<StaffId> {
    use_step(change, id, salt, step)?;
    change.run(sql::STAFF_SIGNED_IN, (id.0, change.at()))?;
    let staff = show(change.conn, id)?;
    log(change, &staff.actor(), "staff-signed-in", &staff)?;
    Ok(id)
}

/// Uses a code up: each step is good once, and none before it any more.
fn use_step(change: &mut Change<'_>, id: StaffId, salt: &[u8; TOTP_SALT], step: i64) -> Db<()> {
    match change.run(sql::USE_TOTP_STEP, (id.0, salt, step))? {
        0 => Err(StoreError::SignInRefused.into()),
        _ => Ok(()),
    }
}
