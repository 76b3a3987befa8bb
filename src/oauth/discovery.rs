//! Discovers the authorization server that an upstream trusts, and its endpoints.
//!
//! Discovery sends no request to the MCP URL itself: a GET there may open an event stream.

pub(in crate::oauth) mod candidates;
pub(in crate::oauth) mod challenge;
pub(in crate::oauth) mod document;
pub(in crate::oauth) mod metadata;
pub(in crate::oauth) mod server_cache;
pub(in crate::oauth) mod well_known;

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::timeout;
use url::Url;

use super::address::{EndpointUrl, Issuer, canonical_resource, parse_url, without_query};
use super::error::{Attempt, DiscoveryError};
use crate::config::ServerUrl;
use crate::net::Clients;
use candidates::{CandidateFetcher, Lookup};
use metadata::{AuthorizationServer, ProtectedResource};
use well_known::{authorization_server_urls, protected_resource_urls};

/// The default deadline for one document.
const DOCUMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// The deadline for a whole discovery, in multiples of [`DiscoveryRequest::document_timeout`].
const TOTAL_TIMEOUT_FACTOR: u32 = 3;

/// The most authorization servers of one resource that are tried.
const MAX_SERVERS: usize = 8;

/// The revision whose servers need no resource metadata. It alone requires its version in discovery
/// requests (MCP 2025-03-26 § Server Metadata Discovery Headers).
const LEGACY_REVISION: HeaderValue = HeaderValue::from_static("2025-03-26");

/// The upstream to discover, and what is known about it.
#[derive(Debug, Clone, Copy)]
pub struct DiscoveryRequest<'a> {
    /// The upstream.
    pub upstream: &'a ServerUrl,
    /// The address of the resource metadata from a challenge, if any.
    pub resource_metadata: Option<&'a str>,
    /// The configured issuer, if any: the only one to use, published or not.
    pub pinned_issuer: Option<&'a str>,
    /// The issuer used last, preferred if still published: another one would know neither client
    /// nor tokens (MCP 2026-07-28 § Authorization Server Binding).
    pub preferred_issuer: Option<&'a str>,
    /// The deadline for one document.
    pub document_timeout: Duration,
}

impl<'a> DiscoveryRequest<'a> {
    /// Makes a request about an upstream without further knowledge.
    #[must_use]
    pub fn new(upstream: &'a ServerUrl) -> Self {
        Self {
            upstream,
            resource_metadata: None,
            pinned_issuer: None,
            preferred_issuer: None,
            document_timeout: DOCUMENT_TIMEOUT,
        }
    }
}

/// The source of the endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataSource {
    /// The authorization server's metadata.
    Published,
    /// The defaults of 2025-03-26; the server may not have them.
    Assumed,
}

/// The result of a discovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// The resource to request a token for: the upstream's identifier exactly as published,
    /// otherwise its canonical one (RFC 8707 § 2, RFC 9728 § 3.3).
    pub resource: String,
    /// The upstream's resource metadata, if any.
    pub protected_resource: Option<ProtectedResource>,
    /// The authorization server.
    pub authorization_server: AuthorizationServer,
    /// Whether the server's metadata was published or assumed.
    pub source: MetadataSource,
}

/// Finds the authorization server of an upstream (MCP 2026-07-28 § Authorization Server Discovery).
///
/// # Errors
/// [`DiscoveryError::Unreachable`] if a document is temporarily unavailable; any other if the user
/// has to act. Of several errors, returns the one of the first document.
pub async fn discover(
    clients: &Clients,
    request: &DiscoveryRequest<'_>,
) -> Result<Discovered, DiscoveryError> {
    let total_timeout = request.document_timeout * TOTAL_TIMEOUT_FACTOR;
    let discovery = Discovery { clients, request };
    let found = timeout(total_timeout, discovery.run()).await;
    found.unwrap_or_else(|_| {
        let url = without_query(request.upstream.as_url()).into();
        let outcome = format!("discovery took more than {} s", total_timeout.as_secs_f64());
        let attempt = Attempt { url, outcome };
        Err(DiscoveryError::Unreachable { attempt })
    })
}

struct Discovery<'a> {
    clients: &'a Clients,
    request: &'a DiscoveryRequest<'a>,
}

impl Discovery<'_> {
    fn fetcher(&self, headers: HeaderMap) -> CandidateFetcher<'_> {
        CandidateFetcher {
            clients: self.clients,
            headers,
            document_timeout: self.request.document_timeout,
        }
    }

    async fn run(&self) -> Result<Discovered, DiscoveryError> {
        let upstream = self.request.upstream;
        let (resource, tried) = match self.protected_resource().await {
            Ok(Lookup::Found(resource)) => (Some(resource), Vec::new()),
            Ok(Lookup::NotFound(tried)) => (None, tried),
            Err(error) if self.request.pinned_issuer.is_none() => return Err(error),
            // A pinned issuer replaces resource metadata that cannot be used.
            Err(DiscoveryError::Malformed { .. } | DiscoveryError::Address { .. }) => {
                (None, Vec::new())
            }
            Err(error) => return Err(error),
        };
        let (authorization_server, source) = match (&resource, self.request.pinned_issuer) {
            (_, Some(pinned_issuer)) => {
                let server = self
                    .authorization_server("oauth.authorization_server", pinned_issuer)
                    .await?;
                (server, MetadataSource::Published)
            }
            (Some(resource), None) => (
                self.first_usable_server(resource).await?,
                MetadataSource::Published,
            ),
            (None, None) if self.request.resource_metadata.is_none() => {
                self.upstream_as_authorization_server().await?
            }
            // A server that names a resource metadata document does not follow 2025-03-26.
            (None, None) => return Err(DiscoveryError::NotFound { tried }),
        };
        let published = resource.as_ref().map(|it| it.resource.clone());
        Ok(Discovered {
            resource: published.unwrap_or_else(|| canonical_resource(upstream)),
            protected_resource: resource,
            authorization_server,
            source,
        })
    }

    /// Reads the resource metadata: from the challenge's address, otherwise from the well-known
    /// ones.
    async fn protected_resource(&self) -> Result<Lookup<ProtectedResource>, DiscoveryError> {
        let upstream = self.request.upstream;
        let read = |body: &[u8]| ProtectedResource::parse(body, upstream);
        let mut urls = protected_resource_urls(upstream);
        let challenged = self.request.resource_metadata;
        let challenged = challenged
            .map(|text| self.challenge_metadata_url(text))
            .transpose();
        if let Ok(Some(url)) = &challenged {
            urls.retain(|other| other != url);
            urls.insert(0, url.clone());
        }
        match (
            self.fetcher(HeaderMap::new())
                .first_usable(&urls, read)
                .await?,
            challenged,
        ) {
            // A server may name a wrong address and still have the document at a well-known one.
            (Lookup::NotFound(_), Err(error)) => Err(error),
            (found, _) => Ok(found),
        }
    }

    /// Checks the address from the challenge. On the upstream's own origin, http is allowed if the
    /// upstream itself uses it.
    fn challenge_metadata_url(&self, text: &str) -> Result<Url, DiscoveryError> {
        let upstream = self.request.upstream;
        match parse_url(text) {
            Ok(url) if url.origin() == upstream.as_url().origin() => Ok(url),
            _ => EndpointUrl::parse("resource_metadata", text, upstream)
                .map(|url| url.as_url().clone()),
        }
    }

    /// Returns the first published authorization server with valid metadata (RFC 9728 § 7.6 leaves
    /// the choice to the client).
    async fn first_usable_server(
        &self,
        resource: &ProtectedResource,
    ) -> Result<AuthorizationServer, DiscoveryError> {
        let mut issuers: Vec<&str> = Vec::new();
        for issuer in resource.authorization_servers.iter().map(String::as_str) {
            if !issuers.contains(&issuer) && issuers.len() < MAX_SERVERS {
                issuers.push(issuer);
            }
        }
        // A stable sort: the others keep their order.
        issuers.sort_by_key(|issuer| Some(*issuer) != self.request.preferred_issuer);
        let several = issuers.len() > 1;
        let mut first_error = None;
        for issuer in issuers {
            let found = match several {
                false => {
                    self.authorization_server("authorization_servers", issuer)
                        .await
                }
                true => self.server_within_timeout(issuer).await,
            };
            match found {
                Ok(server) => return Ok(server),
                // Only this server knows our client and tokens, and the failure is temporary.
                Err(error)
                    if error.is_transient() && Some(issuer) == self.request.preferred_issuer =>
                {
                    return Err(error);
                }
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        Err(first_error.unwrap_or(DiscoveryError::NoAuthorizationServer))
    }

    /// Limits one server to the deadline of one document, so that time remains for the next server.
    async fn server_within_timeout(
        &self,
        issuer: &str,
    ) -> Result<AuthorizationServer, DiscoveryError> {
        let document_timeout = self.request.document_timeout;
        let server = self.authorization_server("authorization_servers", issuer);
        timeout(document_timeout, server).await.unwrap_or_else(|_| {
            let url = issuer.to_owned();
            let outcome = format!("no answer for {} s", document_timeout.as_secs_f64());
            let attempt = Attempt { url, outcome };
            Err(DiscoveryError::Unreachable { attempt })
        })
    }

    /// Reads the metadata of an issuer, which `member` of a document or of the configuration names.
    async fn authorization_server(
        &self,
        member: &'static str,
        issuer: &str,
    ) -> Result<AuthorizationServer, DiscoveryError> {
        let upstream = self.request.upstream;
        let issuer = Issuer::parse(member, issuer, upstream)?;
        let read = |body: &[u8]| AuthorizationServer::parse(body, &issuer, upstream);
        let urls = authorization_server_urls(&issuer);
        let fetcher = self.fetcher(HeaderMap::new());
        match fetcher.first_usable(&urls, read).await? {
            Lookup::Found(server) => Ok(server),
            Lookup::NotFound(tried) => Err(DiscoveryError::NotFound { tried }),
        }
    }

    /// Treats the upstream as its own authorization server (MCP 2025-03-26 § Authorization Base
    /// URL).
    async fn upstream_as_authorization_server(
        &self,
    ) -> Result<(AuthorizationServer, MetadataSource), DiscoveryError> {
        let upstream = self.request.upstream;
        let default = AuthorizationServer::with_default_endpoints(upstream)?;
        let origin = &default.issuer;
        // No document names this issuer, and both spellings of an origin lead to the same document
        // (RFC 8414 § 3.1). The metadata may use either.
        let slashed = Issuer::parse("url", &format!("{origin}/"), upstream)?;
        let read = |body: &[u8]| {
            AuthorizationServer::parse(body, origin, upstream).or_else(|error| {
                AuthorizationServer::parse(body, &slashed, upstream).map_err(|_| error)
            })
        };
        let version = HeaderName::from_static("mcp-protocol-version");
        let headers = HeaderMap::from_iter([(version, LEGACY_REVISION)]);
        let urls = authorization_server_urls(origin);
        match self.fetcher(headers).first_usable(&urls, read).await? {
            Lookup::Found(server) => Ok((server, MetadataSource::Published)),
            Lookup::NotFound(_) => Ok((default, MetadataSource::Assumed)),
        }
    }
}
