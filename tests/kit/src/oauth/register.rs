//! Accepts new clients in two ways:
//!
//! - dynamic registration (RFC 7591)
//! - a document at the URL that is the client id (Client ID Metadata Documents)

use serde::Deserialize;
use serde_json::Value;
use url::{Host, Url};

use super::builder::Registration;
use super::client::{AuthMethod, Client};
use super::params::{Refusal, Scopes, random, scopes, secret_json};
use super::state::State;
use crate::raw::{Reply, Request};
use crate::{http, within};

/// The metadata of a client.
#[derive(Deserialize)]
struct Metadata {
    client_id: Option<String>,
    client_name: Option<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    application_type: Option<String>,
    scope: Option<String>,
}

pub(super) fn register(state: &State, request: &Request) -> Result<Reply, Refusal> {
    if request.header("content-type") != Some("application/json") {
        return Err(invalid_metadata("the body is no `application/json`"));
    }
    let metadata: Metadata = serde_json::from_slice(&request.body)
        .map_err(|error| invalid_metadata(error.to_string()))?;
    let method = method(metadata.token_endpoint_auth_method.as_deref())?;
    let grants = grants(&metadata)?;
    if grants.iter().any(|grant| grant == "authorization_code") {
        check_redirects(&metadata)?;
    }
    let asked = metadata.scope.as_deref().map(scopes);
    let client = Client {
        id: random("client"),
        method: state.script.registered_method.unwrap_or(method),
        secret: None,
        key: None,
        redirect_uris: metadata.redirect_uris,
        grants,
        scopes: limited(asked, &state.script.registration),
    };
    let client = client.with_new_secret();
    let mut memory = state.memory();
    memory.secrets.extend(client.secret.clone());
    memory.clients.insert(client.id.clone(), client.clone());
    Ok(secret_json(&client.description()).with_status(201))
}

fn invalid_metadata(description: impl Into<String>) -> Refusal {
    Refusal::new("invalid_client_metadata", description)
}

fn method(name: Option<&str>) -> Result<AuthMethod, Refusal> {
    match name {
        Some("none") => Ok(AuthMethod::None),
        None | Some("client_secret_basic") => Ok(AuthMethod::Basic),
        Some("client_secret_post") => Ok(AuthMethod::Post),
        Some(other) => Err(invalid_metadata(format!(
            "`{other}` cannot be registered here"
        ))),
    }
}

/// Returns the requested grants, or the default grant (RFC 7591 § 2).
fn grants(metadata: &Metadata) -> Result<Vec<String>, Refusal> {
    let default = || vec!["authorization_code".to_owned()];
    let grants = metadata.grant_types.clone().unwrap_or_else(default);
    let code = grants.iter().any(|grant| grant == "authorization_code");
    let asks_code = metadata
        .response_types
        .as_ref()
        .is_none_or(|types| types.iter().any(|kind| kind == "code"));
    if code && !asks_code {
        return Err(invalid_metadata("`response_types` lacks `code`"));
    }
    Ok(grants)
}

fn limited(asked: Option<Scopes>, registration: &Registration) -> Option<Scopes> {
    match registration {
        Registration::Limited(limit) => {
            Some(asked.map_or_else(|| limit.clone(), |asked| &asked & limit))
        }
        _ => asked,
    }
}

/// Checks the redirect URIs (OIDC Registration § 2). An application that does not declare itself native is
/// a web application. Only a native one may redirect to loopback or to its own scheme.
fn check_redirects(metadata: &Metadata) -> Result<(), Refusal> {
    let refusal = |text: String| Err(Refusal::new("invalid_redirect_uri", text));
    if metadata.redirect_uris.is_empty() {
        return refusal("there is no redirect URI".to_owned());
    }
    let native = metadata.application_type.as_deref() == Some("native");
    for uri in &metadata.redirect_uris {
        let Ok(url) = Url::parse(uri) else {
            return refusal(format!("`{uri}` is no URI"));
        };
        let allowed = match url.scheme() {
            "https" => true,
            "http" => native && is_loopback(&url),
            scheme => native && scheme.contains('.'),
        };
        if !allowed || url.fragment().is_some() {
            return refusal(format!("`{uri}` is not allowed to this kind of client"));
        }
    }
    Ok(())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl State {
    /// Returns the client of this id; fetches its document if the id is a URL.
    pub(super) async fn client(&self, id: &str) -> Result<Client, Refusal> {
        if let Some(client) = self.memory().clients.get(id) {
            return Ok(client.clone());
        }
        let Some(known) = &self.script.client_documents else {
            return Err(Refusal::client("this `client_id` is unknown"));
        };
        let document = match known.get(id) {
            Some(document) => document.clone(),
            None => fetch(id).await?,
        };
        let client = described(id, document)?;
        let mut memory = self.memory();
        memory.clients.insert(id.to_owned(), client.clone());
        Ok(client)
    }
}

async fn fetch(id: &str) -> Result<Value, Refusal> {
    let url = Url::parse(id).map_err(|_| Refusal::client("`client_id` is unknown, and no URL"))?;
    if url.scheme() != "http" || !is_loopback(&url) || url.path() == "/" {
        return Err(Refusal::client("a document is not fetched from there"));
    }
    let response = within("a client's document", http::client().get(url).send()).await;
    let response = response.map_err(|error| Refusal::client(error.to_string()))?;
    let document = within("a client's document", response.bytes()).await;
    let document = document.map_err(|error| Refusal::client(error.to_string()))?;
    serde_json::from_slice(&document).map_err(|error| Refusal::client(error.to_string()))
}

fn described(id: &str, document: Value) -> Result<Client, Refusal> {
    let metadata: Metadata =
        serde_json::from_value(document).map_err(|error| Refusal::client(error.to_string()))?;
    if metadata.client_id.as_deref() != Some(id) {
        return Err(Refusal::client("the document names another `client_id`"));
    }
    if metadata.client_name.is_none() || metadata.redirect_uris.is_empty() {
        let text = "the document lacks `client_name` or `redirect_uris`";
        return Err(Refusal::client(text));
    }
    // A public document cannot contain a secret.
    if metadata.token_endpoint_auth_method.as_deref() != Some("none") {
        return Err(Refusal::client("the document's client is not public"));
    }
    Ok(Client {
        id: id.to_owned(),
        method: AuthMethod::None,
        secret: None,
        key: None,
        grants: grants(&metadata)?,
        scopes: metadata.scope.as_deref().map(scopes),
        redirect_uris: metadata.redirect_uris,
    })
}
