//! The login of the process with the login lock: opens the page and waits for the browser.

use std::sync::Arc;

use tokio::time::{sleep, timeout};
use tracing::debug;

use super::code_exchange::{redeem, result_page};
use super::context::{LoginContext, POLL_INTERVAL};
use super::device::{self, uses_device_flow};
use super::throttle::{check_page_throttle, check_recent_sign_in};
use crate::disk::Lock;
use crate::oauth::authority::request::{AuthorizationParameters, AuthorizationRequest};
use crate::oauth::credentials::client_registration::{
    registered_redirect_uris, remove_registration, resolve_client,
};
use crate::oauth::credentials::context::{CredentialContext, RENEWAL_LOCK_TIMEOUT};
use crate::oauth::credentials::demand::TokenDemand;
use crate::oauth::credentials::server_discovery::{
    discover_server, needs_dpop, requested_resource, requested_scope,
};
use crate::oauth::login::callback::{CallbackListener, Page, RedirectAddress};
use crate::oauth::login::login_record::{LoginRecord, PENDING_LIFETIME};
use crate::oauth::login::pending::PendingLogin;
use crate::oauth::scope;
use crate::oauth::sign_in::SignInError;
use crate::oauth::tokens::{Members, Timestamp};

/// Signs the user in. `_lock` keeps other processes from doing the same.
pub(super) async fn log_in(
    login: &LoginContext,
    _lock: Lock,
    demand: &TokenDemand,
) -> Result<(), SignInError> {
    let credentials = &login.credentials;
    let record = credentials.load_login_record().await?;
    if record.signed_out && login.is_background() {
        return Err(login.required_without_page("you signed out").into());
    }
    check_recent_sign_in(login, &record, demand)?;
    if uses_device_flow(login) {
        return device::log_in(login, demand).await;
    }
    let (mut callback, pending) = match resume_pending(credentials, &record, demand).await {
        Some(resumed) => resumed,
        None => prepare(login, &record, demand).await?,
    };
    present_page(login, &pending).await?;
    debug!("waiting for the browser");
    loop {
        tokio::select! {
            request = callback.next_request() => {
                if !request.response().belongs_to(&pending) {
                    request.respond(Page::Stale).await;
                    continue;
                }
                let outcome = redeem(credentials, &pending, request.response().clone()).await;
                request.respond(result_page(&outcome)).await;
                return outcome;
            }
            () = sleep(POLL_INTERVAL) => {
                credentials.reload().await?;
                if credentials.has_token_other_than(demand.refused_token.as_ref()) {
                    return Ok(());
                }
                check_still_pending(login, &pending).await?;
            }
        }
    }
}

/// Resumes the login of a process that has ended, if its redirect URI is free.
async fn resume_pending(
    credentials: &CredentialContext,
    record: &LoginRecord,
    demand: &TokenDemand,
) -> Option<(CallbackListener, PendingLogin)> {
    let pending = record.pending(Timestamp::now())?.clone();
    let needed = demand.scope.as_deref().filter(|_| demand.is_step_up);
    let requested = pending.scope.as_deref().unwrap_or_default();
    if needed.is_some_and(|needed| !scope::covers(requested, needed)) {
        return None;
    }
    let address = redirect_address(credentials).prefer(&pending.redirect_uri);
    let callback = CallbackListener::bind(&address).await.ok()?;
    (callback.redirect_uri() == pending.redirect_uri).then_some((callback, pending))
}

fn redirect_address(credentials: &CredentialContext) -> RedirectAddress {
    let configured = credentials.settings.redirect_uri.as_ref();
    RedirectAddress::new(&credentials.name, &credentials.url, configured)
}

/// Discovers the sign-in page, and makes the record against which the response is checked.
async fn prepare(
    login: &LoginContext,
    record: &LoginRecord,
    demand: &TokenDemand,
) -> Result<(CallbackListener, PendingLogin), SignInError> {
    let credentials = &*login.credentials;
    let found = discover_server(credentials, demand).await?;
    let issuer = found.authorization_server.issuer.as_str();
    let current = credentials.cached();
    let issuer_changed = current.is_some_and(|current| current.tokens.issuer != issuer);
    check_page_throttle(login, record, demand, issuer_changed)?;
    let scope = requested_scope(credentials, &found, demand);
    if record.has_unfinished_page() {
        // The server may have forgotten the client, which only its page would show.
        remove_registration(credentials).await?;
    }
    let registered = registered_redirect_uris(credentials).await?;
    let address = registered
        .iter()
        .rev()
        .fold(redirect_address(credentials), |address, uri| {
            address.prefer(uri)
        });
    let callback = CallbackListener::bind(&address).await;
    let callback = callback.map_err(|error| SignInError::Callback(Arc::new(error)))?;
    let redirect_uri = callback.redirect_uri();
    let client = resolve_client(credentials, &found, Some(redirect_uri), scope.as_deref()).await?;
    let resource = requested_resource(credentials, &found);
    let server = &found.authorization_server;
    let parameters = AuthorizationParameters {
        client_id: &client.client_id,
        redirect_uri,
        scope: scope.as_deref(),
        resource: resource.as_deref(),
        extra_params: &credentials.settings.authorize_params,
        pkce: credentials.settings.pkce,
    };
    let request = AuthorizationRequest::new(server, &parameters)?;
    let pending = PendingLogin {
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

/// Stores the login, then opens its page unless it is open already.
async fn present_page(login: &LoginContext, pending: &PendingLogin) -> Result<(), SignInError> {
    let mut required = login.required_at(Some(&pending.url));
    let is_background = login.is_background();
    required.browser_opened = pending.opened;
    let opens = !(is_background && pending.opened) && login.can_open_browser().is_ok();
    let opened = |opened: bool| PendingLogin {
        opened,
        ..pending.clone()
    };
    let (file, now) = (login.credentials.login_record(), Timestamp::now());
    file.update(|record| {
        if opens && is_background {
            record.record_page(now, login.credentials.settings.login_retry);
        }
        record.pending = Some(opened(pending.opened || opens));
    })
    .await?;
    if !required.browser_opened || !is_background {
        login.open_page(&mut required).await;
    }
    if opens && !required.browser_opened {
        // No page opened, so no process must wait for one.
        file.update(|record| record.pending = Some(opened(false)))
            .await?;
    }
    login.publish_required(required);
    Ok(())
}

/// Fails if the login has expired. If another process has taken it, waits for the tokens.
async fn check_still_pending(
    login: &LoginContext,
    pending: &PendingLogin,
) -> Result<(), SignInError> {
    let record = login.credentials.load_login_record().await?;
    let current = record.pending(Timestamp::now());
    if current.is_some_and(|current| current.state == pending.state) {
        return Ok(());
    }
    let has_expired = Timestamp::now().duration_since(pending.begun_at) >= PENDING_LIFETIME;
    if !has_expired && wait_for_redeemed_tokens(&login.credentials, pending).await {
        return Ok(());
    }
    Err(login
        .required_without_page("the last sign-in was not completed in time")
        .into())
}

/// Waits for the tokens of a login that another process is redeeming. Returns `false` if none
/// arrive.
async fn wait_for_redeemed_tokens(credentials: &CredentialContext, pending: &PendingLogin) -> bool {
    let arrived = async {
        loop {
            let reloaded = credentials.reload().await.ok();
            let newest = reloaded.and_then(|()| credentials.cached());
            if newest.is_some_and(|it| it.tokens.issued_at >= Some(pending.begun_at)) {
                return;
            }
            sleep(POLL_INTERVAL).await;
        }
    };
    timeout(RENEWAL_LOCK_TIMEOUT, arrived).await.is_ok()
}
