//! What runs beside the mail path: signals, reload, and a look at the follower. None of it holds mail up, and a store that
//! is locked holds none of it up.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use super::{notify, warn_of_folders};
use crate::cache::{Cache, Follower};
use crate::config::{Config, Parsed, Source, load};
use crate::directory::{Defaults, RelayDirectory, SharedDefaults};
use crate::milter::server::Shutdown;
use crate::pulse::FollowerSeat;
use crate::store::Store;

/// How often the follower is looked at.
const WATCH: Duration = Duration::from_secs(5);

/// The signals of the daemon. They are taken over first of all: SIGHUP to a daemon that still loads must not end it.
pub struct Signals {
    runtime: Runtime,
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals over; what comes from here on waits to be read.
    ///
    /// # Errors
    /// As of the system.
    pub fn take_over() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let guard = runtime.enter();
        let hangup = signal(SignalKind::hangup())?;
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        drop(guard);
        Ok(Self { runtime, hangup, terminate, interrupt })
    }

    /// Blocks until the process is told to end; `reload` is called at SIGHUP.
    pub fn wait_for_end(self, reload: impl Fn()) {
        let Self { runtime, mut hangup, mut terminate, mut interrupt } = self;
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = terminate.recv() => break,
                    _ = interrupt.recv() => break,
                    _ = hangup.recv() => reload(),
                }
            }
        });
    }
}

/// Reads the configuration again and puts in force what can be while the process runs. One with an error is refused
/// whole, and the one in force stays.
pub fn reload(source: &Source, start: &Config, set: impl FnOnce(Defaults)) {
    notify(&[sd_notify::NotifyState::Reloading]);
    let named = match source {
        Source::File(path) => Some(path.as_path()),
        Source::Defaults => None,
    };
    match load(named) {
        Ok(loaded) => {
            let Parsed { config, warnings, .. } = loaded.parsed;
            warnings.iter().for_each(|warning| warn!("{warning}"));
            let is_as_at_start = start.milter == config.milter
                && start.store == config.store
                && start.console == config.console
                && start.log == config.log;
            if !is_as_at_start {
                warn!(
                    "[milter] apart from its limits on messages, [store], [console] and [log] take effect at the next \
                     start"
                );
            }
            set(Defaults::from(&config));
            info!(configuration = %source, "configuration reloaded");
        }
        Err(error) => {
            for problem in error.into_problems() {
                error!("{problem}");
            }
            error!(configuration = %source, "configuration refused; the one in force stays");
        }
    }
    notify(&[sd_notify::NotifyState::Ready]);
}

/// The part of the daemon that is not mail.
pub struct Background {
    /// Where the configuration came from, and comes from at SIGHUP.
    pub source: Source,
    /// The configuration of the start.
    pub config: Config,
    /// The store.
    pub store: Arc<dyn Store>,
    /// What sessions look up.
    pub directory: Arc<RelayDirectory>,
    /// What the console goes by.
    pub defaults: SharedDefaults,
    /// The lists.
    pub cache: Arc<Cache>,
    /// Keeps them.
    pub follower: Follower,
    /// Whose state is told to the store.
    pub seat: FollowerSeat,
    /// Ends the daemon.
    pub shutdown: Shutdown,
    /// Lines of the log that were lost.
    pub lost: LostLines,
    /// How many of them the log has told of.
    pub lost_before: usize,
}

impl Background {
    /// Starts the thread.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub fn start(self, signals: Signals) -> io::Result<JoinHandle<()>> {
        thread::Builder::new().name("upkeep".to_owned()).spawn(move || self.run(signals))
    }

    fn run(mut self, signals: Signals) {
        // However this thread ends, the daemon ends with it: without it no signal is heeded any more.
        let _stop = StopAtEnd(self.shutdown.clone());
        let Signals { runtime, mut hangup, mut terminate, mut interrupt } = signals;
        runtime.block_on(async {
            let mut watch = tokio::time::interval(WATCH);
            let shutdown = self.shutdown.clone();
            loop {
                tokio::select! {
                    _ = terminate.recv() => break,
                    _ = interrupt.recv() => break,
                    () = shutdown.triggered() => break,
                    _ = hangup.recv() => self.reload(),
                    _ = watch.tick() => {
                        self.watch_follower();
                        self.watch_log();
                    }
                }
            }
        });
        info!("stopping: no new connections, running messages end");
        notify(&[sd_notify::NotifyState::Stopping]);
        self.shutdown.trigger();
    }

    fn reload(&self) {
        reload(&self.source, &self.config, |defaults| {
            self.defaults.set(defaults.clone());
            self.directory.reload(defaults);
            warn_of_folders(&*self.store, &self.directory);
        });
    }

    /// What nobody was told of by the lines themselves.
    fn watch_log(&mut self) {
        let lost = (self.lost.0)();
        let lines = lost.saturating_sub(self.lost_before);
        if lines > 0 {
            self.lost_before = lost;
            warn!(lines, "lines of the log were lost: what reads standard error is slower than they come");
        }
    }

    /// A follower that is gone leaves lists that never change again; another takes its place.
    fn watch_follower(&mut self) {
        if self.follower.is_running() {
            return;
        }
        error!("the thread that follows the store is gone, a fault of perso-milter; another is started");
        match Follower::start(&*self.store, self.cache.clone(), self.directory.clone()) {
            Ok(follower) => {
                self.seat.take(follower.watch());
                self.follower = follower;
            }
            Err(error) => error!(%error, "the store cannot be followed; the last good lists serve on"),
        }
    }
}

/// How many lines of the log were lost, since whatever takes them is slower than they come.
#[derive(Clone)]
pub struct LostLines(Arc<dyn Fn() -> usize + Send + Sync>);

impl LostLines {
    /// As `count` tells.
    pub fn new(count: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        Self(Arc::new(count))
    }
}

/// Of a log that loses none.
impl Default for LostLines {
    fn default() -> Self {
        Self::new(|| 0)
    }
}

/// Asks for the daemon's end when it is dropped.
struct StopAtEnd(Shutdown);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        self.0.trigger();
    }
}
