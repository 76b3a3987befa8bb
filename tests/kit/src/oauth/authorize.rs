//! The authorization endpoint and its consent page.

use std::time::Instant;

use url::Url;

use super::Part;
use super::builder::Iss;
use super::client::Client;
use super::params::{Params, Refusal, Scopes, joined, page, random, scopes};
use super::state::{Code, Grant, State, Then, Ticket};
use crate::raw::{Reply, Request};

/// The length of an `S256` challenge.
const CHALLENGE_LENGTH: usize = 43;

/// The redirect of a browser to the client.
struct Back<'a> {
    uri: &'a str,
    state: Option<&'a str>,
    origin: &'a str,
}

pub(super) async fn authorize(
    state: &State,
    request: &Request,
    origin: &str,
) -> Result<Reply, Refusal> {
    let params = Params::of_query(request);
    params.check_unique()?;
    let client = state.client(params.required("client_id")?).await?;
    let uri = params.required("redirect_uri")?;
    // Without a valid redirect URI, the error must not be sent there.
    if !client.redirects_to(uri, state.script.exact_ports) {
        return Err(Refusal::request("`redirect_uri` is not registered"));
    }
    let back = Back {
        uri,
        state: params.get("state"),
        origin,
    };
    Ok(match ticket_for(state, &client, &params) {
        Ok(ticket) => ask(state, ticket),
        Err(refusal) => back.refuse(state, refusal.error, &refusal.description),
    })
}

fn ticket_for(state: &State, client: &Client, params: &Params) -> Result<Ticket, Refusal> {
    if params.required("response_type")? != "code" {
        let text = "only `code` is supported";
        return Err(Refusal::new("unsupported_response_type", text));
    }
    client.may("authorization_code")?;
    if params.get("code_challenge_method") != Some("S256") {
        return Err(Refusal::request("`code_challenge_method` is not `S256`"));
    }
    let challenge = params.required("code_challenge")?;
    let encoded = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if challenge.len() != CHALLENGE_LENGTH || !challenge.chars().all(encoded) {
        return Err(Refusal::request("`code_challenge` is no SHA-256"));
    }
    let then = Then::Redirect {
        uri: params.required("redirect_uri")?.to_owned(),
        state: params.required("state")?.to_owned(),
        challenge: challenge.to_owned(),
    };
    let grant = state.grant(client, params)?;
    Ok(Ticket { grant, then })
}

impl Client {
    /// Rejects a grant that the client is not registered for.
    pub(super) fn may(&self, grant: &str) -> Result<(), Refusal> {
        let registered = self.grants.iter().any(|known| known == grant);
        let text = format!("the client is not registered for `{grant}`");
        registered
            .then_some(())
            .ok_or_else(|| Refusal::new("unauthorized_client", text))
    }
}

impl State {
    /// Returns the requested grant, if the client may have it. Without scopes in the request, it has none.
    pub(super) fn grant(&self, client: &Client, params: &Params) -> Result<Grant, Refusal> {
        let resource = self.resource(params.get("resource"))?;
        let asked = params.scopes().unwrap_or_default();
        let allowed = |limit: &Scopes| asked.is_subset(limit);
        if !allowed(&self.script.scopes) || !client.scopes.as_ref().is_none_or(allowed) {
            let text = format!("`{}` is not all allowed", joined(&asked));
            return Err(Refusal::new("invalid_scope", text));
        }
        Ok(Grant {
            key: None,
            client: client.id.clone(),
            scopes: asked,
            resource,
            family: self.memory().new_family(),
        })
    }
}

/// Returns the consent page, which a [`Browser`](super::Browser) answers.
pub(super) fn ask(state: &State, ticket: Ticket) -> Reply {
    let id = random("ticket");
    let asked = joined(&ticket.grant.scopes);
    let form = format!(
        "Let it in?<form method=post action=\"{}/consent\">\
         <input type=hidden name=ticket value=\"{id}\">\
         <input name=scope value=\"{asked}\">\
         <button name=answer value=allow>Yes</button>\
         <button name=answer value=deny>No</button></form>",
        state.script.path
    );
    state.memory().tickets.insert(id, ticket);
    page(200, &form)
}

pub(super) fn consent(state: &State, request: &Request, origin: &str) -> Result<Reply, Refusal> {
    let form = Params::of_form(request);
    let ticket = state.memory().tickets.remove(form.required("ticket")?);
    let mut ticket = ticket.ok_or_else(|| Refusal::request("this page was answered before"))?;
    let allowed = form.required("answer")? == "allow";
    // The user may agree to fewer scopes.
    let kept = form.get("scope").map(scopes).unwrap_or_default();
    ticket.grant.scopes.retain(|scope| kept.contains(scope));
    let (uri, sent, challenge) = match ticket.then {
        Then::Device(code) => {
            let mut memory = state.memory();
            let device = memory.devices.get_mut(&code);
            let device = device.ok_or_else(|| Refusal::request("the code has expired"))?;
            (device.approved, device.grant) = (Some(allowed), ticket.grant);
            return Ok(page(200, "Go back to your device."));
        }
        Then::Redirect {
            uri,
            state,
            challenge,
        } => (uri, state, challenge),
    };
    let back = Back {
        uri: &uri,
        state: Some(&sent),
        origin,
    };
    if !allowed {
        return Ok(back.refuse(state, "access_denied", "the person said no"));
    }
    let code = state.memory().secret("code");
    let record = Code {
        grant: ticket.grant,
        redirect_uri: uri.clone(),
        challenge,
        expires: Instant::now() + state.script.code_lifetime,
        used: false,
    };
    state.memory().codes.insert(code.clone(), record);
    Ok(back.with(state, &[("code", &code)]))
}

impl Back<'_> {
    fn refuse(&self, state: &State, error: &'static str, description: &str) -> Reply {
        let refusal = (Part::Authorization, error);
        state.memory().refusals.push(refusal);
        self.with(
            state,
            &[("error", error), ("error_description", description)],
        )
    }

    fn with(&self, state: &State, answer: &[(&str, &str)]) -> Reply {
        let mut url = Url::parse(self.uri).unwrap();
        let issuer = format!("{}{}", self.origin, state.script.path);
        let iss = match &state.script.iss {
            Iss::Right => Some(&issuer),
            Iss::Wrong(other) => Some(other),
            Iss::Off => None,
        };
        url.query_pairs_mut()
            .extend_pairs(answer)
            .extend_pairs(self.state.map(|state| ("state", state)))
            .extend_pairs(iss.map(|iss| ("iss", iss)));
        Reply::status(303).header("location", url.as_str())
    }
}
