//! The header edits that recipients ask for, and whether all ask for the same.

use super::{Circumstances, Delivery, EditableHeaders, Mark, Recipient};
use crate::policy::action::{OutboundAction, PersonalActions};
use crate::policy::decide::Outcome;
use crate::policy::organisation::{OrgPolicy, WhitePolicy};
use crate::policy::subject::{SubjectEdit, Tag, edited};

/// The header edits that one recipient's verdict asks for.
#[derive(Clone, Copy, PartialEq, Default)]
pub(super) struct Wish<'a> {
    pub(super) tag: Option<&'a Tag>,
    pub(super) clear: Option<&'a WhitePolicy>,
    pub(super) mark: Option<Mark>,
}

impl<'a> Wish<'a> {
    /// `None` for a recipient who gets no copy.
    pub(super) fn of(recipient: &Recipient<'a>, delivery: &Delivery) -> Option<Self> {
        if *delivery == Delivery::Discarded {
            return None;
        }
        let Outcome::Deliver { personal, clear_spam } = recipient.verdict.outcome else { return Some(Self::default()) };
        let own = recipient.user.map_or_else(Self::default, |(policy, user)| Self {
            tag: personal.contains(PersonalActions::TAG).then_some(&policy.personal.tag),
            clear: clear_spam.then_some(&policy.white),
            mark: personal.contains(PersonalActions::MARK).then_some(Mark::by(policy, user)),
        });
        Some(recipient.sending.map_or(own, |(policy, user)| own.and_of_sender(policy, user)))
    }

    /// What the sender's list asks for stands behind what the recipient's own does.
    fn and_of_sender(self, policy: &'a OrgPolicy, user: u64) -> Self {
        match policy.personal.outbound {
            OutboundAction::Off => self,
            OutboundAction::Tag => Self { tag: self.tag.or(Some(&policy.personal.tag)), ..self },
            OutboundAction::Mark => Self { mark: self.mark.or(Some(Mark::by(policy, user))), ..self },
        }
    }

    pub(super) fn edits(&self) -> bool {
        self.tag.is_some() || self.clear.is_some() || self.mark.is_some()
    }

    fn edits_of<'h>(&self, circumstances: &Circumstances, headers: &EditableHeaders<'h>) -> HeaderEdits<'h> {
        let clear = self.clear.map_or(&[][..], |white| &white.spam_prefixes);
        let subject = |tag| edited(headers.subject, SubjectEdit { tag, clear }, circumstances.leading);
        let (edited, untagged) = (subject(self.tag), subject(None));
        // Marks that another organisation named are none of this recipient's.
        let is_cleared = |(name, _): &&(String, u32)| {
            self.clear.is_some_and(|white| white.spam_headers.iter().any(|known| known.eq_ignore_ascii_case(name)))
        };
        let clear_headers: Vec<_> = headers.spam.iter().filter(is_cleared).collect();
        HeaderEdits {
            tagged: edited != untagged,
            cleared: !clear_headers.is_empty() || untagged.is_some(),
            clear_headers,
            mark: self.mark,
            signed_subject: match self.mark {
                Some(_) => untagged.unwrap_or_else(|| headers.subject.unwrap_or_default().to_vec()),
                None => Vec::new(),
            },
            subject: edited,
        }
    }
}

/// The header edits of a message. Two wishes that come to the same edits agree.
#[derive(Default, PartialEq)]
pub(super) struct HeaderEdits<'a> {
    pub(super) subject: Option<Vec<u8>>,
    pub(super) tagged: bool,
    pub(super) cleared: bool,
    pub(super) clear_headers: Vec<&'a (String, u32)>,
    pub(super) mark: Option<Mark>,
    pub(super) signed_subject: Vec<u8>,
}

impl HeaderEdits<'_> {
    fn change_the_message(&self) -> bool {
        self.subject.is_some() || !self.clear_headers.is_empty() || self.mark.is_some()
    }
}

pub(super) enum Agreement<'a> {
    Same(HeaderEdits<'a>),
    Different,
}

/// The header edits of all recipients who get a copy, if they come to the same.
pub(super) fn header_edits<'a>(
    circumstances: &Circumstances,
    headers: &EditableHeaders<'a>,
    recipients: &[Recipient<'_>],
    deliveries: &[Delivery],
) -> Agreement<'a> {
    let mut wishes = recipients.iter().zip(deliveries).filter_map(|(r, d)| Wish::of(r, d));
    let Some(first) = wishes.next() else { return Agreement::Same(HeaderEdits::default()) };
    let edits = first.edits_of(circumstances, headers);
    let agree = wishes.all(|wish| wish == first || wish.edits_of(circumstances, headers) == edits);
    if agree { Agreement::Same(edits) } else { Agreement::Different }
}

/// Whether the copy of any recipient needs a header edit, whatever the others need.
pub(super) fn any_header_edit(
    circumstances: &Circumstances,
    headers: &EditableHeaders<'_>,
    recipients: &[Recipient<'_>],
    deliveries: &[Delivery],
) -> bool {
    let mut wishes = recipients.iter().zip(deliveries).filter_map(|(r, d)| Wish::of(r, d));
    wishes.any(|wish| wish.edits() && wish.edits_of(circumstances, headers).change_the_message())
}
