//! The HTTP clients, each built once, when an upstream first needs it.

use std::fs;
use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, redirect};
use tokio::sync::OnceCell;
use tracing::warn;
use url::Url;

use super::chain;
use super::wake::Wake;
use crate::config::is_loopback;

/// How long making a connection may take, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an unused connection is kept: under the 60 s after which common balancers drop it.
const POOL_IDLE: Duration = Duration::from_secs(55);

/// How often a silent connection is checked, so that a dead one is noticed.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// One client for plain HTTP on loopback, which needs neither certificates nor a proxy
/// and is ready at once; one for everything else.
#[derive(Debug, Default)]
pub struct Clients {
    loopback: OnceCell<Client>,
    network: OnceCell<Client>,
    pub(super) wake: Wake,
}

impl Clients {
    /// The client for a url. It follows no redirects.
    ///
    /// # Errors
    /// When it cannot be built: no certificate could be read.
    pub async fn get(&self, url: &Url) -> Result<Client, reqwest::Error> {
        let client = if is_loopback(url) && url.scheme() == "http" {
            // No certificate is trusted: this client never speaks TLS.
            // Nor would compression gain anything here.
            let build = || async {
                let base = base().no_gzip().no_brotli().no_zstd();
                base.no_proxy().tls_certs_only([]).build()
            };
            self.loopback.get_or_try_init(build).await
        } else {
            // Reading the system's certificates takes tens of milliseconds.
            self.network
                .get_or_try_init(|| async {
                    let built = tokio::task::spawn_blocking(|| {
                        base().tls_certs_merge(extra_certificates()).build()
                    });
                    built.await.unwrap_or_else(|_| base().build())
                })
                .await
        };
        client.cloned()
    }
}

fn base() -> ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE)
        .tcp_keepalive(TCP_KEEPALIVE)
        .tcp_nodelay(true)
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
    match pem.and_then(|pem| Certificate::from_pem_bundle(&pem).map_err(|e| chain(&e))) {
        Ok(certificates) => certificates,
        Err(error) => {
            warn!(path = %path.display(), error, "cannot read NODE_EXTRA_CA_CERTS");
            Vec::new()
        }
    }
}
