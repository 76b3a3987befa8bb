//! The client to sign in as: preregistered, described by a metadata document, or dynamically
//! registered. The order is that of MCP 2026-07-28 § Client Registration Approaches.

use tracing::info;

use super::context::CredentialContext;
use crate::oauth::authority::{self, ClientMetadata};
use crate::oauth::discovery::{Discovered, MetadataSource};
use crate::oauth::error::DiscoveryError;
use crate::oauth::scope;
use crate::oauth::sign_in::SignInError;
use crate::oauth::store::Swap;
use crate::oauth::tokens::{ClientInformation, Members, Timestamp};

/// Grant types of a dynamic registration: with a redirect URI, without one, and by assertion.
const AUTHORIZATION_CODE_GRANT: &str = "authorization_code";
const REFRESH_TOKEN_GRANT: &str = "refresh_token";
const JWT_BEARER_GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const DEVICE_CODE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Returns the client to sign in as. Registers again if the stored registration does not fit:
/// another redirect URI, an expired secret, or too small a scope.
pub(crate) async fn resolve_client(
    context: &CredentialContext,
    found: &Discovered,
    redirect_uri: Option<&str>,
    scope: Option<&str>,
) -> Result<ClientInformation, SignInError> {
    let server = &found.authorization_server;
    let issuer = server.issuer.as_str();
    if let Some(client) = preregistered_client(context, issuer) {
        return bind_to_issuer(context, client).await;
    }
    let takes_documents = server.features.client_id_metadata_document_supported;
    if let Some(client) = metadata_document_client(context, issuer).filter(|_| takes_documents) {
        return Ok(client);
    }
    if let Some(client) = registered_client(context, issuer).await? {
        let is_registered = |uri: &str| client.redirect_uris.iter().any(|known| known == uri);
        let fits = redirect_uri.is_none_or(is_registered) && allows_scope(&client, scope);
        if fits && !client.is_expired(Timestamp::now()) {
            return Ok(client);
        }
    }
    if server.registration_endpoint.is_none() {
        return Err(SignInError::NoClient {
            issuer: issuer.to_owned(),
            redirect_uri: redirect_uri.map(str::to_owned),
            variable: format!("PROXY_{}_CLIENT_ID", context.name.variable()),
        });
    }
    register(context, found, redirect_uri, scope).await
}

/// Returns the client with this id if it is configured or registered.
pub(crate) async fn find_client(
    context: &CredentialContext,
    issuer: &str,
    client_id: &str,
) -> Result<Option<ClientInformation>, SignInError> {
    let has_id = |client: &ClientInformation| client.client_id == client_id;
    let configured = [
        preregistered_client(context, issuer),
        metadata_document_client(context, issuer),
    ];
    match configured.into_iter().flatten().find(has_id) {
        Some(client) => Ok(Some(client)),
        None => Ok(registered_client(context, issuer).await?.filter(has_id)),
    }
}

/// Returns the redirect URIs of the stored registration, which the next login should reuse.
pub(crate) async fn registered_redirect_uris(
    context: &CredentialContext,
) -> Result<Vec<String>, SignInError> {
    let stored = context.store.client().load().await?.record;
    Ok(stored.map_or_else(Vec::new, |client| client.redirect_uris))
}

/// Removes the registration of a client that the server no longer knows. A configured client is for
/// the user to correct.
pub(crate) async fn remove_client(
    context: &CredentialContext,
    client: &ClientInformation,
) -> Result<(), SignInError> {
    let file = context.store.client();
    let seen = file.load().await?;
    if seen.record.as_ref() == Some(client) {
        // On a conflict, another process has replaced the record already.
        let (Swap::Done(_) | Swap::Conflict(_)) = file.remove(seen.version).await?;
    }
    Ok(())
}

/// Removes a dynamic registration, so that the next login registers again.
pub(crate) async fn remove_registration(context: &CredentialContext) -> Result<(), SignInError> {
    match context.store.client().load().await?.record {
        Some(client) if Some(&client.client_id) != context.settings.client_id.as_ref() => {
            remove_client(context, &client).await
        }
        _ => Ok(()),
    }
}

fn preregistered_client(context: &CredentialContext, issuer: &str) -> Option<ClientInformation> {
    let client_id = context.settings.client_id.clone()?;
    Some(ClientInformation {
        client_secret: context.settings.client_secret.clone(),
        ..new_client(issuer, client_id)
    })
}

fn metadata_document_client(
    context: &CredentialContext,
    issuer: &str,
) -> Option<ClientInformation> {
    let url = context.settings.client_metadata_url.as_ref()?;
    let method = match context.settings.private_key {
        Some(_) => "private_key_jwt",
        None => "none",
    };
    Some(ClientInformation {
        token_endpoint_auth_method: Some(method.to_owned()),
        ..new_client(issuer, url.as_str().to_owned())
    })
}

async fn registered_client(
    context: &CredentialContext,
    issuer: &str,
) -> Result<Option<ClientInformation>, SignInError> {
    let stored = context.store.client().load().await?.record;
    let configured = context.settings.client_id.as_deref();
    Ok(stored
        .filter(|client| client.issuer == issuer && Some(client.client_id.as_str()) != configured))
}

/// Binds a configured client to the first issuer that it was used with (MCP 2026-07-28
/// § Authorization Server Binding). Does not store its secret.
async fn bind_to_issuer(
    context: &CredentialContext,
    client: ClientInformation,
) -> Result<ClientInformation, SignInError> {
    let file = context.store.client();
    let stored = file.load().await?.record;
    let same = stored.filter(|stored| stored.client_id == client.client_id);
    let pinned = context.settings.authorization_server.as_deref() == Some(client.issuer.as_str());
    match same {
        Some(stored) if stored.issuer == client.issuer => {}
        Some(stored) if !pinned => {
            return Err(SignInError::IssuerChanged {
                upstream: context.name.clone(),
                expected: stored.issuer,
                found: client.issuer,
            });
        }
        _ => {
            let bound = ClientInformation {
                client_secret: None,
                ..client.clone()
            };
            file.put(bound).await?;
        }
    }
    Ok(client)
}

async fn register(
    context: &CredentialContext,
    found: &Discovered,
    redirect_uri: Option<&str>,
    scope: Option<&str>,
) -> Result<ClientInformation, SignInError> {
    let server = &found.authorization_server;
    let resource = found.protected_resource.as_ref();
    let supported = resource.and_then(|it| it.scopes_supported.as_ref());
    let supported = supported.map(|scopes| scopes.join(" "));
    // All scopes of the upstream, since a step-up may request them later.
    let full_scope = scope::union([scope, supported.as_deref()]);
    let redirect_uris: Vec<_> = redirect_uri.map(str::to_owned).into_iter().collect();
    // A client without redirect URI must not use grants that need one (RFC 7591 § 2).
    let grants = match redirect_uri {
        Some(_) if server.device_authorization_endpoint.is_some() => {
            vec![
                AUTHORIZATION_CODE_GRANT,
                REFRESH_TOKEN_GRANT,
                DEVICE_CODE_GRANT,
            ]
        }
        Some(_) => vec![AUTHORIZATION_CODE_GRANT, REFRESH_TOKEN_GRANT],
        None if context.settings.grant.requires_user_action() => {
            vec![DEVICE_CODE_GRANT, REFRESH_TOKEN_GRANT]
        }
        None => vec![JWT_BEARER_GRANT],
    };
    let metadata = ClientMetadata {
        redirect_uris: &redirect_uris,
        grant_types: &grants,
        scope: full_scope.as_deref(),
    };
    let client = authority::register(&context.clients, server, &metadata).await;
    let url = || {
        let endpoint = server.registration_endpoint.as_ref();
        endpoint.map_or_else(|| server.issuer.to_string(), ToString::to_string)
    };
    let client = client.map_err(|error| match found.source {
        // Nothing published this endpoint.
        MetadataSource::Assumed if !error.is_transient() => {
            DiscoveryError::no_registration(url()).into()
        }
        _ => SignInError::from(error),
    })?;
    info!(issuer = %server.issuer, "registered as a client");
    // Only the holder of the login lock registers, so that no other registration is overwritten.
    context.store.client().put(client.clone()).await?;
    Ok(client)
}

fn new_client(issuer: &str, client_id: String) -> ClientInformation {
    ClientInformation {
        issuer: issuer.to_owned(),
        client_id,
        client_secret: None,
        client_secret_expires_at: None,
        redirect_uris: Vec::new(),
        token_endpoint_auth_method: None,
        other: Members::default(),
    }
}

/// Returns `true` if the registration permits the scope; one without a scope permits all.
fn allows_scope(client: &ClientInformation, scope: Option<&str>) -> bool {
    let registered = client.other.0.get("scope").and_then(|it| it.as_str());
    match (registered, scope) {
        (Some(registered), Some(scope)) if !registered.is_empty() => {
            scope::covers(registered, scope)
        }
        _ => true,
    }
}
