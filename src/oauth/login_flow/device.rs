//! A person signs in on another device, where a code is entered (RFC 8628).

use super::code_exchange::signed_in;
use super::context::LoginContext;
use super::state::LoginMode;
use crate::config::GrantChoice;
use crate::oauth::authority::TokenError;
use crate::oauth::credentials::demand::TokenDemand;
use crate::oauth::credentials::server_discovery::{find_server, requested_resource};
use crate::oauth::credentials::token_request::TokenRequest;
use crate::oauth::sign_in::{SignInError, SignInRequired};

/// What a server may lack.
const NOT_BY_DEVICE: &str = "sign-in by device; sign in with a browser instead";

/// Whether a code is entered instead of a browser coming back.
pub(super) fn is_for_device(login: &LoginContext) -> bool {
    is_device_command(login) || is_device_grant(login)
}

/// Whether somebody is there to enter a code.
pub(super) fn is_device_command(login: &LoginContext) -> bool {
    match login.mode {
        LoginMode::Command { device, .. } => device || is_device_grant(login),
        LoginMode::Background | LoginMode::Never => false,
    }
}

fn is_device_grant(login: &LoginContext) -> bool {
    matches!(login.credentials.settings.grant, GrantChoice::Device)
}

/// Asks for a code, shows it, and waits until it was entered.
pub(super) async fn log_in(login: &LoginContext, demand: &TokenDemand) -> Result<(), SignInError> {
    let context = &login.credentials;
    let found = find_server(context, demand).await?;
    let server = &found.authorization_server;
    if server.device_authorization_endpoint.is_none() {
        // Before anything is registered for it.
        return Err(SignInError::from(TokenError::Unsupported {
            issuer: server.issuer.to_string(),
            what: NOT_BY_DEVICE,
        }));
    }
    let (request, scope) = TokenRequest::without_redirect(context, found, demand).await?;
    let resource = requested_resource(context, &request.found);
    let authority = request.authority(&context.clients);
    let asked = authority.device_authorization(scope.as_deref(), resource.as_deref());
    let asked = asked.await?;
    let page = asked.verification_uri_complete.as_ref();
    let page = page.unwrap_or(&asked.verification_uri);
    login.publish(SignInRequired {
        url: Some(page.as_url().clone()),
        code: Some(asked.user_code.clone()),
        ..login.required(None)
    });
    let grant = authority.device_token(&asked).await?;
    signed_in(context, &request, grant, scope).await
}
