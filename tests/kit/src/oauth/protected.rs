//! A scripted upstream with bearer tokens, its metadata and challenges (RFC 9728, RFC 6750).

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::Value;

use super::Server;
use super::guard::Guard;
use super::params::{Scopes, scopes};
use crate::Endpoint;
use crate::upstream::{self, Upstream};

/// The place of the resource's metadata.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    /// The well-known path, then the path of the upstream.
    Path,
    /// The well-known path alone.
    Root,
    /// A path that only the challenge names.
    Hidden,
    /// Nowhere.
    Nowhere,
}

/// The `WWW-Authenticate` header of a 401.
#[derive(Clone, Debug, PartialEq)]
pub enum Challenge {
    /// The address of the metadata, and the required scopes.
    Full,
    /// Without the address of the metadata.
    WithoutMetadata,
    /// No header.
    Missing,
    /// This text, in which `{metadata}` stands for the address of the metadata.
    Text(String),
}

/// The configuration of a protected upstream; by default [`Place::Path`] and [`Challenge::Full`].
pub struct Protection {
    upstream: upstream::Builder,
    guard: Guard,
}

/// Protects an upstream with the tokens of `server`.
pub fn protect(server: &Server, upstream: upstream::Builder) -> Protection {
    let guard = Guard {
        server: Mutex::new((server.issuer(), server.state.clone())),
        same_origin: false,
        place: Place::Path,
        challenge: Challenge::Full,
        document: Value::Null,
        scopes: Scopes::new(),
        tool_scopes: HashMap::new(),
        open: Vec::new(),
        urls: OnceLock::new(),
        refused: Mutex::default(),
    };
    Protection { upstream, guard }
}

impl Protection {
    /// Requires these scopes on every request.
    #[must_use]
    pub fn scopes(mut self, list: &str) -> Self {
        self.guard.scopes = scopes(list);
        self
    }

    /// Requires these scopes on calls of this tool; answers 403 without them.
    #[must_use]
    pub fn tool_scopes(mut self, tool: &str, list: &str) -> Self {
        let tools = &mut self.guard.tool_scopes;
        tools.insert(tool.to_owned(), scopes(list));
        self
    }

    /// Serves the metadata only at this place.
    #[must_use]
    pub fn place(mut self, place: Place) -> Self {
        self.guard.place = place;
        self
    }

    /// Sets the challenge of a 401.
    #[must_use]
    pub fn challenge(mut self, challenge: Challenge) -> Self {
        self.guard.challenge = challenge;
        self
    }

    /// Adds `members` to the metadata; members that are `null` are removed.
    #[must_use]
    pub fn document_with(mut self, members: Value) -> Self {
        self.guard.document = members;
        self
    }

    /// Answers requests of this JSON-RPC method without a token.
    #[must_use]
    pub fn open(mut self, method: &str) -> Self {
        self.guard.open.push(method.to_owned());
        self
    }

    /// Serves the authorization server also on the upstream's origin, as its issuer. With [`Place::Nowhere`]
    /// and without documents, this is a server of 2025-03-26.
    #[must_use]
    pub fn same_origin(mut self) -> Self {
        self.guard.same_origin = true;
        self
    }

    /// Starts the upstream.
    pub async fn start(self) -> Protected {
        let guard = Arc::new(self.guard);
        let captured = guard.clone();
        let upstream = self.upstream.guarded(move |request| {
            let guard = captured.clone();
            async move { guard.reply(request).await }
        });
        let upstream = upstream.start().await;
        guard.state().memory().resources.push(upstream.url());
        guard.stands_at(upstream.raw.url_of(""), upstream.url());
        Protected { upstream, guard }
    }
}

/// A running protected upstream, stopped on drop.
pub struct Protected {
    upstream: Upstream,
    guard: Arc<Guard>,
}

impl Deref for Protected {
    type Target = Upstream;

    fn deref(&self) -> &Upstream {
        &self.upstream
    }
}

impl Endpoint for Protected {
    fn url(&self) -> String {
        self.upstream.url()
    }

    fn transport(&self) -> Option<&'static str> {
        self.upstream.transport()
    }
}

impl Protected {
    /// Returns the URL of the metadata.
    pub fn metadata_url(&self) -> String {
        self.guard.urls().metadata()
    }

    /// Returns the rejections so far: the status, and the rejected token or an empty string.
    pub fn refused(&self) -> Vec<(u16, String)> {
        self.guard.refused.lock().unwrap().clone()
    }

    /// Moves to another authorization server: the metadata names that server from now on, and only its
    /// tokens are accepted.
    pub fn move_to(&self, server: &Server) {
        let mut memory = server.state.memory();
        memory.resources.push(self.url());
        *self.guard.server.lock().unwrap() = (server.issuer(), server.state.clone());
    }
}
