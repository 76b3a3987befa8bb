//! What was found out about an upstream's authorization server, kept beside its tokens, so that
//! a start with stored tokens asks nobody for it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::metadata::{AuthorizationServer, ProtectedResource};
use super::{Discovered, Source};
use crate::config::ServerUrl;
use crate::oauth::address::Issuer;

/// The documents as `metadata.json` holds them. They are checked anew when they are used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::oauth) struct CachedServer {
    /// The authorization server.
    pub(in crate::oauth) issuer: String,
    /// What tokens are asked for.
    resource: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    protected_resource: Option<Value>,
    authorization_server: Value,
}

impl CachedServer {
    /// What to keep; none when it cannot be written, which it always can.
    pub(in crate::oauth) fn of(found: &Discovered) -> Option<Self> {
        let protected_resource = found.protected_resource.as_ref();
        let protected_resource = protected_resource.map(serde_json::to_value).transpose();
        Some(Self {
            issuer: found.authorization_server.issuer.as_str().to_owned(),
            resource: found.resource.clone(),
            protected_resource: protected_resource.ok()?,
            authorization_server: serde_json::to_value(&found.authorization_server).ok()?,
        })
    }

    /// What was found, if it still passes every check.
    pub(in crate::oauth) fn read(&self, upstream: &ServerUrl) -> Option<Discovered> {
        let issuer = Issuer::parse("issuer", &self.issuer, upstream).ok()?;
        let server = self.authorization_server.to_string();
        let server = AuthorizationServer::parse(server.as_bytes(), &issuer, upstream).ok()?;
        let resource = self
            .protected_resource
            .as_ref()
            .map(|document| ProtectedResource::parse(document.to_string().as_bytes(), upstream));
        Some(Discovered {
            resource: self.resource.clone(),
            protected_resource: resource.transpose().ok()?,
            authorization_server: server,
            source: Source::Published,
        })
    }
}
