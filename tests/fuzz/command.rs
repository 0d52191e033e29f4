//! Commands and replies: whatever can be read means the same once it is written again.

use std::ops::ControlFlow;

use perso_milter::milter::command::Command;
use perso_milter::milter::frame::{Frame, FrameDecoder};
use perso_milter::milter::negotiate::{Answer, Offer};
use perso_milter::milter::reply::{HeaderValue, Reply};
use perso_milter::policy::address::Address;

/// `data` is a frame without its length: a command or reply byte, and a payload.
pub fn holds(data: &[u8]) {
    let Some((&command, payload)) = data.split_first() else { return };
    let frame = Frame { command, payload };
    if let Ok(meaning) = Command::parse(frame) {
        check_fields(&meaning);
        let mut written = Vec::new();
        meaning.encode(&mut written);
        with_frame(&written, |again| assert_eq!(Command::parse(again), Ok(meaning)));
    }
    if let Ok(meaning) = Reply::parse(frame) {
        let mut written = Vec::new();
        meaning.encode(&mut written);
        with_frame(&written, |again| assert_eq!(Reply::parse(again).as_ref(), Ok(&meaning)));
        assert_eq!(meaning.clone().into_owned(), meaning);
    }
    if let Ok(answer) = Answer::parse(payload, &Offer::POSTFIX) {
        assert!(Offer::POSTFIX.actions.contains(answer.agreement.actions()));
        assert!(Offer::POSTFIX.protocol.contains(answer.agreement.protocol()));
    }
    let cleaned = HeaderValue::cleaned(payload);
    assert!(HeaderValue::new(cleaned.as_bytes()).is_ok(), "a cleaned value cannot be sent");
}

/// What a reader of the fields may rely on.
fn check_fields(command: &Command<'_>) {
    match command {
        Command::Macros(macros) => {
            // A name may be asked for with its braces or without.
            for (name, _) in macros.iter().filter(|(name, _)| !name.starts_with(b"{")) {
                let first = macros.iter().find(|(other, _)| *other == name).map(|(_, value)| value);
                assert_eq!(macros.get(name), first);
            }
        }
        Command::Mail(envelope) | Command::Recipient(envelope) => {
            assert!(!envelope.address.contains(&0));
            let joined = envelope.arguments.iter().map(|argument| argument.len() + 1).sum::<usize>();
            assert_eq!(joined, envelope.arguments.as_bytes().len());
            if let Some(address) = Address::from_path(envelope.address) {
                assert_eq!(Address::parse(address.as_str()).as_ref(), Ok(&address), "not its own normal form");
            }
        }
        Command::Header { name, value } => assert!(!name.contains(&0) && !value.contains(&0)),
        _ => {}
    }
}

/// The one frame that was written.
fn with_frame(written: &[u8], check: impl Fn(Frame<'_>)) {
    let mut frames = 0;
    let fed = FrameDecoder::new(u32::MAX).feed(written, |frame| {
        frames += 1;
        check(frame);
        ControlFlow::<()>::Continue(())
    });
    assert!(fed.is_ok() && frames == 1, "{frames} frames");
}
