//! Folders that recipients' addresses name, and the proof that the mail store files into them: a probe message goes to
//! `user+Folder@domain`, and whoever finds it in that folder confirms the code it carries.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;

use super::error::{Result, StoreError};
use super::journal::{HASH, sha256};
use super::symbols;
use super::types::{Organisation, OrganisationId};
use crate::policy::text::FolderName;

/// How long a probe waits for its confirmation.
pub const PROBE_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Most probes of one organisation that wait; the oldest gives way to another.
pub const MAX_PROBES: usize = 16;

/// A folder as a recipient's address names it: `+Perso` of `user+Perso@domain`. Two spellings are two folders, as they are
/// for a mail store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AddressedFolder {
    /// What stands between the mailbox and the folder.
    pub delimiter: char,
    /// The folder.
    pub name: FolderName,
}

impl fmt::Display for AddressedFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.delimiter, self.name)
    }
}

/// A folder into which the mail store files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenFolder {
    /// Which.
    pub folder: AddressedFolder,
    /// When that was confirmed.
    pub proven: Timestamp,
}

impl Organisation {
    /// Whether a probe message was found in this folder.
    pub fn is_proven(&self, delimiter: char, folder: &str) -> bool {
        self.proven.iter().any(|known| known.folder.delimiter == delimiter && known.folder.name.as_str() == folder)
    }

    /// The command that begins to prove a folder, for whoever reads the remedy.
    pub fn probe_command(&self, folder: &str) -> String {
        let domain = self.domains.first().map_or("DOMAIN", |domain| domain.as_str());
        format!("perso-milter probe send you@{domain} --folder {folder}")
    }
}

/// A probe message that nobody has confirmed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Whose folder it is to prove.
    pub organisation: OrganisationId,
    /// Which.
    pub folder: AddressedFolder,
    /// When it was sent.
    pub sent: Timestamp,
    /// From when on its code is worth nothing.
    pub expires: Timestamp,
}

/// Characters of a code, 5 random bits each.
const CODE: usize = 12;

/// What a probe message carries. The store keeps its hash alone. Written as `ABCD-EFGH-JKMN`.
#[derive(Clone, PartialEq, Eq)]
pub struct ProbeCode([u8; CODE]);

impl ProbeCode {
    pub(super) fn random() -> Result<Self> {
        Ok(Self(symbols::fresh()?))
    }

    /// 60 random bits need no salt.
    pub(super) fn hash(&self) -> [u8; HASH] {
        sha256(&self.0)
    }
}

impl fmt::Display for ProbeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        symbols::write(&self.0, f)
    }
}

impl fmt::Debug for ProbeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProbeCode(hidden)")
    }
}

/// As people type it; what cannot be a code is one that nobody sent.
impl FromStr for ProbeCode {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self> {
        symbols::read(text).map(Self).ok_or(StoreError::UnknownProbe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = ProbeCode::random().expect("random bytes");
        let written = code.to_string();
        assert_eq!(written.len(), 14);
        for typed in [written.clone(), written.to_lowercase(), written.replace('-', ""), format!(" {written} ")] {
            assert_eq!(typed.parse::<ProbeCode>().expect("a code"), code, "{typed}");
        }
        let alike = |typed: &str| typed.parse::<ProbeCode>().expect("a code").to_string();
        assert_eq!(alike("oOiI-lL23-4567"), "0011-1123-4567");
        for typed in
            ["", "ABCD-EFGH-JKM", "ABCD-EFGH-JKMN-P", "ABCD-EFGH-JKMU", "ABCD-EFGH-JKM\u{e9}", "ABCD.EFGH.JKMN"]
        {
            assert!(matches!(typed.parse::<ProbeCode>(), Err(StoreError::UnknownProbe)), "{typed}");
        }
    }

    #[test]
    fn no_two_codes_are_alike_and_none_shows_itself() {
        let codes: Vec<_> = (0..100).map(|_| ProbeCode::random().expect("random bytes")).collect();
        for (index, code) in codes.iter().enumerate() {
            assert!(codes[..index].iter().all(|other| other != code && other.hash() != code.hash()));
        }
        assert_eq!(format!("{:?}", codes[0]), "ProbeCode(hidden)");
    }
}
