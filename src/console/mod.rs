//! The individual console (*Console individuelle de messagerie*, CIM): people run their own lists in it.
//!
//! | file | subject |
//! |---|---|
//! | `server`, `connections` | the socket, TLS, a runtime of its own, how many may come |
//! | `state` | what every handler has: store, options, mailer |
//! | `protect` | who may ask: host, origin, sizes, times, headers of answers |
//! | `access` | what each role may do |
//! | `visitor` | who asks: address, language, browser |
//! | `session` | the cookie and what stands behind it |
//! | `session_list` | where somebody is signed in |
//! | `page` | what every page shows, and its words |
//! | `text` | Fluent: words, dates and numbers in two languages |
//! | `decision` | what became of a message and why, in people's words |
//! | `how_many` | how many messages an entry would have matched, for the form that adds one |
//! | `failure` | what can go wrong, as a page |
//! | `intake`, `export` | lists that come in and go out, without the web |
//! | `mail`, `outbox` | the mails that the console sends, and the thread that sends them |
//! | `alert` | the mails that tell users what happened to their accounts |
//! | `digest` | the weekly digest, its page and its mail |
//! | `upkeep` | what the console does by itself |
//! | `limits` | how often anybody may try to get in |
//! | `passkeys` | the ceremonies of WebAuthn |
//! | `assets` | stylesheet, scripts, icons |
//!
//! and one file for each page. Pages are rendered here, whole, and work without scripts. Handlers call the store on
//! threads that may block (`Console::blocking`).

mod access;
mod alert;
mod announcements;
mod assets;
mod confirm;
mod connections;
mod decision;
mod demo;
mod digest;
pub mod export;
mod failure;
mod grants;
mod history;
mod home;
mod how_many;
mod information;
pub mod intake;
mod language;
mod limits;
mod lists;
pub mod mail;
mod outbox;
mod page;
mod passkeys;
mod preferences;
mod protect;
mod security;
pub mod server;
mod session;
mod session_list;
mod sign_in;
mod staff;
mod state;
mod text;
mod upkeep;
mod visitor;
mod why;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

pub use state::{MailOptions, Options};

use state::Console;

/// Every page and action of the console.
fn routes(console: &Arc<Console>) -> Router<Arc<Console>> {
    Router::new()
        .route("/", get(home::show))
        // Lists; a name of the second part is no list's
        .route("/listes/{liste}", get(lists::list::show).post(lists::list::search))
        .route("/listes/ajouter", post(lists::add::add))
        .route("/listes/combien", post(lists::add::count))
        .route("/listes/ajouter-plusieurs", post(lists::preview::add).layer(lists::preview::limit()))
        .route("/listes/apercu", post(lists::preview::take_domain).layer(lists::preview::limit()))
        .route("/listes/coller", get(lists::several::show_paste).post(lists::several::read_paste))
        .route(
            "/listes/importer",
            get(lists::several::show_import).post(lists::several::read_import).layer(lists::several::limit()),
        )
        .route("/listes/confirmer", post(lists::entry::confirm_all))
        .route("/listes/exporter", get(lists::export::show))
        .route("/listes/exporter/{fichier}", get(lists::export::send))
        .route("/listes/journal", get(lists::journal::show))
        .route("/listes/journal/{id}/annuler", post(lists::journal::undo))
        .route("/listes/entree/{id}", get(lists::entry::show))
        .route("/listes/entree/{id}/retirer", post(lists::entry::remove))
        .route("/listes/entree/{id}/note", post(lists::entry::note))
        .route("/listes/entree/{id}/deplacer", post(lists::entry::move_to))
        .route("/listes/entree/{id}/confirmer", post(lists::entry::confirm))
        // Sign-in
        .route("/connexion", get(sign_in::ask::show).post(sign_in::ask::send))
        .route("/connexion/code", get(sign_in::code::show).post(sign_in::code::confirm))
        .route("/connexion/lien/{token}", get(sign_in::link::show).post(sign_in::link::confirm))
        .route("/demo/{token}", get(demo::show).post(demo::confirm))
        .route("/connexion/mot-de-passe", get(sign_in::password::show).post(sign_in::password::confirm))
        .route("/connexion/cle", post(sign_in::passkey::confirm))
        .route("/connexion/cle/options", post(sign_in::passkey::options))
        .route("/connexion/secours", get(sign_in::recovery::show).post(sign_in::recovery::confirm))
        .route("/deconnexion", post(sign_in::out))
        .route("/session/prolonger", post(session::prolong))
        // Who is signed in proves it again
        .route("/confirmer", get(confirm::show))
        .route("/confirmer/mot-de-passe", post(confirm::with_password))
        .route("/confirmer/cle", post(confirm::with_passkey))
        .route("/confirmer/secours", post(confirm::with_recovery_code))
        .route("/confirmer/message", post(confirm::send))
        .route("/confirmer/code", post(confirm::with_code))
        // Security
        .route("/securite", get(security::show))
        .route("/securite/secret/{id}/retirer", post(security::remove))
        .route("/securite/mot-de-passe", get(security::password::show).post(security::password::set))
        .route("/securite/mot-de-passe/generer", post(security::password::generate))
        .route("/securite/cle", get(security::passkey::show).post(security::passkey::add))
        .route("/securite/cle/options", post(security::passkey::options))
        .route("/securite/code-de-secours", get(security::recovery::show).post(security::recovery::make))
        .route("/securite/verrou", get(security::lock::show).post(security::lock::set))
        .route("/securite/verrou/perdu", get(security::lock::show_lost).post(security::lock::ask_fresh_start))
        .route("/securite/verrou/perdu/annuler", post(security::lock::cancel))
        .route("/securite/illisibles/retirer", post(security::lock::remove_unreadable))
        .route("/securite/sessions/{id}/terminer", post(security::sessions::end_one))
        .route("/securite/sessions/terminer", post(security::sessions::end_others))
        .route("/securite/sessions/toutes", post(security::sessions::end_all))
        // What became of messages
        .route("/historique", get(history::show))
        .route("/historique/noter", post(history::keep))
        .route("/historique/effacer", get(history::ask_erase).post(history::erase))
        .route("/historique/arreter", get(history::ask_stop).post(history::stop))
        .route("/historique/retirer", post(history::remove))
        .route("/pourquoi", get(why::show).post(why::explain))
        // How one's own mail is treated
        .route("/reglages", get(preferences::show).post(preferences::set))
        .route("/reglages/resume", get(digest::show).post(digest::set))
        .route("/resume/arreter/{token}", get(digest::ask_end).post(digest::end))
        // Who may look at a list
        .route("/acces", get(grants::show).post(grants::give))
        .route("/acces/{grant}/retirer", post(grants::revoke))
        .route("/annonces/lues", post(announcements::dismiss))
        // Managers and operators
        .merge(staff::routes(console))
        // For everybody
        .route("/langue", post(language::choose))
        .route("/aide", get(information::help))
        .route("/confidentialite", get(information::privacy))
        .route("/accessibilite", get(information::accessibility))
        .route("/static/{file}", get(assets::serve))
}
