//! One message, from MAIL to end of message: what is known of it, and the answer.

mod happened;
mod senders;

use std::sync::Arc;

use smallvec::SmallVec;

use super::addressee::{Shared, User, addressee, sending_as, user};
use super::command::Uncut;
use super::facts::{Depth, HeaderFacts, HeaderLimit};
use super::settings::{Decided, DecidedRecipient, Directory, Pass, Settings};
use crate::mark;
use crate::policy::action::{OutboundAction, PersonalActions, SplitMode};
use crate::policy::address::Address;
use crate::policy::decide::{Reason, Verdict, decide, decide_at_rcpt, decide_outbound};
use crate::policy::identity::Sender;
use crate::policy::organisation::OrgPolicy;
use crate::policy::original::original_recipient;
use crate::policy::plan::{
    Circumstances, Detail, Direction, Mark, Modification, Plan, Recipient, Rejection, USUAL_RECIPIENTS,
    mailbox_candidates, plan,
};
use crate::policy::subject::LeadingSpace;
use crate::split::{self, MAX_WORDS, Marker, Word};
use senders::Senders;

/// Most bytes of one recipient with its ESMTP arguments. SMTP carries less in one command (RFC 5321, 4.5.3.1; Postfix:
/// `line_length_limit = 2048`), but a frame of the milter protocol holds far more.
pub const MAX_RECIPIENT: usize = 4096;

/// ESMTP arguments of a usual recipient: NOTIFY and ORCPT.
const USUAL_ARGUMENTS: usize = 2;

/// Recipients for whom a message has room in itself; further ones take memory of their own.
const HELD: usize = 1;

/// One message under way. It holds the settings of its MAIL and each recipient's lists of their RCPT to its end.
pub struct Transaction {
    settings: Arc<Settings>,
    pass: Pass,
    circumstances: Circumstances,
    sender: Option<Sender>,
    /// The envelope sender as a user of ours, where what users send may be marked.
    sending: Option<User>,
    recipients: SmallVec<[Accepted; HELD]>,
    refused: Vec<Refused>,
    /// In the first pass, for the marker: what the sender says of original recipients.
    claims: Vec<Word>,
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
    /// The address is shared, and nothing after this pass tells whose copy it is.
    shared: Option<Shared>,
    /// The original recipient is somebody else of ours, unless the sender claimed so.
    belied: Option<Word>,
}

/// A recipient refused at RCPT.
struct Refused {
    path: Box<[u8]>,
    user: u64,
    organisation: u32,
    verdict: Verdict,
}

impl Accepted {
    /// The organisation's policy, the number of the user whom it is marked for, and what the detail is.
    fn known(&self) -> Option<(&OrgPolicy, u64, Detail)> {
        // A shared address is marked for nobody.
        let shared = || self.shared.as_ref().map(|shared| (&*shared.policy, 0, shared.detail));
        self.user.as_ref().map(|user| (&*user.policy, user.lists.user(), user.detail)).or_else(shared)
    }
}

/// Who hands a message over.
#[derive(Clone, Copy)]
pub struct Submitter<'a> {
    /// The envelope sender as received.
    pub path: &'a [u8],
    /// The name by which they have logged in (SASL), if they have.
    pub login: Option<&'a str>,
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
    /// Begins a message at MAIL.
    pub fn new(
        directory: &impl Directory,
        settings: Arc<Settings>,
        pass: Pass,
        circumstances: Circumstances,
        submitter: Submitter<'_>,
    ) -> Self {
        let sender = Address::from_path(submitter.path);
        let sender = sender.map(|address| Sender::envelope(address, &settings.authentication.forwarders));
        // The second pass learns the direction from the marker, among the headers.
        let may_be_outbound = circumstances.direction == Direction::Outbound || pass == Pass::Second;
        let sending = sender.as_ref().filter(|_| settings.marks_outbound() && may_be_outbound);
        let sending = sending.and_then(|sender| sending_as(directory, &settings, sender.address(), submitter.login));
        let facts = HeaderFacts::new(pass, settings.limits);
        Self {
            settings,
            pass,
            circumstances,
            sender,
            sending,
            recipients: SmallVec::new(),
            refused: Vec::new(),
            claims: Vec::new(),
            depth: Depth::Forged,
            facts,
            over_recipients: None,
            refuses_whole: false,
        }
    }

    /// Whether the message may be sent back for now, where it cannot be served as it should be. Local mail would stay stuck,
    /// and a relay of ours would bounce it in the end; but a copy of ours left unedited would still bear our marker.
    pub fn may_wait(&self) -> bool {
        self.circumstances.rejection == Rejection::Allowed || self.pass == Pass::Second
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
        let may_refuse = answered && self.circumstances.rejection == Rejection::Allowed;
        let arguments: SmallVec<[&[u8]; USUAL_ARGUMENTS]> = arguments.collect();
        if let Some(limit) = self.recipient_limit(path, &arguments) {
            self.refuses_whole |= !may_refuse;
            let first = self.over_recipients.replace(limit).is_none();
            return if may_refuse { RecipientAnswer::OverLimit { limit, first } } else { RecipientAnswer::Accept };
        }
        let (user, shared) = addressee(directory, &self.settings, self.pass, path);
        if may_refuse
            && let (Some(user), Some(sender)) = (user.as_ref().filter(|user| !user.is_shared), &self.sender)
            && let Some(verdict) = decide_at_rcpt(&user.policy, user.lists(), sender)
        {
            self.tell_refused(directory, user, verdict);
            let (id, organisation) = (user.lists.user(), user.policy.id);
            self.refused.push(Refused { path: path.into(), user: id, organisation, verdict });
            return RecipientAnswer::Reject(user.policy.black.reject_text.clone());
        }
        let claim = user.as_ref().and_then(|user| self.claim_of_another(directory, user, &arguments));
        let belied = match self.pass {
            Pass::Second => claim,
            // Whoever hands the message over may pass on what its sender wrote: nobody is believed here.
            Pass::First => {
                self.claims.extend(claim);
                None
            }
        };
        self.depth = self.depth.max(self.needed_depth(user.as_ref())).max(self.outbound_depth());
        // Only a recipient who can be rewritten needs its arguments; one with control characters is none (RFC 5321, 4.1.2).
        let is_known = user.is_some() || shared.is_some();
        let is_argument = |argument: &&[u8]| is_known && !argument.iter().any(u8::is_ascii_control);
        let arguments = arguments.into_iter().filter(is_argument).map(<[u8]>::to_vec).collect();
        self.recipients.push(Accepted { path: path.into(), arguments, user, shared, belied });
        RecipientAnswer::Accept
    }

    /// The limit that one more recipient is over.
    fn recipient_limit(&self, path: &[u8], arguments: &[&[u8]]) -> Option<OverLimit> {
        let recipients = self.recipients.len() + self.refused.len();
        let fits_marker = self.settings.split == SplitMode::Off || recipients + self.claims.len() + 2 <= MAX_WORDS;
        if recipients >= self.settings.limits.recipients || !fits_marker {
            return Some(OverLimit::Recipients);
        }
        // Each argument costs an allocation besides its bytes.
        let bytes = path.len() + arguments.iter().map(|a| size_of::<Vec<u8>>() + a.len()).sum::<usize>();
        (bytes > MAX_RECIPIENT).then_some(OverLimit::RecipientLength)
    }

    /// The claim that mail for this user was first addressed to somebody else of ours: a group, another person. Where the
    /// MTA says so after it expanded aliases, the copy is not this user's alone.
    fn claim_of_another(&self, directory: &impl Directory, user: &User, arguments: &[&[u8]]) -> Option<Word> {
        if self.pass == Pass::First && self.settings.split == SplitMode::Off {
            return None;
        }
        let original = original_recipient(arguments.iter().copied())?;
        let mut candidates = mailbox_candidates(original.clone(), self.settings.delimiter);
        let known = candidates.find_map(|address| directory.lists(&address));
        let is_another = match known {
            Some(lists) => lists.user() != user.lists.user(),
            None => directory.shared_in(&original).is_some() || self.settings.is_served(&original.domain_owned()),
        };
        is_another.then(|| self.settings.split_key.claim(&original, user.lists.user()))
    }

    fn outbound_depth(&self) -> Depth {
        match self.sending.as_ref().map(|sender| sender.policy.personal.outbound) {
            None | Some(OutboundAction::Off) => Depth::Forged,
            Some(OutboundAction::Tag) => Depth::Decide,
            Some(OutboundAction::Mark) => Depth::Mark,
        }
    }

    fn needed_depth(&self, user: Option<&User>) -> Depth {
        let Some(user) = user else { return Depth::Forged };
        let organisation = [&user.policy.enforced, &user.policy.defaults];
        let has_entries = !user.lists.is_empty() || organisation.iter().any(|lists| !lists.lists().compiled.is_empty());
        let personal = user.policy.personal.actions_for(user.lists.options().personal_actions);
        if has_entries && personal.contains(PersonalActions::MARK) {
            Depth::Mark
        } else if has_entries || user.lists.keeps_activity() {
            Depth::Decide
        } else {
            Depth::Forged
        }
    }

    /// Takes a header.
    pub fn header<'a>(&mut self, name: &[u8], value: impl Into<Uncut<'a>>) {
        self.facts.add(&self.settings, self.depth, name, value.into());
    }

    /// Ends the message: the verdict of each recipient, the plan, the answer.
    pub fn finish(&self, directory: &impl Directory) -> MessageAnswer {
        if let Some(over) = self.over_limit() {
            if self.may_wait() {
                return MessageAnswer::TempFail(over);
            }
            self.tell_unedited(directory);
            return MessageAnswer::Unedited(over);
        }
        let marker = self.marker();
        let circumstances = Circumstances {
            direction: match self.pass {
                Pass::First => self.circumstances.direction,
                Pass::Second => marker.as_ref().map_or(Direction::Inbound, |marker| marker.direction),
            },
            ..self.for_shared_addresses()
        };
        let senders = Senders::of(self);
        let sending = self.sending_user(directory, circumstances.direction, &senders, marker.as_ref());
        let mut verdicts = self.verdicts(&senders, marker.as_ref());
        for (recipient, verdict) in self.recipients.iter().zip(&mut verdicts) {
            let address = sending.and_then(|_| Address::from_path(&recipient.path));
            let entry = sending.zip(address).and_then(|(s, to)| decide_outbound(&s.policy, s.lists(), &to));
            verdict.reason = Reason { outbound: entry, ..verdict.reason };
        }
        let recipients: SmallVec<[Recipient<'_>; USUAL_RECIPIENTS]> = self
            .recipients
            .iter()
            .zip(&verdicts)
            .map(|(accepted, verdict)| Recipient {
                path: &accepted.path,
                arguments: &accepted.arguments,
                user: accepted.known().map(|(policy, user, _)| (policy, user)),
                detail: accepted.known().map_or(Detail::Folder, |(.., detail)| detail),
                verdict,
                sending: sending.filter(|_| verdict.reason.outbound.is_some()).map(|s| (&*s.policy, s.lists.user())),
            })
            .collect();
        let plan = plan(&circumstances, &self.facts.editable(), &recipients);
        directory.decided(&Decided {
            lane: self.settings.lane,
            direction: circumstances.direction,
            pass: self.pass,
            sender: sending.map(|user| user.policy.id),
            recipients: &self.decided(&verdicts),
            plan: &plan,
        });
        let fates = verdicts.iter().copied().zip(&plan.effects);
        self.tell_histories(directory, circumstances.direction, &senders, fates);
        match plan.reject {
            Some(text) => MessageAnswer::Reject(text),
            None => MessageAnswer::Accept(self.with_own_headers(plan, sending)),
        }
    }

    /// Where a recipient's address is shared, the message is neither refused nor edited here: others get it too.
    fn for_shared_addresses(&self) -> Circumstances {
        let is_shared = |recipient: &Accepted| recipient.user.as_ref().is_some_and(|user| user.is_shared);
        if !self.recipients.iter().any(is_shared) {
            return self.circumstances;
        }
        Circumstances { rejection: Rejection::Never, split: SplitMode::Edits, ..self.circumstances }
    }

    /// The user whose personal list is asked about the recipients: who sends, as login, envelope and From agree. The second
    /// pass does not see the login, and believes the first.
    fn sending_user(
        &self,
        directory: &impl Directory,
        direction: Direction,
        senders: &Senders<'_>,
        marker: Option<&Marker>,
    ) -> Option<&User> {
        let sender = self.sending.as_ref().filter(|_| direction == Direction::Outbound)?;
        let author = user(directory, &self.settings, senders.header()?.address().clone())?;
        let told = || self.settings.split_key.sender(sender.lists.user());
        let is_told = self.pass == Pass::First || marker.is_some_and(|marker| marker.sender == Some(told()));
        (is_told && author.lists.user() == sender.lists.user()).then_some(sender)
    }

    fn over_limit(&self) -> Option<OverLimit> {
        let recipients = self.over_recipients.filter(|_| self.refuses_whole);
        recipients.or(self.facts.over_limit().map(OverLimit::Headers))
    }

    /// In the second pass: what the first one says. `None` where a message came without it.
    fn marker(&self) -> Option<Marker> {
        self.facts.markers().find_map(|value| self.settings.split_key.read(value))
    }

    /// Whether this is a message of the second pass that the first has not sent there.
    pub fn lacks_marker(&self) -> bool {
        self.pass == Pass::Second && self.marker().is_none()
    }

    /// Whether a user was addressed themselves. In the second pass the marker knows; without one nobody's list is asked, or
    /// whoever can reach that port could try out what stands on it.
    fn is_own_copy(&self, user: &User, belied: Option<Word>, marker: Option<&Marker>) -> bool {
        let addressed = || self.settings.split_key.addressed(user.lists.user());
        match (self.pass, marker) {
            (Pass::First, _) => true,
            (Pass::Second, None) => false,
            (Pass::Second, Some(marker)) => {
                let is_claimed = belied.is_none_or(|claim| marker.claims.contains(&claim));
                is_claimed && marker.users.contains(&addressed())
            }
        }
    }

    fn verdicts(&self, senders: &Senders<'_>, marker: Option<&Marker>) -> SmallVec<[Verdict; USUAL_RECIPIENTS]> {
        let message = senders.message();
        let verdict = |recipient: &Accepted| match &recipient.user {
            Some(user) if self.is_own_copy(user, recipient.belied, marker) => {
                decide(&user.policy, user.lists(), &message)
            }
            Some(_) => Verdict::BY_ANOTHER,
            None if recipient.shared.is_some() => Verdict::SHARED,
            None => Verdict::UNTOUCHED,
        };
        self.recipients.iter().map(verdict).collect()
    }

    fn decided(&self, verdicts: &[Verdict]) -> SmallVec<[DecidedRecipient<'_>; USUAL_RECIPIENTS]> {
        let accepted =
            self.recipients.iter().zip(verdicts).enumerate().map(|(index, (recipient, verdict))| DecidedRecipient {
                path: &recipient.path,
                organisation: recipient.known().map(|(policy, ..)| policy.id),
                user: recipient.known().map_or(0, |(_, user, _)| user),
                verdict: *verdict,
                effect: Some(index),
            });
        let refused = self.refused.iter().map(|refused| DecidedRecipient {
            path: &refused.path,
            organisation: Some(refused.organisation),
            user: refused.user,
            verdict: refused.verdict,
            effect: None,
        });
        accepted.chain(refused).collect()
    }

    /// The modifications with the headers that need a key among them, before any recipient is deleted.
    fn with_own_headers(&self, plan: Plan, sending: Option<&User>) -> Vec<Modification> {
        let mut modifications = plan.modifications;
        let headers = match plan.mark {
            Some(mark) => self.mark_headers(mark, &plan.signed_subject),
            None if plan.split => vec![self.split_header(sending)],
            None => return modifications,
        };
        let at = modifications.iter().position(|m| matches!(m, Modification::DeleteRecipient { .. }));
        let at = at.unwrap_or(modifications.len());
        modifications.splice(at..at, headers);
        modifications
    }

    fn split_header(&self, sending: Option<&User>) -> Modification {
        let key = &self.settings.split_key;
        let users = self.recipients.iter().filter_map(|recipient| recipient.user.as_ref());
        let marker = Marker {
            direction: self.circumstances.direction,
            sender: sending.map(|user| key.sender(user.lists.user())),
            users: users.map(|user| key.addressed(user.lists.user())).collect(),
            claims: self.claims.clone(),
        };
        self.own_header(split::HEADER, &self.settings.split_key.write(&marker))
    }

    fn own_header(&self, name: &'static str, value: &str) -> Modification {
        let leading: &[u8] = match self.circumstances.leading {
            LeadingSpace::Kept => b" ",
            LeadingSpace::Eaten => b"",
        };
        Modification::AddHeader { name: name.into(), value: [leading, value.as_bytes()].concat() }
    }

    fn mark_headers(&self, mark: Mark, subject: &[u8]) -> Vec<Modification> {
        let value = self.settings.mark_key.sign(&self.facts.marked(mark.user, subject));
        let mut headers = vec![self.own_header(mark::HEADER, &value)];
        if mark.sensitivity && !self.facts.has_sensitivity() {
            headers.push(self.own_header(mark::SENSITIVITY.0, mark::SENSITIVITY.1));
        }
        headers
    }
}
