//! One connection's conversation: bytes in, bytes out. No socket, no clock, no lock.
//!
//! The way of the bytes: [`FrameDecoder`] cuts frames, [`Command`] reads them, [`Phase`] says whether they may come now,
//! [`Transaction`] collects the message and decides it, [`Reply`] answers. Whatever is written for one event is one
//! block, so that the caller can send it in one write.

use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::command::{Command, CommandError, EnvelopeAddress, Macros, Peer};
use super::frame::{Frame, FrameDecoder, FrameError};
use super::negotiate::{Agreement, Event, NegotiationError, Offer, Wanted, negotiate};
use super::reply::{HeaderName, HeaderValue, Reply, ReplyCode, ReplyError, Text};
use super::settings::{Directory, Role, Settings};
use super::transaction::{MessageAnswer, OverLimit, RecipientAnswer, Transaction};
use super::wire::{Actions, Protocol, Stage, command};
use crate::policy::plan::{Circumstances, Direction, Modification, Rejection};
use crate::policy::subject::LeadingSpace;

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Nothing is agreed on yet.
    Greeting,
    /// Between two messages.
    Idle,
    /// After MAIL.
    Envelope,
    /// After the first header or the end of headers.
    Headers,
}

impl Phase {
    /// The phase that a command leads to, or `None` where it may not come now. What may come at any time after the
    /// negotiation (macros, HELO, an unknown command) changes nothing; ABORT is idempotent.
    pub fn after(self, byte: u8) -> Option<Self> {
        use Phase::{Envelope, Greeting, Headers, Idle};
        match (self, byte) {
            (_, command::QUIT) => Some(self),
            (Greeting, command::OPTNEG) => Some(Idle),
            (Greeting, _) => None,
            (_, command::QUIT_NC) => Some(Greeting),
            (_, command::ABORT) => Some(Idle),
            (_, command::MACRO | command::HELO | command::UNKNOWN) => Some(self),
            (Idle, command::CONNECT) => Some(Idle),
            (Idle, command::MAIL) => Some(Envelope),
            (Envelope, command::RCPT | command::DATA) => Some(Envelope),
            (Envelope | Headers, command::HEADER | command::EOH | command::BODY) => Some(Headers),
            (Envelope | Headers, command::BODYEOB) => Some(Idle),
            _ => None,
        }
    }
}

/// Why a conversation cannot go on. All of it is the MTA's doing, or that of whoever poses as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// No frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// No command.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A command that may not come now.
    #[error("command `{}` may not come now", char::from(*.0))]
    OutOfOrder(u8),
    /// An MTA that cannot be served.
    #[error(transparent)]
    Negotiation(#[from] NegotiationError),
}

/// What the caller does after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Read on.
    Continue,
    /// Write what there is and close: the MTA said QUIT.
    Quit,
}

/// Something an operator may want to know of; it says nothing of anybody's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A message ended.
    Message {
        /// The MTA's queue id, where it told us.
        queue_id: Option<String>,
        /// Recipients that the MTA asked about and we accepted.
        recipients: usize,
    },
    /// A message was answered 451 or a recipient 452: it is over a limit.
    OverLimit {
        /// The MTA's queue id, where it told us.
        queue_id: Option<String>,
        /// Which.
        limit: OverLimit,
    },
    /// An edit could not be written; the message was answered 451. Our fault.
    Unwritable(ReplyError),
}

/// What one listener's sessions have in common.
#[derive(Debug)]
pub struct Terms {
    role: Role,
    wanted: Wanted,
}

/// Whether the MTA waits for our answer to RCPT: needed to refuse there, and one more round trip for each recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecipientReplies {
    /// Some list may ask for a refusal.
    Needed,
    /// None does.
    NotNeeded,
}

impl Terms {
    /// The terms of a listener: the least that its role needs.
    pub fn new(role: Role, replies: RecipientReplies) -> Self {
        let silent = Protocol::NR_CONN | Protocol::NR_MAIL | Protocol::NR_HDR | Protocol::NR_EOH;
        let skipped = Protocol::NOHELO | Protocol::NODATA | Protocol::NOBODY | Protocol::NOUNKNOWN | Protocol::NOEOH;
        let mut protocol = silent | skipped | Protocol::HDR_LEADSPC;
        if role != Role::Edge || replies == RecipientReplies::NotNeeded {
            protocol = protocol | Protocol::NR_RCPT;
        }
        let macros = [
            (Stage::Connect, "{daemon_name}"),
            (Stage::Helo, ""),
            (Stage::Mail, "i {auth_authen}"),
            (Stage::Recipient, ""),
            (Stage::Data, ""),
            (Stage::EndOfMessage, "i"),
            (Stage::EndOfHeaders, ""),
        ];
        let wanted = Wanted {
            required: Actions::ADDHDRS | Actions::CHGHDRS | Actions::ADDRCPT | Actions::DELRCPT,
            optional: Actions::ADDRCPT_PAR | Actions::QUARANTINE,
            protocol,
            macros: macros.map(|(stage, names)| (stage, names.to_owned())).into(),
        };
        Self { role, wanted }
    }
}

/// What is known of the MTA's client, for all messages of a connection.
#[derive(Debug, Default)]
struct Client {
    address: Option<IpAddr>,
    port: Option<u16>,
    daemon_name: Option<Box<str>>,
}

/// Longest macro value kept, in bytes.
const MAX_MACRO: usize = 255;

/// A conversation with one MTA.
pub struct Session<D> {
    directory: Arc<D>,
    terms: Arc<Terms>,
    decoder: FrameDecoder,
    conversation: Conversation,
}

/// All but the decoder, so that frames can be borrowed from it meanwhile.
struct Conversation {
    phase: Phase,
    agreement: Option<Agreement>,
    client: Client,
    authenticated: bool,
    queue_id: Option<String>,
    transaction: Option<Box<Transaction>>,
    notices: Vec<Notice>,
}

impl<D: Directory> Session<D> {
    /// A new conversation. `max_frame` bounds one frame, in bytes.
    pub fn new(directory: Arc<D>, terms: Arc<Terms>, max_frame: u32) -> Self {
        let conversation = Conversation {
            phase: Phase::Greeting,
            agreement: None,
            client: Client::default(),
            authenticated: false,
            queue_id: None,
            transaction: None,
            notices: Vec::new(),
        };
        Self { directory, terms, decoder: FrameDecoder::new(max_frame), conversation }
    }

    /// Takes the bytes of one read and appends the answers to `output`.
    ///
    /// # Errors
    /// [`SessionError`]: the caller writes what is in `output`, closes, and logs one line.
    pub fn receive(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<Next, SessionError> {
        let (directory, terms, conversation) = (&*self.directory, &*self.terms, &mut self.conversation);
        let flow = self.decoder.feed(input, |frame| conversation.frame(directory, terms, frame, output))?;
        match flow {
            ControlFlow::Continue(()) => Ok(Next::Continue),
            ControlFlow::Break(ended) => ended.map(|()| Next::Quit),
        }
    }

    /// Where the conversation stands.
    pub fn phase(&self) -> Phase {
        self.conversation.phase
    }

    /// Whether a message is under way.
    pub fn in_message(&self) -> bool {
        self.conversation.transaction.is_some()
    }

    /// Whether the MTA has negotiated, and no frame is cut.
    pub fn is_at_rest(&self) -> bool {
        self.conversation.phase == Phase::Idle && !self.decoder.has_partial()
    }

    /// What there is to log since the last call.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.conversation.notices)
    }
}

type Flow = ControlFlow<Result<(), SessionError>>;

impl Conversation {
    fn frame(&mut self, directory: &impl Directory, terms: &Terms, frame: Frame<'_>, output: &mut Vec<u8>) -> Flow {
        match self.command(directory, terms, frame, output) {
            Ok(Next::Continue) => ControlFlow::Continue(()),
            Ok(Next::Quit) => ControlFlow::Break(Ok(())),
            Err(error) => ControlFlow::Break(Err(error)),
        }
    }

    fn command(
        &mut self,
        directory: &impl Directory,
        terms: &Terms,
        frame: Frame<'_>,
        output: &mut Vec<u8>,
    ) -> Result<Next, SessionError> {
        let command = Command::parse(frame)?;
        let next = self.phase.after(frame.command).ok_or(SessionError::OutOfOrder(frame.command))?;
        let reply = match command {
            Command::Negotiate(offer) => {
                self.negotiate(&offer, terms, output)?;
                None
            }
            Command::Macros(macros) => {
                self.macros(&macros);
                None
            }
            Command::Connect { peer, .. } => {
                self.connect(peer);
                Some(Reply::Continue)
            }
            Command::Mail(envelope) => {
                self.mail(directory, terms.role, &envelope);
                Some(Reply::Continue)
            }
            Command::Recipient(envelope) => Some(self.recipient(directory, &envelope)),
            Command::Header { name, value } => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.header(name, value);
                }
                Some(Reply::Continue)
            }
            Command::EndOfMessage(_) => {
                self.end_of_message(directory, output);
                None
            }
            Command::Abort => {
                self.forget_message();
                None
            }
            Command::Quit => return Ok(Next::Quit),
            Command::QuitNewConnection => {
                self.forget_connection();
                None
            }
            Command::Helo(_) | Command::Unknown(_) | Command::Data | Command::EndOfHeaders | Command::Body(_) => {
                Some(Reply::Continue)
            }
        };
        self.phase = next;
        if let Some(reply) = reply.filter(|_| self.is_answered(frame.command)) {
            reply.encode(output);
        }
        Ok(Next::Continue)
    }

    fn is_answered(&self, byte: u8) -> bool {
        let event = Event::of_command(byte);
        event.is_some_and(|event| self.agreement.as_ref().is_none_or(|agreement| agreement.replies_to(event)))
    }

    fn negotiate(&mut self, offer: &Offer, terms: &Terms, output: &mut Vec<u8>) -> Result<(), SessionError> {
        let agreement = negotiate(offer, &terms.wanted)?;
        agreement.encode(&terms.wanted, output);
        self.agreement = Some(agreement);
        Ok(())
    }

    fn macros(&mut self, macros: &Macros<'_>) {
        let text = |value: &[u8]| {
            let value = &value[..value.len().min(MAX_MACRO)];
            String::from_utf8_lossy(value).into_owned()
        };
        for (name, value) in macros.iter() {
            match name {
                b"daemon_name" => self.client.daemon_name = Some(text(value).into()),
                b"auth_authen" if macros.event == command::MAIL => self.authenticated = !value.is_empty(),
                b"i" => self.queue_id = Some(text(value)),
                _ => {}
            }
        }
    }

    fn connect(&mut self, peer: Peer<'_>) {
        let (address, port) = match peer {
            Peer::Inet { port, address } | Peer::Inet6 { port, address } => (address, Some(port)),
            Peer::Unix { .. } | Peer::Unknown => (&b""[..], None),
        };
        // Postfix gives names such as `unknown` here; such a client is simply nobody we know.
        let text = std::str::from_utf8(address).unwrap_or_default();
        self.client.address = text.strip_prefix("IPv6:").unwrap_or(text).parse().ok();
        self.client.port = port;
    }

    fn mail(&mut self, directory: &impl Directory, role: Role, envelope: &EnvelopeAddress<'_>) {
        let settings = directory.settings();
        let circumstances = self.circumstances(&settings, role);
        self.transaction = Some(Box::new(Transaction::new(settings, circumstances, envelope.address)));
    }

    fn circumstances(&self, settings: &Settings, role: Role) -> Circumstances {
        // Mail that a program on this host submits: no port, and queued before it is filtered.
        let local = role == Role::Local || (self.client.port == Some(0) && self.queue_id.is_some());
        let trusted = self.client.address.is_some_and(|address| settings.is_trusted_relay(address));
        let is_ours = self.client.address.is_some_and(|address| settings.is_ours(address));
        let submitted = self
            .client
            .daemon_name
            .as_ref()
            .is_some_and(|name| settings.submission_daemons.iter().any(|known| **known == **name));
        let outbound = local || is_ours || submitted || self.authenticated;
        let may = |actions| self.agreement.is_some_and(|agreement| agreement.may(actions));
        let keeps_space = self.agreement.is_some_and(|agreement| agreement.has(Protocol::HDR_LEADSPC));
        Circumstances {
            rejection: if role == Role::Edge && !local && !trusted { Rejection::Allowed } else { Rejection::Never },
            direction: if outbound { Direction::Outbound } else { Direction::Inbound },
            delimiter: settings.delimiter,
            leading: if keeps_space { LeadingSpace::Kept } else { LeadingSpace::Eaten },
            hold: may(Actions::QUARANTINE),
        }
    }

    fn recipient(&mut self, directory: &impl Directory, envelope: &EnvelopeAddress<'_>) -> Reply<'static> {
        let answered = self.is_answered(command::RCPT);
        let Some(transaction) = &mut self.transaction else { return Reply::Continue };
        match transaction.recipient(directory, envelope.address, envelope.arguments.iter(), answered) {
            RecipientAnswer::Accept => Reply::Continue,
            RecipientAnswer::Reject(text) => code(550, "5.7.1", &text),
            RecipientAnswer::TooMany => {
                // One line a message is enough.
                let limit = OverLimit::Recipients;
                let notice = Notice::OverLimit { queue_id: self.queue_id.clone(), limit };
                if self.notices.last() != Some(&notice) {
                    self.notices.push(notice);
                }
                code(452, "4.5.3", "Too many recipients")
            }
        }
    }

    fn end_of_message(&mut self, directory: &impl Directory, output: &mut Vec<u8>) {
        let Some(transaction) = self.transaction.take() else { return };
        let recipients = transaction.recipients();
        let start = output.len();
        let last = match transaction.finish(directory) {
            MessageAnswer::Accept(modifications) => {
                let may_keep_dsn = self.agreement.is_some_and(|agreement| agreement.may(Actions::ADDRCPT_PAR));
                let written = modifications.iter().try_for_each(|m| encode_modification(m, may_keep_dsn, output));
                match written {
                    Ok(()) => Reply::Continue,
                    Err(error) => {
                        // All or nothing: half an answer could add a recipient and not delete the other.
                        output.truncate(start);
                        self.notices.push(Notice::Unwritable(error));
                        Reply::TempFail
                    }
                }
            }
            MessageAnswer::Reject(text) => code(550, "5.7.1", &text),
            MessageAnswer::TempFail(limit) => {
                self.notices.push(Notice::OverLimit { queue_id: self.queue_id.clone(), limit });
                code(451, "4.3.2", "Message is over a limit of this relay")
            }
        };
        last.encode(output);
        self.notices.push(Notice::Message { queue_id: self.queue_id.take(), recipients });
        self.forget_message();
    }

    fn forget_message(&mut self) {
        self.transaction = None;
        self.queue_id = None;
        self.authenticated = false;
    }

    fn forget_connection(&mut self) {
        self.forget_message();
        self.agreement = None;
        self.client = Client::default();
    }
}

/// A reply code with a text from the configuration; a text that no SMTP reply can hold falls back to the plain refusal.
fn code(code: u16, enhanced: &str, text: &str) -> Reply<'static> {
    let plain = if code >= 500 { Reply::Reject } else { Reply::TempFail };
    ReplyCode::new(code, enhanced, &[text]).map_or(plain, Reply::Code)
}

fn encode_modification(
    modification: &Modification,
    may_keep_dsn: bool,
    output: &mut Vec<u8>,
) -> Result<(), ReplyError> {
    let reply = match modification {
        Modification::AddRecipient { path, arguments } if may_keep_dsn && !arguments.is_empty() => {
            Reply::AddRecipientWith { address: Text::new(path)?, arguments: Text::new(arguments)? }
        }
        Modification::AddRecipient { path, .. } => Reply::AddRecipient(Text::new(path)?),
        Modification::DeleteRecipient { path } => Reply::DeleteRecipient(Text::new(path)?),
        Modification::ChangeHeader { name, index, value } => Reply::ChangeHeader {
            index: *index,
            name: HeaderName::new(name.as_bytes())?,
            value: HeaderValue::cleaned(value),
        },
        Modification::DeleteHeader { name, index } => {
            Reply::ChangeHeader { index: *index, name: HeaderName::new(name.as_bytes())?, value: HeaderValue::DELETE }
        }
        Modification::AddHeader { name, value } => {
            Reply::AddHeader { name: HeaderName::new(name.as_bytes())?, value: HeaderValue::cleaned(value) }
        }
        Modification::Quarantine => Reply::Quarantine(Text::new(&b"held by perso-milter"[..])?),
    };
    reply.encode(output);
    Ok(())
}
