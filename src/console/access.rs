//! Who may do what, in one place: which part of the console each role has, and from where it may be used.
//!
//! Nobody but the user has the lists, the history or anything that depends on them; staff see a list under a grant of its
//! user alone ([`crate::store::StaffStore::grants_to`]).

use std::net::IpAddr;

use crate::store::{OrganisationSettings, Role};

/// A part of the console that staff use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// One organisation: its settings, its own lists, its users' accounts.
    Organisation,
    /// The installation: organisations, staff, health.
    Installation,
    /// Lists that users let somebody read.
    Grants,
}

/// Whether a role has a part of the console. A manager's is that of the own organisation.
pub fn may(role: Role, area: Area) -> bool {
    match (role, area) {
        (Role::Manager(_), Area::Organisation) | (Role::Operator, Area::Installation | Area::Grants) => true,
        // A manager is the employer: nobody is to be asked by them to open a list.
        (Role::Manager(_), Area::Installation | Area::Grants) | (Role::Operator, Area::Organisation) => false,
    }
}

/// The page on which those sign in to whom a path belongs.
pub fn door(path: &str) -> &'static str {
    if is_staffs(path) { "/gestion/connexion" } else { "/connexion" }
}

/// A page that all those have to whom a path belongs.
pub fn start(path: &str) -> &'static str {
    if is_staffs(path) { "/gestion/compte" } else { "/" }
}

fn is_staffs(path: &str) -> bool {
    ["/gestion", "/exploitation"].iter().any(|start| path.starts_with(start))
}

/// A page, and the key of its title.
pub type Link = (&'static str, &'static str);

/// What the law gives to users stays open to them wherever they are: reading, correcting and exporting one's lists, seeing who
/// changed or read them, erasing one's history, taking leave back, and protecting one's account.
pub const DATA_RIGHTS: [Link; 8] = [
    ("/listes/personnels", "lists-personal-title"),
    ("/listes/bloques", "lists-blocked-title"),
    ("/listes/acceptes", "lists-accepted-title"),
    ("/listes/journal", "lists-journal-title"),
    ("/listes/exporter", "lists-export-title"),
    ("/historique", "history-title"),
    ("/acces", "grants-title"),
    ("/securite", "security-title"),
];

/// What these pages lead to: one entry, and what proves who one is.
const BEHIND_THEM: [&str; 2] = ["/listes/entree", "/confirmer"];

/// Whether an organisation lets its console be used from an address.
pub fn admits(settings: &OrganisationSettings, address: IpAddr, path: &str) -> bool {
    let is_below = |start: &str| path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let mut open = DATA_RIGHTS.iter().map(|(path, _)| *path).chain(BEHIND_THEM);
    settings.admits(address) || open.any(is_below)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::OrganisationId;

    #[test]
    fn a_network_rule_is_never_in_the_way_of_data_rights() {
        let mut settings = OrganisationSettings::default();
        settings.set("console_networks", "192.0.2.0/24").expect("valid");
        let [inside, outside] = ["192.0.2.1", "203.0.113.1"].map(|address| address.parse().expect("an address"));
        assert!(admits(&settings, inside, "/"));
        assert!(!admits(&settings, outside, "/"));
        for right in ["/listes/exporter/csv", "/listes/acceptes", "/acces/7/retirer", "/securite", "/confirmer/code"] {
            assert!(admits(&settings, outside, right), "{right}");
        }
        for other in ["/listes/ajouter", "/listes", "/accessibles", "/gestion/acces"] {
            assert!(!admits(&settings, outside, other), "{other}");
        }
    }

    #[test]
    fn each_role_has_its_own_part() {
        let manager = Role::Manager(OrganisationId::new(1));
        assert!(may(manager, Area::Organisation) && !may(manager, Area::Installation));
        assert!(may(Role::Operator, Area::Installation) && !may(Role::Operator, Area::Organisation));
        assert!(may(Role::Operator, Area::Grants) && !may(manager, Area::Grants));
    }
}
