//! What users are told who want to see later what became of their messages: once of each message, however many of their
//! addresses it names and however often. For all others it costs a look at a bit.

use smallvec::SmallVec;

use super::{Accepted, Senders, Transaction};
use crate::milter::addressee::User;
use crate::milter::settings::{Directory, Happened};
use crate::policy::decide::{Reason, Verdict};
use crate::policy::identity::Sender;
use crate::policy::plan::{Delivery, Direction, Effect, USUAL_RECIPIENTS};

impl Transaction {
    /// Of a message whose recipients were decided. A copy that is yet to be split is told of by its second pass.
    pub(super) fn tell_histories<'a>(
        &'a self,
        directory: &impl Directory,
        direction: Direction,
        senders: &Senders<'_>,
        fates: impl Iterator<Item = (Verdict, &'a Effect)>,
    ) {
        if !self.keeps_histories() {
            return;
        }
        let mut told: SmallVec<[Happened<'_>; USUAL_RECIPIENTS]> = SmallVec::new();
        for (recipient, (verdict, effect)) in self.recipients.iter().zip(fates) {
            let is_decided = effect.delivery != Delivery::Split;
            let Some(user) = recipient.user.as_ref().filter(|user| is_decided && user.lists.keeps_activity()) else {
                continue;
            };
            let id = user.lists.user();
            if !self.is_refused(id) && !told.iter().any(|told| told.user == id) {
                told.push(happened(user, direction, senders, verdict, effect));
            }
        }
        if !told.is_empty() {
            directory.happened(&told);
        }
    }

    /// Of a recipient who is refused at RCPT, before any header is known, and before they are noted as refused.
    pub(super) fn tell_refused(&self, directory: &impl Directory, user: &User, verdict: Verdict) {
        if user.lists.keeps_activity() && !self.is_refused(user.lists.user()) {
            let effect = Effect::of(Delivery::Rejected);
            let senders = Senders::of_envelope(self);
            directory.happened(&[happened(user, self.circumstances.direction, &senders, verdict, &effect)]);
        }
    }

    /// Of a message that is over a limit and passes as it is.
    pub(super) fn tell_unedited(&self, directory: &impl Directory) {
        if self.keeps_histories() {
            let effect = Effect::of(Delivery::AsAddressed);
            let fates = self.recipients.iter().map(|_| (Verdict::UNTOUCHED, &effect));
            self.tell_histories(directory, self.circumstances.direction, &Senders::of(self), fates);
        }
    }

    fn keeps_histories(&self) -> bool {
        let keeps = |recipient: &Accepted| recipient.user.as_ref().is_some_and(|user| user.lists.keeps_activity());
        self.recipients.iter().any(keeps)
    }

    /// Whether this user was refused, and told so.
    fn is_refused(&self, user: u64) -> bool {
        self.refused.iter().any(|refused| refused.user == user)
    }
}

fn happened<'a>(
    user: &User,
    direction: Direction,
    senders: &'a Senders<'_>,
    verdict: Verdict,
    effect: &'a Effect,
) -> Happened<'a> {
    Happened {
        user: user.lists.user(),
        direction,
        envelope: senders.envelope().map(Sender::address),
        header: senders.header().map(Sender::address),
        proof: senders.known(),
        // What stands on the sender's list is the sender's alone.
        verdict: Verdict { reason: Reason { outbound: None, ..verdict.reason }, ..verdict },
        effect,
    }
}
