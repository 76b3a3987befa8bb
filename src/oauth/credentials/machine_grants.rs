//! Grants without a user: client credentials and assertions.

use std::sync::Arc;

use tracing::info;

use super::context::CredentialContext;
use super::demand::TokenDemand;
use super::server_discovery::{discover_server, requested_resource};
use super::token_request::TokenRequest;
use crate::config::GrantChoice;
use crate::oauth::authority::id_assertion::request_id_assertion;
use crate::oauth::sign_in::SignInError;

/// Obtains a token, unless another task or process has replaced the refused one.
pub(crate) async fn obtain(
    context: &Arc<CredentialContext>,
    demand: TokenDemand,
) -> Result<(), SignInError> {
    let this = context.clone();
    let obtain = async move {
        let _mutex = this.renewal_mutex.lock().await;
        let _lock = this.lock_renewal().await?;
        this.reload().await?;
        if this.has_token_other_than(demand.refused_token.as_ref()) {
            return Ok(());
        }
        request_token(&this, &demand).await
    };
    context.run_to_completion(obtain).await
}

/// Requests a token. The caller holds the lock.
pub(super) async fn request_token(
    context: &CredentialContext,
    demand: &TokenDemand,
) -> Result<(), SignInError> {
    let found = discover_server(context, demand).await?;
    let (request, requested_scope) =
        TokenRequest::new_without_redirect(context, found, demand).await?;
    let resource = requested_resource(context, &request.discovered);
    let clients = &context.clients;
    let authority = request.authority(clients);
    let (scope, resource) = (requested_scope.as_deref(), resource.as_deref());
    let response = match &context.settings.grant {
        GrantChoice::JwtBearer { assertion } => {
            authority.jwt_bearer(assertion, scope, resource).await?
        }
        GrantChoice::Enterprise(provider) => {
            let issuer = &request.discovered.authorization_server.issuer;
            let target = resource.unwrap_or(&request.discovered.resource);
            let assertion = request_id_assertion(clients, provider, issuer, target, scope).await?;
            authority.jwt_bearer(&assertion, scope, resource).await?
        }
        // The other grants need the user and do not start here.
        _ => authority.client_credentials(scope, resource).await?,
    };
    request
        .store_tokens(context, response, requested_scope)
        .await?;
    info!("obtained an access token");
    Ok(())
}
