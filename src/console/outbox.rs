//! Mails on their way to the mail server. One thread writes and sends them, beside those that answer requests: a mail server
//! that hangs keeps no page waiting, and no answer tells by its time whether anybody is written to.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::{error, warn};

use super::mail::{Mail, Mailer};
use crate::store::{Clock, StoreError};

/// Mails that wait for the mail server; more are dropped.
pub const MAX_WAITING: usize = 1_024;
/// How long mails that wait have when the console stops.
const STOP_TIME: Duration = Duration::from_secs(2);

/// Finds out to whom to write, and what; nothing where nobody is to be written to.
type Letter = Box<dyn FnOnce() -> Result<Option<Mail>, StoreError> + Send>;

/// Where mails are handed over; they are sent in this order.
pub struct Outbox {
    waiting: Mutex<Option<SyncSender<Letter>>>,
    ended: Mutex<Receiver<()>>,
}

impl Outbox {
    /// Starts the thread.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn open(mailer: Arc<Mailer>, clock: Clock) -> io::Result<Self> {
        let (waiting, letters) = sync_channel::<Letter>(MAX_WAITING);
        let (ends, ended) = channel();
        let send = move || {
            for letter in letters {
                deliver(&mailer, &clock, letter);
            }
            drop(ends);
        };
        thread::Builder::new().name("console-mail".to_owned()).spawn(send)?;
        Ok(Self { waiting: Mutex::new(Some(waiting)), ended: Mutex::new(ended) })
    }

    /// Hands a mail over, which `letter` writes on the thread that sends it.
    pub fn put(&self, letter: impl FnOnce() -> Result<Option<Mail>, StoreError> + Send + 'static) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(waiting) = waiting.as_ref() else { return };
        match waiting.try_send(Box::new(letter)) {
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
        if ended.recv_timeout(STOP_TIME) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            warn!("the console stopped before all its mails were sent");
        }
    }
}

fn deliver(mailer: &Mailer, clock: &Clock, letter: Letter) {
    match letter() {
        Ok(Some(mail)) => {
            if let Err(error) = mailer.send(&mail, clock()) {
                error!(%error, "a mail could not be sent");
            }
        }
        Ok(None) => {}
        Err(error) => error!(%error, "a mail could not be written"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use jiff::Timestamp;

    use super::*;
    use crate::console::state::MailOptions;
    use crate::policy::address::Address;

    #[test]
    fn what_does_not_fit_is_dropped_and_what_waits_has_its_moment_at_the_end() {
        let sender = Address::parse("cim@acme.example").expect("an address");
        let mailer = Mailer::new(&MailOptions { host: "127.0.0.1".to_owned(), port: 1, sender });
        let outbox = Outbox::open(Arc::new(mailer), Arc::new(Timestamp::now)).expect("a thread");
        let ((begins, begun), (go, wait)) = (channel(), channel::<()>());
        outbox.put(move || {
            begins.send(()).expect("awaited");
            // Until the sender is gone.
            wait.recv().unwrap_or_default();
            Ok(None)
        });
        begun.recv().expect("it begins");
        let written = Arc::new(AtomicUsize::new(0));
        for _ in 0..MAX_WAITING + 5 {
            let written = Arc::clone(&written);
            outbox.put(move || {
                written.fetch_add(1, Ordering::SeqCst);
                Ok(None)
            });
        }
        drop(go);
        outbox.close();
        assert_eq!(written.load(Ordering::SeqCst), MAX_WAITING);
    }
}
