//! The authorization server for `notes`: the smallest that an OAuth 2.1 client accepts.
//! Its sign-in page sends the browser back at once, as for a user who is already signed in.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Query, Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

/// The path of the resource metadata of `/mcp` (RFC 9728 § 3.1).
const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource/mcp";

type Parameters = HashMap<String, String>;

/// The authorization server. Clones share their state.
#[derive(Clone)]
pub(crate) struct Authority {
    issuer: String,
    // std's Mutex: held for one operation, never across an await.
    issued: Arc<Mutex<Issued>>,
}

#[derive(Default)]
struct Issued {
    /// The redirect URI of each client.
    clients: HashMap<String, String>,
    /// The PKCE challenge of each unused authorization code.
    codes: HashMap<String, String>,
    tokens: HashSet<String>,
}

impl Authority {
    pub(crate) fn new(issuer: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            issued: Arc::default(),
        }
    }

    /// Returns the routes of the authorization server.
    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/.well-known/oauth-authorization-server", get(metadata))
            .route("/register", post(register))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(self.clone())
    }

    /// Rejects requests without an access token, with a challenge that names the metadata (RFC 6750).
    pub(crate) fn protect(&self, server: Router) -> Router {
        let guarded = axum::middleware::from_fn_with_state(self.clone(), guard);
        server.layer(guarded)
    }

    fn issued(&self) -> MutexGuard<'_, Issued> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn metadata(State(authority): State<Authority>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", authority.issuer);
    Json(json!({
        "issuer": authority.issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "registration_endpoint": at("/register"),
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
    }))
}

/// Registers any client (RFC 7591).
async fn register(State(authority): State<Authority>, Json(mut client): Json<Value>) -> Response {
    let Some(redirect) = client["redirect_uris"][0].as_str().map(str::to_owned) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let id = random();
    authority.issued().clients.insert(id.clone(), redirect);
    client["client_id"] = id.into();
    (StatusCode::CREATED, Json(client)).into_response()
}

/// The sign-in page, which redirects the browser at once with a code.
async fn authorize(
    State(authority): State<Authority>,
    Query(parameters): Query<Parameters>,
) -> Result<Redirect, StatusCode> {
    let parameter = |name: &str| parameters.get(name).ok_or(StatusCode::BAD_REQUEST);
    let (redirect, challenge) = (parameter("redirect_uri")?, parameter("code_challenge")?);
    let mut issued = authority.issued();
    if issued.clients.get(parameter("client_id")?) != Some(redirect) {
        return Err(StatusCode::BAD_REQUEST);
    }
    let code = random();
    issued.codes.insert(code.clone(), challenge.clone());
    let mut back = Url::parse(redirect).map_err(|_| StatusCode::BAD_REQUEST)?;
    back.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", parameter("state")?);
    Ok(Redirect::to(back.as_str()))
}

/// Exchanges a code for an access token, if the PKCE verifier matches (RFC 7636 § 4.6).
async fn token(
    State(authority): State<Authority>,
    Form(parameters): Form<Parameters>,
) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    let parameter = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
    let hash = Sha256::digest(parameter("code_verifier"));
    let mut issued = authority.issued();
    let challenge = issued.codes.remove(parameter("code"));
    if challenge != Some(BASE64_URL_SAFE_NO_PAD.encode(hash)) {
        let refusal = json!({"error": "invalid_grant"});
        return Err((StatusCode::BAD_REQUEST, Json(refusal)));
    }
    let token = random();
    issued.tokens.insert(token.clone());
    Ok(Json(
        json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600}),
    ))
}

async fn guard(
    State(authority): State<Authority>,
    headers: HeaderMap,
    request: Request,
    next: Next,
) -> Response {
    let host = headers.get("host").and_then(|host| host.to_str().ok());
    let origin = format!("http://{}", host.unwrap_or_default());
    if request.uri().path() == RESOURCE_METADATA {
        let resource = format!("{origin}/mcp");
        let servers = [&authority.issuer];
        return Json(json!({"resource": resource, "authorization_servers": servers}))
            .into_response();
    }
    let header = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
    let token = header.and_then(|it| it.strip_prefix("Bearer "));
    if token.is_some_and(|token| authority.issued().tokens.contains(token)) {
        return next.run(request).await;
    }
    let challenge = format!("Bearer resource_metadata=\"{origin}{RESOURCE_METADATA}\"");
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, challenge)]).into_response()
}

fn random() -> String {
    format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..))
}
