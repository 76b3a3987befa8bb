//! A person signs in: one login at a time, of all tasks and processes.
//!
//! The process that holds the lock waits for the browser, the others for its tokens; when it dies, another
//! takes its place, and the page that was open still leads to a login.

pub(in crate::oauth) mod code_exchange;
pub(in crate::oauth) mod context;
mod device;
mod interactive;
pub(in crate::oauth) mod state;
mod throttle;
pub(in crate::oauth) mod wait;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tracing::Instrument;

use super::credentials::context::CredentialContext;
use super::credentials::demand::TokenDemand;
use super::credentials::server_discovery::publishes_sign_in;
use super::login::logins::Logins;
use super::scope;
use super::sign_in::SignInError;
use super::store::Task;
use super::tokens::Timestamp;
use context::{LoginContext, POLL};
use device::is_device_command;
use state::{LoginMode, LoginState, TokenVersion};
use throttle::{claims_page, may_begin};
use wait::{login_over, waiting_elsewhere};

/// How long a request waits until it is known where a person has to go.
const PREPARATION: Duration = Duration::from_secs(6);

/// Begins a login, or joins the one there is, and says what a person has to do.
/// `Ok` when somebody has done it already.
pub(super) async fn begin(
    login: &Arc<LoginContext>,
    demand: TokenDemand,
) -> Result<(), SignInError> {
    if login.mode == LoginMode::Never {
        return Err(waiting_elsewhere(login).await?.into());
    }
    while !start(login, &demand) {
        // The login that runs has its tokens, which are those that were refused: it is all but over.
        drop(login_over(login).await);
    }
    let mut state = login.subscribe();
    let known = state.wait_for(|state| !matches!(state, LoginState::Preparing));
    match timeout(PREPARATION, known).await {
        Ok(Ok(state)) => match &*state {
            LoginState::Idle | LoginState::Preparing => Ok(()),
            LoginState::Waiting(required) => Err(required.clone().into()),
            LoginState::Failed(error) => Err(error.clone()),
        },
        _ => Err(login.required(None).into()),
    }
}

/// Begins a login though the upstream let us in without one, as some of its tools may ask for it.
/// Says whether it did: not when the upstream publishes nothing about signing in.
pub(super) async fn begin_unasked(login: &Arc<LoginContext>) -> bool {
    let wants = publishes_sign_in(&login.credentials).await;
    if wants {
        // What comes of it is told by the state.
        let _ = begin(login, TokenDemand::default()).await;
    }
    wants
}

/// Begins a login for more than is granted, if a request lacked something that nobody has
/// granted since. Says whether it did.
pub(super) async fn begin_wanted(login: &Arc<LoginContext>) -> bool {
    let logins = login.credentials.logins().load().await;
    let wanted = logins.ok().and_then(|logins| logins.record?.wanted);
    let (Some(wanted), Some(current)) = (wanted, login.credentials.cached()) else {
        return false;
    };
    let granted = current.tokens.scope.as_deref().unwrap_or_default();
    let wants = !scope::covers(granted, &wanted);
    if wants {
        let demand = TokenDemand {
            refused: Some(current.tokens.access_token.clone()),
            scope: Some(wanted),
            step_up: true,
            ..TokenDemand::default()
        };
        // What comes of it is told by the state.
        let _ = begin(login, demand).await;
    }
    wants
}

/// Writes down what a request lacked, for a person who signs in by the command.
pub(super) async fn note_wanted(
    context: &CredentialContext,
    demand: &TokenDemand,
) -> Result<(), SignInError> {
    let lacked = demand.scope.as_deref();
    let note = |logins: &mut Logins| {
        logins.wanted = scope::union([logins.wanted.as_deref(), lacked]);
    };
    Ok(context.logins().update(note).await?)
}

/// Has a login running that may get what is needed; false when the one that runs cannot.
fn start(login: &Arc<LoginContext>, demand: &TokenDemand) -> bool {
    if let Err(running) = login.begin(TokenVersion(demand.refused.clone())) {
        return !login.credentials.has_other_than(running.0.as_ref());
    }
    let (this, demand) = (login.clone(), demand.clone());
    let running = async move { this.end(log_in(&this, &demand).await) };
    tokio::spawn(running.instrument(login.credentials.span()));
    true
}

async fn log_in(login: &LoginContext, demand: &TokenDemand) -> Result<(), SignInError> {
    let credentials = &login.credentials;
    let mut shown = None;
    // Whatever the directory says: another page must not be opened in vain.
    credentials.adopt(credentials.store.tokens().load().await?);
    loop {
        credentials.reload().await?;
        if credentials.has_other_than(demand.refused.as_ref()) {
            return Ok(());
        }
        may_begin(login)?;
        if let Some(lock) = credentials.store.try_lock(Task::Login).await? {
            return interactive::log_in(login, lock, demand).await;
        }
        if is_device_command(login) {
            // A code is of use whoever waits for a browser; they take the tokens from the disk.
            return device::log_in(login, demand).await;
        }
        let seen = credentials.logins().load().await?;
        let logins = seen.record.unwrap_or_default();
        if let Some(pending) = logins.pending(Timestamp::now())
            && shown.as_ref() != Some(&pending.state)
        {
            let mut required = login.required_for(Some(pending));
            if claims_page(login, &logins, seen.version, demand).await? {
                login.show(&mut required).await;
                shown = Some(pending.state.clone());
            }
            login.publish(required);
        }
        sleep(POLL).await;
    }
}
