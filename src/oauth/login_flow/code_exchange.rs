//! The end of a login: its code is spent, by one process and once.

use std::sync::Arc;

use tracing::info;

use crate::oauth::credentials::client_registration::client_named;
use crate::oauth::credentials::context::CredentialContext;
use crate::oauth::credentials::server_discovery::server_of;
use crate::oauth::credentials::token_request::TokenRequest;
use crate::oauth::login::callback::Page;
use crate::oauth::login::login_error::LoginError;
use crate::oauth::login::logins::Logins;
use crate::oauth::login::pending::Pending;
use crate::oauth::login::response::AuthorizationResponse;
use crate::oauth::sign_in::SignInError;
use crate::oauth::store::{Snapshot, Swap};
use crate::oauth::tokens::{Grant, Timestamp};

/// Finishes the login that waits with what a person brought: the address on which the browser ended, or a code.
///
/// # Errors
/// [`SignInError`]; after [`LoginError::OtherState`] and the like another try is possible.
pub(crate) async fn paste(context: &Arc<CredentialContext>, text: &str) -> Result<(), SignInError> {
    let response = AuthorizationResponse::from_paste(text)?;
    let logins = context.logins().load().await?.record.unwrap_or_default();
    let pending = logins.pending(Timestamp::now()).cloned();
    let pending = pending.ok_or(LoginError::OtherState)?;
    if !response.is_for(&pending) {
        return Err(LoginError::OtherState.into());
    }
    redeem(context, &pending, response).await
}

/// Spends the code of an answer to this login. It is done by one process and once, and goes on when the
/// caller is gone.
pub(super) async fn redeem(
    context: &Arc<CredentialContext>,
    pending: &Pending,
    response: AuthorizationResponse,
) -> Result<(), SignInError> {
    let (this, pending) = (context.clone(), pending.clone());
    let redeeming = async move { redeem_now(&this, &pending, &response).await };
    context.run_to_end(redeeming).await
}

async fn redeem_now(
    context: &CredentialContext,
    pending: &Pending,
    response: &AuthorizationResponse,
) -> Result<(), SignInError> {
    let found = server_of(context, &pending.issuer).await?;
    let code = response.code(pending, &found.authorization_server);
    if let Err(error @ LoginError::BareCode { .. }) = code {
        // A person brought it, who has the rest as well.
        return Err(error.into());
    }
    // The state is good once, whatever the answer says.
    take(context, pending).await?;
    let code = code?;
    let client = client_named(context, &pending.issuer, &pending.client_id);
    let client = client.await?.ok_or(LoginError::OtherState)?;
    let request = TokenRequest::new(context, found, client, pending.dpop)?;
    let authority = request.authority(&context.clients);
    let resource = pending.resource.as_deref();
    let grant = authority
        .exchange_code(&code, &pending.verifier, &pending.redirect_uri, resource)
        .await?;
    signed_in(context, &request, grant, pending.scope.clone()).await
}

/// Writes down that somebody signed in, with the tokens first.
pub(super) async fn signed_in(
    context: &CredentialContext,
    request: &TokenRequest,
    grant: Grant,
    asked: Option<String>,
) -> Result<(), SignInError> {
    request.keep(context, grant, asked.clone()).await?;
    let now = Timestamp::now();
    let signed_in = |logins: &mut Logins| logins.signed_in(now, asked.clone());
    context.logins().update(signed_in).await?;
    info!("signed in");
    Ok(())
}

/// Makes the login nobody else's: whoever takes it from the disk may redeem it.
async fn take(context: &CredentialContext, pending: &Pending) -> Result<(), SignInError> {
    let file = context.logins();
    let mut seen: Snapshot<Logins> = file.load().await?;
    loop {
        let mut logins = seen.record.clone().unwrap_or_default();
        let is_there = logins.pending.as_ref().map(|it| &it.state) == Some(&pending.state);
        if !is_there {
            return Err(LoginError::OtherState.into());
        }
        logins.pending = None;
        match file.replace(seen.version, logins).await? {
            Swap::Done(_) => return Ok(()),
            Swap::Lost(there) => seen = there,
        }
    }
}

/// What the person sees at the end.
pub(super) fn page(outcome: &Result<(), SignInError>) -> Page {
    match outcome {
        Ok(()) => Page::SignedIn,
        Err(SignInError::Login(error)) => Page::of(error),
        Err(error) => Page::Failed(error.to_string()),
    }
}
