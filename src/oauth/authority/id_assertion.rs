//! The assertion of an identity provider about its user, for one authorization server
//! (MCP extension Enterprise-Managed Authorization).

use super::answer::{Answer, read};
use super::credentials::Credentials;
use super::error::TokenError;
use super::form::asked;
use super::form_post::Endpoint;
use crate::config::{Enterprise, Secret};
use crate::net::Clients;
use crate::oauth::address::{Issuer, without_query};

/// The grant (RFC 8693 § 2.1).
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// What is given.
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

/// What is wanted (draft-ietf-oauth-identity-assertion-authz-grant § 4.3).
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

/// Exchanges the user's ID token for an assertion that the authorization server `audience` takes
/// for an access token to `resource` (RFC 8693 § 2.1, token type `id-jag`).
///
/// # Errors
/// [`TokenError::InvalidGrant`] when the ID token is good for nothing any more; others.
pub async fn id_assertion(
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
        // Nothing says what the provider takes; this is what all have to (RFC 6749 § 2.3.1).
        credentials: match &provider.idp_client_secret {
            Some(secret) => Credentials::Basic(secret),
            None => Credentials::None,
        },
        audience: audience.as_str(),
        dpop: None,
    };
    let mut form = asked(scope, Some(resource));
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
    let body = endpoint.ask(&form).await?;
    let malformed = |fault: &str| TokenError::Malformed {
        server: without_query(url).into(),
        fault: fault.to_owned(),
    };
    let answer: Answer = read(&body, url)?;
    match answer.issued_token_type.as_deref() {
        // An access token for the provider itself must not go to anybody else.
        Some(issued) if issued != ID_JAG => Err(malformed("it gives another kind of token")),
        _ => answer.into_token().map_err(malformed),
    }
}
