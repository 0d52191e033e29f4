//! A mail server that keeps what it is given.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use mail_parser::MessageParser;
use regex::Regex;

use crate::harness::eventually;

/// A message as it came.
#[derive(Debug, Clone)]
pub struct Letter {
    /// `MAIL FROM` and `RCPT TO`, as they were written.
    pub envelope: Vec<String>,
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl Letter {
    /// The first address that it went to.
    pub fn recipient(&self) -> &str {
        let mut to = self.envelope.iter().filter_map(|line| line.strip_prefix("RCPT TO:<")?.split('>').next());
        to.next().expect("a recipient")
    }

    /// The six digits.
    pub fn code(&self) -> String {
        let code = Regex::new(r"\b(\d{3} \d{3})\b").expect("valid");
        code.captures(&self.text).unwrap_or_else(|| panic!("no code: {}", self.text))[1].to_owned()
    }

    /// Whether it is a sign-in message.
    pub fn has_code(&self) -> bool {
        let code = Regex::new(r"\b\d{3} \d{3}\b").expect("valid");
        code.is_match(&self.subject)
    }

    /// The path of the link with this beginning.
    pub fn link(&self, start: &str) -> String {
        let link = Regex::new(&format!(r"https?://[^/\s]+({}\S+)", regex::escape(start))).expect("valid");
        link.captures(&self.text).unwrap_or_else(|| panic!("no link: {}", self.text))[1].to_owned()
    }
}

/// What is answered to a command in place of consent.
type Refusal = dyn Fn(&str) -> Option<&'static str> + Send + Sync;

/// What is done with each letter and its number.
type HandOn = dyn Fn(usize, &Letter) + Send + Sync;

/// What came so far.
#[derive(Clone)]
pub struct Mailbox {
    letters: Arc<Mutex<Vec<Letter>>>,
    port: u16,
}

impl Mailbox {
    pub fn open() -> Self {
        Self::open_with(|_, _| {})
    }

    /// Hands each letter on with its number, from 0, before it is acknowledged.
    pub fn open_with(hand_on: impl Fn(usize, &Letter) + Send + Sync + 'static) -> Self {
        Self::start(free(), Arc::new(hand_on), Arc::new(|_: &str| None))
    }

    /// Answers some commands (`RCPT TO:<…>`, `MAIL FROM:<…>`) with a reply of the test's.
    pub fn refusing(refusal: impl Fn(&str) -> Option<&'static str> + Send + Sync + 'static) -> Self {
        Self::start(free(), Arc::new(|_, _: &Letter| {}), Arc::new(refusal))
    }

    /// On a port of the test's.
    pub fn on(listener: TcpListener) -> Self {
        Self::start(listener, Arc::new(|_, _: &Letter| {}), Arc::new(|_: &str| None))
    }

    fn start(listener: TcpListener, hand_on: Arc<HandOn>, refusal: Arc<Refusal>) -> Self {
        let port = listener.local_addr().expect("an address").port();
        let this = Self { letters: Arc::default(), port };
        let letters = this.letters.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (letters, hand_on, refusal) = (letters.clone(), hand_on.clone(), refusal.clone());
                let take = move |letter: Letter| {
                    let mut letters = letters.lock().unwrap_or_else(PoisonError::into_inner);
                    hand_on(letters.len(), &letter);
                    letters.push(letter);
                };
                std::thread::spawn(move || serve(stream, &take, &*refusal));
            }
        });
        this
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn count(&self) -> usize {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// All that came.
    pub fn all(&self) -> Vec<Letter> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first letter of a kind after so many, once it came.
    pub fn letter_where(&self, before: usize, what: &str, fits: impl Fn(&Letter) -> bool) -> Letter {
        eventually(&format!("a letter {what}"), || {
            let letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
            letters.iter().skip(before).find(|letter| fits(letter)).cloned()
        })
    }

    /// The letter with this number, from 0, once it came.
    pub fn letter(&self, number: usize) -> Letter {
        eventually("a letter", || self.letters.lock().unwrap_or_else(PoisonError::into_inner).get(number).cloned())
    }
}

fn free() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a port")
}

/// A mail server that takes connections and never says a word.
pub fn silent() -> u16 {
    let listener = free();
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        let kept: Vec<TcpStream> = listener.incoming().flatten().collect();
        drop(kept);
    });
    port
}

/// Speaks as much SMTP as a client that knows what it does needs.
fn serve(stream: TcpStream, take: &impl Fn(Letter), refusal: &Refusal) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    writer.write_all(b"220 mail.test\r\n").ok()?;
    let mut envelope = Vec::new();
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let command = line.trim_end().to_owned();
        let verb = command.get(..4).unwrap_or_default().to_ascii_uppercase();
        let reply: &[u8] = match verb.as_str() {
            "EHLO" => b"250-mail.test\r\n250 8BITMIME\r\n",
            "DATA" => {
                writer.write_all(b"354 go on\r\n").ok()?;
                let raw = message(&mut reader)?;
                take(read(std::mem::take(&mut envelope), raw));
                b"250 taken\r\n"
            }
            "QUIT" => {
                writer.write_all(b"221 bye\r\n").ok()?;
                return None;
            }
            "RSET" => {
                envelope.clear();
                b"250 ok\r\n"
            }
            _ => match refusal(&command) {
                Some(reply) => reply.as_bytes(),
                None => {
                    envelope.push(command);
                    b"250 ok\r\n"
                }
            },
        };
        writer.write_all(reply).ok()?;
    }
}

fn message(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut raw = Vec::new();
    loop {
        let start = raw.len();
        if reader.read_until(b'\n', &mut raw).ok()? == 0 {
            return None;
        }
        if &raw[start..] == b".\r\n" {
            raw.truncate(start);
            return Some(raw);
        }
        if raw[start] == b'.' {
            raw.remove(start);
        }
    }
}

fn read(envelope: Vec<String>, raw: Vec<u8>) -> Letter {
    let parsed = MessageParser::default().parse(&raw).expect("a message");
    let text = parsed.body_text(0).expect("a text").into_owned();
    let html = parsed.body_html(0).expect("a page").into_owned();
    let subject = parsed.subject().expect("a subject").to_owned();
    Letter { envelope, subject, text, html }
}
