//! Protects an upstream: passes requests with a valid token, rejects the rest (RFC 6750), and serves the
//! resource metadata (RFC 9728).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Map, Value, json};

use super::extras::Dpop;
use super::metadata::apply;
use super::params::{Params, Refusal, Scopes, joined};
use super::protected::{Challenge, Place};
use super::state::State;
use super::{Part, dpop, serve};
use crate::raw::{Reply, Request};

/// The URLs of a protected upstream.
pub(super) struct Urls {
    pub(super) origin: String,
    pub(super) resource: String,
    pub(super) metadata_path: String,
}

impl Urls {
    pub(super) fn metadata(&self) -> String {
        format!("{}{}", self.origin, self.metadata_path)
    }
}

pub(super) struct Guard {
    pub(super) server: Mutex<(String, Arc<State>)>,
    pub(super) same_origin: bool,
    pub(super) place: Place,
    pub(super) challenge: Challenge,
    pub(super) document: Value,
    pub(super) scopes: Scopes,
    pub(super) tool_scopes: HashMap<String, Scopes>,
    pub(super) open: Vec<String>,
    /// The URLs of the upstream, its origin and its metadata.
    pub(super) urls: OnceLock<Urls>,
    pub(super) refused: Mutex<Vec<(u16, String)>>,
}

impl Guard {
    pub(super) fn state(&self) -> Arc<State> {
        self.server.lock().unwrap().1.clone()
    }

    /// Sets the address, which is unknown before the server listens.
    pub(super) fn stands_at(&self, origin: String, resource: String) {
        let path = &resource[origin.len()..];
        let metadata_path = match self.place {
            Place::Path => format!("/.well-known/oauth-protected-resource{path}"),
            Place::Root => "/.well-known/oauth-protected-resource".to_owned(),
            Place::Hidden | Place::Nowhere => "/about/this-resource".to_owned(),
        };
        let urls = Urls {
            origin,
            resource,
            metadata_path,
        };
        assert!(self.urls.set(urls).is_ok(), "it cannot move");
    }

    pub(super) fn urls(&self) -> &Urls {
        self.urls
            .get()
            .expect("the address is set before a request arrives")
    }

    /// Returns the reply to a request that does not reach the upstream.
    pub(super) async fn reply(&self, request: Request) -> Option<Reply> {
        let urls = self.urls();
        let path = request.path.split('?').next().unwrap_or_default();
        if path == urls.metadata_path && self.place != Place::Nowhere {
            return Some(Reply::json(self.document(urls).to_string()));
        }
        let state = self.state();
        if self.same_origin && Part::of(&state.script, &request).is_some() {
            return serve(&state, request).await;
        }
        if path.contains("/.well-known/") {
            return Some(Reply::status(404));
        }
        if self.open.contains(&request.rpc_method()) {
            return None;
        }
        self.check(&state, &request).err()
    }

    fn document(&self, urls: &Urls) -> Value {
        let mut document = Map::new();
        let issuer = match self.same_origin {
            true => urls.origin.clone(),
            false => self.server.lock().unwrap().0.clone(),
        };
        document.insert("resource".to_owned(), json!(urls.resource));
        document.insert("authorization_servers".to_owned(), json!([issuer]));
        let methods = json!(["header"]);
        document.insert("bearer_methods_supported".to_owned(), methods);
        apply(&mut document, &self.document);
        Value::Object(document)
    }

    fn check(&self, state: &State, request: &Request) -> Result<(), Reply> {
        if Params::of_query(request).get("access_token").is_some() {
            let error = "a token stands in the URL";
            return Err(self.refuse(400, "", Some("invalid_request"), error, &self.scopes));
        }
        let mut headers = request.headers.iter();
        let given = headers.find(|(name, _)| name == "authorization");
        let Some((_, given)) = given else {
            return Err(self.refuse(401, "", None, "", &self.scopes));
        };
        let (scheme, token) = given.split_once(' ').unwrap_or_default();
        let url = &self.urls().resource;
        let grant = state.valid(token);
        // A token without a resource was issued by a server without resources.
        let ours = grant.filter(|g| g.resource.as_ref().is_none_or(|r| r == url));
        let ours = ours.filter(|g| scheme == if g.key.is_some() { "DPoP" } else { "Bearer" });
        let Some(grant) = ours else {
            let (error, text) = (Some("invalid_token"), "the token is not valid here");
            return Err(self.refuse(401, token, error, text, &self.scopes));
        };
        if let Some(key) = &grant.key {
            self.check_proof(state, request, token, key)?;
        }
        let mut needed = self.scopes.clone();
        if request.is("tools/call") {
            let of_tool = self.tool_scopes.get(&request.tool());
            needed.extend(of_tool.into_iter().flatten().cloned());
        }
        if needed.is_subset(&grant.scopes) {
            return Ok(());
        }
        let (error, text) = (Some("insufficient_scope"), "more is needed for this");
        Err(self.refuse(403, token, error, text, &needed))
    }

    /// Rejects a request without a proof of the key that the token is bound to (RFC 9449 § 7.1).
    fn check_proof(
        &self,
        state: &State,
        request: &Request,
        token: &str,
        key: &str,
    ) -> Result<(), Reply> {
        let refusal = match dpop::proved(state, request, &self.urls().resource, Some(token)) {
            Ok(Some(proved)) if proved == key => return Ok(()),
            Ok(_) => Refusal::new("invalid_dpop_proof", "the key is another"),
            Err(refusal) => refusal,
        };
        let (error, text) = (Some(refusal.error), refusal.description.as_str());
        let reply = self.refuse(401, token, error, text, &self.scopes);
        Err(match &refusal.nonce {
            Some(nonce) => reply.header("dpop-nonce", nonce),
            None => reply,
        })
    }

    fn refuse(
        &self,
        status: u16,
        token: &str,
        error: Option<&str>,
        text: &str,
        needed: &Scopes,
    ) -> Reply {
        let refused = (status, token.to_owned());
        self.refused.lock().unwrap().push(refused);
        let metadata = self.urls().metadata();
        let mut parts = Vec::new();
        match &self.challenge {
            Challenge::Missing => return Reply::status(status),
            Challenge::Text(text) if status == 401 => {
                let text = text.replace("{metadata}", &metadata);
                return Reply::status(401).header("www-authenticate", &text);
            }
            Challenge::WithoutMetadata => {}
            _ => parts.push(format!("resource_metadata=\"{metadata}\"")),
        }
        if let Some(error) = error {
            parts.push(format!("error=\"{error}\", error_description=\"{text}\""));
        }
        if !needed.is_empty() {
            parts.push(format!("scope=\"{}\"", joined(needed)));
        }
        let bound = self.state().script.extras.dpop != Dpop::Off;
        let scheme = if bound { "DPoP" } else { "Bearer" };
        if bound {
            parts.push("algs=\"ES256\"".to_owned());
        }
        let challenge = format!("{scheme} {}", parts.join(", "));
        Reply::status(status).header("www-authenticate", challenge.trim())
    }
}
