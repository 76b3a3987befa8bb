//! The identity assertion of an identity provider for one authorization server (MCP extension
//! Enterprise-Managed Authorization).

use super::client_authentication::ClientAuthentication;
use super::error::TokenError;
use super::form::scope_and_resource;
use super::form_post::Endpoint;
use super::token_response::{TokenResponseBody, parse_body};
use crate::config::{Enterprise, Secret};
use crate::net::Clients;
use crate::oauth::address::{Issuer, without_query};

/// The grant type (RFC 8693 § 2.1).
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// The type of the token that is sent.
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

/// The type of the requested token (draft-ietf-oauth-identity-assertion-authz-grant § 4.3).
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

/// Exchanges the user's ID token for an assertion. The authorization server `audience` accepts it
/// for an access token to `resource` (RFC 8693 § 2.1, token type `id-jag`).
///
/// # Errors
/// [`TokenError::InvalidGrant`] if the provider rejects the ID token; others.
pub async fn request_id_assertion(
    clients: &Clients,
    provider: &Enterprise,
    audience: &Issuer,
    resource: &str,
    scope: Option<&str>,
) -> Result<Secret, TokenError> {
    let url = &provider.idp_token_endpoint;
    let endpoint = Endpoint {
        clients,
        url,
        client_id: &provider.idp_client_id,
        // The provider publishes no method; every server must support this one (RFC 6749 § 2.3.1).
        authentication: match &provider.idp_client_secret {
            Some(secret) => ClientAuthentication::Basic(secret),
            None => ClientAuthentication::None,
        },
        audience: audience.as_str(),
        dpop: None,
    };
    let mut form = scope_and_resource(scope, Some(resource));
    form.extend([
        ("grant_type".into(), TOKEN_EXCHANGE.into()),
        ("requested_token_type".into(), ID_JAG.into()),
        ("audience".into(), audience.as_str().into()),
        (
            "subject_token".into(),
            provider.idp_id_token.expose().into(),
        ),
        ("subject_token_type".into(), ID_TOKEN.into()),
    ]);
    let body = endpoint.post_form_for_json(&form).await?;
    let malformed = |fault: &str| TokenError::Malformed {
        server: without_query(url).into(),
        fault: fault.to_owned(),
    };
    let answer: TokenResponseBody = parse_body(&body, url)?;
    match answer.issued_token_type.as_deref() {
        // An access token for the provider itself must not reach another server.
        Some(issued) if issued != ID_JAG => Err(malformed("the token is of another type")),
        _ => answer.into_token().map_err(malformed),
    }
}
