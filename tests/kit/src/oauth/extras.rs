//! Further features of a server: tokens bound to keys (RFC 9449), tokens for assertions of another server
//! (RFC 7523 § 2.1), and issuing such assertions (RFC 8693, token type `id-jag`).

use serde_json::{Value, json};

use super::assertions::{JWT_BEARER, TOKEN_EXCHANGE, later};
use super::builder::Builder;
use super::key::Key;
use super::params::random;
use super::{Server, client, server};

/// Whether tokens are bound to keys.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Dpop {
    /// Never; proofs are ignored.
    #[default]
    Off,
    /// If the client sends a proof.
    Optional,
    /// Always; without a proof there is no token.
    Required,
}

/// The configuration of these features; off by default.
#[derive(Default)]
pub(super) struct Extras {
    pub(super) dpop: Dpop,
    pub(super) nonces: bool,
    /// The trusted issuer of assertions and its key.
    pub(super) trusted: Option<(Key, String)>,
    /// The key of an identity provider, and the client in its assertions.
    pub(super) provider: Option<(Key, String)>,
}

impl Extras {
    pub(super) fn grants(&self) -> Vec<&'static str> {
        let bearer = self.trusted.is_some().then_some(JWT_BEARER);
        let exchange = self.provider.is_some().then_some(TOKEN_EXCHANGE);
        bearer.into_iter().chain(exchange).collect()
    }
}

impl Builder {
    /// Binds tokens to keys.
    #[must_use]
    pub fn dpop(mut self, dpop: Dpop) -> Self {
        self.extras.dpop = dpop;
        self
    }

    /// Requires a nonce in every proof: one at the token endpoint, another at each resource.
    #[must_use]
    pub fn dpop_nonces(mut self) -> Self {
        self.extras.nonces = true;
        self
    }

    /// Accepts the assertions that `issuer` signs with `key`, each once.
    #[must_use]
    pub fn trusts(mut self, issuer: &str, key: &Key) -> Self {
        self.extras.trusted = Some((key.clone(), issuer.to_owned()));
        self
    }

    /// Is an identity provider that signs assertions about its users with `key`, for other servers. Its client
    /// is called `client_there` at those servers.
    #[must_use]
    pub fn provides(mut self, key: &Key, client_there: &str) -> Self {
        self.extras.provider = Some((key.clone(), client_there.to_owned()));
        self
    }
}

/// Returns an identity provider with the client `at-home`, and a server that accepts its assertions from
/// the client `at-server`. The secrets are `home-secret` and `server-secret`.
pub async fn enterprise() -> (Server, Builder) {
    let key = Key::es256();
    let at_home = client("at-home").secret_basic("home-secret");
    let provider = server().client(at_home).provides(&key, "at-server");
    let provider = provider.start().await;
    let there = client("at-server").secret_basic("server-secret");
    let server = server().client(there).trusts(&provider.issuer(), &key);
    (provider, server)
}

impl Server {
    /// Returns an ID token of a user who signed in to `client`, at a server that [`provides`](Builder::provides).
    pub fn id_token(&self, client: &str) -> String {
        let (key, _) = self.state.script.extras.provider.as_ref().unwrap();
        let claims = json!({
            "iss": self.issuer(), "sub": "user-1", "aud": client, "exp": later(3600),
        });
        let token = key.sign(&claims);
        self.state.memory().secrets.push(token.clone());
        token
    }

    /// Returns claims that a server accepts if it [`trusts`](Builder::trusts) `issuer`, with `changes` applied.
    pub fn claims(&self, issuer: &str, changes: &Value) -> Value {
        let mut claims = json!({
            "iss": issuer, "sub": "workload-1", "aud": self.issuer(),
            "exp": later(300), "iat": later(0), "jti": random("jti"),
        });
        let members = claims.as_object_mut().unwrap();
        members.extend(changes.as_object().unwrap().clone());
        claims
    }

    /// Requires new nonces from now on.
    pub fn change_nonces(&self) {
        self.state.memory().nonces.clear();
    }

    /// Returns the thumbprint of the key that a valid access token is bound to.
    pub fn bound_to(&self, token: &str) -> Option<String> {
        self.state.valid(token)?.key
    }
}
