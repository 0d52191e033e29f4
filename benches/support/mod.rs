//! A relay in memory for the benchmarks: an embedded store with users and lists, the directory that the daemon would have
//! over it, and messages as Postfix sends them.

// Each benchmark takes what it needs of it.
#![allow(dead_code)]

use std::sync::Arc;

use perso_milter::cache::{Cache, Follower};
use perso_milter::config::Config;
use perso_milter::directory::{Defaults, RelayDirectory};
use perso_milter::milter::client::dialogue::{Dialogue, Macro};
use perso_milter::milter::command::{Command, CommandStrings, EnvelopeAddress, Peer};
use perso_milter::milter::negotiate::{Answer, Offer};
use perso_milter::milter::session::{RecipientReplies, Session, Terms};
use perso_milter::milter::settings::Role;
use perso_milter::milter::wire;
use perso_milter::policy::address::{Address, Domain};
use perso_milter::policy::list::{EntryValue, ListKind, UserOptions};
use perso_milter::store::{
    Actor, ImportEntry, ImportUser, NewUser, SqliteOptions, SqliteStore, Store, UserKind, system_clock,
};

/// Entries of each user: two in three personal, the rest white and black.
pub const ENTRIES: u64 = 20;
/// The verifier whose results are believed.
pub const AUTHSERV_ID: &str = "mx.bench.example";

/// The daemon without sockets. Dropping it removes its store.
pub struct Relay {
    pub directory: Arc<RelayDirectory>,
    pub cache: Arc<Cache>,
    _follower: Follower,
    _store: SqliteStore,
    _place: tempfile::TempDir,
}

impl Relay {
    pub fn new(users: u64) -> anyhow::Result<Self> {
        Self::of(users, UserOptions::default())
    }

    /// Whose users all want to see later what became of their messages.
    pub fn with_histories(users: u64) -> anyhow::Result<Self> {
        Self::of(users, UserOptions { activity: true, ..UserOptions::default() })
    }

    fn of(users: u64, options: UserOptions) -> anyhow::Result<Self> {
        let place = tempfile::tempdir()?;
        let path = place.path().join("bench.db");
        let store = SqliteStore::open(&path, SqliteOptions::default())?;
        let actor = Actor::Import { name: "bench".to_owned() };
        store.add_organisation(&actor, "bench", &[Domain::parse("bench.example")?])?;
        let report = store.import_users(&actor, (0..users).map(user_line).collect())?.wait()?;
        anyhow::ensure!(report.refused.is_empty(), "users were refused");
        let entries = (0..users).flat_map(|n| (0..ENTRIES).map(move |entry| entry_line(n, entry))).collect();
        let report = store.import_entries(&actor, entries)?.wait()?;
        anyhow::ensure!(report.refused.is_empty(), "entries were refused");
        for n in (0..users).filter(|_| options != UserOptions::default()) {
            store.set_user_options(&Actor::User, store.user_id(&user(n))?, options)?;
        }

        let mut config = Config::default();
        config.authentication.authserv_ids = vec![AUTHSERV_ID.parse()?];
        let cache = Arc::new(Cache::new(store.address_hasher()));
        let directory =
            RelayDirectory::new(cache.clone(), &store.keys().match_key, Defaults::from(&config), system_clock());
        let directory = Arc::new(directory);
        let follower = Follower::start(&store, cache.clone(), directory.clone())?;
        Ok(Self { directory, cache, _follower: follower, _store: store, _place: place })
    }
}

pub fn user(n: u64) -> Address {
    Address::parse(&format!("user{n}@bench.example")).expect("an address")
}

fn user_line(n: u64) -> ImportUser {
    let user = NewUser { address: user(n), aliases: Vec::new(), kind: UserKind::Person };
    ImportUser { line: n, user, organisation: None }
}

/// The sender that stands on a user's list: personal, but for the last three white and the three before black.
pub fn listed(n: u64, entry: u64) -> String {
    format!("contact{entry}.of{n}@some.domain{}.example", (n + entry) % 1000)
}

fn entry_line(n: u64, entry: u64) -> ImportEntry {
    let list = match entry {
        0..14 => ListKind::Personal,
        14..17 => ListKind::Black,
        _ => ListKind::White,
    };
    let value = EntryValue::Address(Address::parse(&listed(n, entry)).expect("an address"));
    ImportEntry { line: n, user: user(n), list, value }
}

/// What an MTA and the daemon agree on, and what the MTA then sends.
pub struct Conversation {
    pub session: Session<RelayDirectory>,
    dialogue: Dialogue,
    macros: Vec<Macro>,
}

impl Conversation {
    /// A connection after its negotiation and CONNECT.
    pub fn open(relay: &Relay, replies: RecipientReplies) -> Self {
        let terms = Arc::new(Terms::new(Role::Edge, replies));
        let mut session = Session::new(relay.directory.clone(), terms, wire::FRAME_MAX as u32);
        let (mut offer, mut output) = (Vec::new(), Vec::new());
        Command::Negotiate(Offer::POSTFIX).encode(&mut offer);
        session.receive(&offer, &mut output).expect("it negotiates");
        let answer = Answer::parse(&output[wire::LENGTH_BYTES + 1..], &Offer::POSTFIX).expect("an answer");
        let macros = [(&b"i"[..], &b"4d8Xw35q2Lz9sT"[..]), (b"daemon_name", b"smtpd")];
        let macros = macros.iter().map(|(name, value)| Macro::new(name, value)).collect();
        let mut conversation = Self { session, dialogue: Dialogue::new(answer), macros };
        let peer = Peer::Inet { port: 41234, address: b"192.0.2.17" };
        let connect = conversation.block(&[Command::Connect { host: b"mail.sender.example", peer }]);
        conversation.session.receive(&connect, &mut output).expect("in order");
        conversation
    }

    /// Commands as Postfix writes them, a macro packet before each.
    fn block(&self, commands: &[Command<'_>]) -> Vec<u8> {
        let mut block = Vec::new();
        for command in commands {
            self.dialogue.write(command, &self.macros, &mut block);
        }
        block
    }

    /// A message in the two writes of Postfix: the envelope with the ABORT of the message before, then headers to end.
    pub fn message(&self, sender: &str, recipients: &[String]) -> [Vec<u8>; 2] {
        let path = |address: &str| format!("<{address}>").into_bytes();
        let (from, arguments) = (path(sender), CommandStrings::new(&["SIZE=4096", "BODY=8BITMIME"]));
        let to: Vec<Vec<u8>> = recipients.iter().map(|recipient| path(recipient)).collect();
        let mut envelope =
            vec![Command::Abort, Command::Mail(EnvelopeAddress { address: &from, arguments: arguments.strings() })];
        let none = CommandStrings::default();
        envelope.extend(
            to.iter().map(|address| Command::Recipient(EnvelopeAddress { address, arguments: none.strings() })),
        );
        envelope.push(Command::Data);
        let headers = headers(sender, &recipients[0]);
        let mut content: Vec<Command<'_>> = headers
            .iter()
            .map(|(name, value)| Command::Header { name: name.as_bytes(), value: value.as_bytes() })
            .collect();
        content.extend([Command::EndOfHeaders, Command::EndOfMessage(b"")]);
        [self.block(&envelope), self.block(&content)]
    }
}

/// The headers of an ordinary message that came over one relay and was verified: about 3 KB with their macro packets.
pub fn headers(sender: &str, recipient: &str) -> Vec<(&'static str, String)> {
    let domain = sender.rsplit_once('@').map_or("", |(_, domain)| domain);
    let signature = "Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FycGx5d2FsZG9mcmVkcGx1Z2h4eXp6eXRodWQ".repeat(4);
    vec![
        (
            "Authentication-Results",
            format!(
                " {AUTHSERV_ID};\n\tdkim=pass (2048-bit key) header.d={domain} header.i=@{domain} header.b=Zm9vYmFy;\n\t\
             spf=pass (sender address is authorised) smtp.mailfrom={sender};\n\tdmarc=pass (p=reject) header.from={domain}"
            ),
        ),
        (
            "Received",
            format!(
                " from mail.sender.example (mail.sender.example [192.0.2.17])\n\t(using TLSv1.3 with cipher \
             TLS_AES_256_GCM_SHA384 (256/256 bits))\n\tby {AUTHSERV_ID} (Postfix) with ESMTPS id 4d8Xw35q2Lz9sT\n\tfor \
             <{recipient}>; Sun, 22 Nov 2026 09:12:44 +0100 (CET)"
            ),
        ),
        (
            "Received",
            format!(
                " from [10.20.30.40] (unknown [10.20.30.40])\n\tby mail.sender.example (Postfix) with ESMTPSA id \
             4d8Xw31m7Kz3bN\n\tfor <{recipient}>; Sun, 22 Nov 2026 09:12:43 +0100 (CET)"
            ),
        ),
        (
            "DKIM-Signature",
            format!(
                " v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s=s2026;\n\tt=1795508763; h=from:from:reply-to:subject:\
             date:message-id:to:cc:\n\t mime-version:content-type; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\n\t\
             b={signature}"
            ),
        ),
        ("Message-ID", format!(" <20261122081243.4d8Xw31m7Kz3bN@{domain}>")),
        ("Date", " Sun, 22 Nov 2026 09:12:43 +0100".to_owned()),
        ("MIME-Version", " 1.0".to_owned()),
        ("User-Agent", " Mozilla Thunderbird".to_owned()),
        ("From", format!(" =?UTF-8?Q?Quelqu=E2=80=99un?= <{sender}>")),
        ("To", format!(" {recipient}")),
        ("Subject", " =?UTF-8?Q?R=C3=A9union_de_famille_dimanche_=3A_qui_apporte_le_dessert=3F?=".to_owned()),
        ("In-Reply-To", format!(" <b3c0ffee-0000-4000-8000-000000000000@{domain}>")),
        ("References", format!(" <b3c0ffee-0000-4000-8000-000000000000@{domain}>")),
        ("Content-Language", " fr".to_owned()),
        ("Content-Type", " text/plain; charset=UTF-8; format=flowed".to_owned()),
        ("Content-Transfer-Encoding", " 8bit".to_owned()),
    ]
}
