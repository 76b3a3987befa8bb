//! Finds out which authorization server an upstream trusts, and what that one offers.
//!
//! The MCP url itself is never asked, as a GET there may open an event stream.

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

use super::address::{EndpointUrl, Issuer, canonical_resource, readable, without_query};
use super::error::{Attempt, OAuthError};
use crate::config::ServerUrl;
use crate::net::Clients;
use candidates::{Candidates, Found};
use metadata::{AuthorizationServer, ProtectedResource};
use well_known::{authorization_server_urls, protected_resource_urls};

/// How long one document may take when nothing else is said.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many times [`Question::patience`] everything together may take.
const WHOLE: u32 = 3;

/// The most authorization servers of a resource that are asked.
const MAX_SERVERS: usize = 8;

/// The revision whose servers need no resource metadata. It alone wants to be named in discovery
/// (MCP 2025-03-26 § Server Metadata Discovery Headers).
const WITHOUT_METADATA: HeaderValue = HeaderValue::from_static("2025-03-26");

/// For which upstream to look, and what is known already.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The upstream.
    pub upstream: &'a ServerUrl,
    /// The address of the resource metadata, if a challenge gave one.
    pub resource_metadata: Option<&'a str>,
    /// The only issuer to use, if the configuration names one: whether or not it is published.
    pub pinned: Option<&'a str>,
    /// The issuer used the last time, to be preferred if it is still published: another one would
    /// know neither client nor tokens (MCP 2026-07-28 § Authorization Server Binding).
    pub known: Option<&'a str>,
    /// How long one document may take.
    pub patience: Duration,
}

impl<'a> Question<'a> {
    /// Asks about an upstream of which nothing is known.
    #[must_use]
    pub fn new(upstream: &'a ServerUrl) -> Self {
        Self {
            upstream,
            resource_metadata: None,
            pinned: None,
            known: None,
            patience: PATIENCE,
        }
    }
}

/// Where the endpoints come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The authorization server publishes them.
    Published,
    /// Nobody does: they are those of 2025-03-26 by default, and may not be there.
    Assumed,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// What to ask a token for: the upstream's name as it publishes it, to the letter,
    /// else its canonical one (RFC 8707 § 2, RFC 9728 § 3.3).
    pub resource: String,
    /// The upstream's own metadata, if it has any.
    pub protected_resource: Option<ProtectedResource>,
    /// The authorization server.
    pub authorization_server: AuthorizationServer,
    /// Whether its metadata were read or assumed.
    pub source: Source,
}

/// Finds the authorization server of an upstream, as MCP 2026-07-28 § Authorization Server Discovery
/// demands.
///
/// # Errors
/// [`OAuthError::Unreachable`] when a document could not be had just now; any other when a person
/// has to look at it. Of several documents that cannot be used, the first is reported.
pub async fn discover(
    clients: &Clients,
    question: &Question<'_>,
) -> Result<Discovered, OAuthError> {
    let whole = question.patience * WHOLE;
    let search = Search { clients, question };
    timeout(whole, search.run()).await.unwrap_or_else(|_| {
        let url = without_query(question.upstream.as_url()).into();
        let outcome = format!(
            "finding its sign-in took more than {} s",
            whole.as_secs_f64()
        );
        let attempt = Attempt { url, outcome };
        Err(OAuthError::Unreachable { attempt })
    })
}

struct Search<'a> {
    clients: &'a Clients,
    question: &'a Question<'a>,
}

impl Search<'_> {
    fn candidates(&self, headers: HeaderMap) -> Candidates<'_> {
        Candidates {
            clients: self.clients,
            headers,
            patience: self.question.patience,
        }
    }

    async fn run(&self) -> Result<Discovered, OAuthError> {
        let upstream = self.question.upstream;
        let (resource, tried) = match self.protected_resource().await {
            Ok(Found::Document(resource)) => (Some(resource), Vec::new()),
            Ok(Found::Nowhere(tried)) => (None, tried),
            Err(error) if self.question.pinned.is_none() => return Err(error),
            // The word of the configuration does without one that nobody can read.
            Err(OAuthError::Malformed { .. } | OAuthError::Address { .. }) => (None, Vec::new()),
            Err(error) => return Err(error),
        };
        let (authorization_server, source) = match (&resource, self.question.pinned) {
            (_, Some(pinned)) => {
                let server = self.named("oauth.authorization_server", pinned).await?;
                (server, Source::Published)
            }
            (Some(resource), None) => (self.first_of(resource).await?, Source::Published),
            (None, None) if self.question.resource_metadata.is_none() => {
                self.without_resource_metadata().await?
            }
            // Who names a document is no server of 2025-03-26.
            (None, None) => return Err(OAuthError::NotFound { tried }),
        };
        let published = resource.as_ref().map(|it| it.resource.clone());
        Ok(Discovered {
            resource: published.unwrap_or_else(|| canonical_resource(upstream)),
            protected_resource: resource,
            authorization_server,
            source,
        })
    }

    /// Reads the upstream's metadata: where the challenge says, else where they stand by rule.
    async fn protected_resource(&self) -> Result<Found<ProtectedResource>, OAuthError> {
        let upstream = self.question.upstream;
        let read = |body: &[u8]| ProtectedResource::parse(body, upstream);
        let mut urls = protected_resource_urls(upstream);
        let named = self.question.resource_metadata;
        let named = named.map(|text| self.named_by_challenge(text)).transpose();
        if let Ok(Some(url)) = &named {
            urls.retain(|other| other != url);
            urls.insert(0, url.clone());
        }
        match (
            self.candidates(HeaderMap::new()).first(&urls, read).await?,
            named,
        ) {
            // A server that does not know its own address may still have the document in its place.
            (Found::Nowhere(_), Err(error)) => Err(error),
            (found, _) => Ok(found),
        }
    }

    /// The challenge's address. In the upstream's own origin it may be http, where that was allowed.
    fn named_by_challenge(&self, text: &str) -> Result<Url, OAuthError> {
        let upstream = self.question.upstream;
        match readable(text) {
            Ok(url) if url.origin() == upstream.as_url().origin() => Ok(url),
            _ => EndpointUrl::parse("resource_metadata", text, upstream)
                .map(|url| url.as_url().clone()),
        }
    }

    /// The first of the published authorization servers that answers as it should (RFC 9728 § 7.6 leaves the choice
    /// to the client).
    async fn first_of(
        &self,
        resource: &ProtectedResource,
    ) -> Result<AuthorizationServer, OAuthError> {
        let mut issuers: Vec<&str> = Vec::new();
        for issuer in resource.authorization_servers.iter().map(String::as_str) {
            if !issuers.contains(&issuer) && issuers.len() < MAX_SERVERS {
                issuers.push(issuer);
            }
        }
        // Stable: the others keep their order.
        issuers.sort_by_key(|issuer| Some(*issuer) != self.question.known);
        let several = issuers.len() > 1;
        let mut first_error = None;
        for issuer in issuers {
            let found = match several {
                false => self.named("authorization_servers", issuer).await,
                true => self.in_time(issuer).await,
            };
            match found {
                Ok(server) => return Ok(server),
                // Only it knows our client and tokens, and it may be back soon.
                Err(error) if error.is_transient() && Some(issuer) == self.question.known => {
                    return Err(error);
                }
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        Err(first_error.unwrap_or(OAuthError::NoAuthorizationServer))
    }

    /// The same within the time of one document: a server that hangs leaves time for the next.
    async fn in_time(&self, issuer: &str) -> Result<AuthorizationServer, OAuthError> {
        let patience = self.question.patience;
        let named = self.named("authorization_servers", issuer);
        timeout(patience, named).await.unwrap_or_else(|_| {
            let url = issuer.to_owned();
            let outcome = format!("no answer for {} s", patience.as_secs_f64());
            let attempt = Attempt { url, outcome };
            Err(OAuthError::Unreachable { attempt })
        })
    }

    /// The authorization server that the `member` of a document, or a key, names.
    async fn named(
        &self,
        member: &'static str,
        issuer: &str,
    ) -> Result<AuthorizationServer, OAuthError> {
        let upstream = self.question.upstream;
        let issuer = Issuer::parse(member, issuer, upstream)?;
        let read = |body: &[u8]| AuthorizationServer::parse(body, &issuer, upstream);
        let urls = authorization_server_urls(&issuer);
        match self.candidates(HeaderMap::new()).first(&urls, read).await? {
            Found::Document(server) => Ok(server),
            Found::Nowhere(tried) => Err(OAuthError::NotFound { tried }),
        }
    }

    /// The upstream as its own authorization server (MCP 2025-03-26 § Authorization Base URL).
    async fn without_resource_metadata(&self) -> Result<(AuthorizationServer, Source), OAuthError> {
        let upstream = self.question.upstream;
        let default = AuthorizationServer::by_default(upstream)?;
        let origin = &default.issuer;
        // Nobody wrote this issuer down, and both spellings of an origin lead to the same document
        // (RFC 8414 § 3.1): either is the one asked for.
        let slashed = Issuer::parse("url", &format!("{origin}/"), upstream)?;
        let read = |body: &[u8]| {
            AuthorizationServer::parse(body, origin, upstream).or_else(|error| {
                AuthorizationServer::parse(body, &slashed, upstream).map_err(|_| error)
            })
        };
        let version = HeaderName::from_static("mcp-protocol-version");
        let headers = HeaderMap::from_iter([(version, WITHOUT_METADATA)]);
        let urls = authorization_server_urls(origin);
        Ok(match self.candidates(headers).first(&urls, read).await? {
            Found::Document(server) => (server, Source::Published),
            Found::Nowhere(_) => (default, Source::Assumed),
        })
    }
}
