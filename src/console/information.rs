//! What anybody may read: help, what the employer can and cannot see, and how accessible the console is.

use askama::Template;
use axum::response::Response;

use super::failure::Failure;
use super::page::{Page, render};
use super::session::SignedIn;
use super::visitor::Visitor;

#[derive(Template)]
#[template(path = "help.html", config = ".askama.toml")]
struct Help<'a> {
    page: &'a Page,
}

#[derive(Template)]
#[template(path = "privacy.html", config = ".askama.toml")]
struct Privacy<'a> {
    page: &'a Page,
    contact: String,
}

#[derive(Template)]
#[template(path = "accessibility.html", config = ".askama.toml")]
struct Accessibility<'a> {
    page: &'a Page,
    contact: String,
}

fn page(visitor: &Visitor, signed_in: &Result<SignedIn, Failure>, title_key: &str) -> Page {
    let mut page = Page::new(visitor, title_key);
    page.account = signed_in.as_ref().ok().map(SignedIn::account);
    page
}

/// Who the data protection officer is, for those whose organisation is known.
fn contact(page: &Page, signed_in: &Result<SignedIn, Failure>) -> String {
    match signed_in.as_ref().map(|signed_in| signed_in.organisation.settings.dpo.clone()) {
        Ok(Some(dpo)) => page.text("privacy-contact-dpo", &[("dpo", dpo.into())]),
        Ok(None) => page.t("privacy-contact-none"),
        Err(_) => page.t("privacy-contact-sign-in"),
    }
}

/// `GET /aide`
pub async fn help(visitor: Visitor, signed_in: Result<SignedIn, Failure>) -> Response {
    let page = page(&visitor, &signed_in, "help-title");
    render(&page, &Help { page: &page })
}

/// `GET /confidentialite`
pub async fn privacy(visitor: Visitor, signed_in: Result<SignedIn, Failure>) -> Response {
    let page = page(&visitor, &signed_in, "privacy-title");
    render(&page, &Privacy { contact: contact(&page, &signed_in), page: &page })
}

/// `GET /accessibilite`
pub async fn accessibility(visitor: Visitor, signed_in: Result<SignedIn, Failure>) -> Response {
    let page = page(&visitor, &signed_in, "accessibility-title");
    render(&page, &Accessibility { contact: contact(&page, &signed_in), page: &page })
}
