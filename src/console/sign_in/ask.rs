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
use crate::console::language::{self, own_path};
use crate::console::limits::Way;
use crate::console::mail::Mail;
use crate::console::page::{Page, render};
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::console::text;
use crate::console::visitor::Visitor;
use crate::language::Language;
use crate::policy::address::Address;
use crate::store::{SIGN_IN_LIFE, StoreError, UserStatus};

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
    // Whether it is sent, and how long that takes, the answer does not tell.
    console.mail(SIGN_IN_LIFE, move |console| write(console, message, address, visitor.chosen));
    Ok(Redirect::to(&format!("/connexion/code?{}", back_query(back.path()))).into_response())
}

/// A path as the query of another.
pub fn back_query(back: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("retour", back).finish()
}

/// The message, in the language that its reader chose, else in that of the page.
pub fn write(
    console: &Console,
    mut message: SignInMessage,
    to: Address,
    chosen: Option<Language>,
) -> Result<Option<Mail>, StoreError> {
    if !is_welcome(console, &to)? {
        return Ok(None);
    }
    if let Ok(user) = console.store.user_id(&to) {
        let user = console.store.user(user)?;
        let own = console.store.user_language(user.id)?;
        let language = own.or(chosen).map_or_else(|| language::of_user(console, &user), |own| Ok(Some(own)))?;
        message.language = language.unwrap_or(message.language);
    }
    Ok(Some(message.to(to)))
}

/// Whether a message is sent at all: nobody is written to who could not sign in.
fn is_welcome(console: &Console, address: &Address) -> Result<bool, StoreError> {
    match console.store.user_id(address) {
        Ok(user) => Ok(console.store.user(user)?.status == UserStatus::Active),
        Err(StoreError::UnknownUser(_)) => may_be_made(&*console.store, address),
        Err(error) => Err(error),
    }
}
