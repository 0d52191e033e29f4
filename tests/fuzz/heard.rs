//! The MTA's side of a conversation of [`super::session`]: what it was told so far, and what it may be told now.

use std::collections::HashSet;
use std::ops::ControlFlow;

use perso_milter::milter::client::message::bare_address;
use perso_milter::milter::command::Command;
use perso_milter::milter::frame::{Frame, FrameDecoder};
use perso_milter::milter::negotiate::{Agreement, Answer, Event, Offer};
use perso_milter::milter::reply::Reply;
use perso_milter::milter::wire::{FRAME_MAX, command};

type Payloads = [(u8, Vec<u8>)];

/// What is true of the conversation so far, told by the frames alone.
#[derive(Default)]
pub struct Heard {
    agreement: Option<Agreement>,
    /// The paths of the recipients that were accepted.
    recipients: Vec<Vec<u8>>,
}

impl Heard {
    /// The replies to one frame: those that are due and no other.
    pub fn check(&mut self, frame: Frame<'_>, output: &[u8]) {
        let replies = frames(output);
        match Command::parse(frame).expect("it was taken") {
            Command::Negotiate(offer) => self.check_answer(&offer, &replies),
            command => self.check_replies(&command, &replies),
        }
    }

    fn check_answer(&mut self, offer: &Offer, replies: &Payloads) {
        let [(command::OPTNEG, payload)] = replies else { panic!("no answer to the negotiation") };
        let answer = Answer::parse(payload, offer).expect("an answer that an MTA takes");
        self.agreement = Some(answer.agreement);
    }

    fn check_replies(&mut self, command: &Command<'_>, replies: &Payloads) {
        let event = Event::of_command(command.byte());
        let due = event.is_some_and(|event| self.agreement.expect("agreed").replies_to(event));
        let frames = replies.iter().map(|(byte, payload)| Frame { command: *byte, payload });
        let replies: Vec<_> = frames.map(|frame| Reply::parse(frame).expect("a reply that an MTA takes")).collect();
        let refused = match replies.split_last() {
            Some((last, edits)) => {
                assert!(due, "{last:?} that nothing asked for");
                let refused = matches!(last, Reply::Code(_) | Reply::TempFail | Reply::Reject);
                let may_refuse = matches!(command, Command::Recipient(_) | Command::EndOfMessage(_));
                assert!(*last == Reply::Continue || (may_refuse && refused), "{last:?} to {command:?}");
                let may_edit = matches!(command, Command::EndOfMessage(_)) && !refused;
                assert!(edits.is_empty() || may_edit, "edits that have no place");
                self.check_edits(edits);
                refused
            }
            None => {
                assert!(!due, "no reply where one is due");
                false
            }
        };
        match command {
            Command::QuitNewConnection => self.agreement = None,
            Command::Mail(_) => self.recipients.clear(),
            Command::Recipient(envelope) if !refused => self.recipients.push(envelope.address.to_vec()),
            _ => {}
        }
    }

    /// The edits of one message: agreed, in their order, and by the planner's law.
    fn check_edits(&self, edits: &[Reply<'_>]) {
        let bare = |address: &[u8]| bare_address(address).to_ascii_lowercase();
        let (mut added, mut last_kind) = (HashSet::new(), 0);
        for edit in edits {
            assert!(edit.is_modification() && self.agreement.expect("agreed").may(edit.needs()), "{edit:?}");
            let kind = match edit {
                Reply::AddRecipient(address) | Reply::AddRecipientWith { address, .. } => {
                    added.insert(bare(address.as_bytes()));
                    0
                }
                Reply::DeleteRecipient(address) => {
                    assert!(!added.contains(&bare(address.as_bytes())), "added and deleted");
                    assert!(self.recipients.iter().any(|path| path == address.as_bytes()), "never named: {address:?}");
                    2
                }
                _ => 1,
            };
            assert!(kind >= last_kind, "out of order: {edits:?}");
            last_kind = kind;
        }
    }
}

/// What an MTA reads, which takes no larger frame than it writes.
fn frames(stream: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let (mut found, mut decoder) = (Vec::new(), FrameDecoder::new(FRAME_MAX as u32));
    let fed = decoder.feed(stream, |frame| {
        found.push((frame.command, frame.payload.to_vec()));
        ControlFlow::<()>::Continue(())
    });
    assert!(fed.is_ok() && !decoder.has_partial(), "no frames: {fed:?}");
    found
}
