//! `/gestion/utilisateurs`: users' accounts. Nothing here, nor how long it takes, depends on what stands on a list.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::{Manager, Member};
use crate::console::failure::Failure;
use crate::console::page::{Notice, Page, redirect_with, render};
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::policy::address::Address;
use crate::store::{Holder, NewUser, Organisation, StoreError, User, UserId, UserKind, UserStatus};

/// Users of one page.
const SHOWN: usize = 50;
const PATH: &str = "/gestion/utilisateurs";

#[derive(Template)]
#[template(path = "staff/users.html", config = ".askama.toml")]
struct Users<'a> {
    page: &'a Page,
    member: &'a Member,
    search: &'a str,
    typed: &'a str,
    users: Vec<User>,
    /// Behind whom the next page begins.
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "staff/user.html", config = ".askama.toml")]
struct OneUser<'a> {
    page: &'a Page,
    member: &'a Member,
    user: &'a User,
}

/// What is searched for, and where the page begins.
#[derive(Deserialize, Default)]
pub struct Search {
    #[serde(default)]
    q: String,
    #[serde(default)]
    apres: Option<String>,
}

/// `GET /gestion/utilisateurs`
pub async fn list(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    manager: Manager,
    Query(search): Query<Search>,
) -> Result<Response, Failure> {
    let page = manager.member.page(&visitor, "staff-users-title");
    written(&console, &page, &manager, search, "").await
}

async fn written(
    console: &Arc<Console>,
    page: &Page,
    manager: &Manager,
    search: Search,
    typed: &str,
) -> Result<Response, Failure> {
    let after = search.apres.as_deref().and_then(|text| Address::parse(text).ok());
    let (id, begins) = (manager.organisation.id, search.q.clone());
    let find = move |console: &Console| console.store.find_users(id, &begins, after.as_ref(), SHOWN + 1);
    let mut users = console.blocking(find).await?;
    let has_more = users.len() > SHOWN;
    users.truncate(SHOWN);
    let next = users.last().filter(|_| has_more).map(|user| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("q", &search.q).append_pair("apres", user.address.as_str()).finish()
    });
    Ok(render(page, &Users { page, member: &manager.member, search: &search.q, typed, users, next }))
}

/// The form of a new user.
#[derive(Deserialize)]
pub struct Typed {
    adresse: String,
}

/// Whether a manager may give somebody this address: its domain is the organisation's own.
pub fn is_own(organisation: &Organisation, address: &Address) -> bool {
    organisation.domains.iter().any(|domain| domain.as_str() == address.domain())
}

/// `POST /gestion/utilisateurs`
pub async fn add(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    manager: Manager,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    let page = manager.member.page(&visitor, "staff-users-title");
    let added = match Address::parse(typed.adresse.trim()) {
        Err(_) => Err("staff-users-wrong"),
        Ok(address) if !is_own(&manager.organisation, &address) => Err("staff-users-foreign"),
        Ok(address) => {
            let user = NewUser { address, aliases: Vec::new(), kind: UserKind::Person };
            let actor = manager.member.actor();
            let add = move |console: &Console| match console.store.add_user(&actor, &user) {
                Err(StoreError::AddressTaken(_)) => Ok(Err("staff-users-taken")),
                Err(StoreError::ForeignAddress(_) | StoreError::ForeignDomain(_)) => Ok(Err("staff-users-foreign")),
                added => added.map(Ok),
            };
            console.blocking(add).await?
        }
    };
    match added {
        Ok(user) => Ok(redirect_with(&format!("{PATH}/{user}"), Notice::good("staff-users-added"))),
        Err(key) => {
            let text = page.t(key);
            let page = page.with_error("adresse", text);
            written(&console, &page, &manager, Search::default(), &typed.adresse).await
        }
    }
}

/// The user of a path, if it is one of the manager's organisation.
async fn named(console: &Arc<Console>, manager: &Manager, path: &str) -> Result<User, Failure> {
    let id = u64::from_str_radix(path, 16).ok().and_then(UserId::new).ok_or(Failure::NotFound)?;
    let user = console.blocking(move |console| console.store.user(id)).await?;
    if user.organisation == manager.organisation.id { Ok(user) } else { Err(Failure::NotFound) }
}

/// `GET /gestion/utilisateurs/{user}`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    manager: Manager,
    Path(user): Path<String>,
) -> Result<Response, Failure> {
    let user = named(&console, &manager, &user).await?;
    let page = manager.member.page(&visitor, "staff-user-title");
    Ok(render(&page, &OneUser { page: &page, member: &manager.member, user: &user }))
}

/// `POST /gestion/utilisateurs/{user}/desactiver`
pub async fn disable(
    State(console): State<Arc<Console>>,
    manager: Manager,
    Path(user): Path<String>,
) -> Result<Response, Failure> {
    let user = named(&console, &manager, &user).await?.id;
    let actor = manager.member.actor();
    let work = move |console: &Console| {
        console.store.set_user_status(&actor, user, UserStatus::Disabled)?;
        console.store.end_sessions_of(&actor, Holder::User(user), None)
    };
    console.blocking(work).await?;
    Ok(redirect_with(&format!("{PATH}/{user}"), Notice::good("staff-user-disabled")))
}

/// `POST /gestion/utilisateurs/{user}/activer`
pub async fn enable(
    State(console): State<Arc<Console>>,
    manager: Manager,
    Path(user): Path<String>,
) -> Result<Response, Failure> {
    let user = named(&console, &manager, &user).await?.id;
    let actor = manager.member.actor();
    console.blocking(move |console| console.store.set_user_status(&actor, user, UserStatus::Active)).await?;
    Ok(redirect_with(&format!("{PATH}/{user}"), Notice::good("staff-user-enabled")))
}

/// `POST /gestion/utilisateurs/{user}/sessions/terminer`: of a lost device. How many there were is not told.
pub async fn end_sessions(
    State(console): State<Arc<Console>>,
    manager: Manager,
    Path(user): Path<String>,
) -> Result<Response, Failure> {
    let user = named(&console, &manager, &user).await?.id;
    let actor = manager.member.actor();
    console.blocking(move |console| console.store.end_sessions_of(&actor, Holder::User(user), None)).await?;
    Ok(redirect_with(&format!("{PATH}/{user}"), Notice::good("staff-user-sessions-ended")))
}
