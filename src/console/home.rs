//! The first page after signing in.

use askama::Template;
use axum::response::Response;

use super::page::{Page, Place, render};
use super::session::SignedIn;
use super::visitor::Visitor;

#[derive(Template)]
#[template(path = "home.html", config = ".askama.toml")]
struct Home<'a> {
    page: &'a Page,
}

/// `GET /`
pub async fn show(visitor: Visitor, signed_in: SignedIn) -> Response {
    let page = Page::signed_in(&visitor, &signed_in, Place::Lists, "home-title");
    render(&page, &Home { page: &page })
}
