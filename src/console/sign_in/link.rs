//! `/connexion/lien/…`: the link of the message. Opening it does nothing, since mail filters open links too: one click
//! signs in, in the browser that asked. Elsewhere the page says to type the code there.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use tower_sessions::Session;

use super::admit;
use crate::console::failure::Failure;
use crate::console::page::{Notice, Page, Tone, redirect_with, render};
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::store::{LinkAnswer, LinkToken};

#[derive(Template)]
#[template(path = "sign_in_link.html", config = ".askama.toml")]
struct Link<'a> {
    page: &'a Page,
    /// Whose account it opens; `None` in another browser.
    address: Option<&'a str>,
}

/// `GET /connexion/lien/{token}`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(token): Path<String>,
) -> Result<Response, Failure> {
    let Ok(token) = token.parse::<LinkToken>() else { return Ok(void()) };
    let browser = visitor.browser;
    let page = Page::new(&visitor, "sign-in-link-title");
    match console.blocking(move |console| console.store.sign_in_link(&token, &browser)).await? {
        LinkAnswer::Good(confirmed) => {
            Ok(render(&page, &Link { page: &page, address: Some(confirmed.address.as_str()) }))
        }
        LinkAnswer::OtherBrowser => Ok(render(&page, &Link { page: &page, address: None })),
        LinkAnswer::Unknown => Ok(void()),
    }
}

/// `POST /connexion/lien/{token}`
pub async fn confirm(
    State(console): State<Arc<Console>>,
    session: Session,
    visitor: Visitor,
    Path(token): Path<String>,
) -> Result<Response, Failure> {
    let Ok(token) = token.parse::<LinkToken>() else { return Ok(void()) };
    let browser = visitor.browser;
    match console.blocking(move |console| console.store.confirm_link(&token, &browser)).await? {
        LinkAnswer::Good(confirmed) => admit(&console, &session, &visitor, confirmed, None).await,
        LinkAnswer::OtherBrowser => {
            let page = Page::new(&visitor, "sign-in-link-title");
            Ok(render(&page, &Link { page: &page, address: None }))
        }
        LinkAnswer::Unknown => Ok(void()),
    }
}

fn void() -> Response {
    redirect_with("/connexion", Notice::new(Tone::Bad, "sign-in-link-void"))
}
