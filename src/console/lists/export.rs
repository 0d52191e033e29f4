//! `/listes/exporter`: the lists as files. Whoever takes them along proves first who they are.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::conflict::policy_of;
use crate::console::export::{self, Folders};
use crate::console::failure::Failure;
use crate::console::page::{Page, Place, render};
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::console::visitor::Visitor;

/// The page, to which who has to prove who they are comes back.
const PATH: &str = "/listes/exporter";

#[derive(Template)]
#[template(path = "lists_export.html", config = ".askama.toml")]
struct Export<'a> {
    page: &'a Page,
}

/// `GET /listes/exporter`
pub async fn show(visitor: Visitor, signed_in: SignedIn) -> Result<Response, Failure> {
    signed_in.require_fresh(PATH)?;
    let page = Page::signed_in(&visitor, &signed_in, Place::Lists, "lists-export-title");
    Ok(render(&page, &Export { page: &page }))
}

/// `GET /listes/exporter/{fichier}`
pub async fn send(
    State(console): State<Arc<Console>>,
    signed_in: SignedIn,
    Path(file): Path<String>,
) -> Result<Response, Failure> {
    signed_in.require_fresh(PATH)?;
    let kind = match file.as_str() {
        "listes.csv" => "text/csv; charset=utf-8",
        "listes.json" => "application/json",
        "listes.sieve" => "application/sieve; charset=utf-8",
        _ => return Err(Failure::NotFound),
    };
    let name = file.clone();
    let body = console.blocking(move |console| {
        let entries = console.store.read_entries(signed_in.id(), None, &signed_in.permission())?;
        let policy = policy_of(&console.defaults(), &signed_in.organisation);
        let action = signed_in.user.options.black_action.unwrap_or(policy.black.action);
        let folders = Folders { personal: &policy.personal.folder, junk: &policy.black.junk_folder };
        Ok(match name.as_str() {
            "listes.csv" => export::csv(&entries),
            "listes.json" => export::json(&entries),
            _ => export::sieve(&entries, folders, action),
        })
    });
    let body = body.await?;
    let disposition =
        HeaderValue::from_str(&format!("attachment; filename=\"{file}\"")).map_err(|_| Failure::Internal)?;
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(kind)), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, body).into_response())
}
