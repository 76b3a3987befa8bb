//! Waiting for a person, here or in another process.

use std::time::Duration;

use tokio::time::sleep;

use super::Authorizer;
use super::login::LoginState;
use crate::config::Secret;
use crate::oauth::SignInError;

/// How soon a login that another process made is seen by one that waits for nothing else.
const POLL: Duration = Duration::from_secs(1);

/// Which token was in use at some time.
#[derive(Debug, Clone)]
pub struct Mark(pub(super) Option<Secret>);

impl Authorizer {
    /// Waits until the login that is under way has come to its end.
    ///
    /// # Errors
    /// [`SignInError`], when it got no tokens.
    pub async fn login_over(&self) -> Result<(), SignInError> {
        let mut state = self.login.subscribe();
        let over = |state: &LoginState| matches!(state, LoginState::Idle | LoginState::Failed(_));
        match state.wait_for(over).await.as_deref() {
            Ok(LoginState::Failed(error)) => Err(error.clone()),
            // The sender lives as long as we do.
            _ => Ok(()),
        }
    }

    /// The token in use now.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(self.held().map(|held| held.tokens.access_token.clone()))
    }

    /// Waits until there are other tokens than at `mark`, whoever got them.
    pub async fn tokens_changed(&self, mark: &Mark) {
        let mut held = self.held.subscribe();
        while !self.has_other_than(mark.0.as_ref()) {
            tokio::select! {
                // Another task of this process read them.
                _ = held.changed() => {}
                // What cannot be read now may be read the next time.
                () = sleep(POLL) => drop(self.reload().await),
            }
        }
    }
}
