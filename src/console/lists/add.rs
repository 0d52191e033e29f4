//! `/listes/ajouter`: one field for an address or a domain, from whichever page. What would serve better is offered before it
//! is added: the move from another list, the domain instead of an address that changes or of many.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::effect::with_effect;
use super::preview::{Source, preview};
use super::{Typed, list, of_slug};
use crate::console::failure::Failure;
use crate::console::home;
use crate::console::how_many::{HowMany, how_many};
use crate::console::intake::{Candidate, Intake, Suggestion, Why, is_changing, read_text, suggest};
use crate::console::language::own_path;
use crate::console::page::{Notice, Page, Place, Tone, redirect_with, render};
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::policy::list::{EntryValue, ListKind};
use crate::store::{Actor, Changed, Edit, Effect, Note, Readable, StoreError};

/// The form.
#[derive(Deserialize)]
pub struct Sent {
    adresse: String,
    liste: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    choix: Choice,
    /// Where the form stands; left out, on the home page.
    #[serde(default)]
    retour: String,
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
    back: &'a str,
}

/// A form that adds, and where it stands: what is wrong with it is said there.
struct Asking<'a> {
    console: &'a Arc<Console>,
    visitor: &'a Visitor,
    signed_in: &'a SignedIn,
    list: ListKind,
    typed: Typed,
    back: &'a str,
}

impl Asking<'_> {
    fn is_on_list(&self) -> bool {
        self.back == super::path(self.list)
    }

    /// The page once more, with what is wrong with its form. A button beside a message has none: its page says so on top.
    async fn refused(self, field: &'static str, key: &'static str) -> Result<Response, Failure> {
        if !self.is_on_list() && self.back != HOME {
            return Ok(redirect_with(self.back, Notice::new(Tone::Bad, key)));
        }
        if !self.is_on_list() {
            let page = home::page_of(self.visitor, self.signed_in);
            let text = page.t(key);
            let page = page.with_error("adresse", text);
            return home::again(self.console, self.signed_in, page, self.list, self.typed.field, None).await;
        }
        let page = list::page_of(self.visitor, self.signed_in, self.list);
        let text = page.t(key);
        list::again(self.console, self.signed_in, page.with_error(field, text), self.list, self.typed, None).await
    }

    /// The page once more, with how many messages the entry would have matched.
    async fn counted(self, how_many: HowMany) -> Result<Response, Failure> {
        if self.is_on_list() {
            let page = list::page_of(self.visitor, self.signed_in, self.list);
            return list::again(self.console, self.signed_in, page, self.list, self.typed, Some(how_many)).await;
        }
        let page = home::page_of(self.visitor, self.signed_in);
        home::again(self.console, self.signed_in, page, self.list, self.typed.field, Some(how_many)).await
    }

    async fn understood(&self, text: String) -> Result<Intake, Failure> {
        let (list, signed_in) = (self.list, self.signed_in.clone());
        let work = move |console: &Console| Ok(super::check(console, &signed_in, list, read_text(&text)));
        self.console.blocking(work).await
    }
}

/// Where the field stands that asks for a list.
const HOME: &str = "/";

/// `POST /listes/ajouter`
pub async fn add(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Form(sent): Form<Sent>,
) -> Result<Response, Failure> {
    let list = of_slug(&sent.liste)?;
    let typed = Typed::of(&sent.adresse, &sent.note);
    let back = own_path(&sent.retour);
    let asking = Asking { console: &console, visitor: &visitor, signed_in: &signed_in, list, typed, back };
    let Ok(note) = Note::parse(&sent.note) else { return asking.refused("note", "lists-note-long").await };
    if sent.adresse.trim().is_empty() {
        return asking.refused("adresse", "lists-bad-empty").await;
    }
    let candidate = match one(asking.understood(sent.adresse).await?) {
        Ok(candidate) => candidate,
        Err(mut intake) if intake.good.len() + intake.bad.len() > 1 => {
            // What was typed beside them is meant for all of them.
            intake.good.iter_mut().for_each(|candidate| candidate.note = note.clone().or(candidate.note.take()));
            return preview(&console, &visitor, &signed_in, list, intake, Source::Texte).await;
        }
        Err(intake) => {
            let key = intake.bad.first().map_or("lists-bad-no-address", |bad| super::reason(bad.reason));
            return asking.refused("adresse", key).await;
        }
    };
    let value = candidate.value;
    let standing = standing(&console, &signed_in, &value).await?;
    if sent.choix == Choice::Rien
        && let Some(standing) = &standing
        && let Some(offer) = offer(&console, &signed_in, &value, list, standing).await?
    {
        let note = note.or(candidate.note);
        return Ok(show_offer(&asking, &value, note.as_ref(), offer));
    }
    let mut edits = Vec::new();
    if sent.choix == Choice::Deplacer {
        let others = standing.iter().flatten().filter(|other| **other != list);
        edits.extend(others.map(|other| Edit::Remove(*other, value.clone())));
    }
    edits.push(Edit::Add(list, value.clone()));
    edits.extend(match (note, candidate.note) {
        // A session that may not read a note may not put another in its place.
        (Some(note), _) if standing.is_some() => Some(Edit::Note(list, value.clone(), Some(note))),
        (Some(name), _) | (None, Some(name)) => Some(Edit::Name(list, value.clone(), name)),
        (None, None) => None,
    });
    let notes: Vec<bool> = edits.iter().map(Edit::is_note).collect();
    match carry_out(&console, &signed_in, Actor::User, edits).await? {
        Ok(changed) => {
            let to = if back == HOME { super::path(list) } else { back.to_owned() };
            let changed = changed.for_reader(standing.is_some());
            let did_list = |effects: &Vec<Effect>| {
                effects.iter().zip(&notes).any(|(effect, is_note)| !is_note && *effect == Effect::Done)
            };
            let of_lists = changed.effects.as_ref().map(did_list);
            let key = match (of_lists, changed.did_something()) {
                (Some(false), Some(true)) => "lists-noted",
                _ => added(list),
            };
            let notice = said(&changed, key, there_already(list)).with("value", value.written());
            Ok(redirect_with(&to, with_effect(&console, &signed_in, list, value, notice).await?))
        }
        Err(error) => {
            let key = super::refused(&error).ok_or_else(|| Failure::from(error))?;
            asking.refused("adresse", key).await
        }
    }
}

/// What "Combien ?" asks.
#[derive(Deserialize)]
pub struct Counted {
    adresse: String,
    #[serde(default)]
    liste: Option<String>,
    #[serde(default)]
    note: String,
    #[serde(default)]
    retour: String,
}

/// `POST /listes/combien`: how many messages the entry would have matched; nothing is added.
pub async fn count(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Form(counted): Form<Counted>,
) -> Result<Response, Failure> {
    let list = counted.liste.as_deref().map_or(Ok(ListKind::Personal), of_slug)?;
    let typed = Typed::of(&counted.adresse, &counted.note);
    let back = own_path(&counted.retour);
    let back = if back == super::path(list) { back } else { HOME };
    let asking = Asking { console: &console, visitor: &visitor, signed_in: &signed_in, list, typed, back };
    let candidate = match one(asking.understood(counted.adresse).await?) {
        Ok(candidate) => candidate,
        Err(intake) => {
            let key = match (intake.good.len() + intake.bad.len(), intake.bad.first()) {
                (0, _) => "lists-bad-empty",
                (1, Some(bad)) => super::reason(bad.reason),
                _ => "how-many-several",
            };
            return asking.refused("adresse", key).await;
        }
    };
    let answer = how_many(&console, &signed_in, list, candidate.value).await?;
    asking.counted(answer).await
}

/// The one candidate of a field; else all that was understood.
fn one(mut intake: Intake) -> Result<Candidate, Intake> {
    match (intake.good.len(), intake.bad.len()) {
        (1, 0) => intake.good.pop().ok_or(intake),
        _ => Err(intake),
    }
}

/// The lists that hold a value; `None` where the personal lock keeps this session from reading.
async fn standing(
    console: &Arc<Console>,
    signed_in: &SignedIn,
    value: &EntryValue,
) -> Result<Option<Vec<ListKind>>, Failure> {
    let (user, permission, value) = (signed_in.id(), signed_in.permission(), value.clone());
    let work = move |console: &Console| match console.store.lists_with(user, &value, &permission) {
        Err(StoreError::UserLocked) => Ok(None),
        lists => lists.map(Some),
    };
    console.blocking(work).await
}

async fn offer(
    console: &Arc<Console>,
    signed_in: &SignedIn,
    value: &EntryValue,
    list: ListKind,
    standing: &[ListKind],
) -> Result<Option<Offer>, Failure> {
    let others: Vec<_> = standing.iter().copied().filter(|other| *other != list).collect();
    if !others.is_empty() {
        return Ok(Some(Offer::Move(others)));
    }
    let (EntryValue::Address(address), true) = (value, standing.is_empty()) else { return Ok(None) };
    let (signed_in, address) = (signed_in.clone(), address.clone());
    let work = move |console: &Console| {
        let (user, permission) = (signed_in.id(), signed_in.permission());
        let whole = EntryValue::Domain(address.domain_owned());
        if console.store.lists_with(user, &whole, &permission)?.contains(&list) {
            return Ok(None);
        }
        // How many addresses of the domain there are, only the values tell.
        let entries = match is_changing(address.local()) {
            true => Vec::new(),
            false => console.store.read_values(user, list, &permission)?,
        };
        let there = entries.into_iter().filter_map(|entry| match entry.value {
            Readable::Value(value) => Some(value),
            Readable::Lost | Readable::Altered => None,
        });
        let of_domain = |other: &EntryValue| matches!(other, EntryValue::Address(a) if a.domain() == address.domain());
        let same: Vec<_> = there.filter(of_domain).chain([EntryValue::Address(address.clone())]).collect();
        Ok(suggest(&same, list, &super::rules(&console.defaults(), &signed_in)).pop().map(Offer::Domain))
    };
    console.blocking(work).await
}

fn show_offer(asking: &Asking<'_>, value: &EntryValue, note: Option<&Note>, offer: Offer) -> Response {
    let page = Page::signed_in(asking.visitor, asking.signed_in, Place::Lists, "lists-offer-title").at(asking.back);
    let title = |list| page.t(&format!("lists-{}-title", super::name(list)));
    let (value, note) = (value.written(), note.map(Note::as_str).unwrap_or_default());
    let (domain, text, offered) = match offer {
        Offer::Move(others) => {
            let others = others.into_iter().map(title).collect::<Vec<_>>().join(", ");
            let text = page.text("lists-offer-move", &[("value", value.as_str().into()), ("lists", others.into())]);
            (None, text, page.text("lists-offer-move-yes", &[("list", title(asking.list).into())]))
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
    let (slug, back) = (super::slug(asking.list), asking.back);
    render(&page, &OfferPage { page: &page, value, domain, text, offered, alone, slug, note, back })
}

/// Carries out edits of the user's own lists; what came of it, or what of the form was refused.
///
/// # Errors
/// As of the store.
pub async fn carry_out(
    console: &Arc<Console>,
    signed_in: &SignedIn,
    actor: Actor,
    edits: Vec<Edit>,
) -> Result<Result<Changed, StoreError>, Failure> {
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

/// What is said of a change: that it was done, with a button that takes it back; that all was so already. To a session that
/// may not read it is said that it is so, which tells nothing of before, and no button that it could not use is shown.
pub fn said(changed: &Changed, done: &str, nothing: &str) -> Notice {
    match changed.did_something() {
        Some(true) => Notice::good(done).undone_at(format!("/listes/journal/{}/annuler", changed.number)),
        Some(false) => Notice::new(Tone::Plain, nothing),
        None => Notice::good(done),
    }
}

/// The key that says that an entry was added.
pub fn added(list: ListKind) -> &'static str {
    match list {
        ListKind::Personal => "lists-added-personal",
        ListKind::Black => "lists-added-blocked",
        ListKind::White => "lists-added-accepted",
    }
}

/// The key that says that an entry was there before.
pub fn there_already(list: ListKind) -> &'static str {
    match list {
        ListKind::Personal => "lists-there-personal",
        ListKind::Black => "lists-there-blocked",
        ListKind::White => "lists-there-accepted",
    }
}
