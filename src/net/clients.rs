//! The HTTP clients: each built when an upstream first needs it, and again when all connections are
//! to be new.

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

/// How long making a connection may take, TLS included, where nobody says.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an unused connection is kept: under the 60 s after which common balancers drop it.
const POOL_IDLE: Duration = Duration::from_secs(55);

/// After how much silence the other system is asked whether a connection is still there.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// How often it is asked again, and how many times it may fail to answer: a connection whose other end
/// vanished is noticed 90 s after its last sign of life.
const TCP_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const TCP_KEEPALIVE_RETRIES: u32 = 4;

/// How long what was sent may stay unacknowledged by the other system: the same time, since it is not
/// asked meanwhile.
#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(90);

/// After how much silence an HTTP/2 connection is pinged, and how long the answer may take. What is
/// between us and the server may keep a TCP connection alive that leads nowhere.
const HTTP2_PING: Duration = Duration::from_secs(30);
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(20);

/// One client for plain HTTP on loopback, which needs neither certificates nor a proxy
/// and is ready at once; one for everything else.
#[derive(Debug)]
pub struct Clients {
    loopback: CurrentClient,
    network: CurrentClient,
    suspend: SuspendDetector,
}

impl Default for Clients {
    /// Those that give a connection 10 s.
    fn default() -> Self {
        Self::new(CONNECT_TIMEOUT)
    }
}

impl Clients {
    /// Clients that give up a connection which is not made, TLS included, within `connect_timeout`.
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

    /// The client for a url. It follows no redirects.
    ///
    /// # Errors
    /// When it cannot be built: no certificate could be read.
    pub async fn get(&self, url: &Url) -> Result<Client, reqwest::Error> {
        self.current(url).get().await
    }

    /// Whichever client is the one for a url at the time.
    #[must_use]
    pub fn current(&self, url: &Url) -> CurrentClient {
        match is_loopback(url) && url.scheme() == "http" {
            true => self.loopback.clone(),
            false => self.network.clone(),
        }
    }

    /// Leaves all connections: requests from now on make new ones. Those in flight keep theirs, which
    /// close when they have ended.
    ///
    /// For when connections may have died without a sign, as in sleep or a change of networks.
    pub fn renew(&self) {
        self.loopback.discard();
        self.network.discard();
    }

    /// Changes each time that the process resumes after it was suspended.
    #[must_use]
    pub fn resumed(&self) -> watch::Receiver<u64> {
        self.suspend.resumed()
    }

    /// How often the process has resumed.
    #[must_use]
    pub fn resume_count(&self) -> u64 {
        self.suspend.resume_count()
    }

    /// Detects that the process was suspended, if it was, before anything is sent on what was connected.
    /// Reads the clocks and does nothing else where it was not. Call this before something is sent, since
    /// [`Self::watch_suspend`] may resume later.
    pub fn detect_suspend(&self) {
        if let Some(suspended_for) = self.suspend.suspended_for() {
            info!(
                ?suspended_for,
                "resumed after suspend; checking connections"
            );
            // What was connected may be dead without a word.
            self.renew();
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

/// A client that [`Clients::renew`] replaces under whoever holds this. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CurrentClient(Arc<ClientSlot>);

#[derive(Debug)]
struct ClientSlot {
    is_loopback: bool,
    connect_timeout: Duration,
    built: Mutex<Arc<OnceCell<Client>>>,
}

impl CurrentClient {
    /// How long making a connection may take, TLS included.
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        self.0.connect_timeout
    }

    /// The client, built if there is none.
    ///
    /// # Errors
    /// When it cannot be built: no certificate could be read.
    pub async fn get(&self) -> Result<Client, reqwest::Error> {
        match self.built() {
            Ok(client) => Ok(client),
            // Boxed: it is large, and on the path of every call.
            Err(cell) => {
                Box::pin(async move {
                    let client = cell.get_or_try_init(|| self.build()).await;
                    client.cloned()
                })
                .await
            }
        }
    }

    /// The client, or where it is to be built.
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
            // No certificate is trusted: this client never speaks TLS.
            // Nor would compression gain anything here.
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

/// The certificates that users of Node-based clients have already configured.
/// `SSL_CERT_FILE` and `SSL_CERT_DIR` are read by the platform verifier.
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
