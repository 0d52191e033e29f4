//! `/securite`: secrets of one's own, the personal lock, sessions.
//!
//! | file | subject |
//! |---|---|
//! | `password`, `passkey`, `recovery` | each kind of secret |
//! | `lock` | the personal lock, and starting anew without it |
//! | `sessions` | where one is signed in |

pub mod lock;
pub mod passkey;
pub mod password;
pub mod recovery;
pub mod sessions;

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

use super::alert::{self, Alert};
use super::failure::Failure;
use super::page::{Notice, Page, Place, Tone, redirect_with, render};
use super::session::{Previous, SignedIn};
use super::session_list::{self, Listed};
use super::state::Console;
use super::visitor::Visitor;
use crate::store::{Holder, LockState, OpenedBy, Opens, Secret, SecretId, SecretKind, StoreError};

/// The page.
pub const PATH: &str = "/securite";

#[derive(Template)]
#[template(path = "security.html", config = ".askama.toml")]
struct Security<'a> {
    page: &'a Page,
    signed_in: &'a SignedIn,
    secrets: &'a [Secret],
    locked: bool,
    passkeys: bool,
    sessions: &'a [Listed],
}

impl Security<'_> {
    fn password(&self) -> Option<&Secret> {
        self.secrets.iter().find(|secret| secret.kind == SecretKind::Password)
    }

    fn recovery(&self) -> Option<&Secret> {
        self.secrets.iter().find(|secret| secret.kind == SecretKind::Recovery)
    }

    fn keys(&self) -> Vec<&Secret> {
        self.secrets.iter().filter(|secret| secret.kind == SecretKind::Passkey).collect()
    }

    fn opens(&self, secret: &Secret) -> bool {
        secret.opens == Opens::Lists
    }

    /// Whether nothing but the secret at hand would be left to open the lock.
    fn hangs_on_one(&self) -> bool {
        self.locked && self.secrets.iter().filter(|secret| secret.opens == Opens::Lists).count() < 2
    }

    fn way(&self, name: &str) -> String {
        session_list::way(self.page, OpenedBy::of_name(name))
    }

    /// Network and browser of a sign-in.
    fn place(&self, sign_in: &Previous) -> String {
        let Previous { network, browser, .. } = sign_in;
        if browser.is_empty() { network.clone() } else { format!("{network} ({browser})") }
    }
}

/// `GET /securite`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
) -> Result<Response, Failure> {
    let user = signed_in.id();
    let read = move |console: &Console| {
        let secrets = console.store.secrets(user)?;
        let lock = console.store.lock_state(user)?;
        Ok((secrets, lock, console.store.sessions_of(Holder::User(user))?))
    };
    let (secrets, lock, sessions) = console.blocking(read).await?;
    let page = Page::signed_in(&visitor, &signed_in, Place::Security, "security-title");
    let sessions = session_list::listed(&page, sessions, signed_in.hash());
    let security = Security {
        page: &page,
        signed_in: &signed_in,
        secrets: &secrets,
        locked: lock == LockState::On,
        passkeys: console.passkeys.are_possible(),
        sessions: &sessions,
    };
    Ok(render(&page, &security))
}

/// `POST /securite/secret/{id}/retirer`: sessions that it may have opened end.
pub async fn remove(
    State(console): State<Arc<Console>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    signed_in.require_fresh(PATH)?;
    let id: SecretId = id.parse().map_err(|_| Failure::NotFound)?;
    let (user, permission) = (signed_in.id(), signed_in.permission());
    let removed = console.blocking(move |console| {
        let kind = console.store.secrets(user)?.into_iter().find(|secret| secret.id == id).map(|secret| secret.kind);
        match console.store.remove_secret(user, &permission, id) {
            Err(StoreError::LastSecret) => Ok(None),
            removed => removed.map(|()| kind),
        }
    });
    let Some(kind) = removed.await? else {
        return Ok(redirect_with(PATH, Notice::new(Tone::Bad, "security-last-secret")));
    };
    alert::tell(&console, user, Alert::Removed(kind));
    sessions::end_all_but_this(&console, &signed_in).await?;
    Ok(redirect_with(PATH, Notice::good("security-removed")))
}
