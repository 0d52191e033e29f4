//! What goes into a message's journey and what comes out of it: envelope, verdicts, outcome.

use std::net::IpAddr;

use super::super::negotiate::Agreement;
use super::super::reply::Reply;
use super::message::{self, Delivery, Message};

/// The envelope of one message and where it comes from.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// The name of the SMTP client, told once a connection.
    pub client_host: Vec<u8>,
    /// Its address and port, told once a connection; none: family unknown.
    pub client_address: Option<(IpAddr, u16)>,
    /// The argument of HELO, told once a connection.
    pub helo: Vec<u8>,
    /// The envelope sender as the client wrote it, brackets included.
    pub sender: Vec<u8>,
    /// ESMTP arguments of MAIL.
    pub sender_arguments: Vec<Vec<u8>>,
    /// The recipients.
    pub recipients: Vec<Recipient>,
    /// Macros beyond those that follow from the envelope, by name without braces: `auth_authen`, `daemon_name`, `i`.
    pub macros: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Default for Envelope {
    fn default() -> Self {
        Self {
            client_host: b"mx.example.net".to_vec(),
            client_address: Some((IpAddr::from([192, 0, 2, 1]), 25_025)),
            helo: b"mx.example.net".to_vec(),
            sender: b"<>".to_vec(),
            sender_arguments: Vec::new(),
            recipients: Vec::new(),
            macros: Vec::new(),
        }
    }
}

/// One recipient of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// As the client wrote it, brackets included.
    pub address: Vec<u8>,
    /// ESMTP arguments of RCPT.
    pub arguments: Vec<Vec<u8>>,
}

impl Recipient {
    /// A recipient without arguments.
    pub fn new(address: &str) -> Self {
        Self { address: address.as_bytes().to_vec(), arguments: Vec::new() }
    }
}

/// What the SMTP client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// 250.
    Accept,
    /// 250, and nobody gets it.
    Discard,
    /// 5xx, with the whole reply.
    Reject(Vec<u8>),
    /// 4xx, with the whole reply.
    TempFail(Vec<u8>),
}

/// How a message fared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What was said to each RCPT, in the order of the envelope.
    pub recipients: Vec<Verdict>,
    /// The edits, in the order they came.
    pub modifications: Vec<Reply<'static>>,
    /// What was said to the message; where no recipient was left, what was said last.
    pub verdict: Verdict,
}

impl Outcome {
    /// What Postfix would deliver: `None` if it delivers nothing.
    pub fn deliver(&self, envelope: &Envelope, raw: &[u8], agreement: &Agreement) -> Option<Delivery> {
        if self.verdict != Verdict::Accept {
            return None;
        }
        let accepted = envelope.recipients.iter().zip(&self.recipients);
        let recipients = accepted
            .filter(|(_, verdict)| **verdict == Verdict::Accept)
            .map(|(recipient, _)| recipient.clone())
            .collect();
        let message = Message::parse(raw);
        let sender = envelope.sender.clone();
        Some(message::apply(&self.modifications, sender, recipients, message, agreement))
    }
}

impl Outcome {
    /// A message that was settled before its recipients were named.
    pub(super) fn without_recipients(envelope: &Envelope, verdict: Verdict) -> Self {
        let each = match &verdict {
            Verdict::Discard => Verdict::Accept,
            other => other.clone(),
        };
        Self { recipients: vec![each; envelope.recipients.len()], modifications: Vec::new(), verdict }
    }

    /// What the last recipient was told, if none was accepted.
    pub(super) fn all_refused(&self) -> Option<Verdict> {
        let refused = self.recipients.iter().all(|verdict| *verdict != Verdict::Accept);
        refused.then(|| self.recipients.last().cloned()).flatten()
    }
}

/// The verdict of a reply that ends something; `None` to go on. The texts are those of Postfix.
pub(super) fn decided(reply: &Option<Reply<'static>>) -> Option<Verdict> {
    match reply.as_ref()? {
        Reply::Accept => Some(Verdict::Accept),
        Reply::Discard => Some(Verdict::Discard),
        Reply::Reject => Some(Verdict::Reject(b"550 5.7.1 Command rejected".to_vec())),
        Reply::TempFail => {
            let text = b"451 4.7.1 Service unavailable - try again later";
            Some(Verdict::TempFail(text.to_vec()))
        }
        Reply::Shutdown => Some(Verdict::TempFail(b"421 4.7.0 Server closing connection".to_vec())),
        Reply::Code(code) if code.code() >= 500 => Some(Verdict::Reject(code.text())),
        Reply::Code(code) => Some(Verdict::TempFail(code.text())),
        _ => None,
    }
}
