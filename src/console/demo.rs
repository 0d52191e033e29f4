//! Sign-in links of the demo, which has no mail server: good until it ends, in any browser. Elsewhere there are none.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tower_sessions::Session;

use super::failure::Failure;
use super::page::{Notice, Page, redirect_with, render};
use super::session;
use super::state::Console;
use super::visitor::Visitor;
use crate::store::{OpenedBy, UserId};

/// Links by their token.
#[derive(Default)]
pub struct Links(Mutex<HashMap<String, UserId>>);

impl Links {
    /// The path of a link for a user.
    pub fn make(&self, user: UserId) -> Option<String> {
        let mut token = [0; 16];
        aws_lc_rs::rand::fill(&mut token).ok()?;
        let token = URL_SAFE_NO_PAD.encode(token);
        let path = format!("/demo/{token}");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(token, user);
        Some(path)
    }

    fn user(&self, token: &str) -> Result<UserId, Failure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(token).copied().ok_or(Failure::NotFound)
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Links(hidden)")
    }
}

#[derive(Template)]
#[template(path = "sign_in_link.html", config = ".askama.toml")]
struct Link<'a> {
    page: &'a Page,
    address: Option<&'a str>,
}

/// `GET /demo/{token}`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(token): Path<String>,
) -> Result<Response, Failure> {
    let user = console.demo.user(&token)?;
    let user = console.blocking(move |console| console.store.user(user)).await?;
    let page = Page::new(&visitor, "sign-in-link-title");
    Ok(render(&page, &Link { page: &page, address: Some(user.address.as_str()) }))
}

/// `POST /demo/{token}`
pub async fn confirm(
    State(console): State<Arc<Console>>,
    session: Session,
    visitor: Visitor,
    Path(token): Path<String>,
) -> Result<Response, Failure> {
    let user = console.demo.user(&token)?;
    session::open(&console, &session, &visitor, user, OpenedBy::Mail, None).await?;
    Ok(redirect_with("/", Notice::good("staff-sign-in-welcome")))
}
