//! Makes us known to an authorization server that knows no client of ours (RFC 7591).

use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::read;
use super::error::TokenError;
use super::form_post::{client, send};
use crate::net::Clients;
use crate::oauth::discovery::metadata::AuthorizationServer;
use crate::oauth::tokens::Client;

/// What a person sees when a server asks who wants in.
const NAME: &str = "mcp-manifold";

/// What a client is registered with.
#[derive(Debug, Clone, Copy)]
pub struct Registration<'a> {
    /// Where the browser may be sent back to.
    pub redirect_uris: &'a [String],
    /// The grants it is for (`authorization_code`, `refresh_token`, …).
    pub grant_types: &'a [&'a str],
    /// The scope it may ask for; none leaves that open, for a step-up later.
    pub scope: Option<&'a str>,
}

/// The request (RFC 7591 § 2; `application_type` is of OpenID Connect Registration § 2, and MCP
/// 2026-07-28 § Dynamic Client Registration demands it).
#[derive(Serialize)]
struct Metadata<'a> {
    client_name: &'static str,
    application_type: &'static str,
    redirect_uris: &'a [String],
    grant_types: &'a [&'a str],
    response_types: &'static [&'static str],
    token_endpoint_auth_method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

/// Registers a native client. The whole answer is kept in it.
///
/// # Errors
/// [`TokenError::Unsupported`] when the server has no registration; others.
pub async fn register(
    clients: &Clients,
    server: &AuthorizationServer,
    wanted: &Registration<'_>,
) -> Result<Client, TokenError> {
    let endpoint = server.registration_endpoint.as_ref();
    let endpoint = endpoint.ok_or_else(|| TokenError::Unsupported {
        issuer: server.issuer.to_string(),
        what: "registration; set `oauth.client_id`",
    })?;
    let url = endpoint.as_url();
    let code = wanted.grant_types.contains(&"authorization_code");
    let metadata = Metadata {
        client_name: NAME,
        application_type: "native",
        redirect_uris: wanted.redirect_uris,
        grant_types: wanted.grant_types,
        response_types: if code { &["code"] } else { &[] },
        token_endpoint_auth_method: method(server),
        scope: wanted.scope.filter(|scope| !scope.is_empty()),
    };
    let malformed = |fault: &str| TokenError::Malformed {
        server: endpoint.to_string(),
        fault: fault.to_owned(),
    };
    let body = serde_json::to_vec(&metadata).map_err(|_| malformed("nothing can be asked"))?;
    let request = client(clients, url).await?.post(url.clone());
    let request = request.header(CONTENT_TYPE, "application/json");
    let body = send(request.body(body), url).await?.accepted()?;
    let mut answer: Map<String, Value> = read(&body, url)?;
    tidy(&mut answer);
    answer.insert("issuer".to_owned(), server.issuer.as_str().into());
    let client: Option<Client> = serde_json::from_value(answer.into()).ok();
    let named = client.filter(|client| !client.client_id.is_empty());
    named.ok_or_else(|| malformed("it names no client"))
}

/// How the client will prove itself. A program that people run keeps no secret (RFC 8252 § 8.5),
/// so it wants none, unless the server has no clients of that kind.
fn method(server: &AuthorizationServer) -> &'static str {
    let supported = &server.features.token_endpoint_auth_methods_supported;
    let known = ["none", "client_secret_basic", "client_secret_post"];
    let takes = |method: &str| {
        let listed = |methods: &Vec<String>| methods.iter().any(|it| it == method);
        supported.as_ref().is_none_or(listed)
    };
    known.into_iter().find(|it| takes(it)).unwrap_or("none")
}

/// Takes out members that say nothing: some servers write `null` or an empty text for none.
fn tidy(answer: &mut Map<String, Value>) {
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
