//! `/connexion/code`: the six digits are typed, in the browser that asked for them.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use serde::Deserialize;
use tower_sessions::Session;

use super::admit;
use super::ask::Back;
use crate::console::failure::Failure;
use crate::console::limits::Way;
use crate::console::page::{Notice, Page, Tone, redirect_with, render};
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::store::{CodeAnswer, MailCode};

#[derive(Template)]
#[template(path = "sign_in_code.html", config = ".askama.toml")]
struct Code<'a> {
    page: &'a Page,
    back: &'a str,
}

/// `GET /connexion/code`
pub async fn show(visitor: Visitor, Query(back): Query<Back>, signed_in: Result<SignedIn, Failure>) -> Response {
    if signed_in.is_ok() {
        return Redirect::to(back.path()).into_response();
    }
    let page = Page::new(&visitor, "sign-in-code-title");
    render(&page, &Code { page: &page, back: back.path() })
}

/// The form.
#[derive(Deserialize)]
pub struct Typed {
    code: String,
    #[serde(default)]
    retour: Option<String>,
}

/// `POST /connexion/code`
pub async fn confirm(
    State(console): State<Arc<Console>>,
    session: Session,
    visitor: Visitor,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    console.limits.count(Way::Code, &visitor)?;
    let back = Back { retour: typed.retour };
    let page = Page::new(&visitor, "sign-in-code-title");
    let refused = |text: String| {
        let page = Page::new(&visitor, "sign-in-code-title").with_error("code", text);
        Ok(render(&page, &Code { page: &page, back: back.path() }))
    };
    let Ok(code) = typed.code.parse::<MailCode>() else {
        return refused(page.t("sign-in-code-form"));
    };
    let browser = visitor.browser;
    match console.blocking(move |console| console.store.confirm_code(&browser, &code)).await? {
        CodeAnswer::Good(confirmed) => admit(&console, &session, &visitor, confirmed, Some(back.path())).await,
        CodeAnswer::Wrong { left } => refused(page.text("sign-in-code-wrong", &[("left", u64::from(left).into())])),
        CodeAnswer::LinkAlone { until } => {
            let refused = refused(page.text("sign-in-code-link-alone", &[("until", page.moment(&until).into())]))?;
            Ok(closed_until(refused, until, (console.clock)()))
        }
        CodeAnswer::Unknown => Ok(redirect_with("/connexion", Notice::new(Tone::Bad, "sign-in-code-void"))),
    }
}

/// A page that refuses codes, as the answer to too many tries.
pub fn closed_until(mut page: Response, until: Timestamp, now: Timestamp) -> Response {
    *page.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    let seconds = until.duration_since(now).as_secs().max(0);
    page.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    page
}
