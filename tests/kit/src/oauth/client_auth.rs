//! Authenticates clients by their registered method (RFC 6749 § 2.3, RFC 7523).

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::client::{AuthMethod, Client};
use super::params::{Params, Refusal};
use super::state::State;
use crate::raw::Request;

/// The only type of client assertions.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The maximum lifetime of an assertion, in seconds.
const ASSERTION_LIFETIME: u64 = 3600;

/// The credentials of a client in a request.
struct Claim {
    id: String,
    method: AuthMethod,
    secret: Option<String>,
}

impl State {
    /// Returns the authenticated client of a request.
    pub(super) async fn authenticated(
        &self,
        request: &Request,
        params: &Params,
        issuer: &str,
    ) -> Result<Client, Refusal> {
        let claim = claim(request, params)?;
        let client = self.client(&claim.id).await?;
        if client.method != claim.method {
            let (registered, used) = (client.method.name(), claim.method.name());
            let text = format!("registered for `{registered}`, not `{used}`");
            return Err(Refusal::client(text));
        }
        match client.method {
            AuthMethod::PrivateKeyJwt => self.check_assertion(&client, params, issuer)?,
            _ if client.secret == claim.secret => {}
            _ => return Err(Refusal::client("the secret is wrong")),
        }
        Ok(client)
    }

    fn check_assertion(
        &self,
        client: &Client,
        params: &Params,
        issuer: &str,
    ) -> Result<(), Refusal> {
        let assertion = params.required("client_assertion")?;
        self.memory().secrets.push(assertion.to_owned());
        let refuse = |text: &str| Err(Refusal::client(format!("the assertion {text}")));
        if params.get("client_assertion_type") != Some(ASSERTION_TYPE) {
            return refuse("is of another type");
        }
        let key = client.key.as_ref().expect("a key was registered");
        let Some(claims) = key.verified(assertion) else {
            return refuse("is not signed with the registered key");
        };
        if claims["iss"] != client.id.as_str() || claims["sub"] != client.id.as_str() {
            return refuse("is of another client");
        }
        let audience = match &claims["aud"] {
            Value::Array(audiences) if audiences.len() == 1 => &audiences[0],
            audience => audience,
        };
        if *audience != issuer && *audience != format!("{issuer}/token").as_str() {
            return refuse("is for another server");
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let left = claims["exp"].as_u64().unwrap_or(0);
        if !(1..=ASSERTION_LIFETIME).contains(&left.saturating_sub(now.as_secs())) {
            return refuse("has expired, or lives too long");
        }
        let Some(id) = claims["jti"].as_str() else {
            return refuse("has no `jti`");
        };
        if !self.memory().assertions.insert(id.to_owned()) {
            return refuse("was used before");
        }
        Ok(())
    }
}

fn claim(request: &Request, params: &Params) -> Result<Claim, Refusal> {
    let basic = request.header("authorization");
    let secret = params.get("client_secret");
    let assertion = params.get("client_assertion");
    let ways = [basic.is_some(), secret.is_some(), assertion.is_some()];
    if ways.iter().filter(|&&used| used).count() > 1 {
        return Err(Refusal::request("more than one way to authenticate"));
    }
    if let Some(basic) = basic {
        let claim = basic_claim(basic)
            .ok_or_else(|| Refusal::client("`Authorization` is not in Basic form"))?;
        if params.get("client_id").is_some_and(|id| id != claim.id) {
            return Err(Refusal::request("two clients are named"));
        }
        return Ok(claim);
    }
    let method = match (secret, assertion) {
        (Some(_), _) => AuthMethod::Post,
        (_, Some(_)) => AuthMethod::PrivateKeyJwt,
        _ => AuthMethod::None,
    };
    Ok(Claim {
        id: params.required("client_id")?.to_owned(),
        method,
        secret: secret.map(str::to_owned),
    })
}

/// Reads an id and a secret, each in form encoding (RFC 6749 § 2.3.1).
fn basic_claim(header: &str) -> Option<Claim> {
    let pair = BASE64_STANDARD
        .decode(header.strip_prefix("Basic ")?)
        .ok()?;
    let pair = String::from_utf8(pair).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decoded = |text: &str| {
        Params::parse(format!("x={text}").as_bytes())
            .get("x")
            .map(str::to_owned)
    };
    Some(Claim {
        id: decoded(id)?,
        method: AuthMethod::Basic,
        secret: Some(decoded(secret)?),
    })
}
