//! `/gestion/compte`: a member's own sessions, and choosing both factors anew.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

use super::{Member, enrol};
use crate::console::failure::Failure;
use crate::console::page::{Notice, Page, redirect_with, render};
use crate::console::session_list::{self, Listed};
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::store::{Holder, SessionId};

const PATH: &str = "/gestion/compte";

#[derive(Template)]
#[template(path = "staff/account.html", config = ".askama.toml")]
struct Account<'a> {
    page: &'a Page,
    member: &'a Member,
    sessions: &'a [Listed],
}

/// `GET /gestion/compte`
pub async fn show(State(console): State<Arc<Console>>, visitor: Visitor, member: Member) -> Result<Response, Failure> {
    let holder = Holder::Staff(member.staff.id);
    let sessions = console.blocking(move |console| console.store.sessions_of(holder)).await?;
    let page = member.page(&visitor, "staff-account-title");
    let sessions = session_list::listed(&page, sessions, member.session);
    Ok(render(&page, &Account { page: &page, member: &member, sessions: &sessions }))
}

/// `POST /gestion/compte/sessions/{id}/terminer`
pub async fn end_one(
    State(console): State<Arc<Console>>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let id: SessionId = id.parse().map_err(|_| Failure::NotFound)?;
    let holder = Holder::Staff(member.staff.id);
    console.blocking(move |console| console.store.end_session_of(holder, id)).await?;
    Ok(redirect_with(PATH, Notice::good("security-session-ended")))
}

/// `POST /gestion/compte/sessions/terminer`: everywhere but here.
pub async fn end_others(State(console): State<Arc<Console>>, member: Member) -> Result<Response, Failure> {
    let (actor, holder, here) = (member.actor(), Holder::Staff(member.staff.id), member.session);
    console.blocking(move |console| console.store.end_sessions_of(&actor, holder, here.as_ref())).await?;
    Ok(redirect_with(PATH, Notice::good("security-sessions-ended")))
}

/// `POST /gestion/compte/renouveler`: as at the first enrolment; the factors of before are good until it is done.
pub async fn renew(State(console): State<Arc<Console>>, visitor: Visitor, member: Member) -> Result<Response, Failure> {
    let (actor, id) = (member.actor(), member.staff.id);
    let begun = console.blocking(move |console| {
        let code = console.store.renew_staff(&actor, id)?;
        Ok((console.store.enrolment(&code)?, code))
    });
    let (enrolment, code) = begun.await?;
    let page = Page::new(&visitor, "staff-enrol-title");
    enrol::factors(&page, &code.to_string(), &enrolment)
}
