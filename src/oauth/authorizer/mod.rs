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
use tracing::{Span, debug, info_span, warn};

pub use status::{LoggedOut, Status};

use super::credential::Credential;
use super::discovery::challenge::Challenges;
use super::login::browser::Browser;
use super::login_flow::{LoginMode, LoginState, TokenVersion};
use super::scope;
use super::sign_in::SignInError;
use super::store::{Snapshot, Store};
use super::tokens::Tokens;
use crate::config::{self, Environment, Limits, OAuth, Secret, ServerUrl, UpstreamName};
use crate::net::Clients;
use crate::sync::Mutex;

/// What an [`Authorizer`] needs from the rest of the program.
#[derive(Debug, Clone)]
pub struct AuthContext {
    /// Who makes the connections.
    pub clients: Arc<Clients>,
    /// Who shows the sign-in page.
    pub browser: Browser,
    /// How logins begin.
    pub manner: LoginMode,
    /// What has to be finished before the program ends: a refresh that was answered and not
    /// written down would cost the login.
    pub tasks: TaskTracker,
}

impl AuthContext {
    /// Those of a program with this environment.
    #[must_use]
    pub fn new(environment: &Environment, manner: LoginMode, tasks: TaskTracker) -> Self {
        Self {
            clients: Arc::new(Clients::new(Limits::connect_timeout(environment))),
            browser: Browser::from_environment(environment),
            manner,
            tasks,
        }
    }
}

/// The credentials of one upstream.
#[derive(Debug)]
pub struct Authorizer {
    pub(in crate::oauth) name: UpstreamName,
    pub(in crate::oauth) url: ServerUrl,
    pub(in crate::oauth) config: OAuth,
    pub(in crate::oauth) store: Store,
    pub(in crate::oauth) around: AuthContext,
    pub(in crate::oauth) held: watch::Sender<CachedCredential>,
    /// Held while tokens are renewed, so that the others take what comes of it.
    pub(in crate::oauth) renewing: tokio::sync::Mutex<()>,
    pub(in crate::oauth) login: watch::Sender<LoginState>,
    /// The login of this process, by the token that it was begun for.
    pub(in crate::oauth) running: Mutex<Option<TokenVersion>>,
}

/// What is known of the tokens on the disk.
#[derive(Debug, Default)]
pub(in crate::oauth) struct CachedCredential {
    pub(in crate::oauth) read: Option<Snapshot<Tokens>>,
    pub(in crate::oauth) credential: Option<Arc<Credential>>,
}

/// Why the upstream refused a request, and what it wants instead.
#[derive(Debug, Clone, Default)]
pub(in crate::oauth) struct TokenDemand {
    /// The access token that was refused.
    pub(in crate::oauth) refused: Option<Secret>,
    /// Where its resource metadata are.
    pub(in crate::oauth) resource_metadata: Option<String>,
    /// The scope that the request needs.
    pub(in crate::oauth) scope: Option<String>,
    /// Whether the token was good and its scope too small.
    pub(in crate::oauth) step_up: bool,
    /// Whether the authorization server has taken the login back.
    pub(in crate::oauth) revoked: bool,
    /// Whether only tokens bound to a key are taken.
    pub(in crate::oauth) dpop: bool,
}

impl Authorizer {
    /// The credentials of an upstream, if the configuration lets us sign in to it. `home` is where logins are kept.
    #[must_use]
    pub fn new(home: &Path, upstream: &config::Upstream, around: AuthContext) -> Option<Arc<Self>> {
        Some(Arc::new(Self {
            name: upstream.name.clone(),
            url: upstream.url.clone(),
            config: upstream.oauth.clone()?,
            store: Store::new(home, &upstream.name, &upstream.url),
            around,
            held: watch::Sender::default(),
            renewing: tokio::sync::Mutex::default(),
            login: watch::Sender::default(),
            running: Mutex::default(),
        }))
    }

    /// What to sign the next request with; none when nobody has signed in, or nobody needs to.
    ///
    /// # Errors
    /// [`SignInError`], when the token has expired and cannot be renewed just now.
    pub async fn credential(self: &Arc<Self>) -> Result<Option<Arc<Credential>>, SignInError> {
        if let Some(known) = self.known_good() {
            return Ok(known);
        }
        self.reload().await?;
        let Some(held) = self.held() else {
            return Ok(None);
        };
        if !held.expires() || !self.can_renew(&held) {
            // Without a way to a better one it is used until it is refused.
            return Ok(Some(held));
        }
        match self.renew(held.clone()).await {
            Ok(_) => Ok(self.held()),
            // It may be good for a moment more.
            Err(error) if held.is_valid() => {
                debug!(%error, "not renewed yet");
                Ok(Some(held))
            }
            Err(error) => Err(error),
        }
    }

    /// Says that a request was refused with 401 or 403, and gets something better to send it with:
    /// `Ok` means that sending it again is worth it.
    ///
    /// # Errors
    /// [`SignInError`]; a login that a person has to finish goes on by itself.
    pub async fn refused(
        self: &Arc<Self>,
        used: Option<&Credential>,
        status: StatusCode,
        challenges: &Challenges,
    ) -> Result<(), SignInError> {
        let mut demand = TokenDemand {
            refused: used.map(|used| used.tokens.access_token.clone()),
            resource_metadata: challenges.resource_metadata().map(str::to_owned),
            scope: challenges.scopes().map(|scopes| scopes.join(" ")),
            step_up: status == StatusCode::FORBIDDEN,
            revoked: false,
            dpop: challenges.dpop.is_some() && challenges.bearer.is_none(),
        };
        self.reload().await?;
        if self.has_other_than(demand.refused.as_ref()) {
            return Ok(());
        }
        let held = self.held();
        if let Some(held) = held.as_ref() {
            if demand.step_up {
                self.check_step_up(held, &demand)?;
                self.note_wanted(&demand).await?;
            } else if !held.is_new() && self.can_renew(held) {
                if self.renew(held.clone()).await? {
                    return Ok(());
                }
                demand.revoked = true;
            }
        }
        if self.config.grant.needs_a_person() {
            return self.begin_login(demand).await;
        }
        match held.filter(|held| held.is_new() && !demand.step_up) {
            Some(_) => Err(self.token_refused()),
            None => self.obtain(demand).await,
        }
    }

    /// Where the log says whose login it is, whoever began it.
    pub(in crate::oauth) fn span(&self) -> Span {
        info_span!(parent: None, "upstream", name = %self.name)
    }

    /// The error for a token that is refused again and again.
    #[must_use]
    pub fn token_refused(&self) -> SignInError {
        SignInError::TokenRefused(self.name.clone())
    }

    /// Whether there are tokens to sign with.
    #[must_use]
    pub fn is_signed_in(&self) -> bool {
        self.held().is_some()
    }

    /// Takes the token out of a text, should somebody repeat it.
    #[must_use]
    pub fn mask(&self, text: String) -> String {
        let held = self.held();
        let token = held.as_ref().map(|held| held.tokens.access_token.expose());
        // One of a few characters hides nothing, and would be found in any text.
        match token.filter(|token| token.len() > 3) {
            Some(token) => text.replace(token, "***"),
            None => text,
        }
    }

    /// A scope that was granted just now and is asked for again will not be granted better.
    pub(in crate::oauth) fn check_step_up(
        &self,
        held: &Credential,
        demand: &TokenDemand,
    ) -> Result<(), SignInError> {
        let scope = demand.scope.clone().unwrap_or_default();
        let granted = held.tokens.scope.as_deref().unwrap_or_default();
        if held.is_new() && scope::covers(granted, &scope) {
            return Err(SignInError::InsufficientScope { scope });
        }
        Ok(())
    }

    /// Reads the tokens on the disk if they are others than those in memory.
    pub(in crate::oauth) async fn reload(&self) -> Result<(), SignInError> {
        let is_current = {
            let held = self.held.borrow();
            held.read.as_ref().is_some_and(Snapshot::is_current)
        };
        if !is_current {
            let read = self.store.tokens().load().await?;
            self.adopt(read);
        }
        Ok(())
    }

    /// Takes what is on the disk for the truth.
    pub(in crate::oauth) fn adopt(&self, read: Snapshot<Tokens>) {
        self.held.send_modify(|held| {
            let before = held.credential.take();
            if let Some(tokens) = read.record.clone() {
                match Credential::new(tokens, read.version, before.as_deref()) {
                    Ok(credential) => held.credential = Some(Arc::new(credential)),
                    Err(error) => warn!(%error, "stored tokens are not used"),
                }
            }
            held.read = Some(read);
        });
    }

    pub(in crate::oauth) fn held(&self) -> Option<Arc<Credential>> {
        self.held.borrow().credential.clone()
    }

    /// What nearly every request is signed with: one look at the memory. `None` when the disk has
    /// to be looked at, at first and when a token expires.
    #[expect(
        clippy::option_option,
        reason = "known to be none is not the same as not known"
    )]
    pub(in crate::oauth) fn known_good(&self) -> Option<Option<Arc<Credential>>> {
        let held = self.held.borrow();
        match &held.credential {
            Some(credential) if !credential.expires() => Some(Some(credential.clone())),
            None if held.read.is_some() => Some(None),
            _ => None,
        }
    }

    pub(in crate::oauth) fn has_other_than(&self, refused: Option<&Secret>) -> bool {
        let held = self.held.borrow();
        let held = held.credential.as_ref();
        held.is_some_and(|held| Some(&held.tokens.access_token) != refused)
    }

    pub(in crate::oauth) fn can_renew(&self, held: &Credential) -> bool {
        held.tokens.refresh_token.is_some() || !self.config.grant.needs_a_person()
    }
}
