//! Limits how often logins start and pages open in the background.

use super::context::LoginContext;
use crate::config::Login;
use crate::oauth::credentials::demand::TokenDemand;
use crate::oauth::login::login_record::LoginRecord;
use crate::oauth::scope;
use crate::oauth::sign_in::SignInError;
use crate::oauth::store::{Swap, Version};
use crate::oauth::tokens::Timestamp;

/// Fails in the background if the configuration permits manual logins only.
pub(super) fn check_background_login_allowed(login: &LoginContext) -> Result<(), SignInError> {
    let is_manual = login.credentials.settings.login == Login::Manual;
    if login.is_background() && is_manual {
        return Err(login
            .required_without_page("`oauth.login` is `manual`")
            .into());
    }
    Ok(())
}

/// Fails in the background if the last sign-in requested the missing scope recently.
pub(super) fn check_recent_sign_in(
    login: &LoginContext,
    record: &LoginRecord,
    demand: &TokenDemand,
) -> Result<(), SignInError> {
    let pause = login.credentials.settings.login_retry;
    if !login.is_background() || !record.has_recent_sign_in(Timestamp::now(), pause) {
        return Ok(());
    }
    let requested = record.requested_scope.as_deref().unwrap_or_default();
    match (&demand.scope, demand.is_step_up) {
        (Some(scope), true) if scope::covers(requested, scope) => {
            Err(SignInError::InsufficientScope {
                scope: scope.clone(),
            })
        }
        _ => Ok(()),
    }
}

/// Fails in the background if the last page is too recent.
///
/// If the login has expired or was revoked, a completed page does not count. The same applies if
/// another server or scope is needed now.
pub(super) fn check_page_throttle(
    login: &LoginContext,
    record: &LoginRecord,
    demand: &TokenDemand,
    issuer_changed: bool,
) -> Result<(), SignInError> {
    let credentials = &login.credentials;
    let (now, pause) = (Timestamp::now(), credentials.settings.login_retry);
    let has_expired = credentials.cached().is_some_and(|it| it.has_expired());
    let needs_other_login = issuer_changed || demand.is_step_up || demand.is_revoked || has_expired;
    let may_open =
        (needs_other_login && record.has_finished_page()) || record.may_open_page(now, pause);
    if !login.is_background() || may_open {
        return Ok(());
    }
    if record.has_finished_page() {
        return Err(credentials.token_refused_error());
    }
    match login.can_open_browser() {
        Ok(()) => Err(login
            .required_without_page("the last sign-in was not completed")
            .into()),
        // Nothing opens in the background here.
        Err(_) => Ok(()),
    }
}

/// Claims the page of a login that another process waits for. Returns `true` if this process shall
/// open it: for a command, or if that process has no browser. One of several processes claims it.
pub(super) async fn try_claim_page(
    login: &LoginContext,
    record: &LoginRecord,
    seen: Version,
    demand: &TokenDemand,
) -> Result<bool, SignInError> {
    if !login.is_background() {
        return Ok(true);
    }
    let mut record = record.clone();
    let may_open = login.can_open_browser().is_ok()
        && check_page_throttle(login, &record, demand, false).is_ok();
    match &mut record.pending {
        Some(pending) if may_open && !pending.opened => pending.opened = true,
        _ => return Ok(false),
    }
    let credentials = &login.credentials;
    record.record_page(Timestamp::now(), credentials.settings.login_retry);
    let claimed = credentials.login_record().replace(seen, record).await?;
    Ok(matches!(claimed, Swap::Done(_)))
}
