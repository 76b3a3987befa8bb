//! Every grant type, against a strict authorization server.

mod authorization_code;
mod client_registration;
mod device_grant;
mod dpop;
mod machine_grants;
mod token_responses;

use mcp_manifold::config::{Config, Environment, Pkce, Secret, ServerUrl};
use mcp_manifold::net::Clients;
use mcp_manifold::oauth::{
    Authority, AuthorizationParameters, AuthorizationRequest, AuthorizationServer,
    ClientInformation, Discovered, DiscoveryRequest, Members, TokenResponse, discover,
};
use serde_json::json;

use testkit::oauth::{self, Browser, Builder, Protected, Server, protect};
use testkit::{Endpoint, upstream};

const CALLBACK: &str = "http://127.0.0.1/callback";

/// An authorization server, an upstream that trusts it, and the result of discovery.
struct Setup {
    server: Server,
    upstream: Protected,
    clients: Clients,
    found: AuthorizationServer,
    resource: String,
}

/// Parses the URL of an upstream as the configuration does.
fn url_of(url: &str) -> ServerUrl {
    let json = json!([{"name": "a", "url": url}]).to_string();
    let variables = [("PROXY_UPSTREAMS".to_owned(), json)];
    let config = Config::from_environment(&Environment::from_iter(variables)).unwrap();
    config.upstreams[0].url.clone()
}

async fn setup(script: Builder) -> Setup {
    let server = script.start().await;
    let upstream = protect(&server, upstream::modern()).start().await;
    let (clients, url) = (Clients::default(), url_of(&upstream.url()));
    let found: Discovered = discover(&clients, &DiscoveryRequest::new(&url))
        .await
        .unwrap();
    Setup {
        server,
        upstream,
        clients,
        found: found.authorization_server,
        resource: found.resource,
    }
}

impl Setup {
    fn authority<'a>(&'a self, client: &'a ClientInformation) -> Authority<'a> {
        Authority {
            clients: &self.clients,
            server: &self.found,
            client,
            key: None,
            dpop: None,
        }
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.resource)
    }

    /// Signs in with `client`. Returns the authorization code and its request.
    async fn code(
        &self,
        client: &ClientInformation,
        scope: &str,
    ) -> (Secret, AuthorizationRequest) {
        let parameters = AuthorizationParameters {
            client_id: &client.client_id,
            redirect_uri: CALLBACK,
            scope: Some(scope),
            resource: self.resource(),
            extra_params: &[],
            pkce: Pkce::default(),
        };
        let request = AuthorizationRequest::new(&self.found, &parameters).unwrap();
        let back = Browser::consenting().redirect(request.url.as_str()).await;
        let back = back.unwrap();
        let value = |name| {
            let mut pairs = back.query_pairs();
            let found = pairs.find_map(|(key, value)| (key == name).then_some(value));
            found
                .unwrap_or_else(|| panic!("no `{name}` in {back}"))
                .into_owned()
        };
        assert_eq!(value("state"), request.state.expose());
        (Secret::new(value("code")), request)
    }

    /// Signs in and exchanges the code for tokens.
    async fn signed_in(&self, authority: &Authority<'_>, scope: &str) -> TokenResponse {
        let (code, request) = self.code(authority.client, scope).await;
        let verifier = &request.verifier;
        let grant = authority.exchange_code(&code, verifier, CALLBACK, self.resource());
        grant.await.unwrap()
    }

    /// Asserts that `shown` contains no secret of the server.
    fn assert_shows_nothing(&self, shown: &str) {
        let secrets = self.server.secrets();
        assert!(!secrets.is_empty());
        for secret in secrets {
            assert!(!shown.contains(&secret), "{shown}");
        }
    }
}

/// A client that was registered by hand.
fn client(id: &str, secret: Option<&str>) -> ClientInformation {
    ClientInformation {
        issuer: String::new(),
        client_id: id.to_owned(),
        client_secret: secret.map(|secret| Secret::new(secret.to_owned())),
        client_secret_expires_at: None,
        redirect_uris: Vec::new(),
        token_endpoint_auth_method: None,
        other: Members::default(),
    }
}

/// A public client, and a server that knows it.
fn public() -> (ClientInformation, Builder) {
    let known = oauth::client("client").redirect_uri(CALLBACK);
    (client("client", None), oauth::server().client(known))
}
