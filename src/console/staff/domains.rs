//! `/gestion/domaines`: the domains that the organisation serves, and the business domains that nobody may call personal.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{Manager, Member};
use crate::console::failure::Failure;
use crate::console::page::{Notice, Page, redirect_with, render};
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::policy::address::Domain;

const PATH: &str = "/gestion/domaines";

#[derive(Template)]
#[template(path = "staff/domains.html", config = ".askama.toml")]
struct Domains<'a> {
    page: &'a Page,
    member: &'a Member,
    typed: &'a str,
    served: Vec<&'a str>,
    protected: Vec<&'a str>,
}

/// The form.
#[derive(Deserialize)]
pub struct Typed {
    domaine: String,
}

/// `GET /gestion/domaines`
pub async fn show(visitor: Visitor, manager: Manager) -> Response {
    let page = manager.member.page(&visitor, "staff-domains-title");
    written(&page, &manager, "")
}

fn written(page: &Page, manager: &Manager, typed: &str) -> Response {
    let served = manager.organisation.domains.iter().map(Domain::as_str).collect();
    let protected = manager.organisation.protected.iter().map(Domain::as_str).collect();
    render(page, &Domains { page, member: &manager.member, typed, served, protected })
}

/// `POST /gestion/domaines`
pub async fn add(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    manager: Manager,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    let Ok(domain) = Domain::parse(typed.domaine.trim()) else {
        let page = manager.member.page(&visitor, "staff-domains-title");
        let text = page.t("staff-domains-wrong");
        return Ok(written(&page.with_error("domaine", text), &manager, &typed.domaine));
    };
    let (id, actor, name) = (manager.organisation.id, manager.member.actor(), domain.as_str().to_owned());
    console.blocking(move |console| console.store.protect_domain(&actor, id, &domain)).await?;
    Ok(redirect_with(PATH, Notice::good("staff-domains-added").with("domain", name)))
}

/// `POST /gestion/domaines/retirer`
pub async fn remove(
    State(console): State<Arc<Console>>,
    manager: Manager,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    let domain = Domain::parse(typed.domaine.trim()).map_err(|_| Failure::Malformed)?;
    let (id, actor, name) = (manager.organisation.id, manager.member.actor(), domain.as_str().to_owned());
    console.blocking(move |console| console.store.unprotect_domain(&actor, id, &domain)).await?;
    Ok(redirect_with(PATH, Notice::good("staff-domains-removed").with("domain", name)))
}
