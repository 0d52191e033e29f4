//! The console's socket, and a runtime of its own: nothing of it runs on the threads that serve mail.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use axum_server::tls_rustls::RustlsConfig;
use axum_server::{Handle, Server};
use hyper_util::rt::TokioTimer;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tracing::{error, info};

use super::connections::{Bounded, MAX_CONNECTIONS};
use super::protect::protected;
use super::state::{Console, Options};
use super::{routes, upkeep};
use crate::metrics::Troubles;
use crate::store::{Clock, Store, UserId};

/// Threads that answer requests.
const THREADS: usize = 2;
/// Threads for what blocks: the store, password hashing.
const BLOCKING_THREADS: usize = 16;
/// How long a browser may take to send the head of a request.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// How long running requests have when the console stops.
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// A console that is bound, and not yet serving.
pub struct Bound {
    listener: TcpListener,
    console: Console,
}

impl Bound {
    /// Binds the socket.
    ///
    /// # Errors
    /// The address cannot be had.
    pub fn bind(options: Options, store: Arc<dyn Store>, clock: Clock) -> anyhow::Result<Self> {
        let listen = options.listen;
        let listener = TcpListener::bind(listen).with_context(|| format!("console.listen: {listen}"))?;
        listener.set_nonblocking(true).context("console.listen")?;
        let bound = listener.local_addr().context("console.listen")?;
        let console = Console::new(store, options, clock, bound).context("the console's threads")?;
        Ok(Self { listener, console })
    }

    /// Shows operators the last troubles of this process, which has no relay that would.
    pub fn with_troubles(mut self, troubles: Arc<Troubles>) -> Self {
        self.console.troubles = troubles;
        self
    }

    /// What browsers call it.
    pub fn origin(&self) -> &str {
        &self.console.origin
    }

    /// A link that signs a user in, in any browser, for as long as this process runs: for the demo alone.
    pub fn demo_link(&self, user: UserId) -> Option<String> {
        Some(format!("{}{}", self.console.origin, self.console.demo.make(user)?))
    }

    /// Serves on a thread of its own until [`Serving::stop`].
    ///
    /// # Errors
    /// A certificate or key that cannot be used, a thread that cannot be started.
    pub fn serve(self) -> anyhow::Result<Serving> {
        let console = Arc::new(self.console);
        let tls = console.options.tls.as_ref().map(|(certificate, key)| tls(certificate, key)).transpose()?;
        let app = protected(routes(&console), &console)?;
        let handle = Handle::new();
        let (stop, served) = (handle.clone(), Arc::clone(&console));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("console")
            .enable_all()
            .build()
            .context("the console's threads")?;
        info!(url = console.origin, "the console listens");
        let run = move || {
            let done = runtime.block_on(async {
                tokio::spawn(upkeep::run(console));
                let service = app.into_make_service_with_connect_info::<SocketAddr>();
                match tls {
                    Some(tls) => {
                        let server = axum_server::from_tcp_rustls(self.listener, tls)?.handle(stop);
                        let server = server.map(|tls| Bounded::new(tls, MAX_CONNECTIONS));
                        patient(server).serve(service).await
                    }
                    None => {
                        let server = axum_server::from_tcp(self.listener)?.handle(stop);
                        let server = server.map(|plain| Bounded::new(plain, MAX_CONNECTIONS));
                        patient(server).serve(service).await
                    }
                }
            });
            // What blocks has its end as well, or a store that hangs keeps the process.
            runtime.shutdown_timeout(DRAIN_TIME);
            if let Err(error) = done {
                error!(%error, "the console stopped by itself");
            }
        };
        let thread = thread::Builder::new().name("console".to_owned()).spawn(run)?;
        Ok(Serving { handle, thread, console: served })
    }
}

/// No longer than browsers need: nothing that only keeps a connection does so for long. HTTP/1 alone, since what waits to see
/// which version is spoken waits without end.
fn patient<A>(server: Server<SocketAddr, A>) -> Server<SocketAddr, A> {
    let mut server = server.http1_only().first_request_timeout(HEADER_TIME);
    server.http_builder().http1().header_read_timeout(HEADER_TIME).timer(TokioTimer::new());
    server
}

fn tls(certificate: &Path, key: &Path) -> anyhow::Result<RustlsConfig> {
    let read = |path: &Path| fs::read(path).with_context(|| path.display().to_string());
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(certificate)?).collect();
    let chain = chain.map_err(io::Error::other).with_context(|| certificate.display().to_string())?;
    let private = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(io::Error::other);
    let private = private.with_context(|| key.display().to_string())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .with_context(|| format!("{} and {}", certificate.display(), key.display()))?;
    Ok(RustlsConfig::from_config(Arc::new(config)))
}

/// A console that serves.
pub struct Serving {
    handle: Handle<SocketAddr>,
    thread: JoinHandle<()>,
    console: Arc<Console>,
}

impl Serving {
    /// Stops it; running requests have a moment to end, and mails that wait one to be sent.
    pub fn stop(self) {
        self.handle.graceful_shutdown(Some(DRAIN_TIME));
        if self.thread.join().is_err() {
            error!("the console panicked, a fault of perso-milter");
        }
        self.console.outbox.close();
    }
}
