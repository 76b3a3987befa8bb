//! What a server can do beyond the usual: tokens bound to keys (RFC 9449), tokens for what another
//! server asserts (RFC 7523 § 2.1), and such assertions (RFC 8693, token type `id-jag`).

use serde_json::{Value, json};

use super::assertions::{JWT_BEARER, TOKEN_EXCHANGE, later};
use super::builder::Builder;
use super::key::Key;
use super::params::random;
use super::{Server, client, server};

/// Whether tokens are bound to keys.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Dpop {
    /// A proof is not looked at.
    #[default]
    Off,
    /// Those of who shows a proof are.
    Optional,
    /// All are, and who shows no proof gets none.
    Required,
}

/// All of this, told to nothing.
#[derive(Default)]
pub(super) struct Extras {
    pub(super) dpop: Dpop,
    pub(super) nonces: bool,
    /// Whose assertions are good: the key and the issuer.
    pub(super) trusted: Option<(Key, String)>,
    /// The key of an identity provider, and the client that it names in assertions.
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

    /// Wants a nonce in every proof, one at the token endpoint and another at each resource.
    #[must_use]
    pub fn dpop_nonces(mut self) -> Self {
        self.extras.nonces = true;
        self
    }

    /// Takes the assertions that `issuer` signs with `key`, each once.
    #[must_use]
    pub fn trusts(mut self, issuer: &str, key: &Key) -> Self {
        self.extras.trusted = Some((key.clone(), issuer.to_owned()));
        self
    }

    /// Is an identity provider that signs with `key`, and asserts to other servers what it knows of
    /// its users; there the client is called `client_there`.
    #[must_use]
    pub fn provides(mut self, key: &Key, client_there: &str) -> Self {
        self.extras.provider = Some((key.clone(), client_there.to_owned()));
        self
    }
}

/// An identity provider that knows the client `at-home`, and a server that takes its assertions from
/// the client `at-server`; their secrets are `home-secret` and `server-secret`.
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
    /// An ID token of a user who signed in to `client`, at a server that [`provides`](Builder::provides).
    pub fn id_token(&self, client: &str) -> String {
        let (key, _) = self.state.script.extras.provider.as_ref().unwrap();
        let claims = json!({
            "iss": self.issuer(), "sub": "user-1", "aud": client, "exp": later(3600),
        });
        let token = key.sign(&claims);
        self.state.memory().secrets.push(token.clone());
        token
    }

    /// Claims that a server which [`trusts`](Builder::trusts) `issuer` takes, with the members of `changes`.
    pub fn claims(&self, issuer: &str, changes: &Value) -> Value {
        let mut claims = json!({
            "iss": issuer, "sub": "workload-1", "aud": self.issuer(),
            "exp": later(300), "iat": later(0), "jti": random("jti"),
        });
        let members = claims.as_object_mut().unwrap();
        members.extend(changes.as_object().unwrap().clone());
        claims
    }

    /// Wants other nonces from now on.
    pub fn change_nonces(&self) {
        self.state.memory().nonces.clear();
    }

    /// The name of the key that an access token is bound to, when it is valid and is bound.
    pub fn bound_to(&self, token: &str) -> Option<String> {
        self.state.valid(token)?.key
    }
}
