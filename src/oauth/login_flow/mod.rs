//! A person signs in: one login at a time, of all tasks and processes.
//!
//! The process that holds the lock waits for the browser, the others for its tokens; when it dies, another
//! takes its place, and the page that was open still leads to a login.

mod code_exchange;
mod device;
mod interactive;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{Instrument, debug, warn};

pub use wait::TokenVersion;

use crate::config::{Login, Secret};
use crate::oauth::SignInError;
use crate::oauth::authorizer::{Authorizer, TokenDemand};
use crate::oauth::discovery::{Question, discover};
use crate::oauth::login::logins::Logins;
use crate::oauth::scope;
use crate::oauth::sign_in::SignInRequired;
use crate::oauth::store::{RecordFile, Task};
use crate::oauth::tokens::Timestamp;

/// How soon what another process did is seen.
pub(in crate::oauth) const POLL: Duration = Duration::from_millis(300);

/// How long a request waits until it is known where a person has to go.
const PREPARATION: Duration = Duration::from_secs(6);

/// How logins begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoginMode {
    /// By themselves, when an upstream asks for one: as seldom as the configuration says.
    #[default]
    Background,
    /// Because somebody said so, who is there to finish it.
    Command {
        /// Whether to open a browser.
        browser: bool,
        /// Whether the browser is on another device (RFC 8628).
        device: bool,
    },
    /// Not at all: what is stored is used, and renewed.
    Never,
}

/// Where a login of this process stands.
#[derive(Debug, Clone, Default)]
pub enum LoginState {
    /// There is none, or the last one got tokens.
    #[default]
    Idle,
    /// It is being found out where a person has to go.
    Preparing,
    /// A person has to do this.
    Waiting(SignInRequired),
    /// The last one got no tokens.
    Failed(SignInError),
}

impl Authorizer {
    /// Where the login of this process stands, and every change of that.
    #[must_use]
    pub fn login(&self) -> watch::Receiver<LoginState> {
        self.login.subscribe()
    }

    /// Begins a login, or joins the one there is, and says what a person has to do.
    /// `Ok` when somebody has done it already.
    pub(in crate::oauth) async fn begin_login(
        self: &Arc<Self>,
        demand: TokenDemand,
    ) -> Result<(), SignInError> {
        if self.around.manner == LoginMode::Never {
            return Err(self.waiting_elsewhere().await?.into());
        }
        while !self.start_login(&demand) {
            // The login that runs has its tokens, which are those that were refused: it is all but over.
            drop(self.login_over().await);
        }
        let mut state = self.login.subscribe();
        let known = state.wait_for(|state| !matches!(state, LoginState::Preparing));
        match timeout(PREPARATION, known).await {
            Ok(Ok(state)) => match &*state {
                LoginState::Idle | LoginState::Preparing => Ok(()),
                LoginState::Waiting(needed) => Err(needed.clone().into()),
                LoginState::Failed(error) => Err(error.clone()),
            },
            _ => Err(self.needed(None).into()),
        }
    }

    /// Begins a login though the upstream let us in without one, as some of its tools may ask for it.
    /// Says whether it did: not when the upstream publishes nothing about signing in.
    pub async fn begin_unasked(self: &Arc<Self>) -> bool {
        let question = Question {
            pinned: self.config.authorization_server.as_deref(),
            ..Question::new(&self.url)
        };
        let found = discover(&self.around.clients, &question).await;
        let wants = found.is_ok_and(|found| found.protected_resource.is_some());
        if wants {
            // What comes of it is told by the state.
            let _ = self.begin_login(TokenDemand::default()).await;
        }
        wants
    }

    /// Begins a login for more than is granted, if a request lacked something that nobody has
    /// granted since. Says whether it did.
    pub async fn begin_wanted(self: &Arc<Self>) -> bool {
        let logins = self.logins().load().await;
        let wanted = logins.ok().and_then(|logins| logins.record?.wanted);
        let (Some(wanted), Some(held)) = (wanted, self.held()) else {
            return false;
        };
        let granted = held.tokens.scope.as_deref().unwrap_or_default();
        let wants = !scope::covers(granted, &wanted);
        if wants {
            let demand = TokenDemand {
                refused: Some(held.tokens.access_token.clone()),
                scope: Some(wanted),
                step_up: true,
                ..TokenDemand::default()
            };
            // What comes of it is told by the state.
            let _ = self.begin_login(demand).await;
        }
        wants
    }

    /// Writes down what a request lacked, for a person who signs in by the command.
    pub(in crate::oauth) async fn note_wanted(
        &self,
        demand: &TokenDemand,
    ) -> Result<(), SignInError> {
        let lacked = demand.scope.as_deref();
        let note = |logins: &mut Logins| {
            logins.wanted = scope::union([logins.wanted.as_deref(), lacked]);
        };
        Ok(self.logins().update(note).await?)
    }

    /// Has a login running that may get what is needed; false when the one that runs cannot.
    fn start_login(self: &Arc<Self>, demand: &TokenDemand) -> bool {
        let mut running = self.running.lock();
        if let Some(before) = &*running {
            return !self.has_other_than(before.0.as_ref());
        }
        *running = Some(TokenVersion(demand.refused.clone()));
        self.login.send_replace(LoginState::Preparing);
        let (this, demand) = (self.clone(), demand.clone());
        let login = async move {
            let outcome = this.log_in(&demand).await;
            // Until the state is told no other may begin.
            let mut running = this.running.lock();
            *running = None;
            let state = match outcome {
                Ok(()) => LoginState::Idle,
                Err(error) => {
                    // Who was told where to go may not know what came of it.
                    let was_told = matches!(&*this.login.borrow(), LoginState::Waiting(_));
                    match was_told && this.around.manner == LoginMode::Background {
                        true => warn!(%error, "the sign-in ended without a login"),
                        false => debug!(%error, "the sign-in ended without a login"),
                    }
                    LoginState::Failed(error)
                }
            };
            this.login.send_replace(state);
        };
        tokio::spawn(login.instrument(self.span()));
        true
    }

    async fn log_in(self: &Arc<Self>, demand: &TokenDemand) -> Result<(), SignInError> {
        let mut shown = None;
        // Whatever the directory says: another page must not be opened in vain.
        self.adopt(self.store.tokens().load().await?);
        loop {
            self.reload().await?;
            if self.has_other_than(demand.refused.as_ref()) {
                return Ok(());
            }
            self.may_begin()?;
            if let Some(lock) = self.store.try_lock(Task::Login).await? {
                return self.own_login(lock, demand).await;
            }
            if self.is_device_command() {
                // A code is of use whoever waits for a browser; they take the tokens from the disk.
                return self.device_login(demand).await;
            }
            let seen = self.logins().load().await?;
            let logins = seen.record.unwrap_or_default();
            if let Some(pending) = logins.pending(Timestamp::now())
                && shown.as_ref() != Some(&pending.state)
            {
                let mut needed = self.waiting(Some(pending));
                if self.claims_page(&logins, seen.version, demand).await? {
                    self.show(&mut needed).await;
                    shown = Some(pending.state.clone());
                }
                self.publish(needed);
            }
            sleep(POLL).await;
        }
    }

    /// Some are not to be begun without a person who says so.
    fn may_begin(&self) -> Result<(), SignInError> {
        let is_manual = self.config.login == Login::Manual;
        if self.around.manner == LoginMode::Background && is_manual {
            return Err(self.not_begun("`oauth.login` is `manual`").into());
        }
        Ok(())
    }

    /// Tells what a person has to do.
    pub(in crate::oauth) fn publish(&self, needed: SignInRequired) {
        self.login.send_if_modified(|state| {
            if matches!(state, LoginState::Waiting(known) if *known == needed) {
                return false;
            }
            warn!("{needed}");
            *state = LoginState::Waiting(needed);
            true
        });
    }

    /// Opens the page in a browser, if there is one.
    pub(in crate::oauth) async fn show(&self, needed: &mut SignInRequired) {
        let url = needed.url.clone();
        let may = match self.around.manner {
            LoginMode::Command { browser: false, .. } => Err("none was wanted"),
            _ => self.around.browser.can_open(),
        };
        let opened = match (may, url) {
            (Err(why), _) => Err(why),
            (Ok(()), None) => return,
            (Ok(()), Some(url)) => {
                let opened = self.around.browser.open(url.as_str()).await;
                opened.map_err(|error| {
                    debug!(%error, "no browser");
                    "none could be started"
                })
            }
        };
        needed.opened = opened.is_ok();
        needed.closed = opened.err();
    }

    /// What a person has to do when no page is opened by itself.
    pub(in crate::oauth) fn not_begun(&self, why: &'static str) -> SignInRequired {
        SignInRequired {
            closed: Some(why),
            ..self.needed(None)
        }
    }

    pub(in crate::oauth) fn needed(&self, url: Option<&Secret>) -> SignInRequired {
        SignInRequired {
            upstream: self.name.clone(),
            url: url.and_then(|url| url.expose().parse().ok()),
            code: None,
            opened: false,
            closed: None,
        }
    }

    pub(in crate::oauth) fn logins(&self) -> RecordFile<Logins> {
        self.store.slot("login.json")
    }
}
