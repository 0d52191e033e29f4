//! `/gestion/marquage`: how personal messages are marked, and what users may choose.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::Response;

use super::{Manager, Member, set_failure, setting_error};
use crate::conflict;
use crate::console::failure::Failure;
use crate::console::page::{Notice, Page, redirect_with, render};
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::policy::action::PersonalActions;
use crate::store::Organisation;

const PATH: &str = "/gestion/marquage";

/// A marking, with the key of its name.
const MARKINGS: [(PersonalActions, &str, &str); 3] = [
    (PersonalActions::TAG, "tag", "staff-marking-tag"),
    (PersonalActions::FOLDER, "folder", "staff-marking-folder"),
    (PersonalActions::MARK, "mark", "staff-marking-mark"),
];

#[derive(Template)]
#[template(path = "staff/marking.html", config = ".askama.toml")]
struct Marking<'a> {
    page: &'a Page,
    member: &'a Member,
    typed: &'a Typed,
}

/// What stands in the form.
struct Typed {
    tag: String,
    folder: String,
    actions: PersonalActions,
    choices: PersonalActions,
}

impl Typed {
    /// What is in force.
    fn of(console: &Console, organisation: &Organisation) -> Self {
        let (own, default) = (&organisation.settings, &console.defaults().personal);
        Self {
            tag: own.tag.clone().unwrap_or_else(|| default.tag.as_str().to_owned()),
            folder: own.folder.clone().unwrap_or_else(|| default.folder.clone()),
            actions: own.personal_actions.unwrap_or(default.actions),
            choices: own.markings.unwrap_or(default.choices),
        }
    }

    fn read(form: &[(String, String)]) -> Self {
        let value =
            |name: &str| form.iter().find(|(key, _)| key == name).map_or("", |(_, text)| text.trim()).to_owned();
        let actions = |name: &str| {
            let chosen = form.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
            let chosen = chosen.filter_map(|value| MARKINGS.iter().find(|(_, known, _)| *known == value));
            chosen.fold(PersonalActions::NONE, |all, (action, ..)| all | *action)
        };
        Self {
            tag: value("tag"),
            folder: value("folder"),
            actions: actions("personal_actions"),
            choices: actions("markings"),
        }
    }

    /// The settings that differ from those in force: what follows the configuration goes on to.
    fn changes(&self, before: &Self) -> Vec<(String, String)> {
        let named = |actions: PersonalActions| match actions {
            PersonalActions::NONE => "none".to_owned(),
            some => some.to_string(),
        };
        let all = [
            ("tag", self.tag.clone(), before.tag.clone()),
            ("folder", self.folder.clone(), before.folder.clone()),
            ("personal_actions", named(self.actions), named(before.actions)),
            ("markings", named(self.choices), named(before.choices)),
        ];
        let changed = all.into_iter().filter(|(_, now, before)| now != before);
        changed.map(|(key, now, _)| (key.to_owned(), now)).collect()
    }

    fn does(&self, action: &PersonalActions) -> bool {
        self.actions.contains(*action)
    }

    fn allows(&self, action: &PersonalActions) -> bool {
        self.choices.contains(*action)
    }
}

/// `GET /gestion/marquage`
pub async fn show(State(console): State<Arc<Console>>, visitor: Visitor, manager: Manager) -> Response {
    let page = manager.member.page(&visitor, "staff-marking-title");
    let typed = Typed::of(&console, &manager.organisation);
    render(&page, &Marking { page: &page, member: &manager.member, typed: &typed })
}

/// `POST /gestion/marquage`
pub async fn set(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    manager: Manager,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let typed = Typed::read(&form);
    let changes = typed.changes(&Typed::of(&console, &manager.organisation));
    if changes.is_empty() {
        return Ok(redirect_with(PATH, Notice::good("staff-unchanged")));
    }
    let (actor, organisation) = (manager.member.actor(), manager.organisation.clone());
    let set = console.blocking(move |console| {
        Ok(conflict::set(&console.defaults(), &*console.store, &actor, &organisation, &changes))
    });
    match set.await? {
        Ok(()) => Ok(redirect_with(PATH, Notice::good("staff-marking-set"))),
        Err(error) => {
            let page = manager.member.page(&visitor, "staff-marking-title");
            let Some((field, text)) = setting_error(&page, &error) else { return Err(set_failure(error)) };
            let page = page.with_error(field, text);
            Ok(render(&page, &Marking { page: &page, member: &manager.member, typed: &typed }))
        }
    }
}
