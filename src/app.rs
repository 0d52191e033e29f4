//! The daemon: everything is wired here, in the order in which it starts.

mod background;
mod keepers;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, setrlimit};
use tracing::{error, info, warn};

use background::{Background, Signals};

use keepers::Keepers;

pub use background::LostLines;

use crate::cache::{Cache, Follower};
use crate::config::{Config, Loaded, Parsed, PublicUrl, Source};
use crate::console::mail::Hop;
use crate::console::server::Bound;
use crate::console::{MailOptions, Options};
use crate::directory::{Defaults, RelayDirectory, SharedDefaults};
use crate::metrics::Troubles;
use crate::milter::connection::Sessions;
use crate::milter::listen::{Group, Listener, ListenerOptions, bind};
use crate::milter::server::{Limits, Report, Shutdown, serve};
use crate::milter::settings::{MessageLimits, Role};
use crate::pulse::Pulse;
use crate::store::{Clock, SealAccess, SqliteOptions, SqliteStore, Store, coarse_clock, system_clock};

/// How often the console looks whether something is to be done by itself.
const UPKEEP: Duration = Duration::from_secs(60);

/// What is known of the log of this process.
#[derive(Clone, Default)]
pub struct LogState {
    /// Lines that were lost.
    pub lost: LostLines,
    /// The last warnings and errors.
    pub troubles: Arc<Troubles>,
}

/// A daemon that is bound and loaded, and not yet serving.
pub struct Daemon {
    source: Source,
    config: Config,
    listeners: Vec<Listener>,
    store: Arc<dyn Store>,
    directory: Arc<RelayDirectory>,
    cache: Arc<Cache>,
    follower: Follower,
    signals: Signals,
    shutdown: Shutdown,
    log: LogState,
    /// What the console goes by.
    defaults: SharedDefaults,
    console: Option<Bound>,
}

impl Daemon {
    /// Binds, opens the store, loads every list. Connections queue from the binding on, and none is accepted before the
    /// cache is complete.
    ///
    /// # Errors
    /// A socket that cannot be bound, a store that cannot be read, each with its remedy.
    pub fn start(loaded: Loaded, seal: SealAccess) -> anyhow::Result<Self> {
        forbid_core_dumps();
        let signals = Signals::take_over().context("signals")?;
        let Loaded { source, parsed: Parsed { config, warnings, .. } } = loaded;
        for warning in &warnings {
            warn!("{warning}");
        }
        let listeners = bind_all(&config)?;
        let clock = system_clock();
        let store = open_store(&config, &clock, seal)?;
        let defaults = SharedDefaults::new(Defaults::from(&config));
        // Without the seal key nobody's lists can be read: the relay alone has no console.
        let console = match seal {
            SealAccess::IfReadable => bind_console(&config, &defaults, &store, &clock)?,
            SealAccess::Never => None,
        };
        let cache = Arc::new(Cache::new(store.address_hasher()));
        let match_key = &store.keys().match_key;
        let directory = RelayDirectory::new(cache.clone(), match_key, Defaults::from(&config), coarse_clock());
        let directory = Arc::new(directory);
        let follower = Follower::start(&*store, cache.clone(), directory.clone())?;
        warn_of_folders(&*store, &directory);
        info!(version = env!("CARGO_PKG_VERSION"), configuration = %source, "ready");
        let shutdown = Shutdown::new();
        let log = LogState::default();
        Ok(Self {
            source,
            config,
            listeners,
            store,
            directory,
            cache,
            follower,
            signals,
            shutdown,
            log,
            defaults,
            console,
        })
    }

    /// Where the daemon listens, in the order of the configuration, with the ports that the system chose.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// The console, where there is one.
    pub fn console(&self) -> Option<&Bound> {
        self.console.as_ref()
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
        let (directory, cache, follower) = (self.directory.clone(), self.cache.clone(), self.follower.watch());
        let identity = (relay_name(&self.listeners), system_clock());
        let pulse = Pulse::new(self.store.clone(), directory, cache, follower, self.log.troubles.clone(), identity)?;
        let seat = pulse.follower();
        let keepers = Keepers::start(&self.store, &self.directory, pulse)?;
        let background = Background {
            source: self.source,
            config: self.config,
            store: self.store,
            directory: self.directory,
            defaults: self.defaults,
            cache: self.cache,
            follower: self.follower,
            seat,
            shutdown: self.shutdown.clone(),
            lost: self.log.lost,
            lost_before: 0,
        };
        let background = background.start(self.signals)?;
        let console = self.console.map(Bound::serve).transpose()?;
        notify(&[sd_notify::NotifyState::Ready]);
        let report = serve(self.listeners, limits, sessions, self.shutdown.clone());
        self.shutdown.trigger();
        if let Some(console) = console {
            console.stop();
        }
        if background.join().is_err() {
            error!("the upkeep thread panicked, a fault of perso-milter");
        }
        keepers.end();
        let report = report?;
        info!(finished = report.finished, cut = report.cut, "stopped");
        Ok(report)
    }
}

/// Opens the store of a configuration.
///
/// # Errors
/// Why it cannot be used, with the remedy.
pub fn open_store(config: &Config, clock: &Clock, seal: SealAccess) -> anyhow::Result<Arc<dyn Store>> {
    let path = config.store.url.path();
    let options = SqliteOptions { clock: clock.clone(), seal, ..SqliteOptions::default() };
    let store = SqliteStore::open(path, options).context("store.url")?;
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

/// What operators know a relay by: the host, and where it listens.
fn relay_name(listeners: &[Listener]) -> String {
    let host = nix::unistd::gethostname().map(|host| host.to_string_lossy().into_owned()).unwrap_or_default();
    let listener = listeners.first().map(|listener| listener.local_address().to_string());
    format!("{host} {}", listener.unwrap_or_default()).trim().to_owned()
}

/// Binds the console, where the configuration has one.
fn bind_console(
    config: &Config,
    defaults: &SharedDefaults,
    store: &Arc<dyn Store>,
    clock: &Clock,
) -> anyhow::Result<Option<Bound>> {
    let (Some(listen), Some(sender)) = (config.console.listen, &config.console.sender) else { return Ok(None) };
    let console = &config.console;
    let tls = console.tls_certificate.clone().zip(console.tls_key.clone());
    let options = Options {
        listen,
        scheme: if console.public_url.as_ref().is_some_and(PublicUrl::is_https) { "https" } else { "http" },
        authority: console.public_url.as_ref().map(|url| url.authority().to_owned()),
        tls,
        trusted_proxies: console.trusted_proxies.clone(),
        language: console.language,
        mail: MailOptions {
            host: console.smtp.host.clone(),
            port: console.smtp.port,
            hop: Hop::to(&console.smtp.host),
            sender: sender.address().clone(),
        },
        defaults: defaults.clone(),
        upkeep: UPKEEP,
    };
    Bound::bind(options, store.clone(), clock.clone()).map(Some)
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
            protected_senders: config.console.sender.iter().map(|sender| sender.address().clone()).collect(),
            ours: config.networks.ours.clone(),
            trusted_relays: config.networks.trusted_relays.clone(),
            submission_daemons: config.networks.submission_daemons.iter().map(|n| n.as_str().to_owned()).collect(),
            limits: MessageLimits {
                header_bytes: limits.header_bytes,
                headers: limits.headers,
                recipients: limits.recipients,
            },
            split: config.split_mode(),
        }
    }
}

/// One line for each organisation that asks for a folder which nobody has proven: nothing is filed there.
fn warn_of_folders(store: &dyn Store, directory: &RelayDirectory) {
    for (organisation, policy) in directory.organisations() {
        let choices = store.user_choices(organisation.id).unwrap_or_else(|error| {
            warn!(%error, "what users chose cannot be read");
            Vec::new()
        });
        let mut folders: Vec<&str> = policy.unproven(&choices).into_iter().map(|(_, folder)| folder).collect();
        folders.dedup();
        if let [first, ..] = folders[..] {
            warn!(
                organisation = organisation.name,
                folders = folders.join(", "),
                "a folder is not proven, so nothing is filed there; begin with: {}",
                organisation.probe_command(first)
            );
        }
    }
}

/// A core file would hold keys and lists: none is written, whoever started the daemon.
fn forbid_core_dumps() {
    let forbidden = setrlimit(Resource::RLIMIT_CORE, 0, 0).and_then(|()| set_dumpable(false));
    if let Err(error) = forbidden {
        warn!(%error, "a core file of a crash would hold keys and lists");
    }
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
pub fn run(loaded: Loaded, only: Option<Part>, log: &LogState) -> anyhow::Result<()> {
    if only == Some(Part::Console) {
        return run_console(loaded, log);
    }
    let seal = match only {
        Some(Part::Relay) => SealAccess::Never,
        _ => SealAccess::IfReadable,
    };
    Daemon { log: log.clone(), ..Daemon::start(loaded, seal)? }.serve()?;
    Ok(())
}

/// Runs the console alone, until SIGTERM or SIGINT.
fn run_console(loaded: Loaded, log: &LogState) -> anyhow::Result<()> {
    forbid_core_dumps();
    let signals = Signals::take_over().context("signals")?;
    let Loaded { source, parsed: Parsed { config, warnings, .. } } = loaded;
    for warning in &warnings {
        warn!("{warning}");
    }
    let clock = system_clock();
    let store = open_store(&config, &clock, SealAccess::IfReadable)?;
    if store.keys().seal_key.is_none() {
        bail!(
            "the console opens people's lists, and may not read seal.key beside the store; give that file to its account"
        );
    }
    let defaults = SharedDefaults::new(Defaults::from(&config));
    let Some(console) = bind_console(&config, &defaults, &store, &clock)? else {
        bail!("there is no console: set console.listen in {source}");
    };
    let serving = console.with_troubles(log.troubles.clone()).serve()?;
    info!(version = env!("CARGO_PKG_VERSION"), configuration = %source, "ready");
    notify(&[sd_notify::NotifyState::Ready]);
    signals.wait_for_end(|| background::reload(&source, &config, |read| defaults.set(read)));
    notify(&[sd_notify::NotifyState::Stopping]);
    serving.stop();
    info!("stopped");
    Ok(())
}
