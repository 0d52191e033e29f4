//! `/listes/{liste}`: one list: searched, sorted, a page of it.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;

use crate::activity;
use crate::console::failure::Failure;
use crate::console::page::{Page, Place, render};
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::policy::list::{EntryValue, ListKind};
use crate::store::{Entry, Readable, StoreError, UserKind};

/// Entries on a page.
pub const ON_PAGE: usize = 100;
/// Longest text searched for, in characters.
const MAX_SEARCH: usize = 200;

/// What of the list is asked for.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    tri: Sort,
    #[serde(default)]
    page: Option<String>,
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Sort {
    /// The other way round.
    #[serde(rename = "-adresse")]
    ValueDown,
    /// Oldest first.
    #[serde(rename = "date")]
    Date,
    /// Newest first.
    #[serde(rename = "-date")]
    DateDown,
    /// By address or domain.
    #[default]
    #[serde(other)]
    Value,
}

impl Sort {
    fn as_str(self) -> &'static str {
        match self {
            Self::Value => "adresse",
            Self::ValueDown => "-adresse",
            Self::Date => "date",
            Self::DateDown => "-date",
        }
    }

    fn apply(self, entries: &mut [Shown<'_>]) {
        match self {
            Self::Value => {}
            Self::ValueDown => entries.reverse(),
            Self::Date => entries.sort_by_key(|shown| shown.entry.created),
            Self::DateDown => entries.sort_by_key(|shown| std::cmp::Reverse(shown.entry.created)),
        }
    }
}

struct Shown<'a> {
    entry: &'a Entry,
    value: String,
}

/// A column that sorts.
struct Column {
    /// `aria-sort`, where the list is in its order.
    sorted: Option<&'static str>,
    /// The link that sorts by it, or turns it round.
    link: String,
}

struct Row {
    id: String,
    value: String,
    scope: String,
    note: Option<String>,
    origin: String,
    created: String,
    iso: String,
    confirmed: bool,
    /// Day of the last message that it matched, where that is known.
    last: Option<String>,
}

#[derive(Template)]
#[template(path = "lists_list.html", config = ".askama.toml")]
struct List<'a> {
    page: &'a Page,
    slug: &'static str,
    name: &'static str,
    lead: String,
    empty: String,
    search: String,
    value: Column,
    date: Column,
    rows: Vec<Row>,
    /// How many entries there are in all, and how many were found.
    all: u64,
    found: u64,
    first: usize,
    number: usize,
    pages: Vec<PageLink>,
    previous: Option<String>,
    next: Option<String>,
    locked: bool,
    paused: bool,
}

struct PageLink {
    number: usize,
    link: String,
}

/// `GET /listes/{liste}`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let list = super::of_slug(&slug)?;
    if list == ListKind::Personal && signed_in.user.kind == UserKind::Functional {
        return Err(Failure::NotFound);
    }
    let entries = super::read(&console, &signed_in, Some(list)).await?;
    let name = super::name(list);
    let page = Page::signed_in(&visitor, &signed_in, Place::Lists, &format!("lists-{name}-title"));
    let search: String = asked.q.trim().chars().take(MAX_SEARCH).collect();
    let locked = entries.is_none();
    let entries = entries.unwrap_or_default();
    let mut shown = matching(&page, &entries, &search);
    asked.tri.apply(&mut shown);
    let last = shown.len().div_ceil(ON_PAGE).max(1);
    let number = asked.page.and_then(|page| page.parse().ok()).unwrap_or(1).clamp(1, last);
    let on_page: Vec<&Shown<'_>> = shown.iter().skip((number - 1) * ON_PAGE).take(ON_PAGE).collect();
    let last_matches = last_matches(&console, &signed_in, list, &on_page).await?;
    let link = |sort: Sort, number: usize| link(&search, sort, number);
    let column = |up: Sort, down: Sort| match asked.tri {
        sort if sort == up => Column { sorted: Some("ascending"), link: link(down, 1) },
        sort if sort == down => Column { sorted: Some("descending"), link: link(up, 1) },
        _ => Column { sorted: None, link: link(up, 1) },
    };
    let answer = List {
        page: &page,
        slug: super::slug(list),
        name,
        lead: page.t(&format!("lists-{name}-lead")),
        empty: page.t(&format!("lists-{name}-empty")),
        value: column(Sort::Value, Sort::ValueDown),
        date: column(Sort::Date, Sort::DateDown),
        rows: on_page.iter().zip(last_matches).map(|(shown, last)| row(&page, shown, last)).collect(),
        all: entries.len() as u64,
        found: shown.len() as u64,
        first: (number - 1) * ON_PAGE + 1,
        number,
        pages: near(number, last).map(|number| PageLink { number, link: link(asked.tri, number) }).collect(),
        previous: (number > 1).then(|| link(asked.tri, number - 1)),
        next: (number < last).then(|| link(asked.tri, number + 1)),
        locked,
        paused: signed_in.user.options.paused,
        search: search.clone(),
    };
    Ok(render(&page, &answer))
}

fn matching<'a>(page: &Page, entries: &'a [Entry], search: &str) -> Vec<Shown<'a>> {
    let wanted = search.to_lowercase();
    let all = entries.iter().map(|entry| Shown { value: super::written(page, entry), entry });
    let fits = |shown: &Shown<'_>| {
        let note = || shown.entry.note.as_ref().is_some_and(|note| note.as_str().to_lowercase().contains(&wanted));
        wanted.is_empty() || shown.value.contains(&wanted) || note()
    };
    all.filter(fits).collect()
}

/// When the entries of a page last matched a message of the user's history; nothing where none is kept.
async fn last_matches(
    console: &Arc<Console>,
    signed_in: &SignedIn,
    list: ListKind,
    on_page: &[&Shown<'_>],
) -> Result<Vec<Option<Timestamp>>, Failure> {
    if !signed_in.user.options.activity || on_page.is_empty() {
        return Ok(vec![None; on_page.len()]);
    }
    let values: Vec<Option<EntryValue>> = on_page.iter().map(|shown| readable(&shown.entry.value).cloned()).collect();
    let (user, permission) = (signed_in.id(), signed_in.permission());
    let work = move |console: &Console| {
        let history = match console.store.activity(user, &permission) {
            Err(StoreError::UserLocked) => return Ok(vec![None; values.len()]),
            history => history?,
        };
        let known: Vec<_> = values.iter().flatten().map(|value| (list, value)).collect();
        let forwarders = &console.defaults().authentication.forwarders;
        let mut last = activity::last_matches(forwarders, &history, &known).into_iter();
        Ok(values.iter().map(|value| value.as_ref().and_then(|_| last.next().flatten())).collect())
    };
    console.blocking(work).await
}

fn readable(value: &Readable) -> Option<&EntryValue> {
    match value {
        Readable::Value(value) => Some(value),
        Readable::Lost | Readable::Altered => None,
    }
}

fn row(page: &Page, shown: &Shown<'_>, last: Option<Timestamp>) -> Row {
    let entry = shown.entry;
    Row {
        id: entry.id.to_string(),
        value: shown.value.clone(),
        scope: readable(&entry.value).map(|value| super::scope(page, value)).unwrap_or_default(),
        note: entry.note.as_ref().map(|note| note.as_str().to_owned()),
        origin: super::origin(page, entry.origin),
        created: page.day(&entry.created),
        iso: entry.created.to_string(),
        confirmed: entry.confirmed,
        last: last.map(|at| page.day(&at)),
    }
}

/// The pages beside one, with the first and the last.
fn near(number: usize, last: usize) -> impl Iterator<Item = usize> {
    (1..=last).filter(move |page| *page == 1 || *page == last || page.abs_diff(number) <= 2)
}

fn link(search: &str, sort: Sort, number: usize) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if !search.is_empty() {
        query.append_pair("q", search);
    }
    if sort != Sort::Value {
        query.append_pair("tri", sort.as_str());
    }
    if number > 1 {
        query.append_pair("page", &number.to_string());
    }
    format!("?{}", query.finish())
}
