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
use super::text;
use super::visitor::Visitor;
use crate::directory::policy;
use crate::policy::action::{BlackAction, PersonalActions};
use crate::policy::list::FingerprintKey;
use crate::policy::organisation::OrgPolicy;
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
    /// Empty for what the organisation does.
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

const BLOCKINGS: [(&str, BlackAction); 3] =
    [("reject", BlackAction::Reject), ("discard", BlackAction::Discard), ("junk", BlackAction::Junk)];

fn own_policy(console: &Console, signed_in: &SignedIn) -> OrgPolicy {
    // Its own lists match nobody here.
    policy(&console.defaults(), &signed_in.organisation, &FingerprintKey::from_bytes([0; 16]))
}

/// `GET /reglages`
pub async fn show(State(console): State<Arc<Console>>, visitor: Visitor, signed_in: SignedIn) -> Response {
    let page = Page::signed_in(&visitor, &signed_in, Place::Settings, "preferences-title");
    answer(&console, &signed_in, &page, signed_in.user.options.personal_actions)
}

fn answer(console: &Console, signed_in: &SignedIn, page: &Page, own: Option<PersonalActions>) -> Response {
    let policy = own_policy(console, signed_in);
    let personal = &policy.personal;
    let tag = personal.tag.as_str();
    let words = |actions: PersonalActions| {
        let names: Vec<String> = actions.names().map(|name| label(page, name)).collect();
        if names.is_empty() { page.t("preferences-nothing") } else { names.join(", ") }
    };
    let shown = own.unwrap_or(personal.actions);
    let markings = personal.choices.names().map(|name| Marking {
        name,
        label: label(page, name),
        hint: hint(page, name, tag, &personal.folder),
        chosen: shown.contains(name.parse().unwrap_or(PersonalActions::NONE)),
    });
    let black = signed_in.user.options.black_action;
    let usual = page.text("preferences-as-organisation", &[("what", blocked(page, policy.black.action).into())]);
    let mut blockings = vec![Blocking { name: "", label: usual, chosen: black.is_none() }];
    blockings.extend(BLOCKINGS.into_iter().map(|(name, action)| Blocking {
        name,
        label: blocked(page, action),
        chosen: black == Some(action),
    }));
    let template = Preferences {
        page,
        usual: page.text("preferences-as-organisation", &[("what", words(personal.actions).into())]),
        own: own.is_some(),
        markings: markings.collect(),
        blockings,
        functional: signed_in.user.options.functional,
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
        "" => None,
        name => Some(BLOCKINGS.iter().find(|(known, _)| *known == name).ok_or(Failure::Malformed)?.1),
    };
    let own = (chosen.marquage == "moi").then(|| chosen.actions() & own_policy(&console, &signed_in).personal.choices);
    if own == Some(PersonalActions::NONE) {
        let page = Page::signed_in(&visitor, &signed_in, Place::Settings, "preferences-title");
        let page = page.with_error("marquage-moi", text::t(visitor.language, "preferences-none"));
        return Ok(answer(&console, &signed_in, &page, own));
    }
    let mut options = signed_in.user.options;
    options.personal_actions = own;
    options.black_action = black;
    let user = signed_in.id();
    console.blocking(move |console| console.store.set_user_options(&Actor::User, user, options)).await?;
    Ok(redirect_with("/reglages", Notice::good("preferences-saved")))
}
