//! The mails that tell a user what happened to their account, so that what they did not do themselves does not stay unseen.
//! Nobody can switch them off; none says anything of a list.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use jiff::Timestamp;

use super::mail::Mail;
use super::state::Console;
use super::{language, text};
use crate::language::Language;
use crate::policy::address::Address;
use crate::store::{SecretKind, UserId};

/// How long the mail server has to take one.
const LIFE: Duration = Duration::from_secs(3600);

/// What happened.
#[derive(Debug, Clone)]
pub enum Alert {
    /// A secret was added, or replaced.
    Added(SecretKind),
    /// A secret was removed.
    Removed(SecretKind),
    /// A session was opened with the recovery code.
    RecoveryUsed,
    /// The personal lock was put on.
    LockOn,
    /// The personal lock was taken off.
    LockOff,
    /// A fresh start was asked for, and is made at this time.
    FreshStartAsked(Timestamp),
    /// A fresh start is not wanted any more.
    FreshStartCancelled,
    /// A fresh start was made.
    FreshStartMade,
    /// Under the personal lock a browser signed in that never did; from this network.
    NewBrowser(String),
}

#[derive(Template)]
#[template(path = "mail/alert.txt", escape = "none", config = ".askama.toml")]
struct Text<'a> {
    language: Language,
    what: &'a str,
    when: &'a str,
    link: &'a str,
}

#[derive(Template)]
#[template(path = "mail/alert.html", config = ".askama.toml")]
struct Html<'a> {
    language: Language,
    what: &'a str,
    when: &'a str,
    link: &'a str,
}

impl Alert {
    fn words(&self, language: Language) -> String {
        let t = |key| text::t(language, key);
        match self {
            Self::Added(SecretKind::Password) => t("alert-password-added"),
            Self::Added(SecretKind::Passkey) => t("alert-passkey-added"),
            Self::Added(SecretKind::Recovery) => t("alert-recovery-added"),
            Self::Removed(SecretKind::Password) => t("alert-password-removed"),
            Self::Removed(SecretKind::Passkey) => t("alert-passkey-removed"),
            Self::Removed(SecretKind::Recovery) => t("alert-recovery-removed"),
            Self::RecoveryUsed => t("alert-recovery-used"),
            Self::LockOn => t("alert-lock-on"),
            Self::LockOff => t("alert-lock-off"),
            Self::FreshStartAsked(due) => {
                let due = text::moment(language, *due);
                text::text(language, "alert-fresh-start-asked", &[("due", due.into())])
            }
            Self::FreshStartCancelled => t("alert-fresh-start-cancelled"),
            Self::FreshStartMade => t("alert-fresh-start-made"),
            Self::NewBrowser(network) => {
                text::text(language, "alert-new-browser", &[("network", network.as_str().into())])
            }
        }
    }

    fn mail(&self, to: Address, language: Language, at: Timestamp, origin: &str) -> Mail {
        let (what, when) = (self.words(language), text::moment(language, at));
        let link = format!("{origin}/securite");
        Mail {
            to,
            subject: text::t(language, "alert-subject"),
            text: Text { language, what: &what, when: &when, link: &link }.to_string(),
            html: Html { language, what: &what, when: &when, link: &link }.to_string(),
        }
    }
}

/// Tells a user by mail, in their language.
pub fn tell(console: &Arc<Console>, user: UserId, alert: Alert) {
    let at = (console.clock)();
    console.mail(LIFE, move |console| {
        let user = console.store.user(user)?;
        let language = language::of_user(console, &user)?.unwrap_or(console.options.language);
        Ok(Some(alert.mail(user.address, language, at, &console.origin)))
    });
}
