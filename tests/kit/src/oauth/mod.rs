//! An OAuth 2.1 authorization server that checks all that a server may check.
//!
//! [`server`] builds a server, [`protect`] protects a scripted upstream with it, and a [`Browser`] signs
//! in. A client with a token has proved its code verifier, and has named an exact redirect URI and the
//! resource. It has used each code and refresh token once. Violations are in [`Server::refusals`], and
//! all secrets in [`Server::secrets`].

mod assertions;
mod authorize;
mod browser;
mod builder;
mod client;
mod client_auth;
mod device;
mod dpop;
mod extras;
mod guard;
mod key;
mod metadata;
mod params;
mod protected;
mod register;
mod state;
mod token;

use std::sync::Arc;
use std::time::Instant;

use super::gate::Gate;
use super::raw::{self, Reply, Request};
use super::within;
pub use browser::{Browser, Page};
pub use builder::{Builder, Document, Iss, Registration, Resource};
pub use client::{AuthMethod, Client, client};
pub use extras::{Dpop, enterprise};
pub use key::{Key, challenge};
pub use params::{Params, Scopes, scopes};
pub use protected::{Challenge, Place, Protected, Protection, protect};
use state::State;

/// Returns a server with RFC 8414 metadata, open registration, `iss`, required `resource`, rotated refresh
/// tokens and revocation. It has no scopes, Client ID Metadata Documents, device grant, or features of
/// `extras`.
pub fn server() -> Builder {
    Builder::new()
}

/// The endpoint of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Any of the metadata documents.
    Metadata,
    /// RFC 7591.
    Registration,
    /// The page to which a client sends the user.
    Authorization,
    /// The user's answer on that page.
    Consent,
    /// The token endpoint, for all grants.
    Token,
    /// RFC 7009.
    Revocation,
    /// RFC 8628 § 3.1.
    DeviceAuthorization,
    /// The page on which the user enters a device code.
    Device,
}

impl Part {
    fn of(script: &Builder, request: &Request) -> Option<Self> {
        let path = request.path.split('?').next().unwrap_or_default();
        if metadata::places(script).iter().any(|place| place == path) {
            return Some(Self::Metadata);
        }
        match path.strip_prefix(script.path.as_str())? {
            "/register" if script.registration != Registration::Off => Some(Self::Registration),
            "/authorize" => Some(Self::Authorization),
            "/consent" => Some(Self::Consent),
            "/token" => Some(Self::Token),
            "/revoke" if script.revocation => Some(Self::Revocation),
            "/device_authorization" if script.device_interval.is_some() => {
                Some(Self::DeviceAuthorization)
            }
            "/device" if script.device_interval.is_some() => Some(Self::Device),
            _ => None,
        }
    }

    fn method(self) -> &'static str {
        match self {
            Self::Metadata | Self::Authorization | Self::Device => "GET",
            _ => "POST",
        }
    }
}

/// Answers a request; returns `None` for unknown paths.
async fn serve(state: &Arc<State>, request: Request) -> Option<Reply> {
    let part = Part::of(&state.script, &request);
    state
        .log
        .send_modify(|log| log.push((part, request.clone())));
    if let Some(reply) = state.script.intercept.as_ref().and_then(|i| i(&request)) {
        return Some(reply);
    }
    let part = part?;
    let gate = state.memory().held.get(&part).cloned();
    if let Some(gate) = gate {
        gate.passed().await;
    }
    let failing = state.memory().failing.get(&part).copied();
    if let Some(status) = failing {
        return Some(Reply::status(status));
    }
    if request.method != part.method() {
        return Some(Reply::status(405));
    }
    let origin = format!("http://{}", request.header("host")?);
    let reply = match part {
        Part::Metadata => Ok(metadata::reply(state, &origin)),
        Part::Registration => register::register(state, &request),
        Part::Authorization => authorize::authorize(state, &request, &origin).await,
        Part::Consent => authorize::consent(state, &request, &origin),
        Part::Token => token::token(state, &request, &origin).await,
        Part::Revocation => token::revoke(state, &request, &origin).await,
        Part::DeviceAuthorization => device::authorize(state, &request, &origin).await,
        Part::Device => device::page(state, &request, &origin),
    };
    if state.memory().losing.remove(&part) {
        return Some(Reply::reset());
    }
    Some(reply.unwrap_or_else(|refusal| {
        state.memory().refusals.push((part, refusal.error));
        match part {
            Part::Authorization | Part::Consent | Part::Device => refusal.page(),
            _ => refusal.reply(),
        }
    }))
}

/// A running server, stopped on drop.
pub struct Server {
    raw: raw::Server,
    state: Arc<State>,
}

impl Server {
    /// Returns the issuer.
    pub fn issuer(&self) -> String {
        self.raw.url_of(&self.state.script.path)
    }

    /// Returns the URL of a path below the issuer.
    pub fn url_of(&self, path: &str) -> String {
        format!("{}{path}", self.issuer())
    }

    /// Returns all requests so far, on all origins.
    pub fn requests(&self) -> Vec<Request> {
        let log = self.state.log.borrow();
        log.iter().map(|(_, request)| request.clone()).collect()
    }

    /// Returns the requests so far for this part.
    pub fn requests_for(&self, part: Part) -> Vec<Request> {
        let log = self.state.log.borrow();
        let those = log.iter().filter(|(of, _)| *of == Some(part));
        those.map(|(_, request)| request.clone()).collect()
    }

    /// Returns the number of requests for this part.
    pub fn count(&self, part: Part) -> usize {
        self.requests_for(part).len()
    }

    /// Waits until there were `count` requests for this part, and returns them.
    pub async fn wait_for(&self, part: Part, count: usize) -> Vec<Request> {
        let log = &mut self.state.log.subscribe();
        let enough = log.wait_for(|log| {
            let those = log.iter().filter(|(of, _)| *of == Some(part));
            those.count() >= count
        });
        let what = format!("{count} requests for {part:?}");
        drop(within(&what, enough).await.unwrap());
        self.requests_for(part)
    }

    /// Returns the parameters of the token requests of this grant.
    pub fn grants(&self, grant_type: &str) -> Vec<Params> {
        let requests = self.requests_for(Part::Token);
        let forms = requests.iter().map(Params::of_form);
        forms
            .filter(|form| form.get("grant_type") == Some(grant_type))
            .collect()
    }

    /// Returns everything that must stay secret:
    ///
    /// - issued secrets, codes and tokens
    /// - secrets of registered clients
    /// - verifiers and assertions of clients
    pub fn secrets(&self) -> Vec<String> {
        self.state.memory().secrets.clone()
    }

    /// Returns the rejected requests: the part and the error code.
    pub fn refusals(&self) -> Vec<(Part, &'static str)> {
        self.state.memory().refusals.clone()
    }

    /// Returns how often a used code or refresh token was sent again.
    pub fn reuses(&self) -> usize {
        self.state.memory().reuses
    }

    /// Returns the number of consents whose tokens were all revoked.
    pub fn revoked(&self) -> usize {
        self.state.memory().revoked.len()
    }

    /// Returns `true` if this access token is valid.
    pub fn accepts(&self, token: &str) -> bool {
        self.state.valid(token).is_some()
    }

    /// Expires every access token now, without a notice.
    pub fn expire_access_tokens(&self) {
        let mut memory = self.state.memory();
        let now = Instant::now();
        memory.access.values_mut().for_each(|a| a.expires = now);
    }

    /// Expires every refresh token now.
    pub fn expire_refresh_tokens(&self) {
        let mut memory = self.state.memory();
        let now = Some(Instant::now());
        memory.refresh.values_mut().for_each(|r| r.expires = now);
    }

    /// Expires every device code now.
    pub fn expire_device_codes(&self) {
        let mut memory = self.state.memory();
        let now = Instant::now();
        memory.devices.values_mut().for_each(|d| d.expires = now);
    }

    /// Revokes everything issued so far.
    pub fn revoke_all(&self) {
        let memory = &mut *self.state.memory();
        let (access, refresh) = (memory.access.values(), memory.refresh.values());
        let (access, refresh) = (access.map(|a| &a.grant), refresh.map(|r| &r.grant));
        let families = access.chain(refresh).map(|grant| grant.family);
        memory.revoked.extend(families);
    }

    /// Removes all clients, including those registered by hand.
    pub fn forget_clients(&self) {
        self.state.memory().clients.clear();
    }

    /// Delays requests for this part, before they are handled, until the gate opens.
    pub fn hold(&self, part: Part) -> Gate {
        let gate = Gate::closed();
        self.state.memory().held.insert(part, gate.clone());
        gate
    }

    /// Answers requests for this part with this status, until [`Server::recover`].
    pub fn fail(&self, part: Part, status: u16) {
        self.state.memory().failing.insert(part, status);
    }

    /// Ends the effect of [`Server::fail`].
    pub fn recover(&self, part: Part) {
        self.state.memory().failing.remove(&part);
    }

    /// Handles the next request for this part, but resets the connection instead of answering.
    pub fn lose_answer(&self, part: Part) {
        self.state.memory().losing.insert(part);
    }
}
