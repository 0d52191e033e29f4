//! The mails that the console sends: text and HTML, in the reader's language, through the configured mail server.

use std::error::Error as _;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use lettre::address::Envelope;
use lettre::transport::smtp::SmtpTransport;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address as SmtpAddress, Transport};
use mail_builder::MessageBuilder;
use mail_builder::headers::date::Date;
use mail_builder::headers::raw::Raw;

use super::state::MailOptions;
use crate::policy::address::Address;

/// How long the mail server may take for each of its replies.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a mail could not be handed over. No text repeats an address.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// An address that SMTP does not take.
    #[error("an address that cannot be written to")]
    Address,
    /// It could not be written, for want of memory.
    #[error("the message could not be built")]
    Build,
    /// The mail server does not take it, now or later (RFC 5321, 4.2.1: 5yz).
    #[error("console.smtp: {0}")]
    Refused(String),
    /// The mail server put it off (4yz).
    #[error("console.smtp: {0}")]
    PutOff(String),
    /// There is no mail server that could be spoken to.
    #[error("console.smtp: {0}")]
    Server(String),
}

impl MailError {
    /// Whether it may well be taken later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::PutOff(_) | Self::Server(_))
    }
}

/// How a mail, which may hold a link that signs in, gets to the mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop {
    /// Within this machine, as it is.
    Local,
    /// Over a network: by STARTTLS alone, to a server whose certificate this machine trusts.
    Network,
}

impl Hop {
    /// The way to a mail server of this name or address.
    pub fn to(host: &str) -> Self {
        let is_loopback = host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if is_loopback || host.eq_ignore_ascii_case("localhost") { Self::Local } else { Self::Network }
    }
}

/// A mail to one person.
pub struct Mail {
    /// Who reads it.
    pub to: Address,
    /// Its subject.
    pub subject: String,
    /// What it says.
    pub text: String,
    /// The same as a page.
    pub html: String,
}

/// Hands mails to the mail server.
pub struct Mailer {
    transport: SmtpTransport,
    sender: Address,
}

impl Mailer {
    /// Through a mail server.
    ///
    /// # Errors
    /// [`MailError::Server`] where TLS is needed and cannot be had on this machine.
    pub fn new(options: &MailOptions) -> Result<Self, MailError> {
        let tls = match options.hop {
            Hop::Local => Tls::None,
            Hop::Network => {
                let parameters = TlsParameters::new(options.host.clone());
                Tls::Required(parameters.map_err(|error| MailError::Server(format!("no TLS: {error}")))?)
            }
        };
        let builder = SmtpTransport::builder_dangerous(&options.host).port(options.port);
        Ok(Self { transport: builder.tls(tls).timeout(Some(PATIENCE)).build(), sender: options.sender.clone() })
    }

    /// Sends a mail; blocks until the mail server took it.
    ///
    /// # Errors
    /// Why it did not.
    pub fn send(&self, mail: &Mail, now: Timestamp) -> Result<(), MailError> {
        let to: SmtpAddress = mail.to.as_str().parse().map_err(|_| MailError::Address)?;
        // The null sender: nobody reads what comes back.
        let envelope = Envelope::new(None, vec![to]).map_err(|_| MailError::Address)?;
        let message = MessageBuilder::new()
            .from(("Console individuelle de messagerie", self.sender.as_str()))
            .to(mail.to.as_str())
            .subject(mail.subject.as_str())
            .date(Date::new(now.as_second()))
            .message_id(self.message_id(now))
            // RFC 3834: no out-of-office notice is to answer it.
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .text_body(mail.text.as_str())
            .html_body(mail.html.as_str())
            .write_to_vec()
            .map_err(|_| MailError::Build)?;
        self.transport.send_raw(&envelope, &message).map(drop).map_err(|error| {
            let said = without_address(&error);
            match error.status() {
                Some(_) if error.is_permanent() => MailError::Refused(said),
                Some(_) => MailError::PutOff(said),
                None if is_beyond_server(&error) => MailError::Refused(said),
                None => MailError::Server(said),
            }
        })
    }

    fn message_id(&self, now: Timestamp) -> String {
        let domain = self.sender.as_str().rsplit_once('@').map_or("localhost", |(_, domain)| domain);
        let mut unique = [0; 12];
        // Two messages of one instant without randomness share an id, and nothing else.
        let _ = aws_lc_rs::rand::fill(&mut unique);
        let unique: String = unique.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("cim.{}.{unique}@{domain}", now.as_second())
    }
}

/// A reply of the mail server may repeat to whom the mail was: its status is enough for the log.
fn without_address(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("the mail server answered {code}"),
        None if is_beyond_server(error) => "the mail server does not take addresses with accents (SMTPUTF8)".to_owned(),
        None if error.is_client() => {
            "the mail server offers no STARTTLS, which it needs unless it is on this machine".to_owned()
        }
        None if is_of_tls(error) => {
            "no TLS with the mail server: is its certificate trusted by this machine?".to_owned()
        }
        None => "the mail server cannot be reached".to_owned(),
    }
}

/// Whether the mail asks for what the mail server has not: our mails are ASCII but for an address. The library's errors of its
/// own are this and the want of STARTTLS, told apart by their words alone.
fn is_beyond_server(error: &lettre::transport::smtp::Error) -> bool {
    error.is_client() && !error.to_string().contains("STARTTLS")
}

/// Whether the handshake failed, which comes as an error of the connection.
fn is_of_tls(error: &lettre::transport::smtp::Error) -> bool {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.into_iter().any(|cause: &(dyn std::error::Error + 'static)| {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner.is_some_and(|inner| inner.is::<rustls::Error>())
    })
}
