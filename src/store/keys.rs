//! The two key files beside the store.
//!
//! `match.key` is what matching needs: relay, command line and console have it. `seal.key` opens sealed values: the
//! console alone has it. Each is a regular file of mode 0600 and three lines; a store that a group shares
//! (`owner::Sharing`) has a match key of mode 0640:
//!
//! ```text
//! perso-milter match key, version 1; keep it secret and in your backups
//! id 1f0e3dad99908345
//! key bWF0Y2gga2V5IGJ5dGVzIGFyZSBzZWNyZXQsIDMyIG8=
//! ```
//!
//! The key is 32 random bytes: input of HKDF-SHA256 for `match.key`, an X25519 private key for `seal.key`.
//! The id is derived from the key and tells nothing of it: it names the key in backups, and finds a damaged file.

use std::fmt;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::{hkdf, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::feed::AddressHasher;
use super::owner::{self, Sharing};

/// Name of the file of the match key, beside the store.
pub const MATCH_FILE: &str = "match.key";
/// Name of the file of the seal key, beside the store.
pub const SEAL_FILE: &str = "seal.key";
/// A key file is far smaller; more is not read.
const MAX_FILE: u64 = 1024;

/// Why a key cannot be used. The text tells the remedy.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KeyError {
    /// Group or others may read or write it.
    #[error("others than its owner may use {path} (mode {mode:04o}); run `chmod {wanted:o} {path}`", path = .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Those it should have.
        wanted: u32,
    },
    /// A directory, a symbolic link, a device.
    #[error("{path} is no regular file; put the key file itself in its place", path = .0.display())]
    NotRegular(PathBuf),
    /// Not in the format of a key file.
    #[error("{path} is no {what} file of perso-milter; put it back from a backup", path = .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// `match key` or `seal key`.
        what: &'static str,
    },
    /// The store exists and its key does not.
    #[error("{path} is missing, and nothing in the store can be matched without it; put it back from a backup", path = .0.display())]
    Lost(PathBuf),
    /// The key is of another store.
    #[error("{path} is not the key this store was created with; put that one back from a backup", path = .0.display())]
    Foreign(PathBuf),
    /// The system refused.
    #[error("{path}: {detail}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// The system has no randomness to give.
    #[error("the system gives no random bytes")]
    Randomness,
}

impl KeyError {
    fn io(path: &Path, error: &io::Error) -> Self {
        Self::Io { path: path.to_owned(), detail: error.to_string() }
    }
}

/// The key that matching needs. Other keys are derived from it, one for each purpose.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MatchKey([u8; 32]);

impl MatchKey {
    /// A key of these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key of one purpose (HKDF-SHA256): keys of two purposes tell nothing of each other, nor of `match.key`.
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        derive(&self.0, b"perso-milter match key 1", &[purpose.as_bytes()])
    }

    /// The hasher of users' addresses.
    pub fn address_hasher(&self) -> AddressHasher {
        let key = self.derive("address hash");
        let (half, _) = key.split_at(16);
        let mut short = Zeroizing::new([0; 16]);
        short.copy_from_slice(half);
        AddressHasher::new(*short)
    }
}

impl fmt::Debug for MatchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MatchKey(hidden)")
    }
}

/// The X25519 private key that opens users' private keys.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SealKey([u8; 32]);

impl SealKey {
    /// A key of these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(hidden)")
    }
}

/// What this process holds. Everything but opening sealed values works without the seal key.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Needed by every process.
    pub match_key: MatchKey,
    /// The console's.
    pub seal_key: Option<SealKey>,
}

/// Fills fresh secret bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| KeyError::Randomness)?;
    Ok(bytes)
}

/// HKDF-SHA256 to 32 bytes.
pub(crate) fn derive(secret: &[u8], salt: &[u8], info: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    // HKDF-SHA256 fails only over 255 blocks of output; this is one.
    let filled = prk.expand(info, hkdf::HKDF_SHA256).and_then(|okm| okm.fill(key.as_mut_slice()));
    debug_assert!(filled.is_ok(), "32 bytes are within HKDF's limit");
    key
}

/// A kind of key file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Match,
    Seal,
}

impl Kind {
    fn file(self) -> &'static str {
        match self {
            Self::Match => MATCH_FILE,
            Self::Seal => SEAL_FILE,
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Match => "match key",
            Self::Seal => "seal key",
        }
    }

    /// Permissions of a file of this kind.
    fn mode(self, path: &Path) -> u32 {
        match self {
            Self::Match => Sharing::of(path).match_key_mode(),
            Self::Seal => 0o600,
        }
    }

    fn header(self) -> String {
        format!("perso-milter {}, version 1; keep it secret and in your backups", self.what())
    }
}

/// The path of a key file beside a store.
pub(crate) fn path_beside(store: &Path, kind: Kind) -> PathBuf {
    store.with_file_name(kind.file())
}

/// Reads a key file; `None` where there is none.
pub(crate) fn read(path: &Path, kind: Kind) -> Result<Option<Zeroizing<[u8; 32]>>, KeyError> {
    // NONBLOCK: a FIFO in its place must not hang the start.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let mut file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => return Err(KeyError::NotRegular(path.to_owned())),
        Err(error) => return Err(KeyError::io(path, &error)),
    };
    let meta = file.metadata().map_err(|error| KeyError::io(path, &error))?;
    if !meta.is_file() {
        return Err(KeyError::NotRegular(path.to_owned()));
    }
    let wanted = kind.mode(path);
    if Sharing::is_too_open(meta.mode(), wanted) {
        return Err(KeyError::Open { path: path.to_owned(), mode: meta.mode() & 0o7777, wanted });
    }
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE as usize));
    let read = (&mut file).take(MAX_FILE).read_to_string(&mut text);
    let malformed = || KeyError::Malformed { path: path.to_owned(), what: kind.what() };
    match read {
        Ok(_) => parse(&text, kind).map(Some).ok_or_else(malformed),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(malformed()),
        Err(error) => Err(KeyError::io(path, &error)),
    }
}

/// Reads the seal key where this process may; `None` without it.
pub(crate) fn read_seal(path: &Path) -> Result<Option<SealKey>, KeyError> {
    match read(path, Kind::Seal) {
        Ok(bytes) => Ok(bytes.map(|bytes| SealKey(*bytes))),
        // The relay's system user is not meant to read it.
        Err(KeyError::Io { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads the match key of a store that exists.
pub(crate) fn read_match(path: &Path) -> Result<MatchKey, KeyError> {
    let bytes = read(path, Kind::Match)?.ok_or_else(|| KeyError::Lost(path.to_owned()))?;
    Ok(MatchKey(*bytes))
}

/// Reads a key file, or creates it with a fresh key: for the first start of a store alone.
pub(crate) fn read_or_create(path: &Path, kind: Kind) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    if let Some(key) = read(path, kind)? {
        return Ok(key);
    }
    let key = Zeroizing::new(random::<32>()?);
    match create(path, kind, &key) {
        Ok(()) => Ok(key),
        // Another process was first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read(path, kind)?.ok_or_else(|| KeyError::Lost(path.to_owned()))
        }
        Err(error) => Err(KeyError::io(path, &error)),
    }
}

/// Writes the whole file under another name and links it into place, so that nobody ever reads half a key and an
/// existing one is never replaced.
fn create(path: &Path, kind: Kind, key: &[u8; 32]) -> io::Result<()> {
    let unique = u64::from_le_bytes(random().map_err(io::Error::other)?);
    let aside = path.with_extension(format!("{unique:016x}.new"));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    let written = (|| {
        file.set_permissions(Permissions::from_mode(kind.mode(path)))?;
        file.write_all(format(kind, key).as_bytes())?;
        file.sync_all()?;
        owner::inherit(&aside)?;
        std::fs::hard_link(&aside, path)
    })();
    std::fs::remove_file(&aside)?;
    written?;
    File::open(owner::directory(path))?.sync_all()
}

fn format(kind: Kind, key: &[u8; 32]) -> Zeroizing<String> {
    let encoded = Zeroizing::new(STANDARD.encode(key));
    Zeroizing::new(format!("{}\nid {}\nkey {}\n", kind.header(), key_id(kind, key), *encoded))
}

fn parse(text: &str, kind: Kind) -> Option<Zeroizing<[u8; 32]>> {
    let mut lines = text.lines();
    if lines.next()? != kind.header() {
        return None;
    }
    let id = lines.next()?.strip_prefix("id ")?;
    let mut decoded = Zeroizing::new([0; 33]); // decode_slice wants room for its estimate
    let length = STANDARD.decode_slice(lines.next()?.strip_prefix("key ")?, decoded.as_mut_slice()).ok()?;
    if length != 32 || lines.next().is_some() {
        return None;
    }
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(&decoded[..32]);
    (key_id(kind, &key) == id).then_some(key)
}

/// Names a key without telling it.
fn key_id(kind: Kind, key: &[u8; 32]) -> String {
    let id = derive(key, b"perso-milter key id 1", &[kind.what().as_bytes()]);
    id[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    #[test]
    fn a_key_is_created_once_with_mode_0600_and_read_again() {
        let dir = dir();
        let path = dir.path().join(MATCH_FILE);
        let first = read_or_create(&path, Kind::Match).expect("created");
        assert_eq!(*read_or_create(&path, Kind::Match).expect("read"), *first);
        assert_eq!(std::fs::metadata(&path).expect("exists").mode() & 0o7777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 1, "nothing is left aside");
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_with_the_remedy() {
        let dir = dir();
        let path = dir.path().join(MATCH_FILE);
        read_or_create(&path, Kind::Match).expect("created");
        for mode in [0o640, 0o604, 0o620, 0o601] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("changed");
            let error = read(&path, Kind::Match).expect_err("refused").to_string();
            assert!(error.contains("chmod 600") && error.contains(MATCH_FILE), "{error}");
        }
    }

    #[test]
    fn what_is_no_key_file_is_refused() {
        let dir = dir();
        let path = dir.path().join(MATCH_FILE);
        let good = format(Kind::Match, &[5; 32]);
        for bad in [
            String::new(),
            good.replace("version 1", "version 2"),
            format(Kind::Seal, &[5; 32]).to_string(),
            good.replace("key B", "key C"),
            good.replace("id ", "id 0"),
            format!("{}x", *good),
            "\u{0}".repeat(5000),
        ] {
            std::fs::write(&path, &bad).expect("written");
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("changed");
            assert!(matches!(read(&path, Kind::Match), Err(KeyError::Malformed { .. })), "{bad}");
        }
        std::fs::remove_file(&path).expect("removed");
        std::fs::create_dir(&path).expect("created");
        assert!(matches!(read(&path, Kind::Match), Err(KeyError::NotRegular(_))));
        std::fs::remove_dir(&path).expect("removed");
        std::os::unix::fs::symlink("/etc/hostname", &path).expect("linked");
        assert!(matches!(read(&path, Kind::Match), Err(KeyError::NotRegular(_))));
    }

    #[test]
    fn a_key_for_each_purpose_and_nothing_in_debug() {
        let key = MatchKey::from_bytes([0x41; 32]);
        assert_eq!(*key.derive("a"), *key.derive("a"));
        assert_ne!(*key.derive("a"), *key.derive("b"));
        assert_ne!(*key.derive("a"), [0; 32]);
        let keys = Keys { match_key: key, seal_key: Some(SealKey::from_bytes([0x42; 32])) };
        assert_eq!(format!("{keys:?}"), "Keys { match_key: MatchKey(hidden), seal_key: Some(SealKey(hidden)) }");
    }
}
