//! A call that waits for its client: the request that it belongs to, its open questions, and what its
//! upstream sends meanwhile.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use tracing::debug;

use super::request::ClientRequest;
use super::upstream_call::{Sent, UpstreamCall};
use crate::protocol::ClientProfile;
use crate::protocol::bridge::input;
use crate::protocol::json_key::is_same_key;
use crate::upstream::TransportError;
use crate::wire::outgoing::code;
use crate::wire::splice::{decode, last_member};
use crate::wire::{Line, Member, Message, MessageKind, members};

/// What a request must repeat to resume the call of another.
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

    pub(crate) fn of(request: &ClientRequest) -> Self {
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

/// A call that waits for its client.
#[derive(Debug)]
pub(crate) struct SuspendedCall {
    pub(crate) fingerprint: RequestFingerprint,
    /// The client's profile at the time of the request.
    pub(crate) identity: Arc<ClientProfile>,
    /// The call itself; `None` if the upstream has refused it and it is to be sent again.
    pub(crate) call: Option<UpstreamCall>,
    pub(crate) questions: Vec<Question>,
    asked: usize,
    /// The task that the call follows, if any: it is cancelled if the client does not come back.
    pub(crate) proxied_task: Option<u64>,
    /// Whether the person has declined something.
    pub(crate) declined: bool,
    /// How the call ended while it was suspended.
    pub(crate) ended: Option<Result<Message, TransportError>>,
}

/// Something that a call asks.
#[derive(Debug)]
pub(crate) struct Question {
    key: String,
    /// The request as the client receives it.
    text: Vec<u8>,
    /// The id of the upstream's request; `None` if the upstream sent no request of its own.
    id: Option<Bytes>,
    /// Whether a person answers, who may decline.
    may_decline: bool,
}

impl Question {
    /// The response for the upstream if the client does not answer.
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
    /// Suspends a call in which the upstream has asked something.
    pub(crate) fn new(request: &ClientRequest, call: UpstreamCall, question: &Message) -> Self {
        let mut suspended = Self {
            proxied_task: request.proxied_task,
            ..Self::without_questions(request, Some(call))
        };
        suspended.add_question(question);
        suspended.stop_logs();
        suspended
    }

    /// Suspends a call that the upstream has refused until a person has visited its URLs; `None` if
    /// the refusal names no URL. The client gets the refusal if the person declines.
    pub(crate) fn refused(request: &ClientRequest, refusal: &Message) -> Option<Self> {
        let mut suspended = Self {
            ended: Some(Ok(refusal.clone())),
            ..Self::without_questions(request, None)
        };
        for text in input::url_input_requests(refusal)
            .into_iter()
            .take(input::MAX_INPUT_REQUESTS)
        {
            suspended.add(text, None, true);
        }
        (!suspended.questions.is_empty()).then_some(suspended)
    }

    fn without_questions(request: &ClientRequest, call: Option<UpstreamCall>) -> Self {
        Self {
            fingerprint: RequestFingerprint::of(request),
            identity: request.caller.profile.clone(),
            call,
            questions: Vec::new(),
            asked: 0,
            proxied_task: None,
            declined: false,
            ended: None,
        }
    }

    /// Returns the same call, which follows this task.
    pub(crate) fn with_proxied_task(self, proxied_task: Option<u64>) -> Self {
        Self {
            proxied_task,
            ..self
        }
    }

    /// Ends the logs of the call: the client's request ends here.
    pub(crate) fn stop_logs(&mut self) {
        if let Some(call) = &mut self.call {
            call.logs = None;
        }
    }

    /// Releases the concurrency permit of the call.
    pub(crate) fn release_permit(&mut self) {
        if let Some(call) = &mut self.call {
            call.permit = None;
        }
    }

    fn add(&mut self, text: Vec<u8>, id: Option<Bytes>, may_decline: bool) {
        self.asked += 1;
        let key = format!("ask-{}", self.asked);
        self.questions.push(Question {
            key,
            text,
            id,
            may_decline,
        });
    }

    fn add_question(&mut self, question: &Message) {
        let may_decline = question.method() == input::ELICITATION;
        self.add(
            input::to_input_request(question),
            question.id(),
            may_decline,
        );
    }

    /// Whether the call has as many open questions as it may have.
    pub(crate) fn is_full(&self) -> bool {
        self.questions.len() >= input::MAX_INPUT_REQUESTS
    }

    /// The connection of the call, and its id there.
    pub(crate) fn sent(&self) -> Option<Sent> {
        let call = self.call.as_ref()?;
        Some((call.connection.clone(), call.upstream_id))
    }

    /// Takes what the upstream sends meanwhile. Progress and logs are dropped: the client's request has
    /// been answered.
    pub(crate) fn take(&mut self, said: Result<Message, TransportError>) {
        match said {
            // The call waits for the client, not for the upstream.
            Err(silence) if silence.is_timeout() => {}
            Err(lost) => self.end(Err(lost)),
            Ok(message) => match message.kind() {
                MessageKind::Response => self.end(Ok(message)),
                MessageKind::Request => self.add_question(&message),
                MessageKind::Notification if message.method() == "notifications/cancelled" => {
                    let id = message.param("requestId");
                    let is_it = |asked: &Bytes| {
                        id.as_ref().is_some_and(|id| is_same_key(asked, id.value()))
                    };
                    self.questions
                        .retain(|question| !question.id.as_ref().is_some_and(is_it));
                }
                MessageKind::Notification => {
                    debug!(method = %message.method(), "dropped: the call is parked");
                }
            },
        }
    }

    fn end(&mut self, end: Result<Message, TransportError>) {
        self.ended = Some(end);
        if let Some(call) = &mut self.call {
            call.stop_inbox();
        }
    }

    /// Waits for the next message of the upstream. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Message, TransportError> {
        match &mut self.call {
            Some(call) if self.ended.is_none() => call.next().await,
            _ => std::future::pending().await,
        }
    }

    /// The result that puts the open questions to the client, under this handle.
    pub(crate) fn result(&self, handle: &str) -> Bytes {
        let questions = self.questions.iter();
        input::input_required_result(questions.map(|it| (&*it.key, &*it.text)), handle)
    }

    /// Takes the client's answers, each a result as written; unanswered questions remain. Returns the
    /// responses for the upstream, each with its id.
    pub(crate) fn answer(&mut self, retry: &Message) -> Vec<(Bytes, Bytes)> {
        let responses = retry.param("inputResponses");
        let responses = responses.as_ref().map(Member::value).unwrap_or_default();
        let (mut due, mut declined) = (Vec::new(), false);
        self.questions.retain(|question| {
            let Some(answer) = last_member(responses, &question.key) else {
                return true;
            };
            let result = retry.bytes().slice_ref(answer.value());
            let action = members(&result).find(|member| member.key() == "action");
            let accepts =
                |action: Member<'_>| decode(action.value()).is_some_and(|it| it == "accept");
            declined |= !action.is_none_or(accepts);
            due.extend(
                question
                    .id
                    .as_ref()
                    .map(|id| (id.clone(), input::input_response(id, result.clone()))),
            );
            false
        });
        self.declined |= declined;
        due
    }
}
