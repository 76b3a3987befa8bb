//! The login of the process that holds the lock: it prepares the page and waits for the browser.

use std::sync::Arc;

use tokio::time::{sleep, timeout};
use tracing::debug;

use super::code_exchange::{page, redeem};
use super::context::{LoginContext, POLL};
use super::device::{self, is_for_device};
use super::throttle::{check_brake, check_use};
use crate::disk::Lock;
use crate::oauth::authority::request::{AuthorizationRequest, Parameters};
use crate::oauth::credentials::client_registration::{
    client_for, forget_registration, registered_redirects,
};
use crate::oauth::credentials::context::{CredentialContext, RENEWAL_PATIENCE};
use crate::oauth::credentials::demand::TokenDemand;
use crate::oauth::credentials::server_discovery::{
    find_server, needs_dpop, requested_resource, requested_scope,
};
use crate::oauth::login::callback::{Callback, Page, RedirectAddress};
use crate::oauth::login::logins::{LIFETIME, Logins};
use crate::oauth::login::pending::Pending;
use crate::oauth::scope;
use crate::oauth::sign_in::SignInError;
use crate::oauth::tokens::{Members, Timestamp};

/// Sends a person to sign in and waits for the tokens. `_lock` keeps the others from it.
pub(super) async fn log_in(
    login: &LoginContext,
    _lock: Lock,
    demand: &TokenDemand,
) -> Result<(), SignInError> {
    let credentials = &login.credentials;
    let logins = credentials.logins().load().await?;
    let logins = logins.record.unwrap_or_default();
    if logins.signed_out && login.is_background() {
        return Err(login.not_begun("somebody signed out").into());
    }
    check_use(login, &logins, demand)?;
    if is_for_device(login) {
        return device::log_in(login, demand).await;
    }
    let (mut callback, pending) = match resume(credentials, &logins, demand).await {
        Some(resumed) => resumed,
        None => prepare(login, &logins, demand).await?,
    };
    present(login, &pending).await?;
    debug!("waiting for the browser");
    loop {
        tokio::select! {
            request = callback.next() => {
                if !request.response().is_for(&pending) {
                    request.answer(Page::Stale).await;
                    continue;
                }
                let outcome = redeem(credentials, &pending, request.response().clone()).await;
                request.answer(page(&outcome)).await;
                return outcome;
            }
            () = sleep(POLL) => {
                credentials.reload().await?;
                if credentials.has_other_than(demand.refused.as_ref()) {
                    return Ok(());
                }
                check_pending(login, &pending).await?;
            }
        }
    }
}

/// Goes on with a login whose process is gone, where its browser comes back to.
async fn resume(
    credentials: &CredentialContext,
    logins: &Logins,
    demand: &TokenDemand,
) -> Option<(Callback, Pending)> {
    let pending = logins.pending(Timestamp::now())?.clone();
    let wanted = demand.scope.as_deref().filter(|_| demand.step_up);
    let asked = pending.scope.as_deref().unwrap_or_default();
    if wanted.is_some_and(|wanted| !scope::covers(asked, wanted)) {
        return None;
    }
    let address = redirect_address(credentials).preferring(&pending.redirect_uri);
    let callback = Callback::bind(&address).await.ok()?;
    (callback.redirect_uri() == pending.redirect_uri).then_some((callback, pending))
}

fn redirect_address(credentials: &CredentialContext) -> RedirectAddress {
    let configured = credentials.settings.redirect_uri.as_ref();
    RedirectAddress::new(&credentials.name, &credentials.url, configured)
}

/// Finds out where the person has to go, and writes down what the answer will be judged by.
async fn prepare(
    login: &LoginContext,
    logins: &Logins,
    demand: &TokenDemand,
) -> Result<(Callback, Pending), SignInError> {
    let credentials = &*login.credentials;
    let found = find_server(credentials, demand).await?;
    let issuer = found.authorization_server.issuer.as_str();
    let current = credentials.cached();
    let elsewhere = current.is_some_and(|current| current.tokens.issuer != issuer);
    check_brake(login, logins, demand, elsewhere)?;
    let scope = requested_scope(credentials, &found, demand);
    if logins.is_unfinished() {
        // Perhaps because the server has forgotten us, which it tells nobody but the person.
        forget_registration(credentials).await?;
    }
    let registered = registered_redirects(credentials).await?;
    let address = registered
        .iter()
        .rev()
        .fold(redirect_address(credentials), |address, uri| {
            address.preferring(uri)
        });
    let callback = Callback::bind(&address).await;
    let callback = callback.map_err(|error| SignInError::Callback(Arc::new(error)))?;
    let redirect_uri = callback.redirect_uri();
    let client = client_for(credentials, &found, Some(redirect_uri), scope.as_deref()).await?;
    let resource = requested_resource(credentials, &found);
    let server = &found.authorization_server;
    let parameters = Parameters {
        client_id: &client.client_id,
        redirect_uri,
        scope: scope.as_deref(),
        resource: resource.as_deref(),
        params: &credentials.settings.authorize_params,
        pkce: credentials.settings.pkce,
    };
    let request = AuthorizationRequest::new(server, &parameters)?;
    let pending = Pending {
        state: request.state,
        verifier: request.verifier,
        redirect_uri: redirect_uri.to_owned(),
        issuer: server.issuer.as_str().to_owned(),
        client_id: client.client_id,
        url: String::from(request.url).into(),
        begun_at: Timestamp::now(),
        opened: false,
        dpop: needs_dpop(&found, demand),
        resource,
        scope,
        other: Members::default(),
    };
    Ok((callback, pending))
}

/// Writes the login down, then opens its page, unless that was done.
async fn present(login: &LoginContext, pending: &Pending) -> Result<(), SignInError> {
    let mut required = login.required(Some(&pending.url));
    let by_itself = login.is_background();
    required.opened = pending.opened;
    let opens = !(by_itself && pending.opened) && login.can_open().is_ok();
    let opened = |opened: bool| Pending {
        opened,
        ..pending.clone()
    };
    let (file, now) = (login.credentials.logins(), Timestamp::now());
    file.update(|logins| {
        if opens && by_itself {
            logins.open(now, login.credentials.settings.login_retry);
        }
        logins.pending = Some(opened(pending.opened || opens));
    })
    .await?;
    if !required.opened || !by_itself {
        login.show(&mut required).await;
    }
    if opens && !required.opened {
        // Nobody is to wait for a page that nobody sees.
        file.update(|logins| logins.pending = Some(opened(false)))
            .await?;
    }
    login.publish(required);
    Ok(())
}

/// Whether the login still waits: another process may have redeemed it, and time goes by.
async fn check_pending(login: &LoginContext, pending: &Pending) -> Result<(), SignInError> {
    let logins = login.credentials.logins().load().await?;
    let logins = logins.record.unwrap_or_default();
    let waits = logins.pending(Timestamp::now());
    if waits.is_some_and(|waits| waits.state == pending.state) {
        return Ok(());
    }
    let over = Timestamp::now().after(pending.begun_at) >= LIFETIME;
    if !over && comes_from(&login.credentials, pending).await {
        return Ok(());
    }
    Err(login
        .not_begun("nobody finished the last sign-in in time")
        .into())
}

/// Waits for the tokens of a login that somebody else took and is redeeming.
async fn comes_from(credentials: &CredentialContext, pending: &Pending) -> bool {
    let arrived = async {
        loop {
            let reloaded = credentials.reload().await.ok();
            let newest = reloaded.and_then(|()| credentials.cached());
            if newest.is_some_and(|it| it.tokens.issued_at >= Some(pending.begun_at)) {
                return;
            }
            sleep(POLL).await;
        }
    };
    timeout(RENEWAL_PATIENCE, arrived).await.is_ok()
}
