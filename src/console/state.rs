//! What every handler has.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::demo::Links;
use super::failure::Failure;
use super::limits::Limits;
use super::mail::{Hop, Mail, Mailer};
use super::outbox::Outbox;
use super::passkeys::Passkeys;
use super::upkeep::JournalState;
use crate::directory::{Defaults, SharedDefaults};
use crate::language::Language;
use crate::metrics::Troubles;
use crate::network::Network;
use crate::policy::address::Address;
use crate::store::{Clock, Store, StoreError};

/// How the console is run: plain values from the configuration.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens.
    pub listen: SocketAddr,
    /// `https` or, for a browser on the same machine, `http`.
    pub scheme: &'static str,
    /// The host, with the port where it is not the usual one, as browsers send it; left out, the address it listens on.
    pub authority: Option<String>,
    /// Certificate with chain, and key; left out, plain HTTP.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// For those who chose none.
    pub language: Language,
    /// For the mails it sends.
    pub mail: MailOptions,
    /// What organisations that set nothing else go by.
    pub defaults: SharedDefaults,
    /// How often it looks whether something is to be done by itself, and tries mails again that were not taken.
    pub upkeep: Duration,
}

/// How the console sends mail.
#[derive(Debug, Clone)]
pub struct MailOptions {
    /// Host of the mail server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How mails get there.
    pub hop: Hop,
    /// From whom the mails come.
    pub sender: Address,
}

/// The console.
pub struct Console {
    /// Lists and accounts.
    pub store: Arc<dyn Store>,
    /// How it is run.
    pub options: Options,
    /// What browsers call it: scheme and authority.
    pub origin: String,
    /// Hands its mails to the mail server.
    pub mailer: Arc<Mailer>,
    /// Mails that wait for it.
    pub outbox: Outbox,
    /// How often anybody may try to get in.
    pub limits: Limits,
    /// The ceremonies of WebAuthn.
    pub passkeys: Passkeys,
    /// The time.
    pub clock: Clock,
    /// Sign-in links of the demo; elsewhere none.
    pub demo: Links,
    /// What following the journal found last.
    pub journal: ArcSwapOption<JournalState>,
    /// The last warnings and errors of this process, where no relay of it tells of them.
    pub troubles: Arc<Troubles>,
}

impl Console {
    /// What organisations that set nothing else go by.
    pub fn defaults(&self) -> Arc<Defaults> {
        self.options.defaults.now()
    }

    /// A console over a store; `bound` is where it listens.
    ///
    /// # Errors
    /// The thread that sends its mails cannot be started, or TLS to the mail server cannot be had.
    pub fn new(store: Arc<dyn Store>, options: Options, clock: Clock, bound: SocketAddr) -> io::Result<Self> {
        let authority = options.authority.clone().unwrap_or_else(|| bound.to_string());
        let origin = format!("{}://{authority}", options.scheme);
        let mailer = Arc::new(Mailer::new(&options.mail).map_err(io::Error::other)?);
        let outbox = Outbox::open(Arc::clone(&mailer), clock.clone(), options.upkeep)?;
        let passkeys = Passkeys::new(&origin);
        Ok(Self {
            store,
            options,
            origin,
            mailer,
            outbox,
            limits: Limits::new(&clock),
            passkeys,
            clock,
            demo: Links::default(),
            journal: ArcSwapOption::empty(),
            troubles: Arc::default(),
        })
    }

    /// Has a mail sent, which `letter` writes on the thread that sends it: who is handed nothing waits as long for the answer.
    /// Where the mail server does not take it, it is tried again for its `life`.
    pub fn mail<F>(self: &Arc<Self>, life: Duration, letter: F)
    where
        F: FnOnce(&Self) -> Result<Option<Mail>, StoreError> + Send + 'static,
    {
        let console = Arc::clone(self);
        self.outbox.put(life, move || letter(&console));
    }

    /// Host and port as browsers send them.
    pub fn authority(&self) -> &str {
        self.origin.split_once("://").map_or("", |(_, authority)| authority)
    }

    /// Runs work that hashes a password, beside no more of it than there is memory for, until it is done: a client that leaves
    /// meanwhile makes no room for another.
    ///
    /// # Errors
    /// As [`Self::blocking`].
    pub async fn hashing<T, F>(self: &Arc<Self>, work: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    {
        let permit = self.limits.may_hash().await?;
        let hash = move |console: &Self| {
            let done = work(console);
            drop(permit);
            done
        };
        self.blocking(hash).await
    }

    /// Runs work that blocks (the store, password hashing) on a thread that may.
    ///
    /// # Errors
    /// Those of the work; [`Failure::Internal`] where it panicked.
    pub async fn blocking<T, F>(self: &Arc<Self>, work: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    {
        let console = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || work(&console)).await;
        done.map_err(|_| Failure::Internal)?.map_err(Failure::from)
    }
}
