//! `/listes/ajouter`: one field for an address or a domain. What would serve better is offered before it is added: the move
//! from another list, the domain instead of an address that changes or of many.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{of_slug, several};
use crate::console::failure::Failure;
use crate::console::home;
use crate::console::how_many::how_many;
use crate::console::intake::{Candidate, Intake, Reason, Suggestion, Why, check, read_text, suggest};
use crate::console::page::{Notice, Page, Place, redirect_with, render};
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::policy::list::{EntryValue, ListKind};
use crate::policy::refusal::EntryRules;
use crate::store::{Actor, Edit, Entry, Note, Readable, StoreError};

/// Longest text of the field that is shown again, in characters; who pastes more has the page for it.
const MAX_FIELD: usize = 2000;

/// The form.
#[derive(Deserialize)]
pub struct Typed {
    adresse: String,
    liste: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    choix: Choice,
}

/// What the user chose of what was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// It is taken off the other lists.
    Deplacer,
    /// It is added as it stands, beside whatever is there.
    Seul,
    /// Nothing was offered yet.
    #[default]
    #[serde(other)]
    Rien,
}

/// What is offered in place of adding at once.
enum Offer {
    /// It stands on these lists.
    Move(Vec<ListKind>),
    /// A domain says it better.
    Domain(Suggestion),
}

#[derive(Template)]
#[template(path = "lists_offer.html", config = ".askama.toml")]
struct OfferPage<'a> {
    page: &'a Page,
    value: String,
    domain: Option<String>,
    text: String,
    /// What the buttons say: what is offered, and what was asked for.
    offered: String,
    alone: String,
    slug: &'a str,
    note: &'a str,
}

/// `POST /listes/ajouter`
pub async fn add(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    let list = of_slug(&typed.liste)?;
    let page = Page::signed_in(&visitor, &signed_in, Place::Lists, "home-title");
    let defaults = console.defaults();
    let rules = super::rules(&defaults, &signed_in);
    let intake = check(read_text(&typed.adresse), list, &rules);
    let again = |text: String| {
        let field = typed.adresse.chars().take(MAX_FIELD).collect();
        home::again(&console, &visitor, &signed_in, list, field, text)
    };
    let candidate = match one(intake) {
        Ok(candidate) => candidate,
        Err(Some(intake)) => return several::preview(&console, &visitor, &signed_in, list, intake).await,
        Err(None) if typed.adresse.trim().is_empty() => return again(page.t("lists-bad-empty")).await,
        Err(None) => {
            let bad = check(read_text(&typed.adresse), list, &rules).bad;
            let reason = bad.first().map_or(Reason::NoAddress, |bad| bad.reason);
            return again(super::reason(&page, reason)).await;
        }
    };
    let note = match Note::parse(&typed.note) {
        Ok(note) => note.or(candidate.note),
        Err(_) => return again(page.t("lists-note-long")).await,
    };
    let entries = super::read(&console, &signed_in, None).await?.unwrap_or_default();
    if typed.choix == Choice::Rien
        && let Some(offer) = offer(&candidate.value, list, &entries, &rules)
    {
        return Ok(show_offer(&visitor, &signed_in, list, &candidate.value, note.as_ref(), offer));
    }
    let value = candidate.value;
    let mut edits = Vec::new();
    if typed.choix == Choice::Deplacer {
        edits.extend(standing(&value, list, &entries).map(|other| Edit::Remove(other, value.clone())));
    }
    edits.push(Edit::Add(list, value.clone()));
    edits.extend(note.map(|note| Edit::Note(list, value.clone(), Some(note))));
    match carry_out(&console, &signed_in, Actor::User, edits).await? {
        Ok(change) => {
            let notice = Notice::good(added(list)).with("value", value.written());
            Ok(redirect_with(&super::path(list), undoable(&signed_in, notice, change)))
        }
        Err(error) => again(super::refused(&page, &error).ok_or_else(|| Failure::from(error))?).await,
    }
}

/// What "Combien ?" asks.
#[derive(Deserialize)]
pub struct Counted {
    adresse: String,
    #[serde(default)]
    liste: Option<String>,
}

/// `POST /listes/combien`: how many messages the entry would have matched; nothing is added.
pub async fn count(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Form(counted): Form<Counted>,
) -> Result<Response, Failure> {
    let list = counted.liste.as_deref().map_or(Ok(ListKind::Personal), of_slug)?;
    let page = Page::signed_in(&visitor, &signed_in, Place::Lists, "home-title");
    let field: String = counted.adresse.chars().take(MAX_FIELD).collect();
    let intake = read_text(&counted.adresse);
    let Some(candidate) = intake.good.into_iter().next() else {
        let reason = intake.bad.first().map(|bad| bad.reason);
        let text = reason.map_or_else(|| page.t("lists-bad-empty"), |reason| super::reason(&page, reason));
        return home::again(&console, &visitor, &signed_in, list, field, text).await;
    };
    let answer = how_many(&console, &signed_in, list, candidate.value).await?;
    home::counted(&console, &visitor, &signed_in, list, field, answer).await
}

/// The one candidate of a field; several of them as they are; none.
fn one(mut intake: Intake) -> Result<Candidate, Option<Intake>> {
    match (intake.good.len(), intake.bad.len()) {
        (1, 0) => intake.good.pop().ok_or(None),
        (0, 0 | 1) => Err(None),
        _ => Err(Some(intake)),
    }
}

fn offer(value: &EntryValue, list: ListKind, entries: &[Entry], rules: &EntryRules<'_>) -> Option<Offer> {
    let others: Vec<_> = standing(value, list, entries).collect();
    if !others.is_empty() {
        return Some(Offer::Move(others));
    }
    let EntryValue::Address(address) = value else { return None };
    let there = entries.iter().filter(|entry| entry.list == list).filter_map(|entry| match &entry.value {
        Readable::Value(value) => Some(value),
        Readable::Lost | Readable::Altered => None,
    });
    let there: Vec<_> = there.filter(|other| *other != value).collect();
    let of_domain = |other: &&&EntryValue| matches!(other, EntryValue::Address(a) if a.domain() == address.domain());
    let same: Vec<_> = there.iter().copied().filter(|other| of_domain(&other)).collect();
    let whole = there.iter().copied().filter(|other| !matches!(other, EntryValue::Address(_)));
    let all = same.into_iter().chain(whole).chain([value]);
    let suggestions = suggest(all, list, rules);
    suggestions.into_iter().find(|s| s.value.text() == address.domain()).map(Offer::Domain)
}

/// The other lists that hold a value.
fn standing(value: &EntryValue, list: ListKind, entries: &[Entry]) -> impl Iterator<Item = ListKind> {
    let value = value.clone();
    let holds =
        move |entry: &&Entry| entry.list != list && matches!(&entry.value, Readable::Value(other) if *other == value);
    entries.iter().filter(holds).map(|entry| entry.list)
}

fn show_offer(
    visitor: &Visitor,
    signed_in: &SignedIn,
    list: ListKind,
    value: &EntryValue,
    note: Option<&Note>,
    offer: Offer,
) -> Response {
    let page = Page::signed_in(visitor, signed_in, Place::Lists, "lists-offer-title");
    let title = |list| page.t(&format!("lists-{}-title", super::name(list)));
    let (value, note) = (value.written(), note.map(Note::as_str).unwrap_or_default());
    let (domain, text, offered) = match offer {
        Offer::Move(others) => {
            let others = others.into_iter().map(title).collect::<Vec<_>>().join(", ");
            let text = page.text("lists-offer-move", &[("value", value.as_str().into()), ("lists", others.into())]);
            (None, text, page.text("lists-offer-move-yes", &[("list", title(list).into())]))
        }
        Offer::Domain(suggestion) => {
            let domain = suggestion.value.written();
            let key = match suggestion.why {
                Why::Many(_) => "lists-offer-many",
                Why::Changing => "lists-offer-changing",
            };
            let words = [("value", value.as_str().into()), ("domain", domain.as_str().into())];
            let yes = page.text("lists-offer-domain-yes", &[("domain", domain.as_str().into())]);
            let text = page.text(key, &words);
            (Some(domain), text, yes)
        }
    };
    let key = if domain.is_some() { "lists-offer-alone" } else { "lists-offer-both" };
    let alone = page.text(key, &[("value", value.as_str().into())]);
    render(&page, &OfferPage { page: &page, value, domain, text, offered, alone, slug: super::slug(list), note })
}

/// Carries out edits of the user's own lists; the number of the change, or what of the form was refused.
///
/// # Errors
/// As of the store.
pub async fn carry_out(
    console: &Arc<Console>,
    signed_in: &SignedIn,
    actor: Actor,
    edits: Vec<Edit>,
) -> Result<Result<i64, StoreError>, Failure> {
    let user = signed_in.id();
    let work = move |console: &Console| match console
        .store
        .change_entries(&actor, user, &edits)
        .and_then(|ticket| ticket.wait())
    {
        Err(error @ (StoreError::ListFull(_) | StoreError::Functional)) => Ok(Err(error)),
        result => result.map(Ok),
    };
    console.blocking(work).await
}

/// The key that says that an entry was added.
pub fn added(list: ListKind) -> &'static str {
    match list {
        ListKind::Personal => "lists-added-personal",
        ListKind::Black => "lists-added-blocked",
        ListKind::White => "lists-added-accepted",
    }
}

/// With a button that takes a change back.
pub fn undoable(_: &SignedIn, notice: Notice, change: i64) -> Notice {
    notice.undone_at(format!("/listes/journal/{change}/annuler"))
}
