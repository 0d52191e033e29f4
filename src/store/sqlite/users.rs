//! Users and their addresses.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use zeroize::Zeroizing;

use super::change::{Change, Payload, Told, packed};
use super::link::{Db, DbError};
use super::{organisations, shared_addresses, sql};
use crate::language::Language;
use crate::policy::address::Address;
use crate::policy::list::UserOptions;
use crate::store::packed::{PackedLists, PackedRow};
use crate::store::seal::{self, KEY, PrivateKeySealer};
use crate::store::{
    Actor, ImportReport, ImportUser, MAX_ALIASES, NewUser, OrganisationId, Result, StoreError, User, UserId, UserKind,
    UserStatus, keys,
};

const PRIMARY: u8 = 0;
const ALIAS: u8 = 1;

/// A time as the store keeps it.
pub fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A user to be, with a fresh id and key pair: the costly part, done before the change.
pub struct Keyed {
    user: NewUser,
    id: UserId,
    private: Zeroizing<[u8; KEY]>,
    public: [u8; KEY],
}

impl Keyed {
    pub fn new(user: NewUser) -> Result<Self> {
        if user.aliases.len() > MAX_ALIASES {
            return Err(too_many_aliases());
        }
        let (private, public) = seal::key_pair()?;
        let id = UserId::from_sql(i64::from_be_bytes(keys::random()?));
        Ok(Self { user, id, private, public })
    }
}

fn too_many_aliases() -> StoreError {
    StoreError::Invalid(format!("a user has at most {MAX_ALIASES} aliases"))
}

/// A line of a file with its user, or why it is none.
pub type KeyedLine = (u64, Option<String>, Result<Keyed>);

/// Makes the keys of a chunk.
pub fn key_all(lines: Vec<ImportUser>) -> Result<Vec<KeyedLine>> {
    Ok(lines.into_iter().map(|line| (line.line, line.organisation, Keyed::new(line.user))).collect())
}

pub fn import(change: &mut Change<'_>, actor: &Actor, lines: Vec<KeyedLine>) -> Db<ImportReport> {
    let mut report = ImportReport::default();
    let mut sealer = PrivateKeySealer::new(&change.seal_public)?;
    for (line, organisation, keyed) in lines {
        match keyed.map_err(DbError::from).and_then(|keyed| {
            check_organisation(change.conn, &keyed.user.address, organisation.as_deref())?;
            add(change, actor, &keyed, &mut sealer)
        }) {
            Ok(_) => report.accepted += 1,
            // `add` writes only after its checks: nothing of a refused line is left.
            Err(DbError::Store(error)) => report.refused.push((line, error)),
            Err(error) => return Err(error),
        }
    }
    Ok(report)
}

fn check_organisation(conn: &Connection, address: &Address, named: Option<&str>) -> Db<()> {
    let Some(named) = named else { return Ok(()) };
    match organisations::owner(conn, address.domain())? {
        Some((_, organisation)) if organisation != named => {
            Err(StoreError::DomainTaken { domain: address.domain().to_owned(), organisation }.into())
        }
        _ => Ok(()),
    }
}

/// Adds a user whose keys are made. Everything is checked before anything is written.
pub fn add(change: &mut Change<'_>, actor: &Actor, keyed: &Keyed, sealer: &mut PrivateKeySealer) -> Db<UserId> {
    let Keyed { user, id, private, public } = keyed;
    let domain = user.address.domain();
    let (organisation, _) =
        organisations::owner(change.conn, domain)?.ok_or_else(|| StoreError::DomainNotServed(domain.to_owned()))?;
    let mut addresses = vec![&user.address];
    for alias in &user.aliases {
        if addresses.contains(&alias) {
            return Err(StoreError::AddressTaken(alias.as_str().to_owned()).into());
        }
        addresses.push(alias);
    }
    for address in &addresses {
        check_address(change.conn, address, organisation)?;
    }
    let functional = user.kind == UserKind::Functional;
    let options = UserOptions { functional, ..UserOptions::default() };
    let private = sealer.seal(organisation, *id, private)?;
    let kind = u8::from(functional);
    let values = (id.to_sql(), organisation.get(), kind, options.to_bits(), public, private, change.at());
    change.run(sql::ADD_USER, values)?;
    for (index, address) in addresses.iter().enumerate() {
        let kind = if index == 0 { PRIMARY } else { ALIAS };
        change.run(sql::ADD_ADDRESS, (address.as_str(), id.to_sql(), kind))?;
    }
    let fingerprint_key = change.shared.wrap.new_fingerprint_key(organisation, *id)?;
    let lists = PackedLists::default();
    change.add_packed(&PackedRow { user: *id, organisation, options, revision: 0, fingerprint_key, lists })?;
    change.log(actor, organisation, "user-added", Some(*id), Payload::None)?;
    change.tell(Told::User(*id))?;
    Ok(*id)
}

/// A domain that nobody serves is that of a host behind the relay, or of another mailbox of the user's.
fn check_address(conn: &Connection, address: &Address, organisation: OrganisationId) -> Db<()> {
    let domain = address.domain();
    if organisations::owner(conn, domain)?.is_some_and(|(owner, _)| owner != organisation) {
        return Err(StoreError::ForeignDomain(domain.to_owned()).into());
    }
    let shared_in = shared_addresses::organisation_of(conn, address)?;
    if shared_in.is_some_and(|owner| owner != organisation) {
        return Err(StoreError::ForeignAddress(address.as_str().to_owned()).into());
    }
    if find(conn, address)?.is_some() {
        return Err(StoreError::AddressTaken(address.as_str().to_owned()).into());
    }
    Ok(())
}

/// The user who has an address.
pub fn find(conn: &Connection, address: &Address) -> Db<Option<UserId>> {
    let found = conn.prepare_cached(sql::ADDRESS_USER)?.query_row([address.as_str()], |row| row.get(0)).optional()?;
    Ok(found.map(UserId::from_sql))
}

pub fn id(conn: &Connection, address: &Address) -> Db<UserId> {
    Ok(find(conn, address)?.ok_or_else(|| StoreError::UnknownUser(address.as_str().to_owned()))?)
}

fn unknown(user: UserId) -> StoreError {
    StoreError::UnknownUser(user.to_string())
}

pub fn show(conn: &Connection, id: UserId) -> Db<User> {
    let mut statement = conn.prepare_cached(sql::USER)?;
    let mut rows = statement.query([id.to_sql()])?;
    let row = rows.next()?.ok_or_else(|| unknown(id))?;
    let (address, aliases) = addresses(conn, id)?;
    Ok(User {
        id,
        organisation: OrganisationId::new(row.get(0)?),
        status: if row.get::<_, i64>(1)? == 0 { UserStatus::Active } else { UserStatus::Disabled },
        kind: if row.get::<_, i64>(2)? == 0 { UserKind::Person } else { UserKind::Functional },
        options: UserOptions::from_bits(row.get(3)?),
        created: time(row.get(4)?),
        shared: shared_addresses::of_user(conn, id)?,
        address: address.ok_or_else(|| StoreError::internal("a user without a primary address"))?,
        aliases,
    })
}

fn addresses(conn: &Connection, user: UserId) -> Db<(Option<Address>, Vec<Address>)> {
    let mut statement = conn.prepare_cached(sql::ADDRESSES)?;
    let mut rows = statement.query([user.to_sql()])?;
    let (mut primary, mut aliases) = (None, Vec::new());
    while let Some(row) = rows.next()? {
        let Ok(address) = Address::parse(row.get_ref(1)?.as_str().map_err(StoreError::internal)?) else { continue };
        if row.get::<_, u8>(0)? == PRIMARY { primary = Some(address) } else { aliases.push(address) }
    }
    Ok((primary, aliases))
}

/// What users of an organisation chose apart from it, each choice once.
pub fn choices(conn: &Connection, organisation: OrganisationId) -> Db<Vec<UserOptions>> {
    let mut statement = conn.prepare_cached(sql::USER_CHOICES)?;
    let bits: Vec<u32> =
        statement.query_map([organisation.get()], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(bits.into_iter().map(UserOptions::from_bits).collect())
}

pub fn page(
    conn: &Connection,
    organisation: Option<OrganisationId>,
    after: Option<&Address>,
    limit: usize,
) -> Db<Vec<User>> {
    let after = after.map_or("", Address::as_str);
    let read = |row: &rusqlite::Row<'_>| row.get(0).map(UserId::from_sql);
    let ids: Vec<UserId> = match organisation {
        Some(id) => conn
            .prepare_cached(sql::ORGANISATION_USERS_AFTER)?
            .query_map((after, limit, id.get()), read)?
            .collect::<rusqlite::Result<_>>()?,
        None => {
            conn.prepare_cached(sql::USERS_AFTER)?.query_map((after, limit), read)?.collect::<rusqlite::Result<_>>()?
        }
    };
    ids.into_iter().map(|id| show(conn, id)).collect()
}

/// The highest character: no address that begins with a text sorts behind the text and this.
const LAST: char = char::MAX;

/// A page of the users of an organisation one of whose addresses begins with a text.
pub fn beginning(
    conn: &Connection,
    organisation: OrganisationId,
    begins: &str,
    after: Option<&Address>,
    limit: usize,
) -> Db<Vec<User>> {
    let begins = begins.trim().to_lowercase();
    if begins.is_empty() {
        return page(conn, Some(organisation), after, limit);
    }
    let values = (&begins, format!("{begins}{LAST}"), organisation.get(), after.map_or("", Address::as_str), limit);
    let mut statement = conn.prepare_cached(sql::USERS_BEGINNING)?;
    let ids: Vec<UserId> =
        statement.query_map(values, |row| row.get(0).map(UserId::from_sql))?.collect::<rusqlite::Result<_>>()?;
    ids.into_iter().map(|id| show(conn, id)).collect()
}

/// That there is such a user.
pub fn require(conn: &Connection, id: UserId) -> Db<()> {
    if !conn.prepare_cached(sql::USER_EXISTS)?.exists([id.to_sql()])? {
        return Err(unknown(id).into());
    }
    Ok(())
}

/// The users of an organisation.
pub fn of_organisation(conn: &Connection, id: OrganisationId) -> Db<Vec<UserId>> {
    let mut statement = conn.prepare_cached(sql::ORGANISATION_USER_IDS)?;
    let ids = statement.query_map([id.get()], |row| row.get(0).map(UserId::from_sql))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

pub fn set_options(change: &mut Change<'_>, actor: &Actor, id: UserId, options: UserOptions) -> Db<()> {
    let user = show(change.conn, id)?;
    if options.functional != (user.kind == UserKind::Functional) {
        let why = "what a mailbox is stays as it was declared; remove the user and add it anew";
        return Err(StoreError::Invalid(why.to_owned()).into());
    }
    if options.activity != user.options.activity && *actor != Actor::User {
        return Err(StoreError::NotPermitted.into());
    }
    change.run(sql::SET_OPTIONS, (id.to_sql(), options.to_bits()))?;
    repack(change, &user, options, user.status)?;
    change.log(actor, user.organisation, "options", Some(id), Payload::None)?;
    change.tell(Told::User(id))
}

pub fn set_status(change: &mut Change<'_>, actor: &Actor, id: UserId, status: UserStatus) -> Db<()> {
    let user = show(change.conn, id)?;
    let (code, kind) = match status {
        UserStatus::Active => (0, "enabled"),
        UserStatus::Disabled => (1, "disabled"),
    };
    change.run(sql::SET_STATUS, (id.to_sql(), code))?;
    repack(change, &user, user.options, status)?;
    change.log(actor, user.organisation, kind, Some(id), Payload::None)?;
    change.tell(Told::User(id))
}

/// A disabled account is one whose lists are paused, as far as the relay is concerned.
fn repack(change: &mut Change<'_>, user: &User, options: UserOptions, status: UserStatus) -> Db<()> {
    let (mut row, mac) = change.packed(user.id)?;
    row.options = UserOptions { paused: options.paused || status == UserStatus::Disabled, ..options };
    row.revision += 1;
    change.set_packed(&row, &mac)
}

pub fn remove(change: &mut Change<'_>, actor: &Actor, id: UserId) -> Db<()> {
    let user = show(change.conn, id)?;
    // An altered row can be removed: that is the way out.
    if let Some((_, mac)) = packed(change.conn, id)? {
        change.forget_share(id, &mac);
    }
    change.run(sql::FORGET_PAYLOADS, [id.to_sql()])?;
    change.run(sql::REMOVE_USER, [id.to_sql()])?;
    change.erased();
    for address in std::iter::once(&user.address).chain(&user.aliases) {
        change.tell(Told::Address(change.shared.hasher.of(address), id))?;
    }
    change.log(actor, user.organisation, "user-removed", Some(id), Payload::None)?;
    change.tell(Told::User(id))
}

pub fn add_alias(change: &mut Change<'_>, actor: &Actor, id: UserId, alias: &Address) -> Db<()> {
    let user = show(change.conn, id)?;
    check_address(change.conn, alias, user.organisation)?;
    if user.aliases.len() >= MAX_ALIASES {
        return Err(too_many_aliases().into());
    }
    change.run(sql::ADD_ADDRESS, (alias.as_str(), id.to_sql(), ALIAS))?;
    change.log(actor, user.organisation, "alias-added", Some(id), Payload::None)?;
    change.tell(Told::User(id))
}

pub fn remove_alias(change: &mut Change<'_>, actor: &Actor, id: UserId, alias: &Address) -> Db<()> {
    let user = show(change.conn, id)?;
    if change.run(sql::REMOVE_ALIAS, (alias.as_str(), id.to_sql()))? == 0 {
        return Err(StoreError::UnknownAlias(alias.as_str().to_owned()).into());
    }
    change.log(actor, user.organisation, "alias-removed", Some(id), Payload::None)?;
    change.tell(Told::Address(change.shared.hasher.of(alias), id))
}

/// The language that a user chose, if any.
pub fn language(conn: &Connection, id: UserId) -> Db<Option<Language>> {
    let found: Option<String> =
        conn.prepare_cached(sql::USER_LANGUAGE)?.query_row([id.to_sql()], |row| row.get(0)).optional()?;
    Ok(found.and_then(|code| code.parse().ok()))
}

pub fn set_language(change: &mut Change<'_>, id: UserId, language: Language) -> Db<()> {
    show(change.conn, id)?;
    change.run(sql::SET_USER_LANGUAGE, (id.to_sql(), language.code())).map(drop)
}
