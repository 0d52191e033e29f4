//! A decision in people's words: what became of a message, and why.

use super::text;
use crate::language::Language;
use crate::policy::action::BlackAction;
use crate::policy::authres::{Authentication, Method};
use crate::policy::decide::{Addressed, Because, Level, Match, Outcome, Reason, Verdict};
use crate::policy::list::ListKind;
use crate::policy::plan::Delivery;
use crate::store::Activity;
use crate::why::OwnView;

/// What became of a message: its words, and the class of its tag.
pub struct ResultWords {
    /// In a few words.
    pub text: String,
    /// `personal`, `good`, `bad`, or none.
    pub class: &'static str,
}

/// What became of a message.
pub fn result(language: Language, activity: &Activity) -> ResultWords {
    let t = |key| text::t(language, key);
    let in_folder = |key, folder: &str| text::text(language, key, &[("folder", folder.to_owned().into())]);
    let effect = &activity.effect;
    let is_blocked = matches!(activity.verdict.outcome, Outcome::Blocked(_));
    let is_personal = activity.verdict.reason.personal.is_some();
    let (text, class) = match &effect.delivery {
        Delivery::Rejected => (t("decision-rejected"), "bad"),
        Delivery::Discarded => (t("decision-discarded"), "bad"),
        Delivery::Held => (t("decision-held"), "warn"),
        Delivery::Folder(folder) if is_blocked => (in_folder("decision-junked", folder), "bad"),
        Delivery::Folder(folder) => (in_folder("decision-filed", folder), "personal"),
        _ if effect.tagged || effect.marked => (t("decision-tagged"), "personal"),
        _ if is_personal && !is_blocked => (t("decision-personal"), "personal"),
        _ if effect.cleared => (t("decision-cleared"), "good"),
        _ => (t("decision-delivered"), ""),
    };
    ResultWords { text, class }
}

/// What a verdict asks for, as the end of a sentence about what would have happened.
pub fn outcome(language: Language, verdict: &Verdict) -> String {
    text::t(
        language,
        match verdict.outcome {
            Outcome::Blocked(BlackAction::Reject) => "decision-would-reject",
            Outcome::Blocked(BlackAction::Discard) => "decision-would-discard",
            Outcome::Blocked(BlackAction::Hold) => "decision-would-hold",
            Outcome::Blocked(BlackAction::Junk) => "decision-would-junk",
            Outcome::Deliver { .. } if verdict.reason.personal.is_some() => "decision-would-be-personal",
            Outcome::Deliver { clear_spam: true, .. } => "decision-would-clear",
            Outcome::Deliver { .. } => "decision-would-deliver",
        },
    )
}

/// Why in a few words, for a row of many; `None` where nothing decided.
pub fn short_reason(language: Language, activity: &Activity) -> Option<String> {
    let reason = &activity.verdict.reason;
    let key = match decisive(reason).next() {
        _ if reason.addressed != Addressed::Personally => "decision-short-another",
        _ if reason.paused => "decision-short-paused",
        Some(rule) => match (rule.level, rule.list) {
            (Level::User, ListKind::Personal) => "decision-short-personal",
            (Level::User, ListKind::Black) => "decision-short-black",
            (Level::User, ListKind::White) => "decision-short-white",
            (Level::Enforced | Level::Default, _) => "decision-short-organisation",
        },
        None => {
            let overridden = reason.overridden_personal.or(reason.overridden_sender)?;
            match overridden.because {
                Because::Unauthenticated => "decision-short-not-proven",
                Because::ProtectedSender => "decision-short-protected",
                Because::MoreSpecific | Because::HigherLevel | Because::Blocked => return None,
            }
        }
    };
    Some(text::t(language, key))
}

/// Why, each reason a sentence: what decided first, then what did not count.
pub fn reasons(language: Language, view: &OwnView, activity: &Activity) -> Vec<String> {
    let reason = &activity.verdict.reason;
    let words = Words { language, view, activity };
    let mut sentences = Vec::new();
    match reason.addressed {
        Addressed::Personally => {}
        Addressed::Shared | Addressed::ByAnother => sentences.push(text::t(language, "decision-by-another")),
    }
    if reason.paused {
        sentences.push(text::t(language, "decision-paused"));
    }
    sentences.extend(decisive(reason).map(|rule| words.rule(rule)));
    if sentences.is_empty() {
        sentences.push(text::t(language, "decision-nothing"));
    }
    let overridden = reason.overridden_sender.iter().chain(&reason.overridden_personal);
    sentences.extend(overridden.map(|overridden| words.overridden(&overridden.rule, overridden.because)));
    if activity.effect.headers_left_out {
        sentences.push(text::t(language, "decision-left-out"));
    }
    if activity.effect.delivery == Delivery::DetailRemoved {
        sentences.push(text::t(language, "decision-detail-removed"));
    }
    sentences
}

/// The entries that decided: a blocked message is not personal besides.
fn decisive(reason: &Reason) -> impl Iterator<Item = &Match> {
    let is_blocked = reason.sender.is_some_and(|rule| rule.list == ListKind::Black);
    reason.personal.iter().filter(move |_| !is_blocked).chain(&reason.sender)
}

/// What vouches for the sender whom people see.
pub fn proof(language: Language, activity: &Activity) -> String {
    let authentication = if activity.header.is_some() { activity.proof.header } else { activity.proof.envelope };
    let method = match authentication {
        Authentication::Passed(Method::Dmarc) => "DMARC",
        Authentication::Passed(Method::Dkim) => "DKIM",
        Authentication::Passed(Method::Spf) => "SPF",
        Authentication::NotRequired => return text::t(language, "decision-proof-not-asked"),
        Authentication::Missing => return text::t(language, "decision-proof-missing"),
    };
    text::text(language, "decision-proof-passed", &[("method", method.into())])
}

struct Words<'a> {
    language: Language,
    view: &'a OwnView,
    activity: &'a Activity,
}

impl Words<'_> {
    fn rule(&self, rule: &Match) -> String {
        let key = match (rule.level, rule.list) {
            (Level::User, ListKind::Personal) => "decision-entry-personal",
            (Level::User, ListKind::Black) => "decision-entry-black",
            (Level::User, ListKind::White) => "decision-entry-white",
            (_, ListKind::Black) => "decision-organisation-black",
            (_, ListKind::White | ListKind::Personal) => "decision-organisation-white",
        };
        self.with_entry(key, rule)
    }

    fn overridden(&self, rule: &Match, because: Because) -> String {
        let key = match because {
            Because::Unauthenticated => "decision-not-proven",
            Because::MoreSpecific => "decision-more-specific",
            Because::HigherLevel => "decision-higher-level",
            Because::Blocked => "decision-blocked-wins",
            Because::ProtectedSender => "decision-protected",
        };
        self.with_entry(key, rule)
    }

    fn with_entry(&self, key: &str, rule: &Match) -> String {
        let value = self.view.entry(rule, self.activity).map(|value| value.written());
        let entry = value.unwrap_or_else(|| text::t(self.language, "decision-pattern"));
        text::text(self.language, key, &[("entry", entry.into())])
    }
}
