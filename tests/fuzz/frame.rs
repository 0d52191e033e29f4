//! Frames: a stream of bytes is cut into the same frames however it is split over reads, in bounded memory.

use std::ops::ControlFlow;

use perso_milter::milter::frame::{FrameDecoder, FrameError, encode};

/// Small, so that short inputs reach it.
const MAX_FRAME: u32 = 300;

type Frames = Vec<(u8, Vec<u8>)>;

/// `data` is a stream.
pub fn holds(data: &[u8]) {
    let (frames, error, rest) = model(data);
    let sizes: Vec<usize> = data.iter().take(5).map(|byte| usize::from(*byte % 40) + 1).chain([1]).collect();
    for sizes in [&[usize::MAX][..], &[1], &sizes] {
        let mut decoder = FrameDecoder::new(MAX_FRAME);
        assert_eq!(decode(&mut decoder, data, sizes), (frames.clone(), error), "chunks of {sizes:?}");
        assert_eq!(decoder.has_partial(), error.is_some() || rest > 0);
        assert!(error.is_some() || rest > 4 || decoder.held() == 0, "an idle decoder holds {}", decoder.held());
    }
    let mut written = Vec::new();
    for (command, payload) in &frames {
        encode(&mut written, *command, |out| out.extend_from_slice(payload));
    }
    assert!(data.starts_with(&written), "what was read is not what is written");
}

/// The frames of a stream, what is wrong behind them, and how many bytes of a cut frame there are.
fn model(mut stream: &[u8]) -> (Frames, Option<FrameError>, usize) {
    let mut frames = Vec::new();
    while let Some((length, after)) = stream.split_first_chunk() {
        let length = u32::from_be_bytes(*length);
        match length {
            0 => return (frames, Some(FrameError::Empty), 0),
            1..=MAX_FRAME => {}
            _ => return (frames, Some(FrameError::TooLong { length, limit: MAX_FRAME }), 0),
        }
        let Some((frame, after)) = after.split_at_checked(length as usize) else { break };
        frames.push((frame[0], frame[1..].to_vec()));
        stream = after;
    }
    (frames, None, stream.len())
}

/// Feeds chunks of these sizes, round and round.
fn decode(decoder: &mut FrameDecoder, mut stream: &[u8], sizes: &[usize]) -> (Frames, Option<FrameError>) {
    let mut frames = Vec::new();
    for size in sizes.iter().cycle() {
        let (chunk, after) = stream.split_at((*size).min(stream.len()));
        let fed = decoder.feed(chunk, |frame| {
            frames.push((frame.command, frame.payload.to_vec()));
            ControlFlow::<()>::Continue(())
        });
        assert!(decoder.held() <= MAX_FRAME as usize, "{} bytes held", decoder.held());
        if let Err(error) = fed {
            assert_eq!(decoder.feed(b"\0\0\0\x01Q", |_| ControlFlow::Break(())), Err(error), "an error is for good");
            return (frames, Some(error));
        }
        stream = after;
        if stream.is_empty() {
            break;
        }
    }
    (frames, None)
}
