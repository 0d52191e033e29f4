//! Where one is signed in, and signing out there.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;

use super::PATH;
use crate::console::failure::Failure;
use crate::console::page::{Notice, redirect_with};
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::store::{Actor, Holder, SessionId};

/// `POST /securite/sessions/{id}/terminer`
pub async fn end_one(
    State(console): State<Arc<Console>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let id: SessionId = id.parse().map_err(|_| Failure::NotFound)?;
    let holder = Holder::User(signed_in.id());
    console.blocking(move |console| console.store.end_session_of(holder, id)).await?;
    Ok(redirect_with(PATH, Notice::good("security-session-ended")))
}

/// `POST /securite/sessions/terminer`: everywhere but here.
pub async fn end_others(State(console): State<Arc<Console>>, signed_in: SignedIn) -> Result<Response, Failure> {
    end_all_but_this(&console, &signed_in).await?;
    Ok(redirect_with(PATH, Notice::good("security-sessions-ended")))
}

/// `POST /securite/sessions/toutes`: everywhere, here too.
pub async fn end_all(State(console): State<Arc<Console>>, signed_in: SignedIn) -> Result<Response, Failure> {
    end_all_but_this(&console, &signed_in).await?;
    signed_in.end().await?;
    Ok(redirect_with("/connexion", Notice::good("security-signed-out-everywhere")))
}

/// Ends the user's other sessions, as after a change of what opens them.
///
/// # Errors
/// As of the store.
pub async fn end_all_but_this(console: &Arc<Console>, signed_in: &SignedIn) -> Result<(), Failure> {
    let (holder, here) = (Holder::User(signed_in.id()), signed_in.hash());
    console.blocking(move |console| console.store.end_sessions_of(&Actor::User, holder, here.as_ref())).await?;
    Ok(())
}
