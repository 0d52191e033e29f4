//! One user's lists in the compact form that is searched, and what the user chose.
//!
//! # Layout of [`UserLists`], in 64-bit words
//! | word | holds |
//! |---|---|
//! | 0 | user id |
//! | 1, 2 | fingerprint key |
//! | 3 | organisation (high 32 bits), options (low 32 bits) |
//! | 4 | entries of white, black, personal: 20 bits each, from the low end |
//! | 5… | the fingerprints of white, then black, then personal; each run sorted |

use std::fmt;
use std::sync::Arc;

use super::super::action::{BlackAction, PersonalActions};
use super::{Fingerprint, FingerprintKey, ListKind, Scope};

/// What a user chose for themselves, and what their mailbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UserOptions {
    /// Personal actions instead of the organisation's.
    pub personal_actions: Option<PersonalActions>,
    /// Blacklist action instead of the organisation's.
    pub black_action: Option<BlackAction>,
    /// A mailbox of a function (contact@): it has no personal list.
    pub functional: bool,
    /// The user, or the operator by disabling the account, has paused their lists: mail passes as if they had none.
    pub paused: bool,
    /// The user wants to see later what became of their messages: each is noted, sealed to them. Theirs alone to choose.
    pub activity: bool,
}

const PERSONAL_PRESENT: u32 = 1 << 0;
const PERSONAL_SHIFT: u32 = 1;
const BLACK_PRESENT: u32 = 1 << 4;
const BLACK_SHIFT: u32 = 5;
const FUNCTIONAL: u32 = 1 << 7;
const PAUSED: u32 = 1 << 8;
const GLOBS: u32 = 1 << 9;
const WHITE_SCOPES_SHIFT: u32 = 10;
const ACTIVITY: u32 = 1 << 15;

impl UserOptions {
    /// The bits that the options take.
    const ALL: u32 = 0x1ff | ACTIVITY;

    /// The options as 32 bits, for the compact form and the store.
    pub fn to_bits(self) -> u32 {
        let personal =
            self.personal_actions.map_or(0, |actions| PERSONAL_PRESENT | u32::from(actions.bits()) << PERSONAL_SHIFT);
        let black = self.black_action.map_or(0, |action| BLACK_PRESENT | u32::from(action.code()) << BLACK_SHIFT);
        let functional = if self.functional { FUNCTIONAL } else { 0 };
        let paused = if self.paused { PAUSED } else { 0 };
        let activity = if self.activity { ACTIVITY } else { 0 };
        personal | black | functional | paused | activity
    }

    /// Reads [`Self::to_bits`] back; bits that mean nothing here are ignored.
    pub fn from_bits(bits: u32) -> Self {
        Self {
            personal_actions: (bits & PERSONAL_PRESENT != 0)
                .then(|| PersonalActions::from_bits((bits >> PERSONAL_SHIFT) as u8)),
            black_action: (bits & BLACK_PRESENT != 0).then(|| BlackAction::from_code((bits >> BLACK_SHIFT) as u8)),
            functional: bits & FUNCTIONAL != 0,
            paused: bits & PAUSED != 0,
            activity: bits & ACTIVITY != 0,
        }
    }
}

const HEADER_WORDS: usize = 5;
const COUNT_BITS: u32 = 20;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

/// One user's lists in the compact form that is searched; cloning shares them.
#[derive(Clone, PartialEq, Eq)]
pub struct UserLists(Arc<[u64]>);

impl UserLists {
    /// Compiles the lists of a user.
    ///
    /// Entries of one list beyond 2^20 - 1 are left out; the store refuses them far earlier
    /// ([`MAX_ENTRIES`](super::MAX_ENTRIES)).
    pub fn build(
        user: u64,
        organisation: u32,
        key: &FingerprintKey,
        options: UserOptions,
        entries: impl IntoIterator<Item = (ListKind, Scope, Fingerprint)>,
    ) -> Self {
        let mut runs: [Vec<u64>; 3] = Default::default();
        let mut bits = options.to_bits();
        for (list, scope, fingerprint) in entries {
            match scope {
                Scope::Glob => bits |= GLOBS,
                _ if runs[list as usize].len() < COUNT_MASK as usize => runs[list as usize].push(fingerprint.short()),
                _ => continue,
            }
            if list == ListKind::White {
                bits |= 1 << (WHITE_SCOPES_SHIFT + u32::from(scope.code()));
            }
        }
        let mut counts = 0;
        for (index, run) in runs.iter_mut().enumerate() {
            run.sort_unstable();
            run.dedup();
            counts |= (run.len() as u64) << (COUNT_BITS * index as u32);
        }
        let header = [user, key.0, key.1, u64::from(organisation) << 32 | u64::from(bits), counts];
        let words: Vec<u64> = header.into_iter().chain(runs.into_iter().flatten()).collect();
        Self(words.into())
    }

    /// The user whose lists these are.
    pub fn user(&self) -> u64 {
        self.0[0]
    }

    /// The organisation of that user.
    pub fn organisation(&self) -> u32 {
        (self.0[3] >> 32) as u32
    }

    /// What the user chose.
    pub fn options(&self) -> UserOptions {
        UserOptions::from_bits(self.0[3] as u32)
    }

    /// The key of that user.
    pub fn key(&self) -> FingerprintKey {
        FingerprintKey(self.0[1], self.0[2])
    }

    /// Whether no entry stands on any list: nothing needs to be hashed then.
    pub fn is_empty(&self) -> bool {
        self.0[4] == 0 && !self.has_globs()
    }

    /// Whether the user has glob patterns, which stand in a side table.
    pub fn has_globs(&self) -> bool {
        self.0[3] as u32 & GLOBS != 0
    }

    /// Whether the user wants to see later what became of their messages ([`UserOptions::activity`]).
    pub fn keeps_activity(&self) -> bool {
        self.0[3] as u32 & ACTIVITY != 0
    }

    /// Whether an entry of this scope stands on the white list.
    pub fn has_white(&self, scope: Scope) -> bool {
        self.0[3] as u32 >> (WHITE_SCOPES_SHIFT + u32::from(scope.code())) & 1 == 1
    }

    /// How many fingerprints a list holds, glob patterns not counted.
    pub fn len(&self, list: ListKind) -> usize {
        (self.0[4] >> (COUNT_BITS * list as u32) & COUNT_MASK) as usize
    }

    /// Whether a fingerprint, shortened, stands on a list.
    pub fn contains(&self, list: ListKind, short: u64) -> bool {
        self.run(list).binary_search(&short).is_ok()
    }

    /// The same lists under other choices of the user.
    #[must_use]
    pub fn with_options(&self, options: UserOptions) -> Self {
        let all = UserOptions::ALL;
        let mut words = self.0.to_vec();
        words[3] = words[3] & !u64::from(all) | u64::from(options.to_bits());
        Self(words.into())
    }

    /// The same lists without these fingerprints, shortened, on one of them: for what would have happened otherwise.
    #[must_use]
    pub fn without(&self, list: ListKind, shorts: &[u64]) -> Self {
        let mut words = self.0[..HEADER_WORDS].to_vec();
        let mut counts = 0;
        for kind in ListKind::ALL {
            let before = words.len();
            words.extend(self.run(kind).iter().filter(|short| kind != list || !shorts.contains(short)));
            counts |= ((words.len() - before) as u64) << (COUNT_BITS * kind as u32);
        }
        words[4] = counts;
        Self(words.into())
    }
}

impl UserLists {
    /// The fingerprints of each list, sorted, in the order of [`ListKind::ALL`].
    pub(in crate::policy) fn runs(&self) -> [&[u64]; 3] {
        let rest = &self.0[HEADER_WORDS..];
        let (white, rest) = rest.split_at(self.len(ListKind::White));
        let (black, rest) = rest.split_at(self.len(ListKind::Black));
        [white, black, &rest[..self.len(ListKind::Personal)]]
    }

    fn run(&self, list: ListKind) -> &[u64] {
        self.runs()[list as usize]
    }
}

impl fmt::Debug for UserLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserLists(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_finds_its_own_entries_only() {
        let key = FingerprintKey::from_bytes([1; 16]);
        let options = UserOptions {
            personal_actions: Some(PersonalActions::TAG | PersonalActions::MARK),
            black_action: Some(BlackAction::Junk),
            functional: false,
            paused: true,
            activity: true,
        };
        let entry = |list, n: u32| (list, Scope::Address, key.fingerprint(Scope::Address, &format!("a{n}@d.example")));
        let entries = (0..300).map(|n| entry(ListKind::ALL[n as usize % 3], n));
        let lists = UserLists::build(42, 9, &key, options, entries);
        for n in 0..300 {
            for list in ListKind::ALL {
                let (_, _, fingerprint) = entry(list, n);
                assert_eq!(lists.contains(list, fingerprint.short()), ListKind::ALL[n as usize % 3] == list);
            }
        }
        assert_eq!((lists.user(), lists.organisation(), lists.options()), (42, 9, options));
        assert!(lists.has_white(Scope::Address) && !lists.has_white(Scope::Domain) && !lists.is_empty());
        assert!(lists.keeps_activity());
        let others = UserOptions { functional: true, ..UserOptions::default() };
        let changed = lists.with_options(others);
        assert_eq!((changed.options(), changed.has_white(Scope::Address)), (others, true));
    }

    #[test]
    fn lists_without_an_entry_keep_all_others() {
        let key = FingerprintKey::from_bytes([1; 16]);
        let of = |n: u32| key.fingerprint(Scope::Address, &format!("a{n}@d.example"));
        let entries = (0..9).map(|n| (ListKind::ALL[n as usize % 3], Scope::Address, of(n)));
        let lists = UserLists::build(42, 9, &key, UserOptions::default(), entries);
        let less = lists.without(ListKind::Black, &[of(4).short(), of(3).short()]);
        for n in 0..9 {
            let list = ListKind::ALL[n as usize % 3];
            assert_eq!(less.contains(list, of(n).short()), n != 4, "{n}");
        }
        assert_eq!((less.user(), less.organisation(), less.key()), (42, 9, key));
    }
}
