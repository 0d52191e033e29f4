//! `/securite/verrou`: the personal lock; and `/securite/verrou/perdu`, for who lost every secret.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{PATH, sessions};
use crate::console::alert::{self, Alert};
use crate::console::failure::Failure;
use crate::console::page::{Notice, Page, Place, Tone, redirect_with, render};
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::store::{
    FRESH_START_DELAY, FreshStart, LockState, Opens, Permission, Readable, Secret, SecretKind, Store, StoreError,
    UserId,
};

/// This page.
const HERE: &str = "/securite/verrou";
const LOST: &str = "/securite/verrou/perdu";

#[derive(Template)]
#[template(path = "security_lock.html", config = ".askama.toml")]
struct Lock<'a> {
    page: &'a Page,
    locked: bool,
    /// Secrets that open it.
    opening: Vec<&'a Secret>,
    /// Whether one of them is on paper.
    printed: bool,
    /// Whether a fresh start left entries that nobody can read.
    unreadable: bool,
    /// Whether browsers have passkeys for this console.
    passkeys: bool,
}

#[derive(Template)]
#[template(path = "security_lost.html", config = ".askama.toml")]
struct Lost<'a> {
    page: &'a Page,
    /// That it was asked for.
    wish: Option<FreshStart>,
    /// How long it then takes.
    days: u64,
}

impl Lock<'_> {
    /// What a secret is, in words.
    fn name(&self, secret: &Secret) -> String {
        match secret.kind {
            SecretKind::Password => self.page.t("security-password-title"),
            SecretKind::Passkey => secret.label.clone(),
            SecretKind::Recovery => self.page.t("security-recovery-title"),
        }
    }
}

/// `GET /securite/verrou`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
) -> Result<Response, Failure> {
    let user = signed_in.id();
    let permission = signed_in.permission();
    let read = move |console: &Console| {
        let (lock, secrets) = (console.store.lock_state(user)?, console.store.secrets(user)?);
        Ok((lock, secrets, has_unreadable(&*console.store, user, &permission)?))
    };
    let (lock, secrets, unreadable) = console.blocking(read).await?;
    let page = Page::signed_in(&visitor, &signed_in, Place::Security, "security-lock-title");
    let lock = Lock {
        page: &page,
        locked: lock == LockState::On,
        opening: secrets.iter().filter(|secret| secret.opens == Opens::Lists).collect(),
        printed: secrets.iter().any(|secret| secret.kind == SecretKind::Recovery),
        passkeys: console.passkeys.are_possible(),
        unreadable,
    };
    Ok(render(&page, &lock))
}

/// Whether a fresh start left entries that nobody can read; of a closed lock nobody knows.
fn has_unreadable(store: &dyn Store, user: UserId, permission: &Permission) -> Result<bool, StoreError> {
    match store.read_entries(user, None, permission) {
        Err(StoreError::UserLocked) => Ok(false),
        entries => Ok(entries?.iter().any(|entry| matches!(entry.value, Readable::Lost))),
    }
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
    if !done.await? {
        return Ok(redirect_with(PATH, Notice::new(Tone::Bad, "security-lock-no-secret")));
    }
    let (alert, key) = match state {
        LockState::On => {
            // Whoever reads in another session shall not go on doing so.
            sessions::end_all_but_this(&console, &signed_in).await?;
            (Alert::LockOn, "security-lock-on")
        }
        LockState::Off => (Alert::LockOff, "security-lock-off"),
    };
    alert::tell(&console, user, alert);
    Ok(redirect_with(PATH, Notice::good(key)))
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
    Ok(lost(&lost_page(&visitor, &signed_in), &signed_in))
}

fn lost_page(visitor: &Visitor, signed_in: &SignedIn) -> Page {
    Page::signed_in(visitor, signed_in, Place::Security, "security-lost-title")
}

fn lost(page: &Page, signed_in: &SignedIn) -> Response {
    let days = FRESH_START_DELAY.as_secs() / 86_400;
    render(page, &Lost { page, wish: signed_in.fresh_start, days })
}

/// The form.
#[derive(Deserialize)]
pub struct Understood {
    #[serde(default)]
    compris: Option<String>,
}

/// `POST /securite/verrou/perdu`: whoever reads the user's mail can ask for it as well as the user. So it is said on every
/// page and by mail, and is done after [`FRESH_START_DELAY`], unless it is cancelled.
pub async fn ask_fresh_start(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Form(understood): Form<Understood>,
) -> Result<Response, Failure> {
    signed_in.require_fresh(LOST)?;
    if understood.compris.is_none() {
        let page = lost_page(&visitor, &signed_in);
        let text = page.t("security-lost-not-understood");
        return Ok(lost(&page.with_error("compris-oui", text), &signed_in));
    }
    let user = signed_in.id();
    let wish = console.blocking(move |console| console.store.ask_fresh_start(user)).await?;
    if signed_in.fresh_start.is_none() {
        alert::tell(&console, user, Alert::FreshStartAsked(wish.due));
    }
    Ok(redirect_with(PATH, Notice::new(Tone::Plain, "security-lost-asked")))
}

/// `POST /securite/verrou/perdu/annuler`: from any session of the user; what stays as it is does no harm.
pub async fn cancel(State(console): State<Arc<Console>>, signed_in: SignedIn) -> Result<Response, Failure> {
    let user = signed_in.id();
    console.blocking(move |console| console.store.cancel_fresh_start(user)).await?;
    if signed_in.fresh_start.is_some() {
        alert::tell(&console, user, Alert::FreshStartCancelled);
    }
    Ok(redirect_with(PATH, Notice::good("security-lost-cancelled")))
}

/// Has those start anew whose time has come.
///
/// # Errors
/// As of the store.
pub async fn make_fresh_starts(console: &Arc<Console>) -> Result<(), Failure> {
    let made = console.blocking(|console| console.store.make_fresh_starts()).await?;
    made.into_iter().for_each(|user| alert::tell(console, user, Alert::FreshStartMade));
    Ok(())
}

/// `POST /securite/illisibles/retirer`: takes off all lists what a fresh start left unreadable.
pub async fn remove_unreadable(State(console): State<Arc<Console>>, signed_in: SignedIn) -> Result<Response, Failure> {
    signed_in.require_fresh(HERE)?;
    let (user, permission) = (signed_in.id(), signed_in.permission());
    console.blocking(move |console| console.store.remove_lost_entries(user, &permission)).await?;
    Ok(redirect_with(HERE, Notice::good("security-unreadable-removed")))
}
