//! An SMTP sender that sends the bytes it is given and returns every reply.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;

use crate::dovecot::PASSWORD;
use crate::scratch::PATIENCE;

/// The last line of an SMTP reply, and its code.
#[derive(Clone, Debug)]
pub struct Reply {
    pub code: u16,
    pub text: String,
}

impl Reply {
    pub fn is_ok(&self) -> bool {
        (200..400).contains(&self.code)
    }

    fn expect(&self, code: u16) -> io::Result<()> {
        if self.code == code { Ok(()) } else { Err(io::Error::other(format!("{self:?}"))) }
    }

    /// The queue id of Postfix's `250 2.0.0 Ok: queued as ID` or of Sendmail's `250 2.0.0 ID Message accepted for delivery`.
    pub fn queue_id(&self) -> Option<&str> {
        let sendmail = || self.text.strip_suffix(" Message accepted for delivery")?.strip_prefix("2.0.0 ");
        self.text.split("queued as ").nth(1).or_else(sendmail)
    }
}

/// Every reply to one message. `end` is that after the message's final dot, none if it was never sent because no
/// recipient was accepted or DATA was refused; `refused` is then the reply that stopped it.
#[derive(Clone, Debug)]
pub struct Sent {
    pub mail: Reply,
    pub rcpts: Vec<Reply>,
    pub data: Option<Reply>,
    pub end: Option<Reply>,
}

impl Sent {
    /// The queue id of an accepted message.
    ///
    /// # Panics
    /// When it was not accepted.
    pub fn id(&self) -> &str {
        let id = self.end.as_ref().filter(|end| end.is_ok()).and_then(Reply::queue_id);
        id.unwrap_or_else(|| panic!("not accepted: {self:#?}"))
    }

    /// The first reply that is not positive.
    pub fn refusal(&self) -> Option<&Reply> {
        let replies = [&self.mail].into_iter().chain(&self.rcpts).chain(&self.data).chain(&self.end);
        replies.into_iter().find(|reply| !reply.is_ok())
    }
}

/// An SMTP session.
pub struct Smtp(BufReader<TcpStream>);

impl Smtp {
    /// Connects, and says EHLO.
    pub fn connect(port: u16) -> Self {
        Self::open(port).unwrap_or_else(|error| panic!("the MTA does not serve: {error}"))
    }

    /// The same where the MTA may be away.
    pub fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut session = Self(BufReader::new(stream));
        session.reply().and_then(|greeting| greeting.expect(220))?;
        session.write(b"EHLO client.outside.example\r\n")?;
        session.reply().and_then(|reply| reply.expect(250))?;
        Ok(session)
    }

    /// Sends one command line, without its line end, and returns the reply.
    pub fn command(&mut self, line: &str) -> Reply {
        // One write: a line in two would wait for a delayed acknowledgement.
        self.write(format!("{line}\r\n").as_bytes()).expect("the MTA reads");
        self.reply().unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Logs in, where the MTA takes logins.
    pub fn login(&mut self, name: &str) -> Reply {
        self.command(&format!("AUTH PLAIN {}", STANDARD.encode(format!("\0{name}\0{PASSWORD}"))))
    }

    /// MAIL, with the null sender for an empty `from`. Never asks for SMTPUTF8, which Dovecot 2.3 does not offer.
    pub fn mail(&mut self, from: &str) -> Reply {
        self.command(&format!("MAIL FROM:<{from}> BODY=8BITMIME"))
    }

    /// RCPT; `to` may be an address, or an address, a blank and ESMTP arguments.
    pub fn rcpt(&mut self, to: &str) -> Reply {
        match to.split_once(' ') {
            Some((address, arguments)) => self.command(&format!("RCPT TO:<{address}> {arguments}")),
            None => self.command(&format!("RCPT TO:<{to}>")),
        }
    }

    /// The message after an accepted DATA, as [`on_the_wire`].
    pub fn message(&mut self, message: &[u8]) -> Reply {
        self.write(&on_the_wire(message)).expect("the MTA reads");
        self.reply().expect("a reply to the message")
    }

    /// One whole transaction in two writes (RFC 2920), where Postfix may end at any point. Without a recipient that was
    /// accepted DATA is refused with 554, whatever became of the recipients.
    ///
    /// # Errors
    /// The connection's. The message may or may not have been taken.
    pub fn send_pipelined(&mut self, from: &str, recipients: &[String], message: &[u8]) -> io::Result<Sent> {
        let mut commands = format!("MAIL FROM:<{from}> BODY=8BITMIME\r\n");
        recipients.iter().for_each(|recipient| commands.push_str(&format!("RCPT TO:<{recipient}>\r\n")));
        self.write(format!("{commands}DATA\r\n").as_bytes())?;
        let mail = self.reply()?;
        let rcpts = recipients.iter().map(|_| self.reply()).collect::<io::Result<Vec<_>>>()?;
        let data = self.reply()?;
        let end = match data.code {
            354 => {
                self.write(&on_the_wire(message))?;
                Some(self.reply()?)
            }
            _ => None,
        };
        if end.is_none() {
            self.write(b"RSET\r\n")?;
            self.reply()?;
        }
        Ok(Sent { mail, rcpts, data: Some(data), end })
    }

    /// One whole transaction; it ends with RSET where no message could be sent.
    pub fn send(&mut self, from: &str, recipients: &[impl AsRef<str>], message: &[u8]) -> Sent {
        let mail = self.mail(from);
        let mut sent = Sent { mail, rcpts: Vec::new(), data: None, end: None };
        if sent.mail.is_ok() {
            sent.rcpts = recipients.iter().map(|recipient| self.rcpt(recipient.as_ref())).collect();
        }
        if sent.rcpts.iter().any(Reply::is_ok) {
            let data = self.command("DATA");
            if data.is_ok() {
                sent.end = Some(self.message(message));
            }
            sent.data = Some(data);
        }
        if sent.end.is_none() {
            self.command("RSET");
        }
        sent
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    fn reply(&mut self) -> io::Result<Reply> {
        loop {
            let mut line = Vec::new();
            self.0.read_until(b'\n', &mut line)?;
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if line.as_bytes().get(3) == Some(&b'-') {
                continue;
            }
            let code = line.get(..3).and_then(|code| code.parse().ok());
            let code = code.ok_or_else(|| io::Error::other(format!("not a reply: {line:?}")))?;
            return Ok(Reply { code, text: line.get(4..).unwrap_or_default().to_owned() });
        }
    }
}

/// A message as DATA takes it: line ends made CRLF, dots at line starts doubled, and the final dot.
fn on_the_wire(message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(message.len() + 64);
    for line in message.split_inclusive(|&byte| byte == b'\n') {
        if line.starts_with(b".") {
            bytes.push(b'.');
        }
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        bytes.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b".\r\n");
    bytes
}

impl Drop for Smtp {
    fn drop(&mut self) {
        let _ = self.write(b"QUIT\r\n");
    }
}
