//! The end of a login: one process exchanges its code, once.

use std::sync::Arc;

use tracing::info;

use crate::oauth::credentials::client_registration::find_client;
use crate::oauth::credentials::context::CredentialContext;
use crate::oauth::credentials::server_discovery::server_for_issuer;
use crate::oauth::credentials::token_request::TokenRequest;
use crate::oauth::login::callback::Page;
use crate::oauth::login::login_error::LoginError;
use crate::oauth::login::login_record::LoginRecord;
use crate::oauth::login::pending::PendingLogin;
use crate::oauth::login::response::AuthorizationResponse;
use crate::oauth::sign_in::SignInError;
use crate::oauth::store::{Snapshot, Swap};
use crate::oauth::tokens::{Timestamp, TokenResponse};

/// Completes the pending login with what the user pasted: the address on which the browser ended,
/// or a code.
///
/// # Errors
/// [`SignInError`]. The user may try again after [`LoginError::StateMismatch`] and others that
/// allow a retry.
pub(crate) async fn redeem_pasted_response(
    context: &Arc<CredentialContext>,
    text: &str,
) -> Result<(), SignInError> {
    let response = AuthorizationResponse::from_paste(text)?;
    let record = context.load_login_record().await?;
    let pending = record.pending(Timestamp::now()).cloned();
    let pending = pending.ok_or(LoginError::StateMismatch)?;
    if !response.belongs_to(&pending) {
        return Err(LoginError::StateMismatch.into());
    }
    redeem(context, &pending, response).await
}

/// Exchanges the code of a response to this login, once across all processes. Continues if the
/// caller is dropped.
pub(super) async fn redeem(
    context: &Arc<CredentialContext>,
    pending: &PendingLogin,
    response: AuthorizationResponse,
) -> Result<(), SignInError> {
    let (this, pending) = (context.clone(), pending.clone());
    let redeem = async move { redeem_now(&this, &pending, &response).await };
    context.run_to_completion(redeem).await
}

async fn redeem_now(
    context: &CredentialContext,
    pending: &PendingLogin,
    response: &AuthorizationResponse,
) -> Result<(), SignInError> {
    let found = server_for_issuer(context, &pending.issuer).await?;
    let code = response.code(pending, &found.authorization_server);
    if let Err(error @ LoginError::BareCode { .. }) = code {
        // The user can paste the whole address instead.
        return Err(error.into());
    }
    // The state is valid once, whatever the response says.
    claim_pending(context, pending).await?;
    let code = code?;
    let client = find_client(context, &pending.issuer, &pending.client_id);
    let client = client.await?.ok_or(LoginError::StateMismatch)?;
    let request = TokenRequest::new(context, found, client, pending.dpop)?;
    let authority = request.authority(&context.clients);
    let resource = pending.resource.as_deref();
    let response = authority
        .exchange_code(&code, &pending.verifier, &pending.redirect_uri, resource)
        .await?;
    record_sign_in(context, &request, response, pending.scope.clone()).await
}

/// Stores the tokens, then records the sign-in.
pub(super) async fn record_sign_in(
    context: &CredentialContext,
    request: &TokenRequest,
    response: TokenResponse,
    requested_scope: Option<String>,
) -> Result<(), SignInError> {
    request
        .store_tokens(context, response, requested_scope.clone())
        .await?;
    let now = Timestamp::now();
    let signed_in = |record: &mut LoginRecord| record.record_sign_in(now, requested_scope.clone());
    context.login_record().update(signed_in).await?;
    info!("signed in");
    Ok(())
}

/// Removes the pending login from the record: only the process that removed it may exchange the
/// code.
async fn claim_pending(
    context: &CredentialContext,
    pending: &PendingLogin,
) -> Result<(), SignInError> {
    let file = context.login_record();
    let mut seen: Snapshot<LoginRecord> = file.load().await?;
    loop {
        let mut record = seen.record.clone().unwrap_or_default();
        let is_there = record.pending.as_ref().map(|it| &it.state) == Some(&pending.state);
        if !is_there {
            return Err(LoginError::StateMismatch.into());
        }
        record.pending = None;
        match file.replace(seen.version, record).await? {
            Swap::Done(_) => return Ok(()),
            Swap::Conflict(current) => seen = current,
        }
    }
}

/// Returns the page with the result.
pub(super) fn result_page(outcome: &Result<(), SignInError>) -> Page {
    match outcome {
        Ok(()) => Page::SignedIn,
        Err(SignInError::Login(error)) => Page::for_error(error),
        Err(error) => Page::Failed(error.to_string()),
    }
}
