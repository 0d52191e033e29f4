//! Folders that an organisation asks for although nobody has proven that the mail store files into them.

use crate::cli::{policy_of, proof_remedy};
use crate::config::{Parsed, Problem, Severity};
use crate::directory::Defaults;
use crate::policy::organisation::FolderChoice;
use crate::store::{Organisation, Result, Store};

/// Every folder that an action asks for in vain, at the key that asks where the configuration has it, else at the store.
///
/// # Errors
/// The store's state.
pub(super) fn findings(parsed: &Parsed, store: &dyn Store, organisations: &[Organisation]) -> Result<Vec<Problem>> {
    let defaults = Defaults::from(&parsed.config);
    let mut problems = Vec::new();
    for organisation in organisations {
        let policy = policy_of(&defaults, organisation);
        for (choice, folder) in policy.unproven(&store.user_choices(organisation.id)?) {
            let (key, asks) = asking(choice, organisation);
            let what = format!("{asks}, and the folder {folder} of {} is not proven", organisation.name);
            let what = format!("{what}: nothing is filed there");
            let remedy = proof_remedy(organisation, folder);
            problems.push(parsed.lines.problem(Severity::Error, key, what, remedy));
        }
    }
    Ok(problems)
}

/// The key of the configuration that asks for a folder, and how; that of the store for what is set there.
fn asking(choice: FolderChoice, organisation: &Organisation) -> (&'static str, &'static str) {
    const STORE: &str = "store.url";
    let set = &organisation.settings;
    match choice {
        FolderChoice::PersonalActions if set.personal_actions.is_none() => ("personal.actions", "it holds folder"),
        FolderChoice::PersonalActions => (STORE, "personal_actions holds folder"),
        FolderChoice::UsersPersonalActions => (STORE, "users chose folder"),
        FolderChoice::BlackAction if set.black_action.is_none() => ("black.action", "it files into the junk folder"),
        FolderChoice::BlackAction => (STORE, "black_action files into the junk folder"),
        FolderChoice::UsersBlackAction => (STORE, "users chose junk or hold"),
        FolderChoice::LateAction if set.late_action.is_none() => ("black.late_action", "it files into the junk folder"),
        FolderChoice::LateAction => (STORE, "late_action files into the junk folder"),
    }
}
