//! What goes from the relay to the store besides changes: activity, totals, and how the relay is. Each has a thread that may
//! wait for the store. They end after the last message has: what a drain decides is kept as well.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use tracing::warn;

use crate::activity::{Keeper, Told};
use crate::directory::RelayDirectory;
use crate::pulse::{Beating, Clean, Pulse};
use crate::store::Store;

/// How often the totals of ended days are handed to the store.
const TOTALS: Duration = Duration::from_secs(60);
/// How long the end of the daemon waits for the store to take the last totals.
const LAST_TOTALS: Duration = Duration::from_secs(5);

/// The threads.
pub struct Keepers {
    totals: TotalsKeeper,
    activity: Keeper,
    pulse: Beating,
}

impl Keepers {
    /// Starts them.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub fn start(store: &Arc<dyn Store>, directory: &Arc<RelayDirectory>, pulse: Pulse) -> anyhow::Result<Self> {
        Ok(Self {
            totals: TotalsKeeper::start(store.clone(), directory.clone())?,
            activity: Keeper::start(store.clone(), directory.activity().clone()).context("activity")?,
            pulse: pulse.start().context("pulse")?,
        })
    }

    /// Hands over what is left, once no message can come any more.
    pub fn end(self) {
        self.totals.end();
        let clean = match self.activity.end() {
            Told::All => Clean::Yes,
            Told::NotAll => Clean::No,
        };
        self.pulse.end(clean);
    }
}

/// Hands totals to the store, on a thread that may wait for it.
struct TotalsKeeper {
    end: Sender<()>,
    ended: mpsc::Receiver<()>,
}

impl TotalsKeeper {
    fn start(store: Arc<dyn Store>, directory: Arc<RelayDirectory>) -> anyhow::Result<Self> {
        let (end, asked) = mpsc::channel();
        let (done, ended) = mpsc::channel();
        let keep = move || {
            while asked.recv_timeout(TOTALS) == Err(RecvTimeoutError::Timeout) {
                hand_over(&*store, &directory, Days::Ended);
            }
            hand_over(&*store, &directory, Days::All);
            let _ = done.send(());
        };
        thread::Builder::new().name("totals".to_owned()).spawn(keep).context("totals")?;
        Ok(Self { end, ended })
    }

    /// Hands over what is left; a store that is locked does not keep the daemon from ending.
    fn end(self) {
        let _ = self.end.send(());
        if self.ended.recv_timeout(LAST_TOTALS).is_err() {
            warn!("the store did not take the last totals in time; they are lost");
        }
    }
}

/// Which totals go to the store.
#[derive(Clone, Copy)]
enum Days {
    Ended,
    All,
}

fn hand_over(store: &dyn Store, directory: &RelayDirectory, days: Days) {
    let today = match days {
        Days::Ended => Some(directory.today()),
        Days::All => None,
    };
    let totals = directory.totals().take(today);
    if totals.is_empty() {
        return;
    }
    if let Err(error) = store.add_totals(&totals) {
        warn!(%error, "totals are kept until the store takes them");
        directory.totals().put_back(&totals);
    }
}
