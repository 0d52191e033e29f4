//! `/listes/journal`: who changed what on the user's account, and taking changes of the lists back.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::console::failure::Failure;
use crate::console::page::{Notice, Page, Place, Tone, redirect_with, render};
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::policy::list::EntryValue;
use crate::policy::refusal::check;
use crate::store::{Edit, Effect, JournalEdit, JournalRecord, StoreError, UNDO_DAYS, Undone};

/// Changes on a page.
const ON_PAGE: usize = 50;
const PATH: &str = "/listes/journal";

#[derive(Template)]
#[template(path = "lists_journal.html", config = ".askama.toml")]
struct Journal<'a> {
    page: &'a Page,
    rows: Vec<Row>,
    days: u64,
    /// From where older changes go on.
    older: Option<i64>,
    locked: bool,
}

struct Row {
    id: i64,
    moment: String,
    iso: String,
    who: String,
    what: String,
    edits: Vec<String>,
    /// Edits that are not shown.
    more: u64,
    undone: bool,
    can_undo: bool,
}

/// From where on.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    avant: Option<i64>,
}

/// `GET /listes/journal`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let (user, permission) = (signed_in.id(), signed_in.permission());
    let records =
        console.blocking(move |console| match console.store.journal(user, &permission, asked.avant, ON_PAGE + 1) {
            Err(StoreError::UserLocked) => Ok(None),
            records => records.map(Some),
        });
    let records = records.await?;
    let page = Page::signed_in(&visitor, &signed_in, Place::Lists, "lists-journal-title");
    let locked = records.is_none();
    let mut records = records.unwrap_or_default();
    let has_older = records.len() > ON_PAGE;
    records.truncate(ON_PAGE);
    let limit = (console.clock)() - SignedDuration::from_hours(24 * i64::from(UNDO_DAYS));
    let rows: Vec<Row> = records.iter().map(|record| row(&page, record, limit)).collect();
    let older = records.last().filter(|_| has_older).map(|record| record.id);
    Ok(render(&page, &Journal { page: &page, rows, days: UNDO_DAYS.into(), older, locked }))
}

/// A change in words; one from before `limit` is not taken back.
fn row(page: &Page, record: &JournalRecord, limit: Timestamp) -> Row {
    let shown = record.edits.iter().filter(|edit| edit.effect != Effect::Nothing);
    let edits: Vec<String> = shown.map(|edit| edit_words(page, edit)).collect();
    Row {
        id: record.id,
        moment: page.moment(&record.at),
        iso: record.at.to_string(),
        who: who(page, &record.actor),
        what: kind(page, &record.kind),
        more: (record.done + record.left_out).saturating_sub(edits.len()) as u64,
        edits,
        undone: record.is_undone,
        can_undo: record.done > 0 && !record.is_undone && record.at >= limit,
    }
}

/// Who made a change, in words: actors are kept as [`crate::store::Actor`] writes them.
fn who(page: &Page, actor: &str) -> String {
    match actor.split_once(' ') {
        None if actor == "user" => page.t("lists-by-user"),
        None => page.t("lists-by-system"),
        Some(("user", _)) => page.t("lists-by-file"),
        Some((_, name)) => page.text("lists-by-administrator", &[("name", name.into())]),
    }
}

/// What kind of change, in words.
fn kind(page: &Page, kind: &str) -> String {
    match kind {
        "entries" => page.t("lists-kind-entries"),
        "undo" => page.t("lists-kind-undo"),
        "options" => page.t("lists-kind-options"),
        "user-added" => page.t("lists-kind-account"),
        "grant-issued" | "grant-revoked" => page.t("lists-kind-grant"),
        "grant-used" => page.t("lists-kind-grant-used"),
        "disabled" => page.t("lists-kind-disabled"),
        "enabled" => page.t("lists-kind-enabled"),
        "alias-added" => page.t("lists-kind-alias-added"),
        "alias-removed" => page.t("lists-kind-alias-removed"),
        "activity-erased" => page.t("lists-kind-activity-erased"),
        "password-added" => page.t("lists-kind-password-added"),
        "password-removed" => page.t("lists-kind-password-removed"),
        "passkey-added" => page.t("lists-kind-passkey-added"),
        "passkey-removed" => page.t("lists-kind-passkey-removed"),
        "recovery-code-added" => page.t("lists-kind-recovery-added"),
        "recovery-code-used" => page.t("lists-kind-recovery-used"),
        "recovery-code-removed" => page.t("lists-kind-recovery-removed"),
        "lock-on" => page.t("lists-kind-lock-on"),
        "lock-off" => page.t("lists-kind-lock-off"),
        "sessions-ended" => page.t("lists-kind-sessions-ended"),
        "fresh-start-asked" => page.t("lists-kind-fresh-start-asked"),
        "fresh-start-cancelled" => page.t("lists-kind-fresh-start-cancelled"),
        "secrets-reset" => page.t("lists-kind-secrets-reset"),
        "lost-entries-removed" => page.t("lists-kind-unreadable-removed"),
        _ => page.t("lists-kind-other"),
    }
}

fn edit_words(page: &Page, edit: &JournalEdit) -> String {
    let key = match (&edit.edit, edit.effect) {
        (_, Effect::LeftOut) => "lists-did-leave-out",
        (Edit::Add(..), _) => "lists-did-add",
        (Edit::Remove(..), _) => "lists-did-remove",
        (Edit::Note(..) | Edit::Name(..), _) => "lists-did-note",
        (Edit::Confirm(..), _) => "lists-did-confirm",
        (Edit::Reopen(..), _) => "lists-did-reopen",
    };
    let list = page.t(&format!("lists-{}-title", super::name(edit.edit.list())));
    page.text(key, &[("value", edit.edit.value().written().into()), ("list", list.into())])
}

/// `POST /listes/journal/{id}/annuler`
pub async fn undo(
    State(console): State<Arc<Console>>,
    signed_in: SignedIn,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    let reader = signed_in.clone();
    let undone = console.blocking(move |console| {
        let defaults = console.defaults();
        let rules = super::rules(&defaults, &reader);
        // What was taken off a list comes back only where it may be put there today.
        let allowed = |list, value: &EntryValue| check(list, value, &rules).is_ok();
        match console.store.undo(reader.id(), &reader.permission(), id, &allowed) {
            Err(StoreError::UnknownChange) => Ok(Err("lists-undo-unknown")),
            Err(StoreError::UndoExpired) => Ok(Err("lists-undo-expired")),
            Err(StoreError::UndoContradicted) => Ok(Err("lists-undo-contradicted")),
            Err(StoreError::UndoRefused) => Ok(Err("lists-undo-refused")),
            Err(StoreError::ListFull(_)) => Ok(Err("lists-full")),
            undone => undone.map(Ok),
        }
    });
    let notice = match undone.await? {
        Ok(Undone { left: 0, refused: 0, .. }) => Notice::good("lists-undone"),
        Ok(Undone { left, refused: 0, .. }) => {
            Notice::new(Tone::Plain, "lists-undone-partly").with("left", left.to_string())
        }
        Ok(Undone { refused, .. }) => {
            Notice::new(Tone::Plain, "lists-undone-refused").with("refused", refused.to_string())
        }
        Err(key) => Notice::new(Tone::Bad, key),
    };
    Ok(redirect_with(PATH, notice))
}
