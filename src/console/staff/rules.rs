//! `/gestion/regles`: for how long sessions rest, from where the console is used, who gets an account, whom to ask.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{Manager, Member, set_failure, setting_error};
use crate::conflict;
use crate::console::failure::Failure;
use crate::console::page::{Notice, Page, redirect_with, render};
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::store::{LANGUAGES, Organisation, OrganisationSettings, SESSION_IDLE};

const PATH: &str = "/gestion/regles";

#[derive(Template)]
#[template(path = "staff/rules.html", config = ".askama.toml")]
struct Rules<'a> {
    page: &'a Page,
    member: &'a Member,
    typed: &'a Typed,
    idle: [u16; SESSION_IDLE.len()],
}

/// The form.
#[derive(Deserialize)]
pub struct Typed {
    session_idle: u16,
    #[serde(default)]
    console_networks: String,
    #[serde(default)]
    create_users: String,
    language: String,
    #[serde(default)]
    dpo: String,
}

impl Typed {
    fn of(console: &Console, organisation: &Organisation) -> Self {
        let own = &organisation.settings;
        Self {
            session_idle: own.session_idle.unwrap_or(SESSION_IDLE[0]),
            console_networks: own.console_networks.as_ref().map(|names| names.join("\n")).unwrap_or_default(),
            create_users: if own.create_users.unwrap_or(true) { "on" } else { "off" }.to_owned(),
            language: own.language.clone().unwrap_or_else(|| console.options.language.to_string()),
            dpo: own.dpo.clone().unwrap_or_default(),
        }
    }

    /// The settings that differ from those in force.
    fn changes(&self, before: &Self) -> Vec<(String, String)> {
        let networks = |typed: &Self| {
            let names = typed.console_networks.split([',', '\n', ' ', '\r']).map(str::trim);
            names.filter(|name| !name.is_empty()).collect::<Vec<_>>().join(",")
        };
        let switch = |typed: &Self| if typed.create_users == "on" { "on" } else { "off" }.to_owned();
        let all = [
            ("session_idle", self.session_idle.to_string(), before.session_idle.to_string()),
            ("console_networks", networks(self), networks(before)),
            ("create_users", switch(self), switch(before)),
            ("language", self.language.clone(), before.language.clone()),
            ("dpo", self.dpo.trim().to_owned(), before.dpo.clone()),
        ];
        let changed = all.into_iter().filter(|(_, now, before)| now != before);
        changed.map(|(key, now, _)| (key.to_owned(), now)).collect()
    }

    fn rests(&self, minutes: &u16) -> bool {
        self.session_idle == *minutes
    }
}

fn written(page: &Page, manager: &Manager, typed: &Typed) -> Response {
    render(page, &Rules { page, member: &manager.member, typed, idle: SESSION_IDLE })
}

/// `GET /gestion/regles`
pub async fn show(State(console): State<Arc<Console>>, visitor: Visitor, manager: Manager) -> Response {
    let page = manager.member.page(&visitor, "staff-rules-title");
    written(&page, &manager, &Typed::of(&console, &manager.organisation))
}

/// `POST /gestion/regles`
pub async fn set(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    manager: Manager,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    if !LANGUAGES.contains(&typed.language.as_str()) || !SESSION_IDLE.contains(&typed.session_idle) {
        return Err(Failure::Malformed);
    }
    let changes = typed.changes(&Typed::of(&console, &manager.organisation));
    if changes.is_empty() {
        return Ok(redirect_with(PATH, Notice::good("staff-unchanged")));
    }
    if locks_out(&manager.organisation.settings, &changes, &visitor) {
        let page = manager.member.page(&visitor, "staff-rules-title");
        let text = page.text("staff-rules-locked-out", &[("address", visitor.address.to_string().into())]);
        return Ok(written(&page.with_error("console_networks", text), &manager, &typed));
    }
    let (actor, organisation) = (manager.member.actor(), manager.organisation.clone());
    let set = console.blocking(move |console| {
        Ok(conflict::set(&console.defaults(), &*console.store, &actor, &organisation, &changes))
    });
    match set.await? {
        Ok(()) => Ok(redirect_with(PATH, Notice::good("staff-rules-set"))),
        Err(error) => {
            let page = manager.member.page(&visitor, "staff-rules-title");
            let Some((field, text)) = setting_error(&page, &error) else { return Err(set_failure(error)) };
            Ok(written(&page.with_error(field, text), &manager, &typed))
        }
    }
}

/// Whether the manager could not open the page again to take it back.
fn locks_out(settings: &OrganisationSettings, changes: &[(String, String)], visitor: &Visitor) -> bool {
    let mut wanted = settings.clone();
    let is_possible = changes.iter().all(|(key, value)| wanted.set(key, value).is_ok());
    is_possible && !wanted.admits(visitor.address)
}
