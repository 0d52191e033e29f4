//! `/gestion/listes`: the white and black lists of the organisation itself, above its users' lists or below them.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::{Manager, Member};
use crate::console::failure::Failure;
use crate::console::page::{Notice, Page, redirect_with, render};
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::policy::list::ListKind;
use crate::policy::refusal::{EntryRules, Refusal, check};
use crate::store::{Level, OwnEntry, StoreError};

/// Entries that one page shows; the rest is searched for.
const SHOWN: usize = 200;
const PATH: &str = "/gestion/listes";

#[derive(Template)]
#[template(path = "staff/own_lists.html", config = ".askama.toml")]
struct OwnLists<'a> {
    page: &'a Page,
    member: &'a Member,
    typed: &'a Typed,
    search: &'a str,
    entries: Vec<Row>,
    /// How many more there are.
    more: u64,
}

/// An entry as the page shows it.
struct Row {
    level: Level,
    list: ListKind,
    value: String,
}

/// The form of one entry.
#[derive(Deserialize, Default)]
pub struct Typed {
    niveau: String,
    liste: String,
    valeur: String,
}

/// What is searched for.
#[derive(Deserialize)]
pub struct Search {
    #[serde(default)]
    q: String,
}

/// `GET /gestion/listes`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    manager: Manager,
    Query(search): Query<Search>,
) -> Result<Response, Failure> {
    let page = manager.member.page(&visitor, "staff-lists-title");
    written(&console, &page, &manager, &search.q, &Typed::default()).await
}

async fn written(
    console: &Arc<Console>,
    page: &Page,
    manager: &Manager,
    search: &str,
    typed: &Typed,
) -> Result<Response, Failure> {
    let organisation = manager.organisation.id;
    let own_lists = console.blocking(move |console| console.store.own_lists(organisation)).await?;
    let sought = search.trim().to_lowercase();
    let rows = own_lists.iter().map(|entry| Row { level: entry.level, list: entry.list, value: entry.value.written() });
    let mut entries: Vec<Row> = rows.filter(|row| row.value.contains(&sought)).collect();
    let more = entries.len().saturating_sub(SHOWN) as u64;
    entries.truncate(SHOWN);
    Ok(render(page, &OwnLists { page, member: &manager.member, typed, search, entries, more }))
}

fn entry(typed: &Typed) -> Result<OwnEntry, Failure> {
    let level: Level = typed.niveau.parse().map_err(|_| Failure::Malformed)?;
    let list: ListKind = typed.liste.parse().map_err(|_| Failure::Malformed)?;
    if list == ListKind::Personal {
        return Err(Failure::Malformed);
    }
    let value = typed.valeur.trim().parse().map_err(|_| Failure::NotFound)?;
    Ok(OwnEntry { level, list, value })
}

/// `POST /gestion/listes`
pub async fn add(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    manager: Manager,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    let wrong = async |key: &str| {
        let page = manager.member.page(&visitor, "staff-lists-title");
        let text = page.t(key);
        written(&console, &page.with_error("valeur", text), &manager, "", &typed).await
    };
    let entry = match entry(&typed) {
        Err(Failure::NotFound) => return wrong("staff-lists-wrong").await,
        entry => entry?,
    };
    // Its own lists are the organisation's to decide; only what would cover everybody or nobody is refused.
    let rules = EntryRules { own_domains: &[], protected_domains: &[], protected_senders: &[], globs: true };
    if let Err(refusal) = check(entry.list, &entry.value, &rules) {
        return wrong(refusal_key(refusal)).await;
    }
    let (id, actor, value) = (manager.organisation.id, manager.member.actor(), entry.value.written());
    let added = console.blocking(move |console| match console.store.add_own_entry(&actor, id, &entry) {
        Err(StoreError::ListFull(_)) => Ok(false),
        added => added.map(|()| true),
    });
    if !added.await? {
        return wrong("staff-lists-full").await;
    }
    Ok(redirect_with(PATH, Notice::good("staff-lists-added").with("value", value)))
}

fn refusal_key(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Everybody => "staff-lists-everybody",
        Refusal::PublicSuffix => "staff-lists-public-suffix",
        Refusal::Freemail => "staff-lists-freemail",
        _ => "staff-lists-wrong",
    }
}

/// `POST /gestion/listes/retirer`
pub async fn remove(
    State(console): State<Arc<Console>>,
    manager: Manager,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    let entry = entry(&typed)?;
    let (id, actor, value) = (manager.organisation.id, manager.member.actor(), entry.value.written());
    console.blocking(move |console| console.store.remove_own_entry(&actor, id, &entry)).await?;
    Ok(redirect_with(PATH, Notice::good("staff-lists-removed").with("value", value)))
}

impl Typed {
    /// Whether a choice was made before.
    fn is_level(&self, level: &str) -> bool {
        self.niveau == level || (self.niveau.is_empty() && level == Level::Enforced.as_str())
    }

    fn is_list(&self, list: &str) -> bool {
        self.liste == list || (self.liste.is_empty() && list == ListKind::Black.as_str())
    }
}

impl Row {
    fn level_key(&self) -> &'static str {
        match self.level {
            Level::Enforced => "staff-lists-enforced",
            Level::Default => "staff-lists-default",
        }
    }

    fn list_key(&self) -> &'static str {
        match self.list {
            ListKind::White => "staff-lists-white",
            ListKind::Black | ListKind::Personal => "staff-lists-black",
        }
    }
}
