//! Random conversations, many messages long, in which lists and settings change between any two commands, messages are
//! aborted and connections cut: every reply and every edit is that of the model, and where the MTA splits, so is what
//! becomes of each copy.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use perso_milter::milter::client::Recipient;
use perso_milter::milter::client::message::{Delivery, Header, Message, apply, bare_address};
use perso_milter::milter::command::Command;
use perso_milter::milter::negotiate::Offer;
use perso_milter::milter::reply::Reply;
use perso_milter::milter::settings::{Decided, Directory, MessageLimits, Role, Settings};
use perso_milter::policy::action::SplitMode;
use perso_milter::policy::address::{Address, Domain};
use perso_milter::policy::authres::{AuthenticationMode, AuthenticationPolicy};
use perso_milter::policy::list::{Globs, UserLists};
use perso_milter::policy::plan::Direction;
use perso_milter::policy::subject::Tag;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::letters::{
    Addressed, Change, End, Headers, House, Letter, MOST, Person, Proof, USERS, any_house, any_letter, any_person,
};
use super::model::{Circumstances, Known, Told};
use super::reference::FORWARDER;
use super::split::{Aliases, expanded, received};
use super::world::{Mta, OLD_MTA, World, own_lists, policy};

/// What the MTA expands between the passes.
const ALIASES: Aliases<'_> = &[
    ("dan@org.example", &["bob@org.example"]),
    ("alice@elsewhere.example", &["alice@org.example", "carol@org.example"]),
    ("carol+news@org.example", &["carol+news@org.example", "archive@org.example"]),
];

/// Everybody's lists, as they are now.
#[derive(Debug, Clone)]
struct State {
    split: SplitMode,
    house: House,
    people: Vec<Person>,
}

impl State {
    fn take(&mut self, change: &Change) {
        match change {
            Change::House(house) => self.house = house.clone(),
            Change::Person(user, person) => self.people[*user] = person.clone(),
        }
    }

    /// The same as sessions see it.
    fn world(&self) -> World {
        let house = &self.house;
        let mut organisation = policy(1);
        organisation.black.action = house.black;
        organisation.black.late_action = house.late;
        organisation.black.reject_text = house.refusal.to_owned();
        organisation.personal.tag = Tag::new(house.tag).expect("a tag");
        organisation.personal.sensitivity = house.sensitivity;
        organisation.enforced = own_lists(&house.enforced);
        organisation.defaults = own_lists(&house.defaults);
        let mut world = World::of(organisation);
        let settings = Arc::get_mut(&mut world.settings).expect("not shared yet");
        settings.split = self.split;
        settings.delimiter = house.folders.then_some('+');
        settings.limits = MessageLimits { recipients: MOST, ..MessageLimits::default() };
        settings.authentication = AuthenticationPolicy {
            mode: if house.proof_required { AuthenticationMode::Required } else { AuthenticationMode::Off },
            authserv_ids: vec!["mx.org.example".to_owned()],
            hops: 1,
            results: 1,
            forwarders: vec![Domain::parse(FORWARDER).expect("a domain")],
        };
        USERS.iter().zip(&self.people).fold(world, |world, (name, person)| {
            world.with(&format!("{name}@org.example"), person.options, &person.entries)
        })
    }
}

/// A directory whose content is exchanged while sessions go on.
struct Changing(Mutex<Arc<World>>);

impl Changing {
    fn now(&self) -> Arc<World> {
        self.0.lock().expect("no panic").clone()
    }
}

impl Directory for Changing {
    fn settings(&self) -> Arc<Settings> {
        self.now().settings()
    }

    fn lists(&self, address: &Address) -> Option<UserLists> {
        self.now().lists(address)
    }

    fn globs(&self, lists: &UserLists) -> Option<Arc<Globs>> {
        self.now().globs(lists)
    }

    fn decided(&self, message: &Decided<'_>) {
        self.now().decided(message);
    }
}

/// An edit of the session as the model writes it.
fn written(edit: &Reply<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    match edit {
        Reply::AddRecipient(address) => format!("+ {}", text(address.as_bytes())),
        Reply::AddRecipientWith { address, arguments } => {
            format!("+ {} {}", text(address.as_bytes()), text(arguments.as_bytes()))
        }
        Reply::DeleteRecipient(address) => format!("- {}", text(address.as_bytes())),
        Reply::AddHeader { name, value } => format!("h {} {}", text(name.as_bytes()), text(value.as_bytes())),
        Reply::ChangeHeader { index, name, value } => {
            format!("m {} {index} {}", text(name.as_bytes()), text(value.as_bytes()))
        }
        Reply::Quarantine(_) => "q".to_owned(),
        other => panic!("{other:?}"),
    }
}

/// The code and the text of a reply.
fn told(reply: Option<&Reply<'_>>) -> (u16, String) {
    match reply {
        None | Some(Reply::Continue) => (250, String::new()),
        Some(Reply::Code(code)) => (code.code(), String::from_utf8(code.text()).expect("ASCII")),
        Some(other) => panic!("{other:?}"),
    }
}

fn message(headers: &Headers) -> Message {
    let proof = match &headers.proof {
        Proof::None => None,
        Proof::Spf(domain) => Some(format!(" mx.org.example; spf=pass smtp.mailfrom=x@{domain}")),
        Proof::Dmarc(domain) => Some(format!(" mx.org.example; dmarc=pass header.from={domain}")),
    };
    let mut lines: Vec<_> = proof.map(|proof| ("Authentication-Results", proof)).into_iter().collect();
    lines.push(("To", " everybody".to_owned()));
    lines.extend(headers.from.as_ref().map(|from| ("From", format!(" {}", from.path))));
    lines.extend(headers.subject.map(|subject| ("Subject", subject.to_owned())));
    lines.extend((0..headers.spam).map(|_| ("X-Spam-Flag", " YES".to_owned())));
    lines.extend((0..headers.forged).map(|_| ("X-Perso", " v=1".to_owned())));
    lines.extend(headers.forged_marker.then(|| ("X-Perso-Split", " 0;in;;".to_owned())));
    lines.extend(headers.sensitivity.then(|| ("Sensitivity", " Private".to_owned())));
    let header = |(name, value): (&str, String)| Header { name: name.into(), value: value.into() };
    Message { headers: lines.into_iter().map(header).collect(), body: Vec::new() }
}

/// When an MTA sends ABORT.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Aborts {
    /// After every message, as Postfix does.
    Always,
    /// For a message that is given up within its headers, as Sendmail does.
    WithinHeaders,
}

/// One MTA, one directory that changes, and the state that the model goes by.
struct Conversation {
    directory: Arc<Changing>,
    circumstances: Circumstances,
    aborts: Aborts,
    mta: Mta<Changing>,
    /// Where the MTA hands over copies.
    second: Mta<Changing>,
    state: State,
    commands: usize,
    in_headers: bool,
}

impl Conversation {
    fn new(state: State, circumstances: Circumstances, aborts: Aborts) -> Self {
        let directory = Arc::new(Changing(Mutex::new(Arc::new(state.world()))));
        let mta = Mta::new(directory.clone(), circumstances.role, circumstances.offer);
        let second = Mta::new(directory.clone(), Role::Split, circumstances.offer);
        Self { directory, circumstances, aborts, mta, second, state, commands: 0, in_headers: false }
    }

    /// Makes the changes that come before the next command.
    fn change(&mut self, letter: &Letter) {
        for (_, change) in letter.changes.iter().filter(|(before, _)| *before == self.commands) {
            self.state.take(change);
            *self.directory.0.lock().expect("no panic") = Arc::new(self.state.world());
        }
        self.commands += 1;
    }

    /// Makes the changes that come before the next command; false where the message ends here.
    fn goes_on(&mut self, letter: &Letter) -> bool {
        let ends = matches!(letter.end, End::Aborted(after) | End::Cut(after) if after == self.commands);
        self.change(letter);
        !ends
    }

    /// Leads one message to its end.
    fn message(&mut self, letter: &Letter) -> Result<(), TestCaseError> {
        (self.commands, self.in_headers) = (0, false);
        self.steps(letter)?;
        if matches!(letter.end, End::Cut(_)) {
            self.mta = Mta::new(self.directory.clone(), self.circumstances.role, self.circumstances.offer);
        } else if self.aborts == Aborts::Always || self.in_headers {
            prop_assert_eq!(self.mta.tell(&Command::Abort), None);
        }
        Ok(())
    }

    fn steps(&mut self, letter: &Letter) -> Result<(), TestCaseError> {
        if !self.goes_on(letter) {
            return Ok(());
        }
        self.mta.mail(&sender(letter));
        let settings = self.directory.settings();
        let mut known = Known::new(self.circumstances, letter, self.state.house.clone(), Told::default());
        let mut accepted = Vec::new();
        for addressed in &letter.recipients {
            if !self.goes_on(letter) {
                return Ok(());
            }
            let recipient = recipient(addressed);
            let (code, text) = told(self.mta.recipient(&recipient).as_ref());
            prop_assert_eq!(code, known.recipient(addressed, &self.state.people), "{}", addressed.path);
            prop_assert!(code != 550 || text.ends_with(known.house.refusal), "{}", text);
            accepted.extend((code == 250).then_some(recipient));
        }
        if known.has_nobody() {
            return Ok(());
        }
        let message = message(&letter.headers);
        for Header { name, value } in &message.headers {
            if !self.goes_on(letter) {
                return Ok(());
            }
            self.mta.header(name, value);
            self.in_headers = true;
        }
        if !self.goes_on(letter) {
            return Ok(());
        }
        let (edits, last) = self.mta.end();
        self.in_headers = false;
        check_law(&known, &edits)?;
        let (code, text) = told(Some(&last));
        let ended = known.end(&settings);
        prop_assert_eq!((code, edits.iter().map(written).collect::<Vec<_>>()), (ended.code, ended.edits));
        prop_assert!(code != 550 || text.ends_with(known.house.refusal), "{}", text);
        if ended.is_split {
            let sender = sender(letter).into_bytes();
            let delivery = apply(&edits, sender, accepted, message, &self.mta.agreement);
            self.copies(letter, &delivery, &known.told())?;
        }
        Ok(())
    }

    /// Leads each copy of a split message through the second pass.
    fn copies(&mut self, letter: &Letter, delivery: &Delivery, told: &Told) -> Result<(), TestCaseError> {
        let mut seen = HashSet::new();
        for recipient in expanded(&delivery.recipients, ALIASES) {
            if seen.insert(bare_address(&recipient.address).to_ascii_lowercase()) {
                self.copy(letter, &recipient, &delivery.message, told)?;
            }
        }
        Ok(())
    }

    /// One copy: it comes to what the model says of the same message to this recipient alone.
    fn copy(
        &mut self,
        letter: &Letter,
        recipient: &Recipient,
        message: &Message,
        told: &Told,
    ) -> Result<(), TestCaseError> {
        let addressed = addressed(recipient);
        let mut alone = Letter { recipients: vec![addressed.clone()], ..letter.clone() };
        // The first pass has removed them.
        (alone.headers.forged, alone.headers.forged_marker) = (0, false);
        self.change(letter);
        self.second.mail(&sender(letter));
        let settings = self.directory.settings();
        let circumstances = Circumstances { role: Role::Split, split: SplitMode::Off, ..self.circumstances };
        let mut known = Known::new(circumstances, &alone, self.state.house.clone(), told.clone());
        self.change(letter);
        prop_assert_eq!(self.second.recipient(recipient), Some(Reply::Continue));
        prop_assert_eq!(known.recipient(&addressed, &self.state.people), 250);
        let trace = received("the edge");
        for Header { name, value } in std::iter::once(&trace).chain(&message.headers) {
            self.second.header(name, value);
        }
        let (edits, last) = self.second.end();
        prop_assert_eq!(last, Reply::Continue, "the second pass never refuses");
        check_law(&known, &edits)?;
        let copy = apply(&edits, Vec::new(), vec![recipient.clone()], message.clone(), &self.second.agreement);
        prop_assert_eq!(copy.message.values("X-Perso-Split").count(), 0, "the marker is taken off");
        prop_assert_eq!(edits.iter().map(written).collect::<Vec<_>>(), known.end(&settings).edits);
        prop_assert_eq!(self.second.tell(&Command::Abort), None);
        Ok(())
    }
}

fn sender(letter: &Letter) -> String {
    letter.sender.as_ref().map_or("<>".to_owned(), |sender| format!("<{}>", sender.path))
}

fn recipient(addressed: &Addressed) -> Recipient {
    let mut recipient = Recipient::new(&addressed.path);
    recipient.arguments.extend(addressed.arguments.iter().map(|argument| argument.clone().into_bytes()));
    recipient
}

fn addressed(recipient: &Recipient) -> Addressed {
    let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).expect("UTF-8");
    Addressed { path: text(&recipient.address), arguments: recipient.arguments.iter().map(text).collect() }
}

/// The planner's law: what is added is never deleted, and who is addressed as they should be keeps their address.
fn check_law(known: &Known<'_>, edits: &[Reply<'_>]) -> Result<(), TestCaseError> {
    let folded = |address: &[u8]| bare_address(address).to_ascii_lowercase();
    let (mut added, mut deleted) = (HashSet::new(), HashSet::new());
    for edit in edits {
        match edit {
            Reply::AddRecipient(address) | Reply::AddRecipientWith { address, .. } => {
                added.insert(folded(address.as_bytes()));
            }
            Reply::DeleteRecipient(address) => {
                deleted.insert(folded(address.as_bytes()));
            }
            _ => {}
        }
    }
    prop_assert!(added.is_disjoint(&deleted), "added and deleted: {edits:?}");
    for path in known.in_place() {
        prop_assert!(!deleted.contains(&folded(path.as_bytes())), "{path} is deleted: {edits:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_conversation_goes_as_the_model_says(
        house in any_house(), people in vec(any_person(), USERS.len()), letters in vec(any_letter(), 1..6),
        split in select(vec![SplitMode::Off, SplitMode::Edits, SplitMode::Mixed]),
        (role, direction) in select(vec![(Role::Edge, Direction::Inbound), (Role::Local, Direction::Outbound)]),
        offer in select(vec![Offer::POSTFIX, OLD_MTA]),
        aborts in select(vec![Aborts::Always, Aborts::WithinHeaders]),
    ) {
        let circumstances = Circumstances { role, offer, split, direction };
        let mut conversation = Conversation::new(State { split, house, people }, circumstances, aborts);
        for letter in &letters {
            conversation.message(letter)?;
        }
    }
}
