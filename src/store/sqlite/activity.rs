//! Activity: written by the relay, opened for its user.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use rusqlite::{Connection, OptionalExtension};
use zeroize::Zeroizing;

use super::accounts::{Unlocked, unlock};
use super::change::{Change, Payload, packed};
use super::link::Db;
use super::{Shared, SqliteStore, follow, organisations, sql, users};
use crate::policy::list::UserOptions;
use crate::store::activity::{
    ACTIVITY_DAYS, ACTIVITY_ROWS, Activity, ActivityStore, ActivityWriter, Digest, History, HistoryRow, Keeping,
    PublicKey, SealedRow, day,
};
use crate::store::keys;
use crate::store::seal::ratchet::{Chain, ChainOpener, Reader};
use crate::store::seal::{Field, KEY, Place};
use crate::store::{Actor, LoadedUser, Organisation, OrganisationId, Permission, Result, StoreError, UserId};

/// Chains of one user's rows above which they are sealed anew when they are read: a day's.
const CHAINS: usize = 24;
/// Most rows that are removed at once for their age; others write in between.
const PRUNED: u64 = 4096;

impl ActivityStore for SqliteStore {
    fn append_activity(&self, writer: &mut ActivityWriter, rows: &[(UserId, Activity)]) -> Result<()> {
        let now = self.shared.now();
        let users = rows.iter().map(|(user, _)| *user);
        let keys = self.read(|conn| public_keys(conn, users))?;
        let (mut sealed, mut gaps) = (Vec::with_capacity(rows.len()), Vec::new());
        for (user, activity) in rows {
            let Some(key) = keys.get(user) else { continue };
            match key.as_ref().and_then(|key| writer.seal(now, *user, key, activity)) {
                Some(row) => sealed.push(row),
                None => gaps.push((*user, day(activity.at))),
            }
        }
        self.write(move |change| {
            append(change, &sealed)?;
            add_gaps(change, &gaps)
        })
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
        let now = self.shared.now();
        let (unlocked, stored) = self.read(|conn| {
            let unlocked = unlock(conn, &self.shared, user, permission)?;
            let stored = stored(conn, now, user, unlocked.organisation)?;
            Ok((unlocked, stored))
        })?;
        // The connection for reading is given back: others wait for it.
        let (history, resealed) = open(stored, user, &unlocked)?;
        if let Some(resealed) = resealed {
            // The next to open them gains by it; nobody waits.
            drop(self.writer.submit(move |change| resealed.write(change))?);
        }
        Ok(history)
    }

    fn purge_activity(&self, user: UserId) -> Result<()> {
        self.write(move |change| purge(change, user))
    }

    fn prune_activity(&self) -> Result<u64> {
        let mut all = 0;
        for organisation in self.read(organisations::all)? {
            let organisation = Arc::new(organisation);
            loop {
                let one = organisation.clone();
                let removed = self.write(move |change| prune(change, &one))?;
                all += removed;
                if removed < PRUNED {
                    break;
                }
            }
        }
        Ok(all)
    }

    fn set_digest(&self, user: UserId, digest: Digest) -> Result<()> {
        self.write(move |change| set_digest(change, user, digest))
    }

    fn digest(&self, user: UserId) -> Result<Digest> {
        self.read(|conn| digest(conn, user))
    }

    fn take_digests(&self, before: Timestamp, limit: usize) -> Result<Vec<UserId>> {
        let before = before.as_second();
        // Asked every minute, and nearly always in vain: the writer is left alone.
        if self.read(|conn| digests_due(conn, before, 1))?.is_empty() {
            return Ok(Vec::new());
        }
        self.write(move |change| take_digests(change, before, limit))
    }

    fn put_digests_back(&self, users: &[UserId], before: Timestamp) -> Result<()> {
        let (users, sent) = (users.to_vec(), before.as_second() - 1);
        self.write(move |change| {
            users.iter().try_for_each(|user| change.run(sql::SET_DIGEST, (user.to_sql(), sent)).map(drop))
        })
    }

    fn compiled(&self, user: UserId) -> Result<LoadedUser> {
        self.read(|conn| compiled(conn, &self.shared, user))
    }
}

/// What sealing for these users needs, `None` where it was altered in the database; those who are gone are left out.
fn public_keys(conn: &Connection, users: impl Iterator<Item = UserId>) -> Db<HashMap<UserId, Option<PublicKey>>> {
    let mut statement = conn.prepare_cached(sql::PUBLIC_KEY)?;
    let mut keys = HashMap::new();
    for user in users {
        if keys.contains_key(&user) {
            continue;
        }
        let read = |row: &rusqlite::Row<'_>| Ok((OrganisationId::new(row.get(0)?), row.get::<_, Vec<u8>>(1)?));
        if let Some((organisation, key)) = statement.query_row([user.to_sql()], read).optional()? {
            keys.insert(user, key.try_into().ok().map(|key| (organisation, key)));
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
        remove(change, sql::CUT_ACTIVITY, (user.to_sql(), ACTIVITY_ROWS))?;
    }
    Ok(())
}

/// Removes rows, and the chains of which none is left. How many rows that were.
fn remove(change: &mut Change<'_>, statement: &'static str, values: impl rusqlite::Params) -> Db<u64> {
    let mut removed = 0;
    let mut chains: HashSet<(i64, i64)> = HashSet::new();
    let mut statement = change.conn.prepare_cached(statement)?;
    let mut rows = statement.query(values)?;
    while let Some(row) = rows.next()? {
        removed += 1;
        chains.insert((row.get(0)?, row.get(1)?));
    }
    drop(rows);
    drop(statement);
    for chain in chains {
        change.run(sql::REMOVE_EMPTY_CHAIN, chain)?;
    }
    Ok(removed)
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

/// Removes rows of an organisation that are too old, at most `PRUNED` of them. How many that were.
fn prune(change: &mut Change<'_>, organisation: &Organisation) -> Db<u64> {
    let (id, oldest) = (organisation.id.get(), oldest(day(change.now), days(organisation))?);
    let removed = remove(change, sql::PRUNE_ACTIVITY, (id, &oldest, PRUNED))?;
    change.run(sql::PRUNE_GAPS, (id, &oldest))?;
    if removed > 0 {
        change.erased();
    }
    Ok(removed)
}

/// A row as it stands in the file.
struct Stored {
    number: i64,
    chain: i64,
    position: u32,
    sealed: Vec<u8>,
    ephemeral: Option<[u8; KEY]>,
}

/// What the file has of a user's rows, oldest first, the way of the chains.
struct StoredHistory {
    rows: Vec<Stored>,
    incomplete: Vec<Date>,
    days: u8,
}

fn stored(conn: &Connection, now: Timestamp, user: UserId, organisation: OrganisationId) -> Db<StoredHistory> {
    let days = organisations::show(conn, organisation)?.map_or(ACTIVITY_DAYS, |one| days(&one));
    let oldest = oldest(day(now), days)?;
    let mut statement = conn.prepare_cached(sql::ACTIVITY)?;
    let read = |row: &rusqlite::Row<'_>| {
        let (number, chain, position) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Stored { number, chain, position, sealed: row.get(3)?, ephemeral: row.get(4)? })
    };
    let rows = statement.query_map((user.to_sql(), &oldest), read)?.collect::<rusqlite::Result<_>>()?;
    let mut statement = conn.prepare_cached(sql::GAPS)?;
    let gaps = statement.query_map((user.to_sql(), &oldest), |row| row.get::<_, String>(0))?;
    let gaps: Vec<String> = gaps.collect::<rusqlite::Result<_>>()?;
    Ok(StoredHistory { rows, incomplete: gaps.iter().filter_map(|day| day.parse().ok()).collect(), days })
}

/// A row that was opened, with where it stands.
struct Opened {
    number: i64,
    chain: i64,
    position: u32,
    plain: Zeroizing<Vec<u8>>,
}

/// Opens a user's rows with the private key that the caller was permitted to use. Beside them, where they stand in more than
/// [`CHAINS`] chains, those that could be opened, to be sealed anew.
fn open(stored: StoredHistory, user: UserId, unlocked: &Unlocked) -> Result<(History, Option<Resealed>)> {
    let place = Place { organisation: unlocked.organisation, user, field: Field::Activity };
    let reader = Reader::new(&unlocked.private)?;
    let mut openers: HashMap<i64, Option<ChainOpener>> = HashMap::new();
    let (mut rows, mut opened) = (Vec::with_capacity(stored.rows.len()), Vec::new());
    for Stored { number, chain, position, sealed, ephemeral } in stored.rows {
        let begin = || ephemeral.and_then(|ephemeral| ChainOpener::new(&reader, &ephemeral).ok());
        let opener = openers.entry(chain).or_insert_with(begin);
        let plain = opener.as_mut().and_then(|opener| opener.open(&place, position, &sealed));
        let activity = plain.as_ref().and_then(|plain| Activity::from_row(plain));
        rows.push(HistoryRow { number, activity });
        opened.extend(plain.map(|plain| Opened { number, chain, position, plain }));
    }
    rows.reverse();
    let history = History { rows, incomplete: stored.incomplete, days: stored.days };
    let resealed = (openers.len() > CHAINS).then(|| Resealed::new(&place, reader.public(), &opened)).transpose()?;
    Ok((history, resealed))
}

/// Rows in a chain of their own, in place of those that they stood in: each chain costs a key agreement to open.
struct Resealed {
    user: i64,
    chain: i64,
    ephemeral: [u8; KEY],
    rows: Vec<ResealedRow>,
}

/// Number; chain and position as they were; position as it is now, and what is sealed there.
type ResealedRow = (i64, (i64, u32), u32, Vec<u8>);

impl Resealed {
    fn new(place: &Place, public: &[u8; KEY], opened: &[Opened]) -> Result<Self> {
        let mut chain = Chain::new(public)?;
        let seal = |row: &Opened| {
            let (position, sealed) = chain.seal(place, &row.plain)?;
            Ok((row.number, (row.chain, row.position), position, sealed))
        };
        let rows = opened.iter().map(seal).collect::<Result<_>>()?;
        let id = i64::from_be_bytes(keys::random()?);
        Ok(Self { user: place.user.to_sql(), chain: id, ephemeral: chain.ephemeral(), rows })
    }

    /// Rows that are gone, or not what they were, are left alone. A relay goes on with its own chain.
    fn write(self, change: &mut Change<'_>) -> Db<()> {
        change.run(sql::ADD_CHAIN, (self.user, self.chain, self.ephemeral))?;
        let mut left = HashSet::from([self.chain]);
        for (number, (chain, position), now, sealed) in self.rows {
            change.run(sql::RESEAL_ACTIVITY, (self.user, number, chain, position, self.chain, now, sealed))?;
            left.insert(chain);
        }
        for chain in left {
            change.run(sql::REMOVE_EMPTY_CHAIN, (self.user, chain))?;
        }
        change.erased();
        Ok(())
    }
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

fn digests_due(conn: &Connection, before: i64, limit: usize) -> Db<Vec<UserId>> {
    let activity = UserOptions { activity: true, ..UserOptions::default() }.to_bits();
    let read = |row: &rusqlite::Row<'_>| row.get(0).map(UserId::from_sql);
    let mut statement = conn.prepare_cached(sql::DIGESTS_DUE)?;
    let due = statement.query_map((before, limit, activity), read)?.collect::<rusqlite::Result<_>>()?;
    Ok(due)
}

fn take_digests(change: &mut Change<'_>, before: i64, limit: usize) -> Db<Vec<UserId>> {
    let due = digests_due(change.conn, before, limit)?;
    for user in &due {
        change.run(sql::SET_DIGEST, (user.to_sql(), change.at()))?;
    }
    Ok(due)
}

/// What the relay holds of one user.
fn compiled(conn: &Connection, shared: &Shared, user: UserId) -> Db<LoadedUser> {
    let (row, mac) = packed(conn, user)?.ok_or_else(|| StoreError::UnknownUser(user.to_string()))?;
    Ok(follow::load_user(conn, shared, user, row, &mac)?.ok_or(StoreError::Altered(user))?)
}
