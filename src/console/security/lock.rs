//! `/securite/verrou`: the personal lock; and `/securite/verrou/perdu`, for who lost every secret.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{PATH, sessions};
use crate::console::failure::Failure;
use crate::console::page::{Notice, Page, Place, Tone, redirect_with, render};
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::store::{Actor, LockState, Opens, SecretKind, StoreError};

/// This page.
const HERE: &str = "/securite/verrou";
const LOST: &str = "/securite/verrou/perdu";

#[derive(Template)]
#[template(path = "security_lock.html", config = ".askama.toml")]
struct Lock<'a> {
    page: &'a Page,
    locked: bool,
    /// Secrets that open it.
    opening: usize,
    /// Whether one of them is on paper.
    printed: bool,
    /// Whether browsers have passkeys for this console.
    passkeys: bool,
}

#[derive(Template)]
#[template(path = "security_lost.html", config = ".askama.toml")]
struct Lost<'a> {
    page: &'a Page,
}

/// `GET /securite/verrou`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
) -> Result<Response, Failure> {
    let user = signed_in.id();
    let read = move |console: &Console| Ok((console.store.lock_state(user)?, console.store.secrets(user)?));
    let (lock, secrets) = console.blocking(read).await?;
    let page = Page::signed_in(&visitor, &signed_in, Place::Security, "security-lock-title");
    let lock = Lock {
        page: &page,
        locked: lock == LockState::On,
        opening: secrets.iter().filter(|secret| secret.opens == Opens::Lists).count(),
        printed: secrets.iter().any(|secret| secret.kind == SecretKind::Recovery),
        passkeys: console.passkeys.are_possible(),
    };
    Ok(render(&page, &lock))
}

/// The form.
#[derive(Deserialize)]
pub struct Wanted {
    verrou: String,
}

/// `POST /securite/verrou`
pub async fn set(
    State(console): State<Arc<Console>>,
    signed_in: SignedIn,
    Form(wanted): Form<Wanted>,
) -> Result<Response, Failure> {
    signed_in.require_fresh(HERE)?;
    let state = match wanted.verrou.as_str() {
        "mis" => LockState::On,
        "retire" => LockState::Off,
        _ => return Err(Failure::Malformed),
    };
    if !signed_in.has_key() {
        // The secret is proven before everything depends on it.
        return Err(Failure::Confirm { back: HERE.to_owned() });
    }
    let (user, permission) = (signed_in.id(), signed_in.permission());
    let done = console.blocking(move |console| match console.store.set_lock(user, &permission, state) {
        Err(StoreError::LastSecret) => Ok(false),
        done => done.map(|()| true),
    });
    let notice = match (done.await?, state) {
        (false, _) => Notice::new(Tone::Bad, "security-lock-no-secret"),
        (true, LockState::On) => Notice::good("security-lock-on"),
        (true, LockState::Off) => Notice::good("security-lock-off"),
    };
    Ok(redirect_with(PATH, notice))
}

/// `GET /securite/verrou/perdu`
pub async fn show_lost(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
) -> Result<Response, Failure> {
    signed_in.require_fresh(LOST)?;
    let user = signed_in.id();
    if console.blocking(move |console| console.store.lock_state(user)).await? == LockState::Off {
        return Err(Failure::NotFound);
    }
    let page = Page::signed_in(&visitor, &signed_in, Place::Security, "security-lost-title");
    Ok(render(&page, &Lost { page: &page }))
}

/// The form.
#[derive(Deserialize)]
pub struct Understood {
    #[serde(default)]
    compris: Option<String>,
}

/// `POST /securite/verrou/perdu`: secrets and readable values go, matching goes on, other sessions end.
pub async fn start_anew(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Form(understood): Form<Understood>,
) -> Result<Response, Failure> {
    signed_in.require_fresh(LOST)?;
    if understood.compris.is_none() {
        let page = Page::signed_in(&visitor, &signed_in, Place::Security, "security-lost-title");
        let text = page.t("security-lost-not-understood");
        let page = page.with_error("compris", text);
        return Ok(render(&page, &Lost { page: &page }));
    }
    let user = signed_in.id();
    console.blocking(move |console| console.store.reset_secrets(&Actor::User, user)).await?;
    sessions::end_all_but_this(&console, &signed_in).await?;
    signed_in.forget_key().await?;
    Ok(redirect_with(PATH, Notice::good("security-lost-done")))
}
