//! What changed for the users of an organisation, until each has put it away.

use rusqlite::Connection;

use super::change::Change;
use super::link::Db;
use super::{sql, users};
use crate::store::{Announcement, AnnouncementKind, OrganisationId, OrganisationSettings, UserId};

/// Announces a change, in the transaction that makes it.
pub fn announce(change: &mut Change<'_>, organisation: OrganisationId, kind: AnnouncementKind) -> Db<()> {
    change.run(sql::ANNOUNCE, (organisation.get(), kind.as_str(), change.at()))?;
    Ok(())
}

/// Announces what is not as it was, each kind once.
pub fn announce_settings(
    change: &mut Change<'_>,
    organisation: OrganisationId,
    before: &OrganisationSettings,
    after: &OrganisationSettings,
) -> Db<()> {
    let texts = before.texts().into_iter().zip(after.texts());
    let mut kinds: Vec<_> = texts
        .filter(|(before, after)| before != after)
        .filter_map(|((key, _), _)| AnnouncementKind::of_setting(key))
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.into_iter().try_for_each(|kind| announce(change, organisation, kind))
}

pub fn waiting(conn: &Connection, user: UserId) -> Db<Vec<Announcement>> {
    users::require(conn, user)?;
    let mut statement = conn.prepare_cached(sql::ANNOUNCEMENTS)?;
    let mut rows = statement.query([user.to_sql()])?;
    let mut waiting = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let Some(kind) = AnnouncementKind::named(&name) else { continue };
        waiting.push(Announcement { kind, number: row.get(1)?, at: users::time(row.get(2)?) });
    }
    Ok(waiting)
}

pub fn dismiss(change: &mut Change<'_>, user: UserId, through: u64) -> Db<()> {
    users::require(change.conn, user)?;
    change.run(sql::DISMISS, (user.to_sql(), through.min(i64::MAX as u64)))?;
    Ok(())
}
