//! `/exploitation/organisations`: organisations, the domains they serve, and their settings.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;

use crate::conflict;
use crate::console::failure::Failure;
use crate::console::page::{Notice, Page, redirect_with, render};
use crate::console::staff::{Member, Operator, set_failure, setting_error, setting_words};
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::policy::address::Domain;
use crate::store::{MAX_NAME, Organisation, OrganisationId, StoreError};

const PATH: &str = "/exploitation/organisations";

#[derive(Template)]
#[template(path = "staff/organisations.html", config = ".askama.toml")]
struct Organisations<'a> {
    page: &'a Page,
    member: &'a Member,
    typed: &'a Typed,
    all: Vec<Organisation>,
}

#[derive(Template)]
#[template(path = "staff/organisation.html", config = ".askama.toml")]
struct OneOrganisation<'a> {
    page: &'a Page,
    member: &'a Member,
    organisation: &'a Organisation,
    settings: Vec<(&'static str, String)>,
    domain: &'a str,
}

impl OneOrganisation<'_> {
    fn label(&self, key: &str) -> String {
        self.page.t(&setting_words(key))
    }

    /// What may be written there, and what the setting is called on the command line.
    fn hint(&self, key: &str) -> String {
        format!("{} ({key})", self.page.t(&format!("{}-hint", setting_words(key))))
    }
}

/// The form of a new organisation.
#[derive(Deserialize, Default)]
pub struct Typed {
    nom: String,
    domaine: String,
}

/// `GET /exploitation/organisations`
pub async fn list(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Operator(member): Operator,
) -> Result<Response, Failure> {
    let page = member.page(&visitor, "staff-organisations-title");
    all(&console, &page, &member, &Typed::default()).await
}

async fn all(console: &Arc<Console>, page: &Page, member: &Member, typed: &Typed) -> Result<Response, Failure> {
    let all = console.blocking(|console| console.store.organisations()).await?;
    Ok(render(page, &Organisations { page, member, typed, all }))
}

/// `POST /exploitation/organisations`
pub async fn add(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Operator(member): Operator,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    let page = member.page(&visitor, "staff-organisations-title");
    let name = typed.nom.trim().to_owned();
    let added = match Domain::parse(typed.domaine.trim()) {
        Err(_) => Err(("domaine", "staff-domains-wrong")),
        Ok(_) if name.is_empty() || name.len() > MAX_NAME => Err(("nom", "staff-organisations-name-wrong")),
        Ok(domain) => {
            let actor = member.actor();
            let add = move |console: &Console| match console.store.add_organisation(&actor, &name, &[domain]) {
                Err(StoreError::OrganisationTaken(_)) => Ok(Err(("nom", "staff-organisations-name-taken"))),
                Err(StoreError::Invalid(_)) => Ok(Err(("nom", "staff-organisations-name-wrong"))),
                Err(StoreError::DomainTaken { .. }) => Ok(Err(("domaine", "staff-organisations-domain-taken"))),
                added => added.map(Ok),
            };
            console.blocking(add).await?
        }
    };
    match added {
        Ok(id) => Ok(redirect_with(&format!("{PATH}/{id}"), Notice::good("staff-organisations-added"))),
        Err((field, key)) => {
            let text = page.t(key);
            all(&console, &page.with_error(field, text), &member, &typed).await
        }
    }
}

async fn numbered(console: &Arc<Console>, id: u32) -> Result<Organisation, Failure> {
    console.blocking(move |console| console.store.organisation_numbered(OrganisationId::new(id))).await
}

fn one(
    page: &Page,
    member: &Member,
    organisation: &Organisation,
    typed: &[(String, String)],
    domain: &str,
) -> Response {
    let kept = organisation.settings.texts();
    let typed_value = |key: &str| typed.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
    let value = |(key, value): (&'static str, Option<String>)| (key, typed_value(key).or(value).unwrap_or_default());
    let settings = kept.into_iter().map(value).collect();
    render(page, &OneOrganisation { page, member, organisation, settings, domain })
}

/// `GET /exploitation/organisations/{id}`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Operator(member): Operator,
    Path(id): Path<u32>,
) -> Result<Response, Failure> {
    let organisation = numbered(&console, id).await?;
    let page = member.page(&visitor, "staff-organisation-title");
    Ok(one(&page, &member, &organisation, &[], ""))
}

/// `POST /exploitation/organisations/{id}`: settings as on the command line; an empty one follows the configuration.
pub async fn set(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Operator(member): Operator,
    Path(id): Path<u32>,
    Form(typed): Form<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let organisation = numbered(&console, id).await?;
    let kept = organisation.settings.texts();
    let is_new = |(key, value): &&(String, String)| {
        let known = kept.iter().find(|(known, _)| known == key);
        known.is_some_and(|(_, kept)| kept.as_deref().unwrap_or_default() != value.trim())
    };
    let changes: Vec<_> = typed.iter().filter(is_new).cloned().collect();
    if changes.is_empty() {
        return Ok(redirect_with(&format!("{PATH}/{id}"), Notice::good("staff-unchanged")));
    }
    let (actor, before) = (member.actor(), organisation.clone());
    let set = console
        .blocking(move |console| Ok(conflict::set(&console.defaults(), &*console.store, &actor, &before, &changes)));
    let error = match set.await? {
        Ok(()) => return Ok(redirect_with(&format!("{PATH}/{id}"), Notice::good("staff-organisation-set"))),
        Err(error) => error,
    };
    let page = member.page(&visitor, "staff-organisation-title");
    let Some((field, text)) = setting_error(&page, &error) else { return Err(set_failure(error)) };
    Ok(one(&page.with_error(field, text), &member, &organisation, &typed, ""))
}

/// The form of a domain.
#[derive(Deserialize)]
pub struct OneDomain {
    domaine: String,
}

/// `POST /exploitation/organisations/{id}/domaines`
pub async fn add_domain(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Operator(member): Operator,
    Path(id): Path<u32>,
    Form(typed): Form<OneDomain>,
) -> Result<Response, Failure> {
    let organisation = numbered(&console, id).await?;
    let added = match Domain::parse(typed.domaine.trim()) {
        Err(_) => Some("staff-domains-wrong"),
        Ok(domain) => {
            let (actor, id) = (member.actor(), organisation.id);
            let add = move |console: &Console| match console.store.add_domain(&actor, id, &domain) {
                Err(StoreError::DomainTaken { .. }) => Ok(Some("staff-organisations-domain-taken")),
                added => added.map(|()| None),
            };
            console.blocking(add).await?
        }
    };
    let Some(key) = added else {
        return Ok(redirect_with(&format!("{PATH}/{id}"), Notice::good("staff-organisation-set")));
    };
    let page = member.page(&visitor, "staff-organisation-title");
    let text = page.t(key);
    Ok(one(&page.with_error("domaine", text), &member, &organisation, &[], &typed.domaine))
}

/// `POST /exploitation/organisations/{id}/domaines/retirer`
pub async fn remove_domain(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Operator(member): Operator,
    Path(id): Path<u32>,
    Form(typed): Form<OneDomain>,
) -> Result<Response, Failure> {
    let organisation = numbered(&console, id).await?;
    let domain = Domain::parse(typed.domaine.trim()).map_err(|_| Failure::Malformed)?;
    let (actor, of) = (member.actor(), organisation.id);
    let remove = move |console: &Console| match console.store.remove_domain(&actor, of, &domain) {
        Err(StoreError::DomainInUse(_)) => Ok(false),
        removed => removed.map(|()| true),
    };
    if console.blocking(remove).await? {
        return Ok(redirect_with(&format!("{PATH}/{id}"), Notice::good("staff-organisation-set")));
    }
    let page = member.page(&visitor, "staff-organisation-title");
    let text = page.t("staff-organisations-domain-used");
    Ok(one(&page.with_error("domaine", text), &member, &organisation, &[], &typed.domaine))
}
