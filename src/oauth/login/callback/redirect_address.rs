//! Where to listen: a redirect URI that is fixed, or ports that are the same in every run.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use crate::config::{LoopbackHost, RedirectUri, ServerUrl, UpstreamName};

/// The first port that no service is assigned, 49152; its bits are those of all further ones (RFC 6335 § 6).
const FIRST_PORT: u16 = 0xC000;

/// Where the browser comes back to when nothing is configured.
const PATH: &str = "/callback";

/// How many neighbours are tried before any port is taken.
const NEIGHBOURS: u16 = 4;

/// Where to listen, in order.
///
/// The port comes from the upstream's name and url: a server that compares redirect URIs with
/// their port, as it should not (RFC 8252 § 7.3), then knows ours from the last time.
#[derive(Debug, Clone)]
pub struct RedirectAddress {
    pub(super) upstream: String,
    configured: Option<RedirectUri>,
    ports: Vec<u16>,
}

impl RedirectAddress {
    /// Where an upstream's sign-in comes back to: the redirect URI that is configured, at any port
    /// if it names none; `http://127.0.0.1:<port>/callback` when none is.
    #[must_use]
    pub fn new(upstream: &UpstreamName, url: &ServerUrl, configured: Option<&RedirectUri>) -> Self {
        let first = first_port(upstream.as_str(), &url.to_string());
        let near = (0..=NEIGHBOURS).map(|step| first.wrapping_add(step) | FIRST_PORT);
        Self {
            upstream: upstream.as_str().to_owned(),
            configured: configured.cloned(),
            ports: near.collect(),
        }
    }

    /// First at the port of a redirect URI that a client was registered with, if it is one of ours.
    #[must_use]
    pub fn preferring(mut self, redirect_uri: &str) -> Self {
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

    /// The path of the redirect URI.
    pub(super) fn path(&self) -> &str {
        let configured = self.configured.as_ref();
        configured.map_or(PATH, RedirectUri::path)
    }

    /// The redirect URI when we listen on `port`.
    pub(super) fn redirect_uri(&self, port: u16) -> String {
        match &self.configured {
            Some(configured) => configured.with_port(port),
            None => format!("http://{}:{port}{PATH}", self.host().as_str()),
        }
    }

    /// Listens at the first place that is free, and says on which port.
    pub(super) async fn listen(&self) -> io::Result<(Vec<TcpListener>, u16)> {
        let configured = self.configured.as_ref();
        if let Some(port) = configured.and_then(RedirectUri::port) {
            let listeners = self.listen_on(port).await;
            let listeners = listeners.map_err(|error| self.not_there(port, &error));
            return Ok((listeners?, port));
        }
        for port in &self.ports {
            if let Ok(listeners) = self.listen_on(*port).await {
                return Ok((listeners, *port));
            }
        }
        // With `localhost`, a port that is free on one address may be taken on the other.
        for _ in 0..NEIGHBOURS {
            if let Ok(found) = self.listen_anywhere().await {
                return Ok(found);
            }
        }
        self.listen_anywhere().await
    }

    async fn listen_anywhere(&self) -> io::Result<(Vec<TcpListener>, u16)> {
        let listeners = self.listen_on(0).await?;
        let first = listeners.first().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let port = first.local_addr()?.port();
        Ok((listeners, port))
    }

    /// Why we cannot listen at the one place that is configured, and what to do.
    fn not_there(&self, port: u16, error: &io::Error) -> io::Error {
        let uri = self.redirect_uri(port);
        let kind = error.kind();
        let text = match kind {
            io::ErrorKind::AddrInUse => format!(
                "another program listens at `{uri}`, where the browser comes back to; \
                 end it, or change `oauth.redirect_uri`"
            ),
            _ => format!(
                "cannot listen at `{uri}`, where the browser comes back to ({error}); \
                 change `oauth.redirect_uri`"
            ),
        };
        io::Error::new(kind, text)
    }

    /// Listens on every address of the host. Of `localhost` both are needed, as the browser may
    /// ask either and another program must not get the code; only a machine without IPv6 (or IPv4)
    /// can do with one.
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

/// The same for the same upstream in every run.
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
