//! `/exploitation/acces`: lists that users let this member of staff read, for a while. Each look is journalled, and the user sees it.
//! Without a grant that is live there is no page, whether or not there is such a user.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

use super::Member;
use crate::console::access::Area;
use crate::console::failure::Failure;
use crate::console::page::{Page, render};
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::policy::list::ListKind;
use crate::store::{Entry, Grant, Permission, Readable, StoreError, User, UserId};

#[derive(Template)]
#[template(path = "staff/granted.html", config = ".askama.toml")]
struct Granted<'a> {
    page: &'a Page,
    member: &'a Member,
    grants: Vec<(User, Grant)>,
}

#[derive(Template)]
#[template(path = "staff/granted_list.html", config = ".askama.toml")]
struct GrantedList<'a> {
    page: &'a Page,
    member: &'a Member,
    user: &'a User,
    list: ListKind,
    /// `None` under a personal lock.
    entries: Option<Vec<Entry>>,
}

/// The key of a list's name.
pub fn list_key(list: &ListKind) -> &'static str {
    match list {
        ListKind::White => "grants-list-white",
        ListKind::Black => "grants-list-black",
        ListKind::Personal => "grants-list-personal",
    }
}

/// `GET /exploitation/acces`
pub async fn list(State(console): State<Arc<Console>>, visitor: Visitor, member: Member) -> Result<Response, Failure> {
    member.must_have(Area::Grants)?;
    let name = member.staff.address.as_str().to_owned();
    let grants = console.blocking(move |console| console.store.grants_to(&name)).await?;
    let page = member.page(&visitor, "staff-granted-title");
    Ok(render(&page, &Granted { page: &page, member: &member, grants }))
}

/// `GET /exploitation/acces/{user}/{list}`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    member: Member,
    Path((user, list)): Path<(String, String)>,
) -> Result<Response, Failure> {
    member.must_have(Area::Grants)?;
    let user = u64::from_str_radix(&user, 16).ok().and_then(UserId::new).ok_or(Failure::NotFound)?;
    let list: ListKind = list.parse().map_err(|_| Failure::NotFound)?;
    let grantee = member.staff.address.as_str().to_owned();
    let read = move |console: &Console| {
        // The same question whether or not there is such a user.
        if !console.store.is_granted(user, &grantee, list)? {
            return Ok(None);
        }
        let entries = match console.store.read_entries(user, Some(list), &Permission::Grant { grantee }) {
            Err(StoreError::UserLocked) => None,
            entries => Some(entries?),
        };
        Ok(Some((console.store.user(user)?, entries)))
    };
    let (user, entries) = console.blocking(read).await?.ok_or(Failure::NotFound)?;
    let page = member.page(&visitor, "staff-granted-list-title");
    Ok(render(&page, &GrantedList { page: &page, member: &member, user: &user, list, entries }))
}
