//! `/historique`: what became of one's own messages, for who wants to see it.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::decision;
use super::failure::Failure;
use super::language::own_path;
use super::lists::add::{carry_out, said};
use super::page::{Notice, Page, Place, redirect_with, render};
use super::session::SignedIn;
use super::state::Console;
use super::visitor::Visitor;
use crate::language::Language;
use crate::policy::list::ListKind;
use crate::store::{Actor, Edit, History, Keeping};

/// Rows of one page.
const ROWS: usize = 50;
const PATH: &str = "/historique";

#[derive(Template)]
#[template(path = "history.html", config = ".askama.toml")]
struct HistoryPage<'a> {
    page: &'a Page,
    /// Whether the user wants it to be kept.
    is_kept: bool,
    /// For how many days.
    days: u64,
    /// Days of which rows are missing, in words.
    incomplete: String,
    rows: Vec<Row>,
    pages: Pages,
}

/// A message of the past.
struct Row {
    id: i64,
    machine_time: String,
    time: String,
    sender: Option<String>,
    result: decision::ResultWords,
    reason: Option<String>,
    /// What the message says cannot be read.
    is_altered: bool,
}

/// Where in the rows a page stands.
struct Pages {
    first: u64,
    last: u64,
    all: u64,
    newer: Option<usize>,
    older: Option<usize>,
}

/// Which page.
#[derive(Deserialize)]
pub struct Which {
    #[serde(default)]
    page: usize,
}

/// `GET /historique`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Query(which): Query<Which>,
) -> Result<Response, Failure> {
    let page = Page::signed_in(&visitor, &signed_in, Place::History, "history-title");
    let (user, permission) = (signed_in.id(), signed_in.permission());
    let is_kept = signed_in.user.options.activity;
    let history = console.blocking(move |console| console.store.activity(user, &permission)).await?;
    let incomplete: Vec<String> = history.incomplete.iter().map(|day| page.day(&noon(*day))).collect();
    let (rows, pages) = rows(page.language, &history, which.page);
    let shown =
        HistoryPage { page: &page, is_kept, days: history.days.into(), incomplete: incomplete.join(", "), rows, pages };
    Ok(render(&page, &shown))
}

/// A day as a time of that day, for its words.
fn noon(day: jiff::civil::Date) -> jiff::Timestamp {
    let noon = day.at(12, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC);
    noon.map_or(jiff::Timestamp::UNIX_EPOCH, |noon| noon.timestamp())
}

fn rows(language: Language, history: &History, page: usize) -> (Vec<Row>, Pages) {
    let all = history.rows.len();
    let page = page.min(all.saturating_sub(1) / ROWS);
    let start = page * ROWS;
    let shown = &history.rows[start..all.min(start + ROWS)];
    let row = |row: &crate::store::HistoryRow| match &row.activity {
        Some(activity) => Row {
            id: row.number,
            machine_time: activity.at.to_string(),
            time: super::text::moment(language, activity.at),
            sender: activity.sender().map(|sender| sender.as_str().to_owned()),
            result: decision::result(language, activity),
            reason: decision::short_reason(language, activity),
            is_altered: false,
        },
        None => Row {
            id: row.number,
            machine_time: String::new(),
            time: String::new(),
            sender: None,
            result: decision::ResultWords { text: String::new(), class: "" },
            reason: None,
            is_altered: true,
        },
    };
    let pages = Pages {
        first: (start + 1) as u64,
        last: (start + shown.len()) as u64,
        all: all as u64,
        newer: page.checked_sub(1),
        older: (start + ROWS < all).then_some(page + 1),
    };
    (shown.iter().map(row).collect(), pages)
}

/// `POST /historique/noter`: from now on.
pub async fn keep(State(console): State<Arc<Console>>, signed_in: SignedIn) -> Result<Response, Failure> {
    let user = signed_in.id();
    console.blocking(move |console| console.store.keep_activity(user, Keeping::On)).await?;
    Ok(redirect_with(PATH, Notice::good("history-kept")))
}

/// What is to be erased, and whether it ends with that.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Erasing {
    Rows,
    RowsAndStop,
}

impl Erasing {
    /// The page that asks.
    fn path(self) -> &'static str {
        match self {
            Self::Rows => "/historique/effacer",
            Self::RowsAndStop => "/historique/arreter",
        }
    }
}

#[derive(Template)]
#[template(path = "history_erase.html", config = ".askama.toml")]
struct ErasePage<'a> {
    page: &'a Page,
    stops: bool,
}

fn ask(visitor: &Visitor, signed_in: &SignedIn, erasing: Erasing) -> Result<Response, Failure> {
    signed_in.require_fresh(erasing.path())?;
    let stops = erasing == Erasing::RowsAndStop;
    let title = if stops { "history-stop-title" } else { "history-erase-title" };
    let page = Page::signed_in(visitor, signed_in, Place::History, title);
    Ok(render(&page, &ErasePage { page: &page, stops }))
}

/// `GET /historique/effacer`
pub async fn ask_erase(visitor: Visitor, signed_in: SignedIn) -> Result<Response, Failure> {
    ask(&visitor, &signed_in, Erasing::Rows)
}

/// `GET /historique/arreter`
pub async fn ask_stop(visitor: Visitor, signed_in: SignedIn) -> Result<Response, Failure> {
    ask(&visitor, &signed_in, Erasing::RowsAndStop)
}

/// `POST /historique/effacer`
pub async fn erase(State(console): State<Arc<Console>>, signed_in: SignedIn) -> Result<Response, Failure> {
    erased(&console, &signed_in, Erasing::Rows).await?;
    Ok(redirect_with(PATH, Notice::good("history-erased")))
}

/// `POST /historique/arreter`
pub async fn stop(State(console): State<Arc<Console>>, signed_in: SignedIn) -> Result<Response, Failure> {
    erased(&console, &signed_in, Erasing::RowsAndStop).await?;
    Ok(redirect_with(PATH, Notice::good("history-stopped")))
}

/// Who may not read may not erase either: the personal lock is closed to them.
async fn erased(console: &Arc<Console>, signed_in: &SignedIn, erasing: Erasing) -> Result<(), Failure> {
    signed_in.require_fresh(erasing.path())?;
    let (user, permission) = (signed_in.id(), signed_in.permission());
    let erase = move |console: &Console| {
        console.store.check_permission(user, &permission)?;
        match erasing {
            Erasing::Rows => console.store.purge_activity(user),
            Erasing::RowsAndStop => console.store.keep_activity(user, Keeping::Off),
        }
    };
    console.blocking(erase).await
}

/// An entry, to be taken off its list.
#[derive(Deserialize)]
pub struct Chosen {
    liste: String,
    valeur: String,
    #[serde(default)]
    retour: String,
}

impl Chosen {
    fn back(&self) -> &str {
        if self.retour.is_empty() { PATH } else { own_path(&self.retour) }
    }
}

/// `POST /historique/retirer`: the entry that decided comes off its list.
pub async fn remove(
    State(console): State<Arc<Console>>,
    signed_in: SignedIn,
    Form(chosen): Form<Chosen>,
) -> Result<Response, Failure> {
    let list: ListKind = chosen.liste.parse().map_err(|_| Failure::Malformed)?;
    let value: crate::policy::list::EntryValue = chosen.valeur.parse().map_err(|_| Failure::Malformed)?;
    let (user, permission, written) = (signed_in.id(), signed_in.permission(), value.written());
    console.blocking(move |console| console.store.check_permission(user, &permission)).await?;
    let edits = vec![Edit::Remove(list, value)];
    let changed = carry_out(&console, &signed_in, Actor::User, edits).await?.map_err(Failure::from)?;
    let notice = said(&changed, "lists-removed", "lists-removed-before").with("value", written);
    Ok(redirect_with(chosen.back(), notice))
}
