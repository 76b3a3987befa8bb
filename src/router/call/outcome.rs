//! The outcome of an attempt to forward a request, and the next step that it requires.

use super::request::ClientRequest;
use super::suspended::SuspendedCall;
use super::upstream_call::UpstreamCall;
use crate::protocol::Era;
use crate::protocol::bridge::target::Target;
use crate::protocol::bridge::{self, input};
use crate::protocol::task::Task;
use crate::upstream::{TransportError, Upstream, UpstreamError};
use crate::wire::Message;
use crate::wire::outgoing::code;

/// The result of one attempt. The driver in `forward` applies it.
pub(crate) enum Step {
    /// The response, in the client's era.
    Done(Message),
    /// The upstream needs input, which this client can send only in another request.
    Suspend(Box<SuspendedCall>),
    /// A task for the proxy to follow, and the era of the upstream.
    FollowTask(Box<Task>, Era),
    /// The upstream rejected the call: the proxy has an old schema of the tool.
    StaleToolSchema,
}

/// The outcome of a request that was forwarded without an error.
pub(crate) enum Outcome {
    /// The response, in the client's era.
    Response(Message),
    /// A task for the proxy to follow, and the era of the upstream.
    TaskCreated(Box<Task>, Era),
    /// The upstream rejected the call: the proxy has an old schema of the tool.
    StaleToolSchema,
}

/// An attempt that failed.
pub(crate) struct AttemptFailed {
    pub(crate) error: UpstreamError,
    /// Whether the client has received a message about the request.
    pub(crate) client_notified: bool,
}

impl Step {
    /// Decides the next step for the client's request from the upstream's response.
    ///
    /// # Errors
    /// [`AttemptFailed`], if the response has no valid form for the client.
    pub(crate) fn from_response(
        request: &ClientRequest,
        target: &Target<'_>,
        upstream: &Upstream,
        call: &UpstreamCall,
        response: Message,
    ) -> Result<Self, AttemptFailed> {
        let (client, era) = (request.caller.era, call.connection.server_profile.era);
        // MCP 2026-07-28 § Streamable HTTP, Server Validation.
        if era == Era::Modern && response.error_code() == Some(code::HEADER_MISMATCH) {
            return Ok(Self::StaleToolSchema);
        }
        if let Some(task) = Task::created_for_proxy(&response, target.task_mode, era) {
            return Ok(Self::FollowTask(Box::new(task), era));
        }
        if (client, era) == (Era::Modern, Era::Legacy)
            && response.error_code() == Some(input::URL_ELICITATION_REQUIRED)
            && request.caller.profile.supports_elicitation(true)
            && input::supports_input(&target.method)
            && let Some(suspended) = SuspendedCall::from_refusal(request, &response)
        {
            return Ok(Self::Suspend(Box::new(suspended)));
        }
        let response = match target.modern_output && client == Era::Legacy {
            true => bridge::without_modern_output(response),
            false => response,
        };
        let response = bridge::response(response, &target.method, client, era);
        response.map(Self::Done).map_err(|reason| AttemptFailed {
            error: upstream.error(&target.method, TransportError::Malformed(reason)),
            client_notified: call.client_notified,
        })
    }
}

impl Outcome {
    /// Returns the response.
    ///
    /// # Errors
    /// [`UpstreamError`], if the upstream created a task for a request that cannot be a task, or rejected the
    /// `Mcp-Param-*` headers.
    pub(crate) fn into_response(
        self,
        target: &Target<'_>,
        upstream: &Upstream,
    ) -> Result<Message, UpstreamError> {
        match self {
            Self::Response(response) => Ok(response),
            Self::TaskCreated(..) => {
                let text =
                    "the server created a task for a request that cannot be a task".to_owned();
                Err(upstream.error(&target.method, TransportError::Malformed(text)))
            }
            Self::StaleToolSchema => {
                Err(upstream.error(&target.method, TransportError::HeaderMismatch))
            }
        }
    }
}
