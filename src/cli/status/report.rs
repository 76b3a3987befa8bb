//! The state of the upstreams, as `status --json` writes it; docs/commands.md describes the members.

use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use serde::Serialize;

use crate::config::Upstream;
use crate::oauth::{CredentialStatus, SignInError, Timestamp};
use crate::upstream::{CachedSummary, ConnectionUse, ToolList, TransportError};

/// The result of `status`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) upstreams: Vec<Row>,
    /// The problems of the configuration.
    pub(super) problems: Vec<String>,
}

impl Report {
    pub(super) fn json(&self) -> String {
        // Every member can be serialized.
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        format!("{text}\n")
    }
}

/// The outcome of connecting to a server.
pub(super) enum ServerCheck {
    Skipped,
    Connected(ConnectionUse, Arc<ToolList>),
    Failed(TransportError),
    TimedOut(Duration),
}

/// Whether the user is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum SignIn {
    /// The configuration turns sign-in off.
    Off,
    /// The configuration has an `Authorization` header instead.
    OwnHeader,
    /// The server accepted the connection without a token.
    NotNeeded,
    SignedIn,
    /// The token has expired, and cannot be renewed.
    Expired,
    /// The server requires a sign-in.
    Missing,
    /// No login is stored, and the server did not say whether it requires one.
    Unknown,
}

/// The state of one upstream.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) transport: Option<&'static str>,
    pub(super) era: Option<&'static str>,
    pub(super) version: Option<&'static str>,
    pub(super) tools: Option<usize>,
    /// The number of cached tools, which the next start lists at once.
    pub(super) remembered_tools: Option<usize>,
    /// In seconds since 1970.
    pub(super) remembered_at: Option<u64>,
    pub(super) sign_in: SignIn,
    pub(super) issuer: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) scopes: Option<Vec<String>>,
    /// In seconds since 1970.
    pub(super) expires_at: Option<u64>,
    pub(super) renewable: Option<bool>,
    /// The problem, with its remedy.
    pub(super) problem: Option<String>,
    /// The command that solves the problem, if there is one.
    pub(super) command: Option<String>,
    /// The page of a login that waits for the user.
    pub(super) sign_in_url: Option<String>,
}

impl Row {
    pub(super) fn new(
        config: &Upstream,
        check: &ServerCheck,
        stored: Result<Option<CredentialStatus>, SignInError>,
        remembered: Option<CachedSummary>,
        now: Timestamp,
    ) -> Self {
        let (stored, unreadable) = match stored {
            Ok(stored) => (stored, None),
            Err(error) => (None, Some(error)),
        };
        let sign_in = match (sign_in(check, stored.as_ref(), now), config.oauth.is_some()) {
            (_, false) if config.headers.contains_key(AUTHORIZATION) => SignIn::OwnHeader,
            (_, false) => SignIn::Off,
            (sign_in, true) => sign_in,
        };
        let (connection, tools) = match check {
            ServerCheck::Connected(connection, listing) => {
                (Some(connection), Some(listing.tools.len()))
            }
            _ => (None, None),
        };
        let problem = problem(check, unreadable, sign_in, config);
        let needed = match check {
            ServerCheck::Failed(TransportError::SignIn(SignInError::Required(needed))) => {
                Some(needed)
            }
            _ => None,
        };
        let helps = problem.is_some() && (needed.is_some() || sign_in == SignIn::Expired);
        Self {
            name: config.name.to_string(),
            url: config.url.to_string(),
            transport: connection.map(|connection| connection.transport()),
            era: connection.map(|connection| connection.server_profile.era.as_str()),
            version: connection.map(|connection| connection.server_profile.version),
            tools,
            remembered_tools: remembered.map(|it| it.tools),
            remembered_at: remembered.map(|it| it.written_at),
            sign_in,
            issuer: stored.as_ref().map(|it| it.issuer.clone()),
            client_id: stored.as_ref().map(|it| it.client_id.clone()),
            scopes: stored.as_ref().and_then(scopes),
            expires_at: stored.as_ref().and_then(|it| it.expires_at).map(|at| at.0),
            renewable: stored.as_ref().map(|it| it.renewable),
            problem,
            command: helps.then(|| format!("mcp-manifold login {}", config.name)),
            sign_in_url: needed
                .and_then(|it| it.url.as_ref())
                .map(ToString::to_string),
        }
    }

    pub(super) fn has_no_problem(&self) -> bool {
        self.problem.is_none()
    }
}

fn sign_in(check: &ServerCheck, stored: Option<&CredentialStatus>, now: Timestamp) -> SignIn {
    let is_over =
        |it: &CredentialStatus| !it.renewable && it.expires_at.is_some_and(|end| end <= now);
    match (check, stored) {
        // A renewal that failed for a transient reason keeps the login.
        (ServerCheck::Failed(TransportError::SignIn(error)), _) if !error.is_transient() => {
            SignIn::Missing
        }
        (ServerCheck::Connected(..), None) => SignIn::NotNeeded,
        (ServerCheck::Connected(..), Some(_)) => SignIn::SignedIn,
        (_, Some(stored)) if is_over(stored) => SignIn::Expired,
        (_, Some(_)) => SignIn::SignedIn,
        (_, None) => SignIn::Unknown,
    }
}

/// Describes what is wrong with an upstream, and the remedy.
fn problem(
    check: &ServerCheck,
    unreadable: Option<SignInError>,
    sign_in: SignIn,
    config: &Upstream,
) -> Option<String> {
    match (check, unreadable) {
        (_, Some(error)) => Some(error.to_string()),
        (ServerCheck::Failed(cause), None) => Some(cause.to_string()),
        (ServerCheck::TimedOut(time), None) => Some(format!(
            "the server did not respond for {} s; check its `url`",
            time.as_secs()
        )),
        (_, None) if sign_in == SignIn::Expired => Some(format!(
            "the access token has expired and cannot be renewed; run `mcp-manifold login {}`",
            config.name
        )),
        (_, None) => None,
    }
}

fn scopes(stored: &CredentialStatus) -> Option<Vec<String>> {
    let scope = stored.scope.as_ref()?;
    Some(scope.split_whitespace().map(str::to_owned).collect())
}
