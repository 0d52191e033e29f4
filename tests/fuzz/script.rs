//! Conversations from arbitrary bytes: what MTAs write, in an order that they may or may not keep, with texts that mean
//! something to the lists of [`super::session`] or nothing to anybody.

use arbitrary::{Arbitrary, Unstructured};
use perso_milter::milter::command::{Command, CommandStrings, EnvelopeAddress, Macros, Peer};
use perso_milter::milter::frame;
use perso_milter::milter::negotiate::Offer;
use perso_milter::milter::session::Phase;
use perso_milter::milter::wire::{Actions, Protocol};

const PATHS: [&[u8]; 16] = [
    b"<a@d.example>",
    b"<>",
    b"<alice@org.example>",
    b"<bob@org.example>",
    b"<carol@org.example>",
    b"<dan@org.example>",
    b"<eve@org.example>",
    b"<fay@org.example>",
    b"<greg@org.example>",
    b"<contact+fr@org.example>",
    b"<carol+Perso@org.example>",
    b"dan+junk@org.example",
    b"<@relay.example,@b.example:Carol+perso@ORG.example>",
    b"\"carol\"@org.example",
    b"<SRS0=x=y=d.example=a@fwd.example>",
    b"<prvs=0123abcdef=a@d.example>",
];
const ARGUMENTS: [&[u8]; 4] = [b"NOTIFY=SUCCESS,FAILURE", b"ORCPT=rfc822;x@y.example", b"SIZE=1000", b"notify=never"];
const NAMES: [&[u8]; 16] = [
    b"Subject",
    b"subject",
    b"From",
    b"To",
    b"Date",
    b"Message-ID",
    b"Received",
    b"Authentication-Results",
    b"X-Perso",
    b"x-perso-split",
    b"X-Perso-",
    b"X-Spam-Flag",
    b"x-spam-flag",
    b"X-Spam-Status",
    b"Sensitivity",
    b"X-Other",
];
const VALUES: [&[u8]; 12] = [
    b" a@d.example",
    b" A <a@D.example>",
    b" mx.example.org; dmarc=pass header.from=d.example",
    b" mx.example.org; spf=pass smtp.mailfrom=a@d.example",
    b" Hello",
    b" [PERSO] Hello",
    b" ***SPAM*** Hello",
    b" =?utf-8?Q?=C3=A9t=C3=A9?=",
    b" Re:\n\tHello",
    b" YES",
    b" v=1; k=00000000; s=AAAA",
    b"",
];

/// A text from the table that fits, one of the input's own, or one after the other.
#[derive(Debug, Arbitrary)]
enum Text {
    Known(u8),
    Own(Vec<u8>),
    Both(u8, Vec<u8>),
    /// So long that it reaches a limit.
    Long(u8, u16),
}

impl Text {
    /// A NUL would end the string on its way.
    fn bytes(&self, table: &[&[u8]]) -> Vec<u8> {
        let known = |index: &u8| table[usize::from(*index) % table.len()];
        let mut bytes = match self {
            Self::Known(index) => known(index).to_vec(),
            Self::Own(bytes) => bytes.clone(),
            Self::Both(index, bytes) => [known(index), bytes].concat(),
            Self::Long(byte, length) => vec![*byte; usize::from(*length)],
        };
        bytes.retain(|byte| *byte != 0);
        bytes
    }
}

#[derive(Debug, Arbitrary)]
enum Event {
    Offer { version: u8, actions: u32, protocol: u32 },
    OfferOfPostfix,
    OfferOfOldMta,
    Macros { event: u8, queue_id: Option<Vec<u8>>, authenticated: bool, daemon: Option<Vec<u8>>, more: Vec<u8> },
    Connect { family: u8, port: u16, address: Vec<u8> },
    Helo(Vec<u8>),
    Mail(Text),
    Recipient(Text, Vec<Text>),
    Data,
    Header(Text, Text),
    EndOfHeaders,
    Body(Vec<u8>),
    End,
    Abort,
    NewConnection,
    Quit,
    Frame(u8, Vec<u8>),
}

/// A whole conversation.
#[derive(Debug, Arbitrary)]
pub struct Script {
    /// Which of the daemons it is led with.
    pub house: u8,
    /// Whether the MTA leaves out what it may not send now.
    keeps_order: bool,
    events: Vec<Event>,
    /// What stands behind the last frame.
    rest: Vec<u8>,
}

impl Script {
    /// The script that `data` stands for; too short data are filled up.
    pub fn of(data: &[u8]) -> Option<Self> {
        Self::arbitrary_take_rest(Unstructured::new(data)).ok()
    }

    /// The bytes that the MTA writes.
    pub fn stream(&self) -> Vec<u8> {
        let (mut stream, mut phase) = (Vec::new(), Phase::Greeting);
        if self.keeps_order {
            Event::OfferOfPostfix.write(&mut stream);
            phase = Phase::Idle;
        }
        for event in &self.events {
            let mut frame = Vec::new();
            event.write(&mut frame);
            let next = phase.after(frame[4]);
            if next.is_some() || !self.keeps_order {
                stream.extend(frame);
            }
            phase = next.unwrap_or(phase);
        }
        stream.extend(&self.rest);
        stream
    }
}

impl Event {
    fn write(&self, output: &mut Vec<u8>) {
        let old = Offer { version: 2, actions: Actions::VERSION_2, protocol: Protocol::NONE };
        match self {
            Self::Offer { version, actions, protocol } => {
                let (actions, protocol) = (Actions::from_bits(*actions), Protocol::from_bits(*protocol));
                Command::Negotiate(Offer { version: u32::from(*version % 8), actions, protocol }).encode(output);
            }
            Self::OfferOfPostfix => Command::Negotiate(Offer::POSTFIX).encode(output),
            Self::OfferOfOldMta => Command::Negotiate(old).encode(output),
            Self::Macros { event, queue_id, authenticated, daemon, more } => {
                let event = b"CHMRTLNE"[usize::from(*event % 8)];
                let queue_id = queue_id.iter().flat_map(|id| [&b"i"[..], id]);
                let name = authenticated.then_some([&b"{auth_authen}"[..], b"alice"]).into_iter().flatten();
                let daemon = daemon.iter().flat_map(|name| [&b"{daemon_name}"[..], name]);
                let strings: Vec<_> = queue_id.chain(name).chain(daemon).chain([&more[..]]).collect();
                Command::Macros(Macros::new(event, CommandStrings::new(&strings).strings())).encode(output);
            }
            Self::Connect { family, port, address } => {
                let (port, address) = (*port, &address[..]);
                let peer = match family % 4 {
                    0 => Peer::Unknown,
                    1 => Peer::Unix { path: address },
                    2 => Peer::Inet { port, address },
                    _ => Peer::Inet6 { port, address },
                };
                Command::Connect { host: b"mx.example.net", peer }.encode(output);
            }
            Self::Helo(name) => Command::Helo(name).encode(output),
            Self::Mail(path) => {
                let (address, arguments) = (path.bytes(&PATHS), CommandStrings::default());
                Command::Mail(EnvelopeAddress { address: &address, arguments: arguments.strings() }).encode(output);
            }
            Self::Recipient(path, arguments) => {
                let arguments: Vec<_> = arguments.iter().map(|argument| argument.bytes(&ARGUMENTS)).collect();
                let (address, arguments) = (path.bytes(&PATHS), CommandStrings::new(&arguments));
                Command::Recipient(EnvelopeAddress { address: &address, arguments: arguments.strings() })
                    .encode(output);
            }
            Self::Data => Command::Data.encode(output),
            Self::Header(name, value) => {
                Command::Header { name: &name.bytes(&NAMES), value: &value.bytes(&VALUES) }.encode(output);
            }
            Self::EndOfHeaders => Command::EndOfHeaders.encode(output),
            Self::Body(bytes) => Command::Body(bytes).encode(output),
            Self::End => Command::EndOfMessage(b"").encode(output),
            Self::Abort => Command::Abort.encode(output),
            Self::NewConnection => Command::QuitNewConnection.encode(output),
            Self::Quit => Command::Quit.encode(output),
            Self::Frame(byte, payload) => frame::encode(output, *byte, |out| out.extend_from_slice(payload)),
        }
    }
}
