//! `/securite/mot-de-passe`: a password is chosen, or generated.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{PATH, sessions};
use crate::console::alert::{self, Alert};
use crate::console::failure::Failure;
use crate::console::page::{Notice, Page, Place, redirect_with, render};
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::store::{OpenedBy, Password, PasswordError, SecretKind};

/// This page.
const HERE: &str = "/securite/mot-de-passe";

#[derive(Template)]
#[template(path = "security_password.html", config = ".askama.toml")]
struct Choice<'a> {
    page: &'a Page,
    /// One that was generated, to be taken over.
    generated: Option<&'a str>,
}

fn page(visitor: &Visitor, signed_in: &SignedIn) -> Page {
    Page::signed_in(visitor, signed_in, Place::Security, "security-password-title").at(HERE)
}

/// `GET /securite/mot-de-passe`
pub async fn show(visitor: Visitor, signed_in: SignedIn) -> Result<Response, Failure> {
    signed_in.require_fresh(HERE)?;
    let page = page(&visitor, &signed_in);
    Ok(render(&page, &Choice { page: &page, generated: None }))
}

/// `POST /securite/mot-de-passe/generer`: proposes one; nothing is set yet.
pub async fn generate(visitor: Visitor, signed_in: SignedIn) -> Result<Response, Failure> {
    signed_in.require_fresh(HERE)?;
    let page = page(&visitor, &signed_in);
    let generated = Password::generated()?;
    Ok(render(&page, &Choice { page: &page, generated: Some(generated.as_str()) }))
}

/// The form.
#[derive(Deserialize)]
pub struct Chosen {
    mot_de_passe: Zeroizing<String>,
}

/// `POST /securite/mot-de-passe`: the session at hand is unlocked by it, the others end.
pub async fn set(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Form(chosen): Form<Chosen>,
) -> Result<Response, Failure> {
    signed_in.require_fresh(HERE)?;
    let password = match Password::new(&chosen.mot_de_passe, &signed_in.user.address) {
        Ok(password) => password,
        Err(error) => {
            let key = match error {
                PasswordError::Short => "security-password-short",
                PasswordError::Long => "security-password-long",
                PasswordError::Plain => "security-password-plain",
                PasswordError::Address => "security-password-address",
            };
            let page = page(&visitor, &signed_in);
            let text = page.t(key);
            let page = page.with_error("mot_de_passe", text);
            return Ok(render(&page, &Choice { page: &page, generated: None }));
        }
    };
    let (user, permission) = (signed_in.id(), signed_in.permission());
    let key = console.hashing(move |console| {
        console.store.set_password(user, &permission, &password)?;
        console.store.open_with_password(Some(user), password.as_str())
    });
    let key = key.await?;
    alert::tell(&console, user, Alert::Added(SecretKind::Password));
    sessions::end_all_but_this(&console, &signed_in).await?;
    signed_in.confirm(&console, OpenedBy::Password, key).await?;
    Ok(redirect_with(PATH, Notice::good("security-password-set")))
}
