//! The metadata of an upstream and of its authorization server, checked.
//!
//! Both are parsed from a document and serialized as one again. A cached document passes the same
//! checks when it is read. Unneeded members are ignored.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::config::{Pkce, ServerUrl};
use crate::oauth::address::{EndpointUrl, Issuer, canonical_resource, resource_matches};
use crate::oauth::error::DiscoveryError;

/// The only secure PKCE method (RFC 7636 § 4.2, MCP 2026-07-28 § Authorization Code Protection).
const S256: &str = "S256";

/// Protected resource metadata (RFC 9728 § 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectedResource {
    /// The upstream's resource identifier as published, to request tokens for (RFC 8707 § 2).
    pub resource: String,
    /// The trusted issuers as written; each is checked before use.
    #[serde(default, deserialize_with = "null_as_default")]
    pub authorization_servers: Vec<String>,
    /// The scopes to request if no challenge names any. An empty list means none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes_supported: Option<Vec<String>>,
    /// Whether the upstream accepts only tokens bound to a key by DPoP.
    #[serde(default, deserialize_with = "null_as_default")]
    pub dpop_bound_access_tokens_required: bool,
}

impl ProtectedResource {
    /// Parses the resource metadata of an upstream.
    ///
    /// # Errors
    /// [`MetadataError`]; with [`DiscoveryError::ResourceMismatch`] if it is for another resource
    /// and so "MUST NOT be used" (RFC 9728 § 3.3).
    pub fn parse(body: &[u8], upstream: &ServerUrl) -> Result<Self, MetadataError> {
        let read: Self = parse_document(body, "resource")?;
        if resource_matches(&read.resource, upstream) {
            return Ok(read);
        }
        Err(MetadataError::Refused(DiscoveryError::ResourceMismatch {
            found: read.resource,
            upstream: canonical_resource(upstream),
        }))
    }
}

/// Authorization server metadata (RFC 8414 § 2, OpenID Connect Discovery 1.0 § 3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuthorizationServer {
    /// The issuer, exactly the requested one (RFC 8414 § 3.3).
    pub issuer: Issuer,
    /// Private: [`AuthorizationServer::authorization_endpoint`] checks PKCE first.
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_endpoint: Option<EndpointUrl>,
    /// Exchanges codes and refresh tokens for access tokens.
    pub token_endpoint: EndpointUrl,
    /// Registers clients (RFC 7591 § 3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration_endpoint: Option<EndpointUrl>,
    /// Revokes tokens (RFC 7009 § 2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint: Option<EndpointUrl>,
    /// Starts a device authorization (RFC 8628 § 4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_authorization_endpoint: Option<EndpointUrl>,
    /// The members that need no check.
    #[serde(flatten)]
    pub features: Features,
}

/// The features of an authorization server. An absent list has the default of RFC 8414 § 2.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    /// The supported scopes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes_supported: Option<Vec<String>>,
    /// The supported grant types; if absent, `authorization_code` and `implicit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_types_supported: Option<Vec<String>>,
    /// The client authentication methods; if absent, `client_secret_basic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// The algorithms for client assertions (RFC 7523 § 3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_signing_alg_values_supported: Option<Vec<String>>,
    /// The PKCE methods; if absent, none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// The algorithms for DPoP proofs (RFC 9449 § 5.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dpop_signing_alg_values_supported: Option<Vec<String>>,
    /// Whether every authorization response has `iss` (RFC 9207 § 3).
    #[serde(default, deserialize_with = "null_as_default")]
    pub authorization_response_iss_parameter_supported: bool,
    /// Whether the address of a metadata document can serve as client id
    /// (draft-ietf-oauth-client-id-metadata-document-00 § 5).
    #[serde(default, deserialize_with = "null_as_default")]
    pub client_id_metadata_document_supported: bool,
}

/// The document, unchecked.
#[derive(Deserialize)]
struct RawMetadata {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: String,
    registration_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    #[serde(flatten)]
    features: Features,
}

impl AuthorizationServer {
    /// Parses the metadata of `issuer`, on behalf of an upstream.
    ///
    /// # Errors
    /// [`MetadataError`]; with [`DiscoveryError::IssuerMismatch`] if the document names another
    /// issuer (RFC 8414 § 3.3), or [`DiscoveryError::Address`] if an endpoint must not be used.
    pub fn parse(
        body: &[u8],
        issuer: &Issuer,
        upstream: &ServerUrl,
    ) -> Result<Self, MetadataError> {
        let raw: RawMetadata = parse_document(body, "issuer")?;
        if raw.issuer != issuer.as_str() {
            return Err(MetadataError::Refused(DiscoveryError::IssuerMismatch {
                expected: issuer.as_str().to_owned(),
                found: raw.issuer,
            }));
        }
        let checked = |member, text: &str| EndpointUrl::parse(member, text, upstream);
        let optional =
            |member, text: Option<String>| text.map(|text| checked(member, &text)).transpose();
        Ok(Self {
            issuer: issuer.clone(),
            authorization_endpoint: optional("authorization_endpoint", raw.authorization_endpoint)?,
            token_endpoint: checked("token_endpoint", &raw.token_endpoint)?,
            registration_endpoint: optional("registration_endpoint", raw.registration_endpoint)?,
            revocation_endpoint: optional("revocation_endpoint", raw.revocation_endpoint)?,
            device_authorization_endpoint: optional(
                "device_authorization_endpoint",
                raw.device_authorization_endpoint,
            )?,
            features: raw.features,
        })
    }

    /// Returns the default endpoints of a 2025-03-26 server without metadata (MCP 2025-03-26
    /// § Fallbacks for Servers without Metadata Discovery). That revision requires PKCE of all
    /// clients, so PKCE counts as advertised.
    ///
    /// # Errors
    /// [`DiscoveryError::Address`] if the upstream is neither https nor on loopback.
    pub fn with_default_endpoints(upstream: &ServerUrl) -> Result<Self, DiscoveryError> {
        let origin = upstream.as_url().origin().ascii_serialization();
        let at = |path: &str| EndpointUrl::parse("url", &format!("{origin}{path}"), upstream);
        Ok(Self {
            issuer: Issuer::parse("url", &origin, upstream)?,
            authorization_endpoint: Some(at("/authorize")?),
            token_endpoint: at("/token")?,
            registration_endpoint: Some(at("/register")?),
            revocation_endpoint: None,
            device_authorization_endpoint: None,
            features: Features {
                code_challenge_methods_supported: Some(vec![S256.to_owned()]),
                ..Features::default()
            },
        })
    }

    /// Returns the sign-in page, only with PKCE: otherwise a code could be stolen (MCP 2026-07-28
    /// § Authorization Code Protection: "MUST refuse to proceed").
    ///
    /// # Errors
    /// [`DiscoveryError::NoSignInPage`], [`DiscoveryError::NoPkce`].
    pub fn authorization_endpoint(&self, pkce: Pkce) -> Result<&EndpointUrl, DiscoveryError> {
        let issuer = || self.issuer.as_str().to_owned();
        let endpoint = self.authorization_endpoint.as_ref();
        let endpoint = endpoint.ok_or_else(|| DiscoveryError::NoSignInPage { issuer: issuer() })?;
        let methods = self.features.code_challenge_methods_supported.as_deref();
        let advertised = methods.unwrap_or_default().iter().any(|it| it == S256);
        if advertised || pkce == Pkce::Assumed {
            Ok(endpoint)
        } else {
            Err(DiscoveryError::NoPkce { issuer: issuer() })
        }
    }
}

/// Why a document is not used.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// The body is something else: a page, or an error with a success status.
    #[error("not metadata")]
    NotMetadata,
    /// The metadata is malformed.
    #[error("the metadata cannot be read")]
    Malformed(#[source] serde_json::Error),
    /// The metadata must not be used.
    #[error(transparent)]
    Refused(#[from] DiscoveryError),
}

/// Parses a metadata document, recognized by the member `name`, which identifies its subject.
fn parse_document<'a, T: Deserialize<'a>>(body: &'a [u8], name: &str) -> Result<T, MetadataError> {
    serde_json::from_slice(body).map_err(|error| {
        let members = serde_json::from_slice::<HashMap<String, IgnoredAny>>(body);
        match members {
            Ok(members) if members.contains_key(name) => MetadataError::Malformed(error),
            _ => MetadataError::NotMetadata,
        }
    })
}

/// Reads `null` as an absent member.
fn null_as_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: serde::Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
