//! The sign-in message.

use askama::Template;

use crate::console::mail::Mail;
use crate::console::text;
use crate::language::Language;
use crate::policy::address::Address;
use crate::store::MailedSignIn;

/// What the message carries.
pub struct SignInMessage {
    /// Link and code.
    pub sign_in: MailedSignIn,
    /// Of whoever asked.
    pub language: Language,
    /// What links begin with.
    pub origin: String,
}

#[derive(Template)]
#[template(path = "mail/sign_in.txt", escape = "none", config = ".askama.toml")]
struct Text<'a> {
    language: Language,
    link: &'a str,
    code: &'a str,
}

#[derive(Template)]
#[template(path = "mail/sign_in.html", config = ".askama.toml")]
struct Html<'a> {
    language: Language,
    link: &'a str,
    code: &'a str,
}

impl SignInMessage {
    /// As a mail.
    pub fn to(&self, to: Address) -> Mail {
        let link = format!("{}/connexion/lien/{}", self.origin, self.sign_in.token);
        let (language, code) = (self.language, self.sign_in.code.to_string());
        Mail {
            to,
            subject: text::text(language, "sign-in-mail-subject", &[("code", code.as_str().into())]),
            text: Text { language, link: &link, code: &code }.to_string(),
            html: Html { language, link: &link, code: &code }.to_string(),
        }
    }
}
