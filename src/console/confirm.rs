//! `/confirmer`: who is signed in proves once more who they are, before what cannot be taken back. A secret of the user's
//! own also opens the personal lock for the session.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::alert::{self, Alert};
use super::failure::Failure;
use super::limits::Way;
use super::page::{Notice, Page, Place, Tone, redirect_with, render};
use super::session::SignedIn;
use super::sign_in::ask::{self, Back, back_query};
use super::sign_in::code::closed_until;
use super::sign_in::message::SignInMessage;
use super::sign_in::{passkey, password};
use super::state::Console;
use super::visitor::Visitor;
use crate::store::{
    CodeAnswer, LockState, MailCode, OpenedBy, RecoveryCode, SIGN_IN_LIFE, Secret, SecretKind, UserKey,
};

#[derive(Template)]
#[template(path = "confirm.html", config = ".askama.toml")]
struct Confirm<'a> {
    page: &'a Page,
    back: &'a str,
    password: bool,
    passkeys: bool,
    recovery: bool,
    /// Whether a message was sent, so that its code is asked for.
    sent: bool,
    /// Whether only a secret opens what was asked for.
    locked: bool,
}

/// Where to go on, and whether a message was sent.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    retour: Option<String>,
    #[serde(default)]
    envoye: Option<String>,
}

/// What is wrong with a form: its field, the key of its text, and the time in that.
type Wrong = Option<(&'static str, &'static str, Option<Timestamp>)>;

async fn page(
    console: &Arc<Console>,
    visitor: &Visitor,
    signed_in: &SignedIn,
    back: &str,
    sent: bool,
    wrong: Wrong,
) -> Result<Response, Failure> {
    let user = signed_in.id();
    let work = move |console: &Console| Ok((console.store.secrets(user)?, console.store.lock_state(user)?));
    let (secrets, lock) = console.blocking(work).await?;
    let has = |kind| secrets.iter().any(|secret: &Secret| secret.kind == kind);
    let mut page = Page::signed_in(visitor, signed_in, Place::Elsewhere, "confirm-title");
    let state = if sent { "envoye=oui&" } else { "" };
    page = page.at(format!("/confirmer?{state}{}", back_query(back)));
    if let Some((field, key, until)) = wrong {
        let text = until.map_or_else(|| page.t(key), |until| page.text(key, &[("until", page.moment(&until).into())]));
        page = page.with_error(field, text);
    }
    let confirm = Confirm {
        page: &page,
        back,
        password: has(SecretKind::Password),
        passkeys: has(SecretKind::Passkey) && console.passkeys.are_possible(),
        recovery: has(SecretKind::Recovery),
        sent,
        locked: lock == LockState::On,
    };
    Ok(render(&page, &confirm))
}

/// `GET /confirmer`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let back = Back { retour: asked.retour };
    page(&console, &visitor, &signed_in, back.path(), asked.envoye.is_some(), None).await
}

/// Goes back to the page that asked.
async fn confirmed(
    console: &Console,
    signed_in: &SignedIn,
    opened_by: OpenedBy,
    key: Option<UserKey>,
    back: &Back,
) -> Result<Response, Failure> {
    signed_in.confirm(console, opened_by, key).await?;
    Ok(Redirect::to(back.path()).into_response())
}

/// The form of the password.
#[derive(Deserialize)]
pub struct Password {
    mot_de_passe: Zeroizing<String>,
    #[serde(default)]
    retour: Option<String>,
}

/// `POST /confirmer/mot-de-passe`
pub async fn with_password(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Form(typed): Form<Password>,
) -> Result<Response, Failure> {
    console.limits.count(Way::Password, &visitor)?;
    let back = Back { retour: typed.retour };
    match password::open(&console, Some(signed_in.id()), typed.mot_de_passe).await? {
        Some((_, key)) => confirmed(&console, &signed_in, OpenedBy::Password, Some(key), &back).await,
        None => {
            let wrong = Some(("mot_de_passe", "confirm-password-wrong", None));
            page(&console, &visitor, &signed_in, back.path(), false, wrong).await
        }
    }
}

/// `POST /confirmer/cle`
pub async fn with_passkey(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Form(answered): Form<passkey::Answered>,
) -> Result<Response, Failure> {
    console.limits.count(Way::Passkey, &visitor)?;
    let back = Back { retour: answered.retour };
    match passkey::prove(&console, &visitor, answered.reponse).await? {
        Some((user, key)) if user == signed_in.id() => {
            confirmed(&console, &signed_in, OpenedBy::Passkey, key, &back).await
        }
        _ => {
            let notice = Notice::new(Tone::Bad, "secrets-passkey-refused");
            Ok(redirect_with(&format!("/confirmer?{}", back_query(back.path())), notice))
        }
    }
}

/// A form with a code.
#[derive(Deserialize)]
pub struct Code {
    code: String,
    #[serde(default)]
    retour: Option<String>,
}

/// A form with a recovery code.
#[derive(Deserialize)]
pub struct Recovery {
    secours: String,
    #[serde(default)]
    retour: Option<String>,
}

/// `POST /confirmer/secours`
pub async fn with_recovery_code(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Form(typed): Form<Recovery>,
) -> Result<Response, Failure> {
    console.limits.count(Way::Recovery, &visitor)?;
    let back = Back { retour: typed.retour };
    if let Ok(code) = typed.secours.parse::<RecoveryCode>() {
        let user = signed_in.id();
        let key = console.blocking(move |console| console.store.open_with_recovery_code(Some(user), &code)).await?;
        if key.is_some() {
            alert::tell(&console, signed_in.id(), Alert::RecoveryUsed);
            return confirmed(&console, &signed_in, OpenedBy::Recovery, key, &back).await;
        }
    }
    let wrong = Some(("secours", "confirm-recovery-wrong", None));
    page(&console, &visitor, &signed_in, back.path(), false, wrong).await
}

/// `POST /confirmer/message`: sends a code to the user's own address.
pub async fn send(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Form(back): Form<Back>,
) -> Result<Response, Failure> {
    console.limits.count(Way::Message, &visitor)?;
    let (address, browser) = (signed_in.user.address.clone(), visitor.browser);
    let begun = address.clone();
    let sign_in = console.blocking(move |console| console.store.begin_sign_in(&begun, &browser)).await?;
    let message = SignInMessage { sign_in, language: visitor.language, origin: console.origin.clone() };
    console.mail(SIGN_IN_LIFE, move |console| ask::write(console, message, address, visitor.chosen));
    Ok(Redirect::to(&format!("/confirmer?envoye=oui&{}", back_query(back.path()))).into_response())
}

/// `POST /confirmer/code`
pub async fn with_code(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
    Form(typed): Form<Code>,
) -> Result<Response, Failure> {
    console.limits.count(Way::Code, &visitor)?;
    let back = Back { retour: typed.retour };
    let mut answer = CodeAnswer::Wrong { left: 1 };
    if let Ok(code) = typed.code.parse::<MailCode>() {
        let browser = visitor.browser;
        answer = console.blocking(move |console| console.store.confirm_code(&browser, &code)).await?;
    }
    match answer {
        CodeAnswer::Good(proven) if proven.user == Some(signed_in.id()) => {
            confirmed(&console, &signed_in, OpenedBy::Mail, None, &back).await
        }
        CodeAnswer::Wrong { .. } => {
            page(&console, &visitor, &signed_in, back.path(), true, Some(("code", "confirm-code-wrong", None))).await
        }
        CodeAnswer::LinkAlone { until } => {
            let wrong = Some(("code", "confirm-code-too-many", Some(until)));
            let refused = page(&console, &visitor, &signed_in, back.path(), true, wrong).await?;
            Ok(closed_until(refused, until, (console.clock)()))
        }
        CodeAnswer::Good(_) | CodeAnswer::Unknown => {
            let notice = Notice::new(Tone::Bad, "confirm-code-void");
            Ok(redirect_with(&format!("/confirmer?{}", back_query(back.path())), notice))
        }
    }
}
