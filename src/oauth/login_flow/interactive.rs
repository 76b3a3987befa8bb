//! The login of the process that holds the lock: it prepares the page and waits for the browser.

use std::sync::Arc;

use tokio::time::{sleep, timeout};
use tracing::debug;

use super::LoginMode;
use super::POLL;
use super::code_exchange::page;
use crate::disk::Lock;
use crate::oauth::SignInError;
use crate::oauth::authority::request::{AuthorizationRequest, Parameters};
use crate::oauth::authorizer::{Authorizer, TokenDemand};
use crate::oauth::credentials::renewal::PATIENCE;
use crate::oauth::login::callback::{Callback, Page, Place};
use crate::oauth::login::logins::{LIFETIME, Logins};
use crate::oauth::login::pending::Pending;
use crate::oauth::scope;
use crate::oauth::tokens::{Members, Timestamp};

impl Authorizer {
    /// Sends a person to sign in and waits for the tokens. `_lock` keeps the others from it.
    pub(in crate::oauth) async fn own_login(
        self: &Arc<Self>,
        _lock: Lock,
        demand: &TokenDemand,
    ) -> Result<(), SignInError> {
        let logins = self.logins().load().await?.record.unwrap_or_default();
        if logins.signed_out && self.around.manner == LoginMode::Background {
            return Err(self.not_begun("somebody signed out").into());
        }
        self.check_use(&logins, demand)?;
        if self.is_for_device() {
            return self.device_login(demand).await;
        }
        let (mut callback, pending) = match self.resume(&logins, demand).await {
            Some(resumed) => resumed,
            None => self.prepare(&logins, demand).await?,
        };
        self.present(&pending).await?;
        debug!("waiting for the browser");
        loop {
            tokio::select! {
                arrival = callback.next() => {
                    if !arrival.response().is_for(&pending) {
                        arrival.answer(Page::Stale).await;
                        continue;
                    }
                    let outcome = self.redeem(&pending, arrival.response().clone()).await;
                    arrival.answer(page(&outcome)).await;
                    return outcome;
                }
                () = sleep(POLL) => {
                    self.reload().await?;
                    if self.has_other_than(demand.refused.as_ref()) {
                        return Ok(());
                    }
                    self.check_pending(&pending).await?;
                }
            }
        }
    }

    /// What was asked for, and granted or not, a moment ago is not asked for again.
    fn check_use(&self, logins: &Logins, demand: &TokenDemand) -> Result<(), SignInError> {
        if self.around.manner != LoginMode::Background
            || !logins.is_recent(Timestamp::now(), self.config.login_retry)
        {
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
    pub(in crate::oauth) fn check_brake(
        &self,
        logins: &Logins,
        demand: &TokenDemand,
        elsewhere: bool,
    ) -> Result<(), SignInError> {
        let (now, pause) = (Timestamp::now(), self.config.login_retry);
        let is_over = self.held().is_some_and(|held| !held.is_valid());
        let something_else = elsewhere || demand.step_up || demand.revoked || is_over;
        let may = (something_else && logins.is_finished()) || logins.may_open(now, pause);
        if self.around.manner != LoginMode::Background || may {
            return Ok(());
        }
        if logins.is_finished() {
            return Err(self.token_refused());
        }
        match self.around.browser.can_open() {
            Ok(()) => Err(self.not_begun("the last sign-in led nowhere").into()),
            // Nothing opens by itself here.
            Err(_) => Ok(()),
        }
    }

    /// Goes on with a login whose process is gone, where its browser comes back to.
    async fn resume(&self, logins: &Logins, demand: &TokenDemand) -> Option<(Callback, Pending)> {
        let pending = logins.pending(Timestamp::now())?.clone();
        let wanted = demand.scope.as_deref().filter(|_| demand.step_up);
        let asked = pending.scope.as_deref().unwrap_or_default();
        if wanted.is_some_and(|wanted| !scope::covers(asked, wanted)) {
            return None;
        }
        let place = self.place().preferring(&pending.redirect_uri);
        let callback = Callback::bind(&place).await.ok()?;
        (callback.redirect_uri() == pending.redirect_uri).then_some((callback, pending))
    }

    fn place(&self) -> Place {
        Place::new(&self.name, &self.url, self.config.redirect_uri.as_ref())
    }

    /// Finds out where the person has to go, and writes down what the answer will be judged by.
    async fn prepare(
        &self,
        logins: &Logins,
        demand: &TokenDemand,
    ) -> Result<(Callback, Pending), SignInError> {
        let found = self.find_server(demand).await?;
        let issuer = found.authorization_server.issuer.as_str();
        let held = self.held();
        let elsewhere = held.is_some_and(|held| held.tokens.issuer != issuer);
        self.check_brake(logins, demand, elsewhere)?;
        let scope = self.scope(&found, demand);
        if logins.is_unfinished() {
            // Perhaps because the server has forgotten us, which it tells nobody but the person.
            self.forget_registration().await?;
        }
        let registered = self.registered_redirects().await?;
        let place = registered
            .iter()
            .rev()
            .fold(self.place(), |place, uri| place.preferring(uri));
        let callback = Callback::bind(&place).await;
        let callback = callback.map_err(|error| SignInError::Callback(Arc::new(error)))?;
        let redirect_uri = callback.redirect_uri();
        let client = self
            .client_at(&found, Some(redirect_uri), scope.as_deref())
            .await?;
        let resource = self.resource(&found);
        let server = &found.authorization_server;
        let parameters = Parameters {
            client_id: &client.client_id,
            redirect_uri,
            scope: scope.as_deref(),
            resource: resource.as_deref(),
            params: &self.config.authorize_params,
            pkce: self.config.pkce,
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
            dpop: Self::needs_dpop(&found, demand),
            resource,
            scope,
            other: Members::default(),
        };
        Ok((callback, pending))
    }

    /// Writes the login down, then opens its page, unless that was done.
    async fn present(&self, pending: &Pending) -> Result<(), SignInError> {
        let mut needed = self.needed(Some(&pending.url));
        let by_itself = self.around.manner == LoginMode::Background;
        needed.opened = pending.opened;
        let opens = !(by_itself && pending.opened) && self.around.browser.can_open().is_ok();
        let opened = |opened: bool| Pending {
            opened,
            ..pending.clone()
        };
        let (slot, now) = (self.logins(), Timestamp::now());
        slot.update(|logins| {
            if opens && by_itself {
                logins.open(now, self.config.login_retry);
            }
            logins.pending = Some(opened(pending.opened || opens));
        })
        .await?;
        if !needed.opened || !by_itself {
            self.show(&mut needed).await;
        }
        if opens && !needed.opened {
            // Nobody is to wait for a page that nobody sees.
            slot.update(|logins| logins.pending = Some(opened(false)))
                .await?;
        }
        self.publish(needed);
        Ok(())
    }

    /// Whether the login still waits: another process may have redeemed it, and time goes by.
    async fn check_pending(&self, pending: &Pending) -> Result<(), SignInError> {
        let logins = self.logins().load().await?.record.unwrap_or_default();
        let waits = logins.pending(Timestamp::now());
        if waits.is_some_and(|waits| waits.state == pending.state) {
            return Ok(());
        }
        let over = Timestamp::now().after(pending.begun_at) >= LIFETIME;
        if !over && self.comes_from(pending).await {
            return Ok(());
        }
        Err(self
            .not_begun("nobody finished the last sign-in in time")
            .into())
    }

    /// Waits for the tokens of a login that somebody else took and is redeeming.
    async fn comes_from(&self, pending: &Pending) -> bool {
        let arrived = async {
            loop {
                let newest = self.reload().await.ok().and_then(|()| self.held());
                if newest.is_some_and(|it| it.tokens.issued_at >= Some(pending.begun_at)) {
                    return;
                }
                sleep(POLL).await;
            }
        };
        timeout(PATIENCE, arrived).await.is_ok()
    }
}
