//! Entries of users: prepared on the caller's thread, applied by the writer, opened for those who may read them.

use std::collections::HashMap;

use rusqlite::{CachedStatement, Connection, ErrorCode};

use super::accounts::{Unlocked, unlock};
use super::change::{Change, Payload, Told};
use super::link::{Db, DbError};
use super::{Shared, sql, users};
use crate::policy::list::{EntryValue, Fingerprint, FingerprintKey, ListKind, MAX_ENTRIES, Scope};
use crate::store::journal::write_edit;
use crate::store::packed::{PackedLists, PackedRow};
use crate::store::seal::{Field, KEY, Opener, Place, Sealer};
use crate::store::{
    Actor, Edit, Effect, Entry, OrganisationId, Origin, Permission, Readable, Result, StoreError, UserId,
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

/// Edits of one user, fingerprinted and sealed: all that costs time and needs no lock.
pub struct Prepared {
    user: UserId,
    organisation: OrganisationId,
    sealer: Sealer,
    edits: Vec<PreparedEdit>,
}

struct PreparedEdit {
    edit: Edit,
    fingerprint: Fingerprint,
    /// Position and sealed value of what is added.
    sealed: (u32, Vec<u8>),
    /// Of a glob that is added.
    pattern: Option<Vec<u8>>,
}

impl Prepared {
    pub fn new(shared: &Shared, user: UserId, keys: &UserKeys, edits: &[Edit]) -> Result<Self> {
        let mut sealer = Sealer::new(&keys.public)?;
        let prepare = |edit: &Edit| prepare(shared, user, keys, &mut sealer, edit);
        let edits = edits.iter().map(prepare).collect::<Result<_>>()?;
        Ok(Self { user, organisation: keys.organisation, sealer, edits })
    }
}

fn prepare(shared: &Shared, user: UserId, keys: &UserKeys, sealer: &mut Sealer, edit: &Edit) -> Result<PreparedEdit> {
    if keys.functional && edit.list() == ListKind::Personal {
        return Err(StoreError::Functional);
    }
    let organisation = keys.organisation;
    let value = edit.value();
    let fingerprint = keys.fingerprint.of(value);
    let Edit::Add(list, _) = edit else {
        return Ok(PreparedEdit { edit: edit.clone(), fingerprint, sealed: (0, Vec::new()), pattern: None });
    };
    let sealed = sealer.seal(&Place { organisation, user, field: Field::Entry }, value.written().as_bytes())?;
    let pattern = match value {
        EntryValue::Glob(pattern) => {
            let place = Place { organisation, user, field: Field::Pattern(*list) };
            Some(shared.wrap.wrap(&place, pattern.as_bytes())?)
        }
        _ => None,
    };
    Ok(PreparedEdit { edit: edit.clone(), fingerprint, sealed, pattern })
}

/// Carries out the edits of one user: entries, packed row, journal, feed.
pub fn apply(change: &mut Change<'_>, actor: &Actor, prepared: Prepared) -> Db<()> {
    let Prepared { user, organisation, mut sealer, edits } = prepared;
    let (mut row, mac) = change.packed(user)?;
    row.revision += 1;
    let batch = row.revision;
    change.run(sql::ADD_BATCH, (user.to_sql(), batch, sealer.ephemeral())).map_err(|error| match error {
        // The revision was used before: the row is an older one, put back.
        DbError::Sql(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            StoreError::Altered(user).into()
        }
        error => error,
    })?;
    let mut payload = zeroize::Zeroizing::new(String::new());
    let mut applying = Applying {
        counts: ListKind::ALL.map(|list| row.lists.len(list)),
        row: &mut row,
        add: change.conn.prepare_cached(sql::ADD_ENTRY)?,
        remove: change.conn.prepare_cached(sql::REMOVE_ENTRY)?,
        actor,
        at: change.at(),
    };
    for edit in &edits {
        let effect = applying.edit(edit)?;
        write_edit(&edit.edit, effect, &mut payload);
    }
    drop(applying);
    change.set_packed(&row, &mac)?;
    let place = Place { organisation, user, field: Field::Journal };
    let (position, sealed) = sealer.seal(&place, payload.as_bytes())?;
    change.log(actor, organisation, "entries", Some(user), Payload::Sealed(batch, position, &sealed))?;
    change.tell(Told::User(user))
}

/// The lists of one user while edits are carried out.
struct Applying<'a> {
    row: &'a mut PackedRow,
    counts: [usize; 3],
    add: CachedStatement<'a>,
    remove: CachedStatement<'a>,
    actor: &'a Actor,
    at: i64,
}

impl Applying<'_> {
    fn edit(&mut self, prepared: &PreparedEdit) -> Db<Effect> {
        let (list, fingerprint) = (prepared.edit.list(), prepared.fingerprint);
        let user = self.row.user.to_sql();
        let count = &mut self.counts[list as usize];
        match &prepared.edit {
            Edit::Remove(..) => {
                if !self.row.lists.remove(list, fingerprint) {
                    return Ok(Effect::Nothing);
                }
                *count -= 1;
                self.remove.execute((user, list as u8, fingerprint.to_bytes()))?;
            }
            Edit::Add(_, value) => {
                if self.row.lists.contains(list, fingerprint) {
                    return Ok(Effect::Nothing);
                }
                if *count >= MAX_ENTRIES {
                    let is_user = *self.actor == Actor::User;
                    return if is_user { Err(StoreError::ListFull(list).into()) } else { Ok(Effect::LeftOut) };
                }
                let scope = value.scope();
                self.row.lists.insert(list, scope, fingerprint);
                *count += 1;
                let (position, sealed) = &prepared.sealed;
                let (list, scope, origin) = (list as u8, scope.code(), Origin::of(self.actor).code());
                let (fingerprint, batch, pattern) = (fingerprint.to_bytes(), self.row.revision, &prepared.pattern);
                let values = (user, list, fingerprint, scope, batch, position, sealed, pattern, origin, self.at);
                self.add.execute(values)?;
            }
        }
        Ok(Effect::Done)
    }
}

pub fn open(
    conn: &Connection,
    shared: &Shared,
    user: UserId,
    wanted: Option<ListKind>,
    permission: &Permission,
) -> Db<Vec<Entry>> {
    let unlocked = unlock(conn, shared, user, permission)?;
    let packed = super::change::packed(conn, user)?.and_then(|(row, mac)| {
        let row = row.filter(|row| shared.rows.is_ours(row, &mac))?;
        Some(row.lists)
    });
    let mut opening = Opening { user, unlocked, packed, openers: HashMap::new() };
    let mut statement = conn.prepare_cached(sql::ENTRIES)?;
    let mut rows = statement.query([user.to_sql()])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(&list) = ListKind::ALL.get(row.get::<_, usize>(0)?) else { continue };
        if wanted.is_none_or(|wanted| wanted == list) {
            let value = opening.value(list, row)?;
            let origin = Origin::from_code(row.get(4)?);
            entries.push(Entry { list, value, origin, created: users::time(row.get(5)?) });
        }
    }
    entries.sort_by_cached_key(|entry| {
        let value = match &entry.value {
            Readable::Value(value) => value.written(),
            Readable::Altered => String::new(),
        };
        (entry.list, value)
    });
    Ok(entries)
}

struct Opening {
    user: UserId,
    unlocked: Unlocked,
    packed: Option<PackedLists>,
    openers: HashMap<u64, Option<Opener>>,
}

impl Opening {
    /// The value of a row, if it is what was sealed, what the row's fingerprint says, and what the relay matches.
    fn value(&mut self, list: ListKind, row: &rusqlite::Row<'_>) -> Db<Readable> {
        let fingerprint = Fingerprint::from_bytes(row.get(1)?);
        let (position, batch): (u32, u64) = (row.get(2)?, row.get(6)?);
        let ephemeral: Option<[u8; KEY]> = row.get(7)?;
        let private = &self.unlocked.private;
        let opener = self
            .openers
            .entry(batch)
            .or_insert_with(|| ephemeral.and_then(|ephemeral| Opener::new(private, &ephemeral).ok()));
        let place = Place { organisation: self.unlocked.organisation, user: self.user, field: Field::Entry };
        let sealed = row.get_ref(3)?.as_blob().map_err(StoreError::internal)?;
        let plain = opener.as_ref().and_then(|opener| opener.open(&place, position, sealed));
        let value: Option<EntryValue> =
            plain.and_then(|plain| std::str::from_utf8(&plain).ok().and_then(|text| text.parse().ok()));
        let is_packed = self.packed.as_ref().is_some_and(|packed| packed.contains(list, fingerprint));
        let genuine = |value: &EntryValue| is_packed && self.unlocked.fingerprint.of(value) == fingerprint;
        Ok(value.filter(genuine).map_or(Readable::Altered, Readable::Value))
    }
}

/// Whether any entry is a pattern.
pub fn has_globs(lists: &PackedLists) -> bool {
    lists.entries().any(|(_, scope, _)| scope == Scope::Glob)
}
