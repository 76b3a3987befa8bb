//! One call that waits for its client: what it was for, what it wants to know, and what its upstream
//! says meanwhile.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use tracing::debug;

use super::request::Relayed;
use crate::protocol::ClientProfile;
use crate::protocol::bridge::input;
use crate::protocol::json_key::is_same;
use crate::router::client::in_flight::Sent;
use crate::router::forward::follow::UnderWay;
use crate::upstream::TransportError;
use crate::wire::outgoing::code;
use crate::wire::splice::{decode, last};
use crate::wire::{Kind, Line, Member, Message, members};

/// What a call was for, by which it is known again.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Purpose {
    method: String,
    subject: String,
    arguments: Value,
}

impl Purpose {
    /// What the call is about.
    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }

    pub(crate) fn of(request: &Relayed) -> Self {
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
pub(crate) struct Parked {
    pub(crate) purpose: Purpose,
    /// Who made it.
    pub(crate) identity: Arc<ClientProfile>,
    /// The call itself; `None` when the upstream has refused it and it is to be made anew.
    pub(crate) way: Option<UnderWay>,
    pub(crate) questions: Vec<Question>,
    asked: usize,
    /// The task that it follows, if any: to be cancelled when the client does not come back.
    pub(crate) errand: Option<u64>,
    /// Whether the person has not gone along with something.
    pub(crate) declined: bool,
    /// How it ended meanwhile.
    pub(crate) ended: Option<Result<Message, TransportError>>,
}

/// What a call wants to know.
#[derive(Debug)]
pub(crate) struct Question {
    key: String,
    /// The request as the client sees it.
    text: Vec<u8>,
    /// The upstream's id of it; `None` where it is no request of its own.
    id: Option<Bytes>,
    /// Whether it goes to a person, who may leave it.
    may_decline: bool,
}

impl Question {
    /// What the upstream gets when nobody answers.
    pub(crate) fn unanswered(&self) -> Option<Bytes> {
        let id = self.id.as_ref()?;
        Some(match self.may_decline {
            true => input::response(id, Bytes::from_static(input::NO_ANSWER)),
            false => {
                let text = "the client did not answer";
                Line::error(id, code::INTERNAL_ERROR, text, &Value::Null).into_bytes()
            }
        })
    }
}

impl Parked {
    /// A call in which the upstream has asked something.
    pub(crate) fn asked(request: &Relayed, way: UnderWay, ask: &Message) -> Self {
        let mut parked = Self {
            purpose: Purpose::of(request),
            identity: request.speaker.identity.clone(),
            way: Some(way),
            questions: Vec::new(),
            asked: 0,
            errand: request.errand,
            declined: false,
            ended: None,
        };
        parked.note(ask);
        parked.hush();
        parked
    }

    /// The same, which follows this task.
    pub(crate) fn with_errand(self, errand: Option<u64>) -> Self {
        Self { errand, ..self }
    }

    /// The client's request ends here, and its logs with it.
    pub(crate) fn hush(&mut self) {
        if let Some(way) = &mut self.way {
            way.logs = None;
        }
    }

    /// A call that the upstream has refused until a person has visited its URLs; `None` when it
    /// names none. The refusal is what the client gets if the person does not.
    pub(crate) fn refused(request: &Relayed, refusal: &Message) -> Option<Self> {
        let mut parked = Self {
            purpose: Purpose::of(request),
            identity: request.speaker.identity.clone(),
            way: None,
            questions: Vec::new(),
            asked: 0,
            errand: None,
            declined: false,
            ended: Some(Ok(refusal.clone())),
        };
        for text in input::url_questions(refusal)
            .into_iter()
            .take(input::MAX_QUESTIONS)
        {
            parked.ask(text, None, true);
        }
        (!parked.questions.is_empty()).then_some(parked)
    }

    fn ask(&mut self, text: Vec<u8>, id: Option<Bytes>, may_decline: bool) {
        self.asked += 1;
        let key = format!("ask-{}", self.asked);
        self.questions.push(Question {
            key,
            text,
            id,
            may_decline,
        });
    }

    fn note(&mut self, ask: &Message) {
        let may_decline = ask.method() == input::ELICITATION;
        self.ask(input::question(ask), ask.id(), may_decline);
    }

    /// Whether it asks as much as a call may.
    pub(crate) fn is_full(&self) -> bool {
        self.questions.len() >= input::MAX_QUESTIONS
    }

    pub(crate) fn sent(&self) -> Option<Sent> {
        let way = self.way.as_ref()?;
        Some((way.live.clone(), way.serial))
    }

    /// Takes what the upstream says while nobody waits for it. Of progress and logs there is nobody
    /// to tell: the client's request has been answered.
    pub(crate) fn take(&mut self, said: Result<Message, TransportError>) {
        match said {
            // It is the client who is waited for.
            Err(silence) if silence.is_timeout() => {}
            Err(lost) => self.end(Err(lost)),
            Ok(message) => match message.kind() {
                Kind::Response => self.end(Ok(message)),
                Kind::Request => self.note(&message),
                Kind::Notification if message.method() == "notifications/cancelled" => {
                    let id = message.param("requestId");
                    let is_it =
                        |asked: &Bytes| id.as_ref().is_some_and(|id| is_same(asked, id.value()));
                    self.questions
                        .retain(|question| !question.id.as_ref().is_some_and(is_it));
                }
                Kind::Notification => {
                    debug!(method = %message.method(), "dropped: the call is parked");
                }
            },
        }
    }

    fn end(&mut self, end: Result<Message, TransportError>) {
        self.ended = Some(end);
        if let Some(way) = &mut self.way {
            way.has_ended();
        }
    }

    pub(crate) async fn next(&mut self) -> Result<Message, TransportError> {
        match &mut self.way {
            Some(way) if self.ended.is_none() => way.next().await,
            _ => std::future::pending().await,
        }
    }

    /// The result that asks the client, under this handle.
    pub(crate) fn result(&self, handle: &str) -> Bytes {
        let questions = self.questions.iter();
        input::required(questions.map(|it| (&*it.key, &*it.text)), handle)
    }

    /// Takes the client's answers, each a result as written. What it did not answer remains. The
    /// responses that the upstream is due come back, each with its id.
    pub(crate) fn answer(&mut self, retry: &Message) -> Vec<(Bytes, Bytes)> {
        let responses = retry.param("inputResponses");
        let responses = responses.as_ref().map(Member::value).unwrap_or_default();
        let (mut due, mut declined) = (Vec::new(), false);
        self.questions.retain(|question| {
            let Some(answer) = last(responses, &question.key) else {
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
                    .map(|id| (id.clone(), input::response(id, result.clone()))),
            );
            false
        });
        self.declined |= declined;
        due
    }
}
