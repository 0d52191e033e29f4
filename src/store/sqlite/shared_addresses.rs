//! Addresses that reach more than one mailbox, and files of aliases, which tell of them.

use rusqlite::{Connection, OptionalExtension};

use super::change::{Change, Payload, Told};
use super::link::{Db, DbError};
use super::{organisations, sql, users};
use crate::policy::address::{Address, Domain};
use crate::store::{Actor, ImportAlias, ImportReport, OrganisationId, Reaches, StoreError, UserId};

/// The organisation in which an address is shared.
pub fn organisation_of(conn: &Connection, address: &Address) -> Db<Option<OrganisationId>> {
    let mut statement = conn.prepare_cached(sql::SHARED_IN)?;
    let found = statement.query_row([address.as_str()], |row| row.get(0)).optional()?;
    Ok(found.map(OrganisationId::new))
}

/// The shared addresses of an organisation.
pub fn of_organisation(conn: &Connection, id: OrganisationId) -> Db<Vec<Address>> {
    organisations::require(conn, id)?;
    addresses(conn, sql::SHARED, [id.get()])
}

/// Those of a user's addresses that are shared.
pub fn of_user(conn: &Connection, user: UserId) -> Db<Vec<Address>> {
    addresses(conn, sql::SHARED_OF_USER, [user.to_sql()])
}

fn addresses(conn: &Connection, sql: &'static str, values: impl rusqlite::Params) -> Db<Vec<Address>> {
    let mut statement = conn.prepare_cached(sql)?;
    let texts: Vec<String> = statement.query_map(values, |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    // What does not parse was not written by us, and is nobody's address.
    Ok(texts.iter().filter_map(|text| Address::parse(text).ok()).collect())
}

pub fn share(change: &mut Change<'_>, actor: &Actor, id: OrganisationId, address: &Address) -> Db<()> {
    organisations::require(change.conn, id)?;
    if organisation_of(change.conn, address)? == Some(id) {
        return Ok(());
    }
    let user = check_owner(change.conn, id, address)?;
    change.run(sql::SHARE, (address.as_str(), id.get()))?;
    change.log(actor, id, "address-shared", user, Payload::Plain(address.as_str()))?;
    change.tell(Told::Shared(change.shared.hasher.of(address), id))
}

/// That an address is no other organisation's; the user whose it is, if it is one's.
fn check_owner(conn: &Connection, id: OrganisationId, address: &Address) -> Db<Option<UserId>> {
    let domain = address.domain();
    match organisations::owner(conn, domain)? {
        Some((owner, organisation)) if owner != id => {
            return Err(StoreError::DomainTaken { domain: domain.to_owned(), organisation }.into());
        }
        _ => {}
    }
    let user = users::find(conn, address)?;
    let of_user = user.map(|user| users::show(conn, user)).transpose()?.map(|user| user.organisation);
    // In a domain that nobody serves an address is whose it was first.
    if of_user.or(organisation_of(conn, address)?).is_some_and(|owner| owner != id) {
        return Err(StoreError::ForeignAddress(address.as_str().to_owned()).into());
    }
    Ok(user)
}

pub fn unshare(change: &mut Change<'_>, actor: &Actor, id: OrganisationId, address: &Address) -> Db<()> {
    organisations::require(change.conn, id)?;
    if organisation_of(change.conn, address)? != Some(id) {
        return Err(StoreError::NotShared(address.as_str().to_owned()).into());
    }
    let user = users::find(change.conn, address)?;
    change.log(actor, id, "address-no-longer-shared", user, Payload::Plain(address.as_str()))?;
    forget(change, address)
}

/// Forgets the shared addresses of an organisation: all, or those in one domain.
pub fn forget_all(change: &mut Change<'_>, id: OrganisationId, domain: Option<&Domain>) -> Db<()> {
    for address in addresses(change.conn, sql::SHARED, [id.get()])? {
        if domain.is_none_or(|domain| address.domain() == domain.as_str()) {
            forget(change, &address)?;
        }
    }
    Ok(())
}

fn forget(change: &mut Change<'_>, address: &Address) -> Db<()> {
    change.run(sql::UNSHARE, [address.as_str()])?;
    change.tell(Told::NoLongerShared(change.shared.hasher.of(address)))
}

pub fn import(change: &mut Change<'_>, actor: &Actor, lines: Vec<ImportAlias>) -> Db<ImportReport> {
    let mut report = ImportReport::default();
    for ImportAlias { line, address, reaches } in lines {
        let done = match reaches {
            Reaches::Several(organisation) => share(change, actor, organisation, &address),
            Reaches::User(user) => add_alias(change, actor, &user, &address),
        };
        match done {
            Ok(()) => report.accepted += 1,
            // Both write only after their checks: nothing of a refused line is left.
            Err(DbError::Store(error)) => report.refused.push((line, error)),
            Err(error) => return Err(error),
        }
    }
    Ok(report)
}

fn add_alias(change: &mut Change<'_>, actor: &Actor, user: &Address, alias: &Address) -> Db<()> {
    let id = users::id(change.conn, user)?;
    if users::find(change.conn, alias)? == Some(id) {
        return Ok(());
    }
    users::add_alias(change, actor, id, alias)
}
