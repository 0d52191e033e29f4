//! What becomes of a message, written from the README with plain texts: a message goes by the settings of its MAIL, a
//! recipient by the lists of their RCPT. The verdict itself is [`super::reference`]'s.
//!
//! Where the MTA splits, the first pass of a message may come to the marker alone; then each copy is a message to one
//! recipient, and comes to what that one would get alone.

use std::collections::HashSet;

use perso_milter::mark::Marked;
use perso_milter::milter::negotiate::Offer;
use perso_milter::milter::settings::{Role, Settings};
use perso_milter::policy::action::{BlackAction, LateAction, PersonalActions, SplitMode};
use perso_milter::policy::address::Address;
use perso_milter::policy::authres::{Authentication, Method};
use perso_milter::policy::decide::Outcome;
use perso_milter::policy::plan::Direction;
use perso_milter::split::Marker;

use super::letters::{Addressed, House, Letter, MOST, Person, Proof, USERS};
use super::reference::{Case, Written, is_refused_at_rcpt, model, normal};
use super::world::OLD_MTA;

/// The MTA's side: what it may do, and what follows for the model.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    pub role: Role,
    pub offer: Offer,
    pub split: SplitMode,
    pub direction: Direction,
}

impl Circumstances {
    fn may_refuse(self) -> bool {
        self.role == Role::Edge
    }

    fn is_old(self) -> bool {
        self.offer == OLD_MTA
    }
}

/// What the model knows of a message under way.
pub struct Known<'a> {
    circumstances: Circumstances,
    letter: &'a Letter,
    /// Of MAIL.
    pub house: House,
    accepted: Vec<Accepted<'a>>,
    refused: usize,
    is_over: bool,
    told: Told,
}

/// What the first pass tells the second: the users whom the sender addressed, and the original recipients that the sender
/// named for them.
#[derive(Debug, Clone, Default)]
pub struct Told {
    users: Vec<usize>,
    claims: Vec<(usize, String)>,
}

struct Accepted<'a> {
    addressed: &'a Addressed,
    /// The user and what they said at RCPT.
    user: Option<(usize, Person)>,
    /// Their lists count: the copy was addressed to them.
    is_own: bool,
}

/// How a message ends.
#[derive(Debug, PartialEq)]
pub struct Ended {
    pub code: u16,
    /// In their order.
    pub edits: Vec<String>,
    pub is_split: bool,
}

impl Ended {
    fn with(code: u16, edits: Vec<String>) -> Self {
        Self { code, edits, is_split: false }
    }
}

/// What becomes of one recipient.
#[derive(Debug, PartialEq)]
enum Copy {
    AsAddressed,
    /// Without the folder that somebody typed.
    InMailbox,
    InFolder(&'static str),
    None,
}

/// The header edits that one recipient wants. Equal ones agree.
#[derive(Debug, PartialEq, Default)]
struct HeaderEdits {
    subject: Option<String>,
    clears: bool,
    /// The user, and the Subject that is signed.
    mark: Option<(usize, String)>,
}

impl<'a> Known<'a> {
    /// A message at its MAIL; in the second pass, with what the first one told.
    pub fn new(circumstances: Circumstances, letter: &'a Letter, house: House, told: Told) -> Self {
        Self { circumstances, letter, house, accepted: Vec::new(), refused: 0, is_over: false, told }
    }

    /// What a copy is told by this first pass.
    pub fn told(self) -> Told {
        self.told
    }

    fn is_copy(&self) -> bool {
        self.circumstances.role == Role::Split
    }

    /// Whether nobody is left who would get it.
    pub fn has_nobody(&self) -> bool {
        self.accepted.is_empty()
    }

    /// Takes a recipient; the code that the MTA is answered.
    pub fn recipient(&mut self, addressed: &'a Addressed, people: &[Person]) -> u16 {
        if self.accepted.len() + self.refused == MOST {
            self.is_over |= !self.circumstances.may_refuse();
            return if self.circumstances.may_refuse() { 452 } else { 250 };
        }
        let user = self.user(&addressed.path).map(|user| (user, people[user].clone()));
        if let Some((_, person)) = &user
            && self.circumstances.may_refuse()
            && self.letter.sender.is_some()
            && is_refused_at_rcpt(&self.case(person, false))
        {
            self.refused += 1;
            return 550;
        }
        let is_own = user.as_ref().is_some_and(|(user, _)| self.is_own(*user, addressed));
        self.accepted.push(Accepted { addressed, user, is_own });
        250
    }

    /// Whether a user's lists count for what comes with these arguments. The first pass notes what a sender claims, and
    /// believes nobody; a copy is its user's own where the sender addressed them, and the MTA names nobody else of ours as
    /// the original recipient, what the sender claimed set aside.
    fn is_own(&mut self, user: usize, addressed: &Addressed) -> bool {
        let claim = original(&addressed.arguments).filter(|original| self.is_another(original, user));
        let claim = claim.map(|original| (user, original));
        if self.is_copy() {
            return self.told.users.contains(&user) && claim.is_none_or(|claim| self.told.claims.contains(&claim));
        }
        self.told.users.push(user);
        self.told.claims.extend(claim);
        true
    }

    /// Whether an address is one of ours and not this user's.
    fn is_another(&self, address: &str, user: usize) -> bool {
        match self.user(address) {
            Some(known) => known != user,
            None => address.ends_with("@org.example"),
        }
    }

    fn user(&self, path: &str) -> Option<usize> {
        let (mailbox, _, domain) = self.parts(path);
        let is = |name: &&str| domain.eq_ignore_ascii_case("org.example") && mailbox.eq_ignore_ascii_case(name);
        USERS.iter().position(is)
    }

    /// Mailbox, folder and domain of a path.
    fn parts<'p>(&self, path: &'p str) -> (&'p str, Option<&'p str>, &'p str) {
        let (local, domain) = bare(path).split_once('@').expect("an address");
        match local.split_once('+').filter(|_| self.house.folders) {
            Some((mailbox, folder)) => (mailbox, Some(folder), domain),
            None => (local, None, domain),
        }
    }

    /// What a verdict depends on.
    fn case(&self, person: &Person, has_headers: bool) -> Case {
        let from = self.letter.headers.from.as_ref().filter(|_| has_headers);
        let proof = if has_headers { &self.letter.headers.proof } else { &Proof::None };
        let proved = |written: &Written, is_envelope: bool| {
            let normal = normal(&written.path);
            let domain = normal.rsplit_once('@').expect("an address").1;
            let aligned =
                |other: &str| domain == other || (!is_envelope && organisation(domain) == organisation(other));
            match proof {
                Proof::Spf(passed) if aligned(passed) => Authentication::Passed(Method::Spf),
                Proof::Dmarc(passed) if !is_envelope && domain == *passed => Authentication::Passed(Method::Dmarc),
                _ if self.house.proof_required => Authentication::Missing,
                _ => Authentication::NotRequired,
            }
        };
        Case {
            enforced: self.house.enforced.clone(),
            user: person.entries.clone(),
            defaults: self.house.defaults.clone(),
            options: person.options,
            action: self.house.black,
            envelope: self.letter.sender.as_ref().map(|written| (written.clone(), proved(written, true))),
            header: from.map(|written| (written.clone(), proved(written, false))),
        }
    }

    /// The final code and the edits.
    pub fn end(&self, settings: &Settings) -> Ended {
        if self.is_over {
            return Ended::with(250, Vec::new());
        }
        let verdicts: Vec<(Outcome, bool)> = self.accepted.iter().map(|accepted| self.verdict(accepted)).collect();
        let all = |action| verdicts.iter().all(|(outcome, _)| *outcome == Outcome::Blocked(action));
        if self.circumstances.may_refuse() && all(BlackAction::Reject) {
            return Ended::with(550, Vec::new());
        }
        let is_held = all(BlackAction::Hold);
        let copies: Vec<Copy> = self.accepted.iter().zip(&verdicts).map(|(a, v)| self.copy(a, v, is_held)).collect();
        let (additions, deletions) = self.envelope_edits(&copies);
        let wanted = self.accepted.iter().zip(verdicts.iter().zip(&copies));
        let mut wanted: Vec<_> = wanted
            .filter(|(_, (_, copy))| **copy != Copy::None)
            .map(|(accepted, (verdict, _))| self.header_edits(accepted, verdict))
            .collect();
        wanted.dedup();
        let indices = |count: usize| (1..=count).rev();
        let has_marker = self.letter.headers.forged_marker || self.is_copy();
        let mut removed: Vec<_> = has_marker.then(|| "m X-Perso-Split 1 ".to_owned()).into_iter().collect();
        removed.extend(indices(self.letter.headers.forged).map(|index| format!("m X-Perso {index} ")));
        let holds = verdicts.iter().any(|(outcome, _)| *outcome == Outcome::Blocked(BlackAction::Hold));
        let rewrites = !additions.is_empty() || !deletions.is_empty();
        let is_split = match self.circumstances.split {
            SplitMode::Off => false,
            SplitMode::Mixed => wanted.len() > 1 || (holds && !is_held),
            SplitMode::Edits => holds || rewrites || wanted.iter().any(|edits| *edits != HeaderEdits::default()),
        };
        if is_split {
            removed.push(self.marker(settings));
            return Ended { code: 250, edits: removed, is_split };
        }
        let agreed = if wanted.len() == 1 { wanted.remove(0) } else { HeaderEdits::default() };
        let mut edits = additions;
        edits.extend(removed);
        let cleared = if agreed.clears { self.letter.headers.spam } else { 0 };
        edits.extend(indices(cleared).map(|index| format!("m X-Spam-Flag {index} ")));
        edits.extend(agreed.subject.map(|value| match self.letter.headers.subject {
            Some(_) => format!("m Subject 1 {value}"),
            None => format!("h Subject {value}"),
        }));
        edits.extend(is_held.then(|| "q".to_owned()));
        if let Some((user, subject)) = agreed.mark {
            edits.extend(self.mark(settings, user, &subject));
        }
        edits.extend(deletions);
        Ended::with(250, edits)
    }

    /// The header that has the MTA make copies.
    fn marker(&self, settings: &Settings) -> String {
        let key = &settings.split_key;
        let id = |user: usize| user as u64 + 1;
        let claim = |(user, original): &(usize, String)| {
            key.claim(&Address::parse(original).expect("an address of ours"), id(*user))
        };
        let marker = Marker {
            direction: self.circumstances.direction,
            sender: None,
            users: self.told.users.iter().map(|user| key.addressed(id(*user))).collect(),
            claims: self.told.claims.iter().map(claim).collect(),
        };
        format!("h X-Perso-Split {}", self.carried(&format!(" {}", key.write(&marker))))
    }

    /// The recipients who are already addressed as their verdict asks, and whose address no other recipient leaves.
    pub fn in_place(&self) -> Vec<&str> {
        let verdicts = self.accepted.iter().map(|accepted| self.verdict(accepted));
        let copies: Vec<Copy> = self.accepted.iter().zip(verdicts).map(|(a, v)| self.copy(a, &v, false)).collect();
        let left = self.left(&copies);
        let all = self.accepted.iter().zip(&copies);
        let paths = all.filter(|(_, copy)| **copy == Copy::AsAddressed).map(|(accepted, _)| &*accepted.addressed.path);
        paths.filter(|path| !left.contains(&bare(path).to_lowercase())).collect()
    }

    /// What one recipient's lists ask for, and whether the message is personal to them.
    fn verdict(&self, accepted: &Accepted<'_>) -> (Outcome, bool) {
        let Some((_, person)) = accepted.user.as_ref().filter(|_| accepted.is_own) else {
            return (Outcome::UNTOUCHED, false);
        };
        let (outcome, _, personal) = model(&self.case(person, true));
        (outcome, personal.is_some() && !matches!(outcome, Outcome::Blocked(_)))
    }

    fn copy(&self, accepted: &Accepted<'_>, (outcome, is_personal): &(Outcome, bool), is_held: bool) -> Copy {
        let (_, folder, _) = self.parts(&accepted.addressed.path);
        let copy = match outcome {
            _ if accepted.user.is_none() || is_held => Copy::AsAddressed,
            Outcome::Blocked(BlackAction::Discard) => Copy::None,
            Outcome::Blocked(BlackAction::Reject) if self.house.late == LateAction::Discard => Copy::None,
            Outcome::Blocked(_) => Copy::InFolder("Junk"),
            Outcome::Deliver { personal, .. } if personal.contains(PersonalActions::FOLDER) => Copy::InFolder("Perso"),
            // Our own users' mail may name any folder.
            Outcome::Deliver { .. } => match folder {
                Some(folder) if self.may_type() || *is_personal || !folder.eq_ignore_ascii_case("Perso") => {
                    Copy::AsAddressed
                }
                Some(_) => Copy::InMailbox,
                None => Copy::AsAddressed,
            },
        };
        match &copy {
            Copy::InFolder(_) if !self.house.folders => Copy::AsAddressed,
            Copy::InFolder(name) if folder.is_some_and(|folder| folder.eq_ignore_ascii_case(name)) => Copy::AsAddressed,
            _ => copy,
        }
    }

    fn may_type(&self) -> bool {
        self.circumstances.direction == Direction::Outbound
    }

    /// Where a copy goes instead.
    fn target(&self, accepted: &Accepted<'_>, copy: &Copy) -> Option<String> {
        let (mailbox, _, domain) = self.parts(&accepted.addressed.path);
        match copy {
            Copy::InMailbox => Some(format!("<{mailbox}@{domain}>")),
            Copy::InFolder(folder) => Some(format!("<{mailbox}+{folder}@{domain}>")),
            Copy::AsAddressed | Copy::None => None,
        }
    }

    /// The addresses that some recipient leaves, in lower case.
    fn left(&self, copies: &[Copy]) -> HashSet<String> {
        let all = self.accepted.iter().zip(copies);
        let leaving = all.filter(|(accepted, copy)| **copy == Copy::None || self.target(accepted, copy).is_some());
        leaving.map(|(accepted, _)| bare(&accepted.addressed.path).to_lowercase()).collect()
    }

    /// Additions and deletions. An address that some recipient leaves is nobody's target: the copy stays where it is.
    fn envelope_edits(&self, copies: &[Copy]) -> (Vec<String>, Vec<String>) {
        let left = self.left(copies);
        let (mut additions, mut deletions, mut added) = (Vec::new(), Vec::new(), HashSet::new());
        for (accepted, copy) in self.accepted.iter().zip(copies) {
            let Addressed { path, arguments } = accepted.addressed;
            match self.target(accepted, copy) {
                None if *copy != Copy::None => continue,
                Some(target) if left.contains(&bare(&target).to_lowercase()) => continue,
                // One address that is named twice is one copy.
                Some(target) if added.insert((target.to_lowercase(), bare(path).to_lowercase())) => {
                    let dsn = if self.circumstances.is_old() { &[][..] } else { arguments };
                    additions.push(format!("+ {target} {}", dsn.join(" ")).trim_end().to_owned());
                }
                Some(_) | None => {}
            }
            let deletion = format!("- {path}");
            if !deletions.contains(&deletion) {
                deletions.push(deletion);
            }
        }
        (additions, deletions)
    }

    fn header_edits(&self, accepted: &Accepted<'_>, (outcome, _): &(Outcome, bool)) -> HeaderEdits {
        let (Some((user, _)), Outcome::Deliver { personal, clear_spam }) = (&accepted.user, outcome) else {
            return HeaderEdits::default();
        };
        let old = self.letter.headers.subject;
        let cleared = match old.and_then(|old| old.strip_prefix(" ***SPAM***")) {
            Some(rest) if *clear_spam => rest,
            _ => old.unwrap_or_default(),
        };
        let start = cleared.trim_start().trim_start_matches("Re: ").to_lowercase();
        let is_tagged = start.starts_with(&self.house.tag.to_lowercase());
        let new = if personal.contains(PersonalActions::TAG) && !is_tagged {
            // A fold after the colon stands between the tag and the text.
            let rest = cleared.strip_prefix(' ').map_or(cleared.to_owned(), |rest| format!(" {rest}"));
            format!(" {}{rest}", self.house.tag)
        } else {
            cleared.to_owned()
        };
        HeaderEdits {
            subject: (Some(&*new) != old && (old.is_some() || !new.is_empty())).then(|| self.carried(&new).to_owned()),
            clears: *clear_spam && self.letter.headers.spam > 0,
            mark: personal.contains(PersonalActions::MARK).then(|| (*user, cleared.to_owned())),
        }
    }

    /// A value as it goes over the wire: an old MTA supplies the blank after the colon.
    fn carried<'v>(&self, value: &'v str) -> &'v str {
        if self.circumstances.is_old() { value.strip_prefix(' ').unwrap_or(value) } else { value }
    }

    fn mark(&self, settings: &Settings, user: usize, subject: &str) -> Vec<String> {
        let headers = &self.letter.headers;
        let from = headers.from.as_ref().map(|from| from.path.clone()).unwrap_or_default();
        let marked = Marked {
            user: user as u64 + 1,
            from: from.as_bytes(),
            to: b"everybody",
            subject: subject.as_bytes(),
            ..Marked::default()
        };
        let header = |name: &str, value: &str| format!("h {name} {}", self.carried(&format!(" {value}")));
        let mut edits = vec![header("X-Perso", &settings.mark_key.sign(&marked))];
        if self.house.sensitivity && !headers.sensitivity {
            edits.push(header("Sensitivity", "Personal"));
        }
        edits
    }
}

/// The domain below which everything is one organisation's; here, its last two labels.
fn organisation(domain: &str) -> &str {
    let dots: Vec<usize> = domain.match_indices('.').map(|(at, _)| at).collect();
    dots.len().checked_sub(2).map_or(domain, |at| &domain[dots[at] + 1..])
}

/// The address in an ORCPT, in lower case.
fn original(arguments: &[String]) -> Option<String> {
    let text = arguments.iter().find_map(|argument| argument.strip_prefix("ORCPT=rfc822;"))?;
    Some(text.replace("+2B", "+").to_lowercase()).filter(|address| address.contains('@'))
}

/// A path without brackets and source route.
fn bare(path: &str) -> &str {
    let bare = path.trim_matches(['<', '>']);
    bare.split_once(':').map_or(bare, |(_, address)| address)
}
