//! One request of the client on its way: to one upstream under an id of ours, and back under the
//! client's. What comes before its answer is followed by [`UnderWay`].

pub(crate) mod follow;
pub(crate) mod logs;
pub(crate) mod multi_round_trip;
pub(crate) mod notify;
pub(crate) mod proxied_task;
pub(crate) mod server_requests;
pub(crate) mod suspend;
pub(crate) mod suspended_guard;
pub(crate) mod task_visibility;

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use tracing::{Instrument, debug, debug_span};

use super::Router;
use super::call::outcome::{Answer, Lost};
use super::call::request::Relayed;
use super::call::suspended::Parked;
use super::client::in_flight::Refusal;
use crate::protocol::bridge;
use crate::protocol::bridge::input;
use crate::protocol::bridge::target::Target;
use crate::protocol::json_key::{Key, progress_token};
use crate::protocol::task::Task;

use crate::protocol::Era;
use crate::upstream::{self, TransportError, Upstream, UpstreamError, next_id};
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};
use follow::{Followed, UnderWay};
use multi_round_trip::Rounds;
use suspend::unknown_state;

impl Router {
    /// Answers a request by a task of its own: with the line that `answer` makes, unless the
    /// client cancels.
    pub(crate) async fn relay<F>(
        self: &Arc<Self>,
        message: Message,
        client: Era,
        subject: String,
        answer: impl FnOnce(Arc<Self>, Relayed) -> F + Send + 'static,
    ) where
        F: Future<Output = Line> + Send,
    {
        let Some(id) = message.id() else { return };
        let span = debug_span!("request", method = %message.method(), id = %String::from_utf8_lossy(&id), subject);
        let (key, token) = (Key::new(&id), progress_token(&message));
        let relayed = Relayed {
            id: id.clone(),
            subject,
            key: key.clone(),
            token: token.clone(),
            speaker: self.client.speaker(&message, client),
            original: None,
            errand: None,
            message,
            begun: Instant::now(),
        };
        let (router, ended) = (self.clone(), key.clone());
        let begun = self.inflight.begin(key, token.as_ref(), || {
            // Boxed before it is handed on, and `answer` called inside: what it makes is
            // kilobytes, and each hand would copy them.
            let task = Box::pin(async move {
                let line = answer(router.clone(), relayed).await;
                router.finish(&ended, line).await;
            });
            self.tasks.spawn(task.instrument(span)).abort_handle()
        });
        let (code, text) = match begun {
            Ok(()) => return,
            Err(Refusal::IdInUse) => (
                code::INVALID_REQUEST,
                "this id belongs to a request that is still running; use a new one".to_owned(),
            ),
            Err(Refusal::TooMany) => (
                upstream::code::BUSY,
                format!(
                    "{} requests are under way; wait for some of them, or raise PROXY_MAX_CALLS",
                    self.limits.max_calls
                ),
            ),
        };
        let data = json!({"outcome": "not run"});
        self.send(Line::error(&id, code, &text, &data)).await;
    }

    async fn finish(&self, ended: &Key, line: Line) {
        let Some(permit) = self.outbox.reserve(line.len()).await else {
            return;
        };
        // The request ends before its answer is queued: nothing of it can come after.
        if self.inflight.finish(ended) {
            permit.send(line);
        }
    }

    /// Sends a request and waits for its answer. It is sent a second time only when the connection
    /// broke under one that may be repeated, before anything was heard of it.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        request: &Relayed,
        target: &Target<'_>,
        upstream: &Upstream,
    ) -> Result<Answer, UpstreamError> {
        // Boxed here and below: what is large and hardly ever needed, as every call's task would be
        // as large.
        if request.is_special()
            && let Some(answer) = Box::pin(self.ask_specially(request, target, upstream)).await
        {
            return answer;
        }
        match self.attempt(request, target, upstream).await {
            Err(Lost { error, heard })
                if target.repeatable
                    && !heard
                    && !self.inflight.was_heard(request.token.as_ref())
                    && error.cause.is_interruption() =>
            {
                debug!(error = %error, "sending a repeatable request again");
                let again = Box::pin(self.attempt(request, target, upstream)).await;
                // The first attempt may have run, whatever kept the second one from it.
                again.map_err(|lost| {
                    debug!(error = %lost.error, "the second attempt failed as well");
                    error
                })
            }
            other => other.map_err(|lost| lost.error),
        }
    }

    /// Answers a request that is not to be sent as it is: a retry of one that is parked, or one that
    /// no legacy upstream would judge. `None` when it is to be sent.
    async fn ask_specially(
        self: &Arc<Self>,
        request: &Relayed,
        target: &Target<'_>,
        upstream: &Upstream,
    ) -> Option<Result<Answer, UpstreamError>> {
        if let Some(refusal) = self.refuse_level(request, upstream).await {
            return Some(Ok(Answer::Response(refusal)));
        }
        // Of another's handle its own upstream knows more.
        let handle = request.parked_under();
        let held = handle.and_then(|handle| Some((self.parking.holds(&handle)?, handle)));
        if let Some((holder, handle)) = held {
            // By name: the configuration of its upstream may have changed meanwhile.
            if holder.config().name != upstream.config().name {
                return Some(Ok(Answer::Response(unknown_state())));
            }
            let resumed = self.resume(request, target, &holder, &handle).await;
            return Some(resumed.map_err(|lost| lost.error));
        }
        let refusal = self.refuse_foreign_state(request, upstream).await?;
        Some(Ok(Answer::Response(refusal)))
    }

    /// Sends the request and follows it to its response. What the upstream asks meanwhile, the client
    /// is asked, in the way of its era.
    pub(crate) async fn attempt(
        self: &Arc<Self>,
        request: &Relayed,
        target: &Target<'_>,
        upstream: &Upstream,
    ) -> Result<Answer, Lost> {
        let mut rounds = Rounds::default();
        loop {
            let input = rounds.input();
            // What was answered cannot be asked again.
            let lost = |lost: Lost| Lost {
                heard: lost.heard || rounds.any(),
                ..lost
            };
            let sent = self.send_to(request, target, upstream, input).await;
            let mut way = sent.map_err(lost)?;
            let answer = self.follow(request, target, upstream, &mut way).await;
            let response = match answer.map_err(lost)? {
                Followed::Response(response) => response,
                Followed::Asked(ask) => {
                    let parked = Parked::asked(request, way, &ask);
                    return Ok(self.park(request, upstream, parked));
                }
            };
            let is_asked_by_requests =
                (request.speaker.era, way.live.profile.era) == (Era::Legacy, Era::Modern);
            let requires_input = is_asked_by_requests
                && input::is_supported(&target.method)
                && input::is_required(&response);
            if !requires_input {
                return self.end(request, target, upstream, &way, response);
            }
            // The exchange is over; the next one has an id of its own.
            drop(way);
            if let Some(refusal) = Box::pin(rounds.next(self, request, &response))
                .await
                .map_err(|reason| Lost {
                    error: upstream.error(&target.method, TransportError::Malformed(reason)),
                    heard: true,
                })?
            {
                return Ok(Answer::Response(refusal));
            }
        }
    }

    async fn send_to(
        &self,
        request: &Relayed,
        target: &Target<'_>,
        upstream: &Upstream,
        input: Option<&str>,
    ) -> Result<UnderWay, Lost> {
        let speaker = &request.speaker;
        let (method, identity) = (&target.method, &speaker.identity);
        let sent = upstream.call(method, identity, request.level(), |live, activity| {
            let (id, message) = (next_id(), &request.message);
            let sent = bridge::request(id, message, target, speaker, &live.profile, input);
            debug!(
                upstream = %upstream.config().name,
                serial = sent.id,
                bytes = sent.body.len(),
                "forwarding"
            );
            self.inflight.sent(&request.key, live, sent.id);
            if request.token.is_some() {
                self.inflight.shows_life_by(&request.key, activity);
            }
            sent
        });
        let sent = sent.await.map_err(|error| Lost {
            error,
            heard: false,
        })?;
        Ok(UnderWay::new(request, upstream, sent))
    }

    /// What the client gets for a response.
    pub(crate) fn end(
        self: &Arc<Self>,
        request: &Relayed,
        target: &Target<'_>,
        upstream: &Upstream,
        way: &UnderWay,
        response: Message,
    ) -> Result<Answer, Lost> {
        let (client, era) = (request.speaker.era, way.live.profile.era);
        // MCP 2026-07-28 § Streamable HTTP, Server Validation.
        if era == Era::Modern && response.error_code() == Some(code::HEADER_MISMATCH) {
            return Ok(Answer::Stale);
        }
        if let Some(task) = Task::ours(&response, target.as_task, era) {
            return Ok(Answer::Task(Box::new(task), era));
        }
        if (client, era) == (Era::Modern, Era::Legacy)
            && response.error_code() == Some(input::URL_ELICITATION_REQUIRED)
            && request.speaker.identity.can_elicit(true)
            && input::is_supported(&target.method)
            && let Some(parked) = Parked::refused(request, &response)
        {
            return Ok(self.park(request, upstream, parked));
        }
        let response = match target.modern_output && client == Era::Legacy {
            true => bridge::without_modern_output(response),
            false => response,
        };
        let response = bridge::response(response, &target.method, client, era);
        response.map(Answer::Response).map_err(|reason| Lost {
            error: upstream.error(&target.method, TransportError::Malformed(reason)),
            heard: way.heard,
        })
    }
}
