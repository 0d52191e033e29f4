//! What can be done with a message, as configured and chosen.

use std::fmt;
use std::ops::{BitAnd, BitOr};
use std::str::FromStr;

/// What is done with a personal message, in any combination.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PersonalActions(u8);

impl PersonalActions {
    /// Nothing: the message is left as it is.
    pub const NONE: Self = Self(0);
    /// The tag goes before the Subject.
    pub const TAG: Self = Self(1);
    /// Delivery into the personal folder.
    pub const FOLDER: Self = Self(2);
    /// The signed mark `X-Perso`.
    pub const MARK: Self = Self(4);

    /// All of them.
    pub const ALL: Self = Self(7);

    const NAMES: [(Self, &'static str); 3] = [(Self::TAG, "tag"), (Self::FOLDER, "folder"), (Self::MARK, "mark")];

    /// As three bits.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Reads [`Self::bits`] back, ignoring all others.
    pub fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// Whether all of `other` are among these.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of these actions, in a fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(action, _)| self.contains(*action)).map(|(_, name)| name)
    }
}

impl BitOr for PersonalActions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for PersonalActions {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl fmt::Debug for PersonalActions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersonalActions({self})")
    }
}

impl fmt::Display for PersonalActions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().collect::<Vec<_>>().join(","))
    }
}

/// A name that is no action of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be one of {0}")]
pub struct UnknownAction(&'static str);

/// One name, or several separated by commas; the empty text is no action.
impl FromStr for PersonalActions {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        text.split(',').map(str::trim).filter(|name| !name.is_empty()).try_fold(Self::NONE, |actions, name| {
            let known = Self::NAMES.into_iter().find(|(_, known)| *known == name);
            known.map(|(action, _)| actions | action).ok_or(UnknownAction("tag, folder, mark"))
        })
    }
}

/// What is done with a message from a sender on the black list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BlackAction {
    /// Refused at RCPT, or at end of message where nobody else is addressed.
    #[default]
    Reject,
    /// Accepted and not delivered to this recipient.
    Discard,
    /// Kept in the MTA's hold queue.
    Hold,
    /// Delivered into the junk folder.
    Junk,
}

impl BlackAction {
    const NAMES: [(Self, &'static str); 4] =
        [(Self::Reject, "reject"), (Self::Discard, "discard"), (Self::Hold, "hold"), (Self::Junk, "junk")];

    /// As two bits.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Reads [`Self::code`] back from the two low bits.
    pub fn from_code(code: u8) -> Self {
        match code & 3 {
            0 => Self::Reject,
            1 => Self::Discard,
            2 => Self::Hold,
            _ => Self::Junk,
        }
    }
}

impl fmt::Display for BlackAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize].1)
    }
}

impl FromStr for BlackAction {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        let known = Self::NAMES.into_iter().find(|(_, name)| *name == text);
        known.map(|(action, _)| action).ok_or(UnknownAction("reject, discard, hold, junk"))
    }
}

/// What is done for one recipient where the chosen blacklist action would reach others too: a message cannot be
/// refused or held for one of several recipients once its headers are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LateAction {
    /// Not delivered to this recipient.
    #[default]
    Discard,
    /// Delivered into this recipient's junk folder.
    Junk,
}

impl fmt::Display for LateAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discard => "discard",
            Self::Junk => "junk",
        })
    }
}

impl FromStr for LateAction {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        match text {
            "discard" => Ok(Self::Discard),
            "junk" => Ok(Self::Junk),
            _ => Err(UnknownAction("discard, junk")),
        }
    }
}

/// What is done with a message that one of our own users sends to somebody on their personal list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OutboundAction {
    /// Nothing.
    #[default]
    Off,
    /// The tag goes before the Subject of that recipient's copy.
    Tag,
    /// That recipient's copy gets the signed mark.
    Mark,
}

impl OutboundAction {
    const NAMES: [(Self, &'static str); 3] = [(Self::Off, "off"), (Self::Tag, "tag"), (Self::Mark, "mark")];
}

impl fmt::Display for OutboundAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize].1)
    }
}

impl FromStr for OutboundAction {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        let known = Self::NAMES.into_iter().find(|(_, name)| *name == text);
        known.map(|(action, _)| action).ok_or(UnknownAction("off, tag, mark"))
    }
}

/// Which messages Postfix's queue splits into one copy per recipient, so that each can be edited alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SplitMode {
    /// None: header edits that not all recipients share are left out.
    #[default]
    Off,
    /// Those whose recipients need different edits; what all share is edited at the edge.
    Mixed,
    /// Those of which any recipient needs an edit: the edge edits nothing.
    Edits,
}

impl SplitMode {
    const NAMES: [(Self, &'static str); 3] = [(Self::Off, "off"), (Self::Mixed, "mixed"), (Self::Edits, "edits")];
}

impl fmt::Display for SplitMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize].1)
    }
}

impl FromStr for SplitMode {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        let known = Self::NAMES.into_iter().find(|(_, name)| *name == text);
        known.map(|(mode, _)| mode).ok_or(UnknownAction("off, mixed, edits"))
    }
}
