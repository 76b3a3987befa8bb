//! Discovery of an upstream's authorization server, against scripted servers.

mod failures;
mod order;
mod rejected;

use std::collections::HashMap;
use std::time::Duration;

use mcp_manifold::config::{Config, Environment, Pkce, ServerUrl};
use mcp_manifold::net::Clients;
use mcp_manifold::oauth::{Discovered, DiscoveryError, DiscoveryRequest, MetadataSource, discover};

use serde_json::{Value, json};

use testkit::raw::{self, Reply, Server};

const RESOURCE_PATH: &str = "/.well-known/oauth-protected-resource/mcp";
const RESOURCE_ROOT: &str = "/.well-known/oauth-protected-resource";
const SERVER: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

type Answer = Box<dyn Fn(usize) -> Reply + Send + Sync>;

/// A server that answers the nth request of a path with `answer(n)`, and other paths with 404.
fn serve(answers: Vec<(&str, Answer)>) -> Server {
    let answers = answers
        .into_iter()
        .map(|(path, answer)| (path.to_owned(), answer));
    let answers: HashMap<String, Answer> = answers.collect();
    let counts = std::sync::Mutex::new(HashMap::<String, usize>::new());
    raw::server(move |request| {
        let mut counts = counts.lock().unwrap();
        let count = counts.entry(request.path.clone()).or_default();
        *count += 1;
        let answer = answers.get(&request.path).map(|answer| answer(*count));
        std::future::ready(answer.unwrap_or_else(|| Reply::status(404)))
    })
}

fn reply(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Answer {
    Box::new(move |_| reply())
}

/// A server whose documents contain its own address in place of `{}`.
fn serve_itself(answers: &[(&str, Value)]) -> Server {
    let answers: HashMap<_, _> = answers
        .iter()
        .map(|(path, body)| (path.to_string(), body.to_string()))
        .collect();
    raw::server(move |request| {
        let origin = format!("http://{}", request.header("host").unwrap());
        let body = answers
            .get(&request.path)
            .map(|body| body.replace("{}", &origin));
        std::future::ready(body.map_or_else(|| Reply::status(404), Reply::json))
    })
}

/// The metadata of an authorization server with its endpoints at `issuer`.
fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/a"),
        "token_endpoint": format!("{issuer}/t"),
        "code_challenge_methods_supported": ["S256"],
    })
}

/// The resource metadata of an upstream that trusts `servers`.
fn resource(server: &str, servers: &[&str]) -> Value {
    json!({"resource": server, "authorization_servers": servers})
}

/// Parses the URL of an MCP endpoint as the configuration does.
fn url_of(url: &str) -> ServerUrl {
    let json = json!([{"name": "a", "url": url}]).to_string();
    let variables = [("PROXY_UPSTREAMS".to_owned(), json)];
    let config = Config::from_environment(&Environment::from_iter(variables)).unwrap();
    config.upstreams[0].url.clone()
}

async fn discover_with<'a>(
    server: &Server,
    change: impl FnOnce(&mut DiscoveryRequest<'a>),
) -> Result<Discovered, DiscoveryError> {
    // Leaked, so that the request may borrow from the caller with any lifetime.
    let url = Box::leak(Box::new(url_of(&server.url_of("/mcp?key=hunter2"))));
    let mut request: DiscoveryRequest<'a> = DiscoveryRequest::new(url);
    // Long enough for a loaded machine; tests that wait for the timeout shorten it.
    request.document_timeout = Duration::from_secs(20);
    change(&mut request);
    discover(&Clients::default(), &request).await
}

async fn found(server: &Server) -> Discovered {
    discover_with(server, |_| {}).await.unwrap()
}

fn paths(server: &Server) -> Vec<String> {
    let requests = server.requests();
    requests.into_iter().map(|request| request.path).collect()
}

fn issuer(discovered: &Discovered) -> &str {
    discovered.authorization_server.issuer.as_str()
}

/// A server that trusts all of `issuers`.
fn trusting(issuers: &[String]) -> Server {
    let issuers = issuers.to_vec();
    raw::server(move |request| {
        let here = format!("http://{}", request.header("host").unwrap());
        let issuers: Vec<&str> = issuers.iter().map(String::as_str).collect();
        let body = resource(&here, &issuers).to_string();
        std::future::ready(match request.path.as_str() {
            RESOURCE_PATH => Reply::json(body),
            _ => Reply::status(404),
        })
    })
}
