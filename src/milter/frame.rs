//! Frames: bytes of a stream in, whole frames out, parsed in place.
//!
//! Format (MILTER.md, "Wire"): u32 big-endian length, command byte, payload; the length counts the command byte.
//! A frame that lies whole in one read is handed on without a copy. Only the partial frame at the end of a read
//! is kept, and an idle decoder owns no memory on the heap.

use std::ops::ControlFlow;

use super::wire::LENGTH_BYTES;

/// One frame, borrowed from the bytes it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The command byte (or reply byte, on the MTA's side).
    pub command: u8,
    /// What follows it, possibly nothing.
    pub payload: &'a [u8],
}

/// A length that no frame may have: the peer's fault, and the stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length field is 0, but the command byte counts.
    #[error("a frame of length 0, which has no command byte")]
    Empty,
    /// The length field is above the limit.
    #[error("a frame of {length} bytes, over the limit of {limit}")]
    TooLong {
        /// What the length field says.
        length: u32,
        /// The limit `max_frame` that was in force.
        limit: u32,
    },
}

/// Cuts a stream of bytes into frames, however the bytes are split over reads.
///
/// It allocates only for a frame that is cut by the end of a read, at most `max_frame` bytes, growing with what has
/// arrived and not with what the length field promises, and frees them when the frame is whole.
#[derive(Debug)]
pub struct FrameDecoder {
    max_frame: u32,
    /// The length field, while it is cut.
    length: [u8; LENGTH_BYTES],
    length_have: u8,
    /// Command byte and payload of a cut frame, and how long they will be.
    partial: Vec<u8>,
    failed: Option<FrameError>,
}

/// A frame, and what follows it.
type Split<'a> = (Frame<'a>, &'a [u8]);

impl FrameDecoder {
    /// A decoder that refuses frames over `max_frame` bytes (command byte and payload, without the length field).
    pub fn new(max_frame: u32) -> Self {
        Self { max_frame, length: [0; LENGTH_BYTES], length_have: 0, partial: Vec::new(), failed: None }
    }

    /// Whether the bytes fed so far end within a frame, or with what is none.
    pub fn has_partial(&self) -> bool {
        self.length_have > 0 || self.failed.is_some()
    }

    /// Bytes held on the heap.
    pub fn held(&self) -> usize {
        self.partial.capacity()
    }

    /// Takes the bytes of one read and calls `on_frame` with each frame that is now whole, in order.
    ///
    /// When `on_frame` breaks, the rest of `input` is dropped: it is for a peer that we part from.
    ///
    /// # Errors
    /// A length of 0 or above the limit, as soon as its four bytes are there; frames before it are handed out first. The
    /// decoder cannot go on after that and answers the same error to every further call.
    pub fn feed<B>(
        &mut self,
        mut input: &[u8],
        mut on_frame: impl FnMut(Frame<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let mut taken;
        while !input.is_empty() {
            let frame = if let Some((frame, rest)) = self.split_whole(input)? {
                input = rest;
                frame
            } else if let Some(length) = self.take_length(&mut input)?
                && self.take_partial(&mut input, length)
            {
                self.length_have = 0;
                taken = std::mem::take(&mut self.partial);
                // Its length was checked to be at least 1.
                let Some((&command, payload)) = taken.split_first() else { continue };
                Frame { command, payload }
            } else {
                break;
            };
            // The only call, so that what is done with a frame becomes part of this loop.
            let flow = on_frame(frame);
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The frame at the front of `input` and what follows it, where it lies there whole, as nearly all do.
    #[inline]
    fn split_whole<'a>(&mut self, input: &'a [u8]) -> Result<Option<Split<'a>>, FrameError> {
        let Some((length, rest)) = input.split_first_chunk() else { return Ok(None) };
        if self.length_have > 0 {
            return Ok(None);
        }
        let Some((frame, rest)) = rest.split_at_checked(self.checked(*length)?) else { return Ok(None) };
        // Its length was checked to be at least 1.
        Ok(frame.split_first().map(|(&command, payload)| (Frame { command, payload }, rest)))
    }

    /// The length of the frame at hand, once its four bytes are there.
    fn take_length(&mut self, input: &mut &[u8]) -> Result<Option<usize>, FrameError> {
        let have = usize::from(self.length_have);
        let take = (LENGTH_BYTES - have).min(input.len());
        let (now, rest) = input.split_at(take);
        self.length[have..have + take].copy_from_slice(now);
        self.length_have += take as u8;
        *input = rest;
        if have + take < LENGTH_BYTES {
            return Ok(None);
        }
        self.checked(self.length).map(Some)
    }

    /// A length that a frame may have; any other is the end of the stream.
    #[inline]
    fn checked(&mut self, length: [u8; LENGTH_BYTES]) -> Result<usize, FrameError> {
        let length = u32::from_be_bytes(length);
        if (1..=self.max_frame).contains(&length) { Ok(length as usize) } else { Err(self.fail(length)) }
    }

    #[cold]
    fn fail(&mut self, length: u32) -> FrameError {
        let limit = self.max_frame;
        let error = if length == 0 { FrameError::Empty } else { FrameError::TooLong { length, limit } };
        *self.failed.insert(error)
    }

    /// Adds what there is of a cut frame; true when it is whole.
    fn take_partial(&mut self, input: &mut &[u8], length: usize) -> bool {
        let missing = length - self.partial.len();
        let (now, rest) = input.split_at(missing.min(input.len()));
        let needed = self.partial.len() + now.len();
        if needed > self.partial.capacity() {
            // Doubling keeps one byte a read linear; the frame's own length bounds it.
            let capacity = needed.max(self.partial.capacity() * 2).min(length);
            self.partial.reserve_exact(capacity - self.partial.len());
        }
        self.partial.extend_from_slice(now);
        *input = rest;
        self.partial.len() == length
    }
}

/// Appends one frame: the length, the command byte, and what `write_payload` appends.
///
/// The caller keeps the payload below what the peer takes ([`super::wire::FRAME_MAX`] unless more was negotiated).
pub fn encode(output: &mut Vec<u8>, command: u8, write_payload: impl FnOnce(&mut Vec<u8>)) {
    let start = output.len();
    output.extend_from_slice(&[0; LENGTH_BYTES]);
    output.push(command);
    write_payload(output);
    let length = (output.len() - start - LENGTH_BYTES) as u32;
    output[start..start + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(decoder: &mut FrameDecoder, input: &[u8]) -> (Vec<(u8, Vec<u8>)>, Option<FrameError>) {
        let mut found = Vec::new();
        let result = decoder.feed(input, |frame| {
            found.push((frame.command, frame.payload.to_vec()));
            ControlFlow::<()>::Continue(())
        });
        (found, result.err())
    }

    fn stream(parts: &[(u8, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (command, payload) in parts {
            encode(&mut bytes, *command, |out| out.extend_from_slice(payload));
        }
        bytes
    }

    const PARTS: [(u8, &[u8]); 4] = [(b'H', b"mx\0"), (b'T', b""), (b'B', &[7; 300]), (b'E', b"")];

    #[test]
    fn an_encoded_frame_counts_its_command_byte() {
        assert_eq!(stream(&[(b'H', b"mx\0")]), b"\0\0\0\x04Hmx\0");
        assert_eq!(stream(&[(b'T', b"")]), b"\0\0\0\x01T");
    }

    #[test]
    fn every_chunk_size_yields_the_same_frames() {
        let bytes = stream(&PARTS);
        let whole: Vec<_> = PARTS.iter().map(|(c, p)| (*c, p.to_vec())).collect();
        for size in 1..=bytes.len() {
            let mut decoder = FrameDecoder::new(1000);
            let mut found = Vec::new();
            for chunk in bytes.chunks(size) {
                found.extend(frames(&mut decoder, chunk).0);
            }
            assert_eq!(found, whole, "chunks of {size}");
            assert!(!decoder.has_partial());
            assert_eq!(decoder.held(), 0, "idle, so it holds nothing");
        }
    }

    #[test]
    fn a_whole_frame_is_not_copied() {
        let bytes = stream(&[(b'H', b"mx\0")]);
        let mut decoder = FrameDecoder::new(100);
        let mut seen = std::ptr::null();
        let _ = decoder.feed(&bytes, |frame| {
            seen = frame.payload.as_ptr();
            ControlFlow::<()>::Continue(())
        });
        assert_eq!(seen, bytes[5..].as_ptr());
    }

    #[test]
    fn a_bad_length_is_found_before_anything_is_allocated() {
        let cases: [(&[u8], FrameError); 3] = [
            (b"\0\0\0\0", FrameError::Empty),
            (b"\0\0\0\x65", FrameError::TooLong { length: 101, limit: 100 }),
            (b"\xff\xff\xff\xff", FrameError::TooLong { length: u32::MAX, limit: 100 }),
        ];
        for (bytes, expected) in cases {
            let mut decoder = FrameDecoder::new(100);
            for byte in &bytes[..3] {
                assert_eq!(frames(&mut decoder, &[*byte]), (vec![], None));
            }
            assert_eq!(frames(&mut decoder, &bytes[3..]).1, Some(expected));
            assert_eq!(decoder.held(), 0);
            assert_eq!(frames(&mut decoder, b"\0\0\0\x01T").1, Some(expected), "for good");
        }
    }

    #[test]
    fn frames_before_a_bad_length_are_handed_out() {
        let mut bytes = stream(&[(b'T', b"")]);
        bytes.extend_from_slice(&[0; 4]);
        let (found, error) = frames(&mut FrameDecoder::new(100), &bytes);
        assert_eq!(found, vec![(b'T', vec![])]);
        assert_eq!(error, Some(FrameError::Empty));
    }

    #[test]
    fn what_is_held_follows_what_arrived_not_what_was_promised() {
        let mut decoder = FrameDecoder::new(65_536);
        frames(&mut decoder, b"\0\x01\0\0");
        assert!(decoder.has_partial());
        assert_eq!(decoder.held(), 0);
        frames(&mut decoder, b"B12");
        assert!(decoder.held() < 64, "{}", decoder.held());
    }

    #[test]
    fn breaking_ends_the_feed() {
        let bytes = stream(&PARTS);
        let mut count = 0;
        let flow = FrameDecoder::new(1000).feed(&bytes, |_| {
            count += 1;
            ControlFlow::Break("enough")
        });
        assert_eq!(flow, Ok(ControlFlow::Break("enough")));
        assert_eq!(count, 1);
    }
}
