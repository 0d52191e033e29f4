//! The person whose session a request belongs to.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use jiff::Timestamp;
use tower_sessions::Session;

use super::{Current, Kept, current, hash_of, store};
use crate::console::access;
use crate::console::announcements::{self, Told};
use crate::console::failure::Failure;
use crate::console::language;
use crate::console::page::Account;
use crate::console::state::Console;
use crate::console::visitor::{Visitor, path_of};
use crate::language::Language;
use crate::store::{
    FreshStart, Holder, OpenedBy, Organisation, Permission, Profile, SecretHash, StoreError, User, UserId, UserKey,
    UserStatus,
};

/// What may be asked for before a used recovery code is replaced.
const WHILE_RENEWING: [&str; 4] = ["/securite/code-de-secours", "/deconnexion", "/session/prolonger", "/aide"];

/// A person who is signed in, as of this request.
#[derive(Clone)]
pub struct SignedIn {
    /// Who.
    pub user: User,
    /// Of which organisation.
    pub organisation: Arc<Organisation>,
    /// The session.
    pub kept: Kept,
    /// The language they chose, else that of their organisation, if it has one.
    pub language: Option<Language>,
    /// What changed in the organisation, until they put it away.
    told: Vec<Told>,
    /// That they wait to start anew.
    pub fresh_start: Option<FreshStart>,
    session: Session,
    now: Timestamp,
}

impl SignedIn {
    /// Who.
    pub fn id(&self) -> UserId {
        self.user.id
    }

    /// By what right the user's own lists are read: with the key that the session carries, if it carries one.
    pub fn permission(&self) -> Permission {
        match &self.kept.key {
            Some(key) => Permission::Unlocked(self.user.id, key.clone()),
            None => Permission::Own(self.user.id),
        }
    }

    /// Whether the user proved who they are within [`FRESH`].
    pub fn is_fresh(&self) -> bool {
        self.kept.is_fresh(self.now)
    }

    /// What the store knows the session by.
    pub fn hash(&self) -> Option<SecretHash> {
        hash_of(&self.session)
    }

    /// As every page shows it.
    pub fn account(&self) -> Account {
        Account {
            address: self.user.address.as_str().to_owned(),
            organisation: self.organisation.name.clone(),
            seconds: self.kept.seconds(self.now),
            minutes: self.kept.idle,
            door: "/connexion",
            told: self.told.clone(),
            fresh_start: self.fresh_start.map(|wish| wish.due),
        }
    }

    /// Notes that the user proved again who they are; with the key that a secret gave.
    ///
    /// # Errors
    /// As of the store.
    pub async fn confirm(&self, console: &Console, opened_by: OpenedBy, key: Option<UserKey>) -> Result<(), Failure> {
        let mut kept = self.kept.clone();
        kept.confirmed = (console.clock)();
        if key.is_some() {
            kept.key = key;
            kept.opened_by = opened_by.as_str().to_owned();
            kept.renew |= opened_by == OpenedBy::Recovery;
        }
        // Another id, as after every proof of who somebody is.
        self.session.cycle_id().await.map_err(|_| Failure::StoreAway)?;
        store(&self.session, &kept).await
    }

    /// That the user proved who they are within [`FRESH`], for what cannot be taken back; `back` is the page that asks.
    ///
    /// # Errors
    /// [`Failure::Confirm`]: they do so first, and come back.
    pub fn require_fresh(&self, back: &str) -> Result<(), Failure> {
        if self.is_fresh() { Ok(()) } else { Err(Failure::Confirm { back: back.to_owned() }) }
    }

    /// Whether a secret opened the session, so that it reads under the personal lock.
    pub fn has_key(&self) -> bool {
        self.kept.key.is_some()
    }

    /// Whether a recovery code was used up, and another one is not made yet.
    pub fn must_renew(&self) -> bool {
        self.kept.renew
    }

    /// Another recovery code was made.
    ///
    /// # Errors
    /// As of the store.
    pub async fn renewed(&self) -> Result<(), Failure> {
        let kept = Kept { renew: false, ..self.kept.clone() };
        store(&self.session, &kept).await
    }

    /// Ends the session.
    ///
    /// # Errors
    /// As of the store.
    pub async fn end(self) -> Result<(), Failure> {
        self.session.flush().await.map_err(|_| Failure::StoreAway)
    }
}

impl FromRequestParts<Arc<Console>> for SignedIn {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console>) -> Result<Self, Failure> {
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let path = if parts.method.is_safe() { path_of(&parts.uri) } else { "/" };
        let nobody = Failure::SignIn { back: path.to_owned() };
        let mut current = current(parts, console).await?.ok_or_else(|| nobody.clone())?;
        let Holder::User(user) = current.holder else { return Err(nobody) };
        if current.kept.renew && !WHILE_RENEWING.contains(&parts.uri.path()) {
            return Err(Failure::Renew);
        }
        let found = console.blocking(move |console| match console.store.profile(user) {
            Err(StoreError::UnknownUser(_)) => Ok(None),
            profile => profile.map(Some),
        });
        let profile = found.await?.filter(|profile| profile.user.status == UserStatus::Active);
        let Profile { user, organisation, announcements, language, fresh_start } =
            profile.ok_or_else(|| nobody.clone())?;
        current.follow(&organisation.settings).await?.ok_or(nobody)?;
        let address = parts.extensions.get::<Visitor>().map(|visitor| visitor.address);
        if !address.is_some_and(|address| access::admits(&organisation.settings, address, parts.uri.path())) {
            return Err(Failure::Network);
        }
        let told = announcements::told(&announcements, &organisation, &console.defaults());
        let language = language.or_else(|| language::of_organisation(&organisation));
        let Current { kept, session, now, .. } = current;
        let organisation = Arc::new(organisation);
        let signed_in = Self { user, organisation, kept, language, told, fresh_start, session, now };
        parts.extensions.insert(signed_in.clone());
        Ok(signed_in)
    }
}
