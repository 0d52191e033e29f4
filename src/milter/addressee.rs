//! Whom an address reaches: a user of ours, several mailboxes at once, or nobody.

use std::sync::Arc;

use super::settings::{Directory, Pass, Settings};
use crate::policy::action::SplitMode;
use crate::policy::address::Address;
use crate::policy::decide::Lists;
use crate::policy::list::{Globs, UserLists};
use crate::policy::organisation::OrgPolicy;
use crate::policy::plan::{Detail, mailbox_candidates};

/// A user of ours whom a message concerns: their organisation's policy, and their lists as of then.
pub(super) struct User {
    pub(super) policy: Arc<OrgPolicy>,
    pub(super) lists: UserLists,
    pub(super) globs: Option<Arc<Globs>>,
    pub(super) detail: Detail,
    /// Others get what comes to this address too, so that nothing may be done here that reaches them.
    pub(super) is_shared: bool,
}

/// A shared address: its organisation's policy, and nobody's lists.
pub(super) struct Shared {
    pub(super) policy: Arc<OrgPolicy>,
    pub(super) detail: Detail,
}

impl User {
    pub(super) fn lists(&self) -> Lists<'_> {
        Lists { compiled: &self.lists, globs: self.globs.as_deref() }
    }
}

/// Whom an address reaches, by the first form of it that is known: a user, or several at once, or (neither) nobody of
/// ours. What comes to a user's own address that others have too is decided where the MTA has split it, if it does.
pub(super) fn addressee(
    directory: &impl Directory,
    settings: &Settings,
    pass: Pass,
    path: &[u8],
) -> (Option<User>, Option<Shared>) {
    let Some(address) = Address::from_path(path) else { return (None, None) };
    for address in mailbox_candidates(address, settings.delimiter) {
        let shared = directory.shared_in(&address).filter(|_| pass == Pass::First);
        let user = known_as(directory, settings, &address);
        let is_split = settings.split != SplitMode::Off;
        match (user, shared) {
            (None, None) => {}
            (user, None) => return (user, None),
            (Some(user), Some(_)) if is_split => {
                return (Some(User { is_shared: true, ..user }), None);
            }
            (_, Some(organisation)) => {
                let policy = settings.organisations.get(&organisation).cloned();
                let detail = detail_of(&address, settings.delimiter);
                return (None, policy.map(|policy| Shared { policy, detail }));
            }
        }
    }
    (None, None)
}

/// The envelope sender as a user of ours. Who has logged in is that user: the login is an address of theirs, or a name that
/// with the sender's domain is one. Otherwise nobody's list is asked, or one user could try out another's.
pub(super) fn sending_as(
    directory: &impl Directory,
    settings: &Settings,
    sender: &Address,
    login: Option<&str>,
) -> Option<User> {
    let known = user(directory, settings, sender.clone())?;
    let Some(login) = login else { return Some(known) };
    let own =
        if login.contains('@') { Address::parse(login).ok() } else { Address::from_parts(login, sender.domain()) };
    let logged_in = user(directory, settings, own?)?;
    (logged_in.lists.user() == known.lists.user()).then_some(known)
}

/// The user who has an address, or has it without its detail.
pub(super) fn user(directory: &impl Directory, settings: &Settings, address: Address) -> Option<User> {
    mailbox_candidates(address, settings.delimiter).find_map(|address| known_as(directory, settings, &address))
}

/// The user who has this very address.
fn known_as(directory: &impl Directory, settings: &Settings, address: &Address) -> Option<User> {
    let lists = directory.lists(address)?;
    let policy = settings.organisations.get(&lists.organisation())?.clone();
    let globs = if lists.has_globs() { directory.globs(&lists) } else { None };
    Some(User { policy, lists, globs, detail: detail_of(address, settings.delimiter), is_shared: false })
}

/// What stands behind the delimiter of an address that is known as it is.
fn detail_of(address: &Address, delimiter: Option<char>) -> Detail {
    let has_detail = delimiter.is_some_and(|delimiter| address.has_detail(delimiter));
    if has_detail { Detail::Name } else { Detail::Folder }
}
