//! The url of a server: https, or http where tokens cannot be intercepted.

use std::fmt;

use url::{Host, Url};

/// The url of a remote server: https, http on loopback, or http if `allow_http` is set.
///
/// It has no user, password or fragment. `Display` omits the query, which may hold a key.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(Url);

impl ServerUrl {
    /// Parses a url.
    ///
    /// # Errors
    /// The fault and its remedy, as a clause that follows the key's name.
    pub(super) fn parse(text: &str, allow_http: bool) -> Result<Self, String> {
        let mut url = Url::parse(text).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => {
                format!("`{}` is not a url; write it with `https://`", plain(text))
            }
            error => format!("`{}` is not a url: {error}", plain(text)),
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "holds a user or password; put them into `headers`, as `Authorization`".to_owned(),
            );
        }
        url.set_fragment(None);
        let url = Self(url);
        match url.0.scheme() {
            "https" => Ok(url),
            "http" if allow_http || url.is_loopback() => Ok(url),
            "http" => Err(format!(
                "`{url}` would send tokens in the clear; use https, or http on localhost"
            )),
            scheme => Err(format!(
                "`{}` has the scheme `{scheme}`; use https, or http on localhost",
                plain(text)
            )),
        }
    }

    /// The url.
    #[must_use]
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// Whether the host is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }
}

/// Whether the host of a url is this machine (RFC 8252 § 7.3, RFC 6761 § 6.3).
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        shown.set_query(None);
        shown.fmt(f)
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerUrl({self})")
    }
}

/// The leading part of an invalid url, which cannot hold a password or a key.
fn plain(text: &str) -> &str {
    let end = text.find(['?', '#', '@']).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_https_or_on_loopback() {
        let good = [
            "https://mcp.example.com/mcp",
            "http://localhost:8080/mcp",
            "http://api.localhost/",
            "http://127.9.8.7/",
            "http://[::1]:1/",
        ];
        for text in good {
            assert!(ServerUrl::parse(text, false).is_ok(), "{text}");
        }
        let bad = [
            (
                "http://mcp.example.com/mcp?key=1",
                "`http://mcp.example.com/mcp` would send tokens in the clear; use https, or http on localhost",
            ),
            (
                "http://127.0.0.1.example.com/",
                "`http://127.0.0.1.example.com/` would send tokens in the clear; use https, or http on localhost",
            ),
            (
                "ftp://example.com",
                "`ftp://example.com` has the scheme `ftp`; use https, or http on localhost",
            ),
            (
                "mcp.example.com/mcp",
                "`mcp.example.com/mcp` is not a url; write it with `https://`",
            ),
            ("https://", "`https://` is not a url: empty host"),
            (
                "https://me:secret@example.com/",
                "holds a user or password; put them into `headers`, as `Authorization`",
            ),
            ("", "`` is not a url; write it with `https://`"),
        ];
        for (text, message) in bad {
            assert_eq!(
                ServerUrl::parse(text, false).unwrap_err(),
                message,
                "{text}"
            );
        }
        assert!(ServerUrl::parse("http://mcp.example.com/mcp", true).is_ok());
    }

    #[test]
    fn display_omits_the_query() {
        let url = ServerUrl::parse("https://example.com/mcp?key=hunter2#part", false).unwrap();
        assert_eq!(url.to_string(), "https://example.com/mcp");
        assert_eq!(format!("{url:?}"), "ServerUrl(https://example.com/mcp)");
        assert_eq!(url.as_url().as_str(), "https://example.com/mcp?key=hunter2");
    }
}
