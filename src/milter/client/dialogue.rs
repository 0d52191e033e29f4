//! What the MTA writes, without a socket: which events are sent, the macros before them, which replies to await.

use super::super::command::{Command, CommandStrings, Macros};
use super::super::negotiate::{Agreement, Answer, Event};
use super::super::wire::Stage;

/// A macro that has a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Macro {
    /// The name, without braces.
    pub name: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
}

impl Macro {
    /// A macro with this name (without braces) and value.
    pub fn new(name: &[u8], value: &[u8]) -> Self {
        Self { name: name.to_vec(), value: value.to_vec() }
    }
}

/// What a command that was to be written asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// The milter declined the event: nothing was written.
    Skipped,
    /// It was written, and gets no reply.
    Nothing,
    /// It was written, and a reply is to be awaited before the next.
    Reply,
}

/// The MTA's side of one connection, after the negotiation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialogue {
    agreement: Agreement,
    /// The macros the milter asked for, by stage, instead of the usual ones.
    macros: Vec<(Stage, Vec<u8>)>,
}

impl Dialogue {
    /// The dialogue that follows from the milter's answer.
    pub fn new(answer: Answer) -> Self {
        Self { agreement: answer.agreement, macros: answer.macros }
    }

    /// What the milter agreed to.
    pub fn agreement(&self) -> &Agreement {
        &self.agreement
    }

    /// Appends the command, and before it the macros of its event that have a value, unless the milter declined it.
    pub fn write(&self, command: &Command<'_>, macros: &[Macro], output: &mut Vec<u8>) -> Due {
        let Some(event) = Event::of_command(command.byte()) else {
            command.encode(output);
            return Due::Nothing;
        };
        if self.agreement.is_skipped(event) {
            return Due::Skipped;
        }
        self.write_macros(event, command.byte(), macros, output);
        command.encode(output);
        if self.agreement.replies_to(event) { Due::Reply } else { Due::Nothing }
    }

    /// A macro frame, even if empty: Postfix sends one before every event, every header too.
    fn write_macros(&self, event: Event, byte: u8, macros: &[Macro], output: &mut Vec<u8>) {
        let mut pairs = Vec::new();
        for name in self.names(event).split(|b| b.is_ascii_whitespace() || *b == b',') {
            let bare = name.strip_prefix(b"{").and_then(|name| name.strip_suffix(b"}")).unwrap_or(name);
            if let Some(found) = macros.iter().find(|known| known.name == bare) {
                pairs.push(name);
                pairs.push(&found.value);
            }
        }
        let pairs = CommandStrings::new(&pairs);
        Command::Macros(Macros::new(byte, pairs.strings())).encode(output);
    }

    /// The names of an event's macros: those asked for, else Postfix's defaults (milter_connect_macros and so on).
    fn names(&self, event: Event) -> &[u8] {
        let (stage, usual): (_, &[u8]) = match event {
            Event::Connect => (Stage::Connect, b"j {daemon_name} {daemon_addr} v _"),
            Event::Helo => (Stage::Helo, b"{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}"),
            Event::Mail => {
                (Stage::Mail, b"i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}")
            }
            Event::Recipient => (Stage::Recipient, b"i {rcpt_addr} {rcpt_host} {rcpt_mailer}"),
            Event::Data => (Stage::Data, b"i"),
            Event::Header | Event::EndOfHeaders => (Stage::EndOfHeaders, b"i"),
            Event::Body | Event::EndOfMessage => (Stage::EndOfMessage, b"i"),
            Event::Unknown => return b"",
        };
        let asked = self.macros.iter().find(|(wanted, _)| *wanted == stage);
        asked.map_or(usual, |(_, names)| names)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::negotiate::Offer;
    use super::super::super::wire::{Actions, Protocol};
    use super::*;

    fn dialogue(protocol: u32, macros: Vec<(Stage, Vec<u8>)>) -> Dialogue {
        Dialogue::new(Answer {
            agreement: Agreement::new(Offer {
                version: 6,
                actions: Actions::NONE,
                protocol: Protocol::from_bits(protocol),
            }),
            macros,
        })
    }

    #[test]
    fn what_was_declined_is_not_written() {
        let cases = [
            (0, Command::Data, Due::Reply),
            (0x200, Command::Data, Due::Skipped),
            (0x1_0000, Command::Data, Due::Nothing),
            (0x1F_FFFF, Command::EndOfMessage(b""), Due::Reply),
            (0, Command::Abort, Due::Nothing),
        ];
        for (protocol, command, due) in cases {
            let mut output = Vec::new();
            let actual = dialogue(protocol, Vec::new()).write(&command, &[], &mut output);
            assert_eq!(actual, due, "{command:?}");
            assert_eq!(output.is_empty(), due == Due::Skipped);
        }
    }

    #[test]
    fn macros_with_a_value_go_before_their_event() {
        let macros = [Macro::new(b"i", b"4A"), Macro::new(b"auth_authen", b"eve"), Macro::new(b"j", b"mx")];
        let asked = vec![(Stage::Mail, b"{auth_authen}".to_vec())];
        let cases: [(_, &[u8]); 2] = [
            (dialogue(0, Vec::new()), b"\0\0\0\x19DMi\x004A\0{auth_authen}\0eve\0"),
            (dialogue(0, asked), b"\0\0\0\x14DM{auth_authen}\0eve\0"),
        ];
        for (dialogue, expected) in cases {
            let mut output = Vec::new();
            let address = super::super::EnvelopeAddress { address: b"<>", arguments: Default::default() };
            dialogue.write(&Command::Mail(address), &macros, &mut output);
            assert_eq!(&output[..expected.len()], expected, "{}", output.escape_ascii());
            assert_eq!(&output[expected.len()..], b"\0\0\0\x04M<>\0");
        }
    }
}
