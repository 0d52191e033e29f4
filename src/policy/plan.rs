//! From the verdicts of all recipients to the edits of one message.
//!
//! A header edit changes the message for everybody, a recipient edit only for one. So header edits are planned where
//! every recipient who stays needs the same ones, and left out otherwise; recipient edits are planned for each. Where
//! the MTA can split, a message whose recipients need edits gets none here: each copy comes back alone.
//!
//! The planner's law: an address that is to be added is never deleted; a recipient already in its target form gets no
//! envelope edit. (Adding and deleting one address loses the recipient in silence.)

mod envelope;
mod headers;

use std::borrow::Cow;
use std::fmt;

use smallvec::{SmallVec, smallvec};

use super::action::{BlackAction, SplitMode};
use super::address::Address;
use super::decide::{Outcome, Verdict};
use super::organisation::OrgPolicy;
use super::subject::LeadingSpace;
use envelope::{EnvelopeEdits, delivery, envelope_edits};
use headers::{Agreement, HeaderEdits, Wish, any_header_edit, header_edits};

/// Whether a refusal reaches the sender alone, or would bounce to an innocent or leave mail stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// The peer is the sender's own relay.
    Allowed,
    /// The peer is a trusted relay, the second pass, or a program on this host.
    Never,
}

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From outside.
    Inbound,
    /// From our own users and networks.
    Outbound,
}

/// What the planner must know of the peer and the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    /// May the message be refused?
    pub rejection: Rejection,
    /// Which way it goes.
    pub direction: Direction,
    /// What stands between a mailbox and its folder in a recipient's address, if anything does.
    pub delimiter: Option<char>,
    /// How header values are carried.
    pub leading: LeadingSpace,
    /// May the message be put on hold?
    pub hold: bool,
    /// Which messages the MTA splits after us. Always [`SplitMode::Off`] for a copy that it has split.
    pub split: SplitMode,
}

/// The headers of the message that the planner may edit.
#[derive(Clone, Copy, Default)]
pub struct EditableHeaders<'a> {
    /// The first Subject's value.
    pub subject: Option<&'a [u8]>,
    /// Spam marks of any organisation that are there: name and 1-based index among the headers of that name.
    pub spam: &'a [(String, u32)],
    /// `X-Perso*` headers that came with the message, likewise.
    pub forged: &'a [(String, u32)],
}

/// What stands behind the delimiter in a recipient's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// A folder, or nothing: the mailbox is what stands before it.
    Folder,
    /// A part of the mailbox's own name, such as the alias `contact+fr@d`: what stands before it is somebody else's.
    Name,
}

/// A recipient whom the message still has: those refused at RCPT are none.
#[derive(Clone, Copy)]
pub struct Recipient<'a> {
    /// The path of RCPT as received.
    pub path: &'a [u8],
    /// Its ESMTP arguments as received.
    pub arguments: &'a [Vec<u8>],
    /// The user's policy and number, where the recipient is one of our users.
    pub user: Option<(&'a OrgPolicy, u64)>,
    /// Whether the address may be given another folder.
    pub detail: Detail,
    /// What their lists ask for.
    pub verdict: &'a Verdict,
    /// The sender, where they are a user of ours who has this recipient as personal: their policy and number.
    pub sending: Option<(&'a OrgPolicy, u64)>,
}

/// One edit of the message, as the milter protocol has them.
#[derive(Clone, PartialEq, Eq)]
pub enum Modification {
    /// A recipient more, with the DSN parameters of the one it stands for (`NOTIFY=… ORCPT=…`, or empty).
    AddRecipient {
        /// The path, with its brackets.
        path: Vec<u8>,
        /// ESMTP arguments, separated by blanks.
        arguments: Vec<u8>,
    },
    /// A header of the message gets another value.
    ChangeHeader {
        /// Its name.
        name: Cow<'static, str>,
        /// 1-based among the headers of that name.
        index: u32,
        /// The new value.
        value: Vec<u8>,
    },
    /// A header of the message is removed.
    DeleteHeader {
        /// Its name.
        name: Cow<'static, str>,
        /// 1-based among the headers of that name.
        index: u32,
    },
    /// A header more, below all others.
    AddHeader {
        /// Its name.
        name: Cow<'static, str>,
        /// Its value.
        value: Vec<u8>,
    },
    /// The whole message goes to the hold queue.
    Quarantine,
    /// A recipient less.
    DeleteRecipient {
        /// The path, as RCPT had it.
        path: Vec<u8>,
    },
}

/// Addresses and header values are never shown by way of `{:?}`.
impl fmt::Debug for Modification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddRecipient { .. } => f.write_str("AddRecipient(hidden)"),
            Self::ChangeHeader { name, index, .. } => write!(f, "ChangeHeader({name}, {index}, hidden)"),
            Self::DeleteHeader { name, index } => write!(f, "DeleteHeader({name}, {index})"),
            Self::AddHeader { name, .. } => write!(f, "AddHeader({name}, hidden)"),
            Self::Quarantine => f.write_str("Quarantine"),
            Self::DeleteRecipient { .. } => f.write_str("DeleteRecipient(hidden)"),
        }
    }
}

/// A signed mark to be added. The planner holds no key: who executes the plan signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// For whom.
    pub user: u64,
    /// `Sensitivity: Personal` goes beside it.
    pub sensitivity: bool,
}

impl Mark {
    fn by(policy: &OrgPolicy, user: u64) -> Self {
        Self { user, sensitivity: policy.personal.sensitivity }
    }
}

/// The header that a tag goes into.
const SUBJECT: &str = "Subject";

/// Where one recipient's copy goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// To the address as it was given.
    AsAddressed,
    /// To the mailbox itself: the personal folder that an outside sender typed was taken off.
    DetailRemoved,
    /// Into this folder.
    Folder(String),
    /// Nowhere.
    Discarded,
    /// The whole message is in the hold queue.
    Held,
    /// The whole message was refused.
    Rejected,
    /// To wherever this recipient's own copy goes, once the MTA has split the message.
    Split,
}

/// Where each recipient's copy goes.
type Deliveries = SmallVec<[Delivery; USUAL_RECIPIENTS]>;

/// What each recipient gets.
pub type Effects = SmallVec<[Effect; USUAL_RECIPIENTS]>;

/// Recipients of a usual message: what is worked out for so few at its end costs no memory on the heap.
pub const USUAL_RECIPIENTS: usize = 2;

/// What one recipient gets. In the order of the recipients of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// Where the copy goes.
    pub delivery: Delivery,
    /// The tag was put before the Subject for this recipient; not where it stood there already.
    pub tagged: bool,
    /// The signed mark is for this recipient.
    pub marked: bool,
    /// Spam marks were taken off for this recipient.
    pub cleared: bool,
    /// The header edits that this recipient needs were left out, since another recipient needs different ones.
    pub headers_left_out: bool,
}

impl Effect {
    /// Of a copy that goes there, without an edit.
    pub fn of(delivery: Delivery) -> Self {
        Self { delivery, tagged: false, marked: false, cleared: false, headers_left_out: false }
    }
}

/// The edits of one message and what they mean for each recipient.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The whole message is refused with this text.
    pub reject: Option<String>,
    /// In the order in which they must be sent: added recipients first, deleted ones last.
    pub modifications: Vec<Modification>,
    /// The message needs the header that has the MTA split it. The planner holds no token: who executes the plan adds it.
    pub split: bool,
    /// The signed mark, for the one recipient who gets it.
    pub mark: Option<Mark>,
    /// The Subject as delivered, our tag set aside: what the mark signs.
    pub signed_subject: Vec<u8>,
    /// One for each recipient.
    pub effects: Effects,
}

/// Neither the Subject nor anybody's verdict is shown by way of `{:?}`.
impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plan(hidden, {:?})", self.modifications)
    }
}

impl Plan {
    /// What the Subject becomes, if it changes.
    pub fn subject(&self) -> Option<&[u8]> {
        self.modifications.iter().find_map(|modification| match modification {
            Modification::ChangeHeader { name, value, .. } | Modification::AddHeader { name, value } => {
                (name == SUBJECT).then_some(&value[..])
            }
            _ => None,
        })
    }

    /// Whether recipients needed different header edits, so that all were left out.
    pub fn is_mixed(&self) -> bool {
        self.effects.iter().any(|effect| effect.headers_left_out)
    }
}

/// Plans the edits of one message. Property: what happens to one recipient's envelope depends on their own verdict and
/// on how many recipients there are, never on another's lists; only header edits need agreement.
pub fn plan(circumstances: &Circumstances, headers: &EditableHeaders<'_>, recipients: &[Recipient<'_>]) -> Plan {
    if headers.forged.is_empty() && recipients.iter().all(|recipient| is_left_alone(circumstances, recipient)) {
        let effects = smallvec![Effect::of(Delivery::AsAddressed); recipients.len()];
        return Plan { effects, ..Plan::default() };
    }
    if let Some(refused) = refusal(circumstances, recipients) {
        return refused;
    }
    let held = circumstances.hold
        && !recipients.is_empty()
        && recipients.iter().all(|r| blocked(r) == Some(BlackAction::Hold));
    let deliveries: Deliveries =
        recipients.iter().map(|r| if held { Delivery::Held } else { delivery(circumstances, r) }).collect();
    let envelope = envelope_edits(circumstances, recipients, deliveries);
    let edits = header_edits(circumstances, headers, recipients, &envelope.deliveries);
    if is_split(circumstances, headers, recipients, &envelope, &edits) {
        return Plan {
            modifications: deletions(headers.forged.iter()),
            split: true,
            effects: smallvec![Effect::of(Delivery::Split); recipients.len()],
            ..Plan::default()
        };
    }
    let (common, left_out) = match edits {
        Agreement::Same(edits) => (edits, false),
        Agreement::Different => (HeaderEdits::default(), true),
    };

    let mut modifications = envelope.additions;
    modifications.extend(deletions(headers.forged.iter()));
    modifications.extend(deletions(common.clear_headers.iter().copied()));
    if let Some(value) = common.subject {
        let name = Cow::Borrowed(SUBJECT);
        modifications.push(match headers.subject {
            Some(_) => Modification::ChangeHeader { name, index: 1, value },
            None => Modification::AddHeader { name, value },
        });
    }
    if held {
        modifications.push(Modification::Quarantine);
    }
    modifications.extend(envelope.deletions);

    let effects = recipients.iter().zip(envelope.deliveries).map(|(recipient, delivery)| {
        let wish = Wish::of(recipient, &delivery).unwrap_or_default();
        Effect {
            delivery,
            tagged: wish.tag.is_some() && common.tagged,
            marked: wish.mark.is_some() && common.mark.is_some(),
            cleared: wish.clear.is_some() && common.cleared,
            headers_left_out: left_out && wish.edits(),
        }
    });
    let effects = effects.collect();
    Plan {
        reject: None,
        split: false,
        effects,
        mark: common.mark,
        signed_subject: common.signed_subject,
        modifications,
    }
}

/// Whether nothing at all is to be done for a recipient, as for most: no list asks for anything, and the address stays.
fn is_left_alone(circumstances: &Circumstances, recipient: &Recipient<'_>) -> bool {
    recipient.verdict.outcome == Outcome::UNTOUCHED
        && recipient.sending.is_none()
        && delivery(circumstances, recipient) == Delivery::AsAddressed
}

/// Deletes headers from the highest index down: a deletion renumbers those below it.
fn deletions<'a>(headers: impl DoubleEndedIterator<Item = &'a (String, u32)>) -> Vec<Modification> {
    let delete =
        |(name, index): &(String, u32)| Modification::DeleteHeader { name: Cow::Owned(name.clone()), index: *index };
    headers.rev().map(delete).collect()
}

/// Whether the MTA must make copies. What a recipient needs counts even where no edit could bring it here, since alone it
/// can be had: a hold for one of several.
fn is_split(
    circumstances: &Circumstances,
    headers: &EditableHeaders<'_>,
    recipients: &[Recipient<'_>],
    envelope: &EnvelopeEdits,
    edits: &Agreement<'_>,
) -> bool {
    let hold = circumstances.hold && recipients.iter().any(|r| blocked(r) == Some(BlackAction::Hold));
    let held = envelope.deliveries.contains(&Delivery::Held);
    match circumstances.split {
        SplitMode::Off => false,
        SplitMode::Mixed => matches!(edits, Agreement::Different) || (hold && !held),
        SplitMode::Edits => {
            let rewrites = !envelope.additions.is_empty() || !envelope.deletions.is_empty();
            hold || rewrites || any_header_edit(circumstances, headers, recipients, &envelope.deliveries)
        }
    }
}

fn blocked(recipient: &Recipient<'_>) -> Option<BlackAction> {
    match recipient.verdict.outcome {
        Outcome::Blocked(action) => Some(action),
        Outcome::Deliver { .. } => None,
    }
}

/// The message is refused where refusing is allowed and every recipient who is left asks for it.
fn refusal(circumstances: &Circumstances, recipients: &[Recipient<'_>]) -> Option<Plan> {
    let all_reject = recipients.iter().all(|r| blocked(r) == Some(BlackAction::Reject));
    let (policy, _) = recipients.first()?.user?;
    (circumstances.rejection == Rejection::Allowed && all_reject).then(|| Plan {
        reject: Some(policy.black.reject_text.clone()),
        effects: smallvec![Effect::of(Delivery::Rejected); recipients.len()],
        ..Plan::default()
    })
}

/// The mailbox of a recipient's address: the address itself, then without its detail. Both are looked up in this order.
pub fn mailbox_candidates(address: Address, delimiter: Option<char>) -> impl Iterator<Item = Address> {
    let base = delimiter.and_then(|delimiter| address.without_detail(delimiter));
    std::iter::once(address).chain(base)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::action::PersonalActions;
    use super::super::address::bare_path;
    use super::super::decide::{Identity, Level, Match, Reason};
    use super::super::fixture::organisation;
    use super::super::list::{ListKind, Scope};
    use super::*;
    use crate::policy::authres::Authentication;
    use proptest::prelude::*;

    const AT_EDGE: Circumstances = Circumstances {
        rejection: Rejection::Allowed,
        direction: Direction::Inbound,
        delimiter: Some('+'),
        leading: LeadingSpace::Kept,
        hold: true,
        split: SplitMode::Off,
    };

    fn verdict(outcome: Outcome) -> Verdict {
        let personal = matches!(outcome, Outcome::Deliver { personal, .. } if personal != PersonalActions::NONE);
        let rule = Match {
            level: Level::User,
            list: ListKind::Personal,
            scope: Scope::Address,
            rank: 0,
            identity: Identity::Header,
            authentication: Authentication::NotRequired,
        };
        Verdict { outcome, reason: Reason { personal: personal.then_some(rule), ..Reason::default() } }
    }

    fn personal(actions: PersonalActions) -> Verdict {
        verdict(Outcome::Deliver { personal: actions, clear_spam: false })
    }

    fn blocked(action: BlackAction) -> Verdict {
        verdict(Outcome::Blocked(action))
    }

    /// Plans a message for recipients given as path and verdict; each is a user of the same organisation, unless the
    /// path is at `elsewhere.example`.
    fn planned(circumstances: &Circumstances, recipients: &[(&str, Verdict)]) -> Plan {
        let policy = organisation();
        let recipients: Vec<Recipient<'_>> = recipients
            .iter()
            .enumerate()
            .map(|(index, (path, verdict))| Recipient {
                path: path.as_bytes(),
                arguments: &[],
                user: (!path.contains("elsewhere")).then_some((&policy, index as u64)),
                detail: if path.contains("name+") { Detail::Name } else { Detail::Folder },
                verdict,
                sending: None,
            })
            .collect();
        let headers = EditableHeaders { subject: Some(b" Hello"), ..EditableHeaders::default() };
        plan(circumstances, &headers, &recipients)
    }

    /// The envelope after the plan: what each address receives, as Postfix applies it (adds first, then deletes).
    fn envelope_after(recipients: &[&str], plan: &Plan) -> Vec<String> {
        let mut envelope: Vec<String> = recipients.iter().map(|p| (*p).to_owned()).collect();
        for modification in &plan.modifications {
            match modification {
                Modification::AddRecipient { path, .. } => envelope.push(String::from_utf8_lossy(path).into_owned()),
                Modification::DeleteRecipient { path } => {
                    let gone = bare_path(path).to_vec();
                    envelope.retain(|known| bare_path(known.as_bytes()) != gone);
                }
                _ => {}
            }
        }
        let mut bare: Vec<String> =
            envelope.iter().map(|p| String::from_utf8_lossy(bare_path(p.as_bytes())).into_owned()).collect();
        bare.sort();
        bare
    }

    const FOLDER: PersonalActions = PersonalActions::FOLDER;

    #[test]
    fn each_recipient_goes_where_their_own_verdict_says() {
        for (recipients, expected) in [
            (&[("<a@o.example>", personal(FOLDER))][..], &["a+Perso@o.example"][..]),
            (&[("<a+x@o.example>", personal(FOLDER))], &["a+Perso@o.example"]),
            (&[("<a+perso@o.example>", personal(FOLDER))], &["a+perso@o.example"]),
            (&[("<a+Perso@o.example>", Verdict::UNTOUCHED)], &["a@o.example"]),
            (&[("<a+news@o.example>", Verdict::UNTOUCHED)], &["a+news@o.example"]),
            (&[("<a@o.example>", blocked(BlackAction::Junk))], &["a+Junk@o.example"]),
            (
                &[("<a@o.example>", blocked(BlackAction::Discard)), ("<b@o.example>", Verdict::UNTOUCHED)],
                &["b@o.example"],
            ),
            (
                &[("<a@o.example>", blocked(BlackAction::Reject)), ("<b@o.example>", Verdict::UNTOUCHED)],
                &["b@o.example"],
            ),
            (
                &[("<a@o.example>", blocked(BlackAction::Hold)), ("<b@o.example>", Verdict::UNTOUCHED)],
                &["a+Junk@o.example", "b@o.example"],
            ),
            (&[("<name+fr@o.example>", personal(FOLDER))], &["name+fr@o.example"]),
            (&[("<name+perso@o.example>", Verdict::UNTOUCHED)], &["name+perso@o.example"]),
            (&[("<name+fr@o.example>", blocked(BlackAction::Junk))], &["name+fr@o.example"]),
            (&[("<@r.example:a@o.example>", personal(FOLDER))], &["a+Perso@o.example"]),
            (&[("\"a\"@o.example", personal(FOLDER))], &["a+Perso@o.example"]),
            (
                &[
                    ("<a@o.example>", personal(FOLDER)),
                    ("<A@o.example>", personal(FOLDER)),
                    ("<b@elsewhere.example>", Verdict::UNTOUCHED),
                ],
                &["a+Perso@o.example", "b@elsewhere.example"],
            ),
            (
                &[("<a@o.example>", personal(FOLDER)), ("<a+x@o.example>", personal(FOLDER))],
                &["a+Perso@o.example", "a+Perso@o.example"],
            ),
        ] {
            let plan = planned(&AT_EDGE, recipients);
            let paths: Vec<&str> = recipients.iter().map(|(path, _)| *path).collect();
            assert_eq!(envelope_after(&paths, &plan), expected, "{paths:?}");
        }
    }

    #[test]
    fn header_edits_need_agreement_and_recipient_edits_do_not() {
        let tag = personal(PersonalActions::TAG);
        let both = planned(&AT_EDGE, &[("<a@o.example>", tag), ("<b@o.example>", tag)]);
        assert_eq!(both.subject(), Some(&b" [PERSO] Hello"[..]));
        let mixed = planned(&AT_EDGE, &[("<a@o.example>", tag), ("<b@elsewhere.example>", Verdict::UNTOUCHED)]);
        assert_eq!((mixed.subject(), mixed.modifications.is_empty(), mixed.is_mixed()), (None, true, true));
        assert!(!mixed.effects[1].headers_left_out);
        let filed = personal(PersonalActions::TAG | FOLDER);
        let mixed = planned(&AT_EDGE, &[("<a@o.example>", filed), ("<b@o.example>", Verdict::UNTOUCHED)]);
        assert_eq!(envelope_after(&["<a@o.example>", "<b@o.example>"], &mixed), ["a+Perso@o.example", "b@o.example"]);
        assert!(mixed.subject().is_none() && mixed.is_mixed());
        // Who gets no copy needs no edit and stands in nobody's way.
        let dropped = planned(&AT_EDGE, &[("<a@o.example>", tag), ("<b@o.example>", blocked(BlackAction::Discard))]);
        assert!(dropped.subject().is_some() && !dropped.is_mixed());
        // A mark is one user's: two cannot share it.
        let mark = personal(PersonalActions::MARK);
        assert!(planned(&AT_EDGE, &[("<a@o.example>", mark), ("<b@o.example>", mark)]).mark.is_none());
        assert_eq!(planned(&AT_EDGE, &[("<a@o.example>", mark)]).mark.map(|m| m.user), Some(0));
    }

    #[test]
    fn a_message_is_refused_or_held_only_for_all() {
        let all = [("<a@o.example>", blocked(BlackAction::Reject)), ("<b@o.example>", blocked(BlackAction::Reject))];
        assert!(planned(&AT_EDGE, &all).reject.is_some());
        let never = Circumstances { rejection: Rejection::Never, ..AT_EDGE };
        let plan = planned(&never, &all);
        assert!(plan.reject.is_none() && plan.effects.iter().all(|e| e.delivery == Delivery::Discarded));
        let held = [("<a@o.example>", blocked(BlackAction::Hold)), ("<b@o.example>", blocked(BlackAction::Hold))];
        assert_eq!(planned(&AT_EDGE, &held).modifications, [Modification::Quarantine]);
        let cannot_hold = Circumstances { hold: false, ..AT_EDGE };
        let junk = Delivery::Folder("Junk".to_owned());
        assert!(planned(&cannot_hold, &held).effects.iter().all(|e| e.delivery == junk));
        assert!(planned(&AT_EDGE, &[]).reject.is_none());
    }

    #[test]
    fn an_address_that_is_given_up_is_not_added() {
        // One user's alias is what another user's folder address would be.
        let recipients = [("<a@o.example>", personal(FOLDER)), ("<a+Perso@o.example>", blocked(BlackAction::Discard))];
        let plan = planned(&AT_EDGE, &recipients);
        assert_eq!(envelope_after(&["<a@o.example>", "<a+Perso@o.example>"], &plan), ["a@o.example"]);
        assert_eq!(plan.effects[0].delivery, Delivery::AsAddressed);
    }

    #[test]
    fn without_a_delimiter_nothing_is_rewritten() {
        let plain = Circumstances { delimiter: None, ..AT_EDGE };
        let plan = planned(&plain, &[("<a@o.example>", personal(FOLDER))]);
        assert_eq!((plan.modifications.len(), &plan.effects[0].delivery), (0, &Delivery::AsAddressed));
    }

    #[test]
    fn additions_come_first_deletions_last_and_indices_fall() {
        let policy = organisation();
        let verdict = verdict(Outcome::Deliver { personal: PersonalActions::TAG | FOLDER, clear_spam: true });
        let arguments = [b"NOTIFY=NEVER".to_vec(), b"SIZE=9".to_vec(), b"orcpt=rfc822;x@y.example".to_vec()];
        let recipient = Recipient {
            path: b"<a@o.example>",
            arguments: &arguments,
            user: Some((&policy, 1)),
            detail: Detail::Folder,
            verdict: &verdict,
            sending: None,
        };
        let (spam, forged) =
            ([("X-Spam-Flag".to_owned(), 1), ("X-Spam-Flag".to_owned(), 2)], [("X-Perso".to_owned(), 1)]);
        let headers = EditableHeaders { subject: None, spam: &spam, forged: &forged };
        let plan = plan(&AT_EDGE, &headers, &[recipient]);
        let delete = |name: &str, index| Modification::DeleteHeader { name: name.to_owned().into(), index };
        assert_eq!(
            plan.modifications,
            [
                Modification::AddRecipient {
                    path: b"<a+Perso@o.example>".to_vec(),
                    arguments: b"NOTIFY=NEVER orcpt=rfc822;x@y.example".to_vec()
                },
                delete("X-Perso", 1),
                delete("X-Spam-Flag", 2),
                delete("X-Spam-Flag", 1),
                Modification::AddHeader { name: "Subject".into(), value: b" [PERSO]".to_vec() },
                Modification::DeleteRecipient { path: b"<a@o.example>".to_vec() },
            ]
        );
    }

    fn any_verdict() -> impl Strategy<Value = Verdict> {
        prop_oneof![
            Just(Verdict::UNTOUCHED),
            (0u8..8, any::<bool>()).prop_map(|(bits, clear_spam)| {
                verdict(Outcome::Deliver { personal: PersonalActions::from_bits(bits), clear_spam })
            }),
            (0u8..4).prop_map(|code| blocked(BlackAction::from_code(code))),
        ]
    }

    fn any_recipients() -> impl Strategy<Value = Vec<(String, Verdict)>> {
        let path = "<?[abAB](\\+(Perso|perso|Junk|x))?@(o|elsewhere)\\.example>?";
        proptest::collection::vec((path, any_verdict()), 0..6)
    }

    proptest! {
        #[test]
        fn the_planners_law_holds(recipients in any_recipients(), direction in any::<bool>()) {
            let direction = if direction { Direction::Inbound } else { Direction::Outbound };
            let circumstances = Circumstances { direction, ..AT_EDGE };
            let given: Vec<(&str, Verdict)> = recipients.iter().map(|(p, v)| (p.as_str(), *v)).collect();
            let plan = planned(&circumstances, &given);
            let bare = |path: &[u8]| bare_path(path).to_ascii_lowercase();
            let added: HashSet<_> = plan.modifications.iter().filter_map(|m| match m {
                Modification::AddRecipient { path, .. } => Some(bare(path)),
                _ => None,
            }).collect();
            for modification in &plan.modifications {
                if let Modification::DeleteRecipient { path } = modification {
                    prop_assert!(!added.contains(&bare(path)));
                    prop_assert!(recipients.iter().any(|(p, _)| p.as_bytes() == path));
                }
            }
            prop_assert_eq!(plan.effects.len(), recipients.len());
        }

        #[test]
        fn what_one_gets_does_not_depend_on_anothers_lists(
            mine in any_verdict(), others in proptest::collection::vec(any_verdict(), 1..4), instead in any_verdict(),
        ) {
            // Alone addressed and addressed with others may differ (a refusal would reach them), but not by what
            // stands on the others' lists. Agreement on header edits is the exception that the split removes.
            let never = Circumstances { rejection: Rejection::Never, hold: false, ..AT_EDGE };
            let with = |others: &[Verdict]| {
                let mut all = vec![("<me@o.example>".to_owned(), mine)];
                all.extend(others.iter().enumerate().map(|(n, v)| (format!("<other{n}@o.example>"), *v)));
                let given: Vec<(&str, Verdict)> = all.iter().map(|(p, v)| (p.as_str(), *v)).collect();
                planned(&never, &given).effects[0].delivery.clone()
            };
            let replaced = vec![instead; others.len()];
            prop_assert_eq!(with(&others), with(&replaced));
        }
    }
}
