//! The next access token, by the refresh token: once, whoever asks, of all tasks and processes.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tracing::{Instrument, debug, warn};

use crate::disk::DiskError;
use crate::oauth::SignInError;
use crate::oauth::authority::{Authority, TokenError};
use crate::oauth::authorizer::{Authorizer, TokenDemand};
use crate::oauth::credential::Credential;
use crate::oauth::discovery::Discovered;
use crate::oauth::store::{StoreError, Swap, Task};
use crate::oauth::tokens::{Client, Tokens};

/// How long others may take to renew before we give up on them: longer than any request of theirs.
pub(in crate::oauth) const PATIENCE: Duration = Duration::from_secs(60);

impl Authorizer {
    /// Renews the tokens, unless somebody did since `used` was read. Says whether there are
    /// others now; if not, somebody has to sign in.
    ///
    /// It goes on when the caller is gone: an answer that is not written down costs the login.
    pub(in crate::oauth) async fn renew(
        self: &Arc<Self>,
        used: Arc<Credential>,
    ) -> Result<bool, SignInError> {
        let this = self.clone();
        let renewing = async move { this.renew_now(&used).await };
        finish(self.around.tasks.spawn(renewing.instrument(self.span()))).await
    }

    async fn renew_now(&self, used: &Credential) -> Result<bool, SignInError> {
        let used = Some(&used.tokens.access_token);
        let _one = self.renewing.lock().await;
        if self.has_other_than(used) {
            return Ok(true);
        }
        let _lock = self.store.lock(Task::Refresh, PATIENCE).await?;
        self.reload().await?;
        if self.has_other_than(used) {
            return Ok(true);
        }
        let Some(held) = self.held() else {
            return Ok(false);
        };
        if !self.can_renew(&held) {
            return Ok(false);
        }
        if held.tokens.refresh_token.is_none() {
            let demand = TokenDemand {
                refused: used.cloned(),
                dpop: held.dpop.is_some(),
                ..TokenDemand::default()
            };
            return self.grant(&demand).await.map(|()| true);
        }
        self.refresh(&held).await
    }

    async fn refresh(&self, held: &Credential) -> Result<bool, SignInError> {
        let tokens = &held.tokens;
        let client = self.client_named(&tokens.issuer, &tokens.client_id).await?;
        let (Some(refresh_token), Some(client)) = (&tokens.refresh_token, client) else {
            return Ok(false);
        };
        let found = self.server_of(&tokens.issuer).await?;
        let applicant = self.applicant(found, client, false)?;
        let authority = Authority {
            dpop: held.dpop.as_deref(),
            ..applicant.authority(&self.around.clients)
        };
        let scope = tokens.scope.as_deref();
        let answer = authority.refresh(refresh_token, scope, tokens.resource.as_deref());
        match answer.await {
            Ok(grant) => {
                self.swap(held, tokens.clone().refreshed(grant)).await?;
                debug!("renewed the access token");
                Ok(true)
            }
            Err(error) if error.is_transient() => {
                // It may be gone for good, and another in its place.
                let found = self.find_server(&TokenDemand::default()).await;
                let issuer = |found: &Discovered| found.authorization_server.issuer.to_string();
                match found.is_ok_and(|found| issuer(&found) != tokens.issuer) {
                    true => Ok(false),
                    false => Err(error.into()),
                }
            }
            Err(error) => {
                warn!(%error, "the login cannot be renewed");
                self.give_up(held, &applicant.client, &error).await?;
                Ok(self.has_other_than(Some(&tokens.access_token)))
            }
        }
    }

    /// Takes a refresh token that is of no use out of the file, unless the file has another by now.
    async fn give_up(
        &self,
        held: &Credential,
        client: &Client,
        error: &TokenError,
    ) -> Result<(), SignInError> {
        match error {
            TokenError::InvalidClient { .. } => self.forget_client(client).await?,
            // The endpoint may have moved since it was found out.
            TokenError::Malformed { .. } => return self.forget_server().await,
            _ => {}
        }
        let spent = Tokens {
            refresh_token: None,
            ..held.tokens.clone()
        };
        self.swap(held, spent).await
    }

    /// Puts tokens in the place of those held, or takes what another process put there.
    async fn swap(&self, held: &Credential, tokens: Tokens) -> Result<(), SignInError> {
        match self.store.tokens().replace(held.version, tokens).await? {
            Swap::Done(there) | Swap::Lost(there) => self.adopt(there),
        }
        Ok(())
    }
}

/// Waits for a task that nobody cancels.
pub(in crate::oauth) async fn finish<T>(
    task: JoinHandle<Result<T, SignInError>>,
) -> Result<T, SignInError> {
    match task.await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(StoreError::from(DiskError::ShuttingDown).into()),
        },
    }
}
