//! The preview of many entries (`/listes/apercu`): it takes the good lines and names the bad ones; what is taken travels in its
//! form and is checked again.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write;
use std::sync::Arc;

use askama::Template;
use axum::extract::{DefaultBodyLimit, Multipart, State};
use axum::response::Response;
use serde::Deserialize;

use super::add::{carry_out, said};
use super::of_slug;
use super::several::MAX_FORM;
use crate::console::failure::Failure;
use crate::console::intake::{self, Candidate, Intake, Suggestion, Why};
use crate::console::page::{Page, Place, redirect_with, render};
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::policy::address::Domain;
use crate::policy::list::{EntryValue, ListKind};
use crate::policy::refusal::EntryRules;
use crate::store::{Actor, Changed, Edit, Effect, MAX_EDITS, Note, StoreError};

/// Largest form of the preview: what the largest file comes to, whose letters may take twice as many bytes in UTF-8.
const MAX_PREVIEW: usize = 2 * MAX_FORM;

/// What the form of the preview may hold.
pub fn limit() -> DefaultBodyLimit {
    DefaultBodyLimit::max(MAX_PREVIEW)
}

/// Rows of the preview that are shown; the others are counted.
const SHOWN: usize = 200;

/// Where what is previewed came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The user typed or pasted it.
    Texte,
    /// A file of theirs.
    Fichier,
}

impl Source {
    /// The page on which it is given.
    fn page(self) -> &'static str {
        match self {
            Self::Texte => "/listes/coller",
            Self::Fichier => "/listes/importer",
        }
    }
}

#[derive(Template)]
#[template(path = "lists_preview.html", config = ".askama.toml")]
struct Preview<'a> {
    page: &'a Page,
    slug: &'static str,
    good: Vec<Good>,
    good_count: u64,
    bad: Vec<Bad>,
    bad_count: u64,
    /// All bad lines as a text, where there are more than are shown.
    all_bad: String,
    repeated: u64,
    suggestions: Vec<Offered>,
    /// What stands on another list than the one it would be added to.
    elsewhere: Vec<Elsewhere>,
    elsewhere_count: u64,
    /// What will be added.
    lines: String,
    source: &'static str,
}

struct Good {
    line: u64,
    value: String,
    list: String,
    note: String,
}

struct Bad {
    line: u64,
    text: String,
    reason: String,
}

/// An entry that stands on another list.
struct Elsewhere {
    value: String,
    list: String,
}

/// A domain that is offered for what was given.
struct Offered {
    domain: String,
    text: String,
}

/// What was given, before it is added.
///
/// # Errors
/// As of the store.
pub async fn preview(
    console: &Arc<Console>,
    visitor: &Visitor,
    signed_in: &SignedIn,
    list: ListKind,
    intake: Intake,
    source: Source,
) -> Result<Response, Failure> {
    let page = Page::signed_in(visitor, signed_in, Place::Lists, "lists-preview-title").at(source.page());
    previewed(console, signed_in, page, list, intake, source).await
}

async fn previewed(
    console: &Arc<Console>,
    signed_in: &SignedIn,
    page: Page,
    list: ListKind,
    intake: Intake,
    source: Source,
) -> Result<Response, Failure> {
    let reader = signed_in.clone();
    let work = move |console: &Console| {
        let elsewhere = elsewhere(console, &reader, list, &intake)?;
        Ok(show_preview(&super::rules(&console.defaults(), &reader), page, list, intake, &elsewhere, source))
    };
    console.blocking(work).await
}

/// What stands on another list than the one it would be added to, with that list; nothing is told to a session that may not
/// read. A file that names two lists for one entry means both.
fn elsewhere(
    console: &Console,
    signed_in: &SignedIn,
    list: ListKind,
    intake: &Intake,
) -> Result<Vec<(ListKind, EntryValue)>, StoreError> {
    let meant: HashSet<(ListKind, &EntryValue)> =
        intake.good.iter().map(|one| (one.list.unwrap_or(list), &one.value)).collect();
    let values: Vec<EntryValue> = intake.good.iter().map(|one| one.value.clone()).collect();
    let mut standing = match console.store.standing(signed_in.id(), &values, &signed_in.permission()) {
        Err(StoreError::UserLocked) => Vec::new(),
        standing => standing?,
    };
    let mut seen = HashSet::new();
    standing.retain(|(there, value)| !meant.contains(&(*there, value)) && seen.insert((*there, value.clone())));
    // What moves takes two edits of those that one change may have.
    standing.truncate(MAX_EDITS.saturating_sub(intake.good.len()));
    Ok(standing)
}

fn show_preview(
    rules: &EntryRules<'_>,
    page: Page,
    list: ListKind,
    intake: Intake,
    elsewhere: &[(ListKind, EntryValue)],
    source: Source,
) -> Response {
    let title = |list| page.t(&format!("lists-{}-title", super::name(list)));
    let meant = intake.good.iter().filter(|one| one.list.is_none_or(|own| own == list)).map(|one| &one.value);
    let suggestions = intake::suggest(meant, list, rules).into_iter().take(SHOWN);
    let good = |one: &Candidate| Good {
        line: one.line,
        value: one.value.written(),
        list: title(one.list.unwrap_or(list)),
        note: one.note.as_ref().map(|note| note.as_str().to_owned()).unwrap_or_default(),
    };
    let there = |(list, value): &(ListKind, EntryValue)| Elsewhere { value: value.written(), list: title(*list) };
    let bad =
        |bad: &intake::Bad| Bad { line: bad.line, text: bad.text.clone(), reason: page.t(super::reason(bad.reason)) };
    let preview = Preview {
        slug: super::slug(list),
        good: intake.good.iter().take(SHOWN).map(good).collect(),
        good_count: intake.good.len() as u64,
        bad: intake.bad.iter().take(SHOWN).map(bad).collect(),
        bad_count: intake.bad.len() as u64,
        all_bad: if intake.bad.len() > SHOWN { all_bad(&page, &intake.bad) } else { String::new() },
        repeated: intake.repeated as u64,
        suggestions: suggestions.map(|suggestion| offered(&page, &suggestion)).collect(),
        elsewhere: elsewhere.iter().take(SHOWN).map(there).collect(),
        elsewhere_count: elsewhere.len() as u64,
        lines: intake.good.iter().map(|one| line_of(one, list)).collect(),
        source: if source == Source::Fichier { "fichier" } else { "texte" },
        page: &page,
    };
    render(&page, &preview)
}

fn offered(page: &Page, suggestion: &Suggestion) -> Offered {
    let domain = suggestion.value.written();
    let named = ("domain", domain.as_str().into());
    let text = match suggestion.why {
        Why::Many(count) => page.text("lists-suggest-many", &[("count", count.into()), named]),
        Why::Changing => page.text("lists-suggest-changing", &[named]),
    };
    Offered { domain, text }
}

/// Every bad line with its number and what is wrong with it.
fn all_bad(page: &Page, bad: &[intake::Bad]) -> String {
    let mut text = String::new();
    for bad in bad {
        // Writing into memory does not fail.
        let _ = writeln!(text, "{}\t{}\t{}", bad.line, bad.text, page.t(super::reason(bad.reason)));
    }
    text
}

/// A line of the form: list, value, note, with tabs between.
fn line_of(one: &Candidate, list: ListKind) -> String {
    let note = one.note.as_ref().map(Note::as_str).unwrap_or_default();
    format!("{}\t{}\t{note}\n", one.list.unwrap_or(list), one.value.written())
}

/// Reads such a line; what is none is left out.
fn read_line(number: u64, line: &str) -> Option<Candidate> {
    let mut parts = line.splitn(3, '\t');
    let list: ListKind = parts.next()?.parse().ok()?;
    let value = parts.next()?.parse().ok()?;
    let note = parts.next().and_then(|note| Note::parse(note).ok().flatten());
    Some(Candidate { line: number, list: Some(list), value, note })
}

/// Reads all of them.
fn read_lines(lines: &str) -> Intake {
    let good = (1..).zip(lines.lines()).filter_map(|(number, line)| read_line(number, line)).collect();
    Intake { good, ..Intake::default() }
}

/// The form of the preview.
struct Chosen {
    list: ListKind,
    lines: String,
    source: Source,
    /// What stands on other lists is taken off them.
    moves: bool,
    /// The domain that is taken in place of its addresses.
    domain: String,
}

impl Chosen {
    async fn read(mut form: Multipart) -> Result<Self, Failure> {
        let mut chosen = Self {
            list: ListKind::Personal,
            lines: String::new(),
            source: Source::Texte,
            moves: false,
            domain: String::new(),
        };
        while let Some(field) = form.next_field().await.map_err(|_| Failure::Malformed)? {
            let name = field.name().map(str::to_owned);
            let text = field.text().await.map_err(|_| Failure::TooLarge)?;
            match name.as_deref() {
                Some("liste") => chosen.list = of_slug(&text)?,
                Some("lignes") => chosen.lines = text,
                Some("source") if text == "fichier" => chosen.source = Source::Fichier,
                Some("domaine") => chosen.domain = text,
                Some("choix") if text == "deplacer" => chosen.moves = true,
                _ => {}
            }
        }
        Ok(chosen)
    }
}

/// `POST /listes/apercu`: the preview once more, with a domain that was offered in place of its addresses. Nothing is added
/// yet.
pub async fn take_domain(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    form: Multipart,
) -> Result<Response, Failure> {
    let _room = console.limits.may_take_file().await?;
    let Chosen { list, lines, source, domain, .. } = Chosen::read(form).await?;
    let domain = Domain::parse(&domain).map_err(|_| Failure::Malformed)?;
    let reader = signed_in.clone();
    let read = move |console: &Console| {
        let intake = with_domain(read_lines(&lines), list, domain);
        Ok(super::check(console, &reader, list, intake))
    };
    let intake = console.blocking(read).await?;
    preview(&console, &visitor, &signed_in, list, intake, source).await
}

/// A domain where the first of its addresses stood that are for this list, and no more of them.
fn with_domain(mut intake: Intake, list: ListKind, domain: Domain) -> Intake {
    let is_of_it = |one: &Candidate| {
        let is_address = matches!(&one.value, EntryValue::Address(address) if address.domain() == domain.as_str());
        is_address && one.list.is_none_or(|own| own == list)
    };
    let at = intake.good.iter().position(is_of_it).unwrap_or(intake.good.len());
    let line = intake.good.get(at).map_or(1, |first| first.line);
    intake.good.retain(|one| !is_of_it(one));
    let value = EntryValue::Domain(domain);
    intake.good.insert(at, Candidate { line, list: Some(list), value, note: None });
    intake
}

/// `POST /listes/ajouter-plusieurs`: all in one change.
pub async fn add(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    form: Multipart,
) -> Result<Response, Failure> {
    let _room = console.limits.may_take_file().await?;
    let Chosen { list, lines, source, moves, .. } = Chosen::read(form).await?;
    let reader = signed_in.clone();
    let read = move |console: &Console| {
        // What was sent may be other than what was shown.
        let intake = super::check(console, &reader, list, read_lines(&lines));
        let may_read = match console.store.check_permission(reader.id(), &reader.permission()) {
            Err(StoreError::UserLocked) => false,
            checked => checked.map(|()| true)?,
        };
        let moved = if moves { elsewhere(console, &reader, list, &intake)? } else { Vec::new() };
        Ok((intake, moved, may_read))
    };
    let (intake, moved, may_read) = console.blocking(read).await?;
    let mut edits: Vec<Edit> = moved.into_iter().map(|(there, value)| Edit::Remove(there, value)).collect();
    for one in &intake.good {
        let list = one.list.unwrap_or(list);
        edits.push(Edit::Add(list, one.value.clone()));
        edits.extend(one.note.clone().map(|name| Edit::Name(list, one.value.clone(), name)));
    }
    let adds: Vec<bool> = edits.iter().map(|edit| matches!(edit, Edit::Add(..))).collect();
    let lists: BTreeSet<ListKind> =
        edits.iter().zip(&adds).filter(|(_, adds)| **adds).map(|(edit, _)| edit.list()).collect();
    let actor = if source == Source::Fichier { Actor::UserFile } else { Actor::User };
    match carry_out(&console, &signed_in, actor, edits).await? {
        Ok(changed) => {
            let changed = changed.for_reader(may_read);
            let (added, there) = counts(&changed, &adds);
            let notice = said(&changed, "lists-added-several", "lists-added-several");
            let notice = notice.with("count", added.to_string()).with("there", there.to_string());
            // A file that names lists may leave the one that was chosen as it was.
            let to = if lists.contains(&list) { super::path(list) } else { "/".to_owned() };
            Ok(redirect_with(&to, notice))
        }
        Err(error) => {
            let page = Page::signed_in(&visitor, &signed_in, Place::Lists, "lists-preview-title").at(source.page());
            let text = match &error {
                StoreError::ListFull(list) => {
                    let title = page.t(&format!("lists-{}-title", super::name(*list)));
                    page.text("lists-too-full", &[("list", title.into())])
                }
                _ => page.t(super::refused(&error).ok_or_else(|| Failure::from(error.clone()))?),
            };
            previewed(&console, &signed_in, page.with_error("ajouter", text), list, intake, source).await
        }
    }
}

/// How many entries were added, and how many were there before, as far as that may be told.
fn counts(changed: &Changed, adds: &[bool]) -> (usize, usize) {
    let entries = adds.iter().filter(|adds| **adds).count();
    let Some(effects) = &changed.effects else { return (entries, 0) };
    let added = effects.iter().zip(adds).filter(|(effect, adds)| **adds && **effect == Effect::Done).count();
    (added, entries - added)
}
