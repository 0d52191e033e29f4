//! One connection's conversation: bytes in, bytes out. No socket, no clock, no lock.
//!
//! The way of the bytes: [`FrameDecoder`] cuts frames, [`Command`] reads them, [`Phase`] says whether they may come now,
//! [`Transaction`] collects the message and decides it, [`Reply`] answers. Whatever is written for one event is one
//! block, so that the caller can send it in one write.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::vec::Drain;

use super::command::{Command, CommandError, EnvelopeAddress, Macros, Peer, Uncut, header_uncut};
use super::frame::{Frame, FrameDecoder, FrameError};
use super::negotiate::{Agreement, Event, NegotiationError, Offer, Wanted, negotiate};
use super::reply::{HeaderName, HeaderValue, Reply, ReplyCode, ReplyError, Text};
use super::settings::{Directory, Pass, Role, Settings};
use super::transaction::{MessageAnswer, OverLimit, RecipientAnswer, Submitter, Transaction};
use super::wire::{Actions, FRAME_MAX, LENGTH_BYTES, Protocol, Stage, command};
use crate::policy::action::SplitMode;
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
    /// negotiation (macros, HELO, an unknown command) changes nothing; ABORT is idempotent. MAIL may follow MAIL: Sendmail,
    /// told that MAIL gets no reply, sends no ABORT for a message that ends before its headers (seen on 8.17.1).
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
            (Idle | Envelope, command::MAIL) => Some(Envelope),
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

/// The MTA's queue id, as far as it is short: Postfix's have 20 characters at most, Sendmail's 14. It costs no memory of its
/// own, and becomes a text where a log line needs one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct QueueId {
    bytes: [u8; Self::MAX],
    length: u8,
}

impl QueueId {
    /// Longest id kept, in bytes; of a longer one its front.
    pub const MAX: usize = 48;

    fn new(value: &[u8]) -> Self {
        let length = value.len().min(Self::MAX);
        let mut bytes = [0; Self::MAX];
        bytes[..length].copy_from_slice(&value[..length]);
        Self { bytes, length: length as u8 }
    }
}

/// As it may stand in a log line.
impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = &self.bytes[..usize::from(self.length)];
        bytes.iter().try_for_each(|byte| f.write_char(if byte.is_ascii_graphic() { char::from(*byte) } else { '?' }))
    }
}

impl fmt::Debug for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Something an operator may want to know of; it says nothing of anybody's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A message ended.
    Message {
        /// The MTA's queue id, where it told us.
        queue_id: Option<QueueId>,
        /// Recipients that the MTA asked about and we accepted.
        recipients: usize,
    },
    /// A message was answered 451 or a recipient 452: it is over a limit. Where nothing may be refused it passed unedited.
    OverLimit {
        /// The MTA's queue id, where it told us.
        queue_id: Option<QueueId>,
        /// Which.
        limit: OverLimit,
        /// Whether it was refused for now.
        refused: bool,
    },
    /// A copy ended, in the second pass. Not for the log: it would tell which messages are split.
    Copy,
    /// A message came to the second pass that the first has not sent there; nobody's list is asked.
    Unmarked {
        /// The MTA's queue id, where it told us.
        queue_id: Option<QueueId>,
    },
    /// A second recipient came to the second pass, where the MTA must send one copy each; answered 451.
    SecondRecipient,
    /// An edit could not be written; the message was answered 451, or passed unedited where nothing may be refused.
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
        let refuses = match role {
            Role::Edge => replies == RecipientReplies::Needed,
            // A second recipient is refused for now.
            Role::Split => true,
            Role::Local => false,
        };
        if !refuses {
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
    thread: usize,
    phase: Phase,
    agreement: Option<Agreement>,
    client: Client,
    /// `{auth_authen}`: the name by which the MTA's client has logged in.
    login: Option<Box<str>>,
    queue_id: Option<QueueId>,
    transaction: Option<Box<Transaction>>,
    /// How many messages began, modulo 2^32.
    begun: u32,
    notices: Vec<Notice>,
}

impl<D: Directory> Session<D> {
    /// A new conversation. `max_frame` bounds one frame, in bytes.
    pub fn new(directory: Arc<D>, terms: Arc<Terms>, max_frame: u32) -> Self {
        let conversation = Conversation {
            thread: 0,
            phase: Phase::Greeting,
            agreement: None,
            client: Client::default(),
            login: None,
            queue_id: None,
            transaction: None,
            begun: 0,
            notices: Vec::new(),
        };
        Self { directory, terms, decoder: FrameDecoder::new(max_frame), conversation }
    }

    /// The same on another thread of the server than its first: see [`Directory::settings_for`].
    #[must_use]
    pub fn on_thread(mut self, thread: usize) -> Self {
        self.conversation.thread = thread;
        self
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

    /// The number, on this connection and modulo 2^32, of the message that is under way.
    pub fn message(&self) -> Option<u32> {
        self.conversation.transaction.as_ref().map(|_| self.conversation.begun)
    }

    /// The same, or the number of the one that comes next.
    pub fn message_or_next(&self) -> u32 {
        self.message().unwrap_or(self.conversation.begun.wrapping_add(1))
    }

    /// Whether the MTA has negotiated, and no frame is cut.
    pub fn is_at_rest(&self) -> bool {
        self.conversation.phase == Phase::Idle && !self.decoder.has_partial()
    }

    /// Whether the conversation stands within a frame or a message, where no MTA parts from us.
    pub fn is_cut_short(&self) -> bool {
        self.message().is_some() || self.decoder.has_partial()
    }

    /// Takes what there is to log since the last call.
    pub fn notices(&mut self) -> Drain<'_, Notice> {
        self.conversation.notices.drain(..)
    }
}

type Flow = ControlFlow<Result<(), SessionError>>;

impl Conversation {
    /// Most of what comes is seen to here: headers, and before each a macro packet that holds nothing but the event that it
    /// stands before.
    #[inline]
    fn frame(&mut self, directory: &impl Directory, terms: &Terms, frame: Frame<'_>, output: &mut Vec<u8>) -> Flow {
        let result = match (self.phase, frame.command) {
            (Phase::Idle | Phase::Envelope | Phase::Headers, command::MACRO) if frame.payload.len() == 1 => {
                return ControlFlow::Continue(());
            }
            (Phase::Envelope | Phase::Headers, command::HEADER) => match header_uncut(frame.payload) {
                Ok((name, value)) => {
                    self.header(name, value);
                    self.phase = Phase::Headers;
                    self.go_ahead(command::HEADER, output);
                    return ControlFlow::Continue(());
                }
                Err(error) => Err(error.into()),
            },
            _ => self.command(directory, terms, frame, output),
        };
        match result {
            Ok(Next::Continue) => ControlFlow::Continue(()),
            Ok(Next::Quit) => ControlFlow::Break(Ok(())),
            Err(error) => ControlFlow::Break(Err(error)),
        }
    }

    #[inline(never)]
    fn command(
        &mut self,
        directory: &impl Directory,
        terms: &Terms,
        frame: Frame<'_>,
        output: &mut Vec<u8>,
    ) -> Result<Next, SessionError> {
        let command = Command::parse(frame)?;
        let next = self.phase.after(frame.command).ok_or(SessionError::OutOfOrder(frame.command))?;
        // A mere go-ahead is left to write; what is answered otherwise, or never, has been seen to.
        let is_go_ahead = match command {
            Command::Negotiate(offer) => {
                self.negotiate(&offer, terms, output)?;
                false
            }
            Command::Macros(macros) => {
                self.macros(&macros);
                false
            }
            Command::Connect { peer, .. } => {
                self.connect(peer);
                true
            }
            Command::Mail(envelope) => {
                self.mail(directory, terms.role, &envelope);
                true
            }
            Command::Recipient(envelope) => {
                let reply = self.recipient(directory, terms.role, &envelope);
                if self.is_answered(command::RCPT) {
                    reply.encode(output);
                }
                false
            }
            Command::EndOfMessage(_) => {
                self.end_of_message(directory, terms.role, output);
                false
            }
            Command::Abort => {
                self.forget_message();
                false
            }
            Command::Quit => return Ok(Next::Quit),
            Command::QuitNewConnection => {
                self.forget_connection();
                false
            }
            // Headers have been seen to where they may come.
            Command::Header { .. } => true,
            Command::Helo(_) | Command::Unknown(_) | Command::Data | Command::EndOfHeaders | Command::Body(_) => true,
        };
        self.phase = next;
        if is_go_ahead {
            self.go_ahead(frame.command, output);
        }
        Ok(Next::Continue)
    }

    /// The answer to a command that nothing is said against, where the MTA waits for one.
    #[inline]
    fn go_ahead(&self, byte: u8, output: &mut Vec<u8>) {
        if self.is_answered(byte) {
            Reply::Continue.encode(output);
        }
    }

    #[inline]
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
                b"auth_authen" if macros.event == command::MAIL => {
                    self.login = (!value.is_empty()).then(|| text(value).into());
                }
                b"i" => self.queue_id = Some(QueueId::new(value)),
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
        let settings = directory.settings_for(self.thread);
        let circumstances = self.circumstances(&settings, role);
        let submitter = Submitter { path: envelope.address, login: self.login.as_deref() };
        self.transaction = Some(Box::new(Transaction::new(directory, settings, role.pass(), circumstances, submitter)));
        self.begun = self.begun.wrapping_add(1);
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
        let outbound = local || is_ours || submitted || self.login.is_some();
        let may = |actions| self.agreement.is_some_and(|agreement| agreement.may(actions));
        let keeps_space = self.agreement.is_some_and(|agreement| agreement.has(Protocol::HDR_LEADSPC));
        Circumstances {
            rejection: if role == Role::Edge && !local && !trusted { Rejection::Allowed } else { Rejection::Never },
            direction: if outbound { Direction::Outbound } else { Direction::Inbound },
            delimiter: settings.delimiter,
            leading: if keeps_space { LeadingSpace::Kept } else { LeadingSpace::Eaten },
            hold: may(Actions::QUARANTINE),
            split: match role.pass() {
                Pass::First => settings.split,
                Pass::Second => SplitMode::Off,
            },
        }
    }

    fn recipient(&mut self, directory: &impl Directory, role: Role, envelope: &EnvelopeAddress<'_>) -> Reply<'static> {
        let answered = self.is_answered(command::RCPT);
        let Some(transaction) = &mut self.transaction else { return Reply::Continue };
        if role == Role::Split && transaction.recipients() > 0 {
            self.notices.push(Notice::SecondRecipient);
            return code(451, "4.3.5", "One recipient at a time here");
        }
        match transaction.recipient(directory, envelope.address, envelope.arguments.iter(), answered) {
            RecipientAnswer::Accept => Reply::Continue,
            RecipientAnswer::Reject(text) => code(550, "5.7.1", &text),
            RecipientAnswer::OverLimit { limit, first } => {
                // The end of the message says it where the MTA waits for no answer here.
                if first && answered {
                    self.notices.push(Notice::OverLimit { queue_id: self.queue_id, limit, refused: true });
                }
                let text = if limit == OverLimit::Recipients { "Too many recipients" } else { "Recipient too long" };
                code(452, "4.5.3", text)
            }
        }
    }

    fn header(&mut self, name: &[u8], value: Uncut<'_>) {
        if let Some(transaction) = &mut self.transaction {
            transaction.header(name, value);
        }
    }

    fn end_of_message(&mut self, directory: &impl Directory, role: Role, output: &mut Vec<u8>) {
        let Some(transaction) = self.transaction.take() else { return };
        let recipients = transaction.recipients();
        if transaction.lacks_marker() {
            self.notices.push(Notice::Unmarked { queue_id: self.queue_id });
        }
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
                        if transaction.may_wait() { Reply::TempFail } else { Reply::Continue }
                    }
                }
            }
            MessageAnswer::Reject(text) => code(550, "5.7.1", &text),
            MessageAnswer::TempFail(limit) => {
                self.notices.push(Notice::OverLimit { queue_id: self.queue_id, limit, refused: true });
                code(451, "4.3.2", "Message is over a limit of this relay")
            }
            MessageAnswer::Unedited(limit) => {
                self.notices.push(Notice::OverLimit { queue_id: self.queue_id, limit, refused: false });
                Reply::Continue
            }
        };
        last.encode(output);
        self.notices.push(match role.pass() {
            Pass::First => Notice::Message { queue_id: self.queue_id.take(), recipients },
            Pass::Second => Notice::Copy,
        });
        self.forget_message();
    }

    fn forget_message(&mut self) {
        self.transaction = None;
        self.queue_id = None;
        self.login = None;
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
    let start = output.len();
    reply.encode(output);
    let length = output.len() - start - LENGTH_BYTES;
    if length > FRAME_MAX { Err(ReplyError::TooLong(reply.byte())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use super::super::command::Strings;
    use super::super::settings::Decided;
    use super::*;
    use crate::mark::MarkKey;
    use crate::milter::frame;
    use crate::policy::address::Address;
    use crate::policy::fixture::{organisation, user};
    use crate::policy::list::{Globs, ListKind, UserLists};
    use crate::split::SplitKey;

    /// Two users: alice lists a@d.example as personal, bob as black.
    struct Fake {
        settings: Arc<Settings>,
        users: HashMap<String, UserLists>,
        decided: Mutex<usize>,
    }

    impl Directory for Fake {
        fn settings(&self) -> Arc<Settings> {
            self.settings.clone()
        }

        fn lists(&self, address: &Address) -> Option<UserLists> {
            self.users.get(address.as_str()).cloned()
        }

        fn globs(&self, _lists: &UserLists) -> Option<Arc<Globs>> {
            None
        }

        fn decided(&self, _message: &Decided<'_>) {
            *self.decided.lock().expect("no panic") += 1;
        }
    }

    fn session() -> Session<Fake> {
        let mut settings = Settings::new(MarkKey::new(&[0; 32]), SplitKey::new(&[0; 32]))
            .with_organisations([Arc::new(organisation())]);
        settings.ours = Vec::new();
        let users = HashMap::from([
            ("alice@org.example".to_owned(), user(1, &[(ListKind::Personal, "a@d.example")])),
            ("bob@org.example".to_owned(), user(2, &[(ListKind::Black, "a@d.example")])),
        ]);
        let fake = Fake { settings: Arc::new(settings), users, decided: Mutex::new(0) };
        Session::new(Arc::new(fake), Arc::new(Terms::new(Role::Edge, RecipientReplies::Needed)), 65_536)
    }

    fn bytes(commands: &[Command<'_>]) -> Vec<u8> {
        let mut out = Vec::new();
        commands.iter().for_each(|command| command.encode(&mut out));
        out
    }

    fn envelope(address: &str) -> EnvelopeAddress<'_> {
        EnvelopeAddress { address: address.as_bytes(), arguments: Strings::default() }
    }

    fn message<'a>(recipients: &[&'a str]) -> Vec<Command<'a>> {
        let mut commands = vec![Command::Mail(envelope("<a@d.example>"))];
        commands.extend(recipients.iter().map(|recipient| Command::Recipient(envelope(recipient))));
        commands.push(Command::Header { name: b"Subject", value: b" Hi" });
        commands.push(Command::EndOfMessage(b""));
        commands
    }

    /// The replies in the bytes, the negotiation's answer left out.
    fn replies(mut output: &[u8]) -> Vec<Reply<'static>> {
        let mut all = Vec::new();
        while let Some((length, rest)) = output.split_first_chunk::<4>() {
            let (body, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
            output = rest;
            if body[0] != command::OPTNEG {
                all.push(Reply::parse(Frame { command: body[0], payload: &body[1..] }).expect("a reply").into_owned());
            }
        }
        all
    }

    fn summary(replies: &[Reply<'_>]) -> String {
        replies.iter().map(|reply| char::from(reply.byte())).collect()
    }

    #[test]
    fn a_phase_takes_what_may_come_and_nothing_else() {
        use Phase::{Envelope, Greeting, Headers, Idle};
        let expected: [(Phase, &[(u8, Phase)]); 4] = [
            (Greeting, &[(b'O', Idle), (b'Q', Greeting)]),
            (
                Idle,
                &[
                    (b'D', Idle),
                    (b'C', Idle),
                    (b'H', Idle),
                    (b'U', Idle),
                    (b'M', Envelope),
                    (b'A', Idle),
                    (b'Q', Idle),
                    (b'K', Greeting),
                ],
            ),
            (
                Envelope,
                &[
                    (b'D', Envelope),
                    (b'M', Envelope),
                    (b'H', Envelope),
                    (b'U', Envelope),
                    (b'R', Envelope),
                    (b'T', Envelope),
                    (b'L', Headers),
                    (b'N', Headers),
                    (b'B', Headers),
                    (b'E', Idle),
                    (b'A', Idle),
                    (b'Q', Envelope),
                    (b'K', Greeting),
                ],
            ),
            (
                Headers,
                &[
                    (b'D', Headers),
                    (b'H', Headers),
                    (b'U', Headers),
                    (b'L', Headers),
                    (b'N', Headers),
                    (b'B', Headers),
                    (b'E', Idle),
                    (b'A', Idle),
                    (b'Q', Headers),
                    (b'K', Greeting),
                ],
            ),
        ];
        for (phase, allowed) in expected {
            for byte in 0..=u8::MAX {
                let next = allowed.iter().find(|(known, _)| *known == byte).map(|(_, next)| *next);
                assert_eq!(phase.after(byte), next, "{phase:?} {:?}", char::from(byte));
            }
        }
    }

    #[test]
    fn a_message_is_answered_once_however_its_bytes_are_split() {
        let mut commands = vec![Command::Negotiate(Offer::POSTFIX)];
        commands.extend(message(&["<alice@org.example>"]));
        commands.push(Command::Abort);
        commands.extend(message(&["<bob@org.example>", "<alice@org.example>"]));
        commands.extend([Command::Abort, Command::Abort, Command::Quit]);
        let input = bytes(&commands);

        let mut whole = Vec::new();
        assert_eq!(session().receive(&input, &mut whole), Ok(Next::Quit));
        assert_eq!(summary(&replies(&whole)), "cmcycmc");
        let Reply::ChangeHeader { value, .. } = &replies(&whole)[1] else { panic!("no change") };
        assert_eq!(value.as_bytes(), b" [PERSO] Hi");

        let (mut bytewise, mut session) = (Vec::new(), session());
        for byte in &input {
            session.receive(std::slice::from_ref(byte), &mut bytewise).expect("in order");
        }
        assert_eq!(bytewise, whole);
        assert_eq!(*session.directory.decided.lock().expect("no panic"), 2);
    }

    #[test]
    fn an_abort_forgets_the_message_and_nothing_of_the_connection() {
        let mut session = session();
        let mut output = Vec::new();
        let start = bytes(&[Command::Negotiate(Offer::POSTFIX), Command::Mail(envelope("<x@d.example>"))]);
        session.receive(&start, &mut output).expect("in order");
        assert_eq!(session.message(), Some(1));
        session
            .receive(&bytes(&[Command::Recipient(envelope("<alice@org.example>")), Command::Abort]), &mut output)
            .expect("in order");
        assert!(session.message().is_none() && session.is_at_rest());
        output.clear();
        session.receive(&bytes(&message(&["<alice@org.example>"])), &mut output).expect("in order");
        assert_eq!(summary(&replies(&output)), "cmc");
    }

    #[test]
    fn a_second_mail_is_a_message_of_its_own() {
        let mut session = session();
        let first = [Command::Mail(envelope("<x@d.example>")), Command::Recipient(envelope("<bob@org.example>"))];
        let mut commands = vec![Command::Negotiate(Offer::POSTFIX)];
        commands.extend_from_slice(&first);
        commands.extend(message(&["<alice@org.example>"]));
        let mut output = Vec::new();
        session.receive(&bytes(&commands), &mut output).expect("in order");
        assert_eq!(summary(&replies(&output)), "ccmc");
        assert_eq!(session.notices().collect::<Vec<_>>(), [Notice::Message { queue_id: None, recipients: 1 }]);
        session.receive(&bytes(&first), &mut output).expect("in order");
        assert_eq!(session.message(), Some(3));
    }

    #[test]
    fn what_may_not_come_ends_the_conversation() {
        let negotiated = [Command::Negotiate(Offer::POSTFIX)];
        let cases: [(&[Command<'_>], u8); 5] = [
            (&[Command::Mail(envelope("<a@d.example>"))], b'M'),
            (&[negotiated[0], Command::Recipient(envelope("<a@d.example>"))], b'R'),
            (&[negotiated[0], Command::EndOfMessage(b"")], b'E'),
            (&[negotiated[0], negotiated[0]], b'O'),
            (
                &[negotiated[0], Command::Mail(envelope("<>")), Command::EndOfHeaders, Command::Mail(envelope("<>"))],
                b'M',
            ),
        ];
        for (commands, byte) in cases {
            let error = session().receive(&bytes(commands), &mut Vec::new());
            assert_eq!(error, Err(SessionError::OutOfOrder(byte)));
        }
        let mut unknown = bytes(&negotiated);
        frame::encode(&mut unknown, b'?', |_| {});
        assert_eq!(
            session().receive(&unknown, &mut Vec::new()),
            Err(SessionError::Command(CommandError::UnknownCommand(b'?')))
        );
    }

    #[test]
    fn roles_and_peers_that_must_not_be_refused_are_not() {
        let refused = |terms: Terms, extra: &[Command<'_>]| {
            let mut session = session();
            session.terms = Arc::new(terms);
            let mut commands = vec![Command::Negotiate(Offer { protocol: Protocol::NONE, ..Offer::POSTFIX })];
            commands.extend_from_slice(extra);
            commands.extend(message(&["<bob@org.example>"]));
            let mut output = Vec::new();
            session.receive(&bytes(&commands), &mut output).expect("in order");
            summary(&replies(&output)).contains('y')
        };
        let edge = || Terms::new(Role::Edge, RecipientReplies::Needed);
        assert!(refused(edge(), &[]));
        assert!(!refused(Terms::new(Role::Local, RecipientReplies::Needed), &[]));
        assert!(!refused(Terms::new(Role::Split, RecipientReplies::Needed), &[]));
        let peer = Peer::Inet { port: 0, address: b"127.0.0.1" };
        let queued = Strings::new(b"i\x004ABC\0").expect("whole");
        let local =
            [Command::Connect { host: b"localhost", peer }, Command::Macros(Macros::new(command::MAIL, queued))];
        assert!(!refused(edge(), &local));
        assert!(refused(edge(), &local[..1]));
    }

    #[test]
    fn a_message_over_a_limit_is_answered_451_and_said() {
        let mut session = session();
        let mut commands = vec![Command::Negotiate(Offer::POSTFIX), Command::Mail(envelope("<a@d.example>"))];
        commands.extend((0..1001).map(|_| Command::Header { name: b"X", value: b"y" }));
        commands.push(Command::EndOfMessage(b""));
        let mut output = Vec::new();
        session.receive(&bytes(&commands), &mut output).expect("in order");
        let Some(Reply::Code(answer)) = replies(&output).pop() else { panic!("no code") };
        assert_eq!(answer.code(), 451);
        assert!(matches!(session.notices().next(), Some(Notice::OverLimit { .. })));
    }

    #[test]
    fn a_queue_id_is_fit_for_a_log_line() {
        let long = "x".repeat(60);
        for (value, written) in [
            (&b"4d8Xw35q2Lz9sT"[..], "4d8Xw35q2Lz9sT"),
            (b"", ""),
            (b"A\nB C\x1b", "A?B?C?"),
            (b"\xff\xc3\xa9", "???"),
            (long.as_bytes(), &long[..QueueId::MAX]),
        ] {
            assert_eq!(QueueId::new(value).to_string(), written);
        }
    }

    #[test]
    fn the_second_pass_takes_one_recipient_at_a_time() {
        let mut session = session();
        session.terms = Arc::new(Terms::new(Role::Split, RecipientReplies::Needed));
        let mut commands = vec![Command::Negotiate(Offer::POSTFIX)];
        commands.extend(message(&["<alice@org.example>", "<bob@org.example>"]));
        let mut output = Vec::new();
        session.receive(&bytes(&commands), &mut output).expect("in order");
        assert_eq!(summary(&replies(&output)), "cyc");
        assert_eq!(session.notices().next(), Some(Notice::SecondRecipient));
    }

    #[test]
    fn local_mail_over_a_limit_passes_unedited_and_is_said() {
        let mut session = session();
        session.terms = Arc::new(Terms::new(Role::Local, RecipientReplies::NotNeeded));
        let recipients: Vec<String> = (0..1001).map(|n| format!("<alice+{n}@org.example>")).collect();
        let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
        let mut commands = vec![Command::Negotiate(Offer { protocol: Protocol::NONE, ..Offer::POSTFIX })];
        commands.extend(message(&recipients));
        let mut output = Vec::new();
        session.receive(&bytes(&commands), &mut output).expect("in order");
        let replies = summary(&replies(&output));
        assert_eq!(replies, "c".repeat(replies.len()));
        assert!(matches!(session.notices().next(), Some(Notice::OverLimit { refused: false, .. })));
    }

    #[test]
    fn an_mta_that_offers_less_is_served_with_less() {
        for version in 2..=6 {
            let offer = Offer { version, actions: Actions::VERSION_2, protocol: Protocol::NONE };
            let mut commands = vec![Command::Negotiate(offer), Command::Connect { host: b"h", peer: Peer::Unknown }];
            commands.push(Command::Helo(b"h"));
            commands.extend(message(&["<alice@org.example>"]));
            let mut output = Vec::new();
            session().receive(&bytes(&commands), &mut output).expect("in order");
            // Every event is answered, and without HDR_LEADSPC the MTA supplies the space.
            assert_eq!(summary(&replies(&output)), "cccccmc", "version {version}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_without_panic_and_within_bounds(input in proptest::collection::vec(0u8.., 0..2000)) {
            let mut session = session();
            let _ = session.receive(&input, &mut Vec::new());
            proptest::prop_assert!(session.decoder.held() <= 65_536);
        }

        #[test]
        fn any_order_of_commands_is_taken_without_panic(order in proptest::collection::vec(0usize..9, 0..40)) {
            let commands = [
                Command::Mail(envelope("<a@d.example>")), Command::Recipient(envelope("<alice@org.example>")),
                Command::Header { name: b"Subject", value: b"x" }, Command::EndOfHeaders, Command::EndOfMessage(b""),
                Command::Abort, Command::Data, Command::Helo(b"h"), Command::QuitNewConnection,
            ];
            let mut session = session();
            let mut output = Vec::new();
            let mut input = bytes(&[Command::Negotiate(Offer::POSTFIX)]);
            input.extend(bytes(&order.iter().map(|&n| commands[n]).collect::<Vec<_>>()));
            let _ = session.receive(&input, &mut output);
            let ends = order.iter().filter(|&&n| n == 4).count();
            proptest::prop_assert!(summary(&replies(&output)).matches('c').count() <= ends + order.len());
        }
    }
}
