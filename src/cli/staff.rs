//! `staff`: managers and operators of the console. The first operator is made here; both sign in with two factors.

use std::process::ExitCode;

use anyhow::Context;
use clap::{ArgGroup, Subcommand};
use serde_json::json;

use super::user::parse;
use super::{ConfigOption, actor, confirmed, print_json};
use crate::store::{EnrolmentCode, OrganisationId, Role, Staff, StaffAccess, StaffStatus, Store};

/// `staff …`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigOption,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add an operator of the relay or a manager of an organisation; prints a code to enrol with, good once and for 24 hours
    #[command(group = ArgGroup::new("role").required(true))]
    Add {
        /// The address they sign in with
        address: String,
        /// Runs the relay: organisations, staff, health
        #[arg(long, group = "role")]
        operator: bool,
        /// Runs one organisation: settings, its own lists, users' accounts
        #[arg(long, group = "role", value_name = "ORGANISATION")]
        manager: Option<String>,
    },
    /// List operators and managers
    List {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Let somebody sign in no more, and end their sessions
    Disable {
        /// Their address
        address: String,
    },
    /// Let somebody sign in again
    Enable {
        /// Their address
        address: String,
    },
    /// Take password and second factor away, and print a code to enrol with anew; grants that users gave them end
    Reset {
        /// Their address
        address: String,
    },
    /// Remove somebody; grants that users gave them end
    Remove {
        /// Their address
        address: String,
    },
}

/// Runs the command.
///
/// # Errors
/// What the store refuses.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (_, store) = args.config.open_store()?;
    let store = &*store;
    match args.command {
        Command::Add { address, operator: _, manager } => {
            let address = parse(&address)?;
            let organisation = manager.map(|name| store.organisation(&name)).transpose()?;
            let role = organisation.map_or(Role::Operator, |organisation| Role::Manager(organisation.id));
            let (_, code) = store.add_staff(&actor(), &address, role)?;
            say!("{} {} added", role_name(role), address.as_str())?;
            tell(&code)?;
        }
        Command::List { json } => list(store, json)?,
        Command::Disable { address } => set_access(store, &address, StaffAccess::Disabled)?,
        Command::Enable { address } => set_access(store, &address, StaffAccess::Enabled)?,
        Command::Reset { address } => {
            let staff = find(store, &address)?;
            let code = store.reset_staff(&actor(), staff.id)?;
            say!("{} {} reset", role_name(staff.role), staff.address.as_str())?;
            tell(&code)?;
        }
        Command::Remove { address } => return remove(store, &address),
    }
    Ok(ExitCode::SUCCESS)
}

/// The code goes to the person by a way of the caller's choice: whoever has it enrols.
fn tell(code: &EnrolmentCode) -> std::io::Result<()> {
    say!("enrolment code (once, 24 hours): {code}")?;
    say!("to be typed at /gestion/inscription of the console, by that person alone")
}

fn find(store: &dyn Store, address: &str) -> anyhow::Result<Staff> {
    Ok(store.staff_named(&parse(address)?)?)
}

fn set_access(store: &dyn Store, address: &str, access: StaffAccess) -> anyhow::Result<()> {
    let staff = find(store, address)?;
    store.set_staff_access(&actor(), staff.id, access)?;
    let done = match access {
        StaffAccess::Enabled => "enabled",
        StaffAccess::Disabled => "disabled",
    };
    say!("{} {} {done}", role_name(staff.role), staff.address.as_str())?;
    Ok(())
}

fn remove(store: &dyn Store, address: &str) -> anyhow::Result<ExitCode> {
    let staff = find(store, address)?;
    let (role, name) = (role_name(staff.role), staff.address.as_str());
    if !confirmed(&format!("The {role} {name} is removed.")).context("asking")? {
        say!("nothing changed")?;
        return Ok(ExitCode::FAILURE);
    }
    store.remove_staff(&actor(), staff.id)?;
    say!("{role} {name} removed")?;
    Ok(ExitCode::SUCCESS)
}

fn list(store: &dyn Store, json: bool) -> anyhow::Result<()> {
    let organisations = store.organisations()?;
    let name = |id: OrganisationId| organisations.iter().find(|known| known.id == id).map(|known| known.name.as_str());
    let all = store.all_staff()?;
    if json {
        let rows = all.iter().map(|staff| {
            json!({
                "address": staff.address.as_str(),
                "role": role_name(staff.role),
                "organisation": staff.role.organisation().and_then(name),
                "status": status_name(staff.status),
                "last_sign_in": staff.last_sign_in.map(|at| at.to_string()),
                "created": staff.created.to_string(),
            })
        });
        return Ok(print_json(&rows.collect())?);
    }
    if all.is_empty() {
        say!("no staff yet; add the first operator with: perso-milter staff add ADDRESS --operator")?;
    }
    for staff in &all {
        let role = role_name(staff.role);
        let whose = staff.role.organisation().and_then(name).map_or(String::new(), |name| format!(" of {name}"));
        say!("{}  {role}{whose}  {}", staff.address.as_str(), status_name(staff.status))?;
    }
    Ok(())
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Operator => "operator",
        Role::Manager(_) => "manager",
    }
}

fn status_name(status: StaffStatus) -> &'static str {
    match status {
        StaffStatus::Invited(_) => "invited",
        StaffStatus::Active => "enabled",
        StaffStatus::Disabled => "disabled",
    }
}
