//! `/gestion/connexion`: address, password and code of the second factor, asked for and answered together, so that no answer
//! tells which of them was right.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tower_sessions::Session;
use zeroize::Zeroizing;

use super::Member;
use crate::console::failure::Failure;
use crate::console::limits::Way;
use crate::console::page::{Notice, Page, redirect_with, render};
use crate::console::session;
use crate::console::sign_in::ask::Back;
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::policy::address::Address;
use crate::store::{Holder, OpenedBy, Role, StoreError};

#[derive(Template)]
#[template(path = "staff/sign_in.html", config = ".askama.toml")]
struct SignIn<'a> {
    page: &'a Page,
    address: &'a str,
    back: &'a str,
}

/// `GET /gestion/connexion`
pub async fn show(visitor: Visitor, Query(back): Query<Back>, member: Result<Member, Failure>) -> Response {
    if let Ok(member) = member {
        return Redirect::to(member.home()).into_response();
    }
    let page = Page::new(&visitor, "staff-sign-in-title");
    render(&page, &SignIn { page: &page, address: "", back: back.path() })
}

/// The form.
#[derive(Deserialize)]
pub struct Typed {
    adresse: String,
    mot_de_passe: Zeroizing<String>,
    code: String,
    #[serde(default)]
    retour: Option<String>,
}

/// `POST /gestion/connexion`
pub async fn confirm(
    State(console): State<Arc<Console>>,
    session: Session,
    visitor: Visitor,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    let back = Back { retour: typed.retour };
    let refused = || {
        let page = Page::new(&visitor, "staff-sign-in-title");
        let text = page.t("staff-sign-in-refused");
        let page = page.with_error("adresse", text);
        Ok(render(&page, &SignIn { page: &page, address: &typed.adresse, back: back.path() }))
    };
    let Ok(address) = Address::parse(typed.adresse.trim()) else { return refused() };
    let (password, code) = (typed.mot_de_passe, typed.code);
    console.limits.count(Way::Staff, &visitor)?;
    let tried = console.hashing(move |console| match console.store.staff_sign_in(&address, &password, &code) {
        Err(StoreError::SignInRefused) => Ok(None),
        Ok(id) => console.store.staff(id).map(Some),
        Err(error) => Err(error),
    });
    let Some(staff) = tried.await? else { return refused() };
    session::open_for(&console, &session, &visitor, Holder::Staff(staff.id), OpenedBy::Staff, None).await?;
    let home = match staff.role {
        Role::Manager(_) => "/gestion",
        Role::Operator => "/exploitation",
    };
    let path = Some(back.path()).filter(|path| *path != "/" && *path != "/gestion").unwrap_or(home);
    Ok(redirect_with(path, Notice::good("staff-sign-in-welcome")))
}
