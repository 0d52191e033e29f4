//! `/connexion/mot-de-passe`: address and password.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tower_sessions::Session;
use zeroize::Zeroizing;

use super::ask::Back;
use super::{active, welcome};
use crate::console::failure::Failure;
use crate::console::limits::Way;
use crate::console::page::{Page, render};
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::policy::address::Address;
use crate::store::{OpenedBy, UserId, UserKey};

#[derive(Template)]
#[template(path = "sign_in_password.html", config = ".askama.toml")]
struct SignIn<'a> {
    page: &'a Page,
    address: &'a str,
    back: &'a str,
}

/// `GET /connexion/mot-de-passe`
pub async fn show(visitor: Visitor, Query(back): Query<Back>, signed_in: Result<SignedIn, Failure>) -> Response {
    if signed_in.is_ok() {
        return Redirect::to(back.path()).into_response();
    }
    let page = Page::new(&visitor, "secrets-password-title");
    render(&page, &SignIn { page: &page, address: "", back: back.path() })
}

/// The form.
#[derive(Deserialize)]
pub struct Typed {
    adresse: String,
    mot_de_passe: Zeroizing<String>,
    #[serde(default)]
    retour: Option<String>,
}

/// `POST /connexion/mot-de-passe`: the same answer, at the same cost, whether there is such an account or not.
pub async fn confirm(
    State(console): State<Arc<Console>>,
    session: Session,
    visitor: Visitor,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    console.limits.count(Way::Password, &visitor)?;
    let back = Back { retour: typed.retour };
    let user = active(&console, Address::parse(typed.adresse.trim()).ok()).await?;
    if let Some((user, key)) = open(&console, user, typed.mot_de_passe).await? {
        return welcome(&console, &session, &visitor, user, OpenedBy::Password, Some(key), back.path()).await;
    }
    let page = Page::new(&visitor, "secrets-password-title");
    let wrong = page.t("secrets-password-wrong");
    let page = page.with_error("mot_de_passe", wrong);
    Ok(render(&page, &SignIn { page: &page, address: &typed.adresse, back: back.path() }))
}

/// Tries a password, beside no more others than there is memory for.
///
/// # Errors
/// As of the store.
pub async fn open(
    console: &Arc<Console>,
    user: Option<UserId>,
    password: Zeroizing<String>,
) -> Result<Option<(UserId, UserKey)>, Failure> {
    let key = console.hashing(move |console| console.store.open_with_password(user, &password)).await?;
    Ok(user.zip(key))
}
