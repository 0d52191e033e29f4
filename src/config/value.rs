//! Types of single settings: a value that exists is valid. Each error text ends the sentence `"…" is not accepted;`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::policy::action::PersonalActions;
use crate::policy::address::{Address, AddressError, Domain};
use crate::policy::subject::{Tag, TagError};

/// Why a text is no value of its kind: what would be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(pub(super) &'static str);

/// The character between a user and a folder in a recipient address: one that a local part holds without quotes
/// (RFC 5322, 3.2.3), and neither letter nor digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Delimiter(u8);

impl Delimiter {
    /// The character.
    pub fn as_char(self) -> char {
        char::from(self.0)
    }
}

/// `+`, as nearly everywhere.
impl Default for Delimiter {
    fn default() -> Self {
        Self(b'+')
    }
}

impl FromStr for Delimiter {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.as_bytes() {
            [byte] if b"+-_=.#!$%&'*/?^`{|}~".contains(byte) => Ok(Self(*byte)),
            _ => Err(ValueError(
                "it must be one ASCII character such as + or -, or empty where the mail store knows none",
            )),
        }
    }
}

/// The name under which a verifier signs its Authentication-Results (RFC 8601, 2.2), in lower case: names are compared
/// without regard to case. 1 to 255 visible ASCII characters without quotes, `;`, `(`, `)` and `\`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AuthservId(Box<str>);

impl FromStr for AuthservId {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let plain = |b: u8| b.is_ascii_graphic() && !b"\"();\\".contains(&b);
        if text.is_empty() || text.len() > 255 || !text.bytes().all(plain) {
            return Err(ValueError(
                "it must be the first word of your verifier's Authentication-Results header, such as mx.example.org",
            ));
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }
}

/// A value of the macro `{daemon_name}`: 1 to 64 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DaemonName(Box<str>);

impl FromStr for DaemonName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.is_empty() || text.len() > 64 || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ValueError("it must be a milter_macro_daemon_name of 1 to 64 visible ASCII characters"));
        }
        Ok(Self(text.into()))
    }
}

/// Where the second smtpd of a split takes the copies: an address of this machine's own, and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SplitAddress(SocketAddr);

impl SplitAddress {
    /// The address and port.
    pub fn socket_address(self) -> SocketAddr {
        self.0
    }
}

impl Default for SplitAddress {
    fn default() -> Self {
        Self(SocketAddr::from((Ipv4Addr::LOCALHOST, 10026)))
    }
}

impl FromStr for SplitAddress {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() && address.port() != 0 => Ok(Self(address)),
            _ => Err(ValueError("it must be a loopback address and a port, such as 127.0.0.1:10026")),
        }
    }
}

/// A system group by name: 1 to 32 letters, digits, `.`, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupName(Box<str>);

impl FromStr for GroupName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if text.is_empty() || text.len() > 32 || !text.bytes().all(plain) {
            return Err(ValueError("it must be the name of a system group, such as postfix"));
        }
        Ok(Self(text.into()))
    }
}

/// A mail server: `HOST:PORT`, the host a name, an IPv4 address or an IPv6 address in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailServer {
    /// The name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// `127.0.0.1:25`
impl Default for MailServer {
    fn default() -> Self {
        Self { host: "127.0.0.1".to_owned(), port: 25 }
    }
}

impl FromStr for MailServer {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        const WRONG: ValueError = ValueError("write HOST:PORT, for example 127.0.0.1:25 or [::1]:25");
        let (host, port) = text.rsplit_once(':').ok_or(WRONG)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if host.is_empty() || (bare.is_none() && host.contains(':')) {
            return Err(WRONG);
        }
        Ok(Self { host: bare.unwrap_or(host).to_owned(), port: port.parse().map_err(|_| WRONG)? })
    }
}

impl fmt::Display for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// From whom the console's mails come: an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender(Address);

impl Sender {
    /// The address.
    pub fn address(&self) -> &Address {
        &self.0
    }
}

impl FromStr for Sender {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let address = Address::parse(text);
        address.map(Self).map_err(|_: AddressError| ValueError("it must be an address, such as cim@example.org"))
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// What browsers call the console: `https://HOST` with or without a port, nothing behind it; `http` for a loopback host
/// alone, since a password must not cross a network in the clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    scheme: &'static str,
    authority: Box<str>,
}

impl PublicUrl {
    /// Where a browser on this machine finds what listens at `address`, in the clear.
    pub fn local(address: SocketAddr) -> Self {
        Self { scheme: "http", authority: address.to_string().into() }
    }

    /// Whether browsers come by TLS.
    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }

    /// Host and, where it is not the usual one, port: what a browser sends as `Host`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The host alone.
    pub fn host(&self) -> &str {
        split_port(&self.authority).0
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

impl FromStr for PublicUrl {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        const WRONG: ValueError = ValueError("it must be https://HOST, such as https://cim.example.org");
        const CLEAR: ValueError = ValueError("http is for a loopback address alone: write https://HOST");
        let (scheme, rest) = text.split_once("://").ok_or(WRONG)?;
        let authority = rest.strip_suffix('/').unwrap_or(rest).to_ascii_lowercase();
        let (host, port) = split_port(&authority);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_name = Domain::parse(bare).is_ok_and(|domain| domain.as_str() == bare);
        let address = bare.parse::<IpAddr>();
        let has_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0));
        if !(is_name || bare == "localhost" || address.is_ok()) || !has_port {
            return Err(WRONG);
        }
        let is_local = bare == "localhost" || address.is_ok_and(|address| address.is_loopback());
        let (scheme, usual) = match scheme {
            "https" => ("https", ":443"),
            "http" if is_local => ("http", ":80"),
            "http" => return Err(CLEAR),
            _ => return Err(WRONG),
        };
        let authority = authority.strip_suffix(usual).unwrap_or(&authority).into();
        Ok(Self { scheme, authority })
    }
}

/// Host, with the brackets of an IPv6 address, and port.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

macro_rules! text_value {
    ($($name:ident),*) => {$(
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

text_value!(AuthservId, DaemonName, GroupName);

impl fmt::Display for SplitAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_char())
    }
}

/// Permissions of a unix socket: the nine bits of `rwxrwxrwx`, written in octal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SocketMode(u32);

impl SocketMode {
    /// The bits, as `chmod` takes them.
    pub fn bits(self) -> u32 {
        self.0
    }
}

/// `0660`
impl Default for SocketMode {
    fn default() -> Self {
        Self(0o660)
    }
}

impl fmt::Display for SocketMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl FromStr for SocketMode {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let octal = (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
        match u32::from_str_radix(text, 8) {
            Ok(bits) if octal && bits <= 0o777 => Ok(Self(bits)),
            _ => Err(ValueError("it must be three octal digits after a 0, such as \"0660\"")),
        }
    }
}

/// Where the lists are kept: `sqlite:PATH` is the only kind this version has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreUrl(PathBuf);

impl StoreUrl {
    /// The database file; a relative path is from the working directory.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// `sqlite:perso-milter.db`
impl Default for StoreUrl {
    fn default() -> Self {
        Self(PathBuf::from("perso-milter.db"))
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sqlite:{}", self.0.display())
    }
}

impl FromStr for StoreUrl {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let scheme = text.split(':').next().unwrap_or_default();
        if scheme.eq_ignore_ascii_case("postgres") || scheme.eq_ignore_ascii_case("postgresql") {
            return Err(ValueError("this version has no PostgreSQL store: use sqlite:PATH"));
        }
        // `sqlite:///PATH` is how most other programs write an absolute path.
        let path = text.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path));
        match path {
            Some("" | ":memory:") => Err(ValueError("the lists must survive a restart: give a file, sqlite:PATH")),
            Some(path) if path.contains(['?', '\0']) => Err(ValueError("it takes no options: write sqlite:PATH alone")),
            Some(path) if path.ends_with('/') => Err(ValueError("a file must be named, not a directory")),
            Some(path) => Ok(Self(PathBuf::from(path))),
            None => Err(ValueError("it must be sqlite:PATH, such as sqlite:/var/lib/perso-milter/perso-milter.db")),
        }
    }
}

/// A text before a Subject.
pub(super) fn tag(text: &str) -> Result<Tag, ValueError> {
    Tag::new(text).map_err(|_: TagError| {
        ValueError("it must be 1 to 64 bytes of text, without control characters, =? or blanks at its ends")
    })
}

/// One of the personal actions, by name.
pub(super) fn action(text: &str) -> Result<PersonalActions, ValueError> {
    const NAMES: ValueError = ValueError("it must be one of tag, folder, mark");
    let action = text.parse::<PersonalActions>().map_err(|_| NAMES)?;
    if action.bits().count_ones() == 1 { Ok(action) } else { Err(NAMES) }
}

/// A domain that forwards to us.
pub(super) fn forwarder(text: &str) -> Result<Domain, ValueError> {
    Domain::parse(text).map_err(|_: AddressError| ValueError("it must be a domain name, such as example.org"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_browsers_call_the_console_is_written_one_way() {
        for (text, expected) in [
            ("https://cim.example.org", "https://cim.example.org"),
            ("https://CIM.example.org:443/", "https://cim.example.org"),
            ("https://cim.example.org:8443", "https://cim.example.org:8443"),
            ("http://127.0.0.1:8890", "http://127.0.0.1:8890"),
            ("http://[::1]:8890", "http://[::1]:8890"),
            ("http://localhost:80", "http://localhost"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().map(|url| url.to_string()), Ok(expected.to_owned()), "{text}");
        }
        for text in [
            "http://cim.example.org",
            "https://cim.example.org/console",
            "https://user@cim.example.org",
            "https://cim.example.org:0",
            "https://",
            "cim.example.org",
            "ftp://127.0.0.1",
        ] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_server_is_read_as_it_is_written() {
        let server = |host: &str, port| MailServer { host: host.to_owned(), port };
        for (text, expected) in [
            ("127.0.0.1:25", server("127.0.0.1", 25)),
            ("mx.example.org:2525", server("mx.example.org", 2525)),
            ("[::1]:25", server("::1", 25)),
        ] {
            let read: MailServer = text.parse().expect(text);
            assert_eq!(read, expected);
            assert_eq!(read.to_string(), text);
        }
        for text in ["", "mx.example.org", ":25", "::1:25", "mx:smtp", "mx:70000", "mx:"] {
            assert!(text.parse::<MailServer>().is_err(), "{text}");
        }
    }
}
