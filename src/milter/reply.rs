//! Replies, milter to MTA: the verdicts on an event and the edits at end of message, into bytes and back.
//!
//! What an MTA would take amiss cannot be built: the constructors of [`HeaderName`], [`HeaderValue`], [`Text`] and
//! [`ReplyCode`] check it. The layout is in MILTER.md, "Wire"; what each reply does, in "Replies", "Headers", "Recipients".

mod values;

use std::borrow::Cow;

use super::command::{push_string, split_nul};
use super::frame::{self, Frame};
use super::wire::{Actions, FRAME_MAX, reply};
pub use values::{HeaderName, HeaderValue, REPLY_LINE_MAX, REPLY_LINES_MAX, ReplyCode, Text};

/// A reply of the milter. From [`Reply::Quarantine`] on they are modifications: any number of them, only at end of
/// message, before the final reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<'a> {
    /// SMFIR_CONTINUE.
    Continue,
    /// SMFIR_ACCEPT: at RCPT too, the milter sees no more of that message.
    Accept,
    /// SMFIR_REJECT: 550 5.7.1; at RCPT for that recipient.
    Reject,
    /// SMFIR_TEMPFAIL: 451 4.7.1; at RCPT for that recipient.
    TempFail,
    /// SMFIR_DISCARD: for everyone, at RCPT too.
    Discard,
    /// SMFIR_PROGRESS: the final reply is still to come.
    Progress,
    /// SMFIR_SKIP: no more of the body. Never at RCPT: later recipients would be accepted unseen.
    Skip,
    /// SMFIR_SHUTDOWN: 421, and the end of the SMTP session.
    Shutdown,
    /// SMFIR_REPLYCODE.
    Code(ReplyCode<'a>),
    /// SMFIR_QUARANTINE: the whole message to the HOLD queue, with a reason for the log.
    Quarantine(Text<'a>),
    /// SMFIR_ADDHEADER: at the end of the header block.
    AddHeader {
        /// Name.
        name: HeaderName<'a>,
        /// Value.
        value: HeaderValue<'a>,
    },
    /// SMFIR_INSHEADER.
    InsertHeader {
        /// 0 is above Postfix's own Received line, 1 just below it.
        index: u32,
        /// Name.
        name: HeaderName<'a>,
        /// Value.
        value: HeaderValue<'a>,
    },
    /// SMFIR_CHGHEADER: an empty value deletes; a header that is not there is appended.
    ChangeHeader {
        /// Counts from 1 among the headers of this name.
        index: u32,
        /// Name, in any case.
        name: HeaderName<'a>,
        /// Value.
        value: HeaderValue<'a>,
    },
    /// SMFIR_ADDRCPT. Adding one that is there delivers twice.
    AddRecipient(Text<'a>),
    /// SMFIR_ADDRCPT_PAR: with `NOTIFY=… ORCPT=…`, so that the DSN parameters stay.
    AddRecipientWith {
        /// Address.
        address: Text<'a>,
        /// ESMTP arguments, with spaces between.
        arguments: Text<'a>,
    },
    /// SMFIR_DELRCPT: compared with the RCPT as it came, case included; brackets optional.
    DeleteRecipient(Text<'a>),
    /// SMFIR_CHGFROM.
    ChangeSender {
        /// Address; `<>` for the null sender.
        address: Text<'a>,
        /// ESMTP arguments, with spaces between.
        arguments: Option<Text<'a>>,
    },
    /// SMFIR_REPLBODY: at most [`super::wire::BODY_CHUNK_MAX`] bytes; several make one body.
    ReplaceBody(Cow<'a, [u8]>),
}

/// A reply that cannot be built or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// A header name with something else than printable ASCII without the colon, or an empty one.
    #[error("a header name is one or more of the characters ! to ~ without the colon")]
    HeaderName,
    /// A header value with NUL or CR, or a line end that no white space follows.
    #[error("a header value holds no NUL and no CR, and each line end is followed by white space")]
    HeaderValue,
    /// A text that is empty or holds NUL, CR or LF.
    #[error("a text is not empty and holds no NUL, CR or LF")]
    Text,
    /// A reply code other than 400 to 599.
    #[error("a reply code is 400 to 599, not {0}")]
    Code(u16),
    /// An enhanced status code that does not fit the reply code (RFC 3463).
    #[error("an enhanced status code is like 5.7.1 and begins with the reply code's first digit")]
    EnhancedCode,
    /// A reply text of no line or too many, a line too long, or with something else than printable ASCII.
    #[error("a reply text is 1 to {REPLY_LINES_MAX} lines of printable ASCII, each at most {REPLY_LINE_MAX} bytes")]
    ReplyText,
    /// A frame that an MTA need not take.
    #[error("reply `{}` is over {FRAME_MAX} bytes", char::from(*.0))]
    TooLong(u8),
    /// A frame that is cut: the milter's fault.
    #[error("reply `{}` is cut", char::from(*.0))]
    Truncated(u8),
    /// A reply byte that the protocol does not know: the milter's fault.
    #[error("unknown reply byte {0:#04x}")]
    Unknown(u8),
}

impl<'a> Reply<'a> {
    /// Reads a frame of the milter.
    ///
    /// # Errors
    /// [`ReplyError`]; every byte string is either a reply or an error. The answer to a negotiation is not read here but by
    /// [`super::negotiate::Answer::parse`].
    pub fn parse(frame: Frame<'a>) -> Result<Self, ReplyError> {
        let mut fields = Fields { byte: frame.command, rest: frame.payload };
        Ok(match frame.command {
            reply::CONTINUE => Self::Continue,
            reply::ACCEPT => Self::Accept,
            reply::REJECT => Self::Reject,
            reply::TEMPFAIL => Self::TempFail,
            reply::DISCARD => Self::Discard,
            reply::PROGRESS => Self::Progress,
            reply::SKIP => Self::Skip,
            reply::SHUTDOWN => Self::Shutdown,
            reply::REPLYCODE => Self::Code(ReplyCode::from_wire(fields.string()?)?),
            reply::QUARANTINE => Self::Quarantine(fields.text()?),
            reply::ADDHEADER => Self::AddHeader { name: fields.header_name()?, value: fields.header_value()? },
            reply::INSHEADER => Self::InsertHeader {
                index: fields.number()?,
                name: fields.header_name()?,
                value: fields.header_value()?,
            },
            reply::CHGHEADER => Self::ChangeHeader {
                index: fields.number()?,
                name: fields.header_name()?,
                value: fields.header_value()?,
            },
            reply::ADDRCPT => Self::AddRecipient(fields.text()?),
            reply::ADDRCPT_PAR => {
                let address = fields.text()?;
                match fields.optional_text()? {
                    Some(arguments) => Self::AddRecipientWith { address, arguments },
                    None => Self::AddRecipient(address),
                }
            }
            reply::DELRCPT => Self::DeleteRecipient(fields.text()?),
            reply::CHGFROM => Self::ChangeSender { address: fields.text()?, arguments: fields.optional_text()? },
            reply::REPLBODY => Self::ReplaceBody(Cow::Borrowed(frame.payload)),
            unknown => return Err(ReplyError::Unknown(unknown)),
        })
    }

    /// The reply byte.
    pub fn byte(&self) -> u8 {
        match self {
            Self::Continue => reply::CONTINUE,
            Self::Accept => reply::ACCEPT,
            Self::Reject => reply::REJECT,
            Self::TempFail => reply::TEMPFAIL,
            Self::Discard => reply::DISCARD,
            Self::Progress => reply::PROGRESS,
            Self::Skip => reply::SKIP,
            Self::Shutdown => reply::SHUTDOWN,
            Self::Code(_) => reply::REPLYCODE,
            Self::Quarantine(_) => reply::QUARANTINE,
            Self::AddHeader { .. } => reply::ADDHEADER,
            Self::InsertHeader { .. } => reply::INSHEADER,
            Self::ChangeHeader { .. } => reply::CHGHEADER,
            Self::AddRecipient(_) => reply::ADDRCPT,
            Self::AddRecipientWith { .. } => reply::ADDRCPT_PAR,
            Self::DeleteRecipient(_) => reply::DELRCPT,
            Self::ChangeSender { .. } => reply::CHGFROM,
            Self::ReplaceBody(_) => reply::REPLBODY,
        }
    }

    /// Appends the reply as a frame.
    pub fn encode(&self, output: &mut Vec<u8>) {
        frame::encode(output, self.byte(), |out| match self {
            Self::Code(code) => push_string(out, code.wire()),
            Self::Quarantine(text) | Self::AddRecipient(text) | Self::DeleteRecipient(text) => {
                push_string(out, text.as_bytes());
            }
            Self::AddHeader { name, value } => push_header(out, name, value),
            Self::InsertHeader { index, name, value } | Self::ChangeHeader { index, name, value } => {
                out.extend_from_slice(&index.to_be_bytes());
                push_header(out, name, value);
            }
            Self::AddRecipientWith { address, arguments } => {
                push_string(out, address.as_bytes());
                push_string(out, arguments.as_bytes());
            }
            Self::ChangeSender { address, arguments } => {
                push_string(out, address.as_bytes());
                if let Some(arguments) = arguments {
                    push_string(out, arguments.as_bytes());
                }
            }
            Self::ReplaceBody(bytes) => out.extend_from_slice(bytes),
            _ => {}
        });
    }

    /// The actions that must have been agreed for this reply; none for a verdict.
    pub fn needs(&self) -> Actions {
        match self {
            Self::Quarantine(_) => Actions::QUARANTINE,
            Self::AddHeader { .. } | Self::InsertHeader { .. } => Actions::ADDHDRS,
            Self::ChangeHeader { .. } => Actions::CHGHDRS,
            Self::AddRecipient(_) => Actions::ADDRCPT,
            Self::AddRecipientWith { .. } => Actions::ADDRCPT_PAR,
            Self::DeleteRecipient(_) => Actions::DELRCPT,
            Self::ChangeSender { .. } => Actions::CHGFROM,
            Self::ReplaceBody(_) => Actions::CHGBODY,
            _ => Actions::NONE,
        }
    }

    /// Whether this edits the message, and a verdict is still to come.
    pub fn is_modification(&self) -> bool {
        !self.needs().is_empty()
    }

    /// The same reply, free of the buffer it was read from.
    pub fn into_owned(self) -> Reply<'static> {
        match self {
            Self::Continue => Reply::Continue,
            Self::Accept => Reply::Accept,
            Self::Reject => Reply::Reject,
            Self::TempFail => Reply::TempFail,
            Self::Discard => Reply::Discard,
            Self::Progress => Reply::Progress,
            Self::Skip => Reply::Skip,
            Self::Shutdown => Reply::Shutdown,
            Self::Code(code) => Reply::Code(code.into_owned()),
            Self::Quarantine(reason) => Reply::Quarantine(reason.into_owned()),
            Self::AddHeader { name, value } => Reply::AddHeader { name: name.into_owned(), value: value.into_owned() },
            Self::InsertHeader { index, name, value } => {
                Reply::InsertHeader { index, name: name.into_owned(), value: value.into_owned() }
            }
            Self::ChangeHeader { index, name, value } => {
                Reply::ChangeHeader { index, name: name.into_owned(), value: value.into_owned() }
            }
            Self::AddRecipient(address) => Reply::AddRecipient(address.into_owned()),
            Self::AddRecipientWith { address, arguments } => {
                Reply::AddRecipientWith { address: address.into_owned(), arguments: arguments.into_owned() }
            }
            Self::DeleteRecipient(address) => Reply::DeleteRecipient(address.into_owned()),
            Self::ChangeSender { address, arguments } => {
                Reply::ChangeSender { address: address.into_owned(), arguments: arguments.map(Text::into_owned) }
            }
            Self::ReplaceBody(bytes) => Reply::ReplaceBody(Cow::Owned(bytes.into_owned())),
        }
    }
}

/// A payload, read from the front.
struct Fields<'a> {
    byte: u8,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn string(&mut self) -> Result<&'a [u8], ReplyError> {
        let (string, rest) = split_nul(self.rest).ok_or(ReplyError::Truncated(self.byte))?;
        self.rest = rest;
        Ok(string)
    }

    fn number(&mut self) -> Result<u32, ReplyError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(ReplyError::Truncated(self.byte))?;
        self.rest = rest;
        Ok(u32::from_be_bytes(*bytes))
    }

    fn text(&mut self) -> Result<Text<'a>, ReplyError> {
        Text::new(self.string()?)
    }

    /// Arguments may be left out, or be empty.
    fn optional_text(&mut self) -> Result<Option<Text<'a>>, ReplyError> {
        match self.rest {
            b"" | b"\0" => Ok(None),
            _ => self.text().map(Some),
        }
    }

    fn header_name(&mut self) -> Result<HeaderName<'a>, ReplyError> {
        HeaderName::new(self.string()?)
    }

    fn header_value(&mut self) -> Result<HeaderValue<'a>, ReplyError> {
        HeaderValue::new(self.string()?)
    }
}

fn push_header(out: &mut Vec<u8>, name: &HeaderName<'_>, value: &HeaderValue<'_>) {
    push_string(out, name.as_bytes());
    push_string(out, value.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(bytes: &[u8]) -> HeaderName<'_> {
        HeaderName::new(bytes).unwrap()
    }

    fn value(bytes: &[u8]) -> HeaderValue<'_> {
        HeaderValue::new(bytes).unwrap()
    }

    fn text(bytes: &[u8]) -> Text<'_> {
        Text::new(bytes).unwrap()
    }

    fn samples() -> Vec<(Reply<'static>, &'static [u8])> {
        vec![
            (Reply::Continue, b"c"),
            (Reply::Accept, b"a"),
            (Reply::Reject, b"r"),
            (Reply::TempFail, b"t"),
            (Reply::Discard, b"d"),
            (Reply::Progress, b"p"),
            (Reply::Skip, b"s"),
            (Reply::Shutdown, b"4"),
            (Reply::Code(ReplyCode::new(550, "5.7.1", &["100% no"]).unwrap()), b"y550 5.7.1 100%% no\0"),
            (
                Reply::Code(ReplyCode::new(451, "4.7.1", &["later", "please"]).unwrap()),
                b"y451-4.7.1 later\r\n451 4.7.1 please\0",
            ),
            (Reply::Quarantine(text(b"held")), b"qheld\0"),
            (Reply::AddHeader { name: name(b"X-Perso"), value: value(b"a\n b") }, b"hX-Perso\0a\n b\0"),
            (
                Reply::InsertHeader { index: 1, name: name(b"X-Perso"), value: value(b"\xe9") },
                b"i\0\0\0\x01X-Perso\0\xe9\0",
            ),
            (
                Reply::ChangeHeader { index: 2, name: name(b"Subject"), value: HeaderValue::DELETE },
                b"m\0\0\0\x02Subject\0\0",
            ),
            (Reply::AddRecipient(text(b"<a@b>")), b"+<a@b>\0"),
            (
                Reply::AddRecipientWith { address: text(b"<a@b>"), arguments: text(b"NOTIFY=NEVER") },
                b"2<a@b>\0NOTIFY=NEVER\0",
            ),
            (Reply::DeleteRecipient(text(b"<a@b>")), b"-<a@b>\0"),
            (Reply::ChangeSender { address: text(b"<>"), arguments: None }, b"e<>\0"),
            (Reply::ChangeSender { address: text(b"<a@b>"), arguments: Some(text(b"SIZE=1")) }, b"e<a@b>\0SIZE=1\0"),
            (Reply::ReplaceBody(Cow::Borrowed(b"a\0\r\n")), b"ba\0\r\n"),
        ]
    }

    #[test]
    fn replies_are_written_and_read() {
        for (reply, bytes) in samples() {
            let mut out = Vec::new();
            reply.encode(&mut out);
            assert_eq!(out[4..], *bytes);
            assert_eq!(out[..4], (bytes.len() as u32).to_be_bytes());
            let frame = Frame { command: bytes[0], payload: &bytes[1..] };
            assert_eq!(Reply::parse(frame), Ok(reply.clone()));
            assert_eq!(reply.clone().into_owned(), reply);
        }
    }

    #[test]
    fn cut_replies_are_errors_and_never_panic() {
        for (_, bytes) in samples() {
            for end in 1..bytes.len() {
                let frame = Frame { command: bytes[0], payload: &bytes[1..end] };
                let whole = bytes[0] == b'b' || bytes[..end] == *b"2<a@b>\0" || bytes[..end] == *b"e<a@b>\0";
                assert_eq!(Reply::parse(frame).is_ok(), whole, "{frame:?}");
            }
        }
        let unknown = Frame { command: b'Z', payload: b"" };
        assert_eq!(Reply::parse(unknown), Err(ReplyError::Unknown(b'Z')));
    }

    #[test]
    fn modifications_name_the_action_they_need() {
        for (reply, bytes) in samples() {
            let expected = !b"cartdps4y".contains(&bytes[0]);
            assert_eq!(reply.is_modification(), expected, "{reply:?}");
        }
    }
}
