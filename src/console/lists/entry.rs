//! `/listes/entree/{id}`: one entry: what it applies to, why it may have no effect, its note; moved, removed, confirmed.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;

use super::Named;
use super::add::{added, carry_out, said, there_already};
use super::effect::{Ineffective, ineffective, with_effect};
use crate::console::failure::Failure;
use crate::console::intake::Reason;
use crate::console::page::{Notice, Page, Place, Tone, redirect_with, render};
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::policy::authres::AuthenticationMode;
use crate::policy::list::{EntryValue, ListKind};
use crate::policy::refusal::check;
use crate::store::{Actor, Edit, Entry, EntryId, MAX_EDITS, MAX_NOTE, Note, Readable, StoreError};

#[derive(Template)]
#[template(path = "lists_entry.html", config = ".askama.toml")]
struct EntryPage<'a> {
    page: &'a Page,
    id: String,
    value: String,
    list: Named,
    others: Vec<Named>,
    scope: String,
    origin: String,
    created: String,
    iso: String,
    confirmed: bool,
    readable: bool,
    note: String,
    longest: usize,
    /// Why it may have no effect, or less than one may think.
    hindrances: Vec<String>,
}

/// An entry that was asked for.
struct Found {
    entry: Entry,
    /// Why it has no effect, if it has none.
    ineffective: Option<Ineffective>,
}

impl Found {
    /// What it says.
    fn value(&self) -> Option<&EntryValue> {
        match &self.entry.value {
            Readable::Value(value) => Some(value),
            Readable::Lost | Readable::Altered => None,
        }
    }
}

async fn find(console: &Arc<Console>, signed_in: &SignedIn, id: &str) -> Result<Found, Failure> {
    let id: EntryId = id.parse().map_err(|_| Failure::NotFound)?;
    let (user, permission) = (signed_in.id(), signed_in.permission());
    let asker = signed_in.clone();
    let found = console.blocking(move |console| {
        let Some(entry) = console.store.read_entry(user, id, &permission)? else { return Ok(None) };
        let ineffective = match &entry.value {
            Readable::Value(value) => ineffective(console, &asker, entry.list, value)?,
            Readable::Lost | Readable::Altered => None,
        };
        Ok(Some(Found { entry, ineffective }))
    });
    found.await?.ok_or(Failure::NotFound)
}

/// `GET /listes/entree/{id}`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let found = find(&console, &signed_in, &id).await?;
    let page = Page::signed_in(&visitor, &signed_in, Place::Lists, "lists-entry-title");
    answer(&console, &signed_in, page, found, None).await
}

async fn answer(
    console: &Arc<Console>,
    signed_in: &SignedIn,
    page: Page,
    found: Found,
    typed: Option<String>,
) -> Result<Response, Failure> {
    let entry = &found.entry;
    let page = page.at(format!("/listes/entree/{}", entry.id));
    let of_this = |named: &Named| named.slug == super::slug(entry.list);
    let (list, others) = super::named(&page, &signed_in.user).into_iter().partition::<Vec<_>, _>(of_this);
    let list = list.into_iter().next().ok_or(Failure::NotFound)?;
    let answer = EntryPage {
        id: entry.id.to_string(),
        value: super::written(page.language, entry),
        list,
        others,
        scope: found.value().map(|value| super::scope(&page, value)).unwrap_or_default(),
        origin: super::origin(&page, entry.origin),
        created: page.day(&entry.created),
        iso: entry.created.to_string(),
        confirmed: entry.confirmed,
        readable: found.value().is_some(),
        note: typed.or_else(|| entry.note.as_ref().map(|note| note.as_str().to_owned())).unwrap_or_default(),
        longest: MAX_NOTE,
        hindrances: hindrances(console, signed_in, &page, &found),
        page: &page,
    };
    Ok(render(&page, &answer))
}

/// Why an entry may have no effect, most weighty first.
fn hindrances(console: &Console, signed_in: &SignedIn, page: &Page, found: &Found) -> Vec<String> {
    let Some(value) = found.value() else { return vec![page.t("lists-hindrance-unreadable")] };
    let list = found.entry.list;
    let mut hindrances = Vec::new();
    if signed_in.user.options.paused {
        hindrances.push(page.t("lists-hindrance-paused"));
    }
    let defaults = console.defaults();
    let rules = super::rules(&defaults, signed_in);
    if check(list, value, &rules).is_err() {
        hindrances.push(page.t("lists-hindrance-refused"));
    }
    hindrances.extend(found.ineffective.as_ref().map(|ineffective| {
        let (key, by) = ineffective.words();
        page.text(key, &[("by", by.unwrap_or_default().into())])
    }));
    if list != ListKind::Black && defaults.authentication.mode != AuthenticationMode::Off {
        hindrances.push(page.t("lists-hindrance-authentication"));
    }
    if matches!(value, EntryValue::Glob(_)) {
        hindrances.push(page.t("lists-hindrance-glob"));
    }
    hindrances
}

/// What is said of a change that came about, and of one that changed nothing: keys that name the entry.
struct Sayings {
    done: &'static str,
    nothing: &'static str,
    /// The list on which the entry is put.
    list: Option<ListKind>,
}

impl Sayings {
    /// Of a change that puts the entry nowhere.
    fn of(done: &'static str, nothing: &'static str) -> Self {
        Self { done, nothing, list: None }
    }
}

async fn change(
    console: &Arc<Console>,
    visitor: &Visitor,
    signed_in: &SignedIn,
    found: Found,
    edits: Vec<Edit>,
    sayings: Sayings,
    back: &str,
) -> Result<Response, Failure> {
    match carry_out(console, signed_in, Actor::User, edits).await? {
        Ok(changed) => {
            let written = super::written(visitor.language, &found.entry);
            let notice = said(&changed, sayings.done, sayings.nothing).with("value", written);
            let notice = match (sayings.list, found.value()) {
                (Some(list), Some(value)) => with_effect(console, signed_in, list, value.clone(), notice).await?,
                _ => notice,
            };
            Ok(redirect_with(back, notice))
        }
        Err(error) => {
            let page = Page::signed_in(visitor, signed_in, Place::Lists, "lists-entry-title");
            let text = page.t(super::refused(&error).ok_or_else(|| Failure::from(error))?);
            answer(console, signed_in, page.with_error("liste", text), found, None).await
        }
    }
}

/// `POST /listes/entree/{id}/retirer`
pub async fn remove(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let found = find(&console, &signed_in, &id).await?;
    let list = found.entry.list;
    let value = found.value().cloned().ok_or(Failure::NotFound)?;
    let sayings = Sayings::of("lists-removed", "lists-removed-before");
    change(&console, &visitor, &signed_in, found, vec![Edit::Remove(list, value)], sayings, &super::path(list)).await
}

/// The form of a note.
#[derive(Deserialize)]
pub struct Noted {
    note: String,
}

/// `POST /listes/entree/{id}/note`
pub async fn note(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Path(id): Path<String>,
    Form(noted): Form<Noted>,
) -> Result<Response, Failure> {
    let found = find(&console, &signed_in, &id).await?;
    let list = found.entry.list;
    let value = found.value().cloned().ok_or(Failure::NotFound)?;
    let note = match Note::parse(&noted.note) {
        Ok(note) => note,
        Err(StoreError::Invalid(_)) => {
            let page = Page::signed_in(&visitor, &signed_in, Place::Lists, "lists-entry-title");
            let text = page.t("lists-note-long");
            return answer(&console, &signed_in, page.with_error("note", text), found, Some(noted.note)).await;
        }
        Err(error) => return Err(error.into()),
    };
    let sayings = Sayings::of("lists-noted", "lists-noted-before");
    if note == found.entry.note {
        let notice = Notice::new(Tone::Plain, sayings.nothing).with("value", value.written());
        return Ok(redirect_with(&super::path(list), notice));
    }
    let edits = vec![Edit::Note(list, value, note)];
    change(&console, &visitor, &signed_in, found, edits, sayings, &super::path(list)).await
}

/// The form of a move.
#[derive(Deserialize)]
pub struct Moved {
    liste: String,
}

/// `POST /listes/entree/{id}/deplacer`
pub async fn move_to(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Path(id): Path<String>,
    Form(moved): Form<Moved>,
) -> Result<Response, Failure> {
    let to = super::of_slug(&moved.liste)?;
    let found = find(&console, &signed_in, &id).await?;
    let value = found.value().cloned().ok_or(Failure::NotFound)?;
    if let Err(refusal) = check(to, &value, &super::rules(&console.defaults(), &signed_in)) {
        let page = Page::signed_in(&visitor, &signed_in, Place::Lists, "lists-entry-title");
        let text = page.t(super::reason(Reason::Refused(refusal)));
        return answer(&console, &signed_in, page.with_error("liste", text), found, None).await;
    }
    let sayings = Sayings { done: added(to), nothing: there_already(to), list: Some(to) };
    let edits = match found.entry.list == to {
        true => vec![Edit::Add(to, value)],
        false => vec![Edit::Remove(found.entry.list, value.clone()), Edit::Add(to, value)],
    };
    change(&console, &visitor, &signed_in, found, edits, sayings, &super::path(to)).await
}

/// `POST /listes/entree/{id}/confirmer`: the user keeps what somebody else added.
pub async fn confirm(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let found = find(&console, &signed_in, &id).await?;
    let value = found.value().cloned().ok_or(Failure::NotFound)?;
    let sayings = Sayings::of("lists-confirmed", "lists-confirmed-before");
    let edits = vec![Edit::Confirm(found.entry.list, value)];
    change(&console, &visitor, &signed_in, found, edits, sayings, "/").await
}

/// `POST /listes/confirmer`: the user keeps all that others added.
pub async fn confirm_all(State(console): State<Arc<Console>>, signed_in: SignedIn) -> Result<Response, Failure> {
    let (user, permission) = (signed_in.id(), signed_in.permission());
    let waiting = console.blocking(move |console| console.store.read_waiting(user, MAX_EDITS, &permission)).await?;
    let edits = waiting.into_iter().filter_map(|entry| match entry.value {
        Readable::Value(value) => Some(Edit::Confirm(entry.list, value)),
        Readable::Lost | Readable::Altered => None,
    });
    let edits: Vec<_> = edits.collect();
    if edits.is_empty() {
        return Ok(redirect_with("/", Notice::new(Tone::Plain, "lists-nothing-waits")));
    }
    let count = edits.len().to_string();
    let changed = carry_out(&console, &signed_in, Actor::User, edits).await?.map_err(Failure::from)?;
    Ok(redirect_with("/", said(&changed, "lists-confirmed-all", "lists-nothing-waits").with("count", count)))
}
