//! The login of one upstream in this process: whether one runs, where it stands, and what it shows to a person.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{debug, warn};

use super::state::{LoginMode, LoginState, TokenVersion};
use crate::config::Secret;
use crate::oauth::credentials::context::CredentialContext;
use crate::oauth::login::browser::Browser;
use crate::oauth::login::pending::Pending;
use crate::oauth::sign_in::{SignInError, SignInRequired};
use crate::sync::Mutex;

/// How soon what another process did is seen.
pub(super) const POLL: Duration = Duration::from_millis(300);

/// What the steps of a login share.
#[derive(Debug)]
pub(crate) struct LoginContext {
    pub(crate) credentials: Arc<CredentialContext>,
    pub(super) mode: LoginMode,
    browser: Browser,
    state: watch::Sender<LoginState>,
    /// The login of this process, by the token that it was begun for.
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

    /// Where the login stands, and every change of that.
    pub(crate) fn subscribe(&self) -> watch::Receiver<LoginState> {
        self.state.subscribe()
    }

    /// Whether logins begin by themselves.
    pub(super) fn is_background(&self) -> bool {
        self.mode == LoginMode::Background
    }

    /// Why no browser can be opened, as a clause, if that is so.
    pub(super) fn can_open(&self) -> Result<(), &'static str> {
        self.browser.can_open()
    }

    /// Registers a login that is to replace a token. Returns the token that another is to replace, when one runs.
    pub(super) fn begin(&self, replaces: TokenVersion) -> Result<(), TokenVersion> {
        let mut running = self.running.lock();
        if let Some(before) = &*running {
            return Err(before.clone());
        }
        *running = Some(replaces);
        self.state.send_replace(LoginState::Preparing);
        Ok(())
    }

    /// Says what came of the login. Until the state is told no other may begin.
    pub(super) fn end(&self, outcome: Result<(), SignInError>) {
        let mut running = self.running.lock();
        *running = None;
        let state = match outcome {
            Ok(()) => LoginState::Idle,
            Err(error) => {
                // Who was told where to go may not know what came of it.
                let was_told = matches!(&*self.state.borrow(), LoginState::Waiting(_));
                match was_told && self.is_background() {
                    true => warn!(%error, "the sign-in ended without a login"),
                    false => debug!(%error, "the sign-in ended without a login"),
                }
                LoginState::Failed(error)
            }
        };
        self.state.send_replace(state);
    }

    /// Tells what a person has to do.
    pub(super) fn publish(&self, required: SignInRequired) {
        self.state.send_if_modified(|state| {
            if matches!(state, LoginState::Waiting(known) if *known == required) {
                return false;
            }
            warn!("{required}");
            *state = LoginState::Waiting(required);
            true
        });
    }

    /// Opens the page in a browser, if there is one.
    pub(super) async fn show(&self, required: &mut SignInRequired) {
        let url = required.url.clone();
        let may = match self.mode {
            LoginMode::Command { browser: false, .. } => Err("none was wanted"),
            _ => self.can_open(),
        };
        let opened = match (may, url) {
            (Err(why), _) => Err(why),
            (Ok(()), None) => return,
            (Ok(()), Some(url)) => {
                let opened = self.browser.open(url.as_str()).await;
                opened.map_err(|error| {
                    debug!(%error, "no browser");
                    "none could be started"
                })
            }
        };
        required.opened = opened.is_ok();
        required.closed = opened.err();
    }

    /// What a person has to do when no page is opened by itself.
    pub(super) fn not_begun(&self, why: &'static str) -> SignInRequired {
        SignInRequired {
            closed: Some(why),
            ..self.required(None)
        }
    }

    /// What a person has to do, at a page if there is one.
    pub(super) fn required(&self, url: Option<&Secret>) -> SignInRequired {
        SignInRequired {
            upstream: self.credentials.name.clone(),
            url: url.and_then(|url| url.expose().parse().ok()),
            code: None,
            opened: false,
            closed: None,
        }
    }

    /// What a person has to do for the login that waits, if one does.
    pub(super) fn required_for(&self, pending: Option<&Pending>) -> SignInRequired {
        SignInRequired {
            opened: pending.is_some_and(|pending| pending.opened),
            ..self.required(pending.map(|pending| &pending.url))
        }
    }
}
