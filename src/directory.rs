//! What the running daemon's sessions look things up in: the cache of lists, and the settings in force.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use zeroize::Zeroizing;

use crate::activity::ActivityQueue;
use crate::cache::{Cache, OrganisationWatch};
use crate::mark::MarkKey;
use crate::metrics::{Latency, Throughput, Totals};
use crate::milter::settings::{Decided, Directory, Happened, LANES, MessageLimits, Pass, Settings};
use crate::network::Network;
use crate::policy::action::SplitMode;
use crate::policy::address::{Address, Domain};
use crate::policy::authres::AuthenticationPolicy;
use crate::policy::list::{EntryValue, FingerprintKey, Globs, ListKind, UserLists};
use crate::policy::organisation::{BlackPolicy, OrgLists, OrgPolicy, PersonalPolicy, Proof, WhitePolicy};
use crate::policy::refusal::EntryRules;
use crate::policy::subject::Tag;
use crate::split::SplitKey;
use crate::store::{Clock, Level, LoadedOrganisation, MatchKey, Organisation, OrganisationId, OwnEntry};

/// The part of the configuration that every message goes by, in plain values.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// For organisations that set nothing else.
    pub personal: PersonalPolicy,
    /// For organisations that set nothing else.
    pub black: BlackPolicy,
    /// For organisations that set nothing else.
    pub white: WhitePolicy,
    /// How senders are proved.
    pub authentication: AuthenticationPolicy,
    /// What stands between a mailbox and its folder in a recipient's address.
    pub delimiter: Option<char>,
    /// Senders whom nobody may block: the console's, which mails the links to sign in.
    pub protected_senders: Vec<Address>,
    /// Mail from here is outbound.
    pub ours: Vec<Network>,
    /// Never refused anything.
    pub trusted_relays: Vec<Network>,
    /// Values of `{daemon_name}` that carry our own users' mail.
    pub submission_daemons: Vec<String>,
    /// What one message may hold.
    pub limits: MessageLimits,
    /// Which messages the MTA splits.
    pub split: SplitMode,
}

impl Defaults {
    /// Settings of this configuration, without an organisation.
    pub fn settings(&self, mark_key: MarkKey, split_key: SplitKey) -> Settings {
        let mut settings = Settings::new(mark_key, split_key);
        settings.split = self.split;
        settings.authentication = self.authentication.clone();
        settings.delimiter = self.delimiter;
        settings.ours = self.ours.clone();
        settings.trusted_relays = self.trusted_relays.clone();
        settings.submission_daemons = self.submission_daemons.clone();
        settings.limits = self.limits;
        settings
    }
}

/// What organisations that set nothing else go by, as last read from the configuration: the console's view of it.
#[derive(Debug, Clone)]
pub struct SharedDefaults(Arc<ArcSwap<Defaults>>);

impl SharedDefaults {
    /// These, until others are set.
    pub fn new(defaults: Defaults) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(defaults)))
    }

    /// Those in force.
    pub fn now(&self) -> Arc<Defaults> {
        self.0.load_full()
    }

    /// Puts others in force, for whoever holds a clone too.
    pub fn set(&self, defaults: Defaults) {
        self.0.store(Arc::new(defaults));
    }
}

/// The daemon's directory.
pub struct RelayDirectory {
    cache: Arc<Cache>,
    /// In force, in one copy for each lane; no more of them than the machine has cores.
    settings: Box<[ArcSwap<Settings>]>,
    parts: Mutex<Parts>,
    keys: DirectoryKeys,
    totals: Totals,
    throughput: Throughput,
    latency: Latency,
    activity: Arc<ActivityQueue>,
    clock: Clock,
}

/// What the settings are built from; changed rarely, by reload and by the store's feed.
struct Parts {
    defaults: Defaults,
    /// Each with its policy, so that a change of one builds one.
    organisations: BTreeMap<OrganisationId, (LoadedOrganisation, Arc<OrgPolicy>)>,
}

/// Keys derived for the directory's purposes.
struct DirectoryKeys {
    mark: Zeroizing<[u8; 32]>,
    split: Zeroizing<[u8; 32]>,
    organisations: FingerprintKey,
}

impl RelayDirectory {
    /// A directory over a cache; organisations come from the store's feed.
    pub fn new(cache: Arc<Cache>, match_key: &MatchKey, defaults: Defaults, clock: Clock) -> Self {
        let mut organisations = [0; 16];
        organisations.copy_from_slice(&match_key.derive("organisation lists")[..16]);
        let keys = DirectoryKeys {
            mark: match_key.derive("mark"),
            split: match_key.derive(SPLIT_KEY),
            organisations: FingerprintKey::from_bytes(organisations),
        };
        let parts = Parts { defaults, organisations: BTreeMap::new() };
        let lanes = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(LANES);
        let settings = (0..lanes).map(|lane| ArcSwap::from_pointee(build(&parts, &keys, lane))).collect();
        let (totals, throughput, latency) = (Totals::default(), Throughput::default(), Latency::default());
        let activity = Arc::new(ActivityQueue::new());
        Self { cache, settings, parts: Mutex::new(parts), keys, totals, throughput, latency, activity, clock }
    }

    /// Puts another configuration in force, for messages that begin from now on.
    pub fn reload(&self, defaults: Defaults) {
        self.change(|parts, key| {
            for (loaded, built) in parts.organisations.values_mut() {
                *built = Arc::new(policy(&defaults, &loaded.organisation, &loaded.own_lists, key));
            }
            parts.defaults = defaults;
        });
    }

    /// The organisations as they are served, sorted by number.
    pub fn organisations(&self) -> Vec<(Organisation, Arc<OrgPolicy>)> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.organisations.values().map(|(loaded, built)| (loaded.organisation.clone(), built.clone())).collect()
    }

    /// Totals of messages decided so far.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// What happened to messages of users who want to see it later, until the store has it.
    pub fn activity(&self) -> &Arc<ActivityQueue> {
        &self.activity
    }

    /// Messages of the last minutes.
    pub fn throughput(&self) -> &Throughput {
        &self.throughput
    }

    /// How long the decisions of the last hour took.
    pub fn latency(&self) -> &Latency {
        &self.latency
    }

    /// Today, in UTC.
    pub fn today(&self) -> Date {
        day((self.clock)())
    }

    /// Builds the new settings whole, then swaps them in.
    fn change(&self, change: impl FnOnce(&mut Parts, &FingerprintKey)) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut parts, &self.keys.organisations);
        for (lane, settings) in self.settings.iter().enumerate() {
            settings.store(Arc::new(build(&parts, &self.keys, lane)));
        }
    }
}

/// What the key behind split markers is derived for.
const SPLIT_KEY: &str = "split";

/// The key behind split markers, which `postfix-config` must know too.
pub fn split_key(match_key: &MatchKey) -> SplitKey {
    SplitKey::new(&match_key.derive(SPLIT_KEY))
}

fn day(at: Timestamp) -> Date {
    Offset::UTC.to_datetime(at).date()
}

fn build(parts: &Parts, keys: &DirectoryKeys, lane: usize) -> Settings {
    let copy = |policy: &OrgPolicy| Arc::new(policy.clone());
    let policies = parts.organisations.values().map(|(_, policy)| copy(policy));
    let mut settings = parts.defaults.settings(MarkKey::new(&keys.mark), SplitKey::new(&keys.split));
    settings.lane = lane;
    settings.with_organisations(policies)
}

/// What users of an organisation may put on their lists.
pub fn entry_rules<'a>(defaults: &'a Defaults, organisation: &'a Organisation) -> EntryRules<'a> {
    EntryRules {
        own_domains: &organisation.domains,
        protected_domains: &organisation.protected,
        protected_senders: &defaults.protected_senders,
        globs: organisation.settings.globs.unwrap_or(false),
    }
}

/// An organisation's policy: its own settings over the configuration's, its own lists, and whether its folders are proven.
pub fn policy(
    defaults: &Defaults,
    organisation: &Organisation,
    own_lists: &[OwnEntry],
    key: &FingerprintKey,
) -> OrgPolicy {
    let own = &organisation.settings;
    let (personal, black, white) = (&defaults.personal, &defaults.black, &defaults.white);
    let text = |own: &Option<String>, default: &String| own.as_ref().unwrap_or(default).clone();
    let texts = |own: &Option<Vec<String>>, default: &Vec<String>| own.as_ref().unwrap_or(default).clone();
    let id = organisation.id.get();
    let lists = |level: Level| {
        let of_level = own_lists.iter().filter(|entry| entry.level == level);
        let entries: Vec<(ListKind, EntryValue)> = of_level.map(|entry| (entry.list, entry.value.clone())).collect();
        OrgLists::build(id, key, &entries)
    };
    let (folder, junk_folder) = (text(&own.folder, &personal.folder), text(&own.junk_folder, &black.junk_folder));
    let proof = |folder: &str| match defaults.delimiter {
        Some(delimiter) if !organisation.is_proven(delimiter, folder) => Proof::Unproven,
        // Without a delimiter no address names a folder: there is none to prove.
        _ => Proof::Proven,
    };
    OrgPolicy {
        id,
        domains: organisation.domains.clone(),
        protected_senders: defaults.protected_senders.clone(),
        personal: PersonalPolicy {
            actions: own.personal_actions.unwrap_or(personal.actions),
            choices: own.markings.unwrap_or(personal.choices),
            // The store refuses a text that is no tag; one from elsewhere gives way to the configuration's.
            tag: own.tag.as_deref().and_then(|tag| Tag::new(tag).ok()).unwrap_or_else(|| personal.tag.clone()),
            folder_proof: proof(&folder),
            folder,
            sensitivity: own.sensitivity.unwrap_or(personal.sensitivity),
            outbound: own.outbound.unwrap_or(personal.outbound),
        },
        black: BlackPolicy {
            action: own.black_action.unwrap_or(black.action),
            late_action: own.late_action.unwrap_or(black.late_action),
            junk_proof: proof(&junk_folder),
            junk_folder,
            reject_text: text(&own.reject_text, &black.reject_text),
        },
        white: WhitePolicy {
            spam_headers: texts(&own.spam_headers, &white.spam_headers),
            spam_prefixes: texts(&own.spam_prefixes, &white.spam_prefixes),
        },
        enforced: lists(Level::Enforced),
        defaults: lists(Level::Default),
    }
}

impl Directory for RelayDirectory {
    fn settings(&self) -> Arc<Settings> {
        self.settings_for(0)
    }

    fn settings_for(&self, thread: usize) -> Arc<Settings> {
        self.settings[thread % self.settings.len()].load_full()
    }

    fn lists(&self, address: &Address) -> Option<UserLists> {
        self.cache.lookup(address)
    }

    fn shared_in(&self, address: &Address) -> Option<u32> {
        self.cache.shared_in(address).map(OrganisationId::get)
    }

    fn globs(&self, lists: &UserLists) -> Option<Arc<Globs>> {
        self.cache.globs(lists)
    }

    fn some_user_rejects(&self) -> bool {
        self.cache.some_user_rejects()
    }

    fn decided(&self, message: &Decided<'_>) {
        let now = (self.clock)();
        if message.pass == Pass::First {
            self.throughput.count(now, message.lane);
        }
        self.totals.count(day(now), message);
    }

    fn took(&self, lane: usize, time: Duration) {
        self.latency.count((self.clock)(), lane, time);
    }

    fn happened(&self, to_each: &[Happened<'_>]) {
        let now = (self.clock)();
        to_each.iter().for_each(|message| self.activity.offer(now, message));
    }
}

impl OrganisationWatch for RelayDirectory {
    fn all(&self, organisations: Vec<LoadedOrganisation>) {
        self.change(|parts, key| {
            let with_policy = |loaded: LoadedOrganisation| {
                let built = Arc::new(policy(&parts.defaults, &loaded.organisation, &loaded.own_lists, key));
                (loaded.organisation.id, (loaded, built))
            };
            parts.organisations = organisations.into_iter().map(with_policy).collect();
        });
    }

    fn changed(&self, id: OrganisationId, organisation: Option<LoadedOrganisation>) {
        self.change(|parts, key| match organisation {
            Some(loaded) => {
                let built = Arc::new(policy(&parts.defaults, &loaded.organisation, &loaded.own_lists, key));
                parts.organisations.insert(id, (loaded, built));
            }
            None => {
                parts.organisations.remove(&id);
            }
        });
    }
}

/// Domains written on a command line or in a file.
///
/// # Errors
/// The first text that is no domain.
pub fn parse_domains<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<Domain>, String> {
    let parse = |text: &str| Domain::parse(text).map_err(|error| format!("{text}: {error}"));
    texts.into_iter().map(parse).collect()
}
