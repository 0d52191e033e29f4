//! An organisation with its users, and an MTA that talks to a session in memory: it writes what Postfix would write, checks
//! that every reply that is due comes and no other, and applies the edits as Postfix does.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use perso_milter::mark::MarkKey;
use perso_milter::milter::client::dialogue::{Dialogue, Due, Macro};
use perso_milter::milter::client::message::{Delivery, Message, apply, wire_value};
use perso_milter::milter::client::{Envelope, Recipient};
use perso_milter::milter::command::{Command, CommandStrings, EnvelopeAddress, Peer};
use perso_milter::milter::frame::FrameDecoder;
use perso_milter::milter::negotiate::{Agreement, Answer, Offer};
use perso_milter::milter::reply::Reply;
use perso_milter::milter::session::{Notice, RecipientReplies, Session, Terms};
use perso_milter::milter::settings::{Decided, Directory, Happened, Role, Settings};
use perso_milter::milter::wire::{Actions, FRAME_MAX, Protocol, command};
use perso_milter::policy::address::{Address, Domain};
use perso_milter::policy::decide::Verdict;
use perso_milter::policy::list::{EntryValue, FingerprintKey, Globs, ListKind, UserLists, UserOptions};
use perso_milter::policy::organisation::{OrgLists, OrgPolicy};
use perso_milter::policy::plan::Effect;
use perso_milter::split::SplitKey;

/// A list and an entry as a person writes it.
pub type Entry = (ListKind, String);

/// What an MTA offers that speaks the oldest protocol we take: no LEADSPC, a reply to everything, no DSN parameters.
pub const OLD_MTA: Offer = Offer { version: 2, actions: Actions::VERSION_2, protocol: Protocol::NONE };

/// An organisation with the defaults of the product and the domain `org.example`.
pub fn policy(id: u32) -> OrgPolicy {
    OrgPolicy::new(id, vec![Domain::parse("org.example").unwrap()])
}

pub fn value(text: &str) -> EntryValue {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub fn key(id: u64) -> FingerprintKey {
    FingerprintKey::from_bytes((u128::from(id) << 64 | 0x5eed).to_le_bytes())
}

pub fn own_lists(entries: &[Entry]) -> OrgLists {
    let entries: Vec<_> = entries.iter().map(|(list, text)| (*list, value(text))).collect();
    OrgLists::build(1, &key(0), &entries)
}

/// The lists of a user of an organisation, and their patterns.
pub fn user(id: u64, organisation: u32, options: UserOptions, entries: &[Entry]) -> (UserLists, Option<Arc<Globs>>) {
    let key = key(id);
    let values: Vec<_> = entries.iter().map(|(list, text)| (*list, value(text))).collect();
    let compiled = values.iter().map(|(list, value)| (*list, value.scope(), key.of(value)));
    let patterns = values.iter().filter_map(|(list, value)| match value {
        EntryValue::Glob(pattern) => Some((*list, &**pattern)),
        _ => None,
    });
    let lists = UserLists::build(id, organisation, &key, options, compiled);
    let globs = lists.has_globs().then(|| Arc::new(Globs::build(patterns).unwrap()));
    (lists, globs)
}

/// Where a session looks everything up, and what it decided last.
pub struct World {
    pub settings: Arc<Settings>,
    users: HashMap<String, (UserLists, Option<Arc<Globs>>)>,
    shared: HashSet<String>,
    verdicts: Mutex<HashMap<Vec<u8>, Verdict>>,
    told: Mutex<Vec<Told>>,
}

/// What a user who wants to see it later is told of a message.
#[derive(Debug, Clone)]
pub struct Told {
    pub user: u64,
    pub senders: [Option<String>; 2],
    pub verdict: Verdict,
    pub effect: Effect,
}

impl World {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            users: HashMap::new(),
            shared: HashSet::new(),
            verdicts: Mutex::default(),
            told: Mutex::default(),
        }
    }

    /// One organisation, authentication off, mail from everywhere inbound.
    pub fn of(policy: OrgPolicy) -> Self {
        let mut settings =
            Settings::new(MarkKey::new(&[0; 32]), SplitKey::new(&[0; 32])).with_organisations([Arc::new(policy)]);
        settings.ours = Vec::new();
        Self::new(settings)
    }

    #[must_use]
    pub fn with(mut self, address: &str, options: UserOptions, entries: &[Entry]) -> Self {
        let id = self.users.len() as u64 + 1;
        self.users.insert(address.to_owned(), user(id, 1, options, entries));
        self
    }

    #[must_use]
    pub fn with_user(mut self, address: &str, lists: UserLists) -> Self {
        self.users.insert(address.to_owned(), (lists, None));
        self
    }

    /// With an address that reaches others too; it may be a user's.
    #[must_use]
    pub fn with_shared(mut self, address: &str) -> Self {
        self.shared.insert(address.to_owned());
        self
    }

    pub fn verdict_of(&self, path: &[u8]) -> Option<Verdict> {
        self.verdicts.lock().unwrap().get(path).copied()
    }

    /// What users were told since the last call.
    pub fn told(&self) -> Vec<Told> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

impl Directory for World {
    fn settings(&self) -> Arc<Settings> {
        self.settings.clone()
    }

    fn lists(&self, address: &Address) -> Option<UserLists> {
        self.users.get(address.as_str()).map(|(lists, _)| lists.clone())
    }

    fn shared_in(&self, address: &Address) -> Option<u32> {
        self.shared.contains(address.as_str()).then_some(1)
    }

    fn globs(&self, lists: &UserLists) -> Option<Arc<Globs>> {
        self.users.values().find(|(known, _)| known.user() == lists.user())?.1.clone()
    }

    fn decided(&self, message: &Decided<'_>) {
        let verdicts = message.recipients.iter().map(|recipient| (recipient.path.to_vec(), recipient.verdict));
        self.verdicts.lock().unwrap().extend(verdicts);
    }

    fn happened(&self, to_each: &[Happened<'_>]) {
        let told = to_each.iter().map(|message| {
            let Happened { user, verdict, .. } = *message;
            let senders = [message.envelope, message.header].map(|sender| sender.map(|a| a.as_str().to_owned()));
            Told { user, senders, verdict, effect: message.effect.clone() }
        });
        self.told.lock().unwrap().extend(told);
    }
}

/// The MTA's side of one connection.
pub struct Mta<D> {
    session: Session<D>,
    dialogue: Dialogue,
    pub agreement: Agreement,
    pub notices: Vec<Notice>,
    /// The name by which the MTA's client has logged in.
    pub login: Option<&'static str>,
}

/// How a message fared.
pub struct Sent {
    /// The reply to each RCPT; `None` where none is due.
    pub recipients: Vec<Option<Reply<'static>>>,
    /// The edits, in their order.
    pub edits: Vec<Reply<'static>>,
    /// The final reply; `None` where no recipient was left.
    pub last: Option<Reply<'static>>,
    /// What is delivered; `None` where the message was refused.
    pub delivery: Option<Delivery>,
}

impl Sent {
    /// The addresses that get a copy, without brackets.
    pub fn addresses(&self) -> Vec<String> {
        let recipients = self.delivery.iter().flat_map(|delivery| &delivery.recipients);
        recipients.map(|r| String::from_utf8_lossy(&r.address).trim_matches(['<', '>']).to_owned()).collect()
    }

    /// The message as delivered.
    pub fn message(&self) -> &Message {
        &self.delivery.as_ref().expect("delivered").message
    }
}

impl<D: Directory> Mta<D> {
    pub fn new(directory: Arc<D>, role: Role, offer: Offer) -> Self {
        let terms = Arc::new(Terms::new(role, RecipientReplies::Needed));
        let mut session = Session::new(directory, terms, FRAME_MAX as u32);
        let (mut written, mut output) = (Vec::new(), Vec::new());
        Command::Negotiate(offer).encode(&mut written);
        session.receive(&written, &mut output).expect("an offer");
        let (byte, payload) = frames(&output).remove(0);
        assert_eq!(byte, command::OPTNEG);
        let answer = Answer::parse(&payload, &offer).expect("an answer that an MTA takes");
        let agreement = answer.agreement;
        let mut mta = Self { session, dialogue: Dialogue::new(answer), agreement, notices: Vec::new(), login: None };
        let peer = Peer::Inet { port: 25_025, address: b"192.0.2.1" };
        mta.tell(&Command::Connect { host: b"mx.example.net", peer });
        mta
    }

    /// One event: its reply, if one is due. More or fewer than are due is an error.
    pub fn tell(&mut self, command: &Command<'_>) -> Option<Reply<'static>> {
        let mut replies = self.exchange(command)?;
        assert_eq!(replies.len(), 1, "{command:?}");
        Some(replies.remove(0))
    }

    fn exchange(&mut self, command: &Command<'_>) -> Option<Vec<Reply<'static>>> {
        let (mut written, mut output) = (Vec::new(), Vec::new());
        let mut macros = vec![Macro::new(b"i", b"4ABC"), Macro::new(b"daemon_name", b"smtpd")];
        macros.extend(self.login.map(|login| Macro::new(b"auth_authen", login.as_bytes())));
        let due = self.dialogue.write(command, &macros, &mut written);
        self.session.receive(&written, &mut output).expect("what an MTA writes is taken");
        self.notices.extend(self.session.notices());
        let replies: Vec<_> = frames(&output)
            .iter()
            .map(|(byte, payload)| {
                let frame = perso_milter::milter::frame::Frame { command: *byte, payload };
                let reply = Reply::parse(frame).expect("a reply that an MTA takes").into_owned();
                assert!(self.agreement.may(reply.needs()), "{reply:?} was not agreed");
                reply
            })
            .collect();
        if due == Due::Reply {
            return Some(replies);
        }
        assert_eq!(replies, [], "nothing is due for {command:?}");
        None
    }

    pub fn mail(&mut self, sender: &str) {
        let reply = self.tell(&Command::Mail(address(sender, &CommandStrings::default())));
        assert!(matches!(reply, None | Some(Reply::Continue)));
    }

    pub fn recipient(&mut self, recipient: &Recipient) -> Option<Reply<'static>> {
        let arguments = CommandStrings::new(&recipient.arguments);
        self.tell(&Command::Recipient(EnvelopeAddress { address: &recipient.address, arguments: arguments.strings() }))
    }

    /// A header, its value with the blank after the colon.
    pub fn header(&mut self, name: &[u8], value: &[u8]) {
        let value = wire_value(value, &self.agreement);
        let reply = self.tell(&Command::Header { name, value });
        assert!(matches!(reply, None | Some(Reply::Continue)));
    }

    /// End of message: the edits and the final reply.
    pub fn end(&mut self) -> (Vec<Reply<'static>>, Reply<'static>) {
        let mut edits = self.exchange(&Command::EndOfMessage(b"")).expect("always answered");
        let last = edits.pop().expect("a final reply");
        assert!(edits.iter().all(Reply::is_modification));
        (edits, last)
    }

    /// Sends a message whole, as Postfix does.
    pub fn send(&mut self, envelope: &Envelope, message: &Message) -> Sent {
        self.mail(&String::from_utf8_lossy(&envelope.sender));
        let recipients: Vec<_> = envelope.recipients.iter().map(|r| self.recipient(r)).collect();
        let left: Vec<Recipient> = envelope
            .recipients
            .iter()
            .zip(&recipients)
            .filter(|(_, reply)| matches!(reply, None | Some(Reply::Continue)))
            .map(|(recipient, _)| recipient.clone())
            .collect();
        let mut sent = Sent { recipients, edits: Vec::new(), last: None, delivery: None };
        if !left.is_empty() {
            self.tell(&Command::Data);
            message.headers.iter().for_each(|header| self.header(&header.name, &header.value));
            self.tell(&Command::EndOfHeaders);
            let (edits, last) = self.end();
            (sent.edits, sent.last) = (edits, Some(last));
            if sent.last == Some(Reply::Continue) {
                let sender = envelope.sender.clone();
                sent.delivery = Some(apply(&sent.edits, sender, left, message.clone(), &self.agreement));
            }
        }
        self.tell(&Command::Abort);
        sent
    }
}

fn address<'a>(text: &'a str, arguments: &'a CommandStrings) -> EnvelopeAddress<'a> {
    EnvelopeAddress { address: text.as_bytes(), arguments: arguments.strings() }
}

/// Sends one message on a connection of its own.
pub fn send(world: World, role: Role, offer: Offer, envelope: &Envelope, message: &Message) -> (Sent, Arc<World>) {
    let world = Arc::new(world);
    let sent = Mta::new(world.clone(), role, offer).send(envelope, message);
    (sent, world)
}

pub fn envelope(sender: &str, recipients: &[&str]) -> Envelope {
    Envelope {
        sender: sender.as_bytes().to_vec(),
        recipients: recipients.iter().map(|recipient| Recipient::new(recipient)).collect(),
        ..Envelope::default()
    }
}

/// A message of these headers.
pub fn message(headers: &[(&str, &[u8])]) -> Message {
    let header = |(name, value): &(&str, &[u8])| perso_milter::milter::client::message::Header {
        name: name.as_bytes().to_vec(),
        value: value.to_vec(),
    };
    Message { headers: headers.iter().map(header).collect(), body: b"Body\n".to_vec() }
}

pub fn frames(stream: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    let _ = FrameDecoder::new(1 << 24).feed(stream, |frame| {
        found.push((frame.command, frame.payload.to_vec()));
        std::ops::ControlFlow::<()>::Continue(())
    });
    found
}

pub fn perso(entries: &[&str]) -> Vec<Entry> {
    entries.iter().map(|text| (ListKind::Personal, (*text).to_owned())).collect()
}
