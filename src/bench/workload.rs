//! Who writes to whom: the users that `bench seed` puts into a store, what stands on their lists, and the messages of a
//! run drawn from that.
//!
//! Nothing is looked up: what a user's list holds is computed from (seed, user, list), so that a run finds a sender whom
//! one of a million users calls personal without a table of twenty million entries, and `seed` writes the same entries.
//!
//! | who | address |
//! |---|---|
//! | user n | `user{n}@bench.example`, alias `u{n}@alias.bench.example` |
//! | personal | `contact{k}@friends.example` |
//! | white | `wanted{k}@shop.example` |
//! | black | `spam{k}@junk.example` |
//! | on nobody's list | `stranger{k}@elsewhere.example` |
//!
//! k is below [`POOL`], so that a milter with one set of addresses, which knows no recipients, gives the same answers.
//! Users come in groups that share the first address of each list: mail to several of them is personal to all.

use crate::policy::list::ListKind;

/// The organisation of the seeded users.
pub const ORGANISATION: &str = "bench";
/// The domain of their addresses.
pub const DOMAIN: &str = "bench.example";
/// The domain of their aliases.
pub const ALIAS_DOMAIN: &str = "alias.bench.example";
/// Who wrote the `Authentication-Results` of the messages: belongs into `authserv_ids`.
pub const AUTHSERV_ID: &str = "mx.bench.example";
/// Addresses that senders of one kind are drawn from.
pub const POOL: u32 = 10_000;
/// Users who share the first address of each list; the most recipients of one message.
pub const GROUP: u32 = 100;
/// Most users.
pub const MAX_USERS: u32 = 100_000_000;
/// Fewest and most entries of a user.
pub const ENTRIES: (u32, u32) = (5, 10_000);

/// The kind of a sender, by the list that their addresses stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Pool {
    /// On personal lists.
    Friend,
    /// On white lists.
    Wanted,
    /// On black lists.
    Junk,
    /// On none.
    Stranger,
}

impl Pool {
    /// What stands before and behind the number.
    fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::Friend => ("contact", "@friends.example"),
            Self::Wanted => ("wanted", "@shop.example"),
            Self::Junk => ("spam", "@junk.example"),
            Self::Stranger => ("stranger", "@elsewhere.example"),
        }
    }
}

/// One sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// Which list they may stand on.
    pub pool: Pool,
    /// Their number, below [`POOL`].
    pub number: u32,
}

impl Sender {
    /// Appends the address, without brackets.
    pub fn write(self, output: &mut Vec<u8>) {
        let (before, behind) = self.pool.parts();
        write_numbered(before, self.number, behind, output);
    }

    /// The address.
    pub fn address(self) -> String {
        let (before, behind) = self.pool.parts();
        format!("{before}{}{behind}", self.number)
    }
}

/// Appends a user's address, without brackets.
pub fn write_user(user: u32, output: &mut Vec<u8>) {
    write_numbered("user", user, "@bench.example", output);
}

fn write_numbered(before: &str, number: u32, behind: &str, output: &mut Vec<u8>) {
    output.extend_from_slice(before.as_bytes());
    output.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    output.extend_from_slice(behind.as_bytes());
}

/// A number of users or entries that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeopleError {
    /// None, or more than [`MAX_USERS`].
    #[error("there must be 1 to {MAX_USERS} users")]
    Users,
    /// Too few for one entry of each kind, or more than a list holds.
    #[error("a user has {} to {} entries", ENTRIES.0, ENTRIES.1)]
    Entries,
}

/// The seeded users and what stands on their lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct People {
    seed: u64,
    users: u32,
    entries: u32,
}

impl People {
    /// Users 0 to `users`, each with `entries` entries: a tenth each is white, black, and whole domains, the rest personal
    /// addresses.
    ///
    /// # Errors
    /// [`PeopleError`].
    pub fn new(seed: u64, users: u32, entries: u32) -> Result<Self, PeopleError> {
        if !(1..=MAX_USERS).contains(&users) {
            return Err(PeopleError::Users);
        }
        if !(ENTRIES.0..=ENTRIES.1).contains(&entries) {
            return Err(PeopleError::Entries);
        }
        Ok(Self { seed, users, entries })
    }

    /// How many users there are.
    pub fn users(&self) -> u32 {
        self.users
    }

    /// How many entries each has.
    pub fn entries_each(&self) -> u32 {
        self.entries
    }

    /// A user's address.
    pub fn address(user: u32) -> String {
        format!("user{user}@{DOMAIN}")
    }

    /// A user's alias.
    pub fn alias(user: u32) -> String {
        format!("u{user}@{ALIAS_DOMAIN}")
    }

    /// What stands on a user's lists, each entry as it is written.
    pub fn entries(self, user: u32) -> impl Iterator<Item = (ListKind, String)> {
        let kinds =
            [(ListKind::Personal, Pool::Friend), (ListKind::White, Pool::Wanted), (ListKind::Black, Pool::Junk)];
        let addresses = kinds.into_iter().flat_map(move |(list, pool)| {
            (0..self.count(pool)).map(move |index| (list, self.listed(user, pool, index).address()))
        });
        let domains = (0..self.tenth()).map(move |index| {
            let number = mix(self.seed, [u64::from(user), 4, u64::from(index)]) % u64::from(POOL);
            (ListKind::Personal, format!("family{number}.example"))
        });
        addresses.chain(domains)
    }

    /// How many addresses of a kind stand on each user's list.
    pub fn count(&self, pool: Pool) -> u32 {
        match pool {
            Pool::Friend => self.entries - 3 * self.tenth(),
            Pool::Wanted | Pool::Junk => self.tenth(),
            Pool::Stranger => 0,
        }
    }

    fn tenth(&self) -> u32 {
        (self.entries / 10).max(1)
    }

    /// The address with this index on a user's list. Index 0 is the same for the whole group of users.
    ///
    /// The addresses of a list are `start + index * stride` round the pool; the stride is small enough for none to come
    /// twice.
    pub fn listed(&self, user: u32, pool: Pool, index: u32) -> Sender {
        let (start, stride) = self.series(user, pool);
        Sender { pool, number: (start + index * stride) % POOL }
    }

    /// Whether a sender stands on the list of their kind.
    pub fn holds(&self, user: u32, sender: Sender) -> bool {
        let (start, stride) = self.series(user, sender.pool);
        let distance = (sender.number + POOL - start) % POOL;
        distance.is_multiple_of(stride) && distance / stride < self.count(sender.pool)
    }

    fn series(&self, user: u32, pool: Pool) -> (u32, u32) {
        let of = |whose: u32, what: u64| mix(self.seed, [u64::from(whose), pool as u64, what]);
        let start = of(self.group(user).0, 1) % u64::from(POOL);
        let stride = 1 + of(user, 2) % u64::from(POOL / self.count(pool).max(1));
        (start as u32, stride as u32) // both are below POOL + 1
    }

    /// The first user of a user's group, and how many there are. The last group takes those who are left over.
    fn group(&self, user: u32) -> (u32, u32) {
        let last = (self.users / GROUP).max(1) - 1;
        let number = (user / GROUP).min(last);
        let size = if number == last { self.users - last * GROUP } else { GROUP };
        (number * GROUP, size)
    }
}

/// SplitMix64's finaliser over the numbers, one after the other: the same numbers give the same entries for ever.
fn mix(seed: u64, numbers: [u64; 3]) -> u64 {
    numbers.iter().fold(scramble(seed), |state, number| scramble(state ^ number))
}

fn scramble(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A row of numbers that follow from a seed.
#[derive(Debug, Clone)]
pub struct Draws(u64);

impl Draws {
    /// The row of a seed.
    pub fn new(seed: u64) -> Self {
        Self(scramble(seed))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        scramble(self.0)
    }

    /// A number below `end`, which is not 0. (A remainder favours small numbers by less than one in 2^32.)
    pub fn below(&mut self, end: u32) -> u32 {
        (self.next() % u64::from(end)) as u32
    }

    /// A number from 0 up to, and without, 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Ranks drawn with a weight of 1/(rank + 1)^exponent: 0 is uniform, 1 what mailboxes of an organisation look like.
#[derive(Debug)]
struct Zipf {
    /// The sums of the weights up to each rank.
    sums: Vec<f64>,
}

impl Zipf {
    fn new(ranks: u32, exponent: f64) -> Self {
        let mut sum = 0.0;
        let weights = (1..=ranks).map(|rank| f64::from(rank).powf(-exponent));
        Self {
            sums: weights
                .map(|weight| {
                    sum += weight;
                    sum
                })
                .collect(),
        }
    }

    fn draw(&self, draws: &mut Draws) -> u32 {
        let wanted = draws.unit() * self.sums.last().copied().unwrap_or(0.0);
        let rank = self.sums.partition_point(|sum| *sum <= wanted).min(self.sums.len() - 1);
        rank as u32 // as many as `ranks`
    }
}

/// What a message is to its recipients, by its envelope sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// From a stranger.
    Plain,
    /// All recipients call the sender personal.
    Personal,
    /// All recipients block the sender.
    Blocked,
    /// One recipient calls the sender personal, the others do not know them.
    Mixed,
}

/// Shares of all messages, in percent; the rest is from strangers.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Shares {
    /// [`Kind::Personal`].
    pub personal: f64,
    /// [`Kind::Blocked`].
    pub blocked: f64,
    /// [`Kind::Mixed`].
    pub mixed: f64,
}

impl Shares {
    fn draw(&self, draws: &mut Draws) -> Kind {
        let at = draws.unit() * 100.0;
        let sums = [self.personal, self.personal + self.blocked, self.personal + self.blocked + self.mixed];
        match sums.iter().position(|sum| at < *sum) {
            Some(0) => Kind::Personal,
            Some(1) => Kind::Blocked,
            Some(_) => Kind::Mixed,
            None => Kind::Plain,
        }
    }
}

/// Whom the messages go to.
#[derive(Debug, Clone, Copy)]
pub enum Audience {
    /// The seeded users.
    People(People),
    /// So many addresses that the operator named, of whose lists nothing is known.
    Named(u32),
}

impl Audience {
    fn size(&self) -> u32 {
        match self {
            Self::People(people) => people.users,
            Self::Named(count) => *count,
        }
    }
}

/// How messages are drawn.
#[derive(Debug, Clone, Copy)]
pub struct Mixture {
    /// What they are.
    pub shares: Shares,
    /// Recipients of each, at most [`GROUP`] and no more than there are.
    pub recipients: u32,
    /// Whose turn it is: the exponent of the Zipf distribution over the recipients; 0 is uniform.
    pub zipf: f64,
    /// Another seed draws others.
    pub seed: u64,
}

/// One message that was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned<'a> {
    /// What it is to its recipients.
    pub kind: Kind,
    /// Its envelope sender.
    pub sender: Sender,
    /// The numbers of its recipients.
    pub recipients: &'a [u32],
}

/// Messages drawn before a run, so that none is drawn within it; after the last the first comes again.
#[derive(Debug)]
pub struct Plan {
    each: usize,
    recipients: Vec<u32>,
    messages: Vec<(Kind, Sender)>,
}

/// Most messages that are drawn: 12 bytes each with one recipient.
const MAX_PLANNED: u64 = 1 << 20;

impl Plan {
    /// Draws `messages` messages, at most a million and at least one.
    pub fn draw(audience: &Audience, mixture: &Mixture, messages: u64) -> Self {
        let count = messages.clamp(1, MAX_PLANNED) as usize;
        let each = mixture.recipients.clamp(1, audience.size().min(GROUP)) as usize;
        let mut drawing = Drawing {
            audience: *audience,
            each: each as u32,
            zipf: Zipf::new(audience.size(), mixture.zipf),
            draws: Draws::new(mixture.seed),
            recipients: Vec::with_capacity(count * each),
        };
        let messages = (0..count).map(|_| drawing.message(&mixture.shares)).collect();
        Self { each, recipients: drawing.recipients, messages }
    }

    /// The message with this number.
    pub fn message(&self, number: u64) -> Planned<'_> {
        let index = (number % self.messages.len() as u64) as usize;
        let (kind, sender) = self.messages[index];
        Planned { kind, sender, recipients: &self.recipients[index * self.each..][..self.each] }
    }
}

struct Drawing {
    audience: Audience,
    each: u32,
    zipf: Zipf,
    draws: Draws,
    recipients: Vec<u32>,
}

impl Drawing {
    fn message(&mut self, shares: &Shares) -> (Kind, Sender) {
        let kind = shares.draw(&mut self.draws);
        let first = self.zipf.draw(&mut self.draws);
        match (self.audience, kind) {
            (Audience::People(people), Kind::Personal) => (kind, self.mail_to_group(people, first, Pool::Friend)),
            (Audience::People(people), Kind::Blocked) => (kind, self.mail_to_group(people, first, Pool::Junk)),
            (Audience::People(people), Kind::Mixed) => match self.mail_to_one_of_several(people, first) {
                Some(sender) => (kind, sender),
                None => (Kind::Plain, self.mail_to_anybody(first, Pool::Stranger)),
            },
            (Audience::Named(_), Kind::Personal | Kind::Mixed) => (kind, self.mail_to_anybody(first, Pool::Friend)),
            (Audience::Named(_), Kind::Blocked) => (kind, self.mail_to_anybody(first, Pool::Junk)),
            (_, Kind::Plain) => (kind, self.mail_to_anybody(first, Pool::Stranger)),
        }
    }

    /// From somebody on the list of all recipients, who are of one group.
    fn mail_to_group(&mut self, people: People, first: u32, pool: Pool) -> Sender {
        let (start, size) = people.group(first);
        self.recipients.extend((0..self.each).map(|next| start + (first - start + next) % size));
        let index = if self.each == 1 { self.draws.below(people.count(pool)) } else { 0 };
        people.listed(first, pool, index)
    }

    /// From somebody whom one recipient calls personal, at any place among those who do not.
    fn mail_to_one_of_several(&mut self, people: People, first: u32) -> Option<Sender> {
        let index = 1 + self.draws.below(people.count(Pool::Friend) - 1);
        let sender = people.listed(first, Pool::Friend, index);
        let others = (1..people.users).map(|next| (first + next) % people.users);
        let mut chosen: Vec<u32> =
            others.filter(|user| !people.holds(*user, sender)).take(self.each as usize - 1).collect();
        if chosen.is_empty() || chosen.len() + 1 < self.each as usize {
            return None;
        }
        let place = self.draws.below(self.each) as usize;
        chosen.insert(place, first);
        self.recipients.extend(chosen);
        Some(sender)
    }

    fn mail_to_anybody(&mut self, first: u32, pool: Pool) -> Sender {
        let all = self.audience.size();
        self.recipients.extend((0..self.each).map(|next| (first + next) % all));
        Sender { pool, number: self.draws.below(POOL) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn people(users: u32) -> People {
        People::new(7, users, 20).unwrap()
    }

    fn mixture(personal: f64, blocked: f64, mixed: f64, recipients: u32) -> Mixture {
        Mixture { shares: Shares { personal, blocked, mixed }, recipients, zipf: 1.0, seed: 3 }
    }

    fn listed(people: People, user: u32, list: ListKind) -> HashSet<String> {
        people.entries(user).filter(|(of, _)| *of == list).map(|(_, entry)| entry).collect()
    }

    #[test]
    fn a_user_has_so_many_entries_and_none_twice() {
        for (entries, counts) in [(20, [2, 2, 16]), (5, [1, 1, 3]), (10_000, [1000, 1000, 8000])] {
            let people = People::new(1, 1000, entries).unwrap();
            let lists = ListKind::ALL.map(|list| people.entries(999).filter(|(of, _)| *of == list).count());
            assert_eq!(lists, counts, "{entries}");
            let addresses = people.entries(999).map(|(_, entry)| entry).filter(|entry| entry.contains('@'));
            let all: Vec<String> = addresses.collect();
            assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len(), "{entries}");
        }
        assert_eq!(People::new(1, 0, 20), Err(PeopleError::Users));
        assert_eq!(People::new(1, 10, 4), Err(PeopleError::Entries));
    }

    /// A store that was seeded by an older version must still fit.
    #[test]
    fn the_lists_of_a_seed_stay_the_same() {
        let all: Vec<String> = People::new(1, 10_000, 5).unwrap().entries(4711).map(|(_, entry)| entry).collect();
        assert_eq!(all, THE_LISTS);
        let other: Vec<String> = People::new(2, 10_000, 5).unwrap().entries(4711).map(|(_, entry)| entry).collect();
        assert_ne!(all, other);
    }

    const THE_LISTS: [&str; 5] = [
        "contact7713@friends.example",
        "contact2135@friends.example",
        "wanted874@shop.example",
        "spam1846@junk.example",
        "family8241.example",
    ];

    /// What a list holds is asked of the entries themselves, as they are seeded.
    #[test]
    fn what_a_message_is_to_its_recipients_stands_on_their_lists() {
        for (users, recipients) in [(100, 1), (250, 3), (1_000_000, 1), (1_000_000, 20)] {
            let people = people(users);
            let mixed = if recipients > 1 { 30.0 } else { 0.0 };
            let plan = Plan::draw(&Audience::People(people), &mixture(30.0, 20.0, mixed, recipients), 400);
            for message in (0..400).map(|number| plan.message(number)) {
                assert_eq!(message.recipients.len(), recipients as usize);
                assert_eq!(message.recipients.iter().collect::<HashSet<_>>().len(), recipients as usize, "each once");
                let sender = message.sender.address();
                let holders = |list| {
                    message.recipients.iter().filter(|user| listed(people, **user, list).contains(&sender)).count()
                };
                let expected = match message.kind {
                    Kind::Plain => (0, 0),
                    Kind::Personal => (recipients as usize, 0),
                    Kind::Blocked => (0, recipients as usize),
                    Kind::Mixed => (1, 0),
                };
                assert_eq!((holders(ListKind::Personal), holders(ListKind::Black)), expected, "{message:?}");
            }
        }
    }

    #[test]
    fn kinds_and_recipients_come_as_often_as_they_should() {
        let plan = Plan::draw(&Audience::People(people(1000)), &mixture(50.0, 10.0, 0.0, 1), 20_000);
        let count = |wanted: &dyn Fn(Planned<'_>) -> bool| (0..20_000).filter(|n| wanted(plan.message(*n))).count();
        assert!((9700..10_300).contains(&count(&|message| message.kind == Kind::Personal)));
        assert!((1800..2200).contains(&count(&|message| message.kind == Kind::Blocked)));
        // The first of 1,000 ranks has 1 / (1 + 1/2 + … + 1/1000) of all, which is 13.4 %; the second half of that.
        assert!((2500..2850).contains(&count(&|message| message.recipients == [0])));
        assert!((1200..1480).contains(&count(&|message| message.recipients == [1])));
        let even = Mixture { zipf: 0.0, ..mixture(50.0, 0.0, 0.0, 1) };
        let plan = Plan::draw(&Audience::Named(4), &even, 20_000);
        let fourth = (0..20_000).filter(|number| plan.message(*number).recipients == [3]).count();
        assert!((4700..5300).contains(&fourth), "{fourth}");
    }

    #[test]
    fn the_same_seed_draws_the_same_messages() {
        let draw = |seed| {
            let plan = Plan::draw(&Audience::People(people(500)), &Mixture { seed, ..mixture(50.0, 0.0, 0.0, 2) }, 100);
            (0..100).map(|n| (plan.message(n).sender, plan.message(n).recipients.to_vec())).collect::<Vec<_>>()
        };
        assert_eq!(draw(5), draw(5));
        assert_ne!(draw(5), draw(6));
    }
}
