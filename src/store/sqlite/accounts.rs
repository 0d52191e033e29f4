//! The calls of [`AccountStore`].

mod lock;
mod secrets;
mod sessions;
mod sign_ins;

use jiff::Timestamp;

pub(super) use lock::{Unlocked, state as lock_state, unlock};

use super::{SqliteStore, announcements, organisations, users};
use crate::language::Language;
use crate::policy::address::Address;
use crate::store::*;

impl AccountStore for SqliteStore {
    fn add_session(&self, session: &SessionRow) -> Result<bool> {
        sessions::check(session)?;
        let session = session.clone();
        self.write(move |change| sessions::add(change, &session))
    }

    fn save_session(&self, session: &SessionRow) -> Result<bool> {
        sessions::check(session)?;
        let session = session.clone();
        self.write(move |change| sessions::save(change, &session))
    }

    fn session(&self, hash: &SecretHash) -> Result<Option<SessionRow>> {
        let now = self.shared.now();
        self.read(|conn| sessions::find(conn, hash, now))
    }

    fn touch_session(&self, hash: &SecretHash, seen: Timestamp, expires: Timestamp) -> Result<Ticket<()>> {
        let hash = *hash;
        self.writer.submit(move |change| sessions::touch(change, &hash, seen, expires))
    }

    fn end_session(&self, hash: &SecretHash) -> Result<()> {
        let hash = *hash;
        self.write(move |change| sessions::end(change, &hash))
    }

    fn sessions_of(&self, holder: Holder) -> Result<Vec<SessionSummary>> {
        let now = self.shared.now();
        self.read(|conn| sessions::of(conn, holder, now))
    }

    fn end_session_of(&self, holder: Holder, session: SessionId) -> Result<()> {
        self.write(move |change| sessions::end_of(change, holder, session))
    }

    fn end_sessions_of(&self, actor: &Actor, holder: Holder, except: Option<&SecretHash>) -> Result<u64> {
        let (actor, except) = (actor.clone(), except.copied());
        self.write(move |change| sessions::end_all_of(change, &actor, holder, except))
    }

    fn prune_sessions(&self) -> Result<u64> {
        self.write(|change| Ok(sessions::prune(change)? + sign_ins::prune(change)?))
    }

    fn record_sign_in(&self, holder: Holder, sign_in: &SignIn) -> Result<()> {
        let sign_in = sign_in.clone();
        self.write(move |change| sessions::record(change, holder, &sign_in))
    }

    fn last_sign_in(&self, holder: Holder) -> Result<Option<SignIn>> {
        self.read(|conn| sessions::last_sign_in(conn, holder))
    }

    fn meet_browser(&self, user: UserId, browser: &SecretHash) -> Result<bool> {
        let browser = *browser;
        self.write(move |change| sessions::meet_browser(change, user, &browser))
    }

    fn begin_sign_in(&self, address: &Address, browser: &SecretHash) -> Result<MailedSignIn> {
        let (address, browser) = (address.clone(), *browser);
        let (token, code) = (LinkToken::random()?, MailCode::random()?);
        self.write(move |change| sign_ins::begin(change, &address, &browser, token, code))
    }

    fn sign_in_link(&self, token: &LinkToken, browser: &SecretHash) -> Result<LinkAnswer> {
        let now = self.shared.now();
        self.read(|conn| sign_ins::link(conn, token, browser, now))
    }

    fn confirm_link(&self, token: &LinkToken, browser: &SecretHash) -> Result<LinkAnswer> {
        let (token, browser) = (token.clone(), *browser);
        self.write(move |change| sign_ins::confirm_link(change, &token, &browser))
    }

    fn confirm_code(&self, browser: &SecretHash, code: &MailCode) -> Result<CodeAnswer> {
        let (browser, code) = (*browser, code.clone());
        self.write(move |change| sign_ins::confirm_code(change, &browser, &code))
    }

    fn secrets(&self, user: UserId) -> Result<Vec<Secret>> {
        self.read(|conn| secrets::all(conn, user))
    }

    fn set_password(&self, user: UserId, permission: &Permission, password: &Password) -> Result<SecretId> {
        // Before the costly part; and again with the change.
        self.check_permission(user, permission)?;
        let (record, wrapping) = PasswordRecord::new(password)?;
        let new = secrets::New::alone(SecretKind::Password, record.write()?.into_bytes());
        let permission = permission.clone();
        self.write(move |change| secrets::add(change, user, &permission, &new, Some(&wrapping)))
    }

    fn open_with_password(&self, user: Option<UserId>, password: &str) -> Result<Option<UserKey>> {
        let kept = self.read(|conn| user.map_or(Ok(None), |user| secrets::alone(conn, user, SecretKind::Password)))?;
        let record = kept.as_ref().and_then(|kept| PasswordRecord::read(std::str::from_utf8(&kept.verifier).ok()?));
        let record = record.map_or_else(PasswordRecord::nobodys, Ok)?;
        let opened = record.open(password)?;
        let (Some(user), Some(kept), Some(wrapping)) = (user, kept, opened) else { return Ok(None) };
        self.write(move |change| secrets::used(change, user, SecretKind::Password, &kept, &wrapping))
    }

    fn add_passkey(&self, user: UserId, permission: &Permission, passkey: &NewPasskey) -> Result<SecretId> {
        let new = secrets::New::passkey(passkey)?;
        let wrapping = passkey.prf.as_ref().map(PrfOutput::wrapping_key);
        let permission = permission.clone();
        self.write(move |change| secrets::add(change, user, &permission, &new, wrapping.as_ref()))
    }

    fn passkeys(&self, user: UserId) -> Result<Vec<Passkey>> {
        self.read(|conn| secrets::passkeys(conn, user))
    }

    fn passkey(&self, credential: &[u8]) -> Result<Option<Passkey>> {
        self.read(|conn| secrets::passkey(conn, credential))
    }

    fn use_passkey(&self, id: SecretId, state: &str, prf: Option<&PrfOutput>) -> Result<Option<UserKey>> {
        let (state, wrapping) = (state.to_owned(), prf.map(PrfOutput::wrapping_key));
        self.write(move |change| secrets::use_passkey(change, id, &state, wrapping.as_ref()))
    }

    fn make_recovery_code(&self, user: UserId, permission: &Permission) -> Result<RecoveryCode> {
        let code = RecoveryCode::random()?;
        let wrapping = code.wrapping_key();
        let new = secrets::New::alone(SecretKind::Recovery, code.verifier().to_vec());
        let permission = permission.clone();
        self.write(move |change| secrets::add(change, user, &permission, &new, Some(&wrapping)))?;
        Ok(code)
    }

    fn open_with_recovery_code(&self, user: Option<UserId>, code: &RecoveryCode) -> Result<Option<UserKey>> {
        let kept = self.read(|conn| user.map_or(Ok(None), |user| secrets::alone(conn, user, SecretKind::Recovery)))?;
        let fits = code.is(kept.as_ref().map(|kept| kept.verifier.as_slice()));
        let Some(user) = user.filter(|_| fits) else { return Ok(None) };
        let code = code.clone();
        self.write(move |change| secrets::use_recovery_code(change, user, &code))
    }

    fn remove_secret(&self, user: UserId, permission: &Permission, secret: SecretId) -> Result<()> {
        let permission = permission.clone();
        self.write(move |change| secrets::remove(change, user, &permission, secret))
    }

    fn lock_state(&self, user: UserId) -> Result<LockState> {
        self.read(|conn| lock::state(conn, user))
    }

    fn set_lock(&self, user: UserId, permission: &Permission, state: LockState) -> Result<()> {
        let permission = permission.clone();
        self.write(move |change| lock::set(change, user, &permission, state))
    }

    fn check_permission(&self, user: UserId, permission: &Permission) -> Result<()> {
        self.read(|conn| unlock(conn, &self.shared, user, permission).map(drop))
    }

    fn ask_fresh_start(&self, user: UserId) -> Result<FreshStart> {
        self.write(move |change| lock::ask_fresh_start(change, user))
    }

    fn cancel_fresh_start(&self, user: UserId) -> Result<()> {
        self.write(move |change| lock::cancel_fresh_start(change, user))
    }

    fn make_fresh_starts(&self) -> Result<Vec<UserId>> {
        let now = self.shared.now();
        let due = self.read(|conn| lock::fresh_starts_due(conn, now))?;
        let mut made = Vec::new();
        for user in due {
            let (private, public) = seal::key_pair()?;
            if self.write(move |change| lock::make_fresh_start(change, user, &private, &public))? {
                made.push(user);
            }
        }
        Ok(made)
    }

    fn remove_lost_entries(&self, user: UserId, permission: &Permission) -> Result<()> {
        let permission = permission.clone();
        self.write(move |change| lock::remove_lost_entries(change, user, &permission))
    }

    fn profile(&self, user: UserId) -> Result<Profile> {
        self.read(|conn| {
            let user = users::show(conn, user)?;
            Ok(Profile {
                organisation: organisations::numbered(conn, user.organisation)?,
                language: users::language(conn, user.id)?,
                announcements: announcements::waiting(conn, user.id)?,
                fresh_start: lock::fresh_start(conn, user.id)?,
                user,
            })
        })
    }

    fn user_language(&self, user: UserId) -> Result<Option<Language>> {
        self.read(|conn| users::language(conn, user))
    }

    fn set_user_language(&self, user: UserId, language: Language) -> Result<()> {
        self.write(move |change| users::set_language(change, user, language))
    }
}
