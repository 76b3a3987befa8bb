//! The end of a login: its code is spent, by one process and once.

use std::sync::Arc;

use tracing::{Instrument, info};

use crate::oauth::authorizer::Authorizer;
use crate::oauth::credentials::renewal::finish;
use crate::oauth::credentials::token_request::TokenRequest;
use crate::oauth::login::callback::Page;
use crate::oauth::login::login_error::LoginError;
use crate::oauth::login::logins::Logins;
use crate::oauth::login::pending::Pending;
use crate::oauth::login::response::AuthorizationResponse;
use crate::oauth::store::{Snapshot, Swap};
use crate::oauth::tokens::Timestamp;
use crate::oauth::{Grant, SignInError};

impl Authorizer {
    /// Finishes the login that waits with what a person brought: the address on which the browser ended, or a code.
    ///
    /// # Errors
    /// [`SignInError`]; after [`LoginError::OtherState`] and the like another try is possible.
    pub async fn paste(self: &Arc<Self>, text: &str) -> Result<(), SignInError> {
        let response = AuthorizationResponse::from_paste(text)?;
        let logins = self.logins().load().await?.record.unwrap_or_default();
        let pending = logins.pending(Timestamp::now()).cloned();
        let pending = pending.ok_or(LoginError::OtherState)?;
        if !response.is_for(&pending) {
            return Err(LoginError::OtherState.into());
        }
        self.redeem(&pending, response).await
    }

    /// Spends the code of an answer to this login. It is done by one process and once, and goes on when the
    /// caller is gone.
    pub(in crate::oauth) async fn redeem(
        self: &Arc<Self>,
        pending: &Pending,
        response: AuthorizationResponse,
    ) -> Result<(), SignInError> {
        let (this, pending) = (self.clone(), pending.clone());
        let redeeming = async move { this.redeem_now(&pending, &response).await };
        finish(self.around.tasks.spawn(redeeming.instrument(self.span()))).await
    }

    async fn redeem_now(
        &self,
        pending: &Pending,
        response: &AuthorizationResponse,
    ) -> Result<(), SignInError> {
        let found = self.server_of(&pending.issuer).await?;
        let code = response.code(pending, &found.authorization_server);
        if let Err(error @ LoginError::BareCode { .. }) = code {
            // A person brought it, who has the rest as well.
            return Err(error.into());
        }
        // The state is good once, whatever the answer says.
        self.take(pending).await?;
        let code = code?;
        let client = self.client_named(&pending.issuer, &pending.client_id);
        let client = client.await?.ok_or(LoginError::OtherState)?;
        let applicant = self.applicant(found, client, pending.dpop)?;
        let authority = applicant.authority(&self.around.clients);
        let resource = pending.resource.as_deref();
        let grant = authority
            .exchange_code(&code, &pending.verifier, &pending.redirect_uri, resource)
            .await?;
        self.signed_in(&applicant, grant, pending.scope.clone())
            .await
    }

    /// Writes down that somebody signed in, with the tokens first.
    pub(in crate::oauth) async fn signed_in(
        &self,
        applicant: &TokenRequest,
        grant: Grant,
        asked: Option<String>,
    ) -> Result<(), SignInError> {
        self.keep(applicant, grant, asked.clone()).await?;
        let now = Timestamp::now();
        let signed_in = |logins: &mut Logins| logins.signed_in(now, asked.clone());
        self.logins().update(signed_in).await?;
        info!("signed in");
        Ok(())
    }

    /// Makes the login nobody else's: whoever takes it from the disk may redeem it.
    async fn take(&self, pending: &Pending) -> Result<(), SignInError> {
        let slot = self.logins();
        let mut seen: Snapshot<Logins> = slot.load().await?;
        loop {
            let mut logins = seen.record.clone().unwrap_or_default();
            let is_there = logins.pending.as_ref().map(|it| &it.state) == Some(&pending.state);
            if !is_there {
                return Err(LoginError::OtherState.into());
            }
            logins.pending = None;
            match slot.replace(seen.version, logins).await? {
                Swap::Done(_) => return Ok(()),
                Swap::Lost(there) => seen = there,
            }
        }
    }
}

/// What the person sees at the end.
pub(in crate::oauth) fn page(outcome: &Result<(), SignInError>) -> Page {
    match outcome {
        Ok(()) => Page::SignedIn,
        Err(SignInError::Login(error)) => Page::of(error),
        Err(error) => Page::Failed(error.to_string()),
    }
}
