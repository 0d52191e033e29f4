//! Where the copies arrive: an LMTP server (RFC 2033) that keeps each in memory. Ten thousand mailboxes read by IMAP
//! would take longer than all the rest.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::message::Message;
use crate::scratch::lock;

/// One message, as it was handed over for one recipient.
pub struct Copy {
    pub recipient: String,
    pub message: Arc<Message>,
}

pub struct Sink {
    port: u16,
    copies: Arc<Mutex<Vec<Copy>>>,
}

impl Sink {
    /// Serves until the tests end.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let copies = Arc::default();
        let kept = Arc::clone(&copies);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                // A connection that Postfix cuts off is Postfix's own affair: it hands over again.
                thread::spawn(move || serve(connection, &kept));
            }
        });
        Self { port, copies }
    }

    /// Lines of main.cf by which all mail goes here.
    pub fn main_cf(&self) -> String {
        let line = |kind| format!("{kind}_transport = lmtp:inet:127.0.0.1:{}", self.port);
        ["virtual", "default", "local"].map(line).join("\n")
    }

    /// How many copies have arrived.
    pub fn len(&self) -> usize {
        lock(&self.copies).len()
    }

    /// Takes what has arrived.
    pub fn take(&self) -> Vec<Copy> {
        std::mem::take(&mut lock(&self.copies))
    }
}

const OK: &str = "250 ok\r\n";

fn serve(connection: TcpStream, copies: &Mutex<Vec<Copy>>) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut input = BufReader::new(connection.try_clone()?);
    let mut output = connection;
    let mut recipients: Vec<String> = Vec::new();
    let mut answer = "220 sink LMTP\r\n".to_owned();
    loop {
        if input.buffer().is_empty() {
            output.write_all(answer.as_bytes())?;
            answer.clear();
        }
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let said = match verb.as_str() {
            "LHLO" => "250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n".to_owned(),
            "RCPT" => {
                recipients.extend(line.split(['<', '>']).nth(1).map(str::to_owned));
                OK.to_owned()
            }
            "DATA" => {
                output.write_all(format!("{answer}354 go on\r\n").as_bytes())?;
                answer.clear();
                let message = Arc::new(Message::new(content(&mut input)?));
                let said = OK.repeat(recipients.len());
                let copy = |recipient| Copy { recipient, message: Arc::clone(&message) };
                lock(copies).extend(recipients.drain(..).map(copy));
                said
            }
            "RSET" | "MAIL" => {
                recipients.clear();
                OK.to_owned()
            }
            "QUIT" => return output.write_all(format!("{answer}221 bye\r\n").as_bytes()),
            _ => OK.to_owned(),
        };
        answer.push_str(&said);
    }
}

/// The bytes after DATA, without the final dot and the doubled ones.
fn content(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let start = bytes.len();
        if input.read_until(b'\n', &mut bytes)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if bytes[start] == b'.' {
            bytes.remove(start);
            if bytes[start..] == *b"\r\n" {
                bytes.truncate(start);
                return Ok(bytes);
            }
        }
    }
}
