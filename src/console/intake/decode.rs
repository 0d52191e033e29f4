//! Bytes of a file as text.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::MAX_FILE;

/// Why a file is not read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileError {
    /// Larger than [`MAX_FILE`].
    TooLarge,
    /// Nothing in it.
    Empty,
    /// No text: a spreadsheet's own format, a picture.
    Binary,
}

/// The text of a file: by its byte order mark, else UTF-8 where it is that, else UTF-16 where every other byte says so,
/// else Windows-1252, as spreadsheets in western Europe write.
pub fn decode(bytes: &[u8]) -> Result<String, FileError> {
    if bytes.len() > MAX_FILE {
        return Err(FileError::TooLarge);
    }
    let (encoding, mark) = Encoding::for_bom(bytes).unwrap_or_else(|| (guess(bytes), 0));
    let (text, _) = encoding.decode_without_bom_handling(&bytes[mark..]);
    if text.trim().is_empty() {
        return Err(FileError::Empty);
    }
    // Text has no control characters but blanks and ends of lines; one or two may be a slip.
    let controls = text.chars().filter(|c| c.is_control() && !c.is_whitespace() && *c != '\u{85}').count();
    if controls > 2 + text.len() / 1000 {
        return Err(FileError::Binary);
    }
    Ok(text.into_owned())
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    if std::str::from_utf8(bytes).is_ok() && !bytes.contains(&0) {
        return UTF_8;
    }
    let head = &bytes[..bytes.len().min(4096)];
    let zeros = |parity| head.iter().skip(parity).step_by(2).filter(|byte| **byte == 0).count();
    let most = |count: usize| count > 0 && count * 10 >= head.len() * 3;
    match (most(zeros(0)), most(zeros(1))) {
        (false, true) => UTF_16LE,
        (true, false) => UTF_16BE,
        _ => WINDOWS_1252,
    }
}
