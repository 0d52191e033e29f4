//! `/`: the first page after signing in: the three lists, and one field to add to them.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::failure::Failure;
use super::how_many::HowMany;
use super::lists::{self, Named};
use super::page::{Page, Place, render};
use super::session::SignedIn;
use super::state::Console;
use super::visitor::Visitor;
use crate::policy::list::ListKind;
use crate::store::{Readable, StoreError, UserKind};

#[derive(Template)]
#[template(path = "home.html", config = ".askama.toml")]
struct Home<'a> {
    page: &'a Page,
    cards: Vec<Card>,
    /// What stands in the field.
    field: String,
    /// Which list's button comes first.
    first: &'static str,
    /// Whether the personal lock keeps this session from reading.
    locked: bool,
    paused: bool,
    /// How many messages what stands in the field would have matched, where that was asked.
    how_many: Option<HowMany>,
    /// Entries that others added.
    waiting: Vec<Waiting>,
}

/// A list.
struct Card {
    named: Named,
    what: String,
    /// How many entries it holds, where they can be read.
    count: Option<String>,
}

/// An entry that somebody else added, to be kept or removed.
struct Waiting {
    id: String,
    value: String,
    list: String,
    origin: String,
    created: String,
}

impl Waiting {
    /// What tells its buttons from those of others.
    fn about(&self) -> String {
        format!("{} ({})", self.value, self.list)
    }
}

/// `GET /`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
) -> Result<Response, Failure> {
    let page = page_of(&visitor, &signed_in);
    again(&console, &signed_in, page, ListKind::Personal, String::new(), None).await
}

/// The page, with nothing wrong yet.
pub fn page_of(visitor: &Visitor, signed_in: &SignedIn) -> Page {
    Page::signed_in(visitor, signed_in, Place::Lists, "home-title").at("/")
}

/// The page once more: with what is wrong with its field, or with how many messages what stands in it would have matched.
///
/// # Errors
/// As of the store.
pub async fn again(
    console: &Arc<Console>,
    signed_in: &SignedIn,
    page: Page,
    list: ListKind,
    field: String,
    how_many: Option<HowMany>,
) -> Result<Response, Failure> {
    let (id, permission) = (signed_in.id(), signed_in.permission());
    let read = move |console: &Console| match console.store.entry_counts(id, &permission) {
        Err(StoreError::UserLocked) => Ok(None),
        // A row that was altered is not counted; each list says what is wrong with its entries.
        Err(StoreError::Altered(_)) => Ok(Some((None, console.store.read_waiting(id, MAX_WAITING, &permission)?))),
        counts => Ok(Some((Some(counts?), console.store.read_waiting(id, MAX_WAITING, &permission)?))),
    };
    let (counts, waiting) = console.blocking(read).await?.unzip();
    let (locked, counts) = (counts.is_none(), counts.flatten());
    let user = &signed_in.user;
    let card = |named: Named| {
        let what = page.t(&format!("lists-{}-what", named.name));
        let count = |counts: [usize; 3]| page.number(&(counts[named.list as usize] as u64));
        Card { count: counts.map(count), what, named }
    };
    let cards = lists::named(&page, user).into_iter().map(card).collect();
    let waits = waiting.iter().flatten().filter(|entry| matches!(entry.value, Readable::Value(_)));
    let waiting = waits.map(|entry| Waiting {
        id: entry.id.to_string(),
        value: lists::written(page.language, entry),
        list: page.t(&format!("lists-{}-title", lists::name(entry.list))),
        origin: lists::origin(&page, entry.origin),
        created: page.day(&entry.created),
    });
    let first = match list {
        ListKind::Personal if user.kind == UserKind::Functional => "bloques",
        list => lists::slug(list),
    };
    let home = Home {
        page: &page,
        cards,
        field,
        first,
        locked,
        paused: user.options.paused,
        how_many,
        waiting: waiting.collect(),
    };
    Ok(render(&page, &home))
}

/// Entries to be confirmed that are shown at once.
const MAX_WAITING: usize = 50;
