//! The login of one upstream in this process: its state, and what the user is asked to do.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{debug, warn};

use super::state::{LoginMode, LoginState, TokenVersion};
use crate::config::Secret;
use crate::oauth::credentials::context::CredentialContext;
use crate::oauth::login::browser::Browser;
use crate::oauth::login::pending::PendingLogin;
use crate::oauth::sign_in::{SignInError, SignInRequired};
use crate::sync::Mutex;

/// How often the files are checked for changes of other processes.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(300);

/// The state shared by the steps of a login.
#[derive(Debug)]
pub(crate) struct LoginContext {
    pub(crate) credentials: Arc<CredentialContext>,
    pub(super) mode: LoginMode,
    browser: Browser,
    state: watch::Sender<LoginState>,
    /// The token that the running login replaces.
    running: Mutex<Option<TokenVersion>>,
}

impl LoginContext {
    pub(crate) fn new(
        credentials: Arc<CredentialContext>,
        browser: Browser,
        mode: LoginMode,
    ) -> Arc<Self> {
        Arc::new(Self {
            credentials,
            mode,
            browser,
            state: watch::Sender::default(),
            running: Mutex::default(),
        })
    }

    /// Returns the state of the login, with every change.
    pub(crate) fn subscribe(&self) -> watch::Receiver<LoginState> {
        self.state.subscribe()
    }

    /// Returns `true` if logins start in the background.
    pub(super) fn is_background(&self) -> bool {
        self.mode == LoginMode::Background
    }

    /// Returns `Ok` if a browser can be opened, otherwise the reason as a clause.
    pub(super) fn can_open_browser(&self) -> Result<(), &'static str> {
        self.browser.can_open()
    }

    /// Registers a login that replaces a token. If one is running already, returns the token that
    /// it replaces.
    pub(super) fn try_start(&self, replaces: TokenVersion) -> Result<(), TokenVersion> {
        let mut running = self.running.lock();
        if let Some(replaced) = &*running {
            return Err(replaced.clone());
        }
        *running = Some(replaces);
        self.state.send_replace(LoginState::Preparing);
        Ok(())
    }

    /// Publishes the outcome of the login, under the lock: only then may the next one start.
    pub(super) fn finish(&self, outcome: Result<(), SignInError>) {
        let mut running = self.running.lock();
        *running = None;
        let state = match outcome {
            Ok(()) => LoginState::Idle,
            Err(error) => {
                // The user may be waiting for the outcome.
                let was_published = matches!(&*self.state.borrow(), LoginState::Waiting(_));
                match was_published && self.is_background() {
                    true => warn!(%error, "the sign-in failed"),
                    false => debug!(%error, "the sign-in failed"),
                }
                LoginState::Failed(error)
            }
        };
        self.state.send_replace(state);
    }

    /// Publishes what the user has to do.
    pub(super) fn publish_required(&self, required: SignInRequired) {
        self.state.send_if_modified(|state| {
            if matches!(state, LoginState::Waiting(current) if *current == required) {
                return false;
            }
            warn!("{required}");
            *state = LoginState::Waiting(required);
            true
        });
    }

    /// Opens the sign-in page in a browser, if there is one.
    pub(super) async fn open_page(&self, required: &mut SignInRequired) {
        let url = required.url.clone();
        let allowed = match self.mode {
            LoginMode::Command { browser: false, .. } => Err(SignInRequired::NOT_REQUESTED),
            _ => self.can_open_browser(),
        };
        let opened = match (allowed, url) {
            (Err(reason), _) => Err(reason),
            (Ok(()), None) => return,
            (Ok(()), Some(url)) => {
                let opened = self.browser.open(url.as_str()).await;
                opened.map_err(|error| {
                    debug!(%error, "opening the browser failed");
                    "no program could open it"
                })
            }
        };
        required.browser_opened = opened.is_ok();
        required.no_browser_reason = opened.err();
    }

    /// Returns what the user has to do if no page opens, for a reason.
    pub(super) fn required_without_page(&self, reason: &'static str) -> SignInRequired {
        SignInRequired {
            no_browser_reason: Some(reason),
            ..self.required_at(None)
        }
    }

    /// Returns what the user has to do, at a page if there is one.
    pub(super) fn required_at(&self, url: Option<&Secret>) -> SignInRequired {
        SignInRequired {
            upstream: self.credentials.name.clone(),
            url: url.and_then(|url| url.expose().parse().ok()),
            user_code: None,
            browser_opened: false,
            no_browser_reason: None,
        }
    }

    /// Returns what the user has to do for the pending login, if any.
    pub(super) fn required_for(&self, pending: Option<&PendingLogin>) -> SignInRequired {
        SignInRequired {
            browser_opened: pending.is_some_and(|pending| pending.opened),
            ..self.required_at(pending.map(|pending| &pending.url))
        }
    }
}
