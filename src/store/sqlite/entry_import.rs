//! Chunks of files of entries: whose they are, then prepared and applied user by user.

use std::collections::HashMap;

use rusqlite::Connection;

use super::change::Change;
use super::entries::{Prepared, UserKeys, apply, user_keys};
use super::link::{Db, DbError};
use super::{Shared, users};
use crate::policy::address::Address;
use crate::policy::list::ListKind;
use crate::store::{Actor, Edit, ImportEntry, ImportReport, Result, StoreError, UserId};

/// A user of a chunk, with the numbered lines that are theirs.
type ResolvedUser = (UserId, UserKeys, Vec<(u64, Edit)>);

/// A chunk of a file whose users are known.
#[derive(Default)]
pub struct Resolved {
    users: Vec<ResolvedUser>,
    refused: Vec<(u64, StoreError)>,
}

/// Finds the users of a chunk and sorts it by them, which is the order of the tables.
pub fn resolve(conn: &Connection, shared: &Shared, lines: Vec<ImportEntry>) -> Db<Resolved> {
    let mut known: HashMap<Address, Option<UserId>> = HashMap::new();
    let mut resolved = Resolved::default();
    let mut of_users: HashMap<UserId, Vec<(u64, Edit)>> = HashMap::new();
    for ImportEntry { line, user, list, value } in lines {
        let id = match known.get(&user) {
            Some(id) => *id,
            None => {
                let id = users::find(conn, &user)?;
                known.insert(user.clone(), id);
                id
            }
        };
        match id {
            Some(id) => of_users.entry(id).or_default().push((line, Edit::Add(list, value))),
            None => resolved.refused.push((line, StoreError::UnknownUser(user.as_str().to_owned()))),
        }
    }
    for (id, mut edits) in of_users {
        match user_keys(conn, shared, id) {
            Ok(keys) => {
                if keys.functional {
                    refuse_personal(&mut edits, &mut resolved.refused);
                }
                resolved.users.push((id, keys, edits));
            }
            Err(DbError::Store(error)) => refuse(edits.iter().map(|(line, _)| *line), &error, &mut resolved.refused),
            Err(error) => return Err(error),
        }
    }
    resolved.users.sort_by_key(|(id, ..)| *id);
    Ok(resolved)
}

fn refuse_personal(edits: &mut Vec<(u64, Edit)>, refused: &mut Vec<(u64, StoreError)>) {
    edits.retain(|(line, edit)| {
        let personal = edit.list() == ListKind::Personal;
        if personal {
            refused.push((*line, StoreError::Functional));
        }
        !personal
    });
}

fn refuse(lines: impl IntoIterator<Item = u64>, error: &StoreError, refused: &mut Vec<(u64, StoreError)>) {
    refused.extend(lines.into_iter().map(|line| (line, error.clone())));
}

/// A chunk, fingerprinted and sealed.
pub struct Chunk {
    users: Vec<(Vec<u64>, Prepared)>,
    refused: Vec<(u64, StoreError)>,
}

impl Resolved {
    /// Fingerprints and seals.
    pub fn prepare(self, shared: &Shared) -> Result<Chunk> {
        let prepare = |(user, keys, edits): ResolvedUser| {
            let (lines, edits): (Vec<_>, Vec<_>) = edits.into_iter().unzip();
            Ok((lines, Prepared::new(shared, user, &keys, &edits)?))
        };
        let users = self.users.into_iter().filter(|(.., edits)| !edits.is_empty()).map(prepare);
        Ok(Chunk { users: users.collect::<Result<_>>()?, refused: self.refused })
    }
}

impl Chunk {
    pub fn apply(self, change: &mut Change<'_>, actor: &Actor) -> Db<ImportReport> {
        let mut report = ImportReport { accepted: 0, refused: self.refused };
        for (lines, prepared) in self.users {
            // Reading the row is all that can fail for one user alone, and it comes before any writing.
            match apply(change, actor, prepared) {
                Ok(_) => report.accepted += lines.len() as u64,
                Err(DbError::Store(error @ (StoreError::UnknownUser(_) | StoreError::Altered(_)))) => {
                    refuse(lines, &error, &mut report.refused);
                }
                Err(error) => return Err(error),
            }
        }
        report.refused.sort_by_key(|(line, _)| *line);
        Ok(report)
    }
}
