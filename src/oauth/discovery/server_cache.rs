//! The discovered authorization server, cached beside the tokens: a start with stored tokens needs
//! no discovery.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::metadata::{AuthorizationServer, ProtectedResource};
use super::{Discovered, MetadataSource};
use crate::config::ServerUrl;
use crate::oauth::address::Issuer;

/// The documents in `metadata.json`. They are checked again when they are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::oauth) struct CachedServer {
    /// The authorization server's issuer.
    pub(in crate::oauth) issuer: String,
    /// The resource to request tokens for.
    resource: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    protected_resource: Option<Value>,
    authorization_server: Value,
}

impl CachedServer {
    /// Makes a cache entry; `None` if serialization fails, which does not happen.
    pub(in crate::oauth) fn from_discovered(discovered: &Discovered) -> Option<Self> {
        let protected_resource = discovered.protected_resource.as_ref();
        let protected_resource = protected_resource.map(serde_json::to_value).transpose();
        Some(Self {
            issuer: discovered.authorization_server.issuer.as_str().to_owned(),
            resource: discovered.resource.clone(),
            protected_resource: protected_resource.ok()?,
            authorization_server: serde_json::to_value(&discovered.authorization_server).ok()?,
        })
    }

    /// Returns the discovered server, if it still passes every check.
    pub(in crate::oauth) fn to_discovered(&self, upstream: &ServerUrl) -> Option<Discovered> {
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
            source: MetadataSource::Published,
        })
    }
}
