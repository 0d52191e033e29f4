//! Organisations, their domains, settings and own lists.

use rusqlite::{Connection, OptionalExtension};

use super::change::{Change, Payload, Told};
use super::link::Db;
use super::{announcements, shared_addresses, sql, users};
use crate::policy::address::Domain;
use crate::policy::list::{ListKind, MAX_ENTRIES};
use crate::store::{
    Actor, AnnouncementKind, LoadedOrganisation, MAX_NAME, Organisation, OrganisationId, OrganisationSettings,
    OwnEntry, RemainingUsers, Result, StoreError,
};

/// Whether a name can be one.
pub fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > MAX_NAME || name.trim() != name || name.chars().any(char::is_control) {
        let why = format!("the name of an organisation is a text of 1 to {MAX_NAME} bytes on one line");
        return Err(StoreError::Invalid(why));
    }
    Ok(())
}

pub fn add(change: &mut Change<'_>, actor: &Actor, name: &str, domains: &[Domain]) -> Db<OrganisationId> {
    if find(change.conn, name)?.is_some() {
        return Err(StoreError::OrganisationTaken(name.to_owned()).into());
    }
    change.run(sql::ADD_ORGANISATION, (name, change.at()))?;
    let id = OrganisationId::new(u32::try_from(change.conn.last_insert_rowid()).map_err(StoreError::internal)?);
    done(change, actor, id, "organisation-added", name)?;
    for domain in domains {
        add_domain(change, actor, id, domain)?;
    }
    Ok(id)
}

pub fn set(change: &mut Change<'_>, actor: &Actor, id: OrganisationId, settings: &[(String, String)]) -> Db<()> {
    let before = show(change.conn, id)?.ok_or_else(|| unknown(id))?.settings;
    let mut changed = before.clone();
    for (key, value) in settings {
        changed.set(key, value).map_err(StoreError::from)?;
    }
    change.run(sql::SET_SETTINGS, (id.get(), changed.to_json()))?;
    announcements::announce_settings(change, id, &before, &changed)?;
    let lines: Vec<_> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
    done(change, actor, id, "settings", &lines.join("\n"))
}

pub fn add_domain(change: &mut Change<'_>, actor: &Actor, id: OrganisationId, domain: &Domain) -> Db<()> {
    require(change.conn, id)?;
    match owner(change.conn, domain.as_str())? {
        Some((owner, _)) if owner == id => return Ok(()),
        Some((_, organisation)) => {
            return Err(StoreError::DomainTaken { domain: domain.as_str().to_owned(), organisation }.into());
        }
        None => {}
    }
    change.run(sql::ADD_DOMAIN, (domain.as_str(), id.get()))?;
    done(change, actor, id, "domain-added", domain.as_str())
}

pub fn remove_domain(change: &mut Change<'_>, actor: &Actor, id: OrganisationId, domain: &Domain) -> Db<()> {
    let name = domain.as_str();
    let used: bool = change.conn.prepare_cached(sql::DOMAIN_IN_USE)?.query_row((id.get(), name), |row| row.get(0))?;
    if used {
        return Err(StoreError::DomainInUse(name.to_owned()).into());
    }
    if change.run(sql::REMOVE_DOMAIN, (name, id.get()))? == 0 {
        return Err(StoreError::DomainNotServed(name.to_owned()).into());
    }
    shared_addresses::forget_all(change, id, Some(domain))?;
    done(change, actor, id, "domain-removed", name)
}

pub fn protect(change: &mut Change<'_>, actor: &Actor, id: OrganisationId, domain: &Domain) -> Db<()> {
    require(change.conn, id)?;
    if change.run(sql::PROTECT, (id.get(), domain.as_str()))? > 0 {
        announcements::announce(change, id, AnnouncementKind::Protected)?;
    }
    done(change, actor, id, "domain-protected", domain.as_str())
}

pub fn unprotect(change: &mut Change<'_>, actor: &Actor, id: OrganisationId, domain: &Domain) -> Db<()> {
    require(change.conn, id)?;
    if change.run(sql::UNPROTECT, (id.get(), domain.as_str()))? > 0 {
        announcements::announce(change, id, AnnouncementKind::Protected)?;
    }
    done(change, actor, id, "domain-unprotected", domain.as_str())
}

pub fn add_own_entry(change: &mut Change<'_>, actor: &Actor, id: OrganisationId, entry: &OwnEntry) -> Db<()> {
    require(change.conn, id)?;
    if entry.list == ListKind::Personal {
        return Err(StoreError::Invalid("an organisation has no personal list of its own".to_owned()).into());
    }
    let (level, list) = (entry.level.as_str(), entry.list as u8);
    let count: usize =
        change.conn.prepare_cached(sql::OWN_ENTRY_COUNT)?.query_row((id.get(), level, list), |row| row.get(0))?;
    if count >= MAX_ENTRIES {
        return Err(StoreError::ListFull(entry.list).into());
    }
    change.run(sql::ADD_OWN_ENTRY, (id.get(), level, list, entry.value.written()))?;
    done(change, actor, id, "own-entry-added", &described(entry))
}

pub fn remove_own_entry(change: &mut Change<'_>, actor: &Actor, id: OrganisationId, entry: &OwnEntry) -> Db<()> {
    require(change.conn, id)?;
    let (level, list) = (entry.level.as_str(), entry.list as u8);
    change.run(sql::REMOVE_OWN_ENTRY, (id.get(), level, list, entry.value.written()))?;
    done(change, actor, id, "own-entry-removed", &described(entry))
}

fn described(entry: &OwnEntry) -> String {
    format!("{} {} {}", entry.level, entry.list, entry.value.written())
}

pub fn remove(change: &mut Change<'_>, actor: &Actor, id: OrganisationId, users: RemainingUsers) -> Db<()> {
    let organisation = show(change.conn, id)?.ok_or_else(|| unknown(id))?;
    let count = user_count(change.conn, id)?;
    if users == RemainingUsers::Refuse && count > 0 {
        return Err(StoreError::UsersRemain { name: organisation.name, users: count }.into());
    }
    for user in users::of_organisation(change.conn, id)? {
        users::remove(change, actor, user)?;
    }
    shared_addresses::forget_all(change, id, None)?;
    change.run(sql::REMOVE_ORGANISATION, [id.get()])?;
    done(change, actor, id, "organisation-removed", &organisation.name)
}

/// Journals a change of an organisation, and tells followers.
pub fn done(change: &mut Change<'_>, actor: &Actor, id: OrganisationId, kind: &str, payload: &str) -> Db<()> {
    change.log(actor, id, kind, None, Payload::Plain(payload))?;
    change.tell(Told::Organisation(id))
}

/// Whose a served domain is, with the name.
pub fn owner(conn: &Connection, domain: &str) -> Db<Option<(OrganisationId, String)>> {
    let found = conn
        .prepare_cached(sql::DOMAIN_OWNER)?
        .query_row([domain], |row| Ok((OrganisationId::new(row.get(0)?), row.get(1)?)))
        .optional()?;
    Ok(found)
}

fn find(conn: &Connection, name: &str) -> Db<Option<OrganisationId>> {
    let found = conn.prepare_cached(sql::ORGANISATION_ID)?.query_row([name], |row| row.get(0)).optional()?;
    Ok(found.map(OrganisationId::new))
}

/// That there is such an organisation.
pub fn require(conn: &Connection, id: OrganisationId) -> Db<()> {
    if !conn.prepare_cached(sql::ORGANISATION)?.exists([id.get()])? {
        return Err(unknown(id).into());
    }
    Ok(())
}

fn unknown(id: OrganisationId) -> StoreError {
    StoreError::UnknownOrganisation(format!("number {id}"))
}

pub fn named(conn: &Connection, name: &str) -> Db<Organisation> {
    let unknown = || StoreError::UnknownOrganisation(name.to_owned());
    let id = find(conn, name)?.ok_or_else(unknown)?;
    Ok(show(conn, id)?.ok_or_else(unknown)?)
}

pub fn numbered(conn: &Connection, id: OrganisationId) -> Db<Organisation> {
    Ok(show(conn, id)?.ok_or_else(|| unknown(id))?)
}

pub fn user_count(conn: &Connection, id: OrganisationId) -> Db<u64> {
    Ok(conn.prepare_cached(sql::ORGANISATION_USERS)?.query_row([id.get()], |row| row.get(0))?)
}

pub fn all(conn: &Connection) -> Db<Vec<Organisation>> {
    let mut statement = conn.prepare_cached(sql::ORGANISATION_IDS)?;
    let ids: Vec<u32> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut organisations = Vec::with_capacity(ids.len());
    for id in ids {
        organisations.extend(show(conn, OrganisationId::new(id))?);
    }
    Ok(organisations)
}

/// All organisations, as the relay goes by them.
pub fn load_all(conn: &Connection) -> Db<Vec<LoadedOrganisation>> {
    let with_lists = |organisation: Organisation| {
        Ok(LoadedOrganisation { own_lists: own_lists(conn, organisation.id)?, organisation })
    };
    all(conn)?.into_iter().map(with_lists).collect()
}

/// An organisation, as the relay goes by it.
pub fn load(conn: &Connection, id: OrganisationId) -> Db<Option<LoadedOrganisation>> {
    let Some(organisation) = show(conn, id)? else { return Ok(None) };
    Ok(Some(LoadedOrganisation { organisation, own_lists: own_lists(conn, id)? }))
}

/// The own lists of an organisation that there must be.
pub fn own_lists_of(conn: &Connection, id: OrganisationId) -> Db<Vec<OwnEntry>> {
    require(conn, id)?;
    own_lists(conn, id)
}

/// An organisation with what is set for it.
pub fn show(conn: &Connection, id: OrganisationId) -> Db<Option<Organisation>> {
    let found: Option<(String, String, i64)> = conn
        .prepare_cached(sql::ORGANISATION)?
        .query_row([id.get()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((name, settings, created)) = found else { return Ok(None) };
    let settings = OrganisationSettings::from_json(&settings).unwrap_or_else(|error| {
        tracing::error!(organisation = %id, %error, "the settings of an organisation are not ours; its defaults apply");
        OrganisationSettings::default()
    });
    Ok(Some(Organisation {
        id,
        name,
        settings,
        domains: domains(conn, sql::DOMAINS, id)?,
        protected: domains(conn, sql::PROTECTED, id)?,
        proven: super::probes::proven(conn, id)?,
        created: super::users::time(created),
    }))
}

fn domains(conn: &Connection, sql: &'static str, id: OrganisationId) -> Db<Vec<Domain>> {
    let mut statement = conn.prepare_cached(sql)?;
    let names: Vec<String> = statement.query_map([id.get()], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(names.iter().filter_map(|name| Domain::parse(name).ok()).collect())
}

fn own_lists(conn: &Connection, id: OrganisationId) -> Db<Vec<OwnEntry>> {
    let mut statement = conn.prepare_cached(sql::OWN_ENTRIES)?;
    let mut rows = statement.query([id.get()])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let (level, list, value): (String, usize, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        // What does not parse was not written by us, and matches nothing.
        if let (Ok(level), Some(&list), Ok(value)) = (level.parse(), ListKind::ALL.get(list), value.parse()) {
            entries.push(OwnEntry { level, list, value });
        }
    }
    entries.sort();
    Ok(entries)
}
