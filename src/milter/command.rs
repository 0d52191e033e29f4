//! Commands, MTA to milter: what a frame means, borrowed from its payload, and the way back into bytes.
//!
//! Everything is raw bytes; nothing is assumed to be UTF-8. The layout of each payload is in MILTER.md, "Wire". Where
//! a payload is odd, libmilter's reading is followed: what stands behind the last expected NUL is ignored, as is the
//! payload of a command that has none. A missing NUL or a cut number is an error, since then the frame was not written
//! by an MTA. Address texts are never judged here (family `4` with the text `unknown` is usual with XCLIENT).

use super::frame::{self, Frame};
use super::negotiate::Offer;
use super::wire::{command, family};

/// A command of the MTA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// SMFIC_OPTNEG: what the MTA offers. Answered by an agreement.
    Negotiate(Offer),
    /// SMFIC_MACRO. No reply.
    Macros(Macros<'a>),
    /// SMFIC_CONNECT.
    Connect {
        /// The name of the MTA's client; `[192.0.2.1]` when it has none.
        host: &'a [u8],
        /// Where it comes from.
        peer: Peer<'a>,
    },
    /// SMFIC_HELO: the argument of HELO or EHLO.
    Helo(&'a [u8]),
    /// SMFIC_UNKNOWN: an SMTP command line that the MTA does not know.
    Unknown(&'a [u8]),
    /// SMFIC_MAIL: the envelope sender as the client wrote it, brackets included.
    Mail(EnvelopeAddress<'a>),
    /// SMFIC_RCPT: a recipient as the client wrote it, before aliasing.
    Recipient(EnvelopeAddress<'a>),
    /// SMFIC_DATA.
    Data,
    /// SMFIC_HEADER. Folds are LF and white space.
    Header {
        /// The name, without the colon.
        name: &'a [u8],
        /// The value; with its leading space only if HDR_LEADSPC was agreed.
        value: &'a [u8],
    },
    /// SMFIC_EOH.
    EndOfHeaders,
    /// SMFIC_BODY: a chunk of the body.
    Body(&'a [u8]),
    /// SMFIC_BODYEOB: end of message, with the last bytes of the body (neither Postfix nor Sendmail sends any).
    EndOfMessage(&'a [u8]),
    /// SMFIC_ABORT. No reply.
    Abort,
    /// SMFIC_QUIT. No reply.
    Quit,
    /// SMFIC_QUIT_NC. No reply.
    QuitNewConnection,
}

/// A frame that is not a command of the protocol: the MTA's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No command has this byte.
    #[error("unknown command byte {0:#04x}")]
    UnknownCommand(u8),
    /// A string is not ended by a NUL.
    #[error("command `{}`: {field} without its NUL", char::from(*command))]
    MissingNul {
        /// The command byte.
        command: u8,
        /// The string in question.
        field: &'static str,
    },
    /// The payload ends within a field of fixed size.
    #[error("command `{}`: the payload ends before {field}", char::from(*command))]
    Truncated {
        /// The command byte.
        command: u8,
        /// The field in question.
        field: &'static str,
    },
}

impl<'a> Command<'a> {
    /// Reads a frame.
    ///
    /// # Errors
    /// [`CommandError`]; every byte string is either a command or an error.
    #[inline]
    pub fn parse(frame: Frame<'a>) -> Result<Self, CommandError> {
        let mut fields = Fields { command: frame.command, rest: frame.payload };
        Ok(match frame.command {
            command::OPTNEG => Self::Negotiate(Offer {
                version: fields.number("the version")?,
                actions: super::wire::Actions::from_bits(fields.number("the actions")?),
                protocol: super::wire::Protocol::from_bits(fields.number("the protocol flags")?),
            }),
            command::MACRO => Self::Macros(Macros {
                event: fields.byte("the event's command byte")?,
                pairs: fields.strings("the last macro")?,
            }),
            command::CONNECT => Self::Connect { host: fields.string("host")?, peer: fields.peer()? },
            command::HELO => Self::Helo(fields.string("HELO argument")?),
            command::UNKNOWN => Self::Unknown(fields.string("SMTP command")?),
            command::MAIL => Self::Mail(fields.envelope()?),
            command::RCPT => Self::Recipient(fields.envelope()?),
            command::DATA => Self::Data,
            command::HEADER => {
                let (name, value) = header(frame.payload)?;
                Self::Header { name, value }
            }
            command::EOH => Self::EndOfHeaders,
            command::BODY => Self::Body(frame.payload),
            command::BODYEOB => Self::EndOfMessage(frame.payload),
            command::ABORT => Self::Abort,
            command::QUIT => Self::Quit,
            command::QUIT_NC => Self::QuitNewConnection,
            unknown => return Err(CommandError::UnknownCommand(unknown)),
        })
    }

    /// The command byte.
    pub fn byte(&self) -> u8 {
        match self {
            Self::Negotiate(_) => command::OPTNEG,
            Self::Macros(_) => command::MACRO,
            Self::Connect { .. } => command::CONNECT,
            Self::Helo(_) => command::HELO,
            Self::Unknown(_) => command::UNKNOWN,
            Self::Mail(_) => command::MAIL,
            Self::Recipient(_) => command::RCPT,
            Self::Data => command::DATA,
            Self::Header { .. } => command::HEADER,
            Self::EndOfHeaders => command::EOH,
            Self::Body(_) => command::BODY,
            Self::EndOfMessage(_) => command::BODYEOB,
            Self::Abort => command::ABORT,
            Self::Quit => command::QUIT,
            Self::QuitNewConnection => command::QUIT_NC,
        }
    }

    /// Appends the command as a frame. A NUL within a string ends it for the reader; the writer sees to it.
    pub fn encode(&self, output: &mut Vec<u8>) {
        frame::encode(output, self.byte(), |out| match self {
            Self::Negotiate(offer) => offer.encode(out),
            Self::Macros(macros) => {
                out.push(macros.event);
                out.extend_from_slice(macros.pairs.bytes);
            }
            Self::Connect { host, peer } => {
                push_string(out, host);
                peer.encode(out);
            }
            Self::Helo(text) | Self::Unknown(text) => push_string(out, text),
            Self::Mail(envelope) | Self::Recipient(envelope) => {
                push_string(out, envelope.address);
                out.extend_from_slice(envelope.arguments.bytes);
            }
            Self::Header { name, value } => {
                push_string(out, name);
                push_string(out, value);
            }
            Self::Body(bytes) | Self::EndOfMessage(bytes) => out.extend_from_slice(bytes),
            Self::Data | Self::EndOfHeaders | Self::Abort | Self::Quit | Self::QuitNewConnection => {}
        });
    }
}

/// Name and value of a header, from the payload of [`Command::Header`].
///
/// # Errors
/// [`CommandError`], where one of them lacks its NUL.
fn header(payload: &[u8]) -> Result<(&[u8], &[u8]), CommandError> {
    let (name, value) = header_uncut(payload)?;
    Ok((name, value.text()))
}

/// The same, as far as most headers need it: those that mean nothing here.
///
/// # Errors
/// Those of [`header`].
#[inline]
pub(super) fn header_uncut(payload: &[u8]) -> Result<(&[u8], Uncut<'_>), CommandError> {
    let mut fields = Fields { command: command::HEADER, rest: payload };
    let name = fields.short_string("header name")?;
    // What ends with a NUL has one.
    let value = match fields.rest.split_last() {
        Some((0, value)) => value,
        _ => fields.string("header value")?,
    };
    Ok((name, Uncut(value)))
}

/// The value of a header, and possibly what stands behind the NUL that ends it, which no MTA sends.
#[derive(Debug, Clone, Copy)]
pub struct Uncut<'a>(&'a [u8]);

/// A value that has no NUL, or ends with its first.
impl<'a> From<&'a [u8]> for Uncut<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self(value)
    }
}

impl<'a> Uncut<'a> {
    /// The value.
    pub fn text(self) -> &'a [u8] {
        split_nul(self.0).map_or(self.0, |(before, _)| before)
    }

    /// Its length, in bytes, with what may stand behind it.
    pub fn length(self) -> usize {
        self.0.len()
    }
}

/// Where the MTA's client comes from. The texts are the MTA's and need not parse as addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer<'a> {
    /// SMFIA_UNKNOWN, or a family that the protocol does not know.
    Unknown,
    /// SMFIA_UNIX.
    Unix {
        /// Its socket.
        path: &'a [u8],
    },
    /// SMFIA_INET.
    Inet {
        /// 0 for local mail.
        port: u16,
        /// For example `192.0.2.1`, or `unknown`.
        address: &'a [u8],
    },
    /// SMFIA_INET6.
    Inet6 {
        /// 0 for local mail.
        port: u16,
        /// For example `2001:db8::5`.
        address: &'a [u8],
    },
}

impl Peer<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        let (byte, port, text) = match self {
            Self::Unknown => return out.push(family::UNKNOWN),
            Self::Unix { path } => (family::UNIX, 0, *path),
            Self::Inet { port, address } => (family::INET, *port, *address),
            Self::Inet6 { port, address } => (family::INET6, *port, *address),
        };
        out.push(byte);
        out.extend_from_slice(&port.to_be_bytes());
        push_string(out, text);
    }
}

/// An address of the envelope with its ESMTP arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvelopeAddress<'a> {
    /// The address as the client wrote it.
    pub address: &'a [u8],
    /// `SIZE=1000`, `NOTIFY=NEVER` and the like.
    pub arguments: Strings<'a>,
}

/// Strings in a row, each ended by a NUL, still in the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Strings<'a> {
    /// Empty, or ends with a NUL.
    bytes: &'a [u8],
}

impl<'a> Strings<'a> {
    /// The strings in `bytes`; `None` if the last lacks its NUL.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        matches!(bytes.last(), None | Some(0)).then_some(Self { bytes })
    }

    /// One string after the other, empty ones too.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            let (string, after) = split_nul(rest)?;
            rest = after;
            Some(string)
        })
    }

    /// The bytes as in the frame, NULs included.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Strings on their way into a command, each with its NUL.
#[derive(Debug, Clone, Default)]
pub struct CommandStrings(Vec<u8>);

impl CommandStrings {
    /// Joins the strings. One with a NUL within would read as two; the writer sees to it.
    pub fn new(strings: &[impl AsRef<[u8]>]) -> Self {
        let mut bytes = Vec::new();
        for string in strings {
            push_string(&mut bytes, string.as_ref());
        }
        Self(bytes)
    }

    /// The strings, for a command.
    pub fn strings(&self) -> Strings<'_> {
        Strings { bytes: &self.0 }
    }
}

/// The macros that the MTA gives for one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Macros<'a> {
    /// The command byte of the event they belong to; not checked.
    pub event: u8,
    pairs: Strings<'a>,
}

impl<'a> Macros<'a> {
    /// Macros for an event, of strings that alternate: name, value.
    pub fn new(event: u8, pairs: Strings<'a>) -> Self {
        Self { event, pairs }
    }

    /// Name and value of each macro, in order. The braces of long names are taken off, so `{rcpt_addr}` reads `rcpt_addr`
    /// and `i` reads `i`. A last name without a value is left out.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut strings = self.pairs.iter();
        std::iter::from_fn(move || Some((unbraced(strings.next()?), strings.next()?)))
    }

    /// The value of the first macro with this name, braces or not.
    pub fn get(&self, name: &[u8]) -> Option<&'a [u8]> {
        let wanted = unbraced(name);
        self.iter().find_map(|(name, value)| (name == wanted).then_some(value))
    }
}

/// A payload, read from the front.
struct Fields<'a> {
    command: u8,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn string(&mut self, field: &'static str) -> Result<&'a [u8], CommandError> {
        let (string, rest) = split_nul(self.rest).ok_or(CommandError::MissingNul { command: self.command, field })?;
        self.rest = rest;
        Ok(string)
    }

    /// The same, for a text so short that it is read before a search for many bytes at once has begun.
    fn short_string(&mut self, field: &'static str) -> Result<&'a [u8], CommandError> {
        let (words, _) = self.rest.as_chunks();
        let end = words.iter().position(|word| nul_in(*word) < 8).map(|word| word * 8 + nul_in(words[word]));
        match end {
            Some(end) => {
                let (string, rest) = (&self.rest[..end], &self.rest[end + 1..]);
                self.rest = rest;
                Ok(string)
            }
            None => self.string(field),
        }
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], CommandError> {
        let (bytes, rest) =
            self.rest.split_first_chunk().ok_or(CommandError::Truncated { command: self.command, field })?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn byte(&mut self, field: &'static str) -> Result<u8, CommandError> {
        self.array(field).map(|[byte]| byte)
    }

    fn number(&mut self, field: &'static str) -> Result<u32, CommandError> {
        self.array(field).map(u32::from_be_bytes)
    }

    fn strings(&mut self, field: &'static str) -> Result<Strings<'a>, CommandError> {
        Strings::new(std::mem::take(&mut self.rest)).ok_or(CommandError::MissingNul { command: self.command, field })
    }

    fn envelope(&mut self) -> Result<EnvelopeAddress<'a>, CommandError> {
        Ok(EnvelopeAddress { address: self.string("address")?, arguments: self.strings("ESMTP argument")? })
    }

    fn peer(&mut self) -> Result<Peer<'a>, CommandError> {
        let byte = self.byte("the address family")?;
        if !matches!(byte, family::UNIX | family::INET | family::INET6) {
            return Ok(Peer::Unknown);
        }
        let port = self.array("the port").map(u16::from_be_bytes)?;
        let address = self.string("client address")?;
        Ok(match byte {
            family::UNIX => Peer::Unix { path: address },
            family::INET => Peer::Inet { port, address },
            _ => Peer::Inet6 { port, address },
        })
    }
}

/// Appends a string and its NUL.
pub(super) fn push_string(out: &mut Vec<u8>, string: &[u8]) {
    out.extend_from_slice(string);
    out.push(0);
}

/// What stands before and after the first NUL.
pub(super) fn split_nul(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(0, bytes)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// Where the first NUL of eight bytes is; 8 where there is none. Of the bytes from the lowest up, the first that is 0 is the
/// first whose top bit is set by taking 1 from each, and was not before.
fn nul_in(bytes: [u8; 8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = u64::from_le_bytes([0x80; 8]);
    let word = u64::from_le_bytes(bytes);
    ((word.wrapping_sub(ONES) & !word & TOPS).trailing_zeros() / 8) as usize
}

fn unbraced(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"{").and_then(|name| name.strip_suffix(b"}")).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::super::wire::{Actions, Protocol};
    use super::*;

    fn parse(command: u8, payload: &[u8]) -> Result<Command<'_>, CommandError> {
        Command::parse(Frame { command, payload })
    }

    fn envelope<'a>(address: &'a [u8], arguments: &'a [u8]) -> EnvelopeAddress<'a> {
        EnvelopeAddress { address, arguments: Strings { bytes: arguments } }
    }

    /// What Postfix writes, and what it means.
    fn samples() -> Vec<(u8, &'static [u8], Command<'static>)> {
        vec![
            (
                b'O',
                b"\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff",
                Command::Negotiate(Offer { version: 6, actions: Actions::ALL, protocol: Protocol::ALL }),
            ),
            (
                b'D',
                b"Ri\x004ABC\0{rcpt_addr}\0a@example.org\0",
                Command::Macros(Macros {
                    event: b'R',
                    pairs: Strings { bytes: b"i\x004ABC\0{rcpt_addr}\0a@example.org\0" },
                }),
            ),
            (
                b'C',
                b"mx.example.net\x004\x04\xd2192.0.2.1\0",
                Command::Connect { host: b"mx.example.net", peer: Peer::Inet { port: 1234, address: b"192.0.2.1" } },
            ),
            (
                b'C',
                b"[2001:db8::5]\x006\0\x192001:db8::5\0",
                Command::Connect { host: b"[2001:db8::5]", peer: Peer::Inet6 { port: 25, address: b"2001:db8::5" } },
            ),
            (
                b'C',
                b"localhost\0L\0\0/run/sock\0",
                Command::Connect { host: b"localhost", peer: Peer::Unix { path: b"/run/sock" } },
            ),
            (b'C', b"unknown\0U", Command::Connect { host: b"unknown", peer: Peer::Unknown }),
            (b'H', b"mx\0", Command::Helo(b"mx")),
            (b'U', b"XYZ 1\0", Command::Unknown(b"XYZ 1")),
            (b'M', b"<>\0", Command::Mail(envelope(b"<>", b""))),
            (
                b'R',
                b"<a@b>\0NOTIFY=NEVER\0ORCPT=rfc822;a@b\0",
                Command::Recipient(envelope(b"<a@b>", b"NOTIFY=NEVER\0ORCPT=rfc822;a@b\0")),
            ),
            (b'T', b"", Command::Data),
            (b'L', b"Subject\0 caf\xe9\n folded\0", Command::Header { name: b"Subject", value: b" caf\xe9\n folded" }),
            (b'N', b"", Command::EndOfHeaders),
            (b'B', b"a\0b\r\n", Command::Body(b"a\0b\r\n")),
            (b'E', b"rest", Command::EndOfMessage(b"rest")),
            (b'A', b"", Command::Abort),
            (b'Q', b"", Command::Quit),
            (b'K', b"", Command::QuitNewConnection),
        ]
    }

    #[test]
    fn commands_are_read_and_written_as_postfix_writes_them() {
        for (byte, payload, expected) in samples() {
            assert_eq!(parse(byte, payload), Ok(expected));
            let mut bytes = Vec::new();
            expected.encode(&mut bytes);
            let mut frame = (payload.len() as u32 + 1).to_be_bytes().to_vec();
            frame.push(byte);
            frame.extend_from_slice(payload);
            assert_eq!(bytes, frame, "{expected:?}");
        }
    }

    #[test]
    fn cut_payloads_are_errors_and_never_panic() {
        for (byte, payload, _) in samples() {
            for end in 0..payload.len() {
                let result = parse(byte, &payload[..end]);
                let whole_strings = payload[..end].ends_with(b"\0");
                // What may be cut at will: bodies, and lists cut behind a whole string.
                let free = matches!(byte, b'B' | b'E')
                    || (matches!(byte, b'M' | b'R') && whole_strings)
                    || (byte == b'D' && (whole_strings || end == 1));
                assert_eq!(result.is_ok(), free, "{byte} {end} {result:?}");
            }
        }
    }

    #[test]
    fn errors_name_the_field() {
        let cases: [(u8, &[u8], &str); 7] = [
            (b'Z', b"", "unknown command byte 0x5a"),
            (b'O', b"\0\0\0\x06\0\0\x01", "command `O`: the payload ends before the actions"),
            (b'D', b"", "command `D`: the payload ends before the event's command byte"),
            (b'D', b"Ri", "command `D`: the last macro without its NUL"),
            (b'C', b"a\x004\0", "command `C`: the payload ends before the port"),
            (b'L', b"Subject\0x", "command `L`: header value without its NUL"),
            (b'R', b"<a@b>\0X", "command `R`: ESMTP argument without its NUL"),
        ];
        for (byte, payload, text) in cases {
            assert_eq!(parse(byte, payload).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn odd_payloads_are_read_as_libmilter_reads_them() {
        let cases: [(u8, &[u8], Command<'static>); 5] = [
            // A NUL in the value ends it.
            (b'L', b"A\0b\0c\0", Command::Header { name: b"A", value: b"b" }),
            (b'H', b"mx\0more", Command::Helo(b"mx")),
            (b'T', b"x", Command::Data),
            (b'A', b"x", Command::Abort),
            // A family that nobody knows.
            (b'C', b"h\0?\0", Command::Connect { host: b"h", peer: Peer::Unknown }),
        ];
        for (byte, payload, expected) in cases {
            assert_eq!(parse(byte, payload), Ok(expected));
        }
    }

    #[test]
    fn the_address_text_is_not_judged() {
        let Ok(Command::Connect { peer, .. }) = parse(b'C', b"unknown\x004\0\0unknown\0") else {
            panic!("a connect command");
        };
        assert_eq!(peer, Peer::Inet { port: 0, address: b"unknown" });
    }

    #[test]
    fn macros_are_found_with_braces_or_without() {
        let Ok(Command::Macros(macros)) = parse(b'D', b"Mi\x004A\0{mail_addr}\0a@b\0{odd}\0") else {
            panic!("macros");
        };
        let pairs: Vec<_> = macros.iter().collect();
        assert_eq!(pairs, [(&b"i"[..], &b"4A"[..]), (b"mail_addr", b"a@b")]);
        assert_eq!(macros.get(b"{mail_addr}"), Some(&b"a@b"[..]));
        assert_eq!(macros.get(b"mail_addr"), Some(&b"a@b"[..]));
        assert_eq!(macros.get(b"odd"), None, "it has no value");
    }

    #[test]
    fn strings_keep_empty_ones() {
        let strings = Strings::new(b"a\0\0b\0").unwrap();
        let all: Vec<_> = strings.iter().collect();
        assert_eq!(all, [&b"a"[..], b"", b"b"]);
        assert_eq!(Strings::new(b"a"), None);
    }
}
