//! The embedded store: one SQLite file, one writer thread, two readers, and followers of their own.
//!
//! | file | subject |
//! |---|---|
//! | `link` | a connection: opening, schema, keys, a replaced file |
//! | `writer`, `change` | the writer's thread; what one change does besides its own rows |
//! | `checkpoint` | the write-ahead log comes into the file |
//! | `reader` | connections for reading |
//! | `accounts` | the calls of [`AccountStore`] |
//! | `activity` | the calls of [`ActivityStore`] |
//! | `relays` | the calls of [`RelayStore`] |
//! | `organisations`, `probes`, `users`, `shared_addresses`, `grants`, `audit`, `totals` | the calls of [`Store`], by
//! subject |
//! | `entries`, `entry_import`, `notes`, `undo` | changes of users' lists |
//! | `reading`, `compaction` | opening them, and sealing anew what would be slow to open |
//! | `staff`, `announcements` | the calls of [`StaffStore`] |
//! | `follow` | feed and full load |
//! | `sql` | every statement |

mod accounts;
mod activity;
mod announcements;
mod audit;
mod change;
mod checkpoint;
mod compaction;
mod entries;
mod entry_import;
mod follow;
mod grants;
mod link;
mod notes;
mod organisations;
mod probes;
mod reader;
mod reading;
mod relays;
mod shared_addresses;
mod sql;
mod staff;
mod totals;
mod undo;
mod users;
mod writer;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;

use super::journal::JournalKey;
use super::packed::RowKeys;
use super::seal::Wrap;
use super::*;
use change::Change;
use link::Db;

/// How a store is opened.
#[derive(Clone)]
pub struct SqliteOptions {
    /// Where the time comes from.
    pub clock: Clock,
    /// How long opening waits for another process's lock.
    pub open_wait: Duration,
    /// How long a change waits for another process's lock.
    pub write_wait: Duration,
    /// Whether this process may open sealed values.
    pub seal: SealAccess,
}

/// Whether a process keeps `seal.key`, where it can read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealAccess {
    /// It does: a small installation, the console, the command line.
    IfReadable,
    /// It does not: the relay alone.
    Never,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            clock: system_clock(),
            open_wait: Duration::from_secs(5),
            write_wait: Duration::from_secs(30),
            seal: SealAccess::IfReadable,
        }
    }
}

/// A store in one SQLite file. Several processes may have it open.
pub struct SqliteStore {
    // Dropped in this order: the writer finishes what is on its way.
    writer: writer::Writer,
    readers: reader::Readers,
    shared: Arc<Shared>,
}

/// What every part of a store needs.
struct Shared {
    path: PathBuf,
    options: SqliteOptions,
    keys: Keys,
    rows: RowKeys,
    wrap: Wrap,
    journal: JournalKey,
    hasher: AddressHasher,
    signal: Signal,
}

impl Shared {
    fn now(&self) -> Timestamp {
        (self.options.clock)()
    }
}

/// Tells followers in this process that something was committed.
#[derive(Default)]
struct Signal {
    commits: Mutex<u64>,
    raised: Condvar,
}

impl Signal {
    fn raise(&self) {
        *self.lock() += 1;
        self.raised.notify_all();
    }

    /// Waits until there are more commits than `seen`, at most `limit`; how many there are.
    fn wait(&self, seen: u64, limit: Duration) -> u64 {
        let waited = self.raised.wait_timeout_while(self.lock(), limit, |commits| *commits == seen);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SqliteStore {
    /// Opens the store, creating file and keys on the first start and migrating an older schema.
    ///
    /// # Errors
    /// The file cannot be opened, is no store, locked, of a newer schema; a key is missing, foreign or open to others.
    pub fn open(path: &Path, options: SqliteOptions) -> Result<Self> {
        let mut keys = link::prepare(path, options.open_wait, &options.clock)?;
        if options.seal == SealAccess::Never {
            keys.seal_key = None;
        }
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            rows: RowKeys::new(&keys.match_key),
            wrap: Wrap::new(&keys.match_key)?,
            journal: JournalKey::new(&keys.match_key),
            hasher: keys.match_key.address_hasher(),
            keys,
            options,
            signal: Signal::default(),
        });
        let readers = reader::Readers::open(&shared)?;
        let writer = writer::Writer::start(Arc::clone(&shared), writer::link(&shared)?)?;
        Ok(Self { writer, readers, shared })
    }

    fn read<T>(&self, work: impl FnOnce(&rusqlite::Connection) -> Db<T>) -> Result<T> {
        self.readers.read(&self.shared, work)
    }

    /// Entries, opened after the connection is given back. Those of a list that lie in many batches are sealed anew.
    fn entries(&self, user: UserId, permission: &Permission, wanted: reading::Wanted) -> Result<Vec<Entry>> {
        let fetched = self.read(|conn| reading::fetch(conn, &self.shared, user, permission, wanted))?;
        let opened = fetched.open();
        if !matches!(permission, Permission::Grant { .. })
            && let Some(compaction) = compaction::Compaction::prepare(&opened, user)?
        {
            // Whoever reads does not wait for it, nor for what may hinder it: the next reading tries again.
            drop(self.writer.submit(move |change| compaction.apply(change)));
        }
        Ok(opened.entries)
    }

    fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Change<'_>) -> Db<T> + Send + 'static,
    {
        self.writer.submit(work)?.wait()
    }
}

/// A grant is for reading a list, and for nothing else.
fn own(permission: &Permission) -> Result<()> {
    match permission {
        Permission::Own(_) | Permission::Unlocked(..) => Ok(()),
        Permission::Grant { .. } => Err(StoreError::NotPermitted),
    }
}

impl Store for SqliteStore {
    fn add_organisation(&self, actor: &Actor, name: &str, domains: &[Domain]) -> Result<OrganisationId> {
        organisations::check_name(name)?;
        let (actor, name, domains) = (actor.clone(), name.to_owned(), domains.to_vec());
        self.write(move |change| organisations::add(change, &actor, &name, &domains))
    }

    fn organisations(&self) -> Result<Vec<Organisation>> {
        self.read(organisations::all)
    }

    fn organisation(&self, name: &str) -> Result<Organisation> {
        self.read(|conn| organisations::named(conn, name))
    }

    fn organisation_numbered(&self, id: OrganisationId) -> Result<Organisation> {
        self.read(|conn| organisations::numbered(conn, id))
    }

    fn user_count(&self, id: OrganisationId) -> Result<u64> {
        self.read(|conn| organisations::user_count(conn, id))
    }

    fn set_organisation(&self, actor: &Actor, id: OrganisationId, settings: &[(String, String)]) -> Result<()> {
        let (actor, settings) = (actor.clone(), settings.to_vec());
        self.write(move |change| organisations::set(change, &actor, id, &settings))
    }

    fn add_domain(&self, actor: &Actor, id: OrganisationId, domain: &Domain) -> Result<()> {
        let (actor, domain) = (actor.clone(), domain.clone());
        self.write(move |change| organisations::add_domain(change, &actor, id, &domain))
    }

    fn remove_domain(&self, actor: &Actor, id: OrganisationId, domain: &Domain) -> Result<()> {
        let (actor, domain) = (actor.clone(), domain.clone());
        self.write(move |change| organisations::remove_domain(change, &actor, id, &domain))
    }

    fn protect_domain(&self, actor: &Actor, id: OrganisationId, domain: &Domain) -> Result<()> {
        let (actor, domain) = (actor.clone(), domain.clone());
        self.write(move |change| organisations::protect(change, &actor, id, &domain))
    }

    fn unprotect_domain(&self, actor: &Actor, id: OrganisationId, domain: &Domain) -> Result<()> {
        let (actor, domain) = (actor.clone(), domain.clone());
        self.write(move |change| organisations::unprotect(change, &actor, id, &domain))
    }

    fn add_own_entry(&self, actor: &Actor, id: OrganisationId, entry: &OwnEntry) -> Result<()> {
        let (actor, entry) = (actor.clone(), entry.clone());
        self.write(move |change| organisations::add_own_entry(change, &actor, id, &entry))
    }

    fn remove_own_entry(&self, actor: &Actor, id: OrganisationId, entry: &OwnEntry) -> Result<()> {
        let (actor, entry) = (actor.clone(), entry.clone());
        self.write(move |change| organisations::remove_own_entry(change, &actor, id, &entry))
    }

    fn own_lists(&self, id: OrganisationId) -> Result<Vec<OwnEntry>> {
        self.read(|conn| organisations::own_lists_of(conn, id))
    }

    fn remove_organisation(&self, actor: &Actor, id: OrganisationId, users: RemainingUsers) -> Result<()> {
        let actor = actor.clone();
        self.write(move |change| organisations::remove(change, &actor, id, users))
    }

    fn begin_probe(&self, actor: &Actor, id: OrganisationId, folder: &AddressedFolder) -> Result<(ProbeCode, Probe)> {
        let (actor, folder, code) = (actor.clone(), folder.clone(), ProbeCode::random()?);
        self.write(move |change| probes::begin(change, &actor, id, folder, &code).map(|probe| (code, probe)))
    }

    fn withdraw_probe(&self, actor: &Actor, code: &ProbeCode) -> Result<()> {
        let (actor, code) = (actor.clone(), code.clone());
        self.write(move |change| probes::withdraw(change, &actor, &code))
    }

    fn confirm_probe(&self, actor: &Actor, code: &ProbeCode) -> Result<Probe> {
        let (actor, code) = (actor.clone(), code.clone());
        self.write(move |change| probes::confirm(change, &actor, &code))
    }

    fn probes(&self) -> Result<Vec<Probe>> {
        let now = self.shared.now();
        self.read(|conn| probes::waiting(conn, now))
    }

    fn forget_proven(
        &self,
        actor: &Actor,
        id: OrganisationId,
        folder: Option<&FolderName>,
    ) -> Result<Vec<AddressedFolder>> {
        let (actor, folder) = (actor.clone(), folder.cloned());
        self.write(move |change| probes::forget(change, &actor, id, folder.as_ref()))
    }

    fn user_choices(&self, id: OrganisationId) -> Result<Vec<UserOptions>> {
        self.read(|conn| users::choices(conn, id))
    }

    fn add_user(&self, actor: &Actor, user: &NewUser) -> Result<UserId> {
        let keyed = users::Keyed::new(user.clone())?;
        let actor = actor.clone();
        self.write(move |change| {
            let mut sealer = seal::PrivateKeySealer::new(&change.seal_public)?;
            users::add(change, &actor, &keyed, &mut sealer)
        })
    }

    fn import_users(&self, actor: &Actor, lines: Vec<ImportUser>) -> Result<Ticket<ImportReport>> {
        let keyed = users::key_all(lines)?;
        let actor = actor.clone();
        self.writer.submit_alone(move |change| users::import(change, &actor, keyed))
    }

    fn user_id(&self, address: &Address) -> Result<UserId> {
        self.read(|conn| users::id(conn, address))
    }

    fn user(&self, user: UserId) -> Result<User> {
        self.read(|conn| users::show(conn, user))
    }

    fn users(&self, organisation: Option<OrganisationId>, after: Option<&Address>, limit: usize) -> Result<Vec<User>> {
        self.read(|conn| users::page(conn, organisation, after, limit))
    }

    fn set_user_options(&self, actor: &Actor, user: UserId, options: UserOptions) -> Result<()> {
        let actor = actor.clone();
        self.write(move |change| users::set_options(change, &actor, user, options))
    }

    fn set_user_status(&self, actor: &Actor, user: UserId, status: UserStatus) -> Result<()> {
        let actor = actor.clone();
        self.write(move |change| users::set_status(change, &actor, user, status))
    }

    fn remove_user(&self, actor: &Actor, user: UserId) -> Result<()> {
        let actor = actor.clone();
        self.write(move |change| users::remove(change, &actor, user))
    }

    fn add_alias(&self, actor: &Actor, user: UserId, alias: &Address) -> Result<()> {
        let (actor, alias) = (actor.clone(), alias.clone());
        self.write(move |change| users::add_alias(change, &actor, user, &alias))
    }

    fn remove_alias(&self, actor: &Actor, user: UserId, alias: &Address) -> Result<()> {
        let (actor, alias) = (actor.clone(), alias.clone());
        self.write(move |change| users::remove_alias(change, &actor, user, &alias))
    }

    fn share_address(&self, actor: &Actor, id: OrganisationId, address: &Address) -> Result<()> {
        let (actor, address) = (actor.clone(), address.clone());
        self.write(move |change| shared_addresses::share(change, &actor, id, &address))
    }

    fn unshare_address(&self, actor: &Actor, id: OrganisationId, address: &Address) -> Result<()> {
        let (actor, address) = (actor.clone(), address.clone());
        self.write(move |change| shared_addresses::unshare(change, &actor, id, &address))
    }

    fn shared_addresses(&self, id: OrganisationId) -> Result<Vec<Address>> {
        self.read(|conn| shared_addresses::of_organisation(conn, id))
    }

    fn shared_in(&self, address: &Address) -> Result<Option<OrganisationId>> {
        self.read(|conn| shared_addresses::organisation_of(conn, address))
    }

    fn import_aliases(&self, actor: &Actor, lines: Vec<ImportAlias>) -> Result<Ticket<ImportReport>> {
        let actor = actor.clone();
        self.writer.submit_alone(move |change| shared_addresses::import(change, &actor, lines))
    }

    fn change_entries(&self, actor: &Actor, user: UserId, edits: &[Edit]) -> Result<Ticket<Changed>> {
        entries::check(actor, edits)?;
        let keys = self.read(|conn| entries::user_keys(conn, &self.shared, user))?;
        let prepared = entries::Prepared::new(&self.shared, user, &keys, edits)?;
        let actor = actor.clone();
        self.writer.submit(move |change| {
            let number = change.next_row();
            let effects = entries::apply(change, &actor, prepared)?;
            Ok(Changed { number, effects: actor.is_user().then_some(effects) })
        })
    }

    fn import_entries(&self, actor: &Actor, lines: Vec<ImportEntry>) -> Result<Ticket<ImportReport>> {
        let chunk = self.read(|conn| entry_import::resolve(conn, &self.shared, lines))?;
        let chunk = chunk.prepare(&self.shared)?;
        let actor = actor.clone();
        self.writer.submit_alone(move |change| chunk.apply(change, &actor))
    }

    fn read_entries(&self, user: UserId, list: Option<ListKind>, permission: &Permission) -> Result<Vec<Entry>> {
        let notes = match permission {
            Permission::Own(_) | Permission::Unlocked(..) => reading::Notes::Shown,
            Permission::Grant { grantee } => {
                let grantee = grantee.clone();
                self.write(move |change| grants::use_for(change, user, &grantee, list))?;
                reading::Notes::Hidden
            }
        };
        self.entries(user, permission, reading::Wanted::List(list, notes))
    }

    fn read_values(&self, user: UserId, list: ListKind, permission: &Permission) -> Result<Vec<Entry>> {
        own(permission)?;
        self.entries(user, permission, reading::Wanted::List(Some(list), reading::Notes::Hidden))
    }

    fn read_notes(&self, user: UserId, entries: &[EntryId], permission: &Permission) -> Result<Vec<Option<Note>>> {
        own(permission)?;
        let fetched = self.read(|conn| {
            let unlocked = accounts::unlock(conn, &self.shared, user, permission)?;
            let mut batches = reading::Batches::default();
            let notes = entries.iter().map(|id| notes::fetch(conn, user, id.fingerprint, &mut batches));
            Ok((notes.collect::<Db<Vec<_>>>()?, unlocked, batches))
        });
        let (sealed, unlocked, batches) = fetched?;
        let mut openers = reading::Openers::new(user, &unlocked, &batches);
        let open = |(id, sealed): (&EntryId, Option<reading::Sealed>)| {
            sealed.and_then(|sealed| notes::open(&mut openers, id.fingerprint, sealed))
        };
        Ok(entries.iter().zip(sealed).map(open).collect())
    }

    fn read_entry(&self, user: UserId, entry: EntryId, permission: &Permission) -> Result<Option<Entry>> {
        own(permission)?;
        Ok(self.entries(user, permission, reading::Wanted::One(entry))?.pop())
    }

    fn read_waiting(&self, user: UserId, limit: usize, permission: &Permission) -> Result<Vec<Entry>> {
        own(permission)?;
        self.entries(user, permission, reading::Wanted::Waiting(limit))
    }

    fn entry_counts(&self, user: UserId, permission: &Permission) -> Result<[usize; 3]> {
        own(permission)?;
        self.read(|conn| {
            accounts::unlock(conn, &self.shared, user, permission)?;
            let (_, lists) = reading::packed(conn, &self.shared, user)?.ok_or(StoreError::Altered(user))?;
            Ok(ListKind::ALL.map(|list| lists.len(list)))
        })
    }

    fn standing(
        &self,
        user: UserId,
        values: &[EntryValue],
        permission: &Permission,
    ) -> Result<Vec<(ListKind, EntryValue)>> {
        own(permission)?;
        self.read(|conn| {
            let unlocked = accounts::unlock(conn, &self.shared, user, permission)?;
            let (_, lists) = reading::packed(conn, &self.shared, user)?.ok_or(StoreError::Altered(user))?;
            let of_value = |value: &EntryValue| {
                let fingerprint = unlocked.fingerprint.of(value);
                let holding = ListKind::ALL.into_iter().filter(|list| lists.contains(*list, fingerprint));
                holding.map(|list| (list, value.clone())).collect::<Vec<_>>()
            };
            Ok(values.iter().flat_map(of_value).collect())
        })
    }

    fn undo(
        &self,
        user: UserId,
        permission: &Permission,
        change: i64,
        allowed: &dyn Fn(ListKind, &EntryValue) -> bool,
    ) -> Result<Undone> {
        own(permission)?;
        let now = self.shared.now();
        let fetched = self.read(|conn| undo::fetch(conn, &self.shared, user, permission, change, now))?;
        let plan = fetched.plan(&self.shared, allowed)?;
        self.write(move |change| undo::carry_out(change, plan))
    }

    fn issue_grant(&self, user: UserId, grantee: &str, list: ListKind, time: Duration) -> Result<GrantId> {
        grants::check(grantee, time)?;
        let grantee = grantee.to_owned();
        self.write(move |change| grants::issue(change, user, &grantee, list, time))
    }

    fn revoke_grant(&self, user: UserId, grant: GrantId) -> Result<()> {
        self.write(move |change| grants::revoke(change, user, grant))
    }

    fn grants(&self, user: UserId) -> Result<Vec<Grant>> {
        self.read(|conn| grants::all(conn, user))
    }

    fn is_granted(&self, user: UserId, grantee: &str, list: ListKind) -> Result<bool> {
        let now = self.shared.now();
        self.read(|conn| grants::is_live(conn, user, grantee, list, now))
    }

    fn journal(
        &self,
        user: UserId,
        permission: &Permission,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<JournalRecord>> {
        own(permission)?;
        let fetched = self.read(|conn| audit::fetch(conn, &self.shared, user, permission, before, limit))?;
        Ok(fetched.open())
    }

    fn verify_journal(&self, id: OrganisationId) -> Result<JournalCheck> {
        // Long where the journal is: on a connection of its own, so that nobody waits for one.
        reader::read_aside(&self.shared, |conn| audit::verify(conn, &self.shared, id))
    }

    fn cut_journal(&self, id: OrganisationId, before: Timestamp) -> Result<u64> {
        self.write(move |change| audit::cut(change, id, before))
    }

    fn add_totals(&self, totals: &[Total]) -> Result<()> {
        let totals = totals.to_vec();
        self.write(move |change| totals::add(change, &totals))
    }

    fn totals(&self, id: OrganisationId, days: RangeInclusive<Date>) -> Result<Vec<DayTotals>> {
        let today = self.shared.now().to_zoned(jiff::tz::TimeZone::UTC).date();
        self.read(|conn| totals::of(conn, id, &days, today)).map(|totals| DayTotals::of(&totals))
    }

    fn keys(&self) -> &Keys {
        &self.shared.keys
    }

    fn address_hasher(&self) -> AddressHasher {
        self.shared.hasher.clone()
    }

    fn feed(&self) -> Result<Box<dyn Feed>> {
        Ok(Box::new(follow::SqliteFeed::open(Arc::clone(&self.shared))?))
    }

    fn prune_changes(&self, keep: u64) -> Result<()> {
        self.write(move |change| change.prune(keep))
    }
}
