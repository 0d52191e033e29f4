//! "Combien ?": how many of one's own messages an entry would have matched, before it is added. A page with a form that adds
//! entries includes `how_many.html` with the answer, named `how_many`.

use std::sync::Arc;

use super::failure::Failure;
use super::page::Page;
use super::session::SignedIn;
use super::state::Console;
use crate::activity::{Candidate, Looked, look};
use crate::conflict::policy_of;
use crate::policy::list::{EntryValue, ListKind};
use crate::store::StoreError;

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HowMany {
    /// The user does not have it noted what becomes of their messages: there is nothing to count.
    NotKept,
    /// It is noted, and no message has come since.
    NoData,
    /// The personal lock is closed to this session.
    Locked,
    /// That many.
    Counted(Looked),
}

impl HowMany {
    /// In words, whole sentences.
    pub fn words(&self, page: &&Page) -> String {
        match self {
            Self::NotKept => page.t("how-many-not-kept"),
            Self::NoData => page.t("how-many-no-data"),
            Self::Locked => page.t("how-many-locked"),
            Self::Counted(looked) => {
                let values = [
                    ("matched", (looked.matched as u64).into()),
                    ("messages", (looked.messages as u64).into()),
                    ("since", page.day(&looked.since).into()),
                ];
                let counted = page.text("how-many-counted", &values);
                if looked.is_incomplete { format!("{counted} {}", page.t("how-many-incomplete")) } else { counted }
            }
        }
    }
}

/// Counts for an entry that the user might add to a list.
///
/// # Errors
/// As of the store.
pub async fn how_many(
    console: &Arc<Console>,
    signed_in: &SignedIn,
    list: ListKind,
    value: EntryValue,
) -> Result<HowMany, Failure> {
    if !signed_in.user.options.activity {
        return Ok(HowMany::NotKept);
    }
    let (user, permission) = (signed_in.id(), signed_in.permission());
    let organisation = Arc::clone(&signed_in.organisation);
    let count = move |console: &Console| {
        let history = match console.store.activity(user, &permission) {
            Err(StoreError::UserLocked) => return Ok(HowMany::Locked),
            history => history?,
        };
        let defaults = &*console.defaults();
        let policy = policy_of(defaults, &organisation);
        let candidate = Candidate { list, value: &value };
        let now = (console.clock)();
        let looked = look(&policy, &defaults.authentication.forwarders, &history, candidate, now);
        Ok(looked.map_or(HowMany::NoData, HowMany::Counted))
    };
    console.blocking(count).await
}
