//! The file of an organisation and its users' lists: what `explain --lists` debugs with, and the demo plays.
//!
//! ```toml
//! [authentication]
//! mode = "required"
//! authserv_ids = ["mx.example.org"]
//! [organisation]
//! name = "example"
//! domains = ["example.org"]
//! shared = ["team@example.org"]   # reaches more than one mailbox: nobody's list applies
//! personal = { actions = ["tag"] }
//! [[user]]
//! address = "alice@example.org"
//! personal = ["maman@famille.example"]
//! ```

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use serde::Deserialize;

use crate::directory::{Defaults, parse_domains};
use crate::mark::MarkKey;
use crate::milter::settings::{Decided, Directory, Settings};
use crate::policy::action::{BlackAction, LateAction, PersonalActions};
use crate::policy::address::{Address, Domain};
use crate::policy::list::{EntryValue, FingerprintKey, Globs, ListKind, MAX_ENTRIES, UserLists, UserOptions};
use crate::policy::organisation::{OrgLists, OrgPolicy};
use crate::policy::refusal::{EntryRules, check};
use crate::policy::subject::Tag;
use crate::split::SplitKey;

/// Largest file of lists, in bytes.
pub const MAX_FILE: u64 = 16 << 20;

/// The number of the file's one organisation.
const ORGANISATION: u32 = 1;

/// What the file says.
#[derive(Debug)]
pub struct ListsFile {
    /// How senders are proved.
    pub defaults: Defaults,
    /// The organisation's name.
    pub name: String,
    /// Its domains.
    pub domains: Vec<Domain>,
    /// Its business domains, never personal.
    pub protected: Vec<Domain>,
    /// Its shared addresses.
    pub shared: Vec<Address>,
    /// Its own entries above its users' lists.
    pub enforced: Vec<(ListKind, EntryValue)>,
    /// Its own entries below its users' lists.
    pub default: Vec<(ListKind, EntryValue)>,
    /// Its users.
    pub users: Vec<ListsUser>,
}

/// A user of the file.
#[derive(Debug)]
pub struct ListsUser {
    /// The primary address.
    pub address: Address,
    /// Further addresses.
    pub aliases: Vec<Address>,
    /// What they chose, and what the mailbox is.
    pub options: UserOptions,
    /// All three lists.
    pub entries: Vec<(ListKind, EntryValue)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    authentication: FileAuthentication,
    organisation: FileOrganisation,
    #[serde(default)]
    user: Vec<FileUser>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct FileAuthentication {
    mode: Option<String>,
    #[serde(default)]
    authserv_ids: Vec<String>,
    hops: Option<usize>,
    results: Option<usize>,
    #[serde(default)]
    forwarders: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileOrganisation {
    name: String,
    domains: Vec<String>,
    #[serde(default)]
    protected_domains: Vec<String>,
    #[serde(default)]
    shared: Vec<String>,
    #[serde(default)]
    personal: FilePersonal,
    #[serde(default)]
    black: FileBlack,
    #[serde(default)]
    white: FileWhite,
    #[serde(default)]
    enforced_white: Vec<String>,
    #[serde(default)]
    enforced_black: Vec<String>,
    #[serde(default)]
    default_white: Vec<String>,
    #[serde(default)]
    default_black: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct FilePersonal {
    actions: Option<Vec<String>>,
    tag: Option<String>,
    folder: Option<String>,
    sensitivity: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct FileBlack {
    action: Option<String>,
    late_action: Option<String>,
    junk_folder: Option<String>,
    reject_text: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct FileWhite {
    spam_headers: Option<Vec<String>>,
    spam_prefixes: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileUser {
    address: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    white: Vec<String>,
    #[serde(default)]
    black: Vec<String>,
    #[serde(default)]
    personal: Vec<String>,
    personal_actions: Option<Vec<String>>,
    black_action: Option<String>,
    #[serde(default)]
    functional: bool,
}

impl ListsFile {
    /// Reads the text of a file over the defaults of a configuration.
    ///
    /// # Errors
    /// What is wrong with it, with the line or the entry and what to write instead.
    pub fn parse(text: &str, defaults: Defaults) -> anyhow::Result<Self> {
        let file: File = toml::from_str(text)?;
        let organisation = file.organisation;
        let domains = parse_domains(organisation.domains.iter().map(String::as_str));
        let protected = parse_domains(organisation.protected_domains.iter().map(String::as_str));
        let mut parsed = Self {
            defaults,
            name: organisation.name,
            domains: domains.map_err(|e| anyhow!("organisation.domains: {e}"))?,
            protected: protected.map_err(|e| anyhow!("organisation.protected_domains: {e}"))?,
            shared: addresses(&organisation.shared).context("organisation.shared")?,
            enforced: entries(&[
                (ListKind::White, &organisation.enforced_white),
                (ListKind::Black, &organisation.enforced_black),
            ])?,
            default: entries(&[
                (ListKind::White, &organisation.default_white),
                (ListKind::Black, &organisation.default_black),
            ])?,
            users: Vec::new(),
        };
        apply_authentication(&mut parsed.defaults, &file.authentication)?;
        apply_personal(&mut parsed.defaults, organisation.personal)?;
        apply_black(&mut parsed.defaults, organisation.black)?;
        let white = &mut parsed.defaults.white;
        white.spam_headers = organisation.white.spam_headers.unwrap_or_else(|| white.spam_headers.clone());
        white.spam_prefixes = organisation.white.spam_prefixes.unwrap_or_else(|| white.spam_prefixes.clone());
        for user in file.user {
            let name = user.address.clone();
            let user = parsed.user(user).with_context(|| format!("user {name}"))?;
            parsed.users.push(user);
        }
        Ok(parsed)
    }

    fn user(&self, user: FileUser) -> anyhow::Result<ListsUser> {
        let entries = entries(&[
            (ListKind::White, &user.white),
            (ListKind::Black, &user.black),
            (ListKind::Personal, &user.personal),
        ])?;
        if entries.len() > 3 * MAX_ENTRIES {
            bail!("more than {MAX_ENTRIES} entries a list");
        }
        let (chosen, black) = (user.personal_actions, user.black_action.as_deref());
        Ok(ListsUser {
            address: address(&user.address)?,
            aliases: addresses(&user.aliases)?,
            options: UserOptions {
                personal_actions: chosen.map(|names| actions(&names)).transpose().context("personal_actions")?,
                black_action: black.map(str::parse::<BlackAction>).transpose().context("black_action")?,
                functional: user.functional,
                ..UserOptions::default()
            },
            entries,
        })
    }

    /// What a user could not enter in the console, as lines for a warning: the file is taken as it is, to debug with.
    pub fn refusals(&self) -> Vec<String> {
        let rules = EntryRules {
            own_domains: &self.domains,
            protected_domains: &self.protected,
            protected_senders: &self.defaults.protected_senders,
            globs: false,
        };
        let of_user = |user: &ListsUser| -> Vec<String> {
            let refused = user.entries.iter().filter_map(|(list, value)| {
                let error = check(*list, value, &rules).err()?;
                Some(format!("{}: {list} {}: {error}", user.address.as_str(), value.written()))
            });
            refused.collect()
        };
        self.users.iter().flat_map(of_user).collect()
    }

    /// The lists as a session looks them up.
    pub fn directory(&self) -> FileDirectory {
        let key = FingerprintKey::from_bytes([0; 16]);
        let defaults = &self.defaults;
        let policy = OrgPolicy {
            id: ORGANISATION,
            domains: self.domains.clone(),
            protected_senders: defaults.protected_senders.clone(),
            personal: defaults.personal.clone(),
            black: defaults.black.clone(),
            white: defaults.white.clone(),
            enforced: OrgLists::build(ORGANISATION, &key, &self.enforced),
            defaults: OrgLists::build(ORGANISATION, &key, &self.default),
        };
        let settings =
            defaults.settings(MarkKey::new(&[0; 32]), SplitKey::new(&[0; 32])).with_organisations([Arc::new(policy)]);
        let mut directory = FileDirectory {
            settings: Arc::new(settings),
            users: HashMap::new(),
            globs: HashMap::new(),
            shared: self.shared.iter().cloned().collect(),
        };
        for (id, user) in (1..).zip(&self.users) {
            let compiled = user.entries.iter().map(|(list, value)| (*list, value.scope(), key.of(value)));
            let lists = UserLists::build(id, ORGANISATION, &key, user.options, compiled);
            let patterns = user.entries.iter().filter_map(|(list, value)| match value {
                EntryValue::Glob(pattern) => Some((*list, &**pattern)),
                _ => None,
            });
            if let Ok(globs) = Globs::build(patterns) {
                directory.globs.insert(id, Arc::new(globs));
            }
            for address in std::iter::once(&user.address).chain(&user.aliases) {
                directory.users.insert(address.clone(), lists.clone());
            }
        }
        directory
    }
}

fn address(text: &String) -> anyhow::Result<Address> {
    Address::parse(text).map_err(|error| anyhow!("{text}: {error}"))
}

fn addresses(texts: &[String]) -> anyhow::Result<Vec<Address>> {
    texts.iter().map(address).collect()
}

fn entries(lists: &[(ListKind, &Vec<String>)]) -> anyhow::Result<Vec<(ListKind, EntryValue)>> {
    let mut all = Vec::new();
    for (list, texts) in lists {
        for text in *texts {
            let value = text.parse().with_context(|| format!("{list} list, entry {text:?}"))?;
            all.push((*list, value));
        }
    }
    Ok(all)
}

fn actions(names: &[String]) -> anyhow::Result<PersonalActions> {
    Ok(names.join(",").parse()?)
}

fn apply_authentication(defaults: &mut Defaults, file: &FileAuthentication) -> anyhow::Result<()> {
    let policy = &mut defaults.authentication;
    if let Some(mode) = &file.mode {
        policy.mode = mode.parse().context("authentication.mode")?;
    }
    if !file.authserv_ids.is_empty() {
        policy.authserv_ids = file.authserv_ids.clone();
    }
    policy.hops = file.hops.unwrap_or(policy.hops);
    policy.results = file.results.unwrap_or(policy.results);
    if !file.forwarders.is_empty() {
        let domains = parse_domains(file.forwarders.iter().map(String::as_str));
        policy.forwarders = domains.map_err(|e| anyhow!("authentication.forwarders: {e}"))?;
    }
    Ok(())
}

fn apply_personal(defaults: &mut Defaults, file: FilePersonal) -> anyhow::Result<()> {
    let policy = &mut defaults.personal;
    if let Some(names) = &file.actions {
        policy.actions = actions(names).context("organisation.personal.actions")?;
    }
    if let Some(tag) = &file.tag {
        policy.tag = Tag::new(tag).context("organisation.personal.tag")?;
    }
    policy.folder = file.folder.unwrap_or_else(|| policy.folder.clone());
    policy.sensitivity = file.sensitivity.unwrap_or(policy.sensitivity);
    Ok(())
}

fn apply_black(defaults: &mut Defaults, file: FileBlack) -> anyhow::Result<()> {
    let policy = &mut defaults.black;
    if let Some(action) = &file.action {
        policy.action = action.parse::<BlackAction>().context("organisation.black.action")?;
    }
    if let Some(action) = &file.late_action {
        policy.late_action = action.parse::<LateAction>().context("organisation.black.late_action")?;
    }
    policy.junk_folder = file.junk_folder.unwrap_or_else(|| policy.junk_folder.clone());
    policy.reject_text = file.reject_text.unwrap_or_else(|| policy.reject_text.clone());
    Ok(())
}

/// A directory over a file of lists.
#[derive(Debug)]
pub struct FileDirectory {
    settings: Arc<Settings>,
    users: HashMap<Address, UserLists>,
    globs: HashMap<u64, Arc<Globs>>,
    shared: HashSet<Address>,
}

impl Directory for FileDirectory {
    fn settings(&self) -> Arc<Settings> {
        self.settings.clone()
    }

    fn lists(&self, address: &Address) -> Option<UserLists> {
        self.users.get(address).cloned()
    }

    fn shared_in(&self, address: &Address) -> Option<u32> {
        self.shared.contains(address).then_some(ORGANISATION)
    }

    fn globs(&self, lists: &UserLists) -> Option<Arc<Globs>> {
        self.globs.get(&lists.user()).cloned()
    }

    fn decided(&self, _message: &Decided<'_>) {}
}
