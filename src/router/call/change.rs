//! Changes that upstreams announce and clients can subscribe to.

use crate::upstream::UpstreamId;
use crate::wire::Message;
use crate::wire::splice::decode;

/// A change at an upstream.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// The list of tools.
    Tools,
    /// The list of prompts.
    Prompts,
    /// The lists of resources and templates.
    Resources,
    /// The content of one resource.
    ResourceUpdated {
        /// The upstream that has the resource.
        upstream: UpstreamId,
        /// The resource's URI.
        uri: String,
    },
}

impl Change {
    /// Reads an upstream's notification. `None` if the notification announces no change.
    pub(crate) fn read(upstream: UpstreamId, message: &Message) -> Option<Self> {
        Some(match &*message.method() {
            "notifications/tools/list_changed" => Self::Tools,
            "notifications/prompts/list_changed" => Self::Prompts,
            "notifications/resources/list_changed" => Self::Resources,
            "notifications/resources/updated" => {
                let uri = message.param("uri");
                let uri = uri.and_then(|uri| decode(uri.value()).map(Into::into));
                Self::ResourceUpdated {
                    upstream,
                    // No client can subscribe to an empty URI.
                    uri: uri.unwrap_or_default(),
                }
            }
            _ => return None,
        })
    }
}
