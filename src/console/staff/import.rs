//! `/gestion/utilisateurs/importer`: many users from a CSV file or from pasted lines: seen first, then carried out.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Multipart, State};
use axum::response::Response;
use serde::Deserialize;

use super::users::is_own;
use super::{Manager, Member};
use crate::console::failure::Failure;
use crate::console::page::{Notice, Page, redirect_with, render};
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::policy::address::Address;
use crate::store::{Actor, ImportUser, NewUser, Organisation, UserKind};

/// Most users of one import in the console; the command line takes more.
pub const MAX_LINES: usize = 5_000;
/// Most refused lines that are named.
const NAMED: usize = 100;

#[derive(Template)]
#[template(path = "staff/import.html", config = ".askama.toml")]
struct Import<'a> {
    page: &'a Page,
    member: &'a Member,
}

#[derive(Template)]
#[template(path = "staff/import_preview.html", config = ".askama.toml")]
struct Preview<'a> {
    page: &'a Page,
    member: &'a Member,
    good: Vec<&'a str>,
    /// The good lines, for the form that carries them out.
    lines: String,
    bad: Vec<&'a Bad>,
    bad_count: u64,
}

/// A line that is not taken.
struct Bad {
    line: u64,
    text: String,
    why: &'static str,
}

/// `GET /gestion/utilisateurs/importer`
pub async fn show(visitor: Visitor, manager: Manager) -> Response {
    let page = manager.member.page(&visitor, "staff-import-title");
    render(&page, &Import { page: &page, member: &manager.member })
}

/// `POST /gestion/utilisateurs/importer`: what would be done. Nothing is changed.
pub async fn preview(visitor: Visitor, manager: Manager, mut form: Multipart) -> Result<Response, Failure> {
    let mut text = String::new();
    while let Some(field) = form.next_field().await.map_err(|_| Failure::Malformed)? {
        let bytes = field.bytes().await.map_err(|_| Failure::TooLarge)?;
        if !bytes.is_empty() {
            text = String::from_utf8_lossy(&bytes).into_owned();
        }
    }
    let page = manager.member.page(&visitor, "staff-import-title");
    let (good, bad) = read(&manager.organisation, &text);
    if good.is_empty() && bad.is_empty() {
        let text = page.t("staff-import-empty");
        let page = page.with_error("texte", text);
        return Ok(render(&page, &Import { page: &page, member: &manager.member }));
    }
    let good: Vec<&str> = good.iter().map(Address::as_str).collect();
    let (lines, bad_count) = (good.join("\n"), bad.len() as u64);
    let bad = bad.iter().take(NAMED).collect();
    Ok(render(&page, &Preview { page: &page, member: &manager.member, good, lines, bad, bad_count }))
}

/// The addresses of a text, one a line: the first column of CSV. A header is passed over.
fn read(organisation: &Organisation, text: &str) -> (Vec<Address>, Vec<Bad>) {
    let (mut good, mut bad, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    let text = text.trim_start_matches('\u{feff}');
    for (number, line) in (1..).zip(text.lines()) {
        let first = line.split([',', ';', '\t']).next().unwrap_or_default().trim().trim_matches('"');
        let is_header = number == 1 && !first.contains('@');
        if first.is_empty() || is_header {
            continue;
        }
        let mut refuse = |why| bad.push(Bad { line: number, text: first.chars().take(80).collect(), why });
        match Address::parse(first) {
            Err(_) => refuse("staff-import-no-address"),
            Ok(address) if !is_own(organisation, &address) => refuse("staff-import-foreign"),
            Ok(_) if good.len() >= MAX_LINES => refuse("staff-import-too-many"),
            Ok(address) if !seen.insert(address.as_str().to_owned()) => refuse("staff-import-twice"),
            Ok(address) => good.push(address),
        }
    }
    (good, bad)
}

/// What the preview showed.
#[derive(Deserialize)]
pub struct Lines {
    lignes: String,
}

/// `POST /gestion/utilisateurs/importer/confirmer`
pub async fn confirm(
    State(console): State<Arc<Console>>,
    manager: Manager,
    Form(lines): Form<Lines>,
) -> Result<Response, Failure> {
    let (good, _) = read(&manager.organisation, &lines.lignes);
    let user = |address| NewUser { address, aliases: Vec::new(), kind: UserKind::Person };
    let users: Vec<_> =
        (1..).zip(good).map(|(line, address)| ImportUser { line, user: user(address), organisation: None }).collect();
    let actor = Actor::Import { name: manager.member.staff.address.as_str().to_owned() };
    let report = console.blocking(move |console| console.store.import_users(&actor, users)?.wait()).await?;
    let notice = Notice::good("staff-import-done")
        .with("accepted", report.accepted.to_string())
        .with("refused", report.refused.len().to_string());
    Ok(redirect_with("/gestion/utilisateurs", notice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::address::Domain;
    use crate::store::{OrganisationId, OrganisationSettings};

    #[test]
    fn good_lines_are_taken_and_the_others_are_named() {
        let organisation = Organisation {
            id: OrganisationId::new(1),
            name: "acme".to_owned(),
            settings: OrganisationSettings::default(),
            domains: vec![Domain::parse("acme.example").expect("a domain")],
            protected: Vec::new(),
            proven: Vec::new(),
            created: jiff::Timestamp::UNIX_EPOCH,
        };
        let text = "\u{feff}address,aliases\nAnne@acme.example,\n\n\"bob@acme.example\";x\nanne@ACME.example\nno\ncarl@other.example\n";
        let (good, bad) = read(&organisation, text);
        assert_eq!(good.iter().map(Address::as_str).collect::<Vec<_>>(), ["anne@acme.example", "bob@acme.example"]);
        let why: Vec<_> = bad.iter().map(|bad| (bad.line, bad.why)).collect();
        assert_eq!(why, [(5, "staff-import-twice"), (6, "staff-import-no-address"), (7, "staff-import-foreign")]);
        let many: String = (0..=MAX_LINES).map(|n| format!("u{n}@acme.example\n")).collect();
        assert_eq!((read(&organisation, &many).0.len(), read(&organisation, &many).1.len()), (MAX_LINES, 1));
        assert!(read(&organisation, "").0.is_empty());
    }
}
