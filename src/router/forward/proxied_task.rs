//! Follows a task for a client that does not know tasks. Polls the task until it ends, and returns its result as
//! the response to the call.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tracing::debug;

use super::forward;
use super::multi_round_trip::{InputOutcome, request_new_input};
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

/// How long an upstream may be disconnected before the call fails. The task goes on at the server.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(300);

/// The maximum delay between polls while the upstream is disconnected. A short one, to notice a reconnect soon.
const MAX_POLL_DELAY: Duration = Duration::from_secs(5);

/// The outcome of one poll.
enum PollOutcome {
    /// The task goes on.
    Running(Task),
    /// The task has ended, with this response to the call.
    Ended(Message),
    /// The client has rejected an input request of the task. The call ends with this response.
    Refusal(Message),
}

/// The call and upstream of a followed task.
struct FollowedTask<'a> {
    call: &'a ClientRequest,
    upstream: &'a Upstream,
    era: Era,
    proxied_task: u64,
}

/// The state of a task's input requests.
struct InputState {
    /// The keys that were sent to the client, decoded. A key identifies one input request during a task's
    /// whole life. The server may repeat the key until it has accepted the answer (SEP-2663).
    asked_keys: HashSet<String>,
    /// The answers that the server has not acknowledged.
    unacknowledged: Option<String>,
    /// The time of the last successful poll, or of the client's last answer.
    last_activity: Instant,
}

/// Follows a task until it ends, and returns the response to the call that created it.
pub(crate) async fn follow_to_end(
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
    let task_guard = ctx
        .session
        .proxied_tasks
        .register(call, upstream, &task, &ctx.gateway.tasks);
    ctx.session.in_flight.delegate_cancellation(&call.key);
    let followed = FollowedTask {
        call,
        upstream,
        era,
        proxied_task: task_guard.serial(),
    };
    let (mut input, mut failures) = (InputState::new(), 0);
    loop {
        sleep(poll_delay(&task, failures)).await;
        match poll(ctx, &followed, &task, &mut input).await {
            Ok(PollOutcome::Ended(answer)) => {
                match input::requires_input(&answer) && era == Era::Legacy {
                    // An input request has suspended the call, which still follows the task.
                    true => _ = task_guard.suspend(),
                    false => task_guard.finish(),
                }
                return Ok(answer);
            }
            Ok(PollOutcome::Refusal(answer)) => return Ok(answer),
            Ok(PollOutcome::Running(polled)) => {
                // An ended task is no progress: its result may stay unavailable.
                if !polled.is_terminal() {
                    (input.last_activity, failures) = (Instant::now(), 0);
                }
                task = polled;
            }
            Err(error)
                if error.cause.is_transient()
                    && input.last_activity.elapsed() < DISCONNECT_TIMEOUT =>
            {
                debug!(%error, "could not poll a task; retrying");
                failures += 1;
                task.status = TaskStatus::Working;
            }
            Err(error) => return Err(as_call_error(call, error)),
        }
    }
}

async fn poll(
    ctx: &Context,
    followed: &FollowedTask<'_>,
    task: &Task,
    input: &mut InputState,
) -> Result<PollOutcome, UpstreamError> {
    if followed.era == Era::Legacy && task.status != TaskStatus::Working {
        // The server responds when the task has ended, and sends its input requests before
        // (MCP 2025-11-25 § Tasks, Input Required Status).
        let result = request_about_task(ctx, followed, "tasks/result", task, None).await?;
        return Ok(PollOutcome::Ended(result));
    }
    let response = request_about_task(ctx, followed, "tasks/get", task, None).await?;
    let task_lost = |reason: &str| {
        let cause = TransportError::TaskLost(reason.to_owned());
        followed.upstream.error("tasks/get", cause)
    };
    let Some(result) = response.result() else {
        let error = String::from_utf8_lossy(response.error().unwrap_or_default());
        return Err(task_lost(&format!(
            "the server answered `tasks/get` with {error}"
        )));
    };
    let result = response.bytes().slice_ref(result);
    let polled =
        Task::read(&result).ok_or_else(|| task_lost("the result of `tasks/get` has no task"))?;
    if followed.era == Era::Legacy {
        return Ok(PollOutcome::Running(polled));
    }
    let task_ended = |reason: String| {
        let cause = TransportError::TaskEnded(reason);
        Err(followed.upstream.error("tasks/get", cause))
    };
    let status_message = polled.message.as_ref();
    let status_message =
        status_message.map_or_else(String::new, |status_message| format!(" ({status_message})"));
    let member = match polled.status {
        TaskStatus::Working => return Ok(PollOutcome::Running(polled)),
        TaskStatus::InputRequired => {
            return answer_input_requests(ctx, followed, &polled, &response, input).await;
        }
        TaskStatus::Cancelled => return task_ended(format!("was cancelled{status_message}")),
        TaskStatus::Completed => "result",
        TaskStatus::Failed => "error",
    };
    let value = last_member(&result, member).map(|member| member.value());
    let answer = value.and_then(|value| tasks_extension::task_response(member, value));
    let answer = answer.ok_or_else(|| task_lost("the task has ended without a result"))?;
    // Translated as a legacy result, since the result of a task may lack `resultType`.
    let answer = bridge::response(answer, "tools/call", followed.call.caller.era, Era::Legacy);
    answer
        .map(PollOutcome::Ended)
        .map_err(|why| task_lost(&why))
}

/// Answers the input requests of a modern task. A legacy client receives them as requests, and the proxy sends
/// the answers by `tasks/update`. For a modern client without tasks no such form exists: the call fails, and the
/// guard cancels the task.
async fn answer_input_requests(
    ctx: &Context,
    followed: &FollowedTask<'_>,
    task: &Task,
    response: &Message,
    input: &mut InputState,
) -> Result<PollOutcome, UpstreamError> {
    let task_ended = |text: &str| {
        let cause = TransportError::TaskEnded(text.to_owned());
        followed.upstream.error("tasks/get", cause)
    };
    if followed.call.caller.era == Era::Modern {
        debug!(task = &*task.id, "a task needs input; cancelling it");
        let text = "needs input from you, for which it cannot ask here, and is cancelled";
        return Err(task_ended(text));
    }
    // Unacknowledged answers are sent again before new input requests. A server that has them ignores them.
    if input.unacknowledged.is_none() {
        let is_new = |key: &str| !input.asked_keys.contains(key);
        let answered = request_new_input(ctx, followed.call, response, is_new).await;
        match answered.map_err(|reason| task_ended(&format!("cannot go on: {reason}")))? {
            InputOutcome::Refused(refusal) => return Ok(PollOutcome::Refusal(refusal)),
            InputOutcome::Answers(answers) => input.record_answers(response, answers),
        }
    }
    if let Some(answers) = &input.unacknowledged {
        let update = request_about_task(ctx, followed, "tasks/update", task, Some(answers));
        if let Some(error) = update.await?.error() {
            let error = String::from_utf8_lossy(error);
            return Err(task_ended(&format!("did not take your input: {error}")));
        }
        input.unacknowledged = None;
    }
    Ok(PollOutcome::Running(Task {
        status: TaskStatus::Working,
        ..task.clone()
    }))
}

/// Forwards a request about the task.
async fn request_about_task(
    ctx: &Context,
    followed: &FollowedTask<'_>,
    method: &'static str,
    task: &Task,
    input: Option<&str>,
) -> Result<Message, UpstreamError> {
    let FollowedTask { call, upstream, .. } = *followed;
    let target = Target::task_request(method, &task.id, &task.quoted_id).followed_by_proxy();
    let message = tasks_extension::task_request(&call.message, method, &task.quoted_id, input);
    let unsendable_id = || TransportError::TaskLost("its id cannot be sent".to_owned());
    let message = message.ok_or_else(|| upstream.error(method, unsendable_id()))?;
    let mut request = call.replaced_by(message);
    request.proxied_task = Some(followed.proxied_task);
    let answer = forward(ctx, &request, &target, upstream).await?;
    answer.into_response(&target, upstream)
}

impl InputState {
    fn new() -> Self {
        Self {
            asked_keys: HashSet::new(),
            unacknowledged: None,
            last_activity: Instant::now(),
        }
    }

    /// Records the client's answers to the input requests of this response.
    fn record_answers(&mut self, response: &Message, answers: String) {
        let asked_before = self.asked_keys.len();
        self.asked_keys.extend(input::input_request_keys(response));
        self.unacknowledged = (self.asked_keys.len() > asked_before).then_some(answers);
        self.last_activity = Instant::now();
    }
}

fn poll_delay(task: &Task, failures: u32) -> Duration {
    match (task.status, failures) {
        (TaskStatus::Working, 0) => task.poll_interval,
        (_, 0) => Duration::ZERO,
        _ => {
            let longest = MAX_POLL_DELAY.max(task.poll_interval);
            let doubled = task.poll_interval.saturating_mul(1 << failures.min(16));
            doubled.min(longest)
        }
    }
}

/// Turns an error of a task request into an error of the call, which the server has accepted.
fn as_call_error(call: &ClientRequest, mut error: UpstreamError) -> UpstreamError {
    error.method = call.message.method().into_owned();
    if !matches!(
        error.cause,
        TransportError::TaskLost(_) | TransportError::TaskEnded(_)
    ) {
        error.cause = TransportError::TaskLost(error.cause.to_string());
    }
    error
}
