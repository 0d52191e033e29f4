//! The operator's pages: health, organisations, staff.

mod chart;
pub mod health;
pub mod organisations;
pub mod team;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::console::state::Console;

/// Pages of operators.
pub fn routes() -> Router<Arc<Console>> {
    Router::new().route("/exploitation", get(health::show))
}

/// What operators do under a fresh proof of their second factor: all of it.
pub fn grave() -> Router<Arc<Console>> {
    Router::new()
        .route("/exploitation/organisations", get(organisations::list).post(organisations::add))
        .route("/exploitation/organisations/{id}", get(organisations::show).post(organisations::set))
        .route("/exploitation/organisations/{id}/domaines", post(organisations::add_domain))
        .route("/exploitation/organisations/{id}/domaines/retirer", post(organisations::remove_domain))
        .route("/exploitation/equipe", get(team::list).post(team::add))
        .route("/exploitation/equipe/{id}/desactiver", post(team::disable))
        .route("/exploitation/equipe/{id}/activer", post(team::enable))
        .route("/exploitation/equipe/{id}/reinitialiser", post(team::reset))
        .route("/exploitation/equipe/{id}/retirer", post(team::remove))
}
