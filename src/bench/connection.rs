//! One connection's conversation on the MTA's side, without a socket: what is to be written next, what a reply means, and
//! whether the message fared as it had to.
//!
//! Nothing here allocates for a message whose answer is right.

use std::ops::ControlFlow;

use super::blocks::{SUBJECT, Script, Step, Then};
use super::fared::{Check, Fared, Subject, Verdict};
use super::workload::{Planned, write_user};
use crate::milter::client::ClientError;
use crate::milter::client::dialogue::Dialogue;
use crate::milter::command::Command;
use crate::milter::frame::{Frame, FrameDecoder};
use crate::milter::negotiate::{Answer, Event, Offer};
use crate::milter::reply::Reply;
use crate::milter::wire::{FRAME_MAX, command};

/// What all connections of a run have in common.
#[derive(Debug)]
pub struct Talk {
    /// What the milter agreed to when it was asked first.
    pub dialogue: Dialogue,
    /// What is written.
    pub script: Script,
    /// The recipients.
    pub names: Names,
    /// What stands before a personal message's Subject.
    pub tag: Vec<u8>,
    /// What is looked at in an answer.
    pub check: Check,
}

/// The recipients' addresses.
#[derive(Debug)]
pub enum Names {
    /// Those of the seeded users.
    Seeded,
    /// Those that the operator named.
    Listed(Vec<String>),
}

impl Names {
    fn write(&self, recipient: u32, output: &mut Vec<u8>) {
        match self {
            Self::Seeded => write_user(recipient, output),
            Self::Listed(all) => {
                let address = all.get(recipient as usize).map_or("", String::as_str);
                output.extend_from_slice(address.as_bytes());
            }
        }
    }
}

/// Why a connection is of no further use. All of it is the milter's doing.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// What no MTA takes, or the socket.
    #[error(transparent)]
    Milter(#[from] ClientError),
    /// It wants to be spoken to in another way than before.
    #[error("the milter answers the negotiation otherwise than before")]
    OtherAnswer,
    /// No reply within the time.
    #[error("the milter did not reply within {0:?}")]
    Time(std::time::Duration),
    /// No connection.
    #[error("the milter cannot be reached: {0}")]
    Connect(std::io::Error),
}

/// What a call of [`Conversation::write`] leaves to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// More, in a write of its own.
    Write,
    /// A reply is awaited.
    Await,
}

/// What was heard from the milter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Nothing that was waited for is whole yet.
    Nothing,
    /// The negotiation is over.
    Negotiated,
    /// The reply to this event, and the message goes on.
    Reply(Event),
    /// The message is over, by the reply to this event.
    Over(Event, Fared),
}

/// Where a message stands: what is written next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Opening(usize),
    Mail,
    Recipient(usize),
    Content(usize),
    Over,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Nothing,
    Negotiation,
    Reply(Event),
}

/// One connection to the milter.
#[derive(Debug)]
pub struct Conversation {
    decoder: FrameDecoder,
    state: State,
}

#[derive(Debug)]
struct State {
    awaited: Awaited,
    place: Place,
    /// Messages begun on this connection.
    begun: u64,
    /// The sender of the message at hand.
    sender: Vec<u8>,
    /// Room for a recipient's address.
    recipient: Vec<u8>,
    accepted: usize,
    fared: Fared,
    settled: bool,
}

impl Default for Conversation {
    fn default() -> Self {
        let state = State {
            awaited: Awaited::Nothing,
            place: Place::Mail,
            begun: 0,
            sender: Vec::new(),
            recipient: Vec::new(),
            accepted: 0,
            fared: Fared::UNKNOWN,
            settled: false,
        };
        Self { decoder: FrameDecoder::new(FRAME_MAX as u32), state }
    }
}

impl Conversation {
    /// Begins a new connection: writes the offer and awaits its answer.
    pub fn open(&mut self, output: &mut Vec<u8>) {
        *self = Self::default();
        self.state.awaited = Awaited::Negotiation;
        Command::Negotiate(Offer::POSTFIX).encode(output);
    }

    /// Messages begun on this connection.
    pub fn begun(&self) -> u64 {
        self.state.begun
    }

    /// Whether the milter decided about all messages of this connection at once, so that it shows nothing more.
    pub fn is_settled(&self) -> bool {
        self.state.settled
    }

    /// Begins a message; what is left of the one before is forgotten first, as Postfix does.
    pub fn begin(&mut self, planned: &Planned<'_>, output: &mut Vec<u8>) {
        let state = &mut self.state;
        state.place = if state.begun == 0 { Place::Opening(0) } else { Place::Mail };
        if state.begun > 0 {
            Command::Abort.encode(output);
        }
        state.begun += 1;
        state.sender.clear();
        planned.sender.write(&mut state.sender);
        state.accepted = 0;
        state.fared = Fared::UNKNOWN;
    }

    /// Parts from the milter.
    pub fn close(&self, output: &mut Vec<u8>) {
        if self.state.begun > 0 {
            Command::Abort.encode(output);
        }
        Command::Quit.encode(output);
    }

    /// Appends what goes out next, up to the end of a write.
    pub fn write(&mut self, talk: &Talk, planned: &Planned<'_>, output: &mut Vec<u8>) -> Turn {
        let (script, state) = (&talk.script, &mut self.state);
        while state.place != Place::Over {
            let place = state.place;
            state.place = after(place, planned.recipients.len(), script);
            let Some(step) = step(place, script) else { continue };
            if let Place::Recipient(index) = place {
                state.recipient.clear();
                talk.names.write(planned.recipients[index], &mut state.recipient);
                step.block.write(&state.recipient, output);
            } else {
                step.block.write(&state.sender, output);
            }
            match step.then {
                Then::GoOn if is_handed_over(state.place, script) => return Turn::Write,
                Then::GoOn => {}
                Then::Write => return Turn::Write,
                Then::Await => {
                    state.awaited = Awaited::Reply(step.event);
                    break;
                }
            }
        }
        Turn::Await
    }

    /// Takes the bytes of one read.
    ///
    /// # Errors
    /// [`Fault`]: the connection is to be closed.
    pub fn receive(&mut self, talk: &Talk, input: &[u8]) -> Result<Heard, Fault> {
        let state = &mut self.state;
        let mut heard = Heard::Nothing;
        let fed = self.decoder.feed(input, |frame| match state.frame(talk, frame) {
            Ok(Heard::Nothing) => ControlFlow::Continue(()),
            Ok(what) => {
                heard = what;
                ControlFlow::Continue(())
            }
            Err(fault) => ControlFlow::Break(fault),
        });
        match fed.map_err(ClientError::from)? {
            ControlFlow::Continue(()) => Ok(heard),
            ControlFlow::Break(fault) => Err(fault),
        }
    }
}

impl State {
    fn frame(&mut self, talk: &Talk, frame: Frame<'_>) -> Result<Heard, Fault> {
        match self.awaited {
            Awaited::Nothing => Err(ClientError::Surplus(frame.command).into()),
            Awaited::Negotiation => self.negotiated(talk, frame),
            Awaited::Reply(event) => {
                let reply = Reply::parse(frame).map_err(ClientError::from)?;
                if reply == Reply::Progress {
                    return Ok(Heard::Nothing);
                }
                if reply.is_modification() {
                    return self.modified(talk, event, &reply);
                }
                self.awaited = Awaited::Nothing;
                self.replied(talk, event, &reply)
            }
        }
    }

    fn negotiated(&mut self, talk: &Talk, frame: Frame<'_>) -> Result<Heard, Fault> {
        if frame.command != command::OPTNEG {
            return Err(ClientError::Unexpected(frame.command).into());
        }
        let answer = Answer::parse(frame.payload, &Offer::POSTFIX).map_err(ClientError::from)?;
        if Dialogue::new(answer) != talk.dialogue {
            return Err(Fault::OtherAnswer);
        }
        self.awaited = Awaited::Nothing;
        Ok(Heard::Negotiated)
    }

    fn modified(&mut self, talk: &Talk, event: Event, reply: &Reply<'_>) -> Result<Heard, Fault> {
        if event != Event::EndOfMessage {
            return Err(ClientError::Unexpected(reply.byte()).into());
        }
        let needs = reply.needs();
        if !talk.script.agreement.may(needs) {
            return Err(ClientError::NotAgreed(needs).into());
        }
        match reply {
            Reply::ChangeHeader { name, value, .. }
            | Reply::AddHeader { name, value }
            | Reply::InsertHeader { name, value, .. }
                if name.as_bytes().eq_ignore_ascii_case(b"Subject") =>
            {
                let text = value.as_bytes().trim_ascii_start();
                let is_tagged = text.strip_prefix(&talk.tag[..]) == Some(SUBJECT);
                let once = is_tagged && self.fared.subject == Subject::Untouched;
                self.fared.subject = if once { Subject::Tagged } else { Subject::Changed };
            }
            Reply::AddRecipient(_) | Reply::AddRecipientWith { .. } => self.fared.lost -= 1,
            Reply::DeleteRecipient(_) => self.fared.lost += 1,
            Reply::Quarantine(_) => self.fared.verdict = Verdict::Held,
            _ => {}
        }
        Ok(Heard::Nothing)
    }

    fn replied(&mut self, talk: &Talk, event: Event, reply: &Reply<'_>) -> Result<Heard, Fault> {
        let verdict = match reply {
            Reply::Continue => None,
            Reply::Skip if event == Event::Body => {
                self.place = Place::Content(talk.script.content.len() - 1); // the end of the message is always there
                None
            }
            Reply::Accept => Some(Verdict::Accepted),
            Reply::Discard => Some(Verdict::Discarded),
            Reply::Reject => Some(Verdict::Refused),
            Reply::Code(code) if code.code() >= 500 => Some(Verdict::Refused),
            Reply::TempFail | Reply::Code(_) => Some(Verdict::PutOff),
            Reply::Shutdown => {
                self.settled = true;
                return Ok(self.over(event, Verdict::PutOff));
            }
            other => return Err(ClientError::Unexpected(other.byte()).into()),
        };
        match (event, verdict) {
            (Event::EndOfMessage, None) => Ok(Heard::Over(event, self.fared)),
            (Event::EndOfMessage, Some(Verdict::Accepted)) => Ok(Heard::Over(event, self.fared)),
            (Event::Recipient, None) => {
                self.accepted += 1;
                Ok(Heard::Reply(event))
            }
            (Event::Recipient, Some(verdict @ (Verdict::Refused | Verdict::PutOff))) => {
                self.fared.lost += 1;
                let is_last = !matches!(self.place, Place::Recipient(_));
                Ok(if is_last && self.accepted == 0 { self.over(event, verdict) } else { Heard::Reply(event) })
            }
            (_, None) => Ok(Heard::Reply(event)),
            (_, Some(verdict)) => {
                self.settled |= matches!(event, Event::Connect | Event::Helo);
                Ok(self.over(event, verdict))
            }
        }
    }

    fn over(&mut self, event: Event, verdict: Verdict) -> Heard {
        self.fared.verdict = verdict;
        Heard::Over(event, self.fared)
    }
}

/// The step of a place, unless the milter declined it.
fn step(place: Place, script: &Script) -> Option<&Step> {
    match place {
        Place::Opening(index) => script.opening.get(index),
        Place::Mail => script.mail.as_ref(),
        Place::Recipient(_) => script.recipient.as_ref(),
        Place::Content(index) => script.content.get(index),
        Place::Over => None,
    }
}

/// What follows a place.
fn after(place: Place, recipients: usize, script: &Script) -> Place {
    match place {
        Place::Opening(index) if index + 1 < script.opening.len() => Place::Opening(index + 1),
        Place::Opening(_) => Place::Mail,
        Place::Mail if recipients > 0 => Place::Recipient(0),
        Place::Recipient(index) if index + 1 < recipients => Place::Recipient(index + 1),
        Place::Mail | Place::Recipient(_) => Place::Content(0),
        Place::Content(index) if index + 1 < script.content.len() => Place::Content(index + 1),
        Place::Content(_) | Place::Over => Place::Over,
    }
}

/// Whether the headers come next without a DATA before them: Postfix hands its socket to another process there.
fn is_handed_over(place: Place, script: &Script) -> bool {
    place == Place::Content(0) && script.content.first().is_some_and(|step| step.event != Event::Data)
}

#[cfg(test)]
mod tests {
    use super::super::blocks::{Sizes, WritePattern};
    use super::super::workload::{Kind, Pool, Sender};
    use super::*;
    use crate::milter::frame;
    use crate::milter::negotiate::Agreement;
    use crate::milter::wire::{Actions, Protocol, reply};

    /// No body, no DATA, no HELO; replies at RCPT and at the end of the message alone.
    const REPLIES_AT_RCPT: u32 = 0x47392;

    fn talk(protocol: u32) -> Talk {
        let actions = Actions::ADDHDRS | Actions::CHGHDRS | Actions::ADDRCPT | Actions::DELRCPT;
        let offer = Offer { version: 6, actions, protocol: Protocol::from_bits(protocol) };
        let dialogue = Dialogue::new(Answer { agreement: Agreement::new(offer), macros: Vec::new() });
        let sizes = Sizes { header_bytes: 2000, body_bytes: 100 };
        let script = Script::new(&dialogue, sizes, WritePattern::Postfix);
        Talk { dialogue, script, names: Names::Seeded, tag: b"[PERSO] ".to_vec(), check: Check::Outcome }
    }

    fn planned(recipients: &[u32]) -> Planned<'_> {
        Planned { kind: Kind::Personal, sender: Sender { pool: Pool::Friend, number: 7 }, recipients }
    }

    fn answer(protocol: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame::encode(&mut bytes, command::OPTNEG, |out| {
            let actions = Actions::ADDHDRS | Actions::CHGHDRS | Actions::ADDRCPT | Actions::DELRCPT;
            Offer { version: 6, actions, protocol: Protocol::from_bits(protocol) }.encode(out);
        });
        bytes
    }

    fn reply(byte: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame::encode(&mut bytes, byte, |out| out.extend_from_slice(payload));
        bytes
    }

    fn change_subject(value: &[u8]) -> Vec<u8> {
        reply(reply::CHGHEADER, &[b"\0\0\0\x01subject\0", value, b"\0"].concat())
    }

    /// The command bytes of what is written, macros left out.
    fn commands(bytes: &[u8]) -> String {
        let mut found = String::new();
        let fed = FrameDecoder::new(1 << 20).feed(bytes, |frame| {
            if frame.command != command::MACRO {
                found.push(char::from(frame.command));
            }
            ControlFlow::<()>::Continue(())
        });
        assert!(fed.is_ok());
        found
    }

    /// A connection that has negotiated and written a message up to its first reply, and what it wrote, by writes.
    fn begun(talk: &Talk, recipients: &[u32]) -> (Conversation, Vec<String>) {
        let mut conversation = Conversation::default();
        let mut offer = Vec::new();
        conversation.open(&mut offer);
        assert_eq!(commands(&offer), "O");
        let heard = conversation.receive(talk, &answer(talk.script.agreement.protocol().bits()));
        assert_eq!(heard.unwrap(), Heard::Negotiated);
        let mut before = Vec::new();
        conversation.begin(&planned(recipients), &mut before);
        let writes = writes(&mut conversation, talk, recipients, before);
        (conversation, writes)
    }

    fn writes(conversation: &mut Conversation, talk: &Talk, recipients: &[u32], mut output: Vec<u8>) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let turn = conversation.write(talk, &planned(recipients), &mut output);
            all.push(commands(&output));
            output.clear();
            if turn == Turn::Await {
                return all;
            }
        }
    }

    const HEADERS: &str = "LLLLLLLLLLLLLL";

    #[test]
    fn a_message_goes_out_in_two_writes_where_no_reply_parts_it() {
        let talk = talk(REPLIES_AT_RCPT | Protocol::NR_RCPT.bits());
        let (mut conversation, first) = begun(&talk, &[1, 2]);
        assert_eq!(first, ["CMRR".to_owned(), format!("{HEADERS}NE")]);
        let heard = conversation.receive(&talk, &reply(reply::CONTINUE, b"")).unwrap();
        assert!(matches!(heard, Heard::Over(Event::EndOfMessage, _)));
        // The next message on the same connection; what is left of the one before is forgotten first.
        let mut output = Vec::new();
        conversation.begin(&planned(&[3]), &mut output);
        let second = writes(&mut conversation, &talk, &[3], output);
        assert_eq!(second, ["AMR".to_owned(), format!("{HEADERS}NE")]);
        let mut farewell = Vec::new();
        conversation.close(&mut farewell);
        assert_eq!(commands(&farewell), "AQ");
    }

    #[test]
    fn each_reply_that_is_due_is_awaited() {
        let talk = talk(REPLIES_AT_RCPT);
        let (mut conversation, first) = begun(&talk, &[1, 2]);
        assert_eq!(first, ["CMR"]);
        for expected in ["R".to_owned(), format!("{HEADERS}NE")] {
            let heard = conversation.receive(&talk, &reply(reply::CONTINUE, b"")).unwrap();
            assert_eq!(heard, Heard::Reply(Event::Recipient));
            assert_eq!(writes(&mut conversation, &talk, &[1, 2], Vec::new()), [expected]);
        }
    }

    #[test]
    fn how_a_message_fared_is_told_from_the_answer() {
        let tagged = [b" [PERSO] ", SUBJECT].concat();
        let other = [b" [PERSO] [PERSO] ", SUBJECT].concat();
        let accepted = reply(reply::CONTINUE, b"");
        let cases = [
            (accepted.clone(), (Verdict::Accepted, Subject::Untouched), [true, false, false, true]),
            (
                [change_subject(&tagged), accepted.clone()].concat(),
                (Verdict::Accepted, Subject::Tagged),
                [false, true, false, false],
            ),
            ([change_subject(&other), accepted.clone()].concat(), (Verdict::Accepted, Subject::Changed), [false; 4]),
            (
                reply(reply::REPLYCODE, b"550 5.7.1 no\0"),
                (Verdict::Refused, Subject::Untouched),
                [false, false, true, false],
            ),
            (reply(reply::TEMPFAIL, b""), (Verdict::PutOff, Subject::Untouched), [false; 4]),
            (reply(reply::DISCARD, b""), (Verdict::Discarded, Subject::Untouched), [false; 4]),
            (
                [reply(reply::DELRCPT, b"<user1@bench.example>\0"), accepted].concat(),
                (Verdict::Accepted, Subject::Untouched),
                [false; 4],
            ),
        ];
        let talk = talk(REPLIES_AT_RCPT | Protocol::NR_RCPT.bits());
        for (bytes, (verdict, subject), right) in cases {
            for size in [1, 3, bytes.len()] {
                let (mut conversation, _) = begun(&talk, &[1]);
                let heard: Vec<Heard> =
                    bytes.chunks(size).map(|chunk| conversation.receive(&talk, chunk).unwrap()).collect();
                let Some(Heard::Over(Event::EndOfMessage, fared)) = heard.last().copied() else {
                    panic!("{heard:?}");
                };
                assert_eq!((fared.verdict, fared.subject), (verdict, subject));
                let kinds = [Kind::Plain, Kind::Personal, Kind::Blocked, Kind::Mixed];
                assert_eq!(kinds.map(|kind| fared.mismatch(kind, Check::Outcome).is_none()), right, "{fared}");
                assert_eq!(fared.mismatch(Kind::Personal, Check::Protocol), None);
            }
        }
    }

    #[test]
    fn a_message_whose_recipients_are_all_refused_is_over() {
        let talk = talk(REPLIES_AT_RCPT);
        let refused = reply(reply::REJECT, b"");
        let (mut conversation, _) = begun(&talk, &[1, 2]);
        assert_eq!(conversation.receive(&talk, &refused).unwrap(), Heard::Reply(Event::Recipient));
        writes(&mut conversation, &talk, &[1, 2], Vec::new());
        let Heard::Over(Event::Recipient, fared) = conversation.receive(&talk, &refused).unwrap() else { panic!() };
        assert_eq!((fared.verdict, fared.lost), (Verdict::Refused, 2));
        assert_eq!(fared.mismatch(Kind::Blocked, Check::Outcome), None);
        let text = fared.mismatch(Kind::Personal, Check::Outcome).unwrap();
        let expected = "expected a personal message: accepted, the tag before the Subject; \
                        got refused, the Subject untouched, 2 recipients lost";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_no_mta_takes_ends_the_connection() {
        let talk = talk(REPLIES_AT_RCPT);
        let go_on = reply(reply::CONTINUE, b"");
        for (bytes, text) in [
            ([go_on.clone(), go_on].concat(), "the milter sent reply `c` that nothing asked for"),
            (change_subject(b"x"), "the milter sent reply `m` where it has no place"),
            (reply(reply::SKIP, b""), "the milter sent reply `s` where it has no place"),
            (reply(b'Z', b""), "the milter sent a bad reply: unknown reply byte 0x5a"),
            (vec![0, 0, 0, 0], "the milter sent a frame of length 0, which has no command byte"),
        ] {
            let (mut conversation, _) = begun(&talk, &[1]);
            assert_eq!(conversation.receive(&talk, &bytes).unwrap_err().to_string(), text);
        }
        let mut conversation = Conversation::default();
        conversation.open(&mut Vec::new());
        assert!(matches!(conversation.receive(&talk, &answer(0)), Err(Fault::OtherAnswer)));
    }

    #[test]
    fn an_edit_that_was_not_agreed_is_a_fault_and_skip_leaves_the_body_out() {
        let talk = talk(0);
        let (mut conversation, _) = begun(&talk, &[1]);
        let go_on = reply(reply::CONTINUE, b"");
        // Connect, HELO, MAIL, RCPT, DATA, 14 headers and their end; then the body.
        for _ in 0..20 {
            assert!(matches!(conversation.receive(&talk, &go_on).unwrap(), Heard::Reply(_)));
            writes(&mut conversation, &talk, &[1], Vec::new());
        }
        assert_eq!(conversation.receive(&talk, &reply(reply::SKIP, b"")).unwrap(), Heard::Reply(Event::Body));
        assert_eq!(writes(&mut conversation, &talk, &[1], Vec::new()), ["E"]);
        let error = conversation.receive(&talk, &reply(reply::QUARANTINE, b"why\0")).unwrap_err();
        assert_eq!(error.to_string(), "the milter used QUARANTINE, which was not agreed");
    }
}
