//! Tokens that need no person: for the client itself, or for what somebody asserts.

use std::sync::Arc;

use tracing::info;

use super::context::CredentialContext;
use super::demand::TokenDemand;
use super::server_discovery::{find_server, requested_resource};
use super::token_request::TokenRequest;
use crate::config::GrantChoice;
use crate::oauth::authority::id_assertion::id_assertion;
use crate::oauth::sign_in::SignInError;

/// Gets a token, unless somebody did since the one that was refused.
pub(crate) async fn obtain(
    context: &Arc<CredentialContext>,
    demand: TokenDemand,
) -> Result<(), SignInError> {
    let this = context.clone();
    let obtaining = async move {
        let _one = this.renewing.lock().await;
        let _lock = this.lock_renewal().await?;
        this.reload().await?;
        if this.has_other_than(demand.refused.as_ref()) {
            return Ok(());
        }
        grant(&this, &demand).await
    };
    context.run_to_end(obtaining).await
}

/// Gets a token. The caller holds the lock.
pub(super) async fn grant(
    context: &CredentialContext,
    demand: &TokenDemand,
) -> Result<(), SignInError> {
    let found = find_server(context, demand).await?;
    let (request, scope) = TokenRequest::without_redirect(context, found, demand).await?;
    let resource = requested_resource(context, &request.found);
    let clients = &context.clients;
    let authority = request.authority(clients);
    let (asked, resource) = (scope.as_deref(), resource.as_deref());
    let grant = match &context.settings.grant {
        GrantChoice::JwtBearer { assertion } => {
            authority.jwt_bearer(assertion, asked, resource).await?
        }
        GrantChoice::Enterprise(provider) => {
            let issuer = &request.found.authorization_server.issuer;
            let target = resource.unwrap_or(&request.found.resource);
            let assertion = id_assertion(clients, provider, issuer, target, asked).await?;
            authority.jwt_bearer(&assertion, asked, resource).await?
        }
        // The others need a person, and are not begun here.
        _ => authority.client_credentials(asked, resource).await?,
    };
    request.keep(context, grant, scope).await?;
    info!("got an access token");
    Ok(())
}
