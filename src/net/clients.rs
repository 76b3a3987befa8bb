//! The HTTP clients. Each is built on first use, and again after its connections were discarded.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, redirect};
use tokio::sync::{OnceCell, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use url::Url;

use super::connect_tracker::TrackConnects;
use super::error_chain;
use super::suspend::{SuspendDetector, TICK};
use crate::config::is_loopback;
use crate::sync::Mutex;

/// The default connect timeout, including TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an idle connection stays open: below the 60 s after which common load balancers drop it.
const POOL_IDLE: Duration = Duration::from_secs(55);

/// The idle time before TCP probes a connection.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// The interval and number of further probes: a dead connection is detected after 90 s.
const TCP_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const TCP_KEEPALIVE_RETRIES: u32 = 4;

/// How long sent data may stay unacknowledged: also 90 s, since TCP does not probe meanwhile.
#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(90);

/// The idle time before an HTTP/2 ping, and the timeout of its response. A middlebox may keep a TCP
/// connection alive whose server is gone.
const HTTP2_PING: Duration = Duration::from_secs(30);
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(20);

/// One client for plain HTTP on loopback, and one for all other urls. The loopback client is built
/// fast, since it needs neither certificates nor a proxy.
#[derive(Debug)]
pub struct Clients {
    loopback: CurrentClient,
    network: CurrentClient,
    suspend: SuspendDetector,
}

impl Default for Clients {
    /// Clients with a connect timeout of 10 s.
    fn default() -> Self {
        Self::new(CONNECT_TIMEOUT)
    }
}

impl Clients {
    /// Clients with this connect timeout, which includes TLS.
    #[must_use]
    pub fn new(connect_timeout: Duration) -> Self {
        let client = |is_loopback| {
            CurrentClient(Arc::new(ClientSlot {
                is_loopback,
                connect_timeout,
                built: Mutex::default(),
            }))
        };
        Self {
            loopback: client(true),
            network: client(false),
            suspend: SuspendDetector::default(),
        }
    }

    /// Returns the client for a url. It does not follow redirects.
    ///
    /// # Errors
    /// If no certificate can be read.
    pub async fn get(&self, url: &Url) -> Result<Client, reqwest::Error> {
        self.current(url).get().await
    }

    /// A handle of the client for a url.
    #[must_use]
    pub fn current(&self, url: &Url) -> CurrentClient {
        match is_loopback(url) && url.scheme() == "http" {
            true => self.loopback.clone(),
            false => self.network.clone(),
        }
    }

    /// Discards all connections, so that later requests open new ones. In-flight requests keep theirs,
    /// which close afterwards.
    ///
    /// Call this if connections may be dead without an error, as after a suspend or a change of networks.
    pub fn discard_connections(&self) {
        self.loopback.discard();
        self.network.discard();
    }

    /// A counter that changes each time the process resumes after a suspend.
    #[must_use]
    pub fn resumed(&self) -> watch::Receiver<u64> {
        self.suspend.resumed()
    }

    /// How often the process has resumed.
    #[must_use]
    pub fn resume_count(&self) -> u64 {
        self.suspend.resume_count()
    }

    /// Reads the clocks, and discards all connections if the process was suspended. Call this before
    /// sending, since the task of [`Self::watch_suspend`] may run later.
    pub fn detect_suspend(&self) {
        if let Some(suspended_for) = self.suspend.suspended_for() {
            info!(
                ?suspended_for,
                "resumed after suspend; checking connections"
            );
            // Connections may be dead without an error.
            self.discard_connections();
            self.suspend.notify_resumed();
        }
    }

    /// Watches the clocks until `cancel`. Spawned once in the process.
    pub async fn watch_suspend(self: Arc<Self>, cancel: CancellationToken) {
        self.suspend.start();
        while cancel.run_until_cancelled(sleep(TICK)).await.is_some() {
            self.detect_suspend();
        }
    }
}

/// A handle of the client that is current after [`Clients::discard_connections`]. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CurrentClient(Arc<ClientSlot>);

#[derive(Debug)]
struct ClientSlot {
    is_loopback: bool,
    connect_timeout: Duration,
    built: Mutex<Arc<OnceCell<Client>>>,
}

impl CurrentClient {
    /// The connect timeout, including TLS.
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        self.0.connect_timeout
    }

    /// Returns the client, and builds it if necessary.
    ///
    /// # Errors
    /// If no certificate can be read.
    pub async fn get(&self) -> Result<Client, reqwest::Error> {
        match self.built() {
            Ok(client) => Ok(client),
            // Boxed, since the future is large and part of every call.
            Err(cell) => {
                Box::pin(async move {
                    let client = cell.get_or_try_init(|| self.build()).await;
                    client.cloned()
                })
                .await
            }
        }
    }

    /// The client, or the cell in which to build it.
    fn built(&self) -> Result<Client, Arc<OnceCell<Client>>> {
        let cell = self.0.built.lock();
        cell.get().cloned().ok_or_else(|| cell.clone())
    }

    fn discard(&self) {
        let mut cell = self.0.built.lock();
        *cell = Arc::default();
    }

    async fn build(&self) -> Result<Client, reqwest::Error> {
        let base = client_builder(self.0.connect_timeout);
        if self.0.is_loopback {
            // This client never uses TLS, so it trusts no certificate. Compression has no use on loopback.
            let base = base.no_gzip().no_brotli().no_zstd();
            return base.no_proxy().tls_certs_only([]).build();
        }
        let connect_timeout = self.0.connect_timeout;
        // Reading the system's certificates takes tens of milliseconds.
        let built =
            tokio::task::spawn_blocking(|| base.tls_certs_merge(extra_certificates()).build());
        let plain = |_| self::client_builder(connect_timeout).build();
        built.await.unwrap_or_else(plain)
    }
}

fn client_builder(connect_timeout: Duration) -> ClientBuilder {
    let base = Client::builder();
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let base = base.tcp_user_timeout(TCP_USER_TIMEOUT);
    base.redirect(redirect::Policy::none())
        .connect_timeout(connect_timeout)
        .connector_layer(TrackConnects)
        .pool_idle_timeout(POOL_IDLE)
        .tcp_keepalive(TCP_KEEPALIVE)
        .tcp_keepalive_interval(TCP_KEEPALIVE_INTERVAL)
        .tcp_keepalive_retries(TCP_KEEPALIVE_RETRIES)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(HTTP2_PING)
        .http2_keep_alive_timeout(HTTP2_PING_TIMEOUT)
        .http2_keep_alive_while_idle(true)
        .http2_adaptive_window(true)
        .user_agent(concat!(
            env!("CARGO_PKG_NAME"),
            "/",
            env!("CARGO_PKG_VERSION")
        ))
}

/// The certificates that users of Node-based clients have configured.
/// The platform verifier reads `SSL_CERT_FILE` and `SSL_CERT_DIR`.
fn extra_certificates() -> Vec<Certificate> {
    let Some(path) = std::env::var_os("NODE_EXTRA_CA_CERTS").filter(|path| !path.is_empty()) else {
        return Vec::new();
    };
    let pem = fs::read(&path).map_err(|e| e.to_string());
    match pem.and_then(|pem| Certificate::from_pem_bundle(&pem).map_err(|e| error_chain(&e))) {
        Ok(certificates) => certificates,
        Err(error) => {
            warn!(path = %path.display(), error, "cannot read NODE_EXTRA_CA_CERTS");
            Vec::new()
        }
    }
}
