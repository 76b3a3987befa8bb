//! How an attempt to forward a request ended.

use crate::protocol::Era;
use crate::protocol::bridge::target::Target;
use crate::protocol::task::Task;
use crate::upstream::{TransportError, Upstream, UpstreamError};
use crate::wire::Message;

/// How a request ended that got an answer.
pub(crate) enum Answer {
    /// The response, in the client's era.
    Response(Message),
    /// A task that is ours to follow, of a server of this era.
    Task(Box<Task>, Era),
    /// The upstream refused it: the schema that we know is not the upstream's any more.
    Stale,
}

impl Answer {
    /// The response; a refusal of our headers is an error.
    pub(crate) fn response(
        self,
        target: &Target<'_>,
        upstream: &Upstream,
    ) -> Result<Message, UpstreamError> {
        match self {
            Self::Response(response) => Ok(response),
            Self::Task(..) => {
                let text = "it made a task of what can be none".to_owned();
                Err(upstream.error(&target.method, TransportError::Malformed(text)))
            }
            Self::Stale => Err(upstream.error(&target.method, TransportError::HeaderMismatch)),
        }
    }
}

/// An attempt that came to nothing.
pub(crate) struct Lost {
    pub(crate) error: UpstreamError,
    /// Whether the client has heard something of the request already.
    pub(crate) heard: bool,
}
