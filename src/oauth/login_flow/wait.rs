//! Waits for the user, in this or another process.

use std::time::Duration;

use tokio::time::sleep;

use super::context::LoginContext;
use super::state::{LoginState, TokenVersion};
use crate::oauth::credentials::context::CredentialContext;
use crate::oauth::sign_in::{SignInError, SignInRequired};
use crate::oauth::tokens::Timestamp;

/// How often tokens from another process are looked for when nothing else waits for them.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Waits until the running login ends.
///
/// # Errors
/// [`SignInError`] if the login obtained no tokens.
pub(crate) async fn wait_until_login_ends(login: &LoginContext) -> Result<(), SignInError> {
    let mut state = login.subscribe();
    let over = |state: &LoginState| matches!(state, LoginState::Idle | LoginState::Failed(_));
    match state.wait_for(over).await.as_deref() {
        Ok(LoginState::Failed(error)) => Err(error.clone()),
        // The sender lives as long as `login`.
        _ => Ok(()),
    }
}

/// Waits until the tokens differ from `before`, whichever process obtained them.
pub(crate) async fn wait_until_tokens_change(
    credentials: &CredentialContext,
    before: &TokenVersion,
) {
    let mut changes = credentials.subscribe();
    while !credentials.has_token_other_than(before.0.as_ref()) {
        tokio::select! {
            // Another task of this process has read them.
            _ = changes.changed() => {}
            // A file that cannot be read now may be readable later.
            () = sleep(POLL_INTERVAL) => drop(credentials.reload().await),
        }
    }
}

/// Returns what the user has to do, at the page of another process's login if there is one.
pub(super) async fn required_by_other_process(
    login: &LoginContext,
) -> Result<SignInRequired, SignInError> {
    let record = login.credentials.load_login_record().await?;
    Ok(login.required_for(record.pending(Timestamp::now())))
}
