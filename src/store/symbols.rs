//! Random codes that people read off and type: 5 bits a character, in groups of four.

use std::fmt;

use super::keys::{KeyError, random};

/// Characters that nobody takes for one another (Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const GROUP: usize = 4;

/// Fresh characters.
pub fn fresh<const N: usize>() -> Result<[u8; N], KeyError> {
    let bytes: [u8; N] = random()?;
    Ok(bytes.map(|byte| ALPHABET[usize::from(byte % 32)]))
}

/// Reads what people type: in any case, with or without hyphens, `O` for `0` and `I` or `L` for `1`; `None` for all else.
pub fn read<const N: usize>(text: &str) -> Option<[u8; N]> {
    let read = |c: char| match c.to_ascii_uppercase() {
        'O' => Some(b'0'),
        'I' | 'L' => Some(b'1'),
        c => u8::try_from(c).ok().filter(|byte| ALPHABET.contains(byte)),
    };
    let mut symbols = [0; N];
    let mut typed = text.chars().filter(|c| *c != '-' && !c.is_whitespace());
    for symbol in &mut symbols {
        *symbol = read(typed.next()?)?;
    }
    typed.next().is_none().then_some(symbols)
}

/// Writes characters as `ABCD-EFGH-…`.
pub fn write(symbols: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, &byte) in symbols.iter().enumerate() {
        let hyphen = if index > 0 && index % GROUP == 0 { "-" } else { "" };
        write!(f, "{hyphen}{}", char::from(byte))?;
    }
    Ok(())
}
