//! A server with a conversation that answers by the book, or with any other, and ways to meet it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use perso_milter::milter::client::{Client, ClientOptions, Envelope, Recipient};
use perso_milter::milter::command::Command;
use perso_milter::milter::frame::{self, Frame, FrameDecoder};
use perso_milter::milter::listen::{ListenAddress, ListenerOptions, bind};
use perso_milter::milter::negotiate::{Agreement, Event, Offer, Wanted, negotiate};
use perso_milter::milter::reply::{HeaderName, HeaderValue, Reply, ReplyCode};
use perso_milter::milter::server::{
    Closed, ConnectionInfo, Conversation, Conversations, Flow, Limits, Phase, Report, ServeError, Shutdown, serve,
};
use perso_milter::milter::wire::{Actions, FRAME_MAX, Protocol, reply};

/// Longer than anything here takes; only a failing test waits for it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A header that the mock adds: how many messages this connection has seen.
pub const COUNT_HEADER: &str = "X-Mock-Count";

/// What the mock does on a sender or recipient of this name.
pub const PANIC: &str = "<panic@example.org>";
pub const FLOOD: &str = "<flood@example.org>";
pub const BLOCKED: &str = "<blocked@example.org>";

/// Everything the mock saw.
#[derive(Default)]
pub struct Log {
    pub opened: Vec<ConnectionInfo>,
    pub closed: Vec<(u64, Closed)>,
    /// Command bytes, of all connections.
    pub commands: Vec<u8>,
}

pub struct Mock {
    pub log: Arc<Mutex<Log>>,
    pub wanted: Wanted,
}

pub struct MockConversation {
    number: u64,
    log: Arc<Mutex<Log>>,
    wanted: Wanted,
    decoder: FrameDecoder,
    state: State,
}

#[derive(Default)]
struct State {
    agreement: Option<Agreement>,
    in_message: bool,
    messages: u32,
    flood: bool,
}

impl Conversations for Mock {
    type Conversation = MockConversation;

    fn open(&self, connection: ConnectionInfo) -> MockConversation {
        let log = Arc::clone(&self.log);
        log.lock().unwrap().opened.push(connection);
        MockConversation {
            number: connection.number,
            log,
            wanted: self.wanted.clone(),
            decoder: FrameDecoder::new(FRAME_MAX as u32),
            state: State::default(),
        }
    }
}

impl Conversation for MockConversation {
    fn receive(&mut self, input: &[u8], output: &mut Vec<u8>) -> Flow {
        let (state, log, wanted) = (&mut self.state, &self.log, &self.wanted);
        let fed = self.decoder.feed(input, |frame| {
            log.lock().unwrap().commands.push(frame.command);
            state.take(frame, wanted, output)
        });
        match fed {
            Ok(ControlFlow::Continue(())) => Flow::Continue,
            Ok(ControlFlow::Break(())) | Err(_) => Flow::Close,
        }
    }

    fn phase(&self) -> Phase {
        if self.state.in_message {
            Phase::Message(self.state.messages)
        } else if self.state.agreement.is_none() {
            Phase::Negotiating
        } else if self.decoder.has_partial() {
            Phase::PartialFrame
        } else {
            Phase::Idle
        }
    }

    fn closed(&mut self, why: Closed) {
        self.log.lock().unwrap().closed.push((self.number, why));
    }
}

impl State {
    fn take(&mut self, frame: Frame<'_>, wanted: &Wanted, output: &mut Vec<u8>) -> ControlFlow<()> {
        let Ok(command) = Command::parse(frame) else {
            return ControlFlow::Break(());
        };
        let mut answer = Reply::Continue;
        match command {
            Command::Negotiate(offer) => {
                let Ok(agreement) = negotiate(&offer, wanted) else {
                    return ControlFlow::Break(());
                };
                agreement.encode(wanted, output);
                self.agreement = Some(agreement);
            }
            Command::Quit => return ControlFlow::Break(()),
            Command::Abort => self.in_message = false,
            Command::Mail(mail) => {
                assert_ne!(mail.address, PANIC.as_bytes(), "asked to panic");
                self.flood = mail.address == FLOOD.as_bytes();
                self.in_message = true;
                self.messages += 1;
            }
            Command::Recipient(recipient) if recipient.address == BLOCKED.as_bytes() => {
                let text = ["100% not wanted", "here"];
                answer = Reply::Code(ReplyCode::new(550, "5.7.1", &text).unwrap());
            }
            Command::EndOfMessage(_) => self.end(output),
            _ => {}
        }
        let Some(agreement) = &self.agreement else {
            return ControlFlow::Break(());
        };
        if Event::of_command(frame.command).is_some_and(|event| agreement.replies_to(event)) {
            answer.encode(output);
        }
        ControlFlow::Continue(())
    }

    fn end(&mut self, output: &mut Vec<u8>) {
        self.in_message = false;
        if self.flood {
            let chunk = vec![b'x'; 60_000];
            for _ in 0..100 {
                frame::encode(output, reply::REPLBODY, |out| out.extend_from_slice(&chunk));
            }
        }
        Reply::AddHeader {
            name: HeaderName::new(COUNT_HEADER.as_bytes()).unwrap(),
            value: HeaderValue::new(self.messages.to_string().into_bytes()).unwrap(),
        }
        .encode(output);
    }
}

/// A running server.
pub struct Running {
    pub address: ListenAddress,
    pub shutdown: Shutdown,
    pub log: Arc<Mutex<Log>>,
    thread: Option<JoinHandle<Result<Report, ServeError>>>,
    _directory: tempfile::TempDir,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Unix,
    Inet,
    Inet6,
}

pub const KINDS: [Kind; 3] = [Kind::Unix, Kind::Inet, Kind::Inet6];

/// The flags that Postfix gets most speed from, with replies at RCPT.
pub fn fast() -> Wanted {
    Wanted {
        required: Actions::ADDHDRS,
        optional: Actions::ALL,
        protocol: Protocol::from_bits(0x47390),
        macros: Vec::new(),
    }
}

/// A reply to everything.
pub fn chatty() -> Wanted {
    Wanted { protocol: Protocol::NONE, ..fast() }
}

pub fn start(kind: Kind, wanted: Wanted, limits: Limits) -> Running {
    let log = Arc::new(Mutex::new(Log::default()));
    let mock = Mock { log: Arc::clone(&log), wanted };
    let mut running = start_with(kind, limits, mock);
    running.log = log;
    running
}

/// A server with any conversations; what they did is not in its log.
pub fn start_with(kind: Kind, limits: Limits, conversations: impl Conversations) -> Running {
    let directory = tempfile::tempdir().unwrap();
    let address = match kind {
        Kind::Unix => format!("unix:{}/m.sock", directory.path().display()),
        Kind::Inet => "inet:0@127.0.0.1".to_owned(),
        Kind::Inet6 => "inet6:0@[::1]".to_owned(),
    };
    let listener = bind(&options(&address)).unwrap();
    let address = listener.local_address().clone();
    let shutdown = Shutdown::new();
    let asked = shutdown.clone();
    let thread = std::thread::spawn(move || serve(vec![listener], limits, Arc::new(conversations), asked));
    Running { address, shutdown, log: Arc::default(), thread: Some(thread), _directory: directory }
}

impl Running {
    pub fn client(&self) -> Client {
        self.client_offering(Offer::POSTFIX)
    }

    pub fn client_offering(&self, offer: Offer) -> Client {
        let options = ClientOptions { offer, read_timeout: PATIENCE, ..ClientOptions::default() };
        Client::connect(&self.address, &options).unwrap()
    }

    pub fn raw(&self) -> Raw {
        match &self.address {
            ListenAddress::Unix { path } => {
                let stream = UnixStream::connect(path).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                Raw::Unix(stream)
            }
            tcp => {
                let stream = TcpStream::connect(tcp.socket_address().unwrap().unwrap()).unwrap();
                stream.set_nodelay(true).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                Raw::Tcp(stream)
            }
        }
    }

    pub fn closed(&self) -> Vec<Closed> {
        let log = self.log.lock().unwrap();
        log.closed.iter().map(|(_, why)| *why).collect()
    }

    /// Asks for the end and waits for it.
    pub fn stop(mut self) -> Report {
        self.shutdown.trigger();
        self.thread.take().unwrap().join().unwrap().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.trigger();
    }
}

/// A peer that writes what it likes.
pub enum Raw {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Raw {
    /// Writes; the server may have closed already, which is for the test to find out by reading.
    pub fn write(&mut self, bytes: &[u8]) {
        let _ = match self {
            Self::Unix(stream) => stream.write_all(bytes),
            Self::Tcp(stream) => stream.write_all(bytes),
        };
    }

    /// Everything until the server closes.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let result = match self {
            Self::Unix(stream) => stream.read_to_end(&mut all),
            Self::Tcp(stream) => stream.read_to_end(&mut all),
        };
        match result {
            Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => {
                panic!("still open: {error}")
            }
            _ => all,
        }
    }

    /// Writes no more, as a peer that is cut off; what the server still had to say.
    pub fn cut(&mut self) -> Vec<u8> {
        match self {
            Self::Unix(stream) => stream.shutdown(std::net::Shutdown::Write),
            Self::Tcp(stream) => stream.shutdown(std::net::Shutdown::Write),
        }
        .unwrap();
        self.read_to_end()
    }

    /// The next frame: its byte and its payload.
    pub fn read_frame(&mut self) -> (u8, Vec<u8>) {
        let length = u32::from_be_bytes(self.read_exactly(4).try_into().unwrap());
        let mut frame = self.read_exactly(length as usize);
        (frame.remove(0), frame)
    }

    pub fn read_exactly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        match self {
            Self::Unix(stream) => stream.read_exact(&mut bytes),
            Self::Tcp(stream) => stream.read_exact(&mut bytes),
        }
        .unwrap();
        bytes
    }
}

pub fn options(address: &str) -> ListenerOptions {
    ListenerOptions { address: address.parse().unwrap(), mode: None, group: None }
}

pub fn limits() -> Limits {
    Limits { threads: 2.try_into().unwrap(), ..Limits::default() }
}

pub fn envelope(sender: &str, recipients: &[&str]) -> Envelope {
    Envelope {
        sender: sender.as_bytes().to_vec(),
        recipients: recipients.iter().map(|r| Recipient::new(r)).collect(),
        ..Envelope::default()
    }
}

pub fn frame(command: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::encode(&mut bytes, command, |out| out.extend_from_slice(payload));
    bytes
}

/// The offer of Postfix as a frame.
pub fn offer() -> Vec<u8> {
    let mut bytes = Vec::new();
    Command::Negotiate(Offer::POSTFIX).encode(&mut bytes);
    bytes
}

/// Frames of a stream.
pub fn frames(stream: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    let _ = FrameDecoder::new(1 << 24).feed(stream, |frame| {
        found.push((frame.command, frame.payload.to_vec()));
        ControlFlow::<()>::Continue(())
    });
    found
}

/// Polls until it holds.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
