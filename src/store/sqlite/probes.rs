//! Probes of folders, and the folders that they proved.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row};

use super::change::{Change, Payload};
use super::link::Db;
use super::organisations::{done, require};
use super::{sql, users};
use crate::policy::text::FolderName;
use crate::store::{
    Actor, AddressedFolder, MAX_PROBES, OrganisationId, PROBE_LIFE, Probe, ProbeCode, ProvenFolder, StoreError,
};

pub fn begin(
    change: &mut Change<'_>,
    actor: &Actor,
    id: OrganisationId,
    folder: AddressedFolder,
    code: &ProbeCode,
) -> Db<Probe> {
    require(change.conn, id)?;
    change.run(sql::REMOVE_OLD_PROBES, (id.get(), MAX_PROBES - 1))?;
    let (delimiter, name) = (folder.delimiter.to_string(), folder.name.as_str());
    change.run(sql::ADD_PROBE, (id.get(), delimiter, name, code.hash(), change.at()))?;
    change.log(actor, id, "probe-begun", None, Payload::Plain(&folder.to_string()))?;
    probe(id, folder, change.at())
}

fn probe(organisation: OrganisationId, folder: AddressedFolder, sent: i64) -> Db<Probe> {
    let sent = users::time(sent);
    let life = SignedDuration::try_from(PROBE_LIFE).map_err(StoreError::internal)?;
    let expires = sent.saturating_add(life).map_err(StoreError::internal)?;
    Ok(Probe { organisation, folder, sent, expires })
}

pub fn withdraw(change: &mut Change<'_>, actor: &Actor, code: &ProbeCode) -> Db<()> {
    let probe = take(change, code)?;
    change.log(actor, probe.organisation, "probe-withdrawn", None, Payload::Plain(&probe.folder.to_string()))
}

pub fn confirm(change: &mut Change<'_>, actor: &Actor, code: &ProbeCode) -> Db<Probe> {
    let probe = take(change, code)?;
    if probe.expires <= change.now {
        return Err(StoreError::ProbeExpired.into());
    }
    let (id, AddressedFolder { delimiter, name }) = (probe.organisation, &probe.folder);
    change.run(sql::PROVE, (id.get(), delimiter.to_string(), name.as_str(), change.at()))?;
    done(change, actor, id, "folder-proven", &probe.folder.to_string())?;
    Ok(probe)
}

/// The probe with a code, which waits no longer.
fn take(change: &mut Change<'_>, code: &ProbeCode) -> Db<Probe> {
    let hash = code.hash();
    let found = change.conn.prepare_cached(sql::PROBE)?.query_row([hash], |row| Ok(read(row))).optional()?;
    let probe = found.transpose()?.flatten().ok_or(StoreError::UnknownProbe)?;
    change.run(sql::REMOVE_PROBE, [hash])?;
    Ok(probe)
}

pub fn waiting(conn: &Connection, now: Timestamp) -> Db<Vec<Probe>> {
    let mut statement = conn.prepare_cached(sql::PROBES)?;
    let mut rows = statement.query([])?;
    let mut probes = Vec::new();
    while let Some(row) = rows.next()? {
        probes.extend(read(row)?.filter(|probe| probe.expires > now));
    }
    Ok(probes)
}

/// The probe of a row; `None` for one that was not written by us.
fn read(row: &Row<'_>) -> Db<Option<Probe>> {
    let Some(folder) = folder(row, 1)? else { return Ok(None) };
    probe(OrganisationId::new(row.get(0)?), folder, row.get(3)?).map(Some)
}

/// The folder whose delimiter stands in column `at`, its name beside it.
fn folder(row: &Row<'_>, at: usize) -> Db<Option<AddressedFolder>> {
    let (delimiter, name): (String, String) = (row.get(at)?, row.get(at + 1)?);
    let parsed = (delimiter.chars().next(), name.parse::<FolderName>());
    let (Some(delimiter), Ok(name)) = parsed else { return Ok(None) };
    Ok(Some(AddressedFolder { delimiter, name }))
}

/// The folders that are proven for an organisation's users.
pub fn proven(conn: &Connection, id: OrganisationId) -> Db<Vec<ProvenFolder>> {
    let mut statement = conn.prepare_cached(sql::PROVEN)?;
    let mut rows = statement.query([id.get()])?;
    let mut proven = Vec::new();
    while let Some(row) = rows.next()? {
        let at = users::time(row.get(2)?);
        proven.extend(folder(row, 0)?.map(|folder| ProvenFolder { folder, proven: at }));
    }
    Ok(proven)
}

pub fn forget(
    change: &mut Change<'_>,
    actor: &Actor,
    id: OrganisationId,
    name: Option<&FolderName>,
) -> Db<Vec<AddressedFolder>> {
    require(change.conn, id)?;
    let mut forgotten: Vec<_> = proven(change.conn, id)?.into_iter().map(|proven| proven.folder).collect();
    forgotten.retain(|folder| name.is_none_or(|name| folder.name == *name));
    for folder in &forgotten {
        change.run(sql::UNPROVE, (id.get(), folder.delimiter.to_string(), folder.name.as_str()))?;
        done(change, actor, id, "folder-unproven", &folder.to_string())?;
    }
    Ok(forgotten)
}
