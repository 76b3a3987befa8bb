//! A login on another device, where the user enters a code (RFC 8628).

use super::code_exchange::record_sign_in;
use super::context::LoginContext;
use super::state::LoginMode;
use crate::config::GrantChoice;
use crate::oauth::authority::TokenError;
use crate::oauth::credentials::demand::TokenDemand;
use crate::oauth::credentials::server_discovery::{discover_server, requested_resource};
use crate::oauth::credentials::token_request::TokenRequest;
use crate::oauth::sign_in::{SignInError, SignInRequired};

/// The text for a server without a device flow.
const NO_DEVICE_FLOW: &str = "device flow; sign in with a browser instead";

/// Returns `true` if the user enters a code instead of returning with the browser.
pub(super) fn uses_device_flow(login: &LoginContext) -> bool {
    is_device_command(login) || is_device_grant(login)
}

/// Returns `true` if the user runs a command and can enter a code.
pub(super) fn is_device_command(login: &LoginContext) -> bool {
    match login.mode {
        LoginMode::Command { device, .. } => device || is_device_grant(login),
        LoginMode::Background | LoginMode::Never => false,
    }
}

fn is_device_grant(login: &LoginContext) -> bool {
    matches!(login.credentials.settings.grant, GrantChoice::Device)
}

/// Requests a code, publishes it, and waits until the user has entered it.
pub(super) async fn log_in(login: &LoginContext, demand: &TokenDemand) -> Result<(), SignInError> {
    let context = &login.credentials;
    let found = discover_server(context, demand).await?;
    let server = &found.authorization_server;
    if server.device_authorization_endpoint.is_none() {
        // Before a client is registered for it.
        return Err(SignInError::from(TokenError::Unsupported {
            issuer: server.issuer.to_string(),
            what: NO_DEVICE_FLOW,
        }));
    }
    let (request, scope) = TokenRequest::new_without_redirect(context, found, demand).await?;
    let resource = requested_resource(context, &request.discovered);
    let authority = request.authority(&context.clients);
    let authorization = authority.device_authorization(scope.as_deref(), resource.as_deref());
    let authorization = authorization.await?;
    let page = authorization.verification_uri_complete.as_ref();
    let page = page.unwrap_or(&authorization.verification_uri);
    login.publish_required(SignInRequired {
        url: Some(page.as_url().clone()),
        user_code: Some(authorization.user_code.clone()),
        ..login.required_at(None)
    });
    let response = authority.device_token(&authorization).await?;
    record_sign_in(context, &request, response, scope).await
}
