//! A scripted upstream behind bearer tokens, and what it says of that (RFC 9728, RFC 6750).

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::Value;

use super::Server;
use super::guard::Guard;
use super::params::{Scopes, scopes};
use crate::Endpoint;
use crate::upstream::{self, Upstream};

/// Where the resource's metadata is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    /// The well-known part, then the path of the upstream.
    Path,
    /// The well-known part alone.
    Root,
    /// Where only the challenge leads.
    Hidden,
    /// Nowhere.
    Nowhere,
}

/// What stands in `WWW-Authenticate` beside a 401.
#[derive(Clone, Debug, PartialEq)]
pub enum Challenge {
    /// Where the metadata is, and the scopes that are needed.
    Full,
    /// No word of the metadata.
    WithoutMetadata,
    /// No such header.
    Missing,
    /// This, `{metadata}` standing for where the metadata is.
    Text(String),
}

/// An upstream that is to be protected; by default with [`Place::Path`] and [`Challenge::Full`].
pub struct Protection {
    upstream: upstream::Builder,
    guard: Guard,
}

/// Puts an upstream behind the tokens of `server`.
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
    /// Asks for these scopes on every request.
    #[must_use]
    pub fn scopes(mut self, list: &str) -> Self {
        self.guard.scopes = scopes(list);
        self
    }

    /// Asks for these scopes on calls of this tool, with 403 if they are lacking.
    #[must_use]
    pub fn tool_scopes(mut self, tool: &str, list: &str) -> Self {
        let tools = &mut self.guard.tool_scopes;
        tools.insert(tool.to_owned(), scopes(list));
        self
    }

    /// Serves the metadata at this place alone.
    #[must_use]
    pub fn place(mut self, place: Place) -> Self {
        self.guard.place = place;
        self
    }

    /// Says this beside a 401.
    #[must_use]
    pub fn challenge(mut self, challenge: Challenge) -> Self {
        self.guard.challenge = challenge;
        self
    }

    /// Puts the members of `members` into the metadata; those that are `null` leave it.
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

    /// Has the authorization server answer on the upstream's own origin too, as its issuer.
    /// With [`Place::Nowhere`] and without documents, this is a server of 2025-03-26.
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

/// A running upstream behind tokens; it ends when dropped.
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
    /// The URL of its metadata.
    pub fn metadata_url(&self) -> String {
        self.guard.urls().metadata()
    }

    /// The refusals so far: the status, and the token that was refused or an empty string.
    pub fn refused(&self) -> Vec<(u16, String)> {
        self.guard.refused.lock().unwrap().clone()
    }

    /// Moves to another authorization server: its metadata names that one from now on, and only
    /// its tokens are good.
    pub fn move_to(&self, server: &Server) {
        let mut memory = server.state.memory();
        memory.resources.push(self.url());
        *self.guard.server.lock().unwrap() = (server.issuer(), server.state.clone());
    }
}
