//! `/connexion/secours`: address and printed recovery code, which is used up.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tower_sessions::Session;

use super::ask::Back;
use super::{active, welcome};
use crate::console::alert::{self, Alert};
use crate::console::failure::Failure;
use crate::console::limits::Way;
use crate::console::page::{Page, render};
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::policy::address::Address;
use crate::store::{OpenedBy, RecoveryCode};

#[derive(Template)]
#[template(path = "sign_in_recovery.html", config = ".askama.toml")]
struct SignIn<'a> {
    page: &'a Page,
    address: &'a str,
    back: &'a str,
}

/// `GET /connexion/secours`
pub async fn show(visitor: Visitor, Query(back): Query<Back>, signed_in: Result<SignedIn, Failure>) -> Response {
    if signed_in.is_ok() {
        return Redirect::to(back.path()).into_response();
    }
    let page = Page::new(&visitor, "secrets-recovery-title");
    render(&page, &SignIn { page: &page, address: "", back: back.path() })
}

/// The form.
#[derive(Deserialize)]
pub struct Typed {
    adresse: String,
    code: String,
    #[serde(default)]
    retour: Option<String>,
}

/// `POST /connexion/secours`
pub async fn confirm(
    State(console): State<Arc<Console>>,
    session: Session,
    visitor: Visitor,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    console.limits.count(Way::Recovery, &visitor)?;
    let back = Back { retour: typed.retour };
    // What cannot be a code is none, whoever's it would be.
    if let Ok(code) = typed.code.parse::<RecoveryCode>() {
        let user = active(&console, Address::parse(typed.adresse.trim()).ok()).await?;
        let key = console.blocking(move |console| console.store.open_with_recovery_code(user, &code)).await?;
        if let Some((user, key)) = user.zip(key) {
            alert::tell(&console, user, Alert::RecoveryUsed);
            return welcome(&console, &session, &visitor, user, OpenedBy::Recovery, Some(key), back.path()).await;
        }
    }
    let page = Page::new(&visitor, "secrets-recovery-title");
    let wrong = page.t("secrets-recovery-wrong");
    let page = page.with_error("code", wrong);
    Ok(render(&page, &SignIn { page: &page, address: &typed.adresse, back: back.path() }))
}
