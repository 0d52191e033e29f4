//! `/pourquoi`: why a message was treated as it was, from a row of one's history or from pasted headers.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::decision;
use super::failure::Failure;
use super::page::{Page, Place, render};
use super::session::SignedIn;
use super::state::Console;
use super::visitor::Visitor;
use crate::language::Language;
use crate::policy::list::ListKind;
use crate::store::{Activity, LoadedOrganisation};
use crate::why::{MAX_HEADERS, OwnView};

#[derive(Template)]
#[template(path = "why.html", config = ".askama.toml")]
struct WhyPage<'a> {
    page: &'a Page,
    answer: Option<Answer>,
    headers: &'a str,
}

/// The explanation of one message.
struct Answer {
    /// When it came; `None` for pasted headers.
    time: Option<(String, String)>,
    sender: Option<String>,
    /// The envelope sender, where it is another.
    bounces: Option<String>,
    result: decision::ResultWords,
    reasons: Vec<String>,
    proof: String,
    without: Option<String>,
    proven: Option<String>,
    /// What it would become now, where that is something else.
    now: Option<String>,
    /// The entry that decided: name of its list, and what it says.
    entry: Option<(ListKind, String)>,
}

fn answer(language: Language, view: &OwnView, activity: &Activity, is_past: bool) -> Answer {
    let why = view.why(activity);
    let outcome = |verdict| decision::outcome(language, verdict);
    let text = |address: &crate::policy::address::Address| address.as_str().to_owned();
    let bounces =
        activity.envelope.as_ref().filter(|_| activity.header.is_some() && activity.envelope != activity.header);
    let is_other = why.now.outcome != activity.verdict.outcome;
    Answer {
        time: is_past.then(|| (activity.at.to_string(), super::text::moment(language, activity.at))),
        sender: activity.sender().map(text),
        bounces: bounces.map(text),
        result: decision::result(language, activity),
        reasons: decision::reasons(language, view, activity),
        proof: decision::proof(language, activity),
        without: why.without.as_ref().map(outcome),
        proven: why.proven.as_ref().map(outcome),
        now: is_other.then(|| outcome(&why.now)),
        entry: why.entry.and_then(|entry| Some((entry.list, entry.value?.written()))),
    }
}

/// What the user's messages are decided by.
fn view(console: &Console, signed_in: &SignedIn) -> Result<OwnView, crate::store::StoreError> {
    let loaded = console.store.compiled(signed_in.id())?;
    let now = (console.clock)();
    let own_lists = console.store.own_lists(signed_in.organisation.id)?;
    let organisation = LoadedOrganisation { organisation: (*signed_in.organisation).clone(), own_lists };
    Ok(OwnView::new(&console.defaults(), &organisation, &signed_in.user, &loaded, now))
}

/// Which row of the history.
#[derive(Deserialize)]
pub struct Which {
    #[serde(default)]
    message: Option<i64>,
}

/// `GET /pourquoi`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Query(which): Query<Which>,
) -> Result<Response, Failure> {
    let page = Page::signed_in(&visitor, &signed_in, Place::Why, "why-title");
    let Some(id) = which.message else {
        return Ok(render(&page, &WhyPage { page: &page, answer: None, headers: "" }));
    };
    let language = page.language;
    let found = console.blocking(move |console| {
        let history = console.store.activity(signed_in.id(), &signed_in.permission())?;
        let row = history.rows.into_iter().find(|row| row.number == id);
        let Some(activity) = row.and_then(|row| row.activity) else { return Ok(None) };
        Ok(Some(answer(language, &view(console, &signed_in)?, &activity, true)))
    });
    let answer = found.await?.ok_or(Failure::NotFound)?;
    Ok(render(&page, &WhyPage { page: &page, answer: Some(answer), headers: "" }))
}

/// The form.
#[derive(Deserialize)]
pub struct Pasted {
    #[serde(default)]
    entetes: String,
}

/// `POST /pourquoi`: nothing of what is pasted is kept.
pub async fn explain(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Form(pasted): Form<Pasted>,
) -> Result<Response, Failure> {
    let page = Page::signed_in(&visitor, &signed_in, Place::Why, "why-title");
    let refused = |page: Page, key| {
        let text = page.t(key);
        let page = page.with_error("entetes", text);
        Ok(render(&page, &WhyPage { page: &page, answer: None, headers: &pasted.entetes }))
    };
    if pasted.entetes.trim().is_empty() {
        return refused(page, "why-empty");
    }
    if pasted.entetes.len() > MAX_HEADERS {
        return refused(page, "why-too-long");
    }
    let (language, headers) = (page.language, pasted.entetes.clone());
    let found = console.blocking(move |console| {
        // What decides tells of the lists: under the personal lock it takes the user's own secret.
        console.store.check_permission(signed_in.id(), &signed_in.permission())?;
        let view = view(console, &signed_in)?;
        let activity = view.headers(headers.trim_start().as_bytes());
        Ok(activity.map(|activity| answer(language, &view, &activity, false)))
    });
    match found.await? {
        Some(answer) => Ok(render(&page, &WhyPage { page: &page, answer: Some(answer), headers: &pasted.entetes })),
        None => refused(page, "why-no-sender"),
    }
}
