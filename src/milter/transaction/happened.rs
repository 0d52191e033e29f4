//! What users are told who want to see later what became of their messages: once of each message, however many of their
//! addresses it names and however often. For all others it costs a look at a bit.

use smallvec::SmallVec;

use super::{Accepted, Transaction};
use crate::milter::addressee::User;
use crate::milter::settings::{Directory, Happened};
use crate::policy::address::Address;
use crate::policy::decide::{Known, Reason, Verdict};
use crate::policy::identity::Sender;
use crate::policy::plan::{Delivery, Direction, Effect, USUAL_RECIPIENTS};

impl Transaction {
    /// Of a message whose recipients were decided. A copy that is yet to be split is told of by its second pass.
    pub(super) fn tell_histories(
        &self,
        directory: &impl Directory,
        direction: Direction,
        verdicts: &[Verdict],
        effects: &[Effect],
    ) {
        if !self.recipients.iter().any(keeps_activity) {
            return;
        }
        let header = self.facts.header_sender();
        let mut told: SmallVec<[u64; USUAL_RECIPIENTS]> = self.refused.iter().map(|refused| refused.user).collect();
        for ((recipient, verdict), effect) in self.recipients.iter().zip(verdicts).zip(effects) {
            let is_decided = effect.delivery != Delivery::Split;
            let Some(user) = recipient.user.as_ref().filter(|user| is_decided && user.lists.keeps_activity()) else {
                continue;
            };
            if !told.contains(&user.lists.user()) {
                told.push(user.lists.user());
                self.tell(directory, user, direction, header.as_ref(), *verdict, effect);
            }
        }
    }

    /// Of a recipient who is refused at RCPT, before any header is known, and before they are noted as refused.
    pub(super) fn tell_refused(&self, directory: &impl Directory, user: &User, verdict: Verdict) {
        let is_told = || self.refused.iter().any(|refused| refused.user == user.lists.user());
        if user.lists.keeps_activity() && !is_told() {
            let effect = Effect::of(Delivery::Rejected);
            self.tell(directory, user, self.circumstances.direction, None, verdict, &effect);
        }
    }

    /// Of a message that is over a limit and passes as it is.
    pub(super) fn tell_unedited(&self, directory: &impl Directory) {
        let count = self.recipients.len();
        let verdicts = vec![Verdict::UNTOUCHED; count];
        let effects = vec![Effect::of(Delivery::AsAddressed); count];
        self.tell_histories(directory, self.circumstances.direction, &verdicts, &effects);
    }

    fn tell(
        &self,
        directory: &impl Directory,
        user: &User,
        direction: Direction,
        header: Option<&Address>,
        verdict: Verdict,
        effect: &Effect,
    ) {
        let envelope = self.sender.as_ref().map(Sender::address);
        let (of_envelope, of_header) = self.facts.evidence().judge(&self.settings.authentication, envelope, header);
        directory.happened(&Happened {
            user: user.lists.user(),
            direction,
            envelope,
            header,
            proof: Known { envelope: of_envelope, header: of_header },
            // What stands on the sender's list is the sender's alone.
            verdict: Verdict { reason: Reason { outbound: None, ..verdict.reason }, ..verdict },
            effect,
        });
    }
}

fn keeps_activity(recipient: &Accepted) -> bool {
    recipient.user.as_ref().is_some_and(|user| user.lists.keeps_activity())
}
