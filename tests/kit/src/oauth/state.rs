//! The state of the server: clients, pending consents, and everything issued.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::watch;

use super::Part;
use super::builder::{Builder, Resource};
use super::client::{AuthMethod, Client};
use super::params::{Refusal, Scopes, joined, random, secret_json};
use super::token::Asking;
use crate::gate::Gate;
use crate::raw::{Reply, Request};

pub(super) struct State {
    pub(super) script: Builder,
    pub(super) log: watch::Sender<Vec<(Option<Part>, Request)>>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
pub(super) struct Memory {
    pub(super) clients: HashMap<String, Client>,
    /// The URLs of the protected resources.
    pub(super) resources: Vec<String>,
    /// Pending consents, by the secret in their page.
    pub(super) tickets: HashMap<String, Ticket>,
    pub(super) codes: HashMap<String, Code>,
    pub(super) access: HashMap<String, Access>,
    pub(super) refresh: HashMap<String, Refresh>,
    pub(super) devices: HashMap<String, Device>,
    /// The `jti` of each client assertion.
    pub(super) assertions: HashSet<String>,
    /// The nonces for DPoP proofs, by address.
    pub(super) nonces: HashMap<String, String>,
    pub(super) revoked: HashSet<u64>,
    pub(super) secrets: Vec<String>,
    pub(super) reuses: usize,
    pub(super) refusals: Vec<(Part, &'static str)>,
    pub(super) failing: HashMap<Part, u16>,
    pub(super) losing: HashSet<Part>,
    pub(super) held: HashMap<Part, Gate>,
    next_family: u64,
}

/// The grant that the user agreed to.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) client: String,
    pub(super) scopes: Scopes,
    pub(super) resource: Option<String>,
    /// Everything issued for one consent is revoked together.
    pub(super) family: u64,
    /// The thumbprint of the key that a token is bound to.
    pub(super) key: Option<String>,
}

/// A consent that a page requests.
#[derive(Clone)]
pub(super) struct Ticket {
    pub(super) grant: Grant,
    pub(super) then: Then,
}

/// The step after the user's answer.
#[derive(Clone)]
pub(super) enum Then {
    Redirect {
        uri: String,
        state: String,
        challenge: String,
    },
    Device(String),
}

pub(super) struct Code {
    pub(super) grant: Grant,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) expires: Instant,
    pub(super) used: bool,
}

pub(super) struct Access {
    pub(super) grant: Grant,
    pub(super) expires: Instant,
    pub(super) revoked: bool,
}

pub(super) struct Refresh {
    pub(super) grant: Grant,
    pub(super) expires: Option<Instant>,
    pub(super) used: bool,
}

pub(super) struct Device {
    pub(super) grant: Grant,
    pub(super) user_code: String,
    pub(super) approved: Option<bool>,
    pub(super) expires: Instant,
    pub(super) next_poll: Instant,
    pub(super) interval: Duration,
}

impl State {
    pub(super) fn new(script: Builder) -> Self {
        let mut memory = Memory::default();
        for client in &script.clients {
            memory.secrets.extend(client.secret.clone());
            memory.clients.insert(client.id.clone(), client.clone());
        }
        Self {
            script,
            log: watch::Sender::default(),
            memory: Mutex::new(memory),
        }
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap()
    }

    /// Returns the resource of a request, if the server has that resource and uses resources.
    pub(super) fn resource(&self, asked: Option<&str>) -> Result<Option<String>, Refusal> {
        let target = |text: &str| Refusal::new("invalid_target", text);
        match (asked, self.script.resource) {
            (Some(_), Resource::Refused) => Err(target("`resource` is not supported")),
            (None, Resource::Required) => Err(target("`resource` is missing")),
            (None, _) => Ok(None),
            (Some(asked), _) => {
                let known = &self.memory().resources;
                let known = known.iter().any(|known| known == asked);
                known
                    .then(|| Some(asked.to_owned()))
                    .ok_or_else(|| target("`resource` does not belong to this server"))
            }
        }
    }

    /// Issues an access token for `grant`, and a refresh token for `renewal`.
    pub(super) fn tokens(&self, grant: &Grant, renewal: Option<Grant>, asking: &Asking) -> Reply {
        let (script, mut memory) = (&self.script, self.memory());
        let access = memory.secret("access");
        let mut body = json!({
            "access_token": access,
            "token_type": if asking.key.is_some() { "DPoP" } else { "Bearer" },
            "scope": joined(&grant.scopes),
        });
        let lifetime = script.access_lifetime;
        match script.announced_lifetime {
            Some(None) => {}
            Some(Some(seconds)) => body["expires_in"] = json!(seconds),
            None => body["expires_in"] = json!(lifetime.as_secs()),
        }
        let expires = Instant::now() + lifetime;
        let (mut grant, revoked) = (grant.clone(), false);
        grant.key = asking.key.clone();
        if let Some(mut renewal) = renewal {
            // A confidential client proves its identity by its credentials (RFC 9449 § 5).
            let public = asking.client.method == AuthMethod::None;
            renewal.key = asking.key.clone().filter(|_| public);
            let refresh = memory.secret("refresh");
            body["refresh_token"] = json!(refresh);
            let record = Refresh {
                grant: renewal,
                expires: script.refresh_lifetime.map(|life| Instant::now() + life),
                used: false,
            };
            memory.refresh.insert(refresh, record);
        }
        let record = Access {
            grant,
            expires,
            revoked,
        };
        memory.access.insert(access, record);
        secret_json(&body)
    }

    /// Returns the grant of a valid access token.
    pub(super) fn valid(&self, token: &str) -> Option<Grant> {
        let memory = self.memory();
        let access = memory.access.get(token)?;
        let dead = access.revoked || memory.revoked.contains(&access.grant.family);
        (!dead && access.expires > Instant::now()).then(|| access.grant.clone())
    }
}

impl Memory {
    /// Returns a new secret.
    pub(super) fn secret(&mut self, kind: &str) -> String {
        let secret = random(kind);
        self.secrets.push(secret.clone());
        secret
    }

    pub(super) fn new_family(&mut self) -> u64 {
        self.next_family += 1;
        self.next_family
    }

    /// Records a reuse, and revokes everything issued for that consent.
    pub(super) fn reused(&mut self, family: u64) {
        self.reuses += 1;
        self.revoked.insert(family);
    }
}
