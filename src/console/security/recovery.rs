//! `/securite/code-de-secours`: a code is made and printed, in place of the one before.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::console::alert::{self, Alert};
use crate::console::failure::Failure;
use crate::console::page::{Page, Place, render};
use crate::console::session::SignedIn;
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::store::{RecoveryCode, SecretKind};

#[derive(Template)]
#[template(path = "security_recovery.html", config = ".askama.toml")]
struct Recovery<'a> {
    page: &'a Page,
    /// Whether there is one, which another would replace.
    exists: bool,
    /// Whether one was just used up.
    used: bool,
    /// The one that was made: this page alone shows it.
    code: Option<&'a RecoveryCode>,
    address: &'a str,
}

/// `GET /securite/code-de-secours`
pub async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
) -> Result<Response, Failure> {
    let user = signed_in.id();
    let secrets = console.blocking(move |console| console.store.secrets(user)).await?;
    let page = Page::signed_in(&visitor, &signed_in, Place::Security, "security-recovery-title");
    let exists = secrets.iter().any(|secret| secret.kind == SecretKind::Recovery);
    let address = signed_in.user.address.as_str();
    Ok(render(&page, &Recovery { page: &page, exists, used: signed_in.must_renew(), code: None, address }))
}

/// `POST /securite/code-de-secours`: shown in the answer, and never again.
pub async fn make(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    signed_in: SignedIn,
) -> Result<Response, Failure> {
    // Who must make one came in by the code before it, and is let nowhere else: not to the page that confirms either.
    if !signed_in.must_renew() {
        signed_in.require_fresh("/securite/code-de-secours")?;
    }
    let (user, permission) = (signed_in.id(), signed_in.permission());
    let code = console.blocking(move |console| console.store.make_recovery_code(user, &permission)).await?;
    alert::tell(&console, user, Alert::Added(SecretKind::Recovery));
    signed_in.renewed().await?;
    let page = Page::signed_in(&visitor, &signed_in, Place::Security, "security-recovery-title");
    let address = signed_in.user.address.as_str();
    Ok(render(&page, &Recovery { page: &page, exists: true, used: false, code: Some(&code), address }))
}
