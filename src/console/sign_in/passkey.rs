//! `/connexion/cle`: a passkey, which finds its account by itself.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use serde::Deserialize;
use tower_sessions::Session;

use super::ask::{Back, back_query};
use super::{is_active, welcome};
use crate::console::failure::Failure;
use crate::console::limits::Way;
use crate::console::page::{Notice, Tone, redirect_with};
use crate::console::passkeys::Passkeys;
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::store::{OpenedBy, UserId, UserKey};

/// `POST /connexion/cle/options`: what the browser's passkeys are asked; the same for everybody, and for who confirms.
pub async fn options(State(console): State<Arc<Console>>, visitor: Visitor) -> Result<Response, Failure> {
    console.limits.count(Way::Ceremony, &visitor)?;
    let options = console.passkeys.begin_proof(visitor.browser, (console.clock)());
    Ok(Json(options.ok_or(Failure::NotFound)?).into_response())
}

/// The form, filled by the script.
#[derive(Deserialize)]
pub struct Answered {
    /// What the passkey answered, as JSON.
    pub reponse: String,
    /// Where to go on.
    #[serde(default)]
    pub retour: Option<String>,
}

/// `POST /connexion/cle`
pub async fn confirm(
    State(console): State<Arc<Console>>,
    session: Session,
    visitor: Visitor,
    Form(answered): Form<Answered>,
) -> Result<Response, Failure> {
    console.limits.count(Way::Passkey, &visitor)?;
    let back = Back { retour: answered.retour };
    if let Some((user, key)) = prove(&console, &visitor, answered.reponse).await? {
        return welcome(&console, &session, &visitor, user, OpenedBy::Passkey, key, back.path()).await;
    }
    let notice = Notice::new(Tone::Bad, "secrets-passkey-refused");
    Ok(redirect_with(&format!("/connexion?{}", back_query(back.path())), notice))
}

/// Whose passkey this is, with the user's key where it opens the lock.
///
/// # Errors
/// As of the store.
pub async fn prove(
    console: &Arc<Console>,
    visitor: &Visitor,
    answer: String,
) -> Result<Option<(UserId, Option<UserKey>)>, Failure> {
    let Some(credential) = Passkeys::credential_of(&answer) else { return Ok(None) };
    let browser = visitor.browser;
    let proven = console.blocking(move |console| {
        let Some(passkey) = console.store.passkey(&credential)? else { return Ok(None) };
        let Some(proven) = console.passkeys.finish_proof(browser, &answer, &passkey, (console.clock)()) else {
            return Ok(None);
        };
        if !is_active(&*console.store, proven.user)? {
            return Ok(None);
        }
        let key = console.store.use_passkey(proven.id, &proven.state, proven.prf.as_ref())?;
        Ok(Some((proven.user, key)))
    });
    proven.await
}
