//! Random organisations, users and messages, with the changes that come between the commands of a message.

use perso_milter::policy::action::{BlackAction, LateAction};
use perso_milter::policy::list::UserOptions;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::reference::{Written, any_envelope, any_header, any_lists, any_options, any_own_lists};
use super::world::Entry;

/// Most recipients of one message here: few enough to be reached.
pub const MOST: usize = 4;
pub const USERS: [&str; 3] = ["alice", "bob", "carol"];
const PATHS: [&str; 12] = [
    "<alice@org.example>",
    "<Alice@Org.example>",
    "<@relay.example:alice@org.example>",
    "<alice+perso@org.example>",
    "<bob@org.example>",
    "<bob+Junk@org.example>",
    "bob+junk@org.example",
    "<carol@org.example>",
    "<carol+Perso@org.example>",
    "<carol+news@org.example>",
    "<dan@org.example>",
    "<alice@elsewhere.example>",
];
/// What a sender may write into ORCPT.
const ORIGINALS: [&str; 7] = [
    "alice@org.example",
    "Bob@Org.example",
    "carol+2Bnews@org.example",
    "dan@org.example",
    "alice@elsewhere.example",
    "alice+2Bperso@org.example",
    "broken+",
];
/// Subjects, their leading blank included; the tags stand before nothing else.
const SUBJECTS: [&str; 6] = [
    " Hello",
    "\n Hello\n\tworld",
    " [PERSO] Hello",
    " Re: [perso] Hello",
    " ***SPAM*** Hello",
    " ***SPAM*** [PERSO] x",
];
/// What the organisation says at one time.
#[derive(Debug, Clone)]
pub struct House {
    pub enforced: Vec<Entry>,
    pub defaults: Vec<Entry>,
    pub black: BlackAction,
    pub late: LateAction,
    pub refusal: &'static str,
    pub tag: &'static str,
    pub sensitivity: bool,
    pub folders: bool,
    pub proof_required: bool,
}

/// What one user says at one time.
#[derive(Debug, Clone)]
pub struct Person {
    pub options: UserOptions,
    pub entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
pub enum Change {
    House(House),
    Person(usize, Person),
}

/// What our verifier left on a message.
#[derive(Debug, Clone)]
pub enum Proof {
    None,
    Spf(&'static str),
    Dmarc(&'static str),
}

#[derive(Debug, Clone)]
pub struct Addressed {
    pub path: String,
    /// ESMTP arguments: NOTIFY and ORCPT.
    pub arguments: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Headers {
    pub proof: Proof,
    pub from: Option<Written>,
    pub subject: Option<&'static str>,
    pub spam: usize,
    pub forged: usize,
    /// A marker of the split among what is forged.
    pub forged_marker: bool,
    pub sensitivity: bool,
}

/// How a message ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum End {
    Finished,
    /// Given up after so many commands.
    Aborted(usize),
    /// The connection breaks after so many commands.
    Cut(usize),
}

#[derive(Debug, Clone)]
pub struct Letter {
    pub sender: Option<Written>,
    pub recipients: Vec<Addressed>,
    pub headers: Headers,
    pub end: End,
    /// Each before the command of that number.
    pub changes: Vec<(usize, Change)>,
}

prop_compose! {
    pub fn any_house()(
        enforced in any_own_lists(2),
        defaults in any_own_lists(2),
        black in (0u8..4).prop_map(BlackAction::from_code),
        late in select(vec![LateAction::Discard, LateAction::Junk]),
        refusal in select(vec!["Message refused", "No mail from there"]),
        tag in select(vec!["[PERSO]", "[PRIVE]"]),
        sensitivity in any::<bool>(),
        folders in prop::bool::weighted(0.9),
        proof_required in any::<bool>(),
    ) -> House {
        House { enforced, defaults, black, late, refusal, tag, sensitivity, folders, proof_required }
    }
}

pub fn any_person() -> impl Strategy<Value = Person> {
    (any_options(), any_lists()).prop_map(|(options, entries)| Person { options, entries })
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        1 => any_house().prop_map(Change::House),
        3 => (0..USERS.len(), any_person()).prop_map(|(user, person)| Change::Person(user, person)),
    ]
}

prop_compose! {
    fn any_headers()(
        proof in prop_oneof![
            Just(Proof::None),
            select(vec!["d.example", "x.d.example", "o.example"]).prop_map(Proof::Spf),
            select(vec!["d.example", "x.d.example", "o.example"]).prop_map(Proof::Dmarc),
        ],
        from in option::weighted(0.8, any_header()),
        subject in option::weighted(0.9, select(SUBJECTS.to_vec())),
        spam in 0usize..3,
        forged in 0usize..3,
        forged_marker in prop::bool::weighted(0.2),
        sensitivity in prop::bool::weighted(0.2),
    ) -> Headers {
        Headers { proof, from, subject, spam, forged, forged_marker, sensitivity }
    }
}

prop_compose! {
    fn any_addressed()(
        path in select(PATHS.to_vec()),
        notify in any::<bool>(),
        original in option::weighted(0.3, select(ORIGINALS.to_vec())),
    ) -> Addressed {
        let mut arguments: Vec<String> = notify.then(|| "NOTIFY=NEVER".to_owned()).into_iter().collect();
        arguments.extend(original.map(|original| format!("ORCPT=rfc822;{original}")));
        Addressed { path: path.to_owned(), arguments }
    }
}

prop_compose! {
    pub fn any_letter()(
        sender in option::weighted(0.9, any_envelope()),
        recipients in vec(any_addressed(), 1..MOST + 2),
        headers in any_headers(),
        end in prop_oneof![
            6 => Just(End::Finished),
            1 => (0usize..12).prop_map(End::Aborted),
            1 => (0usize..12).prop_map(End::Cut),
        ],
        changes in vec((0usize..12, any_change()), 0..4),
    ) -> Letter {
        Letter { sender, recipients, headers, end, changes }
    }
}
