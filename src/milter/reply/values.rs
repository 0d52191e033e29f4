//! What replies are made of, each checked when it is built: names and values of headers, texts, reply codes.

use std::borrow::Cow;

use super::ReplyError;

/// The most bytes of one line of a reply text (MAXREPLYLEN of libmilter).
pub const REPLY_LINE_MAX: usize = 980;
/// The most lines of a reply text (MAXREPLIES of libmilter).
pub const REPLY_LINES_MAX: usize = 32;

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

    pub(super) fn into_owned(self) -> HeaderName<'static> {
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

    pub(super) fn into_owned(self) -> HeaderValue<'static> {
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

    pub(super) fn into_owned(self) -> Text<'static> {
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
    pub(super) fn from_wire(wire: &'a [u8]) -> Result<Self, ReplyError> {
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

    /// The reply as on the wire, without its NUL.
    pub(super) fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// The same reply, borrowed.
    pub fn borrowed(&self) -> ReplyCode<'_> {
        ReplyCode { wire: Cow::Borrowed(&self.wire) }
    }

    pub(super) fn into_owned(self) -> ReplyCode<'static> {
        ReplyCode { wire: Cow::Owned(self.wire.into_owned()) }
    }
}

fn is_clean(value: &[u8]) -> bool {
    let is_fold = |at: usize| value[at] == b'\n' && matches!(value.get(at + 1), Some(b' ' | b'\t'));
    memchr::memchr3_iter(0, b'\r', b'\n', value).all(is_fold)
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
}
