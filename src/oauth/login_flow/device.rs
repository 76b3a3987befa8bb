//! A person signs in on another device, where a code is entered (RFC 8628).

use super::LoginMode;
use crate::config::GrantChoice;
use crate::oauth::SignInError;
use crate::oauth::authority::TokenError;
use crate::oauth::authorizer::{Authorizer, TokenDemand};
use crate::oauth::sign_in::SignInRequired;

/// What a server may lack.
const NOT_BY_DEVICE: &str = "sign-in by device; sign in with a browser instead";

impl Authorizer {
    pub(in crate::oauth) fn is_for_device(&self) -> bool {
        self.is_device_command() || matches!(self.config.grant, GrantChoice::Device)
    }

    /// Whether somebody is there to enter a code.
    pub(in crate::oauth) fn is_device_command(&self) -> bool {
        match self.around.manner {
            LoginMode::Command { device, .. } => {
                device || matches!(self.config.grant, GrantChoice::Device)
            }
            LoginMode::Background | LoginMode::Never => false,
        }
    }

    /// Asks for a code, shows it, and waits until it was entered.
    pub(in crate::oauth) async fn device_login(
        &self,
        demand: &TokenDemand,
    ) -> Result<(), SignInError> {
        let found = self.find_server(demand).await?;
        let server = &found.authorization_server;
        if server.device_authorization_endpoint.is_none() {
            // Before anything is registered for it.
            return Err(SignInError::from(TokenError::Unsupported {
                issuer: server.issuer.to_string(),
                what: NOT_BY_DEVICE,
            }));
        }
        let (applicant, scope) = self.apply(found, demand).await?;
        let resource = self.resource(&applicant.found);
        let authority = applicant.authority(&self.around.clients);
        let asked = authority.device_authorization(scope.as_deref(), resource.as_deref());
        let asked = asked.await?;
        let page = asked.verification_uri_complete.as_ref();
        let page = page.unwrap_or(&asked.verification_uri);
        self.publish(SignInRequired {
            url: Some(page.as_url().clone()),
            code: Some(asked.user_code.clone()),
            ..self.needed(None)
        });
        let grant = authority.device_token(&asked).await?;
        self.signed_in(&applicant, grant, scope).await
    }
}
