//! Tokens that need no person: for the client itself, or for what somebody asserts.

use std::sync::Arc;

use tracing::{Instrument, info};

use super::renewal::{PATIENCE, finish};
use crate::config::GrantChoice;
use crate::oauth::SignInError;
use crate::oauth::authority::id_assertion::id_assertion;
use crate::oauth::authorizer::{Authorizer, TokenDemand};
use crate::oauth::store::Task;

impl Authorizer {
    /// Gets a token, unless somebody did since the one that was refused.
    pub(in crate::oauth) async fn obtain(
        self: &Arc<Self>,
        demand: TokenDemand,
    ) -> Result<(), SignInError> {
        let this = self.clone();
        let obtaining = async move {
            let _one = this.renewing.lock().await;
            let _lock = this.store.lock(Task::Refresh, PATIENCE).await?;
            this.reload().await?;
            if this.has_other_than(demand.refused.as_ref()) {
                return Ok(());
            }
            this.grant(&demand).await
        };
        finish(self.around.tasks.spawn(obtaining.instrument(self.span()))).await
    }

    /// Gets a token. The caller holds the lock.
    pub(in crate::oauth) async fn grant(&self, demand: &TokenDemand) -> Result<(), SignInError> {
        let found = self.find_server(demand).await?;
        let (applicant, scope) = self.apply(found, demand).await?;
        let resource = self.resource(&applicant.found);
        let authority = applicant.authority(&self.around.clients);
        let (asked, resource) = (scope.as_deref(), resource.as_deref());
        let grant = match &self.config.grant {
            GrantChoice::JwtBearer { assertion } => {
                authority.jwt_bearer(assertion, asked, resource).await?
            }
            GrantChoice::Enterprise(provider) => {
                let issuer = &applicant.found.authorization_server.issuer;
                let target = resource.unwrap_or(&applicant.found.resource);
                let clients = &self.around.clients;
                let assertion = id_assertion(clients, provider, issuer, target, asked).await?;
                authority.jwt_bearer(&assertion, asked, resource).await?
            }
            // The others need a person, and are not begun here.
            _ => authority.client_credentials(asked, resource).await?,
        };
        self.keep(&applicant, grant, scope).await?;
        info!("got an access token");
        Ok(())
    }
}
