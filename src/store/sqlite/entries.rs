//! Entries of users: prepared on the caller's thread, applied by the writer.

use rusqlite::{CachedStatement, Connection, OptionalExtension};

use super::accounts::lock_state;
use super::change::{Change, Payload, Told};
use super::link::Db;
use super::{Shared, notes, sql, users};
use crate::policy::list::{EntryValue, Fingerprint, FingerprintKey, ListKind, MAX_ENTRIES, Scope};
use crate::store::journal::{write_edit, write_undoes};
use crate::store::packed::{PackedLists, PackedRow};
use crate::store::seal::{Field, KEY, Place, Sealer};
use crate::store::{
    Actor, Edit, Effect, LockState, MAX_EDITS, OrganisationId, Origin, Result, Standing, StoreError, UserId,
};

/// What sealing and matching for one user needs.
pub struct UserKeys {
    organisation: OrganisationId,
    /// Whether the mailbox is that of a function.
    pub functional: bool,
    public: [u8; KEY],
    fingerprint: FingerprintKey,
}

pub fn user_keys(conn: &Connection, shared: &Shared, user: UserId) -> Db<UserKeys> {
    let mut statement = conn.prepare_cached(sql::USER_KEYS)?;
    let mut rows = statement.query([user.to_sql()])?;
    let row = rows.next()?.ok_or_else(|| StoreError::UnknownUser(user.to_string()))?;
    let organisation = OrganisationId::new(row.get(0)?);
    let wrapped: Vec<u8> = row.get(3)?;
    let fingerprint = shared.wrap.fingerprint_key(organisation, user, &wrapped).ok_or(StoreError::Altered(user))?;
    Ok(UserKeys { organisation, functional: row.get::<_, i64>(1)? != 0, public: row.get(2)?, fingerprint })
}

/// Whether this actor may make these edits.
pub fn check(actor: &Actor, edits: &[Edit]) -> Result<()> {
    if edits.iter().filter(|edit| !edit.is_note()).count() > MAX_EDITS || edits.len() > 2 * MAX_EDITS {
        return Err(StoreError::Invalid(format!("at most {MAX_EDITS} edits are taken at once, with their notes")));
    }
    if !actor.is_user() && edits.iter().any(Edit::is_for_user_alone) {
        return Err(StoreError::NotPermitted);
    }
    Ok(())
}

/// Edits of one user, fingerprinted and sealed: all that costs time and needs no lock.
pub struct Prepared {
    user: UserId,
    organisation: OrganisationId,
    sealer: Sealer,
    edits: Vec<PreparedEdit>,
    /// The change that they take back: each is carried out only where no later change touched its entry.
    undoing: Option<i64>,
}

struct PreparedEdit {
    edit: Edit,
    fingerprint: Fingerprint,
    /// Position and sealed text of an entry that is added, or of a note.
    sealed: Option<(u32, Vec<u8>)>,
    /// Of a glob that is added.
    pattern: Option<Vec<u8>>,
    /// What an entry was that comes back.
    standing: Option<Standing>,
}

impl Prepared {
    pub fn new(shared: &Shared, user: UserId, keys: &UserKeys, edits: &[Edit]) -> Result<Self> {
        Self::of(shared, user, keys, edits.iter().map(|edit| (edit.clone(), None)))
    }

    /// Edits that take a change back, with what entries were that come back.
    pub fn undoing(
        shared: &Shared,
        user: UserId,
        keys: &UserKeys,
        change: i64,
        edits: Vec<(Edit, Option<Standing>)>,
    ) -> Result<Self> {
        Ok(Self { undoing: Some(change), ..Self::of(shared, user, keys, edits)? })
    }

    fn of(
        shared: &Shared,
        user: UserId,
        keys: &UserKeys,
        edits: impl IntoIterator<Item = (Edit, Option<Standing>)>,
    ) -> Result<Self> {
        let mut sealer = Sealer::new(&keys.public)?;
        let edits = edits.into_iter().map(|(edit, standing)| {
            let prepared = prepare(shared, user, keys, &mut sealer, edit)?;
            Ok(PreparedEdit { standing, ..prepared })
        });
        let edits = edits.collect::<Result<_>>()?;
        Ok(Self { user, organisation: keys.organisation, sealer, edits, undoing: None })
    }
}

fn prepare(shared: &Shared, user: UserId, keys: &UserKeys, sealer: &mut Sealer, edit: Edit) -> Result<PreparedEdit> {
    if keys.functional && edit.list() == ListKind::Personal {
        return Err(StoreError::Functional);
    }
    let organisation = keys.organisation;
    let fingerprint = keys.fingerprint.of(edit.value());
    let (mut sealed, mut pattern) = (None, None);
    match &edit {
        Edit::Add(list, value) => {
            let place = Place { organisation, user, field: Field::Entry };
            sealed = Some(sealer.seal(&place, value.written().as_bytes())?);
            if let EntryValue::Glob(text) = value {
                let place = Place { organisation, user, field: Field::Pattern(*list) };
                pattern = Some(shared.wrap.wrap(&place, text.as_bytes())?);
            }
        }
        Edit::Note(_, _, Some(note)) | Edit::Name(_, _, note) => {
            sealed = Some(notes::seal(sealer, organisation, user, fingerprint, note)?)
        }
        Edit::Note(..) | Edit::Remove(..) | Edit::Confirm(..) | Edit::Reopen(..) => {}
    }
    Ok(PreparedEdit { edit, fingerprint, sealed, pattern, standing: None })
}

/// Carries out the edits of one user: entries, notes, packed row, journal, feed. Answers with what each did.
pub fn apply(change: &mut Change<'_>, actor: &Actor, prepared: Prepared) -> Db<Vec<Effect>> {
    let Prepared { user, organisation, mut sealer, edits, undoing } = prepared;
    let (mut row, mac) = change.packed(user)?;
    row.revision += 1;
    let batch = row.revision;
    if change.run(sql::ADD_BATCH, (user.to_sql(), batch, sealer.ephemeral()))? == 0 {
        // The revision was used before: the row is an older one, put back.
        return Err(StoreError::Altered(user).into());
    }
    let mut payload = zeroize::Zeroizing::new(String::new());
    if let Some(undone) = undoing {
        write_undoes(undone, &mut payload);
    }
    let mut applying = Applying::new(change, actor, &mut row, undoing)?;
    let mut effects = Vec::with_capacity(edits.len());
    for edit in &edits {
        let (effect, before) = applying.edit(edit)?;
        write_edit(&edit.edit, effect, before.as_ref(), &mut payload);
        effects.push(effect);
    }
    applying.finish()?;
    change.set_packed(&row, &mac)?;
    let place = Place { organisation, user, field: Field::Journal };
    let (position, sealed) = sealer.seal(&place, payload.as_bytes())?;
    let kind = if undoing.is_some() { "undo" } else { "entries" };
    change.log(actor, organisation, kind, Some(user), Payload::Sealed(batch, position, &sealed))?;
    change.tell(Told::User(user))?;
    Ok(effects)
}

/// The lists of one user while edits are carried out.
struct Applying<'a> {
    row: &'a mut PackedRow,
    counts: [usize; 3],
    add: CachedStatement<'a>,
    remove: CachedStatement<'a>,
    notes: notes::Writing<'a>,
    conn: &'a Connection,
    actor: &'a Actor,
    at: i64,
    /// The row of the journal that this will be.
    change: i64,
    undoing: Option<i64>,
    /// Whether the user may be one who cannot read what they change: the personal lock is on.
    is_closed: bool,
    removed: Vec<Fingerprint>,
}

impl<'a> Applying<'a> {
    fn new(change: &Change<'a>, actor: &'a Actor, row: &'a mut PackedRow, undoing: Option<i64>) -> Db<Self> {
        let (conn, at, next, user) = (change.conn, change.at(), change.next_row(), row.user);
        Ok(Self {
            counts: ListKind::ALL.map(|list| row.lists.len(list)),
            add: conn.prepare_cached(sql::ADD_ENTRY)?,
            remove: conn.prepare_cached(sql::REMOVE_ENTRY)?,
            notes: notes::Writing { conn, user, batch: row.revision, at, change: next, undoing },
            row,
            conn,
            actor,
            at,
            change: next,
            is_closed: actor.is_user() && undoing.is_none() && lock_state(conn, user)? == LockState::On,
            undoing,
            removed: Vec::new(),
        })
    }

    /// What an edit does, and what the entry was that it removes.
    fn edit(&mut self, prepared: &PreparedEdit) -> Db<(Effect, Option<Standing>)> {
        let fingerprint = prepared.fingerprint;
        let effect = match &prepared.edit {
            Edit::Remove(list, _) => return self.remove(*list, fingerprint),
            Edit::Add(list, value) => self.add(*list, value, prepared)?,
            Edit::Note(list, ..) | Edit::Name(list, ..) if !self.row.lists.contains(*list, fingerprint) => {
                Effect::Nothing
            }
            Edit::Name(..) => self.notes.add(fingerprint, prepared.sealed.as_ref())?,
            Edit::Note(..) => self.notes.replace(fingerprint, prepared.sealed.as_ref())?,
            Edit::Confirm(list, _) => self.set_confirmed(*list, fingerprint, true)?,
            Edit::Reopen(list, _) => self.set_confirmed(*list, fingerprint, false)?,
        };
        Ok((effect, None))
    }

    fn remove(&mut self, list: ListKind, fingerprint: Fingerprint) -> Db<(Effect, Option<Standing>)> {
        if !self.row.lists.contains(list, fingerprint) {
            return Ok((Effect::Nothing, None));
        }
        let values = (self.row.user.to_sql(), list as u8, fingerprint.to_bytes(), self.undoing);
        let before = self.remove.query_row(values, standing).optional()?;
        if before.is_none() && self.undoing.is_some() {
            return Ok((Effect::Nothing, None));
        }
        self.row.lists.remove(list, fingerprint);
        self.counts[list as usize] -= 1;
        self.removed.push(fingerprint);
        Ok((Effect::Done, before))
    }

    fn add(&mut self, list: ListKind, value: &EntryValue, prepared: &PreparedEdit) -> Db<Effect> {
        let fingerprint = prepared.fingerprint;
        if self.is_closed && self.counts[list as usize] >= MAX_ENTRIES {
            // Whether it stands there already, who fills the list to ask so does not learn.
            return Err(StoreError::ListFull(list).into());
        }
        if self.row.lists.contains(list, fingerprint) {
            if self.actor.is_user() && self.undoing.is_none() {
                // Who adds it knows of it.
                self.set_confirmed(list, fingerprint, true)?;
            }
            return self.find_again(list, prepared);
        }
        if self.is_placed_later(fingerprint)? {
            return Ok(Effect::Nothing);
        }
        let count = &mut self.counts[list as usize];
        if *count >= MAX_ENTRIES {
            let is_user = self.actor.is_user();
            return if is_user { Err(StoreError::ListFull(list).into()) } else { Ok(Effect::LeftOut) };
        }
        *count += 1;
        let scope = value.scope();
        self.row.lists.insert(list, scope, fingerprint);
        let (position, sealed) = prepared.sealed.as_ref().ok_or_else(|| StoreError::internal("an unsealed entry"))?;
        let standing = prepared.standing.unwrap_or_else(|| Standing {
            origin: Origin::of(self.actor),
            created: users::time(self.at),
            confirmed: self.actor.is_user(),
        });
        self.add.execute(rusqlite::params![
            self.row.user.to_sql(),
            list as u8,
            fingerprint.to_bytes(),
            scope.code(),
            self.row.revision,
            position,
            sealed,
            prepared.pattern,
            standing.origin.code(),
            standing.created.as_second(),
            standing.confirmed,
            self.change,
        ])?;
        Ok(Effect::Done)
    }

    /// An entry that stands there already; one whose value was lost with its user's key is readable again.
    fn find_again(&self, list: ListKind, prepared: &PreparedEdit) -> Db<Effect> {
        let Some((position, sealed)) = &prepared.sealed else { return Ok(Effect::Nothing) };
        let (user, fingerprint) = (self.row.user.to_sql(), prepared.fingerprint.to_bytes());
        let values = (user, list as u8, fingerprint, self.row.revision, position, sealed);
        let found = self.conn.prepare_cached(sql::FIND_ENTRY_AGAIN)?.execute(values)?;
        Ok(if found > 0 { Effect::Done } else { Effect::Nothing })
    }

    /// Whether a change after the one that is taken back put the value on any list.
    fn is_placed_later(&self, fingerprint: Fingerprint) -> Db<bool> {
        let Some(undoing) = self.undoing else { return Ok(false) };
        let values = (self.row.user.to_sql(), fingerprint.to_bytes(), undoing, self.change);
        Ok(self.conn.prepare_cached(sql::PLACED_LATER)?.query_row(values, |row| row.get(0))?)
    }

    fn set_confirmed(&self, list: ListKind, fingerprint: Fingerprint, confirmed: bool) -> Db<Effect> {
        let values = (self.row.user.to_sql(), list as u8, fingerprint.to_bytes(), confirmed);
        let changed = self.conn.prepare_cached(sql::SET_CONFIRMED)?.execute(values)?;
        Ok(if changed == 0 { Effect::Nothing } else { Effect::Done })
    }

    /// The notes of what stands on no list any more end.
    fn finish(self) -> Db<()> {
        for fingerprint in &self.removed {
            if !ListKind::ALL.iter().any(|list| self.row.lists.contains(*list, *fingerprint)) {
                self.notes.end(*fingerprint)?;
            }
        }
        notes::prune(self.conn, self.at)
    }
}

fn standing(row: &rusqlite::Row<'_>) -> rusqlite::Result<Standing> {
    Ok(Standing { origin: Origin::from_code(row.get(0)?), created: users::time(row.get(1)?), confirmed: row.get(2)? })
}

/// Whether any entry is a pattern.
pub fn has_globs(lists: &PackedLists) -> bool {
    lists.entries().any(|(_, scope, _)| scope == Scope::Glob)
}
