//! Dynamic client registration (RFC 7591).

use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::{Map, Value};

use super::error::TokenError;
use super::form_post::{http_client, send};
use super::token_response::parse_body;
use crate::net::Clients;
use crate::oauth::discovery::metadata::AuthorizationServer;
use crate::oauth::tokens::ClientInformation;

/// The name that the server's consent page shows to the user.
const CLIENT_NAME: &str = "mcp-manifold";

/// The client metadata of a registration (RFC 7591 § 2).
#[derive(Debug, Clone, Copy)]
pub struct ClientMetadata<'a> {
    /// The addresses that the server may redirect the browser to.
    pub redirect_uris: &'a [String],
    /// The grant types (`authorization_code`, `refresh_token`, …).
    pub grant_types: &'a [&'a str],
    /// The largest scope that the client may request. `None` sets no limit and so permits a later
    /// step-up.
    pub scope: Option<&'a str>,
}

/// The request (RFC 7591 § 2). `application_type` is from OpenID Connect Registration § 2; MCP
/// 2026-07-28 § Dynamic Client Registration requires it.
#[derive(Serialize)]
struct RegistrationRequest<'a> {
    client_name: &'static str,
    application_type: &'static str,
    redirect_uris: &'a [String],
    grant_types: &'a [&'a str],
    response_types: &'static [&'static str],
    token_endpoint_auth_method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

/// Registers a native client. The client information keeps every member of the response.
///
/// # Errors
/// [`TokenError::Unsupported`] if the server has no registration endpoint; others.
pub async fn register(
    clients: &Clients,
    server: &AuthorizationServer,
    metadata: &ClientMetadata<'_>,
) -> Result<ClientInformation, TokenError> {
    let endpoint = server.registration_endpoint.as_ref();
    let endpoint = endpoint.ok_or_else(|| TokenError::Unsupported {
        issuer: server.issuer.to_string(),
        what: "client registration; set `oauth.client_id`",
    })?;
    let url = endpoint.as_url();
    let code = metadata.grant_types.contains(&"authorization_code");
    let request_body = RegistrationRequest {
        client_name: CLIENT_NAME,
        application_type: "native",
        redirect_uris: metadata.redirect_uris,
        grant_types: metadata.grant_types,
        response_types: if code { &["code"] } else { &[] },
        token_endpoint_auth_method: auth_method(server),
        scope: metadata.scope.filter(|scope| !scope.is_empty()),
    };
    let malformed = |fault: &str| TokenError::Malformed {
        server: endpoint.to_string(),
        fault: fault.to_owned(),
    };
    let body = serde_json::to_vec(&request_body)
        .map_err(|_| malformed("the request cannot be written"))?;
    let request = http_client(clients, url).await?.post(url.clone());
    let request = request.header(CONTENT_TYPE, "application/json");
    let body = send(request.body(body), url).await?.into_success_body()?;
    let mut answer: Map<String, Value> = parse_body(&body, url)?;
    drop_empty_members(&mut answer);
    answer.insert("issuer".to_owned(), server.issuer.as_str().into());
    let client: Option<ClientInformation> = serde_json::from_value(answer.into()).ok();
    let named = client.filter(|client| !client.client_id.is_empty());
    named.ok_or_else(|| malformed("no `client_id`"))
}

/// Chooses the authentication method to register with. A native app cannot keep a secret (RFC 8252
/// § 8.5): it registers as a public client where the server has those.
fn auth_method(server: &AuthorizationServer) -> &'static str {
    let supported = &server.features.token_endpoint_auth_methods_supported;
    let known = ["none", "client_secret_basic", "client_secret_post"];
    let takes = |method: &str| {
        let listed = |methods: &Vec<String>| methods.iter().any(|it| it == method);
        supported.as_ref().is_none_or(listed)
    };
    known.into_iter().find(|it| takes(it)).unwrap_or("none")
}

/// Removes members without a value: some servers write `null` or an empty text.
fn drop_empty_members(answer: &mut Map<String, Value>) {
    answer.retain(|_, value| !value.is_null());
    let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    for (name, good) in [
        ("client_secret", text as fn(&Value) -> bool),
        ("token_endpoint_auth_method", text),
        ("client_secret_expires_at", Value::is_u64),
        ("redirect_uris", Value::is_array),
    ] {
        if answer.get(name).is_some_and(|value| !good(value)) {
            answer.remove(name);
        }
    }
}

#[cfg(test)]
mod tests;
