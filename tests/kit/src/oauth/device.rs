//! The device grant (RFC 8628).

use std::time::{Duration, Instant};

use serde_json::json;

use super::authorize::ask;
use super::params::{Params, Refusal, page as text_page, random, secret_json};
use super::state::{Device, State, Then, Ticket};
use super::token::{Asking, form};
use crate::raw::{Reply, Request};

/// The name of the grant.
pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The increase of the poll interval for a client that polls too soon (RFC 8628 § 3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);

pub(super) async fn authorize(
    state: &State,
    request: &Request,
    origin: &str,
) -> Result<Reply, Refusal> {
    let (params, client) = form(state, request, origin).await?;
    client.may(GRANT)?;
    let grant = state.grant(&client, &params)?;
    let interval = state.script.device_interval.unwrap_or_default();
    let user_code = random("")[1..9].to_uppercase();
    let device = Device {
        grant,
        user_code: user_code.clone(),
        approved: None,
        expires: Instant::now() + state.script.code_lifetime,
        next_poll: Instant::now(),
        interval,
    };
    let mut memory = state.memory();
    let code = memory.secret("device");
    memory.devices.insert(code.clone(), device);
    let page = format!("{origin}{}/device", state.script.path);
    Ok(secret_json(&json!({
        "device_code": code,
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"),
        "expires_in": state.script.code_lifetime.as_secs(),
        "interval": interval.as_secs(),
    })))
}

/// Returns the page for the user code, which may be in the url.
pub(super) fn page(state: &State, request: &Request, _: &str) -> Result<Reply, Refusal> {
    let params = Params::of_query(request);
    let Some(entered) = params.get("user_code") else {
        let form = "<form><input name=user_code><button>Next</button></form>";
        return Ok(text_page(200, form));
    };
    let ticket = {
        let memory = state.memory();
        let mut devices = memory.devices.iter();
        let found = devices.find(|(_, device)| {
            device.user_code == entered
                && device.approved.is_none()
                && device.expires > Instant::now()
        });
        let (code, device) = found.ok_or_else(|| Refusal::request("there is no such code"))?;
        Ticket {
            grant: device.grant.clone(),
            then: Then::Device(code.clone()),
        }
    };
    Ok(ask(state, ticket))
}

pub(super) fn token(state: &State, asking: &Asking) -> Result<Reply, Refusal> {
    let (client, params) = (&asking.client, &asking.params);
    let code = params.required("device_code")?;
    let resource = state.resource(params.get("resource"))?;
    let grant = {
        let mut memory = state.memory();
        let device = memory.devices.get_mut(code);
        let device = device.ok_or_else(|| Refusal::grant("the device code is unknown"))?;
        if device.grant.client != client.id {
            return Err(Refusal::grant("the device code is of another client"));
        }
        if device.grant.resource != resource {
            let text = "`resource` is not that of the device's request";
            return Err(Refusal::new("invalid_target", text));
        }
        let now = Instant::now();
        if device.expires <= now {
            return Err(Refusal::new(
                "expired_token",
                "the user did not answer in time",
            ));
        }
        if now < device.next_poll {
            device.interval += SLOW_DOWN;
            device.next_poll = now + device.interval;
            return Err(Refusal::new("slow_down", "asked too soon"));
        }
        device.next_poll = now + device.interval;
        match device.approved {
            None => {
                let text = "the user has not answered yet";
                return Err(Refusal::new("authorization_pending", text));
            }
            Some(false) => return Err(Refusal::new("access_denied", "the person said no")),
            Some(true) => {}
        }
        let grant = device.grant.clone();
        memory.devices.remove(code);
        grant
    };
    Ok(state.tokens(&grant, state.renewal(client, &grant), asking))
}
