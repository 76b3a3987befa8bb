//! A call of a legacy client at a modern upstream that requires input: the client is asked by requests,
//! and the call is sent again with its answers (MCP 2026-07-28 § Multi Round-Trip Requests).

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::try_join_all;
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::server_requests::ask_for_call;
use crate::protocol::bridge::input::{self, ELICITATION, Required};
use crate::protocol::reply::failure;
use crate::router::call::request::ClientRequest;
use crate::router::context::Context;
use crate::wire::Message;
use crate::wire::outgoing::code;
use crate::wire::splice::decode;

/// How often one call may be made again: a server that asks on and on is taken for a loop.
const MAX_ROUNDS: u32 = 32;

/// The pauses before a call is made again that nobody was asked for: doubling from the first.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// The rounds of a call so far.
#[derive(Debug, Default)]
pub(crate) struct MultiRoundTrip {
    made: u32,
    /// How many times in a row nobody was asked.
    idle: u32,
    input: Option<String>,
}

impl MultiRoundTrip {
    /// The members that the next request carries.
    pub(crate) fn input(&self) -> Option<&str> {
        self.input.as_deref()
    }

    /// Whether the upstream has wanted input at all.
    pub(crate) fn any(&self) -> bool {
        self.made > 0
    }

    /// Gets what the upstream wants. A response comes back when the call is to end with it.
    ///
    /// # Errors
    /// What is wrong with what it wants.
    pub(crate) async fn next(
        &mut self,
        ctx: &Context,
        request: &ClientRequest,
        response: &Message,
    ) -> Result<Option<Message>, String> {
        let required = Required::read(response)?;
        self.made += 1;
        if self.made > MAX_ROUNDS {
            return Err(format!("it asked for more input {MAX_ROUNDS} times"));
        }
        if required.questions.is_empty() {
            let pause = FIRST_PAUSE.saturating_mul(1 << self.idle.min(16));
            self.idle += 1;
            sleep(pause.min(LAST_PAUSE)).await;
        } else {
            self.idle = 0;
        }
        match ask_all(ctx, request, &required).await? {
            Asked::Answered(input) => {
                self.input = Some(input);
                Ok(None)
            }
            Asked::Refused(response) => Ok(Some(response)),
        }
    }
}

/// What came of asking the client.
pub(crate) enum Asked {
    /// The members that bring its answers to the upstream.
    Answered(String),
    /// A response that ends the call.
    Refused(Message),
}

/// Asks a legacy client what a result requires under the keys that `is_new` accepts.
///
/// # Errors
/// What is wrong with what it requires.
pub(crate) async fn ask_for_input(
    ctx: &Context,
    request: &ClientRequest,
    response: &Message,
    is_new: impl Fn(&str) -> bool,
) -> Result<Asked, String> {
    let mut required = Required::read(response)?;
    required
        .questions
        .retain(|(key, _)| decode(key).is_none_or(|key| is_new(&key)));
    ask_all(ctx, request, &required).await
}

/// Asks the client everything at once. An error that it answers with ends the call, and takes back
/// what else was asked; but for a person's, who may decline: for that the upstream has a result.
async fn ask_all(
    ctx: &Context,
    request: &ClientRequest,
    required: &Required,
) -> Result<Asked, String> {
    for (_, question) in &required.questions {
        if !request.caller.identity.can_answer(question) {
            let method = question.method();
            return Err(format!(
                "it asked for `{method}`, which the client did not declare"
            ));
        }
    }
    let asking = required.questions.iter().map(|(key, question)| async move {
        let may_decline = question.method() == ELICITATION;
        let answer = ask(ctx, question).await;
        match answer.as_ref().and_then(|answer| {
            let result = answer.result()?;
            Some(answer.bytes().slice_ref(result))
        }) {
            Some(result) => Ok((key.clone(), result)),
            None if may_decline => Ok((key.clone(), Bytes::from_static(input::NO_ANSWER))),
            None => Err(answer.unwrap_or_else(unanswered)),
        }
    });
    Ok(match try_join_all(asking).await {
        Ok(answers) => Asked::Answered(required.retry(&answers)),
        Err(refusal) => Asked::Refused(refusal),
    })
}

async fn ask(ctx: &Context, question: &Message) -> Option<Message> {
    let pending = ask_for_call(ctx, |id| input::request(question, id)).await?;
    let answer = timeout(ctx.gateway.limits.input_wait, pending.answer()).await;
    answer
        .inspect_err(|_| debug!(method = %question.method(), "the client did not answer"))
        .ok()?
}

/// The response that ends a call whose client does not answer.
fn unanswered() -> Message {
    failure(
        code::INTERNAL_ERROR,
        "the client did not answer what the server asked; raise PROXY_INPUT_WAIT if it needs longer",
    )
}
