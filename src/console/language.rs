//! The language that a visitor chooses, and that of users.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::failure::Failure;
use super::session::SignedIn;
use super::state::Console;
use super::visitor::remember_language;
use crate::language::Language;
use crate::store::{Organisation, StoreError, User};

/// What the switch sends.
#[derive(Deserialize)]
pub struct Choice {
    langue: String,
    retour: String,
}

/// `POST /langue`: goes back to where the visitor was. Of a user it is kept, for mails and other browsers.
pub async fn choose(
    State(console): State<Arc<Console>>,
    signed_in: Result<SignedIn, Failure>,
    Form(choice): Form<Choice>,
) -> Result<Response, Failure> {
    let language = choice.langue.parse().map_err(|_| Failure::Malformed)?;
    if let Ok(user) = signed_in.map(|signed_in| signed_in.id()) {
        console.blocking(move |console| console.store.set_user_language(user, language)).await?;
    }
    let mut response = Redirect::to(own_path(&choice.retour)).into_response();
    remember_language(&mut response, language);
    Ok(response)
}

/// The language of a user: the one they chose, else that of their organisation, if it has one. Blocks.
///
/// # Errors
/// As of the store.
pub fn of_user(console: &Console, user: &User) -> Result<Option<Language>, StoreError> {
    if let Some(chosen) = console.store.user_language(user.id)? {
        return Ok(Some(chosen));
    }
    Ok(of_organisation(&console.store.organisation_numbered(user.organisation)?))
}

/// The language of those in an organisation who chose none, if it has one.
pub fn of_organisation(organisation: &Organisation) -> Option<Language> {
    organisation.settings.language.as_deref()?.parse().ok()
}

/// A path that came from outside, if it is one of ours: nothing that leads a browser elsewhere.
pub fn own_path(path: &str) -> &str {
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if path.starts_with('/') && !path.starts_with("//") && is_plain { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_ours_is_gone_back_to() {
        for path in ["/", "/listes/personnels?page=2", "/pourquoi"] {
            assert_eq!(own_path(path), path);
        }
        for path in ["", "//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nb", "javascript:x", "/ a"]
        {
            assert_eq!(own_path(path), "/", "{path}");
        }
    }
}
