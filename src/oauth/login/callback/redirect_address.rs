//! Where to listen: at the configured redirect URI, or at ports that stay the same.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use crate::config::{LoopbackHost, RedirectUri, ServerUrl, UpstreamName};

/// The first unassigned port, 49152. All higher ports share its bits (RFC 6335 § 6).
const FIRST_PORT: u16 = 0xC000;

/// The path of the default redirect URI.
const PATH: &str = "/callback";

/// How many neighbouring ports are tried before any port is taken.
const NEIGHBOUR_PORTS: u16 = 4;

/// Where to listen, in order of preference.
///
/// The port derives from the upstream's name and URL, so that the redirect URI stays as registered.
/// Some servers compare the port, against RFC 8252 § 7.3.
#[derive(Debug, Clone)]
pub struct RedirectAddress {
    pub(super) upstream: String,
    configured: Option<RedirectUri>,
    ports: Vec<u16>,
}

impl RedirectAddress {
    /// Returns the address for an upstream: the configured redirect URI, on any port if it names
    /// none; otherwise `http://127.0.0.1:<port>/callback`.
    #[must_use]
    pub fn new(upstream: &UpstreamName, url: &ServerUrl, configured: Option<&RedirectUri>) -> Self {
        let first = first_port(upstream.as_str(), &url.to_string());
        let near = (0..=NEIGHBOUR_PORTS).map(|step| first.wrapping_add(step) | FIRST_PORT);
        Self {
            upstream: upstream.as_str().to_owned(),
            configured: configured.cloned(),
            ports: near.collect(),
        }
    }

    /// Prefers the port of a registered redirect URI, if the URI matches otherwise.
    #[must_use]
    pub fn prefer(mut self, redirect_uri: &str) -> Self {
        let registered = RedirectUri::parse(redirect_uri).ok();
        let port = registered.and_then(|registered| registered.port());
        let port = port.filter(|port| self.redirect_uri(*port) == redirect_uri);
        if let Some(port) = port {
            self.ports.retain(|known| *known != port);
            self.ports.insert(0, port);
        }
        self
    }

    fn host(&self) -> LoopbackHost {
        let configured = self.configured.as_ref();
        configured.map_or(LoopbackHost::V4, RedirectUri::host)
    }

    /// Returns the path of the redirect URI.
    pub(super) fn path(&self) -> &str {
        let configured = self.configured.as_ref();
        configured.map_or(PATH, RedirectUri::path)
    }

    /// Returns the redirect URI for a port.
    pub(super) fn redirect_uri(&self, port: u16) -> String {
        match &self.configured {
            Some(configured) => configured.with_port(port),
            None => format!("http://{}:{port}{PATH}", self.host().as_str()),
        }
    }

    /// Listens at the first free address, and returns the port.
    pub(super) async fn listen(&self) -> io::Result<(Vec<TcpListener>, u16)> {
        let configured = self.configured.as_ref();
        if let Some(port) = configured.and_then(RedirectUri::port) {
            let listeners = self.listen_on(port).await;
            let listeners = listeners.map_err(|error| self.bind_error(port, &error));
            return Ok((listeners?, port));
        }
        for port in &self.ports {
            if let Ok(listeners) = self.listen_on(*port).await {
                return Ok((listeners, *port));
            }
        }
        // With `localhost`, a port may be free on one address and taken on the other.
        for _ in 0..NEIGHBOUR_PORTS {
            if let Ok(found) = self.listen_on_any_port().await {
                return Ok(found);
            }
        }
        self.listen_on_any_port().await
    }

    async fn listen_on_any_port(&self) -> io::Result<(Vec<TcpListener>, u16)> {
        let listeners = self.listen_on(0).await?;
        let first = listeners.first().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let port = first.local_addr()?.port();
        Ok((listeners, port))
    }

    /// Returns the error for the configured address, with the remedy.
    fn bind_error(&self, port: u16, error: &io::Error) -> io::Error {
        let uri = self.redirect_uri(port);
        let kind = error.kind();
        let text = match kind {
            io::ErrorKind::AddrInUse => format!(
                "another program listens at the redirect URI `{uri}`; \
                 end it, or change `oauth.redirect_uri`"
            ),
            _ => format!(
                "cannot listen at the redirect URI `{uri}` ({error}); \
                 change `oauth.redirect_uri`"
            ),
        };
        io::Error::new(kind, text)
    }

    /// Listens on every address of the host. `localhost` needs both: the browser may use either,
    /// and another program must not receive the code. A machine without IPv6 (or IPv4) has only
    /// one.
    async fn listen_on(&self, port: u16) -> io::Result<Vec<TcpListener>> {
        let v4 = || SocketAddr::from((IpAddr::from(Ipv4Addr::LOCALHOST), port));
        let v6 = |port| SocketAddr::from((IpAddr::from(Ipv6Addr::LOCALHOST), port));
        match self.host() {
            LoopbackHost::V4 => Ok(vec![TcpListener::bind(v4()).await?]),
            LoopbackHost::V6 => Ok(vec![TcpListener::bind(v6(port)).await?]),
            LoopbackHost::Localhost => {
                let first = match TcpListener::bind(v4()).await {
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
                    first => first,
                };
                let port = match &first {
                    Ok(first) => first.local_addr()?.port(),
                    Err(_) => port,
                };
                match (first, TcpListener::bind(v6(port)).await) {
                    (_, Err(error)) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
                    (Ok(first), Ok(second)) => Ok(vec![first, second]),
                    (Ok(one), Err(_)) | (Err(_), Ok(one)) => Ok(vec![one]),
                    (Err(error), Err(_)) => Err(error),
                }
            }
        }
    }
}

/// Returns the same port for the same upstream in every run.
fn first_port(upstream: &str, url: &str) -> u16 {
    let digest = Sha256::new()
        .chain_update(upstream)
        .chain_update([0])
        .chain_update(url)
        .finalize();
    FIRST_PORT | u16::from_be_bytes([digest[0], digest[1]])
}

#[cfg(test)]
mod tests;
