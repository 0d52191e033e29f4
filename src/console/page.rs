//! What every page shows, and how it is answered.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fluent_templates::fluent_bundle::FluentValue;
use jiff::Timestamp;

use super::access;
use super::announcements::Told;
use super::failure::Failure;
use super::session::SignedIn;
use super::state::Console;
use super::text;
use super::visitor::Visitor;
use crate::language::Language;

/// Where in the console a page stands; the navigation shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The three lists, and what belongs to them.
    Lists,
    /// Recent messages.
    History,
    /// Why a message was treated as it was.
    Why,
    /// How personal mail is marked, language.
    Settings,
    /// Sign-in, sessions, the personal lock.
    Security,
    /// None of those.
    Elsewhere,
}

impl Place {
    /// The name used in the navigation.
    fn name(self) -> &'static str {
        match self {
            Self::Lists => "lists",
            Self::History => "history",
            Self::Why => "why",
            Self::Settings => "settings",
            Self::Security => "security",
            Self::Elsewhere => "",
        }
    }
}

/// What every page shows.
pub struct Page {
    /// Its language.
    pub language: Language,
    /// What stands in the browser's title before the product's name.
    pub title: String,
    /// Where it stands.
    pub place: Place,
    /// What the page before wants said.
    pub notice: Option<Notice>,
    /// Its path, to come back to.
    pub path: String,
    /// Who is signed in.
    pub account: Option<Account>,
    /// What is wrong with the form, for the summary on top.
    pub errors: Vec<FieldError>,
}

/// Who is signed in, as every page shows it.
pub struct Account {
    /// Their address.
    pub address: String,
    /// Their organisation.
    pub organisation: String,
    /// Seconds until the session ends, unless it is used.
    pub seconds: u64,
    /// Minutes without activity after which sessions end.
    pub minutes: u64,
    /// The page on which they sign in again.
    pub door: &'static str,
    /// What changed in the organisation, until they put it away.
    pub told: Vec<Told>,
    /// When what the personal lock keeps is erased, where that was asked for.
    pub fresh_start: Option<Timestamp>,
}

/// Something wrong with a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The id of the field.
    pub field: &'static str,
    /// What is wrong, and what to do instead.
    pub text: String,
}

impl Page {
    /// A page for anybody.
    pub fn new(visitor: &Visitor, title_key: &str) -> Self {
        Self {
            language: visitor.language,
            title: text::t(visitor.language, title_key),
            place: Place::Elsewhere,
            notice: visitor.notice.clone(),
            path: visitor.path.clone(),
            account: None,
            errors: Vec::new(),
        }
    }

    /// A page for who is signed in.
    pub fn signed_in(visitor: &Visitor, signed_in: &SignedIn, place: Place, title_key: &str) -> Self {
        let language = visitor.chosen.or(signed_in.language).unwrap_or(visitor.language);
        let title = text::t(language, title_key);
        Self { language, title, place, account: Some(signed_in.account()), ..Self::new(visitor, title_key) }
    }

    /// For a page that answers a form: it is come back to where the form stands, since nobody goes to what takes it.
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// With what is wrong with its form.
    pub fn with_error(mut self, field: &'static str, text: String) -> Self {
        self.errors.push(FieldError { field, text });
        self
    }

    /// What is wrong with a field.
    pub fn error(&self, field: &str) -> Option<&str> {
        self.errors.iter().find(|error| error.field == field).map(|error| error.text.as_str())
    }

    /// The words of a key.
    pub fn t(&self, key: &str) -> String {
        text::t(self.language, key)
    }

    /// The words of a key, with values in them.
    pub fn text(&self, key: &str, values: &[(&'static str, FluentValue<'_>)]) -> String {
        text::text(self.language, key, values)
    }

    /// A day in words.
    pub fn day(&self, at: &Timestamp) -> String {
        text::day(self.language, *at)
    }

    /// A day and a time of day in words.
    pub fn moment(&self, at: &Timestamp) -> String {
        text::moment(self.language, *at)
    }

    /// A number with its thousands apart.
    pub fn number(&self, number: &u64) -> String {
        text::number(self.language, *number)
    }

    /// The other language, for the switch.
    pub fn other_language(&self) -> Language {
        match self.language {
            Language::French => Language::English,
            Language::English => Language::French,
        }
    }

    /// `aria-current` of an entry of the navigation: `page` where it is this page, `true` where this page is below it.
    pub fn current(&self, place: &str, path: &str) -> Option<&'static str> {
        let is_there = self.place.name() == place;
        is_there.then_some(if self.path == path { "page" } else { "true" })
    }
}

/// A page as an answer; one with errors in its form says so in its status.
pub fn render(page: &Page, template: &impl Template) -> Response {
    let status = if page.errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    render_with(status, template)
}

fn render_with(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => {
            let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))];
            (status, kind, html).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a page could not be written, a fault of perso-milter");
            Failure::Internal.into_response()
        }
    }
}

/// How a notice is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Tone {
    /// It was done.
    Good,
    /// It says something.
    Plain,
    /// It was not done.
    Bad,
}

impl Tone {
    /// Class and icon of its box.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Plain => "info",
            Self::Bad => "bad",
        }
    }

    /// How it is announced.
    pub fn role(&self) -> &'static str {
        match self {
            Self::Good | Self::Plain => "status",
            Self::Bad => "alert",
        }
    }
}

/// What is said on the page after: a key of ours, with values. It travels in a cookie of the browser that it is for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Notice {
    /// How it is meant.
    pub tone: Tone,
    key: String,
    /// What is said after it, with the same values.
    #[serde(default)]
    more: Option<String>,
    values: Vec<(String, String)>,
    /// Where a form in it posts to take back what was done: a path of ours.
    pub undo: Option<String>,
}

impl Notice {
    /// A notice of something done.
    pub fn good(key: &str) -> Self {
        Self::new(Tone::Good, key)
    }

    /// A notice of a tone.
    pub fn new(tone: Tone, key: &str) -> Self {
        Self { tone, key: key.to_owned(), more: None, values: Vec::new(), undo: None }
    }

    /// Whether what was sent is as it was meant to be, be it now or before.
    pub fn is_of_success(&self) -> bool {
        self.tone != Tone::Bad
    }

    /// With a value.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.values.push((name.to_owned(), value.into()));
        self
    }

    /// With a further sentence.
    pub fn and(mut self, key: &str) -> Self {
        self.more = Some(key.to_owned());
        self
    }

    /// With a button that takes it back.
    pub fn undone_at(mut self, path: impl Into<String>) -> Self {
        self.undo = Some(path.into());
        self
    }

    /// In words.
    pub fn words(&self, language: &Language) -> String {
        // A number chooses the plural.
        let value =
            |text: &str| text.parse::<u64>().map_or_else(|_| FluentValue::from(text.to_owned()), FluentValue::from);
        let say = |key: &String| {
            let values = self.values.iter().map(|(name, text)| (name.clone().into(), value(text))).collect();
            text::owned(*language, key, values)
        };
        std::iter::once(&self.key).chain(&self.more).map(say).collect::<Vec<_>>().join(" ")
    }

    /// As a cookie holds it.
    pub fn to_cookie(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// What [`Self::to_cookie`] wrote.
    pub fn from_cookie(value: &str) -> Option<Self> {
        let notice: Self = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(value).ok()?).ok()?;
        let is_ours = |path: &str| path.starts_with('/') && !path.starts_with("//");
        notice.undo.as_deref().is_none_or(is_ours).then_some(notice)
    }
}

/// Goes on to another page, which says what was done.
pub fn redirect_with(path: &str, notice: Notice) -> Response {
    let mut response = Redirect::to(path).into_response();
    response.extensions_mut().insert(notice);
    response
}

#[derive(Template)]
#[template(path = "failure.html", config = ".askama.toml")]
struct FailurePage<'a> {
    page: &'a Page,
    text: String,
    /// Where a secret opens the personal lock, if that is what stands in the way.
    confirm: Option<String>,
    /// What is open from every network, where this one is not.
    open: &'static [access::Link],
}

/// Makes pages of failures, in the visitor's language.
pub async fn render_failures(
    State(_): State<Arc<Console>>,
    visitor: Visitor,
    request: Request,
    next: Next,
) -> Response {
    let is_safe = request.method().is_safe();
    let mut response = next.run(request).await;
    let failure = match response.extensions_mut().remove::<Failure>() {
        Some(failure) => failure,
        // What the router and the extractors answer by themselves.
        None if response.headers().contains_key(header::CONTENT_TYPE) && !is_plain(&response) => return response,
        None => match response.status() {
            // Who goes to what takes a form comes from a page that answered it.
            StatusCode::METHOD_NOT_ALLOWED if is_safe => {
                return Redirect::to(access::start(&visitor.path)).into_response();
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Failure::NotFound,
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Failure::Malformed
            }
            StatusCode::PAYLOAD_TOO_LARGE => Failure::TooLarge,
            StatusCode::FORBIDDEN => Failure::Foreign,
            StatusCode::INTERNAL_SERVER_ERROR => Failure::Internal,
            _ => return response,
        },
    };
    let name = failure.name();
    let page = Page::new(&visitor, &format!("failure-{name}-title"));
    let key = format!("failure-{name}-text");
    let text = match failure {
        Failure::TooMany(seconds) => page.text(&key, &[("minutes", seconds.div_ceil(60).into())]),
        _ => page.t(&key),
    };
    let confirm = (failure == Failure::Locked).then(|| {
        let back = if is_safe { visitor.path.as_str() } else { "/" };
        format!("/confirmer?{}", super::sign_in::ask::back_query(back))
    });
    let open: &[access::Link] = if failure == Failure::Network { &access::DATA_RIGHTS } else { &[] };
    let rendered = render_with(failure.status(), &FailurePage { page: &page, text, confirm, open });
    let (mut parts, _) = response.into_parts();
    parts.status = rendered.status();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(rendered.headers().clone());
    Response::from_parts(parts, Body::new(rendered.into_body()))
}

fn is_plain(response: &Response) -> bool {
    response.status().as_u16() >= 400
        && response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"))
}
