//! `/exploitation/equipe`: operators, and managers of organisations.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;

use crate::console::failure::Failure;
use crate::console::page::{Notice, Page, redirect_with, render};
use crate::console::staff::{Member, Operator};
use crate::console::state::Console;
use crate::console::visitor::Visitor;
use crate::policy::address::Address;
use crate::store::{EnrolmentCode, Organisation, OrganisationId, Role, Staff, StaffAccess, StaffStatus, StoreError};

const PATH: &str = "/exploitation/equipe";

#[derive(Template)]
#[template(path = "staff/team.html", config = ".askama.toml")]
struct Team<'a> {
    page: &'a Page,
    member: &'a Member,
    typed: &'a Typed,
    all: Vec<Staff>,
    organisations: Vec<Organisation>,
}

#[derive(Template)]
#[template(path = "staff/team_code.html", config = ".askama.toml")]
struct Code<'a> {
    page: &'a Page,
    member: &'a Member,
    staff: &'a Staff,
    code: &'a EnrolmentCode,
    enrolment: String,
}

impl Team<'_> {
    fn organisation(&self, staff: &Staff) -> String {
        let own = staff.role.organisation();
        let found = self.organisations.iter().find(|organisation| Some(organisation.id) == own);
        found.map_or_else(|| self.page.t("staff-operator"), |organisation| organisation.name.clone())
    }

    fn status_key(&self, staff: &Staff) -> &'static str {
        match staff.status {
            StaffStatus::Invited(_) => "staff-team-invited",
            StaffStatus::Active => "staff-team-active",
            StaffStatus::Disabled => "staff-team-disabled",
        }
    }

    fn is_self(&self, staff: &Staff) -> bool {
        staff.id == self.member.staff.id
    }

    fn is_disabled(&self, staff: &Staff) -> bool {
        staff.status == StaffStatus::Disabled
    }

    fn is_chosen(&self, organisation: &Organisation) -> bool {
        self.typed.role == organisation.id.to_string()
    }
}

/// The form of a new member.
#[derive(Deserialize, Default)]
pub struct Typed {
    adresse: String,
    /// The number of a manager's organisation; empty for an operator.
    role: String,
}

/// `GET /exploitation/equipe`
pub async fn list(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Operator(member): Operator,
) -> Result<Response, Failure> {
    let page = member.page(&visitor, "staff-team-title");
    written(&console, &page, &member, &Typed::default()).await
}

async fn written(console: &Arc<Console>, page: &Page, member: &Member, typed: &Typed) -> Result<Response, Failure> {
    let read = |console: &Console| Ok((console.store.all_staff()?, console.store.organisations()?));
    let (all, organisations) = console.blocking(read).await?;
    Ok(render(page, &Team { page, member, typed, all, organisations }))
}

/// The code is shown once, on the page that answers.
fn shown_once(console: &Console, visitor: &Visitor, member: &Member, staff: &Staff, code: &EnrolmentCode) -> Response {
    let page = member.page(visitor, "staff-team-code-title");
    let enrolment = format!("{}/gestion/inscription", console.origin);
    render(&page, &Code { page: &page, member, staff, code, enrolment })
}

/// `POST /exploitation/equipe`
pub async fn add(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Operator(member): Operator,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    let role = match typed.role.as_str() {
        "" => Role::Operator,
        number => Role::Manager(OrganisationId::new(number.parse().map_err(|_| Failure::Malformed)?)),
    };
    let added = match Address::parse(typed.adresse.trim()) {
        Err(_) => Err("staff-team-wrong"),
        Ok(address) => {
            let actor = member.actor();
            let add = move |console: &Console| match console.store.add_staff(&actor, &address, role) {
                Err(StoreError::StaffTaken(_)) => Ok(Err("staff-team-taken")),
                Err(StoreError::Invalid(_)) => Ok(Err("staff-team-refused")),
                added => {
                    let (id, code) = added?;
                    Ok(Ok((console.store.staff(id)?, code)))
                }
            };
            console.blocking(add).await?
        }
    };
    match added {
        Ok((staff, code)) => Ok(shown_once(&console, &visitor, &member, &staff, &code)),
        Err(key) => {
            let page = member.page(&visitor, "staff-team-title");
            let text = page.t(key);
            written(&console, &page.with_error("adresse", text), &member, &typed).await
        }
    }
}

/// The member of a path; nobody acts on themselves, or the last operator might be gone.
async fn other(console: &Arc<Console>, member: &Member, id: i64) -> Result<Staff, Failure> {
    let all = console.blocking(|console| console.store.all_staff()).await?;
    let found = all.into_iter().find(|staff| staff.id.to_string() == id.to_string());
    found.filter(|staff| staff.id != member.staff.id).ok_or(Failure::NotFound)
}

async fn set_access(
    console: &Arc<Console>,
    member: &Member,
    id: i64,
    access: StaffAccess,
    key: &str,
) -> Result<Response, Failure> {
    let staff = other(console, member, id).await?;
    let actor = member.actor();
    console.blocking(move |console| console.store.set_staff_access(&actor, staff.id, access)).await?;
    Ok(redirect_with(PATH, Notice::good(key).with("address", staff.address.as_str())))
}

/// `POST /exploitation/equipe/{id}/desactiver`
pub async fn disable(
    State(console): State<Arc<Console>>,
    Operator(member): Operator,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    set_access(&console, &member, id, StaffAccess::Disabled, "staff-team-was-disabled").await
}

/// `POST /exploitation/equipe/{id}/activer`
pub async fn enable(
    State(console): State<Arc<Console>>,
    Operator(member): Operator,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    set_access(&console, &member, id, StaffAccess::Enabled, "staff-team-was-enabled").await
}

/// `POST /exploitation/equipe/{id}/reinitialiser`
pub async fn reset(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Operator(member): Operator,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    let staff = other(&console, &member, id).await?;
    let (actor, of) = (member.actor(), staff.id);
    let code = console.blocking(move |console| console.store.reset_staff(&actor, of)).await?;
    Ok(shown_once(&console, &visitor, &member, &staff, &code))
}

/// `POST /exploitation/equipe/{id}/retirer`
pub async fn remove(
    State(console): State<Arc<Console>>,
    Operator(member): Operator,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    let staff = other(&console, &member, id).await?;
    let (actor, of) = (member.actor(), staff.id);
    console.blocking(move |console| console.store.remove_staff(&actor, of)).await?;
    Ok(redirect_with(PATH, Notice::good("staff-team-was-removed").with("address", staff.address.as_str())))
}
