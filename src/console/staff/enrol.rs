//! `/gestion/inscription`: who was given a code sets a password and the second factor, once.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::Response;
use qrcode::QrCode;
use qrcode::render::svg;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::console::failure::Failure;
use crate::console::limits::Way;
use crate::console::page::{Notice, Page, Tone, redirect_with, render};
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::store::{Enrolment, EnrolmentCode, Password, PasswordError, StoreError};

#[derive(Template)]
#[template(path = "staff/enrol.html", config = ".askama.toml")]
struct Enter<'a> {
    page: &'a Page,
    code: &'a str,
}

#[derive(Template)]
#[template(path = "staff/enrol_factors.html", config = ".askama.toml")]
struct Factors<'a> {
    page: &'a Page,
    code: &'a str,
    address: &'a str,
    /// The second factor for an authenticator that has no camera.
    written: Zeroizing<String>,
    /// The same as an SVG.
    qr: Zeroizing<String>,
}

/// `GET /gestion/inscription`
pub async fn show(visitor: Visitor) -> Response {
    let page = Page::new(&visitor, "staff-enrol-title");
    render(&page, &Enter { page: &page, code: "" })
}

/// The code that staff were given.
#[derive(Deserialize)]
pub struct Given {
    inscription: String,
}

/// What staff choose.
#[derive(Deserialize)]
pub struct Chosen {
    inscription: String,
    mot_de_passe: Zeroizing<String>,
    code: String,
}

/// `POST /gestion/inscription`: the code is right, so what it leads to is shown. Nothing is used up.
pub async fn enter(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Form(given): Form<Given>,
) -> Result<Response, Failure> {
    console.limits.count(Way::Staff, &visitor)?;
    match waiting(&console, &given.inscription).await? {
        Some(enrolment) => {
            let page = Page::new(&visitor, "staff-enrol-title");
            factors(&page, &given.inscription, &enrolment)
        }
        None => {
            let page = Page::new(&visitor, "staff-enrol-title");
            let text = page.t("staff-enrol-unknown");
            let page = page.with_error("inscription", text);
            Ok(render(&page, &Enter { page: &page, code: &given.inscription }))
        }
    }
}

/// `POST /gestion/inscription/confirmer`
pub async fn confirm(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Form(chosen): Form<Chosen>,
) -> Result<Response, Failure> {
    console.limits.count(Way::Staff, &visitor)?;
    let Some(enrolment) = waiting(&console, &chosen.inscription).await? else {
        return Ok(redirect_with("/gestion/inscription", Notice::new(Tone::Bad, "staff-enrol-unknown")));
    };
    let page = Page::new(&visitor, "staff-enrol-title").at("/gestion/inscription");
    let password = match Password::new(&chosen.mot_de_passe, &enrolment.staff.address) {
        Ok(password) => password,
        Err(error) => {
            let text = page.t(password_key(error));
            return factors(&page.with_error("mot_de_passe", text), &chosen.inscription, &enrolment);
        }
    };
    let (given, code) = (chosen.inscription.clone(), chosen.code);
    let done = console.hashing(move |console| match console.store.enrol(&given.parse()?, &password, &code) {
        Err(StoreError::SignInRefused) => Ok(false),
        done => done.map(|_| true),
    });
    if !done.await? {
        let text = page.t("staff-enrol-code-wrong");
        return factors(&page.with_error("code", text), &chosen.inscription, &enrolment);
    }
    Ok(redirect_with("/gestion/connexion", Notice::good("staff-enrol-done")))
}

async fn waiting(console: &Arc<Console>, given: &str) -> Result<Option<Enrolment>, Failure> {
    let Ok(code) = given.parse::<EnrolmentCode>() else { return Ok(None) };
    let found = console.blocking(move |console| match console.store.enrolment(&code) {
        Err(StoreError::UnknownEnrolment) => Ok(None),
        found => found.map(Some),
    });
    found.await
}

/// The page on which both factors are set.
///
/// # Errors
/// None that is known; the libraries' types say so.
pub fn factors(page: &Page, code: &str, enrolment: &Enrolment) -> Result<Response, Failure> {
    let url = enrolment.factor.url().map_err(Failure::from)?;
    let qr = QrCode::new(url.as_bytes()).map_err(|_| Failure::Internal)?;
    let drawn = Zeroizing::new(qr.render::<svg::Color<'_>>().min_dimensions(200, 200).build());
    // Within a page it is no document of its own.
    let qr = Zeroizing::new(drawn.find("<svg").map_or("", |start| &drawn[start..]).to_owned());
    let address = enrolment.staff.address.as_str();
    Ok(render(page, &Factors { page, code, address, written: enrolment.factor.written(), qr }))
}

fn password_key(error: PasswordError) -> &'static str {
    match error {
        PasswordError::Short => "staff-password-short",
        PasswordError::Long => "staff-password-long",
        PasswordError::Plain => "staff-password-plain",
        PasswordError::Address => "staff-password-address",
    }
}
