//! Who sent a message, as its end knows it, and what vouches for them. Both are worked out once, the latter only where
//! somebody asks: most messages match no entry that needs proof.

use std::borrow::Cow;
use std::cell::OnceCell;

use super::Transaction;
use crate::policy::authres::Authentication;
use crate::policy::decide::{Identity, Known, Message, Proof};
use crate::policy::identity::Sender;

/// The senders of one message.
pub(super) struct Senders<'a> {
    transaction: &'a Transaction,
    header: Option<Cow<'a, Sender>>,
    known: OnceCell<Known>,
}

impl<'a> Senders<'a> {
    /// At the end of the message.
    pub(super) fn of(transaction: &'a Transaction) -> Self {
        let header = transaction.facts.header_sender(transaction.sender.as_ref());
        Self { transaction, header, known: OnceCell::new() }
    }

    /// While the headers are not known yet.
    pub(super) fn of_envelope(transaction: &'a Transaction) -> Self {
        Self { transaction, header: None, known: OnceCell::new() }
    }

    pub(super) fn envelope(&self) -> Option<&Sender> {
        self.transaction.sender.as_ref()
    }

    pub(super) fn header(&self) -> Option<&Sender> {
        self.header.as_deref()
    }

    pub(super) fn message(&self) -> Message<'_> {
        Message { envelope: self.envelope(), header: self.header(), proof: self }
    }

    /// What vouches for them.
    pub(super) fn known(&self) -> Known {
        *self.known.get_or_init(|| {
            let (envelope, header) = (self.envelope().map(Sender::address), self.header().map(Sender::address));
            let policy = &self.transaction.settings.authentication;
            let (envelope, header) = self.transaction.facts.evidence().judge(policy, envelope, header);
            Known { envelope, header }
        })
    }
}

impl Proof for Senders<'_> {
    fn of(&self, identity: Identity) -> Authentication {
        self.known().of(identity)
    }
}
