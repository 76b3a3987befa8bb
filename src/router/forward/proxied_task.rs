//! Following a task to its end in the client's place: look, wait, look again, and answer the call
//! with what came of it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tracing::debug;

use super::forward;
use super::multi_round_trip::{Asked, ask_for_input};
use crate::protocol::Era;
use crate::protocol::bridge;
use crate::protocol::bridge::input;
use crate::protocol::bridge::target::Target;
use crate::protocol::task::{Task, TaskStatus};
use crate::protocol::tasks_extension;
use crate::router::call::request::ClientRequest;
use crate::router::context::Context;
use crate::upstream::{TransportError, Upstream, UpstreamError};
use crate::wire::Message;
use crate::wire::splice::last_member;

/// How long an upstream may be away before the call fails. The task lives at the server meanwhile.
const PATIENCE: Duration = Duration::from_secs(300);

/// The longest pause between two looks while the upstream is away: it should be noticed when it is back.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What a look at a task has shown.
enum Seen {
    /// It goes on.
    Task(Task),
    /// It has ended, with this answer to the call.
    Answer(Message),
    /// It goes on, and the call ends with this: the client refuses what the task asks.
    Refusal(Message),
}

/// A task, and for whom it is followed.
struct Followed<'a> {
    call: &'a ClientRequest,
    upstream: &'a Upstream,
    era: Era,
    proxied_task: u64,
}

/// How far a task is with what it asks.
struct Input {
    /// The keys that were asked, decoded: a key stands for one question in all of a task's life
    /// (SEP-2663), and may be seen until the server has taken its answer.
    asked: HashSet<String>,
    /// The answers that the server has not acknowledged.
    untaken: Option<String>,
    /// When the last sign of the task was seen, or of the client that it asked.
    heard: Instant,
}

/// Waits for the end of a task that is ours, and gives the answer to the call that made it.
pub(crate) async fn follow_task(
    ctx: &Context,
    call: &ClientRequest,
    upstream: &Upstream,
    mut task: Task,
    era: Era,
) -> Result<Message, UpstreamError> {
    debug!(task = &*task.id, upstream = %upstream.config().name, "following a task");
    ctx.session
        .task_owners
        .record_proxied(upstream.id(), &task.id);
    let running = ctx
        .session
        .proxied_tasks
        .begin(call, upstream, &task, &ctx.gateway.tasks);
    ctx.session.in_flight.delegate_cancellation(&call.key);
    let followed = Followed {
        call,
        upstream,
        era,
        proxied_task: running.serial(),
    };
    let (mut input, mut failures) = (Input::new(), 0);
    loop {
        sleep(pause(&task, failures)).await;
        match look(ctx, &followed, &task, &mut input).await {
            Ok(Seen::Answer(answer)) => {
                match input::requires_input(&answer) && era == Era::Legacy {
                    // What it asks has parked the call, which goes on with the task.
                    true => _ = running.suspend(),
                    false => running.ended(),
                }
                return Ok(answer);
            }
            Ok(Seen::Refusal(answer)) => return Ok(answer),
            Ok(Seen::Task(seen)) => {
                // A result that cannot be had may be no nearer at the next look.
                if !seen.is_terminal() {
                    (input.heard, failures) = (Instant::now(), 0);
                }
                task = seen;
            }
            Err(error) if error.cause.is_transient() && input.heard.elapsed() < PATIENCE => {
                debug!(%error, "a task is out of sight");
                failures += 1;
                task.status = TaskStatus::Working;
            }
            Err(error) => return Err(in_terms_of(call, error)),
        }
    }
}

async fn look(
    ctx: &Context,
    followed: &Followed<'_>,
    task: &Task,
    input: &mut Input,
) -> Result<Seen, UpstreamError> {
    if followed.era == Era::Legacy && task.status != TaskStatus::Working {
        // It answers when the task has ended, and asks meanwhile for the input that it wants
        // (MCP 2025-11-25 § Tasks, Input Required TaskStatus).
        let result = about(ctx, followed, "tasks/result", task, None).await?;
        return Ok(Seen::Answer(result));
    }
    let response = about(ctx, followed, "tasks/get", task, None).await?;
    let lost = |why: &str| {
        let cause = TransportError::TaskLost(why.to_owned());
        followed.upstream.error("tasks/get", cause)
    };
    let Some(result) = response.result() else {
        let error = String::from_utf8_lossy(response.error().unwrap_or_default());
        return Err(lost(&format!("`tasks/get` was answered with {error}")));
    };
    let result = response.bytes().slice_ref(result);
    let seen = Task::read(&result).ok_or_else(|| lost("`tasks/get` gave no task"))?;
    if followed.era == Era::Legacy {
        return Ok(Seen::Task(seen));
    }
    let ended = |what: String| {
        let cause = TransportError::TaskEnded(what);
        Err(followed.upstream.error("tasks/get", cause))
    };
    let said = seen.message.as_ref();
    let said = said.map_or_else(String::new, |said| format!(" ({said})"));
    let member = match seen.status {
        TaskStatus::Working => return Ok(Seen::Task(seen)),
        TaskStatus::InputRequired => {
            return give_input(ctx, followed, &seen, &response, input).await;
        }
        TaskStatus::Cancelled => return ended(format!("was cancelled{said}")),
        TaskStatus::Completed => "result",
        TaskStatus::Failed => "error",
    };
    let value = last_member(&result, member).map(|member| member.value());
    let answer = value.and_then(|value| tasks_extension::task_response(member, value));
    let answer = answer.ok_or_else(|| lost("it has ended without a result"))?;
    // As legacy results: a task's need not say of what type they are.
    let answer = bridge::response(answer, "tools/call", followed.call.caller.era, Era::Legacy);
    answer.map(Seen::Answer).map_err(|why| lost(&why))
}

/// Answers what a modern task asks: a legacy client is asked by requests, and the task is told by
/// `tasks/update`. A modern client that knows no tasks could not be asked in any way that the
/// server would understand; then the task is cancelled when this is dropped.
async fn give_input(
    ctx: &Context,
    followed: &Followed<'_>,
    task: &Task,
    response: &Message,
    input: &mut Input,
) -> Result<Seen, UpstreamError> {
    let ended = |text: &str| {
        let cause = TransportError::TaskEnded(text.to_owned());
        followed.upstream.error("tasks/get", cause)
    };
    if followed.call.caller.era == Era::Modern {
        debug!(task = &*task.id, "a task needs input; cancelling it");
        let text = "needs input from you, for which it cannot ask here, and is cancelled";
        return Err(ended(text));
    }
    // Answers that may not have arrived go before further questions; to a server that has them
    // already they say nothing new.
    if input.untaken.is_none() {
        let is_new = |key: &str| !input.asked.contains(key);
        let answered = ask_for_input(ctx, followed.call, response, is_new).await;
        match answered.map_err(|reason| ended(&format!("cannot go on: {reason}")))? {
            Asked::Refused(refusal) => return Ok(Seen::Refusal(refusal)),
            Asked::Answered(answers) => input.answered(response, answers),
        }
    }
    if let Some(answers) = &input.untaken {
        let update = about(ctx, followed, "tasks/update", task, Some(answers));
        if let Some(error) = update.await?.error() {
            let error = String::from_utf8_lossy(error);
            return Err(ended(&format!("did not take your input: {error}")));
        }
        input.untaken = None;
    }
    Ok(Seen::Task(Task {
        status: TaskStatus::Working,
        ..task.clone()
    }))
}

/// Asks about a task, in the way of every other request of the client.
async fn about(
    ctx: &Context,
    followed: &Followed<'_>,
    method: &'static str,
    task: &Task,
    input: Option<&str>,
) -> Result<Message, UpstreamError> {
    let Followed { call, upstream, .. } = *followed;
    let target = Target::task_request(method, &task.id, &task.quoted_id).followed_by_proxy();
    let message = tasks_extension::task_request(&call.message, method, &task.quoted_id, input);
    let broken = || TransportError::TaskLost("its id cannot be sent".to_owned());
    let message = message.ok_or_else(|| upstream.error(method, broken()))?;
    let mut about = call.replaced_by(message);
    about.proxied_task = Some(followed.proxied_task);
    let answer = forward(ctx, &about, &target, upstream).await?;
    answer.response(&target, upstream)
}

impl Input {
    fn new() -> Self {
        Self {
            asked: HashSet::new(),
            untaken: None,
            heard: Instant::now(),
        }
    }

    /// Notes what the client has answered to this response.
    fn answered(&mut self, response: &Message, answers: String) {
        let asked_before = self.asked.len();
        self.asked.extend(input::input_request_keys(response));
        self.untaken = (self.asked.len() > asked_before).then_some(answers);
        self.heard = Instant::now();
    }
}

fn pause(task: &Task, failures: u32) -> Duration {
    match (task.status, failures) {
        (TaskStatus::Working, 0) => task.poll_interval,
        (_, 0) => Duration::ZERO,
        _ => {
            let longest = LONGEST_PAUSE.max(task.poll_interval);
            let doubled = task.poll_interval.saturating_mul(1 << failures.min(16));
            doubled.min(longest)
        }
    }
}

/// What went wrong with a task, as the fate of the call that made it: that one has been taken up.
fn in_terms_of(call: &ClientRequest, mut error: UpstreamError) -> UpstreamError {
    error.method = call.message.method().into_owned();
    if !matches!(
        error.cause,
        TransportError::TaskLost(_) | TransportError::TaskEnded(_)
    ) {
        error.cause = TransportError::TaskLost(error.cause.to_string());
    }
    error
}
