//! Waiting for a person, here or in another process.

use std::time::Duration;

use tokio::time::sleep;

use super::{LoginMode, LoginState};
use crate::config::Secret;
use crate::oauth::SignInError;
use crate::oauth::authorizer::{Authorizer, TokenDemand};
use crate::oauth::login::logins::Logins;
use crate::oauth::login::pending::Pending;
use crate::oauth::sign_in::SignInRequired;
use crate::oauth::store::{Swap, Version};
use crate::oauth::tokens::Timestamp;

/// How soon a login that another process made is seen by one that waits for nothing else.
const POLL: Duration = Duration::from_secs(1);

/// Which token was in use at some time.
#[derive(Debug, Clone)]
pub struct TokenVersion(pub(in crate::oauth) Option<Secret>);

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
    pub fn mark(&self) -> TokenVersion {
        TokenVersion(self.held().map(|held| held.tokens.access_token.clone()))
    }

    /// Waits until there are other tokens than at `mark`, whoever got them.
    pub async fn tokens_changed(&self, mark: &TokenVersion) {
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

    /// What a person has to do: if a login of another process waits for one, at its page.
    pub(in crate::oauth) async fn waiting_elsewhere(&self) -> Result<SignInRequired, SignInError> {
        let logins = self.logins().load().await?.record.unwrap_or_default();
        Ok(self.waiting(logins.pending(Timestamp::now())))
    }

    pub(in crate::oauth) fn waiting(&self, pending: Option<&Pending>) -> SignInRequired {
        SignInRequired {
            opened: pending.is_some_and(|pending| pending.opened),
            ..self.needed(pending.map(|pending| &pending.url))
        }
    }

    /// Whether the page of a login that another process waits for is to be shown by us: when
    /// somebody said so, or that process has no browser. Of several that have one, one shows it.
    pub(in crate::oauth) async fn claims_page(
        &self,
        logins: &Logins,
        seen: Version,
        demand: &TokenDemand,
    ) -> Result<bool, SignInError> {
        if self.around.manner != LoginMode::Background {
            return Ok(true);
        }
        let mut logins = logins.clone();
        let may = self.around.browser.can_open().is_ok()
            && self.check_brake(&logins, demand, false).is_ok();
        match &mut logins.pending {
            Some(pending) if may && !pending.opened => pending.opened = true,
            _ => return Ok(false),
        }
        logins.open(Timestamp::now(), self.config.login_retry);
        let claimed = self.logins().replace(seen, logins).await?;
        Ok(matches!(claimed, Swap::Done(_)))
    }
}
