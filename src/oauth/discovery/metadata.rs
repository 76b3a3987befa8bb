//! What an upstream and its authorization server publish about themselves, checked.
//!
//! Both are read from the documents' bytes and written as such documents again, so that one kept
//! on disk is checked anew when it is read. Members that nobody here needs are ignored.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::config::{Pkce, ServerUrl};
use crate::oauth::address::{EndpointUrl, Issuer, canonical_resource, covers};
use crate::oauth::error::OAuthError;

/// The one way of PKCE that protects (RFC 7636 § 4.2, MCP 2026-07-28 § Authorization Code Protection).
const S256: &str = "S256";

/// Protected resource metadata (RFC 9728 § 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectedResource {
    /// The upstream's name as a resource, as it publishes it: what a token is asked for (RFC 8707 § 2).
    pub resource: String,
    /// The issuers it trusts, as they are written; each is checked when its turn comes.
    #[serde(default, deserialize_with = "or_default")]
    pub authorization_servers: Vec<String>,
    /// The scopes to ask for if no challenge says. An empty list means none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes_supported: Option<Vec<String>>,
    /// Whether it takes only tokens bound to a key by DPoP.
    #[serde(default, deserialize_with = "or_default")]
    pub dpop_bound_access_tokens_required: bool,
}

impl ProtectedResource {
    /// Reads the document that was found for an upstream.
    ///
    /// # Errors
    /// [`MetadataError`], with [`OAuthError::OtherResource`]
    /// when it is about something else: then it "MUST NOT be used" (RFC 9728 § 3.3).
    pub fn parse(body: &[u8], upstream: &ServerUrl) -> Result<Self, MetadataError> {
        let read: Self = document(body, "resource")?;
        if covers(&read.resource, upstream) {
            return Ok(read);
        }
        Err(MetadataError::Refused(OAuthError::OtherResource {
            found: read.resource,
            upstream: canonical_resource(upstream),
        }))
    }
}

/// Authorization server metadata (RFC 8414 § 2, OpenID Connect Discovery 1.0 § 3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuthorizationServer {
    /// Its name, exactly the one asked for (RFC 8414 § 3.3).
    pub issuer: Issuer,
    /// Not public: what needs it needs PKCE as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_endpoint: Option<EndpointUrl>,
    /// Where codes and refresh tokens become access tokens.
    pub token_endpoint: EndpointUrl,
    /// Where clients register (RFC 7591 § 3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration_endpoint: Option<EndpointUrl>,
    /// Where tokens are revoked (RFC 7009 § 2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint: Option<EndpointUrl>,
    /// Where a login without a browser begins (RFC 8628 § 4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_authorization_endpoint: Option<EndpointUrl>,
    /// The rest, which needs no check.
    #[serde(flatten)]
    pub features: Features,
}

/// What an authorization server can do. A list that is absent has the default of RFC 8414 § 2.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    /// The scopes it knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes_supported: Option<Vec<String>>,
    /// The grants it takes; absent: `authorization_code` and `implicit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_types_supported: Option<Vec<String>>,
    /// How a client shows who it is; absent: `client_secret_basic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// The algorithms for a client's assertions (RFC 7523 § 3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_signing_alg_values_supported: Option<Vec<String>>,
    /// The ways of PKCE; absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// The algorithms for DPoP proofs (RFC 9449 § 5.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dpop_signing_alg_values_supported: Option<Vec<String>>,
    /// Whether `iss` is part of every answer to a sign-in (RFC 9207 § 3).
    #[serde(default, deserialize_with = "or_default")]
    pub authorization_response_iss_parameter_supported: bool,
    /// Whether a client may be named by the address of its metadata
    /// (draft-ietf-oauth-client-id-metadata-document-00 § 5).
    #[serde(default, deserialize_with = "or_default")]
    pub client_id_metadata_document_supported: bool,
}

/// The document as it is written.
#[derive(Deserialize)]
struct Written {
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
    /// Reads the document that was found for `issuer`, for the sake of an upstream.
    ///
    /// # Errors
    /// [`MetadataError`], with [`OAuthError::OtherIssuer`] when it
    /// names itself otherwise (RFC 8414 § 3.3); [`OAuthError::Address`] when any of the endpoints
    /// must not be used.
    pub fn parse(
        body: &[u8],
        issuer: &Issuer,
        upstream: &ServerUrl,
    ) -> Result<Self, MetadataError> {
        let written: Written = document(body, "issuer")?;
        if written.issuer != issuer.as_str() {
            return Err(MetadataError::Refused(OAuthError::OtherIssuer {
                expected: issuer.as_str().to_owned(),
                found: written.issuer,
            }));
        }
        let checked = |member, text: &str| EndpointUrl::parse(member, text, upstream);
        let optional =
            |member, text: Option<String>| text.map(|text| checked(member, &text)).transpose();
        Ok(Self {
            issuer: issuer.clone(),
            authorization_endpoint: optional(
                "authorization_endpoint",
                written.authorization_endpoint,
            )?,
            token_endpoint: checked("token_endpoint", &written.token_endpoint)?,
            registration_endpoint: optional(
                "registration_endpoint",
                written.registration_endpoint,
            )?,
            revocation_endpoint: optional("revocation_endpoint", written.revocation_endpoint)?,
            device_authorization_endpoint: optional(
                "device_authorization_endpoint",
                written.device_authorization_endpoint,
            )?,
            features: written.features,
        })
    }

    /// The endpoints that a server of 2025-03-26 without metadata has by default
    /// (MCP 2025-03-26 § Fallbacks for Servers without Metadata Discovery). That revision demands
    /// PKCE of everybody, so that it counts as advertised.
    ///
    /// # Errors
    /// [`OAuthError::Address`] when the upstream is neither https nor on this machine.
    pub fn by_default(upstream: &ServerUrl) -> Result<Self, OAuthError> {
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

    /// Where a person signs in: only with PKCE, as a code without it can be stolen
    /// (MCP 2026-07-28 § Authorization Code Protection: "MUST refuse to proceed").
    ///
    /// # Errors
    /// [`OAuthError::NoSignInPage`], [`OAuthError::NoPkce`].
    pub fn authorization_endpoint(&self, pkce: Pkce) -> Result<&EndpointUrl, OAuthError> {
        let issuer = || self.issuer.as_str().to_owned();
        let endpoint = self.authorization_endpoint.as_ref();
        let endpoint = endpoint.ok_or_else(|| OAuthError::NoSignInPage { issuer: issuer() })?;
        let methods = self.features.code_challenge_methods_supported.as_deref();
        let advertised = methods.unwrap_or_default().iter().any(|it| it == S256);
        if advertised || pkce == Pkce::Assumed {
            Ok(endpoint)
        } else {
            Err(OAuthError::NoPkce { issuer: issuer() })
        }
    }
}

/// Why a document is not used.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// It is something else: a page, or an error that came with a good status.
    #[error("is no such metadata")]
    Absent,
    /// It is meant to be one, but broken.
    #[error("its metadata cannot be read")]
    Malformed(#[source] serde_json::Error),
    /// It must not be used.
    #[error(transparent)]
    Refused(#[from] OAuthError),
}

/// Reads a document that is one if it has the member that says whose it is.
fn document<'a, T: Deserialize<'a>>(body: &'a [u8], name: &str) -> Result<T, MetadataError> {
    serde_json::from_slice(body).map_err(|error| {
        let members = serde_json::from_slice::<HashMap<String, IgnoredAny>>(body);
        match members {
            Ok(members) if members.contains_key(name) => MetadataError::Malformed(error),
            _ => MetadataError::Absent,
        }
    })
}

/// Takes `null` for a member that is absent.
fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: serde::Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
