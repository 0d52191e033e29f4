//! Replies, milter to MTA: the verdicts on an event and the edits at end of message, into bytes and back.
//!
//! What an MTA would take amiss cannot be built: the constructors of [`HeaderName`], [`HeaderValue`], [`Text`] and
//! [`ReplyCode`] check it. The layout is in MILTER.md, "Wire"; what each reply does, in "Replies", "Headers", "Recipients".

use std::borrow::Cow;

use super::command::{push_string, split_nul};
use super::frame::{self, Frame};
use super::wire::{Actions, reply};

/// The most bytes of one line of a reply text (MAXREPLYLEN of libmilter).
pub const REPLY_LINE_MAX: usize = 980;
/// The most lines of a reply text (MAXREPLIES of libmilter).
pub const REPLY_LINES_MAX: usize = 32;

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
    /// A frame that is cut: the milter's fault.
    #[error("reply `{}` is cut", char::from(*.0))]
    Truncated(u8),
    /// A reply byte that the protocol does not know: the milter's fault.
    #[error("unknown reply byte {0:#04x}")]
    Unknown(u8),
}

/// The name of a header: one or more of `!` to `~` without the colon (RFC 5322, section 2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderName<'a>(Cow<'a, [u8]>);

impl<'a> HeaderName<'a> {
    /// Checks a name.
    ///
    /// # Errors
    /// [`ReplyError::HeaderName`].
    pub fn new(name: impl Into<Cow<'a, [u8]>>) -> Result<Self, ReplyError> {
        let name = name.into();
        let valid = |byte: &u8| byte.is_ascii_graphic() && *byte != b':';
        if name.is_empty() || !name.iter().all(valid) {
            return Err(ReplyError::HeaderName);
        }
        Ok(Self(name))
    }

    /// The name.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn into_owned(self) -> HeaderName<'static> {
        HeaderName(Cow::Owned(self.0.into_owned()))
    }
}

/// The value of a header: lines with LF between, each but the first beginning with a space or a tab; no NUL, no CR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderValue<'a>(Cow<'a, [u8]>);

impl<'a> HeaderValue<'a> {
    /// The value that deletes a header.
    pub const DELETE: Self = Self(Cow::Borrowed(b""));

    /// Takes a value as it is. 8-bit bytes pass.
    ///
    /// # Errors
    /// [`ReplyError::HeaderValue`] for NUL, CR, or a line that does not begin with white space (it would be another header).
    pub fn new(value: impl Into<Cow<'a, [u8]>>) -> Result<Self, ReplyError> {
        let value = value.into();
        if is_clean(&value) { Ok(Self(value)) } else { Err(ReplyError::HeaderValue) }
    }

    /// Takes a value that came from elsewhere, and makes it one that may be sent: NUL is dropped, CRLF becomes LF, any
    /// other CR a space (as Postfix's `cleanup_replace_stray_cr_lf` does), a tab is put where a line lacks its white
    /// space, and line ends at the end are dropped. A clean value is not copied.
    pub fn cleaned(value: &'a [u8]) -> Self {
        if is_clean(value) {
            return Self(Cow::Borrowed(value));
        }
        let mut clean = Vec::with_capacity(value.len() + 8);
        let mut rest = value.iter().copied().filter(|&byte| byte != 0).peekable();
        while let Some(byte) = rest.next() {
            match byte {
                b'\r' if rest.peek() == Some(&b'\n') => {}
                b'\r' => clean.push(b' '),
                _ => {
                    if clean.last() == Some(&b'\n') && !matches!(byte, b' ' | b'\t') {
                        clean.push(b'\t');
                    }
                    clean.push(byte);
                }
            }
        }
        while clean.last() == Some(&b'\n') {
            clean.pop();
        }
        Self(Cow::Owned(clean))
    }

    /// The value.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn into_owned(self) -> HeaderValue<'static> {
        HeaderValue(Cow::Owned(self.0.into_owned()))
    }
}

/// An address, ESMTP arguments or a reason: not empty, no NUL, CR or LF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<'a>(Cow<'a, [u8]>);

impl<'a> Text<'a> {
    /// Checks a text.
    ///
    /// # Errors
    /// [`ReplyError::Text`].
    pub fn new(text: impl Into<Cow<'a, [u8]>>) -> Result<Self, ReplyError> {
        let text = text.into();
        if text.is_empty() || text.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
            return Err(ReplyError::Text);
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn into_owned(self) -> Text<'static> {
        Text(Cow::Owned(self.0.into_owned()))
    }
}

/// The answer that the MTA's client shall get: code, enhanced code, one line or several. Built once and sent often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyCode<'a> {
    /// As on the wire: lines with CRLF between, each `%` doubled, without the NUL.
    wire: Cow<'a, [u8]>,
}

impl<'a> ReplyCode<'a> {
    /// A reply `code enhanced line`, as `550 5.7.1 No mail from there, please`. With several lines all but the last are `550-`.
    ///
    /// # Errors
    /// A code outside 400 to 599, an enhanced code that does not fit it, a text that is no SMTP reply (RFC 5321, section 4.2;
    /// RFC 3463).
    pub fn new(code: u16, enhanced: &str, lines: &[&str]) -> Result<ReplyCode<'static>, ReplyError> {
        if !(400..=599).contains(&code) {
            return Err(ReplyError::Code(code));
        }
        if !is_enhanced_code(code, enhanced) {
            return Err(ReplyError::EnhancedCode);
        }
        if !(1..=REPLY_LINES_MAX).contains(&lines.len()) {
            return Err(ReplyError::ReplyText);
        }
        let mut wire = Vec::new();
        for (number, line) in lines.iter().enumerate() {
            if line.len() > REPLY_LINE_MAX || !line.bytes().all(|b| matches!(b, b' '..=b'~')) {
                return Err(ReplyError::ReplyText);
            }
            let last = number + 1 == lines.len();
            let mark = if last { ' ' } else { '-' };
            wire.extend_from_slice(format!("{code}{mark}{enhanced} ").as_bytes());
            wire.extend_from_slice(line.replace('%', "%%").as_bytes());
            if !last {
                wire.extend_from_slice(b"\r\n");
            }
        }
        Ok(ReplyCode { wire: Cow::Owned(wire) })
    }

    /// A reply as it stands on the wire, read as leniently as Postfix does: a code and whatever follows it.
    fn from_wire(wire: &'a [u8]) -> Result<Self, ReplyError> {
        let reply = Self { wire: Cow::Borrowed(wire) };
        let code = reply.code();
        if (400..=599).contains(&code) && matches!(wire.get(3), None | Some(b' ' | b'-')) {
            Ok(reply)
        } else {
            Err(ReplyError::Code(code))
        }
    }

    /// The reply code, 400 to 599.
    pub fn code(&self) -> u16 {
        let digits = self.wire.get(..3).unwrap_or_default();
        let value = std::str::from_utf8(digits).ok();
        value.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// The whole reply as the MTA's client sees it, lines with CRLF between.
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.wire.len());
        let mut bytes = self.wire.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            text.push(byte);
            if byte == b'%' {
                bytes.next_if_eq(&b'%');
            }
        }
        text
    }

    /// The same reply, borrowed.
    pub fn borrowed(&self) -> ReplyCode<'_> {
        ReplyCode { wire: Cow::Borrowed(&self.wire) }
    }

    fn into_owned(self) -> ReplyCode<'static> {
        ReplyCode { wire: Cow::Owned(self.wire.into_owned()) }
    }
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
            Self::Code(code) => push_string(out, &code.wire),
            Self::Quarantine(text) | Self::AddRecipient(text) | Self::DeleteRecipient(text) => {
                push_string(out, &text.0);
            }
            Self::AddHeader { name, value } => push_header(out, name, value),
            Self::InsertHeader { index, name, value } | Self::ChangeHeader { index, name, value } => {
                out.extend_from_slice(&index.to_be_bytes());
                push_header(out, name, value);
            }
            Self::AddRecipientWith { address, arguments } => {
                push_string(out, &address.0);
                push_string(out, &arguments.0);
            }
            Self::ChangeSender { address, arguments } => {
                push_string(out, &address.0);
                if let Some(arguments) = arguments {
                    push_string(out, &arguments.0);
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
    push_string(out, &name.0);
    push_string(out, &value.0);
}

fn is_clean(value: &[u8]) -> bool {
    let folded = |(at, byte): (usize, &u8)| match byte {
        0 | b'\r' => false,
        b'\n' => matches!(value.get(at + 1), Some(b' ' | b'\t')),
        _ => true,
    };
    value.iter().enumerate().all(folded)
}

/// `class.subject.detail`, one digit and twice one to three (RFC 3463, section 2).
fn is_enhanced_code(code: u16, enhanced: &str) -> bool {
    let parts: Vec<_> = enhanced.split('.').collect();
    let digits = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    parts.len() == 3 && parts.iter().all(digits) && parts[0] == (code / 100).to_string()
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
    fn what_an_mta_would_take_amiss_is_refused() {
        for bad in [&b""[..], b"A:", b"A B", b"A\0", b"A\n", b"\xc3\xa9"] {
            assert_eq!(HeaderName::new(bad), Err(ReplyError::HeaderName));
        }
        for bad in [&b"a\0"[..], b"a\r\n b", b"a\r", b"a\nb", b"a\n", b"a\n\n b"] {
            assert_eq!(HeaderValue::new(bad), Err(ReplyError::HeaderValue), "{bad:?}");
        }
        for bad in [&b""[..], b"a\0", b"a\r", b"a\nb"] {
            assert_eq!(Text::new(bad), Err(ReplyError::Text));
        }
    }

    #[test]
    fn values_from_elsewhere_are_cleaned() {
        let cases: [(&[u8], &[u8]); 9] = [
            (b"clean\n folded \xe9", b"clean\n folded \xe9"),
            (b"", b""),
            (b"a\r\n b", b"a\n b"),
            (b"a\rb", b"a b"),
            (b"a\nb", b"a\n\tb"),
            (b"a\0b", b"ab"),
            (b"a\r\n", b"a"),
            (b"a\n\n b", b"a\n\t\n b"),
            (b"a\r\r\n\0X: y\n\r", b"a \n\tX: y\n "),
        ];
        for (raw, clean) in cases {
            let value = HeaderValue::cleaned(raw);
            assert_eq!(value.as_bytes(), clean, "{raw:?}");
            assert!(is_clean(value.as_bytes()));
        }
        assert!(matches!(HeaderValue::cleaned(b"a\n b").0, Cow::Borrowed(_)));
    }

    #[test]
    fn a_reply_code_is_checked() {
        use ReplyError::{Code, EnhancedCode, ReplyText};
        let long = "x".repeat(REPLY_LINE_MAX + 1);
        let many = vec!["x"; REPLY_LINES_MAX + 1];
        let cases: [(u16, &str, &[&str], ReplyError); 10] = [
            (250, "2.0.0", &["ok"], Code(250)),
            (600, "6.0.0", &["no"], Code(600)),
            (550, "4.7.1", &["no"], EnhancedCode),
            (550, "5.7", &["no"], EnhancedCode),
            (550, "5.7.1234", &["no"], EnhancedCode),
            (550, "5.7.1", &[], ReplyText),
            (550, "5.7.1", &["a\r\nb"], ReplyText),
            (550, "5.7.1", &["é"], ReplyText),
            (550, "5.7.1", &[&long], ReplyText),
            (550, "5.7.1", &many, ReplyText),
        ];
        for (code, enhanced, lines, error) in cases {
            assert_eq!(ReplyCode::new(code, enhanced, lines), Err(error));
        }
    }

    #[test]
    fn the_mta_s_client_sees_single_percent_signs() {
        let reply = ReplyCode::new(550, "5.7.1", &["100% sure", "%%"]).unwrap();
        assert_eq!(reply.code(), 550);
        assert_eq!(reply.text(), b"550-5.7.1 100% sure\r\n550 5.7.1 %%");
    }

    #[test]
    fn modifications_name_the_action_they_need() {
        for (reply, bytes) in samples() {
            let expected = !b"cartdps4y".contains(&bytes[0]);
            assert_eq!(reply.is_modification(), expected, "{reply:?}");
        }
    }
}
