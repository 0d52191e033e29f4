//! The ceremonies of WebAuthn. A passkey finds its account by itself (discoverable credentials): nobody types an address, and
//! so nobody learns which addresses have one.
//!
//! The PRF extension is asked for with a salt of ours; what it answers opens the personal lock. webauthn-rs does not know it, so
//! it is added to what the browser is sent, and read beside what it sends.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey as Credential, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Url, Uuid, Webauthn, WebauthnBuilder,
};

use crate::store::{NewPasskey, Passkey, PrfOutput, SecretHash, SecretId, User, UserId};

/// How long a ceremony may take.
const LIFE: SignedDuration = SignedDuration::from_mins(5);
/// Ceremonies under way at once; the oldest gives way to another.
const MAX_PENDING: usize = 10_000;
/// What PRF is asked with: the same for everybody, since each credential answers differently.
const PRF_SALT: &[u8; 32] = b"perso-milter personal lock, salt";
/// Longest answer of a browser, in bytes.
const MAX_ANSWER: usize = 16 * 1024;

/// Ceremonies, by the browser in which they are under way.
pub struct Passkeys {
    webauthn: Option<Webauthn>,
    pending: Mutex<HashMap<SecretHash, (Timestamp, Pending)>>,
}

enum Pending {
    Registration(UserId, PasskeyRegistration),
    Authentication(DiscoverableAuthentication),
}

/// A passkey that proved itself.
pub struct Proven {
    /// The passkey.
    pub id: SecretId,
    /// Whose.
    pub user: UserId,
    /// Its state from now on.
    pub state: String,
    /// What opens the lock.
    pub prf: Option<PrfOutput>,
}

impl Passkeys {
    /// For a console that browsers know under this origin. Browsers have no passkeys for hosts without a name.
    pub fn new(origin: &str) -> Self {
        let build = || {
            let origin = Url::parse(origin).ok()?;
            let host = origin.domain()?;
            let builder = WebauthnBuilder::new(host, &origin).ok()?;
            builder.rp_name("Console individuelle de messagerie").build().ok()
        };
        Self { webauthn: build(), pending: Mutex::default() }
    }

    /// Whether there can be passkeys here.
    pub fn are_possible(&self) -> bool {
        self.webauthn.is_some()
    }

    /// Begins to register one; what the browser is to be sent. `None` where there can be none.
    pub fn begin_registration(
        &self,
        browser: SecretHash,
        user: &User,
        existing: &[Passkey],
        now: Timestamp,
    ) -> Option<Value> {
        let known = existing.iter().filter_map(credential).map(|credential| credential.cred_id().clone()).collect();
        let name = user.address.as_str();
        let handle = Uuid::from_u64_pair(0, user.id.get());
        let begun = self.webauthn.as_ref()?.start_passkey_registration(handle, name, name, Some(known));
        let (challenge, state) = begun.ok()?;
        let mut options = serde_json::to_value(challenge).ok()?;
        let key = options.get_mut("publicKey")?;
        key["authenticatorSelection"]["residentKey"] = json!("required");
        key["authenticatorSelection"]["requireResidentKey"] = json!(true);
        ask_for_prf(key);
        self.keep(browser, Pending::Registration(user.id, state), now);
        Some(options)
    }

    /// Ends a registration; `None` where the answer is not one to what was asked.
    pub fn finish_registration(
        &self,
        browser: SecretHash,
        user: UserId,
        answer: &str,
        label: &str,
        now: Timestamp,
    ) -> Option<NewPasskey> {
        let Pending::Registration(asked, state) = self.take(browser, now)? else { return None };
        let (answer, prf) = read::<RegisterPublicKeyCredential>(answer)?;
        let credential = self.webauthn.as_ref()?.finish_passkey_registration(&answer, &state).ok()?;
        (asked == user).then_some(())?;
        let id: &[u8] = credential.cred_id();
        let state = serde_json::to_string(&credential).ok()?;
        Some(NewPasskey { credential: id.to_vec(), state, label: label.to_owned(), prf })
    }

    /// Begins a proof; what the browser is to be sent. `None` where there can be none.
    pub fn begin_proof(&self, browser: SecretHash, now: Timestamp) -> Option<Value> {
        let (challenge, state) = self.webauthn.as_ref()?.start_discoverable_authentication().ok()?;
        let mut options = serde_json::to_value(challenge).ok()?;
        // Asked for by a button, not by the field of a form.
        options.as_object_mut()?.remove("mediation");
        ask_for_prf(options.get_mut("publicKey")?);
        self.keep(browser, Pending::Authentication(state), now);
        Some(options)
    }

    /// The credential that an answer names.
    pub fn credential_of(answer: &str) -> Option<Vec<u8>> {
        let (answer, _) = read::<PublicKeyCredential>(answer)?;
        Some(answer.raw_id)
    }

    /// Ends a proof with the passkey that the answer names; `None` where it proves nothing.
    pub fn finish_proof(&self, browser: SecretHash, answer: &str, passkey: &Passkey, now: Timestamp) -> Option<Proven> {
        let Pending::Authentication(state) = self.take(browser, now)? else { return None };
        let (answer, prf) = read::<PublicKeyCredential>(answer)?;
        let webauthn = self.webauthn.as_ref()?;
        let (handle, _) = webauthn.identify_discoverable_authentication(&answer).ok()?;
        (handle == Uuid::from_u64_pair(0, passkey.user.get())).then_some(())?;
        let mut credential = credential(passkey)?;
        let proof = webauthn.finish_discoverable_authentication_v2(&answer, state, &credential).ok()?;
        credential.update_credential(&proof);
        let state = serde_json::to_string(&credential).ok()?;
        Some(Proven { id: passkey.id, user: passkey.user, state, prf })
    }

    fn keep(&self, browser: SecretHash, ceremony: Pending, now: Timestamp) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        // A browser's own gives way to its next.
        if pending.insert(browser, (now, ceremony)).is_none() && pending.len() > MAX_PENDING {
            pending.retain(|_, (begun, _)| now.duration_since(*begun) < LIFE);
            let others = pending.iter().filter(|(other, _)| **other != browser);
            let oldest = others.min_by_key(|(_, (begun, _))| *begun).map(|(oldest, _)| *oldest);
            if let Some(oldest) = oldest.filter(|_| pending.len() > MAX_PENDING) {
                pending.remove(&oldest);
            }
        }
    }

    /// The ceremony of a browser, which is over.
    fn take(&self, browser: SecretHash, now: Timestamp) -> Option<Pending> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let (begun, ceremony) = pending.remove(&browser)?;
        (now.duration_since(begun) < LIFE).then_some(ceremony)
    }
}

fn ask_for_prf(key: &mut Value) {
    key["extensions"]["prf"] = json!({ "eval": { "first": URL_SAFE_NO_PAD.encode(PRF_SALT) } });
}

fn credential(passkey: &Passkey) -> Option<Credential> {
    serde_json::from_str(&passkey.state).ok()
}

/// An answer, and the output of PRF that our script puts beside it.
fn read<T: serde::de::DeserializeOwned>(answer: &str) -> Option<(T, Option<PrfOutput>)> {
    if answer.len() > MAX_ANSWER {
        return None;
    }
    let value: Value = serde_json::from_str(answer).ok()?;
    let prf = value.get("prf").and_then(Value::as_str).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let prf = prf.and_then(|bytes| PrfOutput::new(&bytes));
    Some((serde_json::from_value(value).ok()?, prf))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_host_with_a_name_has_passkeys() {
        for (origin, possible) in [
            ("https://console.acme.example", true),
            ("http://localhost:8890", true),
            ("http://127.0.0.1:8890", false),
            ("https://[::1]", false),
        ] {
            assert_eq!(Passkeys::new(origin).are_possible(), possible, "{origin}");
        }
    }

    #[test]
    fn a_proof_is_asked_for_without_naming_anybody_and_used_once() {
        let passkeys = Passkeys::new("https://console.acme.example");
        let browser = SecretHash::of(b"browser");
        let now = Timestamp::UNIX_EPOCH;
        let options = passkeys.begin_proof(browser, now).expect("begun");
        assert_eq!(options["publicKey"]["allowCredentials"], json!([]));
        assert_eq!(options["publicKey"]["userVerification"], json!("required"));
        assert!(options["publicKey"]["extensions"]["prf"]["eval"]["first"].is_string());
        assert!(options.get("mediation").is_none());
        assert!(passkeys.take(browser, now).is_some() && passkeys.take(browser, now).is_none());
        passkeys.begin_proof(browser, now).expect("begun");
        assert!(passkeys.take(browser, now + LIFE).is_none(), "too late");
    }

    #[test]
    fn the_oldest_ceremony_gives_way_and_a_browsers_own_to_its_next() {
        let passkeys = Passkeys::new("https://console.acme.example");
        let browser = |n: usize| SecretHash::of(&n.to_be_bytes());
        let begin = |n: usize, second: i64| {
            let begun = Timestamp::from_second(second).expect("a time");
            passkeys.begin_proof(browser(n), begun).expect("begun");
        };
        begin(0, 1);
        begin(0, 2);
        begin(1, 1);
        (2..=MAX_PENDING).for_each(|n| begin(n, 3));
        let now = Timestamp::from_second(3).expect("a time");
        assert!(passkeys.take(browser(1), now).is_none(), "the oldest is gone");
        for kept in [0, 2, MAX_PENDING] {
            assert!(passkeys.take(browser(kept), now).is_some(), "{kept}");
        }
    }

    #[test]
    fn what_no_browser_answers_is_nothing() {
        for answer in ["", "{}", "[]", "{\"prf\":\"AA\"}", &"x".repeat(MAX_ANSWER + 1)] {
            assert!(Passkeys::credential_of(answer).is_none(), "{answer:.20}");
        }
    }
}
