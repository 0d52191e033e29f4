//! Mails on their way to the mail server. One thread writes and sends them, beside those that answer requests: a mail server
//! that hangs keeps no page waiting, and no answer tells by its time whether anybody is written to.
//!
//! What the mail server does not take at once is tried again, for as long as its words are worth something. It waits in memory
//! alone: what waits when the console ends is lost. Each mail that is dropped is logged.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{io, mem, thread};

use jiff::{SignedDuration, Timestamp};
use tracing::{error, warn};

use super::mail::{Mail, MailError, Mailer};
use crate::store::{Clock, StoreError};

/// Mails that wait for their first try; more are dropped. As many may wait for another.
pub const MAX_WAITING: usize = 1_024;
/// How long mails that wait have when the console stops.
const STOP_TIME: Duration = Duration::from_secs(2);

/// Finds out to whom to write, and what; nothing where nobody is to be written to.
type Letter = Box<dyn FnOnce() -> Result<Option<Mail>, StoreError> + Send>;

/// Where mails are handed over; they are sent in this order.
pub struct Outbox {
    waiting: Mutex<Option<SyncSender<(Letter, Duration)>>>,
    ended: Mutex<Receiver<()>>,
}

impl Outbox {
    /// Starts the thread. What the mail server does not take is tried again after a `pause`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn open(mailer: Arc<Mailer>, clock: Clock, pause: Duration) -> io::Result<Self> {
        let (waiting, letters) = sync_channel::<(Letter, Duration)>(MAX_WAITING);
        let (ends, ended) = channel();
        let send = move || {
            Sender { mailer, clock, pause, again: VecDeque::new(), next_round: Instant::now() }.run(&letters);
            drop(ends);
        };
        thread::Builder::new().name("console-mail".to_owned()).spawn(send)?;
        Ok(Self { waiting: Mutex::new(Some(waiting)), ended: Mutex::new(ended) })
    }

    /// Hands a mail over, which `letter` writes on the thread that sends it. Its first try aside, it is sent within `life` or
    /// not at all.
    pub fn put(&self, life: Duration, letter: impl FnOnce() -> Result<Option<Mail>, StoreError> + Send + 'static) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(waiting) = waiting.as_ref() else { return };
        match waiting.try_send((Box::new(letter), life)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => error!(waiting = MAX_WAITING, "a mail was dropped: the mail server is slow"),
            Err(TrySendError::Disconnected(_)) => error!("a mail was dropped: nothing sends any more"),
        }
    }

    /// Takes no more mails. Those that wait have a moment to be sent.
    pub fn close(&self) {
        drop(self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take());
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        // The thread never says anything; at its end the channel is gone.
        if ended.recv_timeout(STOP_TIME) == Err(RecvTimeoutError::Timeout) {
            warn!("the console stopped before all its mails were sent");
        }
    }
}

/// A mail that was not taken yet.
struct Waiting {
    mail: Mail,
    /// From when on it is worth nothing.
    until: Timestamp,
}

/// What the thread works with.
struct Sender {
    mailer: Arc<Mailer>,
    clock: Clock,
    pause: Duration,
    /// Mails that are tried again at the next round, at most [`MAX_WAITING`].
    again: VecDeque<Waiting>,
    next_round: Instant,
}

impl Sender {
    fn run(mut self, letters: &Receiver<(Letter, Duration)>) {
        loop {
            match self.next(letters) {
                Ok((letter, life)) => self.deliver(letter, life),
                Err(RecvTimeoutError::Timeout) => self.try_again(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.try_again();
        if !self.again.is_empty() {
            error!(
                mails = self.again.len(),
                "mails were dropped: the console ends, and the mail server took none of them"
            );
        }
    }

    /// The next letter, unless a round is due before it.
    fn next(&self, letters: &Receiver<(Letter, Duration)>) -> Result<(Letter, Duration), RecvTimeoutError> {
        if self.again.is_empty() {
            return letters.recv().map_err(|_| RecvTimeoutError::Disconnected);
        }
        match self.next_round.saturating_duration_since(Instant::now()) {
            // Letters that come one after the other do not put it off.
            Duration::ZERO => Err(RecvTimeoutError::Timeout),
            left => letters.recv_timeout(left),
        }
    }

    fn deliver(&mut self, letter: Letter, life: Duration) {
        let now = (self.clock)();
        match letter() {
            Ok(Some(mail)) => {
                let life = SignedDuration::try_from(life).unwrap_or(SignedDuration::MAX);
                let until = now.saturating_add(life).unwrap_or(Timestamp::MAX);
                if let Some(error) = self.send(Waiting { mail, until }, now).filter(MailError::is_temporary) {
                    warn!(%error, "a mail waits for the mail server");
                }
            }
            Ok(None) => {}
            Err(error) => error!(%error, "a mail could not be written"),
        }
    }

    /// Tries all that wait once more, up to the first that finds no mail server.
    fn try_again(&mut self) {
        let mut waiting = mem::take(&mut self.again);
        while let Some(next) = waiting.pop_front() {
            let now = (self.clock)();
            if next.until <= now {
                error!("a mail was dropped: the mail server did not take it in time");
            } else if let Some(MailError::Server(_)) = self.send(next, now) {
                break;
            }
        }
        self.again.append(&mut waiting);
        self.next_round = Instant::now() + self.pause;
    }

    /// Sends a mail; why it was not taken. If it may be taken later, it waits for that.
    fn send(&mut self, waiting: Waiting, now: Timestamp) -> Option<MailError> {
        let error = self.mailer.send(&waiting.mail, now).err()?;
        if !error.is_temporary() {
            error!(%error, "a mail was dropped");
        } else if self.again.len() >= MAX_WAITING {
            error!(%error, waiting = MAX_WAITING, "a mail was dropped: too many wait for the mail server");
        } else {
            if self.again.is_empty() {
                self.next_round = Instant::now() + self.pause;
            }
            self.again.push_back(waiting);
        }
        Some(error)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::console::mail::Hop;
    use crate::console::state::MailOptions;
    use crate::policy::address::Address;

    #[test]
    fn what_does_not_fit_is_dropped_and_what_waits_has_its_moment_at_the_end() {
        let sender = Address::parse("cim@acme.example").expect("an address");
        let options = MailOptions { host: "127.0.0.1".to_owned(), port: 1, hop: Hop::Local, sender };
        let mailer = Mailer::new(&options).expect("nothing to prepare");
        let outbox =
            Outbox::open(Arc::new(mailer), Arc::new(Timestamp::now), Duration::from_secs(60)).expect("a thread");
        let ((begins, begun), (go, wait)) = (channel(), channel::<()>());
        outbox.put(Duration::ZERO, move || {
            begins.send(()).expect("awaited");
            // Until the sender is gone.
            wait.recv().unwrap_or_default();
            Ok(None)
        });
        begun.recv().expect("it begins");
        let written = Arc::new(AtomicUsize::new(0));
        for _ in 0..MAX_WAITING + 5 {
            let written = Arc::clone(&written);
            outbox.put(Duration::ZERO, move || {
                written.fetch_add(1, Ordering::SeqCst);
                Ok(None)
            });
        }
        drop(go);
        outbox.close();
        assert_eq!(written.load(Ordering::SeqCst), MAX_WAITING);
    }
}
