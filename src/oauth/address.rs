//! Addresses from server documents, checked before use.
//!
//! An [`EndpointUrl`] may be opened in a browser or receive a code or token. An [`Issuer`]
//! identifies an authorization server and is compared byte for byte.

#[cfg(test)]
pub(in crate::oauth) mod tests;

use std::fmt;

use serde::{Serialize, Serializer};
use url::{Host, Url};

use super::error::DiscoveryError;
use crate::config::{ServerUrl, is_loopback};

/// The longest accepted address, in bytes. Browsers and servers disagree about longer ones.
const MAX_LENGTH: usize = 2048;

/// The punctuation allowed in an address (RFC 3986 § 2). `'`, `$`, `(` and `)` are left out. No
/// endpoint needs them, and a shell that starts the browser would interpret them.
pub(super) const URL_PUNCTUATION: &[u8] = b"-._~:/?#[]@!&*+,;=%";

/// An address that a document of an upstream may name (MCP 2026-07-28 § Communication Security,
/// RFC 8252 § 8.3). The scheme is https, or http if both the address and the upstream are on
/// loopback.
///
/// The address is printable ASCII without user, password or fragment (RFC 6749 § 3.1). A public
/// upstream may not name a loopback or private address. `Display` omits the query.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointUrl(Url);

impl EndpointUrl {
    /// Checks the address in `member` of a document of `upstream`.
    ///
    /// # Errors
    /// [`DiscoveryError::Address`].
    pub fn parse(
        member: &'static str,
        text: &str,
        upstream: &ServerUrl,
    ) -> Result<Self, DiscoveryError> {
        Self::parse_from_server(member, text, upstream.as_url())
    }

    /// Checks the address in `member` of a response from `server`, itself a checked address.
    pub(super) fn parse_from_server(
        member: &'static str,
        text: &str,
        server: &Url,
    ) -> Result<Self, DiscoveryError> {
        let fail = |fault| DiscoveryError::Address {
            member,
            text: text.to_owned(),
            fault,
        };
        let url = parse_url(text).map_err(fail)?;
        if url.scheme() == "http" && !(is_loopback(&url) && is_loopback(server)) {
            return Err(fail(
                "which is not https and would send secrets in the clear",
            ));
        }
        if is_private(&url) && !is_private(server) {
            return Err(fail(
                "a loopback or private address, which a public server must not name",
            ));
        }
        Ok(Self(url))
    }

    /// Returns the address.
    #[must_use]
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        without_query(&self.0).fmt(f)
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndpointUrl({self})")
    }
}

impl Serialize for EndpointUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

/// An authorization server's issuer identifier (RFC 8414 § 2): an [`EndpointUrl`] without query.
///
/// Two issuers are equal if their texts are: "simple string comparison" (RFC 9207 § 2.4, RFC 3986
/// § 6.2.1). Even a trailing slash counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    url: EndpointUrl,
}

impl Issuer {
    /// Checks an issuer identifier from a document or the configuration.
    ///
    /// # Errors
    /// [`DiscoveryError::Address`].
    pub fn parse(
        member: &'static str,
        text: &str,
        upstream: &ServerUrl,
    ) -> Result<Self, DiscoveryError> {
        let url = EndpointUrl::parse(member, text, upstream)?;
        if url.0.query().is_some() {
            return Err(DiscoveryError::Address {
                member,
                text: text.to_owned(),
                fault: "which has a query, forbidden in an issuer",
            });
        }
        let text = text.to_owned();
        Ok(Self { text, url })
    }

    /// Returns the identifier as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the identifier as an address.
    #[must_use]
    pub fn as_url(&self) -> &Url {
        self.url.as_url()
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Issuer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// Returns the resource identifier of an upstream that publishes none (MCP 2026-07-28
/// § Canonical Server URI, RFC 8707 § 2). It is the URL without query, fragment and trailing slash.
#[must_use]
pub fn canonical_resource(upstream: &ServerUrl) -> String {
    let origin = upstream.as_url().origin().ascii_serialization();
    origin + upstream.as_url().path().trim_end_matches('/')
}

/// Returns `true` if `resource` identifies the upstream (RFC 9728 § 3.3).
///
/// The RFC requires both to be identical, but allows metadata at the root, where `resource` names
/// the whole origin. A path above the upstream's therefore matches too; another origin never does.
pub(super) fn resource_matches(resource: &str, upstream: &ServerUrl) -> bool {
    let (Ok(resource), upstream) = (parse_url(resource), upstream.as_url()) else {
        return false;
    };
    let below = upstream
        .path()
        .strip_prefix(resource.path().trim_end_matches('/'));
    let query = resource.query();
    resource.origin() == upstream.origin()
        && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        && (query.is_none() || query == upstream.query())
}

/// Parses an unambiguous http or https address; otherwise returns the fault as a clause.
pub(super) fn parse_url(text: &str) -> Result<Url, &'static str> {
    if text.len() > MAX_LENGTH {
        return Err("which is too long for an address");
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || URL_PUNCTUATION.contains(&byte);
    if !text.bytes().all(plain) {
        return Err("which contains characters that no address needs");
    }
    let lower = text.to_ascii_lowercase();
    // `Url::parse` accepts `https:host` and `https:///host`; other parsers do not.
    let after = lower.strip_prefix("https://");
    let after = after.or_else(|| lower.strip_prefix("http://"));
    let after = after.ok_or("which is not an https address")?;
    let url = Url::parse(text).map_err(|_| "which is not a valid address")?;
    if after.starts_with('/') || url.host().is_none() {
        return Err("which has no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("which contains a user or password");
    }
    if url.fragment().is_some() {
        return Err("which has a fragment");
    }
    Ok(url)
}

/// Returns `true` if the host is a loopback or private address.
fn is_private(url: &Url) -> bool {
    let v4 = |it: std::net::Ipv4Addr| {
        it.is_private() || it.is_loopback() || it.is_link_local() || it.is_unspecified()
    };
    match url.host() {
        Some(Host::Ipv4(address)) => v4(address),
        Some(Host::Ipv6(address)) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.to_ipv4_mapped().is_some_and(v4)
        }
        _ => is_loopback(url),
    }
}

/// Returns the address for messages and logs, without the query, which may contain a key.
pub(super) fn without_query(url: &Url) -> Url {
    let mut shown = url.clone();
    shown.set_query(None);
    shown
}
