//! Whole conversations with the daemon's session: whatever an MTA writes, it gets the replies that are due and no other,
//! the edits of a message keep the planner's law, and nothing depends on how the bytes are split over reads.

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use perso_milter::milter::frame::{FrameDecoder, encode};
use perso_milter::milter::reply::ReplyError;
use perso_milter::milter::session::{Next, Notice, Phase, RecipientReplies, Session, SessionError, Terms};
use perso_milter::milter::settings::{Decided, Directory, MessageLimits, Role, Settings};
use perso_milter::milter::wire::{FRAME_MAX, command};
use perso_milter::policy::action::{BlackAction, PersonalActions, SplitMode};
use perso_milter::policy::address::{Address, Domain};
use perso_milter::policy::authres::{AuthenticationMode, AuthenticationPolicy};
use perso_milter::policy::list::{Globs, ListKind, UserLists, UserOptions};

use super::heard::Heard;
use super::script::Script;
use super::world::{Entry, World, policy};

/// `data` is a stream if it begins with a frame's length, whose first byte is 0; else a script.
pub fn holds(data: &[u8]) {
    match data.first() {
        None => {}
        Some(0) => houses().iter().step_by(7).for_each(|house| check(house, data)),
        Some(_) => {
            if let Some(script) = Script::of(&data[1..]) {
                let houses = houses();
                check(&houses[usize::from(script.house) % houses.len()], &script.stream());
            }
        }
    }
}

/// Whether a session takes a stream to its end.
pub fn takes(stream: &[u8]) -> bool {
    session(&houses()[0]).receive(stream, &mut Vec::new()).is_ok()
}

/// A daemon: what its sessions have in common.
struct House {
    people: Arc<People>,
    terms: Arc<Terms>,
}

/// A world that forgets what was decided.
struct People(World);

impl Directory for People {
    fn settings(&self) -> Arc<Settings> {
        self.0.settings()
    }

    fn lists(&self, address: &Address) -> Option<UserLists> {
        self.0.lists(address)
    }

    fn globs(&self, lists: &UserLists) -> Option<Arc<Globs>> {
        self.0.globs(lists)
    }

    fn decided(&self, message: &Decided<'_>) {
        let effects = message.plan.effects.len();
        assert!(message.recipients.iter().all(|recipient| recipient.effect.is_none_or(|at| at < effects)));
    }
}

fn houses() -> &'static [House] {
    static HOUSES: OnceLock<Vec<House>> = OnceLock::new();
    HOUSES.get_or_init(|| {
        let small = MessageLimits { header_bytes: 2000, headers: 12, recipients: 5 };
        let mut houses = Vec::new();
        for limits in [MessageLimits::default(), small] {
            for (mode, split) in [
                (AuthenticationMode::Off, SplitMode::Off),
                (AuthenticationMode::Off, SplitMode::Edits),
                (AuthenticationMode::Required, SplitMode::Off),
                (AuthenticationMode::Required, SplitMode::Mixed),
            ] {
                let people = Arc::new(people(limits, mode, split));
                for role in [Role::Edge, Role::Local, Role::Split] {
                    let terms = Arc::new(Terms::new(role, RecipientReplies::Needed));
                    houses.push(House { people: people.clone(), terms });
                }
            }
        }
        houses
    })
}

fn people(limits: MessageLimits, mode: AuthenticationMode, split: SplitMode) -> People {
    let entries = |list: ListKind, texts: &[&str]| -> Vec<Entry> {
        texts.iter().map(|text| (list, (*text).to_owned())).collect()
    };
    let personal = |actions| UserOptions { personal_actions: Some(actions), ..UserOptions::default() };
    let black = |action| UserOptions { black_action: Some(action), ..UserOptions::default() };
    let everything = PersonalActions::TAG | PersonalActions::FOLDER | PersonalActions::MARK;
    let friends = entries(ListKind::Personal, &["a@d.example", "*.d.example"]);
    let enemies = entries(ListKind::Black, &["d.example"]);
    let white = entries(ListKind::White, &["d.example"]);
    let mut world = World::of(policy(1))
        .with("alice@org.example", UserOptions::default(), &friends)
        .with("bob@org.example", UserOptions::default(), &enemies)
        .with("carol@org.example", personal(everything), &[friends.clone(), white].concat())
        .with("dan@org.example", black(BlackAction::Junk), &enemies)
        .with("eve@org.example", black(BlackAction::Hold), &enemies)
        .with("fay@org.example", black(BlackAction::Discard), &enemies)
        .with("greg@org.example", personal(PersonalActions::FOLDER), &entries(ListKind::Personal, &["a*@d.example"]))
        .with("contact+fr@org.example", personal(PersonalActions::FOLDER), &friends);
    let settings = Arc::get_mut(&mut world.settings).expect("not shared yet");
    (settings.limits, settings.split) = (limits, split);
    settings.submission_daemons = vec!["submission".to_owned()];
    settings.authentication = AuthenticationPolicy {
        mode,
        authserv_ids: vec!["mx.example.org".to_owned()],
        hops: 1,
        results: 1,
        forwarders: vec![Domain::parse("fwd.example").expect("a domain")],
    };
    People(world)
}

fn session(house: &House) -> Session<People> {
    Session::new(house.people.clone(), house.terms.clone(), FRAME_MAX as u32)
}

fn check(house: &House, stream: &[u8]) {
    let mut whole = Vec::new();
    let result = session(house).receive(stream, &mut whole);
    assert_eq!(in_chunks(house, stream), (whole.clone(), result), "it matters how the bytes come");
    assert_eq!(frame_by_frame(house, stream), whole, "it matters that frames come together");
}

fn in_chunks(house: &House, stream: &[u8]) -> (Vec<u8>, Result<Next, SessionError>) {
    let (mut session, mut output) = (session(house), Vec::new());
    let size = 1 + stream.len() % 7;
    for chunk in stream.chunks(size) {
        match session.receive(chunk, &mut output) {
            Ok(Next::Continue) => {}
            last => return (output, last),
        }
    }
    (output, Ok(Next::Continue))
}

fn frame_by_frame(house: &House, stream: &[u8]) -> Vec<u8> {
    let (mut session, mut heard, mut output) = (session(house), Heard::default(), Vec::new());
    let _ = FrameDecoder::new(FRAME_MAX as u32).feed(stream, |frame| {
        let mut written = Vec::new();
        encode(&mut written, frame.command, |out| out.extend_from_slice(frame.payload));
        let (before, start) = (session.phase(), output.len());
        let result = session.receive(&written, &mut output);
        let Ok(next) = result else {
            assert_eq!(output.len(), start, "an answer to what was refused");
            return ControlFlow::Break(());
        };
        assert_eq!(Some(session.phase()), before.after(frame.command));
        assert_eq!(next == Next::Quit, frame.command == command::QUIT);
        assert_eq!(session.message().is_some(), matches!(session.phase(), Phase::Envelope | Phase::Headers));
        // An edit of a header that fills a whole frame has no room for what it adds.
        let too_long = |error: &ReplyError| matches!(error, ReplyError::TooLong(_));
        let unwritable = |notice: &Notice| matches!(notice, Notice::Unwritable(error) if !too_long(error));
        assert!(!session.notices().any(|notice| unwritable(&notice)), "an edit that cannot be written");
        heard.check(frame, &output[start..]);
        if next == Next::Quit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    output
}
