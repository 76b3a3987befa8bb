//! The redirect URI of the browser, on this machine (RFC 8252 § 7.3).

use url::Url;

/// A redirect URI on loopback, kept as registered: http, no query, no fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri {
    text: String,
    host: LoopbackHost,
    port: Option<u16>,
}

/// The host of a [`RedirectUri`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopbackHost {
    /// `127.0.0.1`
    V4,
    /// `[::1]`
    V6,
    /// `localhost`, which may be either.
    Localhost,
}

impl LoopbackHost {
    const ALL: [Self; 3] = [Self::V4, Self::V6, Self::Localhost];

    /// The host as written in a URI.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "127.0.0.1",
            Self::V6 => "[::1]",
            Self::Localhost => "localhost",
        }
    }
}

/// The start of every redirect URI on loopback.
const SCHEME: &str = "http://";

impl RedirectUri {
    /// Parses a redirect URI. The error does not quote it, since it may hold secrets.
    ///
    /// # Errors
    /// The fault and its remedy, as a clause that follows the key's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let not_loopback = || {
            "is not an http url of this machine; write it as in `http://localhost:8123/callback`"
                .to_owned()
        };
        let rest = text.strip_prefix(SCHEME).ok_or_else(not_loopback)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let known = |host: LoopbackHost| Some((host, authority.strip_prefix(host.as_str())?));
        let (host, port) = LoopbackHost::ALL
            .into_iter()
            .find_map(known)
            .filter(|(_, port)| port.is_empty() || port.starts_with(':'))
            .ok_or_else(not_loopback)?;
        let port = match port.strip_prefix(':') {
            Some(port) => Some(read_port(port)?),
            None => None,
        };
        // A path that the parser changes would differ from the registered one.
        let read = Url::parse(text).map_err(|_| not_loopback())?;
        if path.contains(['?', '#']) || !path.is_empty() && read.path() != path {
            return Err("must end with a plain path, as in `/callback`; correct it".to_owned());
        }
        Ok(Self {
            text: text.to_owned(),
            host,
            port,
        })
    }

    /// `http://localhost:PORT/callback`, as in other clients.
    #[must_use]
    pub fn at_port(port: u16) -> Self {
        let host = LoopbackHost::Localhost;
        Self {
            text: format!("{SCHEME}{}:{port}/callback", host.as_str()),
            host,
            port: Some(port),
        }
    }

    /// The URI as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> LoopbackHost {
        self.host
    }

    /// The port; `None` for any, since servers accept any port on loopback (RFC 8252 § 7.3).
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The path, or `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        let rest = self.text.strip_prefix(SCHEME).unwrap_or_default();
        rest.find('/').map_or("/", |start| &rest[start..])
    }

    /// The URI with this port; as written if it has a port already.
    #[must_use]
    pub fn with_port(&self, port: u16) -> String {
        if self.port.is_some() {
            return self.text.clone();
        }
        let start = SCHEME.len() + self.host.as_str().len();
        let (before, path) = self.text.split_at(start);
        format!("{before}:{port}{path}")
    }
}

/// Parses a port.
///
/// # Errors
/// The fault and its remedy.
pub(super) fn read_port(text: &str) -> Result<u16, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port > 0);
    port.ok_or_else(|| "has no usable port; use one from 1 to 65535".to_owned())
}
