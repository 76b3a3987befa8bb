//! Signs the user in: one login at a time, across all tasks and processes.
//!
//! The process with the login lock waits for the browser, the others for its tokens. If that
//! process ends, another takes over, and the open page still leads to a login.

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
use super::credentials::server_discovery::publishes_resource_metadata;
use super::login::login_record::LoginRecord;
use super::scope;
use super::sign_in::SignInError;
use super::store::LockKind;
use super::tokens::Timestamp;
use context::{LoginContext, POLL_INTERVAL};
use device::is_device_command;
use state::{LoginMode, LoginState, TokenVersion};
use throttle::{check_background_login_allowed, try_claim_page};
use wait::{required_by_other_process, wait_until_login_ends};

/// How long a request waits until the sign-in page is known.
const PREPARATION_TIMEOUT: Duration = Duration::from_secs(6);

/// Starts a login or joins the running one, and returns what the user has to do. Returns `Ok` if
/// the user has signed in already.
pub(super) async fn begin_login(
    login: &Arc<LoginContext>,
    demand: TokenDemand,
) -> Result<(), SignInError> {
    if login.mode == LoginMode::Never {
        return Err(required_by_other_process(login).await?.into());
    }
    while !start_or_join(login, &demand) {
        // The running login has obtained the refused tokens and is about to end.
        drop(wait_until_login_ends(login).await);
    }
    let mut state = login.subscribe();
    let known = state.wait_for(|state| !matches!(state, LoginState::Preparing));
    match timeout(PREPARATION_TIMEOUT, known).await {
        Ok(Ok(state)) => match &*state {
            LoginState::Idle | LoginState::Preparing => Ok(()),
            LoginState::Waiting(required) => Err(required.clone().into()),
            LoginState::Failed(error) => Err(error.clone()),
        },
        _ => Err(login.required_at(None).into()),
    }
}

/// Starts a login at an upstream that answers without one: some of its tools may need it. Returns
/// `false` if the upstream publishes no resource metadata.
pub(super) async fn begin_optional_login(login: &Arc<LoginContext>) -> bool {
    let begins = publishes_resource_metadata(&login.credentials).await;
    if begins {
        // The state reports the outcome.
        let _ = begin_login(login, TokenDemand::default()).await;
    }
    begins
}

/// Starts a login for more scopes if a request lacked some and they are still not granted. Returns
/// `true` if it did.
pub(super) async fn begin_step_up_login(login: &Arc<LoginContext>) -> bool {
    let record = login.credentials.login_record().load().await;
    let missing = record.ok().and_then(|record| record.record?.missing_scope);
    let (Some(missing), Some(current)) = (missing, login.credentials.cached()) else {
        return false;
    };
    let granted = current.tokens.scope.as_deref().unwrap_or_default();
    let begins = !scope::covers(granted, &missing);
    if begins {
        let demand = TokenDemand {
            refused_token: Some(current.tokens.access_token.clone()),
            scope: Some(missing),
            is_step_up: true,
            ..TokenDemand::default()
        };
        // The state reports the outcome.
        let _ = begin_login(login, demand).await;
    }
    begins
}

/// Records the scope that a request lacked, for a later `login` command.
pub(super) async fn record_missing_scope(
    context: &CredentialContext,
    demand: &TokenDemand,
) -> Result<(), SignInError> {
    let lacked = demand.scope.as_deref();
    let note = |record: &mut LoginRecord| {
        record.missing_scope = scope::union([record.missing_scope.as_deref(), lacked]);
    };
    Ok(context.login_record().update(note).await?)
}

/// Ensures that a login runs. Returns `false` if the running one cannot obtain the required token.
fn start_or_join(login: &Arc<LoginContext>, demand: &TokenDemand) -> bool {
    if let Err(running) = login.try_start(TokenVersion(demand.refused_token.clone())) {
        return !login.credentials.has_token_other_than(running.0.as_ref());
    }
    let (this, demand) = (login.clone(), demand.clone());
    let running = async move { this.finish(log_in(&this, &demand).await) };
    tokio::spawn(running.instrument(login.credentials.span()));
    true
}

async fn log_in(login: &LoginContext, demand: &TokenDemand) -> Result<(), SignInError> {
    let credentials = &login.credentials;
    let mut shown = None;
    // Read the file even if it seems unchanged: no page must open without need.
    credentials.update_cache(credentials.store.tokens().load().await?);
    loop {
        credentials.reload().await?;
        if credentials.has_token_other_than(demand.refused_token.as_ref()) {
            return Ok(());
        }
        check_background_login_allowed(login)?;
        if let Some(lock) = credentials.store.try_lock(LockKind::Login).await? {
            return interactive::log_in(login, lock, demand).await;
        }
        if is_device_command(login) {
            // A code is useful while another process waits for its browser; that process finds the
            // tokens on the disk.
            return device::log_in(login, demand).await;
        }
        let seen = credentials.login_record().load().await?;
        let record = seen.record.unwrap_or_default();
        if let Some(pending) = record.pending(Timestamp::now())
            && shown.as_ref() != Some(&pending.state)
        {
            let mut required = login.required_for(Some(pending));
            if try_claim_page(login, &record, seen.version, demand).await? {
                login.open_page(&mut required).await;
                shown = Some(pending.state.clone());
            }
            login.publish_required(required);
        }
        sleep(POLL_INTERVAL).await;
    }
}
