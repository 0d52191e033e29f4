//! `/reglages`: how a person's own personal and blocked mail is treated, within what the organisation allows.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::failure::Failure;
use super::page::{Notice, Page, Place, redirect_with, render};
use super::session::SignedIn;
use super::state::Console;
use super::visitor::Visitor;
use crate::conflict::{check_choice, policy_of};
use crate::policy::action::{BlackAction, PersonalActions};
use crate::policy::decide::Outcome;
use crate::store::Actor;

/// A marking that may be chosen.
struct Marking {
    name: &'static str,
    label: String,
    hint: String,
    chosen: bool,
}

/// What may be done with blocked mail.
struct Blocking {
    name: &'static str,
    label: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "preferences.html", config = ".askama.toml")]
struct Preferences<'a> {
    page: &'a Page,
    /// What the organisation does, in words.
    usual: String,
    own: bool,
    markings: Vec<Marking>,
    blockings: Vec<Blocking>,
    functional: bool,
}

/// What stands in the form for what the organisation does.
const USUAL: &str = "organisation";

/// What may be done with blocked mail, by the names that the form sends. Holding is for operators to choose, who can look at
/// what is held; who has it keeps it.
const BLOCKINGS: [(&str, BlackAction); 4] = [
    ("reject", BlackAction::Reject),
    ("discard", BlackAction::Discard),
    ("junk", BlackAction::Junk),
    ("hold", BlackAction::Hold),
];

/// What a person chose apart from the organisation.
#[derive(Clone, Copy)]
struct Own {
    personal: Option<PersonalActions>,
    black: Option<BlackAction>,
}

/// What a person may choose, and what the organisation does.
struct Choices<'a> {
    console: &'a Console,
    signed_in: &'a SignedIn,
}

impl Choices<'_> {
    fn can_be_had(&self, outcome: Outcome) -> bool {
        check_choice(&self.console.defaults(), &self.signed_in.organisation, outcome).is_ok()
    }

    /// The markings that the organisation allows and that can be had.
    fn markings(&self) -> PersonalActions {
        let allowed = policy_of(&self.console.defaults(), &self.signed_in.organisation).personal.choices;
        let can_be_had =
            |personal: &PersonalActions| self.can_be_had(Outcome::Deliver { personal: *personal, clear_spam: false });
        let each = [PersonalActions::TAG, PersonalActions::FOLDER, PersonalActions::MARK].into_iter();
        each.map(|action| action & allowed).filter(can_be_had).fold(PersonalActions::NONE, |all, action| all | action)
    }

    /// What is offered to do with blocked mail.
    fn blockings(&self) -> impl Iterator<Item = (&'static str, BlackAction)> {
        let chosen = self.signed_in.user.options.black_action;
        let is_offered = move |action| chosen == Some(action) || action != BlackAction::Hold && self.can_block(action);
        BLOCKINGS.into_iter().filter(move |(_, action)| is_offered(*action))
    }

    fn can_block(&self, action: BlackAction) -> bool {
        self.can_be_had(Outcome::Blocked(action))
    }
}

/// `GET /reglages`
pub async fn show(State(console): State<Arc<Console>>, visitor: Visitor, signed_in: SignedIn) -> Response {
    let page = Page::signed_in(&visitor, &signed_in, Place::Settings, "preferences-title");
    let options = &signed_in.user.options;
    let own = Own { personal: options.personal_actions, black: options.black_action };
    answer(&Choices { console: &console, signed_in: &signed_in }, &page, own)
}

fn answer(choices: &Choices<'_>, page: &Page, own: Own) -> Response {
    let policy = policy_of(&choices.console.defaults(), &choices.signed_in.organisation);
    let personal = &policy.personal;
    let tag = personal.tag.as_str();
    let words = |actions: PersonalActions| {
        let names: Vec<String> = actions.names().map(|name| label(page, name)).collect();
        if names.is_empty() { page.t("preferences-nothing") } else { names.join(", ") }
    };
    let shown = own.personal.unwrap_or(personal.actions);
    let offered = choices.markings();
    let markings = offered.names().map(|name| Marking {
        name,
        label: label(page, name),
        hint: hint(page, name, tag, &personal.folder),
        chosen: shown.contains(name.parse().unwrap_or(PersonalActions::NONE)),
    });
    let usual = page.text("preferences-as-organisation", &[("what", blocked(page, policy.black.action).into())]);
    let mut blockings = vec![Blocking { name: USUAL, label: usual, chosen: own.black.is_none() }];
    blockings.extend(choices.blockings().map(|(name, action)| Blocking {
        name,
        label: blocked(page, action),
        chosen: own.black == Some(action),
    }));
    let template = Preferences {
        page,
        usual: page.text("preferences-as-organisation", &[("what", words(personal.actions).into())]),
        own: own.personal.is_some(),
        markings: markings.collect(),
        blockings,
        functional: choices.signed_in.user.options.functional,
    };
    render(page, &template)
}

fn label(page: &Page, name: &str) -> String {
    match name {
        "tag" => page.t("preferences-tag"),
        "folder" => page.t("preferences-folder"),
        _ => page.t("preferences-mark"),
    }
}

fn hint(page: &Page, name: &str, tag: &str, folder: &str) -> String {
    match name {
        "tag" => page.text("preferences-tag-hint", &[("tag", tag.into())]),
        "folder" => page.text("preferences-folder-hint", &[("folder", folder.into())]),
        _ => page.t("preferences-mark-hint"),
    }
}

fn blocked(page: &Page, action: BlackAction) -> String {
    match action {
        BlackAction::Reject => page.t("preferences-reject"),
        BlackAction::Discard => page.t("preferences-discard"),
        BlackAction::Hold => page.t("preferences-hold"),
        BlackAction::Junk => page.t("preferences-junk"),
    }
}

/// The form.
#[derive(Deserialize)]
pub struct Chosen {
    marquage: String,
    #[serde(default)]
    tag: Option<String>,
    #[serde(default)]
    folder: Option<String>,
    #[serde(default)]
    mark: Option<String>,
    bloques: String,
}

impl Chosen {
    fn actions(&self) -> PersonalActions {
        let parts = [
            (&self.tag, PersonalActions::TAG),
            (&self.folder, PersonalActions::FOLDER),
            (&self.mark, PersonalActions::MARK),
        ];
        parts.iter().filter(|(sent, _)| sent.is_some()).fold(PersonalActions::NONE, |all, (_, action)| all | *action)
    }
}

/// `POST /reglages`
pub async fn set(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Form(chosen): Form<Chosen>,
) -> Result<Response, Failure> {
    let black = match chosen.bloques.as_str() {
        USUAL => None,
        name => Some(BLOCKINGS.iter().find(|(known, _)| *known == name).ok_or(Failure::Malformed)?.1),
    };
    let choices = Choices { console: &console, signed_in: &signed_in };
    let personal = (chosen.marquage == "moi").then(|| chosen.actions() & choices.markings());
    let mut page = Page::signed_in(&visitor, &signed_in, Place::Settings, "preferences-title");
    if personal == Some(PersonalActions::NONE) {
        let text = page.t("preferences-none");
        page = page.with_error("marquage-moi", text);
    }
    if black.is_some_and(|action| !choices.can_block(action)) {
        let text = page.t("preferences-no-folder");
        page = page.with_error("bloques-organisation", text);
    }
    if !page.errors.is_empty() {
        return Ok(answer(&choices, &page, Own { personal, black }));
    }
    let mut options = signed_in.user.options;
    options.personal_actions = personal;
    options.black_action = black;
    let user = signed_in.id();
    console.blocking(move |console| console.store.set_user_options(&Actor::User, user, options)).await?;
    Ok(redirect_with("/reglages", Notice::good("preferences-saved")))
}
