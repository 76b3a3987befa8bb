//! Gets a modern upstream's input from a legacy client (MCP 2026-07-28 § Multi Round-Trip Requests).
//!
//! The client receives each input request as a request. Then the call is sent again with the answers.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::try_join_all;
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::server_requests::request_for_call;
use crate::protocol::bridge::input::{self, ELICITATION, InputRequired};
use crate::protocol::reply::error_response;
use crate::router::call::request::ClientRequest;
use crate::router::context::Context;
use crate::wire::Message;
use crate::wire::outgoing::code;
use crate::wire::splice::decode;

/// The maximum number of rounds of one call, to end a server's endless loop.
const MAX_ROUNDS: u32 = 32;

/// The delays after rounds without input requests. They double from the first to the maximum.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const MAX_DELAY: Duration = Duration::from_secs(5);

/// The rounds of a call so far.
#[derive(Debug, Default)]
pub(crate) struct MultiRoundTrip {
    rounds: u32,
    /// The number of successive rounds without input requests.
    rounds_without_requests: u32,
    input: Option<String>,
}

impl MultiRoundTrip {
    /// The members of the next request with the client's answers.
    pub(crate) fn input(&self) -> Option<&str> {
        self.input.as_deref()
    }

    /// Whether the upstream has required input at least once.
    pub(crate) fn has_begun(&self) -> bool {
        self.rounds > 0
    }

    /// Gets the input that the response requires from the client. Returns a response if the call must end with it.
    ///
    /// # Errors
    /// The reason why the input requests are invalid.
    pub(crate) async fn get_input(
        &mut self,
        ctx: &Context,
        request: &ClientRequest,
        response: &Message,
    ) -> Result<Option<Message>, String> {
        let required = InputRequired::read(response)?;
        self.rounds += 1;
        if self.rounds > MAX_ROUNDS {
            return Err(format!(
                "the server required input more than {MAX_ROUNDS} times"
            ));
        }
        if required.input_requests.is_empty() {
            let delay = FIRST_DELAY.saturating_mul(1 << self.rounds_without_requests.min(16));
            self.rounds_without_requests += 1;
            sleep(delay.min(MAX_DELAY)).await;
        } else {
            self.rounds_without_requests = 0;
        }
        match request_all(ctx, request, &required).await? {
            InputOutcome::Answers(input) => {
                self.input = Some(input);
                Ok(None)
            }
            InputOutcome::Refused(response) => Ok(Some(response)),
        }
    }
}

/// The outcome of sending input requests to the client.
pub(crate) enum InputOutcome {
    /// The members of the next request with the client's answers.
    Answers(String),
    /// A response that ends the call.
    Refused(Message),
}

/// Sends a legacy client the input requests of a result whose keys `is_new` accepts.
///
/// # Errors
/// The reason why the input requests are invalid.
pub(crate) async fn request_new_input(
    ctx: &Context,
    request: &ClientRequest,
    response: &Message,
    is_new: impl Fn(&str) -> bool,
) -> Result<InputOutcome, String> {
    let mut required = InputRequired::read(response)?;
    required
        .input_requests
        .retain(|(key, _)| decode(key).is_none_or(|key| is_new(&key)));
    request_all(ctx, request, &required).await
}

/// Sends the client all input requests at once. If the client answers one with an error, the others are cancelled
/// and the call ends with that error. For an elicitation, the upstream receives the result `cancel` instead.
async fn request_all(
    ctx: &Context,
    request: &ClientRequest,
    required: &InputRequired,
) -> Result<InputOutcome, String> {
    for (_, input_request) in &required.input_requests {
        if !request
            .caller
            .profile
            .supports_server_request(input_request)
        {
            let method = input_request.method();
            return Err(format!(
                "the server requested `{method}`, which the client did not declare"
            ));
        }
    }
    let requests = required
        .input_requests
        .iter()
        .map(|(key, input_request)| async move {
            let may_decline = input_request.method() == ELICITATION;
            let answer = request_one(ctx, input_request).await;
            match answer.as_ref().and_then(|answer| {
                let result = answer.result()?;
                Some(answer.bytes().slice_ref(result))
            }) {
                Some(result) => Ok((key.clone(), result)),
                None if may_decline => {
                    Ok((key.clone(), Bytes::from_static(input::CANCELLED_RESULT)))
                }
                None => Err(answer.unwrap_or_else(no_answer)),
            }
        });
    Ok(match try_join_all(requests).await {
        Ok(answers) => InputOutcome::Answers(required.retry_members(&answers)),
        Err(refusal) => InputOutcome::Refused(refusal),
    })
}

async fn request_one(ctx: &Context, input_request: &Message) -> Option<Message> {
    let pending = request_for_call(ctx, |id| input::to_server_request(input_request, id)).await?;
    let answer = timeout(ctx.gateway.limits.input_wait, pending.answer()).await;
    answer
        .inspect_err(|_| debug!(method = %input_request.method(), "the client did not answer"))
        .ok()?
}

/// The error response to a call whose client does not answer an input request.
fn no_answer() -> Message {
    error_response(
        code::INTERNAL_ERROR,
        "the client did not answer the server's request; raise PROXY_INPUT_WAIT if the client needs longer",
    )
}
