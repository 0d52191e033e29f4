//! Fills a store with the users of the workload, by the same way as files are imported.

use std::collections::VecDeque;

use super::workload::{ALIAS_DOMAIN, DOMAIN, ORGANISATION, People};
use crate::policy::address::{Address, AddressError, Domain};
use crate::policy::list::EntryValue;
use crate::store::{Actor, ImportEntry, ImportReport, ImportUser, NewUser, Store, StoreError, Ticket, UserKind};

/// Lines handed to the store at once.
const CHUNK: usize = 100_000;

/// Why a store is not filled.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// It was filled before, or another organisation is called so.
    #[error(
        "the store has an organisation {ORGANISATION} already; remove it (perso-milter org remove {ORGANISATION} \
         --with-users), or name another store"
    )]
    Taken,
    /// The store did not take what is ours.
    #[error("user {0} of the workload: {1}")]
    Refused(u64, StoreError),
    /// The store's state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A defect of ours.
    #[error("the workload: {0}")]
    Workload(String),
}

/// What is being put into the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Users and their addresses.
    Users,
    /// Entries of their lists.
    Entries,
}

/// Adds the organisation, its users and their entries; `done` is told after each chunk how much there is now.
///
/// # Errors
/// [`SeedError`]. What was added before stays: remove the organisation.
pub fn seed(store: &dyn Store, actor: &Actor, people: &People, done: &dyn Fn(Step, u64)) -> Result<(), SeedError> {
    let domains = [DOMAIN, ALIAS_DOMAIN].map(Domain::parse);
    let domains = domains.into_iter().collect::<Result<Vec<_>, AddressError>>().map_err(workload)?;
    match store.add_organisation(actor, ORGANISATION, &domains) {
        Err(StoreError::OrganisationTaken(_) | StoreError::DomainTaken { .. }) => return Err(SeedError::Taken),
        added => added?,
    };
    let mut users = (0..people.users()).map(user_line);
    in_chunks(&mut users, &|lines| store.import_users(actor, lines), &|count| done(Step::Users, count))?;
    let order = in_table_order(store, people)?;
    let mut entries = order.into_iter().flat_map(|user| {
        people.entries(user).map(move |(list, text)| {
            let value: EntryValue = text.parse().map_err(workload)?;
            Ok(ImportEntry { line: u64::from(user), user: address(user)?, list, value })
        })
    });
    in_chunks(&mut entries, &|lines| store.import_entries(actor, lines), &|count| done(Step::Entries, count))
}

fn workload(error: impl std::fmt::Display) -> SeedError {
    SeedError::Workload(error.to_string())
}

fn address(user: u32) -> Result<Address, SeedError> {
    Address::parse(&People::address(user)).map_err(workload)
}

fn user_line(user: u32) -> Result<ImportUser, SeedError> {
    let aliases = vec![Address::parse(&People::alias(user)).map_err(workload)?];
    let new = NewUser { address: address(user)?, aliases, kind: UserKind::Person };
    Ok(ImportUser { line: u64::from(user), user: new, organisation: None })
}

/// The users by their ids, which are random: the entries of millions are then written from the front of their table to its
/// end, and not all over it.
fn in_table_order(store: &dyn Store, people: &People) -> Result<Vec<u32>, SeedError> {
    let mut order = Vec::with_capacity(people.users() as usize);
    for user in 0..people.users() {
        order.push((store.user_id(&address(user)?)?, user));
    }
    order.sort_unstable();
    Ok(order.into_iter().map(|(_, user)| user).collect())
}

/// Hands lines over; one chunk is made and sealed while the one before is written.
fn in_chunks<T>(
    lines: &mut dyn Iterator<Item = Result<T, SeedError>>,
    hand_over: &dyn Fn(Vec<T>) -> Result<Ticket<ImportReport>, StoreError>,
    done: &dyn Fn(u64),
) -> Result<(), SeedError> {
    let mut pending: VecDeque<Ticket<ImportReport>> = VecDeque::new();
    let mut accepted = 0;
    loop {
        let chunk: Vec<T> = lines.take(CHUNK).collect::<Result<_, _>>()?;
        let is_last = chunk.is_empty();
        if !is_last {
            pending.push_back(hand_over(chunk)?);
        }
        while pending.len() > usize::from(!is_last) {
            let Some(ticket) = pending.pop_front() else { break };
            let report = ticket.wait()?;
            if let Some((line, error)) = report.refused.into_iter().next() {
                return Err(SeedError::Refused(line, error));
            }
            accepted += report.accepted;
            done(accepted);
        }
        if is_last {
            return Ok(());
        }
    }
}
