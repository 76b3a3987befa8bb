//! The token endpoint and the revocation endpoint (RFC 7009).

use std::time::Instant;

use super::assertions::{self, JWT_BEARER, TOKEN_EXCHANGE};
use super::client::{AuthMethod, Client};
use super::extras::Dpop;
use super::key::challenge;
use super::params::{Params, Refusal};
use super::state::{Grant, State};
use super::{device, dpop};
use crate::raw::{Reply, Request};

/// A token request and its client.
pub(super) struct Asking {
    pub(super) client: Client,
    pub(super) params: Params,
    pub(super) issuer: String,
    /// The thumbprint of the key to bind the token to.
    pub(super) key: Option<String>,
}

pub(super) async fn token(
    state: &State,
    request: &Request,
    origin: &str,
) -> Result<Reply, Refusal> {
    let (params, client) = form(state, request, origin).await?;
    let key = key(state, request, origin)?;
    let issuer = format!("{origin}{}", state.script.path);
    let grant_type = params.required("grant_type")?.to_owned();
    let grants = state.script.extras.grants();
    let exchange = match grant_type.as_str() {
        "authorization_code" => code,
        "refresh_token" => refresh,
        "client_credentials" => client_credentials,
        JWT_BEARER if grants.contains(&JWT_BEARER) => assertions::jwt_bearer,
        TOKEN_EXCHANGE if grants.contains(&TOKEN_EXCHANGE) => assertions::token_exchange,
        device::GRANT if state.script.device_interval.is_some() => device::token,
        other => {
            let text = format!("`{other}` is not supported");
            return Err(Refusal::new("unsupported_grant_type", text));
        }
    };
    client.may(&grant_type)?;
    let asking = Asking {
        client,
        params,
        issuer,
        key,
    };
    exchange(state, &asking)
}

/// Returns the thumbprint of the key to bind the token to.
fn key(state: &State, request: &Request, origin: &str) -> Result<Option<String>, Refusal> {
    if state.script.extras.dpop == Dpop::Off {
        return Ok(None);
    }
    let url = format!("{origin}{}/token", state.script.path);
    let key = dpop::proved(state, request, &url, None)?;
    if key.is_none() && state.script.extras.dpop == Dpop::Required {
        return Err(Refusal::new("invalid_dpop_proof", "there is no proof"));
    }
    Ok(key)
}

/// Returns the form of a request, and its client.
pub(super) async fn form(
    state: &State,
    request: &Request,
    origin: &str,
) -> Result<(Params, Client), Refusal> {
    if request.path.contains('?') {
        return Err(Refusal::request("parameters stand in the URL"));
    }
    let params = Params::of_form(request);
    params.check_unique()?;
    let issuer = format!("{origin}{}", state.script.path);
    let client = state.authenticated(request, &params, &issuer).await?;
    Ok((params, client))
}

fn code(state: &State, asking: &Asking) -> Result<Reply, Refusal> {
    let (client, params) = (&asking.client, &asking.params);
    let verifier = params.required("code_verifier")?;
    state.memory().secrets.push(verifier.to_owned());
    let resource = state.resource(params.get("resource"))?;
    let grant = spend_code(state, client, params, verifier)?;
    if grant.resource != resource {
        let text = "`resource` is not that of the authorization request";
        return Err(Refusal::new("invalid_target", text));
    }
    Ok(state.tokens(&grant, state.renewal(client, &grant), asking))
}

/// Takes the code. One attempt of its client uses it up, successful or not.
fn spend_code(
    state: &State,
    client: &Client,
    params: &Params,
    verifier: &str,
) -> Result<Grant, Refusal> {
    let mut memory = state.memory();
    let code = memory.codes.get_mut(params.required("code")?);
    let code = code.ok_or_else(|| Refusal::grant("the code is unknown"))?;
    if code.grant.client != client.id {
        return Err(Refusal::grant("the code is of another client"));
    }
    let grant = code.grant.clone();
    if std::mem::replace(&mut code.used, true) {
        memory.reused(grant.family);
        return Err(Refusal::grant("the code was used before"));
    }
    if code.expires <= Instant::now() {
        return Err(Refusal::grant("the code has expired"));
    }
    if params.get("redirect_uri") != Some(&code.redirect_uri) {
        return Err(Refusal::grant("`redirect_uri` is another"));
    }
    let unreserved = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    let well_formed = (43..=128).contains(&verifier.len()) && verifier.chars().all(unreserved);
    if !well_formed || challenge(verifier) != code.challenge {
        return Err(Refusal::grant("`code_verifier` is wrong"));
    }
    Ok(grant)
}

impl State {
    /// Returns the grant for a refresh token, if one is to be issued.
    pub(super) fn renewal(&self, client: &Client, grant: &Grant) -> Option<Grant> {
        let script = &self.script;
        let registered = client.may("refresh_token").is_ok();
        let online = script.offline_access && !grant.scopes.contains("offline_access");
        (script.refresh_tokens && registered && !online).then(|| grant.clone())
    }
}

fn refresh(state: &State, asking: &Asking) -> Result<Reply, Refusal> {
    let (client, params) = (&asking.client, &asking.params);
    let token = params.required("refresh_token")?;
    let resource = state.resource(params.get("resource"))?;
    let asked = params.scopes();
    if state.script.scope_on_refresh && asked.is_none() {
        return Err(Refusal::request("`scope` is missing"));
    }
    let renewal = {
        let mut memory = state.memory();
        let record = memory.refresh.get(token);
        let record = record.ok_or_else(|| Refusal::grant("the refresh token is unknown"))?;
        let grant = record.grant.clone();
        if grant.client != client.id {
            return Err(Refusal::grant("the refresh token is of another client"));
        }
        if grant.key.is_some() && grant.key != asking.key {
            return Err(Refusal::grant("the refresh token is bound to another key"));
        }
        if record.used {
            memory.reused(grant.family);
            return Err(Refusal::grant("the refresh token was used before"));
        }
        if memory.revoked.contains(&grant.family) {
            return Err(Refusal::grant("the refresh token was revoked"));
        }
        if record.expires.is_some_and(|at| at <= Instant::now()) {
            return Err(Refusal::grant("the refresh token has expired"));
        }
        if asked.as_ref().is_some_and(|a| !a.is_subset(&grant.scopes)) {
            let text = "`scope` is more than was granted";
            return Err(Refusal::new("invalid_scope", text));
        }
        if grant.resource != resource {
            let text = "`resource` is not that of the grant";
            return Err(Refusal::new("invalid_target", text));
        }
        if let Some(record) = memory.refresh.get_mut(token) {
            record.used = state.script.rotation;
        }
        grant
    };
    let mut grant = renewal.clone();
    grant.scopes = asked.unwrap_or(grant.scopes);
    let renewal = state.script.rotation.then_some(renewal);
    Ok(state.tokens(&grant, renewal, asking))
}

fn client_credentials(state: &State, asking: &Asking) -> Result<Reply, Refusal> {
    let (client, params) = (&asking.client, &asking.params);
    if client.method == AuthMethod::None {
        let text = "a public client has no credentials";
        return Err(Refusal::new("unauthorized_client", text));
    }
    let grant = state.grant(client, params)?;
    Ok(state.tokens(&grant, None, asking))
}

/// Revokes a token; a refresh token with everything issued for its consent. An unknown token counts as
/// revoked (RFC 7009 § 2.2).
pub(super) async fn revoke(
    state: &State,
    request: &Request,
    origin: &str,
) -> Result<Reply, Refusal> {
    let (params, client) = form(state, request, origin).await?;
    let token = params.required("token")?;
    let mut memory = state.memory();
    let family = memory.refresh.get(token).map(|record| &record.grant);
    let owner = memory.access.get(token).map(|record| &record.grant);
    if family
        .or(owner)
        .is_some_and(|grant| grant.client != client.id)
    {
        return Err(Refusal::grant("the token is of another client"));
    }
    let family = family.map(|grant| grant.family);
    memory.revoked.extend(family);
    if let Some(access) = memory.access.get_mut(token) {
        access.revoked = true;
    }
    Ok(Reply::status(200))
}
