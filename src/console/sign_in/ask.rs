//! `/connexion`: the address is typed, and a message with a link and a code goes to it.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::may_be_made;
use super::message::SignInMessage;
use crate::console::failure::Failure;
use crate::console::language::own_path;
use crate::console::limits::Way;
use crate::console::page::{Page, render};
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::console::text;
use crate::console::visitor::Visitor;
use crate::policy::address::Address;
use crate::store::{StoreError, UserStatus};

#[derive(Template)]
#[template(path = "sign_in.html", config = ".askama.toml")]
struct SignIn<'a> {
    page: &'a Page,
    address: &'a str,
    back: &'a str,
    /// Whether a session ended that the visitor had.
    ended: bool,
    /// Whether browsers have passkeys for this console.
    passkeys: bool,
}

/// Where to go on after signing in.
#[derive(Deserialize)]
pub struct Back {
    #[serde(default)]
    pub retour: Option<String>,
}

impl Back {
    /// A path of ours.
    pub fn path(&self) -> &str {
        self.retour.as_deref().map_or("/", own_path)
    }
}

/// `GET /connexion`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Query(back): Query<Back>,
    signed_in: Result<SignedIn, Failure>,
) -> Result<Response, Failure> {
    if signed_in.is_ok() {
        return Ok(Redirect::to(back.path()).into_response());
    }
    let page = Page::new(&visitor, "sign-in-title");
    let ended = back.retour.is_some();
    Ok(render(
        &page,
        &SignIn { page: &page, address: "", back: back.path(), ended, passkeys: console.passkeys.are_possible() },
    ))
}

/// The form.
#[derive(Deserialize)]
pub struct Asked {
    adresse: String,
    #[serde(default)]
    retour: Option<String>,
}

/// `POST /connexion`: the same answer, as quick, for every address.
pub async fn send(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Form(asked): Form<Asked>,
) -> Result<Response, Failure> {
    console.limits.count(Way::Message, &visitor)?;
    let back = Back { retour: asked.retour };
    let Ok(address) = Address::parse(asked.adresse.trim()) else {
        let page = Page::new(&visitor, "sign-in-title");
        let wrong = text::t(visitor.language, "sign-in-address-wrong");
        let page = page.with_error("adresse", wrong);
        let form = SignIn {
            page: &page,
            address: &asked.adresse,
            back: back.path(),
            ended: false,
            passkeys: console.passkeys.are_possible(),
        };
        return Ok(render(&page, &form));
    };
    let browser = visitor.browser;
    let begun = address.clone();
    let sign_in = console.blocking(move |console| console.store.begin_sign_in(&begun, &browser)).await?;
    let message = SignInMessage { sign_in, language: visitor.language, origin: console.origin.clone() };
    let sender = Arc::clone(&console);
    // Whether it is sent, and how long that takes, the answer does not tell.
    tokio::task::spawn_blocking(move || deliver(&sender, address, &message));
    Ok(Redirect::to(&format!("/connexion/code?{}", back_query(back.path()))).into_response())
}

/// A path as the query of another.
pub fn back_query(back: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("retour", back).finish()
}

fn deliver(console: &Console, address: Address, message: &SignInMessage) {
    match is_welcome(console, &address) {
        Ok(true) => {
            let mail = message.to(address);
            if let Err(error) = console.mailer.send(&mail, (console.clock)()) {
                tracing::error!(%error, "a sign-in message could not be sent");
            }
        }
        Ok(false) => {}
        Err(error) => tracing::error!(%error, "a sign-in message could not be sent"),
    }
}

/// Whether a message is sent at all: nobody is written to who could not sign in.
fn is_welcome(console: &Console, address: &Address) -> Result<bool, StoreError> {
    match console.store.user_id(address) {
        Ok(user) => Ok(console.store.user(user)?.status == UserStatus::Active),
        Err(StoreError::UnknownUser(_)) => may_be_made(&*console.store, address),
        Err(error) => Err(error),
    }
}
