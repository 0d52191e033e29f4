//! What the minimal milter says: bytes in, bytes out.

use std::collections::HashMap;

use perso_milter::milter::wire::{Actions, FRAME_MAX, LENGTH_BYTES, Protocol, VERSION_MAX, command, reply};

/// What stands before the Subject of a personal message.
const TAG: &[u8] = b"[PERSO] ";

/// Whether RCPT is answered: one more round trip for each recipient.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum RecipientReplies {
    Sent,
    Spared,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Personal,
    Black,
}

/// What all connections share.
pub struct Milter {
    senders: HashMap<Vec<u8>, Kind, foldhash::fast::RandomState>,
    recipients: RecipientReplies,
}

impl Milter {
    /// Addresses in lower case and without brackets.
    pub fn new(personal: Vec<String>, black: Vec<String>, recipients: RecipientReplies) -> Self {
        let kinds = [(personal, Kind::Personal), (black, Kind::Black)];
        let senders = kinds.into_iter().flat_map(|(all, kind)| all.into_iter().map(move |one| (one.into(), kind)));
        Self { senders: senders.collect(), recipients }
    }

    /// The events that are wanted, and that are answered: the least.
    fn protocol(&self) -> Protocol {
        let skipped = Protocol::NOHELO | Protocol::NODATA | Protocol::NOBODY | Protocol::NOUNKNOWN | Protocol::NOEOH;
        let silent = Protocol::NR_CONN | Protocol::NR_MAIL | Protocol::NR_HDR | Protocol::NR_EOH;
        let least = skipped | silent | Protocol::HDR_LEADSPC;
        match self.recipients {
            RecipientReplies::Sent => least,
            RecipientReplies::Spared => least | Protocol::NR_RCPT,
        }
    }
}

/// The connection is to be closed: the MTA has said so, or what it says cannot be read.
#[derive(Debug)]
pub struct Close;

/// What is known of the message that is under way. MAIL begins anew, so that ABORT asks for nothing.
#[derive(Default)]
pub struct Conversation {
    kind: Option<Kind>,
    /// The sender, in lower case.
    sender: Vec<u8>,
    /// The edit of a personal message, once its first Subject has come: a frame.
    edit: Vec<u8>,
}

impl Conversation {
    /// Takes the whole frames at the beginning of `input` and appends the answers to `output`. What remains behind the bytes
    /// taken is a frame that is cut: it is given again, with what follows.
    pub fn receive(&mut self, milter: &Milter, input: &[u8], output: &mut Vec<u8>) -> Result<usize, Close> {
        let mut rest = input;
        while let Some((length, behind)) = rest.split_first_chunk::<LENGTH_BYTES>() {
            let length = u32::from_be_bytes(*length) as usize;
            if length > FRAME_MAX {
                return Err(Close);
            }
            let Some((frame, behind)) = behind.split_at_checked(length) else { break };
            let (&command, payload) = frame.split_first().ok_or(Close)?;
            self.command(milter, command, payload, output)?;
            rest = behind;
        }
        Ok(input.len() - rest.len())
    }

    fn command(&mut self, milter: &Milter, byte: u8, payload: &[u8], output: &mut Vec<u8>) -> Result<(), Close> {
        match byte {
            command::HEADER if self.kind == Some(Kind::Personal) => self.header(payload),
            command::MAIL => self.mail(milter, payload),
            command::RCPT if milter.recipients == RecipientReplies::Sent => {
                let byte = if self.kind == Some(Kind::Black) { reply::REJECT } else { reply::CONTINUE };
                frame(output, byte, &[]);
            }
            command::BODYEOB => self.end_of_message(output),
            command::OPTNEG => return negotiate(milter, payload, output),
            command::QUIT | command::QUIT_NC => return Err(Close),
            _ => {}
        }
        Ok(())
    }

    fn mail(&mut self, milter: &Milter, payload: &[u8]) {
        let address = payload.split(|&byte| byte == 0).next().unwrap_or_default();
        let address = address.strip_prefix(b"<").unwrap_or(address);
        let address = address.strip_suffix(b">").unwrap_or(address);
        self.sender.clear();
        self.sender.extend(address.iter().map(u8::to_ascii_lowercase));
        self.kind = milter.senders.get(&self.sender).copied();
        self.edit.clear();
    }

    fn header(&mut self, payload: &[u8]) {
        let Some((name, value)) = payload.split_at_checked(b"Subject\0".len()) else { return };
        if self.edit.is_empty() && name.eq_ignore_ascii_case(b"Subject\0") {
            self.tag(value);
        }
    }

    /// Writes the edit that tags a Subject, whose value comes with its leading blank and its NUL.
    fn tag(&mut self, value: &[u8]) {
        let blanks = value.iter().take_while(|byte| b" \t".contains(byte)).count();
        let (blanks, text) = value.split_at(blanks);
        frame(&mut self.edit, reply::CHGHEADER, &[&1_u32.to_be_bytes(), b"Subject\0", blanks, TAG, text]);
    }

    fn end_of_message(&mut self, output: &mut Vec<u8>) {
        if self.kind == Some(Kind::Personal) {
            if self.edit.is_empty() {
                self.tag(b" \0");
            }
            output.extend_from_slice(&self.edit);
        }
        frame(output, reply::CONTINUE, &[]);
    }
}

/// Takes the MTA's offer, if it holds all that is wanted, and wants macros at no stage.
fn negotiate(milter: &Milter, payload: &[u8], output: &mut Vec<u8>) -> Result<(), Close> {
    let number = |at: usize| payload.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    let [Some(version), Some(actions), Some(protocol)] = [0, 4, 8].map(number) else { return Err(Close) };
    let wanted = (Actions::ADDHDRS | Actions::CHGHDRS | Actions::SETSYMLIST, milter.protocol());
    let offered = (Actions::from_bits(actions), Protocol::from_bits(protocol));
    if version < VERSION_MAX || !offered.0.contains(wanted.0) || !offered.1.contains(wanted.1) {
        return Err(Close);
    }
    let numbers = [VERSION_MAX, wanted.0.bits(), wanted.1.bits()].map(u32::to_be_bytes);
    let no_macros: Vec<u8> = (0..=6).flat_map(|stage| [0, 0, 0, stage, 0]).collect();
    frame(output, command::OPTNEG, &[numbers.as_flattened(), &no_macros]);
    Ok(())
}

fn frame(output: &mut Vec<u8>, byte: u8, payload: &[&[u8]]) {
    let length = 1 + payload.iter().map(|part| part.len()).sum::<usize>();
    output.extend_from_slice(&(length as u32).to_be_bytes());
    output.push(byte);
    payload.iter().for_each(|part| output.extend_from_slice(part));
}
