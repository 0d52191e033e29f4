//! Passwords: argon2id, whose output HKDF splits into what verifies and what opens the lock key. The store keeps the
//! first half alone, so it opens nothing.
//!
//! What is kept is written as a PHC string, `$argon2id-hkdf$v=19$m=19456,t=2,p=1$SALT$VERIFIER`, so that later costs leave older
//! passwords valid.

use std::fmt;

use argon2::password_hash::phc::{Ident, Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use zeroize::Zeroizing;

use super::super::error::{Result, StoreError};
use super::super::keys::{derive, random};
use super::super::symbols;
use super::lock::WrappingKey;
use crate::policy::address::Address;

/// Memory of one argon2id, in KiB (OWASP, Password Storage: 19 MiB, 2 passes, 1 lane).
pub const ARGON2_MEMORY: u32 = 19 * 1024;
/// Passes of one argon2id.
pub const ARGON2_PASSES: u32 = 2;
/// Lanes of one argon2id.
pub const ARGON2_LANES: u32 = 1;
/// Shortest password, in characters.
pub const MIN_PASSWORD: usize = 12;
/// Longest password, in bytes.
pub const MAX_PASSWORD: usize = 256;

/// Memory beyond which a kept password is not ours.
const MOST_MEMORY: u32 = 1 << 20;
/// Passes beyond which a kept password is not ours.
const MOST_PASSES: u32 = 64;
/// Fewer different characters are no password.
const DIFFERENT: usize = 5;
/// Characters of a generated password, 5 random bits each.
const GENERATED: usize = 20;
const NAME: Ident = Ident::new_unwrap("argon2id-hkdf");
const SALT: &[u8] = b"perso-milter password 1";

/// Why a text cannot be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Fewer than [`MIN_PASSWORD`] characters.
    #[error("a password has at least 12 characters")]
    Short,
    /// Over [`MAX_PASSWORD`] bytes.
    #[error("a password has at most 256 bytes")]
    Long,
    /// Hardly any different characters, a row of neighbours, or a common word with digits around it.
    #[error("this password is too easily guessed")]
    Plain,
    /// It is made of the address.
    #[error("this password is made of the address")]
    Address,
}

/// A text that can be a password. There are no rules of composition; it must not be trivial.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes a password that a user chose.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub fn new(text: &str, address: &Address) -> std::result::Result<Self, PasswordError> {
        if text.chars().count() < MIN_PASSWORD {
            return Err(PasswordError::Short);
        }
        if text.len() > MAX_PASSWORD {
            return Err(PasswordError::Long);
        }
        let lower = Zeroizing::new(text.to_lowercase());
        let different: std::collections::BTreeSet<char> = lower.chars().collect();
        if different.len() < DIFFERENT || is_row(&lower) || is_common(&lower) {
            return Err(PasswordError::Plain);
        }
        if is_of_address(&lower, address) {
            return Err(PasswordError::Address);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// A random one of 100 bits, in groups of four.
    ///
    /// # Errors
    /// No randomness.
    pub fn generated() -> Result<Self> {
        struct Written([u8; GENERATED]);
        impl fmt::Display for Written {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                symbols::write(&self.0, f)
            }
        }
        Ok(Self(Zeroizing::new(Written(symbols::fresh()?).to_string().to_lowercase())))
    }

    /// To be shown, once.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether nearly every character follows its neighbour: 123456789012, abcdefghijkl, azertyuiopqs.
fn is_row(lower: &str) -> bool {
    const ROWS: [&str; 5] = [
        "12345678901234567890",
        "abcdefghijklmnopqrstuvwxyz",
        "azertyuiopqsdfghjklmwxcvbn",
        "qwertyuiopasdfghjklzxcvbnm",
        "qwertzuiopasdfghjklyxcvbnm",
    ];
    let characters: Vec<char> = lower.chars().collect();
    let follows = |a: char, b: char| {
        a == b
            || ROWS.iter().any(|row| {
                let row: Vec<char> = row.chars().collect();
                row.windows(2).any(|pair| pair == [a, b] || pair == [b, a])
            })
    };
    let neighbours = characters.windows(2).filter(|pair| follows(pair[0], pair[1])).count();
    neighbours * 4 >= (characters.len() - 1) * 3
}

/// Words of which guessers make long passwords: those of the well-known lists, in both languages, and of this product.
const COMMON: [&str; 44] = [
    "abcdef",
    "admin",
    "administrateur",
    "administrator",
    "amour",
    "azerty",
    "baseball",
    "bienvenue",
    "bonjour",
    "changeme",
    "chocolat",
    "chouchou",
    "console",
    "doudou",
    "dragon",
    "football",
    "france",
    "iloveyou",
    "jetaime",
    "letmein",
    "liverpool",
    "login",
    "loulou",
    "marseille",
    "master",
    "messagerie",
    "michael",
    "milter",
    "monkey",
    "motdepasse",
    "nicolas",
    "passe",
    "password",
    "passwort",
    "perso",
    "personnel",
    "princess",
    "qwerty",
    "qwertz",
    "secret",
    "soleil",
    "sunshine",
    "superman",
    "welcome",
];

/// Whether nothing but common words, digits and signs is in it, digits that stand for letters read as such: `P4ssw0rd-$$$$`.
fn is_common(lower: &str) -> bool {
    let read = |c: char| match c {
        '0' => 'o',
        '1' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' => 's',
        '7' => 't',
        c => c,
    };
    let made_of_words = |text: &str| {
        let left = COMMON.iter().fold(text.to_owned(), |left, word| left.replace(word, " "));
        left.contains(' ') && !left.chars().any(char::is_alphabetic)
    };
    made_of_words(lower) || made_of_words(&lower.chars().map(read).collect::<String>())
}

/// Whether less than half of it is left without the parts of the address.
fn is_of_address(lower: &str, address: &Address) -> bool {
    let address = address.as_str().to_lowercase();
    let mut left = lower.to_owned();
    for part in address.split(['@', '.', '-', '_', '+']).filter(|part| part.chars().count() > 2) {
        left = left.replace(part, "");
    }
    left.chars().count() * 2 < lower.chars().count()
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

/// What is kept of a password.
pub(crate) struct PasswordRecord {
    params: Params,
    salt: Vec<u8>,
    verifier: [u8; 32],
}

impl PasswordRecord {
    /// Of a new password, with the key that it gives. Costs one argon2id.
    pub fn new(password: &Password) -> Result<(Self, WrappingKey)> {
        let salt: [u8; 16] = random()?;
        let params = current()?;
        let output = stretch(password.as_str(), &salt, &params)?;
        let record = Self { params, salt: salt.to_vec(), verifier: verifier(&output) };
        Ok((record, WrappingKey::new(output.as_slice(), SALT)))
    }

    /// One that no password fits, at the cost of every other.
    pub fn nobodys() -> Result<Self> {
        Ok(Self { params: current()?, salt: vec![0; 16], verifier: random()? })
    }

    /// The key that a password gives, if it is the one. Costs one argon2id.
    pub fn open(&self, password: &str) -> Result<Option<WrappingKey>> {
        let too_long = password.len() > MAX_PASSWORD;
        let output = stretch(if too_long { "" } else { password }, &self.salt, &self.params)?;
        let is_it = verify_slices_are_equal(&verifier(&output), &self.verifier).is_ok() && !too_long;
        Ok(is_it.then(|| WrappingKey::new(output.as_slice(), SALT)))
    }

    /// As it is kept.
    pub fn write(&self) -> Result<String> {
        let params = ParamsString::try_from(&self.params).map_err(StoreError::internal)?;
        let written = PasswordHash {
            algorithm: NAME,
            version: Some(Version::V0x13.into()),
            params,
            salt: Some(Salt::new(&self.salt).map_err(StoreError::internal)?),
            hash: Some(Output::new(&self.verifier).map_err(StoreError::internal)?),
        };
        Ok(written.to_string())
    }

    /// Reads what [`Self::write`] wrote; `None` for all else.
    pub fn read(text: &str) -> Option<Self> {
        let read = PasswordHash::new(text).ok().filter(|read| read.algorithm == NAME)?;
        let number = |name: &str| read.params.get_decimal(name);
        let memory = number("m").filter(|memory| *memory <= MOST_MEMORY)?;
        let passes = number("t").filter(|passes| *passes <= MOST_PASSES)?;
        let params = Params::new(memory, passes, number("p")?, None).ok()?;
        let verifier = read.hash?.as_bytes().try_into().ok()?;
        Some(Self { params, salt: read.salt?.to_vec(), verifier })
    }
}

fn current() -> Result<Params> {
    Params::new(ARGON2_MEMORY, ARGON2_PASSES, ARGON2_LANES, None).map_err(StoreError::internal)
}

fn stretch(password: &str, salt: &[u8], params: &Params) -> Result<Zeroizing<[u8; 32]>> {
    let mut output = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_into(password.as_bytes(), salt, output.as_mut_slice())
        .map_err(StoreError::internal)?;
    Ok(output)
}

fn verifier(output: &[u8; 32]) -> [u8; 32] {
    *derive(output, SALT, &[b"verifier"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{OrganisationId, SecretKind, UserId, UserKey};

    fn password(text: &str) -> std::result::Result<Password, PasswordError> {
        Password::new(text, &Address::parse("anne.martin@acme.example").expect("an address"))
    }

    #[test]
    fn what_is_easily_guessed_is_refused() {
        for (text, error) in [
            ("onze lettre", PasswordError::Short),
            (&"é".repeat(200), PasswordError::Long),
            ("aaaaaaaaaaaaaa", PasswordError::Plain),
            ("abababababab", PasswordError::Plain),
            ("123456789012", PasswordError::Plain),
            ("AzertyUiopQsdf", PasswordError::Plain),
            ("motdepasse2026", PasswordError::Plain),
            ("P4ssW0rd-$$$$", PasswordError::Plain),
            ("Bonjour.France!1", PasswordError::Plain),
            ("anne.martin2026", PasswordError::Address),
            ("Acme-Martin-1", PasswordError::Address),
        ] {
            assert_eq!(password(text).map(drop), Err(error), "{text}");
        }
        for text in ["cheval agrafe pile", "ma-grand-mère-à-vélo", "anne aime les fraises"] {
            assert!(password(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_kept_password_knows_itself_alone_and_gives_its_key() {
        let (record, key) = PasswordRecord::new(&password("cheval agrafe pile").expect("good")).expect("kept");
        let (organisation, user) = (OrganisationId::new(1), UserId::new(2).expect("63 bits"));
        let carried = UserKey::from_bytes([5; 32]);
        let wrapped = key.wrap(organisation, user, SecretKind::Password, &carried).expect("wrapped");
        let written = record.write().expect("written");
        assert!(written.starts_with("$argon2id-hkdf$v=19$m=19456,t=2,p=1$"), "{written}");
        let read = PasswordRecord::read(&written).expect("read");
        let opened = read.open("cheval agrafe pile").expect("tried").expect("it is the one");
        assert_eq!(opened.unwrap(organisation, user, SecretKind::Password, &wrapped), Some(carried));
        assert!(read.open("cheval agrafe pilf").expect("tried").is_none());
        assert!(read.open(&"x".repeat(300)).expect("tried").is_none());
        for altered in [written.replace("m=19456", "m=99999999"), written.replace("-hkdf", ""), String::new()] {
            assert!(PasswordRecord::read(&altered).is_none(), "{altered}");
        }
    }

    #[test]
    fn nobodys_password_is_none() {
        assert!(PasswordRecord::nobodys().expect("made").open("").expect("tried").is_none());
    }

    #[test]
    fn generated_passwords_are_good_ones() {
        let generated = Password::generated().expect("random bytes");
        assert_eq!(generated.as_str().len(), 24);
        assert!(password(generated.as_str()).is_ok());
        assert_eq!(format!("{generated:?}"), "Password(hidden)");
    }
}
