//! The daemon: everything is wired here, in the order in which it starts.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

use crate::cache::{Cache, Follower};
use crate::config::{Config, Loaded, Parsed, Source, load};
use crate::directory::{Defaults, RelayDirectory};
use crate::milter::connection::Sessions;
use crate::milter::listen::{Group, Listener, ListenerOptions, bind};
use crate::milter::server::{Limits, Report, Shutdown, serve};
use crate::milter::settings::{MessageLimits, Role};
use crate::store::{Clock, SqliteOptions, SqliteStore, Store, system_clock};

/// How often the daemon hands ended days' totals to the store and watches how the cache stands to it.
const UPKEEP: Duration = Duration::from_secs(5);
/// Rows of the change feed that are kept for other processes; who is further behind loads everything anew.
const CHANGES_KEPT: u64 = 1_000_000;

/// A daemon that is bound and loaded, and not yet serving.
pub struct Daemon {
    source: Source,
    config: Config,
    listeners: Vec<Listener>,
    store: Arc<dyn Store>,
    directory: Arc<RelayDirectory>,
    follower: Follower,
    shutdown: Shutdown,
}

impl Daemon {
    /// Binds, opens the store, loads every list. Connections queue from the binding on, and none is accepted before the
    /// cache is complete.
    ///
    /// # Errors
    /// A socket that cannot be bound, a store that cannot be read, each with its remedy.
    pub fn start(loaded: Loaded) -> anyhow::Result<Self> {
        let Loaded { source, parsed: Parsed { config, warnings, .. } } = loaded;
        for warning in &warnings {
            warn!("{warning}");
        }
        let listeners = bind_all(&config)?;
        let clock = system_clock();
        let store = open_store(&config, &clock)?;
        let cache = Arc::new(Cache::new(store.address_hasher()));
        let defaults = Defaults::from(&config);
        let directory = Arc::new(RelayDirectory::new(cache.clone(), &store.keys().match_key, defaults, clock));
        let follower = Follower::start(&*store, cache.clone(), directory.clone())?;
        info!(version = env!("CARGO_PKG_VERSION"), configuration = %source, "ready");
        Ok(Self { source, config, listeners, store, directory, follower, shutdown: Shutdown::new() })
    }

    /// Where the daemon listens, in the order of the configuration, with the ports that the system chose.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// The store, for changes by this process.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Asks the daemon to stop, from any thread.
    pub fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Serves until SIGTERM, SIGINT or [`Self::shutdown`]; SIGHUP reloads the configuration.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub fn serve(self) -> anyhow::Result<Report> {
        for listener in &self.listeners {
            info!(address = %listener.local_address(), "listening");
        }
        let roles: Vec<Role> = self.config.milter.listeners.iter().map(|listener| listener.role).collect();
        let frame = u32::try_from(self.config.milter.limits.frame).unwrap_or(u32::MAX);
        let sessions = Arc::new(Sessions::new(self.directory.clone(), &roles, frame));
        let limits = limits(&self.config);
        let background = Background {
            source: self.source,
            config: self.config,
            store: self.store,
            directory: self.directory,
            follower: self.follower,
            shutdown: self.shutdown.clone(),
        };
        let background = thread::Builder::new().name("upkeep".to_owned()).spawn(move || background.run())?;
        notify(&[sd_notify::NotifyState::Ready]);
        let report = serve(self.listeners, limits, sessions, self.shutdown.clone());
        self.shutdown.trigger();
        if background.join().is_err() {
            error!("the upkeep thread panicked, a fault of perso-milter");
        }
        let report = report?;
        info!(finished = report.finished, cut = report.cut, "stopped");
        Ok(report)
    }
}

/// Opens the store of a configuration.
///
/// # Errors
/// Why it cannot be used, with the remedy.
pub fn open_store(config: &Config, clock: &Clock) -> anyhow::Result<Arc<dyn Store>> {
    let path = config.store.url.path();
    let options = SqliteOptions { clock: clock.clone(), ..SqliteOptions::default() };
    let store = SqliteStore::open(path, options).with_context(|| format!("store.url: {}", path.display()))?;
    Ok(Arc::new(store))
}

fn bind_all(config: &Config) -> anyhow::Result<Vec<Listener>> {
    let options = |listener: &crate::config::Listener| ListenerOptions {
        address: listener.address.clone(),
        mode: Some(listener.mode.bits()),
        group: listener.group.as_ref().map(|group| Group::Name(group.as_str().to_owned())),
    };
    let bound: Result<Vec<_>, _> = config.milter.listeners.iter().map(|l| bind(&options(l))).collect();
    Ok(bound?)
}

fn limits(config: &Config) -> Limits {
    let limits = &config.milter.limits;
    let default = Limits::default();
    Limits {
        threads: NonZeroUsize::new(config.milter.threads).unwrap_or(default.threads),
        connections: limits.connections,
        answer_bytes: limits.output,
        handshake_time: limits.handshake_time,
        message_time: limits.message_time,
        idle_time: limits.idle_time,
        drain_time: limits.drain_time,
    }
}

impl From<&Config> for Defaults {
    fn from(config: &Config) -> Self {
        let limits = &config.milter.limits;
        Self {
            personal: config.personal.policy(),
            black: config.black.policy(),
            white: config.white.policy(),
            authentication: config.authentication.policy(),
            delimiter: config.recipients.delimiter.map(|delimiter| delimiter.as_char()),
            ours: config.networks.ours.clone(),
            trusted_relays: config.networks.trusted_relays.clone(),
            submission_daemons: config.networks.submission_daemons.iter().map(|n| n.as_str().to_owned()).collect(),
            limits: MessageLimits {
                header_bytes: limits.header_bytes,
                headers: limits.headers,
                recipients: limits.recipients,
            },
        }
    }
}

/// What runs beside the mail path, on a thread of its own.
struct Background {
    source: Source,
    config: Config,
    store: Arc<dyn Store>,
    directory: Arc<RelayDirectory>,
    follower: Follower,
    shutdown: Shutdown,
}

impl Background {
    fn run(mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let ended = runtime.context("runtime").and_then(|runtime| runtime.block_on(self.watch()));
        if let Err(error) = ended {
            error!(error = format!("{error:#}"), "signals are not watched; the daemon stops");
            self.shutdown.trigger();
        }
        self.hand_over_totals(Days::All);
    }

    async fn watch(&mut self) -> anyhow::Result<()> {
        let mut hangup = signal(SignalKind::hangup())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut upkeep = tokio::time::interval(UPKEEP);
        let shutdown = self.shutdown.clone();
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                () = shutdown.triggered() => return Ok(()),
                _ = hangup.recv() => self.reload(),
                _ = upkeep.tick() => self.upkeep(),
            }
        }
        info!("stopping: no new connections, running messages end");
        notify(&[sd_notify::NotifyState::Stopping]);
        self.shutdown.trigger();
        Ok(())
    }

    /// A configuration with an error is refused whole, and the one in force stays.
    fn reload(&mut self) {
        notify(&[sd_notify::NotifyState::Reloading]);
        let named = match &self.source {
            Source::File(path) => Some(path.as_path()),
            Source::Defaults => None,
        };
        match load(named) {
            Ok(loaded) => {
                let Parsed { config, warnings, .. } = loaded.parsed;
                warnings.iter().for_each(|warning| warn!("{warning}"));
                if config.milter != self.config.milter
                    || config.store != self.config.store
                    || config.log != self.config.log
                {
                    warn!(
                        "[milter] apart from its limits on messages, [store] and [log] take effect at the next start"
                    );
                }
                self.directory.reload(Defaults::from(&config));
                info!(configuration = %self.source, "configuration reloaded");
            }
            Err(error) => {
                for problem in error.into_problems() {
                    error!("{problem}");
                }
                error!(configuration = %self.source, "configuration refused; the one in force stays");
            }
        }
        notify(&[sd_notify::NotifyState::Ready]);
    }

    fn upkeep(&self) {
        self.hand_over_totals(Days::Ended);
        if let Err(error) = self.store.prune_changes(CHANGES_KEPT) {
            // The follower tells of a store that is away; this is only put off.
            tracing::debug!(%error, "the change feed was not pruned");
        }
        let _ = self.follower.status();
    }

    fn hand_over_totals(&self, days: Days) {
        let today = match days {
            Days::Ended => Some(self.directory.today()),
            Days::All => None,
        };
        let totals = self.directory.totals().take(today);
        if totals.is_empty() {
            return;
        }
        if let Err(error) = self.store.add_totals(&totals) {
            warn!(%error, "totals are kept until the store takes them");
            self.directory.totals().put_back(&totals);
        }
    }
}

/// Which totals go to the store.
#[derive(Clone, Copy)]
enum Days {
    Ended,
    All,
}

/// Tells systemd, where it asked to be told.
fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "systemd could not be told");
    }
}

/// What part of the product runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// The milter.
    Relay,
    /// The console.
    Console,
}

/// Runs the daemon to its end.
///
/// # Errors
/// Why it does not start.
pub fn run(loaded: Loaded, only: Option<Part>) -> anyhow::Result<()> {
    if only == Some(Part::Console) {
        bail!("this version of perso-milter has no console; leave out --only, or say --only relay");
    }
    Daemon::start(loaded)?.serve()?;
    Ok(())
}
