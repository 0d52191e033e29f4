//! The individual console (*Console individuelle de messagerie*, CIM): people run their own lists in it.
//!
//! | file | subject |
//! |---|---|
//! | `server` | the socket, TLS, a runtime of its own |
//! | `state` | what every handler has: store, options, mailer |
//! | `protect` | who may ask: host, origin, sizes, times, headers of answers |
//! | `visitor` | who asks: address, language, browser |
//! | `session` | the cookie and what stands behind it |
//! | `page` | what every page shows, and its words |
//! | `text` | Fluent: words, dates and numbers in two languages |
//! | `failure` | what can go wrong, as a page |
//! | `intake`, `export` | lists that come in and go out, without the web |
//! | `mail` | the mails that the console sends |
//! | `assets` | stylesheet, scripts, icons |
//!
//! and one file for each page. Pages are rendered here, whole, and work without scripts. Handlers call the store on
//! threads that may block ([`state::Console::blocking`]).

mod assets;
pub mod export;
mod failure;
mod home;
mod information;
pub mod intake;
mod language;
mod mail;
mod page;
mod protect;
pub mod server;
mod session;
mod sign_in;
mod state;
mod text;
mod visitor;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

pub use state::{MailOptions, Options};

use state::Console;

/// Every page and action of the console.
fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/", get(home::show))
        // Sign-in
        .route("/connexion", get(sign_in::ask::show).post(sign_in::ask::send))
        .route("/connexion/code", get(sign_in::code::show).post(sign_in::code::confirm))
        .route("/connexion/lien/{token}", get(sign_in::link::show).post(sign_in::link::confirm))
        .route("/deconnexion", post(sign_in::out))
        .route("/session/prolonger", post(session::prolong))
        // For everybody
        .route("/langue", post(language::choose))
        .route("/aide", get(information::help))
        .route("/confidentialite", get(information::privacy))
        .route("/static/{file}", get(assets::serve))
}
