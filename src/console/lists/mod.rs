//! The user's three lists.
//!
//! | file | page or action |
//! |---|---|
//! | `list` | `/listes/{liste}`: one list |
//! | `add` | `/listes/ajouter`: one entry, and what is offered instead |
//! | `effect` | what passes before an entry, so that it has no effect |
//! | `entry` | `/listes/entree/{id}`: one entry: note, move, remove, confirm |
//! | `several` | pasting, a file, the preview of both |
//! | `export` | files to take along |
//! | `journal` | changes, and taking them back |

pub mod add;
mod effect;
pub mod entry;
pub mod export;
pub mod journal;
pub mod list;
pub mod preview;
pub mod several;

use super::failure::Failure;
use super::intake::{self, Intake, Reason};
use super::page::Page;
use super::session::SignedIn;
use super::state::Console;
use super::text;
use crate::directory::{Defaults, entry_rules};
use crate::language::Language;
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
    /// Which it is.
    pub list: ListKind,
    /// Part of paths and forms.
    pub slug: &'static str,
    /// Part of keys, classes and icons.
    pub name: &'static str,
    /// Its title.
    pub title: String,
}

/// The lists that this user has, in words: a functional mailbox has no personal one.
pub fn named(page: &Page, user: &User) -> Vec<Named> {
    let words = |list| Named {
        list,
        slug: slug(list),
        name: name(list),
        title: page.t(&format!("lists-{}-title", name(list))),
    };
    lists_of(user).iter().copied().map(words).collect()
}

/// What whoever is signed in may put on their lists.
pub fn rules<'a>(defaults: &'a Defaults, signed_in: &'a SignedIn) -> EntryRules<'a> {
    entry_rules(defaults, &signed_in.organisation)
}

/// The lists that a user has.
fn lists_of(user: &User) -> &'static [ListKind] {
    match user.kind {
        UserKind::Person => &SHOWN,
        UserKind::Functional => &SHOWN[1..],
    }
}

/// Takes out of what was understood what whoever is signed in may not enter.
pub fn check(console: &Console, signed_in: &SignedIn, list: ListKind, intake: Intake) -> Intake {
    intake::check(intake, list, lists_of(&signed_in.user), &rules(&console.defaults(), signed_in))
}

/// What stands in the fields of a form that adds one entry.
#[derive(Default)]
pub struct Typed {
    /// Address or domain.
    pub field: String,
    /// The note beside it.
    pub note: String,
}

/// Longest text of a field that is shown again, in characters; who pastes more has the page for it.
const MAX_FIELD: usize = 2000;

impl Typed {
    /// As much of it as is shown again.
    pub fn of(field: &str, note: &str) -> Self {
        let shown = |text: &str| text.chars().take(MAX_FIELD).collect();
        Self { field: shown(field), note: shown(note) }
    }
}

/// An entry in words; one that cannot be read says so.
pub fn written(language: Language, entry: &Entry) -> String {
    match &entry.value {
        Readable::Value(value) => value.written(),
        Readable::Lost => text::t(language, "lists-lost"),
        Readable::Altered => text::t(language, "lists-altered"),
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

/// The key of why something is no entry, and what to do instead.
pub fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::NoAddress => "lists-bad-no-address",
        Reason::Malformed => "lists-bad-malformed",
        Reason::TooLong => "lists-bad-too-long",
        Reason::UnknownList => "lists-bad-unknown-list",
        Reason::TooMany => "lists-bad-too-many",
        Reason::Unclosed => "lists-bad-unclosed",
        Reason::NoSuchList => "lists-functional",
        Reason::Refused(refusal) => match refusal {
            Refusal::Everybody => "lists-refused-everybody",
            Refusal::PublicSuffix => "lists-refused-public-suffix",
            Refusal::OwnDomain => "lists-refused-own-domain",
            Refusal::ProtectedDomain => "lists-refused-protected-domain",
            Refusal::Freemail => "lists-refused-freemail",
            Refusal::ProtectedSender => "lists-refused-protected-sender",
            Refusal::GlobsOff => "lists-refused-globs-off",
        },
    }
}

/// The key of what the store refused, where that belongs to a form.
pub fn refused(error: &StoreError) -> Option<&'static str> {
    match error {
        StoreError::ListFull(_) => Some("lists-full"),
        StoreError::Functional => Some("lists-functional"),
        _ => None,
    }
}
