//! Who may ask, and what every answer carries.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::csrf::CsrfLayer;
use tower_http::timeout::TimeoutLayer;

use super::failure::Failure;
use super::page::render_failures;
use super::session::Sessions;
use super::state::Console;
use super::visitor::recognise;

/// Largest request body taken, but for files of entries: a text of them that was pasted.
const MAX_BODY: usize = 3 << 20;
/// How long an answer may take.
const LONGEST_ANSWER: Duration = Duration::from_secs(30);

/// Nothing is loaded from elsewhere, nothing runs that is not a file of ours, nobody frames a page.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The routes behind everything that stands before them.
///
/// # Errors
/// An origin that cannot be one.
pub fn protected(routes: Router<Arc<Console>>, console: &Arc<Console>) -> anyhow::Result<Router> {
    let csrf = CsrfLayer::new().add_trusted_origin(console.origin.clone())?;
    // A page holds a person's list beside words that an attacker may have chosen (a sender's name in the history):
    // compressed together their length would tell of each other (BREACH). Only files that are the same for all are.
    let same_for_all = SizeAbove::new(256).and(NotForContentType::const_new("text/html"));
    let layered = routes
        .fallback(async || Failure::NotFound)
        .layer(Sessions::new(console.clone()).layer())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(csrf)
        .layer(from_fn_with_state(console.clone(), says_from_where))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, LONGEST_ANSWER))
        .layer(from_fn_with_state(console.clone(), render_failures))
        .layer(from_fn_with_state(console.clone(), recognise))
        .layer(CompressionLayer::new().compress_when(same_for_all))
        .layer(from_fn_with_state(console.clone(), harden))
        .layer(from_fn_with_state(console.clone(), asks_for_us));
    Ok(layered.with_state(console.clone()))
}

/// A request for another host is a mistake, or an attempt to have links written to it (DNS rebinding, forged Host).
async fn asks_for_us(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    let host = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let host = host.or_else(|| request.headers().get(header::HOST).map(HeaderValue::as_bytes));
    if host.is_some_and(|host| host.eq_ignore_ascii_case(console.authority().as_bytes())) {
        return next.run(request).await;
    }
    (StatusCode::MISDIRECTED_REQUEST, "This is not the host of this console.\n").into_response()
}

/// What changes something must say from which site it comes. The layer within lets pass what says nothing.
async fn says_from_where(State(_): State<Arc<Console>>, request: Request, next: Next) -> Response {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
    let headers = request.headers();
    let says = headers.contains_key("sec-fetch-site") || headers.contains_key(header::ORIGIN);
    // Safe methods of other kinds (OPTIONS, TRACE) have no use here.
    let is_known = is_safe || *request.method() == Method::POST;
    if is_safe || (is_known && says) {
        return next.run(request).await;
    }
    Failure::Foreign.into_response()
}

/// The headers of every answer.
async fn harden(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    const FIXED: [(HeaderName, &str); 7] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ];
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if console.options.scheme == "https" {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}
