//! Where each recipient's copy goes, and the recipient edits that bring it there.

use std::collections::HashSet;

use smallvec::SmallVec;

use super::{Circumstances, Deliveries, Delivery, Detail, Direction, Modification, Recipient, USUAL_RECIPIENTS};
use crate::policy::address::bare_path;
use crate::policy::decide::Outcome;
use crate::policy::organisation::Proof;

/// Where a recipient's copy goes, others set aside.
pub(super) fn delivery(circumstances: &Circumstances, recipient: &Recipient<'_>) -> Delivery {
    let Some((policy, _)) = recipient.user else { return Delivery::AsAddressed };
    match (recipient.verdict.outcome, policy.folder_for(recipient.verdict.outcome)) {
        (_, Some((folder, Proof::Proven))) => Delivery::Folder(folder.to_owned()),
        (Outcome::Blocked(_), None) => Delivery::Discarded,
        // A folder that nobody has seen might not be there: nothing is sent to it, and nothing is dropped for that.
        (_, Some((_, Proof::Unproven))) | (Outcome::Deliver { .. }, None) => {
            let is_personal = recipient.verdict.reason.personal.is_some();
            let typed = circumstances.direction == Direction::Inbound && !is_personal;
            match typed.then(|| folder_of(circumstances, recipient)).flatten() {
                Some(detail) if is_folder(detail, &policy.personal.folder) => Delivery::DetailRemoved,
                _ => Delivery::AsAddressed,
            }
        }
    }
}

fn is_folder(detail: &[u8], folder: &str) -> bool {
    detail.eq_ignore_ascii_case(folder.as_bytes())
}

/// Local part and domain of a path as written, the quotes of a local part that needs none taken off.
fn local_and_domain(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let bare = bare_path(path);
    let at = bare.iter().rposition(|&b| b == b'@')?;
    let (local, domain) = (&bare[..at], &bare[at + 1..]);
    Some((local.strip_prefix(b"\"").and_then(|l| l.strip_suffix(b"\"")).unwrap_or(local), domain))
}

/// The folder in the address as written.
fn folder_of<'a>(circumstances: &Circumstances, recipient: &Recipient<'a>) -> Option<&'a [u8]> {
    if recipient.detail == Detail::Name {
        return None;
    }
    let delimiter = u8::try_from(circumstances.delimiter?).ok()?;
    if !recipient.path.contains(&delimiter) {
        return None;
    }
    let (local, _) = local_and_domain(recipient.path)?;
    local.iter().position(|&b| b == delimiter).map(|at| &local[at + 1..])
}

/// The path of the same mailbox with another folder, or none: `<user+Folder@domain>`.
fn path_with(circumstances: &Circumstances, path: &[u8], folder: Option<&str>) -> Option<Vec<u8>> {
    let delimiter = circumstances.delimiter?;
    let (local, domain) = local_and_domain(path)?;
    let base = local.split(|&b| char::from(b) == delimiter).next().filter(|base| !base.is_empty())?;
    let mut out = vec![b'<'];
    out.extend_from_slice(base);
    if let Some(folder) = folder {
        out.push(u8::try_from(delimiter).ok()?);
        out.extend_from_slice(folder.as_bytes());
    }
    out.push(b'@');
    out.extend_from_slice(domain);
    out.push(b'>');
    Some(out)
}

pub(super) struct EnvelopeEdits {
    pub(super) additions: Vec<Modification>,
    pub(super) deletions: Vec<Modification>,
    pub(super) deliveries: Deliveries,
}

pub(super) fn envelope_edits(
    circumstances: &Circumstances,
    recipients: &[Recipient<'_>],
    mut deliveries: Deliveries,
) -> EnvelopeEdits {
    let folded = |path: &[u8]| bare_path(path).to_ascii_lowercase();
    // What is given up by a delivery is known before anything is added, whatever the order of the recipients.
    let targets: SmallVec<[Option<Vec<u8>>; USUAL_RECIPIENTS]> = recipients
        .iter()
        .zip(&mut deliveries)
        .map(|(recipient, delivery)| target(circumstances, recipient, delivery))
        .collect();
    let gives_up = |delivery: &Delivery, target: &Option<Vec<u8>>| target.is_some() || *delivery == Delivery::Discarded;
    if !deliveries.iter().zip(&targets).any(|(delivery, target)| gives_up(delivery, target)) {
        return EnvelopeEdits { additions: Vec::new(), deletions: Vec::new(), deliveries };
    }
    let given_up: HashSet<Vec<u8>> = recipients
        .iter()
        .zip(deliveries.iter().zip(&targets))
        .filter(|(_, (delivery, target))| gives_up(delivery, target))
        .map(|(recipient, _)| folded(recipient.path))
        .collect();

    let (mut additions, mut deletions) = (Vec::new(), Vec::new());
    let (mut added, mut deleted) = (HashSet::new(), HashSet::new());
    for ((recipient, delivery), target) in recipients.iter().zip(&mut deliveries).zip(targets) {
        if let Some(path) = target {
            let key = folded(&path);
            if given_up.contains(&key) {
                // Another recipient gives this very address up: the law forbids the edit, so there is none.
                *delivery = Delivery::AsAddressed;
                continue;
            }
            // One address written twice is one copy without us, and stays one.
            if added.insert((key, folded(recipient.path))) {
                additions.push(Modification::AddRecipient { path, arguments: dsn_arguments(recipient.arguments) });
            }
        } else if *delivery != Delivery::Discarded {
            continue;
        }
        if deleted.insert(recipient.path.to_vec()) {
            deletions.push(Modification::DeleteRecipient { path: recipient.path.to_vec() });
        }
    }
    EnvelopeEdits { additions, deletions, deliveries }
}

/// The address to add for a delivery; `None` where the recipient is in its target form, or has none to go to.
fn target(circumstances: &Circumstances, recipient: &Recipient<'_>, delivery: &mut Delivery) -> Option<Vec<u8>> {
    let folder = match delivery {
        Delivery::Folder(folder) => Some(folder.as_str()),
        Delivery::DetailRemoved => None,
        _ => return None,
    };
    let there = folder_of(circumstances, recipient).is_some_and(|d| folder.is_some_and(|folder| is_folder(d, folder)));
    if there {
        return None;
    }
    let path = match recipient.detail {
        Detail::Folder => path_with(circumstances, recipient.path, folder),
        Detail::Name => None,
    };
    if path.is_none() {
        *delivery = Delivery::AsAddressed;
    }
    path
}

/// NOTIFY and ORCPT (RFC 3461) of a recipient: what the added one keeps.
fn dsn_arguments(arguments: &[Vec<u8>]) -> Vec<u8> {
    let is_dsn = |argument: &&Vec<u8>| {
        let name = argument.split(|&b| b == b'=').next().unwrap_or_default();
        name.eq_ignore_ascii_case(b"NOTIFY") || name.eq_ignore_ascii_case(b"ORCPT")
    };
    arguments.iter().filter(is_dsn).map(Vec::as_slice).collect::<Vec<_>>().join(&b' ')
}
