//! Accounts of the console: sessions, sign-ins by mail, users' own secrets and the personal lock.
//!
//! | file | subject |
//! |---|---|
//! | `session` | who holds a session, and how it is kept |
//! | `sign_in` | the link and the code that are mailed |
//! | `password` | argon2id, split into what verifies and what opens |
//! | `profile` | what every page shows of who is signed in |
//! | `recovery` | the code that is printed |
//! | `secret` | what a user opens their lists with, as it is shown |
//! | `lock` | the lock key, its wraps, and who carries it |
//!
//! # The personal lock
//! A user's *lock key* is made with their first secret. Each secret keeps it wrapped under a key that only that secret gives.
//! While the lock is off the user's private key is sealed to the store's seal key, and so is the lock key, so that further
//! secrets can be added. Once it is on, the private key is wrapped under the lock key alone, and the sealed copy is gone:
//! nothing but a secret opens the lists.

mod lock;
mod password;
mod profile;
mod recovery;
mod secret;
mod session;
mod sign_in;

use std::time::Duration;

pub(crate) use lock::WrappingKey;
pub use lock::{FreshStart, LockState, UserKey};
pub(crate) use password::PasswordRecord;
pub use password::{ARGON2_LANES, ARGON2_MEMORY, ARGON2_PASSES, MAX_PASSWORD, MIN_PASSWORD, Password, PasswordError};
pub use profile::Profile;
pub use recovery::RecoveryCode;
pub use secret::{NewPasskey, Opens, Passkey, PrfOutput, Secret, SecretId, SecretKind};
pub use session::{Holder, OpenedBy, SecretHash, SessionId, SessionKey, SessionRow, SessionSummary, SignIn, StaffId};
pub(crate) use sign_in::CodeKey;
pub use sign_in::{CodeAnswer, ConfirmedSignIn, LinkAnswer, LinkToken, MailCode, MailedSignIn, NeverSent};

use super::error::Result;
use super::types::{Actor, Permission, UserId};
use crate::language::Language;
use crate::policy::address::Address;

/// Longest data of a session, in bytes.
pub const MAX_SESSION_DATA: usize = 16 * 1024;
/// Most sessions of one holder; the oldest gives way to another.
pub const MAX_SESSIONS: usize = 32;
/// Most sessions that nobody signed in to, roughly: one gives way after so many later ones of any kind.
pub const MAX_ANONYMOUS: u32 = 100_000;
/// Sign-ins that are remembered of one holder.
pub const KEPT_SIGN_INS: usize = 10;
/// Browsers that are remembered of one user.
pub const MAX_BROWSERS: usize = 32;
/// How long a mailed link or code is good for.
pub const SIGN_IN_LIFE: Duration = Duration::from_secs(10 * 60);
/// Wrong codes after which a mailed sign-in is void.
pub const MAX_WRONG_CODES: u8 = 5;
/// Wrong codes of one address within a day (UTC), over all browsers, after which the link alone signs in to it that day.
pub const MAX_WRONG_CODES_A_DAY: u32 = 50;
/// Addresses whose wrong codes are counted, roughly: the one that was counted first gives way.
pub const MAX_COUNTED: u32 = 100_000;
/// Mailed sign-ins of one address that wait in one browser; the oldest gives way to another.
pub const MAX_PENDING: usize = 8;
/// Mailed sign-ins that wait in all, likewise.
pub const MAX_PENDING_IN_ALL: u32 = 50_000;
/// How long a user who lost every secret waits before starting anew: whoever reads their mail can ask for it too, and they
/// have this long to notice and cancel it.
pub const FRESH_START_DELAY: Duration = Duration::from_secs(7 * 24 * 3600);
/// Most passkeys of one user.
pub const MAX_PASSKEYS: usize = 16;
/// Longest name of a passkey, network or browser, in bytes.
pub const MAX_LABEL: usize = 64;

/// Sessions, sign-ins, secrets and the personal lock. Every method blocks and can fail for the store's state; `# Errors`
/// names the rest.
///
/// Sessions and sign-ins are neither journalled nor told to followers; what changes a user's secrets is.
pub trait AccountStore {
    // Sessions

    /// Adds a session; `false` where one of this hash exists, and nothing happens then. The oldest of more than
    /// [`MAX_SESSIONS`] of the same holder gives way.
    ///
    /// # Errors
    /// Data over [`MAX_SESSION_DATA`]; the user is not there.
    fn add_session(&self, session: &SessionRow) -> Result<bool>;

    /// Replaces holder, way, data and times of a session; `false` where it has ended meanwhile: a request that was on its way
    /// does not bring it back.
    ///
    /// # Errors
    /// See [`Self::add_session`].
    fn save_session(&self, session: &SessionRow) -> Result<bool>;

    /// The session of this hash, unless it has expired.
    ///
    /// # Errors
    /// See [`AccountStore`].
    fn session(&self, hash: &SecretHash) -> Result<Option<SessionRow>>;

    /// Notes that a session was used. Callers do this at most once a minute for each, and need not wait for the answer.
    ///
    /// # Errors
    /// See [`AccountStore`].
    fn touch_session(
        &self,
        hash: &SecretHash,
        seen: jiff::Timestamp,
        expires: jiff::Timestamp,
    ) -> Result<super::Ticket<()>>;

    /// Ends a session; nothing happens where there is none.
    ///
    /// # Errors
    /// See [`AccountStore`].
    fn end_session(&self, hash: &SecretHash) -> Result<()>;

    /// The live sessions of a holder, the one that was used last first.
    ///
    /// # Errors
    /// See [`AccountStore`].
    fn sessions_of(&self, holder: Holder) -> Result<Vec<SessionSummary>>;

    /// Ends one session of a holder, as numbered in [`Self::sessions_of`]; nothing happens where it is not theirs.
    ///
    /// # Errors
    /// See [`AccountStore`].
    fn end_session_of(&self, holder: Holder, session: SessionId) -> Result<()>;

    /// Ends a holder's sessions but one; how many there were. A user reads it in the journal.
    ///
    /// # Errors
    /// See [`AccountStore`].
    fn end_sessions_of(&self, actor: &Actor, holder: Holder, except: Option<&SecretHash>) -> Result<u64>;

    /// Forgets sessions and mailed sign-ins that have expired; how many.
    ///
    /// # Errors
    /// See [`AccountStore`].
    fn prune_sessions(&self) -> Result<u64>;

    /// Notes that somebody signed in, so that they see it the next time.
    ///
    /// # Errors
    /// The user is not there.
    fn record_sign_in(&self, holder: Holder, sign_in: &SignIn) -> Result<()>;

    /// The last sign-in of a holder that was recorded. Asked for before the one at hand is recorded, it is the previous one.
    ///
    /// # Errors
    /// See [`AccountStore`].
    fn last_sign_in(&self, holder: Holder) -> Result<Option<SignIn>>;

    /// Notes in which browser a user signs in; whether it is one of the last [`MAX_BROWSERS`] that did.
    ///
    /// # Errors
    /// The user is not there.
    fn meet_browser(&self, user: UserId, browser: &SecretHash) -> Result<bool>;

    // Sign-ins by mail

    /// Begins a sign-in for whoever writes this address into this browser. Whether anybody has the address is neither
    /// looked at nor answered: it is the same work and the same rows. Of more than [`MAX_PENDING`] of an address in one browser the
    /// oldest gives way; what others ask for in theirs voids nothing here.
    ///
    /// # Errors
    /// See [`AccountStore`].
    fn begin_sign_in(&self, address: &Address, browser: &SecretHash) -> Result<MailedSignIn>;

    /// What a link says when it is opened; nothing is used up, since mail filters open links too.
    ///
    /// # Errors
    /// See [`AccountStore`].
    fn sign_in_link(&self, token: &LinkToken, browser: &SecretHash) -> Result<LinkAnswer>;

    /// Uses a link up in the browser that asked for it, and whatever else waits there. Elsewhere it stays as it is.
    ///
    /// # Errors
    /// See [`AccountStore`].
    fn confirm_link(&self, token: &LinkToken, browser: &SecretHash) -> Result<LinkAnswer>;

    /// Uses up what waits in this browser, if this is the code of the newest sign-in there. A wrong one counts against it, and against
    /// its address, whether anybody has that or not ([`MAX_WRONG_CODES_A_DAY`]).
    ///
    /// # Errors
    /// See [`AccountStore`].
    fn confirm_code(&self, browser: &SecretHash, code: &MailCode) -> Result<CodeAnswer>;

    // Secrets

    /// The secrets of a user, oldest first.
    ///
    /// # Errors
    /// See [`AccountStore`].
    fn secrets(&self, user: UserId) -> Result<Vec<Secret>>;

    /// Sets the user's password in place of the one there was. Costs one argon2id.
    ///
    /// # Errors
    /// [`StoreError::NotPermitted`](super::StoreError::NotPermitted); [`StoreError::UserLocked`](super::StoreError::UserLocked);
    /// [`StoreError::NoSealKey`](super::StoreError::NoSealKey).
    fn set_password(&self, user: UserId, permission: &Permission, password: &Password) -> Result<SecretId>;

    /// Tries a password. Costs one argon2id, also where there is no such user or no password.
    ///
    /// # Errors
    /// See [`AccountStore`].
    fn open_with_password(&self, user: Option<UserId>, password: &str) -> Result<Option<UserKey>>;

    /// Adds a passkey; with the output of its PRF extension it opens the personal lock.
    ///
    /// # Errors
    /// As [`Self::set_password`]; over [`MAX_PASSKEYS`]; the credential is registered already; a name over [`MAX_LABEL`].
    fn add_passkey(&self, user: UserId, permission: &Permission, passkey: &NewPasskey) -> Result<SecretId>;

    /// The passkeys of a user, for the ceremonies of WebAuthn.
    ///
    /// # Errors
    /// See [`AccountStore`].
    fn passkeys(&self, user: UserId) -> Result<Vec<Passkey>>;

    /// The passkey of a credential, with its user.
    ///
    /// # Errors
    /// See [`AccountStore`].
    fn passkey(&self, credential: &[u8]) -> Result<Option<Passkey>>;

    /// Notes that a passkey was used, with its state as the ceremony left it; the user's key, where its PRF opens it.
    ///
    /// # Errors
    /// There is no such passkey.
    fn use_passkey(&self, id: SecretId, state: &str, prf: Option<&PrfOutput>) -> Result<Option<UserKey>>;

    /// Makes a recovery code in place of the one there was. It is shown once.
    ///
    /// # Errors
    /// As [`Self::set_password`].
    fn make_recovery_code(&self, user: UserId, permission: &Permission) -> Result<RecoveryCode>;

    /// Uses a recovery code up; the user must be made to print another, see [`Self::make_recovery_code`]. Where the lock is on
    /// and nothing else opens it, the code stays good until it is replaced: a page that was closed too early costs no list.
    /// A wrong one costs the same whether there is such a user, or a code, or not.
    ///
    /// # Errors
    /// See [`AccountStore`].
    fn open_with_recovery_code(&self, user: Option<UserId>, code: &RecoveryCode) -> Result<Option<UserKey>>;

    /// Removes a secret.
    ///
    /// # Errors
    /// As [`Self::set_password`]; the user has no such secret; [`StoreError::LastSecret`](super::StoreError::LastSecret).
    fn remove_secret(&self, user: UserId, permission: &Permission, secret: SecretId) -> Result<()>;

    // The personal lock

    /// Whether a user's lock is on.
    ///
    /// # Errors
    /// There is no such user.
    fn lock_state(&self, user: UserId) -> Result<LockState>;

    /// Closes or opens the lock. Closing it revokes the grants that are live: they could open nothing.
    ///
    /// # Errors
    /// As [`Self::set_password`]; to be closed, it needs a secret that opens it:
    /// [`StoreError::LastSecret`](super::StoreError::LastSecret).
    fn set_lock(&self, user: UserId, permission: &Permission, state: LockState) -> Result<()>;

    /// Whether this permission opens the user's lists, without reading any.
    ///
    /// # Errors
    /// As [`Store::read_entries`](super::Store::read_entries).
    fn check_permission(&self, user: UserId, permission: &Permission) -> Result<()>;

    /// Notes that a user under a lock lost every secret and wants to start anew: it is done by [`Self::make_fresh_starts`]
    /// after [`FRESH_START_DELAY`]. One that is noted already stays as it is.
    ///
    /// # Errors
    /// There is no such user, or the lock is off.
    fn ask_fresh_start(&self, user: UserId) -> Result<FreshStart>;

    /// A user does not want to start anew any more; nothing happens where none was asked for.
    ///
    /// # Errors
    /// There is no such user.
    fn cancel_fresh_start(&self, user: UserId) -> Result<()>;

    /// Has those start anew whose time has come; who they are. All their secrets go, they get a fresh key pair, the lock is off
    /// and their sessions end. What could be read of their old entries and of their journal is gone, activity too; entries go
    /// on matching.
    ///
    /// # Errors
    /// See [`AccountStore`].
    fn make_fresh_starts(&self) -> Result<Vec<UserId>>;

    /// Takes the entries off all lists whose values were lost so. It cannot be undone.
    ///
    /// # Errors
    /// As [`Self::set_password`].
    fn remove_lost_entries(&self, user: UserId, permission: &Permission) -> Result<()>;

    /// What every page shows of the user who is signed in, as of one moment.
    ///
    /// # Errors
    /// There is no such user.
    fn profile(&self, user: UserId) -> Result<Profile>;

    // Language

    /// The language that a user chose.
    ///
    /// # Errors
    /// See [`AccountStore`].
    fn user_language(&self, user: UserId) -> Result<Option<Language>>;

    /// A user chooses a language. It is neither journalled nor told to followers.
    ///
    /// # Errors
    /// There is no such user.
    fn set_user_language(&self, user: UserId, language: Language) -> Result<()>;
}
