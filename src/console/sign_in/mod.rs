//! Signing in and out.
//!
//! | file | subject |
//! |---|---|
//! | `ask` | the address is typed, a message is sent |
//! | `code` | the six digits are typed |
//! | `link` | the link is opened |
//! | `message` | what the message says |

pub mod ask;
pub mod code;
pub mod link;
mod message;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use tower_sessions::Session;

use super::failure::Failure;
use super::language::own_path;
use super::page::{Notice, Tone, redirect_with};
use super::session::{self, Current};
use super::state::Console;
use super::visitor::Visitor;
use crate::policy::address::Address;
use crate::store::{
    Actor, ConfirmedSignIn, Holder, NewUser, OpenedBy, Organisation, Store, StoreError, UserId, UserKind, UserStatus,
};

/// Opens the session of whoever has the mailbox; a first sign-in in a served domain makes the user.
async fn admit(
    console: &Arc<Console>,
    session: &Session,
    visitor: &Visitor,
    confirmed: ConfirmedSignIn,
    back: Option<&str>,
) -> Result<Response, Failure> {
    let found = console.blocking(move |console| account_of(&*console.store, confirmed)).await?;
    let Some(user) = found else {
        return Ok(redirect_with("/connexion", Notice::new(Tone::Bad, "sign-in-no-account")));
    };
    session::open(console, session, visitor, user, OpenedBy::Mail, None).await?;
    Ok(redirect_with(own_path(back.unwrap_or("/")), Notice::good("sign-in-welcome")))
}

/// The account of a mailbox, made where it is the first time; none where the account is disabled, or may not be made.
fn account_of(store: &dyn Store, confirmed: ConfirmedSignIn) -> Result<Option<UserId>, StoreError> {
    if let Some(user) = confirmed.user {
        return Ok((store.user(user)?.status == UserStatus::Active).then_some(user));
    }
    if !may_be_made(store, &confirmed.address)? {
        return Ok(None);
    }
    let new = NewUser { address: confirmed.address, aliases: Vec::new(), kind: UserKind::Person };
    store.add_user(&Actor::User, &new).map(Some)
}

/// Whether an account may be made of an address: its domain is served, the organisation has accounts made so, and nobody
/// else reads what comes to it.
fn may_be_made(store: &dyn Store, address: &Address) -> Result<bool, StoreError> {
    let takes = |organisation: &Organisation| {
        organisation.settings.create_users.unwrap_or(true)
            && organisation.domains.iter().any(|domain| domain.as_str() == address.domain())
    };
    let is_served = store.organisations()?.iter().any(takes);
    Ok(is_served && store.shared_in(address)?.is_none())
}

/// `POST /deconnexion`
pub async fn out(State(_): State<Arc<Console>>, current: Current) -> Result<Response, Failure> {
    let door = match current.holder {
        Holder::User(_) => "/connexion",
        Holder::Staff(_) => "/gestion/connexion",
    };
    current.session.flush().await.map_err(|_| Failure::StoreAway)?;
    Ok(redirect_with(door, Notice::good("sign-in-out")))
}
