//! What can go wrong, sorted by who is at fault, and the page that says it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::access;
use crate::store::{Fault, StoreError};

/// Why a request is not answered with what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Nobody is signed in, or not any more.
    SignIn {
        /// Where to go on afterwards: a path of ours.
        back: String,
    },
    /// Whoever is signed in must prove again who they are.
    Confirm {
        /// Where to go on afterwards: a path of ours.
        back: String,
    },
    /// A used recovery code must be replaced first.
    Renew,
    /// There is no such page, or not for whoever asks.
    NotFound,
    /// The request comes from another site, or does not say from where.
    Foreign,
    /// It is not in a form that our pages send.
    Malformed,
    /// It is larger than anything our pages send.
    TooLarge,
    /// Too many tries; how many seconds to wait.
    TooMany(u64),
    /// The store does not answer now.
    StoreAway,
    /// The organisation's console is not open to this network.
    Network,
    /// The personal lock is closed: the session may add, and not read.
    Locked,
    /// A fault of ours.
    Internal,
}

impl Failure {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::SignIn { .. } | Self::Confirm { .. } | Self::Renew => StatusCode::SEE_OTHER,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Foreign | Self::Locked | Self::Network => StatusCode::FORBIDDEN,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::StoreAway => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The part of its texts' keys that names it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SignIn { .. } => "sign-in",
            Self::Confirm { .. } => "confirm",
            Self::Renew => "renew",
            Self::NotFound => "not-found",
            Self::Foreign => "foreign",
            Self::Malformed => "malformed",
            Self::TooLarge => "too-large",
            Self::TooMany(_) => "too-many",
            Self::StoreAway => "store-away",
            Self::Network => "network",
            Self::Locked => "locked",
            Self::Internal => "internal",
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::UserLocked) {
            return Self::Locked;
        }
        let failure = match error.fault() {
            Fault::Caller => Self::NotFound,
            Fault::State => Self::StoreAway,
            Fault::Ours => Self::Internal,
        };
        if failure != Self::NotFound {
            tracing::error!(%error, "the console could not use the store");
        }
        failure
    }
}

/// The answer goes out with the failure beside it; [`super::page::render_failures`] makes it a page in the visitor's
/// language.
impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if let Self::SignIn { back } = &self {
            let door = access::door(back);
            return Redirect::to(&format!("{door}?retour={}", query_value(back))).into_response();
        }
        if let Self::Confirm { back } = &self {
            let query = query_value(back);
            return Redirect::to(&format!("/confirmer?retour={query}")).into_response();
        }
        if self == Self::Renew {
            return Redirect::to("/securite/code-de-secours").into_response();
        }
        let mut response = self.status().into_response();
        if let Self::TooMany(seconds) = self {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// A value as it stands in a query.
fn query_value(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}
