//! `/exploitation`: whether everything is well: the store, the keys, and the relay of this process.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::console::failure::Failure;
use crate::console::page::{Page, render};
use crate::console::staff::{Member, Operator};
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::store::OrganisationId;

#[derive(Template)]
#[template(path = "staff/health.html", config = ".askama.toml")]
struct Health<'a> {
    page: &'a Page,
    member: &'a Member,
    organisations: u64,
    /// Whether this process opens sealed values.
    opens: bool,
    /// Organisations whose journal does not verify.
    broken: Vec<String>,
}

/// `GET /exploitation`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Operator(member): Operator,
) -> Result<Response, Failure> {
    let page = member.page(&visitor, "staff-health-title");
    let read = |console: &Console| {
        let store = &*console.store;
        let organisations = store.organisations()?;
        let mut broken = Vec::new();
        if store.verify_journal(OrganisationId::INSTALLATION)?.broken.is_some() {
            broken.push("–".to_owned());
        }
        for organisation in &organisations {
            if store.verify_journal(organisation.id)?.broken.is_some() {
                broken.push(organisation.name.clone());
            }
        }
        Ok((organisations.len() as u64, store.keys().seal_key.is_some(), broken))
    };
    let (organisations, opens, broken) = console.blocking(read).await?;
    Ok(render(&page, &Health { page: &page, member: &member, organisations, opens, broken }))
}
