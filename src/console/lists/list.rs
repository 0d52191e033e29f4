//! `/listes/{liste}`: one list: searched, sorted, a page of it. What is searched for may be somebody's address: it is sent as
//! a form, and stands in no link that a proxy would log.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;

use super::Typed;
use crate::activity;
use crate::console::failure::Failure;
use crate::console::how_many::HowMany;
use crate::console::page::{Page, Place, render};
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::language::Language;
use crate::policy::list::{EntryValue, ListKind};
use crate::store::{Entry, EntryId, Note, Readable, StoreError, UserKind};

/// Entries on a page.
pub const ON_PAGE: usize = 100;
/// Longest text searched for, in characters.
const MAX_SEARCH: usize = 200;

/// What of the list is asked for.
#[derive(Default, Deserialize)]
pub struct Asked {
    #[serde(default)]
    tri: Sort,
    #[serde(default)]
    page: Option<String>,
}

/// What is searched for, and how what is found is looked at: `-date.2`.
#[derive(Deserialize)]
pub struct Searched {
    #[serde(default)]
    q: String,
    #[serde(default)]
    vue: String,
}

/// A part of a list.
struct View {
    search: String,
    sort: Sort,
    number: usize,
}

impl View {
    fn of(search: &str, sort: Sort, page: Option<&str>) -> Self {
        let search = search.trim().chars().take(MAX_SEARCH).collect();
        Self { search, sort, number: page.and_then(|page| page.parse().ok()).unwrap_or(1) }
    }
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
    const ALL: [Self; 4] = [Self::Value, Self::ValueDown, Self::Date, Self::DateDown];

    fn as_str(self) -> &'static str {
        match self {
            Self::Value => "adresse",
            Self::ValueDown => "-adresse",
            Self::Date => "date",
            Self::DateDown => "-date",
        }
    }

    fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|sort| sort.as_str() == name).unwrap_or_default()
    }

    fn apply(self, entries: &mut [Shown]) {
        match self {
            Self::Value => {}
            Self::ValueDown => entries.reverse(),
            Self::Date => entries.sort_by_key(|shown| shown.entry.created),
            Self::DateDown => entries.sort_by_key(|shown| std::cmp::Reverse(shown.entry.created)),
        }
    }
}

struct Shown {
    entry: Entry,
    value: String,
}

/// Another view of the list: a link, or while something is searched for a button that sends that along.
struct Go {
    link: String,
    view: String,
}

impl Go {
    fn to(sort: Sort, number: usize) -> Self {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if sort != Sort::Value {
            query.append_pair("tri", sort.as_str());
        }
        if number > 1 {
            query.append_pair("page", &number.to_string());
        }
        Self { link: format!("?{}", query.finish()), view: format!("{}.{number}", sort.as_str()) }
    }
}

/// A column that sorts.
struct Column {
    /// `aria-sort`, where the list is in its order.
    sorted: Option<&'static str>,
    /// Sorts by it, or turns it round.
    go: Go,
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
    typed: Typed,
    how_many: Option<HowMany>,
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
    previous: Option<Go>,
    next: Option<Go>,
    locked: bool,
    paused: bool,
    /// Whether entries on this page lost their values in a fresh start.
    unreadable: bool,
}

struct PageLink {
    number: usize,
    go: Go,
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
    let view = View::of("", asked.tri, asked.page.as_deref());
    answer(&console, &signed_in, page_of(&visitor, &signed_in, list), list, view, Typed::default(), None).await
}

/// `POST /listes/{liste}`: what is searched for.
pub async fn search(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Path(slug): Path<String>,
    Form(searched): Form<Searched>,
) -> Result<Response, Failure> {
    let list = super::of_slug(&slug)?;
    let (sort, number) = searched.vue.split_once('.').unwrap_or((&searched.vue, ""));
    let view = View::of(&searched.q, Sort::named(sort), Some(number));
    answer(&console, &signed_in, page_of(&visitor, &signed_in, list), list, view, Typed::default(), None).await
}

/// The page of a list, with nothing wrong yet.
pub fn page_of(visitor: &Visitor, signed_in: &SignedIn, list: ListKind) -> Page {
    Page::signed_in(visitor, signed_in, Place::Lists, &format!("lists-{}-title", super::name(list)))
        .at(super::path(list))
}

/// The page once more: with what is wrong with its form, or with how many messages what stands in it would have matched.
///
/// # Errors
/// As of the store.
pub async fn again(
    console: &Arc<Console>,
    signed_in: &SignedIn,
    page: Page,
    list: ListKind,
    typed: Typed,
    how_many: Option<HowMany>,
) -> Result<Response, Failure> {
    answer(console, signed_in, page, list, View::of("", Sort::default(), None), typed, how_many).await
}

async fn answer(
    console: &Arc<Console>,
    signed_in: &SignedIn,
    page: Page,
    list: ListKind,
    view: View,
    typed: Typed,
    how_many: Option<HowMany>,
) -> Result<Response, Failure> {
    if list == ListKind::Personal && signed_in.user.kind == UserKind::Functional {
        return Err(Failure::NotFound);
    }
    let (language, reader) = (page.language, signed_in.clone());
    let sort = view.sort;
    let search = view.search.clone();
    let found = console.blocking(move |console| match find(console, &reader, language, list, &view) {
        Err(StoreError::UserLocked) => Ok(None),
        found => found.map(Some),
    });
    let found = found.await?;
    let locked = found.is_none();
    let Found { rows, notes, last, all, found, number, pages } = found.unwrap_or_default();
    let column = |up: Sort, down: Sort| match sort {
        sort if sort == up => Column { sorted: Some("ascending"), go: Go::to(down, 1) },
        sort if sort == down => Column { sorted: Some("descending"), go: Go::to(up, 1) },
        _ => Column { sorted: None, go: Go::to(up, 1) },
    };
    let name = super::name(list);
    let unreadable = rows.iter().any(|shown| matches!(shown.entry.value, Readable::Lost));
    let rows = rows.iter().zip(notes).zip(last);
    let answer = List {
        page: &page,
        slug: super::slug(list),
        name,
        lead: page.t(&format!("lists-{name}-lead")),
        empty: page.t(&format!("lists-{name}-empty")),
        typed,
        how_many,
        value: column(Sort::Value, Sort::ValueDown),
        date: column(Sort::Date, Sort::DateDown),
        rows: rows.map(|((shown, note), last)| row(&page, shown, note, last)).collect(),
        all: all as u64,
        found: found as u64,
        first: number.saturating_sub(1) * ON_PAGE + 1,
        number,
        pages: near(number, pages).map(|number| PageLink { number, go: Go::to(sort, number) }).collect(),
        previous: (number > 1).then(|| Go::to(sort, number - 1)),
        next: (number < pages).then(|| Go::to(sort, number + 1)),
        locked,
        paused: signed_in.user.options.paused,
        unreadable,
        search,
    };
    Ok(render(&page, &answer))
}

/// The rows of a page, and where it stands.
#[derive(Default)]
struct Found {
    rows: Vec<Shown>,
    notes: Vec<Option<Note>>,
    last: Vec<Option<Timestamp>>,
    all: usize,
    found: usize,
    number: usize,
    pages: usize,
}

fn find(
    console: &Console,
    signed_in: &SignedIn,
    language: Language,
    list: ListKind,
    view: &View,
) -> Result<Found, StoreError> {
    let (user, permission) = (signed_in.id(), signed_in.permission());
    // Notes are searched too; where nothing is searched for, those of this page are all that is shown.
    let is_search = !view.search.is_empty();
    let entries = match is_search {
        true => console.store.read_entries(user, Some(list), &permission)?,
        false => console.store.read_values(user, list, &permission)?,
    };
    let all = entries.len();
    let mut shown = matching(language, entries, &view.search);
    view.sort.apply(&mut shown);
    let found = shown.len();
    let pages = found.div_ceil(ON_PAGE).max(1);
    let number = view.number.clamp(1, pages);
    let rows: Vec<Shown> = shown.into_iter().skip((number - 1) * ON_PAGE).take(ON_PAGE).collect();
    let notes = match is_search {
        true => rows.iter().map(|shown| shown.entry.note.clone()).collect(),
        false => {
            let ids: Vec<EntryId> = rows.iter().map(|shown| shown.entry.id).collect();
            console.store.read_notes(user, &ids, &permission)?
        }
    };
    let last = last_matches(console, signed_in, list, &rows)?;
    Ok(Found { rows, notes, last, all, found, number, pages })
}

fn matching(language: Language, entries: Vec<Entry>, search: &str) -> Vec<Shown> {
    let wanted = search.to_lowercase();
    let all = entries.into_iter().map(|entry| Shown { value: super::written(language, &entry), entry });
    let fits = |shown: &Shown| {
        let note = || shown.entry.note.as_ref().is_some_and(|note| note.as_str().to_lowercase().contains(&wanted));
        wanted.is_empty() || shown.value.contains(&wanted) || note()
    };
    all.filter(fits).collect()
}

/// When the entries of a page last matched a message of the user's history; nothing where none is kept.
fn last_matches(
    console: &Console,
    signed_in: &SignedIn,
    list: ListKind,
    rows: &[Shown],
) -> Result<Vec<Option<Timestamp>>, StoreError> {
    if !signed_in.user.options.activity || rows.is_empty() {
        return Ok(vec![None; rows.len()]);
    }
    let values: Vec<Option<&EntryValue>> = rows.iter().map(|shown| readable(&shown.entry.value)).collect();
    let history = console.store.activity(signed_in.id(), &signed_in.permission())?;
    let known: Vec<_> = values.iter().flatten().map(|value| (list, *value)).collect();
    let forwarders = &console.defaults().authentication.forwarders;
    let mut last = activity::last_matches(forwarders, &history, &known).into_iter();
    Ok(values.iter().map(|value| value.and_then(|_| last.next().flatten())).collect())
}

fn readable(value: &Readable) -> Option<&EntryValue> {
    match value {
        Readable::Value(value) => Some(value),
        Readable::Lost | Readable::Altered => None,
    }
}

fn row(page: &Page, shown: &Shown, note: Option<Note>, last: Option<Timestamp>) -> Row {
    let entry = &shown.entry;
    Row {
        id: entry.id.to_string(),
        value: shown.value.clone(),
        scope: readable(&entry.value).map(|value| super::scope(page, value)).unwrap_or_default(),
        note: note.map(|note| note.as_str().to_owned()),
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
