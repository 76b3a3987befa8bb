//! The addresses that servers name in their documents, checked before anything uses them.
//!
//! An [`EndpointUrl`] may be given to a browser or sent a code or token; an [`Issuer`] is an
//! authorization server's name, which is compared as it was written.

#[cfg(test)]
pub(in crate::oauth) mod tests;

use std::fmt;

use serde::{Serialize, Serializer};
use url::{Host, Url};

use super::error::OAuthError;
use crate::config::{ServerUrl, is_loopback};

/// The longest address: beyond it browsers and servers differ.
const MAX_LENGTH: usize = 2048;

/// The marks of an address (RFC 3986 § 2) without `'`, `$`, `(` and `)`, which no endpoint needs and
/// a shell between us and the browser would obey.
pub(super) const MARKS: &[u8] = b"-._~:/?#[]@!&*+,;=%";

/// An address that a document of an upstream's may name: https, or http when both it and the
/// upstream are on this machine (MCP 2026-07-28 § Communication Security, RFC 8252 § 8.3).
///
/// It holds only printable ASCII, neither user nor password nor fragment (RFC 6749 § 3.1), and no
/// address of this machine or a private network that a public upstream has no business with.
/// `Display` leaves out the query.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointUrl(Url);

impl EndpointUrl {
    /// Checks the address that the `member` of a document gives.
    ///
    /// # Errors
    /// [`OAuthError::Address`].
    pub fn parse(
        member: &'static str,
        text: &str,
        upstream: &ServerUrl,
    ) -> Result<Self, OAuthError> {
        Self::beside(member, text, upstream.as_url())
    }

    /// The same for the answer of a server at `other`, an address that was checked itself.
    pub(super) fn beside(
        member: &'static str,
        text: &str,
        other: &Url,
    ) -> Result<Self, OAuthError> {
        let fail = |fault| OAuthError::Address {
            member,
            text: text.to_owned(),
            fault,
        };
        let url = readable(text).map_err(fail)?;
        if url.scheme() == "http" && !(is_loopback(&url) && is_loopback(other)) {
            return Err(fail(
                "which would send secrets in the clear where https is due",
            ));
        }
        if is_private(&url) && !is_private(other) {
            return Err(fail(
                "an address of this machine or a private network, where its upstream is not",
            ));
        }
        Ok(Self(url))
    }

    /// The address.
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
/// Two are equal if they were written the same: "simple string comparison"
/// (RFC 9207 § 2.4, RFC 3986 § 6.2.1), not even a slash at the end is forgiven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    url: EndpointUrl,
}

impl Issuer {
    /// Checks an identifier that a document or the configuration gives.
    ///
    /// # Errors
    /// [`OAuthError::Address`].
    pub fn parse(
        member: &'static str,
        text: &str,
        upstream: &ServerUrl,
    ) -> Result<Self, OAuthError> {
        let url = EndpointUrl::parse(member, text, upstream)?;
        if url.0.query().is_some() {
            return Err(OAuthError::Address {
                member,
                text: text.to_owned(),
                fault: "which has a query, as no issuer may",
            });
        }
        let text = text.to_owned();
        Ok(Self { text, url })
    }

    /// The identifier as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The identifier as an address.
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

/// The name of an upstream as a resource, when it publishes none: its url without query, fragment
/// and slash at the end (MCP 2026-07-28 § Canonical Server URI, RFC 8707 § 2).
#[must_use]
pub fn canonical_resource(upstream: &ServerUrl) -> String {
    let origin = upstream.as_url().origin().ascii_serialization();
    origin + upstream.as_url().path().trim_end_matches('/')
}

/// Whether a `resource` names an upstream (RFC 9728 § 3.3).
///
/// The RFC wants the two identical, yet lets metadata stand at the root, where it names
/// the whole origin. So a path above the upstream's is taken too, another origin never.
pub(super) fn covers(resource: &str, upstream: &ServerUrl) -> bool {
    let (Ok(resource), upstream) = (readable(resource), upstream.as_url()) else {
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

/// An http or https address that says what it seems to say, or what is wrong with it.
pub(super) fn readable(text: &str) -> Result<Url, &'static str> {
    if text.len() > MAX_LENGTH {
        return Err("which is longer than an address can be");
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || MARKS.contains(&byte);
    if !text.bytes().all(plain) {
        return Err("which holds characters that no address needs");
    }
    let lower = text.to_ascii_lowercase();
    // The parser takes `https:host` and `https:///host` too; other readers do not.
    let after = lower.strip_prefix("https://");
    let after = after.or_else(|| lower.strip_prefix("http://"));
    let after = after.ok_or("which is no https address")?;
    let url = Url::parse(text).map_err(|_| "which cannot be read as an address")?;
    if after.starts_with('/') || url.host().is_none() {
        return Err("which names no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("which holds a user or password");
    }
    if url.fragment().is_some() {
        return Err("which has a fragment");
    }
    Ok(url)
}

/// Whether the host is written as one of this machine or of a private network.
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

/// The address as messages and logs show it: queries may hold a key.
pub(super) fn without_query(url: &Url) -> Url {
    let mut shown = url.clone();
    shown.set_query(None);
    shown
}
