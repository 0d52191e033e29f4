//! What holds for any bytes.

use std::ops::ControlFlow;

use perso_milter::milter::client::message::Message;
use perso_milter::milter::command::Command;
use perso_milter::milter::frame::{Frame, FrameDecoder, FrameError};
use perso_milter::milter::negotiate::{Answer, Offer, Wanted, negotiate};
use perso_milter::milter::reply::{HeaderValue, Reply};
use perso_milter::milter::wire::{Actions, Protocol, Stage};
use proptest::collection::vec;
use proptest::prelude::*;

use super::harness::{frame, frames};

const MAX_FRAME: u32 = 200;

/// Bytes that are often frames, and often not.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        6 => (any::<u8>(), vec(any::<u8>(), 0..80)).prop_map(|(byte, payload)| frame(byte, &payload)),
        1 => vec(any::<u8>(), 0..12),
        1 => (0u32..300).prop_map(|length| length.to_be_bytes().to_vec()),
    ];
    vec(part, 0..8).prop_map(|parts| parts.concat())
}

/// A command byte with a payload of short strings, which most commands are made of.
fn payloads() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let bytes = prop_oneof![prop::sample::select(b"ABCDEHKLMNOQRTU+-24abcdefhilmpqrsty".to_vec()), any::<u8>()];
    let byte = prop_oneof![Just(0), prop::sample::select(b"i{}:46LU<@>%\r\n 5.7a".to_vec()), any::<u8>()];
    (bytes, vec(byte, 0..60))
}

/// A command byte and its payload.
type Owned = (u8, Vec<u8>);

/// Feeds chunks of these sizes, round and round; the frames, the error, and the most that was held.
fn decode(stream: &[u8], sizes: &[usize]) -> (Vec<Owned>, Option<FrameError>, usize) {
    let mut decoder = FrameDecoder::new(MAX_FRAME);
    let mut found = Vec::new();
    let (mut rest, mut held) = (stream, 0);
    for size in sizes.iter().cycle() {
        let (chunk, after) = rest.split_at((*size).min(rest.len()));
        let fed = decoder.feed(chunk, |frame| {
            found.push((frame.command, frame.payload.to_vec()));
            ControlFlow::<()>::Continue(())
        });
        held = held.max(decoder.held());
        if let Err(error) = fed {
            return (found, Some(error), held);
        }
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    (found, None, held)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chunks_make_no_difference(stream in streams(), sizes in vec(1usize..50, 1..6)) {
        let (whole, error, _) = decode(&stream, &[usize::MAX]);
        let (cut, cut_error, held) = decode(&stream, &sizes);
        prop_assert_eq!(whole, cut);
        prop_assert_eq!(error, cut_error);
        prop_assert!(held <= MAX_FRAME as usize, "held {}", held);
    }

    #[test]
    fn what_a_command_means_survives_writing((command, payload) in payloads()) {
        let frame = Frame { command, payload: &payload };
        if let Ok(meaning) = Command::parse(frame) {
            let mut bytes = Vec::new();
            meaning.encode(&mut bytes);
            let written = frames(&bytes);
            prop_assert_eq!(written.len(), 1);
            let again = Frame { command: written[0].0, payload: &written[0].1 };
            prop_assert_eq!(Command::parse(again), Ok(meaning));
            if let Command::Macros(macros) = meaning {
                prop_assert!(macros.iter().count() <= payload.len());
            }
        }
    }

    #[test]
    fn what_a_reply_means_survives_writing((command, payload) in payloads()) {
        let frame = Frame { command, payload: &payload };
        if let Ok(meaning) = Reply::parse(frame) {
            let mut bytes = Vec::new();
            meaning.encode(&mut bytes);
            let written = frames(&bytes);
            prop_assert_eq!(written.len(), 1);
            let again = Frame { command: written[0].0, payload: &written[0].1 };
            prop_assert_eq!(Reply::parse(again), Ok(meaning));
        }
    }

    #[test]
    fn a_cleaned_value_may_be_sent((_, value) in payloads()) {
        let cleaned = HeaderValue::cleaned(&value);
        prop_assert!(HeaderValue::new(cleaned.as_bytes()).is_ok());
    }

    #[test]
    fn an_mta_accepts_what_it_is_answered(
        version in 0u32..9,
        actions: u32,
        protocol: u32,
        wanted_actions: u32,
        wanted_protocol: u32,
    ) {
        let offer = Offer {
            version,
            actions: Actions::from_bits(actions),
            protocol: Protocol::from_bits(protocol),
        };
        let wanted = Wanted {
            required: Actions::NONE,
            optional: Actions::from_bits(wanted_actions),
            protocol: Protocol::from_bits(wanted_protocol),
            macros: vec![(Stage::Connect, "j".to_owned())],
        };
        if let Ok(agreement) = negotiate(&offer, &wanted) {
            let mut bytes = Vec::new();
            agreement.encode(&wanted, &mut bytes);
            let answer = Answer::parse(&bytes[5..], &offer);
            prop_assert_eq!(answer.map(|answer| answer.agreement), Ok(agreement));
        } else {
            prop_assert!(version < 2);
        }
    }

    #[test]
    fn a_message_is_rendered_as_it_was_read((_, mut raw) in payloads()) {
        // A CR that belongs to no line end is taken for a part of one when it comes to stand before one.
        raw.retain(|byte| *byte != b'\r');
        let once = Message::parse(&raw).render();
        prop_assert_eq!(Message::parse(&once).render(), once);
    }
}
