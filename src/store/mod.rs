//! Where organisations, users and lists are kept: one trait, and SQLite behind it.
//!
//! | file | subject |
//! |---|---|
//! | `accounts` | sessions, sign-ins, users' secrets, the personal lock |
//! | `activity` | what became of messages, for the users who want to see it |
//! | `types` | organisations, users, grants, who acts |
//! | `entry` | entries and the edits that change them |
//! | `settings` | what an organisation sets apart from the configuration |
//! | `error` | what can go wrong, sorted by who is at fault |
//! | `keys` | `match.key` and `seal.key`: files, and keys derived for one purpose each |
//! | `owner` | whose the files are |
//! | `seal` | values sealed to a user's public key |
//! | `symbols` | random codes that people type |
//! | `packed` | a user's compiled lists in one authenticated row |
//! | `probe` | folders in recipients' addresses, and what proves them |
//! | `relay` | the relays of a store, as they tell of themselves |
//! | `staff` | managers and operators, and what they announce |
//! | `journal` | the chain of changes, block by block |
//! | `feed` | changes since a position, and the full load |
//! | `sqlite` | the embedded store |
//! | `migrations/` | its schema, one file a version |
//!
//! What matching needs (fingerprints, packed lists) opens with `match.key`; what people read (values, journal) is
//! sealed to the user's public key, and opens with `seal.key` alone.

mod accounts;
mod activity;
mod entry;
mod error;
mod feed;
mod journal;
pub mod keys;
mod owner;
mod packed;
mod probe;
mod relay;
mod seal;
mod settings;
mod sqlite;
mod staff;
mod symbols;
mod types;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;

pub use accounts::*;
pub use activity::{
    ACTIVITY_DAYS, ACTIVITY_ROWS, Activity, ActivityStore, ActivityWriter, Digest, History, HistoryRow, Keeping,
    MAX_ACTIVITY_DAYS,
};
pub use entry::{
    Changed, Edit, Effect, Entry, EntryId, JournalEdit, MAX_NOTE, Note, Readable, Standing, UNDO_DAYS, Undone,
};
pub use error::{Fault, Result, StoreError};
pub use feed::{
    AddressHash, AddressHasher, ChangeBatch, Changes, Feed, Glob, LoadReport, LoadedOrganisation, LoadedUser, Position,
};
pub use journal::SHOWN_EDITS;
pub use keys::{KeyError, Keys, MatchKey, SealKey};
pub use probe::{AddressedFolder, MAX_PROBES, PROBE_LIFE, Probe, ProbeCode, ProvenFolder};
pub use relay::*;
pub use settings::{KEYS, LANGUAGES, MAX_DPO, OrganisationSettings, SESSION_IDLE, SettingError};
pub use sqlite::{SealAccess, SqliteOptions, SqliteStore};
pub use staff::*;
pub use types::*;

use crate::policy::address::{Address, Domain};
use crate::policy::list::{EntryValue, ListKind, MAX_ENTRIES, UserOptions};
use crate::policy::text::FolderName;

/// Longest time for which a grant is given.
pub const MAX_GRANT: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest name of an organisation, in bytes.
pub const MAX_NAME: usize = 64;
/// Most aliases of one user.
pub const MAX_ALIASES: usize = 64;
/// Most edits of one call, each with a note beside it: three full lists, which one file may hold.
pub const MAX_EDITS: usize = 3 * MAX_ENTRIES;

/// Where the store takes the time from; tests bring their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The system's clock.
pub fn system_clock() -> Clock {
    Arc::new(Timestamp::now)
}

/// The same as of the system's last tick, 10 ms ago at most (CLOCK_REALTIME_COARSE of clock_gettime(2)): for what is noted of
/// every message.
pub fn coarse_clock() -> Clock {
    let read = || {
        let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME_COARSE).ok()?;
        Timestamp::new(time.tv_sec(), i32::try_from(time.tv_nsec()).ok()?).ok()
    };
    Arc::new(move || read().unwrap_or_else(Timestamp::now))
}

/// The answer to a change that is on its way; the change is durable once [`Ticket::wait`] says so.
/// A ticket that is dropped leaves the change on its way.
#[must_use = "the change may have failed"]
pub struct Ticket<T>(Box<dyn FnOnce() -> Result<T> + Send>);

impl<T> Ticket<T> {
    pub(crate) fn new(answer: impl FnOnce() -> Result<T> + Send + 'static) -> Self {
        Self(Box::new(answer))
    }

    /// Blocks until the change is committed.
    ///
    /// # Errors
    /// Why it was not.
    pub fn wait(self) -> Result<T> {
        (self.0)()
    }
}

/// The store. Every method blocks (async callers use `spawn_blocking`) and, where it changes something, returns once
/// the change is durable and journalled. Every method can fail for the store's state; `# Errors` names the rest.
pub trait Store: AccountStore + ActivityStore + RelayStore + StaffStore + Send + Sync {
    // Organisations

    /// Adds an organisation and its domains.
    ///
    /// # Errors
    /// The name is taken, or is empty, over [`MAX_NAME`] bytes or holds control characters; a domain is taken.
    fn add_organisation(&self, actor: &Actor, name: &str, domains: &[Domain]) -> Result<OrganisationId>;

    /// All organisations, sorted by name.
    ///
    /// # Errors
    /// See [`Store`].
    fn organisations(&self) -> Result<Vec<Organisation>>;

    /// The organisation of this name.
    ///
    /// # Errors
    /// There is none.
    fn organisation(&self, name: &str) -> Result<Organisation>;

    /// The organisation of this number.
    ///
    /// # Errors
    /// There is none.
    fn organisation_numbered(&self, id: OrganisationId) -> Result<Organisation>;

    /// How many users an organisation has. Takes the longer the more there are.
    ///
    /// # Errors
    /// See [`Store`].
    fn user_count(&self, id: OrganisationId) -> Result<u64>;

    /// Sets settings, all or none; see [`OrganisationSettings::set`].
    ///
    /// # Errors
    /// A key or value that is not possible.
    fn set_organisation(&self, actor: &Actor, id: OrganisationId, settings: &[(String, String)]) -> Result<()>;

    /// Adds a served domain; nothing happens where the organisation has it already.
    ///
    /// # Errors
    /// It is another organisation's.
    fn add_domain(&self, actor: &Actor, id: OrganisationId, domain: &Domain) -> Result<()>;

    /// Takes a served domain away.
    ///
    /// # Errors
    /// Users have addresses in it, or it is not served.
    fn remove_domain(&self, actor: &Actor, id: OrganisationId, domain: &Domain) -> Result<()>;

    /// Declares a business domain that no user may call personal.
    ///
    /// # Errors
    /// See [`Store`].
    fn protect_domain(&self, actor: &Actor, id: OrganisationId, domain: &Domain) -> Result<()>;

    /// Takes that back.
    ///
    /// # Errors
    /// See [`Store`].
    fn unprotect_domain(&self, actor: &Actor, id: OrganisationId, domain: &Domain) -> Result<()>;

    /// Puts an entry on an organisation's own list.
    ///
    /// # Errors
    /// The list is the personal one, or already holds [`crate::policy::list::MAX_ENTRIES`].
    fn add_own_entry(&self, actor: &Actor, id: OrganisationId, entry: &OwnEntry) -> Result<()>;

    /// Takes an entry off an organisation's own list.
    ///
    /// # Errors
    /// See [`Store`].
    fn remove_own_entry(&self, actor: &Actor, id: OrganisationId, entry: &OwnEntry) -> Result<()>;

    /// An organisation's own lists, sorted.
    ///
    /// # Errors
    /// There is no such organisation.
    fn own_lists(&self, id: OrganisationId) -> Result<Vec<OwnEntry>>;

    /// Removes an organisation with its domains and lists.
    ///
    /// # Errors
    /// Users remain and [`RemainingUsers::Refuse`] was asked for.
    fn remove_organisation(&self, actor: &Actor, id: OrganisationId, users: RemainingUsers) -> Result<()>;

    // Folders

    /// Begins to prove that the mail store files into a folder of the organisation's users, with the code that the probe
    /// message is to carry. Of more than [`MAX_PROBES`] that wait the oldest gives way.
    ///
    /// # Errors
    /// There is no such organisation.
    fn begin_probe(&self, actor: &Actor, id: OrganisationId, folder: &AddressedFolder) -> Result<(ProbeCode, Probe)>;

    /// Takes a probe back whose message could not be sent.
    ///
    /// # Errors
    /// [`StoreError::UnknownProbe`].
    fn withdraw_probe(&self, actor: &Actor, code: &ProbeCode) -> Result<()>;

    /// The message with this code lay in its folder: that folder is proven from now on.
    ///
    /// # Errors
    /// [`StoreError::UnknownProbe`], [`StoreError::ProbeExpired`].
    fn confirm_probe(&self, actor: &Actor, code: &ProbeCode) -> Result<Probe>;

    /// The probes that wait for their confirmation, oldest first.
    ///
    /// # Errors
    /// See [`Store`].
    fn probes(&self) -> Result<Vec<Probe>>;

    /// Takes back that folders are proven: one, whatever its delimiter, or all of the organisation. Answers with those that
    /// were.
    ///
    /// # Errors
    /// There is no such organisation.
    fn forget_proven(
        &self,
        actor: &Actor,
        id: OrganisationId,
        folder: Option<&FolderName>,
    ) -> Result<Vec<AddressedFolder>>;

    /// What users of an organisation chose apart from it, each choice once.
    ///
    /// # Errors
    /// See [`Store`].
    fn user_choices(&self, id: OrganisationId) -> Result<Vec<UserOptions>>;

    // Users

    /// Adds a user with fresh keys and empty lists.
    ///
    /// # Errors
    /// The primary address's domain is not served; an alias stands in a domain of another organisation, or is shared
    /// there; an address is taken; over [`MAX_ALIASES`] aliases.
    fn add_user(&self, actor: &Actor, user: &NewUser) -> Result<UserId>;

    /// Adds a chunk of users, the good lines of it. The caller prepares the next chunk meanwhile.
    ///
    /// # Errors
    /// See [`Store`]; what is wrong with single lines stands in the report.
    fn import_users(&self, actor: &Actor, lines: Vec<ImportUser>) -> Result<Ticket<ImportReport>>;

    /// The user who has this address, as primary or alias.
    ///
    /// # Errors
    /// Nobody has it.
    fn user_id(&self, address: &Address) -> Result<UserId>;

    /// What may be known of a user.
    ///
    /// # Errors
    /// There is no such user.
    fn user(&self, user: UserId) -> Result<User>;

    /// A page of users, sorted by primary address, after the address given; fewer than `limit` only at the end.
    ///
    /// # Errors
    /// See [`Store`].
    fn users(&self, organisation: Option<OrganisationId>, after: Option<&Address>, limit: usize) -> Result<Vec<User>>;

    /// Sets what the user chose.
    ///
    /// # Errors
    /// There is no such user; `functional` differs from what the mailbox was declared as; `activity` changes, and not by the
    /// user.
    fn set_user_options(&self, actor: &Actor, user: UserId, options: UserOptions) -> Result<()>;

    /// Disables or enables an account.
    ///
    /// # Errors
    /// There is no such user.
    fn set_user_status(&self, actor: &Actor, user: UserId, status: UserStatus) -> Result<()>;

    /// Erases a user: keys, lists, sealed values, grants, and what the journal held of them but the fact itself. That an
    /// address of theirs is shared stays known: others get its mail as well.
    ///
    /// # Errors
    /// There is no such user.
    fn remove_user(&self, actor: &Actor, user: UserId) -> Result<()>;

    /// Gives a user a further address. It may stand in a domain that no organisation serves, as the final address on a
    /// host behind the relay does.
    ///
    /// # Errors
    /// See [`Self::add_user`].
    fn add_alias(&self, actor: &Actor, user: UserId, alias: &Address) -> Result<()>;

    /// Takes an alias away.
    ///
    /// # Errors
    /// The user has no such alias; the primary address is none.
    fn remove_alias(&self, actor: &Actor, user: UserId, alias: &Address) -> Result<()>;

    // Shared addresses

    /// Notes that an address reaches more than one mailbox, so that nobody's list decides what comes to it. It may be a
    /// user's own, and stays theirs. Nothing happens where it is noted already.
    ///
    /// # Errors
    /// There is no such organisation; the address, or its domain, is another organisation's.
    fn share_address(&self, actor: &Actor, id: OrganisationId, address: &Address) -> Result<()>;

    /// Takes that back.
    ///
    /// # Errors
    /// The address is not shared in this organisation.
    fn unshare_address(&self, actor: &Actor, id: OrganisationId, address: &Address) -> Result<()>;

    /// The shared addresses of an organisation, sorted.
    ///
    /// # Errors
    /// There is no such organisation.
    fn shared_addresses(&self, id: OrganisationId) -> Result<Vec<Address>>;

    /// The organisation in which an address is shared, if it is.
    ///
    /// # Errors
    /// See [`Store`].
    fn shared_in(&self, address: &Address) -> Result<Option<OrganisationId>>;

    /// Adds a chunk of aliases and shared addresses, the good lines of it; a line that says what is so already is good.
    ///
    /// # Errors
    /// See [`Store`]; what is wrong with single lines stands in the report.
    fn import_aliases(&self, actor: &Actor, lines: Vec<ImportAlias>) -> Result<Ticket<ImportReport>>;

    // Entries

    /// Carries out edits of a user's lists in their order, all or none, and answers with the number of the change, which
    /// [`Self::undo`] takes, and, for the user alone, with what each edit did. To anyone else nothing that is answered shows
    /// what was there before: adding twice or removing what is not there succeeds. The values were checked by the policy;
    /// the same value may stand on several lists.
    ///
    /// A list holds [`crate::policy::list::MAX_ENTRIES`]. The user is told when it is full; for anyone else the
    /// entries beyond are left out in silence (the user reads it in the journal), since an error would tell what the
    /// list holds. What anyone else adds waits for the user's confirmation and has its effect meanwhile.
    ///
    /// # Errors
    /// There is no such user; the mailbox is functional and the list personal; over [`MAX_EDITS`]; the list is full;
    /// [`StoreError::NotPermitted`] for notes and confirmations by anyone but the user.
    fn change_entries(&self, actor: &Actor, user: UserId, edits: &[Edit]) -> Result<Ticket<Changed>>;

    /// Adds entries and waits; see [`Self::change_entries`].
    ///
    /// # Errors
    /// See [`Self::change_entries`].
    fn add_entries(&self, actor: &Actor, user: UserId, entries: &[(ListKind, EntryValue)]) -> Result<()> {
        let edits: Vec<_> = entries.iter().map(|(list, value)| Edit::Add(*list, value.clone())).collect();
        self.change_entries(actor, user, &edits)?.wait().map(drop)
    }

    /// Removes entries and waits; see [`Self::change_entries`].
    ///
    /// # Errors
    /// See [`Self::change_entries`].
    fn remove_entries(&self, actor: &Actor, user: UserId, entries: &[(ListKind, EntryValue)]) -> Result<()> {
        let edits: Vec<_> = entries.iter().map(|(list, value)| Edit::Remove(*list, value.clone())).collect();
        self.change_entries(actor, user, &edits)?.wait().map(drop)
    }

    /// Adds a chunk of entries, the good lines of it: one sealing key, one journal row and one change a user. Chunks
    /// of about 100,000 lines are quickest. The caller prepares the next chunk meanwhile.
    ///
    /// # Errors
    /// See [`Store`]; what is wrong with single lines stands in the report.
    fn import_entries(&self, actor: &Actor, lines: Vec<ImportEntry>) -> Result<Ticket<ImportReport>>;

    /// Opens a user's entries, of one list or all, sorted by list and value. The use of a grant is journalled; it shows
    /// no notes.
    ///
    /// # Errors
    /// [`StoreError::NotPermitted`], also for a user who is not there; [`StoreError::NoSealKey`].
    fn read_entries(&self, user: UserId, list: Option<ListKind>, permission: &Permission) -> Result<Vec<Entry>>;

    /// As [`Self::read_entries`] of one list, without the notes: the quickest way to a long list.
    ///
    /// # Errors
    /// See [`Self::read_entries`]; a grant is not enough.
    fn read_values(&self, user: UserId, list: ListKind, permission: &Permission) -> Result<Vec<Entry>>;

    /// The notes beside some entries, in their order.
    ///
    /// # Errors
    /// See [`Self::read_values`].
    fn read_notes(&self, user: UserId, entries: &[EntryId], permission: &Permission) -> Result<Vec<Option<Note>>>;

    /// Opens one entry; `None` where it does not stand there.
    ///
    /// # Errors
    /// See [`Self::read_values`].
    fn read_entry(&self, user: UserId, entry: EntryId, permission: &Permission) -> Result<Option<Entry>>;

    /// Opens, without notes, the newest entries that others added and the user has not said to keep yet, at most `limit`.
    ///
    /// # Errors
    /// See [`Self::read_values`].
    fn read_waiting(&self, user: UserId, limit: usize, permission: &Permission) -> Result<Vec<Entry>>;

    /// How many entries each list holds, by [`ListKind::ALL`].
    ///
    /// # Errors
    /// See [`Self::read_values`]; [`StoreError::Altered`].
    fn entry_counts(&self, user: UserId, permission: &Permission) -> Result<[usize; 3]>;

    /// The lists on which a value stands.
    ///
    /// # Errors
    /// See [`Self::entry_counts`].
    fn lists_with(&self, user: UserId, value: &EntryValue, permission: &Permission) -> Result<Vec<ListKind>> {
        let standing = self.standing(user, std::slice::from_ref(value), permission)?;
        Ok(standing.into_iter().map(|(list, _)| list).collect())
    }

    /// Those of these values that stand on a list, each with every list that holds it.
    ///
    /// # Errors
    /// See [`Self::entry_counts`].
    fn standing(
        &self,
        user: UserId,
        values: &[EntryValue],
        permission: &Permission,
    ) -> Result<Vec<(ListKind, EntryValue)>>;

    /// Takes a change of the user's lists back, whoever made it, as far as later changes left its entries alone and `allowed`
    /// says that what comes back may stand on that list. It is itself a change, which can be undone. Removed entries come
    /// back with their origin, date and note.
    ///
    /// # Errors
    /// [`StoreError::UnknownChange`], [`StoreError::UndoExpired`], [`StoreError::UndoContradicted`],
    /// [`StoreError::UndoRefused`]; the list is full; see [`Self::journal`].
    fn undo(
        &self,
        user: UserId,
        permission: &Permission,
        change: i64,
        allowed: &dyn Fn(ListKind, &EntryValue) -> bool,
    ) -> Result<Undone>;

    // Grants

    /// The user lets one person read one list for a while. To be called for the user's own session alone.
    ///
    /// # Errors
    /// There is no such user; no time or over [`MAX_GRANT`]; an empty grantee or one over [`MAX_NAME`] bytes;
    /// [`StoreError::GrantUnderLock`].
    fn issue_grant(&self, user: UserId, grantee: &str, list: ListKind, time: Duration) -> Result<GrantId>;

    /// The user takes a grant back.
    ///
    /// # Errors
    /// The user gave no such grant.
    fn revoke_grant(&self, user: UserId, grant: GrantId) -> Result<()>;

    /// The grants of a user, newest first.
    ///
    /// # Errors
    /// See [`Store`].
    fn grants(&self, user: UserId) -> Result<Vec<Grant>>;

    /// Whether this person may read this list now, without reading it.
    ///
    /// # Errors
    /// See [`Store`].
    fn is_granted(&self, user: UserId, grantee: &str, list: ListKind) -> Result<bool>;

    // Journal

    /// The changes of a user's account, newest first, opened; before the row `before`, at most `limit`.
    ///
    /// # Errors
    /// See [`Self::read_entries`]; a grant is not enough.
    fn journal(
        &self,
        user: UserId,
        permission: &Permission,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<JournalRecord>>;

    /// Follows the chain of an organisation from its oldest block to its head.
    ///
    /// # Errors
    /// See [`Store`].
    fn verify_journal(&self, id: OrganisationId) -> Result<JournalCheck>;

    /// Drops the blocks that ended before a time, for retention. What remains still verifies. Returns the rows dropped.
    ///
    /// # Errors
    /// See [`Store`].
    fn cut_journal(&self, id: OrganisationId, before: Timestamp) -> Result<u64>;

    // Totals

    /// Adds to the counts of days.
    ///
    /// # Errors
    /// There is no such organisation.
    fn add_totals(&self, totals: &[Total]) -> Result<()>;

    /// The counts of an organisation, for those of the days that are over (UTC): a live counter would tell of single
    /// messages. Those of too few users are hidden from everybody.
    ///
    /// # Errors
    /// See [`Store`].
    fn totals(&self, id: OrganisationId, days: RangeInclusive<Date>) -> Result<Vec<DayTotals>>;

    // For the cache and the signed mark

    /// The keys this process holds.
    fn keys(&self) -> &Keys;

    /// How this store hashes users' addresses in its feed.
    fn address_hasher(&self) -> AddressHasher;

    /// A connection for one follower.
    ///
    /// # Errors
    /// See [`Store`].
    fn feed(&self) -> Result<Box<dyn Feed>>;

    /// Forgets all but the last `keep` changes of the feed. A follower that is further behind loads everything anew.
    ///
    /// # Errors
    /// See [`Store`].
    fn prune_changes(&self, keep: u64) -> Result<()>;
}
