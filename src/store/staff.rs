//! Managers and operators: who they are, how they enrol and sign in with two factors, and what managers announce.
//!
//! They are not users: they have no lists, and no right to anybody's. What each role may do in the console is the console's
//! matter (`console::access`).
//!
//! # Two factors
//! The password is kept as every other ([`PasswordRecord`](super::accounts::PasswordRecord)). The secret of the second factor
//! (TOTP, RFC 6238: SHA-1, six digits, 30 seconds) is kept nowhere: it is derived from `seal.key` and a random salt in the row,
//! so that the database alone gives no code. A code is taken once.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

use super::accounts::{Password, StaffId};
use super::error::{Result, StoreError};
use super::journal::{HASH, sha256};
use super::keys::{SealKey, derive, random};
use super::symbols;
use super::types::{Actor, Grant, OrganisationId, User, UserId};
use crate::policy::address::Address;

/// How long an enrolment code is good for.
pub const ENROLMENT_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// Most members of staff of one organisation, and most operators.
pub const MAX_STAFF: usize = 100;
/// What an authenticator shows beside the address.
const ISSUER: &str = "perso-milter";

/// What a member of staff is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Runs the relay: organisations, staff, health.
    Operator,
    /// Runs one organisation: its settings, its own lists, its users' accounts.
    Manager(OrganisationId),
}

impl Role {
    /// The organisation of a manager.
    pub fn organisation(self) -> Option<OrganisationId> {
        match self {
            Self::Operator => None,
            Self::Manager(organisation) => Some(organisation),
        }
    }

    /// Whose journal tells of changes: that of the organisation, or the installation's own.
    pub(crate) fn journal(self) -> OrganisationId {
        self.organisation().unwrap_or(OrganisationId::INSTALLATION)
    }
}

/// Whether somebody can sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaffStatus {
    /// Not yet: a code to enrol with is good until this time; or was.
    Invited(Timestamp),
    /// Yes.
    Active,
    /// No, until enabled again.
    Disabled,
}

/// A manager or an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staff {
    /// The number.
    pub id: StaffId,
    /// The name they sign in with, under which changes are journalled and grants are given.
    pub address: Address,
    /// What they are.
    pub role: Role,
    /// Whether they can sign in.
    pub status: StaffStatus,
    /// Since when.
    pub created: Timestamp,
    /// When they last signed in.
    pub last_sign_in: Option<Timestamp>,
}

impl Staff {
    /// As changes are journalled.
    pub fn actor(&self) -> Actor {
        Actor::Administrator { name: self.address.as_str().to_owned() }
    }
}

/// What is done with an account of staff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaffAccess {
    /// They may sign in.
    Enabled,
    /// They may not.
    Disabled,
}

/// Characters of an enrolment code, 5 random bits each.
const CODE: usize = 24;

/// With what somebody enrols, once. The store keeps its hash alone.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolmentCode(Zeroizing<[u8; CODE]>);

impl EnrolmentCode {
    pub(super) fn fresh() -> Result<Self> {
        Ok(Self(Zeroizing::new(symbols::fresh()?)))
    }

    /// 120 random bits need no salt.
    pub(super) fn hash(&self) -> [u8; HASH] {
        sha256(self.0.as_slice())
    }
}

impl fmt::Display for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        symbols::write(self.0.as_slice(), f)
    }
}

impl fmt::Debug for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolmentCode(hidden)")
    }
}

/// As people type it. What cannot be a code is one that nobody was given.
impl FromStr for EnrolmentCode {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self> {
        symbols::read(text).map(|code| Self(Zeroizing::new(code))).ok_or(StoreError::UnknownEnrolment)
    }
}

/// Bytes of the salt of a TOTP secret.
pub(crate) const TOTP_SALT: usize = 32;
/// Bytes of a TOTP secret (RFC 4226, 4: 160 bits).
const TOTP_SECRET: usize = 20;

/// The second factor of one member of staff.
pub struct SecondFactor(Totp);

impl SecondFactor {
    /// A fresh salt.
    pub(crate) fn salt() -> Result<[u8; TOTP_SALT]> {
        Ok(random()?)
    }

    /// Of this salt.
    pub(crate) fn new(key: &SealKey, salt: &[u8; TOTP_SALT], address: &str) -> Result<Self> {
        let derived = derive(key.bytes(), salt, &[b"perso-milter staff totp 1"]);
        let mut secret = [0; TOTP_SECRET];
        secret.copy_from_slice(&derived[..TOTP_SECRET]);
        let builder = Builder::new().with_secret(secret).with_issuer(Some(ISSUER));
        // A colon parts issuer and name in the address that an authenticator reads.
        let totp = builder.with_account_name(address.replace(':', " ")).build().map_err(StoreError::internal)?;
        Ok(Self(totp))
    }

    /// The step of a code at a time, if it is right: the present one, or one before or after it.
    pub(crate) fn step(&self, code: &str, now: Timestamp) -> Option<i64> {
        let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let step = self.0.check(&digits, u64::try_from(now.as_second()).ok()?)?;
        i64::try_from(step).ok()
    }

    /// What an authenticator reads from a QR code (`otpauth://…`).
    ///
    /// # Errors
    /// None that is known; the library's type says so.
    pub fn url(&self) -> Result<Zeroizing<String>> {
        self.0.to_url().map(Zeroizing::new).map_err(StoreError::internal)
    }

    /// What people type into an authenticator: base 32, in groups of four.
    pub fn written(&self) -> Zeroizing<String> {
        let whole = Zeroizing::new(self.0.secret().to_base32());
        let groups: Vec<&str> =
            whole.as_bytes().chunks(4).filter_map(|group| std::str::from_utf8(group).ok()).collect();
        Zeroizing::new(groups.join(" "))
    }
}

impl fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecondFactor(hidden)")
    }
}

/// Somebody who is about to enrol.
#[derive(Debug)]
pub struct Enrolment {
    /// Who.
    pub staff: Staff,
    /// The second factor to be.
    pub factor: SecondFactor,
}

/// What a manager changed that concerns every user of the organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AnnouncementKind {
    /// The text before the Subject.
    Tag,
    /// The folder of personal messages.
    Folder,
    /// How personal messages are marked, or what users may choose.
    Markings,
    /// The business domains.
    Protected,
}

impl AnnouncementKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Tag, Self::Folder, Self::Markings, Self::Protected];

    /// The name used in SQL and in keys of texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Folder => "folder",
            Self::Markings => "markings",
            Self::Protected => "protected",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// What a changed setting tells the users, if anything.
    pub(crate) fn of_setting(key: &str) -> Option<Self> {
        match key {
            "tag" => Some(Self::Tag),
            "folder" => Some(Self::Folder),
            "personal_actions" | "markings" => Some(Self::Markings),
            _ => None,
        }
    }
}

/// A change that a user has not put away yet. It tells what changed; what it is now, the organisation's settings tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcement {
    /// What changed.
    pub kind: AnnouncementKind,
    /// The later, the larger.
    pub number: u64,
    /// When it last changed.
    pub at: Timestamp,
}

/// Staff, and what they see of users. Every method blocks and can fail for the store's state; `# Errors` names the rest.
pub trait StaffStore {
    /// Adds a member of staff, with the code to enrol with.
    ///
    /// # Errors
    /// The address is a member's already, or over [`super::MAX_NAME`] bytes; there is no such organisation; over [`MAX_STAFF`].
    fn add_staff(&self, actor: &Actor, address: &Address, role: Role) -> Result<(StaffId, EnrolmentCode)>;

    /// A member of staff.
    ///
    /// # Errors
    /// There is none.
    fn staff(&self, id: StaffId) -> Result<Staff>;

    /// The member of staff with this address.
    ///
    /// # Errors
    /// There is none.
    fn staff_named(&self, address: &Address) -> Result<Staff>;

    /// All staff, sorted by address.
    ///
    /// # Errors
    /// See [`StaffStore`].
    fn all_staff(&self) -> Result<Vec<Staff>>;

    /// Enables or disables an account of staff. Their sessions end at their next page.
    ///
    /// # Errors
    /// There is no such member.
    fn set_staff_access(&self, actor: &Actor, id: StaffId, access: StaffAccess) -> Result<()>;

    /// Takes both factors away: the member enrols anew, with the code that is answered. Grants that users gave them end.
    ///
    /// # Errors
    /// There is no such member.
    fn reset_staff(&self, actor: &Actor, id: StaffId) -> Result<EnrolmentCode>;

    /// A code with which a member enrols anew, of their own accord: both factors are good until it is used.
    ///
    /// # Errors
    /// There is no such member.
    fn renew_staff(&self, actor: &Actor, id: StaffId) -> Result<EnrolmentCode>;

    /// Removes a member of staff; grants that users gave them end.
    ///
    /// # Errors
    /// There is no such member.
    fn remove_staff(&self, actor: &Actor, id: StaffId) -> Result<()>;

    /// Who may enrol with this code, and what their second factor would be. Nothing is used up.
    ///
    /// # Errors
    /// [`StoreError::UnknownEnrolment`]; [`StoreError::NoSealKey`].
    fn enrolment(&self, code: &EnrolmentCode) -> Result<Enrolment>;

    /// Enrols: sets the password, and the second factor, which a first code of it proves. Sessions opened by the factors before
    /// end. Costs one argon2id.
    ///
    /// # Errors
    /// As [`Self::enrolment`]; [`StoreError::SignInRefused`] where the code of the second factor is wrong.
    fn enrol(&self, code: &EnrolmentCode, password: &Password, totp: &str) -> Result<StaffId>;

    /// Signs in with both factors. Costs one argon2id, also for an address that nobody has, and does the same work then.
    ///
    /// # Errors
    /// [`StoreError::SignInRefused`] for all that does not fit: it does not tell which; [`StoreError::NoSealKey`].
    fn staff_sign_in(&self, address: &Address, password: &str, totp: &str) -> Result<StaffId>;

    /// Asks somebody who is signed in for another code of the second factor, before something grave.
    ///
    /// # Errors
    /// As [`Self::staff_sign_in`].
    fn confirm_staff(&self, id: StaffId, totp: &str) -> Result<()>;

    // What staff see of users

    /// A page of the organisation's users one of whose addresses begins with a text, in any case; sorted by primary address,
    /// after the address given; fewer than `limit` only at the end.
    ///
    /// # Errors
    /// See [`StaffStore`].
    fn find_users(
        &self,
        organisation: OrganisationId,
        begins: &str,
        after: Option<&Address>,
        limit: usize,
    ) -> Result<Vec<User>>;

    /// The grants to somebody that are live, with who gave them.
    ///
    /// # Errors
    /// See [`StaffStore`].
    fn grants_to(&self, grantee: &str) -> Result<Vec<(User, Grant)>>;

    // Announcements

    /// A user puts announcements away, up to a number. It is neither journalled nor told to followers.
    ///
    /// # Errors
    /// There is no such user.
    fn dismiss_announcements(&self, user: UserId, through: u64) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_factor_depends_on_its_salt_and_on_the_seal_key() {
        let [one, other] = [1, 2].map(|byte| SealKey::from_bytes([byte; 32]));
        let factor = |key, salt| SecondFactor::new(key, &[salt; TOTP_SALT], "root@relay.example").expect("a factor");
        let written = factor(&one, 1).written();
        assert_eq!(written.len(), 39, "32 characters in groups of four");
        assert_eq!(*written, *factor(&one, 1).written());
        assert_ne!(*written, *factor(&one, 2).written());
        assert_ne!(*written, *factor(&other, 1).written());
        let url = factor(&one, 1).url().expect("a URL");
        assert!(url.starts_with("otpauth://totp/perso-milter:root%40relay.example?secret="), "{}", *url);
        assert!(url.contains(&written.replace(' ', "")) && !format!("{:?}", factor(&one, 1)).contains(&written[..4]));
    }

    #[test]
    fn a_code_is_good_for_its_step_and_its_neighbours() {
        let factor =
            SecondFactor::new(&SealKey::from_bytes([1; 32]), &[1; TOTP_SALT], "a@b.example").expect("a factor");
        let at = |second: i64| Timestamp::from_second(second).expect("a time");
        let code = factor.0.generate(1_800_000_000).to_string();
        let step = 1_800_000_000 / 30;
        for (second, expected) in [(0, Some(step)), (29, Some(step)), (59, Some(step)), (-30, Some(step)), (60, None)] {
            assert_eq!(factor.step(&code, at(1_800_000_000 + second)), expected, "{second}");
        }
        let spaced = format!(" {} {}", &code[..3], &code[3..]);
        assert_eq!(factor.step(&spaced, at(1_800_000_000)), Some(step));
        for wrong in ["", "0", "abcdef", "1234567", "١٢٣٤٥٦"] {
            assert_eq!(factor.step(wrong, at(1_800_000_000)), None, "{wrong}");
        }
    }

    #[test]
    fn an_enrolment_code_is_read_as_people_type_it_and_hides_itself() {
        let code = EnrolmentCode::fresh().expect("random bytes");
        let written = code.to_string();
        assert_eq!(written.len(), 29);
        assert_eq!(written.to_lowercase().replace('-', " ").parse::<EnrolmentCode>().expect("a code"), code);
        assert!(matches!("ABCD".parse::<EnrolmentCode>(), Err(StoreError::UnknownEnrolment)));
        assert_eq!(format!("{code:?}"), "EnrolmentCode(hidden)");
    }

    #[test]
    fn only_what_users_see_is_announced() {
        for key in super::super::KEYS {
            let told = matches!(key, "tag" | "folder" | "personal_actions" | "markings");
            assert_eq!(AnnouncementKind::of_setting(key).is_some(), told, "{key}");
        }
        for kind in AnnouncementKind::ALL {
            assert_eq!(AnnouncementKind::named(kind.as_str()), Some(kind));
        }
    }
}
