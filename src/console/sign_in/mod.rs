//! Signing in and out.
//!
//! | file | subject |
//! |---|---|
//! | `ask` | the address is typed, a message is sent |
//! | `code` | the six digits are typed |
//! | `link` | the link is opened |
//! | `message` | what the message says |
//! | `password`, `passkey`, `recovery` | secrets of one's own |

pub mod ask;
pub mod code;
pub mod link;
pub mod message;
pub mod passkey;
pub mod password;
pub mod recovery;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use tower_sessions::Session;

use super::failure::Failure;
use super::language::own_path;
use super::page::{Notice, Tone, redirect_with};
use super::security::lock;
use super::session::{self, Current};
use super::state::Console;
use super::text;
use super::visitor::Visitor;
use crate::policy::address::Address;
use crate::store::{
    Actor, ConfirmedSignIn, Holder, NewUser, OpenedBy, Organisation, Store, StoreError, UserId, UserKey, UserKind,
    UserStatus,
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
    welcome(console, session, visitor, user, OpenedBy::Mail, None, back.unwrap_or("/")).await
}

/// Opens the session of a user who proved who they are.
async fn welcome(
    console: &Arc<Console>,
    session: &Session,
    visitor: &Visitor,
    user: UserId,
    opened_by: OpenedBy,
    key: Option<UserKey>,
    back: &str,
) -> Result<Response, Failure> {
    lock::make_fresh_starts(console).await?;
    let previous = session::open(console, session, visitor, user, opened_by, key).await?;
    let notice = match previous {
        // A first sign-in: the personal lock is offered.
        None => Notice::new(Tone::Plain, "sign-in-welcome-first"),
        Some(previous) => {
            let at = text::moment(visitor.chosen.unwrap_or(visitor.language), previous.at);
            Notice::good("sign-in-welcome-back").with("at", at).with("network", previous.network)
        }
    };
    Ok(redirect_with(own_path(back), notice))
}

/// The user of an address, whose account is in use.
async fn active(console: &Arc<Console>, address: Option<Address>) -> Result<Option<UserId>, Failure> {
    let Some(address) = address else { return Ok(None) };
    let found = console.blocking(move |console| match console.store.user_id(&address) {
        Ok(user) => Ok(is_active(&*console.store, user)?.then_some(user)),
        Err(StoreError::UnknownUser(_)) => Ok(None),
        Err(error) => Err(error),
    });
    found.await
}

fn is_active(store: &dyn Store, user: UserId) -> Result<bool, StoreError> {
    Ok(store.user(user)?.status == UserStatus::Active)
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
