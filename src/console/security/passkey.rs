//! `/securite/cle`: a passkey is added. It is the one page that needs scripts.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use serde::Deserialize;

use super::PATH;
use crate::console::alert::{self, Alert};
use crate::console::failure::Failure;
use crate::console::page::{Notice, Page, Place, Tone, redirect_with, render};
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::store::{MAX_LABEL, OpenedBy, SecretKind, StoreError};

/// This page.
const HERE: &str = "/securite/cle";

#[derive(Template)]
#[template(path = "security_passkey.html", config = ".askama.toml")]
struct Passkey<'a> {
    page: &'a Page,
    typed: &'a str,
}

/// `GET /securite/cle`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
) -> Result<Response, Failure> {
    signed_in.require_fresh(HERE)?;
    if !console.passkeys.are_possible() {
        return Err(Failure::NotFound);
    }
    let page = Page::signed_in(&visitor, &signed_in, Place::Security, "security-passkey-title");
    Ok(render(&page, &Passkey { page: &page, typed: visitor.browser_name }))
}

/// `POST /securite/cle/options`: what the browser is asked to make.
pub async fn options(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
) -> Result<Response, Failure> {
    signed_in.require_fresh(HERE)?;
    let user = signed_in.id();
    let existing = console.blocking(move |console| console.store.passkeys(user)).await?;
    let now = (console.clock)();
    let options = console.passkeys.begin_registration(visitor.browser, &signed_in.user, &existing, now);
    Ok(Json(options.ok_or(Failure::NotFound)?).into_response())
}

/// The form, filled by the script.
#[derive(Deserialize)]
pub struct Made {
    nom: String,
    reponse: String,
}

/// `POST /securite/cle`: the session at hand is unlocked by it, if it can.
pub async fn add(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Form(made): Form<Made>,
) -> Result<Response, Failure> {
    signed_in.require_fresh(HERE)?;
    let label = made.nom.trim();
    if label.is_empty() || label.len() > MAX_LABEL || label.chars().any(char::is_control) {
        let page = Page::signed_in(&visitor, &signed_in, Place::Security, "security-passkey-title");
        let text = page.t("security-passkey-name-wrong");
        let page = page.with_error("nom", text);
        return Ok(render(&page, &Passkey { page: &page, typed: &made.nom }));
    }
    let (user, permission, now) = (signed_in.id(), signed_in.permission(), (console.clock)());
    let new = console.passkeys.finish_registration(visitor.browser, user, &made.reponse, label, now);
    let Some(new) = new else {
        return Ok(redirect_with(HERE, Notice::new(Tone::Bad, "security-passkey-failed")));
    };
    let opens = new.prf.is_some();
    let added = console.blocking(move |console| match console.store.add_passkey(user, &permission, &new) {
        // Too many, or registered already.
        Err(StoreError::Invalid(_)) => Ok(None),
        Err(error) => Err(error),
        Ok(id) => console.store.use_passkey(id, &new.state, new.prf.as_ref()).map(Some),
    });
    let Some(key) = added.await? else {
        return Ok(redirect_with(PATH, Notice::new(Tone::Bad, "security-passkey-failed")));
    };
    alert::tell(&console, user, Alert::Added(SecretKind::Passkey));
    signed_in.confirm(&console, OpenedBy::Passkey, key).await?;
    let key = if opens { "security-passkey-added" } else { "security-passkey-added-without" };
    Ok(redirect_with(PATH, Notice::good(key)))
}
