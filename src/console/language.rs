//! The language that a visitor chooses.

use axum::Form;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::failure::Failure;
use super::visitor::remember_language;

/// What the switch sends.
#[derive(Deserialize)]
pub struct Choice {
    langue: String,
    retour: String,
}

/// `POST /langue`: goes back to where the visitor was.
pub async fn choose(Form(choice): Form<Choice>) -> Result<Response, Failure> {
    let language = choice.langue.parse().map_err(|_| Failure::Malformed)?;
    let mut response = Redirect::to(own_path(&choice.retour)).into_response();
    remember_language(&mut response, language);
    Ok(response)
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
