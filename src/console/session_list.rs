//! Where somebody is signed in, as the pages of users and of the staff show it (`templates/sessions.html`).

use super::page::Page;
use crate::store::{OpenedBy, SecretHash, SessionSummary};

/// A session as it is listed.
pub struct Listed {
    /// The session.
    pub session: SessionSummary,
    /// How it was opened, in words.
    pub way: String,
    /// What tells it from others whose buttons read the same.
    pub about: String,
    /// Whether it is the one at hand.
    pub here: bool,
}

/// Sessions as a page lists them; the store knows the one at hand by `here`.
pub fn listed(page: &Page, sessions: Vec<SessionSummary>, here: Option<SecretHash>) -> Vec<Listed> {
    let listed = |(session, number): (SessionSummary, usize)| Listed {
        way: way(page, session.opened_by),
        about: format!("{} {}, {} ({number})", session.browser, session.network, page.moment(&session.created)),
        here: Some(session.hash) == here,
        session,
    };
    sessions.into_iter().zip(1..).map(listed).collect()
}

/// A way of signing in, in words.
pub fn way(page: &Page, opened_by: OpenedBy) -> String {
    page.t(&format!("opened-by-{}", opened_by.as_str()))
}
