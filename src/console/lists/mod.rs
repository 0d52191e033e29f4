//! The user's three lists.
//!
//! | file | page or action |
//! |---|---|
//! | `list` | `/listes/{liste}`: one list |
//! | `add` | `/listes/ajouter`: one entry, and what is offered instead |
//! | `entry` | `/listes/entree/{id}`: one entry: note, move, remove, confirm |
//! | `several` | pasting, a file, the preview of both |
//! | `export` | files to take along |
//! | `journal` | changes, and taking them back |

pub mod add;
pub mod entry;
pub mod export;
pub mod journal;
pub mod list;
pub mod several;

use std::sync::Arc;

use super::failure::Failure;
use super::intake::Reason;
use super::page::Page;
use super::session::SignedIn;
use super::state::Console;
use crate::directory::{Defaults, entry_rules};
use crate::policy::list::{EntryValue, ListKind, Scope};
use crate::policy::refusal::{EntryRules, Refusal};
use crate::store::{Entry, Origin, Readable, StoreError, User, UserKind};

/// The lists in the order of the pages.
pub const SHOWN: [ListKind; 3] = [ListKind::Personal, ListKind::Black, ListKind::White];

/// A list's part of a path.
pub fn slug(list: ListKind) -> &'static str {
    match list {
        ListKind::Personal => "personnels",
        ListKind::Black => "bloques",
        ListKind::White => "acceptes",
    }
}

/// The list of a part of a path.
///
/// # Errors
/// There is none of that name.
pub fn of_slug(text: &str) -> Result<ListKind, Failure> {
    SHOWN.into_iter().find(|list| slug(*list) == text).ok_or(Failure::NotFound)
}

/// A list's part of keys, classes and icons.
pub fn name(list: ListKind) -> &'static str {
    match list {
        ListKind::Personal => "personal",
        ListKind::Black => "blocked",
        ListKind::White => "accepted",
    }
}

/// The path of a list.
pub fn path(list: ListKind) -> String {
    format!("/listes/{}", slug(list))
}

/// A list as a page shows it in a choice or a link.
pub struct Named {
    /// Part of paths and forms.
    pub slug: &'static str,
    /// Part of keys, classes and icons.
    pub name: &'static str,
    /// Its title.
    pub title: String,
}

/// The lists that this user has, in words: a functional mailbox has no personal one.
pub fn named(page: &Page, user: &User) -> Vec<Named> {
    let has = |list: &ListKind| *list != ListKind::Personal || user.kind == UserKind::Person;
    let words =
        |list| Named { slug: slug(list), name: name(list), title: page.t(&format!("lists-{}-title", name(list))) };
    SHOWN.into_iter().filter(has).map(words).collect()
}

/// What whoever is signed in may put on their lists.
pub fn rules<'a>(defaults: &'a Defaults, signed_in: &'a SignedIn) -> EntryRules<'a> {
    entry_rules(defaults, &signed_in.organisation)
}

/// The user's entries, of one list or all; `None` where the personal lock keeps this session from reading.
///
/// # Errors
/// As of the store.
pub async fn read(
    console: &Arc<Console>,
    signed_in: &SignedIn,
    list: Option<ListKind>,
) -> Result<Option<Vec<Entry>>, Failure> {
    let (user, permission) = (signed_in.id(), signed_in.permission());
    let read = console.blocking(move |console| match console.store.read_entries(user, list, &permission) {
        Err(StoreError::UserLocked) => Ok(None),
        read => read.map(Some),
    });
    read.await
}

/// An entry in words; one that cannot be read says so.
pub fn written(page: &Page, entry: &Entry) -> String {
    match &entry.value {
        Readable::Value(value) => value.written(),
        Readable::Lost => page.t("lists-lost"),
        Readable::Altered => page.t("lists-altered"),
    }
}

/// What an entry applies to, in words.
pub fn scope(page: &Page, value: &EntryValue) -> String {
    page.t(match value.scope() {
        Scope::Address => "lists-scope-address",
        Scope::Domain => "lists-scope-domain",
        Scope::Subdomains => "lists-scope-subdomains",
        Scope::Glob => "lists-scope-glob",
    })
}

/// How an entry came there, in words.
pub fn origin(page: &Page, origin: Origin) -> String {
    page.t(match origin {
        Origin::User => "lists-origin-user",
        Origin::Administrator => "lists-origin-administrator",
        Origin::Import => "lists-origin-import",
    })
}

/// Why something is no entry, and what to do instead.
pub fn reason(page: &Page, reason: Reason) -> String {
    page.t(match reason {
        Reason::NoAddress => "lists-bad-no-address",
        Reason::Malformed => "lists-bad-malformed",
        Reason::TooLong => "lists-bad-too-long",
        Reason::UnknownList => "lists-bad-unknown-list",
        Reason::TooMany => "lists-bad-too-many",
        Reason::Refused(refusal) => match refusal {
            Refusal::Everybody => "lists-refused-everybody",
            Refusal::PublicSuffix => "lists-refused-public-suffix",
            Refusal::OwnDomain => "lists-refused-own-domain",
            Refusal::ProtectedDomain => "lists-refused-protected-domain",
            Refusal::Freemail => "lists-refused-freemail",
            Refusal::ProtectedSender => "lists-refused-protected-sender",
            Refusal::GlobsOff => "lists-refused-globs-off",
        },
    })
}

/// What the store refused, in words that belong to a form.
pub fn refused(page: &Page, error: &StoreError) -> Option<String> {
    match error {
        StoreError::ListFull(_) => Some(page.t("lists-full")),
        StoreError::Functional => Some(page.t("lists-functional")),
        _ => None,
    }
}
