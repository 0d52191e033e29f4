//! One message, from MAIL to end of message: what is known of it, and the answer.

use std::sync::Arc;

use super::facts::{Depth, HeaderFacts, HeaderLimit};
use super::settings::{Decided, DecidedRecipient, Directory, Settings};
use crate::mark;
use crate::policy::action::PersonalActions;
use crate::policy::address::Address;
use crate::policy::decide::{Lists, Message, Verdict, decide, decide_at_rcpt};
use crate::policy::identity::Sender;
use crate::policy::list::{Globs, UserLists};
use crate::policy::organisation::OrgPolicy;
use crate::policy::plan::{
    Circumstances, Detail, Mark, Modification, Plan, Recipient, Rejection, mailbox_candidates, plan,
};
use crate::policy::subject::LeadingSpace;

/// Most bytes of one recipient with its ESMTP arguments. SMTP carries less in one command (RFC 5321, 4.5.3.1; Postfix:
/// `line_length_limit = 2048`), but a frame of the milter protocol holds far more.
pub const MAX_RECIPIENT: usize = 4096;

/// One message under way. It holds the settings of its MAIL and each recipient's lists of their RCPT to its end.
pub struct Transaction {
    settings: Arc<Settings>,
    circumstances: Circumstances,
    sender: Option<Sender>,
    recipients: Vec<Accepted>,
    refused: Vec<Refused>,
    depth: Depth,
    facts: HeaderFacts,
    over_recipients: Option<OverLimit>,
    /// Somebody was over the limit whom the MTA did not ask about: the message can only be sent back whole.
    refuses_whole: bool,
}

/// A recipient accepted so far.
struct Accepted {
    path: Box<[u8]>,
    arguments: Vec<Vec<u8>>,
    user: Option<User>,
}

/// A recipient refused at RCPT.
struct Refused {
    path: Box<[u8]>,
    organisation: u32,
    verdict: Verdict,
}

struct User {
    policy: Arc<OrgPolicy>,
    lists: UserLists,
    globs: Option<Arc<Globs>>,
    detail: Detail,
}

impl User {
    fn lists(&self) -> Lists<'_> {
        Lists { compiled: &self.lists, globs: self.globs.as_deref() }
    }
}

/// The answer to RCPT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecipientAnswer {
    /// Accepted as far as we are concerned.
    Accept,
    /// 550 with this text: the recipient's list says so.
    Reject(String),
    /// 452: this recipient is over a limit.
    OverLimit {
        /// Which.
        limit: OverLimit,
        /// The message was within its limits before.
        first: bool,
    },
}

/// A limit that the message is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverLimit {
    /// `milter.limits.recipients`
    Recipients,
    /// [`MAX_RECIPIENT`]
    RecipientLength,
    /// `milter.limits.headers` or `milter.limits.header_bytes`
    Headers(HeaderLimit),
}

/// The answer at end of message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageAnswer {
    /// Delivered with these edits, in this order.
    Accept(Vec<Modification>),
    /// 550 with this text.
    Reject(String),
    /// 451: over a limit.
    TempFail(OverLimit),
    /// Over a limit, from a peer who is never refused anything: delivered as it is.
    Unedited(OverLimit),
}

impl Transaction {
    /// Begins a message at MAIL. `path` is the envelope sender as received.
    pub fn new(settings: Arc<Settings>, circumstances: Circumstances, path: &[u8]) -> Self {
        let sender = Address::from_path(path);
        let sender = sender.map(|address| Sender::envelope(address, &settings.authentication.forwarders));
        Self {
            settings,
            circumstances,
            sender,
            recipients: Vec::new(),
            refused: Vec::new(),
            depth: Depth::Forged,
            facts: HeaderFacts::default(),
            over_recipients: None,
            refuses_whole: false,
        }
    }

    /// Whether the message may be refused, or must pass whatever happens.
    pub fn may_refuse(&self) -> bool {
        self.circumstances.rejection == Rejection::Allowed
    }

    /// How many recipients are accepted.
    pub fn recipients(&self) -> usize {
        self.recipients.len()
    }

    /// Takes a recipient. `answered` says whether the MTA waits for the answer: where it does not, nobody is refused here.
    pub fn recipient<'a>(
        &mut self,
        directory: &impl Directory,
        path: &[u8],
        arguments: impl Iterator<Item = &'a [u8]>,
        answered: bool,
    ) -> RecipientAnswer {
        let may_refuse = answered && self.may_refuse();
        let arguments: Vec<&[u8]> = arguments.collect();
        if let Some(limit) = self.recipient_limit(path, &arguments) {
            self.refuses_whole |= !may_refuse;
            let first = self.over_recipients.replace(limit).is_none();
            return if may_refuse { RecipientAnswer::OverLimit { limit, first } } else { RecipientAnswer::Accept };
        }
        let user = self.user(directory, path);
        if may_refuse
            && let (Some(user), Some(sender)) = (&user, &self.sender)
            && let Some(verdict) = decide_at_rcpt(&user.policy, user.lists(), sender)
        {
            self.refused.push(Refused { path: path.into(), organisation: user.policy.id, verdict });
            return RecipientAnswer::Reject(user.policy.black.reject_text.clone());
        }
        self.depth = self.depth.max(self.needed_depth(user.as_ref()));
        // Only a recipient who can be rewritten needs its arguments; one with control characters is none (RFC 5321, 4.1.2).
        let is_argument = |argument: &&[u8]| user.is_some() && !argument.iter().any(u8::is_ascii_control);
        let arguments = arguments.into_iter().filter(is_argument).map(<[u8]>::to_vec).collect();
        self.recipients.push(Accepted { path: path.into(), arguments, user });
        RecipientAnswer::Accept
    }

    /// The limit that one more recipient is over.
    fn recipient_limit(&self, path: &[u8], arguments: &[&[u8]]) -> Option<OverLimit> {
        if self.recipients.len() + self.refused.len() >= self.settings.limits.recipients {
            return Some(OverLimit::Recipients);
        }
        // Each argument costs an allocation besides its bytes.
        let bytes = path.len() + arguments.iter().map(|a| size_of::<Vec<u8>>() + a.len()).sum::<usize>();
        (bytes > MAX_RECIPIENT).then_some(OverLimit::RecipientLength)
    }

    fn user(&self, directory: &impl Directory, path: &[u8]) -> Option<User> {
        let address = Address::from_path(path)?;
        let delimiter = self.settings.delimiter;
        let found = |address: Address| directory.lists(&address).map(|lists| (lists, address));
        let (lists, known_as) = mailbox_candidates(address, delimiter).find_map(found)?;
        let has_detail = delimiter.is_some_and(|delimiter| known_as.local().contains(delimiter));
        let detail = if has_detail { Detail::Name } else { Detail::Folder };
        let policy = self.settings.organisations.get(&lists.organisation())?.clone();
        let globs = if lists.has_globs() { directory.globs(&lists) } else { None };
        Some(User { policy, lists, globs, detail })
    }

    fn needed_depth(&self, user: Option<&User>) -> Depth {
        let Some(user) = user else { return Depth::Forged };
        let organisation = [&user.policy.enforced, &user.policy.defaults];
        let has_entries = !user.lists.is_empty() || organisation.iter().any(|lists| !lists.lists().compiled.is_empty());
        match self.settings.actions(&user.lists) {
            Some((personal, _)) if has_entries && personal.contains(PersonalActions::MARK) => Depth::Mark,
            _ if has_entries => Depth::Decide,
            _ => Depth::Forged,
        }
    }

    /// Takes a header.
    pub fn header(&mut self, name: &[u8], value: &[u8]) {
        self.facts.add(&self.settings, self.depth, name, value);
    }

    /// Ends the message: the verdict of each recipient, the plan, the answer.
    pub fn finish(&self, directory: &impl Directory) -> MessageAnswer {
        if let Some(over) = self.over_limit() {
            return match self.circumstances.rejection {
                Rejection::Allowed => MessageAnswer::TempFail(over),
                // Local mail would stay stuck, and a relay of ours would bounce it in the end.
                Rejection::Never => MessageAnswer::Unedited(over),
            };
        }
        let verdicts = self.verdicts();
        let recipients: Vec<Recipient<'_>> = self
            .recipients
            .iter()
            .zip(&verdicts)
            .map(|(accepted, verdict)| Recipient {
                path: &accepted.path,
                arguments: &accepted.arguments,
                user: accepted.user.as_ref().map(|user| (&*user.policy, user.lists.user())),
                detail: accepted.user.as_ref().map_or(Detail::Folder, |user| user.detail),
                verdict,
            })
            .collect();
        let plan = plan(&self.circumstances, &self.facts.editable(), &recipients);
        directory.decided(&self.decided(&verdicts, &plan));
        match plan.reject {
            Some(text) => MessageAnswer::Reject(text),
            None => MessageAnswer::Accept(self.with_mark(plan)),
        }
    }

    fn over_limit(&self) -> Option<OverLimit> {
        let recipients = self.over_recipients.filter(|_| self.refuses_whole);
        recipients.or(self.facts.over_limit().map(OverLimit::Headers))
    }

    fn verdicts(&self) -> Vec<Verdict> {
        let policy = &self.settings.authentication;
        let header = self.facts.header_sender().map(Sender::header);
        let (envelope_authentication, header_authentication) = self.facts.evidence().judge(
            policy,
            self.sender.as_ref().map(Sender::address),
            header.as_ref().map(Sender::address),
        );
        let message = Message {
            envelope: self.sender.as_ref(),
            envelope_authentication,
            header: header.as_ref(),
            header_authentication,
        };
        let verdict = |user: &User| decide(&user.policy, user.lists(), &message);
        self.recipients.iter().map(|r| r.user.as_ref().map_or(Verdict::UNTOUCHED, verdict)).collect()
    }

    fn decided<'a>(&'a self, verdicts: &[Verdict], plan: &'a Plan) -> Decided<'a> {
        let accepted =
            self.recipients.iter().zip(verdicts).enumerate().map(|(index, (recipient, verdict))| DecidedRecipient {
                path: &recipient.path,
                organisation: recipient.user.as_ref().map(|user| user.policy.id),
                verdict: *verdict,
                effect: Some(index),
            });
        let refused = self.refused.iter().map(|refused| DecidedRecipient {
            path: &refused.path,
            organisation: Some(refused.organisation),
            verdict: refused.verdict,
            effect: None,
        });
        Decided { direction: self.circumstances.direction, recipients: accepted.chain(refused).collect(), plan }
    }

    /// The modifications with the signed mark among them, before any recipient is deleted.
    fn with_mark(&self, plan: Plan) -> Vec<Modification> {
        let mut modifications = plan.modifications;
        let Some(mark) = plan.mark else { return modifications };
        let headers = self.mark_headers(mark, &plan.signed_subject);
        let at = modifications.iter().position(|m| matches!(m, Modification::DeleteRecipient { .. }));
        let at = at.unwrap_or(modifications.len());
        modifications.splice(at..at, headers);
        modifications
    }

    fn mark_headers(&self, mark: Mark, subject: &[u8]) -> Vec<Modification> {
        let value = self.settings.mark_key.sign(&self.facts.marked(mark.user, subject));
        let add = |name: &str, value: String| Modification::AddHeader {
            name: name.to_owned(),
            value: [self.leading_space(), value.as_bytes()].concat(),
        };
        let mut headers = vec![add(mark::HEADER, value)];
        if mark.sensitivity && !self.facts.has_sensitivity() {
            headers.push(add(mark::SENSITIVITY.0, mark::SENSITIVITY.1.to_owned()));
        }
        headers
    }

    fn leading_space(&self) -> &'static [u8] {
        match self.circumstances.leading {
            LeadingSpace::Kept => b" ",
            LeadingSpace::Eaten => b"",
        }
    }
}
