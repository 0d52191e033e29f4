//! The second factor once more, before what is grave: who finds an open session of staff can look, and change nothing. The form
//! that was sent comes back with a field for the code, and what was typed is kept in it.

use std::sync::Arc;

use askama::Template;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Member;
use crate::console::access::Area;
use crate::console::failure::Failure;
use crate::console::limits::Way;
use crate::console::page::{Page, render};
use crate::console::session;
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::store::StoreError;

/// The field of the code.
const FIELD: &str = "second_facteur";

#[derive(Template)]
#[template(path = "staff/prove.html", config = ".askama.toml")]
struct Prove<'a> {
    page: &'a Page,
    member: &'a Member,
    /// Where the form was sent to.
    action: &'a str,
    /// What stood in it.
    fields: &'a [(String, String)],
}

/// Lets pass who proved within the last five minutes that they have the second factor, or proves it with this request.
pub async fn prove(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    match proven(&console, request).await {
        Ok(Ok(request)) => next.run(request).await,
        Ok(Err(page)) => page,
        Err(failure) => failure.into_response(),
    }
}

/// The request, to be answered; or the page that asks for a code.
async fn proven(console: &Arc<Console>, request: Request) -> Result<Result<Request, Response>, Failure> {
    let (mut parts, body) = request.into_parts();
    let member = Member::from_request_parts(&mut parts, console).await?;
    if let Some(area) = area(parts.uri.path()) {
        member.must_have(area)?;
    }
    let mut current = session::current(&parts, console).await?.ok_or(Failure::Internal)?;
    if current.is_fresh() {
        return Ok(Ok(Request::from_parts(parts, body)));
    }
    let visitor = parts.extensions.get::<Visitor>().cloned().ok_or(Failure::Internal)?;
    let bytes = Bytes::from_request(Request::from_parts(parts.clone(), body), console).await;
    let bytes = bytes.map_err(|_| Failure::TooLarge)?;
    let mut fields: Vec<(String, String)> = form_urlencoded::parse(&bytes).into_owned().collect();
    let code = fields.iter().position(|(name, _)| name == FIELD).map(|at| fields.remove(at).1);
    let mut page = member.page(&visitor, "staff-prove-title");
    if let Some(code) = code {
        console.limits.count(Way::Staff, &visitor)?;
        let id = member.staff.id;
        let tried = console.blocking(move |console| match console.store.confirm_staff(id, &code) {
            Err(StoreError::SignInRefused) => Ok(false),
            tried => tried.map(|()| true),
        });
        if tried.await? {
            current.confirm().await?;
            return Ok(Ok(with_fields(parts, &fields)));
        }
        let text = page.t("staff-prove-wrong");
        page = page.with_error(FIELD, text);
    }
    let action = parts.uri.path();
    Ok(Err(render(&page, &Prove { page: &page, member: &member, action, fields: &fields })))
}

/// To which part of the console a form belongs; one's own account is of no part.
fn area(path: &str) -> Option<Area> {
    match path {
        path if path.starts_with("/exploitation") => Some(Area::Installation),
        path if path.starts_with("/gestion/compte") => None,
        _ => Some(Area::Organisation),
    }
}

/// The request as it was before the code was asked for.
fn with_fields(mut parts: axum::http::request::Parts, fields: &[(String, String)]) -> Request {
    let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    parts.headers.insert(header::CONTENT_LENGTH, body.len().into());
    Request::from_parts(parts, Body::from(body))
}
