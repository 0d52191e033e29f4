//! What a file of aliases says of the store's users: which aliases they have, and which addresses are shared.
//!
//! An address that leads to one mailbox, and to nothing else, is its user's; so is the mailbox's own address, where the
//! user is known by the other one. An address that leads to several mailboxes is shared. Nothing is ever taken from a user.

use std::collections::{BTreeSet, HashMap, HashSet};

use indicatif::ProgressBar;

use super::alias_file::{Alias, AliasFile, Skipped};
use super::expansion::{Aliases, Expansion};
use crate::policy::address::Address;
use crate::policy::plan::mailbox_candidates;
use crate::store::{
    ImportAlias, ImportUser, NewUser, Organisation, OrganisationId, Reaches, Result, Store, StoreError, UserKind,
};

/// What becomes of an address that leads to a mailbox of nobody known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownUsers {
    /// The line is refused.
    Refuse,
    /// A user is added.
    Create,
}

/// What is to be done, and what there is to say.
#[derive(Debug, Default)]
pub struct Plan {
    /// Users to be added.
    pub users: Vec<ImportUser>,
    /// Aliases to be added, of these and other users.
    pub aliases: Vec<ImportAlias>,
    /// Addresses that are to be noted as shared.
    pub shared: Vec<ImportAlias>,
    /// Every shared address of the file, in words, whether it is noted already or not.
    pub groups: Vec<String>,
    /// Lines that say what is so already.
    pub unchanged: u64,
    /// What there is to say of single lines.
    pub remarks: Vec<Remark>,
}

/// Something to say of one line.
#[derive(Debug)]
pub struct Remark {
    /// Its number in the file.
    pub line: u64,
    /// What became of the line.
    pub kind: RemarkKind,
    /// Why, and the remedy.
    pub text: String,
}

/// What became of a line that there is something to say of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemarkKind {
    /// It was not carried out, and should be mended.
    Refused,
    /// It is right and tells of nobody's address.
    Skipped,
    /// It was carried out.
    Note,
}

impl Plan {
    /// Adds something to say of a line.
    pub fn remark(&mut self, line: u64, kind: RemarkKind, text: impl ToString) {
        self.remarks.push(Remark { line, kind, text: text.to_string() });
    }
}

/// A user, as far as aliases are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner {
    primary: Address,
    organisation: OrganisationId,
}

/// Why a line was not planned.
enum Failure {
    /// What is wrong with it.
    Line(String),
    /// The store's state.
    Store(StoreError),
}

impl Failure {
    fn line(reason: impl ToString) -> Self {
        Self::Line(reason.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Whether a line was planned.
type Planned = std::result::Result<(), Failure>;

/// An alias that leads to one mailbox.
struct Single<'a> {
    line: u64,
    address: &'a Address,
    /// The mailbox's address: the form of it that a user has, or else without its detail.
    mailbox: Address,
}

/// Makes plans.
pub struct Planner<'a> {
    store: &'a dyn Store,
    delimiter: Option<char>,
    organisations: &'a [Organisation],
    /// The one that the file is for, where that was said.
    only: Option<OrganisationId>,
    unknown_users: UnknownUsers,
    /// Whose an address is, or is going to be, as far as it was asked.
    owners: HashMap<Address, Option<Owner>>,
    /// The addresses that the store has as shared, and those that are going to be.
    shared: HashMap<Address, OrganisationId>,
    /// Those of them that the file says are.
    of_file: HashSet<Address>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    /// A planner over the store as it is.
    ///
    /// # Errors
    /// The store's state.
    pub fn new(
        store: &'a dyn Store,
        delimiter: Option<char>,
        organisations: &'a [Organisation],
        only: Option<OrganisationId>,
        unknown_users: UnknownUsers,
    ) -> Result<Self> {
        let mut shared = HashMap::new();
        for organisation in organisations {
            let addresses = store.shared_addresses(organisation.id)?;
            shared.extend(addresses.into_iter().map(|address| (address, organisation.id)));
        }
        let (owners, of_file, plan) = (HashMap::new(), HashSet::new(), Plan::default());
        Ok(Self { store, delimiter, organisations, only, unknown_users, owners, shared, of_file, plan })
    }

    /// Plans a file; `progress` counts its aliases.
    ///
    /// # Errors
    /// The store's state.
    pub fn plan(mut self, file: &AliasFile, progress: &ProgressBar) -> Result<Plan> {
        file.refused.iter().for_each(|(line, problem)| self.plan.remark(*line, RemarkKind::Refused, problem));
        file.skipped.iter().for_each(|(line, why)| self.plan.remark(*line, RemarkKind::Skipped, why));
        let aliases = Aliases::new(&file.aliases, self.delimiter);
        let mut singles = Vec::new();
        for alias in &file.aliases {
            progress.inc(1);
            match aliases.expand(alias) {
                Ok(expansion) => singles.extend(self.classify(alias, expansion)?),
                Err(error) => self.plan.remark(alias.line, RemarkKind::Refused, error),
            }
        }
        // All shared addresses are known now. Mailboxes become known by the addresses that users have, before these tell
        // of further ones.
        let (known, unknown) = self.by_owner(singles)?;
        let claims = self.claims(&known)?;
        for single in known {
            let claimed = claims.get(&single.mailbox).filter(|users| users.len() > 1);
            let planned = claimed.map_or_else(|| self.single(&single), |users| Err(claimed_by_several(&single, users)));
            self.settle(single.line, planned)?;
        }
        for single in unknown {
            let planned = self.single(&single);
            self.settle(single.line, planned)?;
        }
        Ok(self.plan)
    }

    fn settle(&mut self, line: u64, planned: Planned) -> Result<()> {
        match planned {
            Err(Failure::Store(error)) => return Err(error),
            Err(Failure::Line(reason)) => self.plan.remark(line, RemarkKind::Refused, reason),
            Ok(()) => {}
        }
        Ok(())
    }

    /// Settles all but the aliases that lead to one mailbox, and returns these.
    fn classify<'f>(&mut self, alias: &'f Alias, expansion: Expansion) -> Result<Option<Single<'f>>> {
        let mut mailboxes = BTreeSet::new();
        let mut owners = Vec::new();
        for address in expansion.mailboxes {
            let (mailbox, owner) = self.mailbox(&address)?;
            mailboxes.insert(mailbox);
            owners.push(owner);
        }
        let others = expansion.programs + expansion.files + expansion.includes + expansion.unreadable.len();
        let one_owner = owners.iter().all(|owner| owner.is_some() && *owner == owners[0]);
        let is_open = expansion.cut || expansion.includes > 0;
        let line = alias.line;
        if let Some(mailbox) = mailboxes.pop_first() {
            let more = mailboxes.len() + others;
            if !is_open && others == 0 && (more == 0 || one_owner) {
                return Ok(Some(Single { line, address: &alias.address, mailbox }));
            }
            self.several(alias, more + 1, is_open)?;
        } else if is_open || others > 1 {
            self.several(alias, others, is_open)?;
        } else if let Some(problem) = expansion.unreadable.first() {
            self.plan.remark(line, RemarkKind::Refused, problem);
        } else {
            let why = if expansion.programs > 0 { Skipped::Program } else { Skipped::File };
            self.plan.remark(line, RemarkKind::Skipped, why);
        }
        Ok(None)
    }

    fn several(&mut self, alias: &Alias, count: usize, is_open: bool) -> Result<()> {
        let more = if is_open { " or more" } else { "" };
        let text = format!("{} expands to {count}{more}: shared", alias.address.as_str());
        let planned = self.share(alias.line, &alias.address, text);
        self.settle(alias.line, planned)
    }

    fn share(&mut self, line: u64, address: &Address, text: String) -> Planned {
        let organisation = self.organisation_of(address)?;
        match self.shared.get(address) {
            Some(known) if *known == organisation => self.plan.unchanged += 1,
            Some(_) => return Err(Failure::line(StoreError::ForeignAddress(address.as_str().to_owned()))),
            None => {
                let reaches = Reaches::Several(organisation);
                self.plan.shared.push(ImportAlias { line, address: address.clone(), reaches });
                self.shared.insert(address.clone(), organisation);
            }
        }
        self.of_file.insert(address.clone());
        self.plan.groups.push(text);
        Ok(())
    }

    /// In which organisation an address is to be shared.
    fn organisation_of(&mut self, address: &Address) -> std::result::Result<OrganisationId, Failure> {
        self.check_domain(address)?;
        let of_domain = self.serving(address).map(|organisation| organisation.id);
        let of_user = self.owner(address)?.map(|owner| owner.organisation);
        let alone = if let [organisation] = self.organisations { Some(organisation.id) } else { None };
        let found = of_domain.or(of_user).or(self.only).or(alone);
        found.ok_or_else(|| not_served(address))
    }

    /// That an address stands in no domain of another organisation than the one that the file is for.
    fn check_domain(&self, address: &Address) -> Planned {
        match self.serving(address) {
            Some(serving) if self.only.is_some_and(|only| only != serving.id) => {
                let (domain, organisation) = (address.domain().to_owned(), serving.name.clone());
                Err(Failure::line(StoreError::DomainTaken { domain, organisation }))
            }
            _ => Ok(()),
        }
    }

    fn serving(&self, address: &Address) -> Option<&'a Organisation> {
        let serves = |organisation: &&Organisation| organisation.domains.iter().any(|d| d.as_str() == address.domain());
        self.organisations.iter().find(serves)
    }

    /// Whose an address is, exactly as it stands.
    fn owner(&mut self, address: &Address) -> Result<Option<Owner>> {
        if let Some(known) = self.owners.get(address) {
            return Ok(known.clone());
        }
        let owner = match self.store.user_id(address) {
            Ok(id) => {
                let user = self.store.user(id)?;
                Some(Owner { primary: user.address, organisation: user.organisation })
            }
            Err(StoreError::UnknownUser(_)) => None,
            Err(error) => return Err(error),
        };
        self.owners.insert(address.clone(), owner.clone());
        Ok(owner)
    }

    /// The mailbox behind an address, and whose it is.
    fn mailbox(&mut self, address: &Address) -> Result<(Address, Option<Owner>)> {
        let mut mailbox = address.clone();
        for candidate in mailbox_candidates(address.clone(), self.delimiter) {
            if let Some(owner) = self.owner(&candidate)? {
                return Ok((candidate, Some(owner)));
            }
            mailbox = candidate;
        }
        Ok((mailbox, None))
    }

    /// Those whose left side is a user's first.
    fn by_owner<'f>(&mut self, singles: Vec<Single<'f>>) -> Result<(Vec<Single<'f>>, Vec<Single<'f>>)> {
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for single in singles {
            let owner = self.owner(single.address)?;
            if owner.is_some() { known.push(single) } else { unknown.push(single) }
        }
        Ok((known, unknown))
    }

    /// The users who would get a mailbox that is nobody's yet.
    fn claims(&mut self, known: &[Single<'_>]) -> Result<HashMap<Address, BTreeSet<Address>>> {
        let mut claims: HashMap<Address, BTreeSet<Address>> = HashMap::new();
        for single in known {
            if !self.shared.contains_key(&single.mailbox)
                && self.owner(&single.mailbox)?.is_none()
                && let Some(owner) = self.owner(single.address)?
            {
                claims.entry(single.mailbox.clone()).or_default().insert(owner.primary);
            }
        }
        Ok(claims)
    }

    fn single(&mut self, single: &Single<'_>) -> Planned {
        let Single { line, address, mailbox } = single;
        self.check_domain(address)?;
        if mailbox != *address && self.shared.contains_key(mailbox) {
            let text = format!("{} leads to {}: shared", address.as_str(), mailbox.as_str());
            return self.share(*line, address, text);
        }
        match (self.owner(address)?, self.owner(mailbox)?) {
            (Some(one), Some(other)) if one != other => return Err(belongs_elsewhere(single, &one, &other)),
            (Some(_), Some(_)) => self.plan.unchanged += 1,
            (Some(owner), None) => self.alias(*line, mailbox, owner)?,
            // By its detail it may be that user's already.
            (None, Some(owner)) if self.mailbox(address)?.1.as_ref() == Some(&owner) => self.plan.unchanged += 1,
            (None, Some(owner)) => self.alias(*line, address, owner)?,
            (None, None) => self.unknown(single)?,
        }
        self.note_if_shared(*line, address);
        Ok(())
    }

    fn alias(&mut self, line: u64, alias: &Address, owner: Owner) -> Planned {
        if self.serving(alias).is_some_and(|serving| serving.id != owner.organisation) {
            return Err(foreign_domain(alias));
        }
        let reaches = Reaches::User(owner.primary.clone());
        self.plan.aliases.push(ImportAlias { line, address: alias.clone(), reaches });
        self.owners.insert(alias.clone(), Some(owner));
        Ok(())
    }

    /// An address that leads to nobody's mailbox.
    fn unknown(&mut self, single: &Single<'_>) -> Planned {
        let Single { line, address, mailbox } = single;
        let both = [mailbox, *address];
        let may = |address: &Address| self.serving(address).filter(|_| self.check_domain(address).is_ok());
        let primary = both.into_iter().find_map(|address| may(address).map(|serving| (address, serving.id)));
        let Some((primary, organisation)) = primary else {
            return Err(not_served(address));
        };
        if self.unknown_users == UnknownUsers::Refuse {
            let (mailbox, primary) = (mailbox.as_str(), primary.as_str());
            return Err(Failure::Line(format!(
                "no user has {mailbox}; add one with `perso-milter user add {primary}`, or import with --create-users"
            )));
        }
        let owner = Owner { primary: primary.clone(), organisation };
        let mut aliases: Vec<Address> = both.into_iter().filter(|address| *address != primary).cloned().collect();
        aliases.dedup();
        if let Some(foreign) = aliases.iter().find(|a| self.serving(a).is_some_and(|s| s.id != organisation)) {
            return Err(foreign_domain(foreign));
        }
        both.into_iter().for_each(|address| drop(self.owners.insert(address.clone(), Some(owner.clone()))));
        let user = NewUser { address: primary.clone(), aliases, kind: UserKind::Person };
        self.plan.users.push(ImportUser { line: *line, user, organisation: None });
        Ok(())
    }

    /// Another file may make an address shared; one that says otherwise does not undo that.
    fn note_if_shared(&mut self, line: u64, address: &Address) {
        let Some(organisation) = self.shared.get(address).filter(|_| !self.of_file.contains(address)) else { return };
        let name = self.organisations.iter().find(|known| known.id == *organisation).map_or("NAME", |o| &o.name);
        let address = address.as_str();
        let text = format!(
            "{address} is noted as shared and stays so; if it reaches one user alone, `perso-milter org group remove {name} \
             {address}`"
        );
        self.plan.remark(line, RemarkKind::Note, text);
    }
}

fn not_served(address: &Address) -> Failure {
    Failure::line(StoreError::DomainNotServed(address.domain().to_owned()))
}

fn foreign_domain(address: &Address) -> Failure {
    Failure::line(StoreError::ForeignDomain(address.domain().to_owned()))
}

fn belongs_elsewhere(single: &Single<'_>, one: &Owner, other: &Owner) -> Failure {
    let (address, mailbox) = (single.address.as_str(), single.mailbox.as_str());
    let (one, other) = (one.primary.as_str(), other.primary.as_str());
    Failure::Line(format!(
        "{address} belongs to the user {one}, but leads to {mailbox} of the user {other}; nothing was moved: mend the file, \
         or take the address from {one} first"
    ))
}

fn claimed_by_several(single: &Single<'_>, users: &BTreeSet<Address>) -> Failure {
    let users: Vec<&str> = users.iter().map(Address::as_str).collect();
    let (address, mailbox) = (single.address.as_str(), single.mailbox.as_str());
    Failure::Line(format!(
        "addresses of several users ({}) lead to {mailbox}, which is therefore given to none; if they read one mailbox, \
         `perso-milter org group add NAME {address} {mailbox}`",
        users.join(", ")
    ))
}
