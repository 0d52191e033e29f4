//! `/acces`: a user lets an operator read one list for a while, sees whether it was looked at, and takes it back.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;

use super::failure::Failure;
use super::page::{Notice, Page, Place, redirect_with, render};
use super::session::SignedIn;
use super::staff::granted::list_key;
use super::state::Console;
use super::visitor::Visitor;
use crate::policy::list::ListKind;
use crate::store::{Grant, LockState, Role, Staff, StaffStatus, Store, StoreError};

/// For how many hours a grant may be given.
const HOURS: [u64; 3] = [1, 4, 24];
const PATH: &str = "/acces";

#[derive(Template)]
#[template(path = "grants.html", config = ".askama.toml")]
struct Grants<'a> {
    page: &'a Page,
    /// Who may be let in.
    people: Vec<Staff>,
    grants: Vec<Grant>,
    hours: [u64; HOURS.len()],
    /// Whether the personal lock is on: then nobody can be let in.
    locked: bool,
    now: Timestamp,
}

impl Grants<'_> {
    fn is_live(&self, grant: &Grant) -> bool {
        grant.revoked.is_none() && grant.expires > self.now
    }

    fn list_key(&self, list: &ListKind) -> &'static str {
        list_key(list)
    }
}

/// Who may be let in: the operators. Managers are the employer, and are not.
fn people(store: &dyn Store) -> Result<Vec<Staff>, StoreError> {
    let all = store.all_staff()?.into_iter();
    Ok(all.filter(|staff| staff.status == StaffStatus::Active && staff.role == Role::Operator).collect())
}

/// `GET /acces`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
) -> Result<Response, Failure> {
    let page = Page::signed_in(&visitor, &signed_in, Place::Elsewhere, "grants-title");
    let user = signed_in.id();
    let read = move |console: &Console| {
        let store = &*console.store;
        Ok((people(store)?, store.grants(user)?, store.lock_state(user)? == LockState::On))
    };
    let (people, grants, locked) = console.blocking(read).await?;
    let now = (console.clock)();
    Ok(render(&page, &Grants { page: &page, people, grants, hours: HOURS, locked, now }))
}

/// The form.
#[derive(Deserialize)]
pub struct Typed {
    personne: String,
    liste: String,
    heures: u64,
}

/// `POST /acces`
pub async fn give(
    State(console): State<Arc<Console>>,
    signed_in: SignedIn,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    signed_in.require_fresh(PATH)?;
    let list: ListKind = typed.liste.parse().map_err(|_| Failure::Malformed)?;
    let hours = HOURS.into_iter().find(|hours| *hours == typed.heures).ok_or(Failure::Malformed)?;
    let (user, permission, person) = (signed_in.id(), signed_in.permission(), typed.personne);
    let name = person.clone();
    let give = move |console: &Console| {
        let store = &*console.store;
        // Under a closed lock a session may not let anybody in; and a grant would open nothing.
        store.check_permission(user, &permission)?;
        let is_known = people(store)?.iter().any(|staff| staff.address.as_str() == person);
        if !is_known || store.lock_state(user)? == LockState::On {
            return Ok(false);
        }
        store.issue_grant(user, &person, list, Duration::from_secs(hours * 3600)).map(|_| true)
    };
    if !console.blocking(give).await? {
        return Err(Failure::Malformed);
    }
    Ok(redirect_with(PATH, Notice::good("grants-given").with("name", name)))
}

/// `POST /acces/{grant}/retirer`
pub async fn revoke(
    State(console): State<Arc<Console>>,
    signed_in: SignedIn,
    Path(grant): Path<String>,
) -> Result<Response, Failure> {
    let user = signed_in.id();
    let revoke = move |console: &Console| {
        let given = console.store.grants(user)?;
        match given.iter().find(|known| known.id.to_string() == grant) {
            Some(known) => console.store.revoke_grant(user, known.id).map(|()| true),
            None => Ok(false),
        }
    };
    if !console.blocking(revoke).await? {
        return Err(Failure::NotFound);
    }
    Ok(redirect_with(PATH, Notice::good("grants-revoked")))
}
