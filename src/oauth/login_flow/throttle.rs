//! Whether a login may begin, and its page be opened, by itself: a person is not asked again and again.

use super::context::LoginContext;
use crate::config::Login;
use crate::oauth::credentials::demand::TokenDemand;
use crate::oauth::login::logins::Logins;
use crate::oauth::scope;
use crate::oauth::sign_in::SignInError;
use crate::oauth::store::{Swap, Version};
use crate::oauth::tokens::Timestamp;

/// Some are not to be begun without a person who says so.
pub(super) fn may_begin(login: &LoginContext) -> Result<(), SignInError> {
    let is_manual = login.credentials.settings.login == Login::Manual;
    if login.is_background() && is_manual {
        return Err(login.not_begun("`oauth.login` is `manual`").into());
    }
    Ok(())
}

/// What was asked for, and granted or not, a moment ago is not asked for again.
pub(super) fn check_use(
    login: &LoginContext,
    logins: &Logins,
    demand: &TokenDemand,
) -> Result<(), SignInError> {
    let pause = login.credentials.settings.login_retry;
    if !login.is_background() || !logins.is_recent(Timestamp::now(), pause) {
        return Ok(());
    }
    let asked = logins.asked.as_deref().unwrap_or_default();
    match (&demand.scope, demand.step_up) {
        (Some(wanted), true) if scope::covers(asked, wanted) => {
            Err(SignInError::InsufficientScope {
                scope: wanted.clone(),
            })
        }
        _ => Ok(()),
    }
}

/// A page is not opened by itself soon after one that led nowhere. One that led to a login
/// led somewhere if now something else is asked for, or the login was used to its end.
pub(super) fn check_brake(
    login: &LoginContext,
    logins: &Logins,
    demand: &TokenDemand,
    elsewhere: bool,
) -> Result<(), SignInError> {
    let credentials = &login.credentials;
    let (now, pause) = (Timestamp::now(), credentials.settings.login_retry);
    let is_over = credentials.cached().is_some_and(|it| !it.is_valid());
    let something_else = elsewhere || demand.step_up || demand.revoked || is_over;
    let may = (something_else && logins.is_finished()) || logins.may_open(now, pause);
    if !login.is_background() || may {
        return Ok(());
    }
    if logins.is_finished() {
        return Err(credentials.token_refused());
    }
    match login.can_open() {
        Ok(()) => Err(login.not_begun("the last sign-in led nowhere").into()),
        // Nothing opens by itself here.
        Err(_) => Ok(()),
    }
}

/// Whether the page of a login that another process waits for is to be shown by us: when
/// somebody said so, or that process has no browser. Of several that have one, one shows it.
pub(super) async fn claims_page(
    login: &LoginContext,
    logins: &Logins,
    seen: Version,
    demand: &TokenDemand,
) -> Result<bool, SignInError> {
    if !login.is_background() {
        return Ok(true);
    }
    let mut logins = logins.clone();
    let may = login.can_open().is_ok() && check_brake(login, &logins, demand, false).is_ok();
    match &mut logins.pending {
        Some(pending) if may && !pending.opened => pending.opened = true,
        _ => return Ok(false),
    }
    let credentials = &login.credentials;
    logins.open(Timestamp::now(), credentials.settings.login_retry);
    let claimed = credentials.logins().replace(seen, logins).await?;
    Ok(matches!(claimed, Swap::Done(_)))
}
