//! What changed in a user's organisation, said on each page until the user puts it away.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use serde::Deserialize;

use super::failure::Failure;
use super::language::own_path;
use super::session::SignedIn;
use super::state::Console;
use super::text;
use crate::directory::Defaults;
use crate::language::Language;
use crate::store::{Announcement, AnnouncementKind, Organisation};

/// A change, as a page says it.
#[derive(Debug, Clone)]
pub struct Told {
    /// By which it is put away, with those before it.
    pub number: u64,
    /// When it was made.
    pub at: Timestamp,
    key: &'static str,
    /// What is in force now, where the words name it.
    value: String,
}

impl Told {
    /// In words.
    pub fn words(&self, language: &Language) -> String {
        text::text(*language, self.key, &[("value", self.value.clone().into())])
    }
}

/// Changes with what is in force now, the first one first: putting one away puts away those above it.
pub fn told(waiting: &[Announcement], organisation: &Organisation, defaults: &Defaults) -> Vec<Told> {
    let (own, default) = (&organisation.settings, &defaults.personal);
    let one = |announcement: &Announcement| {
        let (key, value) = match announcement.kind {
            AnnouncementKind::Tag => {
                ("announcement-tag", own.tag.clone().unwrap_or_else(|| default.tag.as_str().to_owned()))
            }
            AnnouncementKind::Folder => {
                ("announcement-folder", own.folder.clone().unwrap_or_else(|| default.folder.clone()))
            }
            AnnouncementKind::Markings => ("announcement-markings", String::new()),
            AnnouncementKind::Protected => ("announcement-protected", protected(organisation)),
        };
        Told { number: announcement.number, at: announcement.at, key, value }
    };
    waiting.iter().rev().map(one).collect()
}

/// Protected domains that are named; there may be many.
const NAMED: usize = 5;

fn protected(organisation: &Organisation) -> String {
    let names: Vec<&str> = organisation.protected.iter().take(NAMED).map(|domain| domain.as_str()).collect();
    match (names.is_empty(), organisation.protected.len() > NAMED) {
        (true, _) => "–".to_owned(),
        (false, true) => format!("{}…", names.join(", ")),
        (false, false) => names.join(", "),
    }
}

/// The form below each.
#[derive(Deserialize)]
pub struct Read {
    jusqua: u64,
    retour: String,
}

/// `POST /annonces/lues`
pub async fn dismiss(
    State(console): State<Arc<Console>>,
    signed_in: SignedIn,
    Form(read): Form<Read>,
) -> Result<Response, Failure> {
    let user = signed_in.id();
    console.blocking(move |console| console.store.dismiss_announcements(user, read.jusqua)).await?;
    Ok(Redirect::to(own_path(&read.retour)).into_response())
}
