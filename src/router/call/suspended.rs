//! A call that waits for its client's input: its fingerprint, its open input requests, and what its upstream
//! sends meanwhile.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use tracing::debug;

use super::request::ClientRequest;
use super::upstream_call::{SentCall, UpstreamCall};
use crate::protocol::ClientProfile;
use crate::protocol::bridge::input;
use crate::protocol::json_key::is_same_key;
use crate::upstream::TransportError;
use crate::wire::outgoing::code;
use crate::wire::splice::{decode, last_member};
use crate::wire::{Line, Member, Message, MessageKind, members};

/// The parts that a request must repeat to resume a suspended call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RequestFingerprint {
    method: String,
    subject: String,
    arguments: Value,
}

impl RequestFingerprint {
    /// The subject of the request.
    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }

    pub(crate) fn new(request: &ClientRequest) -> Self {
        let arguments = request.original().param("arguments");
        Self {
            method: request.original().method().into_owned(),
            subject: request.subject.clone(),
            arguments: arguments
                .and_then(|member| serde_json::from_slice(member.value()).ok())
                .unwrap_or_default(),
        }
    }
}

/// A call that waits for its client's input.
#[derive(Debug)]
pub(crate) struct SuspendedCall {
    pub(crate) fingerprint: RequestFingerprint,
    /// The client's profile at the time of the request.
    pub(crate) client_profile: Arc<ClientProfile>,
    /// The call at the upstream. `None` if the upstream rejected the call, which is then sent again.
    pub(crate) call: Option<UpstreamCall>,
    pub(crate) input_requests: Vec<InputRequest>,
    input_request_count: usize,
    /// The number of the task that the call follows. The task is cancelled if the client does not resume the call.
    pub(crate) proxied_task: Option<u64>,
    /// Whether the user has declined an input request.
    pub(crate) is_declined: bool,
    /// The outcome of the call, if it ended while it was suspended.
    pub(crate) outcome: Option<Result<Message, TransportError>>,
}

/// One entry of the result's `inputRequests`.
#[derive(Debug)]
pub(crate) struct InputRequest {
    key: String,
    /// The request as the client receives it.
    text: Vec<u8>,
    /// The id of the upstream's request. `None` if the entry comes from an error of the upstream.
    id: Option<Bytes>,
    /// Whether the user may decline: the request is an elicitation.
    may_decline: bool,
}

impl InputRequest {
    /// Returns the response for the upstream if the client does not answer.
    pub(crate) fn unanswered(&self) -> Option<Bytes> {
        let id = self.id.as_ref()?;
        Some(match self.may_decline {
            true => input::input_response(id, Bytes::from_static(input::CANCELLED_RESULT)),
            false => {
                let text = "the client did not answer";
                Line::error(id, code::INTERNAL_ERROR, text, &Value::Null).into_bytes()
            }
        })
    }
}

impl SuspendedCall {
    /// Suspends a call in which the upstream has sent a server request.
    pub(crate) fn new(
        request: &ClientRequest,
        call: UpstreamCall,
        server_request: &Message,
    ) -> Self {
        let mut suspended = Self {
            proxied_task: request.proxied_task,
            ..Self::without_questions(request, Some(call))
        };
        suspended.add_input_request(server_request);
        suspended.stop_logs();
        suspended
    }

    /// Suspends a call that the upstream rejected until the user has visited its URLs. `None` if the error has no
    /// URL. If the user declines, the client receives the error.
    pub(crate) fn from_refusal(request: &ClientRequest, refusal: &Message) -> Option<Self> {
        let mut suspended = Self {
            outcome: Some(Ok(refusal.clone())),
            ..Self::without_questions(request, None)
        };
        for text in input::url_input_requests(refusal)
            .into_iter()
            .take(input::MAX_INPUT_REQUESTS)
        {
            suspended.push_input_request(text, None, true);
        }
        (!suspended.input_requests.is_empty()).then_some(suspended)
    }

    fn without_questions(request: &ClientRequest, call: Option<UpstreamCall>) -> Self {
        Self {
            fingerprint: RequestFingerprint::new(request),
            client_profile: request.caller.profile.clone(),
            call,
            input_requests: Vec::new(),
            input_request_count: 0,
            proxied_task: None,
            is_declined: false,
            outcome: None,
        }
    }

    /// Sets the task that the call follows.
    pub(crate) fn with_proxied_task(self, proxied_task: Option<u64>) -> Self {
        Self {
            proxied_task,
            ..self
        }
    }

    /// Ends the log demand of the call: the client's request ends here.
    pub(crate) fn stop_logs(&mut self) {
        if let Some(call) = &mut self.call {
            call.log_demand = None;
        }
    }

    /// Releases the concurrency permit of the call.
    pub(crate) fn release_permit(&mut self) {
        if let Some(call) = &mut self.call {
            call.permit = None;
        }
    }

    fn push_input_request(&mut self, text: Vec<u8>, id: Option<Bytes>, may_decline: bool) {
        self.input_request_count += 1;
        let key = format!("ask-{}", self.input_request_count);
        self.input_requests.push(InputRequest {
            key,
            text,
            id,
            may_decline,
        });
    }

    fn add_input_request(&mut self, server_request: &Message) {
        let may_decline = server_request.method() == input::ELICITATION;
        self.push_input_request(
            input::to_input_request(server_request),
            server_request.id(),
            may_decline,
        );
    }

    /// Returns `true` if the call has the maximum number of open input requests.
    pub(crate) fn is_full(&self) -> bool {
        self.input_requests.len() >= input::MAX_INPUT_REQUESTS
    }

    /// The connection of the call, and the call's id there.
    pub(crate) fn sent(&self) -> Option<SentCall> {
        let call = self.call.as_ref()?;
        Some((call.connection.clone(), call.upstream_id))
    }

    /// Handles a message that the upstream sends while the call is suspended. Progress and logs are dropped: the
    /// client's request has been answered.
    pub(crate) fn on_received(&mut self, received: Result<Message, TransportError>) {
        match received {
            // No failure: the call waits for the client, not for the upstream.
            Err(timeout) if timeout.is_timeout() => {}
            Err(error) => self.set_outcome(Err(error)),
            Ok(message) => match message.kind() {
                MessageKind::Response => self.set_outcome(Ok(message)),
                MessageKind::Request => self.add_input_request(&message),
                MessageKind::Notification if message.method() == "notifications/cancelled" => {
                    let id = message.param("requestId");
                    let is_cancelled = |id_of_request: &Bytes| {
                        id.as_ref()
                            .is_some_and(|id| is_same_key(id_of_request, id.value()))
                    };
                    self.input_requests.retain(|input_request| {
                        !input_request.id.as_ref().is_some_and(is_cancelled)
                    });
                }
                MessageKind::Notification => {
                    debug!(method = %message.method(), "dropping a notification for a suspended call");
                }
            },
        }
    }

    fn set_outcome(&mut self, outcome: Result<Message, TransportError>) {
        self.outcome = Some(outcome);
        if let Some(call) = &mut self.call {
            call.stop_inbox();
        }
    }

    /// Waits for the next message of the upstream. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Message, TransportError> {
        match &mut self.call {
            Some(call) if self.outcome.is_none() => call.next().await,
            _ => std::future::pending().await,
        }
    }

    /// Returns the result that sends the open input requests to the client, under this handle.
    pub(crate) fn input_required_result(&self, handle: &str) -> Bytes {
        let input_requests = self.input_requests.iter();
        input::input_required_result(input_requests.map(|it| (&*it.key, &*it.text)), handle)
    }

    /// Takes the client's answers out of its retry, each a result as written. Unanswered input requests stay open.
    /// Returns the responses for the upstream, each with its id.
    pub(crate) fn take_answers(&mut self, retry: &Message) -> Vec<(Bytes, Bytes)> {
        let responses = retry.param("inputResponses");
        let responses = responses.as_ref().map(Member::value).unwrap_or_default();
        let (mut responses_due, mut declined) = (Vec::new(), false);
        self.input_requests.retain(|input_request| {
            let Some(answer) = last_member(responses, &input_request.key) else {
                return true;
            };
            let result = retry.bytes().slice_ref(answer.value());
            let action = members(&result).find(|member| member.key() == "action");
            let accepts =
                |action: Member<'_>| decode(action.value()).is_some_and(|it| it == "accept");
            declined |= !action.is_none_or(accepts);
            responses_due.extend(
                input_request
                    .id
                    .as_ref()
                    .map(|id| (id.clone(), input::input_response(id, result.clone()))),
            );
            false
        });
        self.is_declined |= declined;
        responses_due
    }
}
