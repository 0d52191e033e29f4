//! The session: a cookie with a random id, and what stands behind it in the store, sealed under that id.
//!
//! `tower-sessions` keeps the cookie; this file keeps the session. A session ends after the organisation's time without
//! activity, and after [`LONGEST`] in any case.

mod signed_in;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tower_sessions::cookie::SameSite;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error as SessionError, Result as SessionResult};
use tower_sessions::{Expiry, Session, SessionManagerLayer, SessionStore};

use super::alert::{self, Alert};
use super::failure::Failure;
use super::state::Console;
use super::visitor::Visitor;
use crate::store::{
    Holder, LockState, OpenedBy, OrganisationSettings, SESSION_IDLE, SecretHash, SessionKey, SessionRow, SignIn,
    StaffId, Store, StoreError, UserId, UserKey,
};

pub use signed_in::SignedIn;

/// The cookie.
const COOKIE: &str = "__Host-cim-session";
/// How long a session lasts at most.
pub const LONGEST: Duration = Duration::from_secs(12 * 3600);
/// How long after signing in, or confirming it, what cannot be taken back may be done.
pub const FRESH: Duration = Duration::from_secs(5 * 60);
/// Sessions are noted as used at most this often.
const TOUCH: Duration = Duration::from_secs(60);
/// Ids that are tried for a new session; that two are the same does not happen.
const TRIES: usize = 3;
/// Where the session stands in the record of `tower-sessions`.
const KEPT: &str = "kept";

/// What a session holds. The store sees user, times and the way in; the rest only whoever has the cookie.
#[derive(Clone, Serialize, Deserialize)]
pub struct Kept {
    holder: Held,
    opened_by: String,
    created: Timestamp,
    seen: Timestamp,
    /// Minutes without activity after which it ends.
    idle: u64,
    network: String,
    browser: String,
    /// When the user last proved who they are.
    confirmed: Timestamp,
    /// Opens the lists under a personal lock, where a secret opened the session.
    key: Option<UserKey>,
    /// Whether a recovery code was used up, and another one must be made first of all.
    #[serde(default)]
    renew: bool,
    /// The sign-in before this one.
    pub previous: Option<Previous>,
}

/// Who holds a session, by number.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Held {
    User(u64),
    Staff(i64),
}

impl Held {
    fn of(holder: Holder) -> Self {
        match holder {
            Holder::User(user) => Self::User(user.get()),
            Holder::Staff(StaffId(id)) => Self::Staff(id),
        }
    }

    fn holder(self) -> Option<Holder> {
        match self {
            Self::User(user) => UserId::new(user).map(Holder::User),
            Self::Staff(id) => Some(Holder::Staff(StaffId(id))),
        }
    }
}

/// A sign-in before the one at hand.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Previous {
    /// When.
    pub at: Timestamp,
    /// By what.
    pub opened_by: String,
    /// Where from.
    pub network: String,
    /// With which browser.
    pub browser: String,
}

impl Kept {
    /// When it ends, unless it is used: as its pages say.
    fn expires(&self) -> Timestamp {
        self.ends_after(idle_time(self.idle))
    }

    /// When the store forgets it: [`TOUCH`] later, since a use within that is not noted there.
    fn forgotten(&self) -> Timestamp {
        self.ends_after(idle_time(self.idle) + TOUCH)
    }

    fn ends_after(&self, idle: Duration) -> Timestamp {
        let idle = self.seen.saturating_add(idle).unwrap_or(Timestamp::MAX);
        let longest = self.created.saturating_add(LONGEST).unwrap_or(Timestamp::MAX);
        idle.min(longest)
    }

    /// Minutes without activity after which it ends.
    pub fn minutes(&self) -> u64 {
        self.idle
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        let age = now.duration_since(self.confirmed);
        age <= SignedDuration::try_from(FRESH).unwrap_or(SignedDuration::ZERO)
    }

    /// Seconds until it ends, unless it is used.
    fn seconds(&self, now: Timestamp) -> u64 {
        self.expires().duration_since(now).as_secs().try_into().unwrap_or(0)
    }

    fn of(record: &Record) -> SessionResult<Option<Self>> {
        let Some(value) = record.data.get(KEPT) else { return Ok(None) };
        serde_json::from_value(value.clone()).map(Some).map_err(|error| SessionError::Decode(error.to_string()))
    }
}

/// The sessions of the console, in its store.
#[derive(Clone)]
pub struct Sessions(Arc<Console>);

impl Sessions {
    /// Over the console's store.
    pub fn new(console: Arc<Console>) -> Self {
        Self(console)
    }

    /// The layer that keeps the cookie.
    pub fn layer(self) -> SessionManagerLayer<Self> {
        SessionManagerLayer::new(self)
            .with_name(COOKIE)
            .with_secure(true)
            .with_http_only(true)
            .with_same_site(SameSite::Lax)
            .with_path("/")
            .with_expiry(Expiry::OnSessionEnd)
    }

    async fn blocking<T, F>(&self, work: F) -> SessionResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Console) -> Result<T, StoreError> + Send + 'static,
    {
        self.0.blocking(work).await.map_err(|failure| SessionError::Backend(failure.name().to_owned()))
    }

    fn row(record: &Record) -> SessionResult<Option<SessionRow>> {
        let Some(kept) = Kept::of(record)? else { return Ok(None) };
        let key = SessionKey::new(&record.id.0.to_le_bytes());
        let encode = |error: &dyn fmt::Display| SessionError::Encode(error.to_string());
        let data = serde_json::to_vec(&record.data).map_err(|error| encode(&error))?;
        Ok(Some(SessionRow {
            hash: key.hash(),
            holder: kept.holder.holder(),
            opened_by: OpenedBy::of_name(&kept.opened_by),
            created: kept.created,
            seen: kept.seen,
            expires: kept.forgotten(),
            network: kept.network.clone(),
            browser: kept.browser.clone(),
            data: key.seal(&data).map_err(|error| encode(&error))?,
        }))
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> SessionResult<()> {
        for _ in 0..TRIES {
            let Some(row) = Self::row(record)? else { return Ok(()) };
            if self.blocking(move |console| console.store.add_session(&row)).await? {
                return Ok(());
            }
            record.id = Id::default();
        }
        Err(SessionError::Backend("no id is free".to_owned()))
    }

    async fn save(&self, record: &Record) -> SessionResult<()> {
        let Some(row) = Self::row(record)? else { return Ok(()) };
        // One that ended meanwhile stays ended.
        self.blocking(move |console| console.store.save_session(&row)).await.map(|_| ())
    }

    async fn load(&self, id: &Id) -> SessionResult<Option<Record>> {
        let key = SessionKey::new(&id.0.to_le_bytes());
        let hash = key.hash();
        let Some(row) = self.blocking(move |console| console.store.session(&hash)).await? else { return Ok(None) };
        let Some(data) = key.open(&row.data) else { return Ok(None) };
        let mut record = Record { id: *id, data: Default::default(), expiry_date: time::OffsetDateTime::now_utc() };
        record.data = serde_json::from_slice(&data).map_err(|error| SessionError::Decode(error.to_string()))?;
        // The row knows better when it was last used.
        if let Some(mut kept) = Kept::of(&record)? {
            kept.seen = row.seen;
            let value = serde_json::to_value(kept).map_err(|error| SessionError::Encode(error.to_string()))?;
            record.data.insert(KEPT.to_owned(), value);
        }
        Ok(Some(record))
    }

    async fn delete(&self, id: &Id) -> SessionResult<()> {
        let hash = SessionKey::new(&id.0.to_le_bytes()).hash();
        self.blocking(move |console| console.store.end_session(&hash)).await
    }
}

/// The session of a request, whoever holds it.
pub struct Current {
    /// Who.
    pub holder: Holder,
    /// The session.
    pub kept: Kept,
    /// What keeps its cookie.
    pub session: Session,
    /// The time of the request.
    pub now: Timestamp,
    /// How long it was not used before.
    rested: SignedDuration,
}

impl Current {
    /// Whether whoever holds it proved who they are within [`FRESH`].
    pub fn is_fresh(&self) -> bool {
        self.kept.is_fresh(self.now)
    }

    /// Notes that whoever holds it proved again who they are.
    ///
    /// # Errors
    /// As of the store.
    pub async fn confirm(&mut self) -> Result<(), Failure> {
        self.kept.confirmed = self.now;
        // Another id, as after every proof of who somebody is.
        self.session.cycle_id().await.map_err(|_| Failure::StoreAway)?;
        store(&self.session, &self.kept).await
    }

    /// Goes by the time without activity that the organisation has set meanwhile; `None` where the session is over by that.
    ///
    /// # Errors
    /// As of the store.
    pub async fn follow(&mut self, settings: &OrganisationSettings) -> Result<Option<()>, Failure> {
        let idle = settings.session_idle.unwrap_or(SESSION_IDLE[0]);
        if u64::from(idle) == self.kept.idle {
            return Ok(Some(()));
        }
        // As of what the store knows, see [`Kept::forgotten`].
        if self.rested >= SignedDuration::try_from(idle_time(idle.into()) + TOUCH).unwrap_or_default() {
            self.session.flush().await.map_err(|_| Failure::StoreAway)?;
            return Ok(None);
        }
        self.kept.idle = idle.into();
        store(&self.session, &self.kept).await?;
        Ok(Some(()))
    }

    /// What the store knows the session by.
    pub fn hash(&self) -> Option<SecretHash> {
        hash_of(&self.session)
    }

    /// Seconds until the session ends, unless it is used.
    pub fn seconds(&self) -> u64 {
        self.kept.seconds(self.now)
    }
}

/// The session that a request belongs to, noted as used; `None` where nobody is signed in.
///
/// # Errors
/// As of the store.
pub async fn current(parts: &Parts, console: &Arc<Console>) -> Result<Option<Current>, Failure> {
    let session = parts.extensions.get::<Session>().cloned().ok_or(Failure::Internal)?;
    let Some(kept) = session.get::<Kept>(KEPT).await.map_err(|_| Failure::StoreAway)? else { return Ok(None) };
    let Some(holder) = kept.holder.holder() else { return Ok(None) };
    let now = (console.clock)();
    let rested = now.duration_since(kept.seen);
    let mut current = Current { holder, kept, session, now, rested };
    current.kept.seen = now;
    if rested >= SignedDuration::try_from(TOUCH).unwrap_or_default() {
        let (hash, expires) = (current.hash().ok_or(Failure::Internal)?, current.kept.forgotten());
        console.blocking(move |console| console.store.touch_session(&hash, now, expires)?.wait()).await?;
    }
    Ok(Some(current))
}

/// Opens a session for a user who proved who they are, in place of whatever session the browser had.
///
/// Answers with the sign-in before this one.
///
/// # Errors
/// As of the store.
pub async fn open(
    console: &Arc<Console>,
    session: &Session,
    visitor: &Visitor,
    user: UserId,
    opened_by: OpenedBy,
    key: Option<UserKey>,
) -> Result<Option<Previous>, Failure> {
    open_for(console, session, visitor, Holder::User(user), opened_by, key).await
}

/// As [`open`], for managers and operators too.
///
/// # Errors
/// As of the store.
pub async fn open_for(
    console: &Arc<Console>,
    session: &Session,
    visitor: &Visitor,
    holder: Holder,
    opened_by: OpenedBy,
    key: Option<UserKey>,
) -> Result<Option<Previous>, Failure> {
    let now = (console.clock)();
    let sign_in = SignIn { at: now, opened_by, network: visitor.network(), browser: visitor.browser_name.to_owned() };
    let recorded = sign_in.clone();
    let browser = visitor.browser;
    let prepared = console.blocking(move |console| {
        let idle = idle_minutes(&*console.store, holder)?;
        let previous = console.store.last_sign_in(holder)?;
        console.store.record_sign_in(holder, &recorded)?;
        Ok((idle, previous, is_new_under_lock(&*console.store, holder, &browser)?))
    });
    let (idle, previous, is_new) = prepared.await?;
    if let Some(user) = is_new {
        alert::tell(console, user, Alert::NewBrowser(sign_in.network.clone()));
    }
    let previous = previous.map(|previous| Previous {
        at: previous.at,
        opened_by: previous.opened_by.as_str().to_owned(),
        network: previous.network,
        browser: previous.browser,
    });
    let kept = Kept {
        holder: Held::of(holder),
        opened_by: opened_by.as_str().to_owned(),
        created: now,
        seen: now,
        idle,
        network: sign_in.network,
        browser: sign_in.browser,
        confirmed: now,
        key,
        renew: opened_by == OpenedBy::Recovery,
        previous: previous.clone(),
    };
    // Another id: one that was planted in the browser before is worth nothing (session fixation).
    session.cycle_id().await.map_err(|_| Failure::StoreAway)?;
    store(session, &kept).await?;
    Ok(previous)
}

/// The user of a browser that signs in for the first time, where the user has a personal lock.
fn is_new_under_lock(store: &dyn Store, holder: Holder, browser: &SecretHash) -> Result<Option<UserId>, StoreError> {
    let Holder::User(user) = holder else { return Ok(None) };
    let is_new = !store.meet_browser(user, browser)?;
    Ok((is_new && store.lock_state(user)? == LockState::On).then_some(user))
}

/// Minutes without activity after which a session ends: those of the organisation; of an operator the fewest.
fn idle_minutes(store: &dyn Store, holder: Holder) -> Result<u64, StoreError> {
    let organisation = match holder {
        Holder::User(user) => Some(store.user(user)?.organisation),
        Holder::Staff(staff) => store.staff(staff)?.role.organisation(),
    };
    let set = organisation.map(|id| store.organisation_numbered(id)).transpose()?;
    let set = set.and_then(|organisation| organisation.settings.session_idle);
    Ok(set.unwrap_or(SESSION_IDLE[0]).into())
}

/// What the store knows a session by.
fn hash_of(session: &Session) -> Option<SecretHash> {
    session.id().map(|id| SessionKey::new(&id.0.to_le_bytes()).hash())
}

fn idle_time(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

async fn store(session: &Session, kept: &Kept) -> Result<(), Failure> {
    session.insert(KEPT, kept).await.map_err(|_| Failure::StoreAway)
}

/// How many seconds the session has, for scripts.
const SECONDS: HeaderName = HeaderName::from_static("session-seconds");

/// `POST /session/prolonger`: asking is what prolongs it.
pub async fn prolong(State(console): State<Arc<Console>>, current: Current) -> Result<Response, Failure> {
    if let Some(hash) = current.hash() {
        let (now, expires) = (current.now, current.kept.forgotten());
        console.blocking(move |console| console.store.touch_session(&hash, now, expires)?.wait()).await?;
    }
    Ok((StatusCode::NO_CONTENT, [(SECONDS, current.seconds().to_string())]).into_response())
}

/// For what any session may do: being prolonged, being ended.
impl FromRequestParts<Arc<Console>> for Current {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console>) -> Result<Self, Failure> {
        current(parts, console).await?.ok_or_else(|| Failure::SignIn { back: "/".to_owned() })
    }
}
