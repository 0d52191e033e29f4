//! The pages of managers and operators. They have their own door, and their session is no user's.
//!
//! | file | subject |
//! |---|---|
//! | `sign_in`, `enrol` | two factors: asked for, and set the first time |
//! | `prove` | the second factor once more, before what is grave |
//! | `account` | one's own sessions and factors |
//! | `overview` | a manager's first page: totals per day |
//! | `own_lists`, `domains` | the organisation's own lists, and its business domains |
//! | `marking`, `rules` | how personal mail is marked; sessions, networks, contact |
//! | `users`, `import` | users' accounts |
//! | `granted` | lists that users let somebody read |
//! | `operator` | the operator's pages |

pub mod account;
pub mod domains;
pub mod enrol;
pub mod granted;
pub mod import;
pub mod marking;
pub mod operator;
pub mod overview;
pub mod own_lists;
mod prove;
pub mod rules;
pub mod sign_in;
pub mod users;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use super::access::{self, Area};
use super::failure::Failure;
use super::page::{Account, Page};
use super::session;
use super::state::Console;
use super::visitor::{Visitor, path_of};
use crate::conflict::SetError;
use crate::store::{Actor, Holder, KEYS, Organisation, Role, SecretHash, SettingError, Staff, StaffStatus, StoreError};

/// Every page and action of managers and operators.
pub fn routes(console: &Arc<Console>) -> Router<Arc<Console>> {
    Router::new()
        .route("/gestion/connexion", get(sign_in::show).post(sign_in::confirm))
        .route("/gestion/inscription", get(enrol::show).post(enrol::enter))
        .route("/gestion/inscription/confirmer", post(enrol::confirm))
        .route("/gestion/compte", get(account::show))
        .route("/gestion/compte/sessions/{id}/terminer", post(account::end_one))
        .route("/gestion/compte/sessions/terminer", post(account::end_others))
        // Managers
        .route("/gestion", get(overview::show))
        .route("/gestion/utilisateurs/importer", get(import::show).post(import::preview))
        .route("/gestion/utilisateurs/{user}", get(users::show))
        // Operators
        .route("/exploitation/acces", get(granted::list))
        .route("/exploitation/acces/{user}/{list}", get(granted::show))
        .merge(operator::routes())
        .merge(grave().route_layer(from_fn_with_state(console.clone(), prove::prove)))
}

/// What is done under a proof of the second factor that is not older than five minutes ([`prove`]); looking needs none.
fn grave() -> Router<Arc<Console>> {
    Router::new()
        .route("/gestion/compte/renouveler", post(account::renew))
        .route("/gestion/domaines", get(domains::show).post(domains::add))
        .route("/gestion/domaines/retirer", post(domains::remove))
        .route("/gestion/listes", get(own_lists::show).post(own_lists::add))
        .route("/gestion/listes/retirer", post(own_lists::remove))
        .route("/gestion/marquage", get(marking::show).post(marking::set))
        .route("/gestion/regles", get(rules::show).post(rules::set))
        .route("/gestion/utilisateurs", get(users::list).post(users::add))
        .route("/gestion/utilisateurs/importer/confirmer", post(import::confirm))
        .route("/gestion/utilisateurs/{user}/desactiver", post(users::disable))
        .route("/gestion/utilisateurs/{user}/activer", post(users::enable))
        .route("/gestion/utilisateurs/{user}/sessions/terminer", post(users::end_sessions))
        .merge(operator::grave())
}

/// A manager or an operator who is signed in, as of this request.
pub struct Member {
    /// Who.
    pub staff: Staff,
    /// The organisation of a manager.
    pub organisation: Option<Arc<Organisation>>,
    /// Seconds until the session ends, unless it is used.
    seconds: u64,
    /// Minutes without activity after which it ends.
    minutes: u64,
    /// What the store knows the session by.
    session: Option<SecretHash>,
}

/// A page that is linked to from every page of staff: its path, and the key of its name.
pub type Link = (&'static str, &'static str);

const MANAGER_LINKS: [Link; 6] = [
    ("/gestion", "staff-overview-title"),
    ("/gestion/utilisateurs", "staff-users-title"),
    ("/gestion/listes", "staff-lists-title"),
    ("/gestion/domaines", "staff-domains-title"),
    ("/gestion/marquage", "staff-marking-title"),
    ("/gestion/regles", "staff-rules-title"),
];

const OPERATOR_LINKS: [Link; 4] = [
    ("/exploitation", "staff-health-title"),
    ("/exploitation/organisations", "staff-organisations-title"),
    ("/exploitation/equipe", "staff-team-title"),
    ("/exploitation/acces", "staff-granted-title"),
];

impl Member {
    /// As changes are journalled.
    pub fn actor(&self) -> Actor {
        self.staff.actor()
    }

    /// The pages that every page links to.
    pub fn links(&self) -> &'static [Link] {
        match self.staff.role {
            Role::Manager(_) => &MANAGER_LINKS,
            Role::Operator => &OPERATOR_LINKS,
        }
    }

    /// The first page after signing in.
    pub fn home(&self) -> &'static str {
        self.links()[0].0
    }

    /// A page for this member.
    pub fn page(&self, visitor: &Visitor, title_key: &str) -> Page {
        let mut page = Page::new(visitor, title_key);
        let organisation = match &self.organisation {
            Some(organisation) => organisation.name.clone(),
            None => page.t("staff-operator"),
        };
        let address = self.staff.address.as_str().to_owned();
        page.account = Some(Account {
            address,
            organisation,
            seconds: self.seconds,
            minutes: self.minutes,
            door: "/gestion/connexion",
            told: Vec::new(),
            fresh_start: None,
        });
        page
    }

    /// That the member's role has a part of the console.
    fn must_have(&self, area: Area) -> Result<(), Failure> {
        // Not "forbidden": there is no such page for whoever asks.
        if access::may(self.staff.role, area) { Ok(()) } else { Err(Failure::NotFound) }
    }
}

impl FromRequestParts<Arc<Console>> for Member {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console>) -> Result<Self, Failure> {
        let back = if parts.method.is_safe() { path_of(&parts.uri) } else { "/gestion" }.to_owned();
        let nobody = Failure::SignIn { back };
        let mut current = session::current(parts, console).await?.ok_or_else(|| nobody.clone())?;
        let Holder::Staff(id) = current.holder else { return Err(nobody) };
        let found = console.blocking(move |console| {
            let staff = match console.store.staff(id) {
                Err(StoreError::UnknownStaff(_)) => return Ok(None),
                staff => staff?,
            };
            let organisation = staff.role.organisation();
            let organisation = organisation.map(|id| console.store.organisation_numbered(id)).transpose()?;
            Ok(Some((staff, organisation)))
        });
        let found = found.await?.filter(|(staff, _)| staff.status == StaffStatus::Active);
        let (staff, organisation) = found.ok_or_else(|| nobody.clone())?;
        if let Some(own) = &organisation {
            current.follow(&own.settings).await?.ok_or(nobody)?;
        }
        let (seconds, minutes, session) = (current.seconds(), current.kept.minutes(), current.hash());
        let address = parts.extensions.get::<Visitor>().map(|visitor| visitor.address).ok_or(Failure::Internal)?;
        let path = parts.uri.path();
        if organisation.as_ref().is_some_and(|own| !access::admits(&own.settings, address, path)) {
            return Err(Failure::Network);
        }
        Ok(Self { staff, organisation: organisation.map(Arc::new), seconds, minutes, session })
    }
}

/// A manager, with the organisation that is theirs.
pub struct Manager {
    /// Who.
    pub member: Member,
    /// Of which organisation.
    pub organisation: Arc<Organisation>,
}

impl FromRequestParts<Arc<Console>> for Manager {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console>) -> Result<Self, Failure> {
        let member = Member::from_request_parts(parts, console).await?;
        member.must_have(Area::Organisation)?;
        let organisation = member.organisation.clone().ok_or(Failure::NotFound)?;
        Ok(Self { member, organisation })
    }
}

/// An operator.
pub struct Operator(pub Member);

impl FromRequestParts<Arc<Console>> for Operator {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console>) -> Result<Self, Failure> {
        let member = Member::from_request_parts(parts, console).await?;
        member.must_have(Area::Installation)?;
        Ok(Self(member))
    }
}

/// The key of a setting's name; what may be written there has the same with `-hint`.
pub fn setting_words(key: &str) -> String {
    format!("staff-setting-{}", key.replace('_', "-"))
}

/// Settings of which a page says in words of their own what is wrong.
pub const WORDED: [&str; 4] = ["tag", "folder", "console_networks", "dpo"];

/// The key of what is wrong with one of [`WORDED`].
pub fn wrong_words(key: &str) -> String {
    format!("staff-wrong-{}", key.replace('_', "-"))
}

/// What is wrong with settings that were typed: the field and the words.
fn setting_error(page: &Page, error: &SetError) -> Option<(&'static str, String)> {
    match error {
        SetError::Conflict(conflict) => {
            let field = conflict.keys.first().copied().and_then(|name| KEYS.into_iter().find(|key| *key == name));
            let field = field.unwrap_or("tag");
            Some((field, page.t(&format!("staff-conflict-{}", conflict.kind.as_str()))))
        }
        SetError::Store(StoreError::Setting(SettingError::Value { key, .. })) => {
            let words = match *key {
                known if WORDED.contains(&known) => page.t(&wrong_words(known)),
                _ => {
                    let hint = page.t(&format!("{}-hint", setting_words(key)));
                    page.text("staff-wrong-value", &[("hint", hint.into())])
                }
            };
            Some((key, words))
        }
        SetError::Store(_) => None,
    }
}

/// A failure that is no matter of what was typed.
fn set_failure(error: SetError) -> Failure {
    match error {
        SetError::Store(error) => error.into(),
        SetError::Conflict(_) => Failure::Internal,
    }
}
