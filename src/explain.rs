//! What happens to one message for each recipient, and why, in words: for `explain`, the demo and the tests.

use std::cell::RefCell;
use std::sync::Arc;

use crate::language::Language;
use crate::milter::client::message::{Header, Message};
use crate::milter::settings::{Decided, DecidedRecipient, Directory, Happened, Pass, Settings};
use crate::milter::transaction::{Submitter, Transaction};
use crate::policy::action::SplitMode;
use crate::policy::address::Address;
use crate::policy::authres::{Authentication, Method};
use crate::policy::decide::{Addressed, Because, Identity, Level, Match, Outcome, Overridden, Verdict};
use crate::policy::identity::header_sender;
use crate::policy::list::{Globs, ListKind, Scope, UserLists};
use crate::policy::organisation::{OrgPolicy, Proof};
use crate::policy::original;
use crate::policy::plan::{Circumstances, Delivery, Direction, Effect, Rejection, mailbox_candidates};
use crate::policy::subject::{LeadingSpace, decoded};
use crate::split::{self, Marker};

/// What happens to a message for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The recipient as addressed.
    pub recipient: String,
    /// Whether the recipient is one of our users, addressed as such.
    pub is_user: bool,
    /// Lists, and why they decided so.
    pub verdict: Verdict,
    /// What came of it, joined with `+`: `delivered`, `tagged`, `marked`, `cleared`, `filed:FOLDER`, `discarded`, `held`,
    /// `rejected`.
    pub result: String,
    /// Header edits were left out: another recipient needs different ones.
    pub headers_left_out: bool,
    /// The message is split, and this copy decided once more.
    pub is_split: bool,
    /// A folder that the sender typed was taken off.
    pub detail_removed: bool,
    /// The folder that was asked for and is not proven, so that nothing is filed there.
    pub unproven: Option<String>,
    /// The Subject as this recipient reads it; `None` for a recipient who gets no copy.
    pub subject: Option<String>,
}

/// Runs the policy on a message as the milter would, for mail that goes this way. A message that Postfix would split is decided
/// once more for each recipient alone.
///
/// `sender` and `recipients` are paths as in SMTP, brackets optional.
pub fn explain(
    directory: &impl Directory,
    direction: Direction,
    sender: &str,
    recipients: &[String],
    raw: &[u8],
) -> Vec<Explained> {
    let message = Message::parse(raw);
    let at_edge = at_edge(&directory.settings(), direction);
    let alone = Circumstances { rejection: Rejection::Never, split: SplitMode::Off, ..at_edge };
    let passed = |circumstances, recipients: &[&str]| {
        let pass = Passed { pass: Pass::First, circumstances, sender, arguments: &[] };
        pass.decided(directory, recipients, &message)
    };
    let all: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let copies = |one: Explained| if one.is_split { passed(alone, &[&one.recipient]) } else { vec![one] };
    let mut explained: Vec<Explained> = passed(at_edge, &all).into_iter().flat_map(copies).collect();
    let position = |one: &Explained| recipients.iter().position(|r| *r == one.recipient);
    explained.sort_by_key(position);
    explained
}

/// The same for copies as they come to the second pass, of a message that was addressed to `original`.
pub fn explain_copies(
    directory: &impl Directory,
    direction: Direction,
    sender: &str,
    recipients: &[String],
    original: &str,
    raw: &[u8],
) -> Vec<Explained> {
    let settings = directory.settings();
    let user_of = |path: &str| {
        let mut candidates = mailbox_candidates(Address::from_path(path.as_bytes())?, settings.delimiter);
        candidates.find_map(|address| directory.lists(&address)).map(|lists| lists.user())
    };
    let key = &settings.split_key;
    let marker = Marker {
        direction,
        sender: user_of(sender).map(|user| key.sender(user)),
        users: user_of(original).map(|user| key.addressed(user)).into_iter().collect(),
        claims: Vec::new(),
    };
    let mut message = Message::parse(raw);
    message.headers.push(Header { name: split::HEADER.into(), value: key.write(&marker).into_bytes() });
    let circumstances =
        Circumstances { rejection: Rejection::Never, split: SplitMode::Off, ..at_edge(&settings, direction) };
    let argument = original::argument(original);
    let pass = Passed { pass: Pass::Second, circumstances, sender, arguments: &[argument.as_bytes()] };
    recipients.iter().flat_map(|recipient| pass.decided(directory, &[recipient], &message)).collect()
}

/// The envelope sender that a stored message tells of; empty where it tells of none.
pub fn envelope_sender(raw: &[u8]) -> String {
    let message = Message::parse(raw);
    let return_path = message.values("Return-Path").next().map(|value| String::from_utf8_lossy(value).into_owned());
    let from = || message.values("From").next().and_then(header_sender).map(|a| a.as_str().to_owned());
    return_path.or_else(from).unwrap_or_default()
}

fn at_edge(settings: &Settings, direction: Direction) -> Circumstances {
    Circumstances {
        rejection: Rejection::Allowed,
        direction,
        delimiter: settings.delimiter,
        leading: LeadingSpace::Kept,
        hold: true,
        split: settings.split,
    }
}

/// How a message passes.
struct Passed<'a> {
    pass: Pass,
    circumstances: Circumstances,
    sender: &'a str,
    /// ESMTP arguments of every recipient.
    arguments: &'a [&'a [u8]],
}

impl Passed<'_> {
    /// What becomes of a message.
    fn decided(&self, directory: &impl Directory, recipients: &[&str], message: &Message) -> Vec<Explained> {
        let subject = message.values("Subject").next().map(<[u8]>::to_vec).unwrap_or_default();
        let capture = Capture { inner: directory, subject, explained: RefCell::default() };
        let submitter = Submitter { path: self.sender.as_bytes(), login: None };
        let settings = directory.settings();
        let mut transaction = Transaction::new(directory, settings, self.pass, self.circumstances, submitter);
        for recipient in recipients {
            transaction.recipient(&capture, recipient.as_bytes(), self.arguments.iter().copied(), true);
        }
        for header in &message.headers {
            transaction.header(&header.name, &header.value[..]);
        }
        transaction.finish(&capture);
        capture.explained.into_inner()
    }
}

/// A directory that keeps what became of the message.
struct Capture<'a, D> {
    inner: &'a D,
    subject: Vec<u8>,
    explained: RefCell<Vec<Explained>>,
}

impl<D: Directory> Directory for Capture<'_, D> {
    fn settings(&self) -> Arc<Settings> {
        self.inner.settings()
    }

    fn lists(&self, address: &Address) -> Option<UserLists> {
        self.inner.lists(address)
    }

    fn shared_in(&self, address: &Address) -> Option<u32> {
        self.inner.shared_in(address)
    }

    fn globs(&self, lists: &UserLists) -> Option<Arc<Globs>> {
        self.inner.globs(lists)
    }

    fn happened(&self, to_each: &[Happened<'_>]) {
        self.inner.happened(to_each);
    }

    fn decided(&self, message: &Decided<'_>) {
        let subject = decoded(message.plan.subject().unwrap_or(&self.subject));
        let settings = self.inner.settings();
        let one = |recipient: &DecidedRecipient<'_>| {
            let effect = recipient.effect.and_then(|index| message.plan.effects.get(index));
            let policy = recipient.organisation.and_then(|id| settings.organisations.get(&id));
            explained(recipient, effect, policy.map(|policy| &**policy), &subject)
        };
        self.explained.borrow_mut().extend(message.recipients.iter().map(one));
    }
}

/// What became of one decided recipient. `policy` is their organisation's, `subject` the message's Subject after the edits,
/// decoded.
pub fn explained(
    recipient: &DecidedRecipient<'_>,
    effect: Option<&Effect>,
    policy: Option<&OrgPolicy>,
    subject: &str,
) -> Explained {
    let result = effect.map_or_else(|| "rejected".to_owned(), result_of);
    let gets_copy = effect.is_some_and(|e| !matches!(e.delivery, Delivery::Discarded | Delivery::Rejected));
    let unproven = |policy: &OrgPolicy| match policy.folder_for(recipient.verdict.outcome)? {
        (folder, Proof::Unproven) => Some(folder.to_owned()),
        (_, Proof::Proven) => None,
    };
    let is_addressed =
        effect.is_some_and(|effect| matches!(effect.delivery, Delivery::AsAddressed | Delivery::DetailRemoved));
    Explained {
        recipient: String::from_utf8_lossy(recipient.path).into_owned(),
        is_user: recipient.organisation.is_some() && recipient.verdict.reason.addressed != Addressed::Shared,
        verdict: recipient.verdict,
        result,
        headers_left_out: effect.is_some_and(|effect| effect.headers_left_out),
        is_split: effect.is_some_and(|effect| effect.delivery == Delivery::Split),
        detail_removed: effect.is_some_and(|effect| effect.delivery == Delivery::DetailRemoved),
        unproven: policy.filter(|_| is_addressed).and_then(unproven),
        subject: gets_copy.then(|| subject.split_whitespace().collect::<Vec<_>>().join(" ")),
    }
}

fn result_of(effect: &Effect) -> String {
    let whole = match &effect.delivery {
        Delivery::Discarded => Some("discarded"),
        Delivery::Held => Some("held"),
        Delivery::Rejected => Some("rejected"),
        _ => None,
    };
    if let Some(whole) = whole {
        return whole.to_owned();
    }
    let edits = [(effect.cleared, "cleared"), (effect.tagged, "tagged"), (effect.marked, "marked")];
    let mut parts: Vec<String> = edits.into_iter().filter(|(done, _)| *done).map(|(_, name)| name.to_owned()).collect();
    if let Delivery::Folder(folder) = &effect.delivery {
        parts.push(format!("filed:{folder}"));
    }
    if parts.is_empty() { "delivered".to_owned() } else { parts.join("+") }
}

impl Explained {
    /// `none`, `personal`, `wanted`, `wanted+personal` or `blocked`.
    pub fn verdict_name(&self) -> &'static str {
        match self.verdict.outcome {
            Outcome::Blocked(_) => "blocked",
            Outcome::Deliver { clear_spam, .. } => match (clear_spam, self.verdict.reason.personal.is_some()) {
                (false, false) => "none",
                (false, true) => "personal",
                (true, false) => "wanted",
                (true, true) => "wanted+personal",
            },
        }
    }

    /// Why, in one sentence.
    pub fn reason(&self, language: Language) -> String {
        let reason = &self.verdict.reason;
        let french = language == Language::French;
        let mut parts = Vec::new();
        if reason.addressed == Addressed::Shared {
            parts.push(shared_address(language).to_owned());
        } else if reason.addressed == Addressed::ByAnother {
            parts.push(by_another(language).to_owned());
        } else if !self.is_user {
            parts.push(if french { "n'est pas un utilisateur" } else { "not a user" }.to_owned());
        } else if reason.paused {
            parts.push(if french { "listes en pause" } else { "lists are paused" }.to_owned());
        }
        parts.extend(
            reason.sender.iter().chain(&reason.personal).chain(&reason.outbound).map(|rule| rule_text(rule, language)),
        );
        if parts.is_empty() {
            parts.push(if french { "aucune entrée ne décide" } else { "no entry decides" }.to_owned());
        }
        let overridden = reason.overridden_sender.iter().chain(&reason.overridden_personal);
        parts.extend(overridden.map(|overridden| overridden_text(overridden, language)));
        if self.headers_left_out {
            let text = if french {
                "marquage omis : un autre destinataire en demande un différent"
            } else {
                "header edits left out: another recipient needs different ones"
            };
            parts.push(text.to_owned());
        }
        if self.detail_removed {
            let text =
                if french { "dossier saisi par l'expéditeur retiré" } else { "folder typed by the sender taken off" };
            parts.push(text.to_owned());
        }
        parts.extend(self.unproven.as_deref().map(|folder| unproven_text(folder, language)));
        parts.join("; ")
    }
}

/// That nothing is filed into a folder, and why.
pub fn unproven_text(folder: &str, language: Language) -> String {
    match language {
        Language::English => format!("the folder {folder} is not proven: nothing is filed there"),
        Language::French => format!("le dossier {folder} n'est pas vérifié : rien n'y est classé"),
    }
}

/// Why nobody's list decides what comes to a shared address.
pub fn shared_address(language: Language) -> &'static str {
    match language {
        Language::English => "shared address: others get this mail too, so nobody's list applies",
        Language::French => "adresse partagée : d'autres reçoivent aussi ce courrier, aucune liste ne s'applique",
    }
}

/// Why nobody's list decides a copy that the MTA led to a user from somebody else's address.
pub fn by_another(language: Language) -> &'static str {
    match language {
        Language::English => "first addressed to somebody else (ORCPT), so nobody's list applies",
        Language::French => "adressé d'abord à quelqu'un d'autre (ORCPT), aucune liste ne s'applique",
    }
}

fn rule_text(rule: &Match, language: Language) -> String {
    let french = language == Language::French;
    let list = match (rule.list, french) {
        (ListKind::White, false) => "white list",
        (ListKind::White, true) => "liste blanche",
        (ListKind::Black, false) => "black list",
        (ListKind::Black, true) => "liste noire",
        (ListKind::Personal, false) if rule.identity == Identity::Recipient => "the sender's personal list",
        (ListKind::Personal, true) if rule.identity == Identity::Recipient => "liste PERSONNELLE de l'expéditeur",
        (ListKind::Personal, false) => "personal list",
        (ListKind::Personal, true) => "liste PERSONNELLE",
    };
    let level = match (rule.level, french) {
        (Level::User, _) => "",
        (Level::Enforced, false) => " enforced by the organisation",
        (Level::Enforced, true) => " imposée par l'organisation",
        (Level::Default, false) => " of the organisation",
        (Level::Default, true) => " de l'organisation",
    };
    let scope = match (rule.scope, french) {
        (Scope::Address, false) => "address",
        (Scope::Address, true) => "adresse",
        (Scope::Domain, false) => "domain",
        (Scope::Domain, true) => "domaine",
        (Scope::Subdomains, false) => "domain with subdomains",
        (Scope::Subdomains, true) => "domaine et sous-domaines",
        (Scope::Glob, false) => "pattern",
        (Scope::Glob, true) => "motif",
    };
    let identity = match (rule.identity, french) {
        (Identity::Envelope, false) => "envelope sender",
        (Identity::Envelope, true) => "expéditeur d'enveloppe",
        (Identity::Header, false) => "header sender",
        (Identity::Header, true) => "expéditeur de l'en-tête",
        (Identity::Recipient, false) => "recipient",
        (Identity::Recipient, true) => "destinataire",
    };
    let authentication = match rule.authentication {
        _ if rule.list == ListKind::Black => String::new(),
        Authentication::Passed(method) => format!(", {}", method_name(method)),
        Authentication::NotRequired | Authentication::Missing => String::new(),
    };
    format!("{list}{level} ({scope}, {identity}{authentication})")
}

fn method_name(method: Method) -> &'static str {
    match method {
        Method::Dmarc => "DMARC",
        Method::Dkim => "DKIM",
        Method::Spf => "SPF",
    }
}

fn overridden_text(overridden: &Overridden, language: Language) -> String {
    let rule = rule_text(&overridden.rule, language);
    if language == Language::French {
        let because = match overridden.because {
            Because::Unauthenticated => "rien ne prouve l'expéditeur",
            Because::MoreSpecific => "une entrée plus précise l'emporte",
            Because::HigherLevel => "une liste de rang supérieur l'emporte",
            Because::Blocked => "bloqué l'emporte sur personnel",
            Because::ProtectedSender => "cet expéditeur ne peut pas être bloqué",
        };
        format!("sans effet : {rule}, {because}")
    } else {
        let because = match overridden.because {
            Because::Unauthenticated => "nothing proves the sender",
            Because::MoreSpecific => "a more specific entry wins",
            Because::HigherLevel => "a list of a higher level wins",
            Because::Blocked => "blocked beats personal",
            Because::ProtectedSender => "this sender cannot be blocked",
        };
        format!("without effect: {rule}, {because}")
    }
}
