//! As which client we sign in, in the order of MCP 2026-07-28 § Client Registration Approaches:
//! one that was registered beforehand, one that a document describes, one that registers itself.

use tracing::info;

use super::context::CredentialContext;
use crate::oauth::authority::{self, Registration};
use crate::oauth::discovery::{Discovered, Source};
use crate::oauth::error::OAuthError;
use crate::oauth::scope;
use crate::oauth::sign_in::SignInError;
use crate::oauth::store::Swap;
use crate::oauth::tokens::{Client, Members, Timestamp};

/// What a client that registers itself may do: with a redirect URI, without, and by assertion.
const CODE_GRANT: &str = "authorization_code";
const REFRESH: &str = "refresh_token";
const ASSERTION_GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The client to sign in as. One that registered itself does so anew when that does not fit:
/// another redirect URI, a secret that ended, a scope that is too small.
pub(crate) async fn client_for(
    context: &CredentialContext,
    found: &Discovered,
    redirect_uri: Option<&str>,
    scope: Option<&str>,
) -> Result<Client, SignInError> {
    let server = &found.authorization_server;
    let issuer = server.issuer.as_str();
    if let Some(client) = preregistered(context, issuer) {
        return bind(context, client).await;
    }
    let takes_documents = server.features.client_id_metadata_document_supported;
    if let Some(client) = described(context, issuer).filter(|_| takes_documents) {
        return Ok(client);
    }
    if let Some(client) = registered(context, issuer).await? {
        let is_ours = |uri: &str| client.redirect_uris.iter().any(|known| known == uri);
        let fits = redirect_uri.is_none_or(is_ours) && may_ask_for(&client, scope);
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

/// The client of this id that something was issued to, if we still are it.
pub(crate) async fn client_named(
    context: &CredentialContext,
    issuer: &str,
    client_id: &str,
) -> Result<Option<Client>, SignInError> {
    let is = |client: &Client| client.client_id == client_id;
    let configured = [preregistered(context, issuer), described(context, issuer)];
    match configured.into_iter().flatten().find(is) {
        Some(client) => Ok(Some(client)),
        None => Ok(registered(context, issuer).await?.filter(is)),
    }
}

/// Where the client that registered itself is sent back to: what the next login had better use again.
pub(crate) async fn registered_redirects(
    context: &CredentialContext,
) -> Result<Vec<String>, SignInError> {
    let stored = context.store.client().load().await?.record;
    Ok(stored.map_or_else(Vec::new, |client| client.redirect_uris))
}

/// Forgets a client that the server does not know any more. A configured one is for a person to mend.
pub(crate) async fn forget_client(
    context: &CredentialContext,
    client: &Client,
) -> Result<(), SignInError> {
    let file = context.store.client();
    let seen = file.load().await?;
    if seen.record.as_ref() == Some(client) {
        // Who lost has nothing to forget any more.
        let (Swap::Done(_) | Swap::Lost(_)) = file.remove(seen.version).await?;
    }
    Ok(())
}

/// Forgets a client that registered itself, so that it does so anew.
pub(crate) async fn forget_registration(context: &CredentialContext) -> Result<(), SignInError> {
    match context.store.client().load().await?.record {
        Some(client) if Some(&client.client_id) != context.settings.client_id.as_ref() => {
            forget_client(context, &client).await
        }
        _ => Ok(()),
    }
}

fn preregistered(context: &CredentialContext, issuer: &str) -> Option<Client> {
    let client_id = context.settings.client_id.clone()?;
    Some(Client {
        client_secret: context.settings.client_secret.clone(),
        ..client(issuer, client_id)
    })
}

fn described(context: &CredentialContext, issuer: &str) -> Option<Client> {
    let url = context.settings.client_metadata_url.as_ref()?;
    let method = match context.settings.private_key {
        Some(_) => "private_key_jwt",
        None => "none",
    };
    Some(Client {
        token_endpoint_auth_method: Some(method.to_owned()),
        ..client(issuer, url.as_str().to_owned())
    })
}

async fn registered(
    context: &CredentialContext,
    issuer: &str,
) -> Result<Option<Client>, SignInError> {
    let stored = context.store.client().load().await?.record;
    let configured = context.settings.client_id.as_deref();
    Ok(stored
        .filter(|client| client.issuer == issuer && Some(client.client_id.as_str()) != configured))
}

/// Binds a configured client to the first issuer that it was used with
/// (MCP 2026-07-28 § Authorization Server Binding). Its secret is not stored.
async fn bind(context: &CredentialContext, client: Client) -> Result<Client, SignInError> {
    let file = context.store.client();
    let stored = file.load().await?.record;
    let same = stored.filter(|stored| stored.client_id == client.client_id);
    let pinned = context.settings.authorization_server.as_deref() == Some(client.issuer.as_str());
    match same {
        Some(stored) if stored.issuer == client.issuer => {}
        Some(stored) if !pinned => {
            return Err(SignInError::IssuerChanged {
                upstream: context.name.clone(),
                known: stored.issuer,
                found: client.issuer,
            });
        }
        _ => {
            let bound = Client {
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
) -> Result<Client, SignInError> {
    let server = &found.authorization_server;
    let resource = found.protected_resource.as_ref();
    let all = resource.and_then(|it| it.scopes_supported.as_ref());
    let all = all.map(|scopes| scopes.join(" "));
    // Everything the upstream knows, as a step-up may ask for it later.
    let wide = scope::union([scope, all.as_deref()]);
    let redirect_uris: Vec<_> = redirect_uri.map(str::to_owned).into_iter().collect();
    // Without a redirect URI a client may not do what needs one (RFC 7591 § 2).
    let grants = match redirect_uri {
        Some(_) if server.device_authorization_endpoint.is_some() => {
            vec![CODE_GRANT, REFRESH, DEVICE_GRANT]
        }
        Some(_) => vec![CODE_GRANT, REFRESH],
        None if context.settings.grant.needs_a_person() => vec![DEVICE_GRANT, REFRESH],
        None => vec![ASSERTION_GRANT],
    };
    let wanted = Registration {
        redirect_uris: &redirect_uris,
        grant_types: &grants,
        scope: wide.as_deref(),
    };
    let client = authority::register(&context.clients, server, &wanted).await;
    let url = || {
        let endpoint = server.registration_endpoint.as_ref();
        endpoint.map_or_else(|| server.issuer.to_string(), ToString::to_string)
    };
    let client = client.map_err(|error| match found.source {
        // Nobody said that there is such a server.
        Source::Assumed if !error.is_transient() => OAuthError::nowhere(url()).into(),
        _ => SignInError::from(error),
    })?;
    info!(issuer = %server.issuer, "registered as a client");
    // Only who holds the lock of the login registers, so that nobody else's is overwritten.
    context.store.client().put(client.clone()).await?;
    Ok(client)
}

fn client(issuer: &str, client_id: String) -> Client {
    Client {
        issuer: issuer.to_owned(),
        client_id,
        client_secret: None,
        client_secret_expires_at: None,
        redirect_uris: Vec::new(),
        token_endpoint_auth_method: None,
        other: Members::default(),
    }
}

/// Whether a registration is wide enough; one that names no scope is.
fn may_ask_for(client: &Client, scope: Option<&str>) -> bool {
    let registered = client.other.0.get("scope").and_then(|it| it.as_str());
    match (registered, scope) {
        (Some(registered), Some(scope)) if !registered.is_empty() => {
            scope::covers(registered, scope)
        }
        _ => true,
    }
}
