//! Many entries at once: pasted (`/listes/coller`) or from a file (`/listes/importer`). Both lead to a preview that takes
//! the good lines and names the bad ones; what is taken travels in the preview's form and is checked again.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Multipart, Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::add::{carry_out, undoable};
use super::{Named, of_slug};
use crate::console::failure::Failure;
use crate::console::intake::{self, Candidate, FileError, Intake, Why};
use crate::console::page::{Notice, Page, Place, redirect_with, render};
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::policy::list::ListKind;
use crate::policy::refusal::EntryRules;
use crate::store::{Actor, Edit, MAX_EDITS, Note};

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

#[derive(Template)]
#[template(path = "lists_paste.html", config = ".askama.toml")]
struct Paste<'a> {
    page: &'a Page,
    lists: Vec<Named>,
    slug: &'static str,
    text: String,
}

#[derive(Template)]
#[template(path = "lists_import.html", config = ".askama.toml")]
struct Import<'a> {
    page: &'a Page,
    lists: Vec<Named>,
    slug: &'static str,
    kilobytes: u64,
}

#[derive(Template)]
#[template(path = "lists_preview.html", config = ".askama.toml")]
struct Preview<'a> {
    page: &'a Page,
    slug: &'static str,
    /// The list that is meant where a line names none.
    list: String,
    good: Vec<Good>,
    good_count: u64,
    bad: Vec<Bad>,
    bad_count: u64,
    repeated: u64,
    suggestions: Vec<Offered>,
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

/// A domain that is offered for what was given.
struct Offered {
    domain: String,
    text: String,
}

/// Which list is meant.
#[derive(Deserialize)]
pub struct Meant {
    #[serde(default)]
    liste: Option<String>,
}

impl Meant {
    fn list(&self) -> ListKind {
        self.liste.as_deref().and_then(|slug| of_slug(slug).ok()).unwrap_or(ListKind::Personal)
    }
}

/// `GET /listes/coller`
pub async fn show_paste(visitor: Visitor, signed_in: SignedIn, Query(meant): Query<Meant>) -> Response {
    let page = Page::signed_in(&visitor, &signed_in, Place::Lists, "lists-paste-title");
    paste(&page, &signed_in, meant.list(), String::new())
}

fn paste(page: &Page, signed_in: &SignedIn, list: ListKind, text: String) -> Response {
    let lists = super::named(page, &signed_in.user);
    render(page, &Paste { page, lists, slug: super::slug(list), text })
}

/// The form of the page.
#[derive(Deserialize)]
pub struct Pasted {
    liste: String,
    texte: String,
}

/// `POST /listes/coller`
pub async fn read_paste(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Form(pasted): Form<Pasted>,
) -> Result<Response, Failure> {
    let list = of_slug(&pasted.liste)?;
    let intake = intake::read_text(&pasted.texte);
    if intake.good.is_empty() && intake.bad.is_empty() {
        let page = Page::signed_in(&visitor, &signed_in, Place::Lists, "lists-paste-title");
        let text = page.t("lists-bad-empty");
        return Ok(paste(&page.with_error("texte", text), &signed_in, list, pasted.texte));
    }
    let defaults = console.defaults();
    let rules = super::rules(&defaults, &signed_in);
    let intake = intake::check(intake, list, &rules);
    Ok(previewed(&console, &visitor, &signed_in, list, intake, Source::Texte))
}

/// `GET /listes/importer`
pub async fn show_import(visitor: Visitor, signed_in: SignedIn, Query(meant): Query<Meant>) -> Response {
    let page = Page::signed_in(&visitor, &signed_in, Place::Lists, "lists-import-title");
    import(&page, &signed_in, meant.list())
}

fn import(page: &Page, signed_in: &SignedIn, list: ListKind) -> Response {
    let lists = super::named(page, &signed_in.user);
    let kilobytes = (intake::MAX_FILE / 1024) as u64;
    render(page, &Import { page, lists, slug: super::slug(list), kilobytes })
}

/// `POST /listes/importer`
pub async fn read_import(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    mut form: Multipart,
) -> Result<Response, Failure> {
    let (mut list, mut file) = (ListKind::Personal, None);
    while let Some(field) = form.next_field().await.map_err(|_| Failure::Malformed)? {
        match field.name() {
            Some("liste") => list = of_slug(&field.text().await.map_err(|_| Failure::Malformed)?)?,
            Some("fichier") => file = Some(field.bytes().await.map_err(|_| Failure::TooLarge)?),
            _ => {}
        }
    }
    let defaults = console.defaults();
    let rules = super::rules(&defaults, &signed_in);
    match intake::read_file(&file.unwrap_or_default()) {
        Ok(read) => {
            let intake = intake::check(read, list, &rules);
            Ok(previewed(&console, &visitor, &signed_in, list, intake, Source::Fichier))
        }
        Err(error) => {
            let page = Page::signed_in(&visitor, &signed_in, Place::Lists, "lists-import-title");
            let text = page.t(match error {
                FileError::TooLarge => "lists-file-too-large",
                FileError::Empty => "lists-file-empty",
                FileError::Binary => "lists-file-binary",
            });
            Ok(import(&page.with_error("fichier", text), &signed_in, list))
        }
    }
}

/// What was typed into the one field and is several entries.
///
/// # Errors
/// None yet.
pub async fn preview(
    console: &Arc<Console>,
    visitor: &Visitor,
    signed_in: &SignedIn,
    list: ListKind,
    intake: Intake,
) -> Result<Response, Failure> {
    Ok(previewed(console, visitor, signed_in, list, intake, Source::Texte))
}

fn previewed(
    console: &Console,
    visitor: &Visitor,
    signed_in: &SignedIn,
    list: ListKind,
    intake: Intake,
    source: Source,
) -> Response {
    let page = Page::signed_in(visitor, signed_in, Place::Lists, "lists-preview-title");
    let title = |list| page.t(&format!("lists-{}-title", super::name(list)));
    let defaults = console.defaults();
    let rules = super::rules(&defaults, signed_in);
    let meant = intake.good.iter().filter(|one| one.list.is_none_or(|own| own == list)).map(|one| &one.value);
    let suggestions = intake::suggest(meant, list, &rules).into_iter().take(SHOWN).map(|suggestion| {
        let domain = suggestion.value.written();
        let text = match suggestion.why {
            Why::Many(count) => {
                page.text("lists-suggest-many", &[("count", count.into()), ("domain", domain.as_str().into())])
            }
            Why::Changing => page.text("lists-suggest-changing", &[("domain", domain.as_str().into())]),
        };
        Offered { domain, text }
    });
    let good = |one: &Candidate| Good {
        line: one.line,
        value: one.value.written(),
        list: title(one.list.unwrap_or(list)),
        note: one.note.as_ref().map(|note| note.as_str().to_owned()).unwrap_or_default(),
    };
    let bad =
        |bad: &intake::Bad| Bad { line: bad.line, text: bad.text.clone(), reason: super::reason(&page, bad.reason) };
    let preview = Preview {
        slug: super::slug(list),
        list: title(list),
        good: intake.good.iter().take(SHOWN).map(good).collect(),
        good_count: intake.good.len() as u64,
        bad: intake.bad.iter().take(SHOWN).map(bad).collect(),
        bad_count: intake.bad.len() as u64,
        repeated: intake.repeated as u64,
        suggestions: suggestions.collect(),
        lines: intake.good.iter().map(|one| line_of(one, list)).collect(),
        source: if source == Source::Fichier { "fichier" } else { "texte" },
        page: &page,
    };
    render(&page, &preview)
}

/// A line of the form: list, value, note, with tabs between.
fn line_of(one: &Candidate, list: ListKind) -> String {
    let note = one.note.as_ref().map(Note::as_str).unwrap_or_default();
    format!("{}\t{}\t{note}\n", one.list.unwrap_or(list), one.value.written())
}

/// Reads such a line; what is none, or is refused by now, is left out.
fn read_line(line: &str, rules: &EntryRules<'_>) -> Option<(ListKind, Candidate)> {
    let mut parts = line.splitn(3, '\t');
    let list: ListKind = parts.next()?.parse().ok()?;
    let value = parts.next()?.parse().ok()?;
    crate::policy::refusal::check(list, &value, rules).ok()?;
    let note = parts.next().and_then(|note| Note::parse(note).ok().flatten());
    Some((list, Candidate { line: 0, list: Some(list), value, note }))
}

/// The form of the preview.
#[derive(Deserialize)]
pub struct Chosen {
    liste: String,
    lignes: String,
    source: Source,
}

/// `POST /listes/ajouter-plusieurs`
pub async fn add(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Form(chosen): Form<Chosen>,
) -> Result<Response, Failure> {
    let list = of_slug(&chosen.liste)?;
    let defaults = console.defaults();
    let rules = super::rules(&defaults, &signed_in);
    let read: Vec<_> = chosen.lignes.lines().filter_map(|line| read_line(line, &rules)).collect();
    let mut counts: BTreeMap<ListKind, usize> = BTreeMap::new();
    let mut edits = Vec::new();
    for (list, one) in read {
        *counts.entry(list).or_default() += 1;
        edits.push(Edit::Add(list, one.value.clone()));
        edits.extend(one.note.map(|note| Edit::Note(list, one.value, Some(note))));
    }
    let added: usize = counts.values().sum();
    let actor = if chosen.source == Source::Fichier { Actor::UserFile } else { Actor::User };
    let mut changes = Vec::new();
    for part in edits.chunks(MAX_EDITS) {
        match carry_out(&console, &signed_in, actor.clone(), part.to_vec()).await? {
            Ok(change) => changes.push(change),
            Err(error) => {
                let page = Page::signed_in(&visitor, &signed_in, Place::Lists, "lists-paste-title");
                let text = super::refused(&page, &error).ok_or_else(|| Failure::from(error))?;
                return Ok(paste(&page.with_error("texte", text), &signed_in, list, String::new()));
            }
        }
    }
    let notice = Notice::good("lists-added-several").with("count", added.to_string());
    let notice = match changes[..] {
        [change] => undoable(&signed_in, notice, change),
        _ => notice,
    };
    // A file that names lists may leave the one that was chosen as it was.
    let to = if counts.contains_key(&list) { super::path(list) } else { "/".to_owned() };
    Ok(redirect_with(&to, notice))
}
