//! Many entries at once: pasted (`/listes/coller`) or from a file (`/listes/importer`). Both lead to a preview.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{DefaultBodyLimit, Multipart, Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::preview::{Source, preview};
use super::{Named, of_slug};
use crate::console::failure::Failure;
use crate::console::intake::{self, FileError};
use crate::console::page::{Page, Place, render};
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::policy::list::ListKind;

/// Largest form with a file.
pub const MAX_FORM: usize = intake::MAX_FILE + (64 << 10);

/// What a form with a file may hold.
pub fn limit() -> DefaultBodyLimit {
    DefaultBodyLimit::max(MAX_FORM)
}

#[derive(Template)]
#[template(path = "lists_paste.html", config = ".askama.toml")]
struct Paste<'a> {
    page: &'a Page,
    lists: Vec<Named>,
    slug: &'static str,
    text: String,
}

#[derive(Template)]
#[template(path = "lists_import.html", config = ".askama.toml")]
struct Import<'a> {
    page: &'a Page,
    lists: Vec<Named>,
    slug: &'static str,
    megabytes: u64,
}

/// Which list is meant.
#[derive(Deserialize)]
pub struct Meant {
    #[serde(default)]
    liste: Option<String>,
}

impl Meant {
    fn list(&self) -> ListKind {
        self.liste.as_deref().and_then(|slug| of_slug(slug).ok()).unwrap_or(ListKind::Personal)
    }
}

/// `GET /listes/coller`
pub async fn show_paste(visitor: Visitor, signed_in: SignedIn, Query(meant): Query<Meant>) -> Response {
    let page = Page::signed_in(&visitor, &signed_in, Place::Lists, "lists-paste-title");
    paste(&page, &signed_in, meant.list(), String::new())
}

fn paste(page: &Page, signed_in: &SignedIn, list: ListKind, text: String) -> Response {
    let lists = super::named(page, &signed_in.user);
    render(page, &Paste { page, lists, slug: super::slug(list), text })
}

/// The form of the page.
#[derive(Deserialize)]
pub struct Pasted {
    liste: String,
    texte: String,
}

/// `POST /listes/coller`
pub async fn read_paste(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Form(pasted): Form<Pasted>,
) -> Result<Response, Failure> {
    let list = of_slug(&pasted.liste)?;
    if pasted.texte.trim().is_empty() {
        let page = Page::signed_in(&visitor, &signed_in, Place::Lists, "lists-paste-title");
        let text = page.t("lists-bad-empty");
        return Ok(paste(&page.with_error("texte", text), &signed_in, list, pasted.texte));
    }
    let reader = signed_in.clone();
    let read = move |console: &Console| Ok(super::check(console, &reader, list, intake::read_text(&pasted.texte)));
    let intake = console.blocking(read).await?;
    preview(&console, &visitor, &signed_in, list, intake, Source::Texte).await
}

/// `GET /listes/importer`
pub async fn show_import(visitor: Visitor, signed_in: SignedIn, Query(meant): Query<Meant>) -> Response {
    let page = Page::signed_in(&visitor, &signed_in, Place::Lists, "lists-import-title");
    import(&page, &signed_in, meant.list())
}

fn import(page: &Page, signed_in: &SignedIn, list: ListKind) -> Response {
    let lists = super::named(page, &signed_in.user);
    let megabytes = (intake::MAX_FILE / 1_000_000) as u64;
    render(page, &Import { page, lists, slug: super::slug(list), megabytes })
}

/// `POST /listes/importer`
pub async fn read_import(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    mut form: Multipart,
) -> Result<Response, Failure> {
    let _room = console.limits.may_take_file().await?;
    let (mut list, mut file) = (ListKind::Personal, None);
    while let Some(field) = form.next_field().await.map_err(|_| Failure::Malformed)? {
        match field.name() {
            Some("liste") => list = of_slug(&field.text().await.map_err(|_| Failure::Malformed)?)?,
            Some("fichier") => file = Some(field.bytes().await.map_err(|_| Failure::TooLarge)?),
            _ => {}
        }
    }
    let reader = signed_in.clone();
    let read = move |console: &Console| {
        let read = intake::read_file(&file.unwrap_or_default());
        Ok(read.map(|intake| super::check(console, &reader, list, intake)))
    };
    match console.blocking(read).await? {
        Ok(intake) => preview(&console, &visitor, &signed_in, list, intake, Source::Fichier).await,
        Err(error) => {
            let page = Page::signed_in(&visitor, &signed_in, Place::Lists, "lists-import-title");
            let text = page.t(match error {
                FileError::TooLarge => "lists-file-too-large",
                FileError::Empty => "lists-file-empty",
                FileError::Binary => "lists-file-binary",
            });
            Ok(import(&page.with_error("fichier", text), &signed_in, list))
        }
    }
}
