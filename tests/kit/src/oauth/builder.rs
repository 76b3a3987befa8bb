//! Configures an authorization server.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::client::{AuthMethod, Client};
use super::params::{Scopes, scopes};
use super::state::State;
use super::{Server, serve};
use crate::raw::{self, Intercept, Reply, Request};

/// Where metadata is served.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Document {
    /// RFC 8414 § 3.1: the well-known part, then the issuer's path.
    OAuth,
    /// OIDC Discovery, with the well-known part first.
    OidcInserted,
    /// OIDC Discovery as defined: the issuer's path, then the well-known part.
    OidcAppended,
}

/// Whether requests must name the resource (RFC 8707).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Resource {
    /// The resource must be named.
    Required,
    /// The resource may be named.
    Optional,
    /// The resource must not be named.
    Refused,
}

/// The value of `iss` (RFC 9207) in redirects.
#[derive(Clone, Debug, PartialEq)]
pub enum Iss {
    /// The issuer; the metadata announces it.
    Right,
    /// No `iss`; the metadata does not announce it.
    Off,
    /// This value, although the metadata announces the issuer.
    Wrong(String),
}

/// Which clients may register (RFC 7591).
#[derive(Clone, Debug, PartialEq)]
pub enum Registration {
    /// All clients. A client that names scopes is limited to them.
    Open,
    /// All clients, for at most these scopes, which are also the default.
    Limited(Scopes),
    /// No client: the endpoint does not exist.
    Off,
}

/// The configuration of a server; see [`server`](super::server) for the default.
pub struct Builder {
    pub(super) clients: Vec<Client>,
    pub(super) path: String,
    pub(super) documents: Vec<Document>,
    pub(super) metadata: Value,
    pub(super) registration: Registration,
    pub(super) registered_method: Option<AuthMethod>,
    pub(super) client_documents: Option<HashMap<String, Value>>,
    pub(super) exact_ports: bool,
    pub(super) iss: Iss,
    pub(super) resource: Resource,
    pub(super) scopes: Scopes,
    pub(super) offline_access: bool,
    pub(super) refresh_tokens: bool,
    pub(super) rotation: bool,
    pub(super) scope_on_refresh: bool,
    pub(super) revocation: bool,
    pub(super) device_interval: Option<Duration>,
    pub(super) code_lifetime: Duration,
    pub(super) access_lifetime: Duration,
    pub(super) announced_lifetime: Option<Option<u64>>,
    pub(super) refresh_lifetime: Option<Duration>,
    pub(super) intercept: Option<Box<Intercept>>,
    pub(super) extras: super::extras::Extras,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            clients: Vec::new(),
            path: String::new(),
            documents: vec![Document::OAuth],
            metadata: Value::Null,
            registration: Registration::Open,
            registered_method: None,
            client_documents: None,
            exact_ports: false,
            iss: Iss::Right,
            resource: Resource::Required,
            scopes: Scopes::new(),
            offline_access: false,
            refresh_tokens: true,
            rotation: true,
            scope_on_refresh: false,
            revocation: true,
            device_interval: None,
            code_lifetime: Duration::from_secs(60),
            access_lifetime: Duration::from_secs(3600),
            announced_lifetime: None,
            refresh_lifetime: None,
            intercept: None,
            extras: Default::default(),
        }
    }

    /// Registers this client; see [`client`](super::client()).
    #[must_use]
    pub fn client(mut self, client: Client) -> Self {
        self.clients.push(client);
        self
    }

    /// Sets the path of the issuer (`/tenant`), below which the endpoints are.
    #[must_use]
    pub fn issuer_path(mut self, path: &str) -> Self {
        self.path = path.to_owned();
        self
    }

    /// Serves metadata at these places; `[]` is a server without metadata.
    #[must_use]
    pub fn documents(mut self, documents: impl Into<Vec<Document>>) -> Self {
        self.documents = documents.into();
        self
    }

    /// Adds `members` to the metadata; members that are `null` are removed.
    #[must_use]
    pub fn metadata_with(mut self, members: Value) -> Self {
        self.metadata = members;
        self
    }

    /// Sets which clients may register.
    #[must_use]
    pub fn registration(mut self, registration: Registration) -> Self {
        self.registration = registration;
        self
    }

    /// Registers all clients with this method, whatever they request.
    #[must_use]
    pub fn registers_as(mut self, method: AuthMethod) -> Self {
        self.registered_method = Some(method);
        self
    }

    /// Supports Client ID Metadata Documents, on loopback also without TLS.
    #[must_use]
    pub fn client_documents(mut self) -> Self {
        self.client_documents.get_or_insert_default();
        self
    }

    /// Supports Client ID Metadata Documents, with this one cached: it is never fetched.
    #[must_use]
    pub fn client_document(mut self, url: &str, document: Value) -> Self {
        let documents = self.client_documents.get_or_insert_default();
        documents.insert(url.to_owned(), document);
        self
    }

    /// Requires that even the port of a loopback redirect is equal.
    #[must_use]
    pub fn exact_ports(mut self) -> Self {
        self.exact_ports = true;
        self
    }

    /// Sets `iss`.
    #[must_use]
    pub fn iss(mut self, iss: Iss) -> Self {
        self.iss = iss;
        self
    }

    /// Sets whether `resource` is required.
    #[must_use]
    pub fn resource(mut self, resource: Resource) -> Self {
        self.resource = resource;
        self
    }

    /// Supports these scopes and rejects others; by default a server has no scopes.
    #[must_use]
    pub fn scopes(mut self, list: &str) -> Self {
        self.scopes = scopes(list);
        self
    }

    /// Supports `offline_access`, and issues refresh tokens only with it.
    #[must_use]
    pub fn offline_access(mut self) -> Self {
        self.offline_access = true;
        self.scopes.insert("offline_access".to_owned());
        self
    }

    /// Issues no refresh tokens.
    #[must_use]
    pub fn without_refresh_tokens(mut self) -> Self {
        self.refresh_tokens = false;
        self
    }

    /// Does not rotate refresh tokens.
    #[must_use]
    pub fn without_rotation(mut self) -> Self {
        self.rotation = false;
        self
    }

    /// Rejects a refresh without `scope`.
    #[must_use]
    pub fn scope_on_refresh(mut self) -> Self {
        self.scope_on_refresh = true;
        self
    }

    /// Has no revocation endpoint.
    #[must_use]
    pub fn without_revocation(mut self) -> Self {
        self.revocation = false;
        self
    }

    /// Supports the device grant (RFC 8628) with this minimum poll interval (announced in whole seconds).
    #[must_use]
    pub fn device_grant(mut self, interval: Duration) -> Self {
        self.device_interval = Some(interval);
        self
    }

    /// Sets the lifetime of codes of all kinds.
    #[must_use]
    pub fn code_lifetime(mut self, lifetime: Duration) -> Self {
        self.code_lifetime = lifetime;
        self
    }

    /// Sets the lifetime of access tokens; `expires_in` contains the whole seconds.
    #[must_use]
    pub fn access_lifetime(mut self, lifetime: Duration) -> Self {
        self.access_lifetime = lifetime;
        self
    }

    /// Sets `expires_in`, in seconds, without changing the lifetime; `None` omits it.
    #[must_use]
    pub fn announced_lifetime(mut self, seconds: Option<u64>) -> Self {
        self.announced_lifetime = Some(seconds);
        self
    }

    /// Sets the lifetime of refresh tokens; by default they do not expire.
    #[must_use]
    pub fn refresh_lifetime(mut self, lifetime: Duration) -> Self {
        self.refresh_lifetime = Some(lifetime);
        self
    }

    /// Lets `reply` answer a request instead of the server.
    #[must_use]
    pub fn intercept(
        mut self,
        reply: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        self.intercept = Some(Box::new(reply));
        self
    }

    /// Starts the server.
    pub async fn start(self) -> Server {
        let state = Arc::new(State::new(self));
        let captured = state.clone();
        let handler = raw::handler_of(move |request| {
            let state = captured.clone();
            async move {
                let reply = serve(&state, request).await;
                reply.unwrap_or_else(|| Reply::status(404))
            }
        });
        Server {
            raw: raw::start((Ipv4Addr::LOCALHOST, 0).into(), None, handler),
            state,
        }
    }
}
