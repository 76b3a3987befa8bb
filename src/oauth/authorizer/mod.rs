//! Authorizes the requests of one upstream, and keeps its credential usable.
//!
//! The disk is the truth and memory a cache: tokens are reloaded before a renewal and after every
//! refusal. Among the tasks of all processes, one renews the tokens and one opens the sign-in page.
//! The others use the result. Nothing here waits for the user.

mod status;

use std::path::Path;
use std::sync::Arc;

use http::StatusCode;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

pub use status::{CredentialStatus, LogoutOutcome};

use super::credential::Credential;
use super::credentials::context::CredentialContext;
use super::credentials::demand::TokenDemand;
use super::credentials::{machine_grants, renewal};
use super::discovery::challenge::Challenges;
use super::login::browser::Browser;
use super::login_flow::context::LoginContext;
use super::login_flow::state::{LoginMode, LoginState, TokenVersion};
use super::login_flow::{self, code_exchange, wait};
use super::scope;
use super::sign_in::SignInError;
use crate::config::{self, Environment, Limits};
use crate::net::Clients;

/// The credentials of one upstream.
#[derive(Debug)]
pub struct Authorizer {
    credentials: Arc<CredentialContext>,
    login: Arc<LoginContext>,
}

impl Authorizer {
    /// Returns `None` if the configuration disables sign-in for the upstream. `home` is the folder
    /// of stored logins.
    #[must_use]
    pub fn new(home: &Path, upstream: &config::Upstream, auth: AuthContext) -> Option<Arc<Self>> {
        let credentials = CredentialContext::new(home, upstream, auth.clients, auth.tasks)?;
        let login = LoginContext::new(credentials.clone(), auth.browser, auth.mode);
        Some(Arc::new(Self { credentials, login }))
    }

    /// Returns the credential for the next request, renewed if it expires soon. `None` if the user
    /// has not signed in, or need not.
    ///
    /// # Errors
    /// [`SignInError`] if the token has expired and cannot be renewed now.
    pub async fn credential(&self) -> Result<Option<Arc<Credential>>, SignInError> {
        renewal::get_or_renew(&self.credentials).await
    }

    /// Handles a 401 or 403: obtains a better token if possible. `Ok` means that a retry may
    /// succeed.
    ///
    /// # Errors
    /// [`SignInError`]. A login that needs the user continues in the background.
    pub async fn handle_refusal(
        &self,
        used: Option<&Credential>,
        status: StatusCode,
        challenges: &Challenges,
    ) -> Result<(), SignInError> {
        let credentials = &self.credentials;
        let mut demand = TokenDemand::from_refusal(used, status, challenges);
        credentials.reload().await?;
        if credentials.has_token_other_than(demand.refused_token.as_ref()) {
            return Ok(());
        }
        let current = credentials.cached();
        if let Some(current) = current.as_ref() {
            if demand.is_step_up {
                check_step_up(current, &demand)?;
                login_flow::record_missing_scope(credentials, &demand).await?;
            } else if !current.is_new() && credentials.can_renew(current) {
                if renewal::renew(credentials, current.clone()).await? {
                    return Ok(());
                }
                demand.is_revoked = true;
            }
        }
        if credentials.settings.grant.requires_user_action() {
            return login_flow::begin_login(&self.login, demand).await;
        }
        match current.filter(|current| current.is_new() && !demand.is_step_up) {
            Some(_) => Err(self.token_refused_error()),
            None => machine_grants::obtain(credentials, demand).await,
        }
    }

    /// Returns the error for a token that the upstream refuses repeatedly.
    #[must_use]
    pub fn token_refused_error(&self) -> SignInError {
        self.credentials.token_refused_error()
    }

    /// Returns `true` if there is a token.
    #[must_use]
    pub fn is_signed_in(&self) -> bool {
        self.credentials.cached().is_some()
    }

    /// Masks the token in a text of a server.
    #[must_use]
    pub fn mask(&self, text: String) -> String {
        let current = self.credentials.cached();
        let token = current.as_ref().map(|it| it.tokens.access_token.expose());
        // A very short token occurs in any text, so masking it hides nothing.
        match token.filter(|token| token.len() > 3) {
            Some(token) => text.replace(token, "***"),
            None => text,
        }
    }

    /// Returns the version of the current token.
    #[must_use]
    pub fn token_version(&self) -> TokenVersion {
        let current = self.credentials.cached();
        TokenVersion(current.map(|current| current.tokens.access_token.clone()))
    }

    /// Waits until the tokens differ from `before`, whichever process obtained them.
    pub async fn wait_until_tokens_change(&self, before: &TokenVersion) {
        wait::wait_until_tokens_change(&self.credentials, before).await;
    }

    /// Returns the state of this process's login, with every change.
    #[must_use]
    pub fn login_state(&self) -> watch::Receiver<LoginState> {
        self.login.subscribe()
    }

    /// Starts a login at an upstream that answers without one: some of its tools may need it.
    /// Returns `false` if the upstream publishes no resource metadata.
    pub async fn begin_optional_login(&self) -> bool {
        login_flow::begin_optional_login(&self.login).await
    }

    /// Starts a login for more scopes if a request lacked some and they are still not granted.
    /// Returns `true` if it did.
    pub async fn begin_step_up_login(&self) -> bool {
        login_flow::begin_step_up_login(&self.login).await
    }

    /// Waits until the running login ends.
    ///
    /// # Errors
    /// [`SignInError`] if the login obtained no tokens.
    pub async fn wait_until_login_ends(&self) -> Result<(), SignInError> {
        wait::wait_until_login_ends(&self.login).await
    }

    /// Completes the pending login with what the user pasted: the address on which the browser
    /// ended, or a code.
    ///
    /// # Errors
    /// [`SignInError`]. The user may try again after
    /// [`LoginError::StateMismatch`](super::LoginError::StateMismatch) and others that allow a
    /// retry.
    pub async fn redeem_pasted_response(&self, text: &str) -> Result<(), SignInError> {
        code_exchange::redeem_pasted_response(&self.credentials, text).await
    }

    /// Returns what is stored. `None` if the user has not signed in.
    ///
    /// # Errors
    /// [`SignInError::Store`].
    pub async fn status(&self) -> Result<Option<CredentialStatus>, SignInError> {
        status::status(&self.credentials).await
    }

    /// Revokes the tokens where the server supports it (RFC 7009), then deletes everything stored.
    ///
    /// # Errors
    /// [`SignInError::Store`]: the login is still stored.
    pub async fn log_out(&self) -> Result<LogoutOutcome, SignInError> {
        status::log_out(&self.credentials).await
    }
}

/// The parts of the program that an [`Authorizer`] uses.
#[derive(Debug, Clone)]
pub struct AuthContext {
    /// Makes the HTTP connections.
    pub clients: Arc<Clients>,
    /// Opens the sign-in page.
    pub browser: Browser,
    /// How logins start.
    pub mode: LoginMode,
    /// Tasks that must finish before the program exits: a token response that was not stored would
    /// lose the login.
    pub tasks: TaskTracker,
}

impl AuthContext {
    /// Returns the context for a program with this environment.
    #[must_use]
    pub fn new(environment: &Environment, mode: LoginMode, tasks: TaskTracker) -> Self {
        Self {
            clients: Arc::new(Clients::new(Limits::connect_timeout(environment))),
            browser: Browser::from_environment(environment),
            mode,
            tasks,
        }
    }
}

/// Fails if the missing scope was requested just now: the server will not grant it.
fn check_step_up(current: &Credential, demand: &TokenDemand) -> Result<(), SignInError> {
    let scope = demand.scope.clone().unwrap_or_default();
    let granted = current.tokens.scope.as_deref().unwrap_or_default();
    if current.is_new() && scope::covers(granted, &scope) {
        return Err(SignInError::InsufficientScope { scope });
    }
    Ok(())
}
