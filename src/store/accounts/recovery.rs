//! The recovery code: 140 random bits on paper.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use zeroize::Zeroizing;

use super::super::error::Result;
use super::super::keys::derive;
use super::super::symbols;
use super::lock::WrappingKey;
use super::sign_in::NeverSent;

/// Characters of a code, 5 random bits each.
const LENGTH: usize = 28;
const SALT: &[u8] = b"perso-milter recovery code 1";

/// A printed code that opens the personal lock, once. Written as `ABCD-EFGH-…`, seven groups.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode(Zeroizing<[u8; LENGTH]>);

impl RecoveryCode {
    pub(crate) fn random() -> Result<Self> {
        Ok(Self(Zeroizing::new(symbols::fresh()?)))
    }

    /// What is kept to know it again: so many random bits need no slow hash.
    pub(crate) fn verifier(&self) -> [u8; 32] {
        *derive(self.0.as_slice(), SALT, &[b"verifier"])
    }

    /// Whether this is the code of a kept verifier; the same work where there is none.
    pub(crate) fn is(&self, kept: Option<&[u8]>) -> bool {
        let fits = verify_slices_are_equal(kept.unwrap_or(&[0; 32]), &self.verifier()).is_ok();
        fits && kept.is_some()
    }

    pub(crate) fn wrapping_key(&self) -> WrappingKey {
        WrappingKey::new(self.0.as_slice(), SALT)
    }
}

impl fmt::Display for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        symbols::write(self.0.as_slice(), f)
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(hidden)")
    }
}

/// As people type it off the paper.
impl FromStr for RecoveryCode {
    type Err = NeverSent;

    fn from_str(text: &str) -> std::result::Result<Self, NeverSent> {
        symbols::read(text).map(|code| Self(Zeroizing::new(code))).ok_or(NeverSent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_it_is_typed_and_hides_itself() {
        let code = RecoveryCode::random().expect("random bytes");
        let written = code.to_string();
        assert_eq!(written.len(), 34);
        for typed in [written.clone(), written.to_lowercase(), written.replace('-', " ")] {
            assert_eq!(typed.parse(), Ok(code.clone()), "{typed}");
        }
        assert_eq!(written[1..].parse::<RecoveryCode>(), Err(NeverSent));
        assert_eq!(format!("{code:?}"), "RecoveryCode(hidden)");
        assert_ne!(code.verifier(), RecoveryCode::random().expect("random bytes").verifier());
    }
}
