//! The parameters of a request in its query or form, and error responses.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::json;
use url::form_urlencoded;

use crate::raw::{Reply, Request};

/// A set of scopes.
pub type Scopes = BTreeSet<String>;

/// Reads a list of scopes separated by spaces (RFC 6749 § 3.3).
pub fn scopes(text: &str) -> Scopes {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Returns these scopes separated by spaces.
pub(super) fn joined(scopes: &Scopes) -> String {
    let scopes: Vec<_> = scopes.iter().map(String::as_str).collect();
    scopes.join(" ")
}

/// The parameters of a request, in order.
#[derive(Clone, Debug, Default)]
pub struct Params(pub Vec<(String, String)>);

impl Params {
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// Reads the parameters of the query.
    pub fn of_query(request: &Request) -> Self {
        let query = request.path.split_once('?').map(|(_, query)| query);
        Self::parse(query.unwrap_or_default().as_bytes())
    }

    /// Reads the parameters of the body; none if it is not a form.
    pub fn of_form(request: &Request) -> Self {
        let form = "application/x-www-form-urlencoded";
        match request.header("content-type") {
            Some(kind) if kind.split(';').next() == Some(form) => Self::parse(&request.body),
            _ => Self::default(),
        }
    }

    /// Returns the value of `name`. An empty value counts as omitted (RFC 6749 § 3.1).
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(key, _)| key == name);
        value
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }

    /// Returns the requested scopes, if the request names any.
    pub fn scopes(&self) -> Option<Scopes> {
        self.get("scope").map(scopes)
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name)
            .ok_or_else(|| Refusal::request(format!("`{name}` is missing")))
    }

    /// Rejects a repeated parameter (RFC 6749 § 3.1).
    pub(super) fn check_unique(&self) -> Result<(), Refusal> {
        let mut seen = BTreeSet::new();
        for (name, _) in &self.0 {
            if !seen.insert(name) {
                return Err(Refusal::request(format!("`{name}` is there twice")));
            }
        }
        Ok(())
    }
}

/// Why a request was rejected: a code of RFC 6749 or an extension, and a text for the log.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) error: &'static str,
    pub(super) description: String,
    /// The nonce that a DPoP proof must contain (RFC 9449 § 8).
    pub(super) nonce: Option<String>,
}

impl Refusal {
    pub(super) fn new(error: &'static str, description: impl Into<String>) -> Self {
        let status = if error == "invalid_client" { 401 } else { 400 };
        Self {
            status,
            error,
            description: description.into(),
            nonce: None,
        }
    }

    pub(super) fn request(description: impl Into<String>) -> Self {
        Self::new("invalid_request", description)
    }

    pub(super) fn grant(description: impl Into<String>) -> Self {
        Self::new("invalid_grant", description)
    }

    pub(super) fn client(description: impl Into<String>) -> Self {
        Self::new("invalid_client", description)
    }

    /// Returns the error of the token endpoint (RFC 6749 § 5.2).
    pub(super) fn reply(&self) -> Reply {
        let body = json!({"error": self.error, "error_description": self.description});
        let mut reply = secret_json(&body).with_status(self.status);
        if let Some(nonce) = &self.nonce {
            reply = reply.header("dpop-nonce", nonce);
        }
        match self.status {
            401 => reply.header("www-authenticate", "Basic realm=\"clients\""),
            _ => reply,
        }
    }

    /// Returns an error page, for errors without a trusted redirect.
    pub(super) fn page(&self) -> Reply {
        page(400, &format!("{}: {}", self.error, self.description))
    }
}

/// Returns a body with a secret, which must not be cached (RFC 6749 § 5.1).
pub(super) fn secret_json(body: &serde_json::Value) -> Reply {
    Reply::json(body.to_string()).header("cache-control", "no-store")
}

/// Returns a page with `text`.
pub(super) fn page(status: u16, text: &str) -> Reply {
    Reply::status(status)
        .header("content-type", "text/html; charset=utf-8")
        .body(format!(
            "<!doctype html><title>Sign in</title><p>{text}</p>"
        ))
}

/// Returns a random string with the prefix `kind`.
pub(super) fn random(kind: &str) -> String {
    let mut text = format!("{kind}-");
    for _ in 0..2 {
        write!(text, "{:016x}", fastrand::u64(..)).unwrap();
    }
    text
}
