//! The conversation of a message, encoded before a run: what an MTA writes under one agreement, as blocks of bytes in
//! which only the addresses of the envelope and of the From header are still missing.
//!
//! The message is one as Postfix passes on: the result of the verifier on top, a Received, a DKIM signature, and a dozen
//! more headers, with a frame of macros before each.

use std::ops::ControlFlow;

use crate::milter::client::dialogue::{Dialogue, Due, Macro};
use crate::milter::client::message::wire_value;
use crate::milter::command::{Command, CommandStrings, EnvelopeAddress, Peer};
use crate::milter::frame::FrameDecoder;
use crate::milter::negotiate::{Agreement, Event};
use crate::milter::wire::{BODY_CHUNK_MAX, FRAME_MAX};

use super::workload::AUTHSERV_ID;

/// Stands in for an address while a block is made.
const MARK: &[u8] = b"\x01address\x01";
/// The Subject of every message.
pub const SUBJECT: &[u8] = b"Compte rendu de la =?UTF-8?Q?r=C3=A9union?= de mardi et suite du dossier 2026-118";
/// Longest header block, in bytes: Postfix cuts a header at 60,000.
pub const MAX_HEADER_BYTES: u32 = 59_000;
/// Longest body, in bytes.
pub const MAX_BODY_BYTES: u32 = 16 << 20;

/// How the MTA spreads what it sends over writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WritePattern {
    /// Everything up to DATA in one write, headers to end of message in another, as Postfix does; a reply that is awaited
    /// parts what stands before it from what comes after
    Postfix,
    /// One write a command
    Command,
}

/// The size of the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Names and values of the headers, in bytes; at least what the message cannot do without (some 1,700).
    pub header_bytes: u32,
    /// The body, in bytes; sent where the milter asks for it.
    pub body_bytes: u32,
}

/// What comes after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The next step, in the same write.
    GoOn,
    /// A write of its own ends here.
    Write,
    /// So does it, and a reply is awaited.
    Await,
}

/// One event of the conversation.
#[derive(Debug)]
pub struct Step {
    /// Which; a run of headers without replies is one step.
    pub event: Event,
    /// What is written.
    pub block: Block,
    /// What follows.
    pub then: Then,
}

/// The conversation of one connection and of each message on it.
#[derive(Debug)]
pub struct Script {
    /// Connect and HELO.
    pub opening: Vec<Step>,
    /// MAIL; `None` where the milter does not want it.
    pub mail: Option<Step>,
    /// RCPT, for each recipient.
    pub recipient: Option<Step>,
    /// DATA, and all that follows to the end of the message.
    pub content: Vec<Step>,
    /// What was agreed.
    pub agreement: Agreement,
}

impl Script {
    /// Encodes the conversation of a dialogue.
    pub fn new(dialogue: &Dialogue, sizes: Sizes, pattern: WritePattern) -> Self {
        let writer = |more: &[(&str, &[u8])]| {
            let macros = SESSION_MACROS.iter().chain(more).map(|(name, value)| Macro::new(name.as_bytes(), value));
            Writer { dialogue, pattern, macros: macros.collect() }
        };
        let host = b"mx.elsewhere.example";
        let peer = Peer::Inet { port: 41_208, address: b"192.0.2.25" };
        let opening = [Command::Connect { host, peer }, Command::Helo(host)];
        let opening = opening.iter().filter_map(|command| writer(&[]).step(command)).collect();
        let path = [b"<", MARK, b">"].concat();
        let envelope = |arguments| EnvelopeAddress { address: &path, arguments };
        let arguments = CommandStrings::new(&["SIZE=2716", "BODY=8BITMIME"]);
        let sender: [(&str, &[u8]); 2] = [("mail_addr", MARK), ("mail_mailer", b"smtp")];
        let to: [(&str, &[u8]); 3] = [("rcpt_addr", MARK), ("rcpt_host", b"bench.example"), ("rcpt_mailer", b"relay")];
        let mail = writer(&sender).step(&Command::Mail(envelope(arguments.strings())));
        let recipient = writer(&to).step(&Command::Recipient(envelope(Default::default())));
        // The queue id is known once a recipient was accepted.
        let content = writer(&[sender[0], sender[1], ("i", b"4XkQ7d2LrSz9vBn")]).content(sizes);
        Self { opening, mail, recipient, content, agreement: *dialogue.agreement() }
    }

    /// What one message takes on the wire, without the connection's opening and replies, in bytes, for addresses of so
    /// many bytes.
    pub fn wire_bytes(&self, recipients: usize, address: usize) -> usize {
        let bytes = |step: &Step| step.block.length(address);
        let envelope = self.mail.as_ref().map_or(0, bytes) + recipients * self.recipient.as_ref().map_or(0, bytes);
        envelope + self.content.iter().map(bytes).sum::<usize>()
    }
}

struct Writer<'a> {
    dialogue: &'a Dialogue,
    pattern: WritePattern,
    macros: Vec<Macro>,
}

impl Writer<'_> {
    /// The step of a command, unless the milter declined it.
    fn step(&self, command: &Command<'_>) -> Option<Step> {
        let mut bytes = Vec::new();
        let due = self.dialogue.write(command, &self.macros, &mut bytes);
        let event = Event::of_command(command.byte())?;
        let then = match (due, self.pattern) {
            (Due::Skipped, _) => return None,
            (Due::Reply, _) => Then::Await,
            (Due::Nothing, WritePattern::Command) => Then::Write,
            (Due::Nothing, WritePattern::Postfix) => Then::GoOn,
        };
        Some(Step { event, block: Block::new(&bytes), then })
    }

    fn content(&self, sizes: Sizes) -> Vec<Step> {
        let mut steps: Vec<Step> = self.step(&Command::Data).into_iter().collect();
        for data in &mut steps {
            // Postfix hands the socket over to another process here.
            data.then = if data.then == Then::Await { Then::Await } else { Then::Write };
        }
        for (name, value) in headers(sizes.header_bytes as usize) {
            let value = wire_value(&value, self.dialogue.agreement());
            steps.extend(self.step(&Command::Header { name: name.as_bytes(), value }));
        }
        steps.extend(self.step(&Command::EndOfHeaders));
        let body = body(sizes.body_bytes as usize);
        steps.extend(body.chunks(BODY_CHUNK_MAX).filter_map(|chunk| self.step(&Command::Body(chunk))));
        steps.extend(self.step(&Command::EndOfMessage(b"")));
        merged(steps)
    }
}

/// Joins steps that go out together whatever happens.
fn merged(steps: Vec<Step>) -> Vec<Step> {
    let mut all: Vec<Step> = Vec::with_capacity(steps.len());
    for step in steps {
        match all.last_mut() {
            // What is skipped at a reply begins with a step of its own.
            Some(last) if last.then == Then::GoOn && step.event != Event::Body && step.event != Event::EndOfMessage => {
                last.block.append(step.block);
                (last.event, last.then) = (step.event, step.then);
            }
            _ => all.push(step),
        }
    }
    all
}

/// Macros that hold for the connection.
const SESSION_MACROS: [(&str, &[u8]); 7] = [
    ("j", b"mx.bench.example"),
    ("daemon_name", b"mx.bench.example"),
    ("daemon_addr", b"198.51.100.25"),
    ("v", b"Postfix 3.7.11"),
    ("_", b"mx.elsewhere.example [192.0.2.25]"),
    ("client_addr", b"192.0.2.25"),
    ("client_name", b"mx.elsewhere.example"),
];

/// The headers, values with their leading space, filled up to a size.
fn headers(size: usize) -> Vec<(&'static str, Vec<u8>)> {
    let results = format!(
        " {AUTHSERV_ID};\n\tspf=pass smtp.mailfrom=friends.example;\n\tdkim=pass header.d=friends.example \
         header.s=mail2026;\n\tdmarc=pass header.from=friends.example"
    );
    let mut headers: Vec<(&'static str, Vec<u8>)> = vec![
        ("Authentication-Results", results.into_bytes()),
        ("Received", RECEIVED.to_vec()),
        ("DKIM-Signature", DKIM.to_vec()),
        ("From", [b" \"Camille Durand\" <", MARK, b">"].concat()),
        ("To", b" \"Dominique Petit\" <dominique.petit@bench.example>".to_vec()),
        ("Subject", [b" ", SUBJECT].concat()),
        ("Date", b" Tue, 17 Nov 2026 09:41:32 +0100".to_vec()),
        ("Message-ID", b" <8f1c2f7e-41d0-4f5b-9a75-2b6d6b5e1c07@friends.example>".to_vec()),
        ("In-Reply-To", b" <CAJ7kq0yT4hXn-3ZsmVb8E2pQ@bench.example>".to_vec()),
        ("References", b" <20261112.8841@bench.example>\n <CAJ7kq0yT4hXn-3ZsmVb8E2pQ@bench.example>".to_vec()),
        ("MIME-Version", b" 1.0".to_vec()),
        ("Content-Type", b" multipart/alternative;\n boundary=\"------------0T6bR1vXw0mKq4Zd\"".to_vec()),
        ("User-Agent", b" Mozilla Thunderbird".to_vec()),
        ("Content-Language", b" fr, en-US".to_vec()),
    ];
    let length: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    // A signature's length is what best takes up what is missing.
    headers[2].1.extend(base64_lines(size.saturating_sub(length)));
    headers
}

const RECEIVED: &[u8] = b" from smtp-out.friends.example (smtp-out.friends.example [192.0.2.25])\n\
    \t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n\
    \t key-exchange X25519 server-signature RSA-PSS (2048 bits))\n\
    \tby mx.elsewhere.example (Postfix) with ESMTPS id 4XkQ7c1bTmz6tmk\n\
    \tfor <dominique.petit@bench.example>; Tue, 17 Nov 2026 09:41:33 +0100 (CET)";

const DKIM: &[u8] = b" v=1; a=rsa-sha256; c=relaxed/relaxed; d=friends.example;\n\
    \ts=mail2026; t=1794904892; h=from:to:subject:date:message-id:in-reply-to:\n\
    \treferences:mime-version:content-type; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=;\n\
    \tb=Zs5u2mD0";

/// So many bytes of what looks like a signature, folded.
fn base64_lines(length: usize) -> impl Iterator<Item = u8> {
    const LINE: &[u8] = b"\n\tq8Kx0dZr7TfYhVw2LbJ4mNs9PcQe1RgUa3XiOk5HyDjEv6BtGnClMzFpWu0o/+A";
    LINE.iter().copied().cycle().take(length).enumerate().map(move |(at, byte)| {
        // A fold needs something behind it.
        if at + 2 >= length && byte.is_ascii_whitespace() { b'x' } else { byte }
    })
}

fn body(length: usize) -> Vec<u8> {
    let line = b"Bonjour, vous trouverez ci-joint le compte rendu de la semaine. Bien \xc3\xa0 vous.\r\n";
    line.iter().copied().cycle().take(length).collect()
}

/// Bytes in which an address may still be missing.
#[derive(Debug, Default)]
pub struct Block(Vec<Part>);

#[derive(Debug)]
enum Part {
    Bytes(Vec<u8>),
    /// A frame with the address between each two pieces; its length without the addresses.
    Frame {
        length: usize,
        pieces: Vec<Vec<u8>>,
    },
}

impl Block {
    /// Takes whole frames; wherever the mark stands in one, an address is missing.
    fn new(frames: &[u8]) -> Self {
        let mut block = Self::default();
        let mut decoder = FrameDecoder::new(2 * FRAME_MAX as u32);
        let mut start = 0;
        let _never_fails = decoder.feed(frames, |frame| {
            let end = start + 5 + frame.payload.len();
            block.push(part(&frames[start..end]));
            start = end;
            ControlFlow::<()>::Continue(())
        });
        block
    }

    fn push(&mut self, part: Part) {
        match (self.0.last_mut(), part) {
            (Some(Part::Bytes(bytes)), Part::Bytes(more)) => bytes.extend(more),
            (_, part) => self.0.push(part),
        }
    }

    fn append(&mut self, other: Self) {
        other.0.into_iter().for_each(|part| self.push(part));
    }

    /// Appends the bytes with the address in its places.
    #[inline]
    pub fn write(&self, address: &[u8], output: &mut Vec<u8>) {
        for part in &self.0 {
            match part {
                Part::Bytes(bytes) => output.extend_from_slice(bytes),
                Part::Frame { length, pieces } => {
                    let length = (length + (pieces.len() - 1) * address.len()) as u32;
                    output.extend_from_slice(&length.to_be_bytes());
                    for (index, piece) in pieces.iter().enumerate() {
                        if index > 0 {
                            output.extend_from_slice(address);
                        }
                        output.extend_from_slice(piece);
                    }
                }
            }
        }
    }

    fn length(&self, address: usize) -> usize {
        let length = |part: &Part| match part {
            Part::Bytes(bytes) => bytes.len(),
            Part::Frame { length, pieces } => 4 + length + (pieces.len() - 1) * address,
        };
        self.0.iter().map(length).sum()
    }
}

/// A frame, cut at its marks.
fn part(frame: &[u8]) -> Part {
    let mut pieces = Vec::new();
    let mut rest = &frame[4..];
    while let Some(at) = rest.windows(MARK.len()).position(|window| window == MARK) {
        pieces.push(rest[..at].to_vec());
        rest = &rest[at + MARK.len()..];
    }
    if pieces.is_empty() {
        return Part::Bytes(frame.to_vec());
    }
    pieces.push(rest.to_vec());
    Part::Frame { length: pieces.iter().map(Vec::len).sum(), pieces }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::milter::frame::Frame;
    use crate::milter::negotiate::{Answer, Offer};
    use crate::milter::wire::{Actions, Protocol, Stage};

    fn script(protocol: u32, pattern: WritePattern) -> Script {
        let offer = Offer { version: 6, actions: Actions::ALL, protocol: Protocol::from_bits(protocol) };
        let macros = vec![(Stage::Mail, b"i {mail_addr}".to_vec()), (Stage::Connect, b"".to_vec())];
        let dialogue = Dialogue::new(Answer { agreement: Agreement::new(offer), macros });
        Script::new(&dialogue, Sizes { header_bytes: 2600, body_bytes: 2000 }, pattern)
    }

    fn text_of(step: &Step, address: &str) -> Vec<String> {
        let mut bytes = Vec::new();
        step.block.write(address.as_bytes(), &mut bytes);
        let mut found = Vec::new();
        let fed = FrameDecoder::new(1 << 20).feed(&bytes, |frame: Frame<'_>| {
            found.push(format!("{}{}", char::from(frame.command), frame.payload.escape_ascii()));
            ControlFlow::<()>::Continue(())
        });
        assert!(fed.is_ok() && bytes.len() == step.block.length(address.len()));
        found
    }

    const BEST: u32 = 0x14_7390;

    #[test]
    fn the_address_stands_wherever_it_belongs() {
        let script = script(BEST, WritePattern::Postfix);
        for address in ["a@b.example", "contact1234@friends.example"] {
            let mail = text_of(script.mail.as_ref().unwrap(), address);
            let expected = [
                format!("DM{{mail_addr}}\\x00{address}\\x00"),
                format!("M<{address}>\\x00SIZE=2716\\x00BODY=8BITMIME\\x00"),
            ];
            assert_eq!(mail, expected);
            let recipient = text_of(script.recipient.as_ref().unwrap(), address);
            assert!(recipient[0].contains(&format!("{{rcpt_addr}}\\x00{address}\\x00")));
            assert_eq!(recipient[1], format!("R<{address}>\\x00"));
            let content = text_of(&script.content[0], address);
            assert!(content.contains(&format!("LFrom\\x00 \\\"Camille Durand\\\" <{address}>\\x00")), "{content:#?}");
        }
    }

    #[test]
    fn best_flags_leave_two_writes_and_all_replies_one_a_command() {
        let best = script(BEST, WritePattern::Postfix);
        let thens = |steps: &[Step]| steps.iter().map(|step| step.then).collect::<Vec<_>>();
        assert_eq!(thens(&best.opening), [Then::GoOn, Then::GoOn]);
        assert_eq!(best.recipient.as_ref().unwrap().then, Then::Await);
        // No body was agreed: headers to end of headers, then the end of the message.
        assert_eq!(thens(&best.content), [Then::GoOn, Then::Await]);
        let chatty = script(0, WritePattern::Postfix);
        // DATA, 14 headers, their end, the body, the end of the message.
        assert_eq!(thens(&chatty.content), [Then::Await; 18]);
        let single = script(BEST, WritePattern::Command);
        assert_eq!(single.content.len(), 16);
    }

    #[test]
    fn a_message_has_the_size_that_was_asked_for() {
        for size in [2000, 2600, 20_000] {
            let total: usize = headers(size).iter().map(|(name, value)| name.len() + value.len()).sum();
            assert_eq!(total, size);
            let values = headers(size);
            let folded = values.iter().all(|(_, value)| crate::milter::reply::HeaderValue::new(&value[..]).is_ok());
            assert!(folded, "every header is one");
        }
        let bytes = script(BEST, WritePattern::Postfix).wire_bytes(1, 27);
        assert!((3300..3600).contains(&bytes), "{bytes}");
    }
}
