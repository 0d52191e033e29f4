//! The daemon's own sessions over a handful of users, served by the real server.

use std::collections::HashMap;
use std::sync::Arc;

use perso_milter::mark::MarkKey;
use perso_milter::milter::client::{Client, Envelope, Outcome};
use perso_milter::milter::connection::Sessions;
use perso_milter::milter::server::Limits;
use perso_milter::milter::settings::{Decided, Directory, Role, Settings};
use perso_milter::milter::wire::FRAME_MAX;
use perso_milter::policy::address::{Address, Domain};
use perso_milter::policy::list::{EntryValue, FingerprintKey, Globs, ListKind, UserLists, UserOptions};
use perso_milter::policy::organisation::OrgPolicy;
use perso_milter::split::SplitKey;

use super::harness::{Kind, Running, envelope, start_with};

/// A sender whom Alice calls personal and Bob blocks.
pub const MUM: &str = "<maman@famille.example>";
pub const ALICE: &str = "<alice@example.org>";
pub const BOB: &str = "<bob@example.org>";
/// Whoever is looked up under this name makes the directory panic.
pub const FAULT: &str = "<fault@example.org>";

pub const MAIL: &[u8] = b"From: maman@famille.example\r\nSubject: Dimanche\r\n\r\nbody\r\n";

pub struct People {
    settings: Arc<Settings>,
    users: HashMap<&'static str, UserLists>,
}

impl Directory for People {
    fn settings(&self) -> Arc<Settings> {
        self.settings.clone()
    }

    fn lists(&self, address: &Address) -> Option<UserLists> {
        assert_ne!(address.as_str(), FAULT.trim_matches(['<', '>']), "asked to panic");
        self.users.get(address.as_str()).cloned()
    }

    fn globs(&self, _lists: &UserLists) -> Option<Arc<Globs>> {
        None
    }

    fn decided(&self, _message: &Decided<'_>) {}
}

fn people() -> People {
    let policy = OrgPolicy::new(1, vec![Domain::parse("example.org").unwrap()]);
    let mut settings =
        Settings::new(MarkKey::new(&[0; 32]), SplitKey::new(&[0; 32])).with_organisations([Arc::new(policy)]);
    settings.ours = Vec::new();
    let user = |id: u64, list| {
        let key = FingerprintKey::from_bytes([id as u8; 16]);
        let value: EntryValue = MUM.trim_matches(['<', '>']).parse().unwrap();
        UserLists::build(id, 1, &key, UserOptions::default(), [(list, value.scope(), key.of(&value))])
    };
    let users = HashMap::from([
        ("alice@example.org", user(1, ListKind::Personal)),
        ("bob@example.org", user(2, ListKind::Black)),
    ]);
    People { settings: Arc::new(settings), users }
}

/// A server with the sessions of the daemon.
pub fn daemon(kind: Kind, role: Role, limits: Limits) -> Running {
    start_with(kind, limits, Sessions::new(Arc::new(people()), &[role], FRAME_MAX as u32))
}

/// A message from Mum: what becomes of it.
pub fn from_mum(client: &mut Client, recipients: &[&str]) -> Outcome {
    client.send_message(&envelope(MUM, recipients), MAIL).unwrap()
}

/// The Subject that is delivered; `None` where nothing is.
pub fn subject(outcome: &Outcome, client: &Client, letter: &Envelope) -> Option<String> {
    let delivery = outcome.deliver(letter, MAIL, client.agreement())?;
    let value = delivery.message.values("Subject").next()?.to_vec();
    Some(String::from_utf8_lossy(&value).into_owned())
}

/// A message from Mum to Alice arrives tagged.
pub fn serves(client: &mut Client) {
    let outcome = from_mum(client, &[ALICE]);
    assert_eq!(subject(&outcome, client, &envelope(MUM, &[ALICE])).as_deref(), Some("[PERSO] Dimanche"));
}
