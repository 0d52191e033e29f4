//! The MTA's side of the protocol, over a blocking socket: for the demo, the tests and the load generator.
//!
//! It behaves as Postfix does (MILTER.md): leaves out the events that the milter declined, awaits a reply only where one
//! is due, sends macros before each event, collects small writes until it needs an answer. It checks what it gets as
//! strictly as the strictest MTA: a surplus reply, an edit that was not agreed or a malformed frame is an error.
//!
//! [`dialogue`] is the part without a socket, [`message`] what becomes of the message.

pub mod dialogue;
pub mod message;
mod outcome;

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use dialogue::{Dialogue, Due, Macro};
use message::Message;
use outcome::decided;
pub use outcome::{Envelope, Outcome, Recipient, Verdict};

use super::command::{Command, CommandStrings, EnvelopeAddress, Peer};
use super::frame::{Frame, FrameDecoder, FrameError};
use super::listen::ListenAddress;
use super::negotiate::{Agreement, Answer, AnswerError, Event, Offer};
use super::reply::{Reply, ReplyError};
use super::wire::{self, Actions};

/// Postfix's buffer on a unix socket: what does not need an answer is collected up to here.
const WRITE_BUFFER: usize = 4096;

/// How to meet a milter.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// What is offered to it. Default: what Postfix 3.7.11 offers.
    pub offer: Offer,
    /// How long a reply may take. Default 30 s, as Postfix's `milter_command_timeout`.
    pub read_timeout: Duration,
    /// The largest frame taken from it (command byte and payload). Default [`wire::FRAME_MAX`].
    pub max_frame: u32,
    /// The most modifications of one message. Default 10,000.
    pub max_modifications: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            offer: Offer::POSTFIX,
            read_timeout: Duration::from_secs(30),
            max_frame: wire::FRAME_MAX as u32,
            max_modifications: 10_000,
        }
    }
}

/// What goes wrong between the MTA and a milter. Everything but `Io` is the milter's fault.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The socket: no connection, no answer in time, or closed (`UnexpectedEof`).
    #[error("the milter's socket: {0}")]
    Io(#[from] io::Error),
    /// A frame length that cannot be.
    #[error("the milter sent {0}")]
    Frame(#[from] FrameError),
    /// An answer to the negotiation that an MTA refuses.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// A reply that an MTA refuses.
    #[error("the milter sent a bad reply: {0}")]
    Reply(#[from] ReplyError),
    /// A reply that has no place here, such as an edit before end of message.
    #[error("the milter sent reply `{}` where it has no place", char::from(*.0))]
    Unexpected(u8),
    /// More replies than events: from here on mail and replies would be mixed up.
    #[error("the milter sent reply `{}` that nothing asked for", char::from(*.0))]
    Surplus(u8),
    /// An edit that was not agreed.
    #[error("the milter used {0}, which was not agreed")]
    NotAgreed(Actions),
    /// More edits than `max_modifications`.
    #[error("the milter sent more than {0} modifications")]
    TooMany(usize),
}

/// A connection to a milter. After an error it is of no further use.
#[derive(Debug)]
pub struct Client {
    stream: Stream,
    decoder: FrameDecoder,
    dialogue: Dialogue,
    replies: VecDeque<(u8, Vec<u8>)>,
    unsent: Vec<u8>,
    macros: Vec<Macro>,
    max_modifications: usize,
    greeting: Greeting,
}

/// Whether connect and HELO were told on this connection, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Greeting {
    Due,
    Done,
    /// Every message of the connection fares like this.
    Decided(Verdict),
}

impl Client {
    /// Connects and negotiates.
    ///
    /// # Errors
    /// [`ClientError`]; a milter that refuses what is offered closes, which is `Io` with `UnexpectedEof`.
    pub fn connect(address: &ListenAddress, options: &ClientOptions) -> Result<Self, ClientError> {
        let stream = Stream::connect(address)?;
        stream.set_read_timeout(options.read_timeout)?;
        let mut client = Self {
            stream,
            decoder: FrameDecoder::new(options.max_frame),
            dialogue: Dialogue::new(Answer { agreement: Agreement::new(options.offer), macros: Vec::new() }),
            replies: VecDeque::new(),
            unsent: Vec::new(),
            macros: Vec::new(),
            max_modifications: options.max_modifications,
            greeting: Greeting::Due,
        };
        Command::Negotiate(options.offer).encode(&mut client.unsent);
        let (byte, payload) = client.read_frame()?;
        if byte != wire::command::OPTNEG {
            return Err(ClientError::Unexpected(byte));
        }
        client.dialogue = Dialogue::new(Answer::parse(&payload, &options.offer)?);
        Ok(client)
    }

    /// What the milter agreed to.
    pub fn agreement(&self) -> &Agreement {
        self.dialogue.agreement()
    }

    /// How the milter wants to be spoken to.
    pub fn dialogue(&self) -> &Dialogue {
        &self.dialogue
    }

    /// Sets a macro, by name without braces, for the events that follow; an empty value unsets it.
    pub fn set_macro(&mut self, name: &[u8], value: &[u8]) {
        self.macros.retain(|known| known.name != name);
        if !value.is_empty() {
            self.macros.push(Macro::new(name, value));
        }
    }

    /// Tells where the SMTP client comes from.
    ///
    /// # Errors
    /// [`ClientError`]. `None` here and below: the event was not sent, or gets no reply.
    pub fn connection(&mut self, host: &[u8], peer: Peer<'_>) -> Result<Option<Reply<'static>>, ClientError> {
        self.event(&Command::Connect { host, peer })
    }

    /// HELO.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn helo(&mut self, name: &[u8]) -> Result<Option<Reply<'static>>, ClientError> {
        self.event(&Command::Helo(name))
    }

    /// MAIL.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn mail(&mut self, address: &[u8], arguments: &[Vec<u8>]) -> Result<Option<Reply<'static>>, ClientError> {
        let bare = message::bare_address(address).to_ascii_lowercase();
        self.set_macro(b"mail_addr", &bare);
        let arguments = CommandStrings::new(arguments);
        let arguments = arguments.strings();
        self.event(&Command::Mail(EnvelopeAddress { address, arguments }))
    }

    /// RCPT.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn recipient(&mut self, address: &[u8], arguments: &[Vec<u8>]) -> Result<Option<Reply<'static>>, ClientError> {
        let bare = message::bare_address(address).to_ascii_lowercase();
        self.set_macro(b"rcpt_addr", &bare);
        let arguments = CommandStrings::new(arguments);
        let arguments = arguments.strings();
        self.event(&Command::Recipient(EnvelopeAddress { address, arguments }))
    }

    /// DATA. What was collected is written, since Postfix hands the socket to another process here.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn data(&mut self) -> Result<Option<Reply<'static>>, ClientError> {
        let reply = self.event(&Command::Data)?;
        self.flush()?;
        Ok(reply)
    }

    /// One header; the value with its leading white space, folds as LF and white space.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn header(&mut self, name: &[u8], value: &[u8]) -> Result<Option<Reply<'static>>, ClientError> {
        let value = message::wire_value(value, self.agreement());
        self.event(&Command::Header { name, value })
    }

    /// End of headers.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn end_of_headers(&mut self) -> Result<Option<Reply<'static>>, ClientError> {
        self.event(&Command::EndOfHeaders)
    }

    /// A chunk of the body, with CRLF line ends, at most [`wire::BODY_CHUNK_MAX`] bytes.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn body(&mut self, chunk: &[u8]) -> Result<Option<Reply<'static>>, ClientError> {
        self.event(&Command::Body(chunk))
    }

    /// End of message: the modifications and the final reply.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn end_of_message(&mut self) -> Result<(Vec<Reply<'static>>, Reply<'static>), ClientError> {
        self.send(&Command::EndOfMessage(b""))?;
        let mut modifications = Vec::new();
        loop {
            let reply = self.read_reply()?;
            if !reply.is_modification() {
                return Ok((modifications, reply));
            }
            let needs = reply.needs();
            if !self.agreement().may(needs) {
                return Err(ClientError::NotAgreed(needs));
            }
            if modifications.len() == self.max_modifications {
                return Err(ClientError::TooMany(self.max_modifications));
            }
            modifications.push(reply);
        }
    }

    /// The message is over, or forgotten. No reply.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn abort(&mut self) -> Result<(), ClientError> {
        for name in [&b"i"[..], b"mail_addr", b"rcpt_addr"] {
            self.set_macro(name, b"");
        }
        self.send(&Command::Abort)?;
        self.flush()
    }

    /// Parts from the milter, which closes the connection, after whatever it still had to say.
    ///
    /// # Errors
    /// [`ClientError::Surplus`] if it did have something to say.
    pub fn quit(mut self) -> Result<(), ClientError> {
        self.send(&Command::Quit)?;
        self.flush()?;
        match self.read_frame() {
            Ok((byte, _)) => Err(ClientError::Surplus(byte)),
            Err(ClientError::Io(error)) if is_closed(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Sends one whole message as Postfix does, connect and HELO before the first, ABORT after each.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn send_message(&mut self, envelope: &Envelope, raw: &[u8]) -> Result<Outcome, ClientError> {
        for (name, value) in &envelope.macros {
            self.set_macro(name, value);
        }
        self.greet(envelope)?;
        if let Greeting::Decided(verdict) = self.greeting.clone() {
            return Ok(Outcome::without_recipients(envelope, verdict));
        }
        let outcome = self.transaction(envelope, raw)?;
        self.abort()?;
        Ok(outcome)
    }

    fn greet(&mut self, envelope: &Envelope) -> Result<(), ClientError> {
        if self.greeting != Greeting::Due {
            return Ok(());
        }
        let address = envelope.client_address;
        let text = address.map_or(Vec::new(), |(ip, _)| ip.to_string().into_bytes());
        let peer = match address {
            None => Peer::Unknown,
            Some((IpAddr::V4(_), port)) => Peer::Inet { port, address: &text },
            Some((IpAddr::V6(_), port)) => Peer::Inet6 { port, address: &text },
        };
        self.greeting = Greeting::Done;
        let mut reply = self.connection(&envelope.client_host, peer)?;
        if decided(&reply).is_none() {
            reply = self.helo(&envelope.helo)?;
        }
        if let Some(verdict) = decided(&reply) {
            self.greeting = Greeting::Decided(verdict);
        }
        Ok(())
    }

    fn transaction(&mut self, envelope: &Envelope, raw: &[u8]) -> Result<Outcome, ClientError> {
        let reply = self.mail(&envelope.sender, &envelope.sender_arguments)?;
        if let Some(verdict) = decided(&reply) {
            return Ok(Outcome::without_recipients(envelope, verdict));
        }
        let mut outcome = Outcome {
            recipients: Vec::with_capacity(envelope.recipients.len()),
            modifications: Vec::new(),
            verdict: Verdict::Accept,
        };
        for recipient in &envelope.recipients {
            let reply = self.recipient(&recipient.address, &recipient.arguments)?;
            let verdict = decided(&reply);
            // Accept and discard settle the message; later recipients are not shown to the milter.
            if matches!(verdict, Some(Verdict::Accept | Verdict::Discard)) {
                outcome.verdict = verdict.unwrap_or(Verdict::Accept);
                outcome.recipients.resize(envelope.recipients.len(), Verdict::Accept);
                return Ok(outcome);
            }
            outcome.recipients.push(verdict.unwrap_or(Verdict::Accept));
        }
        if let Some(verdict) = outcome.all_refused() {
            outcome.verdict = verdict;
            return Ok(outcome);
        }
        if let Some(verdict) = self.content(raw)? {
            outcome.verdict = verdict;
            return Ok(outcome);
        }
        let (modifications, reply) = self.end_of_message()?;
        outcome.modifications = modifications;
        outcome.verdict = decided(&Some(reply)).unwrap_or(Verdict::Accept);
        Ok(outcome)
    }

    /// DATA to the end of the body; a verdict if the milter decided before the end of the message.
    fn content(&mut self, raw: &[u8]) -> Result<Option<Verdict>, ClientError> {
        let message = Message::parse(raw);
        let reply = self.data()?;
        if let Some(verdict) = decided(&reply) {
            return Ok(Some(verdict));
        }
        for header in &message.headers {
            let reply = self.header(&header.name, &header.value)?;
            if let Some(verdict) = decided(&reply) {
                return Ok(Some(verdict));
            }
        }
        let reply = self.end_of_headers()?;
        if let Some(verdict) = decided(&reply) {
            return Ok(Some(verdict));
        }
        if self.agreement().is_skipped(Event::Body) {
            return Ok(None);
        }
        for chunk in message.wire_body().chunks(wire::BODY_CHUNK_MAX) {
            let reply = self.body(chunk)?;
            if reply == Some(Reply::Skip) {
                break;
            }
            if let Some(verdict) = decided(&reply) {
                return Ok(Some(verdict));
            }
        }
        Ok(None)
    }

    /// Sends an event other than end of message, and awaits its reply where one is due.
    fn event(&mut self, command: &Command<'_>) -> Result<Option<Reply<'static>>, ClientError> {
        if self.send(command)? != Due::Reply {
            return Ok(None);
        }
        let reply = self.read_reply()?;
        if reply.is_modification() {
            return Err(ClientError::Unexpected(reply.byte()));
        }
        Ok(Some(reply))
    }

    fn send(&mut self, command: &Command<'_>) -> Result<Due, ClientError> {
        if let Some((byte, _)) = self.replies.front() {
            return Err(ClientError::Surplus(*byte));
        }
        let due = self.dialogue.write(command, &self.macros, &mut self.unsent);
        if self.unsent.len() >= WRITE_BUFFER {
            self.flush()?;
        }
        Ok(due)
    }

    fn flush(&mut self) -> Result<(), ClientError> {
        self.stream.write_all(&self.unsent)?;
        self.unsent.clear();
        Ok(())
    }

    /// The next reply, other than "still busy".
    fn read_reply(&mut self) -> Result<Reply<'static>, ClientError> {
        loop {
            let (command, payload) = self.read_frame()?;
            let payload = &payload;
            let reply = Reply::parse(Frame { command, payload })?;
            if reply != Reply::Progress {
                return Ok(reply.into_owned());
            }
        }
    }

    fn read_frame(&mut self) -> Result<(u8, Vec<u8>), ClientError> {
        self.flush()?;
        let mut buffer = [0; 16 * 1024];
        loop {
            if let Some(frame) = self.replies.pop_front() {
                return Ok(frame);
            }
            let length = self.stream.read(&mut buffer)?;
            if length == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let replies = &mut self.replies;
            let _never_breaks = self.decoder.feed(&buffer[..length], |frame| {
                replies.push_back((frame.command, frame.payload.to_vec()));
                ControlFlow::<()>::Continue(())
            })?;
        }
    }
}

fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

#[derive(Debug)]
enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    fn connect(address: &ListenAddress) -> io::Result<Self> {
        match address {
            ListenAddress::Unix { path } => UnixStream::connect(path).map(Self::Unix),
            ListenAddress::Inet { .. } | ListenAddress::Inet6 { .. } => {
                let address = address.socket_address()?;
                let address = address.ok_or(io::ErrorKind::AddrNotAvailable)?;
                TcpStream::connect(address).map(Self::Tcp)
            }
        }
    }

    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.set_read_timeout(Some(timeout)),
            Self::Tcp(stream) => stream.set_read_timeout(Some(timeout)),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.write_all(bytes),
            Self::Tcp(stream) => stream.write_all(bytes),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }
}
