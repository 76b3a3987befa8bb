//! Waiting for a person, here or in another process.

use std::time::Duration;

use tokio::time::sleep;

use super::context::LoginContext;
use super::state::{LoginState, TokenVersion};
use crate::oauth::credentials::context::CredentialContext;
use crate::oauth::sign_in::{SignInError, SignInRequired};
use crate::oauth::tokens::Timestamp;

/// How soon a login that another process made is seen by one that waits for nothing else.
const POLL: Duration = Duration::from_secs(1);

/// Waits until the login that is under way has come to its end.
///
/// # Errors
/// [`SignInError`], when it got no tokens.
pub(crate) async fn login_over(login: &LoginContext) -> Result<(), SignInError> {
    let mut state = login.subscribe();
    let over = |state: &LoginState| matches!(state, LoginState::Idle | LoginState::Failed(_));
    match state.wait_for(over).await.as_deref() {
        Ok(LoginState::Failed(error)) => Err(error.clone()),
        // The sender lives as long as we do.
        _ => Ok(()),
    }
}

/// Waits until there are other tokens than those of `before`, whoever got them.
pub(crate) async fn tokens_changed(credentials: &CredentialContext, before: &TokenVersion) {
    let mut changes = credentials.subscribe();
    while !credentials.has_other_than(before.0.as_ref()) {
        tokio::select! {
            // Another task of this process read them.
            _ = changes.changed() => {}
            // What cannot be read now may be read the next time.
            () = sleep(POLL) => drop(credentials.reload().await),
        }
    }
}

/// What a person has to do: if a login of another process waits for one, at its page.
pub(super) async fn waiting_elsewhere(login: &LoginContext) -> Result<SignInRequired, SignInError> {
    let logins = login.credentials.logins().load().await?;
    let logins = logins.record.unwrap_or_default();
    Ok(login.required_for(logins.pending(Timestamp::now())))
}
