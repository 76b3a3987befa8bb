//! Signs the requests of one upstream, and sees to it that there is something to sign with.
//!
//! The disk is the truth and memory a copy: tokens are looked up there before they are renewed, and after
//! every refusal. Of all tasks and processes one renews at a time, and one at a time sends a person to a
//! browser; the others take what it got. Nothing here waits for a person.

mod status;

use std::path::Path;
use std::sync::Arc;

use http::StatusCode;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

pub use status::{LoggedOut, Status};

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
    /// The credentials of an upstream, if the configuration lets us sign in to it. `home` is where logins are kept.
    #[must_use]
    pub fn new(home: &Path, upstream: &config::Upstream, auth: AuthContext) -> Option<Arc<Self>> {
        let credentials = CredentialContext::new(home, upstream, auth.clients, auth.tasks)?;
        let login = LoginContext::new(credentials.clone(), auth.browser, auth.mode);
        Some(Arc::new(Self { credentials, login }))
    }

    /// What to sign the next request with; none when nobody has signed in, or nobody needs to.
    ///
    /// # Errors
    /// [`SignInError`], when the token has expired and cannot be renewed just now.
    pub async fn credential(&self) -> Result<Option<Arc<Credential>>, SignInError> {
        renewal::credential(&self.credentials).await
    }

    /// Says that a request was refused with 401 or 403, and gets something better to send it with:
    /// `Ok` means that sending it again is worth it.
    ///
    /// # Errors
    /// [`SignInError`]; a login that a person has to finish goes on by itself.
    pub async fn refused(
        &self,
        used: Option<&Credential>,
        status: StatusCode,
        challenges: &Challenges,
    ) -> Result<(), SignInError> {
        let credentials = &self.credentials;
        let mut demand = TokenDemand::of(used, status, challenges);
        credentials.reload().await?;
        if credentials.has_other_than(demand.refused.as_ref()) {
            return Ok(());
        }
        let current = credentials.cached();
        if let Some(current) = current.as_ref() {
            if demand.step_up {
                check_step_up(current, &demand)?;
                login_flow::note_wanted(credentials, &demand).await?;
            } else if !current.is_new() && credentials.can_renew(current) {
                if renewal::renew(credentials, current.clone()).await? {
                    return Ok(());
                }
                demand.revoked = true;
            }
        }
        if credentials.settings.grant.needs_a_person() {
            return login_flow::begin(&self.login, demand).await;
        }
        match current.filter(|current| current.is_new() && !demand.step_up) {
            Some(_) => Err(self.token_refused()),
            None => machine_grants::obtain(credentials, demand).await,
        }
    }

    /// The error for a token that is refused again and again.
    #[must_use]
    pub fn token_refused(&self) -> SignInError {
        self.credentials.token_refused()
    }

    /// Whether there are tokens to sign with.
    #[must_use]
    pub fn is_signed_in(&self) -> bool {
        self.credentials.cached().is_some()
    }

    /// Takes the token out of a text, should somebody repeat it.
    #[must_use]
    pub fn mask(&self, text: String) -> String {
        let current = self.credentials.cached();
        let token = current.as_ref().map(|it| it.tokens.access_token.expose());
        // One of a few characters hides nothing, and would be found in any text.
        match token.filter(|token| token.len() > 3) {
            Some(token) => text.replace(token, "***"),
            None => text,
        }
    }

    /// The token in use now.
    #[must_use]
    pub fn token_version(&self) -> TokenVersion {
        let current = self.credentials.cached();
        TokenVersion(current.map(|current| current.tokens.access_token.clone()))
    }

    /// Waits until there are other tokens than those of `before`, whoever got them.
    pub async fn tokens_changed(&self, before: &TokenVersion) {
        wait::tokens_changed(&self.credentials, before).await;
    }

    /// Where the login of this process stands, and every change of that.
    #[must_use]
    pub fn login(&self) -> watch::Receiver<LoginState> {
        self.login.subscribe()
    }

    /// Begins a login though the upstream let us in without one, as some of its tools may ask for it.
    /// Says whether it did: not when the upstream publishes nothing about signing in.
    pub async fn begin_unasked(&self) -> bool {
        login_flow::begin_unasked(&self.login).await
    }

    /// Begins a login for more than is granted, if a request lacked something that nobody has
    /// granted since. Says whether it did.
    pub async fn begin_wanted(&self) -> bool {
        login_flow::begin_wanted(&self.login).await
    }

    /// Waits until the login that is under way has come to its end.
    ///
    /// # Errors
    /// [`SignInError`], when it got no tokens.
    pub async fn login_over(&self) -> Result<(), SignInError> {
        wait::login_over(&self.login).await
    }

    /// Finishes the login that waits with what a person brought: the address on which the browser ended, or a code.
    ///
    /// # Errors
    /// [`SignInError`]; after [`LoginError::OtherState`](super::LoginError::OtherState) and the like another try
    /// is possible.
    pub async fn paste(&self, text: &str) -> Result<(), SignInError> {
        code_exchange::paste(&self.credentials, text).await
    }

    /// What is stored; none when nobody has signed in.
    ///
    /// # Errors
    /// [`SignInError::Store`].
    pub async fn status(&self) -> Result<Option<Status>, SignInError> {
        status::status(&self.credentials).await
    }

    /// Revokes the tokens where the server can (RFC 7009), then deletes all that is stored.
    ///
    /// # Errors
    /// [`SignInError::Store`]: the login is still there.
    pub async fn log_out(&self) -> Result<LoggedOut, SignInError> {
        status::log_out(&self.credentials).await
    }
}

/// What an [`Authorizer`] needs from the rest of the program.
#[derive(Debug, Clone)]
pub struct AuthContext {
    /// Who makes the connections.
    pub clients: Arc<Clients>,
    /// Who shows the sign-in page.
    pub browser: Browser,
    /// How logins begin.
    pub mode: LoginMode,
    /// What has to be finished before the program ends: a refresh that was answered and not
    /// written down would cost the login.
    pub tasks: TaskTracker,
}

impl AuthContext {
    /// Those of a program with this environment.
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

/// A scope that was granted just now and is asked for again will not be granted better.
fn check_step_up(current: &Credential, demand: &TokenDemand) -> Result<(), SignInError> {
    let scope = demand.scope.clone().unwrap_or_default();
    let granted = current.tokens.scope.as_deref().unwrap_or_default();
    if current.is_new() && scope::covers(granted, &scope) {
        return Err(SignInError::InsufficientScope { scope });
    }
    Ok(())
}
