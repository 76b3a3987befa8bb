//! How an attempt to forward a request ended, and what its response makes of the request.

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

/// What one attempt has come to. The driver acts on it.
pub(crate) enum Step {
    /// The response, in the client's era.
    Done(Message),
    /// The upstream needs input, which this client can give only in another request.
    Suspend(Box<SuspendedCall>),
    /// A task that the proxy is to follow, of a server of this era.
    FollowTask(Box<Task>, Era),
    /// The upstream refused the call: the known schema of the tool is out of date.
    StaleToolSchema,
}

/// How a request ended that got an answer.
pub(crate) enum Outcome {
    /// The response, in the client's era.
    Response(Message),
    /// A task that the proxy is to follow, of a server of this era.
    TaskCreated(Box<Task>, Era),
    /// The upstream refused the call: the known schema of the tool is out of date.
    StaleToolSchema,
}

/// An attempt that failed.
pub(crate) struct AttemptFailed {
    pub(crate) error: UpstreamError,
    /// Whether the client has received something of the request already.
    pub(crate) client_notified: bool,
}

impl Step {
    /// Decides what the response of an upstream means for the client's request.
    ///
    /// # Errors
    /// [`AttemptFailed`], if the client cannot take the response.
    pub(crate) fn from_response(
        request: &ClientRequest,
        target: &Target<'_>,
        upstream: &Upstream,
        call: &UpstreamCall,
        response: Message,
    ) -> Result<Self, AttemptFailed> {
        let (client, era) = (request.caller.era, call.connection.profile.era);
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
    /// [`UpstreamError`], if the upstream created a task of what can be none, or refused our headers.
    pub(crate) fn into_response(
        self,
        target: &Target<'_>,
        upstream: &Upstream,
    ) -> Result<Message, UpstreamError> {
        match self {
            Self::Response(response) => Ok(response),
            Self::TaskCreated(..) => {
                let text = "it made a task of what can be none".to_owned();
                Err(upstream.error(&target.method, TransportError::Malformed(text)))
            }
            Self::StaleToolSchema => {
                Err(upstream.error(&target.method, TransportError::HeaderMismatch))
            }
        }
    }
}
